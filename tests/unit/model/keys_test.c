/* SPDX-License-Identifier: Apache-2.0
 *
 * rope_scaling, layer_types, and numbers that may be null: what is read, and what is refused with its name. */
#include "../base/scratch.h"

#include "model/keys.h"

typedef struct toy {
	og_rope rope;
	og_layer_kinds kinds;
	int64_t heads, window, pad;
} toy;

static const og_field fields[] = {
	OG_READ(toy, rope, og_rope, "rope_scaling", og_rope_read),
	OG_READ(toy, kinds, og_layer_kinds, "layer_types", og_layer_kinds_read),
	OG_DIM_OR_NONE(toy, heads, "heads"),
	OG_DIM_OR_NULL(toy, window, "window", 4096),
	OG_ID_OR_NONE(toy, pad, "pad"),
	{ 0 },
};

static og_status read_text(const char *text, toy *out, og_arena *arena, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	og_unknown_keys u = { 0 };
	memset(out, 0x55, sizeof(*out));
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	return og_config_read(doc, fields, NULL, out, arena, &u, err);
}

static toy expect(const char *text, og_arena *arena)
{
	toy t;
	og_error err = { 0 };
	if (read_text(text, &t, arena, &err) != OG_OK)
		fail_msg("%s: %s", text, err.message);
	return t;
}

static void test_keys__absent_and_null_are_the_ordinary_case(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	(void)state;
	for (int i = 0; i < 2; i++) {
		toy t = expect(i ? "{\"rope_scaling\": null, \"layer_types\": null, \"heads\": null, \"pad\": null}" : "{}", arena);
		assert_int_equal(t.rope.kind, OG_ROPE_PLAIN);
		assert_int_equal(t.kinds.n, 0);
		assert_int_equal(t.heads, 0);
		assert_int_equal(t.window, 4096);
		assert_true(t.pad == OG_ID_NONE);
	}
	assert_int_equal(expect("{\"window\": null}", arena).window, 0);
	assert_int_equal(expect("{\"window\": 7, \"pad\": -1}", arena).window, 7);
	assert_int_equal(expect("{\"pad\": -1}", arena).pad, -1);
}

static void test_keys__every_kind_of_rope_is_read(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	(void)state;
	assert_int_equal(expect("{\"rope_scaling\": {\"rope_type\": \"default\", \"factor\": null}}", arena).rope.kind, OG_ROPE_PLAIN);
	toy t = expect("{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}}", arena);
	assert_int_equal(t.rope.kind, OG_ROPE_LINEAR);
	assert_true(t.rope.factor == 4);
	t = expect("{\"rope_scaling\": {\"rope_type\": \"yarn\", \"type\": \"yarn\", \"factor\": 2.5, \"attention_factor\": 0, \"beta_fast\": 3, \"beta_slow\": 2, "
		"\"mscale\": 1.5, \"mscale_all_dim\": 0.5, \"truncate\": false, \"original_max_position_embeddings\": 9}}", arena);
	assert_int_equal(t.rope.kind, OG_ROPE_YARN);
	assert_true(t.rope.attention_given && t.rope.attention_factor == 0 && t.rope.no_truncate && t.rope.original == 9);
	assert_true(t.rope.beta_fast == 3 && t.rope.beta_slow == 2 && t.rope.mscale == 1.5 && t.rope.mscale_all_dim == 0.5);
	t = expect("{\"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 1.5], \"long_factor\": [2, 3, 4]}}", arena);
	assert_int_equal(t.rope.kind, OG_ROPE_LONG);
	assert_true(t.rope.nshort == 2 && t.rope.nlong == 3 && t.rope.short_factor[1] == 1.5 && t.rope.long_factor[2] == 4);
	assert_false(t.rope.attention_given);
	t = expect("{\"layer_types\": [\"full_attention\", \"sliding_attention\"]}", arena);
	assert_true(t.kinds.n == 2 && !t.kinds.windowed[0] && t.kinds.windowed[1]);
}

static void test_keys__faults_are_named(void **state)
{
	static const struct {
		const char *text;
		og_status status;
		const char *says;
	} rows[] = {
		{ "{\"rope_scaling\": 3}", ONNXGATE_FORMAT, "rope_scaling: expected an object, found 3" },
		{ "{\"rope_scaling\": {}}", ONNXGATE_FORMAT, "rope_scaling: expected rope_type to be one of" },
		{ "{\"rope_scaling\": {\"rope_type\": \"su\"}}", ONNXGATE_UNSUPPORTED, "rope_scaling: expected rope_type to be one of" },
		{ "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"type\": \"linear\", \"factor\": 2}}", ONNXGATE_UNSUPPORTED, "to agree" },
		{ "{\"rope_scaling\": {\"rope_type\": 3}}", ONNXGATE_FORMAT, "rope_scaling" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\"}}", ONNXGATE_FORMAT, "expected a factor above 0" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0}}", ONNXGATE_FORMAT, "expected a factor above 0" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": \"2\"}}", ONNXGATE_FORMAT, "rope_scaling.factor: expected a number of at least 0" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": -2}}", ONNXGATE_FORMAT, "rope_scaling.factor: expected a number of at least 0" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": NaN}}", ONNXGATE_FORMAT, "rope_scaling.factor" },
		{ "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2, \"shift\": 1}}", ONNXGATE_UNSUPPORTED, "rope_scaling.shift: not understood" },
		{ "{\"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2}}", ONNXGATE_FORMAT, "expected short_factor and long_factor" },
		{ "{\"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 0], \"long_factor\": [1]}}", ONNXGATE_FORMAT, "rope_scaling.short_factor" },
		{ "{\"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1], \"long_factor\": []}}", ONNXGATE_FORMAT, "rope_scaling.long_factor" },
		{ "{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 1, \"high_freq_factor\": 4}}", ONNXGATE_FORMAT,
		  "expected original_max_position_embeddings" },
		{ "{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 2, \"original_max_position_embeddings\": 8, \"low_freq_factor\": 4, "
		  "\"high_freq_factor\": 4}}", ONNXGATE_FORMAT, "high_freq_factor" },
		{ "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"truncate\": 1}}", ONNXGATE_FORMAT, "rope_scaling.truncate" },
		{ "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"original_max_position_embeddings\": 0}}", ONNXGATE_FORMAT, "original_max" },
		{ "{\"layer_types\": []}", ONNXGATE_FORMAT, "layer_types: expected a list" },
		{ "{\"layer_types\": \"full_attention\"}", ONNXGATE_FORMAT, "layer_types: expected a list" },
		{ "{\"layer_types\": [\"full_attention\", \"chunked_attention\"]}", ONNXGATE_UNSUPPORTED, "layer_types: expected full_attention" },
		{ "{\"layer_types\": [7]}", ONNXGATE_FORMAT, "layer_types: expected full_attention" },
		{ "{\"window\": 0}", ONNXGATE_FORMAT, "window: expected 1" },
		{ "{\"pad\": \"x\"}", ONNXGATE_FORMAT, "pad: expected a whole number" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		toy t;
		og_error err = { 0 };
		og_status s = read_text(rows[i].text, &t, arena, &err);
		if (s != rows[i].status || !strstr(err.message, rows[i].says))
			fail_msg("%s: %d, %s", rows[i].text, (int)s, err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys__absent_and_null_are_the_ordinary_case),
		cmocka_unit_test(test_keys__every_kind_of_rope_is_read),
		cmocka_unit_test(test_keys__faults_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
