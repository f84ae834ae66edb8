/* SPDX-License-Identifier: Apache-2.0
 *
 * Views of tensors: the little that every format shares. */
#include "format/tensor.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t og_tensor_elements(const og_tensor *t)
{
	uint64_t n = 1; /* cannot overflow: a reader has checked the product */
	for (int i = 0; i < t->rank; i++)
		n *= (uint64_t)t->dims[i];
	return n;
}

void og_tensor_set_dense(og_tensor *t)
{
	int64_t stride = 1;
	for (int i = t->rank - 1; i >= 0; i--) {
		t->strides[i] = stride;
		stride *= t->dims[i] > 0 ? t->dims[i] : 1;
	}
}

bool og_tensor_is_dense(const og_tensor *t)
{
	int64_t stride = 1;
	if (t->swapped && og_dtype_bits(t->dtype) > 8)
		return false;
	for (int i = t->rank - 1; i >= 0; i--) {
		if (t->dims[i] != 1 && t->strides[i] != stride)
			return t->size == 0;
		stride *= t->dims[i] > 0 ? t->dims[i] : 1;
	}
	return true;
}

const char *og_dims_show(const int64_t *dims, int rank, char *out, size_t cap)
{
	size_t n = 0;
	for (int i = 0; i < rank && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%" PRId64, i ? ", " : "[", dims[i]);
	if (n < cap)
		snprintf(out + n, cap - n, rank ? "]" : "[]");
	return out;
}
