/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders.  A file appears whole or not at all: og_tmpfile writes beside the target, then
 * fsync, rename, fsync of the folder; what was not committed is removed. */
#ifndef OG_BASE_FILE_H
#define OG_BASE_FILE_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

bool og_file_exists(const char *path); /* anything of that name, links followed */
bool og_dir_exists(const char *path);
og_status og_file_size(const char *path, uint64_t *out, og_error *err) OG_MUST;
/* At most max bytes (FORMAT above it), appended to out; out's own ceiling counts too. NOT_FOUND when absent. */
og_status og_file_read(const char *path, size_t max, og_buf *out, og_error *err) OG_MUST;
og_status og_file_write(const char *path, const void *p, size_t n, og_error *err) OG_MUST; /* through og_tmpfile */
og_status og_file_copy(const char *from, const char *to, og_error *err) OG_MUST;           /* through og_tmpfile */
og_status og_mkdirs(const char *path, og_error *err) OG_MUST;                              /* mode 0777 & ~umask; fine if present */
og_status og_fsync_dir(const char *path, og_error *err) OG_MUST;
og_status og_remove_tree(const char *path, og_error *err) OG_MUST; /* links are not followed; fine if absent */

typedef struct og_dirlist {
	char **names; /* sorted bytewise, without "." and ".." */
	size_t n;
} og_dirlist;
og_status og_dir_list(const char *path, og_dirlist *out, og_error *err) OG_MUST;
void og_dirlist_done(og_dirlist *l);

typedef struct og_tmpfile og_tmpfile;
/* Beside target, named ".<base>.<random>.tmp" unless name_suffix asks for "<base>.<random><name_suffix>". */
og_status og_tmpfile_open(const char *target, const char *name_suffix, og_tmpfile **out, og_error *err) OG_MUST;
int og_tmpfile_fd(og_tmpfile *t);
const char *og_tmpfile_path(const og_tmpfile *t);
og_status og_tmpfile_commit(og_tmpfile *t, og_error *err) OG_MUST; /* fsync, rename over target, fsync folder; t stays to be freed */
void og_tmpfile_free(og_tmpfile *t);                               /* removes the file unless committed */
OG_DEFINE_FREEP(og_tmpfile)

/* A file without a name, to write and read back, in $TMPDIR or /tmp: it is gone when it is closed, however we end. *fd is yours. */
og_status og_file_unlinked(int *fd, og_error *err) OG_MUST;

/* Full writes; IO with "write PATH: No space left on device". */
og_status og_write_all(int fd, const void *p, size_t n, const char *path, og_error *err) OG_MUST;
og_status og_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, const char *path, og_error *err) OG_MUST;
/* Range copy inside the kernel where it can, else through a buffer. */
og_status og_copy_range(int in, uint64_t in_at, int out, uint64_t out_at, uint64_t n, const char *in_path, const char *out_path, og_error *err) OG_MUST;

/* An advisory lock (flock) on a file that is created when absent and left behind, empty. */
typedef struct og_lock og_lock;
og_status og_lock_take(const char *path, bool exclusive, const int *cancel, og_lock **out, og_error *err) OG_MUST; /* waits */
void og_lock_free(og_lock *l); /* releases */
OG_DEFINE_FREEP(og_lock)

#endif
