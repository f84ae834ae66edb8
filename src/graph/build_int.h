/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder's state, for the files of this folder. */
#ifndef OG_GRAPH_BUILD_INT_H
#define OG_GRAPH_BUILD_INT_H

#include "base/strmap.h"
#include "graph/build.h"

#define OG_SCOPE_DEPTH_MAX 32

typedef struct og_saved_scope {
	size_t node, weight; /* lengths to cut back to */
} og_saved_scope;

struct og_build {
	og_arena *arena;
	og_ledger *ledger;
	const char *place; /* begins the names of weights that are another checkpoint's; NULL: the first's */
	og_model *m;
	og_graph *graph; /* being appended to */
	og_status status;
	og_error err;
	char node_scope[OG_NAME_MAX], weight_scope[OG_NAME_MAX];
	og_saved_scope saved[OG_SCOPE_DEPTH_MAX];
	int depth;
	size_t ifs;
	og_strmap *names;   /* how often a node's or value's name was used */
	og_strmap *weights; /* initializer name → value id */
	og_strmap *symbols; /* symbol → value id of its int64 scalar */
};

og_val og_build_nomem(og_build *b);
const char *og_build_unique(og_build *b, const char *name);
/* A node whose result is known to be as `as` says (no inference). */
og_val og_build_append(og_build *b, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs, const og_value *as);

#endif
