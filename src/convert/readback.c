/* SPDX-License-Identifier: Apache-2.0
 *
 * The read-back: what stands in the written file against the checkpoint, at seeded positions.  The index rule is worked
 * out here from coordinates, element by element, and shares nothing with the emission, so that a wrongly transposed
 * square matrix is found. */
#include "convert/convert_int.h"

#include "base/path.h"
#include "base/random.h"
#include "base/str.h"
#include "base/strmap.h"
#include "onnx/reader.h"

#include <math.h>

#define POSITIONS 64

typedef struct back {
	og_source *file; /* the model file */
	og_source *data; /* the external file, or NULL */
	const char *dir;
} back;

/* One number of type t at bit `bit` of s; a big-endian one is read from its end. */
static og_status element(og_source *s, uint64_t bit, og_dtype t, bool swapped, double *out, og_error *err)
{
	uint8_t bytes[16], turned[16];
	unsigned bits = og_dtype_bits(t), width = (bits + 7) / 8;
	bool done = bits && bits <= 64;
	if (done) {
		OG_TRY(og_source_read(s, bit / 8, bytes, width, err));
		for (unsigned i = 0; i < width; i++)
			turned[i] = bytes[swapped ? width - 1 - i : i];
		if (bits < 8) /* lies within one byte: of the types that are not whole bytes only F4 has values */
			turned[0] = (uint8_t)(bytes[0] >> bit % 8 & 0xf);
		done = og_dtype_to_f64(t, turned, 1, out);
	}
	return done ? OG_OK : og_fail(err, ONNXGATE_UNSUPPORTED, "%s: elements of type %s are not read back", s->name, og_dtype_name(t));
}

/* The number at [row, …]; column: the flat place in the dims after the first. */
static og_status tensor_element(const og_tensor *t, uint64_t row, uint64_t column, double *out, og_error *err)
{
	uint64_t at = 0;
	for (int i = t->rank - 1; i > 0; i--) {
		at += column % (uint64_t)t->dims[i] * (uint64_t)t->strides[i];
		column /= (uint64_t)t->dims[i];
	}
	if (t->rank)
		at += row * (uint64_t)t->strides[0];
	return element(t->source, t->offset * 8 + at * og_dtype_bits(t->dtype), t->dtype, t->swapped, out, err);
}

/* The n numbers of a row along the last dim; row: flat in the dims before. */
static og_status tensor_row(const og_tensor *t, uint64_t row, uint64_t n, uint8_t *raw, double *out, og_error *err)
{
	if (og_dtype_bits(t->dtype) % 8) {
		for (uint64_t i = 0, at = row * n; i < n; i++, at++)
			OG_TRY(element(t->source, t->offset * 8 + at * og_dtype_bits(t->dtype), t->dtype, false, &out[i], err));
		return OG_OK;
	}
	OG_TRY(og_tensor_read(t, row * n, n, raw, err));
	return og_dtype_to_f64(t->dtype, raw, n, out) ? OG_OK
		: og_fail(err, ONNXGATE_UNSUPPORTED, "%s: elements of type %s are not read back", t->name, og_dtype_name(t->dtype));
}

typedef struct whole { /* what a fold must know of the whole weight, from the checkpoint */
	uint64_t n;    /* the last dim */
	double *known; /* g/‖v‖ for each place in it; or the softmax */
	double *row;
	uint8_t *raw;
} whole;

static void whole_done(whole *w)
{
	og_free(w->known);
	og_free(w->row);
	og_free(w->raw);
}

static og_status read_norms(const og_init *c, whole *w, og_error *err)
{
	const og_tensor *v = c->parts[0].tensor;
	uint64_t rows = w->n ? og_tensor_elements(v) / w->n : 0;
	for (uint64_t r = 0; r < rows; r++) {
		OG_TRY(tensor_row(v, r, w->n, w->raw, w->row, err));
		for (uint64_t k = 0; k < w->n; k++)
			w->known[k] += w->row[k] * w->row[k];
	}
	OG_TRY(tensor_row(c->gain, 0, w->n, w->raw, w->row, err));
	for (uint64_t k = 0; k < w->n; k++)
		w->known[k] = w->row[k] / sqrt(w->known[k]);
	return OG_OK;
}

static og_status read_softmax(const og_init *c, whole *w, og_error *err)
{
	double top = -INFINITY, sum = 0;
	OG_TRY(tensor_row(c->parts[0].tensor, 0, w->n, w->raw, w->row, err));
	for (uint64_t k = 0; k < w->n; k++)
		top = w->row[k] > top ? w->row[k] : top;
	for (uint64_t k = 0; k < w->n; k++)
		sum += exp(w->row[k] - top);
	for (uint64_t k = 0; k < w->n; k++)
		w->known[k] = exp(w->row[k] - top) / sum;
	return OG_OK;
}

static og_status read_whole(const og_init *c, whole *w, og_error *err)
{
	const og_tensor *t = c->parts[0].tensor;
	if (!c->fold)
		return OG_OK;
	w->n = (uint64_t)t->dims[t->rank - 1];
	w->known = og_array_alloc(w->n + 1, sizeof(*w->known));
	w->row = og_array_alloc(w->n + 1, sizeof(*w->row));
	w->raw = og_array_alloc(w->n + 1, 16);
	if (!w->known || !w->row || !w->raw)
		return og_fail_nomem(err);
	return c->fold == OG_FOLD_NORM ? read_norms(c, w, err) : read_softmax(c, w, err);
}

/* The element of the checkpoint that stands at flat position e of the written tensor. */
static og_status source_element(const og_init *c, uint64_t e, const whole *w, double *out, og_error *err)
{
	uint64_t width = 1; /* elements of one row of a part: all dims but the first */
	const og_tensor *t = c->parts[0].tensor;
	for (int i = 1; i < t->rank; i++)
		width *= (uint64_t)t->dims[i];
	uint64_t row = width ? e / width : 0, column = width ? e % width : 0;
	if (c->transpose) { /* written [in, out]: e = in_index × out + out_index */
		uint64_t outs = (uint64_t)c->dims[1];
		row = e % outs;
		column = e / outs;
	}
	for (size_t i = 0; i < c->nparts; i++) {
		const og_part *p = &c->parts[i];
		if (row < (uint64_t)p->rows || c->rank == 0) {
			OG_TRY(tensor_element(p->tensor, (uint64_t)p->first + row, column, out, err));
			*out = c->affine ? (double)((float)*out * c->scale + c->add) : *out;
			if (c->fold)
				*out = c->fold == OG_FOLD_NORM ? *out * w->known[e % w->n] : w->known[e];
			return OG_OK;
		}
		row -= (uint64_t)p->rows;
	}
	return og_fail(err, ONNXGATE_INTERNAL, "%s: position %llu lies in no part", c->name, (unsigned long long)e);
}

/* Rounded as the written type rounds. */
static double as_written(og_dtype t, double v)
{
	double r = v;
	uint16_t half = og_f32_to_f16((float)v), brain = og_f32_to_bf16((float)v);
	if (t == OG_F32)
		r = (double)(float)v;
	else if (t == OG_F16)
		og_dtype_to_f64(OG_F16, &half, 1, &r);
	else if (t == OG_BF16)
		og_dtype_to_f64(OG_BF16, &brain, 1, &r);
	return r;
}

static og_status place_of(back *b, const og_onnx_tensor *t, og_source **source, uint64_t *offset, og_error *err)
{
	*source = b->file;
	*offset = t->raw_at;
	for (size_t i = 0; t->external && i < t->nexternal_data; i++) {
		const og_onnx_pair *x = &t->external_data[i];
		if (og_streq(x->key, "offset") && !og_parse_u64(og_str_of(x->value), UINT64_MAX, offset))
			return og_fail(err, ONNXGATE_FORMAT, "%s: external offset %s is no number", t->name, x->value);
		if (!og_streq(x->key, "location") || b->data)
			continue;
		og_autofree char *path = og_path_join(b->dir, x->value);
		OG_TRY(path ? og_source_open(path, &b->data, err) : og_fail_nomem(err));
	}
	*source = t->external ? b->data : b->file;
	return *source ? OG_OK : og_fail(err, ONNXGATE_FORMAT, "%s: external data without a location", t->name);
}

static og_status compare_with(back *b, const og_init *c, const og_onnx_tensor *t, const whole *w, uint64_t *positions, uint64_t *mismatches, og_error *err)
{
	og_source *s;
	uint64_t at, n = c->size / (og_dtype_bits(c->dtype) / 8);
	OG_TRY(place_of(b, t, &s, &at, err));
	og_random r = { 0x6f6e6e78 };
	for (const char *p = c->name; *p; p++)
		r.state = r.state * 31 + (uint8_t)*p;
	for (int i = 0; i < POSITIONS && n; i++) {
		uint64_t e = og_random_below(&r, n);
		double written, source;
		OG_TRY(element(s, at * 8 + e * og_dtype_bits(c->dtype), c->dtype, false, &written, err));
		OG_TRY(source_element(c, e, w, &source, err));
		source = as_written(c->dtype, source);
		++*positions;
		*mismatches += !(written == source || (isnan(written) && isnan(source)));
	}
	return OG_OK;
}

static og_status compare(back *b, const og_init *c, const og_onnx_tensor *t, uint64_t *positions, uint64_t *mismatches, og_error *err)
{
	whole w = { 0 };
	og_status s = read_whole(c, &w, err);
	if (s == OG_OK)
		s = compare_with(b, c, t, &w, positions, mismatches, err);
	whole_done(&w);
	return s;
}

static og_status compare_all(back *b, const og_model *m, const og_onnx_graph *g, uint64_t *positions, uint64_t *mismatches, const char **first,
	og_arena *arena, og_error *err)
{
	og_strmap *by_name = og_strmap_new(arena);
	for (size_t i = 0; by_name && i < g->ninitializers; i++) {
		uint64_t *slot = og_strmap_slot(by_name, g->initializers[i].name);
		if (!slot)
			return og_fail_nomem(err);
		*slot = i + 1;
	}
	if (!by_name)
		return og_fail_nomem(err);
	for (size_t i = 0; i < m->ninits; i++) {
		const og_init *c = m->inits[i];
		uint64_t *slot = og_strmap_find(by_name, c->name), before = *mismatches;
		if (c->data)
			continue;
		if (!slot)
			++*mismatches;
		else
			OG_TRY(compare(b, c, &g->initializers[*slot - 1], positions, mismatches, err));
		if (*mismatches > before && !*first)
			*first = c->name;
	}
	return OG_OK;
}

og_status og_read_back(const og_model *m, const char *path, const og_context *ctx, uint64_t *positions, uint64_t *mismatches, const char **first,
	og_arena *arena, og_error *err)
{
	og_onnx_model *onnx;
	og_autofree char *dir = og_path_dir(path);
	back b = { .dir = dir };
	if (!dir)
		return og_fail_nomem(err);
	OG_TRY(og_source_open(path, &b.file, err));
	og_status s = og_onnx_read(b.file, ctx, arena, &onnx, err);
	if (s == OG_OK)
		s = compare_all(&b, m, onnx->graph, positions, mismatches, first, arena, err);
	og_source_free(b.file);
	og_source_free(b.data);
	return s;
}
