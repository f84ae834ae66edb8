/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing over numbered strings.  The hash is keyed with the table's own address, because names come
 * from outside: a file made so that all its names collide would otherwise cost quadratic time.  The order of
 * slots is never seen, so results do not depend on the key. */
#include "onnx/names.h"

struct og_names {
	og_arena *arena;
	const char **text; /* by number */
	size_t count, cap;
	uint32_t *slots; /* number + 1; 0: free */
	size_t mask;     /* slots - 1 */
	uint64_t key;
};

enum { SLOTS_FIRST = 256 };

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t hash(uint64_t key, og_str text)
{
	uint64_t h = key ^ (0x9e3779b97f4a7c15u + text.n), word;
	size_t i = 0;

	for (; i + sizeof(word) <= text.n; i += sizeof(word)) {
		memcpy(&word, text.p + i, sizeof(word));
		h = fold(h ^ word, 0xbf58476d1ce4e5b9u ^ key);
	}
	word = 0;
	if (i < text.n)
		memcpy(&word, text.p + i, text.n - i);
	return fold(h ^ word, 0x94d049bb133111ebu ^ key);
}

og_names *og_names_new(og_arena *a)
{
	og_names *n = og_arena_alloc(a, sizeof(*n));

	if (!n)
		return NULL;
	n->arena = a;
	n->key = fold((uint64_t)(uintptr_t)n, 0x9e3779b97f4a7c15u) | 1;
	n->slots = og_arena_array(a, SLOTS_FIRST, sizeof(*n->slots));
	n->mask = SLOTS_FIRST - 1;
	if (!n->slots || !og_names_add(n, OG_STR("")))
		return NULL;
	return n;
}

/* The slot that holds text, or the free one where it belongs. */
static size_t find_slot(const og_names *n, og_str text)
{
	size_t slot = hash(n->key, text) & n->mask;

	while (n->slots[slot] && !og_str_is(text, n->text[n->slots[slot] - 1]))
		slot = (slot + 1) & n->mask;
	return slot;
}

static bool widen(og_names *n)
{
	size_t mask = n->mask * 2 + 1;
	uint32_t *slots = og_arena_array(n->arena, mask + 1, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < n->count; i++) {
		size_t slot = hash(n->key, og_str_of(n->text[i])) & mask;

		while (slots[slot])
			slot = (slot + 1) & mask;
		slots[slot] = (uint32_t)i + 1;
	}
	n->slots = slots;
	n->mask = mask;
	return true;
}

const char *og_names_add(og_names *n, og_str text)
{
	size_t slot = find_slot(n, text);
	uint32_t id;
	char *copy;

	if (n->slots[slot])
		return n->text[n->slots[slot] - 1];
	if (n->count >= n->mask / 2) {
		if (!widen(n))
			return NULL;
		slot = find_slot(n, text);
	}
	if (n->count >= UINT32_MAX - 1 || !og_arena_grow(n->arena, &n->text, &n->cap, n->count + 1, sizeof(*n->text)))
		return NULL;
	copy = og_arena_alloc(n->arena, sizeof(id) + text.n + 1);
	if (!copy)
		return NULL;
	id = (uint32_t)n->count;
	memcpy(copy, &id, sizeof(id));
	if (text.n)
		memcpy(copy + sizeof(id), text.p, text.n);
	n->text[n->count++] = copy + sizeof(id);
	n->slots[slot] = id + 1;
	return copy + sizeof(id);
}

const char *og_names_find(const og_names *n, og_str text)
{
	size_t slot = find_slot(n, text);

	return n->slots[slot] ? n->text[n->slots[slot] - 1] : NULL;
}

size_t og_names_count(const og_names *n)
{
	return n->count;
}

const char *og_names_at(const og_names *n, uint32_t id)
{
	return n->text[id];
}
