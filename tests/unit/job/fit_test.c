/* SPDX-License-Identifier: Apache-2.0
 *
 * Files made here, field by field: which task they fit, and which data files they name. */
#include "fixture.h"

#include "codec/wire.h"
#include "job/fit.h"

#define MAX 65536

static void put_sub(og_buf *b, uint32_t number, og_buf *sub)
{
	og_wire_put_bytes(b, number, sub->p, sub->n);
	og_buf_done(sub);
}

/* ValueInfoProto: name, then type { tensor_type { elem_type, shape { dim … } } }; dim -1: symbolic. */
static void put_value(og_buf *graph, uint32_t number, const char *name, int rank, const int64_t *dims)
{
	og_buf value, type, tensor, shape, dim;
	og_buf_init(&value, MAX), og_buf_init(&type, MAX), og_buf_init(&tensor, MAX), og_buf_init(&shape, MAX);
	for (int i = 0; i < rank; i++) {
		og_buf_init(&dim, MAX);
		if (dims[i] < 0)
			og_wire_put_str(&dim, 2, "n");
		else
			og_wire_put_i64(&dim, 1, dims[i]);
		put_sub(&shape, 1, &dim);
	}
	og_wire_put_u64(&tensor, 1, 1);
	put_sub(&tensor, 2, &shape);
	put_sub(&type, 1, &tensor);
	og_wire_put_str(&value, 1, name);
	put_sub(&value, 2, &type);
	put_sub(graph, number, &value);
}

static void put_external(og_buf *graph, const char *name, const char *location)
{
	og_buf tensor, pair;
	og_buf_init(&tensor, MAX), og_buf_init(&pair, MAX);
	og_wire_put_u64(&tensor, 1, 4);
	og_wire_put_u64(&tensor, 2, 1);
	og_wire_put_str(&tensor, 8, name);
	og_wire_put_str(&pair, 1, "location");
	og_wire_put_str(&pair, 2, location);
	put_sub(&tensor, 13, &pair);
	og_wire_put_u64(&tensor, 14, 1);
	put_sub(graph, 5, &tensor);
}

static void put_model(const char *file, og_buf *graph, uint64_t opset)
{
	og_buf model, import;
	og_buf_init(&model, MAX), og_buf_init(&import, MAX);
	og_wire_put_u64(&model, 1, 8);
	og_wire_put_str(graph, 2, "g");
	put_sub(&model, 7, graph);
	og_wire_put_str(&import, 1, "");
	og_wire_put_u64(&import, 2, opset);
	put_sub(&model, 8, &import);
	assert_int_equal(og_file_write(at(file), model.p, model.n, NULL), OG_OK);
	og_buf_done(&model);
}

static const int64_t two[] = { -1, -1 };

static bool plain; /* the transformer of a sentence-transformers model is wanted, and nothing instead of its output */

/* One input and one output: the status of the one row, or -1 when there is none. */
static int fits_with(const char *input, int input_rank, const char *task, const char *output, int rank, int64_t last, int64_t vocab)
{
	static const int64_t any[] = { -1, -1, -1, -1 };
	og_buf graph;
	int64_t dims[4] = { -1, -1, -1, -1 };
	og_auto(og_arena) *a = og_arena_new();
	og_checks c;
	og_fit_facts f;
	og_error err = { 0 };
	dims[rank - 1] = last;
	og_buf_init(&graph, MAX);
	put_value(&graph, 11, input, input_rank, any);
	put_value(&graph, 12, output, rank, dims);
	put_model("m.onnx", &graph, 18);
	og_checks_init(&c, a);
	assert_int_equal(og_fit_read(at("m.onnx"), a, &f, &err), OG_OK);
	assert_int_equal(og_fit_check(&f, &(og_fit_wish){ .task = task, .vocab_size = vocab, .plain = plain }, &c, &err), OG_OK);
	assert_true(c.count <= 1);
	return c.count ? (int)c.rows[0].status : -1;
}

static int fits(const char *task, const char *output, int rank, int64_t last, int64_t vocab)
{
	return fits_with("input_ids", og_streq(task, "multiple-choice") ? 3 : 2, task, output, rank, last, vocab);
}

static void test_fit__images(void **state)
{
	(void)state;
	assert_int_equal(fits_with("pixel_values", 4, "feature-extraction", "last_hidden_state", 3, 32, 0), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits_with("pixel_values", 3, "feature-extraction", "last_hidden_state", 3, 32, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("pixel_values", 4, "feature-extraction", "logits", 2, 32, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("pixel_values", 4, "image-classification", "logits", 2, 9, 0), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits_with("pixel_values", 4, "image-classification", "logits", 3, 9, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("input_ids", 2, "image-classification", "logits", 2, 9, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("pixel_values", 4, "text-classification", "logits", 2, 9, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("pixel_values", 4, "masked-im", "reconstruction", 4, 9, 0), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits_with("pixel_values", 4, "masked-im", "logits", 2, 9, 0), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits_with("mystery", 2, "feature-extraction", "last_hidden_state", 3, 32, 0), ONNXGATE_CHECK_FAIL);
}

static void test_fit__outputs_of_each_task(void **state)
{
	(void)state;
	assert_int_equal(fits("feature-extraction", "last_hidden_state", 3, 32, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("feature-extraction", "token_embeddings", 3, 32, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("feature-extraction", "logits", 3, 32, 100), ONNXGATE_CHECK_FAIL);
	plain = true;
	assert_int_equal(fits("feature-extraction", "token_embeddings", 3, 32, 100), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits("feature-extraction", "last_hidden_state", 3, 32, 100), ONNXGATE_CHECK_PASS);
	plain = false;
	assert_int_equal(fits("feature-extraction", "last_hidden_state", 2, 32, 100), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits("fill-mask", "logits", 3, 100, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("fill-mask", "logits", 3, -1, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("fill-mask", "logits", 3, 9, 100), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits("token-classification", "logits", 3, 9, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("token-classification", "logits", 3, 100, 100), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits("text-classification", "logits", 2, 2, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("text-classification", "logits", 3, 2, 100), ONNXGATE_CHECK_FAIL);
	assert_int_equal(fits("question-answering", "start_logits", 2, -1, 100), ONNXGATE_CHECK_FAIL); /* end_logits is missing */
	assert_int_equal(fits("multiple-choice", "logits", 2, -1, 100), ONNXGATE_CHECK_PASS);
	assert_int_equal(fits("something-else", "logits", 2, -1, 100), -1);
}

static void test_fit__opset(void **state)
{
	(void)state;
	og_auto(og_arena) *a = og_arena_new();
	og_buf graph;
	og_fit_facts f;
	og_checks c;
	og_buf_init(&graph, MAX);
	put_value(&graph, 12, "y", 2, two);
	put_model("m.onnx", &graph, 14);
	og_checks_init(&c, a);
	assert_int_equal(og_fit_read(at("m.onnx"), a, &f, NULL), OG_OK);
	assert_int_equal(f.opset, 14);
	assert_int_equal(og_fit_check(&f, &(og_fit_wish){ .opset = 14 }, &c, NULL), OG_OK);
	assert_int_equal(c.count, 0);
	assert_int_equal(og_fit_check(&f, &(og_fit_wish){ .opset = 18 }, &c, NULL), OG_OK);
	assert_int_equal(c.rows[0].status, ONNXGATE_CHECK_FAIL);
}

static void test_fit__data_files_once_each(void **state)
{
	(void)state;
	og_auto(og_arena) *a = og_arena_new();
	og_buf graph;
	og_fit_facts f;
	og_buf_init(&graph, MAX);
	put_external(&graph, "a", "model.onnx_data");
	put_external(&graph, "b", "other.bin");
	put_external(&graph, "c", "model.onnx_data");
	put_model("m.onnx", &graph, 18);
	assert_int_equal(og_fit_read(at("m.onnx"), a, &f, NULL), OG_OK);
	assert_int_equal(f.ndata, 2);
	assert_string_equal(f.data[0], "model.onnx_data");
	assert_string_equal(f.data[1], "other.bin");
}

static void test_fit__no_onnx(void **state)
{
	(void)state;
	og_auto(og_arena) *a = og_arena_new();
	og_fit_facts f;
	og_error err = { 0 };
	put("m.onnx", "<html>not found</html>");
	assert_int_equal(og_fit_read(at("m.onnx"), a, &f, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "m.onnx"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fit__outputs_of_each_task),
		TEST(test_fit__images),
		TEST(test_fit__opset),
		TEST(test_fit__data_files_once_each),
		TEST(test_fit__no_onnx),
	};
	return cmocka_run_group_tests_name("job/fit", tests, NULL, NULL);
}
