/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights that are made of other weights at conversion, against loops in double: weight norm in both spellings and folded already, a
 * softmax, a linear layer over neighbours. */
#include "checkpoint_toy.h"

#include "graph/ops.h"
#include "graph/transform.h"

#include <math.h>

#define OUT 3
#define IN 2
#define TAPS_MAX 5000 /* more than a fold reads at a time */

static const og_init *init_of(const og_model *m, const char *name)
{
	for (size_t i = 0; i < m->ninits; i++)
		if (strcmp(m->inits[i]->name, name) == 0)
			return m->inits[i];
	fail_msg("no initializer %s", name);
	return NULL;
}

/* The initializer's numbers, filled in pieces of `piece` elements; freed by the caller. */
static void *filled(toy_build *t, const og_init *c, uint64_t piece)
{
	og_scratch s = { 0 };
	og_error err = { 0 };
	uint64_t width = og_dtype_bits(c->dtype) / 8, n = c->size / width;
	uint8_t *out = malloc(c->size);
	for (int twice = 0; twice < 2; twice++)
		assert_int_equal(og_init_prepare((og_init *)c, t->arena, NULL), OG_OK);
	for (uint64_t k = 0; k < n; k += piece)
		if (og_init_fill(c, k, n - k < piece ? n : k + piece, out + k * width, &s, &err) != OG_OK)
			fail_msg("%s", err.message);
	og_scratch_done(&s);
	return out;
}

static float *numbers_of(size_t n, uint64_t seed)
{
	float *p = malloc(n * sizeof(*p));
	toy_fill(p, n, seed);
	return p;
}

/* ---- weight norm ---- */

static const char *const spellings[][2] = {
	{ "conv.weight_g", "conv.weight_v" }, { "conv.parametrizations.weight.original0", "conv.parametrizations.weight.original1" },
};

static og_model *describe_normed(toy_build *t, int64_t taps)
{
	char length[24];
	snprintf(length, sizeof(length), "%lld", (long long)taps);
	og_val x = og_input(t->b, "x", OG_F32, "batch_size", "2", length), w;
	OG_SCOPE(t->b, "conv") w = og_weight_normed(t->b, "weight", (const int64_t[]){ OUT, IN, taps }, 3);
	og_output(t->b, "y", og_op(t->b, "Conv", (og_val[]){ x, w }, 2, NULL, 0));
	return toy_finish(t);
}

static void expect_normed(const float *got, int64_t taps)
{
	size_t n = (size_t)(OUT * IN * taps);
	float *g = numbers_of((size_t)taps, 0), *v = numbers_of(n, 1);
	for (size_t k = 0; k < (size_t)taps; k++) {
		double sum = 0;
		for (size_t i = k; i < n; i += (size_t)taps)
			sum += (double)v[i] * v[i];
		for (size_t i = k; i < n; i += (size_t)taps)
			assert_true(fabs((double)got[i] - v[i] * (g[k] / sqrt(sum))) <= 6e-8 * fabs((double)got[i]));
	}
	free(g);
	free(v);
}

static void test_fold__weight_norm_in_both_spellings(void **state)
{
	static const int64_t taps[] = { 1, 7, TAPS_MAX };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(taps); i++)
		for (size_t k = 0; k < OG_COUNT(spellings); k++) {
			const toy_weight two[] = { { spellings[k][0], 3, { 1, 1, taps[i] } }, { spellings[k][1], 3, { OUT, IN, taps[i] } } };
			toy_build t = toy_builder(two, 2);
			og_ledger_report report;
			const og_tensor *from;
			uint64_t at;
			const og_init *c = init_of(describe_normed(&t, taps[i]), "conv.weight");
			assert_false(og_init_is_copy(c, &from, &at));
			for (uint64_t piece = 5; piece < 100000; piece *= 1000) {
				float *got = filled(&t, c, piece);
				expect_normed(got, taps[i]);
				free(got);
			}
			assert_int_equal(og_ledger_check(t.ledger, NULL, false, &report, NULL), OG_OK);
			assert_int_equal(report.claimed, 2);
			toy_builder_free(&t);
		}
}

static void test_fold__half_precision_is_rounded_once_more(void **state)
{
	const toy_weight two[] = { { spellings[0][0], 3, { 1, 1, 4 } }, { spellings[0][1], 3, { OUT, IN, 4 } } };
	toy_build t = toy_builder(two, 2);
	og_init *c = (og_init *)init_of(describe_normed(&t, 4), "conv.weight");
	(void)state;
	float *single = filled(&t, c, 100);
	c->dtype = OG_F16;
	c->size /= 2;
	uint16_t *half = filled(&t, c, 7);
	for (size_t i = 0; i < OUT * IN * 4; i++)
		assert_int_equal(half[i], og_f32_to_f16(single[i]));
	free(single);
	free(half);
	toy_builder_free(&t);
}

/* As any other number that float16 has no place for. */
static void test_fold__what_half_precision_has_no_place_for_is_refused(void **state)
{
	const toy_weight two[] = { { spellings[0][0], 3, { 1, 1, 4 } }, { spellings[0][1], 3, { OUT, IN, 4 } } };
	toy_build t = toy_builder(two, 2);
	og_init *c = (og_init *)init_of(describe_normed(&t, 4), "conv.weight");
	uint16_t half[OUT * IN * 4];
	og_scratch s = { 0 };
	og_error err = { 0 };
	(void)state;
	c->dtype = OG_F16;
	c->size /= 2;
	assert_int_equal(og_init_prepare(c, t.arena, NULL), OG_OK);
	c->factors = (const double[]){ 1, 1, 1, 1e9 };
	assert_int_equal(og_init_fill(c, 0, OUT * IN * 4, half, &s, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "conv.weight: "));
	assert_non_null(strstr(err.message, "has no place in float16"));
	og_scratch_done(&s);
	toy_builder_free(&t);
}

static void test_fold__a_weight_that_is_folded_already_is_copied(void **state)
{
	const toy_weight one[] = { { "conv.weight", 3, { OUT, IN, 4 } } };
	toy_build t = toy_builder(one, 1);
	const og_tensor *from;
	uint64_t at;
	(void)state;
	assert_true(og_init_is_copy(init_of(describe_normed(&t, 4), "conv.weight"), &from, &at));
	toy_builder_free(&t);
}

static void expect_fault(const toy_weight *w, size_t n, og_status status, const char *part)
{
	toy_build t = toy_builder(w, n);
	og_ledger_report report;
	og_error err = { 0 };
	describe_normed(&t, 4);
	og_status s = og_ledger_check(t.ledger, NULL, false, &report, &err);
	if (s != status || !strstr(err.message, part))
		fail_msg("status %d, message %s", (int)s, err.message);
	toy_builder_free(&t);
}

static void test_fold__half_of_a_weight_norm_is_a_fault(void **state)
{
	const toy_weight all[] = { { spellings[0][0], 3, { 1, 1, 4 } }, { spellings[0][1], 3, { OUT, IN, 4 } }, { "conv.weight", 3, { OUT, IN, 4 } } };
	const toy_weight narrow[] = { { spellings[0][0], 3, { 1, 1, 3 } }, { spellings[0][1], 3, { OUT, IN, 4 } } };
	(void)state;
	expect_fault(all, 1, ONNXGATE_CONVERSION, "conv.parametrizations.weight.original1 [3, 2, 4]");
	expect_fault(all + 1, 1, ONNXGATE_CONVERSION, "conv.parametrizations.weight.original0 [1, 1, 4]");
	expect_fault(all, 3, ONNXGATE_CONVERSION, "used by nothing: conv.weight_g, conv.weight_v");
	expect_fault(narrow, 2, ONNXGATE_MISMATCH, "conv.weight_g: the config wants [1, 1, 4], the checkpoint has [1, 1, 3]");
}

/* ---- softmax, neighbours ---- */

static void test_fold__softmax_of_a_vector(void **state)
{
	static const int64_t sizes[] = { 1, 13, TAPS_MAX };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(sizes); i++) {
		size_t n = (size_t)sizes[i];
		const toy_weight one[] = { { "w", 1, { sizes[i] } } };
		toy_build t = toy_builder(one, 1);
		char width[24];
		snprintf(width, sizeof(width), "%zu", n);
		og_output(t.b, "y", og_mul(t.b, og_input(t.b, "x", OG_F32, "1", width), og_weight_softmax(t.b, "w", sizes[i])));
		const og_init *c = init_of(toy_finish(&t), "w");
		assert_true(c->rank == 2 && c->dims[0] == 1 && c->dims[1] == sizes[i]);
		float *got = filled(&t, c, 4), *w = numbers_of(n, 0);
		double sum = 0;
		for (size_t k = 0; k < n; k++)
			sum += exp((double)w[k]);
		for (size_t k = 0; k < n; k++)
			assert_true(fabs((double)got[k] - exp((double)w[k]) / sum) <= 1e-7 * (double)got[k]);
		free(got);
		free(w);
		toy_builder_free(&t);
	}
}

static void test_fold__neighbours_side_by_side_become_a_window(void **state)
{
	const toy_weight one[] = { { "w", 2, { 4, 15 } } };
	toy_build t = toy_builder(one, 1);
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "5", "9");
	og_output(t.b, "y", og_op(t.b, "Conv", (og_val[]){ x, og_weight_taps(t.b, "w", 4, 5, 3) }, 2, NULL, 0));
	const og_init *c = init_of(toy_finish(&t), "w");
	assert_true(c->rank == 3 && c->dims[0] == 4 && c->dims[1] == 5 && c->dims[2] == 3);
	float *got = filled(&t, c, 15), *w = numbers_of(60, 0);
	for (size_t o = 0; o < 4; o++)
		for (size_t i = 0; i < 5; i++)
			for (size_t k = 0; k < 3; k++)
				assert_true(got[(o * 5 + i) * 3 + k] == w[o * 15 + k * 5 + i]);
	free(got);
	free(w);
	toy_another(&t);
	og_weight_taps(t.b, "w", 4, (int64_t)1 << 39, 3);
	assert_true(og_build_stuck(t.b));
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_fold__weight_norm_in_both_spellings),
		SCRATCH_TEST(test_fold__half_precision_is_rounded_once_more),
		SCRATCH_TEST(test_fold__what_half_precision_has_no_place_for_is_refused),
		SCRATCH_TEST(test_fold__a_weight_that_is_folded_already_is_copied),
		SCRATCH_TEST(test_fold__half_of_a_weight_norm_is_a_fault),
		SCRATCH_TEST(test_fold__softmax_of_a_vector),
		SCRATCH_TEST(test_fold__neighbours_side_by_side_become_a_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
