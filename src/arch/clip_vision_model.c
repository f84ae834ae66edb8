/* SPDX-License-Identifier: Apache-2.0
 *
 * The image encoder of a CLIP alone, whose config is what the other has as vision_config.
 * Reference: transformers.models.clip.modeling_clip.CLIPVisionModel. */
#include "arch/clip.h"

typedef struct clip_vision {
	og_image_tower image;
} clip_vision;

static const og_field fields[] = {
	OG_CLIP_IMAGE_FIELDS(clip_vision, image, ""),
	OG_ONLY("is_encoder_decoder", "false"),
	{ 0 },
};

static const og_inert inert[] = {
	{ "projection_dim", "the projection is no output" },
	{ "num_labels", "there is no classifier" },
	{ "tie_word_embeddings", "there are no words" },
	{ "is_decoder", "the reference does not read it" },
	{ "add_cross_attention", "the reference does not read it" },
	{ 0 },
};

static void describe(og_build *b, const void *config, const void *family)
{
	const clip_vision *c = config;
	og_val x = OG_NONE, pixels = og_tower_input(b, "batch_size", &c->image);
	(void)family;
	OG_SCOPE(b, "vision_model") {
		x = og_clip_tokens(b, &c->image, pixels);
		og_output(b, "last_hidden_state", x);
		og_output(b, "pooler_output", og_clip_pooled(b, &c->image, x));
	}
}

static const og_head heads[] = {
	{ "CLIPVisionModel", OG_TASK_FEATURES, OG_ONE_FILE(describe) },
	{ "CLIPVisionModelWithProjection", OG_TASK_FEATURES, OG_ONE_FILE(describe) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	OG_CLIP_IGNORE_BUFFERS,
	{ "visual_projection.weight", "the task takes what lies before the projection" },
	{ "text_model.*", "the text encoder of the whole model" },
	{ "text_projection.weight", "the text encoder of the whole model" },
	{ "logit_scale", "the comparison of the whole model" },
	{ 0 },
};

static const char *const marks[] = { "vision_model.encoder.layers.0.self_attn.q_proj.weight", "vision_model.embeddings.class_embedding", NULL };

static void facts(const void *config, const char *task, og_input_facts *f)
{
	(void)task;
	og_dual_facts(NULL, &((const clip_vision *)config)->image, f);
}

const og_arch og_arch_clip_vision_model = {
	.model_type = "clip_vision_model", .revision = 2, .facts = facts,
	.config_size = sizeof(clip_vision), .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks, .like = "clip",
};
