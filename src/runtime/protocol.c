/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading the messages of protocol.h.  This file is linked into the library and into the runtime
 * child, so it may use base only. */
#include "runtime/protocol.h"

#include <string.h>

unsigned og_rt_bits(uint32_t dtype)
{
	/* In the order of TensorProto.DataType: none, f32, u8, i8, u16, i16, i32, i64, text, bool, f16, f64, u32, u64,
	 * c64, c128, bf16, four float8, u4, i4, f4, f8e8m0, u2, i2. */
	static const uint8_t bits[] = { 0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4, 4, 8, 2, 2 };
	return dtype < sizeof(bits) ? bits[dtype] : 0;
}

bool og_rt_bytes(uint32_t dtype, uint32_t rank, const int64_t *dims, uint64_t *out)
{
	uint64_t n = og_rt_bits(dtype);
	bool empty = false;

	if (!n || rank > OG_RANK_MAX)
		return false;
	for (uint32_t i = 0; i < rank; i++) {
		if (dims[i] < 0 || dims[i] > OG_DIM_MAX)
			return false;
		if (dims[i] == 0)
			empty = true;
		else if (!og_mul_u64(n, (uint64_t)dims[i], &n))
			return false;
	}
	n = empty ? 0 : n / 8 + (n % 8 != 0);
	if (n > OG_RT_ARRAYS_MAX)
		return false;
	*out = n;
	return true;
}

static void put_le(og_buf *b, uint64_t v, size_t n)
{
	uint8_t raw[8];

	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)(v >> (8 * i));
	og_buf_add(b, raw, n);
}

void og_rt_put_u32(og_buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void og_rt_put_u64(og_buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void og_rt_put_f64(og_buf *b, double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	put_le(b, u, 8);
}

void og_rt_put_text(og_buf *b, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n > OG_RT_TEXT_MAX)
		n = OG_RT_TEXT_MAX;
	og_rt_put_u32(b, (uint32_t)n);
	og_buf_add(b, s ? s : "", n);
}

void og_rt_put_array(og_buf *b, const og_rt_array *a)
{
	og_rt_put_text(b, a->name);
	og_rt_put_u32(b, a->dtype);
	og_rt_put_u32(b, a->rank);
	for (uint32_t i = 0; i < a->rank; i++)
		og_rt_put_u64(b, (uint64_t)a->dims[i]);
	og_rt_put_u64(b, a->bytes);
}

void og_rt_put_port(og_buf *b, const og_rt_port *p)
{
	og_rt_put_text(b, p->name);
	og_rt_put_u32(b, p->dtype);
	og_rt_put_u32(b, p->rank);
	for (uint32_t i = 0; i < p->rank; i++) {
		og_rt_put_u64(b, (uint64_t)p->dims[i]);
		og_rt_put_text(b, p->symbols[i]);
	}
}

void og_rt_begin(og_buf *b, og_rt_kind kind)
{
	og_rt_put_u32(b, OG_RT_MAGIC);
	og_rt_put_u32(b, (uint32_t)kind);
	og_rt_put_u64(b, 0);
}

void og_rt_end(og_buf *b)
{
	if (b->failed)
		return;
	uint64_t size = b->n - OG_RT_HEADER_SIZE;
	if (size > OG_RT_MESSAGE_MAX)
		b->failed = true;
	for (size_t i = 0; i < 8; i++)
		b->p[8 + i] = (uint8_t)(size >> (8 * i));
}

og_status og_rt_header(const uint8_t raw[OG_RT_HEADER_SIZE], og_rt_kind *kind, uint64_t *size, og_error *err)
{
	og_cursor c = og_cursor_over(raw, OG_RT_HEADER_SIZE, 0);
	uint32_t magic = og_cursor_u32(&c, "magic"), k = og_cursor_u32(&c, "kind");
	uint64_t n = og_cursor_u64(&c, "size");

	if (magic != OG_RT_MAGIC)
		return og_fail(err, ONNXGATE_FORMAT, "message begins with 0x%08x, expected 0x%08x", magic, OG_RT_MAGIC);
	if (!(k >= OG_RT_HELLO && k <= OG_RT_CLOSE) && !(k >= OG_RT_OK && k <= OG_RT_TICK))
		return og_fail(err, ONNXGATE_FORMAT, "message of kind %u, which there is not", k);
	if (n > OG_RT_MESSAGE_MAX)
		return og_fail(err, ONNXGATE_FORMAT, "message of %llu bytes, at most %u are allowed", (unsigned long long)n, OG_RT_MESSAGE_MAX);
	*kind = (og_rt_kind)k;
	*size = n;
	return OG_OK;
}

double og_rt_f64(og_cursor *c, const char *what)
{
	uint64_t u = og_cursor_u64(c, what);
	double v;

	memcpy(&v, &u, sizeof(v));
	return v;
}

const char *og_rt_text(og_cursor *c, og_arena *arena, const char *what)
{
	uint32_t n = og_cursor_u32(c, what);
	const uint8_t *p;
	char *s;

	if (n > OG_RT_TEXT_MAX)
		og_cursor_bad(c, what);
	p = og_cursor_take(c, n, what);
	if (c->bad)
		return NULL;
	s = (n && memchr(p, 0, n)) ? NULL : og_arena_strndup(arena, n ? (const char *)p : "", n);
	if (!s)
		og_cursor_bad(c, what);
	return s;
}

bool og_rt_get_array(og_cursor *c, og_arena *arena, og_rt_array *out)
{
	uint64_t expected = 0;

	*out = (og_rt_array){ .name = og_rt_text(c, arena, "array name") };
	out->dtype = og_cursor_u32(c, "array dtype");
	out->rank = og_cursor_u32(c, "array rank");
	if (out->rank > OG_RANK_MAX)
		og_cursor_bad(c, "array rank");
	for (uint32_t i = 0; i < out->rank && !c->bad; i++)
		out->dims[i] = (int64_t)og_cursor_u64(c, "array dim");
	out->bytes = og_cursor_u64(c, "array size");
	if (!c->bad && (!og_rt_bytes(out->dtype, out->rank, out->dims, &expected) || out->bytes != expected))
		og_cursor_bad(c, "array size");
	return !c->bad;
}

bool og_rt_get_port(og_cursor *c, og_arena *arena, og_rt_port *out)
{
	*out = (og_rt_port){ .name = og_rt_text(c, arena, "port name") };
	out->dtype = og_cursor_u32(c, "port dtype");
	out->rank = og_cursor_u32(c, "port rank");
	if (out->rank > OG_RANK_MAX)
		og_cursor_bad(c, "port rank");
	for (uint32_t i = 0; i < out->rank && !c->bad; i++) {
		out->dims[i] = (int64_t)og_cursor_u64(c, "port dim");
		if (out->dims[i] < -1 || out->dims[i] > OG_DIM_MAX)
			og_cursor_bad(c, "port dim");
		out->symbols[i] = og_rt_text(c, arena, "port symbol");
	}
	return !c->bad;
}
