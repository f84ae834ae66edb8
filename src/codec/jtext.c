/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree as text.  json-c's own printing forgets that memory ran out while it appended and hands over a document
 * with a hole in it: so it prints numbers here, and nothing else. */
#include "codec/json.h"

#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

typedef struct writer {
	og_buf b;
	bool pretty;
	int depth;
} writer;

static void text(writer *w, const char *s, size_t n)
{
	og_buf_byte(&w->b, '"');
	for (size_t i = 0, from = 0; i <= n; i++) {
		uint8_t c = i < n ? (uint8_t)s[i] : '"';
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		og_buf_add(&w->b, s + from, i - from);
		from = i + 1;
		if (i == n)
			break;
		const char *short_form = strchr("\"\"\\\\\nn\tt\rr\bb\ff", c);
		if (c && short_form)
			og_buf_printf(&w->b, "\\%c", short_form[1]);
		else
			og_buf_printf(&w->b, "\\u%04x", c);
	}
	og_buf_byte(&w->b, '"');
}

static void new_line(writer *w)
{
	if (w->pretty)
		og_buf_printf(&w->b, "\n%*s", 2 * w->depth, "");
}

static void value(writer *w, og_json *v);

static void object(writer *w, og_json *v)
{
	bool first = true;
	og_buf_byte(&w->b, '{');
	w->depth++;
	json_object_object_foreach(v, key, member)
	{
		if (!first)
			og_buf_byte(&w->b, ',');
		first = false;
		new_line(w);
		text(w, key, strlen(key));
		og_buf_str(&w->b, w->pretty ? ": " : ":");
		value(w, member);
	}
	w->depth--;
	if (!first)
		new_line(w);
	og_buf_byte(&w->b, '}');
}

static void array(writer *w, og_json *v)
{
	size_t n = json_object_array_length(v);
	og_buf_byte(&w->b, '[');
	w->depth++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			og_buf_byte(&w->b, ',');
		new_line(w);
		value(w, json_object_array_get_idx(v, i));
	}
	w->depth--;
	if (n)
		new_line(w);
	og_buf_byte(&w->b, ']');
}

static void number(writer *w, og_json *v)
{
	const char *own = json_object_to_json_string(v); /* short: json-c needs no growing for it */
	if (own)
		og_buf_str(&w->b, own);
	else
		w->b.failed = true;
}

static void value(writer *w, og_json *v)
{
	if (w->depth > OG_JSON_DEPTH_MAX)
		w->b.failed = true;
	if (w->b.failed)
		return;
	switch (json_object_get_type(v)) {
	case json_type_null:
		og_buf_str(&w->b, "null");
		break;
	case json_type_boolean:
		og_buf_str(&w->b, json_object_get_boolean(v) ? "true" : "false");
		break;
	case json_type_int:
	case json_type_double:
		number(w, v);
		break;
	case json_type_string:
		text(w, json_object_get_string(v), (size_t)json_object_get_string_len(v));
		break;
	case json_type_array:
		array(w, v);
		break;
	case json_type_object:
		object(w, v);
		break;
	}
}

char *og_json_text(const og_json *j, bool pretty)
{
	writer w = { .pretty = pretty };
	og_buf_init(&w.b, OG_DOCUMENT_BYTES_MAX);
	value(&w, (og_json *)(uintptr_t)j); /* json-c's getters want no const object */
	char *out = og_buf_take(&w.b);
	og_buf_done(&w.b);
	return out;
}
