/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders: what a query sees, attention over a cache, the layer with a gate.  (The tasks are in decoder_tasks.c.) */
#include "blocks/decoder.h"

#include <float.h>
#include <math.h>

/* ---- masks ---- */

og_val og_decoder_sees(og_build *b, const og_decoder_in *in)
{
	og_val before = og_binary(b, "LessOrEqual", in->keys, in->queries); /* [S, T] */
	og_val real = og_expand_dims(b, og_cast(b, in->mask, OG_BOOL), 1, 2);
	return og_binary(b, "And", real, before);
}

og_val og_decoder_sees_window(og_build *b, const og_decoder_in *in, og_val sees, int64_t window)
{
	og_val first = og_sub(b, in->queries, og_const_i64(b, window));
	return og_binary(b, "And", sees, og_binary(b, "Greater", in->keys, first));
}

/* A query of padding on the left sees nothing: it gets the mean of all values, as in the reference, and nobody looks at it. */
og_val og_sees_bias(og_build *b, og_val sees)
{
	og_val lowest = og_const_f32(b, -FLT_MAX), zero = og_const_f32(b, 0.0f);
	return og_where(b, sees, zero, lowest);
}

/* ---- attention ---- */

og_val og_heads(og_build *b, og_val x, int64_t heads, int64_t head)
{
	return og_reshape(b, x, og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, heads), og_dim_of(b, head));
}

/* What the cache holds and x after it; left for the next step. */
static og_val in_cache(og_build *b, og_val x, og_decoder_in *in, int64_t slot)
{
	if (in->past)
		x = og_concat(b, (og_val[]){ in->past[slot], x }, 2, 2);
	if (in->present)
		in->present[slot] = x;
	return x;
}

/* [B, N, S, …] → [B, K, N/K·S, …], and back: no element moves. */
static og_val regroup(og_build *b, og_val x, int64_t heads, og_dim length)
{
	if (og_dim_eq(og_dim_at(b, x, 1), og_dim_of(b, heads)))
		return x;
	return og_reshape(b, x, og_dim_at(b, x, 0), og_dim_of(b, heads), length, og_dim_at(b, x, 3));
}

og_val og_decoder_attention(og_build *b, og_val q, og_val k, og_val v, og_decoder_in *in, og_decoder_attn_o o)
{
	og_dims *d = og_build_dims(b);
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim batch = og_dim_at(b, q, 0), length = og_dim_at(b, q, 2), grouped = og_dim_mul(d, length, og_dim_of(b, o.heads / o.kv_heads));
	double scale = o.scale != 0 ? o.scale : 1 / sqrt((double)o.head);
	k = in_cache(b, k, in, 2 * o.layer);
	v = in_cache(b, v, in, 2 * o.layer + 1);
	q = scale == 1 ? q : og_mul(b, q, og_const_f32(b, (float)scale));
	og_val turned = og_permute(b, k, 0, 1, 3, 2), s = og_matmul(b, regroup(b, q, o.kv_heads, grouped), turned);
	og_val p = og_softmax(b, og_add(b, regroup(b, s, o.heads, length), o.bias), -1);
	og_val x = og_matmul(b, regroup(b, p, o.kv_heads, grouped), v);
	x = og_permute(b, regroup(b, x, o.heads, length), 0, 2, 1, 3);
	return og_reshape(b, x, batch, length, og_dim_of(b, o.heads * o.head));
}

/* ---- the layer with a gate ---- */

/* [B, S, H] → [B, heads, S, D] */
static og_val projected(og_build *b, og_val x, const char *name, int64_t heads, const char *norm, const og_gated_layer_o *o)
{
	x = og_heads(b, og_linear_opt(b, x, name, heads * o->head, (og_linear_o){ .no_bias = !o->qkv_bias }), heads, o->head);
	if (norm)
		x = og_rms_norm(b, x, norm, o->eps);
	return og_permute(b, x, 0, 2, 1, 3);
}

static og_val attend(og_build *b, og_val x, og_decoder_in *in, const og_gated_layer_o *o)
{
	int64_t hidden = 0;
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &hidden); /* a norm saw to it */
	og_val q = og_rotate(b, projected(b, x, "q_proj", o->heads, o->qk_norm ? "q_norm" : NULL, o), o->rotary);
	og_val k = og_rotate(b, projected(b, x, "k_proj", o->kv_heads, o->qk_norm ? "k_norm" : NULL, o), o->rotary);
	og_val v = projected(b, x, "v_proj", o->kv_heads, NULL, o);
	x = og_decoder_attention(b, q, k, v, in, (og_decoder_attn_o){ .heads = o->heads, .kv_heads = o->kv_heads, .head = o->head, .bias = o->bias,
		.layer = o->layer });
	return og_linear_opt(b, x, "o_proj", hidden, (og_linear_o){ .no_bias = !o->o_bias });
}

static og_val feed_forward(og_build *b, og_val x, const og_gated_layer_o *o)
{
	const og_linear_o bias = { .no_bias = !o->mlp_bias };
	int64_t hidden = 0;
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &hidden);
	og_val gate = og_act(b, og_linear_opt(b, x, "gate_proj", o->ffn, bias), o->act);
	og_val up = og_linear_opt(b, x, "up_proj", o->ffn, bias);
	return og_linear_opt(b, og_mul(b, gate, up), "down_proj", hidden, bias);
}

og_val og_gated_layer(og_build *b, og_val x, og_decoder_in *in, og_gated_layer_o o)
{
	if (o.heads < 1 || o.kv_heads < 1 || o.heads % o.kv_heads)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "num_attention_heads %lld is not a multiple of num_key_value_heads %lld", (long long)o.heads,
			(long long)o.kv_heads);
	if (o.heads > OG_DIM_MAX / o.head)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "num_attention_heads %lld with head_dim %lld is too wide", (long long)o.heads, (long long)o.head);
	og_val y = og_rms_norm(b, x, "input_layernorm", o.eps);
	OG_SCOPE(b, "self_attn") y = attend(b, y, in, &o);
	x = og_add(b, x, y);
	y = og_rms_norm(b, x, "post_attention_layernorm", o.eps);
	OG_SCOPE(b, "mlp") y = feed_forward(b, y, &o);
	return og_add(b, x, y);
}
