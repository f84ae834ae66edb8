/* SPDX-License-Identifier: Apache-2.0
 *
 * SigLIP (Zhai et al. 2023, arXiv:2303.15343): as CLIP, but each pair is judged by itself, so the scores have a bias; and
 * the words see each other in both directions, padding among them, up to the last position, which is the text's.
 * Reference: transformers.models.siglip.modeling_siglip. */
#include "arch/arch.h"
#include "blocks/dual.h"

typedef struct siglip {
	og_text_tower text;
	og_image_tower image;
	int64_t projection; /* of texts; 0: as wide as their tower */
	bool pooled;        /* images have a head */
} siglip;

static const og_field fields[] = {
	OG_SECTION("text_config", NULL),
	OG_SECTION("vision_config", NULL),
	OG_TOWER_FIELDS(siglip, text.tower, "text_config.", 768, 12, 12, 3072, 1e-6, "gelu_pytorch_tanh"),
	OG_TEXT_TOWER_FIELDS(siglip, text, "text_config.", 32000, 64),
	OG_DIM_OR_NONE(siglip, projection, "text_config.projection_size"),
	OG_TOWER_FIELDS(siglip, image.tower, "vision_config.", 768, 12, 12, 3072, 1e-6, "gelu_pytorch_tanh"),
	OG_IMAGE_TOWER_FIELDS(siglip, image, "vision_config.", 3, 224, 16),
	OG_FLAG_OR(siglip, pooled, "vision_config.vision_use_head", true),
	OG_ONLY("is_encoder_decoder", "false"),
	{ 0 },
};

static const og_inert inert[] = {
	{ "num_labels", "there is no classifier" },
	OG_DUAL_INERT,
	{ 0 },
};

/* ---- images ---- */

static og_val image_tokens(og_build *b, const siglip *c, og_val pixels)
{
	og_val x = og_tower_pixels(b, pixels, &c->image, (og_tower_pixels_o){ 0 });
	return og_layer_norm(b, og_tower_layers(b, x, &c->image.tower, OG_NONE), "post_layernorm", c->image.tower.eps);
}

/* One learned query looks at all patches: [I, P, H] → [I, H]. */
static og_val attend(og_build *b, const og_tower *t, og_val x)
{
	og_val probe = og_weight(b, "probe", 1, 1, t->hidden);
	og_val a = og_attention(b, x, (og_attn_o){ .from = probe, .heads = t->heads, .packed = "attention", .o = "attention.out_proj" });
	a = og_squeeze(b, a, 1);
	og_val h = og_act(b, og_linear(b, og_layer_norm(b, a, "layernorm", t->eps), "mlp.fc1", t->ffn), t->act);
	return og_add(b, a, og_linear(b, h, "mlp.fc2", t->hidden));
}

static og_val image_pooled(og_build *b, const siglip *c, og_val x)
{
	og_val y = OG_NONE;
	OG_SCOPE(b, "head") y = attend(b, &c->image.tower, x);
	return y;
}

static og_val image(og_build *b, const void *config, og_val pixels)
{
	const siglip *c = config;
	og_val x = OG_NONE;
	if (!c->pooled)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "vision_config.vision_use_head is false: without its head there is no embedding of an image");
	OG_SCOPE(b, "vision_model") x = image_pooled(b, c, image_tokens(b, c, pixels));
	return x;
}

/* ---- texts ---- */

static og_val text_tokens(og_build *b, const siglip *c, og_dual_in in)
{
	og_val positions = og_positions(b, in.ids, 0), x = og_tower_words(b, in.ids, positions, &c->text);
	return og_layer_norm(b, og_tower_layers(b, x, &c->text.tower, OG_NONE), "final_layer_norm", c->text.tower.eps);
}

static og_val text_pooled(og_build *b, const siglip *c, og_val x)
{
	return og_linear(b, og_token(b, x, -1), "head", c->projection ? c->projection : c->text.tower.hidden);
}

static og_val text(og_build *b, const void *config, og_dual_in in)
{
	const siglip *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "text_model") x = text_pooled(b, c, text_tokens(b, c, in));
	return x;
}

/* ---- files ---- */

static og_val score(og_build *b, og_val cosines)
{
	og_val scaled = og_mul(b, cosines, og_unary(b, "Exp", og_weight(b, "logit_scale", 1)));
	return og_add(b, scaled, og_weight(b, "logit_bias", 1));
}

static const og_image_tower *image_tower(const void *config)
{
	return &((const siglip *)config)->image;
}

static const og_dual dual = {
	.no_mask = true, .images = "image_batch_size", .image_tower = image_tower, .text = text, .image = image, .score = score,
};

/* One encoder alone, as SiglipTextModel and SiglipVisionModel give it. */
static void describe_texts(og_build *b, const void *config, const void *family)
{
	og_dual_in in = og_dual_texts(b, family, "batch_size");
	OG_SCOPE(b, "text_model") {
		og_val x = text_tokens(b, config, in);
		og_output(b, "last_hidden_state", x);
		og_output(b, "pooler_output", text_pooled(b, config, x));
	}
}

static void describe_images(og_build *b, const void *config, const void *family)
{
	const siglip *c = config;
	og_val pixels = og_dual_images(b, config, family, "batch_size");
	OG_SCOPE(b, "vision_model") {
		og_val x = image_tokens(b, c, pixels);
		og_output(b, "last_hidden_state", x);
		if (c->pooled)
			og_output(b, "pooler_output", image_pooled(b, c, x));
	}
}

static const og_variant variants[] = { { "split", OG_SPLIT_FILES(describe_texts, describe_images) }, { 0 } };

static const og_head heads[] = {
	{ "SiglipModel", "zero-shot-image-classification", OG_ONE_FILE(og_dual_scores), variants },
	{ "SiglipModel", OG_TASK_FEATURES, OG_ONE_FILE(og_dual_scores), variants },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*.embeddings.position_ids", "0, 1, 2, …: a buffer of old releases" },
	{ "logit_scale", "nothing is compared" },
	{ "logit_bias", "nothing is compared" },
	{ 0 },
};

static const char *const marks[] = { "text_model.embeddings.token_embedding.weight", "text_model.head.weight", "logit_bias", NULL };

static void facts(const void *config, const char *task, og_input_facts *f)
{
	const siglip *c = config;
	(void)task;
	og_dual_facts(&c->text, &c->image, f);
}

const og_arch og_arch_siglip = {
	.model_type = "siglip", .revision = 3, .facts = facts,
	.config_size = sizeof(siglip), .family = &dual, .fields = fields, .inert = inert, .heads = heads, .ignore = ignore, .marks = marks,
};
