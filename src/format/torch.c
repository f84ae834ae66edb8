/* SPDX-License-Identifier: Apache-2.0
 *
 * The tensors of a pickle that PyTorch wrote.  People save a state dict, a state dict inside a dict with an optimizer's state and an
 * epoch, or any nest of dicts and lists: every tensor gets the path to it as its name, "encoder.layers.0.weight", and what merely wraps
 * the weights of one model is taken off, so that the names are those of the model.
 *
 * A pickle can name one container a million times (a list of lists of one list), so the walk counts what it looks at. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strmap.h"
#include "format/torch.h"

#define WRAPPERS_MAX 4 /* one inside the other */

/* Where trainers put the weights: Lightning and most others, fairseq and timm, PyTorch's own examples, DeepSpeed, Diffusers, … */
static const char *const wrappers[] = { "state_dict", "model_state_dict", "model", "module", "model_state", "net", "network", "params", "weights",
	"state_dict_model", "model_weights", "generator" };
typedef struct row {
	og_tensor t;
	uint64_t at; /* in the file */
} row;

typedef struct walk {
	const og_torch *t;
	og_torch_storages *storages;
	og_error *err;
	const char *folder;
	char path[OG_NAME_MAX + 1];
	size_t path_n; /* its length, also where it is longer than there is room for */
	int depth;
	int odd; /* keys on the path that are neither text nor whole numbers, or hold a NUL */
	uint64_t steps, steps_max;
	bool counting; /* only count the tensors */
	uint64_t found, others; /* tensors; leaves that are none */
	row *rows;
	size_t count, cap;
	uint64_t name_bytes; /* of their names */
} walk;

static og_status bad(const walk *w, og_status status, uint64_t at, const char *fmt, ...) OG_PRINTF(4, 5);
static og_status bad(const walk *w, og_status status, uint64_t at, const char *fmt, ...)
{
	char what[400], path[160];
	size_t n = w->path_n < OG_NAME_MAX ? w->path_n : OG_NAME_MAX;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	og_str_show((og_str){ w->path, n }, path, sizeof(path));
	return og_fail_at(w->err, status, at, "%s: \"%s\": %s at offset %" PRIu64 "%s", w->t->r->source->name, path, what, at, w->t->of);
}

/* ---- containers ---------------------------------------------------------------------------------------- */

typedef enum kind { LEAF, TENSOR, MAPPING, SEQUENCE } kind;

/* The children of a container: what it was made with, then what was added. */
typedef struct part {
	og_pval *const *items;
	size_t n;
	bool pairs;  /* key, value, key, value, … */
	bool nested; /* [key, value], [key, value], …: Python 2's OrderedDict */
} part;

typedef struct children {
	kind kind;
	part parts[2];
	size_t nparts, in, i; /* the next one */
	size_t index;         /* its number, of a SEQUENCE */
} children;

static void add_part(children *c, const og_pval *v)
{
	if (!v)
		return;
	bool pairs = v->kind == OG_P_DICT;
	if (pairs || v->kind == OG_P_LIST || v->kind == OG_P_TUPLE || v->kind == OG_P_SET)
		c->parts[c->nparts++] = (part){ v->items, v->n, pairs, !pairs && c->kind == MAPPING };
}

static const og_pval *first_arg(const og_pval *object)
{
	return object->args && object->args->kind == OG_P_TUPLE && object->args->n ? object->args->items[0] : NULL;
}

static void open_object(children *c, const og_pval *v)
{
	switch (og_torch_kind_of(v)) {
	case OG_TORCH_DICT:
		c->kind = MAPPING;
		add_part(c, first_arg(v));
		add_part(c, v->pairs);
		break;
	case OG_TORCH_LIST:
		c->kind = SEQUENCE;
		add_part(c, first_arg(v));
		break;
	case OG_TORCH_MODULE: /* its attributes; a named tuple's items; or what __getstate__ of TorchScript gave */
		c->kind = v->state && v->state->kind == OG_P_DICT ? MAPPING : SEQUENCE;
		add_part(c, v->state ? v->state : v->args);
		break;
	default:
		break;
	}
}

/* Without what only says the type of a list. */
static const og_pval *plain(walk *w, const og_pval *v)
{
	while (v && v->kind == OG_P_OBJECT && og_torch_kind_of(v) == OG_TORCH_JIT && first_arg(v)) {
		v = first_arg(v);
		w->steps++;
	}
	return v;
}

static children open_value(walk *w, const og_pval *v)
{
	children c = { .kind = LEAF };
	switch (v->kind) {
	case OG_P_DICT:
		c.kind = MAPPING;
		add_part(&c, v);
		break;
	case OG_P_LIST:
	case OG_P_TUPLE:
	case OG_P_SET:
		c.kind = SEQUENCE;
		add_part(&c, v);
		break;
	case OG_P_OBJECT:
		if (og_torch_is_tensor(v, &w->steps))
			c.kind = TENSOR;
		else
			open_object(&c, v);
		break;
	default:
		break;
	}
	return c;
}

/* The next child; key NULL: a SEQUENCE's. */
static bool next_child(children *c, const og_pval **key, const og_pval **value)
{
	for (; c->in < c->nparts; c->in++, c->i = 0) {
		const part *p = &c->parts[c->in];
		if (p->pairs && c->i + 1 < p->n) {
			*key = p->items[c->i];
			*value = p->items[c->i + 1];
			c->i += 2;
			return true;
		}
		while (p->nested && c->i < p->n) {
			const og_pval *pair = p->items[c->i++];
			if ((pair->kind != OG_P_LIST && pair->kind != OG_P_TUPLE) || pair->n != 2)
				continue;
			*key = pair->items[0];
			*value = pair->items[1];
			return true;
		}
		if (!p->pairs && !p->nested && c->i < p->n) {
			*key = NULL;
			*value = p->items[c->i++];
			return true;
		}
	}
	return false;
}

/* ---- names --------------------------------------------------------------------------------------------- */

static void append(walk *w, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++, w->path_n++)
		if (w->path_n < OG_NAME_MAX)
			w->path[w->path_n] = p[i];
}

static bool is_text(const og_pval *key)
{
	return key->kind == OG_P_TEXT || key->kind == OG_P_BYTES;
}

/* One more part of the path; false: an odd key. */
static bool push(walk *w, const og_pval *key, size_t index)
{
	char number[24];
	if (w->depth)
		append(w, ".", 1);
	w->depth++;
	if (key && is_text(key)) {
		append(w, key->text.p, key->text.n);
		return !memchr(key->text.p, 0, key->text.n) && og_utf8_valid((const uint8_t *)key->text.p, key->text.n);
	}
	if (key && key->kind != OG_P_INT) {
		const char *name = og_pkind_name(key->kind);
		append(w, name, strlen(name));
		return false;
	}
	append(w, number, (size_t)(key ? snprintf(number, sizeof(number), "%" PRId64, key->i) : snprintf(number, sizeof(number), "%zu", index)));
	return true;
}

/* A reference to a tensor takes two bytes of the pickle, and costs a row and a name with the whole path. */
static og_status check_room(walk *w, const og_pval *v)
{
	uint64_t file = w->t->r->source->size, max = w->t->pickle_size / OG_TORCH_TENSOR_BYTES;
	max = max < file / OG_TORCH_TENSOR_PACKED ? max : file / OG_TORCH_TENSOR_PACKED;
	if (w->count == OG_TORCH_TENSORS_MAX)
		return bad(w, ONNXGATE_FORMAT, v->at, "expected at most %d tensors, found more", OG_TORCH_TENSORS_MAX);
	if (w->count >= OG_TORCH_TENSORS_FREE && w->count >= max)
		return bad(w, ONNXGATE_UNSAFE, v->at, "expected at most %zu tensors in a pickle of %" PRIu64 " bytes and a file of %" PRIu64 ", found more", w->count,
			w->t->pickle_size, file);
	w->name_bytes += w->path_n;
	if (w->name_bytes > OG_TORCH_NAMES_FREE && w->name_bytes / OG_TORCH_NAMES_RATIO > file)
		return bad(w, ONNXGATE_UNSAFE, v->at, "expected names of at most %d times the file's %" PRIu64 " bytes, found more: a bomb", OG_TORCH_NAMES_RATIO,
			file);
	return OG_OK;
}

static og_status add_tensor(walk *w, const og_pval *v)
{
	row *r;
	if (w->counting)
		return OG_OK;
	if (w->path_n > OG_NAME_MAX)
		return bad(w, ONNXGATE_FORMAT, v->at, "expected a name of at most %d bytes, found %zu", OG_NAME_MAX, w->path_n);
	if (w->odd)
		return bad(w, ONNXGATE_UNSUPPORTED, v->at, "expected text or a whole number as the key of a tensor, found something else");
	OG_TRY(check_room(w, v));
	if (!og_array_grow(&w->rows, &w->cap, w->count + 1, sizeof(*w->rows)))
		return og_fail_nomem(w->err);
	r = &w->rows[w->count];
	*r = (row){ .t.name = og_arena_strndup(w->t->r->arena, w->path, w->path_n) };
	if (!r->t.name)
		return og_fail_nomem(w->err);
	OG_TRY(og_torch_view(w->t, w->storages, w->folder, v, &r->t, &r->at, w->err));
	w->count++;
	return OG_OK;
}

/* A storage that stands for itself: nothing is read of it, but it must be one. */
static og_status check_storage(walk *w, const og_pval *v)
{
	og_storage s;
	og_error e = { 0 };
	og_status st = og_storage_of(v, w->t->r->source->name, &s, &e);
	if (st == ONNXGATE_FORMAT && w->err)
		*w->err = e;
	return st == ONNXGATE_FORMAT ? st : OG_OK;
}

static og_status count_step(walk *w, const og_pval *v)
{
	if (++w->steps > w->steps_max)
		return bad(w, ONNXGATE_UNSAFE, v->at, "expected at most %" PRIu64 " values, found more: containers are used again and again", w->steps_max);
	return OG_OK;
}

static og_status visit(walk *w, const og_pval *v)
{
	const og_pval *key, *value;
	v = plain(w, v);
	OG_TRY(count_step(w, v));
	children c = open_value(w, v);
	if (c.kind == TENSOR) {
		w->found++;
		return add_tensor(w, v);
	}
	w->others += c.kind == LEAF;
	if (v->kind == OG_P_PERSISTENT)
		OG_TRY(check_storage(w, v));
	for (size_t index = 0; next_child(&c, &key, &value); index++) {
		size_t n = w->path_n;
		if (w->depth == OG_TORCH_DEPTH_MAX)
			return bad(w, ONNXGATE_UNSAFE, v->at, "nested deeper than %d", OG_TORCH_DEPTH_MAX);
		bool fine = push(w, key, index);
		w->odd += !fine;
		OG_TRY(visit(w, value));
		w->odd -= !fine;
		w->depth--;
		w->path_n = n;
	}
	return OG_OK;
}

/* ---- what wraps the weights ---------------------------------------------------------------------------- */

static og_status count_tensors(walk *w, const og_pval *v, uint64_t *out)
{
	uint64_t others = w->others;
	w->counting = true;
	w->found = 0;
	OG_TRY(visit(w, v));
	*out = w->found;
	w->counting = false;
	w->others = others;
	return OG_OK;
}

typedef struct survey { /* of a root's children */
	bool mapping, tensors; /* it has tensors of its own */
	const og_pval *inner;  /* the one that a wrapper would keep the weights under */
	const og_pval *key;
	size_t candidates;
	uint64_t left_out; /* tensors beside it */
	char beside[200];  /* where they are */
} survey;

static bool is_wrapper_key(const og_pval *key)
{
	for (size_t i = 0; key && is_text(key) && i < OG_COUNT(wrappers); i++)
		if (og_str_is(key->text, wrappers[i]))
			return true;
	return false;
}

static og_status look_at_child(walk *w, survey *s, const og_pval *key, const og_pval *value)
{
	char shown[60];
	uint64_t n = 0;
	kind k = open_value(w, value).kind; /* which counts, too: a parameter of a parameter of … is one value that takes long */
	OG_TRY(count_step(w, value));
	s->tensors |= k == TENSOR;
	if (k != MAPPING && k != SEQUENCE)
		return OG_OK;
	OG_TRY(count_tensors(w, value, &n));
	if (!n)
		return OG_OK;
	if (k == MAPPING && is_wrapper_key(key)) {
		s->candidates++;
		s->inner = value;
		s->key = key;
		return OG_OK;
	}
	s->left_out += n;
	size_t at = strlen(s->beside);
	og_str_show(is_text(key) ? key->text : OG_STR("?"), shown, sizeof(shown));
	snprintf(s->beside + at, sizeof(s->beside) - at, "%s%s: %" PRIu64 " tensor%s", at ? ", " : "", shown, n, n == 1 ? "" : "s");
	return OG_OK;
}

static og_status look(walk *w, const og_pval *v, survey *s)
{
	const og_pval *key, *value;
	children c = open_value(w, v);
	*s = (survey){ .mapping = c.kind == MAPPING };
	while (s->mapping && !s->tensors && next_child(&c, &key, &value))
		OG_TRY(look_at_child(w, s, key, plain(w, value)));
	return OG_OK;
}

/* The dict that holds the weights, below dicts that only wrap it. */
static og_status unwrap(walk *w, const og_pval **root, bool *unwrapped)
{
	char shown[60];
	survey s;
	for (int i = 0; i < WRAPPERS_MAX; i++) {
		OG_TRY(look(w, *root, &s));
		if (!s.mapping || s.tensors || !s.candidates)
			return OG_OK;
		if (s.candidates > 1)
			return og_reader_note(w->t->r, w->err, "%zu entries may be the weights: all tensors are listed, by their full path", s.candidates);
		og_str_show(s.key->text, shown, sizeof(shown));
		if (s.left_out)
			OG_TRY(og_reader_note(w->t->r, w->err, "the weights are what stands under \"%s\"; left out: %s", shown, s.beside));
		else
			OG_TRY(og_reader_note(w->t->r, w->err, "the weights are what stands under \"%s\"", shown));
		*root = s.inner;
		*unwrapped = true;
	}
	return OG_OK;
}

static const og_pval *child(walk *w, const og_pval *v, const char *name)
{
	const og_pval *key, *value, *found = NULL;
	children c = open_value(w, v);
	while (c.kind == MAPPING && next_child(&c, &key, &value))
		if (key && is_text(key) && og_str_is(key->text, name))
			found = value;
	return found;
}

/* Files that stand beside the weights of a training run. */
static og_status refuse_state(walk *w, const og_pval *root)
{
	static const struct {
		const char *first, *second, *what;
	} states[] = { { "param_groups", "state", "an optimizer's state" }, { "last_epoch", "_step_count", "a scheduler's state" },
		{ "base_lrs", "last_epoch", "a scheduler's state" }, { "growth_factor", "_growth_tracker", "a gradient scaler's state" },
		{ "python", "numpy", "the states of random generators" }, { "python", "cpu", "the states of random generators" } };
	for (size_t i = 0; i < OG_COUNT(states); i++)
		if (child(w, root, states[i].first) && child(w, root, states[i].second)) {
			(void)og_fail(w->err, ONNXGATE_UNSUPPORTED, "%s: expected a model's weights, found %s", w->t->r->source->name, states[i].what);
			og_error_hint(w->err, "it belongs to a training run; the weights are in another file, pytorch_model.bin or model.safetensors");
			return ONNXGATE_UNSUPPORTED;
		}
	return OG_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static og_status visit_root(walk *w, const og_torch_root *r, const og_pval *value, bool first)
{
	const char *name = r->prefix;
	w->folder = r->folder;
	w->path_n = 0;
	w->depth = 0;
	if (!name && first && open_value(w, value).kind == TENSOR)
		name = "tensor";
	if (name) {
		append(w, name, strlen(name));
		w->depth = 1;
	}
	return visit(w, value);
}

static int by_place(const void *a, const void *b)
{
	const row *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return strcmp(x->t.name, y->t.name);
}

static og_status give(walk *w)
{
	char shown[160];
	og_auto(og_arena) *arena = og_arena_new();
	og_strmap *names = arena ? og_strmap_new(arena) : NULL;
	if (!names)
		return og_fail_nomem(w->err);
	qsort(w->rows, w->count, sizeof(*w->rows), by_place);
	for (size_t i = 0; i < w->count; i++) {
		uint64_t *slot = og_strmap_slot(names, w->rows[i].t.name);
		if (!slot)
			return og_fail_nomem(w->err);
		if (*slot)
			return og_fail(w->err, ONNXGATE_FORMAT, "%s: tensor \"%s\": the name is given twice", w->t->r->source->name,
				og_str_show(og_str_of(w->rows[i].t.name), shown, sizeof(shown)));
		*slot = 1;
		OG_TRY(og_reader_add(w->t->r, &w->rows[i].t, w->err));
	}
	return OG_OK;
}

static og_status walk_roots(walk *w, const og_torch_root *roots, size_t n)
{
	bool unwrapped = false;
	for (size_t i = 0; i < n; i++) {
		const og_pval *value = plain(w, roots[i].value);
		if (!i && !w->t->modules) {
			OG_TRY(refuse_state(w, value));
			OG_TRY(unwrap(w, &value, &unwrapped));
		}
		OG_TRY(visit_root(w, &roots[i], value, !i));
	}
	if (!w->count) {
		(void)og_fail(w->err, ONNXGATE_UNSUPPORTED, "%s: expected tensors, found none among its %" PRIu64 " value%s", w->t->r->source->name, w->others,
		              w->others == 1 ? "" : "s");
		og_error_hint(w->err, "it may be a record of a training run; the weights are in another file, pytorch_model.bin or model.safetensors");
		return ONNXGATE_UNSUPPORTED;
	}
	if (w->t->modules)
		return OG_OK;
	if (!unwrapped && w->others)
		OG_TRY(og_reader_note(w->t->r, w->err, "%" PRIu64 " value%s no tensor and left out", w->others, w->others == 1 ? " is" : "s are"));
	return OG_OK;
}

og_status og_torch_tensors(const og_torch *t, const og_torch_root *roots, size_t n, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	walk *w = scratch ? og_arena_alloc(scratch, sizeof(*w)) : NULL;
	if (!w || !(w->storages = og_torch_storages_new(scratch)))
		return og_fail_nomem(err);
	w->t = t;
	w->err = err;
	w->steps_max = OG_TORCH_NODES_MAX;
	if (t->pickle_size < (OG_TORCH_NODES_MAX - OG_TORCH_NODES_FREE) / OG_TORCH_NODES_BYTE)
		w->steps_max = OG_TORCH_NODES_FREE + OG_TORCH_NODES_BYTE * t->pickle_size;
	og_status s = walk_roots(w, roots, n);
	if (s == OG_OK)
		s = give(w);
	og_free(w->rows);
	return s;
}
