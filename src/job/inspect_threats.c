/* SPDX-License-Identifier: Apache-2.0
 *
 * What could run code or is hidden, of every file that was named: the listing of each by format/threats.h, and for ONNX what its
 * messages say.  A file that cannot be opened is a row, too. */
#include "job/inspect_int.h"

#include <sys/stat.h>

#include "base/dir.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "format/recognise.h"
#include "format/threats.h"
#include "onnx/reader.h"

#define DEPTH_MAX 16 /* folders in folders that are looked into */

static og_status add_row(og_inspection *s, bool danger, const char *kind, const char *where, uint64_t offset, og_error *err, const char *fmt, ...)
	OG_PRINTF(7, 8);
static og_status add_row(og_inspection *s, bool danger, const char *kind, const char *where, uint64_t offset, og_error *err, const char *fmt, ...)
{
	onnxgate_inspection *r = s->r;
	va_list ap;
	char line[4096];
	if (!og_arena_grow(s->arena, &r->threats, &s->threats_cap, r->nthreats + 1, sizeof(*r->threats)))
		return og_fail_nomem(err);
	va_start(ap, fmt);
	const char *text = og_arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
	text = text ? og_arena_strdup(s->arena, og_str_line(text, line, sizeof(line))) : NULL;
	where = og_arena_strdup(s->arena, where);
	if (!text || !where)
		return og_fail_nomem(err);
	r->threats[r->nthreats++] = (onnxgate_threat_row){ danger, kind, where, offset == ONNXGATE_NO_OFFSET ? 0 : offset, text };
	r->ndangers += danger;
	return OG_OK;
}

og_status og_inspection_danger(og_inspection *s, const char *kind, const char *where, uint64_t offset, const char *text, og_error *err)
{
	return add_row(s, true, kind, where, offset, err, "%s", text);
}

/* ---- ONNX ------------------------------------------------------------------------------------------------- */

static bool is_standard(const char *domain)
{
	return !domain[0] || og_streq(domain, "ai.onnx.ml") || og_streq(domain, "ai.onnx.training") || og_streq(domain, "ai.onnx.preview.training");
}

static og_status check_domains(og_inspection *s, const og_onnx_model *m, const char *where, og_error *err)
{
	for (size_t i = 0; i < m->nopsets; i++) {
		const char *domain = m->opsets[i].domain;
		if (og_streq(domain, "ai.onnx.contrib")) /* onnxruntime-extensions, whose PyOp calls into Python */
			OG_TRY(add_row(s, true, "domain", where, 0, err, "operators of ai.onnx.contrib: a library beside the runtime runs them, one of them Python code"));
		else if (!is_standard(domain))
			OG_TRY(add_row(s, false, "domain", where, 0, err, "operators of domain \"%s\": the runtime, or a library beside it, runs them", domain));
	}
	return OG_OK;
}

/* ---- external data: of initializers and of attributes, in subgraphs and functions too ---- */

typedef struct outside {
	og_inspection *s;
	const char *dir; /* of the model; NULL: not on this disk */
	const char *where;
	const char *last; /* one row a file, not one a tensor */
	og_error *err;
} outside;

static og_status check_location(outside *o, const og_onnx_tensor *t, const char *location)
{
	og_error why = { 0 };
	uint64_t size;
	if (!og_path_safe(location))
		return add_row(o->s, true, "external", o->where, t->at, o->err, "data of \"%s\" in \"%s\", which leads out of the folder", t->name, location);
	if (!o->dir)
		return OG_OK;
	og_status st = og_file_below(o->dir, location, &size, &why);
	if (st == OG_OK)
		return OG_OK;
	return add_row(o->s, st == ONNXGATE_UNSAFE, "external", o->where, t->at, o->err, "data of \"%s\" in \"%s\": %s", t->name, location,
		st == ONNXGATE_UNSAFE ? "a link" : st == ONNXGATE_NOT_FOUND ? "no such file" : "no regular file");
}

static og_status check_tensor(outside *o, const og_onnx_tensor *t)
{
	for (size_t k = 0; t && t->external && k < t->nexternal_data; k++) {
		const char *location = t->external_data[k].value;
		if (!og_streq(t->external_data[k].key, "location") || og_streq(location, o->last))
			continue;
		o->last = location;
		OG_TRY(check_location(o, t, location));
	}
	return OG_OK;
}

static og_status check_graph(outside *o, const og_onnx_graph *g);

static og_status check_nodes(outside *o, const og_onnx_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < nodes[i].nattributes; k++) {
			const og_onnx_attribute *a = &nodes[i].attributes[k];
			OG_TRY(check_tensor(o, a->t));
			for (size_t j = 0; j < a->ntensors; j++)
				OG_TRY(check_tensor(o, a->tensors[j]));
			if (a->g)
				OG_TRY(check_graph(o, a->g));
			for (size_t j = 0; j < a->ngraphs; j++)
				OG_TRY(check_graph(o, a->graphs[j]));
		}
	return OG_OK;
}

/* The reader bounds the depth. */
static og_status check_graph(outside *o, const og_onnx_graph *g)
{
	for (size_t i = 0; i < g->ninitializers; i++)
		OG_TRY(check_tensor(o, &g->initializers[i]));
	for (size_t i = 0; i < g->nsparse_initializers; i++) {
		OG_TRY(check_tensor(o, g->sparse_initializers[i].values));
		OG_TRY(check_tensor(o, g->sparse_initializers[i].indices));
	}
	return check_nodes(o, g->nodes, g->nnodes);
}

static og_status check_external(og_inspection *s, const og_onnx_model *m, const char *dir, const char *where, og_error *err)
{
	outside o = { .s = s, .dir = dir, .where = where, .err = err };
	if (m->graph)
		OG_TRY(check_graph(&o, m->graph));
	for (size_t i = 0; i < m->nfunctions; i++)
		OG_TRY(check_nodes(&o, m->functions[i].nodes, m->functions[i].nnodes));
	return OG_OK;
}

static og_status check_onnx(og_inspection *s, og_source *source, const char *dir, const char *where, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_onnx_model *m = NULL;
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	if (!arena)
		return og_fail_nomem(err);
	og_status st = og_onnx_read(source, s->ctx, arena, &m, &why);
	if (st == ONNXGATE_NOMEM || st == ONNXGATE_CANCELLED || st == ONNXGATE_IO || st == ONNXGATE_NETWORK) {
		if (err)
			*err = why;
		return st;
	}
	if (st != OG_OK)
		return add_row(s, st == ONNXGATE_UNSAFE, "broken", where, why.offset, err, "%s", why.message);
	OG_TRY(add_row(s, false, "format", where, 0, err, "an ONNX model: operators of a runtime, no code of its own"));
	OG_TRY(check_domains(s, m, where, err));
	for (size_t i = 0; i < m->nmetadata_props; i++) {
		const char *kind, *what;
		if (og_threats_in_text(og_str_of(m->metadata_props[i].value), arena, &kind, &what))
			OG_TRY(add_row(s, !og_streq(kind, "code"), kind, where, 0, err, "metadata \"%s\": %s", m->metadata_props[i].key, what ? what : "?"));
	}
	return check_external(s, m, dir, where, err);
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static og_status add_listing(og_inspection *s, og_source *source, const char *name, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_threat *rows;
	size_t n;
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(og_threats_list(source, arena, &rows, &n, err));
	for (size_t i = 0; i < n; i++) {
		const char *where = rows[i].where[0] ? og_arena_printf(arena, "%s!%s", name, rows[i].where) : name;
		if (!where)
			return og_fail_nomem(err);
		OG_TRY(add_row(s, rows[i].danger, rows[i].kind, where, rows[i].offset, err, "%s", rows[i].text));
	}
	return OG_OK;
}

static og_status add_file(og_inspection *s, const char *path, const char *name, og_error *err)
{
	og_auto(og_source) *source = NULL;
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	uint8_t head[16];
	og_status st = og_inspection_open(s, path, &source, &why);
	if (st == ONNXGATE_FORMAT || (st == ONNXGATE_IO && !s->how) || st == ONNXGATE_NOT_FOUND) /* a FIFO, no rights, a link to nowhere */
		return add_row(s, false, "unread", name, 0, err, "%s", why.message);
	if (st != OG_OK) {
		if (err)
			*err = why;
		return st;
	}
	OG_TRY(og_check_cancel(s->ctx, err));
	OG_TRY(add_listing(s, source, name, err));
	size_t n = source->size < sizeof(head) ? (size_t)source->size : sizeof(head);
	OG_TRY(og_source_read(source, 0, head, n, err));
	if (!og_is_onnx(head, n))
		return OG_OK;
	og_autofree char *dir = og_path_dir(path);
	return dir ? check_onnx(s, source, s->how ? NULL : dir, name, err) : og_fail_nomem(err);
}

static og_status add_folder(og_inspection *s, const char *path, const char *below, int depth, og_error *err)
{
	og_dirlist l = { 0 };
	struct stat st;
	og_status result = og_dir_list(path, &l, err);
	for (size_t i = 0; result == OG_OK && i < l.n; i++) {
		og_autofree char *full = og_path_join(path, l.names[i]);
		og_autofree char *name = below[0] ? og_path_join(below, l.names[i]) : og_strdup(l.names[i]);
		if (!full || !name)
			result = og_fail_nomem(err);
		else if (lstat(full, &st) || !S_ISDIR(st.st_mode)) /* a link to a folder is reported as what cannot be read */
			result = add_file(s, full, name, err);
		else if (depth == DEPTH_MAX)
			result = add_row(s, false, "unread", name, 0, err, "a folder more than %d deep", DEPTH_MAX);
		else
			result = add_folder(s, full, name, depth + 1, err);
	}
	og_dirlist_done(&l);
	return result;
}

static og_status add_shards(og_inspection *s, const char *index, og_error *err)
{
	og_autofree char *dir = og_path_dir(index);
	const char **names;
	size_t n;
	if (!dir)
		return og_fail_nomem(err);
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	og_status st = og_shard_names_with(s->how, index, s->arena, &names, &n, &why);
	if (st == ONNXGATE_FORMAT || st == ONNXGATE_UNSAFE)
		return add_row(s, st == ONNXGATE_UNSAFE, "broken", og_path_base(index), why.offset, err, "%s", why.message);
	if (st != OG_OK && err)
		*err = why;
	OG_TRY(st);
	for (size_t i = 0; i < n; i++) {
		og_autofree char *path = og_path_join(dir, names[i]);
		if (!path)
			return og_fail_nomem(err);
		OG_TRY(add_file(s, path, names[i], err));
	}
	return OG_OK;
}

og_status og_inspection_threats(og_inspection *s, const char *path, og_error *err)
{
	if (!s->how && og_dir_exists(path))
		return add_folder(s, path, "", 0, err);
	if (og_ends_with(path, ".index.json"))
		OG_TRY(add_shards(s, path, err));
	return add_file(s, path, og_path_base(path), err);
}
