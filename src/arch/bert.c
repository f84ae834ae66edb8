/* SPDX-License-Identifier: Apache-2.0
 *
 * BERT encoders (Devlin et al. 2018, arXiv:1810.04805): post-norm, segments, learned positions, absolute or relative.
 * Reference: transformers.models.bert.modeling_bert. */
#include "arch/arch.h"

typedef struct bert {
	int64_t vocab, hidden, layers, heads, ffn, positions, segments, labels;
	double eps;
	og_act_kind act;
	int position; /* index into POSITIONS */
	bool tied;
} bert;

#define POSITIONS "absolute relative_key relative_key_query"
enum { ABSOLUTE, RELATIVE_KEY, RELATIVE_KEY_QUERY };

static const og_field fields[] = {
	OG_DIM_OR(bert, vocab, "vocab_size", 30522),
	OG_DIM_OR(bert, hidden, "hidden_size", 768),
	OG_LAYERS_OR(bert, layers, "num_hidden_layers", 12),
	OG_DIM_OR(bert, heads, "num_attention_heads", 12),
	OG_DIM_OR(bert, ffn, "intermediate_size", 3072),
	OG_DIM_OR(bert, positions, "max_position_embeddings", 512),
	OG_DIM_OR(bert, segments, "type_vocab_size", 2),
	OG_LABELS(bert, labels),
	OG_REAL_OR(bert, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(bert, act, "hidden_act", "gelu"),
	OG_CHOICE_OR(bert, position, "position_embedding_type", POSITIONS),
	OG_FLAG_OR(bert, tied, "tie_word_embeddings", true),
	OG_ONLY("is_decoder", "false"),
	OG_ONLY("add_cross_attention", "false"),
	OG_ONLY("is_encoder_decoder", "false"),
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

static og_val layer(og_build *b, const bert *c, og_val x, og_val mask, og_val distances)
{
	og_val a = og_attention(b, x, (og_attn_o){
		.heads = c->heads, .mask = mask,
		.q = "attention.self.query", .k = "attention.self.key", .v = "attention.self.value", .o = "attention.output.dense",
		.relative = { .distances = distances, .table = "attention.self.distance_embedding.weight", .rows = 2 * c->positions - 1,
		              .key_too = c->position == RELATIVE_KEY_QUERY } });
	x = og_layer_norm(b, og_add(b, a, x), "attention.output.LayerNorm", c->eps);
	og_val h = og_act(b, og_linear(b, x, "intermediate.dense", c->ffn), c->act);
	h = og_linear(b, h, "output.dense", c->hidden);
	return og_layer_norm(b, og_add(b, h, x), "output.LayerNorm", c->eps);
}

typedef struct inputs {
	og_val ids, mask, segments; /* [B, S] each */
} inputs;

static og_val encode(og_build *b, const bert *c, inputs in)
{
	og_val positions = og_positions(b, in.ids, 0), bias = og_mask_bias(b, in.mask), x = OG_NONE;
	og_val distances = c->position == ABSOLUTE ? OG_NONE : og_distances(b, positions, c->positions - 1);
	OG_SCOPE(b, "embeddings") {
		x = og_embed(b, in.ids, "word_embeddings", c->vocab, c->hidden);
		x = og_add(b, x, og_embed(b, in.segments, "token_type_embeddings", c->segments, c->hidden));
		if (c->position == ABSOLUTE)
			x = og_add(b, x, og_embed(b, positions, "position_embeddings", c->positions, c->hidden));
		x = og_layer_norm(b, x, "LayerNorm", c->eps);
	}
	for (int64_t i = 0; i < c->layers; i++)
		OG_SCOPE(b, "encoder.layer.%d", (int)i) x = layer(b, c, x, bias, distances);
	return x;
}

static og_val encoder(og_build *b, const bert *c)
{
	og_val x = OG_NONE;
	inputs in;
	in.ids = og_input(b, "input_ids", OG_I64, "batch_size", "sequence_length");
	in.mask = og_input(b, "attention_mask", OG_I64, "batch_size", "sequence_length");
	in.segments = og_input(b, "token_type_ids", OG_I64, "batch_size", "sequence_length");
	OG_SCOPE(b, "bert") x = encode(b, c, in);
	return x;
}

/* The first token through a dense layer: [B, S, H] → [B, H]. */
static og_val pooled(og_build *b, const bert *c, og_val x)
{
	OG_SCOPE(b, "bert") OG_SCOPE(b, "pooler") x = og_unary(b, "Tanh", og_linear(b, og_token(b, x, 0), "dense", c->hidden));
	return x;
}

/* ---- the heads ---- */

static void feature_extraction(og_build *b, const void *config)
{
	og_output(b, "last_hidden_state", encoder(b, config));
}

static void fill_mask(og_build *b, const void *config)
{
	const bert *c = config;
	OG_SCOPE(b, "cls.predictions") {
		og_tied(b, "decoder.bias", "bias");
		if (c->tied)
			og_tied(b, "decoder.weight", "/bert.embeddings.word_embeddings.weight");
	}
	og_val x = encoder(b, c);
	OG_SCOPE(b, "cls.predictions") {
		x = og_act(b, og_linear(b, x, "transform.dense", c->hidden), c->act);
		x = og_layer_norm(b, x, "transform.LayerNorm", c->eps);
		x = og_linear(b, x, "decoder", c->vocab);
	}
	og_output(b, "logits", x);
}

static void text_classification(og_build *b, const void *config)
{
	const bert *c = config;
	og_output(b, "logits", og_linear(b, pooled(b, c, encoder(b, c)), "classifier", c->labels));
}

static void token_classification(og_build *b, const void *config)
{
	const bert *c = config;
	og_output(b, "logits", og_linear(b, encoder(b, c), "classifier", c->labels));
}

static void question_answering(og_build *b, const void *config)
{
	og_val spans = og_linear(b, encoder(b, config), "qa_outputs", 2); /* [B, S, 2] */
	og_output(b, "start_logits", og_gather(b, spans, og_const_i64(b, 0), 2));
	og_output(b, "end_logits", og_gather(b, spans, og_const_i64(b, 1), 2));
}

/* Every choice is a text of its own: [B, C, S] is read as [B·C, S], and the scores are put side by side again. */
static og_val flat(og_build *b, const char *name)
{
	og_val x = og_input(b, name, OG_I64, "batch_size", "num_choices", "sequence_length");
	return og_reshape(b, x, og_dim_mul(og_build_dims(b), og_dim_at(b, x, 0), og_dim_at(b, x, 1)), og_dim_at(b, x, 2));
}

static void multiple_choice(og_build *b, const void *config)
{
	const bert *c = config;
	inputs in;
	in.ids = flat(b, "input_ids");
	in.mask = flat(b, "attention_mask");
	in.segments = flat(b, "token_type_ids");
	og_val x = OG_NONE;
	OG_SCOPE(b, "bert") x = encode(b, c, in);
	x = og_linear(b, pooled(b, c, x), "classifier", 1); /* [B·C, 1] */
	og_dims *d = og_build_dims(b);
	og_output(b, "logits", og_reshape(b, x, og_dim_symbol(d, "batch_size"), og_dim_symbol(d, "num_choices")));
}

static const og_head heads[] = {
	{ "BertModel", OG_TASK_FEATURES, OG_ONE_FILE(feature_extraction) },
	{ "BertForMaskedLM", "fill-mask", OG_ONE_FILE(fill_mask) },
	{ "BertForPreTraining", "fill-mask", OG_ONE_FILE(fill_mask) },
	{ "BertForSequenceClassification", "text-classification", OG_ONE_FILE(text_classification) },
	{ "BertForTokenClassification", "token-classification", OG_ONE_FILE(token_classification) },
	{ "BertForQuestionAnswering", "question-answering", OG_ONE_FILE(question_answering) },
	{ "BertForMultipleChoice", "multiple-choice", OG_ONE_FILE(multiple_choice) },
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

const og_arch og_arch_bert = {
	.model_type = "bert", .base_prefix = "bert", .revision = 1,
	.config_size = sizeof(bert), .fields = fields, .inert = inert, .heads = heads, .ignore = ignore,
};
