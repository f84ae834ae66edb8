/* SPDX-License-Identifier: Apache-2.0
 *
 * Emission: every transform gives the right numbers, the same bytes whatever the threads, and external data likewise. */
#include "checkpoint_toy.h"

#include "base/str.h"
#include "codec/digest.h"
#include "graph/emit.h"
#include "graph/lower.h"
#include "graph/ops.h"
#include "onnx/reader.h"

#include <unistd.h>

/* Sizes that are no multiple of any block; the first is larger than one piece. */
static const toy_weight weights[] = {
	{ "big", 2, { 1237, 1103 } }, { "a", 2, { 5, 7 } }, { "b", 2, { 3, 7 } }, { "v", 1, { 7 } }, { "rows", 2, { 9, 7 } },
};

static og_model *describe(toy_build *t)
{
	og_val x = og_input(t->b, "x", OG_F32, "batch_size", "1103"), y = og_input(t->b, "y", OG_F32, "batch_size", "7");
	og_output(t->b, "times_big", og_matmul(t->b, x, og_weight_transposed(t->b, "big", 1237, 1103)));
	og_output(t->b, "stack", og_matmul(t->b, y, og_weight_stack(t->b, "ab", (const char *const[]){ "a", "b" }, (const int64_t[]){ 5, 3 }, 2, 7, true)));
	og_output(t->b, "affine", og_mul(t->b, y, og_weight_affine(t->b, "v", (const int64_t[]){ 7 }, 1, 2.0f, 1.0f)));
	og_output(t->b, "part", og_gather(t->b, og_weight_rows(t->b, "rows", 9, 7, 2, 4, false), og_const_i64(t->b, 1), 0));
	og_model *m = toy_finish(t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	return m;
}

static void emit(og_model *m, const char *name, og_external external, int threads, og_emitted out[2], size_t *n)
{
	og_context ctx = { .threads = threads };
	og_error err = { 0 };
	if (og_emit(m, scratch_dir, name, &(og_emit_options){ external, true }, &ctx, out, n, &err) != OG_OK)
		fail_msg("%s", err.message);
}

/* The written floats of an initializer, wherever they are. */
static float *written(const char *file, const char *name, size_t *count)
{
	og_auto(og_arena) *a = og_arena_new();
	og_onnx_model *m;
	og_error err = { 0 };
	if (og_onnx_read_file(scratch(file), NULL, a, &m, &err) != OG_OK)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < m->graph->ninitializers; i++) {
		const og_onnx_tensor *t = &m->graph->initializers[i];
		if (!og_streq(t->name, name))
			continue;
		uint64_t at = t->raw_at, size = t->raw_size;
		const char *from = file;
		for (size_t k = 0; t->external && k < t->nexternal_data; k++) {
			if (og_streq(t->external_data[k].key, "location"))
				from = t->external_data[k].value;
			else
				assert_true(og_parse_u64(og_str_of(t->external_data[k].value), UINT64_MAX, og_streq(t->external_data[k].key, "offset") ? &at : &size));
		}
		float *p = malloc(size ? size : 1);
		og_auto(og_source) *s = NULL;
		assert_int_equal(og_source_open(scratch(from), &s, NULL), OG_OK);
		assert_int_equal(og_source_read(s, at, p, size, NULL), OG_OK);
		*count = size / sizeof(*p);
		return p;
	}
	fail_msg("%s holds no %s", file, name);
	return NULL;
}

static void expect_numbers(const char *file)
{
	static float big[1237 * 1103], a[5 * 7], b[3 * 7], v[7], rows[9 * 7];
	size_t n;
	toy_fill(big, 1237 * 1103, 0);
	toy_fill(a, 35, 1);
	toy_fill(b, 21, 2);
	toy_fill(v, 7, 3);
	toy_fill(rows, 63, 4);
	float *w = written(file, "big", &n);
	assert_int_equal(n, 1237 * 1103);
	for (size_t i = 0; i < 1103; i++)
		for (size_t k = 0; k < 1237; k++)
			if (w[i * 1237 + k] != big[k * 1103 + i])
				fail_msg("big[%zu, %zu]", i, k);
	free(w);
	w = written(file, "ab", &n);
	assert_int_equal(n, 56);
	for (size_t i = 0; i < 7; i++)
		for (size_t k = 0; k < 8; k++)
			assert_true(w[i * 8 + k] == (k < 5 ? a[k * 7 + i] : b[(k - 5) * 7 + i]));
	free(w);
	w = written(file, "v", &n);
	for (size_t i = 0; i < 7; i++)
		assert_true(w[i] == v[i] * 2.0f + 1.0f);
	free(w);
	w = written(file, "rows", &n);
	assert_int_equal(n, 28);
	assert_memory_equal(w, rows + 14, 28 * sizeof(float));
	free(w);
}

static void test_emit__transforms(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_emitted out[2];
	size_t n;
	(void)state;
	emit(describe(&t), "model.onnx", OG_EXTERNAL_AUTO, 2, out, &n);
	assert_int_equal(n, 1);
	expect_numbers("model.onnx");
	toy_builder_free(&t);
}

static void test_emit__external_data(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_emitted out[2];
	size_t n;
	char again[65];
	(void)state;
	emit(describe(&t), "model.onnx", OG_EXTERNAL_ALWAYS, 2, out, &n);
	assert_int_equal(n, 2);
	assert_string_equal(out[0].name, "model.onnx_data");
	assert_int_equal(og_sha256_file(scratch("model.onnx_data"), NULL, again, NULL), OG_OK);
	assert_string_equal(out[0].sha256, again);
	expect_numbers("model.onnx");
	toy_builder_free(&t);
}

static void test_emit__same_bytes_whatever_the_threads(void **state)
{
	char first[65] = "", again[65];
	(void)state;
	for (int threads = 1; threads <= 8; threads *= 2) {
		toy_build t = toy_builder(weights, OG_COUNT(weights));
		og_emitted out[2];
		size_t n;
		emit(describe(&t), "model.onnx", OG_EXTERNAL_NEVER, threads, out, &n);
		assert_int_equal(og_sha256_file(scratch("model.onnx"), NULL, again, NULL), OG_OK);
		assert_string_equal(out[0].sha256, again);
		if (first[0])
			assert_string_equal(first, again);
		memcpy(first, again, sizeof(first));
		toy_builder_free(&t);
	}
}

static void test_emit__a_cancelled_emission_leaves_nothing(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	int cancel = 1;
	og_context ctx = { .threads = 2, .cancel = &cancel };
	og_emitted out[2];
	size_t n;
	(void)state;
	assert_int_equal(og_emit(describe(&t), scratch_dir, "model.onnx", &(og_emit_options){ OG_EXTERNAL_AUTO, true }, &ctx, out, &n, NULL), ONNXGATE_CANCELLED);
	assert_int_equal(scratch_count(scratch_dir), 1); /* the checkpoint */
	toy_builder_free(&t);
}

static void test_emit__a_checkpoint_that_shrank_is_an_error(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_context ctx = { .threads = 2 };
	og_emitted out[2];
	size_t n;
	og_error err = { 0 };
	og_model *m = describe(&t);
	(void)state;
	assert_int_equal(truncate(scratch("model.safetensors"), 1000), 0);
	assert_int_equal(og_emit(m, scratch_dir, "model.onnx", &(og_emit_options){ OG_EXTERNAL_AUTO, true }, &ctx, out, &n, &err), ONNXGATE_FORMAT);
	assert_int_equal(scratch_count(scratch_dir), 1);
	toy_builder_free(&t);
}

/* Two runs of external bytes: each begins a page, small ones stay, and the digest covers the gap between. */
static void test_emit__external_data_begins_pages(void **state)
{
	const toy_weight two[] = { { "m", 2, { 20, 20 } }, { "n", 2, { 20, 30 } }, { "small", 1, { 30 } } };
	toy_build t = toy_builder(two, OG_COUNT(two));
	og_emitted out[2];
	size_t n;
	char again[65];
	uint64_t size;
	(void)state;
	og_val x = og_matmul(t.b, og_input(t.b, "x", OG_F32, "batch_size", "20"), og_weight(t.b, "m", 20, 20));
	og_output(t.b, "y", og_add(t.b, og_matmul(t.b, x, og_weight(t.b, "n", 20, 30)), og_weight(t.b, "small", 30)));
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	emit(m, "model.onnx", OG_EXTERNAL_ALWAYS, 2, out, &n);
	assert_int_equal(out[0].size, 4096 + 2400);
	assert_int_equal(og_file_size(scratch("model.onnx"), &size, NULL), OG_OK);
	assert_true(size > 120 && size < 4096);
	assert_int_equal(og_sha256_file(scratch("model.onnx_data"), NULL, again, NULL), OG_OK);
	assert_string_equal(out[0].sha256, again);
	toy_builder_free(&t);
}

static void test_emit__more_than_a_protobuf_holds_goes_beside_it(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_layout l;
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "4096");
	og_output(t.b, "y", og_matmul(t.b, x, og_weight(t.b, "w", 4096, 200000)));
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	assert_int_equal(og_layout_make(m, OG_EXTERNAL_NEVER, "d", &l, NULL), ONNXGATE_UNSUPPORTED);
	assert_int_equal(og_layout_make(m, OG_EXTERNAL_AUTO, "d", &l, NULL), OG_OK);
	assert_int_equal(l.data_size, (uint64_t)4096 * 200000 * 4);
	og_layout_done(&l);
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_emit__transforms),
		SCRATCH_TEST(test_emit__external_data),
		SCRATCH_TEST(test_emit__same_bytes_whatever_the_threads),
		SCRATCH_TEST(test_emit__a_cancelled_emission_leaves_nothing),
		SCRATCH_TEST(test_emit__a_checkpoint_that_shrank_is_an_error),
		SCRATCH_TEST(test_emit__external_data_begins_pages),
		SCRATCH_TEST(test_emit__more_than_a_protobuf_holds_goes_beside_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
