/* SPDX-License-Identifier: Apache-2.0
 *
 * base/str.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/str.h"

#include <float.h>
#include <fnmatch.h>

static void test_str__views_compare_bytewise(void **state)
{
	og_str none = { NULL, 0 };
	(void)state;
	assert_true(og_str_eq(OG_STR("abc"), og_str_of("abc")));
	assert_false(og_str_eq(OG_STR("abc"), OG_STR("abcd")));
	assert_true(og_str_eq(none, OG_STR("")));
	assert_true(og_str_is(OG_STR("abc"), "abc"));
	assert_false(og_str_is(OG_STR("ab\0c"), "ab"));
	assert_true(og_str_cmp(OG_STR("a"), OG_STR("b")) < 0);
	assert_true(og_str_cmp(OG_STR("ab"), OG_STR("a")) > 0);
	assert_true(og_str_cmp(OG_STR("\xff"), OG_STR("a")) > 0);
	assert_int_equal(og_str_cmp(none, OG_STR("")), 0);
}

static void test_str__equality_knows_null(void **state)
{
	(void)state;
	assert_true(og_streq(NULL, NULL));
	assert_false(og_streq("", NULL));
	assert_true(og_streq("a", "a"));
	assert_true(og_starts_with("model.onnx", "model"));
	assert_false(og_starts_with("mod", "model"));
	assert_true(og_ends_with("model.onnx", ".onnx"));
	assert_true(og_ends_with("x", ""));
	assert_false(og_ends_with("onnx", ".onnx"));
}

static void test_str__glob_examples(void **state)
{
	(void)state;
	assert_true(og_glob("*.position_ids", "bert.embeddings.position_ids"));
	assert_true(og_glob("cls.*", "cls.seq_relationship.weight"));
	assert_false(og_glob("cls.*", "bert.cls.x"));
	assert_true(og_glob("*", ""));
	assert_true(og_glob("", ""));
	assert_false(og_glob("", "a"));
	assert_false(og_glob("?", ""));
	assert_true(og_glob("a[0-9]c", "a7c"));
	assert_false(og_glob("a[!0-9]c", "a7c"));
	assert_true(og_glob("[]x]", "]"));
	assert_true(og_glob("[", "["));
	assert_true(og_glob("\\*", "*"));
	assert_false(og_glob("\\*", "x"));
	assert_true(og_glob("a*b*c", "a/x/b.y/c"));
}

static void test_str__glob_agrees_with_fnmatch(void **state)
{
	static const char *const pieces[] = { "a", "b", "*", "*", "?", "[ab]", "[!a]", "[a-c]", "[^-b]", "[]b]", "[a-]", "[\\]]", "\\*", "\\[", "-", "]" };
	static const char out[] = "abc]-^[*";
	og_random r = { 7 };
	int matched = 0;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		char p[64] = "", s[9];
		size_t n = og_random_below(&r, 7), k = og_random_below(&r, 7);
		for (size_t j = 0; j < n; j++)
			strcat(p, pieces[og_random_below(&r, sizeof pieces / sizeof *pieces)]);
		for (size_t j = 0; j < k; j++)
			s[j] = out[og_random_below(&r, sizeof out - 1)];
		s[k] = 0;
		if (og_glob(p, s) != !fnmatch(p, s, 0))
			fail_msg("pattern %s, text %s: ours %d", p, s, og_glob(p, s));
		matched += og_glob(p, s);
	}
	assert_true(matched > 5000);
}

static void test_str__glob_is_not_exponential(void **state)
{
	char s[4096];
	(void)state;
	memset(s, 'a', sizeof s - 1);
	s[sizeof s - 1] = 0;
	assert_false(og_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", s)); /* hangs if every star is retried */
}

static void test_str__integers_are_strict(void **state)
{
	uint64_t u = 5;
	int64_t i = 5;
	const char *bad[] = { "", " 1", "1 ", "+1", "0x1", "1.0", "1e3", "--1", "-", "18446744073709551616", "99999999999999999999999", "١" };
	(void)state;
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		assert_false(og_parse_u64(og_str_of(bad[k]), UINT64_MAX, &u));
		assert_false(og_parse_i64(og_str_of(bad[k]), &i));
	}
	assert_int_equal(u, 5);
	assert_int_equal(i, 5);
	assert_false(og_parse_u64(OG_STR("1\0"), UINT64_MAX, &u));
	assert_false(og_parse_u64(OG_STR("-1"), UINT64_MAX, &u));
	assert_true(og_parse_u64(OG_STR("18446744073709551615"), UINT64_MAX, &u));
	assert_true(u == UINT64_MAX);
	assert_true(og_parse_u64(OG_STR("100"), 100, &u));
	assert_false(og_parse_u64(OG_STR("101"), 100, &u));
	assert_true(og_parse_i64(OG_STR("-9223372036854775808"), &i));
	assert_true(i == INT64_MIN);
	assert_false(og_parse_i64(OG_STR("-9223372036854775809"), &i));
	assert_true(og_parse_i64(OG_STR("9223372036854775807"), &i));
	assert_true(i == INT64_MAX);
	assert_false(og_parse_i64(OG_STR("9223372036854775808"), &i));
	assert_true(og_parse_i64(OG_STR("-0"), &i));
	assert_int_equal(i, 0);
}

static void test_str__doubles_are_strict(void **state)
{
	const char *bad[] = { "", ".", "-", "1e", "1e+", " 1", "1 ", "+1", "0x10", "inf", "nan", "Infinity", "1,5", "1e999", "-1e999", "1.5.2", "e5" };
	double v = 5;
	(void)state;
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		if (og_parse_double(bad[k], &v))
			fail_msg("'%s' was taken for a number", bad[k]);
	assert_true(v == 5.0);
	assert_true(og_parse_double("1e-12", &v) && v == 1e-12);
	assert_true(og_parse_double("-0.5", &v) && v == -0.5);
	assert_true(og_parse_double(".5", &v) && v == 0.5);
	assert_true(og_parse_double("5.", &v) && v == 5.0);
	assert_true(og_parse_double("1.7976931348623157e308", &v) && v == DBL_MAX);
	assert_true(og_parse_double("1e-999", &v) && v == 0.0);
}

static void test_str__utf8_is_what_unicode_says(void **state)
{
	static const char *const good[] = { "", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf",
									   "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x28\xa1" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(og_utf8_valid((const uint8_t *)good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(og_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

static void test_str__show_escapes_and_cuts(void **state)
{
	char out[64], small[8];
	(void)state;
	assert_string_equal(og_str_show(OG_STR("a\n\0\x1b\xff\xc3\xa4\xc2\x85"), out, sizeof out), "a\\x0a\\x00\\x1b\\xffä\\xc2\\x85");
	assert_string_equal(og_str_show(OG_STR("1234567"), small, sizeof small), "1234567");
	assert_string_equal(og_str_show(OG_STR("12345678"), small, sizeof small), "1234…");
	assert_string_equal(og_str_show(OG_STR("123ä5678"), small, sizeof small), "123…");
	assert_string_equal(og_str_show(OG_STR("12345\n"), small, sizeof small), "1234…");
	assert_string_equal(og_str_show(OG_STR("abc"), small, 3), "ab");
	assert_string_equal(og_str_show(OG_STR("abc"), small, 1), "");
	assert_string_equal(og_str_show((og_str){ NULL, 0 }, small, sizeof small), "");
}

static void test_str__line_is_one_line(void **state)
{
	char out[16];
	(void)state;
	assert_string_equal(og_str_line("a\nb\tc\xe2\x80\xa9" "d", out, sizeof out), "a b c d");
	assert_string_equal(og_str_line("0123456789abcdefg", out, sizeof out), "0123456789ab…");
}

static void test_str__hex(void **state)
{
	char out[9];
	(void)state;
	og_hex((const uint8_t *)"\x00\x7f\xab\xff", 4, out);
	assert_string_equal(out, "007fabff");
	assert_true(og_is_hex(out, 8));
	assert_false(og_is_hex(out, 7));
	assert_false(og_is_hex(out, 9));
	assert_false(og_is_hex("00AB", 4));
	assert_true(og_is_hex("", 0));
}

static void test_str__random_is_the_published_sequence(void **state)
{
	og_random r = { 1234567 };
	bool seen[5] = { false };
	(void)state;
	/* SplitMix64's reference values for this seed. */
	assert_true(og_random_next(&r) == UINT64_C(6457827717110365317));
	assert_true(og_random_next(&r) == UINT64_C(3203168211198807973));
	assert_true(og_random_next(&r) == UINT64_C(9817491932198370423));
	for (int i = 0; i < 1000; i++) {
		uint64_t k = og_random_below(&r, 5);
		double u = og_random_unit(&r);
		assert_true(k < 5);
		assert_true(u >= 0 && u < 1);
		seen[k] = true;
	}
	for (int i = 0; i < 5; i++)
		assert_true(seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_str__views_compare_bytewise),
		cmocka_unit_test(test_str__equality_knows_null),
		cmocka_unit_test(test_str__glob_examples),
		cmocka_unit_test(test_str__glob_agrees_with_fnmatch),
		cmocka_unit_test(test_str__glob_is_not_exponential),
		cmocka_unit_test(test_str__integers_are_strict),
		cmocka_unit_test(test_str__doubles_are_strict),
		cmocka_unit_test(test_str__utf8_is_what_unicode_says),
		cmocka_unit_test(test_str__show_escapes_and_cuts),
		cmocka_unit_test(test_str__line_is_one_line),
		cmocka_unit_test(test_str__hex),
		cmocka_unit_test(test_str__random_is_the_published_sequence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
