/* SPDX-License-Identifier: Apache-2.0
 *
 * External data: for every tensor whose bytes lie in another file, the file is inside the model's folder and
 * holds them.  A location is a name below the folder; what it really is, links followed, must be a regular
 * file below the folder too.  One exception: the Hub cache keeps a snapshot as links into the blobs of the
 * same repository,
 *
 *     R/snapshots/COMMIT/onnx/model.onnx_data  ->  ../../../blobs/SHA256
 *
 * so for a folder at or below R/snapshots/COMMIT a file that stands directly in R/blobs is inside as well. */
#include "check/structure.h"

#include "base/limits.h"
#include "base/path.h"
#include "base/source.h"
#include "base/strmap.h"

#include <string.h>

/* ---- the words ------------------------------------------------------------------------------------------ */

static bool is_prepacked(const char *key) /* ONNX Runtime's own addition: where it keeps pre-packed copies */
{
	return og_starts_with(key, "prepacked_");
}

static const char *parse_number(og_arena *a, const og_onnx_pair *p, uint64_t *out)
{
	if (og_parse_u64(og_str_of(p->value), INT64_MAX, out))
		return NULL;
	const char *text = og_arena_printf(a, "%s is '%.64s', expected a number that is not negative", p->key, p->value);

	return text ? text : "not a number";
}

static const char *problem(og_arena *a, const char *fmt, const char *key)
{
	const char *text = og_arena_printf(a, fmt, key);

	return text ? text : "malformed";
}

const char *og_external_parse(og_arena *a, const og_onnx_tensor *t, og_external *out)
{
	bool has_offset = false, has_checksum = false;
	const char *bad;

	*out = (og_external){ 0 };
	for (size_t i = 0; i < t->nexternal_data; i++) {
		const og_onnx_pair *p = &t->external_data[i];
		bool *seen;
		bool has_location = out->location != NULL;

		if (og_streq(p->key, "location"))
			seen = &has_location;
		else if (og_streq(p->key, "offset"))
			seen = &has_offset;
		else if (og_streq(p->key, "length"))
			seen = &out->has_length;
		else if (og_streq(p->key, "checksum"))
			seen = &has_checksum;
		else if (is_prepacked(p->key))
			continue;
		else
			return problem(a, "unknown key '%.64s'", p->key);
		if (*seen)
			return problem(a, "key '%.64s' is given twice", p->key);
		*seen = true;
		if (og_streq(p->key, "location"))
			out->location = p->value;
		bad = og_streq(p->key, "offset") ? parse_number(a, p, &out->offset) : og_streq(p->key, "length") ? parse_number(a, p, &out->length) : NULL;
		if (bad)
			return bad;
	}
	return out->location ? NULL : "no location";
}

/* ---- the file ------------------------------------------------------------------------------------------- */

/* Does `path` stand below `folder`? Both are real names. */
static bool is_below(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	if (n == 1) /* "/" */
		return true;
	return strncmp(folder, path, n) == 0 && path[n] == '/';
}

/* Is folder R/snapshots/COMMIT or below it, and path R/blobs/NAME? */
static bool is_blob_of_snapshot(const char *folder, const char *path)
{
	static const char snapshots[] = "/snapshots/", blobs[] = "/blobs/";
	size_t n = 0;

	/* the last "/snapshots/" that has something behind it: R may itself have such a name in it */
	for (const char *at = folder; (at = strstr(at, snapshots)) != NULL; at++) {
		if (at[sizeof(snapshots) - 1])
			n = (size_t)(at - folder);
	}
	return n > 0 && strncmp(folder, path, n) == 0 && og_starts_with(path + n, blobs) && path[n + sizeof(blobs) - 1]
		&& !strchr(path + n + sizeof(blobs) - 1, '/');
}

og_status og_external_resolve(const char *folder, const char *location, char **path, uint64_t *size, og_error *err)
{
	og_autofree char *root = NULL, *joined = NULL, *real = NULL;
	og_auto(og_source) *s = NULL;

	while (og_starts_with(location, "./"))
		location += 2;
	if (!og_path_safe(location))
		return og_fail(err, ONNXGATE_UNSAFE, "external data '%.200s': expected a name below the folder of the model", location);
	joined = og_path_join(folder, location);
	if (!joined)
		return og_fail_nomem(err);
	OG_TRY(og_path_real(folder[0] ? folder : ".", &root, err));
	OG_TRY(og_path_real(joined, &real, err));
	if (!is_below(root, real) && !is_blob_of_snapshot(root, real))
		return og_fail(err, ONNXGATE_UNSAFE, "external data '%.200s': a link leads out of the folder, to %.300s", location, real);
	OG_TRY(og_source_open(real, &s, err));
	*size = s->size;
	*path = og_steal(&real);
	return OG_OK;
}

/* ---- the check ------------------------------------------------------------------------------------------ */

typedef struct external {
	og_structure *st;
	og_findings f;
	og_strmap *sizes; /* location -> size of its file + 1; 1 + SIZE_BAD: told already */
	size_t files;
	uint64_t bytes;
} external;

static const uint64_t SIZE_BAD = UINT64_MAX - 1;

/* *size of the file behind a location, looked up once; SIZE_BAD: there is a fault, told at the first use. */
static og_status file_size(external *e, const og_tensor_ref *r, const char *location, uint64_t *size, og_error *err)
{
	uint64_t *slot = og_strmap_slot(e->sizes, location);
	og_autofree char *path = NULL;
	og_error why = { 0 };
	og_status s;

	if (!slot)
		return og_fail_nomem(err);
	if (*slot) {
		*size = *slot - 1;
		if (*size == SIZE_BAD)
			e->f.faults++;
		return OG_OK;
	}
	if (e->files == OG_SHARDS_MAX) {
		og_fault(&e->f, "%s '%s': more than %d files of external data", r->what, r->name, OG_SHARDS_MAX);
		*size = SIZE_BAD;
		return OG_OK;
	}
	OG_TRY(og_check_cancel(e->st->ctx, err));
	e->files++;
	s = og_external_resolve(e->st->folder, location, &path, size, &why);
	if (s == ONNXGATE_NOMEM)
		return og_fail_nomem(err);
	if (s != OG_OK) {
		og_fault(&e->f, "%s '%s': %s", r->what, r->name, why.message);
		*size = SIZE_BAD;
	}
	*slot = *size + 1;
	return OG_OK;
}

static og_status check_tensor(external *e, const og_tensor_ref *r, og_error *err)
{
	const og_onnx_tensor *t = r->t;
	const char *bad;
	uint64_t size = 0, elements, bytes;
	og_external x;

	if (!t->external) {
		if (t->nexternal_data)
			og_fault(&e->f, "%s '%s': has external_data but says that its data is in the file", r->what, r->name);
		return OG_OK;
	}
	e->f.looked++;
	bad = og_external_parse(e->st->arena, t, &x);
	if (bad) {
		og_fault(&e->f, "%s '%s': external data: %s", r->what, r->name, bad);
		return OG_OK;
	}
	if (!e->st->folder)
		return OG_OK;
	OG_TRY(file_size(e, r, x.location, &size, err));
	if (size == SIZE_BAD)
		return OG_OK;
	if (!og_onnx_elements(t->dims, t->rank, &elements) || !og_dtype_bytes(t->dtype, elements, &bytes)) {
		og_fault(&e->f, "%s '%s': %zu dims of %s have no size in bytes", r->what, r->name, t->rank, og_dtype_name(t->dtype));
		return OG_OK;
	}
	e->bytes += bytes;
	if (x.has_length && x.length != bytes)
		og_fault(&e->f, "%s '%s': takes %llu bytes, the length of its external data is %llu", r->what, r->name, (unsigned long long)bytes,
			(unsigned long long)x.length);
	else if (x.offset > size || bytes > size - x.offset)
		og_fault(&e->f, "%s '%s': %llu bytes at offset %llu, past the end of '%.200s' (%llu bytes)", r->what, r->name, (unsigned long long)bytes,
			(unsigned long long)x.offset,
		         x.location, (unsigned long long)size);
	return OG_OK;
}

og_status og_structure_external(og_structure *st, og_error *err)
{
	external e = { .st = st, .f = { .st = st }, .sizes = og_strmap_new(st->arena) };

	if (!e.sizes)
		return og_fail_nomem(err);
	for (size_t i = 0; i < st->ntensors; i++)
		OG_TRY(check_tensor(&e, &st->tensors[i], err));
	for (size_t i = 0; i < st->nsparse; i++) {
		const og_onnx_sparse *s = st->sparse[i].t;

		if ((s->values && s->values->external) || (s->indices && s->indices->external))
			og_fault(&e.f, "sparse tensor '%s': external data, which no runtime reads", st->sparse[i].name);
	}
	return og_findings_row(&e.f, "structure.external_data", err, "%zu tensors, %llu bytes in %zu files", e.f.looked, (unsigned long long)e.bytes, e.files);
}
