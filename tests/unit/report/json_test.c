/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents: every member of the contract, against hostile text, and each against its schema. */
#include "report/report.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char home[64];

static int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/og-report-XXXXXX");
	return mkdtemp(home) ? 0 : -1;
}

static int remove_home(void **state)
{
	(void)state;
	return og_remove_tree(home, NULL) == OG_OK ? 0 : -1;
}

/* Keeps the document for the schema check at the end, and gives it parsed. */
static og_json *keep(const char *name, char *text)
{
	char path[200];
	og_json *j = NULL;
	og_error err = { 0 };
	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s.json", home, name);
	assert_int_equal(og_file_write(path, text, strlen(text), NULL), OG_OK);
	if (og_json_parse(name, text, strlen(text), &j, &err) != OG_OK)
		fail_msg("%s", err.message);
	og_free(text);
	return j;
}

static og_json *at(og_json *j, const char *pointer)
{
	og_json *out = NULL;
	if (json_pointer_get(j, pointer, &out) != 0)
		fail_msg("%s is not there", pointer);
	return out;
}

static const char *text_at(og_json *j, const char *pointer)
{
	og_json *v = at(j, pointer);
	assert_true(json_object_is_type(v, json_type_string));
	return json_object_get_string(v);
}

static int64_t int_at(og_json *j, const char *pointer)
{
	og_json *v = at(j, pointer);
	assert_true(json_object_is_type(v, json_type_int));
	return json_object_get_int64(v);
}

static void null_at(og_json *j, const char *pointer)
{
	assert_null(at(j, pointer));
}

static onnxgate_file_row files[] = {
	{ "/c/model.onnx", "model", 5000000000u, "1111111111111111111111111111111111111111111111111111111111111111" },
	{ "/c/br\xc3 oken\xff", "other", 0, NULL }, /* a name that is not UTF-8 */
};
static onnxgate_check_row checks[] = {
	{ "weights.readback", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_PASS, 0.1, 1e-5, "quote \" backslash \\ newline \n tab \t" },
	{ "runtime.finite", ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, NAN, INFINITY, NULL },
	{ "reference.max", ONNXGATE_VALIDATE_REFERENCE, ONNXGATE_CHECK_FAIL, -INFINITY, 3.0517578125e-05, "" },
};
static onnxgate_attempt_row attempts[] = {
	{ "published", "skipped", ONNXGATE_OK, NULL, 1.5 },
	{ "convert", "failed", ONNXGATE_NOMEM, "out of memory", 250 },
	{ "convert", "failed", ONNXGATE_CANCELLED, "interrupted", NAN },
};
static onnxgate_timing_row timings[] = { { "emit", 200.125 }, { "total", 1e9 / 3 } };
static const char *notes[] = { "1 tensor ignored", "snow \xe2\x98\x83 and \xf0\x9f\x98\x80" };

static onnxgate_result full(const char *command)
{
	return (onnxgate_result){ .command = command, .model_id = "org/name", .revision = "c0ffee",
							  .requested = { .file = "model.onnx", .type = "bert", .task = "fill-mask", .dtype = "fp32", .opset = 18 },
							  .verdict = ONNXGATE_PASS, .path = "/c/model.onnx", .was_converted = true, .cached = true, .onnx_source = "pytorch_conversion",
							  .onnx_conversion_status = "converted", .onnx_conversion_time = "2026-11-24T07:06:43Z", .onnx_local_path = "/c/model.onnx",
							  .model_type = "bert", .architecture = "BertForMaskedLM", .task = "fill-mask", .task_reason = "asked for", .dtype = "float32",
							  .opset = 18, .level = ONNXGATE_VALIDATE_DEFAULT, .runtime = "onnxruntime 1.32.0", .runtime_peak = 123456789, .files = files,
							  .nfiles = 2, .checks = checks, .nchecks = 3, .attempts = attempts, .nattempts = 3, .timings = timings, .ntimings = 2,
							  .notes = notes, .nnotes = 2, .recorded = "sqlite:/c/onnxgate.db", .record_id = 7, .error = { .offset = ONNXGATE_NO_OFFSET } };
}

static onnxgate_result failed(const char *command, onnxgate_status s)
{
	onnxgate_result r = { .command = command, .model_id = "org/none", .onnx_conversion_status = "failed", .level = ONNXGATE_VALIDATE_NONE };
	r.error.status = s;
	snprintf(r.error.message, sizeof(r.error.message), "org/none: no such repository");
	return r;
}

static void test_json__every_member_of_a_result(void **state)
{
	(void)state;
	static const char *const members[] = { "schema", "model_id", "revision", "requested", "verdict", "path", "was_converted", "cached", "onnx_source",
										   "onnx_conversion_status", "onnx_conversion_time", "onnx_local_path", "model_type", "architecture", "task",
										   "task_reason", "dtype", "opset", "level", "runtime", "runtime_peak_bytes", "files", "checks", "attempts",
										   "timings_ms", "notes", "recorded", "error" };
	onnxgate_result r = full("verify");
	og_auto(og_json) *j = keep("verify_full", og_report_result(&r));
	size_t i = 0;
	json_object_object_foreach(j, key, value)
	{
		(void)value;
		assert_true(i < OG_COUNT(members));
		assert_string_equal(key, members[i++]); /* in this order */
	}
	assert_int_equal(i, OG_COUNT(members));
	assert_string_equal(text_at(j, "/schema"), "onnxgate.verify/1");
	assert_string_equal(text_at(j, "/requested/dtype"), "fp32");
	assert_int_equal(int_at(j, "/requested/opset"), 18);
	assert_string_equal(text_at(j, "/verdict"), "pass");
	assert_string_equal(text_at(j, "/level"), "runtime"); /* what the default means */
	assert_true(og_json_bool(j, "was_converted", false) && og_json_bool(j, "cached", false));
	assert_int_equal(int_at(j, "/files/0/size"), 5000000000);
	null_at(j, "/files/1/sha256");
	assert_string_equal(text_at(j, "/files/1/path"), "/c/br\xef\xbf\xbd oken\xef\xbf\xbd");
	assert_string_equal(text_at(j, "/checks/0/detail"), checks[0].detail);
	assert_true(json_object_get_double(at(j, "/checks/0/value")) == 0.1);
	null_at(j, "/checks/1/value");
	null_at(j, "/checks/1/limit");
	null_at(j, "/checks/2/value");
	assert_true(json_object_get_double(at(j, "/checks/2/limit")) == 3.0517578125e-05);
	assert_string_equal(text_at(j, "/checks/2/status"), "fail");
	assert_string_equal(text_at(j, "/checks/2/level"), "reference");
	assert_int_equal(int_at(j, "/attempts/1/code"), 8);
	assert_int_equal(int_at(j, "/attempts/2/code"), 130);
	null_at(j, "/attempts/2/ms");
	assert_true(json_object_get_double(at(j, "/timings_ms/total")) == 1e9 / 3);
	assert_string_equal(text_at(j, "/notes/1"), notes[1]);
	assert_int_equal(int_at(j, "/recorded/id"), 7);
	assert_int_equal(int_at(j, "/runtime_peak_bytes"), 123456789);
	null_at(j, "/error");
}

static void test_json__what_is_not_known_is_null(void **state)
{
	(void)state;
	static const char *const nulls[] = { "/revision", "/requested/file", "/requested/opset", "/path", "/onnx_source", "/onnx_conversion_time",
				"/onnx_local_path",
										 "/model_type", "/architecture", "/task", "/task_reason", "/dtype", "/opset", "/runtime", "/runtime_peak_bytes",
										 "/recorded", "/error/hint" };
	onnxgate_result r = failed("verify", ONNXGATE_NOT_FOUND);
	og_auto(og_json) *j = keep("verify_failed", og_report_result(&r));
	for (size_t i = 0; i < OG_COUNT(nulls); i++)
		null_at(j, nulls[i]);
	assert_int_equal(json_object_array_length(at(j, "/checks")), 0);
	assert_int_equal(int_at(j, "/error/code"), 3);
	assert_string_equal(text_at(j, "/error/status"), "NOT_FOUND");
	assert_string_equal(text_at(j, "/error/message"), "org/none: no such repository");
	assert_string_equal(text_at(j, "/verdict"), "unknown");
	assert_string_equal(text_at(j, "/level"), "none");
}

static void test_json__each_status(void **state)
{
	(void)state;
	static const onnxgate_status all[] = { ONNXGATE_FAILED, ONNXGATE_INVALID, ONNXGATE_NOT_FOUND, ONNXGATE_NO_ACCESS, ONNXGATE_NETWORK,
										   ONNXGATE_UNSUPPORTED, ONNXGATE_UNSAFE, ONNXGATE_IO, ONNXGATE_INTERNAL, ONNXGATE_FORMAT, ONNXGATE_MISMATCH,
										   ONNXGATE_CONVERSION, ONNXGATE_NOMEM, ONNXGATE_CANCELLED };
	static const char *const commands[] = { "verify", "convert", "check" };
	for (size_t i = 0; i < OG_COUNT(all); i++) {
		onnxgate_result r = failed(commands[i % 3], all[i]);
		char name[40];
		snprintf(name, sizeof(name), "status_%d", all[i]);
		og_auto(og_json) *j = keep(name, og_report_result(&r));
		assert_int_equal(int_at(j, "/error/code"), all[i] == ONNXGATE_NOMEM ? 8 : (int)all[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		onnxgate_result r = full(commands[i]);
		og_json_free(keep(commands[i], og_report_result(&r)));
	}
	onnxgate_result unknown = full("verify"); /* an answer that could not be proved: published, and exits 6 */
	unknown.verdict = ONNXGATE_UNKNOWN;
	unknown.error = failed("verify", ONNXGATE_UNSUPPORTED).error;
	og_json_free(keep("verify_unknown", og_report_result(&unknown)));
}

static void test_json__inspection(void **state)
{
	(void)state;
	onnxgate_tensor_row tensors[] = {
		{ .name = "w", .dtype = "float32", .file = "model.safetensors", .rank = 2, .dims = { 3, 4 }, .offset = 8, .size = 48 },
		{ .name = "scalar", .dtype = "int64", .file = "model.safetensors", .rank = 0, .offset = 56, .size = 8, .sha256 = files[0].sha256 },
		{ .name = "t", .dtype = "float32", .file = "model.safetensors", .rank = 2, .dims = { 4, 3 }, .offset = 8, .size = 48, .strided = true,
		  .strides = { 1, 4 } },
	};
	onnxgate_dtype_row totals[] = { { "float32", 1, 12, 48 }, { "int64", 1, 1, 8 } };
	onnxgate_pair metadata[] = { { "format", "pt" }, { "odd \x80 key", NULL } };
	onnxgate_inspection r = { .path = "/m", .format = "safetensors", .tensors = tensors, .ntensors = 3, .totals = totals, .ntotals = 2, .metadata = metadata,
							  .nmetadata = 2 };
	og_auto(og_json) *j = keep("inspect_tensors", og_report_inspection(&r, true));
	assert_int_equal(int_at(j, "/tensors/0/shape/1"), 4);
	assert_int_equal(json_object_array_length(at(j, "/tensors/1/shape")), 0);
	null_at(j, "/tensors/0/sha256");
	null_at(j, "/tensors/0/strides");
	assert_int_equal(int_at(j, "/tensors/2/strides/1"), 4);
	assert_int_equal(int_at(j, "/tensor_count"), 3);
	null_at(j, "/threats");
	null_at(j, "/dangers");
	assert_string_equal(text_at(j, "/metadata/format"), "pt");
	og_auto(og_json) *k = keep("inspect", og_report_inspection(&r, false));
	null_at(k, "/tensors");
	assert_int_equal(int_at(k, "/totals/0/elements"), 12);
	onnxgate_threat_row threats[] = { { false, "global", "m.bin!a/data.pkl", 2, "collections OrderedDict" }, { true, "call", "m.bin!a/data.pkl", 9, "x" } };
	const char *said[] = { "how it was read" };
	r.looked = true, r.threats = threats, r.nthreats = 2, r.ndangers = 1, r.notes = said, r.nnotes = 1;
	og_auto(og_json) *t = keep("inspect_threats", og_report_inspection(&r, false));
	assert_string_equal(text_at(t, "/threats/1/where"), "m.bin!a/data.pkl");
	assert_int_equal(int_at(t, "/threats/1/offset"), 9);
	assert_int_equal(int_at(t, "/dangers"), 1);
	assert_string_equal(text_at(t, "/notes/0"), "how it was read");
	onnxgate_inspection none = { .error = { .status = ONNXGATE_FORMAT, .message = "x: no known format", .hint = "y" } };
	og_auto(og_json) *n = keep("inspect_failed", og_report_inspection(&none, true));
	null_at(n, "/path");
	assert_string_equal(text_at(n, "/error/hint"), "y");
}

static void test_json__bench(void **state)
{
	(void)state;
	onnxgate_result v = full("verify");
	onnxgate_pair host[] = { { "cpu", "fast" } };
	onnxgate_bench_row row = { .model = "org/name", .file = "/c/model.onnx", .execution_provider = "CPUExecutionProvider", .runtime = "onnxruntime 1.32.0",
							   .hardware = "cpu", .dtype = "float32", .batch_size = 4, .sequence_length = 128, .runs = 50, .warmup = 5, .throughput = 100,
							   .load_ms = 20, .peak_memory = 1 };
	row.latency_ms.p99 = 12.75, row.latency_ms.stddev = NAN;
	onnxgate_bench_result b = { .verified = &v, .rows = &row, .nrows = 1, .host = host, .nhost = 1 };
	og_auto(og_json) *j = keep("bench", og_report_bench(&b));
	assert_string_equal(text_at(j, "/verified/schema"), "onnxgate.verify/1");
	assert_true(json_object_get_double(at(j, "/rows/0/latency_ms/p99")) == 12.75);
	null_at(j, "/rows/0/latency_ms/stddev");
	assert_int_equal(int_at(j, "/rows/0/batch_size"), 4);
	onnxgate_bench_result none = { .error = { .status = ONNXGATE_UNSUPPORTED, .message = "no runtime" } };
	og_auto(og_json) *n = keep("bench_failed", og_report_bench(&none));
	null_at(n, "/verified");
}

static void test_json__tables(void **state)
{
	(void)state;
	static const struct {
		const char *title, *schema, *columns[8];
	} tables[] = {
		{ "cache ls", "onnxgate.cache-ls/1", { "repo_id", "revision", "task", "dtype", "size", "level", "last_used", "key" } },
		{ "db query", "onnxgate.db-query/1", { "a", "a:2" } },
		{ "doctor", "onnxgate.doctor/1", { "item", "state", "value", "detail" } },
		{ "archs", "onnxgate.archs/1", { "model_type", "task", "class", "files", "on_request" } },
		{ "archs", "onnxgate.archs/1", { "tensor", "shape", "task" } },
		{ "metadata", "onnxgate.metadata/1", { "fact", "value" } },
	};
	for (size_t i = 0; i < OG_COUNT(tables); i++) {
		og_auto_table *t = NULL;
		size_t n = 0;
		while (n < 8 && tables[i].columns[n])
			n++;
		assert_int_equal(og_table_new(tables[i].title, tables[i].columns, n, &t, NULL), OG_OK);
		static const char key[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
		const char *cells[8] = { "first", "ok", "\xff", NULL, "12", "damaged", "2026-11-24T07:06:43Z", key };
		assert_int_equal(og_table_row(t, cells, NULL), OG_OK);
		assert_int_equal(og_table_row(t, cells, NULL), OG_OK);
		char name[20];
		snprintf(name, sizeof(name), "table_%zu", i);
		og_auto(og_json) *j = keep(name, og_report_table(t));
		assert_string_equal(text_at(j, "/schema"), tables[i].schema);
		assert_int_equal(json_object_array_length(at(j, "/columns")), n);
		assert_int_equal(json_object_array_length(at(j, "/rows")), 2);
		assert_string_equal(og_json_str(at(j, "/rows/1"), tables[i].columns[0], ""), "first");
		assert_int_equal(json_object_object_length(at(j, "/rows/0")), n);
	}
	og_auto_table *empty = NULL;
	assert_int_equal(og_table_new("db query", NULL, 0, &empty, NULL), OG_OK);
	empty->error.status = ONNXGATE_INVALID;
	snprintf(empty->error.message, sizeof(empty->error.message), "no statement");
	og_auto(og_json) *j = keep("db_failed", og_report_table(empty));
	assert_int_equal(int_at(j, "/error/code"), 2);
}

/* A library lives in other people's programs: their locale must not put commas into figures. */
static void test_json__locale(void **state)
{
	(void)state;
	onnxgate_result r = full("verify");
	char *plain = og_report_result(&r);
	const char *set = setlocale(LC_ALL, "de_DE.UTF-8");
	if (!set)
		set = setlocale(LC_ALL, "fr_FR.UTF-8");
	char *german = og_report_result(&r);
	setlocale(LC_ALL, "C");
	assert_string_equal(plain, german);
	og_free(plain);
	og_free(german);
	if (!set)
		print_message("no locale with a comma is installed\n");
}

/* Runs last, over everything that the others kept. */
static void test_json__documents_fit_their_schemas(void **state)
{
	(void)state;
	char command[1000];
	if (system("python3 -c 'import json' 2>/dev/null") != 0) {
		print_message("no python3: schemas are not checked\n");
		skip();
	}
	snprintf(command, sizeof(command),
			 "cd '" OG_TESTS "/..' && python3 tests/integration/validate_json.py --schemas schemas --self-test && "
			 "python3 tests/integration/validate_json.py --schemas schemas %s/*.json",
			 home);
	int st = system(command);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__every_member_of_a_result),
		cmocka_unit_test(test_json__what_is_not_known_is_null),
		cmocka_unit_test(test_json__each_status),
		cmocka_unit_test(test_json__inspection),
		cmocka_unit_test(test_json__bench),
		cmocka_unit_test(test_json__tables),
		cmocka_unit_test(test_json__locale),
		cmocka_unit_test(test_json__documents_fit_their_schemas),
	};
	return cmocka_run_group_tests(tests, make_home, remove_home);
}
