/* SPDX-License-Identifier: Apache-2.0
 *
 * Validation of the files of one task at a level, and what its verdict means for a job. */
#ifndef OG_JOB_VALIDATE_H
#define OG_JOB_VALIDATE_H

#include "job/job.h"

typedef struct og_validation {
	const char *const *paths; /* the .onnx files */
	size_t npaths;
	og_input_facts facts;
	onnxgate_level level;
} og_validation;

/* Adds rows to checks, timings and the runtime's facts to r. An error is a file that could not be judged
 * (FORMAT, UNSAFE, CANCELLED, …); a check that failed is no error, but a row. */
og_status og_validate(onnxgate *g, og_result *r, const og_validation *v, og_checks *checks, og_error *err) OG_MUST;

/* The figures for made-up inputs, from a config.json in the folder, beside the file or one folder up; none: small safe values. */
og_input_facts og_facts_near(const char *path);

/* The strongest level all of whose checks passed. */
onnxgate_level og_level_passed(const og_checks *checks, onnxgate_level asked);

/* OK for pass (and unknown where allowed); FAILED or UNSUPPORTED with the first row that decided. what: "model.onnx". */
og_status og_verdict_status(const og_checks *checks, onnxgate_level asked, bool allow_unknown, const char *what, og_error *err) OG_MUST;

#endif
