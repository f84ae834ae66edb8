/* SPDX-License-Identifier: Apache-2.0
 *
 * A map from names to pointers or numbers, in an arena. Names are borrowed. */
#ifndef OG_BASE_STRMAP_H
#define OG_BASE_STRMAP_H

#include "base/arena.h"

typedef struct og_strmap og_strmap;

og_strmap *og_strmap_new(og_arena *a); /* NULL: no memory */
/* The slot of a name, made (zero) when absent; valid until the next call that makes one. NULL: no memory. */
uint64_t *og_strmap_slot(og_strmap *m, const char *name);
uint64_t *og_strmap_find(const og_strmap *m, const char *name); /* NULL: absent */

#endif
