/* SPDX-License-Identifier: Apache-2.0
 *
 * A measurement of a toy model in the real runtime. */
#include "../toy_models.h"
#include "../toy_runtime.h"

#include "bench/bench.h"

static const og_input_facts facts = { .vocab_size = TOY_VOCAB, .type_vocab_size = 2, .max_positions = TOY_POSITIONS, .pad_token_id = 0, .end_token_id = -1 };

static void test_bench__gives_a_row_for_each_size(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_arena) *arena = og_arena_new();
	const int64_t batches[] = { 1, 3 }, lengths[] = { 4, 16 };
	og_bench_plan plan = { .path = scratch("model.onnx"), .model = "toy", .batch_sizes = batches, .nbatch_sizes = 2, .sequence_lengths = lengths,
		                   .nsequence_lengths = 2, .runs = 12, .warmup = 1, .threads = 1, .facts = &facts };
	onnxgate_bench_row *rows = NULL;
	og_error err = { 0 };
	size_t n = 0;
	(void)state;

	toy_encoder(plan.path, TOY_RIGHT);
	if (og_bench_run(r, &plan, NULL, arena, &rows, &n, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		const onnxgate_bench_row *w = &rows[i];
		assert_int_equal(w->batch_size, batches[i % 2]);
		assert_int_equal(w->sequence_length, lengths[i / 2]);
		assert_string_equal(w->length_of, "tokens");
		assert_int_equal(w->runs, 12);
		assert_int_equal(w->warmup, 1);
		assert_string_equal(w->model, "toy");
		assert_string_equal(w->dtype, "float32");
		assert_string_equal(w->hardware, "cpu");
		assert_string_equal(w->execution_provider, "CPUExecutionProvider");
		assert_int_equal(strncmp(w->runtime, "onnxruntime ", 12), 0);
		assert_true(w->latency_ms.min > 0 && w->latency_ms.min <= w->latency_ms.p50 && w->latency_ms.p50 <= w->latency_ms.p90);
		assert_true(w->latency_ms.p90 <= w->latency_ms.p95 && w->latency_ms.p95 <= w->latency_ms.p99 && w->latency_ms.p99 <= w->latency_ms.max);
		assert_true(w->latency_ms.mean >= w->latency_ms.min && w->latency_ms.mean <= w->latency_ms.max);
		assert_true(w->throughput > 0 && w->throughput * w->latency_ms.mean < 1001.0 * (double)w->batch_size);
		assert_true(w->load_ms > 0);
		assert_true(w->peak_memory > (1u << 20));
	}
}

static void test_bench__has_defaults_that_fit_the_model(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_arena) *arena = og_arena_new();
	og_bench_plan plan = { .path = scratch("model.onnx"), .facts = &facts };
	onnxgate_bench_row *rows = NULL;
	size_t n = 0;
	(void)state;

	toy_encoder(plan.path, TOY_RIGHT);
	assert_int_equal(og_bench_run(r, &plan, NULL, arena, &rows, &n, NULL), OG_OK);
	assert_int_equal(n, 4);
	assert_int_equal(rows[3].batch_size, 8);
	assert_int_equal(rows[3].sequence_length, TOY_POSITIONS);
	assert_int_equal(rows[3].runs, 50);
	assert_int_equal(rows[3].warmup, 5);
}

static void one_input(const char *name, const char *dims)
{
	toy t;
	toy_begin(&t);
	toy_input(&t, name, OG_F32, dims);
	toy_node(&t, "Identity", name, "y", NULL);
	toy_output(&t, "y", OG_F32, dims);
	toy_write(&t, scratch("model.onnx"));
}

static void expect_varied(const char *length_of, int64_t length)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_arena) *arena = og_arena_new();
	og_bench_plan plan = { .path = scratch("model.onnx"), .runs = 2, .warmup = 1 };
	onnxgate_bench_row *rows = NULL;
	size_t n = 0;
	assert_int_equal(og_bench_run(r, &plan, NULL, arena, &rows, &n, NULL), OG_OK);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_true(og_streq(rows[i].length_of, length_of));
		assert_int_equal(rows[i].sequence_length, length);
	}
}

static void expect_invalid(og_bench_plan plan, const char *message)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_arena) *arena = og_arena_new();
	onnxgate_bench_row *rows = NULL;
	og_error err = { 0 };
	size_t n = 0;

	plan.path = scratch("model.onnx");
	assert_int_equal(og_bench_run(r, &plan, NULL, arena, &rows, &n, &err), ONNXGATE_INVALID);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
}

static void test_bench__refuses_sizes_that_cannot_be(void **state)
{
	const int64_t zero[] = { 0 }, long_one[] = { TOY_POSITIONS + 1 }, two[] = { 2 };
	toy t;
	(void)state;

	toy_encoder(scratch("model.onnx"), TOY_RIGHT);
	expect_invalid((og_bench_plan){ .batch_sizes = zero, .nbatch_sizes = 1 }, "batch size 0");
	expect_invalid((og_bench_plan){ .sequence_lengths = zero, .nsequence_lengths = 1 }, "sequence length 0");
	expect_invalid((og_bench_plan){ .sequence_lengths = long_one, .nsequence_lengths = 1, .facts = &facts }, "the model has 24 positions");
	expect_invalid((og_bench_plan){ .runs = -1 }, "-1 runs");
	toy_begin(&t);
	toy_input(&t, "input_ids", OG_I64, "1,7");
	toy_node(&t, "Identity", "input_ids", "y", NULL);
	toy_output(&t, "y", OG_I64, "1,7");
	toy_write(&t, scratch("model.onnx"));
	expect_invalid((og_bench_plan){ .batch_sizes = two, .nbatch_sizes = 1 }, "batch size is 1 in the file, 2 was asked for");
	expect_invalid((og_bench_plan){ .sequence_lengths = two, .nsequence_lengths = 1 }, "sequence length is 7 in the file, 2 was asked for");
}

/* Sound has samples, and an image has nothing that could be longer. */
static void test_bench__names_what_is_varied(void **state)
{
	const int64_t lengths[] = { 8 };
	const og_input_facts sound = { .sound = { 9, 4 } };
	(void)state;
	one_input("input_values", "batch_size,sequence_length");
	expect_varied("samples", 16000);
	expect_invalid((og_bench_plan){ .sequence_lengths = lengths, .nsequence_lengths = 1, .facts = &sound }, "sequence length 8, the model needs 9 samples");
	one_input("pixel_values", "batch_size,3,4,6");
	expect_varied(NULL, 0);
	expect_invalid((og_bench_plan){ .sequence_lengths = lengths, .nsequence_lengths = 1 }, "it takes images alone");
}

static void test_bench__names_the_host(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	onnxgate_pair *p = NULL;
	size_t n = 0;
	(void)state;

	assert_int_equal(og_bench_host(arena, &p, &n, NULL), OG_OK);
	assert_int_equal(n, 4);
	assert_string_equal(p[0].key, "cpu");
	assert_true(strlen(p[0].value) > 2 && !strchr(p[0].value, '\n'));
	assert_true(strtol(p[1].value, NULL, 10) >= 1);
	assert_non_null(strstr(p[2].value, "GiB"));
	assert_int_equal(strncmp(p[3].value, "Linux ", 6), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_bench__gives_a_row_for_each_size),
		SCRATCH_TEST(test_bench__has_defaults_that_fit_the_model),
		SCRATCH_TEST(test_bench__refuses_sizes_that_cannot_be),
		SCRATCH_TEST(test_bench__names_what_is_varied),
		SCRATCH_TEST(test_bench__names_the_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
