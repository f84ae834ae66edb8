/* SPDX-License-Identifier: Apache-2.0
 *
 * DistilBERT encoders (Sanh et al. 2019, arXiv:1910.01108): post-norm layers under names of their own, no segments, no pooler.
 * Reference: transformers.models.distilbert.modeling_distilbert. */
#include "arch/heads.h"
#include "base/limits.h"

#define EPS 1e-12 /* of every norm; no key of the config */

typedef struct distilbert {
	int64_t vocab, hidden, layers, heads, ffn, positions, labels;
	og_act_kind act;
	bool tied;
} distilbert;

static const og_field fields[] = {
	OG_VOCAB_OR(distilbert, vocab, "vocab_size", 30522),
	OG_DIM_OR(distilbert, hidden, "dim", 768),
	OG_LAYERS_OR(distilbert, layers, "n_layers", 6),
	OG_DIM_OR(distilbert, heads, "n_heads", 12),
	OG_ALSO(distilbert, hidden, "hidden_size"),
	OG_ALSO_LAYERS(distilbert, layers, "num_hidden_layers"),
	OG_ALSO(distilbert, heads, "num_attention_heads"),
	OG_DIM_OR(distilbert, ffn, "hidden_dim", 3072),
	OG_DIM_OR(distilbert, positions, "max_position_embeddings", 512),
	OG_LABELS(distilbert, labels),
	OG_ACT_OR(distilbert, act, "activation", "gelu"),
	OG_FLAG_OR(distilbert, tied, "tie_word_embeddings", true),
	OG_ONLY_ENCODES,
	{ 0 },
};

static const og_inert inert[] = {
	{ "sinusoidal_pos_embds", "how the table of positions was filled before training; the table itself is in the checkpoint" },
	{ "tie_weights_", "of the first release; never read" },
	{ 0 },
};

/* ---- the encoder ---- */

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const distilbert *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "distilbert") {
		og_val positions = og_positions(b, in.ids, 0), mask = og_mask_bias(b, in.mask);
		x = og_text_embed(b, in, positions, (og_text_embed_o){ .vocab = c->vocab, .positions = c->positions, .width = c->hidden, .eps = EPS });
		for (int64_t i = 0; i < c->layers; i++)
			OG_SCOPE(b, "transformer.layer.%d", (int)i) x = og_post_norm(b, x, (og_layer_o){
				.attention = { .heads = c->heads, .mask = mask,
				               .q = "attention.q_lin", .k = "attention.k_lin", .v = "attention.v_lin", .o = "attention.out_lin" },
				.attention_norm = "sa_layer_norm", .up = "ffn.lin1", .down = "ffn.lin2", .norm = "output_layer_norm",
				.ffn = c->ffn, .act = c->act, .eps = EPS });
	}
	return x;
}

/* ---- the heads ---- */

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	const distilbert *c = config;
	x = og_linear(b, og_token(b, x, 0), "pre_classifier", c->hidden);
	return og_linear(b, og_act(b, x, OG_ACT_RELU), "classifier", n);
}

static void tie(og_build *b, const void *config)
{
	const distilbert *c = config;
	if (c->tied)
		og_tied(b, "vocab_projector.weight", "/distilbert.embeddings.word_embeddings.weight");
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const distilbert *c = config;
	x = og_act(b, og_linear(b, x, "vocab_transform", c->hidden), c->act);
	x = og_layer_norm(b, x, "vocab_layer_norm", EPS);
	return og_linear(b, x, "vocab_projector", c->vocab);
}

static const og_text text = {
	.no_segments = true, .labels = OG_TEXT_LABELS(distilbert, labels), .encode = encode, .classify = classify, .words = words, .tie = tie,
};

static const og_head heads[] = { OG_TEXT_HEADS("DistilBert"), { 0 } };

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "vocab_transform.*", "head of another task" },
	{ "vocab_layer_norm.*", "head of another task" },
	{ "vocab_projector.*", "head of another task" },
	{ "pre_classifier.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.word_embeddings.weight", "transformer.layer.0.attention.q_lin.weight", NULL };

const og_arch og_arch_distilbert = {
	.model_type = "distilbert", .base_prefix = "distilbert", .revision = 3,
	.config_size = sizeof(distilbert), .family = &text, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
