/* SPDX-License-Identifier: Apache-2.0
 *
 * Dims as formulas. */
#include "../base/scratch.h"

#include "runtime/runtime.h"

static const og_binding bindings[] = { { "s", 400 }, { "past_sequence_length", 5 }, { "a + b", 7 }, { "zero", 0 } };

static int64_t value(const char *text)
{
	return og_formula_value(text, bindings, OG_COUNT(bindings));
}

static void test_formula__sums_products_and_quotients(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
		{ "s", 400 }, { "12", 12 }, { "past_sequence_length + s", 405 }, { "s - 1 - 1", 398 }, { "2*s + 3", 803 }, { "s//3", 133 }, { "zero", 0 },
		{ "( ( s - 10 ) // 5 + 1 - 3 ) // 2 + 1", 39 }, { "12*( ( s ) // 7 )", 684 }, { "12*s // 7", 685 }, { "-( ( 0 - s ) // 3 )", 134 },
		{ "( zero - 7 ) // 2 + 10", 6 }, { "a + b", 7 }, { " ( s ) ", 400 }, { "--s", 400 }, { "s - s", 0 },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++)
		if (value(rows[i].text) != rows[i].value)
			fail_msg("%s: %lld", rows[i].text, (long long)value(rows[i].text));
}

static void test_formula__what_has_no_value(void **state)
{
	static const char *const texts[] = { "", " ", "unknown", "s + unknown", "s +", "+ s", "s s", "( s", "s )", "()", "s / 2", "s // 0", "s // -1",
		"s // zero", "zero - 1", "9223372036854775807 + s", "9223372036854775807 * s", "-9223372036854775807 - s", "99999999999999999999", "s.t", "s%3",
		"1099511627776*2" };
	char deep[4096];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(texts); i++)
		if (value(texts[i]) != -1)
			fail_msg("%s: %lld", texts[i], (long long)value(texts[i]));
	memset(deep, '(', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = 0;
	assert_int_equal(value(deep), -1);
	memset(deep, '-', sizeof(deep) - 2);
	deep[sizeof(deep) - 2] = 's';
	assert_int_equal(value(deep), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formula__sums_products_and_quotients),
		cmocka_unit_test(test_formula__what_has_no_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
