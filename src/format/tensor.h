/* SPDX-License-Identifier: Apache-2.0
 *
 * A tensor as a file holds it: a view, never a copy.  (Strides join when a format needs them.) */
#ifndef OG_FORMAT_TENSOR_H
#define OG_FORMAT_TENSOR_H

#include "base/limits.h"
#include "base/source.h"
#include "codec/dtype.h"

typedef struct og_tensor {
	const char *name; /* as the file spells it */
	og_dtype dtype;
	int rank;
	int64_t dims[OG_RANK_MAX];
	og_source *source; /* borrowed from the reader that gave it */
	uint64_t offset;   /* of its first byte in source */
	uint64_t size;     /* bytes: dims × dtype */
} og_tensor;

uint64_t og_tensor_elements(const og_tensor *t);
/* "[2, 3]" into out; returns out. */
const char *og_dims_show(const int64_t *dims, int rank, char *out, size_t cap);

#endif
