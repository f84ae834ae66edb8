/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder as the place where a model comes from. */
#include "fixture.h"

#include "job/origin.h"

#include <sys/stat.h>

static og_arena *arena;
static onnxgate gate;

static og_origin *open_scratch(void)
{
	og_origin *o = NULL;
	og_error err = { 0 };
	if (og_origin_open(&gate, scratch, true, arena, &o, &err) != OG_OK)
		fail_msg("%s", err.message);
	return o;
}

static int make(void **state)
{
	arena = og_arena_new();
	return begin(state);
}

static int drop(void **state)
{
	og_arena_free(arena);
	return end(state);
}

static void test_origin__no_folder(void **state)
{
	(void)state;
	og_origin *o = NULL;
	og_error err = { 0 };
	assert_int_equal(og_origin_open(&gate, at("absent"), true, arena, &o, &err), ONNXGATE_NOT_FOUND);
	assert_non_null(strstr(err.message, "absent"));
	put("file", "x");
	assert_int_equal(og_origin_open(&gate, at("file"), true, arena, &o, &err), ONNXGATE_NOT_FOUND);
	assert_non_null(strstr(err.message, "found a file"));
}

static void test_origin__weights(void **state)
{
	og_weights_choice c;
	og_error err = { 0 };
	(void)state;
	put("config.json", "{}");
	assert_int_equal(og_origin_weights(open_scratch(), &c, &err), ONNXGATE_NOT_FOUND);
	put("tf_model.h5", "x");
	assert_int_equal(og_origin_weights(open_scratch(), &c, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "only tf_model.h5"));
	put("net.pt", "x");
	assert_int_equal(og_origin_weights(open_scratch(), &c, &err), OG_OK);
	assert_string_equal(c.single, "net.pt");
	put("pytorch_model.bin", "x");
	assert_int_equal(og_origin_weights(open_scratch(), &c, &err), OG_OK);
	assert_string_equal(c.single, "pytorch_model.bin");
	put("model.safetensors", "x");
	assert_int_equal(og_origin_weights(open_scratch(), &c, &err), OG_OK);
	assert_string_equal(c.single, "model.safetensors");
}

static const char *digest_of(const og_cache_source *s, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (og_streq(s[i].name, name))
			return s[i].digest;
	return NULL;
}

static void test_origin__sources_follow_the_files(void **state)
{
	(void)state;
	og_cache_source *s = NULL;
	size_t n = 0;
	put("config.json", "{}");
	put("model.safetensors.index.json", "{}");
	put("model-00001-of-00001.safetensors", "x");
	put("unrelated.txt", "x");
	assert_int_equal(og_origin_sources(open_scratch(), &s, &n, NULL), OG_OK);
	assert_non_null(digest_of(s, n, "config.json"));
	assert_non_null(digest_of(s, n, "model.safetensors.index.json"));
	assert_null(digest_of(s, n, "unrelated.txt"));
	const char *before = digest_of(s, n, "model-00001-of-00001.safetensors");
	assert_non_null(before);
	put("model-00001-of-00001.safetensors", "xy");
	assert_int_equal(og_origin_sources(open_scratch(), &s, &n, NULL), OG_OK);
	assert_string_not_equal(digest_of(s, n, "model-00001-of-00001.safetensors"), before);
}

static void test_origin__sources_of_a_sharded_torch_checkpoint(void **state)
{
	(void)state;
	og_cache_source *s = NULL;
	size_t n = 0;
	put("config.json", "{}");
	put("pytorch_model.bin.index.json", "{}");
	put("pytorch_model-00001-of-00001.bin", "x");
	put("model-00001-of-00001.safetensors", "x");
	assert_int_equal(og_origin_sources(open_scratch(), &s, &n, NULL), OG_OK);
	assert_non_null(digest_of(s, n, "pytorch_model.bin.index.json"));
	assert_non_null(digest_of(s, n, "pytorch_model-00001-of-00001.bin"));
	assert_null(digest_of(s, n, "model-00001-of-00001.safetensors"));
}

static void test_origin__missing_shard(void **state)
{
	(void)state;
	og_error err = { 0 };
	put("config.json", "{}");
	put("model.safetensors.index.json", "{\"metadata\": {}, \"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}");
	assert_int_equal(og_origin_fetch_sources(open_scratch(), &err), ONNXGATE_NOT_FOUND);
	assert_non_null(strstr(err.message, "model-00001-of-00002.safetensors"));
}

static const char *license_in(const char *readme)
{
	og_plan plan = { .task = "fill-mask", .dtype = "fp32" };
	onnxgate_pair *p = NULL;
	size_t n = 0;
	put("README.md", readme);
	assert_int_equal(og_origin_provenance(open_scratch(), &plan, &p, &n, NULL), OG_OK);
	for (size_t i = 1; i < n; i++)
		assert_true(strcmp(p[i - 1].key, p[i].key) < 0);
	for (size_t i = 0; i < n; i++)
		if (og_streq(p[i].key, "onnxgate.license"))
			return p[i].value;
	return NULL;
}

static void test_origin__license_from_the_card(void **state)
{
	(void)state;
	assert_string_equal(license_in("---\nlanguage: en\nlicense: apache-2.0\n---\n# Card\n"), "apache-2.0");
	assert_string_equal(license_in("---\nlicense: \"mit\" # yes\n---\n"), "mit");
	assert_null(license_in("# Card\nlicense: mit\n"));
	assert_null(license_in("---\nlanguage: en\n---\nlicense: mit\n"));
	assert_null(license_in("---\nlicense:\n- mit\n---\n"));
}

static void test_origin__interrupted(void **state)
{
	(void)state;
	int cancel = 1;
	const char *local = NULL;
	og_error err = { 0 };
	put("config.json", "{}");
	og_origin *o = open_scratch();
	gate.ctx.cancel = &cancel;
	assert_int_equal(og_origin_fetch(o, "config.json", &local, &err), ONNXGATE_CANCELLED);
	gate.ctx.cancel = NULL;
}

#define ORIGIN_TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORIGIN_TEST(test_origin__no_folder),
		ORIGIN_TEST(test_origin__weights),
		ORIGIN_TEST(test_origin__sources_follow_the_files),
		ORIGIN_TEST(test_origin__sources_of_a_sharded_torch_checkpoint),
		ORIGIN_TEST(test_origin__missing_shard),
		ORIGIN_TEST(test_origin__license_from_the_card),
		ORIGIN_TEST(test_origin__interrupted),
	};
	return cmocka_run_group_tests_name("job/origin", tests, NULL, NULL);
}
