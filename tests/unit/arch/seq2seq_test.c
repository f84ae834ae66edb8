/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders with a decoder: which task a class has, which files with which inputs and outputs, that the merged decoder holds each weight once,
 * and what is refused by name. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

#define T5 \
	"\"vocab_size\": 11, \"d_model\": 8, \"num_heads\": 4, \"d_kv\": 3, \"num_layers\": 1, \"num_decoder_layers\": 2, \"d_ff\": 6"

static og_status plan(const char *type, const char *class_name, const char *keys, const char *task, og_arena *arena, og_plan **p, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	const char *text = og_arena_printf(arena, "{\"model_type\": \"%s\", \"architectures\": [\"%s\"], %s}", type, class_name, keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	return og_plan_make(doc, false, NULL, &(og_convert_options){ .task = task }, arena, p, err);
}

typedef struct described {
	const og_plan_inner *in;
	og_ledger *ledger;
	og_model **models;
	size_t n;
} described;

static og_status describe(const char *type, const char *class_name, const char *keys, const char *task, og_arena *arena, described *d, og_error *err)
{
	og_plan *p;
	OG_TRY(plan(type, class_name, keys, task, arena, &p, err));
	d->in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, d->in->arch->base_prefix, d->in->arch->fields, d->in->config, &d->ledger, err));
	return og_describe_files(p, d->ledger, arena, &d->models, &d->n, err);
}

static described described_as(const char *type, const char *class_name, const char *keys, const char *task, og_arena *arena)
{
	described d = { 0 };
	og_error err = { 0 };
	if (describe(type, class_name, keys, task, arena, &d, &err) != OG_OK)
		fail_msg("%s: %s", type, err.message);
	return d;
}

static void test_seq2seq__a_class_has_its_first_task_and_may_be_asked_for_others(void **state)
{
	static const struct {
		const char *class_name, *asked, *task; /* task NULL: refused */
	} rows[] = {
		{ "T5ForConditionalGeneration", NULL, "text2text-generation-with-past" },
		{ "T5WithLMHeadModel", NULL, "text2text-generation-with-past" },
		{ "T5ForConditionalGeneration", "text2text-generation", "text2text-generation" },
		{ "T5ForConditionalGeneration", "seq2seq-lm", "text2text-generation" },
		{ "T5ForConditionalGeneration", "summarization-with-past", "text2text-generation-with-past" },
		{ "T5ForConditionalGeneration", "translation", "text2text-generation" },
		{ "T5ForConditionalGeneration", "feature-extraction", "feature-extraction" },
		{ "T5ForConditionalGeneration", "text-classification", NULL },
		{ "T5Model", NULL, "feature-extraction" },
		{ "T5Model", "default-with-past", "feature-extraction-with-past" },
		{ "T5Model", "text2text-generation", NULL },
		{ "T5EncoderModel", NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_plan *p = NULL;
		og_error err = { 0 };
		og_status s = plan("t5", rows[i].class_name, T5, rows[i].asked, arena, &p, &err);
		if (s != (rows[i].task ? OG_OK : ONNXGATE_UNSUPPORTED) || (rows[i].task && !og_streq(p->task, rows[i].task)))
			fail_msg("%s asked for %s: %d %s", rows[i].class_name, rows[i].asked ? rows[i].asked : "nothing", (int)s, err.message);
	}
}

static void expect_names(const og_model *m, const og_val *v, size_t n, const char *wanted)
{
	og_auto_buf names;
	og_buf_init(&names, 4096);
	for (size_t i = 0; i < n; i++) {
		const og_value *x = og_model_value(m, v[i]);
		og_buf_printf(&names, "%s%s", i ? " " : "", x->name);
		for (int k = 0; k < x->rank; k++)
			og_buf_printf(&names, "%s%s", k ? "|" : ":", og_dim_text(m->dims, x->dims[k]));
	}
	assert_string_equal(og_buf_cstr(&names), wanted);
}

#define OWN(begin, length) begin ".decoder.key:batch_size|4|" length "|3 " begin ".decoder.value:batch_size|4|" length "|3"
#define CROSS(begin) begin ".encoder.key:batch_size|4|encoder_sequence_length|3 " begin ".encoder.value:batch_size|4|encoder_sequence_length|3"
#define PAST "past_decoder_sequence_length"
#define S "decoder_sequence_length"
#define MASK "encoder_attention_mask:batch_size|encoder_sequence_length input_ids:batch_size|" S
#define STATES " encoder_hidden_states:batch_size|encoder_sequence_length|8"
#define PASTS " " OWN("past_key_values.0", PAST) " " CROSS("past_key_values.0") " " OWN("past_key_values.1", PAST) " " CROSS("past_key_values.1")
#define LOGITS "logits:batch_size|" S "|11 "

static void test_seq2seq__files_take_and_give_what_each_is_for(void **state)
{
	static const struct {
		const char *file, *in, *out;
	} rows[] = {
		{ "encoder_model.onnx", "input_ids:batch_size|encoder_sequence_length attention_mask:batch_size|encoder_sequence_length",
		  "last_hidden_state:batch_size|encoder_sequence_length|8" },
		{ "decoder_model.onnx", MASK STATES, LOGITS OWN("present.0", S) " " CROSS("present.0") " " OWN("present.1", S) " " CROSS("present.1") },
		{ "decoder_with_past_model.onnx", MASK PASTS, LOGITS OWN("present.0", PAST " + " S) " " OWN("present.1", PAST " + " S) },
		{ "decoder_model_merged.onnx", MASK STATES PASTS " use_cache_branch:1",
		  LOGITS OWN("present.0", PAST " + " S) " " CROSS("present.0") " " OWN("present.1", PAST " + " S) " " CROSS("present.1") },
	};
	og_auto(og_arena) *arena = og_arena_new();
	described d = described_as("t5", "T5ForConditionalGeneration", T5, NULL, arena);
	(void)state;
	assert_int_equal(d.n, OG_COUNT(rows));
	for (size_t i = 0; i < d.n; i++) {
		const og_graph *g = d.models[i]->main;
		assert_string_equal(d.in->files[i].name, rows[i].file);
		expect_names(d.models[i], g->inputs, g->ninputs, rows[i].in);
		expect_names(d.models[i], g->outputs, g->noutputs, rows[i].out);
	}
	d = described_as("t5", "T5ForConditionalGeneration", T5, "text2text-generation", arena);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.models[1]->main->noutputs, 1);
}

static void test_seq2seq__branches_share_the_weights(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	described d = described_as("mt5", "MT5ForConditionalGeneration", T5, NULL, arena);
	size_t n;
	const og_claim *c = og_ledger_claims(d.ledger, &n);
	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(c[i].name, c[k].name);
	assert_int_equal(d.models[3]->main->nnodes >= 1, 1);
	assert_string_equal(d.models[3]->main->nodes[d.models[3]->main->nnodes - 1]->op, "If");
	assert_int_equal(d.models[3]->main->nodes[d.models[3]->main->nnodes - 1]->nout, 1 + 4 * 2);
}

static void test_seq2seq__impossible_configs_are_refused_by_name(void **state)
{
	static const struct {
		const char *keys, *says;
		og_status status;
	} rows[] = {
		{ T5 ", \"relative_attention_num_buckets\": 3", "3 buckets to distance 128 are too few", ONNXGATE_UNSUPPORTED },
		{ T5 ", \"relative_attention_max_distance\": 16", "32 buckets to distance 16 reach the farthest", ONNXGATE_UNSUPPORTED },
		{ T5 ", \"relative_attention_max_distance\": 65537", "reach too far", ONNXGATE_UNSUPPORTED },
		{ T5 ", \"feed_forward_proj\": \"gated\"", "feed_forward_proj: expected an activation, or gated- and one; \"gated\" is not known",
		  ONNXGATE_UNSUPPORTED },
		{ T5 ", \"feed_forward_proj\": 1", "feed_forward_proj: expected a string", ONNXGATE_FORMAT },
		{ T5 ", \"is_gated_act\": 1", "is_gated_act: expected true or false", ONNXGATE_FORMAT },
		{ T5 ", \"dense_act_fn\": \"new\"", "\"new\" is not known", ONNXGATE_UNSUPPORTED },
		{ "\"num_heads\": 4, \"d_kv\": 1099511627776", "num_heads 4 with d_kv 1099511627776 is too wide", ONNXGATE_UNSUPPORTED },
		{ T5 ", \"tie_encoder_decoder\": true", "tie_encoder_decoder", ONNXGATE_UNSUPPORTED },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		described d = { 0 };
		og_error err = { 0 };
		og_status s = describe("t5", "T5Model", rows[i].keys, NULL, arena, &d, &err);
		if (s != rows[i].status || !strstr(err.message, rows[i].says))
			fail_msg("%s: %d %s", rows[i].keys, (int)s, err.message);
	}
}

/* What stands beside feed_forward_proj was written by the class and is read back by it, so it counts. */
static void test_seq2seq__the_gate_is_what_its_own_key_says(void **state)
{
	static const struct {
		const char *keys;
		bool gated;
	} rows[] = {
		{ T5, false },
		{ T5 ", \"feed_forward_proj\": \"gated-gelu\"", true },
		{ T5 ", \"feed_forward_proj\": \"gated-gelu\", \"is_gated_act\": false", false },
		{ T5 ", \"is_gated_act\": true", true },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		described d = described_as("t5", "T5Model", rows[i].keys, NULL, arena);
		size_t n, gates = 0;
		const og_claim *c = og_ledger_claims(d.ledger, &n);
		for (size_t k = 0; k < n; k++)
			gates += og_ends_with(c[k].name, "wi_1.weight");
		assert_int_equal(gates, rows[i].gated ? 3 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seq2seq__a_class_has_its_first_task_and_may_be_asked_for_others),
		cmocka_unit_test(test_seq2seq__files_take_and_give_what_each_is_for),
		cmocka_unit_test(test_seq2seq__branches_share_the_weights),
		cmocka_unit_test(test_seq2seq__impossible_configs_are_refused_by_name),
		cmocka_unit_test(test_seq2seq__the_gate_is_what_its_own_key_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
