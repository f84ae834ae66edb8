/* SPDX-License-Identifier: Apache-2.0
 *
 * The opset lowering and the half-precision lowering.  Each rebuilds the node lists, graph by graph, so that a rewritten
 * node's replacements stand in its place. */
#include "graph/lower.h"

#include "base/str.h"

typedef struct pass {
	og_model *m;
	og_graph *g;   /* being rebuilt: nodes are appended here */
	og_error *err;
	unsigned serial; /* of the nodes that replace the one at hand: their names */
} pass;

typedef og_status (*rewrite_fn)(pass *p, og_node *n);

static og_status keep(pass *p, og_node *n)
{
	og_graph *g = p->g;
	if (!og_arena_grow(p->m->arena, &g->nodes, &g->nodes_cap, g->nnodes + 1, sizeof(*g->nodes)))
		return og_fail_nomem(p->err);
	g->nodes[g->nnodes++] = n;
	return OG_OK;
}

/* A new node of the pass: its name is the replaced node's with a suffix, its result is like `like` but for the dtype.
 * Takes no optional inputs; OG_NONE when there is no memory. */
static og_val emit(pass *p, const char *stem, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs, og_val like, og_dtype dtype)
{
	const og_value shape = *og_model_value(p->m, like);
	for (size_t i = 0; i < nin; i++)
		if (!in[i].id) /* no memory for the node before */
			return OG_NONE;
	og_val out = og_model_new_value(p->m, dtype, shape.rank, shape.dims);
	const char *name = og_arena_printf(p->m->arena, "%s/%s_%u", stem, op, p->serial++);
	const char *result = name ? og_arena_printf(p->m->arena, "%s_output_0", name) : NULL;
	if (!out.id || !result || !og_graph_append(p->m, p->g, op, name, in, nin, &out, 1, attrs, nattrs))
		return OG_NONE;
	og_model_value(p->m, out)->name = result;
	return out;
}

static og_status rebuild(pass *p, og_graph *g, rewrite_fn rewrite)
{
	og_node **old = g->nodes;
	size_t n = g->nnodes;
	og_graph *outer = p->g;
	g->nodes = NULL;
	g->nnodes = g->nodes_cap = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < old[i]->nattrs; k++)
			if (old[i]->attrs[k].graph)
				OG_TRY(rebuild(p, old[i]->attrs[k].graph, rewrite));
		p->g = g;
		p->serial = 0;
		OG_TRY(rewrite(p, old[i]));
	}
	p->g = outer;
	return OG_OK;
}

/* ---- opset ---- */

static og_val constant(pass *p, float v)
{
	return og_model_constant(p->m, OG_F32, 0, NULL, &v);
}

static og_val op2(pass *p, const og_node *n, const char *op, og_val x, og_val y)
{
	return emit(p, n->name, op, (og_val[]){ x, y }, 2, NULL, 0, n->out[0], OG_F32);
}

static og_val op1(pass *p, const og_node *n, const char *op, og_val x)
{
	return emit(p, n->name, op, &x, 1, NULL, 0, n->out[0], OG_F32);
}

/* The last node of a replacement gives the value that the replaced node gave. */
static og_status finish_as(pass *p, og_node *n, const char *op, og_val x, og_val y)
{
	bool made = x.id && y.id && og_graph_append(p->m, p->g, op, n->name, (og_val[]){ x, y }, 2, n->out, 1, NULL, 0);
	return made ? OG_OK : og_fail_nomem(p->err);
}

/* Gelu is an operator since opset 20. Below: x/2·(1 + erf(x/√2)), or its tanh approximation; each in the order and with the operators
 * of PyTorch's own export, which is what runtimes know to fuse into one. */
static og_status expand_gelu(pass *p, og_node *n)
{
	const og_attr *how = og_node_attr(n, "approximate");
	og_val x = n->in[0], half, inner, gate;
	if (how && og_streq(how->s, "tanh")) {
		inner = op2(p, n, "Pow", x, constant(p, 3.0f));
		inner = op2(p, n, "Add", x, op2(p, n, "Mul", inner, constant(p, 0.044715f)));
		inner = op1(p, n, "Tanh", op2(p, n, "Mul", inner, constant(p, 0.7978845608028654f)));
		half = op2(p, n, "Mul", x, constant(p, 0.5f));
		gate = op2(p, n, "Add", inner, constant(p, 1.0f));
		return finish_as(p, n, "Mul", half, gate);
	}
	inner = op1(p, n, "Erf", op2(p, n, "Div", x, constant(p, 1.4142135623730951f)));
	gate = op2(p, n, "Mul", x, op2(p, n, "Add", inner, constant(p, 1.0f)));
	return finish_as(p, n, "Mul", gate, constant(p, 0.5f));
}

/* Mish is an operator since opset 18: x·tanh(softplus(x)). */
static og_status expand_mish(pass *p, og_node *n)
{
	return finish_as(p, n, "Mul", n->in[0], op1(p, n, "Tanh", op1(p, n, "Softplus", n->in[0])));
}

/* The axes of a reduction are an input since opset 18 (ReduceSum: 13), an attribute before. */
static og_status axes_to_attribute(pass *p, og_node *n)
{
	const og_value *axes = n->nin == 2 ? og_model_value(p->m, n->in[1]) : NULL;
	if (!axes)
		return keep(p, n);
	if (!axes->init || !axes->init->data)
		return og_fail(p->err, ONNXGATE_UNSUPPORTED, "%s: opset %d wants constant axes, found computed ones", n->name, p->m->opset);
	og_attr attrs[2] = {
		{ .name = "axes", .kind = OG_ATTR_INTS, .ints = axes->init->data, .nints = axes->init->size / sizeof(int64_t) },
		{ .name = "keepdims", .kind = OG_ATTR_INT, .i = og_node_int(n, "keepdims", 1) },
	};
	return og_graph_append(p->m, p->g, n->op, n->name, n->in, 1, n->out, 1, attrs, 2) ? OG_OK : og_fail_nomem(p->err);
}

static const struct opset_rule {
	const char *op;
	int since; /* the opset that has the form in which blocks describe it */
	rewrite_fn rewrite;
} opset_rules[] = {
	{ "Gelu", 20, expand_gelu },
	{ "Mish", 18, expand_mish },
	{ "ReduceMean", 18, axes_to_attribute },
	{ "ReduceMax", 18, axes_to_attribute },
	{ "ReduceL2", 18, axes_to_attribute },
};

static og_status rewrite_for_opset(pass *p, og_node *n)
{
	for (size_t i = 0; i < OG_COUNT(opset_rules); i++)
		if (og_streq(opset_rules[i].op, n->op) && p->m->opset < opset_rules[i].since)
			return opset_rules[i].rewrite(p, n);
	return keep(p, n);
}

og_status og_lower_opset(og_model *m, int opset, og_error *err)
{
	static const int ir[] = { [17] = 8, [18] = 8, [19] = 9, [20] = 9, [21] = 10, [22] = 10, [23] = 11 };
	if (opset < OG_OPSET_MIN || opset > OG_OPSET_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "opset %d: expected %d to %d", opset, OG_OPSET_MIN, OG_OPSET_MAX);
	m->opset = opset;
	m->ir_version = ir[opset];
	pass p = { .m = m, .err = err };
	OG_TRY(rebuild(&p, m->main, rewrite_for_opset));
	return og_model_order_inits(m, err);
}

/* ---- half precision ---- */

/* The value in the other precision, through a Cast of its own for each use: a runtime merges equal ones. */
static og_val in_precision(pass *p, const char *stem, og_val v, og_dtype want)
{
	const og_value *x = og_model_value(p->m, v);
	if (!x || x->dtype == want || !og_dtype_is_float(x->dtype))
		return v;
	og_attr to = { .name = "to", .kind = OG_ATTR_INT, .i = want };
	return emit(p, stem, "Cast", &v, 1, &to, 1, v, want);
}

/* Operators that keep float32 inside: sums over many elements lose too much, and 1e-12 is 0 in half precision. */
static bool stays_float(const char *op)
{
	static const char *const ops[] = { "LayerNormalization", "InstanceNormalization", "BatchNormalization", "ReduceMean", "ReduceL2", "Range" };
	for (size_t i = 0; i < OG_COUNT(ops); i++)
		if (og_streq(ops[i], op))
			return true;
	return false;
}

/* A branch's output that stayed float32 (a layer norm's) is cast at its end: the node gives half precision, whatever the branch. */
static og_status halve_branches(pass *p, og_node *n)
{
	og_graph *here = p->g;
	for (size_t i = 0; i < n->nattrs; i++) {
		og_graph *branch = n->attrs[i].graph;
		p->g = branch;
		for (size_t k = 0; branch && k < branch->noutputs; k++) {
			branch->outputs[k] = in_precision(p, n->name, branch->outputs[k], OG_F16);
			if (!branch->outputs[k].id)
				return og_fail_nomem(p->err);
		}
	}
	p->g = here;
	return OG_OK;
}

static og_status rewrite_half(pass *p, og_node *n)
{
	OG_TRY(halve_branches(p, n));
	bool cast = og_streq(n->op, "Cast"), stays = stays_float(n->op);
	og_dtype want = stays ? OG_F32 : OG_F16;
	for (size_t i = 0; i < n->nin && !cast; i++) {
		og_val v = in_precision(p, n->name, n->in[i], want);
		if (n->in[i].id && !v.id)
			return og_fail_nomem(p->err);
		n->in[i] = v;
	}
	for (size_t i = 0; i < n->nattrs && cast; i++)
		if (og_streq(n->attrs[i].name, "to") && n->attrs[i].i == OG_F32)
			n->attrs[i].i = OG_F16;
	OG_TRY(keep(p, n));
	for (size_t i = 0; i < n->nout; i++) {
		og_value *v = og_model_value(p->m, n->out[i]);
		if (v->dtype == OG_F32 && !stays)
			v->dtype = OG_F16;
	}
	return OG_OK;
}

static og_status halve_constant(og_model *m, og_init *c, og_error *err)
{
	uint64_t n = c->size / sizeof(float);
	uint16_t *half = og_arena_array(m->arena, n ? n : 1, sizeof(*half));
	if (!half)
		return og_fail_nomem(err);
	for (uint64_t i = 0; i < n; i++) {
		float v = ((const float *)c->data)[i];
		half[i] = og_f32_to_f16(v < -65504.0f ? -65504.0f : v > 65504.0f ? 65504.0f : v); /* a lowest value stays finite */
	}
	c->data = half;
	return OG_OK;
}

/* An output keeps its name and has this precision: where it is in the other, the value that had the name gets another, and a Cast gives
 * the output. */
static og_status give_output(pass *p, og_val *output, og_dtype want)
{
	og_value inner = *og_model_value(p->m, *output);
	if (inner.dtype == want || !og_dtype_is_float(inner.dtype))
		return OG_OK;
	og_attr to = { .name = "to", .kind = OG_ATTR_INT, .i = want };
	og_val out = emit(p, inner.name, "Cast", output, 1, &to, 1, *output, want);
	const char *hidden = og_arena_printf(p->m->arena, "%s/%s", inner.name, inner.dtype == OG_F16 ? "float16" : "float32");
	if (!out.id || !hidden)
		return og_fail_nomem(p->err);
	og_model_value(p->m, out)->name = inner.name;
	og_model_value(p->m, *output)->name = hidden;
	*output = out;
	return OG_OK;
}

/* Before anything reads them: what reads one in float32 has a Cast then. */
static void halve_inputs(og_model *m)
{
	for (size_t i = 0; i < m->main->ninputs; i++) {
		og_value *v = og_model_value(m, m->main->inputs[i]);
		if (v->dtype == OG_F32)
			v->dtype = OG_F16;
	}
}

og_status og_lower_fp16(og_model *m, bool io, og_error *err)
{
	if (io)
		halve_inputs(m);
	for (size_t i = 0; i < m->ninits; i++) {
		og_init *c = m->inits[i];
		if (c->dtype != OG_F32)
			continue;
		if (c->data)
			OG_TRY(halve_constant(m, c, err));
		c->dtype = og_model_value(m, c->val)->dtype = OG_F16;
		c->size /= 2;
	}
	pass p = { .m = m, .err = err };
	OG_TRY(rebuild(&p, m->main, rewrite_half));
	p.g = m->main;
	for (size_t i = 0; i < m->main->noutputs; i++)
		OG_TRY(give_output(&p, &m->main->outputs[i], io ? OG_F16 : OG_F32));
	return og_model_order_inits(m, err);
}
