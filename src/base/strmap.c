/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing over FNV-1a, mixed with a seed per map: names come from files, and must not pick their own buckets. */
#include "base/strmap.h"

#include "base/clock.h"
#include "base/str.h"

typedef struct slot {
	const char *name;
	uint64_t hash, value;
} slot;

struct og_strmap {
	og_arena *arena;
	slot *slots;
	size_t count, size; /* size: a power of two, or 0 */
	uint64_t seed;
};

og_strmap *og_strmap_new(og_arena *a)
{
	og_strmap *m = og_arena_alloc(a, sizeof(*m));
	if (m) {
		m->arena = a;
		m->seed = (uint64_t)(og_now_ms() * 1e6) ^ (uint64_t)(uintptr_t)m;
	}
	return m;
}

static uint64_t hash_of(const og_strmap *m, const char *s)
{
	uint64_t h = 0xcbf29ce484222325u ^ m->seed;
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

static slot *probe(slot *slots, size_t size, const char *name, uint64_t h)
{
	size_t i = (size_t)h & (size - 1);
	while (slots[i].name && (slots[i].hash != h || strcmp(slots[i].name, name) != 0))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static bool grow(og_strmap *m)
{
	size_t size = m->size ? m->size * 2 : 64;
	slot *slots = og_arena_array(m->arena, size, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < m->size; i++)
		if (m->slots[i].name)
			*probe(slots, size, m->slots[i].name, m->slots[i].hash) = m->slots[i];
	m->slots = slots;
	m->size = size;
	return true;
}

uint64_t *og_strmap_slot(og_strmap *m, const char *name)
{
	if (m->count * 4 >= m->size * 3 && !grow(m))
		return NULL;
	uint64_t h = hash_of(m, name);
	slot *s = probe(m->slots, m->size, name, h);
	if (!s->name) {
		*s = (slot){ name, h, 0 };
		m->count++;
	}
	return &s->value;
}

uint64_t *og_strmap_find(const og_strmap *m, const char *name)
{
	if (!m->size)
		return NULL;
	slot *s = probe(m->slots, m->size, name, hash_of(m, name));
	return s->name ? &s->value : NULL;
}
