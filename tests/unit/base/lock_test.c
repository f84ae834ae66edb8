/* SPDX-License-Identifier: Apache-2.0
 *
 * og_lock of base/file.h. flock() belongs to the open file, so two locks in one process exclude each other too. */
#include "scratch.h"

#include "base/clock.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_lock__leaves_an_empty_file(void **state)
{
	og_lock *l = NULL;
	(void)state;
	assert_int_equal(og_lock_take(scratch("x.lock"), true, NULL, &l, NULL), OG_OK);
	og_lock_free(l);
	scratch_expect(scratch("x.lock"), "");
	og_lock_free(NULL);
}

static void test_lock__exclusive_excludes_and_sharing_shares(void **state)
{
	og_lock *a = NULL, *b = NULL;
	int cancel = 1; /* tried once, then given up */
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_lock_take(scratch("x"), false, NULL, &a, NULL), OG_OK);
	assert_int_equal(og_lock_take(scratch("x"), false, &cancel, &b, NULL), OG_OK);
	og_lock_free(b);
	assert_int_equal(og_lock_take(scratch("x"), true, &cancel, &b, &err), ONNXGATE_CANCELLED);
	assert_string_equal(err.message, "interrupted");
	og_lock_free(a);
	assert_int_equal(og_lock_take(scratch("x"), true, &cancel, &a, NULL), OG_OK);
	assert_int_equal(og_lock_take(scratch("x"), false, &cancel, &b, NULL), ONNXGATE_CANCELLED);
	og_lock_free(a);
}

typedef struct later {
	og_lock *held;
	const char *unlink, *refill;
} later;

static void *release_later(void *arg)
{
	later *l = arg;
	og_sleep_ms(120);
	if (l->unlink)
		unlink(l->unlink);
	if (l->refill)
		scratch_write(l->refill, "");
	og_lock_free(l->held);
	return NULL;
}

static void take_after(later *l, const char *path)
{
	pthread_t t;
	og_lock *mine = NULL;
	double start = og_now_ms();
	struct stat st;
	int cancel = 1;
	assert_int_equal(og_lock_take(path, true, NULL, &l->held, NULL), OG_OK);
	assert_int_equal(pthread_create(&t, NULL, release_later, l), 0);
	assert_int_equal(og_lock_take(path, true, NULL, &mine, NULL), OG_OK);
	assert_true(og_now_ms() - start >= 100);
	pthread_join(t, NULL);
	/* What we hold is what others find under the name. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(og_lock_take(path, true, &cancel, &l->held, NULL), ONNXGATE_CANCELLED);
	og_lock_free(mine);
}

static void test_lock__waits_for_the_holder(void **state)
{
	later l = { 0 };
	(void)state;
	take_after(&l, scratch("x"));
}

static void test_lock__a_file_removed_by_its_holder_does_not_count(void **state)
{
	later l = { .unlink = scratch("x") };
	(void)state;
	take_after(&l, scratch("x"));
}

static void test_lock__nor_does_one_that_was_replaced(void **state)
{
	later l = { .unlink = scratch("x"), .refill = scratch("x") };
	(void)state;
	take_after(&l, scratch("x"));
}

static void *raise_later(void *arg)
{
	og_sleep_ms(100);
	__atomic_store_n((int *)arg, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_lock__waiting_can_be_interrupted(void **state)
{
	og_lock *a = NULL, *b = NULL;
	pthread_t t;
	int cancel = 0;
	double start;
	(void)state;
	assert_int_equal(og_lock_take(scratch("x"), true, NULL, &a, NULL), OG_OK);
	assert_int_equal(pthread_create(&t, NULL, raise_later, &cancel), 0);
	start = og_now_ms();
	assert_int_equal(og_lock_take(scratch("x"), true, &cancel, &b, NULL), ONNXGATE_CANCELLED);
	assert_true(og_now_ms() - start < 5000);
	pthread_join(t, NULL);
	assert_null(b);
	og_lock_free(a);
}

static void test_lock__refuses_links_and_folders(void **state)
{
	og_lock *l = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(symlink("target", scratch("link")), 0);
	assert_int_equal(og_lock_take(scratch("link"), true, NULL, &l, &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "is a symbolic link"));
	assert_false(og_file_exists(scratch("target")));
	assert_int_equal(og_lock_take(scratch_dir, true, NULL, &l, &err), ONNXGATE_IO);
	assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
	assert_int_equal(og_lock_take(scratch("fifo"), true, NULL, &l, &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "is a FIFO"));
	assert_int_equal(og_lock_take(scratch("none/x"), true, NULL, &l, &err), ONNXGATE_IO);
	assert_null(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_lock__leaves_an_empty_file),
		SCRATCH_TEST(test_lock__exclusive_excludes_and_sharing_shares),
		SCRATCH_TEST(test_lock__waits_for_the_holder),
		SCRATCH_TEST(test_lock__a_file_removed_by_its_holder_does_not_count),
		SCRATCH_TEST(test_lock__nor_does_one_that_was_replaced),
		SCRATCH_TEST(test_lock__waiting_can_be_interrupted),
		SCRATCH_TEST(test_lock__refuses_links_and_folders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
