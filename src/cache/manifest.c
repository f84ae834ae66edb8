/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.json: what an entry holds and what made it.  A cache folder may be shared or copied from elsewhere,
 * so what is read back is treated like any file from outside: one schema, every member of its type, words from
 * their lists, sizes and counts bounded, file names that stay inside. */
#include "cache/cache_int.h"

#include "base/dir.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/rows.h"

#include <math.h>
#include <stdlib.h>

/* The members that are one line of text each. */
static const struct {
	const char *key;
	size_t at;
	bool required;
} texts[] = {
	{ "key", offsetof(og_manifest, key), true },
	{ "repo_id", offsetof(og_manifest, repo_id), true },
	{ "revision", offsetof(og_manifest, revision), false },
	{ "model_type", offsetof(og_manifest, model_type), false },
	{ "architecture", offsetof(og_manifest, architecture), true },
	{ "task", offsetof(og_manifest, task), true },
	{ "task_reason", offsetof(og_manifest, task_reason), false },
	{ "dtype", offsetof(og_manifest, dtype), true },
	{ "layout", offsetof(og_manifest, layout), false },
	{ "created", offsetof(og_manifest, created), true },
	{ "program", offsetof(og_manifest, program), false },
	{ "runtime", offsetof(og_manifest, runtime), false },
};

static const char **text_at(og_manifest *m, size_t i)
{
	return (const char **)(void *)((char *)m + texts[i].at);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

og_status og_manifest_text(const og_manifest *m, char **out, og_error *err)
{
	og_manifest copy = *m;
	og_doc d = { false };
	og_json *o = og_doc_object(&d);
	og_doc_set(&d, o, "schema", og_doc_str(&d, OG_CACHE_MANIFEST_SCHEMA));
	for (size_t i = 0; i < OG_COUNT(texts); i++)
		og_doc_set(&d, o, texts[i].key, og_doc_str(&d, *text_at(&copy, i)));
	og_doc_set(&d, o, "opset", og_doc_int(&d, m->opset));
	og_doc_set(&d, o, "architecture_revision", og_doc_int(&d, m->architecture_revision));
	og_doc_set(&d, o, "level", og_doc_str(&d, og_level_name(m->level)));
	og_doc_set(&d, o, "verdict", og_doc_str(&d, og_verdict_name(m->verdict)));
	og_doc_set(&d, o, "files", og_doc_files(&d, m->files, m->nfiles));
	og_doc_set(&d, o, "checks", og_doc_checks(&d, m->checks, m->nchecks));
	og_doc_set(&d, o, "timings_ms", og_doc_timings(&d, m->timings, m->ntimings));
	og_doc_set(&d, o, "notes", og_doc_texts(&d, m->notes, m->nnotes));
	*out = og_doc_text(&d, o, true);
	return *out ? OG_OK : og_fail_nomem(err);
}

og_status og_manifest_write(const char *path, const og_manifest *m, og_error *err)
{
	og_autofree char *text = NULL;
	OG_TRY(og_manifest_text(m, &text, err));
	size_t n = strlen(text);
	if (n > OG_JSON_BYTES_MAX)
		return og_fail(err, ONNXGATE_INTERNAL, "%s: %zu bytes, at most %u", path, n, OG_JSON_BYTES_MAX);
	return og_file_write(path, text, n, err);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

typedef struct reader {
	const char *name; /* of the document */
	og_arena *a;
	og_error *err;
} reader;

static og_status bad(const reader *r, const char *where, const char *expected)
{
	char shown[120];
	return og_fail(r->err, ONNXGATE_FORMAT, "%s: '%s': expected %s", r->name, og_str_show(og_str_of(where), shown, sizeof(shown)), expected);
}

/* Text without control bytes: each is printed as part of one line. */
static og_status one_line(const reader *r, const char *key, const og_json *v, bool required, const char **out)
{
	*out = NULL;
	if (!v)
		return required ? bad(r, key, "a text") : OG_OK;
	if (!json_object_is_type(v, json_type_string))
		return bad(r, key, "a text");
	const char *s = json_object_get_string((og_json *)(uintptr_t)v);
	size_t n = (size_t)json_object_get_string_len(v);
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f)
			return bad(r, key, "a text without control bytes");
	*out = og_arena_strndup(r->a, s, n);
	return *out ? OG_OK : og_fail_nomem(r->err);
}

static og_status integer(const reader *r, const char *key, const og_json *v, int64_t max, int64_t *out)
{
	if (!v || !json_object_is_type(v, json_type_int))
		return bad(r, key, "an integer");
	int64_t x = json_object_get_int64(v); /* clamps */
	if (x < 0 || x > max)
		return bad(r, key, "a number in range");
	*out = x;
	return OG_OK;
}

static og_status figure(const reader *r, const char *key, const og_json *v, double *out)
{
	if (v && !json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return bad(r, key, "a number or null");
	*out = v ? json_object_get_double(v) : NAN;
	return OG_OK;
}

static og_status array(const reader *r, const og_json *root, const char *key, og_json **out, size_t *n)
{
	*out = og_json_get(root, key);
	if (!*out || !json_object_is_type(*out, json_type_array))
		return bad(r, key, "a list");
	*n = json_object_array_length(*out);
	return *n <= OG_MANIFEST_ROWS_MAX ? OG_OK : bad(r, key, "at most 100000 rows");
}

static og_json *item(og_json *list, size_t i)
{
	return json_object_array_get_idx(list, i);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static og_status no_path_twice(const reader *r, const og_manifest *m)
{
	og_autofree const char **paths = og_array_alloc(m->nfiles + 1, sizeof(*paths));
	if (!paths)
		return og_fail_nomem(r->err);
	for (size_t i = 0; i < m->nfiles; i++)
		paths[i] = m->files[i].path;
	qsort(paths, m->nfiles, sizeof(*paths), by_path);
	for (size_t i = 1; i < m->nfiles; i++)
		if (strcmp(paths[i - 1], paths[i]) == 0)
			return bad(r, paths[i], "each file once");
	return OG_OK;
}

static og_status read_files(const reader *r, const og_json *root, og_manifest *m)
{
	og_json *list = NULL;
	OG_TRY(array(r, root, "files", &list, &m->nfiles));
	m->files = og_arena_array(r->a, m->nfiles + 1, sizeof(*m->files));
	if (!m->files)
		return og_fail_nomem(r->err);
	for (size_t i = 0; i < m->nfiles; i++) {
		og_json *o = item(list, i);
		onnxgate_file_row *f = &m->files[i];
		int64_t size = 0;
		OG_TRY(one_line(r, "files.path", og_json_get(o, "path"), true, &f->path));
		OG_TRY(one_line(r, "files.role", og_json_get(o, "role"), true, &f->role));
		OG_TRY(integer(r, "files.size", og_json_get(o, "size"), INT64_MAX - 1, &size));
		OG_TRY(one_line(r, "files.sha256", og_json_get(o, "sha256"), false, &f->sha256));
		char shown[160];
		if (!og_path_safe(f->path))
			return og_fail(r->err, ONNXGATE_UNSAFE, "%s: file name '%s' leads out of the entry", r->name,
						   og_str_show(og_str_of(f->path), shown, sizeof(shown)));
		if (f->sha256 && !og_is_hex(f->sha256, 64))
			return bad(r, "files.sha256", "64 hex digits or null");
		f->size = (uint64_t)size;
	}
	if (m->nfiles == 0)
		return bad(r, "files", "at least one file");
	return no_path_twice(r, m);
}

static og_status read_checks(const reader *r, const og_json *root, og_manifest *m)
{
	og_json *list = NULL;
	OG_TRY(array(r, root, "checks", &list, &m->nchecks));
	m->checks = og_arena_array(r->a, m->nchecks + 1, sizeof(*m->checks));
	if (!m->checks)
		return og_fail_nomem(r->err);
	for (size_t i = 0; i < m->nchecks; i++) {
		og_json *o = item(list, i);
		onnxgate_check_row *c = &m->checks[i];
		OG_TRY(one_line(r, "checks.name", og_json_get(o, "name"), true, &c->name));
		OG_TRY(one_line(r, "checks.detail", og_json_get(o, "detail"), false, &c->detail));
		if (!og_level_parse(og_json_str(o, "level", NULL), &c->level))
			return bad(r, "checks.level", "none, structure, runtime or reference");
		if (!og_check_status_parse(og_json_str(o, "status", NULL), &c->status))
			return bad(r, "checks.status", "pass, fail or skipped");
		OG_TRY(figure(r, "checks.value", og_json_get(o, "value"), &c->value));
		OG_TRY(figure(r, "checks.limit", og_json_get(o, "limit"), &c->limit));
	}
	return OG_OK;
}

static og_status read_timings(const reader *r, const og_json *root, og_manifest *m)
{
	og_json *o = og_json_get(root, "timings_ms");
	if (!o || !json_object_is_type(o, json_type_object))
		return bad(r, "timings_ms", "an object");
	size_t n = (size_t)json_object_object_length(o);
	if (n > OG_MANIFEST_ROWS_MAX)
		return bad(r, "timings_ms", "at most 100000 rows");
	m->timings = og_arena_array(r->a, n + 1, sizeof(*m->timings));
	if (!m->timings)
		return og_fail_nomem(r->err);
	json_object_object_foreach(o, key, v)
	{
		onnxgate_timing_row *t = &m->timings[m->ntimings++];
		for (const char *p = key; *p; p++)
			if ((uint8_t)*p < 0x20 || *p == 0x7f)
				return bad(r, "timings_ms", "names without control bytes");
		OG_TRY(figure(r, "timings_ms", v, &t->ms));
		t->name = og_arena_strdup(r->a, key);
		if (!t->name)
			return og_fail_nomem(r->err);
	}
	return OG_OK;
}

static og_status read_notes(const reader *r, const og_json *root, og_manifest *m)
{
	og_json *list = NULL;
	OG_TRY(array(r, root, "notes", &list, &m->nnotes));
	m->notes = og_arena_array(r->a, m->nnotes + 1, sizeof(*m->notes));
	if (!m->notes)
		return og_fail_nomem(r->err);
	for (size_t i = 0; i < m->nnotes; i++)
		OG_TRY(one_line(r, "notes", item(list, i), true, &m->notes[i]));
	return OG_OK;
}

static og_status read_root(const reader *r, const og_json *root, og_manifest *m)
{
	if (!json_object_is_type(root, json_type_object))
		return bad(r, "manifest", "an object");
	if (!og_streq(og_json_str(root, "schema", NULL), OG_CACHE_MANIFEST_SCHEMA))
		return bad(r, "schema", OG_CACHE_MANIFEST_SCHEMA);
	for (size_t i = 0; i < OG_COUNT(texts); i++)
		OG_TRY(one_line(r, texts[i].key, og_json_get(root, texts[i].key), texts[i].required, text_at(m, i)));
	if (!og_is_hex(m->key, 64))
		return bad(r, "key", "64 hex digits");
	int64_t opset = 0, revision = 0;
	OG_TRY(integer(r, "opset", og_json_get(root, "opset"), 1000, &opset));
	OG_TRY(integer(r, "architecture_revision", og_json_get(root, "architecture_revision"), INT32_MAX, &revision));
	m->opset = (int)opset;
	m->architecture_revision = (int)revision;
	if (!og_level_parse(og_json_str(root, "level", NULL), &m->level))
		return bad(r, "level", "none, structure, runtime or reference");
	if (!og_verdict_parse(og_json_str(root, "verdict", NULL), &m->verdict))
		return bad(r, "verdict", "pass, fail or unknown");
	OG_TRY(read_files(r, root, m));
	OG_TRY(read_checks(r, root, m));
	OG_TRY(read_timings(r, root, m));
	return read_notes(r, root, m);
}

og_status og_manifest_parse(const char *name, const void *p, size_t n, og_arena *a, og_manifest **out, og_error *err)
{
	og_auto(og_json) *root = NULL;
	OG_TRY(og_json_parse(name, p, n, &root, err));
	og_manifest *m = og_arena_alloc(a, sizeof(*m));
	if (!m)
		return og_fail_nomem(err);
	OG_TRY(read_root(&(reader){ name, a, err }, root, m));
	*out = m;
	return OG_OK;
}

og_status og_manifest_read(const char *dir, const char *key, og_arena *a, og_manifest **out, og_error *err)
{
	uint64_t size = 0;
	OG_TRY(og_file_below(dir, OG_CACHE_MANIFEST, &size, err));
	og_autofree char *path = og_path_join(dir, OG_CACHE_MANIFEST);
	if (!path)
		return og_fail_nomem(err);
	og_auto_buf b;
	og_buf_init(&b, OG_JSON_BYTES_MAX);
	og_manifest *m = NULL;
	OG_TRY(og_file_read(path, OG_JSON_BYTES_MAX, &b, err));
	OG_TRY(og_manifest_parse(path, b.p, b.n, a, &m, err));
	if (!og_streq(m->key, key))
		return og_fail(err, ONNXGATE_FORMAT, "%s: key %s, expected the folder's name", path, m->key);
	*out = m;
	return OG_OK;
}
