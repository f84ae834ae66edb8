/* SPDX-License-Identifier: Apache-2.0
 *
 * A safetensors checkpoint of seeded numbers for tests of the builder, and the description of what it should hold. */
#ifndef OG_TEST_CHECKPOINT_TOY_H
#define OG_TEST_CHECKPOINT_TOY_H

#include "../base/scratch.h"

#include "base/random.h"
#include "codec/dtype.h"
#include "graph/build.h"
#include "model/checkpoint.h"

typedef struct toy_weight {
	const char *name;
	int rank;
	int64_t dims[4];
	uint64_t seed; /* of its numbers; 0: its place in the list */
	bool positive;
} toy_weight;

static inline size_t toy_count(const toy_weight *w)
{
	size_t n = 1;
	for (int i = 0; i < w->rank; i++)
		n *= (size_t)w->dims[i];
	return n;
}

/* Numbers of about ±1, the same for a seed on every machine. */
static inline void toy_fill(float *p, size_t n, uint64_t seed)
{
	og_random r = { seed };
	for (size_t i = 0; i < n; i++)
		p[i] = (float)(og_random_unit(&r) * 2 - 1);
}

/* Writes dir/model.safetensors; weight i is toy_fill()ed with its seed. */
static inline og_checkpoint *toy_checkpoint(const toy_weight *w, size_t n)
{
	og_auto_buf header, data;
	og_buf_init(&header, 1 << 20);
	og_buf_init(&data, 64 << 20);
	og_buf_str(&header, "{");
	for (size_t i = 0; i < n; i++) {
		size_t count = toy_count(&w[i]), begin = data.n;
		float *p = calloc(count ? count : 1, sizeof(*p));
		assert_non_null(p);
		toy_fill(p, count, w[i].seed ? w[i].seed : i);
		for (size_t k = 0; w[i].positive && k < count; k++)
			p[k] = p[k] < 0 ? -p[k] : p[k];
		og_buf_add(&data, p, count * sizeof(*p));
		free(p);
		og_buf_printf(&header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i ? "," : "", w[i].name);
		for (int k = 0; k < w[i].rank; k++)
			og_buf_printf(&header, "%s%lld", k ? "," : "", (long long)w[i].dims[k]);
		og_buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", begin, data.n);
	}
	og_buf_str(&header, "}");
	while (header.n % 8)
		og_buf_byte(&header, ' ');
	og_auto_buf all;
	og_buf_init(&all, 128 << 20);
	uint64_t size = header.n;
	og_buf_add(&all, &size, 8);
	og_buf_add(&all, header.p, header.n);
	og_buf_add(&all, data.p, data.n);
	assert_int_equal(og_file_write(scratch("model.safetensors"), all.p, all.n, NULL), OG_OK);
	og_checkpoint *c = NULL;
	og_error err = { 0 };
	if (og_checkpoint_open(scratch_dir, &c, &err) != OG_OK)
		fail_msg("%s", err.message);
	return c;
}

typedef struct toy_build { /* what a test of the builder needs */
	og_arena *arena;
	og_checkpoint *checkpoint;
	og_ledger *ledger;
	og_build *b;
} toy_build;

static inline void toy_another(toy_build *t) /* another file of the same export */
{
	assert_int_equal(og_build_new(t->arena, t->ledger, &t->b, NULL), OG_OK);
}

static inline toy_build toy_builder(const toy_weight *w, size_t n)
{
	toy_build t = { .arena = og_arena_new(), .checkpoint = w ? toy_checkpoint(w, n) : NULL };
	assert_int_equal(og_ledger_new(t.arena, t.checkpoint, "base", NULL, NULL, &t.ledger, NULL), OG_OK);
	toy_another(&t);
	return t;
}

static inline void toy_builder_free(toy_build *t)
{
	og_checkpoint_free(t->checkpoint);
	og_arena_free(t->arena);
}

static inline og_model *toy_finish(toy_build *t)
{
	og_model *m = NULL;
	og_error err = { 0 };
	if (og_build_finish(t->b, &m, &err) != OG_OK)
		fail_msg("%s", err.message);
	return m;
}

#endif
