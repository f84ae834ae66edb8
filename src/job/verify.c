/* SPDX-License-Identifier: Apache-2.0
 *
 * verify: the walk, a copy where one is asked for, and the record, which every run leaves. */
#include "job/pipeline.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "job/folder.h"

/* ---- --output: the answer's files once more, in a folder of the caller's --------------------------------- */

/* The path below the folder that all files of the answer share. */
static const char *below(const char *root, const char *path)
{
	size_t n = strlen(root);
	return !strncmp(path, root, n) && path[n] == '/' ? path + n + 1 : og_path_base(path);
}

/* A published file lies at <snapshot>/<name>, a conversion in the cache's entry: in both cases the first file's folder. */
static og_status copy_out(og_run *run, og_error *err)
{
	onnxgate_result *r = &run->r->pub;
	og_auto(og_folder) *f = NULL;
	const char *root = run->origin->dir;
	if (r->was_converted) {
		size_t n = strlen(r->path) - (run->plan->main_file ? strlen(run->plan->main_file) + 1 : 0);
		root = og_arena_strndup(run->arena, r->path, n);
	}
	OG_TRY(og_folder_begin(run->q->output, run->q->force, &f, err));
	double t = og_now_ms();
	for (size_t i = 0; i < r->nfiles; i++) {
		og_autofree char *to = og_path_join(og_folder_path(f), below(root, r->files[i].path));
		og_autofree char *dir = to ? og_path_dir(to) : NULL;
		if (!dir)
			return og_fail_nomem(err);
		OG_TRY(og_check_cancel(&run->g->ctx, err));
		OG_TRY(og_mkdirs(dir, err));
		OG_TRY(og_file_copy(r->files[i].path, to, err));
	}
	OG_TRY(og_folder_commit(f, err));
	const char *first = r->path ? below(root, r->path) : NULL;
	for (size_t i = 0; i < r->nfiles; i++)
		r->files[i].path = og_result_str(run->r, og_arena_printf(run->arena, "%s/%s", og_folder_path(f), below(root, r->files[i].path)));
	r->path = og_result_str(run->r, og_streq(r->path, root) ? og_folder_path(f) : og_arena_printf(run->arena, "%s/%s", og_folder_path(f), first));
	og_result_timing(run->r, "copy", og_now_ms() - t);
	return OG_OK;
}

/* ---- the run ------------------------------------------------------------------------------------------ */

static og_status verify(og_run *run, og_error *err)
{
	const onnxgate_request *q = run->q;
	if (q->output)
		OG_TRY(og_run_check_output(run, err));
	og_status st = og_pipeline_walk(run, err);
	if (q->output && run->r->pub.path) {
		og_error e = { 0 };
		og_status copied = copy_out(run, &e);
		if (copied != OG_OK) {
			if (err)
				*err = e;
			return copied;
		}
	}
	return st;
}

/* What a result says when there is no answer. */
static void clear_answer(onnxgate_result *r, og_status st)
{
	r->path = r->onnx_local_path = NULL;
	r->verdict = st == ONNXGATE_FAILED ? ONNXGATE_FAIL : ONNXGATE_UNKNOWN;
	r->was_converted = r->cached = false;
	r->onnx_source = NULL;
	r->onnx_conversion_status = "failed";
	r->onnx_conversion_time = NULL;
	r->nfiles = 0;
}

og_status og_job_verify(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	og_run run = { 0 };
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_result *r = og_result_new("verify");
	og_auto(og_arena) *arena = og_arena_new();
	*out = NULL;
	if (!r || !arena) {
		og_result_free(r);
		return ONNXGATE_NOMEM;
	}
	og_result_request(r, q);
	og_status st = q->model ? og_run_begin(&run, g, q, r, arena, &err) : og_fail(&err, ONNXGATE_INVALID, "verify: expected a repository id, found none");
	if (st == OG_OK)
		st = verify(&run, &err);
	if (st != OG_OK && (st != run.proof || !r->pub.path))
		clear_answer(&r->pub, st);
	st = og_result_end(r, st, &err);
	/* A call that was wrong is no run; everything else is recorded. */
	og_error unrecorded = { .offset = ONNXGATE_NO_OFFSET };
	og_status recorded = st == ONNXGATE_INVALID ? OG_OK : og_gate_record_result(g, r, &unrecorded);
	if (recorded != OG_OK && st == OG_OK)
		st = og_result_end(r, recorded, &unrecorded);
	else if (recorded != OG_OK)
		og_result_note(r, "not recorded: %s", unrecorded.message);
	*out = &r->pub;
	return st;
}
