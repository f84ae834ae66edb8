/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators by name: one line each over og_op(), shapes as numpy broadcasts them. */
#ifndef OG_GRAPH_OPS_H
#define OG_GRAPH_OPS_H

#include "graph/build.h"

og_val og_add(og_build *b, og_val x, og_val y);
og_val og_sub(og_build *b, og_val x, og_val y);
og_val og_mul(og_build *b, og_val x, og_val y);
og_val og_div(og_build *b, og_val x, og_val y);
og_val og_min(og_build *b, og_val x, og_val y);
og_val og_max(og_build *b, og_val x, og_val y);
og_val og_binary(og_build *b, const char *op, og_val x, og_val y); /* Pow, Less, LessOrEqual, Greater, And, Or, … */
og_val og_equal(og_build *b, og_val x, og_val y);
og_val og_where(og_build *b, og_val cond, og_val x, og_val y);
og_val og_unary(og_build *b, const char *op, og_val x); /* Tanh, Erf, Sigmoid, Relu, Sqrt, … */
og_val og_cast(og_build *b, og_val x, og_dtype to);     /* x itself when it is that already */
og_val og_matmul(og_build *b, og_val x, og_val y);
og_val og_gemm(og_build *b, og_val x, og_val w, og_val bias, bool trans_w); /* 2-D; bias may be OG_NONE */
og_val og_cumsum(og_build *b, og_val x, int64_t axis); /* each element the sum of those up to it */
og_val og_reduce(og_build *b, const char *op, og_val x, int64_t axis, bool keep); /* ReduceSum, ReduceMean, … over one axis; keep: as 1 */
og_val og_argmax(og_build *b, og_val x, int64_t axis, bool last); /* the first place of the largest, or the last one; the axis goes */
og_val og_softmax(og_build *b, og_val x, int64_t axis);
og_val og_layer_norm_op(og_build *b, og_val x, og_val scale, og_val bias, double eps); /* over the last axis */
og_val og_gather(og_build *b, og_val data, og_val indices, int64_t axis);
og_val og_transpose(og_build *b, og_val x, const int64_t *perm, size_t n);
#define og_permute(b, x, ...) og_transpose(b, x, (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
og_val og_unsqueeze(og_build *b, og_val x, const int64_t *axes, size_t n);
#define og_expand_dims(b, x, ...) og_unsqueeze(b, x, (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
og_val og_squeeze(og_build *b, og_val x, int64_t axis);
og_val og_concat(og_build *b, const og_val *x, size_t n, int64_t axis);
og_val og_slice(og_build *b, og_val x, int64_t axis, int64_t begin, int64_t end); /* constant bounds, step 1 */
og_val og_length(og_build *b, og_val x, int64_t axis); /* an int64 scalar */
og_val og_range(og_build *b, og_val begin, og_val end); /* int64 scalars, step 1 */
og_val og_einsum(og_build *b, const char *equation, og_val x, og_val y);
/* x broadcast against these dims; they are read off the inputs where they are symbols. */
og_val og_expand(og_build *b, og_val x, const og_dim *dims, size_t n);
/* [B, C·n², H, W] → [B, C, H·n, W·n]: each group of n² channels is a square of n × n elements, as torch.nn.PixelShuffle has it. */
og_val og_pixel_shuffle(og_build *b, og_val x, int64_t n);
/* The element count must be preserved: it is proved from the dims. */
og_val og_reshape_dims(og_build *b, og_val x, const og_dim *dims, size_t n);
/* The same; dims[rest], unless it is a number, is left for the runtime to infer. */
og_val og_reshape_rest(og_build *b, og_val x, const og_dim *dims, size_t n, size_t rest);
#define og_reshape(b, x, ...) og_reshape_dims(b, x, (const og_dim[]){ __VA_ARGS__ }, sizeof((const og_dim[]){ __VA_ARGS__ }) / sizeof(og_dim))

#endif
