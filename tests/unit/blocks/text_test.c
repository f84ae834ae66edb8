/* SPDX-License-Identifier: Apache-2.0
 *
 * The six tasks over a toy family: the inputs and outputs that each file gets, in order, and that ties come before claims. */
#include "../graph/checkpoint_toy.h"

#include "base/str.h"
#include "blocks/text.h"

enum { VOCAB = 9, WIDTH = 4, LABELS = 3 };

typedef struct toy_config {
	int64_t pad, labels; /* so that labels do not come first */
	bool *encoded;
} toy_config;

static og_val encode(og_build *b, const void *config, og_text_in in)
{
	const toy_config *c = config;
	*c->encoded = true;
	og_val mask = og_cast(b, og_expand_dims(b, in.mask, 2), OG_F32);
	og_val x = og_text_embed(b, in, OG_NONE, (og_text_embed_o){ .vocab = VOCAB, .segments = 2, .width = WIDTH, .eps = 1e-5 });
	return og_mul(b, x, mask);
}

static og_val classify(og_build *b, const void *config, og_val x, int64_t n)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "last", n);
}

static og_val words(og_build *b, const void *config, og_val x)
{
	(void)config;
	return og_linear(b, x, "decoder", VOCAB);
}

static void tie(og_build *b, const void *config)
{
	assert_false(*((const toy_config *)config)->encoded);
	og_tied(b, "decoder.weight", "/embeddings.word_embeddings.weight");
}

static const og_text with_segments = { .labels = OG_TEXT_LABELS(toy_config, labels), .encode = encode, .classify = classify, .words = words, .tie = tie };
static const og_text without_segments = { .no_segments = true, .labels = OG_TEXT_LABELS(toy_config, labels), .encode = encode, .classify = classify,
	.words = words, .tie = tie };

static const struct task {
	void (*describe)(og_build *b, const void *config, const void *text);
	const char *outputs; /* "name[dims] …" */
	bool choices;
} tasks[] = {
	{ og_text_features, "last_hidden_state[batch_size, sequence_length, 4]", false },
	{ og_text_fill_mask, "logits[batch_size, sequence_length, 9]", false },
	{ og_text_classification, "logits[batch_size, 3]", false },
	{ og_text_token_classification, "logits[batch_size, sequence_length, 3]", false },
	{ og_text_question_answering, "start_logits[batch_size, sequence_length] end_logits[batch_size, sequence_length]", false },
	{ og_text_multiple_choice, "logits[batch_size, num_choices]", true },
};

static void put(og_buf *text, const og_model *m, const og_val *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const og_value *x = og_model_value(m, v[i]);
		og_buf_printf(text, "%s%s[", i ? " " : "", x->name);
		for (int k = 0; k < x->rank; k++)
			og_buf_printf(text, "%s%s", k ? ", " : "", og_dim_text(m->dims, x->dims[k]));
		og_buf_byte(text, ']');
	}
}

static void expect_signature(const struct task *task, const og_text *family)
{
	toy_build t = toy_builder(NULL, 0);
	bool encoded = false;
	const toy_config config = { .labels = LABELS, .encoded = &encoded };
	const char *dims = task->choices ? "[batch_size, num_choices, sequence_length]" : "[batch_size, sequence_length]";
	char wanted[256];
	og_auto_buf inputs, outputs;
	og_buf_init(&inputs, 4096);
	og_buf_init(&outputs, 4096);
	task->describe(t.b, &config, family);
	og_model *m = toy_finish(&t);
	put(&inputs, m, m->main->inputs, m->main->ninputs);
	put(&outputs, m, m->main->outputs, m->main->noutputs);
	snprintf(wanted, sizeof(wanted), "input_ids%s attention_mask%s%s%s", dims, dims, family->no_segments ? "" : " token_type_ids",
		family->no_segments ? "" : dims);
	assert_string_equal(og_buf_cstr(&inputs), wanted);
	assert_string_equal(og_buf_cstr(&outputs), task->outputs);
	toy_builder_free(&t);
}

static void test_text__inputs_and_outputs_of_every_task(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(tasks); i++) {
		expect_signature(&tasks[i], &with_segments);
		expect_signature(&tasks[i], &without_segments);
	}
}

static og_val choose(og_build *b, const void *config, og_val x)
{
	(void)config;
	return og_linear(b, og_token(b, x, 0), "chooser", 1);
}

static const og_claim *claim_of(const toy_build *t, const char *name)
{
	size_t n;
	const og_claim *c = og_ledger_claims(t->ledger, &n);
	for (size_t i = 0; i < n; i++)
		if (og_streq(c[i].name, name))
			return &c[i];
	return NULL;
}

/* A family that has a head of its own for choices uses it for nothing else. */
static void test_text__choices_may_have_a_head_of_their_own(void **state)
{
	const og_text text = { .labels = OG_TEXT_LABELS(toy_config, labels), .encode = encode, .classify = classify, .choose = choose, .words = words, .tie = tie };
	bool encoded = false;
	const toy_config config = { .labels = LABELS, .encoded = &encoded };
	toy_build t = toy_builder(NULL, 0);
	(void)state;
	og_text_multiple_choice(t.b, &config, &text);
	toy_finish(&t);
	assert_true(claim_of(&t, "chooser.weight") && !claim_of(&t, "last.weight"));
	toy_builder_free(&t);
	t = toy_builder(NULL, 0);
	og_text_classification(t.b, &config, &text);
	toy_finish(&t);
	assert_true(claim_of(&t, "last.weight") && !claim_of(&t, "chooser.weight"));
	toy_builder_free(&t);
}

/* The table is there, is claimed whole, and its first row alone is written. */
static void test_text__without_segments_all_are_of_the_first(void **state)
{
	bool encoded = false;
	const toy_config config = { .labels = LABELS, .encoded = &encoded };
	toy_build t = toy_builder(NULL, 0);
	(void)state;
	og_text_features(t.b, &config, &without_segments);
	const og_model *m = toy_finish(&t);
	const og_claim *c = claim_of(&t, "embeddings.token_type_embeddings.weight");
	assert_non_null(c);
	assert_true(c->rank == 2 && c->dims[0] == 2 && c->dims[1] == WIDTH);
	size_t written = 0;
	for (size_t i = 0; i < m->ninits; i++)
		if (og_streq(m->inits[i]->name, "embeddings.token_type_embeddings.weight")) {
			assert_true(m->inits[i]->rank == 2 && m->inits[i]->dims[0] == 1 && m->inits[i]->dims[1] == WIDTH);
			written++;
		}
	assert_int_equal(written, 1);
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__inputs_and_outputs_of_every_task),
		cmocka_unit_test(test_text__choices_may_have_a_head_of_their_own),
		cmocka_unit_test(test_text__without_segments_all_are_of_the_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
