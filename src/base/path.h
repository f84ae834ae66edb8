/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files. Results are yours (og_free); NULL: no memory. */
#ifndef OG_BASE_PATH_H
#define OG_BASE_PATH_H

#include "base/alloc.h"
#include "base/error.h"

char *og_path_join(const char *dir, const char *name); /* an absolute name replaces dir */
char *og_path_join3(const char *a, const char *b, const char *c);
char *og_path_dir(const char *path);
const char *og_path_base(const char *path); /* borrowed: after the last slash */
char *og_path_absolute(const char *path);   /* against the working folder; links are not resolved */
/* The path with every link resolved. NOT_FOUND when a part of it does not exist. */
og_status og_path_real(const char *path, char **out, og_error *err) OG_MUST;
/* A name from outside is fit to be placed below a folder: relative, no empty, "." or ".." segment,
 * no backslash, no control byte, valid UTF-8, no drive letter, at most 1024 bytes. */
bool og_path_safe(const char *name);

#endif
