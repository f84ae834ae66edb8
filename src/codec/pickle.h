/* SPDX-License-Identifier: Apache-2.0
 *
 * A pickle machine that executes nothing.  It reads Python's pickle opcodes (protocols 0 … 5) and builds plain data: numbers, text,
 * containers, and "objects", which are records of what Python would have called and with what.  Whoever uses it decides by a rule which
 * globals may be named at all, and gives a meaning to the few objects that it knows.
 * Source: CPython's Lib/pickletools.py (opcode descriptions), PEP 307, PEP 3154, PEP 574. */
#ifndef OG_CODEC_PICKLE_H
#define OG_CODEC_PICKLE_H

#include "base/arena.h"
#include "base/source.h"
#include "base/str.h"

typedef enum og_pkind {
	OG_P_NONE, OG_P_BOOL, OG_P_INT, OG_P_BIG /* an integer over 64 bits: its bytes */, OG_P_FLOAT, OG_P_TEXT, OG_P_BYTES, OG_P_TUPLE, OG_P_LIST, OG_P_DICT,
	OG_P_SET, OG_P_GLOBAL, OG_P_OBJECT, OG_P_PERSISTENT
} og_pkind;

typedef struct og_pval og_pval;
struct og_pval {
	og_pkind kind;
	uint64_t at; /* offset in the file of the opcode that made it */
	int64_t i;   /* INT, BOOL */
	double f;    /* FLOAT */
	og_str text; /* TEXT (UTF-8), BYTES, BIG; GLOBAL: "module name" as in "torch._utils _rebuild_tensor_v2" */
	og_pval **items; /* TUPLE, LIST, SET; DICT: key, value, key, value, …; OBJECT: appended items */
	size_t n, cap;
	og_pval *of, *args, *state; /* OBJECT: the global that is called, its arguments (TUPLE), what BUILD gave (or NULL); PERSISTENT: args is the id */
	og_pval *pairs;             /* OBJECT: a DICT of what SETITEMS gave, or NULL */
};

typedef struct og_pickle_rules {
	/* May this global be named? false: UNSAFE with the global and the opcode's offset. */
	bool (*allow)(void *arg, og_str module, og_str name, uint64_t at);
	bool persistent; /* persistent ids may occur (torch's storages) */
	/* For listings; each may be NULL. op: "STACK_GLOBAL"; data: every string and bytes object. */
	void (*on_op)(void *arg, const char *op, uint64_t at);
	void (*on_data)(void *arg, og_str data, uint64_t at);
	/* What would otherwise be UNSAFE (a call of what is no global, EXT1 …): noted, and reading goes on. NULL: it is an error. */
	void (*on_danger)(void *arg, const char *what, uint64_t at);
	void *arg;
} og_pickle_rules;

/* One pickle of the source, from offset `at` to its STOP, which must come before `end`. *next: the offset behind STOP.
 * FORMAT: not a pickle, or a broken one. UNSAFE: a global that is not allowed, or a bomb (limits.h: OG_PICKLE_…). Values in arena. */
og_status og_pickle_read(og_source *s, uint64_t at, uint64_t end, const og_pickle_rules *rules, og_arena *arena, og_pval **out, uint64_t *next,
	og_error *err) OG_MUST;

/* A GLOBAL of that name? */
bool og_pval_is_global(const og_pval *v, const char *module_and_name);
/* The value of a DICT's (or an OBJECT's pairs') text key, or NULL. */
const og_pval *og_pval_get(const og_pval *dict, const char *key);

#endif
