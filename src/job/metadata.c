/* SPDX-License-Identifier: Apache-2.0
 *
 * metadata: what the Hub says about a model, what its files are, and what verify would do with it and why. */
#include "job/origin.h"

#include "base/str.h"
#include "base/table.h"

typedef struct facts {
	onnxgate_table *t;
	og_arena *arena;
	og_error *err;
	og_status st;
} facts;

static void row(facts *f, const char *key, const char *value)
{
	const char *cells[] = { key, value };
	if (f->st == OG_OK)
		f->st = og_table_row(f->t, cells, f->err);
}

static const char *yes_no(bool b)
{
	return b ? "yes" : "no";
}

static const char *size_text(og_arena *a, uint64_t bytes)
{
	return og_arena_printf(a, "%llu bytes", (unsigned long long)bytes);
}

/* One row a file of that ending, with its size. */
static size_t file_rows(facts *f, const og_origin *o, const char *key, const char *ending)
{
	size_t n = 0;
	for (size_t i = 0; i < o->nnames; i++) {
		if (!og_ends_with(o->names[i], ending))
			continue;
		n++;
		row(f, key, og_arena_printf(f->arena, "%s, %s", o->names[i], size_text(f->arena, o->repo->files[i].size)));
	}
	return n;
}

static void hub_rows(facts *f, const og_origin *o)
{
	const og_hub_repo *r = o->repo;
	row(f, "model", o->id);
	row(f, "revision", r->revision);
	row(f, "commit", r->commit);
	row(f, "listing", r->from_cache ? "from the cache" : "from the Hub");
	row(f, "pipeline tag", r->pipeline_tag);
	row(f, "library", r->library_name);
	row(f, "license", r->license);
	if (!r->from_cache) {
		row(f, "gated", yes_no(r->gated));
		row(f, "private", yes_no(r->is_private));
		row(f, "disabled", yes_no(r->disabled));
	}
	row(f, "files", og_arena_printf(f->arena, "%zu", r->nfiles));
}

/* What the plan says, or why there is none: that is an answer here, not an error. */
static og_status plan_rows(facts *f, og_origin *o)
{
	og_plan *p = NULL;
	og_error e = { 0 };
	og_weights_choice w;
	bool weights = og_origin_weights(o, &w, &e) == OG_OK;
	row(f, "weights chosen", weights ? w.single ? w.single : w.index : og_arena_strdup(f->arena, e.message));
	og_status st = og_origin_fetch_config(o, &e);
	if (st == OG_OK)
		st = og_convert_plan(o->dir, &(og_convert_options){ .digest = true }, o->arena, &p, &e);
	if (st == ONNXGATE_CANCELLED || st == ONNXGATE_NOMEM) {
		if (f->err)
			*f->err = e;
		return st;
	}
	row(f, "convertible", p && weights ? "yes" : "no");
	if (!p) {
		row(f, "model type", o->repo->model_type);
		row(f, "architecture", o->repo->architecture);
		row(f, "reason", og_arena_strdup(f->arena, e.message));
		return OG_OK;
	}
	row(f, "model type", p->model_type);
	row(f, "architecture", p->architecture);
	row(f, "task", p->task);
	row(f, "task reason", p->task_reason);
	row(f, "dtype", p->dtype);
	row(f, "opset", og_arena_printf(f->arena, "%d", p->opset));
	for (size_t i = 0; i < p->nunknown_keys; i++)
		row(f, "config key not understood", p->unknown_keys[i]);
	for (size_t i = 0; i < p->nnotes; i++)
		row(f, "note", p->notes[i]);
	return OG_OK;
}

og_status og_job_metadata(onnxgate *g, const char *model, onnxgate_table **out, og_error *err)
{
	static const char *const columns[] = { "fact", "value" };
	og_auto(og_arena) *arena = og_arena_new();
	og_auto_table *t = NULL;
	og_origin *o = NULL;
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(og_origin_open(g, model, false, arena, &o, err));
	OG_TRY(og_table_new("metadata", columns, OG_COUNT(columns), &t, err));
	facts f = { .t = t, .arena = arena, .err = err };
	hub_rows(&f, o);
	if (!file_rows(&f, o, "onnx file", ".onnx"))
		row(&f, "onnx file", "none is published");
	file_rows(&f, o, "weights file", ".safetensors");
	file_rows(&f, o, "weights file", ".bin");
	OG_TRY(plan_rows(&f, o));
	if (f.st == OG_OK)
		*out = og_steal(&t);
	return f.st;
}
