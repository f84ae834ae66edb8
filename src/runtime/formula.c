/* SPDX-License-Identifier: Apache-2.0
 *
 * Dims as formulas, the way exporters write them into a file: "past_sequence_length + sequence_length", "( sequence_length - 10 ) // 5 + 1".
 *
 *   sum     := product (("+" | "-") product)*
 *   product := factor (("*" | "//") factor)*
 *   factor  := "-" factor | "(" sum ")" | number | symbol */
#include "runtime/runtime.h"

#define DEPTH_MAX 64 /* brackets and signs in each other: more than any stack of layers needs */

typedef struct reader {
	const char *p;
	const og_binding *b;
	size_t nb;
	int depth;
	bool bad;
} reader;

int64_t og_binding_of(const og_binding *b, size_t nb, og_str symbol)
{
	for (size_t i = 0; i < nb; i++)
		if (og_str_is(symbol, b[i].symbol))
			return b[i].value;
	return -1;
}

static bool take(reader *r, const char *what)
{
	size_t n = strlen(what);
	while (*r->p == ' ')
		r->p++;
	if (strncmp(r->p, what, n) != 0)
		return false;
	r->p += n;
	return true;
}

static int64_t bad(reader *r)
{
	r->bad = true;
	return 0;
}

static int64_t word(reader *r)
{
	og_str w = { r->p, strcspn(r->p, " +-*/()") };
	int64_t v;
	r->p += w.n;
	if (!w.n)
		return bad(r);
	if (og_parse_i64(w, &v))
		return v;
	v = og_binding_of(r->b, r->nb, w);
	return v < 0 ? bad(r) : v;
}

static int64_t sum(reader *r);

static int64_t factor(reader *r)
{
	int64_t v = 0;
	if (++r->depth > DEPTH_MAX)
		return bad(r);
	if (take(r, "-")) {
		if (__builtin_sub_overflow(0, factor(r), &v))
			bad(r);
	} else if (take(r, "(")) {
		v = sum(r);
		if (!take(r, ")"))
			bad(r);
	} else {
		v = word(r);
	}
	r->depth--;
	return v;
}

static int64_t floor_div(reader *r, int64_t v, int64_t by)
{
	if (by < 1)
		return bad(r);
	return v / by - (v % by < 0);
}

static int64_t product(reader *r)
{
	int64_t v = factor(r);
	while (!r->bad) {
		if (take(r, "//"))
			v = floor_div(r, v, factor(r));
		else if (!take(r, "*"))
			break;
		else if (__builtin_mul_overflow(v, factor(r), &v))
			bad(r);
	}
	return v;
}

static int64_t sum(reader *r)
{
	int64_t v = product(r);
	while (!r->bad) {
		bool plus = take(r, "+");
		if (!plus && !take(r, "-"))
			break;
		int64_t term = product(r); /* first: it may find a fault of its own */
		if (plus ? __builtin_add_overflow(v, term, &v) : __builtin_sub_overflow(v, term, &v))
			bad(r);
	}
	return v;
}

int64_t og_formula_value(const char *text, const og_binding *b, size_t nb)
{
	int64_t v = og_binding_of(b, nb, og_str_of(text)); /* a symbol may look like a formula */
	reader r = { .p = text, .b = b, .nb = nb };
	if (v >= 0)
		return v;
	v = sum(&r);
	take(&r, "");
	return r.bad || *r.p || v < 0 || v > OG_DIM_MAX ? -1 : v;
}
