/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer with a ceiling.  Failure is sticky: append as you like, look at `failed` once. */
#ifndef OG_BASE_BUF_H
#define OG_BASE_BUF_H

#include "base/error.h"

#include <stdarg.h>

typedef struct og_buf {
	uint8_t *p;
	size_t n, cap, max;
	bool failed; /* over max, or no memory */
	bool nomem;  /* which of the two */
} og_buf;

void og_buf_init(og_buf *b, size_t max);
void og_buf_done(og_buf *b); /* releases; b may be initialised again */
#define og_auto_buf __attribute__((cleanup(og_buf_done))) og_buf

void og_buf_add(og_buf *b, const void *p, size_t n);
void og_buf_str(og_buf *b, const char *s);
void og_buf_byte(og_buf *b, uint8_t c);
void og_buf_printf(og_buf *b, const char *fmt, ...) OG_PRINTF(2, 3);
void og_buf_vprintf(og_buf *b, const char *fmt, va_list ap);
char *og_buf_cstr(og_buf *b); /* terminated, borrowed until the next append; NULL when failed */
char *og_buf_take(og_buf *b); /* terminated, yours (og_free); b is empty afterwards; NULL when failed */
og_status og_buf_check(const og_buf *b, const char *what, og_error *err) OG_MUST;

#endif
