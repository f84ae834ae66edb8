/* SPDX-License-Identifier: Apache-2.0
 *
 * base/arena.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#include <string.h>

static void test_arena__memory_is_zeroed_aligned_and_disjoint(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	unsigned char *p[600];
	size_t sizes[600];
	(void)state;
	assert_non_null(a);
	for (size_t i = 0; i < 600; i++) {
		sizes[i] = i % 37 ? i * 7 % 300 : i * 997; /* with some larger than a block */
		p[i] = og_arena_alloc(a, sizes[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(p[i][j], 0);
		memset(p[i], (int)(i % 255) + 1, sizes[i]);
	}
	for (size_t i = 0; i < 600; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(p[i][j], i % 255 + 1);
}

static void test_arena__a_large_piece_does_not_waste_the_current_block(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	char *first, *second;
	(void)state;
	first = og_arena_alloc(a, 16);
	assert_non_null(og_arena_alloc(a, 1 << 20));
	second = og_arena_alloc(a, 16);
	assert_ptr_equal(second, first + 16);
	assert_true(og_arena_size(a) >= (1 << 20) + 32);
	assert_true(og_arena_size(a) < (1 << 20) + 8192);
}

static void test_arena__refuses_sizes_that_overflow(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	int *array = NULL;
	size_t cap = 0;
	(void)state;
	assert_null(og_arena_alloc(a, SIZE_MAX));
	assert_null(og_arena_alloc(a, SIZE_MAX - 20));
	assert_null(og_arena_array(a, SIZE_MAX / 2, 4));
	assert_null(og_arena_strndup(a, "", SIZE_MAX));
	assert_false(og_arena_grow(a, &array, &cap, SIZE_MAX / 2, sizeof *array));
	assert_null(array);
	assert_int_equal(cap, 0);
}

static void test_arena__copies_text(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	char *s;
	(void)state;
	assert_string_equal(og_arena_strdup(a, "name"), "name");
	assert_null(og_arena_strdup(a, NULL));
	assert_string_equal(og_arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(og_arena_printf(a, "%s.%d", "layer", 7), "layer.7");
	s = og_arena_printf(a, "%0*d|%s", 5000, 1, "end"); /* longer than a block */
	assert_int_equal(strlen(s), 5004);
	assert_string_equal(s + 4999, "1|end");
	for (int n = 254; n <= 257; n++) { /* about the size of the buffer on the stack */
		s = og_arena_printf(a, "%*s", n, "x");
		assert_int_equal(strlen(s), n);
		assert_int_equal(s[n - 1], 'x');
	}
}

static void test_arena__arrays_grow(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	size_t *v = NULL, cap = 0;
	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		assert_true(og_arena_grow(a, &v, &cap, i + 1, sizeof *v));
		assert_int_equal(v[i], 0);
		v[i] = i;
	}
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(v[i], i);
}

static void test_arena__freeing_null_is_fine(void **state)
{
	(void)state;
	og_arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena__memory_is_zeroed_aligned_and_disjoint),
		cmocka_unit_test(test_arena__a_large_piece_does_not_waste_the_current_block),
		cmocka_unit_test(test_arena__refuses_sizes_that_overflow),
		cmocka_unit_test(test_arena__copies_text),
		cmocka_unit_test(test_arena__arrays_grow),
		cmocka_unit_test(test_arena__freeing_null_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
