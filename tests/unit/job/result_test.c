/* SPDX-License-Identifier: Apache-2.0
 *
 * A result owns what it is given, and ends with one status. */
#include "fixture.h"

#include "job/result.h"

#include <math.h>

static void test_result__owns_its_text(void **state)
{
	(void)state;
	og_auto(og_result) *r = og_result_new("verify");
	char text[] = "org/name", detail[] = "found 1";
	onnxgate_request q = ONNXGATE_REQUEST_INIT;
	q.model = text;
	q.task = text;
	og_result_request(r, &q);
	onnxgate_check_row row = { .name = text, .value = 1, .limit = NAN, .detail = detail };
	og_result_checks(r, &row, 1);
	og_result_file(r, text, "model", 5, NULL);
	memset(text, 'x', sizeof(text) - 1);
	memset(detail, 'x', sizeof(detail) - 1);
	assert_string_equal(r->pub.model_id, "org/name");
	assert_string_equal(r->pub.requested.task, "org/name");
	assert_null(r->pub.requested.dtype);
	assert_string_equal(r->pub.checks[0].detail, "found 1");
	assert_string_equal(r->pub.files[0].path, "org/name");
	assert_int_equal(r->pub.level, ONNXGATE_VALIDATE_RUNTIME); /* the default, said */
}

static void test_result__arrays_grow(void **state)
{
	(void)state;
	og_auto(og_result) *r = og_result_new("verify");
	for (int i = 0; i < 1000; i++)
		og_result_attempt(r, "step", "failed", ONNXGATE_FAILED, i, "number %d", i);
	assert_int_equal(r->pub.nattempts, 1000);
	for (int i = 0; i < 1000; i++) {
		char want[32];
		snprintf(want, sizeof(want), "number %d", i);
		assert_string_equal(r->pub.attempts[i].detail, want);
	}
	assert_false(r->nomem);
}

static void test_result__timings_add_and_notes_stand_once(void **state)
{
	(void)state;
	og_auto(og_result) *r = og_result_new("verify");
	og_result_timing(r, "download", 2);
	og_result_timing(r, "emit", 1);
	og_result_timing(r, "download", 3);
	assert_int_equal(r->pub.ntimings, 2);
	assert_true(r->pub.timings[0].ms > 4.99 && r->pub.timings[0].ms < 5.01);
	og_result_note(r, "key %s", "a");
	og_result_note(r, "key %s", "a");
	og_result_note(r, "key %s", "b");
	assert_int_equal(r->pub.nnotes, 2);
}

static void test_result__end(void **state)
{
	(void)state;
	og_auto(og_result) *r = og_result_new("verify");
	og_error err = { .status = ONNXGATE_NETWORK, .message = "no way", .hint = "go" };
	assert_int_equal(og_result_end(r, ONNXGATE_NETWORK, &err), ONNXGATE_NETWORK);
	assert_string_equal(r->pub.error.message, "no way");
	assert_int_equal(r->pub.error.status, ONNXGATE_NETWORK);
	og_auto(og_result) *fine = og_result_new("verify");
	assert_int_equal(og_result_end(fine, OG_OK, &err), OG_OK);
	assert_string_equal(fine->pub.error.message, "");
	fine->nomem = true; /* what was lost must not pass for an answer */
	assert_int_equal(og_result_end(fine, OG_OK, NULL), ONNXGATE_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result__owns_its_text),
		cmocka_unit_test(test_result__arrays_grow),
		cmocka_unit_test(test_result__timings_add_and_notes_stand_once),
		cmocka_unit_test(test_result__end),
	};
	(void)begin;
	(void)end;
	return cmocka_run_group_tests_name("job/result", tests, NULL, NULL);
}
