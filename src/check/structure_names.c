/* SPDX-License-Identifier: Apache-2.0
 *
 * Names resolve, every value is made once, and before it is used.  One walk in the order of the nodes with a
 * mark for each name:
 *
 *     PENDING   some later node of an open graph makes it
 *     VISIBLE   made: an input, an initializer, or the output of a node that was passed
 *
 * A subgraph is walked where its node stands, so it sees exactly what that node sees; on leaving a graph its
 * marks are taken back from a log.  A use of what is PENDING is a fault of order (a cycle always has one), a
 * use of what has no mark is a name that does not resolve. */
#include "check/structure.h"

#include "base/limits.h"

#include <stdio.h>

enum { NONE, PENDING, VISIBLE };

typedef struct undo {
	uint32_t id;
	uint32_t graph;
	uint8_t mark;
} undo;

typedef struct walk {
	og_structure *st;
	og_findings names, order;
	uint8_t *mark;   /* by number of the name */
	uint32_t *graph; /* which graph made the mark */
	uint32_t *initializer; /* the last graph with an initializer of that name */
	uint32_t current, graphs;
	undo *log;
	size_t nlog, cap;
	size_t values;
} walk;

static og_status set_mark(walk *w, const char *name, uint8_t mark, og_error *err)
{
	uint32_t id = og_name_id(name);

	if (!og_arena_grow(w->st->arena, &w->log, &w->cap, w->nlog + 1, sizeof(*w->log)))
		return og_fail_nomem(err);
	w->log[w->nlog++] = (undo){ id, w->graph[id], w->mark[id] };
	w->mark[id] = mark;
	w->graph[id] = w->current;
	return OG_OK;
}

static uint8_t mark_of(const walk *w, const char *name)
{
	return w->mark[og_name_id(name)];
}

static bool made_here(const walk *w, const char *name)
{
	return w->graph[og_name_id(name)] == w->current;
}

/* May a new value not have that name? An outer value that will only be made later cannot be meant inside of a subgraph, so
 * its name is free there: the branches of an If often name their outputs as the If does. */
static bool is_taken(const walk *w, const char *name)
{
	return mark_of(w, name) == VISIBLE || (mark_of(w, name) == PENDING && made_here(w, name));
}

/* A value that the graph begins with. */
static og_status declare(walk *w, const char *name, const char *what, bool again_ok, og_error *err)
{
	if (!name[0]) {
		og_fault(&w->names, "%s without a name", what);
		return OG_OK;
	}
	if (!is_taken(w, name))
		w->values++;
	else if (!again_ok || !made_here(w, name))
		og_fault(&w->names, "%s '%s' is made twice", what, name);
	return set_mark(w, name, VISIBLE, err);
}

static void check_use(walk *w, const og_onnx_node *n, const char *name)
{
	char where[400];

	w->names.looked++;
	if (mark_of(w, name) == NONE)
		og_fault(&w->names, "%s uses '%s', which nothing makes", og_node_show(n, where, sizeof(where)), name);
	else if (mark_of(w, name) == PENDING)
		og_fault(&w->order, "%s uses '%s' before it is made", og_node_show(n, where, sizeof(where)), name);
}

static og_status walk_graph(walk *w, const og_onnx_graph *g, og_error *err);

static og_status walk_node(walk *w, const og_onnx_node *n, og_error *err)
{
	w->order.looked++;
	for (size_t i = 0; i < n->ninputs; i++) {
		if (n->inputs[i][0])
			check_use(w, n, n->inputs[i]);
	}
	for (size_t i = 0; i < n->nattributes; i++) {
		const og_onnx_attribute *a = &n->attributes[i];

		if (a->g)
			OG_TRY(walk_graph(w, a->g, err));
		for (size_t j = 0; j < a->ngraphs; j++)
			OG_TRY(walk_graph(w, a->graphs[j], err));
	}
	for (size_t i = 0; i < n->noutputs; i++) {
		if (n->outputs[i][0])
			OG_TRY(set_mark(w, n->outputs[i], VISIBLE, err));
	}
	return OG_OK;
}

/* Before the nodes are walked: what they will make, each once. */
static og_status announce(walk *w, const og_onnx_node *nodes, size_t count, og_error *err)
{
	char where[400];

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < nodes[i].noutputs; j++) {
			const char *name = nodes[i].outputs[j];

			if (!name[0])
				continue;
			w->values++;
			if (is_taken(w, name))
				og_fault(&w->names, "%s makes '%s', which is made elsewhere too", og_node_show(&nodes[i], where, sizeof(where)), name);
			OG_TRY(set_mark(w, name, PENDING, err));
		}
	}
	return OG_OK;
}

static og_status walk_nodes(walk *w, const og_onnx_node *nodes, size_t n, og_error *err)
{
	OG_TRY(announce(w, nodes, n, err));
	for (size_t i = 0; i < n; i++)
		OG_TRY(walk_node(w, &nodes[i], err));
	return OG_OK;
}

static void take_back(walk *w, size_t log, uint32_t current)
{
	while (w->nlog > log) {
		const undo *u = &w->log[--w->nlog];

		w->mark[u->id] = u->mark;
		w->graph[u->id] = u->graph;
	}
	w->current = current;
}

/* An output must be a value of this very graph: a runtime refuses a subgraph that hands out what it captured. */
static void check_output(walk *w, const char *what, const char *name)
{
	w->names.looked++;
	if (!name[0])
		og_fault(&w->names, "%s without a name", what);
	else if (mark_of(w, name) != VISIBLE || !made_here(w, name))
		og_fault(&w->names, "%s '%s' is nothing that its graph makes", what, name);
}

static og_status begin_graph(walk *w, const og_onnx_graph *g, og_error *err)
{
	bool listed = w->st->model->ir_version < 4; /* then initializers stand among the inputs */

	for (size_t i = 0; i < g->ninputs; i++)
		OG_TRY(declare(w, g->inputs[i].name, "graph input", false, err));
	for (size_t i = 0; i < g->ninitializers + g->nsparse_initializers; i++) {
		const char *name;
		const og_onnx_sparse *sparse = i < g->ninitializers ? NULL : &g->sparse_initializers[i - g->ninitializers];

		name = !sparse ? g->initializers[i].name : sparse->values ? sparse->values->name : og_names_at(w->st->model->names, 0);
		if (listed && !sparse && (mark_of(w, name) == NONE || !made_here(w, name)))
			og_fault(&w->names, "initializer '%s' is no graph input, as IR version %lld wants it", name, (long long)w->st->model->ir_version);
		OG_TRY(declare(w, name, "initializer", true, err));
	}
	return OG_OK;
}

/* Initializers may share a name with an input, whose default they are, but not with one another. */
static void check_initializers(walk *w, const og_onnx_graph *g)
{
	for (size_t i = 0; i < g->ninitializers; i++) {
		const char *name = g->initializers[i].name;
		uint32_t *seen = &w->initializer[og_name_id(name)];

		if (name[0] && *seen == w->current)
			og_fault(&w->names, "initializer '%s' is given twice", name);
		*seen = w->current;
	}
}

static og_status walk_graph(walk *w, const og_onnx_graph *g, og_error *err)
{
	size_t log = w->nlog;
	uint32_t outer = w->current;

	w->current = ++w->graphs;
	OG_TRY(begin_graph(w, g, err));
	check_initializers(w, g);
	OG_TRY(walk_nodes(w, g->nodes, g->nnodes, err));
	for (size_t i = 0; i < g->noutputs; i++)
		check_output(w, "graph output", g->outputs[i].name);
	take_back(w, log, outer);
	return OG_OK;
}

static og_status walk_function(walk *w, const og_onnx_function *f, og_error *err)
{
	size_t log = w->nlog;

	w->current = ++w->graphs;
	for (size_t i = 0; i < f->ninputs; i++)
		OG_TRY(declare(w, f->inputs[i], "function input", false, err));
	OG_TRY(walk_nodes(w, f->nodes, f->nnodes, err));
	for (size_t i = 0; i < f->noutputs; i++)
		check_output(w, "function output", f->outputs[i]);
	take_back(w, log, 0);
	return OG_OK;
}

/* ---- functions: known once each, and none calls itself ------------------------------------------------ */

typedef struct calls {
	og_names *keys;      /* "domain\1name\1overload" */
	uint32_t *by_key;    /* number of the key -> function + 1 */
	uint8_t *state;      /* 0 new, 1 open, 2 done */
	size_t *list, *node; /* where an open function goes on */
	uint32_t *stack;
} calls;

enum { KEY_MAX = 3 * OG_NAME_MAX + 3 };

static og_str function_key(char *key, const char *domain, const char *name, const char *overload)
{
	int n = snprintf(key, KEY_MAX, "%s\1%s\1%s", domain, name, overload);

	return (og_str){ key, (size_t)n };
}

static og_status calls_init(walk *w, calls *c, og_error *err)
{
	og_arena *a = w->st->arena;
	const og_onnx_model *m = w->st->model;
	size_t n = m->nfunctions;
	char text[KEY_MAX];

	c->keys = og_names_new(a);
	c->by_key = og_arena_array(a, n + 1, sizeof(*c->by_key));
	c->state = og_arena_array(a, n, sizeof(*c->state));
	c->list = og_arena_array(a, n, sizeof(*c->list));
	c->node = og_arena_array(a, n, sizeof(*c->node));
	c->stack = og_arena_array(a, n, sizeof(*c->stack));
	if (!c->keys || !c->by_key || !c->state || !c->list || !c->node || !c->stack)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const og_onnx_function *f = &m->functions[i];
		const char *key = og_names_add(c->keys, function_key(text, f->domain, f->name, f->overload));

		if (!key)
			return og_fail_nomem(err);
		if (c->by_key[og_name_id(key)])
			og_fault(&w->names, "function '%s' is given twice", f->name);
		c->by_key[og_name_id(key)] = (uint32_t)i + 1;
		c->list[i] = w->st->function_list[i];
	}
	return OG_OK;
}

/* The next function that the open function `at` calls, or -1. */
static int64_t next_call(walk *w, calls *c, uint32_t at)
{
	const og_structure *st = w->st;
	char text[KEY_MAX];

	for (; c->list[at] < st->function_list[at + 1]; c->list[at]++, c->node[at] = 0) {
		const og_node_list *l = &st->lists[c->list[at]];

		while (c->node[at] < l->n) {
			const og_onnx_node *n = &l->nodes[c->node[at]++];
			const char *key = og_names_find(c->keys, function_key(text, n->domain, n->op_type, n->overload));

			if (key)
				return (int64_t)c->by_key[og_name_id(key)] - 1;
		}
	}
	return -1;
}

static og_status check_calls(walk *w, og_error *err)
{
	const og_onnx_model *m = w->st->model;
	calls c = { 0 };

	if (m->nfunctions == 0)
		return OG_OK;
	OG_TRY(calls_init(w, &c, err));
	for (uint32_t i = 0; i < m->nfunctions; i++) {
		size_t depth = 0;

		if (c.state[i])
			continue;
		c.stack[depth++] = i;
		c.state[i] = 1;
		while (depth > 0) {
			uint32_t at = c.stack[depth - 1];
			int64_t next = next_call(w, &c, at);

			if (next < 0) {
				c.state[at] = 2;
				depth--;
			} else if (c.state[next] == 1) {
				og_fault(&w->order, "function '%s' calls itself", m->functions[next].name);
			} else if (c.state[next] == 0) {
				c.state[next] = 1;
				c.stack[depth++] = (uint32_t)next;
			}
		}
	}
	return OG_OK;
}

og_status og_structure_names(og_structure *st, bool *resolved, og_error *err)
{
	const og_onnx_model *m = st->model;
	size_t n = og_names_count(m->names);
	walk w = { .st = st, .names = { .st = st }, .order = { .st = st } };

	w.mark = og_arena_array(st->arena, n, sizeof(*w.mark));
	w.graph = og_arena_array(st->arena, n, sizeof(*w.graph));
	w.initializer = og_arena_array(st->arena, n, sizeof(*w.initializer));
	if (!w.mark || !w.graph || !w.initializer)
		return og_fail_nomem(err);
	OG_TRY(walk_graph(&w, m->graph, err));
	for (size_t i = 0; i < m->nfunctions; i++)
		OG_TRY(walk_function(&w, &m->functions[i], err));
	OG_TRY(check_calls(&w, err));
	*resolved = w.names.faults == 0 && w.order.faults == 0;
	OG_TRY(og_findings_row(&w.names, "structure.names", err, "%zu uses of %zu values", w.names.looked, w.values));
	return og_findings_row(&w.order, "structure.order", err, "%zu nodes", w.order.looked);
}
