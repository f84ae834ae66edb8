/* SPDX-License-Identifier: Apache-2.0
 *
 * A tensor as a file holds it: a view, never a copy.  PyTorch's files hold storages, and tensors are windows on them:
 * element (i, j, …) is at offset + width × (i·strides[0] + j·strides[1] + …), several tensors may share bytes, and a
 * stride of 0 repeats one element.  Whoever wants elements asks og_tensor_read(), which knows all of this. */
#ifndef OG_FORMAT_TENSOR_H
#define OG_FORMAT_TENSOR_H

#include "base/limits.h"
#include "base/source.h"
#include "codec/dtype.h"

typedef struct og_tensor {
	const char *name; /* as the file spells it */
	og_dtype dtype;
	bool swapped; /* its elements are big-endian */
	int rank;
	int64_t dims[OG_RANK_MAX];
	int64_t strides[OG_RANK_MAX]; /* in elements, never negative; of dtypes of whole bytes */
	og_source *source;            /* borrowed from the reader that gave it */
	uint64_t offset;              /* of its first element in source */
	uint64_t size;                /* bytes of its elements side by side: dims × dtype */
} og_tensor;

/* Row-major strides of its dims. */
void og_tensor_set_dense(og_tensor *t);
/* Its elements lie side by side in row-major order and in our byte order: `size` bytes at `offset` are the tensor. */
bool og_tensor_is_dense(const og_tensor *t);
/* Bytes from its first element to the end of its last one; 0: empty. false: does not fit in 64 bits. */
bool og_tensor_span(const og_tensor *t, uint64_t *bytes);
uint64_t og_tensor_elements(const og_tensor *t);

/* Elements [first, first + n) in row-major order, side by side and in our byte order, into dst. Memory: one window, whatever the
 * strides. Sub-byte dtypes: first and n must be whole bytes. */
og_status og_tensor_read(const og_tensor *t, uint64_t first, uint64_t n, void *dst, og_error *err) OG_MUST;

/* Elements of `width` bytes (1, 2, 4, 8, 16): dst[y·dst_y + x·dst_x] = src[y·src_y + x·src_x] for all x < nx, y < ny; distances in
 * bytes. For transposes: x runs along dst, y along src. */
typedef struct og_plane {
	uint64_t width, nx, ny, src_x, src_y, dst_x, dst_y;
} og_plane;
void og_plane_copy(void *dst, const void *src, const og_plane *p);

/* "[2, 3]" into out; returns out. */
const char *og_dims_show(const int64_t *dims, int rank, char *out, size_t cap);

#endif
