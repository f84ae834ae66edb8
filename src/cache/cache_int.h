/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this folder share.
 *
 *     $ONNXGATE_HOME/conversions/
 *         <key>/                      an entry: whole, or not there
 *             manifest.json           says what the others are
 *             model.onnx  …
 *         .staging-<key>.<random>/    an entry in the making, or an old one on its way out
 *         .locks/<key>.lock           held exclusively while the entry is made, replaced or its manifest rewritten
 *         .locks/<key>.use            held shared while an entry is in use; who wants to evict must have it exclusively
 *
 * Two locks instead of one in two modes: a long reader never holds up a conversion, a holder of an entry may
 * begin another conversion of it without waiting for itself, and nothing is ever upgraded.  Order: lock, then
 * use.  Nobody who holds .lock waits for an exclusive .use (eviction tries and goes on), so no circle can form.
 * Replacing needs no .use: the path leads to a whole entry at any moment, and open files stay what they were. */
#ifndef OG_CACHE_CACHE_INT_H
#define OG_CACHE_CACHE_INT_H

#include "cache/cache.h"

#define OG_CACHE_STAGING ".staging-"
#define OG_CACHE_MANIFEST "manifest.json"
#define OG_CACHE_MANIFEST_SCHEMA "onnxgate.manifest/1"

struct og_cache {
	char *dir, *locks; /* …/conversions, …/conversions/.locks */
	char suspect[65];  /* the key whose digests were found wrong: looked at again in full; "": none */
	bool swept;        /* orphans were looked for */
};

/* The lock of one purpose (".lock", ".use") of a key; the folder is made. */
og_status og_cache_lock(og_cache *c, const char *key, const char *purpose, bool exclusive, const int *cancel, og_lock **out, og_error *err) OG_MUST;
og_status og_cache_key_check(const char *key, og_error *err) OG_MUST;
/* Each file of the manifest is below dir with its size (and digest). MISMATCH when it is not. */
og_status og_cache_check_files(const char *dir, const og_manifest *m, bool digests, og_error *err) OG_MUST;
/* Remove what dead processes left behind: staging folders whose .lock nobody holds. own: a key whose lock we hold, or NULL. */
void og_cache_sweep(og_cache *c, const char *own);

/* A manifest as JSON text, and back. name: for messages. The text is hostile: FORMAT or UNSAFE. */
og_status og_manifest_text(const og_manifest *m, char **out, og_error *err) OG_MUST;
og_status og_manifest_write(const char *path, const og_manifest *m, og_error *err) OG_MUST;
og_status og_manifest_parse(const char *name, const void *p, size_t n, og_arena *a, og_manifest **out, og_error *err) OG_MUST;
/* Of the folder dir, whose key it must carry. */
og_status og_manifest_read(const char *dir, const char *key, og_arena *a, og_manifest **out, og_error *err) OG_MUST;

#endif
