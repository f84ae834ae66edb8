/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime checks, on models that are right and on models that are wrong in one way each. */
#include "../toy_models.h"
#include "../toy_runtime.h"

#include "check/check.h"

#include <math.h>

static const og_input_facts facts = { .vocab_size = TOY_VOCAB, .type_vocab_size = 2, .max_positions = TOY_POSITIONS, .pad_token_id = 0, .end_token_id = -1 };

typedef struct judged {
	og_arena *arena;
	og_checks rows;
} judged;

static judged judge(const char *path, const og_context *ctx)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	judged j = { .arena = og_arena_new() };
	og_error err = { 0 };

	og_checks_init(&j.rows, j.arena);
	if (og_check_runtime(path, r, NULL, &facts, ctx, &j.rows, &err) != OG_OK)
		fail_msg("%s", err.message);
	return j;
}

static const onnxgate_check_row *row(const judged *j, const char *name)
{
	for (size_t i = 0; i < j->rows.count; i++)
		if (strcmp(j->rows.rows[i].name, name) == 0)
			return &j->rows.rows[i];
	return NULL;
}

static const onnxgate_check_row *expect(const judged *j, const char *name, onnxgate_check_status status)
{
	const onnxgate_check_row *r = row(j, name);

	if (!r)
		fail_msg("there is no row %s", name);
	if (r->status != status)
		fail_msg("%s: status %d, expected %d: %s (value %g, limit %g)", name, r->status, status, r->detail, r->value, r->limit);
	return r;
}

static void expect_all_pass(const judged *j)
{
	for (size_t i = 0; i < j->rows.count; i++)
		expect(j, j->rows.rows[i].name, ONNXGATE_CHECK_PASS);
	assert_int_equal(og_checks_verdict(&j->rows, ONNXGATE_VALIDATE_RUNTIME), ONNXGATE_PASS);
}

static void test_runtime__passes_a_right_encoder_with_figures(void **state)
{
	judged j;
	const onnxgate_check_row *r;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_RIGHT);
	j = judge(scratch("model.onnx"), NULL);
	expect_all_pass(&j);
	assert_int_equal(j.rows.count, 5);
	assert_true(row(&j, "runtime.load")->value > 0);
	assert_true(row(&j, "runtime.finite")->value == 0);
	r = row(&j, "runtime.batch");
	assert_true(r->value >= 0 && r->value < r->limit && r->limit == 2e-5);
	assert_non_null(strstr(r->detail, "5 items"));
	r = row(&j, "runtime.padding");
	assert_true(r->value < r->limit);
	assert_non_null(strstr(r->detail, "in 2 batches"));
	r = row(&j, "runtime.shapes");
	assert_non_null(strstr(r->detail, "sequence_length 1)"));
	assert_non_null(strstr(r->detail, "sequence_length 2)"));
	assert_non_null(strstr(r->detail, "batch_size 3, sequence_length 7)"));
	og_arena_free(j.arena);
}

static void one_fault(toy_fault fault, const char *name, double at_least)
{
	judged j;
	const onnxgate_check_row *r;

	toy_encoder(scratch("model.onnx"), fault);
	j = judge(scratch("model.onnx"), NULL);
	r = expect(&j, name, ONNXGATE_CHECK_FAIL);
	if (!(r->value >= at_least))
		fail_msg("%s: value %g, expected at least %g", name, r->value, at_least);
	for (size_t i = 0; i < j.rows.count; i++)
		if (strcmp(j.rows.rows[i].name, name) != 0 && fault != TOY_NOT_FINITE)
			expect(&j, j.rows.rows[i].name, ONNXGATE_CHECK_PASS);
	assert_int_equal(og_checks_verdict(&j.rows, ONNXGATE_VALIDATE_RUNTIME), ONNXGATE_FAIL);
	og_arena_free(j.arena);
}

static void test_runtime__a_mask_that_is_ignored_fails_padding_alone(void **state)
{
	(void)state;
	one_fault(TOY_IGNORES_MASK, "runtime.padding", 1e-3);
	one_fault(TOY_POOLS_MASK_IGNORED, "runtime.padding", 1e-3);
}

static void test_runtime__an_item_that_sees_its_neighbours_fails_batch(void **state)
{
	judged j;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_MIXES_BATCH);
	j = judge(scratch("model.onnx"), NULL);
	assert_true(expect(&j, "runtime.batch", ONNXGATE_CHECK_FAIL)->value > 1e-2);
	expect(&j, "runtime.shapes", ONNXGATE_CHECK_PASS);
	expect(&j, "runtime.finite", ONNXGATE_CHECK_PASS);
	og_arena_free(j.arena);
}

static void test_runtime__values_that_are_not_finite_are_counted(void **state)
{
	(void)state;
	one_fault(TOY_NOT_FINITE, "runtime.finite", 1);
}

static void test_runtime__shapes_other_than_declared_are_counted(void **state)
{
	(void)state;
	one_fault(TOY_WRONG_SYMBOLS, "runtime.shapes", 3);
}

static void test_runtime__pooled_outputs_are_compared_whole(void **state)
{
	judged j;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_POOLS);
	j = judge(scratch("model.onnx"), NULL);
	expect_all_pass(&j);
	assert_non_null(row(&j, "runtime.padding"));
	og_arena_free(j.arena);
}

static void test_runtime__choices_have_three_bindings_too(void **state)
{
	judged j;
	(void)state;

	toy_choices(scratch("model.onnx"), true);
	j = judge(scratch("model.onnx"), NULL);
	expect_all_pass(&j);
	assert_non_null(strstr(row(&j, "runtime.shapes")->detail, "num_choices 3"));
	assert_non_null(strstr(row(&j, "runtime.shapes")->detail, "num_choices 1"));
	og_arena_free(j.arena);
	toy_choices(scratch("model.onnx"), false);
	j = judge(scratch("model.onnx"), NULL);
	expect(&j, "runtime.padding", ONNXGATE_CHECK_FAIL);
	expect(&j, "runtime.batch", ONNXGATE_CHECK_PASS);
	og_arena_free(j.arena);
}

static void test_runtime__stepping_with_a_cache_equals_the_full_pass(void **state)
{
	judged j;
	(void)state;

	toy_decoder(scratch("model.onnx"), false);
	j = judge(scratch("model.onnx"), NULL);
	expect_all_pass(&j);
	assert_true(row(&j, "runtime.cache")->value < 2e-5);
	og_arena_free(j.arena);
	toy_decoder(scratch("model.onnx"), true);
	j = judge(scratch("model.onnx"), NULL);
	assert_true(expect(&j, "runtime.cache", ONNXGATE_CHECK_FAIL)->value > 1e-2);
	expect(&j, "runtime.batch", ONNXGATE_CHECK_PASS);
	og_arena_free(j.arena);
}

static void test_runtime__a_file_that_is_refused_fails_load(void **state)
{
	judged j;
	const onnxgate_check_row *r;
	(void)state;

	scratch_write(scratch("model.onnx"), "this is no protobuf");
	j = judge(scratch("model.onnx"), NULL);
	assert_int_equal(j.rows.count, 1);
	r = expect(&j, "runtime.load", ONNXGATE_CHECK_FAIL);
	assert_non_null(strstr(r->detail, "model.onnx: ONNX Runtime refuses it: "));
	assert_null(strchr(r->detail, '\n'));
	og_arena_free(j.arena);
}

static void test_runtime__an_unknown_input_is_skipped_not_passed(void **state)
{
	judged j;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_UNKNOWN_INPUT);
	j = judge(scratch("model.onnx"), NULL);
	assert_non_null(strstr(expect(&j, "runtime.shapes", ONNXGATE_CHECK_SKIPPED)->detail, "mystery"));
	assert_null(row(&j, "runtime.batch"));
	assert_int_equal(og_checks_verdict(&j.rows, ONNXGATE_VALIDATE_RUNTIME), ONNXGATE_UNKNOWN);
	og_arena_free(j.arena);
}

static void test_runtime__without_a_runtime_every_row_says_why(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_checks c;
	(void)state;

	og_checks_init(&c, arena);
	assert_int_equal(og_check_runtime("none.onnx", NULL, "no ONNX Runtime library found", &facts, NULL, &c, NULL), OG_OK);
	assert_int_equal(c.count, 5);
	for (size_t i = 0; i < c.count; i++) {
		assert_int_equal(c.rows[i].status, ONNXGATE_CHECK_SKIPPED);
		assert_string_equal(c.rows[i].detail, "no ONNX Runtime library found");
		assert_true(isnan(c.rows[i].value));
	}
	assert_int_equal(og_checks_verdict(&c, ONNXGATE_VALIDATE_RUNTIME), ONNXGATE_UNKNOWN);
}

static void test_runtime__an_interruption_is_no_verdict(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_arena) *arena = og_arena_new();
	int cancel = 1;
	og_context ctx = { .cancel = &cancel, .threads = 1 };
	og_error err = { 0 };
	og_checks c;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_RIGHT);
	og_checks_init(&c, arena);
	assert_int_equal(og_check_runtime(scratch("model.onnx"), r, NULL, &facts, &ctx, &c, &err), ONNXGATE_CANCELLED);
	for (size_t i = 0; i < c.count; i++)
		assert_int_not_equal(c.rows[i].status, ONNXGATE_CHECK_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_runtime__passes_a_right_encoder_with_figures),
		SCRATCH_TEST(test_runtime__a_mask_that_is_ignored_fails_padding_alone),
		SCRATCH_TEST(test_runtime__an_item_that_sees_its_neighbours_fails_batch),
		SCRATCH_TEST(test_runtime__values_that_are_not_finite_are_counted),
		SCRATCH_TEST(test_runtime__shapes_other_than_declared_are_counted),
		SCRATCH_TEST(test_runtime__pooled_outputs_are_compared_whole),
		SCRATCH_TEST(test_runtime__choices_have_three_bindings_too),
		SCRATCH_TEST(test_runtime__stepping_with_a_cache_equals_the_full_pass),
		SCRATCH_TEST(test_runtime__a_file_that_is_refused_fails_load),
		SCRATCH_TEST(test_runtime__an_unknown_input_is_skipped_not_passed),
		SCRATCH_TEST(test_runtime__without_a_runtime_every_row_says_why),
		SCRATCH_TEST(test_runtime__an_interruption_is_no_verdict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
