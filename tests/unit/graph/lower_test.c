/* SPDX-License-Identifier: Apache-2.0
 *
 * The lowerings, in the real ONNX Runtime: reductions at an opset on either side of the change of their form, and an If
 * in half precision whose branches end in different precisions. */
#include "run_toy.h"

static float input_x[2 * 3 * 4];
static const og_array array_x = { "x", OG_F32, 3, { 2, 3, 4 }, input_x, sizeof(input_x) };

static void test_lower__reductions_at_every_opset(void **state)
{
	double mean[6], highest[8], sum[6];
	(void)state;
	toy_fill(input_x, OG_COUNT(input_x), 5);
	for (int i = 0; i < 6; i++) {
		sum[i] = 0;
		for (int c = 0; c < 4; c++)
			sum[i] += (double)input_x[i * 4 + c];
		mean[i] = sum[i] / 4;
	}
	for (int i = 0; i < 8; i++) {
		highest[i] = -9;
		for (int k = 0; k < 3; k++)
			highest[i] = fmax(highest[i], (double)input_x[(i / 4 * 3 + k) * 4 + i % 4]);
	}
	for (int opset = OG_OPSET_MIN; opset <= OG_OPSET_MAX; opset++) {
		toy_build t = toy_builder(NULL, 0);
		og_val x = og_input(t.b, "x", OG_F32, "batch_size", "3", "4"), last = og_const_ints(t.b, (int64_t[]){ -1 }, 1);
		og_val one = og_const_ints(t.b, (int64_t[]){ 1 }, 1);
		og_output(t.b, "mean", og_op(t.b, "ReduceMean", (og_val[]){ x, last }, 2, NULL, 0));
		og_output(t.b, "highest", og_op(t.b, "ReduceMax", (og_val[]){ x, one }, 2, &OG_INT("keepdims", 0), 1));
		og_output(t.b, "sum", og_op(t.b, "ReduceSum", (og_val[]){ x, last }, 2, &OG_INT("keepdims", 0), 1));
		og_array *out = toy_run(&t, opset, false, &array_x, 1, 3);
		assert_int_equal(out[0].rank, 3);
		assert_int_equal(out[1].rank, 2);
		toy_expect(&out[0], mean, 6, 1e-6);
		toy_expect(&out[1], highest, 8, 1e-6);
		toy_expect(&out[2], sum, 6, 1e-6);
		toy_builder_free(&t);
	}
}

static void test_lower__computed_axes_need_a_newer_opset(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_error err = { 0 };
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "3", "4"), one = og_const_ints(t.b, (int64_t[]){ 1 }, 1);
	og_output(t.b, "mean", og_op(t.b, "ReduceMean", (og_val[]){ x, og_concat(t.b, &one, 1, 0) }, 2, NULL, 0));
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, OG_OPSET_MAX + 1, NULL), ONNXGATE_UNSUPPORTED);
	assert_int_equal(og_lower_opset(m, OG_OPSET_MIN - 1, NULL), ONNXGATE_UNSUPPORTED);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	assert_int_equal(og_lower_opset(m, 17, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "wants constant axes"));
	toy_builder_free(&t);
}

/* One branch ends in a layer norm, which stays in float32; the other in a value from outside, given twice. */
static void normed(og_build *b, void *arg, og_val *out)
{
	const float ones[4] = { 1, 1, 1, 1 };
	out[0] = og_layer_norm_op(b, *(og_val *)arg, og_const_data(b, OG_F32, (int64_t[]){ 4 }, 1, ones), OG_NONE, 1e-5);
	out[1] = og_mul(b, *(og_val *)arg, og_const_f32(b, 2));
}

static void as_it_is(og_build *b, void *arg, og_val *out)
{
	(void)b;
	out[0] = out[1] = *(og_val *)arg;
}

static void check_branches(bool half, double limit)
{
	double norm[24], same[24], twice[24];
	uint8_t flags[2] = { 0, 1 };
	for (int i = 0; i < 6; i++) {
		double mean = 0, variance = 0;
		for (int c = 0; c < 4; c++)
			mean += (double)input_x[i * 4 + c] / 4;
		for (int c = 0; c < 4; c++)
			variance += ((double)input_x[i * 4 + c] - mean) * ((double)input_x[i * 4 + c] - mean) / 4;
		for (int c = i * 4; c < i * 4 + 4; c++) {
			norm[c] = ((double)input_x[c] - mean) / sqrt(variance + 1e-5);
			same[c] = (double)input_x[c];
			twice[c] = same[c] * 2;
		}
	}
	for (int flag = 0; flag < 2; flag++) {
		toy_build t = toy_builder(NULL, 0);
		og_val x = og_input(t.b, "x", OG_F32, "batch_size", "3", "4"), cond = og_input(t.b, "cond", OG_BOOL, "1"), y[2];
		og_if(t.b, cond, normed, as_it_is, &x, y, 2);
		og_output(t.b, "y", y[0]);
		og_output(t.b, "z", y[1]);
		const og_array in[] = { array_x, { "cond", OG_BOOL, 1, { 1 }, &flags[flag], 1 } };
		og_array *out = toy_run(&t, 18, half, in, 2, 2);
		toy_expect(&out[0], flag ? norm : same, 24, limit);
		toy_expect(&out[1], flag ? twice : same, 24, limit);
		toy_builder_free(&t);
	}
}

static void test_lower__branches_of_unlike_precision(void **state)
{
	(void)state;
	toy_fill(input_x, OG_COUNT(input_x), 6);
	check_branches(false, 1e-5);
	check_branches(true, 5e-3);
}

/* Two NaNs of other bits would have one name; a constant that half precision has changed is not the float32 one any more. */
static void test_lower__constants_are_shared_only_when_equal(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	uint32_t quiet[2] = { 0x7fc00000u, 0x7fc00001u };
	og_val x = og_input(t.b, "x", OG_F32, "batch_size"), nan[2];
	(void)state;
	for (int i = 0; i < 2; i++)
		nan[i] = og_const_data(t.b, OG_F32, NULL, 0, &quiet[i]);
	assert_int_not_equal(nan[0].id, nan[1].id);
	og_val one = og_const_f32(t.b, 1);
	assert_int_equal(one.id, og_const_f32(t.b, 1).id);
	og_output(t.b, "y", og_add(t.b, og_add(t.b, x, one), og_add(t.b, nan[0], nan[1])));
	og_model *m = toy_finish(&t);
	assert_int_equal(m->ninits, 3);
	for (size_t i = 1; i < m->ninits; i++)
		assert_string_not_equal(m->inits[i - 1]->name, m->inits[i]->name);
	assert_int_equal(og_lower_fp16(m, false, NULL), OG_OK);
	og_val again = og_model_constant(m, OG_F32, 0, NULL, &(float){ 1 });
	assert_int_not_equal(again.id, one.id);
	assert_int_equal(og_model_value(m, again)->dtype, OG_F32);
	toy_builder_free(&t);
}

static void test_lower__half_precision_keeps_what_needs_more(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	const float ones[4] = { 1, 1, 1, 1 };
	uint16_t lowest;
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "4");
	og_val y = og_layer_norm_op(t.b, x, og_const_data(t.b, OG_F32, (int64_t[]){ 4 }, 1, ones), OG_NONE, 1e-12), low = og_const_f32(t.b, -3e38f);
	og_val z = og_add(t.b, y, low);
	og_output(t.b, "z", z);
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	assert_int_equal(og_lower_fp16(m, false, NULL), OG_OK);
	assert_int_equal(og_model_value(m, y)->dtype, OG_F32);
	assert_int_equal(og_model_value(m, z)->dtype, OG_F16);
	memcpy(&lowest, og_model_value(m, low)->init->data, sizeof(lowest));
	assert_int_equal(lowest, 0xfbff); /* the lowest finite number, not minus infinity */
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_lower__reductions_at_every_opset),
		SCRATCH_TEST(test_lower__computed_axes_need_a_newer_opset),
		SCRATCH_TEST(test_lower__branches_of_unlike_precision),
		SCRATCH_TEST(test_lower__constants_are_shared_only_when_equal),
		SCRATCH_TEST(test_lower__half_precision_keeps_what_needs_more),
	};
	return cmocka_run_group_tests(tests, NULL, toy_run_end);
}
