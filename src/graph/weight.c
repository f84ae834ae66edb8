/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights and constants: claims against the ledger, turned into initializers that refer to the checkpoint. */
#include "base/str.h"
#include "graph/build_int.h"

/* The name in the checkpoint: below the weight scope, or absolute after a '/' (its first segment may be the base prefix). */
static const char *spelled(og_build *b, const char *name)
{
	if (name[0] != '/')
		return b->weight_scope[0] ? og_arena_printf(b->arena, "%s.%s", b->weight_scope, name) : og_arena_strdup(b->arena, name);
	const char *dot = strchr(name + 1, '.');
	if (!dot)
		return og_arena_strdup(b->arena, name + 1);
	char *first = og_arena_strndup(b->arena, name + 1, (size_t)(dot - name - 1));
	const char *scope = first ? og_ledger_scope(b->ledger, first) : NULL;
	if (!scope)
		return NULL;
	return scope[0] ? og_arena_printf(b->arena, "%s%s", scope, dot) : og_arena_strdup(b->arena, dot + 1);
}

static const char *weight_name(og_build *b, const char *name)
{
	const char *full = spelled(b, name);
	return full ? og_ledger_resolve(b->ledger, full) : NULL;
}

static const char *form_key(og_build *b, const char *name, const og_init *c)
{
	return og_arena_printf(b->arena, "%s|%s|%d|%d %a %a|%lld+%lld|%d|%d", b->place ? b->place : "", name, c->transpose, c->affine, (double)c->scale,
		(double)c->add, (long long)c->parts[0].first, (long long)c->parts[0].rows, (int)c->fold, c->rank);
}

/* Make the value; shared with an earlier claim of the same name in the same form. (A stack's name stands for its parts.) */
static og_val add_init(og_build *b, const char *name, const og_init *as)
{
	const char *key = form_key(b, name, as);
	uint64_t *known = key ? og_strmap_slot(b->weights, key) : NULL;
	og_init *c = og_arena_alloc(b->arena, sizeof(*c));
	if (!known || !c)
		return og_build_nomem(b);
	if (*known)
		return (og_val){ (uint32_t)*known };
	og_dim dims[OG_RANK_MAX];
	uint64_t elements = 1;
	*c = *as;
	for (int i = 0; i < c->rank; i++) {
		dims[i] = og_dim_int(b->m->dims, c->dims[i]);
		if (c->dims[i] < 0 || !og_mul_u64(elements, (uint64_t)c->dims[i], &elements))
			return og_build_fail(b, ONNXGATE_UNSUPPORTED, "%s: more elements than 64 bits can count", name);
	}
	if (!og_dtype_bytes(c->dtype, elements, &c->size))
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "%s: more bytes than 64 bits can count", name);
	c->val = og_model_new_value(b->m, c->dtype, c->rank, dims);
	og_model *m = b->m;
	og_value *v = og_model_value(m, c->val);
	if (!v || !og_arena_grow(b->arena, &m->inits, &m->inits_cap, m->ninits + 1, sizeof(*m->inits)))
		return og_build_nomem(b);
	const char *placed = b->place ? og_arena_printf(b->arena, "%s.%s", b->place, name) : name;
	v->name = c->name = placed ? og_build_unique(b, placed) : NULL;
	v->init = c;
	v->home = m->main;
	m->inits[m->ninits++] = c;
	*known = c->val.id;
	return c->name ? c->val : og_build_nomem(b);
}

typedef struct spec {
	const char *const *names; /* of the parts, as the description spells them */
	const int64_t *rows;      /* of each part: dim 0 claimed */
	size_t n;
	const int64_t *dims; /* of one tensor; dims[0] is replaced by rows[i] */
	int rank;
	int64_t first, count; /* rows taken of a single part; count 0: all */
	bool transpose, affine;
	float scale, add;
	int64_t taps; /* of a matrix: its rows are so many neighbours side by side; 0: they are not */
	og_fold fold;
	const og_tensor *gain;
} spec;

/* [out, taps·in] seen as [out, in, taps]. NULL: no memory. */
static const og_tensor *view_taps(og_build *b, const og_tensor *t, int64_t taps)
{
	og_tensor *v = og_arena_alloc(b->arena, sizeof(*v));
	int64_t in = t->dims[1] / taps;
	if (!v)
		return NULL;
	*v = *t;
	v->rank = 3;
	v->dims[1] = in;
	v->dims[2] = taps;
	v->strides[2] = in * t->strides[1];
	return v;
}

static og_val claim(og_build *b, const char *name, const spec *s)
{
	if (b->status != OG_OK)
		return OG_NONE;
	/* Described as float32 whatever the checkpoint's type: that is what the blocks compute in. What is no floating point, the ledger refuses. */
	og_init c = { .rank = s->rank, .transpose = s->transpose, .affine = s->affine, .scale = s->scale, .add = s->add, .dtype = OG_F32, .nparts = s->n,
		.fold = s->fold, .gain = s->gain };
	c.parts = og_arena_array(b->arena, s->n, sizeof(*c.parts));
	if (!c.parts || !name)
		return og_build_nomem(b);
	int64_t total = 0;
	for (size_t i = 0; i < s->n; i++) {
		int64_t dims[OG_RANK_MAX];
		if (s->rank) {
			memcpy(dims, s->dims, (size_t)s->rank * sizeof(*dims));
			dims[0] = s->rows[i];
		}
		const char *full = weight_name(b, s->names[i]);
		const og_tensor *t = full ? og_ledger_claim(b->ledger, full, dims, s->rank, &b->err) : NULL;
		if (b->err.status != OG_OK) {
			b->status = b->err.status;
			return OG_NONE;
		}
		if (t && t->rank == 2 && s->taps && !(t = view_taps(b, t, s->taps)))
			return og_build_nomem(b);
		c.parts[i] = (og_part){ t, s->first, s->count ? s->count : (s->rank ? dims[0] : 1) };
		total += c.parts[i].rows;
	}
	if (s->rank) {
		memcpy(c.dims, s->dims, (size_t)s->rank * sizeof(*c.dims));
		c.dims[0] = total;
	}
	if (s->taps) {
		c.rank = 3;
		c.dims[1] /= s->taps;
		c.dims[2] = s->taps;
	}
	if (s->fold == OG_FOLD_SOFTMAX) {
		c.rank = 2;
		c.dims[1] = c.dims[0];
		c.dims[0] = 1;
	}
	if (s->transpose) {
		int64_t rows = c.dims[0];
		c.dims[0] = c.dims[1];
		c.dims[1] = rows;
	}
	return add_init(b, name, &c);
}

static og_val claim_one(og_build *b, const char *name, spec *s)
{
	s->names = &name;
	s->rows = s->dims;
	s->n = 1;
	return claim(b, weight_name(b, name), s);
}

og_val og_weight_dims(og_build *b, const char *name, const int64_t *dims, int rank)
{
	return claim_one(b, name, &(spec){ .dims = dims, .rank = rank });
}

/* A matrix that the file holds as it lies already (a tied embedding) is not written twice: a Transpose turns it. */
og_val og_weight_transposed(og_build *b, const char *name, int64_t rows, int64_t cols)
{
	const char *full = weight_name(b, name), *key = full ? form_key(b, full, &(og_init){ .rank = 2, .parts = &(og_part){ .rows = rows } }) : NULL;
	uint64_t *plain = key ? og_strmap_find(b->weights, key) : NULL;
	spec s = { .dims = (int64_t[]){ rows, cols }, .rank = 2, .transpose = !plain };
	og_val w = claim_one(b, name, &s);
	return plain ? og_op(b, "Transpose", &w, 1, &OG_INTS("perm", ((const int64_t[]){ 1, 0 }), 2), 1) : w;
}

og_val og_weight_stack(og_build *b, const char *name, const char *const *names, const int64_t *rows, size_t n, int64_t cols, bool transpose)
{
	const spec s = { .names = names, .rows = rows, .n = n, .dims = (int64_t[]){ 0, cols }, .rank = cols ? 2 : 1, .transpose = transpose };
	if (n < 1 || (transpose && !cols))
		return og_build_fail(b, ONNXGATE_INTERNAL, "%s: a stack of %zu weights of width %lld", name, n, (long long)cols);
	return claim(b, weight_name(b, name), &s);
}

og_val og_weight_affine(og_build *b, const char *name, const int64_t *dims, int rank, float scale, float add)
{
	return claim_one(b, name, &(spec){ .dims = dims, .rank = rank, .affine = true, .scale = scale, .add = add });
}

og_val og_weight_rows(og_build *b, const char *name, int64_t rows, int64_t cols, int64_t first, int64_t count, bool transpose)
{
	if (first < 0 || count < 1 || first > rows - count || (transpose && !cols))
		return og_build_fail(b, ONNXGATE_INTERNAL, "%s: rows %lld to %lld of %lld", name, (long long)first, (long long)(first + count), (long long)rows);
	return claim_one(b, name, &(spec){ .dims = (int64_t[]){ rows, cols }, .rank = cols ? 2 : 1, .first = first, .count = count, .transpose = transpose });
}

og_val og_weight_normed(og_build *b, const char *name, const int64_t *dims, int rank)
{
	const char *plain = weight_name(b, name), *g, *v;
	if (b->status != OG_OK)
		return OG_NONE;
	if (plain && og_ledger_holds(b->ledger, plain))
		return og_weight_dims(b, name, dims, rank);
	g = og_arena_printf(b->arena, "parametrizations.%s.original0", name);
	v = og_arena_printf(b->arena, "parametrizations.%s.original1", name);
	if (!plain || !g || !v || !(g = weight_name(b, g)))
		return og_build_nomem(b);
	int64_t gain[OG_RANK_MAX];
	for (int i = 0; i < rank; i++)
		gain[i] = i == rank - 1 ? dims[i] : 1;
	const og_tensor *t = og_ledger_claim(b->ledger, g, gain, rank, &b->err);
	if (b->err.status != OG_OK) {
		b->status = b->err.status;
		return OG_NONE;
	}
	return claim(b, plain, &(spec){ .names = &v, .rows = dims, .n = 1, .dims = dims, .rank = rank, .fold = OG_FOLD_NORM, .gain = t });
}

og_val og_weight_softmax(og_build *b, const char *name, int64_t n)
{
	return claim_one(b, name, &(spec){ .dims = &n, .rank = 1, .fold = OG_FOLD_SOFTMAX });
}

og_val og_weight_taps(og_build *b, const char *name, int64_t out, int64_t in, int64_t taps)
{
	if (in < 1 || taps < 1 || in > OG_DIM_MAX / taps)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "%s: %lld neighbours of %lld elements are too many", name, (long long)taps, (long long)in);
	return claim_one(b, name, &(spec){ .dims = (int64_t[]){ out, taps * in }, .rank = 2, .taps = taps });
}

void og_tied(og_build *b, const char *alias, const char *source)
{
	const char *a = spelled(b, alias), *s = spelled(b, source);
	if (!a || !s || !og_ledger_tie(b->ledger, a, s))
		og_build_nomem(b);
}

og_ledger *og_build_ledger(og_build *b, og_ledger *ledger, const char *place)
{
	og_ledger *before = b->ledger;
	b->ledger = ledger;
	b->place = place;
	return before;
}

og_val og_const_data(og_build *b, og_dtype dtype, const int64_t *dims, int rank, const void *data)
{
	if (b->status != OG_OK)
		return OG_NONE;
	og_val v = og_model_constant(b->m, dtype, rank, dims, data);
	return v.id ? v : og_build_nomem(b);
}

og_val og_const_f32(og_build *b, float v)
{
	return og_const_data(b, OG_F32, NULL, 0, &v);
}

og_val og_const_i64(og_build *b, int64_t v)
{
	return og_const_data(b, OG_I64, NULL, 0, &v);
}

og_val og_const_ints(og_build *b, const int64_t *v, size_t n)
{
	return og_const_data(b, OG_I64, (int64_t[]){ (int64_t)n }, 1, v);
}
