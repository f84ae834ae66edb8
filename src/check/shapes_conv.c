/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules: convolution, pooling, recurrent layers. */
#include "check/shapes.h"

typedef struct window { /* attributes of a convolution or pool, defaults filled in */
	int spatial;
	int64_t kernel[OG_RANK_MAX], stride[OG_RANK_MAX], dilation[OG_RANK_MAX], begin[OG_RANK_MAX], end[OG_RANK_MAX];
	bool same, ceil; /* auto_pad SAME_*; ceil_mode */
} window;

static bool read_window(const og_op *o, int spatial, window *w)
{
	const og_onnx_attribute *pad = og_onnx_attr(o->n, "auto_pad");
	int64_t pads[2 * OG_RANK_MAX];
	size_t n;

	w->spatial = spatial;
	for (int d = 0; d < spatial; d++)
		w->stride[d] = w->dilation[d] = 1;
	if (og_onnx_attr(o->n, "strides") && (!og_op_ints(o, "strides", w->stride, OG_RANK_MAX, &n) || n != (size_t)spatial))
		return false;
	if (og_onnx_attr(o->n, "dilations") && (!og_op_ints(o, "dilations", w->dilation, OG_RANK_MAX, &n) || n != (size_t)spatial))
		return false;
	if (og_onnx_attr(o->n, "pads")) {
		if (!og_op_ints(o, "pads", pads, OG_COUNT(pads), &n) || n != 2 * (size_t)spatial)
			return false;
		for (int d = 0; d < spatial; d++) {
			w->begin[d] = pads[d];
			w->end[d] = pads[spatial + d];
		}
	}
	w->same = pad && (og_str_is(pad->s, "SAME_UPPER") || og_str_is(pad->s, "SAME_LOWER"));
	w->ceil = og_op_int(o, "ceil_mode", 0) != 0;
	return true;
}

/* kernel_shape, strides and dilations count from one. */
static bool positive(og_op *o)
{
	static const char *const names[] = { "kernel_shape", "strides", "dilations" };

	for (size_t i = 0; i < OG_COUNT(names); i++) {
		const og_onnx_attribute *a = og_onnx_attr(o->n, names[i]);

		for (size_t k = 0; a && k < a->nints; k++) {
			if (a->ints[k] < 1) {
				og_clash(o, "%s has %lld, expected 1 or more", names[i], (long long)a->ints[k]);
				return false;
			}
		}
	}
	return true;
}

static og_sdim slide(og_op *o, const window *w, int d, og_sdim size)
{
	const og_infer *in = o->in;
	int64_t span, padded;

	if (!og_sdim_static(size) || w->stride[d] < 1 || w->kernel[d] < 1 || w->dilation[d] < 1 || size.n > OG_DIM_MAX || w->stride[d] > OG_DIM_MAX)
		return og_sdim_none(in);
	if (w->same)
		return og_sdim_of((size.n + w->stride[d] - 1) / w->stride[d]);
	if (__builtin_mul_overflow(w->dilation[d], w->kernel[d] - 1, &span) || __builtin_add_overflow(w->begin[d], w->end[d], &padded) ||
	    __builtin_add_overflow(padded, size.n, &padded) || __builtin_sub_overflow(padded, span, &padded))
		return og_sdim_none(in);
	padded--;
	if (w->ceil && padded > -w->stride[d]) /* a part of a window counts, with an exception for windows that begin in the padding */
		return og_sdim_none(in);
	if (padded < 0) {
		og_clash(o, "a window of %lld over %lld elements in dim %d, padding included", (long long)(span + 1), (long long)(padded + span + 1), d + 2);
		return og_sdim_none(in);
	}
	return og_sdim_of(padded / w->stride[d] + 1);
}

static void unknown_spatial(og_op *o, og_sdim channels, int rank)
{
	og_sdim dims[OG_RANK_MAX];

	dims[0] = og_in(o, 0)->rank > 0 ? og_in(o, 0)->dims[0] : og_sdim_none(o->in);
	dims[1] = channels;
	for (int d = 2; d < rank; d++)
		dims[d] = og_sdim_none(o->in);
	og_out_shape(o, 0, rank, dims);
}

static bool conv_fits(og_op *o, const og_sinfo *x, const og_sinfo *w, int64_t group)
{
	const og_sinfo *b = og_in(o, 2);
	og_sdim same;
	char left[200], right[200];

	if (x->rank != w->rank || x->rank < 3) {
		og_clash(o, "input of %d dims and weight of %d, expected the same and at least 3", x->rank, w->rank);
		return false;
	}
	if (!og_sdim_merge(x->dims[1], og_sdim_mul(o->in, w->dims[1], og_sdim_of(group)), &same)) {
		og_clash(o, "input %s, weight %s and group %lld: channels differ", og_shape_show(x, left, sizeof(left)), og_shape_show(w, right, sizeof(right)),
			(long long)group);
		return false;
	}
	if (b->rank == 1 && !og_sdim_merge(b->dims[0], w->dims[0], &same)) {
		og_clash(o, "bias of %lld elements for %lld channels", (long long)b->dims[0].n, (long long)w->dims[0].n);
		return false;
	}
	return true;
}

/* The window of a convolution: the weight's dims. kernel_shape says them again, and a runtime refuses two that differ;
 * a dim that the weight leaves open is known from there. */
static bool read_kernel(og_op *o, const og_sinfo *w, og_sdim *kernel)
{
	int64_t given[OG_RANK_MAX];
	size_t n, spatial = (size_t)w->rank - 2;

	memcpy(kernel, w->dims + 2, spatial * sizeof(*kernel));
	if (!og_op_ints(o, "kernel_shape", given, OG_RANK_MAX, &n))
		return true;
	if (n != spatial) {
		og_clash(o, "kernel_shape of %zu dims for a weight of %d, expected %zu", n, w->rank, spatial);
		return false;
	}
	for (size_t d = 0; d < n; d++)
		if (!og_sdim_merge(w->dims[d + 2], og_sdim_of(given[d]), &kernel[d])) {
			og_clash(o, "kernel_shape has %lld in dim %zu, the weight has %lld", (long long)given[d], d, (long long)w->dims[d + 2].n);
			return false;
		}
	return true;
}

void og_shape_conv(og_op *o)
{
	const og_sinfo *x = og_in(o, 0), *w = og_in(o, 1);
	og_sdim dims[OG_RANK_MAX], kernel[OG_RANK_MAX];
	window win = { 0 };

	if (!positive(o) || x->rank < 0 || w->rank < 0 || !conv_fits(o, x, w, og_op_int(o, "group", 1)) || !read_kernel(o, w, kernel))
		return;
	if (!read_window(o, x->rank - 2, &win)) {
		unknown_spatial(o, w->dims[0], x->rank);
		return;
	}
	dims[0] = x->dims[0];
	dims[1] = w->dims[0];
	for (int d = 0; d < win.spatial; d++) {
		win.kernel[d] = og_sdim_static(kernel[d]) ? kernel[d].n : 0;
		dims[d + 2] = slide(o, &win, d, x->dims[d + 2]);
	}
	og_out_shape(o, 0, x->rank, dims);
}

void og_shape_pool(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	window win = { 0 };
	size_t n;

	if (!positive(o) || x->rank < 0)
		return;
	if (x->rank < 3) {
		og_clash(o, "input of %d dims, expected at least 3", x->rank);
		return;
	}
	if (!read_window(o, x->rank - 2, &win) || !og_op_ints(o, "kernel_shape", win.kernel, OG_RANK_MAX, &n) || n != (size_t)win.spatial) {
		unknown_spatial(o, x->dims[1], x->rank);
		return;
	}
	dims[0] = x->dims[0];
	dims[1] = x->dims[1];
	for (int d = 0; d < win.spatial; d++)
		dims[d + 2] = slide(o, &win, d, x->dims[d + 2]);
	og_out_shape(o, 0, x->rank, dims);
	og_out_shape(o, 1, x->rank, dims);
}

void og_shape_global_pool(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];

	if (x->rank < 2)
		return;
	for (int d = 0; d < x->rank; d++)
		dims[d] = d < 2 ? x->dims[d] : og_sdim_of(1);
	og_out_shape(o, 0, x->rank, dims);
}

/* LSTM, GRU, RNN: X [seq, batch, input] (layout 0) -> Y [seq, directions, batch, hidden], Y_h [directions, batch, hidden]. */
void og_shape_recurrent(og_op *o)
{
	const og_sinfo *x = og_in(o, 0), *w = og_in(o, 1), *r = og_in(o, 2);
	const og_onnx_attribute *direction = og_onnx_attr(o->n, "direction");
	og_sdim directions = og_sdim_of(direction && og_str_is(direction->s, "bidirectional") ? 2 : 1), hidden, same;

	if (x->rank >= 0 && x->rank != 3) {
		og_clash(o, "input of %d dims, expected 3", x->rank);
		return;
	}
	if (x->rank < 0 || og_op_int(o, "layout", 0) != 0)
		return;
	if (w->rank == 3 && !og_sdim_merge(x->dims[2], w->dims[2], &same)) {
		char left[200], right[200];

		og_clash(o, "input %s does not fit the weight %s", og_shape_show(x, left, sizeof(left)), og_shape_show(w, right, sizeof(right)));
		return;
	}
	hidden = og_onnx_attr(o->n, "hidden_size") ? og_sdim_of(og_op_int(o, "hidden_size", 0)) : r->rank == 3 ? r->dims[2] : og_sdim_none(o->in);
	if (r->rank == 3 && !og_sdim_merge(hidden, r->dims[2], &same)) {
		og_clash(o, "hidden_size %lld, the recurrent weight has %lld", (long long)hidden.n, (long long)r->dims[2].n);
		return;
	}
	og_out_shape(o, 0, 4, (og_sdim[]){ x->dims[0], directions, x->dims[1], hidden });
	og_out_shape(o, 1, 3, (og_sdim[]){ directions, x->dims[1], hidden });
	og_out_shape(o, 2, 3, (og_sdim[]){ directions, x->dims[1], hidden });
}
