/* SPDX-License-Identifier: Apache-2.0
 *
 * What a CLIP has in common with its image encoder alone: that encoder, and the defaults of its config. */
#ifndef OG_ARCH_CLIP_H
#define OG_ARCH_CLIP_H

#include "arch/arch.h"
#include "blocks/dual.h"

#define OG_CLIP_IMAGE_FIELDS(type, member, in) \
	OG_TOWER_FIELDS(type, member.tower, in, 768, 12, 12, 3072, 1e-5, "quick_gelu"), OG_IMAGE_TOWER_FIELDS(type, member, in, 3, 224, 32)

#define OG_CLIP_IGNORE_BUFFERS { "*.embeddings.position_ids", "0, 1, 2, …: a buffer of old releases" }

/* Below the scope "vision_model": the tokens, the class token first, and what is taken from them. */
og_val og_clip_tokens(og_build *b, const og_image_tower *t, og_val pixels); /* [I, C, h, w] → [I, P, H] */
og_val og_clip_pooled(og_build *b, const og_image_tower *t, og_val x);      /* → [I, H] */

#endif
