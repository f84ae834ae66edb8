/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics, against figures that numpy.percentile, mean and std(ddof=1) give. */
#include "../base/scratch.h"

#include "bench/stats.h"

#include <math.h>

static void near(double a, double b)
{
	if (!(fabs(a - b) <= 1e-12 * (1 + fabs(b))))
		fail_msg("%.17g, expected %.17g", a, b);
}

static void test_stats__agrees_with_numpy(void **state)
{
	double v[] = { 3.5, 1.25, 9, 2, 2, 7.75, 4, 100, 0.5, 6 };
	og_stats s = og_stats_of(v, 10);
	(void)state;

	near(s.mean, 13.6);
	near(s.stddev, 30.487747994526885);
	near(s.p50, 3.75);
	near(s.p90, 18.1);
	near(s.p95, 59.05);
	near(s.p99, 91.81);
	near(s.min, 0.5);
	near(s.max, 100);
}

static void test_stats__of_one_and_of_two(void **state)
{
	double one[] = { 5 }, two[] = { 4, 2 };
	og_stats s = og_stats_of(one, 1);
	(void)state;

	near(s.mean, 5);
	near(s.stddev, 0);
	near(s.p50, 5);
	near(s.p99, 5);
	s = og_stats_of(two, 2);
	near(s.mean, 3);
	near(s.stddev, sqrt(2));
	near(s.p50, 3);
	near(s.p90, 3.8);
}

static void test_stats__percentiles_at_the_ends(void **state)
{
	const double v[] = { 1, 2, 4 };
	(void)state;

	near(og_percentile(v, 3, 0), 1);
	near(og_percentile(v, 3, 25), 1.5);
	near(og_percentile(v, 3, 100), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats__agrees_with_numpy),
		cmocka_unit_test(test_stats__of_one_and_of_two),
		cmocka_unit_test(test_stats__percentiles_at_the_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
