/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of the runtime child: what is written is read, and nothing else is taken. */
#include "../base/scratch.h"

#include "codec/dtype.h"
#include "runtime/protocol.h"

static void test_protocol__knows_the_sizes_that_codec_knows(void **state)
{
	(void)state;

	for (uint32_t t = 0; t < OG_DTYPE_COUNT + 5; t++) /* above I2 are types that ONNX does not have */
		assert_int_equal(og_rt_bits(t), t <= OG_I2 ? og_dtype_bits((og_dtype)t) : 0);
	assert_int_equal(og_rt_bits(0xffffffff), 0);
	assert_int_equal(OG_RT_STRING, OG_STRING);
}

static void test_protocol__sizes_do_not_overflow(void **state)
{
	const int64_t huge[] = { OG_DIM_MAX, OG_DIM_MAX, OG_DIM_MAX, 0 }, odd[] = { 3 }, negative[] = { -1 }, large[] = { OG_DIM_MAX + 1 };
	uint64_t n = 77;
	(void)state;

	assert_false(og_rt_bytes(OG_F32, 3, huge, &n));
	assert_false(og_rt_bytes(OG_F32, 4, huge, &n)); /* even though a dim is 0 */
	assert_false(og_rt_bytes(OG_F32, 1, negative, &n));
	assert_false(og_rt_bytes(OG_U8, 1, large, &n));
	assert_false(og_rt_bytes(OG_STRING, 1, odd, &n));
	assert_false(og_rt_bytes(OG_F32, OG_RANK_MAX + 1, huge, &n));
	assert_int_equal(n, 77);
	assert_true(og_rt_bytes(OG_I4, 1, odd, &n));
	assert_int_equal(n, 2);
	assert_true(og_rt_bytes(OG_F64, 0, NULL, &n));
	assert_int_equal(n, 8);
	assert_true(og_rt_bytes(OG_F32, 1, huge + 3, &n));
	assert_int_equal(n, 0);
}

static void test_protocol__reads_what_it_writes(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_rt_array a = { .name = "input_ids", .dtype = OG_I64, .rank = 2, .dims = { 2, 3 }, .bytes = 48 }, b;
	og_rt_port p = { .name = "y", .dtype = OG_F32, .rank = 3, .dims = { -1, -1, 8 }, .symbols = { "batch_size", "", "" } }, q;
	og_auto_buf m;
	og_rt_kind kind = 0;
	uint64_t size = 0;
	og_cursor c;
	(void)state;

	og_buf_init(&m, 4096);
	og_rt_begin(&m, OG_RT_RUN);
	og_rt_put_f64(&m, -2.5);
	og_rt_put_text(&m, "");
	og_rt_put_array(&m, &a);
	og_rt_put_port(&m, &p);
	og_rt_end(&m);
	assert_int_equal(og_rt_header(m.p, &kind, &size, NULL), OG_OK);
	assert_int_equal(kind, OG_RT_RUN);
	assert_int_equal(size, m.n - OG_RT_HEADER_SIZE);
	c = og_cursor_over(m.p + OG_RT_HEADER_SIZE, (size_t)size, 0);
	assert_true(og_rt_f64(&c, "f") == -2.5);
	assert_string_equal(og_rt_text(&c, arena, "t"), "");
	assert_true(og_rt_get_array(&c, arena, &b));
	assert_string_equal(b.name, "input_ids");
	assert_memory_equal(b.dims, a.dims, sizeof(a.dims));
	assert_int_equal(b.bytes, 48);
	assert_true(og_rt_get_port(&c, arena, &q));
	assert_string_equal(q.symbols[0], "batch_size");
	assert_string_equal(q.symbols[1], "");
	assert_memory_equal(q.dims, p.dims, sizeof(p.dims));
	assert_int_equal(og_cursor_left(&c), 0);
}

/* Every beginning of a message, and every single changed byte: read to the end or refused, never out of bounds. */
static void test_protocol__survives_cut_and_changed_messages(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_rt_array a = { .name = "x", .dtype = OG_F32, .rank = 2, .dims = { 2, 3 }, .bytes = 24 }, b;
	og_rt_port p = { .name = "y", .dtype = OG_F32, .rank = 2, .dims = { -1, 8 }, .symbols = { "n", "" } }, q;
	og_auto_buf m;
	og_cursor c;
	(void)state;

	og_buf_init(&m, 4096);
	og_rt_put_array(&m, &a);
	og_rt_put_port(&m, &p);
	for (size_t n = 0; n < m.n; n++) {
		og_autofree uint8_t *cut = og_alloc(n + 1); /* so that reading past the end is seen */
		memcpy(cut, m.p, n);
		c = og_cursor_over(cut, n, 0);
		assert_false(og_rt_get_array(&c, arena, &b) && og_rt_get_port(&c, arena, &q));
	}
	for (size_t n = 0; n < m.n; n++)
		for (int bit = 0; bit < 8; bit++) {
			m.p[n] ^= (uint8_t)(1 << bit);
			c = og_cursor_over(m.p, m.n, 0);
			if (og_rt_get_array(&c, arena, &b) && og_rt_get_port(&c, arena, &q))
				assert_true(b.rank <= OG_RANK_MAX && q.rank <= OG_RANK_MAX && b.bytes <= OG_RT_ARRAYS_MAX);
			m.p[n] ^= (uint8_t)(1 << bit);
		}
}

static void test_protocol__texts_have_no_zero_bytes_and_an_end(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const uint8_t zero[] = { 3, 0, 0, 0, 'a', 0, 'b' }, cut[] = { 3, 0, 0, 0, 'a' };
	og_cursor c = og_cursor_over(zero, sizeof(zero), 0);
	(void)state;

	assert_null(og_rt_text(&c, arena, "t"));
	assert_true(c.bad);
	c = og_cursor_over(cut, sizeof(cut), 0);
	assert_null(og_rt_text(&c, arena, "t"));
	assert_true(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocol__knows_the_sizes_that_codec_knows),
		cmocka_unit_test(test_protocol__sizes_do_not_overflow),
		cmocka_unit_test(test_protocol__reads_what_it_writes),
		cmocka_unit_test(test_protocol__survives_cut_and_changed_messages),
		cmocka_unit_test(test_protocol__texts_have_no_zero_bytes_and_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
