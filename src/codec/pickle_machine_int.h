/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the pickle machine, for its two halves: pickle.c has the stack, the memo, containers and calls, pickle_leaf.c what has no
 * parts: numbers, text, bytes. */
#ifndef OG_CODEC_PICKLE_MACHINE_INT_H
#define OG_CODEC_PICKLE_MACHINE_INT_H

#include "codec/pickle_int.h"

#include <stddef.h>

typedef struct og_far og_far;
struct og_far { /* a memo entry whose index is far from the others: a digital search tree, at most 64 deep whatever the indexes are */
	uint64_t index;
	og_pval *value;
	og_far *child[2];
};

typedef struct og_machine {
	og_pin in;
	const og_pickle_rules *rules;
	og_arena *arena;
	uint64_t start; /* of the pickle in the source */
	og_pval **stack;
	size_t n, cap;
	size_t *marks; /* each: how many values were on the stack */
	size_t nmarks, marks_cap;
	size_t fence; /* the last mark; values below it cannot be taken */
	og_pval **near; /* the memo by index, where indexes are as dense as picklers make them */
	size_t near_cap;
	og_far *far;
	size_t memo;
	size_t held;                                /* bytes that all of it takes */
	og_pval *none, *truth[2], *empty, *ints[256]; /* the shared ones */
} og_machine;

enum { OG_PVAL_PLAIN = offsetof(og_pval, of) }; /* bytes of a value that has no `of` and what follows */

static inline void *og_pval_behind(og_pval *v) /* the extra bytes of a plain value */
{
	return (char *)v + OG_PVAL_PLAIN;
}

/* A value made by the opcode that was read last, with extra bytes behind it (not for OBJECT and PERSISTENT). */
og_status og_machine_make(og_machine *m, og_pkind kind, size_t extra, og_pval **out) OG_MUST;
og_status og_machine_push(og_machine *m, og_pval *v) OG_MUST;
/* One value for all uses of a constant, made on the first. i: of BOOL and INT. */
og_status og_machine_share(og_machine *m, og_pval **slot, og_pkind kind, int64_t i) OG_MUST;

/* The opcodes of pickle_leaf.c. */
og_status og_leaf_truth(og_machine *m) OG_MUST;
og_status og_leaf_binint(og_machine *m) OG_MUST;
og_status og_leaf_int(og_machine *m) OG_MUST;
og_status og_leaf_long(og_machine *m) OG_MUST;
og_status og_leaf_float(og_machine *m) OG_MUST;
og_status og_leaf_binfloat(og_machine *m) OG_MUST;
og_status og_leaf_binunicode(og_machine *m) OG_MUST;
og_status og_leaf_binstring(og_machine *m) OG_MUST;
og_status og_leaf_binbytes(og_machine *m) OG_MUST;
og_status og_leaf_string(og_machine *m) OG_MUST;
og_status og_leaf_unicode(og_machine *m) OG_MUST;
/* v holds its bytes. unicode: Python would insist that they are UTF-8; else they are its old str, text where they can be. */
og_status og_leaf_push(og_machine *m, og_pval *v, bool unicode) OG_MUST;

#endif
