/* SPDX-License-Identifier: Apache-2.0
 *
 * Element types: every 8- and 16-bit value against arithmetic that shares nothing with the conversions. */
#include "codec/dtype.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"

/* The value by the book: sign, exponent, mantissa, computed with ldexp in double. special: how the top codes read. */
enum special { IEEE, FN, FNUZ, FINITE };

static double by_the_book(uint32_t v, int exp_bits, int man_bits, int bias, enum special special)
{
	uint32_t man = v & ((1u << man_bits) - 1), exp = v >> man_bits & ((1u << exp_bits) - 1), sign = v >> (exp_bits + man_bits) & 1;
	double m;
	if (special == IEEE && exp == (1u << exp_bits) - 1)
		m = man ? (double)NAN : (double)INFINITY;
	else if (special == FN && exp == (1u << exp_bits) - 1 && man == (1u << man_bits) - 1)
		m = (double)NAN;
	else if (special == FNUZ && sign && !exp && !man)
		return (double)NAN;
	else if (!exp)
		m = ldexp((double)man, 1 - bias - man_bits);
	else
		m = ldexp(1 + ldexp((double)man, -man_bits), (int)exp - bias);
	return sign ? -m : m;
}

static void assert_same(double expected, double found, unsigned code)
{
	bool same = isnan(expected) ? isnan(found) : !memcmp(&expected, &found, sizeof(found));
	if (!same)
		fail_msg("code 0x%x: expected %.17g, found %.17g", code, expected, found);
}

static void check_all(og_dtype t, int exp_bits, int man_bits, int bias, enum special special)
{
	int bits = 1 + exp_bits + man_bits;
	for (uint32_t v = 0; v < 1u << bits; v++) {
		double d, want = by_the_book(v, exp_bits, man_bits, bias, special);
		float f;
		uint8_t raw[2] = { (uint8_t)v, (uint8_t)(v >> 8) };
		assert_true(og_dtype_to_f64(t, raw, 1, &d));
		assert_true(og_dtype_to_f32(t, raw, 1, &f));
		assert_same(want, d, v);
		assert_same(want, (double)f, v);
	}
}

static void test_dtype__every_narrow_float_by_the_book(void **state)
{
	(void)state;
	check_all(OG_F16, 5, 10, 15, IEEE);
	check_all(OG_BF16, 8, 7, 127, IEEE);
	check_all(OG_F8E5M2, 5, 2, 15, IEEE);
	check_all(OG_F8E4M3FN, 4, 3, 7, FN);
	check_all(OG_F8E4M3FNUZ, 4, 3, 8, FNUZ);
	check_all(OG_F8E5M2FNUZ, 5, 2, 16, FNUZ);
	check_all(OG_F4E2M1, 2, 1, 1, FINITE);
}

static void test_dtype__e8m0_is_powers_of_two(void **state)
{
	(void)state;
	for (int v = 0; v < 256; v++) {
		uint8_t raw = (uint8_t)v;
		float f;
		assert_true(og_dtype_to_f32(OG_F8E8M0, &raw, 1, &f));
		assert_same(v == 255 ? (double)NAN : ldexp(1, v - 127), (double)f, (unsigned)v);
	}
}

static void test_dtype__narrow_elements_are_spread(void **state)
{
	(void)state;
	static const uint8_t packed[] = { 0x21, 0x43, 0xf5 };
	uint8_t out[7] = { [6] = 0xa5 }, part[3];
	float f[6];
	static const float want[6] = { 0.5f, 1, 1.5f, 2, 3, -6 };
	assert_true(og_dtype_spread(OG_F4E2M1, packed, 0, 6, out));
	assert_memory_equal(out, ((const uint8_t[]){ 1, 2, 3, 4, 5, 15, 0xa5 }), 7);
	assert_true(og_dtype_spread(OG_F4E2M1, packed, 3, 3, part)); /* begins within a byte */
	assert_memory_equal(part, out + 3, 3);
	assert_true(og_dtype_to_f32(OG_F4E2M1, out, 6, f));
	assert_memory_equal(f, want, sizeof(want));
	assert_false(og_dtype_spread(OG_F6E2M3, packed, 0, 4, out)); /* packed by no rule */
	assert_false(og_dtype_spread(OG_U8, packed, 0, 3, out));
}

static float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof(f));
	return f;
}

/* The nearest 16-bit value by search, ties to the even code: what rounding means, without a shift in sight. */
static uint16_t nearest(double x, int exp_bits, int man_bits, int bias)
{
	uint32_t inf = ((1u << exp_bits) - 1) << man_bits, low = 0, high = inf; /* codes of positive values are ordered */
	double a = fabs(x), top = ldexp(2 - ldexp(1, -man_bits), (1 << exp_bits) - 2 - bias), step = ldexp(1, (1 << exp_bits) - 2 - bias - man_bits);
	uint16_t sign = signbit(x) ? 0x8000u : 0;
	if (a >= top + step / 2)
		return (uint16_t)(sign | inf);
	if (a >= top)
		return (uint16_t)(sign | (inf - 1));
	while (high - low > 1) {
		uint32_t mid = (low + high) / 2;
		if (by_the_book(mid, exp_bits, man_bits, bias, IEEE) <= a)
			low = mid;
		else
			high = mid;
	}
	double below = a - by_the_book(low, exp_bits, man_bits, bias, IEEE), above = by_the_book(high, exp_bits, man_bits, bias, IEEE) - a;
	uint32_t code = below < above ? low : below > above ? high : low & 1 ? high : low;
	return (uint16_t)(sign | code);
}

static void check_rounding(float f)
{
	uint16_t h = og_f32_to_f16(f), b = og_f32_to_bf16(f);
	if (isnan(f)) {
		assert_true(isnan(og_f16_to_f32(h)));
		assert_true((b & 0x7f80u) == 0x7f80u && (b & 0x7fu));
		return;
	}
	if (h != nearest((double)f, 5, 10, 15))
		fail_msg("%a: expected f16 0x%04x, found 0x%04x", (double)f, nearest((double)f, 5, 10, 15), h);
	if (b != nearest((double)f, 8, 7, 127))
		fail_msg("%a: expected bf16 0x%04x, found 0x%04x", (double)f, nearest((double)f, 8, 7, 127), b);
}

static void test_dtype__rounds_to_nearest_even(void **state)
{
	(void)state;
	static const uint32_t edges[] = {
		0, 1, 0x33000000, 0x33000001, 0x33800000, 0x387fc000, 0x387fe000, 0x387fffff, 0x38800000, /* around f16's subnormals */
		0x477fe000, 0x477fefff, 0x477ff000, 0x47800000, 0x7f7f7fff, 0x7f7f8000, 0x7f7fffff,       /* around the largest */
		0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff,                                           /* infinity, NaN */
		0x3f801000, 0x3f803000, 0x3f808000, 0x3f818000,                                           /* ties */
	};
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (uint32_t sign = 0; sign < 2; sign++)
			check_rounding(from_bits(edges[i] | sign << 31));
	og_random r = { 7 };
	for (int i = 0; i < 200000; i++) {
		uint32_t u = (uint32_t)og_random_next(&r);
		check_rounding(from_bits(u));
		check_rounding(from_bits((u & 0x87ffffffu) | 0x38000000u)); /* where f16 is normal or just not */
		check_rounding(from_bits(u & 0xffffe000u));                 /* ties are common among these */
	}
}

static void test_dtype__every_f16_survives_the_round_trip(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 0x10000; h++) {
		float f = og_f16_to_f32((uint16_t)h);
		if (!isnan(f))
			assert_int_equal(og_f32_to_f16(f), h);
		float b = from_bits(h << 16);
		if (!isnan(b))
			assert_int_equal(og_f32_to_bf16(b), h);
	}
}

static void test_dtype__integers_and_unaligned_sources(void **state)
{
	(void)state;
	uint8_t raw[1 + 3 * 8];
	int64_t i64[3] = { INT64_MIN, -1, 1 << 24 };
	uint32_t u32[3] = { 0, 1, UINT32_MAX };
	double d[3];
	float f[3];
	memcpy(raw + 1, i64, sizeof(i64));
	assert_true(og_dtype_to_f64(OG_I64, raw + 1, 3, d));
	assert_true(d[0] == -0x1p63 && d[1] == -1 && d[2] == 0x1p24);
	memcpy(raw + 1, u32, sizeof(u32));
	assert_true(og_dtype_to_f32(OG_U32, raw + 1, 3, f));
	assert_true(f[0] == 0 && f[1] == 1 && f[2] == 0x1p32f);
	raw[1] = 0;
	raw[2] = 1;
	raw[3] = 77;
	assert_true(og_dtype_to_f32(OG_BOOL, raw + 1, 3, f));
	assert_true(f[0] == 0 && f[1] == 1 && f[2] == 1);
	raw[1] = 0x80;
	assert_true(og_dtype_to_f64(OG_I8, raw + 1, 1, d) && d[0] == -128);
	assert_true(og_dtype_to_f64(OG_U8, raw + 1, 1, d) && d[0] == 128);
	assert_true(og_dtype_to_f32(OG_F32, raw, 0, f));
}

static void test_dtype__values_that_are_not_done_are_refused(void **state)
{
	(void)state;
	double d;
	float f;
	static const og_dtype none[] = { OG_DTYPE_NONE, OG_STRING, OG_C64, OG_C128, OG_U4, OG_I4, OG_F6E2M3, OG_F6E3M2, OG_DTYPE_COUNT };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_false(og_dtype_to_f64(none[i], "0123456789abcdef", 1, &d));
		assert_false(og_dtype_to_f32(none[i], "0123456789abcdef", 1, &f));
	}
}

static void test_dtype__names_read_back(void **state)
{
	(void)state;
	for (unsigned t = 1; t < OG_DTYPE_COUNT; t++) {
		const char *name = og_dtype_name((og_dtype)t), *st = og_dtype_safetensors((og_dtype)t);
		if (strcmp(name, "?") != 0)
			assert_int_equal(og_dtype_from_name(name), t);
		if (st)
			assert_int_equal(og_dtype_from_safetensors(og_str_of(st)), t);
	}
	assert_int_equal(og_dtype_from_name("fp16"), OG_F16);
	assert_int_equal(og_dtype_from_name("float"), OG_DTYPE_NONE);
	assert_int_equal(og_dtype_from_name(NULL), OG_DTYPE_NONE);
	assert_int_equal(og_dtype_from_safetensors(OG_STR("F32 ")), OG_DTYPE_NONE);
	assert_int_equal(og_dtype_from_safetensors(OG_STR("F8_E4M3")), OG_F8E4M3FN);
	assert_string_equal(og_dtype_name((og_dtype)-5), "?");
}

static void test_dtype__sizes_round_up_and_do_not_overflow(void **state)
{
	(void)state;
	uint64_t n = 0;
	assert_true(og_dtype_bytes(OG_I4, 3, &n) && n == 2);
	assert_true(og_dtype_bytes(OG_F6E3M2, 4, &n) && n == 3);
	assert_true(og_dtype_bytes(OG_U2, 0, &n) && n == 0);
	assert_true(og_dtype_bytes(OG_F32, UINT64_MAX / 4, &n) && n == UINT64_MAX / 4 * 4);
	assert_false(og_dtype_bytes(OG_F32, UINT64_MAX / 4 + 1, &n));
	assert_true(og_dtype_bytes(OG_I4, UINT64_MAX, &n) && n == UINT64_MAX / 2 + 1);
	assert_false(og_dtype_bytes(OG_STRING, 1, &n));
	assert_false(og_dtype_bytes(OG_DTYPE_NONE, 1, &n));
	assert_int_equal(og_dtype_bits(OG_C128), 128);
	assert_true(og_dtype_is_float(OG_F8E8M0) && !og_dtype_is_float(OG_C64) && !og_dtype_is_float(OG_I64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dtype__every_narrow_float_by_the_book),
		cmocka_unit_test(test_dtype__e8m0_is_powers_of_two),
		cmocka_unit_test(test_dtype__narrow_elements_are_spread),
		cmocka_unit_test(test_dtype__rounds_to_nearest_even),
		cmocka_unit_test(test_dtype__every_f16_survives_the_round_trip),
		cmocka_unit_test(test_dtype__integers_and_unaligned_sources),
		cmocka_unit_test(test_dtype__values_that_are_not_done_are_refused),
		cmocka_unit_test(test_dtype__names_read_back),
		cmocka_unit_test(test_dtype__sizes_round_up_and_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
