/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders: which task a class has and may be asked for, what is refused by name, and that what all layers share is made once. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

#include <math.h>

#define LLAMA \
	"\"vocab_size\": 11, \"hidden_size\": 8, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"num_hidden_layers\": 3, \"intermediate_size\": 6, " \
	"\"max_position_embeddings\": 16"
#define GPT2 "\"vocab_size\": 11, \"n_embd\": 8, \"n_head\": 4, \"n_layer\": 3, \"n_positions\": 16"

static og_status plan(const char *type, const char *class_name, const char *keys, const char *task, og_arena *arena, og_plan **p, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena, "{\"model_type\": \"%s\", \"architectures\": [\"%s\"], %s}", type, class_name, keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	return og_plan_make(doc, false, NULL, &(og_convert_options){ .task = task }, arena, p, err);
}

static og_status describe(const char *type, const char *class_name, const char *keys, og_arena *arena, const og_model **out, og_error *err)
{
	og_plan *p;
	og_ledger *l;
	og_model **models;
	size_t n;
	OG_TRY(plan(type, class_name, keys, NULL, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, &models, &n, err));
	*out = models[0];
	return OG_OK;
}

static const og_model *described(const char *type, const char *class_name, const char *keys, og_arena *arena)
{
	const og_model *m = NULL;
	og_error err = { 0 };
	if (describe(type, class_name, keys, arena, &m, &err) != OG_OK)
		fail_msg("%s: %s", type, err.message);
	return m;
}

static size_t count(const og_model *m, const char *op)
{
	size_t n = 0;
	for (size_t i = 0; i < m->main->nnodes; i++)
		n += og_streq(m->main->nodes[i]->op, op);
	return n;
}

static void test_decoder__a_class_has_its_first_task_and_may_be_asked_for_others(void **state)
{
	static const struct {
		const char *class_name, *asked, *task; /* task NULL: refused */
	} rows[] = {
		{ "LlamaForCausalLM", NULL, "text-generation-with-past" },
		{ "LlamaForCausalLM", "text-generation", "text-generation" },
		{ "LlamaForCausalLM", "text-generation-with-past", "text-generation-with-past" },
		{ "LlamaForCausalLM", "causal-lm", "text-generation" },
		{ "LlamaForCausalLM", "causal-lm-with-past", "text-generation-with-past" },
		{ "LlamaForCausalLM", "feature-extraction", "feature-extraction" },
		{ "LlamaForCausalLM", "default-with-past", "feature-extraction-with-past" },
		{ "LlamaForCausalLM", "text-classification", NULL },
		{ "LlamaModel", NULL, "feature-extraction" },
		{ "LlamaModel", "feature-extraction-with-past", "feature-extraction-with-past" },
		{ "LlamaModel", "text-generation", NULL },
		{ "LlamaModel", "fill-mask", NULL },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_plan *p = NULL;
		og_error err = { 0 };
		og_status s = plan("llama", rows[i].class_name, LLAMA, rows[i].asked, arena, &p, &err);
		if (s != (rows[i].task ? OG_OK : ONNXGATE_UNSUPPORTED) || (rows[i].task && !og_streq(p->task, rows[i].task)))
			fail_msg("%s asked for %s: %d %s", rows[i].class_name, rows[i].asked ? rows[i].asked : "nothing", (int)s, err.message);
	}
}

static void test_decoder__a_task_is_listed_by_its_whole_name(void **state)
{
	(void)state;
	assert_true(og_task_listed("fill-mask, text-generation", "text-generation"));
	assert_true(og_task_listed("fill-mask, text-generation", "fill-mask"));
	assert_false(og_task_listed("text-generation-with-past", "text-generation"));
	assert_false(og_task_listed("text-generation", "text-generation-with-past"));
	assert_false(og_task_listed(NULL, "fill-mask"));
	assert_false(og_task_listed("", "fill-mask"));
}

static void test_decoder__what_layers_share_is_made_once(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = described("llama", "LlamaForCausalLM", LLAMA, arena);
	(void)state;
	assert_int_equal(count(m, "Where"), 1);
	assert_int_equal(count(m, "Cos"), 1);
	assert_int_equal(count(m, "Sin"), 1);
	assert_int_equal(count(m, "Softmax"), 3);
	assert_int_equal(count(m, "Expand"), 0); /* keys are not repeated */
	m = described("qwen2", "Qwen2ForCausalLM", LLAMA ", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 1", arena);
	assert_int_equal(count(m, "Where"), 2);
	assert_int_equal(count(m, "Cast"), 2); /* of the mask and of the positions */
	m = described("qwen2", "Qwen2ForCausalLM", LLAMA ", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 0", arena);
	assert_int_equal(count(m, "Where"), 1);
	m = described("gpt2", "GPT2LMHeadModel", GPT2, arena);
	assert_int_equal(count(m, "Where"), 1);
	assert_int_equal(count(m, "Transpose"), 3 * 5 + 1); /* the head takes the table of words, turned */
}

static void test_decoder__caches_stand_where_they_do_in_the_class(void **state)
{
	static const char *const gpt2[] = { "input_ids", "past_key_values.0.key", "past_key_values.0.value", "past_key_values.1.key", NULL };
	static const char *const llama[] = { "input_ids", "attention_mask", "position_ids", "past_key_values.0.key", "past_key_values.0.value", NULL };
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m[] = { described("gpt2", "GPT2LMHeadModel", GPT2, arena), described("llama", "LlamaForCausalLM", LLAMA, arena) };
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		const char *const *names = k ? llama : gpt2;
		assert_int_equal(m[k]->main->ninputs, 9);
		for (size_t i = 0; names[i]; i++)
			assert_string_equal(og_model_value(m[k], m[k]->main->inputs[i])->name, names[i]);
		const og_value *cache = og_model_value(m[k], m[k]->main->outputs[6]);
		assert_string_equal(cache->name, "present.2.value");
		assert_string_equal(og_dim_text(m[k]->dims, cache->dims[2]), "past_sequence_length + sequence_length");
	}
}

/* The frequencies in the file, against the formula in long double. */
static void test_decoder__frequencies_are_those_of_the_formula(void **state)
{
	static const struct {
		const char *keys;
		long double theta, divisor;
	} rows[] = {
		{ ", \"head_dim\": 64", 10000, 1 },
		{ ", \"head_dim\": 10, \"rope_theta\": 500000", 500000, 1 },
		{ ", \"head_dim\": 128, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}", 10000, 4 },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = described("llama", "LlamaForCausalLM", og_arena_printf(arena, LLAMA "%s", rows[i].keys), arena);
		const og_init *c = NULL;
		for (size_t k = 0; k < m->main->nnodes; k++)
			if (og_streq(m->main->nodes[k]->name, "/model/rotary_emb/Mul"))
				c = og_model_value(m, m->main->nodes[k]->in[1])->init;
		assert_non_null(c);
		int64_t n = c->dims[0];
		for (int64_t k = 0; k < n; k++) {
			float found;
			memcpy(&found, (const uint8_t *)c->data + (size_t)k * sizeof(found), sizeof(found));
			long double wanted = powl(rows[i].theta, -(long double)k / (long double)n) / rows[i].divisor;
			assert_true(fabsl((long double)found - wanted) <= wanted * 1e-6L);
		}
	}
}

static void test_decoder__impossible_configs_are_refused_by_name(void **state)
{
	static const struct {
		const char *type, *class_name, *keys, *says;
	} rows[] = {
		{ "llama", "LlamaForSequenceClassification", LLAMA, "pad_token_id: expected a token below 11, which tells where the texts of a batch end; found none" },
		{ "llama", "LlamaForSequenceClassification", LLAMA ", \"pad_token_id\": null", "found none" },
		{ "llama", "LlamaForSequenceClassification", LLAMA ", \"pad_token_id\": -1", "found -1" },
		{ "gpt2", "GPT2ForSequenceClassification", GPT2 ", \"pad_token_id\": 11", "found 11" },
		{ "gpt2", "GPT2LMHeadModel", GPT2 ", \"add_cross_attention\": true", "add_cross_attention" },
		{ "gpt2", "GPT2LMHeadModel", "\"n_embd\": 9, \"n_head\": 4", "n_embd 9 is not divisible by n_head 4" },
		{ "llama", "LlamaModel", LLAMA ", \"head_dim\": 5", "heads of 5 elements: expected an even number" },
		{ "llama", "LlamaModel", LLAMA ", \"head_dim\": 1099511627776", "expected at most 65536" },
		{ "llama", "LlamaModel", LLAMA ", \"head_dim\": 2, \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2}", "at least 4 elements" },
		{ "llama", "LlamaModel", LLAMA ", \"rope_theta\": 1", "rope_theta 1: expected more than 1" },
		{ "llama", "LlamaModel", LLAMA ", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [2]}",
		  "expected factor, attention_factor or original_max_position_embeddings" },
		{ "llama", "LlamaModel", LLAMA ", \"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2, \"short_factor\": [1], \"long_factor\": [2, 3]}",
		  "expected short_factor and long_factor of 1 numbers, found 1 and 2" },
		{ "llama", "LlamaModel", LLAMA ", \"partial_rotary_factor\": 0.5", "partial_rotary_factor: only 1.0 is done" },
		{ "mistral", "MistralModel", "\"num_attention_heads\": 6, \"hidden_size\": 12, \"num_key_value_heads\": 4",
		  "num_attention_heads 6 is not a multiple of num_key_value_heads 4" },
		{ "qwen2", "Qwen2Model", LLAMA ", \"layer_types\": [\"full_attention\"]", "layer_types has 1 names: expected 3, num_hidden_layers" },
		{ "qwen3", "Qwen3Model", LLAMA ", \"layer_types\": [\"full_attention\", \"full_attention\", \"sliding_attention\"]",
		  "layer_types has sliding_attention: expected use_sliding_window true" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = NULL;
		og_error err = { 0 };
		og_status s = describe(rows[i].type, rows[i].class_name, rows[i].keys, arena, &m, &err);
		if (s != ONNXGATE_UNSUPPORTED || !strstr(err.message, rows[i].says))
			fail_msg("%s %s: %d %s", rows[i].type, rows[i].keys, (int)s, err.message);
	}
}

static void test_decoder__made_up_texts_stay_where_frequencies_are_one(void **state)
{
	static const struct {
		const char *keys;
		int64_t longest;
	} rows[] = {
		{ LLAMA, 16 },
		{ LLAMA ", \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2}", 16 },
		{ LLAMA ", \"original_max_position_embeddings\": 5", 16 },
		{ LLAMA ", \"original_max_position_embeddings\": 5, \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [2]}", 5 },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_plan *p = NULL;
		og_error err = { 0 };
		assert_int_equal(plan("llama", "LlamaModel", rows[i].keys, NULL, arena, &p, &err), OG_OK);
		assert_int_equal(p->facts.max_positions, rows[i].longest);
		assert_false(p->facts.pad_by_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoder__a_class_has_its_first_task_and_may_be_asked_for_others),
		cmocka_unit_test(test_decoder__a_task_is_listed_by_its_whole_name),
		cmocka_unit_test(test_decoder__what_layers_share_is_made_once),
		cmocka_unit_test(test_decoder__caches_stand_where_they_do_in_the_class),
		cmocka_unit_test(test_decoder__frequencies_are_those_of_the_formula),
		cmocka_unit_test(test_decoder__impossible_configs_are_refused_by_name),
		cmocka_unit_test(test_decoder__made_up_texts_stay_where_frequencies_are_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
