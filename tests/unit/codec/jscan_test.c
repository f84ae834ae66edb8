/* SPDX-License-Identifier: Apache-2.0
 *
 * The pull scanner: tokens, the edges of its window, and every way in which JSON can be wrong. */
#include "codec/jscan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"

static og_jscan *open_text(const char *text, size_t n, bool python, og_source **s)
{
	og_jscan *j = NULL;
	if (s) {
		assert_int_equal(og_source_memory("test", text, n, s, NULL), OG_OK);
		assert_int_equal(og_jscan_open(*s, 0, n, 1000, 8, &j, NULL), OG_OK);
	} else {
		assert_int_equal(og_jscan_open_memory("test", text, n, 1000, 8, python, &j, NULL), OG_OK);
	}
	return j;
}

/* All tokens as a line: K(a) S(b) N(1) { } [ ] t f n, '.' at the end, '!' for a fault. */
static void tokens(og_jscan *j, char *out, size_t cap)
{
	static const char marks[] = { [OG_J_ERROR] = '!', [OG_J_END] = '.', [OG_J_OBJECT] = '{', [OG_J_OBJECT_END] = '}', [OG_J_ARRAY] = '[',
		[OG_J_ARRAY_END] = ']', [OG_J_KEY] = 'K', [OG_J_STRING] = 'S', [OG_J_NUMBER] = 'N', [OG_J_TRUE] = 't', [OG_J_FALSE] = 'f', [OG_J_NULL] = 'n' };
	size_t n = 0;
	for (og_jtoken t = OG_J_NULL; t != OG_J_END && t != OG_J_ERROR;) {
		t = og_jscan_next(j);
		n += (size_t)snprintf(out + n, cap - n, "%c", marks[t]);
		if (t == OG_J_KEY || t == OG_J_STRING || t == OG_J_NUMBER)
			n += (size_t)snprintf(out + n, cap - n, "(%.*s)", OG_STR_ARG(og_jscan_text(j)));
		assert_true(n < cap);
	}
}

static void check(const char *text, const char *expected)
{
	char found[400];
	for (int memory = 0; memory < 2; memory++) {
		og_source *s = NULL;
		og_jscan *j = open_text(text, strlen(text), false, memory ? NULL : &s);
		tokens(j, found, sizeof(found));
		assert_string_equal(found, expected);
		assert_int_equal(og_jscan_check(j, NULL), strchr(expected, '!') ? ONNXGATE_FORMAT : OG_OK);
		if (strchr(expected, '!'))
			assert_int_equal(og_jscan_next(j), OG_J_ERROR);
		og_jscan_free(j);
		og_source_free(s);
	}
}

static void test_jscan__tokens(void **state)
{
	(void)state;
	check("{}", "{}.");
	check(" [ ] \n", "[].");
	check("{\"a\": [1, -2.5e+3, true,false , null, \"x\"], \"b\":{\"c\":{}}}", "{K(a)[N(1)N(-2.5e+3)tfnS(x)]K(b){K(c){}}}.");
	check("0", "N(0).");
	check("\"\"", "S().");
	check("-0.0E-1", "N(-0.0E-1).");
}

static void test_jscan__escapes(void **state)
{
	(void)state;
	check("\"\\\"\\\\\\/\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\"", "S(\"\\/\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z).");
	check("\"\\ud83d\"", "!");
	check("\"\\ud83d\\u0041\"", "!");
	check("\"\\ude00\"", "!");
	check("\"\\u12g4\"", "!");
	check("\"\\x\"", "!");
	check("\"\\", "!");
}

static void test_jscan__faults(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ", "{", "[", "}", "]", "{]", "[}", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{,}", "{1:2}",
		"{\"a\":1 \"b\":2}", "{} {}", "{}x", "tru", "True", "nulls", "01", "-", "1.", ".5", "1e", "1e+", "+1", "0x10", "1_0", "--1",
		"NaN", "Infinity", "-Infinity", "'a'", "\"a", "\"a\nb\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf5\x80\x80\x80\"", "/* c */ 1", "// c\n1", "[1]//", "\xef\xbb\xbf{}", "{\"a\":1}\x01",
	};
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		char found[100];
		og_error err = { 0 };
		og_jscan *j = open_text(bad[i], strlen(bad[i]), false, NULL);
		tokens(j, found, sizeof(found));
		if (found[strlen(found) - 1] != '!')
			fail_msg("%s was taken: %s", bad[i], found);
		assert_int_equal(og_jscan_check(j, &err), ONNXGATE_FORMAT);
		assert_true(err.offset <= strlen(bad[i]));
		assert_int_equal(strncmp(err.message, "test: ", 6), 0);
		assert_null(strchr(err.message, '\n'));
		og_jscan_free(j);
	}
}

static void test_jscan__a_zero_byte_does_not_end_the_text(void **state)
{
	(void)state;
	char found[64];
	og_jscan *j = open_text("{}\0", 3, false, NULL);
	tokens(j, found, sizeof(found));
	assert_string_equal(found, "{}!");
	og_jscan_free(j);
	j = open_text("\"a\\u0000b\"", 10, false, NULL);
	assert_int_equal(og_jscan_next(j), OG_J_STRING);
	assert_int_equal(og_jscan_text(j).n, 3);
	og_jscan_free(j);
}

static void test_jscan__the_message_says_what_and_where(void **state)
{
	(void)state;
	og_error err = { 0 };
	char found[64];
	og_jscan *j = open_text("{\"a\":1;", 7, false, NULL);
	tokens(j, found, sizeof(found));
	assert_int_equal(og_jscan_check(j, &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "test: expected ',' or '}', found ';' at offset 6");
	assert_int_equal(err.offset, 6);
	og_jscan_free(j);
}

static void test_jscan__what_python_writes(void **state)
{
	(void)state;
	char found[200];
	const char *text = "[NaN, Infinity, -Infinity, 123456789012345678901234567890]";
	og_jscan *j = open_text(text, strlen(text), true, NULL);
	tokens(j, found, sizeof(found));
	assert_string_equal(found, "[N(NaN)N(Infinity)N(-Infinity)N(123456789012345678901234567890)].");
	og_jscan_free(j);
	static const char *const bad[] = { "nan", "-NaN", "inf", "+Infinity", "Infinity1", "NaN0" };
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		j = open_text(bad[i], strlen(bad[i]), true, NULL);
		assert_int_equal(og_jscan_next(j), OG_J_ERROR);
		og_jscan_free(j);
	}
}

static void test_jscan__depth_and_length_have_ceilings(void **state)
{
	(void)state;
	check("[[[[[[[[1]]]]]]]]", "[[[[[[[[N(1)]]]]]]]].");
	check("[[[[[[[[[1]]]]]]]]]", "[[[[[[[[!");
	char text[1400];
	for (size_t n = 999; n <= 1001; n++) { /* the ceiling is 1000, with and without an escape */
		for (int escaped = 0; escaped < 2; escaped++) {
			size_t k = 0;
			text[k++] = '"';
			if (escaped)
				text[k++] = '\\', text[k++] = 'n';
			memset(text + k, 'x', n - (size_t)escaped);
			k += n - (size_t)escaped;
			text[k++] = '"';
			og_jscan *j = open_text(text, k, false, NULL);
			assert_int_equal(og_jscan_next(j), n <= 1000 ? OG_J_STRING : OG_J_ERROR);
			og_jscan_free(j);
		}
	}
}

static void test_jscan__tokens_across_the_edge_of_the_window(void **state)
{
	(void)state;
	static const char tail[] = "{\"k\\u20ac\xe2\x82\xac\":[-12.5e3,true,\"ab\"]}";
	const size_t window = (size_t)64 << 10, total = window + sizeof(tail);
	og_autofree char *text = og_alloc(total + 1);
	char found[200];
	for (size_t cut = 0; cut < sizeof(tail); cut++) { /* the window ends `cut` bytes into the tail */
		size_t lead = window - cut;
		og_source *s = NULL;
		memset(text, ' ', lead);
		memcpy(text + lead, tail, sizeof(tail) - 1);
		og_jscan *j = open_text(text, lead + sizeof(tail) - 1, false, &s);
		tokens(j, found, sizeof(found));
		assert_string_equal(found, "{K(k\xe2\x82\xac\xe2\x82\xac)[N(-12.5e3)tS(ab)]}.");
		og_jscan_free(j);
		og_source_free(s);
	}
}

static void test_jscan__offsets_count_from_the_file(void **state)
{
	(void)state;
	og_auto(og_source) *s = NULL;
	og_auto(og_jscan) *j = NULL;
	og_error err = { 0 };
	assert_int_equal(og_source_memory("f", "12345678 {\"a\": 1}", 17, &s, NULL), OG_OK);
	assert_int_equal(og_jscan_open(s, 8, 9, 10, 2, &j, NULL), OG_OK);
	assert_int_equal(og_jscan_next(j), OG_J_OBJECT);
	assert_int_equal(og_jscan_at(j), 9);
	assert_int_equal(og_jscan_next(j), OG_J_KEY);
	assert_int_equal(og_jscan_at(j), 10);
	assert_int_equal(og_jscan_next(j), OG_J_NUMBER);
	assert_int_equal(og_jscan_at(j), 15);
	og_jscan *none = NULL;
	assert_int_equal(og_jscan_open(s, 10, 8, 10, 2, &none, &err), ONNXGATE_FORMAT);
	assert_int_equal(og_jscan_open(s, 18, 0, 10, 2, &none, &err), ONNXGATE_FORMAT);
	assert_null(none);
}

static void test_jscan__skips_whole_values(void **state)
{
	(void)state;
	const char *text = "{\"a\":{\"x\":[1,{\"y\":2}]},\"b\":[[]],\"c\":3}";
	og_jscan *j = open_text(text, strlen(text), false, NULL);
	assert_int_equal(og_jscan_next(j), OG_J_OBJECT);
	for (char c = 'a'; c <= 'c'; c++) {
		assert_int_equal(og_jscan_next(j), OG_J_KEY);
		assert_int_equal(og_jscan_text(j).p[0], c);
		assert_true(og_jscan_skip(j, og_jscan_next(j)));
	}
	assert_int_equal(og_jscan_next(j), OG_J_OBJECT_END);
	assert_int_equal(og_jscan_next(j), OG_J_END);
	og_jscan_free(j);
	j = open_text("[[1,2", 5, false, NULL);
	assert_false(og_jscan_skip(j, og_jscan_next(j)));
	og_jscan_free(j);
}

static og_status broken_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	(void)s, (void)buf, (void)n;
	return og_fail_at(err, ONNXGATE_IO, offset, "test: the disk is gone");
}

static void test_jscan__a_read_error_keeps_its_status(void **state)
{
	(void)state;
	static const og_source_ops ops = { broken_read, NULL };
	char name[] = "broken";
	og_source s = { &ops, 100, -1, name };
	og_auto(og_jscan) *j = NULL;
	og_error err = { 0 };
	assert_int_equal(og_jscan_open(&s, 0, 100, 10, 2, &j, NULL), OG_OK);
	assert_int_equal(og_jscan_next(j), OG_J_ERROR);
	assert_int_equal(og_jscan_check(j, &err), ONNXGATE_IO);
	assert_string_equal(err.message, "test: the disk is gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jscan__tokens),
		cmocka_unit_test(test_jscan__escapes),
		cmocka_unit_test(test_jscan__faults),
		cmocka_unit_test(test_jscan__a_zero_byte_does_not_end_the_text),
		cmocka_unit_test(test_jscan__the_message_says_what_and_where),
		cmocka_unit_test(test_jscan__what_python_writes),
		cmocka_unit_test(test_jscan__depth_and_length_have_ceilings),
		cmocka_unit_test(test_jscan__tokens_across_the_edge_of_the_window),
		cmocka_unit_test(test_jscan__offsets_count_from_the_file),
		cmocka_unit_test(test_jscan__skips_whole_values),
		cmocka_unit_test(test_jscan__a_read_error_keeps_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
