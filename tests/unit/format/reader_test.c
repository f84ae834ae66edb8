/* SPDX-License-Identifier: Apache-2.0
 *
 * What is no checkpoint is named, whatever its file is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "format/format.h"

static void named(const char *bytes, size_t n, const char *what)
{
	og_auto(og_source) *s = NULL;
	og_reader *r = NULL;
	og_error err = { 0 };
	assert_int_equal(og_source_memory("model.safetensors", bytes, n, &s, NULL), OG_OK);
	assert_int_equal(og_reader_open(s, &r, &err), ONNXGATE_UNSUPPORTED);
	assert_null(r);
	if (!strstr(err.message, what) || strncmp(err.message, "model.safetensors: expected a safetensors file, found ", 54) != 0)
		fail_msg("expected \"%s\", found \"%s\"", what, err.message);
}
#define NAMED(bytes, what) named(bytes, sizeof(bytes) - 1, what)

static void test_reader__names_what_is_no_checkpoint(void **state)
{
	(void)state;
	NAMED("", "an empty file");
	NAMED("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "a git-LFS pointer");
	NAMED("<!DOCTYPE html><html><head>", "an HTML page");
	NAMED("\n  <HTML lang=en>", "an HTML page");
	NAMED("PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00", "a zip archive");
	NAMED("PK\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00", "a zip archive"); /* its first bytes could be a length */
	NAMED("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20", "a pickle");
	NAMED("\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00}", "a pickle");
	NAMED("GGUF\x03\x00\x00\x00\x7b\x00\x00\x00\x00\x00\x00\x00{", "a GGUF file"); /* 123 tensors: a '{' at the ninth byte */
	NAMED("\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file");
	NAMED("\x08\x08\x12\x07pytorch\x1a\x05""2.1.0", "an ONNX model");
	NAMED("\x93NUMPY\x01\x00v\x00{'descr'", "a NumPy array");
	NAMED("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "a gzip archive");
	NAMED("{\"metadata\": {\"total_size\": 12}, \"weight_map\": {}}", "JSON text");
	NAMED("{\"model\":{\"a\":1}}", "JSON text");
	NAMED("hello, world\n", "text");
	NAMED("\x84\xa6params\x81\xa4""bert", "msgpack");
	NAMED("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", "bytes of no known format, beginning with fffefdfcfbfaf9f8");
	NAMED("\x01", "bytes of no known format, beginning with 01");
}

static void test_reader__gives_a_hint(void **state)
{
	(void)state;
	og_auto(og_source) *s = NULL;
	og_reader *r = NULL;
	og_error err = { 0 };
	assert_int_equal(og_source_memory("x.bin", "PK\x03\x04\x00\x00\x08\x08", 8, &s, NULL), OG_OK);
	assert_int_equal(og_reader_open(s, &r, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.hint, "safe_serialization=True"));
}

static void test_reader__keeps_the_source_only_on_success(void **state)
{
	(void)state;
	og_source *s = NULL;
	og_reader *r = NULL;
	assert_int_equal(og_source_memory("x", "\x02\0\0\0\0\0\0\0{]", 10, &s, NULL), OG_OK);
	assert_int_equal(og_reader_open(s, &r, NULL), ONNXGATE_FORMAT);
	og_source_free(s); /* ours still: a double free would show under the sanitizer */
	assert_int_equal(og_source_memory("x", "\x02\0\0\0\0\0\0\0{}", 10, &s, NULL), OG_OK);
	assert_int_equal(og_reader_open(s, &r, NULL), OG_OK);
	og_reader_free(r);
	og_reader_free(NULL);
}

static void test_reader__shows_dims(void **state)
{
	(void)state;
	static const int64_t dims[] = { 2, 3, 1099511627776 };
	char out[40], tiny[6];
	assert_string_equal(og_dims_show(dims, 3, out, sizeof(out)), "[2, 3, 1099511627776]");
	assert_string_equal(og_dims_show(dims, 0, out, sizeof(out)), "[]");
	assert_string_equal(og_dims_show(dims, 3, tiny, sizeof(tiny)), "[2, 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader__names_what_is_no_checkpoint),
		cmocka_unit_test(test_reader__gives_a_hint),
		cmocka_unit_test(test_reader__keeps_the_source_only_on_success),
		cmocka_unit_test(test_reader__shows_dims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
