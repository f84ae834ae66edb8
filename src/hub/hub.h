/* SPDX-License-Identifier: Apache-2.0
 *
 * The Hugging Face Hub and its cache (huggingface_hub's layout, shared with Python both ways).
 * libcurl is loaded with dlopen on the first request, not before. */
#ifndef OG_HUB_HUB_H
#define OG_HUB_HUB_H

#include "base/arena.h"
#include "base/context.h"
#include "base/source.h"

typedef struct og_hub og_hub;

typedef struct og_hub_options {
	const char *endpoint;  /* "https://huggingface.co" */
	const char *cache;     /* the folder that HF_HUB_CACHE names */
	const char *token;     /* NULL: none; sent to the endpoint's origin only, over plain HTTP only to loopback */
	bool offline;
	int timeout_s;         /* connect, and idle while reading; 0: 10 */
	const char *ca_file;   /* certificates to trust; NULL: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, else libcurl's own */
} og_hub_options;

typedef struct og_hub_file {
	const char *path;   /* path-safe */
	uint64_t size;
	const char *blob_id; /* 40 hex: git blob id */
	const char *sha256;  /* 64 hex for LFS files, else NULL */
} og_hub_file;

typedef struct og_hub_repo { /* one commit of one repository */
	const char *repo_id, *revision; /* as asked ("main" by default) */
	const char *commit;             /* 40 hex */
	og_hub_file *files;             /* sorted by path, the whole commit */
	size_t nfiles;
	bool from_cache; /* answered without the network */
	bool partial;    /* files are only those of a cached snapshot: the commit may have more (Python keeps no listing) */
	/* What the Hub says, NULL when it did not (or offline): */
	const char *pipeline_tag, *library_name, *license, *model_type, *architecture;
	bool gated, is_private, disabled;
} og_hub_repo;

og_status og_hub_open(const og_hub_options *o, const og_context *ctx, og_hub **out, og_error *err) OG_MUST;
void og_hub_free(og_hub *h);
OG_DEFINE_FREEP(og_hub)

/* "org/name", "name", with "@REV" split off. INVALID when the id breaks the Hub's rules. In arena. */
og_status og_hub_parse_id(const char *text, og_arena *arena, const char **repo_id, const char **revision, og_error *err) OG_MUST;

/* Resolve the commit and list its files: one request (…/revision/REV?blobs=True; the tree when siblings are incomplete), kept as
 * refs/ and trees/<commit>.json. A full commit whose tree is cached, and everything when offline, needs no network. When the Hub cannot
 * be reached, what is cached under that name answers instead, with a warning. */
og_status og_hub_resolve(og_hub *h, const char *repo_id, const char *revision, og_arena *arena, og_hub_repo **out, og_error *err) OG_MUST;
const og_hub_file *og_hub_repo_find(const og_hub_repo *r, const char *path);

/* The file's path in the cache's snapshot: downloaded and digest-verified unless its blob is there, unchanged since. Offline and absent:
 * NETWORK with the hint to go online. NOT_FOUND when the commit has no such file. In arena. */
og_status og_hub_fetch(og_hub *h, const og_hub_repo *r, const char *path, og_arena *arena, const char **local, og_error *err) OG_MUST;
/* Is it there already (right size)? Then *local is its path, else NULL. No network, nothing written. */
og_status og_hub_cached(const og_hub *h, const og_hub_repo *r, const char *path, og_arena *arena, const char **local, og_error *err) OG_MUST;
/* The file as a source (yours; before the hub it must go): its cached copy, else parts of it by ranged requests as they are read, which
 * leave nothing on disk. Its digest is not verified; what the Hub says of it (ETag, size) must be what the listing says. Thread-safe. */
og_status og_hub_source(og_hub *h, const og_hub_repo *r, const char *path, og_source **out, og_error *err) OG_MUST;
uint64_t og_hub_requests(const og_hub *h); /* HTTP requests sent so far, redirects included */

#endif
