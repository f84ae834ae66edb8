/* SPDX-License-Identifier: Apache-2.0
 *
 * A cursor over bytes in memory that came from outside.  It never reads past the end; the first fault
 * sticks (later reads give zeros), so a parser reads field after field and checks once. */
#ifndef OG_BASE_CURSOR_H
#define OG_BASE_CURSOR_H

#include "base/error.h"

typedef struct og_cursor {
	const uint8_t *begin, *p, *end;
	uint64_t base;    /* offset of begin in the file, for messages */
	bool bad;         /* a read went past the end, or og_cursor_bad() was called */
	bool cut;         /* it was the former */
	uint64_t bad_at;  /* where */
	const char *what; /* what was being read; a literal */
} og_cursor;

og_cursor og_cursor_over(const void *p, size_t n, uint64_t base);
uint64_t og_cursor_at(const og_cursor *c);
size_t og_cursor_left(const og_cursor *c);
const uint8_t *og_cursor_take(og_cursor *c, uint64_t n, const char *what); /* NULL when bad */
uint8_t og_cursor_u8(og_cursor *c, const char *what);
uint16_t og_cursor_u16(og_cursor *c, const char *what); /* little-endian, all of these */
uint32_t og_cursor_u32(og_cursor *c, const char *what);
uint64_t og_cursor_u64(og_cursor *c, const char *what);
void og_cursor_bad(og_cursor *c, const char *what);
/* OK, or FORMAT: "NAME: WHAT at offset N", with " is past the end (truncated)" after a read that ran out. */
og_status og_cursor_check(const og_cursor *c, const char *name, og_error *err) OG_MUST;

#endif
