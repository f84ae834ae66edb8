/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx/names.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "onnx/names.h"

static void test_names__each_text_is_stored_once_and_numbered_in_order(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_names *n = og_names_new(a);
	char text[40];
	(void)state;
	assert_non_null(n);
	assert_int_equal(og_names_count(n), 1);
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "/encoder/layer.%u/MatMul_output_0", i);
		const char *first = og_names_add(n, og_str_of(text));
		assert_non_null(first);
		assert_string_equal(first, text);
		assert_int_equal(og_name_id(first), i + 1);
		assert_ptr_equal(og_names_add(n, og_str_of(text)), first);
		assert_ptr_equal(og_names_at(n, i + 1), first);
	}
	assert_int_equal(og_names_count(n), 5001);
	assert_null(og_names_find(n, OG_STR("absent")));
	assert_int_equal(og_name_id(og_names_find(n, OG_STR(""))), 0);
	assert_int_equal(og_name_id(og_names_find(n, OG_STR("/encoder/layer.7/MatMul_output_0"))), 8);
}

static void test_names__texts_that_differ_only_in_length_or_tail_are_different(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_names *n = og_names_new(a);
	char text[64];
	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i++)
		assert_int_equal(og_name_id(og_names_add(n, (og_str){ text, i })), i);
	text[62] = 'b';
	assert_int_equal(og_name_id(og_names_add(n, (og_str){ text, 63 })), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names__each_text_is_stored_once_and_numbered_in_order),
		cmocka_unit_test(test_names__texts_that_differ_only_in_length_or_tail_are_different),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
