/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of measured times. */
#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double og_percentile(const double *sorted, size_t n, double p)
{
	double at = p / 100 * (double)(n - 1);
	size_t i = (size_t)at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (sorted[i + 1] - sorted[i]) * (at - (double)i);
}

og_stats og_stats_of(double *v, size_t n)
{
	og_stats s = { 0 };
	double sum = 0, squares = 0;

	qsort(v, n, sizeof(*v), by_size);
	for (size_t i = 0; i < n; i++) /* rising: small terms first */
		sum += v[i];
	s.mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (v[i] - s.mean) * (v[i] - s.mean);
	s.stddev = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
	s.min = v[0];
	s.max = v[n - 1];
	s.p50 = og_percentile(v, n, 50);
	s.p90 = og_percentile(v, n, 90);
	s.p95 = og_percentile(v, n, 95);
	s.p99 = og_percentile(v, n, 99);
	return s;
}
