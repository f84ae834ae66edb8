/* SPDX-License-Identifier: Apache-2.0
 *
 * An advisory lock.  flock() is polled, so that an interruption is seen wherever it lands.  The file might be removed or replaced by
 * whoever held it before; the lock counts only if its name still leads to it. */
#include "base/file.h"

#include "base/clock.h"
#include "base/file_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define POLL_MS 50

struct og_lock {
	int fd;
};

static og_status open_lock(const char *path, int *out, og_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0666);
	struct stat st;
	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
		/* Somebody else's file, or a cache that is read-only: flock() asks for no write permission. */
		int e = errno;
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			errno = e;
	}
	if (fd < 0 && errno == ELOOP)
		return og_fail(err, ONNXGATE_IO, "lock %s: is a symbolic link, expected a regular file", path);
	if (fd < 0)
		return og_fail_errno(err, errno, "open lock", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return og_fail(err, ONNXGATE_IO, "lock %s: is %s, expected a regular file", path, og_file_kind(st.st_mode));
	}
	*out = fd;
	return OG_OK;
}

static bool still_there(int fd, const char *path)
{
	struct stat held, named;
	return !fstat(fd, &held) && held.st_nlink && !lstat(path, &named) && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static og_status wait_for(int fd, const char *path, bool exclusive, const int *cancel, og_error *err)
{
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return og_fail_errno(err, errno, "lock", path);
		if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
			return og_fail(err, ONNXGATE_CANCELLED, "interrupted");
		og_sleep_ms(POLL_MS);
	}
	return OG_OK;
}

og_status og_lock_take(const char *path, bool exclusive, const int *cancel, og_lock **out, og_error *err)
{
	og_auto(og_lock) *l = og_alloc(sizeof *l);
	if (!l)
		return og_fail_nomem(err);
	for (;;) {
		l->fd = -1;
		OG_TRY(open_lock(path, &l->fd, err));
		OG_TRY(wait_for(l->fd, path, exclusive, cancel, err));
		if (still_there(l->fd, path)) {
			*out = og_steal(&l);
			return OG_OK;
		}
		close(l->fd);
	}
}

void og_lock_free(og_lock *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd); /* releases: nobody else has this open file */
	og_free(l);
}
