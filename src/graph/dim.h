/* SPDX-License-Identifier: Apache-2.0
 *
 * Dims as values: an interned integer polynomial over symbols ("batch_size") and floor-divisions of such
 * polynomials.  Two dims are equal exactly when their ids are, so shapes compare by id. */
#ifndef OG_GRAPH_DIM_H
#define OG_GRAPH_DIM_H

#include "base/arena.h"

typedef struct og_dim {
	uint32_t id; /* 0: no dim (an overflow, or no memory) */
} og_dim;

typedef struct og_dims og_dims; /* the table; it lives in the arena that it was made in */

#define OG_DIM_FACTORS_MAX 4 /* symbols multiplied in one term */
#define OG_DIM_TERMS_MAX 8   /* terms of one dim */

og_dims *og_dims_new(og_arena *arena);

og_dim og_dim_int(og_dims *t, int64_t v);
og_dim og_dim_symbol(og_dims *t, const char *name);
/* "sequence_length", "12", or a sum as Optimum spells it: "past_sequence_length + sequence_length". The first spelling
 * of a dim is kept and is how the dim is written in the file. */
og_dim og_dim_parse(og_dims *t, const char *text);
og_dim og_dim_add(og_dims *t, og_dim a, og_dim b);
og_dim og_dim_sub(og_dims *t, og_dim a, og_dim b);
og_dim og_dim_mul(og_dims *t, og_dim a, og_dim b);
og_dim og_dim_floordiv(og_dims *t, og_dim a, int64_t divisor); /* divisor ≥ 1 */

/* How the dim is written in the file, unless that was said before: a formula that others spell otherwise than og_dim_text() would. */
void og_dim_spell(og_dims *t, og_dim d, const char *text);

static inline bool og_dim_eq(og_dim a, og_dim b)
{
	return a.id == b.id && a.id != 0;
}
bool og_dim_is_int(const og_dims *t, og_dim d, int64_t *out); /* out may be NULL */
const char *og_dim_text(og_dims *t, og_dim d);                /* "?" for none */
bool og_dim_has_symbol(const og_dims *t, og_dim d, const char *name);

/* How a dim is made of others, for whoever turns it into nodes: Σ coef · Π factors. */
typedef struct og_dim_factor {
	const char *symbol; /* or NULL: floor(inner / divisor) */
	og_dim inner;
	int64_t divisor;
} og_dim_factor;
size_t og_dim_terms(const og_dims *t, og_dim d);
int64_t og_dim_term(const og_dims *t, og_dim d, size_t i, og_dim_factor factors[OG_DIM_FACTORS_MAX], size_t *nfactors);

#endif
