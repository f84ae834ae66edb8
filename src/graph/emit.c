/* SPDX-License-Identifier: Apache-2.0
 *
 * Emission: the layout's segments are cut into pieces of a few megabytes; workers fill them in any order, and a
 * follower hashes the contiguous front, reading it back from the page cache. */
#include "graph/emit.h"

#include "base/file.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "codec/digest.h"
#include "graph/transform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define COPY_PIECE (16u << 20)     /* of a run that the kernel copies by itself */
#define BUFFERS_BYTES (24u << 20)  /* of all workers together: our memory, whatever the model's size */
#define PIECE_BYTES_MAX (12u << 20) /* a transposed matrix up to this size is read in long runs, a larger one in bands of columns */
#define PIECE_BYTES_MIN (2u << 20)
#define HASH_READ (1u << 20)
#define WORKERS_MAX 64

typedef struct piece {
	uint64_t at, size; /* in the file */
	const og_segment *segment;
	uint64_t begin; /* bytes into the segment */
	bool done;
} piece;

typedef struct output { /* one of the two files */
	og_tmpfile *tmp;
	const char *path;
	int fd;
	piece *pieces; /* sorted by at: segments are laid out in rising order */
	size_t npieces, cap;
	uint64_t size;
	char sha256[65];
} output;

typedef struct emission {
	const og_layout *layout;
	const og_context *ctx;
	output *out;
	og_scratch scratch[WORKERS_MAX];
	uint8_t *buffers[WORKERS_MAX];
	size_t buffer_caps[WORKERS_MAX];
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	pthread_mutex_t writing; /* file systems admit one writer of a file at a time; waiting here sleeps, waiting there spins */
	uint64_t written;
	bool stopped; /* a worker failed: the follower must not wait for it */
	og_status followed;
	og_error follow_error;
} emission;

/* ---- pieces ---- */

static uint64_t piece_bytes(int threads)
{
	uint64_t share = BUFFERS_BYTES / (uint64_t)threads;
	return share > PIECE_BYTES_MAX ? PIECE_BYTES_MAX : share < PIECE_BYTES_MIN ? PIECE_BYTES_MIN : share;
}

static og_status cut_segment(const og_model *m, output *o, const og_segment *s, int threads, og_error *err)
{
	const og_tensor *t;
	uint64_t at, step = COPY_PIECE;
	if (s->init && !og_init_is_copy(s->init, &t, &at))
		step = og_init_piece(s->init, piece_bytes(threads)) * (og_dtype_bits(s->init->dtype) / 8);
	for (uint64_t k = 0; k < s->size; k += step) {
		if (!og_arena_grow(m->arena, &o->pieces, &o->cap, o->npieces + 1, sizeof(*o->pieces)))
			return og_fail_nomem(err);
		o->pieces[o->npieces++] = (piece){ .at = s->at + k, .size = s->size - k < step ? s->size - k : step, .segment = s, .begin = k };
	}
	return OG_OK;
}

static og_status fill_buffer(emission *e, int worker, const piece *p, og_error *err)
{
	if (e->buffer_caps[worker] < p->size) {
		og_free(e->buffers[worker]);
		e->buffers[worker] = og_array_alloc(p->size, 1);
		e->buffer_caps[worker] = e->buffers[worker] ? p->size : 0;
		if (!e->buffers[worker])
			return og_fail_nomem(err);
	}
	uint64_t width = og_dtype_bits(p->segment->init->dtype) / 8;
	return og_init_fill(p->segment->init, p->begin / width, (p->begin + p->size) / width, e->buffers[worker], &e->scratch[worker], err);
}

/* Where a piece comes from: the head, a run of the source that the kernel can copy, or a buffer that has to be filled. */
static bool is_copy(const piece *p, const og_tensor **t, uint64_t *from)
{
	return p->segment->init && og_init_is_copy(p->segment->init, t, from) && (*t)->source->fd >= 0;
}

static og_status put(emission *e, int worker, const piece *p, og_error *err)
{
	output *o = e->out;
	const og_tensor *t;
	uint64_t from;
	if (is_copy(p, &t, &from))
		return og_copy_range(t->source->fd, from + p->begin, o->fd, p->at, p->size, t->source->name, o->path, err);
	const uint8_t *bytes = p->segment->init ? e->buffers[worker] : e->layout->head.p + p->segment->head + p->begin;
	return og_pwrite_all(o->fd, bytes, p->size, p->at, o->path, err);
}

static og_status write_piece(emission *e, int worker, const piece *p, og_error *err)
{
	const og_tensor *t;
	uint64_t from;
	if (p->segment->init && !is_copy(p, &t, &from))
		OG_TRY(fill_buffer(e, worker, p, err));
	pthread_mutex_lock(&e->writing);
	og_status s = put(e, worker, p, err);
	pthread_mutex_unlock(&e->writing);
	return s;
}

static void settle(emission *e, piece *p, bool good)
{
	pthread_mutex_lock(&e->mutex);
	p->done = good;
	e->stopped = e->stopped || !good;
	e->written += p->size;
	uint64_t written = e->written;
	pthread_cond_broadcast(&e->moved);
	pthread_mutex_unlock(&e->mutex);
	if (good)
		og_progress(e->ctx, og_path_base(e->out->path), written, e->out->size);
}

/* ---- the follower ---- */

static bool wait_for(emission *e, const piece *p)
{
	pthread_mutex_lock(&e->mutex);
	while (!p->done && !e->stopped)
		pthread_cond_wait(&e->moved, &e->mutex);
	bool done = p->done;
	pthread_mutex_unlock(&e->mutex);
	return done;
}

static og_status hash_piece(const output *o, const piece *p, og_digest *d, uint8_t *buf, og_error *err)
{
	for (uint64_t k = 0; k < p->size;) {
		size_t n = p->size - k < HASH_READ ? (size_t)(p->size - k) : HASH_READ;
		ssize_t got = pread(o->fd, buf, n, (off_t)(p->at + k));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return og_fail_errno(err, got < 0 ? errno : EIO, "read back", o->path);
		OG_TRY(og_digest_update(d, buf, (size_t)got, err));
		k += (uint64_t)got;
	}
	return OG_OK;
}

/* Gaps between segments (alignment) read as zeros, as the file has them. */
static og_status follow(emission *e, og_error *err)
{
	output *o = e->out;
	og_auto(og_digest) *d = NULL;
	og_autofree uint8_t *buf = og_array_alloc(HASH_READ, 1);
	if (!buf)
		return og_fail_nomem(err);
	OG_TRY(og_digest_sha256(&d, err));
	uint64_t front = 0;
	for (size_t i = 0; i < o->npieces; i++) {
		const piece *p = &o->pieces[i];
		piece gap = { .at = front, .size = p->at - front };
		if (!wait_for(e, p))
			return OG_OK; /* the worker that failed says why */
		OG_TRY(hash_piece(o, &gap, d, buf, err));
		OG_TRY(hash_piece(o, p, d, buf, err));
		front = p->at + p->size;
	}
	return og_digest_hex(d, o->sha256, err);
}

static og_status run_item(void *arg, int worker, size_t item, og_error *err)
{
	emission *e = arg;
	piece *p = &e->out->pieces[item];
	og_status s = og_check_cancel(e->ctx, err);
	if (s == OG_OK)
		s = write_piece(e, worker, p, err);
	if (s == OG_OK) /* the disk begins now; the fsync at the end then waits for the rest only. A hint: its failure means nothing. */
		sync_file_range(e->out->fd, (off_t)p->at, (off_t)p->size, SYNC_FILE_RANGE_WRITE);
	settle(e, p, s == OG_OK);
	return s;
}

static void *run_follower(void *arg)
{
	emission *e = arg;
	e->followed = follow(e, &e->follow_error);
	return NULL;
}

/* The workers, and the follower in a thread of its own. It waits for them, so it must not take the place of the only one that the
 * system gives: without a thread for it, it comes after them. */
static og_status run_all(emission *e, bool digest, og_error *err)
{
	pthread_t follower;
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the host's threads */
	bool beside = digest && pthread_create(&follower, NULL, run_follower, e) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	int threads = og_context_threads(e->ctx);
	og_status s = og_pool_run(threads < WORKERS_MAX ? threads : WORKERS_MAX, e->out->npieces, run_item, e, err);
	pthread_mutex_lock(&e->mutex);
	e->stopped = e->stopped || s != OG_OK;
	pthread_cond_broadcast(&e->moved);
	pthread_mutex_unlock(&e->mutex);
	if (beside)
		pthread_join(follower, NULL);
	else if (digest)
		run_follower(e);
	if (s == OG_OK && e->followed != OG_OK) {
		s = e->followed;
		if (err)
			*err = e->follow_error;
	}
	return s;
}

/* ---- one file ---- */

static og_status reserve(const output *o, og_error *err)
{
	/* The disk is asked for all of it first: a full one is found before any work. Not every file system can. */
	if (o->size && fallocate(o->fd, 0, 0, (off_t)o->size) != 0) {
		if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
			return og_fail_errno(err, errno, "reserve space for", o->path);
		if (ftruncate(o->fd, (off_t)o->size) != 0)
			return og_fail_errno(err, errno, "resize", o->path);
	}
	return OG_OK;
}

static og_status emit_file(const og_model *m, const og_layout *l, output *o, bool external, const og_emit_options *opt, const og_context *ctx, og_error *err)
{
	for (size_t i = 0; i < l->nsegments; i++)
		if (l->segments[i].external == external)
			OG_TRY(cut_segment(m, o, &l->segments[i], og_context_threads(ctx), err));
	OG_TRY(og_tmpfile_open(o->path, NULL, &o->tmp, err));
	o->fd = og_tmpfile_fd(o->tmp);
	OG_TRY(reserve(o, err));
	og_autofree emission *e = og_alloc(sizeof(*e));
	if (!e)
		return og_fail_nomem(err);
	e->layout = l;
	e->ctx = ctx;
	e->out = o;
	pthread_mutex_init(&e->mutex, NULL);
	pthread_cond_init(&e->moved, NULL);
	pthread_mutex_init(&e->writing, NULL);
	og_status s = run_all(e, opt->digest, err);
	for (int i = 0; i < WORKERS_MAX; i++) {
		og_scratch_done(&e->scratch[i]);
		og_free(e->buffers[i]);
	}
	pthread_mutex_destroy(&e->mutex);
	pthread_cond_destroy(&e->moved);
	pthread_mutex_destroy(&e->writing);
	return s == OG_OK ? og_tmpfile_commit(o->tmp, err) : s;
}

og_status og_emit(const og_model *m, const char *dir, const char *name, const og_emit_options *o, const og_context *ctx, og_emitted out[2], size_t *nout,
	og_error *err)
{
	const char *data_name = og_arena_printf(m->arena, "%s_data", name);
	og_autofree char *path = og_path_join(dir, name), *data_path = data_name ? og_path_join(dir, data_name) : NULL;
	if (!path || !data_path)
		return og_fail_nomem(err);
	og_layout l;
	for (size_t i = 0; i < m->ninits; i++)
		OG_TRY(og_init_prepare(m->inits[i], m->arena, err));
	OG_TRY(og_layout_make(m, o->external, og_path_base(data_name), &l, err));
	/* The data first: a model file never refers to data that is not there. */
	output files[2] = { { .path = data_path, .size = l.data_size }, { .path = path, .size = l.size } };
	og_status s = OG_OK;
	*nout = 0;
	for (size_t i = l.data_size ? 0 : 1; i < 2 && s == OG_OK; i++) {
		s = emit_file(m, &l, &files[i], i == 0, o, ctx, err);
		og_tmpfile_free(files[i].tmp);
		og_emitted *r = &out[(*nout)++];
		*r = (og_emitted){ .name = i == 0 ? data_name : name, .size = files[i].size };
		memcpy(r->sha256, files[i].sha256, sizeof(r->sha256));
	}
	og_layout_done(&l);
	return s;
}
