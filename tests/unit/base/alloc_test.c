/* SPDX-License-Identifier: Apache-2.0
 *
 * base/alloc.h: zeroed memory, overflow checks, cleanup by attribute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

#include <string.h>

static void test_alloc__is_zeroed_and_never_null_for_nothing(void **state)
{
	og_autofree unsigned char *p = og_alloc(4096), *none = og_alloc(0);
	(void)state;
	assert_non_null(p);
	assert_non_null(none);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(p[i], 0);
}

static void test_alloc__refuses_sizes_that_overflow(void **state)
{
	uint64_t v = 1;
	(void)state;
	assert_null(og_array_alloc(SIZE_MAX / 4 + 1, 4));
	assert_null(og_array_alloc(SIZE_MAX, SIZE_MAX));
	assert_true(og_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 31, &v));
	assert_true(v == UINT64_C(1) << 63);
	assert_false(og_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
	assert_true(og_add_u64(UINT64_MAX - 1, 1, &v));
	assert_true(v == UINT64_MAX);
	assert_false(og_add_u64(UINT64_MAX, 1, &v));
}

static void test_alloc__growing_keeps_the_old_and_zeroes_the_new(void **state)
{
	int *a = NULL;
	size_t cap = 0;
	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		size_t before = cap;
		assert_true(og_array_grow(&a, &cap, i + 1, sizeof *a));
		assert_true(cap > i);
		for (size_t j = before; j < cap; j++)
			assert_int_equal(a[j], 0);
		a[i] = (int)i + 1;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(a[i], i + 1);
	assert_true(cap < 4096); /* doubling, not more */
	og_free(a);
}

static void test_alloc__growing_past_the_address_space_changes_nothing(void **state)
{
	uint64_t *a = NULL, *old;
	size_t cap = 0, old_cap;
	(void)state;
	assert_true(og_array_grow(&a, &cap, 3, sizeof *a));
	old = a;
	old_cap = cap;
	assert_false(og_array_grow(&a, &cap, SIZE_MAX / 4, sizeof *a));
	assert_ptr_equal(a, old);
	assert_int_equal(cap, old_cap);
	og_free(a);
}

static void test_alloc__strdup_of_null_is_null(void **state)
{
	og_autofree char *s = og_strdup("abc");
	(void)state;
	assert_string_equal(s, "abc");
	assert_null(og_strdup(NULL));
}

static int freed;
typedef struct thing {
	int dummy;
} thing;
static void thing_free(thing *t)
{
	if (t)
		freed++;
	og_free(t);
}
OG_DEFINE_FREEP(thing)

static thing *make(bool keep)
{
	og_auto(thing) *t = og_alloc(sizeof *t);
	if (keep)
		return og_steal(&t);
	return NULL;
}

static void test_alloc__auto_frees_unless_stolen(void **state)
{
	thing *t;
	(void)state;
	freed = 0;
	assert_null(make(false));
	assert_int_equal(freed, 1);
	t = make(true);
	assert_non_null(t);
	assert_int_equal(freed, 1);
	thing_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc__is_zeroed_and_never_null_for_nothing),
		cmocka_unit_test(test_alloc__refuses_sizes_that_overflow),
		cmocka_unit_test(test_alloc__growing_keeps_the_old_and_zeroes_the_new),
		cmocka_unit_test(test_alloc__growing_past_the_address_space_changes_nothing),
		cmocka_unit_test(test_alloc__strdup_of_null_is_null),
		cmocka_unit_test(test_alloc__auto_frees_unless_stolen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
