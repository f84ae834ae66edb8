/* SPDX-License-Identifier: Apache-2.0
 *
 * DeiT (Touvron et al. 2020, arXiv:2012.12877): a vision transformer with a second token, which learned from a teacher.
 * Reference: transformers.models.deit.modeling_deit. */
#include "arch/vit.h"

static og_val encode(og_build *b, const void *config, og_val pixels)
{
	static const char *const tokens[] = { "cls_token", "distillation_token", NULL };
	return og_vit_encode(b, config, pixels, "deit", tokens);
}

/* As many tokens as there are patches, but one place too early: the reference takes all between the first and the last token,
 * the distillation token among them, and was trained so. */
static og_val patches(og_build *b, const void *config, og_val x)
{
	int64_t tokens = 0;
	(void)config;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &tokens);
	return og_slice(b, x, 1, 1, tokens - 1);
}

static const og_vision vision = { OG_VIT_VISION, .encode = encode, .patches = patches };

/* Two classifiers, one for each token, and the mean of what they say. */
static void describe_with_teacher(og_build *b, const void *config, const void *family)
{
	const vit *c = config;
	og_val x = og_vision_encoded(b, config, family);
	og_val own = og_linear(b, og_token(b, x, 0), "cls_classifier", c->labels);
	og_val taught = og_linear(b, og_token(b, x, 1), "distillation_classifier", c->labels);
	og_val half = og_const_f32(b, 0.5f);
	og_output(b, "logits", og_mul(b, og_add(b, own, taught), half));
}

static const og_head heads[] = {
	OG_VISION_HEADS("DeiT"),
	{ "DeiTForImageClassificationWithTeacher", "image-classification", OG_ONE_FILE(describe_with_teacher) },
	{ 0 },
};

static const og_ignore ignore[] = {
	OG_VIT_IGNORE,
	{ "cls_classifier.*", "head of another task" },
	{ "distillation_classifier.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "encoder.layer.0.attention.attention.query.weight", "embeddings.distillation_token", NULL };

const og_arch og_arch_deit = {
	OG_VIT, .model_type = "deit", .base_prefix = "deit", .family = &vision, .heads = heads, .ignore = ignore, .marks = marks,
};
