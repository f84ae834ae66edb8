/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON documents: one function a result struct, one object a document, the members in the order of the schema
 * in schemas/.  A member is never left out: what is not known is null, so that readers need no second way. */
#include "report/report.h"

#include "base/buf.h"

#define NAME_BYTES_MAX 200 /* "onnxgate.COMMAND/1" */

/* ---- parts ---------------------------------------------------------------------------------------------- */

/* "cache ls" → "onnxgate.cache-ls/1" */
static og_json *schema(og_doc *d, const char *command)
{
	og_auto_buf b;
	og_buf_init(&b, NAME_BYTES_MAX);
	og_buf_str(&b, "onnxgate.");
	for (const char *p = command; p && *p; p++)
		og_buf_byte(&b, *p == ' ' ? '-' : (uint8_t)*p);
	og_buf_str(&b, "/1");
	char *text = og_buf_cstr(&b);
	d->failed = d->failed || !text;
	return og_doc_str(d, text);
}

static og_json *error(og_doc *d, const onnxgate_error *e)
{
	if (e->status == ONNXGATE_OK)
		return NULL;
	og_json *o = og_doc_object(d);
	og_doc_set(d, o, "code", og_doc_int(d, og_exit_code(e->status)));
	og_doc_set(d, o, "status", og_doc_str(d, og_status_name(e->status)));
	og_doc_set(d, o, "message", og_doc_str(d, e->message));
	og_doc_set(d, o, "hint", e->hint[0] ? og_doc_str(d, e->hint) : NULL);
	return o;
}

static og_json *positive(og_doc *d, uint64_t v) /* 0 stands for "none" in the structs */
{
	return v ? og_doc_size(d, v) : NULL;
}

static void set_text(og_doc *d, og_json *o, const char *key, const char *s)
{
	og_doc_set(d, o, key, og_doc_str(d, s));
}

/* ---- verify, convert, check ------------------------------------------------------------------------------ */

static og_json *requested(og_doc *d, const onnxgate_result *r)
{
	og_json *o = og_doc_object(d);
	set_text(d, o, "file", r->requested.file);
	set_text(d, o, "type", r->requested.type);
	set_text(d, o, "task", r->requested.task);
	set_text(d, o, "dtype", r->requested.dtype);
	og_doc_set(d, o, "opset", positive(d, r->requested.opset > 0 ? (uint64_t)r->requested.opset : 0));
	return o;
}

static og_json *recorded(og_doc *d, const onnxgate_result *r)
{
	if (!r->recorded)
		return NULL;
	og_json *o = og_doc_object(d);
	set_text(d, o, "url", r->recorded);
	og_doc_set(d, o, "id", og_doc_int(d, r->record_id));
	return o;
}

static og_json *result(og_doc *d, const onnxgate_result *r)
{
	og_json *o = og_doc_object(d);
	og_doc_set(d, o, "schema", schema(d, r->command));
	set_text(d, o, "model_id", r->model_id);
	set_text(d, o, "revision", r->revision);
	og_doc_set(d, o, "requested", requested(d, r));
	set_text(d, o, "verdict", og_verdict_name(r->verdict));
	set_text(d, o, "path", r->path);
	og_doc_set(d, o, "was_converted", og_doc_bool(d, r->was_converted));
	og_doc_set(d, o, "cached", og_doc_bool(d, r->cached));
	set_text(d, o, "onnx_source", r->onnx_source);
	set_text(d, o, "onnx_conversion_status", r->onnx_conversion_status);
	set_text(d, o, "onnx_conversion_time", r->onnx_conversion_time);
	set_text(d, o, "onnx_local_path", r->onnx_local_path);
	set_text(d, o, "model_type", r->model_type);
	set_text(d, o, "architecture", r->architecture);
	set_text(d, o, "task", r->task);
	set_text(d, o, "task_reason", r->task_reason);
	set_text(d, o, "dtype", r->dtype);
	og_doc_set(d, o, "opset", positive(d, r->opset > 0 ? (uint64_t)r->opset : 0));
	set_text(d, o, "level", og_level_name(r->level));
	set_text(d, o, "runtime", r->runtime);
	og_doc_set(d, o, "runtime_peak_bytes", positive(d, r->runtime_peak));
	og_doc_set(d, o, "files", og_doc_files(d, r->files, r->nfiles));
	og_doc_set(d, o, "checks", og_doc_checks(d, r->checks, r->nchecks));
	og_doc_set(d, o, "attempts", og_doc_attempts(d, r->attempts, r->nattempts));
	og_doc_set(d, o, "timings_ms", og_doc_timings(d, r->timings, r->ntimings));
	og_doc_set(d, o, "notes", og_doc_texts(d, r->notes, r->nnotes));
	og_doc_set(d, o, "recorded", recorded(d, r));
	og_doc_set(d, o, "error", error(d, &r->error));
	return o;
}

char *og_report_result(const onnxgate_result *r)
{
	og_doc d = { false };
	return og_doc_text(&d, result(&d, r), true);
}

/* ---- inspect ---------------------------------------------------------------------------------------------- */

static og_json *tensor(og_doc *d, const onnxgate_tensor_row *t)
{
	size_t rank = t->rank < 0 ? 0 : (size_t)t->rank;
	og_json *o = og_doc_object(d), *shape = og_doc_array(d, rank), *strides = t->strided ? og_doc_array(d, rank) : NULL;
	for (size_t i = 0; i < rank && i < OG_COUNT(t->dims); i++) {
		og_doc_add(d, shape, og_doc_int(d, t->dims[i]));
		if (strides)
			og_doc_add(d, strides, og_doc_int(d, t->strides[i]));
	}
	set_text(d, o, "name", t->name);
	set_text(d, o, "dtype", t->dtype);
	og_doc_set(d, o, "shape", shape);
	set_text(d, o, "file", t->file);
	og_doc_set(d, o, "offset", og_doc_size(d, t->offset));
	og_doc_set(d, o, "size", og_doc_size(d, t->size));
	set_text(d, o, "sha256", t->sha256);
	og_doc_set(d, o, "strides", strides);
	return o;
}

static og_json *threats(og_doc *d, const onnxgate_inspection *r)
{
	if (!r->looked)
		return NULL;
	og_json *a = og_doc_array(d, r->nthreats);
	for (size_t i = 0; i < r->nthreats; i++) {
		const onnxgate_threat_row *t = &r->threats[i];
		og_json *o = og_doc_object(d);
		og_doc_set(d, o, "danger", og_doc_bool(d, t->danger));
		set_text(d, o, "kind", t->kind);
		set_text(d, o, "where", t->where);
		og_doc_set(d, o, "offset", og_doc_size(d, t->offset));
		set_text(d, o, "text", t->text);
		og_doc_add(d, a, o);
	}
	return a;
}

static og_json *totals(og_doc *d, const onnxgate_inspection *r)
{
	og_json *a = og_doc_array(d, r->ntotals);
	for (size_t i = 0; i < r->ntotals; i++) {
		og_json *o = og_doc_object(d);
		set_text(d, o, "dtype", r->totals[i].dtype);
		og_doc_set(d, o, "tensors", og_doc_size(d, r->totals[i].tensors));
		og_doc_set(d, o, "elements", og_doc_size(d, r->totals[i].elements));
		og_doc_set(d, o, "bytes", og_doc_size(d, r->totals[i].bytes));
		og_doc_add(d, a, o);
	}
	return a;
}

char *og_report_inspection(const onnxgate_inspection *r, bool tensors)
{
	og_doc d = { false };
	og_json *o = og_doc_object(&d), *list = NULL;
	if (tensors) {
		list = og_doc_array(&d, r->ntensors);
		for (size_t i = 0; i < r->ntensors; i++)
			og_doc_add(&d, list, tensor(&d, &r->tensors[i]));
	}
	og_doc_set(&d, o, "schema", schema(&d, "inspect"));
	set_text(&d, o, "path", r->path);
	set_text(&d, o, "format", r->format);
	og_doc_set(&d, o, "tensor_count", og_doc_size(&d, r->ntensors));
	og_doc_set(&d, o, "totals", totals(&d, r));
	og_doc_set(&d, o, "metadata", og_doc_pairs(&d, r->metadata, r->nmetadata));
	og_doc_set(&d, o, "tensors", list);
	og_doc_set(&d, o, "notes", og_doc_texts(&d, r->notes, r->nnotes));
	og_doc_set(&d, o, "threats", threats(&d, r));
	og_doc_set(&d, o, "dangers", r->looked ? og_doc_size(&d, r->ndangers) : NULL);
	og_doc_set(&d, o, "error", error(&d, &r->error));
	return og_doc_text(&d, o, true);
}

/* ---- bench ------------------------------------------------------------------------------------------------ */

static og_json *latency(og_doc *d, const onnxgate_bench_row *r)
{
	og_json *o = og_doc_object(d);
	og_doc_set(d, o, "mean", og_doc_real(d, r->latency_ms.mean));
	og_doc_set(d, o, "stddev", og_doc_real(d, r->latency_ms.stddev));
	og_doc_set(d, o, "p50", og_doc_real(d, r->latency_ms.p50));
	og_doc_set(d, o, "p90", og_doc_real(d, r->latency_ms.p90));
	og_doc_set(d, o, "p95", og_doc_real(d, r->latency_ms.p95));
	og_doc_set(d, o, "p99", og_doc_real(d, r->latency_ms.p99));
	og_doc_set(d, o, "min", og_doc_real(d, r->latency_ms.min));
	og_doc_set(d, o, "max", og_doc_real(d, r->latency_ms.max));
	return o;
}

static og_json *measured(og_doc *d, const onnxgate_bench_row *r)
{
	og_json *o = og_doc_object(d);
	set_text(d, o, "model", r->model);
	set_text(d, o, "file", r->file);
	set_text(d, o, "execution_provider", r->execution_provider);
	set_text(d, o, "runtime", r->runtime);
	set_text(d, o, "hardware", r->hardware);
	set_text(d, o, "dtype", r->dtype);
	og_doc_set(d, o, "batch_size", og_doc_int(d, r->batch_size));
	og_doc_set(d, o, "sequence_length", og_doc_int(d, r->sequence_length));
	set_text(d, o, "length_of", r->length_of);
	og_doc_set(d, o, "runs", og_doc_int(d, r->runs));
	og_doc_set(d, o, "warmup", og_doc_int(d, r->warmup));
	og_doc_set(d, o, "latency_ms", latency(d, r));
	og_doc_set(d, o, "throughput", og_doc_real(d, r->throughput));
	og_doc_set(d, o, "load_ms", og_doc_real(d, r->load_ms));
	og_doc_set(d, o, "peak_memory_bytes", positive(d, r->peak_memory));
	return o;
}

char *og_report_bench(const onnxgate_bench_result *r)
{
	og_doc d = { false };
	og_json *o = og_doc_object(&d), *rows = og_doc_array(&d, r->nrows);
	for (size_t i = 0; i < r->nrows; i++)
		og_doc_add(&d, rows, measured(&d, &r->rows[i]));
	og_doc_set(&d, o, "schema", schema(&d, "bench"));
	og_doc_set(&d, o, "verified", r->verified ? result(&d, r->verified) : NULL);
	og_doc_set(&d, o, "rows", rows);
	og_doc_set(&d, o, "host", og_doc_pairs(&d, r->host, r->nhost));
	og_doc_set(&d, o, "error", error(&d, &r->error));
	return og_doc_text(&d, o, true);
}

/* ---- metadata, archs, doctor, cache ls, db query ----------------------------------------------------------- */

char *og_report_table(const onnxgate_table *t)
{
	og_doc d = { false };
	og_json *o = og_doc_object(&d), *rows = og_doc_array(&d, t->nrows);
	for (size_t i = 0; i < t->nrows; i++) {
		og_json *row = og_doc_object(&d);
		for (size_t k = 0; k < t->ncolumns; k++)
			set_text(&d, row, t->columns[k], t->cells[i * t->ncolumns + k]);
		og_doc_add(&d, rows, row);
	}
	og_doc_set(&d, o, "schema", schema(&d, t->title));
	og_doc_set(&d, o, "columns", og_doc_texts(&d, t->columns, t->ncolumns));
	og_doc_set(&d, o, "rows", rows);
	og_doc_set(&d, o, "error", error(&d, &t->error));
	return og_doc_text(&d, o, true);
}
