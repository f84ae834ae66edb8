/* SPDX-License-Identifier: Apache-2.0
 *
 * A pickle machine that executes nothing.  It reads Python's pickle opcodes (protocols 0 … 5) and builds plain data: numbers, text,
 * containers, and "objects", which are records of what Python would have called and with what.  Whoever uses it decides by a rule which
 * globals may be named at all, and gives a meaning to the few objects that it knows.
 * Source: CPython's Lib/pickletools.py (opcode descriptions), PEP 307, PEP 3154, PEP 574.
 *
 * A value may be reached in many ways, and from within itself: the memo shares values by pointer, so 30 lists of two can stand for 2^30
 * leaves, and a list can be its own item.  Reading costs no more than the opcodes; whoever walks the result bounds its depth and its steps. */
#ifndef OG_CODEC_PICKLE_H
#define OG_CODEC_PICKLE_H

#include "base/arena.h"
#include "base/source.h"
#include "base/str.h"

typedef enum og_pkind {
	OG_P_NONE, OG_P_BOOL, OG_P_INT, OG_P_BIG /* an integer over 64 bits */, OG_P_FLOAT, OG_P_TEXT, OG_P_BYTES, OG_P_TUPLE, OG_P_LIST, OG_P_DICT,
	OG_P_SET, OG_P_GLOBAL, OG_P_OBJECT, OG_P_PERSISTENT
} og_pkind;

typedef struct og_pval og_pval;
struct og_pval {
	og_pkind kind;
	uint32_t cap; /* the machine's: room in items */
	uint64_t at;  /* offset in the file of the opcode that made it; NONE, BOOL, () and INT 0 … 255 are shared: of the first of its value */
	union {
		int64_t i; /* INT; BOOL: 0 or 1 */
		double f;  /* FLOAT */
		/* TEXT: valid UTF-8, which may hold NULs. BYTES; also a text that is no UTF-8: a lone surrogate, or what Python 2 called str.
		 * BIG: two's complement, little-endian, as short as it can be. GLOBAL: "module name", as in "torch._utils _rebuild_tensor_v2".
		 * A NUL, which is not counted, follows each of them. */
		og_str text;
		struct {
			/* TUPLE, LIST, SET (frozen or not; repeats are kept); DICT: key, value, key, value, … in the order of the file, repeated keys
			 * too, of which the last counts; OBJECT: what APPENDS and ADDITEMS gave. */
			og_pval **items;
			size_t n; /* of items: for a DICT twice its pairs */
		};
	};
	/* ---- Only OBJECT and PERSISTENT have what follows: it is not there in a value of another kind, so look at kind first. ---- */
	og_pval *of;     /* OBJECT: what is called, a GLOBAL (with on_danger perhaps another) */
	og_pval *args;   /* OBJECT: its arguments, a TUPLE; PERSISTENT: the id */
	og_pval *kwargs; /* OBJECT: NEWOBJ_EX's DICT, or NULL */
	og_pval *state;  /* OBJECT: what BUILD gave, or NULL */
	og_pval *pairs;  /* OBJECT: a DICT of what SETITEMS gave, or NULL */
};

typedef struct og_pickle_rules {
	/* May this global be named? false: UNSAFE with the global and the opcode's offset. NULL: none may. */
	bool (*allow)(void *arg, og_str module, og_str name, uint64_t at);
	bool persistent; /* persistent ids may occur (torch's storages) */
	/* For listings; each may be NULL. op: "STACK_GLOBAL"; data: every string and bytes object. */
	void (*on_op)(void *arg, const char *op, uint64_t at);
	void (*on_data)(void *arg, og_str data, uint64_t at);
	/* What would otherwise be UNSAFE (a global that is not allowed, a call of what is no global, EXT1 …), or odd but read by Python (a
	 * frame that lies): noted, and reading goes on. NULL: it is an error. Bombs and broken pickles are errors all the same. */
	void (*on_danger)(void *arg, const char *what, uint64_t at);
	void *arg;
	/* Each OBJECT when it is made, and again at each BUILD (op "BUILD"); object->of is what is called. May be NULL. */
	void (*on_call)(void *arg, const char *op, const og_pval *object, uint64_t at);
	/* Each PERSISTENT when it is made, also those that the result does not hold. May be NULL. */
	void (*on_persistent)(void *arg, const og_pval *v, uint64_t at);
} og_pickle_rules;

/* One pickle of the source, from offset `at` to its STOP, which must come before `end`. *next: the offset behind STOP.
 * FORMAT: not a pickle, or a broken one. UNSAFE: a global that is not allowed, or a bomb (limits.h: OG_PICKLE_…).
 * UNSUPPORTED: buffers outside the pickle (protocol 5). Values in arena. */
og_status og_pickle_read(og_source *s, uint64_t at, uint64_t end, const og_pickle_rules *rules, og_arena *arena, og_pval **out, uint64_t *next,
	og_error *err) OG_MUST;

/* A GLOBAL of that name? NULL is none. */
bool og_pval_is_global(const og_pval *v, const char *module_and_name);
/* The value of a DICT's (or an OBJECT's pairs') text key, or NULL. Takes time with the size of the dict. */
const og_pval *og_pval_get(const og_pval *dict, const char *key);
const char *og_pkind_name(og_pkind kind); /* "a dict": for messages */

#endif
