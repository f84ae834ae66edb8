/* SPDX-License-Identifier: Apache-2.0
 *
 * What a config says that made-up inputs need.  Nothing here is refused: what is not understood is not said. */
#include "model/config.h"

#include "base/limits.h"

/* The document of one side of a model that has several, or the whole. */
static const og_json *side_of(const og_json *doc, const char *key)
{
	const og_json *sub = og_json_get(doc, key);
	return sub && json_object_is_type(sub, json_type_object) ? sub : doc;
}

static og_image_facts image_facts(const og_json *doc)
{
	og_image_facts f = { 0 };
	og_size image, patch;
	if (og_config_size(og_json_get(doc, "image_size"), &image)) {
		f.height = image.height;
		f.width = image.width;
		if (og_config_size(og_json_get(doc, "patch_size"), &patch) && image.height / patch.height <= OG_DIM_MAX / (image.width / patch.width + 1))
			f.patches = (image.height / patch.height) * (image.width / patch.width);
	}
	if (!og_config_side(og_json_get(doc, "num_channels"), &f.channels))
		f.channels = 0;
	return f;
}

bool og_sound_before(og_sound_facts *f, int64_t kernel, int64_t stride)
{
	if (f->step > OG_DIM_MAX / stride || f->least > (OG_DIM_MAX - kernel) / stride)
		return false;
	f->least = (f->least - 1) * stride + kernel;
	f->step *= stride;
	return true;
}

/* One frame more needs as many samples as all strides multiplied; the first sees as many as all windows behind each other. */
static og_sound_facts sound_facts(const og_json *doc)
{
	og_json *kernels = og_json_get(doc, "conv_kernel"), *strides = og_json_get(doc, "conv_stride");
	og_sound_facts f = { 1, 1 };
	if (!json_object_is_type(kernels, json_type_array) || !json_object_is_type(strides, json_type_array))
		return (og_sound_facts){ 0 };
	size_t n = json_object_array_length(kernels);
	if (!n || n != json_object_array_length(strides) || n > OG_LAYERS_MAX)
		return (og_sound_facts){ 0 };
	for (size_t i = n; i-- > 0;) {
		int64_t kernel, stride;
		if (!og_config_side(json_object_array_get_idx(kernels, i), &kernel) || !og_config_side(json_object_array_get_idx(strides, i), &stride))
			return (og_sound_facts){ 0 };
		if (!og_sound_before(&f, kernel, stride))
			return OG_SOUND_FACTS_MOST;
	}
	return f;
}

og_input_facts og_config_facts(const og_json *doc)
{
	const og_json *text = side_of(doc, "text_config");
	return (og_input_facts){
		.vocab_size = og_json_i64(text, "vocab_size", 0),
		.type_vocab_size = og_json_i64(text, "type_vocab_size", 0),
		.max_positions = og_json_i64(text, "max_position_embeddings", 0),
		.pad_token_id = og_json_i64(text, "pad_token_id", -1),
		.end_token_id = -1,
		.image = image_facts(side_of(doc, "vision_config")),
		.sound = sound_facts(doc),
	};
}
