/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions: they check what they are given and call the jobs.  Structs that callers fill carry their
 * size; one from an older header is shorter, and what it does not have is zero, which is the ordinary case. */
#include "job/job.h"

#include "base/pool.h"
#include "base/str.h"
#include "base/table.h"
#include "convert/convert.h"
#include "job/inspect.h"
#include "report/report.h"

const char *onnxgate_version(void)
{
	return ONNXGATE_VERSION;
}

const char *onnxgate_status_name(onnxgate_status s)
{
	return og_status_name(s);
}

int onnxgate_exit_code(onnxgate_status s)
{
	return og_exit_code(s);
}

/* The caller's struct into ours, as much of it as both know. false: the size cannot be meant. */
static bool take(void *ours, size_t ours_size, const void *theirs)
{
	size_t n = 0;
	if (!theirs)
		return false;
	memcpy(&n, theirs, sizeof(n));
	if (n < sizeof(n) || n > 1u << 16)
		return false;
	memset(ours, 0, ours_size);
	memcpy(ours, theirs, n < ours_size ? n : ours_size);
	return true;
}

/* ---- context ---------------------------------------------------------------------------------------- */

onnxgate_status onnxgate_open(const onnxgate_options *o, onnxgate **out, onnxgate_error *err)
{
	onnxgate_options mine = ONNXGATE_OPTIONS_INIT;
	og_auto(og_arena) *arena = og_arena_new();
	onnxgate *g = arena ? og_arena_alloc(arena, sizeof(*g)) : NULL;
	if (!out || (o && !take(&mine, sizeof(mine), o)))
		return og_fail(err, ONNXGATE_INVALID, "onnxgate_open: options without their size, or nowhere to put the context");
	if (!g)
		return og_fail_nomem(err);
	OG_TRY(og_settings_read(&mine, arena, &g->set, err));
	g->ctx = (og_context){ .log = mine.log, .progress = mine.progress, .arg = mine.callback_arg, .cancel = mine.cancel,
		                   .threads = g->set->threads ? g->set->threads : og_cpu_count() };
	for (size_t i = 0; i < g->set->nwarnings; i++)
		og_log(&g->ctx, ONNXGATE_LOG_WARN, "%s", g->set->warnings[i]);
	g->arena = og_steal(&arena);
	*out = g;
	return OG_OK;
}

void onnxgate_close(onnxgate *g)
{
	if (!g)
		return;
	og_record_free(g->record);
	og_cache_free(g->cache);
	og_hub_free(g->hub);
	og_arena_free(g->arena); /* g lives in it */
}

/* ---- verify, convert, check --------------------------------------------------------------------------- */

static onnxgate_status run(onnxgate *g, const onnxgate_request *q, onnxgate_result **out,
                           og_status (*job)(onnxgate *g, const onnxgate_request *q, onnxgate_result **out))
{
	onnxgate_request mine;
	if (out)
		*out = NULL;
	if (!g || !out || !take(&mine, sizeof(mine), q))
		return ONNXGATE_INVALID;
	return job(g, &mine, out);
}

onnxgate_status onnxgate_verify(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	return run(g, q, out, og_job_verify);
}

onnxgate_status onnxgate_convert(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	return run(g, q, out, og_job_convert);
}

onnxgate_status onnxgate_check(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	return run(g, q, out, og_job_check);
}

void onnxgate_result_free(onnxgate_result *r)
{
	if (r)
		og_arena_free(r->owner); /* r lives in it */
}

/* ---- inspect, bench ----------------------------------------------------------------------------------- */

onnxgate_status onnxgate_inspect(onnxgate *g, const onnxgate_inspect_request *q, onnxgate_inspection **out)
{
	onnxgate_inspect_request mine;
	if (out)
		*out = NULL;
	if (!g || !out || !take(&mine, sizeof(mine), q) || !mine.path)
		return ONNXGATE_INVALID;
	return og_job_inspect(g, &mine, out);
}

void onnxgate_inspection_free(onnxgate_inspection *r)
{
	if (r)
		og_arena_free(r->owner); /* r lives in it */
}

onnxgate_status onnxgate_bench(onnxgate *g, const onnxgate_bench_request *q, onnxgate_bench_result **out)
{
	onnxgate_bench_request mine;
	if (out)
		*out = NULL;
	if (!g || !out || !take(&mine, sizeof(mine), q))
		return ONNXGATE_INVALID;
	return og_job_bench(g, &mine, out);
}

void onnxgate_bench_result_free(onnxgate_bench_result *r)
{
	if (!r)
		return;
	onnxgate_result_free(r->verified);
	og_arena_free(r->owner); /* r lives in it */
}

/* ---- tables --------------------------------------------------------------------------------------------- */

/* A table that could not be made is an empty one that carries the error. */
static onnxgate_status give(const char *title, og_status st, const og_error *err, onnxgate_table *const *made, onnxgate_table **out)
{
	onnxgate_table *t = *made;
	if (st != OG_OK && !t && og_table_new(title, NULL, 0, &t, NULL) != OG_OK) {
		*out = NULL;
		return ONNXGATE_NOMEM;
	}
	if (st != OG_OK) {
		t->error = *err;
		t->error.status = st;
	}
	*out = t;
	return st;
}

onnxgate_status onnxgate_metadata(onnxgate *g, const char *model, onnxgate_table **out)
{
	onnxgate_table *t = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (!g || !model || !out)
		return ONNXGATE_INVALID;
	return give("metadata", og_job_metadata(g, model, &t, &err), &err, &t, out);
}

onnxgate_status onnxgate_archs(onnxgate *g, const char *model_type, const char *config, const char *task, onnxgate_table **out)
{
	onnxgate_table *t = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (!g || !out)
		return ONNXGATE_INVALID;
	return give("archs", og_convert_archs(model_type, config, task, &t, &err), &err, &t, out);
}

onnxgate_status onnxgate_doctor(onnxgate *g, onnxgate_table **out)
{
	onnxgate_table *t = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (!g || !out)
		return ONNXGATE_INVALID;
	return give("doctor", og_job_doctor(g, &t, &err), &err, &t, out);
}

onnxgate_status onnxgate_cache_list(onnxgate *g, onnxgate_table **out)
{
	onnxgate_table *t = NULL;
	og_cache *cache = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (!g || !out)
		return ONNXGATE_INVALID;
	og_status st = og_gate_cache(g, &cache, &err);
	if (st == OG_OK)
		st = og_cache_list(cache, &t, &err);
	return give("cache ls", st, &err, &t, out);
}

onnxgate_status onnxgate_db_query(onnxgate *g, const char *sql, onnxgate_table **out)
{
	onnxgate_table *t = NULL;
	og_record *rec = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	if (!g || !out)
		return ONNXGATE_INVALID;
	og_status st = og_gate_record(g, &rec, &err);
	if (st == OG_OK)
		st = og_record_query(rec, sql, &t, &err);
	return give("db query", st, &err, &t, out);
}

void onnxgate_table_free(onnxgate_table *t)
{
	og_table_free(t);
}

/* ---- documents -------------------------------------------------------------------------------------------- */

char *onnxgate_result_json(const onnxgate_result *r)
{
	return r ? og_report_result(r) : NULL;
}

char *onnxgate_inspection_json(const onnxgate_inspection *r, bool tensors)
{
	return r ? og_report_inspection(r, tensors) : NULL;
}

char *onnxgate_bench_json(const onnxgate_bench_result *r)
{
	return r ? og_report_bench(r) : NULL;
}

char *onnxgate_table_json(const onnxgate_table *t)
{
	return t ? og_report_table(t) : NULL;
}

void onnxgate_text_free(char *text)
{
	og_free(text);
}
