/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversions on disk: $ONNXGATE_HOME/conversions/<key>/ with the export folder's files and manifest.json.
 * An entry appears whole (built in staging/ beside it, fsynced, renamed) or not at all. */
#ifndef OG_CACHE_CACHE_H
#define OG_CACHE_CACHE_H

#include "base/arena.h"
#include "base/context.h"
#include "base/file.h"

typedef struct og_cache_source { /* one source file */
	const char *name, *digest; /* as the Hub lists it; for a local folder "SIZE:MTIME" */
} og_cache_source;

typedef struct og_cache_key_facts {
	const char *repo_id;  /* or the absolute path of a local folder */
	const char *revision; /* commit, or NULL */
	const og_cache_source *sources;
	size_t nsources;
	const char *task, *dtype, *layout, *options; /* options: the rest that changes bytes, as one canonical text */
	int opset;
	const char *architecture;
	int architecture_revision;
} og_cache_key_facts;

/* SHA-256 over every fact, unambiguously framed, sources sorted by name. */
og_status og_cache_key(const og_cache_key_facts *f, char out[65], og_error *err) OG_MUST;

typedef struct og_manifest { /* manifest.json: what is in an entry and what made it */
	const char *key, *repo_id, *revision, *model_type, *architecture, *task, *task_reason, *dtype, *layout, *created, *program, *runtime;
	int opset, architecture_revision;
	onnxgate_level level; /* the strongest that passed */
	onnxgate_verdict verdict;
	onnxgate_file_row *files; /* path: relative to the entry */
	size_t nfiles;
	onnxgate_check_row *checks;
	size_t nchecks;
	onnxgate_timing_row *timings;
	size_t ntimings;
	const char **notes;
	size_t nnotes;
} og_manifest;

typedef struct og_cache og_cache;
typedef struct og_cache_entry og_cache_entry;

/* home: $ONNXGATE_HOME. Nothing is created before something is stored. */
og_status og_cache_open(const char *home, og_cache **out, og_error *err) OG_MUST;
void og_cache_free(og_cache *c);
OG_DEFINE_FREEP(og_cache)

/* The entry under a shared lock, manifest read, each file present with its size (digests too when asked);
 * NOT_FOUND: none. An entry that does not hold what its manifest says: MISMATCH (the caller converts again). */
og_status og_cache_find(og_cache *c, const char *key, bool digests, og_cache_entry **out, og_error *err) OG_MUST;
const char *og_cache_entry_dir(const og_cache_entry *e);
const og_manifest *og_cache_entry_manifest(const og_cache_entry *e);
void og_cache_entry_free(og_cache_entry *e);
OG_DEFINE_FREEP(og_cache_entry)

/* Work on one key is exclusive between processes: begin waits, then looks again (found: *out_entry, no staging).
 * The cache and ctx must live as long as the staging. */
typedef struct og_staging og_staging;
og_status og_staging_begin(og_cache *c, const char *key, bool force, const og_context *ctx, og_staging **out, og_cache_entry **out_entry,
						   og_error *err) OG_MUST;
const char *og_staging_dir(const og_staging *s); /* an empty folder to fill, files and folders */
/* Writes manifest.json, fsyncs, renames into place (replacing an older entry), gives the entry. */
og_status og_staging_publish(og_staging *s, const og_manifest *m, og_cache_entry **out, og_error *err) OG_MUST;
void og_staging_free(og_staging *s); /* removes the folder unless published */
OG_DEFINE_FREEP(og_staging)

/* Replace the manifest of an entry (a stronger level was proved). */
og_status og_cache_update(og_cache *c, const char *key, const og_manifest *m, og_error *err) OG_MUST;
/* repo_id, revision, task, dtype, size, level, last used, key: one row an entry. */
og_status og_cache_list(og_cache *c, onnxgate_table **out, og_error *err) OG_MUST;

#endif
