/* SPDX-License-Identifier: Apache-2.0
 *
 * An arena: a list of zeroed blocks that only ever fill up.  Blocks double up to 256 KiB, so a small parse
 * stays small; what is larger than a quarter of a block gets one of its own, behind the current one, so that
 * the room left in the current one is not lost. */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)4096)
#define LAST_BLOCK ((size_t)256 << 10)
#define ALIGN ((size_t)16)

typedef struct block {
	struct block *next;
	size_t used, cap; /* of data */
	_Alignas(16) unsigned char data[];
} block;

struct og_arena {
	block *head; /* the one being filled */
	size_t next_cap, held;
};

og_arena *og_arena_new(void)
{
	og_arena *a = og_alloc(sizeof *a);
	if (a)
		a->next_cap = FIRST_BLOCK - sizeof(block);
	return a;
}

void og_arena_free(og_arena *a)
{
	if (!a)
		return;
	for (block *b = a->head, *next; b; b = next) {
		next = b->next;
		og_free(b);
	}
	og_free(a);
}

static block *new_block(og_arena *a, size_t cap)
{
	size_t total;
	block *b;
	if (__builtin_add_overflow(cap, sizeof(block), &total) || !(b = og_alloc(total)))
		return NULL;
	b->cap = cap;
	a->held += total;
	return b;
}

void *og_arena_alloc(og_arena *a, size_t size)
{
	block *b = a->head;
	void *p;
	if (size > SIZE_MAX - ALIGN)
		return NULL;
	size = size ? (size + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
	if (!b || b->cap - b->used < size) {
		if (b && size > a->next_cap / 4) {
			b = new_block(a, size);
			if (!b)
				return NULL;
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b = new_block(a, size > a->next_cap ? size : a->next_cap);
			if (!b)
				return NULL;
			b->next = a->head;
			a->head = b;
			if (a->next_cap < LAST_BLOCK - sizeof(block))
				a->next_cap = (a->next_cap + sizeof(block)) * 2 - sizeof(block);
		}
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void *og_arena_array(og_arena *a, size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return og_arena_alloc(a, total);
}

char *og_arena_strndup(og_arena *a, const char *s, size_t n)
{
	char *p;
	if (n == SIZE_MAX || !(p = og_arena_alloc(a, n + 1)))
		return NULL;
	if (n)
		memcpy(p, s, n);
	return p;
}

char *og_arena_strdup(og_arena *a, const char *s)
{
	return s ? og_arena_strndup(a, s, strlen(s)) : NULL;
}

char *og_arena_vprintf(og_arena *a, const char *fmt, va_list ap)
{
	char small[256], *p;
	va_list again;
	int n;
	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n < 0)
		p = NULL;
	else if ((size_t)n < sizeof small)
		p = og_arena_strndup(a, small, (size_t)n);
	else if ((p = og_arena_alloc(a, (size_t)n + 1)))
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

char *og_arena_printf(og_arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	va_start(ap, fmt);
	p = og_arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

bool og_arena_grow(og_arena *a, void *array_ptr, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap;
	void *old, *new;
	if (need <= n)
		return true;
	if (__builtin_mul_overflow(n, (size_t)2, &n) || n < need)
		n = need;
	if (n < 8)
		n = 8;
	new = og_arena_array(a, n, size);
	if (!new)
		return false;
	memcpy(&old, array_ptr, sizeof old);
	if (*cap)
		memcpy(new, old, *cap * size);
	memcpy(array_ptr, &new, sizeof new);
	*cap = n;
	return true;
}

size_t og_arena_size(const og_arena *a)
{
	return a->held;
}
