/* SPDX-License-Identifier: Apache-2.0
 *
 * config.json: understood or refused, all faults at once. */
#include "../base/scratch.h"

#include "model/config.h"
#include "base/limits.h"

typedef struct toy {
	int64_t width, layers, labels, pad;
	double eps;
	bool tied;
	int kind;
	og_act_kind act;
	og_size size;
	og_dim_list list;
	int64_t maybe;
} toy;

static const og_field fields[] = {
	OG_DIM(toy, width, "width"),
	OG_LAYERS_OR(toy, layers, "layers", 12),
	OG_LABELS(toy, labels),
	OG_ID_OR(toy, pad, "pad", 3),
	OG_REAL_OR(toy, eps, "eps", 1e-12),
	OG_FLAG_OR(toy, tied, "tied", true),
	OG_CHOICE_OR(toy, kind, "kind", "plain fancy"),
	OG_ACT_OR(toy, act, "act", "gelu"),
	OG_SIZE_OR(toy, size, "size", 16),
	OG_DIMS_OR(toy, list, "list", "10 3 2"),
	OG_DIM_OR_NONE(toy, maybe, "maybe"),
	OG_ONLY("is_decoder", "false"),
	{ 0 },
};

static og_status read_text(const char *text, toy *out, size_t *unknown, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_unknown_keys u = { 0 };
	memset(out, 0, sizeof(*out));
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	og_status s = og_config_read(doc, fields, NULL, out, arena, &u, err);
	if (unknown)
		*unknown = u.n;
	return s;
}

static void expect_fault(const char *text, og_status status, const char *part)
{
	toy t;
	og_error err = { 0 };
	og_status s = read_text(text, &t, NULL, &err);
	if (s != status || !strstr(err.message, part))
		fail_msg("%s: status %d, message %s", text, (int)s, err.message);
}

static void test_config__defaults_and_values(void **state)
{
	toy t;
	size_t unknown;
	(void)state;
	assert_int_equal(read_text("{\"width\": 8}", &t, &unknown, NULL), OG_OK);
	assert_true(t.width == 8 && t.layers == 12 && t.labels == 2 && t.tied && t.kind == 0 && t.act == OG_ACT_GELU);
	assert_true(t.eps == 1e-12 && t.pad == 3);
	assert_int_equal(unknown, 0);
	const char *text = "{\"width\": 8, \"layers\": 3, \"eps\": 0.5, \"tied\": false, \"kind\": \"fancy\", \"act\": \"swish\", \"is_decoder\": false, "
		"\"use_cache\": true, \"x_dropout\": 0.1}";
	assert_int_equal(read_text(text, &t, &unknown, NULL), OG_OK);
	assert_true(t.layers == 3 && !t.tied && t.kind == 1 && t.act == OG_ACT_SILU);
	assert_int_equal(unknown, 0);
}

static void test_config__labels_come_from_their_names(void **state)
{
	toy t;
	(void)state;
	assert_int_equal(read_text("{\"width\": 1, \"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}, \"num_labels\": 7}", &t, NULL, NULL), OG_OK);
	assert_int_equal(t.labels, 3);
	assert_int_equal(read_text("{\"width\": 1, \"num_labels\": 7}", &t, NULL, NULL), OG_OK);
	assert_int_equal(t.labels, 7);
	expect_fault("{\"width\": 1, \"id2label\": [1]}", ONNXGATE_FORMAT, "id2label: expected an object");
}

static void test_config__a_size_is_a_number_or_two(void **state)
{
	static const char *const faults[] = { "[3]", "[3, 4, 5]", "[]", "\"3\"", "0", "-1", "[3, 0]", "[3, null]", "3.5", "null", "[3, 1e30]", "{\"height\": 3}",
		"[3, 99999999999999999999]", "9999999999999999" };
	toy t;
	(void)state;
	assert_int_equal(read_text("{\"width\": 1}", &t, NULL, NULL), OG_OK);
	assert_true(t.size.height == 16 && t.size.width == 16);
	assert_int_equal(read_text("{\"width\": 1, \"size\": 9}", &t, NULL, NULL), OG_OK);
	assert_true(t.size.height == 9 && t.size.width == 9);
	assert_int_equal(read_text("{\"width\": 1, \"size\": [9, 4]}", &t, NULL, NULL), OG_OK);
	assert_true(t.size.height == 9 && t.size.width == 4);
	for (size_t i = 0; i < OG_COUNT(faults); i++) {
		char text[96];
		snprintf(text, sizeof(text), "{\"width\": 1, \"size\": %s}", faults[i]);
		expect_fault(text, ONNXGATE_FORMAT, "size: expected a whole number or [height, width]");
	}
}

static void expect_image(const char *text, og_image_facts want)
{
	og_auto(og_json) *doc = NULL;
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	og_image_facts f = og_config_facts(doc).image;
	if (memcmp(&f, &want, sizeof(f)) != 0)
		fail_msg("%s: %lld channels, %lld × %lld, %lld patches", text, (long long)f.channels, (long long)f.height, (long long)f.width, (long long)f.patches);
}

static void test_config__a_list_of_sizes(void **state)
{
	toy t;
	char many[OG_LIST_MAX * 3 + 64] = "{\"width\": 8, \"list\": [1";
	(void)state;
	assert_int_equal(read_text("{\"width\": 8}", &t, NULL, NULL), OG_OK);
	assert_true(t.list.n == 3 && t.list.v[0] == 10 && t.list.v[1] == 3 && t.list.v[2] == 2);
	assert_int_equal(read_text("{\"width\": 8, \"list\": [7]}", &t, NULL, NULL), OG_OK);
	assert_true(t.list.n == 1 && t.list.v[0] == 7);
	expect_fault("{\"width\": 8, \"list\": []}", ONNXGATE_FORMAT, "list: expected a list of 1 to 32 whole numbers");
	expect_fault("{\"width\": 8, \"list\": 7}", ONNXGATE_FORMAT, "list: expected a list");
	expect_fault("{\"width\": 8, \"list\": null}", ONNXGATE_FORMAT, "list: expected a list");
	expect_fault("{\"width\": 8, \"list\": [7, 0]}", ONNXGATE_FORMAT, "found [7,0]");
	expect_fault("{\"width\": 8, \"list\": [7, 1.5]}", ONNXGATE_FORMAT, "found [7,1.5]");
	expect_fault("{\"width\": 8, \"list\": [7, null]}", ONNXGATE_FORMAT, "found [7,null]");
	for (int i = 1; i < OG_LIST_MAX; i++)
		strcat(many, ", 1");
	strcat(many, "]}");
	assert_int_equal(read_text(many, &t, NULL, NULL), OG_OK);
	assert_true(t.list.n == OG_LIST_MAX && t.list.v[OG_LIST_MAX - 1] == 1);
	strcpy(many + strlen(many) - 2, ", 1]}");
	expect_fault(many, ONNXGATE_FORMAT, "list: expected a list");
}

static void test_config__what_may_be_null(void **state)
{
	toy t;
	(void)state;
	assert_int_equal(read_text("{\"width\": 8}", &t, NULL, NULL), OG_OK);
	assert_int_equal(t.maybe, 0);
	assert_int_equal(read_text("{\"width\": 8, \"maybe\": null}", &t, NULL, NULL), OG_OK);
	assert_int_equal(t.maybe, 0);
	assert_int_equal(read_text("{\"width\": 8, \"maybe\": 5}", &t, NULL, NULL), OG_OK);
	assert_int_equal(t.maybe, 5);
	expect_fault("{\"width\": 8, \"maybe\": 0}", ONNXGATE_FORMAT, "maybe: expected 1 to");
	expect_fault("{\"width\": null}", ONNXGATE_FORMAT, "width: expected a whole number");
}

static void test_config__facts_of_images(void **state)
{
	(void)state;
	expect_image("{}", (og_image_facts){ 0 });
	expect_image("{\"image_size\": 29, \"patch_size\": 6, \"num_channels\": 1}", (og_image_facts){ 1, 29, 29, 16 });
	expect_image("{\"image_size\": [24, 30], \"patch_size\": [4, 6]}", (og_image_facts){ 0, 24, 30, 30 });
	expect_image("{\"image_size\": 8, \"vision_config\": {\"image_size\": 32, \"num_channels\": 3}}", (og_image_facts){ 3, 32, 32, 0 });
	expect_image("{\"image_size\": {\"height\": 3}, \"patch_size\": 2, \"num_channels\": \"3\"}", (og_image_facts){ 0 });
	expect_image("{\"image_size\": 1099511627776, \"patch_size\": 1}", (og_image_facts){ 0, 1099511627776, 1099511627776, 0 });
}

static void expect_sound(const char *text, og_sound_facts want)
{
	og_auto(og_json) *doc = NULL;
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	og_sound_facts f = og_config_facts(doc).sound;
	if (f.least != want.least || f.step != want.step)
		fail_msg("%s: %lld samples, steps of %lld", text, (long long)f.least, (long long)f.step);
}

static void test_config__facts_of_sound(void **state)
{
	(void)state;
	expect_sound("{}", (og_sound_facts){ 0 });
	expect_sound("{\"conv_kernel\": [10, 3, 3, 3, 3, 2, 2], \"conv_stride\": [5, 2, 2, 2, 2, 2, 2]}", (og_sound_facts){ 400, 320 });
	expect_sound("{\"conv_kernel\": [3], \"conv_stride\": [7]}", (og_sound_facts){ 3, 7 });
	expect_sound("{\"conv_kernel\": [10, 3], \"conv_stride\": [5]}", (og_sound_facts){ 0 });
	expect_sound("{\"conv_kernel\": [], \"conv_stride\": []}", (og_sound_facts){ 0 });
	expect_sound("{\"conv_kernel\": [0], \"conv_stride\": [1]}", (og_sound_facts){ 0 });
	expect_sound("{\"conv_kernel\": [1, 1099511627776], \"conv_stride\": [1099511627776, 1099511627776]}", OG_SOUND_FACTS_MOST);
}

static void test_config__facts_of_texts(void **state)
{
	og_auto(og_json) *doc = NULL;
	static const char text[] = "{\"vocab_size\": 1, \"text_config\": {\"vocab_size\": 7, \"max_position_embeddings\": 9, \"pad_token_id\": 3}}";
	(void)state;
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	og_input_facts f = og_config_facts(doc);
	assert_int_equal(f.vocab_size, 7);
	assert_int_equal(f.max_positions, 9);
	assert_int_equal(f.pad_token_id, 3);
	assert_int_equal(f.end_token_id, -1);
}

static void test_config__each_fault_is_named(void **state)
{
	(void)state;
	expect_fault("{}", ONNXGATE_FORMAT, "width: missing");
	expect_fault("[]", ONNXGATE_FORMAT, "expected an object");
	expect_fault("{\"width\": \"8\"}", ONNXGATE_FORMAT, "width: expected a whole number, found \"8\"");
	expect_fault("{\"width\": 8.0}", ONNXGATE_FORMAT, "width: expected a whole number");
	expect_fault("{\"width\": true}", ONNXGATE_FORMAT, "width: expected a whole number");
	expect_fault("{\"width\": null}", ONNXGATE_FORMAT, "width: expected a whole number");
	expect_fault("{\"width\": 0}", ONNXGATE_FORMAT, "width: expected 1 to");
	expect_fault("{\"width\": 8, \"pad\": -1}", ONNXGATE_FORMAT, "pad: expected 0 to");
	expect_fault("{\"width\": 8, \"pad\": null}", ONNXGATE_FORMAT, "pad: expected a whole number");
	expect_fault("{\"width\": -5}", ONNXGATE_FORMAT, "width: expected 1 to");
	expect_fault("{\"width\": 99999999999999999999999}", ONNXGATE_FORMAT, "width: expected 1 to");
	expect_fault("{\"width\": 8, \"layers\": 1000000}", ONNXGATE_FORMAT, "layers: expected 1 to 4096");
	expect_fault("{\"width\": 8, \"eps\": -1}", ONNXGATE_FORMAT, "eps: expected a finite number");
	expect_fault("{\"width\": 8, \"eps\": NaN}", ONNXGATE_FORMAT, "eps: expected a finite number");
	expect_fault("{\"width\": 8, \"eps\": 1e300}", ONNXGATE_FORMAT, "eps: expected a finite number");
	expect_fault("{\"width\": 8, \"tied\": 1}", ONNXGATE_FORMAT, "tied: expected true or false, found 1");
	expect_fault("{\"width\": 8, \"kind\": \"odd\"}", ONNXGATE_UNSUPPORTED, "kind: expected one of plain fancy, found \"odd\"");
	expect_fault("{\"width\": 8, \"kind\": \"plai\"}", ONNXGATE_UNSUPPORTED, "kind: expected one of");
	expect_fault("{\"width\": 8, \"act\": \"prelu\"}", ONNXGATE_UNSUPPORTED, "act: prelu has learned weights");
	expect_fault("{\"width\": 8, \"act\": \"gelou\"}", ONNXGATE_UNSUPPORTED, "act: activation \"gelou\" is not known");
	expect_fault("{\"width\": 8, \"is_decoder\": true}", ONNXGATE_UNSUPPORTED, "is_decoder: only false is done, found true");
	expect_fault("{\"layers\": \"x\", \"tied\": 3}", ONNXGATE_FORMAT,
		"width: missing; layers: expected a whole number, found \"x\"; tied: expected true or false, found 3");
}

static void test_config__unknown_keys_are_counted(void **state)
{
	toy t;
	size_t unknown;
	(void)state;
	assert_int_equal(read_text("{\"width\": 8, \"rotary\": true, \"Width\": 3}", &t, &unknown, NULL), OG_OK);
	assert_int_equal(unknown, 2);
}

/* ---- documents inside the document ---- */

typedef struct sides {
	int64_t width, deep, none;
	toy left;
} sides;

static const og_field side_fields[] = {
	OG_SECTION("left", "old_left"),
	OG_SECTION("right", NULL),
	OG_SECTION("right.inner", "old_inner"),
	OG_DIM_OR(sides, width, "width", 1),
	OG_DIM_OR(sides, left.width, "left.width", 2),
	OG_REAL_OR(sides, left.eps, "left.eps", 0.5),
	OG_FLAG_OR(sides, left.tied, "left.tied", true),
	OG_ACT_OR(sides, left.act, "left.act", "gelu"),
	OG_DIM_OR_NONE(sides, none, "left.none"),
	OG_DIM_OR(sides, deep, "right.inner.width", 3),
	{ 0 },
};
static const og_inert side_inert[] = { { "left.odd", "a reason" }, { 0 } };

/* The unknown keys, one behind the other, are put into `unknown`. */
static og_status read_sides(const char *text, sides *out, char unknown[256], og_error *err)
{
	og_auto(og_json) *doc = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_unknown_keys u = { 0 };
	memset(out, 0, sizeof(*out));
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	og_status s = og_config_read(doc, side_fields, side_inert, out, arena, &u, err);
	unknown[0] = 0;
	for (size_t i = 0; s == OG_OK && i < u.n; i++)
		snprintf(unknown + strlen(unknown), 256 - strlen(unknown), "%s%s", i ? " " : "", u.keys[i]);
	return s;
}

static void test_config__sections_are_read_by_keys_with_dots(void **state)
{
	static const struct {
		const char *text;
		int64_t width, left, deep, none;
	} rows[] = {
		{ "{}", 1, 2, 3, 0 },
		{ "{\"left\": {}, \"right\": {\"inner\": {}}}", 1, 2, 3, 0 },
		{ "{\"left\": null, \"right\": null}", 1, 2, 3, 0 },
		{ "{\"width\": 7, \"left\": {\"width\": 8, \"none\": 4}, \"right\": {\"width\": 6, \"inner\": {\"width\": 9}}}", 7, 8, 9, 4 },
		{ "{\"left\": {\"none\": null}, \"right\": {\"inner\": null}}", 1, 2, 3, 0 },
		/* the old name counts, whole: nothing of the other is taken */
		{ "{\"left\": {\"width\": 8, \"none\": 4}, \"old_left\": {\"width\": 5}}", 1, 5, 3, 0 },
		{ "{\"left\": {\"width\": 8}, \"old_left\": {}}", 1, 2, 3, 0 },
		{ "{\"left\": {\"width\": 8}, \"old_left\": null}", 1, 8, 3, 0 },
		{ "{\"right\": {\"old_inner\": {\"width\": 5}}}", 1, 2, 5, 0 },
		/* a name with a dot in it is no way into a section */
		{ "{\"left.width\": 8, \"right\": {\"inner.width\": 8}, \"right.inner\": {\"width\": 8}, \"inner\": {\"width\": 8}}", 1, 2, 3, 0 },
	};
	sides s;
	char unknown[256];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		assert_int_equal(read_sides(rows[i].text, &s, unknown, NULL), OG_OK);
		if (s.width != rows[i].width || s.left.width != rows[i].left || s.deep != rows[i].deep || s.none != rows[i].none)
			fail_msg("%s: %lld %lld %lld %lld", rows[i].text, (long long)s.width, (long long)s.left.width, (long long)s.deep, (long long)s.none);
	}
	assert_int_equal(read_sides("{\"left\": {\"eps\": 0.25, \"tied\": false, \"act\": \"relu\"}}", &s, unknown, NULL), OG_OK);
	assert_true(s.left.eps == 0.25 && !s.left.tied && s.left.act == OG_ACT_RELU);
}

static void test_config__unknown_keys_of_sections_are_named_with_dots(void **state)
{
	static const struct {
		const char *text, *unknown;
	} rows[] = {
		{ "{\"left\": {\"width\": 1, \"odd\": 1, \"use_cache\": true, \"x_dropout\": 0.1, \"top_k\": 50}}", "" },
		{ "{\"odd\": 1, \"left\": {\"even\": {\"odd\": 1}}, \"right\": {\"odd\": 1, \"inner\": {\"odd\": 2}}}",
		  "odd left.even right.odd right.inner.odd" },
		{ "{\"old_left\": {\"even\": 1}, \"left\": {\"odder\": 1}}", "left.even" },
		{ "{\"left.width\": 1, \"left\": {\"left.width\": 1, \"\": 2}}", "left.width left.left.width left." },
		{ "{\"inner\": {}, \"right\": {\"left\": {\"width\": 1}}}", "inner right.left" },
	};
	sides s;
	char unknown[256];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		assert_int_equal(read_sides(rows[i].text, &s, unknown, NULL), OG_OK);
		assert_string_equal(unknown, rows[i].unknown);
	}
}

static void test_config__faults_of_sections_are_named_with_dots(void **state)
{
	static const struct {
		const char *text, *says;
		og_status status;
	} rows[] = {
		{ "{\"left\": []}", "config.json: left: expected an object, found []", ONNXGATE_FORMAT },
		{ "{\"left\": 3, \"right\": \"x\"}", "left: expected an object, found 3; right: expected an object, found \"x\"", ONNXGATE_FORMAT },
		{ "{\"old_left\": [{\"width\": 3}]}", "old_left: expected an object, found [", ONNXGATE_FORMAT },
		{ "{\"left\": false, \"old_left\": {}}", "left: expected an object, found false", ONNXGATE_FORMAT },
		{ "{\"right\": {\"inner\": 7}}", "right.inner: expected an object, found 7", ONNXGATE_FORMAT },
		{ "{\"right\": {\"old_inner\": 7}}", "right.old_inner: expected an object, found 7", ONNXGATE_FORMAT },
		{ "{\"left\": {\"width\": \"3\"}}", "left.width: expected a whole number, found \"3\"", ONNXGATE_FORMAT },
		{ "{\"left\": {\"width\": null}}", "left.width: expected a whole number, found null", ONNXGATE_FORMAT },
		{ "{\"left\": {\"none\": 0}}", "left.none: expected 1 to", ONNXGATE_FORMAT },
		{ "{\"left\": {\"act\": \"prelu\"}}", "left.act: prelu has learned weights", ONNXGATE_UNSUPPORTED },
		{ "{\"left\": {\"quantization_config\": {\"bits\": 4}}}", "left.quantization_config: quantised weights are not read", ONNXGATE_UNSUPPORTED },
		{ "{\"right\": {\"inner\": {\"pruned_heads\": {\"0\": [1]}}}}", "right.inner.pruned_heads: only {} is done", ONNXGATE_UNSUPPORTED },
	};
	sides s;
	char unknown[256];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_error err = { 0 };
		assert_int_equal(read_sides(rows[i].text, &s, unknown, &err), rows[i].status);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
	/* a section that is not read is not judged */
	assert_int_equal(read_sides("{\"old_left\": {}, \"left\": {\"pruned_heads\": {\"0\": [1]}}}", &s, unknown, NULL), OG_OK);
}

/* The same names inside each other, as deep as a document may be: what no row is of is one unknown key. */
static void test_config__depth_comes_from_the_table_alone(void **state)
{
	enum { PAIRS = OG_JSON_DEPTH_MAX / 2 - 2 };
	og_auto_buf b;
	sides s;
	char unknown[256];
	(void)state;
	og_buf_init(&b, 4096);
	for (int i = 0; i < PAIRS; i++)
		og_buf_str(&b, "{\"right\": {\"inner\": ");
	og_buf_str(&b, "{\"width\": 5}");
	for (int i = 0; i < PAIRS; i++)
		og_buf_str(&b, "}}");
	assert_int_equal(read_sides(og_buf_cstr(&b), &s, unknown, NULL), OG_OK);
	assert_string_equal(unknown, "right.inner.right");
	assert_int_equal(s.deep, 3);
}

static void test_config__fates_in_sections(void **state)
{
	static const struct {
		const char *key;
		og_fate fate;
	} rows[] = {
		{ "left", OG_FATE_STRUCTURAL }, { "old_left", OG_FATE_STRUCTURAL }, { "right.inner", OG_FATE_STRUCTURAL }, { "right.old_inner", OG_FATE_STRUCTURAL },
		{ "left.width", OG_FATE_STRUCTURAL }, { "left.odd", OG_FATE_INERT }, { "odd", OG_FATE_UNKNOWN }, { "right.odd", OG_FATE_UNKNOWN },
		{ "left.top_k", OG_FATE_INERT }, { "left.quantization_config", OG_FATE_REFUSED }, { "inner", OG_FATE_UNKNOWN }, { "left.inner", OG_FATE_UNKNOWN },
		{ "left.left", OG_FATE_UNKNOWN }, { "", OG_FATE_UNKNOWN }, { ".", OG_FATE_UNKNOWN },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		const char *why;
		if (og_config_fate(side_fields, side_inert, rows[i].key, &why) != rows[i].fate)
			fail_msg("%s: %s", rows[i].key, why ? why : "unknown");
	}
}

static og_status refuse(const char *text, const char *class_name, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	assert_int_equal(og_json_parse("config.json", text, strlen(text), &doc, NULL), OG_OK);
	return og_config_refusals(doc, class_name, err);
}

static void test_config__what_nobody_can_do_is_refused(void **state)
{
	og_error err = { 0 };
	(void)state;
	assert_int_equal(refuse("{\"quantization_config\": {\"bits\": 4}}", "M", &err), ONNXGATE_UNSUPPORTED);
	assert_int_equal(refuse("{\"pruned_heads\": {\"0\": [1]}}", "M", &err), ONNXGATE_UNSUPPORTED);
	assert_int_equal(refuse("{\"pruned_heads\": [[0, 1]]}", "M", &err), ONNXGATE_UNSUPPORTED);
	assert_int_equal(refuse("{\"pruned_heads\": {}}", "M", &err), OG_OK);
	assert_int_equal(refuse("{\"pruned_heads\": null}", "M", &err), OG_OK);
	assert_int_equal(refuse("{\"auto_map\": {\"AutoModelForX\": \"modeling.Own\"}}", "Own", &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "modeling.Own"));
	assert_int_equal(refuse("{\"auto_map\": {\"AutoConfig\": \"configuration.OwnConfig\"}}", "Own", &err), OG_OK);
}

static void test_config__a_dim_is_traced_to_its_keys(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	toy t;
	(void)state;
	assert_int_equal(read_text("{\"width\": 12, \"num_labels\": 7}", &t, NULL, NULL), OG_OK);
	assert_string_equal(og_config_keys_of(fields, &t, 12, a), "width 12 or layers 12");
	assert_string_equal(og_config_keys_of(fields, &t, 7, a), "num_labels 7");
	assert_string_equal(og_config_keys_of(fields, &t, 8, a), "");
	assert_string_equal(og_config_keys_of(fields, &t, 10, a), "list 10");
}

static void test_config__labels_are_told_as_they_are_said(void **state)
{
	static const struct {
		const char *text;
		int64_t names, number;
	} cases[] = { { "{}", -1, -1 }, { "{\"num_labels\": 4}", -1, 4 }, { "{\"id2label\": {\"0\": \"a\"}}", 1, -1 },
		{ "{\"id2label\": {}, \"num_labels\": 9}", 0, 9 }, { "{\"id2label\": null, \"num_labels\": \"9\"}", -1, -1 } };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		og_auto(og_json) *doc = NULL;
		assert_int_equal(og_json_parse("config.json", cases[i].text, strlen(cases[i].text), &doc, NULL), OG_OK);
		og_said_labels s = og_config_said_labels(doc);
		assert_int_equal(s.id2label, cases[i].names);
		assert_int_equal(s.num_labels, cases[i].number);
	}
}

/* Padding is what reaches the next multiple of 8 … 1024; anything else is another vocabulary. */
static void test_config__what_yields_to_the_weights(void **state)
{
	const og_field labels = OG_LABELS(toy, labels), width = OG_DIM(toy, width, "width"), vocab = OG_VOCAB_OR(toy, width, "vocab", 30522);
	(void)state;
	assert_true(og_config_may_yield(&labels) && og_config_may_yield(&vocab) && !og_config_may_yield(&width));
	assert_true(og_config_yields(&labels, 3, 1) && og_config_yields(&labels, 0, 7));
	assert_false(og_config_yields(&labels, 3, 0));
	assert_false(og_config_yields(&width, 30522, 30528));
	assert_true(og_config_yields(&vocab, 30522, 30528));  /* 8 */
	assert_true(og_config_yields(&vocab, 30522, 30592));  /* 128 */
	assert_true(og_config_yields(&vocab, 50257, 51200));  /* 1024 */
	assert_true(og_config_yields(&vocab, 50257, 50304));  /* 64 */
	assert_false(og_config_yields(&vocab, 30522, 30523)); /* a token was added */
	assert_false(og_config_yields(&vocab, 30522, 30521));
	assert_false(og_config_yields(&vocab, 30528, 30528));
	assert_false(og_config_yields(&vocab, 30522, 119547));
	assert_false(og_config_yields(&vocab, 1024, 2048));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config__defaults_and_values),
		cmocka_unit_test(test_config__labels_come_from_their_names),
		cmocka_unit_test(test_config__a_size_is_a_number_or_two),
		cmocka_unit_test(test_config__a_list_of_sizes),
		cmocka_unit_test(test_config__what_may_be_null),
		cmocka_unit_test(test_config__facts_of_images),
		cmocka_unit_test(test_config__facts_of_sound),
		cmocka_unit_test(test_config__facts_of_texts),
		cmocka_unit_test(test_config__each_fault_is_named),
		cmocka_unit_test(test_config__unknown_keys_are_counted),
		cmocka_unit_test(test_config__sections_are_read_by_keys_with_dots),
		cmocka_unit_test(test_config__unknown_keys_of_sections_are_named_with_dots),
		cmocka_unit_test(test_config__faults_of_sections_are_named_with_dots),
		cmocka_unit_test(test_config__depth_comes_from_the_table_alone),
		cmocka_unit_test(test_config__fates_in_sections),
		cmocka_unit_test(test_config__what_nobody_can_do_is_refused),
		cmocka_unit_test(test_config__a_dim_is_traced_to_its_keys),
		cmocka_unit_test(test_config__labels_are_told_as_they_are_said),
		cmocka_unit_test(test_config__what_yields_to_the_weights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
