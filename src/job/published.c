/* SPDX-License-Identifier: Apache-2.0
 *
 * The first arrow: an ONNX file that the repository itself publishes.  It counts only when it validates and fits
 * the task; a file whose name asks for a dtype is never answered with another one. */
#include "job/pipeline.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "job/fit.h"

/* The name in the listing: as asked, or under onnx/; with the suffix of a dtype that was asked for by option. NULL: none. */
static const char *find_name(og_run *run, const char **looked_for)
{
	size_t stem = 0;
	const char *file = run->file;
	const char *suffix = og_variant_suffix(run->dtype);
	const char *base = og_path_base(file);
	if (!og_variant_dtype(file, &stem) && og_ends_with(file, ".onnx") && suffix && *suffix)
		file = og_arena_printf(run->arena, "%.*s%s.onnx", (int)((size_t)(base - file) + stem), file, suffix);
	const char *below = file && !strchr(file, '/') ? og_arena_printf(run->arena, "onnx/%s", file) : NULL;
	*looked_for = below ? og_arena_printf(run->arena, "%s, %s", file, below) : file;
	if (!suffix)
		return NULL;
	return file && og_origin_has(run->origin, file) ? file : below && og_origin_has(run->origin, below) ? below : NULL;
}

/* model.onnx_data, model.onnx.data, model.onnx_data_1 …: by the habits of exporters, and by what the file names. */
static bool is_data_of(const char *name, const char *model)
{
	size_t n = strlen(model);
	return !strncmp(name, model, n) && (og_starts_with(name + n, "_data") || og_starts_with(name + n, ".data"));
}

static og_status add_file(og_run *run, const char *path, const char *name, const char *role, og_error *err)
{
	const og_hub_file *f = og_hub_repo_find(run->origin->repo, name);
	uint64_t size = 0;
	OG_TRY(og_file_size(path, &size, err));
	og_result_file(run->r, path, role, size, f ? f->sha256 : NULL);
	return OG_OK;
}

static og_status fetch_data(og_run *run, const char *model, const og_fit_facts *facts, og_error *err)
{
	og_origin *o = run->origin;
	const char *local = NULL;
	for (size_t i = 0; i < o->nnames; i++)
		if (is_data_of(o->names[i], model))
			OG_TRY(og_origin_fetch(o, o->names[i], &local, err));
	size_t folder = (size_t)(og_path_base(model) - model);
	for (size_t i = 0; i < facts->ndata; i++) {
		const char *name = og_arena_printf(run->arena, "%.*s%s", (int)folder, model, facts->data[i]);
		if (!name)
			return og_fail_nomem(err);
		if (!og_path_safe(facts->data[i]))
			return og_fail(err, ONNXGATE_UNSAFE, "%s: external data \"%s\": expected a path inside the folder", model, facts->data[i]);
		if (!og_origin_has(o, name))
			return og_fail(err, ONNXGATE_NOT_FOUND, "%s: external data %s: expected in the repository, found no such file", model, name);
		OG_TRY(og_origin_fetch(o, name, &local, err));
	}
	return OG_OK;
}

static og_status list_files(og_run *run, const char *model, const char *path, const og_fit_facts *facts, og_error *err)
{
	og_origin *o = run->origin;
	OG_TRY(add_file(run, path, model, og_ends_with(model, ".onnx") ? "model" : "file", err));
	size_t folder = (size_t)(og_path_base(model) - model);
	for (size_t i = 0; i < o->nnames; i++) {
		bool data = is_data_of(o->names[i], model);
		for (size_t k = 0; !data && k < facts->ndata; k++)
			data = !strncmp(o->names[i], model, folder) && og_streq(o->names[i] + folder, facts->data[k]);
		const char *local = NULL;
		if (!data)
			continue;
		OG_TRY(og_origin_fetch(o, o->names[i], &local, err)); /* it is there: this gives its path */
		OG_TRY(add_file(run, local, o->names[i], "data", err));
	}
	return OG_OK;
}

static void answer_with(og_run *run, const char *model, const char *path, int opset)
{
	onnxgate_result *r = &run->r->pub;
	const char *dtype = run->dtype;
	og_run_describe(run);
	r->path = r->onnx_local_path = og_result_str(run->r, path);
	r->onnx_source = "huggingface";
	r->onnx_conversion_status = "original";
	r->dtype = og_result_str(run->r, dtype ? dtype : "fp32");
	r->opset = opset;
	r->task = r->task ? r->task : og_result_str(run->r, run->q->task);
	run->answer = og_arena_printf(run->arena, "%s is published", model);
}

/* What sentence-transformers publishes, and pools in Python: it is taken for what it is, and that is said. */
static void note_modules(const og_run *run, const char *model, const og_fit_facts *facts)
{
	if (!run->plan || !run->plan->nmodules || og_fit_gives(facts, "sentence_embedding"))
		return;
	og_result_note(run->r, "%s gives tokens, and no sentence_embedding: what modules.json puts behind the transformer is left to the program that runs it "
		"(onnxgate convert makes a file with all of it)", model);
}

/* The plan gives the task and the figures for made-up inputs; a model that we could not convert is judged without. */
static og_status judge_onnx(og_run *run, const char *model, const char *path, const og_fit_facts *facts, og_error *err)
{
	og_status planned = og_run_plan(run, NULL);
	/* MISMATCH: the model type is not the one that was asked for. */
	if (planned == ONNXGATE_CANCELLED || planned == ONNXGATE_NOMEM || planned == ONNXGATE_MISMATCH)
		return og_run_plan(run, err);
	og_fit_wish w = { .task = run->plan ? run->plan->task : run->q->task, .opset = run->q->opset, .vocab_size = run->plan ? run->plan->facts.vocab_size : 0,
		              .plain = run->q->plain };
	og_validation v = { .paths = &path, .npaths = 1, .facts = og_run_facts(run), .level = run->level };
	OG_TRY(og_fit_check(facts, &w, &run->checks, err));
	/* What does not fit need not be run to be refused. */
	if (og_verdict_status(&run->checks, ONNXGATE_VALIDATE_STRUCTURE, true, model, err) != OG_OK)
		return ONNXGATE_FAILED;
	OG_TRY(og_validate(run->g, run->r, &v, &run->checks, err));
	OG_TRY(og_run_judge(run, model, err));
	note_modules(run, model, facts);
	return OG_OK;
}

og_status og_arrow_published(og_run *run, og_error *err)
{
	const char *looked_for = NULL, *path = NULL;
	const char *name = find_name(run, &looked_for);
	og_fit_facts facts = { 0 };
	if (run->convert.variant) {
		run->skipped = og_arena_printf(run->arena, "--%s asks for files that are made here", run->convert.variant);
		return run->skipped ? OG_OK : og_fail_nomem(err);
	}
	if (!name) {
		run->skipped = og_arena_printf(run->arena, "%s: not among the %zu files", looked_for ? looked_for : run->file, run->origin->nnames);
		return OG_OK;
	}
	double t = og_now_ms();
	og_status st = og_origin_fetch(run->origin, name, &path, err);
	if (st == OG_OK && og_ends_with(name, ".onnx"))
		st = og_fit_read(path, run->arena, &facts, err);
	if (st == OG_OK)
		st = fetch_data(run, name, &facts, err);
	og_result_timing(run->r, "download", og_now_ms() - t);
	if (st == OG_OK && og_ends_with(name, ".onnx"))
		st = judge_onnx(run, name, path, &facts, err);
	else if (st == OG_OK)
		run->r->pub.verdict = ONNXGATE_PASS; /* another file: its bytes are all that can be judged, and the download did */
	if (st != OG_OK)
		return st;
	OG_TRY(list_files(run, name, path, &facts, err));
	answer_with(run, name, path, facts.opset);
	return OG_OK;
}
