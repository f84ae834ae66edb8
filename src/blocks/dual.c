/* SPDX-License-Identifier: Apache-2.0
 *
 * Towers of texts and of images, and how their results are compared. */
#include "blocks/dual.h"

#include "blocks/vision.h"

/* ---- towers ---- */

og_val og_tower_layers(og_build *b, og_val x, const og_tower *t, og_val mask)
{
	const og_layer_o layer = {
		.attention = { .heads = t->heads, .mask = mask, .q = "self_attn.q_proj", .k = "self_attn.k_proj", .v = "self_attn.v_proj", .o = "self_attn.out_proj" },
		.attention_norm = "layer_norm1", .norm = "layer_norm2", .up = "mlp.fc1", .down = "mlp.fc2", .ffn = t->ffn, .act = t->act, .eps = t->eps };
	for (int64_t i = 0; i < t->layers; i++)
		OG_SCOPE(b, "encoder.layers.%d", (int)i) x = og_pre_norm(b, x, layer);
	return x;
}

og_val og_tower_words(og_build *b, og_val ids, og_val positions, const og_text_tower *t)
{
	og_val x = OG_NONE;
	OG_SCOPE(b, "embeddings") {
		og_val words = og_embed(b, ids, "token_embedding", t->vocab, t->tower.hidden);
		x = og_add(b, words, og_embed(b, positions, "position_embedding", t->positions, t->tower.hidden));
	}
	return x;
}

static og_val embed_pixels(og_build *b, og_val pixels, const og_image_tower *t, og_tower_pixels_o o)
{
	const og_size patch = { t->patch, t->patch };
	int64_t hidden = t->tower.hidden, count;
	og_val x = og_patches(b, pixels, "patch_embedding", (og_patches_o){ .patch = patch, .width = hidden, .no_bias = o.no_bias });
	if (o.token) {
		og_val token = og_weight(b, o.token, hidden);
		x = og_tokens_before(b, x, &token, 1);
	}
	if (og_build_stuck(b))
		return OG_NONE;
	if (!og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &count))
		return og_build_fail(b, ONNXGATE_INTERNAL, "the number of patches is not known");
	return og_add(b, x, og_weight(b, "position_embedding.weight", count, hidden));
}

og_val og_tower_pixels(og_build *b, og_val pixels, const og_image_tower *t, og_tower_pixels_o o)
{
	og_val x = OG_NONE;
	OG_SCOPE(b, "embeddings") x = embed_pixels(b, pixels, t, o);
	return x;
}

og_val og_tower_input(og_build *b, const char *batch, const og_image_tower *t)
{
	return og_vision_pixels(b, batch, t->channels, (og_size){ t->image, t->image });
}

/* ---- the tasks ---- */

void og_dual_facts(const og_text_tower *text, const og_image_tower *image, og_input_facts *f)
{
	int64_t side = image->image / image->patch;
	f->image = (og_image_facts){ image->channels, image->image, image->image, side <= INT32_MAX ? side * side : 0 };
	if (!text)
		return;
	f->vocab_size = text->vocab;
	f->max_positions = text->positions;
}

og_dual_in og_dual_texts(og_build *b, const og_dual *d, const char *batch)
{
	og_dual_in in = { .ids = og_input(b, "input_ids", OG_I64, batch, "sequence_length") };
	if (!d->no_mask)
		in.mask = og_input(b, "attention_mask", OG_I64, batch, "sequence_length");
	return in;
}

og_val og_dual_images(og_build *b, const void *config, const og_dual *d, const char *batch)
{
	return og_tower_input(b, batch, d->image_tower(config));
}

/* Optimum's order of the inputs is that of the reference's forward(): the mask is behind the images. */
void og_dual_scores(og_build *b, const void *config, const void *dual)
{
	static const char texts_are[] = "text_batch_size";
	const og_dual *d = dual;
	og_dual_in in = { .ids = og_input(b, "input_ids", OG_I64, texts_are, "sequence_length") };
	og_val pixels = og_dual_images(b, config, d, d->images);
	if (!d->no_mask)
		in.mask = og_input(b, "attention_mask", OG_I64, texts_are, "sequence_length");
	og_val images = d->image(b, config, pixels), texts = d->text(b, config, in);
	if (!og_build_stuck(b) && !og_dim_eq(og_dim_at(b, images, 1), og_dim_at(b, texts, 1))) {
		og_dims *dims = og_build_dims(b);
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "an embedding of a text has width %s and one of an image %s: they cannot be compared",
			og_dim_text(dims, og_dim_at(b, texts, 1)), og_dim_text(dims, og_dim_at(b, images, 1)));
		return;
	}
	images = og_normalize(b, images);
	texts = og_normalize(b, texts);
	og_val per_text = d->score(b, og_matmul(b, texts, og_permute(b, images, 1, 0)));
	og_output(b, "logits_per_image", og_permute(b, per_text, 1, 0));
	og_output(b, "logits_per_text", per_text);
	og_output(b, "text_embeds", texts);
	og_output(b, "image_embeds", images);
}
