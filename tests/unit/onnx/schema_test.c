/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx/schema.h: facts of ONNX's operator list that are known from its documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "onnx/schema.h"

static const og_schema *find(const char *op, int64_t opset)
{
	const og_schema *s = og_schema_find("", op, opset);
	assert_non_null(s);
	return s;
}

static void test_schema__the_newest_version_not_above_the_opset_is_found(void **state)
{
	(void)state;
	assert_int_equal(og_schema_since(find("Add", 6)), 6);
	assert_int_equal(og_schema_since(find("Add", 12)), 7);
	assert_int_equal(og_schema_since(find("Add", 13)), 13);
	assert_int_equal(og_schema_since(find("Add", 18)), 14);
	assert_int_equal(og_schema_since(find("Clip", 18)), 13);
	assert_int_equal(og_schema_since(og_schema_find("ai.onnx", "Clip", 11)), 11);
	assert_null(og_schema_find("", "LayerNormalization", 16));
	assert_non_null(og_schema_find("", "LayerNormalization", 17));
	assert_int_equal(og_schema_first("", "LayerNormalization"), 17);
	assert_int_equal(og_schema_first("", "Abs"), 1);
	assert_int_equal(og_schema_first("", "NoSuchOp"), 0);
	assert_null(og_schema_find("", "NoSuchOp", 18));
	assert_null(og_schema_find("no.such.domain", "Add", 18));
	assert_null(og_schema_find("", "Add", 0));
}

static void test_schema__domains_are_known_with_their_newest_opset(void **state)
{
	(void)state;
	assert_true(og_schema_newest("") >= 24);
	assert_int_equal(og_schema_newest("ai.onnx"), og_schema_newest(""));
	assert_int_equal(og_schema_newest("com.microsoft"), 1);
	assert_true(og_schema_newest("ai.onnx.ml") >= 4);
	assert_int_equal(og_schema_newest("com.example"), 0);
	assert_true(og_schema_ir_version_newest() >= 11);
	assert_non_null(og_schema_find("com.microsoft", "SkipLayerNormalization", 1));
}

static void test_schema__deprecated_operators_are_marked(void **state)
{
	(void)state;
	assert_true(og_schema_deprecated(find("Upsample", 10)));
	assert_false(og_schema_deprecated(find("Upsample", 9)));
	assert_true(og_schema_deprecated(find("Scatter", 11)));
	assert_false(og_schema_deprecated(find("Resize", 18)));
	assert_true(og_schema_any_attribute(find("LayerNormalization", 17)));
	assert_false(og_schema_any_attribute(find("Relu", 17)));
}

static void test_schema__counts_of_inputs_and_outputs(void **state)
{
	int min, max;
	(void)state;
	og_schema_inputs(find("MatMul", 13), &min, &max);
	assert_true(min == 2 && max == 2);
	og_schema_inputs(find("Clip", 13), &min, &max);
	assert_true(min == 1 && max == 3);
	og_schema_inputs(find("Concat", 13), &min, &max);
	assert_true(min == 1 && max == OG_SCHEMA_UNBOUNDED);
	og_schema_outputs(find("Split", 18), &min, &max);
	assert_true(min == 1 && max == OG_SCHEMA_UNBOUNDED);
	og_schema_outputs(find("LayerNormalization", 17), &min, &max);
	assert_true(min == 1 && max == 3);
}

static void test_schema__attributes_have_type_and_need(void **state)
{
	og_attr_type type;
	bool required;
	(void)state;
	assert_true(og_schema_attribute(find("Concat", 13), "axis", &type, &required));
	assert_true(type == OG_ATTR_INT && required);
	assert_true(og_schema_attribute(find("Transpose", 13), "perm", &type, &required));
	assert_true(type == OG_ATTR_INTS && !required);
	assert_true(og_schema_attribute(find("If", 16), "then_branch", &type, &required));
	assert_true(type == OG_ATTR_GRAPH && required);
	assert_false(og_schema_attribute(find("Concat", 13), "axes", &type, &required));
	assert_string_equal(og_schema_attribute_at(find("If", 16), 0, &type, &required), "else_branch");
	assert_null(og_schema_attribute_at(find("If", 16), 2, &type, &required));
}

static void test_schema__formal_parameters_share_types(void **state)
{
	og_formal a, b, out;
	(void)state;
	assert_true(og_schema_input(find("Where", 16), 0, &a));
	assert_int_equal(a.types, 1u << OG_BOOL);
	assert_true(og_schema_input(find("Where", 16), 1, &a) && og_schema_input(find("Where", 16), 2, &b) && og_schema_output(find("Where", 16), 0, &out));
	assert_true(a.variable >= 0 && a.variable == b.variable && b.variable == out.variable);
	assert_false(og_schema_input(find("Where", 16), 3, &a));
	assert_true(og_schema_input(find("Clip", 13), 1, &a) && a.kind == OG_FORMAL_OPTIONAL);
	assert_true(og_schema_input(find("Concat", 13), 900, &a) && a.kind == OG_FORMAL_VARIADIC && a.homogeneous);
	assert_true(og_schema_input(find("MatMul", 13), 0, &a));
	assert_true((a.types & 1u << OG_F32) && !(a.types & 1u << OG_BOOL) && !(a.types & OG_SCHEMA_OTHER_TYPES));
	assert_true(og_schema_input(find("Identity", 16), 0, &a) && (a.types & OG_SCHEMA_OTHER_TYPES));
}

static void test_schema__names_of_attribute_types(void **state)
{
	(void)state;
	assert_string_equal(og_attr_type_name(OG_ATTR_INTS), "INTS");
	assert_string_equal(og_attr_type_name(OG_ATTR_TYPE_PROTOS), "TYPE_PROTOS");
	assert_string_equal(og_attr_type_name((og_attr_type)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema__the_newest_version_not_above_the_opset_is_found),
		cmocka_unit_test(test_schema__domains_are_known_with_their_newest_opset),
		cmocka_unit_test(test_schema__deprecated_operators_are_marked),
		cmocka_unit_test(test_schema__counts_of_inputs_and_outputs),
		cmocka_unit_test(test_schema__attributes_have_type_and_need),
		cmocka_unit_test(test_schema__formal_parameters_share_types),
		cmocka_unit_test(test_schema__names_of_attribute_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
