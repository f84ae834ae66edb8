/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a pickle opcode by opcode, as pickle.c does: the table of opcodes, and a window over the source from which one opcode after the
 * other is taken with its argument.  Knows frames (an opcode may not cross the end of one), knows no stack. */
#ifndef OG_CODEC_PICKLE_INT_H
#define OG_CODEC_PICKLE_INT_H

#include "base/buf.h"
#include "codec/pickle.h"

typedef enum og_parg {
	OG_PARG_NONE,
	OG_PARG_U8, /* little-endian, all of these */
	OG_PARG_U16,
	OG_PARG_U32,
	OG_PARG_I32,
	OG_PARG_U64,
	OG_PARG_F64,     /* big-endian */
	OG_PARG_LINE,    /* text up to a newline */
	OG_PARG_LINES,   /* two of them */
	OG_PARG_BYTES1,  /* that many bytes follow a U8 */
	OG_PARG_BYTES4,  /* a U32 */
	OG_PARG_SIGNED4, /* an I32, which may not be negative */
	OG_PARG_BYTES8   /* a U64 */
} og_parg;

typedef struct og_popcode {
	const char *name; /* as pickletools says it; NULL: no such opcode */
	uint8_t arg;      /* og_parg */
	uint8_t protocol; /* that brought it */
} og_popcode;

extern const og_popcode og_popcodes[256];

typedef struct og_pin { /* what is being read */
	og_source *source;
	const og_pickle_rules *rules;
	og_error *err;
	uint8_t *window; /* holds the source's bytes from base on */
	size_t room, used, filled;
	uint64_t base, end;
	bool shortened;     /* end is not where the caller said, but OG_PICKLE_BYTES_MAX behind the start */
	uint64_t frame_end; /* 0: in no frame */
	og_buf line;        /* one that crosses the end of the window */
	/* The opcode that was read last: */
	const og_popcode *op;
	uint8_t code;
	uint64_t at;         /* its offset */
	uint64_t number;     /* its argument: U8 … U64, the bits of F64, I32 sign-extended; or the length of BYTES, which og_pin_take() gets */
	og_str text, second; /* LINE, LINES: without the newline; until the next call */
} og_pin;

og_status og_pin_open(og_pin *in, og_source *s, uint64_t at, uint64_t end, const og_pickle_rules *rules, og_error *err) OG_MUST;
void og_pin_close(og_pin *in);
/* The next opcode with its argument. A length is known to lie before the end. FORMAT: an unknown opcode, or the end. */
og_status og_pin_next(og_pin *in) OG_MUST;
/* The bytes of a BYTES argument, all `number` of them; buf NULL: they are passed over. */
og_status og_pin_take(og_pin *in, void *buf) OG_MUST;
static inline uint64_t og_pin_tell(const og_pin *in) /* the offset behind what was read */
{
	return in->base + in->used;
}

/* "NAME: pickle: TEXT at offset N", of the opcode that was read last. */
og_status og_pin_bad(og_pin *in, og_status status, const char *fmt, ...) OG_MUST OG_PRINTF(3, 4);
/* The same, but what the caller wants to be told of and not stopped by: OK when the rules have on_danger. */
og_status og_pin_danger(og_pin *in, og_status status, const char *fmt, ...) OG_MUST OG_PRINTF(3, 4);

/* ---- Python's text forms (pickle_text.c); false: not of that form ---- */

#define OG_PTEXT_INTEGER_MAX 8192                           /* characters of a number, the line of one is no longer */
#define OG_PTEXT_INTEGER_BYTES (OG_PTEXT_INTEGER_MAX / 2 + 16) /* that a number of so many hexadecimal digits takes */

typedef enum og_pbase { OG_PBASE_10, OG_PBASE_0 /* int(s, 0): 0x, 0o, 0b */, OG_PBASE_C /* and a leading 0 is octal */ } og_pbase;
/* Two's complement, little-endian. A decimal number has at most 4300 digits, as in Python. */
bool og_ptext_integer(og_str s, og_pbase form, uint8_t out[OG_PTEXT_INTEGER_BYTES], size_t *n);
/* What of n bytes of two's complement is not repetition of the sign; at least 1. */
size_t og_ptext_integer_size(const uint8_t *p, size_t n);
bool og_ptext_float(og_str s, double *out); /* also inf, nan */
/* A quoted bytes literal without its b; out has room for s.n. */
bool og_ptext_string(og_str s, char *out, size_t *n);
/* raw-unicode-escape into UTF-8, surrogates as they are; out has room for og_ptext_unicode_room(s). */
size_t og_ptext_unicode_room(og_str s);
bool og_ptext_unicode(og_str s, char *out, size_t *n);
/* UTF-8 but for surrogates, which Python lets pass? */
bool og_ptext_has_surrogates(const uint8_t *p, size_t n);

#endif
