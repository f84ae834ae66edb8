/* SPDX-License-Identifier: Apache-2.0
 *
 * Sound: what is refused, how many samples a file can do with, where padding counts although it is masked, and what the goldens leave out:
 * the adapter, the file with a mask, a first bias that a norm takes away. */
#include "../base/scratch.h"

#include "base/str.h"
#include "convert/convert_int.h"

typedef struct described {
	og_arena *arena;
	og_plan *plan;
	og_ledger *ledger;
	const og_model *m;
	og_error err;
} described;

/* keys: further ones of a small config; class: of it; variant: NULL, or the one that is asked for. */
static og_status describe(described *d, const char *class_name, const char *keys, const char *variant)
{
	og_model **models;
	size_t n;
	og_auto(og_json) *doc = NULL;
	*d = (described){ .arena = og_arena_new() };
	const char *text = og_arena_printf(d->arena,
		"{\"model_type\": \"%s\", \"architectures\": [\"%s\"], \"hidden_size\": 16, \"num_attention_heads\": 2, \"intermediate_size\": 6, "
		"\"num_hidden_layers\": 1%s%s}",
		og_starts_with(class_name, "Hubert") ? "hubert" : "wav2vec2", class_name, keys[0] ? ", " : "", keys);
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, &d->err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ .variant = variant }, d->arena, &d->plan, &d->err));
	const og_plan_inner *in = d->plan->inner;
	OG_TRY(og_ledger_new(d->arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &d->ledger, &d->err));
	OG_TRY(og_describe_files(d->plan, d->ledger, d->arena, &models, &n, &d->err));
	d->m = models[0];
	return OG_OK;
}

#define CONVS "\"conv_dim\": [5, 6], \"conv_kernel\": [4, 3], \"conv_stride\": [2, 2]"

static void expect_refusal(const char *class_name, const char *keys, og_status status, const char *part)
{
	described d;
	og_status s = describe(&d, class_name, keys, NULL);
	if (s != status || !strstr(d.err.message, part))
		fail_msg("%s: status %d, message %s", keys, (int)s, d.err.message);
	og_arena_free(d.arena);
}

static void test_wav2vec2__rules_between_keys(void **state)
{
	(void)state;
	expect_refusal("Wav2Vec2Model", "\"conv_dim\": [5, 6]", ONNXGATE_UNSUPPORTED, "conv_dim has 2 values, conv_kernel 7 and conv_stride 7");
	expect_refusal("Wav2Vec2Model", CONVS ", \"num_conv_pos_embedding_groups\": 3", ONNXGATE_UNSUPPORTED, "cannot be divided into 3 groups");
	expect_refusal("Wav2Vec2Model", "\"feat_extract_norm\": \"batch\"", ONNXGATE_UNSUPPORTED, "feat_extract_norm: expected one of group layer");
	expect_refusal("Wav2Vec2ForXVector", CONVS ", \"tdnn_dim\": [5]", ONNXGATE_UNSUPPORTED, "tdnn_dim has 1 values, tdnn_kernel 5");
	expect_refusal("Wav2Vec2ForSequenceClassification", CONVS ", \"add_adapter\": true", ONNXGATE_UNSUPPORTED, "add_adapter true");
	expect_refusal("Wav2Vec2ForAudioFrameClassification", CONVS ", \"add_adapter\": true", ONNXGATE_UNSUPPORTED, "add_adapter true");
	expect_refusal("Wav2Vec2ForCTC", CONVS ", \"add_adapter\": true, \"output_hidden_size\": 1099511627776", ONNXGATE_UNSUPPORTED, "output_hidden_size");
	expect_refusal("Wav2Vec2ForCTC", CONVS ", \"vocab_size\": null", ONNXGATE_UNSUPPORTED, "vocab_size null");
	expect_refusal("HubertForCTC", CONVS ", \"add_adapter\": true", ONNXGATE_UNSUPPORTED, "add_adapter");
	expect_refusal("Wav2Vec2ForCTC", CONVS ", \"add_adapter\": true, \"num_adapter_layers\": 1000000", ONNXGATE_FORMAT,
		"num_adapter_layers: expected 1 to 4096, found 1000000");
	expect_refusal("HubertForXVector", CONVS, ONNXGATE_UNSUPPORTED, "HubertForXVector");
}

/* Keys of published configs that no class has, and no words where no head is of words. */
static void test_wav2vec2__keys_that_change_nothing(void **state)
{
	static const char *const rows[][2] = {
		{ "Wav2Vec2Model", CONVS ", \"vocab_size\": null, \"freeze_feat_extract_train\": true, \"mask_channel_other\": 0.0" },
		{ "HubertModel", CONVS ", \"vocab_size\": null, \"add_adapter\": false, \"feat_extract_dropout\": 0.0" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		described d;
		if (describe(&d, rows[i][0], rows[i][1], NULL) != OG_OK)
			fail_msg("%s: %s", rows[i][1], d.err.message);
		assert_int_equal(d.plan->nunknown_keys, 0);
		og_arena_free(d.arena);
	}
}

static const og_node *node_at(const og_model *m, const char *op, size_t which)
{
	for (size_t i = 0; i < m->main->nnodes; i++)
		if (og_streq(m->main->nodes[i]->op, op) && which-- == 0)
			return m->main->nodes[i];
	fail_msg("no %s", op);
	return NULL;
}

static void expect_output(const char *class_name, const char *keys, const char *frames)
{
	described d;
	if (describe(&d, class_name, keys, NULL) != OG_OK)
		fail_msg("%s", d.err.message);
	const og_value *v = og_model_value(d.m, d.m->main->outputs[0]);
	assert_string_equal(og_dim_text(d.m->dims, v->dims[1]), frames);
	og_arena_free(d.arena);
}

static void test_wav2vec2__frames_are_spelled_layer_by_layer(void **state)
{
	(void)state;
	expect_output("Wav2Vec2Model", CONVS, "( ( sequence_length - 4 ) // 2 + 1 - 3 ) // 2 + 1");
	expect_output("Wav2Vec2ForCTC", CONVS ", \"add_adapter\": true, \"num_adapter_layers\": 1, \"adapter_kernel_size\": 5",
		"( ( ( sequence_length - 4 ) // 2 + 1 - 3 ) // 2 + 1 + 2 - 5 ) // 2 + 1");
	expect_output("HubertForCTC", "\"conv_dim\": [5], \"conv_kernel\": [1], \"conv_stride\": [1]", "sequence_length");
}

/* An even kernel has one neighbour more before than behind. */
static void test_wav2vec2__as_many_positions_as_frames(void **state)
{
	static const int64_t kernels[] = { 1, 2, 3, 4 };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(kernels); i++) {
		described d;
		char keys[160];
		snprintf(keys, sizeof(keys), CONVS ", \"feat_extract_norm\": \"layer\", \"num_conv_pos_embeddings\": %d", (int)kernels[i]);
		assert_int_equal(describe(&d, "Wav2Vec2Model", keys, NULL), OG_OK);
		const og_attr *pads = og_node_attr(node_at(d.m, "Conv", 2), "pads");
		assert_int_equal(pads->nints, 2);
		assert_int_equal(pads->ints[0], kernels[i] / 2);
		assert_int_equal(pads->ints[0] + pads->ints[1], kernels[i] - 1);
		og_arena_free(d.arena);
	}
}

static void test_wav2vec2__a_bias_before_the_norm_over_time_is_accounted_for(void **state)
{
	static const char *const norms[] = { "group", "layer" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(norms); i++) {
		described d;
		char keys[160];
		size_t n, found = 0;
		snprintf(keys, sizeof(keys), CONVS ", \"conv_bias\": true, \"feat_extract_norm\": \"%s\"", norms[i]);
		assert_int_equal(describe(&d, "Wav2Vec2Model", keys, NULL), OG_OK);
		assert_int_equal(node_at(d.m, "Conv", 0)->nin, i == 0 ? 2 : 3);
		assert_int_equal(node_at(d.m, "Conv", 1)->nin, 3);
		const og_claim *c = og_ledger_claims(d.ledger, &n);
		for (size_t k = 0; k < n; k++)
			found += og_streq(c[k].name, "wav2vec2.feature_extractor.conv_layers.0.conv.bias");
		assert_int_equal(found, 1);
		og_arena_free(d.arena);
	}
}

static size_t count_of(const og_model *m, const char *op)
{
	size_t n = 0;
	for (size_t i = 0; i < m->main->nnodes; i++)
		n += og_streq(m->main->nodes[i]->op, op);
	return n;
}

/* layer_norm_eps is not for all: torch's own is that of the batch norm, the norm over time, the adapter's and the small layers'. */
static void test_wav2vec2__whose_epsilon_is_whose(void **state)
{
	static const struct {
		const char *class_name, *keys, *op, *part;
		double eps;
	} rows[] = {
		{ "HubertModel", ", \"conv_pos_batch_norm\": true", "BatchNormalization", "batch_norm", 1e-5 },
		{ "HubertModel", "", "InstanceNormalization", "conv_layers.0/layer_norm", 1e-5 },
		{ "HubertModel", "", "LayerNormalization", "feature_projection", 0.25 },
		{ "Wav2Vec2Model", ", \"feat_extract_norm\": \"layer\"", "LayerNormalization", "conv_layers.1/layer_norm", 1e-5 },
		{ "Wav2Vec2Model", ", \"add_adapter\": true, \"output_hidden_size\": 8", "LayerNormalization", "proj_layer_norm", 1e-5 },
		{ "Wav2Vec2Model", ", \"do_stable_layer_norm\": true, \"adapter_attn_dim\": 3", "LayerNormalization", "adapter_layer", 1e-5 },
		{ "Wav2Vec2Model", ", \"do_stable_layer_norm\": true", "LayerNormalization", "final_layer_norm", 0.25 },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		described d;
		char keys[256];
		size_t found = 0;
		snprintf(keys, sizeof(keys), CONVS ", \"layer_norm_eps\": 0.25%s", rows[i].keys);
		assert_int_equal(describe(&d, rows[i].class_name, keys, NULL), OG_OK);
		for (size_t k = 0; k < d.m->main->nnodes; k++) {
			const og_node *n = d.m->main->nodes[k];
			if (!og_streq(n->op, rows[i].op) || !strstr(n->name, rows[i].part))
				continue;
			assert_float_equal(og_node_attr(n, "epsilon")->f, (float)rows[i].eps, 1e-9f);
			found++;
		}
		if (!found)
			fail_msg("no %s of %s", rows[i].op, rows[i].part);
		og_arena_free(d.arena);
	}
}

/* The positions have the activation of the convolutions, and the small layers always ReLU. */
static void test_wav2vec2__whose_activation_is_whose(void **state)
{
	described d;
	(void)state;
	assert_int_equal(describe(&d, "Wav2Vec2Model", CONVS ", \"feat_extract_activation\": \"tanh\", \"hidden_act\": \"sigmoid\", "
		"\"do_stable_layer_norm\": true, \"adapter_attn_dim\": 3", NULL), OG_OK);
	assert_int_equal(count_of(d.m, "Tanh"), 3);
	assert_int_equal(count_of(d.m, "Sigmoid"), 1);
	assert_int_equal(count_of(d.m, "Relu"), 1);
	og_arena_free(d.arena);
}

/* Under a mask each window's count is held at one; a speaker may have an adapter, as in the reference. */
static void test_wav2vec2__a_row_shorter_than_a_frame_counts_as_one(void **state)
{
	described d;
	(void)state;
	assert_int_equal(describe(&d, "Wav2Vec2ForXVector", CONVS ", \"add_adapter\": true, \"num_adapter_layers\": 1", "with-mask"), OG_OK);
	assert_int_equal(count_of(d.m, "Max"), 3);
	og_arena_free(d.arena);
}

/* Small layers stand behind layers that normalise first, and nowhere else; null is none. */
static void test_wav2vec2__small_layers_only_where_the_reference_has_them(void **state)
{
	static const struct {
		const char *keys;
		bool there;
	} cases[] = {
		{ CONVS ", \"adapter_attn_dim\": 3, \"do_stable_layer_norm\": true", true }, { CONVS ", \"adapter_attn_dim\": 3", false },
		{ CONVS ", \"adapter_attn_dim\": null, \"do_stable_layer_norm\": true", false },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		described d;
		size_t n, found = 0;
		assert_int_equal(describe(&d, "Wav2Vec2Model", cases[i].keys, NULL), OG_OK);
		const og_claim *c = og_ledger_claims(d.ledger, &n);
		for (size_t k = 0; k < n; k++)
			found += strstr(c[k].name, ".adapter_layer.") != NULL;
		assert_int_equal(found > 0, cases[i].there);
		og_arena_free(d.arena);
	}
}

/* ---- with a mask ---- */

static void test_wav2vec2__a_mask_is_an_input_on_request(void **state)
{
	static const char *const classes[] = { "Wav2Vec2Model", "Wav2Vec2ForCTC", "Wav2Vec2ForSequenceClassification", "Wav2Vec2ForAudioFrameClassification",
		"Wav2Vec2ForXVector", "Wav2Vec2ForPreTraining", "HubertModel", "HubertForCTC", "HubertForSequenceClassification" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(classes); i++)
		for (int masked = 0; masked < 2; masked++) {
			described d;
			if (describe(&d, classes[i], CONVS, masked ? "with-mask" : NULL) != OG_OK)
				fail_msg("%s", d.err.message);
			assert_int_equal(d.m->main->ninputs, 1 + masked);
			if (masked)
				assert_string_equal(og_model_value(d.m, d.m->main->inputs[1])->name, "attention_mask");
			og_arena_free(d.arena);
		}
}

static og_input_facts facts_of(const char *class_name, const char *keys)
{
	described d;
	if (describe(&d, class_name, keys, NULL) != OG_OK)
		fail_msg("%s", d.err.message);
	og_input_facts f = d.plan->facts;
	og_arena_free(d.arena);
	return f;
}

static void expect_samples(const char *class_name, const char *keys, int64_t least, int64_t step)
{
	og_input_facts f = facts_of(class_name, keys);
	if (f.sound.least != least || f.sound.step != step)
		fail_msg("%s: %lld samples, then %lld", keys, (long long)f.sound.least, (long long)f.sound.step);
}

static void test_wav2vec2__how_many_samples_a_file_can_do_with(void **state)
{
	(void)state;
	expect_samples("Wav2Vec2Model", "", 400, 320);
	expect_samples("Wav2Vec2ForCTC", CONVS, 8, 4);
	expect_samples("HubertForSequenceClassification", CONVS, 8, 4);
	expect_samples("Wav2Vec2ForXVector", CONVS, 8 + 15 * 4, 4); /* 4 + 2·2 + 2·3 frames, and two of what is left */
	expect_samples("Wav2Vec2ForXVector", CONVS ", \"tdnn_dim\": [4], \"tdnn_kernel\": [1], \"tdnn_dilation\": [9]", 12, 4);
	expect_samples("Wav2Vec2Model", CONVS ", \"add_adapter\": true, \"num_adapter_layers\": 1", 8, 8); /* one frame is enough for a kernel of 3 */
	expect_samples("Wav2Vec2Model", CONVS ", \"add_adapter\": true, \"num_adapter_layers\": 1, \"adapter_kernel_size\": 6", 20, 8);
	expect_samples("Wav2Vec2Model", "\"conv_dim\": [5, 5], \"conv_kernel\": [1, 1099511627776], \"conv_stride\": [1099511627776, 9]", OG_DIM_MAX, OG_DIM_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wav2vec2__rules_between_keys),
		cmocka_unit_test(test_wav2vec2__whose_epsilon_is_whose),
		cmocka_unit_test(test_wav2vec2__whose_activation_is_whose),
		cmocka_unit_test(test_wav2vec2__a_row_shorter_than_a_frame_counts_as_one),
		cmocka_unit_test(test_wav2vec2__keys_that_change_nothing),
		cmocka_unit_test(test_wav2vec2__frames_are_spelled_layer_by_layer),
		cmocka_unit_test(test_wav2vec2__as_many_positions_as_frames),
		cmocka_unit_test(test_wav2vec2__a_bias_before_the_norm_over_time_is_accounted_for),
		cmocka_unit_test(test_wav2vec2__small_layers_only_where_the_reference_has_them),
		cmocka_unit_test(test_wav2vec2__a_mask_is_an_input_on_request),
		cmocka_unit_test(test_wav2vec2__how_many_samples_a_file_can_do_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
