/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders that appear, are replaced and vanish as one thing, and what is asked about the files below them. */
#ifndef OG_BASE_DIR_H
#define OG_BASE_DIR_H

#include "base/alloc.h"
#include "base/error.h"

/* A new, empty folder "PREFIX.<16 hex digits>", mode 0777 & ~umask; its path is yours. */
og_status og_dir_new(const char *prefix, char **out, og_error *err) OG_MUST;
/* Folder `from` takes the name `to`. If there was one, the two change places in one step (*swapped: `from` now names
 * the old one, to be removed); where the file system cannot do that, the old one steps aside to "FROM.old" first, and
 * is removed here. Follow with og_fsync_dir() of the parent. */
og_status og_dir_replace(const char *from, const char *to, bool *swapped, og_error *err) OG_MUST;
og_status og_rename(const char *from, const char *to, og_error *err) OG_MUST;
/* Every file and folder below path, and path itself, are on the disk afterwards. Links are not followed. */
og_status og_fsync_tree(const char *path, og_error *err) OG_MUST;

/* Size of the regular file `name` (fit for og_path_safe) below dir, reached over no link. NOT_FOUND; UNSAFE for
 * a link on the way; FORMAT for anything that is no regular file. */
og_status og_file_below(const char *dir, const char *name, uint64_t *size, og_error *err) OG_MUST;

void og_touch(const char *path);        /* times become now; silent where that is not allowed */
bool og_changed_since(const char *path, const char *mark); /* its content, rights or name, not before those of mark; false: one is absent */
int64_t og_mtime(const char *path);     /* Unix seconds; -1: absent */
bool og_on_network(const char *path);   /* its file system is shared between machines (NFS, SMB, Lustre, …), as far as is known */

#endif
