/* SPDX-License-Identifier: Apache-2.0
 *
 * CLIP, its image encoder and SigLIP beyond their goldens: both rules of where a text ends, the classes' defaults, the files of --split,
 * the classifier, and what is refused. */
#include "../base/scratch.h"

#include "base/limits.h"
#include "base/str.h"
#include "convert/convert_int.h"

#define TEXT "\"vocab_size\": 9, \"hidden_size\": 4, \"num_attention_heads\": 2, \"intermediate_size\": 6, \"num_hidden_layers\": 1"
#define IMAGE "\"image_size\": 4, \"patch_size\": 2, \"hidden_size\": 4, \"num_attention_heads\": 2, \"intermediate_size\": 6, \"num_hidden_layers\": 1"

typedef struct described {
	og_plan *plan;
	og_ledger *ledger;
	og_model **models;
	size_t n;
} described;

static og_status describe(const char *text, const og_convert_options *o, og_arena *arena, described *d, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	OG_TRY(og_json_parse("config.json", text, strlen(text), &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, o, arena, &d->plan, err));
	const og_plan_inner *in = d->plan->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &d->ledger, err));
	return og_describe_files(d->plan, d->ledger, arena, &d->models, &d->n, err);
}

static described must_describe(const char *text, const char *variant, og_arena *arena)
{
	described d = { 0 };
	og_error err = { 0 };
	if (describe(text, &(og_convert_options){ .variant = variant }, arena, &d, &err) != OG_OK)
		fail_msg("%s: %s", text, err.message);
	return d;
}

static size_t count(const og_model *m, const char *op)
{
	size_t n = 0;
	for (size_t i = 0; i < m->main->nnodes; i++)
		n += og_streq(m->main->nodes[i]->op, op);
	return n;
}

static const og_node *node(const og_model *m, const char *op)
{
	for (size_t i = 0; i < m->main->nnodes; i++)
		if (og_streq(m->main->nodes[i]->op, op))
			return m->main->nodes[i];
	fail_msg("no %s", op);
	return NULL;
}

static int64_t constant(const og_model *m, og_val v)
{
	int64_t k;
	assert_non_null(og_model_value(m, v)->init);
	memcpy(&k, og_model_value(m, v)->init->data, sizeof(k));
	return k;
}

/* "input_ids pixel_values -> logits" */
static const char *signature(const og_model *m)
{
	const char *s = "";
	for (size_t i = 0; i < m->main->ninputs; i++)
		s = og_arena_printf(m->arena, "%s%s ", s, og_model_value(m, m->main->inputs[i])->name);
	s = og_arena_printf(m->arena, "%s->", s);
	for (size_t i = 0; i < m->main->noutputs; i++)
		s = og_arena_printf(m->arena, "%s %s", s, og_model_value(m, m->main->outputs[i])->name);
	return s;
}

static bool claims(const described *d, const char *part)
{
	size_t n;
	const og_claim *c = og_ledger_claims(d->ledger, &n);
	for (size_t i = 0; i < n; i++)
		if (strstr(c[i].name, part))
			return true;
	return false;
}

/* ---- texts ---- */

/* The largest id where the config says 2, as old ones do; else the first that equals the id. ArgMax has int32 in either case. */
static void test_clip__where_a_text_ends(void **state)
{
	static const struct {
		const char *eos;
		int64_t id; /* -1: the largest */
		int64_t end; /* for made-up texts */
	} rows[] = { { "", 49407, -1 }, { ", \"eos_token_id\": 2", -1, 8 }, { ", \"eos_token_id\": 3", 3, 3 }, { ", \"eos_token_id\": 0", 0, 0 },
		{ ", \"eos_token_id\": 8", 8, 8 }, { ", \"eos_token_id\": 9", 9, -1 } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const char *text = og_arena_printf(arena, "{\"model_type\": \"clip\", \"text_config\": {" TEXT "%s}, \"vision_config\": {" IMAGE "}}", rows[i].eos);
		described d = must_describe(text, NULL, arena);
		const og_model *m = d.models[0];
		assert_int_equal(count(m, "Equal"), rows[i].id >= 0);
		if (rows[i].id >= 0)
			assert_int_equal(constant(m, node(m, "Equal")->in[1]), rows[i].id);
		assert_int_equal(count(m, "ArgMax"), 1);
		assert_int_equal(og_model_value(m, node(m, "ArgMax")->in[0])->dtype, OG_I32);
		assert_int_equal(og_node_int(node(m, "ArgMax"), "select_last_index", 0), 0);
		assert_int_equal(d.plan->facts.end_token_id, rows[i].end);
	}
}

static void test_clip__words_look_back_and_those_of_siglip_everywhere(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	described d = must_describe("{\"model_type\": \"clip\", \"text_config\": {" TEXT "}, \"vision_config\": {" IMAGE "}}", NULL, arena);
	(void)state;
	assert_string_equal(signature(d.models[0]),
		"input_ids pixel_values attention_mask -> logits_per_image logits_per_text text_embeds image_embeds");
	assert_int_equal(count(d.models[0], "Greater"), 1);
	d = must_describe("{\"model_type\": \"siglip\", \"text_config\": {" TEXT "}, \"vision_config\": {" IMAGE "}}", NULL, arena);
	assert_string_equal(signature(d.models[0]), "input_ids pixel_values -> logits_per_image logits_per_text text_embeds image_embeds");
	assert_int_equal(count(d.models[0], "Greater") + count(d.models[0], "ArgMax"), 0);
	assert_int_equal(d.plan->facts.end_token_id, -1);
}

/* ---- configs ---- */

static void test_clip__what_is_not_said_is_as_in_the_reference(void **state)
{
	static const struct {
		const char *text;
		int64_t vocab, positions, patches;
	} rows[] = {
		{ "{\"model_type\": \"clip\"}", 49408, 77, 49 },
		{ "{\"model_type\": \"clip\", \"text_config\": {}, \"vision_config\": {\"patch_size\": 16}}", 49408, 77, 196 },
		{ "{\"model_type\": \"clip\", \"text_config\": {\"vocab_size\": 5}, \"text_config_dict\": {\"max_position_embeddings\": 8}}", 49408, 8, 49 },
		{ "{\"model_type\": \"clip_vision_model\"}", 0, 0, 49 },
		{ "{\"model_type\": \"siglip\", \"text_config\": {\"model_type\": \"siglip_text_model\"}, \"vision_config\": null}", 32000, 64, 196 },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_input_facts f = must_describe(rows[i].text, NULL, arena).plan->facts;
		if (f.vocab_size != rows[i].vocab || f.max_positions != rows[i].positions || f.image.patches != rows[i].patches || f.image.height != 224)
			fail_msg("%s: %lld %lld %lld", rows[i].text, (long long)f.vocab_size, (long long)f.max_positions, (long long)f.image.patches);
	}
}

/* ---- files ---- */

static void test_clip__each_encoder_in_a_file_of_its_own(void **state)
{
	static const struct {
		const char *text, *first, *second;
	} rows[] = {
		{ "{\"model_type\": \"clip\", \"architectures\": [\"CLIPModel\"], \"text_config\": {" TEXT "}, \"vision_config\": {" IMAGE "}}",
		  "input_ids attention_mask -> text_embeds", "pixel_values -> image_embeds" },
		{ "{\"model_type\": \"siglip\", \"architectures\": [\"SiglipModel\"], \"text_config\": {" TEXT "}, \"vision_config\": {" IMAGE "}}",
		  "input_ids -> last_hidden_state pooler_output", "pixel_values -> last_hidden_state pooler_output" },
		{ "{\"model_type\": \"siglip\", \"text_config\": {" TEXT "}, \"vision_config\": {\"vision_use_head\": false, " IMAGE "}}",
		  "input_ids -> last_hidden_state pooler_output", "pixel_values -> last_hidden_state" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		described d = must_describe(rows[i].text, "split", arena);
		const og_plan_inner *in = d.plan->inner;
		assert_int_equal(d.n, 2);
		assert_string_equal(in->files[0].name, "text_model.onnx");
		assert_string_equal(in->files[1].name, "vision_model.onnx");
		assert_string_equal(signature(d.models[0]), rows[i].first);
		assert_string_equal(signature(d.models[1]), rows[i].second);
		assert_false(claims(&d, "logit_"));
	}
}

static void test_clip__a_classifier_takes_the_mean_of_the_patches(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	described d = must_describe("{\"model_type\": \"clip\", \"architectures\": [\"CLIPForImageClassification\"], \"vision_config\": {" IMAGE "}}", NULL, arena);
	const og_model *m = d.models[0];
	(void)state;
	assert_string_equal(d.plan->task, "image-classification");
	assert_string_equal(signature(m), "pixel_values -> logits");
	assert_int_equal(constant(m, node(m, "Slice")->in[1]), 1);
	assert_int_equal(constant(m, node(m, "ReduceMean")->in[1]), 1);
	assert_false(claims(&d, "text_model") || claims(&d, "post_layernorm") || claims(&d, "projection"));
}

static void test_clip__the_image_encoder_leaves_the_projection(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	described d = must_describe("{\"model_type\": \"clip_vision_model\", \"architectures\": [\"CLIPVisionModelWithProjection\"], " IMAGE "}", NULL, arena);
	(void)state;
	assert_string_equal(signature(d.models[0]), "pixel_values -> last_hidden_state pooler_output");
	assert_false(claims(&d, "projection"));
	assert_true(claims(&d, "vision_model.post_layernorm.weight") && claims(&d, "vision_model.pre_layrnorm.bias"));
}

/* ---- refusals ---- */

static void test_clip__what_cannot_be_is_refused_by_name(void **state)
{
	static const struct {
		const char *text, *says;
		og_status status;
		og_convert_options o;
	} rows[] = {
		{ "{\"model_type\": \"clip\", \"text_config\": [1]}", "text_config: expected an object, found [1]", ONNXGATE_FORMAT, { 0 } },
		{ "{\"model_type\": \"clip\", \"vision_config_dict\": 3}", "vision_config_dict: expected an object, found 3", ONNXGATE_FORMAT, { 0 } },
		{ "{\"model_type\": \"clip\", \"text_config\": {\"eos_token_id\": [2]}}", "text_config.eos_token_id: expected a whole number", ONNXGATE_FORMAT, { 0 } },
		{ "{\"model_type\": \"clip\", \"text_config\": {\"hidden_size\": 4, \"num_attention_heads\": 3}}", "4 is not divisible by 3 heads",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"clip\", \"vision_config\": {\"image_size\": [4, 4]}}", "vision_config.image_size: expected a whole number",
		  ONNXGATE_FORMAT, { 0 } },
		{ "{\"model_type\": \"clip_vision_model\", \"image_size\": 8, \"patch_size\": 9}", "an image of 8 × 8 is smaller than a patch of 9 × 9",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"clip\", \"text_config\": {\"pruned_heads\": {\"0\": [1]}}}", "text_config.pruned_heads: only {} is done",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"clip\", \"vision_config\": {\"quantization_config\": {}}}", "vision_config.quantization_config", ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"siglip\", \"vision_config\": {\"vision_use_head\": false}}", "vision_config.vision_use_head is false",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"siglip\", \"text_config\": {\"projection_size\": 5}}", "a text has width 5 and one of an image 768",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"siglip\", \"text_config\": {\"projection_size\": \"5\"}}",
		  "text_config.projection_size: expected a whole number", ONNXGATE_FORMAT, { 0 } },
		{ "{\"model_type\": \"siglip\", \"architectures\": [\"SiglipForImageClassification\"]}", "class SiglipForImageClassification is not done",
		  ONNXGATE_UNSUPPORTED, { 0 } },
		{ "{\"model_type\": \"clip\", \"architectures\": [\"CLIPModel\"]}", "task image-classification needs head weights", ONNXGATE_UNSUPPORTED,
		  { .task = "image-classification" } },
		{ "{\"model_type\": \"clip\", \"architectures\": [\"CLIPForImageClassification\"]}", "--split: CLIPForImageClassification of clip has no such files",
		  ONNXGATE_UNSUPPORTED, { .variant = "split" } },
		{ "{\"model_type\": \"clip_vision_model\"}", "--split: CLIPVisionModel of clip_vision_model has no such files", ONNXGATE_UNSUPPORTED,
		  { .variant = "split" } },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		described d;
		og_error err = { 0 };
		assert_int_equal(describe(rows[i].text, &rows[i].o, arena, &d, &err), rows[i].status);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s", err.message);
	}
}

/* A hint that leads to another refusal is none: half of a model has no base model, and a task's name may end as another's does. */
static void test_clip__hints_name_what_can_be_done(void **state)
{
	static const struct {
		const char *text, *task, *has, *lacks;
	} rows[] = {
		{ "{\"model_type\": \"clip\"}", "fill-mask", "feature-extraction, image-classification", "nothing" },
		{ "{\"model_type\": \"clip\", \"architectures\": [\"CLIPForImageClassification\"]}", "zero-shot-image-classification",
		  "its own task is image-classification", "feature-extraction" },
		{ "{\"model_type\": \"siglip\", \"architectures\": [\"SiglipForImageClassification\"]}", NULL, "onnxgate archs siglip", "base model" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		described d;
		og_error err = { 0 };
		assert_int_equal(describe(rows[i].text, &(og_convert_options){ .task = rows[i].task }, arena, &d, &err), ONNXGATE_UNSUPPORTED);
		if (!strstr(err.hint, rows[i].has) || strstr(err.hint, rows[i].lacks))
			fail_msg("%s", err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clip__where_a_text_ends),
		cmocka_unit_test(test_clip__words_look_back_and_those_of_siglip_everywhere),
		cmocka_unit_test(test_clip__what_is_not_said_is_as_in_the_reference),
		cmocka_unit_test(test_clip__each_encoder_in_a_file_of_its_own),
		cmocka_unit_test(test_clip__a_classifier_takes_the_mean_of_the_patches),
		cmocka_unit_test(test_clip__the_image_encoder_leaves_the_projection),
		cmocka_unit_test(test_clip__what_cannot_be_is_refused_by_name),
		cmocka_unit_test(test_clip__hints_name_what_can_be_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
