/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder: scopes, claims, sticky errors, proofs about shapes, and what is dropped at the end. */
#include "checkpoint_toy.h"

#include "base/str.h"
#include "graph/ops.h"

static const toy_weight weights[] = {
	{ "base.a.weight", 2, { 4, 6 } }, { "base.a.bias", 1, { 4 } }, { "shared.weight", 2, { 6, 6 } }, { "table.weight", 2, { 10, 6 } },
};

static og_val input(og_build *b)
{
	return og_input(b, "x", OG_F32, "batch_size", "sequence_length", "6");
}

static const char *name_of_init(const og_model *m, size_t i)
{
	return i < m->ninits ? m->inits[i]->name : "";
}

static void test_build__scopes_name_nodes_and_weights(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_val x = input(t.b);
	(void)state;
	OG_SCOPE(t.b, "base") OG_SCOPE(t.b, "a") x = og_matmul(t.b, x, og_weight_transposed(t.b, "weight", 4, 6));
	og_output(t.b, "y", x);
	og_model *m = toy_finish(&t);
	assert_string_equal(name_of_init(m, 0), "base.a.weight");
	assert_string_equal(m->main->nodes[0]->name, "/base/a/MatMul");
	toy_builder_free(&t);
}

static void test_build__two_scopes_move_apart(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_val x = input(t.b);
	(void)state;
	for (int i = 0; i < 2; i++) /* two layers, one set of weights, as ALBERT has it */
		OG_NODE_SCOPE(t.b, "layer.%d", i) OG_WEIGHT_SCOPE(t.b, "shared") x = og_matmul(t.b, x, og_weight(t.b, "weight", 6, 6));
	og_output(t.b, "y", x);
	og_model *m = toy_finish(&t);
	assert_int_equal(m->ninits, 1);
	assert_string_equal(m->main->nodes[0]->name, "/layer.0/MatMul");
	assert_string_equal(m->main->nodes[1]->name, "/layer.1/MatMul");
	toy_builder_free(&t);
}

static void test_build__an_absent_base_prefix_is_an_empty_scope(void **state)
{
	const toy_weight bare[] = { { "a.weight", 1, { 6 } } };
	toy_build t = toy_builder(bare, 1);
	og_val x = input(t.b);
	(void)state;
	OG_SCOPE(t.b, "base") OG_SCOPE(t.b, "a") x = og_mul(t.b, x, og_weight(t.b, "weight", 6));
	og_output(t.b, "y", og_add(t.b, x, og_weight(t.b, "/base.a.weight", 6)));
	assert_string_equal(name_of_init(toy_finish(&t), 0), "a.weight");
	toy_builder_free(&t);
}

static void test_build__the_first_error_sticks(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_val x = input(t.b);
	og_model *m;
	og_error err = { 0 };
	(void)state;
	OG_SCOPE(t.b, "base.a") x = og_matmul(t.b, x, og_weight(t.b, "weight", 4, 6)); /* inner dims differ */
	assert_int_equal(x.id, 0);
	og_output(t.b, "y", og_add(t.b, x, x));
	assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "/base/a: MatMul: inner dims differ"));
	assert_non_null(strstr(err.message, "[batch_size, sequence_length, 6]"));
	toy_builder_free(&t);
}

static void test_build__missing_and_misshapen_weights_are_listed_together(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_ledger_report r;
	og_error err = { 0 };
	(void)state;
	og_weight(t.b, "base.a.weigth", 4, 6);
	og_weight(t.b, "other", 3);
	assert_int_equal(og_ledger_check(t.ledger, NULL, false, &r, &err), ONNXGATE_CONVERSION);
	assert_non_null(strstr(err.message, "2 weights are missing"));
	assert_non_null(strstr(err.message, "base.a.weigth [4, 6] (did you mean base.a.weight?)"));
	og_weight(t.b, "shared.weight", 5, 6);
	og_weight(t.b, "table.weight", 10, 7);
	assert_int_equal(og_ledger_check(t.ledger, NULL, false, &r, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "shared.weight: the config wants [5, 6], the checkpoint has [6, 6]"));
	assert_non_null(strstr(err.message, "table.weight"));
	toy_builder_free(&t);
}

static void test_build__unused_tensors_need_a_rule(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_ledger_report r;
	og_error err = { 0 };
	const og_ignore rule[] = { { "base.*", "not needed" }, { "table.*", "not needed either" }, { 0 } };
	(void)state;
	og_weight(t.b, "shared.weight", 6, 6);
	assert_int_equal(og_ledger_check(t.ledger, NULL, false, &r, &err), ONNXGATE_CONVERSION);
	assert_non_null(strstr(err.message, "3 tensors of the checkpoint are used by nothing"));
	toy_builder_free(&t);
	t = toy_builder(weights, OG_COUNT(weights));
	og_weight(t.b, "shared.weight", 6, 6);
	assert_int_equal(og_ledger_check(t.ledger, rule, false, &r, &err), OG_OK);
	assert_int_equal(r.ignored, 3);
	assert_int_equal(r.nnotes, 2);
	assert_non_null(strstr(r.notes[0], "2 tensors ignored (not needed)"));
	toy_builder_free(&t);
}

static void test_build__a_tied_weight_must_be_equal(void **state)
{
	const toy_weight two[] = { { "embed.weight", 2, { 3, 2 } }, { "head.weight", 2, { 3, 2 } } }; /* of different seeds */
	toy_build t = toy_builder(two, 2);
	og_ledger_report r;
	og_error err = { 0 };
	(void)state;
	og_tied(t.b, "head.weight", "embed.weight");
	og_weight(t.b, "head.weight", 3, 2);
	assert_int_equal(og_ledger_check(t.ledger, NULL, false, &r, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "head.weight is tied to embed.weight"));
	toy_builder_free(&t);
}

static void test_build__a_tied_matrix_is_stored_once(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_val ids = og_input(t.b, "ids", OG_I64, "batch_size", "sequence_length");
	(void)state;
	og_tied(t.b, "head.weight", "table.weight");
	og_val x = og_gather(t.b, og_weight(t.b, "table.weight", 10, 6), ids, 0);
	og_output(t.b, "y", og_matmul(t.b, x, og_weight_transposed(t.b, "head.weight", 10, 6)));
	og_model *m = toy_finish(&t);
	assert_int_equal(m->ninits, 1);
	assert_string_equal(m->main->nodes[1]->op, "Transpose");
	toy_builder_free(&t);
}

static void test_build__reshape_is_proved(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_val x = input(t.b);
	og_dim batch = og_dim_at(t.b, x, 0), length = og_dim_at(t.b, x, 1), flat = og_dim_mul(og_build_dims(t.b), batch, length);
	og_model *m;
	og_error err = { 0 };
	(void)state;
	og_val y = og_reshape(t.b, x, batch, length, og_dim_of(t.b, 2), og_dim_of(t.b, 3));
	og_val z = og_reshape(t.b, y, flat, og_dim_of(t.b, 6));
	assert_int_equal(og_rank_of(t.b, z), 2);
	og_reshape(t.b, z, flat, og_dim_of(t.b, 7));
	assert_int_equal(og_build_finish(t.b, &m, &err), ONNXGATE_MISMATCH);
	toy_builder_free(&t);
}

static void test_build__what_no_output_needs_is_dropped(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_val x = input(t.b);
	(void)state;
	og_mul(t.b, x, og_const_f32(t.b, 7)); /* leads nowhere */
	og_weight(t.b, "shared.weight", 6, 6);
	og_output(t.b, "y", og_add(t.b, x, og_const_f32(t.b, 1)));
	og_model *m = toy_finish(&t);
	assert_int_equal(m->main->nnodes, 1);
	assert_int_equal(m->ninits, 1);
	toy_builder_free(&t);
}

static void test_build__an_open_scope_or_no_output_is_our_fault(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_model *m;
	(void)state;
	og_scope_push(t.b, 3, "open");
	og_output(t.b, "y", og_add(t.b, input(t.b), og_const_f32(t.b, 1)));
	assert_int_equal(og_build_finish(t.b, &m, NULL), ONNXGATE_INTERNAL);
	toy_another(&t);
	assert_int_equal(og_build_finish(t.b, &m, NULL), ONNXGATE_INTERNAL);
	toy_builder_free(&t);
}

/* What a description does wrong sticks, with this status. */
static void expect_stuck(toy_build *t, og_status status, const char *part)
{
	og_model *m;
	og_error err = { 0 };
	assert_true(og_build_stuck(t->b));
	assert_int_equal(og_build_finish(t->b, &m, &err), status);
	if (!strstr(err.message, part))
		fail_msg("%s", err.message);
	toy_another(t);
}

static void test_build__mistakes_of_a_description_stick(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	char name[1200] = "";
	og_val x = input(t.b);
	(void)state;
	og_output(t.b, "x", og_add(t.b, x, x));
	expect_stuck(&t, ONNXGATE_INTERNAL, "the name x is given twice");
	memset(name, 'n', sizeof(name) - 1);
	OG_WEIGHT_SCOPE(t.b, "%s", name) og_weight(t.b, "w", 2);
	expect_stuck(&t, ONNXGATE_INTERNAL, "is too long");
	og_weight(t.b, "w", (int64_t)1 << 40, (int64_t)1 << 40);
	expect_stuck(&t, ONNXGATE_UNSUPPORTED, "more elements than 64 bits can count");
	og_weight_stack(t.b, "s", (const char *const[]){ "a" }, (const int64_t[]){ 2 }, 1, 0, true);
	expect_stuck(&t, ONNXGATE_INTERNAL, "a stack of 1 weights of width 0");
	og_weight_rows(t.b, "r", 9, 7, 6, 4, false);
	expect_stuck(&t, ONNXGATE_INTERNAL, "rows 6 to 10 of 9");
	og_weight(t.b, "again", 2, 3);
	og_weight(t.b, "again", 3, 2);
	expect_stuck(&t, ONNXGATE_INTERNAL, "again is claimed as [2, 3] and again as [3, 2]");
	toy_builder_free(&t);
}

static void test_build__a_dim_is_computed_once(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_val x = input(t.b);
	(void)state;
	assert_int_equal(og_dim_value(t.b, og_dim_at(t.b, x, 1)).id, og_dim_value(t.b, og_dim_at(t.b, x, 1)).id);
	og_val swapped = og_reshape(t.b, x, og_dim_at(t.b, x, 1), og_dim_at(t.b, x, 0), og_dim_of(t.b, 6)); /* two dims move: one has to be computed */
	og_output(t.b, "y", swapped);
	og_model *m = toy_finish(&t);
	const og_node *last = m->main->nodes[m->main->nnodes - 1];
	assert_string_equal(last->op, "Reshape");
	assert_string_equal(og_model_value(m, last->in[1])->node->op, "Concat");
	toy_builder_free(&t);
}

static void short_form(og_build *b, void *arg, og_val *out)
{
	out[0] = og_slice(b, *(og_val *)arg, 2, 0, 2);
}

static void long_form(og_build *b, void *arg, og_val *out)
{
	out[0] = og_slice(b, *(og_val *)arg, 2, 0, 4);
}

static void other_type(og_build *b, void *arg, og_val *out)
{
	out[0] = og_cast(b, *(og_val *)arg, OG_I64);
}

static void test_build__branches_agree_in_type_and_join_dims(void **state)
{
	toy_build t = toy_builder(NULL, 0);
	og_val x = input(t.b), cond = og_input(t.b, "cond", OG_BOOL, NULL), y;
	(void)state;
	og_if(t.b, cond, short_form, long_form, &x, &y, 1);
	assert_true(og_dim_eq(og_dim_at(t.b, y, 0), og_dim_at(t.b, x, 0)));
	assert_false(og_dim_is_int(og_build_dims(t.b), og_dim_at(t.b, y, 2), NULL));
	og_if(t.b, cond, short_form, other_type, &x, &y, 1);
	expect_stuck(&t, ONNXGATE_INTERNAL, "differs in type or rank");
	toy_builder_free(&t);
}

static void test_build__ties_and_unexpected_tensors(void **state)
{
	const toy_weight empty[] = { { "embed.weight", 2, { 0, 2 } }, { "head.weight", 2, { 0, 2 } }, { "odd", 1, { 1 } } }; /* equal: no bytes */
	const toy_weight alias[] = { { "head.weight", 2, { 3, 2 } } };
	const toy_weight twice[] = { { "LayerNorm.gamma", 1, { 3 } }, { "LayerNorm.weight", 1, { 3 } } };
	toy_build t = toy_builder(empty, 3);
	og_ledger_report r;
	og_error err = { 0 };
	(void)state;
	og_tied(t.b, "head.weight", "embed.weight");
	og_weight(t.b, "embed.weight", 0, 2);
	assert_int_equal(og_ledger_check(t.ledger, NULL, true, &r, NULL), OG_OK);
	assert_true(r.claimed == 1 && r.tied == 1 && r.unexpected == 1);
	toy_builder_free(&t);
	t = toy_builder(alias, 1); /* found under the alias */
	og_tied(t.b, "head.weight", "embed.weight");
	og_weight(t.b, "embed.weight", 3, 2);
	assert_int_equal(og_ledger_check(t.ledger, NULL, false, &r, NULL), OG_OK);
	toy_builder_free(&t);
	t = toy_builder(NULL, 0);
	og_checkpoint *c = toy_checkpoint(twice, 2);
	assert_int_equal(og_ledger_new(t.arena, c, NULL, NULL, NULL, &t.ledger, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "stands twice"));
	og_checkpoint_free(c);
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_build__scopes_name_nodes_and_weights),
		SCRATCH_TEST(test_build__two_scopes_move_apart),
		SCRATCH_TEST(test_build__an_absent_base_prefix_is_an_empty_scope),
		SCRATCH_TEST(test_build__the_first_error_sticks),
		SCRATCH_TEST(test_build__missing_and_misshapen_weights_are_listed_together),
		SCRATCH_TEST(test_build__unused_tensors_need_a_rule),
		SCRATCH_TEST(test_build__a_tied_weight_must_be_equal),
		SCRATCH_TEST(test_build__a_tied_matrix_is_stored_once),
		SCRATCH_TEST(test_build__reshape_is_proved),
		SCRATCH_TEST(test_build__what_no_output_needs_is_dropped),
		SCRATCH_TEST(test_build__an_open_scope_or_no_output_is_our_fault),
		SCRATCH_TEST(test_build__mistakes_of_a_description_stick),
		SCRATCH_TEST(test_build__a_dim_is_computed_once),
		SCRATCH_TEST(test_build__branches_agree_in_type_and_join_dims),
		SCRATCH_TEST(test_build__ties_and_unexpected_tensors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
