/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of measured times. */
#ifndef OG_BENCH_STATS_H
#define OG_BENCH_STATS_H

#include "base/error.h"

typedef struct og_stats {
	double mean, stddev, p50, p90, p95, p99, min, max;
} og_stats;

/* Of n ≥ 1 figures, which are sorted in place. stddev is the sample's (n-1; 0 for one figure). */
og_stats og_stats_of(double *v, size_t n);
/* Percentile p (0 … 100) of n ≥ 1 sorted figures, linear between the two nearest ranks, as numpy.percentile. */
double og_percentile(const double *sorted, size_t n, double p);

#endif
