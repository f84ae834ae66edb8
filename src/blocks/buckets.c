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
	int64_t n = o->buckets / 2, exact = n / 2, d = distance < 0 ? -distance : distance, first = distance < 0 ? n : 0;
	if (d < exact)
		return first + d;
	double e = (double)exact, large = log((double)d / e) / log((double)o->farthest / e) * (double)(n - exact);
	int64_t k = exact + (int64_t)floor(large + 1e-6);
	return first + (k < n ? k : n - 1);
}

og_val og_bucket_bias(og_build *b, og_val positions, const char *name, og_buckets_o o)
{
	og_val y = OG_NONE;
	int64_t reach = 0;
	if (o.buckets < 4 || o.farthest <= o.buckets / 4 || o.rows < o.buckets)
		return og_build_fail(b, ONNXGATE_INTERNAL, "%s: %lld buckets to distance %lld in %lld rows", name, (long long)o.buckets, (long long)o.farthest,
			(long long)o.rows);
	while (bucket_of(reach, &o) < o.buckets / 2 - 1)
		reach++;
	int64_t n = 2 * reach + 1;
	og_autofree int64_t *table = og_array_alloc((size_t)n, sizeof(*table));
	if (!table)
		return og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	for (int64_t i = 0; i < n; i++)
		table[i] = bucket_of(i - reach, &o);
	OG_SCOPE(b, "%s", name) {
		og_val buckets = og_const_ints(b, table, (size_t)n);
		og_val rows = og_gather(b, og_weight(b, "weight", o.rows, o.heads), buckets, 0); /* [2·reach + 1, N] */
		og_val at = og_distances(b, positions, reach), zero = og_const_i64(b, 0);
		at = og_max(b, og_min(b, at, og_const_i64(b, n - 1)), zero);
		y = og_gather(b, og_permute(b, rows, 1, 0), at, 1);
	}
	return y;
}
