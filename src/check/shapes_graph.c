/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape rules of operators that hold subgraphs.  A branch sees the outer values; its outputs meet in the
 * node's.  The body of a loop is inferred from what it declares. */
#include "check/shapes.h"

static const og_onnx_graph *branch(const og_op *o, const char *attribute)
{
	const og_onnx_attribute *a = og_onnx_attr(o->n, attribute);

	return a ? a->g : NULL;
}

static bool infer_branch(og_op *o, const og_onnx_graph *g)
{
	if (o->status == OG_OK)
		o->status = og_infer_graph(o->in, g, o->list, o->err);
	return o->status == OG_OK;
}

/* What holds on both sides. Different sizes are no contradiction: which branch runs is not known. */
static void meet(og_op *o, size_t i, const og_sinfo *a, const og_sinfo *b)
{
	og_sdim dims[OG_RANK_MAX];

	if (a->dtype && b->dtype && a->dtype != b->dtype) {
		og_clash(o, "output %zu is %s in one branch and %s in the other", i, og_dtype_name(a->dtype), og_dtype_name(b->dtype));
		return;
	}
	o->out[i].kind = a->kind == b->kind ? a->kind : OG_ONNX_UNTYPED;
	o->out[i].dtype = a->dtype ? a->dtype : b->dtype;
	if (a->rank < 0 || a->rank != b->rank)
		return;
	for (int d = 0; d < a->rank; d++)
		dims[d] = og_sdim_same(a->dims[d], b->dims[d]) ? a->dims[d] : og_sdim_none(o->in);
	og_out_shape(o, i, a->rank, dims);
}

static const og_sinfo *output_of(const og_op *o, const og_onnx_graph *g, size_t i)
{
	return &o->in->infos[og_name_id(g->outputs[i].name)];
}

void og_shape_if(og_op *o)
{
	const og_onnx_graph *yes = branch(o, "then_branch"), *no = branch(o, "else_branch");
	og_sinfo *first;
	size_t n = o->n->noutputs;

	if (!yes || !no)
		return;
	if (yes->noutputs != n || no->noutputs != n) {
		og_clash(o, "%zu outputs, the branches have %zu and %zu", n, yes->noutputs, no->noutputs);
		return;
	}
	first = og_arena_array(o->in->st->arena, n + 1, sizeof(*first));
	if (!first) {
		o->in->f.nomem = true;
		return;
	}
	if (!infer_branch(o, yes))
		return;
	for (size_t i = 0; i < n; i++) /* the other branch may use the same names */
		first[i] = *output_of(o, yes, i);
	if (!infer_branch(o, no))
		return;
	for (size_t i = 0; i < n; i++)
		meet(o, i, &first[i], output_of(o, no, i));
}

/* Loop: body outputs are the condition, the carried values, the scanned ones. */
void og_shape_loop(og_op *o)
{
	const og_onnx_graph *body = branch(o, "body");
	size_t carried = o->n->ninputs > 2 ? o->n->ninputs - 2 : 0;

	if (!body || !infer_branch(o, body))
		return;
	if (body->noutputs != o->n->noutputs + 1 || body->ninputs != carried + 2) {
		og_clash(o, "%zu outputs and %zu carried values, the body has %zu outputs and %zu inputs", o->n->noutputs, carried, body->noutputs, body->ninputs);
		return;
	}
	for (size_t i = 0; i < o->n->noutputs; i++) {
		const og_sinfo *s = output_of(o, body, i + 1);

		o->out[i].kind = s->kind;
		og_out_dtype(o, i, s->dtype);
		/* a carried value keeps its rank where the loop does not change it, which is not known here */
		if (i >= carried && s->rank >= 0 && s->rank < OG_RANK_MAX) {
			og_sdim dims[OG_RANK_MAX];

			dims[0] = og_sdim_none(o->in);
			for (int d = 0; d < s->rank; d++)
				dims[d + 1] = og_sdim_none(o->in);
			og_out_shape(o, i, s->rank + 1, dims);
		}
	}
}

void og_shape_scan(og_op *o)
{
	const og_onnx_graph *body = branch(o, "body");

	if (!body || !infer_branch(o, body) || body->noutputs != o->n->noutputs)
		return;
	for (size_t i = 0; i < o->n->noutputs; i++) {
		o->out[i].kind = output_of(o, body, i)->kind;
		og_out_dtype(o, i, output_of(o, body, i)->dtype);
	}
}
