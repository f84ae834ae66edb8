/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules: elementwise operators, products, normalisations, reductions. */
#include "check/shapes.h"

void og_shape_like_first(og_op *o)
{
	og_out_like(o, 0, 0);
}

/* dims becomes the broadcast of itself and input i; *rank -1: unknown. */
static bool broadcast_with(og_op *o, size_t i, int *rank, og_sdim *dims)
{
	const og_sinfo *s = og_in(o, i);
	og_sdim wide[OG_RANK_MAX];
	int n = s->rank > *rank ? s->rank : *rank;

	if (*rank < 0 || s->rank < 0) {
		*rank = -1;
		return true;
	}
	for (int d = 0; d < n; d++) {
		og_sdim a = d < n - *rank ? og_sdim_of(1) : dims[d - (n - *rank)];
		og_sdim b = d < n - s->rank ? og_sdim_of(1) : s->dims[d - (n - s->rank)];

		if (!og_sdim_broadcast(o->in, a, b, &wide[d])) {
			char left[200], right[200];
			og_sinfo before = { .rank = *rank, .dims = dims };

			og_clash(o, "%s and %s do not broadcast", og_shape_show(&before, left, sizeof(left)), og_shape_show(s, right, sizeof(right)));
			return false;
		}
	}
	memcpy(dims, wide, (size_t)n * sizeof(*dims));
	*rank = n;
	return true;
}

void og_shape_broadcast(og_op *o)
{
	og_sdim dims[OG_RANK_MAX];
	int rank = 0;

	if (o->opset < 7) /* broadcasting was an attribute then */
		return;
	for (size_t i = 0; i < og_in_count(o); i++) {
		if (!broadcast_with(o, i, &rank, dims))
			return;
		if (rank < 0)
			return;
	}
	og_out_shape(o, 0, rank, dims);
	og_value_arithmetic(o);
}

void og_shape_where(og_op *o)
{
	og_shape_broadcast(o);
	og_value_where(o);
}

/* The slope broadcasts to the input, never the other way. */
void og_shape_prelu(og_op *o)
{
	og_out_like(o, 0, 0);
}

void og_shape_softmax(og_op *o)
{
	int axis, rank = og_in_rank(o, 0);

	if (rank >= 0 && !(rank == 0 && !og_onnx_attr(o->n, "axis")) && !og_op_axis(o, og_op_int(o, "axis", o->opset < 13 ? 1 : -1), rank + (o->opset < 13), &axis))
		return;
	og_out_like(o, 0, 0);
}

void og_shape_cast(og_op *o)
{
	int64_t to = og_op_int(o, "to", 0);

	if (og_onnx_attr(o->n, "to") && to < 1) {
		og_clash(o, "to is %lld, no element type", (long long)to);
		return;
	}
	og_out_like(o, 0, 0);
	if (to >= OG_ONNX_DTYPE_COUNT)
		og_unsure(&o->in->f, "a Cast to element type %lld, which is not known to us", (long long)to);
	else if (to > 0)
		og_out_dtype(o, 0, (og_dtype)to);
	og_value_cast(o);
}

/* EyeLike, RandomNormalLike and so on: like the input but for an element type that may be given. */
void og_shape_like_typed(og_op *o)
{
	int64_t dtype = og_op_int(o, "dtype", 0);

	og_out_like(o, 0, 0);
	if (dtype > 0 && dtype < OG_ONNX_DTYPE_COUNT)
		og_out_dtype(o, 0, (og_dtype)dtype);
	else if (!og_onnx_attr(o->n, "dtype"))
		og_out_dtype(o, 0, og_in(o, 0)->dtype);
}

void og_shape_quantize(og_op *o)
{
	int64_t dtype = og_op_int(o, "output_dtype", 0);

	og_out_like(o, 0, 0);
	if (!og_in_has(o, 2)) /* else the type is the zero point's, by schema */
		og_out_dtype(o, 0, dtype > 0 && dtype < OG_ONNX_DTYPE_COUNT ? (og_dtype)dtype : OG_U8);
}

void og_shape_cumsum(og_op *o)
{
	int64_t axis[OG_VALUES_MAX];
	size_t n;
	int at;

	if (og_in_rank(o, 0) >= 0 && og_in_numbers(o, 1, axis, &n) && n == 1 && !og_op_axis(o, axis[0], og_in_rank(o, 0), &at))
		return;
	og_out_like(o, 0, 0);
}

void og_shape_trilu(og_op *o)
{
	if (og_in_rank(o, 0) >= 0 && og_in_rank(o, 0) < 2)
		og_clash(o, "input of %d dims, expected at least 2", og_in_rank(o, 0));
	else
		og_out_like(o, 0, 0);
}

/* ---- products --------------------------------------------------------------------------------------------- */

static void matmul_inner_clash(og_op *o)
{
	char left[200], right[200];

	og_clash(o, "inner dims of %s and %s differ", og_shape_show(og_in(o, 0), left, sizeof(left)), og_shape_show(og_in(o, 1), right, sizeof(right)));
}

void og_shape_matmul(og_op *o)
{
	const og_sinfo *a = og_in(o, 0), *b = og_in(o, 1);
	og_sdim dims[OG_RANK_MAX], inner;
	int na, nb, rank = 0;

	if (a->rank < 0 || b->rank < 0)
		return;
	if (a->rank == 0 || b->rank == 0) {
		og_clash(o, "a factor without dims");
		return;
	}
	if (!og_sdim_merge(a->dims[a->rank - 1], b->dims[b->rank > 1 ? b->rank - 2 : 0], &inner)) {
		matmul_inner_clash(o);
		return;
	}
	na = a->rank > 2 ? a->rank - 2 : 0;
	nb = b->rank > 2 ? b->rank - 2 : 0;
	for (int n = na > nb ? na : nb; rank < n; rank++) {
		og_sdim x = rank < n - na ? og_sdim_of(1) : a->dims[rank - (n - na)];
		og_sdim y = rank < n - nb ? og_sdim_of(1) : b->dims[rank - (n - nb)];

		if (!og_sdim_broadcast(o->in, x, y, &dims[rank])) {
			og_clash(o, "batch dims do not broadcast");
			return;
		}
	}
	if (a->rank > 1)
		dims[rank++] = a->dims[a->rank - 2];
	if (b->rank > 1)
		dims[rank++] = b->dims[b->rank - 1];
	og_out_shape(o, 0, rank, dims);
}

void og_shape_gemm(og_op *o)
{
	const og_sinfo *a = og_in(o, 0), *b = og_in(o, 1), *c = og_in(o, 2);
	bool ta = og_op_int(o, "transA", 0) != 0, tb = og_op_int(o, "transB", 0) != 0;
	og_sdim dims[2], inner;

	if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2)) {
		og_clash(o, "factors of %d and %d dims, expected 2", a->rank, b->rank);
		return;
	}
	if (a->rank < 0 || b->rank < 0)
		return;
	if (!og_sdim_merge(a->dims[ta ? 0 : 1], b->dims[tb ? 1 : 0], &inner)) {
		matmul_inner_clash(o);
		return;
	}
	dims[0] = a->dims[ta ? 1 : 0];
	dims[1] = b->dims[tb ? 0 : 1];
	for (int d = 0; o->opset >= 7 && d < c->rank && c->rank <= 2; d++) {
		og_sdim target = dims[2 - c->rank + d], got;

		if (!og_sdim_broadcast(o->in, target, c->dims[d], &got) || (og_sdim_static(target) && og_sdim_static(got) && got.n != target.n)) {
			char shown[200];

			og_clash(o, "the addend %s does not broadcast to the product", og_shape_show(c, shown, sizeof(shown)));
			return;
		}
	}
	if (c->rank > 2) {
		og_clash(o, "addend of %d dims, expected at most 2", c->rank);
		return;
	}
	og_out_shape(o, 0, 2, dims);
}

/* ---- normalisations --------------------------------------------------------------------------------------- */

/* LayerNormalization, RMSNormalization: scale and bias broadcast to the input's last dims. */
void og_shape_normalization(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	int64_t stash = og_op_int(o, "stash_type", OG_F32);
	int axis;

	for (size_t i = 1; i < 3 && stash > 0 && stash < OG_ONNX_DTYPE_COUNT; i++) /* mean and deviation, in the precision of the work */
		og_out_dtype(o, i, (og_dtype)stash);
	if (x->rank < 0)
		return;
	if (!og_op_axis(o, og_op_int(o, "axis", -1), x->rank, &axis))
		return;
	for (size_t i = 1; i < og_in_count(o) && i < 3; i++) {
		const og_sinfo *s = og_in(o, i);

		for (int d = 0; d < s->rank && s->rank <= x->rank; d++) {
			og_sdim have = x->dims[x->rank - s->rank + d], want = s->dims[d];

			if (og_sdim_static(have) && og_sdim_static(want) && want.n != 1 && want.n != have.n) {
				char left[200], right[200];

				og_clash(o, "%s %s does not fit the input %s", i == 1 ? "scale" : "bias", og_shape_show(s, right, sizeof(right)),
					og_shape_show(x, left, sizeof(left)));
				return;
			}
		}
	}
	og_out_like(o, 0, 0);
	for (int d = 0; d < x->rank; d++)
		dims[d] = d < axis ? x->dims[d] : og_sdim_of(1);
	og_out_shape(o, 1, x->rank, dims);
	og_out_shape(o, 2, x->rank, dims);
}

/* InstanceNormalization, BatchNormalization: scale, bias and statistics have one element per channel. */
void og_shape_channel_norm(og_op *o)
{
	const og_sinfo *x = og_in(o, 0);

	for (size_t i = 1; x->rank >= 2 && i < og_in_count(o); i++) {
		const og_sinfo *s = og_in(o, i);
		og_sdim channels;

		if (s->rank >= 0 && s->rank != 1) {
			og_clash(o, "input %zu has %d dims, expected 1", i, s->rank);
			return;
		}
		if (s->rank == 1 && !og_sdim_merge(x->dims[1], s->dims[0], &channels)) {
			og_clash(o, "input %zu has %lld elements for %lld channels", i, (long long)s->dims[0].n, (long long)x->dims[1].n);
			return;
		}
	}
	og_out_like(o, 0, 0);
}

/* ---- reductions ------------------------------------------------------------------------------------------- */

static bool mark_axes(og_op *o, const int64_t *axes, size_t n, int rank, bool *reduced)
{
	for (size_t i = 0; i < n; i++) {
		int axis;

		if (!og_op_axis(o, axes[i], rank, &axis))
			return false;
		reduced[axis] = true;
	}
	return true;
}

static void drop_axes(og_op *o, const bool *reduced, bool keep)
{
	const og_sinfo *x = og_in(o, 0);
	og_sdim dims[OG_RANK_MAX];
	int rank = 0;

	for (int d = 0; d < x->rank; d++) {
		if (!reduced[d])
			dims[rank++] = x->dims[d];
		else if (keep)
			dims[rank++] = og_sdim_of(1);
	}
	og_out_shape(o, 0, rank, dims);
}

void og_shape_reduce(og_op *o)
{
	int64_t axes[OG_VALUES_MAX];
	bool reduced[OG_RANK_MAX] = { false }, given;
	int rank = og_in_rank(o, 0);
	size_t n;

	if (rank < 0)
		return;
	if (!og_op_axes(o, "axes", 1, axes, &n, &given)) {
		og_sdim unknown[OG_RANK_MAX];

		for (int d = 0; d < rank; d++)
			unknown[d] = og_sdim_none(o->in);
		if (og_op_int(o, "keepdims", 1) == 1)
			og_out_shape(o, 0, rank, unknown);
		return;
	}
	if (n == 0 && og_op_int(o, "noop_with_empty_axes", 0)) {
		og_out_like(o, 0, 0);
		return;
	}
	for (int d = 0; n == 0 && d < rank; d++)
		reduced[d] = true;
	if (mark_axes(o, axes, n, rank, reduced))
		drop_axes(o, reduced, og_op_int(o, "keepdims", 1) == 1);
}

void og_shape_arg(og_op *o)
{
	bool reduced[OG_RANK_MAX] = { false };
	int64_t axis = og_op_int(o, "axis", 0);

	if (og_in_rank(o, 0) >= 0 && mark_axes(o, &axis, 1, og_in_rank(o, 0), reduced))
		drop_axes(o, reduced, og_op_int(o, "keepdims", 1) == 1);
}
