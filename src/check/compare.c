/* SPDX-License-Identifier: Apache-2.0
 *
 * How far two evaluations of the same thing lie apart, and how far they may.
 *
 * Two right evaluations differ in the order of their sums, because the runtime picks other kernels and other blockings
 * for other sizes.  A sum of K products rounded to unit u carries an error of about sqrt(K) u of its scale;
 * with u = 2^-24 (float32) and K = 4096, the widest layer of BERT-large, that is 64 u = 3.8e-6.  Residual layers
 * add such errors independently, so n layers give sqrt(n) of it: 24 layers, 1.9e-5.  The limit is 2e-5 of the output's
 * scale for float32.  A wrong mask, a mixed-up batch or a broken cache is at 1e-3 or far above.
 * Half precision is computed in float32 between roundings of its own: about ten a layer, so sqrt(240) u for 24 layers:
 * 15.5 u = 7.6e-3 with u = 2^-11 (float16), 6.1e-2 with u = 2^-8 (bfloat16).
 * Measured on encoders of 6, 12 and 24 layers with ONNX Runtime 1.32 on x86-64: 0 in float32, whose kernels add in one
 * order whatever the batch, and 1.1e-3 in float16. */
#include "check/runtime_int.h"

#include <math.h>

#define LIMIT_F32 2e-5
#define LIMIT_F16 1e-2
#define LIMIT_BF16 8e-2

double og_difference_limit(og_dtype coarsest)
{
	return coarsest == OG_BF16 ? LIMIT_BF16 : coarsest == OG_F16 ? LIMIT_F16 : LIMIT_F32;
}

static size_t count(const og_array *a)
{
	unsigned bits = og_dtype_bits(a->dtype);

	return bits >= 8 ? a->size / (bits / 8) : 0;
}

static og_status widen(const og_array *a, double **out, og_error *err)
{
	size_t n = count(a);
	char show[128];

	*out = og_array_alloc(n + 1, sizeof(**out));
	if (!*out)
		return og_fail_nomem(err);
	if (n && !og_dtype_to_f64(a->dtype, a->data, n, *out))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "output '%s' holds %s, which is not compared", og_str_show(og_str_of(a->name), show, sizeof(show)),
		               og_dtype_name(a->dtype));
	return OG_OK;
}

static og_status fits(const og_array *whole, const og_array *part, const int64_t *offset, og_error *err)
{
	char show[128];

	og_str_show(og_str_of(whole->name), show, sizeof(show));
	if (whole->rank != part->rank || whole->dtype != part->dtype)
		return og_fail(err, ONNXGATE_FAILED, "output '%s' has %d dims of %s in one run and %d of %s in another", show, whole->rank,
		               og_dtype_name(whole->dtype), part->rank, og_dtype_name(part->dtype));
	for (int k = 0; k < part->rank; k++)
		if (part->dims[k] < 0 || offset[k] < 0 || part->dims[k] > whole->dims[k] - offset[k])
			return og_fail(err, ONNXGATE_FAILED, "dim %d of output '%s' is %lld, expected at most %lld", k, show, (long long)part->dims[k],
			               (long long)(whole->dims[k] - offset[k]));
	return OG_OK;
}

og_status og_compare(const og_array *whole, const og_array *part, const int64_t *offset, og_difference *d, og_error *err)
{
	og_autofree double *a = NULL, *b = NULL;
	int64_t at[OG_RANK_MAX] = { 0 }, stride[OG_RANK_MAX] = { 0 };
	size_t n = count(part), step = 1;

	OG_TRY(fits(whole, part, offset, err));
	OG_TRY(widen(whole, &a, err));
	OG_TRY(widen(part, &b, err));
	for (int k = whole->rank - 1; k >= 0; k--) {
		stride[k] = (int64_t)step;
		step *= (size_t)whole->dims[k];
	}
	for (size_t i = 0; i < n; i++) {
		int64_t from = 0;
		double diff;
		for (int k = 0; k < part->rank; k++)
			from += (at[k] + offset[k]) * stride[k];
		diff = fabs(a[from] - b[i]);
		if (isnan(diff)) /* equal infinities, or a NaN: neither may pass */
			diff = (double)INFINITY;
		if (diff > d->largest)
			d->largest = diff;
		if (fabs(b[i]) > d->scale)
			d->scale = fabs(b[i]);
		for (int k = part->rank - 1; k >= 0 && ++at[k] == part->dims[k]; k--)
			at[k] = 0;
	}
	return OG_OK;
}

double og_difference_worst(const og_difference *d, size_t n, size_t *which)
{
	double worst = 0;

	for (size_t i = 0; i < n; i++) {
		double v = d[i].largest == 0 ? 0 : d[i].scale > 0 && isfinite(d[i].largest) ? d[i].largest / d[i].scale : (double)INFINITY;
		if (v > worst) {
			worst = v;
			*which = i;
		}
	}
	return worst;
}
