/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders as a whole: listing and removing.  Removal walks by file descriptors and never through a link, so that
 * nothing outside the tree can be reached, not even while someone swaps folders for links. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 128 /* nested folders; each costs an open file while it is being emptied */

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static og_status list_into(DIR *d, const char *path, og_dirlist *l, og_error *err)
{
	size_t cap = 0;
	for (;;) {
		const struct dirent *e;
		errno = 0;
		e = readdir(d);
		if (!e)
			return errno ? og_fail_errno(err, errno, "list", path) : OG_OK;
		if (is_dots(e->d_name))
			continue;
		if (!og_array_grow(&l->names, &cap, l->n + 1, sizeof *l->names) || !(l->names[l->n] = og_strdup(e->d_name)))
			return og_fail_nomem(err);
		l->n++;
	}
}

og_status og_dir_list(const char *path, og_dirlist *out, og_error *err)
{
	og_dirlist l = { NULL, 0 };
	DIR *d = opendir(path);
	og_status s;
	if (!d && errno == ENOENT)
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such folder", path);
	if (!d)
		return og_fail_errno(err, errno, "list", path);
	s = list_into(d, path, &l, err);
	closedir(d);
	if (s != OG_OK) {
		og_dirlist_done(&l);
		return s;
	}
	if (l.n)
		qsort(l.names, l.n, sizeof *l.names, by_bytes);
	*out = l;
	return OG_OK;
}

void og_dirlist_done(og_dirlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		og_free(l->names[i]);
	og_free(l->names);
	*l = (og_dirlist){ NULL, 0 };
}

static int remove_at(int dir, const char *name, int depth);

/* Everything in the folder behind d. 0, or an errno. Removing while reading may hide entries on some file
 * systems: the caller looks again when the folder turns out not to be empty. */
static int empty(DIR *d, int depth)
{
	for (;;) {
		const struct dirent *e;
		int r;
		errno = 0;
		e = readdir(d);
		if (!e)
			return errno;
		if (!is_dots(e->d_name) && (r = remove_at(dirfd(d), e->d_name, depth + 1)))
			return r;
	}
}

static int remove_dir(int dir, const char *name, int depth)
{
	int fd, r;
	DIR *d;
	if (depth >= DEPTH_MAX)
		return ELOOP;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno;
	d = fdopendir(fd);
	if (!d) {
		r = errno;
		close(fd);
		return r;
	}
	for (int pass = 0;; pass++) {
		r = empty(d, depth);
		if (!r && unlinkat(dir, name, AT_REMOVEDIR))
			r = errno;
		if ((r != ENOTEMPTY && r != EEXIST) || pass == 3)
			break;
		rewinddir(d);
	}
	closedir(d);
	return r;
}

/* 0, also when it vanished meanwhile, or an errno. */
static int remove_at(int dir, const char *name, int depth)
{
	int r;
	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM) /* POSIX says EPERM for a folder, Linux EISDIR */
		return errno;
	r = remove_dir(dir, name, depth);
	return r == ENOENT ? 0 : r;
}

og_status og_remove_tree(const char *path, og_error *err)
{
	int r = remove_at(AT_FDCWD, path, 0);
	return r && r != ENOTDIR ? og_fail_errno(err, r, "remove", path) : OG_OK;
}
