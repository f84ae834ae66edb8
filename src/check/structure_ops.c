/* SPDX-License-Identifier: Apache-2.0
 *
 * Every operator is one that its opset has, and is used as its schema says: so many inputs and outputs, the
 * required ones present, attributes that exist and have the right type.  An operator, domain or opset that
 * our table lacks is no fault: the row is skipped and names it, and the runtime decides. */
#include "check/structure.h"

#include "base/strmap.h"
#include "onnx/schema.h"

#include <stdio.h>

enum { ATTRIBUTES_MAX = 256, KEY_MAX = 2200 }; /* attributes of a node: 30 is much */

typedef struct ops {
	og_structure *st;
	og_findings f;
	og_strmap *functions; /* "domain\1name" of the model's own functions; NULL: it has none */
} ops;

/* ---- attributes ---------------------------------------------------------------------------------------- */

static bool is_internal(const char *name) /* "__name__": a tool's own mark, which the ONNX checker allows */
{
	return strlen(name) >= 4 && og_starts_with(name, "__") && og_ends_with(name, "__");
}

/* A value of the type that it says, and only that. */
static bool attribute_well_formed(ops *o, const og_onnx_attribute *a, const char *where, bool in_function)
{
	if (!a->name[0]) {
		og_fault(&o->f, "%s: an attribute without a name", where);
	} else if (a->reference) {
		if (in_function && !a->present)
			return true;
		og_fault(&o->f, "%s: attribute '%s' refers to an attribute of a function, %s", where, a->name, in_function ? "and has a value" : "outside of one");
	} else if (a->type == OG_ATTR_UNDEFINED || (a->type_number == 0 && o->st->model->ir_version >= 2)) {
		og_fault(&o->f, "%s: attribute '%s' has type %lld, expected one of 1 to %d", where, a->name, (long long)a->type_number, OG_ATTR_TYPE_COUNT - 1);
	} else if (a->present & ~(1u << a->type)) {
		og_fault(&o->f, "%s: attribute '%s' says that it is %s and holds a value of another type", where, a->name, og_attr_type_name(a->type));
	} else if (!a->present && (a->type == OG_ATTR_TENSOR || a->type == OG_ATTR_GRAPH || a->type == OG_ATTR_SPARSE_TENSOR || a->type == OG_ATTR_TYPE_PROTO)) {
		og_fault(&o->f, "%s: attribute '%s' is %s and has no value", where, a->name, og_attr_type_name(a->type));
	} else {
		return true;
	}
	return false;
}

static void check_attribute(ops *o, const og_onnx_node *n, const og_onnx_attribute *a, const og_schema *s, const char *where)
{
	og_attr_type type;
	bool required;

	if (!og_schema_attribute(s, a->name, &type, &required)) {
		if (is_internal(a->name) || og_schema_any_attribute(s))
			return;
		if (n->domain[0]) /* such domains grow attributes without a new version */
			og_unsure(&o->f, "%s: attribute '%s' is not known to us", where, a->name);
		else
			og_fault(&o->f, "%s: attribute '%s' is not one of %s since opset %d", where, a->name, n->op_type, og_schema_since(s));
	} else if (a->type != type && !(a->reference && a->type == OG_ATTR_UNDEFINED)) {
		og_fault(&o->f, "%s: attribute '%s' is %s, expected %s", where, a->name, og_attr_type_name(a->type), og_attr_type_name(type));
	}
}

static void check_attributes(ops *o, const og_onnx_node *n, const og_schema *s, const char *where, bool in_function)
{
	if (n->nattributes > ATTRIBUTES_MAX) {
		og_fault(&o->f, "%s: %zu attributes, more than the limit of %d", where, n->nattributes, ATTRIBUTES_MAX);
		return;
	}
	for (size_t i = 0; i < n->nattributes; i++) {
		const og_onnx_attribute *a = &n->attributes[i];
		bool twice = false;

		for (size_t j = 0; j < i && !twice; j++)
			twice = n->attributes[j].name == a->name;
		if (twice)
			og_fault(&o->f, "%s: attribute '%s' is given twice", where, a->name);
		if (attribute_well_formed(o, a, where, in_function) && s)
			check_attribute(o, n, a, s, where);
	}
}

static void check_required(ops *o, const og_onnx_node *n, const og_schema *s, const char *where)
{
	og_attr_type type;
	const char *name;
	bool required;

	for (size_t i = 0; (name = og_schema_attribute_at(s, i, &type, &required)) != NULL; i++) {
		if (required && !og_onnx_attr(n, name))
			og_fault(&o->f, "%s: lacks attribute '%s', which %s requires", where, name, n->op_type);
	}
}

/* ---- inputs and outputs -------------------------------------------------------------------------------- */

static void check_count(ops *o, size_t n, int min, int max, const char *what, const char *where)
{
	if (n >= (size_t)min && (max == OG_SCHEMA_UNBOUNDED || n <= (size_t)max))
		return;
	if (max == OG_SCHEMA_UNBOUNDED)
		og_fault(&o->f, "%s: %zu %s, expected at least %d", where, n, what, min);
	else if (min == max)
		og_fault(&o->f, "%s: %zu %s, expected %d", where, n, what, min);
	else
		og_fault(&o->f, "%s: %zu %s, expected %d to %d", where, n, what, min, max);
}

static void check_ports(ops *o, const og_onnx_node *n, const og_schema *s, const char *where)
{
	int min, max;
	og_formal formal;

	og_schema_inputs(s, &min, &max);
	check_count(o, n->ninputs, min, max, "inputs", where);
	og_schema_outputs(s, &min, &max);
	check_count(o, n->noutputs, min, max, "outputs", where);
	for (size_t i = 0; i < n->ninputs && og_schema_input(s, i, &formal); i++) {
		/* in other domains a variadic list may have gaps */
		if (!n->inputs[i][0] && (formal.kind == OG_FORMAL_SINGLE || (formal.kind == OG_FORMAL_VARIADIC && !n->domain[0])))
			og_fault(&o->f, "%s: input %zu is left out, but %s requires it", where, i, n->op_type);
	}
	for (size_t i = 0; i < n->noutputs && og_schema_output(s, i, &formal); i++) {
		if (formal.kind == OG_FORMAL_SINGLE && !n->outputs[i][0])
			og_fault(&o->f, "%s: output %zu is left out, but %s requires it", where, i, n->op_type);
	}
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

static bool is_function(const ops *o, const og_onnx_node *n)
{
	char key[KEY_MAX];

	if (!o->functions)
		return false;
	snprintf(key, sizeof(key), "%s\1%s", n->domain, n->op_type);
	return og_strmap_find(o->functions, key) != NULL;
}

/* The opset of a node's domain; -1: already told why there is none. */
static int64_t opset_of_node(ops *o, const og_onnx_node *n, const og_node_list *l, const char *where)
{
	int64_t version = og_onnx_opset_of(l->opsets, l->nopsets, n->domain);
	int newest = og_schema_newest(n->domain);

	if (version == 0 && l->nopsets == 0 && !n->domain[0] && o->st->model->ir_version < 3)
		version = 1;
	if (version <= 0) {
		og_fault(&o->f, "%s: domain '%s' is not among the opset imports", where, n->domain);
		return -1;
	}
	if (newest == 0) {
		og_unsure(&o->f, "%s: domain '%s' is not known to us", where, n->domain);
		return -1;
	}
	return version;
}

static const og_schema *find_schema(ops *o, const og_onnx_node *n, int64_t version, const char *where)
{
	const og_schema *s = og_schema_find(n->domain, n->op_type, version);
	int first;

	if (s && og_schema_deprecated(s)) {
		og_fault(&o->f, "%s: deprecated since opset %d, and the file is at %lld", where, og_schema_since(s), (long long)version);
		return NULL;
	}
	if (s)
		return s;
	first = og_schema_first(n->domain, n->op_type);
	if (first > 0)
		og_fault(&o->f, "%s: exists since opset %d, and the file is at %lld", where, first, (long long)version);
	else
		og_unsure(&o->f, "%s: operator '%s' of domain '%s' is not known to us", where, n->op_type, n->domain);
	return NULL;
}

static void check_node(ops *o, const og_onnx_node *n, const og_node_list *l)
{
	const og_schema *s = NULL;
	char where[400];
	int64_t version;

	o->f.looked++;
	og_node_show(n, where, sizeof(where));
	if (!n->op_type[0]) {
		og_fault(&o->f, "%s: no operator", where);
		return;
	}
	if (!is_function(o, n)) {
		version = opset_of_node(o, n, l, where);
		s = version > 0 ? find_schema(o, n, version, where) : NULL;
	}
	check_attributes(o, n, s, where, l->in_function);
	if (s) {
		check_required(o, n, s, where);
		check_ports(o, n, s, where);
	}
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static void check_imports(ops *o, const og_onnx_opset *opsets, size_t n, const char *whose)
{
	for (size_t i = 0; i < n; i++) {
		int newest = og_schema_newest(opsets[i].domain);

		if (opsets[i].version < 1)
			og_fault(&o->f, "opset %lld of domain '%s' in %s, expected 1 or more", (long long)opsets[i].version, opsets[i].domain, whose);
		else if (newest && opsets[i].version > newest)
			og_unsure(&o->f, "opset %lld of domain '%s' is newer than the %d that we know", (long long)opsets[i].version, opsets[i].domain, newest);
		for (size_t j = 0; j < i; j++) {
			if (opsets[j].domain == opsets[i].domain)
				og_fault(&o->f, "domain '%s' is imported twice by %s", opsets[i].domain, whose);
		}
	}
}

static og_status collect_functions(ops *o, og_error *err)
{
	const og_onnx_model *m = o->st->model;

	if (m->nfunctions == 0)
		return OG_OK;
	o->functions = og_strmap_new(o->st->arena);
	if (!o->functions)
		return og_fail_nomem(err);
	for (size_t i = 0; i < m->nfunctions; i++) {
		const og_onnx_function *f = &m->functions[i];
		const char *key = og_arena_printf(o->st->arena, "%s\1%s", f->domain, f->name);

		if (!key || !og_strmap_slot(o->functions, key))
			return og_fail_nomem(err);
		check_imports(o, f->opsets, f->nopsets, "a function");
	}
	return OG_OK;
}

og_status og_structure_ops(og_structure *st, og_error *err)
{
	const og_onnx_model *m = st->model;
	ops o = { .st = st, .f = { .st = st } };

	if (m->ir_version > og_schema_ir_version_newest())
		og_unsure(&o.f, "IR version %lld is newer than the %d that we know", (long long)m->ir_version, og_schema_ir_version_newest());
	if (m->ir_version >= 3 && m->nopsets == 0)
		og_fault(&o.f, "no opset imports, which IR version %lld requires", (long long)m->ir_version);
	if (m->ir_version < 3 && m->nopsets > 0)
		og_fault(&o.f, "opset imports, which IR version %lld does not have", (long long)m->ir_version);
	check_imports(&o, m->opsets, m->nopsets, "the model");
	OG_TRY(collect_functions(&o, err));
	for (size_t i = 0; i < st->nlists; i++) {
		const og_node_list *l = &st->lists[i];

		for (size_t j = 0; j < l->n; j++)
			check_node(&o, &l->nodes[j], l);
	}
	return og_findings_row(&o.f, "structure.ops", err, "%zu nodes, opset %lld", o.f.looked, (long long)og_onnx_opset_of(m->opsets, m->nopsets, ""));
}
