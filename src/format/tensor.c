/* SPDX-License-Identifier: Apache-2.0
 *
 * Views of tensors, and reading them.
 *
 * A range of a view's elements in row-major order is cut into boxes: whole steps of one dim, everything below it.  A box is
 * read in the order of its bytes in the file: its dims are sorted by stride, and as many of the inner ones as fit make one
 * read of a window, over small gaps; what stands in the window is then put in its place, in blocks when the two orders
 * cross.  A transposed matrix comes in as a handful of long reads or one a line, a diagonal as windows or one a number. */
#include "format/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_BYTES (1u << 20) /* stays in the second-level cache */
#define GAP_BYTES 4096u         /* to read this much for nothing costs about as much as another system call */
#define BLOCK ((uint64_t)16)    /* elements: a cache line of floats each way */

/* ---- shapes -------------------------------------------------------------------------------------------- */

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
		if (t->dims[i] > 0 && __builtin_mul_overflow(stride, t->dims[i], &stride))
			stride = INT64_MAX; /* only above a dim of 0, where no stride means anything */
	}
}

static bool is_empty(const og_tensor *t)
{
	for (int i = 0; i < t->rank; i++)
		if (t->dims[i] == 0)
			return true;
	return false;
}

bool og_tensor_is_dense(const og_tensor *t)
{
	uint64_t stride = 1;
	if (is_empty(t))
		return true;
	if (t->swapped && og_dtype_bits(t->dtype) > 8)
		return false;
	for (int i = t->rank - 1; i >= 0; i--) {
		if (t->dims[i] != 1 && (uint64_t)t->strides[i] != stride)
			return false;
		if (!og_mul_u64(stride, (uint64_t)t->dims[i], &stride))
			return false;
	}
	return true;
}

bool og_tensor_span(const og_tensor *t, uint64_t *bytes)
{
	uint64_t last = 0, reach, n;
	*bytes = 0;
	if (is_empty(t))
		return true;
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64((uint64_t)t->dims[i] - 1, (uint64_t)t->strides[i], &reach) || !og_add_u64(last, reach, &last))
			return false;
	return og_add_u64(last, 1, &n) && og_dtype_bytes(t->dtype, n, bytes);
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

/* ---- from one order into another ----------------------------------------------------------------------- */

typedef struct wide { /* complex128 */
	uint64_t half[2];
} wide;

/* In blocks, so that both sides are touched a cache line at a time whichever of them runs along y. */
#define PLANE(type)                                                                                                    \
	static void plane_##type(uint8_t *dst, const uint8_t *src, const og_plane *p)                                      \
	{                                                                                                                  \
		for (uint64_t yb = 0; yb < p->ny; yb += BLOCK)                                                                 \
			for (uint64_t xb = 0; xb < p->nx; xb += BLOCK) {                                                           \
				uint64_t ye = p->ny - yb < BLOCK ? p->ny : yb + BLOCK, xe = p->nx - xb < BLOCK ? p->nx : xb + BLOCK;   \
				for (uint64_t y = yb; y < ye; y++)                                                                     \
					for (uint64_t x = xb; x < xe; x++) {                                                               \
						type v;                                                                                        \
						memcpy(&v, src + y * p->src_y + x * p->src_x, sizeof(v));                                      \
						memcpy(dst + y * p->dst_y + x * p->dst_x, &v, sizeof(v));                                      \
					}                                                                                                  \
			}                                                                                                          \
	}
PLANE(uint8_t)
PLANE(uint16_t)
PLANE(uint32_t)
PLANE(uint64_t)
PLANE(wide)

typedef uint32_t four __attribute__((vector_size(16)));

/* Four by four of four bytes, turned in registers. */
static inline void turn_four(uint8_t *dst, uint64_t dst_y, const uint8_t *src, uint64_t src_x)
{
	four v[4], t[4];
	for (uint64_t i = 0; i < 4; i++)
		memcpy(&v[i], src + i * src_x, sizeof(v[i]));
	for (int i = 0; i < 2; i++) {
		t[2 * i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 4, 1, 5);
		t[2 * i + 1] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 2, 6, 3, 7);
	}
	for (int i = 0; i < 2; i++) {
		v[2 * i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 4, 5);
		v[2 * i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 6, 7);
	}
	for (uint64_t i = 0; i < 4; i++)
		memcpy(dst + i * dst_y, &v[i], sizeof(v[i]));
}

/* The transpose of floats: whole blocks in registers, the two edges element by element. */
static void turn_floats(uint8_t *dst, const uint8_t *src, const og_plane *p)
{
	uint64_t nx = p->nx - p->nx % BLOCK, ny = p->ny - p->ny % BLOCK;
	for (uint64_t yb = 0; yb < ny; yb += BLOCK)
		for (uint64_t xb = 0; xb < nx; xb += BLOCK)
			for (uint64_t y = yb; y < yb + BLOCK; y += 4)
				for (uint64_t x = xb; x < xb + BLOCK; x += 4)
					turn_four(dst + y * p->dst_y + x * 4, p->dst_y, src + x * p->src_x + y * 4, p->src_x);
	og_plane edge = *p;
	edge.nx -= nx;
	edge.ny = ny;
	plane_uint32_t(dst + nx * 4, src + nx * p->src_x, &edge);
	edge = *p;
	edge.ny -= ny;
	plane_uint32_t(dst + ny * p->dst_y, src + ny * 4, &edge);
}

void og_plane_copy(void *dst, const void *src, const og_plane *p)
{
	if (p->dst_x == p->width && p->src_x == p->width) {
		for (uint64_t y = 0; y < p->ny; y++)
			memcpy((uint8_t *)dst + y * p->dst_y, (const uint8_t *)src + y * p->src_y, p->nx * p->width);
		return;
	}
	if (p->width == 4 && p->dst_x == 4 && p->src_y == 4) {
		turn_floats(dst, src, p);
		return;
	}
	switch (p->width) {
	case 1: plane_uint8_t(dst, src, p); break;
	case 2: plane_uint16_t(dst, src, p); break;
	case 4: plane_uint32_t(dst, src, p); break;
	case 8: plane_uint64_t(dst, src, p); break;
	default: plane_wide(dst, src, p); break;
	}
}

/* ---- reading ------------------------------------------------------------------------------------------- */

typedef struct axis { /* one dim of a box; distances in bytes */
	uint64_t n;
	uint64_t src; /* in the file */
	uint64_t win; /* in the window */
	uint64_t dst;
} axis;

typedef struct reading {
	const og_tensor *t;
	uint64_t width;
	axis axes[OG_RANK_MAX + 1]; /* the dims, neighbours that run on into each other joined; at least one */
	uint64_t steps[OG_RANK_MAX + 1]; /* elements below one step of each */
	int rank;
	uint8_t *window;
	og_error *err;
} reading;

/* The next place of an odometer over a[0..n); false: it has run round. */
static bool advance(const axis *a, int n, uint64_t *index)
{
	for (int i = n - 1; i >= 0; i--) {
		if (++index[i] < a[i].n)
			return true;
		index[i] = 0;
	}
	return false;
}

/* The window's tile into dst. The innermost dim of dst is x; y is the one that runs along the window's bytes, if another. */
static void place(const reading *r, const axis *tile, int n, uint8_t *dst)
{
	axis a[OG_RANK_MAX + 2], one = { .n = 1 };
	uint64_t index[OG_RANK_MAX + 2] = { 0 };
	int k = 0;
	for (int i = 0; i < n; i++) {
		int at = k++;
		for (; at > 0 && a[at - 1].dst < tile[i].dst; at--)
			a[at] = a[at - 1];
		a[at] = tile[i];
	}
	axis x = k ? a[--k] : one, y = one;
	int best = k - 1;
	for (int i = 0; i < k; i++)
		if (a[i].win < x.win && a[i].win < a[best].win)
			best = i;
	if (k) {
		y = a[best];
		memmove(a + best, a + best + 1, (size_t)(--k - best) * sizeof(*a));
	}
	const og_plane p = { .width = r->width, .nx = x.n, .ny = y.n, .src_x = x.win, .src_y = y.win, .dst_x = x.dst, .dst_y = y.dst };
	do {
		uint64_t from = 0, to = 0;
		for (int i = 0; i < k; i++) {
			from += index[i] * a[i].win;
			to += index[i] * a[i].dst;
		}
		og_plane_copy(dst + to, r->window + from, &p);
	} while (advance(a, k, index));
}

/* Every chunk of span bytes is in the file as it will be in dst. */
static og_status read_direct(const reading *r, uint64_t at, uint64_t span, const axis *a, int n, uint8_t *dst)
{
	uint64_t index[OG_RANK_MAX + 1] = { 0 };
	do {
		uint64_t from = at, to = 0;
		for (int i = 0; i < n; i++) {
			from += index[i] * a[i].src;
			to += index[i] * a[i].dst;
		}
		OG_TRY(og_source_read(r->t->source, from, dst + to, span, r->err));
	} while (advance(a, n, index));
	return OG_OK;
}

/* a[cut] is taken `count` steps at a time: in one read (near), or in one read a step; what is below it is span bytes of the file. */
typedef struct cut {
	int axis;
	uint64_t span, count;
	bool near;
} cut;

static og_status read_tile(const reading *r, uint64_t at, const cut *c, axis *tile, int n, uint8_t *dst)
{
	if (c->near)
		OG_TRY(og_source_read(r->t->source, at, r->window, (tile->n - 1) * tile->src + c->span, r->err));
	for (uint64_t i = 0; !c->near && i < tile->n; i++)
		OG_TRY(og_source_read(r->t->source, at + i * tile->src, r->window + i * c->span, c->span, r->err));
	place(r, tile, n, dst);
	return OG_OK;
}

static og_status read_windows(reading *r, uint64_t at, const cut *c, axis *a, int n, uint8_t *dst)
{
	uint64_t index[OG_RANK_MAX + 1] = { 0 };
	if (!r->window && !(r->window = og_array_alloc(WINDOW_BYTES, 1)))
		return og_fail_nomem(r->err);
	axis *x = &a[c->axis];
	x->win = c->near ? x->src : c->span;
	do {
		uint64_t from = at, to = 0, all = x->n;
		for (int i = 0; i < c->axis; i++) {
			from += index[i] * a[i].src;
			to += index[i] * a[i].dst;
		}
		og_status s = OG_OK;
		for (uint64_t i = 0; i < all && s == OG_OK; i += c->count) {
			x->n = all - i < c->count ? all - i : c->count;
			s = read_tile(r, from + i * x->src, c, x, n - c->axis, dst + to + i * x->dst);
		}
		x->n = all;
		OG_TRY(s);
	} while (advance(a, c->axis, index));
	return OG_OK;
}

/* at: the box's first element in the file. a[0] is room; the box is a[1 … n]. */
static og_status read_box(reading *r, uint64_t at, axis *a, int n, uint8_t *dst)
{
	a[0] = (axis){ .n = 1 };
	for (int i = 2; i <= n; i++) { /* in the order of the file */
		axis x = a[i];
		int k = i;
		for (; k > 1 && a[k - 1].src < x.src; k--)
			a[k] = a[k - 1];
		a[k] = x;
	}
	uint64_t span = r->width;
	bool direct = true, near = true; /* direct: what span covers is in dst as in the file */
	int k = n;
	for (; k > 0; k--) {
		axis *x = &a[k];
		uint64_t whole = (x->n - 1) * x->src + span;
		bool run = direct && x->src == span && x->dst == span;
		near = x->src <= span + GAP_BYTES;
		if (!run && (!near || whole > WINDOW_BYTES || (direct && span >= GAP_BYTES && x->src >= span)))
			break;
		x->win = x->src;
		span = whole;
		direct = run;
	}
	if (direct && (k == 0 || !near || span >= GAP_BYTES))
		return read_direct(r, at, span, a, k + 1, dst);
	cut c = { .axis = k, .span = span, .count = 1, .near = near };
	if (k > 0)
		c.count = near ? (WINDOW_BYTES - span) / a[k].src + 1 : WINDOW_BYTES / span;
	if (c.count > BLOCK)
		c.count -= c.count % BLOCK;
	return read_windows(r, at, &c, a, n + 1, dst);
}

/* [first, first + n) as boxes: again and again as many whole steps as there are of the outermost dim that can give one. */
static og_status read_range(reading *r, uint64_t first, uint64_t n, uint8_t *dst)
{
	while (n) {
		axis box[OG_RANK_MAX + 2];
		uint64_t at = r->t->offset, left = 0;
		int k = 0, count = 0;
		while (first % r->steps[k] || n < r->steps[k])
			k++;
		for (int i = 0; i <= k; i++) {
			uint64_t index = first / r->steps[i] % r->axes[i].n;
			at += index * r->axes[i].src;
			left = r->axes[i].n - index;
		}
		uint64_t take = n / r->steps[k] < left ? n / r->steps[k] : left, done = take * r->steps[k];
		for (int i = k; i < r->rank; i++) {
			axis x = r->axes[i];
			x.n = i == k ? take : x.n;
			x.dst = r->steps[i] * r->width;
			if (x.n > 1)
				box[++count] = x;
		}
		OG_TRY(read_box(r, at, box, count, dst));
		first += done;
		n -= done;
		dst += done * r->width;
	}
	return OG_OK;
}

/* The dims as axes: those of 1 left out, neighbours that run on into each other joined. The span fits, so these products do. */
static void join_dims(reading *r)
{
	const og_tensor *t = r->t;
	for (int i = 0; i < t->rank; i++) {
		axis x = { .n = (uint64_t)t->dims[i], .src = (uint64_t)t->strides[i] * r->width };
		axis *last = r->rank ? &r->axes[r->rank - 1] : NULL;
		if (x.n == 1)
			continue;
		if (last && last->src / x.n == x.src && last->src % x.n == 0) {
			last->n *= x.n;
			last->src = x.src;
		} else {
			r->axes[r->rank++] = x;
		}
	}
	if (!r->rank)
		r->axes[r->rank++] = (axis){ .n = 1, .src = r->width };
	uint64_t step = 1;
	for (int i = r->rank - 1; i >= 0; i--) {
		r->steps[i] = step;
		step *= r->axes[i].n;
	}
}

static void swap_bytes(uint8_t *p, uint64_t n, unsigned unit)
{
	for (uint64_t i = 0; i < n; i++, p += unit)
		for (unsigned k = 0; k < unit / 2; k++) {
			uint8_t b = p[k];
			p[k] = p[unit - 1 - k];
			p[unit - 1 - k] = b;
		}
}

static og_status read_packed(const og_tensor *t, uint64_t first, uint64_t n, bool last, void *dst, og_error *err)
{
	unsigned bits = og_dtype_bits(t->dtype);
	unsigned __int128 from = (unsigned __int128)first * bits, to = (unsigned __int128)(first + n) * bits;
	if (from % 8 || (to % 8 && !last))
		return og_fail(err, ONNXGATE_INTERNAL, "tensor %s: elements %" PRIu64 " to %" PRIu64 " of %s are no whole bytes", t->name, first, first + n,
			og_dtype_name(t->dtype));
	return og_source_read(t->source, t->offset + (uint64_t)(from / 8), dst, (size_t)((to + 7) / 8 - from / 8), err);
}

static og_status check_range(const og_tensor *t, uint64_t first, uint64_t n, uint64_t *elements, og_error *err)
{
	uint64_t span, end;
	*elements = 1;
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64(*elements, (uint64_t)t->dims[i], elements))
			return og_fail(err, ONNXGATE_FORMAT, "%s: tensor %s: the product of its dims does not fit in 64 bits", t->source->name, t->name);
	if (first > *elements || n > *elements - first)
		return og_fail(err, ONNXGATE_INTERNAL, "tensor %s: elements %" PRIu64 " to %" PRIu64 " of %" PRIu64, t->name, first, first + n, *elements);
	if (!og_tensor_span(t, &span) || !og_add_u64(t->offset, span, &end) || end > t->source->size)
		return og_fail_at(err, ONNXGATE_FORMAT, t->offset, "%s: truncated: tensor %s ends past the %" PRIu64 " bytes that the file has", t->source->name,
			t->name, t->source->size);
	return OG_OK;
}

og_status og_tensor_read(const og_tensor *t, uint64_t first, uint64_t n, void *dst, og_error *err)
{
	uint64_t elements;
	if (is_empty(t) && !n)
		return OG_OK;
	OG_TRY(check_range(t, first, n, &elements, err));
	if (og_dtype_bits(t->dtype) % 8) {
		if (!og_tensor_is_dense(t))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: tensor %s: strides of %s are not read", t->source->name, t->name, og_dtype_name(t->dtype));
		return read_packed(t, first, n, first + n == elements, dst, err);
	}
	reading r = { .t = t, .width = og_dtype_bits(t->dtype) / 8, .err = err };
	join_dims(&r);
	og_status s = read_range(&r, first, n, dst);
	og_free(r.window);
	if (s == OG_OK && t->swapped && r.width > 1) {
		bool complex = t->dtype == OG_C64 || t->dtype == OG_C128;
		swap_bytes(dst, complex ? n * 2 : n, (unsigned)r.width / (complex ? 2 : 1));
	}
	return s;
}
