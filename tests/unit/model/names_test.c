/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of tensors: the legacy spelling, wrappers, and nearness. */
#include "../base/scratch.h"

#include "model/names.h"

static void test_names__legacy_layer_norm(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	(void)state;
	assert_string_equal(og_name_modern(a, "bert.embeddings.LayerNorm.gamma"), "bert.embeddings.LayerNorm.weight");
	assert_string_equal(og_name_modern(a, "LayerNorm.beta"), "LayerNorm.bias");
	assert_string_equal(og_name_modern(a, "layer.gamma"), "layer.gamma");
	assert_string_equal(og_name_modern(a, "LayerNorm.gamma.x"), "LayerNorm.gamma.x");
	assert_string_equal(og_name_modern(a, "gamma"), "gamma");
}

static void test_names__legacy_weight_norm(void **state)
{
	og_auto(og_arena) *a = og_arena_new();
	(void)state;
	assert_string_equal(og_name_modern(a, "a.conv.weight_g"), "a.conv.parametrizations.weight.original0");
	assert_string_equal(og_name_modern(a, "a.conv.weight_v"), "a.conv.parametrizations.weight.original1");
	assert_string_equal(og_name_modern(a, "a.conv.weight"), "a.conv.weight");
	assert_string_equal(og_name_modern(a, "a.conv_weight_g"), "a.conv_weight_g");
	assert_string_equal(og_name_modern(a, "weight_v"), "weight_v");
}

static void test_names__wrappers(void **state)
{
	const char *whose = NULL;
	(void)state;
	assert_string_equal(og_name_wrapper("module.bert.x", &whose), "module.");
	assert_non_null(strstr(whose, "DistributedDataParallel"));
	assert_string_equal(og_name_wrapper("_orig_mod.module.x", &whose), "_orig_mod.");
	assert_null(og_name_wrapper("modules.x", &whose));
	assert_null(og_name_wrapper("module", &whose));
	assert_null(og_name_wrapper("bert.module.x", &whose));
}

static void test_names__distance(void **state)
{
	(void)state;
	assert_int_equal(og_name_distance("abc", "abc", 5), 0);
	assert_int_equal(og_name_distance("weight", "weigth", 5), 2);
	assert_int_equal(og_name_distance("abc", "abd", 5), 1);
	assert_int_equal(og_name_distance("abc", "ab", 5), 1);
	assert_int_equal(og_name_distance("", "abcdef", 3), 3);
	assert_int_equal(og_name_distance("kitten", "sitting", 10), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names__legacy_layer_norm),
		cmocka_unit_test(test_names__legacy_weight_norm),
		cmocka_unit_test(test_names__wrappers),
		cmocka_unit_test(test_names__distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
