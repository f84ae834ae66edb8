/* SPDX-License-Identifier: Apache-2.0
 *
 * base/error.h: one line, cut at a character, arguments may be parts of the error itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static void test_error__fills_everything(void **state)
{
	og_error err;
	(void)state;
	memset(&err, 'x', sizeof err);
	assert_int_equal(og_fail(&err, ONNXGATE_FORMAT, "%s: expected %d, found %d", "a", 1, 2), ONNXGATE_FORMAT);
	assert_int_equal(err.status, ONNXGATE_FORMAT);
	assert_true(err.offset == ONNXGATE_NO_OFFSET);
	assert_string_equal(err.message, "a: expected 1, found 2");
	assert_string_equal(err.hint, "");
	assert_int_equal(og_fail_at(&err, ONNXGATE_MISMATCH, 77, "x"), ONNXGATE_MISMATCH);
	assert_true(err.offset == 77);
}

static void test_error__null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(og_fail(NULL, ONNXGATE_UNSAFE, "%d", 1), ONNXGATE_UNSAFE);
	assert_int_equal(og_fail_at(NULL, ONNXGATE_UNSAFE, 1, "%d", 1), ONNXGATE_UNSAFE);
	assert_int_equal(og_fail_errno(NULL, ENOSPC, "write", "x"), ONNXGATE_IO);
	assert_int_equal(og_fail_nomem(NULL), ONNXGATE_NOMEM);
	og_error_prefix(NULL, "x");
	og_error_hint(NULL, "x");
}

static void test_error__errno_is_named_and_hinted(void **state)
{
	og_error err;
	(void)state;
	assert_int_equal(og_fail_errno(&err, ENOSPC, "write", "/x/model.onnx"), ONNXGATE_IO);
	assert_string_equal(err.message, "write /x/model.onnx: No space left on device");
	assert_string_equal(err.hint, "free some space on that disk, or choose a folder on another one");
	og_fail_errno(&err, EACCES, "create", "/x");
	assert_string_equal(err.message, "create /x: Permission denied");
	assert_true(err.hint[0]);
	og_fail_errno(&err, EIO, "poll", NULL);
	assert_string_equal(err.message, "poll: Input/output error");
	assert_string_equal(err.hint, "");
}

static void test_error__prefix_keeps_status_offset_and_hint(void **state)
{
	og_error err;
	(void)state;
	og_fail_at(&err, ONNXGATE_FORMAT, 5, "bad thing");
	og_error_hint(&err, "look at %s", "it");
	og_error_prefix(&err, "file %d", 3);
	assert_string_equal(err.message, "file 3: bad thing");
	assert_string_equal(err.hint, "look at it");
	assert_true(err.offset == 5);
	assert_int_equal(err.status, ONNXGATE_FORMAT);
}

static void test_error__arguments_may_lie_in_the_error(void **state)
{
	og_error err;
	(void)state;
	og_fail(&err, ONNXGATE_IO, "inner");
	og_fail(&err, ONNXGATE_CONVERSION, "outer (%s)", err.message);
	assert_string_equal(err.message, "outer (inner)");
	og_error_prefix(&err, "<%s>", err.message);
	assert_string_equal(err.message, "<outer (inner)>: outer (inner)");
	og_error_hint(&err, "see %s", err.message);
	assert_string_equal(err.hint, "see <outer (inner)>: outer (inner)");
}

static void test_error__is_one_line_without_controls(void **state)
{
	og_error err;
	(void)state;
	og_fail(&err, ONNXGATE_FORMAT, "a\nb\r\tc\x1b[31md\x7f%s", "\xc2\x9b" "31m\xe2\x80\xa8" "e\xff\xe2\x80\xae" "f");
	assert_string_equal(err.message, "a b  c [31md  31m e? f");
	og_fail(&err, ONNXGATE_FORMAT, "%s", "größe → 東京");
	assert_string_equal(err.message, "größe → 東京");
}

static void test_error__is_cut_at_a_character(void **state)
{
	og_error err;
	char text[4000];
	(void)state;
	for (int shift = 0; shift < 4; shift++) {
		size_t n;
		memset(text, 'a', 4);
		for (size_t i = (size_t)shift; i + 4 < sizeof text; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4); /* € */
		og_fail(&err, ONNXGATE_FORMAT, "%s", text);
		n = strlen(err.message);
		assert_true(n < sizeof err.message && n > sizeof err.message - 8);
		assert_true(og_utf8_valid((const uint8_t *)err.message, n));
		assert_true(og_ends_with(err.message, "€…"));
		og_error_prefix(&err, "prefix");
		assert_true(og_starts_with(err.message, "prefix: "));
		assert_true(og_utf8_valid((const uint8_t *)err.message, strlen(err.message)));
	}
}

static void test_error__fits_exactly(void **state)
{
	og_error err;
	(void)state;
	og_fail(&err, ONNXGATE_FORMAT, "%*s", (int)sizeof err.message - 1, "z");
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	assert_true(og_ends_with(err.message, "z"));
	og_fail(&err, ONNXGATE_FORMAT, "%*s", (int)sizeof err.message, "z");
	assert_true(og_ends_with(err.message, "…"));
}

static og_status tried(og_status s, int *reached)
{
	OG_TRY(s);
	++*reached;
	return OG_OK;
}

static void test_error__try_leaves_with_the_status(void **state)
{
	int reached = 0;
	(void)state;
	assert_int_equal(tried(ONNXGATE_NETWORK, &reached), ONNXGATE_NETWORK);
	assert_int_equal(reached, 0);
	assert_int_equal(tried(OG_OK, &reached), OG_OK);
	assert_int_equal(reached, 1);
}

static void test_error__exit_codes_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_int_equal(og_exit_code(OG_OK), 0);
	for (int s = ONNXGATE_FAILED; s <= ONNXGATE_CONVERSION; s++)
		assert_int_equal(og_exit_code((og_status)s), s);
	assert_int_equal(og_exit_code(ONNXGATE_NOMEM), 8);
	assert_int_equal(og_exit_code(ONNXGATE_CANCELLED), 130);
	assert_int_equal(og_exit_code((og_status)77), 9);
	assert_string_equal(og_status_name(ONNXGATE_NOT_FOUND), "NOT_FOUND");
	assert_string_equal(og_status_name(ONNXGATE_CANCELLED), "CANCELLED");
	assert_string_equal(og_status_name((og_status)77), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error__fills_everything),
		cmocka_unit_test(test_error__null_is_allowed),
		cmocka_unit_test(test_error__errno_is_named_and_hinted),
		cmocka_unit_test(test_error__prefix_keeps_status_offset_and_hint),
		cmocka_unit_test(test_error__arguments_may_lie_in_the_error),
		cmocka_unit_test(test_error__is_one_line_without_controls),
		cmocka_unit_test(test_error__is_cut_at_a_character),
		cmocka_unit_test(test_error__fits_exactly),
		cmocka_unit_test(test_error__try_leaves_with_the_status),
		cmocka_unit_test(test_error__exit_codes_are_those_of_the_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
