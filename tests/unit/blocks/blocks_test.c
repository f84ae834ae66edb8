/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocks in the real ONNX Runtime against plain C in double, at an opset on either side of each lowering. */
#include "../graph/run_toy.h"

#include "blocks/blocks.h"

static const int opsets[] = { 17, 18, 19, 20, 23 };

/* ---- activations, as transformers.activations defines them ---- */

static double reference_act(og_act_kind kind, double x)
{
	switch (kind) {
	case OG_ACT_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
	case OG_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
	case OG_ACT_GELU_10: return fmin(10, fmax(-10, 0.5 * x * (1 + erf(x / sqrt(2)))));
	case OG_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
	case OG_ACT_LAPLACE: return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
	case OG_ACT_LEAKY_RELU: return x < 0 ? 0.01 * x : x;
	case OG_ACT_LINEAR: return x;
	case OG_ACT_MISH: return x * tanh(log1p(exp(x)));
	case OG_ACT_RELU: return fmax(x, 0);
	case OG_ACT_RELU2: return fmax(x, 0) * fmax(x, 0);
	case OG_ACT_RELU6: return fmin(6, fmax(x, 0));
	case OG_ACT_SIGMOID: return 1 / (1 + exp(-x));
	case OG_ACT_SILU: return x / (1 + exp(-x));
	case OG_ACT_TANH: return tanh(x);
	}
	fail_msg("activation %d has no reference", (int)kind);
	return 0;
}

static void test_blocks__every_activation_at_every_opset(void **state)
{
	enum { KINDS = OG_ACT_TANH + 1, COUNT = 67 };
	float x[COUNT];
	(void)state;
	for (int i = 0; i < COUNT; i++)
		x[i] = i < 65 ? (float)(i - 32) / 5 : i == 65 ? 60.0f : -60.0f;
	for (size_t o = 0; o < OG_COUNT(opsets); o++) {
		toy_build t = toy_builder(NULL, 0);
		og_val in = og_input(t.b, "x", OG_F32, "batch_size");
		for (int k = 0; k < KINDS; k++)
			og_output(t.b, og_arena_printf(t.arena, "act_%d", k), og_act(t.b, in, (og_act_kind)k));
		og_array *out = toy_run(&t, opsets[o], false, &(og_array){ "x", OG_F32, 1, { COUNT }, x, sizeof(x) }, 1, KINDS);
		for (int k = 0; k < KINDS; k++) {
			double want[COUNT];
			for (int i = 0; i < COUNT; i++)
				want[i] = reference_act((og_act_kind)k, (double)x[i]);
			toy_expect(&out[k], want, COUNT, 3e-6);
		}
		toy_builder_free(&t);
	}
}

/* ---- a small model's weights ---- */

enum { B = 2, S = 4, H = 6, N = 2, D = H / N, OUT = 5, VOCAB = 9, TABLE = 2 * S - 1 };

enum { Q, Q_BIAS, K, K_BIAS, V, V_BIAS, O, O_BIAS, DISTANCES, SCALE, SHIFT, WORDS, WIDE, WIDE_BIAS, CONV, OTHER_BIAS };

static const toy_weight weights[] = {
	[Q] = { "q.weight", 2, { H, H } }, [Q_BIAS] = { "q.bias", 1, { H } }, [K] = { "k.weight", 2, { H, H } }, [K_BIAS] = { "k.bias", 1, { H } },
	[V] = { "v.weight", 2, { H, H } }, [V_BIAS] = { "v.bias", 1, { H } }, [O] = { "o.weight", 2, { H, H } }, [O_BIAS] = { "o.bias", 1, { H } },
	[DISTANCES] = { "distances.weight", 2, { TABLE, D } }, [SCALE] = { "norm.weight", 1, { H } }, [SHIFT] = { "norm.bias", 1, { H } },
	[WORDS] = { "words.weight", 2, { VOCAB, H } }, [WIDE] = { "wide.weight", 2, { OUT, H } }, [WIDE_BIAS] = { "wide.bias", 1, { OUT } },
	[CONV] = { "conv.weight", 2, { H, OUT } }, [OTHER_BIAS] = { "conv.other", 1, { OUT } },
};

static float w[OG_COUNT(weights)][VOCAB * H];
static float input_x[B * S * H];
static int64_t input_mask[B * S] = { 1, 1, 1, 1, 1, 1, 0, 0 };

static void fill(void)
{
	for (size_t i = 0; i < OG_COUNT(weights); i++)
		toy_fill(w[i], toy_count(&weights[i]), i);
	toy_fill(input_x, B * S * H, 99);
	for (int i = 0; i < B * S * H; i++)
		input_x[i] *= 3; /* attention far from uniform */
}

static const og_array array_x = { "x", OG_F32, 3, { B, S, H }, input_x, sizeof(input_x) };
static const og_array array_mask = { "mask", OG_I64, 2, { B, S }, input_mask, sizeof(input_mask) };

/* y[r] = Σ x[c]·weight[r, c] + bias[r], stored [rows, H] */
static void times(const double *x, int weight, int bias, int rows, double *y)
{
	for (int r = 0; r < rows; r++) {
		y[r] = bias < 0 ? 0 : (double)w[bias][r];
		for (int c = 0; c < H; c++)
			y[r] += x[c] * (double)w[weight][r * H + c];
	}
}

/* ---- attention ---- */

typedef enum relative { NONE, KEY, KEY_QUERY, PLAIN_KEY, PLAIN_KEY_QUERY } relative; /* PLAIN: their scores are not scaled */

static double score(const double *q, const double *k, int i, int j, relative form, double scale)
{
	const float *at = &w[DISTANCES][(i - j + S - 1) * D];
	bool queries = form != NONE, keys = form == KEY_QUERY || form == PLAIN_KEY_QUERY;
	double s = 0, far = 0;
	for (int c = 0; c < D; c++) {
		s += q[c] * k[c];
		far += (queries ? q[c] * (double)at[c] : 0) + (keys ? k[c] * (double)at[c] : 0);
	}
	return form == PLAIN_KEY || form == PLAIN_KEY_QUERY ? s * scale + far : (s + far) * scale;
}

static void reference_attention(relative form, double scale, bool masked, double *out)
{
	double q[S][H], k[S][H], v[S][H], x[H], mixed[H];
	for (int b = 0; b < B; b++) {
		for (int i = 0; i < S; i++) {
			for (int c = 0; c < H; c++)
				x[c] = (double)input_x[(b * S + i) * H + c];
			times(x, Q, Q_BIAS, H, q[i]);
			times(x, K, K_BIAS, H, k[i]);
			times(x, V, V_BIAS, H, v[i]);
		}
		for (int i = 0; i < S; i++) {
			memset(mixed, 0, sizeof(mixed));
			for (int h = 0; h < N; h++) {
				double p[S], sum = 0;
				for (int j = 0; j < S; j++)
					sum += p[j] = masked && !input_mask[b * S + j] ? 0 : exp(score(q[i] + h * D, k[j] + h * D, i, j, form, scale));
				for (int j = 0; j < S; j++)
					for (int c = h * D; c < (h + 1) * D; c++)
						mixed[c] += p[j] / sum * v[j][c];
			}
			times(mixed, O, O_BIAS, H, out + (b * S + i) * H);
		}
	}
}

static og_val attention(og_build *b, og_val x, og_val mask, og_relative_o far, double scale)
{
	far.table = "distances.weight";
	far.rows = TABLE;
	return og_attention(b, x, (og_attn_o){ .q = "q", .k = "k", .v = "v", .o = "o", .heads = N, .mask = mask, .scale = scale, .relative = far });
}

static void test_blocks__attention(void **state)
{
	static const struct {
		relative form;
		bool masked;
		double scale; /* 0: the ordinary one */
	} rows[] = { { NONE, false, 0 }, { NONE, true, 0.25 }, { KEY, true, 0 }, { KEY_QUERY, true, 0 }, { PLAIN_KEY, true, 0 }, { PLAIN_KEY_QUERY, true, 0.25 } };
	double want[B * S * H];
	(void)state;
	fill();
	for (size_t i = 0; i < OG_COUNT(opsets); i++) {
		toy_build t = toy_builder(weights, OG_COUNT(weights));
		og_val x = og_input(t.b, "x", OG_F32, "batch_size", "sequence_length", "6");
		og_val mask = og_input(t.b, "mask", OG_I64, "batch_size", "sequence_length");
		og_val bias = og_mask_bias(t.b, mask), far = og_distances(t.b, og_positions(t.b, mask, 0), S - 1);
		for (size_t k = 0; k < OG_COUNT(rows); k++) {
			relative form = rows[k].form;
			og_relative_o r = { .distances = form == NONE ? OG_NONE : far, .key_too = form == KEY_QUERY || form == PLAIN_KEY_QUERY,
				.unscaled = form == PLAIN_KEY || form == PLAIN_KEY_QUERY };
			og_val y = attention(t.b, x, rows[k].masked ? bias : OG_NONE, r, rows[k].scale);
			og_output(t.b, og_arena_printf(t.arena, "attention_%zu", k), y);
		}
		og_array *out = toy_run(&t, opsets[i], false, (og_array[]){ array_x, array_mask }, 2, OG_COUNT(rows));
		for (size_t k = 0; k < OG_COUNT(rows); k++) {
			reference_attention(rows[k].form, rows[k].scale != 0 ? rows[k].scale : 1 / sqrt(D), rows[k].masked, want);
			toy_expect(&out[k], want, OG_COUNT(want), 1e-5);
		}
		toy_builder_free(&t);
	}
}

static void test_blocks__heads_must_divide_the_hidden_size(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_model *m;
	og_error err = { 0 };
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "sequence_length", "6");
	og_output(t.b, "y", og_attention(t.b, x, (og_attn_o){ .q = "q", .k = "k", .v = "v", .o = "o", .heads = 12 }));
	assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "a hidden size of 6 is not divisible by 12 heads"));
	toy_builder_free(&t);
}

/* ---- layer norm, linear layers, embedding, positions, one token ---- */

static void reference_norm(const float *x, double eps, double *y)
{
	double mean = 0, variance = 0;
	for (int c = 0; c < H; c++)
		mean += (double)x[c] / H;
	for (int c = 0; c < H; c++)
		variance += ((double)x[c] - mean) * ((double)x[c] - mean) / H;
	for (int c = 0; c < H; c++)
		y[c] = ((double)x[c] - mean) / sqrt(variance + eps) * (double)w[SCALE][c] + (double)w[SHIFT][c];
}

static void test_blocks__norm_and_linear(void **state)
{
	double norm[B * S * H], wide[B * S * OUT], conv[B * S * OUT], first[B * OUT];
	(void)state;
	fill();
	for (int i = 0; i < B * S; i++) {
		double x[H];
		for (int c = 0; c < H; c++)
			x[c] = (double)input_x[i * H + c];
		reference_norm(input_x + i * H, 0.5, norm + i * H);
		times(x, WIDE, -1, OUT, wide + i * OUT);
		for (int r = 0; r < OUT; r++) {
			conv[i * OUT + r] = (double)w[OTHER_BIAS][r];
			for (int c = 0; c < H; c++)
				conv[i * OUT + r] += x[c] * (double)w[CONV][c * OUT + r]; /* stored [in, out] */
		}
		if (i % S == 1)
			times(x, WIDE, WIDE_BIAS, OUT, first + i / S * OUT);
	}
	for (size_t i = 0; i < OG_COUNT(opsets); i++) {
		toy_build t = toy_builder(weights, OG_COUNT(weights));
		og_val x = og_input(t.b, "x", OG_F32, "batch_size", "sequence_length", "6");
		og_output(t.b, "normed", og_layer_norm(t.b, x, "norm", 0.5));
		og_output(t.b, "unbiased", og_linear_opt(t.b, x, "wide", OUT, (og_linear_o){ .no_bias = true }));
		og_output(t.b, "in_out", og_linear_opt(t.b, x, "conv", OUT, (og_linear_o){ .in_out = true, .bias = "other" }));
		og_output(t.b, "second_token", og_linear(t.b, og_token(t.b, x, 1), "wide", OUT)); /* 2-D: Gemm */
		og_array *out = toy_run(&t, opsets[i], false, &array_x, 1, 4);
		toy_expect(&out[0], norm, OG_COUNT(norm), 1e-5);
		toy_expect(&out[1], wide, OG_COUNT(wide), 1e-5);
		toy_expect(&out[2], conv, OG_COUNT(conv), 1e-5);
		toy_expect(&out[3], first, OG_COUNT(first), 1e-5);
		toy_builder_free(&t);
	}
}

/* words[ids] + words[2 + position], so that where a position begins is seen. */
static void test_blocks__embedding_and_positions(void **state)
{
	int64_t ids[B * S] = { 0, 8, 3, 3, 7, 1, 8, 2 };
	double want[B * S * H];
	(void)state;
	fill();
	for (int i = 0; i < B * S; i++)
		for (int c = 0; c < H; c++)
			want[i * H + c] = (double)w[WORDS][ids[i] * H + c] + (double)w[WORDS][(2 + i % S) * H + c];
	for (size_t i = 0; i < OG_COUNT(opsets); i++) {
		toy_build t = toy_builder(weights, OG_COUNT(weights));
		og_val in = og_input(t.b, "ids", OG_I64, "batch_size", "sequence_length");
		og_val x = og_embed(t.b, in, "words", VOCAB, H), y = og_embed(t.b, og_positions(t.b, in, 2), "words", VOCAB, H);
		og_output(t.b, "y", og_add(t.b, x, y));
		og_array *out = toy_run(&t, opsets[i], false, &(og_array){ "ids", OG_I64, 2, { B, S }, ids, sizeof(ids) }, 1, 1);
		toy_expect(out, want, OG_COUNT(want), 1e-6);
		toy_builder_free(&t);
	}
}

/* The number of an id that is not padding is how many such stand before it, and pad + 1. */
static void test_blocks__positions_behind_padding(void **state)
{
	enum { ROWS = 4 };
	static const int64_t pads[] = { 0, 1, 8 };
	int64_t ids[ROWS * S] = { 0, 0, 1, 8, 8, 1, 0, 2, 3, 3, 3, 3, 1, 1, 1, 1 };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(opsets); i++)
		for (size_t k = 0; k < OG_COUNT(pads); k++) {
			double want[ROWS * S];
			for (int r = 0; r < ROWS; r++)
				for (int j = 0, before = 0; j < S; j++) {
					bool real = ids[r * S + j] != pads[k];
					want[r * S + j] = (double)(pads[k] + (real ? ++before : 0));
				}
			toy_build t = toy_builder(NULL, 0);
			og_val in = og_input(t.b, "ids", OG_I64, "batch_size", "sequence_length");
			og_output(t.b, "y", og_cast(t.b, og_positions_behind(t.b, in, pads[k]), OG_F32));
			og_array *out = toy_run(&t, opsets[i], false, &(og_array){ "ids", OG_I64, 2, { ROWS, S }, ids, sizeof(ids) }, 1, 1);
			toy_expect(out, want, OG_COUNT(want), 0);
			toy_builder_free(&t);
		}
}

/* The bucket by whole numbers alone: of those behind the first e, the k-th begins where (d/e)^(n − e) reaches (farthest/e)^k. */
static int64_t bucket(int64_t query, int64_t key, int64_t buckets, int64_t farthest, bool behind_only)
{
	if (behind_only && key > query)
		return 0;
	int64_t n = behind_only ? buckets : buckets / 2, e = n / 2, d = query > key ? query - key : key - query, first = key > query ? n : 0, k = 0;
	double reached = pow((double)d, (double)(n - e)), needed = pow((double)e, (double)(n - e));
	if (d < e)
		return first + d;
	while (k < n - e - 1 && reached >= needed * (double)farthest / (double)e) { /* on a border both are powers of two, and exact */
		needed *= (double)farthest / (double)e;
		k++;
	}
	return first + e + k;
}

/* Every pair of a text that is longer than the farthest distance: on the borders, between and beyond, in both directions. */
static void expect_bucket_bias(int64_t rows, int64_t buckets, int64_t farthest, bool behind_only)
{
	enum { HEADS = 3, LONG = 150 };
	const toy_weight weight = { "bias.weight", 2, { rows, HEADS } };
	static float table[64 * HEADS];
	static double want[HEADS * LONG * LONG];
	static int64_t ids[LONG];
	toy_build t = toy_builder(&weight, 1);
	toy_fill(table, (size_t)(rows * HEADS), 0);
	for (int64_t h = 0; h < HEADS; h++)
		for (int64_t q = 0; q < LONG; q++)
			for (int64_t k = 0; k < LONG; k++)
				want[(h * LONG + q) * LONG + k] = (double)table[bucket(q, k, buckets, farthest, behind_only) * HEADS + h];
	og_val x = og_input(t.b, "ids", OG_I64, "batch_size", "sequence_length");
	og_val at = og_positions(t.b, x, 0);
	og_buckets_o o = { .rows = rows, .heads = HEADS, .buckets = buckets, .farthest = farthest, .behind_only = behind_only };
	og_output(t.b, "y", behind_only ? og_bucket_bias_between(t.b, og_expand_dims(t.b, at, 1), at, "bias", o) : og_bucket_bias(t.b, at, "bias", o));
	og_array *out = toy_run(&t, 18, false, &(og_array){ "ids", OG_I64, 2, { 1, LONG }, ids, sizeof(ids) }, 1, 1);
	toy_expect(out, want, OG_COUNT(want), 0);
	toy_builder_free(&t);
}

static void test_blocks__a_bias_by_buckets_of_distances(void **state)
{
	(void)state;
	expect_bucket_bias(32, 32, 128, false);
	expect_bucket_bias(40, 32, 128, false); /* rows that no distance takes */
	expect_bucket_bias(16, 16, 64, false);
	expect_bucket_bias(4, 4, 8, false);
	expect_bucket_bias(32, 32, 128, true);
	expect_bucket_bias(8, 8, 64, true);
	expect_bucket_bias(2, 2, 4, true);
}

static void test_blocks__buckets_that_cannot_be(void **state)
{
	static const og_buckets_o bad[] = { { .rows = 3, .heads = 1, .buckets = 3, .farthest = 8 }, { .rows = 32, .heads = 1, .buckets = 32, .farthest = 8 },
		{ .rows = 31, .heads = 1, .buckets = 32, .farthest = 128 } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		toy_build t = toy_builder(NULL, 0);
		og_error err = { 0 };
		og_model *m = NULL;
		og_val x = og_input(t.b, "ids", OG_I64, "batch_size", "sequence_length");
		og_output(t.b, "y", og_bucket_bias(t.b, og_positions(t.b, x, 0), "bias", bad[i]));
		assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_UNSUPPORTED);
		assert_non_null(strstr(err.message, "buckets to distance"));
		toy_builder_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_blocks__every_activation_at_every_opset),
		SCRATCH_TEST(test_blocks__attention),
		SCRATCH_TEST(test_blocks__heads_must_divide_the_hidden_size),
		SCRATCH_TEST(test_blocks__norm_and_linear),
		SCRATCH_TEST(test_blocks__embedding_and_positions),
		SCRATCH_TEST(test_blocks__positions_behind_padding),
		SCRATCH_TEST(test_blocks__a_bias_by_buckets_of_distances),
		SCRATCH_TEST(test_blocks__buckets_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, toy_run_end);
}
