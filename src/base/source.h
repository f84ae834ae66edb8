/* SPDX-License-Identifier: Apache-2.0
 *
 * A source: bytes that can be read at an offset.  A local file is read with pread, never mapped: a file that
 * shrinks while it is read then ends in an error instead of SIGBUS, and its pages do not count as our memory.
 * Other kinds (a window of a remote file, a part of an archive) fill the same vtable. Thread-safe. */
#ifndef OG_BASE_SOURCE_H
#define OG_BASE_SOURCE_H

#include "base/alloc.h"
#include "base/error.h"

typedef struct og_source og_source;

typedef struct og_source_ops {
	og_status (*read)(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err);
	void (*free)(og_source *s);
} og_source_ops;

struct og_source { /* the first member of every kind */
	const og_source_ops *ops;
	uint64_t size;
	int fd;     /* a real file that holds exactly these bytes (for copy_file_range), or -1 */
	char *name; /* for messages: the path */
};

/* A regular file (links followed; a folder, FIFO or device is refused by name: FORMAT). NOT_FOUND if absent. */
og_status og_source_open(const char *path, og_source **out, og_error *err) OG_MUST;
/* Bytes in memory; copied. For tests and small parts. */
og_status og_source_memory(const char *name, const void *p, size_t n, og_source **out, og_error *err) OG_MUST;
/* All n bytes, or FORMAT when the range ends past the size ("truncated"), IO when reading fails. */
og_status og_source_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err) OG_MUST;
/* MISMATCH when a local file was written to since it was opened, as far as its size and time tell. Other kinds: OK. */
og_status og_source_unchanged(const og_source *s, og_error *err) OG_MUST;
void og_source_free(og_source *s);
OG_DEFINE_FREEP(og_source)

#endif
