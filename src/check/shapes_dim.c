/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic on dims that may be symbols, and the small questions that the rules ask.  A result that has no
 * short name is unknown; only numbers can contradict one another. */
#include "check/shapes.h"

#include <stdio.h>

enum { SYMBOL_MAX = 160 };

og_sdim og_sdim_of(int64_t n)
{
	return (og_sdim){ n, NULL };
}

og_sdim og_sdim_none(const og_infer *in)
{
	return (og_sdim){ 0, in->unknown };
}

og_sdim og_sdim_symbol(og_infer *in, const char *text)
{
	const char *kept = strlen(text) < SYMBOL_MAX ? og_names_add(in->symbols, og_str_of(text)) : in->unknown;

	if (!kept)
		in->f.nomem = true;
	return (og_sdim){ 0, kept ? kept : in->unknown };
}

static og_sdim rendered(og_infer *in, og_sdim a, og_sdim b, const char *op)
{
	char left[SYMBOL_MAX + 2], right[SYMBOL_MAX + 2], text[2 * SYMBOL_MAX + 16];

	if (og_sdim_unknown(a) || og_sdim_unknown(b))
		return og_sdim_none(in);
	og_sdim_show(a, left, sizeof(left));
	og_sdim_show(b, right, sizeof(right));
	/* sums are shown bare, as exporters write them; inside a product or quotient they need brackets */
	if (op[0] == '+' || op[0] == '-')
		snprintf(text, sizeof(text), "%s %s %s", left, op, right);
	else
		snprintf(text, sizeof(text), strchr(left, ' ') ? "(%s)%s%s" : "%s%s%s", left, op, right);
	return og_sdim_symbol(in, text);
}

og_sdim og_sdim_add(og_infer *in, og_sdim a, og_sdim b)
{
	int64_t n;

	if (og_sdim_static(a) && og_sdim_static(b))
		return __builtin_add_overflow(a.n, b.n, &n) ? og_sdim_none(in) : og_sdim_of(n);
	if (og_sdim_static(a) && a.n == 0)
		return b;
	if (og_sdim_static(b) && b.n == 0)
		return a;
	return rendered(in, a, b, "+");
}

og_sdim og_sdim_sub(og_infer *in, og_sdim a, og_sdim b)
{
	int64_t n;

	if (og_sdim_static(a) && og_sdim_static(b))
		return __builtin_sub_overflow(a.n, b.n, &n) ? og_sdim_none(in) : og_sdim_of(n);
	if (og_sdim_same(a, b))
		return og_sdim_of(0);
	if (og_sdim_static(b) && b.n == 0)
		return a;
	if (!og_sdim_static(b) && strchr(b.symbol, ' ')) /* minus a sum would need brackets */
		return og_sdim_none(in);
	return rendered(in, a, b, "-");
}

og_sdim og_sdim_mul(og_infer *in, og_sdim a, og_sdim b)
{
	int64_t n;

	if (og_sdim_static(a) && og_sdim_static(b))
		return __builtin_mul_overflow(a.n, b.n, &n) ? og_sdim_none(in) : og_sdim_of(n);
	if (og_sdim_static(a))
		return og_sdim_mul(in, b, a);
	if (og_sdim_static(b) && b.n == 1)
		return a;
	if (og_sdim_static(b) && b.n == 0)
		return og_sdim_of(0);
	if (!og_sdim_static(b) && strchr(b.symbol, ' '))
		return og_sdim_none(in);
	return rendered(in, a, b, "*");
}

og_sdim og_sdim_div(og_infer *in, og_sdim a, og_sdim b)
{
	if (!og_sdim_static(b) || b.n < 1)
		return og_sdim_same(a, b) ? og_sdim_of(1) : og_sdim_none(in);
	if (og_sdim_static(a)) {
		int64_t q = a.n / b.n;

		return og_sdim_of(q - (a.n % b.n < 0));
	}
	return b.n == 1 ? a : rendered(in, a, b, "/");
}

bool og_sdim_merge(og_sdim a, og_sdim b, og_sdim *out)
{
	if (og_sdim_static(a) && og_sdim_static(b) && a.n != b.n)
		return false;
	if (og_sdim_static(a))
		*out = a;
	else if (og_sdim_static(b))
		*out = b;
	else
		*out = og_sdim_unknown(a) ? b : a;
	return true;
}

bool og_sdim_broadcast(const og_infer *in, og_sdim a, og_sdim b, og_sdim *out)
{
	if (og_sdim_static(a) && a.n == 1)
		*out = b;
	else if (og_sdim_static(b) && b.n == 1)
		*out = a;
	else if (og_sdim_static(a) || og_sdim_static(b))
		return og_sdim_merge(a, b, out); /* a number that is not 1 wins over what must be it, or 1 */
	else
		*out = og_sdim_same(a, b) ? a : og_sdim_none(in);
	return true;
}

const char *og_sdim_show(og_sdim d, char *out, size_t cap)
{
	if (og_sdim_static(d))
		snprintf(out, cap, "%lld", (long long)d.n);
	else
		snprintf(out, cap, "%s", d.symbol[0] ? d.symbol : "?");
	return out;
}

const char *og_shape_show(const og_sinfo *i, char *out, size_t cap)
{
	size_t at = 0;
	char one[SYMBOL_MAX];

	if (i->rank < 0) {
		snprintf(out, cap, "[…]");
		return out;
	}
	out[0] = 0;
	for (int d = 0; d < i->rank && at < cap; d++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", d ? ", " : "[", og_sdim_show(i->dims[d], one, sizeof(one)));
	if (at < cap)
		snprintf(out + at, cap - at, "%s", i->rank ? "]" : "[]");
	return out;
}

/* ---- what a rule asks ----------------------------------------------------------------------------------- */

void og_clash(og_op *o, const char *fmt, ...)
{
	char where[400];
	const char *what;
	va_list ap;

	if (o->clashed)
		return;
	o->clashed = true;
	va_start(ap, fmt);
	what = og_arena_vprintf(o->in->st->arena, fmt, ap);
	va_end(ap);
	og_fault(&o->in->f, "%s: %s", og_node_show(o->n, where, sizeof(where)), what ? what : "?");
}

size_t og_in_count(const og_op *o)
{
	return o->n->ninputs;
}

bool og_in_has(const og_op *o, size_t i)
{
	return i < o->n->ninputs && o->n->inputs[i][0];
}

const og_sinfo *og_in(const og_op *o, size_t i)
{
	static const og_sinfo unknown = { .rank = -1, .nvalues = -1 };

	return og_in_has(o, i) ? &o->in->infos[og_name_id(o->n->inputs[i])] : &unknown;
}

int og_in_rank(const og_op *o, size_t i)
{
	return og_in(o, i)->rank;
}

bool og_in_is_list(og_op *o, size_t i)
{
	int rank = og_in_rank(o, i);

	if (rank < 0 || rank == 1)
		return true;
	og_clash(o, "input %zu has %d dims, expected 1", i, rank);
	return false;
}

bool og_in_values(const og_op *o, size_t i, const og_sdim **values, size_t *n)
{
	const og_sinfo *s = og_in(o, i);

	if (s->nvalues < 0)
		return false;
	*values = s->values;
	*n = (size_t)s->nvalues;
	return true;
}

bool og_in_numbers(const og_op *o, size_t i, int64_t *out, size_t *n)
{
	const og_sdim *values;

	if (!og_in_values(o, i, &values, n))
		return false;
	for (size_t k = 0; k < *n; k++) {
		if (!og_sdim_static(values[k]))
			return false;
		out[k] = values[k].n;
	}
	return true;
}

int64_t og_op_int(const og_op *o, const char *attribute, int64_t fallback)
{
	return og_onnx_attr_int(o->n, attribute, fallback);
}

bool og_op_ints(const og_op *o, const char *attribute, int64_t *out, size_t max, size_t *n)
{
	const og_onnx_attribute *a = og_onnx_attr(o->n, attribute);

	if (!a || a->type != OG_ATTR_INTS || a->nints > max)
		return false;
	*n = a->nints;
	if (a->nints)
		memcpy(out, a->ints, a->nints * sizeof(*out));
	return true;
}

bool og_op_sdims(const og_op *o, const char *attribute, og_sdim *out, size_t max, size_t *n)
{
	const og_onnx_attribute *a = og_onnx_attr(o->n, attribute);

	if (!a || a->type != OG_ATTR_INTS || a->nints > max)
		return false;
	*n = a->nints;
	for (size_t i = 0; i < *n; i++)
		out[i] = og_sdim_of(a->ints[i]);
	return true;
}

bool og_op_axes(const og_op *o, const char *attribute, size_t input, int64_t *out, size_t *n, bool *given)
{
	*given = og_onnx_attr(o->n, attribute) || og_in_has(o, input);
	*n = 0;
	if (!*given)
		return true;
	if (og_onnx_attr(o->n, attribute))
		return og_op_ints(o, attribute, out, OG_RANK_MAX, n);
	return og_in_numbers(o, input, out, n) && *n <= OG_RANK_MAX;
}

bool og_op_axis(og_op *o, int64_t axis, int rank, int *out)
{
	if (axis < -rank || axis >= rank) {
		og_clash(o, "axis %lld of a tensor with %d dims", (long long)axis, rank);
		return false;
	}
	*out = (int)(axis < 0 ? axis + rank : axis);
	return true;
}

bool og_op_once(og_op *o, int64_t given, int axis, bool *seen)
{
	if (seen[axis]) {
		og_clash(o, "axis %lld is given twice", (long long)given);
		return false;
	}
	seen[axis] = true;
	return true;
}

/* ---- what a rule answers -------------------------------------------------------------------------------- */

bool og_infer_copy(og_infer *in, const og_sdim *dims, size_t n, const og_sdim **out)
{
	og_sdim *copy = og_arena_array(in->st->arena, n + 1, sizeof(*copy));

	if (!copy) {
		in->f.nomem = true;
		return false;
	}
	if (n)
		memcpy(copy, dims, n * sizeof(*copy));
	*out = copy;
	return true;
}

bool og_rank_fits(og_op *o, int64_t n)
{
	char where[400];

	if (n > OG_RANK_MAX)
		og_unsure(&o->in->f, "%s: makes a tensor of %lld dims, more than the %d that we follow", og_node_show(o->n, where, sizeof(where)), (long long)n,
			OG_RANK_MAX);
	return n >= 0 && n <= OG_RANK_MAX;
}

void og_out_rank(og_op *o, size_t i, int64_t rank)
{
	og_sdim dims[OG_RANK_MAX];

	if (!og_rank_fits(o, rank))
		return;
	for (int64_t d = 0; d < rank; d++)
		dims[d] = og_sdim_none(o->in);
	og_out_shape(o, i, (int)rank, dims);
}

void og_out_shape(og_op *o, size_t i, int rank, const og_sdim *dims)
{
	if (i >= o->n->noutputs || !og_rank_fits(o, rank))
		return;
	if (og_infer_copy(o->in, dims, (size_t)rank, &o->out[i].dims))
		o->out[i].rank = rank;
}

void og_out_like(og_op *o, size_t i, size_t input)
{
	const og_sinfo *s = og_in(o, input);

	if (i >= o->n->noutputs || s->rank < 0)
		return;
	o->out[i].rank = s->rank;
	o->out[i].dims = s->dims;
}

void og_out_dtype(og_op *o, size_t i, og_dtype t)
{
	if (i < o->n->noutputs && t != OG_DTYPE_NONE)
		o->out[i].dtype = t;
}

void og_out_values(og_op *o, size_t i, const og_sdim *values, size_t n)
{
	if (i >= o->n->noutputs || n > OG_VALUES_MAX)
		return;
	if (og_infer_copy(o->in, values, n, &o->out[i].values))
		o->out[i].nvalues = (int)n;
}
