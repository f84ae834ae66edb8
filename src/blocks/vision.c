/* SPDX-License-Identifier: Apache-2.0
 *
 * Image encoders: the input, patches and tokens, the layer, and three tasks over what a family encodes. */
#include "blocks/vision.h"

#include <math.h>
#include <stdio.h>

#define TOKENS_MAX 8 /* that stand before the patches */

/* ---- the input ---- */

og_val og_vision_pixels(og_build *b, const char *batch, int64_t channels, og_size image)
{
	char dims[3][24];
	snprintf(dims[0], sizeof(dims[0]), "%lld", (long long)channels);
	snprintf(dims[1], sizeof(dims[1]), "%lld", (long long)image.height);
	snprintf(dims[2], sizeof(dims[2]), "%lld", (long long)image.width);
	return og_input(b, "pixel_values", OG_F32, batch, dims[0], dims[1], dims[2]);
}

static int64_t whole(const void *config, size_t at)
{
	int64_t n;
	memcpy(&n, (const char *)config + at, sizeof(n));
	return n;
}

og_val og_vision_encoded(og_build *b, const void *config, const og_vision *v)
{
	og_size image;
	memcpy(&image, (const char *)config + v->image, sizeof(image));
	return v->encode(b, config, og_vision_pixels(b, "batch_size", whole(config, v->channels), image));
}

/* ---- the encoder ---- */

og_val og_patches(og_build *b, og_val pixels, const char *name, og_patches_o o)
{
	og_dims *d = og_build_dims(b);
	const int64_t side[] = { o.patch.height, o.patch.width };
	int64_t h, w;
	if (og_build_stuck(b))
		return OG_NONE;
	if (og_dim_is_int(d, og_dim_at(b, pixels, 2), &h) && og_dim_is_int(d, og_dim_at(b, pixels, 3), &w) && (h < side[0] || w < side[1]))
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "an image of %lld × %lld is smaller than a patch of %lld × %lld", (long long)h, (long long)w,
			(long long)side[0], (long long)side[1]);
	og_val x = og_conv(b, pixels, name, (og_conv_o){ .out = o.width, .kernel = side, .stride = side, .no_bias = o.no_bias });
	og_dim patches = og_dim_mul(d, og_dim_at(b, x, 2), og_dim_at(b, x, 3));
	return og_permute(b, og_reshape(b, x, og_dim_at(b, x, 0), og_dim_at(b, x, 1), patches), 0, 2, 1);
}

og_val og_tokens_before(og_build *b, og_val x, const og_val *tokens, size_t n)
{
	og_val all = n == 1 ? tokens[0] : og_concat(b, tokens, n, 1);
	all = og_expand(b, all, (og_dim[]){ og_dim_at(b, x, 0), og_dim_of(b, (int64_t)n), og_dim_at(b, x, 2) }, 3);
	return og_concat(b, (og_val[]){ all, x }, 2, 1);
}

static og_val embed(og_build *b, og_val pixels, const og_vision_encoder_o *o)
{
	og_val x = og_patches(b, pixels, "patch_embeddings.projection", (og_patches_o){ .patch = o->patch, .width = o->hidden }), tokens[TOKENS_MAX];
	size_t n = 0;
	int64_t count;
	for (; n < TOKENS_MAX && o->tokens[n]; n++)
		tokens[n] = og_weight(b, o->tokens[n], 1, 1, o->hidden);
	x = og_tokens_before(b, x, tokens, n);
	if (og_build_stuck(b))
		return OG_NONE;
	if (!og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &count))
		return og_build_fail(b, ONNXGATE_INTERNAL, "the number of patches is not known");
	return og_add(b, x, og_weight(b, "position_embeddings", 1, count, o->hidden));
}

og_val og_vision_encoder(og_build *b, og_val pixels, og_vision_encoder_o o)
{
	const og_layer_o layer = {
		.attention = { .heads = o.heads, .no_qkv_bias = !o.qkv_bias, .q = "attention.attention.query", .k = "attention.attention.key",
		               .v = "attention.attention.value", .o = "attention.output.dense" },
		.attention_norm = "layernorm_before", .norm = "layernorm_after", .up = "intermediate.dense", .down = "output.dense",
		.ffn = o.ffn, .act = o.act, .eps = o.eps };
	og_val x = OG_NONE;
	OG_SCOPE(b, "embeddings") x = embed(b, pixels, &o);
	for (int64_t i = 0; i < o.layers; i++)
		OG_SCOPE(b, "encoder.layer.%d", (int)i) x = og_pre_norm(b, x, layer);
	return og_layer_norm(b, x, "layernorm", o.eps);
}

/* ---- the tasks ---- */

void og_vision_features(og_build *b, const void *config, const void *vision)
{
	og_output(b, "last_hidden_state", og_vision_encoded(b, config, vision));
}

void og_vision_classification(og_build *b, const void *config, const void *vision)
{
	const og_vision *v = vision;
	og_output(b, "logits", v->classify(b, config, og_vision_encoded(b, config, v), whole(config, v->labels)));
}

/* [B, P, H] → [B, C, height, width]: each patch becomes a square of stride × stride pixels. The reference takes the patches for a
 * square of patches, whatever the image's sides are. */
static og_val rebuild(og_build *b, og_val x, int64_t channels, int64_t stride)
{
	og_dims *d = og_build_dims(b);
	int64_t patches = 0, out = 0;
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(d, og_dim_at(b, x, 1), &patches);
	int64_t side = (int64_t)floor(sqrt((double)patches));
	if (side < 1 || side * side != patches)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "image_size and patch_size make %lld patches, which are no square to rebuild an image from",
			(long long)patches);
	if (!og_dim_is_int(d, og_dim_mul(d, og_dim_mul(d, og_dim_of(b, stride), og_dim_of(b, stride)), og_dim_of(b, channels)), &out))
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "encoder_stride %lld is too large", (long long)stride);
	x = og_permute(b, x, 0, 2, 1);
	x = og_reshape(b, x, og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, side), og_dim_of(b, side));
	x = og_conv(b, x, "decoder.0", (og_conv_o){ .out = out, .kernel = (const int64_t[]){ 1, 1 } });
	OG_NODE_SCOPE(b, "decoder.1") x = og_pixel_shuffle(b, x, stride);
	return x;
}

void og_vision_reconstruction(og_build *b, const void *config, const void *vision)
{
	const og_vision *v = vision;
	og_val x = v->patches(b, config, og_vision_encoded(b, config, v));
	og_output(b, "reconstruction", rebuild(b, x, whole(config, v->channels), whole(config, v->stride)));
}
