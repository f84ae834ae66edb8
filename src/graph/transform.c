/* SPDX-License-Identifier: Apache-2.0
 *
 * Read, convert, scale, transpose.
 *
 * A linear layer's weight is stored [out, in] and written [in, out].  A piece of the output is a band of its rows, that
 * is, a band of the source's columns: tiles of it are read (whole rows in one read when the band is the whole matrix),
 * converted to the output's type, and scattered in blocks that fit the first-level cache. */
#include "graph/transform.h"

#include "base/str.h"

#define TILE_BYTES (1u << 20)  /* of source, read at a time: stays in the second-level cache */
#define BLOCK 16               /* elements: a cache line of floats each way */

void og_scratch_done(og_scratch *s)
{
	og_free(s->raw);
	og_free(s->cast);
	og_free(s->real);
	*s = (og_scratch){ 0 };
}

static uint64_t width_of(og_dtype t)
{
	return og_dtype_bits(t) / 8;
}

bool og_init_is_copy(const og_init *c, const og_tensor **t, uint64_t *offset)
{
	if (c->data || c->transpose || c->affine || c->nparts != 1 || c->parts[0].tensor->dtype != c->dtype)
		return false;
	const og_part *p = &c->parts[0];
	uint64_t rows = p->tensor->rank ? (uint64_t)p->tensor->dims[0] : 1;
	*t = p->tensor;
	*offset = p->tensor->offset + (rows ? p->tensor->size / rows * (uint64_t)p->first : 0);
	return true;
}

uint64_t og_init_piece(const og_init *c, uint64_t bytes)
{
	uint64_t elements = bytes / width_of(c->dtype);
	if (!c->transpose)
		return elements;
	uint64_t row = (uint64_t)c->dims[1], rows = row ? elements / row : 1;
	rows = rows < BLOCK ? BLOCK : rows - rows % BLOCK;
	return rows * (row ? row : 1);
}

static bool ensure(void *ptr_to_buffer, size_t *cap, size_t need)
{
	void **p = ptr_to_buffer;
	if (*cap >= need)
		return true;
	og_free(*p);
	*p = og_array_alloc(need, 1);
	*cap = *p ? need : 0;
	return *p != NULL;
}

/* n elements: source type → output type, with the scale and the sum; in place of a copy when nothing changes. */
static const uint8_t *convert(const og_init *c, og_dtype from, const uint8_t *raw, size_t n, uint8_t *into, og_scratch *s, og_error *err)
{
	if (from == c->dtype && !c->affine)
		return raw;
	size_t bytes = n * width_of(c->dtype);
	if (!into) {
		if (!ensure(&s->cast, &s->cast_cap, bytes))
			return og_fail_nomem(err), NULL;
		into = s->cast;
	}
	float *real = (float *)(void *)into;
	if (c->dtype != OG_F32 || ((uintptr_t)into % sizeof(float)) != 0) {
		if (!ensure(&s->real, &s->real_cap, n * sizeof(float)))
			return og_fail_nomem(err), NULL;
		real = s->real;
	}
	if (!og_dtype_to_f32(from, raw, n, real))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: conversion from %s is not done", c->name, og_dtype_name(from)), NULL;
	if (c->affine)
		for (size_t i = 0; i < n; i++)
			real[i] = real[i] * c->scale + c->add;
	if (c->dtype == OG_F16)
		for (size_t i = 0; i < n; i++)
			((uint16_t *)(void *)into)[i] = og_f32_to_f16(real[i]);
	else if (c->dtype == OG_BF16)
		for (size_t i = 0; i < n; i++)
			((uint16_t *)(void *)into)[i] = og_f32_to_bf16(real[i]);
	else if ((uint8_t *)real != into)
		memcpy(into, real, bytes);
	return into;
}

/* ---- as it lies ---- */

static og_status fill_plain(const og_init *c, uint64_t begin, uint64_t end, uint8_t *dst, og_scratch *s, og_error *err)
{
	uint64_t at = 0, w = width_of(c->dtype);
	for (size_t i = 0; i < c->nparts && begin < end; i++) {
		const og_part *p = &c->parts[i];
		uint64_t rows = p->tensor->rank ? (uint64_t)p->tensor->dims[0] : 1, row = rows ? og_tensor_elements(p->tensor) / rows : 0;
		uint64_t n = row * (uint64_t)p->rows, from = width_of(p->tensor->dtype);
		if (begin < at + n) {
			uint64_t k = begin - at, count = (end < at + n ? end : at + n) - begin;
			uint64_t offset = p->tensor->offset + ((uint64_t)p->first * row + k) * from;
			bool direct = p->tensor->dtype == c->dtype && !c->affine;
			if (!direct && !ensure(&s->raw, &s->raw_cap, count * from))
				return og_fail_nomem(err);
			OG_TRY(og_source_read(p->tensor->source, offset, direct ? dst : s->raw, count * from, err));
			if (!direct && !convert(c, p->tensor->dtype, s->raw, count, dst, s, err))
				return err ? err->status : ONNXGATE_NOMEM;
			begin += count;
			dst += count * w;
		}
		at += n;
	}
	return OG_OK;
}

/* ---- transposed ---- */

#define SCATTER(type)                                                                                                  \
	static void scatter_##type(const type *src, size_t rows, size_t cols, type *dst, size_t stride)                    \
	{                                                                                                                  \
		for (size_t r = 0; r < rows; r += BLOCK)                                                                       \
			for (size_t k = 0; k < cols; k += BLOCK) {                                                                 \
				size_t re = r + BLOCK < rows ? r + BLOCK : rows, ke = k + BLOCK < cols ? k + BLOCK : cols;             \
				for (size_t y = k; y < ke; y++)                                                                        \
					for (size_t x = r; x < re; x++)                                                                    \
						dst[y * stride + x] = src[x * cols + y];                                                       \
			}                                                                                                          \
	}
SCATTER(uint8_t)
SCATTER(uint16_t)
SCATTER(uint32_t)
SCATTER(uint64_t)

/* dst[y * stride + x] = src[x * cols + y], in blocks. */
static void scatter(const void *src, size_t rows, size_t cols, void *dst, size_t stride, uint64_t width)
{
	switch (width) {
	case 1: scatter_uint8_t(src, rows, cols, dst, stride); break;
	case 2: scatter_uint16_t(src, rows, cols, dst, stride); break;
	case 4: scatter_uint32_t(src, rows, cols, dst, stride); break;
	default: scatter_uint64_t(src, rows, cols, dst, stride); break;
	}
}

/* Source rows [row, row + rows), columns [col, col + cols) into s->raw. */
static og_status read_tile(const og_tensor *t, uint64_t row, uint64_t rows, uint64_t col, uint64_t cols, og_scratch *s, og_error *err)
{
	uint64_t w = width_of(t->dtype), line = (uint64_t)t->dims[1] * w, bytes = cols * w;
	if (!ensure(&s->raw, &s->raw_cap, rows * bytes))
		return og_fail_nomem(err);
	if (bytes == line)
		return og_source_read(t->source, t->offset + row * line, s->raw, rows * line, err);
	for (uint64_t i = 0; i < rows; i++)
		OG_TRY(og_source_read(t->source, t->offset + (row + i) * line + col * w, s->raw + i * bytes, bytes, err));
	return OG_OK;
}

static og_status fill_transposed(const og_init *c, uint64_t begin, uint64_t end, uint8_t *dst, og_scratch *s, og_error *err)
{
	uint64_t out = (uint64_t)c->dims[1], w = width_of(c->dtype);
	if (!out || begin >= end)
		return OG_OK;
	uint64_t col = begin / out, cols = (end - begin) / out, x = 0;
	for (size_t i = 0; i < c->nparts; i++) {
		const og_part *p = &c->parts[i];
		uint64_t step = TILE_BYTES / (cols * width_of(p->tensor->dtype));
		step = step < BLOCK ? BLOCK : step - step % BLOCK;
		for (uint64_t r = 0; r < (uint64_t)p->rows; r += step, x += step) {
			uint64_t rows = (uint64_t)p->rows - r < step ? (uint64_t)p->rows - r : step;
			OG_TRY(read_tile(p->tensor, (uint64_t)p->first + r, rows, col, cols, s, err));
			const uint8_t *tile = convert(c, p->tensor->dtype, s->raw, rows * cols, NULL, s, err);
			if (!tile)
				return err ? err->status : ONNXGATE_NOMEM;
			scatter(tile, rows, cols, dst + x * w, out, w);
			if (rows < step)
				x -= step - rows;
		}
	}
	return OG_OK;
}

og_status og_init_fill(const og_init *c, uint64_t begin, uint64_t end, void *dst, og_scratch *s, og_error *err)
{
	uint64_t w = width_of(c->dtype);
	if (c->data) {
		memcpy(dst, (const uint8_t *)c->data + begin * w, (end - begin) * w);
		return OG_OK;
	}
	return c->transpose ? fill_transposed(c, begin, end, dst, s, err) : fill_plain(c, begin, end, dst, s, err);
}
