/* SPDX-License-Identifier: Apache-2.0
 *
 * T5 (Raffel et al. 2019, arXiv:1910.10683), with its later forms v1.1 and FLAN: an encoder and a decoder that know positions by
 * distance alone, in buckets, with norms by size and linear layers without biases; scores are not scaled.
 * Reference: transformers.models.t5.modeling_t5. */
#include "arch/t5.h"

#include "base/str.h"

#include <float.h>
#include <math.h>

static const og_field fields[] = {
	OG_T5_FIELDS(32128, 2048, 6, 8, true, og_t5_inner_read),
	{ 0 },
};

const og_inert og_t5_inert[] = {
	{ "is_encoder_decoder", "never read: each class has its parts" },
	{ "is_decoder", "the class says it of each part" },
	{ "add_cross_attention", "never read: the decoder always looks at the encoder" },
	{ "n_positions", "how long texts were in training; never read" },
	{ "dropout_rate", "training only" },
	{ "classifier_dropout", "training only" },
	{ "num_labels", "of classes that are not done" },
	{ 0 },
};

static const og_head heads[] = {
	OG_T5_HEADS("T5"),
	{ "T5WithLMHeadModel", OG_TEXT2TEXT "-with-past", OG_SEQ2SEQ_FILES_WITH_PAST }, /* an old name */
	{ "T5WithLMHeadModel", OG_TEXT2TEXT, OG_SEQ2SEQ_FILES },
	{ 0 },
};

/* ---- the config ---- */

static const char *unknown_act(const char *key, const char *text, og_arena *arena, og_status *status)
{
	*status = ONNXGATE_UNSUPPORTED;
	const char *why = og_arena_printf(arena, "%s: expected an activation, or gated- and one; \"%.60s\" is not known", key, text);
	return why ? why : "out of memory";
}

static const char *no_text(const char *key, og_arena *arena, og_status *status, const char *wanted)
{
	*status = ONNXGATE_FORMAT;
	const char *why = og_arena_printf(arena, "%s: expected %s", key, wanted);
	return why ? why : "out of memory";
}

/* "gated-gelu" is, as in the class, the form by tanh. */
static const char *read_inner(const og_json *v, const char *absent, void *out, og_arena *arena, og_status *status)
{
	static const char gate[] = "gated-", key[] = "feed_forward_proj";
	if (v && !json_object_is_type(v, json_type_string))
		return no_text(key, arena, status, "a string");
	const char *text = v ? json_object_get_string((og_json *)(uintptr_t)v) : absent;
	t5_act a = { .given = true, .gated = og_starts_with(text, gate) };
	const char *name = a.gated ? text + sizeof(gate) - 1 : text;
	if (!og_act_parse(og_streq(text, "gated-gelu") ? "gelu_new" : name, &a.kind))
		return unknown_act(key, text, arena, status);
	memcpy(out, &a, sizeof(a));
	return NULL;
}

const char *og_t5_inner_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	return read_inner(v, "relu", out, arena, status);
}

const char *og_t5_gated_inner_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	return read_inner(v, "gated-gelu", out, arena, status);
}

const char *og_t5_act_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	t5_act a = { .given = v != NULL };
	if (v && !json_object_is_type(v, json_type_string))
		return no_text("dense_act_fn", arena, status, "a string");
	const char *text = v ? json_object_get_string((og_json *)(uintptr_t)v) : NULL;
	if (v && !og_act_parse(text, &a.kind))
		return unknown_act("dense_act_fn", text, arena, status);
	memcpy(out, &a, sizeof(a));
	return NULL;
}

const char *og_t5_gate_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	t5_act a = { .given = v != NULL };
	if (v && !json_object_is_type(v, json_type_boolean))
		return no_text("is_gated_act", arena, status, "true or false");
	a.gated = v && json_object_get_boolean(v);
	memcpy(out, &a, sizeof(a));
	return NULL;
}

/* ---- layers ---- */

static const og_linear_o plain = { .no_bias = true };

static og_decoder_attn_o attn_of(const t5 *c, og_val bias, int64_t layer)
{
	return (og_decoder_attn_o){ .heads = c->heads, .kv_heads = c->heads, .head = c->head, .scale = 1, .bias = bias, .layer = layer };
}

/* [B, S, H] → [B, N, S, D] */
static og_val projected(og_build *b, const t5 *c, og_val x, const char *name)
{
	return og_permute(b, og_heads(b, og_linear_opt(b, x, name, c->heads * c->head, plain), c->heads, c->head), 0, 2, 1, 3);
}

static og_val self_attention(og_build *b, const t5 *c, og_val x, og_decoder_in *in, og_val bias, int64_t layer)
{
	og_val y = og_rms_norm(b, x, "layer_norm", c->eps);
	OG_SCOPE(b, "SelfAttention") {
		og_val q = projected(b, c, y, "q"), k = projected(b, c, y, "k"), v = projected(b, c, y, "v");
		y = og_decoder_attention(b, q, k, v, in, attn_of(c, bias, layer));
		y = og_linear_opt(b, y, "o", c->hidden, plain);
	}
	return og_add(b, x, y);
}

static og_val cross_attention(og_build *b, const t5 *c, og_val x, og_seq2seq_in *in, og_val bias, int64_t layer)
{
	og_val y = og_rms_norm(b, x, "layer_norm", c->eps);
	OG_SCOPE(b, "EncDecAttention") {
		y = og_cross_attention(b, projected(b, c, y, "q"), in, (og_cross_o){ .k = "k", .v = "v", .no_k_bias = true, .no_v_bias = true,
			.attn = attn_of(c, bias, layer) });
		y = og_linear_opt(b, y, "o", c->hidden, plain);
	}
	return og_add(b, x, y);
}

static og_val feed_forward(og_build *b, const t5 *c, og_val x)
{
	og_act_kind act = c->act.given ? c->act.kind : c->inner.kind;
	bool gated = c->gate.given ? c->gate.gated : c->inner.gated;
	og_val y = og_rms_norm(b, x, "layer_norm", c->eps);
	OG_SCOPE(b, "DenseReluDense") {
		og_val z = og_act(b, og_linear_opt(b, y, gated ? "wi_0" : "wi", c->ffn, plain), act);
		if (gated)
			z = og_mul(b, z, og_linear_opt(b, y, "wi_1", c->ffn, plain));
		y = og_linear_opt(b, z, "wo", c->hidden, plain);
	}
	return og_add(b, x, y);
}

/* ---- encoder and decoder ---- */

static bool fits(og_build *b, const t5 *c)
{
	if (c->heads > OG_DIM_MAX / c->head)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "num_heads %lld with d_kv %lld is too wide", (long long)c->heads, (long long)c->head);
	return !og_build_stuck(b);
}

/* The first layer has the table, all use it. */
static og_val distances(og_build *b, const t5 *c, og_val queries, og_val keys, bool behind_only)
{
	og_val y = OG_NONE;
	OG_SCOPE(b, "block.0.layer.0.SelfAttention") y = og_bucket_bias_between(b, queries, keys, "relative_attention_bias", (og_buckets_o){
		.rows = c->buckets, .heads = c->heads, .buckets = c->buckets, .farthest = c->farthest, .behind_only = behind_only });
	return y;
}

static og_val embed(og_build *b, const t5 *c, og_val ids)
{
	return og_gather(b, og_weight(b, "/shared.weight", c->vocab, c->hidden), ids, 0);
}

static og_val encode(og_build *b, const void *config, og_val ids, og_val mask)
{
	const t5 *c = config;
	og_decoder_in none = { 0 };
	og_val x = OG_NONE;
	if (!fits(b, c))
		return OG_NONE;
	OG_SCOPE(b, "encoder") {
		og_val padding = og_mask_bias(b, mask), bias = og_add(b, distances(b, c, og_positions(b, ids, 0), OG_NONE, false), padding);
		x = embed(b, c, ids);
		for (int64_t i = 0; i < c->layers && !og_build_stuck(b); i++)
			OG_SCOPE(b, "block.%d", (int)i) {
				OG_SCOPE(b, "layer.0") x = self_attention(b, c, x, &none, bias, i);
				OG_SCOPE(b, "layer.1") x = feed_forward(b, c, x);
			}
		x = og_rms_norm(b, x, "final_layer_norm", c->eps);
	}
	return x;
}

static og_val decode(og_build *b, const void *config, og_seq2seq_in *in)
{
	const t5 *c = config;
	og_val x = OG_NONE;
	if (!fits(b, c))
		return OG_NONE;
	OG_SCOPE(b, "decoder") {
		og_val before = og_binary(b, "LessOrEqual", in->self.keys, in->self.queries); /* [S, T] */
		og_val lowest = og_const_f32(b, -FLT_MAX), near = distances(b, c, in->self.queries, in->self.keys, true);
		og_val bias = og_where(b, before, near, lowest);
		og_val cross = og_mask_bias(b, in->mask);
		x = embed(b, c, in->self.ids);
		for (int64_t i = 0, n = c->decoder_layers ? c->decoder_layers : c->layers; i < n && !og_build_stuck(b); i++)
			OG_SCOPE(b, "block.%d", (int)i) {
				OG_SCOPE(b, "layer.0") x = self_attention(b, c, x, &in->self, bias, i);
				OG_SCOPE(b, "layer.1") x = cross_attention(b, c, x, in, cross, i);
				OG_SCOPE(b, "layer.2") x = feed_forward(b, c, x);
			}
		x = og_rms_norm(b, x, "final_layer_norm", c->eps);
	}
	return x;
}

/* A head that is the table of words gets its states scaled, so that the scores are of the size that the training saw. */
static og_val words(og_build *b, const void *config, og_val x)
{
	const t5 *c = config;
	if (c->tied)
		x = og_mul(b, x, og_const_f32(b, (float)(1 / sqrt((double)c->hidden))));
	return og_linear_opt(b, x, "lm_head", c->vocab, plain);
}

/* Both parts have the same table, whatever tie_word_embeddings says: that is about the head alone. */
static void tie(og_build *b, const void *config, bool words)
{
	og_tied(b, "encoder.embed_tokens.weight", "/shared.weight");
	og_tied(b, "decoder.embed_tokens.weight", "/shared.weight");
	if (words && ((const t5 *)config)->tied)
		og_tied(b, "lm_head.weight", "/shared.weight");
}

static void sizes(const void *config, og_seq2seq_sizes *out)
{
	const t5 *c = config;
	*out = (og_seq2seq_sizes){ .layers = c->decoder_layers ? c->decoder_layers : c->layers, .heads = c->heads, .head = c->head, .hidden = c->hidden };
}

const og_seq2seq og_t5_seq2seq = { .sizes = sizes, .encode = encode, .decode = decode, .words = words, .tie = tie };

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
const og_ignore og_t5_ignore[] = {
	{ "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", "of old files: no distances between the two texts" },
	{ "lm_head.*", "head of another task" },
	{ 0 },
};

const char *const og_t5_marks[] = { "shared.weight", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
	"decoder.block.0.layer.1.EncDecAttention.q.weight", NULL };

const og_arch og_arch_t5 = { OG_T5, .model_type = "t5", .fields = fields, .heads = heads };
