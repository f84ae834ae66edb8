/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents read whole: our scanner reads the text, json-c holds the tree.  json-c's own reader keeps the last of
 * two equal keys without a word, knows comments and single quotes, and gives no offset that one could show: so it
 * does not read here.  What Python's json.dump writes is accepted: NaN, Infinity, integers of any length. */
#include "codec/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "codec/jscan.h"

typedef struct parse {
	const char *name;
	og_jscan *scan;
	og_json *root;
	og_json *open[OG_JSON_DEPTH_MAX]; /* the containers around the next value; each belongs to the one before it */
	int depth;
	char *key; /* of the next value, when the innermost container is an object */
} parse;

static og_status bad(parse *p, og_error *err, const char *what)
{
	char key[80];
	uint64_t at = og_jscan_at(p->scan);
	og_str_show(og_jscan_text(p->scan), key, sizeof(key));
	return og_fail_at(err, ONNXGATE_FORMAT, at, "%s: key \"%s\" %s at offset %" PRIu64, p->name, key, what, at);
}

static og_status take_key(parse *p, og_error *err)
{
	og_str s = og_jscan_text(p->scan);
	if (memchr(s.p, 0, s.n))
		return bad(p, err, "holds a zero character");
	og_free(p->key);
	p->key = og_alloc(s.n + 1);
	if (!p->key)
		return og_fail_nomem(err);
	memcpy(p->key, s.p, s.n);
	if (json_object_object_get_ex(p->open[p->depth - 1], p->key, NULL))
		return bad(p, err, "is given a second time");
	return OG_OK;
}

/* Hang a value where it belongs; it is released when that fails. NULL is JSON's null. */
static og_status place(parse *p, og_json *v, og_error *err)
{
	int failed = 0;
	if (!p->depth)
		p->root = v;
	else if (json_object_is_type(p->open[p->depth - 1], json_type_array))
		failed = json_object_array_add(p->open[p->depth - 1], v);
	else
		failed = json_object_object_add_ex(p->open[p->depth - 1], p->key, v, JSON_C_OBJECT_ADD_KEY_IS_NEW);
	if (!failed)
		return OG_OK;
	json_object_put(v);
	return og_fail_nomem(err);
}

/* An integer where it fits in 64 bits, else a double that remembers its text. */
static og_json *number(const char *s)
{
	int64_t i;
	uint64_t u;
	double d;
	og_str text = og_str_of(s);
	if (og_parse_i64(text, &i))
		return json_object_new_int64(i);
	if (og_parse_u64(text, UINT64_MAX, &u))
		return json_object_new_uint64(u);
	if (og_streq(s, "NaN"))
		return json_object_new_double((double)NAN);
	if (og_ends_with(s, "Infinity") || !og_parse_double(s, &d)) /* what does not fit either: as Python, infinite */
		d = s[0] == '-' ? -(double)INFINITY : (double)INFINITY;
	return json_object_new_double_s(d, s);
}

static og_status take_value(parse *p, og_jtoken t, og_error *err)
{
	og_str s = og_jscan_text(p->scan);
	og_json *v = NULL;
	switch (t) {
	case OG_J_NULL:
		return place(p, NULL, err);
	case OG_J_OBJECT:
		v = json_object_new_object();
		break;
	case OG_J_ARRAY:
		v = json_object_new_array();
		break;
	case OG_J_NUMBER:
		v = number(s.p);
		break;
	case OG_J_STRING:
		v = json_object_new_string_len(s.p, (int)s.n); /* at most OG_JSON_BYTES_MAX */
		break;
	default:
		v = json_object_new_boolean(t == OG_J_TRUE);
		break;
	}
	if (!v)
		return og_fail_nomem(err);
	OG_TRY(place(p, v, err));
	if (t == OG_J_OBJECT || t == OG_J_ARRAY)
		p->open[p->depth++] = v;
	return OG_OK;
}

static og_status parse_all(parse *p, og_error *err)
{
	for (;;) {
		og_jtoken t = og_jscan_next(p->scan);
		switch (t) {
		case OG_J_END:
			return OG_OK;
		case OG_J_ERROR:
			return og_jscan_check(p->scan, err);
		case OG_J_OBJECT_END:
		case OG_J_ARRAY_END:
			p->depth--;
			break;
		case OG_J_KEY:
			OG_TRY(take_key(p, err));
			break;
		default:
			OG_TRY(take_value(p, t, err));
			break;
		}
	}
}

og_status og_json_parse(const char *name, const void *p, size_t n, og_json **out, og_error *err)
{
	og_auto(og_jscan) *scan = NULL;
	if (n > OG_JSON_BYTES_MAX)
		return og_fail(err, ONNXGATE_FORMAT, "%s: expected at most %u bytes of JSON, found %zu", name, OG_JSON_BYTES_MAX, n);
	OG_TRY(og_jscan_open_memory(name, p, n, n, OG_JSON_DEPTH_MAX, true, &scan, err));
	parse s = { .name = name, .scan = scan };
	og_status status = parse_all(&s, err);
	og_free(s.key);
	if (status != OG_OK)
		json_object_put(s.root);
	else
		*out = s.root;
	return status;
}

og_status og_json_read(const char *path, size_t max, og_json **out, og_error *err)
{
	og_auto_buf text;
	og_buf_init(&text, max + 1);
	OG_TRY(og_file_read(path, max, &text, err));
	return og_json_parse(path, text.p, text.n, out, err);
}

void og_json_free(og_json *j)
{
	json_object_put(j);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

og_json *og_json_get(const og_json *obj, const char *key)
{
	og_json *v = NULL;
	if (!json_object_is_type(obj, json_type_object) || !json_object_object_get_ex(obj, key, &v))
		return NULL;
	return v;
}

const char *og_json_str(const og_json *obj, const char *key, const char *fallback)
{
	og_json *v = og_json_get(obj, key);
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : fallback;
}

int64_t og_json_i64(const og_json *obj, const char *key, int64_t fallback)
{
	og_json *v = og_json_get(obj, key);
	return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : fallback;
}

double og_json_f64(const og_json *obj, const char *key, double fallback)
{
	og_json *v = og_json_get(obj, key);
	return json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int) ? json_object_get_double(v) : fallback;
}

bool og_json_bool(const og_json *obj, const char *key, bool fallback)
{
	og_json *v = og_json_get(obj, key);
	return json_object_is_type(v, json_type_boolean) ? (bool)json_object_get_boolean(v) : fallback;
}

/* ---- building --------------------------------------------------------------------------------------- */

void og_json_set(og_json *obj, const char *key, og_json *v)
{
	if (json_object_object_add(obj, key, v) != 0)
		json_object_put(v);
}

/* What we print must be JSON whatever the bytes are: a file name need not be UTF-8. */
static og_json *text_value(const char *s)
{
	size_t n = strlen(s);
	if (og_utf8_valid((const uint8_t *)s, n))
		return json_object_new_string_len(s, (int)(n < INT32_MAX ? n : INT32_MAX));
	og_autofree char *shown = n < SIZE_MAX / 5 ? og_alloc(n * 4 + 1) : NULL;
	return shown ? json_object_new_string(og_str_show(og_str_of(s), shown, n * 4 + 1)) : NULL;
}

void og_json_set_str(og_json *obj, const char *key, const char *s)
{
	og_json_set(obj, key, s ? text_value(s) : NULL);
}

void og_json_set_i64(og_json *obj, const char *key, int64_t v)
{
	og_json_set(obj, key, json_object_new_int64(v));
}

/* The shortest of 15, 16 or 17 digits that gives the same number back, with a point whatever the locale says. */
static og_json *double_value(double v)
{
	char text[40];
	for (int digits = 15; digits <= 17; digits++) {
		double back;
		int n = snprintf(text, sizeof(text), "%.*g", digits, v);
		for (int i = 0; i < n; i++)
			if (text[i] == ',')
				text[i] = '.';
		if (og_parse_double(text, &back) && back >= v && back <= v)
			break;
	}
	if (!strpbrk(text, ".e"))
		memcpy(text + strlen(text), ".0", 3); /* so that it stays a real number for whoever reads it */
	return json_object_new_double_s(v, text);
}

void og_json_set_f64(og_json *obj, const char *key, double v)
{
	og_json_set(obj, key, isfinite(v) ? double_value(v) : NULL);
}

void og_json_set_bool(og_json *obj, const char *key, bool v)
{
	og_json_set(obj, key, json_object_new_boolean(v));
}
