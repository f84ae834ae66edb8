/* SPDX-License-Identifier: Apache-2.0
 *
 * Building an onnxgate_result: it and all its text live in one arena.  Want of memory is sticky, so that the
 * work stays free of plumbing; og_result_end() reports it. */
#ifndef OG_JOB_RESULT_H
#define OG_JOB_RESULT_H

#include "base/arena.h"

typedef struct og_result {
	onnxgate_result pub; /* first: what the caller gets */
	og_arena *arena;
	size_t files_cap, checks_cap, attempts_cap, timings_cap, notes_cap;
	bool nomem;
	double started;
} og_result;

og_result *og_result_new(const char *command); /* NULL: no memory */
void og_result_free(og_result *r);
OG_DEFINE_FREEP(og_result)

const char *og_result_str(og_result *r, const char *s); /* a copy that lives as long; NULL gives NULL */
void og_result_request(og_result *r, const onnxgate_request *q);
void og_result_file(og_result *r, const char *path, const char *role, uint64_t size, const char *sha256);
void og_result_checks(og_result *r, const onnxgate_check_row *rows, size_t n);
void og_result_attempt(og_result *r, const char *step, const char *outcome, og_status code, double ms, const char *fmt, ...) OG_PRINTF(6, 7);
void og_result_timing(og_result *r, const char *name, double ms); /* adds to the row of that name */
void og_result_note(og_result *r, const char *fmt, ...) OG_PRINTF(2, 3);

/* The end of the work: st and err become the result's error, the total time is set. Returns the final status. */
og_status og_result_end(og_result *r, og_status st, const og_error *err);

#endif
