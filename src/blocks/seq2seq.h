/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders with a decoder that looks at what they gave: several files of one model.  A family says in an og_seq2seq where it
 * differs: its sizes, how it encodes, how it decodes, its words.  What all have alike is here: the files, their inputs and outputs
 * as Optimum names and orders them, the two kinds of caches, the merged decoder.
 *
 * A decoder keeps keys and values of two kinds: of its own positions, which grow, and of the encoder's states, which the first
 * step computes and all others take from the cache.
 *
 * Shapes: B batch, E encoder's sequence, P past, S decoder's sequence, T = P + S, H hidden, N heads, D head size. */
#ifndef OG_BLOCKS_SEQ2SEQ_H
#define OG_BLOCKS_SEQ2SEQ_H

#include "blocks/decoder.h"

typedef struct og_seq2seq_sizes {
	int64_t layers, heads, head; /* of the decoder's caches */
	int64_t hidden;              /* of the encoder's states */
} og_seq2seq_sizes;

typedef struct og_seq2seq_in { /* of a decoder */
	og_decoder_in self;   /* ids [B, S]; queries, keys; past and present of its own positions; no mask: no position is padding */
	og_val states, mask;  /* of the encoder: [B, E, H]; [B, E], OG_NONE: none of them is padding */
	og_val *past;         /* key, value of each layer over the encoder's states: [B, N, E, D]; NULL: they are computed */
	og_val *present;      /* where they are left when they are computed; NULL: nobody asks */
} og_seq2seq_in;

typedef struct og_seq2seq {
	void (*sizes)(const void *config, og_seq2seq_sizes *out);
	og_val (*encode)(og_build *b, const void *config, og_val ids, og_val mask);  /* → [B, E, H] */
	og_val (*decode)(og_build *b, const void *config, og_seq2seq_in *in);        /* → [B, S, H] */
	og_val (*words)(og_build *b, const void *config, og_val x);                  /* [B, S, H] → [B, S, vocabulary] */
	void (*tie)(og_build *b, const void *config, bool words); /* which weights are the same, before any is claimed; words: those of words() too */
} og_seq2seq;

/* ---- the files: descriptions, given the config and the family's og_seq2seq ---- */

void og_seq2seq_encoder(og_build *b, const void *config, const void *family);
void og_seq2seq_decoder(og_build *b, const void *config, const void *family);              /* without any cache */
void og_seq2seq_decoder_first(og_build *b, const void *config, const void *family);        /* gives the caches */
void og_seq2seq_decoder_with_past(og_build *b, const void *config, const void *family);    /* takes them, and gives those that grew */
void og_seq2seq_decoder_merged(og_build *b, const void *config, const void *family);       /* either, as use_cache_branch says */
void og_seq2seq_features(og_build *b, const void *config, const void *family);             /* encoder and decoder in one file */
/* The same decoders, with the last hidden state in place of words. */
void og_seq2seq_features_first(og_build *b, const void *config, const void *family);
void og_seq2seq_features_with_past(og_build *b, const void *config, const void *family);
void og_seq2seq_features_merged(og_build *b, const void *config, const void *family);


/* ---- what they are made of ---- */

typedef struct og_cross_o {
	const char *k, *v;       /* the projections of the encoder's states */
	bool no_k_bias, no_v_bias;
	og_decoder_attn_o attn;  /* kv_heads: its heads */
} og_cross_o;
/* q [B, N, S, D] over the encoder's states → [B, S, N·D]. */
og_val og_cross_attention(og_build *b, og_val q, og_seq2seq_in *in, og_cross_o o);

#endif
