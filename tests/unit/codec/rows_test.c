/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/rows.h"

#include "base/str.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_rows__words_and_back(void **state)
{
	(void)state;
	for (onnxgate_verdict v = ONNXGATE_UNKNOWN; v <= ONNXGATE_FAIL; v++) {
		onnxgate_verdict back = (onnxgate_verdict)99;
		assert_true(og_verdict_parse(og_verdict_name(v), &back));
		assert_int_equal(back, v);
	}
	for (onnxgate_level l = ONNXGATE_VALIDATE_NONE; l <= ONNXGATE_VALIDATE_REFERENCE; l++) {
		onnxgate_level back = (onnxgate_level)99;
		assert_true(og_level_parse(og_level_name(l), &back));
		assert_int_equal(back, l);
	}
	for (onnxgate_check_status c = ONNXGATE_CHECK_PASS; c <= ONNXGATE_CHECK_SKIPPED; c++) {
		onnxgate_check_status back = (onnxgate_check_status)99;
		assert_true(og_check_status_parse(og_check_status_name(c), &back));
		assert_int_equal(back, c);
	}
	onnxgate_level l = ONNXGATE_VALIDATE_NONE;
	assert_string_equal(og_level_name(ONNXGATE_VALIDATE_DEFAULT), "runtime");
	assert_false(og_level_parse("Runtime", &l) || og_level_parse("", &l) || og_level_parse(NULL, &l));
	assert_int_equal(l, ONNXGATE_VALIDATE_NONE);
	assert_string_equal(og_verdict_name((onnxgate_verdict)77), "unknown");
}

static void expect_real(double v, const char *text)
{
	og_doc d = { false };
	og_json *array = og_doc_array(&d, 1);
	og_doc_add(&d, array, og_doc_real(&d, v));
	og_autofree char *s = og_doc_text(&d, array, false);
	assert_false(d.failed);
	assert_string_equal(s, text);
}

static void test_rows__figures_are_short_and_exact(void **state)
{
	(void)state;
	expect_real(0.1, "[0.1]");
	expect_real(1e-5, "[1e-05]");
	expect_real(20, "[20]");
	expect_real(-0.0, "[-0]");
	expect_real(1.0 / 3, "[0.3333333333333333]");
	expect_real(300.25, "[300.25]");
	expect_real(DBL_MAX, "[1.7976931348623157e+308]");
	expect_real(DBL_TRUE_MIN, "[4.94066e-324]");
	expect_real((double)NAN, "[null]");
	expect_real((double)INFINITY, "[null]");
	expect_real(-(double)INFINITY, "[null]");
}

static void test_rows__sizes_beyond_the_signed_range(void **state)
{
	(void)state;
	og_doc d = { false };
	og_json *array = og_doc_array(&d, 0);
	og_doc_add(&d, array, og_doc_size(&d, UINT64_MAX));
	og_doc_add(&d, array, og_doc_size(&d, 5));
	og_doc_add(&d, array, NULL);
	og_autofree char *s = og_doc_text(&d, array, false);
	assert_string_equal(s, "[9223372036854775807,5,null]");
}

static void test_rows__text_becomes_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc3", "\xef\xbf\xbd" },                                           /* cut */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },           /* a surrogate */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },                           /* too long a form */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* beyond Unicode */
	};
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		og_doc d = { false };
		og_auto(og_json) *o = og_doc_object(&d);
		og_doc_set(&d, o, cases[i].in, og_doc_str(&d, cases[i].in)); /* keys, too */
		assert_false(d.failed);
		assert_string_equal(og_json_str(o, cases[i].out, "(absent)"), cases[i].out);
	}
}

static void test_rows__want_of_memory_sticks(void **state)
{
	(void)state;
	og_doc d = { .failed = true }; /* as after an allocation that gave nothing */
	og_json *o = og_doc_object(&d);
	og_doc_set(&d, o, "a", og_doc_int(&d, 1));
	assert_null(og_doc_text(&d, o, false));
	og_doc e = { false };
	og_doc_set(&e, NULL, "a", og_doc_int(&e, 1)); /* its object was not made */
	assert_true(e.failed);
}

static void test_rows__rows(void **state)
{
	(void)state;
	const onnxgate_attempt_row attempts[] = { { "convert", "failed", ONNXGATE_NOMEM, "x", 1.5 } };
	const onnxgate_timing_row timings[] = { { "emit", 2 }, { "total", (double)NAN } };
	const onnxgate_pair pairs[] = { { "cpu", "fast" }, { "none", NULL } };
	og_doc d = { false };
	og_json *o = og_doc_object(&d);
	og_doc_set(&d, o, "a", og_doc_attempts(&d, attempts, 1));
	og_doc_set(&d, o, "t", og_doc_timings(&d, timings, 2));
	og_doc_set(&d, o, "p", og_doc_pairs(&d, pairs, 2));
	og_doc_set(&d, o, "n", og_doc_texts(&d, NULL, 0));
	og_autofree char *s = og_doc_text(&d, o, false);
	assert_string_equal(s, "{\"a\":[{\"step\":\"convert\",\"outcome\":\"failed\",\"code\":8,\"detail\":\"x\",\"ms\":1.5}],"
						   "\"t\":{\"emit\":2,\"total\":null},\"p\":{\"cpu\":\"fast\",\"none\":null},\"n\":[]}");
}

static void test_rows__pretty(void **state)
{
	(void)state;
	og_doc d = { false };
	og_json *o = og_doc_object(&d), *list = og_doc_array(&d, 2);
	og_doc_add(&d, list, og_doc_int(&d, 1));
	og_doc_add(&d, list, og_doc_object(&d));
	og_doc_set(&d, o, "list", list);
	og_doc_set(&d, o, "quo\"te", og_doc_str(&d, "a\\b/c\x01\x7f\n\t\"" "d"));
	og_autofree char *s = og_doc_text(&d, o, true);
	assert_string_equal(s, "{\n  \"list\": [\n    1,\n    {}\n  ],\n  \"quo\\\"te\": \"a\\\\b/c\\u0001\\u007f\\n\\t\\\"d\"\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows__words_and_back),
		cmocka_unit_test(test_rows__figures_are_short_and_exact),
		cmocka_unit_test(test_rows__sizes_beyond_the_signed_range),
		cmocka_unit_test(test_rows__text_becomes_utf8),
		cmocka_unit_test(test_rows__want_of_memory_sticks),
		cmocka_unit_test(test_rows__rows),
		cmocka_unit_test(test_rows__pretty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
