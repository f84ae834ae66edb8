/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that appears whole or not at all: written under another name in the same folder, synced, renamed.
 * The name holds 8 hex digits of randomness (and the process id unless a suffix is asked for); O_EXCL settles what is left of chance. */
#include "base/file.h"

#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
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

static og_status create(og_tmpfile *t, const char *suffix, og_error *err)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		og_free(t->path);
		t->path = temporary_name(t->dir, og_path_base(t->target), suffix, attempt);
		if (!t->path)
			return og_fail_nomem(err);
		t->fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (t->fd >= 0) {
			t->created = true;
			return OG_OK;
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
