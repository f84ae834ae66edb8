/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine: a stack of values, marks on it, a memo.  One small function an opcode, as CPython's _pickle.c has them, but what Python would
 * call becomes a record of the call.  Nothing recurses, nothing is copied that could be shared, and all that is taken is counted. */
#include "codec/pickle_machine_int.h"

#include "base/limits.h"

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

/* All that the values, the stack and the memo take: under a ceiling, and under one that rises with what was read, so that a bomb of small
 * opcodes is seen long before. */
static og_status count(og_machine *m, size_t bytes)
{
	uint64_t max = OG_PICKLE_MEMORY_FREE + OG_PICKLE_MEMORY_RATIO * (og_pin_tell(&m->in) - m->start);

	if (max > OG_PICKLE_MEMORY_MAX)
		max = OG_PICKLE_MEMORY_MAX;
	if (bytes > max - m->held) { /* max never falls */
		return og_pin_bad(&m->in, ONNXGATE_UNSAFE, "%s: expected values of at most %llu bytes, found more: a bomb", m->in.op->name,
			(unsigned long long)max);
	}
	m->held += bytes;
	return OG_OK;
}

static og_status take(og_machine *m, size_t n, void *out)
{
	void *p;

	n = (n + 15) & ~(size_t)15; /* as the arena rounds */
	OG_TRY(count(m, n));
	p = og_arena_alloc(m->arena, n);
	if (!p)
		return og_fail_nomem(m->in.err);
	memcpy(out, &p, sizeof(p));
	return OG_OK;
}

/* The heap arrays double; what is counted is what they grew by. */
static og_status grow(og_machine *m, void *array, size_t *cap, size_t need, size_t size)
{
	size_t had = *cap;

	if (need <= had)
		return OG_OK;
	if (need < 2 * had)
		need = 2 * had;
	OG_TRY(count(m, (need - had) * size));
	if (!og_array_grow(array, cap, need, size))
		return og_fail_nomem(m->in.err);
	return *cap > need ? count(m, (*cap - need) * size) : OG_OK;
}

og_status og_machine_make(og_machine *m, og_pkind kind, size_t extra, og_pval **out)
{
	bool whole = kind == OG_P_OBJECT || kind == OG_P_PERSISTENT;

	OG_TRY(take(m, (whole ? sizeof(**out) : OG_PVAL_PLAIN) + extra, out));
	(*out)->kind = kind;
	(*out)->at = m->in.at;
	return OG_OK;
}

/* ---- stack --------------------------------------------------------------------------------------------------------------- */

og_status og_machine_push(og_machine *m, og_pval *v)
{
	if (m->n == OG_PICKLE_STACK_MAX) {
		return og_pin_bad(&m->in, ONNXGATE_UNSAFE, "%s: expected at most %d values on the stack, found more: a bomb", m->in.op->name,
			OG_PICKLE_STACK_MAX);
	}
	OG_TRY(grow(m, &m->stack, &m->cap, m->n + 1, sizeof(*m->stack)));
	m->stack[m->n++] = v;
	return OG_OK;
}

og_status og_machine_share(og_machine *m, og_pval **slot, og_pkind kind, int64_t i)
{
	if (!*slot) {
		OG_TRY(og_machine_make(m, kind, 0, slot));
		if (kind == OG_P_BOOL || kind == OG_P_INT)
			(*slot)->i = i;
	}
	return og_machine_push(m, *slot);
}

/* At least n values above the last mark? */
static og_status require(og_machine *m, size_t n)
{
	size_t there = m->n - m->fence;

	if (there >= n)
		return OG_OK;
	return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected %zu value%s on the stack, found %zu%s", m->in.op->name, n, n == 1 ? "" : "s", there,
		m->nmarks ? " above a mark" : "");
}

static og_pval *top(og_machine *m)
{
	return m->stack[m->n - 1];
}

static void drop_mark(og_machine *m)
{
	m->nmarks--;
	m->fence = m->nmarks ? m->marks[m->nmarks - 1] : 0;
}

/* Takes the last mark off; *from is its place. */
static og_status to_mark(og_machine *m, size_t *from)
{
	if (!m->nmarks)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected a mark on the stack, found none", m->in.op->name);
	*from = m->fence;
	drop_mark(m);
	return OG_OK;
}

static og_status do_none(og_machine *m)
{
	return og_machine_share(m, &m->none, OG_P_NONE, 0);
}

static og_status do_mark(og_machine *m)
{
	if (m->nmarks >= OG_PICKLE_STACK_MAX)
		return og_pin_bad(&m->in, ONNXGATE_UNSAFE, "MARK: expected at most %d marks, found more: a bomb", OG_PICKLE_STACK_MAX);
	OG_TRY(grow(m, &m->marks, &m->marks_cap, m->nmarks + 1, sizeof(*m->marks)));
	m->marks[m->nmarks++] = m->fence = m->n;
	return OG_OK;
}

static og_status do_pop(og_machine *m)
{
	if (m->nmarks && m->n == m->fence) { /* Python's stack holds the mark itself, so POP takes that */
		drop_mark(m);
		return OG_OK;
	}
	OG_TRY(require(m, 1));
	m->n--;
	return OG_OK;
}

static og_status do_pop_mark(og_machine *m)
{
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	m->n = from;
	return OG_OK;
}

static og_status do_dup(og_machine *m)
{
	OG_TRY(require(m, 1));
	return og_machine_push(m, top(m));
}

/* ---- containers ---------------------------------------------------------------------------------------------------------- */

/* The values from `from` to the top become the items of a new container in their place. */
static og_status collect(og_machine *m, og_pkind kind, size_t from)
{
	size_t n = m->n - from;
	og_pval *v = NULL;

	if (kind == OG_P_TUPLE && n == 0)
		return og_machine_share(m, &m->empty, kind, 0);
	OG_TRY(og_machine_make(m, kind, n * sizeof(v), &v));
	if (n) {
		v->items = og_pval_behind(v);
		memcpy(v->items, m->stack + from, n * sizeof(v));
	}
	v->n = n;
	v->cap = (uint32_t)n;
	m->n = from;
	return og_machine_push(m, v);
}

/* More items for a container. */
static og_status extend(og_machine *m, og_pval *v, size_t from, size_t n)
{
	size_t need = v->n + n, cap = v->cap;
	og_pval **items = NULL;

	if (need > cap) {
		cap = !cap || need > 2 * cap ? need : 2 * cap;
		OG_TRY(take(m, cap * sizeof(*items), &items));
		if (v->n)
			memcpy(items, v->items, v->n * sizeof(*items));
		v->items = items;
		v->cap = (uint32_t)cap;
	}
	memcpy(v->items + v->n, m->stack + from, n * sizeof(*v->items));
	v->n = need;
	return OG_OK;
}

static og_status do_empty(og_machine *m)
{
	static const uint8_t kinds[256] = { [')'] = OG_P_TUPLE, [']'] = OG_P_LIST, ['}'] = OG_P_DICT, [0x8f] = OG_P_SET };

	return collect(m, (og_pkind)kinds[m->in.code], m->n);
}

/* TUPLE1, TUPLE2, TUPLE3. */
static og_status do_short_tuple(og_machine *m)
{
	size_t n = (size_t)m->in.code - 0x84;

	OG_TRY(require(m, n));
	return collect(m, OG_P_TUPLE, m->n - n);
}

static og_status even(og_machine *m, size_t from)
{
	if ((m->n - from) % 2)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected keys with values, found %zu items", m->in.op->name, m->n - from);
	return OG_OK;
}

/* TUPLE, LIST, DICT, FROZENSET: the items are above a mark. */
static og_status do_collect(og_machine *m)
{
	static const uint8_t kinds[256] = { ['t'] = OG_P_TUPLE, ['l'] = OG_P_LIST, ['d'] = OG_P_DICT, [0x91] = OG_P_SET };
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	if (m->in.code == 'd')
		OG_TRY(even(m, from));
	return collect(m, (og_pkind)kinds[m->in.code], from);
}

/* What cannot be changed by this opcode. A class or what a storage's loader returns would run code of theirs. */
static og_status wrong_target(og_machine *m, const og_pval *v, const char *expected)
{
	bool code = v->kind == OG_P_GLOBAL || v->kind == OG_P_PERSISTENT || m->in.code == 'b';

	return og_pin_danger(&m->in, code ? ONNXGATE_UNSAFE : ONNXGATE_FORMAT, "%s: expected %s, found %s", m->in.op->name, expected, og_pkind_name(v->kind));
}

/* The values from `from` on go into the one below them, and off the stack. */
static og_status add(og_machine *m, size_t from, og_pkind kind)
{
	size_t n = m->n - from;
	og_pval *v = NULL;

	if (from <= m->fence) {
		m->n = from;
		return require(m, 1);
	}
	m->n = from; /* the values are still there for extend() */
	v = top(m);
	if (n == 0)
		return OG_OK;
	if (v->kind == kind)
		return extend(m, v, from, n);
	if (v->kind != OG_P_OBJECT)
		return wrong_target(m, v, kind == OG_P_DICT ? "a dict or an object" : kind == OG_P_SET ? "a set or an object" : "a list or an object");
	if (kind != OG_P_DICT)
		return extend(m, v, from, n);
	if (!v->pairs)
		OG_TRY(og_machine_make(m, OG_P_DICT, 0, &v->pairs));
	return extend(m, v->pairs, from, n);
}

static og_status do_append(og_machine *m)
{
	OG_TRY(require(m, 2));
	return add(m, m->n - 1, OG_P_LIST);
}

static og_status do_appends(og_machine *m)
{
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	return add(m, from, m->in.code == 'e' ? OG_P_LIST : OG_P_SET);
}

static og_status do_setitem(og_machine *m)
{
	OG_TRY(require(m, 3));
	return add(m, m->n - 2, OG_P_DICT);
}

static og_status do_setitems(og_machine *m)
{
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	OG_TRY(even(m, from));
	return add(m, from, OG_P_DICT);
}

/* ---- globals and what they are used for ---------------------------------------------------------------------------------- */

static og_status push_global(og_machine *m, og_str module, og_str name)
{
	char shown[300], *text;
	og_pval *v = NULL;

	OG_TRY(og_machine_make(m, OG_P_GLOBAL, module.n + name.n + 2, &v));
	text = og_pval_behind(v);
	if (module.n)
		memcpy(text, module.p, module.n);
	text[module.n] = ' ';
	if (name.n)
		memcpy(text + module.n + 1, name.p, name.n);
	v->text = (og_str){ text, module.n + 1 + name.n };
	if (!og_utf8_valid(og_pval_behind(v), v->text.n))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected UTF-8, found other bytes", m->in.op->name);
	if (memchr(text, '\n', v->text.n) || module.n > OG_NAME_MAX || name.n > OG_NAME_MAX) {
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_FORMAT, "%s: expected names of one line of at most %d bytes, found \"%s\"", m->in.op->name, OG_NAME_MAX,
			og_str_show(v->text, shown, sizeof(shown))));
	}
	if (!m->rules->allow || !m->rules->allow(m->rules->arg, (og_str){ text, module.n }, (og_str){ text + module.n + 1, name.n }, v->at)) {
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSAFE, "global \"%s\" is not allowed in a checkpoint", og_str_show(v->text, shown, sizeof(shown))));
	}
	return og_machine_push(m, v);
}

static og_status do_global(og_machine *m)
{
	return push_global(m, m->in.text, m->in.second);
}

static og_status do_stack_global(og_machine *m)
{
	og_pval *module, *name;

	OG_TRY(require(m, 2));
	m->n -= 2;
	module = m->stack[m->n];
	name = m->stack[m->n + 1];
	if (module->kind == OG_P_TEXT && name->kind == OG_P_TEXT)
		return push_global(m, module->text, name->text);
	OG_TRY(og_pin_danger(&m->in, ONNXGATE_FORMAT, "STACK_GLOBAL: expected two texts, found %s and %s", og_pkind_name(module->kind),
		og_pkind_name(name->kind)));
	return push_global(m, module->kind == OG_P_TEXT ? module->text : OG_STR("?"), name->kind == OG_P_TEXT ? name->text : OG_STR("?"));
}

static og_status do_extension(og_machine *m)
{
	int64_t code = (int64_t)m->in.number;
	og_pval *v = NULL;

	if (code <= 0)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected a code above 0, found %lld", m->in.op->name, (long long)code);
	OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSAFE, "%s: a global by its number %lld in Python's extension registry is not allowed in a checkpoint",
		m->in.op->name, (long long)code));
	OG_TRY(og_machine_make(m, OG_P_GLOBAL, 0, &v));
	v->text = OG_STR("copyreg extension");
	return og_machine_push(m, v);
}

/* The record of a call in the place of all from `from` on. */
static og_status call(og_machine *m, size_t from, og_pval *of, og_pval *args, og_pval *kwargs)
{
	og_pval *v = NULL;

	if (of->kind != OG_P_GLOBAL) {
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSAFE, "%s: expected to call a global, found a call of %s, made at offset %llu", m->in.op->name,
			og_pkind_name(of->kind), (unsigned long long)of->at));
	}
	if (args->kind != OG_P_TUPLE || (kwargs && kwargs->kind != OG_P_DICT)) {
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_FORMAT, "%s: expected arguments in %s, found %s", m->in.op->name, args->kind != OG_P_TUPLE ? "a tuple" : "a dict",
			og_pkind_name(args->kind != OG_P_TUPLE ? args->kind : kwargs->kind)));
	}
	OG_TRY(og_machine_make(m, OG_P_OBJECT, 0, &v));
	v->of = of;
	v->args = args;
	v->kwargs = kwargs;
	if (m->rules->on_call)
		m->rules->on_call(m->rules->arg, m->in.op->name, v, v->at);
	m->n = from;
	return og_machine_push(m, v);
}

/* REDUCE, NEWOBJ. */
static og_status do_reduce(og_machine *m)
{
	OG_TRY(require(m, 2));
	return call(m, m->n - 2, m->stack[m->n - 2], m->stack[m->n - 1], NULL);
}

static og_status do_newobj_ex(og_machine *m)
{
	OG_TRY(require(m, 3));
	return call(m, m->n - 3, m->stack[m->n - 3], m->stack[m->n - 2], m->stack[m->n - 1]);
}

static og_status do_inst(og_machine *m)
{
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	OG_TRY(collect(m, OG_P_TUPLE, from));
	OG_TRY(push_global(m, m->in.text, m->in.second));
	return call(m, from, m->stack[from + 1], m->stack[from], NULL);
}

static og_status do_obj(og_machine *m)
{
	size_t from = 0;

	OG_TRY(to_mark(m, &from));
	if (m->n == from)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "OBJ: expected a class above the mark, found nothing");
	OG_TRY(collect(m, OG_P_TUPLE, from + 1));
	return call(m, from, m->stack[from], m->stack[from + 1], NULL);
}

static og_status do_build(og_machine *m)
{
	og_pval *v, *state;

	OG_TRY(require(m, 2));
	state = m->stack[--m->n];
	v = top(m);
	if (v->kind != OG_P_OBJECT)
		return wrong_target(m, v, "an object");
	if (v->state)
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSAFE, "BUILD: expected one state of an object, found a second one"));
	v->state = state;
	if (m->rules->on_call)
		m->rules->on_call(m->rules->arg, m->in.op->name, v, m->in.at);
	return OG_OK;
}

static og_status persistent(og_machine *m, og_pval *id)
{
	og_pval *v = NULL;

	if (!m->rules->persistent)
		OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSAFE, "%s: an object outside the pickle is not allowed here", m->in.op->name));
	OG_TRY(og_machine_make(m, OG_P_PERSISTENT, 0, &v));
	v->args = id;
	if (m->rules->on_persistent)
		m->rules->on_persistent(m->rules->arg, v, m->in.at);
	return og_machine_push(m, v);
}

static og_status do_persid(og_machine *m)
{
	og_pval *id = NULL;

	OG_TRY(og_machine_make(m, OG_P_BYTES, m->in.text.n + 1, &id));
	memcpy(og_pval_behind(id), m->in.text.p, m->in.text.n);
	id->text = (og_str){ og_pval_behind(id), m->in.text.n };
	OG_TRY(og_leaf_push(m, id, true));
	m->n--;
	return persistent(m, id);
}

static og_status do_binpersid(og_machine *m)
{
	OG_TRY(require(m, 1));
	return persistent(m, m->stack[--m->n]);
}

static og_status do_buffer(og_machine *m)
{
	OG_TRY(og_pin_danger(&m->in, ONNXGATE_UNSUPPORTED, "%s: a buffer outside the pickle, which is not supported", m->in.op->name));
	return m->in.code == 0x97 ? do_none(m) : require(m, 1);
}

/* ---- memo ---------------------------------------------------------------------------------------------------------------- */

static og_far **far_slot(og_machine *m, uint64_t index)
{
	og_far **slot = &m->far;

	for (unsigned bit = 0; *slot && (*slot)->index != index; bit++)
		slot = &(*slot)->child[index >> bit & 1];
	return slot;
}

static og_pval *recall(og_machine *m, uint64_t index)
{
	og_far *f;

	if (index < m->near_cap && m->near[index])
		return m->near[index];
	f = m->far ? *far_slot(m, index) : NULL;
	return f ? f->value : NULL;
}

static og_status memoize(og_machine *m, uint64_t index)
{
	bool is_new;

	OG_TRY(require(m, 1));
	is_new = !recall(m, index);
	if (is_new && m->memo >= OG_PICKLE_MEMO_MAX)
		return og_pin_bad(&m->in, ONNXGATE_UNSAFE, "%s: expected at most %d memo entries, found more: a bomb", m->in.op->name, OG_PICKLE_MEMO_MAX);
	m->memo += is_new;
	if (index < m->near_cap || index < 2 * m->memo + 256) {
		OG_TRY(grow(m, &m->near, &m->near_cap, (size_t)index + 1, sizeof(*m->near)));
		m->near[index] = top(m);
	} else {
		og_far **slot = far_slot(m, index);
		if (!*slot) {
			OG_TRY(take(m, sizeof(**slot), slot));
			(*slot)->index = index;
		}
		(*slot)->value = top(m);
	}
	return OG_OK;
}

static og_status text_index(og_machine *m, uint64_t *index)
{
	uint8_t bytes[OG_PTEXT_INTEGER_BYTES];
	char shown[64];
	size_t n;

	if (og_parse_u64(m->in.text, INT64_MAX, index))
		return OG_OK;
	if (!og_ptext_integer(m->in.text, OG_PBASE_10, bytes, &n) || n > 8 || bytes[n - 1] >= 0x80)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected a memo index, found \"%s\"", m->in.op->name, og_str_show(m->in.text, shown, sizeof(shown)));
	*index = 0;
	while (n--)
		*index = *index << 8 | bytes[n];
	return OG_OK;
}

static og_status get(og_machine *m, uint64_t index)
{
	og_pval *v = recall(m, index);

	if (!v)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected a memo entry %llu, found none", m->in.op->name, (unsigned long long)index);
	return og_machine_push(m, v);
}

static og_status do_get(og_machine *m)
{
	uint64_t index = 0;

	OG_TRY(text_index(m, &index));
	return get(m, index);
}

static og_status do_put(og_machine *m)
{
	uint64_t index = 0;

	OG_TRY(text_index(m, &index));
	return memoize(m, index);
}

static og_status do_binget(og_machine *m)
{
	return get(m, m->in.number);
}

static og_status do_binput(og_machine *m)
{
	return memoize(m, m->in.number);
}

static og_status do_memoize(og_machine *m)
{
	return memoize(m, m->memo);
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------- */

static og_status do_proto(og_machine *m)
{
	if (m->in.number > 5)
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "PROTO: expected a protocol up to 5, found %llu", (unsigned long long)m->in.number);
	return OG_OK;
}

static og_status do_nothing(og_machine *m) /* FRAME is the reader's; STOP ends the loop */
{
	(void)m;
	return OG_OK;
}

static og_status (*const actions[256])(og_machine *m) = {
	['('] = do_mark, ['.'] = do_nothing, ['0'] = do_pop, ['1'] = do_pop_mark, ['2'] = do_dup, ['F'] = og_leaf_float,
	['I'] = og_leaf_int, ['J'] = og_leaf_binint, ['K'] = og_leaf_binint, ['L'] = og_leaf_int, ['M'] = og_leaf_binint,
	['N'] = do_none, ['P'] = do_persid, ['Q'] = do_binpersid, ['R'] = do_reduce, ['S'] = og_leaf_string,
	['T'] = og_leaf_binstring, ['U'] = og_leaf_binstring, ['V'] = og_leaf_unicode, ['X'] = og_leaf_binunicode,
	['a'] = do_append, ['b'] = do_build, ['c'] = do_global, ['d'] = do_collect, ['}'] = do_empty, ['e'] = do_appends,
	['g'] = do_get, ['h'] = do_binget, ['i'] = do_inst, ['j'] = do_binget, ['l'] = do_collect, [']'] = do_empty,
	['o'] = do_obj, ['p'] = do_put, ['q'] = do_binput, ['r'] = do_binput, ['s'] = do_setitem, ['t'] = do_collect,
	[')'] = do_empty, ['u'] = do_setitems, ['G'] = og_leaf_binfloat, ['B'] = og_leaf_binbytes, ['C'] = og_leaf_binbytes,
	[0x80] = do_proto, [0x81] = do_reduce, [0x82] = do_extension, [0x83] = do_extension, [0x84] = do_extension,
	[0x85] = do_short_tuple, [0x86] = do_short_tuple, [0x87] = do_short_tuple, [0x88] = og_leaf_truth,
	[0x89] = og_leaf_truth, [0x8a] = og_leaf_long, [0x8b] = og_leaf_long, [0x8c] = og_leaf_binunicode,
	[0x8d] = og_leaf_binunicode, [0x8e] = og_leaf_binbytes, [0x8f] = do_empty, [0x90] = do_appends, [0x91] = do_collect,
	[0x92] = do_newobj_ex, [0x93] = do_stack_global, [0x94] = do_memoize, [0x95] = do_nothing, [0x96] = og_leaf_binbytes,
	[0x97] = do_buffer, [0x98] = do_buffer,
};

static og_status run(og_machine *m)
{
	do {
		OG_TRY(og_pin_next(&m->in));
		if (m->rules->on_op)
			m->rules->on_op(m->rules->arg, m->in.op->name, m->in.at);
		OG_TRY(actions[m->in.code](m));
	} while (m->in.code != '.');
	return require(m, 1);
}

og_status og_pickle_read(og_source *s, uint64_t at, uint64_t end, const og_pickle_rules *rules, og_arena *arena, og_pval **out, uint64_t *next,
	og_error *err)
{
	og_autofree og_machine *m = og_alloc(sizeof(*m));
	og_status status;

	if (!m)
		return og_fail_nomem(err);
	m->rules = rules;
	m->arena = arena;
	m->start = at;
	status = og_pin_open(&m->in, s, at, end, rules, err);
	if (status == OG_OK)
		status = run(m);
	if (status == OG_OK) {
		*out = top(m);
		*next = og_pin_tell(&m->in);
	}
	og_pin_close(&m->in);
	og_free(m->stack);
	og_free(m->marks);
	og_free(m->near);
	return status;
}

/* ---- looking at values --------------------------------------------------------------------------------------------------- */

const char *og_pkind_name(og_pkind kind)
{
	static const char *const names[] = { "None", "a boolean", "an integer", "an integer over 64 bits", "a float", "a text", "bytes", "a tuple", "a list",
		"a dict", "a set", "a global", "an object", "a persistent id" };

	return names[kind];
}

bool og_pval_is_global(const og_pval *v, const char *module_and_name)
{
	return v && v->kind == OG_P_GLOBAL && og_str_is(v->text, module_and_name);
}

const og_pval *og_pval_get(const og_pval *dict, const char *key)
{
	if (dict && dict->kind == OG_P_OBJECT)
		dict = dict->pairs;
	if (!dict || dict->kind != OG_P_DICT)
		return NULL;
	for (size_t i = dict->n; i >= 2; i -= 2) { /* of repeated keys the last counts */
		if (dict->items[i - 2]->kind == OG_P_TEXT && og_str_is(dict->items[i - 2]->text, key))
			return dict->items[i - 1];
	}
	return NULL;
}
