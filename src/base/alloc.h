/* SPDX-License-Identifier: Apache-2.0
 *
 * Heap memory: always zeroed, sizes overflow-checked, NULL when there is none.  Cleanup by attribute:
 * `og_auto(og_map) *m = NULL; … return og_steal(&m);` */
#ifndef OG_BASE_ALLOC_H
#define OG_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *og_alloc(size_t size);
void *og_array_alloc(size_t n, size_t size);
/* Grow *array (of *cap elements) to hold at least need; new elements are zeroed. false: no memory, nothing changed. */
bool og_array_grow(void *array_ptr, size_t *cap, size_t need, size_t size);
char *og_strdup(const char *s); /* NULL gives NULL */
void og_free(void *p);

#define og_auto(type) __attribute__((cleanup(type##_freep))) type
#define OG_DEFINE_FREEP(type)                                                                                          \
	static inline void type##_freep(type **p)                                                                          \
	{                                                                                                                  \
		type##_free(*p);                                                                                               \
	}
#define og_steal(p)                                                                                                    \
	({                                                                                                                 \
		__typeof__(p) og_steal_p_ = (p);                                                                               \
		__typeof__(*(p)) og_steal_v_ = *og_steal_p_;                                                                   \
		*og_steal_p_ = NULL;                                                                                           \
		og_steal_v_;                                                                                                   \
	})

static inline void og_free_cleanup(void *p)
{
	og_free(*(void **)p);
}
#define og_autofree __attribute__((cleanup(og_free_cleanup)))

#define OG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Overflow-checked arithmetic for sizes from outside; false: it does not fit. */
static inline bool og_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}
static inline bool og_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

#endif
