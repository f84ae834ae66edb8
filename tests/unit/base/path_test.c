/* SPDX-License-Identifier: Apache-2.0
 *
 * base/path.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"

#include <stdlib.h>
#include <unistd.h>

static void expect(char *got, const char *want)
{
	assert_string_equal(got, want);
	og_free(got);
}

static void test_path__join(void **state)
{
	(void)state;
	expect(og_path_join("a", "b"), "a/b");
	expect(og_path_join("a/", "b/c"), "a/b/c");
	expect(og_path_join("/", "b"), "/b");
	expect(og_path_join("a", "/b"), "/b");
	expect(og_path_join("", "b"), "b");
	expect(og_path_join("a", ""), "a");
	expect(og_path_join3("a", "b", "c"), "a/b/c");
}

static void test_path__dir_and_base(void **state)
{
	(void)state;
	expect(og_path_dir("a"), ".");
	expect(og_path_dir("/a"), "/");
	expect(og_path_dir("/"), "/");
	expect(og_path_dir("a/b/c"), "a/b");
	expect(og_path_dir("a//b"), "a");
	expect(og_path_dir("a/b/"), "a");
	expect(og_path_dir(""), ".");
	assert_string_equal(og_path_base("a/b.onnx"), "b.onnx");
	assert_string_equal(og_path_base("b.onnx"), "b.onnx");
	assert_string_equal(og_path_base("a/"), "");
}

static void test_path__absolute(void **state)
{
	char *cwd = getcwd(NULL, 0), *want = og_path_join(cwd, "x/y");
	(void)state;
	expect(og_path_absolute("./x//./y/"), want);
	expect(og_path_absolute("."), cwd);
	expect(og_path_absolute("/a//b/./c/"), "/a/b/c");
	expect(og_path_absolute("/a/../b"), "/a/../b"); /* a may be a link */
	expect(og_path_absolute("/"), "/");
	og_free(want);
	free(cwd);
}

static void test_path__safe_names(void **state)
{
	static const char *const good[] = { "model.onnx", "onnx/model.onnx", ".gitattributes", "a/..b/c", "...", "größe.bin", "1:x", "a b" };
	static const char *const bad[] = { "",		"/etc/passwd", "../x",	 "a/../b", "a/..",	"a//b",	 "a/",		"./a",
									   "a/./b", ".",		   "..",	 "a\\b", "C:/x", "c:x",	 "a\nb",	"a\x7f",
									   "\xff",	"a/\xc0\xaf", "a\x01" };
	char name[OG_NAME_MAX + 2];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(good); i++)
		if (!og_path_safe(good[i]))
			fail_msg("'%s' was refused", good[i]);
	for (size_t i = 0; i < OG_COUNT(bad); i++)
		if (og_path_safe(bad[i]))
			fail_msg("'%s' was accepted", bad[i]);
	memset(name, 'a', sizeof name);
	name[OG_NAME_MAX + 1] = 0;
	assert_false(og_path_safe(name));
	name[OG_NAME_MAX] = 0;
	assert_true(og_path_safe(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path__join),
		cmocka_unit_test(test_path__dir_and_base),
		cmocka_unit_test(test_path__absolute),
		cmocka_unit_test(test_path__safe_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
