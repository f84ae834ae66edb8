/* SPDX-License-Identifier: Apache-2.0
 *
 * RoBERTa encoders (Liu et al. 2019, arXiv:1907.11692): BERT's layers; positions begin behind the pad token's number and pass
 * over padding, which is told from the ids; the table of segments is there and nobody chooses from it.
 * Reference: transformers.models.roberta.modeling_roberta. */
#include "arch/roberta.h"

static const og_field fields[] = { OG_ROBERTA_FIELDS(50265) };
static const og_head heads[] = { OG_TEXT_HEADS("Roberta"), { 0 } };

/* ---- the encoder ---- */

/* Relative positions are counted from the first token, whatever it is. */
static int64_t max_length(const roberta *c)
{
	return c->position == OG_ABSOLUTE ? c->positions - c->pad - 1 : c->positions;
}

void og_roberta_facts(const void *config, const char *task, og_input_facts *f)
{
	(void)task;
	f->max_positions = max_length(config);
}

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const roberta *c = config;
	const og_text_embed_o tables = { .vocab = c->vocab, .segments = c->segments, .positions = c->positions, .width = c->hidden, .eps = c->eps };
	og_val x = OG_NONE, positions = OG_NONE, distances = OG_NONE;
	if (c->pad >= c->vocab)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "pad_token_id %lld: expected less than vocab_size, %lld", (long long)c->pad, (long long)c->vocab);
	if (c->pad >= c->positions || max_length(c) < 1)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "pad_token_id %lld with max_position_embeddings %lld: expected a row for it, and one behind it "
			"for a token", (long long)c->pad, (long long)c->positions);
	OG_SCOPE(b, "roberta") {
		og_val mask = og_mask_bias(b, in.mask);
		if (c->position == OG_ABSOLUTE)
			OG_NODE_SCOPE(b, "embeddings") positions = og_positions_behind(b, in.ids, c->pad);
		else
			distances = og_distances(b, og_positions(b, in.ids, 0), c->positions - 1);
		x = og_text_embed(b, in, positions, tables);
		x = og_text_layers(b, x, (og_text_layers_o){ .layers = c->layers, .heads = c->heads, .ffn = c->ffn, .act = c->act, .eps = c->eps,
			.mask = mask, .distances = distances, .positions = c->positions, .position = c->position });
	}
	return x;
}

/* ---- the heads ---- */

/* The pooler serves here alone. */
static og_val choose(og_build *b, const void *config, og_val x)
{
	(void)config;
	OG_SCOPE(b, "roberta") OG_SCOPE(b, "pooler") x = og_text_pooler(b, x);
	return og_linear(b, x, "classifier", 1);
}

static void tie(og_build *b, const void *config)
{
	const roberta *c = config;
	og_text_tie_lm_head(b, "roberta", c->tied);
}

static og_val words(og_build *b, const void *config, og_val x)
{
	const roberta *c = config;
	return og_text_lm_head(b, x, c->vocab, c->eps);
}

const og_text og_roberta_text = {
	.no_segments = true, .labels = OG_TEXT_LABELS(roberta, labels), .encode = encode, .classify = og_text_pooled_classifier,
	.choose = choose, .words = words, .tie = tie,
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
const og_ignore og_roberta_ignore[] = {
	{ "*embeddings.position_ids", "a buffer, recomputed" },
	{ "*embeddings.token_type_ids", "a buffer, all zeros" },
	{ "*embeddings.position_embeddings.weight", "relative positions do not add them" },
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" },
	{ "lm_head.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

const char *const og_roberta_marks[] = { "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight", NULL };

const og_arch og_arch_roberta = { OG_ROBERTA, .model_type = "roberta", .like = "bert", .fields = fields, .heads = heads };
