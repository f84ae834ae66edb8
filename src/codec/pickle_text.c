/* SPDX-License-Identifier: Apache-2.0
 *
 * The text forms of pickle's protocol 0: numbers as Python reads them, quoted bytes with their escapes, raw-unicode-escape. */
#include "codec/pickle_int.h"

enum { DECIMAL_MAX = 4300, LIMBS = OG_PTEXT_INTEGER_BYTES / 8 };

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* The base that the prefix says; the prefix is taken off. 0: none, the number is malformed. */
static unsigned take_base(og_str *s, bool octals)
{
	unsigned base;
	char c;

	if (s->n < 2 || s->p[0] != '0')
		return 10;
	c = (char)(s->p[1] | 0x20);
	base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
	s->p += base ? 2 : 1;
	s->n -= base ? 2 : 1;
	for (size_t i = 0; !base && !octals && i < s->n; i++)
		if (s->p[i] != '0' && s->p[i] != '_')
			return 0;
	return base ? base : 8;
}

/* limbs × factor + add; *n grows when it must. */
static void multiply_add(uint64_t *limbs, size_t *n, uint64_t factor, uint64_t add)
{
	unsigned __int128 carry = add;

	for (size_t i = 0; i < *n; i++) {
		carry += (unsigned __int128)limbs[i] * factor;
		limbs[i] = (uint64_t)carry;
		carry >>= 64;
	}
	if (carry)
		limbs[(*n)++] = (uint64_t)carry;
}

static bool magnitude(og_str s, unsigned base, uint64_t *limbs, size_t *n)
{
	uint64_t factor = 1, sum = 0;
	size_t digits = 0;
	bool underscore = true; /* none may come now */

	for (size_t i = 0; i < s.n; i++) {
		unsigned d;
		if (s.p[i] == '_' && !underscore) {
			underscore = true;
			continue;
		}
		d = (unsigned)digit_of(s.p[i]);
		if (d >= base || (base == 10 && ++digits > DECIMAL_MAX))
			return false;
		underscore = false;
		factor *= base;
		sum = sum * base + d;
		if (factor >= (uint64_t)1 << 58) { /* times 16 would still fit */
			multiply_add(limbs, n, factor, sum);
			factor = 1;
			sum = 0;
		}
	}
	multiply_add(limbs, n, factor, sum);
	return !underscore;
}

size_t og_ptext_integer_size(const uint8_t *p, size_t n)
{
	while (n > 1 && ((p[n - 1] == 0 && p[n - 2] < 0x80) || (p[n - 1] == 0xff && p[n - 2] >= 0x80)))
		n--;
	return n;
}

bool og_ptext_integer(og_str s, og_pbase form, uint8_t out[OG_PTEXT_INTEGER_BYTES], size_t *n)
{
	uint64_t limbs[LIMBS] = { 0 };
	size_t used = 0;
	bool negative;
	uint8_t carry = 1;
	unsigned base;

	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	if (s.n == 0 || s.n > OG_PTEXT_INTEGER_MAX)
		return false;
	negative = s.p[0] == '-';
	if (negative || s.p[0] == '+') {
		s.p++;
		s.n--;
	}
	base = form == OG_PBASE_10 ? 10 : take_base(&s, form == OG_PBASE_C);
	if (!base || !magnitude(s, base, limbs, &used))
		return false;
	for (size_t i = 0; i < used * 8; i++)
		out[i] = (uint8_t)(limbs[i / 8] >> (i % 8 * 8));
	out[used * 8] = 0;
	*n = used * 8 + 1;
	for (size_t i = 0; negative && i < *n; i++) {
		out[i] = (uint8_t)~out[i];
		out[i] = (uint8_t)(out[i] + carry);
		carry = carry && out[i] == 0;
	}
	*n = og_ptext_integer_size(out, *n);
	return true;
}

static bool word_is(og_str s, const char *word)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] | 0x20) != word[i])
			return false;
	return word[s.n] == 0;
}

bool og_ptext_float(og_str s, double *out)
{
	char text[OG_PTEXT_INTEGER_MAX + 1];
	og_str word = s;
	bool negative = s.n && s.p[0] == '-';

	if (s.n == 0 || s.n > OG_PTEXT_INTEGER_MAX || memchr(s.p, 0, s.n))
		return false;
	if (negative || s.p[0] == '+') {
		word.p++;
		word.n--;
	}
	if (word.n == 3 && word_is(word, "nan")) {
		*out = negative ? -__builtin_nan("") : __builtin_nan("");
		return true;
	}
	if ((word.n == 3 && word_is(word, "inf")) || (word.n == 8 && word_is(word, "infinity"))) {
		*out = negative ? -__builtin_inf() : __builtin_inf();
		return true;
	}
	if (!negative)
		s = word;
	if (s.n == 0 || (s.p == word.p && (s.p[0] == '-' || s.p[0] == '+')))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	return og_parse_double(text, out);
}

/* \ooo at *p, up to three digits. */
static char octal(const char **p, const char *end)
{
	unsigned v = 0;

	for (int i = 0; i < 3 && *p < end && **p >= '0' && **p <= '7'; i++)
		v = v * 8 + (unsigned)(*(*p)++ - '0');
	return (char)(v & 0xff);
}

/* What the letter behind a backslash stands for; 0: nothing. */
static char escaped(char c)
{
	static const char letters[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";

	for (const char *p = letters; *p; p += 2)
		if (*p == c)
			return p[1];
	return 0;
}

bool og_ptext_string(og_str s, char *out, size_t *n)
{
	const char *p = s.p, *end = s.p + s.n;

	*n = 0;
	if (s.n < 2 || (*p != '\'' && *p != '"') || end[-1] != *p)
		return false;
	p++;
	end--;
	while (p < end) {
		char c = *p++;
		if (c != '\\') {
			out[(*n)++] = c;
			continue;
		}
		if (p == end)
			return false;
		if (escaped(*p)) {
			out[(*n)++] = escaped(*p++);
		} else if (*p >= '0' && *p <= '7') {
			out[(*n)++] = octal(&p, end);
		} else if (*p == 'x') {
			if (end - p < 3 || digit_of(p[1]) > 15 || digit_of(p[2]) > 15)
				return false;
			out[(*n)++] = (char)(digit_of(p[1]) * 16 + digit_of(p[2]));
			p += 3;
		} else { /* Python keeps the backslash of what it does not know */
			out[(*n)++] = c;
			out[(*n)++] = *p++;
		}
	}
	return true;
}

size_t og_ptext_unicode_room(og_str s)
{
	size_t room = s.n;

	for (size_t i = 0; i < s.n; i++)
		room += (uint8_t)s.p[i] >= 0x80;
	return room;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

bool og_ptext_unicode(og_str s, char *out, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint32_t c = (uint8_t)s.p[i];
		if (c == '\\' && i + 1 < s.n && (s.p[i + 1] == 'u' || s.p[i + 1] == 'U')) {
			size_t digits = s.p[i + 1] == 'u' ? 4 : 8;
			if (s.n - i < 2 + digits)
				return false;
			c = 0;
			for (size_t k = 0; k < digits; k++) {
				uint32_t d = (uint32_t)digit_of(s.p[i + 2 + k]);
				if (d > 15)
					return false;
				c = c << 4 | d;
			}
			if (c > 0x10ffff)
				return false;
			i += 1 + digits;
		} else if (c == '\\' && i + 1 < s.n) { /* a backslash takes the next character along, so that \\u0041 is no escape */
			out[(*n)++] = '\\';
			c = (uint8_t)s.p[++i];
		}
		*n += put_utf8(out + *n, c);
	}
	return true;
}

bool og_ptext_has_surrogates(const uint8_t *p, size_t n)
{
	bool any = false;

	for (size_t i = 0, len; i < n; i += len) {
		len = og_utf8_len(p + i, n - i);
		if (len)
			continue;
		if (n - i < 3 || p[i] != 0xed || (p[i + 1] & 0xe0) != 0xa0 || (p[i + 2] & 0xc0) != 0x80)
			return false;
		any = true;
		len = 3;
	}
	return any;
}
