/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's names: wrappers that are taken off, the base prefix, the marks of a family, and what lies outside the base model. */
#include "../graph/checkpoint_toy.h"

#include "model/ledger.h"

typedef struct books { /* a checkpoint of one-number tensors and its ledger */
	og_arena *arena;
	og_checkpoint *checkpoint;
	og_ledger *l;
	og_status status;
	og_error err;
} books;

static books open_books(const char *const *names, size_t n)
{
	toy_weight w[8] = { { 0 } };
	books b = { .arena = og_arena_new() };
	for (size_t i = 0; i < n; i++)
		w[i] = (toy_weight){ .name = names[i], .rank = 1, .dims = { 1 } };
	b.checkpoint = toy_checkpoint(w, n);
	b.status = og_ledger_new(b.arena, b.checkpoint, "base", NULL, NULL, &b.l, &b.err);
	return b;
}

static void close_books(books *b)
{
	og_checkpoint_free(b->checkpoint);
	og_arena_free(b->arena);
}

#define OPEN(...) open_books((const char *const[]){ __VA_ARGS__ }, OG_COUNT(((const char *const[]){ __VA_ARGS__ })))

static const og_tensor *claim(books *b, const char *name)
{
	return og_ledger_claim(b->l, name, (const int64_t[]){ 1 }, 1, &b->err);
}

static void test_ledger__a_wrapper_of_all_names_is_taken_off(void **state)
{
	og_ledger_report r;
	(void)state;
	books b = OPEN("module._orig_mod.base.a", "module._orig_mod.base.LayerNorm.gamma");
	assert_true(og_ledger_prefixed(b.l));
	assert_non_null(claim(&b, "base.a"));
	assert_string_equal(claim(&b, "base.LayerNorm.weight")->name, "module._orig_mod.base.LayerNorm.gamma");
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), OG_OK);
	assert_int_equal(r.nnotes, 1);
	assert_non_null(strstr(r.notes[0], "every tensor's name begins with module."));
	assert_non_null(strstr(r.notes[0], "_orig_mod. (torch.compile) too"));
	close_books(&b);
}

static void test_ledger__a_prefix_of_some_names_is_a_part_of_them(void **state)
{
	og_ledger_report r;
	(void)state;
	books b = OPEN("module.base.a", "base.b");
	assert_null(claim(&b, "base.a"));
	assert_non_null(claim(&b, "base.b"));
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), ONNXGATE_CONVERSION);
	assert_non_null(strstr(b.err.message, "base.a [1] (did you mean module.base.a?)"));
	close_books(&b);
	b = OPEN("module."); /* nothing would be left of it */
	assert_non_null(claim(&b, "module."));
	close_books(&b);
}

static void test_ledger__marks_stand_below_the_prefix_or_bare(void **state)
{
	static const char *const marks[] = { "x.weight", "y.weight", NULL };
	(void)state;
	books b = OPEN("base.x.weight", "base.y.weight", "head.z");
	assert_true(og_ledger_knows(b.l, marks) && og_ledger_prefixed(b.l));
	close_books(&b);
	b = OPEN("x.weight", "y.weight", "z");
	assert_true(og_ledger_knows(b.l, marks) && !og_ledger_prefixed(b.l));
	close_books(&b);
	b = OPEN("base.x.weight", "y.weight"); /* half of it is no sign */
	assert_false(og_ledger_knows(b.l, marks));
	close_books(&b);
	b = OPEN("base.x.weight", "base.x.y.weight", "basey.weight");
	assert_false(og_ledger_knows(b.l, marks));
	assert_false(og_ledger_knows(b.l, (const char *const[]){ NULL }));
	close_books(&b);
}

/* What a task uses in part is not another task's: layers that the config does not count are no surplus to pass over. */
static void test_ledger__a_rule_may_end_where_its_tensors_are_used(void **state)
{
	static const og_ignore rules[] = { { "text.*", "images alone", true }, { "head.*", "another task" }, { 0 } };
	og_ledger_report r;
	(void)state;
	books b = OPEN("base.a", "text.0", "text.1", "head.b");
	assert_non_null(claim(&b, "base.a"));
	assert_int_equal(og_ledger_check(b.l, rules, false, &r, &b.err), OG_OK);
	assert_int_equal(r.ignored, 3);
	close_books(&b);
	b = OPEN("base.a", "text.0", "text.1", "head.b", "head.c");
	assert_non_null(claim(&b, "text.0"));
	assert_non_null(claim(&b, "base.a"));
	assert_non_null(claim(&b, "head.b"));
	assert_int_equal(og_ledger_check(b.l, rules, false, &r, &b.err), ONNXGATE_CONVERSION);
	assert_non_null(strstr(b.err.message, "1 tensor of the checkpoint is used by nothing: text.1"));
	close_books(&b);
}

static void test_ledger__outside_the_base_model_is_ignored_by_request(void **state)
{
	og_ledger_report r;
	(void)state;
	books b = OPEN("base.a", "head.of.mine", "based");
	assert_non_null(claim(&b, "base.a"));
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), ONNXGATE_CONVERSION);
	close_books(&b);
	b = OPEN("base.a", "head.of.mine", "based");
	assert_non_null(claim(&b, "base.a"));
	og_ledger_base_only(b.l, "outside");
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), OG_OK);
	assert_true(r.ignored == 2 && r.claimed == 1 && r.nnotes == 1);
	assert_string_equal(r.notes[0], "2 tensors ignored (outside): head.of.mine, …");
	close_books(&b);
	b = OPEN("base.a", "base.b", "head");
	assert_non_null(claim(&b, "base.a"));
	og_ledger_base_only(b.l, "outside");
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), ONNXGATE_CONVERSION);
	assert_non_null(strstr(b.err.message, "1 tensor of the checkpoint is used by nothing: base.b"));
	close_books(&b);
	b = OPEN("a", "head"); /* without the prefix nothing tells what is outside */
	assert_non_null(claim(&b, "a"));
	og_ledger_base_only(b.l, "outside");
	assert_int_equal(og_ledger_check(b.l, NULL, false, &r, &b.err), ONNXGATE_CONVERSION);
	close_books(&b);
}

static void test_ledger__two_spellings_of_one_name_are_refused(void **state)
{
	(void)state;
	books b = OPEN("module.LayerNorm.beta", "module.LayerNorm.bias");
	assert_int_equal(b.status, ONNXGATE_FORMAT);
	assert_non_null(strstr(b.err.message, "LayerNorm.bias stands twice"));
	close_books(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_ledger__a_wrapper_of_all_names_is_taken_off),
		SCRATCH_TEST(test_ledger__a_prefix_of_some_names_is_a_part_of_them),
		SCRATCH_TEST(test_ledger__marks_stand_below_the_prefix_or_bare),
		SCRATCH_TEST(test_ledger__a_rule_may_end_where_its_tensors_are_used),
		SCRATCH_TEST(test_ledger__outside_the_base_model_is_ignored_by_request),
		SCRATCH_TEST(test_ledger__two_spellings_of_one_name_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
