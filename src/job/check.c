/* SPDX-License-Identifier: Apache-2.0
 *
 * check: any .onnx file, or each one of a folder and of its onnx/ subfolder. */
#include "job/job.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/json.h"
#include "convert/convert.h"
#include "job/validate.h"

typedef struct found { /* the files to judge */
	og_arena *arena;
	const char **paths;
	size_t n, cap;
} found;

static og_status add(found *f, const char *path, og_error *err)
{
	char *copy = og_arena_strdup(f->arena, path);
	if (!copy || !og_arena_grow(f->arena, &f->paths, &f->cap, f->n + 1, sizeof(*f->paths)))
		return og_fail_nomem(err);
	f->paths[f->n++] = copy;
	return OG_OK;
}

static og_status add_folder(found *f, const char *dir, og_error *err)
{
	og_dirlist list = { 0 };
	OG_TRY(og_dir_list(dir, &list, err));
	og_status st = OG_OK;
	for (size_t i = 0; st == OG_OK && i < list.n; i++) {
		og_autofree char *path = og_ends_with(list.names[i], ".onnx") ? og_path_join(dir, list.names[i]) : NULL;
		if (path && !og_dir_exists(path))
			st = add(f, path, err);
	}
	og_dirlist_done(&list);
	return st;
}

static og_status find_files(found *f, const char *path, og_error *err)
{
	if (!og_file_exists(path))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: expected an .onnx file or a folder, found nothing of that name", path);
	if (!og_dir_exists(path))
		return add(f, path, err);
	og_autofree char *sub = og_path_join(path, "onnx");
	OG_TRY(add_folder(f, path, err));
	if (sub && og_dir_exists(sub))
		OG_TRY(add_folder(f, sub, err));
	if (f->n)
		return OG_OK;
	(void)og_fail(err, ONNXGATE_NOT_FOUND, "%s: expected at least one .onnx file in it or in its onnx folder, found none", path);
	og_error_hint(err, "a folder of weights is converted first, by onnxgate convert");
	return ONNXGATE_NOT_FOUND;
}

og_input_facts og_facts_near(const char *path)
{
	og_autofree char *dir = og_dir_exists(path) ? og_strdup(path) : og_path_dir(path);
	const char *const places[] = { "config.json", "../config.json" };
	for (size_t i = 0; dir && i < OG_COUNT(places); i++) {
		og_auto(og_json) *j = NULL;
		og_autofree char *config = og_path_join(dir, places[i]);
		if (config && og_file_exists(config) && og_json_read(config, OG_CONFIG_BYTES_MAX, &j, NULL) == OG_OK)
			return og_convert_facts(j);
	}
	return OG_INPUT_FACTS_NONE;
}

static og_status check(onnxgate *g, og_result *r, const onnxgate_request *q, og_arena *arena, og_error *err)
{
	found f = { .arena = arena };
	og_checks checks;
	og_checks_init(&checks, arena);
	og_autofree char *absolute = og_path_absolute(q->model);
	if (!absolute)
		return og_fail_nomem(err);
	r->pub.model_id = og_result_str(r, absolute);
	OG_TRY(find_files(&f, absolute, err));
	for (size_t i = 0; i < f.n; i++) {
		uint64_t size = 0;
		OG_TRY(og_file_size(f.paths[i], &size, err));
		og_result_file(r, f.paths[i], "model", size, NULL);
	}
	og_validation v = { .paths = f.paths, .npaths = f.n, .facts = og_facts_near(absolute), .level = r->pub.level };
	double t = og_now_ms();
	og_status st = og_validate(g, r, &v, &checks, err);
	og_result_checks(r, checks.rows, checks.count);
	if (st == OG_OK) {
		r->pub.verdict = r->pub.level == ONNXGATE_VALIDATE_NONE ? ONNXGATE_PASS : og_checks_verdict(&checks, r->pub.level);
		st = og_verdict_status(&checks, r->pub.level, q->allow_unknown, og_path_base(absolute), err);
	}
	og_result_attempt(r, "validate", st == OG_OK ? "ok" : "failed", st, og_now_ms() - t, "%s", st == OG_OK || !err ? absolute : err->message);
	if (st == OG_OK || st == ONNXGATE_UNSUPPORTED)
		r->pub.path = r->pub.onnx_local_path = og_result_str(r, f.n == 1 ? f.paths[0] : absolute);
	return st;
}

og_status og_job_check(onnxgate *g, const onnxgate_request *q, onnxgate_result **out)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_result *r = og_result_new("check");
	og_auto(og_arena) *arena = og_arena_new();
	*out = NULL;
	if (!r || !arena) {
		og_result_free(r);
		return ONNXGATE_NOMEM;
	}
	og_result_request(r, q);
	r->pub.onnx_source = "local";
	r->pub.onnx_conversion_status = "original";
	og_status st = OG_OK;
	if (!q->model)
		st = og_fail(&err, ONNXGATE_INVALID, "check: expected an .onnx file or a folder, found none");
	else if (r->pub.level == ONNXGATE_VALIDATE_REFERENCE)
		st = og_fail(&err, ONNXGATE_INVALID, "validation level reference: expected none, structure or runtime: no reference is given with this call");
	else
		st = check(g, r, q, arena, &err);
	if (st == ONNXGATE_FAILED)
		r->pub.verdict = ONNXGATE_FAIL;
	*out = &r->pub;
	return og_result_end(r, st, &err);
}
