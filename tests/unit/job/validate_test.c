/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rows of checks mean for a job. */
#include "fixture.h"

#include "job/validate.h"

#include <math.h>

#define NONE ONNXGATE_VALIDATE_NONE
#define STRUCTURE ONNXGATE_VALIDATE_STRUCTURE
#define RUNTIME ONNXGATE_VALIDATE_RUNTIME

static og_arena *arena;

static void test_validate__levels(void **state)
{
	(void)state;
	og_checks c;
	og_checks_init(&c, arena);
	assert_int_equal(og_level_passed(&c, NONE), NONE);
	assert_int_equal(og_level_passed(&c, RUNTIME), NONE); /* nothing was checked: nothing passed */
	og_check_add(&c, "structure.x", STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "fine");
	assert_int_equal(og_level_passed(&c, RUNTIME), STRUCTURE);
	og_check_add(&c, "runtime.x", RUNTIME, ONNXGATE_CHECK_SKIPPED, NAN, NAN, "no runtime");
	assert_int_equal(og_level_passed(&c, RUNTIME), STRUCTURE);
	og_checks_init(&c, arena);
	og_check_add(&c, "structure.x", STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "fine");
	og_check_add(&c, "runtime.x", RUNTIME, ONNXGATE_CHECK_PASS, 0, 0, "fine");
	assert_int_equal(og_level_passed(&c, STRUCTURE), STRUCTURE);
	assert_int_equal(og_level_passed(&c, RUNTIME), RUNTIME);
}

static void test_validate__verdict_names_the_row(void **state)
{
	(void)state;
	og_checks c;
	og_error err = { 0 };
	og_checks_init(&c, arena);
	og_check_add(&c, "structure.x", STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "fine");
	og_check_add(&c, "runtime.pad", RUNTIME, ONNXGATE_CHECK_FAIL, 0.5, 1e-5, "padding changes logits");
	assert_int_equal(og_verdict_status(&c, RUNTIME, true, "model.onnx", &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "model.onnx: check runtime.pad failed: padding changes logits (found 0.5, limit 1e-05)");
}

static void test_validate__unknown_is_allowed_only_on_request(void **state)
{
	(void)state;
	og_checks c;
	og_error err = { 0 };
	og_checks_init(&c, arena);
	og_check_add(&c, "structure.x", STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "fine");
	og_check_add(&c, "runtime.load", RUNTIME, ONNXGATE_CHECK_SKIPPED, NAN, NAN, "no runtime was found");
	assert_int_equal(og_verdict_status(&c, RUNTIME, false, "model.onnx", &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "no runtime was found"));
	assert_non_null(strstr(err.hint, "--allow-unknown"));
	assert_int_equal(og_verdict_status(&c, RUNTIME, true, "model.onnx", &err), OG_OK);
	og_checks_init(&c, arena);
	assert_int_equal(og_verdict_status(&c, NONE, false, "model.onnx", &err), OG_OK);
	assert_int_equal(og_verdict_status(&c, RUNTIME, false, "model.onnx", &err), ONNXGATE_UNSUPPORTED);
}

static int make(void **state)
{
	(void)state;
	arena = og_arena_new();
	return arena ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	og_arena_free(arena);
	return 0;
}

static void test_validate__facts_near_a_file(void **state)
{
	begin(state);
	assert_int_equal(og_mkdirs(at("onnx"), NULL), OG_OK);
	put("config.json", "{\"vocab_size\": 77, \"pad_token_id\": null}");
	put("onnx/model.onnx", "x");
	og_input_facts f = og_facts_near(at("onnx/model.onnx"));
	assert_int_equal(f.vocab_size, 77);
	assert_int_equal(f.pad_token_id, -1);
	assert_int_equal(og_facts_near(scratch).vocab_size, 77);
	put("config.json", "not json");
	assert_int_equal(og_facts_near(scratch).vocab_size, 0);
	end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_validate__levels, make, drop),
		cmocka_unit_test_setup_teardown(test_validate__verdict_names_the_row, make, drop),
		cmocka_unit_test_setup_teardown(test_validate__unknown_is_allowed_only_on_request, make, drop),
		cmocka_unit_test(test_validate__facts_near_a_file),
	};
	return cmocka_run_group_tests_name("job/validate", tests, NULL, NULL);
}
