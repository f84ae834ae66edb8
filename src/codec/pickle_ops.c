/* SPDX-License-Identifier: Apache-2.0
 *
 * One opcode after the other from a source, with its argument.  The window is small, since all but strings is short: an argument of fixed
 * size is made to lie in it whole, a string is read straight to where it shall stand, after its length was held against what is left. */
#include "codec/pickle_int.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

enum { WINDOW = 64 << 10 };

const og_popcode og_popcodes[256] = {
	['('] = { "MARK", OG_PARG_NONE, 0 },
	['.'] = { "STOP", OG_PARG_NONE, 0 },
	['0'] = { "POP", OG_PARG_NONE, 0 },
	['1'] = { "POP_MARK", OG_PARG_NONE, 1 },
	['2'] = { "DUP", OG_PARG_NONE, 0 },
	['F'] = { "FLOAT", OG_PARG_LINE, 0 },
	['I'] = { "INT", OG_PARG_LINE, 0 },
	['J'] = { "BININT", OG_PARG_I32, 1 },
	['K'] = { "BININT1", OG_PARG_U8, 1 },
	['L'] = { "LONG", OG_PARG_LINE, 0 },
	['M'] = { "BININT2", OG_PARG_U16, 1 },
	['N'] = { "NONE", OG_PARG_NONE, 0 },
	['P'] = { "PERSID", OG_PARG_LINE, 0 },
	['Q'] = { "BINPERSID", OG_PARG_NONE, 1 },
	['R'] = { "REDUCE", OG_PARG_NONE, 0 },
	['S'] = { "STRING", OG_PARG_LINE, 0 },
	['T'] = { "BINSTRING", OG_PARG_SIGNED4, 1 },
	['U'] = { "SHORT_BINSTRING", OG_PARG_BYTES1, 1 },
	['V'] = { "UNICODE", OG_PARG_LINE, 0 },
	['X'] = { "BINUNICODE", OG_PARG_BYTES4, 1 },
	['a'] = { "APPEND", OG_PARG_NONE, 0 },
	['b'] = { "BUILD", OG_PARG_NONE, 0 },
	['c'] = { "GLOBAL", OG_PARG_LINES, 0 },
	['d'] = { "DICT", OG_PARG_NONE, 0 },
	['}'] = { "EMPTY_DICT", OG_PARG_NONE, 1 },
	['e'] = { "APPENDS", OG_PARG_NONE, 1 },
	['g'] = { "GET", OG_PARG_LINE, 0 },
	['h'] = { "BINGET", OG_PARG_U8, 1 },
	['i'] = { "INST", OG_PARG_LINES, 0 },
	['j'] = { "LONG_BINGET", OG_PARG_U32, 1 },
	['l'] = { "LIST", OG_PARG_NONE, 0 },
	[']'] = { "EMPTY_LIST", OG_PARG_NONE, 1 },
	['o'] = { "OBJ", OG_PARG_NONE, 1 },
	['p'] = { "PUT", OG_PARG_LINE, 0 },
	['q'] = { "BINPUT", OG_PARG_U8, 1 },
	['r'] = { "LONG_BINPUT", OG_PARG_U32, 1 },
	['s'] = { "SETITEM", OG_PARG_NONE, 0 },
	['t'] = { "TUPLE", OG_PARG_NONE, 0 },
	[')'] = { "EMPTY_TUPLE", OG_PARG_NONE, 1 },
	['u'] = { "SETITEMS", OG_PARG_NONE, 1 },
	['G'] = { "BINFLOAT", OG_PARG_F64, 1 },
	[0x80] = { "PROTO", OG_PARG_U8, 2 },
	[0x81] = { "NEWOBJ", OG_PARG_NONE, 2 },
	[0x82] = { "EXT1", OG_PARG_U8, 2 },
	[0x83] = { "EXT2", OG_PARG_U16, 2 },
	[0x84] = { "EXT4", OG_PARG_I32, 2 },
	[0x85] = { "TUPLE1", OG_PARG_NONE, 2 },
	[0x86] = { "TUPLE2", OG_PARG_NONE, 2 },
	[0x87] = { "TUPLE3", OG_PARG_NONE, 2 },
	[0x88] = { "NEWTRUE", OG_PARG_NONE, 2 },
	[0x89] = { "NEWFALSE", OG_PARG_NONE, 2 },
	[0x8a] = { "LONG1", OG_PARG_BYTES1, 2 },
	[0x8b] = { "LONG4", OG_PARG_SIGNED4, 2 },
	['B'] = { "BINBYTES", OG_PARG_BYTES4, 3 },
	['C'] = { "SHORT_BINBYTES", OG_PARG_BYTES1, 3 },
	[0x8c] = { "SHORT_BINUNICODE", OG_PARG_BYTES1, 4 },
	[0x8d] = { "BINUNICODE8", OG_PARG_BYTES8, 4 },
	[0x8e] = { "BINBYTES8", OG_PARG_BYTES8, 4 },
	[0x8f] = { "EMPTY_SET", OG_PARG_NONE, 4 },
	[0x90] = { "ADDITEMS", OG_PARG_NONE, 4 },
	[0x91] = { "FROZENSET", OG_PARG_NONE, 4 },
	[0x92] = { "NEWOBJ_EX", OG_PARG_NONE, 4 },
	[0x93] = { "STACK_GLOBAL", OG_PARG_NONE, 4 },
	[0x94] = { "MEMOIZE", OG_PARG_NONE, 4 },
	[0x95] = { "FRAME", OG_PARG_U64, 4 },
	[0x96] = { "BYTEARRAY8", OG_PARG_BYTES8, 5 },
	[0x97] = { "NEXT_BUFFER", OG_PARG_NONE, 5 },
	[0x98] = { "READONLY_BUFFER", OG_PARG_NONE, 5 },
};

/* ---- faults -------------------------------------------------------------------------------------------------------------- */

static og_status fault(og_pin *in, og_status status, const char *text)
{
	og_fail_at(in->err, status, in->at, "%s: pickle: %s at offset %llu", in->source->name, text, (unsigned long long)in->at);
	if (status == ONNXGATE_UNSAFE)
		og_error_hint(in->err, "the file may run code or exhaust memory when Python loads it; ask its author for a safetensors file");
	return status;
}

og_status og_pin_bad(og_pin *in, og_status status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fault(in, status, text);
}

og_status og_pin_danger(og_pin *in, og_status status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!in->rules->on_danger)
		return fault(in, status, text);
	in->rules->on_danger(in->rules->arg, text, in->at);
	return OG_OK;
}

/* The source ends where more was due. */
static og_status cut(og_pin *in, uint64_t expected)
{
	unsigned long long found = in->end - og_pin_tell(in);

	if (in->shortened)
		return og_pin_bad(in, ONNXGATE_UNSAFE, "expected STOP within %u bytes, found none", OG_PICKLE_BYTES_MAX);
	if (!in->op)
		return og_pin_bad(in, ONNXGATE_FORMAT, "expected STOP, found the end");
	return og_pin_bad(in, ONNXGATE_FORMAT, "%s: expected %llu bytes, found %llu and the end", in->op->name, (unsigned long long)expected, found);
}

/* ---- the window ---------------------------------------------------------------------------------------------------------- */

og_status og_pin_open(og_pin *in, og_source *s, uint64_t at, uint64_t end, const og_pickle_rules *rules, og_error *err)
{
	*in = (og_pin){ .source = s, .rules = rules, .err = err, .at = at, .base = at };
	og_buf_init(&in->line, OG_PICKLE_TEXT_MAX + 2 * OG_NAME_MAX);
	in->end = end < s->size ? end : s->size;
	if (at > in->end)
		in->end = at;
	if (in->end - at > OG_PICKLE_BYTES_MAX) {
		in->end = at + OG_PICKLE_BYTES_MAX;
		in->shortened = true;
	}
	in->room = in->end - at < WINDOW ? (size_t)(in->end - at) : WINDOW;
	in->window = og_alloc(in->room ? in->room : 1);
	return in->window ? OG_OK : og_fail_nomem(err);
}

void og_pin_close(og_pin *in)
{
	og_free(in->window);
	in->window = NULL;
	og_buf_done(&in->line);
}

/* What was used makes room, and the window is filled; at the end nothing is added. */
static og_status refill(og_pin *in)
{
	size_t kept = in->filled - in->used, n = in->room - kept;
	uint64_t from = in->base + in->filled;

	if (n > in->end - from)
		n = (size_t)(in->end - from);
	memmove(in->window, in->window + in->used, kept);
	in->base += in->used;
	in->used = 0;
	in->filled = kept;
	OG_TRY(og_source_read(in->source, from, in->window + kept, n, in->err));
	in->filled = kept + n;
	return OG_OK;
}

static og_status fixed(og_pin *in, size_t n, const uint8_t **p)
{
	if (in->filled - in->used < n) {
		if (in->end - og_pin_tell(in) < n)
			return cut(in, n);
		OG_TRY(refill(in));
	}
	*p = in->window + in->used;
	in->used += n;
	return OG_OK;
}

og_status og_pin_take(og_pin *in, void *buf)
{
	size_t n = (size_t)in->number, here = in->filled - in->used;

	if (n <= here) {
		if (buf && n)
			memcpy(buf, in->window + in->used, n);
		in->used += n;
		return OG_OK;
	}
	if (buf) {
		memcpy(buf, in->window + in->used, here);
		OG_TRY(og_source_read(in->source, in->base + in->filled, (uint8_t *)buf + here, n - here, in->err));
	}
	in->base += in->used + n;
	in->used = in->filled = 0;
	return OG_OK;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------------- */

static size_t line_max(const og_pin *in)
{
	if (in->op->arg == OG_PARG_LINES)
		return OG_NAME_MAX;
	return in->code == 'S' || in->code == 'V' ? OG_PICKLE_TEXT_MAX : OG_PTEXT_INTEGER_MAX;
}

/* Appends the rest of a line, which the window does not hold to its end, to in->line. */
static og_status long_line(og_pin *in, size_t max)
{
	size_t total = 0;

	for (;;) {
		const uint8_t *p = in->window + in->used, *newline;
		size_t n = in->filled - in->used;
		newline = n ? memchr(p, '\n', n) : NULL;
		if (newline)
			n = (size_t)(newline - p);
		total += n;
		if (total > max)
			return og_pin_bad(in, ONNXGATE_FORMAT, "%s: expected a newline within %zu bytes, found none", in->op->name, max);
		og_buf_add(&in->line, p, n);
		OG_TRY(og_buf_check(&in->line, "a line of a pickle", in->err));
		in->used += n;
		if (newline) {
			in->used++;
			return OG_OK;
		}
		if (og_pin_tell(in) == in->end)
			return in->shortened ? cut(in, 1) : og_pin_bad(in, ONNXGATE_FORMAT, "%s: expected a newline, found the end", in->op->name);
		OG_TRY(refill(in));
	}
}

static og_status line(og_pin *in)
{
	const uint8_t *p = in->window + in->used, *newline;
	size_t n = in->filled - in->used, max = line_max(in);

	newline = n ? memchr(p, '\n', n) : NULL;
	if (newline && (size_t)(newline - p) <= max) { /* the ordinary case */
		in->text = (og_str){ (const char *)p, (size_t)(newline - p) };
		in->used += in->text.n + 1;
		return OG_OK;
	}
	in->line.n = 0;
	OG_TRY(long_line(in, max));
	in->text = (og_str){ in->line.p ? (const char *)in->line.p : "", in->line.n };
	return OG_OK;
}

static og_status lines(og_pin *in)
{
	size_t first;

	in->line.n = 0;
	OG_TRY(long_line(in, line_max(in)));
	first = in->line.n;
	OG_TRY(long_line(in, line_max(in)));
	in->text = (og_str){ in->line.p ? (const char *)in->line.p : "", first };
	in->second = (og_str){ in->text.p + first, in->line.n - first };
	return OG_OK;
}

static og_status number(og_pin *in, size_t n, bool big_endian)
{
	const uint8_t *p = NULL;

	OG_TRY(fixed(in, n, &p));
	in->number = 0;
	for (size_t i = 0; i < n; i++)
		in->number |= (uint64_t)p[big_endian ? n - 1 - i : i] << (8 * i);
	return OG_OK;
}

static og_status length(og_pin *in, size_t n)
{
	OG_TRY(number(in, n, false));
	if (in->op->arg == OG_PARG_SIGNED4 && in->number > INT32_MAX)
		return og_pin_bad(in, ONNXGATE_FORMAT, "%s: expected a length, found %lld", in->op->name, (long long)in->number - (1LL << 32));
	return in->number > in->end - og_pin_tell(in) ? cut(in, in->number) : OG_OK;
}

static og_status argument(og_pin *in)
{
	switch ((og_parg)in->op->arg) {
	case OG_PARG_U8:
		return number(in, 1, false);
	case OG_PARG_U16:
		return number(in, 2, false);
	case OG_PARG_U32:
		return number(in, 4, false);
	case OG_PARG_I32:
		OG_TRY(number(in, 4, false));
		in->number = (uint64_t)(int64_t)(int32_t)(uint32_t)in->number;
		return OG_OK;
	case OG_PARG_U64:
		return number(in, 8, false);
	case OG_PARG_F64:
		return number(in, 8, true);
	case OG_PARG_LINE:
		return line(in);
	case OG_PARG_LINES:
		return lines(in);
	case OG_PARG_BYTES1:
		return length(in, 1);
	case OG_PARG_BYTES4:
	case OG_PARG_SIGNED4:
		return length(in, 4);
	case OG_PARG_BYTES8:
		return length(in, 8);
	case OG_PARG_NONE:
		break;
	}
	return OG_OK;
}

/* ---- frames -------------------------------------------------------------------------------------------------------------- */

/* Python's two readers differ in what they make of a frame that lies, so nobody writes one by chance. */
static og_status frame(og_pin *in, size_t argument_bytes)
{
	uint64_t stop = og_pin_tell(in) + argument_bytes;

	if (in->code == 0x95) {
		uint64_t left = in->end - stop;
		if (in->frame_end > in->at) {
			OG_TRY(og_pin_danger(in, ONNXGATE_FORMAT, "FRAME: expected the end of the frame before it at offset %llu, found another frame",
				(unsigned long long)in->frame_end));
		}
		if (in->number > left)
			return cut(in, in->number);
		in->frame_end = stop + in->number;
	} else if (in->frame_end > in->at) {
		if (stop > in->frame_end || (in->code == '.' && stop < in->frame_end)) {
			unsigned long long end = in->frame_end;
			in->frame_end = 0;
			return og_pin_danger(in, ONNXGATE_FORMAT, "%s: expected %s the end of its frame at offset %llu, found its own end at %llu", in->op->name,
				in->code == '.' ? "STOP at" : "to end before", end, (unsigned long long)stop);
		}
	}
	return OG_OK;
}

og_status og_pin_next(og_pin *in)
{
	const uint8_t *p = NULL;

	in->at = og_pin_tell(in);
	in->op = NULL;
	OG_TRY(fixed(in, 1, &p));
	in->code = *p;
	if (!og_popcodes[in->code].name)
		return og_pin_bad(in, ONNXGATE_FORMAT, "expected an opcode, found byte 0x%02x", in->code);
	in->op = &og_popcodes[in->code];
	if (in->op->arg != OG_PARG_NONE)
		OG_TRY(argument(in));
	if (in->frame_end || in->code == 0x95)
		return frame(in, in->op->arg >= OG_PARG_BYTES1 ? (size_t)in->number : 0);
	return OG_OK;
}
