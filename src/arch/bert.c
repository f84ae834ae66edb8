/* SPDX-License-Identifier: Apache-2.0
 *
 * BERT encoders (Devlin et al. 2018, arXiv:1810.04805): post-norm, segments, learned positions, absolute or relative.
 * Reference: transformers.models.bert.modeling_bert. */
#include "arch/heads.h"

typedef struct bert {
	int64_t vocab, hidden, layers, heads, ffn, positions, segments, labels;
	double eps;
	og_act_kind act;
	int position; /* index into OG_TEXT_POSITIONS */
	bool tied;
} bert;

static const og_field fields[] = {
	OG_VOCAB_OR(bert, vocab, "vocab_size", 30522),
	OG_DIM_OR(bert, hidden, "hidden_size", 768),
	OG_LAYERS_OR(bert, layers, "num_hidden_layers", 12),
	OG_DIM_OR(bert, heads, "num_attention_heads", 12),
	OG_DIM_OR(bert, ffn, "intermediate_size", 3072),
	OG_DIM_OR(bert, positions, "max_position_embeddings", 512),
	OG_DIM_OR(bert, segments, "type_vocab_size", 2),
	OG_LABELS(bert, labels),
	OG_REAL_OR(bert, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(bert, act, "hidden_act", "gelu"),
	OG_CHOICE_OR(bert, position, "position_embedding_type", OG_TEXT_POSITIONS),
	OG_FLAG_OR(bert, tied, "tie_word_embeddings", true),
	OG_ONLY_ENCODES,
	{ 0 },
};

static const og_inert inert[] = {
	{ "directionality", "of the first TensorFlow release; never read" },
	{ "pooler_fc_size", "of the first TensorFlow release; never read" },
	{ "pooler_num_attention_heads", "of the first TensorFlow release; never read" },
	{ "pooler_num_fc_layers", "of the first TensorFlow release; never read" },
	{ "pooler_size_per_head", "of the first TensorFlow release; never read" },
	{ "pooler_type", "of the first TensorFlow release; never read" },
	{ 0 },
};

/* ---- the encoder ---- */

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const bert *c = config;
	const og_text_embed_o tables = { .vocab = c->vocab, .segments = c->segments, .positions = c->positions, .width = c->hidden, .eps = c->eps };
	bool absolute = c->position == OG_ABSOLUTE;
	og_val x = OG_NONE;
	OG_SCOPE(b, "bert") {
		og_val positions = og_positions(b, in.ids, 0), mask = og_mask_bias(b, in.mask);
		og_val distances = absolute ? OG_NONE : og_distances(b, positions, c->positions - 1);
		x = og_text_embed(b, in, absolute ? positions : OG_NONE, tables);
		x = og_text_layers(b, x, (og_text_layers_o){ .layers = c->layers, .heads = c->heads, .ffn = c->ffn, .act = c->act, .eps = c->eps,
			.mask = mask, .distances = distances, .positions = c->positions, .position = c->position });
	}
	return x;
}

/* ---- the heads ---- */

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	OG_SCOPE(b, "bert") OG_SCOPE(b, "pooler") x = og_text_pooler(b, x);
	return og_linear(b, x, "classifier", n);
}

static void tie(og_build *b, const void *config)
{
	const bert *c = config;
	OG_SCOPE(b, "cls.predictions") {
		og_tied(b, "decoder.bias", "bias");
		if (c->tied)
			og_tied(b, "decoder.weight", "/bert.embeddings.word_embeddings.weight");
	}
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const bert *c = config;
	OG_SCOPE(b, "cls.predictions") {
		x = og_act(b, og_linear(b, x, "transform.dense", c->hidden), c->act);
		x = og_layer_norm(b, x, "transform.LayerNorm", c->eps);
		x = og_linear(b, x, "decoder", c->vocab);
	}
	return x;
}

static const og_text text = { .labels = OG_TEXT_LABELS(bert, labels), .encode = encode, .classify = classify, .words = words, .tie = tie };

static const og_head heads[] = {
	OG_TEXT_HEADS("Bert"),
	{ "BertForPreTraining", "fill-mask", OG_ONE_FILE(og_text_fill_mask) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "*embeddings.token_type_ids", "a buffer, an input instead" },
	{ "*embeddings.position_embeddings.weight", "relative positions do not add them" },
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" },
	{ "cls.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight", NULL };

const og_arch og_arch_bert = {
	.model_type = "bert", .base_prefix = "bert", .revision = 3,
	.config_size = sizeof(bert), .family = &text, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
	.sisters = "RoBERTa, XLM-RoBERTa, CamemBERT, …",
};
