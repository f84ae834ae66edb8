/* SPDX-License-Identifier: Apache-2.0
 *
 * An inspection under way.  inspect.c fills it from checkpoints, inspect_onnx.c from ONNX files, inspect_threats.c adds what could run
 * code, inspect_repo.c finds the files of a repository and says how they are opened. */
#ifndef OG_JOB_INSPECT_INT_H
#define OG_JOB_INSPECT_INT_H

#include "base/context.h"
#include "model/checkpoint.h"

typedef struct og_inspection {
	onnxgate_inspection *r;
	og_arena *arena; /* of r and all its text */
	const og_context *ctx;
	const og_opener *how;    /* how files are opened; NULL: from the disk */
	const og_tensor **views; /* of each row: where its elements are; NULL: nowhere that can be read */
	size_t metadata_cap, notes_cap, threats_cap;
} og_inspection;

og_inspection *og_inspection_new(const char *path, const og_context *ctx); /* NULL: no memory */
/* The end: st and err become the inspection's. */
og_status og_inspection_give(og_inspection *s, og_status st, const og_error *err, onnxgate_inspection **out);
/* All that is asked for of one path. */
og_status og_inspection_look(og_inspection *s, const char *path, const onnxgate_inspect_request *q, og_error *err) OG_MUST;

og_status og_inspection_open(const og_inspection *s, const char *path, og_source **out, og_error *err) OG_MUST;
og_status og_inspection_rows(og_inspection *s, size_t n, og_error *err) OG_MUST; /* room for n tensors */
og_status og_inspection_pair(og_inspection *s, og_error *err, const char *value, const char *key, ...) OG_MUST OG_PRINTF(4, 5);
og_status og_inspection_note(og_inspection *s, og_error *err, const char *fmt, ...) OG_MUST OG_PRINTF(3, 4);
og_status og_inspection_digests(og_inspection *s, og_error *err) OG_MUST; /* of every tensor that has a view */

og_status og_inspection_onnx(og_inspection *s, const char *path, bool digests, og_error *err) OG_MUST;
/* Rows of every file that path is, names or holds. */
og_status og_inspection_threats(og_inspection *s, const char *path, og_error *err) OG_MUST;
og_status og_inspection_danger(og_inspection *s, const char *kind, const char *where, uint64_t offset, const char *text, og_error *err) OG_MUST;

#endif
