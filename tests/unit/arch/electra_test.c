/* SPDX-License-Identifier: Apache-2.0
 *
 * The summary of a choice, the widening of narrow embeddings, the discriminator's class, and what is refused. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

typedef struct asked { /* a description: what it claims, and its graph */
	og_plan *plan;
	og_ledger *ledger;
	const og_model *model;
} asked;

static og_status describe(const char *class_name, const char *keys, og_arena *arena, asked *out, og_error *err)
{
	og_model **models;
	size_t n;
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena, "{\"model_type\": \"electra\", \"architectures\": [\"%s\"], \"vocab_size\": 5, \"hidden_size\": 8, "
		"\"num_attention_heads\": 2, \"num_hidden_layers\": 1, \"intermediate_size\": 6, %s}", class_name, keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, &out->plan, err));
	const og_plan_inner *in = out->plan->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &out->ledger, err));
	OG_TRY(og_describe_files(out->plan, out->ledger, arena, &models, &n, err));
	out->model = models[0];
	return OG_OK;
}

static bool claims(const asked *a, const char *name)
{
	size_t n;
	const og_claim *c = og_ledger_claims(a->ledger, &n);
	for (size_t i = 0; i < n; i++)
		if (og_streq(c[i].name, name))
			return true;
	return false;
}

static bool has_node(const asked *a, const char *op, const char *below)
{
	for (size_t i = 0; i < a->model->main->nnodes; i++)
		if (og_streq(a->model->main->nodes[i]->op, op) && og_starts_with(a->model->main->nodes[i]->name, below))
			return true;
	return false;
}

static void expect_summary(const char *keys, bool projected, const char *activation)
{
	static const char *const ops[] = { "Erf", "Tanh", "Relu" }; /* Erf: the default, gelu, as opset 18 has it */
	og_auto(og_arena) *arena = og_arena_new();
	og_error err = { 0 };
	asked a;
	if (describe("ElectraForMultipleChoice", keys, arena, &a, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(claims(&a, "sequence_summary.summary.weight"), projected);
	assert_int_equal(claims(&a, "sequence_summary.summary.bias"), projected);
	assert_true(claims(&a, "classifier.weight"));
	for (size_t i = 0; i < OG_COUNT(ops); i++)
		assert_int_equal(has_node(&a, ops[i], "/sequence_summary/"), og_streq(ops[i], activation));
}

static void test_electra__a_choice_is_summed_up_as_the_config_says(void **state)
{
	(void)state;
	expect_summary("\"summary_type\": \"first\"", true, "Erf");
	expect_summary("\"summary_activation\": \"tanh\", \"summary_first_dropout\": 0.5", true, "Tanh");
	expect_summary("\"summary_activation\": null", true, "");
	expect_summary("\"summary_activation\": \"\"", true, "");
	expect_summary("\"summary_use_proj\": false", false, "Erf");
	expect_summary("\"summary_use_proj\": false, \"summary_proj_to_labels\": true", false, "Erf");
	expect_summary("\"summary_proj_to_labels\": true, \"num_labels\": 8", true, "Erf");
	expect_summary("\"summary_type\": \"last\"", true, "Erf");
	expect_summary("\"summary_type\": \"mean\", \"summary_use_proj\": false", false, "Erf");
}

static void test_electra__the_vectors_of_a_choice_become_one_as_the_config_says(void **state)
{
	static const struct { const char *type, *op, *other; } rows[] = {
		{ "first", "Gather", "ReduceMean" }, { "last", "Gather", "ReduceMean" }, { "mean", "ReduceMean", "Gather" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		asked a;
		assert_int_equal(describe("ElectraForMultipleChoice", og_arena_printf(arena, "\"summary_type\": \"%s\"", rows[i].type), arena, &a, NULL), OG_OK);
		assert_true(has_node(&a, rows[i].op, "/sequence_summary/"));
		assert_false(has_node(&a, rows[i].other, "/sequence_summary/"));
		assert_int_equal(a.plan->facts.padding_counts != NULL, i > 0);
		assert_int_equal(a.plan->nnotes, i > 0);
	}
}

static void test_electra__only_narrow_embeddings_are_widened(void **state)
{
	static const struct {
		const char *keys;
		bool widened;
	} rows[] = { { "\"embedding_size\": 8", false }, { "\"embedding_size\": 4", true }, { "\"embedding_size\": 9", true }, { "\"num_labels\": 3", true } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_error err = { 0 };
		asked a;
		assert_int_equal(describe("ElectraModel", rows[i].keys, arena, &a, &err), OG_OK);
		assert_int_equal(claims(&a, "electra.embeddings_project.weight"), rows[i].widened);
	}
}

/* No task has the discriminator's head: the base model is what its checkpoint gives. */
static void test_electra__a_discriminator_gives_its_features(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_error err = { 0 };
	asked a;
	(void)state;
	assert_int_equal(describe("ElectraForPreTraining", "\"embedding_size\": 8", arena, &a, &err), OG_OK);
	assert_string_equal(a.plan->task, "feature-extraction");
	assert_false(claims(&a, "discriminator_predictions.dense.weight"));
}

static void expect_refusal(const char *class_name, const char *keys, og_status code, const char *says)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_error err = { 0 };
	asked a;
	assert_int_equal(describe(class_name, keys, arena, &a, &err), code);
	if (says && !strstr(err.message, says))
		fail_msg("%s", err.message);
}

static void test_electra__what_is_not_done_is_refused_by_name(void **state)
{
	static const char choice[] = "ElectraForMultipleChoice", text[] = "ElectraForSequenceClassification";
	(void)state;
	expect_refusal(choice, "\"summary_type\": \"cls_index\"", ONNXGATE_UNSUPPORTED,
		"summary_type: expected first, last or mean for multiple-choice, found cls_index");
	expect_refusal(choice, "\"summary_type\": \"attn\"", ONNXGATE_UNSUPPORTED, "found attn");
	expect_refusal(choice, "\"summary_type\": \"sum\"", ONNXGATE_UNSUPPORTED, "summary_type: expected one of first last");
	expect_refusal(choice, "\"summary_proj_to_labels\": true", ONNXGATE_UNSUPPORTED, "summary_proj_to_labels: expected false");
	expect_refusal(choice, "\"summary_activation\": \"prelu\"", ONNXGATE_UNSUPPORTED, "summary_activation: prelu has learned weights");
	expect_refusal(choice, "\"summary_activation\": false", ONNXGATE_FORMAT, "summary_activation: expected an activation's name");
	expect_refusal(choice, "\"hidden_act\": null", ONNXGATE_FORMAT, "hidden_act: expected an activation's name");
	expect_refusal(choice, "\"add_cross_attention\": true", ONNXGATE_UNSUPPORTED, "add_cross_attention: only false");
	expect_refusal("ElectraForCausalLM", "\"summary_type\": \"first\"", ONNXGATE_UNSUPPORTED, "class ElectraForCausalLM is not done for electra");
	expect_refusal(text, "\"summary_type\": \"last\", \"summary_proj_to_labels\": true", OG_OK, NULL); /* which it does not read */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_electra__a_choice_is_summed_up_as_the_config_says),
		cmocka_unit_test(test_electra__the_vectors_of_a_choice_become_one_as_the_config_says),
		cmocka_unit_test(test_electra__only_narrow_embeddings_are_widened),
		cmocka_unit_test(test_electra__a_discriminator_gives_its_features),
		cmocka_unit_test(test_electra__what_is_not_done_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
