/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of zip entries.  What is inflated goes through one loop that knows how much must come out: it stops at the first byte too
 * many, and nobody sees any of it before size and CRC are right. */
#include "codec/zip.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/pool.h"
#include "codec/zip_int.h"

#define IN ((size_t)64 << 10)
#define OUT ((size_t)256 << 10)
#define PIECE ((uint64_t)8 << 20) /* of an entry, for one thread */

static og_status check_crc(const og_zip *z, const og_zip_entry *e, uint32_t found, og_error *err)
{
	if (found == e->crc || z->no_crc)
		return OG_OK;
	return og_zip_bad(z, e, err, ONNXGATE_MISMATCH, e->data_at, "CRC-32: expected %08x, found %08x", e->crc, found);
}

/* ---- inflate ---------------------------------------------------------------------------------------- */

typedef og_status (*put_fn)(void *arg, const uint8_t *p, size_t n, uint64_t at, og_error *err);

static void *zlib_alloc(void *arg, unsigned n, unsigned size)
{
	(void)arg;
	return og_array_alloc(n, size);
}

static void zlib_free(void *arg, void *p)
{
	(void)arg;
	og_free(p);
}

static void end_stream(z_stream *s)
{
	inflateEnd(s);
}

/* One call of inflate(); *more: there is more to come. */
static og_status step(const og_zip *z, const og_zip_entry *e, z_stream *s, bool input_left, bool *more, og_error *err)
{
	int rc = inflate(s, Z_NO_FLUSH);
	*more = rc != Z_STREAM_END;
	if (rc == Z_STREAM_END || rc == Z_OK || (rc == Z_BUF_ERROR && (input_left || !s->avail_out)))
		return OG_OK;
	if (rc == Z_MEM_ERROR)
		return og_fail_nomem(err);
	if (rc == Z_BUF_ERROR)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, e->data_at, "its deflated data ends too early");
	return og_zip_bad(z, e, err, ONNXGATE_FORMAT, e->data_at, "its deflated data is broken: %s", s->msg ? s->msg : "a dictionary is wanted");
}

static og_status inflate_all(const og_zip *z, const og_zip_entry *e, put_fn put, void *arg, og_error *err)
{
	og_autofree uint8_t *in = og_alloc(IN), *out = og_alloc(OUT);
	__attribute__((cleanup(end_stream))) z_stream s = { .zalloc = zlib_alloc, .zfree = zlib_free };
	uint64_t left = e->packed_size, total = 0;
	uLong crc = crc32_z(0, NULL, 0);
	bool more = true;
	if (!in || !out || inflateInit2(&s, -MAX_WBITS) != Z_OK)
		return og_fail_nomem(err);
	while (more) {
		if (!s.avail_in && left) {
			size_t n = left < IN ? (size_t)left : IN;
			OG_TRY(og_source_read(z->source, e->data_at + e->packed_size - left, in, n, err));
			s.next_in = in;
			s.avail_in = (unsigned)n;
			left -= n;
		}
		s.next_out = out;
		s.avail_out = (unsigned)OUT;
		OG_TRY(step(z, e, &s, left > 0, &more, err));
		size_t n = OUT - s.avail_out;
		if (n > e->size - total)
			return og_zip_bad(z, e, err, ONNXGATE_UNSAFE, e->data_at, "more than the %" PRIu64 " bytes that it states come out of it", e->size);
		crc = crc32_z(crc, out, n);
		OG_TRY(put(arg, out, n, total, err));
		total += n;
	}
	if (total != e->size || left || s.avail_in)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, e->data_at,
						  "unpacked: expected %" PRIu64 " bytes, found %" PRIu64 " and %" PRIu64 " packed ones that are left", e->size, total,
						  left + s.avail_in);
	return check_crc(z, e, (uint32_t)crc, err);
}

static og_status put_memory(void *arg, const uint8_t *p, size_t n, uint64_t at, og_error *err)
{
	(void)err;
	if (n)
		memcpy((uint8_t *)arg + at, p, n);
	return OG_OK;
}

og_status og_zip_read(const og_zip *z, const og_zip_entry *e, size_t max, og_arena *arena, const uint8_t **out, og_error *err)
{
	uint8_t *p;
	if (e->size > max)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, e->header_at, "%" PRIu64 " bytes, expected at most %zu", e->size, max);
	p = og_arena_alloc(arena, (size_t)e->size);
	if (!p)
		return og_fail_nomem(err);
	if (e->deflated) {
		OG_TRY(inflate_all(z, e, put_memory, p, err));
	} else {
		OG_TRY(og_source_read(z->source, e->data_at, p, (size_t)e->size, err));
		OG_TRY(check_crc(z, e, (uint32_t)crc32_z(0, p, (size_t)e->size), err));
	}
	*out = p;
	return OG_OK;
}

/* ---- a deflated entry as a source ------------------------------------------------------------------- */

typedef enum state { UNTOUCHED, READY, BROKEN } state;

typedef struct inflated {
	og_source s;
	const og_zip *z;
	og_zip_entry e;
	pthread_mutex_t lock; /* held while it is inflated */
	int state;            /* atomic */
	int fd;               /* z->unpacked's, borrowed; written before state is READY; s.fd would be read without the lock */
	uint64_t at;          /* of its range in there */
	og_error error;
} inflated;

static og_status put_file(void *arg, const uint8_t *p, size_t n, uint64_t at, og_error *err)
{
	const inflated *f = arg;
	return og_pwrite_all(f->fd, p, n, f->at + at, "a temporary file", err);
}

static og_status open_file(inflated *f, og_error *err)
{
	og_zip_unpacked *u = f->z->unpacked;
	og_status status = OG_OK;
	pthread_mutex_lock(&u->lock);
	if (u->fd < 0)
		status = og_file_unlinked(&u->fd, err);
	f->fd = u->fd;
	pthread_mutex_unlock(&u->lock);
	return status;
}

static og_status make_ready(inflated *f, og_error *err)
{
	og_status status = OG_OK;
	pthread_mutex_lock(&f->lock);
	if (f->state == UNTOUCHED) {
		f->error = (og_error){ .offset = ONNXGATE_NO_OFFSET };
		status = open_file(f, &f->error);
		if (status == OG_OK)
			status = inflate_all(f->z, &f->e, put_file, f, &f->error);
		__atomic_store_n(&f->state, status == OG_OK ? READY : BROKEN, __ATOMIC_RELEASE);
	}
	if (f->state == BROKEN) {
		status = f->error.status;
		if (err)
			*err = f->error;
	}
	pthread_mutex_unlock(&f->lock);
	return status;
}

static og_status inflated_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	inflated *f = (inflated *)s;
	uint8_t *p = buf;
	if (__atomic_load_n(&f->state, __ATOMIC_ACQUIRE) != READY)
		OG_TRY(make_ready(f, err));
	while (n) {
		ssize_t k = pread(f->fd, p, n, (off_t)(f->at + offset));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return og_fail_errno(err, errno, "read", "a temporary file");
		if (!k)
			return og_fail(err, ONNXGATE_IO, "%s: the temporary file that it was unpacked into was cut", s->name);
		p += k;
		offset += (uint64_t)k;
		n -= (size_t)k;
	}
	return OG_OK;
}

static void inflated_free(og_source *s)
{
	inflated *f = (inflated *)s;
	og_zip_unpacked *u = f->z->unpacked;
	pthread_mutex_lock(&u->lock);
	if (!--u->users) {
		if (u->fd >= 0)
			close(u->fd);
		u->fd = -1;
		u->size = 0;
	}
	pthread_mutex_unlock(&u->lock);
	pthread_mutex_destroy(&f->lock);
	og_free(s->name);
	og_free(f);
}

static const og_source_ops inflated_ops = { inflated_read, inflated_free };

og_status og_zip_inflated(const og_zip *z, const og_zip_entry *e, og_source **out, og_error *err)
{
	size_t n = strlen(z->source->name) + strlen(e->name) + 3;
	og_autofree char *name = og_alloc(n);
	inflated *f;
	if (!e->deflated)
		return og_zip_bad(z, e, err, ONNXGATE_INTERNAL, e->header_at, "asked to be inflated, but it is stored");
	f = og_alloc(sizeof *f);
	if (!f || !name) {
		og_free(f);
		return og_fail_nomem(err);
	}
	snprintf(name, n, "%s: %s", z->source->name, e->name);
	f->s = (og_source){ .ops = &inflated_ops, .size = e->size, .fd = -1, .name = og_steal(&name) };
	f->z = z;
	f->e = *e;
	f->fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_lock(&z->unpacked->lock);
	z->unpacked->users++;
	f->at = z->unpacked->size;
	z->unpacked->size += e->size;
	pthread_mutex_unlock(&z->unpacked->lock);
	*out = &f->s;
	return OG_OK;
}

/* ---- CRC of a stored entry -------------------------------------------------------------------------- */

typedef struct checking {
	const og_zip *z;
	const og_zip_entry *e;
	const og_context *ctx;
	const char *what;
	uint32_t *crcs; /* of each piece */
	uint64_t done;  /* atomic */
} checking;

static uint64_t piece_size(const og_zip_entry *e, size_t i)
{
	uint64_t left = e->size - (uint64_t)i * PIECE;
	return left < PIECE ? left : PIECE;
}

static og_status check_piece(void *arg, int worker, size_t i, og_error *err)
{
	checking *c = arg;
	uint64_t n = piece_size(c->e, i), at = c->e->data_at + (uint64_t)i * PIECE;
	og_autofree uint8_t *buffer = og_alloc(n < OUT ? (size_t)n : OUT);
	uLong crc = crc32_z(0, NULL, 0);
	(void)worker;
	if (!buffer)
		return og_fail_nomem(err);
	for (uint64_t left = n; left;) {
		size_t k = left < OUT ? (size_t)left : OUT;
		OG_TRY(og_check_cancel(c->ctx, err));
		OG_TRY(og_source_read(c->z->source, at, buffer, k, err));
		crc = crc32_z(crc, buffer, k);
		at += k;
		left -= k;
	}
	c->crcs[i] = (uint32_t)crc;
	og_progress(c->ctx, c->what, __atomic_add_fetch(&c->done, n, __ATOMIC_RELAXED), c->e->size);
	return OG_OK;
}

og_status og_zip_check(const og_zip *z, const og_zip_entry *e, const og_context *ctx, og_error *err)
{
	size_t n = (size_t)((e->size + PIECE - 1) / PIECE), name = strlen(e->name) + sizeof "check ";
	og_autofree char *what = og_alloc(name);
	og_autofree uint32_t *crcs = og_array_alloc(n ? n : 1, sizeof *crcs);
	checking c = { z, e, ctx, what, crcs, 0 };
	uLong crc = crc32_z(0, NULL, 0);
	if (!what || !crcs)
		return og_fail_nomem(err);
	if (e->deflated || z->no_crc)
		return OG_OK;
	snprintf(what, name, "check %s", e->name);
	OG_TRY(og_pool_run(og_context_threads(ctx), n, check_piece, &c, err));
	for (size_t i = 0; i < n; i++)
		crc = crc32_combine(crc, crcs[i], (z_off_t)piece_size(e, i));
	return check_crc(z, e, (uint32_t)crc, err);
}
