/* SPDX-License-Identifier: Apache-2.0
 *
 * Small questions about messages that were read. */
#include "onnx/message.h"

#include "base/limits.h"

const og_onnx_attribute *og_onnx_attr(const og_onnx_node *n, const char *name)
{
	for (size_t i = 0; i < n->nattributes; i++) {
		if (strcmp(n->attributes[i].name, name) == 0)
			return &n->attributes[i];
	}
	return NULL;
}

int64_t og_onnx_attr_int(const og_onnx_node *n, const char *name, int64_t fallback)
{
	const og_onnx_attribute *a = og_onnx_attr(n, name);

	return a && a->type == OG_ATTR_INT && !a->reference ? a->i : fallback;
}

int64_t og_onnx_opset_of(const og_onnx_opset *opsets, size_t n, const char *domain)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(opsets[i].domain, domain) == 0)
			return opsets[i].version;
	}
	return 0;
}

bool og_onnx_elements(const int64_t *dims, size_t rank, uint64_t *out)
{
	uint64_t n = 1;
	bool zero = false;

	/* a zero anywhere makes it empty, but what stands beside it must be sane all the same */
	for (size_t i = 0; i < rank; i++) {
		if (dims[i] < 0)
			return false;
		if (dims[i] == 0)
			zero = true;
		else if (!og_mul_u64(n, (uint64_t)dims[i], &n))
			return false;
	}
	*out = zero ? 0 : n;
	return true;
}

static int64_t raw_int(og_dtype t, const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < og_dtype_bits(t) / 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	switch (t) {
	case OG_I8:
		return (int8_t)v;
	case OG_I16:
		return (int16_t)v;
	case OG_I32:
		return (int32_t)v;
	default:
		return (int64_t)v;
	}
}

static bool is_integer(og_dtype t)
{
	return t == OG_I64 || t == OG_I32 || t == OG_I16 || t == OG_I8 || t == OG_U64 || t == OG_U32 || t == OG_U16 || t == OG_U8 || t == OG_BOOL;
}

static og_onnx_data typed_field(og_dtype t)
{
	if (t == OG_I64)
		return OG_DATA_INT64;
	return t == OG_U64 || t == OG_U32 ? OG_DATA_UINT64 : OG_DATA_INT32;
}

bool og_onnx_tensor_ints(const og_onnx_tensor *t, int64_t *out, size_t max, size_t *n)
{
	uint64_t elements, bytes;

	if (t->external || !is_integer(t->dtype) || !og_onnx_elements(t->dims, t->rank, &elements) || elements > max)
		return false;
	*n = (size_t)elements;
	if (elements == 0)
		return true;
	if (t->raw) {
		size_t size = og_dtype_bits(t->dtype) / 8;

		if (!og_dtype_bytes(t->dtype, elements, &bytes) || bytes != t->raw_size)
			return false;
		for (size_t i = 0; out && i < elements; i++)
			out[i] = raw_int(t->dtype, t->raw + i * size);
		return true;
	}
	if (t->has_raw || !t->ints || elements > OG_ONNX_KEPT_VALUES || t->counts[typed_field(t->dtype)] != elements)
		return false;
	if (out)
		memcpy(out, t->ints, (size_t)elements * sizeof(*out));
	return true;
}
