/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run leaves in the tables. */
#include "fixture.h"

#include <math.h>

static void test_record__a_converted_run(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	onnxgate_result x = converted();
	int64_t id = 0;
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_int_equal(id, 1);
	assert_string_equal(ask(r, "SELECT model_name || ' ' || model_type || ' ' || architecture FROM models"), "name bert BertForMaskedLM");
	assert_string_equal(ask(r, "SELECT status || exit_code || verdict || level || was_converted || cached FROM verifications"), "OK0passruntime10");
	assert_string_equal(ask(r, "SELECT coalesce(error_message, 'none') || requested_opset || coalesce(requested_file, 'none') FROM verifications"),
				"none18none");
	assert_string_equal(ask(r, "SELECT runtime_peak_bytes FROM verifications"), "123456789");
	assert_string_equal(ask(r, "SELECT total_ms FROM verifications"), "300.25");
	assert_string_equal(ask(r, "SELECT checks ->> '$[0].detail' FROM verifications"), "it's \"64\" positions");
	assert_string_equal(ask(r, "SELECT json_type(checks, '$[1].value') || json_type(checks, '$[1].limit') FROM verifications"), "nullnull");
	assert_string_equal(ask(r, "SELECT attempts ->> '$[1].step' FROM verifications"), "convert");
	assert_string_equal(ask(r, "SELECT timings_ms ->> 'emit' FROM verifications"), "200");
	assert_string_equal(ask(r, "SELECT files ->> '$[1].size' FROM verifications"), "5000000000");
	assert_string_equal(ask(r, "SELECT notes FROM verifications"), "[\"1 tensor ignored\"]");
	assert_string_equal(ask(r, "SELECT onnx_path || ' ' || local_path || ' ' || conversion_success FROM onnx_conversions"), "model.onnx /c/k/model.onnx 1");
	assert_string_equal(ask(r, "SELECT file_size_bytes FROM onnx_conversions"), "5000000000");
	assert_string_equal(ask(r, "SELECT sha256 = '1111111111111111111111111111111111111111111111111111111111111111' FROM onnx_conversions"), "1");
	assert_string_equal(ask(r, "SELECT \"commit\" || opset_version || verification_status || verification_id FROM onnx_conversions"), "c0ffee18pass1");
	assert_string_equal(ask(r, "SELECT conversion_config ->> 'opset_version' FROM onnx_conversions"), "18");
	assert_string_equal(ask(r, "SELECT model_name || onnx_status || onnx_local_path || use_count FROM model_onnx_registry"), "nameconverted/c/k/model.onnx1");
}

static void test_record__a_cached_run_counts_up_the_use(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	onnxgate_result x = converted();
	int64_t id = 0;
	ok(og_record_result(r, &x, &id, &err), &err);
	x.cached = true;
	ok(og_record_result(r, &x, &id, &err), &err);
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_int_equal(id, 3);
	assert_string_equal(ask(r, "SELECT count(*) || ' ' || sum(use_count) FROM onnx_conversions"), "1 3");
	x.onnx_local_path = x.path = "/elsewhere/model.onnx"; /* converted before this database was */
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT count(*) || ' ' || sum(use_count) FROM onnx_conversions"), "2 4");
	assert_string_equal(ask(r, "SELECT count(*) FROM models"), "1");
	x.cached = false; /* with --force: another conversion */
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT count(*) || ' ' || sum(use_count) FROM onnx_conversions"), "3 5");
}

static void test_record__failures(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	onnxgate_result x = not_found();
	int64_t id = 0;
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT status || exit_code || verdict || coalesce(path, '-') || error_hint FROM verifications"),
				"NOT_FOUND3unknown-set HF_TOKEN if it is private");
	assert_string_equal(ask(r, "SELECT count(*) FROM onnx_conversions"), "0"); /* nothing was converted */
	onnxgate_attempt_row tried[] = { { "convert", "failed", ONNXGATE_CONVERSION, "3 weights are missing", 5 } };
	x = not_found();
	x.error.status = ONNXGATE_CONVERSION;
	x.attempts = tried;
	x.nattempts = 1;
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT conversion_success || local_path || error_message FROM onnx_conversions"), "0org/none: no such repository");
	tried[0].outcome = "skipped";
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT count(*) FROM onnx_conversions"), "1");
	assert_string_equal(ask(r, "SELECT onnx_status FROM model_onnx_registry"), "failed");
	x.error.status = ONNXGATE_NOMEM; /* exits as IO does */
	ok(og_record_result(r, &x, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT status || exit_code FROM verifications ORDER BY id DESC LIMIT 1"), "NOMEM8");
	x.model_id = NULL;
	assert_int_equal(og_record_result(r, &x, &id, &err), ONNXGATE_INVALID);
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications"), "4");
}

static void test_record__a_later_failure_keeps_what_is_known(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	int64_t id = 0;
	onnxgate_result x = converted();
	ok(og_record_result(r, &x, &id, &err), &err);
	onnxgate_result y = not_found();
	y.model_id = "org/name";
	ok(og_record_result(r, &y, &id, &err), &err);
	assert_string_equal(ask(r, "SELECT model_type || onnx_status || onnx_local_path FROM model_onnx_registry"), "bertfailed/c/k/model.onnx");
}

static onnxgate_bench_result bench(onnxgate_result *verified)
{
	static onnxgate_bench_row rows[2];
	static onnxgate_pair host[] = { { "cpu", "a \"fast\" one" }, { "cores", "2" } };
	for (int i = 0; i < 2; i++) {
		rows[i] = (onnxgate_bench_row){ .model = "org/name", .file = "/c/k/model.onnx", .execution_provider = "CPUExecutionProvider",
										.runtime = "onnxruntime 1.32.0", .hardware = "cpu", .dtype = "float32", .batch_size = 1 << i,
										.sequence_length = 128, .runs = 50, .warmup = 5, .throughput = 100.5, .load_ms = 20, .peak_memory = 1 << 30 };
		rows[i].latency_ms.mean = 9.5, rows[i].latency_ms.p50 = 9.25, rows[i].latency_ms.stddev = NAN;
	}
	return (onnxgate_bench_result){ .verified = verified, .rows = rows, .nrows = 2, .host = host, .nhost = 2 };
}

static void test_record__benchmark(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	onnxgate_result x = converted();
	onnxgate_bench_result b = bench(&x);
	ok(og_record_bench(r, &b, &err), &err); /* the verification goes with it */
	assert_string_equal(ask(r, "SELECT count(*) || max(batch_size) || min(verification_id) FROM performance_results"), "221");
	assert_string_equal(ask(r, "SELECT latency_mean_ms || latency_p50_ms || coalesce(latency_stddev_ms, 'none') FROM performance_results LIMIT 1"),
				"9.59.25none");
	assert_string_equal(ask(r, "SELECT onnx_source || onnx_conversion_status || onnx_conversion_time || onnx_local_path FROM performance_results LIMIT 1"),
						"pytorch_conversionconverted2026-11-24T07:06:43Z/c/k/model.onnx");
	assert_string_equal(ask(r, "SELECT host ->> 'cpu' FROM performance_results LIMIT 1"), "a \"fast\" one");
	int64_t id = 0;
	ok(og_record_result(r, &x, &id, &err), &err);
	x.recorded = og_record_url(r);
	x.record_id = id;
	ok(og_record_bench(r, &b, &err), &err); /* once is enough */
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications"), "2");
	assert_string_equal(ask(r, "SELECT max(verification_id) FROM performance_results"), "2");
	b.verified = NULL;
	ok(og_record_bench(r, &b, &err), &err);
	x.record_id = 77; /* no such row: nothing of it stays */
	b.verified = &x;
	assert_int_equal(og_record_bench(r, &b, &err), ONNXGATE_INTERNAL);
	assert_string_equal(ask(r, "SELECT count(*) FROM performance_results"), "6");
}

static void test_record__urls(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_record *r = NULL;
	char url[200];
	snprintf(url, sizeof(url), "sqlite:%s", db);
	ok(og_record_open(url, &r, &err), &err);
	assert_string_equal(og_record_url(r), url);
	og_record_free(og_steal(&r));
	static const char *const refused[] = { "postgresql://host/db", "postgres://x", "duckdb:x.db", "mysql://x" };
	for (size_t i = 0; i < OG_COUNT(refused); i++) {
		assert_int_equal(og_record_open(refused[i], &r, &err), ONNXGATE_UNSUPPORTED);
		assert_null(r);
	}
	assert_int_equal(og_record_open("", &r, &err), ONNXGATE_INVALID);
	assert_int_equal(og_record_open("sqlite:", &r, &err), ONNXGATE_INVALID);
	assert_int_equal(chdir(home), 0);
	ok(og_record_open(":memory:", &r, &err), &err); /* a file like any other */
	og_record_free(og_steal(&r));
	assert_true(og_file_exists(":memory:"));
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_record__a_converted_run),
		T(test_record__a_cached_run_counts_up_the_use),
		T(test_record__failures),
		T(test_record__a_later_failure_keeps_what_is_known),
		T(test_record__benchmark),
		T(test_record__urls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
