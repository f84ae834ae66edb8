/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversion: describe, settle what config and weights disagree on, account, emit, copy the companions, read back. */
#include "convert/convert_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/emit.h"
#include "graph/lower.h"

typedef struct run {
	const og_plan *plan;
	const char *dir, *out_dir;
	const og_convert_options *o;
	const og_context *ctx;
	og_arena *arena;
	og_converted *out;
	size_t files_cap, checks_cap, notes_cap;
	og_error *err;
} run;

og_status og_describe_files(const og_plan *p, og_ledger *ledger, og_arena *arena, og_model ***models, size_t *n, og_error *err)
{
	const og_plan_inner *in = p->inner;
	size_t cap = 0;
	*models = NULL;
	*n = 0;
	OG_TRY(og_modules_ledgers(in, arena, err));
	for (const og_file *f = in->files; f->name; f++) {
		og_build *b;
		og_model *m;
		OG_TRY(og_build_new(arena, ledger, &b, err));
		if (in->nmodules)
			og_text_sentence(b, in->config, in->arch->family, in->modules, in->nmodules);
		else
			f->describe(b, in->config, in->arch->family);
		OG_TRY(og_build_finish(b, &m, err));
		OG_TRY(og_lower_opset(m, p->opset, err));
		if (og_streq(p->dtype, "fp16"))
			OG_TRY(og_lower_fp16(m, p->half_io, err));
		if (!og_arena_grow(arena, models, &cap, *n + 1, sizeof(**models)))
			return og_fail_nomem(err);
		(*models)[(*n)++] = m;
	}
	return OG_OK;
}

static og_status add_file(run *r, const char *name, const char *role, uint64_t size, const char *sha256)
{
	if (!og_arena_grow(r->arena, &r->out->files, &r->files_cap, r->out->nfiles + 1, sizeof(*r->out->files)))
		return og_fail_nomem(r->err);
	onnxgate_file_row *f = &r->out->files[r->out->nfiles++];
	bool digest = sha256 && sha256[0];
	*f = (onnxgate_file_row){ .path = og_arena_strdup(r->arena, name), .role = role, .size = size };
	f->sha256 = digest ? og_arena_strdup(r->arena, sha256) : NULL;
	return f->path && (f->sha256 || !digest) ? OG_OK : og_fail_nomem(r->err);
}

static og_status add_check(run *r, const char *name, uint64_t value, const char *detail)
{
	if (!detail || !og_arena_grow(r->arena, &r->out->checks, &r->checks_cap, r->out->nchecks + 1, sizeof(*r->out->checks)))
		return og_fail_nomem(r->err);
	onnxgate_check_row *c = &r->out->checks[r->out->nchecks++];
	*c = (onnxgate_check_row){ .name = name, .level = ONNXGATE_VALIDATE_STRUCTURE, .value = (double)value, .limit = 0, .detail = detail };
	c->status = value ? ONNXGATE_CHECK_FAIL : ONNXGATE_CHECK_PASS;
	return OG_OK;
}

static og_external external_of(const char *s)
{
	return og_streq(s, "always") ? OG_EXTERNAL_ALWAYS : og_streq(s, "never") ? OG_EXTERNAL_NEVER : OG_EXTERNAL_AUTO;
}

static og_status emit_one(run *r, og_model *m, const og_file *f)
{
	og_emitted made[2];
	size_t n = 0;
	og_emit_options o = { external_of(r->o->external_data), r->o->digest };
	const char *below = og_plan_path(r->plan, f, r->arena);
	og_autofree char *path = below ? og_path_join(r->out_dir, below) : NULL, *dir = path ? og_path_dir(path) : NULL;
	if (!dir)
		return og_fail_nomem(r->err);
	OG_TRY(og_mkdirs(dir, r->err));
	m->metadata = r->o->provenance;
	m->nmetadata = r->o->nprovenance;
	OG_TRY(og_emit(m, dir, og_path_base(below), &o, r->ctx, made, &n, r->err));
	for (size_t i = n; i-- > 0;) { /* the model before its data */
		const char *name = og_arena_printf(r->arena, "%.*s%s", (int)(og_path_base(below) - below), below, made[i].name);
		OG_TRY(name ? add_file(r, name, i == n - 1 ? f->role : "data", made[i].size, made[i].sha256) : og_fail_nomem(r->err));
	}
	return OG_OK;
}

static og_status copy_companions(run *r)
{
	og_dirlist list;
	OG_TRY(og_dir_list(r->dir, &list, r->err));
	og_status s = OG_OK;
	for (size_t i = 0; i < list.n && s == OG_OK; i++) {
		const char *name = list.names[i], *role = og_convert_role(name);
		og_autofree char *from = og_path_join(r->dir, name), *to = og_path_join(r->out_dir, name);
		uint64_t size = 0;
		if (!role || og_streq(role, "model") || og_streq(role, "data"))
			continue;
		if (!from || !to)
			s = og_fail_nomem(r->err);
		if (s == OG_OK)
			s = og_file_copy(from, to, r->err);
		if (s == OG_OK)
			s = og_file_size(to, &size, r->err);
		if (s == OG_OK)
			s = add_file(r, name, role, size, NULL);
	}
	og_dirlist_done(&list);
	return s;
}

static og_status read_back(run *r, og_model *const *models, size_t n)
{
	uint64_t positions = 0, mismatches = 0;
	const char *first = NULL;
	const og_plan_inner *in = r->plan->inner;
	for (size_t i = 0; i < n; i++) {
		const char *below = og_plan_path(r->plan, &in->files[i], r->arena);
		og_autofree char *path = below ? og_path_join(r->out_dir, below) : NULL;
		OG_TRY(path ? og_read_back(models[i], path, r->ctx, &positions, &mismatches, &first, r->arena, r->err) : og_fail_nomem(r->err));
	}
	unsigned long long all = positions, wrong = mismatches;
	const char *detail = og_arena_printf(r->arena, "%llu positions equal the checkpoint", all);
	if (first)
		detail = og_arena_printf(r->arena, "%llu of %llu positions differ from the checkpoint, first in %s", wrong, all, first);
	return add_check(r, "weights.readback", mismatches, detail);
}

static og_status add_note(run *r, const char *note)
{
	if (!note || !og_arena_grow(r->arena, &r->out->notes, &r->notes_cap, r->out->nnotes + 1, sizeof(*r->out->notes)))
		return og_fail_nomem(r->err);
	r->out->notes[r->out->nnotes++] = note;
	return OG_OK;
}

static og_status account_module(run *r, const og_module *m, og_ledger_report *sum)
{
	static const og_ignore none[] = { { 0 } };
	og_ledger_report rep;
	og_status s = og_ledger_check(m->ledger, none, r->o->allow_unexpected, &rep, r->err);
	if (s != OG_OK) {
		og_error_prefix(r->err, "%s", m->path);
		return s;
	}
	for (size_t i = 0; i < rep.nnotes; i++)
		OG_TRY(add_note(r, og_arena_printf(r->arena, "%s: %s", m->path, rep.notes[i])));
	sum->claimed += rep.claimed;
	sum->tied += rep.tied;
	sum->ignored += rep.ignored;
	sum->unexpected += rep.unexpected;
	return OG_OK;
}

static og_status account(run *r, og_ledger *l)
{
	const og_plan_inner *in = r->plan->inner;
	og_ledger_report rep;
	OG_TRY(og_ledger_check(l, in->arch->ignore, r->o->allow_unexpected, &rep, r->err));
	for (size_t i = 0; i < rep.nnotes; i++)
		OG_TRY(add_note(r, rep.notes[i]));
	for (size_t i = 0; i < in->nmodules; i++)
		if (in->modules[i].ledger)
			OG_TRY(account_module(r, &in->modules[i], &rep));
	return add_check(r, "weights.ledger", 0, og_arena_printf(r->arena, "%zu tensors used, %zu tied, %zu ignored by rule, %zu unexpected and allowed",
		rep.claimed, rep.tied, rep.ignored, rep.unexpected));
}

static og_status describe_once(run *r, const og_checkpoint *c, og_ledger **l, og_model ***models, size_t *n)
{
	const og_plan_inner *in = r->plan->inner;
	OG_TRY(og_ledger_new(r->arena, c, in->arch->base_prefix, in->arch->fields, in->config, l, r->err));
	OG_TRY(og_check_family(r->plan, *l, c, r->err));
	if (og_task_takes_base(in->head->task))
		og_ledger_base_only(*l, "outside the base model, which is all that this task takes");
	return og_describe_files(r->plan, *l, r->arena, models, n, r->err);
}

/* Twice, where the weights know a size better than config.json. */
static og_status describe(run *r, const og_checkpoint *c, og_ledger **l, og_model ***models, size_t *n)
{
	const og_plan_inner *in = r->plan->inner;
	const char **notes, *tasks = NULL;
	size_t nnotes;
	bool changed;
	OG_TRY(describe_once(r, c, l, models, n));
	OG_TRY(og_settle_sizes(r->plan, c, *l, r->arena, &changed, &notes, &nnotes, r->err));
	for (size_t i = 0; i < nnotes; i++)
		OG_TRY(add_note(r, notes[i]));
	if (!in->class_named && !in->task_asked)
		OG_TRY(og_other_tasks(r->plan, c, r->arena, &tasks, r->err));
	if (tasks)
		OG_TRY(add_note(r, og_arena_printf(r->arena, "config.json names no class; the weights of these tasks are there too: %s (ask with --task)", tasks)));
	return changed ? describe_once(r, c, l, models, n) : OG_OK;
}

/* What the files had to say, each thing once: shards say the same. */
static og_status note_files(run *r, const og_checkpoint *c)
{
	const char *const *paths;
	size_t n = og_checkpoint_files(c, &paths);
	for (size_t f = 0; f < n; f++) {
		const og_reader *file = og_checkpoint_reader(c, f);
		for (size_t i = 0; i < file->note_count; i++) {
			bool known = false;
			for (size_t k = 0; k < r->out->nnotes && !known; k++)
				known = og_streq(r->out->notes[k], file->notes[i]);
			if (!known)
				OG_TRY(add_note(r, og_arena_strdup(r->arena, file->notes[i])));
		}
	}
	const char *name = og_path_base(paths[0]);
	if (n == 1 && !og_streq(name, "model.safetensors") && !og_streq(name, "pytorch_model.bin"))
		OG_TRY(add_note(r, og_arena_printf(r->arena, "the weights are those of %s, the only file that can be weights", name)));
	return OG_OK;
}

static og_status convert(run *r, og_checkpoint *c, onnxgate_level level)
{
	const og_plan_inner *in = r->plan->inner;
	og_ledger *l;
	og_model **models;
	size_t n;
	double begin = og_now_ms();
	OG_TRY(note_files(r, c));
	OG_TRY(describe(r, c, &l, &models, &n));
	OG_TRY(account(r, l));
	double described = og_now_ms();
	OG_TRY(og_checkpoint_check(c, r->ctx, r->err));
	for (size_t i = 0; i < in->nmodules; i++)
		if (in->modules[i].checkpoint)
			OG_TRY(og_checkpoint_check(in->modules[i].checkpoint, r->ctx, r->err));
	for (size_t i = 0; i < n; i++)
		OG_TRY(emit_one(r, models[i], &in->files[i]));
	OG_TRY(og_checkpoint_unchanged(c, r->err)); /* else what was checked is not what was written */
	OG_TRY(copy_companions(r));
	r->out->describe_ms = described - begin;
	r->out->emit_ms = og_now_ms() - described;
	return level == ONNXGATE_VALIDATE_NONE ? OG_OK : read_back(r, models, n);
}

og_status og_convert_run(const og_plan *p, const char *dir, const char *out_dir, const og_convert_options *o, onnxgate_level level,
	const og_context *ctx, og_arena *arena, og_converted *out, og_error *err)
{
	og_auto(og_checkpoint) *c = NULL;
	*out = (og_converted){ 0 };
	OG_TRY(og_checkpoint_open(dir, &c, err));
	run r = { .plan = p, .dir = dir, .out_dir = out_dir, .o = o, .ctx = ctx, .arena = arena, .out = out, .err = err };
	og_plan_inner *in = p->inner;
	og_checkpoint *more[OG_MODULES_MAX] = { NULL };
	og_status s = og_modules_open(in, dir, more, err);
	if (s == OG_OK)
		s = convert(&r, c, level);
	for (size_t i = 0; i < in->nmodules; i++) {
		in->modules[i].checkpoint = NULL;
		og_checkpoint_free(more[i]);
	}
	return s;
}
