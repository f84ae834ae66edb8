/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape arithmetic: graphs compute shapes from Shape, Gather, Concat and their like, so the contents of small
 * integer tensors are followed, symbols included. */
#include "check/shapes.h"

void og_shape_shape(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	int64_t start = og_op_int(o, "start", 0), end = og_op_int(o, "end", INT64_MAX);
	og_sdim n = og_sdim_none(o->in);

	if (x->rank >= 0) {
		start = start < 0 ? start + x->rank : start;
		end = end < 0 ? end + x->rank : end;
		start = start < 0 ? 0 : start > x->rank ? x->rank : start;
		end = end > x->rank ? x->rank : end < start ? start : end;
		n = og_sdim_of(end - start);
		og_out_values(o, 0, x->dims + start, (size_t)n.n);
	}
	og_out_shape(o, 0, 1, &n);
}

void og_shape_size(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim n = og_sdim_of(1);

	og_out_shape(o, 0, 0, NULL);
	if (x->rank < 0)
		return;
	for (int d = 0; d < x->rank; d++)
		n = og_sdim_mul(o->in, n, x->dims[d]);
	og_out_values(o, 0, &n, 1);
}

static void constant_ints(og_op *o, const og_onnx_attribute *a)
{
	og_sdim values[OG_VALUES_MAX], n = og_sdim_of((int64_t)a->nints);

	og_out_dtype(o, 0, OG_I64);
	og_out_shape(o, 0, 1, &n);
	if (a->nints > OG_VALUES_MAX)
		return;
	for (size_t i = 0; i < a->nints; i++)
		values[i] = og_sdim_of(a->ints[i]);
	og_out_values(o, 0, values, a->nints);
}

static bool constant_has_one_value(og_op *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n->nattributes; i++)
		n += og_starts_with(o->n->attributes[i].name, "value") || og_streq(o->n->attributes[i].name, "sparse_value");
	if (n != 1)
		og_clash(o, "%zu values, expected one", n);
	return n == 1;
}

void og_shape_constant(og_op *o)
{
	const og_onnx_attribute *a;
	og_sdim n;

	if (!constant_has_one_value(o))
		return;
	if ((a = og_onnx_attr(o->n, "value")) != NULL && a->t) {
		o->out[0] = og_infer_tensor(o->in, a->t, true);
	} else if ((a = og_onnx_attr(o->n, "value_int")) != NULL) {
		og_sdim v = og_sdim_of(a->i);

		og_out_dtype(o, 0, OG_I64);
		og_out_shape(o, 0, 0, NULL);
		og_out_values(o, 0, &v, 1);
	} else if ((a = og_onnx_attr(o->n, "value_ints")) != NULL) {
		constant_ints(o, a);
	} else if (og_onnx_attr(o->n, "value_float") || og_onnx_attr(o->n, "value_string")) {
		og_out_dtype(o, 0, og_onnx_attr(o->n, "value_float") ? OG_F32 : OG_STRING);
		og_out_shape(o, 0, 0, NULL);
	} else if ((a = og_onnx_attr(o->n, "value_floats")) != NULL || (a = og_onnx_attr(o->n, "value_strings")) != NULL) {
		n = og_sdim_of((int64_t)(a->nfloats + a->nstrings));
		og_out_dtype(o, 0, a->type == OG_ATTR_FLOATS ? OG_F32 : OG_STRING);
		og_out_shape(o, 0, 1, &n);
	}
}

void og_shape_constant_of_shape(og_op *o)
{
	const og_onnx_attribute *a = og_onnx_attr(o->n, "value");
	const og_sdim *dims;
	int64_t fill;
	size_t n, one;

	if (!og_in_is_list(o, 0))
		return;
	og_out_dtype(o, 0, a && a->t ? a->t->dtype : OG_F32);
	if (!og_in_values(o, 0, &dims, &n)) {
		const og_sinfo *s = og_in(o, 0);

		if (s->rank == 1 && og_sdim_static(s->dims[0]))
			og_out_rank(o, 0, s->dims[0].n);
		return;
	}
	if (!og_rank_fits(o, (int64_t)n))
		return;
	og_out_shape(o, 0, (int)n, dims);
	if (n == 1 && og_sdim_static(dims[0]) && dims[0].n >= 0 && dims[0].n <= OG_VALUES_MAX && a && a->t && og_onnx_tensor_ints(a->t, &fill, 1, &one)
		&& one == 1) {
		og_sdim values[OG_VALUES_MAX];

		for (int64_t i = 0; i < dims[0].n; i++)
			values[i] = og_sdim_of(fill);
		og_out_values(o, 0, values, (size_t)dims[0].n);
	}
}

/* Differences of such numbers cannot overflow. */
static bool is_small(int64_t v)
{
	return v > -OG_DIM_MAX && v < OG_DIM_MAX;
}

void og_shape_range(og_op *o)
{
	const og_sdim *v[3];
	size_t n;
	og_sdim count = og_sdim_none(o->in), values[OG_VALUES_MAX];
	bool known = true;

	for (size_t i = 0; i < 3; i++)
		known = known && og_in_values(o, i, &v[i], &n) && n == 1;
	if (known && og_sdim_static(*v[2]) && v[2]->n != 0) {
		if (v[2]->n == 1)
			count = og_sdim_sub(o->in, *v[1], *v[0]);
		else if (og_sdim_static(*v[0]) && og_sdim_static(*v[1]) && is_small(v[0]->n) && is_small(v[1]->n) && is_small(v[2]->n))
			count = og_sdim_of((v[1]->n - v[0]->n) / v[2]->n + ((v[1]->n - v[0]->n) % v[2]->n != 0));
		if (og_sdim_static(count) && count.n < 0)
			count = og_sdim_of(0);
	}
	og_out_shape(o, 0, 1, &count);
	if (og_sdim_static(count) && count.n <= OG_VALUES_MAX) {
		for (int64_t i = 0; i < count.n; i++)
			values[i] = og_sdim_add(o->in, *v[0], og_sdim_of(i * v[2]->n));
		og_out_values(o, 0, values, (size_t)count.n);
	}
}

void og_value_pass(og_op *o)
{
	const og_sdim *values;
	size_t n;

	if (og_in_values(o, 0, &values, &n))
		og_out_values(o, 0, values, n);
}

void og_shape_identity(og_op *o)
{
	if (og_in_has(o, 0))
		o->out[0] = *og_in(o, 0);
}

static bool is_whole(og_dtype t)
{
	return t == OG_I64 || t == OG_I32 || t == OG_U64 || t == OG_U32;
}

/* Between wide integer types the contents stay; a float's are not followed. */
void og_value_cast(og_op *o)
{
	if (is_whole(og_in(o, 0)->dtype) && is_whole(o->out[0].dtype))
		og_value_pass(o);
}

/* The size of something, which is never negative; a difference may be. */
static bool is_size(og_sdim d)
{
	return !og_sdim_static(d) && !og_sdim_unknown(d) && !strchr(d.symbol, '-');
}

static og_sdim calculate(og_infer *in, const char *op, og_sdim a, og_sdim b)
{
	bool both = og_sdim_static(a) && og_sdim_static(b);

	if (strcmp(op, "Add") == 0)
		return og_sdim_add(in, a, b);
	if (strcmp(op, "Sub") == 0)
		return og_sdim_sub(in, a, b);
	if (strcmp(op, "Mul") == 0)
		return og_sdim_mul(in, a, b);
	if (strcmp(op, "Div") == 0) /* toward zero in ONNX, which is floor where nothing is negative */
		return both && a.n < 0 ? og_sdim_none(in) : og_sdim_div(in, a, b);
	if (strcmp(op, "Equal") == 0) {
		if (both)
			return og_sdim_of(a.n == b.n);
		if ((og_sdim_static(a) && a.n < 0 && is_size(b)) || (og_sdim_static(b) && b.n < 0 && is_size(a)))
			return og_sdim_of(0);
		return og_sdim_same(a, b) ? og_sdim_of(1) : og_sdim_none(in);
	}
	if (both && strcmp(op, "Max") == 0)
		return a.n > b.n ? a : b;
	if (both && strcmp(op, "Min") == 0)
		return a.n < b.n ? a : b;
	return og_sdim_none(in);
}

/* Two operands of rank 0 or 1 whose contents are followed. */
void og_value_arithmetic(og_op *o)
{
	static const char *const ops[] = { "Add", "Sub", "Mul", "Div", "Equal", "Max", "Min" };
	const og_sdim *a, *b;
	og_sdim out[OG_VALUES_MAX];
	size_t na, nb, n;
	bool known = false;

	for (size_t i = 0; i < OG_COUNT(ops); i++)
		known = known || strcmp(o->n->op_type, ops[i]) == 0;
	if (!known || og_in_count(o) != 2 || !og_in_values(o, 0, &a, &na) || !og_in_values(o, 1, &b, &nb))
		return;
	n = na == 1 ? nb : na;
	if (na != nb && na != 1 && nb != 1)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = calculate(o->in, o->n->op_type, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i]);
	og_out_values(o, 0, out, n);
}

void og_value_where(og_op *o)
{
	const og_sdim *v[3];
	og_sdim out[OG_VALUES_MAX];
	size_t n[3], most = 1;

	for (size_t i = 0; i < 3; i++) {
		if (!og_in_values(o, i, &v[i], &n[i]))
			return;
		if (n[i] != 1 && most != 1 && n[i] != most)
			return;
		most = n[i] != 1 ? n[i] : most;
	}
	for (size_t i = 0; i < most; i++) {
		og_sdim condition = v[0][n[0] == 1 ? 0 : i], yes = v[1][n[1] == 1 ? 0 : i], no = v[2][n[2] == 1 ? 0 : i];

		if (og_sdim_static(condition))
			out[i] = condition.n ? yes : no;
		else
			out[i] = og_sdim_same(yes, no) ? yes : og_sdim_none(o->in);
	}
	og_out_values(o, 0, out, most);
}
