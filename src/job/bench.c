/* SPDX-License-Identifier: Apache-2.0
 *
 * bench: nothing is measured that was not verified (a repository) or validated (a file or folder) right before. */
#include "bench/bench.h"

#include "base/path.h"
#include "base/str.h"
#include "job/validate.h"

typedef struct bench {
	onnxgate *g;
	const onnxgate_bench_request *q;
	onnxgate_bench_result *r;
	og_arena *arena; /* the result's */
} bench;

static bool is_local(const char *model)
{
	return model[0] == '/' || model[0] == '.' || og_file_exists(model);
}

static og_status prove(bench *b, og_error *err)
{
	onnxgate_request q = b->q->model;
	if (!q.model)
		return og_fail(err, ONNXGATE_INVALID, "bench: expected a repository, a folder or a file, found none");
	og_autofree char *inside = is_local(q.model) && q.file && og_dir_exists(q.model) ? og_path_join(q.model, q.file) : NULL;
	if (inside)
		q.model = inside;
	og_status st = is_local(q.model) ? og_job_check(b->g, &q, &b->r->verified) : og_job_verify(b->g, &q, &b->r->verified);
	if (!b->r->verified)
		return og_fail_nomem(err);
	if (st != OG_OK && err)
		*err = b->r->verified->error;
	return st;
}

/* One file is measured. Of a folder with several it must be said which. */
static og_status find_file(bench *b, const char **out, og_error *err)
{
	const onnxgate_result *v = b->r->verified;
	if (og_ends_with(v->path, ".onnx") && !og_dir_exists(v->path)) {
		*out = v->path;
		return OG_OK;
	}
	og_fail(err, ONNXGATE_INVALID, "%s: expected one .onnx file to measure, found a folder with several", v->path);
	og_error_hint(err, "name one with --model-file");
	return ONNXGATE_INVALID;
}

static og_status measure(bench *b, og_error *err)
{
	const onnxgate_bench_request *q = b->q;
	og_auto(og_runtime) *rt = NULL;
	const char *path = NULL;
	og_runtime_options o = { .helper = b->g->set->runtime_helper, .library = b->g->set->runtime_library };
	OG_TRY(prove(b, err));
	OG_TRY(find_file(b, &path, err));
	OG_TRY(og_bench_host(b->arena, &b->r->host, &b->r->nhost, err));
	OG_TRY(og_runtime_open(&o, &b->g->ctx, &rt, err));
	og_input_facts facts = og_facts_near(path);
	og_bench_plan plan = { .path = path,
		                   .model = b->r->verified->model_id,
		                   .dtype = b->r->verified->dtype,
		                   .hardware = q->hardware,
		                   .batch_sizes = q->batch_sizes,
		                   .nbatch_sizes = q->nbatch_sizes,
		                   .sequence_lengths = q->sequence_lengths,
		                   .nsequence_lengths = q->nsequence_lengths,
		                   .runs = q->runs,
		                   .warmup = q->warmup,
		                   .threads = q->threads,
		                   .facts = &facts };
	OG_TRY(og_bench_run(rt, &plan, &b->g->ctx, b->arena, &b->r->rows, &b->r->nrows, err));
	og_record *rec = NULL;
	OG_TRY(og_gate_record(b->g, &rec, err));
	return og_record_bench(rec, b->r, err);
}

og_status og_job_bench(onnxgate *g, const onnxgate_bench_request *q, onnxgate_bench_result **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_arena *arena = og_arena_new();
	onnxgate_bench_result *r = arena ? og_arena_alloc(arena, sizeof(*r)) : NULL;
	*out = r;
	if (!r) {
		og_arena_free(arena);
		return ONNXGATE_NOMEM;
	}
	r->owner = arena;
	bench b = { .g = g, .q = q, .r = r, .arena = arena };
	og_status st = measure(&b, &err);
	if (st != OG_OK)
		r->error = err;
	r->error.status = st;
	return st;
}
