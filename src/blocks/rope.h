/* SPDX-License-Identifier: Apache-2.0
 *
 * Rotary positions (Su et al. 2021, arXiv:2104.09864), the halves of a head as the two parts of a complex number: element i
 * of D/2 turns by position · θ^(−2i/D), or by less where the model is meant for longer texts than it was trained on.
 *
 * Frequencies that do not hang on the length are numbers of the file; cosines and sines are computed from the positions,
 * once for all layers, so that no position is too large. */
#ifndef OG_BLOCKS_ROPE_H
#define OG_BLOCKS_ROPE_H

#include "blocks/blocks.h"
#include "model/keys.h"

typedef struct og_rotary_o {
	const og_rope *rope;
	double theta;
	int64_t head;      /* D */
	int64_t positions; /* max_position_embeddings */
	int64_t original;  /* original_max_position_embeddings beside it; 0: not given */
} og_rotary_o;

typedef struct og_rotary {
	og_val cos, sin; /* [B, 1, S, D] or [S, D]; the sines of the first half are negated */
} og_rotary;

/* positions: [B, S], or [S] for all texts. */
og_rotary og_rotary_at(og_build *b, og_val positions, og_rotary_o o);
og_val og_rotate(og_build *b, og_val x, og_rotary r); /* [B, N, S, D] → the same */

/* The longest text up to which frequencies are the same for each position, whatever follows it. */
int64_t og_rotary_reach(const og_rotary_o *o);

#endif
