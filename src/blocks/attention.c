/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention: softmax(Q·Kᵀ·scale + bias)·V, head by head. */
#include "blocks/blocks.h"

#include <math.h>

typedef struct sizes {
	int64_t heads, head; /* N, D */
} sizes;

/* [B, S, N·D] → [B, N, S, D], or [B, N, D, S] for the keys, so that no further transpose is needed. */
static og_val split_heads(og_build *b, og_val x, sizes n, bool keys)
{
	x = og_reshape(b, x, og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, n.heads), og_dim_of(b, n.head));
	return keys ? og_permute(b, x, 0, 2, 3, 1) : og_permute(b, x, 0, 2, 1, 3);
}

/* Its length is inferred, not copied: ONNX Runtime then cannot prove that both sides of the residual sum are alike, and so does not make
 * a SkipLayerNormalization of the sum and the norm, whose kernel takes several times as long as both of them. */
static og_val merge_heads(og_build *b, og_val x, sizes n)
{
	x = og_permute(b, x, 0, 2, 1, 3);
	const og_dim dims[] = { og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, n.heads * n.head) };
	return og_reshape_rest(b, x, dims, 3, 1);
}

/* Both sides of the relative scores meet the same factor: the scale, which the queries have already, or none. */
static og_val relative_scores(og_build *b, og_val q, og_val k, const og_relative_o *r, sizes n, double scale)
{
	og_val at = og_gather(b, og_weight(b, r->table, r->rows, n.head), r->distances, 0); /* [S, S, D] */
	og_val scores = og_einsum(b, "bhld,lrd->bhlr", q, at);
	if (!r->key_too)
		return scores;
	og_val keys = r->unscaled ? k : og_mul(b, k, og_const_f32(b, (float)scale)); /* [B, N, D, S] */
	return og_add(b, scores, og_einsum(b, "bhdr,lrd->bhlr", keys, at));
}

/* q: scaled; plain_q: not. */
static og_val scores_of(og_build *b, og_val q, og_val plain_q, og_val k, const og_attn_o *o, sizes n, double scale)
{
	og_val s = og_matmul(b, q, k);
	if (o->relative.distances.id)
		s = og_add(b, s, relative_scores(b, o->relative.unscaled ? plain_q : q, k, &o->relative, n, scale));
	return o->mask.id ? og_add(b, s, o->mask) : s;
}

/* One of the three projections, which are parts 0, 1 and 2 where they are packed. */
static og_val projected(og_build *b, og_val x, const char *name, const og_attn_o *o, int part, int64_t hidden)
{
	og_linear_o l = { .no_bias = o->no_qkv_bias };
	if (o->packed)
		l = (og_linear_o){ .weight = "in_proj_weight", .bias = "in_proj_bias", .part = part, .of = 3 };
	return og_linear_opt(b, x, o->packed ? o->packed : name, hidden, l);
}

og_val og_attention(og_build *b, og_val x, og_attn_o o)
{
	int64_t hidden = 0;
	if (og_build_stuck(b))
		return OG_NONE;
	if (!og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &hidden) || o.heads < 1 || hidden % o.heads)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "a hidden size of %lld is not divisible by %lld heads", (long long)hidden, (long long)o.heads);
	sizes n = { o.heads, hidden / o.heads };
	double scale = o.scale != 0 ? o.scale : 1 / sqrt((double)n.head);
	og_val plain_q = projected(b, o.from.id ? o.from : x, o.q, &o, 0, hidden), q = og_mul(b, plain_q, og_const_f32(b, (float)scale));
	plain_q = o.relative.distances.id && o.relative.unscaled ? split_heads(b, plain_q, n, false) : OG_NONE;
	q = split_heads(b, q, n, false);
	og_val k = split_heads(b, projected(b, x, o.k, &o, 1, hidden), n, true);
	og_val v = split_heads(b, projected(b, x, o.v, &o, 2, hidden), n, false);
	og_val p = og_softmax(b, scores_of(b, q, plain_q, k, &o, n, scale), -1);
	return og_linear(b, merge_heads(b, og_matmul(b, p, v), n), o.o, hidden);
}
