/* SPDX-License-Identifier: Apache-2.0
 *
 * An arena: everything that belongs to one parse or one graph vanishes together. Memory is zeroed. */
#ifndef OG_BASE_ARENA_H
#define OG_BASE_ARENA_H

#include "base/alloc.h"
#include "base/error.h"

#include <stdarg.h>

typedef struct og_arena og_arena;

og_arena *og_arena_new(void); /* NULL: no memory */
void og_arena_free(og_arena *a);
OG_DEFINE_FREEP(og_arena)

/* Each returns NULL when there is no memory; alignment 16. */
void *og_arena_alloc(og_arena *a, size_t size);
void *og_arena_array(og_arena *a, size_t n, size_t size);
char *og_arena_strdup(og_arena *a, const char *s); /* NULL gives NULL */
char *og_arena_strndup(og_arena *a, const char *s, size_t n);
char *og_arena_printf(og_arena *a, const char *fmt, ...) OG_PRINTF(2, 3);
char *og_arena_vprintf(og_arena *a, const char *fmt, va_list ap);
/* Grow an array that lives in the arena (the old one is left behind): false when there is no memory. */
bool og_arena_grow(og_arena *a, void *array_ptr, size_t *cap, size_t need, size_t size);
size_t og_arena_size(const og_arena *a); /* bytes taken from the heap */

#endif
