/* SPDX-License-Identifier: Apache-2.0
 *
 * The bias by distance.  Which bucket a distance has is worked out here, into a table from the farthest key behind to the
 * farthest ahead: beyond, all distances share the last one.  So the graph has no logarithm, whose rounding would decide. */
#include "blocks/blocks.h"

#include "base/alloc.h"

#include <math.h>

/* Where a distance lies exactly on a border, rounding must not put it before: hence the nudge, less than any other comes near. */
static int64_t bucket_of(int64_t distance, const og_buckets_o *o)
{
	int64_t n = o->behind_only ? o->buckets : o->buckets / 2, exact = n / 2, d = distance, first = 0;
	if (distance < 0) {
		d = o->behind_only ? 0 : -distance;
		first = o->behind_only ? 0 : n;
	}
	if (d < exact)
		return first + d;
	double e = (double)exact, large = log((double)d / e) / log((double)o->farthest / e) * (double)(n - exact);
	int64_t k = exact + (int64_t)floor(large + 1e-6);
	return first + (k < n ? k : n - 1);
}

static const char *fault_of(const og_buckets_o *o)
{
	int64_t n = o->behind_only ? o->buckets : o->buckets / 2;
	if (n < 2)
		return "are too few: at least 4 are needed, 2 where no key stands ahead";
	if (o->farthest <= n / 2)
		return "reach the farthest distance without a logarithm";
	return o->farthest > OG_BUCKET_REACH_MAX ? "reach too far" : o->rows < o->buckets ? "have too few rows" : NULL;
}

/* keys OG_NONE: the queries, which are then [S]. */
static og_val look_up(og_build *b, og_val queries, og_val keys, const char *name, const og_buckets_o *o)
{
	og_val y = OG_NONE;
	int64_t reach = 0, last = (o->behind_only ? o->buckets : o->buckets / 2) - 1;
	while (bucket_of(reach, o) < last)
		reach++;
	int64_t ahead = o->behind_only ? 0 : reach, n = ahead + reach + 1;
	og_autofree int64_t *table = og_array_alloc((size_t)n, sizeof(*table));
	if (!table)
		return og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	for (int64_t i = 0; i < n; i++)
		table[i] = bucket_of(i - ahead, o);
	OG_SCOPE(b, "%s", name) {
		og_val buckets = og_const_ints(b, table, (size_t)n);
		og_val rows = og_gather(b, og_weight(b, "weight", o->rows, o->heads), buckets, 0); /* [n, N] */
		og_val at = keys.id ? og_sub(b, queries, keys) : og_distances(b, queries, ahead);
		at = keys.id && ahead ? og_add(b, at, og_const_i64(b, ahead)) : at;
		og_val zero = og_const_i64(b, 0);
		at = og_max(b, og_min(b, at, og_const_i64(b, n - 1)), zero);
		y = og_gather(b, og_permute(b, rows, 1, 0), at, 1);
	}
	return y;
}

og_val og_bucket_bias_between(og_build *b, og_val queries, og_val keys, const char *name, og_buckets_o o)
{
	const char *fault = fault_of(&o);
	if (fault)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "%lld buckets to distance %lld %s", (long long)o.buckets, (long long)o.farthest, fault);
	return look_up(b, queries, keys, name, &o);
}

og_val og_bucket_bias(og_build *b, og_val positions, const char *name, og_buckets_o o)
{
	return og_bucket_bias_between(b, positions, OG_NONE, name, o);
}
