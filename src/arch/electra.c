/* SPDX-License-Identifier: Apache-2.0
 *
 * ELECTRA (Clark et al. 2020, arXiv:2003.10555), generators and discriminators: BERT's encoder without its pooler, behind
 * embeddings that a matrix widens where they are narrower; a choice is judged by a summary of its text.
 * Reference: transformers.models.electra.modeling_electra. */
#include "arch/heads.h"
#include "base/limits.h"

/* summary_type: how many vectors become one. */
#define SUMMARIES "first last mean cls_index attn"
enum { FIRST, LAST, MEAN, CLS_INDEX };

typedef struct electra {
	int64_t vocab, embedding, hidden, layers, heads, ffn, positions, segments, labels;
	double eps;
	og_act_kind act, summary_act;
	int position; /* index into OG_TEXT_POSITIONS */
	int summary;  /* index into SUMMARIES */
	bool summary_projects, summary_labels, tied;
} electra;

static const og_field fields[] = {
	OG_VOCAB_OR(electra, vocab, "vocab_size", 30522),
	OG_DIM_OR(electra, embedding, "embedding_size", 128),
	OG_DIM_OR(electra, hidden, "hidden_size", 256),
	OG_LAYERS_OR(electra, layers, "num_hidden_layers", 12),
	OG_DIM_OR(electra, heads, "num_attention_heads", 4),
	OG_DIM_OR(electra, ffn, "intermediate_size", 1024),
	OG_DIM_OR(electra, positions, "max_position_embeddings", 512),
	OG_DIM_OR(electra, segments, "type_vocab_size", 2),
	OG_LABELS(electra, labels),
	OG_REAL_OR(electra, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(electra, act, "hidden_act", "gelu"),
	OG_CHOICE_OR(electra, position, "position_embedding_type", OG_TEXT_POSITIONS),
	OG_CHOICE_OR(electra, summary, "summary_type", SUMMARIES),
	OG_FLAG_OR(electra, summary_projects, "summary_use_proj", true),
	OG_FLAG_OR(electra, summary_labels, "summary_proj_to_labels", false),
	OG_ACT_OR_NONE(electra, summary_act, "summary_activation", "gelu"),
	OG_FLAG_OR(electra, tied, "tie_word_embeddings", true),
	OG_ONLY_ENCODES,
	{ 0 },
};

static const og_inert inert[] = { { 0 } };

static void facts(const void *config, const char *task, og_input_facts *f)
{
	const electra *c = config;
	if (og_streq(task, "multiple-choice") && (c->summary == LAST || c->summary == MEAN))
		f->padding_counts = c->summary == LAST ? "summary_type last" : "summary_type mean";
}

/* ---- the encoder ---- */

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const electra *c = config;
	const og_text_embed_o tables = { .vocab = c->vocab, .segments = c->segments, .positions = c->positions, .width = c->embedding, .eps = c->eps };
	bool absolute = c->position == OG_ABSOLUTE;
	og_val x = OG_NONE;
	OG_SCOPE(b, "electra") {
		og_val positions = og_positions(b, in.ids, 0), mask = og_mask_bias(b, in.mask);
		og_val distances = absolute ? OG_NONE : og_distances(b, positions, c->positions - 1);
		x = og_text_embed(b, in, absolute ? positions : OG_NONE, tables);
		if (c->embedding != c->hidden)
			x = og_linear(b, x, "embeddings_project", c->hidden);
		x = og_text_layers(b, x, (og_text_layers_o){ .layers = c->layers, .heads = c->heads, .ffn = c->ffn, .act = c->act, .eps = c->eps,
			.mask = mask, .distances = distances, .positions = c->positions, .position = c->position });
	}
	return x;
}

/* ---- the heads ---- */

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	const electra *c = config;
	OG_SCOPE(b, "classifier") {
		x = og_act(b, og_linear(b, og_token(b, x, 0), "dense", c->hidden), OG_ACT_GELU); /* whatever hidden_act says */
		x = og_linear(b, x, "out_proj", n);
	}
	return x;
}

/* [B, S, H] → [B, H]. The last token is that of the longest text, and the mean is over its length: padding counts, as in the reference. */
static og_val one_vector(og_build *b, const electra *c, og_val x)
{
	switch (c->summary) {
	case FIRST: return og_token(b, x, 0);
	case LAST: return og_token(b, x, -1);
	case MEAN: return og_reduce(b, "ReduceMean", x, 1, false);
	}
	return og_build_fail(b, ONNXGATE_UNSUPPORTED, "summary_type: expected first, last or mean for multiple-choice, found %s",
		c->summary == CLS_INDEX ? "cls_index, which asks for an input that no file has" : "attn, which the reference class does not do");
}

static og_val choose(og_build *b, const void *config, og_val x)
{
	const electra *c = config;
	if (c->summary_projects && c->summary_labels && c->labels != c->hidden) /* the reference then gives the classifier what it cannot take */
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "summary_proj_to_labels: expected false, or as many labels as hidden_size, %lld; found %lld labels",
			(long long)c->hidden, (long long)c->labels);
	OG_SCOPE(b, "sequence_summary") {
		x = one_vector(b, c, x);
		if (c->summary_projects)
			x = og_linear(b, x, "summary", c->hidden);
		OG_NODE_SCOPE(b, "activation") x = og_act(b, x, c->summary_act);
	}
	return og_linear(b, x, "classifier", 1);
}

static void tie(og_build *b, const void *config)
{
	const electra *c = config;
	if (c->tied)
		og_tied(b, "generator_lm_head.weight", "/electra.embeddings.word_embeddings.weight");
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const electra *c = config;
	OG_SCOPE(b, "generator_predictions") {
		x = og_act(b, og_linear(b, x, "dense", c->embedding), OG_ACT_GELU); /* whatever hidden_act says */
		x = og_layer_norm(b, x, "LayerNorm", c->eps);
	}
	return og_linear(b, x, "generator_lm_head", c->vocab);
}

static const og_text text = {
	.labels = OG_TEXT_LABELS(electra, labels), .encode = encode, .classify = classify, .choose = choose, .words = words, .tie = tie,
};

static const og_head heads[] = {
	OG_TEXT_HEADS("Electra"),
	{ "ElectraForPreTraining", OG_TASK_FEATURES, OG_ONE_FILE(og_text_features) }, /* no task has the discriminator's head; "pretraining" is this one */
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "*embeddings.token_type_ids", "a buffer, an input instead" },
	{ "*embeddings.position_embeddings.weight", "relative positions do not add them" },
	{ "discriminator_predictions.*", "head of another task" },
	{ "generator_predictions.*", "head of another task" },
	{ "generator_lm_head.*", "head of another task" },
	{ "sequence_summary.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight", NULL };

const og_arch og_arch_electra = {
	.model_type = "electra", .base_prefix = "electra", .revision = 3,
	.config_size = sizeof(electra), .family = &text, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
	.like = "bert", .facts = facts,
};
