/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of base share about opening. */
#ifndef OG_BASE_FILE_INT_H
#define OG_BASE_FILE_INT_H

#include "base/error.h"

#include <sys/stat.h>

/* Open for reading; NOT_FOUND if absent, FORMAT with its kind when it is not a regular file. Never blocks on a FIFO. */
og_status og_open_regular(const char *path, int *fd, struct stat *st, og_error *err) OG_MUST;
const char *og_file_kind(mode_t mode); /* "a folder" */

#endif
