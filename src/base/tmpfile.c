/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that appears whole or not at all: written under another name in the same folder, synced, renamed.
 * The name holds 8 hex digits of randomness (and the process id unless a suffix is asked for); O_EXCL settles what is left of chance.
 * Its owner holds a lock on it: one without a lock was left by a process that was killed, and the next one that writes the same target
 * removes it. (Names with a suffix are others' names, too, and their cleaning is the business of who chose it.) */
#include "base/file.h"

#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct og_tmpfile {
	int fd;
	bool created, committed;
	char *target, *dir, *path;
};

static uint32_t random_bits(int attempt)
{
	uint32_t r;
	struct timespec t;
	if (getrandom(&r, sizeof r, GRND_NONBLOCK) == (ssize_t)sizeof r)
		return r;
	/* An early boot, or a sandbox without the call: O_EXCL still keeps two of the same name apart. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)t.tv_nsec * 2654435761u + (uint32_t)attempt;
}

/* A name never longer than the file system takes: the base is cut, at a character, where it must be. */
static char *temporary_name(const char *dir, const char *base, const char *suffix, int attempt)
{
	char name[2 * NAME_MAX], tail[128];
	size_t n = strlen(base), room;
	/* With a suffix the name is one that others know: huggingface_hub's "<etag>.<8 hex>.incomplete". */
	int k = suffix ? snprintf(tail, sizeof tail, ".%08x%s", random_bits(attempt), suffix)
		       : snprintf(tail, sizeof tail, ".%x-%08x.tmp", (unsigned)getpid(), random_bits(attempt));
	if (k < 0 || (size_t)k >= sizeof tail)
		return NULL;
	room = NAME_MAX - (size_t)k - 1;
	if (n > room) {
		n = room;
		while (n && ((unsigned char)base[n] & 0xc0) == 0x80)
			n--;
	}
	snprintf(name, sizeof name, "%s%.*s%s", suffix ? "" : ".", (int)n, base, tail);
	return og_path_join(dir, name);
}

/* Somebody may clean between our open and our lock: then the name is gone, or theirs, and we take another. */
static bool owned(const og_tmpfile *t)
{
	struct stat a, b;
	if (flock(t->fd, LOCK_EX | LOCK_NB))
		return errno != EWOULDBLOCK; /* a file system without locks: nobody cleans there */
	return !fstat(t->fd, &a) && !lstat(t->path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ".<base>.<pid>-<8 hex>.tmp" */
static bool is_temporary(const char *name, const char *base)
{
	size_t n = strlen(base), k;
	const char *p = name + 1 + n;
	if (name[0] != '.' || strncmp(name + 1, base, n) || *p++ != '.')
		return false;
	k = strspn(p, "0123456789abcdef");
	return k && p[k] == '-' && strspn(p + k + 1, "0123456789abcdef") == 8 && og_streq(p + k + 9, ".tmp");
}

static void remove_abandoned(const og_tmpfile *t)
{
	og_dirlist l = { NULL, 0 };
	if (og_dir_list(t->dir, &l, NULL) != OG_OK)
		return;
	for (size_t i = 0; i < l.n; i++) {
		og_autofree char *path = is_temporary(l.names[i], og_path_base(t->target)) ? og_path_join(t->dir, l.names[i]) : NULL;
		int fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB))
			unlink(path);
		close(fd);
	}
	og_dirlist_done(&l);
}

static og_status create(og_tmpfile *t, const char *suffix, og_error *err)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		og_free(t->path);
		t->path = temporary_name(t->dir, og_path_base(t->target), suffix, attempt);
		if (!t->path)
			return og_fail_nomem(err);
		t->fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (t->fd >= 0 && (suffix || owned(t))) {
			t->created = true;
			return OG_OK;
		}
		if (t->fd >= 0) {
			close(t->fd);
			t->fd = -1;
			continue;
		}
		if (errno != EEXIST && errno != EINTR)
			break;
	}
	return og_fail_errno(err, errno, "create", t->target);
}

og_status og_tmpfile_open(const char *target, const char *name_suffix, og_tmpfile **out, og_error *err)
{
	og_auto(og_tmpfile) *t = og_alloc(sizeof *t);
	const char *base = og_path_base(target);
	if (!t)
		return og_fail_nomem(err);
	t->fd = -1;
	if (!base[0] || og_streq(base, ".") || og_streq(base, ".."))
		return og_fail(err, ONNXGATE_INVALID, "write %s: the path names a folder, expected a file", target);
	if (name_suffix && strlen(name_suffix) > 64)
		return og_fail(err, ONNXGATE_INTERNAL, "suffix of a temporary file: %zu bytes, at most 64", strlen(name_suffix));
	t->target = og_strdup(target);
	t->dir = og_path_dir(target);
	if (!t->target || !t->dir)
		return og_fail_nomem(err);
	if (!name_suffix)
		remove_abandoned(t);
	OG_TRY(create(t, name_suffix, err));
	*out = og_steal(&t);
	return OG_OK;
}

int og_tmpfile_fd(og_tmpfile *t)
{
	return t->fd;
}

const char *og_tmpfile_path(const og_tmpfile *t)
{
	return t->path;
}

og_status og_tmpfile_commit(og_tmpfile *t, og_error *err)
{
	if (t->committed)
		return OG_OK;
	while (fsync(t->fd))
		if (errno != EINTR)
			return og_fail_errno(err, errno, "sync", t->target);
	if (rename(t->path, t->target))
		return og_fail_errno(err, errno, "rename to", t->target);
	t->committed = true;
	return og_fsync_dir(t->dir, err);
}

void og_tmpfile_free(og_tmpfile *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	if (t->created && !t->committed)
		unlink(t->path);
	og_free(t->target);
	og_free(t->dir);
	og_free(t->path);
	og_free(t);
}

og_status og_file_unlinked(int *fd, og_error *err)
{
	const char *env = secure_getenv("TMPDIR"), *dir = env && env[0] ? env : "/tmp";
	og_autofree char *path = NULL;
	*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return OG_OK;
	/* A file system that cannot do that (or no such folder: then the next call says so). */
	path = og_path_join(dir, "onnxgate-XXXXXX");
	if (!path)
		return og_fail_nomem(err);
	*fd = mkostemp(path, O_CLOEXEC);
	if (*fd < 0)
		return og_fail_errno(err, errno, "create a temporary file in", dir);
	unlink(path);
	return OG_OK;
}
