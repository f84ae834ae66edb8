/* SPDX-License-Identifier: Apache-2.0
 *
 * The weights of a described model, moved to another file that holds them in another order: what is written must not change. */
#ifndef OG_TEST_STRIDED_TOY_H
#define OG_TEST_STRIDED_TOY_H

#include "checkpoint_toy.h"

typedef enum toy_order { TOY_COLUMNS, TOY_COLUMNS_GAPS, TOY_ROWS_GAPS, TOY_BIG_ENDIAN, TOY_COLUMNS_BIG_ENDIAN, TOY_ORDERS } toy_order;

static inline void toy_zeros(og_buf *b, uint64_t n)
{
	while (n--)
		og_buf_byte(b, 0);
}

/* The same elements in this order, appended to buf; the view's source is still to be set. */
static inline og_tensor toy_reorder(const og_tensor *t, toy_order order, og_buf *buf)
{
	og_tensor v = *t;
	uint64_t n = og_tensor_elements(t), span = 0, w = og_dtype_bits(t->dtype) / 8;
	bool gaps = order == TOY_COLUMNS_GAPS || order == TOY_ROWS_GAPS, columns = order != TOY_ROWS_GAPS && order != TOY_BIG_ENDIAN;
	int64_t stride = gaps ? 2 : 1;
	for (int k = 0; k < v.rank; k++) {
		int i = columns ? k : v.rank - 1 - k;
		v.strides[i] = stride;
		stride = stride * v.dims[i] + (gaps ? 5 : 0);
	}
	v.swapped = order == TOY_BIG_ENDIAN || order == TOY_COLUMNS_BIG_ENDIAN;
	toy_zeros(buf, 3); /* no storage of PyTorch begins at an odd place, but nothing may depend on it */
	v.offset = buf->n;
	assert_true(og_tensor_span(&v, &span));
	toy_zeros(buf, span);
	assert_false(buf->failed);
	uint8_t *p = malloc(n * w + 1), *to = (uint8_t *)buf->p + v.offset;
	assert_int_equal(og_tensor_read(t, 0, n, p, NULL), OG_OK);
	for (uint64_t e = 0; e < n; e++) {
		uint64_t at = 0, left = e;
		for (int i = v.rank - 1; i >= 0; i--) {
			at += left % (uint64_t)v.dims[i] * (uint64_t)v.strides[i];
			left /= (uint64_t)v.dims[i];
		}
		for (uint64_t k = 0; k < w; k++)
			to[at * w + (v.swapped ? w - 1 - k : k)] = p[e * w + k];
	}
	free(p);
	return v;
}

/* Every weight of m into a file of that name, or into memory (NULL). The source is the caller's. */
static inline og_source *toy_move(og_model *m, toy_order order, const char *file)
{
	og_auto_buf buf;
	og_source *s = NULL;
	og_buf_init(&buf, 256 << 20);
	for (size_t i = 0; i < m->ninits; i++)
		for (size_t k = 0; k < m->inits[i]->nparts; k++) {
			og_tensor *t = og_arena_alloc(m->arena, sizeof(*t));
			*t = toy_reorder(m->inits[i]->parts[k].tensor, order, &buf);
			m->inits[i]->parts[k].tensor = t;
		}
	if (file) {
		assert_int_equal(og_file_write(scratch(file), buf.p, buf.n, NULL), OG_OK);
		assert_int_equal(og_source_open(scratch(file), &s, NULL), OG_OK);
	} else {
		assert_int_equal(og_source_memory("moved", buf.p, buf.n, &s, NULL), OG_OK);
	}
	for (size_t i = 0; i < m->ninits; i++)
		for (size_t k = 0; k < m->inits[i]->nparts; k++)
			((og_tensor *)(uintptr_t)m->inits[i]->parts[k].tensor)->source = s;
	return s;
}

#endif
