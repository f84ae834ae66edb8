/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules: operators that cut out, repeat or count. */
#include "check/shapes.h"

/* ---- split ----------------------------------------------------------------------------------------------- */

/* Sizes of the parts as given, or equal parts of a known dim. */
static bool split_sizes(og_op *o, og_sdim whole, og_sdim *parts, size_t count)
{
	int64_t sizes[OG_VALUES_MAX], each;
	const og_sdim *values;
	size_t n;

	if (count > OG_VALUES_MAX)
		return false;
	if (og_in_has(o, 1)) {
		if (!og_in_values(o, 1, &values, &n))
			return false;
		if (n != count) {
			og_clash(o, "%zu sizes for %zu outputs", n, count);
			return false;
		}
		memcpy(parts, values, n * sizeof(*parts));
	} else if (og_onnx_attr(o->n, "split")) {
		if (!og_op_ints(o, "split", sizes, OG_VALUES_MAX, &n))
			return false;
		if (n != count) {
			og_clash(o, "%zu sizes for %zu outputs", n, count);
			return false;
		}
		for (size_t i = 0; i < n; i++)
			parts[i] = og_sdim_of(sizes[i]);
	} else {
		if (o->opset >= 18 && !og_onnx_attr(o->n, "num_outputs"))
			og_clash(o, "neither sizes nor num_outputs");
		if (o->clashed || !og_sdim_static(whole))
			return false;
		each = (whole.n + (int64_t)count - 1) / (int64_t)count;
		if (o->opset < 18 && whole.n % (int64_t)count != 0) {
			og_clash(o, "%lld elements do not split into %zu equal parts", (long long)whole.n, count);
			return false;
		}
		for (size_t i = 0; i < count; i++)
			parts[i] = og_sdim_of(i + 1 < count ? each : whole.n - each * (int64_t)(count - 1));
	}
	return true;
}

static bool split_adds_up(og_op *o, og_sdim whole, const og_sdim *parts, size_t count)
{
	og_sdim sum = og_sdim_of(0), same;

	for (size_t i = 0; i < count; i++) /* a negative one stands in branches that are never taken, and counts */
		sum = og_sdim_add(o->in, sum, parts[i]);
	if (og_sdim_merge(whole, sum, &same))
		return true;
	og_clash(o, "parts of %lld elements in all, of %lld", (long long)sum.n, (long long)whole.n);
	return false;
}

void og_shape_split(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX], parts[OG_VALUES_MAX];
	size_t count = o->n->noutputs;
	bool known;
	int axis;

	if (x->rank < 0 || !og_op_axis(o, og_op_int(o, "axis", 0), x->rank, &axis))
		return;
	if (og_onnx_attr(o->n, "num_outputs") && og_op_int(o, "num_outputs", 0) != (int64_t)count) {
		og_clash(o, "num_outputs %lld, and %zu outputs", (long long)og_op_int(o, "num_outputs", 0), count);
		return;
	}
	known = split_sizes(o, x->dims[axis], parts, count);
	if (o->clashed || (known && !split_adds_up(o, x->dims[axis], parts, count)))
		return;
	memcpy(dims, x->dims, (size_t)x->rank * sizeof(*dims));
	for (size_t i = 0; i < count; i++) {
		dims[axis] = known && !(og_sdim_static(parts[i]) && parts[i].n < 0) ? parts[i] : og_sdim_none(o->in);
		og_out_shape(o, i, x->rank, dims);
	}
}

/* ---- slice ----------------------------------------------------------------------------------------------- */

typedef struct cut {
	const og_sdim *starts, *ends;
	int64_t axes[OG_VALUES_MAX], steps[OG_VALUES_MAX];
	size_t n;
	og_sdim start_numbers[OG_VALUES_MAX], end_numbers[OG_VALUES_MAX];
} cut;

static bool cut_from_attributes(const og_op *o, cut *c)
{
	size_t n;

	if (!og_op_sdims(o, "starts", c->start_numbers, OG_VALUES_MAX, &c->n) || !og_op_sdims(o, "ends", c->end_numbers, OG_VALUES_MAX, &n) || n != c->n)
		return false;
	c->starts = c->start_numbers;
	c->ends = c->end_numbers;
	return true;
}

/* Starts, ends, axes and steps go together. */
static bool same_length(og_op *o, const char *what, size_t n, size_t starts)
{
	if (n != starts)
		og_clash(o, "%zu starts and %zu %s", starts, n, what);
	return n == starts;
}

/* false: not known well enough to say which dims are cut, or a contradiction. */
static bool read_cut(og_op *o, cut *c)
{
	size_t n = 0;
	bool given;

	if (o->opset < 10) {
		if (!cut_from_attributes(o, c))
			return false;
	} else if (!og_in_values(o, 1, &c->starts, &c->n) || !og_in_values(o, 2, &c->ends, &n) || !same_length(o, "ends", n, c->n)) {
		return false;
	}
	if (!og_op_axes(o, "axes", 3, c->axes, &n, &given) || (given && !same_length(o, "axes", n, c->n)))
		return false;
	for (size_t i = 0; !given && i < c->n; i++)
		c->axes[i] = (int64_t)i;
	for (size_t i = 0; i < c->n; i++)
		c->steps[i] = 1;
	return !og_in_has(o, 4) || (og_in_numbers(o, 4, c->steps, &n) && same_length(o, "steps", n, c->n));
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static og_sdim cut_size(og_infer *in, og_sdim size, og_sdim start, og_sdim end, int64_t step)
{
	int64_t a, b;

	if (og_sdim_static(start) && start.n == 0 && step == 1 && og_sdim_static(end) && end.n >= INT32_MAX && !og_sdim_static(size))
		return size; /* all of it, as exporters write it */
	if (og_sdim_static(start) && start.n == 0 && step == 1 && og_sdim_same(size, end))
		return size;
	if (!og_sdim_static(size) || !og_sdim_static(start) || !og_sdim_static(end) || step == 0 || step == INT64_MIN)
		return og_sdim_none(in);
	a = start.n < 0 ? start.n + size.n : start.n;
	b = end.n < 0 && end.n > INT64_MIN + size.n ? end.n + size.n : end.n;
	if (step > 0) {
		a = clamp(a, 0, size.n);
		b = clamp(b, 0, size.n);
		return og_sdim_of(b > a ? (b - a - 1) / step + 1 : 0);
	}
	a = clamp(a, -1, size.n - 1);
	b = clamp(b, -1, size.n - 1);
	return og_sdim_of(a > b ? (a - b - 1) / -step + 1 : 0);
}

/* The contents of a sliced shape. */
static void cut_values(og_op *o, const cut *c)
{
	const og_sdim *values;
	og_sdim out[OG_VALUES_MAX];
	int64_t a, b, step = c->steps[0];
	size_t n, count = 0;

	if (c->n != 1 || og_in_rank(o, 0) != 1 || !og_in_values(o, 0, &values, &n) || !og_sdim_static(c->starts[0]) || !og_sdim_static(c->ends[0]) || step == 0 ||
	    step > OG_VALUES_MAX || step < -OG_VALUES_MAX)
		return;
	a = clamp(c->starts[0].n, -(int64_t)n - 1, (int64_t)n);
	b = clamp(c->ends[0].n, -(int64_t)n - 1, (int64_t)n);
	a = a < 0 ? a + (int64_t)n : a;
	b = b < 0 ? b + (int64_t)n : b;
	a = step > 0 ? clamp(a, 0, (int64_t)n) : clamp(a, -1, (int64_t)n - 1);
	for (; (step > 0 ? a < b : a > b) && a >= 0; a += step)
		out[count++] = values[a];
	og_out_values(o, 0, out, count);
}

void og_shape_slice(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	bool seen[OG_RANK_MAX] = { false };
	cut c = { 0 };

	if (x->rank <= 0) /* a scalar is cut along its axis 0 by runtimes, to no effect */
		return;
	memcpy(dims, x->dims, (size_t)x->rank * sizeof(*dims));
	if (!read_cut(o, &c)) {
		if (o->clashed)
			return;
		for (int d = 0; d < x->rank; d++)
			dims[d] = og_sdim_none(o->in);
		og_out_shape(o, 0, x->rank, dims);
		return;
	}
	for (size_t i = 0; i < c.n; i++) {
		int axis;

		if (!og_op_axis(o, c.axes[i], x->rank, &axis) || !og_op_once(o, c.axes[i], axis, seen))
			return;
		dims[axis] = cut_size(o->in, dims[axis], c.starts[i], c.ends[i], c.steps[i]);
	}
	og_out_shape(o, 0, x->rank, dims);
	cut_values(o, &c);
}

/* ---- tile, pad ------------------------------------------------------------------------------------------- */

void og_shape_tile(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	const og_sdim *repeats;
	og_sdim dims[OG_RANK_MAX];
	size_t n = 0;
	bool known = o->opset >= 6 && og_in_values(o, 1, &repeats, &n);

	if (x->rank < 0)
		return;
	if (known && n != (size_t)x->rank) {
		og_clash(o, "%zu repeats for a tensor with %d dims", n, x->rank);
		return;
	}
	for (int d = 0; d < x->rank; d++)
		dims[d] = known ? og_sdim_mul(o->in, x->dims[d], repeats[d]) : og_sdim_none(o->in);
	og_out_shape(o, 0, x->rank, dims);
}

/* Pads from an input or an attribute: those before each axis, then those behind. */
static bool read_pads(const og_op *o, const og_sdim **pads, og_sdim *numbers, size_t *n)
{
	if (o->opset >= 11)
		return og_in_values(o, 1, pads, n);
	*pads = numbers;
	return og_op_sdims(o, o->opset >= 2 ? "pads" : "paddings", numbers, 2 * OG_RANK_MAX, n);
}

/* The axes that the pads are of: all, or those of input 3. false: not known, or a contradiction. */
static bool pad_axes(og_op *o, int rank, int *axes, size_t *n)
{
	int64_t given[OG_VALUES_MAX];
	bool seen[OG_RANK_MAX] = { false };

	*n = (size_t)rank;
	for (int d = 0; d < rank; d++)
		axes[d] = d;
	if (!og_in_has(o, 3))
		return true;
	if (!og_in_numbers(o, 3, given, n))
		return false;
	for (size_t i = 0; i < *n; i++) {
		int axis;

		if (!og_op_axis(o, given[i], rank, &axis) || !og_op_once(o, given[i], axis, seen))
			return false;
		axes[i] = axis;
	}
	return true;
}

void og_shape_pad(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX], numbers[2 * OG_RANK_MAX];
	const og_sdim *pads;
	int axes[OG_RANK_MAX];
	size_t n = 0, naxes;
	bool known;

	if (x->rank < 0)
		return;
	known = pad_axes(o, x->rank, axes, &naxes) && read_pads(o, &pads, numbers, &n);
	if (o->clashed)
		return;
	if (known && n != 2 * naxes) {
		og_clash(o, "%zu pads for %zu axes of a tensor with %d dims", n, naxes, x->rank);
		return;
	}
	for (int d = 0; d < x->rank; d++)
		dims[d] = known ? x->dims[d] : og_sdim_none(o->in);
	for (size_t i = 0; known && i < naxes; i++)
		dims[axes[i]] = og_sdim_add(o->in, og_sdim_add(o->in, dims[axes[i]], pads[i]), pads[i + naxes]);
	for (int d = 0; d < x->rank; d++) {
		if (og_sdim_static(dims[d]) && dims[d].n < 0) {
			og_clash(o, "dim %d becomes %lld", d, (long long)dims[d].n);
			return;
		}
	}
	og_out_shape(o, 0, x->rank, dims);
}

/* ---- one-hot, top-k, non-zero ----------------------------------------------------------------------------- */

void og_shape_onehot(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	const og_sdim *depth;
	og_sdim dims[OG_RANK_MAX];
	const og_sinfo *pair = og_in(o, 2);
	int axis, from = 0;
	size_t n;

	if (pair->rank >= 0 && (pair->rank != 1 || (og_sdim_static(pair->dims[0]) && pair->dims[0].n != 2))) {
		og_clash(o, "values are not two in one dim");
		return;
	}
	if (og_in(o, 1)->rank > 1 || (og_in(o, 1)->rank == 1 && og_sdim_static(og_in(o, 1)->dims[0]) && og_in(o, 1)->dims[0].n != 1)) {
		og_clash(o, "depth is more than one number");
		return;
	}
	if (x->rank < 0 || x->rank >= OG_RANK_MAX || !og_op_axis(o, og_op_int(o, "axis", -1), x->rank + 1, &axis))
		return;
	for (int d = 0; d <= x->rank; d++) {
		if (d != axis)
			dims[d] = x->dims[from++];
		else
			dims[d] = og_in_values(o, 1, &depth, &n) && n == 1 ? depth[0] : og_sdim_none(o->in);
	}
	og_out_shape(o, 0, x->rank + 1, dims);
}

void og_shape_topk(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	const og_sdim *k;
	og_sdim dims[OG_RANK_MAX];
	size_t n;
	int axis;

	if (x->rank < 0 || !og_op_axis(o, og_op_int(o, "axis", -1), x->rank, &axis))
		return;
	memcpy(dims, x->dims, (size_t)x->rank * sizeof(*dims));
	if (o->opset < 10)
		dims[axis] = og_sdim_of(og_op_int(o, "k", 0));
	else
		dims[axis] = og_in_values(o, 1, &k, &n) && n == 1 ? k[0] : og_sdim_none(o->in);
	og_out_shape(o, 0, x->rank, dims);
	og_out_shape(o, 1, x->rank, dims);
}

void og_shape_nonzero(og_op *o)
{
	int rank = og_in_rank(o, 0);

	og_out_shape(o, 0, 2, (og_sdim[]){ rank >= 0 ? og_sdim_of(rank) : og_sdim_none(o->in), og_sdim_none(o->in) });
}
