/* SPDX-License-Identifier: Apache-2.0
 *
 * Text.  Nothing here looks at the locale: a library's results must not depend on its host's setlocale(). */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

bool og_str_eq(og_str a, og_str b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool og_str_is(og_str a, const char *b)
{
	return og_str_eq(a, og_str_of(b));
}

int og_str_cmp(og_str a, og_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

bool og_streq(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool og_starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool og_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);
	return n >= k && !memcmp(s + n - k, suffix, k);
}

/* *pp is behind the '['. true: a whole set, *pp is moved behind its ']' and *hit says whether c is in it. */
static bool match_set(const char **pp, unsigned char c, bool *hit)
{
	const char *p = *pp;
	bool negated = *p == '!' || *p == '^', found = false;
	if (negated)
		p++;
	for (bool first = true; *p != ']' || first; first = false) {
		unsigned char low, high;
		if (*p == '\\' && p[1])
			p++;
		if (!*p)
			return false;
		low = high = (unsigned char)*p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p++;
		}
		if (low <= c && c <= high)
			found = true;
	}
	*pp = p + 1;
	*hit = found != negated;
	return true;
}

/* One step: the pattern's element at p against the character c. Returns the next element, or NULL: no match. */
static const char *match_one(const char *p, unsigned char c)
{
	bool hit;
	if (*p == '?')
		return p + 1;
	if (*p == '[') {
		const char *q = p + 1;
		if (match_set(&q, c, &hit))
			return hit ? q : NULL;
	} else if (*p == '\\' && p[1]) {
		p++;
	}
	return (unsigned char)*p == c ? p + 1 : NULL; /* an unclosed '[' is a plain character */
}

bool og_glob(const char *pattern, const char *s)
{
	/* Only the last '*' is ever widened: earlier ones cannot gain by it, so the work is at most |pattern| × |s|. */
	const char *star = NULL, *star_s = NULL, *next;
	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			star_s = s;
		} else if (*pattern && (next = match_one(pattern, (unsigned char)*s))) {
			pattern = next;
			s++;
		} else if (star) {
			pattern = star;
			s = ++star_s;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool og_parse_u64(og_str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)((unsigned char)s.p[i] - '0');
		if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)digit, &v))
			return false;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool og_parse_i64(og_str s, int64_t *out)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;
	if (negative)
		s = (og_str){ s.p + 1, s.n - 1 };
	if (!og_parse_u64(s, (uint64_t)INT64_MAX + negative, &v))
		return false;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static const char *skip_digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

bool og_parse_double(const char *s, double *out)
{
	const char *p = s + (*s == '-'), *q = skip_digits(p);
	bool digits = q > p;
	locale_t c;
	double v;
	char *end;
	if (*q == '.') {
		p = q + 1;
		q = skip_digits(p);
		digits = digits || q > p;
	}
	if (!digits)
		return false;
	if (*q == 'e' || *q == 'E') {
		p = q + 1 + (q[1] == '-' || q[1] == '+');
		q = skip_digits(p);
		if (q == p)
			return false;
	}
	if (*q)
		return false;
	c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* costs nothing for "C" */
	if (!c)
		return false;
	v = strtod_l(s, &end, c);
	freelocale(c);
	if (*end || v > 1.7976931348623157e308 || v < -1.7976931348623157e308)
		return false;
	*out = v;
	return true;
}

size_t og_utf8_len(const uint8_t *p, size_t n)
{
	/* Unicode 15, table 3-7: the second byte decides about overlong forms, surrogates and what is above U+10FFFF. */
	size_t len;
	uint8_t low = 0x80, high = 0xbf;
	if (!n)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool og_utf8_valid(const uint8_t *p, size_t n)
{
	for (size_t i = 0, len; i < n; i += len)
		if (!(len = og_utf8_len(p + i, n - i)))
			return false;
	return true;
}

/* What a terminal might obey or break the line at: C0, DEL, C1 (U+0080 … U+009F), U+2028, U+2029, and the
 * marks that reorder text (U+202A … U+202E, U+2066 … U+2069). p is a whole character of len bytes. */
static bool is_control(const uint8_t *p, size_t len)
{
	if (len == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (len == 3 && p[0] == 0xe2)
		return (p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
	return false;
}

/* out holds n bytes of whole characters and there was more: end in "…", taking characters back for it. */
static void cut(char *out, size_t n, size_t cap)
{
	if (cap < 4) {
		out[n < cap ? n : cap - 1] = 0;
		return;
	}
	while (n > cap - 4) {
		n--;
		while (n && ((unsigned char)out[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out + n, "\xe2\x80\xa6", 4);
}

const char *og_str_show(og_str s, char *out, size_t cap)
{
	size_t n = 0, len;
	if (!cap)
		return "";
	for (size_t i = 0; i < s.n; i += len) {
		const uint8_t *p = (const uint8_t *)s.p + i;
		char piece[20];
		size_t k;
		len = og_utf8_len(p, s.n - i);
		if (len && !is_control(p, len)) {
			memcpy(piece, p, k = len);
		} else {
			k = 0;
			if (!len)
				len = 1;
			for (size_t j = 0; j < len; j++)
				k += (size_t)snprintf(piece + k, sizeof piece - k, "\\x%02x", p[j]);
		}
		if (n + k > cap - 1) {
			cut(out, n, cap);
			return out;
		}
		memcpy(out + n, piece, k);
		n += k;
	}
	out[n] = 0;
	return out;
}

char *og_str_line(const char *s, char *out, size_t cap)
{
	size_t n = 0, left = strlen(s), len;
	if (!cap)
		return out;
	for (const uint8_t *p = (const uint8_t *)s; left; p += len, left -= len) {
		const char *piece = (const char *)p;
		size_t k;
		k = len = og_utf8_len(p, left);
		if (!len) {
			piece = "?";
			k = len = 1;
		} else if (is_control(p, len)) {
			piece = " ";
			k = 1;
		}
		if (n + k > cap - 1) {
			cut(out, n, cap);
			return out;
		}
		memcpy(out + n, piece, k);
		n += k;
	}
	out[n] = 0;
	return out;
}

void og_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = 0;
}

bool og_is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return !s[n];
}
