/* SPDX-License-Identifier: Apache-2.0
 *
 * What long work needs from its caller: where to talk, whether to stop, how many threads.
 * Library code is silent but for these callbacks. A NULL context is allowed everywhere: silent, one thread. */
#ifndef OG_BASE_CONTEXT_H
#define OG_BASE_CONTEXT_H

#include "base/error.h"

typedef struct og_context {
	onnxgate_log_fn log;
	onnxgate_progress_fn progress;
	void *arg;
	const int *cancel;
	int threads; /* ≥ 1 */
} og_context;

void og_log(const og_context *c, onnxgate_log_level level, const char *fmt, ...) OG_PRINTF(3, 4);
void og_progress(const og_context *c, const char *what, uint64_t done, uint64_t total);
bool og_cancelled(const og_context *c); /* reads *cancel atomically */
/* OK, or CANCELLED with "interrupted". */
og_status og_check_cancel(const og_context *c, og_error *err) OG_MUST;
int og_context_threads(const og_context *c);

#endif
