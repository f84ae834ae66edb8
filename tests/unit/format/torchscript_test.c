/* SPDX-License-Identifier: Apache-2.0
 *
 * TorchScript: modules as paths, constants, lists with a type; the names are those of state_dict(). */
#include "torch_writer.h"

static void put_module(og_buf *b, const char *class)
{
	w_global(b, "__torch__.models", class);
	og_buf_str(b, ")\x81}(");
}

static void put_model(og_buf *b)
{
	put_module(b, "Model");
	w_text(b, "training");
	og_buf_str(b, "\x89");
	w_text(b, "layer");
	put_module(b, "___torch_mangle_3.Layer");
	w_text(b, "module.w");
	w_weight(b);
	og_buf_str(b, "ub");
	w_text(b, "table");
	w_global(b, "torch.jit._pickle", "restore_type_tag");
	og_buf_str(b, "(](");
	w_weight(b);
	og_buf_str(b, "e");
	w_text(b, "List[Tensor]");
	og_buf_str(b, "tR");
	w_text(b, "sizes");
	w_global(b, "torch.jit._pickle", "build_intlist");
	og_buf_str(b, "](");
	w_int(b, 1);
	og_buf_str(b, "e\x85Rub");
}

static void put_constants(og_buf *b)
{
	og_buf_str(b, "(");
	w_put_tensor(b, &(w_tensor){ .elements = 1, .rank = 1, .dims = { 1 }, .strides = { 1 } });
	og_buf_str(b, "t");
}

static void put_number(og_buf *b)
{
	w_int(b, 1);
}

static void put_eval(og_buf *b)
{
	w_global(b, "builtins", "eval");
}

static void script(og_buf *z, w_object object, w_object constants)
{
	static const float one = 42;
	og_auto_buf p, c;
	w_pickle(&p, object);
	w_pickle(&c, constants);
	const w_entry more[] = { { "archive/constants.pkl", c.p, c.n, false }, { "archive/constants/0", &one, sizeof(one), false },
		{ "archive/code/__torch__.py", "class Model(Module):\n", 21, false } };
	w_torch_zip(z, &p, more, 3);
}

static void test_torchscript__modules_are_paths(void **state)
{
	(void)state;
	og_auto_buf z;
	script(&z, put_model, put_constants);
	og_auto(og_reader) *r = w_take(&z);
	assert_string_equal(r->format->name, "torchscript");
	assert_int_equal(r->count, 3);
	w_expect_floats(r, "layer.module.w", w_floats, 6);
	w_expect_floats(r, "table.0", w_floats, 6);
	w_expect_floats(r, "CONSTANTS.c0", (const float[]){ 42 }, 1); /* storage "0" of its own folder */
	assert_true(w_has_note(r, "code (TorchScript), which is not interpreted"));
	assert_int_equal(og_reader_check(r, NULL, NULL), OG_OK);
}

static void test_torchscript__abuses(void **state)
{
	(void)state;
	og_auto_buf a, b, c;
	script(&a, put_model, put_number);
	w_refuse(&a, ONNXGATE_FORMAT, "constants.pkl: expected a tuple, found");
	script(&b, put_model, put_eval);
	w_refuse(&b, ONNXGATE_UNSAFE, "builtins eval");
	script(&c, put_eval, put_constants);
	w_refuse(&c, ONNXGATE_UNSAFE, "builtins eval");
	w_refuse_object(put_model, ONNXGATE_UNSAFE, "__torch__.models Model"); /* only where there is code beside it */
}

static void test_torchscript__pytorchs_own_files(void **state)
{
	(void)state;
	static const char *const files[] = { "script.pt", "traced.pt" };
	static const char *const state_dict[] = { "first.weight", "first.count", "layers.0.weight", "layers.0.count", "layers.1.weight", "layers.1.count" };
	for (size_t i = 0; i < OG_COUNT(files); i++) {
		og_reader *opened = NULL;
		og_error err = { 0 };
		if (w_open_data(files[i], &opened, &err) != OG_OK)
			fail_msg("%s: %s", files[i], err.message);
		og_auto(og_reader) *r = opened;
		for (size_t k = 0; k < OG_COUNT(state_dict); k++)
			(void)w_find(r, state_dict[k]);
		w_expect_floats(r, "layers.1.weight", (const float[]){ 0, 2, 1, 3 }, 4);
		w_expect_bytes(r, "first.count", OG_I64, "\3\0\0\0\0\0\0\0", 8);
		if (!i) {
			w_expect_floats(r, "plain", (const float[]){ 1, 1 }, 2); /* not of state_dict(): plain attributes */
			w_expect_floats(r, "table.1", (const float[]){ 1 }, 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torchscript__modules_are_paths),
		cmocka_unit_test(test_torchscript__abuses),
		cmocka_unit_test(test_torchscript__pytorchs_own_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
