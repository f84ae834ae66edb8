/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a pickle says of a tensor to a view of its storage.  Every number is from outside: dims and strides may be absurd, the
 * window may leave the storage, and a stride of 0 makes any number of elements out of one. */
#include <inttypes.h>
#include <stdio.h>

#include "base/strmap.h"
#include "format/torch.h"

typedef struct store { /* a storage that was located */
	og_storage what;
	og_place place;
} store;

typedef struct window { /* a view of a storage, by the view's key */
	const store *of;
	uint64_t offset, bytes; /* in it */
} window;

struct og_torch_storages {
	og_arena *arena;
	og_strmap *by_key;  /* folder and key → store */
	og_strmap *windows; /* key of a view → window */
};

typedef struct view { /* one tensor being read */
	const og_torch *t;
	og_torch_storages *s;
	const char *folder;
	og_tensor *out;
	og_error *err;
	const og_torch_global *call; /* TENSOR1 … 3 */
	const og_pval *args;         /* its arguments */
	const og_pval *cast;         /* the dtype that CAST wants, or NULL */
	uint64_t at;
	window w;
	int64_t offset; /* of the first element, in elements */
} view;

og_torch_storages *og_torch_storages_new(og_arena *scratch)
{
	og_torch_storages *s = og_arena_alloc(scratch, sizeof(*s));
	if (!s)
		return NULL;
	s->arena = scratch;
	s->by_key = og_strmap_new(scratch);
	s->windows = og_strmap_new(scratch);
	return s->by_key && s->windows ? s : NULL;
}

/* "FILE: tensor "NAME"" */
static const char *named(const view *v, char *out, size_t cap)
{
	char name[160];
	snprintf(out, cap, "%s: tensor \"%s\"", v->t->r->source->name, og_str_show(og_str_of(v->out->name), name, sizeof(name)));
	return out;
}

static og_status bad(const view *v, og_status status, const char *fmt, ...) OG_PRINTF(3, 4);
static og_status bad(const view *v, og_status status, const char *fmt, ...)
{
	char what[400], name[500];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return og_fail_at(v->err, status, v->at, "%s: %s at offset %" PRIu64 "%s", named(v, name, sizeof(name)), what, v->at, v->t->of);
}
#define BAD(v, ...) bad(v, ONNXGATE_FORMAT, __VA_ARGS__)

static og_status not_read(const view *v, const char *what)
{
	(void)bad(v, ONNXGATE_UNSUPPORTED, "expected an ordinary tensor, found %s", what);
	og_error_hint(v->err, "make it an ordinary tensor (dequantize(), to_dense(), resolve_conj(), resolve_neg()) and save it again");
	return ONNXGATE_UNSUPPORTED;
}

/* ---- what is called ------------------------------------------------------------------------------------ */

static const og_pval *item(const og_pval *tuple, size_t i)
{
	return tuple && (tuple->kind == OG_P_TUPLE || tuple->kind == OG_P_LIST) && i < tuple->n ? tuple->items[i] : NULL;
}

typedef struct call {
	const og_torch_global *g; /* NULL: unknown */
	const og_pval *args, *cast;
} call;

static call call_of(const og_pval *v)
{
	if (!v || v->kind != OG_P_OBJECT || v->of->kind != OG_P_GLOBAL)
		return (call){ NULL };
	return (call){ og_torch_global_find(v->of->text), v->args, NULL };
}

/* Through parameters and subclasses to the function that makes the tensor. Tuples and objects are made after what is in them, so this
 * ends; steps counts for the caller's ceiling, since it may be long. */
static call resolve(const og_pval *v, uint64_t *steps)
{
	call c = call_of(v);
	for (;; ++*steps) {
		if (!c.g)
			return c;
		if (c.g->kind == OG_TORCH_TYPED) {
			const og_pval *f = item(c.args, 0), *type = item(c.args, 1), *args = item(c.args, 2);
			const og_torch_global *g = f && f->kind == OG_P_GLOBAL ? og_torch_global_find(f->text) : NULL;
			const og_torch_global *class = type && type->kind == OG_P_GLOBAL ? og_torch_global_find(type->text) : NULL;
			if (!g || !class || (class->kind != OG_TORCH_TYPE && class->kind != OG_TORCH_FIRST) || !args || args->kind != OG_P_TUPLE)
				return c;
			c.g = g;
			c.args = args;
		} else if (c.g->kind == OG_TORCH_FIRST || c.g->kind == OG_TORCH_CAST) {
			call next = call_of(item(c.args, 0));
			if (!next.g)
				return c;
			next.cast = c.g->kind == OG_TORCH_CAST ? item(c.args, 1) : c.cast;
			c = next;
		} else {
			return c;
		}
	}
}

bool og_torch_is_tensor(const og_pval *v, uint64_t *steps)
{
	static const bool tensors[] = { [OG_TORCH_TYPE] = true, [OG_TORCH_TENSOR1] = true, [OG_TORCH_TENSOR2] = true, [OG_TORCH_TENSOR3] = true,
		[OG_TORCH_FIRST] = true, [OG_TORCH_CAST] = true, [OG_TORCH_TYPED] = true, [OG_TORCH_NOT] = true, [OG_TORCH_MODULE] = false };
	if (v->kind != OG_P_OBJECT)
		return false;
	call c = resolve(v, steps);
	return c.g && tensors[c.g->kind];
}

/* ---- storages ------------------------------------------------------------------------------------------ */

static bool is_text(const og_pval *v)
{
	return v && (v->kind == OG_P_TEXT || v->kind == OG_P_BYTES);
}

og_status og_storage_of(const og_pval *v, const char *what, og_storage *out, og_error *err)
{
	char shown[100];
	const og_pval *id = v->kind == OG_P_PERSISTENT ? v->args : NULL;
	const og_pval *word = item(id, 0), *type = item(id, 1), *key = item(id, 2), *n = item(id, 4), *rest = item(id, 5);
	if (!is_text(word) || !og_str_is(word->text, "storage") || !type || type->kind != OG_P_GLOBAL || !is_text(key) || !n || id->n > 6)
		return og_fail_at(err, ONNXGATE_FORMAT, v->at,
			"%s: expected (\"storage\", type, key, device, elements), found another persistent id at offset %" PRIu64, what, v->at);
	*out = (og_storage){ .key = key->text, .type = og_torch_global_find(type->text), .at = v->at, .view = rest && rest->kind != OG_P_NONE ? rest : NULL };
	og_str_show(key->text, shown, sizeof(shown));
	if (!out->type || out->type->kind != OG_TORCH_STORAGE)
		return og_fail_at(err, ONNXGATE_FORMAT, v->at, "%s: storage \"%s\": expected a storage's type, found %.*s at offset %" PRIu64, what, shown,
			OG_STR_ARG(type->text), v->at);
	if (out->type->why)
		return og_fail_at(err, ONNXGATE_UNSUPPORTED, v->at, "%s: expected a storage of an ordinary type, found %s, %s, at offset %" PRIu64, what,
			out->type->name, out->type->why, v->at);
	if (n->kind != OG_P_INT || n->i < 0 || memchr(key->text.p, 0, key->text.n) || !key->text.n || key->text.n > OG_NAME_MAX)
		return og_fail_at(err, ONNXGATE_FORMAT, v->at, "%s: storage \"%s\": expected a key and a number of elements, found neither at offset %" PRIu64, what,
			shown, v->at);
	out->elements = (uint64_t)n->i;
	if (!og_dtype_bytes(out->type->dtype ? out->type->dtype : OG_U8, out->elements, &out->bytes))
		return og_fail_at(err, ONNXGATE_FORMAT, v->at, "%s: storage \"%s\": its %" PRIu64 " elements do not fit in 64 bits at offset %" PRIu64, what, shown,
			out->elements, v->at);
	return OG_OK;
}

/* The storage that a persistent id names, located when it is the first time. */
static og_status find_store(view *v, const og_pval *id, const store **out, og_storage *said)
{
	char what[500], shown[100];
	og_status s = og_storage_of(id, named(v, what, sizeof(what)), said, v->err);
	if (s != OG_OK)
		return s;
	og_str_show(said->key, shown, sizeof(shown));
	if (said->view && !v->t->views)
		return BAD(v, "storage \"%s\": expected no view of it, found one", shown);
	char *name = og_arena_printf(v->s->arena, "%s%.*s", v->folder, OG_STR_ARG(said->key));
	uint64_t *slot = name ? og_strmap_slot(v->s->by_key, name) : NULL;
	if (!slot)
		return og_fail_nomem(v->err);
	store *known = (store *)(uintptr_t)*slot;
	if (!known) {
		known = og_arena_alloc(v->s->arena, sizeof(*known));
		if (!known)
			return og_fail_nomem(v->err);
		known->what = *said;
		OG_TRY(v->t->locate(v->t->arg, v->folder, said, what, &known->place, v->err));
		*slot = (uint64_t)(uintptr_t)known;
	}
	/* PyTorch's writer refuses to save one storage as two types, and its reader would take whichever comes first. */
	if (known->what.type->dtype != said->type->dtype || known->what.elements != said->elements)
		return BAD(v, "storage \"%s\": expected %" PRIu64 " elements of %s as before, found %" PRIu64 " of %s", shown, known->what.elements,
			known->what.type->name, said->elements, said->type->name);
	*out = known;
	return OG_OK;
}

/* The part of its storage that a view's key stands for. */
static og_status find_window(view *v, const store *of, const og_storage *said)
{
	const og_pval *key = item(said->view, 0), *offset = item(said->view, 1), *size = item(said->view, 2);
	window w = { .of = of };
	unsigned width = og_dtype_bits(of->what.type->dtype ? of->what.type->dtype : OG_U8) / 8;
	if (!is_text(key) || memchr(key->text.p, 0, key->text.n) || key->text.n > OG_NAME_MAX || !offset || offset->kind != OG_P_INT || offset->i < 0 ||
		!size || size->kind != OG_P_INT || size->i < 0 || said->view->n != 3)
		return BAD(v, "expected (key, offset, elements) as the view of its storage, found something else");
	if (!og_mul_u64((uint64_t)offset->i, width, &w.offset) || !og_mul_u64((uint64_t)size->i, width, &w.bytes) || w.offset > of->what.bytes ||
		w.bytes > of->what.bytes - w.offset)
		return BAD(v, "its storage is a view of elements %" PRId64 " to %" PRId64 " + %" PRId64 " of one that has %" PRIu64, offset->i, offset->i, size->i,
			of->what.elements);
	uint64_t *slot = og_strmap_slot(v->s->windows, key->text.p); /* a NUL follows */
	if (!slot)
		return og_fail_nomem(v->err);
	window *known = (window *)(uintptr_t)*slot;
	if (!known) {
		known = og_arena_alloc(v->s->arena, sizeof(*known));
		if (!known)
			return og_fail_nomem(v->err);
		*known = w;
		*slot = (uint64_t)(uintptr_t)known;
	}
	if (known->of != of || known->offset != w.offset || known->bytes != w.bytes)
		return BAD(v, "the view of its storage has the key of another");
	v->w = w;
	return OG_OK;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* A tuple, or what torch.Size was given. */
static const og_pval *list_of(const og_pval *v)
{
	if (v && v->kind == OG_P_OBJECT && og_pval_is_global(v->of, "torch Size"))
		v = item(v->args, 0);
	return v && (v->kind == OG_P_TUPLE || v->kind == OG_P_LIST) ? v : NULL;
}

static og_status read_ints(view *v, const og_pval *from, const char *what, int64_t max, int64_t *out, int *n)
{
	const og_pval *list = list_of(from);
	if (!list)
		return BAD(v, "%s: expected a tuple of whole numbers, found %s", what, from ? og_pkind_name(from->kind) : "nothing");
	if (list->n > OG_RANK_MAX)
		return BAD(v, "%s: expected at most %d numbers, found %zu", what, OG_RANK_MAX, list->n);
	for (size_t i = 0; i < list->n; i++) {
		const og_pval *k = list->items[i];
		if (k->kind == OG_P_BIG)
			return BAD(v, "%s: a number does not fit in 64 bits", what);
		if (k->kind != OG_P_INT)
			return BAD(v, "%s: expected whole numbers, found %s", what, og_pkind_name(k->kind));
		if (k->i < 0 || k->i > max)
			return BAD(v, "%s: expected whole numbers from 0 to %" PRId64 ", found %" PRId64, what, max, k->i);
		out[i] = k->i;
	}
	*n = (int)list->n;
	return OG_OK;
}

/* conj() and neg() are lazy: the values in the storage are not yet the tensor's. PyTorch writes a dict of booleans, or nothing. */
static bool is_lazy(const og_pval *flags)
{
	static const char *const names[] = { "conj", "neg" };
	if (!flags || flags->kind == OG_P_NONE)
		return false;
	for (size_t i = 0; flags->kind == OG_P_DICT && i < OG_COUNT(names); i++) {
		const og_pval *f = og_pval_get(flags, names[i]);
		if (f && (f->kind != OG_P_BOOL || f->i))
			return true;
	}
	return flags->kind != OG_P_DICT;
}

static og_status dtype_named(view *v, const og_pval *said, og_dtype *out)
{
	const og_torch_global *g = said && said->kind == OG_P_GLOBAL ? og_torch_global_find(said->text) : NULL;
	char what[160];
	if (!g || g->kind != OG_TORCH_DTYPE)
		return BAD(v, "expected a dtype, found %s", said ? og_pkind_name(said->kind) : "nothing");
	snprintf(what, sizeof(what), "one of dtype %s, %s", g->name, g->why ? g->why : "");
	if (g->why)
		return not_read(v, what);
	*out = g->dtype;
	return OG_OK;
}

/* The storage's own type, or what _rebuild_tensor_v3 says. */
static og_status find_dtype(view *v, const store *of)
{
	og_dtype wanted = OG_DTYPE_NONE, *own = &v->out->dtype;
	*own = of->what.type->dtype ? of->what.type->dtype : OG_U8;
	if (v->call->kind == OG_TORCH_TENSOR3)
		OG_TRY(dtype_named(v, item(v->args, 6), own));
	if (v->cast)
		OG_TRY(dtype_named(v, v->cast, &wanted));
	return v->cast && wanted != *own ? not_read(v, "a tensor whose values are kept in another type") : OG_OK;
}

/* ---- the view ------------------------------------------------------------------------------------------ */

static og_status read_numbers(view *v)
{
	int nstrides = 0;
	og_tensor *t = v->out;
	const og_pval *offset = item(v->args, 1);
	if (!offset || offset->kind != OG_P_INT)
		return BAD(v, "expected a whole number as storage offset, found %s", offset ? og_pkind_name(offset->kind) : "nothing");
	if (offset->i < 0)
		return BAD(v, "expected a storage offset of at least 0, found %" PRId64, offset->i);
	OG_TRY(read_ints(v, item(v->args, 2), "size", OG_DIM_MAX, t->dims, &t->rank));
	OG_TRY(read_ints(v, item(v->args, 3), "stride", INT64_MAX, t->strides, &nstrides));
	if (nstrides != t->rank)
		return BAD(v, "expected as many strides as dims (%d), found %d", t->rank, nstrides);
	v->offset = offset->i;
	return OG_OK;
}

/* The dense form's size, and that the window is inside the storage. */
static og_status check_window(view *v)
{
	char dims[200], strides[200];
	og_tensor *t = v->out;
	uint64_t elements = 1, span = 0, first = 0, end = 0, limit = UINT64_MAX;
	unsigned width = og_dtype_bits(t->dtype) / 8;
	og_dims_show(t->dims, t->rank, dims, sizeof(dims));
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64(elements, (uint64_t)t->dims[i], &elements))
			return BAD(v, "the product of shape %s does not fit in 64 bits", dims);
	if (!og_dtype_bytes(t->dtype, elements, &t->size))
		return BAD(v, "the size of shape %s of %s does not fit in 64 bits", dims, og_dtype_name(t->dtype));
	if (!t->size) /* PyTorch looks no further, either */
		return OG_OK;
	og_dims_show(t->strides, t->rank, strides, sizeof(strides));
	if (!og_tensor_span(t, &span) || !og_mul_u64((uint64_t)v->offset, width, &first) || !og_add_u64(first, span, &end))
		return BAD(v, "offset %" PRId64 " and strides %s of shape %s do not fit in 64 bits", v->offset, strides, dims);
	if (end > v->w.bytes)
		return BAD(v, "shape %s with strides %s from element %" PRId64 " on ends at byte %" PRIu64 ", its storage has %" PRIu64, dims, strides, v->offset, end,
			v->w.bytes);
	(void)og_add_u64(v->t->r->source->size, OG_TORCH_EXPANDED_MAX, &limit);
	if (t->size > v->w.bytes && t->size > limit)
		return bad(v, ONNXGATE_UNSAFE, "shape %s with strides %s makes %" PRIu64 " bytes out of %" PRIu64 ": expected at most %" PRIu64, dims, strides, t->size,
			v->w.bytes, limit);
	return OG_OK;
}

static og_status read_view(view *v, uint64_t *at)
{
	static const size_t nargs[] = { [OG_TORCH_TENSOR1] = 4, [OG_TORCH_TENSOR2] = 6, [OG_TORCH_TENSOR3] = 7 };
	const og_pval *storage = item(v->args, 0);
	const store *of = NULL;
	og_storage said;
	size_t n = v->args && v->args->kind == OG_P_TUPLE ? v->args->n : 0;
	if (n < nargs[v->call->kind] || n > nargs[v->call->kind] + 1)
		return BAD(v, "%s: expected %zu arguments, found %zu", v->call->name, nargs[v->call->kind], n);
	const og_pval *flags = item(v->args, nargs[v->call->kind]);
	if (flags && flags->kind == OG_P_DICT && flags->n > 2 * OG_TORCH_FLAGS_MAX)
		return BAD(v, "expected at most %d flags, found %zu", OG_TORCH_FLAGS_MAX, flags->n / 2);
	if (is_lazy(flags))
		return not_read(v, "a tensor with a pending conj() or neg()");
	if (storage->kind != OG_P_PERSISTENT)
		return BAD(v, "expected a storage, found %s", og_pkind_name(storage->kind));
	OG_TRY(read_numbers(v)); /* before its bytes are asked for */
	OG_TRY(find_store(v, storage, &of, &said));
	v->w = (window){ .of = of, .bytes = of->what.bytes };
	if (said.view)
		OG_TRY(find_window(v, of, &said));
	OG_TRY(find_dtype(v, of));
	OG_TRY(check_window(v));
	og_tensor *t = v->out;
	uint64_t first = t->size ? (uint64_t)v->offset * (og_dtype_bits(t->dtype) / 8) : 0;
	t->source = of->place.source;
	t->offset = of->place.offset + v->w.offset + first;
	t->swapped = v->t->swapped && og_dtype_bits(t->dtype) > 8;
	*at = of->place.at + v->w.offset + first;
	return OG_OK;
}

og_status og_torch_view(const og_torch *t, og_torch_storages *s, const char *folder, const og_pval *p, og_tensor *out, uint64_t *at, og_error *err)
{
	view v = { .t = t, .s = s, .folder = folder, .out = out, .err = err, .at = p->at };
	uint64_t steps = 0;
	call c = resolve(p, &steps);
	switch (c.g ? c.g->kind : OG_TORCH_UNKNOWN) {
	case OG_TORCH_TENSOR1:
	case OG_TORCH_TENSOR2:
	case OG_TORCH_TENSOR3:
		v.call = c.g;
		v.args = c.args;
		v.cast = c.cast;
		return read_view(&v, at);
	case OG_TORCH_NOT:
		return not_read(&v, c.g->why);
	case OG_TORCH_TYPED:
		return not_read(&v, "a tensor of a class of its own");
	case OG_TORCH_TYPE:
		return not_read(&v, "a tensor in a form that PyTorch has not written since 0.1");
	default:
		return bad(&v, ONNXGATE_FORMAT, "expected a tensor, found %s", og_pkind_name(p->kind));
	}
}
