/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure level: is this file a well-formed ONNX model?  No weight is read, whatever the file's size. */
#include "check/structure.h"

#include "base/file.h"
#include "base/path.h"

#include <stdio.h>

enum { FINDING_MAX = 512 };

static const char *finding(og_findings *f, const char *fmt, va_list ap)
{
	const char *text = og_arena_vprintf(f->st->arena, fmt, ap);

	if (!text)
		f->nomem = true;
	return text;
}

void og_fault(og_findings *f, const char *fmt, ...)
{
	va_list ap;

	if (f->faults++ > 0)
		return;
	va_start(ap, fmt);
	f->fault = finding(f, fmt, ap);
	va_end(ap);
}

void og_unsure(og_findings *f, const char *fmt, ...)
{
	va_list ap;

	if (f->unknowns++ > 0)
		return;
	va_start(ap, fmt);
	f->unknown = finding(f, fmt, ap);
	va_end(ap);
}

og_status og_findings_row(const og_findings *f, const char *name, og_error *err, const char *fmt, ...)
{
	og_checks *out = f->st->out;
	onnxgate_check_status status = f->faults ? ONNXGATE_CHECK_FAIL : f->unknowns ? ONNXGATE_CHECK_SKIPPED : ONNXGATE_CHECK_PASS;
	const char *summary;
	va_list ap;

	va_start(ap, fmt);
	summary = og_arena_vprintf(f->st->arena, fmt, ap);
	va_end(ap);
	if (f->nomem || !summary)
		return og_fail_nomem(err);
	if (f->faults > 1)
		og_check_add(out, name, ONNXGATE_VALIDATE_STRUCTURE, status, (double)f->faults, 0, "%.*s (and %zu more); %s", FINDING_MAX, f->fault,
			f->faults - 1, summary);
	else if (f->faults)
		og_check_add(out, name, ONNXGATE_VALIDATE_STRUCTURE, status, 1, 0, "%.*s; %s", FINDING_MAX, f->fault, summary);
	else if (f->unknowns)
		og_check_add(out, name, ONNXGATE_VALIDATE_STRUCTURE, status, 0, 0, "%zu not judged: %.*s; %s", f->unknowns, FINDING_MAX, f->unknown, summary);
	else
		og_check_add(out, name, ONNXGATE_VALIDATE_STRUCTURE, status, 0, 0, "%s", summary);
	return out->nomem ? og_fail_nomem(err) : OG_OK;
}

const char *og_node_show(const og_onnx_node *n, char *out, size_t cap)
{
	const char *first = n->name;

	for (size_t i = 0; !first[0] && i < n->noutputs; i++)
		first = n->outputs[i];
	snprintf(out, cap, "%s '%.*s' (%.64s%s%.64s)", n->name[0] ? "node" : "node that makes", 160, first, n->domain, n->domain[0] ? "." : "", n->op_type);
	return out;
}

/* ---- flattening: every list of nodes and every tensor of the file, in order -------------------------- */

static og_status add_tensor(og_structure *st, const og_onnx_tensor *t, const char *what, const char *name, og_error *err)
{
	if (!og_arena_grow(st->arena, &st->tensors, &st->tensors_cap, st->ntensors + 1, sizeof(*st->tensors)))
		return og_fail_nomem(err);
	st->tensors[st->ntensors++] = (og_tensor_ref){ t, what, name };
	return OG_OK;
}

static og_status add_sparse(og_structure *st, const og_onnx_sparse *t, const char *name, og_error *err)
{
	if (!og_arena_grow(st->arena, &st->sparse, &st->sparse_cap, st->nsparse + 1, sizeof(*st->sparse)))
		return og_fail_nomem(err);
	st->sparse[st->nsparse++] = (og_sparse_ref){ t, name };
	return OG_OK;
}

static og_status add_graph(og_structure *st, const og_onnx_graph *g, const og_node_list *outer, og_error *err);

static og_status add_attribute(og_structure *st, const og_onnx_attribute *a, const char *owner, const og_node_list *list, og_error *err)
{
	static const char what[] = "attribute tensor of node";

	if (a->t)
		OG_TRY(add_tensor(st, a->t, what, owner, err));
	for (size_t i = 0; i < a->ntensors; i++)
		OG_TRY(add_tensor(st, a->tensors[i], what, owner, err));
	if (a->sparse)
		OG_TRY(add_sparse(st, a->sparse, owner, err));
	if (a->g)
		OG_TRY(add_graph(st, a->g, list, err));
	for (size_t i = 0; i < a->ngraphs; i++)
		OG_TRY(add_graph(st, a->graphs[i], list, err));
	return OG_OK;
}

static og_status add_nodes(og_structure *st, const og_node_list *list, og_error *err)
{
	if (!og_arena_grow(st->arena, &st->lists, &st->lists_cap, st->nlists + 1, sizeof(*st->lists)))
		return og_fail_nomem(err);
	st->lists[st->nlists++] = *list;
	for (size_t i = 0; i < list->n; i++) {
		const og_onnx_node *n = &list->nodes[i];

		for (size_t j = 0; j < n->nattributes; j++)
			OG_TRY(add_attribute(st, &n->attributes[j], n->name[0] ? n->name : n->op_type, list, err));
	}
	return OG_OK;
}

/* Recursion as deep as the reader let subgraphs nest: OG_ONNX_DEPTH_MAX. */
static og_status add_graph(og_structure *st, const og_onnx_graph *g, const og_node_list *outer, og_error *err)
{
	og_node_list list = *outer;

	for (size_t i = 0; i < g->ninitializers; i++)
		OG_TRY(add_tensor(st, &g->initializers[i], "initializer", g->initializers[i].name, err));
	for (size_t i = 0; i < g->nsparse_initializers; i++) {
		const og_onnx_sparse *s = &g->sparse_initializers[i];

		OG_TRY(add_sparse(st, s, s->values ? s->values->name : "", err));
	}
	list.nodes = g->nodes;
	list.n = g->nnodes;
	return add_nodes(st, &list, err);
}

static og_status flatten(og_structure *st, og_error *err)
{
	const og_onnx_model *m = st->model;
	og_node_list list = { .opsets = m->opsets, .nopsets = m->nopsets };

	st->function_list = og_arena_array(st->arena, m->nfunctions + 1, sizeof(*st->function_list));
	if (!st->function_list)
		return og_fail_nomem(err);
	OG_TRY(add_graph(st, m->graph, &list, err));
	for (size_t i = 0; i < m->nfunctions; i++) {
		const og_onnx_function *f = &m->functions[i];

		st->function_list[i] = st->nlists;

		list = (og_node_list){ f->nodes, f->nnodes, f->opsets, f->nopsets, true };
		for (size_t j = 0; j < f->ndefaults; j++)
			OG_TRY(add_attribute(st, &f->defaults[j], f->name, &list, err));
		OG_TRY(add_nodes(st, &list, err));
	}
	st->function_list[m->nfunctions] = st->nlists;
	return OG_OK;
}

/* ---- the check --------------------------------------------------------------------------------------- */

static og_status protobuf_row(const og_structure *st, og_error *err)
{
	const og_onnx_model *m = st->model;
	og_findings f = { .st = (og_structure *)st };

	if (m->ir_version < 1)
		og_fault(&f, "IR version %lld, expected 1 or more", (long long)m->ir_version);
	return og_findings_row(&f, "structure.protobuf", err, "%zu nodes, %zu tensors, %zu subgraphs, %zu functions, IR version %lld, %llu unknown fields",
		m->node_count, m->tensor_count,
	                       m->subgraph_count, m->nfunctions, (long long)m->ir_version, (unsigned long long)m->unknown_fields);
}

static og_status run(og_structure *st, og_error *err)
{
	bool resolved;

	OG_TRY(flatten(st, err));
	OG_TRY(protobuf_row(st, err));
	OG_TRY(og_structure_names(st, &resolved, err));
	OG_TRY(og_check_cancel(st->ctx, err));
	OG_TRY(og_structure_ops(st, err));
	OG_TRY(og_check_cancel(st->ctx, err));
	OG_TRY(og_structure_shapes(st, resolved, err));
	OG_TRY(og_structure_sizes(st, err));
	OG_TRY(og_structure_external(st, err));
	return og_structure_outputs(st, err);
}

/* The file's own fault is a finding; anything else (disk, memory, interruption) is an error of the call. */
static og_status malformed_row(og_checks *out, const og_error *why, og_error *err)
{
	og_check_add(out, "structure.protobuf", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_FAIL, 1, 0, "%s", why->message);
	return out->nomem ? og_fail_nomem(err) : OG_OK;
}

og_status og_check_structure_source(og_source *s, const char *folder, const og_context *ctx, og_checks *out, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_structure st = { .source = s, .folder = folder, .ctx = ctx, .out = out, .arena = arena };
	og_error why = { 0 };
	og_onnx_model *model = NULL;
	og_status status;

	if (!arena)
		return og_fail_nomem(err);
	status = og_onnx_read(s, ctx, arena, &model, &why);
	if (status == ONNXGATE_FORMAT)
		return malformed_row(out, &why, err);
	if (status != OG_OK) {
		if (err)
			*err = why;
		return status;
	}
	st.model = model;
	return run(&st, err);
}

og_status og_check_structure(const char *onnx_path, const og_context *ctx, og_checks *out, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_autofree char *folder = NULL;
	og_error why = { 0 };
	og_status status = og_source_open(onnx_path, &s, &why);

	if (status == ONNXGATE_FORMAT)
		return malformed_row(out, &why, err);
	if (status != OG_OK) {
		if (err)
			*err = why;
		return status;
	}
	folder = og_path_dir(onnx_path);
	if (!folder)
		return og_fail_nomem(err);
	return og_check_structure_source(s, folder, ctx, out, err);
}
