/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of buckets, which numbers of rows are refused, and what the model takes for granted whatever its config says. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

typedef struct sizes {
	int vocab, positions, rows;
	const char *more; /* keys, each with a comma before it */
} sizes;

static og_status plan(sizes c, og_arena *arena, og_plan **p, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena,
		"{\"model_type\": \"mpnet\", \"architectures\": [\"MPNetModel\"], \"vocab_size\": %d, \"hidden_size\": 4, \"num_attention_heads\": 2, "
		"\"num_hidden_layers\": 3, \"intermediate_size\": 6, \"max_position_embeddings\": %d, \"relative_attention_num_buckets\": %d%s}",
		c.vocab, c.positions, c.rows, c.more ? c.more : "");
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	return og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, p, err);
}

static og_status describe(sizes c, og_arena *arena, const og_model **out, og_error *err)
{
	og_plan *p;
	og_ledger *l;
	og_model **models;
	size_t n;
	OG_TRY(plan(c, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, &models, &n, err));
	*out = models[0];
	return OG_OK;
}

static const og_node *node_of(const og_model *m, const char *name)
{
	for (size_t i = 0; i < m->main->nnodes; i++)
		if (og_streq(m->main->nodes[i]->name, name))
			return m->main->nodes[i];
	fail_msg("no node %s", name);
	return NULL;
}

static const og_init *constant(const og_model *m, const char *node, size_t input)
{
	const og_value *v = og_model_value(m, node_of(m, node)->in[input]);
	assert_non_null(v->init);
	assert_non_null(v->init->data);
	return v->init;
}

/* With whole numbers: of 16 buckets a side, the ones from 8 on begin where d² is 64 · 2^k. Keys ahead have 16 to 31. */
static int64_t bucket_of(int64_t distance)
{
	int64_t d = distance < 0 ? -distance : distance, k = 0;
	if (d < 8)
		return d + (distance < 0 ? 16 : 0);
	while (k < 7 && d * d >= INT64_C(64) << (k + 1))
		k++;
	return 8 + k + (distance < 0 ? 16 : 0);
}

static void test_mpnet__the_table_of_buckets_is_exact(void **state)
{
	enum { REACH = 91 }; /* 91² is the first square from 64 · 2^7 on */
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe((sizes){ 5, 9, 40, NULL }, arena, &m, &err), OG_OK);
	const og_init *table = constant(m, "/mpnet/encoder/relative_attention_bias/Gather", 1);
	assert_int_equal(table->size, (2 * REACH + 1) * sizeof(int64_t));
	for (int64_t i = 0; i < 2 * REACH + 1; i++) {
		int64_t found;
		memcpy(&found, (const uint8_t *)table->data + (size_t)i * sizeof(found), sizeof(found));
		assert_int_equal(found, bucket_of(i - REACH));
	}
}

static void test_mpnet__all_layers_take_one_bias(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe((sizes){ 5, 9, 32, NULL }, arena, &m, &err), OG_OK);
	uint32_t bias = node_of(m, "/mpnet/encoder/layer.0/Add")->in[1].id;
	assert_int_equal(node_of(m, "/mpnet/encoder/layer.1/Add")->in[1].id, bias);
	assert_int_equal(node_of(m, "/mpnet/encoder/layer.2/Add")->in[1].id, bias);
}

static void test_mpnet__the_pad_token_is_the_classes_own(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	int64_t pad;
	(void)state;
	assert_int_equal(describe((sizes){ 5, 9, 32, ", \"pad_token_id\": 4" }, arena, &m, &err), OG_OK);
	memcpy(&pad, constant(m, "/mpnet/embeddings/Equal", 1)->data, sizeof(pad));
	assert_int_equal(pad, 1);
}

static void test_mpnet__a_text_is_two_shorter_than_the_table(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_plan *p = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(plan((sizes){ 5, 514, 32, NULL }, arena, &p, &err), OG_OK);
	assert_int_equal(p->facts.max_positions, 512);
}

static void test_mpnet__impossible_sizes_are_refused_by_name(void **state)
{
	static const struct {
		sizes c;
		const char *says;
	} rows[] = {
		{ { 1, 9, 32, NULL }, "vocab_size 1 and max_position_embeddings 9: expected at least 2 and 3, the pad token is 1" },
		{ { 5, 2, 32, NULL }, "vocab_size 5 and max_position_embeddings 2: expected at least 2 and 3, the pad token is 1" },
		{ { 5, 9, 31, NULL }, "relative_attention_num_buckets 31: expected at least 32" },
		{ { 5, 9, 32, ", \"is_decoder\": true" }, "is_decoder" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = NULL;
		og_error err = { 0 };
		assert_int_equal(describe(rows[i].c, arena, &m, &err), ONNXGATE_UNSUPPORTED);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s", err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mpnet__the_table_of_buckets_is_exact),
		cmocka_unit_test(test_mpnet__all_layers_take_one_bias),
		cmocka_unit_test(test_mpnet__the_pad_token_is_the_classes_own),
		cmocka_unit_test(test_mpnet__a_text_is_two_shorter_than_the_table),
		cmocka_unit_test(test_mpnet__impossible_sizes_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
