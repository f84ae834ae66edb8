/* SPDX-License-Identifier: Apache-2.0
 *
 * Text: borrowed views, strict numbers, and the few predicates that everybody needs. */
#ifndef OG_BASE_STR_H
#define OG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct og_str { /* not terminated, not owned */
	const char *p;
	size_t n;
} og_str;

#define OG_STR(literal) ((og_str){ (literal), sizeof(literal) - 1 })
#define OG_STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

static inline og_str og_str_of(const char *s)
{
	return (og_str){ s, s ? strlen(s) : 0 };
}
bool og_str_eq(og_str a, og_str b);
bool og_str_is(og_str a, const char *b);
int og_str_cmp(og_str a, og_str b); /* bytewise */

bool og_streq(const char *a, const char *b); /* NULL equals only NULL */
bool og_starts_with(const char *s, const char *prefix);
bool og_ends_with(const char *s, const char *suffix);
bool og_glob(const char *pattern, const char *s); /* '*' any run (crosses / and .), '?' one, '[set]'; as fnmatch(flags 0) */

/* The whole text must be a number in range; no spaces, no plus sign. */
bool og_parse_u64(og_str s, uint64_t max, uint64_t *out);
bool og_parse_i64(og_str s, int64_t *out);
bool og_parse_double(const char *s, double *out);

/* Bytes of the well-formed UTF-8 character at p (1 … 4), or 0: broken, or n is 0. */
size_t og_utf8_len(const uint8_t *p, size_t n);
bool og_utf8_valid(const uint8_t *p, size_t n);
/* Copy for a message: at most cap-1 bytes, control bytes and broken UTF-8 shown as \xHH. Returns out. */
const char *og_str_show(og_str s, char *out, size_t cap);
/* Copy as one line: control characters and line separators become spaces, broken bytes "?"; cut at a
 * character, with "…", when it does not fit. Returns out. */
char *og_str_line(const char *s, char *out, size_t cap);
void og_hex(const uint8_t *p, size_t n, char *out); /* 2n+1 bytes */
bool og_is_hex(const char *s, size_t n);            /* exactly n lower-case hex digits, then the end */

#endif
