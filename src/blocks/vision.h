/* SPDX-License-Identifier: Apache-2.0
 *
 * Image encoders: three tasks over one encoder, and what encoders of patches are made of (Dosovitskiy et al. 2020,
 * arXiv:2010.11929).  A family says in an og_vision where it differs.
 *
 * The size of the image is a number in the graph, and in the file's input: positions are a table, so no other size would be right.
 *
 * Shapes: B batch, C channels, P patches, T tokens (P and what stands before them), H hidden. */
#ifndef OG_BLOCKS_VISION_H
#define OG_BLOCKS_VISION_H

#include "blocks/blocks.h"

typedef struct og_vision {
	size_t channels, image, labels, stride; /* where the config's struct has them: OG_VISION_AT(), OG_VISION_IMAGE() */
	og_val (*encode)(og_build *b, const void *config, og_val pixels);         /* [B, C, height, width] → [B, T, H] */
	og_val (*classify)(og_build *b, const void *config, og_val x, int64_t n); /* [B, T, H] → [B, n] */
	og_val (*patches)(og_build *b, const void *config, og_val x); /* [B, T, H] → [B, P, H]: the tokens that an image is rebuilt from */
} og_vision;
#define OG_VISION_AT(type, member) OG_AT_(type, member, int64_t)
#define OG_VISION_IMAGE(type, member) OG_AT_(type, member, og_size)

/* ---- the tasks: descriptions of a file, given the config and the family's og_vision ---- */

void og_vision_features(og_build *b, const void *config, const void *vision);
void og_vision_classification(og_build *b, const void *config, const void *vision);
/* Without a mask, as Optimum's files: the image is rebuilt from what is seen of it, which is all. */
void og_vision_reconstruction(og_build *b, const void *config, const void *vision);

/* ---- what encoders are made of ---- */

og_val og_vision_pixels(og_build *b, const char *batch, int64_t channels, og_size image); /* the input: [batch, C, height, width] */
/* What a family's encode() gives for the input that its og_vision speaks of. */
og_val og_vision_encoded(og_build *b, const void *config, const og_vision *v);

typedef struct og_patches_o {
	og_size patch;
	int64_t width; /* H */
	bool no_bias;
} og_patches_o;
/* A linear layer over each patch, as a convolution whose windows do not meet: [B, C, h, w] → [B, P, H]. What is left of an
 * image that patches do not fill is not seen. */
og_val og_patches(og_build *b, og_val pixels, const char *name, og_patches_o o);
/* n learned tokens, each broadcast to [B, 1, H] from its shape [1, 1, H] (or [H], where it is one), before those of x. */
og_val og_tokens_before(og_build *b, og_val x, const og_val *tokens, size_t n);

/* The whole of an encoder of patches, by the names that its first family gave the parts, relative to the scope: patches, the
 * learned tokens of those names before them, a learned position each, pre-norm layers, a last norm. */
typedef struct og_vision_encoder_o {
	og_size patch;
	int64_t hidden, layers, heads, ffn;
	double eps;
	og_act_kind act;
	bool qkv_bias;
	const char *const *tokens; /* end with NULL */
} og_vision_encoder_o;
og_val og_vision_encoder(og_build *b, og_val pixels, og_vision_encoder_o o);

#endif
