/* SPDX-License-Identifier: Apache-2.0
 *
 * structure.shapes: element types and shapes are inferred node by node and compared with one another and with
 * what the file declares.  Element types come from the schemas (inputs that share a type parameter agree, and
 * the type is one that the operator takes), shapes from the rules of shapes_table.c.
 *
 * Names were found to resolve and to be made once before this runs, so one array indexed by name holds what is
 * known; a subgraph's names are written when it is entered and never seen outside of it. */
#include "check/shapes.h"

#include <stdio.h>

enum { VARIABLES_MAX = 32 };

/* ---- from messages --------------------------------------------------------------------------------------- */

og_sinfo og_infer_tensor(og_infer *in, const og_onnx_tensor *t, bool with_values)
{
	og_sinfo s = { .kind = OG_ONNX_TENSOR, .dtype = t->dtype, .rank = -1, .nvalues = -1 };
	og_sdim dims[OG_VALUES_MAX];
	int64_t numbers[OG_VALUES_MAX];
	size_t n;

	if (t->rank > OG_RANK_MAX)
		return s;
	for (size_t d = 0; d < t->rank; d++)
		dims[d] = t->dims[d] >= 0 ? og_sdim_of(t->dims[d]) : og_sdim_none(in);
	if (og_infer_copy(in, dims, t->rank, &s.dims))
		s.rank = (int)t->rank;
	if (!with_values || t->rank > 1 || !og_onnx_tensor_ints(t, numbers, OG_VALUES_MAX, &n))
		return s;
	for (size_t i = 0; i < n; i++)
		dims[i] = og_sdim_of(numbers[i]);
	if (og_infer_copy(in, dims, n, &s.values))
		s.nvalues = (int)n;
	return s;
}

static og_sinfo from_type(og_infer *in, const og_onnx_type *t)
{
	og_sinfo s = { .rank = -1, .nvalues = -1 };
	og_sdim dims[OG_RANK_MAX];

	if (!t)
		return s;
	if (t->dtype == OG_DTYPE_NONE && t->dtype_number != 0)
		og_unsure(&in->f, "element type %lld is not known to us", (long long)t->dtype_number);
	s.kind = t->kind;
	if (t->kind != OG_ONNX_TENSOR)
		return s;
	s.dtype = t->dtype;
	if (!t->has_shape || t->rank > OG_RANK_MAX)
		return s;
	for (size_t d = 0; d < t->rank; d++) {
		if (t->dims[d].value >= 0)
			dims[d] = og_sdim_of(t->dims[d].value);
		else
			dims[d] = t->dims[d].symbol ? og_sdim_symbol(in, t->dims[d].symbol) : og_sdim_none(in);
	}
	if (og_infer_copy(in, dims, t->rank, &s.dims))
		s.rank = (int)t->rank;
	return s;
}

/* What is known of one value from two sides; a contradiction is told. */
static void reconcile(og_infer *in, const char *name, const char *who, og_sinfo *have, const og_sinfo *declared)
{
	og_sdim dims[OG_RANK_MAX];
	char left[200], right[200];

	if (declared->kind && have->kind && declared->kind != have->kind) {
		og_fault(&in->f, "%s '%s': declared as another kind of value than what is made", who, name);
		return;
	}
	if (!have->kind)
		have->kind = declared->kind;
	if (declared->dtype && have->dtype && declared->dtype != have->dtype)
		og_fault(&in->f, "%s '%s': declared %s, inferred %s", who, name, og_dtype_name(declared->dtype), og_dtype_name(have->dtype));
	else if (!have->dtype)
		have->dtype = declared->dtype;
	if (declared->rank < 0)
		return;
	if (have->rank < 0) {
		have->rank = declared->rank;
		have->dims = declared->dims;
		return;
	}
	for (int d = 0; have->rank == declared->rank && d < have->rank; d++) {
		if (og_sdim_merge(have->dims[d], declared->dims[d], &dims[d]))
			continue;
		og_fault(&in->f, "%s '%s': declared %s, inferred %s", who, name, og_shape_show(declared, left, sizeof(left)),
			og_shape_show(have, right, sizeof(right)));
		return;
	}
	if (have->rank != declared->rank)
		og_fault(&in->f, "%s '%s': declared %s, inferred %s", who, name, og_shape_show(declared, left, sizeof(left)),
			og_shape_show(have, right, sizeof(right)));
	else
		og_infer_copy(in, dims, (size_t)have->rank, &have->dims);
}

/* ---- element types, by schema ---------------------------------------------------------------------------- */

static bool takes(const og_formal *f, const og_sinfo *s)
{
	if (s->kind != OG_ONNX_TENSOR && s->kind != OG_ONNX_UNTYPED)
		return (f->types & OG_SCHEMA_OTHER_TYPES) != 0;
	return s->dtype == OG_DTYPE_NONE || (f->types >> s->dtype & 1);
}

/* Inputs against the schema; bound[v]: what type parameter v stands for. */
static void check_types(og_op *o, og_dtype *bound)
{
	og_formal f;

	for (size_t i = 0; i < o->n->ninputs && og_schema_input(o->schema, i, &f); i++) {
		const og_sinfo *s = og_in(o, i);

		if (!takes(&f, s)) {
			og_clash(o, "input %zu is %s, which the operator does not take at opset %lld", i, s->kind == OG_ONNX_TENSOR ? og_dtype_name(s->dtype) : "no tensor",
			         (long long)o->opset);
			return;
		}
		if (f.variable < 0 || f.variable >= VARIABLES_MAX || !f.homogeneous || s->kind != OG_ONNX_TENSOR || !s->dtype)
			continue;
		if (bound[f.variable] && bound[f.variable] != s->dtype) {
			og_clash(o, "input %zu is %s, an input of the same type is %s", i, og_dtype_name(s->dtype), og_dtype_name(bound[f.variable]));
			return;
		}
		bound[f.variable] = s->dtype;
	}
}

static void output_types(og_op *o, const og_dtype *bound)
{
	og_formal f;

	for (size_t i = 0; i < o->n->noutputs && og_schema_output(o->schema, i, &f); i++) {
		if (f.variable >= 0 && f.variable < VARIABLES_MAX && f.homogeneous && bound[f.variable])
			o->out[i].dtype = bound[f.variable];
		else if (f.types && !(f.types & (f.types - 1)) && !(f.types & OG_SCHEMA_OTHER_TYPES))
			o->out[i].dtype = (og_dtype)__builtin_ctz(f.types);
		if (f.types && !(f.types & OG_SCHEMA_OTHER_TYPES))
			o->out[i].kind = OG_ONNX_TENSOR;
	}
}

/* What a rule found against the schema: a Cast to a type that its opset does not have. */
static void check_output_types(og_op *o)
{
	og_formal f;

	for (size_t i = 0; i < o->n->noutputs && og_schema_output(o->schema, i, &f); i++) {
		if (!takes(&f, &o->out[i])) {
			og_clash(o, "output %zu is %s, which the operator does not give at opset %lld", i, o->out[i].kind == OG_ONNX_TENSOR
				? og_dtype_name(o->out[i].dtype) : "no tensor",
			         (long long)o->opset);
			return;
		}
	}
}

/* ---- one node -------------------------------------------------------------------------------------------- */

static const og_shape_rule *rule_of(og_infer *in, const char *op)
{
	const og_shape_rule **slot = &in->rules[og_name_id(op)];

	if (!*slot) {
		*slot = og_shape_rule_find(op);
		if (!*slot)
			*slot = in->none;
	}
	return *slot;
}

static void forget_shapes(og_op *o)
{
	for (size_t i = 0; i < o->n->noutputs; i++) {
		o->out[i].rank = o->out[i].nvalues = -1;
		o->out[i].dtype = OG_DTYPE_NONE;
		o->out[i].kind = OG_ONNX_UNTYPED;
	}
}

/* Contents belong to a tensor of at most one dim, and of as many elements. */
static void drop_odd_values(og_sinfo *s)
{
	if (s->rank > 1 || (s->rank == 1 && og_sdim_static(s->dims[0]) && s->dims[0].n != s->nvalues) || (s->rank == 0 && s->nvalues != 1))
		s->nvalues = -1;
}

static const og_onnx_type *declared_type(const og_infer *in, const char *name)
{
	const struct og_declared *d = &in->declared[og_name_id(name)];

	return d->graph == in->graph ? d->type : NULL;
}

static void store_outputs(og_op *o)
{
	og_infer *in = o->in;

	for (size_t i = 0; i < o->n->noutputs; i++) {
		const char *name = o->n->outputs[i];
		const og_onnx_type *declared;
		og_sinfo *s = &o->out[i];

		if (!name[0])
			continue;
		if (s->dtype || s->rank >= 0)
			s->kind = s->kind ? s->kind : OG_ONNX_TENSOR;
		if (s->nvalues >= 0)
			drop_odd_values(s);
		declared = declared_type(in, name);
		if (declared) {
			og_sinfo d = from_type(in, declared);

			reconcile(in, name, "value", s, &d);
		}
		in->values++;
		in->ranked += s->rank >= 0;
		in->infos[og_name_id(name)] = *s;
	}
}

/* In the body of a function: an attribute whose value the caller gives. */
static bool has_references(const og_onnx_node *n)
{
	for (size_t i = 0; i < n->nattributes; i++) {
		if (n->attributes[i].reference)
			return true;
	}
	return false;
}

/* Subgraphs of an operator without a rule are looked at all the same. */
static og_status infer_subgraphs(og_op *o)
{
	for (size_t i = 0; i < o->n->nattributes; i++) {
		const og_onnx_attribute *a = &o->n->attributes[i];

		if (a->g)
			OG_TRY(og_infer_graph(o->in, a->g, o->list, o->err));
		for (size_t j = 0; j < a->ngraphs; j++)
			OG_TRY(og_infer_graph(o->in, a->graphs[j], o->list, o->err));
	}
	return OG_OK;
}

static og_status infer_node(og_infer *in, const og_onnx_node *n, const og_node_list *list, og_error *err)
{
	og_op o = { .in = in, .n = n, .list = list, .err = err };
	og_dtype bound[VARIABLES_MAX] = { OG_DTYPE_NONE };
	const og_shape_rule *rule = NULL;
	og_autofree og_sinfo *out = NULL;

	if (og_arena_size(in->st->arena) > 2 * (size_t)OG_ONNX_MEMORY_MAX) { /* the messages are in it, too */
		og_unsure(&in->f, "inference takes more than the limit of %u MiB of memory", OG_ONNX_MEMORY_MAX >> 20);
		return OG_OK;
	}
	o.opset = og_onnx_opset_of(list->opsets, list->nopsets, n->domain);
	o.schema = in->st->model->nfunctions && n->domain[0] ? NULL : og_schema_find(n->domain, n->op_type, o.opset);
	o.out = out = og_array_alloc(n->noutputs + 1, sizeof(*out));
	if (!out)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n->noutputs; i++)
		o.out[i].rank = o.out[i].nvalues = -1;
	if (o.schema) {
		check_types(&o, bound);
		output_types(&o, bound);
		rule = n->domain[0] ? NULL : rule_of(in, n->op_type);
	}
	if (rule && rule->fn && n->noutputs && !o.clashed && !has_references(n))
		rule->fn(&o);
	else
		OG_TRY(infer_subgraphs(&o));
	OG_TRY(o.status);
	if (o.schema)
		check_output_types(&o);
	if (o.clashed)
		forget_shapes(&o);
	store_outputs(&o);
	return in->f.nomem ? og_fail_nomem(err) : OG_OK;
}

/* ---- graphs ---------------------------------------------------------------------------------------------- */

/* What the graph says of its values, which may have names that outer ones have too: `kept` gets what was there before. */
static void declare(og_infer *in, const og_onnx_value *values, size_t n, struct og_declared *kept)
{
	for (size_t i = 0; i < n; i++) {
		struct og_declared *d = &in->declared[og_name_id(values[i].name)];

		kept[i] = *d;
		if (values[i].type) /* an output without a type does not hide what value_info says */
			*d = (struct og_declared){ values[i].type, in->graph };
	}
}

static void undeclare(og_infer *in, const og_onnx_value *values, size_t n, const struct og_declared *kept)
{
	while (n-- > 0)
		in->declared[og_name_id(values[n].name)] = kept[n];
}

static void begin_values(og_infer *in, const og_onnx_graph *g)
{
	for (size_t i = 0; i < g->ninputs; i++)
		in->infos[og_name_id(g->inputs[i].name)] = from_type(in, g->inputs[i].type);
	for (size_t i = 0; i < g->ninitializers; i++) {
		const og_onnx_tensor *t = &g->initializers[i];

		in->infos[og_name_id(t->name)] = og_infer_tensor(in, t, true);
	}
	for (size_t i = 0; i < g->nsparse_initializers; i++) {
		const og_onnx_sparse *s = &g->sparse_initializers[i];

		if (s->values)
			in->infos[og_name_id(s->values->name)] = (og_sinfo){ .kind = OG_ONNX_UNTYPED, .dtype = s->values->dtype, .rank = -1, .nvalues = -1 };
	}
	/* an initializer that is an input too may be replaced by the caller: what it declares holds, not the contents */
	for (size_t i = 0; i < g->ninputs; i++) {
		og_sinfo *slot = &in->infos[og_name_id(g->inputs[i].name)], declared = from_type(in, g->inputs[i].type);

		if (slot->nvalues >= 0 || slot->rank >= 0)
			reconcile(in, g->inputs[i].name, "input", slot, &declared);
		slot->nvalues = -1;
	}
}

/* What no node makes may be declared too: an input or initializer that is handed through as an output. */
static void check_handed(og_infer *in, const og_onnx_graph *g)
{
	for (size_t i = 0; i < g->ninputs + g->ninitializers; i++) {
		const char *name = i < g->ninputs ? g->inputs[i].name : g->initializers[i - g->ninputs].name;
		const og_onnx_type *declared = declared_type(in, name);

		if (declared) {
			og_sinfo d = from_type(in, declared);

			reconcile(in, name, "value", &in->infos[og_name_id(name)], &d);
			in->declared[og_name_id(name)].type = NULL; /* once */
		}
	}
}

og_status og_infer_graph(og_infer *in, const og_onnx_graph *g, const og_node_list *outer, og_error *err)
{
	og_node_list list = *outer;
	uint32_t before = in->graph;
	struct og_declared *kept = og_arena_array(in->st->arena, g->nvalue_info + g->noutputs + 1, sizeof(*kept));

	if (!kept)
		return og_fail_nomem(err);
	list.nodes = g->nodes;
	list.n = g->nnodes;
	in->graph = ++in->graphs;
	begin_values(in, g);
	declare(in, g->value_info, g->nvalue_info, kept);
	declare(in, g->outputs, g->noutputs, kept + g->nvalue_info);
	check_handed(in, g);
	for (size_t i = 0; i < g->nnodes; i++)
		OG_TRY(infer_node(in, &g->nodes[i], &list, err));
	undeclare(in, g->outputs, g->noutputs, kept + g->nvalue_info);
	undeclare(in, g->value_info, g->nvalue_info, kept);
	in->graph = before;
	return og_check_cancel(in->st->ctx, err);
}

/* The body of a function stands for any types, so only its inner consistency is looked at. */
static og_status infer_function(og_infer *in, const og_onnx_function *f, og_error *err)
{
	og_node_list list = { f->nodes, f->nnodes, f->opsets, f->nopsets, true };

	in->graph = ++in->graphs;
	for (size_t i = 0; i < f->ninputs; i++)
		in->infos[og_name_id(f->inputs[i])] = (og_sinfo){ .rank = -1, .nvalues = -1 };
	for (size_t i = 0; i < f->nnodes; i++)
		OG_TRY(infer_node(in, &f->nodes[i], &list, err));
	return OG_OK;
}

static og_status infer_init(og_infer *in, og_error *err)
{
	static const og_shape_rule none = { "", NULL };
	og_structure *st = in->st;
	size_t n = og_names_count(st->model->names);

	in->none = &none;
	in->symbols = og_names_new(st->arena);
	in->infos = og_arena_array(st->arena, n, sizeof(*in->infos));
	in->declared = og_arena_array(st->arena, n, sizeof(*in->declared));
	in->rules = og_arena_array(st->arena, n, sizeof(*in->rules));
	if (!in->symbols || !in->infos || !in->declared || !in->rules)
		return og_fail_nomem(err);
	in->unknown = og_names_at(in->symbols, 0);
	for (size_t i = 0; i < n; i++)
		in->infos[i].rank = in->infos[i].nvalues = -1;
	return OG_OK;
}

og_status og_structure_shapes(og_structure *st, bool resolved, og_error *err)
{
	og_infer in = { .st = st, .f = { .st = st } };
	og_node_list outer = { .opsets = st->model->opsets, .nopsets = st->model->nopsets };

	if (!resolved) {
		og_check_add(st->out, "structure.shapes", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_SKIPPED, 0, 0,
			"not looked at, because names do not resolve in order");
		return st->out->nomem ? og_fail_nomem(err) : OG_OK;
	}
	OG_TRY(infer_init(&in, err));
	OG_TRY(og_infer_graph(&in, st->model->graph, &outer, err));
	for (size_t i = 0; i < st->model->nfunctions; i++)
		OG_TRY(infer_function(&in, &st->model->functions[i], err));
	if (in.f.nomem)
		return og_fail_nomem(err);
	return og_findings_row(&in.f, "structure.shapes", err, "%zu values, %zu with an inferred rank", in.values, in.ranked);
}
