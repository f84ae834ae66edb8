/* SPDX-License-Identifier: Apache-2.0
 *
 * An output folder that appears whole or not at all: filled under another name beside the target, on the same
 * file system, then synced and renamed.  What a killed process left there, the next one removes. */
#ifndef OG_JOB_FOLDER_H
#define OG_JOB_FOLDER_H

#include "base/alloc.h"
#include "base/error.h"

typedef struct og_folder og_folder;

/* INVALID when target exists and may not be replaced: a file, or a folder that is not empty and force is not given. */
og_status og_folder_check(const char *target, bool force, og_error *err) OG_MUST;
/* INVALID when replacing target would take `kept` with it: it is that folder, or one above it. what: "the folder that is converted". */
og_status og_folder_spares(const char *target, const char *kept, const char *what, og_error *err) OG_MUST;
og_status og_folder_begin(const char *target, bool force, og_folder **out, og_error *err) OG_MUST;
const char *og_folder_path(const og_folder *f); /* where to write; empty */
/* After this, path is target's. */
og_status og_folder_commit(og_folder *f, og_error *err) OG_MUST;
void og_folder_free(og_folder *f); /* removes everything unless committed */
OG_DEFINE_FREEP(og_folder)

#endif
