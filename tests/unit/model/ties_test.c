/* SPDX-License-Identifier: Apache-2.0
 *
 * Tied weights: by their place, without reading, or by their bytes, in whatever order each of them lies. */
#include "../graph/strided_toy.h"

#include "model/ledger.h"

typedef struct pair { /* a checkpoint of two tensors, one tied to the other */
	og_arena *arena;
	og_checkpoint *checkpoint;
	og_ledger *l;
	og_tensor *source, *alias;
} pair;

#define ROWS 700
#define COLS 900

static pair open_pair(void)
{
	static const toy_weight w[] = { { "in", 2, { ROWS, COLS } }, { "out", 2, { ROWS, COLS } } };
	pair p = { .arena = og_arena_new(), .checkpoint = toy_checkpoint(w, 2) };
	p.source = (og_tensor *)(uintptr_t)og_checkpoint_find(p.checkpoint, "in");
	p.alias = (og_tensor *)(uintptr_t)og_checkpoint_find(p.checkpoint, "out");
	assert_int_equal(og_ledger_new(p.arena, p.checkpoint, NULL, NULL, NULL, &p.l, NULL), OG_OK);
	assert_true(og_ledger_tie(p.l, "out", "in"));
	assert_non_null(og_ledger_claim(p.l, "in", (const int64_t[]){ ROWS, COLS }, 2, NULL));
	return p;
}

static og_status check(pair *p, og_error *err)
{
	og_ledger_report r;
	og_status s = og_ledger_check(p->l, NULL, false, &r, err);
	if (s == OG_OK)
		assert_int_equal(r.tied, 1);
	return s;
}

static void close_pair(pair *p)
{
	og_checkpoint_free(p->checkpoint);
	og_arena_free(p->arena);
}

static og_status no_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	(void)s, (void)offset, (void)buf, (void)n;
	return og_fail(err, ONNXGATE_IO, "read");
}

static void test_ties__one_place_is_not_read(void **state)
{
	static const og_source_ops ops = { no_read, NULL };
	og_source s = { .ops = &ops, .size = UINT64_MAX, .fd = -1, .name = (char *)(uintptr_t)"unread" };
	og_error err = { 0 };
	(void)state;
	pair p = open_pair();
	p.source->source = p.alias->source = &s;
	p.alias->offset = p.source->offset;
	assert_int_equal(check(&p, &err), OG_OK);
	close_pair(&p);
	for (int i = 0; i < 4; i++) { /* each of these makes it another place, which has to be read */
		p = open_pair();
		p.source->source = p.alias->source = &s;
		p.alias->offset = p.source->offset + (i == 0 ? 4 : 0);
		p.alias->swapped = i == 1;
		p.alias->strides[0] += i == 2;
		p.alias->strides[1] += i == 3;
		assert_int_equal(check(&p, &err), ONNXGATE_IO);
		close_pair(&p);
	}
}

/* The alias holds the source's elements in each order, then with one of them changed. */
static void test_ties__equal_elements_in_any_order_of_the_file(void **state)
{
	og_error err = { 0 };
	(void)state;
	for (int order = 0; order < TOY_ORDERS; order++)
		for (int changed = 0; changed < 2; changed++) {
			og_auto_buf buf;
			og_source *s;
			pair p = open_pair();
			og_buf_init(&buf, 64 << 20);
			*p.alias = toy_reorder(p.source, (toy_order)order, &buf);
			uint64_t last = (uint64_t)((ROWS - 1) * p.alias->strides[0] + (COLS - 1) * p.alias->strides[1]);
			buf.p[p.alias->offset + last * 4 + 1] ^= (uint8_t)changed;
			assert_int_equal(og_source_memory("alias", buf.p, buf.n, &s, NULL), OG_OK);
			p.alias->source = s;
			assert_int_equal(check(&p, &err), changed ? ONNXGATE_MISMATCH : OG_OK);
			close_pair(&p);
			og_source_free(s);
		}
}

static void test_ties__other_types_and_shapes_are_not_equal(void **state)
{
	og_error err = { 0 };
	(void)state;
	for (int i = 0; i < 2; i++) {
		pair p = open_pair();
		p.alias->offset = p.source->offset;
		if (i) {
			p.alias->dtype = OG_I32;
		} else {
			p.alias->dims[0] = COLS;
			p.alias->dims[1] = ROWS;
		}
		assert_int_equal(check(&p, &err), ONNXGATE_MISMATCH);
		close_pair(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ties__one_place_is_not_read, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(test_ties__equal_elements_in_any_order_of_the_file, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(test_ties__other_types_and_shapes_are_not_equal, scratch_make, scratch_remove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
