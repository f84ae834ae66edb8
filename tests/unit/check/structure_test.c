/* SPDX-License-Identifier: Apache-2.0
 *
 * check/structure.h: protobuf, names, order, operators, sizes, outputs. */
#include "rows.h"

#include "base/limits.h"

#define IN "input x float32 [2, 3]\n"
#define OUT "output y float32 [2, 3]\n"

static void test_structure__a_sound_model_passes_every_row(void **state)
{
	(void)state;
	rows_passes("input x float32 [batch, 3]\noutput y float32 [batch, 4]\ninit w float32 [3, 4]\nnode MatMul x,w -> y\n");
	rows_passes(IN "output y float32 [2, 3]\noutput x float32 [2, 3]\nnode Clip x,_,_ -> y\n"); /* an input handed through, inputs left out */
	assert_non_null(strstr(rows_find("structure.names")->detail, "uses of"));
	assert_string_equal(rows_find("structure.order")->detail, "1 nodes");
}

static void test_structure__what_is_no_protobuf_is_one_failed_row(void **state)
{
	og_buf b;
	(void)state;
	og_buf_init(&b, 100);
	og_buf_str(&b, "garbage, not a model");
	rows_check_bytes(&b, NULL);
	assert_int_equal(rows_checks.count, 1);
	assert_int_equal(rows_find("structure.protobuf")->status, ONNXGATE_CHECK_FAIL);
	assert_non_null(strstr(rows_find("structure.protobuf")->detail, "at offset"));
	og_buf_done(&b);
	rows_fails("ir 0\n" IN OUT "node Relu x -> y\n", "structure.protobuf", "IR version 0");
}

static void test_structure__names_resolve(void **state)
{
	(void)state;
	rows_fails(IN OUT "node Add x,nobody -> y name=a\n", "structure.names", "node 'a' (Add) uses 'nobody', which nothing makes");
	rows_expect(IN OUT "node Add x,nobody -> y\n", "structure.shapes", ONNXGATE_CHECK_SKIPPED, 0, "names do not resolve");
	rows_fails(IN "output z float32 [2, 3]\nnode Relu x -> y\n", "structure.names", "graph output 'z' is nothing that its graph makes");
	rows_fails("ir 3\n" IN OUT "init w float32 [3]\nnode Add x,w -> y\n", "structure.names", "initializer 'w' is no graph input");
	rows_passes("ir 3\n" IN "input w float32 [3]\n" OUT "init w float32 [3]\nnode Add x,w -> y\n");
}

static void test_structure__every_value_is_made_once(void **state)
{
	(void)state;
	rows_fails(IN OUT "node Relu x -> y\nnode Tanh x -> y\n", "structure.names", "makes 'y', which is made elsewhere too");
	rows_fails(IN OUT "node Relu x -> x\nnode Relu x -> y\n", "structure.names", "makes 'x', which is made elsewhere too");
	rows_fails(IN IN OUT "node Relu x -> y\n", "structure.names", "graph input 'x' is made twice");
	rows_fails(IN OUT "init w float32 [3]\ninit w float32 [3]\nnode Add x,w -> y\n", "structure.names", "initializer 'w' is given twice");
	rows_fails(IN OUT "init w float32 [3]\nnode Relu x -> w\nnode Add x,w -> y\n", "structure.names", "makes 'w', which is made elsewhere too");
}

static void test_structure__values_are_made_before_they_are_used(void **state)
{
	(void)state;
	rows_fails(IN OUT "node Relu a -> y\nnode Tanh x -> a\n", "structure.order", "uses 'a' before it is made");
	rows_fails(IN OUT "node Add x,b -> a\nnode Relu a -> b\nnode Relu b -> y\n", "structure.order", "uses 'b' before it is made");
	rows_fails(IN OUT "node Add x,y -> y\n", "structure.order", "uses 'y' before it is made");
}

#define BRANCHES(yes, no) "node If c -> y name=choice {\n graph then_branch\n" yes " end\n graph else_branch\n" no " end\n }\n"

static void test_structure__subgraphs_see_the_outer_values_that_were_made(void **state)
{
	(void)state;
	rows_passes("input c bool []\n" IN OUT BRANCHES("node Relu x -> a\noutput a\n", "node Tanh x -> a\noutput a\n"));
	/* a name that the outer graph makes only later is free: branches name their outputs as the If does */
	rows_passes("input c bool []\n" IN OUT BRANCHES("node Relu x -> y\noutput y\n", "node Tanh x -> late\nnode Relu late -> y\noutput y\n")
		"node Shape x -> late\noutput late int64 [2]\n");
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu y -> z\noutput z\n", "node Tanh x -> a\noutput a\n"),
		"structure.order", "uses 'y' before it is made");
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu late -> a\noutput a\n", "node Tanh x -> a\noutput a\n") "node Relu x -> late\n",
		"structure.order",
	           "uses 'late' before it is made");
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu x -> a\noutput a\n", "node Tanh x -> b\noutput a\n"), "structure.names",
		"graph output 'a' is nothing that its graph makes");
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu x -> a\noutput a\n", "node Tanh x -> b\noutput b\n") "node Relu a -> z\n", "structure.names",
	           "uses 'a', which nothing makes"); /* a branch's value is not seen outside */
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu x -> a\noutput x\n", "node Tanh x -> a\noutput a\n"), "structure.names",
	           "graph output 'x' is nothing that its graph makes"); /* captured, not made */
	rows_fails("input c bool []\n" IN OUT BRANCHES("node Relu x -> x\noutput x\n", "node Tanh x -> a\noutput a\n"), "structure.names", "made elsewhere too");
}

static void test_structure__operators_exist_at_the_opset(void **state)
{
	(void)state;
	rows_fails("opset 16\n" IN OUT "init w float32 [3]\nnode LayerNormalization x,w -> y\n", "structure.ops", "exists since opset 17, and the file is at 16");
	rows_passes("opset 17\n" IN OUT "init w float32 [3]\nnode LayerNormalization x,w -> y\n");
	rows_fails("opset 10\n" IN "output y float32\ninit s float32 [2]\nnode Upsample x,s -> y\n", "structure.ops", "deprecated since opset 10");
	rows_expect("opset 0\n" IN OUT "node Relu x -> y\n", "structure.ops", ONNXGATE_CHECK_FAIL, 2, "no opset imports");
	rows_expect("ir 2\n" IN OUT "node Relu x -> y\n", "structure.ops", ONNXGATE_CHECK_FAIL, 1, "opset imports, which IR version 2 does not have");
	rows_fails("import ai.onnx 18\n" IN OUT "node Relu x -> y\n", "structure.ops", "domain '' is imported twice");
	rows_fails(IN OUT "node com.microsoft:Gelu x -> y\n", "structure.ops", "domain 'com.microsoft' is not among the opset imports");
	rows_passes("import com.microsoft 1\n" IN OUT "node com.microsoft:Gelu x -> y\n");
}

static void test_structure__what_the_table_lacks_is_skipped_by_name(void **state)
{
	(void)state;
	rows_expect(IN OUT "node Frobnicate x -> y name=f\n", "structure.ops", ONNXGATE_CHECK_SKIPPED, 0, "1 not judged: node 'f' (Frobnicate)");
	rows_expect("import com.example 3\n" IN OUT "node com.example:Thing x -> y\n", "structure.ops", ONNXGATE_CHECK_SKIPPED, 0,
		"domain 'com.example' is not known");
	rows_expect("opset 99\n" IN OUT "node Relu x -> y\n", "structure.ops", ONNXGATE_CHECK_SKIPPED, 0, "opset 99 of domain '' is newer");
	rows_expect("ir 99\n" IN OUT "node Relu x -> y\n", "structure.ops", ONNXGATE_CHECK_SKIPPED, 0, "IR version 99 is newer");
	/* a fault outweighs what is not known */
	rows_fails(IN OUT "node Frobnicate x -> a\nnode Relu x,x -> y\n", "structure.ops", "2 inputs, expected 1");
}

static void test_structure__inputs_and_outputs_are_counted(void **state)
{
	(void)state;
	rows_fails(IN OUT "node Add x -> y\n", "structure.ops", "1 inputs, expected 2");
	rows_fails(IN OUT "node Relu x -> y,z\n", "structure.ops", "2 outputs, expected 1");
	rows_fails(IN OUT "node Clip x,_,_,_ -> y\n", "structure.ops", "4 inputs, expected 1 to 3");
	rows_fails(IN OUT "node Concat -> y axis=0\n", "structure.ops", "0 inputs, expected at least 1");
	rows_fails(IN OUT "node Add _,x -> y\n", "structure.ops", "input 0 is left out");
	rows_fails(IN OUT "node Max x,_ -> y\n", "structure.ops", "input 1 is left out");
}

static void test_structure__attributes_are_legal(void **state)
{
	(void)state;
	rows_fails(IN OUT "node Relu x -> y alpha=1.0\n", "structure.ops", "attribute 'alpha' is not one of Relu");
	rows_fails(IN OUT "node Softmax x -> y axis=1.0\n", "structure.ops", "attribute 'axis' is FLOAT, expected INT");
	rows_fails(IN OUT "node Concat x,x -> y\n", "structure.ops", "lacks attribute 'axis'");
	rows_fails(IN OUT "node Softmax x -> y axis=1 axis=0\n", "structure.ops", "attribute 'axis' is given twice");
	rows_passes(IN OUT "node Relu x -> y __note__=1\n");
}

static void test_structure__attribute_values_are_what_they_say(void **state)
{
	static const struct {
		uint32_t field;
		uint64_t type;
		const char *words;
	} cases[] = {
		{ 3, 1, "says that it is FLOAT and holds a value of another type" },
		{ 0, 5, "is GRAPH and has no value" },
		{ 3, 77, "has type 77" },
		{ 0, 0, "has type 0" },
		{ 3, 0, "has type 0" }, /* derived from the value only before IR version 2 */
		{ 21, 2, "refers to an attribute of a function, outside of one" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(cases); i++) {
		og_buf m, g, node, a, import;
		og_buf_init(&m, 1000);
		og_buf_init(&g, 1000);
		og_buf_init(&node, 1000);
		og_buf_init(&a, 1000);
		og_buf_init(&import, 1000);
		og_wire_put_str(&a, 1, "axis");
		if (cases[i].field == 21)
			og_wire_put_str(&a, 21, "outer");
		else if (cases[i].field)
			og_wire_put_u64(&a, cases[i].field, 1);
		og_wire_put_u64(&a, 20, cases[i].type);
		og_wire_put_str(&node, 1, "x");
		og_wire_put_str(&node, 2, "y");
		og_wire_put_str(&node, 4, "Softmax");
		make_put(&node, 5, &a);
		make_put(&g, 1, &node);
		og_wire_put_u64(&m, 1, 8);
		make_put(&m, 7, &g);
		og_wire_put_u64(&import, 2, 18);
		make_put(&m, 8, &import);
		rows_check_bytes(&m, NULL);
		if (!strstr(rows_find("structure.ops")->detail, cases[i].words))
			fail_msg("expected \"%s\" in \"%s\"", cases[i].words, rows_find("structure.ops")->detail);
		og_buf_done(&m);
	}
}

static void test_structure__sizes_fit_dims_and_type(void **state)
{
	(void)state;
	rows_fails(IN OUT "raw w float32 [2, 3] 20\nnode Add x,w -> y\n", "structure.sizes", "float32 [2, 3] takes 24 bytes, raw_data has 20");
	rows_fails(IN OUT "raw w float32 [2, 3] 28\nnode Add x,w -> y\n", "structure.sizes", "takes 24 bytes, raw_data has 28");
	rows_fails(IN OUT "raw w float32 [2, 3] 0\nnode Add x,w -> y\n", "structure.sizes", "float_data has 0");
	rows_fails(IN OUT "raw w float32 [2, -3] 24\nnode Add x,w -> y\n", "structure.sizes", "dims [2, -3] are negative or too many");
	rows_fails(IN OUT "raw w float32 [4611686018427387904, 4] 0\nnode Relu x -> y\n", "structure.sizes", "negative or too many");
	rows_passes(IN OUT "init w float32 [0, 3]\nnode Relu x -> y\n");
	rows_fails(IN OUT "raw w string [1] 4\nnode Relu x -> y\n", "structure.sizes", "strings in raw_data");
	rows_fails(IN OUT "raw w float32 [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] 4\nnode Relu x -> y\n", "structure.sizes", "17 dims");
}

/* A model with one initializer that `fill` writes into, under dims [n]. */
static void with_tensor(int64_t n, og_dtype t, void (*fill)(og_buf *tensor), onnxgate_check_status status, const char *words)
{
	og_buf m, g, import, tensor = make_tensor("w", t, &n, 1), value;
	const onnxgate_check_row *r;
	og_buf_init(&m, 1000);
	og_buf_init(&g, 1000);
	og_buf_init(&import, 1000);
	og_buf_init(&value, 1000);
	fill(&tensor);
	make_put(&g, 5, &tensor);
	og_wire_put_u64(&m, 1, 8);
	make_put(&m, 7, &g);
	og_wire_put_u64(&import, 2, 18);
	make_put(&m, 8, &import);
	rows_check_bytes(&m, NULL);
	r = rows_find("structure.sizes");
	if (r->status != status || !strstr(r->detail, words))
		fail_msg("expected %d \"%s\", found %d \"%s\"", (int)status, words, (int)r->status, r->detail);
	og_buf_done(&m);
	og_buf_done(&value);
}

static void four_ints(og_buf *t)
{
	og_wire_put_bytes(t, 5, "\1\2\3\4", 4);
}
static void two_ints(og_buf *t)
{
	og_wire_put_bytes(t, 5, "\1\2", 2);
}
static void four_int64(og_buf *t)
{
	og_wire_put_bytes(t, 7, "\1\2\3\4", 4);
}
static void ints_and_raw(og_buf *t)
{
	four_ints(t);
	make_zeros(t, 16);
}
static void segment(og_buf *t)
{
	og_wire_put_str(t, 3, "");
	make_zeros(t, 16);
}
static void location_2(og_buf *t)
{
	og_wire_put_u64(t, 14, 2);
}
static void four_complex(og_buf *t)
{
	for (int i = 0; i < 8; i++)
		og_wire_put_f32(t, 4, 1);
}
static void nothing(og_buf *t)
{
	(void)t;
}

static void test_structure__typed_fields_are_the_right_ones_and_full(void **state)
{
	const onnxgate_check_status pass = ONNXGATE_CHECK_PASS, fail = ONNXGATE_CHECK_FAIL;
	(void)state;
	with_tensor(4, OG_I32, four_ints, pass, "1 tensors");
	with_tensor(4, OG_F16, four_ints, pass, "1 tensors");
	with_tensor(4, OG_BOOL, four_ints, pass, "1 tensors");
	with_tensor(4, OG_I64, four_int64, pass, "1 tensors");
	with_tensor(3, OG_I4, two_ints, pass, "1 tensors"); /* two in a byte */
	with_tensor(5, OG_I4, two_ints, fail, "takes 3 entries, int32_data has 2");
	with_tensor(4, OG_C64, four_complex, pass, "1 tensors");
	with_tensor(4, OG_F32, four_ints, fail, "float32 stands in int32_data, expected float_data");
	with_tensor(4, OG_I32, four_int64, fail, "int32 stands in int64_data");
	with_tensor(5, OG_I32, four_ints, fail, "takes 5 entries, int32_data has 4");
	with_tensor(4, OG_I32, ints_and_raw, fail, "data in 2 places");
	with_tensor(4, OG_I32, segment, fail, "in segments");
	with_tensor(4, OG_I32, location_2, fail, "data location 2");
	with_tensor(0, OG_I32, nothing, pass, "1 tensors");
	with_tensor(4, OG_DTYPE_NONE, nothing, fail, "element type 0");
	with_tensor(4, (og_dtype)99, nothing, ONNXGATE_CHECK_SKIPPED, "element type 99 is not known");
}

static void test_structure__inputs_and_outputs_are_typed(void **state)
{
	(void)state;
	rows_fails("input x\n" OUT "node Relu x -> y\n", "structure.outputs", "input 'x' has no type");
	rows_fails(IN "output y\nnode Relu x -> y\n", "structure.outputs", "output 'y' has no type");
	rows_fails(IN "node Relu x -> y\n", "structure.outputs", "no outputs");
	rows_fails("input x float32 [-2]\noutput y float32\nnode Relu x -> y\n", "structure.outputs", "dim 0 is -2");
	rows_passes("input x float32\noutput y float32\nnode Relu x -> y\n");
}

/* FunctionProto NAME { input x; output y; node OP x -> y } in domain "local". */
static void put_function(og_buf *model, const char *name, const char *op, const char *domain)
{
	og_buf f, node, import;
	og_buf_init(&f, 1000);
	og_buf_init(&node, 1000);
	og_buf_init(&import, 1000);
	og_wire_put_str(&f, 1, name);
	og_wire_put_str(&f, 10, "local");
	og_wire_put_str(&f, 4, "x");
	og_wire_put_str(&f, 5, "y");
	og_wire_put_str(&node, 1, "x");
	og_wire_put_str(&node, 2, "y");
	og_wire_put_str(&node, 4, op);
	og_wire_put_str(&node, 7, domain);
	make_put(&f, 7, &node);
	og_wire_put_u64(&import, 2, 18);
	make_put(&f, 9, &import);
	make_put(model, 25, &f);
}

static void test_structure__functions_are_known_and_do_not_call_themselves(void **state)
{
	og_buf b = make_model("import local 1\n" IN OUT "node local:A x -> y\n");
	(void)state;
	put_function(&b, "A", "B", "local");
	put_function(&b, "B", "Relu", "");
	rows_check_bytes(&b, NULL);
	for (size_t i = 0; i < rows_checks.count; i++)
		if (rows_checks.rows[i].status != ONNXGATE_CHECK_PASS)
			fail_msg("%s: %s", rows_checks.rows[i].name, rows_checks.rows[i].detail);
	put_function(&b, "C", "D", "local");
	put_function(&b, "D", "C", "local");
	rows_check_bytes(&b, NULL);
	assert_int_equal(rows_find("structure.order")->status, ONNXGATE_CHECK_FAIL);
	assert_non_null(strstr(rows_find("structure.order")->detail, "calls itself"));
	put_function(&b, "A", "Relu", "");
	rows_check_bytes(&b, NULL);
	assert_non_null(strstr(rows_find("structure.names")->detail, "function 'A' is given twice"));
	og_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_structure__a_sound_model_passes_every_row, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__what_is_no_protobuf_is_one_failed_row, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__names_resolve, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__every_value_is_made_once, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__values_are_made_before_they_are_used, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__subgraphs_see_the_outer_values_that_were_made, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__operators_exist_at_the_opset, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__what_the_table_lacks_is_skipped_by_name, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__inputs_and_outputs_are_counted, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__attributes_are_legal, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__attribute_values_are_what_they_say, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__sizes_fit_dims_and_type, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__typed_fields_are_the_right_ones_and_full, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__inputs_and_outputs_are_typed, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_structure__functions_are_known_and_do_not_call_themselves, rows_setup, rows_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
