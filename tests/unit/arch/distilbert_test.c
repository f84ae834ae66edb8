/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that the config class knows by two names, and what is refused. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

static og_status describe(const char *keys, og_arena *arena, og_ledger **l, og_error *err)
{
	og_plan *p;
	og_model **models;
	size_t n;
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena, "{\"model_type\": \"distilbert\", \"architectures\": [\"DistilBertModel\"], \"vocab_size\": 5, "
		"\"hidden_dim\": 6, %s}", keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, l, err));
	return og_describe_files(p, *l, arena, &models, &n, err);
}

/* The layers and the width that are asked for. */
static void expect_sizes(const char *keys, int layers, int64_t width)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_ledger *l = NULL;
	og_error err = { 0 };
	size_t n;
	int found = 0;
	if (describe(keys, arena, &l, &err) != OG_OK)
		fail_msg("%s", err.message);
	const og_claim *c = og_ledger_claims(l, &n);
	for (size_t i = 0; i < n; i++)
		if (og_ends_with(c[i].name, ".attention.q_lin.weight")) {
			assert_int_equal(c[i].dims[0], width);
			found++;
		}
	assert_int_equal(found, layers);
}

static void test_distilbert__keys_have_two_names(void **state)
{
	(void)state;
	expect_sizes("\"dim\": 8, \"n_layers\": 2, \"n_heads\": 2", 2, 8);
	expect_sizes("\"hidden_size\": 8, \"num_hidden_layers\": 2, \"num_attention_heads\": 2", 2, 8);
	expect_sizes("\"hidden_size\": 8, \"dim\": 12, \"n_layers\": 1, \"num_hidden_layers\": 3, \"n_heads\": 2", 3, 8); /* as in attribute_map */
	expect_sizes("\"num_attention_heads\": 5, \"dim\": 10, \"n_heads\": 4", 6, 10);
	expect_sizes("\"n_layers\": 1", 1, 768);
}

static void expect_refusal(const char *keys, og_status code, const char *says)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_ledger *l = NULL;
	og_error err = { 0 };
	assert_int_equal(describe(keys, arena, &l, &err), code);
	if (!strstr(err.message, says))
		fail_msg("%s", err.message);
}

static void test_distilbert__what_is_not_done_is_refused_by_name(void **state)
{
	(void)state;
	expect_refusal("\"dim\": 10, \"n_heads\": 4", ONNXGATE_UNSUPPORTED, "10 is not divisible by 4 heads");
	expect_refusal("\"activation\": \"prelu\"", ONNXGATE_UNSUPPORTED, "activation: prelu has learned weights");
	expect_refusal("\"is_decoder\": true", ONNXGATE_UNSUPPORTED, "is_decoder: only false is done, found true");
	expect_refusal("\"hidden_size\": 0", ONNXGATE_FORMAT, "hidden_size: expected 1 to");
	expect_refusal("\"hidden_size\": null", ONNXGATE_FORMAT, "hidden_size: expected a whole number, found null");
	expect_refusal("\"num_hidden_layers\": 4097", ONNXGATE_FORMAT, "num_hidden_layers: expected 1 to 4096");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distilbert__keys_have_two_names),
		cmocka_unit_test(test_distilbert__what_is_not_done_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
