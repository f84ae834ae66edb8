/* SPDX-License-Identifier: Apache-2.0
 *
 * Inference: what contradicts itself is refused where it is described, and elements are followed only where they are known. */
#include "checkpoint_toy.h"

#include "graph/ops.h"

#define I(...) (const int64_t[]){ __VA_ARGS__ }

static toy_build t;

static og_val x; /* of the builder at hand */

static void fresh(void)
{
	toy_another(&t);
	x = og_input(t.b, "x", OG_F32, "batch_size", "3", "4");
}

static void expect_refusal(const char *part)
{
	og_model *m;
	og_error err = { 0 };
	assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_MISMATCH);
	if (!strstr(err.message, part))
		fail_msg("%s", err.message);
}

static void test_infer__contradictions_are_refused(void **state)
{
	static const char *const equations[] = { "abc,abc", "abc->abc", "abc,abb->abc", "abc,abc->aBc", "abc;abc->abc", "ab,abc->abc", "abc,abc->abz", "" };
	t = toy_builder(NULL, 0);
	(void)state;
	for (size_t i = 0; i < OG_COUNT(equations); i++) {
		fresh();
		og_einsum(t.b, equations[i], x, x);
		expect_refusal("Einsum");
	}
	fresh();
	og_slice(t.b, x, 2, 1, 5);
	expect_refusal("bounds are out of range");
	fresh();
	og_slice(t.b, x, 2, 5, INT64_MAX);
	expect_refusal("bounds are out of range");
	fresh();
	og_slice(t.b, x, 0, 0, 2); /* of a symbol */
	expect_refusal("bounds are out of range");
	fresh();
	og_op(t.b, "ReduceMean", (og_val[]){ x, og_const_ints(t.b, I(3), 1) }, 2, NULL, 0);
	expect_refusal("axes are out of range");
	fresh();
	og_cumsum(t.b, x, 3);
	expect_refusal("the axis must be known and in range");
	fresh();
	og_op(t.b, "CumSum", (og_val[]){ x, x }, 2, NULL, 0); /* an axis that a run decides */
	expect_refusal("the axis must be known and in range");
	fresh();
	og_unsqueeze(t.b, x, I(9), 1);
	expect_refusal("axes are out of range");
	fresh();
	og_squeeze(t.b, x, 1);
	expect_refusal("one axis of size 1");
	fresh();
	og_permute(t.b, x, 0, 1, 3);
	expect_refusal("perm is out of range");
	fresh();
	og_gather(t.b, x, og_const_i64(t.b, 0), 3);
	expect_refusal("axis or indices do not fit");
	fresh();
	og_add(t.b, x, og_const_i64(t.b, 1));
	expect_refusal("inputs of one type are wanted");
	toy_builder_free(&t);
}

static void expect_conv_refusal(const char *part, const char *channels, const int64_t *weight, const og_attr *attr)
{
	static const float zeros[64];
	toy_another(&t);
	og_val in = og_input(t.b, "x", OG_F32, "batch_size", channels, "4"), w = og_const_data(t.b, OG_F32, weight, 3, zeros);
	og_op(t.b, "Conv", (og_val[]){ in, w, og_const_data(t.b, OG_F32, I(3), 1, zeros) }, 3, attr, attr ? 1 : 0);
	expect_refusal(part);
}

static void test_infer__windows_that_do_not_fit_are_refused(void **state)
{
	t = toy_builder(NULL, 0);
	(void)state;
	expect_conv_refusal("channels do not fit", "5", I(3, 2, 1), NULL);
	expect_conv_refusal("channels do not fit", "2", I(3, 2, 1), &OG_INT("group", 2));
	expect_conv_refusal("channels do not fit", "2", I(3, 2, 1), &OG_INT("group", 0));
	expect_conv_refusal("the bias does not fit", "2", I(4, 2, 1), NULL);
	expect_conv_refusal("larger than what it slides over", "2", I(3, 2, 5), NULL);
	expect_conv_refusal("larger than what it slides over", "2", I(3, 2, 3), &OG_INTS("dilations", I(2), 1));
	expect_conv_refusal("do not fit the rank", "2", I(3, 2, 1), &OG_INTS("strides", I(1, 1), 2));
	expect_conv_refusal("do not fit the rank", "2", I(3, 2, 1), &OG_INTS("pads", I(1), 1));
	expect_conv_refusal("a window of known size is wanted", "2", I(3, 2, 1), &OG_INTS("strides", I(0), 1));
	fresh();
	static const float few[4];
	og_val channels = og_const_data(t.b, OG_F32, I(3), 1, few), steps = og_const_data(t.b, OG_F32, I(4), 1, few);
	og_op(t.b, "InstanceNormalization", (og_val[]){ x, channels, steps }, 3, NULL, 0);
	expect_refusal("the scale does not fit the channels");
	fresh();
	og_op(t.b, "BatchNormalization", (og_val[]){ og_squeeze(t.b, og_slice(t.b, x, 1, 0, 1), 1), channels }, 2, NULL, 0);
	expect_refusal("the scale does not fit the channels");
	toy_another(&t);
	og_pixel_shuffle(t.b, og_input(t.b, "x", OG_F32, "batch_size", "6", "2", "2"), 2);
	expect_refusal("a multiple of the block");
	fresh();
	og_expand(t.b, x, (og_dim[]){ og_dim_of(t.b, 5), og_dim_of(t.b, 4) }, 2);
	expect_refusal("Expand: shapes do not broadcast");
	fresh();
	og_op(t.b, "Expand", (og_val[]){ x, og_input(t.b, "y", OG_I64, "3") }, 2, NULL, 0);
	expect_refusal("the shape must be known");
	toy_builder_free(&t);
}

static void test_infer__an_expansion_reaches_a_symbol(void **state)
{
	t = toy_builder(NULL, 0);
	(void)state;
	fresh();
	static const float zeros[4];
	og_val one = og_const_data(t.b, OG_F32, I(1, 1, 4), 3, zeros);
	og_val y = og_expand(t.b, one, (og_dim[]){ og_dim_at(t.b, x, 0), og_dim_of(t.b, 1), og_dim_of(t.b, 4) }, 3);
	assert_string_equal(og_dim_text(og_build_dims(t.b), og_dim_at(t.b, y, 0)), "batch_size");
	assert_int_equal(og_rank_of(t.b, y), 3);
	assert_false(og_build_stuck(t.b));
	toy_builder_free(&t);
}

static void test_infer__slices_and_sums_of_elements(void **state)
{
	t = toy_builder(NULL, 0);
	int64_t v;
	(void)state;
	fresh();
	assert_true(og_dim_is_int(og_build_dims(t.b), og_dim_at(t.b, og_slice(t.b, x, 2, 1, INT64_MAX), 2), &v));
	assert_int_equal(v, 3);
	og_val end = og_add(t.b, og_dim_value(t.b, og_dim_at(t.b, x, 0)), og_const_i64(t.b, 2));
	og_val range = og_range(t.b, og_const_i64(t.b, 0), end);
	assert_string_equal(og_dim_text(og_build_dims(t.b), og_dim_at(t.b, range, 0)), "batch_size + 2");
	assert_false(og_build_stuck(t.b));
	toy_builder_free(&t);
}

/* [2, 1] + [1, 2] has four elements, not the two that each side knows. */
static void test_infer__elements_of_matrices_are_not_followed(void **state)
{
	t = toy_builder(NULL, 0);
	(void)state;
	toy_another(&t);
	og_val v = og_const_ints(t.b, I(5, 6), 2), m = og_add(t.b, og_expand_dims(t.b, v, 1), og_expand_dims(t.b, v, 0));
	assert_int_equal(og_rank_of(t.b, m), 2);
	og_op(t.b, "ReduceSum", (og_val[]){ og_input(t.b, "x", OG_F32, "5", "6"), m }, 2, NULL, 0);
	expect_refusal("axes must be known");
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_infer__contradictions_are_refused),
		SCRATCH_TEST(test_infer__windows_that_do_not_fit_are_refused),
		SCRATCH_TEST(test_infer__an_expansion_reaches_a_symbol),
		SCRATCH_TEST(test_infer__slices_and_sums_of_elements),
		SCRATCH_TEST(test_infer__elements_of_matrices_are_not_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
