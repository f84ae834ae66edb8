/* SPDX-License-Identifier: Apache-2.0
 *
 * Rotary positions.  All arithmetic is in single precision, step by step as transformers.modeling_rope_utils does it: at a
 * position of 100,000 the last bit of a frequency shows. */
#include "blocks/rope.h"

#include "base/alloc.h"

#include <math.h>

/* ---- frequencies ---- */

/* θ^(2i/D). (The power is taken in double precision and rounded once.) */
static float base_power(const og_rotary_o *o, int64_t i)
{
	float exponent = (float)(2 * i) / (float)o->head;
	return (float)pow(o->theta, (double)exponent);
}

/* The share of interpolation of each frequency rises from 0 to 1 between the elements that turn beta_fast times and beta_slow times
 * within the original length. */
typedef struct ramp {
	float low, span;
} ramp;

static double turning(const og_rotary_o *o, double turns, double original)
{
	return (double)o->head * log(original / (turns * 2 * M_PI)) / (2 * log(o->theta));
}

static ramp yarn_ramp(const og_rotary_o *o)
{
	const og_rope *r = o->rope;
	double original = (double)(r->original ? r->original : o->positions);
	double low = turning(o, r->beta_fast > 0 ? r->beta_fast : 32, original), high = turning(o, r->beta_slow > 0 ? r->beta_slow : 1, original);
	if (!r->no_truncate) {
		low = floor(low);
		high = ceil(high);
	}
	low = fmax(low, 0);
	high = fmin(high, (double)(o->head - 1));
	if (low == high)
		high += 0.001;
	return (ramp){ (float)low, (float)(high - low) };
}

static float yarn(const og_rotary_o *o, int64_t i)
{
	ramp w = yarn_ramp(o);
	float power = base_power(o, i), share = fminf(fmaxf(((float)i - w.low) / w.span, 0), 1), kept = 1 - share;
	return 1 / ((float)o->rope->factor * power) * (1 - kept) + 1 / power * kept;
}

/* Long waves are stretched, short ones stay, between them it goes smoothly. */
static float by_wavelength(const og_rope *r, float f)
{
	float wave = (float)(2 * M_PI) / f, original = (float)r->original, low = (float)r->low_freq_factor;
	if (wave > (float)((double)r->original / r->low_freq_factor))
		return f / (float)r->factor;
	if (wave < (float)((double)r->original / r->high_freq_factor))
		return f;
	float smooth = (original / wave - low) / (float)(r->high_freq_factor - r->low_freq_factor);
	return (1 - smooth) * f / (float)r->factor + smooth * f;
}

static float frequency(const og_rotary_o *o, int64_t i, bool beyond)
{
	const og_rope *r = o->rope;
	float f = 1 / base_power(o, i);
	switch (r->kind) {
	case OG_ROPE_PLAIN:
	case OG_ROPE_DYNAMIC: return f; /* beyond the length: further_frequencies() */
	case OG_ROPE_LINEAR: return f / (float)r->factor;
	case OG_ROPE_YARN: return yarn(o, i);
	case OG_ROPE_LONG: return 1 / ((float)(beyond ? r->long_factor : r->short_factor)[i] * base_power(o, i));
	case OG_ROPE_WAVELENGTH: return by_wavelength(r, f);
	}
	return f;
}

static og_val frequencies(og_build *b, const og_rotary_o *o, bool beyond)
{
	int64_t n = o->head / 2;
	og_autofree float *f = og_array_alloc((size_t)n, sizeof(*f));
	if (!f)
		return og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	for (int64_t i = 0; i < n; i++)
		f[i] = frequency(o, i, beyond);
	return og_const_data(b, OG_F32, &n, 1, f);
}

/* ---- a length that decides ---- */

static int64_t long_original(const og_rotary_o *o)
{
	return o->original ? o->original : o->positions;
}

int64_t og_rotary_reach(const og_rotary_o *o)
{
	int64_t original = o->rope->kind == OG_ROPE_LONG ? long_original(o) : o->positions;
	return original < o->positions ? original : o->positions;
}

static og_val length_of(og_build *b, og_val positions)
{
	for (int axis = og_rank_of(b, positions) - 1; axis >= 0; axis--)
		positions = og_reduce(b, "ReduceMax", positions, axis, false);
	return og_add(b, positions, og_const_i64(b, 1));
}

/* θ' = θ · (factor · length / positions − (factor − 1))^(D/(D − 2)); 1 / θ'^(2i/D). */
static og_val further_frequencies(og_build *b, og_val length, const og_rotary_o *o)
{
	int64_t n = o->head / 2;
	double factor = o->rope->factor;
	og_autofree float *exponents = og_array_alloc((size_t)n, sizeof(*exponents));
	if (!exponents)
		return og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	for (int64_t i = 0; i < n; i++)
		exponents[i] = (float)(2 * i) / (float)o->head;
	og_val by = og_const_f32(b, (float)factor), x = og_mul(b, og_cast(b, length, OG_F32), by), less = og_const_f32(b, (float)(factor - 1));
	x = og_sub(b, og_div(b, x, og_const_f32(b, (float)o->positions)), less);
	x = og_binary(b, "Pow", x, og_const_f32(b, (float)((double)o->head / (double)(o->head - 2))));
	x = og_mul(b, x, og_const_f32(b, (float)o->theta));
	return og_unary(b, "Reciprocal", og_binary(b, "Pow", x, og_const_data(b, OG_F32, &n, 1, exponents)));
}

static og_val frequencies_at(og_build *b, og_val positions, const og_rotary_o *o)
{
	og_val within = frequencies(b, o, false);
	if (o->rope->kind != OG_ROPE_DYNAMIC && o->rope->kind != OG_ROPE_LONG)
		return within;
	bool dynamic = o->rope->kind == OG_ROPE_DYNAMIC;
	og_val length = length_of(b, positions), last = og_const_i64(b, dynamic ? o->positions : long_original(o));
	og_val beyond = dynamic ? further_frequencies(b, og_max(b, length, last), o) : frequencies(b, o, true);
	return og_where(b, og_binary(b, "Greater", length, last), beyond, within);
}

/* ---- the factor of cosines and sines ---- */

static double yarn_scale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double scale_of(const og_rotary_o *o)
{
	const og_rope *r = o->rope;
	if (r->kind == OG_ROPE_YARN && !r->attention_given)
		return r->mscale > 0 && r->mscale_all_dim > 0 ? yarn_scale(r->factor, r->mscale) / yarn_scale(r->factor, r->mscale_all_dim) : yarn_scale(r->factor, 1);
	if (r->kind == OG_ROPE_LONG && !r->attention_given) {
		double factor = o->original ? (double)o->positions / (double)o->original : r->factor;
		return factor <= 1 ? 1 : sqrt(1 + log(factor) / log((double)long_original(o)));
	}
	return r->kind == OG_ROPE_YARN || r->kind == OG_ROPE_LONG ? r->attention_factor : 1;
}

/* ---- nodes ---- */

static bool fits(og_build *b, const og_rotary_o *o)
{
	const og_rope *r = o->rope;
	size_t half = (size_t)o->head / 2;
	if (o->head > OG_HEAD_MAX)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "heads of %lld elements: expected at most %d", (long long)o->head, OG_HEAD_MAX);
	else if (o->head % 2)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "heads of %lld elements: expected an even number, rotary positions turn them in pairs", (long long)o->head);
	else if (!(o->theta > 1))
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "rope_theta %g: expected more than 1", o->theta);
	else if (r->kind == OG_ROPE_DYNAMIC && o->head < 4)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "rope_scaling dynamic: expected heads of at least 4 elements, found %lld", (long long)o->head);
	else if (r->kind == OG_ROPE_LONG && (r->nshort != half || r->nlong != half))
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "rope_scaling: expected short_factor and long_factor of %zu numbers, found %zu and %zu", half, r->nshort,
			r->nlong);
	else if (r->kind == OG_ROPE_LONG && !r->attention_given && !o->original && !(r->factor > 0))
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "rope_scaling longrope: expected factor, attention_factor or original_max_position_embeddings");
	else if (r->kind == OG_ROPE_LONG && long_original(o) < 2)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "rope_scaling longrope: expected an original length of at least 2");
	return !og_build_stuck(b);
}

og_rotary og_rotary_at(og_build *b, og_val positions, og_rotary_o o)
{
	og_rotary r = { OG_NONE, OG_NONE };
	if (og_build_stuck(b) || !fits(b, &o))
		return r;
	double scale = scale_of(&o);
	og_val by = frequencies_at(b, positions, &o);
	og_val at = og_expand_dims(b, og_cast(b, positions, OG_F32), -1);
	og_val angle = og_mul(b, at, by); /* [B, S, D/2] or [S, D/2] */
	og_val cos = og_unary(b, "Cos", angle), sin = og_unary(b, "Sin", angle);
	if (scale != 1) {
		cos = og_mul(b, cos, og_const_f32(b, (float)scale));
		sin = og_mul(b, sin, og_const_f32(b, (float)scale));
	}
	og_val minus = og_unary(b, "Neg", sin);
	r.cos = og_concat(b, (og_val[]){ cos, cos }, 2, og_rank_of(b, cos) - 1);
	r.sin = og_concat(b, (og_val[]){ minus, sin }, 2, og_rank_of(b, cos) - 1);
	if (og_rank_of(b, r.cos) == 3) {
		r.cos = og_expand_dims(b, r.cos, 1);
		r.sin = og_expand_dims(b, r.sin, 1);
	}
	return r;
}

/* x·cos + (second half | first half)·sin, the signs being in the sines. */
og_val og_rotate(og_build *b, og_val x, og_rotary r)
{
	int64_t head = 0;
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 3), &head);
	og_val first = og_slice(b, x, 3, 0, head / 2), second = og_slice(b, x, 3, head / 2, head);
	og_val turned = og_mul(b, og_concat(b, (og_val[]){ second, first }, 2, 3), r.sin);
	return og_add(b, og_mul(b, x, r.cos), turned);
}
