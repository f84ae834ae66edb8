/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a model comes from: a commit on the Hub, or a folder. Above this nobody asks which. */
#ifndef OG_JOB_ORIGIN_H
#define OG_JOB_ORIGIN_H

#include "convert/convert.h"
#include "job/job.h"
#include "model/checkpoint.h"

typedef struct og_module_place {
	const char *folder; /* of a module, below the model's */
	og_weights_choice weights; /* there; nothing chosen: there are none */
} og_module_place;

typedef struct og_origin {
	onnxgate *g;
	og_arena *arena;
	const char *id;     /* repo id, or the absolute path of the folder */
	og_hub_repo *repo;  /* NULL: a folder */
	const char *dir;    /* holds what was fetched so far; NULL: nothing was */
	const char **names; /* every file, sorted */
	size_t nnames;
	og_module_place *modules; /* of a sentence-transformers model; known when config.json was fetched */
	size_t nmodules;
} og_origin;

/* text: REPO[@REV], or a folder where folders are allowed: a path that begins with '/' or '.', or names one that exists. */
og_status og_origin_open(onnxgate *g, const char *text, bool folders, og_arena *arena, og_origin **out, og_error *err) OG_MUST;

bool og_origin_has(const og_origin *o, const char *name);
og_status og_origin_fetch(og_origin *o, const char *name, const char **local, og_error *err) OG_MUST;

/* config.json, and the small files that decide about the task. NOT_FOUND without a config.json. */
og_status og_origin_fetch_config(og_origin *o, og_error *err) OG_MUST;
/* How the weights are published. NOT_FOUND: they are not; UNSUPPORTED: not in a way that can be taken. */
og_status og_origin_weights(const og_origin *o, og_weights_choice *out, og_error *err) OG_MUST;
/* The weights, all shards, and the companions that an export folder keeps. */
og_status og_origin_fetch_sources(og_origin *o, og_error *err) OG_MUST;

/* The files on which a conversion depends and their digests; nothing is fetched for it. */
og_status og_origin_sources(const og_origin *o, og_cache_source **out, size_t *n, og_error *err) OG_MUST;
/* What goes into the files' metadata, sorted by key. */
og_status og_origin_provenance(og_origin *o, const og_plan *plan, onnxgate_pair **out, size_t *n, og_error *err) OG_MUST;

#endif
