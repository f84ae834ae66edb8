/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint: all the tensors of a model, whatever the format and however many shards. */
#ifndef OG_MODEL_CHECKPOINT_H
#define OG_MODEL_CHECKPOINT_H

#include "base/context.h"
#include "format/format.h"

typedef struct og_checkpoint og_checkpoint;

/* Which files of a listing hold the weights, in from_pretrained's order (model.safetensors, then
 * model.safetensors.index.json, then the same of pytorch_model.bin), else the only file that can be weights, whatever its name
 * (model.pt, consolidated.00.pth). A folder's listing or a repository's: the same rule. */
typedef struct og_weights_choice {
	const char *single; /* the file, or NULL; borrowed from the listing where its name is not one of those */
	const char *index;  /* the index file, or NULL */
	const char *shards; /* with an index: what its shards are called, as a pattern of og_glob() */
} og_weights_choice;
og_weights_choice og_weights_choose(const char *const *names, size_t n);
/* Why that found none. where: the folder or repository. NOT_FOUND, or UNSUPPORTED when there are weights that cannot be taken. */
og_status og_weights_absent(const char *where, const char *const *names, size_t n, og_error *err);

/* How the files of a checkpoint are opened, by their paths. NULL: og_source_open. */
typedef struct og_opener {
	og_status (*open)(void *arg, const char *path, og_source **out, og_error *err);
	void *arg;
} og_opener;

/* The distinct shard names that an index file lists, sorted; each is path-safe. In arena. */
og_status og_shard_names(const char *index_path, og_arena *arena, const char ***names, size_t *n, og_error *err) OG_MUST;
og_status og_shard_names_with(const og_opener *how, const char *index_path, og_arena *arena, const char ***names, size_t *n, og_error *err) OG_MUST;

/* dir: holds the weights under those names. NOT_FOUND when it holds none (the message lists what was looked for).
 * Sharded: every tensor of the index must be in the shard that the index names, and no tensor twice (FORMAT). */
og_status og_checkpoint_open(const char *dir, og_checkpoint **out, og_error *err) OG_MUST;
/* One weights file of any name. */
og_status og_checkpoint_open_file(const char *path, og_checkpoint **out, og_error *err) OG_MUST;
/* The same, every file of it through `how`. */
og_status og_checkpoint_open_with(const og_opener *how, const char *path, og_checkpoint **out, og_error *err) OG_MUST;
/* Do the bytes of every file match the checksums that it carries? MISMATCH when not; free where a format carries none. */
og_status og_checkpoint_check(const og_checkpoint *c, const og_context *ctx, og_error *err) OG_MUST;
/* Is every file still as it was when it was opened? MISMATCH when not. */
og_status og_checkpoint_unchanged(const og_checkpoint *c, og_error *err) OG_MUST;
void og_checkpoint_free(og_checkpoint *c);
OG_DEFINE_FREEP(og_checkpoint)

size_t og_checkpoint_count(const og_checkpoint *c);
const og_tensor *og_checkpoint_at(const og_checkpoint *c, size_t i); /* file by file, in the order of their bytes */
const og_tensor *og_checkpoint_find(const og_checkpoint *c, const char *name); /* NULL: none; constant time */
/* for (size_t i = 0; (t = og_checkpoint_next(c, &i)); ) */
const og_tensor *og_checkpoint_next(const og_checkpoint *c, size_t *i);

const char *og_checkpoint_format(const og_checkpoint *c); /* "safetensors", "safetensors (sharded)" */
size_t og_checkpoint_files(const og_checkpoint *c, const char *const **paths); /* the weights files, absolute or as given */
size_t og_checkpoint_file_of(const og_checkpoint *c, size_t i);                /* which of them holds tensor i */
const og_reader *og_checkpoint_reader(const og_checkpoint *c, size_t file);     /* borrowed */
const og_pair *og_checkpoint_metadata(const og_checkpoint *c, size_t *n);       /* of the first file */

#endif
