/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes on which config.json and the weights disagree and the weights are right: the number of classes, a padded vocabulary.
 *
 * Which dims of which weights a key means is known to the description alone, and it is asked: the files are described
 * once more with a number in the key's place that stands nowhere else, and the claims that then have this number in
 * their shape are those that follow the key.  All of them must agree on another size for it to count.  Nothing of this is
 * done for a checkpoint that fits its config. */
#include "convert/convert_int.h"

#include "base/limits.h"
#include "base/str.h"

#define PROBE ((INT64_C(1) << 31) + 11) /* a prime: no sum or product of sizes */

static int64_t get(const void *config, const og_field *f)
{
	int64_t v;
	memcpy(&v, (const uint8_t *)config + f->at, sizeof(v));
	return v;
}

static void set(void *config, const og_field *f, int64_t v)
{
	memcpy((uint8_t *)config + f->at, &v, sizeof(v));
}

/* The same plan with a config of its own, in arena. */
static og_status copy_plan(const og_plan *p, og_arena *arena, og_plan **out, og_error *err)
{
	const og_plan_inner *in = p->inner;
	og_plan *q = og_arena_alloc(arena, sizeof(*q));
	og_plan_inner *to = og_arena_alloc(arena, sizeof(*to));
	void *config = og_arena_alloc(arena, in->arch->config_size);
	if (!q || !to || !config)
		return og_fail_nomem(err);
	memcpy(config, in->config, in->arch->config_size);
	*q = *p;
	*to = *in;
	to->config = config;
	to->modules = og_arena_array(arena, in->nmodules + 1, sizeof(*to->modules)); /* their ledgers are the copy's own */
	if (!to->modules)
		return og_fail_nomem(err);
	for (size_t i = 0; i < in->nmodules; i++)
		to->modules[i] = in->modules[i];
	q->inner = to;
	*out = q;
	return OG_OK;
}

typedef struct followers { /* what the weights say about one key */
	size_t n;
	int64_t size; /* that all of them have */
	bool agree;
	const char *first; /* a tensor's name, borrowed from the checkpoint */
} followers;

static og_status ask(const og_plan *p, const og_checkpoint *c, const og_field *f, followers *out, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_plan_inner *in = p->inner;
	og_plan *q;
	og_ledger *l;
	og_model **models;
	size_t n;
	*out = (followers){ .agree = true };
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(copy_plan(p, arena, &q, err));
	set(((og_plan_inner *)q->inner)->config, f, PROBE);
	OG_TRY(og_ledger_new(arena, c, in->arch->base_prefix, NULL, NULL, &l, err));
	og_status s = og_describe_files(q, l, arena, &models, &n, NULL);
	if (s == ONNXGATE_NOMEM)
		return og_fail_nomem(err);
	const og_claim *claims = og_ledger_claims(l, &n);
	for (size_t i = 0; s == OG_OK && i < n; i++) { /* a description that cannot do with such a number tells nothing */
		const og_tensor *t = claims[i].tensor;
		for (int k = 0; t && k < claims[i].rank; k++) {
			if (claims[i].dims[k] != PROBE)
				continue;
			int64_t has = k < t->rank ? t->dims[k] : 0;
			out->agree = out->agree && t->rank == claims[i].rank && (!out->n || has == out->size);
			out->size = out->n ? out->size : has;
			out->first = out->n ? out->first : t->name;
			out->n++;
		}
	}
	return OG_OK;
}

/* "id2label has 3 names and num_labels is 2" */
static const char *labels_text(const og_said_labels *s, og_arena *arena)
{
	if (s->id2label >= 0 && s->num_labels >= 0)
		return og_arena_printf(arena, "id2label has %lld names and num_labels is %lld", (long long)s->id2label, (long long)s->num_labels);
	if (s->id2label >= 0)
		return og_arena_printf(arena, "id2label has %lld names", (long long)s->id2label);
	if (s->num_labels >= 0)
		return og_arena_printf(arena, "num_labels is %lld", (long long)s->num_labels);
	return "no number of classes is given, which means 2";
}

static const char *note_of(const og_plan *p, const og_field *f, int64_t said, const followers *w, og_arena *arena)
{
	const og_plan_inner *in = p->inner;
	if (f->kind != OG_FIELD_LABELS)
		return og_arena_printf(arena,
			"config.json: %s is %lld, %s has %lld rows: the table is padded to a multiple of a power of two, and all its rows are kept", f->key,
			(long long)said, w->first, (long long)w->size);
	const char *text = labels_text(&in->labels, arena);
	return text ? og_arena_printf(arena, "config.json: %s, %s has %lld rows: the weights count, %lld classes", text, w->first, (long long)w->size,
		(long long)w->size) : NULL;
}

static bool any_wrong(const og_ledger *l)
{
	size_t n;
	const og_claim *c = og_ledger_claims(l, &n);
	for (size_t i = 0; i < n; i++)
		if (c[i].wrong)
			return true;
	return false;
}

/* Is there something to ask? A number of classes that the config itself contradicts is worth a note even where the weights fit. */
static bool doubtful(const og_plan_inner *in, const og_field *f, bool wrong)
{
	const og_said_labels *s = &in->labels;
	bool clash = f->kind == OG_FIELD_LABELS && s->id2label >= 0 && s->num_labels >= 0 && s->id2label != s->num_labels;
	return og_config_may_yield(f) && (wrong || clash);
}

og_status og_settle_sizes(const og_plan *p, const og_checkpoint *c, const og_ledger *l, og_arena *arena, bool *changed, const char ***notes, size_t *n,
	og_error *err)
{
	og_plan_inner *in = p->inner;
	bool wrong = any_wrong(l);
	size_t cap = 0;
	*changed = false;
	*notes = NULL;
	*n = 0;
	for (const og_field *f = in->arch->fields; f->kind != OG_FIELD_END; f++) {
		followers w;
		int64_t said = get(in->config, f);
		if (!doubtful(in, f, wrong))
			continue;
		OG_TRY(ask(p, c, f, &w, err));
		if (!w.n || !w.agree || (w.size != said && !og_config_yields(f, said, w.size)))
			continue;
		if (w.size == said && f->kind != OG_FIELD_LABELS)
			continue;
		if (w.size == said && !doubtful(in, f, false))
			continue;
		if (!og_arena_grow(arena, notes, &cap, *n + 1, sizeof(**notes)) || !((*notes)[*n] = note_of(p, f, said, &w, arena)))
			return og_fail_nomem(err);
		(*n)++;
		*changed = *changed || w.size != said;
		set(in->config, f, w.size);
	}
	return OG_OK;
}

/* ---- a config without a class ---- */

static og_status fits(const og_plan *p, const og_head *h, const og_checkpoint *c, bool *out, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_plan *q;
	og_ledger *l;
	og_model **models;
	const char **notes;
	size_t n;
	bool changed = true;
	*out = true;
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(copy_plan(p, arena, &q, err));
	og_plan_inner *in = q->inner;
	in->head = h;
	in->files = h->files;
	in->nmodules = 0;
	for (int round = 0; round < 2 && changed; round++) {
		OG_TRY(og_ledger_new(arena, c, in->arch->base_prefix, NULL, NULL, &l, err));
		og_status s = og_describe_files(q, l, arena, &models, &n, NULL);
		*out = s == OG_OK;
		if (s != OG_OK)
			return s == ONNXGATE_NOMEM ? og_fail_nomem(err) : OG_OK;
		OG_TRY(og_settle_sizes(q, c, l, arena, &changed, &notes, &n, err));
	}
	const og_claim *claims = og_ledger_claims(l, &n);
	for (size_t i = 0; i < n; i++)
		*out = *out && !claims[i].missing && !claims[i].wrong;
	return OG_OK;
}

og_status og_other_tasks(const og_plan *p, const og_checkpoint *c, og_arena *arena, const char **out, og_error *err)
{
	const og_plan_inner *in = p->inner;
	*out = NULL;
	for (const og_head *h = in->arch->heads; h->class_name; h++) {
		bool fit = false;
		if (og_streq(h->task, in->head->task) || og_task_listed(*out, h->task))
			continue;
		OG_TRY(fits(p, h, c, &fit, err));
		if (fit && !(*out = *out ? og_arena_printf(arena, "%s, %s", *out, h->task) : h->task))
			return og_fail_nomem(err);
	}
	return OG_OK;
}
