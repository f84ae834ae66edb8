/* SPDX-License-Identifier: Apache-2.0
 *
 * The vocabulary in which architectures are written.  A block appends nodes to the graph under construction and claims
 * the weights that it needs by name, relative to the current scope.  After the first error the builder is stuck: later
 * calls return OG_NONE; og_build_finish() reports it.  In every options struct zero means the ordinary case.
 *
 * Shapes: B batch, S sequence, H hidden, N heads, D head size. */
#ifndef OG_BLOCKS_BLOCKS_H
#define OG_BLOCKS_BLOCKS_H

#include "graph/ops.h"
#include "model/config.h"

/* ---- linear layers: torch.nn.Linear, stored [out, in] ---- */

typedef struct og_linear_o {
	const char *weight, *bias; /* names other than NAME.weight, NAME.bias */
	bool no_bias;
	bool in_out; /* stored [in, out]: Conv1D */
	int64_t part, of; /* of > 0: it is number `part` of `of` layers that are stored below each other */
} og_linear_o;

/* [..., in] → [..., out]. A 2-D input gives a Gemm, which takes the weight as it lies. */
og_val og_linear(og_build *b, og_val x, const char *name, int64_t out);
og_val og_linear_opt(og_build *b, og_val x, const char *name, int64_t out, og_linear_o o);

/* ---- convolutions: torch.nn.Conv1d, Conv2d, … ---- */

typedef struct og_conv_o {
	int64_t out;                          /* channels */
	const int64_t *kernel, *stride, *pad; /* one number for each spatial dim; stride NULL: 1, pad NULL: 0 */
	const int64_t *pad_end;               /* NULL: pad, the same on both sides */
	const int64_t *dilation;              /* NULL: 1 */
	int64_t groups;                       /* 0: 1 */
	bool no_bias;
	bool normed;  /* torch.nn.utils.weight_norm over all dims but the last */
	bool as_taps; /* one spatial dim: stored as a linear layer over the window's elements, [out, kernel·in] */
} og_conv_o;
og_val og_conv(og_build *b, og_val x, const char *name, og_conv_o o); /* [B, C, …] → [B, out, …] */

/* ---- norms ---- */

og_val og_layer_norm(og_build *b, og_val x, const char *name, double eps); /* torch.nn.LayerNorm over the last axis */
/* x / √(mean of x² + eps) · weight over the last axis (Zhang and Sennrich 2019, arXiv:1910.07467). */
og_val og_rms_norm(og_build *b, og_val x, const char *name, double eps);

/* torch.nn.GroupNorm with a group for each channel: over all but batch and channels, [B, C, …]. */
og_val og_channel_norm(og_build *b, og_val x, const char *name, double eps);
/* The same over the places of [B, C, T] that count, as if there were no others, where it gives 0 before its bias. counts: [B, T], bool. */
og_val og_channel_norm_within(og_build *b, og_val x, og_val counts, const char *name, double eps);
og_val og_batch_norm(og_build *b, og_val x, const char *name, double eps); /* torch.nn.BatchNorm1d, … as trained, [B, C, …] */

/* ---- embeddings and positions ---- */

og_val og_embed(og_build *b, og_val ids, const char *name, int64_t rows, int64_t width); /* [...] → [..., width] */
og_val og_positions(og_build *b, og_val ids, int64_t first); /* of [B, S]: the vector first, first + 1, … of length S */
/* Positions that pass over padding, [B, S] → [B, S]: where an id is `pad`, pad; elsewhere pad + the number of other ids up to there.
 * So the first is pad + 1, and a table of n rows reaches n − pad − 1 of them. */
og_val og_positions_behind(og_build *b, og_val ids, int64_t pad);
/* distance[l, r] = position l − position r + offset, [S, S]: rows of a relative table. */
og_val og_distances(og_build *b, og_val positions, int64_t offset);

/* ---- masks ---- */

/* [B, S] of 1 and 0 → [B, 1, 1, S] of 0 and the lowest finite float, as PyTorch adds it to the scores. */
og_val og_mask_bias(og_build *b, og_val mask);

/* positions: [S] → [S, S] that is 0 where the key stands at the query or before it and the lowest finite float behind it. The sum
 * with a mask's bias is, as in PyTorch, −∞ for what is both behind and padding. */
og_val og_causal_bias(og_build *b, og_val positions);

/* ---- attention ---- */

/* Relative positions of Shaw et al. 2018 (arXiv:1803.02155), as relative_key and relative_key_query have them:
 * a learned vector of head size for each distance meets the query, or the query and the key. */
typedef struct og_relative_o {
	og_val distances; /* from og_distances(); OG_NONE: no relative positions */
	const char *table;
	int64_t rows;
	bool key_too;
	bool unscaled; /* their scores are added to the scaled ones as they are, instead of being scaled with them */
} og_relative_o;

typedef struct og_attn_o {
	const char *q, *k, *v, *o; /* projections */
	const char *packed;        /* instead of q, k and v: a scope with the three in one, as torch.nn.MultiheadAttention has them */
	og_val from;               /* whence the queries come, [B or 1, Q, H]; OG_NONE: from x itself */
	int64_t heads;
	og_val mask;  /* additive, broadcast to [B, N, S, S]; OG_NONE: none */
	double scale; /* 0: 1/sqrt(head size) */
	bool no_qkv_bias;
	og_relative_o relative;
} og_attn_o;

/* Multi-head attention, [B, S, H] → [B, S, H], or [B, Q, H] with queries of their own; output projection included (Vaswani et al. 2017, arXiv:1706.03762). */
og_val og_attention(og_build *b, og_val x, og_attn_o o);

/* A learned number for each head and each bucket of distances, added to the scores, as Raffel et al. 2019 have it
 * (arXiv:1910.10683), in both directions. Of B buckets half are for keys behind the query; with n = B/2, e = n/2 a distance d has bucket
 * d for d < e, else min(n − 1, e + floor((n − e) · log(d/e) / log(farthest/e))). */
typedef struct og_buckets_o {
	int64_t rows, heads; /* of the table; rows may be more than buckets */
	int64_t buckets, farthest;
	bool behind_only; /* no key stands ahead of the query: n = B, and what would has bucket 0 */
} og_buckets_o;
/* positions: from og_positions() → [N, S, S]. */
og_val og_bucket_bias(og_build *b, og_val positions, const char *name, og_buckets_o o);
/* The same where queries [S, 1] and keys [T] stand apart → [N, S, T]. */
og_val og_bucket_bias_between(og_build *b, og_val queries, og_val keys, const char *name, og_buckets_o o);

/* ---- transformer layers: attention, then two linear layers with an activation between them, each with a norm and added to what came in ---- */

typedef struct og_layer_o {
	og_attn_o attention;
	const char *attention_norm, *norm, *up, *down;
	int64_t ffn; /* width between up and down */
	og_act_kind act;
	double eps;
} og_layer_o;
/* Normalised after each addition, as Vaswani et al. 2017 (arXiv:1706.03762) have it:
 * x = attention_norm(attention(x) + x); x = norm(down(act(up(x))) + x). */
og_val og_post_norm(og_build *b, og_val x, og_layer_o o);
/* Normalised before each sublayer (Xiong et al. 2020, arXiv:2002.04745): x = attention(attention_norm(x)) + x; x = down(act(up(norm(x)))) + x. */
og_val og_pre_norm(og_build *b, og_val x, og_layer_o o);

/* ---- activations and pooling ---- */

og_val og_act(og_build *b, og_val x, og_act_kind kind);
og_val og_token(og_build *b, og_val x, int64_t index); /* [B, S, H] → [B, H] */
/* A position in each text that differs from text to text: at [B], positions in [B, S, …] → where these are when the texts lie end to end,
 * and the rows of x [B, S, …] that are there → [B, …]. */
og_val og_rows_of(og_build *b, og_val x, og_val at);
og_val og_row(og_build *b, og_val x, og_val rows);
og_val og_normalize(og_build *b, og_val x); /* x / ‖x‖ over the last axis */

#endif
