/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions that begin behind the pad token: how many are left for a text, also for made-up inputs, and which numbers leave none.
 * What the heads ask for, and which of the types that are RoBERTa by another name is meant when a config does not say. */
#include "../graph/checkpoint_toy.h"

#include "base/str.h"
#include "convert/convert_int.h"

static const char *const types[] = { "camembert", "roberta", "xlm-roberta" };

#define SMALL ", \"hidden_size\": 4, \"num_attention_heads\": 2, \"intermediate_size\": 6, \"num_hidden_layers\": 1"
#define NINE ", \"vocab_size\": 9"

static og_status claims(const char *type, const char *keys, const char *task, og_arena *arena, og_plan **p, og_ledger **l, og_error *err)
{
	og_model **models;
	size_t n;
	og_auto_buf config;
	og_buf_init(&config, 4096);
	og_buf_printf(&config, "{\"model_type\": \"%s\"" SMALL "%s}", type, keys);
	assert_int_equal(og_file_write(scratch("config.json"), config.p, config.n, NULL), OG_OK);
	OG_TRY(og_convert_plan(scratch_dir, &(og_convert_options){ .task = task }, arena, p, err));
	const og_plan_inner *in = (*p)->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, l, err));
	return og_describe_files(*p, *l, arena, &models, &n, err);
}

static og_status describe(const char *type, const char *keys, og_arena *arena, og_plan **p, og_error *err)
{
	og_ledger *l;
	return claims(type, keys, "feature-extraction", arena, p, &l, err);
}

static void test_roberta__positions_are_left_for_a_text(void **state)
{
	static const struct {
		const char *keys;
		int64_t length;
	} rows[] = {
		{ "", 510 }, /* 512 rows, and token 1 pads: 0 and 1 are taken */
		{ ", \"max_position_embeddings\": 514", 512 },
		{ ", \"max_position_embeddings\": 514, \"pad_token_id\": 0", 513 },
		{ ", \"max_position_embeddings\": 5, \"pad_token_id\": 3", 1 },
		{ ", \"max_position_embeddings\": 5, \"pad_token_id\": 3, \"position_embedding_type\": \"relative_key\"", 5 },
		{ ", \"max_position_embeddings\": 5, \"pad_token_id\": 4, \"position_embedding_type\": \"relative_key_query\"", 5 },
	};
	(void)state;
	for (size_t k = 0; k < OG_COUNT(types); k++)
		for (size_t i = 0; i < OG_COUNT(rows); i++) {
			og_auto(og_arena) *arena = og_arena_new();
			og_auto(og_json) *doc = NULL;
			og_plan *p;
			og_error err = { 0 };
			if (describe(types[k], og_arena_printf(arena, NINE "%s", rows[i].keys), arena, &p, &err) != OG_OK)
				fail_msg("%s: %s", types[k], err.message);
			assert_int_equal(p->facts.max_positions, rows[i].length);
			assert_int_equal(og_json_read(scratch("config.json"), 4096, &doc, NULL), OG_OK);
			assert_int_equal(og_convert_facts(doc).max_positions, rows[i].length);
		}
}

static void test_roberta__pad_tokens_that_leave_no_position_are_refused(void **state)
{
	static const struct {
		const char *keys, *says;
		og_status status;
	} rows[] = {
		{ ", \"max_position_embeddings\": 5, \"pad_token_id\": 4", "pad_token_id 4 with max_position_embeddings 5", ONNXGATE_UNSUPPORTED },
		{ ", \"max_position_embeddings\": 4, \"pad_token_id\": 4, \"position_embedding_type\": \"relative_key\"",
			"pad_token_id 4 with max_position_embeddings 4", ONNXGATE_UNSUPPORTED },
		{ ", \"pad_token_id\": 9", "pad_token_id 9: expected less than vocab_size, 9", ONNXGATE_UNSUPPORTED },
		{ ", \"pad_token_id\": -1", "pad_token_id: expected 0 to", ONNXGATE_FORMAT },
		{ ", \"pad_token_id\": null", "pad_token_id: expected a whole number", ONNXGATE_FORMAT },
		{ ", \"is_decoder\": true", "is_decoder: only false is done", ONNXGATE_UNSUPPORTED },
		{ ", \"add_cross_attention\": true", "add_cross_attention: only false is done", ONNXGATE_UNSUPPORTED },
	};
	(void)state;
	for (size_t k = 0; k < OG_COUNT(types); k++)
		for (size_t i = 0; i < OG_COUNT(rows); i++) {
			og_auto(og_arena) *arena = og_arena_new();
			og_plan *p;
			og_error err = { 0 };
			assert_int_equal(describe(types[k], og_arena_printf(arena, NINE "%s", rows[i].keys), arena, &p, &err), rows[i].status);
			if (!strstr(err.message, rows[i].says))
				fail_msg("%s: %s", types[k], err.message);
		}
}

/* A config that cannot be read says at least how many rows the table has. */
static void test_roberta__the_longest_text_of_a_config_that_is_not_done(void **state)
{
	static const char text[] = "{\"model_type\": \"roberta\", \"max_position_embeddings\": 40, \"hidden_act\": \"prelu\"}";
	og_auto(og_json) *doc = NULL;
	(void)state;
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	assert_int_equal(og_convert_facts(doc).max_positions, 40);
}

static const og_claim *claim_of(const og_ledger *l, const char *name)
{
	size_t n;
	const og_claim *c = og_ledger_claims(l, &n);
	for (size_t i = 0; i < n; i++)
		if (og_streq(c[i].name, name))
			return &c[i];
	return NULL;
}

/* A config that leaves the vocabulary's size out means that of its own class. */
static void test_roberta__each_type_has_its_default_vocabulary(void **state)
{
	static const int64_t words[] = { 30522, 50265, 30522 };
	(void)state;
	for (size_t k = 0; k < OG_COUNT(types); k++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_ledger *l;
		og_plan *p;
		assert_int_equal(claims(types[k], "", "feature-extraction", arena, &p, &l, NULL), OG_OK);
		assert_int_equal(claim_of(l, "roberta.embeddings.word_embeddings.weight")->dims[0], words[k]);
	}
}

/* A text is classified without the pooler, a choice with it. */
static void test_roberta__choices_alone_are_pooled(void **state)
{
	(void)state;
	for (size_t k = 0; k < OG_COUNT(types); k++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_ledger *l;
		og_plan *p;
		assert_int_equal(claims(types[k], NINE, "multiple-choice", arena, &p, &l, NULL), OG_OK);
		assert_true(claim_of(l, "roberta.pooler.dense.weight") && claim_of(l, "classifier.weight") && !claim_of(l, "classifier.dense.weight"));
		assert_int_equal(claim_of(l, "classifier.weight")->dims[0], 1);
		assert_int_equal(claims(types[k], NINE, "text-classification", arena, &p, &l, NULL), OG_OK);
		assert_true(claim_of(l, "classifier.dense.weight") && claim_of(l, "classifier.out_proj.weight") && !claim_of(l, "roberta.pooler.dense.weight"));
		assert_int_equal(claims(types[k], NINE, "feature-extraction", arena, &p, &l, NULL), OG_OK);
		assert_null(claim_of(l, "roberta.pooler.dense.weight"));
	}
}

#define WORDS "embeddings.word_embeddings.weight"
#define QUERY "encoder.layer.0.attention.self.query.weight"

static const char *type_by_tensors(const char *prefix, og_arena *arena)
{
	char words[96], query[96];
	og_error err = { 0 };
	og_plan *p;
	snprintf(words, sizeof(words), "%s" WORDS, prefix);
	snprintf(query, sizeof(query), "%s" QUERY, prefix);
	og_checkpoint_free(toy_checkpoint((toy_weight[]){ { words, 1, { 1 } }, { query, 1, { 1 } } }, 2));
	assert_int_equal(og_file_write(scratch("config.json"), "{}", 2, NULL), OG_OK);
	if (og_convert_plan(scratch_dir, &(og_convert_options){ 0 }, arena, &p, &err) != OG_OK)
		fail_msg("%s: %s", words, err.message);
	return p->model_type;
}

/* The prefix tells RoBERTa, not which of its names; without it, what has BERT's names and BERT's numbers is BERT. */
static void test_roberta__its_tensors_tell_the_family(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	(void)state;
	assert_string_equal(type_by_tensors("roberta.", arena), "roberta");
	assert_string_equal(type_by_tensors("bert.", arena), "bert");
	assert_string_equal(type_by_tensors("", arena), "bert");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_roberta__positions_are_left_for_a_text),
		SCRATCH_TEST(test_roberta__pad_tokens_that_leave_no_position_are_refused),
		cmocka_unit_test(test_roberta__the_longest_text_of_a_config_that_is_not_done),
		SCRATCH_TEST(test_roberta__each_type_has_its_default_vocabulary),
		SCRATCH_TEST(test_roberta__choices_alone_are_pooled),
		SCRATCH_TEST(test_roberta__its_tensors_tell_the_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
