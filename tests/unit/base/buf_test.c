/* SPDX-License-Identifier: Apache-2.0
 *
 * base/buf.h: growth, the ceiling, stickiness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

static void test_buf__appends_of_every_kind_add_up(void **state)
{
	og_auto_buf b;
	(void)state;
	og_buf_init(&b, 1000);
	assert_string_equal(og_buf_cstr(&b), "");
	og_buf_str(&b, "one");
	og_buf_byte(&b, ',');
	og_buf_add(&b, "two\0three", 9);
	og_buf_printf(&b, " %d%s", 42, "!");
	assert_int_equal(b.n, 17);
	assert_memory_equal(b.p, "one,two\0three 42!", 17);
	og_buf_add(&b, NULL, 0);
	assert_int_equal(b.n, 17);
	assert_int_equal(og_buf_check(&b, "b", NULL), OG_OK);
	assert_string_equal(og_buf_cstr(&b) + 8, "three 42!");
}

static void test_buf__holds_exactly_its_ceiling(void **state)
{
	og_auto_buf b;
	og_error err = { 0 };
	(void)state;
	og_buf_init(&b, 100);
	for (int i = 0; i < 100; i++)
		og_buf_byte(&b, 'x');
	assert_false(b.failed);
	assert_int_equal(strlen(og_buf_cstr(&b)), 100);
	og_buf_byte(&b, 'x');
	assert_true(b.failed);
	assert_null(og_buf_cstr(&b));
	assert_int_equal(og_buf_check(&b, "listing", &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "listing: larger than the limit of 100 bytes");
}

static void test_buf__failure_sticks(void **state)
{
	og_auto_buf b;
	(void)state;
	og_buf_init(&b, 4);
	og_buf_str(&b, "abc");
	og_buf_str(&b, "de");
	assert_true(b.failed);
	og_buf_str(&b, "f"); /* would fit, but the text would have a hole */
	assert_int_equal(b.n, 3);
	assert_null(og_buf_take(&b));
	og_buf_done(&b);
	og_buf_init(&b, 4);
	og_buf_str(&b, "f");
	assert_string_equal(og_buf_cstr(&b), "f");
}

static void test_buf__printf_grows_and_respects_the_ceiling(void **state)
{
	og_auto_buf b;
	(void)state;
	og_buf_init(&b, 5000);
	og_buf_printf(&b, "%4000d", 7);
	assert_int_equal(b.n, 4000);
	og_buf_printf(&b, "%1000d", 8);
	assert_int_equal(b.n, 5000);
	assert_int_equal(og_buf_cstr(&b)[4999], '8');
	assert_false(b.failed);
	og_buf_printf(&b, "%d", 9);
	assert_true(b.failed);
	assert_int_equal(b.n, 5000);
}

static void test_buf__take_gives_the_text_away(void **state)
{
	og_auto_buf b;
	char *s;
	(void)state;
	og_buf_init(&b, 10);
	s = og_buf_take(&b);
	assert_string_equal(s, "");
	og_free(s);
	og_buf_str(&b, "hello");
	s = og_buf_take(&b);
	assert_string_equal(s, "hello");
	og_free(s);
	assert_int_equal(b.n, 0);
	og_buf_str(&b, "again");
	assert_string_equal(og_buf_cstr(&b), "again");
}

static void test_buf__no_ceiling_is_a_ceiling_too(void **state)
{
	og_auto_buf b;
	(void)state;
	og_buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 100000; i++)
		og_buf_str(&b, "0123456789");
	assert_int_equal(b.n, 1000000);
	og_buf_add(&b, b.p, SIZE_MAX - 10);
	assert_true(b.failed);
}

static void test_buf__nothing_fits_a_ceiling_of_zero(void **state)
{
	og_auto_buf b;
	(void)state;
	og_buf_init(&b, 0);
	assert_string_equal(og_buf_cstr(&b), "");
	og_buf_byte(&b, 'x');
	assert_true(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf__appends_of_every_kind_add_up),
		cmocka_unit_test(test_buf__holds_exactly_its_ceiling),
		cmocka_unit_test(test_buf__failure_sticks),
		cmocka_unit_test(test_buf__printf_grows_and_respects_the_ceiling),
		cmocka_unit_test(test_buf__take_gives_the_text_away),
		cmocka_unit_test(test_buf__no_ceiling_is_a_ceiling_too),
		cmocka_unit_test(test_buf__nothing_fits_a_ceiling_of_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
