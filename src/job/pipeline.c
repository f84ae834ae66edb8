/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over the arrows, and what they share: the plan (made once) and the judgement.
 *
 *   published ──▸ cached ──▸ convert
 *
 * A want of memory, an interruption and our own faults end the walk; everything else lets the next arrow try. */
#include "job/pipeline.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "job/folder.h"

static const struct {
	const char *suffix, *dtype;
} variants[] = {
	/* The first row of a dtype is the name that is looked for when the dtype is asked for by option. */
	{ "_fp16", "fp16" },  { "_bf16", "bf16" }, { "_int8", "int8" },   { "_quantized", "int8" }, { "_uint8", "uint8" },
	{ "_q4f16", "q4f16" }, { "_q4", "q4" },    { "_bnb4", "bnb4" },
};

const char *og_variant_dtype(const char *file, size_t *stem_len)
{
	const char *base = og_path_base(file);
	size_t n = strlen(base);
	if (og_ends_with(base, ".onnx"))
		n -= 5;
	*stem_len = n;
	for (size_t i = 0; i < OG_COUNT(variants); i++) {
		size_t k = strlen(variants[i].suffix);
		if (n > k && !strncmp(base + n - k, variants[i].suffix, k)) {
			*stem_len = n - k;
			return variants[i].dtype;
		}
	}
	/* model_qint8_avx512_vnni.onnx and its like: quantised for one kind of processor. */
	const char *q = strstr(base, "_qint8"), *u = strstr(base, "_quint8");
	if (q || u)
		*stem_len = (size_t)((q ? q : u) - base);
	return q ? "int8" : u ? "uint8" : NULL;
}

const char *og_variant_suffix(const char *dtype)
{
	if (!dtype || og_streq(dtype, "fp32"))
		return "";
	for (size_t i = 0; i < OG_COUNT(variants); i++)
		if (og_streq(variants[i].dtype, dtype))
			return variants[i].suffix;
	return NULL;
}

og_status og_run_begin(og_run *run, onnxgate *g, const onnxgate_request *q, og_result *r, og_arena *arena, og_error *err)
{
	size_t stem = 0;
	*run = (og_run){ .g = g, .q = q, .r = r, .arena = arena };
	run->level = r->pub.level;
	run->file = q->file ? q->file : "model.onnx";
	const char *named = og_variant_dtype(run->file, &stem);
	run->dtype = q->dtype ? q->dtype : named;
	if (!og_path_safe(run->file))
		return og_fail(err, ONNXGATE_INVALID, "file \"%s\": expected a relative path inside the repository", run->file);
	if (run->level == ONNXGATE_VALIDATE_REFERENCE) {
		og_fail(err, ONNXGATE_INVALID, "validation level reference: expected none, structure or runtime: no reference is given with this call");
		return ONNXGATE_INVALID;
	}
	if (q->split && q->with_mask)
		return og_fail(err, ONNXGATE_INVALID, "split and with-mask: expected at most one, no model has files of both kinds");
	if (q->dtype && named && !og_streq(q->dtype, named)) {
		og_fail(err, ONNXGATE_INVALID, "file %s asks for %s by its name, but the dtype asked for is %s", run->file, named, q->dtype);
		og_error_hint(err, "leave out one of --file and --dtype");
		return ONNXGATE_INVALID;
	}
	run->convert = (og_convert_options){ .type = q->type,
		                                 .task = q->task,
		                                 .dtype = run->dtype,
		                                 .layout = q->layout,
		                                 .external_data = q->external_data,
		                                 .opset = q->opset,
		                                 .digest = !og_streq(q->digest, "none"),
		                                 .allow_unexpected = q->allow_unexpected,
		                                 .plain = q->plain,
		                                 .half_io = q->fp16_io,
		                                 .variant = q->split ? "split" : q->with_mask ? "with-mask" : NULL };
	og_checks_init(&run->checks, arena);
	return OG_OK;
}

og_status og_run_check_output(const og_run *run, og_error *err)
{
	const onnxgate_request *q = run->q;
	const struct {
		const char *path, *what;
	} kept[] = {
		{ run->origin && !run->origin->repo ? run->origin->id : NULL, "the folder that is converted" },
		{ run->g->set->home, "the cache of conversions" },
		{ run->g->set->hub_cache, "the Hub's cache" },
		{ ".", "the working folder" },
	};
	OG_TRY(og_folder_check(q->output, q->force, err));
	for (size_t i = 0; q->force && i < OG_COUNT(kept); i++)
		if (kept[i].path)
			OG_TRY(og_folder_spares(q->output, kept[i].path, kept[i].what, err));
	return OG_OK;
}

og_status og_run_plan(og_run *run, og_error *err)
{
	if (!run->planned) {
		run->planned = true;
		run->plan_status = og_origin_fetch_config(run->origin, &run->plan_error);
		if (run->plan_status == OG_OK)
			run->plan_status = og_convert_plan(run->origin->dir, &run->convert, run->arena, &run->plan, &run->plan_error);
	}
	if (run->plan_status != OG_OK && err)
		*err = run->plan_error;
	return run->plan_status;
}

og_status og_run_plan_conversion(og_run *run, og_error *err)
{
	bool needs = false;
	if (og_run_plan(run, NULL) == OG_OK || !run->origin->repo || !run->origin->dir)
		return og_run_plan(run, err);
	if (og_convert_needs_names(run->origin->dir, &run->convert, &needs, NULL) != OG_OK || !needs)
		return og_run_plan(run, err);
	OG_TRY(og_run_fetch(run, err));
	run->planned = false;
	return og_run_plan(run, err);
}

og_input_facts og_run_facts(const og_run *run)
{
	const og_plan *p = run->plan;
	return p ? p->facts : OG_INPUT_FACTS_NONE;
}

void og_run_describe(og_run *run)
{
	onnxgate_result *r = &run->r->pub;
	const og_plan *p = run->plan;
	const og_hub_repo *repo = run->origin ? run->origin->repo : NULL;
	if (run->origin)
		r->model_id = og_result_str(run->r, run->origin->id);
	if (repo) {
		r->revision = og_result_str(run->r, repo->commit);
		r->model_type = og_result_str(run->r, repo->model_type);
		r->architecture = og_result_str(run->r, repo->architecture);
	}
	if (!p)
		return;
	r->model_type = og_result_str(run->r, p->model_type);
	r->architecture = og_result_str(run->r, p->architecture);
	r->task = og_result_str(run->r, p->task);
	r->task_reason = og_result_str(run->r, p->task_reason);
	r->dtype = og_result_str(run->r, p->dtype);
	r->opset = p->opset;
	for (size_t i = 0; i < p->nnotes; i++)
		og_result_note(run->r, "%s", p->notes[i]);
}

og_status og_run_judge(og_run *run, const char *what, og_error *err)
{
	og_status st = og_verdict_status(&run->checks, run->level, false, what, &run->proof_error);
	if (st == ONNXGATE_FAILED) {
		if (err)
			*err = run->proof_error;
		return st;
	}
	run->r->pub.verdict = st == OG_OK ? ONNXGATE_PASS : ONNXGATE_UNKNOWN;
	const og_plan *p = run->plan;
	bool converted = run->r->pub.was_converted;
	for (size_t i = 0; converted && p && i < p->nunknown_keys; i++)
		og_result_note(run->r, "config.json: key \"%s\" is not understood", p->unknown_keys[i]);
	if (converted && p && p->nunknown_keys && !run->q->allow_unknown_keys) {
		run->r->pub.verdict = ONNXGATE_UNKNOWN;
		if (st == OG_OK) {
			st = og_fail(&run->proof_error, ONNXGATE_UNSUPPORTED, "%s: config.json: %zu keys are not understood, the first is \"%s\"", what, p->nunknown_keys,
			             p->unknown_keys[0]);
			og_error_hint(&run->proof_error, "when they change nothing that the model computes, allow them with --allow-unknown-keys");
		}
	}
	run->proof = run->q->allow_unknown ? OG_OK : st;
	return OG_OK;
}

/* ---- the walk ------------------------------------------------------------------------------------- */

static const struct {
	const char *step;
	og_status (*walk)(og_run *run, og_error *err);
} arrows[] = {
	{ "published", og_arrow_published },
	{ "cached", og_arrow_cached },
	{ "convert", og_arrow_convert },
};

static og_status resolve(og_run *run, og_error *err)
{
	double t = og_now_ms();
	og_status st = og_origin_open(run->g, run->q->model, false, run->arena, &run->origin, err);
	double ms = og_now_ms() - t;
	og_result_timing(run->r, "resolve", ms);
	if (st != OG_OK)
		og_result_attempt(run->r, "resolve", "failed", st, ms, "%s", err->message);
	else
		og_result_attempt(run->r, "resolve", "ok", st, ms, "commit %s, %zu files%s", run->origin->repo->commit, run->origin->nnames,
		                  run->origin->repo->from_cache ? ", from the cache" : "");
	if (st != OG_OK)
		return st;
	og_run_describe(run);
	if (run->origin->repo->partial)
		og_result_note(run->r, "the listing is that of a cached snapshot: the commit may hold files that are not known here");
	return OG_OK;
}

static bool ends_walk(og_status st)
{
	return st == ONNXGATE_CANCELLED || st == ONNXGATE_NOMEM || st == ONNXGATE_INTERNAL;
}

static og_status nothing_applied(og_run *run, og_error *err)
{
	const onnxgate_result *r = &run->r->pub;
	og_fail(err, ONNXGATE_NOT_FOUND, "%s@%.12s: no ONNX file and nothing to convert: published: %s; convert: %s", run->origin->id, run->origin->repo->commit,
	        r->attempts[1].detail, r->attempts[r->nattempts - 1].detail);
	og_error_hint(err, "onnxgate metadata %s lists what the repository holds", run->origin->id);
	return ONNXGATE_NOT_FOUND;
}

og_status og_pipeline_walk(og_run *run, og_error *err)
{
	og_error last = { 0 };
	OG_TRY(resolve(run, err));
	for (size_t i = 0; i < OG_COUNT(arrows); i++) {
		og_error e = { .offset = ONNXGATE_NO_OFFSET };
		double t = og_now_ms();
		run->skipped = run->answer = NULL;
		run->proof = OG_OK;
		og_checks_init(&run->checks, run->arena);
		og_log(&run->g->ctx, ONNXGATE_LOG_DEBUG, "trying: %s", arrows[i].step);
		og_status st = arrows[i].walk(run, &e);
		double ms = og_now_ms() - t;
		if (st != OG_OK) {
			og_result_attempt(run->r, arrows[i].step, "failed", st, ms, "%s", e.message);
			/* Of the last one the caller hears anyway. */
			bool last_one = ends_walk(st) || i + 1 == OG_COUNT(arrows);
			og_log(&run->g->ctx, last_one ? ONNXGATE_LOG_DEBUG : ONNXGATE_LOG_INFO, "%s: %s", arrows[i].step, e.message);
			last = e;
			last.status = st;
			if (ends_walk(st))
				break;
		} else if (run->skipped) {
			og_result_attempt(run->r, arrows[i].step, "skipped", OG_OK, ms, "%s", run->skipped);
		} else {
			og_result_attempt(run->r, arrows[i].step, "ok", OG_OK, ms, "%s", run->answer ? run->answer : "");
			og_result_checks(run->r, run->checks.rows, run->checks.count);
			if (run->proof != OG_OK && err)
				*err = run->proof_error;
			return run->proof;
		}
	}
	if (last.status == OG_OK)
		return nothing_applied(run, err);
	if (err)
		*err = last;
	return last.status;
}
