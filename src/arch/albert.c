/* SPDX-License-Identifier: Apache-2.0
 *
 * ALBERT encoders (Lan et al. 2019, arXiv:1909.11942): post-norm as BERT, with narrow embeddings that a matrix widens, and a
 * few groups of layers that are run again and again: a layer of the graph has its own place, its weights are its group's.
 * Reference: transformers.models.albert.modeling_albert. */
#include "arch/heads.h"
#include "base/limits.h"

typedef struct albert {
	int64_t vocab, embedding, hidden, layers, groups, inner, heads, ffn, positions, segments, labels;
	double eps;
	og_act_kind act;
	int position; /* index into OG_TEXT_POSITIONS */
	bool tied;
} albert;

static const og_field fields[] = {
	OG_VOCAB_OR(albert, vocab, "vocab_size", 30000),
	OG_DIM_OR(albert, embedding, "embedding_size", 128),
	OG_DIM_OR(albert, hidden, "hidden_size", 4096),
	OG_LAYERS_OR(albert, layers, "num_hidden_layers", 12),
	OG_LAYERS_OR(albert, groups, "num_hidden_groups", 1),
	OG_LAYERS_OR(albert, inner, "inner_group_num", 1),
	OG_DIM_OR(albert, heads, "num_attention_heads", 64),
	OG_DIM_OR(albert, ffn, "intermediate_size", 16384),
	OG_DIM_OR(albert, positions, "max_position_embeddings", 512),
	OG_DIM_OR(albert, segments, "type_vocab_size", 2),
	OG_LABELS(albert, labels),
	OG_REAL_OR(albert, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(albert, act, "hidden_act", "gelu_new"),
	OG_CHOICE_OR(albert, position, "position_embedding_type", OG_TEXT_POSITIONS),
	OG_FLAG_OR(albert, tied, "tie_word_embeddings", true),
	OG_ONLY_ENCODES,
	{ 0 },
};

static const og_inert inert[] = {
	{ "down_scale_factor", "of the first TensorFlow release; never read" },
	{ "gap_size", "of the first TensorFlow release; never read" },
	{ "net_structure_type", "of the first TensorFlow release; never read" },
	{ "num_memory_blocks", "of the first TensorFlow release; never read" },
	{ "eos_token_ids", "the tokenizer's business" },
	{ 0 },
};

/* ---- the encoder ---- */

static og_val layer(og_build *b, const albert *c, og_val x, og_val mask, og_val distances)
{
	return og_post_norm(b, x, (og_layer_o){
		.attention = {
			.heads = c->heads, .mask = mask, .q = "attention.query", .k = "attention.key", .v = "attention.value", .o = "attention.dense",
			.relative = { .distances = distances, .table = "attention.distance_embedding.weight", .rows = 2 * c->positions - 1,
			              .key_too = c->position == OG_RELATIVE_KEY_QUERY, .unscaled = true } },
		.attention_norm = "attention.LayerNorm", .up = "ffn", .down = "ffn_output", .norm = "full_layer_layer_norm",
		.ffn = c->ffn, .act = c->act, .eps = c->eps });
}

/* A pass through a group runs its inner layers one after the other; pass i of the whole model takes group i·groups/layers. */
static og_val passes(og_build *b, const albert *c, og_val x, og_val mask, og_val distances)
{
	if (c->groups > c->layers || c->inner > c->layers / c->groups) /* the reference then runs past the end of its list of head masks */
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "num_hidden_groups %lld with inner_group_num %lld: expected their product to be at most "
			"num_hidden_layers, %lld", (long long)c->groups, (long long)c->inner, (long long)c->layers);
	if (c->layers * c->inner > OG_LAYERS_MAX)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "num_hidden_layers %lld × inner_group_num %lld: expected at most %d layers",
			(long long)c->layers, (long long)c->inner, OG_LAYERS_MAX);
	for (int64_t i = 0; i < c->layers; i++) {
		int group = (int)((double)i / ((double)c->layers / (double)c->groups)); /* rounded as the reference does: 6, not 7, for 9 / (18 / 14) */
		OG_NODE_SCOPE(b, "encoder.layer.%d", (int)i) OG_WEIGHT_SCOPE(b, "encoder.albert_layer_groups.%d", group)
			for (int k = 0; k < (int)c->inner; k++)
				OG_SCOPE(b, "albert_layers.%d", k) x = layer(b, c, x, mask, distances);
	}
	return x;
}

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const albert *c = config;
	const og_text_embed_o tables = { .vocab = c->vocab, .segments = c->segments, .positions = c->positions, .width = c->embedding, .eps = c->eps };
	bool absolute = c->position == OG_ABSOLUTE;
	og_val x = OG_NONE;
	OG_SCOPE(b, "albert") {
		og_val positions = og_positions(b, in.ids, 0), mask = og_mask_bias(b, in.mask);
		og_val distances = absolute ? OG_NONE : og_distances(b, positions, c->positions - 1);
		x = og_text_embed(b, in, absolute ? positions : OG_NONE, tables);
		x = og_linear(b, x, "encoder.embedding_hidden_mapping_in", c->hidden);
		x = passes(b, c, x, mask, distances);
	}
	return x;
}

/* ---- the heads ---- */

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	const albert *c = config;
	OG_SCOPE(b, "albert") {
		x = og_linear(b, og_token(b, x, 0), "pooler", c->hidden);
		OG_NODE_SCOPE(b, "pooler_activation") x = og_unary(b, "Tanh", x);
	}
	return og_linear(b, x, "classifier", n);
}

static void tie(og_build *b, const void *config)
{
	const albert *c = config;
	OG_SCOPE(b, "predictions") {
		og_tied(b, "decoder.bias", "bias");
		if (c->tied)
			og_tied(b, "decoder.weight", "/albert.embeddings.word_embeddings.weight");
	}
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const albert *c = config;
	OG_SCOPE(b, "predictions") {
		x = og_act(b, og_linear(b, x, "dense", c->embedding), c->act);
		x = og_layer_norm(b, x, "LayerNorm", c->eps);
		x = og_linear(b, x, "decoder", c->vocab);
	}
	return x;
}

static const og_text text = { .labels = OG_TEXT_LABELS(albert, labels), .encode = encode, .classify = classify, .words = words, .tie = tie };

static const og_head heads[] = {
	OG_TEXT_HEADS("Albert"),
	{ "AlbertForPreTraining", "fill-mask", OG_ONE_FILE(og_text_fill_mask) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "*embeddings.token_type_ids", "a buffer, an input instead" },
	{ "*embeddings.position_embeddings.weight", "relative positions do not add them" },
	{ "*pooler.weight", "the task takes the sequence, not the pooled token" },
	{ "*pooler.bias", "the task takes the sequence, not the pooled token" },
	{ "predictions.*", "head of another task" },
	{ "sop_classifier.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.word_embeddings.weight", "encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight", NULL };

const og_arch og_arch_albert = {
	.model_type = "albert", .base_prefix = "albert", .revision = 3,
	.config_size = sizeof(albert), .family = &text, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
