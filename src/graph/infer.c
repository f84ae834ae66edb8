/* SPDX-License-Identifier: Apache-2.0
 *
 * What an operator gives: dtype, rank, dims and, for small integer values, the elements as dims.
 * One rule each, in a table; the rules follow the ONNX operator specification, opset 18 and later. */
#include "graph/graph.h"

#include "base/str.h"

typedef struct ctx {
	og_model *m;
	const og_node *n;
	og_value *out;
	og_error *err;
} ctx;

static const og_value *in(const ctx *c, size_t i)
{
	return i < c->n->nin ? og_model_value(c->m, c->n->in[i]) : NULL;
}

static const char *shape_text(const ctx *c, const og_value *v)
{
	const char *s = "[";
	for (int i = 0; i < v->rank && s; i++)
		s = og_arena_printf(c->m->arena, "%s%s%s", s, i ? ", " : "", og_dim_text(c->m->dims, v->dims[i]));
	s = s ? og_arena_printf(c->m->arena, "%s]", s) : NULL;
	return s ? s : "?";
}

static og_status clash(const ctx *c, const char *what)
{
	const og_value *a = in(c, 0), *b = in(c, 1);
	const char *type[2] = { a ? og_dtype_name(a->dtype) : "", b ? og_dtype_name(b->dtype) : "" };
	return og_fail(c->err, ONNXGATE_MISMATCH, "%s: %s: %s %s and %s %s", c->n->op, what, type[0], a ? shape_text(c, a) : "", type[1], b ? shape_text(c, b)
		: "");
}

static void set(og_value *o, og_dtype dtype, int rank, const og_dim *dims)
{
	o->dtype = dtype;
	o->rank = rank;
	for (int i = 0; i < rank; i++)
		o->dims[i] = dims[i];
}

static int64_t axis_of(const ctx *c, const char *key, int64_t fallback, int rank)
{
	int64_t axis = og_node_int(c->n, key, fallback);
	return axis < 0 ? axis + rank : axis;
}

static bool is_one(const ctx *c, og_dim d)
{
	int64_t v;
	return og_dim_is_int(c->m->dims, d, &v) && v == 1;
}

/* numpy's broadcasting of o's shape with v's. */
static bool broadcast(const ctx *c, og_value *o, const og_value *v)
{
	og_dim dims[OG_RANK_MAX];
	int rank = o->rank > v->rank ? o->rank : v->rank;
	for (int i = 0; i < rank; i++) {
		int a = i - (rank - o->rank), b = i - (rank - v->rank);
		if (a < 0 || b < 0)
			dims[i] = a < 0 ? v->dims[b] : o->dims[a];
		else if (og_dim_eq(o->dims[a], v->dims[b]) || is_one(c, v->dims[b]))
			dims[i] = o->dims[a];
		else if (is_one(c, o->dims[a]))
			dims[i] = v->dims[b];
		else
			return false;
	}
	set(o, o->dtype, rank, dims);
	return true;
}

static og_dim element_op(const ctx *c, og_dim a, og_dim b)
{
	static const struct {
		const char *op;
		og_dim (*fn)(og_dims *t, og_dim a, og_dim b);
	} known[] = { { "Add", og_dim_add }, { "Sub", og_dim_sub }, { "Mul", og_dim_mul } };
	for (size_t i = 0; i < OG_COUNT(known); i++)
		if (og_streq(known[i].op, c->n->op))
			return known[i].fn(c->m->dims, a, b);
	int64_t k, whole;
	if (!og_streq(c->n->op, "Div") || !og_dim_is_int(c->m->dims, b, &k) || (og_dim_is_int(c->m->dims, a, &whole) && whole < 0))
		return (og_dim){ 0 };
	return og_dim_floordiv(c->m->dims, a, k); /* Div rounds to zero: the same, since a size is not negative */
}

/* The elements of integer arithmetic, when both sides are known scalars or vectors of one length. */
static void follow_elements(const ctx *c, const og_value *a, const og_value *b)
{
	if (!a->elems || !b->elems || a->nelems != b->nelems || c->out->rank > 1)
		return;
	og_dim *e = og_arena_array(c->m->arena, (size_t)(a->nelems ? a->nelems : 1), sizeof(*e));
	for (int i = 0; e && i < a->nelems; i++) {
		e[i] = element_op(c, a->elems[i], b->elems[i]);
		if (!e[i].id)
			return;
	}
	c->out->elems = e;
	c->out->nelems = a->nelems;
}

static og_status infer_binary(ctx *c)
{
	const og_value *a = in(c, 0), *b = in(c, 1);
	if (!a || !b || a->dtype != b->dtype)
		return clash(c, "inputs of one type are wanted");
	set(c->out, a->dtype, a->rank, a->dims);
	if (!broadcast(c, c->out, b))
		return clash(c, "shapes do not broadcast");
	follow_elements(c, a, b);
	return OG_OK;
}

static og_status infer_compare(ctx *c)
{
	OG_TRY(infer_binary(c));
	c->out->dtype = OG_BOOL;
	c->out->elems = NULL;
	c->out->nelems = 0;
	return OG_OK;
}

static og_status infer_unary(ctx *c)
{
	const og_value *a = in(c, 0);
	if (!a)
		return clash(c, "an input is wanted");
	set(c->out, a->dtype, a->rank, a->dims);
	return OG_OK;
}

static og_status infer_isnan(ctx *c)
{
	OG_TRY(infer_unary(c));
	c->out->dtype = OG_BOOL;
	return OG_OK;
}

static og_status infer_cast(ctx *c)
{
	OG_TRY(infer_unary(c));
	c->out->dtype = (og_dtype)og_node_int(c->n, "to", 0);
	if (in(c, 0)->elems && c->out->dtype == OG_I64) {
		c->out->elems = in(c, 0)->elems;
		c->out->nelems = in(c, 0)->nelems;
	}
	return OG_OK;
}

static og_status infer_where(ctx *c)
{
	const og_value *k = in(c, 0), *a = in(c, 1), *b = in(c, 2);
	if (!k || !a || !b || k->dtype != OG_BOOL || a->dtype != b->dtype)
		return clash(c, "a condition and two inputs of one type are wanted");
	set(c->out, a->dtype, a->rank, a->dims);
	return broadcast(c, c->out, b) && broadcast(c, c->out, k) ? OG_OK : clash(c, "shapes do not broadcast");
}

static og_status infer_matmul(ctx *c)
{
	const og_value *a = in(c, 0), *b = in(c, 1);
	if (!a || !b || a->dtype != b->dtype || a->rank < 2 || b->rank < 2 || !og_dim_eq(a->dims[a->rank - 1], b->dims[b->rank - 2]))
		return clash(c, "inner dims differ");
	og_dim last = b->dims[b->rank - 1], row = a->dims[a->rank - 2];
	og_value batch = *b;
	batch.rank -= 2;
	set(c->out, a->dtype, a->rank - 2, a->dims);
	if (!broadcast(c, c->out, &batch))
		return clash(c, "batch dims do not broadcast");
	c->out->dims[c->out->rank++] = row;
	c->out->dims[c->out->rank++] = last;
	return OG_OK;
}

static og_status infer_gemm(ctx *c)
{
	const og_value *a = in(c, 0), *b = in(c, 1), *bias = in(c, 2);
	bool t = og_node_int(c->n, "transB", 0) != 0;
	if (!a || !b || a->rank != 2 || b->rank != 2 || a->dtype != b->dtype || !og_dim_eq(a->dims[1], b->dims[t ? 1 : 0]))
		return clash(c, "inner dims differ");
	set(c->out, a->dtype, 2, (og_dim[]){ a->dims[0], b->dims[t ? 0 : 1] });
	if (bias && (bias->dtype != a->dtype || bias->rank != 1 || !og_dim_eq(bias->dims[0], c->out->dims[1])))
		return clash(c, "the bias does not fit");
	return OG_OK;
}

static og_status infer_layer_norm(ctx *c)
{
	const og_value *x = in(c, 0);
	for (size_t i = 1; i < c->n->nin; i++)
		if (!x || !in(c, i) || x->rank < 1 || in(c, i)->dtype != x->dtype || in(c, i)->rank != 1 || !og_dim_eq(in(c, i)->dims[0], x->dims[x->rank - 1]))
			return clash(c, "the scale does not fit the last dim");
	return infer_unary(c);
}

/* A scale, a bias, … for each channel of [B, C, …]. */
static og_status infer_channel_norm(ctx *c)
{
	const og_value *x = in(c, 0);
	for (size_t i = 1; i < c->n->nin; i++)
		if (!x || !in(c, i) || x->rank < 3 || in(c, i)->dtype != x->dtype || in(c, i)->rank != 1 || !og_dim_eq(in(c, i)->dims[0], x->dims[1]))
			return clash(c, "the scale does not fit the channels");
	return infer_unary(c);
}

static og_status infer_gather(ctx *c)
{
	const og_value *x = in(c, 0), *idx = in(c, 1);
	int64_t axis = x ? axis_of(c, "axis", 0, x->rank) : -1;
	if (!x || !idx || axis < 0 || axis >= x->rank || x->rank - 1 + idx->rank > OG_RANK_MAX || (idx->dtype != OG_I64 && idx->dtype != OG_I32))
		return clash(c, "axis or indices do not fit");
	og_dim dims[OG_RANK_MAX];
	int rank = 0;
	for (int i = 0; i < axis; i++)
		dims[rank++] = x->dims[i];
	for (int i = 0; i < idx->rank; i++)
		dims[rank++] = idx->dims[i];
	for (int i = (int)axis + 1; i < x->rank; i++)
		dims[rank++] = x->dims[i];
	set(c->out, x->dtype, rank, dims);
	int64_t k;
	if (x->elems && idx->elems && idx->rank == 0 && og_dim_is_int(c->m->dims, idx->elems[0], &k) && k >= 0 && k < x->nelems) {
		c->out->elems = x->elems + k;
		c->out->nelems = 1;
	}
	return OG_OK;
}

static og_status infer_transpose(ctx *c)
{
	const og_value *x = in(c, 0);
	const og_attr *perm = og_node_attr(c->n, "perm");
	if (!x || !perm || perm->nints != (size_t)x->rank)
		return clash(c, "perm does not fit the rank");
	og_dim dims[OG_RANK_MAX];
	for (int i = 0; i < x->rank; i++) {
		if (perm->ints[i] < 0 || perm->ints[i] >= x->rank)
			return clash(c, "perm is out of range");
		dims[i] = x->dims[perm->ints[i]];
	}
	set(c->out, x->dtype, x->rank, dims);
	return OG_OK;
}

/* The integers of a constant input; -1: not known. */
static int known_ints(const ctx *c, size_t i, int64_t out[OG_RANK_MAX])
{
	const og_value *v = in(c, i);
	if (!v || !v->elems || v->nelems > OG_RANK_MAX)
		return -1;
	for (int k = 0; k < v->nelems; k++)
		if (!og_dim_is_int(c->m->dims, v->elems[k], &out[k]))
			return -1;
	return v->nelems;
}

/* A scalar as a vector of one element, or back: more dims are not followed. */
static void pass_elements(ctx *c)
{
	if (c->out->rank > 1)
		return;
	c->out->elems = in(c, 0)->elems;
	c->out->nelems = in(c, 0)->nelems;
}

static og_status infer_unsqueeze(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axes[OG_RANK_MAX];
	int n = known_ints(c, 1, axes);
	if (!x || n < 0 || x->rank + n > OG_RANK_MAX)
		return clash(c, "axes must be known");
	og_dim dims[OG_RANK_MAX];
	int rank = x->rank + n, from = 0;
	for (int i = 0; i < rank; i++) {
		bool fresh = false;
		for (int k = 0; k < n; k++)
			fresh = fresh || (axes[k] < 0 ? axes[k] + rank : axes[k]) == i;
		if (!fresh && from == x->rank)
			return clash(c, "axes are out of range");
		dims[i] = fresh ? og_dim_int(c->m->dims, 1) : x->dims[from++];
	}
	set(c->out, x->dtype, rank, dims);
	pass_elements(c);
	return OG_OK;
}

static og_status infer_squeeze(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axes[OG_RANK_MAX];
	int n = known_ints(c, 1, axes);
	int64_t axis = x && n == 1 ? (axes[0] < 0 ? axes[0] + x->rank : axes[0]) : -1;
	if (axis < 0 || axis >= x->rank || !is_one(c, x->dims[axis]))
		return clash(c, "one axis of size 1 is wanted");
	og_dim dims[OG_RANK_MAX];
	int rank = 0;
	for (int i = 0; i < x->rank; i++)
		if (i != axis)
			dims[rank++] = x->dims[i];
	set(c->out, x->dtype, rank, dims);
	pass_elements(c);
	return OG_OK;
}

static og_status infer_concat(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axis = x ? axis_of(c, "axis", 0, x->rank) : -1;
	if (!x || axis < 0 || axis >= x->rank)
		return clash(c, "axis is out of range");
	set(c->out, x->dtype, x->rank, x->dims);
	int known = x->elems ? x->nelems : -1;
	for (size_t i = 1; i < c->n->nin; i++) {
		const og_value *y = in(c, i);
		if (!y || y->rank != x->rank || y->dtype != x->dtype)
			return clash(c, "inputs of one type and rank are wanted");
		for (int k = 0; k < x->rank; k++)
			if (k != axis && !og_dim_eq(x->dims[k], y->dims[k]))
				return clash(c, "dims differ off the axis");
		c->out->dims[axis] = og_dim_add(c->m->dims, c->out->dims[axis], y->dims[axis]);
		known = known >= 0 && y->elems ? known + y->nelems : -1;
	}
	og_dim *e = known > 0 && known <= OG_RANK_MAX ? og_arena_array(c->m->arena, (size_t)known, sizeof(*e)) : NULL;
	for (size_t i = 0, at = 0; e && i < c->n->nin; i++)
		for (int k = 0; k < in(c, i)->nelems; k++)
			e[at++] = in(c, i)->elems[k];
	c->out->elems = e;
	c->out->nelems = e ? known : 0;
	return OG_OK;
}

/* Constant starts, ends and axes, steps of 1; an end of INT64_MAX means the dim itself. */
static og_status infer_slice(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t begin[OG_RANK_MAX], axes[OG_RANK_MAX], end[OG_RANK_MAX];
	int n = known_ints(c, 1, begin);
	if (!x || n != 1 || known_ints(c, 2, end) != 1 || known_ints(c, 3, axes) != 1 || axes[0] < 0 || axes[0] >= x->rank || begin[0] < 0)
		return clash(c, "one axis with constant bounds is wanted");
	set(c->out, x->dtype, x->rank, x->dims);
	int64_t size;
	og_dim *d = &c->out->dims[axes[0]];
	bool whole = og_dim_is_int(c->m->dims, *d, &size);
	if (whole && end[0] == INT64_MAX)
		end[0] = size;
	if (whole ? end[0] < begin[0] || end[0] > size : end[0] != INT64_MAX)
		return clash(c, "bounds are out of range");
	*d = whole ? og_dim_int(c->m->dims, end[0] - begin[0]) : og_dim_sub(c->m->dims, *d, og_dim_int(c->m->dims, begin[0]));
	return OG_OK;
}

static og_status infer_shape(ctx *c)
{
	const og_value *x = in(c, 0);
	if (!x)
		return clash(c, "an input is wanted");
	set(c->out, OG_I64, 1, (og_dim[]){ og_dim_int(c->m->dims, x->rank) });
	og_dim *e = og_arena_array(c->m->arena, (size_t)(x->rank ? x->rank : 1), sizeof(*e));
	if (!e)
		return og_fail_nomem(c->err);
	memcpy(e, x->dims, (size_t)x->rank * sizeof(*e));
	c->out->elems = e;
	c->out->nelems = x->rank;
	return OG_OK;
}

static og_status infer_range(ctx *c)
{
	const og_value *a = in(c, 0), *b = in(c, 1);
	if (!a || !b || !a->elems || !b->elems || a->rank || b->rank)
		return clash(c, "bounds must be known dims");
	og_dim n = og_dim_sub(c->m->dims, b->elems[0], a->elems[0]);
	set(c->out, OG_I64, 1, &n);
	return n.id ? OG_OK : clash(c, "the length is too large");
}

static og_status infer_einsum(ctx *c)
{
	const og_attr *eq = og_node_attr(c->n, "equation");
	const char *p = eq && eq->s ? eq->s : "", *arrow = strstr(p, "->");
	og_dim letters[26] = { { 0 } };
	for (size_t i = 0; i < c->n->nin; i++) {
		const og_value *x = in(c, i);
		int k = 0;
		for (; x && *p >= 'a' && *p <= 'z'; p++, k++) {
			og_dim *d = &letters[*p - 'a'];
			if (k >= x->rank || (d->id && !og_dim_eq(*d, x->dims[k])))
				return clash(c, "the equation does not fit");
			*d = x->dims[k];
		}
		if (!x || k != x->rank || x->dtype != in(c, 0)->dtype || (i + 1 < c->n->nin ? *p++ != ',' : p != arrow))
			return clash(c, "the equation does not fit");
	}
	og_dim dims[OG_RANK_MAX];
	int rank = 0;
	for (p = arrow ? arrow + 2 : "?"; *p; p++) {
		if (*p < 'a' || *p > 'z' || rank == OG_RANK_MAX)
			return clash(c, "the equation does not fit");
		dims[rank++] = letters[*p - 'a'];
	}
	set(c->out, in(c, 0)->dtype, rank, dims);
	return OG_OK;
}

static og_status infer_argmax(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axis = x ? axis_of(c, "axis", 0, x->rank) : -1;
	og_dim dims[OG_RANK_MAX];
	int rank = 0;
	if (!x || axis < 0 || axis >= x->rank)
		return clash(c, "the axis is out of range");
	for (int i = 0; i < x->rank; i++)
		if (i != axis || og_node_int(c->n, "keepdims", 1))
			dims[rank++] = i == axis ? og_dim_int(c->m->dims, 1) : x->dims[i];
	set(c->out, OG_I64, rank, dims);
	return OG_OK;
}

static og_status infer_cumsum(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axes[OG_RANK_MAX];
	if (!x || known_ints(c, 1, axes) != 1 || axes[0] < -x->rank || axes[0] >= x->rank)
		return clash(c, "the axis must be known and in range");
	return infer_unary(c);
}

/* Over the axes of the second input, kept or dropped. */
static og_status infer_reduce(ctx *c)
{
	const og_value *x = in(c, 0);
	int64_t axes[OG_RANK_MAX];
	int n = known_ints(c, 1, axes);
	if (!x || n < 1)
		return clash(c, "axes must be known");
	for (int k = 0; k < n; k++)
		if (axes[k] < -x->rank || axes[k] >= x->rank)
			return clash(c, "axes are out of range");
	bool keep = og_node_int(c->n, "keepdims", 1) != 0;
	og_dim dims[OG_RANK_MAX];
	int rank = 0;
	for (int i = 0; i < x->rank; i++) {
		bool reduced = false;
		for (int k = 0; k < n; k++)
			reduced = reduced || (axes[k] < 0 ? axes[k] + x->rank : axes[k]) == i;
		if (!reduced || keep)
			dims[rank++] = reduced ? og_dim_int(c->m->dims, 1) : x->dims[i];
	}
	set(c->out, x->dtype, rank, dims);
	return OG_OK;
}

/* Numpy's broadcasting with a shape whose elements are known. */
static og_status infer_expand(ctx *c)
{
	const og_value *x = in(c, 0), *shape = in(c, 1);
	og_value target = { 0 };
	if (!x || !shape || !shape->elems || shape->rank != 1 || shape->nelems > OG_RANK_MAX)
		return clash(c, "the shape must be known");
	set(&target, x->dtype, shape->nelems, shape->elems);
	set(c->out, x->dtype, x->rank, x->dims);
	return broadcast(c, c->out, &target) ? OG_OK : clash(c, "shapes do not broadcast");
}

/* The integers of an attribute, n of them; absent: all of them are `fallback`. */
static bool attr_ints(const ctx *c, const char *key, int64_t fallback, size_t n, int64_t *out)
{
	const og_attr *a = og_node_attr(c->n, key);
	for (size_t i = 0; i < n && (!a || i < a->nints); i++)
		out[i] = a ? a->ints[i] : fallback;
	return !a || a->nints == n;
}

/* How often a window fits: floor((size + padding − (kernel − 1)·dilation − 1) / stride) + 1. No dim: not even once. */
static og_dim windows(const ctx *c, og_dim size, int64_t padding, int64_t kernel, int64_t dilation, int64_t stride)
{
	og_dims *d = c->m->dims;
	int64_t whole, reach = 1 + (kernel - 1) * dilation;
	og_dim room = og_dim_add(d, size, og_dim_int(d, padding - reach));
	if (og_dim_is_int(d, room, &whole) && whole < 0)
		return (og_dim){ 0 };
	return og_dim_add(d, og_dim_floordiv(d, room, stride), og_dim_int(d, 1));
}

/* Over any number of spatial dims; the weight is [out, in / group, kernel …] and known in full. */
static og_status infer_conv(ctx *c)
{
	const og_value *x = in(c, 0), *w = in(c, 1), *bias = in(c, 2);
	int64_t pads[2 * OG_RANK_MAX], strides[OG_RANK_MAX], dilations[OG_RANK_MAX], kernel, channels, group = og_node_int(c->n, "group", 1);
	size_t n = x && x->rank > 2 ? (size_t)x->rank - 2 : 0;
	if (!n || !w || x->dtype != w->dtype || x->rank != w->rank || !og_dim_is_int(c->m->dims, w->dims[1], &channels) || group < 1
		|| !og_dim_eq(x->dims[1], og_dim_mul(c->m->dims, w->dims[1], og_dim_int(c->m->dims, group))))
		return clash(c, "channels do not fit");
	if (!attr_ints(c, "pads", 0, 2 * n, pads) || !attr_ints(c, "strides", 1, n, strides) || !attr_ints(c, "dilations", 1, n, dilations))
		return clash(c, "pads, strides or dilations do not fit the rank");
	if (bias && (bias->dtype != x->dtype || bias->rank != 1 || !og_dim_eq(bias->dims[0], w->dims[0])))
		return clash(c, "the bias does not fit");
	set(c->out, x->dtype, 2, (og_dim[]){ x->dims[0], w->dims[0] });
	for (size_t i = 0; i < n; i++) {
		if (!og_dim_is_int(c->m->dims, w->dims[i + 2], &kernel) || strides[i] < 1 || dilations[i] < 1 || kernel > OG_DIM_MAX / dilations[i])
			return clash(c, "a window of known size is wanted");
		og_dim size = windows(c, x->dims[i + 2], pads[i] + pads[n + i], kernel, dilations[i], strides[i]);
		if (!size.id)
			return clash(c, "the window is larger than what it slides over");
		c->out->dims[c->out->rank++] = size;
	}
	return OG_OK;
}

static og_status infer_depth_to_space(ctx *c)
{
	const og_value *x = in(c, 0);
	og_dims *d = c->m->dims;
	int64_t channels, size = og_node_int(c->n, "blocksize", 0);
	if (!x || x->rank != 4 || size < 1 || size > OG_DIM_MAX || !og_dim_is_int(d, x->dims[1], &channels) || channels / size % size || channels % size)
		return clash(c, "channels must be a multiple of the block");
	og_dim side = og_dim_int(d, size);
	set(c->out, x->dtype, 4, (og_dim[]){ x->dims[0], og_dim_int(d, channels / size / size), og_dim_mul(d, x->dims[2], side), og_dim_mul(d, x->dims[3], side) });
	return OG_OK;
}

static const struct rule {
	const char *op;
	og_status (*infer)(ctx *c);
} rules[] = {
	{ "Add", infer_binary }, { "Sub", infer_binary }, { "Mul", infer_binary }, { "Div", infer_binary }, { "Pow", infer_binary },
	{ "Min", infer_binary }, { "Max", infer_binary },
	{ "Equal", infer_compare }, { "Less", infer_compare }, { "Greater", infer_compare }, { "LessOrEqual", infer_compare },
	{ "GreaterOrEqual", infer_compare }, { "And", infer_compare }, { "Or", infer_compare },
	{ "Not", infer_unary }, { "IsNaN", infer_isnan }, { "Where", infer_where }, { "Cast", infer_cast },
	{ "Abs", infer_unary }, { "Neg", infer_unary }, { "Sqrt", infer_unary }, { "Reciprocal", infer_unary }, { "Exp", infer_unary },
	{ "Erf", infer_unary }, { "Tanh", infer_unary }, { "Sigmoid", infer_unary }, { "Relu", infer_unary }, { "LeakyRelu", infer_unary },
	{ "Cos", infer_unary }, { "Sin", infer_unary },
	{ "Softplus", infer_unary }, { "Mish", infer_unary }, { "Gelu", infer_unary }, { "Softmax", infer_unary }, { "Identity", infer_unary },
	{ "ArgMax", infer_argmax },
	{ "CumSum", infer_cumsum },
	{ "MatMul", infer_matmul }, { "Gemm", infer_gemm }, { "LayerNormalization", infer_layer_norm }, { "Einsum", infer_einsum },
	{ "InstanceNormalization", infer_channel_norm }, { "BatchNormalization", infer_channel_norm },
	{ "Gather", infer_gather }, { "Transpose", infer_transpose }, { "Unsqueeze", infer_unsqueeze }, { "Squeeze", infer_squeeze },
	{ "Concat", infer_concat }, { "Slice", infer_slice }, { "Shape", infer_shape }, { "Range", infer_range },
	{ "Expand", infer_expand }, { "Conv", infer_conv }, { "DepthToSpace", infer_depth_to_space },
	{ "ReduceMean", infer_reduce }, { "ReduceSum", infer_reduce }, { "ReduceMax", infer_reduce },
	{ "ReduceL2", infer_reduce },
};

og_status og_infer(og_model *m, const og_node *n, og_value *out, size_t nout, og_error *err)
{
	for (size_t i = 0; i < OG_COUNT(rules); i++)
		if (og_streq(rules[i].op, n->op)) {
			ctx c = { m, n, out, err };
			OG_TRY(rules[i].infer(&c));
			for (int k = 0; k < out->rank; k++)
				if (!out->dims[k].id)
					return og_fail(err, ONNXGATE_MISMATCH, "%s: dim %d of the result cannot be expressed", n->op, k);
			return nout == 1 ? OG_OK : og_fail(err, ONNXGATE_INTERNAL, "%s gives one output, %zu are wanted", n->op, nout);
		}
	return og_fail(err, ONNXGATE_UNSUPPORTED, "operator %s has no rule of inference", n->op);
}
