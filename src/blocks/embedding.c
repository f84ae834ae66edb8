/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding tables, positions, masks, and the choice of one token. */
#include "blocks/blocks.h"

#include <float.h>

og_val og_embed(og_build *b, og_val ids, const char *name, int64_t rows, int64_t width)
{
	og_val y = OG_NONE;
	OG_SCOPE(b, "%s", name) y = og_gather(b, og_weight(b, "weight", rows, width), ids, 0);
	return y;
}

og_val og_positions(og_build *b, og_val ids, int64_t first)
{
	og_dim begin = og_dim_of(b, first), end = og_dim_add(og_build_dims(b), begin, og_dim_at(b, ids, 1));
	og_val behind = og_dim_value(b, end);
	return og_range(b, og_const_i64(b, first), behind);
}

og_val og_positions_behind(og_build *b, og_val ids, int64_t pad)
{
	og_val real = og_cast(b, og_unary(b, "Not", og_equal(b, ids, og_const_i64(b, pad))), OG_I64);
	og_val count = og_mul(b, og_cumsum(b, real, 1), real);
	return pad ? og_add(b, count, og_const_i64(b, pad)) : count;
}

og_val og_distances(og_build *b, og_val positions, int64_t offset)
{
	og_val left = og_expand_dims(b, positions, 1), right = og_expand_dims(b, positions, 0);
	og_val shift = og_const_i64(b, offset);
	return og_add(b, og_sub(b, left, right), shift);
}

og_val og_mask_bias(og_build *b, og_val mask)
{
	og_val present = og_cast(b, og_expand_dims(b, mask, 1, 2), OG_F32), absent = og_sub(b, og_const_f32(b, 1.0f), present);
	return og_mul(b, absent, og_const_f32(b, -FLT_MAX));
}

og_val og_causal_bias(og_build *b, og_val positions)
{
	og_val query = og_expand_dims(b, positions, 1), key = og_expand_dims(b, positions, 0);
	og_val behind = og_op(b, "Greater", (og_val[]){ key, query }, 2, NULL, 0);
	og_val zero = og_const_f32(b, 0.0f);
	return og_where(b, behind, og_const_f32(b, -FLT_MAX), zero);
}

og_val og_rows_of(og_build *b, og_val x, og_val at)
{
	og_val length = og_dim_value(b, og_dim_at(b, x, 1)), texts = og_dim_value(b, og_dim_at(b, x, 0));
	return og_add(b, og_mul(b, og_range(b, og_const_i64(b, 0), texts), length), at);
}

og_val og_row(og_build *b, og_val x, og_val rows)
{
	og_dim dims[OG_RANK_MAX];
	int rank = og_rank_of(b, x);
	if (og_build_stuck(b))
		return OG_NONE;
	if (rank < 2)
		return og_build_fail(b, ONNXGATE_INTERNAL, "rows of a value of rank %d", rank);
	dims[0] = og_dim_mul(og_build_dims(b), og_dim_at(b, x, 0), og_dim_at(b, x, 1));
	for (int i = 2; i < rank; i++)
		dims[i - 1] = og_dim_at(b, x, i);
	return og_gather(b, og_reshape_dims(b, x, dims, (size_t)rank - 1), rows, 0);
}

og_val og_normalize(og_build *b, og_val x)
{
	return og_div(b, x, og_reduce(b, "ReduceL2", x, -1, true));
}

og_val og_token(og_build *b, og_val x, int64_t index)
{
	return og_gather(b, x, og_const_i64(b, index), 1);
}
