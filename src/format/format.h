/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways in which weights are published.  A format is one file with one row in list.h; it knows no tensor's name. */
#ifndef OG_FORMAT_FORMAT_H
#define OG_FORMAT_FORMAT_H

#include "base/arena.h"
#include "base/context.h"
#include "format/tensor.h"

typedef struct og_reader og_reader; /* one open file */

typedef struct og_pair {
	const char *key, *value;
} og_pair;

typedef enum og_probe { OG_PROBE_NO, OG_PROBE_MAYBE /* unless it has the magic bytes of something else */, OG_PROBE_YES } og_probe;

typedef struct og_format {
	const char *name; /* "safetensors" */
	/* By content: head is the first bytes of the file (up to 64). */
	og_probe (*probe)(const uint8_t *head, size_t n, uint64_t file_size);
	/* Fills the reader's table; the source is borrowed and outlives the reader. */
	og_status (*read)(og_reader *r, og_error *err);
	/* Do the bytes of the tensors match the checksums that the file itself carries? MISMATCH when not. NULL: it carries none. */
	og_status (*check)(og_reader *r, const og_context *ctx, og_error *err);
} og_format;

struct og_reader {
	const og_format *format; /* read() may put a more exact one in its place (a TorchScript archive is a zip, too) */
	og_source *source;       /* owned */
	og_arena *arena;
	og_tensor *tensors; /* in the order of their bytes in the file */
	size_t count, cap;
	og_pair *metadata;
	size_t metadata_count, metadata_cap;
	const char **notes; /* what a user should know of how it was read, one line each; in arena */
	size_t note_count, note_cap;
	og_source **parts; /* owned: unpacked entries that tensors point into */
	size_t part_count, part_cap;
	void *state; /* the format's own, in arena */
};

og_status og_reader_add(og_reader *r, const og_tensor *t, og_error *err) OG_MUST;
og_status og_reader_note(og_reader *r, og_error *err, const char *fmt, ...) OG_MUST OG_PRINTF(3, 4);

/* Opens, recognises by content, reads the table of tensors. UNSUPPORTED when nothing recognises it: the message
 * says what it looks like (git-LFS pointer, HTML page, empty file, …) and the hint what to do. Takes source on success only. */
og_status og_reader_open(og_source *source, og_reader **out, og_error *err) OG_MUST;
og_status og_reader_check(og_reader *r, const og_context *ctx, og_error *err) OG_MUST;
void og_reader_free(og_reader *r);
OG_DEFINE_FREEP(og_reader)

#endif
