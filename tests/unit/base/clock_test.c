/* SPDX-License-Identifier: Apache-2.0
 *
 * base/clock.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <time.h>

static void expect(int64_t seconds, const char *want)
{
	char out[32];
	og_rfc3339(seconds, out);
	assert_string_equal(out, want);
}

static void test_clock__rfc3339(void **state)
{
	(void)state;
	expect(0, "1970-01-01T00:00:00Z");
	expect(1795505203, "2026-11-24T07:26:43Z");
	expect(951782399, "2000-02-28T23:59:59Z");
	expect(951782400, "2000-02-29T00:00:00Z");
	expect(-1, "1969-12-31T23:59:59Z");
	expect(-62135596800, "0001-01-01T00:00:00Z");
	expect(INT64_MAX, "9999-12-31T23:59:59Z");
	expect(INT64_MIN, "0000-01-01T00:00:00Z");
}

static void test_clock__time_passes(void **state)
{
	double start = og_now_ms(), spent;
	int64_t now = og_wall_seconds();
	(void)state;
	og_sleep_ms(20);
	spent = og_now_ms() - start;
	assert_true(spent >= 20 && spent < 10000);
	og_sleep_ms(0);
	og_sleep_ms(-5);
	assert_true(now >= (int64_t)time(NULL) - 60 && now <= (int64_t)time(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock__rfc3339),
		cmocka_unit_test(test_clock__time_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
