/* SPDX-License-Identifier: Apache-2.0
 *
 * ViT, and what has its config and its encoder: such a type says which tokens stand before the patches, and what is read off them. */
#ifndef OG_ARCH_VIT_H
#define OG_ARCH_VIT_H

#include "arch/heads.h"

typedef struct vit {
	int64_t hidden, layers, heads, ffn, channels, stride, labels;
	og_size image, patch;
	double eps;
	og_act_kind act;
	bool qkv_bias;
} vit;

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
#define OG_VIT_IGNORE \
	{ "*embeddings.mask_token", "the file has no input that says which patches are masked" }, \
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" }, \
	{ "classifier.*", "head of another task" }, \
	{ "decoder.*", "head of another task" }

extern const og_field og_vit_fields[];
extern const og_inert og_vit_inert[];
/* Below the scope of that name, the base model's: patches behind the tokens of those names (they end with NULL). */
og_val og_vit_encode(og_build *b, const void *config, og_val pixels, const char *base, const char *const *tokens);
og_val og_vit_classify(og_build *b, const void *config, og_val x, int64_t n); /* off the first token */

/* What an og_vision of these has in common, and an og_arch. */
#define OG_VIT_VISION \
	.channels = OG_VISION_AT(vit, channels), .image = OG_VISION_IMAGE(vit, image), .labels = OG_VISION_AT(vit, labels), \
	.stride = OG_VISION_AT(vit, stride), .classify = og_vit_classify
#define OG_VIT .revision = 2, .config_size = sizeof(vit), .fields = og_vit_fields, .inert = og_vit_inert

#endif
