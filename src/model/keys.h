/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of a config whose value has a structure: rope_scaling, layer_types.  Readers for OG_READ() of config.h. */
#ifndef OG_MODEL_KEYS_H
#define OG_MODEL_KEYS_H

#include "model/config.h"

/* How rotary frequencies are changed for texts longer than those of the training. Two of them hang on the length at hand. */
typedef enum og_rope_kind { OG_ROPE_PLAIN, OG_ROPE_LINEAR, OG_ROPE_DYNAMIC, OG_ROPE_YARN, OG_ROPE_LONG, OG_ROPE_WAVELENGTH } og_rope_kind;

typedef struct og_rope { /* a number that is not given, or null, is 0 */
	og_rope_kind kind;
	double factor, attention_factor;
	double beta_fast, beta_slow, mscale, mscale_all_dim; /* of YARN */
	double low_freq_factor, high_freq_factor;            /* of WAVELENGTH */
	bool attention_given, no_truncate;
	int64_t original; /* original_max_position_embeddings beside the factor */
	const double *short_factor, *long_factor; /* of LONG */
	size_t nshort, nlong;
} og_rope;
/* rope_scaling; absent or null: PLAIN. A key that no kind has is refused. */
const char *og_rope_read(const og_json *v, void *out, og_arena *arena, og_status *status);

typedef struct og_layer_kinds {
	const bool *windowed; /* of each layer */
	size_t n;             /* 0: not given */
} og_layer_kinds;
const char *og_layer_kinds_read(const og_json *v, void *out, og_arena *arena, og_status *status);

#endif
