/* SPDX-License-Identifier: Apache-2.0
 *
 * The second token: where it stands, which tokens an image is rebuilt from, and what a family of one token does instead. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

static og_status describe(const char *keys, og_arena *arena, const og_model **out, og_error *err)
{
	og_plan *p;
	og_ledger *l;
	og_model **models;
	size_t n;
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena,
		"{\"hidden_size\": 4, \"num_attention_heads\": 2, \"intermediate_size\": 6, \"num_hidden_layers\": 1, \"patch_size\": 2, %s}", keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, &models, &n, err));
	*out = models[0];
	return OG_OK;
}

/* The constant that input i of the one node of this operator is; several: those of the last. */
static int64_t constant_of(const og_model *m, const char *op, size_t i)
{
	int64_t v = -1;
	for (size_t k = 0; k < m->main->nnodes; k++)
		if (og_streq(m->main->nodes[k]->op, op))
			memcpy(&v, og_model_value(m, m->main->nodes[k]->in[i])->init->data, sizeof(v));
	return v;
}

/* 9 patches and the tokens before them: DeiT takes tokens 1 to 9 of 11, ViT tokens 1 to 9 of 10. */
static void test_deit__an_image_is_rebuilt_from_all_but_the_outer_tokens(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe("\"model_type\": \"deit\", \"architectures\": [\"DeiTForMaskedImageModeling\"], \"image_size\": 6", arena, &m, &err), OG_OK);
	assert_int_equal(constant_of(m, "Slice", 1), 1);
	assert_int_equal(constant_of(m, "Slice", 2), 10);
	assert_int_equal(describe("\"model_type\": \"vit\", \"architectures\": [\"ViTForMaskedImageModeling\"], \"image_size\": 6", arena, &m, &err), OG_OK);
	assert_int_equal(constant_of(m, "Slice", 1), 1);
	assert_true(constant_of(m, "Slice", 2) >= 10);
}

static void test_deit__one_classifier_reads_the_first_token_two_read_both(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe("\"model_type\": \"deit\", \"architectures\": [\"DeiTForImageClassification\"], \"image_size\": 6", arena, &m, &err), OG_OK);
	assert_int_equal(constant_of(m, "Gather", 1), 0);
	assert_int_equal(describe("\"model_type\": \"deit\", \"architectures\": [\"DeiTForImageClassificationWithTeacher\"], \"image_size\": 6", arena, &m, &err),
		OG_OK);
	assert_int_equal(constant_of(m, "Gather", 1), 1);
}

static bool has_node(const og_model *m, const char *name)
{
	for (size_t k = 0; k < m->main->nnodes; k++)
		if (og_streq(m->main->nodes[k]->name, name))
			return true;
	return false;
}

/* (The golden has none.) */
static void test_deit__queries_have_biases_unless_the_config_says_otherwise(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe("\"model_type\": \"deit\", \"image_size\": 6", arena, &m, &err), OG_OK);
	assert_true(has_node(m, "/deit/encoder/layer.0/attention/attention/query/Add"));
	assert_int_equal(describe("\"model_type\": \"deit\", \"image_size\": 6, \"qkv_bias\": false", arena, &m, &err), OG_OK);
	assert_true(has_node(m, "/deit/encoder/layer.0/attention/attention/query/MatMul"));
	assert_false(has_node(m, "/deit/encoder/layer.0/attention/attention/query/Add"));
}

static void test_deit__what_cannot_be_is_refused_by_name(void **state)
{
	static const struct {
		const char *keys, *says;
		og_status status;
	} rows[] = {
		{ "\"image_size\": 1", "an image of 1 × 1 is smaller than a patch of 2 × 2", ONNXGATE_UNSUPPORTED },
		{ "\"image_size\": [4, 6], \"architectures\": [\"DeiTForMaskedImageModeling\"]", "image_size and patch_size make 6 patches", ONNXGATE_UNSUPPORTED },
		{ "\"image_size\": [4, 6, 8]", "image_size: expected a whole number or [height, width]", ONNXGATE_FORMAT },
		{ "\"image_size\": {\"height\": 4, \"width\": 4}", "image_size: expected a whole number or [height, width]", ONNXGATE_FORMAT },
		{ "\"qkv_bias\": 1", "qkv_bias: expected true or false", ONNXGATE_FORMAT },
		{ "\"is_encoder_decoder\": true", "is_encoder_decoder: only false is done", ONNXGATE_UNSUPPORTED },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = NULL;
		og_error err = { 0 };
		assert_int_equal(describe(og_arena_printf(arena, "\"model_type\": \"deit\", %s", rows[i].keys), arena, &m, &err), rows[i].status);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s", err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deit__an_image_is_rebuilt_from_all_but_the_outer_tokens),
		cmocka_unit_test(test_deit__one_classifier_reads_the_first_token_two_read_both),
		cmocka_unit_test(test_deit__queries_have_biases_unless_the_config_says_otherwise),
		cmocka_unit_test(test_deit__what_cannot_be_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
