/* SPDX-License-Identifier: Apache-2.0
 *
 * base/file.h: looking, reading, writing whole files, making folders. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void test_file__exists_follows_links(void **state)
{
	(void)state;
	scratch_write(scratch("a"), "x");
	assert_int_equal(symlink("a", scratch("good")), 0);
	assert_int_equal(symlink("nothing", scratch("dangling")), 0);
	assert_true(og_file_exists(scratch("a")));
	assert_true(og_file_exists(scratch("good")));
	assert_false(og_file_exists(scratch("dangling")));
	assert_true(og_file_exists(scratch_dir));
	assert_true(og_dir_exists(scratch_dir));
	assert_false(og_dir_exists(scratch("a")));
}

static void test_file__size(void **state)
{
	uint64_t n = 0;
	og_error err = { 0 };
	(void)state;
	scratch_write(scratch("a"), "12345");
	assert_int_equal(og_file_size(scratch("a"), &n, &err), OG_OK);
	assert_int_equal(n, 5);
	assert_int_equal(og_file_size(scratch("b"), &n, &err), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_file_size(scratch("a/b"), &n, &err), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_file_size(scratch_dir, &n, &err), ONNXGATE_FORMAT);
	assert_int_equal(n, 5);
}

static void test_file__read_has_a_ceiling(void **state)
{
	og_auto_buf b;
	og_error err = { 0 };
	char want[700];
	(void)state;
	scratch_write(scratch("a"), "0123456789");
	og_buf_init(&b, 100);
	og_buf_str(&b, ">");
	assert_int_equal(og_file_read(scratch("a"), 10, &b, &err), OG_OK);
	assert_string_equal(og_buf_cstr(&b), ">0123456789");
	assert_int_equal(og_file_read(scratch("a"), 9, &b, &err), ONNXGATE_FORMAT);
	snprintf(want, sizeof want, "%s: 10 bytes, more than the limit of 9", scratch("a"));
	assert_string_equal(err.message, want);
	og_buf_done(&b);
	og_buf_init(&b, 5); /* the buffer's own ceiling counts too */
	assert_int_equal(og_file_read(scratch("a"), 100, &b, &err), ONNXGATE_FORMAT);
	og_buf_done(&b);
	og_buf_init(&b, 100);
	assert_int_equal(og_file_read("/proc/self/status", 64, &b, &err), ONNXGATE_FORMAT); /* stat says 0 bytes */
}

static void test_file__refuses_what_is_no_regular_file(void **state)
{
	og_auto_buf b;
	og_error err = { 0 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)state;
	og_buf_init(&b, 100);
	assert_int_equal(og_file_read(scratch_dir, 100, &b, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, ": is a folder, expected a regular file"));
	assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
	assert_int_equal(og_file_read(scratch("fifo"), 100, &b, &err), ONNXGATE_FORMAT); /* and does not wait for a writer */
	assert_non_null(strstr(err.message, "is a FIFO"));
	assert_int_equal(og_file_read("/dev/zero", 100, &b, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "is a device"));
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/sock", scratch_dir);
	assert_int_equal(bind(s, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(og_file_read(addr.sun_path, 100, &b, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "is a socket"));
	close(s);
	assert_int_equal(og_file_read(scratch("none"), 100, &b, &err), ONNXGATE_NOT_FOUND);
}

static void test_file__write_replaces_and_leaves_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(og_file_write(scratch("a"), "one", 3, NULL), OG_OK);
	assert_int_equal(og_file_write(scratch("a"), "two", 3, NULL), OG_OK);
	assert_int_equal(og_file_write(scratch("empty"), NULL, 0, NULL), OG_OK);
	scratch_expect(scratch("a"), "two");
	scratch_expect(scratch("empty"), "");
	assert_int_equal(scratch_count(scratch_dir), 2);
}

static void test_file__write_fails_by_name(void **state)
{
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_file_write(scratch("none/a"), "x", 1, &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "No such file or directory"));
	assert_int_equal(og_file_write(scratch("dir/"), "x", 1, &err), ONNXGATE_INVALID);
	assert_int_equal(mkdir(scratch("d"), 0777), 0);
	assert_int_equal(og_file_write(scratch("d"), "x", 1, &err), ONNXGATE_IO); /* cannot be renamed over a folder */
	assert_int_equal(scratch_count(scratch_dir), 1);
}

static void test_file__copy(void **state)
{
	og_error err = { 0 };
	(void)state;
	scratch_write(scratch("a"), "content");
	assert_int_equal(og_file_copy(scratch("a"), scratch("b"), NULL), OG_OK);
	scratch_expect(scratch("b"), "content");
	assert_int_equal(og_file_copy(scratch("a"), scratch("a"), NULL), OG_OK);
	scratch_expect(scratch("a"), "content");
	assert_int_equal(og_file_copy(scratch("none"), scratch("c"), &err), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_file_copy(scratch_dir, scratch("c"), &err), ONNXGATE_FORMAT);
	assert_int_equal(scratch_count(scratch_dir), 2);
}

static void test_file__mkdirs(void **state)
{
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_mkdirs(scratch("a/b//c/"), &err), OG_OK);
	assert_true(og_dir_exists(scratch("a/b/c")));
	assert_int_equal(og_mkdirs(scratch("a/b/c"), &err), OG_OK);
	assert_int_equal(og_mkdirs("/", &err), OG_OK);
	assert_int_equal(og_mkdirs("", &err), ONNXGATE_INVALID);
	scratch_write(scratch("file"), "x");
	assert_int_equal(og_mkdirs(scratch("file"), &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "something else of that name is there"));
	assert_int_equal(og_mkdirs(scratch("file/x"), &err), ONNXGATE_IO);
}

static void test_file__write_all_reports_a_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	og_error err = { 0 };
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(og_write_all(fd, "x", 1, "model.onnx", &err), ONNXGATE_IO);
	assert_string_equal(err.message, "write model.onnx: No space left on device");
	assert_true(err.hint[0]);
	assert_int_equal(og_pwrite_all(fd, "x", 1, 5, "model.onnx", &err), ONNXGATE_IO);
	assert_int_equal(og_pwrite_all(fd, "x", 1, UINT64_MAX, "model.onnx", &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "File too large"));
	close(fd);
}

static void test_file__pwrite_all_writes_at_the_place(void **state)
{
	int fd = open(scratch("a"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	(void)state;
	assert_int_equal(og_pwrite_all(fd, "world", 5, 6, "a", NULL), OG_OK);
	assert_int_equal(og_pwrite_all(fd, "hello ", 6, 0, "a", NULL), OG_OK);
	close(fd);
	scratch_expect(scratch("a"), "hello world");
}

static void test_file__fsync_dir(void **state)
{
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_fsync_dir(scratch_dir, &err), OG_OK);
	assert_int_equal(og_fsync_dir(scratch("none"), &err), ONNXGATE_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_file__exists_follows_links),
		SCRATCH_TEST(test_file__size),
		SCRATCH_TEST(test_file__read_has_a_ceiling),
		SCRATCH_TEST(test_file__refuses_what_is_no_regular_file),
		SCRATCH_TEST(test_file__write_replaces_and_leaves_nothing_else),
		SCRATCH_TEST(test_file__write_fails_by_name),
		SCRATCH_TEST(test_file__copy),
		SCRATCH_TEST(test_file__mkdirs),
		SCRATCH_TEST(test_file__write_all_reports_a_full_disk),
		SCRATCH_TEST(test_file__pwrite_all_writes_at_the_place),
		SCRATCH_TEST(test_file__fsync_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
