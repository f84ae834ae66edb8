/* SPDX-License-Identifier: Apache-2.0
 *
 * The temporary folder is ".<name>.onnxgate-tmp.<random>" and locked (flock on the folder itself) for as long as
 * its process lives: a folder of that name whose lock is free belongs to nobody. */
#include "job/folder.h"

#include "base/dir.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".onnxgate-tmp"

struct og_folder {
	char *target, *parent, *temporary;
	char *made; /* the uppermost folder above target that did not exist before; NULL: all did */
	int lock;
	bool force, committed;
};

og_status og_folder_check(const char *target, bool force, og_error *err)
{
	struct stat st;
	if (lstat(target, &st))
		return errno == ENOENT ? OG_OK : og_fail_errno(err, errno, "output", target);
	if (stat(target, &st) || !S_ISDIR(st.st_mode))
		return og_fail(err, ONNXGATE_INVALID, "output %s: expected a folder or nothing of that name, found a file", target);
	og_dirlist list = { 0 };
	OG_TRY(og_dir_list(target, &list, err));
	size_t n = list.n;
	og_dirlist_done(&list);
	if (!n || force)
		return OG_OK;
	og_fail(err, ONNXGATE_INVALID, "output %s: expected an empty folder or none, found one with %zu entries", target, n);
	og_error_hint(err, "name another folder, or replace this one with --force");
	return ONNXGATE_INVALID;
}

/* Is there something in it? NOT_FOUND: it is not there itself. */
static og_status real_and_filled(const char *path, char **real, bool *filled, og_error *err)
{
	og_dirlist list = { 0 };
	OG_TRY(og_path_real(path, real, err));
	OG_TRY(og_dir_list(*real, &list, err));
	*filled = list.n > 0;
	og_dirlist_done(&list);
	return OG_OK;
}

og_status og_folder_spares(const char *target, const char *kept, const char *what, og_error *err)
{
	og_autofree char *t = NULL, *k = NULL;
	bool filled = false;
	og_error why = { 0 };
	og_status s = real_and_filled(target, &t, &filled, &why);
	if (s == OG_OK && filled)
		s = og_path_real(kept, &k, &why);
	if (s == ONNXGATE_NOT_FOUND || (s == OG_OK && !filled))
		return OG_OK; /* nothing to lose */
	if (s != OG_OK) {
		if (err)
			*err = why;
		return s;
	}
	size_t n = strlen(t);
	if (strncmp(k, t, n) || (n > 1 && k[n] && k[n] != '/'))
		return OG_OK;
	og_fail(err, ONNXGATE_INVALID, "output %s: replacing it would remove %s, %s", target, what, k);
	og_error_hint(err, "name another folder");
	return ONNXGATE_INVALID;
}

/* The uppermost missing one of path and the folders above it. */
static og_status first_missing(const char *path, char **out, og_error *err)
{
	og_autofree char *at = og_strdup(path);
	while (at && !og_file_exists(at)) {
		og_free(*out);
		*out = at;
		at = og_path_dir(*out);
		if (at && og_streq(at, *out))
			return OG_OK;
	}
	return at ? OG_OK : og_fail_nomem(err);
}

/* ".<name>.onnxgate-tmp.<16 hex digits>" */
static bool is_temporary(const og_folder *f, const char *name)
{
	const char *base = og_path_base(f->target);
	size_t n = strlen(base), k = strlen(name);
	return k == 1 + n + strlen(MARK) + 17 && name[0] == '.' && !strncmp(name + 1, base, n) && !strncmp(name + 1 + n, MARK, strlen(MARK));
}

static void remove_abandoned(const og_folder *f)
{
	og_dirlist list = { 0 };
	if (og_dir_list(f->parent, &list, NULL) != OG_OK)
		return;
	for (size_t i = 0; i < list.n; i++) {
		og_autofree char *path = is_temporary(f, list.names[i]) ? og_path_join(f->parent, list.names[i]) : NULL;
		int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB) && og_remove_tree(path, NULL) != OG_OK) {
			/* Somebody else's, or a disk that fails: the next run tries again. */
		}
		close(fd);
	}
	og_dirlist_done(&list);
}

static og_status make_temporary(og_folder *f, og_error *err)
{
	og_autofree char *prefix = og_alloc(strlen(f->target) + sizeof(MARK) + 1);
	if (!prefix)
		return og_fail_nomem(err);
	size_t folder = (size_t)(og_path_base(f->target) - f->target);
	snprintf(prefix, strlen(f->target) + sizeof(MARK) + 1, "%.*s.%s" MARK, (int)folder, f->target, f->target + folder);
	for (int attempt = 0; attempt < 100; attempt++) {
		struct stat a, b;
		og_free(f->temporary);
		f->temporary = NULL;
		OG_TRY(og_dir_new(prefix, &f->temporary, err));
		f->lock = open(f->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* A cleaner that came between the two has it now, or has removed the folder: take another name. */
		if (f->lock >= 0 && !flock(f->lock, LOCK_EX | LOCK_NB) && !fstat(f->lock, &a) && !stat(f->temporary, &b) && a.st_ino == b.st_ino)
			return OG_OK;
		if (f->lock >= 0)
			close(f->lock);
		f->lock = -1;
	}
	return og_fail(err, ONNXGATE_IO, "%s: no lock on a folder beside it in 100 attempts", f->target);
}

og_status og_folder_begin(const char *target, bool force, og_folder **out, og_error *err)
{
	OG_TRY(og_folder_check(target, force, err));
	og_auto(og_folder) *f = og_alloc(sizeof(*f));
	if (!f)
		return og_fail_nomem(err);
	f->lock = -1;
	f->force = force;
	f->target = og_path_absolute(target);
	if (!f->target)
		return og_fail_nomem(err);
	for (size_t n = strlen(f->target); n > 1 && f->target[n - 1] == '/'; n--)
		f->target[n - 1] = 0;
	if (!(f->parent = og_path_dir(f->target)))
		return og_fail_nomem(err);
	OG_TRY(first_missing(f->parent, &f->made, err));
	OG_TRY(og_mkdirs(f->parent, err));
	remove_abandoned(f);
	OG_TRY(make_temporary(f, err));
	*out = og_steal(&f);
	return OG_OK;
}

const char *og_folder_path(const og_folder *f)
{
	return f->committed ? f->target : f->temporary;
}

og_status og_folder_commit(og_folder *f, og_error *err)
{
	bool swapped = false;
	OG_TRY(og_folder_check(f->target, f->force, err));
	OG_TRY(og_fsync_tree(f->temporary, err));
	OG_TRY(og_dir_replace(f->temporary, f->target, &swapped, err));
	f->committed = true;
	OG_TRY(og_fsync_dir(f->parent, err));
	return swapped ? og_remove_tree(f->temporary, err) : OG_OK;
}

void og_folder_free(og_folder *f)
{
	if (!f)
		return;
	if (!f->committed && f->temporary && og_remove_tree(f->temporary, NULL) != OG_OK) {
		/* The next run finds it by its name. */
	}
	/* Folders that were made for this one: rmdir refuses those that somebody uses. */
	for (char *at = f->made && !f->committed ? og_strdup(f->parent) : NULL; at;) {
		bool last = og_streq(at, f->made);
		char *up = !rmdir(at) && !last ? og_path_dir(at) : NULL;
		og_free(at);
		at = up;
	}
	if (f->lock >= 0)
		close(f->lock);
	og_free(f->target);
	og_free(f->parent);
	og_free(f->temporary);
	og_free(f->made);
	og_free(f);
}
