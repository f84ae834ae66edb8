/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules: channels that become squares of elements, and back.  Data are [N, C, H, W]. */
#include "check/shapes.h"

/* The block's side, and the rank; false: nothing can be said, or a contradiction was told. */
static bool read_block(og_op *o, int64_t *size)
{
	const og_sinfo *x = og_in(o, 0);

	*size = og_op_int(o, "blocksize", 0);
	if (*size < 1) {
		og_clash(o, "blocksize has %lld, expected 1 or more", (long long)*size);
		return false;
	}
	if (x->rank >= 0 && x->rank != 4) {
		og_clash(o, "input of %d dims, expected 4", x->rank);
		return false;
	}
	return x->rank == 4 && *size <= OG_DIM_MAX;
}

/* d / by, which must leave nothing over. */
static og_sdim divide(og_op *o, og_sdim d, int64_t by, int axis)
{
	if (og_sdim_static(d) && d.n % by)
		og_clash(o, "dim %d is %lld, expected a multiple of %lld", axis, (long long)d.n, (long long)by);
	return og_sdim_static(d) ? og_sdim_of(d.n / by) : og_sdim_none(o->in);
}

void og_shape_depth_to_space(og_op *o)
{
	const og_sdim *d = og_in(o, 0)->dims;
	int64_t size;

	if (!read_block(o, &size))
		return;
	og_sdim side = og_sdim_of(size), channels = divide(o, divide(o, d[1], size, 1), size, 1);
	og_out_shape(o, 0, 4, (og_sdim[]){ d[0], channels, og_sdim_mul(o->in, d[2], side), og_sdim_mul(o->in, d[3], side) });
}

void og_shape_space_to_depth(og_op *o)
{
	const og_sdim *d = og_in(o, 0)->dims;
	int64_t size;

	if (!read_block(o, &size))
		return;
	og_sdim side = og_sdim_of(size), channels = og_sdim_mul(o->in, og_sdim_mul(o->in, d[1], side), side);
	og_out_shape(o, 0, 4, (og_sdim[]){ d[0], channels, divide(o, d[2], size, 2), divide(o, d[3], size, 3) });
}
