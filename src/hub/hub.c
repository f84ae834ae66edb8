/* SPDX-License-Identifier: Apache-2.0
 *
 * The Hub as the rest of the program sees it: from a name to a commit and its files.  Everything after the first
 * answer is pinned to the commit, so that a branch that moves meanwhile changes nothing. */
#include "hub/hub_int.h"

#include "base/path.h"

#define PATIENCE { .tries = 5, .wait_ms = 500, .deadline_ms = 120000 }

/* ---- opening ---------------------------------------------------------------------------------------- */

/* One visible word: what goes into a header or a URL. */
static bool is_word(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static og_status check_options(const og_hub_options *o, og_error *err)
{
	char show[160];

	const char *e = o->endpoint ? o->endpoint : "";
	if (!is_word(e) || strpbrk(e, "?#") || (!og_starts_with(e, "https://") && !og_starts_with(e, "http://")))
		return og_fail(err, ONNXGATE_INVALID, "endpoint \"%s\": expected https://HOST or http://HOST", og_str_show(og_str_of(e), show, sizeof(show)));
	if (!o->cache || !o->cache[0])
		return og_fail(err, ONNXGATE_INVALID, "Hub cache: the path of its folder is empty");
	if (o->token && (!o->token[0] || !is_word(o->token) || strlen(o->token) > 4096))
		return og_fail(err, ONNXGATE_INVALID, "token: expected one word of visible ASCII characters");
	return OG_OK;
}

og_status og_hub_open(const og_hub_options *o, const og_context *ctx, og_hub **out, og_error *err)
{
	og_auto(og_hub) *h = NULL;
	size_t n;

	OG_TRY(check_options(o, err));
	h = og_alloc(sizeof(*h));
	if (!h)
		return og_fail_nomem(err);
	*h = (og_hub){ .offline = o->offline, .timeout_s = o->timeout_s > 0 ? o->timeout_s : 10, .ctx = ctx, .patience = PATIENCE,
		       .reading = PTHREAD_MUTEX_INITIALIZER };
	h->endpoint = og_strdup(o->endpoint);
	h->cache = og_strdup(o->cache);
	h->token = og_strdup(o->token);
	h->ca_file = og_strdup(o->ca_file);
	if (!h->endpoint || !h->cache || (o->token && !h->token) || (o->ca_file && !h->ca_file))
		return og_fail_nomem(err);
	for (n = strlen(h->endpoint); h->endpoint[n - 1] == '/'; n--)
		h->endpoint[n - 1] = '\0';
	for (n = strlen(h->cache); n > 1 && h->cache[n - 1] == '/'; n--)
		h->cache[n - 1] = '\0';
	*out = og_steal(&h);
	return OG_OK;
}

void og_hub_free(og_hub *h)
{
	if (!h)
		return;
	og_http_free(h->http);
	pthread_mutex_destroy(&h->reading);
	og_free(h->endpoint);
	og_free(h->cache);
	og_free(h->token);
	og_free(h->ca_file);
	og_free(h);
}

uint64_t og_hub_requests(const og_hub *h)
{
	return h->requests;
}

/* ---- names ------------------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One part of an id: the Hub's own rules. NULL, or what is wrong with it. */
static const char *name_fault(og_str s)
{
	if (!s.n)
		return "a name is empty";
	if (s.n > OG_HUB_ID_MAX)
		return "a name has more than 96 characters";
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && !strchr("_-.", s.p[i]))
			return "only letters, digits, '_', '-' and '.' are allowed";
		if (i && s.p[i] == s.p[i - 1] && (s.p[i] == '-' || s.p[i] == '.'))
			return "\"--\" and \"..\" are not allowed";
	}
	if (strchr("-.", s.p[0]) || strchr("-.", s.p[s.n - 1]))
		return "a name begins and ends with a letter, a digit or '_'";
	return s.n > 4 && !memcmp(s.p + s.n - 4, ".git", 4) ? "a name does not end in \".git\"" : NULL;
}

static const char *id_fault(const char *id)
{
	const char *slash = strchr(id, '/'), *fault;

	if (!slash)
		return name_fault(og_str_of(id));
	if (strchr(slash + 1, '/'))
		return "more than one '/'";
	fault = name_fault((og_str){ id, (size_t)(slash - id) });
	return fault ? fault : name_fault(og_str_of(slash + 1));
}

static og_status check_name(const char *repo_id, const char *revision, og_error *err)
{
	const char *fault = id_fault(repo_id);
	char show[160];

	if (fault) {
		og_fail(err, ONNXGATE_INVALID, "model id \"%s\": %s", og_str_show(og_str_of(repo_id), show, sizeof(show)), fault);
		og_error_hint(err, "an id looks like org/name or org/name@revision");
		return ONNXGATE_INVALID;
	}
	if (!og_path_safe(revision) || strlen(revision) > 255)
		return og_fail(err, ONNXGATE_INVALID, "revision \"%s\" of %s: expected a branch, a tag or a commit",
			       og_str_show(og_str_of(revision), show, sizeof(show)), repo_id);
	return OG_OK;
}

og_status og_hub_parse_id(const char *text, og_arena *arena, const char **repo_id, const char **revision, og_error *err)
{
	const char *at = strchr(text, '@');
	char *id = og_arena_strndup(arena, text, at ? (size_t)(at - text) : strlen(text)), *rev = og_arena_strdup(arena, at ? at + 1 : "main");

	if (!id || !rev)
		return og_fail_nomem(err);
	OG_TRY(check_name(id, rev, err));
	*repo_id = id;
	*revision = rev;
	return OG_OK;
}

/* ---- resolving -------------------------------------------------------------------------------------- */

/* From refs/ and trees/, or what a snapshot holds. NOT_FOUND names what is missing. */
static og_status from_cache(const og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	char commit[OG_COMMIT_HEX];

	if (!og_hub_commit_of(h, r->repo_id, r->revision, commit))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s@%s: not in the cache %s", r->repo_id, r->revision, h->cache);
	r->commit = og_arena_strdup(arena, commit);
	if (!r->commit)
		return og_fail_nomem(err);
	r->from_cache = true;
	og_status s = og_hub_read_tree(h, r, arena, err);
	if (s != ONNXGATE_NOT_FOUND)
		return s;
	s = og_hub_read_snapshot(h, r, arena, err);
	if (s == ONNXGATE_NOT_FOUND)
		return og_fail(err, s, "%s@%s: neither its listing nor a snapshot of commit %s is in the cache %s", r->repo_id, r->revision, commit, h->cache);
	return s;
}

static og_status offline_miss(og_status s, og_error *err)
{
	if (s != ONNXGATE_NOT_FOUND)
		return s;
	if (err)
		err->status = ONNXGATE_NETWORK;
	og_error_hint(err, "offline: run it once with the network, without --offline and HF_HUB_OFFLINE");
	return ONNXGATE_NETWORK;
}

static og_status from_network(og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	og_error why = { 0 };
	og_status s = og_hub_ask(h, r, arena, &why);
	og_hub_repo cached = { .repo_id = r->repo_id, .revision = r->revision };

	if (s == OG_OK)
		return og_hub_save_listing(h, r, err);
	if (s == ONNXGATE_NETWORK && from_cache(h, &cached, arena, NULL) == OG_OK) {
		og_log(h->ctx, ONNXGATE_LOG_WARN, "%s; going on with commit %s from the cache", why.message, cached.commit);
		*r = cached;
		return OG_OK;
	}
	if (err)
		*err = why;
	return s;
}

og_status og_hub_resolve(og_hub *h, const char *repo_id, const char *revision, og_arena *arena, og_hub_repo **out, og_error *err)
{
	og_hub_repo *r = og_arena_alloc(arena, sizeof(*r));

	if (!revision)
		revision = "main";
	OG_TRY(check_name(repo_id, revision, err));
	if (!r)
		return og_fail_nomem(err);
	r->repo_id = og_arena_strdup(arena, repo_id);
	r->revision = og_arena_strdup(arena, revision);
	if (!r->repo_id || !r->revision)
		return og_fail_nomem(err);
	if (h->offline) {
		OG_TRY(offline_miss(from_cache(h, r, arena, err), err));
	} else if (og_is_hex(revision, 40)) {
		r->commit = r->revision;
		r->from_cache = og_hub_read_tree(h, r, arena, NULL) == OG_OK;
		if (!r->from_cache)
			OG_TRY(from_network(h, r, arena, err));
	} else {
		OG_TRY(from_network(h, r, arena, err));
	}
	*out = r;
	return OG_OK;
}
