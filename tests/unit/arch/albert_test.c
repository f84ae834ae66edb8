/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups of layers that are run again and again: which pass takes which group, what a pass is called, that weights are
 * written once however often they are used, which counts are refused, and that relative positions meet numbers not yet scaled. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

typedef struct counts {
	int layers, groups, inner;
	const char *positions; /* NULL: absolute */
} counts;

static og_status describe(counts c, og_arena *arena, const og_model **out, og_error *err)
{
	og_plan *p;
	og_ledger *l;
	og_model **models;
	size_t n;
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena,
		"{\"model_type\": \"albert\", \"architectures\": [\"AlbertModel\"], \"vocab_size\": 5, \"embedding_size\": 3, \"hidden_size\": 4, "
		"\"num_attention_heads\": 2, \"intermediate_size\": 6, \"num_hidden_layers\": %d, \"num_hidden_groups\": %d, \"inner_group_num\": %d, "
		"\"position_embedding_type\": \"%s\"}",
		c.layers, c.groups, c.inner, c.positions ? c.positions : "absolute");
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, &models, &n, err));
	*out = models[0];
	return OG_OK;
}

/* The weight that the node of this name multiplies with; NULL: there is no such node. */
static const char *weight_of(const og_model *m, const char *node)
{
	for (size_t i = 0; i < m->main->nnodes; i++)
		if (og_streq(m->main->nodes[i]->name, node))
			return og_model_value(m, m->main->nodes[i]->in[1])->name;
	return NULL;
}

static void expect_group(const og_model *m, int pass, int inner, int group)
{
	char node[128], weight[128];
	snprintf(node, sizeof(node), "/albert/encoder/layer.%d/albert_layers.%d/attention/query/MatMul", pass, inner);
	snprintf(weight, sizeof(weight), "albert.encoder.albert_layer_groups.%d.albert_layers.%d.attention.query.weight", group, inner);
	assert_non_null(weight_of(m, node));
	assert_string_equal(weight_of(m, node), weight);
}

static size_t count_matrices(const og_model *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->ninits; i++)
		n += m->inits[i]->nparts && m->inits[i]->rank == 2;
	return n;
}

static void test_albert__passes_take_their_groups_weights(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe((counts){ 5, 2, 2 }, arena, &m, &err), OG_OK);
	static const int group[] = { 0, 0, 0, 1, 1 };
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < 2; k++)
			expect_group(m, i, k, group[i]);
	assert_null(weight_of(m, "/albert/encoder/layer.5/albert_layers.0/attention/query/MatMul"));
	assert_null(weight_of(m, "/albert/encoder/layer.0/albert_layers.2/attention/query/MatMul"));
}

/* 9 / (18 / 14) is 7, but a little less in floating point, in which the reference counts. */
static void test_albert__groups_are_rounded_as_the_reference_does(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_model *m = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(describe((counts){ 18, 14, 1 }, arena, &m, &err), OG_OK);
	expect_group(m, 8, 0, 6);
	expect_group(m, 9, 0, 6);
	expect_group(m, 10, 0, 7);
}

static void test_albert__shared_weights_are_written_once(void **state)
{
	enum { OUTSIDE = 3 + 1, A_LAYER = 4 + 2 }; /* tables and the widening; projections and the feed-forward pair */
	static const counts rows[] = { { 1, 1, 1 }, { 12, 1, 1 }, { 12, 2, 3 }, { 12, 12, 1 } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = NULL;
		og_error err = { 0 };
		assert_int_equal(describe(rows[i], arena, &m, &err), OG_OK);
		assert_int_equal(count_matrices(m), OUTSIDE + A_LAYER * rows[i].groups * rows[i].inner);
	}
}

static void test_albert__impossible_counts_are_refused_by_name(void **state)
{
	static const struct {
		counts c;
		const char *says;
	} rows[] = {
		{ { 3, 4, 1 }, "num_hidden_groups 4 with inner_group_num 1: expected their product to be at most num_hidden_layers, 3" },
		{ { 5, 2, 3 }, "num_hidden_groups 2 with inner_group_num 3: expected their product to be at most num_hidden_layers, 5" },
		{ { 4096, 1, 2 }, "num_hidden_layers 4096 × inner_group_num 2: expected at most 4096 layers" },
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

/* The operator that a value comes from, behind those that only move its elements. */
static const char *source_of(const og_model *m, og_val v)
{
	for (size_t i = m->main->nnodes; i-- > 0;) {
		const og_node *n = m->main->nodes[i];
		if (n->out[0].id != v.id)
			continue;
		if (!og_streq(n->op, "Transpose") && !og_streq(n->op, "Reshape"))
			return n->op;
		v = n->in[0];
	}
	return "";
}

/* BERT's queries (and keys) are divided before they meet the table, ALBERT's are not: a projection's sum goes in as it is. */
static void test_albert__relative_scores_are_not_scaled(void **state)
{
	static const char *const forms[] = { "relative_key", "relative_key_query" };
	(void)state;
	for (size_t form = 0; form < OG_COUNT(forms); form++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_model *m = NULL;
		og_error err = { 0 };
		size_t met = 0;
		assert_int_equal(describe((counts){ 3, 1, 1, forms[form] }, arena, &m, &err), OG_OK);
		for (size_t i = 0; i < m->main->nnodes; i++) {
			if (!og_streq(m->main->nodes[i]->op, "Einsum"))
				continue;
			assert_string_equal(source_of(m, m->main->nodes[i]->in[0]), "Add");
			met++;
		}
		assert_int_equal(met, 3 * (form + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_albert__passes_take_their_groups_weights),
		cmocka_unit_test(test_albert__groups_are_rounded_as_the_reference_does),
		cmocka_unit_test(test_albert__shared_weights_are_written_once),
		cmocka_unit_test(test_albert__impossible_counts_are_refused_by_name),
		cmocka_unit_test(test_albert__relative_scores_are_not_scaled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
