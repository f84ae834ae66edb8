/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts beside images: attention with a query of its own over packed weights, masks that look back only, a position of each text,
 * norms of vectors, all in the real ONNX Runtime against plain C; and the inputs and outputs of the files over a toy family. */
#include "../graph/run_toy.h"

#include "blocks/dual.h"

#include <float.h>

/* ---- attention with a query of its own ---- */

enum { B = 2, P = 5, H = 6, N = 3, D = H / N };
enum { PROBE, IN_WEIGHT, IN_BIAS, OUT_WEIGHT, OUT_BIAS };

static const toy_weight weights[] = {
	[PROBE] = { "probe", 3, { 1, 1, H } },
	[IN_WEIGHT] = { "attention.in_proj_weight", 2, { 3 * H, H } }, [IN_BIAS] = { "attention.in_proj_bias", 1, { 3 * H } },
	[OUT_WEIGHT] = { "attention.out_proj.weight", 2, { H, H } }, [OUT_BIAS] = { "attention.out_proj.bias", 1, { H } },
};
static float w[OG_COUNT(weights)][3 * H * H], tokens[B * P * H];

/* Part 0 makes queries of a token, 1 keys, 2 values. */
static void part_of(const float *x, int part, double *y)
{
	for (int r = 0; r < H; r++) {
		y[r] = (double)w[IN_BIAS][part * H + r];
		for (int c = 0; c < H; c++)
			y[r] += (double)x[c] * (double)w[IN_WEIGHT][(part * H + r) * H + c];
	}
}

static void attended(const float *x, double *out)
{
	double q[H], k[P][H], v[P][H], mixed[H] = { 0 };
	part_of(w[PROBE], 0, q);
	for (int p = 0; p < P; p++) {
		part_of(x + p * H, 1, k[p]);
		part_of(x + p * H, 2, v[p]);
	}
	for (int n = 0; n < N; n++) {
		double share[P], sum = 0;
		for (int p = 0; p < P; p++) {
			double score = 0;
			for (int d = n * D; d < (n + 1) * D; d++)
				score += q[d] * k[p][d];
			sum += share[p] = exp(score / sqrt(D));
		}
		for (int d = n * D; d < (n + 1) * D; d++)
			for (int p = 0; p < P; p++)
				mixed[d] += share[p] / sum * v[p][d];
	}
	for (int r = 0; r < H; r++) {
		out[r] = (double)w[OUT_BIAS][r];
		for (int c = 0; c < H; c++)
			out[r] += mixed[c] * (double)w[OUT_WEIGHT][r * H + c];
	}
}

static void test_dual__one_query_looks_at_all_tokens(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	double want[B * H];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(weights); i++)
		toy_fill(w[i], toy_count(&weights[i]), i);
	toy_fill(tokens, B * P * H, 99);
	for (int i = 0; i < B * P * H; i++)
		tokens[i] *= 3; /* attention far from uniform */
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "5", "6");
	og_val y = og_attention(t.b, x, (og_attn_o){ .from = og_weight(t.b, "probe", 1, 1, H), .heads = N, .packed = "attention", .o = "attention.out_proj" });
	assert_true(og_dim_eq(og_dim_at(t.b, y, 1), og_dim_of(t.b, 1)));
	og_output(t.b, "y", y);
	og_array *out = toy_run(&t, 18, false, &(og_array){ "x", OG_F32, 3, { B, P, H }, tokens, sizeof(tokens) }, 1, 1);
	for (int b = 0; b < B; b++)
		attended(tokens + b * P * H, want + b * H);
	toy_expect(out, want, B * H, 3e-6);
	toy_builder_free(&t);
}

/* ---- masks, positions, norms ---- */

enum { T = 3, S = 4 };

static void test_dual__a_key_behind_the_query_is_masked(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	int64_t mask[T * S] = { 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1 };
	(void)state;
	og_val m = og_input(t.b, "mask", OG_I64, "batch_size", "sequence_length");
	og_val behind = og_causal_bias(t.b, og_positions(t.b, m, 0));
	og_output(t.b, "behind", behind);
	og_output(t.b, "both", og_add(t.b, og_mask_bias(t.b, m), behind));
	og_array *out = toy_run(&t, 18, false, &(og_array){ "mask", OG_I64, 2, { T, S }, mask, sizeof(mask) }, 1, 2);
	const float *alone = out[0].data, *both = out[1].data;
	assert_int_equal(out[0].size, S * S * sizeof(float));
	assert_int_equal(out[1].size, T * S * S * sizeof(float));
	for (int i = 0; i < T * S * S; i++) {
		int text = i / (S * S), query = i / S % S, key = i % S;
		bool later = key > query, padding = !mask[text * S + key];
		assert_true(alone[query * S + key] == (later ? -FLT_MAX : 0));
		assert_true(both[i] == (later && padding ? -INFINITY : later || padding ? -FLT_MAX : 0));
	}
	toy_builder_free(&t);
}

static void test_dual__a_position_of_each_text_and_norms(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	float x[T * S * 2];
	int64_t at[T] = { 3, 0, 2 };
	double rows[T * 2], units[T * 2];
	(void)state;
	toy_fill(x, OG_COUNT(x), 5);
	og_val v = og_input(t.b, "x", OG_F32, "batch_size", "sequence_length", "2"), where = og_input(t.b, "at", OG_I64, "batch_size");
	og_val row = og_row(t.b, v, og_rows_of(t.b, v, where));
	og_output(t.b, "row", row);
	og_output(t.b, "unit", og_normalize(t.b, row));
	const og_array in[] = { { "x", OG_F32, 3, { T, S, 2 }, x, sizeof(x) }, { "at", OG_I64, 1, { T }, at, sizeof(at) } };
	og_array *out = toy_run(&t, 17, false, in, 2, 2);
	for (int i = 0; i < T; i++) {
		const float *r = &x[(i * S + at[i]) * 2];
		double length = sqrt((double)r[0] * (double)r[0] + (double)r[1] * (double)r[1]);
		for (int k = 0; k < 2; k++) {
			rows[i * 2 + k] = (double)r[k];
			units[i * 2 + k] = (double)r[k] / length;
		}
	}
	toy_expect(&out[0], rows, T * 2, 0);
	toy_expect(&out[1], units, T * 2, 3e-7);
	toy_builder_free(&t);
}

/* ---- the files ---- */

typedef struct toy_config {
	og_text_tower text;
	og_image_tower image;
	int64_t wide; /* of a text's embedding */
} toy_config;

static const og_image_tower *image_tower(const void *config)
{
	return &((const toy_config *)config)->image;
}

static og_val image(og_build *b, const void *config, og_val pixels)
{
	const toy_config *c = config;
	og_val x = OG_NONE;
	OG_SCOPE(b, "image") {
		x = og_tower_pixels(b, pixels, &c->image, (og_tower_pixels_o){ .token = "first" });
		x = og_token(b, og_tower_layers(b, x, &c->image.tower, OG_NONE), 0);
	}
	return x;
}

static og_val text(og_build *b, const void *config, og_dual_in in)
{
	const toy_config *c = config;
	og_val x = OG_NONE, mask = in.mask.id ? og_mask_bias(b, in.mask) : OG_NONE;
	OG_SCOPE(b, "text") {
		x = og_tower_words(b, in.ids, og_positions(b, in.ids, 0), &c->text);
		x = og_linear(b, og_token(b, og_tower_layers(b, x, &c->text.tower, mask), -1), "wide", c->wide);
	}
	return x;
}

static og_val score(og_build *b, og_val cosines)
{
	return og_mul(b, cosines, og_weight_dims(b, "scale", NULL, 0));
}

static const og_dual with_mask = { .images = "batch_size", .image_tower = image_tower, .image = image, .text = text, .score = score };
static const og_dual without_mask = { .no_mask = true, .images = "image_batch_size", .image_tower = image_tower, .image = image, .text = text, .score = score };
static const toy_config usual = {
	.text = { .tower = { .hidden = 4, .layers = 1, .heads = 2, .ffn = 3 }, .vocab = 9, .positions = 5 },
	.image = { .tower = { .hidden = 6, .layers = 1, .heads = 2, .ffn = 3 }, .channels = 2, .image = 9, .patch = 4 }, .wide = 6,
};

static const char *ports(const og_model *m, const og_val *v, size_t n)
{
	const char *s = "";
	for (size_t i = 0; i < n; i++) {
		const og_value *x = og_model_value(m, v[i]);
		s = og_arena_printf(m->arena, "%s%s%s[", s, i ? " " : "", x->name);
		for (int k = 0; k < x->rank; k++)
			s = og_arena_printf(m->arena, "%s%s%s", s, og_dim_text(m->dims, x->dims[k]), k + 1 < x->rank ? ", " : "]");
	}
	return s;
}

static void test_dual__inputs_and_outputs_in_optimums_order(void **state)
{
	static const struct {
		const og_dual *family;
		const char *in, *out;
	} rows[] = {
		{ &with_mask, "input_ids[text_batch_size, sequence_length] pixel_values[batch_size, 2, 9, 9] attention_mask[text_batch_size, sequence_length]",
		  "logits_per_image[batch_size, text_batch_size] logits_per_text[text_batch_size, batch_size] text_embeds[text_batch_size, 6] "
		  "image_embeds[batch_size, 6]" },
		{ &without_mask, "input_ids[text_batch_size, sequence_length] pixel_values[image_batch_size, 2, 9, 9]",
		  "logits_per_image[image_batch_size, text_batch_size] logits_per_text[text_batch_size, image_batch_size] text_embeds[text_batch_size, 6] "
		  "image_embeds[image_batch_size, 6]" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		toy_build t = toy_builder(NULL, 0);
		og_dual_scores(t.b, &usual, rows[i].family);
		og_model *m = toy_finish(&t);
		assert_string_equal(ports(m, m->main->inputs, m->main->ninputs), rows[i].in);
		assert_string_equal(ports(m, m->main->outputs, m->main->noutputs), rows[i].out);
		toy_builder_free(&t);
	}
}

static void test_dual__embeddings_of_two_widths_cannot_be_compared(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	toy_config c = usual;
	og_model *m;
	og_error err = { 0 };
	(void)state;
	c.wide = 5;
	og_dual_scores(t.b, &c, &with_mask);
	assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "an embedding of a text has width 5 and one of an image 6"));
	toy_builder_free(&t);
}

static void test_dual__facts_for_made_up_inputs(void **state)
{
	og_input_facts f = OG_INPUT_FACTS_NONE;
	og_image_tower huge = usual.image;
	(void)state;
	og_dual_facts(NULL, &usual.image, &f);
	assert_true(f.image.channels == 2 && f.image.height == 9 && f.image.width == 9 && f.image.patches == 4 && f.vocab_size == 0);
	og_dual_facts(&usual.text, &usual.image, &f);
	assert_true(f.vocab_size == 9 && f.max_positions == 5 && f.pad_token_id == -1 && f.end_token_id == -1);
	huge.image = OG_DIM_MAX;
	huge.patch = 1;
	og_dual_facts(NULL, &huge, &f);
	assert_int_equal(f.image.patches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_dual__one_query_looks_at_all_tokens),
		SCRATCH_TEST(test_dual__a_key_behind_the_query_is_masked),
		SCRATCH_TEST(test_dual__a_position_of_each_text_and_norms),
		cmocka_unit_test(test_dual__inputs_and_outputs_in_optimums_order),
		cmocka_unit_test(test_dual__embeddings_of_two_widths_cannot_be_compared),
		cmocka_unit_test(test_dual__facts_for_made_up_inputs),
	};
	return cmocka_run_group_tests(tests, NULL, toy_run_end);
}
