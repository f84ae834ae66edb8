/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders as one thing.  A folder that is built aside becomes visible by a rename; replacing one that stands
 * uses RENAME_EXCHANGE, so that a reader of the path finds the old or the new one at any moment, never none. */
#include "base/dir.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TREE_DEPTH_MAX 32 /* folders within folders that we ever write: 2 */

og_status og_dir_new(const char *prefix, char **out, og_error *err)
{
	size_t n = strlen(prefix);
	og_autofree char *path = og_alloc(n + 18);
	if (!path)
		return og_fail_nomem(err);
	for (int tries = 0; tries < 100; tries++) {
		uint8_t r[8];
		if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
			return og_fail_errno(err, errno, "getrandom for", prefix);
		memcpy(path, prefix, n);
		path[n] = '.';
		og_hex(r, sizeof(r), path + n + 1);
		if (mkdir(path, 0777) == 0) {
			*out = og_steal(&path);
			return OG_OK;
		}
		if (errno != EEXIST)
			break;
	}
	return og_fail_errno(err, errno, "make folder", path);
}

static og_status step_aside(const char *from, const char *to, og_error *err)
{
	size_t n = strlen(from);
	og_autofree char *old = og_alloc(n + 5);
	if (!old)
		return og_fail_nomem(err);
	memcpy(old, from, n);
	memcpy(old + n, ".old", 5);
	if (rename(to, old) != 0)
		return og_fail_errno(err, errno, "rename", to);
	if (rename(from, to) != 0) {
		int e = errno;
		if (rename(old, to) != 0)
			return og_fail_errno(err, errno, "put back", to);
		return og_fail_errno(err, e, "rename", from);
	}
	og_status removed = og_remove_tree(old, NULL);
	(void)removed; /* the new one stands; what is left of the old one has a name that sweepers know */
	return OG_OK;
}

og_status og_dir_replace(const char *from, const char *to, bool *swapped, og_error *err)
{
	*swapped = false;
	/* NOREPLACE: a plain rename would also swallow an empty folder of that name, and we mean to know. */
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return OG_OK;
	if (errno == EINVAL || errno == ENOSYS) { /* a file system without flags */
		if (!og_file_exists(to))
			return og_rename(from, to, err);
		return step_aside(from, to, err);
	}
	if (errno != EEXIST)
		return og_fail_errno(err, errno, "rename to", to);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0) {
		*swapped = true;
		return OG_OK;
	}
	if (errno == EINVAL || errno == ENOSYS)
		return step_aside(from, to, err);
	return og_fail_errno(err, errno, "replace", to);
}

og_status og_rename(const char *from, const char *to, og_error *err)
{
	return rename(from, to) == 0 ? OG_OK : og_fail_errno(err, errno, "rename to", to);
}

static og_status fsync_file(const char *path, og_error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return og_fail_errno(err, errno, "open", path);
	int e = fsync(fd) == 0 ? 0 : errno;
	close(fd);
	return e ? og_fail_errno(err, e, "sync", path) : OG_OK;
}

static og_status fsync_tree(const char *path, int depth, og_error *err)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return og_fail_errno(err, errno, "stat", path);
	if (S_ISREG(st.st_mode))
		return fsync_file(path, err);
	if (!S_ISDIR(st.st_mode))
		return OG_OK; /* a link lives in its folder */
	if (depth >= TREE_DEPTH_MAX)
		return og_fail(err, ONNXGATE_IO, "%s: more than %d folders deep", path, TREE_DEPTH_MAX);
	og_dirlist list = { 0 };
	og_status s = og_dir_list(path, &list, err);
	for (size_t i = 0; s == OG_OK && i < list.n; i++) {
		og_autofree char *sub = og_path_join(path, list.names[i]);
		s = sub ? fsync_tree(sub, depth + 1, err) : og_fail_nomem(err);
	}
	og_dirlist_done(&list);
	return s == OG_OK ? og_fsync_dir(path, err) : s;
}

og_status og_fsync_tree(const char *path, og_error *err)
{
	return fsync_tree(path, 0, err);
}

og_status og_file_below(const char *dir, const char *name, uint64_t *size, og_error *err)
{
	char shown[160];
	if (!og_path_safe(name))
		return og_fail(err, ONNXGATE_UNSAFE, "%s: file name '%s' leads out of the folder", dir, og_str_show(og_str_of(name), shown, sizeof(shown)));
	og_autofree char *path = og_path_join(dir, name);
	if (!path)
		return og_fail_nomem(err);
	struct stat st;
	for (char *p = path + strlen(path) - strlen(name); p;) { /* every segment by itself: lstat follows all but the last */
		char *slash = strchr(p, '/');
		if (slash)
			*slash = 0;
		if (lstat(path, &st) != 0)
			return errno == ENOENT || errno == ENOTDIR ? og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such file", path) : og_fail_errno(err, errno, "stat", path);
		if (S_ISLNK(st.st_mode))
			return og_fail(err, ONNXGATE_UNSAFE, "%s: a symbolic link, expected a file of the folder itself", path);
		if (slash)
			*slash = '/';
		p = slash ? slash + 1 : NULL;
	}
	if (!S_ISREG(st.st_mode))
		return og_fail(err, ONNXGATE_FORMAT, "%s: not a regular file", path);
	*size = (uint64_t)st.st_size;
	return OG_OK;
}

void og_touch(const char *path)
{
	if (utimensat(AT_FDCWD, path, NULL, 0) != 0)
		return; /* somebody else's, or read-only: fine */
}

bool og_changed_since(const char *path, const char *mark)
{
	struct stat a, b;
	if (lstat(path, &a) != 0 || lstat(mark, &b) != 0)
		return false;
	/* The time of change, not of modification: nobody can set it. It moves in ticks of a few milliseconds, so the same time is no proof. */
	return a.st_ctim.tv_sec != b.st_ctim.tv_sec ? a.st_ctim.tv_sec > b.st_ctim.tv_sec : a.st_ctim.tv_nsec >= b.st_ctim.tv_nsec;
}

bool og_on_network(const char *path)
{
	static const uint32_t kinds[] = {
		0x6969 /* NFS */,        0x517b /* SMB */,        0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,  0x01021997 /* 9p */,
		0x0bd00bd0 /* Lustre */, 0x47504653 /* GPFS */,   0x00c36400 /* Ceph */, 0x19830326 /* BeeGFS */, 0x5346414f /* AFS */,
	};
	struct statfs fs;
	if (statfs(path, &fs) != 0)
		return false;
	for (size_t i = 0; i < OG_COUNT(kinds); i++)
		if ((uint32_t)fs.f_type == kinds[i])
			return true;
	return false;
}

int64_t og_mtime(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (int64_t)st.st_mtime : -1;
}
