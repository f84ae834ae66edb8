/* SPDX-License-Identifier: Apache-2.0
 *
 * Results as rows of the tables of migrations/: one function a table. */
#include "record/record_int.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/rows.h"

#define TEXT(column, s) { column, og_value_text(s) }
#define INT(column, v) { column, og_value_int(v) }
#define POSITIVE(column, v) { column, og_value_positive(v) }
#define BOOL(column, v) { column, og_value_bool(v) }
#define REAL(column, v) { column, og_value_real(v) }

static int64_t bytes(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static og_status model(og_record *r, const char *id, const char *type, const char *architecture, const char *now, og_error *err)
{
	static const char sql[] = "INSERT INTO models (model_id, model_name, model_type, architecture, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?) "
							  "ON CONFLICT (model_id) DO UPDATE SET model_type = COALESCE(excluded.model_type, models.model_type), "
							  "architecture = COALESCE(excluded.architecture, models.architecture), last_seen = excluded.last_seen";
	if (!id || !id[0])
		return og_fail(err, ONNXGATE_INVALID, "record: the run names no model");
	const og_value v[] = { og_value_text(id),           og_value_text(og_path_base(id)), og_value_text(type),
						   og_value_text(architecture), og_value_text(now),              og_value_text(now) };
	return r->ops->run(r, sql, v, OG_COUNT(v), NULL, err);
}

/* ---- verifications ------------------------------------------------------------------------------------ */

typedef struct documents { /* the columns that are JSON */
	char *files, *checks, *attempts, *timings, *notes;
} documents;

static void documents_free(documents *d)
{
	og_free(d->files);
	og_free(d->checks);
	og_free(d->attempts);
	og_free(d->timings);
	og_free(d->notes);
}

static og_status documents_make(const onnxgate_result *x, documents *out, og_error *err)
{
	og_doc d = { false };
	out->files = og_doc_text(&d, og_doc_files(&d, x->files, x->nfiles), false);
	out->checks = og_doc_text(&d, og_doc_checks(&d, x->checks, x->nchecks), false);
	out->attempts = og_doc_text(&d, og_doc_attempts(&d, x->attempts, x->nattempts), false);
	out->timings = og_doc_text(&d, og_doc_timings(&d, x->timings, x->ntimings), false);
	out->notes = og_doc_text(&d, og_doc_texts(&d, x->notes, x->nnotes), false);
	return d.failed ? og_fail_nomem(err) : OG_OK;
}

static og_value total_ms(const onnxgate_result *x)
{
	for (size_t i = 0; i < x->ntimings; i++)
		if (og_streq(x->timings[i].name, "total"))
			return og_value_real(x->timings[i].ms);
	return (og_value){ .kind = OG_VALUE_NULL };
}

static og_status verification(og_record *r, const onnxgate_result *x, const char *now, const documents *d, int64_t *id, og_error *err)
{
	bool failed = x->error.status != OG_OK;
	const og_cell row[] = {
		TEXT("run_time", now),
		TEXT("command", x->command),
		TEXT("model_id", x->model_id),
		TEXT("revision", x->revision),
		TEXT("requested_file", x->requested.file),
		TEXT("requested_type", x->requested.type),
		TEXT("requested_task", x->requested.task),
		TEXT("requested_dtype", x->requested.dtype),
		POSITIVE("requested_opset", x->requested.opset),
		TEXT("status", og_status_name(x->error.status)),
		INT("exit_code", og_exit_code(x->error.status)),
		TEXT("error_message", failed ? x->error.message : NULL),
		TEXT("error_hint", failed && x->error.hint[0] ? x->error.hint : NULL),
		TEXT("verdict", og_verdict_name(x->verdict)),
		TEXT("level", og_level_name(x->level)),
		TEXT("path", x->path),
		BOOL("was_converted", x->was_converted),
		BOOL("cached", x->cached),
		TEXT("onnx_source", x->onnx_source),
		TEXT("onnx_conversion_status", x->onnx_conversion_status),
		TEXT("onnx_conversion_time", x->onnx_conversion_time),
		TEXT("onnx_local_path", x->onnx_local_path),
		TEXT("model_type", x->model_type),
		TEXT("architecture", x->architecture),
		TEXT("task", x->task),
		TEXT("task_reason", x->task_reason),
		TEXT("dtype", x->dtype),
		POSITIVE("opset", x->opset),
		TEXT("runtime", x->runtime),
		POSITIVE("runtime_peak_bytes", bytes(x->runtime_peak)),
		{ "total_ms", total_ms(x) },
		TEXT("files", d->files),
		TEXT("checks", d->checks),
		TEXT("attempts", d->attempts),
		TEXT("timings_ms", d->timings),
		TEXT("notes", d->notes),
		TEXT("program_version", ONNXGATE_VERSION),
	};
	return og_record_insert(r, "verifications", row, OG_COUNT(row), id, err);
}

/* ---- onnx_conversions --------------------------------------------------------------------------------- */

static const char *local_path(const onnxgate_result *x)
{
	const char *p = x->onnx_local_path ? x->onnx_local_path : x->path;
	return p ? p : "";
}

static const char *asked_file(const onnxgate_result *x)
{
	if (x->requested.file)
		return x->requested.file;
	return og_ends_with(local_path(x), ".onnx") ? og_path_base(local_path(x)) : "model.onnx";
}

/* The graph that the path names, else the first. */
static const onnxgate_file_row *graph_file(const onnxgate_result *x)
{
	const onnxgate_file_row *first = NULL;
	for (size_t i = 0; i < x->nfiles; i++) {
		if (og_streq(x->files[i].path, local_path(x)))
			return &x->files[i];
		if (!first && og_ends_with(x->files[i].path, ".onnx"))
			first = &x->files[i];
	}
	return first;
}

static int64_t onnx_bytes(const onnxgate_result *x)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < x->nfiles; i++)
		if (og_ends_with(x->files[i].path, ".onnx") || og_ends_with(x->files[i].path, ".onnx_data"))
			if (!og_add_u64(sum, x->files[i].size, &sum))
				return INT64_MAX;
	return bytes(sum);
}

static char *conversion_config(const onnxgate_result *x)
{
	og_doc d = { false };
	og_json *o = og_doc_object(&d);
	og_doc_set(&d, o, "model_type", og_doc_str(&d, x->model_type));
	og_doc_set(&d, o, "architecture", og_doc_str(&d, x->architecture));
	og_doc_set(&d, o, "task", og_doc_str(&d, x->task));
	og_doc_set(&d, o, "dtype", og_doc_str(&d, x->dtype));
	og_doc_set(&d, o, "opset_version", x->opset > 0 ? og_doc_int(&d, x->opset) : NULL);
	return og_doc_text(&d, o, false);
}

/* A run that fails before anything was converted (no such repo) is no failed conversion. */
static bool conversion_failed(const onnxgate_result *x)
{
	if (!og_streq(x->onnx_conversion_status, "failed"))
		return false;
	for (size_t i = 0; i < x->nattempts; i++)
		if (og_starts_with(x->attempts[i].step, "convert") && !og_streq(x->attempts[i].outcome, "skipped"))
			return true;
	return false;
}

static og_status used_again(og_record *r, const onnxgate_result *x, const char *now, int64_t *id, og_error *err)
{
	static const char sql[] = "UPDATE onnx_conversions SET last_used = ?, use_count = use_count + 1 WHERE id = (SELECT max(id) FROM onnx_conversions "
							  "WHERE model_id = ? AND local_path = ? AND conversion_success) RETURNING id";
	const og_value v[] = { og_value_text(now), og_value_text(x->model_id), og_value_text(local_path(x)) };
	return r->ops->run(r, sql, v, OG_COUNT(v), id, err);
}

static og_status conversion(og_record *r, const onnxgate_result *x, const char *now, int64_t verification_id, og_error *err)
{
	bool good = x->was_converted;
	if (!good && !conversion_failed(x))
		return OG_OK;
	int64_t id = 0;
	if (good && x->cached)
		OG_TRY(used_again(r, x, now, &id, err));
	if (id) /* else it was made before this database was */
		return OG_OK;
	og_autofree char *config = conversion_config(x);
	if (!config)
		return og_fail_nomem(err);
	const onnxgate_file_row *graph = graph_file(x);
	const og_cell row[] = {
		TEXT("model_id", x->model_id),
		TEXT("model_type", x->model_type),
		TEXT("onnx_path", asked_file(x)),
		TEXT("local_path", good ? local_path(x) : ""),
		TEXT("conversion_time", x->onnx_conversion_time ? x->onnx_conversion_time : now),
		TEXT("conversion_config", config),
		BOOL("conversion_success", good),
		TEXT("error_message", x->error.status != OG_OK ? x->error.message : NULL),
		POSITIVE("opset_version", x->opset),
		POSITIVE("file_size_bytes", onnx_bytes(x)),
		TEXT("verification_status", og_verdict_name(x->verdict)),
		TEXT("last_used", now),
		INT("use_count", 1),
		TEXT("commit", x->revision),
		TEXT("sha256", graph ? graph->sha256 : NULL),
		TEXT("converter_version", "onnxgate/" ONNXGATE_VERSION),
		INT("verification_id", verification_id),
	};
	return og_record_insert(r, "onnx_conversions", row, OG_COUNT(row), &id, err);
}

static og_status result_rows(og_record *r, const onnxgate_result *x, const char *now, int64_t *id, og_error *err)
{
	__attribute__((cleanup(documents_free))) documents d = { NULL, NULL, NULL, NULL, NULL };
	OG_TRY(documents_make(x, &d, err));
	OG_TRY(model(r, x->model_id, x->model_type, x->architecture, now, err));
	OG_TRY(verification(r, x, now, &d, id, err));
	return conversion(r, x, now, *id, err);
}

og_status og_record_rows_result(og_record *r, const onnxgate_result *x, int64_t *id, og_error *err)
{
	char now[32];
	og_rfc3339(og_wall_seconds(), now);
	return result_rows(r, x, now, id, err);
}

/* ---- performance_results ------------------------------------------------------------------------------ */

static og_status performance(og_record *r, const onnxgate_bench_row *b, const onnxgate_result *v, int64_t verification_id, const char *host,
							 const char *now, og_error *err)
{
	static const onnxgate_result none = { 0 };
	if (!v)
		v = &none;
	const og_cell row[] = {
		TEXT("run_time", now),
		TEXT("model_id", v->model_id ? v->model_id : b->model),
		TEXT("revision", v->revision),
		TEXT("file", b->file),
		TEXT("hardware", b->hardware),
		TEXT("execution_provider", b->execution_provider),
		TEXT("runtime_version", b->runtime),
		TEXT("dtype", b->dtype),
		INT("batch_size", b->batch_size),
		INT("sequence_length", b->sequence_length),
		INT("runs", b->runs),
		INT("warmup", b->warmup),
		REAL("latency_mean_ms", b->latency_ms.mean),
		REAL("latency_stddev_ms", b->latency_ms.stddev),
		REAL("latency_p50_ms", b->latency_ms.p50),
		REAL("latency_p90_ms", b->latency_ms.p90),
		REAL("latency_p95_ms", b->latency_ms.p95),
		REAL("latency_p99_ms", b->latency_ms.p99),
		REAL("latency_min_ms", b->latency_ms.min),
		REAL("latency_max_ms", b->latency_ms.max),
		REAL("throughput", b->throughput),
		REAL("load_ms", b->load_ms),
		POSITIVE("peak_memory_bytes", bytes(b->peak_memory)),
		TEXT("host", host),
		TEXT("onnx_source", v->onnx_source),
		TEXT("onnx_conversion_status", v->onnx_conversion_status),
		TEXT("onnx_conversion_time", v->onnx_conversion_time),
		TEXT("onnx_local_path", v->onnx_local_path),
		POSITIVE("verification_id", verification_id),
		TEXT("program_version", ONNXGATE_VERSION),
	};
	int64_t id = 0;
	return og_record_insert(r, "performance_results", row, OG_COUNT(row), &id, err);
}

og_status og_record_rows_bench(og_record *r, const onnxgate_bench_result *x, og_error *err)
{
	const onnxgate_result *v = x->verified;
	char now[32];
	og_rfc3339(og_wall_seconds(), now);
	og_doc d = { false };
	og_autofree char *host = og_doc_text(&d, og_doc_pairs(&d, x->host, x->nhost), false);
	if (!host)
		return og_fail_nomem(err);
	/* What was measured is recorded once: by the verification that came before, or here. */
	int64_t verification_id = v && og_streq(v->recorded, r->url) ? v->record_id : 0;
	if (v && v->model_id && !verification_id)
		OG_TRY(result_rows(r, v, now, &verification_id, err));
	for (size_t i = 0; i < x->nrows; i++) {
		if (!v || !v->model_id)
			OG_TRY(model(r, x->rows[i].model, NULL, NULL, now, err));
		OG_TRY(performance(r, &x->rows[i], v, verification_id, host, now, err));
	}
	return OG_OK;
}
