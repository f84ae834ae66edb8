/* SPDX-License-Identifier: Apache-2.0
 *
 * convert: a repository's weights or a folder's, into an export folder of the caller's.  Nothing goes through the
 * conversion cache; the folder appears when it is whole and proved. */
#include "job/pipeline.h"

#include "base/clock.h"
#include "job/folder.h"

static og_status resolve(og_run *run, og_error *err)
{
	double t = og_now_ms();
	og_status st = og_origin_open(run->g, run->q->model, true, run->arena, &run->origin, err);
	double ms = og_now_ms() - t;
	og_result_timing(run->r, "resolve", ms);
	if (st == OG_OK)
		og_result_attempt(run->r, "resolve", "ok", st, ms, "%s, %zu files", run->origin->repo ? run->origin->repo->commit : run->origin->dir,
		                  run->origin->nnames);
	else
		og_result_attempt(run->r, "resolve", "failed", st, ms, "%s", err->message);
	return st;
}

static void answer_with(og_run *run, const char *dir, const og_converted *c)
{
	onnxgate_result *r = &run->r->pub;
	char now[32];
	og_rfc3339(og_wall_seconds(), now);
	og_run_describe(run);
	r->was_converted = true;
	r->onnx_source = run->origin->repo ? "pytorch_conversion" : "local";
	r->onnx_conversion_status = "converted";
	r->onnx_conversion_time = og_result_str(run->r, now);
	r->path = r->onnx_local_path = og_result_str(run->r, run->plan->main_file ? og_arena_printf(run->arena, "%s/%s", dir, run->plan->main_file) : dir);
	for (size_t i = 0; i < c->nfiles; i++)
		og_result_file(run->r, og_arena_printf(run->arena, "%s/%s", dir, c->files[i].path), c->files[i].role, c->files[i].size, c->files[i].sha256);
	for (size_t i = 0; i < c->nnotes; i++)
		og_result_note(run->r, "%s", c->notes[i]);
}

static og_status write_folder(og_run *run, og_error *err)
{
	og_auto(og_folder) *f = NULL;
	og_converted c = { 0 };
	OG_TRY(og_run_plan_conversion(run, err));
	OG_TRY(og_run_fetch(run, err));
	OG_TRY(og_folder_begin(run->q->output, run->q->force, &f, err));
	run->r->pub.was_converted = true;
	OG_TRY(og_run_emit(run, og_folder_path(f), &c, err));
	OG_TRY(og_check_cancel(&run->g->ctx, err));
	double t = og_now_ms();
	OG_TRY(og_folder_commit(f, err));
	og_result_timing(run->r, "publish", og_now_ms() - t);
	answer_with(run, og_folder_path(f), &c);
	return OG_OK;
}

static og_status convert(og_run *run, og_error *err)
{
	if (!run->q->output) {
		og_fail(err, ONNXGATE_INVALID, "convert: expected an output folder, found none");
		og_error_hint(err, "say where with --output DIR");
		return ONNXGATE_INVALID;
	}
	OG_TRY(og_run_check_output(run, err));
	OG_TRY(resolve(run, err));
	OG_TRY(og_run_check_output(run, err));
	double t = og_now_ms();
	og_error e = { .offset = ONNXGATE_NO_OFFSET };
	og_status st = write_folder(run, &e);
	og_result_attempt(run->r, "convert", st == OG_OK ? "ok" : "failed", st, og_now_ms() - t, "%s", st == OG_OK ? run->r->pub.path : e.message);
	og_result_checks(run->r, run->checks.rows, run->checks.count);
	if (st == OG_OK)
		st = run->proof, e = run->proof_error;
	if (st != OG_OK && err)
		*err = e;
	return st;
}

og_status og_job_convert(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	og_run run = { 0 };
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_result *r = og_result_new("convert");
	og_auto(og_arena) *arena = og_arena_new();
	*out = NULL;
	if (!r || !arena) {
		og_result_free(r);
		return ONNXGATE_NOMEM;
	}
	og_result_request(r, q);
	og_status st = q->model ? og_run_begin(&run, g, q, r, arena, &err) :
	                          og_fail(&err, ONNXGATE_INVALID, "convert: expected a repository id or a folder, found none");
	if (st == OG_OK)
		st = convert(&run, &err);
	if (st != OG_OK && !r->pub.path) {
		r->pub.onnx_conversion_status = "failed";
		r->pub.was_converted = false;
		r->pub.verdict = st == ONNXGATE_FAILED ? ONNXGATE_FAIL : ONNXGATE_UNKNOWN;
	}
	st = og_result_end(r, st, &err);
	/* The folder is the point here: a database that cannot be written is worth a word, not the result. */
	og_error unrecorded = { .offset = ONNXGATE_NO_OFFSET };
	if (st != ONNXGATE_INVALID && og_gate_record_result(g, r, &unrecorded) != OG_OK)
		og_result_note(r, "not recorded: %s", unrecorded.message);
	*out = &r->pub;
	return st;
}
