/* SPDX-License-Identifier: Apache-2.0
 *
 * The transforms, filled piece by piece, against a loop over single elements: any element type, any strides, stacked, cut, scaled,
 * transposed.  And whole models: a checkpoint that lies in columns, with gaps or big-endian gives the same file. */
#include "strided_toy.h"

#include "base/str.h"
#include "codec/digest.h"
#include "graph/emit.h"
#include "graph/lower.h"
#include "graph/ops.h"
#include "graph/transform.h"

#include <math.h>

#define PARTS_MAX 3
#define ROOM (1 << 20)

/* ---- random initializers ---- */

typedef struct random_init {
	og_init c;
	og_part parts[PARTS_MAX];
	og_tensor tensors[PARTS_MAX];
} random_init;

/* In rows or in columns, sometimes with gaps or a dim that stands still. */
static void random_strides(og_random *r, og_tensor *t)
{
	bool columns = og_random_below(r, 2), gaps = og_random_below(r, 2), still = og_random_below(r, 4) == 0;
	int64_t stride = gaps ? 3 : 1;
	for (int k = 0; k < t->rank; k++) {
		int i = columns ? k : t->rank - 1 - k;
		t->strides[i] = still && og_random_below(r, 2) ? 0 : stride;
		stride = stride * t->dims[i] + (gaps ? (int64_t)og_random_below(r, 3) : 0);
	}
}

static void random_part(og_random *r, random_init *x, size_t i, og_source *s)
{
	static const og_dtype dtypes[] = { OG_F32, OG_F16, OG_BF16, OG_F64, OG_F8E4M3FN, OG_F8E5M2, OG_F8E4M3FNUZ, OG_F8E5M2FNUZ, OG_F8E8M0, OG_F4E2M1 };
	og_tensor *t = &x->tensors[i];
	*t = (og_tensor){ .name = "t", .source = s, .rank = x->c.rank, .dtype = x->c.dtype, .offset = og_random_below(r, 99) };
	if (og_random_below(r, 2))
		t->dtype = dtypes[og_random_below(r, OG_COUNT(dtypes))];
	for (int k = 0; k < t->rank; k++)
		t->dims[k] = k && i ? x->tensors[0].dims[k] : 1 + (int64_t)og_random_below(r, 70);
	og_tensor_set_dense(t);
	if (og_dtype_bits(t->dtype) % 8 == 0 && og_random_below(r, 3)) {
		random_strides(r, t);
		t->swapped = og_random_below(r, 3) == 0;
	}
	uint64_t rows = t->rank ? (uint64_t)t->dims[0] : 1, first = og_random_below(r, 3) ? 0 : og_random_below(r, rows);
	og_dtype_bytes(t->dtype, og_tensor_elements(t), &t->size);
	x->parts[i] = (og_part){ t, (int64_t)first, (int64_t)(rows - first) };
}

static void random_make(og_random *r, random_init *x, og_source *s)
{
	x->c = (og_init){ .name = "w", .rank = (int)og_random_below(r, 4), .parts = x->parts, .dtype = OG_F32 };
	static const og_dtype written[] = { OG_F32, OG_F32, OG_F16, OG_BF16 };
	x->c.dtype = written[og_random_below(r, OG_COUNT(written))];
	x->c.transpose = x->c.rank == 2 && og_random_below(r, 2);
	x->c.affine = og_random_below(r, 4) == 0;
	x->c.scale = 1.5f;
	x->c.add = 0.25f;
	x->c.nparts = x->c.rank && og_random_below(r, 2) ? 1 + (size_t)og_random_below(r, PARTS_MAX) : 1;
	for (size_t i = 0; i < x->c.nparts; i++) {
		random_part(r, x, i, s);
		x->c.dims[0] = (i ? x->c.dims[0] : 0) + x->parts[i].rows;
	}
	for (int k = 1; k < x->c.rank; k++)
		x->c.dims[k] = x->tensors[0].dims[k];
	if (x->c.transpose) {
		int64_t rows = x->c.dims[0];
		x->c.dims[0] = x->c.dims[1];
		x->c.dims[1] = rows;
	}
}

/* ---- the loop ---- */

/* The number at [row, …] of t, column being flat. */
static float number(const og_tensor *t, const uint8_t *bytes, uint64_t row, uint64_t column)
{
	uint8_t raw[8] = { 0 };
	uint64_t at = t->rank ? row * (uint64_t)t->strides[0] : 0, w = og_dtype_bits(t->dtype) / 8;
	float f = 0;
	for (int i = t->rank - 1; i > 0; i--) {
		at += column % (uint64_t)t->dims[i] * (uint64_t)t->strides[i];
		column /= (uint64_t)t->dims[i];
	}
	if (!w)
		raw[0] = bytes[t->offset + at / 2] >> (at % 2 ? 4 : 0) & 15;
	for (uint64_t k = 0; k < w; k++)
		raw[k] = bytes[t->offset + at * w + (t->swapped ? w - 1 - k : k)];
	assert_true(og_dtype_to_f32(t->dtype, raw, 1, &f));
	return f;
}

static float expected(const random_init *x, const uint8_t *bytes, uint64_t e)
{
	uint64_t width = 1, row, column;
	for (int i = 1; i < x->c.rank; i++)
		width *= (uint64_t)x->tensors[0].dims[i];
	row = e / width;
	column = e % width;
	if (x->c.transpose) {
		row = e % (uint64_t)x->c.dims[1];
		column = e / (uint64_t)x->c.dims[1];
	}
	size_t i = 0;
	for (; row >= (uint64_t)x->parts[i].rows; i++)
		row -= (uint64_t)x->parts[i].rows;
	float f = number(&x->tensors[i], bytes, row + (uint64_t)x->parts[i].first, column);
	return x->c.affine ? f * x->c.scale + x->c.add : f;
}

static bool is_written(og_dtype t, const uint8_t *p, float want)
{
	uint16_t h = t == OG_F16 ? og_f32_to_f16(want) : og_f32_to_bf16(want), got;
	float f;
	memcpy(&f, p, t == OG_F32 ? 4 : 2);
	memcpy(&got, p, 2);
	return t == OG_F32 ? f == want || (isnan(f) && isnan(want)) : got == h || isnan(want);
}

/* A finite number that float16 has no finite one for. */
static bool has_no_place(const random_init *x, const uint8_t *bytes, uint64_t n)
{
	for (uint64_t e = 0; e < n && x->c.dtype == OG_F16; e++) {
		float f = expected(x, bytes, e);
		if (!isinf(f) && !isnan(f) && (og_f32_to_f16(f) & 0x7c00) == 0x7c00)
			return true;
	}
	return false;
}

static void check_fill(const random_init *x, const uint8_t *bytes, uint64_t piece_bytes)
{
	uint64_t n = 1, w = og_dtype_bits(x->c.dtype) / 8;
	for (int i = 0; i < x->c.rank; i++)
		n *= (uint64_t)x->c.dims[i];
	uint8_t *out = malloc(n * w);
	og_scratch s = { 0 };
	og_error err = { 0 };
	uint64_t step = og_init_piece(&x->c, piece_bytes);
	assert_true(step > 0);
	bool refused = has_no_place(x, bytes, n);
	og_status st = OG_OK;
	for (uint64_t k = 0; k < n && st == OG_OK; k += step)
		st = og_init_fill(&x->c, k, n - k < step ? n : k + step, out + k * w, &s, &err);
	if (st != (refused ? ONNXGATE_UNSUPPORTED : OG_OK) || (refused && !strstr(err.message, "has no place in float16")))
		fail_msg("%d: %s", st, err.message);
	og_scratch_done(&s);
	for (uint64_t e = 0; e < n && !refused; e++)
		if (!is_written(x->c.dtype, out + e * w, expected(x, bytes, e)))
			fail_msg("element %llu of %llu of %zu parts of %s%s%s differs", (unsigned long long)e, (unsigned long long)n, x->c.nparts,
				og_dtype_name(x->tensors[0].dtype), x->c.transpose ? ", transposed" : "", x->c.affine ? ", scaled" : "");
	const og_tensor *t;
	uint64_t at;
	if (!refused && og_init_is_copy(&x->c, &t, &at)) /* then the bytes there are the bytes written */
		assert_memory_equal(bytes + at, out, n * w);
	free(out);
}

static void test_transform__random_initializers(void **state)
{
	static uint8_t bytes[ROOM * 2];
	og_random r = { 99 };
	og_source *s;
	size_t copies = 0, turned = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)og_random_next(&r);
	assert_int_equal(og_source_memory("bytes", bytes, sizeof(bytes), &s, NULL), OG_OK);
	for (int i = 0; i < 6000; i++) {
		random_init x;
		const og_tensor *t;
		uint64_t at, span;
		random_make(&r, &x, s);
		bool fits = true;
		for (size_t k = 0; k < x.c.nparts; k++)
			fits = fits && og_tensor_span(&x.tensors[k], &span) && x.tensors[k].offset + span <= sizeof(bytes);
		if (!fits)
			continue;
		check_fill(&x, bytes, i % 3 ? 1024 : 1 << 20);
		bool copy = og_init_is_copy(&x.c, &t, &at);
		copies += copy;
		turned += copy && x.c.transpose;
	}
	if (copies < 200 || turned < 8)
		fail_msg("expected both kinds of a copy among them, found %zu, of which %zu transposed", copies, turned);
	og_source_free(s);
}

static void test_transform__packing_without_a_rule_is_refused(void **state)
{
	og_source *s;
	og_scratch scratch_buffers = { 0 };
	og_error err = { 0 };
	float out[4];
	(void)state;
	assert_int_equal(og_source_memory("six", "abcdef", 6, &s, NULL), OG_OK);
	og_tensor t = { .name = "t", .source = s, .rank = 1, .dims = { 8 }, .strides = { 1 }, .dtype = OG_F6E3M2, .size = 6 };
	og_part p = { &t, 0, 8 };
	og_init c = { .name = "w", .dtype = OG_F32, .rank = 1, .dims = { 8 }, .parts = &p, .nparts = 1 };
	assert_int_equal(og_init_fill(&c, 0, 4, out, &scratch_buffers, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "float6_e3m2"));
	og_scratch_done(&scratch_buffers);
	og_source_free(s);
}

static void test_transform__a_matrix_in_columns_is_copied(void **state)
{
	static const float numbers[] = { 0, 3, 1, 4, 2, 5 }; /* [2, 3] in columns */
	og_source *s;
	og_scratch buffers = { 0 };
	const og_tensor *from = NULL;
	uint64_t at = 0;
	float out[6];
	(void)state;
	assert_int_equal(og_source_memory("columns", numbers, sizeof(numbers), &s, NULL), OG_OK);
	og_tensor t = { .name = "t", .source = s, .rank = 2, .dims = { 2, 3 }, .strides = { 1, 2 }, .dtype = OG_F32, .size = 24 };
	og_part p = { &t, 0, 2 };
	og_init c = { .name = "w", .dtype = OG_F32, .rank = 2, .dims = { 3, 2 }, .parts = &p, .nparts = 1, .transpose = true };
	assert_true(og_init_is_copy(&c, &from, &at) && from == &t && at == 0);
	assert_int_equal(og_init_fill(&c, 1, 4, out, &buffers, NULL), OG_OK); /* any piece will do */
	assert_memory_equal(out, numbers + 1, 12);
	c.transpose = false;
	c.dims[0] = 2;
	c.dims[1] = 3;
	assert_false(og_init_is_copy(&c, &from, &at));
	assert_int_equal(og_init_fill(&c, 0, 6, out, &buffers, NULL), OG_OK);
	assert_memory_equal(out, ((const float[]){ 0, 1, 2, 3, 4, 5 }), sizeof(out));
	t.strides[0] = 3;
	t.strides[1] = 1;
	assert_true(og_init_is_copy(&c, &from, &at));
	t.swapped = true;
	assert_false(og_init_is_copy(&c, &from, &at));
	t.swapped = false;
	p = (og_part){ &t, 1, 1 }; /* its second row */
	c.dims[0] = 1;
	assert_true(og_init_is_copy(&c, &from, &at) && at == 12);
	og_scratch_done(&buffers);
	og_source_free(s);
}

/* ---- whole models ---- */

static const toy_weight weights[] = {
	{ "big", 2, { 1237, 1103 } }, { "a", 2, { 5, 7 } }, { "b", 2, { 3, 7 } }, { "v", 1, { 7 } }, { "rows", 2, { 9, 7 } }, { "conv", 3, { 40, 30, 50 } },
};

static og_model *describe(toy_build *t)
{
	og_val x = og_input(t->b, "x", OG_F32, "batch_size", "1103"), y = og_input(t->b, "y", OG_F32, "batch_size", "7");
	og_output(t->b, "times_big", og_matmul(t->b, x, og_weight_transposed(t->b, "big", 1237, 1103)));
	og_output(t->b, "stack", og_matmul(t->b, y, og_weight_stack(t->b, "ab", (const char *const[]){ "a", "b" }, (const int64_t[]){ 5, 3 }, 2, 7, true)));
	og_output(t->b, "affine", og_mul(t->b, y, og_weight_affine(t->b, "v", (const int64_t[]){ 7 }, 1, 2.0f, 1.0f)));
	og_output(t->b, "part", og_gather(t->b, og_weight_rows(t->b, "rows", 9, 7, 2, 4, false), og_const_i64(t->b, 1), 0));
	og_output(t->b, "plain", og_gather(t->b, og_weight_dims(t->b, "conv", (const int64_t[]){ 40, 30, 50 }, 3), og_const_i64(t->b, 1), 0));
	og_model *m = toy_finish(t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	return m;
}

static void test_transform__the_order_of_the_checkpoint_changes_no_byte(void **state)
{
	char first[65] = "";
	(void)state;
	for (int order = -1; order < TOY_ORDERS; order++)
		for (int in_file = 0; in_file < 2; in_file++) {
			toy_build t = toy_builder(weights, OG_COUNT(weights));
			og_model *m = describe(&t);
			og_source *moved = order < 0 ? NULL : toy_move(m, (toy_order)order, in_file ? "moved" : NULL);
			og_emitted out[2];
			size_t n;
			og_error err = { 0 };
			if (og_emit(m, scratch_dir, "model.onnx", &(og_emit_options){ OG_EXTERNAL_NEVER, true }, &(og_context){ .threads = 2 }, out, &n, &err) != OG_OK)
				fail_msg("order %d: %s", order, err.message);
			if (!first[0])
				memcpy(first, out[0].sha256, sizeof(first));
			assert_string_equal(out[0].sha256, first);
			og_source_free(moved);
			toy_builder_free(&t);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transform__random_initializers),
		cmocka_unit_test(test_transform__packing_without_a_rule_is_refused),
		cmocka_unit_test(test_transform__a_matrix_in_columns_is_copied),
		cmocka_unit_test_setup_teardown(test_transform__the_order_of_the_checkpoint_changes_no_byte, scratch_make, scratch_remove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
