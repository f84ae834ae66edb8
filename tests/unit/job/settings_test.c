/* SPDX-License-Identifier: Apache-2.0
 *
 * Where each setting comes from, and what cannot be meant. */
#include "fixture.h"

#include "job/settings.h"

static og_arena *arena;

static int prepare(void **state)
{
	clearenv();
	setenv("HOME", "/home/someone", 1);
	arena = og_arena_new();
	int r = begin(state);
	setenv("XDG_CONFIG_HOME", scratch, 1);
	return r;
}

static int done(void **state)
{
	og_arena_free(arena);
	return end(state);
}

static og_settings *read_with(onnxgate_options o)
{
	og_settings *s = NULL;
	og_error err = { 0 };
	og_status st = og_settings_read(&o, arena, &s, &err);
	if (st != OG_OK)
		fail_msg("%s", err.message);
	return s;
}

static og_settings *read_all(void)
{
	return read_with((onnxgate_options)ONNXGATE_OPTIONS_INIT);
}

static og_status refused(og_error *err)
{
	og_settings *s = NULL;
	onnxgate_options o = ONNXGATE_OPTIONS_INIT;
	return og_settings_read(&o, arena, &s, err);
}

static const char *origin(const og_settings *s, const char *name)
{
	for (size_t i = 0; i < s->nrows; i++)
		if (og_streq(s->rows[i].name, name))
			return s->rows[i].origin;
	return NULL;
}

static void config(const char *text)
{
	assert_int_equal(og_mkdirs(at("onnxgate"), NULL), OG_OK);
	put("onnxgate/config.json", text);
}

static void test_settings__defaults(void **state)
{
	(void)state;
	og_settings *s = read_all();
	assert_string_equal(s->home, "/home/someone/.cache/onnxgate");
	assert_string_equal(s->hub_cache, "/home/someone/.cache/huggingface/hub");
	assert_string_equal(s->endpoint, "https://huggingface.co");
	assert_string_equal(s->db, "sqlite:/home/someone/.cache/onnxgate/onnxgate.db");
	assert_null(s->token);
	assert_false(s->offline);
	assert_int_equal(s->threads, 0);
	assert_string_equal(origin(s, "cache_dir"), "default");
}

static void test_settings__order(void **state)
{
	(void)state;
	config("{\"cache_dir\": \"/from/config\", \"threads\": 3, \"offline\": true}");
	og_settings *s = read_all();
	assert_string_equal(s->home, "/from/config");
	assert_string_equal(origin(s, "cache_dir"), at("onnxgate/config.json"));
	assert_int_equal(s->threads, 3);
	assert_true(s->offline);
	setenv("ONNXGATE_HOME", "/from/env", 1);
	s = read_all();
	assert_string_equal(s->home, "/from/env");
	assert_string_equal(origin(s, "cache_dir"), "ONNXGATE_HOME");
	assert_string_equal(s->db, "sqlite:/from/env/onnxgate.db");
	onnxgate_options o = ONNXGATE_OPTIONS_INIT;
	o.cache_dir = "/from/option";
	o.threads = 7;
	s = read_with(o);
	assert_string_equal(s->home, "/from/option");
	assert_string_equal(origin(s, "cache_dir"), "option");
	assert_int_equal(s->threads, 7);
	assert_string_equal(origin(s, "threads"), "option");
}

static void test_settings__hub_folders(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", "/xdg", 1);
	assert_string_equal(read_all()->hub_cache, "/xdg/huggingface/hub");
	setenv("XDG_CACHE_HOME", "relative", 1); /* the specification: then it does not count */
	assert_string_equal(read_all()->hub_cache, "/home/someone/.cache/huggingface/hub");
	setenv("HF_HOME", "~/hf", 1);
	assert_string_equal(read_all()->hub_cache, "/home/someone/hf/hub");
	setenv("HUGGINGFACE_HUB_CACHE", "$BASE/${BASE}x/$NONE", 1);
	setenv("BASE", "/b", 1);
	assert_string_equal(read_all()->hub_cache, "/b/bx/$NONE");
	setenv("HF_HUB_CACHE", "/newer", 1);
	assert_string_equal(read_all()->hub_cache, "/newer");
	setenv("HF_HUB_CACHE", "", 1); /* empty counts as unset */
	assert_string_equal(origin(read_all(), "hub_cache"), "HUGGINGFACE_HUB_CACHE");
}

static void test_settings__offline(void **state)
{
	(void)state;
	setenv("TRANSFORMERS_OFFLINE", "yes", 1);
	assert_true(read_all()->offline);
	setenv("HF_HUB_OFFLINE", "0", 1); /* the first that is set decides */
	assert_false(read_all()->offline);
	setenv("HF_HUB_OFFLINE", "True", 1);
	assert_true(read_all()->offline);
	setenv("HF_HUB_OFFLINE", "2", 1);
	assert_false(read_all()->offline);
}

static void test_settings__token(void **state)
{
	(void)state;
	setenv("HF_HOME", scratch, 1);
	put("token", "hf_file\n");
	assert_string_equal(read_all()->token, "hf_file");
	setenv("HUGGING_FACE_HUB_TOKEN", "hf_old", 1);
	setenv("HF_TOKEN", "", 1);
	assert_string_equal(read_all()->token, "hf_old");
	setenv("HF_TOKEN", " hf_\r\nnew \n", 1);
	og_settings *s = read_all();
	assert_string_equal(s->token, "hf_new");
	for (size_t i = 0; i < s->nrows; i++)
		assert_true(!s->rows[i].value || !strstr(s->rows[i].value, "hf_new")); /* never shown */
	setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", 1);
	assert_null(read_all()->token);
	onnxgate_options o = ONNXGATE_OPTIONS_INIT;
	o.token = "hf_given";
	assert_string_equal(read_with(o)->token, "hf_given");
}

static void test_settings__token_path(void **state)
{
	(void)state;
	put("mine", "hf_mine");
	setenv("HF_TOKEN_PATH", at("mine"), 1);
	assert_string_equal(read_all()->token, "hf_mine");
	assert_string_equal(origin(read_all(), "token"), at("mine"));
}

static void test_settings__token_that_breaks_a_header(void **state)
{
	(void)state;
	og_error err = { 0 };
	setenv("HF_TOKEN", "hf_a b", 1);
	assert_int_equal(refused(&err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.message, "HF_TOKEN"));
	assert_null(strstr(err.message, "hf_a b"));
}

static void test_settings__endpoint(void **state)
{
	(void)state;
	og_error err = { 0 };
	setenv("HF_ENDPOINT", "http://127.0.0.1:1234//", 1);
	assert_string_equal(read_all()->endpoint, "http://127.0.0.1:1234");
	setenv("HF_ENDPOINT", "ftp://x", 1);
	assert_int_equal(refused(&err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.message, "HF_ENDPOINT"));
}

static void test_settings__config_that_is_wrong(void **state)
{
	(void)state;
	og_error err = { 0 };
	config("{\"threads\": \"three\"}");
	assert_int_equal(refused(&err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "\"threads\": expected a whole number, found string"));
	config("{\"cache_dir\": 1}");
	assert_int_equal(refused(&err), ONNXGATE_FORMAT);
	config("[]");
	assert_int_equal(refused(&err), ONNXGATE_FORMAT);
	config("{\"cache_dir\": ");
	assert_int_equal(refused(&err), ONNXGATE_FORMAT);
	setenv("ONNXGATE_THREADS", "-1", 1);
	config("{}");
	assert_int_equal(refused(&err), ONNXGATE_INVALID);
}

static void test_settings__unknown_key_is_a_warning(void **state)
{
	(void)state;
	config("{\"cachedir\": \"/x\"}");
	og_settings *s = read_all();
	assert_int_equal(s->nwarnings, 1);
	assert_non_null(strstr(s->warnings[0], "cachedir"));
	assert_string_equal(s->home, "/home/someone/.cache/onnxgate");
}

#define SETTINGS_TEST(f) cmocka_unit_test_setup_teardown(f, prepare, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SETTINGS_TEST(test_settings__defaults),
		SETTINGS_TEST(test_settings__order),
		SETTINGS_TEST(test_settings__hub_folders),
		SETTINGS_TEST(test_settings__offline),
		SETTINGS_TEST(test_settings__token),
		SETTINGS_TEST(test_settings__token_path),
		SETTINGS_TEST(test_settings__token_that_breaks_a_header),
		SETTINGS_TEST(test_settings__endpoint),
		SETTINGS_TEST(test_settings__config_that_is_wrong),
		SETTINGS_TEST(test_settings__unknown_key_is_a_warning),
	};
	return cmocka_run_group_tests_name("job/settings", tests, NULL, NULL);
}
