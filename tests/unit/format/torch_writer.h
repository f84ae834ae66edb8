/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes PyTorch's files for the tests, opcode by opcode and entry by entry, so that every one of them can be wrong. */
#ifndef TESTS_TORCH_WRITER_H
#define TESTS_TORCH_WRITER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "format/format.h"

#define W_MAX ((size_t)64 << 20)

/* ---- numbers ------------------------------------------------------------------------------------------- */

static inline void w_le(og_buf *b, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		og_buf_byte(b, (uint8_t)(v >> (8 * i)));
}

/* ---- pickle -------------------------------------------------------------------------------------------- */

static inline void w_text(og_buf *b, const char *s)
{
	og_buf_byte(b, 'X');
	w_le(b, strlen(s), 4);
	og_buf_str(b, s);
}

static inline void w_int(og_buf *b, int64_t v)
{
	if (v >= INT32_MIN && v <= INT32_MAX) {
		og_buf_byte(b, 'J');
		w_le(b, (uint64_t)v, 4);
	} else {
		og_buf_str(b, "\x8a\x08");
		w_le(b, (uint64_t)v, 8);
	}
}

static inline void w_ints(og_buf *b, const int64_t *v, size_t n)
{
	og_buf_byte(b, '(');
	for (size_t i = 0; i < n; i++)
		w_int(b, v[i]);
	og_buf_byte(b, 't');
}

static inline void w_global(og_buf *b, const char *module, const char *name)
{
	og_buf_printf(b, "c%s\n%s\n", module, name);
}

/* ("storage", torch.TYPE, key, "cpu", elements [, None]) */
static inline void w_storage(og_buf *b, const char *type, const char *key, int64_t elements, bool legacy)
{
	og_buf_byte(b, '(');
	w_text(b, "storage");
	w_global(b, "torch", type);
	w_text(b, key);
	w_text(b, "cuda:3");
	w_int(b, elements);
	og_buf_str(b, legacy ? "NtQ" : "tQ");
}

typedef struct w_tensor {
	const char *type, *key; /* NULL: FloatStorage, "0" */
	int64_t elements, offset;
	size_t rank, nstrides; /* nstrides 0: as rank */
	int64_t dims[20], strides[20];
	bool legacy;
	bool v1; /* _rebuild_tensor */
} w_tensor;

static inline void w_put_tensor(og_buf *b, const w_tensor *t)
{
	w_global(b, "torch._utils", t->v1 ? "_rebuild_tensor" : "_rebuild_tensor_v2");
	og_buf_byte(b, '(');
	w_storage(b, t->type ? t->type : "FloatStorage", t->key ? t->key : "0", t->elements, t->legacy);
	w_int(b, t->offset);
	w_ints(b, t->dims, t->rank);
	w_ints(b, t->strides, t->nstrides ? t->nstrides : t->rank);
	if (!t->v1) {
		og_buf_byte(b, 0x89);
		w_global(b, "collections", "OrderedDict");
		og_buf_str(b, ")R");
	}
	og_buf_str(b, "tR");
}

/* Six floats of storage "0" as [2, 3]. */
static inline void w_weight(og_buf *b)
{
	w_put_tensor(b, &(w_tensor){ .elements = 6, .rank = 2, .dims = { 2, 3 }, .strides = { 3, 1 } });
}

/* What is to be pickled, as a function that appends it. */
typedef void (*w_object)(og_buf *b);

/* ---- zip ----------------------------------------------------------------------------------------------- */

typedef struct w_entry {
	const char *name;
	const void *data;
	size_t n;
	bool deflate;
} w_entry;

static inline void w_zip_header(og_buf *b, const w_entry *e, uint32_t crc, size_t packed, bool central, uint64_t at)
{
	og_buf_str(b, central ? "PK\x01\x02" : "PK\x03\x04");
	if (central)
		w_le(b, 20, 2);
	w_le(b, 20, 2);
	w_le(b, 0, 2);
	w_le(b, e->deflate ? 8 : 0, 2);
	w_le(b, 0, 4);
	w_le(b, crc, 4);
	w_le(b, packed, 4);
	w_le(b, e->n, 4);
	w_le(b, strlen(e->name), 2);
	w_le(b, 0, 2);
	if (central) {
		w_le(b, 0, 6);
		w_le(b, 0, 4);
		w_le(b, at, 4);
	}
	og_buf_str(b, e->name);
}

static inline size_t w_packed(const w_entry *e, uint8_t *out, size_t cap)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)e->data;
	z.avail_in = (uInt)e->n;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return n;
}

static inline void w_zip(og_buf *b, const w_entry *e, size_t n)
{
	uint64_t at[64];
	uint32_t crc[64];
	size_t packed[64];
	assert_true(n <= 64);
	for (size_t i = 0; i < n; i++) {
		uint8_t out[65536];
		at[i] = b->n;
		crc[i] = e[i].n ? (uint32_t)crc32(0, e[i].data, (uInt)e[i].n) : 0;
		packed[i] = e[i].deflate ? w_packed(&e[i], out, sizeof(out)) : e[i].n;
		w_zip_header(b, &e[i], crc[i], packed[i], false, 0);
		og_buf_add(b, e[i].deflate ? out : e[i].data, packed[i]);
	}
	size_t start = b->n;
	for (size_t i = 0; i < n; i++)
		w_zip_header(b, &e[i], crc[i], packed[i], true, at[i]);
	size_t size = b->n - start;
	og_buf_str(b, "PK\x05\x06");
	w_le(b, 0, 4);
	w_le(b, n, 2);
	w_le(b, n, 2);
	w_le(b, size, 4);
	w_le(b, start, 4);
	w_le(b, 0, 2);
}

static const float w_floats[6] = { 0, 1, 2, 3, 4, 5 };

/* PROTO 2, the object, STOP. */
static inline void w_pickle(og_buf *b, w_object object)
{
	og_buf_init(b, W_MAX);
	og_buf_str(b, "\x80\x02");
	object(b);
	og_buf_byte(b, '.');
}

/* An archive of data.pkl, six floats as storage "0", and up to four entries more. */
static inline void w_torch_zip(og_buf *b, const og_buf *pickle, const w_entry *more, size_t nmore)
{
	w_entry e[7] = { { "archive/data.pkl", pickle->p, pickle->n, false }, { "archive/data/0", w_floats, sizeof(w_floats), false },
		{ "archive/version", "3\n", 2, false } };
	assert_true(nmore <= 4);
	for (size_t i = 0; i < nmore; i++)
		e[3 + i] = more[i];
	og_buf_init(b, W_MAX);
	w_zip(b, e, 3 + nmore);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static inline og_status w_open(const og_buf *b, og_reader **out, og_error *err)
{
	og_auto(og_source) *s = NULL;
	assert_false(b->failed);
	assert_int_equal(og_source_memory("m.bin", b->p, b->n, &s, NULL), OG_OK);
	og_status st = og_reader_open(s, out, err);
	if (st == OG_OK)
		(void)og_steal(&s);
	return st;
}

static inline og_reader *w_take(const og_buf *b)
{
	og_reader *r = NULL;
	og_error err = { 0 };
	if (w_open(b, &r, &err) != OG_OK)
		fail_msg("%s", err.message);
	return r;
}

static inline void w_refuse(const og_buf *b, og_status status, const char *message)
{
	og_reader *r = NULL;
	og_error err = { 0 };
	og_status s = w_open(b, &r, &err);
	if (s != status || !strstr(err.message, message) || strncmp(err.message, "m.bin: ", 7) != 0 || strchr(err.message, '\n'))
		fail_msg("expected status %d with \"%s\", found %d with \"%s\"", status, message, s, err.message);
	assert_null(r);
}

/* Of an object in an archive. */
static inline og_reader *w_take_object(w_object object)
{
	og_auto_buf p, z;
	w_pickle(&p, object);
	w_torch_zip(&z, &p, NULL, 0);
	return w_take(&z);
}

static inline void w_refuse_object(w_object object, og_status status, const char *message)
{
	og_auto_buf p, z;
	w_pickle(&p, object);
	w_torch_zip(&z, &p, NULL, 0);
	w_refuse(&z, status, message);
}

/* Of a file that PyTorch wrote. */
static inline og_status w_open_data(const char *name, og_reader **out, og_error *err)
{
	char path[400];
	og_auto(og_source) *s = NULL;
	snprintf(path, sizeof(path), "%s/data/torch/%s", OG_TESTS, name);
	assert_int_equal(og_source_open(path, &s, NULL), OG_OK);
	og_status st = og_reader_open(s, out, err);
	if (st == OG_OK)
		(void)og_steal(&s);
	return st;
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static inline const og_tensor *w_find(const og_reader *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (!strcmp(r->tensors[i].name, name))
			return &r->tensors[i];
	fail_msg("no tensor \"%s\"", name);
	return NULL;
}

static inline void w_expect_floats(const og_reader *r, const char *name, const float *expected, size_t n)
{
	float found[64];
	const og_tensor *t = w_find(r, name);
	og_error err = { 0 };
	assert_int_equal(t->dtype, OG_F32);
	assert_int_equal(og_tensor_elements(t), n);
	if (og_tensor_read(t, 0, n, found, &err) != OG_OK)
		fail_msg("%s: %s", name, err.message);
	for (size_t i = 0; i < n; i++)
		if (found[i] != expected[i])
			fail_msg("%s: element %zu: expected %g, found %g", name, i, (double)expected[i], (double)found[i]);
}

static inline void w_expect_bytes(const og_reader *r, const char *name, og_dtype dtype, const void *expected, size_t n)
{
	uint8_t found[256];
	const og_tensor *t = w_find(r, name);
	assert_int_equal(t->dtype, dtype);
	assert_int_equal(t->size, n);
	assert_int_equal(og_tensor_read(t, 0, og_tensor_elements(t), found, NULL), OG_OK);
	assert_memory_equal(found, expected, n);
}

static inline bool w_has_note(const og_reader *r, const char *text)
{
	for (size_t i = 0; i < r->note_count; i++)
		if (strstr(r->notes[i], text))
			return true;
	return false;
}

#endif
