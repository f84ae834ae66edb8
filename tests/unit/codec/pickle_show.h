/* SPDX-License-Identifier: Apache-2.0
 *
 * A pickle's value as a Python expression over a few functions (text, data, big, real, pairs, group, name, call, each, persistent), of which
 * pickle_judge.py gives the meaning and which pickle_test.c compares as text. */
#ifndef OG_TEST_PICKLE_SHOW_H
#define OG_TEST_PICKLE_SHOW_H

#include "base/buf.h"
#include "codec/pickle.h"

#include <inttypes.h>

#define PICKLE_SHOW_DEPTH 80

static inline void pickle_show(og_buf *b, const og_pval *v, int depth);

/* FUNCTION(b'…') */
static inline void pickle_show_bytes(og_buf *b, const char *function, og_str s)
{
	og_buf_printf(b, "%s(b'", function);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c < ' ' || c > '~' || c == '\'' || c == '\\')
			og_buf_printf(b, "\\x%02x", (uint8_t)c);
		else
			og_buf_byte(b, (uint8_t)c);
	}
	og_buf_str(b, "')");
}

static inline void pickle_show_items(og_buf *b, const char *open, const og_pval *v, const char *close, int depth)
{
	og_buf_str(b, open);
	for (size_t i = 0; i < v->n; i++) {
		pickle_show(b, v->items[i], depth + 1);
		og_buf_byte(b, ',');
	}
	og_buf_str(b, close);
}

static inline void pickle_show_object(og_buf *b, const og_pval *v, int depth)
{
	const og_pval *parts[] = { v->of, v->args, v->kwargs, v->state };

	og_buf_str(b, "call(");
	for (size_t i = 0; i < OG_COUNT(parts); i++) {
		if (parts[i])
			pickle_show(b, parts[i], depth + 1);
		else
			og_buf_str(b, "absent");
		og_buf_byte(b, ',');
	}
	if (v->pairs)
		pickle_show_items(b, "each(", v->pairs, "),", depth + 1);
	else
		og_buf_str(b, "absent,");
	pickle_show_items(b, "[", v, "])", depth);
}

static inline void pickle_show(og_buf *b, const og_pval *v, int depth)
{
	uint64_t bits;

	if (depth > PICKLE_SHOW_DEPTH || b->failed) {
		og_buf_str(b, "deep");
		return;
	}
	switch (v->kind) {
	case OG_P_NONE:
		og_buf_str(b, "None");
		break;
	case OG_P_BOOL:
		og_buf_str(b, v->i ? "True" : "False");
		break;
	case OG_P_INT:
		og_buf_printf(b, "%" PRId64, v->i);
		break;
	case OG_P_FLOAT:
		memcpy(&bits, &v->f, sizeof(bits));
		og_buf_printf(b, "real(0x%" PRIx64 ")", bits);
		break;
	case OG_P_BIG:
		pickle_show_bytes(b, "big", v->text);
		break;
	case OG_P_TEXT:
		pickle_show_bytes(b, "text", v->text);
		break;
	case OG_P_BYTES:
		pickle_show_bytes(b, "data", v->text);
		break;
	case OG_P_GLOBAL:
		pickle_show_bytes(b, "name", v->text);
		break;
	case OG_P_TUPLE:
		pickle_show_items(b, "(", v, ")", depth);
		break;
	case OG_P_LIST:
		pickle_show_items(b, "[", v, "]", depth);
		break;
	case OG_P_DICT:
		pickle_show_items(b, "pairs(", v, ")", depth);
		break;
	case OG_P_SET:
		pickle_show_items(b, "group(", v, ")", depth);
		break;
	case OG_P_OBJECT:
		pickle_show_object(b, v, depth);
		break;
	case OG_P_PERSISTENT:
		og_buf_str(b, "persistent(");
		pickle_show(b, v->args, depth + 1);
		og_buf_byte(b, ')');
		break;
	}
}

#endif
