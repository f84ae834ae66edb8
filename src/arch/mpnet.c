/* SPDX-License-Identifier: Apache-2.0
 *
 * MPNet encoders (Song et al. 2020, arXiv:2004.09297): BERT's layers without segments; positions pass over padding, and a bias
 * by distance, which all layers share, is added to the scores.
 * Reference: transformers.models.mpnet.modeling_mpnet. */
#include "arch/heads.h"

/* What the class takes for granted: the pad token whatever pad_token_id is, and how distances are sorted into buckets
 * whatever relative_attention_num_buckets is, which sizes the table alone. */
enum { PAD = 1, BUCKETS = 32, FARTHEST = 128 };

typedef struct mpnet {
	int64_t vocab, hidden, layers, heads, ffn, positions, buckets, labels;
	double eps;
	og_act_kind act;
	bool tied;
} mpnet;

static const og_field fields[] = {
	OG_VOCAB_OR(mpnet, vocab, "vocab_size", 30527),
	OG_DIM_OR(mpnet, hidden, "hidden_size", 768),
	OG_LAYERS_OR(mpnet, layers, "num_hidden_layers", 12),
	OG_DIM_OR(mpnet, heads, "num_attention_heads", 12),
	OG_DIM_OR(mpnet, ffn, "intermediate_size", 3072),
	OG_DIM_OR(mpnet, positions, "max_position_embeddings", 512),
	OG_DIM_OR(mpnet, buckets, "relative_attention_num_buckets", 32),
	OG_LABELS(mpnet, labels),
	OG_REAL_OR(mpnet, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(mpnet, act, "hidden_act", "gelu"),
	OG_FLAG_OR(mpnet, tied, "tie_word_embeddings", true),
	OG_ONLY_ENCODES,
	{ 0 },
};

static const og_inert inert[] = { { 0 } };

/* ---- the encoder ---- */

static int64_t max_length(const mpnet *c)
{
	return c->positions - PAD - 1;
}

static void facts(const void *config, const char *task, og_input_facts *f)
{
	(void)task;
	f->max_positions = max_length(config);
}

static og_val layer(og_build *b, const mpnet *c, og_val x, og_val bias)
{
	return og_post_norm(b, x, (og_layer_o){
		.attention = { .heads = c->heads, .mask = bias,
		               .q = "attention.attn.q", .k = "attention.attn.k", .v = "attention.attn.v", .o = "attention.attn.o" },
		.attention_norm = "attention.LayerNorm", .up = "intermediate.dense", .down = "output.dense", .norm = "output.LayerNorm",
		.ffn = c->ffn, .act = c->act, .eps = c->eps });
}

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const mpnet *c = config;
	const og_text_embed_o tables = { .vocab = c->vocab, .positions = c->positions, .width = c->hidden, .eps = c->eps };
	og_val x = OG_NONE, positions = OG_NONE, bias = OG_NONE;
	if (c->vocab <= PAD || max_length(c) < 1)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "vocab_size %lld and max_position_embeddings %lld: expected at least %d and %d, the pad token is %d",
			(long long)c->vocab, (long long)c->positions, PAD + 1, PAD + 2, PAD);
	if (c->buckets < BUCKETS)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "relative_attention_num_buckets %lld: expected at least %d, the number that is counted with",
			(long long)c->buckets, BUCKETS);
	OG_SCOPE(b, "mpnet") {
		OG_NODE_SCOPE(b, "embeddings") positions = og_positions_behind(b, in.ids, PAD);
		x = og_text_embed(b, in, positions, tables);
		OG_SCOPE(b, "encoder") {
			bias = og_bucket_bias(b, og_positions(b, in.ids, 0), "relative_attention_bias", (og_buckets_o){
				.rows = c->buckets, .heads = c->heads, .buckets = BUCKETS, .farthest = FARTHEST });
			bias = og_add(b, bias, og_mask_bias(b, in.mask));
			for (int64_t i = 0; i < c->layers; i++)
				OG_SCOPE(b, "layer.%d", (int)i) x = layer(b, c, x, bias);
		}
	}
	return x;
}

/* ---- the heads ---- */

/* The pooler serves here alone. */
static og_val choose(og_build *b, const void *config, og_val x)
{
	(void)config;
	OG_SCOPE(b, "mpnet") OG_SCOPE(b, "pooler") x = og_text_pooler(b, x);
	return og_linear(b, x, "classifier", 1);
}

static void tie(og_build *b, const void *config)
{
	const mpnet *c = config;
	og_text_tie_lm_head(b, "mpnet", c->tied);
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const mpnet *c = config;
	return og_text_lm_head(b, x, c->vocab, c->eps);
}

static const og_text text = {
	.no_segments = true, .labels = OG_TEXT_LABELS(mpnet, labels), .encode = encode, .classify = og_text_pooled_classifier,
	.choose = choose, .words = words, .tie = tie,
};

static const og_head heads[] = { OG_TEXT_HEADS("MPNet"), { 0 } };

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" },
	{ "lm_head.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.word_embeddings.weight", "encoder.relative_attention_bias.weight", NULL };

const og_arch og_arch_mpnet = {
	.model_type = "mpnet", .base_prefix = "mpnet", .revision = 3, .config_size = sizeof(mpnet), .family = &text, .fields = fields,
	.inert = inert, .heads = heads, .ignore = ignore, .marks = marks, .facts = facts,
};
