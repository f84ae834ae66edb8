/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder: scopes, inputs and outputs, nodes, subgraphs, and the last pass that drops what no output needs.
 * Weights are claimed in weight.c. */
#include "graph/build_int.h"

#include "base/str.h"

#include <stdio.h>

og_status og_build_new(og_arena *arena, og_ledger *ledger, og_build **out, og_error *err)
{
	og_build *b = og_arena_alloc(arena, sizeof(*b));
	og_model *m = og_arena_alloc(arena, sizeof(*m));
	og_graph *g = og_arena_alloc(arena, sizeof(*g));
	if (!b || !m || !g)
		return og_fail_nomem(err);
	g->name = "main_graph";
	*m = (og_model){ .arena = arena, .dims = og_dims_new(arena), .constants = og_strmap_new(arena), .main = g };
	*b = (og_build){ .arena = arena, .ledger = ledger, .m = m, .graph = g };
	b->names = og_strmap_new(arena);
	b->weights = og_strmap_new(arena);
	b->symbols = og_strmap_new(arena);
	if (!m->dims || !m->constants || !b->names || !b->weights || !b->symbols)
		return og_fail_nomem(err);
	*out = b;
	return OG_OK;
}

bool og_build_stuck(const og_build *b)
{
	return b->status != OG_OK;
}

og_val og_build_fail(og_build *b, og_status status, const char *fmt, ...)
{
	if (b->status != OG_OK)
		return OG_NONE;
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	b->status = og_fail(&b->err, status, "%s: %s", b->node_scope[0] ? b->node_scope : "/", text);
	return OG_NONE;
}

og_val og_build_nomem(og_build *b)
{
	if (b->status == OG_OK)
		b->status = og_fail_nomem(&b->err);
	return OG_NONE;
}

/* ---- scopes ---- */

/* "encoder.layer.3" becomes "/encoder/layer.3": a number belongs to the name before it, as in PyTorch's own exports. */
static bool append_path(char *path, size_t cap, const char *dotted)
{
	size_t n = strlen(path);
	for (const char *p = dotted; *p;) {
		size_t k = strcspn(p, ".");
		bool number = k && strspn(p, "0123456789") >= k;
		int w = snprintf(path + n, cap - n, "%c%.*s", number && n ? '.' : '/', (int)k, p);
		if (w < 0 || (size_t)w >= cap - n)
			return false;
		n += (size_t)w;
		p += k + (p[k] == '.');
	}
	return true;
}

static bool append_name(char *scope, size_t cap, const char *name)
{
	size_t n = strlen(scope);
	int w = name[0] ? snprintf(scope + n, cap - n, "%s%s", n ? "." : "", name) : 0;
	return w >= 0 && (size_t)w < cap - n;
}

int og_scope_push(og_build *b, int which, const char *fmt, ...)
{
	char part[OG_NAME_MAX];
	va_list ap;
	va_start(ap, fmt);
	int wanted = vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	if (b->depth == OG_SCOPE_DEPTH_MAX) {
		og_build_fail(b, ONNXGATE_INTERNAL, "scopes nest deeper than %d", OG_SCOPE_DEPTH_MAX);
		return 1;
	}
	b->saved[b->depth++] = (og_saved_scope){ strlen(b->node_scope), strlen(b->weight_scope) };
	bool fits = wanted >= 0 && (size_t)wanted < sizeof(part);
	if (which & 1)
		fits = append_path(b->node_scope, sizeof(b->node_scope), part) && fits;
	if (which & 2)
		fits = append_name(b->weight_scope, sizeof(b->weight_scope), b->weight_scope[0] ? part : og_ledger_scope(b->ledger, part)) && fits;
	if (!fits)
		og_build_fail(b, ONNXGATE_INTERNAL, "scope %.60s… is too long", part);
	return 1;
}

int og_scope_pop(og_build *b)
{
	if (b->depth) {
		og_saved_scope s = b->saved[--b->depth];
		b->node_scope[s.node] = 0;
		b->weight_scope[s.weight] = 0;
	}
	return 0;
}

/* "NAME", or "NAME_1", … when it is taken. */
const char *og_build_unique(og_build *b, const char *name)
{
	uint64_t *count = name ? og_strmap_slot(b->names, name) : NULL;
	if (!count)
		return NULL;
	uint64_t k = (*count)++;
	return k == 0 ? name : og_build_unique(b, og_arena_printf(b->arena, "%s_%llu", name, (unsigned long long)k));
}

/* ---- inputs and outputs ---- */

/* The names of inputs and outputs are promised to others: when one is taken it cannot be spelled otherwise. */
static const char *public_name(og_build *b, const char *name)
{
	const char *got = og_build_unique(b, name);
	if (!got)
		(void)og_build_nomem(b);
	else if (got != name)
		(void)og_build_fail(b, ONNXGATE_INTERNAL, "the name %s is given twice", name);
	const char *kept = got == name ? og_arena_strdup(b->arena, name) : NULL;
	if (got == name && !kept)
		(void)og_build_nomem(b);
	return kept;
}

og_val og_input_dims(og_build *b, const char *name, og_dtype dtype, const char *const *dims)
{
	og_dim d[OG_RANK_MAX];
	int rank = 0;
	if (b->status != OG_OK)
		return OG_NONE;
	for (; dims[rank] && rank < OG_RANK_MAX; rank++)
		if (!(d[rank] = og_dim_parse(b->m->dims, dims[rank])).id)
			return og_build_fail(b, ONNXGATE_INTERNAL, "input %s: dim \"%s\" cannot be read", name, dims[rank]);
	if (rank == OG_RANK_MAX && dims[rank])
		return og_build_fail(b, ONNXGATE_INTERNAL, "input %s: more than %d dims", name, OG_RANK_MAX);
	og_val v = og_model_new_value(b->m, dtype, rank, d);
	og_value *x = og_model_value(b->m, v);
	og_graph *g = b->m->main;
	if (!x || !og_arena_grow(b->arena, &g->inputs, &g->inputs_cap, g->ninputs + 1, sizeof(*g->inputs)))
		return og_build_nomem(b);
	x->name = public_name(b, name);
	x->home = g;
	g->inputs[g->ninputs++] = v;
	return x->name ? v : OG_NONE;
}

/* The output carries its public name; when the value has one already (an input, or an output twice), an Identity does. */
void og_output(og_build *b, const char *name, og_val v)
{
	if (b->status != OG_OK)
		return;
	og_graph *g = b->m->main;
	og_value *x = og_model_value(b->m, v);
	bool taken = x && !x->node;
	for (size_t i = 0; i < g->noutputs; i++)
		taken = taken || g->outputs[i].id == v.id;
	if (x && taken) {
		v = og_op(b, "Identity", &v, 1, NULL, 0);
		x = og_model_value(b->m, v);
	}
	if (!x) {
		og_build_fail(b, ONNXGATE_INTERNAL, "output %s has no value", name);
		return;
	}
	if (!og_arena_grow(b->arena, &g->outputs, &g->outputs_cap, g->noutputs + 1, sizeof(*g->outputs))) {
		og_build_nomem(b);
		return;
	}
	const char *public = public_name(b, name);
	if (!public)
		return;
	x->name = public;
	g->outputs[g->noutputs++] = v;
}

/* ---- nodes ---- */

static const char *node_name(og_build *b, const char *op)
{
	return og_build_unique(b, og_arena_printf(b->arena, "%s/%s", b->node_scope, op));
}

static og_node *append(og_build *b, og_graph *g, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs, const og_val *out,
	size_t nout)
{
	const char *name = node_name(b, op);
	og_node *n = name ? og_graph_append(b->m, g, op, name, in, nin, out, nout, attrs, nattrs) : NULL;
	for (size_t i = 0; n && i < nout; i++) {
		og_value *v = og_model_value(b->m, out[i]);
		v->name = og_arena_printf(b->arena, "%s_output_%zu", name, i);
		if (!v->name)
			n = NULL;
	}
	if (!n)
		og_build_nomem(b);
	return n;
}

og_val og_op(og_build *b, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs)
{
	if (b->status != OG_OK)
		return OG_NONE;
	og_node n = { .op = op, .in = (og_val *)in, .nin = nin, .attrs = (og_attr *)attrs, .nattrs = nattrs };
	og_value r = { 0 };
	og_error err = { 0 };
	og_status s = og_infer(b->m, &n, &r, 1, &err);
	if (s != OG_OK)
		return og_build_fail(b, s, "%s", err.message);
	return og_build_append(b, op, in, nin, attrs, nattrs, &r);
}

og_val og_build_append(og_build *b, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs, const og_value *as)
{
	if (b->status != OG_OK)
		return OG_NONE;
	og_val out = og_model_new_value(b->m, as->dtype, as->rank, as->dims);
	if (!out.id || !append(b, b->graph, op, in, nin, attrs, nattrs, &out, 1))
		return og_build_nomem(b);
	og_value *v = og_model_value(b->m, out);
	v->elems = as->elems;
	v->nelems = as->nelems;
	return out;
}

/* ---- subgraphs ---- */

static og_graph *describe_branch(og_build *b, const char *name, og_branch_fn fn, void *arg, size_t nout)
{
	og_graph *outer = b->graph, *g = og_arena_alloc(b->arena, sizeof(*g));
	og_val *out = og_arena_array(b->arena, nout ? nout : 1, sizeof(*out));
	if (!g || !out) {
		og_build_nomem(b);
		return NULL;
	}
	g->parent = outer;
	g->name = name;
	b->graph = g;
	OG_NODE_SCOPE(b, "%s", name) fn(b, arg, out);
	for (size_t i = 0; i < nout; i++) { /* a subgraph's output must be computed in it, and be its output once */
		const og_value *v = og_model_value(b->m, out[i]);
		bool taken = v && (v->home != g || !v->node);
		for (size_t k = 0; k < i; k++)
			taken = taken || out[k].id == out[i].id;
		if (v && taken)
			out[i] = og_op(b, "Identity", &out[i], 1, NULL, 0);
	}
	b->graph = outer;
	g->outputs = out;
	g->noutputs = g->outputs_cap = nout;
	return g;
}

/* What an If gives: the branches' shape where they agree, a fresh symbol where they do not. */
static bool join(og_build *b, const og_value *x, const og_value *y, size_t index, og_value *r)
{
	if (!x || !y || x->dtype != y->dtype || x->rank != y->rank)
		return false;
	*r = (og_value){ .dtype = x->dtype, .rank = x->rank };
	for (int i = 0; i < x->rank; i++) {
		const char *fresh = og_arena_printf(b->arena, "if_%zu_output_%zu_dim_%d", b->ifs, index, i);
		r->dims[i] = og_dim_eq(x->dims[i], y->dims[i]) || !fresh ? x->dims[i] : og_dim_symbol(b->m->dims, fresh);
	}
	return true;
}

void og_if(og_build *b, og_val cond, og_branch_fn then_branch, og_branch_fn else_branch, void *arg, og_val *out, size_t nout)
{
	for (size_t i = 0; i < nout; i++)
		out[i] = OG_NONE;
	const og_value *c = og_model_value(b->m, cond);
	if (b->status == OG_OK && (!c || c->dtype != OG_BOOL || nout > OG_NODE_OUTPUTS_MAX)) {
		og_build_fail(b, ONNXGATE_INTERNAL, "If: a boolean condition and at most %d outputs are wanted", OG_NODE_OUTPUTS_MAX);
		return;
	}
	og_graph *t = describe_branch(b, "then", then_branch, arg, nout), *e = describe_branch(b, "else", else_branch, arg, nout);
	b->ifs++;
	og_val *made = og_arena_array(b->arena, nout ? nout : 1, sizeof(*made));
	if (!made)
		og_build_nomem(b);
	for (size_t i = 0; i < nout && b->status == OG_OK; i++) {
		og_value r;
		if (!join(b, og_model_value(b->m, t->outputs[i]), og_model_value(b->m, e->outputs[i]), i, &r)) {
			og_build_fail(b, ONNXGATE_INTERNAL, "If: output %zu differs in type or rank between the branches", i);
			return;
		}
		made[i] = og_model_new_value(b->m, r.dtype, r.rank, r.dims);
		if (!made[i].id)
			og_build_nomem(b);
	}
	if (b->status != OG_OK)
		return;
	og_attr attrs[] = { { .name = "then_branch", .kind = OG_ATTR_GRAPH, .graph = t }, { .name = "else_branch", .kind = OG_ATTR_GRAPH, .graph = e } };
	if (append(b, b->graph, "If", &cond, 1, attrs, 2, made, nout))
		memcpy(out, made, nout * sizeof(*out));
}

void og_build_say_dim(og_build *b, og_val v, int axis, og_dim d)
{
	og_value *x = og_model_value(b->m, v);
	if (b->status != OG_OK)
		return;
	if (!x || !x->node || strcmp(x->node->op, "If") != 0 || axis < 0 || axis >= x->rank || !d.id)
		og_build_fail(b, ONNXGATE_INTERNAL, "only a dim of what an If gives can be said");
	else
		x->dims[axis] = d;
}

/* ---- what is known ---- */

og_dtype og_dtype_of(const og_build *b, og_val v)
{
	const og_value *x = og_model_value(b->m, v);
	return x ? x->dtype : OG_DTYPE_NONE;
}

int og_rank_of(const og_build *b, og_val v)
{
	const og_value *x = og_model_value(b->m, v);
	return x ? x->rank : 0;
}

og_dim og_dim_at(og_build *b, og_val v, int axis)
{
	const og_value *x = og_model_value(b->m, v);
	int i = x && axis < 0 ? axis + x->rank : axis;
	return x && i >= 0 && i < x->rank ? x->dims[i] : (og_dim){ 0 };
}

og_dim og_dim_of(og_build *b, int64_t v)
{
	return og_dim_int(b->m->dims, v);
}

og_dims *og_build_dims(og_build *b)
{
	return b->m->dims;
}

/* ---- the end: what no output needs goes ---- */

/* A node uses only what was appended before it, so one backward pass over the nodes finds all that is live. */
static void mark_graph(const og_graph *g, bool *live)
{
	for (size_t i = 0; i < g->noutputs; i++)
		live[g->outputs[i].id] = true;
	for (size_t i = g->nnodes; i-- > 0;) {
		const og_node *n = g->nodes[i];
		bool used = false;
		for (size_t k = 0; k < n->nout; k++)
			used = used || live[n->out[k].id];
		for (size_t k = 0; used && k < n->nin; k++)
			live[n->in[k].id] = true;
		for (size_t k = 0; used && k < n->nattrs; k++)
			if (n->attrs[k].graph)
				mark_graph(n->attrs[k].graph, live);
	}
}

static void sweep(og_graph *g, const bool *live)
{
	size_t kept = 0;
	for (size_t i = 0; i < g->nnodes; i++) {
		og_node *n = g->nodes[i];
		bool used = false;
		for (size_t k = 0; k < n->nout; k++)
			used = used || live[n->out[k].id];
		if (!used)
			continue;
		g->nodes[kept++] = n;
		for (size_t k = 0; k < n->nattrs; k++)
			if (n->attrs[k].graph)
				sweep(n->attrs[k].graph, live);
	}
	g->nnodes = kept;
}

og_status og_build_finish(og_build *b, og_model **out, og_error *err)
{
	if (b->status == OG_OK && b->depth)
		og_build_fail(b, ONNXGATE_INTERNAL, "a scope was left open");
	if (b->status == OG_OK && !b->m->main->noutputs)
		og_build_fail(b, ONNXGATE_INTERNAL, "the description has no output");
	if (b->status != OG_OK) {
		if (err)
			*err = b->err;
		return b->status;
	}
	og_model *m = b->m;
	bool *live = og_arena_array(b->arena, m->nvalues, sizeof(*live));
	if (!live)
		return og_fail_nomem(err);
	mark_graph(m->main, live);
	sweep(m->main, live);
	*out = m;
	return og_model_order_inits(m, err);
}
