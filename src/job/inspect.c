/* SPDX-License-Identifier: Apache-2.0
 *
 * An inspection is rows: one a tensor, one a dtype, and pairs of text for the rest.  It lives whole in one arena. */
#include "job/inspect.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "codec/digest.h"
#include "job/job.h"
#include "model/checkpoint.h"
#include "onnx/reader.h"

#define DIGEST_PIECE ((size_t)256 << 10)
#define SHOWN_MAX 4096 /* bytes of one value's text */

typedef struct inspection {
	onnxgate_inspection *r;
	og_arena *arena;
	const og_context *ctx;
	og_source **sources; /* where each tensor's bytes are; NULL: nowhere that can be read */
	size_t metadata_cap;
} inspection;

/* ---- rows ---------------------------------------------------------------------------------------------- */

static og_status add_pair(inspection *s, og_error *err, const char *value, const char *key, ...) OG_PRINTF(4, 5);
static og_status add_pair(inspection *s, og_error *err, const char *value, const char *key, ...)
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

static og_status make_rows(inspection *s, size_t n, og_error *err)
{
	s->r->tensors = og_arena_array(s->arena, n, sizeof(*s->r->tensors));
	s->sources = og_arena_array(s->arena, n, sizeof(*s->sources));
	return s->r->tensors && s->sources ? OG_OK : og_fail_nomem(err);
}

static void multiply(const onnxgate_tensor_row *t, uint64_t *elements)
{
	*elements = 1;
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64(*elements, (uint64_t)t->dims[i], elements))
			*elements = UINT64_MAX;
}

/* One row a dtype that occurs, in the order of ONNX's numbers. */
static og_status sum_up(inspection *s, og_error *err)
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
	const inspection *s;
	char *hex;        /* OG_SHA256_HEX a tensor */
	uint8_t *scratch; /* DIGEST_PIECE a worker */
	uint64_t done, total;
} digesting;

static og_status digest_one(void *arg, int worker, size_t item, og_error *err)
{
	digesting *d = arg;
	onnxgate_tensor_row *t = &d->s->r->tensors[item];
	uint8_t *buf = d->scratch + (size_t)worker * DIGEST_PIECE;
	og_auto(og_digest) *digest = NULL;
	if (!d->s->sources[item])
		return OG_OK;
	OG_TRY(og_digest_sha256(&digest, err));
	for (uint64_t at = 0; at < t->size;) {
		size_t n = t->size - at < DIGEST_PIECE ? (size_t)(t->size - at) : DIGEST_PIECE;
		OG_TRY(og_check_cancel(d->s->ctx, err));
		OG_TRY(og_source_read(d->s->sources[item], t->offset + at, buf, n, err));
		OG_TRY(og_digest_update(digest, buf, n, err));
		at += n;
	}
	OG_TRY(og_digest_hex(digest, d->hex + item * OG_SHA256_HEX, err));
	t->sha256 = d->hex + item * OG_SHA256_HEX;
	og_progress(d->s->ctx, "digest", __atomic_add_fetch(&d->done, t->size, __ATOMIC_RELAXED), d->total);
	return OG_OK;
}

static og_status digest_all(inspection *s, og_error *err)
{
	int threads = og_context_threads(s->ctx);
	og_autofree uint8_t *scratch = og_array_alloc((size_t)threads, DIGEST_PIECE);
	digesting d = { .s = s, .hex = og_arena_array(s->arena, s->r->ntensors, OG_SHA256_HEX), .scratch = scratch };
	if (!d.hex || !scratch)
		return og_fail_nomem(err);
	for (size_t i = 0; i < s->r->ntensors; i++)
		d.total += s->sources[i] ? s->r->tensors[i].size : 0;
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

static og_status checkpoint_rows(inspection *s, const og_checkpoint *c, const char *root, og_error *err)
{
	size_t n = og_checkpoint_count(c), pairs = 0;
	OG_TRY(make_rows(s, n, err));
	for (size_t i = 0; i < n; i++) {
		const og_tensor *t = og_checkpoint_at(c, i);
		const onnxgate_tensor_row *before = i ? &s->r->tensors[i - 1] : NULL;
		onnxgate_tensor_row *row = &s->r->tensors[i];
		const char *file = below(root, t->source->name);
		row->name = og_arena_strdup(s->arena, t->name);
		row->file = before && og_streq(before->file, file) ? before->file : og_arena_strdup(s->arena, file);
		row->dtype = og_dtype_name(t->dtype);
		row->rank = t->rank;
		memcpy(row->dims, t->dims, sizeof(t->dims));
		row->offset = t->offset;
		row->size = t->size;
		s->sources[i] = t->source;
		if (!row->name || !row->file)
			return og_fail_nomem(err);
		s->r->ntensors = i + 1;
	}
	const og_pair *p = og_checkpoint_metadata(c, &pairs);
	for (size_t i = 0; i < pairs; i++)
		OG_TRY(add_pair(s, err, p[i].value, "%s", p[i].key));
	return OG_OK;
}

static og_status inspect_checkpoint(inspection *s, const char *path, bool digests, og_error *err)
{
	og_auto(og_checkpoint) *c = NULL;
	bool folder = og_dir_exists(path);
	og_autofree char *root = folder ? og_strdup(path) : og_path_dir(path);
	if (!root)
		return og_fail_nomem(err);
	OG_TRY(folder ? og_checkpoint_open(path, &c, err) : og_checkpoint_open_file(path, &c, err));
	s->r->format = og_arena_strdup(s->arena, og_checkpoint_format(c));
	if (!s->r->format)
		return og_fail_nomem(err);
	OG_TRY(checkpoint_rows(s, c, root, err));
	return digests ? digest_all(s, err) : OG_OK;
}

/* ---- ONNX ---------------------------------------------------------------------------------------------- */

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

static og_status add_values(inspection *s, const char *what, const og_onnx_value *v, size_t n, og_error *err)
{
	for (size_t i = 0; i < n; i++) {
		og_auto_buf b;
		og_buf_init(&b, SHOWN_MAX);
		show_type(&b, v[i].type);
		const char *text = og_buf_cstr(&b);
		OG_TRY(add_pair(s, err, text ? text : "?", "%s.%s", what, v[i].name));
	}
	return OG_OK;
}

static og_status add_number(inspection *s, og_error *err, const char *key, uint64_t v)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRIu64, v);
	return add_pair(s, err, text, "%s", key);
}

static og_status onnx_metadata(inspection *s, const og_onnx_model *m, og_error *err)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64, m->ir_version);
	OG_TRY(add_pair(s, err, text, "ir_version"));
	for (size_t i = 0; i < m->nopsets; i++) {
		snprintf(text, sizeof(text), "%" PRId64, m->opsets[i].version);
		OG_TRY(add_pair(s, err, text, "opset.%s", m->opsets[i].domain[0] ? m->opsets[i].domain : "ai.onnx"));
	}
	OG_TRY(add_pair(s, err, m->producer, "producer"));
	OG_TRY(add_pair(s, err, m->producer_version, "producer_version"));
	if (m->graph) {
		OG_TRY(add_values(s, "input", m->graph->inputs, m->graph->ninputs, err));
		OG_TRY(add_values(s, "output", m->graph->outputs, m->graph->noutputs, err));
	}
	OG_TRY(add_number(s, err, "nodes", m->node_count));
	OG_TRY(add_number(s, err, "subgraphs", m->subgraph_count));
	OG_TRY(add_number(s, err, "functions", m->nfunctions));
	for (size_t i = 0; i < m->nmetadata_props; i++)
		OG_TRY(add_pair(s, err, m->metadata_props[i].value, "metadata.%s", m->metadata_props[i].key));
	return OG_OK;
}

static const char *external(const og_onnx_tensor *t, const char *key)
{
	for (size_t i = 0; i < t->nexternal_data; i++)
		if (og_streq(t->external_data[i].key, key))
			return t->external_data[i].value;
	return NULL;
}

/* Where the bytes stand: in this file, in another one, or in a typed field, which has no place of its own. */
static og_status place_initializer(inspection *s, const og_onnx_tensor *t, onnxgate_tensor_row *row, og_error *err)
{
	uint64_t n = 0;
	if (t->external) {
		const char *location = external(t, "location"), *offset = external(t, "offset"), *length = external(t, "length");
		row->file = og_arena_strdup(s->arena, location ? location : "?");
		if (!row->file)
			return og_fail_nomem(err);
		if (offset && !og_parse_u64(og_str_of(offset), INT64_MAX, &row->offset))
			row->offset = 0;
		if (length && og_parse_u64(og_str_of(length), INT64_MAX, &n)) {
			row->size = n;
			return OG_OK;
		}
	} else if (t->has_raw) {
		row->offset = t->raw_at;
		row->size = t->raw_size;
		return OG_OK;
	} else {
		row->offset = t->at;
	}
	if (og_onnx_elements(t->dims, t->rank, &n))
		(void)og_dtype_bytes(t->dtype, n, &row->size);
	return OG_OK;
}

static og_status onnx_rows(inspection *s, const og_onnx_graph *g, og_source *source, og_error *err)
{
	const char *file = og_arena_strdup(s->arena, og_path_base(source->name));
	if (!file)
		return og_fail_nomem(err);
	OG_TRY(make_rows(s, g->ninitializers, err));
	for (size_t i = 0; i < g->ninitializers; i++) {
		const og_onnx_tensor *t = &g->initializers[i];
		onnxgate_tensor_row *row = &s->r->tensors[i];
		if (t->rank > OG_RANK_MAX)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: initializer \"%s\": expected at most %d dims, found %zu", source->name, t->name, OG_RANK_MAX,
				t->rank);
		*row = (onnxgate_tensor_row){ .name = t->name, .dtype = og_dtype_name(t->dtype), .file = file, .rank = (int)t->rank };
		if (t->rank) /* a scalar has no dims to point at */
			memcpy(row->dims, t->dims, t->rank * sizeof(*t->dims));
		OG_TRY(place_initializer(s, t, row, err));
		s->sources[i] = t->has_raw && !t->external ? source : NULL;
		s->r->ntensors = i + 1;
	}
	return OG_OK;
}

/* External data is digested where its file is a plain name in the model's folder; check judges the rest. */
static og_status open_external(inspection *s, const og_onnx_graph *g, const char *path, og_source **opened, size_t *nopened, og_error *err)
{
	og_autofree char *dir = og_path_dir(path);
	if (!dir)
		return og_fail_nomem(err);
	for (size_t i = 0; i < g->ninitializers; i++) {
		const onnxgate_tensor_row *row = &s->r->tensors[i];
		og_source *found = NULL;
		if (!g->initializers[i].external || !og_path_safe(row->file))
			continue;
		og_autofree char *name = og_path_join(dir, row->file);
		if (!name)
			return og_fail_nomem(err);
		if (*nopened && og_streq(opened[*nopened - 1]->name, name)) {
			found = opened[*nopened - 1];
		} else {
			OG_TRY(og_source_open(name, &found, err));
			opened[(*nopened)++] = found;
		}
		s->sources[i] = found;
	}
	return OG_OK;
}

static og_status digest_onnx(inspection *s, const og_onnx_graph *g, const char *path, og_error *err)
{
	size_t nopened = 0;
	og_autofree og_source **opened = og_array_alloc(g->ninitializers + 1, sizeof(*opened));
	if (!opened)
		return og_fail_nomem(err);
	og_status st = open_external(s, g, path, opened, &nopened, err);
	if (st == OG_OK)
		st = digest_all(s, err);
	for (size_t i = 0; i < nopened; i++)
		og_source_free(opened[i]);
	return st;
}

static og_status inspect_onnx(inspection *s, const char *path, bool digests, og_error *err)
{
	og_auto(og_source) *source = NULL;
	og_onnx_model *m = NULL;
	s->r->format = "onnx";
	OG_TRY(og_source_open(path, &source, err));
	OG_TRY(og_onnx_read(source, s->ctx, s->arena, &m, err));
	OG_TRY(onnx_metadata(s, m, err));
	if (!m->graph)
		return OG_OK;
	OG_TRY(onnx_rows(s, m->graph, source, err));
	return digests ? digest_onnx(s, m->graph, path, err) : OG_OK;
}

/* ---- the job ------------------------------------------------------------------------------------------- */

static og_status inspect(inspection *s, const char *path, bool digests, og_error *err)
{
	bool onnx = og_ends_with(path, ".onnx") && !og_dir_exists(path);
	OG_TRY(onnx ? inspect_onnx(s, path, digests, err) : inspect_checkpoint(s, path, digests, err));
	return sum_up(s, err);
}

static inspection *inspection_new(const char *path, const og_context *ctx, og_arena **arena)
{
	*arena = og_arena_new();
	inspection *s = *arena ? og_arena_alloc(*arena, sizeof(*s)) : NULL;
	if (!s || !(s->r = og_arena_alloc(*arena, sizeof(*s->r))) || !(s->r->path = og_arena_strdup(*arena, path))) {
		og_arena_free(*arena);
		return NULL;
	}
	s->arena = *arena;
	s->ctx = ctx;
	s->r->owner = *arena;
	return s;
}

static og_status give(inspection *s, og_status st, const og_error *err, onnxgate_inspection **out)
{
	if (st != OG_OK) {
		s->r->error = *err;
		s->r->error.status = st;
		s->r->ntensors = s->r->ntotals = 0; /* half a list would look like a whole one */
	}
	*out = s->r;
	return st;
}

og_status og_inspect_path(const char *path, bool digests, const og_context *ctx, onnxgate_inspection **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_arena *arena;
	inspection *s = inspection_new(path, ctx, &arena);
	*out = NULL;
	if (!s)
		return ONNXGATE_NOMEM;
	return give(s, inspect(s, path, digests, &err), &err, out);
}

/* The cached weights of a repository: its single file, or its index. */
static og_status find_cached(onnxgate *g, const char *text, og_arena *arena, const char **local, og_error *err)
{
	const og_settings *set = g->set;
	const char *id, *revision = NULL;
	og_auto(og_hub) *hub = NULL;
	og_hub_repo *repo = NULL;
	OG_TRY(og_hub_parse_id(text, arena, &id, &revision, err));
	OG_TRY(og_hub_open(&(og_hub_options){ .endpoint = set->endpoint, .cache = set->hub_cache, .offline = true }, &g->ctx, &hub, err));
	OG_TRY(og_hub_resolve(hub, id, revision ? revision : "main", arena, &repo, err));
	const char **names = og_arena_array(arena, repo->nfiles, sizeof(*names));
	if (!names)
		return og_fail_nomem(err);
	for (size_t i = 0; i < repo->nfiles; i++)
		names[i] = repo->files[i].path;
	og_weights_choice c = og_weights_choose(names, repo->nfiles);
	const char *file = c.single ? c.single : c.index;
	if (file)
		OG_TRY(og_hub_cached(hub, repo, file, arena, local, err));
	if (file && *local)
		return OG_OK;
	(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: expected %s in the Hub's cache, found none", text, file ? file : "safetensors weights");
	if (file)
		og_error_hint(err, "`onnxgate verify %s` downloads it", text);
	return ONNXGATE_NOT_FOUND;
}

og_status og_job_inspect(onnxgate *g, const char *path, bool digests, onnxgate_inspection **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_arena *arena;
	const char *local = NULL;
	if (path[0] == '/' || path[0] == '.' || og_file_exists(path))
		return og_inspect_path(path, digests, &g->ctx, out);
	inspection *s = inspection_new(path, &g->ctx, &arena);
	*out = NULL;
	if (!s)
		return ONNXGATE_NOMEM;
	og_status st = find_cached(g, path, arena, &local, &err);
	if (st != OG_OK)
		og_error_prefix(&err, "no file or folder \"%s\", and as a repository", path);
	else
		st = inspect(s, local, digests, &err);
	if (st == OG_OK)
		s->r->path = local;
	return give(s, st, &err, out);
}
