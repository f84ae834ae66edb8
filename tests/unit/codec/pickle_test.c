/* SPDX-License-Identifier: Apache-2.0
 *
 * codec/pickle.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/pickle_int.h"
#include "pickle_show.h"

#include <stdio.h>
#include <stdlib.h>

#define B(literal) literal, sizeof(literal) - 1

typedef struct notes { /* what the callbacks were told */
	char danger[4096], ops[4096], data[4096], calls[4096], persistent[4096];
	bool seen[256];
	uint64_t last;
} notes;

static void note(char *to, size_t cap, const char *text, size_t n)
{
	size_t had = strlen(to);

	assert_true(had + n + 2 < cap);
	memcpy(to + had, text, n);
	memcpy(to + had + n, ";", 2);
}

static bool allow_test(void *arg, og_str module, og_str name, uint64_t at)
{
	(void)arg;
	(void)name;
	(void)at;
	return og_str_is(module, "m");
}

static bool allow_all(void *arg, og_str module, og_str name, uint64_t at)
{
	(void)arg;
	(void)module;
	(void)name;
	(void)at;
	return true;
}

static void on_op(void *arg, const char *op, uint64_t at)
{
	notes *n = arg;

	n->last = at;
	for (int i = 0; i < 256; i++)
		if (og_popcodes[i].name && strcmp(og_popcodes[i].name, op) == 0)
			n->seen[i] = true;
	if (strlen(n->ops) < 1000)
		note(n->ops, sizeof(n->ops), op, strlen(op));
}

static void on_data(void *arg, og_str data, uint64_t at)
{
	notes *n = arg;

	(void)at;
	note(n->data, sizeof(n->data), data.p, data.n);
}

static void on_danger(void *arg, const char *what, uint64_t at)
{
	notes *n = arg;

	(void)at;
	note(n->danger, sizeof(n->danger), what, strlen(what));
}

static void on_call(void *arg, const char *op, const og_pval *object, uint64_t at)
{
	notes *n = arg;
	og_auto_buf b;

	(void)at;
	og_buf_init(&b, 4096);
	og_buf_printf(&b, "%s ", op);
	pickle_show(&b, object->of, 0);
	note(n->calls, sizeof(n->calls), (const char *)b.p, b.n);
}

static void on_persistent(void *arg, const og_pval *v, uint64_t at)
{
	notes *n = arg;

	assert_int_equal(v->kind, OG_P_PERSISTENT);
	assert_int_equal(v->at, at);
	note(n->persistent, sizeof(n->persistent), v->args->text.p, v->args->text.n);
}

static const og_pickle_rules strict = { .allow = allow_test, .persistent = true };

/* Reads and shows; the text is the caller's (og_free). NULL: an error, in *err. */
static char *read_with(const og_pickle_rules *rules, const void *p, size_t n, uint64_t at, uint64_t *next, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_auto_buf b;
	og_pval *v;
	og_status status;

	og_buf_init(&b, 1 << 20);
	memset(err, 0, sizeof(*err));
	assert_non_null(a);
	assert_int_equal(og_source_memory("f.pkl", p, n, &s, NULL), OG_OK);
	status = og_pickle_read(s, at, n, rules, a, &v, next, err);
	assert_int_equal(status, err->status);
	if (status != OG_OK)
		return NULL;
	pickle_show(&b, v, 0);
	return og_buf_take(&b);
}

static void gives_with(const og_pickle_rules *rules, const char *name, const char *p, size_t n, const char *expected)
{
	og_error err;
	uint64_t next = 0;
	og_autofree char *found = read_with(rules, p, n, 0, &next, &err);

	if (!found || strcmp(found, expected) != 0)
		fail_msg("%s: expected %s, found %s", name, expected, found ? found : err.message);
	assert_int_equal(next, n);
}

static void refused(const og_pickle_rules *rules, const char *p, size_t n, og_status status, uint64_t at, const char *message)
{
	char where[64];
	og_error err;
	uint64_t next = 7;
	og_autofree char *found = read_with(rules, p, n, 0, &next, &err);

	snprintf(where, sizeof(where), " at offset %llu", (unsigned long long)at);
	if (found)
		fail_msg("expected \"%s\", found the value %s", message, found);
	if (err.status != status || err.offset != at || !strstr(err.message, message) || strncmp(err.message, "f.pkl: pickle: ", 15) != 0 ||
		!og_ends_with(err.message, where))
		fail_msg("expected %s \"%s\"%s, found %s \"%s\"", og_status_name(status), message, where, og_status_name(err.status), err.message);
	assert_int_equal(next, 7); /* outputs stay as they were */
}

static const struct {
	const char *name, *p;
	size_t n;
	const char *value;
} opcodes[] = {
	{ "NONE", B("N."), "None" },
	{ "MARK TUPLE", B("(NNt."), "(None,None,)" },
	{ "POP", B("NI5\n0."), "None" },
	{ "POP takes a mark that is on top", B("N(0."), "None" },
	{ "POP_MARK", B("N(I1\nI2\n1."), "None" },
	{ "POP_MARK of nothing", B("N(1."), "None" },
	{ "DUP shares", B("(]2I1\nat."), "([1,],[1,],)" },
	{ "FLOAT", B("(F1.5\nF-0.0\nFinf\nF-inf\nF5e-324\nF1e5\nt."),
		"(real(0x3ff8000000000000),real(0x8000000000000000),real(0x7ff0000000000000),real(0xfff0000000000000),real(0x1),real(0x40f86a0000000000),)" },
	{ "BINFLOAT", B("G\x3f\xf8\x00\x00\x00\x00\x00\x00."), "real(0x3ff8000000000000)" },
	{ "INT", B("(I0\nI-5\nI01\nI00\nI1\nI0x1f\nI010\nI+7\nI 8 \nI1_000\nt."), "(0,-5,True,False,1,31,8,7,8,1000,)" },
	{ "INT at the limits", B("(I9223372036854775807\nI-9223372036854775808\nI9223372036854775808\nI-9223372036854775809\nt."),
		"(9223372036854775807,-9223372036854775808,big(b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x00'),"
		"big(b'\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f\\xff'),)" },
	{ "LONG", B("(L0L\nL-1L\nL123\nL00\nL0x7fL\nt."), "(0,-1,123,0,127,)" },
	{ "BININT", B("(J\x01\x00\x00\x00J\xff\xff\xff\xffJ\xff\xff\xff\x7ft."), "(1,-1,2147483647,)" },
	{ "BININT1 BININT2", B("(K\xffM\xff\xfft."), "(255,65535,)" },
	{ "LONG1", B("(\x8a\x00\x8a\x01\xff\x8a\x02\xff\x00\x8a\x04\x00\x00\x00\x00t."), "(0,-1,255,0,)" },
	{ "LONG1 of nine bytes", B("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."), "big(b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01')" },
	{ "LONG1 as short as it can be", B("\x8a\x0a\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00."), "7" },
	{ "LONG4", B("(\x8b\x00\x00\x00\x00\x8b\x01\x00\x00\x00\x80t."), "(0,-128,)" },
	{ "NEWTRUE NEWFALSE", B("\x88\x89\x86."), "(True,False,)" },
	{ "STRING", B("(S'a'\nS\"b'\"\nS'\\x41\\n\\t\\\\\\''\nS'\\101\\0'\nS'\\q'\nt."),
		"(text(b'a'),text(b'b\\x27'),text(b'A\\x0a\\x09\\x5c\\x27'),text(b'A\\x00'),text(b'\\x5cq'),)" },
	{ "STRING that is no text", B("S'\\xe9'\n."), "data(b'\\xe9')" },
	{ "BINSTRING SHORT_BINSTRING", B("(T\x01\x00\x00\x00" "aU\x02" "bcU\x01\xff" "t."), "(text(b'a'),text(b'bc'),data(b'\\xff'),)" },
	{ "UNICODE", B("(Va\\u0041\nV\\U0001f600\nV\xe9\nV\\\\u0041\nV\nV\\x\nt."),
		"(text(b'aA'),text(b'\\xf0\\x9f\\x98\\x80'),text(b'\\xc3\\xa9'),text(b'\\x5c\\x5cu0041'),text(b''),text(b'\\x5cx'),)" },
	{ "UNICODE of a lone surrogate", B("V\\ud800\n."), "data(b'\\xed\\xa0\\x80')" },
	{ "BINUNICODE SHORT_BINUNICODE BINUNICODE8", B("(X\x02\x00\x00\x00\xc3\xa9\x8c\x01z\x8d\x01\x00\x00\x00\x00\x00\x00\x00yt."),
		"(text(b'\\xc3\\xa9'),text(b'z'),text(b'y'),)" },
	{ "BINUNICODE of a lone surrogate", B("X\x03\x00\x00\x00\xed\xb0\x80."), "data(b'\\xed\\xb0\\x80')" },
	{ "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8",
		B("(B\x01\x00\x00\x00" "aC\x00\x8e\x01\x00\x00\x00\x00\x00\x00\x00" "b\x96\x01\x00\x00\x00\x00\x00\x00\x00" "ct."),
		"(data(b'a'),data(b''),data(b'b'),data(b'c'),)" },
	{ "APPEND", B("]I1\na."), "[1,]" },
	{ "APPENDS", B("](I1\nI2\nI3\ne(I4\ne(e."), "[1,2,3,4,]" },
	{ "LIST", B("(I1\nI2\nl."), "[1,2,]" },
	{ "LIST that grows", B("(lI1\naI2\na."), "[1,2,]" },
	{ "EMPTY_LIST EMPTY_DICT EMPTY_TUPLE EMPTY_SET", B("(]})\x8ft."), "([],pairs(),(),group(),)" },
	{ "DICT", B("(I1\nNI2\nNd."), "pairs(1,None,2,None,)" },
	{ "SETITEM", B("}I1\nNs."), "pairs(1,None,)" },
	{ "SETITEMS", B("}(I1\nI2\nI3\nI4\nu."), "pairs(1,2,3,4,)" },
	{ "TUPLE1 TUPLE2 TUPLE3", B("N\x85N\x86NN\x87."), "(((None,),None,),None,None,)" },
	{ "ADDITEMS", B("\x8f(I1\nI2\n\x90."), "group(1,2,)" },
	{ "FROZENSET", B("(I1\n\x91."), "group(1,)" },
	{ "GLOBAL", B("cm\nOne.two\n."), "name(b'm One.two')" },
	{ "STACK_GLOBAL", B("\x8c\x01m\x8c\x01n\x93."), "name(b'm n')" },
	{ "REDUCE", B("cm\nn\n(I1\ntR."), "call(name(b'm n'),(1,),absent,absent,absent,[])" },
	{ "NEWOBJ", B("cm\nn\n)\x81."), "call(name(b'm n'),(),absent,absent,absent,[])" },
	{ "NEWOBJ_EX", B("cm\nn\n)}I1\nNs\x92."), "call(name(b'm n'),(),pairs(1,None,),absent,absent,[])" },
	{ "INST", B("(I1\nim\nn\n."), "call(name(b'm n'),(1,),absent,absent,absent,[])" },
	{ "OBJ", B("(cm\nn\nI1\nI2\no."), "call(name(b'm n'),(1,2,),absent,absent,absent,[])" },
	{ "BUILD", B("cm\nn\n)R}b."), "call(name(b'm n'),(),absent,pairs(),absent,[])" },
	{ "an object's items", B("cm\nn\n)RI1\na(I2\nI3\ne(I4\n\x90."), "call(name(b'm n'),(),absent,absent,absent,[1,2,3,4,])" },
	{ "an object's pairs", B("cm\nn\n)RI1\nNs(I2\nNu."), "call(name(b'm n'),(),absent,absent,each(1,None,2,None,),[])" },
	{ "PERSID", B("Pabc\n."), "persistent(text(b'abc'))" },
	{ "BINPERSID", B("I1\n\x85Q."), "persistent((1,))" },
	{ "PUT GET", B("I5\np3\n0g3\n."), "5" },
	{ "BINPUT BINGET", B("(]q\x07I1\nah\x07t."), "([1,],[1,],)" },
	{ "LONG_BINPUT LONG_BINGET", B("I5\nr\xff\xff\xff\xff" "0j\xff\xff\xff\xff."), "5" },
	{ "MEMOIZE", B("I5\n\x94I6\n\x94\x30h\x00\x86."), "(5,5,)" },
	{ "MEMOIZE counts entries, not indexes", B("I5\nq\x09I6\n\x94" "0h\x01\x86."), "(5,6,)" },
	{ "a memo entry is replaced", B("I5\nq\x00I6\nq\x00" "0h\x00\x86."), "(5,6,)" },
	{ "PROTO", B("\x80\x05N."), "None" },
	{ "FRAME", B("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N."), "None" },
	{ "frames, with something between", B("\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00(N\x95\x02\x00\x00\x00\x00\x00\x00\x00t."), "(None,)" },
	{ "an empty frame", B("\x95\x00\x00\x00\x00\x00\x00\x00\x00N."), "None" },
	{ "more on the stack than the result", B("I1\nI2\n."), "2" },
};

static void test_pickle__every_opcode_does_what_pickletools_says(void **state)
{
	notes n = { 0 };
	const og_pickle_rules rules = { .allow = allow_test, .persistent = true, .on_op = on_op, .arg = &n };

	(void)state;
	for (size_t i = 0; i < OG_COUNT(opcodes); i++)
		gives_with(&rules, opcodes[i].name, opcodes[i].p, opcodes[i].n, opcodes[i].value);
	for (int i = 0; i < 256; i++) {
		bool other = i == 0x82 || i == 0x83 || i == 0x84 || i == 0x97 || i == 0x98; /* extensions, buffers: below */
		if (og_popcodes[i].name && !n.seen[i] && !other)
			fail_msg("%s is not tested", og_popcodes[i].name);
	}
}

static const struct {
	const char *name, *p;
	size_t n;
	const char *value;
} recorded[] = {
#include "pickle_recorded.inc"
};

static void test_pickle__reads_what_python_wrote(void **state)
{
	static const og_pickle_rules rules = { .allow = allow_all };

	(void)state;
	for (size_t i = 0; i < OG_COUNT(recorded); i++) {
		gives_with(&rules, recorded[i].name, recorded[i].p, recorded[i].n, recorded[i].value);
	}
	assert_true(OG_COUNT(recorded) >= 40);
}

static const struct {
	const char *p;
	size_t n;
	uint64_t at;
	const char *message;
} faults[] = {
	{ B(""), 0, "expected STOP, found the end" },
	{ B("N"), 1, "expected STOP, found the end" },
	{ B("\xff."), 0, "expected an opcode, found byte 0xff" },
	{ B("N\n."), 1, "expected an opcode, found byte 0x0a" },
	{ B("."), 0, "STOP: expected 1 value on the stack, found 0" },
	{ B("0."), 0, "POP: expected 1 value on the stack, found 0" },
	{ B("2."), 0, "DUP: expected 1 value" },
	{ B("N1."), 1, "POP_MARK: expected a mark on the stack, found none" },
	{ B("Nt."), 1, "TUPLE: expected a mark" },
	{ B("l."), 0, "LIST: expected a mark" },
	{ B("d."), 0, "DICT: expected a mark" },
	{ B("\x91."), 0, "FROZENSET: expected a mark" },
	{ B("]e."), 1, "APPENDS: expected a mark" },
	{ B("}u."), 1, "SETITEMS: expected a mark" },
	{ B("\x8f\x90."), 1, "ADDITEMS: expected a mark" },
	{ B("o."), 0, "OBJ: expected a mark" },
	{ B("(o."), 1, "OBJ: expected a class above the mark, found nothing" },
	{ B("im\nn\n."), 0, "INST: expected a mark" },
	{ B("N\x86."), 1, "TUPLE2: expected 2 values on the stack, found 1" },
	{ B("N(N\x86."), 3, "TUPLE2: expected 2 values on the stack, found 1 above a mark" },
	{ B("N(."), 2, "STOP: expected 1 value on the stack, found 0 above a mark" },
	{ B("]a."), 1, "APPEND: expected 2 values" },
	{ B("](Na."), 3, "APPEND: expected 2 values on the stack, found 1 above a mark" },
	{ B("(e."), 1, "APPENDS: expected 1 value on the stack, found 0" },
	{ B("N((e."), 3, "APPENDS: expected 1 value on the stack, found 0 above a mark" },
	{ B("}Ns."), 2, "SETITEM: expected 3 values" },
	{ B("}(Nu."), 3, "SETITEMS: expected keys with values, found 1 items" },
	{ B("(Nd."), 2, "DICT: expected keys with values, found 1 items" },
	{ B("cm\nn\n)R(}b."), 9, "BUILD: expected 2 values on the stack, found 1 above a mark" },
	{ B("NNs."), 2, "SETITEM: expected 3 values" },
	{ B("NI1\na."), 4, "APPEND: expected a list or an object, found None" },
	{ B("}I1\na."), 4, "APPEND: expected a list or an object, found a dict" },
	{ B("]NNs."), 3, "SETITEM: expected a dict or an object, found a list" },
	{ B("](N\x90."), 3, "ADDITEMS: expected a set or an object, found a list" },
	{ B("cm\nn\nNR."), 6, "REDUCE: expected arguments in a tuple, found None" },
	{ B("cm\nn\n]\x81."), 6, "NEWOBJ: expected arguments in a tuple, found a list" },
	{ B("cm\nn\n)]\x92."), 7, "NEWOBJ_EX: expected arguments in a dict, found a list" },
	{ B("g5\n."), 0, "GET: expected a memo entry 5, found none" },
	{ B("h\x05."), 0, "BINGET: expected a memo entry 5, found none" },
	{ B("j\xff\xff\xff\xff."), 0, "LONG_BINGET: expected a memo entry 4294967295, found none" },
	{ B("g-1\n."), 0, "GET: expected a memo index, found \"-1\"" },
	{ B("Np-1\n."), 1, "PUT: expected a memo index, found \"-1\"" },
	{ B("p0\n."), 0, "PUT: expected 1 value" },
	{ B("N(q\x00."), 2, "BINPUT: expected 1 value on the stack, found 0 above a mark" },
	{ B("\x94."), 0, "MEMOIZE: expected 1 value" },
	{ B("Q."), 0, "BINPERSID: expected 1 value" },
	{ B("I\n."), 0, "INT: expected an integer, found \"\"" },
	{ B("I12a\n."), 0, "INT: expected an integer, found \"12a\"" },
	{ B("L5LL\n."), 0, "LONG: expected an integer, found \"5LL\"" },
	{ B("L010\n."), 0, "LONG: expected an integer, found \"010\"" },
	{ B("I1"), 0, "INT: expected a newline, found the end" },
	{ B("Fx\n."), 0, "FLOAT: expected a number, found \"x\"" },
	{ B("F1e999\n."), 0, "FLOAT: expected a number, found \"1e999\"" },
	{ B("Sa\n."), 0, "STRING: expected a quoted string, found a" },
	{ B("S'\n."), 0, "STRING: expected a quoted string, found '" },
	{ B("S'a\"\n."), 0, "STRING: expected a quoted string, found 'a\"" },
	{ B("S'\\x4'\n."), 0, "STRING: expected a quoted string" },
	{ B("S'\\'\n."), 0, "STRING: expected a quoted string" },
	{ B("V\\u00\n."), 0, "UNICODE: expected whole \\u escapes, found \\u00" },
	{ B("V\\U00110000\n."), 0, "UNICODE: expected whole \\u escapes" },
	{ B("X\x01\x00\x00\x00\xff."), 0, "BINUNICODE: expected UTF-8, found other bytes" },
	{ B("\x8c\x02\xc0\x80."), 0, "SHORT_BINUNICODE: expected UTF-8" },
	{ B("X\x05\x00\x00\x00" "ab."), 0, "BINUNICODE: expected 5 bytes, found 3 and the end" },
	{ B("\x8d\xff\xff\xff\xff\xff\xff\xff\xff" "ab."), 0, "BINUNICODE8: expected 18446744073709551615 bytes, found 3 and the end" },
	{ B("\x8e\x00\x00\x00\x00\x00\x01\x00\x00."), 0, "BINBYTES8: expected 1099511627776 bytes" },
	{ B("T\xff\xff\xff\xff" "ab."), 0, "BINSTRING: expected a length, found -1" },
	{ B("\x8b\xff\xff\xff\xff."), 0, "LONG4: expected a length, found -1" },
	{ B("\x8b\x00\x00\x00\x80."), 0, "LONG4: expected a length, found -2147483648" },
	{ B("\x8b\xff\xff\xff\x7f."), 0, "LONG4: expected 2147483647 bytes, found 1 and the end" },
	{ B("J\x01\x02"), 0, "BININT: expected 4 bytes, found 2 and the end" },
	{ B("G\x01"), 0, "BINFLOAT: expected 8 bytes, found 1 and the end" },
	{ B("\x80"), 0, "PROTO: expected 1 bytes, found 0 and the end" },
	{ B("\x80\x06N."), 0, "PROTO: expected a protocol up to 5, found 6" },
	{ B("cm\xff\nn\n."), 0, "GLOBAL: expected UTF-8" },
	{ B("cm\nn"), 0, "GLOBAL: expected a newline, found the end" },
	{ B("\x8c\x01mN\x93."), 4, "STACK_GLOBAL: expected two texts, found a text and None" },
	{ B("\x8c\x01m\x8c\x03n\nx\x93."), 8, "STACK_GLOBAL: expected names of one line of at most 1024 bytes, found \"m n\\x0ax\"" },
	{ B("\x82\x00."), 0, "EXT1: expected a code above 0, found 0" },
	{ B("\x84\xff\xff\xff\xff."), 0, "EXT4: expected a code above 0, found -1" },
	{ B("\x95\x09\x00\x00\x00\x00\x00\x00\x00N."), 0, "FRAME: expected 9 bytes, found 2 and the end" },
	{ B("\x95\xff\xff\xff\xff\xff\xff\xff\xffN."), 0, "FRAME: expected 18446744073709551615 bytes" },
	{ B("\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x95\x00\x00\x00\x00\x00\x00\x00\x00N."), 9, "FRAME: expected the end of the frame before it at offset 19" },
	{ B("\x95\x02\x00\x00\x00\x00\x00\x00\x00M\x01\x02."), 9, "BININT2: expected to end before the end of its frame at offset 11, found its own end at 12" },
	{ B("\x95\x02\x00\x00\x00\x00\x00\x00\x00\x8c\x03" "abc."), 9, "SHORT_BINUNICODE: expected to end before the end of its frame" },
	{ B("\x95\x03\x00\x00\x00\x00\x00\x00\x00N.N"), 10, "STOP: expected STOP at the end of its frame at offset 12, found its own end at 11" },
};

static void test_pickle__broken_pickles_are_refused_where_they_break(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(faults); i++)
		refused(&strict, faults[i].p, faults[i].n, ONNXGATE_FORMAT, faults[i].at, faults[i].message);
}

static void test_pickle__every_prefix_of_a_pickle_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(recorded); i += 5) {
		for (size_t n = 0; n < recorded[i].n; n++) {
			static const og_pickle_rules rules = { .allow = allow_all };
			og_error err;
			uint64_t next;
			og_autofree char *found = read_with(&rules, recorded[i].p, n, 0, &next, &err);
			if (found || err.status != ONNXGATE_FORMAT)
				fail_msg("%s cut at %zu: found %s", recorded[i].name, n, found ? found : err.message);
		}
	}
}

static void test_pickle__what_would_run_code_is_unsafe(void **state)
{
	static const og_pickle_rules nothing = { .allow = NULL };
	og_error err;
	uint64_t next;

	(void)state;
	refused(&strict, B("cos\nsystem\n."), ONNXGATE_UNSAFE, 0, "global \"os system\" is not allowed in a checkpoint");
	refused(&strict, B("N\x8c\x02os\x8c\x06system\x93."), ONNXGATE_UNSAFE, 13, "global \"os system\" is not allowed in a checkpoint");
	refused(&strict, B("(ios\nsystem\n."), ONNXGATE_UNSAFE, 1, "global \"os system\" is not allowed");
	refused(&nothing, B("cm\nn\n."), ONNXGATE_UNSAFE, 0, "global \"m n\" is not allowed");
	assert_null(read_with(&strict, B("cos\nsystem\n."), 0, &next, &err));
	assert_non_null(strstr(err.hint, "run code"));
	refused(&strict, B("})R."), ONNXGATE_UNSAFE, 2, "REDUCE: expected to call a global, found a call of a dict, made at offset 0");
	refused(&strict, B("cm\nn\n)R)R."), ONNXGATE_UNSAFE, 8, "REDUCE: expected to call a global, found a call of an object, made at offset 6");
	refused(&strict, B("N)\x81."), ONNXGATE_UNSAFE, 2, "NEWOBJ: expected to call a global, found a call of None");
	refused(&strict, B("N)}\x92."), ONNXGATE_UNSAFE, 3, "NEWOBJ_EX: expected to call a global");
	refused(&strict, B("(No."), ONNXGATE_UNSAFE, 2, "OBJ: expected to call a global");
	refused(&strict, B("Pid\n)R."), ONNXGATE_UNSAFE, 5, "found a call of a persistent id");
	refused(&strict, B("}}b."), ONNXGATE_UNSAFE, 2, "BUILD: expected an object, found a dict");
	refused(&strict, B("]}b."), ONNXGATE_UNSAFE, 2, "BUILD: expected an object, found a list");
	refused(&strict, B("cm\nn\n}b."), ONNXGATE_UNSAFE, 6, "BUILD: expected an object, found a global");
	refused(&strict, B("cm\nn\n)R}b}b."), ONNXGATE_UNSAFE, 10, "BUILD: expected one state of an object, found a second one");
	refused(&strict, B("cm\nn\nNNs."), ONNXGATE_UNSAFE, 7, "SETITEM: expected a dict or an object, found a global");
	refused(&strict, B("Pid\nNa."), ONNXGATE_UNSAFE, 5, "APPEND: expected a list or an object, found a persistent id");
	refused(&strict, B("\x82\x01."), ONNXGATE_UNSAFE, 0, "EXT1: a global by its number 1 in Python's extension registry");
	refused(&strict, B("\x83\x01\x01."), ONNXGATE_UNSAFE, 0, "EXT2: a global by its number 257");
	refused(&strict, B("\x84\x01\x00\x00\x01."), ONNXGATE_UNSAFE, 0, "EXT4: a global by its number 16777217");
	refused(&nothing, B("Pid\n."), ONNXGATE_UNSAFE, 0, "PERSID: an object outside the pickle is not allowed here");
	refused(&nothing, B("NQ."), ONNXGATE_UNSAFE, 1, "BINPERSID: an object outside the pickle is not allowed here");
	refused(&strict, B("\x97."), ONNXGATE_UNSUPPORTED, 0, "NEXT_BUFFER: a buffer outside the pickle, which is not supported");
	refused(&strict, B("N\x98."), ONNXGATE_UNSUPPORTED, 1, "READONLY_BUFFER");
}

static void permissive(const char *p, size_t n, const char *value, const char *danger)
{
	notes *told = calloc(1, sizeof(*told));
	const og_pickle_rules rules = { .allow = allow_test, .on_danger = on_danger, .on_op = on_op, .arg = told };

	assert_non_null(told);
	gives_with(&rules, danger, p, n, value);
	if (strcmp(told->danger, danger) != 0)
		fail_msg("expected the notes \"%s\", found \"%s\"", danger, told->danger);
	free(told);
}

static void test_pickle__a_listing_goes_on_where_a_reader_stops(void **state)
{
	(void)state;
	permissive(B("cos\nsystem\n)RN."), "None", "global \"os system\" is not allowed in a checkpoint;");
	permissive(B("})R."), "call(pairs(),(),absent,absent,absent,[])", "REDUCE: expected to call a global, found a call of a dict, made at offset 0;");
	permissive(B("cm\nn\ncm\nn\n)RR."), "call(name(b'm n'),call(name(b'm n'),(),absent,absent,absent,[]),absent,absent,absent,[])",
		"REDUCE: expected arguments in a tuple, found an object;");
	permissive(B("}}b."), "pairs()", "BUILD: expected an object, found a dict;");
	permissive(B("]NNs."), "[]", "SETITEM: expected a dict or an object, found a list;");
	permissive(B("\x82\x01."), "name(b'copyreg extension')", "EXT1: a global by its number 1 in Python's extension registry is not allowed in a checkpoint;");
	permissive(B("NQ."), "persistent(None)", "BINPERSID: an object outside the pickle is not allowed here;");
	permissive(B("\x97\x98."), "None", "NEXT_BUFFER: a buffer outside the pickle, which is not supported;"
		"READONLY_BUFFER: a buffer outside the pickle, which is not supported;");
	permissive(B("N\x8c\x01n\x93."), "name(b'? n')", "STACK_GLOBAL: expected two texts, found None and a text;"
		"global \"? n\" is not allowed in a checkpoint;");
	permissive(B("\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x95\x02\x00\x00\x00\x00\x00\x00\x00N."), "None",
		"FRAME: expected the end of the frame before it at offset 19, found another frame;");
	permissive(B("\x95\x01\x00\x00\x00\x00\x00\x00\x00M\x01\x02."), "513",
		"BININT2: expected to end before the end of its frame at offset 10, found its own end at 12;");
}

static void test_pickle__callbacks_hear_of_opcodes_data_and_calls(void **state)
{
	notes *told = calloc(1, sizeof(*told));
	const og_pickle_rules rules = { .allow = allow_test, .persistent = true, .on_op = on_op, .on_data = on_data, .on_call = on_call,
		.on_persistent = on_persistent, .arg = told };

	(void)state;
	assert_non_null(told);
	gives_with(&rules, "all", B("\x80\x02(S'a'\nX\x01\x00\x00\x00" "bC\x01" "cPd\ncm\nn\n)R}bt."),
		"(text(b'a'),text(b'b'),data(b'c'),persistent(text(b'd')),call(name(b'm n'),(),absent,pairs(),absent,[]),)");
	assert_string_equal(told->ops, "PROTO;MARK;STRING;BINUNICODE;SHORT_BINBYTES;PERSID;GLOBAL;EMPTY_TUPLE;REDUCE;EMPTY_DICT;BUILD;TUPLE;STOP;");
	assert_string_equal(told->data, "a;b;c;d;");
	assert_string_equal(told->persistent, "d;");
	assert_string_equal(told->calls, "REDUCE name(b'm n');BUILD name(b'm n');");
	assert_int_equal(told->last, 30);
	free(told);
}

static void test_pickle__one_after_the_other_in_a_file(void **state)
{
	static const char file[] = "junkI1\n.N.\xff";
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_error err;
	og_pval *v;
	uint64_t next;

	(void)state;
	assert_int_equal(og_source_memory("f", file, sizeof(file) - 1, &s, NULL), OG_OK);
	assert_int_equal(og_pickle_read(s, 4, UINT64_MAX, &strict, a, &v, &next, &err), OG_OK);
	assert_int_equal(v->i, 1);
	assert_int_equal(v->at, 4);
	assert_int_equal(next, 8);
	assert_int_equal(og_pickle_read(s, next, 10, &strict, a, &v, &next, &err), OG_OK);
	assert_int_equal(v->kind, OG_P_NONE);
	assert_int_equal(v->at, 8);
	assert_int_equal(next, 10);
	assert_int_equal(og_pickle_read(s, 4, 7, &strict, a, &v, &next, &err), ONNXGATE_FORMAT); /* its STOP is behind the end */
	assert_int_equal(err.offset, 7);
	assert_int_equal(og_pickle_read(s, 99, 200, &strict, a, &v, &next, &err), ONNXGATE_FORMAT);
}

/* Strings of all lengths around the window's, in all forms: each lands where it belongs. */
static void test_pickle__arguments_cross_the_window(void **state)
{
	static const size_t sizes[] = { 1, 200, 30000, 65526, 65530, 65535, 65536, 70000, 131072, 131073, 200000 };
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_auto_buf b;
	og_pval *v;
	uint64_t next;
	size_t k = 0;

	(void)state;
	og_buf_init(&b, 16 << 20);
	og_buf_byte(&b, '(');
	for (size_t i = 0; i < OG_COUNT(sizes); i++) {
		og_buf_byte(&b, 'X');
		for (int shift = 0; shift < 32; shift += 8)
			og_buf_byte(&b, (uint8_t)(sizes[i] >> shift));
		for (size_t j = 0; j < sizes[i]; j++)
			og_buf_byte(&b, (uint8_t)('a' + (j + i) % 26));
		og_buf_str(&b, "I12345\nV");
		for (size_t j = 0; j < sizes[i]; j++)
			og_buf_byte(&b, (uint8_t)('a' + (j + i) % 26));
		og_buf_str(&b, "\ncm\nname\nG\x3f\xf8");
		og_buf_add(&b, "\0\0\0\0\0\0", 6);
	}
	og_buf_str(&b, "t.");
	assert_false(b.failed);
	assert_int_equal(og_source_memory("f", b.p, b.n, &s, NULL), OG_OK);
	assert_int_equal(og_pickle_read(s, 0, b.n, &strict, a, &v, &next, NULL), OG_OK);
	assert_int_equal(next, b.n);
	assert_int_equal(v->n, 5 * OG_COUNT(sizes));
	for (size_t i = 0; i < OG_COUNT(sizes); i++) {
		for (int form = 0; form < 3; form += 2) {
			const og_pval *t = v->items[k + (size_t)form];
			assert_int_equal(t->kind, OG_P_TEXT);
			assert_int_equal(t->text.n, sizes[i]);
			assert_int_equal(t->text.p[t->text.n], 0);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_true(t->text.p[j] == (char)('a' + (j + i) % 26));
		}
		assert_int_equal(v->items[k + 1]->i, 12345);
		assert_true(og_pval_is_global(v->items[k + 3], "m name"));
		assert_true(v->items[k + 4]->f == 1.5);
		k += 5;
	}
}

static og_status read_size(const char *p, size_t n, const og_pickle_rules *rules, size_t *bytes, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_pval *v;
	uint64_t next;
	og_status status;

	assert_int_equal(og_source_memory("f.pkl", p, n, &s, NULL), OG_OK);
	status = og_pickle_read(s, 0, n, rules, a, &v, &next, err);
	*bytes = og_arena_size(a);
	return status;
}

static void test_pickle__shared_values_and_far_memo_entries_cost_nothing(void **state)
{
	og_auto_buf b;
	size_t bytes;

	(void)state;
	og_buf_init(&b, 1 << 20);
	og_buf_str(&b, "N");
	for (int i = 0; i < 5000; i++) /* 2^5000 leaves */
		og_buf_str(&b, "2\x86");
	og_buf_str(&b, ".");
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, NULL), OG_OK);
	assert_true(bytes < 600000);
	b.n = 0;
	og_buf_str(&b, "N");
	for (unsigned i = 0; i < 1000; i++) { /* indexes that differ at every bit */
		uint32_t index = i * 2654435761u | 1u << 31;
		og_buf_byte(&b, 'r');
		og_buf_add(&b, &index, 4);
		og_buf_byte(&b, 'j');
		og_buf_add(&b, &index, 4);
		og_buf_byte(&b, '0');
	}
	og_buf_str(&b, ".");
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, NULL), OG_OK);
	assert_true(bytes < 200000);
}

static void test_pickle__a_memo_entry_is_found_wherever_it_is_kept(void **state)
{
	og_auto_buf b;
	og_error err;
	uint64_t next;

	(void)state;
	og_buf_init(&b, 1 << 20);
	og_buf_str(&b, "I7\np1000\n0"); /* far; later its index is near */
	for (int i = 0; i < 900; i++)
		og_buf_printf(&b, "I%d\np%d\n0", i + 10000, i);
	og_buf_str(&b, "(g1000\ng899\nI8\np1000\n0g1000\nI9\np99999999999\n0g99999999999\nI6\n\x94" "0g902\nt.");
	{
		og_autofree char *found = read_with(&strict, b.p, b.n, 0, &next, &err);
		assert_non_null(found);
		assert_string_equal(found, "(7,10899,8,9,6,)"); /* MEMOIZE: 900 entries, 1000 and 99999999999 */
	}
}

static og_status zeros_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	static const char start[] = { 'N', '\x8e', 0, 0, 0, 64, 0, 0, 0, 0 }; /* BINBYTES8 of 1 GiB */

	(void)s;
	(void)err;
	memset(buf, '0', n);
	if (offset == 0)
		memcpy(buf, start, n < sizeof(start) ? n : sizeof(start));
	return OG_OK;
}

static void test_pickle__bombs_are_refused(void **state)
{
	static const og_source_ops zeros = { zeros_read, NULL };
	og_source endless = { .ops = &zeros, .size = (uint64_t)1 << 40, .fd = -1, .name = (char[]){ "f.pkl" } };
	og_auto(og_arena) *a = og_arena_new();
	og_auto_buf b;
	og_error err = { 0 };
	og_pval *v;
	uint64_t next;
	size_t bytes;

	(void)state;
	og_buf_init(&b, 64 << 20);
	for (int i = 0; i < OG_PICKLE_STACK_MAX + 1; i++)
		og_buf_byte(&b, 'N');
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_UNSAFE);
	assert_string_equal(err.message, "f.pkl: pickle: NONE: expected at most 1000000 values on the stack, found more: a bomb at offset 1000000");
	assert_true(bytes < 100000);
	memset(b.p, '(', b.n);
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_UNSAFE);
	assert_non_null(strstr(err.message, "MARK: expected at most 1000000 marks, found more: a bomb"));
	b.n = 0;
	og_buf_byte(&b, ']');
	for (int k = 0; k < 40; k++) { /* each adds 8 bytes an opcode of one */
		og_buf_byte(&b, '(');
		for (int i = 0; i < 900000; i++)
			og_buf_byte(&b, 'N');
		og_buf_byte(&b, 'e');
	}
	og_buf_byte(&b, '.');
	assert_false(b.failed);
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_UNSAFE);
	assert_non_null(strstr(err.message, "APPENDS: expected values of at most "));
	assert_non_null(strstr(err.message, " bytes, found more: a bomb"));
	assert_true(bytes <= 64u << 20);
	b.n = 0;
	for (int i = 0; i < 8 << 20; i++) /* 32 bytes for two opcodes */
		og_buf_str(&b, "]0");
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_UNSAFE);
	assert_non_null(strstr(err.message, "EMPTY_LIST: expected values of at most "));
	assert_true(bytes <= 65u << 20);
	assert_int_equal(og_pickle_read(&endless, 0, UINT64_MAX, &strict, a, &v, &next, &err), ONNXGATE_UNSAFE);
	assert_string_equal(err.message, "f.pkl: pickle: expected STOP within 268435456 bytes, found none at offset 1");
	assert_true(og_arena_size(a) < 100000);
}

static void test_pickle__long_strings_have_a_ceiling(void **state)
{
	const size_t n = OG_PICKLE_TEXT_MAX + 1;
	const uint32_t length = (uint32_t)n;
	notes *told = calloc(1, sizeof(*told));
	const og_pickle_rules listing = { .on_danger = on_danger, .arg = told };
	og_auto_buf b;
	og_error err = { 0 };
	size_t bytes;

	(void)state;
	assert_non_null(told);
	og_buf_init(&b, 64 << 20);
	og_buf_byte(&b, 'B');
	og_buf_add(&b, &length, 4);
	for (size_t i = 0; i < n; i++)
		og_buf_byte(&b, 'x');
	og_buf_str(&b, ".");
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_FORMAT);
	assert_string_equal(err.message, "f.pkl: pickle: BINBYTES: expected at most 16777216 bytes, found 16777217 at offset 0");
	assert_true(bytes < 100000);
	assert_int_equal(read_size((char *)b.p, b.n, &listing, &bytes, &err), OG_OK); /* passed over */
	assert_string_equal(told->danger, "BINBYTES: expected at most 16777216 bytes, found 16777217;");
	b.p[0] = 'V';
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "UNICODE: expected a newline within 16777216 bytes, found none"));
	b.p[0] = 'I';
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "INT: expected a newline within 8192 bytes, found none"));
	b.p[0] = 'c';
	assert_int_equal(read_size((char *)b.p, b.n, &strict, &bytes, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "GLOBAL: expected a newline within 1024 bytes, found none"));
	free(told);
}

static void test_pickle__numbers_have_python_s_limit_of_digits(void **state)
{
	char text[4400];
	uint8_t out[OG_PTEXT_INTEGER_BYTES];
	size_t n;

	(void)state;
	memset(text, '9', sizeof(text));
	assert_true(og_ptext_integer((og_str){ text, 4300 }, OG_PBASE_0, out, &n));
	assert_int_equal(n, 1786); /* 10^4300 has 14285 bits */
	assert_false(og_ptext_integer((og_str){ text, 4301 }, OG_PBASE_0, out, &n));
	{
		og_autofree char *hex = og_alloc(OG_PTEXT_INTEGER_MAX);
		memset(hex, 'f', OG_PTEXT_INTEGER_MAX);
		memcpy(hex, "-0x", 3);
		assert_true(og_ptext_integer((og_str){ hex, OG_PTEXT_INTEGER_MAX }, OG_PBASE_0, out, &n));
		assert_int_equal(n, (OG_PTEXT_INTEGER_MAX - 3) / 2 + 1);
	}
}

static void test_pickle__values_are_looked_up_by_key(void **state)
{
	static const char p[] = "}(S'a'\nI1\nI5\nI2\nS'a'\nI3\nS'b'\nNu.";
	static const char object[] = "cm\nn\n)RS'k'\nI9\ns.";
	og_auto(og_source) *s = NULL, *t = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_pval *v;
	uint64_t next;

	(void)state;
	assert_int_equal(og_source_memory("f", p, sizeof(p) - 1, &s, NULL), OG_OK);
	assert_int_equal(og_pickle_read(s, 0, sizeof(p), &strict, a, &v, &next, NULL), OG_OK);
	assert_int_equal(v->n, 8);
	assert_int_equal(og_pval_get(v, "a")->i, 3); /* the last, as in Python */
	assert_int_equal(og_pval_get(v, "b")->kind, OG_P_NONE);
	assert_null(og_pval_get(v, "c"));
	assert_null(og_pval_get(NULL, "c"));
	assert_null(og_pval_get(og_pval_get(v, "b"), "c"));
	assert_false(og_pval_is_global(NULL, "m n"));
	assert_false(og_pval_is_global(v, "m n"));
	assert_int_equal(og_source_memory("f", object, sizeof(object) - 1, &t, NULL), OG_OK);
	assert_int_equal(og_pickle_read(t, 0, sizeof(object), &strict, a, &v, &next, NULL), OG_OK);
	assert_int_equal(og_pval_get(v, "k")->i, 9);
	assert_true(og_pval_is_global(v->of, "m n"));
	assert_false(og_pval_is_global(v->of, "m x"));
	assert_int_equal(v->at, 6);
}

static void test_pickle__a_value_may_hold_itself(void **state)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_pval *v;
	uint64_t next;

	(void)state;
	assert_int_equal(og_source_memory("f", "]q\0h\0a.", 7, &s, NULL), OG_OK);
	assert_int_equal(og_pickle_read(s, 0, 7, &strict, a, &v, &next, NULL), OG_OK);
	assert_int_equal(v->n, 1);
	assert_ptr_equal(v->items[0], v);
}

static og_status fails(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	memset(buf, '(', n);
	if (offset >= 65536)
		return og_fail(err, ONNXGATE_IO, "%s: it broke", s->name);
	return OG_OK;
}

static void test_pickle__errors_of_the_source_come_through(void **state)
{
	static const og_source_ops ops = { fails, NULL };
	og_source s = { .ops = &ops, .size = 1 << 20, .fd = -1, .name = (char[]){ "f.pkl" } };
	og_auto(og_arena) *a = og_arena_new();
	og_error err = { 0 };
	og_pval *v;
	uint64_t next;

	(void)state;
	assert_int_equal(og_pickle_read(&s, 0, s.size, &strict, a, &v, &next, &err), ONNXGATE_IO);
	assert_string_equal(err.message, "f.pkl: it broke");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pickle__every_opcode_does_what_pickletools_says),
		cmocka_unit_test(test_pickle__reads_what_python_wrote),
		cmocka_unit_test(test_pickle__broken_pickles_are_refused_where_they_break),
		cmocka_unit_test(test_pickle__every_prefix_of_a_pickle_is_refused),
		cmocka_unit_test(test_pickle__what_would_run_code_is_unsafe),
		cmocka_unit_test(test_pickle__a_listing_goes_on_where_a_reader_stops),
		cmocka_unit_test(test_pickle__callbacks_hear_of_opcodes_data_and_calls),
		cmocka_unit_test(test_pickle__one_after_the_other_in_a_file),
		cmocka_unit_test(test_pickle__arguments_cross_the_window),
		cmocka_unit_test(test_pickle__shared_values_and_far_memo_entries_cost_nothing),
		cmocka_unit_test(test_pickle__a_memo_entry_is_found_wherever_it_is_kept),
		cmocka_unit_test(test_pickle__bombs_are_refused),
		cmocka_unit_test(test_pickle__long_strings_have_a_ceiling),
		cmocka_unit_test(test_pickle__numbers_have_python_s_limit_of_digits),
		cmocka_unit_test(test_pickle__values_are_looked_up_by_key),
		cmocka_unit_test(test_pickle__a_value_may_hold_itself),
		cmocka_unit_test(test_pickle__errors_of_the_source_come_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
