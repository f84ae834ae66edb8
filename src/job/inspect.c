/* SPDX-License-Identifier: Apache-2.0
 *
 * An inspection is rows: one a tensor, one a dtype, and pairs of text for the rest.  It lives whole in one arena. */
#include "job/inspect.h"

#include "base/file.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "codec/digest.h"
#include "job/inspect_int.h"

#define DIGEST_PIECE ((size_t)256 << 10)

/* ---- rows ---------------------------------------------------------------------------------------------- */

og_status og_inspection_pair(og_inspection *s, og_error *err, const char *value, const char *key, ...)
{
	onnxgate_inspection *r = s->r;
	va_list ap;
	if (!og_arena_grow(s->arena, &r->metadata, &s->metadata_cap, r->nmetadata + 1, sizeof(*r->metadata)))
		return og_fail_nomem(err);
	onnxgate_pair *p = &r->metadata[r->nmetadata];
	va_start(ap, key);
	p->key = og_arena_vprintf(s->arena, key, ap);
	va_end(ap);
	p->value = og_arena_strdup(s->arena, value);
	if (!p->key || !p->value)
		return og_fail_nomem(err);
	r->nmetadata++;
	return OG_OK;
}

og_status og_inspection_note(og_inspection *s, og_error *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = og_arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
	if (!text || !og_arena_grow(s->arena, &s->r->notes, &s->notes_cap, s->r->nnotes + 1, sizeof(*s->r->notes)))
		return og_fail_nomem(err);
	s->r->notes[s->r->nnotes++] = text;
	return OG_OK;
}

og_status og_inspection_rows(og_inspection *s, size_t n, og_error *err)
{
	s->r->tensors = og_arena_array(s->arena, n, sizeof(*s->r->tensors));
	s->views = og_arena_array(s->arena, n, sizeof(*s->views));
	return s->r->tensors && s->views ? OG_OK : og_fail_nomem(err);
}

static void multiply(const onnxgate_tensor_row *t, uint64_t *elements)
{
	*elements = 1;
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64(*elements, (uint64_t)t->dims[i], elements))
			*elements = UINT64_MAX;
}

/* One row a dtype that occurs, in the order of ONNX's numbers. */
static og_status sum_up(og_inspection *s, og_error *err)
{
	onnxgate_inspection *r = s->r;
	r->totals = og_arena_array(s->arena, OG_DTYPE_COUNT + 1, sizeof(*r->totals));
	if (!r->totals)
		return og_fail_nomem(err);
	for (unsigned t = 0; t <= OG_DTYPE_COUNT; t++) {
		onnxgate_dtype_row *row = &r->totals[r->ntotals];
		const char *name = og_dtype_name((og_dtype)t); /* the last one is "?": of no dtype that we know */
		if (t < OG_DTYPE_COUNT && og_streq(name, "?"))
			continue;
		for (size_t i = 0; i < r->ntensors; i++) {
			uint64_t elements;
			if (!og_streq(r->tensors[i].dtype, name))
				continue;
			multiply(&r->tensors[i], &elements);
			row->dtype = name;
			row->tensors++;
			row->elements += elements;
			row->bytes += r->tensors[i].size;
		}
		r->ntotals += row->tensors > 0;
	}
	return OG_OK;
}

/* ---- digests ------------------------------------------------------------------------------------------- */

typedef struct digesting {
	const og_inspection *s;
	char *hex;        /* OG_SHA256_HEX a tensor */
	uint8_t *scratch; /* DIGEST_PIECE a worker */
	uint64_t done, total;
} digesting;

/* Bytes at … of the elements side by side, in row-major order. A piece begins at whole elements: DIGEST_PIECE is a multiple of each width. */
static og_status piece(const og_tensor *t, uint64_t at, void *buf, size_t n, og_error *err)
{
	unsigned width = og_dtype_bits(t->dtype) / 8;
	if (og_tensor_is_dense(t))
		return og_source_read(t->source, t->offset + at, buf, n, err);
	return og_tensor_read(t, at / width, n / width, buf, err);
}

static og_status digest_one(void *arg, int worker, size_t item, og_error *err)
{
	digesting *d = arg;
	const og_tensor *t = d->s->views[item];
	uint8_t *buf = d->scratch + (size_t)worker * DIGEST_PIECE;
	og_auto(og_digest) *digest = NULL;
	if (!t)
		return OG_OK;
	OG_TRY(og_digest_sha256(&digest, err));
	for (uint64_t at = 0; at < t->size;) {
		size_t n = t->size - at < DIGEST_PIECE ? (size_t)(t->size - at) : DIGEST_PIECE;
		OG_TRY(og_check_cancel(d->s->ctx, err));
		OG_TRY(piece(t, at, buf, n, err));
		OG_TRY(og_digest_update(digest, buf, n, err));
		at += n;
	}
	OG_TRY(og_digest_hex(digest, d->hex + item * OG_SHA256_HEX, err));
	d->s->r->tensors[item].sha256 = d->hex + item * OG_SHA256_HEX;
	og_progress(d->s->ctx, "digest", __atomic_add_fetch(&d->done, t->size, __ATOMIC_RELAXED), d->total);
	return OG_OK;
}

og_status og_inspection_digests(og_inspection *s, og_error *err)
{
	int threads = og_context_threads(s->ctx);
	og_autofree uint8_t *scratch = og_array_alloc((size_t)threads, DIGEST_PIECE);
	digesting d = { .s = s, .hex = og_arena_array(s->arena, s->r->ntensors, OG_SHA256_HEX), .scratch = scratch };
	if (!d.hex || !scratch)
		return og_fail_nomem(err);
	for (size_t i = 0; i < s->r->ntensors; i++)
		d.total += s->views[i] ? s->views[i]->size : 0;
	return og_pool_run(threads, s->r->ntensors, digest_one, &d, err);
}

/* ---- checkpoints --------------------------------------------------------------------------------------- */

/* A file's name below the folder that is inspected. */
static const char *below(const char *root, const char *path)
{
	size_t n = strlen(root);
	if (!strncmp(path, root, n) && path[n] == '/')
		return path + n + 1 + strspn(path + n + 1, "/");
	return og_path_base(path);
}

/* An unpacked entry of an archive is a source of its own, and its name is in what that source is called. */
static const char *part_name(og_inspection *s, const og_reader *reader, const og_tensor *t, const char *file)
{
	size_t n = strlen(reader->source->name);
	if (t->source == reader->source)
		return file;
	bool below_it = !strncmp(t->source->name, reader->source->name, n) && t->source->name[n];
	return og_arena_printf(s->arena, "%s!%s", file, below_it ? t->source->name + n + 1 + strspn(t->source->name + n + 1, " ") : t->source->name);
}

static og_status fill_row(og_inspection *s, const og_tensor *t, onnxgate_tensor_row *row, og_error *err)
{
	row->name = og_arena_strdup(s->arena, t->name);
	row->dtype = og_dtype_name(t->dtype);
	row->rank = t->rank;
	memcpy(row->dims, t->dims, sizeof(t->dims));
	row->offset = t->offset;
	row->size = t->size;
	row->strided = !og_tensor_is_dense(t);
	if (row->strided)
		memcpy(row->strides, t->strides, sizeof(t->strides));
	return row->name && row->file ? OG_OK : og_fail_nomem(err);
}

static og_status checkpoint_rows(og_inspection *s, const og_checkpoint *c, const char *root, og_error *err)
{
	const char *const *paths, *file = NULL;
	size_t n = og_checkpoint_count(c), last = SIZE_MAX;
	(void)og_checkpoint_files(c, &paths);
	OG_TRY(og_inspection_rows(s, n, err));
	for (size_t i = 0; i < n; i++) {
		const og_tensor *t = og_checkpoint_at(c, i);
		size_t k = og_checkpoint_file_of(c, i);
		if (k != last)
			file = og_arena_strdup(s->arena, below(root, paths[k]));
		if (!file)
			return og_fail_nomem(err);
		last = k;
		s->r->tensors[i].file = part_name(s, og_checkpoint_reader(c, k), t, file);
		OG_TRY(fill_row(s, t, &s->r->tensors[i], err));
		s->views[i] = t;
		s->r->ntensors = i + 1;
	}
	return OG_OK;
}

static og_status checkpoint_says(og_inspection *s, const og_checkpoint *c, const char *root, og_error *err)
{
	const char *const *paths;
	size_t pairs = 0, files = og_checkpoint_files(c, &paths);
	const og_pair *p = og_checkpoint_metadata(c, &pairs);
	for (size_t i = 0; i < pairs; i++)
		OG_TRY(og_inspection_pair(s, err, p[i].value, "%s", p[i].key));
	for (size_t k = 0; k < files; k++) {
		const og_reader *r = og_checkpoint_reader(c, k);
		for (size_t i = 0; i < r->note_count; i++)
			OG_TRY(files > 1 ? og_inspection_note(s, err, "%s: %s", below(root, paths[k]), r->notes[i]) : og_inspection_note(s, err, "%s", r->notes[i]));
	}
	return OG_OK;
}

static og_status inspect_checkpoint(og_inspection *s, const char *path, bool digests, og_error *err)
{
	og_auto(og_checkpoint) *c = NULL;
	bool folder = !s->how && og_dir_exists(path);
	og_autofree char *root = folder ? og_strdup(path) : og_path_dir(path);
	if (!root)
		return og_fail_nomem(err);
	OG_TRY(folder ? og_checkpoint_open(path, &c, err) : og_checkpoint_open_with(s->how, path, &c, err));
	s->r->format = og_arena_strdup(s->arena, og_checkpoint_format(c));
	if (!s->r->format)
		return og_fail_nomem(err);
	OG_TRY(checkpoint_rows(s, c, root, err));
	OG_TRY(checkpoint_says(s, c, root, err));
	og_status st = digests ? og_checkpoint_check(c, s->ctx, err) : OG_OK;
	if (st == OG_OK && digests)
		st = og_inspection_digests(s, err);
	s->views = NULL; /* they were the checkpoint's */
	return st;
}

/* ---- the job ------------------------------------------------------------------------------------------- */

og_status og_inspection_open(const og_inspection *s, const char *path, og_source **out, og_error *err)
{
	return s->how ? s->how->open(s->how->arg, path, out, err) : og_source_open(path, out, err);
}

static og_status inspect(og_inspection *s, const char *path, bool digests, og_error *err)
{
	bool onnx = og_ends_with(path, ".onnx") && (s->how || !og_dir_exists(path));
	OG_TRY(onnx ? og_inspection_onnx(s, path, digests, err) : inspect_checkpoint(s, path, digests, err));
	return sum_up(s, err);
}

/* Half a list would look like a whole one. */
static void forget(onnxgate_inspection *r)
{
	r->ntensors = r->ntotals = r->nmetadata = r->nnotes = r->nthreats = r->ndangers = 0;
	r->format = NULL;
}

/* What a file holds may keep it from being read, and is then no reason not to look for threats. */
static bool is_of_the_file(og_status st, const og_inspection *s, const char *path)
{
	bool here = !s->how && og_file_exists(path); /* elsewhere these two are the Hub's */
	return st == ONNXGATE_FORMAT || st == ONNXGATE_UNSUPPORTED || st == ONNXGATE_UNSAFE || (here && (st == ONNXGATE_MISMATCH || st == ONNXGATE_NOT_FOUND));
}

og_status og_inspection_look(og_inspection *s, const char *path, const onnxgate_inspect_request *q, og_error *err)
{
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	og_status st = inspect(s, path, q->digests, &why);
	if (!q->threats || (st != OG_OK && !is_of_the_file(st, s, path))) {
		if (st != OG_OK && err)
			*err = why;
		return st;
	}
	og_autofree char *dir = og_path_dir(path); /* where the file lies is not a matter of the file */
	if (!dir)
		return og_fail_nomem(err);
	size_t n = strlen(dir);
	const char *message = !strncmp(why.message, dir, n) && why.message[n] == '/' ? why.message + n + 1 : why.message;
	if (st != OG_OK) {
		forget(s->r);
		OG_TRY(og_inspection_note(s, err, "not readable as weights: %s", message));
	}
	OG_TRY(og_inspection_threats(s, path, err));
	s->r->looked = true;
	if (st == ONNXGATE_UNSAFE && !s->r->ndangers) /* no code, but something that was made to harm: a bomb, say */
		OG_TRY(og_inspection_danger(s, "unsafe", og_path_base(path), why.offset, message, err));
	if (!s->r->ndangers)
		return OG_OK;
	const onnxgate_threat_row *first = s->r->threats;
	while (!first->danger)
		first++;
	(void)og_fail(err, ONNXGATE_UNSAFE, "%s: %zu %s, the first one at %s offset %llu: %s: %s", path, s->r->ndangers, s->r->ndangers == 1 ? "danger" : "dangers",
		first->where, (unsigned long long)first->offset, first->kind, first->text);
	return ONNXGATE_UNSAFE;
}

og_inspection *og_inspection_new(const char *path, const og_context *ctx)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_inspection *s = arena ? og_arena_alloc(arena, sizeof(*s)) : NULL;
	if (!s || !(s->r = og_arena_alloc(arena, sizeof(*s->r))) || !(s->r->path = og_arena_strdup(arena, path)))
		return NULL;
	s->ctx = ctx;
	s->r->owner = s->arena = og_steal(&arena);
	return s;
}

og_status og_inspection_give(og_inspection *s, og_status st, const og_error *err, onnxgate_inspection **out)
{
	if (st != OG_OK) {
		s->r->error = *err;
		s->r->error.status = st;
		if (!s->r->looked)
			forget(s->r);
	}
	*out = s->r;
	return st;
}

og_status og_inspect_path(const onnxgate_inspect_request *q, const og_context *ctx, onnxgate_inspection **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_inspection *s = og_inspection_new(q->path, ctx);
	*out = NULL;
	if (!s)
		return ONNXGATE_NOMEM;
	return og_inspection_give(s, og_inspection_look(s, q->path, q, &err), &err, out);
}
