/* SPDX-License-Identifier: Apache-2.0
 *
 * base/pool.h: every item once, errors stop it and the lowest one is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/pool.h"

enum { ITEMS = 10000 };

typedef struct work {
	unsigned char done[ITEMS];
	int threads, calls;
	size_t fails_from, slow; /* items that fail; one that fails late */
} work;

static og_status mark(void *arg, int worker, size_t item, og_error *err)
{
	work *w = arg;
	__atomic_fetch_add(&w->calls, 1, __ATOMIC_RELAXED);
	if (worker < 0 || worker >= w->threads)
		return og_fail(err, ONNXGATE_INTERNAL, "worker %d", worker);
	if (w->fails_from && item >= w->fails_from) {
		if (item == w->slow)
			og_sleep_ms(50);
		return og_fail(err, ONNXGATE_MISMATCH, "item %zu", item);
	}
	w->done[item]++;
	return OG_OK;
}

static void test_pool__every_item_once(void **state)
{
	(void)state;
	for (int threads = 0; threads <= 8; threads += threads ? threads : 1) {
		work w = { .threads = threads ? threads : 1 };
		assert_int_equal(og_pool_run(threads, ITEMS, mark, &w, NULL), OG_OK);
		for (int i = 0; i < ITEMS; i++)
			assert_int_equal(w.done[i], 1);
	}
}

static void test_pool__no_items_no_calls(void **state)
{
	work w = { .threads = 1 };
	(void)state;
	assert_int_equal(og_pool_run(4, 0, mark, &w, NULL), OG_OK);
	assert_int_equal(w.calls, 0);
}

static void test_pool__more_threads_than_items(void **state)
{
	work w = { .threads = 3 };
	(void)state;
	assert_int_equal(og_pool_run(1000000, 3, mark, &w, NULL), OG_OK);
	assert_int_equal(w.calls, 3);
}

static void test_pool__an_error_stops_the_handing_out(void **state)
{
	work w = { .threads = 1, .fails_from = 10 };
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_pool_run(1, ITEMS, mark, &w, &err), ONNXGATE_MISMATCH);
	assert_int_equal(w.calls, 11);
	assert_string_equal(err.message, "item 10");
	assert_int_equal(og_pool_run(1, ITEMS, mark, &w, NULL), ONNXGATE_MISMATCH);
}

static void test_pool__the_lowest_error_is_reported_even_when_it_is_late(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		work w = { .threads = 4, .fails_from = 100, .slow = 100 };
		og_error err = { 0 };
		assert_int_equal(og_pool_run(4, ITEMS, mark, &w, &err), ONNXGATE_MISMATCH);
		assert_string_equal(err.message, "item 100");
		assert_int_equal(err.status, ONNXGATE_MISMATCH);
		assert_true(w.calls < 110);
	}
}

static og_status meet(void *arg, int worker, size_t item, og_error *err)
{
	int *here = arg;
	(void)worker;
	(void)item;
	__atomic_fetch_add(here, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 5000; i++) { /* both must be inside at one time */
		if (__atomic_load_n(here, __ATOMIC_SEQ_CST) == 2)
			return OG_OK;
		og_sleep_ms(1);
	}
	return og_fail(err, ONNXGATE_FAILED, "alone");
}

static void test_pool__items_run_side_by_side(void **state)
{
	int here = 0;
	(void)state;
	assert_int_equal(og_pool_run(2, 2, meet, &here, NULL), OG_OK);
}

static void test_pool__there_is_a_processor(void **state)
{
	(void)state;
	assert_true(og_cpu_count() >= 1);
	assert_true(og_cpu_count() < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool__every_item_once),
		cmocka_unit_test(test_pool__no_items_no_calls),
		cmocka_unit_test(test_pool__more_threads_than_items),
		cmocka_unit_test(test_pool__an_error_stops_the_handing_out),
		cmocka_unit_test(test_pool__the_lowest_error_is_reported_even_when_it_is_late),
		cmocka_unit_test(test_pool__items_run_side_by_side),
		cmocka_unit_test(test_pool__there_is_a_processor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
