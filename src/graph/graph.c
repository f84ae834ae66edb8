/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph's own bookkeeping: values, nodes, shared constants. */
#include "graph/graph.h"

#include "base/str.h"

const og_attr *og_node_attr(const og_node *n, const char *name)
{
	for (size_t i = 0; i < n->nattrs; i++)
		if (og_streq(n->attrs[i].name, name))
			return &n->attrs[i];
	return NULL;
}

int64_t og_node_int(const og_node *n, const char *name, int64_t fallback)
{
	const og_attr *a = og_node_attr(n, name);
	return a && a->kind == OG_ATTR_INT ? a->i : fallback;
}

og_val og_model_new_value(og_model *m, og_dtype dtype, int rank, const og_dim *dims)
{
	size_t id = m->nvalues ? m->nvalues : 1;
	if (rank < 0 || rank > OG_RANK_MAX || !og_arena_grow(m->arena, &m->values, &m->values_cap, id + 1, sizeof(og_value)))
		return OG_NONE;
	og_value *v = &m->values[id];
	*v = (og_value){ .dtype = dtype, .rank = rank };
	for (int i = 0; i < rank; i++)
		v->dims[i] = dims[i];
	m->nvalues = id + 1;
	return (og_val){ (uint32_t)id };
}

static void *copy_array(og_arena *a, const void *p, size_t n, size_t size)
{
	void *q = og_arena_array(a, n ? n : 1, size);
	if (q && n)
		memcpy(q, p, n * size);
	return q;
}

og_node *og_graph_append(og_model *m, og_graph *g, const char *op, const char *name, const og_val *in, size_t nin, const og_val *out, size_t nout,
	const og_attr *attrs, size_t nattrs)
{
	og_node *n = og_arena_alloc(m->arena, sizeof(*n));
	if (!n || !og_arena_grow(m->arena, &g->nodes, &g->nodes_cap, g->nnodes + 1, sizeof(*g->nodes)))
		return NULL;
	*n = (og_node){ .op = op, .name = name, .nin = nin, .nout = nout, .nattrs = nattrs };
	n->in = copy_array(m->arena, in, nin, sizeof(*in));
	n->out = copy_array(m->arena, out, nout, sizeof(*out));
	n->attrs = copy_array(m->arena, attrs, nattrs, sizeof(*attrs));
	if (!n->in || !n->out || !n->attrs)
		return NULL;
	for (size_t i = 0; i < nattrs; i++)
		if (attrs[i].kind == OG_ATTR_INTS && !(n->attrs[i].ints = copy_array(m->arena, attrs[i].ints, attrs[i].nints, sizeof(int64_t))))
			return NULL;
	for (size_t i = 0; i < nout; i++) {
		og_value *v = og_model_value(m, out[i]);
		v->node = n;
		v->home = g;
	}
	g->nodes[g->nnodes++] = n;
	return n;
}

static bool same_constant(const og_init *c, og_dtype dtype, int rank, const int64_t *dims, const void *data, uint64_t size)
{
	return c->data && c->dtype == dtype && c->rank == rank && c->size == size && (rank == 0 || memcmp(c->dims, dims, (size_t)rank * sizeof(*dims)) == 0)
	       && memcmp(c->data, data, size) == 0;
}

/* Small integer constants are known as dims, so that shape arithmetic can be followed. */
static void know_elements(og_model *m, og_value *v, const og_init *c)
{
	uint64_t n = c->size / sizeof(int64_t);
	if (c->dtype != OG_I64 || c->rank > 1 || n > OG_RANK_MAX)
		return;
	og_dim *e = og_arena_array(m->arena, n ? n : 1, sizeof(*e));
	for (uint64_t i = 0; e && i < n; i++)
		e[i] = og_dim_int(m->dims, ((const int64_t *)c->data)[i]);
	v->elems = e;
	v->nelems = (int)n;
}

/* Constants are named by what they are, so that a name does not tell when they were made: "/constants/int64/[0,-1]". */
static const char *constant_name(og_model *m, og_dtype dtype, int rank, const int64_t *dims, const void *data, uint64_t size)
{
	const char *type = og_dtype_name(dtype);
	if (rank == 0 && dtype == OG_F32)
		return og_arena_printf(m->arena, "/constants/%s/%.9g", type, (double)*(const float *)data);
	if (rank == 0 && dtype == OG_I64)
		return og_arena_printf(m->arena, "/constants/%s/%lld", type, (long long)*(const int64_t *)data);
	if (rank == 1 && dtype == OG_I64 && dims[0] <= OG_RANK_MAX) {
		const char *s = "";
		for (int64_t i = 0; s && i < dims[0]; i++)
			s = og_arena_printf(m->arena, "%s%s%lld", s, i ? "," : "", (long long)((const int64_t *)data)[i]);
		return s ? og_arena_printf(m->arena, "/constants/%s/[%s]", type, s) : NULL;
	}
	uint64_t h = 0xcbf29ce484222325u + (uint64_t)rank; /* FNV-1a over dims and bytes */
	for (uint64_t i = 0; i < (uint64_t)rank * sizeof(*dims); i++)
		h = (h ^ ((const uint8_t *)dims)[i]) * 0x100000001b3u;
	for (uint64_t i = 0; i < size; i++)
		h = (h ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
	return og_arena_printf(m->arena, "/constants/%s/%016llx", type, (unsigned long long)h);
}

static og_val add_constant(og_model *m, const char *name, const og_init *as)
{
	og_dim shape[OG_RANK_MAX];
	for (int i = 0; i < as->rank; i++)
		shape[i] = og_dim_int(m->dims, as->dims[i]);
	og_init *c = og_arena_alloc(m->arena, sizeof(*c));
	void *copy = copy_array(m->arena, as->data, as->size, 1);
	uint64_t *slot = og_strmap_slot(m->constants, name);
	og_val val = og_model_new_value(m, as->dtype, as->rank, shape);
	og_value *v = og_model_value(m, val);
	if (!c || !copy || !slot || !v || !og_arena_grow(m->arena, &m->inits, &m->inits_cap, m->ninits + 1, sizeof(*m->inits)))
		return OG_NONE;
	*c = *as;
	c->name = v->name = name;
	c->data = copy;
	c->val = val;
	v->init = c;
	v->home = m->main;
	know_elements(m, v, c);
	*slot = (uintptr_t)c;
	m->inits[m->ninits++] = c;
	return val;
}

og_val og_model_constant(og_model *m, og_dtype dtype, int rank, const int64_t *dims, const void *data)
{
	og_init c = { .dtype = dtype, .rank = rank, .data = data };
	uint64_t elements = 1;
	for (int i = 0; i < rank; i++) {
		c.dims[i] = dims[i];
		elements *= (uint64_t)dims[i]; /* our own constants: small */
	}
	if (!og_dtype_bytes(dtype, elements, &c.size))
		return OG_NONE;
	const char *name = constant_name(m, dtype, rank, dims, data, c.size);
	while (name) { /* a name that another holds (a NaN of other bits; a constant that a lowering has changed) is spelled on */
		const uint64_t *slot = og_strmap_find(m->constants, name);
		const og_init *known = slot && *slot ? (const og_init *)(uintptr_t)*slot : NULL;
		if (!known)
			return add_constant(m, name, &c);
		if (same_constant(known, dtype, rank, dims, data, c.size))
			return known->val;
		name = og_arena_printf(m->arena, "%s_", name);
	}
	return OG_NONE;
}

static bool use_inits(og_model *m, const og_graph *g, bool *seen)
{
	for (size_t i = 0; i < g->nnodes; i++) {
		const og_node *n = g->nodes[i];
		for (size_t k = 0; k < n->nin; k++) {
			const og_value *v = og_model_value(m, n->in[k]);
			if (!v || !v->init || seen[n->in[k].id])
				continue;
			if (!og_arena_grow(m->arena, &m->inits, &m->inits_cap, m->ninits + 1, sizeof(*m->inits)))
				return false;
			seen[n->in[k].id] = true;
			m->inits[m->ninits++] = v->init;
		}
		for (size_t k = 0; k < n->nattrs; k++)
			if (n->attrs[k].graph && !use_inits(m, n->attrs[k].graph, seen))
				return false;
	}
	return true;
}

og_status og_model_order_inits(og_model *m, og_error *err)
{
	bool *seen = og_arena_array(m->arena, m->nvalues ? m->nvalues : 1, sizeof(*seen));
	if (!seen)
		return og_fail_nomem(err);
	m->ninits = 0; /* what is used comes back, in order, from the nodes */
	return use_inits(m, m->main, seen) ? OG_OK : og_fail_nomem(err);
}
