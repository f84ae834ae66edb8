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
#define WRAPPERS_MAX 4    /* one inside the other */
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
	bool has_prefix, base_only;
	const char *outside; /* why tensors outside the base model are ignored; NULL: they are not */
	size_t wrapped;      /* letters taken off the front of every name */
	const char *wrapper_note;
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

/* A wrapper counts when every name has it: one of them without it, and the prefix is a part of the names. */
static og_status find_wrapper(og_ledger *l, og_error *err)
{
	for (int round = 0; round < WRAPPERS_MAX; round++) {
		const char *wrapper = NULL, *whose = NULL;
		const og_tensor *t;
		bool all = true;
		for (size_t i = 0; all && (t = og_checkpoint_next(l->checkpoint, &i));) {
			wrapper = wrapper ? wrapper : og_name_wrapper(t->name + l->wrapped, &whose);
			all = wrapper && og_starts_with(t->name + l->wrapped, wrapper) && t->name[l->wrapped + strlen(wrapper)];
		}
		if (!all || !wrapper)
			return OG_OK;
		l->wrapped += strlen(wrapper);
		l->wrapper_note = l->wrapper_note ? og_arena_printf(l->arena, "%s; %s (%s) too", l->wrapper_note, wrapper, whose)
		                                  : og_arena_printf(l->arena, "every tensor's name begins with %s (%s), which was taken off", wrapper, whose);
		if (!l->wrapper_note)
			return og_fail_nomem(err);
	}
	return OG_OK;
}

static og_status enter(og_ledger *l, const og_tensor *t, og_error *err)
{
	const char *name = og_name_modern(l->arena, t->name + l->wrapped);
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
	if (base_prefix && !dotted)
		return og_fail_nomem(err);
	if (checkpoint)
		OG_TRY(find_wrapper(l, err));
	for (size_t i = 0; checkpoint && (t = og_checkpoint_next(checkpoint, &i));) {
		OG_TRY(enter(l, t, err));
		l->has_prefix = l->has_prefix || (dotted && og_starts_with(t->name + l->wrapped, dotted));
	}
	*out = l;
	return OG_OK;
}

const char *og_ledger_scope(const og_ledger *l, const char *scope)
{
	return og_streq(scope, l->base_prefix) && !l->has_prefix ? "" : scope;
}

bool og_ledger_prefixed(const og_ledger *l)
{
	return l->base_prefix && l->has_prefix;
}

/* Without its base prefix, if it bears it. */
static const char *below_prefix(const og_ledger *l, const char *name)
{
	size_t n = og_ledger_prefixed(l) ? strlen(l->base_prefix) : 0;
	return n && og_starts_with(name, l->base_prefix) && name[n] == '.' ? name + n + 1 : NULL;
}

bool og_ledger_knows(const og_ledger *l, const char *const *marks)
{
	size_t found = 0, wanted = 0;
	while (marks[wanted])
		wanted++;
	for (size_t i = 0; i < l->nentries; i++) {
		const char *name = og_ledger_prefixed(l) ? below_prefix(l, l->entries[i].name) : l->entries[i].name;
		for (size_t k = 0; name && k < wanted; k++)
			found += og_streq(name, marks[k]);
	}
	return wanted && found == wanted;
}

void og_ledger_base_only(og_ledger *l, const char *why)
{
	l->base_only = true;
	l->outside = og_ledger_prefixed(l) ? why : NULL;
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

bool og_ledger_holds(const og_ledger *l, const char *name)
{
	return find(l, name) != NULL;
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

/* The same elements of one file, whoever names them. */
static bool same_place(const og_tensor *a, const og_tensor *b)
{
	bool same = a->source == b->source && a->offset == b->offset && a->swapped == b->swapped;
	for (int i = 0; same && i < a->rank; i++)
		same = a->dims[i] < 2 || a->strides[i] == b->strides[i];
	return same;
}

/* The dims of both in a's order of the file, which is the fast one to read it in; that they are compared in another order does not matter. */
static void sort_dims(og_tensor *a, og_tensor *b)
{
	for (int i = 1; i < a->rank; i++)
		for (int k = i; k > 0 && a->strides[k - 1] < a->strides[k]; k--)
			for (int side = 0; side < 2; side++) {
				og_tensor *t = side ? b : a;
				int64_t dim = t->dims[k], stride = t->strides[k];
				t->dims[k] = t->dims[k - 1];
				t->strides[k] = t->strides[k - 1];
				t->dims[k - 1] = dim;
				t->strides[k - 1] = stride;
			}
}

static og_status same_bytes(const og_tensor *a, const og_tensor *b, bool *same, og_error *err)
{
	*same = a->dtype == b->dtype && a->size == b->size && a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(a->dims[0])) == 0;
	if (!*same || same_place(a, b))
		return OG_OK;
	og_autofree uint8_t *buf = og_array_alloc(2, COMPARE_STEP);
	if (!buf)
		return og_fail_nomem(err);
	og_tensor x = *a, y = *b;
	unsigned bits = og_dtype_bits(a->dtype);
	uint64_t all = og_tensor_elements(a), step = (uint64_t)COMPARE_STEP * 8 / (bits ? bits : 8);
	step -= step % 8; /* whole bytes of any type */
	sort_dims(&x, &y);
	for (uint64_t k = 0; *same && k < all; k += step) {
		uint64_t n = all - k < step ? all - k : step, bytes = 0;
		OG_TRY(og_tensor_read(&x, k, n, buf, err));
		OG_TRY(og_tensor_read(&y, k, n, buf + COMPARE_STEP, err));
		*same = og_dtype_bytes(a->dtype, n, &bytes) && memcmp(buf, buf + COMPARE_STEP, bytes) == 0;
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

static bool holds(const og_ledger *l, const og_ignore *rule)
{
	for (size_t i = 0; rule->unless_used && i < l->nclaims; i++)
		if (og_glob(rule->pattern, l->claims[i].name))
			return false;
	return true;
}

static void settle(og_ledger *l, const og_ignore *ignore)
{
	for (size_t i = 0; i < l->nentries; i++) {
		entry *e = &l->entries[i];
		if (e->state != OPEN)
			continue;
		e->state = UNEXPECTED;
		for (const og_ignore *g = ignore; g && g->pattern && e->state == UNEXPECTED; g++)
			if (og_glob(g->pattern, e->name) && holds(l, g)) {
				e->state = IGNORED;
				e->why = g->why;
			}
		if (e->state == UNEXPECTED && l->outside && !below_prefix(l, e->name)) {
			e->state = IGNORED;
			e->why = l->outside;
		}
	}
}

static const char *nearest(const og_ledger *l, const char *name)
{
	const char *best = NULL;
	size_t distance = NEAR_MAX;
	for (size_t i = 0; i < l->nentries && i < 10000; i++) {
		const entry *e = &l->entries[i];
		size_t d = e->state == UNEXPECTED || (e->state == IGNORED && e->why == l->outside) ? og_name_distance(name, e->name, distance) : distance;
		if (d < distance) {
			distance = d;
			best = e->tensor->name;
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
	bool dims = false; /* wrong in shape, and not only no floating point */
	for (size_t i = 0; i < l->nclaims; i++) {
		const og_claim *c = &l->claims[i];
		if (!c->wrong)
			continue;
		dims = dims || !same_shape(c, c->tensor->dims, c->tensor->rank);
		if (n++ >= SHOWN_MAX)
			continue;
		og_buf_str(&text, n > 1 ? "; " : "");
		show_wrong(l, &text, c);
	}
	if (n > SHOWN_MAX)
		og_buf_printf(&text, "; and %zu more", n - SHOWN_MAX);
	if (!n)
		return OG_OK;
	og_status s = og_fail(err, ONNXGATE_MISMATCH, "%s", text.failed ? "many weights do not fit" : og_buf_cstr(&text));
	og_error_hint(err, "%s", dims ? "config.json is not that of these weights: take the one that was saved with them, or correct the key"
	                              : "the weights are quantized or not weights: take a checkpoint of floating point");
	return s;
}

/* By the first weight that is missing: whether a prefix hides it, whether the base model lacks it, or the head. */
static const char *missing_hint(const og_ledger *l)
{
	const og_claim *c = l->claims;
	while (!c->missing)
		c++;
	const char *near = nearest(l, c->name);
	if (near && og_ends_with(near, c->name))
		return "these names begin with more than the model's own: take that off their front, in a copy of the checkpoint";
	if (l->base_only)
		return "the checkpoint is not complete, or config.json is that of another model";
	if (below_prefix(l, c->name))
		return "the checkpoint is not complete, or config.json is that of another model; --task feature-extraction needs no head and no pooler";
	return "the checkpoint does not hold this task's weights; --task feature-extraction needs no head";
}

static const char *unexpected_hint(const og_ledger *l)
{
	for (size_t i = 0; i < l->nentries; i++)
		if (l->entries[i].state == UNEXPECTED && below_prefix(l, l->entries[i].name))
			return "config.json may be that of another model; --allow-unexpected converts without these, which may compute something else";
	return "--allow-unexpected converts all the same";
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
		og_error_hint(err, "%s", missing_hint(l));
		return s;
	}
	if (nu && !allow_unexpected) {
		const char *are = nu == 1 ? " of the checkpoint is" : "s of the checkpoint are";
		og_status s = og_fail(err, ONNXGATE_CONVERSION, "%zu tensor%s used by nothing: %s", nu, are, og_buf_cstr(&unexpected));
		og_error_hint(err, "%s", unexpected_hint(l));
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
		if ((e->state != IGNORED && e->state != UNEXPECTED) || !og_streq(e->why, why))
			continue;
		n++;
		first = first ? first : e->tensor->name;
	}
	if (!n)
		return OG_OK;
	return add_note(l, out, cap, og_arena_printf(l->arena, "%zu tensor%s ignored (%s): %s%s", n, n == 1 ? "" : "s", why ? why : "unexpected, allowed",
		first, n > 1 ? ", …" : ""), err);
}

/* Several patterns may have one reason: it is told once. */
static bool is_first(const og_ignore *ignore, const og_ignore *g)
{
	for (const og_ignore *k = ignore; k < g; k++)
		if (og_streq(k->why, g->why))
			return false;
	return true;
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
	if (l->wrapper_note)
		OG_TRY(add_note(l, out, &cap, l->wrapper_note, err));
	for (const og_ignore *g = ignore; g && g->pattern; g++)
		OG_TRY(is_first(ignore, g) ? note_rule(l, g->why, out, &cap, err) : OG_OK);
	OG_TRY(l->outside ? note_rule(l, l->outside, out, &cap, err) : OG_OK);
	return note_rule(l, NULL, out, &cap, err);
}
