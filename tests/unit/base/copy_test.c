/* SPDX-License-Identifier: Apache-2.0
 *
 * og_copy_range of base/file.h, by the kernel and by the buffer. */
#include "scratch.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = (3 << 20) + 12345 };

static unsigned char *noise(void)
{
	unsigned char *p = og_alloc(SIZE);
	og_random r = { 3 };
	assert_non_null(p);
	for (size_t i = 0; i < SIZE; i++)
		p[i] = (unsigned char)og_random_next(&r);
	return p;
}

static int made(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(og_write_all(fd, p, n, path, NULL), OG_OK);
	return fd;
}

static void expect_at(int fd, uint64_t at, const unsigned char *want, size_t n)
{
	og_autofree unsigned char *got = og_alloc(n);
	assert_int_equal(pread(fd, got, n, (off_t)at), n);
	assert_memory_equal(got, want, n);
}

static void check_pair(int in, int out, const unsigned char *data)
{
	assert_int_equal(og_copy_range(in, 1000, out, 77, SIZE - 1000, "in", "out", NULL), OG_OK);
	expect_at(out, 77, data + 1000, SIZE - 1000);
	assert_int_equal(og_copy_range(in, 0, out, 0, 0, "in", "out", NULL), OG_OK);
	assert_int_equal(og_copy_range(in, 5, out, 10, 3, "in", "out", NULL), OG_OK);
	expect_at(out, 10, data + 5, 3);
	expect_at(out, 77, data + 1000, 100);
}

static void test_copy__in_the_kernel(void **state)
{
	og_autofree unsigned char *data = noise();
	int in = made(scratch("in"), data, SIZE), out = made(scratch("out"), "", 0);
	(void)state;
	check_pair(in, out, data);
	close(in);
	close(out);
}

static void test_copy__to_another_file_system(void **state)
{
	og_autofree unsigned char *data = noise();
	int in = made(scratch("in"), data, SIZE), out = memfd_create("out", MFD_CLOEXEC);
	(void)state;
	assert_true(out >= 0);
	check_pair(in, out, data); /* EXDEV, or done by a newer kernel: the bytes count */
	close(in);
	close(out);
}

static void test_copy__into_a_file_opened_for_appending(void **state)
{
	int in = made(scratch("in"), "0123456789", 10), out = open(scratch("out"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	(void)state;
	assert_int_equal(og_copy_range(in, 2, out, 0, 5, "in", "out", NULL), OG_OK); /* copy_file_range says EBADF */
	expect_at(out, 0, (const unsigned char *)"23456", 5);
	close(in);
	close(out);
}

static void test_copy__within_one_file(void **state)
{
	int fd = made(scratch("a"), "0123456789", 10);
	(void)state;
	assert_int_equal(og_copy_range(fd, 0, fd, 4, 6, "a", "a", NULL), OG_OK); /* overlapping: EINVAL in the kernel */
	expect_at(fd, 0, (const unsigned char *)"0123012345", 10);
	close(fd);
}

static void test_copy__from_a_file_without_a_size(void **state)
{
	int in = open("/proc/self/status", O_RDONLY | O_CLOEXEC), out = made(scratch("out"), "", 0);
	(void)state;
	assert_int_equal(og_copy_range(in, 0, out, 0, 5, "status", "out", NULL), OG_OK);
	expect_at(out, 0, (const unsigned char *)"Name:", 5);
	close(in);
	close(out);
}

static void test_copy__a_truncated_input_is_named(void **state)
{
	int in = made(scratch("in"), "0123456789", 10), out = made(scratch("out"), "", 0), other = memfd_create("other", MFD_CLOEXEC);
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_copy_range(in, 4, out, 0, 20, "in.bin", "out", &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "in.bin: truncated: ends at offset 10, 14 bytes before the end of the range that is copied");
	assert_true(err.offset == 10);
	assert_int_equal(og_copy_range(in, 50, other, 0, 1, "in.bin", "other", &err), ONNXGATE_FORMAT);
	close(in);
	close(out);
	close(other);
}

static void test_copy__a_full_disk_and_absurd_ranges(void **state)
{
	int in = made(scratch("in"), "0123456789", 10), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_copy_range(in, 0, full, 0, 10, "in", "out.bin", &err), ONNXGATE_IO);
	assert_string_equal(err.message, "write out.bin: No space left on device");
	assert_int_equal(og_copy_range(in, UINT64_MAX, full, 0, 10, "in", "out", &err), ONNXGATE_IO);
	assert_int_equal(og_copy_range(in, 0, full, (uint64_t)INT64_MAX - 5, 10, "in", "out", &err), ONNXGATE_IO);
	close(in);
	close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_copy__in_the_kernel),
		SCRATCH_TEST(test_copy__to_another_file_system),
		SCRATCH_TEST(test_copy__into_a_file_opened_for_appending),
		SCRATCH_TEST(test_copy__within_one_file),
		SCRATCH_TEST(test_copy__from_a_file_without_a_size),
		SCRATCH_TEST(test_copy__a_truncated_input_is_named),
		SCRATCH_TEST(test_copy__a_full_disk_and_absurd_ranges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
