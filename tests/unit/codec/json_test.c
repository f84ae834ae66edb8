/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole documents: what Python writes is read, what two readers could read differently is not. */
#include "codec/json.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"

static og_json *parse(const char *text)
{
	og_json *j = NULL;
	og_error err = { 0 };
	if (og_json_parse("config.json", text, strlen(text), &j, &err) != OG_OK)
		fail_msg("%s: %s", text, err.message);
	return j;
}

static void refuse(const char *text, size_t n, uint64_t offset, const char *message)
{
	og_json *j = NULL;
	og_error err = { 0 };
	assert_int_equal(og_json_parse("config.json", text, n, &j, &err), ONNXGATE_FORMAT);
	assert_null(j);
	if (!strstr(err.message, message))
		fail_msg("expected \"%s\" in \"%s\"", message, err.message);
	assert_int_equal(err.offset, offset);
}

static void test_json__typed_members(void **state)
{
	(void)state;
	og_auto(og_json) *j = parse("{\"s\": \"x\", \"i\": -5, \"f\": 1e-12, \"b\": true, \"n\": null, \"o\": {\"k\": [1]}, \"big\": 18446744073709551615}");
	assert_string_equal(og_json_str(j, "s", "no"), "x");
	assert_string_equal(og_json_str(j, "i", "no"), "no");
	assert_string_equal(og_json_str(j, "n", "no"), "no");
	assert_int_equal(og_json_i64(j, "i", 9), -5);
	assert_int_equal(og_json_i64(j, "f", 9), 9);
	assert_int_equal(og_json_i64(j, "absent", 9), 9);
	assert_int_equal(og_json_i64(j, "big", 9), INT64_MAX);
	assert_true(og_json_f64(j, "f", 9) == 1e-12 && og_json_f64(j, "i", 9) == -5 && og_json_f64(j, "s", 9) == 9);
	assert_true(og_json_bool(j, "b", false) && og_json_bool(j, "i", true) && !og_json_bool(j, "i", false));
	assert_int_equal(json_object_array_length(og_json_get(og_json_get(j, "o"), "k")), 1);
	assert_null(og_json_get(j, "n"));
	assert_null(og_json_get(NULL, "n"));
	assert_null(og_json_get(og_json_get(j, "s"), "n"));
}

static void test_json__what_python_writes(void **state)
{
	(void)state;
	og_auto(og_json) *j = parse("{\"a\": NaN, \"b\": Infinity, \"c\": -Infinity, \"d\": 1000000000000000019884624838656,"
								" \"e\": 1e400, \"f\": -1e400, \"g\": -0.0, \"h\": 1e-400}");
	assert_true(isnan(og_json_f64(j, "a", 0)));
	assert_true(og_json_f64(j, "b", 0) == (double)INFINITY && og_json_f64(j, "c", 0) == -(double)INFINITY);
	assert_true(og_json_f64(j, "d", 0) == 1e30);
	assert_int_equal(og_json_i64(j, "d", -1), -1); /* it is no 64-bit integer, and is not passed off as one */
	assert_true(og_json_f64(j, "e", 0) == (double)INFINITY && og_json_f64(j, "f", 0) == -(double)INFINITY);
	assert_true(og_json_f64(j, "h", 1) == 0);
	og_autofree char *text = og_json_text(j, false);
	assert_non_null(strstr(text, "1000000000000000019884624838656"));
}

static void test_json__duplicate_keys_are_refused(void **state)
{
	(void)state;
	const char *text = "{\"a\": {\"x\": 1}, \"b\": [{\"x\": 1, \"y\": 2, \"x\": 3}]}";
	refuse(text, strlen(text), 39, "config.json: key \"x\" is given a second time at offset 39");
	text = "{\"a\": 1, \"\\u0061\": 2}"; /* the same key, spelled with an escape */
	refuse(text, strlen(text), 9, "key \"a\" is given a second time");
	og_auto(og_json) *j = parse("[{\"x\": 1}, {\"x\": 2}, {\"X\": 1, \"x\": null}]");
	assert_int_equal(json_object_array_length(j), 3);
}

static void test_json__null_counts_as_given(void **state)
{
	(void)state;
	const char *text = "{\"a\": null, \"a\": 2}";
	refuse(text, strlen(text), 12, "second time");
}

static void test_json__faults_carry_their_offset(void **state)
{
	(void)state;
	refuse("", 0, 0, "expected a value, found the end at offset 0");
	refuse("{} x", 4, 3, "expected the end of the document, found 'x' at offset 3");
	refuse("{}\0", 3, 2, "found byte 0x00 at offset 2");
	refuse("{\"a\": 'b'}", 10, 6, "expected a value, found '''");
	refuse("[\"\xff\"]", 5, 1, "not valid UTF-8 at offset 1");
	refuse("{\"a\\u0000\": 1}", 14, 1, "zero character");
	refuse("[1, /* no */ 2]", 15, 4, "expected a value, found '/'");
	refuse("[1,]", 4, 3, "found ']'");
	refuse("nan", 3, 0, "expected a value, found \"nan\"");
}

static void test_json__depth(void **state)
{
	(void)state;
	char text[2 * OG_JSON_DEPTH_MAX + 3];
	memset(text, '[', OG_JSON_DEPTH_MAX);
	memset(text + OG_JSON_DEPTH_MAX, ']', OG_JSON_DEPTH_MAX);
	text[2 * OG_JSON_DEPTH_MAX] = 0;
	og_auto(og_json) *j = parse(text);
	assert_non_null(j);
	memset(text, '[', OG_JSON_DEPTH_MAX + 1);
	refuse(text, OG_JSON_DEPTH_MAX + 1, OG_JSON_DEPTH_MAX, "nested deeper than 64");
}

static void test_json__reads_files_up_to_a_ceiling(void **state)
{
	(void)state;
	char path[64];
	og_json *j = NULL;
	og_error err = { 0 };
	snprintf(path, sizeof(path), "/tmp/og_json_%d.json", (int)getpid());
	assert_int_equal(og_file_write(path, "{\"a\": 12}", 9, NULL), OG_OK);
	assert_int_equal(og_json_read(path, 9, &j, NULL), OG_OK);
	assert_int_equal(og_json_i64(j, "a", 0), 12);
	og_json_free(j);
	j = NULL;
	assert_int_equal(og_json_read(path, 8, &j, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, path));
	unlink(path);
	assert_int_equal(og_json_read(path, 9, &j, &err), ONNXGATE_NOT_FOUND);
	assert_null(j);
}

static void test_json__builds_documents(void **state)
{
	(void)state;
	og_auto(og_json) *j = json_object_new_object();
	og_json_set_str(j, "s", "a/b\n");
	og_json_set_str(j, "none", NULL);
	og_json_set_str(j, "bytes", "x\xff");
	og_json_set_i64(j, "i", INT64_MIN);
	og_json_set_f64(j, "f", 0.1);
	og_json_set_f64(j, "third", 1.0 / 3);
	og_json_set_f64(j, "two", 2);
	og_json_set_f64(j, "nan", (double)NAN);
	og_json_set_bool(j, "b", true);
	og_json_set(j, "o", json_object_new_array());
	og_autofree char *text = og_json_text(j, false);
	assert_string_equal(text, "{\"s\":\"a/b\\n\",\"none\":null,\"bytes\":\"x\\\\xff\","
							  "\"i\":-9223372036854775808,\"f\":0.1,\"third\":0.3333333333333333,\"two\":2.0,\"nan\":null,\"b\":true,\"o\":[]}");
	og_auto(og_json) *back = parse(text);
	assert_true(og_json_f64(back, "third", 0) == 1.0 / 3);
	og_autofree char *pretty = og_json_text(j, true);
	assert_non_null(strchr(pretty, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__typed_members),
		cmocka_unit_test(test_json__what_python_writes),
		cmocka_unit_test(test_json__duplicate_keys_are_refused),
		cmocka_unit_test(test_json__null_counts_as_given),
		cmocka_unit_test(test_json__faults_carry_their_offset),
		cmocka_unit_test(test_json__depth),
		cmocka_unit_test(test_json__reads_files_up_to_a_ceiling),
		cmocka_unit_test(test_json__builds_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
