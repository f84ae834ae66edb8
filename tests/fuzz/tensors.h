/* SPDX-License-Identifier: Apache-2.0
 *
 * What must hold of the tensors that any reader gives, whatever it was fed: each stays inside its source, and og_tensor_read() gives what
 * its strides say, taken one element at a time. */
#ifndef TESTS_FUZZ_TENSORS_H
#define TESTS_FUZZ_TENSORS_H

#include <stdlib.h>
#include <string.h>

#include "format/format.h"

#define ELEMENTS_MAX 600 /* of one tensor that are compared … */
#define TENSORS_MAX 24   /* … of so many */

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

static inline bool is_refusal(og_status s)
{
	return s == ONNXGATE_FORMAT || s == ONNXGATE_UNSUPPORTED || s == ONNXGATE_UNSAFE || s == ONNXGATE_MISMATCH;
}

static inline void check_refusal(og_status s, const og_error *e)
{
	must(is_refusal(s) && e->status == s);
	must(e->message[0] && !strchr(e->message, '\n') && !strchr(e->hint, '\n'));
}

/* Element i of the row-major order, by its definition. */
static inline void take_element(const og_tensor *t, uint64_t i, size_t width, uint8_t *out)
{
	uint64_t at = t->offset;
	for (int k = t->rank - 1; k >= 0; k--) {
		at += i % (uint64_t)t->dims[k] * (uint64_t)t->strides[k] * width;
		i /= (uint64_t)t->dims[k];
	}
	must(og_source_read(t->source, at, out, width, NULL) == OG_OK);
	size_t unit = t->dtype == OG_C64 || t->dtype == OG_C128 ? width / 2 : width;
	for (size_t from = 0; t->swapped && from < width; from += unit)
		for (size_t k = 0; k < unit / 2; k++) {
			uint8_t b = out[from + k];
			out[from + k] = out[from + unit - 1 - k];
			out[from + unit - 1 - k] = b;
		}
}

static inline void compare_elements(const og_tensor *t, uint64_t first, uint64_t n)
{
	size_t width = og_dtype_bits(t->dtype) / 8;
	uint8_t *got = malloc(n * (width ? width : 1) + 1), one[16]; /* its own block, so that a sanitizer sees one byte too far */
	og_error err = { 0 };
	if (!got)
		return;
	og_status s = og_tensor_read(t, first, n, got, &err);
	if (s != OG_OK) /* a deflated storage is only looked at now, and may turn out to be broken; then nothing of it is given out */
		check_refusal(s, &err);
	for (uint64_t i = 0; s == OG_OK && width && i < n; i++) {
		take_element(t, first + i, width, one);
		must(!memcmp(got + i * width, one, width));
	}
	free(got);
}

static inline void check_tensor(const og_tensor *t)
{
	uint64_t bytes = 0, span = 0, all = og_tensor_elements(t), n = all < ELEMENTS_MAX ? all : ELEMENTS_MAX;
	must(t->rank >= 0 && t->rank <= OG_RANK_MAX && t->name && strlen(t->name) <= OG_NAME_MAX && t->source && og_dtype_bits(t->dtype) <= 128);
	must(og_dtype_bytes(t->dtype, all, &bytes) && bytes == t->size && og_tensor_span(t, &span));
	must(!t->size || (t->offset <= t->source->size && span <= t->source->size - t->offset));
	if (og_dtype_bits(t->dtype) % 8) { /* only whole bytes can be asked for */
		compare_elements(t, 0, all < ELEMENTS_MAX ? all : ELEMENTS_MAX / 8 * 8);
		return;
	}
	compare_elements(t, 0, n);
	compare_elements(t, all - n, n);
	if (n > 2)
		compare_elements(t, (all - n) / 2 + 1, n - 2);
}

static inline void check_reader(og_reader *r)
{
	og_error err = { 0 };
	for (size_t i = 0; i < r->count; i++) {
		if (i < TENSORS_MAX)
			check_tensor(&r->tensors[i]);
		for (size_t k = i + 1; k < r->count && k < i + 4; k++)
			must(strcmp(r->tensors[i].name, r->tensors[k].name) != 0);
	}
	for (size_t i = 0; i < r->note_count; i++)
		must(r->notes[i][0] && !strchr(r->notes[i], '\n'));
	og_status s = og_reader_check(r, NULL, &err);
	if (s != OG_OK)
		check_refusal(s, &err);
}

/* The source is taken. */
static inline void open_and_check(og_source *s)
{
	og_reader *r = NULL;
	og_error err = { 0 };
	og_status status = og_reader_open(s, &r, &err);
	if (status == OG_OK) {
		check_reader(r);
	} else {
		must(!r);
		check_refusal(status, &err);
		og_source_free(s);
	}
	og_reader_free(r);
}

#endif
