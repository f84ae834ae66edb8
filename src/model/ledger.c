/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger.  Tensors are kept by their modern name; what the check reports is what neither side accounts for. */
#include "model/ledger.h"

#include "base/buf.h"
#include "base/str.h"
#include "base/strmap.h"
#include "model/names.h"

#define SHOWN_MAX 4       /* faults of one kind that a message spells out */
#define NEAR_MAX 12       /* edits within which a name counts as a misspelling */
#define COMPARE_STEP (1u << 20)

typedef enum state { OPEN, CLAIMED, TIED, IGNORED, UNEXPECTED } state;

typedef struct entry {
	const char *name; /* modern */
	const og_tensor *tensor;
	state state;
	const char *why; /* IGNORED: the rule */
} entry;

typedef struct tie {
	const char *alias, *source;
} tie;

struct og_ledger {
	og_arena *arena;
	const og_checkpoint *checkpoint;
	const char *base_prefix;
	bool has_prefix;
	const og_field *fields;
	const void *config;
	entry *entries;
	size_t nentries;
	og_strmap *by_name; /* index + 1 */
	og_claim *claims;
	size_t nclaims, claims_cap;
	og_strmap *claimed; /* index + 1 of the claim */
	tie *ties;
	size_t nties, ties_cap;
};

static og_status enter(og_ledger *l, const og_tensor *t, og_error *err)
{
	const char *name = og_name_modern(l->arena, t->name);
	uint64_t *slot = name ? og_strmap_slot(l->by_name, name) : NULL;
	if (!slot)
		return og_fail_nomem(err);
	if (*slot)
		return og_fail(err, ONNXGATE_FORMAT, "tensor %s stands twice in the checkpoint, as %s and as %s", name, l->entries[*slot - 1].tensor->name, t->name);
	l->entries[l->nentries++] = (entry){ .name = name, .tensor = t };
	*slot = l->nentries;
	return OG_OK;
}

og_status og_ledger_new(og_arena *arena, const og_checkpoint *checkpoint, const char *base_prefix, const og_field *fields, const void *config,
	og_ledger **out, og_error *err)
{
	og_ledger *l = og_arena_alloc(arena, sizeof(*l));
	if (!l)
		return og_fail_nomem(err);
	*l = (og_ledger){ .arena = arena, .checkpoint = checkpoint, .base_prefix = base_prefix, .fields = fields, .config = config };
	l->by_name = og_strmap_new(arena);
	l->claimed = og_strmap_new(arena);
	l->has_prefix = !checkpoint;
	size_t n = checkpoint ? og_checkpoint_count(checkpoint) : 0;
	l->entries = og_arena_array(arena, n ? n : 1, sizeof(*l->entries));
	if (!l->by_name || !l->claimed || !l->entries)
		return og_fail_nomem(err);
	const og_tensor *t;
	const char *dotted = base_prefix ? og_arena_printf(arena, "%s.", base_prefix) : NULL;
	for (size_t i = 0; checkpoint && (t = og_checkpoint_next(checkpoint, &i));) {
		OG_TRY(enter(l, t, err));
		l->has_prefix = l->has_prefix || (dotted && og_starts_with(t->name, dotted));
	}
	*out = l;
	return OG_OK;
}

const char *og_ledger_scope(const og_ledger *l, const char *scope)
{
	return og_streq(scope, l->base_prefix) && !l->has_prefix ? "" : scope;
}

/* ---- ties ---- */

bool og_ledger_tie(og_ledger *l, const char *alias, const char *source)
{
	if (!og_arena_grow(l->arena, &l->ties, &l->ties_cap, l->nties + 1, sizeof(*l->ties)))
		return false;
	l->ties[l->nties++] = (tie){ alias, source };
	return true;
}

const char *og_ledger_resolve(const og_ledger *l, const char *name)
{
	for (size_t i = 0; i < l->nties; i++)
		if (og_streq(l->ties[i].alias, name))
			return l->ties[i].source;
	return name;
}

static entry *find(const og_ledger *l, const char *name)
{
	uint64_t *slot = og_strmap_find(l->by_name, name);
	return slot ? &l->entries[*slot - 1] : NULL;
}

/* A tied group is filled from the member that the checkpoint holds. */
static entry *find_tied(const og_ledger *l, const char *name)
{
	entry *e = find(l, name);
	for (size_t i = 0; !e && i < l->nties; i++)
		if (og_streq(l->ties[i].source, name))
			e = find(l, l->ties[i].alias);
	return e;
}

/* ---- claims ---- */

static bool same_shape(const og_claim *c, const int64_t *dims, int rank)
{
	return c->rank == rank && (rank == 0 || memcmp(c->dims, dims, (size_t)rank * sizeof(*dims)) == 0);
}

static const char *shape_text(og_ledger *l, const int64_t *dims, int rank)
{
	char text[256];
	const char *s = og_arena_strdup(l->arena, og_dims_show(dims, rank, text, sizeof(text)));
	return s ? s : "?";
}

const og_tensor *og_ledger_claim(og_ledger *l, const char *name, const int64_t *dims, int rank, og_error *err)
{
	uint64_t *slot = og_strmap_slot(l->claimed, name);
	if (!slot || !og_arena_grow(l->arena, &l->claims, &l->claims_cap, l->nclaims + 1, sizeof(*l->claims)))
		return (void)og_fail_nomem(err), NULL;
	if (*slot) {
		const og_claim *c = &l->claims[*slot - 1];
		if (!same_shape(c, dims, rank))
			og_fail(err, ONNXGATE_INTERNAL, "%s is claimed as %s and again as %s", name, shape_text(l, c->dims, c->rank), shape_text(l, dims, rank));
		return c->tensor;
	}
	og_claim *c = &l->claims[l->nclaims++];
	*slot = l->nclaims;
	*c = (og_claim){ .name = name, .rank = rank };
	if (rank)
		memcpy(c->dims, dims, (size_t)rank * sizeof(*dims));
	entry *e = find_tied(l, name);
	c->missing = l->checkpoint && !e;
	if (!e)
		return NULL;
	e->state = CLAIMED;
	c->tensor = e->tensor;
	c->wrong = !same_shape(c, e->tensor->dims, e->tensor->rank) || !og_dtype_is_float(e->tensor->dtype);
	return c->tensor;
}

const og_claim *og_ledger_claims(const og_ledger *l, size_t *n)
{
	*n = l->nclaims;
	return l->claims;
}

/* ---- the check ---- */

static og_status same_bytes(const og_tensor *a, const og_tensor *b, bool *same, og_error *err)
{
	*same = a->dtype == b->dtype && a->size == b->size && a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(a->dims[0])) == 0;
	og_autofree uint8_t *buf = og_array_alloc(2, COMPARE_STEP);
	if (!buf)
		return og_fail_nomem(err);
	for (uint64_t k = 0; *same && k < a->size; k += COMPARE_STEP) {
		size_t n = a->size - k < COMPARE_STEP ? (size_t)(a->size - k) : COMPARE_STEP;
		OG_TRY(og_source_read(a->source, a->offset + k, buf, n, err));
		OG_TRY(og_source_read(b->source, b->offset + k, buf + COMPARE_STEP, n, err));
		*same = memcmp(buf, buf + COMPARE_STEP, n) == 0;
	}
	return OG_OK;
}

static og_status check_ties(og_ledger *l, og_error *err)
{
	for (size_t i = 0; i < l->nties; i++) {
		entry *a = find(l, l->ties[i].alias), *s = find(l, l->ties[i].source);
		bool same;
		if (!a || a->state == CLAIMED || !s)
			continue;
		OG_TRY(same_bytes(a->tensor, s->tensor, &same, err));
		if (!same)
			return og_fail(err, ONNXGATE_MISMATCH, "%s is tied to %s, but the checkpoint holds other values for it", a->tensor->name, s->tensor->name);
		a->state = TIED;
	}
	return OG_OK;
}

static void settle(og_ledger *l, const og_ignore *ignore)
{
	for (size_t i = 0; i < l->nentries; i++) {
		entry *e = &l->entries[i];
		if (e->state != OPEN)
			continue;
		e->state = UNEXPECTED;
		for (const og_ignore *g = ignore; g && g->pattern && e->state == UNEXPECTED; g++)
			if (og_glob(g->pattern, e->name)) {
				e->state = IGNORED;
				e->why = g->why;
			}
	}
}

static const char *nearest(const og_ledger *l, const char *name)
{
	const char *best = NULL;
	size_t distance = NEAR_MAX;
	for (size_t i = 0; i < l->nentries && i < 10000; i++) {
		size_t d = l->entries[i].state == UNEXPECTED ? og_name_distance(name, l->entries[i].name, distance) : distance;
		if (d < distance) {
			distance = d;
			best = l->entries[i].tensor->name;
		}
	}
	return best;
}

static void list_missing(og_ledger *l, og_buf *text, size_t *n)
{
	for (size_t i = 0; i < l->nclaims; i++) {
		const og_claim *c = &l->claims[i];
		if (!c->missing || (*n)++ >= SHOWN_MAX)
			continue;
		const char *near = nearest(l, c->name);
		og_buf_printf(text, "%s%s %s", *n > 1 ? ", " : "", c->name, shape_text(l, c->dims, c->rank));
		if (near)
			og_buf_printf(text, " (did you mean %s?)", near);
	}
	if (*n > SHOWN_MAX)
		og_buf_printf(text, " and %zu more", *n - SHOWN_MAX);
}

static void list_unexpected(const og_ledger *l, og_buf *text, size_t *n)
{
	for (size_t i = 0; i < l->nentries; i++)
		if (l->entries[i].state == UNEXPECTED && (*n)++ < SHOWN_MAX)
			og_buf_printf(text, "%s%s", *n > 1 ? ", " : "", l->entries[i].tensor->name);
	if (*n > SHOWN_MAX)
		og_buf_printf(text, " and %zu more", *n - SHOWN_MAX);
}

/* "expected [512, 384] (hidden_size 512), found [384, 384]" */
static void show_wrong(og_ledger *l, og_buf *text, const og_claim *c)
{
	const og_tensor *t = c->tensor;
	if (same_shape(c, t->dims, t->rank)) {
		og_buf_printf(text, "%s: expected floating point, found %s", t->name, og_dtype_name(t->dtype));
		return;
	}
	og_buf_printf(text, "%s: the config wants %s, the checkpoint has %s", t->name, shape_text(l, c->dims, c->rank), shape_text(l, t->dims, t->rank));
	for (int i = 0; i < c->rank && c->rank == t->rank; i++) {
		const char *keys = c->dims[i] != t->dims[i] ? og_config_keys_of(l->fields, l->config, c->dims[i], l->arena) : "";
		if (keys[0])
			og_buf_printf(text, " (%s)", keys);
	}
}

static og_status report_wrong(og_ledger *l, og_error *err)
{
	og_auto_buf text;
	og_buf_init(&text, 4096);
	size_t n = 0;
	for (size_t i = 0; i < l->nclaims; i++)
		if (l->claims[i].wrong && n++ < SHOWN_MAX) {
			og_buf_str(&text, n > 1 ? "; " : "");
			show_wrong(l, &text, &l->claims[i]);
		}
	if (n > SHOWN_MAX)
		og_buf_printf(&text, "; and %zu more", n - SHOWN_MAX);
	return n ? og_fail(err, ONNXGATE_MISMATCH, "%s", text.failed ? "many weights do not fit" : og_buf_cstr(&text)) : OG_OK;
}

static og_status report_names(og_ledger *l, bool allow_unexpected, og_error *err)
{
	og_auto_buf missing, unexpected;
	og_buf_init(&missing, 8192);
	og_buf_init(&unexpected, 8192);
	size_t nm = 0, nu = 0;
	list_missing(l, &missing, &nm);
	list_unexpected(l, &unexpected, &nu);
	if (missing.failed || unexpected.failed)
		return og_fail(err, ONNXGATE_CONVERSION, "%zu weights are missing and %zu tensors are unexpected", nm, nu);
	if (nm) {
		og_status s = og_fail(err, ONNXGATE_CONVERSION, "%zu weight%s missing: %s", nm, nm == 1 ? " is" : "s are", og_buf_cstr(&missing));
		og_error_hint(err, "the checkpoint does not hold this task's weights; --task feature-extraction needs no head");
		return s;
	}
	if (nu && !allow_unexpected) {
		const char *are = nu == 1 ? " of the checkpoint is" : "s of the checkpoint are";
		og_status s = og_fail(err, ONNXGATE_CONVERSION, "%zu tensor%s used by nothing: %s", nu, are, og_buf_cstr(&unexpected));
		og_error_hint(err, "--allow-unexpected converts all the same");
		return s;
	}
	return OG_OK;
}

static og_status add_note(og_ledger *l, og_ledger_report *out, size_t *cap, const char *note, og_error *err)
{
	if (!note || !og_arena_grow(l->arena, &out->notes, cap, out->nnotes + 1, sizeof(*out->notes)))
		return og_fail_nomem(err);
	out->notes[out->nnotes++] = note;
	return OG_OK;
}

/* One note per rule (why NULL: the unexpected): "2 tensors ignored (buffer, recomputed): a, …". */
static og_status note_rule(og_ledger *l, const char *why, og_ledger_report *out, size_t *cap, og_error *err)
{
	size_t n = 0;
	const char *first = NULL;
	for (size_t i = 0; i < l->nentries; i++) {
		const entry *e = &l->entries[i];
		if ((e->state != IGNORED && e->state != UNEXPECTED) || e->why != why)
			continue;
		n++;
		first = first ? first : e->tensor->name;
	}
	if (!n)
		return OG_OK;
	return add_note(l, out, cap, og_arena_printf(l->arena, "%zu tensor%s ignored (%s): %s%s", n, n == 1 ? "" : "s", why ? why : "unexpected, allowed",
		first, n > 1 ? ", …" : ""), err);
}

og_status og_ledger_check(og_ledger *l, const og_ignore *ignore, bool allow_unexpected, og_ledger_report *out, og_error *err)
{
	*out = (og_ledger_report){ 0 };
	OG_TRY(report_wrong(l, err));
	OG_TRY(check_ties(l, err));
	settle(l, ignore);
	OG_TRY(report_names(l, allow_unexpected, err));
	for (size_t i = 0; i < l->nentries; i++) {
		state s = l->entries[i].state;
		out->claimed += s == CLAIMED;
		out->tied += s == TIED;
		out->ignored += s == IGNORED;
		out->unexpected += s == UNEXPECTED;
	}
	size_t cap = 0;
	for (const og_ignore *g = ignore; g && g->pattern; g++)
		OG_TRY(note_rule(l, g->why, out, &cap, err));
	return note_rule(l, NULL, out, &cap, err);
}
