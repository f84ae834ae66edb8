/* SPDX-License-Identifier: Apache-2.0
 *
 * The key changes with every fact, with nothing else, and is the same for ever. */
#include "cache/cache_int.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const og_cache_source two[] = { { "config.json", "aa" }, { "model.safetensors", "bb" } };

static og_cache_key_facts facts(void)
{
	return (og_cache_key_facts){ .repo_id = "org/name", .revision = "c0ffee", .sources = two, .nsources = 2, .task = "fill-mask", .dtype = "float32",
								 .layout = "optimum", .options = "external=auto", .opset = 18, .architecture = "BertForMaskedLM", .architecture_revision = 1 };
}

static void key_of(const og_cache_key_facts *f, char out[65])
{
	assert_int_equal(og_cache_key(f, out, NULL), OG_OK);
	assert_true(og_is_hex(out, 64));
}

static void test_key__pinned(void **state)
{
	(void)state;
	char key[65];
	og_cache_key_facts f = facts();
	key_of(&f, key);
	/* sha256 of the framing drawn in key.c, computed apart with Python's hashlib and struct */
	assert_string_equal(key, "3d946ee49f1b549999b18fb91298fd6632a83dc62a2904828f47d4d30b7a49c6");
}

static void differs(const og_cache_key_facts *changed)
{
	char a[65], b[65];
	og_cache_key_facts f = facts();
	key_of(&f, a);
	key_of(changed, b);
	assert_string_not_equal(a, b);
}

static void test_key__every_fact_counts(void **state)
{
	(void)state;
	og_cache_key_facts f;
#define WITH(member, value)                                                                                                    \
	do {                                                                                                                       \
		f = facts();                                                                                                           \
		f.member = (value);                                                                                                    \
		differs(&f);                                                                                                           \
	} while (0)
	WITH(repo_id, "org/nam");
	WITH(revision, "c0ffef");
	WITH(revision, NULL);
	WITH(nsources, 1);
	WITH(task, "feature-extraction");
	WITH(dtype, "float16");
	WITH(layout, "transformersjs");
	WITH(options, "external=always");
	WITH(options, "");
	WITH(opset, 17);
	WITH(architecture, "BertModel");
	WITH(architecture_revision, 2);
	og_cache_source other[] = { { "config.json", "aa" }, { "model.safetensors", "bc" } };
	WITH(sources, other);
	other[1] = (og_cache_source){ "model2.safetensors", "bb" };
	WITH(sources, other);
}

static void test_key__frames_cannot_be_shifted(void **state)
{
	(void)state;
	char a[65], b[65];
	og_cache_key_facts f = facts();
	f.task = "ab", f.dtype = "c";
	key_of(&f, a);
	f.task = "a", f.dtype = "bc";
	key_of(&f, b);
	assert_string_not_equal(a, b);
	f.task = "", f.dtype = NULL; /* none and empty are two things */
	key_of(&f, a);
	f.task = NULL, f.dtype = "";
	key_of(&f, b);
	assert_string_not_equal(a, b);
	og_cache_source x[] = { { "a", "b" }, { "c", "d" } }, y[] = { { "a", "bc" }, { "", "d" } };
	f = facts();
	f.sources = x;
	key_of(&f, a);
	f.sources = y;
	key_of(&f, b);
	assert_string_not_equal(a, b);
}

static void test_key__order_of_sources_does_not_count(void **state)
{
	(void)state;
	char a[65], b[65];
	const og_cache_source turned[] = { two[1], two[0] };
	og_cache_key_facts f = facts();
	key_of(&f, a);
	f.sources = turned;
	key_of(&f, b);
	assert_string_equal(a, b);
	assert_string_equal(turned[0].name, "model.safetensors"); /* the caller's list stays as it is */
}

static void test_key__refuses_what_is_no_key(void **state)
{
	(void)state;
	og_error err = { 0 };
	assert_int_equal(og_cache_key_check("../../etc", &err), ONNXGATE_INVALID);
	assert_int_equal(og_cache_key_check("", NULL), ONNXGATE_INVALID);
	assert_int_equal(og_cache_key_check(NULL, NULL), ONNXGATE_INVALID);
	og_cache_source bad = { "x", NULL };
	og_cache_key_facts f = facts();
	f.sources = &bad;
	f.nsources = 1;
	char key[65] = "unchanged";
	assert_int_equal(og_cache_key(&f, key, &err), ONNXGATE_INTERNAL);
	assert_string_equal(key, "unchanged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key__pinned),
		cmocka_unit_test(test_key__every_fact_counts),
		cmocka_unit_test(test_key__frames_cannot_be_shifted),
		cmocka_unit_test(test_key__order_of_sources_does_not_count),
		cmocka_unit_test(test_key__refuses_what_is_no_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
