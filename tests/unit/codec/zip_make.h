/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes small zip archives for tests: honest ones, with the place of every record noted, so that a test can lie about any field
 * afterwards with zm_put.  Nothing of src/codec/zip*.c is used. */
#ifndef OG_TESTS_ZIP_MAKE_H
#define OG_TESTS_ZIP_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	ZM_DEFLATE = 1,
	ZM_DESCRIPTOR = 2, /* after the data, and zeros in the local header */
	ZM_NO_SIGNATURE = 4, /* of the descriptor */
	ZM_ZIP64 = 8, /* the entry's sizes and place are in zip64 records, its descriptor is long; of the end: zip64 records */
	ZM_PAD = 16, /* an extra field "FB" of 20 bytes, as PyTorch aligns */
};

typedef struct zm_entry {
	size_t name_n; /* the name stands in the local header */
	unsigned how;
	uint32_t crc;
	size_t local, data, packed, size, after, central; /* after: of the descriptor */
} zm_entry;

typedef struct zip_make {
	uint8_t *p;
	size_t n, cap, directory, end64, locator, end;
	zm_entry e[16];
	int count;
} zip_make;

static inline void zm_raw(zip_make *m, const void *p, size_t n)
{
	if (m->n + n > m->cap) {
		m->cap = 2 * (m->n + n) + 256;
		m->p = realloc(m->p, m->cap);
		if (!m->p)
			abort();
	}
	if (n)
		memcpy(m->p + m->n, p, n);
	m->n += n;
}

static inline void zm_put(zip_make *m, size_t at, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		m->p[at + i] = (uint8_t)(v >> 8 * i);
}

static inline void zm_num(zip_make *m, unsigned bytes, uint64_t v)
{
	uint8_t zeros[8] = { 0 };
	zm_raw(m, zeros, bytes);
	zm_put(m, m->n - bytes, bytes, v);
}

/* MemorySanitizer does not see what zlib writes: zeros count as written. */
static inline void *zm_zeros(void *arg, unsigned n, unsigned size)
{
	(void)arg;
	return calloc(n, size);
}

static inline void zm_zeros_free(void *arg, void *p)
{
	(void)arg;
	free(p);
}

static inline void zm_pack(zip_make *m, zm_entry *e, const void *data, size_t n)
{
	uLongf cap = compressBound((uLong)n) + 64;
	uint8_t *out = calloc(1, cap);
	z_stream s = { .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)cap,
		.zalloc = zm_zeros, .zfree = zm_zeros_free };
	if (!out || deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK || deflate(&s, Z_FINISH) != Z_STREAM_END)
		abort();
	e->packed = cap - s.avail_out;
	deflateEnd(&s);
	zm_raw(m, out, e->packed);
	free(out);
}

static inline zm_entry *zm_add_n(zip_make *m, const char *name, size_t name_n, const void *data, size_t n, unsigned how)
{
	static const uint8_t fill[16] = "ZZZZZZZZZZZZZZZ";
	zm_entry *e = &m->e[m->count++];
	size_t extra = (how & ZM_ZIP64 ? 20u : 0u) + (how & ZM_PAD ? 20u : 0u);
	bool later = how & ZM_DESCRIPTOR;
	*e = (zm_entry){ .name_n = name_n, .how = how, .local = m->n, .packed = n, .size = n };
	e->crc = (uint32_t)crc32_z(0, data, n);
	zm_num(m, 4, 0x04034b50);
	zm_num(m, 2, how & ZM_ZIP64 ? 45 : 20);
	zm_num(m, 2, 0x0800 | (later ? 8 : 0));
	zm_num(m, 2, how & ZM_DEFLATE ? 8 : 0);
	zm_num(m, 4, 0);
	zm_num(m, 4, later ? 0 : e->crc);
	zm_num(m, 8, 0); /* sizes: below */
	zm_num(m, 2, name_n);
	zm_num(m, 2, extra);
	zm_raw(m, name, name_n);
	if (how & ZM_ZIP64) {
		zm_num(m, 4, 0x00100001);
		zm_num(m, 8, 0);
		zm_num(m, 8, 0);
	}
	if (how & ZM_PAD) {
		zm_num(m, 4, 0x00104246);
		zm_raw(m, fill, 16);
	}
	e->data = m->n;
	if (how & ZM_DEFLATE)
		zm_pack(m, e, data, n);
	else
		zm_raw(m, data, n);
	e->after = m->n;
	if (how & ZM_ZIP64) {
		zm_put(m, e->local + 18, 8, UINT64_MAX);
		zm_put(m, e->local + 30 + name_n + 4, 8, later ? 0 : n);
		zm_put(m, e->local + 30 + name_n + 12, 8, later ? 0 : e->packed);
	} else if (!later) {
		zm_put(m, e->local + 18, 4, e->packed);
		zm_put(m, e->local + 22, 4, n);
	}
	if (later) {
		unsigned width = how & ZM_ZIP64 ? 8 : 4;
		if (!(how & ZM_NO_SIGNATURE))
			zm_num(m, 4, 0x08074b50);
		zm_num(m, 4, e->crc);
		zm_num(m, width, e->packed);
		zm_num(m, width, n);
	}
	return e;
}

static inline zm_entry *zm_add(zip_make *m, const char *name, const void *data, size_t n, unsigned how)
{
	return zm_add_n(m, name, strlen(name), data, n, how);
}

/* The directory's record of an entry. */
static inline void zm_central(zip_make *m, zm_entry *e)
{
	bool wide = e->how & ZM_ZIP64;
	e->central = m->n;
	zm_num(m, 4, 0x02014b50);
	zm_num(m, 4, 0x002d031e);
	zm_num(m, 2, 0x0800 | (e->how & ZM_DESCRIPTOR ? 8 : 0));
	zm_num(m, 2, e->how & ZM_DEFLATE ? 8 : 0);
	zm_num(m, 4, 0);
	zm_num(m, 4, e->crc);
	zm_num(m, 4, wide ? 0xffffffff : e->packed);
	zm_num(m, 4, wide ? 0xffffffff : e->size);
	zm_num(m, 2, e->name_n);
	zm_num(m, 2, wide ? 28 : 0);
	zm_num(m, 2, 0); /* comment */
	zm_num(m, 2, 0); /* disk */
	zm_num(m, 6, 0); /* attributes */
	zm_num(m, 4, wide ? 0xffffffff : e->local);
	uint8_t *name = malloc(e->name_n + 1);
	if (!name)
		abort();
	memcpy(name, m->p + e->local + 30, e->name_n);
	zm_raw(m, name, e->name_n);
	free(name);
	if (wide) {
		zm_num(m, 4, 0x00180001);
		zm_num(m, 8, e->size);
		zm_num(m, 8, e->packed);
		zm_num(m, 8, e->local);
	}
}

/* The end records: of a directory that begins at m->directory and ends here. */
static inline void zm_end(zip_make *m, unsigned how, const void *comment, size_t comment_n)
{
	size_t size = m->n - m->directory;
	uint64_t count = (uint64_t)m->count;
	if (how & ZM_ZIP64) {
		m->end64 = m->n;
		zm_num(m, 4, 0x06064b50);
		zm_num(m, 8, 44);
		zm_num(m, 4, 0x002d002d);
		zm_num(m, 8, 0);
		zm_num(m, 8, count);
		zm_num(m, 8, count);
		zm_num(m, 8, size);
		zm_num(m, 8, m->directory);
		m->locator = m->n;
		zm_num(m, 4, 0x07064b50);
		zm_num(m, 4, 0);
		zm_num(m, 8, m->end64);
		zm_num(m, 4, 1);
	}
	m->end = m->n;
	zm_num(m, 4, 0x06054b50);
	zm_num(m, 4, 0);
	zm_num(m, 2, how & ZM_ZIP64 ? 0xffff : count);
	zm_num(m, 2, how & ZM_ZIP64 ? 0xffff : count);
	zm_num(m, 4, how & ZM_ZIP64 ? 0xffffffff : size);
	zm_num(m, 4, how & ZM_ZIP64 ? 0xffffffff : m->directory);
	zm_num(m, 2, comment_n);
	zm_raw(m, comment, comment_n);
}

static inline void zm_finish(zip_make *m, unsigned how)
{
	m->directory = m->n;
	for (int i = 0; i < m->count; i++)
		zm_central(m, &m->e[i]);
	zm_end(m, how, "", 0);
}

static inline void zm_done(zip_make *m)
{
	free(m->p);
	*m = (zip_make){ 0 };
}

#endif
