/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Hub's answers mean.  One request names the commit, every file with its size and digest, and the facts of
 * the model's page: GET /api/models/ID/revision/REV?blobs=True.  Where that listing is incomplete (very many files, or
 * a mirror without digests) the tree of the same commit is read page by page.  Everything in it is somebody else's
 * word: names, digests and sizes are checked before they are used. */
#include "hub/hub_int.h"

#include "base/clock.h"
#include "base/path.h"

#include <stdlib.h>

/* ---- quoting ---------------------------------------------------------------------------------------- */

char *og_hub_quote(og_arena *a, const char *s, bool keep_slash)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";
	static const char hex[] = "0123456789ABCDEF";
	char *out = og_arena_array(a, strlen(s) + 1, 3), *p = out;

	for (; out && *s; s++) {
		if (strchr(plain, *s) || (keep_slash && *s == '/')) {
			*p++ = *s;
		} else {
			*p++ = '%';
			*p++ = hex[(unsigned char)*s >> 4];
			*p++ = hex[*s & 15];
		}
	}
	return out;
}

/* ---- refusals --------------------------------------------------------------------------------------- */

/* What the server says about it, as one line: the header, else the "error" of a JSON body. */
static const char *server_says(const og_http_answer *a, char *out, size_t cap)
{
	og_auto(og_json) *body = NULL;
	const char *text = a->header[OG_H_ERROR_MESSAGE];

	if (!text && a->body.n && a->body.p[0] == '{' && og_json_parse("answer", a->body.p, a->body.n, &body, NULL) == OG_OK)
		text = og_json_str(body, "error", og_json_str(body, "message", NULL));
	if (!text && a->body.n && a->body.p[0] != '<' && a->body.p[0] != '{') { /* not a page, but a plain sentence */
		size_t n = a->body.n < 120 ? a->body.n : 120;
		return og_str_show((og_str){ (const char *)a->body.p, n }, out, cap);
	}
	return og_str_show(og_str_of(text ? text : "no reason given"), out, cap);
}

static og_status missing(const og_hub *h, const char *repo_id, const og_http_answer *a, og_error *err)
{
	og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such model on %s (HTTP %d)", repo_id, h->endpoint, a->status);
	if (h->token)
		og_error_hint(err, "check the spelling; if it is private, the token must be of a user who may read it");
	else
		og_error_hint(err, "check the spelling; if it is private, give a token that may read it (--token or HF_TOKEN)");
	return ONNXGATE_NOT_FOUND;
}

static og_status gated(const og_hub *h, const char *repo_id, og_error *err)
{
	og_fail(err, ONNXGATE_NO_ACCESS, "%s: gated, and %s", repo_id, h->token ? "this token's user has not been given access" : "no token was given");
	og_error_hint(err, "ask for access on %s/%s%s", h->endpoint, repo_id, h->token ? "" : ", then give your token (--token or HF_TOKEN)");
	return ONNXGATE_NO_ACCESS;
}

static og_status busy(const og_hub *h, const char *repo_id, const og_http_answer *a, const char *says, og_error *err)
{
	int wait = og_http_wait_asked(a, og_wall_seconds());
	og_fail(err, ONNXGATE_NETWORK, "%s: %s: HTTP %d after %d %s: %s", repo_id, a->url, a->status, a->tries, a->tries == 1 ? "try" : "tries", says);
	if (a->status == 429 && wait > 0)
		og_error_hint(err, "too many requests: try again in %d s%s", wait, h->token ? "" : ", or give a token, which has higher limits");
	else if (a->status == 429)
		og_error_hint(err, "too many requests: try again later%s", h->token ? "" : ", or give a token, which has higher limits");
	return ONNXGATE_NETWORK;
}

/* The order of the tests is huggingface_hub's; the body of an answer is not looked at before its headers. */
og_status og_hub_refusal(const og_hub *h, const char *repo_id, const char *revision, const char *path, const og_http_answer *a, og_error *err)
{
	const char *code = a->header[OG_H_ERROR_CODE], *text = a->header[OG_H_ERROR_MESSAGE];
	char says[256];

	server_says(a, says, sizeof(says));
	if (!a->from_hub) {
		og_fail(err, ONNXGATE_NETWORK, "%s: %s: HTTP %d: %s", repo_id, a->url, a->status, says);
		return ONNXGATE_NETWORK;
	}
	if (og_streq(code, "RevisionNotFound"))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no revision %s on %s", repo_id, revision, h->endpoint);
	if (og_streq(code, "EntryNotFound"))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s@%s: no file %s on %s", repo_id, revision, path ? path : "of that name", h->endpoint);
	if (og_streq(code, "GatedRepo"))
		return gated(h, repo_id, err);
	if (og_streq(text, "Access to this resource is disabled."))
		return og_fail(err, ONNXGATE_NO_ACCESS, "%s: access to it is disabled by %s", repo_id, h->endpoint);
	if (og_streq(code, "RepoNotFound") || (a->status == 401 && !og_streq(text, "Invalid credentials in Authorization header")))
		return missing(h, repo_id, a, err);
	if (a->status == 401 || a->status == 403) {
		og_fail(err, ONNXGATE_NO_ACCESS, "%s: HTTP %d: %s", repo_id, a->status, says);
		og_error_hint(err, a->status == 401 ? "the token is not valid on %s: make a new one, or leave it out" : "the token may not read this on %s",
			      h->endpoint);
		return ONNXGATE_NO_ACCESS;
	}
	if (a->status == 408 || a->status == 429 || a->status >= 500)
		return busy(h, repo_id, a, says, err);
	og_fail(err, ONNXGATE_NETWORK, "%s: %s: HTTP %d: %s", repo_id, a->url, a->status, says);
	if (a->status == 404)
		og_error_hint(err, "is HF_ENDPOINT a Hub? Its answer carries no X-Error-Code");
	return ONNXGATE_NETWORK;
}

/* ---- files of a listing ----------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const og_hub_file *)a)->path, ((const og_hub_file *)b)->path);
}

og_status og_hub_check_files(const char *where, og_hub_file *files, size_t n, og_error *err)
{
	char show[160];

	for (size_t i = 0; i < n; i++) {
		const og_hub_file *f = &files[i];
		if (!og_path_safe(f->path))
			return og_fail(err, ONNXGATE_UNSAFE, "%s: file name \"%s\": expected a path inside the repository", where,
				       og_str_show(og_str_of(f->path), show, sizeof(show)));
		if ((f->blob_id && !og_is_hex(f->blob_id, 40)) || (f->sha256 && !og_is_hex(f->sha256, 64)))
			return og_fail(err, ONNXGATE_FORMAT, "%s: %s: its digest is no digest", where, f->path);
		if (f->size > OG_HUB_FILE_MAX)
			return og_fail(err, ONNXGATE_FORMAT, "%s: %s: size %llu is beyond reason", where, f->path, (unsigned long long)f->size);
	}
	if (n)
		qsort(files, n, sizeof(*files), by_path);
	for (size_t i = 1; i < n; i++)
		if (og_streq(files[i - 1].path, files[i].path))
			return og_fail(err, ONNXGATE_FORMAT, "%s: %s is listed twice", where, files[i].path);
	return OG_OK;
}

const og_hub_file *og_hub_repo_find(const og_hub_repo *r, const char *path)
{
	og_hub_file key = { .path = path };
	return r->nfiles ? bsearch(&key, r->files, r->nfiles, sizeof(key), by_path) : NULL;
}

static const char *hex_member(og_arena *a, const og_json *obj, const char *key, size_t digits)
{
	const char *s = og_json_str(obj, key, NULL);
	return s && og_is_hex(s, digits) ? og_arena_strdup(a, s) : NULL;
}

static bool size_member(const og_json *obj, const char *key, uint64_t *out)
{
	int64_t v = og_json_i64(obj, key, -1);
	*out = v < 0 ? 0 : (uint64_t)v;
	return v >= 0;
}

/* One row of "siblings" or of a tree, which spell the same facts differently. *usable: it has size and digest. */
static og_status read_row(const og_json *row, bool tree, og_arena *a, og_hub_file *f, bool *usable, og_error *err)
{
	const char *key = tree ? "path" : "rfilename", *path = og_json_str(row, key, NULL);
	const og_json *lfs = og_json_get(row, "lfs");
	uint64_t lfs_size = 0;

	*usable = true;
	if (!path || strlen(path) != (size_t)json_object_get_string_len(og_json_get(row, key)))
		return og_fail(err, ONNXGATE_FORMAT, "a file without a name, or with a zero byte in it");
	f->path = og_arena_strdup(a, path);
	if (!f->path)
		return og_fail_nomem(err);
	*usable = size_member(row, "size", &f->size);
	f->blob_id = hex_member(a, row, tree ? "oid" : "blobId", 40);
	if (lfs) {
		f->sha256 = hex_member(a, lfs, tree ? "oid" : "sha256", 64);
		if (size_member(lfs, "size", &lfs_size))
			f->size = lfs_size;
		*usable = *usable && f->sha256;
	}
	*usable = *usable && f->blob_id;
	return OG_OK;
}

/* ---- model info ------------------------------------------------------------------------------------- */

/* A short fact for people; what does not look like one is left out. */
static const char *fact(og_arena *a, const char *s)
{
	size_t n = s ? strlen(s) : 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return NULL;
	return n && n <= 256 ? og_arena_strdup(a, s) : NULL;
}

static const char *first_str(const og_json *v)
{
	if (json_object_is_type(v, json_type_array) && json_object_array_length(v))
		v = json_object_array_get_idx(v, 0);
	return json_object_is_type(v, json_type_string) ? json_object_get_string((og_json *)(uintptr_t)v) : NULL;
}

static void read_facts(const og_json *info, og_hub_repo *r, og_arena *a)
{
	const og_json *config = og_json_get(info, "config"), *card = og_json_get(info, "cardData"), *tags = og_json_get(info, "tags");
	const og_json *gate = og_json_get(info, "gated");

	r->pipeline_tag = fact(a, og_json_str(info, "pipeline_tag", NULL));
	r->library_name = fact(a, og_json_str(info, "library_name", NULL));
	r->model_type = fact(a, og_json_str(config, "model_type", NULL));
	r->architecture = fact(a, first_str(og_json_get(config, "architectures")));
	r->license = fact(a, first_str(og_json_get(card, "license")));
	for (size_t i = 0; !r->license && json_object_is_type(tags, json_type_array) && i < json_object_array_length(tags); i++) {
		const char *tag = first_str(json_object_array_get_idx(tags, i));
		if (tag && og_starts_with(tag, "license:"))
			r->license = fact(a, tag + strlen("license:"));
	}
	r->gated = gate && (json_object_is_type(gate, json_type_string) || json_object_get_boolean(gate));
	r->is_private = og_json_bool(info, "private", false);
	r->disabled = og_json_bool(info, "disabled", false);
}

/* false in *complete: ask for the tree. */
static og_status read_siblings(const og_json *info, og_hub_repo *r, og_arena *a, bool *complete, og_error *err)
{
	const og_json *list = og_json_get(info, "siblings");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	*complete = n > 0 && n <= OG_HUB_SIBLINGS_MAX;
	if (!*complete)
		return OG_OK;
	r->files = og_arena_array(a, n, sizeof(*r->files));
	if (!r->files)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n && *complete; i++)
		OG_TRY(read_row(json_object_array_get_idx(list, i), false, a, &r->files[i], complete, err));
	r->nfiles = *complete ? n : 0;
	return OG_OK;
}

static og_status get_json(og_hub *h, const og_hub_repo *r, const char *url, og_http_answer *a, og_json **out, og_error *err)
{
	OG_TRY(og_http_get(h, r->repo_id, url, NULL, a, err));
	if (a->status != 200)
		return og_hub_refusal(h, r->repo_id, r->revision, NULL, a, err);
	return og_json_parse(a->url, a->body.p, a->body.n, out, err);
}

og_status og_hub_read_info(const og_json *info, og_hub_repo *r, og_arena *arena, bool *complete, og_error *err)
{
	r->commit = hex_member(arena, info, "sha", 40);
	if (!r->commit)
		return og_fail(err, ONNXGATE_FORMAT, "\"sha\": expected a commit of 40 hex digits");
	if (og_is_hex(r->revision, 40) && !og_streq(r->revision, r->commit))
		return og_fail(err, ONNXGATE_MISMATCH, "asked for commit %s, the answer is about %s", r->revision, r->commit);
	read_facts(info, r, arena);
	return read_siblings(info, r, arena, complete, err);
}

static og_status ask_info(og_hub *h, og_hub_repo *r, og_arena *arena, bool *complete, og_error *err)
{
	og_auto_answer a = { 0 };
	og_auto(og_json) *info = NULL;
	const char *rev = og_hub_quote(arena, r->revision, false);
	const char *url = rev ? og_arena_printf(arena, "%s/api/models/%s/revision/%s?blobs=True", h->endpoint, r->repo_id, rev) : NULL;

	if (!url)
		return og_fail_nomem(err);
	OG_TRY(get_json(h, r, url, &a, &info, err));
	og_status s = og_hub_read_info(info, r, arena, complete, err);
	if (s != OG_OK)
		og_error_prefix(err, "%s", a.url);
	return s;
}

/* ---- tree ------------------------------------------------------------------------------------------- */

/* The target of rel="next" in a Link header, or NULL. */
char *og_hub_next_page(og_arena *a, const char *link)
{
	for (const char *p = link; p && (p = strchr(p, '<')); p++) {
		size_t n = strcspn(p + 1, ">");
		const char *rest = p + 1 + n, *rel;
		size_t params = strcspn(rest, ",<");
		rel = strstr(rest, "rel=\"next\"");
		if (*rest == '>' && rel && rel < rest + params)
			return og_arena_strndup(a, p + 1, n);
	}
	return NULL;
}

og_status og_hub_read_page(const og_json *page, og_hub_repo *r, size_t *cap, og_arena *a, og_error *err)
{
	if (!json_object_is_type(page, json_type_array))
		return og_fail(err, ONNXGATE_FORMAT, "expected an array of files");
	for (size_t i = 0; i < json_object_array_length(page); i++) {
		const og_json *row = json_object_array_get_idx(page, i);
		bool usable;
		if (!og_streq(og_json_str(row, "type", ""), "file"))
			continue;
		if (r->nfiles == OG_HUB_FILES_MAX)
			return og_fail(err, ONNXGATE_FORMAT, "more than %d files", OG_HUB_FILES_MAX);
		if (!og_arena_grow(a, &r->files, cap, r->nfiles + 1, sizeof(*r->files)))
			return og_fail_nomem(err);
		OG_TRY(read_row(row, true, a, &r->files[r->nfiles], &usable, err));
		if (!usable)
			return og_fail(err, ONNXGATE_FORMAT, "%s: listed without size or digest", r->files[r->nfiles].path);
		r->nfiles++;
	}
	return OG_OK;
}

static og_status ask_tree(og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	const char *url = og_arena_printf(arena, "%s/api/models/%s/tree/%s?recursive=True&expand=False", h->endpoint, r->repo_id, r->commit);
	size_t cap = 0;

	r->files = NULL;
	r->nfiles = 0;
	for (int pages = 0; url; pages++) {
		og_auto_answer a = { 0 };
		og_auto(og_json) *page = NULL;
		if (pages == OG_HUB_PAGES_MAX)
			return og_fail(err, ONNXGATE_FORMAT, "%s: the listing has more than %d pages", r->repo_id, OG_HUB_PAGES_MAX);
		OG_TRY(get_json(h, r, url, &a, &page, err));
		og_status s = og_hub_read_page(page, r, &cap, arena, err);
		if (s != OG_OK) {
			og_error_prefix(err, "%s", a.url);
			return s;
		}
		url = og_hub_next_page(arena, a.header[OG_H_LINK]);
	}
	return OG_OK;
}

og_status og_hub_ask(og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	bool complete = false;

	OG_TRY(ask_info(h, r, arena, &complete, err));
	if (!complete)
		OG_TRY(ask_tree(h, r, arena, err));
	return og_hub_check_files(r->repo_id, r->files, r->nfiles, err);
}
