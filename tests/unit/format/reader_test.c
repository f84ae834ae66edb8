/* SPDX-License-Identifier: Apache-2.0
 *
 * What is no checkpoint is named, whatever its file is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "format/format.h"

#define EXPECTED "model.bin: expected weights (safetensors, or what PyTorch saves), found "

static void named(const char *bytes, size_t n, const char *what)
{
	og_auto(og_source) *s = NULL;
	og_reader *r = NULL;
	og_error err = { 0 };
	assert_int_equal(og_source_memory("model.bin", bytes, n, &s, NULL), OG_OK);
	og_status st = og_reader_open(s, &r, &err);
	assert_null(r);
	if (st != ONNXGATE_UNSUPPORTED || !strstr(err.message, what) || strncmp(err.message, EXPECTED, sizeof(EXPECTED) - 1) != 0 || !err.hint[0])
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
	NAMED("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00", "an empty zip archive");
	NAMED("\x80\x02}q\x00.", "a pickle (a dict)");
	NAMED("(lp0\nI1\na.", "a pickle (a list)"); /* protocol 0 is text */
	NAMED("\x1c\x00\x00\x00TFL3\x00\x00\x00\x00", "a TFLite model");
	NAMED("\x08\x05\x12\x10\x0a\x0e\x0a\x05input\x1a\x05", "a Core ML model");
	NAMED("\x08\x01\x12\x07\x0a\x05\x0a\x03""abc", "a TensorFlow SavedModel");
	NAMED("<?xml version=\"1.0\"?><net name=\"m\">", "XML text (OpenVINO");
	NAMED("lmgg\x01\x00\x00\x00", "a GGML file");
	NAMED("\xfd" "7zXZ\x00\x00\x04", "an xz archive");
	NAMED("7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive");
	NAMED("\xde\x00\x10\xa6params", "msgpack");
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
	assert_int_equal(og_source_memory("x.bin", "\x80\x02}.", 4, &s, NULL), OG_OK);
	assert_int_equal(og_reader_open(s, &r, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.hint, "safe_serialization=True"));
}

static void unsafe(const char *bytes, size_t n, const char *global, const char *hint)
{
	og_auto(og_source) *s = NULL;
	og_reader *r = NULL;
	og_error err = { 0 };
	assert_int_equal(og_source_memory("x.bin", bytes, n, &s, NULL), OG_OK);
	og_status st = og_reader_open(s, &r, &err);
	if (st != ONNXGATE_UNSAFE || !strstr(err.message, global) || !strstr(err.hint, hint))
		fail_msg("expected UNSAFE with \"%s\" and \"%s\", found %d, \"%s\", \"%s\"", global, hint, st, err.message, err.hint);
}
#define UNSAFE(bytes, global, hint) unsafe(bytes, sizeof(bytes) - 1, global, hint)

static void test_reader__a_bare_pickle_is_unsafe_by_what_it_names(void **state)
{
	(void)state;
	UNSAFE("cos\nsystem\n(S'id'\ntR.", "os system", "no such thing");
	UNSAFE("\x80\x04\x8c\x02os\x8c\x06system\x93.", "os system", "no such thing");
	UNSAFE("\x80\x02""ctransformers.training_args\nTrainingArguments\n)\x81.", "TrainingArguments", "training_args.bin");
	UNSAFE("\x80\x02""csklearn.linear_model\nRidge\n)\x81.", "sklearn.linear_model Ridge", "skl2onnx");
	NAMED("changes of the model\nand of its weights\n", "text"); /* 'c' names a global in a pickle */
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
		cmocka_unit_test(test_reader__a_bare_pickle_is_unsafe_by_what_it_names),
		cmocka_unit_test(test_reader__keeps_the_source_only_on_success),
		cmocka_unit_test(test_reader__shows_dims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
