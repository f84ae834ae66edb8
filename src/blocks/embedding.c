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
	return og_range(b, og_const_i64(b, first), og_dim_value(b, end));
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
	return og_add(b, og_sub(b, left, right), og_const_i64(b, offset));
}

og_val og_mask_bias(og_build *b, og_val mask)
{
	og_val absent = og_sub(b, og_const_f32(b, 1.0f), og_cast(b, og_expand_dims(b, mask, 1, 2), OG_F32));
	return og_mul(b, absent, og_const_f32(b, -FLT_MAX));
}

og_val og_token(og_build *b, og_val x, int64_t index)
{
	return og_gather(b, x, og_const_i64(b, index), 1);
}
