/* SPDX-License-Identifier: Apache-2.0
 *
 * Images: convolutions and pixel shuffles in the real ONNX Runtime against plain C, the inputs and outputs of the three tasks over a
 * toy family, and what is refused. */
#include "../graph/run_toy.h"

#include "blocks/vision.h"

/* ---- convolutions ---- */

enum { B = 2, IN = 4, OUT = 6, H = 7, W = 5, KH = 3, KW = 2, SH = 2, SW = 1, PH = 1, PW = 0, G = 2 };
enum { OH = (H + 2 * PH - KH) / SH + 1, OW = (W + 2 * PW - KW) / SW + 1 };

static const toy_weight conv_weights[] = { { "c.weight", 4, { OUT, IN / G, KH, KW } }, { "c.bias", 1, { OUT } } };

static float conv_x[B * IN * H * W], conv_w[OUT * IN / G * KH * KW], conv_b[OUT];

static double conv_at(int b, int o, int y, int x)
{
	double sum = (double)conv_b[o];
	for (int i = 0; i < IN / G; i++)
		for (int p = 0; p < KH; p++)
			for (int q = 0; q < KW; q++) {
				int r = y * SH - PH + p, s = x * SW - PW + q, c = o / (OUT / G) * (IN / G) + i;
				if (r >= 0 && r < H && s >= 0 && s < W)
					sum += (double)conv_x[((b * IN + c) * H + r) * W + s] * (double)conv_w[((o * (IN / G) + i) * KH + p) * KW + q];
			}
	return sum;
}

static void test_vision__convolutions_with_every_option(void **state)
{
	toy_build t = toy_builder(conv_weights, 2);
	static double want[B * OUT * OH * OW];
	(void)state;
	toy_fill(conv_x, OG_COUNT(conv_x), 99);
	toy_fill(conv_w, OG_COUNT(conv_w), 0);
	toy_fill(conv_b, OG_COUNT(conv_b), 1);
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "4", "7", "5");
	og_val y = og_conv(t.b, x, "c", (og_conv_o){ .out = OUT, .kernel = (const int64_t[]){ KH, KW }, .stride = (const int64_t[]){ SH, SW },
		.pad = (const int64_t[]){ PH, PW }, .groups = G });
	assert_true(og_dim_eq(og_dim_at(t.b, y, 2), og_dim_of(t.b, OH)) && og_dim_eq(og_dim_at(t.b, y, 3), og_dim_of(t.b, OW)));
	og_output(t.b, "y", y);
	og_array *out = toy_run(&t, 18, false, &(og_array){ "x", OG_F32, 4, { B, IN, H, W }, conv_x, sizeof(conv_x) }, 1, 1);
	for (int i = 0; i < B * OUT * OH * OW; i++)
		want[i] = conv_at(i / (OUT * OH * OW), i / (OH * OW) % OUT, i / OW % OH, i % OW);
	toy_expect(out, want, OG_COUNT(want), 2e-6);
	toy_builder_free(&t);
}

/* A length that is not known: one spatial dim, no bias, no options. */
static void test_vision__a_convolution_over_a_symbol(void **state)
{
	static const toy_weight weights[] = { { "c.weight", 3, { 2, 1, 3 } } };
	toy_build t = toy_builder(weights, 1);
	float x[5] = { 1, 2, 4, 8, 16 }, w[6];
	double want[6];
	(void)state;
	og_val y = og_conv(t.b, og_input(t.b, "x", OG_F32, "batch_size", "1", "sequence_length"), "c",
		(og_conv_o){ .out = 2, .kernel = (const int64_t[]){ 3 }, .no_bias = true });
	assert_string_equal(og_dim_text(og_build_dims(t.b), og_dim_at(t.b, y, 2)), "sequence_length - 2");
	og_output(t.b, "y", y);
	og_array *out = toy_run(&t, 18, false, &(og_array){ "x", OG_F32, 3, { 1, 1, 5 }, x, sizeof(x) }, 1, 1);
	toy_fill(w, 6, 0);
	for (int i = 0; i < 6; i++)
		want[i] = (double)(w[i / 3 * 3] * x[i % 3] + w[i / 3 * 3 + 1] * x[i % 3 + 1] + w[i / 3 * 3 + 2] * x[i % 3 + 2]);
	toy_expect(out, want, 6, 2e-6);
	toy_builder_free(&t);
}

/* torch.nn.PixelShuffle: out[c, y·n + i, x·n + j] = in[c·n² + i·n + j, y, x]. The other order of the channels differs as soon as there are two. */
static void test_vision__pixels_are_shuffled_as_the_reference_does(void **state)
{
	enum { C = 2, SIDE = 2, Y = 2, X = 3, COUNT = C * SIDE * SIDE * Y * X };
	toy_build t = toy_builder(NULL, 0);
	float x[COUNT];
	double want[COUNT];
	(void)state;
	for (int i = 0; i < COUNT; i++)
		x[i] = (float)i;
	og_output(t.b, "y", og_pixel_shuffle(t.b, og_input(t.b, "x", OG_F32, "batch_size", "8", "2", "3"), SIDE));
	og_array *out = toy_run(&t, 18, false, &(og_array){ "x", OG_F32, 4, { 1, C * SIDE * SIDE, Y, X }, x, sizeof(x) }, 1, 1);
	for (int c = 0; c < C; c++)
		for (int y = 0; y < Y * SIDE; y++)
			for (int k = 0; k < X * SIDE; k++)
				want[(c * Y * SIDE + y) * X * SIDE + k] = (double)x[((c * SIDE * SIDE + y % SIDE * SIDE + k % SIDE) * Y + y / SIDE) * X + k / SIDE];
	toy_expect(out, want, COUNT, 0);
	toy_builder_free(&t);
}

/* ---- the tasks ---- */

typedef struct toy_config {
	int64_t pad, channels, labels, stride, hidden;
	og_size image, patch;
} toy_config;

static og_val encode(og_build *b, const void *config, og_val pixels)
{
	static const char *const tokens[] = { "first", "second", NULL };
	const toy_config *c = config;
	return og_vision_encoder(b, pixels, (og_vision_encoder_o){ .patch = c->patch, .hidden = c->hidden, .layers = 1, .heads = 2, .ffn = 3, .eps = 1e-5,
		.act = OG_ACT_RELU, .qkv_bias = true, .tokens = tokens });
}

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "last", n);
}

static og_val patches(og_build *b, const void *config, og_val x)
{
	(void)config;
	return og_slice(b, x, 1, 2, INT64_MAX);
}

static const og_vision family = {
	.channels = OG_VISION_AT(toy_config, channels), .image = OG_VISION_IMAGE(toy_config, image), .labels = OG_VISION_AT(toy_config, labels),
	.stride = OG_VISION_AT(toy_config, stride), .encode = encode, .classify = classify, .patches = patches,
};

static const toy_config usual = { .channels = 3, .labels = 5, .stride = 2, .hidden = 8, .image = { 9, 14 }, .patch = { 4, 6 } };

static const struct task {
	void (*describe)(og_build *b, const void *config, const void *vision);
	const char *output;
} tasks[] = {
	{ og_vision_features, "last_hidden_state[batch_size, 6, 8]" },
	{ og_vision_classification, "logits[batch_size, 5]" },
	{ og_vision_reconstruction, "reconstruction[batch_size, 3, 4, 4]" },
};

static const char *port(const og_model *m, og_val v)
{
	const og_value *x = og_model_value(m, v);
	const char *s = og_arena_printf(m->arena, "%s[", x->name);
	for (int k = 0; k < x->rank; k++)
		s = og_arena_printf(m->arena, "%s%s%s", s, og_dim_text(m->dims, x->dims[k]), k + 1 < x->rank ? ", " : "]");
	return s;
}

static void test_vision__inputs_and_outputs_of_every_task(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(tasks); i++) {
		toy_build t = toy_builder(NULL, 0);
		tasks[i].describe(t.b, &usual, &family);
		og_model *m = toy_finish(&t);
		assert_int_equal(m->main->ninputs, 1);
		assert_int_equal(m->main->noutputs, 1);
		assert_string_equal(port(m, m->main->inputs[0]), "pixel_values[batch_size, 3, 9, 14]");
		assert_string_equal(port(m, m->main->outputs[0]), tasks[i].output);
		toy_builder_free(&t);
	}
}

static void test_vision__what_cannot_be_is_refused(void **state)
{
	static const struct {
		toy_config c;
		const char *says;
	} rows[] = {
		{ { .channels = 3, .labels = 5, .stride = 2, .hidden = 8, .image = { 3, 14 }, .patch = { 4, 6 } },
		  "an image of 3 × 14 is smaller than a patch of 4 × 6" },
		{ { .channels = 3, .labels = 5, .stride = 2, .hidden = 8, .image = { 8, 18 }, .patch = { 4, 6 } }, "make 6 patches, which are no square" },
		{ { .channels = 3, .labels = 5, .stride = OG_DIM_MAX, .hidden = 8, .image = { 8, 12 }, .patch = { 4, 6 } }, "encoder_stride" },
		{ { .channels = 3, .labels = 5, .stride = 2, .hidden = 9, .image = { 8, 12 }, .patch = { 4, 6 } }, "a hidden size of 9 is not divisible by 2 heads" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		toy_build t = toy_builder(NULL, 0);
		og_model *m;
		og_error err = { 0 };
		og_vision_reconstruction(t.b, &rows[i].c, &family);
		assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_UNSUPPORTED);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s", err.message);
		toy_builder_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_vision__convolutions_with_every_option),
		SCRATCH_TEST(test_vision__a_convolution_over_a_symbol),
		SCRATCH_TEST(test_vision__pixels_are_shuffled_as_the_reference_does),
		SCRATCH_TEST(test_vision__inputs_and_outputs_of_every_task),
		SCRATCH_TEST(test_vision__what_cannot_be_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, toy_run_end);
}
