/* SPDX-License-Identifier: Apache-2.0
 *
 * Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929): patches, a class token before them, learned positions, pre-norm layers.
 * Reference: transformers.models.vit.modeling_vit. */
#include "arch/arch.h"
#include "base/limits.h"
#include "blocks/vision.h"

typedef struct vit {
	int64_t hidden, layers, heads, ffn, channels, stride, labels;
	og_size image, patch;
	double eps;
	og_act_kind act;
	bool qkv_bias;
} vit;

static const og_field fields[] = {
	OG_DIM_OR(vit, hidden, "hidden_size", 768),
	OG_LAYERS_OR(vit, layers, "num_hidden_layers", 12),
	OG_DIM_OR(vit, heads, "num_attention_heads", 12),
	OG_DIM_OR(vit, ffn, "intermediate_size", 3072),
	OG_DIM_OR(vit, channels, "num_channels", 3),
	OG_DIM_OR(vit, stride, "encoder_stride", 16),
	OG_LABELS(vit, labels),
	OG_SIZE_OR(vit, image, "image_size", 224),
	OG_SIZE_OR(vit, patch, "patch_size", 16),
	OG_REAL_OR(vit, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(vit, act, "hidden_act", "gelu"),
	OG_FLAG_OR(vit, qkv_bias, "qkv_bias", true),
	OG_ONLY("is_decoder", "false"),
	OG_ONLY("add_cross_attention", "false"),
	OG_ONLY("is_encoder_decoder", "false"),
	{ 0 },
};

static const og_inert inert[] = {
	{ "pooler_act", "the pooled token is no output" },
	{ "pooler_output_size", "the pooled token is no output" },
	{ "tie_word_embeddings", "there are no words" },
	{ 0 },
};

static og_val encode(og_build *b, const void *config, og_val pixels)
{
	static const char *const tokens[] = { "cls_token", NULL };
	const vit *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "vit")
		x = og_vision_encoder(b, pixels, (og_vision_encoder_o){ .patch = c->patch, .hidden = c->hidden, .layers = c->layers, .heads = c->heads,
			.ffn = c->ffn, .eps = c->eps, .act = c->act, .qkv_bias = c->qkv_bias, .tokens = tokens });
	return x;
}

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "classifier", n);
}

static og_val patches(og_build *b, const void *config, og_val x)
{
	(void)config;
	return og_slice(b, x, 1, 1, INT64_MAX);
}

static const og_vision vision = {
	.channels = OG_VISION_AT(vit, channels), .image = OG_VISION_IMAGE(vit, image), .labels = OG_VISION_AT(vit, labels), .stride = OG_VISION_AT(vit, stride),
	.encode = encode, .classify = classify, .patches = patches,
};

static const og_head heads[] = {
	{ "ViTModel", OG_TASK_FEATURES, OG_ONE_FILE(og_vision_features) },
	{ "ViTForImageClassification", "image-classification", OG_ONE_FILE(og_vision_classification) },
	{ "ViTForMaskedImageModeling", "masked-im", OG_ONE_FILE(og_vision_reconstruction) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.mask_token", "the file has no input that says which patches are masked" },
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" },
	{ "classifier.*", "head of another task" },
	{ "decoder.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "embeddings.cls_token", "encoder.layer.0.attention.attention.query.weight", NULL };

const og_arch og_arch_vit = {
	.model_type = "vit", .base_prefix = "vit", .revision = 1,
	.config_size = sizeof(vit), .family = &vision, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
