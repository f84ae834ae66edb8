/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators by name, and the two that are more than a line: Reshape over dims, and a dim as a value. */
#include "graph/ops.h"

#include "base/str.h"
#include "graph/build_int.h"

static og_val op2(og_build *b, const char *op, og_val x, og_val y)
{
	return og_op(b, op, (og_val[]){ x, y }, 2, NULL, 0);
}

og_val og_add(og_build *b, og_val x, og_val y)
{
	return op2(b, "Add", x, y);
}

og_val og_sub(og_build *b, og_val x, og_val y)
{
	return op2(b, "Sub", x, y);
}

og_val og_mul(og_build *b, og_val x, og_val y)
{
	return op2(b, "Mul", x, y);
}

og_val og_div(og_build *b, og_val x, og_val y)
{
	return op2(b, "Div", x, y);
}

og_val og_min(og_build *b, og_val x, og_val y)
{
	return op2(b, "Min", x, y);
}

og_val og_max(og_build *b, og_val x, og_val y)
{
	return op2(b, "Max", x, y);
}

og_val og_binary(og_build *b, const char *op, og_val x, og_val y)
{
	return op2(b, op, x, y);
}

og_val og_equal(og_build *b, og_val x, og_val y)
{
	return og_op(b, "Equal", (og_val[]){ x, y }, 2, NULL, 0);
}

og_val og_where(og_build *b, og_val cond, og_val x, og_val y)
{
	return og_op(b, "Where", (og_val[]){ cond, x, y }, 3, NULL, 0);
}

og_val og_unary(og_build *b, const char *op, og_val x)
{
	return og_op(b, op, &x, 1, NULL, 0);
}

og_val og_cast(og_build *b, og_val x, og_dtype to)
{
	return og_dtype_of(b, x) == to ? x : og_op(b, "Cast", &x, 1, &OG_INT("to", to), 1);
}

og_val og_matmul(og_build *b, og_val x, og_val y)
{
	return op2(b, "MatMul", x, y);
}

og_val og_gemm(og_build *b, og_val x, og_val w, og_val bias, bool trans_w)
{
	return og_op(b, "Gemm", (og_val[]){ x, w, bias }, bias.id ? 3 : 2, &OG_INT("transB", 1), trans_w ? 1 : 0);
}

og_val og_cumsum(og_build *b, og_val x, int64_t axis)
{
	return og_op(b, "CumSum", (og_val[]){ x, og_const_i64(b, axis) }, 2, NULL, 0);
}

og_val og_reduce(og_build *b, const char *op, og_val x, int64_t axis, bool keep)
{
	return og_op(b, op, (og_val[]){ x, og_const_ints(b, &axis, 1) }, 2, &OG_INT("keepdims", keep), 1);
}

og_val og_argmax(og_build *b, og_val x, int64_t axis, bool last)
{
	return og_op(b, "ArgMax", &x, 1, (og_attr[]){ OG_INT("axis", axis), OG_INT("keepdims", 0), OG_INT("select_last_index", last) }, 3);
}

og_val og_softmax(og_build *b, og_val x, int64_t axis)
{
	return og_op(b, "Softmax", &x, 1, &OG_INT("axis", axis), 1);
}

og_val og_layer_norm_op(og_build *b, og_val x, og_val scale, og_val bias, double eps)
{
	return og_op(b, "LayerNormalization", (og_val[]){ x, scale, bias }, bias.id ? 3 : 2, (og_attr[]){ OG_INT("axis", -1), OG_FLOAT("epsilon", eps) }, 2);
}

og_val og_gather(og_build *b, og_val data, og_val indices, int64_t axis)
{
	return og_op(b, "Gather", (og_val[]){ data, indices }, 2, &OG_INT("axis", axis), 1);
}

og_val og_transpose(og_build *b, og_val x, const int64_t *perm, size_t n)
{
	return og_op(b, "Transpose", &x, 1, &OG_INTS("perm", perm, n), 1);
}

og_val og_unsqueeze(og_build *b, og_val x, const int64_t *axes, size_t n)
{
	return op2(b, "Unsqueeze", x, og_const_ints(b, axes, n));
}

og_val og_squeeze(og_build *b, og_val x, int64_t axis)
{
	return op2(b, "Squeeze", x, og_const_ints(b, &axis, 1));
}

og_val og_concat(og_build *b, const og_val *x, size_t n, int64_t axis)
{
	return og_op(b, "Concat", x, n, &OG_INT("axis", axis), 1);
}

og_val og_slice(og_build *b, og_val x, int64_t axis, int64_t begin, int64_t end)
{
	og_val from = og_const_ints(b, &begin, 1), to = og_const_ints(b, &end, 1), along = og_const_ints(b, &axis, 1);
	return og_op(b, "Slice", (og_val[]){ x, from, to, along }, 4, NULL, 0);
}

og_val og_length(og_build *b, og_val x, int64_t axis)
{
	og_val at = og_const_i64(b, axis);
	return og_gather(b, og_op(b, "Shape", &x, 1, NULL, 0), at, 0);
}

og_val og_range(og_build *b, og_val begin, og_val end)
{
	return og_op(b, "Range", (og_val[]){ begin, end, og_const_i64(b, 1) }, 3, NULL, 0);
}

og_val og_einsum(og_build *b, const char *equation, og_val x, og_val y)
{
	return og_op(b, "Einsum", (og_val[]){ x, y }, 2, &OG_TEXT("equation", equation), 1);
}

/* ---- dims as values ---- */

/* The symbol's size, read off the first input that has it as a dim of its own; in the main graph, so that every subgraph sees it. */
static og_val symbol_value(og_build *b, const char *symbol)
{
	uint64_t *known = og_strmap_slot(b->symbols, symbol);
	if (!known)
		return og_build_nomem(b);
	if (*known)
		return (og_val){ (uint32_t)*known };
	og_dim d = og_dim_symbol(b->m->dims, symbol);
	og_graph *main = b->m->main, *here = b->graph;
	for (size_t i = 0; i < main->ninputs; i++) {
		const og_value *x = og_model_value(b->m, main->inputs[i]);
		for (int k = 0; k < x->rank; k++) {
			if (!og_dim_eq(x->dims[k], d))
				continue;
			og_val input = main->inputs[i];
			b->graph = main;
			og_val v = og_length(b, input, k);
			b->graph = here;
			known = og_strmap_slot(b->symbols, symbol);
			if (known)
				*known = v.id;
			return v;
		}
	}
	return og_build_fail(b, ONNXGATE_INTERNAL, "no input has the dim %s", symbol);
}

static og_val term_value(og_build *b, og_dim d, size_t i)
{
	og_dim_factor f[OG_DIM_FACTORS_MAX];
	size_t n;
	int64_t coef = og_dim_term(b->m->dims, d, i, f, &n);
	og_val v = coef != 1 || n == 0 ? og_const_i64(b, coef) : OG_NONE;
	for (size_t k = 0; k < n; k++) {
		og_val divisor = f[k].symbol ? OG_NONE : og_const_i64(b, f[k].divisor);
		og_val x = f[k].symbol ? symbol_value(b, f[k].symbol) : og_div(b, og_dim_value(b, f[k].inner), divisor);
		v = v.id ? og_mul(b, v, x) : x;
	}
	return v;
}

og_val og_dim_value(og_build *b, og_dim d)
{
	int64_t whole;
	if (og_dim_is_int(b->m->dims, d, &whole))
		return og_const_i64(b, whole);
	og_val sum = OG_NONE;
	for (size_t i = 0; i < og_dim_terms(b->m->dims, d) && b->status == OG_OK; i++) {
		og_val v = term_value(b, d, i);
		sum = sum.id ? og_add(b, sum, v) : v;
	}
	return sum;
}

static bool same_count(og_build *b, og_val x, const og_dim *dims, size_t n)
{
	og_dim have = og_dim_int(b->m->dims, 1), want = have;
	for (int i = 0; i < og_rank_of(b, x); i++)
		have = og_dim_mul(b->m->dims, have, og_dim_at(b, x, i));
	for (size_t i = 0; i < n; i++)
		want = og_dim_mul(b->m->dims, want, dims[i]);
	return og_dim_eq(have, want);
}

/* Reshape's second input: numbers, 0 for a dim that stays where it is, at most one -1 (at rest, if it is not n and no number stands there),
 * and computed ones where that is not enough. */
static og_val target_shape(og_build *b, og_val x, const og_dim *dims, size_t n, size_t rest)
{
	int64_t v[OG_RANK_MAX];
	bool computed = false, inferred = rest < n && !og_dim_is_int(b->m->dims, dims[rest], NULL);
	for (size_t i = 0; i < n; i++) {
		if (og_dim_is_int(b->m->dims, dims[i], &v[i]))
			continue;
		if (i == rest)
			v[i] = -1;
		else if ((int)i < og_rank_of(b, x) && og_dim_eq(og_dim_at(b, x, (int)i), dims[i]))
			v[i] = 0;
		else if (!inferred) {
			v[i] = -1;
			inferred = true;
		} else {
			v[i] = INT64_MIN;
			computed = true;
		}
	}
	if (!computed)
		return og_const_ints(b, v, n);
	og_val parts[OG_RANK_MAX];
	for (size_t i = 0; i < n; i++)
		parts[i] = v[i] == INT64_MIN ? og_expand_dims(b, og_dim_value(b, dims[i]), 0) : og_const_ints(b, &v[i], 1);
	return og_concat(b, parts, n, 0);
}

og_val og_expand(og_build *b, og_val x, const og_dim *dims, size_t n)
{
	og_val parts[OG_RANK_MAX];
	int64_t v;
	if (b->status != OG_OK)
		return OG_NONE;
	if (n > OG_RANK_MAX)
		return og_build_fail(b, ONNXGATE_INTERNAL, "Expand: %zu dims, at most %d", n, OG_RANK_MAX);
	for (size_t i = 0; i < n; i++)
		parts[i] = og_dim_is_int(b->m->dims, dims[i], &v) ? og_const_ints(b, &v, 1) : og_expand_dims(b, og_dim_value(b, dims[i]), 0);
	return og_op(b, "Expand", (og_val[]){ x, og_concat(b, parts, n, 0) }, 2, NULL, 0);
}

og_val og_pixel_shuffle(og_build *b, og_val x, int64_t n)
{
	return og_op(b, "DepthToSpace", &x, 1, (og_attr[]){ OG_INT("blocksize", n), OG_TEXT("mode", "CRD") }, 2);
}

og_val og_reshape_dims(og_build *b, og_val x, const og_dim *dims, size_t n)
{
	return og_reshape_rest(b, x, dims, n, n);
}

og_val og_reshape_rest(og_build *b, og_val x, const og_dim *dims, size_t n, size_t rest)
{
	if (b->status != OG_OK)
		return OG_NONE;
	if (n > OG_RANK_MAX || !same_count(b, x, dims, n))
		return og_build_fail(b, ONNXGATE_MISMATCH, "Reshape: the number of elements is not provably the same");
	og_val shape = target_shape(b, x, dims, n, rest);
	og_value r = { .dtype = og_dtype_of(b, x), .rank = (int)n };
	for (size_t i = 0; i < n; i++)
		r.dims[i] = dims[i];
	return og_build_append(b, "Reshape", (og_val[]){ x, shape }, 2, NULL, 0, &r);
}
