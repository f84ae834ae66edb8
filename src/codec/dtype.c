/* SPDX-License-Identifier: Apache-2.0
 *
 * Element types in one table, and conversions of their values.  The conversions are straight loops without
 * branches on the data, so that the compiler turns them into vector code: weights stream through them. */
#include "codec/dtype.h"

typedef struct dtype_row {
	const char *name, *safetensors;
	uint8_t bits;
	bool real; /* floating point, not complex */
} dtype_row;

static const dtype_row rows[OG_DTYPE_COUNT] = {
	[OG_F32] = { "float32", "F32", 32, true },
	[OG_U8] = { "uint8", "U8", 8, false },
	[OG_I8] = { "int8", "I8", 8, false },
	[OG_U16] = { "uint16", "U16", 16, false },
	[OG_I16] = { "int16", "I16", 16, false },
	[OG_I32] = { "int32", "I32", 32, false },
	[OG_I64] = { "int64", "I64", 64, false },
	[OG_STRING] = { "string", NULL, 0, false },
	[OG_BOOL] = { "bool", "BOOL", 8, false },
	[OG_F16] = { "float16", "F16", 16, true },
	[OG_F64] = { "float64", "F64", 64, true },
	[OG_U32] = { "uint32", "U32", 32, false },
	[OG_U64] = { "uint64", "U64", 64, false },
	[OG_C64] = { "complex64", "C64", 64, false },
	[OG_C128] = { "complex128", NULL, 128, false },
	[OG_BF16] = { "bfloat16", "BF16", 16, true },
	[OG_F8E4M3FN] = { "float8_e4m3fn", "F8_E4M3", 8, true },
	[OG_F8E4M3FNUZ] = { "float8_e4m3fnuz", "F8_E4M3FNUZ", 8, true },
	[OG_F8E5M2] = { "float8_e5m2", "F8_E5M2", 8, true },
	[OG_F8E5M2FNUZ] = { "float8_e5m2fnuz", "F8_E5M2FNUZ", 8, true },
	[OG_U4] = { "uint4", NULL, 4, false },
	[OG_I4] = { "int4", NULL, 4, false },
	[OG_F4E2M1] = { "float4_e2m1", "F4", 4, true },
	[OG_F8E8M0] = { "float8_e8m0", "F8_E8M0", 8, true },
	[OG_U2] = { "uint2", NULL, 2, false },
	[OG_I2] = { "int2", NULL, 2, false },
	[OG_F6E2M3] = { "float6_e2m3", "F6_E2M3", 6, true },
	[OG_F6E3M2] = { "float6_e3m2", "F6_E3M2", 6, true },
};

/* What people also write: transformers' and the command line's short names. */
static const struct {
	const char *name;
	og_dtype type;
} aliases[] = { { "fp32", OG_F32 }, { "fp16", OG_F16 }, { "bf16", OG_BF16 }, { "fp64", OG_F64 } };

static const dtype_row *row_of(og_dtype t)
{
	return (unsigned)t < OG_DTYPE_COUNT && rows[t].name ? &rows[t] : NULL;
}

unsigned og_dtype_bits(og_dtype t)
{
	const dtype_row *r = row_of(t);
	return r ? r->bits : 0;
}

bool og_dtype_is_float(og_dtype t)
{
	const dtype_row *r = row_of(t);
	return r && r->real;
}

const char *og_dtype_name(og_dtype t)
{
	const dtype_row *r = row_of(t);
	return r ? r->name : "?";
}

og_dtype og_dtype_from_name(const char *s)
{
	for (unsigned i = 0; i < OG_DTYPE_COUNT; i++)
		if (rows[i].name && og_streq(rows[i].name, s))
			return (og_dtype)i;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (og_streq(aliases[i].name, s))
			return aliases[i].type;
	return OG_DTYPE_NONE;
}

og_dtype og_dtype_from_safetensors(og_str s)
{
	for (unsigned i = 0; i < OG_DTYPE_COUNT; i++)
		if (rows[i].safetensors && og_str_is(s, rows[i].safetensors))
			return (og_dtype)i;
	return OG_DTYPE_NONE;
}

const char *og_dtype_safetensors(og_dtype t)
{
	const dtype_row *r = row_of(t);
	return r ? r->safetensors : NULL;
}

bool og_dtype_bytes(og_dtype t, uint64_t elements, uint64_t *out)
{
	unsigned bits = og_dtype_bits(t);
	if (!bits)
		return false;
	unsigned __int128 bytes = ((unsigned __int128)elements * bits + 7) / 8;
	if (bytes > UINT64_MAX)
		return false;
	*out = (uint64_t)bytes;
	return true;
}

/* ---- single values ---------------------------------------------------------------------------------- */

static inline float float_of(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Any narrow float of man_bits and bias whose top exponent is an ordinary one.  The magnitude moves into float's
 * place and its exponent is rebased; a subnormal is first read as a mantissa behind a 1, which is then taken away
 * again: exact, and without the slow subnormals of float. */
static inline float widen(uint32_t magnitude, uint32_t sign, int man_bits, int bias)
{
	uint32_t moved = magnitude << (23 - man_bits), one = (uint32_t)(128 - bias) << 23;
	uint32_t small = bits_of(float_of(moved + one) - float_of(one)), tiny = og_mask_less(magnitude, 1u << man_bits);
	uint32_t plain = moved + ((uint32_t)(127 - bias) << 23);
	return float_of((small & tiny) | (plain & ~tiny) | sign << 31);
}

static inline float f16_value(uint16_t h)
{
	uint32_t magnitude = h & 0x7fffu, sign = (uint32_t)h >> 15;
	/* infinity and NaN: payload kept, the quiet bit set as the processor's own conversion does */
	uint32_t special = og_mask_less(0x7bffu, magnitude), quiet = og_mask_less(0x7c00u, magnitude) & 0x00400000u;
	uint32_t odd = sign << 31 | 0x7f800000u | quiet | (magnitude & 0x3ffu) << 13;
	return float_of((odd & special) | (bits_of(widen(magnitude, sign, 10, 15)) & ~special));
}

float og_f16_to_f32(uint16_t h)
{
	return f16_value(h);
}

static inline float bf16_value(uint16_t h)
{
	return float_of((uint32_t)h << 16);
}

static inline float f8e5m2_value(uint8_t v)
{
	return f16_value((uint16_t)(v << 8)); /* the upper half of an F16 */
}

/* nan: all ones where the code is the NaN of its type. */
static inline float or_nan(float f, uint32_t nan, uint32_t sign)
{
	return float_of((bits_of(f) & ~nan) | ((sign << 31 | 0x7fc00000u) & nan));
}

static inline float f8e4m3fn_value(uint8_t v)
{
	return or_nan(widen(v & 0x7fu, v >> 7, 3, 7), og_mask_less(0x7eu, v & 0x7fu), v >> 7);
}

static inline uint32_t minus_zero(uint8_t v) /* the one NaN of the FNUZ types */
{
	return og_mask_less((uint32_t)v ^ 0x80u, 1);
}

static inline float f8e4m3fnuz_value(uint8_t v)
{
	return or_nan(widen(v & 0x7fu, v >> 7, 3, 8), minus_zero(v), 0);
}

static inline float f8e5m2fnuz_value(uint8_t v)
{
	return or_nan(widen(v & 0x7fu, v >> 7, 2, 16), minus_zero(v), 0);
}

static inline float f4e2m1_value(uint8_t v) /* in the low half */
{
	return widen(v & 7u, v >> 3 & 1u, 1, 1);
}

/* 2^(v-127); 2^-127 is a subnormal */
static inline float f8e8m0_value(uint8_t v)
{
	uint32_t zero = og_mask_less(v, 1);
	return or_nan(float_of((uint32_t)v << 23 | (0x00400000u & zero)), og_mask_less(0xfeu, v), 0);
}

/* ---- arrays ----------------------------------------------------------------------------------------- */

/* The source may be unaligned: each element is copied out, which costs nothing on the machines we run on. */
#define LOOP(ctype, expr)                                                                                              \
	do {                                                                                                               \
		for (size_t i = 0; i < n; i++) {                                                                               \
			ctype v;                                                                                                   \
			memcpy(&v, (const uint8_t *)src + i * sizeof(v), sizeof(v));                                               \
			dst[i] = (expr);                                                                                           \
		}                                                                                                              \
	} while (0)

#define CONVERT_CASES(real)                                                                                            \
	case OG_F64: LOOP(double, (real)v); return true;                                                                   \
	case OG_F16: LOOP(uint16_t, (real)f16_value(v)); return true;                                                      \
	case OG_BF16: LOOP(uint16_t, (real)bf16_value(v)); return true;                                                    \
	case OG_F8E4M3FN: LOOP(uint8_t, (real)f8e4m3fn_value(v)); return true;                                             \
	case OG_F8E4M3FNUZ: LOOP(uint8_t, (real)f8e4m3fnuz_value(v)); return true;                                         \
	case OG_F8E5M2: LOOP(uint8_t, (real)f8e5m2_value(v)); return true;                                                 \
	case OG_F8E5M2FNUZ: LOOP(uint8_t, (real)f8e5m2fnuz_value(v)); return true;                                         \
	case OG_F8E8M0: LOOP(uint8_t, (real)f8e8m0_value(v)); return true;                                                 \
	case OG_F4E2M1: LOOP(uint8_t, (real)f4e2m1_value(v)); return true;                                                 \
	case OG_BOOL: LOOP(uint8_t, (real)(v != 0)); return true;                                                          \
	case OG_U8: LOOP(uint8_t, (real)v); return true;                                                                   \
	case OG_I8: LOOP(int8_t, (real)v); return true;                                                                    \
	case OG_U16: LOOP(uint16_t, (real)v); return true;                                                                 \
	case OG_I16: LOOP(int16_t, (real)v); return true;                                                                  \
	case OG_U32: LOOP(uint32_t, (real)v); return true;                                                                 \
	case OG_I32: LOOP(int32_t, (real)v); return true;                                                                  \
	case OG_U64: LOOP(uint64_t, (real)v); return true;                                                                 \
	case OG_I64: LOOP(int64_t, (real)v); return true

#define NOT_DONE                                                                                                       \
	case OG_STRING: case OG_C64: case OG_C128: case OG_U4: case OG_I4: case OG_U2: case OG_I2: case OG_F6E2M3:         \
	case OG_F6E3M2: case OG_DTYPE_NONE: case OG_DTYPE_COUNT: break

bool og_dtype_spread(og_dtype t, const void *packed, uint64_t first, size_t n, uint8_t *out)
{
	const uint8_t *p = packed;
	if (t != OG_F4E2M1)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = p[(first + i) / 2] >> (first + i) % 2 * 4 & 0xf;
	return true;
}

bool og_dtype_to_f64(og_dtype t, const void *src, size_t n, double *dst)
{
	switch (t) {
	case OG_F32: LOOP(float, (double)v); return true;
	CONVERT_CASES(double);
	NOT_DONE;
	}
	return false;
}

bool og_dtype_to_f32(og_dtype t, const void *src, size_t n, float *dst)
{
	switch (t) {
	case OG_F32:
		if (n)
			memcpy(dst, src, n * sizeof(float));
		return true;
	CONVERT_CASES(float);
	NOT_DONE;
	}
	return false;
}
