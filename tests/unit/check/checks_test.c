/* SPDX-License-Identifier: Apache-2.0
 *
 * check/check.h: rows and the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "check/check.h"

#include <string.h>

static const onnxgate_level S = ONNXGATE_VALIDATE_STRUCTURE, R = ONNXGATE_VALIDATE_RUNTIME, REF = ONNXGATE_VALIDATE_REFERENCE;

/* rows: pairs of level ('s', 'r', 'f') and status ('+', '-', '?'). */
static onnxgate_verdict verdict(const char *rows, onnxgate_level asked)
{
	og_auto(og_arena) *a = og_arena_new();
	og_checks c;
	og_checks_init(&c, a);
	for (const char *p = rows; *p; p += 2) {
		onnxgate_level level = p[0] == 's' ? S : p[0] == 'r' ? R : REF;
		onnxgate_check_status status = p[1] == '+' ? ONNXGATE_CHECK_PASS : p[1] == '-' ? ONNXGATE_CHECK_FAIL : ONNXGATE_CHECK_SKIPPED;
		og_check_add(&c, "row", level, status, 0, 0, "x");
	}
	return og_checks_verdict(&c, asked);
}

static void test_checks__one_failure_fails(void **state)
{
	(void)state;
	assert_int_equal(verdict("s+r+s-", R), ONNXGATE_FAIL);
	assert_int_equal(verdict("s-", S), ONNXGATE_FAIL);
	assert_int_equal(verdict("s?r-", ONNXGATE_VALIDATE_DEFAULT), ONNXGATE_FAIL);
	assert_int_equal(verdict("s-", ONNXGATE_VALIDATE_NONE), ONNXGATE_FAIL);
}

static void test_checks__the_asked_level_must_have_been_reached(void **state)
{
	(void)state;
	assert_int_equal(verdict("s+", S), ONNXGATE_PASS);
	assert_int_equal(verdict("s+", R), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("s+r+", R), ONNXGATE_PASS);
	assert_int_equal(verdict("s+r+", ONNXGATE_VALIDATE_DEFAULT), ONNXGATE_PASS);
	assert_int_equal(verdict("s+r+", REF), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("s+r+f+", REF), ONNXGATE_PASS);
	assert_int_equal(verdict("", S), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("", ONNXGATE_VALIDATE_NONE), ONNXGATE_PASS);
}

static void test_checks__a_skipped_row_counts_where_nothing_stronger_decides(void **state)
{
	(void)state;
	assert_int_equal(verdict("s+s?", S), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("s+s?r+", R), ONNXGATE_PASS);
	assert_int_equal(verdict("s+r?", R), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("s+r?f+", REF), ONNXGATE_UNKNOWN);
	assert_int_equal(verdict("s+r?", S), ONNXGATE_PASS);
}

static void test_checks__a_detail_is_one_printable_line(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_checks c;
	char name[] = "structure.names";
	(void)state;
	og_checks_init(&c, a);
	og_check_add(&c, name, S, ONNXGATE_CHECK_FAIL, 2, 0, "input '%s'", "a\nb\033[31m");
	name[0] = 'X'; /* the row has its own copy */
	assert_int_equal(c.count, 1);
	assert_string_equal(c.rows[0].name, "structure.names");
	assert_null(strchr(c.rows[0].detail, '\n'));
	assert_null(strchr(c.rows[0].detail, '\033'));
	assert_non_null(strstr(c.rows[0].detail, "input 'a"));
	assert_true(c.rows[0].value == 2 && c.rows[0].limit == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks__one_failure_fails),
		cmocka_unit_test(test_checks__the_asked_level_must_have_been_reached),
		cmocka_unit_test(test_checks__a_skipped_row_counts_where_nothing_stronger_decides),
		cmocka_unit_test(test_checks__a_detail_is_one_printable_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
