/* SPDX-License-Identifier: Apache-2.0
 *
 * Dims: equal exactly when they are the same polynomial. */
#include "../base/scratch.h"

#include "graph/dim.h"

static og_arena *arena;
static og_dims *t;

static int make(void **state)
{
	(void)state;
	arena = og_arena_new();
	t = og_dims_new(arena);
	return t ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	og_arena_free(arena);
	return 0;
}

static void test_dim__algebra_is_canonical(void **state)
{
	og_dim s = og_dim_symbol(t, "s"), p = og_dim_symbol(t, "p"), two = og_dim_int(t, 2), three = og_dim_int(t, 3);
	(void)state;
	assert_true(og_dim_eq(og_dim_add(t, s, p), og_dim_add(t, p, s)));
	assert_true(og_dim_eq(og_dim_mul(t, og_dim_add(t, s, two), og_dim_sub(t, s, two)), og_dim_sub(t, og_dim_mul(t, s, s), og_dim_int(t, 4))));
	assert_true(og_dim_eq(og_dim_sub(t, og_dim_add(t, s, p), p), s));
	assert_false(og_dim_eq(og_dim_add(t, s, two), og_dim_add(t, s, three)));
	assert_true(og_dim_eq(og_dim_sub(t, s, s), og_dim_int(t, 0)));
	assert_false(og_dim_eq((og_dim){ 0 }, (og_dim){ 0 }));
}

static void test_dim__floor_division(void **state)
{
	og_dim s = og_dim_symbol(t, "s"), six = og_dim_mul(t, s, og_dim_int(t, 6));
	int64_t v;
	(void)state;
	assert_true(og_dim_eq(og_dim_floordiv(t, six, 3), og_dim_mul(t, s, og_dim_int(t, 2))));
	assert_true(og_dim_is_int(t, og_dim_floordiv(t, og_dim_int(t, -7), 2), &v));
	assert_int_equal(v, -4);
	og_dim frames = og_dim_add(t, og_dim_floordiv(t, og_dim_sub(t, s, og_dim_int(t, 10)), 5), og_dim_int(t, 1));
	assert_string_equal(og_dim_text(t, frames), "( s - 10 ) // 5 + 1");
	og_dim half = og_dim_floordiv(t, s, 2), zero = og_dim_int(t, 0);
	assert_string_equal(og_dim_text(t, og_dim_mul(t, half, og_dim_int(t, 12))), "12*( ( s ) // 2 )");
	assert_string_equal(og_dim_text(t, og_dim_sub(t, zero, half)), "-( ( s ) // 2 )");
	assert_string_equal(og_dim_text(t, og_dim_sub(t, og_dim_mul(t, s, s), half)), "s*s - ( s ) // 2");
	assert_string_equal(og_dim_text(t, og_dim_mul(t, s, half)), "s*( ( s ) // 2 )");
	assert_true(og_dim_has_symbol(t, frames, "s"));
	assert_int_equal(og_dim_floordiv(t, s, 0).id, 0);
}

static void test_dim__keeps_the_first_spelling(void **state)
{
	og_dim s = og_dim_symbol(t, "sequence_length"), sum = og_dim_parse(t, "past_sequence_length + sequence_length");
	(void)state;
	assert_true(og_dim_eq(sum, og_dim_add(t, s, og_dim_symbol(t, "past_sequence_length"))));
	assert_string_equal(og_dim_text(t, og_dim_add(t, s, og_dim_symbol(t, "past_sequence_length"))), "past_sequence_length + sequence_length");
	assert_true(og_dim_is_int(t, og_dim_parse(t, "12"), NULL));
	assert_int_equal(og_dim_parse(t, "").id, 0);
	og_dim_spell(t, sum, "another");
	assert_string_equal(og_dim_text(t, sum), "past_sequence_length + sequence_length");
	og_dim less = og_dim_sub(t, s, og_dim_int(t, 7));
	og_dim_spell(t, less, "( sequence_length - 8 ) // 1 + 1");
	assert_string_equal(og_dim_text(t, less), "( sequence_length - 8 ) // 1 + 1");
	og_dim_spell(t, (og_dim){ 0 }, "nothing");
}

static void test_dim__overflow_is_no_dim(void **state)
{
	og_dim big = og_dim_int(t, INT64_MAX), s = og_dim_symbol(t, "s"), high = s;
	(void)state;
	assert_int_equal(og_dim_add(t, big, og_dim_int(t, 1)).id, 0);
	assert_int_equal(og_dim_mul(t, big, og_dim_int(t, 2)).id, 0);
	for (int i = 1; i < OG_DIM_FACTORS_MAX; i++)
		high = og_dim_mul(t, high, s);
	assert_int_not_equal(high.id, 0);
	assert_int_equal(og_dim_mul(t, high, s).id, 0);
	assert_int_equal(og_dim_add(t, (og_dim){ 0 }, s).id, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dim__algebra_is_canonical, make, drop),
		cmocka_unit_test_setup_teardown(test_dim__floor_division, make, drop),
		cmocka_unit_test_setup_teardown(test_dim__keeps_the_first_spelling, make, drop),
		cmocka_unit_test_setup_teardown(test_dim__overflow_is_no_dim, make, drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
