/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: looking, opening, reading, writing, folders.  Other parts of file.h: tmpfile.c, copy.c, lock.c, tree.c. */
#include "base/file.h"

#include "base/file_int.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool og_file_exists(const char *path)
{
	struct stat st;
	return !stat(path, &st);
}

bool og_dir_exists(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

const char *og_file_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a folder";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static og_status absent(const char *path, og_error *err)
{
	return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such file", path);
}

static og_status not_regular(const char *path, mode_t mode, og_error *err)
{
	return og_fail(err, ONNXGATE_FORMAT, "%s: is %s, expected a regular file", path, og_file_kind(mode));
}

og_status og_open_regular(const char *path, int *fd, struct stat *st, og_error *err)
{
	/* O_NONBLOCK: opening a FIFO for reading returns at once; it means nothing for a regular file. */
	int f = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (f < 0) {
		int e = errno;
		if (e == ENOENT || e == ENOTDIR)
			return absent(path, err);
		if (!stat(path, st) && !S_ISREG(st->st_mode)) /* a socket, or a device without a driver, cannot even be opened */
			return not_regular(path, st->st_mode, err);
		return og_fail_errno(err, e, "open", path);
	}
	if (fstat(f, st)) {
		og_status s = og_fail_errno(err, errno, "stat", path);
		close(f);
		return s;
	}
	if (!S_ISREG(st->st_mode)) {
		close(f);
		return not_regular(path, st->st_mode, err);
	}
	*fd = f;
	return OG_OK;
}

og_status og_file_size(const char *path, uint64_t *out, og_error *err)
{
	struct stat st;
	if (stat(path, &st)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return absent(path, err);
		return og_fail_errno(err, errno, "stat", path);
	}
	if (!S_ISREG(st.st_mode))
		return not_regular(path, st.st_mode, err);
	*out = (uint64_t)st.st_size;
	return OG_OK;
}

/* To the end of the file, whatever stat said: files of /proc and /sys say 0. */
static og_status read_to_end(int fd, const char *path, size_t max, og_buf *out, og_error *err)
{
	enum { PIECE = 64 << 10 };
	og_autofree char *piece = og_alloc(PIECE);
	size_t total = 0;
	if (!piece)
		return og_fail_nomem(err);
	for (;;) {
		ssize_t n = read(fd, piece, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return og_fail_errno(err, errno, "read", path);
		if (!n)
			return OG_OK;
		if ((size_t)n > max - total)
			return og_fail(err, ONNXGATE_FORMAT, "%s: larger than the limit of %zu bytes", path, max);
		total += (size_t)n;
		og_buf_add(out, piece, (size_t)n);
		OG_TRY(og_buf_check(out, path, err));
	}
}

og_status og_file_read(const char *path, size_t max, og_buf *out, og_error *err)
{
	struct stat st;
	og_status s;
	int fd = -1;
	OG_TRY(og_open_regular(path, &fd, &st, err));
	if ((uint64_t)st.st_size > max)
		s = og_fail(err, ONNXGATE_FORMAT, "%s: %lld bytes, more than the limit of %zu", path, (long long)st.st_size, max);
	else
		s = read_to_end(fd, path, max, out, err);
	close(fd);
	return s;
}

og_status og_file_write(const char *path, const void *p, size_t n, og_error *err)
{
	og_auto(og_tmpfile) *t = NULL;
	OG_TRY(og_tmpfile_open(path, NULL, &t, err));
	OG_TRY(og_write_all(og_tmpfile_fd(t), p, n, path, err));
	return og_tmpfile_commit(t, err);
}

static og_status copy_into(int in, uint64_t size, const char *from, const char *to, og_error *err)
{
	og_auto(og_tmpfile) *t = NULL;
	OG_TRY(og_tmpfile_open(to, NULL, &t, err));
	OG_TRY(og_copy_range(in, 0, og_tmpfile_fd(t), 0, size, from, to, err));
	return og_tmpfile_commit(t, err);
}

og_status og_file_copy(const char *from, const char *to, og_error *err)
{
	struct stat st;
	og_status s;
	int in = -1;
	OG_TRY(og_open_regular(from, &in, &st, err));
	s = copy_into(in, (uint64_t)st.st_size, from, to, err);
	close(in);
	return s;
}

og_status og_write_all(int fd, const void *p, size_t n, const char *path, og_error *err)
{
	const char *at = p;
	while (n) {
		ssize_t k = write(fd, at, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return og_fail_errno(err, k ? errno : ENOSPC, "write", path);
		at += k;
		n -= (size_t)k;
	}
	return OG_OK;
}

og_status og_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, const char *path, og_error *err)
{
	const char *at = p;
	if (offset > INT64_MAX || n > INT64_MAX - offset)
		return og_fail_errno(err, EFBIG, "write", path);
	while (n) {
		ssize_t k = pwrite(fd, at, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return og_fail_errno(err, k ? errno : ENOSPC, "write", path);
		at += k;
		n -= (size_t)k;
		offset += (uint64_t)k;
	}
	return OG_OK;
}

/* One folder; fine when it is there, whatever mkdir() says about it (EEXIST, or EROFS and the like of a mount point). */
static og_status make_one(const char *path, og_error *err)
{
	int e;
	if (!mkdir(path, 0777))
		return OG_OK;
	e = errno;
	if (og_dir_exists(path))
		return OG_OK;
	if (e == EEXIST)
		return og_fail(err, ONNXGATE_IO, "create folder %s: something else of that name is there", path);
	return og_fail_errno(err, e, "create folder", path);
}

og_status og_mkdirs(const char *path, og_error *err)
{
	og_autofree char *copy = NULL;
	if (!path[0])
		return og_fail(err, ONNXGATE_INVALID, "create folder: the path is empty");
	if (og_dir_exists(path))
		return OG_OK;
	copy = og_strdup(path);
	if (!copy)
		return og_fail_nomem(err);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = 0;
		OG_TRY(make_one(copy, err));
		*p = '/';
	}
	return make_one(path, err);
}

og_status og_fsync_dir(const char *path, og_error *err)
{
	int e = 0, r, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		/* A folder that may be written but not read (mode 0300) cannot be synced by us. */
		return errno == EACCES ? OG_OK : og_fail_errno(err, errno, "open folder", path);
	}
	/* Some file systems (9p, some FUSE and network ones) cannot sync a folder and say so. */
	do
		r = fsync(fd);
	while (r && errno == EINTR);
	if (r && errno != EINVAL && errno != ENOTSUP && errno != ENOSYS && errno != EBADF)
		e = errno;
	close(fd);
	return e ? og_fail_errno(err, e, "sync folder", path) : OG_OK;
}
