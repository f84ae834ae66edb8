/* SPDX-License-Identifier: Apache-2.0
 *
 * Heap memory: calloc with the size checks in one place. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

void *og_alloc(size_t size)
{
	return calloc(1, size ? size : 1); /* NULL must always mean: no memory */
}

void *og_array_alloc(size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return og_alloc(total);
}

bool og_array_grow(void *array_ptr, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap, bytes;
	void *old, *new;
	if (need <= n)
		return true;
	if (__builtin_mul_overflow(n, (size_t)2, &n) || n < need)
		n = need;
	if (n < 8 && need <= 8)
		n = 8;
	if (__builtin_mul_overflow(n, size, &bytes))
		return false;
	memcpy(&old, array_ptr, sizeof old); /* array_ptr is the address of a pointer of any type */
	new = realloc(old, bytes);
	if (!new)
		return false;
	memset((char *)new + *cap * size, 0, bytes - *cap * size);
	memcpy(array_ptr, &new, sizeof new);
	*cap = n;
	return true;
}

char *og_strdup(const char *s)
{
	return s ? strdup(s) : NULL;
}

void og_free(void *p)
{
	free(p);
}
