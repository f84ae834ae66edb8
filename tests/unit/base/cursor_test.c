/* SPDX-License-Identifier: Apache-2.0
 *
 * base/cursor.h: no read past the end, the first fault sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"

static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xff };

static void test_cursor__reads_little_endian(void **state)
{
	og_cursor c = og_cursor_over(bytes, sizeof bytes, 100);
	(void)state;
	assert_int_equal(og_cursor_u8(&c, "a"), 0x01);
	assert_int_equal(og_cursor_u16(&c, "b"), 0x0302);
	assert_int_equal(og_cursor_u32(&c, "c"), 0x07060504);
	assert_true(og_cursor_u64(&c, "d") == UINT64_C(0x0f0e0d0c0b0a0908));
	assert_int_equal(og_cursor_at(&c), 115);
	assert_int_equal(og_cursor_left(&c), 1);
	assert_int_equal(og_cursor_u8(&c, "e"), 0xff);
	assert_int_equal(og_cursor_check(&c, "f", NULL), OG_OK);
}

static void test_cursor__first_fault_sticks_with_its_offset(void **state)
{
	og_cursor c = og_cursor_over(bytes, 6, 1000);
	og_error err = { 0 };
	(void)state;
	og_cursor_u32(&c, "count");
	assert_int_equal(og_cursor_u32(&c, "size"), 0); /* two bytes are left */
	assert_int_equal(og_cursor_u8(&c, "later"), 0); /* would fit, but must not be believed */
	og_cursor_bad(&c, "even later");
	assert_int_equal(og_cursor_check(&c, "model.bin", &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "model.bin: size at offset 1004 is past the end (truncated)");
	assert_true(err.offset == 1004);
}

static void test_cursor__a_rule_of_the_caller_can_fail_too(void **state)
{
	og_cursor c = og_cursor_over(bytes, sizeof bytes, 0);
	og_error err = { 0 };
	(void)state;
	og_cursor_u16(&c, "version");
	og_cursor_bad(&c, "version 513, expected 1");
	assert_null(og_cursor_take(&c, 1, "x"));
	assert_int_equal(og_cursor_check(&c, "model.bin", &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "model.bin: version 513, expected 1 at offset 2");
}

static void test_cursor__lengths_from_outside_cannot_overflow(void **state)
{
	og_cursor c = og_cursor_over(bytes, sizeof bytes, UINT64_C(1) << 62);
	(void)state;
	assert_ptr_equal(og_cursor_take(&c, 4, "x"), bytes);
	assert_null(og_cursor_take(&c, UINT64_MAX, "x"));
	assert_true(c.bad);
	assert_int_equal(og_cursor_left(&c), 12);
}

static void test_cursor__nothing_is_readable_but_empty_takes_are(void **state)
{
	og_cursor c = og_cursor_over(NULL, 0, 0);
	(void)state;
	assert_non_null(og_cursor_take(&c, 0, "x"));
	assert_false(c.bad);
	assert_int_equal(og_cursor_u8(&c, "x"), 0);
	assert_true(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor__reads_little_endian),
		cmocka_unit_test(test_cursor__first_fault_sticks_with_its_offset),
		cmocka_unit_test(test_cursor__a_rule_of_the_caller_can_fail_too),
		cmocka_unit_test(test_cursor__lengths_from_outside_cannot_overflow),
		cmocka_unit_test(test_cursor__nothing_is_readable_but_empty_takes_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
