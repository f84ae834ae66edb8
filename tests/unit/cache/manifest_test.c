/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests that lie: each variant of one good document, and what it is refused with. */
#include "fixture.h"

static const char good[] = "{\"schema\":\"onnxgate.manifest/1\",\"key\":\"" KEY_A "\",\"repo_id\":\"org/name\",\"revision\":null,"
						   "\"model_type\":\"bert\",\"architecture\":\"BertModel\",\"task\":\"fill-mask\",\"task_reason\":null,\"dtype\":\"float32\","
						   "\"layout\":\"optimum\",\"created\":\"2026-11-24T07:06:43Z\",\"program\":null,\"runtime\":null,\"opset\":18,"
						   "\"architecture_revision\":1,\"level\":\"runtime\",\"verdict\":\"pass\","
						   "\"files\":[{\"path\":\"model.onnx\",\"role\":\"model\",\"size\":5,\"sha256\":null}],"
						   "\"checks\":[{\"name\":\"a\",\"level\":\"runtime\",\"status\":\"pass\",\"value\":1e-7,\"limit\":null,\"detail\":null}],"
						   "\"timings_ms\":{\"emit\":1},\"notes\":[\"one\"]}";

typedef struct variant { /* the first `from` of the good document becomes `to` */
	const char *from, *to;
	og_status status;
	const char *message;
} variant;

static const variant variants[] = {
	{ "onnxgate.manifest/1", "onnxgate.manifest/2", ONNXGATE_FORMAT, "schema" },
	{ "\"schema\":\"onnxgate.manifest/1\",", "", ONNXGATE_FORMAT, "schema" },
	{ "aaaaaaaa", "AAAAAAAA", ONNXGATE_FORMAT, "64 hex digits" },
	{ "aaaaaaaa", "../../..", ONNXGATE_FORMAT, "64 hex digits" },
	{ "\"repo_id\":\"org/name\"", "\"repo_id\":null", ONNXGATE_FORMAT, "repo_id" },
	{ "\"repo_id\":\"org/name\"", "\"repo_id\":7", ONNXGATE_FORMAT, "repo_id" },
	{ "org/name", "org\\u001b[2Jname", ONNXGATE_FORMAT, "control bytes" },
	{ "org/name", "org\\u0000name", ONNXGATE_FORMAT, "control bytes" },
	{ "\"opset\":18", "\"opset\":-1", ONNXGATE_FORMAT, "opset" },
	{ "\"opset\":18", "\"opset\":18.5", ONNXGATE_FORMAT, "opset" },
	{ "\"opset\":18", "\"opset\":99999999999999999999999", ONNXGATE_FORMAT, "opset" },
	{ "\"level\":\"runtime\",\"verdict\"", "\"level\":\"best\",\"verdict\"", ONNXGATE_FORMAT, "level" },
	{ "\"verdict\":\"pass\"", "\"verdict\":\"PASS\"", ONNXGATE_FORMAT, "verdict" },
	{ "\"verdict\":\"pass\"", "\"verdict\":true", ONNXGATE_FORMAT, "verdict" },
	{ "\"path\":\"model.onnx\"", "\"path\":\"../model.onnx\"", ONNXGATE_UNSAFE, "leads out" },
	{ "\"path\":\"model.onnx\"", "\"path\":\"/etc/passwd\"", ONNXGATE_UNSAFE, "leads out" },
	{ "\"path\":\"model.onnx\"", "\"path\":\"\"", ONNXGATE_UNSAFE, "leads out" },
	{ "\"path\":\"model.onnx\"", "\"path\":\"a\\\\b\"", ONNXGATE_UNSAFE, "leads out" },
	{ "\"path\":\"model.onnx\"", "\"path\":null", ONNXGATE_FORMAT, "files.path" },
	{ "\"size\":5", "\"size\":-5", ONNXGATE_FORMAT, "files.size" },
	{ "\"size\":5", "\"size\":1e3", ONNXGATE_FORMAT, "files.size" },
	{ "\"size\":5", "\"size\":18446744073709551615", ONNXGATE_FORMAT, "files.size" },
	{ "\"sha256\":null", "\"sha256\":\"abc\"", ONNXGATE_FORMAT, "sha256" },
	{ "[{\"path\":\"model.onnx\",\"role\":\"model\",\"size\":5,\"sha256\":null}]", "[]", ONNXGATE_FORMAT, "at least one file" },
	{ "[{\"path\":\"model.onnx\",\"role\":\"model\",\"size\":5,\"sha256\":null}]", "{}", ONNXGATE_FORMAT, "a list" },
	{ "[{\"path\":\"model.onnx\",\"role\":\"model\",\"size\":5,\"sha256\":null}]", "[7]", ONNXGATE_FORMAT, "files.path" },
	{ "\"sha256\":null}", "\"sha256\":null},{\"path\":\"model.onnx\",\"role\":\"x\",\"size\":6,\"sha256\":null}", ONNXGATE_FORMAT, "each file once" },
	{ "\"status\":\"pass\"", "\"status\":\"fine\"", ONNXGATE_FORMAT, "checks.status" },
	{ "\"value\":1e-7", "\"value\":\"1e-7\"", ONNXGATE_FORMAT, "checks.value" },
	{ "{\"emit\":1}", "[1]", ONNXGATE_FORMAT, "timings_ms" },
	{ "{\"emit\":1}", "{\"e\\u0007\":1}", ONNXGATE_FORMAT, "timings_ms" },
	{ "{\"emit\":1}", "{\"emit\":true}", ONNXGATE_FORMAT, "timings_ms" },
	{ "[\"one\"]", "[null]", ONNXGATE_FORMAT, "notes" },
	{ "[\"one\"]", "[[[[[[[]]]]]]]", ONNXGATE_FORMAT, "notes" },
	{ "\"notes\"", "\"repo_id\"", ONNXGATE_FORMAT, "second time" },
	{ "[\"one\"]}", "[\"one\"]", ONNXGATE_FORMAT, "" },
	{ "[\"one\"]}", "[\"one\"]} {}", ONNXGATE_FORMAT, "" },
	{ "{\"schema\"", "[{\"schema\"", ONNXGATE_FORMAT, "" },
};

static og_status parse(const char *text, size_t n, og_manifest **out, og_arena *a, og_error *err)
{
	return og_manifest_parse("manifest.json", text, n, a, out, err);
}

static void test_manifest__good(void **state)
{
	(void)state;
	og_auto(og_arena) *a = og_arena_new();
	og_manifest *m = NULL;
	og_error err = { 0 };
	ok(parse(good, strlen(good), &m, a, &err), &err);
	assert_int_equal(m->nfiles, 1);
	assert_true(m->checks[0].value > 0.99e-7 && m->checks[0].value < 1.01e-7);
	assert_true(m->timings[0].ms == 1.0);
}

static void test_manifest__each_lie_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(variants); i++) {
		const variant *v = &variants[i];
		const char *cut = strstr(good, v->from);
		assert_non_null(cut);
		og_auto_buf text;
		og_buf_init(&text, 1u << 16);
		og_buf_add(&text, good, (size_t)(cut - good));
		og_buf_str(&text, v->to);
		og_buf_str(&text, cut + strlen(v->from));
		og_auto(og_arena) *a = og_arena_new();
		og_manifest *m = NULL;
		og_error err = { 0 };
		og_status s = parse(og_buf_cstr(&text), text.n, &m, a, &err);
		if (s != v->status || !strstr(err.message, v->message) || strchr(err.message, '\n'))
			print_error("%s -> %s: status %d, %s\n", v->from, v->to, s, err.message);
		assert_int_equal(s, v->status);
		assert_non_null(strstr(err.message, v->message));
		assert_null(strchr(err.message, '\n'));
		assert_null(m);
	}
}

static void test_manifest__cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < strlen(good); n++) {
		og_auto(og_arena) *a = og_arena_new();
		og_manifest *m = NULL;
		assert_int_equal(parse(good, n, &m, a, NULL), ONNXGATE_FORMAT);
	}
}

static void test_manifest__another_folder_s_key(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_auto(og_arena) *a = og_arena_new();
	og_manifest *m = NULL;
	assert_int_equal(make_home(NULL), 0);
	ok(og_file_write(at("manifest.json"), good, strlen(good), &err), &err);
	ok(og_manifest_read(home, KEY_A, a, &m, &err), &err);
	assert_int_equal(og_manifest_read(home, KEY_B, a, &m, &err), ONNXGATE_FORMAT);
	assert_int_equal(remove_home(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest__good),
		cmocka_unit_test(test_manifest__each_lie_is_refused),
		cmocka_unit_test(test_manifest__cut_anywhere_is_refused),
		cmocka_unit_test(test_manifest__another_folder_s_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
