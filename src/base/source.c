/* SPDX-License-Identifier: Apache-2.0
 *
 * The two plain kinds of source: a local file, read with pread, and bytes in memory. */
#include "base/source.h"

#include "base/file_int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct file {
	og_source s;
	struct timespec written; /* when it was, as of its opening */
} file;

typedef struct memory {
	og_source s;
	uint8_t *p;
} memory;

static og_status file_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	char *at = buf;
	while (n) {
		ssize_t k = pread(s->fd, at, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return og_fail_errno(err, errno, "read", s->name);
		if (!k) /* it was longer when it was opened */
			return og_fail_at(err, ONNXGATE_FORMAT, offset, "%s: truncated while it was read: expected %llu bytes, found %llu", s->name,
							  (unsigned long long)s->size, (unsigned long long)offset);
		at += k;
		offset += (uint64_t)k;
		n -= (size_t)k;
	}
	return OG_OK;
}

static void file_free(og_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	og_free(s->name);
	og_free(s);
}

static og_status memory_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	(void)err;
	if (n)
		memcpy(buf, ((memory *)s)->p + offset, n);
	return OG_OK;
}

static void memory_free(og_source *s)
{
	og_free(((memory *)s)->p);
	og_free(s->name);
	og_free(s);
}

static const og_source_ops file_ops = { file_read, file_free };
static const og_source_ops memory_ops = { memory_read, memory_free };

og_status og_source_open(const char *path, og_source **out, og_error *err)
{
	file *f = og_alloc(sizeof *f);
	og_auto(og_source) *s = f ? &f->s : NULL;
	struct stat st;
	if (!s)
		return og_fail_nomem(err);
	s->ops = &file_ops;
	s->fd = -1;
	s->name = og_strdup(path);
	if (!s->name)
		return og_fail_nomem(err);
	OG_TRY(og_open_regular(path, &s->fd, &st, err));
	s->size = (uint64_t)st.st_size;
	f->written = st.st_mtim;
	*out = og_steal(&s);
	return OG_OK;
}

og_status og_source_memory(const char *name, const void *p, size_t n, og_source **out, og_error *err)
{
	memory *m = og_alloc(sizeof *m);
	og_auto(og_source) *s = m ? &m->s : NULL;
	if (!m)
		return og_fail_nomem(err);
	s->ops = &memory_ops;
	s->fd = -1;
	s->size = n;
	s->name = og_strdup(name);
	m->p = og_alloc(n);
	if (!s->name || !m->p)
		return og_fail_nomem(err);
	if (n)
		memcpy(m->p, p, n);
	*out = og_steal(&s);
	return OG_OK;
}

og_status og_source_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	if (offset > s->size || n > s->size - offset)
		return og_fail_at(err, ONNXGATE_FORMAT, offset, "%s: truncated: %zu bytes expected at offset %llu, the file has %llu", s->name, n,
						  (unsigned long long)offset, (unsigned long long)s->size);
	return n ? s->ops->read(s, offset, buf, n, err) : OG_OK;
}

og_status og_source_unchanged(const og_source *s, og_error *err)
{
	struct stat st;
	if (s->ops != &file_ops)
		return OG_OK;
	const file *f = (const file *)s;
	if (fstat(s->fd, &st))
		return og_fail_errno(err, errno, "read", s->name);
	if ((uint64_t)st.st_size == s->size && st.st_mtim.tv_sec == f->written.tv_sec && st.st_mtim.tv_nsec == f->written.tv_nsec)
		return OG_OK;
	return og_fail(err, ONNXGATE_MISMATCH, "%s: somebody wrote to it while it was read: expected the same bytes to the end", s->name);
}

void og_source_free(og_source *s)
{
	if (s)
		s->ops->free(s);
}
