/* SPDX-License-Identifier: Apache-2.0
 *
 * codec/wire.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/wire.h"

#include <string.h>

static og_cursor over(const void *p, size_t n)
{
	return og_cursor_over(p, n, 0);
}

static void test_wire__varints_round_trip_at_every_length(void **state)
{
	(void)state;
	for (int bits = 0; bits <= 64; bits++) {
		uint64_t v = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - (uint64_t)(bits % 2);
		og_auto_buf b;
		og_buf_init(&b, 64);
		og_wire_put_varint(&b, v);
		assert_false(b.failed);
		assert_int_equal(b.n, og_wire_varint_size(v));
		og_cursor c = over(b.p, b.n);
		assert_true(og_wire_varint(&c, "v") == v);
		assert_false(c.bad);
		assert_int_equal(og_cursor_left(&c), 0);
	}
}

static void refused(const char *bytes, size_t n, const char *why, uint64_t at)
{
	og_cursor c = over(bytes, n);
	og_field_in f;
	og_error err = { 0 };
	while (og_wire_next(&c, &f)) {
	}
	assert_true(c.bad);
	assert_int_equal(og_cursor_check(&c, "m", &err), ONNXGATE_FORMAT);
	if (!strstr(err.message, why))
		fail_msg("expected \"%s\" in \"%s\"", why, err.message);
	if (at != UINT64_MAX)
		assert_int_equal(c.bad_at, at);
}

static void test_wire__malformed_fields_are_refused_where_they_are(void **state)
{
	(void)state;
	refused("\x08", 1, "truncated varint", 1);
	refused("\x08\xff\xff", 3, "truncated varint", 3);
	refused("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "longer than 64 bits", UINT64_MAX);
	refused("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "longer than 64 bits", UINT64_MAX);
	refused("\x12\x05hell", 6, "longer than what holds it", 2);
	refused("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "longer than what holds it", UINT64_MAX);
	refused("\x0d\1\2\3", 4, "truncated 32-bit", 1);
	refused("\x09\1\2\3\4\5\6\7", 8, "truncated 64-bit", 1);
	refused("\x00\x01", 2, "field number", UINT64_MAX);
	refused("\x0e\x01", 2, "unknown wire type", UINT64_MAX);
	refused("\xf8\xff\xff\xff\x7f\x01", 6, "field number", UINT64_MAX);
	refused("\x0c", 1, "group end without a group", UINT64_MAX);
	refused("\x0b\x14", 2, "another group's tag", UINT64_MAX);
	refused("\x0b\x10\x01", 3, "truncated field tag", UINT64_MAX);
}

static void test_wire__fields_of_every_type_are_read(void **state)
{
	(void)state;
	og_auto_buf b;
	og_buf_init(&b, 1000);
	og_wire_put_u64(&b, 1, 150);
	og_wire_put_i64(&b, 2, -3);
	og_wire_put_f32(&b, 3, 1.5f);
	og_wire_put_str(&b, 4, "hi");
	og_wire_put_bytes(&b, 536870911, "", 0);
	og_buf_add(&b, "\x31\1\2\3\4\5\6\7\x08", 9); /* field 6, 64 bits */
	og_cursor c = over(b.p, b.n);
	og_field_in f;
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 1 && f.type == OG_WIRE_VARINT && f.value == 150 && f.at == 1);
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 2 && (int64_t)f.value == -3);
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 3 && f.type == OG_WIRE_I32 && f.value == 0x3fc00000);
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 4 && og_str_is(f.bytes, "hi") && memcmp(b.p + f.at, "hi", 2) == 0);
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 536870911 && f.bytes.n == 0);
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 6 && f.type == OG_WIRE_I64 && f.value == 0x0807060504030201u);
	assert_false(og_wire_next(&c, &f));
	assert_false(c.bad);
}

static void test_wire__groups_are_skipped_whole_and_not_too_deep(void **state)
{
	static const char one[] = "\x0b\x0b\x10\x01\x1a\x02xy\x0c\x15\1\2\3\4\x0c\x18\x07";
	og_cursor c = over(one, sizeof(one) - 1);
	og_field_in f;
	char deep[4 * OG_ONNX_DEPTH_MAX];
	(void)state;
	assert_true(og_wire_next(&c, &f));
	assert_true(f.number == 3 && f.value == 7);
	assert_false(og_wire_next(&c, &f));
	assert_false(c.bad);

	memset(deep, 0x0b, OG_ONNX_DEPTH_MAX);
	memset(deep + OG_ONNX_DEPTH_MAX, 0x0c, OG_ONNX_DEPTH_MAX);
	c = over(deep, 2 * OG_ONNX_DEPTH_MAX);
	assert_false(og_wire_next(&c, &f));
	assert_false(c.bad);
	memset(deep, 0x0b, OG_ONNX_DEPTH_MAX + 1);
	refused(deep, OG_ONNX_DEPTH_MAX + 1, "nested too deeply", UINT64_MAX);
}

static void test_wire__a_nested_message_knows_its_offset_in_the_file(void **state)
{
	(void)state;
	og_auto_buf inner, outer;
	og_buf_init(&inner, 100);
	og_buf_init(&outer, 100);
	og_wire_put_u64(&inner, 1, 5);
	og_buf_byte(&inner, 0x0e);
	og_wire_put_u64(&outer, 9, 1);
	og_wire_put_bytes(&outer, 7, inner.p, inner.n);
	og_cursor c = over(outer.p, outer.n);
	og_field_in f;
	assert_true(og_wire_next(&c, &f) && og_wire_next(&c, &f));
	og_cursor sub = og_wire_sub(&f);
	assert_true(og_wire_next(&sub, &f));
	assert_int_equal(f.value, 5);
	assert_false(og_wire_next(&sub, &f));
	assert_true(sub.bad);
	assert_int_equal(sub.bad_at, 7);
}

static void test_wire__a_head_leaves_the_payload(void **state)
{
	og_cursor c = over("\x12\x90\x03xx", 5); /* 400 bytes are announced, the window holds two */
	og_field_in f;
	(void)state;
	assert_true(og_wire_head(&c, &f));
	assert_true(f.type == OG_WIRE_LEN && f.value == 400 && f.at == 3);
	assert_int_equal(og_cursor_left(&c), 2);
	assert_false(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire__varints_round_trip_at_every_length),
		cmocka_unit_test(test_wire__malformed_fields_are_refused_where_they_are),
		cmocka_unit_test(test_wire__fields_of_every_type_are_read),
		cmocka_unit_test(test_wire__groups_are_skipped_whole_and_not_too_deep),
		cmocka_unit_test(test_wire__a_nested_message_knows_its_offset_in_the_file),
		cmocka_unit_test(test_wire__a_head_leaves_the_payload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
