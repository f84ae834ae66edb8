/* SPDX-License-Identifier: Apache-2.0
 *
 * From the checkpoint's bytes to an initializer's: the small transform of og_init, piece by piece, so that memory stays
 * flat whatever the tensor's size. */
#ifndef OG_GRAPH_TRANSFORM_H
#define OG_GRAPH_TRANSFORM_H

#include "graph/graph.h"

typedef struct og_scratch { /* one per worker */
	uint8_t *raw, *cast;
	float *real;
	size_t raw_cap, cast_cap, real_cap;
} og_scratch;
void og_scratch_done(og_scratch *s);

/* Reads what a fold must know of the whole weight; before anything below is asked of an initializer with one. Another time does nothing. */
og_status og_init_prepare(og_init *c, og_arena *arena, og_error *err) OG_MUST;

/* The initializer is a run of the source's bytes as they are: where. */
bool og_init_is_copy(const og_init *c, const og_tensor **t, uint64_t *offset);

/* How many elements to fill at a time, about `bytes` of output: a whole number of rows for a transposed matrix. */
uint64_t og_init_piece(const og_init *c, uint64_t bytes);

/* Elements [begin, end) as written into dst. Both are multiples of og_init_piece(), or the end. */
og_status og_init_fill(const og_init *c, uint64_t begin, uint64_t end, void *dst, og_scratch *s, og_error *err) OG_MUST;

#endif
