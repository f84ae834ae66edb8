/* SPDX-License-Identifier: Apache-2.0
 *
 * Element types: their size and their name in each vocabulary.  The values are ONNX's TensorProto.DataType,
 * which are also ONNX Runtime's. */
#ifndef OG_CODEC_DTYPE_H
#define OG_CODEC_DTYPE_H

#include "base/str.h"

typedef enum og_dtype {
	OG_DTYPE_NONE = 0,
	OG_F32 = 1, OG_U8 = 2, OG_I8 = 3, OG_U16 = 4, OG_I16 = 5, OG_I32 = 6, OG_I64 = 7, OG_STRING = 8, OG_BOOL = 9,
	OG_F16 = 10, OG_F64 = 11, OG_U32 = 12, OG_U64 = 13, OG_C64 = 14, OG_C128 = 15, OG_BF16 = 16,
	OG_F8E4M3FN = 17, OG_F8E4M3FNUZ = 18, OG_F8E5M2 = 19, OG_F8E5M2FNUZ = 20, OG_U4 = 21, OG_I4 = 22, OG_F4E2M1 = 23,
	OG_F8E8M0 = 24, OG_U2 = 25, OG_I2 = 26,
	OG_F6E2M3 = 62, OG_F6E3M2 = 63, /* of safetensors, not of ONNX: outside its numbers */
	OG_DTYPE_COUNT
} og_dtype;

unsigned og_dtype_bits(og_dtype t);         /* of one element; 0: none (string, unknown) */
bool og_dtype_is_float(og_dtype t);         /* real floating point of any width */
const char *og_dtype_name(og_dtype t);      /* "float32", "int64": ours, in every document; "?" unknown */
og_dtype og_dtype_from_name(const char *s); /* that name, or "fp32" "fp16" "bf16" "fp64"; NONE: not known */
og_dtype og_dtype_from_safetensors(og_str s); /* "F32", "BF16", …; NONE: not known */
const char *og_dtype_safetensors(og_dtype t);
/* ceil(elements × bits / 8); false: overflow or a type without a size. */
bool og_dtype_bytes(og_dtype t, uint64_t elements, uint64_t *out);

/* Elements [first, first + n) of a type narrower than a byte, one a byte, in its low bits. false: nothing says how it is packed. F4 is
 * (PyTorch and ONNX agree: the first element is the low half); the microscaling types of 6 bits are not, by any specification. */
bool og_dtype_spread(og_dtype t, const void *packed, uint64_t first, size_t n, uint8_t *out);

/* n elements of any real or integer type of whole bytes, or of F4 spread, into doubles (for checks) or floats; false: not done. */
bool og_dtype_to_f64(og_dtype t, const void *src, size_t n, double *dst);
bool og_dtype_to_f32(og_dtype t, const void *src, size_t n, float *dst);
float og_f16_to_f32(uint16_t h);

/* Below: no branch on the data and inline, so that a loop over them becomes vector code. A mask is all ones where a < b (both below 2^31). */
static inline uint32_t og_mask_less(uint32_t a, uint32_t b)
{
	return 0u - ((a - b) >> 31);
}

/* Rounds to nearest even; overflow to infinity; a NaN stays one, quiet, with the top of its payload. */
static inline uint16_t og_f32_to_f16(float f)
{
	uint32_t u, half_way, sign, tiny, big, nan, normal, special;
	memcpy(&u, &f, sizeof(u));
	sign = u >> 16 & 0x8000u;
	u &= 0x7fffffffu;
	tiny = og_mask_less(u, 0x38800000u);
	big = ~og_mask_less(u, 0x47800000u);
	nan = og_mask_less(0x7f800000u, u);
	/* The 13 bits that go decide; a carry runs into the exponent, up to infinity. */
	normal = (u + 0x0fffu + (u >> 13 & 1) - 0x38000000u) >> 13;
	special = 0x7c00u | (nan & (0x200u | (u >> 13 & 0x1ffu)));
	/* Subnormal or zero: adding 0.5 puts the result's last bit at the sum's last bit, rounded by the processor. */
	memcpy(&f, &u, sizeof(f));
	f += 0.5f;
	memcpy(&half_way, &f, sizeof(half_way));
	return (uint16_t)(sign | (special & big) | ((half_way - 0x3f000000u) & tiny) | (normal & ~big & ~tiny));
}

static inline uint16_t og_f32_to_bf16(float f)
{
	uint32_t u, nan;
	memcpy(&u, &f, sizeof(u));
	nan = og_mask_less(0x7f800000u, u & 0x7fffffffu);
	return (uint16_t)((((u + 0x7fffu + (u >> 16 & 1)) >> 16) & ~nan) | ((u >> 16 | 0x40u) & nan));
}

#endif
