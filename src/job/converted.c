/* SPDX-License-Identifier: Apache-2.0
 *
 * Two arrows: a conversion that is in the cache, and one that is made now.  Both need the plan, which needs
 * config.json alone; the key needs digests that the listing has, so a hit reads no weights at all. */
#include "job/pipeline.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"


/* Everything that changes bytes or that decided whether the conversion was accepted. */
static og_status make_key(og_run *run, char out[65], og_error *err)
{
	const og_plan *p = run->plan;
	og_cache_source *sources = NULL;
	size_t n = 0;
	OG_TRY(og_origin_sources(run->origin, &sources, &n, err));
	const char *external = run->q->external_data ? run->q->external_data : "auto";
	/* An asked type can decide how a config without a model_type is read. */
	const char *options = og_arena_printf(run->arena, "external_data=%s;provenance=1;allow_unexpected=%d%s%s%s%s%s%s", external,
	                                      run->q->allow_unexpected, run->q->type ? ";type=" : "", run->q->type ? run->q->type : "",
	                                      p->nmodules ? ";sentence=1" : "", p->variant ? ";variant=" : "", p->variant ? p->variant : "",
	                                      p->half_io ? ";fp16_io=1" : "");
	if (!options)
		return og_fail_nomem(err);
	og_cache_key_facts f = { .repo_id = run->origin->id,
		                     .revision = run->origin->repo ? run->origin->repo->commit : NULL,
		                     .sources = sources,
		                     .nsources = n,
		                     .task = p->task,
		                     .dtype = p->dtype,
		                     .layout = p->layout,
		                     .options = options,
		                     .opset = p->opset,
		                     .architecture = p->architecture,
		                     .architecture_revision = p->revision };
	return og_cache_key(&f, out, err);
}

/* The asked file is the plan's main file under any variant name, or the default name of a task with several. */
static og_status check_file(og_run *run, og_error *err)
{
	const og_plan *p = run->plan;
	size_t n = 0;
	if (!run->q->file)
		return OG_OK;
	og_variant_dtype(run->file, &n);
	const char *base = og_path_base(run->file), *made = p->main_file ? og_path_base(p->main_file) : "model.onnx";
	if (!strncmp(base, made, n) && og_streq(made + n, ".onnx"))
		return OG_OK;
	og_fail(err, ONNXGATE_NOT_FOUND, "%s: not published, and the conversion of %s for %s writes %s", run->file, run->origin->id, p->task,
	        p->main_file ? p->main_file : "several files, which are taken together");
	og_error_hint(err, "leave out --file%s", p->main_file ? "; onnxgate archs lists what is made on request" : ": the folder is the answer");
	return ONNXGATE_NOT_FOUND;
}

/* ---- an entry of the cache as the answer ------------------------------------------------------------ */

static og_status model_paths(og_run *run, const char *dir, const onnxgate_file_row *files, size_t n, const char ***out, size_t *count, og_error *err)
{
	const char **paths = og_arena_array(run->arena, n + 1, sizeof(*paths));
	if (!paths)
		return og_fail_nomem(err);
	*count = 0;
	for (size_t i = 0; i < n; i++)
		if (og_ends_with(files[i].path, ".onnx") && !(paths[(*count)++] = og_arena_printf(run->arena, "%s/%s", dir, files[i].path)))
			return og_fail_nomem(err);
	*out = paths;
	return OG_OK;
}

static og_status validate_files(og_run *run, const char *dir, const onnxgate_file_row *files, size_t n, og_error *err)
{
	og_validation v = { .facts = og_run_facts(run), .level = run->level };
	const char **paths = NULL;
	OG_TRY(model_paths(run, dir, files, n, &paths, &v.npaths, err));
	v.paths = paths;
	return og_validate(run->g, run->r, &v, &run->checks, err);
}

static void answer_with(og_run *run, const og_cache_entry *e)
{
	const og_manifest *m = og_cache_entry_manifest(e);
	const char *dir = og_cache_entry_dir(e);
	onnxgate_result *r = &run->r->pub;
	og_run_describe(run);
	const char *path = run->plan->main_file ? og_arena_printf(run->arena, "%s/%s", dir, run->plan->main_file) : dir;
	r->path = r->onnx_local_path = og_result_str(run->r, path);
	r->onnx_source = "pytorch_conversion";
	r->onnx_conversion_status = "converted";
	r->onnx_conversion_time = og_result_str(run->r, m->created);
	for (size_t i = 0; i < m->nfiles; i++) {
		const char *file = og_arena_printf(run->arena, "%s/%s", dir, m->files[i].path);
		og_result_file(run->r, file ? file : m->files[i].path, m->files[i].role, m->files[i].size, m->files[i].sha256);
	}
	for (size_t i = 0; i < m->nnotes; i++)
		og_result_note(run->r, "%s", m->notes[i]);
}

/* ---- cached ----------------------------------------------------------------------------------------- */

/* The manifest's rows of the asked level stand for the checks that were made then. */
static void recall_checks(og_run *run, const og_manifest *m)
{
	for (size_t i = 0; i < m->nchecks; i++)
		if (m->checks[i].level <= run->level)
			og_check_add(&run->checks, m->checks[i].name, m->checks[i].level, m->checks[i].status, m->checks[i].value, m->checks[i].limit, "%s",
			             m->checks[i].detail ? m->checks[i].detail : "");
	if (run->level >= ONNXGATE_VALIDATE_RUNTIME)
		run->r->pub.runtime = og_result_str(run->r, m->runtime);
}

/* More is asked for than was proved: validate the files as they lie there. Rows that only a conversion can make
 * (the weights read back) are kept. */
static og_status prove_more(og_run *run, og_cache *cache, const og_cache_entry *e, og_error *err)
{
	og_manifest m = *og_cache_entry_manifest(e);
	OG_TRY(validate_files(run, og_cache_entry_dir(e), m.files, m.nfiles, err));
	size_t made = run->checks.count;
	for (size_t i = 0; i < m.nchecks; i++) {
		bool again = false;
		for (size_t k = 0; k < made; k++)
			again = again || og_streq(run->checks.rows[k].name, m.checks[i].name);
		if (!again && m.checks[i].level <= ONNXGATE_VALIDATE_STRUCTURE)
			og_check_add(&run->checks, m.checks[i].name, m.checks[i].level, m.checks[i].status, m.checks[i].value, m.checks[i].limit, "%s",
			             m.checks[i].detail ? m.checks[i].detail : "");
	}
	OG_TRY(og_run_judge(run, run->file, err));
	onnxgate_level passed = og_level_passed(&run->checks, run->level);
	if (passed <= m.level)
		return OG_OK;
	m.level = passed;
	m.verdict = og_checks_verdict(&run->checks, run->level);
	m.checks = run->checks.rows;
	m.nchecks = run->checks.count;
	m.runtime = run->r->pub.runtime ? run->r->pub.runtime : m.runtime;
	og_error kept = { 0 };
	if (og_cache_update(cache, m.key, &m, &kept) != OG_OK) /* a cache that may only be read still answers */
		og_result_note(run->r, "the stronger proof could not be kept: %s", kept.message);
	return OG_OK;
}

og_status og_arrow_cached(og_run *run, og_error *err)
{
	og_cache *cache = NULL;
	char key[65];
	og_auto(og_cache_entry) *e = NULL;
	og_weights_choice w;
	if (run->q->force || og_origin_weights(run->origin, &w, NULL) != OG_OK || og_run_plan(run, NULL) != OG_OK) {
		run->skipped = run->q->force ? "a new conversion is asked for" : "no conversion is possible";
		return run->planned && run->plan_status == ONNXGATE_CANCELLED ? og_check_cancel(&run->g->ctx, err) : OG_OK;
	}
	if (check_file(run, NULL) != OG_OK) { /* the next arrow says it */
		run->skipped = "a conversion has no file of that name";
		return OG_OK;
	}
	OG_TRY(make_key(run, key, err));
	OG_TRY(og_gate_cache(run->g, &cache, err));
	og_error why_not = { 0 };
	og_status st = og_cache_find(cache, key, false, &e, &why_not);
	if (st == ONNXGATE_NOT_FOUND) {
		run->skipped = "no conversion of this commit is cached";
		return OG_OK;
	}
	run->entry_is_bad = true; /* until it has answered */
	if (st != OG_OK) {
		if (err)
			*err = why_not;
		return st;
	}
	const og_manifest *m = og_cache_entry_manifest(e);
	if (m->level < ONNXGATE_VALIDATE_STRUCTURE && run->level >= ONNXGATE_VALIDATE_STRUCTURE) {
		/* Reading the weights back needs the checkpoint: then converting again costs no more. */
		run->skipped = "the cached conversion was not validated when it was made";
		return OG_OK;
	}
	run->r->pub.was_converted = run->r->pub.cached = true;
	if (m->level >= run->level || run->level == ONNXGATE_VALIDATE_NONE) {
		recall_checks(run, m);
		st = og_run_judge(run, run->file, err);
	} else {
		st = prove_more(run, cache, e, err);
	}
	if (st != OG_OK) {
		run->r->pub.was_converted = run->r->pub.cached = false;
		return st;
	}
	run->entry_is_bad = false;
	answer_with(run, e);
	run->answer = og_arena_printf(run->arena, "conversion %.12s of %s", key, m->created ? m->created : "?");
	return OG_OK;
}

/* ---- convert ---------------------------------------------------------------------------------------- */

static og_manifest make_manifest(og_run *run, const char *key, const og_converted *c, char created[32])
{
	const og_plan *p = run->plan;
	og_rfc3339(og_wall_seconds(), created);
	const onnxgate_result *r = &run->r->pub;
	return (og_manifest){ .key = key,
		                  .repo_id = run->origin->id,
		                  .revision = run->origin->repo ? run->origin->repo->commit : NULL,
		                  .model_type = p->model_type,
		                  .architecture = p->architecture,
		                  .task = p->task,
		                  .task_reason = p->task_reason,
		                  .dtype = p->dtype,
		                  .layout = p->layout,
		                  .created = created,
		                  .program = "onnxgate/" ONNXGATE_VERSION,
		                  .runtime = r->runtime,
		                  .opset = p->opset,
		                  .architecture_revision = p->revision,
		                  .level = og_level_passed(&run->checks, run->level),
		                  .verdict = run->level == ONNXGATE_VALIDATE_NONE ? ONNXGATE_PASS : og_checks_verdict(&run->checks, run->level),
		                  .files = c->files,
		                  .nfiles = c->nfiles,
		                  .checks = run->checks.rows,
		                  .nchecks = run->checks.count,
		                  .timings = r->timings,
		                  .ntimings = r->ntimings,
		                  .notes = c->notes,
		                  .nnotes = c->nnotes };
}

og_status og_run_emit(og_run *run, const char *out_dir, og_converted *c, og_error *err)
{
	size_t n = 0;
	onnxgate_pair *pairs = NULL;
	OG_TRY(og_origin_provenance(run->origin, run->plan, &pairs, &n, err));
	run->convert.provenance = pairs;
	run->convert.nprovenance = n;
	og_log(&run->g->ctx, ONNXGATE_LOG_INFO, "converting %s (%s, %s) for %s", run->origin->id, run->plan->architecture, run->plan->dtype, run->plan->task);
	OG_TRY(og_convert_run(run->plan, run->origin->dir, out_dir, &run->convert, run->level, &run->g->ctx, run->arena, c, err));
	og_result_timing(run->r, "describe", c->describe_ms);
	og_result_timing(run->r, "emit", c->emit_ms);
	for (size_t i = 0; i < c->nchecks; i++)
		og_check_add(&run->checks, c->checks[i].name, c->checks[i].level, c->checks[i].status, c->checks[i].value, c->checks[i].limit, "%s",
		             c->checks[i].detail ? c->checks[i].detail : "");
	OG_TRY(validate_files(run, out_dir, c->files, c->nfiles, err));
	return og_run_judge(run, run->plan->main_file ? run->plan->main_file : run->file, err);
}

static og_status convert_and_publish(og_run *run, const char *key, og_staging *s, og_cache_entry **e, og_error *err)
{
	og_converted c = { 0 };
	char created[32];
	OG_TRY(og_run_emit(run, og_staging_dir(s), &c, err));
	OG_TRY(og_check_cancel(&run->g->ctx, err));
	og_manifest m = make_manifest(run, key, &c, created);
	double t = og_now_ms();
	OG_TRY(og_staging_publish(s, &m, e, err));
	og_result_timing(run->r, "publish", og_now_ms() - t);
	return OG_OK;
}

og_status og_run_fetch(og_run *run, og_error *err)
{
	double t = og_now_ms();
	og_status st = og_origin_fetch_sources(run->origin, err);
	og_result_timing(run->r, "download", og_now_ms() - t);
	return st;
}

/* OK and run->skipped: there is nothing to convert. Weights that are there but cannot be read are a failure. */
static og_status find_weights(og_run *run, og_error *err)
{
	og_error why = { 0 };
	og_weights_choice w;
	og_status st = og_origin_weights(run->origin, &w, &why);
	if (st == ONNXGATE_NOT_FOUND) {
		run->skipped = og_arena_strdup(run->origin->arena, why.message);
		return run->skipped ? OG_OK : og_fail_nomem(err);
	}
	if (st != OG_OK && err)
		*err = why;
	return st;
}

og_status og_arrow_convert(og_run *run, og_error *err)
{
	og_cache *cache = NULL;
	char key[65];
	og_auto(og_staging) *s = NULL;
	og_auto(og_cache_entry) *e = NULL;
	OG_TRY(find_weights(run, err));
	if (run->skipped)
		return OG_OK;
	OG_TRY(og_run_plan_conversion(run, err));
	OG_TRY(check_file(run, err));
	OG_TRY(make_key(run, key, err));
	OG_TRY(og_run_fetch(run, err));
	OG_TRY(og_gate_cache(run->g, &cache, err));
	OG_TRY(og_staging_begin(cache, key, run->q->force || run->entry_is_bad, &run->g->ctx, &s, &e, err));
	if (e) /* another process made it while this one waited */
		return og_arrow_cached(run, err);
	run->r->pub.was_converted = true;
	og_status st = convert_and_publish(run, key, s, &e, err);
	if (st != OG_OK) {
		run->r->pub.was_converted = false;
		run->r->pub.verdict = st == ONNXGATE_FAILED ? ONNXGATE_FAIL : ONNXGATE_UNKNOWN;
		/* The rows show what failed, also when nothing is published. */
		if (st == ONNXGATE_FAILED)
			og_result_checks(run->r, run->checks.rows, run->checks.count);
		return st;
	}
	answer_with(run, e);
	run->answer = og_arena_printf(run->arena, "converted for %s, opset %d, %s", run->plan->task, run->plan->opset, run->plan->dtype);
	return OG_OK;
}
