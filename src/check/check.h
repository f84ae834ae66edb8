/* SPDX-License-Identifier: Apache-2.0
 *
 * Validation: each check gives a row with a figure; the verdict is made from the rows. */
#ifndef OG_CHECK_CHECK_H
#define OG_CHECK_CHECK_H

#include "base/arena.h"
#include "base/context.h"
#include "runtime/runtime.h"

typedef struct og_checks {
	og_arena *arena; /* borrowed; the rows' text lives here */
	onnxgate_check_row *rows;
	size_t count, cap;
	bool nomem; /* sticky: a row was lost, which callers must treat as NOMEM */
} og_checks;

void og_checks_init(og_checks *c, og_arena *arena);
/* status FAIL or PASS by value <= limit is the caller's word; detail as printf. */
void og_check_add(og_checks *c, const char *name, onnxgate_level level, onnxgate_check_status status, double value, double limit, const char *fmt,
	...) OG_PRINTF(7, 8);
/* FAIL if any failed; UNKNOWN if a check of the asked level was skipped where it counts; else PASS. */
onnxgate_verdict og_checks_verdict(const og_checks *c, onnxgate_level asked);

/* Where each initializer of a file came from, for the read-back. Implemented by convert, so that the rule that
 * reads (here) shares nothing with the emission.  See check/structure.h. */

/* Structure level over any .onnx file: protobuf, names, single assignment, order, ops and attributes at the opset,
 * shapes, sizes, external data inside the folder. */
og_status og_check_structure(const char *onnx_path, const og_context *ctx, og_checks *out, og_error *err) OG_MUST;

/* Runtime level: loads; two or more bindings of every symbolic dim; shapes, dtypes, finite; batch = its items;
 * padding under the mask changes nothing. runtime NULL: rows say SKIPPED with why. */
og_status og_check_runtime(const char *onnx_path, og_runtime *runtime, const char *why_none, const og_input_facts *facts,
	const og_context *ctx, og_checks *out, og_error *err) OG_MUST;

#endif
