/* SPDX-License-Identifier: Apache-2.0
 *
 * Hunting through bytes: small pickles written by hand, texts that hide something, files that are two things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "format/threats.h"

typedef struct found {
	og_arena *arena;
	og_threat *rows;
	size_t n, dangers;
} found;

static found hunt(const void *p, size_t n)
{
	found f = { .arena = og_arena_new() };
	og_auto(og_source) *s = NULL;
	assert_int_equal(og_source_memory("/some/where/file", p, n, &s, NULL), OG_OK);
	assert_int_equal(og_threats_list(s, f.arena, &f.rows, &f.n, NULL), OG_OK);
	for (size_t i = 0; i < f.n; i++) {
		f.dangers += f.rows[i].danger;
		assert_null(strstr(f.rows[i].text, "/some/where"));
		assert_null(strchr(f.rows[i].text, '\n'));
		assert_true(f.rows[i].text[0]);
	}
	return f;
}

#define HUNT(literal) hunt(literal, sizeof(literal) - 1)

/* The row of that kind whose text begins so, or NULL. */
static const og_threat *row(const found *f, const char *kind, const char *text)
{
	for (size_t i = 0; i < f->n; i++)
		if (og_streq(f->rows[i].kind, kind) && og_starts_with(f->rows[i].text, text))
			return &f->rows[i];
	return NULL;
}

static const og_threat *need(const found *f, const char *kind, const char *text, bool danger, uint64_t offset)
{
	const og_threat *t = row(f, kind, text);
	if (!t)
		fail_msg("no row \"%s\" of kind %s", text, kind);
	assert_int_equal(t->danger, danger);
	assert_int_equal(t->offset, offset);
	return t;
}

static void test_threats__globals_calls_and_opcodes(void **state)
{
	(void)state;
	found f = HUNT("\x80\x02" "cos\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.");
	need(&f, "global", "os system: runs commands", true, 2);
	need(&f, "call", "REDUCE os system(\"id\")", true, 27);
	assert_non_null(strstr(need(&f, "opcodes", "10 opcodes", false, 0)->text, "BINPUT 4"));
	assert_int_equal(f.n, 3);
	og_arena_free(f.arena);
	f = HUNT("\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x85R."); /* names from the stack */
	need(&f, "global", "posix system", true, 19);
	og_arena_free(f.arena);
	f = HUNT("(S'id'\nios\nsystem\n."); /* protocol 0, INST */
	need(&f, "call", "INST os system(\"id\")", true, 7);
	og_arena_free(f.arena);
}

static void test_threats__harmless_names_are_listed_once(void **state)
{
	(void)state;
	found f = HUNT("\x80\x02](ccollections\nOrderedDict\n)Rccollections\nOrderedDict\n)Re.");
	assert_string_equal(need(&f, "global", "collections OrderedDict", false, 4)->text, "collections OrderedDict; 2 times");
	need(&f, "call", "REDUCE collections OrderedDict; 2 times", false, 30);
	assert_int_equal(f.dangers, 0);
	og_arena_free(f.arena);
}

static void test_threats__what_breaks_after_it_has_run(void **state)
{
	(void)state;
	found f = HUNT("cos\nsystem\n(S'id'\ntR");
	need(&f, "call", "REDUCE", true, 19);
	need(&f, "broken", "pickle: expected STOP", true, 20);
	og_arena_free(f.arena);
	f = HUNT("cat\ndog\nfish\n"); /* a list of words: names a global, calls nothing, is no pickle */
	assert_int_equal(f.dangers, 0);
	need(&f, "unknown", "", false, 0);
	og_arena_free(f.arena);
}

static void test_threats__odd_opcodes(void **state)
{
	(void)state;
	found f = HUNT("\x80\x02K\x01)R."); /* a call of a number */
	assert_true(f.dangers > 0);
	need(&f, "call", "REDUCE an int", true, 5);
	og_arena_free(f.arena);
	f = HUNT("\x80\x02\x82\x01."); /* EXT1: a global of the process's own registry */
	assert_true(f.dangers > 0);
	og_arena_free(f.arena);
}

static void test_threats__behind_the_stop(void **state)
{
	(void)state;
	found f = HUNT("\x80\x02N.tail");
	need(&f, "extra", "4 bytes behind the STOP", true, 4);
	og_arena_free(f.arena);
	f = HUNT("\x80\x02N.\x80\x02" "cos\nsystem\n)R."); /* a second pickle */
	need(&f, "global", "os system", true, 6);
	assert_null(row(&f, "extra", ""));
	og_arena_free(f.arena);
}

static void test_threats__containers(void **state)
{
	(void)state;
	static const struct {
		const char *p;
		size_t n;
		const char *kind, *text;
	} cases[] = {
#define C(bytes, kind, text) { bytes, sizeof(bytes) - 1, kind, text }
		C("\x1f\x8b\x08\0\0\0\0\0\0\3", "nested", "a gzip stream"),
		C("x\x9c\x4b\xce\x2f", "nested", "a zlib stream"),
		C("7z\xbc\xaf\x27\x1c\0\4", "nested", "a 7z archive"),
		C("\x7f" "ELF\x02\x01\x01\0\0\0\0\0", "code", "a program or library"),
		C("PK\x03\x04 and nothing of a zip", "broken", ""),
		C("\x93NUMPY\x01\x00\x10\x00{'descr': '|O'}\n\x80\x02N.", "nested", "a NumPy array of objects"),
#undef C
	};
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		found f = hunt(cases[i].p, cases[i].n);
		need(&f, cases[i].kind, cases[i].text, true, row(&f, cases[i].kind, cases[i].text)->offset);
		og_arena_free(f.arena);
	}
	static const char *const objects[] = { "\x93NUMPY\x01\x00\x0e{'descr': 'O'}cos\nsystem\n)R.", "\x93NUMPY\x01\x00\x11{'descr': '\\x4f'}cos\nsystem\n)R.",
		"\x93NUMPY\x01\x00\x13{'descr': 'object'}cos\nsystem\n)R." };
	for (size_t i = 0; i < OG_COUNT(objects); i++) { /* spellings that NumPy reads and does not write; the NUL of the length is put in here */
		char bytes[80];
		size_t n = strlen(objects[i] + 9) + 9;
		memcpy(bytes, objects[i], 9);
		bytes[9] = 0;
		memcpy(bytes + 10, objects[i] + 9, n - 9);
		found o = hunt(bytes, n + 1);
		need(&o, "global", "os system", true, row(&o, "global", "")->offset);
		og_arena_free(o.arena);
	}
	found f = HUNT("\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}12345678");
	need(&f, "format", "a NumPy array of numbers", false, 0);
	og_arena_free(f.arena);
}

/* A stored entry behind something else, and an end record: what Python's zipfile opens. */
static void test_threats__two_things_at_once(void **state)
{
	(void)state;
	static const char pickle[] = "cos\nsystem\n(S'id'\ntR.";
	static const char end[] = "PK\x05\x06\0\0\0\0\1\0\1\0\x33\0\0\0\x40\0\0\0\0\0";
	og_auto_buf b;
	og_buf_init(&b, 4096);
	og_buf_add(&b, "\x80\x02N.", 4);
	og_buf_add(&b, "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0....\x16\0\0\0\x16\0\0\0\5\0\0\0x.pkl", 35);
	og_buf_add(&b, pickle, 22);
	og_buf_add(&b, "PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0....\x16\0\0\0\x16\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0x.pkl", 51);
	og_buf_add(&b, end, 22);
	found f = hunt(b.p, b.n);
	need(&f, "polyglot", "", true, 0);
	assert_string_equal(need(&f, "global", "os system", true, 0)->where, "x.pkl");
	og_arena_free(f.arena);
}

static void test_threats__safetensors(void **state)
{
	(void)state;
	found f = HUNT("\x3c\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}       1234");
	need(&f, "format", "safetensors", false, 0);
	assert_int_equal(f.n, 1);
	og_arena_free(f.arena);
	f = HUNT("\x08\0\0\0\0\0\0\0{broken}1234");
	need(&f, "broken", "", false, row(&f, "broken", "")->offset);
	og_arena_free(f.arena);
	f = hunt("", 0);
	assert_int_equal(f.dangers, 0);
	og_arena_free(f.arena);
}

/* Its length begins with 'V', a text up to the line's end: then the bytes of tensor "a" are a pickle's opcodes. */
static void test_threats__safetensors_that_is_a_pickle(void **state)
{
	(void)state;
	enum { START = 8 + 'V' }; /* of the data: the opcode V is also the length of the header */
	static const char code[] = "0cos\nsystem\n(S'id'\ntR.";
	char bytes[2000] = { 0 };
	int n = snprintf(bytes, sizeof(bytes), "V.......{\"a\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", strlen(code), strlen(code));
	assert_in_range(n, 8, START - 1);
	memset(bytes + 1, 0, 7);
	memset(bytes + n, ' ', (size_t)(START - n));
	bytes[START - 1] = '\n';
	memcpy(bytes + START, code, strlen(code));
	found f = hunt(bytes, START + strlen(code));
	need(&f, "polyglot", "safetensors for one program, a pickle", true, 0);
	need(&f, "global", "os system", true, START + 1);
	assert_string_equal(need(&f, "format", "safetensors", false, 0)->text, "safetensors");
	og_arena_free(f.arena);
	bytes[START - 1] = ' '; /* no line ends before the data: nothing that Python could load */
	memset(bytes + START, 'x', strlen(code));
	f = hunt(bytes, START + strlen(code));
	assert_int_equal(f.dangers, 0);
	og_arena_free(f.arena);
	memcpy(bytes, "U\7\0\0\0\0\0\0{0cos\nsystem\n)R.", 25); /* the shape of a header, and none: the pickle is all there is */
	f = hunt(bytes, sizeof(bytes));
	need(&f, "global", "os system", true, 10);
	assert_non_null(row(&f, "broken", ""));
	og_arena_free(f.arena);
}

/* Tar before it had a magic; its sum as digits, as a number, of signed bytes. */
static void test_threats__tar_without_a_magic(void **state)
{
	(void)state;
	uint8_t block[1024] = { 0 };
	memcpy(block, "pickle", 6);
	block[7] = 0xe9;
	unsigned sum = 8 * ' ' + 0xe9;
	for (const char *c = "pickle"; *c; c++)
		sum += (unsigned)*c;
	for (int form = 0; form < 4; form++) {
		memset(block + 148, 0, 8);
		if (form == 1) {
			block[148] = 0x80;
			block[154] = (uint8_t)(sum >> 8);
			block[155] = (uint8_t)sum;
		} else {
			char text[9];
			snprintf(text, sizeof(text), " %06o", form == 2 ? sum - 256 : sum + (form == 3));
			memcpy(block + 148, text, 7);
		}
		found f = hunt(block, sizeof(block));
		assert_int_equal(row(&f, "nested", "a tar archive") != NULL, form != 3);
		og_arena_free(f.arena);
	}
}

static void test_threats__rows_have_a_ceiling(void **state)
{
	(void)state;
	og_auto_buf b;
	og_buf_init(&b, 4 << 20);
	og_buf_add(&b, "\x80\x02(", 3);
	for (int i = 0; i < 40000; i++)
		og_buf_printf(&b, "cm%d\nx\n", i);
	og_buf_add(&b, "t.", 2);
	found f = hunt(b.p, b.n);
	assert_int_equal(f.n, 10001);
	need(&f, "more", "", true, f.rows[10000].offset);
	og_arena_free(f.arena);
}

static const char *kind_of(const char *p, size_t n)
{
	og_auto(og_arena) *arena = og_arena_new();
	const char *kind, *what = NULL;
	if (!og_threats_in_text((og_str){ p, n }, arena, &kind, &what))
		return NULL;
	assert_non_null(what);
	return kind;
}

static void test_threats__in_texts(void **state)
{
	(void)state;
	static const char pickled[] = "gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg=="; /* os.system('id'), protocol 4 */
	char text[256];
	assert_string_equal(kind_of(pickled, sizeof(pickled) - 1), "base64");
	snprintf(text, sizeof(text), "payload = '%s'  # hidden", pickled);
	assert_string_equal(kind_of(text, strlen(text)), "base64");
	assert_string_equal(kind_of("aW1wb3J0IG9zOyBvcy5zeXN0ZW0oJ2lkJyk=", 36), "base64"); /* import os; os.system('id') */
	assert_string_equal(kind_of("Y29zCnN5c3RlbQooUydpZCcKdFIu", 28), "base64");         /* protocol 0 */
	assert_string_equal(kind_of("UEsDBBQAAAAAAAAAAAAAAAAAAAAAAAAA", 32), "base64");     /* PK */
	assert_string_equal(kind_of("cos\nsystem\n(S'id'\ntR.", 22), "nested");
	assert_string_equal(kind_of("\x80\x02" "cos\nsystem\n(S'id'\ntR.", 24), "nested");
	assert_string_equal(kind_of("\xc2\x80\x02" "cos\nsystem\n(S'id'\ntR.", 25), "nested"); /* as protocol 2 writes bytes */
	assert_string_equal(kind_of("import subprocess\nsubprocess.run('id')", 38), "code");
	static const char *const harmless[] = { "encoder.layer.11.attention.self.query.weight", "collections", "cat\ndog\n",
		"The quick brown fox jumps over the lazy dog.",
		"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "sentence-transformers/all-MiniLM-L6-v2", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	for (size_t i = 0; i < OG_COUNT(harmless); i++)
		if (kind_of(harmless[i], strlen(harmless[i])))
			fail_msg("\"%s\" is harmless", harmless[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threats__globals_calls_and_opcodes),
		cmocka_unit_test(test_threats__harmless_names_are_listed_once),
		cmocka_unit_test(test_threats__what_breaks_after_it_has_run),
		cmocka_unit_test(test_threats__odd_opcodes),
		cmocka_unit_test(test_threats__behind_the_stop),
		cmocka_unit_test(test_threats__containers),
		cmocka_unit_test(test_threats__two_things_at_once),
		cmocka_unit_test(test_threats__safetensors),
		cmocka_unit_test(test_threats__safetensors_that_is_a_pickle),
		cmocka_unit_test(test_threats__tar_without_a_magic),
		cmocka_unit_test(test_threats__rows_have_a_ceiling),
		cmocka_unit_test(test_threats__in_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
