/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions of the real ONNX Runtime in its child process. */
#include "../toy_models.h"
#include "../toy_runtime.h"

#include "base/clock.h"

static void test_runtime__says_what_was_loaded(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	(void)state;

	assert_int_equal(strncmp(og_runtime_version(r), "onnxruntime 1.", 14), 0);
	assert_non_null(strstr(og_runtime_library(r), "libonnxruntime.so"));
	assert_int_equal(og_runtime_library(r)[0], '/');
	assert_non_null(strstr(og_runtime_providers(r), "CPUExecutionProvider"));
	assert_true(og_runtime_peak_memory(r) > (1u << 20));
}

static void test_runtime__describes_ports(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	const og_port *in, *out;
	(void)state;

	toy_decoder(scratch("model.onnx"), false);
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_inputs(s, &in), 4);
	assert_int_equal(og_session_outputs(s, &out), 2);
	assert_string_equal(in[0].name, "input_ids");
	assert_int_equal(in[0].dtype, OG_I64);
	assert_int_equal(in[0].rank, 2);
	assert_int_equal(in[0].dims[0], -1);
	assert_string_equal(in[0].symbols[1], "sequence_length");
	assert_string_equal(in[1].symbols[1], "past_sequence_length + sequence_length");
	assert_int_equal(in[3].dims[1], 1);
	assert_string_equal(in[3].symbols[1], "");
	assert_int_equal(out[0].dims[2], 20);
	assert_int_equal(out[1].rank, 4);
	assert_true(og_session_load_ms(s) > 0);
}

/* y = x·x, which can be computed by hand */
static og_array square_of(float *x, int64_t n)
{
	for (int64_t i = 0; i < n * n; i++)
		x[i] = (float)((i * 7) % 5 - 2);
	return (og_array){ .name = "pixel_values", .dtype = OG_F32, .rank = 2, .dims = { n, n }, .data = x, .size = (size_t)(n * n) * 4 };
}

static void test_runtime__runs_and_gives_the_right_numbers(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	float x[9];
	og_array in = square_of(x, 3), *out = NULL;
	size_t n = 0;
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	for (int again = 0; again < 3; again++) {
		assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, NULL), OG_OK);
		assert_int_equal(n, 1);
		assert_string_equal(out[0].name, "y");
		assert_int_equal(out[0].dtype, OG_F32);
		assert_int_equal(out[0].dims[0], 3);
		assert_int_equal(out[0].size, 36);
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 3; k++)
				assert_true(((float *)out[0].data)[3 * i + k] == x[3 * i] * x[k] + x[3 * i + 1] * x[3 + k] + x[3 * i + 2] * x[6 + k]);
	}
}

static void test_runtime__moves_arrays_larger_than_the_socket(void **state)
{
	enum { N = 700 }; /* 2 MB each way */
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_autofree float *x = og_array_alloc((size_t)N * N, sizeof(*x));
	og_array in = square_of(x, N), *out = NULL;
	size_t n = 0;
	float sum = 0;
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, NULL), OG_OK);
	for (int k = 0; k < N; k++)
		sum += x[(N - 1) * N + k] * x[k * N + N - 1];
	assert_true(((float *)out[0].data)[N * N - 1] == sum); /* small integers: exact in any order */
}

static void test_runtime__takes_dims_of_zero(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_array in = { .name = "pixel_values", .dtype = OG_F32, .rank = 2 }, *out = NULL;
	size_t n = 0;
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, NULL), OG_OK);
	assert_int_equal(out[0].size, 0);
	assert_int_equal(out[0].dims[1], 0);
}

static void expect_run(og_session *s, const og_array *in, size_t nin, og_status status, const char *message)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_array *out = NULL;
	og_error err = { 0 };
	size_t n = 0;

	assert_int_equal(og_session_run(s, in, nin, arena, &out, &n, &err), status);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
	assert_null(strchr(err.message, '\n'));
}

static void test_runtime__refuses_inputs_that_do_not_fit(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	float x[9];
	og_array in = square_of(x, 3), two[2] = { in, in };
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	expect_run(s, &in, 0, ONNXGATE_INVALID, "0 inputs given, expected 1");
	expect_run(s, two, 2, ONNXGATE_INVALID, "given twice");
	in.size = 32;
	expect_run(s, &in, 1, ONNXGATE_INVALID, "has 32 bytes, its dims make 36");
	in.size = 36;
	in.dims[0] = -3;
	expect_run(s, &in, 1, ONNXGATE_INVALID, "has 36 bytes");
	in.dims[0] = 3;
	in.dtype = OG_I32;
	expect_run(s, &in, 1, ONNXGATE_MISMATCH, "is int32, expected float32");
	in.dtype = OG_F32;
	in.rank = 1;
	expect_run(s, &in, 1, ONNXGATE_MISMATCH, "has 1 dims, expected 2");
	in.rank = 2;
	in.name = "x\n";
	expect_run(s, &in, 1, ONNXGATE_INVALID, "no input 'x\\x0");
}

static void test_runtime__an_error_while_running_names_the_node_and_leaves_the_session(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	float x[12] = { 0 };
	og_array in = { .name = "pixel_values", .dtype = OG_F32, .rank = 2, .dims = { 3, 4 }, .data = x, .size = sizeof(x) };
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	expect_run(s, &in, 1, ONNXGATE_FAILED, "model.onnx: run: ");
	expect_run(s, &in, 1, ONNXGATE_FAILED, "MatMul");
	in = square_of(x, 3);
	{
		og_auto(og_arena) *arena = og_arena_new();
		og_array *out = NULL;
		size_t n = 0;
		assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, NULL), OG_OK);
	}
}

static void expect_open(og_runtime *r, const char *path, og_status status, const char *message)
{
	og_session *s = NULL;
	og_error err = { 0 };

	assert_int_equal(og_session_open(r, path, NULL, &s, &err), status);
	assert_null(s);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
}

static void test_runtime__refuses_bad_files_and_goes_on(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	toy t;
	(void)state;

	expect_open(r, scratch("none.onnx"), ONNXGATE_NOT_FOUND, "no such file");
	scratch_write(scratch("bad.onnx"), "\x08\x08garbage");
	expect_open(r, scratch("bad.onnx"), ONNXGATE_FAILED, "bad.onnx: ONNX Runtime refuses it: ");
	toy_begin(&t);
	toy_input(&t, "x", OG_F32, "n");
	toy_node(&t, "NoSuchOperator", "x", "y", NULL);
	toy_output(&t, "y", OG_F32, "n");
	toy_write(&t, scratch("op.onnx"));
	expect_open(r, scratch("op.onnx"), ONNXGATE_FAILED, "NoSuchOperator");
	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	expect_open(r, scratch("model.onnx"), ONNXGATE_INVALID, "one session at a time");
}

static void test_runtime__refuses_types_that_it_does_not_do(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	char *text[1] = { NULL };
	og_array in = { .name = "x", .dtype = OG_STRING, .rank = 1, .dims = { 1 }, .data = text, .size = 8 };
	toy t;
	(void)state;

	toy_begin(&t);
	toy_input(&t, "x", OG_F32, "n");
	toy_node(&t, "SequenceConstruct", "x", "y", NULL);
	toy_output(&t, "y", OG_F32, NULL);
	toy_write(&t, scratch("sequence.onnx"));
	expect_open(r, scratch("sequence.onnx"), ONNXGATE_UNSUPPORTED, "output 'y' is a sequence, only tensors are done");
	toy_begin(&t);
	toy_input(&t, "x", OG_STRING, "n");
	toy_node(&t, "Identity", "x", "y", NULL);
	toy_output(&t, "y", OG_STRING, "n");
	toy_write(&t, scratch("text.onnx"));
	s = toy_session(r, scratch("text.onnx"));
	expect_run(s, &in, 1, ONNXGATE_UNSUPPORTED, "input 'x' holds string");
	og_session_free(og_steal(&s));
	toy_begin(&t);
	toy_input(&t, "x", OG_F32, "n");
	toy_node(&t, "Cast", "x", "y", "to=8");
	toy_output(&t, "y", OG_STRING, "n");
	toy_write(&t, scratch("cast.onnx"));
	s = toy_session(r, scratch("cast.onnx"));
	{
		float one = 1;
		og_array f = { .name = "x", .dtype = OG_F32, .rank = 1, .dims = { 1 }, .data = &one, .size = 4 };
		expect_run(s, &f, 1, ONNXGATE_UNSUPPORTED, "output 'y' has element type 8 (string)");
	}
}

static void test_runtime__times_runs_and_measures_memory(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	float x[9];
	og_array in = square_of(x, 3);
	double ms[20] = { 0 };
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_time(s, &in, 1, 2, 20, ms, NULL), OG_OK);
	for (int i = 0; i < 20; i++)
		assert_true(ms[i] > 0 && ms[i] < 10000);
	assert_true(og_session_time_peak(s) > (1u << 20));
	assert_true(og_runtime_peak_memory(r) >= og_session_time_peak(s));
	assert_int_equal(og_session_time(s, &in, 1, 0, 0, ms, NULL), ONNXGATE_INVALID);
	assert_int_equal(og_session_time(s, &in, 1, 0, 1 << 20, ms, NULL), ONNXGATE_INVALID);
}

static void test_runtime__a_long_measurement_may_take_longer_than_an_answer(void **state)
{
	enum { N = 256, RUNS = 100000 };
	og_auto(og_runtime) *r = toy_runtime(800);
	og_auto(og_session) *s = NULL;
	og_autofree float *x = og_array_alloc((size_t)N * N, sizeof(*x));
	og_autofree double *ms = og_array_alloc(RUNS, sizeof(*ms));
	og_array in = square_of(x, N);
	double begin, took = 0;
	int runs = 1000;
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	for (; took <= 800 && runs <= RUNS; runs *= 2) {
		begin = og_now_ms();
		assert_int_equal(og_session_time(s, &in, 1, 0, runs, ms, NULL), OG_OK);
		took = og_now_ms() - begin;
	}
	assert_true(took > 800);
}

static void test_runtime__a_freed_runtime_leaves_its_session_harmless(void **state)
{
	og_runtime *r = toy_runtime(0);
	og_auto(og_session) *s = NULL;
	float x[9];
	og_array in = square_of(x, 3);
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	og_runtime_free(r);
	expect_run(s, &in, 1, ONNXGATE_INVALID, "its runtime is closed");
}

static void test_runtime__sessions_follow_one_another(void **state)
{
	og_auto(og_runtime) *r = toy_runtime(0);
	(void)state;

	toy_square(scratch("a.onnx"));
	toy_encoder(scratch("b.onnx"), TOY_RIGHT);
	for (int i = 0; i < 4; i++)
		og_session_free(toy_session(r, scratch(i % 2 ? "a.onnx" : "b.onnx")));
}

static void test_runtime__an_unknown_provider_is_refused_with_the_known_ones(void **state)
{
	og_runtime_options o = { .helper = toy_helper(), .provider = "MoonExecutionProvider" };
	og_runtime *probe = toy_runtime(0); /* skips or fails without a library */
	og_auto(og_runtime) *r = NULL;
	(void)state;

	og_runtime_free(probe);
	assert_int_equal(og_runtime_open(&o, NULL, &r, NULL), OG_OK);
	toy_square(scratch("model.onnx"));
	expect_open(r, scratch("model.onnx"), ONNXGATE_UNSUPPORTED, "MoonExecutionProvider is not in this library, which has ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_runtime__says_what_was_loaded),
		SCRATCH_TEST(test_runtime__describes_ports),
		SCRATCH_TEST(test_runtime__runs_and_gives_the_right_numbers),
		SCRATCH_TEST(test_runtime__moves_arrays_larger_than_the_socket),
		SCRATCH_TEST(test_runtime__takes_dims_of_zero),
		SCRATCH_TEST(test_runtime__refuses_inputs_that_do_not_fit),
		SCRATCH_TEST(test_runtime__an_error_while_running_names_the_node_and_leaves_the_session),
		SCRATCH_TEST(test_runtime__refuses_bad_files_and_goes_on),
		SCRATCH_TEST(test_runtime__refuses_types_that_it_does_not_do),
		SCRATCH_TEST(test_runtime__times_runs_and_measures_memory),
		SCRATCH_TEST(test_runtime__a_long_measurement_may_take_longer_than_an_answer),
		SCRATCH_TEST(test_runtime__a_freed_runtime_leaves_its_session_harmless),
		SCRATCH_TEST(test_runtime__sessions_follow_one_another),
		SCRATCH_TEST(test_runtime__an_unknown_provider_is_refused_with_the_known_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
