/* SPDX-License-Identifier: Apache-2.0
 *
 * Two encoders side by side, one of texts and one of images, whose results are compared (Radford et al. 2021, arXiv:2103.00020).
 * Both are towers of the same pre-norm layers; what a family does before and behind them is its own, and told in an og_dual.
 *
 * The size of the image is a number in the file, as in vision.h; the number of texts and that of images are independent of each other.
 *
 * Shapes: T texts, I images, S sequence, P positions in an image, H hidden (of a tower), D embedding. */
#ifndef OG_BLOCKS_DUAL_H
#define OG_BLOCKS_DUAL_H

#include "base/limits.h"
#include "blocks/blocks.h"

/* ---- towers, and the keys of their configs, which the families spell alike ---- */

typedef struct og_tower {
	int64_t hidden, layers, heads, ffn;
	double eps;
	og_act_kind act;
} og_tower;

typedef struct og_text_tower {
	og_tower tower;
	int64_t vocab, positions;
} og_text_tower;

typedef struct og_image_tower {
	og_tower tower;
	int64_t channels, image, patch; /* sides of squares */
} og_image_tower;

/* in: "text_config.", or "" at the top of a document. The figures are the defaults of the reference's class. */
#define OG_TOWER_FIELDS(type, member, in, hidden_, layers_, heads_, ffn_, eps_, act_) \
	OG_DIM_OR(type, member.hidden, in "hidden_size", hidden_), OG_LAYERS_OR(type, member.layers, in "num_hidden_layers", layers_), \
	OG_DIM_OR(type, member.heads, in "num_attention_heads", heads_), OG_DIM_OR(type, member.ffn, in "intermediate_size", ffn_), \
	OG_REAL_OR(type, member.eps, in "layer_norm_eps", eps_), OG_ACT_OR(type, member.act, in "hidden_act", act_)
#define OG_TEXT_TOWER_FIELDS(type, member, in, vocab_, positions_) \
	OG_VOCAB_OR(type, member.vocab, in "vocab_size", vocab_), OG_DIM_OR(type, member.positions, in "max_position_embeddings", positions_)
#define OG_IMAGE_TOWER_FIELDS(type, member, in, channels_, image_, patch_) \
	OG_DIM_OR(type, member.channels, in "num_channels", channels_), OG_DIM_OR(type, member.image, in "image_size", image_), \
	OG_DIM_OR(type, member.patch, in "patch_size", patch_)

/* Keys that every config class has and neither encoder reads (the mask of a text is causal, or is not, whatever is_decoder says). */
#define OG_DUAL_INERT \
	{ "tie_word_embeddings", "words are read, not written" }, { "text_config.tie_word_embeddings", "words are read, not written" }, \
	{ "vision_config.tie_word_embeddings", "there are no words" }, { "is_decoder", "neither encoder reads it" }, \
	{ "text_config.is_decoder", "the reference does not read it" }, { "vision_config.is_decoder", "the reference does not read it" }, \
	{ "add_cross_attention", "neither encoder reads it" }, { "text_config.add_cross_attention", "the reference does not read it" }, \
	{ "vision_config.add_cross_attention", "the reference does not read it" }, \
	{ "text_config.is_encoder_decoder", "the reference does not read it" }, { "vision_config.is_encoder_decoder", "the reference does not read it" }

/* ---- what towers are made of, relative to the scope ---- */

/* The layers "encoder.layers.N". mask: additive, or OG_NONE. */
og_val og_tower_layers(og_build *b, og_val x, const og_tower *t, og_val mask);
/* "embeddings": a learned vector for each word and each position, added; positions: from og_positions(). [T, S] → [T, S, H]. */
og_val og_tower_words(og_build *b, og_val ids, og_val positions, const og_text_tower *t);
/* "embeddings": patches, before them a learned token where one is named, and a learned vector for each position: [I, C, h, w] → [I, P, H]. */
typedef struct og_tower_pixels_o {
	const char *token; /* of shape [H]; NULL: none */
	bool no_bias;      /* of the patches */
} og_tower_pixels_o;
og_val og_tower_pixels(og_build *b, og_val pixels, const og_image_tower *t, og_tower_pixels_o o);
og_val og_tower_input(og_build *b, const char *batch, const og_image_tower *t); /* pixel_values */

/* ---- the tasks: descriptions of a file, given the config and the family's og_dual ---- */

typedef struct og_dual_in {
	og_val ids, mask; /* [T, S]; mask OG_NONE: the family has none */
} og_dual_in;

typedef struct og_dual {
	bool no_mask;       /* attention_mask is not an input */
	const char *images; /* what the number of images is called where texts are in the file too */
	const og_image_tower *(*image_tower)(const void *config);
	og_val (*text)(og_build *b, const void *config, og_dual_in in);  /* → [T, D] */
	og_val (*image)(og_build *b, const void *config, og_val pixels); /* → [I, D] */
	og_val (*score)(og_build *b, og_val cosines); /* of the cosines [T, I] → the logits */
} og_dual;

/* How well each text fits each image, both ways, and the normalised embeddings. */
void og_dual_scores(og_build *b, const void *config, const void *dual);
/* What made-up inputs are to be, defaults of the config's class among it. text may be NULL. */
void og_dual_facts(const og_text_tower *text, const og_image_tower *image, og_input_facts *f);
/* The inputs of a file of texts alone, of images alone. */
og_dual_in og_dual_texts(og_build *b, const og_dual *d, const char *batch);
og_val og_dual_images(og_build *b, const void *config, const og_dual *d, const char *batch);

#endif
