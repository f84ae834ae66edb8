/* SPDX-License-Identifier: Apache-2.0
 *
 * The sticky cursor: every read goes through og_cursor_take(), the only place that compares lengths. */
#include "base/cursor.h"

#include <inttypes.h>

og_cursor og_cursor_over(const void *p, size_t n, uint64_t base)
{
	static const uint8_t nothing;
	const uint8_t *begin = p ? p : &nothing; /* arithmetic on NULL is undefined, even with 0 */
	if (!p)
		n = 0;
	return (og_cursor){ .begin = begin, .p = begin, .end = begin + n, .base = base };
}

uint64_t og_cursor_at(const og_cursor *c)
{
	return c->base + (uint64_t)(c->p - c->begin);
}

size_t og_cursor_left(const og_cursor *c)
{
	return (size_t)(c->end - c->p);
}

void og_cursor_bad(og_cursor *c, const char *what)
{
	if (c->bad)
		return;
	c->bad = true;
	c->bad_at = og_cursor_at(c);
	c->what = what;
}

const uint8_t *og_cursor_take(og_cursor *c, uint64_t n, const char *what)
{
	const uint8_t *p = c->p;
	if (c->bad)
		return NULL;
	if (n > og_cursor_left(c)) {
		c->cut = true;
		og_cursor_bad(c, what);
		return NULL;
	}
	c->p += n;
	return p;
}

/* Byte by byte: the same on every machine, and compilers turn it into one load. */
static uint64_t little(og_cursor *c, unsigned n, const char *what)
{
	const uint8_t *p = og_cursor_take(c, n, what);
	uint64_t v = 0;
	if (p)
		for (unsigned i = 0; i < n; i++)
			v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t og_cursor_u8(og_cursor *c, const char *what)
{
	return (uint8_t)little(c, 1, what);
}

uint16_t og_cursor_u16(og_cursor *c, const char *what)
{
	return (uint16_t)little(c, 2, what);
}

uint32_t og_cursor_u32(og_cursor *c, const char *what)
{
	return (uint32_t)little(c, 4, what);
}

uint64_t og_cursor_u64(og_cursor *c, const char *what)
{
	return little(c, 8, what);
}

og_status og_cursor_check(const og_cursor *c, const char *name, og_error *err)
{
	if (!c->bad)
		return OG_OK;
	return og_fail_at(err, ONNXGATE_FORMAT, c->bad_at, "%s: %s at offset %" PRIu64 "%s", name, c->what, c->bad_at,
					  c->cut ? " is past the end (truncated)" : "");
}
