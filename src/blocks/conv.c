/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions over any number of spatial dims. */
#include "blocks/blocks.h"

static og_val weight_of(og_build *b, const int64_t *dims, int rank, const og_conv_o *o)
{
	if (o->as_taps)
		return og_weight_taps(b, "weight", dims[0], dims[1], dims[2]);
	return o->normed ? og_weight_normed(b, "weight", dims, rank) : og_weight_dims(b, "weight", dims, rank);
}

static og_val convolve(og_build *b, og_val x, int64_t in, const og_conv_o *o)
{
	int64_t dims[OG_RANK_MAX], pads[2 * OG_RANK_MAX], groups = o->groups ? o->groups : 1;
	int rank = og_rank_of(b, x);
	size_t n = (size_t)rank - 2;
	og_attr attrs[5];
	size_t k = 0;
	dims[0] = o->out;
	dims[1] = in / groups;
	for (size_t i = 0; i < n; i++) {
		dims[i + 2] = o->kernel[i];
		pads[i] = o->pad ? o->pad[i] : 0;
		pads[n + i] = o->pad_end ? o->pad_end[i] : pads[i];
	}
	og_val w = weight_of(b, dims, rank, o), bias = o->no_bias ? OG_NONE : og_weight(b, "bias", o->out);
	attrs[k++] = OG_INTS("kernel_shape", o->kernel, n);
	if (o->stride)
		attrs[k++] = OG_INTS("strides", o->stride, n);
	if (o->dilation)
		attrs[k++] = OG_INTS("dilations", o->dilation, n);
	if (o->pad)
		attrs[k++] = OG_INTS("pads", pads, 2 * n);
	if (groups > 1)
		attrs[k++] = OG_INT("group", groups);
	return og_op(b, "Conv", (og_val[]){ x, w, bias }, bias.id ? 3 : 2, attrs, k);
}

og_val og_conv(og_build *b, og_val x, const char *name, og_conv_o o)
{
	int64_t in = 0;
	og_val y = OG_NONE;
	if (og_build_stuck(b))
		return OG_NONE;
	if (og_rank_of(b, x) < 3 || !og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &in))
		return og_build_fail(b, ONNXGATE_INTERNAL, "%s: the number of channels of its input is not known", name);
	if (o.groups > 1 && (in % o.groups || o.out % o.groups))
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "%s: %lld and %lld channels cannot be divided into %lld groups", name, (long long)in,
			(long long)o.out, (long long)o.groups);
	OG_SCOPE(b, "%s", name) y = convolve(b, x, in, &o);
	return y;
}
