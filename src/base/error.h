/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors are data: a status, an offset, a message and a hint, in a struct that the caller owns and passes
 * last; NULL is allowed.  Whoever detects the fault writes it (what, where, expected, found); a caller may
 * only prefix it.  Success leaves the struct untouched.  A message is made fit for one line of a terminal:
 * control characters and broken UTF-8 from file names and the like are replaced, what is too long ends in "…". */
#ifndef OG_BASE_ERROR_H
#define OG_BASE_ERROR_H

#include "onnxgate.h"

typedef onnxgate_status og_status;
typedef onnxgate_error og_error;

#define OG_OK ONNXGATE_OK
#define OG_MUST __attribute__((warn_unused_result))
#define OG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Fill *err and return status, so that a check is one line: return og_fail(err, ONNXGATE_FORMAT, "…"); */
og_status og_fail(og_error *err, og_status status, const char *fmt, ...) OG_PRINTF(3, 4);
og_status og_fail_at(og_error *err, og_status status, uint64_t offset, const char *fmt, ...) OG_PRINTF(4, 5);
/* IO (NOT_FOUND for ENOENT where the caller says so itself) with "WHAT PATH: strerror". */
og_status og_fail_errno(og_error *err, int errnum, const char *what, const char *path);
og_status og_fail_nomem(og_error *err);
void og_error_prefix(og_error *err, const char *fmt, ...) OG_PRINTF(2, 3); /* "PREFIX: message" */
void og_error_hint(og_error *err, const char *fmt, ...) OG_PRINTF(2, 3);

/* "NOT_FOUND", and what the program exits with: for the public functions of the same names. */
const char *og_status_name(og_status s);
int og_exit_code(og_status s);

/* Leave the calling function with the status of an expression that is not OK. */
#define OG_TRY(expr)                                                                                                   \
	do {                                                                                                               \
		og_status og_try_status_ = (expr);                                                                             \
		if (og_try_status_ != OG_OK)                                                                                   \
			return og_try_status_;                                                                                     \
	} while (0)

#endif
