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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
