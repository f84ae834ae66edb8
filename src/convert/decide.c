/* SPDX-License-Identifier: Apache-2.0
 *
 * Which architecture: config.json's model_type, else --type, else the class that it names, else the tensors' names.  The
 * folder's name is never asked.  What decided is told in a note; tensors that are those of another family are an error. */
#include "convert/convert_int.h"

#include "base/str.h"

og_status og_plan_note(og_plan *p, og_arena *arena, const char *note, og_error *err)
{
	const char **notes = og_arena_array(arena, p->nnotes + 1, sizeof(*notes));
	if (!note || !notes)
		return og_fail_nomem(err);
	for (size_t i = 0; i < p->nnotes; i++)
		notes[i] = p->notes[i];
	notes[p->nnotes++] = note;
	p->notes = notes;
	return OG_OK;
}

static og_status not_done(const char *model_type, og_error *err)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	char shown[64];
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "architecture %s is not done", og_str_show(og_str_of(model_type), shown, sizeof(shown)));
	og_error_hint(err, "onnxgate archs lists what is done (%zu: %s%s)", n, all[0]->model_type, n > 1 ? ", …" : "");
	return s;
}

/* *out: the model_type that is written or asked for, or NULL. */
static og_status written_type(const og_json *doc, const char *asked, const char **out, const char **from, og_error *err)
{
	const og_json *given = og_json_get(doc, "model_type");
	const char *type = og_json_str(doc, "model_type", NULL);
	if ((given && !type) || (type && !*type))
		return og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: expected a name, found %.60s", json_object_to_json_string((og_json *)(uintptr_t)given));
	if (type && asked && !og_streq(type, asked))
		return og_fail(err, ONNXGATE_MISMATCH, "config.json: model_type: expected %s, found %.60s", asked, type);
	*out = type ? type : asked;
	*from = given ? "config.json names the model_type" : "the type asked for is";
	return OG_OK;
}

const og_arch *og_arch_of_class(const char *class_name)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n), *found = NULL;
	for (size_t i = 0; class_name && i < n; i++)
		for (const og_head *h = all[i]->heads; h->class_name; h++)
			if (og_streq(h->class_name, class_name)) {
				if (found && found != all[i])
					return NULL;
				found = all[i];
			}
	return found;
}

/* ---- by the tensors ---- */

typedef struct candidates {
	const og_arch *first;
	size_t n;
	bool prefixed; /* their names bear the base prefix */
	const char *names; /* "bert, roberta" */
} candidates;

/* Are these tensors also those of the family that this one is like? */
static og_status taken_by_kin(const og_arch *arch, const og_checkpoint *c, og_arena *arena, bool *taken, og_error *err)
{
	const og_arch *kin = arch->like ? og_arch_find(arch->like) : NULL;
	og_ledger *l;
	*taken = false;
	if (!kin)
		return OG_OK;
	OG_TRY(og_ledger_new(arena, c, kin->base_prefix, NULL, NULL, &l, err));
	*taken = og_ledger_knows(l, kin->marks);
	return OG_OK;
}

/* Names below a base prefix tell more than bare ones, which sister families share. */
static og_status find_candidates(const og_checkpoint *c, og_arena *arena, candidates *out, og_error *err)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	*out = (candidates){ 0 };
	for (size_t i = 0; i < n; i++) {
		og_ledger *l;
		OG_TRY(og_ledger_new(arena, c, all[i]->base_prefix, NULL, NULL, &l, err));
		if (!og_ledger_knows(l, all[i]->marks) || (out->prefixed && !og_ledger_prefixed(l)))
			continue;
		bool taken;
		OG_TRY(taken_by_kin(all[i], c, arena, &taken, err));
		if (taken)
			continue;
		if (og_ledger_prefixed(l) && !out->prefixed)
			*out = (candidates){ .prefixed = true };
		out->first = out->n ? out->first : all[i];
		out->names = out->n ? og_arena_printf(arena, "%s, %s", out->names, all[i]->model_type) : all[i]->model_type;
		out->n++;
		if (!out->names)
			return og_fail_nomem(err);
	}
	return OG_OK;
}

/* A pad token that is not the first, or a single kind of segment: a config of those that have bare names and sizes alike and other numbers. */
static bool like_a_sister(const og_json *doc, const candidates *found)
{
	return !found->prefixed && found->first->sisters && (og_json_i64(doc, "pad_token_id", 0) != 0 || og_json_i64(doc, "type_vocab_size", 2) == 1);
}

static og_status by_tensors(const og_json *doc, const og_checkpoint *c, og_arena *arena, const og_arch **out, og_error *err)
{
	candidates found = { 0 };
	og_status s = OG_OK;
	if (c)
		OG_TRY(find_candidates(c, arena, &found, err));
	bool sister = found.n == 1 && like_a_sister(doc, &found);
	if (found.n == 1 && !sister) {
		*out = found.first;
		return OG_OK;
	}
	if (!c)
		s = og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: missing, and neither a class nor weights are there that tell it");
	else if (sister)
		s = og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: missing, the tensors without \"%s.\" fit %s and %s alike, and pad_token_id or "
			"type_vocab_size is not as in %s", found.first->base_prefix, found.names, found.first->sisters, found.names);
	else if (found.n)
		s = og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: missing, and the names of the tensors fit %s", found.names);
	else
		s = og_fail(err, ONNXGATE_UNSUPPORTED, "config.json: model_type: missing, and the tensors are those of no architecture that is done");
	og_error_hint(err, "--type names it; onnxgate archs lists what is done");
	return s;
}

og_status og_decide_arch(const og_json *doc, const og_checkpoint *c, const char *asked, og_arena *arena, og_plan *p, og_error *err)
{
	og_plan_inner *in = p->inner;
	const char *type = NULL, *name = NULL;
	OG_TRY(written_type(doc, asked, &type, &in->type_from, err));
	OG_TRY(og_class_of(doc, &name, err));
	if (type) {
		in->arch = og_arch_find(type);
		if (!in->arch)
			return not_done(type, err);
	} else if ((in->arch = og_arch_of_class(name))) {
		in->type_from = "by its class the model is";
		OG_TRY(og_plan_note(p, arena, og_arena_printf(arena, "config.json names no model_type; its class %s is one of %s", name, in->arch->model_type), err));
	} else {
		OG_TRY(by_tensors(doc, c, arena, &in->arch, err));
		in->type_from = "by its tensors the model is";
		OG_TRY(og_plan_note(p, arena, og_arena_printf(arena, "config.json names no model_type; the tensors are those of %s", in->arch->model_type), err));
	}
	p->model_type = in->arch->model_type;
	return OG_OK;
}

og_status og_check_family(const og_plan *p, const og_ledger *l, const og_checkpoint *c, og_error *err)
{
	const og_plan_inner *in = p->inner;
	candidates found;
	og_auto(og_arena) *arena = NULL;
	if (og_ledger_knows(l, in->arch->marks))
		return OG_OK;
	if (!(arena = og_arena_new()))
		return og_fail_nomem(err);
	OG_TRY(find_candidates(c, arena, &found, err));
	if (!found.n)
		return OG_OK; /* tensors are missing: the ledger names them */
	const char *const *mark = found.first->marks; /* the last of them tells most */
	while (mark[1])
		mark++;
	og_status s = og_fail(err, ONNXGATE_MISMATCH, "%s %s, but the tensors are those of %s, with %s", in->type_from, p->model_type, found.names, *mark);
	og_error_hint(err, "config.json and the weights are of two models: take the config.json that was saved with these weights");
	return s;
}

og_status og_convert_needs_names(const char *dir, const og_convert_options *o, bool *needs, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	const char *name = NULL;
	OG_TRY(og_config_open(dir, &doc, err));
	OG_TRY(og_class_of(doc, &name, err));
	*needs = !o->type && !og_json_get(doc, "model_type") && !og_arch_of_class(name);
	return OG_OK;
}
