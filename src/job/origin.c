/* SPDX-License-Identifier: Apache-2.0
 *
 * A commit's files come through the Hub's cache, where its snapshot is a folder like any other; a local folder
 * is used where it lies. */
#include "job/origin.h"

#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"

#include <stdlib.h>
#include <sys/stat.h>

/* Read by the plan beside config.json: whether this is a sentence-transformers model and of what modules, or an adapter. */
static const char *const deciding[] = { "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "adapter_config.json" };

static og_status open_repo(og_origin *o, const char *text, og_error *err)
{
	const char *revision = NULL;
	og_hub *hub = NULL;
	og_status st = og_hub_parse_id(text, o->arena, &o->id, &revision, err);
	if (st == ONNXGATE_INVALID && og_dir_exists(text))
		og_error_hint(err, "that is a folder: onnxgate convert makes an ONNX folder of it, onnxgate check validates one");
	if (st != OG_OK)
		return st;
	OG_TRY(og_gate_hub(o->g, &hub, err));
	OG_TRY(og_hub_resolve(hub, o->id, revision ? revision : "main", o->arena, &o->repo, err));
	o->names = og_arena_array(o->arena, o->repo->nfiles + 1, sizeof(*o->names));
	if (!o->names)
		return og_fail_nomem(err);
	for (size_t i = 0; i < o->repo->nfiles; i++)
		o->names[o->nnames++] = o->repo->files[i].path;
	return OG_OK;
}

static og_status open_folder(og_origin *o, const char *text, og_error *err)
{
	og_autofree char *absolute = og_path_absolute(text);
	o->id = o->dir = og_arena_strdup(o->arena, absolute);
	if (!o->id)
		return og_fail_nomem(err);
	if (!og_dir_exists(o->dir))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: expected a folder with config.json and weights, found %s", o->dir,
		               og_file_exists(o->dir) ? "a file" : "nothing of that name");
	og_dirlist list = { 0 };
	OG_TRY(og_dir_list(o->dir, &list, err));
	o->names = og_arena_array(o->arena, list.n + 1, sizeof(*o->names));
	bool fine = o->names;
	for (size_t i = 0; fine && i < list.n; i++) {
		o->names[i] = og_arena_strdup(o->arena, list.names[i]);
		fine = o->names[i];
		o->nnames++;
	}
	og_dirlist_done(&list);
	return fine ? OG_OK : og_fail_nomem(err);
}

og_status og_origin_open(onnxgate *g, const char *text, bool folders, og_arena *arena, og_origin **out, og_error *err)
{
	og_origin *o = og_arena_alloc(arena, sizeof(*o));
	if (!o)
		return og_fail_nomem(err);
	o->g = g;
	o->arena = arena;
	bool folder = folders && (text[0] == '/' || text[0] == '.' || og_file_exists(text)); /* a file, too: it is refused as one */
	OG_TRY(folder ? open_folder(o, text, err) : open_repo(o, text, err));
	*out = o;
	return OG_OK;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool og_origin_has(const og_origin *o, const char *name)
{
	return o->nnames && bsearch(&name, o->names, o->nnames, sizeof(*o->names), compare_names);
}

og_status og_origin_fetch(og_origin *o, const char *name, const char **local, og_error *err)
{
	og_hub *hub = NULL;
	OG_TRY(og_check_cancel(&o->g->ctx, err));
	if (!o->repo) {
		*local = og_arena_printf(o->arena, "%s/%s", o->dir, name);
		return *local ? OG_OK : og_fail_nomem(err);
	}
	OG_TRY(og_gate_hub(o->g, &hub, err));
	OG_TRY(og_hub_fetch(hub, o->repo, name, o->arena, local, err));
	if (!o->dir) /* the snapshot's folder: the path without the name's length */
		o->dir = og_arena_strndup(o->arena, *local, strlen(*local) - strlen(name) - 1);
	return o->dir ? OG_OK : og_fail_nomem(err);
}

static const char *below(const og_origin *o, const char *folder, const char *name)
{
	return folder[0] ? og_arena_printf(o->arena, "%s/%s", folder, name) : name;
}

/* The chosen file, or the index and all its shards. */
static og_status fetch_weights(og_origin *o, const char *folder, const og_weights_choice *c, og_error *err)
{
	const char *local = NULL, *first = below(o, folder, c->single ? c->single : c->index), **shards = NULL;
	size_t n = 0;
	OG_TRY(first ? og_origin_fetch(o, first, &local, err) : og_fail_nomem(err));
	if (c->single)
		return OG_OK;
	OG_TRY(og_shard_names(local, o->arena, &shards, &n, err));
	for (size_t i = 0; i < n; i++) {
		const char *name = below(o, folder, shards[i]);
		if (!name)
			return og_fail_nomem(err);
		if (!og_origin_has(o, name))
			return og_fail(err, ONNXGATE_NOT_FOUND, "%s: %s names the shard %s: expected among the %zu files, found none", o->id, first, name, o->nnames);
		OG_TRY(og_origin_fetch(o, name, &local, err));
	}
	return OG_OK;
}

/* The part of a name below a folder that lies directly in it; NULL: it does not. */
static const char *directly_in(const char *folder, const char *name)
{
	size_t n = strlen(folder);
	return og_starts_with(name, folder) && name[n] == '/' && !strchr(name + n + 1, '/') ? name + n + 1 : NULL;
}

/* Where the modules are, and which of the files there hold what they have learned: chosen as the model's own. */
static og_status find_modules(og_origin *o, og_error *err)
{
	const char **folders = NULL, **names = og_arena_array(o->arena, o->nnames + 1, sizeof(*names));
	size_t count = 0;
	OG_TRY(names ? og_convert_module_folders(o->dir, o->arena, &folders, &count, err) : og_fail_nomem(err));
	o->modules = og_arena_array(o->arena, count + 1, sizeof(*o->modules));
	if (!o->modules)
		return og_fail_nomem(err);
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;
		for (size_t k = 0; k < o->nnames; k++)
			if (directly_in(folders[i], o->names[k]))
				names[n++] = directly_in(folders[i], o->names[k]);
		o->modules[i] = (og_module_place){ folders[i], og_weights_choose(names, n) };
	}
	o->nmodules = count;
	return OG_OK;
}

static og_status fetch_module_configs(og_origin *o, og_error *err)
{
	const char *local = NULL;
	for (size_t i = 0; i < o->nmodules; i++) {
		const char *name = below(o, o->modules[i].folder, "config.json");
		if (name && og_origin_has(o, name))
			OG_TRY(og_origin_fetch(o, name, &local, err));
	}
	return OG_OK;
}

og_status og_origin_fetch_config(og_origin *o, og_error *err)
{
	const char *local = NULL;
	if (!og_origin_has(o, "config.json")) {
		og_fail(err, ONNXGATE_NOT_FOUND, "%s%s%s: config.json: expected among its %zu files, found none", o->id, o->repo ? "@" : "",
		        o->repo ? o->repo->commit : "", o->nnames);
		og_error_hint(err, og_origin_has(o, "adapter_config.json") ? "an adapter is not a model: name the base model that it belongs to" :
		                                                              "a transformers model is needed");
		return ONNXGATE_NOT_FOUND;
	}
	OG_TRY(og_origin_fetch(o, "config.json", &local, err));
	for (size_t i = 0; i < OG_COUNT(deciding); i++)
		if (og_origin_has(o, deciding[i]))
			OG_TRY(og_origin_fetch(o, deciding[i], &local, err));
	if (!og_origin_has(o, deciding[0]) || !o->repo)
		return OG_OK;
	OG_TRY(find_modules(o, err));
	return fetch_module_configs(o, err);
}

og_status og_origin_weights(const og_origin *o, og_weights_choice *out, og_error *err)
{
	*out = og_weights_choose(o->names, o->nnames);
	return out->single || out->index ? OG_OK : og_weights_absent(o->id, o->names, o->nnames, err);
}

og_status og_origin_fetch_sources(og_origin *o, og_error *err)
{
	const char *local = NULL;
	og_weights_choice c;
	OG_TRY(og_origin_weights(o, &c, err));
	for (size_t i = 0; i < o->nnames; i++)
		if (og_convert_wants(o->names[i]))
			OG_TRY(og_origin_fetch(o, o->names[i], &local, err));
	for (size_t i = 0; i < o->nmodules; i++)
		if (o->modules[i].weights.single || o->modules[i].weights.index)
			OG_TRY(fetch_weights(o, o->modules[i].folder, &o->modules[i].weights, err));
	return fetch_weights(o, "", &c, err);
}

/* SIZE:MTIME in nanoseconds: what changes when somebody writes the file. */
static const char *local_digest(const og_origin *o, const char *name)
{
	struct stat st;
	char *path = og_arena_printf(o->arena, "%s/%s", o->dir, name);
	if (!path || stat(path, &st))
		return NULL;
	return og_arena_printf(o->arena, "%lld:%lld.%09ld", (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* The shards of an index are all the files beside it that are called like shards: the index need not be read for the key. */
static bool is_of_weights(const og_weights_choice *c, const char *name)
{
	return (c->single && og_streq(name, c->single)) || (c->index && (og_streq(name, c->index) || (!strchr(name, '/') && og_glob(c->shards, name))));
}

static bool is_source(const og_origin *o, const og_weights_choice *c, const char *name)
{
	if (og_convert_wants(name) || og_streq(name, "config.json") || is_of_weights(c, name))
		return true;
	for (size_t i = 0; i < OG_COUNT(deciding); i++)
		if (og_streq(name, deciding[i]))
			return true;
	for (size_t i = 0; i < o->nmodules; i++) {
		const char *there = directly_in(o->modules[i].folder, name);
		if (there && (og_streq(there, "config.json") || is_of_weights(&o->modules[i].weights, there)))
			return true;
	}
	return false;
}

og_status og_origin_sources(const og_origin *o, og_cache_source **out, size_t *n, og_error *err)
{
	const og_weights_choice c = og_weights_choose(o->names, o->nnames);
	og_cache_source *s = og_arena_array(o->arena, o->nnames + 1, sizeof(*s));
	if (!s)
		return og_fail_nomem(err);
	*n = 0;
	for (size_t i = 0; i < o->nnames; i++) {
		if (!is_source(o, &c, o->names[i]))
			continue;
		const og_hub_file *f = o->repo ? og_hub_repo_find(o->repo, o->names[i]) : NULL;
		const char *digest = !f ? local_digest(o, o->names[i]) : f->sha256 ? f->sha256 : f->blob_id;
		s[(*n)++] = (og_cache_source){ o->names[i], digest ? digest : "" };
	}
	*out = s;
	return OG_OK;
}

/* The licence tag of a model card's front matter. Not what the Hub's API says: an offline call must make the same bytes. */
static const char *license_tag(const og_origin *o)
{
	og_auto_buf b;
	og_buf_init(&b, 1u << 20);
	char *path = og_arena_printf(o->arena, "%s/README.md", o->dir);
	const char *text = path && og_origin_has(o, "README.md") && og_file_read(path, 1u << 20, &b, NULL) == OG_OK ? og_buf_cstr(&b) : NULL;
	if (!text || !og_starts_with(text, "---"))
		return NULL;
	for (const char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
		line++;
		if (og_starts_with(line, "---"))
			return NULL;
		if (!og_starts_with(line, "license:"))
			continue;
		const char *v = line + 8;
		v += strspn(v, " \t\"'");
		size_t n = strcspn(v, " \t\"'\r\n#");
		/* A tag is a short word ("apache-2.0"); anything else is no tag. */
		return n && n <= 64 && og_utf8_valid((const uint8_t *)v, n) ? og_arena_strndup(o->arena, v, n) : NULL;
	}
	return NULL;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const onnxgate_pair *)a)->key, ((const onnxgate_pair *)b)->key);
}

og_status og_origin_provenance(og_origin *o, const og_plan *plan, onnxgate_pair **out, size_t *n, og_error *err)
{
	og_cache_source *s = NULL;
	size_t ns = 0;
	if (o->repo)
		OG_TRY(og_origin_sources(o, &s, &ns, err));
	const char *license = license_tag(o);
	onnxgate_pair *p = og_arena_array(o->arena, ns + 5, sizeof(*p));
	if (!p)
		return og_fail_nomem(err);
	size_t k = 0;
	p[k++] = (onnxgate_pair){ "onnxgate.task", plan->task };
	p[k++] = (onnxgate_pair){ "onnxgate.dtype", plan->dtype };
	if (license)
		p[k++] = (onnxgate_pair){ "onnxgate.license", license };
	if (o->repo) {
		p[k++] = (onnxgate_pair){ "onnxgate.repo_id", o->id };
		p[k++] = (onnxgate_pair){ "onnxgate.commit", o->repo->commit };
	}
	for (size_t i = 0; i < ns; i++) {
		const char *key = og_arena_printf(o->arena, "onnxgate.source.%s", s[i].name);
		const char *value = og_arena_printf(o->arena, "%s:%s", strlen(s[i].digest) == 64 ? "sha256" : "git", s[i].digest);
		if (!key || !value)
			return og_fail_nomem(err);
		p[k++] = (onnxgate_pair){ key, value };
	}
	qsort(p, k, sizeof(*p), compare_pairs);
	*out = p;
	*n = k;
	return OG_OK;
}
