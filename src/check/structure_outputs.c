/* SPDX-License-Identifier: Apache-2.0
 *
 * What the file promises to its caller: inputs and outputs that are typed, and of the kind that they are made of. */
#include "check/structure.h"

#include "base/limits.h"
#include "base/str.h"
#include "base/strmap.h"

static void check_value(og_findings *f, const og_onnx_value *v, const char *what)
{
	const og_onnx_type *t = v->type;

	f->looked++;
	if (!t || t->kind == OG_ONNX_UNTYPED) {
		og_fault(f, "%s '%s' has no type", what, v->name);
		return;
	}
	if (t->kind != OG_ONNX_TENSOR && t->kind != OG_ONNX_SPARSE_TENSOR)
		return;
	if (t->dtype == OG_DTYPE_NONE && t->dtype_number >= OG_ONNX_DTYPE_COUNT)
		og_unsure(f, "%s '%s': element type %lld is not known to us", what, v->name, (long long)t->dtype_number);
	else if (t->dtype == OG_DTYPE_NONE)
		og_fault(f, "%s '%s': element type %lld", what, v->name, (long long)t->dtype_number);
	else if (t->rank > OG_RANK_MAX)
		og_fault(f, "%s '%s': %zu dims, more than the limit of %d", what, v->name, t->rank, OG_RANK_MAX);
	for (size_t i = 0; i < t->rank && i < OG_RANK_MAX; i++) {
		if (t->dims[i].value < -1 || t->dims[i].value > OG_DIM_MAX)
			og_fault(f, "%s '%s': dim %zu is %lld", what, v->name, i, (long long)t->dims[i].value);
	}
}

static bool add_types(og_strmap *types, const og_onnx_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t *slot = og_strmap_slot(types, v[i].name);
		if (!slot)
			return false;
		*slot = (uint64_t)(uintptr_t)v[i].type;
	}
	return true;
}

/* A tensor, a sequence of such, …; what is not said is no difference. (The reader limits how deep types are.) */
static bool same_kind(const og_onnx_type *a, const og_onnx_type *b)
{
	for (; a && b && a->kind && b->kind; a = a->inner, b = b->inner)
		if (a->kind != b->kind)
			return false;
	return true;
}

/* An Identity gives what it takes: a tensor, a sequence, an optional value. What is said of shapes and elements is compared elsewhere. */
static og_status check_identities(og_findings *f, const og_onnx_graph *g, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_strmap *types = arena ? og_strmap_new(arena) : NULL;
	bool kept = types && add_types(types, g->inputs, g->ninputs) && add_types(types, g->value_info, g->nvalue_info);

	if (!kept || !add_types(types, g->outputs, g->noutputs))
		return og_fail_nomem(err);
	for (size_t i = 0; i < g->nnodes; i++) {
		const og_onnx_node *n = &g->nodes[i];
		if (!og_streq(n->op_type, "Identity") || n->domain[0] || n->ninputs != 1 || n->noutputs != 1)
			continue;
		const uint64_t *in = og_strmap_find(types, n->inputs[0]), *out = og_strmap_find(types, n->outputs[0]);
		if (in && out && !same_kind((const og_onnx_type *)(uintptr_t)*in, (const og_onnx_type *)(uintptr_t)*out))
			og_fault(f, "Identity '%s': what it gives is declared as another kind than what it takes", n->outputs[0]);
	}
	return OG_OK;
}

og_status og_structure_outputs(og_structure *st, og_error *err)
{
	const og_onnx_graph *g = st->model->graph;
	og_findings f = { .st = st };

	for (size_t i = 0; i < g->ninputs; i++)
		check_value(&f, &g->inputs[i], "input");
	for (size_t i = 0; i < g->noutputs; i++)
		check_value(&f, &g->outputs[i], "output");
	OG_TRY(check_identities(&f, g, err));
	if (g->noutputs == 0)
		og_fault(&f, "the graph has no outputs");
	return og_findings_row(&f, "structure.outputs", err, "%zu inputs and %zu outputs", g->ninputs, g->noutputs);
}
