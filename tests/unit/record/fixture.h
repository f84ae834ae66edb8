/* SPDX-License-Identifier: Apache-2.0
 *
 * A database in a temporary folder, and results to record in it. */
#ifndef TESTS_RECORD_FIXTURE_H
#define TESTS_RECORD_FIXTURE_H

#include "record/record_int.h"

#include "base/file.h"
#include "base/str.h"
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char home[64], db[128];

static inline int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/og-record-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	snprintf(db, sizeof(db), "%s/a ?#%%/x.db", home); /* a name that an URI would choke on */
	return 0;
}

static inline int remove_home(void **state)
{
	(void)state;
	return og_remove_tree(home, NULL) == OG_OK ? 0 : -1;
}

static inline void ok(og_status s, const og_error *err)
{
	if (s != OG_OK)
		print_error("status %d: %s\n", s, err->message);
	assert_int_equal(s, OG_OK);
}

static inline og_record *open_db(void)
{
	og_record *r = NULL;
	og_error err = { 0 };
	ok(og_record_open(db, &r, &err), &err);
	return r;
}

/* The single cell of a query, in a static buffer; "NULL" for none. */
static inline const char *ask(og_record *r, const char *sql)
{
	static char out[4][1024];
	static unsigned next;
	char *text = out[next++ % 4];
	og_auto_table *t = NULL;
	og_error err = { 0 };
	ok(og_record_query(r, sql, &t, &err), &err);
	assert_int_equal(t->nrows, 1);
	assert_int_equal(t->ncolumns, 1);
	snprintf(text, sizeof(out[0]), "%s", t->cells[0] ? t->cells[0] : "NULL");
	return text;
}

static onnxgate_file_row files[] = {
	{ "/c/k/config.json", "config", 10, NULL },
	{ "/c/k/model.onnx", "model", 5000000000u, "1111111111111111111111111111111111111111111111111111111111111111" },
};
static onnxgate_check_row checks[] = {
	{ "weights.readback", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "it's \"64\" positions" },
	{ "runtime.finite", ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, __builtin_nan(""), __builtin_inf(), NULL },
};
static onnxgate_attempt_row attempts[] = {
	{ "published", "skipped", ONNXGATE_OK, "no file model.onnx", 1.5 },
	{ "convert", "ok", ONNXGATE_OK, "converted", 250 },
};
static onnxgate_timing_row timings[] = { { "emit", 200 }, { "total", 300.25 } };
static const char *notes[] = { "1 tensor ignored" };

static inline onnxgate_result converted(void)
{
	return (onnxgate_result){ .command = "verify", .model_id = "org/name", .revision = "c0ffee", .requested = { .task = "fill-mask", .opset = 18 },
							  .verdict = ONNXGATE_PASS, .path = "/c/k/model.onnx", .was_converted = true, .onnx_source = "pytorch_conversion",
							  .onnx_conversion_status = "converted", .onnx_conversion_time = "2026-11-24T07:06:43Z", .onnx_local_path = "/c/k/model.onnx",
							  .model_type = "bert", .architecture = "BertForMaskedLM", .task = "fill-mask", .task_reason = "asked for", .dtype = "float32",
							  .opset = 18, .level = ONNXGATE_VALIDATE_RUNTIME, .runtime = "onnxruntime 1.32.0", .runtime_peak = 123456789,
							  .files = files, .nfiles = 2, .checks = checks, .nchecks = 2, .attempts = attempts, .nattempts = 2, .timings = timings,
							  .ntimings = 2, .notes = notes, .nnotes = 1, .error = { .offset = ONNXGATE_NO_OFFSET } };
}

static inline onnxgate_result not_found(void)
{
	onnxgate_result r = { .command = "verify", .model_id = "org/none", .onnx_conversion_status = "failed", .level = ONNXGATE_VALIDATE_RUNTIME };
	r.error.status = ONNXGATE_NOT_FOUND;
	snprintf(r.error.message, sizeof(r.error.message), "org/none: no such repository");
	snprintf(r.error.hint, sizeof(r.error.hint), "set HF_TOKEN if it is private");
	return r;
}

#endif
