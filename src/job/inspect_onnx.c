/* SPDX-License-Identifier: Apache-2.0
 *
 * An ONNX file's rows: its initializers, by their place, and what it says of itself. */
#include "job/inspect_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/str.h"
#include "onnx/reader.h"

#define SHOWN_MAX 4096 /* bytes of one value's text */

/* ---- what the file says of itself --------------------------------------------------------------------------- */

static void show_type(og_buf *b, const og_onnx_type *t)
{
	static const char *const kinds[] = { [OG_ONNX_UNTYPED] = "?", [OG_ONNX_SEQUENCE] = "sequence", [OG_ONNX_MAP] = "map", [OG_ONNX_OPTIONAL] = "optional",
		[OG_ONNX_SPARSE_TENSOR] = "sparse_tensor", [OG_ONNX_OPAQUE] = "opaque" };
	if (t && t->kind != OG_ONNX_TENSOR) {
		og_buf_str(b, (size_t)t->kind < OG_COUNT(kinds) && kinds[t->kind] ? kinds[t->kind] : "?");
		return;
	}
	og_buf_str(b, t ? og_dtype_name(t->dtype) : "?");
	for (size_t i = 0; t && t->has_shape && i < t->rank; i++) {
		const og_onnx_dim *d = &t->dims[i];
		og_buf_str(b, i ? ", " : "[");
		if (d->symbol)
			og_buf_str(b, d->symbol);
		else if (d->value >= 0)
			og_buf_printf(b, "%" PRId64, d->value);
		else
			og_buf_byte(b, '?');
	}
	if (t && t->has_shape)
		og_buf_str(b, t->rank ? "]" : "[]");
}

static og_status add_values(og_inspection *s, const char *what, const og_onnx_value *v, size_t n, og_error *err)
{
	for (size_t i = 0; i < n; i++) {
		og_auto_buf b;
		og_buf_init(&b, SHOWN_MAX);
		show_type(&b, v[i].type);
		const char *text = og_buf_cstr(&b);
		OG_TRY(og_inspection_pair(s, err, text ? text : "?", "%s.%s", what, v[i].name));
	}
	return OG_OK;
}

static og_status add_number(og_inspection *s, og_error *err, const char *key, uint64_t v)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return og_inspection_pair(s, err, text, "%s", key);
}

static og_status onnx_metadata(og_inspection *s, const og_onnx_model *m, og_error *err)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64, m->ir_version);
	OG_TRY(og_inspection_pair(s, err, text, "ir_version"));
	for (size_t i = 0; i < m->nopsets; i++) {
		snprintf(text, sizeof(text), "%" PRId64, m->opsets[i].version);
		OG_TRY(og_inspection_pair(s, err, text, "opset.%s", m->opsets[i].domain[0] ? m->opsets[i].domain : "ai.onnx"));
	}
	OG_TRY(og_inspection_pair(s, err, m->producer, "producer"));
	OG_TRY(og_inspection_pair(s, err, m->producer_version, "producer_version"));
	if (m->graph) {
		OG_TRY(add_values(s, "input", m->graph->inputs, m->graph->ninputs, err));
		OG_TRY(add_values(s, "output", m->graph->outputs, m->graph->noutputs, err));
	}
	OG_TRY(add_number(s, err, "nodes", m->node_count));
	OG_TRY(add_number(s, err, "subgraphs", m->subgraph_count));
	OG_TRY(add_number(s, err, "functions", m->nfunctions));
	for (size_t i = 0; i < m->nmetadata_props; i++)
		OG_TRY(og_inspection_pair(s, err, m->metadata_props[i].value, "metadata.%s", m->metadata_props[i].key));
	return OG_OK;
}

static const char *external(const og_onnx_tensor *t, const char *key)
{
	for (size_t i = 0; i < t->nexternal_data; i++)
		if (og_streq(t->external_data[i].key, key))
			return t->external_data[i].value;
	return NULL;
}

/* ---- rows, by their place ------------------------------------------------------------------------------- */

typedef struct spot { /* where an initializer's bytes stand */
	const og_onnx_tensor *t;
	const char *file;
	uint64_t offset, size;
} spot;

/* In this file, in another one, or in a typed field, which has no place of its own. */
static og_status place(og_inspection *s, const char *own, spot *at, og_error *err)
{
	const og_onnx_tensor *t = at->t;
	uint64_t n = 0;
	at->file = own;
	if (t->external) {
		const char *location = external(t, "location"), *offset = external(t, "offset"), *length = external(t, "length");
		at->file = og_arena_strdup(s->arena, location ? location : "?");
		if (!at->file)
			return og_fail_nomem(err);
		if (offset && !og_parse_u64(og_str_of(offset), INT64_MAX, &at->offset))
			at->offset = 0;
		if (length && og_parse_u64(og_str_of(length), INT64_MAX, &n)) {
			at->size = n;
			return OG_OK;
		}
	} else if (t->has_raw) {
		at->offset = t->raw_at;
		at->size = t->raw_size;
		return OG_OK;
	} else {
		at->offset = t->at;
	}
	if (og_onnx_elements(t->dims, t->rank, &n))
		(void)og_dtype_bytes(t->dtype, n, &at->size);
	return OG_OK;
}

static int by_place(const void *a, const void *b)
{
	const spot *x = a, *y = b;
	int order = strcmp(x->file, y->file);
	if (order)
		return order;
	return x->offset != y->offset ? x->offset < y->offset ? -1 : 1 : strcmp(x->t->name, y->t->name);
}

static og_status fill_rows(og_inspection *s, const spot *spots, size_t n, og_source *source, og_error *err)
{
	OG_TRY(og_inspection_rows(s, n, err));
	og_tensor *views = og_arena_array(s->arena, n, sizeof(*views));
	if (!views)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const og_onnx_tensor *t = spots[i].t;
		onnxgate_tensor_row *row = &s->r->tensors[i];
		if (t->rank > OG_RANK_MAX)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: initializer \"%s\": expected at most %d dims, found %zu", source->name, t->name, OG_RANK_MAX,
				t->rank);
		*row = (onnxgate_tensor_row){ .name = t->name, .dtype = og_dtype_name(t->dtype), .file = spots[i].file, .rank = (int)t->rank,
			                          .offset = spots[i].offset, .size = spots[i].size };
		if (t->rank) /* a scalar has no dims to point at */
			memcpy(row->dims, t->dims, t->rank * sizeof(*t->dims));
		views[i] = (og_tensor){ .name = t->name, .dtype = OG_U8, .source = source, .offset = row->offset, .size = row->size }; /* as bytes */
		if (t->has_raw || t->external)
			s->views[i] = &views[i];
		s->r->ntensors = i + 1;
	}
	return OG_OK;
}

static og_status onnx_rows(og_inspection *s, const og_onnx_graph *g, og_source *source, og_error *err)
{
	const char *file = og_arena_strdup(s->arena, og_path_base(source->name));
	og_autofree spot *spots = og_array_alloc(g->ninitializers + 1, sizeof(*spots));
	if (!file || !spots)
		return og_fail_nomem(err);
	for (size_t i = 0; i < g->ninitializers; i++) {
		spots[i].t = &g->initializers[i];
		OG_TRY(place(s, file, &spots[i], err));
	}
	if (g->ninitializers)
		qsort(spots, g->ninitializers, sizeof(*spots), by_place);
	return fill_rows(s, spots, g->ninitializers, source, err);
}

/* ---- external data ---------------------------------------------------------------------------------------- */

/* It is digested where its file is a plain name in the model's folder; check judges the rest. */
static og_status open_external(og_inspection *s, const og_source *own, const char *path, og_source **opened, size_t *nopened, og_error *err)
{
	og_autofree char *dir = og_path_dir(path);
	if (!dir)
		return og_fail_nomem(err);
	for (size_t i = 0; i < s->r->ntensors; i++) {
		const onnxgate_tensor_row *row = &s->r->tensors[i];
		if (!s->views[i] || og_streq(row->file, og_path_base(own->name)))
			continue;
		og_tensor *view = og_arena_alloc(s->arena, sizeof(*view));
		og_autofree char *name = og_path_join(dir, row->file);
		if (!view || !name)
			return og_fail_nomem(err);
		*view = *s->views[i];
		s->views[i] = NULL;
		if (!og_path_safe(row->file))
			continue;
		if (!*nopened || !og_streq(opened[*nopened - 1]->name, name)) { /* rows are sorted by file */
			OG_TRY(og_inspection_open(s, name, &opened[*nopened], err));
			++*nopened;
		}
		view->source = opened[*nopened - 1];
		s->views[i] = view;
	}
	return OG_OK;
}

static og_status digest_onnx(og_inspection *s, const og_source *own, const char *path, og_error *err)
{
	size_t nopened = 0;
	og_autofree og_source **opened = og_array_alloc(s->r->ntensors + 1, sizeof(*opened));
	if (!opened)
		return og_fail_nomem(err);
	og_status st = open_external(s, own, path, opened, &nopened, err);
	if (st == OG_OK)
		st = og_inspection_digests(s, err);
	for (size_t i = 0; i < nopened; i++)
		og_source_free(opened[i]);
	return st;
}

og_status og_inspection_onnx(og_inspection *s, const char *path, bool digests, og_error *err)
{
	og_auto(og_source) *source = NULL;
	og_onnx_model *m = NULL;
	s->r->format = "onnx";
	OG_TRY(og_inspection_open(s, path, &source, err));
	OG_TRY(og_onnx_read(source, s->ctx, s->arena, &m, err));
	OG_TRY(onnx_metadata(s, m, err));
	if (!m->graph)
		return OG_OK;
	OG_TRY(onnx_rows(s, m->graph, source, err));
	return digests ? digest_onnx(s, source, path, err) : OG_OK;
}
