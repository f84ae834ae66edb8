/* SPDX-License-Identifier: Apache-2.0
 *
 * Read, convert, scale, transpose.
 *
 * A linear layer's weight is stored [out, in] and written [in, out].  A piece of the output is a band of its rows, that
 * is, a band of the source's columns: tiles of it are read (whole rows in one read when the band is the whole matrix),
 * converted to the output's type, and turned in blocks that fit the first-level cache.  A checkpoint may hold its weights
 * in any other order: og_tensor_read() knows, and a matrix that lies transposed already is written as it lies. */
#include "graph/transform.h"

#include "base/str.h"

#include <math.h>

#define TILE_BYTES (1u << 20) /* of source, read at a time: stays in the second-level cache */
#define BLOCK 16              /* elements: a cache line of floats each way */
#define PACKED_BYTES 4096     /* of elements narrower than a byte, spread at a time */

void og_scratch_done(og_scratch *s)
{
	og_free(s->raw);
	og_free(s->cast);
	og_free(s->real);
	*s = (og_scratch){ 0 };
}

/* Bytes of an element in memory; one narrower than a byte has a byte to itself there. */
static uint64_t width_of(og_dtype t)
{
	return (og_dtype_bits(t) + 7) / 8;
}

/* The one source of a transposed initializer, seen transposed, when it lies in the order in which it is written. */
static bool lies_transposed(const og_init *c, og_tensor *v)
{
	const og_part *p = c->parts;
	if (!c->transpose || c->nparts != 1 || p->rows != p->tensor->dims[0])
		return false;
	*v = *p->tensor;
	for (int i = 0; i < 2; i++) {
		v->dims[i] = p->tensor->dims[1 - i];
		v->strides[i] = p->tensor->strides[1 - i];
	}
	return og_tensor_is_dense(v);
}

static uint64_t row_of(const og_tensor *t) /* elements below one step of dim 0 */
{
	uint64_t n = 1;
	for (int i = 1; i < t->rank; i++)
		n *= (uint64_t)t->dims[i];
	return n;
}

/* Elements of t go into the file as they are: nothing but the buffer is needed for them. */
static bool is_direct(const og_init *c, const og_tensor *t)
{
	return t->dtype == c->dtype && !c->affine && !c->fold;
}

bool og_init_is_copy(const og_init *c, const og_tensor **t, uint64_t *offset)
{
	og_tensor turned;
	if (c->data || c->nparts != 1 || !is_direct(c, c->parts[0].tensor))
		return false;
	const og_part *p = &c->parts[0];
	if (c->transpose ? !lies_transposed(c, &turned) : !og_tensor_is_dense(p->tensor))
		return false;
	*t = p->tensor;
	*offset = p->tensor->offset + (uint64_t)p->first * row_of(p->tensor) * width_of(c->dtype);
	return true;
}

uint64_t og_init_piece(const og_init *c, uint64_t bytes)
{
	uint64_t elements = bytes / width_of(c->dtype), row = 1;
	for (int i = 1; i < c->rank; i++)
		row *= (uint64_t)c->dims[i];
	if (c->data || !row)
		return elements;
	if (c->transpose) {
		uint64_t rows = elements / row;
		rows = rows < BLOCK ? BLOCK : rows - rows % BLOCK;
		return rows * row;
	}
	/* Of a matrix that lies in columns a band of rows is a read a column, a part of a row one a number: whole rows, and more of them. */
	for (size_t i = 0; i < c->nparts; i++)
		if (!og_tensor_is_dense(c->parts[i].tensor)) {
			elements *= is_direct(c, c->parts[i].tensor) ? 2 : 1;
			return elements < row ? elements : elements - elements % row;
		}
	return elements;
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

#define HALF_MAX 65504.0f /* of finite float16 */

/* A finite number that the written type has no finite one for: where; n when there is none. */
static size_t beyond(og_dtype to, const float *real, size_t n)
{
	if (to != OG_F16)
		return n;
	for (size_t i = 0; i < n; i++)
		if (fabsf(real[i]) >= HALF_MAX + 16 && !isinf(real[i])) /* half way to the next step it is rounded up */
			return i;
	return n;
}

/* The float32 numbers in the written type. */
static og_status narrow(const og_init *c, const float *real, size_t n, uint8_t *into, og_error *err)
{
	og_dtype to = c->dtype;
	size_t far = beyond(to, real, n);
	if (far < n)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: %g has no place in %s, expected at most %g", c->name, (double)real[far], og_dtype_name(to),
			(double)HALF_MAX);
	for (size_t i = 0; i < n && to == OG_F16; i++)
		((uint16_t *)(void *)into)[i] = og_f32_to_f16(real[i]);
	for (size_t i = 0; i < n && to == OG_BF16; i++)
		((uint16_t *)(void *)into)[i] = og_f32_to_bf16(real[i]);
	if (to == OG_F32 && (const uint8_t *)real != into)
		memcpy(into, real, n * sizeof(*real));
	return OG_OK;
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
	return narrow(c, real, n, into, err) == OG_OK ? into : NULL;
}

/* ---- from the checkpoint ---- */

/* Elements [first, first + n) of t; those narrower than a byte, which begin anywhere in one, are given a byte each. */
static og_status read_elements(const og_tensor *t, uint64_t first, uint64_t n, uint8_t *dst, og_error *err)
{
	unsigned bits = og_dtype_bits(t->dtype);
	if (bits % 8 == 0)
		return og_tensor_read(t, first, n, dst, err);
	uint8_t packed[PACKED_BYTES];
	uint64_t all = og_tensor_elements(t);
	while (n) {
		uint64_t before = first % 8, from = first - before, count = (uint64_t)PACKED_BYTES - before;
		count = n < count ? n : count;
		uint64_t to = (first + count + 7) / 8 * 8; /* eight of any width fill whole bytes */
		OG_TRY(og_tensor_read(t, from, (to < all ? to : all) - from, packed, err));
		if (!og_dtype_spread(t->dtype, packed, before, count, dst))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: tensor %s: no rule says how elements of %s lie in their bytes", t->source->name, t->name,
				og_dtype_name(t->dtype));
		first += count;
		n -= count;
		dst += count;
	}
	return OG_OK;
}

static og_status fill_from(const og_init *c, const og_tensor *t, uint64_t first, uint64_t n, uint8_t *dst, og_scratch *s, og_error *err)
{
	bool direct = is_direct(c, t);
	if (!direct && !ensure(&s->raw, &s->raw_cap, n * width_of(t->dtype)))
		return og_fail_nomem(err);
	OG_TRY(read_elements(t, first, n, direct ? dst : s->raw, err));
	if (!direct && !convert(c, t->dtype, s->raw, n, dst, s, err))
		return err ? err->status : ONNXGATE_NOMEM;
	return OG_OK;
}

/* ---- as it lies ---- */

static og_status fill_plain(const og_init *c, uint64_t begin, uint64_t end, uint8_t *dst, og_scratch *s, og_error *err)
{
	uint64_t at = 0;
	for (size_t i = 0; i < c->nparts && begin < end; i++) {
		const og_part *p = &c->parts[i];
		uint64_t row = row_of(p->tensor), n = row * (uint64_t)p->rows;
		if (begin < at + n) {
			uint64_t k = begin - at, count = (end < at + n ? end : at + n) - begin;
			OG_TRY(fill_from(c, p->tensor, (uint64_t)p->first * row + k, count, dst, s, err));
			begin += count;
			dst += count * width_of(c->dtype);
		}
		at += n;
	}
	return OG_OK;
}

/* ---- transposed ---- */

/* Source rows [row, row + rows), columns [col, col + cols) into s->raw: a view of a view. */
static og_status read_tile(const og_tensor *t, uint64_t row, uint64_t rows, uint64_t col, uint64_t cols, og_scratch *s, og_error *err)
{
	uint64_t w = width_of(t->dtype);
	if (!ensure(&s->raw, &s->raw_cap, rows * cols * w))
		return og_fail_nomem(err);
	if (og_dtype_bits(t->dtype) % 8) {
		for (uint64_t i = 0; i < rows; i++)
			OG_TRY(read_elements(t, (row + i) * (uint64_t)t->dims[1] + col, cols, s->raw + i * cols, err));
		return OG_OK;
	}
	og_tensor tile = *t;
	tile.offset += (row * (uint64_t)t->strides[0] + col * (uint64_t)t->strides[1]) * w;
	tile.dims[0] = (int64_t)rows;
	tile.dims[1] = (int64_t)cols;
	tile.size = rows * cols * w;
	return og_tensor_read(&tile, 0, rows * cols, s->raw, err);
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
		for (uint64_t r = 0; r < (uint64_t)p->rows; r += step) {
			uint64_t rows = (uint64_t)p->rows - r < step ? (uint64_t)p->rows - r : step;
			OG_TRY(read_tile(p->tensor, (uint64_t)p->first + r, rows, col, cols, s, err));
			const uint8_t *tile = convert(c, p->tensor->dtype, s->raw, rows * cols, NULL, s, err);
			if (!tile)
				return err ? err->status : ONNXGATE_NOMEM;
			const og_plane turn = { .width = w, .nx = rows, .ny = cols, .src_x = cols * w, .src_y = w, .dst_x = w, .dst_y = out * w };
			og_plane_copy(dst + x * w, tile, &turn);
			x += rows;
		}
	}
	return OG_OK;
}

/* ---- folded ---- */

#define FOLD_STEP 4096 /* elements */

typedef struct numbers { /* a window on a tensor's elements */
	uint8_t raw[FOLD_STEP * sizeof(double)];
	double v[FOLD_STEP];
} numbers;

static og_status read_numbers(const og_tensor *t, uint64_t first, uint64_t n, numbers *w, og_error *err)
{
	if (width_of(t->dtype) > sizeof(double))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: conversion from %s is not done", t->name, og_dtype_name(t->dtype));
	OG_TRY(read_elements(t, first, n, w->raw, err));
	return og_dtype_to_f64(t->dtype, w->raw, n, w->v) ? OG_OK
		: og_fail(err, ONNXGATE_UNSUPPORTED, "%s: conversion from %s is not done", t->name, og_dtype_name(t->dtype));
}

static og_status norm_factors(const og_init *c, double *out, uint64_t places, numbers *w, og_error *err)
{
	const og_tensor *v = c->parts[0].tensor;
	for (uint64_t k = 0, all = og_tensor_elements(v); k < all; k += FOLD_STEP) {
		uint64_t n = all - k < FOLD_STEP ? all - k : FOLD_STEP;
		OG_TRY(read_numbers(v, k, n, w, err));
		for (uint64_t i = 0; i < n; i++)
			out[(k + i) % places] += w->v[i] * w->v[i];
	}
	for (uint64_t k = 0; k < places; k += FOLD_STEP) {
		uint64_t n = places - k < FOLD_STEP ? places - k : FOLD_STEP;
		OG_TRY(read_numbers(c->gain, k, n, w, err));
		for (uint64_t i = 0; i < n; i++)
			out[k + i] = w->v[i] / sqrt(out[k + i]);
	}
	return OG_OK;
}

static og_status softmax_values(const og_init *c, double *out, uint64_t n, numbers *w, og_error *err)
{
	double largest = -INFINITY, sum = 0;
	for (uint64_t k = 0; k < n; k += FOLD_STEP) {
		uint64_t count = n - k < FOLD_STEP ? n - k : FOLD_STEP;
		OG_TRY(read_numbers(c->parts[0].tensor, k, count, w, err));
		memcpy(out + k, w->v, count * sizeof(*out));
	}
	for (uint64_t i = 0; i < n; i++)
		largest = fmax(largest, out[i]);
	for (uint64_t i = 0; i < n; i++)
		sum += out[i] = exp(out[i] - largest);
	for (uint64_t i = 0; i < n; i++)
		out[i] /= sum;
	return OG_OK;
}

og_status og_init_prepare(og_init *c, og_arena *arena, og_error *err)
{
	if (!c->fold || c->factors)
		return OG_OK;
	bool norm = c->fold == OG_FOLD_NORM;
	uint64_t n = og_tensor_elements(norm ? c->gain : c->parts[0].tensor);
	og_autofree numbers *w = og_alloc(sizeof(*w));
	double *factors = og_arena_array(arena, n ? n : 1, sizeof(*factors)); /* zeros */
	if (!w || !factors)
		return og_fail_nomem(err);
	OG_TRY(norm ? norm_factors(c, factors, n, w, err) : softmax_values(c, factors, n, w, err));
	c->factors = factors;
	return OG_OK;
}

static og_status fill_folded(const og_init *c, uint64_t begin, uint64_t end, uint8_t *dst, og_scratch *s, og_error *err)
{
	uint64_t places = (uint64_t)c->dims[c->rank - 1], width = width_of(c->dtype);
	og_autofree numbers *w = og_alloc(sizeof(*w));
	if (!w || !ensure(&s->real, &s->real_cap, FOLD_STEP * sizeof(float)))
		return og_fail_nomem(err);
	for (uint64_t k = begin; k < end; k += FOLD_STEP) {
		uint64_t n = end - k < FOLD_STEP ? end - k : FOLD_STEP;
		if (c->fold == OG_FOLD_NORM)
			OG_TRY(read_numbers(c->parts[0].tensor, k, n, w, err));
		for (uint64_t i = 0; i < n; i++)
			s->real[i] = (float)(c->fold == OG_FOLD_NORM ? w->v[i] * c->factors[(k + i) % places] : c->factors[k + i]);
		OG_TRY(narrow(c, s->real, n, dst + (k - begin) * width, err));
	}
	return OG_OK;
}

og_status og_init_fill(const og_init *c, uint64_t begin, uint64_t end, void *dst, og_scratch *s, og_error *err)
{
	og_tensor turned;
	uint64_t w = width_of(c->dtype);
	if (c->data) {
		memcpy(dst, (const uint8_t *)c->data + begin * w, (end - begin) * w);
		return OG_OK;
	}
	if (c->fold)
		return fill_folded(c, begin, end, dst, s, err);
	if (!c->transpose)
		return fill_plain(c, begin, end, dst, s, err);
	return lies_transposed(c, &turned) ? fill_from(c, &turned, begin, end - begin, dst, s, err) : fill_transposed(c, begin, end, dst, s, err);
}
