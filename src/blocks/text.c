/* SPDX-License-Identifier: Apache-2.0
 *
 * Text encoders: inputs, embeddings, the layer, and six tasks over what a family encodes. */
#include "blocks/text.h"

#include <stdio.h>

/* ---- inputs ---- */

static og_val input(og_build *b, const char *name)
{
	return og_input(b, name, OG_I64, "batch_size", "sequence_length");
}

/* Every choice is a text of its own: [B, C, S] is read as [B·C, S], and the scores are put side by side again. */
static og_val choices(og_build *b, const char *name)
{
	og_val x = og_input(b, name, OG_I64, "batch_size", "num_choices", "sequence_length");
	return og_reshape(b, x, og_dim_mul(og_build_dims(b), og_dim_at(b, x, 0), og_dim_at(b, x, 1)), og_dim_at(b, x, 2));
}

static og_text_in inputs(og_build *b, const og_text *t, og_val (*make)(og_build *b, const char *name))
{
	og_text_in in;
	in.ids = make(b, "input_ids");
	in.mask = make(b, "attention_mask");
	in.segments = t->no_segments ? OG_NONE : make(b, "token_type_ids");
	return in;
}

static og_val encoded(og_build *b, const void *config, const og_text *t)
{
	return t->encode(b, config, inputs(b, t, input));
}

/* ---- the encoder ---- */

og_val og_text_embed(og_build *b, og_text_in in, og_val positions, og_text_embed_o o)
{
	og_val x = OG_NONE;
	OG_SCOPE(b, "embeddings") {
		x = og_embed(b, in.ids, "word_embeddings", o.vocab, o.width);
		if (in.segments.id)
			x = og_add(b, x, og_embed(b, in.segments, "token_type_embeddings", o.segments, o.width));
		else if (o.segments)
			x = og_add(b, x, og_weight_rows(b, "token_type_embeddings.weight", o.segments, o.width, 0, 1, false));
		if (positions.id)
			x = og_add(b, x, og_embed(b, positions, "position_embeddings", o.positions, o.width));
		x = og_layer_norm(b, x, "LayerNorm", o.eps);
	}
	return x;
}

og_val og_text_layers(og_build *b, og_val x, og_text_layers_o o)
{
	const og_layer_o layer = {
		.attention = {
			.heads = o.heads, .mask = o.mask,
			.q = "attention.self.query", .k = "attention.self.key", .v = "attention.self.value", .o = "attention.output.dense",
			.relative = { .distances = o.distances, .table = "attention.self.distance_embedding.weight", .rows = 2 * o.positions - 1,
			              .key_too = o.position == OG_RELATIVE_KEY_QUERY } },
		.attention_norm = "attention.output.LayerNorm", .up = "intermediate.dense", .down = "output.dense", .norm = "output.LayerNorm",
		.ffn = o.ffn, .act = o.act, .eps = o.eps };
	for (int64_t i = 0; i < o.layers; i++)
		OG_SCOPE(b, "encoder.layer.%d", (int)i) x = og_post_norm(b, x, layer);
	return x;
}

/* ---- heads ---- */

static int64_t width(og_build *b, og_val x)
{
	int64_t n = 1;
	if (!og_build_stuck(b) && !og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &n))
		og_build_fail(b, ONNXGATE_INTERNAL, "the width of what is encoded is not known");
	return n;
}

og_val og_text_pooler(og_build *b, og_val x)
{
	int64_t hidden = width(b, x);
	return og_unary(b, "Tanh", og_linear(b, og_token(b, x, 0), "dense", hidden));
}

og_val og_text_pooled_classifier(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	OG_SCOPE(b, "classifier") x = og_linear(b, og_text_pooler(b, x), "out_proj", n);
	return x;
}

og_val og_text_lm_head(og_build *b, og_val x, int64_t vocab, double eps)
{
	OG_SCOPE(b, "lm_head") {
		x = og_act(b, og_linear(b, x, "dense", width(b, x)), OG_ACT_GELU);
		x = og_layer_norm(b, x, "layer_norm", eps);
		x = og_linear(b, x, "decoder", vocab);
	}
	return x;
}

void og_text_tie_lm_head(og_build *b, const char *base, bool tied)
{
	char words[96];
	snprintf(words, sizeof(words), "/%s.embeddings.word_embeddings.weight", base);
	OG_SCOPE(b, "lm_head") {
		og_tied(b, "decoder.bias", "bias");
		if (tied)
			og_tied(b, "decoder.weight", words);
	}
}

/* ---- the tasks ---- */

static int64_t labels(const void *config, const og_text *t)
{
	int64_t n;
	memcpy(&n, (const char *)config + t->labels, sizeof(n));
	return n;
}

void og_text_features(og_build *b, const void *config, const void *text)
{
	og_output(b, "last_hidden_state", encoded(b, config, text));
}

void og_text_fill_mask(og_build *b, const void *config, const void *text)
{
	const og_text *t = text;
	t->tie(b, config);
	og_output(b, "logits", t->words(b, config, encoded(b, config, t)));
}

void og_text_classification(og_build *b, const void *config, const void *text)
{
	const og_text *t = text;
	og_output(b, "logits", t->classify(b, config, encoded(b, config, t), labels(config, t)));
}

void og_text_token_classification(og_build *b, const void *config, const void *text)
{
	og_output(b, "logits", og_linear(b, encoded(b, config, text), "classifier", labels(config, text)));
}

void og_text_question_answering(og_build *b, const void *config, const void *text)
{
	og_val spans = og_linear(b, encoded(b, config, text), "qa_outputs", 2); /* [B, S, 2] */
	og_output(b, "start_logits", og_gather(b, spans, og_const_i64(b, 0), 2));
	og_output(b, "end_logits", og_gather(b, spans, og_const_i64(b, 1), 2));
}

void og_text_multiple_choice(og_build *b, const void *config, const void *text)
{
	const og_text *t = text;
	og_dims *d = og_build_dims(b);
	og_val x = t->encode(b, config, inputs(b, t, choices));
	x = t->choose ? t->choose(b, config, x) : t->classify(b, config, x, 1); /* [B·C, 1] */
	og_output(b, "logits", og_reshape(b, x, og_dim_symbol(d, "batch_size"), og_dim_symbol(d, "num_choices")));
}
