/* SPDX-License-Identifier: Apache-2.0
 *
 * GET over libcurl, which is loaded when the first request is made: a run that is answered by the cache does not pay
 * for it.  Redirects are followed by hand, because each hop has its own origin and only the endpoint's may see the
 * token; no hop leads from https to http.  What may pass by itself (a lost connection, 408, 429, 5xx) is tried again, with growing
 * waits, while there are tries and time left; bytes that arrived renew both.  URLs are taken apart by libcurl itself,
 * so that nobody can make us and it read one differently. */
#include "hub/hub_int.h"

#include "base/clock.h"
#include "base/random.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define ERROR_BODY_MAX (64u << 10)    /* of an answer that is no success, only a message is wanted */
#define PROGRESS_MIN ((uint64_t)1 << 20) /* bytes that count as progress between two tries */
#define SLOW_BYTES 1000L              /* a second: below that a connection is dead for us */

/* ---- libcurl ---------------------------------------------------------------------------------------- */

#define CURL_FUNCTIONS(X)                                                                                              \
	X(curl_global_init)                                                                                                \
	X(curl_getdate)                                                                                                    \
	X(curl_free)                                                                                                       \
	X(curl_easy_init)                                                                                                  \
	X(curl_easy_reset)                                                                                                 \
	X(curl_easy_cleanup)                                                                                               \
	X(curl_easy_setopt)                                                                                                \
	X(curl_easy_getinfo)                                                                                               \
	X(curl_easy_perform)                                                                                               \
	X(curl_easy_strerror)                                                                                              \
	X(curl_slist_append)                                                                                               \
	X(curl_slist_free_all)                                                                                             \
	X(curl_url)                                                                                                        \
	X(curl_url_cleanup)                                                                                                \
	X(curl_url_get)                                                                                                    \
	X(curl_url_set)

#define MEMBER(name) __typeof__(name) *name##_;
static struct {
	CURL_FUNCTIONS(MEMBER)
	char fault[256]; /* why there is none */
} lib;

static void load(void)
{
	void *so = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		const char *why = dlerror();
		og_str_show(og_str_of(why ? why : "not found"), lib.fault, sizeof(lib.fault));
		return;
	}
#define RESOLVE(name)                                                                                                  \
	*(void **)&lib.name##_ = dlsym(so, #name);                                                                         \
	if (!lib.name##_)                                                                                                  \
		og_str_show(OG_STR("libcurl.so.4 is too old: it has no " #name), lib.fault, sizeof(lib.fault));
	CURL_FUNCTIONS(RESOLVE)
	if (!lib.fault[0] && lib.curl_global_init_(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		og_str_show(OG_STR("libcurl does not start"), lib.fault, sizeof(lib.fault));
}

/* One for the process: libcurl's own initialisation is. */
static og_status need_curl(og_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	if (!lib.fault[0])
		return OG_OK;
	og_fail(err, ONNXGATE_NETWORK, "no HTTP: %s", lib.fault);
	og_error_hint(err, "install libcurl (Debian: apt-get install libcurl4), or work with what is cached: --offline");
	return ONNXGATE_NETWORK;
}

struct og_http {
	CURL *easy; /* kept: its connections are used again */
	og_origin endpoint;
	og_random random;
	bool warned; /* about the token that stays at home */
};

void og_http_free(og_http *p)
{
	if (!p)
		return;
	if (p->easy)
		lib.curl_easy_cleanup_(p->easy);
	og_free(p);
}

/* ---- URLs ------------------------------------------------------------------------------------------- */

/* `where` against `base` (NULL: it is absolute): the whole URL (yours), its origin, and the URL to show in messages. */
static og_status parse_url(const char *base, const char *where, char **url, og_origin *origin, char **shown, og_error *err)
{
	CURLU *u = lib.curl_url_();
	char *part[4] = { NULL }, show[200];
	bool ok = u && (!base || !lib.curl_url_set_(u, CURLUPART_URL, base, 0)) &&
		  !lib.curl_url_set_(u, CURLUPART_URL, where, CURLU_URLENCODE | CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) &&
		  !lib.curl_url_set_(u, CURLUPART_FRAGMENT, NULL, 0) && !lib.curl_url_get_(u, CURLUPART_URL, &part[0], 0) &&
		  !lib.curl_url_get_(u, CURLUPART_SCHEME, &part[1], 0) && !lib.curl_url_get_(u, CURLUPART_HOST, &part[2], 0) &&
		  !lib.curl_url_get_(u, CURLUPART_PORT, &part[3], CURLU_DEFAULT_PORT);
	uint64_t port = 0;
	og_status s = OG_OK;

	ok = ok && (og_streq(part[1], "https") || og_streq(part[1], "http")) && og_parse_u64(og_str_of(part[3]), 65535, &port) && port &&
	     strlen(part[2]) < sizeof(origin->host);
	if (ok) {
		*origin = (og_origin){ .https = og_streq(part[1], "https"), .port = (int)port };
		for (size_t i = 0; part[2][i]; i++)
			origin->host[i] = (char)(part[2][i] >= 'A' && part[2][i] <= 'Z' ? part[2][i] | 32 : part[2][i]);
		*url = og_strdup(part[0]);
		part[0][strcspn(part[0], "?")] = '\0'; /* the query of a CDN's URL is a key */
		*shown = og_strdup(og_str_show(og_str_of(part[0]), show, sizeof(show)));
		if (!*url || !*shown)
			s = og_fail_nomem(err);
	} else {
		s = og_fail(err, ONNXGATE_UNSAFE, "address %s: expected http:// or https:// and a host", og_str_show(og_str_of(where), show, sizeof(show)));
	}
	for (size_t i = 0; i < OG_COUNT(part); i++)
		lib.curl_free_(part[i]);
	lib.curl_url_cleanup_(u);
	return s;
}

static og_status start(og_hub *h, og_error *err)
{
	og_autofree char *url = NULL, *shown = NULL;
	og_http *p;

	if (h->http)
		return OG_OK;
	OG_TRY(need_curl(err));
	p = og_alloc(sizeof(*p));
	if (!p)
		return og_fail_nomem(err);
	p->random.state = (uint64_t)(og_now_ms() * 1e6) ^ (uint64_t)getpid() << 32;
	h->http = p;
	p->easy = lib.curl_easy_init_();
	if (!p->easy || parse_url(NULL, h->endpoint, &url, &p->endpoint, &shown, err) != OG_OK) {
		og_status s = p->easy ? og_fail(err, ONNXGATE_INVALID, "endpoint %s: expected http:// or https:// and a host", h->endpoint) : og_fail_nomem(err);
		og_http_free(p);
		h->http = NULL;
		return s;
	}
	return OG_OK;
}

/* ---- one transfer ----------------------------------------------------------------------------------- */

static const char *const header_names[OG_H_COUNT] = {
	[OG_H_LOCATION] = "location",
	[OG_H_LINK] = "link",
	[OG_H_ERROR_CODE] = "x-error-code",
	[OG_H_ERROR_MESSAGE] = "x-error-message",
	[OG_H_REPO_COMMIT] = "x-repo-commit",
	[OG_H_CONTENT_LENGTH] = "content-length",
	[OG_H_CONTENT_RANGE] = "content-range",
	[OG_H_CONTENT_ENCODING] = "content-encoding",
	[OG_H_RETRY_AFTER] = "retry-after",
	[OG_H_RATE_LIMIT] = "ratelimit",
	[OG_H_REQUEST_ID] = "x-request-id",
	[OG_H_ETAG] = "etag",
	[OG_H_LINKED_ETAG] = "x-linked-etag",
	[OG_H_LINKED_SIZE] = "x-linked-size",
};

typedef struct transfer {
	og_hub *hub;
	og_http_answer *answer;
	const og_sink *sink;
	size_t header_bytes;
	bool complete; /* the headers are: what comes later is a trailer, of no interest */
	bool sinking;  /* the body goes to the sink */
	bool enough;   /* we closed the connection: the rest is of no interest */
	og_status fault;
	og_error why;
} transfer;

static void clear_headers(og_http_answer *a, int from, int to)
{
	for (int i = from; i < to; i++) {
		og_free(a->header[i]);
		a->header[i] = NULL;
	}
}

/* What the Hub says of the bytes stays when the next hop answers. */
static void clear_answer(og_http_answer *a)
{
	clear_headers(a, 0, OG_H_LINKED_ETAG);
	og_buf_done(&a->body);
	a->status = 0;
}

void og_http_answer_done(og_http_answer *a)
{
	clear_answer(a);
	clear_headers(a, OG_H_LINKED_ETAG, OG_H_COUNT);
	og_free(a->url);
	og_free(a->address);
	a->url = a->address = NULL;
}

static bool is_redirect(const og_http_answer *a)
{
	return (a->status == 301 || a->status == 302 || a->status == 303 || a->status == 307 || a->status == 308) && a->header[OG_H_LOCATION];
}

/* Header lines of all answers of this transfer, 100 Continue included: each status line begins anew. */
static void status_line(transfer *t, const char *p, size_t n)
{
	const char *space = memchr(p, ' ', n);
	uint64_t status = 0;

	clear_answer(t->answer);
	if (space && (size_t)(p + n - space) >= 4 && og_parse_u64((og_str){ space + 1, 3 }, 999, &status))
		t->answer->status = (int)status;
}

static void header_line(transfer *t, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	size_t name = colon ? (size_t)(colon - p) : 0, value;

	for (int i = 0; i < OG_H_COUNT; i++) {
		if (strlen(header_names[i]) != name || strncasecmp(header_names[i], p, name) != 0)
			continue;
		if (i >= OG_H_LINKED_ETAG && !t->answer->from_hub)
			return; /* only the Hub's own word counts */
		for (p = colon + 1, value = n - name - 1; value && (*p == ' ' || *p == '\t'); p++)
			value--;
		while (value && (p[value - 1] == ' ' || p[value - 1] == '\t' || p[value - 1] == '\r' || p[value - 1] == '\n'))
			value--;
		char *text = og_alloc(value + 1);
		if (!text) {
			t->fault = og_fail_nomem(&t->why);
			return;
		}
		memcpy(text, p, value);
		og_free(t->answer->header[i]);
		t->answer->header[i] = text;
	}
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
	transfer *t = arg;
	size_t n = size * count;

	t->header_bytes += n;
	if (t->header_bytes > OG_HTTP_HEADER_MAX) {
		t->fault = og_fail(&t->why, ONNXGATE_FORMAT, "%s: headers over the limit of %u bytes", t->answer->url, OG_HTTP_HEADER_MAX);
	} else if (t->complete) {
		return n;
	} else if (n >= 5 && !strncasecmp(p, "HTTP/", 5)) {
		status_line(t, p, n);
	} else if (n <= 2) { /* the empty line */
		t->complete = t->answer->status >= 200;
		t->sinking = t->sink && (t->answer->status == 200 || t->answer->status == 206);
		if (t->sinking)
			t->fault = t->sink->begin(t->sink->arg, t->answer, &t->why);
	} else {
		header_line(t, p, n);
	}
	return t->fault == OG_OK ? n : 0;
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	transfer *t = arg;
	size_t n = size * count, room;

	if (t->sinking) {
		t->fault = t->sink->write(t->sink->arg, p, n, &t->why);
		return t->fault == OG_OK ? n : 0;
	}
	if (t->answer->status / 100 == 2) {
		og_buf_add(&t->answer->body, p, n);
		t->fault = og_buf_check(&t->answer->body, t->answer->url, &t->why);
		return t->fault == OG_OK ? n : 0;
	}
	room = ERROR_BODY_MAX - t->answer->body.n;
	og_buf_add(&t->answer->body, p, n < room ? n : room);
	t->enough = n > room;
	return t->enough ? 0 : n;
}

static int on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	const transfer *t = arg;
	(void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
	return og_cancelled(t->hub->ctx);
}

/* The company's certificates, by the names that Python's clients and curl know. */
static const char *ca_file(const og_hub *h)
{
	static const char *const names[] = { "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE" };
	for (size_t i = 0; !h->ca_file && i < OG_COUNT(names); i++) {
		const char *v = secure_getenv(names[i]);
		if (v && v[0])
			return v;
	}
	return h->ca_file;
}

static void set_options(og_hub *h, transfer *t, const char *url, const og_origin *origin, long time_ms, char *why)
{
	CURL *e = h->http->easy;
	__typeof__(lib.curl_easy_setopt_) set = lib.curl_easy_setopt_;

	lib.curl_easy_reset_(e);
	set(e, CURLOPT_URL, url);
	set(e, CURLOPT_PROTOCOLS_STR, "http,https");
	set(e, CURLOPT_FOLLOWLOCATION, 0L);
	set(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* one stream a connection: faster for large files */
	set(e, CURLOPT_USERAGENT, "onnxgate/" ONNXGATE_VERSION);
	set(e, CURLOPT_ACCEPT_ENCODING, "identity"); /* and decode what comes compressed all the same */
	set(e, CURLOPT_NOSIGNAL, 1L);
	set(e, CURLOPT_TCP_KEEPALIVE, 1L);
	set(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	set(e, CURLOPT_BUFFERSIZE, 256L << 10);
	set(e, CURLOPT_CONNECTTIMEOUT, (long)h->timeout_s);
	set(e, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	set(e, CURLOPT_LOW_SPEED_TIME, (long)h->timeout_s);
	if (!t->sink)
		set(e, CURLOPT_TIMEOUT_MS, time_ms);
	if (og_host_is_loopback(origin->host))
		set(e, CURLOPT_PROXY, ""); /* a proxy would see the token, and has another loopback */
	if (ca_file(h))
		set(e, CURLOPT_CAINFO, ca_file(h));
	set(e, CURLOPT_ERRORBUFFER, why);
	set(e, CURLOPT_HEADERFUNCTION, on_header);
	set(e, CURLOPT_HEADERDATA, t);
	set(e, CURLOPT_WRITEFUNCTION, on_body);
	set(e, CURLOPT_WRITEDATA, t);
	set(e, CURLOPT_NOPROGRESS, 0L);
	set(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(e, CURLOPT_XFERINFODATA, t);
}

/* Authorization and Range. false: no memory. */
static bool set_headers(og_hub *h, const transfer *t, const og_origin *origin, struct curl_slist **list)
{
	uint64_t have = t->sink ? t->sink->have(t->sink->arg) : 0;
	char line[64];

	if (h->token && og_token_may_go(&h->http->endpoint, origin)) {
		og_auto_buf b = { 0 };
		og_buf_init(&b, 8192);
		og_buf_printf(&b, "Authorization: Bearer %s", h->token);
		const char *text = og_buf_cstr(&b);
		*list = text ? lib.curl_slist_append_(NULL, text) : NULL;
		if (!*list)
			return false;
	} else if (h->token && og_origin_equal(&h->http->endpoint, origin) && !h->http->warned) {
		h->http->warned = true;
		og_log(h->ctx, ONNXGATE_LOG_WARN, "the token is not sent: %s is neither https nor this machine", h->endpoint);
	}
	if (have || (t->sink && t->sink->end)) {
		int n = snprintf(line, sizeof(line), "%llu-", (unsigned long long)have);
		if (t->sink->end)
			snprintf(line + n, sizeof(line) - (size_t)n, "%llu", (unsigned long long)t->sink->end - 1);
		lib.curl_easy_setopt_(h->http->easy, CURLOPT_RANGE, line);
	}
	lib.curl_easy_setopt_(h->http->easy, CURLOPT_HTTPHEADER, *list);
	return true;
}

static bool may_pass(CURLcode c)
{
	switch (c) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

static og_status transfer_fault(og_hub *h, const transfer *t, CURLcode c, const char *what, const char *why, bool *again, og_error *err)
{
	char show[CURL_ERROR_SIZE];

	if (og_cancelled(h->ctx))
		return og_fail(err, ONNXGATE_CANCELLED, "interrupted");
	if (t->fault != OG_OK) {
		if (err)
			*err = t->why;
		return t->fault;
	}
	if (c == CURLE_OUT_OF_MEMORY && t->header_bytes && !t->complete) /* its word for a header line beyond its own limit, too */
		return og_fail(err, ONNXGATE_FORMAT, "%s: %s: a line of the headers is over libcurl's limit", what, t->answer->url);
	if (c == CURLE_OUT_OF_MEMORY)
		return og_fail_nomem(err);
	*again = may_pass(c);
	og_fail(err, ONNXGATE_NETWORK, "%s: %s: %s", what, t->answer->url, og_str_show(og_str_of(why[0] ? why : lib.curl_easy_strerror_(c)), show, sizeof(show)));
	if (c == CURLE_PEER_FAILED_VERIFICATION || c == CURLE_SSL_CACERT_BADFILE)
		og_error_hint(err, "the server's certificate is not trusted; behind a company's proxy name its certificates in SSL_CERT_FILE");
	else
		og_error_hint(err, "check the connection%s", h->token ? "" : ", HTTPS_PROXY and HF_ENDPOINT");
	return ONNXGATE_NETWORK;
}

/* libcurl's TLS may write to a closed connection, and the signal of that would end a program that has not asked for it.
 * It is held back in this thread only, and dropped if it came. */
static CURLcode perform(CURL *easy)
{
	sigset_t pipe, old, pending;
	const struct timespec at_once = { 0 };

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	bool ours = !sigismember(&pending, SIGPIPE) && !pthread_sigmask(SIG_BLOCK, &pipe, &old);
	CURLcode c = lib.curl_easy_perform_(easy);
	if (ours) {
		sigpending(&pending);
		if (sigismember(&pending, SIGPIPE))
			sigtimedwait(&pipe, NULL, &at_once);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	return c;
}

static og_status hop(og_hub *h, const char *what, const char *url, const og_origin *origin, const og_sink *sink, long time_ms, og_http_answer *a, bool *again,
		     og_error *err)
{
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *list = NULL;
	transfer t = { .hub = h, .answer = a, .sink = sink };
	CURLcode c = CURLE_OUT_OF_MEMORY;

	clear_answer(a);
	a->from_hub = og_origin_equal(&h->http->endpoint, origin);
	set_options(h, &t, url, origin, time_ms, why);
	if (set_headers(h, &t, origin, &list)) {
		h->requests++;
		og_log(h->ctx, ONNXGATE_LOG_DEBUG, "GET %s", a->url);
		c = perform(h->http->easy);
	}
	lib.curl_easy_setopt_(h->http->easy, CURLOPT_HTTPHEADER, NULL);
	lib.curl_slist_free_all_(list);
	if (c == CURLE_OK || (t.enough && t.fault == OG_OK))
		return OG_OK;
	return transfer_fault(h, &t, c, what, why, again, err);
}

/* ---- hops ------------------------------------------------------------------------------------------- */

static og_status follow(og_hub *h, const char *what, const char *first, const og_sink *sink, long time_ms, og_http_answer *a, bool *again, og_error *err)
{
	og_autofree char *url = NULL;
	bool https = h->http->endpoint.https;

	clear_headers(a, OG_H_LINKED_ETAG, OG_H_COUNT);
	for (int hops = 0; hops <= OG_HTTP_REDIRECTS_MAX; hops++) {
		og_autofree char *next = NULL, *shown = NULL;
		og_origin origin;
		OG_TRY(parse_url(url, url ? a->header[OG_H_LOCATION] : first, &next, &origin, &shown, err));
		if (https && !origin.https)
			return og_fail(err, ONNXGATE_UNSAFE, "%s: a redirect leads from https to %s: refused", what, shown);
		https = origin.https;
		og_free(a->url);
		a->url = og_steal(&shown);
		OG_TRY(hop(h, what, next, &origin, sink, time_ms, a, again, err));
		if (!is_redirect(a)) {
			og_free(a->address);
			a->address = og_steal(&next);
			return OG_OK;
		}
		og_free(url);
		url = og_steal(&next);
	}
	return og_fail(err, ONNXGATE_NETWORK, "%s: more than %d redirects, the last one to %s", what, OG_HTTP_REDIRECTS_MAX, a->url);
}

/* ---- tries ------------------------------------------------------------------------------------------ */

int og_http_wait_asked(const og_http_answer *a, int64_t now)
{
	const char *after = a->header[OG_H_RETRY_AFTER], *limit = a->header[OG_H_RATE_LIMIT];
	uint64_t seconds;

	if (limit && strstr(limit, "r=0") && (limit = strstr(limit, "t="))) {
		if (og_parse_u64((og_str){ limit + 2, strspn(limit + 2, "0123456789") }, 1 << 20, &seconds))
			return (int)seconds + 1;
	}
	if (!after)
		return -1;
	if (og_parse_u64(og_str_of(after), 1 << 20, &seconds))
		return (int)seconds;
	if (need_curl(NULL) == OG_OK) {
		int64_t at = (int64_t)lib.curl_getdate_(after, NULL);
		if (at >= 0)
			return at <= now ? 0 : at - now > 1 << 20 ? 1 << 20 : (int)(at - now);
	}
	return -1;
}

typedef struct budget {
	int tries; /* so far, in a row */
	double since;
	uint64_t have;
	bool refreshed; /* an expired address was renewed once */
} budget;

static bool status_may_pass(int status)
{
	return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Milliseconds before the next try, or -1: no more. */
static int next_wait(og_hub *h, budget *b, const og_sink *sink, const og_http_answer *a)
{
	uint64_t have = sink ? sink->have(sink->arg) : 0;
	int asked = a->status ? og_http_wait_asked(a, og_wall_seconds()) : -1, wait = h->patience.wait_ms;

	if (have >= b->have + PROGRESS_MIN)
		*b = (budget){ .have = have, .since = og_now_ms(), .refreshed = b->refreshed };
	b->tries++;
	for (int i = 1; i < b->tries && wait < 8 * h->patience.wait_ms; i++)
		wait *= 2;
	if (asked >= 0)
		wait = asked * 1000;
	wait += (int)og_random_below(&h->http->random, (uint64_t)h->patience.wait_ms / 4 + 1);
	return b->tries >= h->patience.tries || og_now_ms() + wait > b->since + h->patience.deadline_ms ? -1 : wait;
}

static og_status sleep_for(const og_hub *h, int ms, og_error *err)
{
	double until = og_now_ms() + ms, left;

	while ((left = until - og_now_ms()) > 0) {
		OG_TRY(og_check_cancel(h->ctx, err));
		og_sleep_ms(left > 50 ? 50 : (int)left + 1);
	}
	return og_check_cancel(h->ctx, err);
}

/* What an answer asks us to do over: nothing, or in `wait` milliseconds. */
static og_status judge(og_hub *h, budget *b, const og_sink *sink, const og_http_answer *a, int *wait, og_error *err)
{
	bool expired = sink && a->status == 403 && !a->from_hub && !b->refreshed;

	*wait = -1;
	if (sink && !sink->end && a->status == 416 && sink->have(sink->arg)) {
		OG_TRY(sink->reset(sink->arg, err));
		*wait = next_wait(h, b, sink, a);
	} else if (status_may_pass(a->status)) {
		*wait = next_wait(h, b, sink, a);
	} else if (expired) { /* the address of a CDN lives about an hour: ask for another, once */
		b->refreshed = true;
		*wait = 0;
	}
	return OG_OK;
}

static og_status give_up(og_status s, const og_error *why, int tries, og_error *err)
{
	if (s == OG_OK || !err)
		return s;
	*err = *why;
	if (s == ONNXGATE_NETWORK && tries > 1) {
		og_fail(err, s, "%s (%d tries)", why->message, tries);
		og_error_hint(err, "%s", why->hint);
	}
	return s;
}

og_status og_http_get(og_hub *h, const char *what, const char *url, const og_sink *sink, og_http_answer *a, og_error *err)
{
	budget b = { .since = og_now_ms() };

	if (h->offline)
		return og_fail(err, ONNXGATE_INTERNAL, "%s: a request was made though the run is offline", what);
	OG_TRY(start(h, err));
	og_buf_init(&a->body, OG_HTTP_BODY_MAX);
	for (a->tries = 1;; a->tries++) {
		og_error why = { 0 };
		bool again = false;
		int wait = -1;
		double left = b.since + h->patience.deadline_ms - og_now_ms();
		OG_TRY(og_check_cancel(h->ctx, err));
		og_status s = follow(h, what, url, sink, left < 1000 ? 1000 : (long)left, a, &again, &why);
		if (s == OG_OK)
			OG_TRY(judge(h, &b, sink, a, &wait, err));
		else if (again)
			wait = next_wait(h, &b, sink, a);
		if (wait < 0)
			return give_up(s, &why, a->tries, err);
		/* Bytes that were compressed on the way cannot be continued at an offset. */
		if (sink && a->header[OG_H_CONTENT_ENCODING])
			OG_TRY(sink->reset(sink->arg, err));
		og_log(h->ctx, ONNXGATE_LOG_INFO, "%s: %s; next try in %d ms", what, s == OG_OK ? "the server is busy" : why.message, wait);
		OG_TRY(sleep_for(h, wait, err));
	}
}
