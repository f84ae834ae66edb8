/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint is one weights file, or an index and its shards:
 *
 *     model.safetensors.index.json   {"metadata": {…}, "weight_map": {"tensor": "model-00001-of-00002.safetensors", …}}
 *     pytorch_model.bin.index.json   the same, with PyTorch's files
 *
 * All tensors are listed file by file and found by name.  An index is a promise: each tensor that it lists must be
 * in the shard that it names.  A tensor that a shard holds and the index does not list is kept (from_pretrained
 * would load it too); the ledger says what becomes of it. */
#include "model/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/path.h"
#include "base/strmap.h"
#include "codec/jscan.h"

#define INDEX_STRING_MAX ((size_t)64 << 10) /* keys and texts; longer than OG_NAME_MAX so that the fault can name the tensor */

/* In from_pretrained's order: of each row the single file, else the index. */
static const struct {
	const char *single, *index, *shards;
} choices[] = {
	{ "model.safetensors", "model.safetensors.index.json", "*.safetensors" },
	{ "pytorch_model.bin", "pytorch_model.bin.index.json", "*.bin" },
};

/* Weights under other names, to say so instead of "none": those that we read when they are named, and those that we do not. */
static const char *const readable[] = { "*.safetensors", "pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.jit", "*.bin" };
static const char *const unread[] = { "tf_model.h5", "*.h5", "flax_model.msgpack", "*.msgpack", "*.gguf" };
static const char *const shards[] = { "*-of-*" }; /* one alone is a part */
/* What stands beside weights and is none, or is not a model's: a trainer's records, an adapter. */
static const char *const records[] = { "training_args.bin", "optimizer.*", "scheduler.*", "rng_state*", "scaler.*", "adapter_model.*" };

struct og_checkpoint {
	og_arena *arena;
	og_reader **readers;
	const char **paths; /* as many */
	size_t nfiles;
	const og_tensor **tensors;
	uint32_t *file_of; /* the reader of each tensor */
	size_t count;
	og_strmap *by_name; /* 1 + its place in tensors */
	const char *format;
};

/* One line of an index. */
typedef struct promise {
	const char *tensor, *file;
	uint64_t at;
} promise;

typedef struct shard_index {
	og_arena *arena;
	const char *name; /* of the index file, for messages */
	promise *promises;
	size_t count, cap;
	const char **files; /* sorted, distinct */
	size_t nfiles, files_cap;
	og_strmap *file_seen, *tensor_seen;
} shard_index;

/* ---- which files ---------------------------------------------------------------------------------------- */

static bool listed(const char *wanted, const char *const *names, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (og_streq(wanted, names[k]))
			return true;
	return false;
}

static bool matches(const char *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (og_glob(patterns[i], name))
			return true;
	return false;
}

/* The one file beside which no other could be meant; NULL: none, or several. */
static const char *only_one(const char *const *names, size_t n)
{
	const char *found = NULL;
	for (size_t k = 0; k < n; k++) {
		if (strchr(names[k], '/') || !matches(readable, OG_COUNT(readable), names[k]) || matches(records, OG_COUNT(records), names[k]) ||
			matches(shards, OG_COUNT(shards), names[k]))
			continue;
		if (found)
			return NULL;
		found = names[k];
	}
	return found;
}

og_weights_choice og_weights_choose(const char *const *names, size_t n)
{
	og_weights_choice c = { 0 };
	for (size_t i = 0; i < OG_COUNT(choices) && !c.single && !c.index; i++) {
		if (listed(choices[i].single, names, n))
			c.single = choices[i].single;
		else if (listed(choices[i].index, names, n))
			c = (og_weights_choice){ .index = choices[i].index, .shards = choices[i].shards };
	}
	return c.single || c.index ? c : (og_weights_choice){ .single = only_one(names, n) };
}

/* The first name, in the order of the patterns, that is no record of a trainer; NULL: none. */
static const char *first_match(const char *const *patterns, size_t npatterns, const char *const *names, size_t n)
{
	for (size_t i = 0; i < npatterns; i++)
		for (size_t k = 0; k < n; k++)
			if (og_glob(patterns[i], names[k]) && !matches(records, OG_COUNT(records), names[k]))
				return names[k];
	return NULL;
}

#define LOOKED_FOR "model.safetensors, pytorch_model.bin and their .index.json"

og_status og_weights_absent(const char *where, const char *const *names, size_t n, og_error *err)
{
	const char *name = first_match(readable, OG_COUNT(readable), names, n);
	if (name && matches(shards, OG_COUNT(shards), name)) {
		(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: %s is a part of a checkpoint, and its index is absent: looked for " LOOKED_FOR, where, name);
		return ONNXGATE_NOT_FOUND;
	}
	if (name) {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: several files of weights, %s among them, and none of the names that from_pretrained loads: looked for "
			LOOKED_FOR, where, name);
		og_error_hint(err, "keep one of them in the folder, or name it model.safetensors or pytorch_model.bin");
		return ONNXGATE_UNSUPPORTED;
	}
	if ((name = first_match(unread, OG_COUNT(unread), names, n))) {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: looked for " LOOKED_FOR ", found only %s, which is not read", where, name);
		og_error_hint(err, "save it as safetensors: AutoModel.from_pretrained(DIR).save_pretrained(DIR, safe_serialization=True); "
			"on the Hub look under refs/pr/ for a converted revision");
		return ONNXGATE_UNSUPPORTED;
	}
	(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: no weights: looked for " LOOKED_FOR, where);
	name = first_match((const char *const[]){ "*.onnx" }, 1, names, n);
	if (name)
		og_error_hint(err, "%s is a graph and no checkpoint: onnxgate check and onnxgate inspect take the file itself", name);
	return ONNXGATE_NOT_FOUND;
}

/* ---- the index ------------------------------------------------------------------------------------------ */

/* "INDEX: tensor "NAME": WHAT at offset N", the token in hand being meant. */
static og_status bad_line(const shard_index *x, const og_jscan *j, og_status status, og_str tensor, const char *what, og_error *err)
{
	char shown[160];
	uint64_t at = og_jscan_at(j);
	return og_fail_at(err, status, at, "%s: tensor \"%s\": %s at offset %" PRIu64, x->name, og_str_show(tensor, shown, sizeof(shown)), what, at);
}

static og_status bad_place(const shard_index *x, const og_jscan *j, const char *what, og_error *err)
{
	uint64_t at = og_jscan_at(j);
	return og_fail_at(err, ONNXGATE_FORMAT, at, "%s: %s at offset %" PRIu64, x->name, what, at);
}

/* The one copy of a shard's name. */
static og_status intern_file(shard_index *x, og_str s, const char **out, og_error *err)
{
	og_autofree char *name = og_alloc(s.n + 1);
	if (!name)
		return og_fail_nomem(err);
	memcpy(name, s.p, s.n);
	uint64_t *slot = og_strmap_find(x->file_seen, name);
	if (slot) {
		*out = x->files[*slot - 1];
		return OG_OK;
	}
	if (x->nfiles == OG_SHARDS_MAX)
		return og_fail(err, ONNXGATE_FORMAT, "%s: expected at most %d shards, found more", x->name, OG_SHARDS_MAX);
	char *kept = og_arena_strdup(x->arena, name);
	if (!kept || !og_arena_grow(x->arena, &x->files, &x->files_cap, x->nfiles + 1, sizeof(*x->files)))
		return og_fail_nomem(err);
	slot = og_strmap_slot(x->file_seen, kept);
	if (!slot)
		return og_fail_nomem(err);
	x->files[x->nfiles++] = kept;
	*slot = x->nfiles;
	*out = kept;
	return OG_OK;
}

/* A key of weight_map is at hand: it and its value make a promise. */
static og_status read_promise(shard_index *x, og_jscan *j, og_error *err)
{
	og_str text = og_jscan_text(j);
	promise line = { .at = og_jscan_at(j) };
	if (text.n > OG_NAME_MAX)
		return bad_line(x, j, ONNXGATE_FORMAT, text, "the name is longer than 1024 bytes", err);
	if (memchr(text.p, 0, text.n))
		return bad_line(x, j, ONNXGATE_FORMAT, text, "the name holds a zero character", err);
	line.tensor = og_arena_strndup(x->arena, text.p, text.n);
	uint64_t *slot = line.tensor ? og_strmap_slot(x->tensor_seen, line.tensor) : NULL;
	if (!slot)
		return og_fail_nomem(err);
	if (*slot)
		return bad_line(x, j, ONNXGATE_FORMAT, text, "is listed a second time", err);
	*slot = 1;
	og_jtoken t = og_jscan_next(j);
	OG_TRY(og_jscan_check(j, err));
	text = og_jscan_text(j);
	if (t != OG_J_STRING)
		return bad_line(x, j, ONNXGATE_FORMAT, og_str_of(line.tensor), "expected the name of a file", err);
	if (memchr(text.p, 0, text.n))
		return bad_line(x, j, ONNXGATE_UNSAFE, og_str_of(line.tensor), "its file name holds a zero character", err);
	OG_TRY(intern_file(x, text, &line.file, err));
	if (!og_path_safe(line.file))
		return bad_line(x, j, ONNXGATE_UNSAFE, og_str_of(line.tensor), "its file name leads out of the folder", err);
	if (!og_array_grow(&x->promises, &x->cap, x->count + 1, sizeof(*x->promises)))
		return og_fail_nomem(err);
	x->promises[x->count++] = line;
	return OG_OK;
}

static og_status read_weight_map(shard_index *x, og_jscan *j, og_error *err)
{
	if (x->nfiles)
		return bad_place(x, j, "weight_map is given a second time", err);
	og_jtoken t = og_jscan_next(j);
	OG_TRY(og_jscan_check(j, err));
	if (t != OG_J_OBJECT)
		return bad_place(x, j, "expected an object of file names as weight_map, found something else", err);
	while (og_jscan_next(j) == OG_J_KEY)
		OG_TRY(read_promise(x, j, err));
	return og_jscan_check(j, err);
}

static og_status read_index_text(shard_index *x, og_jscan *j, og_error *err)
{
	og_jtoken t = og_jscan_next(j);
	OG_TRY(og_jscan_check(j, err));
	if (t != OG_J_OBJECT)
		return bad_place(x, j, "expected an object with a weight_map, found something else", err);
	while ((t = og_jscan_next(j)) == OG_J_KEY) {
		if (og_str_is(og_jscan_text(j), "weight_map"))
			OG_TRY(read_weight_map(x, j, err));
		else if (!og_jscan_skip(j, og_jscan_next(j)))
			break;
	}
	if (t == OG_J_OBJECT_END)
		(void)og_jscan_next(j);
	OG_TRY(og_jscan_check(j, err));
	return x->nfiles ? OG_OK : og_fail(err, ONNXGATE_FORMAT, "%s: expected a weight_map that lists tensors, found none", x->name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void shard_index_done(shard_index *x)
{
	og_free(x->promises);
	*x = (shard_index){ 0 };
}

static og_status open_file(const og_opener *how, const char *path, og_source **out, og_error *err)
{
	return how ? how->open(how->arg, path, out, err) : og_source_open(path, out, err);
}

/* x->promises is to be released with shard_index_done(), also on failure; the rest lives in the arena. */
static og_status shard_index_read(const og_opener *how, const char *path, og_arena *arena, shard_index *x, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_jscan) *j = NULL;
	*x = (shard_index){ .arena = arena, .name = path, .file_seen = og_strmap_new(arena), .tensor_seen = og_strmap_new(arena) };
	if (!x->file_seen || !x->tensor_seen)
		return og_fail_nomem(err);
	OG_TRY(open_file(how, path, &s, err));
	if (s->size > OG_JSON_BYTES_MAX)
		return og_fail(err, ONNXGATE_FORMAT, "%s: expected at most %u bytes of index, found %" PRIu64, path, OG_JSON_BYTES_MAX, s->size);
	OG_TRY(og_jscan_open(s, 0, s->size, INDEX_STRING_MAX, OG_JSON_DEPTH_MAX, &j, err));
	OG_TRY(read_index_text(x, j, err));
	qsort(x->files, x->nfiles, sizeof(*x->files), by_name);
	return OG_OK;
}

og_status og_shard_names(const char *index_path, og_arena *arena, const char ***names, size_t *n, og_error *err)
{
	return og_shard_names_with(NULL, index_path, arena, names, n, err);
}

og_status og_shard_names_with(const og_opener *how, const char *index_path, og_arena *arena, const char ***names, size_t *n, og_error *err)
{
	shard_index x;
	og_status s = shard_index_read(how, index_path, arena, &x, err);
	if (s == OG_OK) {
		*names = x.files;
		*n = x.nfiles;
	}
	shard_index_done(&x);
	return s;
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static og_status checkpoint_new(size_t nfiles, og_checkpoint **out, og_error *err)
{
	og_auto(og_checkpoint) *c = og_alloc(sizeof(*c));
	if (!c || !(c->arena = og_arena_new()) || !(c->readers = og_arena_array(c->arena, nfiles, sizeof(*c->readers))) ||
		!(c->paths = og_arena_array(c->arena, nfiles, sizeof(*c->paths))) || !(c->by_name = og_strmap_new(c->arena)))
		return og_fail_nomem(err);
	*out = og_steal(&c);
	return OG_OK;
}

static og_status add_file(og_checkpoint *c, const og_opener *how, const char *path, og_error *err)
{
	og_auto(og_source) *s = NULL;
	char *kept = og_arena_strdup(c->arena, path);
	if (!kept)
		return og_fail_nomem(err);
	OG_TRY(open_file(how, path, &s, err));
	OG_TRY(og_reader_open(s, &c->readers[c->nfiles], err));
	(void)og_steal(&s); /* the reader's now */
	c->paths[c->nfiles++] = kept;
	return OG_OK;
}

/* List the tensors of all files, and by name. */
static og_status gather(og_checkpoint *c, og_error *err)
{
	char shown[160];
	size_t n = 0;
	for (size_t f = 0; f < c->nfiles; f++)
		n += c->readers[f]->count;
	c->tensors = og_arena_array(c->arena, n, sizeof(*c->tensors));
	c->file_of = og_arena_array(c->arena, n, sizeof(*c->file_of));
	if (!c->tensors || !c->file_of)
		return og_fail_nomem(err);
	for (size_t f = 0; f < c->nfiles; f++)
		for (size_t i = 0; i < c->readers[f]->count; i++) {
			const og_tensor *t = &c->readers[f]->tensors[i];
			uint64_t *slot = og_strmap_slot(c->by_name, t->name);
			if (!slot)
				return og_fail_nomem(err);
			if (*slot)
				return og_fail(err, ONNXGATE_FORMAT, "%s: tensor \"%s\": expected it in one file, found it also in %s", c->paths[f],
					og_str_show(og_str_of(t->name), shown, sizeof(shown)), c->paths[c->file_of[*slot - 1]]);
			c->tensors[c->count] = t;
			c->file_of[c->count++] = (uint32_t)f;
			*slot = c->count;
		}
	return OG_OK;
}

static og_status check_promises(const og_checkpoint *c, const shard_index *x, og_error *err)
{
	char shown[160];
	for (size_t i = 0; i < x->count; i++) {
		const promise *p = &x->promises[i];
		uint64_t *slot = og_strmap_find(c->by_name, p->tensor);
		const char **file = bsearch(&p->file, x->files, x->nfiles, sizeof(*x->files), by_name);
		size_t wanted = (size_t)(file - x->files);
		og_str_show(og_str_of(p->tensor), shown, sizeof(shown));
		if (!slot)
			return og_fail_at(err, ONNXGATE_FORMAT, p->at, "%s: tensor \"%s\": expected in %s, found in no shard", x->name, shown, p->file);
		if (c->file_of[*slot - 1] != wanted)
			return og_fail_at(err, ONNXGATE_FORMAT, p->at, "%s: tensor \"%s\": expected in %s, found in %s", x->name, shown, p->file,
				x->files[c->file_of[*slot - 1]]);
	}
	return OG_OK;
}

static og_status open_shards(const shard_index *x, const og_opener *how, const char *dir, og_checkpoint **out, og_error *err)
{
	og_auto(og_checkpoint) *c = NULL;
	OG_TRY(checkpoint_new(x->nfiles, &c, err));
	for (size_t i = 0; i < x->nfiles; i++) {
		og_autofree char *path = og_path_join(dir, x->files[i]);
		if (!path)
			return og_fail_nomem(err);
		og_status s = add_file(c, how, path, err);
		if (s == ONNXGATE_NOT_FOUND)
			return og_fail(err, s, "%s: shard %s of %zu is listed and absent", x->name, x->files[i], x->nfiles);
		OG_TRY(s);
	}
	OG_TRY(gather(c, err));
	OG_TRY(check_promises(c, x, err));
	c->format = og_arena_printf(c->arena, "%s (sharded)", c->readers[0]->format->name);
	if (!c->format)
		return og_fail_nomem(err);
	*out = og_steal(&c);
	return OG_OK;
}

static og_status open_index(const og_opener *how, const char *path, og_checkpoint **out, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_autofree char *dir = og_path_dir(path);
	shard_index x = { 0 };
	if (!arena || !dir)
		return og_fail_nomem(err);
	og_status s = shard_index_read(how, path, arena, &x, err);
	if (s == OG_OK)
		s = open_shards(&x, how, dir, out, err);
	shard_index_done(&x);
	return s;
}

og_status og_checkpoint_open_file(const char *path, og_checkpoint **out, og_error *err)
{
	return og_checkpoint_open_with(NULL, path, out, err);
}

og_status og_checkpoint_open_with(const og_opener *how, const char *path, og_checkpoint **out, og_error *err)
{
	og_auto(og_checkpoint) *c = NULL;
	if (og_ends_with(path, ".index.json"))
		return open_index(how, path, out, err);
	OG_TRY(checkpoint_new(1, &c, err));
	OG_TRY(add_file(c, how, path, err));
	OG_TRY(gather(c, err));
	c->format = c->readers[0]->format->name;
	*out = og_steal(&c);
	return OG_OK;
}

og_status og_checkpoint_open(const char *dir, og_checkpoint **out, og_error *err)
{
	og_dirlist l;
	OG_TRY(og_dir_list(dir, &l, err));
	og_weights_choice choice = og_weights_choose((const char *const *)l.names, l.n);
	const char *name = choice.single ? choice.single : choice.index;
	og_status s = name ? OG_OK : og_weights_absent(dir, (const char *const *)l.names, l.n, err);
	og_autofree char *path = name ? og_path_join(dir, name) : NULL;
	og_dirlist_done(&l);
	OG_TRY(s);
	return path ? og_checkpoint_open_file(path, out, err) : og_fail_nomem(err);
}

og_status og_checkpoint_check(const og_checkpoint *c, const og_context *ctx, og_error *err)
{
	for (size_t i = 0; i < c->nfiles; i++)
		OG_TRY(og_reader_check(c->readers[i], ctx, err));
	return OG_OK;
}

og_status og_checkpoint_unchanged(const og_checkpoint *c, og_error *err)
{
	for (size_t i = 0; i < c->nfiles; i++)
		OG_TRY(og_source_unchanged(c->readers[i]->source, err));
	return OG_OK;
}

void og_checkpoint_free(og_checkpoint *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nfiles; i++)
		og_reader_free(c->readers[i]);
	og_arena_free(c->arena);
	og_free(c);
}

/* ---- looking -------------------------------------------------------------------------------------------- */

size_t og_checkpoint_count(const og_checkpoint *c)
{
	return c->count;
}

const og_tensor *og_checkpoint_at(const og_checkpoint *c, size_t i)
{
	return i < c->count ? c->tensors[i] : NULL;
}

const og_tensor *og_checkpoint_find(const og_checkpoint *c, const char *name)
{
	const uint64_t *slot = og_strmap_find(c->by_name, name);
	return slot ? c->tensors[*slot - 1] : NULL;
}

const og_tensor *og_checkpoint_next(const og_checkpoint *c, size_t *i)
{
	return *i < c->count ? c->tensors[(*i)++] : NULL;
}

const char *og_checkpoint_format(const og_checkpoint *c)
{
	return c->format;
}

size_t og_checkpoint_files(const og_checkpoint *c, const char *const **paths)
{
	*paths = c->paths;
	return c->nfiles;
}

size_t og_checkpoint_file_of(const og_checkpoint *c, size_t i)
{
	return i < c->count ? c->file_of[i] : 0;
}

const og_reader *og_checkpoint_reader(const og_checkpoint *c, size_t file)
{
	return file < c->nfiles ? c->readers[file] : NULL;
}

const og_pair *og_checkpoint_metadata(const og_checkpoint *c, size_t *n)
{
	*n = c->readers[0]->metadata_count;
	return c->readers[0]->metadata;
}
