/* SPDX-License-Identifier: Apache-2.0
 *
 * The choice of the task, the companions, and the read-back, which must find what an emission could do wrong. */
#include "../graph/strided_toy.h"

#include "base/str.h"
#include "convert/convert_int.h"
#include "graph/emit.h"
#include "graph/lower.h"
#include "graph/ops.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- tasks ---- */

static og_status plan(const char *config, const char *task, og_arena *a, og_plan **p, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	assert_int_equal(og_json_parse("config.json", config, strlen(config), &doc, NULL), OG_OK);
	return og_plan_make(doc, false, NULL, &(og_convert_options){ .task = task }, a, p, err);
}

static void expect_task(const char *config, const char *asked, const char *task)
{
	og_auto(og_arena) *a = og_arena_new();
	og_plan *p;
	og_error err = { 0 };
	if (plan(config, asked, a, &p, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_string_equal(p->task, task);
	assert_true(p->task_reason && p->task_reason[0]);
}

static void expect_error(og_status code, const char *config, const char *asked, const char *part)
{
	og_auto(og_arena) *a = og_arena_new();
	og_plan *p;
	og_error err = { 0 };
	assert_int_equal(plan(config, asked, a, &p, &err), code);
	if (!strstr(err.message, part))
		fail_msg("%s", err.message);
}

static void expect_refusal(const char *config, const char *asked, const char *part)
{
	expect_error(ONNXGATE_UNSUPPORTED, config, asked, part);
}

#define BERT(class) "{\"model_type\": \"bert\", \"architectures\": [\"" class "\"]}"

static void test_convert__task_is_the_class_of_the_config(void **state)
{
	(void)state;
	expect_task(BERT("BertModel"), NULL, "feature-extraction");
	expect_task(BERT("BertForMaskedLM"), NULL, "fill-mask");
	expect_task(BERT("BertForPreTraining"), NULL, "fill-mask");
	expect_task(BERT("BertForMultipleChoice"), NULL, "multiple-choice");
	expect_task("{\"model_type\": \"bert\"}", NULL, "feature-extraction");
	expect_task("{\"model_type\": \"bert\", \"architectures\": null}", NULL, "feature-extraction");
}

static void test_convert__names_of_the_config_have_their_types(void **state)
{
	(void)state;
	expect_error(ONNXGATE_FORMAT, "{\"model_type\": 7}", NULL, "model_type: expected a name, found 7");
	expect_error(ONNXGATE_FORMAT, "{\"model_type\": \"\"}", NULL, "model_type: expected a name, found \"\"");
	expect_error(ONNXGATE_FORMAT, "{\"architectures\": []}", NULL, "model_type: missing");
	expect_error(ONNXGATE_FORMAT, "[]", NULL, "config.json: expected an object");
	expect_error(ONNXGATE_FORMAT, "{\"model_type\": \"bert\", \"architectures\": \"BertModel\"}", NULL, "architectures: expected a list");
	expect_error(ONNXGATE_FORMAT, "{\"model_type\": \"bert\", \"architectures\": [7]}", NULL, "found [ 7 ]");
	expect_error(ONNXGATE_FORMAT, "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\", null]}", "fill-mask", "architectures: expected a list");
}

static void test_convert__task_asked_for(void **state)
{
	(void)state;
	expect_task(BERT("BertForMaskedLM"), "feature-extraction", "feature-extraction");
	expect_task(BERT("BertForMaskedLM"), "masked-lm", "fill-mask");
	expect_refusal(BERT("BertModel"), "fill-mask", "needs head weights, but the checkpoint is of class BertModel");
	expect_refusal(BERT("BertForMaskedLM"), "text-classification", "needs head weights");
	expect_refusal(BERT("MyBert"), "fill-mask", "needs head weights, but the checkpoint is of class MyBert");
	expect_task(BERT("MyBert"), "feature-extraction", "feature-extraction");
	expect_task("{\"model_type\": \"bert\"}", "text-classification", "text-classification"); /* no class contradicts it */
	expect_refusal(BERT("BertModel"), "image-classification", "is not done for bert");
	expect_refusal(BERT("BertLMHeadModel"), NULL, "class BertLMHeadModel is not done");
	expect_refusal("{\"model_type\": \"brrt\"}", NULL, "architecture brrt is not done");
}

static void test_convert__task_options_are_checked(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_json) *doc = NULL;
	og_plan *p;
	(void)state;
	assert_int_equal(og_json_parse("config.json", BERT("BertModel"), strlen(BERT("BertModel")), &doc, NULL), OG_OK);
	assert_int_equal(og_plan_make(doc, false, NULL, &(og_convert_options){ .opset = 99 }, a, &p, NULL), ONNXGATE_UNSUPPORTED);
	assert_int_equal(og_plan_make(doc, false, NULL, &(og_convert_options){ .dtype = "int3" }, a, &p, NULL), ONNXGATE_UNSUPPORTED);
	assert_int_equal(og_plan_make(doc, false, NULL, &(og_convert_options){ .layout = "flat" }, a, &p, NULL), ONNXGATE_INVALID);
	assert_int_equal(og_plan_make(doc, false, NULL, &(og_convert_options){ .type = "vit" }, a, &p, NULL), ONNXGATE_MISMATCH);
	assert_int_equal(og_plan_make(doc, false, NULL, &(og_convert_options){ .layout = "transformersjs" }, a, &p, NULL), OG_OK);
	assert_string_equal(p->main_file, "onnx/model.onnx");
}

static void expect_note(const og_plan *p, const char *part)
{
	for (size_t i = 0; i < p->nnotes; i++)
		if (strstr(p->notes[i], part))
			return;
	fail_msg("no note says %s", part);
}

static void test_convert__what_the_config_leaves_out_is_told(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	og_plan *p;
	(void)state;
	assert_int_equal(plan("{\"architectures\": [\"BertForMaskedLM\"]}", NULL, a, &p, NULL), OG_OK);
	assert_string_equal(p->model_type, "bert");
	expect_note(p, "names no model_type; its class BertForMaskedLM is one of bert");
	assert_int_equal(plan("{\"model_type\": \"bert\"}", "token-classification", a, &p, NULL), OG_OK);
	expect_note(p, "names no class: the tensors are taken for those of BertForTokenClassification");
	assert_int_equal(plan(BERT("MyBert"), "feature-extraction", a, &p, NULL), OG_OK);
	expect_note(p, "the class MyBert is not known");
	assert_int_equal(plan(BERT("BertForMaskedLM"), NULL, a, &p, NULL), OG_OK);
	assert_int_equal(p->nnotes, 0);
}

/* ---- the architecture, by the tensors' names ---- */

static og_status plan_by_names(const char *const *names, size_t n, og_arena *a, og_plan **p, og_error *err)
{
	toy_weight w[4] = { { 0 } };
	og_auto(og_json) *doc = NULL;
	for (size_t i = 0; i < n; i++)
		w[i] = (toy_weight){ .name = names[i], .rank = 1, .dims = { 1 } };
	og_auto(og_checkpoint) *c = toy_checkpoint(w, n);
	assert_int_equal(og_json_parse("config.json", "{}", 2, &doc, NULL), OG_OK);
	return og_plan_make(doc, false, c, &(og_convert_options){ 0 }, a, p, err);
}

#define WORDS "embeddings.word_embeddings.weight"
#define QUERY "encoder.layer.0.attention.self.query.weight"

static void test_convert__the_tensors_tell_the_architecture(void **state)
{
	static const char *const found[][3] = { { WORDS, QUERY }, { "bert." WORDS, "bert." QUERY, "cls.predictions.bias" }, { "module." WORDS, "module." QUERY },
		{ "bert." WORDS, "bert." QUERY, "albert.x" } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(found); i++) {
		og_auto(og_arena) *a = og_arena_new();
		og_plan *p;
		og_error err = { 0 };
		if (plan_by_names(found[i], found[i][2] ? 3 : 2, a, &p, &err) != OG_OK)
			fail_msg("%zu: %s", i, err.message);
		assert_string_equal(p->model_type, "bert");
		expect_note(p, "the tensors are those of bert");
	}
}

static void test_convert__names_that_tell_nothing_are_refused(void **state)
{
	static const char *const strange[][2] = { { WORDS, "bert." QUERY }, { "other." WORDS, "other." QUERY },
		{ WORDS, "encoder.layer.1.attention.self.query.weight" } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(strange); i++) {
		og_auto(og_arena) *a = og_arena_new();
		og_plan *p;
		og_error err = { 0 };
		assert_int_equal(plan_by_names(strange[i], 2, a, &p, &err), ONNXGATE_UNSUPPORTED);
		assert_non_null(strstr(err.message, "no architecture that is done"));
		assert_non_null(strstr(err.hint, "--type"));
	}
}

#define GROUP "encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"

/* Bare names of two families: nobody can know. A prefix of one of them tells. */
static void test_convert__names_of_two_families_are_refused(void **state)
{
	static const char *const both[] = { WORDS, QUERY, GROUP }, *const one[] = { WORDS, GROUP, "bert." WORDS, "bert." QUERY },
		*const other[] = { WORDS, QUERY, "albert." WORDS, "albert." GROUP };
	og_auto(og_arena) *a = og_arena_new();
	og_plan *p;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(plan_by_names(both, 3, a, &p, &err), ONNXGATE_FORMAT);
	assert_true(strstr(err.message, "fit albert, bert") || strstr(err.message, "fit bert, albert"));
	assert_non_null(strstr(err.hint, "--type"));
	assert_int_equal(plan_by_names(one, 4, a, &p, &err), OG_OK);
	assert_string_equal(p->model_type, "bert");
	assert_int_equal(plan_by_names(other, 4, a, &p, &err), OG_OK);
	assert_string_equal(p->model_type, "albert");
}

/* ---- companions ---- */

static void test_convert__companions_by_name(void **state)
{
	(void)state;
	assert_string_equal(og_convert_role("tokenizer.json"), "tokenizer");
	assert_string_equal(og_convert_role("LICENSE.txt"), "license");
	assert_string_equal(og_convert_role("model.onnx_data"), "data");
	assert_null(og_convert_role("model.safetensors"));
	assert_null(og_convert_role("1_Pooling/config.json"));
	assert_true(og_convert_wants("modules.json"));
	assert_false(og_convert_wants("training_args.bin"));
}

/* ---- the read-back ---- */

static const toy_weight square[] = { { "w", 2, { 64, 64 } }, { "v", 1, { 64 } } };

static og_model *describe(toy_build *t, bool transpose)
{
	og_val x = og_input(t->b, "x", OG_F32, "batch_size", "64");
	og_val w = transpose ? og_weight_transposed(t->b, "w", 64, 64) : og_weight(t->b, "w", 64, 64);
	og_output(t->b, "y", og_add(t->b, og_matmul(t->b, x, w), og_weight(t->b, "v", 64)));
	og_model *m = toy_finish(t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	return m;
}

static uint64_t mismatches(const og_model *m, og_arena *a, const char **first, uint64_t weights)
{
	uint64_t positions = 0, wrong = 0;
	og_error err = { 0 };
	if (og_read_back(m, scratch("model.onnx"), NULL, &positions, &wrong, first, a, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(positions, 64 * weights);
	return wrong;
}

static void write_model(const og_model *m)
{
	og_emitted out[2];
	size_t n;
	assert_int_equal(og_emit(m, scratch_dir, "model.onnx", &(og_emit_options){ OG_EXTERNAL_AUTO, false }, NULL, out, &n, NULL), OG_OK);
}

static void test_convert__readback_a_right_file_passes(void **state)
{
	toy_build t = toy_builder(square, OG_COUNT(square));
	const char *first = NULL;
	og_model *m = describe(&t, true);
	(void)state;
	write_model(m);
	assert_int_equal(mismatches(m, t.arena, &first, 2), 0);
	toy_builder_free(&t);
}

/* A square matrix has the right shape either way: only the numbers tell. */
static void test_convert__readback_finds_a_wrongly_transposed_square_matrix(void **state)
{
	toy_build t = toy_builder(square, OG_COUNT(square));
	const char *first = NULL;
	og_model *right = describe(&t, true);
	(void)state;
	toy_another(&t);
	write_model(describe(&t, false));
	assert_true(mismatches(right, t.arena, &first, 2) > 50);
	assert_string_equal(first, "w");
	toy_builder_free(&t);
}

static void test_convert__readback_finds_a_shifted_weight(void **state)
{
	toy_build t = toy_builder(square, OG_COUNT(square));
	const char *first = NULL;
	og_model *m = describe(&t, true);
	uint8_t byte[1024];
	(void)state;
	write_model(m);
	uint64_t size;
	assert_int_equal(og_file_size(scratch("model.onnx"), &size, NULL), OG_OK);
	int fd = open(scratch("model.onnx"), O_RDWR); /* the middle of w, moved by one float */
	assert_int_equal(pread(fd, byte, sizeof(byte), (off_t)(size / 2)), sizeof(byte));
	assert_int_equal(pwrite(fd, byte, sizeof(byte), (off_t)(size / 2 + 4)), sizeof(byte));
	close(fd);
	assert_true(mismatches(m, t.arena, &first, 2) > 0);
	toy_builder_free(&t);
}

static void test_convert__readback_follows_stacks_and_affine_weights(void **state)
{
	const toy_weight two[] = { { "a", 2, { 5, 7 } }, { "b", 2, { 3, 7 } }, { "v", 1, { 8 } } };
	toy_build t = toy_builder(two, OG_COUNT(two));
	const char *first = NULL;
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "7");
	og_val ab = og_weight_stack(t.b, "ab", (const char *const[]){ "a", "b" }, (const int64_t[]){ 5, 3 }, 2, 7, true);
	og_output(t.b, "y", og_mul(t.b, og_matmul(t.b, x, ab), og_weight_affine(t.b, "v", (const int64_t[]){ 8 }, 1, 3.0f, 0.5f)));
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	write_model(m);
	assert_int_equal(mismatches(m, t.arena, &first, 2), 0);
	toy_builder_free(&t);
}

/* A fold is read back by its formula: with another g, or another vector, the file is found wrong. */
static void test_convert__readback_follows_folds(void **state)
{
	const toy_weight all[] = { { "v.weight_g", 3, { 1, 1, 5 } }, { "v.weight_v", 3, { 4, 2, 5 } }, { "s", 1, { 9 } }, { "r", 1, { 9 } }, { "t", 2, { 3, 4 } },
		{ "other", 3, { 1, 1, 5 } } };
	toy_build t = toy_builder(all, OG_COUNT(all));
	const char *first = NULL;
	(void)state;
	og_val x = og_input(t.b, "x", OG_F32, "batch_size", "2", "9"), y = og_input(t.b, "y", OG_F32, "1", "9"), v, s;
	OG_SCOPE(t.b, "v") v = og_weight_normed(t.b, "weight", (const int64_t[]){ 4, 2, 5 }, 3);
	og_output(t.b, "a", og_op(t.b, "Conv", (og_val[]){ x, v }, 2, NULL, 0));
	s = og_weight_softmax(t.b, "s", 9);
	og_output(t.b, "b", og_mul(t.b, y, s));
	og_output(t.b, "c", og_op(t.b, "Conv", (og_val[]){ x, og_weight_taps(t.b, "t", 3, 2, 2) }, 2, NULL, 0));
	og_output(t.b, "d", og_weight(t.b, "other", 1, 1, 5));
	og_model *m = toy_finish(&t);
	assert_int_equal(og_lower_opset(m, 18, NULL), OG_OK);
	write_model(m);
	assert_int_equal(mismatches(m, t.arena, &first, 4), 0);
	og_init *folded = og_model_value(m, v)->init;
	const og_tensor *g = folded->gain;
	folded->gain = og_checkpoint_find(t.checkpoint, "other");
	assert_true(mismatches(m, t.arena, &first, 4) > 50);
	assert_string_equal(first, "v.weight");
	folded->gain = g;
	first = NULL;
	og_model_value(m, s)->init->parts[0].tensor = og_checkpoint_find(t.checkpoint, "r");
	assert_true(mismatches(m, t.arena, &first, 4) > 50);
	assert_string_equal(first, "s");
	toy_builder_free(&t);
}

/* Weights in another order of the file: written right, and found wrong when the view is another one. */
static void test_convert__readback_follows_strides_and_byte_order(void **state)
{
	(void)state;
	for (int order = 0; order < TOY_ORDERS; order++) {
		toy_build t = toy_builder(square, OG_COUNT(square));
		const char *first = NULL;
		og_model *m = describe(&t, true);
		write_model(m);
		og_source *moved = toy_move(m, (toy_order)order, NULL);
		assert_int_equal(mismatches(m, t.arena, &first, 2), 0);
		og_tensor *w = (og_tensor *)(uintptr_t)m->inits[0]->parts[0].tensor;
		int64_t stride = w->strides[0];
		w->strides[0] = w->strides[1];
		w->strides[1] = stride;
		assert_true(mismatches(m, t.arena, &first, 2) > 50);
		assert_string_equal(first, "w");
		og_source_free(moved);
		toy_builder_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_convert__task_is_the_class_of_the_config),
		cmocka_unit_test(test_convert__names_of_the_config_have_their_types),
		cmocka_unit_test(test_convert__task_asked_for),
		cmocka_unit_test(test_convert__task_options_are_checked),
		cmocka_unit_test(test_convert__what_the_config_leaves_out_is_told),
		SCRATCH_TEST(test_convert__the_tensors_tell_the_architecture),
		SCRATCH_TEST(test_convert__names_that_tell_nothing_are_refused),
		SCRATCH_TEST(test_convert__names_of_two_families_are_refused),
		cmocka_unit_test(test_convert__companions_by_name),
		SCRATCH_TEST(test_convert__readback_a_right_file_passes),
		SCRATCH_TEST(test_convert__readback_finds_a_wrongly_transposed_square_matrix),
		SCRATCH_TEST(test_convert__readback_finds_a_shifted_weight),
		SCRATCH_TEST(test_convert__readback_follows_stacks_and_affine_weights),
		SCRATCH_TEST(test_convert__readback_follows_folds),
		SCRATCH_TEST(test_convert__readback_follows_strides_and_byte_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
