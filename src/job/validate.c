/* SPDX-License-Identifier: Apache-2.0
 *
 * Structure first: a file that fails there is not given to the runtime.  The runtime's process is made for one
 * validation and ends with it, so that a file which breaks it breaks nothing else. */
#include "job/validate.h"

#include "base/clock.h"
#include "base/path.h"

#include <math.h>
#include <stdio.h>

/* Rows of several files are told apart by the file's name before the detail. */
static void name_rows(og_checks *c, size_t from, const char *path)
{
	for (size_t i = from; i < c->count; i++) {
		const char *text = og_arena_printf(c->arena, "%s: %s", og_path_base(path), c->rows[i].detail ? c->rows[i].detail : "");
		c->nomem = c->nomem || !text;
		c->rows[i].detail = text;
	}
}

static bool any_failed(const og_checks *c, size_t from)
{
	for (size_t i = from; i < c->count; i++)
		if (c->rows[i].status == ONNXGATE_CHECK_FAIL)
			return true;
	return false;
}

static og_status structure(onnxgate *g, const og_validation *v, og_checks *c, og_error *err)
{
	for (size_t i = 0; i < v->npaths; i++) {
		size_t from = c->count;
		OG_TRY(og_check_cancel(&g->ctx, err));
		OG_TRY(og_check_structure(v->paths[i], &g->ctx, c, err));
		if (v->npaths > 1)
			name_rows(c, from, v->paths[i]);
	}
	return OG_OK;
}

static og_status runtime(onnxgate *g, og_result *r, const og_validation *v, og_checks *c, og_error *err)
{
	og_auto(og_runtime) *rt = NULL;
	og_error why = { 0 };
	og_runtime_options o = { .helper = g->set->runtime_helper, .library = g->set->runtime_library };
	og_status st = og_runtime_open(&o, &g->ctx, &rt, &why);
	if (st == ONNXGATE_CANCELLED || st == ONNXGATE_NOMEM) {
		if (err)
			*err = why;
		return st;
	}
	if (st != OG_OK && why.hint[0])
		og_result_note(r, "%s: %s", why.message, why.hint);
	for (size_t i = 0; i < v->npaths; i++) {
		size_t from = c->count;
		OG_TRY(og_check_runtime(v->paths[i], rt, rt ? NULL : why.message, &v->facts, &g->ctx, c, err));
		if (v->npaths > 1)
			name_rows(c, from, v->paths[i]);
	}
	if (rt) {
		uint64_t peak = og_runtime_peak_memory(rt);
		r->pub.runtime = og_result_str(r, og_runtime_version(rt));
		r->pub.runtime_peak = peak > r->pub.runtime_peak ? peak : r->pub.runtime_peak;
	}
	return OG_OK;
}

og_status og_validate(onnxgate *g, og_result *r, const og_validation *v, og_checks *checks, og_error *err)
{
	size_t from = checks->count;
	og_status st = OG_OK;
	if (v->level >= ONNXGATE_VALIDATE_STRUCTURE) {
		double t = og_now_ms();
		st = structure(g, v, checks, err);
		og_result_timing(r, "structure", og_now_ms() - t);
	}
	if (st == OG_OK && v->level >= ONNXGATE_VALIDATE_RUNTIME && !any_failed(checks, from)) {
		double t = og_now_ms();
		st = runtime(g, r, v, checks, err);
		og_result_timing(r, "runtime", og_now_ms() - t);
	}
	return st == OG_OK && checks->nomem ? og_fail_nomem(err) : st;
}

onnxgate_level og_level_passed(const og_checks *checks, onnxgate_level asked)
{
	onnxgate_level best = ONNXGATE_VALIDATE_NONE;
	for (onnxgate_level l = ONNXGATE_VALIDATE_STRUCTURE; l <= asked && l <= ONNXGATE_VALIDATE_REFERENCE; l++)
		if (og_checks_verdict(checks, l) == ONNXGATE_PASS)
			best = l;
	return best;
}

static void describe(const onnxgate_check_row *row, char *out, size_t cap)
{
	const char *word = row->status == ONNXGATE_CHECK_FAIL ? "failed" : "could not be made";
	int n = snprintf(out, cap, "check %s %s: %s", row->name, word, row->detail ? row->detail : "");
	if (n > 0 && (size_t)n < cap && !isnan(row->value) && !isnan(row->limit))
		snprintf(out + n, cap - (size_t)n, " (found %.6g, limit %.6g)", row->value, row->limit);
}

static const onnxgate_check_row *deciding_row(const og_checks *c, onnxgate_level asked, onnxgate_check_status status)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].status == status && c->rows[i].level <= asked)
			return &c->rows[i];
	return NULL;
}

og_status og_verdict_status(const og_checks *checks, onnxgate_level asked, bool allow_unknown, const char *what, og_error *err)
{
	char text[600] = "";
	onnxgate_verdict v = asked == ONNXGATE_VALIDATE_NONE ? ONNXGATE_PASS : og_checks_verdict(checks, asked);
	const onnxgate_check_row *row = deciding_row(checks, asked, v == ONNXGATE_FAIL ? ONNXGATE_CHECK_FAIL : ONNXGATE_CHECK_SKIPPED);
	if (row)
		describe(row, text, sizeof(text));
	if (v == ONNXGATE_FAIL)
		return og_fail(err, ONNXGATE_FAILED, "%s: %s", what, text);
	if (v == ONNXGATE_PASS || allow_unknown)
		return OG_OK;
	og_fail(err, ONNXGATE_UNSUPPORTED, "%s: not proved: %s", what, row ? text : "no check of the level that was asked for was made");
	og_error_hint(err, "onnxgate doctor shows whether a runtime is found; --validate structure asks for less; --allow-unknown accepts it as it is");
	return ONNXGATE_UNSUPPORTED;
}
