/* SPDX-License-Identifier: Apache-2.0
 *
 * Text encoders: six tasks over one encoder.  A family says in an og_text where it differs: how it encodes a text, how it
 * reads a word and a class off the result.  What all have alike is here, once: the inputs and outputs as Optimum names and
 * orders them, the sum of embeddings, the heads of one layer, and choices, which are texts side by side. */
#ifndef OG_BLOCKS_TEXT_H
#define OG_BLOCKS_TEXT_H

#include "blocks/blocks.h"

typedef struct og_text_in {
	og_val ids, mask, segments; /* [B, S] each; segments OG_NONE: the family has none */
} og_text_in;

typedef struct og_text {
	bool no_segments; /* token_type_ids is not an input */
	size_t labels;    /* where the config's struct has the number of classes: OG_TEXT_LABELS() */
	og_val (*encode)(og_build *b, const void *config, og_text_in in);         /* → [B, S, H] */
	og_val (*classify)(og_build *b, const void *config, og_val x, int64_t n); /* [B, S, H] → [B, n]: of the text as a whole */
	og_val (*choose)(og_build *b, const void *config, og_val x); /* [B, S, H] → [B, 1]: how well a choice fits; NULL: classify(…, 1) */
	og_val (*words)(og_build *b, const void *config, og_val x);               /* [B, S, H] → [B, S, vocabulary] */
	void (*tie)(og_build *b, const void *config); /* says which weights words() has in common with encode(), before either claims */
} og_text;
#define OG_TEXT_LABELS(type, member) OG_AT_(type, member, int64_t)

/* ---- the tasks: descriptions of a file, given the config and the family's og_text ---- */

void og_text_features(og_build *b, const void *config, const void *text);
void og_text_fill_mask(og_build *b, const void *config, const void *text);
void og_text_classification(og_build *b, const void *config, const void *text);
void og_text_token_classification(og_build *b, const void *config, const void *text);
void og_text_question_answering(og_build *b, const void *config, const void *text);
void og_text_multiple_choice(og_build *b, const void *config, const void *text);

/* ---- what encoders are made of ---- */

/* How positions come in, by the names that configs give them: as a learned vector each, or as relative positions (og_relative_o). */
#define OG_TEXT_POSITIONS "absolute relative_key relative_key_query"
enum { OG_ABSOLUTE, OG_RELATIVE_KEY, OG_RELATIVE_KEY_QUERY };

typedef struct og_text_embed_o {
	int64_t vocab, segments, positions; /* rows of the tables */
	int64_t width;
	double eps;
} og_text_embed_o;
/* LayerNorm(word + segment + position) below the scope "embeddings": [B, S] → [B, S, width]. Without positions (OG_NONE) there is
 * no such table. Without in.segments everything is of the first segment, or where o.segments is 0 there is no such table. */
og_val og_text_embed(og_build *b, og_text_in in, og_val positions, og_text_embed_o o);

/* The layers "encoder.layer.N", each an og_post_norm of the parts' names that most encoders have ("attention.self.query", …). */
typedef struct og_text_layers_o {
	int64_t layers, heads, ffn;
	og_act_kind act;
	double eps;
	og_val mask;      /* from og_mask_bias() */
	og_val distances; /* from og_distances(), or OG_NONE: positions are not relative */
	int64_t positions; /* with distances: how many there are at most */
	int position;      /* with distances: OG_RELATIVE_KEY or OG_RELATIVE_KEY_QUERY */
} og_text_layers_o;
og_val og_text_layers(og_build *b, og_val x, og_text_layers_o o);

/* ---- what heads are made of ---- */

/* tanh of a square layer "dense" over the first token: [B, S, H] → [B, H]. */
og_val og_text_pooler(og_build *b, og_val x);
/* A classify() of an og_text: og_text_pooler() and the layer "out_proj" below the scope "classifier". */
og_val og_text_pooled_classifier(og_build *b, const void *config, og_val x, int64_t n);
/* The words below the scope "lm_head": dense, GELU whatever the config says, layer_norm, decoder, [B, S, H] → [B, S, vocab]; and what
 * tie() says of them: one bias by two names, and when `tied` the matrix of the words below the scope `base`. */
og_val og_text_lm_head(og_build *b, og_val x, int64_t vocab, double eps);
void og_text_tie_lm_head(og_build *b, const char *base, bool tied);

#endif
