/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders: texts that are read from left to right, with or without a cache of what was read before.  A family says in an
 * og_decoder where it differs: its sizes, how it decodes, its words.  What all have alike is here: inputs and outputs as
 * Optimum names and orders them, which keys a query sees, attention over a cache, the tasks.
 *
 * Shapes: B batch, P past (what the cache holds; 0 is fine), S sequence, T = P + S, H hidden, N heads, K heads of keys and
 * values (N a multiple of it), D head size. */
#ifndef OG_BLOCKS_DECODER_H
#define OG_BLOCKS_DECODER_H

#include "blocks/rope.h"

typedef struct og_decoder_sizes {
	int64_t layers, kv_heads, head; /* of the cache */
	int64_t labels, vocab;
	int64_t pad; /* OG_ID_NONE: there is no pad token */
} og_decoder_sizes;

typedef struct og_decoder_in {
	og_val ids, mask; /* [B, S], [B, T] */
	og_val positions; /* [B, S], or [S]: all texts begin with the first */
	og_val queries, keys; /* where they stand in the cache: [S, 1], [T] */
	og_val *past;         /* key, value of each layer: [B, K, P, D]; NULL: none */
	og_val *present;      /* what the layers leave there: [B, K, T, D]; NULL: nobody asks */
} og_decoder_in;

typedef struct og_decoder {
	bool cache_first;  /* the caches stand before the mask among the inputs */
	const char *label; /* the linear layer that classifies tokens */
	void (*sizes)(const void *config, og_decoder_sizes *out);
	og_val (*decode)(og_build *b, const void *config, og_decoder_in *in); /* → [B, S, H] */
	og_val (*words)(og_build *b, const void *config, og_val x);           /* [B, S, H] → [B, S, vocabulary] */
	void (*tie)(og_build *b, const void *config); /* says which weights words() has in common with decode(), before either claims */
} og_decoder;

/* ---- the tasks: descriptions of a file, given the config and the family's og_decoder ---- */

void og_decoder_generation(og_build *b, const void *config, const void *decoder);
void og_decoder_generation_with_past(og_build *b, const void *config, const void *decoder);
void og_decoder_features(og_build *b, const void *config, const void *decoder);
/* Takes no cache and gives one: Optimum's form of feature-extraction-with-past. */
void og_decoder_features_with_present(og_build *b, const void *config, const void *decoder);
void og_decoder_classification(og_build *b, const void *config, const void *decoder); /* of the last token that is no padding */
void og_decoder_token_classification(og_build *b, const void *config, const void *decoder);

#define OG_TASK_CLASSIFICATION "text-classification"
/* Classes are read off the last token that is not the pad token, so padding must be that. */
void og_decoder_facts(const og_decoder *d, const void *config, const char *task, og_input_facts *f);

/* ---- what decoders are made of ---- */

/* Which keys a query sees, [B, 1, S, T]: those that are not padding and do not come after it; of these the last `window`. */
og_val og_decoder_sees(og_build *b, const og_decoder_in *in);
og_val og_decoder_sees_window(og_build *b, const og_decoder_in *in, og_val sees, int64_t window);
og_val og_sees_bias(og_build *b, og_val sees); /* → 0 and the lowest finite float, to be added to the scores */

typedef struct og_decoder_attn_o {
	int64_t heads, kv_heads, head;
	double scale;    /* of the scores; 0: 1/sqrt(D) */
	og_val bias;     /* from og_sees_bias() */
	int64_t layer;   /* whose cache it is */
} og_decoder_attn_o;
/* q [B, N, S, D], k and v [B, K, S, D] → [B, S, N·D]. Each head of keys and values serves N/K heads side by side (Ainslie et al. 2023,
 * arXiv:2305.13245), which are taken for longer queries instead of repeating keys. */
og_val og_decoder_attention(og_build *b, og_val q, og_val k, og_val v, og_decoder_in *in, og_decoder_attn_o o);
og_val og_heads(og_build *b, og_val x, int64_t heads, int64_t head); /* [B, S, N·D] → [B, S, N, D] */

/* A layer that normalises before each sublayer by its size alone, turns queries and keys, and has a gate in its feed-forward part:
 * x = x + o(attention(norm(x))); x = x + down(act(gate(y)) · up(y)), y = norm(x). */
typedef struct og_gated_layer_o {
	int64_t heads, kv_heads, head, ffn;
	double eps;
	og_act_kind act;
	bool qkv_bias, o_bias, mlp_bias;
	bool qk_norm; /* queries and keys are normalised, head by head */
	og_rotary rotary;
	og_val bias;
	int64_t layer;
} og_gated_layer_o;
og_val og_gated_layer(og_build *b, og_val x, og_decoder_in *in, og_gated_layer_o o);

#endif
