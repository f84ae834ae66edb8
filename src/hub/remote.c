/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of the Hub as a source: what is read of it is fetched by ranged requests and kept in a few windows.
 *
 *     the first read: 64 KiB                            a read that goes on where the last window ended: twice as much, up to 1 MiB
 *     a read elsewhere: half as much, down to 16 KiB    a read near the end: the last 128 KiB at once
 *                                                       a read of 1 MiB and more: one request, past the windows
 *
 * The Hub redirects to the bytes; that address is kept and asked again directly until it is refused, then the Hub is asked for another.
 * Nobody can verify a digest of parts.  What can be verified is: the commit is in the URL, the ETag that the Hub names and the whole
 * size that each answer names must be those of the listing, and an answer is exactly the part that was asked for. */
#include "hub/hub_int.h"

#include "base/path.h"

#include <stdio.h>

#define BLOCK ((uint64_t)64 << 10)
#define STEP_MIN ((uint64_t)16 << 10) /* who jumps from header to header wants little of each */
#define TAIL (2 * BLOCK) /* the end record of a zip, with the longest comment, is in it */
#define STEP_MAX ((uint64_t)1 << 20)
#define WINDOWS 8

typedef struct window {
	uint64_t at;
	size_t n;
	uint8_t *p;
	uint64_t used; /* when, by the source's clock */
} window;

typedef struct remote {
	og_source s;
	og_hub *hub;
	og_arena *arena; /* of the texts */
	const char *what, *url, *repo_id, *commit, *path;
	const char *etag; /* NULL: the listing has none */
	char *address;    /* where the bytes were found last; NULL: ask the Hub */
	window windows[WINDOWS];
	uint64_t clock, next, step; /* next: the offset behind the last window that was fetched, of `step` bytes */
	uint64_t received;
} remote;

/* ---- one part ----------------------------------------------------------------------------------------- */

typedef struct part {
	remote *r;
	uint8_t *to;
	uint64_t first, end;
	uint64_t have; /* the offset of the first byte that is still missing */
	uint64_t at;   /* the offset of the next byte that arrives */
	bool whole;    /* all of the file arrives */
} part;

static uint64_t part_have(void *arg)
{
	return ((part *)arg)->have;
}

static og_status part_reset(void *arg, og_error *err)
{
	part *p = arg;
	(void)err;
	p->have = p->first;
	return OG_OK;
}

static og_status mismatch(const remote *r, og_error *err, const char *fmt, ...) OG_PRINTF(3, 4);
static og_status mismatch(const remote *r, og_error *err, const char *fmt, ...)
{
	va_list ap;
	og_auto_buf b = { 0 };

	og_buf_init(&b, 4096);
	va_start(ap, fmt);
	og_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	const char *text = og_buf_cstr(&b);
	return og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: %s", r->repo_id, r->commit, r->path, text ? text : "another file");
}

/* "\"abc\"" and "W/\"abc\"" → "abc", when it is a digest; else nothing. */
static og_str digest_of(const char *etag)
{
	og_str s = og_str_of(etag);
	char hex[65];

	if (s.n > 2 && s.p[0] == 'W' && s.p[1] == '/')
		s = (og_str){ s.p + 2, s.n - 2 };
	if (s.n > 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = (og_str){ s.p + 1, s.n - 2 };
	if (s.n != 40 && s.n != 64)
		return OG_STR("");
	memcpy(hex, s.p, s.n);
	hex[s.n] = '\0';
	return og_is_hex(hex, s.n) ? s : OG_STR("");
}

/* Is it the file of the listing, as far as the headers tell? */
static og_status same_file(const part *p, const og_http_answer *a, og_error *err)
{
	const remote *r = p->r;
	const char *linked = a->header[OG_H_LINKED_ETAG], *size = a->header[OG_H_LINKED_SIZE];
	og_str etag = digest_of(linked ? linked : a->from_hub ? a->header[OG_H_ETAG] : NULL);
	uint64_t n;

	if (r->etag && etag.n && !og_str_is(etag, r->etag))
		return mismatch(r, err, "the Hub's listing names %s, %s has %.*s", r->etag, r->hub->endpoint, OG_STR_ARG(etag));
	if (size && og_parse_u64(og_str_of(size), UINT64_MAX, &n) && n != r->s.size)
		return mismatch(r, err, "the Hub's listing says %llu bytes, %s has %llu", (unsigned long long)r->s.size, r->hub->endpoint, (unsigned long long)n);
	return OG_OK;
}

/* "bytes FIRST-LAST/SIZE", SIZE may be "*". */
static og_status check_range(const part *p, const og_http_answer *a, og_error *err)
{
	const char *range = a->header[OG_H_CONTENT_RANGE], *slash = range ? strchr(range, '/') : NULL, *length = a->header[OG_H_CONTENT_LENGTH];
	char want[96];
	uint64_t size, n;

	snprintf(want, sizeof(want), "bytes %llu-%llu/", (unsigned long long)p->have, (unsigned long long)p->end - 1);
	if (!range || !og_starts_with(range, want) || a->header[OG_H_CONTENT_ENCODING])
		return mismatch(p->r, err, "%s answers with another part of the file than was asked for", a->url);
	if (length && og_parse_u64(og_str_of(length), UINT64_MAX, &n) && n != p->end - p->have)
		return mismatch(p->r, err, "%s sends %llu bytes where %llu were asked for", a->url, (unsigned long long)n, (unsigned long long)(p->end - p->have));
	if (og_streq(slash + 1, "*"))
		return OG_OK;
	if (!og_parse_u64(og_str_of(slash + 1), UINT64_MAX, &size) || size != p->r->s.size)
		return mismatch(p->r, err, "the Hub's listing says %llu bytes, %s has %s", (unsigned long long)p->r->s.size, a->url, slash + 1);
	return OG_OK;
}

/* A server without ranges sends everything; that is taken where it is no more than a window. */
static og_status no_ranges(const part *p, const og_http_answer *a, og_error *err)
{
	og_fail(err, ONNXGATE_NETWORK, "%s@%s: %s: %s sends all of its %llu bytes where bytes %llu-%llu were asked for", p->r->repo_id, p->r->commit, p->r->path,
		a->url, (unsigned long long)p->r->s.size, (unsigned long long)p->have, (unsigned long long)p->end - 1);
	og_error_hint(err, "that server does no ranged requests; `onnxgate verify %s` downloads the file", p->r->repo_id);
	return ONNXGATE_NETWORK;
}

static og_status part_begin(void *arg, const og_http_answer *a, og_error *err)
{
	part *p = arg;
	const char *length = a->header[OG_H_CONTENT_LENGTH];
	uint64_t n;

	OG_TRY(same_file(p, a, err));
	p->whole = a->status == 200;
	p->at = p->whole ? 0 : p->have;
	if (!p->whole)
		return check_range(p, a, err);
	if (p->r->s.size > STEP_MAX)
		return no_ranges(p, a, err);
	if (length && !a->header[OG_H_CONTENT_ENCODING] && og_parse_u64(og_str_of(length), UINT64_MAX, &n) && n != p->r->s.size)
		return mismatch(p->r, err, "the Hub's listing says %llu bytes, %s sends %llu", (unsigned long long)p->r->s.size, a->url, (unsigned long long)n);
	return OG_OK;
}

static og_status part_write(void *arg, const void *from, size_t n, og_error *err)
{
	part *p = arg;
	const uint8_t *b = from;

	p->r->received += n;
	if (n > (p->whole ? p->r->s.size : p->end) - p->at)
		return mismatch(p->r, err, "more bytes arrive than were asked for");
	if (p->at < p->have) {
		size_t skip = p->have - p->at < n ? (size_t)(p->have - p->at) : n;
		p->at += skip, b += skip, n -= skip;
	}
	size_t take = n < p->end - p->have ? n : (size_t)(p->end - p->have);
	if (take)
		memcpy(p->to + (p->have - p->first), b, take);
	p->have += take;
	p->at += n;
	return OG_OK;
}

/* Bytes first … end-1 into `to`. */
static og_status fetch(remote *r, uint64_t first, uint64_t end, uint8_t *to, og_error *err)
{
	part p = { .r = r, .to = to, .first = first, .end = end, .have = first };
	const og_sink sink = { part_have, part_reset, part_begin, part_write, &p, end };

	for (;;) {
		og_auto_answer a = { 0 };
		bool direct = r->address != NULL;
		OG_TRY(og_http_get(r->hub, r->what, direct ? r->address : r->url, &sink, &a, err));
		bool good = a.status == 200 || a.status == 206;
		if (good && p.have == end) {
			if (!direct)
				r->address = og_steal(&a.address);
			return OG_OK;
		}
		if (good)
			return mismatch(r, err, "%s ends after %llu of %llu bytes", a.url, (unsigned long long)(p.have - first), (unsigned long long)(end - first));
		if (!direct && a.status == 416)
			return mismatch(r, err, "the Hub's listing says %llu bytes, %s has fewer", (unsigned long long)r->s.size, a.url);
		if (!direct)
			return og_hub_refusal(r->hub, r->repo_id, r->commit, r->path, &a, err);
		og_free(og_steal(&r->address)); /* it has expired: the Hub names another */
		p.have = first;
	}
}

/* ---- windows ------------------------------------------------------------------------------------------ */

static window *find(remote *r, uint64_t offset)
{
	for (size_t i = 0; i < WINDOWS; i++) {
		window *w = &r->windows[i];
		if (w->n && offset >= w->at && offset - w->at < w->n) {
			w->used = ++r->clock;
			return w;
		}
	}
	return NULL;
}

/* Where a window for the byte at offset begins and ends. */
static void plan(remote *r, uint64_t offset, uint64_t *first, uint64_t *end)
{
	uint64_t size = r->s.size, step = !r->step ? BLOCK : offset == r->next ? r->step * 2 : r->step / 2;

	step = step > STEP_MAX ? STEP_MAX : step < STEP_MIN ? STEP_MIN : step;
	*first = offset;
	*end = step < size - offset ? offset + step : size;
	if (size - offset <= TAIL) {
		*first = size < TAIL ? 0 : size - TAIL;
		*end = size;
	}
	for (size_t i = 0; i < WINDOWS; i++) { /* nothing twice */
		const window *w = &r->windows[i];
		if (w->n && w->at > offset && w->at < *end)
			*end = w->at;
		if (w->n && w->at <= offset && w->at + w->n > *first)
			*first = w->at + w->n;
	}
	r->step = step;
	r->next = *end;
}

static og_status load(remote *r, uint64_t offset, window **out, og_error *err)
{
	window *w = &r->windows[0];
	uint64_t first, end;

	for (size_t i = 1; i < WINDOWS; i++)
		if (!r->windows[i].n || (w->n && r->windows[i].used < w->used))
			w = &r->windows[i];
	og_free(w->p);
	*w = (window){ 0 };
	plan(r, offset, &first, &end);
	uint8_t *p = og_alloc((size_t)(end - first));
	if (!p)
		return og_fail_nomem(err);
	og_status s = fetch(r, first, end, p, err);
	if (s != OG_OK) {
		og_free(p);
		return s;
	}
	*w = (window){ first, (size_t)(end - first), p, ++r->clock };
	*out = w;
	return OG_OK;
}

static og_status read_parts(remote *r, uint64_t offset, uint8_t *to, size_t n, og_error *err)
{
	while (n) {
		window *w = find(r, offset);
		if (!w && n >= STEP_MAX) {
			r->next = offset + n;
			return fetch(r, offset, offset + n, to, err);
		}
		if (!w)
			OG_TRY(load(r, offset, &w, err));
		size_t skip = (size_t)(offset - w->at), take = w->n - skip < n ? w->n - skip : n;
		memcpy(to, w->p + skip, take);
		offset += take;
		to += take;
		n -= take;
	}
	return OG_OK;
}

/* ---- the source --------------------------------------------------------------------------------------- */

static og_status remote_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	remote *r = (remote *)s;
	pthread_mutex_lock(&r->hub->reading);
	og_status st = read_parts(r, offset, buf, n, err);
	pthread_mutex_unlock(&r->hub->reading);
	return st;
}

static void remote_free(og_source *s)
{
	remote *r = (remote *)s;
	if (r->what)
		og_log(r->hub->ctx, ONNXGATE_LOG_DEBUG, "%s: read %llu of %llu bytes", r->what, (unsigned long long)r->received, (unsigned long long)s->size);
	for (size_t i = 0; i < WINDOWS; i++)
		og_free(r->windows[i].p);
	og_free(r->address);
	og_free(s->name);
	og_arena_free(r->arena);
	og_free(r);
}

static const og_source_ops remote_ops = { remote_read, remote_free };

static og_status open_remote(og_hub *h, const og_hub_repo *repo, const og_hub_file *f, og_source **out, og_error *err)
{
	remote *r = og_alloc(sizeof(*r));
	og_auto(og_source) *s = r ? &r->s : NULL;

	if (!r)
		return og_fail_nomem(err);
	r->s = (og_source){ .ops = &remote_ops, .size = f->size, .fd = -1 };
	r->hub = h;
	og_arena *a = r->arena = og_arena_new();
	const char *quoted = a ? og_hub_quote(a, f->path, true) : NULL, *name = NULL;
	if (quoted) {
		r->repo_id = og_arena_strdup(a, repo->repo_id);
		r->commit = og_arena_strdup(a, repo->commit);
		r->path = og_arena_strdup(a, f->path);
		r->etag = og_arena_strdup(a, og_hub_etag_of(f));
		r->url = og_arena_printf(a, "%s/%s/resolve/%s/%s", h->endpoint, repo->repo_id, repo->commit, quoted);
		name = og_arena_printf(a, "%s@%.12s/%s", repo->repo_id, repo->commit, f->path);
		r->s.name = og_strdup(name);
	}
	if (!r->s.name || !r->repo_id || !r->commit || !r->path || !r->url || (og_hub_etag_of(f) && !r->etag))
		return og_fail_nomem(err);
	r->what = og_arena_printf(a, "%s: %s", repo->repo_id, f->path);
	if (!r->what)
		return og_fail_nomem(err);
	*out = og_steal(&s);
	return OG_OK;
}

og_status og_hub_source(og_hub *h, const og_hub_repo *repo, const char *path, og_source **out, og_error *err)
{
	const og_hub_file *f = og_path_safe(path) ? og_hub_repo_find(repo, path) : NULL;
	og_auto(og_arena) *arena = og_arena_new();
	const char *local = NULL;

	if (!arena)
		return og_fail_nomem(err);
	if (!f)
		return og_hub_absent(h, repo, path, err);
	OG_TRY(og_hub_cached(h, repo, path, arena, &local, err));
	if (local)
		return og_source_open(local, out, err);
	if (h->offline)
		return og_hub_not_cached(h, repo, f, err);
	return open_remote(h, repo, f, out, err);
}
