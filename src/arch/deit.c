/* SPDX-License-Identifier: Apache-2.0
 *
 * DeiT (Touvron et al. 2020, arXiv:2012.12877): a vision transformer with a second token, which learned from a teacher.
 * Reference: transformers.models.deit.modeling_deit. */
#include "arch/arch.h"
#include "base/limits.h"
#include "blocks/vision.h"

typedef struct deit {
	int64_t hidden, layers, heads, ffn, channels, stride, labels;
	og_size image, patch;
	double eps;
	og_act_kind act;
	bool qkv_bias;
} deit;

static const og_field fields[] = {
	OG_DIM_OR(deit, hidden, "hidden_size", 768),
	OG_LAYERS_OR(deit, layers, "num_hidden_layers", 12),
	OG_DIM_OR(deit, heads, "num_attention_heads", 12),
	OG_DIM_OR(deit, ffn, "intermediate_size", 3072),
	OG_DIM_OR(deit, channels, "num_channels", 3),
	OG_DIM_OR(deit, stride, "encoder_stride", 16),
	OG_LABELS(deit, labels),
	OG_SIZE_OR(deit, image, "image_size", 224),
	OG_SIZE_OR(deit, patch, "patch_size", 16),
	OG_REAL_OR(deit, eps, "layer_norm_eps", 1e-12),
	OG_ACT_OR(deit, act, "hidden_act", "gelu"),
	OG_FLAG_OR(deit, qkv_bias, "qkv_bias", true),
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
	static const char *const tokens[] = { "cls_token", "distillation_token", NULL };
	const deit *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "deit")
		x = og_vision_encoder(b, pixels, (og_vision_encoder_o){ .patch = c->patch, .hidden = c->hidden, .layers = c->layers, .heads = c->heads,
			.ffn = c->ffn, .eps = c->eps, .act = c->act, .qkv_bias = c->qkv_bias, .tokens = tokens });
	return x;
}

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "classifier", n);
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

static const og_vision vision = {
	.channels = OG_VISION_AT(deit, channels), .image = OG_VISION_IMAGE(deit, image), .labels = OG_VISION_AT(deit, labels), .stride = OG_VISION_AT(deit, stride),
	.encode = encode, .classify = classify, .patches = patches,
};

/* Two classifiers, one for each token, and the mean of what they say. */
static void describe_with_teacher(og_build *b, const void *config, const void *family)
{
	const deit *c = config;
	og_val x = og_vision_encoded(b, config, family);
	og_val own = og_linear(b, og_token(b, x, 0), "cls_classifier", c->labels);
	og_val taught = og_linear(b, og_token(b, x, 1), "distillation_classifier", c->labels);
	og_output(b, "logits", og_mul(b, og_add(b, own, taught), og_const_f32(b, 0.5f)));
}

static const og_head heads[] = {
	{ "DeiTModel", OG_TASK_FEATURES, OG_ONE_FILE(og_vision_features) },
	{ "DeiTForImageClassification", "image-classification", OG_ONE_FILE(og_vision_classification) },
	{ "DeiTForImageClassificationWithTeacher", "image-classification", OG_ONE_FILE(describe_with_teacher) },
	{ "DeiTForMaskedImageModeling", "masked-im", OG_ONE_FILE(og_vision_reconstruction) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*embeddings.mask_token", "the file has no input that says which patches are masked" },
	{ "*pooler.dense.*", "the task takes the sequence, not the pooled token" },
	{ "classifier.*", "head of another task" },
	{ "cls_classifier.*", "head of another task" },
	{ "distillation_classifier.*", "head of another task" },
	{ "decoder.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "encoder.layer.0.attention.attention.query.weight", "embeddings.distillation_token", NULL };

const og_arch og_arch_deit = {
	.model_type = "deit", .base_prefix = "deit", .revision = 1,
	.config_size = sizeof(deit), .family = &vision, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
