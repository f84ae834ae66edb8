/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this folder share.  http.c knows URLs, hops, tries and tokens; api.c what the Hub's answers
 * mean; cache.c where things lie on disk; download.c how one file arrives; hub.c puts them together. */
#ifndef OG_HUB_HUB_INT_H
#define OG_HUB_HUB_INT_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "codec/json.h"
#include "hub/hub.h"

#include <pthread.h>

#define OG_COMMIT_HEX 41
#define OG_HUB_ID_MAX 96                     /* characters of each part of a repo id: the Hub's own rule */
#define OG_HUB_FILE_MAX ((uint64_t)1 << 50)  /* bytes of one file: far above what the Hub takes, far below an overflow */
#define OG_HUB_PAGES_MAX 2000                /* pages of one tree: the Hub puts 1000 files on each */
#define OG_HUB_SIBLINGS_MAX 50000            /* from here on model info may be incomplete: huggingface_hub has the same */

typedef struct og_http og_http;

/* How often and how long we try; tests make it short. */
typedef struct og_patience {
	int tries;       /* in a row without progress */
	int wait_ms;     /* before the second try; doubles, with up to a quarter of jitter */
	int deadline_ms; /* in all without progress */
} og_patience;

struct og_hub {
	char *endpoint, *cache, *token, *ca_file;
	bool offline;
	int timeout_s;
	const og_context *ctx;
	og_patience patience;
	og_http *http;     /* NULL before the first request */
	uint64_t requests; /* sent so far, every hop counts */
	pthread_mutex_t reading; /* one request at a time for the sources of remote.c, whoever reads them */
};

/* ---- auth.c: who may see the token ---- */

typedef struct og_origin {
	bool https;
	int port;
	char host[256]; /* lower case, IPv6 in brackets */
} og_origin;

bool og_origin_equal(const og_origin *a, const og_origin *b);
bool og_host_is_loopback(const char *host);
/* Only the endpoint's own origin, and over plain HTTP only when it is this machine. */
bool og_token_may_go(const og_origin *endpoint, const og_origin *target);

/* ---- http.c: GET ---- */

typedef enum og_http_header {
	OG_H_LOCATION,
	OG_H_LINK,
	OG_H_ERROR_CODE,
	OG_H_ERROR_MESSAGE,
	OG_H_REPO_COMMIT,
	OG_H_CONTENT_LENGTH,
	OG_H_CONTENT_RANGE,
	OG_H_CONTENT_ENCODING,
	OG_H_RETRY_AFTER,
	OG_H_RATE_LIMIT,
	OG_H_REQUEST_ID,
	OG_H_ETAG,
	OG_H_LINKED_ETAG, /* these two: of the Hub's own answer, also when it redirects to the bytes */
	OG_H_LINKED_SIZE,
	OG_H_COUNT
} og_http_header;

typedef struct og_http_answer {
	int status;
	char *header[OG_H_COUNT]; /* of the last hop; NULL: absent */
	og_buf body;              /* unless a sink took it */
	char *url;                /* of the last hop, without its query: for messages */
	char *address;            /* of the last hop, whole: its query may be a key, so it is never shown */
	bool from_hub;            /* the last hop was the endpoint's origin */
	int tries;
} og_http_answer;

/* Takes the body of a 200 or 206. What it holds already is asked for no more, where the server can do ranges. */
typedef struct og_sink {
	uint64_t (*have)(void *arg);
	og_status (*reset)(void *arg, og_error *err); /* to nothing */
	og_status (*begin)(void *arg, const og_http_answer *a, og_error *err);
	og_status (*write)(void *arg, const void *p, size_t n, og_error *err);
	void *arg;
	uint64_t end; /* the offset behind the last byte that is wanted; 0: all of the file */
} og_sink;

void og_http_answer_done(og_http_answer *a);
#define og_auto_answer __attribute__((cleanup(og_http_answer_done))) og_http_answer

/* OK when there is an answer, whatever its status: og_hub_refusal() says what a refusal means. Redirects are followed,
 * passing failures are tried again. what: for messages ("org/name"). */
og_status og_http_get(og_hub *h, const char *what, const char *url, const og_sink *sink, og_http_answer *a, og_error *err) OG_MUST;
void og_http_free(og_http *p);
/* The seconds that the server asks us to wait; -1: it does not say. */
int og_http_wait_asked(const og_http_answer *a, int64_t now);

/* ---- api.c ---- */

char *og_hub_quote(og_arena *a, const char *s, bool keep_slash); /* percent-encoded as the Hub wants it */
og_status og_hub_refusal(const og_hub *h, const char *repo_id, const char *revision, const char *path, const og_http_answer *a, og_error *err) OG_MUST;
/* Fills commit, files and what the Hub says. */
og_status og_hub_ask(og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err) OG_MUST;
/* The parts of it. *complete false: the tree must be asked. A page adds to r->files; the next page's URL or NULL. */
og_status og_hub_read_info(const og_json *info, og_hub_repo *r, og_arena *arena, bool *complete, og_error *err) OG_MUST;
og_status og_hub_read_page(const og_json *page, og_hub_repo *r, size_t *cap, og_arena *a, og_error *err) OG_MUST;
char *og_hub_next_page(og_arena *a, const char *link);
/* Names, digests, order: every listing passes here, whether from the Hub or from the cache. */
og_status og_hub_check_files(const char *where, og_hub_file *files, size_t n, og_error *err) OG_MUST;

/* ---- download.c ---- */

const char *og_hub_etag_of(const og_hub_file *f); /* the name of its blob: what its bytes must hash to; NULL: not known */
og_status og_hub_absent(const og_hub *h, const og_hub_repo *r, const char *path, og_error *err) OG_MUST;
og_status og_hub_not_cached(const og_hub *h, const og_hub_repo *r, const og_hub_file *f, og_error *err) OG_MUST;

/* ---- cache.c ---- */

char *og_hub_folder(const og_hub *h, og_arena *a, const char *repo_id);                  /* <cache>/models--org--name */
char *og_hub_lock_path(const og_hub *h, og_arena *a, const char *repo_id, const char *etag);
bool og_hub_commit_of(const og_hub *h, const char *repo_id, const char *revision, char commit[OG_COMMIT_HEX]);
/* NOT_FOUND: no usable trees/<commit>.json. */
og_status og_hub_read_tree(const og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err) OG_MUST;
/* The files of snapshots/<commit>/: NOT_FOUND when there is no such folder. */
og_status og_hub_read_snapshot(const og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err) OG_MUST;
/* snapshots/<commit>/, trees/<commit>.json and the ref. A cache that we may not write is left alone. */
og_status og_hub_save_listing(const og_hub *h, const og_hub_repo *r, og_error *err) OG_MUST;
void og_hub_save_absence(const og_hub *h, const char *repo_id, const char *commit, const char *path);
/* snapshots/<commit>/<path> becomes a link to blobs/<etag>, replacing what stands there. */
og_status og_hub_link(const og_hub *h, const og_hub_repo *r, const char *path, const char *etag, og_error *err) OG_MUST;

#endif
