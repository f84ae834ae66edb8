/* SPDX-License-Identifier: Apache-2.0
 *
 * What the file promises to its caller: inputs and outputs that are typed. */
#include "check/structure.h"

#include "base/limits.h"

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

og_status og_structure_outputs(og_structure *st, og_error *err)
{
	const og_onnx_graph *g = st->model->graph;
	og_findings f = { .st = st };

	for (size_t i = 0; i < g->ninputs; i++)
		check_value(&f, &g->inputs[i], "input");
	for (size_t i = 0; i < g->noutputs; i++)
		check_value(&f, &g->outputs[i], "output");
	if (g->noutputs == 0)
		og_fault(&f, "the graph has no outputs");
	return og_findings_row(&f, "structure.outputs", err, "%zu inputs and %zu outputs", g->ninputs, g->noutputs);
}
