/* SPDX-License-Identifier: Apache-2.0
 *
 * The pull scanner: a window slides over the document, a small automaton says what may come next, and one
 * byte a level remembers the brackets that are open.
 *
 *        file  |........[=====window=====]..........|
 *                       ^win     ^p      ^lim
 *
 * A string that lies whole in the window and has no escape is given out as it stands there; any other is put
 * together in `text`.  The first fault sticks and carries the offset of the byte that it is about. */
#include "codec/jscan.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"

#define WINDOW ((size_t)64 << 10)
#define NUMBER_MAX 4400 /* Python writes integers of up to 4,300 digits */

typedef enum expect {
	EXPECT_VALUE,       /* the document, or after ':' or ',' */
	EXPECT_VALUE_OR_END, /* after '[' */
	EXPECT_KEY,         /* after ',' in an object */
	EXPECT_KEY_OR_END,  /* after '{' */
	EXPECT_COLON,
	EXPECT_COMMA_OR_END,
	EXPECT_NOTHING
} expect;

struct og_jscan {
	og_source *source; /* NULL: over memory */
	const char *name;
	uint8_t *buffer;         /* the window's memory, NULL over memory */
	const uint8_t *win;      /* first byte of the window */
	const uint8_t *p, *lim;  /* next byte, end of the window */
	uint64_t win_at, end_at; /* file offsets of win and of the document's end */
	uint64_t token_at;
	og_buf text;
	og_str view;
	size_t string_max;
	uint8_t *open; /* '{' or '[' for each level */
	int depth, depth_max;
	expect next;
	bool python, failed;
	og_error error;
};

/* ---- bytes ------------------------------------------------------------------------------------------ */

static uint64_t at(const og_jscan *j)
{
	return j->win_at + (uint64_t)(j->p - j->win);
}

static og_jtoken bad_at(og_jscan *j, uint64_t offset, const char *fmt, ...) OG_PRINTF(3, 4);
static og_jtoken bad_at(og_jscan *j, uint64_t offset, const char *fmt, ...)
{
	char what[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!j->failed)
		(void)og_fail_at(&j->error, ONNXGATE_FORMAT, offset, "%s: %s at offset %" PRIu64, j->name, what, offset);
	j->failed = true;
	return OG_J_ERROR;
}

static og_jtoken no_memory(og_jscan *j)
{
	if (!j->failed)
		(void)og_fail_nomem(&j->error);
	j->failed = true;
	return OG_J_ERROR;
}

static bool refill(og_jscan *j)
{
	uint64_t here = at(j), left = j->end_at - here;
	if (j->failed || !left || !j->source)
		return false;
	size_t n = left < WINDOW ? (size_t)left : WINDOW;
	if (og_source_read(j->source, here, j->buffer, n, &j->error) != OG_OK) {
		j->failed = true;
		return false;
	}
	j->win = j->p = j->buffer;
	j->lim = j->buffer + n;
	j->win_at = here;
	return true;
}

/* The next byte, or -1 at the end of the document and after a fault. */
static inline int peek(og_jscan *j)
{
	if (j->p == j->lim && !refill(j))
		return -1;
	return *j->p;
}

static void skip_space(og_jscan *j)
{
	int c;
	while ((c = peek(j)) == ' ' || c == '\n' || c == '\t' || c == '\r')
		j->p++;
}

/* "expected ',' or '}', found 'x'" */
static og_jtoken unexpected(og_jscan *j, const char *expected)
{
	int c = peek(j);
	if (c < 0)
		return bad_at(j, at(j), "expected %s, found the end", expected);
	if (c > 0x20 && c < 0x7f)
		return bad_at(j, at(j), "expected %s, found '%c'", expected, c);
	return bad_at(j, at(j), "expected %s, found byte 0x%02x", expected, (unsigned)c);
}

/* ---- strings ---------------------------------------------------------------------------------------- */

static bool text_add(og_jscan *j, const void *p, size_t n)
{
	if (n > j->string_max - j->text.n) {
		bad_at(j, j->token_at, "string longer than %zu bytes", j->string_max);
		return false;
	}
	og_buf_add(&j->text, p, n);
	if (j->text.failed)
		no_memory(j);
	return !j->failed;
}

static bool hex4(og_jscan *j, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		int c = peek(j);
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (v < 0) {
			unexpected(j, "four hex digits after \\u");
			return false;
		}
		*out = *out << 4 | (uint32_t)v;
		j->p++;
	}
	return true;
}

static bool add_code_point(og_jscan *j, uint32_t c)
{
	uint8_t u[4];
	size_t n = 0;
	if (c < 0x80) {
		u[n++] = (uint8_t)c;
	} else if (c < 0x800) {
		u[n++] = (uint8_t)(0xc0 | c >> 6);
		u[n++] = (uint8_t)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		u[n++] = (uint8_t)(0xe0 | c >> 12);
		u[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		u[n++] = (uint8_t)(0x80 | (c & 0x3f));
	} else {
		u[n++] = (uint8_t)(0xf0 | c >> 18);
		u[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		u[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		u[n++] = (uint8_t)(0x80 | (c & 0x3f));
	}
	return text_add(j, u, n);
}

/* \uXXXX, and the second half of a pair; `from` is where the backslash stands. */
static bool unicode_escape(og_jscan *j, uint64_t from)
{
	uint32_t c, low;
	if (!hex4(j, &c))
		return false;
	if (c >= 0xdc00 && c <= 0xdfff) {
		bad_at(j, from, "half of a surrogate pair");
		return false;
	}
	if (c >= 0xd800 && c <= 0xdbff) {
		for (const char *s = "\\u"; *s; s++) {
			if (peek(j) != *s) {
				bad_at(j, from, "half of a surrogate pair");
				return false;
			}
			j->p++;
		}
		if (!hex4(j, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff) {
			bad_at(j, from, "half of a surrogate pair");
			return false;
		}
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return add_code_point(j, c);
}

static bool escape(og_jscan *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint64_t start = at(j);
	j->p++; /* the backslash */
	int c = peek(j);
	if (c == 'u') {
		j->p++;
		return unicode_escape(j, start);
	}
	const char *f = c > 0 ? strchr(from, c) : NULL;
	if (!f) {
		unexpected(j, "an escape");
		return false;
	}
	j->p++;
	return text_add(j, &to[f - from], 1);
}

/* Plain characters of a string; *bits gathers which bits occurred, so that ASCII needs no further look. */
static const uint8_t *run_end(const uint8_t *p, const uint8_t *lim, uint8_t *bits)
{
	for (; p < lim && *p >= 0x20 && *p != '"' && *p != '\\'; p++)
		*bits |= *p;
	return p;
}

static og_jtoken string(og_jscan *j, og_jtoken kind)
{
	uint8_t bits = 0;
	j->p++; /* the quote; the window cannot be empty behind it without peek() saying so */
	j->text.n = 0;
	for (;;) {
		int c = peek(j);
		const uint8_t *from = j->p, *to = c < 0 ? from : run_end(from, j->lim, &bits);
		j->p = to;
		if (to < j->lim && *to == '"' && !j->text.n) { /* whole in the window */
			j->view = (og_str){ (const char *)from, (size_t)(to - from) };
			if (j->view.n > j->string_max)
				return bad_at(j, j->token_at, "string longer than %zu bytes", j->string_max);
			break;
		}
		if (!text_add(j, from, (size_t)(to - from)))
			return OG_J_ERROR;
		c = peek(j);
		if (c == '"') {
			j->view = (og_str){ (const char *)j->text.p, j->text.n };
			break;
		}
		if (c == '\\') {
			if (!escape(j))
				return OG_J_ERROR;
		} else if (c < 0x20) {
			return c < 0 ? unexpected(j, "'\"'") : unexpected(j, "no control byte in a string");
		}
	}
	j->p++;
	if (bits >= 0x80 && !og_utf8_valid((const uint8_t *)j->view.p, j->view.n))
		return bad_at(j, j->token_at, "string is not valid UTF-8");
	return kind;
}

/* ---- numbers and literals --------------------------------------------------------------------------- */

static const char *digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool number_ok(const char *p)
{
	const char *q;
	if (*p == '-')
		p++;
	q = digits(p);
	if (q == p || (*p == '0' && q != p + 1))
		return false;
	p = q;
	if (*p == '.') {
		q = digits(++p);
		if (q == p)
			return false;
		p = q;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		q = digits(p);
		if (q == p)
			return false;
		p = q;
	}
	return !*p;
}

static bool is_word(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.';
}

/* Letters, digits and signs that follow, terminated, in text: a number or a word. */
static const char *word(og_jscan *j)
{
	j->text.n = 0;
	while (is_word(peek(j))) {
		const uint8_t *from = j->p;
		while (j->p < j->lim && is_word(*j->p))
			j->p++;
		if ((size_t)(j->p - from) > NUMBER_MAX - j->text.n) {
			bad_at(j, j->token_at, "number longer than %d bytes", NUMBER_MAX);
			return NULL;
		}
		og_buf_add(&j->text, from, (size_t)(j->p - from));
	}
	const char *s = og_buf_cstr(&j->text);
	if (!s)
		no_memory(j);
	return j->failed ? NULL : s;
}

static og_jtoken scalar(og_jscan *j)
{
	const char *s = word(j);
	char shown[64];
	if (!s)
		return OG_J_ERROR;
	j->view = og_str_of(s);
	if (!*s)
		return unexpected(j, "a value");
	if (og_streq(s, "true"))
		return OG_J_TRUE;
	if (og_streq(s, "false"))
		return OG_J_FALSE;
	if (og_streq(s, "null"))
		return OG_J_NULL;
	if (j->python && (og_streq(s, "NaN") || og_streq(s, "Infinity") || og_streq(s, "-Infinity")))
		return OG_J_NUMBER;
	if (number_ok(s))
		return OG_J_NUMBER;
	return bad_at(j, j->token_at, "expected a value, found \"%s\"", og_str_show(j->view, shown, 48));
}

/* ---- the automaton ---------------------------------------------------------------------------------- */

static void after_value(og_jscan *j)
{
	j->next = j->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static og_jtoken open_bracket(og_jscan *j, uint8_t c)
{
	if (j->depth == j->depth_max)
		return bad_at(j, j->token_at, "nested deeper than %d", j->depth_max);
	j->open[j->depth++] = c;
	j->next = c == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	j->p++;
	return c == '{' ? OG_J_OBJECT : OG_J_ARRAY;
}

static og_jtoken close_bracket(og_jscan *j)
{
	og_jtoken t = j->open[--j->depth] == '{' ? OG_J_OBJECT_END : OG_J_ARRAY_END;
	j->p++;
	after_value(j);
	return t;
}

static og_jtoken value(og_jscan *j)
{
	int c = peek(j);
	if (c == '{' || c == '[')
		return open_bracket(j, (uint8_t)c);
	og_jtoken t = c == '"' ? string(j, OG_J_STRING) : scalar(j);
	after_value(j);
	return t;
}

static og_jtoken key(og_jscan *j, const char *expected)
{
	if (peek(j) != '"')
		return unexpected(j, expected);
	og_jtoken t = string(j, OG_J_KEY);
	j->next = EXPECT_COLON;
	return t;
}

/* Step over the comma or colon that stands before the token, if one is due. False: the token is already given. */
static bool punctuation(og_jscan *j, og_jtoken *out)
{
	bool object = j->depth && j->open[j->depth - 1] == '{';
	int c = peek(j);
	if (j->next == EXPECT_COLON) {
		if (c != ':') {
			*out = unexpected(j, "':'");
			return false;
		}
		j->next = EXPECT_VALUE;
	} else if (j->next == EXPECT_COMMA_OR_END && c == ',') {
		j->next = object ? EXPECT_KEY : EXPECT_VALUE;
	} else if (j->next == EXPECT_COMMA_OR_END && c != (object ? '}' : ']')) {
		*out = unexpected(j, object ? "',' or '}'" : "',' or ']'");
		return false;
	} else {
		return true;
	}
	j->p++;
	skip_space(j);
	return true;
}

og_jtoken og_jscan_next(og_jscan *j)
{
	og_jtoken t = OG_J_ERROR;
	if (j->failed)
		return OG_J_ERROR;
	j->view = (og_str){ "", 0 };
	skip_space(j);
	if (!punctuation(j, &t))
		return t;
	j->token_at = at(j);
	int c = peek(j);
	switch (j->next) {
	case EXPECT_NOTHING:
		t = c < 0 ? OG_J_END : unexpected(j, "the end of the document");
		break;
	case EXPECT_KEY_OR_END:
		t = c == '}' ? close_bracket(j) : key(j, "a key or '}'");
		break;
	case EXPECT_VALUE_OR_END:
		t = c == ']' ? close_bracket(j) : value(j);
		break;
	case EXPECT_COMMA_OR_END:
		t = close_bracket(j);
		break;
	case EXPECT_KEY:
		t = key(j, "a key");
		break;
	case EXPECT_VALUE:
	case EXPECT_COLON:
		t = value(j);
		break;
	}
	return j->failed ? OG_J_ERROR : t;
}

og_str og_jscan_text(const og_jscan *j)
{
	return j->view;
}

uint64_t og_jscan_at(const og_jscan *j)
{
	return j->token_at;
}

bool og_jscan_skip(og_jscan *j, og_jtoken t)
{
	if (t == OG_J_OBJECT || t == OG_J_ARRAY) {
		int outside = j->depth - 1;
		while (j->depth > outside)
			if (og_jscan_next(j) == OG_J_ERROR)
				return false;
	}
	return t != OG_J_ERROR;
}

og_status og_jscan_check(const og_jscan *j, og_error *err)
{
	if (!j->failed)
		return OG_OK;
	if (err)
		*err = j->error;
	return j->error.status;
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static og_status scan_new(size_t window, size_t string_max, int depth_max, og_jscan **out, og_error *err)
{
	og_auto(og_jscan) *j = og_alloc(sizeof(*j));
	if (!j)
		return og_fail_nomem(err);
	j->open = og_alloc((size_t)depth_max + 1);
	if (!j->open)
		return og_fail_nomem(err);
	if (window) {
		j->buffer = og_alloc(window);
		if (!j->buffer)
			return og_fail_nomem(err);
	}
	j->depth_max = depth_max;
	j->string_max = string_max;
	j->view = (og_str){ "", 0 };
	og_buf_init(&j->text, (string_max < NUMBER_MAX ? NUMBER_MAX : string_max) + 1);
	*out = og_steal(&j);
	return OG_OK;
}

og_status og_jscan_open(og_source *s, uint64_t offset, uint64_t n, size_t string_max, int depth_max, og_jscan **out, og_error *err)
{
	og_jscan *j = NULL;
	if (offset > s->size || n > s->size - offset)
		return og_fail_at(err, ONNXGATE_FORMAT, offset, "%s: expected %" PRIu64 " bytes of JSON at offset %" PRIu64 ", found %" PRIu64, s->name, n, offset,
			offset > s->size ? 0 : s->size - offset);
	OG_TRY(scan_new(n < WINDOW ? (size_t)n + 1 : WINDOW, string_max, depth_max, &j, err));
	j->source = s;
	j->name = s->name;
	j->win = j->p = j->lim = j->buffer;
	j->win_at = offset;
	j->end_at = offset + n;
	*out = j;
	return OG_OK;
}

og_status og_jscan_open_memory(const char *name, const void *p, size_t n, size_t string_max, int depth_max, bool python, og_jscan **out, og_error *err)
{
	og_jscan *j = NULL;
	OG_TRY(scan_new(0, string_max, depth_max, &j, err));
	j->name = name;
	j->win = j->p = n ? p : (const void *)"";
	j->lim = j->p + n;
	j->end_at = n;
	j->python = python;
	*out = j;
	return OG_OK;
}

void og_jscan_free(og_jscan *j)
{
	if (!j)
		return;
	og_buf_done(&j->text);
	og_free(j->open);
	og_free(j->buffer);
	og_free(j);
}
