/* SPDX-License-Identifier: Apache-2.0
 *
 * CLIP (Radford et al. 2021, arXiv:2103.00020): a text and an image are near each other where they belong together.
 * Reference: transformers.models.clip.modeling_clip. */
#include "arch/clip.h"
#include "base/str.h"

#define EOS_OF_OLD 2 /* what configs said before the tokenizer's own number was written there: then the largest id ends a text */

typedef struct clip {
	og_text_tower text;
	og_image_tower image;
	int64_t eos, projection, labels;
} clip;

static const og_field fields[] = {
	OG_SECTION("text_config", "text_config_dict"),
	OG_SECTION("vision_config", "vision_config_dict"),
	OG_TOWER_FIELDS(clip, text.tower, "text_config.", 512, 12, 8, 2048, 1e-5, "quick_gelu"),
	OG_TEXT_TOWER_FIELDS(clip, text, "text_config.", 49408, 77),
	OG_ID_OR(clip, eos, "text_config.eos_token_id", 49407),
	OG_CLIP_IMAGE_FIELDS(clip, image, "vision_config."),
	OG_DIM_OR(clip, projection, "projection_dim", 512),
	OG_LABELS(clip, labels),
	OG_ONLY("is_encoder_decoder", "false"),
	{ 0 },
};

static const og_inert inert[] = {
	{ "logit_scale_init_value", "training begins with it; the weights have what came of it" },
	{ "text_config.projection_dim", "projection_dim at the top counts for both" },
	{ "vision_config.projection_dim", "projection_dim at the top counts for both" },
	OG_DUAL_INERT,
	{ 0 },
};

/* ---- images ---- */

og_val og_clip_tokens(og_build *b, const og_image_tower *t, og_val pixels)
{
	og_val x = og_tower_pixels(b, pixels, t, (og_tower_pixels_o){ .token = "class_embedding", .no_bias = true });
	return og_tower_layers(b, og_layer_norm(b, x, "pre_layrnorm", t->tower.eps), &t->tower, OG_NONE);
}

og_val og_clip_pooled(og_build *b, const og_image_tower *t, og_val x)
{
	return og_layer_norm(b, og_token(b, x, 0), "post_layernorm", t->tower.eps);
}

static og_val image(og_build *b, const void *config, og_val pixels)
{
	const clip *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "vision_model") x = og_clip_pooled(b, &c->image, og_clip_tokens(b, &c->image, pixels));
	return og_linear_opt(b, x, "visual_projection", c->projection, (og_linear_o){ .no_bias = true });
}

/* ---- texts ---- */

/* Where each text ends: [T, S] → [T]. (int64 has no kernel in ONNX Runtime.) Where no position has the id, the first is meant, as in the reference. */
static og_val ends(og_build *b, const clip *c, og_val ids)
{
	og_val rank = c->eos == EOS_OF_OLD ? ids : og_equal(b, ids, og_const_i64(b, c->eos));
	return og_argmax(b, og_cast(b, rank, OG_I32), 1, false);
}

static og_val encode(og_build *b, const clip *c, og_dual_in in)
{
	og_val positions = og_positions(b, in.ids, 0), x = og_tower_words(b, in.ids, positions, &c->text), padding = og_mask_bias(b, in.mask);
	og_val mask = og_add(b, padding, og_causal_bias(b, positions));
	x = og_layer_norm(b, og_tower_layers(b, x, &c->text.tower, mask), "final_layer_norm", c->text.tower.eps);
	og_val at = ends(b, c, in.ids), rows = og_rows_of(b, x, at);
	return og_row(b, x, rows);
}

static og_val text(og_build *b, const void *config, og_dual_in in)
{
	const clip *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "text_model") x = encode(b, c, in);
	return og_linear_opt(b, x, "text_projection", c->projection, (og_linear_o){ .no_bias = true });
}

/* ---- files ---- */

static og_val score(og_build *b, og_val cosines)
{
	return og_mul(b, cosines, og_unary(b, "Exp", og_weight_dims(b, "logit_scale", NULL, 0)));
}

static const og_image_tower *image_tower(const void *config)
{
	return &((const clip *)config)->image;
}

static const og_dual dual = { .images = "batch_size", .image_tower = image_tower, .text = text, .image = image, .score = score };

static void describe_classifier(og_build *b, const void *config, const void *family)
{
	const clip *c = config;
	og_val x = OG_NONE, pixels = og_dual_images(b, config, family, "batch_size");
	OG_SCOPE(b, "vision_model") x = og_clip_tokens(b, &c->image, pixels);
	x = og_reduce(b, "ReduceMean", og_slice(b, x, 1, 1, INT64_MAX), 1, false);
	og_output(b, "logits", og_linear(b, x, "classifier", c->labels));
}

/* One encoder alone, as CLIPTextModelWithProjection and CLIPVisionModelWithProjection give it: not normalised. */
static void describe_texts(og_build *b, const void *config, const void *family)
{
	og_output(b, "text_embeds", text(b, config, og_dual_texts(b, family, "batch_size")));
}

static void describe_images(og_build *b, const void *config, const void *family)
{
	og_output(b, "image_embeds", image(b, config, og_dual_images(b, config, family, "batch_size")));
}

static const og_variant variants[] = { { "split", OG_SPLIT_FILES(describe_texts, describe_images) }, { 0 } };

static const og_head heads[] = {
	{ "CLIPModel", "zero-shot-image-classification", OG_ONE_FILE(og_dual_scores), variants },
	{ "CLIPModel", OG_TASK_FEATURES, OG_ONE_FILE(og_dual_scores), variants },
	{ "CLIPForImageClassification", "image-classification", OG_ONE_FILE(describe_classifier) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	OG_CLIP_IGNORE_BUFFERS,
	{ "vision_model.post_layernorm.*", "the task takes the patches, not the class token" },
	{ "text_model.*", "the task takes images alone", true },
	{ "*_projection.weight", "nothing is compared", true },
	{ "logit_scale", "nothing is compared" },
	{ "classifier.*", "head of another task" },
	{ 0 },
};

/* Every class has these; the image encoder alone, whose own type is to be written down, has no others. */
static const char *const marks[] = { "vision_model.encoder.layers.0.self_attn.q_proj.weight", "vision_model.embeddings.class_embedding", NULL };

static void facts(const void *config, const char *task, og_input_facts *f)
{
	const clip *c = config;
	(void)task;
	og_dual_facts(&c->text, &c->image, f);
	f->end_token_id = c->eos == EOS_OF_OLD ? c->text.vocab - 1 : c->eos < c->text.vocab ? c->eos : -1;
}

const og_arch og_arch_clip = {
	.model_type = "clip", .revision = 3, .facts = facts,
	.config_size = sizeof(clip), .family = &dual, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
