/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a repository that an inspection looks at.  Where the Hub's cache holds the weights they are files like any other and
 * nobody is asked.  Else one request lists the commit, and its files become sources of which only the parts that are read arrive. */
#include "job/inspect.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "job/inspect_int.h"
#include "job/job.h"

/* ---- what is asked for ----------------------------------------------------------------------------------- */

/* A name that people give to files and never to repositories. */
static bool names_a_file(const char *text)
{
	static const char *const ends[] = { ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".json", ".pkl", ".jit", ".zip", ".h5", ".gguf", ".msgpack" };
	for (size_t i = 0; i < OG_COUNT(ends); i++)
		if (og_ends_with(text, ends[i]))
			return true;
	return false;
}

static og_status no_file(const char *text, og_error *err)
{
	(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such file or folder", text);
	og_error_hint(err, "check the path; a repository is named ORG/NAME or ORG/NAME@REVISION");
	return ONNXGATE_NOT_FOUND;
}

/* One word names a repository only of the Hub's first years: more likely a file was meant, so a Hub that does not know it, or cannot be
 * asked, is not what to tell about. */
static og_status not_a_repository(const char *text, og_status st, og_error *err)
{
	bool unknown = st == ONNXGATE_NOT_FOUND || st == ONNXGATE_NETWORK || st == ONNXGATE_INVALID;
	if (!strchr(text, '/') && unknown)
		return no_file(text, err);
	og_error_prefix(err, "no file or folder \"%s\", and as a repository", text);
	return st;
}

/* The file of a listing to begin with: the weights, or their index. NULL: none. */
static og_status choose(const og_hub_repo *repo, og_arena *arena, const char **file, og_error *err)
{
	const char **names = og_arena_array(arena, repo->nfiles, sizeof(*names));
	if (!names)
		return og_fail_nomem(err);
	for (size_t i = 0; i < repo->nfiles; i++)
		names[i] = repo->files[i].path;
	og_weights_choice c = og_weights_choose(names, repo->nfiles);
	*file = c.single ? c.single : c.index;
	return OG_OK;
}

static og_status no_weights(const char *text, const og_hub_repo *repo, og_error *err)
{
	return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no weights among the %zu files of commit %s", text, repo->nfiles, repo->commit);
}

/* ---- from the cache --------------------------------------------------------------------------------------- */

static og_status all_cached(const og_hub *hub, const og_hub_repo *repo, const char *index, og_arena *arena, bool *all, og_error *err)
{
	const char **names, *local;
	size_t n;
	OG_TRY(og_shard_names(index, arena, &names, &n, err));
	*all = true;
	for (size_t i = 0; i < n && *all; i++) {
		OG_TRY(og_hub_cached(hub, repo, names[i], arena, &local, err));
		*all = local != NULL;
	}
	return OG_OK;
}

/* *local stays NULL when the cache holds the repository's listing and not all of its weights. */
static og_status find_cached(const onnxgate *g, const char *text, og_arena *arena, const char **local, og_error *err)
{
	const og_settings *set = g->set;
	const char *id, *revision = NULL, *file = NULL, *found = NULL;
	og_auto(og_hub) *hub = NULL;
	og_hub_repo *repo = NULL;
	bool all = true;
	OG_TRY(og_hub_parse_id(text, arena, &id, &revision, err));
	OG_TRY(og_hub_open(&(og_hub_options){ .endpoint = set->endpoint, .cache = set->hub_cache, .offline = true }, &g->ctx, &hub, err));
	OG_TRY(og_hub_resolve(hub, id, revision, arena, &repo, err));
	OG_TRY(choose(repo, arena, &file, err));
	if (!file)
		return no_weights(text, repo, err);
	OG_TRY(og_hub_cached(hub, repo, file, arena, &found, err));
	if (found && og_ends_with(found, ".index.json"))
		OG_TRY(all_cached(hub, repo, found, arena, &all, err));
	if (found && all) {
		*local = found;
		return OG_OK;
	}
	(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: expected %s in the Hub's cache, found %s", text, file, found ? "it without all of its shards" : "none");
	og_error_hint(err, "offline: run it once with the network, without --offline and HF_HUB_OFFLINE");
	return ONNXGATE_NOT_FOUND;
}

/* ---- by parts --------------------------------------------------------------------------------------------- */

typedef struct remote {
	og_hub *hub;
	const og_hub_repo *repo;
	const char *prefix; /* of the paths: "org/name@<commit>/" */
} remote;

/* An index is fetched whole and kept, being small and verified that way; weights are not. */
static og_status open_part(void *arg, const char *path, og_source **out, og_error *err)
{
	const remote *r = arg;
	og_auto(og_arena) *arena = og_arena_new();
	const char *name = og_starts_with(path, r->prefix) ? path + strlen(r->prefix) : path, *local = NULL;
	if (!arena)
		return og_fail_nomem(err);
	if (og_ends_with(name, ".json")) {
		og_status st = og_hub_fetch(r->hub, r->repo, name, arena, &local, err);
		if (st != ONNXGATE_IO) { /* else the cache cannot be written: not a reason to stop */
			OG_TRY(st);
			return og_source_open(local, out, err);
		}
	}
	return og_hub_source(r->hub, r->repo, name, out, err);
}

/* *found: the repository is there, whatever else is wrong. */
static og_status look_at_parts(onnxgate *g, og_inspection *s, const onnxgate_inspect_request *q, bool *found, og_error *err)
{
	const char *id, *revision = NULL, *file = NULL;
	og_hub_repo *repo = NULL;
	remote r = { 0 };
	OG_TRY(og_hub_parse_id(q->path, s->arena, &id, &revision, err));
	OG_TRY(og_gate_hub(g, &r.hub, err));
	uint64_t before = og_hub_requests(r.hub);
	OG_TRY(og_hub_resolve(r.hub, id, revision, s->arena, &repo, err));
	OG_TRY(choose(repo, s->arena, &file, err));
	*found = true;
	if (!file)
		return no_weights(q->path, repo, err);
	if (q->digests) {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: digests need every byte of the weights, and they are not in the Hub's cache", q->path);
		og_error_hint(err, "`onnxgate verify %s` downloads them; without --digests the headers are read alone", q->path);
		return ONNXGATE_UNSUPPORTED;
	}
	r.repo = repo;
	r.prefix = og_arena_printf(s->arena, "%s@%s/", repo->repo_id, repo->commit);
	s->r->path = r.prefix ? og_arena_printf(s->arena, "%s%s", r.prefix, file) : NULL;
	if (!s->r->path)
		return og_fail_nomem(err);
	const og_opener how = { open_part, &r };
	s->how = &how;
	og_status st = og_inspection_look(s, s->r->path, q, err);
	s->how = NULL;
	og_log(&g->ctx, ONNXGATE_LOG_DEBUG, "%s: %llu requests", q->path, (unsigned long long)(og_hub_requests(r.hub) - before));
	return st;
}

/* ---- the job ----------------------------------------------------------------------------------------------- */

/* "No danger" holds for the weights alone: beside them may lie what a folder's inspection would have found. */
static og_status with_limits(og_inspection *s, og_status st, og_error *err)
{
	const char *file = og_path_base(s->r->path), *are = og_ends_with(file, ".json") ? " and its shards are" : " is";
	if (s->r->looked)
		OG_TRY(og_inspection_note(s, err, "of the repository's files only %s%s looked at for threats", file, are));
	return st;
}

static og_status look(onnxgate *g, og_inspection *s, const onnxgate_inspect_request *q, og_error *err)
{
	const char *local = NULL;
	if (names_a_file(q->path))
		return no_file(q->path, err);
	og_status st = find_cached(g, q->path, s->arena, &local, err);
	if (local) {
		s->r->path = local;
		return with_limits(s, og_inspection_look(s, local, q, err), err);
	}
	if (!g->set->offline && st != ONNXGATE_INVALID && st != ONNXGATE_NOMEM) {
		bool found = false;
		st = look_at_parts(g, s, q, &found, err);
		if (found)
			return with_limits(s, st, err);
	}
	return not_a_repository(q->path, st, err);
}

og_status og_job_inspect(onnxgate *g, const onnxgate_inspect_request *q, onnxgate_inspection **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (q->path[0] == '/' || q->path[0] == '.' || og_file_exists(q->path))
		return og_inspect_path(q, &g->ctx, out);
	og_inspection *s = og_inspection_new(q->path, &g->ctx);
	*out = NULL;
	if (!s)
		return ONNXGATE_NOMEM;
	return og_inspection_give(s, look(g, s, q, &err), &err, out);
}
