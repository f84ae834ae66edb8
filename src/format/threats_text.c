/* SPDX-License-Identifier: Apache-2.0
 *
 * What bytes look like: containers by their first bytes, and what texts hide.  Nothing that is found is followed: base64 is decoded once,
 * to see what it is, and a pickle in it is read only as far as needed to know that it is one. */
#include "format/threats_int.h"

#include "base/buf.h"

#define RUN_MIN 24             /* characters of base64 that are looked at: 18 bytes, the shortest pickle that calls something */
#define DECODED_MAX (1u << 20) /* bytes of one decoded text */
#define SHOWN 60               /* bytes of a text that are shown */

/* ---- containers ------------------------------------------------------------------------------------------ */

static const struct {
	size_t at, n;
	const char *magic, *what;
	bool program;
} containers[] = {
#define C(at, bytes, what, program) { at, sizeof(bytes) - 1, bytes, what, program }
	C(0, "PK\x03\x04", "a zip archive", false),
	C(0, "PK\x05\x06", "an empty zip archive", false),
	C(0, "\x1f\x8b\x08", "a gzip stream", false),
	C(0, "\x28\xb5\x2f\xfd", "a zstd stream", false),
	C(0, "\xfd" "7zXZ\0", "an xz stream", false),
	C(0, "BZh9", "a bzip2 stream", false),
	C(0, "7z\xbc\xaf\x27\x1c", "a 7z archive", false),
	C(0, "Rar!\x1a\x07", "a RAR archive", false),
	C(0, "\x04\x22\x4d\x18", "an lz4 stream", false),
	C(257, "ustar", "a tar archive", false),
	C(0, "\x7f" "ELF\x02\x01\x01", "a program or library", true),
	C(0, "\x7f" "ELF\x01\x01\x01", "a program or library", true),
	C(0, "\xcf\xfa\xed\xfe", "a program or library of macOS", true),
	C(0, "MZ\x90\0\x03\0\0\0", "a program or library of Windows", true),
#undef C
};

/* The field of the sum is octal digits, with spaces as one likes, or a big-endian number behind a byte of 0x80. */
bool og_hunt_is_tar(const uint8_t *head, size_t n)
{
	enum { BLOCK = 512, AT = 148, SIZE = 8 };
	uint64_t said = 0;
	int64_t sum = SIZE * ' ', odd = SIZE * ' '; /* odd: of signed bytes, as some old writers added them */
	if (n < BLOCK)
		return false;
	for (size_t i = 0; i < BLOCK; i++) {
		bool own = i >= AT && i < AT + SIZE;
		sum += own ? 0 : head[i];
		odd += own ? 0 : (int8_t)head[i];
	}
	for (size_t i = AT; i < AT + SIZE && (head[AT] & 0x80 || head[i]); i++)
		if (head[AT] & 0x80)
			said = i > AT ? said << 8 | head[i] : 0;
		else if (head[i] >= '0' && head[i] <= '7')
			said = said << 3 | (uint64_t)(head[i] - '0');
	return said == (uint64_t)sum || said == (uint64_t)odd;
}

const char *og_hunt_container(const uint8_t *head, size_t n, bool *program)
{
	for (size_t i = 0; i < OG_COUNT(containers); i++)
		if (n >= containers[i].at + containers[i].n && !memcmp(head + containers[i].at, containers[i].magic, containers[i].n)) {
			*program = containers[i].program;
			return containers[i].what;
		}
	*program = false;
	return og_hunt_is_tar(head, n) ? "a tar archive" : NULL;
}

bool og_hunt_is_zlib(const uint8_t *head, size_t n)
{
	return n > 2 && head[0] == 0x78 && !(head[1] & 0x20) && (head[0] << 8 | head[1]) % 31 == 0;
}

bool og_hunt_pickle_head(const uint8_t *head, size_t n)
{
	return n >= 3 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
}

bool og_hunt_pickle_letter(uint8_t first)
{
	return first && strchr("(cioNIJKLMFGSTUVXBC]}l)dtpqj\x80\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96", first) != NULL;
}

/* ---- texts ----------------------------------------------------------------------------------------------- */

static bool holds(const uint8_t *p, size_t n, const char *word)
{
	return memmem(p, n, word, strlen(word)) != NULL;
}

/* Printable text with a word in it that programs have and prose has not. */
static bool is_code(const uint8_t *p, size_t n)
{
	static const char *const words[] = { "import os", "import sys", "import subprocess", "import socket", "__import__(", "os.system(", "subprocess.", "eval(",
		"exec(", "#!/", "/bin/sh", "/bin/bash", "bash -", "curl -", "curl http", "wget http", "powershell", "socket.socket(", "b64decode(", "pickle.loads(",
		"marshal.loads(" };
	size_t odd = 0;
	for (size_t i = 0; i < n && odd <= n / 20; i++)
		odd += (p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7f;
	for (size_t i = 0; odd <= n / 20 && i < OG_COUNT(words); i++)
		if (holds(p, n, words[i]))
			return true;
	return false;
}

static bool is_pickle(const uint8_t *p, size_t n)
{
	og_auto(og_source) *s = NULL;
	bool is = false;
	/* Whatever names a global has a newline, or opcodes that are no letters. */
	if (n < 4 || !og_hunt_pickle_letter(p[0]) || (p[0] < 0x80 && !memchr(p, '\n', n)) || og_source_memory("text", p, n, &s, NULL) != OG_OK)
		return false;
	return og_hunt_is_pickle(s, 0, n, &is, NULL) == OG_OK && is;
}

/* What these bytes are, if they are something that a text has no reason to hold. */
static const char *recognise(const uint8_t *p, size_t n)
{
	bool program;
	const char *what = og_hunt_container(p, n, &program);
	return what ? what : is_pickle(p, n) ? "a pickle" : NULL;
}

static int sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Bytes of the run of base64 that begins at p, line breaks in it included. */
static size_t run_of(const uint8_t *p, size_t n)
{
	size_t i = 0;
	while (i < n && (sextet(p[i]) >= 0 || (i && (p[i] == '\n' || p[i] == '\r'))))
		i++;
	return i;
}

static void decode(const uint8_t *p, size_t n, og_buf *b)
{
	uint32_t bits = 0;
	size_t letters = 0;
	for (size_t i = 0; i < n; i++) {
		int v = sextet(p[i]);
		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t)v;
		if (++letters % 4 == 0 && b->n + 3 <= DECODED_MAX) {
			uint8_t three[3] = { (uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits };
			og_buf_add(b, three, 3);
		}
	}
	if (letters % 4 == 2 && b->n < DECODED_MAX)
		og_buf_byte(b, (uint8_t)(bits >> 4));
	else if (letters % 4 == 3 && b->n + 2 <= DECODED_MAX) {
		og_buf_byte(b, (uint8_t)(bits >> 10));
		og_buf_byte(b, (uint8_t)(bits >> 2));
	}
}

static bool in_base64(const uint8_t *p, size_t n, og_arena *arena, const char **what)
{
	char shown[SHOWN + 8];
	for (size_t at = 0; at + RUN_MIN <= n;) {
		og_auto_buf b = { 0 };
		og_buf_init(&b, DECODED_MAX);
		size_t used = run_of(p + at, n - at);
		if (used >= RUN_MIN)
			decode(p + at, used, &b);
		const char *found = b.n ? recognise(b.p, b.n) : NULL;
		bool code = b.n && !found && is_code(b.p, b.n);
		if (found)
			*what = og_arena_printf(arena, "base64 of %s, %zu bytes; not followed", found, b.n);
		if (code)
			*what = og_arena_printf(arena, "base64 of Python or shell code: %s",
				og_str_show((og_str){ (const char *)b.p, b.n < SHOWN ? b.n : SHOWN }, shown, sizeof(shown)));
		if (found || code)
			return true;
		at += used + 1;
	}
	return false;
}

/* Protocols below 3 have no bytes: Python writes them as a text of the characters 0 … 255, and _codecs.encode() makes them bytes again. */
static const char *recognise_text(const uint8_t *p, size_t n)
{
	og_auto_buf b = { 0 };
	if (n < 8 || p[0] != 0xc2 || p[1] != 0x80)
		return NULL;
	og_buf_init(&b, DECODED_MAX);
	for (size_t i = 0; i < n && b.n < DECODED_MAX; i++) {
		bool two = (p[i] & 0xfe) == 0xc2 && i + 1 < n;
		if (p[i] >= 0x80 && !two)
			return NULL;
		og_buf_byte(&b, two ? (uint8_t)((p[i] & 3) << 6 | (p[i + 1] & 0x3f)) : p[i]);
		i += two;
	}
	return b.failed ? NULL : recognise(b.p, b.n);
}

bool og_threats_in_text(og_str text, og_arena *arena, const char **kind, const char **what)
{
	const uint8_t *p = (const uint8_t *)text.p;
	char shown[SHOWN + 8];
	const char *found;
	if (text.n < 8)
		return false;
	found = recognise(p, text.n);
	if (!found)
		found = recognise_text(p, text.n);
	if (found) {
		*kind = "nested";
		*what = og_arena_printf(arena, "%s, %zu bytes, inside a value; not followed", found, text.n);
		return true;
	}
	*kind = "base64";
	if (in_base64(p, text.n, arena, what))
		return true;
	*kind = "code";
	if (!is_code(p, text.n))
		return false;
	*what = og_arena_printf(arena, "text that reads like Python or shell code: %s",
		og_str_show((og_str){ text.p, text.n < SHOWN ? text.n : SHOWN }, shown, sizeof(shown)));
	return true;
}
