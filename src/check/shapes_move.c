/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules: operators that take elements elsewhere or give them another shape. */
#include "check/shapes.h"

/* ---- gather and scatter ---------------------------------------------------------------------------------- */

/* The contents of a gathered shape: data of rank 1, indices that are numbers. */
static void gather_values(og_op *o)
{
	const og_sdim *data;
	og_sdim out[OG_VALUES_MAX];
	int64_t indices[OG_VALUES_MAX];
	size_t nd, ni;

	if (og_in_rank(o, 0) != 1 || !og_in_values(o, 0, &data, &nd) || !og_in_numbers(o, 1, indices, &ni))
		return;
	for (size_t i = 0; i < ni; i++) {
		int64_t at = indices[i] < 0 ? indices[i] + (int64_t)nd : indices[i];

		if (at < 0 || at >= (int64_t)nd) {
			og_clash(o, "index %lld into %zu elements", (long long)indices[i], nd);
			return;
		}
		out[i] = data[at];
	}
	og_out_values(o, 0, out, ni);
}

void og_shape_gather(og_op *o)
{
	const og_sinfo *data = og_in(o, 0), *indices = og_in(o, 1);
	og_sdim dims[2 * OG_RANK_MAX];
	int axis, rank = 0;

	if (data->rank < 0)
		return;
	if (data->rank == 0) {
		og_clash(o, "data without dims");
		return;
	}
	if (!og_op_axis(o, og_op_int(o, "axis", 0), data->rank, &axis) || indices->rank < 0)
		return;
	for (int d = 0; d < axis; d++)
		dims[rank++] = data->dims[d];
	for (int d = 0; d < indices->rank; d++)
		dims[rank++] = indices->dims[d];
	for (int d = axis + 1; d < data->rank; d++)
		dims[rank++] = data->dims[d];
	og_out_shape(o, 0, rank, dims);
	gather_values(o);
}

void og_shape_gather_elements(og_op *o)
{
	const og_sinfo *data = og_in(o, 0), *indices = og_in(o, 1);
	int axis;

	if (data->rank >= 0 && !og_op_axis(o, og_op_int(o, "axis", 0), data->rank, &axis))
		return;
	if (data->rank >= 0 && indices->rank >= 0 && data->rank != indices->rank)
		og_clash(o, "data of %d dims and indices of %d", data->rank, indices->rank);
	else
		og_out_like(o, 0, 1);
}

void og_shape_gather_nd(og_op *o)
{
	const og_sinfo *data = og_in(o, 0), *indices = og_in(o, 1);
	int64_t batch = og_op_int(o, "batch_dims", 0), last;
	og_sdim dims[2 * OG_RANK_MAX];
	int rank = 0;

	if (data->rank < 0 || indices->rank < 0)
		return;
	if (data->rank == 0 || indices->rank == 0 || batch < 0 || batch >= data->rank || batch >= indices->rank) {
		og_clash(o, "data of %d dims, indices of %d and %lld batch dims", data->rank, indices->rank, (long long)batch);
		return;
	}
	if (!og_sdim_static(indices->dims[indices->rank - 1]))
		return;
	last = indices->dims[indices->rank - 1].n;
	if (last < 1 || last > data->rank - batch) {
		og_clash(o, "indices of %lld coordinates into %lld dims", (long long)last, (long long)(data->rank - batch));
		return;
	}
	for (int d = 0; d < indices->rank - 1; d++)
		dims[rank++] = indices->dims[d];
	for (int d = (int)(batch + last); d < data->rank; d++)
		dims[rank++] = data->dims[d];
	og_out_shape(o, 0, rank, dims);
}

void og_shape_scatter(og_op *o)
{
	og_out_like(o, 0, 0);
}

/* ---- reshape --------------------------------------------------------------------------------------------- */

typedef struct product { /* of dims: a number, and symbols that are left over */
	int64_t n;
	const char *symbols[2 * OG_RANK_MAX];
	size_t nsymbols;
	bool unknown, zero;
} product;

static void multiply(product *p, og_sdim d)
{
	if (og_sdim_static(d)) {
		if (d.n == 0)
			p->zero = true;
		else if (__builtin_mul_overflow(p->n, d.n, &p->n))
			p->unknown = true;
	} else if (og_sdim_unknown(d) || p->nsymbols == OG_COUNT(p->symbols)) {
		p->unknown = true;
	} else {
		p->symbols[p->nsymbols++] = d.symbol;
	}
}

/* Drop what stands in both. */
static void cancel(product *a, product *b)
{
	for (size_t i = 0; i < a->nsymbols;) {
		size_t j = 0;

		while (j < b->nsymbols && b->symbols[j] != a->symbols[i])
			j++;
		if (j == b->nsymbols) {
			i++;
			continue;
		}
		b->symbols[j] = b->symbols[--b->nsymbols];
		a->symbols[i] = a->symbols[--a->nsymbols];
	}
}

/* What -1 stands for: all of the input over the rest of the target. */
static bool infer_rest(og_op *o, product *in, product *target, og_sdim *out)
{
	*out = og_sdim_none(o->in);
	if (in->unknown || target->unknown || in->zero || target->zero)
		return true;
	cancel(in, target);
	if (in->nsymbols == 0 && target->nsymbols == 0 && in->n % target->n != 0) {
		og_clash(o, "%lld elements do not divide into %lld", (long long)in->n, (long long)target->n);
		return false;
	}
	if (target->nsymbols > 0 || in->n % target->n != 0)
		return true;
	*out = og_sdim_of(in->n / target->n);
	for (size_t i = 0; i < in->nsymbols; i++)
		*out = og_sdim_mul(o->in, *out, (og_sdim){ 0, in->symbols[i] });
	return true;
}

/* One entry of the target; *rest: where -1 stands. */
static bool reshape_dim(og_op *o, og_sdim want, int at, int *rest, og_sdim *out)
{
	const og_sinfo *x = og_in(o, 0);

	*out = want;
	if (!og_sdim_static(want))
		return true;
	if (want.n == 0 && !og_op_int(o, "allowzero", 0)) {
		if (x->rank >= 0 && at >= x->rank) {
			og_clash(o, "target dim %d copies a dim that an input of %d dims does not have", at, x->rank);
			return false;
		}
		*out = x->rank >= 0 ? x->dims[at] : og_sdim_none(o->in);
	} else if (want.n == -1) {
		if (*rest >= 0) {
			og_clash(o, "the target has more than one -1");
			return false;
		}
		*rest = at;
		*out = og_sdim_none(o->in);
	} else if (want.n < 0) {
		og_clash(o, "target dim %d is %lld", at, (long long)want.n);
		return false;
	}
	return true;
}

static void reshape_values(og_op *o)
{
	if (o->out[0].rank >= 0 && o->out[0].rank <= 1)
		og_value_pass(o);
}

/* The target is not known, but its length may be. */
static void reshape_unknown(og_op *o)
{
	const og_sinfo *s = og_in(o, 1);

	if (s->rank == 1 && og_sdim_static(s->dims[0]))
		og_out_rank(o, 0, s->dims[0].n);
}

static bool reshape_target(const og_op *o, og_sdim *numbers, const og_sdim **target, size_t *n)
{
	if (og_in_values(o, 1, target, n))
		return *n <= OG_RANK_MAX;
	*target = numbers;
	return og_op_sdims(o, "shape", numbers, OG_RANK_MAX, n); /* before opset 5 */
}

void og_shape_reshape(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	const og_sdim *target;
	og_sdim dims[OG_RANK_MAX], numbers[OG_RANK_MAX];
	product have = { .n = 1 }, want = { .n = 1 };
	int rest = -1;
	size_t n;

	if (!og_in_is_list(o, 1))
		return;
	if (!reshape_target(o, numbers, &target, &n)) {
		reshape_unknown(o);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!reshape_dim(o, target[i], (int)i, &rest, &dims[i]))
			return;
		if (rest != (int)i)
			multiply(&want, dims[i]);
	}
	have.unknown = x->rank < 0;
	for (int d = 0; d < x->rank; d++)
		multiply(&have, x->dims[d]);
	if (rest >= 0) {
		if (!infer_rest(o, &have, &want, &dims[rest]))
			return;
	} else if (!have.unknown && !want.unknown && have.nsymbols + want.nsymbols == 0 && (have.zero ? 0 : have.n) != (want.zero ? 0 : want.n)) {
		og_clash(o, "%lld elements into %lld", (long long)(have.zero ? 0 : have.n), (long long)(want.zero ? 0 : want.n));
		return;
	}
	og_out_shape(o, 0, (int)n, dims);
	reshape_values(o);
}

void og_shape_flatten(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[2] = { og_sdim_of(1), og_sdim_of(1) };
	int64_t axis = og_op_int(o, "axis", 1);

	if (x->rank < 0)
		return;
	if (axis < -x->rank || axis > x->rank) {
		og_clash(o, "axis %lld of a tensor with %d dims", (long long)axis, x->rank);
		return;
	}
	axis = axis < 0 ? axis + x->rank : axis;
	for (int d = 0; d < x->rank; d++)
		dims[d >= axis] = og_sdim_mul(o->in, dims[d >= axis], x->dims[d]);
	og_out_shape(o, 0, 2, dims);
}

void og_shape_transpose(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	int64_t perm[OG_RANK_MAX];
	bool seen[OG_RANK_MAX] = { false };
	size_t n;

	if (x->rank < 0)
		return;
	if (!og_onnx_attr(o->n, "perm")) {
		for (int d = 0; d < x->rank; d++)
			perm[d] = x->rank - 1 - d;
		n = (size_t)x->rank;
	} else if (!og_op_ints(o, "perm", perm, OG_RANK_MAX, &n)) {
		return;
	}
	if (n != (size_t)x->rank) {
		og_clash(o, "perm of %zu axes for a tensor with %d dims", n, x->rank);
		return;
	}
	for (size_t d = 0; d < n; d++) {
		if (perm[d] < 0 || perm[d] >= x->rank || seen[perm[d]]) {
			og_clash(o, "perm is no permutation: axis %lld", (long long)perm[d]);
			return;
		}
		seen[perm[d]] = true;
		dims[d] = x->dims[perm[d]];
	}
	og_out_shape(o, 0, x->rank, dims);
	reshape_values(o);
}

/* ---- dims of one --------------------------------------------------------------------------------------- */

void og_shape_unsqueeze(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	int64_t axes[OG_VALUES_MAX];
	bool added[OG_RANK_MAX] = { false }, given;
	int rank, from = 0;
	size_t n;

	if (x->rank < 0 || !og_op_axes(o, "axes", 1, axes, &n, &given) || !given || x->rank + (int)n > OG_RANK_MAX)
		return;
	rank = x->rank + (int)n;
	for (size_t i = 0; i < n; i++) {
		int axis;

		if (!og_op_axis(o, axes[i], rank, &axis) || !og_op_once(o, axes[i], axis, added))
			return;
	}
	for (int d = 0; d < rank; d++)
		dims[d] = added[d] ? og_sdim_of(1) : x->dims[from++];
	og_out_shape(o, 0, rank, dims);
	reshape_values(o);
}

static bool squeeze_all(const og_sinfo *x, bool *dropped) /* false: a dim may be 1 or not */
{
	for (int d = 0; d < x->rank; d++) {
		if (!og_sdim_static(x->dims[d]))
			return false;
		dropped[d] = x->dims[d].n == 1;
	}
	return true;
}

void og_shape_squeeze(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	int64_t axes[OG_VALUES_MAX];
	bool dropped[OG_RANK_MAX] = { false }, given;
	int rank = 0;
	size_t n;

	if (x->rank < 0 || !og_op_axes(o, "axes", 1, axes, &n, &given))
		return;
	if (!given && !squeeze_all(x, dropped))
		return;
	for (size_t i = 0; i < n; i++) {
		int axis;

		if (!og_op_axis(o, axes[i], x->rank, &axis))
			return;
		if (og_sdim_static(x->dims[axis]) && x->dims[axis].n != 1) {
			og_clash(o, "dim %d is %lld, expected 1", axis, (long long)x->dims[axis].n);
			return;
		}
		dropped[axis] = true;
	}
	for (int d = 0; d < x->rank; d++) {
		if (!dropped[d])
			dims[rank++] = x->dims[d];
	}
	og_out_shape(o, 0, rank, dims);
	reshape_values(o);
}

/* ---- concat, expand ------------------------------------------------------------------------------------- */

static void concat_values(og_op *o)
{
	og_sdim out[OG_VALUES_MAX];
	size_t at = 0;

	if (o->out[0].rank != 1)
		return;
	for (size_t i = 0; i < og_in_count(o); i++) {
		const og_sdim *values;
		size_t n;

		if (!og_in_values(o, i, &values, &n) || at + n > OG_VALUES_MAX)
			return;
		memcpy(out + at, values, n * sizeof(*out));
		at += n;
	}
	og_out_values(o, 0, out, at);
}

static bool concat_with(og_op *o, const og_sinfo *x, int axis, og_sdim *dims)
{
	for (int d = 0; d < x->rank; d++) {
		if (d == axis) {
			dims[d] = og_sdim_add(o->in, dims[d], x->dims[d]);
		} else if (!og_sdim_merge(dims[d], x->dims[d], &dims[d])) {
			og_clash(o, "dim %d is %lld in one input and %lld in another", d, (long long)dims[d].n, (long long)x->dims[d].n);
			return false;
		}
	}
	return true;
}

void og_shape_concat(og_op *o)
{
	const og_sinfo *first = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	bool unknown = first->rank < 0;
	int axis;

	for (size_t i = 1; i < og_in_count(o); i++) {
		int rank = og_in_rank(o, i);

		if (rank >= 0 && first->rank >= 0 && rank != first->rank) {
			og_clash(o, "inputs of %d and of %d dims", first->rank, rank);
			return;
		}
		unknown = unknown || rank < 0;
	}
	if (unknown || !og_op_axis(o, og_op_int(o, "axis", 1), first->rank, &axis)) /* 1: before opset 4 */
		return;
	memcpy(dims, first->dims, (size_t)first->rank * sizeof(*dims));
	for (size_t i = 1; i < og_in_count(o); i++) {
		if (!concat_with(o, og_in(o, i), axis, dims))
			return;
	}
	og_out_shape(o, 0, first->rank, dims);
	concat_values(o);
}

/* The target as its contents; else as dims that are not known, where its length is. */
static bool expand_target(og_op *o, og_sdim *unknown, const og_sdim **target, size_t *n)
{
	const og_sinfo *s = og_in(o, 1);

	if (og_in_values(o, 1, target, n))
		return og_rank_fits(o, (int64_t)*n);
	if (s->rank != 1 || !og_sdim_static(s->dims[0]) || !og_rank_fits(o, s->dims[0].n))
		return false;
	*n = (size_t)s->dims[0].n;
	for (size_t i = 0; i < *n; i++)
		unknown[i] = og_sdim_none(o->in);
	*target = unknown;
	return true;
}

void og_shape_expand(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	const og_sdim *target;
	og_sdim dims[OG_RANK_MAX], unknown[OG_RANK_MAX];
	size_t n;
	int rank;

	if (!og_in_is_list(o, 1) || !expand_target(o, unknown, &target, &n) || x->rank < 0)
		return;
	rank = x->rank > (int)n ? x->rank : (int)n;
	for (int d = 0; d < rank; d++) {
		og_sdim a = d < rank - x->rank ? og_sdim_of(1) : x->dims[d - (rank - x->rank)];
		og_sdim b = d < rank - (int)n ? og_sdim_of(1) : target[d - (rank - (int)n)];

		if (!og_sdim_broadcast(o->in, a, b, &dims[d])) {
			og_clash(o, "dim %d: %lld does not expand to %lld", d, (long long)a.n, (long long)b.n);
			return;
		}
	}
	og_out_shape(o, 0, rank, dims);
}
