/* SPDX-License-Identifier: Apache-2.0
 *
 * Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929): patches, a class token before them, learned positions, pre-norm layers.
 * Reference: transformers.models.vit.modeling_vit. */
#include "arch/vit.h"

const og_field og_vit_fields[] = {
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
	OG_ONLY_ENCODES,
	{ 0 },
};

const og_inert og_vit_inert[] = {
	{ "pooler_act", "the pooled token is no output" },
	{ "pooler_output_size", "the pooled token is no output" },
	{ "tie_word_embeddings", "there are no words" },
	{ 0 },
};

og_val og_vit_encode(og_build *b, const void *config, og_val pixels, const char *base, const char *const *tokens)
{
	const vit *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "%s", base)
		x = og_vision_encoder(b, pixels, (og_vision_encoder_o){ .patch = c->patch, .hidden = c->hidden, .layers = c->layers, .heads = c->heads,
			.ffn = c->ffn, .eps = c->eps, .act = c->act, .qkv_bias = c->qkv_bias, .tokens = tokens });
	return x;
}

og_val og_vit_classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "classifier", n);
}

static og_val encode(og_build *b, const void *config, og_val pixels)
{
	static const char *const tokens[] = { "cls_token", NULL };
	return og_vit_encode(b, config, pixels, "vit", tokens);
}

static og_val patches(og_build *b, const void *config, og_val x)
{
	(void)config;
	return og_slice(b, x, 1, 1, INT64_MAX);
}

static const og_vision vision = { OG_VIT_VISION, .encode = encode, .patches = patches };
static const og_head heads[] = { OG_VISION_HEADS("ViT"), { 0 } };
static const og_ignore ignore[] = { OG_VIT_IGNORE, { 0 } };
static const char *const marks[] = { "embeddings.cls_token", "encoder.layer.0.attention.attention.query.weight", NULL };

const og_arch og_arch_vit = {
	OG_VIT, .model_type = "vit", .base_prefix = "vit", .family = &vision, .heads = heads, .ignore = ignore, .marks = marks,
};
