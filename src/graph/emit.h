/* SPDX-License-Identifier: Apache-2.0
 *
 * A described model as bytes: lay out (every offset is known before a byte is written), then emit (workers fill
 * disjoint ranges, SHA-256 follows behind).  The same model gives the same bytes, whatever the threads. */
#ifndef OG_GRAPH_EMIT_H
#define OG_GRAPH_EMIT_H

#include "base/buf.h"
#include "base/context.h"
#include "graph/graph.h"

typedef enum og_external { OG_EXTERNAL_AUTO, OG_EXTERNAL_ALWAYS, OG_EXTERNAL_NEVER } og_external;

/* ---- layout ---- */

typedef struct og_segment { /* a run of one file */
	uint64_t at, size;
	size_t head;         /* offset in og_layout.head, when init is NULL */
	const og_init *init; /* or the initializer's bytes */
	bool external;       /* in the data file */
} og_segment;

typedef struct og_layout {
	og_buf head; /* every byte of the model file that is not an initializer's */
	og_segment *segments;
	size_t nsegments, segments_cap;
	uint64_t size, data_size; /* of model file and data file; data_size 0: none */
} og_layout;

/* data_name: the external file's name as the model refers to it. The layout's arrays live in the model's arena;
 * og_layout_done() releases head. UNSUPPORTED: over 2 GiB with NEVER. */
og_status og_layout_make(const og_model *m, og_external external, const char *data_name, og_layout *out, og_error *err) OG_MUST;
void og_layout_done(og_layout *l);

/* ---- emission ---- */

typedef struct og_emit_options {
	og_external external;
	bool digest;
} og_emit_options;

typedef struct og_emitted {
	const char *name; /* in dir */
	uint64_t size;
	char sha256[65]; /* "" without digest */
} og_emitted;

/* Writes dir/name (and dir/name_data when weights are external): each appears whole or not at all. */
og_status og_emit(const og_model *m, const char *dir, const char *name, const og_emit_options *o, const og_context *ctx, og_emitted out[2], size_t *nout,
	og_error *err) OG_MUST;

#endif
