/* SPDX-License-Identifier: Apache-2.0
 *
 * One pickle after the other, listed.  The machine reads on where a reader would refuse; what it meets becomes rows: each global at its
 * first opcode, each call that is not a checkpoint's own, the opcodes in one row.  A legacy checkpoint is five pickles and then its storages,
 * of which only the end matters here. */
#include "format/threats_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "format/torch.h"

#define PICKLES_MAX 1000 /* in a row in one file; a legacy checkpoint has 5 */
#define OPS 512          /* slots for the names of opcodes, of which there are 68 */
#define TEXT_MAX 3500    /* bytes of one row's text */
#define NAME_SHOWN 200

typedef struct seen { /* one global, or the calls of one */
	size_t index; /* of its row */
	uint64_t times;
	const char *text;
} seen;

typedef struct listing { /* of one pickle */
	og_hunt *h; /* NULL: only a look */
	og_span span;
	og_arena *scratch;
	og_strmap *names; /* index + 1 in all */
	seen *all;
	size_t n, cap;
	struct {
		const char *name;
		uint64_t times;
	} ops[OPS];
	uint64_t nops;
	og_strmap *storages; /* key → its width + 1, of all the pickles of a file; NULL: nobody asks */
	og_arena *kept;      /* of their keys */
	bool named, called;
} listing;

/* ---- what is dangerous, and why ---------------------------------------------------------------------------- */

static const struct {
	const char *pattern, *why;
} reasons[] = {
	{ "* system", "runs commands" }, { "* popen*", "runs commands" }, { "os exec*", "runs programs" }, { "os spawn*", "runs programs" },
	{ "posix exec*", "runs programs" }, { "posix spawn*", "runs programs" }, { "nt *", "runs commands" }, { "os *", "reaches the system" },
	{ "posix *", "reaches the system" }, { "subprocess *", "runs programs" }, { "pty *", "runs programs" }, { "commands *", "runs commands" },
	{ "builtins eval", "runs Python code" }, { "builtins exec", "runs Python code" }, { "builtins compile", "makes Python code" },
	{ "builtins __import__", "loads modules" }, { "builtins getattr", "reaches any attribute" }, { "builtins open", "opens files" },
	{ "__builtin__ eval", "runs Python code" }, { "__builtin__ exec*", "runs Python code" }, { "__builtin__ compile", "makes Python code" },
	{ "__builtin__ __import__", "loads modules" }, { "__builtin__ getattr", "reaches any attribute" }, { "__builtin__ *open", "opens files" },
	{ "runpy *", "runs Python files" }, { "pip *", "installs packages" }, { "pip._internal*", "installs packages" }, { "importlib* *", "loads modules" },
	{ "torch load", "loads another pickle" }, { "torch.serialization load", "loads another pickle" }, { "*pickle *load*", "loads another pickle" },
	{ "dill* *", "loads code" }, { "cloudpickle* *", "loads code" }, { "torch.hub *", "downloads and runs code" }, { "torch.jit *load*", "loads code" },
	{ "marshal *", "makes Python code" }, { "types *", "makes Python code" }, { "code *", "runs Python code" }, { "timeit *", "runs Python code" },
	{ "ctypes* *", "reaches memory" }, { "socket *", "opens connections" }, { "urllib* *", "opens connections" }, { "requests* *", "opens connections" },
	{ "http* *", "opens connections" }, { "webbrowser *", "opens pages" }, { "shutil *", "changes files" }, { "pathlib *", "reaches files" },
	{ "io *", "opens files" }, { "functools partial", "calls anything" }, { "operator *", "reaches any attribute" }, { "_operator *", "reaches any attribute" },
	{ "codecs decode", "makes bytes out of text" }, { "_codecs decode", "makes bytes out of text" },
};

static const char *reason(const char *name)
{
	for (size_t i = 0; i < OG_COUNT(reasons); i++)
		if (og_glob(reasons[i].pattern, name))
			return reasons[i].why;
	return "not among the names that weights need";
}

static bool is_allowed(og_str module, og_str name)
{
	og_torch_names names = { .modules = true };
	return og_torch_allows_noted(&names, module, name, 0);
}

/* The same of "module name" in one. */
static bool is_allowed_global(og_str both)
{
	const char *space = memchr(both.p, ' ', both.n);
	if (!space)
		return false;
	size_t n = (size_t)(space - both.p);
	return is_allowed((og_str){ both.p, n }, (og_str){ space + 1, both.n - n - 1 });
}

/* ---- rows -------------------------------------------------------------------------------------------------- */

static uint64_t told(const listing *l, uint64_t at)
{
	return at >= l->span.shift ? at - l->span.shift : at;
}

/* A row that is written when the pickle is done, with the number of times. key: what makes it one. */
static seen *once(listing *l, bool danger, const char *kind, const char *key, uint64_t at, const char *text)
{
	og_hunt *h = l->h;
	uint64_t *slot = og_strmap_find(l->names, key);
	if (slot) {
		l->all[*slot - 1].times++;
		return NULL;
	}
	size_t index = h->n;
	og_threat *row = og_hunt_row(h, danger, kind, l->span.where, told(l, at), "%s", text);
	key = row ? og_arena_strdup(l->scratch, key) : NULL;
	text = row ? og_arena_strdup(l->scratch, text) : NULL;
	slot = key && text && og_arena_grow(l->scratch, &l->all, &l->cap, l->n + 1, sizeof(*l->all)) ? og_strmap_slot(l->names, key) : NULL;
	if (!slot) {
		h->nomem = h->nomem || row != NULL;
		return NULL;
	}
	l->all[l->n] = (seen){ .index = index, .times = 1, .text = text };
	*slot = ++l->n;
	return &l->all[l->n - 1];
}

static void finish_rows(listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const seen *s = &l->all[i];
		if (s->times < 2 || s->index >= l->h->n)
			continue;
		const char *text = og_arena_printf(l->h->arena, "%s; %" PRIu64 " times", s->text, s->times);
		if (text)
			l->h->rows[s->index].text = text;
		l->h->nomem = l->h->nomem || !text;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "1234 opcodes: APPENDS 2, BINGET 511, …" */
static void sum_up(listing *l, size_t index)
{
	const char *names[OPS];
	size_t n = 0;
	og_auto_buf b = { 0 };
	og_buf_init(&b, TEXT_MAX);
	for (size_t i = 0; i < OPS; i++)
		if (l->ops[i].name)
			names[n++] = l->ops[i].name;
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	og_buf_printf(&b, "%" PRIu64 " opcodes", l->nops);
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < OPS; i++)
			if (l->ops[i].name == names[k])
				og_buf_printf(&b, "%s %s %" PRIu64, k ? "," : ":", names[k], l->ops[i].times);
	const char *text = og_buf_cstr(&b);
	text = text ? og_arena_strdup(l->h->arena, text) : NULL;
	if (text && index < l->h->n)
		l->h->rows[index].text = text;
	l->h->nomem = l->h->nomem || !text;
}

/* ---- what the machine meets --------------------------------------------------------------------------------- */

static void on_op(void *arg, const char *op, uint64_t at)
{
	listing *l = arg;
	size_t slot = ((uintptr_t)op >> 2) % OPS;
	(void)at;
	l->nops++;
	for (size_t i = 0; i < OPS; i++, slot = (slot + 1) % OPS)
		if (!l->ops[slot].name || l->ops[slot].name == op) {
			l->ops[slot].name = op;
			l->ops[slot].times++;
			return;
		}
}

static bool on_global(void *arg, og_str module, og_str name, uint64_t at)
{
	listing *l = arg;
	char m[NAME_SHOWN], n[NAME_SHOWN], both[2 * NAME_SHOWN + 2], text[2 * NAME_SHOWN + 100];
	l->named = true;
	if (!l->h)
		return true;
	og_str_show(module, m, sizeof(m));
	og_str_show(name, n, sizeof(n));
	snprintf(both, sizeof(both), "%s %s", m, n);
	bool danger = !is_allowed(module, name);
	snprintf(text, sizeof(text), "%s%s%s", both, danger ? ": " : "", danger ? reason(both) : "");
	(void)once(l, danger, "global", both, at, text);
	return true;
}

static void show_value(og_buf *b, const og_pval *v)
{
	char text[72];
	switch (v->kind) {
	case OG_P_NONE: og_buf_str(b, "None"); break;
	case OG_P_BOOL: og_buf_str(b, v->i ? "True" : "False"); break;
	case OG_P_INT: og_buf_printf(b, "%" PRId64, v->i); break;
	case OG_P_FLOAT: og_buf_printf(b, "%g", v->f); break;
	case OG_P_TEXT: og_buf_printf(b, "\"%s\"", og_str_show(v->text, text, sizeof(text))); break;
	case OG_P_BYTES: og_buf_printf(b, "b\"%s\"", og_str_show(v->text, text, sizeof(text))); break;
	case OG_P_GLOBAL: og_buf_str(b, og_str_show(v->text, text, sizeof(text))); break;
	default: og_buf_str(b, og_pkind_name(v->kind)); break;
	}
}

/* "(\"touch x\", 1)" of a call, so that a reader sees what would have happened. */
static void show_args(og_buf *b, const og_pval *args)
{
	if (!args || args->kind != OG_P_TUPLE)
		return;
	og_buf_byte(b, '(');
	for (size_t i = 0; i < args->n && i < 4; i++) {
		og_buf_str(b, i ? ", " : "");
		show_value(b, args->items[i]);
	}
	og_buf_str(b, args->n > 4 ? ", …)" : ")");
}

/* The widths of the storages of a legacy file are what its persistent ids say. */
static void on_persistent(void *arg, const og_pval *v, uint64_t at)
{
	listing *l = arg;
	og_storage s;
	(void)at;
	if (!l->storages || og_storage_of(v, "", &s, NULL) != OG_OK || og_strmap_find(l->storages, s.key.p)) /* a NUL follows */
		return;
	char *key = og_arena_strndup(l->kept, s.key.p, s.key.n);
	uint64_t *slot = key ? og_strmap_slot(l->storages, key) : NULL;
	if (slot)
		*slot = 1 + og_dtype_bits(s.type->dtype ? s.type->dtype : OG_U8) / 8;
}

static void on_call(void *arg, const char *op, const og_pval *object, uint64_t at)
{
	listing *l = arg;
	char name[2 * NAME_SHOWN], key[3 * NAME_SHOWN];
	l->called = true;
	if (!l->h || object->kind != OG_P_OBJECT)
		return;
	bool global = object->of && object->of->kind == OG_P_GLOBAL;
	bool danger = !global || !is_allowed_global(object->of->text);
	if (global)
		og_str_show(object->of->text, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%s, which is no global", object->of ? og_pkind_name(object->of->kind) : "nothing");
	if (!danger) {
		snprintf(key, sizeof(key), "%s %s", op, name);
		(void)once(l, false, "call", key, at, key);
		return;
	}
	og_auto_buf b = { 0 };
	og_buf_init(&b, TEXT_MAX);
	og_buf_printf(&b, "%s %s", op, name);
	if (!og_streq(op, "BUILD"))
		show_args(&b, object->args);
	const char *text = og_buf_cstr(&b);
	(void)og_hunt_row(l->h, true, "call", l->span.where, told(l, at), "%s", text ? text : name);
}

static void on_danger(void *arg, const char *what, uint64_t at)
{
	listing *l = arg;
	if (l->h)
		(void)og_hunt_row(l->h, true, "opcode", l->span.where, told(l, at), "%s", what);
}

static void on_data(void *arg, og_str data, uint64_t at)
{
	listing *l = arg;
	const char *kind, *what;
	if (l->h->n <= OG_THREAT_ROWS_MAX && og_threats_in_text(data, l->scratch, &kind, &what))
		(void)og_hunt_row(l->h, !og_streq(kind, "code"), kind, l->span.where, told(l, at), "%s", what ? what : "");
}

/* ---- one pickle --------------------------------------------------------------------------------------------- */

static og_status read_one(listing *l, og_pval **out, uint64_t *next, og_error *why)
{
	const og_pickle_rules rules = { .allow = on_global, .persistent = true, .on_op = on_op, .on_data = l->h ? on_data : NULL, .on_danger = on_danger,
		.arg = l, .on_call = on_call, .on_persistent = on_persistent };
	return og_pickle_read(l->span.source, l->span.at, l->span.end, &rules, l->scratch, out, next, why);
}

og_status og_hunt_is_pickle(og_source *s, uint64_t at, uint64_t end, bool *is, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	listing l = { .span = { .source = s, .at = at, .end = end }, .scratch = scratch };
	og_error why = { 0 };
	og_pval *v;
	uint64_t next;
	if (!scratch)
		return og_fail_nomem(err);
	og_status st = read_one(&l, &v, &next, &why);
	*is = st == OG_OK ? l.named || l.nops > 2 : l.named && l.called;
	if (st == OG_OK || st == ONNXGATE_FORMAT || st == ONNXGATE_UNSAFE || st == ONNXGATE_UNSUPPORTED)
		return OG_OK;
	if (err)
		*err = why;
	return st;
}

/* Lists it. *next stays where it is when the pickle is broken, which is a row then. */
static og_status list_one(listing *l, og_pval **out, uint64_t *next, og_error *err)
{
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	size_t index = l->h->n;
	(void)og_hunt_row(l->h, false, "opcodes", l->span.where, told(l, l->span.at), "none");
	*out = NULL;
	og_status st = read_one(l, out, next, &why);
	sum_up(l, index);
	finish_rows(l);
	return st == OG_OK ? OG_OK : og_hunt_fault(l->h, true, l->span.where, l->span.shift, l->span.source, &why, err);
}

/* ---- legacy checkpoints ------------------------------------------------------------------------------------- */

static bool is_magic(const og_pval *v)
{
	return v->kind == OG_P_BIG && og_str_eq(v->text, OG_STR("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"));
}

/* Behind the list of keys: for each a count of elements, 8 bytes, and these. */
static og_status end_of_storages(listing *l, const og_pval *keys, uint64_t *at, bool *known, og_error *err)
{
	*known = keys->kind == OG_P_LIST;
	for (size_t i = 0; *known && i < keys->n; i++) {
		const og_pval *k = keys->items[i];
		uint8_t count[8];
		uint64_t elements, bytes = 0;
		char *key = k->kind == OG_P_TEXT || k->kind == OG_P_BYTES ? og_arena_strndup(l->kept, k->text.p, k->text.n) : NULL;
		const uint64_t *width = key ? og_strmap_find(l->storages, key) : NULL;
		*known = width && *width > 1 && *at <= l->span.end && l->span.end - *at >= 8;
		if (!*known)
			return OG_OK;
		OG_TRY(og_source_read(l->span.source, *at, count, 8, err));
		elements = (uint64_t)count[0] | (uint64_t)count[1] << 8 | (uint64_t)count[2] << 16 | (uint64_t)count[3] << 24 | (uint64_t)count[4] << 32 |
			(uint64_t)count[5] << 40 | (uint64_t)count[6] << 48 | (uint64_t)count[7] << 56;
		*known = og_mul_u64(elements, *width - 1, &bytes) && bytes <= l->span.end - *at - 8;
		*at += 8 + bytes;
	}
	return OG_OK;
}

static og_status list_storages(listing *l, const og_pval *keys, uint64_t at, og_error *err)
{
	bool known;
	uint64_t from = at;
	OG_TRY(end_of_storages(l, keys, &at, &known, err));
	if (!known)
		(void)og_hunt_row(l->h, false, "extra", l->span.where, told(l, from), "%" PRIu64 " bytes of storages, whose end is not known", l->span.end - from);
	else if (at < l->span.end)
		(void)og_hunt_row(l->h, true, "extra", l->span.where, told(l, at), "%" PRIu64 " bytes behind the last storage", l->span.end - at);
	return OG_OK;
}

/* ---- one after the other ------------------------------------------------------------------------------------ */

/* Is there another one behind the last? */
static og_status goes_on(const og_span *s, bool *is, og_error *err)
{
	uint8_t head[3];
	size_t n = s->end - s->at < sizeof(head) ? (size_t)(s->end - s->at) : sizeof(head);
	*is = false;
	if (!n)
		return OG_OK;
	OG_TRY(og_source_read(s->source, s->at, head, n, err));
	*is = og_hunt_pickle_head(head, n);
	return *is || !og_hunt_pickle_letter(head[0]) ? OG_OK : og_hunt_is_pickle(s->source, s->at, s->end, is, err);
}

og_status og_hunt_pickles(og_hunt *h, og_span span, og_error *err)
{
	og_auto(og_arena) *kept = og_arena_new();
	og_strmap *storages = kept ? og_strmap_new(kept) : NULL;
	bool legacy = false, more = true;
	if (!storages)
		return og_fail_nomem(err);
	for (size_t i = 0; more && i < PICKLES_MAX; i++) {
		og_auto(og_arena) *scratch = og_arena_new();
		listing l = { .h = h, .span = span, .scratch = scratch, .names = scratch ? og_strmap_new(scratch) : NULL, .storages = storages, .kept = kept };
		og_pval *v;
		uint64_t next = span.at;
		if (!l.names)
			return og_fail_nomem(err);
		OG_TRY(list_one(&l, &v, &next, err));
		if (!v)
			return OG_OK; /* broken: nobody knows where it ends */
		legacy = i ? legacy : is_magic(v);
		span.at = next;
		if (legacy && i == 4)
			return list_storages(&l, v, next, err);
		OG_TRY(goes_on(&span, &more, err));
	}
	if (span.at < span.end && !span.open_ended)
		(void)og_hunt_row(h, true, "extra", span.where, span.at - span.shift, "%" PRIu64 " bytes behind the STOP of the pickle", span.end - span.at);
	return OG_OK;
}
