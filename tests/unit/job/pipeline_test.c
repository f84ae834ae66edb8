/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file's name asks for, and requests that contradict themselves. */
#include "fixture.h"

#include "job/pipeline.h"

static void test_pipeline__variant_names(void **state)
{
	(void)state;
	static const struct {
		const char *file, *dtype, *stem;
	} cases[] = {
		{ "model.onnx", NULL, "model" },
		{ "onnx/model_fp16.onnx", "fp16", "model" },
		{ "model_quantized.onnx", "int8", "model" },
		{ "model_uint8.onnx", "uint8", "model" },
		{ "model_q4f16.onnx", "q4f16", "model" },
		{ "model_q4.onnx", "q4", "model" },
		{ "decoder_model_merged_bnb4.onnx", "bnb4", "decoder_model_merged" },
		{ "onnx/model_qint8_avx512_vnni.onnx", "int8", "model" },
		{ "model_quint8_avx2.onnx", "uint8", "model" },
		{ "model_O3.onnx", NULL, "model_O3" },
		{ "_fp16.onnx", NULL, "_fp16" },
		{ "fp16/model.onnx", NULL, "model" },
	};
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		size_t n = 0;
		const char *dtype = og_variant_dtype(cases[i].file, &n);
		if (cases[i].dtype)
			assert_string_equal(dtype, cases[i].dtype);
		else
			assert_null(dtype);
		assert_int_equal(n, strlen(cases[i].stem));
	}
	assert_string_equal(og_variant_suffix(NULL), "");
	assert_string_equal(og_variant_suffix("fp32"), "");
	assert_string_equal(og_variant_suffix("fp16"), "_fp16");
	assert_null(og_variant_suffix("f99"));
}

static og_status begin_with(onnxgate_request q, og_run *run, og_error *err)
{
	static onnxgate g;
	og_result *r = og_result_new("verify");
	og_result_request(r, &q);
	og_status st = og_run_begin(run, &g, &q, r, r->arena, err);
	og_result_free(r);
	return st;
}

static void test_pipeline__requests_that_are_refused(void **state)
{
	(void)state;
	og_run run;
	og_error err = { 0 };
	onnxgate_request q = ONNXGATE_REQUEST_INIT;
	q.file = "model_fp16.onnx";
	assert_int_equal(begin_with(q, &run, &err), OG_OK);
	assert_string_equal(run.dtype, "fp16");
	q.dtype = "fp16";
	assert_int_equal(begin_with(q, &run, &err), OG_OK);
	q.dtype = "fp32";
	assert_int_equal(begin_with(q, &run, &err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.message, "fp16"));
	q = (onnxgate_request)ONNXGATE_REQUEST_INIT;
	q.file = "../model.onnx";
	assert_int_equal(begin_with(q, &run, &err), ONNXGATE_INVALID);
	q.file = "/etc/passwd";
	assert_int_equal(begin_with(q, &run, &err), ONNXGATE_INVALID);
	q.file = NULL;
	q.validate = ONNXGATE_VALIDATE_REFERENCE;
	assert_int_equal(begin_with(q, &run, &err), ONNXGATE_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pipeline__variant_names),
		TEST(test_pipeline__requests_that_are_refused),
	};
	return cmocka_run_group_tests_name("job/pipeline", tests, NULL, NULL);
}
