/* SPDX-License-Identifier: Apache-2.0
 *
 * Interned integer polynomials.  A polynomial is a sorted list of terms; a term is a coefficient and a sorted list of
 * atoms; an atom is a symbol or floor(polynomial / constant).  Everything is interned, so equality is identity. */
#include "graph/dim.h"

#include "base/str.h"

typedef struct atom {
	const char *symbol; /* NULL: a floor-division */
	uint32_t inner;
	int64_t divisor;
} atom;

typedef struct term {
	int64_t coef;
	uint32_t natoms;
	uint32_t atoms[OG_DIM_FACTORS_MAX]; /* rising ids */
} term;

typedef struct poly {
	uint32_t nterms;
	term terms[OG_DIM_TERMS_MAX]; /* sorted by term_order; no zero coefficients */
	const char *spelling;
} poly;

struct og_dims {
	og_arena *arena;
	atom *atoms; /* id = index + 1 */
	size_t natoms, atoms_cap;
	poly *polys; /* id = index + 1 */
	size_t npolys, polys_cap;
};

og_dims *og_dims_new(og_arena *arena)
{
	og_dims *t = og_arena_alloc(arena, sizeof(*t));
	if (t)
		t->arena = arena;
	return t;
}

/* More factors first, then by atom ids: the constant comes last. */
static int term_order(const term *a, const term *b)
{
	if (a->natoms != b->natoms)
		return a->natoms > b->natoms ? -1 : 1;
	for (uint32_t i = 0; i < a->natoms; i++)
		if (a->atoms[i] != b->atoms[i])
			return a->atoms[i] < b->atoms[i] ? -1 : 1;
	return 0;
}

static og_dim intern(og_dims *t, const poly *p)
{
	for (size_t i = 0; i < t->npolys; i++) {
		const poly *q = &t->polys[i];
		if (q->nterms != p->nterms)
			continue;
		bool same = true;
		for (uint32_t k = 0; k < p->nterms && same; k++)
			same = p->terms[k].coef == q->terms[k].coef && term_order(&p->terms[k], &q->terms[k]) == 0;
		if (same)
			return (og_dim){ (uint32_t)(i + 1) };
	}
	if (!og_arena_grow(t->arena, &t->polys, &t->polys_cap, t->npolys + 1, sizeof(poly)))
		return (og_dim){ 0 };
	t->polys[t->npolys++] = *p;
	return (og_dim){ (uint32_t)t->npolys };
}

static const poly *get(const og_dims *t, og_dim d)
{
	return d.id && d.id <= t->npolys ? &t->polys[d.id - 1] : NULL;
}

/* p += x; false: it no longer fits. */
static bool accumulate(poly *p, const term *x)
{
	uint32_t at = 0;
	while (at < p->nterms && term_order(&p->terms[at], x) < 0)
		at++;
	if (at < p->nterms && term_order(&p->terms[at], x) == 0) {
		if (__builtin_add_overflow(p->terms[at].coef, x->coef, &p->terms[at].coef))
			return false;
		if (p->terms[at].coef == 0) {
			memmove(&p->terms[at], &p->terms[at + 1], (p->nterms - at - 1) * sizeof(term));
			p->nterms--;
		}
		return true;
	}
	if (x->coef == 0)
		return true;
	if (p->nterms == OG_DIM_TERMS_MAX)
		return false;
	memmove(&p->terms[at + 1], &p->terms[at], (p->nterms - at) * sizeof(term));
	p->terms[at] = *x;
	p->nterms++;
	return true;
}

og_dim og_dim_int(og_dims *t, int64_t v)
{
	poly p = { 0 };
	term c = { .coef = v };
	return accumulate(&p, &c) ? intern(t, &p) : (og_dim){ 0 };
}

static uint32_t intern_atom(og_dims *t, const char *symbol, uint32_t inner, int64_t divisor)
{
	for (size_t i = 0; i < t->natoms; i++)
		if (symbol ? og_streq(t->atoms[i].symbol, symbol) : !t->atoms[i].symbol && t->atoms[i].inner == inner && t->atoms[i].divisor == divisor)
			return (uint32_t)(i + 1);
	const char *name = og_arena_strdup(t->arena, symbol);
	if ((symbol && !name) || !og_arena_grow(t->arena, &t->atoms, &t->atoms_cap, t->natoms + 1, sizeof(atom)))
		return 0;
	t->atoms[t->natoms++] = (atom){ name, inner, divisor };
	return (uint32_t)t->natoms;
}

static og_dim of_atom(og_dims *t, uint32_t id)
{
	poly p = { .nterms = 1, .terms = { { .coef = 1, .natoms = 1, .atoms = { id } } } };
	return id ? intern(t, &p) : (og_dim){ 0 };
}

og_dim og_dim_symbol(og_dims *t, const char *name)
{
	return of_atom(t, intern_atom(t, name, 0, 0));
}

static og_dim parse_one(og_dims *t, og_str s)
{
	int64_t v;
	if (og_parse_i64(s, &v))
		return og_dim_int(t, v);
	char name[OG_DIM_TERMS_MAX * 32];
	if (s.n == 0 || s.n >= sizeof(name))
		return (og_dim){ 0 };
	memcpy(name, s.p, s.n);
	name[s.n] = 0;
	return og_dim_symbol(t, name);
}

og_dim og_dim_parse(og_dims *t, const char *text)
{
	og_dim sum = { 0 };
	const char *p = text;
	for (bool first = true;; first = false) {
		const char *plus = strstr(p, " + ");
		og_dim part = parse_one(t, (og_str){ p, plus ? (size_t)(plus - p) : strlen(p) });
		sum = first ? part : og_dim_add(t, sum, part);
		if (!plus)
			break;
		p = plus + 3;
	}
	og_dim_spell(t, sum, text);
	return sum;
}

void og_dim_spell(og_dims *t, og_dim d, const char *text)
{
	if (get(t, d) && !t->polys[d.id - 1].spelling)
		t->polys[d.id - 1].spelling = og_arena_strdup(t->arena, text);
}

static og_dim combine(og_dims *t, og_dim a, og_dim b, int64_t sign)
{
	const poly *x = get(t, a), *y = get(t, b);
	if (!x || !y)
		return (og_dim){ 0 };
	poly p = *x;
	p.spelling = NULL;
	for (uint32_t i = 0; i < y->nterms; i++) {
		term c = y->terms[i];
		if (__builtin_mul_overflow(c.coef, sign, &c.coef) || !accumulate(&p, &c))
			return (og_dim){ 0 };
	}
	return intern(t, &p);
}

og_dim og_dim_add(og_dims *t, og_dim a, og_dim b)
{
	return combine(t, a, b, 1);
}

og_dim og_dim_sub(og_dims *t, og_dim a, og_dim b)
{
	return combine(t, a, b, -1);
}

static bool multiply_term(const term *a, const term *b, term *out)
{
	*out = (term){ 0 };
	if (a->natoms + b->natoms > OG_DIM_FACTORS_MAX || __builtin_mul_overflow(a->coef, b->coef, &out->coef))
		return false;
	uint32_t i = 0, k = 0;
	while (i < a->natoms || k < b->natoms) {
		bool from_a = k == b->natoms || (i < a->natoms && a->atoms[i] <= b->atoms[k]);
		out->atoms[out->natoms++] = from_a ? a->atoms[i++] : b->atoms[k++];
	}
	return true;
}

og_dim og_dim_mul(og_dims *t, og_dim a, og_dim b)
{
	const poly *x = get(t, a), *y = get(t, b);
	if (!x || !y)
		return (og_dim){ 0 };
	poly p = { 0 };
	for (uint32_t i = 0; i < x->nterms; i++)
		for (uint32_t k = 0; k < y->nterms; k++) {
			term c;
			if (!multiply_term(&x->terms[i], &y->terms[k], &c) || !accumulate(&p, &c))
				return (og_dim){ 0 };
		}
	return intern(t, &p);
}

og_dim og_dim_floordiv(og_dims *t, og_dim a, int64_t divisor)
{
	const poly *x = get(t, a);
	if (!x || divisor < 1)
		return (og_dim){ 0 };
	int64_t v;
	if (og_dim_is_int(t, a, &v))
		return og_dim_int(t, v / divisor - (v % divisor < 0));
	poly p = *x;
	p.spelling = NULL;
	bool exact = true;
	for (uint32_t i = 0; i < p.nterms; i++) {
		exact = exact && p.terms[i].coef % divisor == 0;
		p.terms[i].coef /= divisor;
	}
	return exact ? intern(t, &p) : of_atom(t, intern_atom(t, NULL, a.id, divisor));
}

bool og_dim_is_int(const og_dims *t, og_dim d, int64_t *out)
{
	const poly *p = get(t, d);
	if (!p || p->nterms > 1 || (p->nterms == 1 && p->terms[0].natoms))
		return false;
	if (out)
		*out = p->nterms ? p->terms[0].coef : 0;
	return true;
}

static const char *atom_text(og_dims *t, uint32_t id)
{
	const atom *a = &t->atoms[id - 1];
	if (a->symbol)
		return a->symbol;
	const char *text = og_arena_printf(t->arena, "( %s ) // %lld", og_dim_text(t, (og_dim){ a->inner }), (long long)a->divisor);
	return text ? text : "?";
}

/* A quotient among factors or behind a sign is in brackets: 3*a // 2 would be (3*a) // 2. first: no other term stands before it. */
static const char *term_text(og_dims *t, const term *c, bool first)
{
	const char *s = NULL;
	uint64_t magnitude = c->coef < 0 ? 0 - (uint64_t)c->coef : (uint64_t)c->coef;
	bool alone = c->natoms == 1 && magnitude == 1 && !(first && c->coef < 0);
	for (uint32_t i = 0; i < c->natoms; i++) {
		const char *f = atom_text(t, c->atoms[i]);
		if (!alone && !t->atoms[c->atoms[i] - 1].symbol)
			f = og_arena_printf(t->arena, "( %s )", f);
		s = s ? og_arena_printf(t->arena, "%s*%s", s, f) : f;
		if (!s)
			return "?";
	}
	if (s && magnitude == 1)
		return s;
	const char *text = og_arena_printf(t->arena, "%llu%s%s", (unsigned long long)magnitude, s ? "*" : "", s ? s : "");
	return text ? text : "?";
}

const char *og_dim_text(og_dims *t, og_dim d)
{
	const poly *p = get(t, d);
	if (!p)
		return "?";
	if (p->spelling)
		return p->spelling;
	if (p->nterms == 0)
		return "0";
	const char *s = NULL;
	for (uint32_t i = 0; i < p->nterms; i++) {
		bool minus = p->terms[i].coef < 0;
		const char *x = term_text(t, &p->terms[i], !s);
		if (s)
			s = og_arena_printf(t->arena, "%s %c %s", s, minus ? '-' : '+', x);
		else
			s = minus ? og_arena_printf(t->arena, "-%s", x) : x;
		if (!s)
			return "?";
	}
	return s;
}

bool og_dim_has_symbol(const og_dims *t, og_dim d, const char *name)
{
	const poly *p = get(t, d);
	for (uint32_t i = 0; p && i < p->nterms; i++)
		for (uint32_t k = 0; k < p->terms[i].natoms; k++) {
			const atom *a = &t->atoms[p->terms[i].atoms[k] - 1];
			if (a->symbol ? og_streq(a->symbol, name) : og_dim_has_symbol(t, (og_dim){ a->inner }, name))
				return true;
		}
	return false;
}

size_t og_dim_terms(const og_dims *t, og_dim d)
{
	const poly *p = get(t, d);
	return p ? p->nterms : 0;
}

int64_t og_dim_term(const og_dims *t, og_dim d, size_t i, og_dim_factor factors[OG_DIM_FACTORS_MAX], size_t *nfactors)
{
	const term *c = &get(t, d)->terms[i];
	*nfactors = c->natoms;
	for (uint32_t k = 0; k < c->natoms; k++) {
		const atom *a = &t->atoms[c->atoms[k] - 1];
		factors[k] = (og_dim_factor){ a->symbol, { a->inner }, a->divisor };
	}
	return c->coef;
}
