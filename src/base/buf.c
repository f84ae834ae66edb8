/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer.  One byte beyond the contents is always kept for the terminator, so that asking for
 * text can fail only where the buffer is still empty. */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void og_buf_init(og_buf *b, size_t max)
{
	*b = (og_buf){ .max = max < SIZE_MAX ? max : SIZE_MAX - 1 };
}

void og_buf_done(og_buf *b)
{
	og_free(b->p);
	og_buf_init(b, b->max);
}

/* Room for n more bytes and a terminator. */
static bool reserve(og_buf *b, size_t n)
{
	size_t cap;
	uint8_t *p;
	if (b->failed)
		return false;
	if (n > b->max - b->n) {
		b->failed = true;
		return false;
	}
	if (b->cap > b->n + n)
		return true;
	cap = b->cap < b->max / 2 ? b->cap * 2 : b->max + 1;
	if (cap < 64)
		cap = 64;
	if (cap < b->n + n + 1)
		cap = b->n + n + 1;
	if (cap > b->max + 1)
		cap = b->max + 1;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = b->nomem = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void og_buf_add(og_buf *b, const void *p, size_t n)
{
	if (!reserve(b, n) || !n)
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void og_buf_str(og_buf *b, const char *s)
{
	og_buf_add(b, s, strlen(s));
}

void og_buf_byte(og_buf *b, uint8_t c)
{
	og_buf_add(b, &c, 1);
}

void og_buf_vprintf(og_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	va_copy(again, ap);
	if (reserve(b, 0)) {
		size_t room = b->cap - b->n;
		n = vsnprintf((char *)b->p + b->n, room, fmt, ap);
		if (n < 0)
			b->failed = b->nomem = true;
		else if ((size_t)n < room)
			b->n += (size_t)n;
		else if (reserve(b, (size_t)n)) {
			vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
			b->n += (size_t)n;
		}
	}
	va_end(again);
}

void og_buf_printf(og_buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	og_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

char *og_buf_cstr(og_buf *b)
{
	if (!reserve(b, 0))
		return NULL;
	b->p[b->n] = 0;
	return (char *)b->p;
}

char *og_buf_take(og_buf *b)
{
	char *s = og_buf_cstr(b);
	if (!s)
		return NULL;
	og_buf_init(b, b->max);
	return s;
}

og_status og_buf_check(const og_buf *b, const char *what, og_error *err)
{
	if (!b->failed)
		return OG_OK;
	if (b->nomem)
		return og_fail_nomem(err);
	return og_fail(err, ONNXGATE_FORMAT, "%s: larger than the limit of %zu bytes", what, b->max);
}
