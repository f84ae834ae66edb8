/* SPDX-License-Identifier: Apache-2.0
 *
 * The protobuf wire format.  A message is a run of fields, each a varint tag (number << 3 | type) and a
 * payload; a group (long deprecated) has an END tag instead of a length:
 *
 *     08 96 01         field 1, VARINT 150
 *     12 02 68 69      field 2, LEN 2, "hi"
 *     1b … 1c          field 3, group until its END
 *
 * The reader is strict where a lax one would let two readers see two different messages: a varint has at
 * most 10 bytes and 64 bits, a field number lies in 1 … 2^29-1, groups nest properly and not deeply. */
#include "codec/wire.h"

#include "base/limits.h"

#include <string.h>

enum { FIELD_NUMBER_MAX = (1 << 29) - 1, VARINT_BYTES_MAX = 10 };

uint64_t og_wire_varint(og_cursor *c, const char *what)
{
	uint64_t v = 0;

	for (int i = 0; i < VARINT_BYTES_MAX; i++) {
		uint8_t byte = og_cursor_u8(c, what);

		if (c->bad)
			return 0;
		if (i == VARINT_BYTES_MAX - 1 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80)
			return v;
	}
	og_cursor_bad(c, "varint longer than 64 bits");
	return 0;
}

static bool read_tag(og_cursor *c, uint32_t *number, og_wire_type *type)
{
	uint64_t tag = og_wire_varint(c, "truncated field tag");

	if (c->bad)
		return false;
	if ((tag >> 3) == 0 || (tag >> 3) > FIELD_NUMBER_MAX) {
		og_cursor_bad(c, "field number out of range");
		return false;
	}
	if ((tag & 7) > OG_WIRE_I32) {
		og_cursor_bad(c, "unknown wire type");
		return false;
	}
	*number = (uint32_t)(tag >> 3);
	*type = (og_wire_type)(tag & 7);
	return true;
}

bool og_wire_head(og_cursor *c, og_field_in *f)
{
	*f = (og_field_in){ 0 };
	if (!read_tag(c, &f->number, &f->type))
		return false;
	f->at = og_cursor_at(c);
	switch (f->type) {
	case OG_WIRE_VARINT:
		f->value = og_wire_varint(c, "truncated varint");
		break;
	case OG_WIRE_I64:
		f->value = og_cursor_u64(c, "truncated 64-bit field");
		break;
	case OG_WIRE_I32:
		f->value = og_cursor_u32(c, "truncated 32-bit field");
		break;
	case OG_WIRE_LEN:
		f->value = og_wire_varint(c, "truncated field length");
		f->at = og_cursor_at(c);
		break;
	case OG_WIRE_GROUP:
	case OG_WIRE_END:
		break;
	}
	return !c->bad;
}

/* The payload of a LEN field whose head was read. */
static void take_bytes(og_cursor *c, og_field_in *f)
{
	f->bytes.p = (const char *)og_cursor_take(c, f->value, "field longer than what holds it");
	f->bytes.n = c->bad ? 0 : (size_t)f->value;
	f->value = 0;
}

/* Past the END of the group whose tag was just read. */
static void skip_group(og_cursor *c, uint32_t number)
{
	uint32_t open[OG_ONNX_DEPTH_MAX] = { number };
	int depth = 1;

	while (depth > 0) {
		og_field_in f;

		if (!og_wire_head(c, &f))
			return;
		if (f.type == OG_WIRE_LEN) {
			take_bytes(c, &f);
		} else if (f.type == OG_WIRE_END) {
			if (f.number != open[--depth])
				og_cursor_bad(c, "group ended by another group's tag");
		} else if (f.type == OG_WIRE_GROUP) {
			if (depth == OG_ONNX_DEPTH_MAX)
				og_cursor_bad(c, "groups nested too deeply");
			else
				open[depth++] = f.number;
		}
		if (c->bad)
			return;
	}
}

bool og_wire_next(og_cursor *c, og_field_in *f)
{
	while (!c->bad && og_cursor_left(c) > 0) {
		if (!og_wire_head(c, f))
			return false;
		if (f->type == OG_WIRE_END)
			og_cursor_bad(c, "group end without a group");
		else if (f->type == OG_WIRE_GROUP)
			skip_group(c, f->number);
		else if (f->type == OG_WIRE_LEN)
			take_bytes(c, f);
		if (f->type < OG_WIRE_GROUP || f->type == OG_WIRE_I32)
			return !c->bad;
	}
	return false;
}

og_cursor og_wire_sub(const og_field_in *f)
{
	return og_cursor_over(f->bytes.p, f->bytes.n, f->at);
}

size_t og_wire_varint_size(uint64_t v)
{
	size_t n = 1;

	while (v >= 0x80) {
		v >>= 7;
		n++;
	}
	return n;
}

void og_wire_put_varint(og_buf *b, uint64_t v)
{
	uint8_t out[VARINT_BYTES_MAX];
	size_t n = 0;

	while (v >= 0x80) {
		out[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	out[n++] = (uint8_t)v;
	og_buf_add(b, out, n);
}

void og_wire_put_tag(og_buf *b, uint32_t number, og_wire_type type)
{
	og_wire_put_varint(b, (uint64_t)number << 3 | (uint64_t)type);
}

void og_wire_put_u64(og_buf *b, uint32_t number, uint64_t v)
{
	og_wire_put_tag(b, number, OG_WIRE_VARINT);
	og_wire_put_varint(b, v);
}

void og_wire_put_i64(og_buf *b, uint32_t number, int64_t v)
{
	og_wire_put_u64(b, number, (uint64_t)v);
}

void og_wire_put_f32(og_buf *b, uint32_t number, float v)
{
	uint32_t bits;
	uint8_t out[4];

	memcpy(&bits, &v, sizeof(bits));
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(bits >> (8 * i));
	og_wire_put_tag(b, number, OG_WIRE_I32);
	og_buf_add(b, out, sizeof(out));
}

void og_wire_put_bytes(og_buf *b, uint32_t number, const void *p, size_t n)
{
	og_wire_put_tag(b, number, OG_WIRE_LEN);
	og_wire_put_varint(b, n);
	og_buf_add(b, p, n);
}

void og_wire_put_str(og_buf *b, uint32_t number, const char *s)
{
	og_wire_put_bytes(b, number, s, strlen(s));
}
