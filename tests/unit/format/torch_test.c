/* SPDX-License-Identifier: Apache-2.0
 *
 * What PyTorch's pickles say: names of nested containers, wrappers, views, and every abuse of a tensor's numbers. */
#include "torch_writer.h"

#include <time.h>

#include "format/torch.h"

/* ---- names --------------------------------------------------------------------------------------------- */

static void put_nested(og_buf *b)
{
	og_buf_str(b, "}(");
	w_text(b, "a");
	og_buf_str(b, "](");
	w_weight(b);
	og_buf_str(b, "}(");
	w_int(b, -7);
	w_weight(b);
	og_buf_str(b, "ue");
	w_text(b, "b");
	w_weight(b);
	og_buf_str(b, "\x85"); /* (tensor,) */
	w_text(b, "epoch");
	w_int(b, 3);
	w_text(b, "note");
	w_text(b, "x");
	og_buf_str(b, "u");
}

static void test_torch__names_are_paths(void **state)
{
	(void)state;
	og_auto(og_reader) *r = w_take_object(put_nested);
	assert_string_equal(r->format->name, "torch_zip");
	assert_int_equal(r->count, 3);
	assert_string_equal(r->tensors[0].name, "a.0"); /* one place: by name */
	assert_string_equal(r->tensors[1].name, "a.1.-7");
	assert_string_equal(r->tensors[2].name, "b.0");
	w_expect_floats(r, "a.1.-7", w_floats, 6);
	assert_ptr_equal(r->tensors[0].source, r->source);
	assert_true(w_has_note(r, "2 values are no tensor and left out"));
}

static void put_list(og_buf *b)
{
	og_buf_str(b, "](");
	w_weight(b);
	w_weight(b);
	og_buf_str(b, "e");
}

static void test_torch__a_root_that_is_a_list_or_a_tensor(void **state)
{
	(void)state;
	og_auto(og_reader) *list = w_take_object(put_list);
	assert_int_equal(list->count, 2);
	assert_string_equal(list->tensors[1].name, "1");
	og_auto(og_reader) *one = w_take_object(w_weight);
	assert_int_equal(one->count, 1);
	assert_string_equal(one->tensors[0].name, "tensor");
}

static void put_ordered(og_buf *b) /* Python 2: OrderedDict([[key, value]]), then more, then attributes */
{
	w_global(b, "collections", "OrderedDict");
	og_buf_str(b, "](](");
	w_text(b, "old");
	w_weight(b);
	og_buf_str(b, "ee\x85R(");
	w_text(b, "new");
	w_weight(b);
	og_buf_str(b, "u}");
	w_text(b, "_metadata");
	og_buf_str(b, "}sb");
}

static void test_torch__ordered_dicts_of_both_pythons(void **state)
{
	(void)state;
	og_auto(og_reader) *r = w_take_object(put_ordered);
	assert_int_equal(r->count, 2);
	assert_string_equal(r->tensors[0].name, "new");
	assert_string_equal(r->tensors[1].name, "old");
}

static void put_twice(og_buf *b)
{
	og_buf_str(b, "}(");
	w_text(b, "a.b");
	w_weight(b);
	w_text(b, "a");
	og_buf_str(b, "}");
	w_text(b, "b");
	w_weight(b);
	og_buf_str(b, "su");
}

static void put_tuple_key(og_buf *b)
{
	og_buf_str(b, "}(");
	w_int(b, 1);
	og_buf_str(b, "\x85");
	w_weight(b);
	og_buf_str(b, "u");
}

static void put_zero_key(og_buf *b)
{
	og_buf_str(b, "}(X\x03");
	og_buf_add(b, "\0\0\0a\0b", 6);
	w_weight(b);
	og_buf_str(b, "u");
}

static void put_long_key(og_buf *b)
{
	char name[OG_NAME_MAX + 2];
	memset(name, 'n', sizeof(name));
	name[OG_NAME_MAX + 1] = 0;
	og_buf_str(b, "}(");
	w_text(b, name);
	w_weight(b);
	w_text(b, "b");
	w_weight(b);
	og_buf_str(b, "u");
}

static void test_torch__keys_that_make_no_name(void **state)
{
	(void)state;
	w_refuse_object(put_twice, ONNXGATE_FORMAT, "tensor \"a.b\": the name is given twice");
	w_refuse_object(put_tuple_key, ONNXGATE_UNSUPPORTED, "expected text or a whole number as the key of a tensor");
	w_refuse_object(put_zero_key, ONNXGATE_UNSUPPORTED, "expected text or a whole number as the key of a tensor");
	w_refuse_object(put_long_key, ONNXGATE_FORMAT, "expected a name of at most 1024 bytes, found 1025");
}

/* ---- wrappers ------------------------------------------------------------------------------------------ */

static void put_state(og_buf *b, const char *key, const char *name)
{
	w_text(b, key);
	og_buf_str(b, "}");
	w_text(b, name);
	w_weight(b);
	og_buf_str(b, "s");
}

static void put_wrapped(og_buf *b)
{
	og_buf_str(b, "}(");
	put_state(b, "state_dict", "w");
	put_state(b, "optimizer", "m");
	w_text(b, "epoch");
	w_int(b, 3);
	og_buf_str(b, "u");
}

static void put_two_wrappers(og_buf *b)
{
	og_buf_str(b, "}(");
	put_state(b, "model", "w");
	put_state(b, "state_dict", "w");
	og_buf_str(b, "u");
}

static void put_wrapper_beside_tensor(og_buf *b)
{
	og_buf_str(b, "}(");
	put_state(b, "model", "w");
	w_text(b, "t");
	w_weight(b);
	og_buf_str(b, "u");
}

static void put_optimizer(og_buf *b)
{
	og_buf_str(b, "}(");
	put_state(b, "state", "exp_avg");
	w_text(b, "param_groups");
	og_buf_str(b, "]u");
}

static void test_torch__what_wraps_the_weights_is_taken_off(void **state)
{
	(void)state;
	og_auto(og_reader) *r = w_take_object(put_wrapped);
	assert_int_equal(r->count, 1);
	assert_string_equal(r->tensors[0].name, "w");
	assert_int_equal(r->note_count, 1);
	assert_string_equal(r->notes[0], "the weights are what stands under \"state_dict\"; left out: optimizer: 1 tensor");
	og_auto(og_reader) *two = w_take_object(put_two_wrappers);
	assert_int_equal(two->count, 2);
	assert_string_equal(two->tensors[0].name, "model.w");
	assert_true(w_has_note(two, "2 entries may be the weights"));
	og_auto(og_reader) *beside = w_take_object(put_wrapper_beside_tensor);
	assert_string_equal(beside->tensors[0].name, "model.w");
	w_refuse_object(put_optimizer, ONNXGATE_UNSUPPORTED, "expected a model's weights, found an optimizer's state");
}

static void put_no_tensor(og_buf *b)
{
	og_buf_str(b, "}");
	w_text(b, "epoch");
	w_int(b, 3);
	og_buf_str(b, "s");
}

static void test_torch__a_file_without_tensors_is_refused(void **state)
{
	(void)state;
	w_refuse_object(put_no_tensor, ONNXGATE_UNSUPPORTED, "expected tensors, found none among its 1 value");
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

static w_tensor one;

static void put_one(og_buf *b)
{
	og_buf_str(b, "}");
	w_text(b, "t");
	w_put_tensor(b, &one);
	og_buf_str(b, "s");
}

static void refuse_one(w_tensor t, og_status status, const char *message)
{
	one = t;
	w_refuse_object(put_one, status, message);
}

static og_reader *take_one(w_tensor t)
{
	one = t;
	return w_take_object(put_one);
}

static void test_torch__views(void **state)
{
	(void)state;
	og_auto(og_reader) *transposed = take_one((w_tensor){ .elements = 6, .rank = 2, .dims = { 3, 2 }, .strides = { 1, 3 } });
	w_expect_floats(transposed, "t", (const float[]){ 0, 3, 1, 4, 2, 5 }, 6);
	og_auto(og_reader) *offset = take_one((w_tensor){ .elements = 6, .offset = 4, .rank = 1, .dims = { 2 }, .strides = { 1 } });
	w_expect_floats(offset, "t", w_floats + 4, 2);
	og_auto(og_reader) *scalar = take_one((w_tensor){ .elements = 6, .offset = 5 });
	w_expect_floats(scalar, "t", w_floats + 5, 1);
	og_auto(og_reader) *expanded = take_one((w_tensor){ .elements = 6, .offset = 2, .rank = 2, .dims = { 2, 2 }, .strides = { 0, 0 } });
	w_expect_floats(expanded, "t", (const float[]){ 2, 2, 2, 2 }, 4);
	og_auto(og_reader) *empty = take_one((w_tensor){ .elements = 6, .offset = 99, .rank = 2, .dims = { 0, 5 }, .strides = { 5, 1 } });
	assert_int_equal(w_find(empty, "t")->size, 0);
}

static void test_torch__absurd_numbers(void **state)
{
	(void)state;
	refuse_one((w_tensor){ .elements = 6, .rank = 2, .dims = { 2, 4 }, .strides = { 4, 1 } }, ONNXGATE_FORMAT,
		"tensor \"t\": shape [2, 4] with strides [4, 1] from element 0 on ends at byte 32, its storage has 24 at offset");
	refuse_one((w_tensor){ .elements = 6, .offset = 1, .rank = 2, .dims = { 2, 3 }, .strides = { 3, 1 } }, ONNXGATE_FORMAT, "ends at byte 28");
	refuse_one((w_tensor){ .elements = 6, .rank = 1, .dims = { 2 }, .strides = { -1 } }, ONNXGATE_FORMAT, "stride: expected whole numbers from 0 to");
	refuse_one((w_tensor){ .elements = 6, .offset = -1, .rank = 1, .dims = { 1 }, .strides = { 1 } }, ONNXGATE_FORMAT,
		"expected a storage offset of at least 0, found -1");
	refuse_one((w_tensor){ .elements = 6, .rank = 1, .dims = { -1 }, .strides = { 1 } }, ONNXGATE_FORMAT, "size: expected whole numbers from 0 to");
	refuse_one((w_tensor){ .elements = 6, .rank = 2, .nstrides = 1, .dims = { 2, 3 }, .strides = { 1 } }, ONNXGATE_FORMAT,
		"expected as many strides as dims (2), found 1");
	refuse_one((w_tensor){ .elements = 6, .rank = 17 }, ONNXGATE_FORMAT, "size: expected at most 16 numbers, found 17");
	refuse_one((w_tensor){ .elements = 6, .rank = 2, .dims = { 2, 3 }, .strides = { INT64_MAX, INT64_MAX } }, ONNXGATE_FORMAT, "do not fit in 64 bits");
	refuse_one((w_tensor){ .elements = 6, .offset = INT64_MAX, .rank = 1, .dims = { 2 }, .strides = { INT64_MAX } }, ONNXGATE_FORMAT, "do not fit in 64 bits");
	refuse_one((w_tensor){ .elements = 6, .rank = 2, .dims = { OG_DIM_MAX, OG_DIM_MAX } }, ONNXGATE_FORMAT, "the product of shape");
	refuse_one((w_tensor){ .elements = 6, .rank = 2, .dims = { 1 << 30, 1 << 10 } }, ONNXGATE_UNSAFE, "makes 4398046511104 bytes out of 24");
	refuse_one((w_tensor){ .elements = -6, .rank = 1, .dims = { 1 }, .strides = { 1 } }, ONNXGATE_FORMAT,
		"storage \"0\": expected a key and a number of elements");
	refuse_one((w_tensor){ .elements = INT64_MAX, .rank = 1, .dims = { 1 }, .strides = { 1 } }, ONNXGATE_FORMAT, "do not fit in 64 bits");
	refuse_one((w_tensor){ .elements = 6, .type = "QInt32Storage" }, ONNXGATE_UNSUPPORTED,
		"expected a storage of an ordinary type, found torch QInt32Storage, a quantised type");
	refuse_one((w_tensor){ .elements = 6, .type = "float32" }, ONNXGATE_FORMAT, "expected a storage's type, found torch float32");
}

static void put_two_types(og_buf *b)
{
	og_buf_str(b, "](");
	w_weight(b);
	w_put_tensor(b, &(w_tensor){ .type = "IntStorage", .elements = 6 });
	og_buf_str(b, "e");
}

static void test_torch__one_storage_has_one_type(void **state)
{
	(void)state;
	w_refuse_object(put_two_types, ONNXGATE_FORMAT, "storage \"0\": expected 6 elements of torch FloatStorage as before, found 6 of torch IntStorage");
}

/* ---- other calls --------------------------------------------------------------------------------------- */

static void put_parameters(og_buf *b) /* each wrapped in another way */
{
	og_buf_str(b, "](");
	w_global(b, "torch._utils", "_rebuild_parameter");
	og_buf_str(b, "(");
	w_weight(b);
	og_buf_str(b, "\x88NtR");
	w_global(b, "torch.nn.parameter", "Parameter");
	w_weight(b);
	og_buf_str(b, "\x85R");
	w_global(b, "torch._tensor", "_rebuild_from_type_v2");
	og_buf_str(b, "(");
	w_global(b, "torch._utils", "_rebuild_parameter");
	w_global(b, "torch.nn.parameter", "Parameter");
	og_buf_str(b, "(");
	w_weight(b);
	og_buf_str(b, "\x88Nt}tR");
	og_buf_str(b, "e");
}

static void put_cast(og_buf *b, const char *dtype)
{
	w_global(b, "torch._utils", "_rebuild_device_tensor_from_cpu_tensor");
	og_buf_str(b, "(");
	w_weight(b);
	w_global(b, "torch", dtype);
	w_text(b, "xla:0");
	og_buf_str(b, "\x89tR");
}

static void put_cast_to_its_own(og_buf *b)
{
	put_cast(b, "float32");
}

static void put_cast_to_another(og_buf *b)
{
	put_cast(b, "bfloat16");
}

static void put_numpy(og_buf *b)
{
	w_global(b, "numpy.core.multiarray", "_reconstruct");
}

static void put_nothing(og_buf *b)
{
	w_global(b, "torch.nn.parameter", "Parameter");
	og_buf_str(b, ")R");
}

static void put_few_arguments(og_buf *b)
{
	w_global(b, "torch._utils", "_rebuild_tensor_v2");
	og_buf_str(b, ")R");
}

static void put_no_storage(og_buf *b)
{
	w_global(b, "torch._utils", "_rebuild_tensor");
	og_buf_str(b, "(NJ");
	w_le(b, 0, 4);
	og_buf_str(b, "))tR");
}

static void put_bare_id(og_buf *b)
{
	w_text(b, "x");
	og_buf_str(b, "Q");
}

static void test_torch__parameters_and_what_is_no_tensor(void **state)
{
	(void)state;
	og_auto(og_reader) *r = w_take_object(put_parameters);
	assert_int_equal(r->count, 3);
	w_expect_floats(r, "2", w_floats, 6);
	og_auto(og_reader) *cast = w_take_object(put_cast_to_its_own);
	w_expect_floats(cast, "tensor", w_floats, 6);
	w_refuse_object(put_cast_to_another, ONNXGATE_UNSUPPORTED, "a tensor whose values are kept in another type");
	w_refuse_object(put_numpy, ONNXGATE_UNSAFE, "numpy.core.multiarray _reconstruct");
	w_refuse_object(put_nothing, ONNXGATE_FORMAT, "tensor \"tensor\": expected a tensor");
	w_refuse_object(put_few_arguments, ONNXGATE_FORMAT, "torch._utils _rebuild_tensor_v2: expected 6 arguments, found 0");
	w_refuse_object(put_no_storage, ONNXGATE_FORMAT, "expected a storage, found");
	w_refuse_object(put_bare_id, ONNXGATE_FORMAT, "found another persistent id");
}

/* ---- shapes of containers ------------------------------------------------------------------------------ */

static void put_laughs(og_buf *b)
{
	og_buf_str(b, "](");
	w_weight(b);
	og_buf_str(b, "eq");
	og_buf_byte(b, 100);
	for (uint8_t i = 0; i < 40; i++) {
		const uint8_t back[] = { ']', '(', 'h', (uint8_t)(100 + i), 'h', (uint8_t)(100 + i), 'e', 'q', (uint8_t)(101 + i) };
		og_buf_add(b, back, sizeof(back));
	}
}

static void put_many_references(og_buf *b)
{
	og_buf_str(b, "](");
	w_weight(b);
	og_buf_str(b, "q\x01");
	for (int i = 0; i < 200000; i++)
		og_buf_str(b, "h\x01");
	og_buf_str(b, "e");
}

static void put_deep(og_buf *b)
{
	for (int i = 0; i < OG_TORCH_DEPTH_MAX + 1; i++)
		og_buf_byte(b, ']');
	w_weight(b);
	for (int i = 0; i < OG_TORCH_DEPTH_MAX + 1; i++)
		og_buf_byte(b, 'a');
}

static void put_itself(og_buf *b)
{
	og_buf_str(b, "]q\x01(h\x01h\x01""e");
}

/* A parameter of a parameter of … of nothing, and a dict that names it again and again. */
static void put_long_values(og_buf *b)
{
	og_buf_str(b, "ctorch._utils\n_rebuild_parameter\nq\x01""0");
	for (int i = 0; i < 100000; i++)
		og_buf_str(b, "h\x01");
	og_buf_str(b, "ctorch\nSize\n)R");
	for (int i = 0; i < 100000; i++)
		og_buf_str(b, "\x85R");
	og_buf_str(b, "q\x02""0}(");
	for (int i = 0; i < 100000; i++)
		og_buf_str(b, "K\x01h\x02");
	og_buf_str(b, "u");
}

static void put_many_flags(og_buf *b)
{
	w_global(b, "torch._utils", "_rebuild_tensor_v2");
	og_buf_byte(b, '(');
	w_storage(b, "FloatStorage", "0", 6, false);
	w_int(b, 0);
	w_ints(b, NULL, 0);
	w_ints(b, NULL, 0);
	og_buf_str(b, "\x89N}(");
	for (int i = 0; i < OG_TORCH_FLAGS_MAX + 1; i++)
		og_buf_str(b, "K\x01K\x02");
	og_buf_str(b, "utR");
}

static void put_long_names(og_buf *b)
{
	og_buf_str(b, "](");
	w_weight(b);
	og_buf_str(b, "q\x01");
	og_buf_str(b, "e0}");
	og_buf_str(b, "X\xe8\x03");
	w_le(b, 0, 2);
	for (int i = 0; i < 1000; i++)
		og_buf_byte(b, 'n');
	og_buf_str(b, "](");
	for (int i = 0; i < 9000; i++)
		og_buf_str(b, "h\x01");
	og_buf_str(b, "es");
	w_text(b, "pad");
	og_buf_str(b, "B");
	w_le(b, 400000, 4);
	for (int i = 0; i < 400000; i++)
		og_buf_byte(b, 'p');
	og_buf_str(b, "s");
}

static void test_torch__bombs(void **state)
{
	(void)state;
	clock_t t = clock();
	w_refuse_object(put_laughs, ONNXGATE_UNSAFE, "expected at most");
	w_refuse_object(put_many_references, ONNXGATE_UNSAFE, "tensors in a pickle of");
	w_refuse_object(put_deep, ONNXGATE_UNSAFE, "nested deeper than 64");
	w_refuse_object(put_itself, ONNXGATE_UNSAFE, "nested deeper than 64");
	w_refuse_object(put_long_values, ONNXGATE_UNSAFE, "values, found more: containers are used again and again");
	w_refuse_object(put_long_names, ONNXGATE_UNSAFE, "expected names of at most 4 times the file's");
	w_refuse_object(put_many_flags, ONNXGATE_FORMAT, "expected at most 16 flags, found 17");
	double s = (double)(clock() - t) / CLOCKS_PER_SEC;
	if (s > 10)
		fail_msg("took %.1f s", s);
}

/* ---- globals ------------------------------------------------------------------------------------------- */

static void test_torch__names_that_may_occur(void **state)
{
	(void)state;
	static const struct {
		const char *module, *name;
		bool allowed;
	} rows[] = {
		{ "collections", "OrderedDict", true }, { "torch._utils", "_rebuild_tensor_v2", true }, { "torch", "FloatStorage", true },
		{ "torch", "float8_e8m0fnu", true }, { "torch.storage", "UntypedStorage", true }, { "_codecs", "encode", true }, { "torch", "uint7", true },
		{ "__builtin__", "bytearray", true }, { "torch.sparse", "x", false }, { "os", "system", false }, { "builtins", "getattr", false },
		{ "torch", "load", false }, { "torch.jit._pickle", "build_intlist", false }, { "__torch__", "Model", false }, { "", "", false },
		{ "collections", "OrderedDict.fromkeys", false }, { "torch._utils", "_rebuild_tensor_v2 ", false }, { "torch.storage", "_load_from_bytes", false },
	};
	for (size_t i = 0; i < OG_COUNT(rows); i++)
		if (og_torch_allows(NULL, og_str_of(rows[i].module), og_str_of(rows[i].name), 0) != rows[i].allowed)
			fail_msg("%s %s: expected %s", rows[i].module, rows[i].name, rows[i].allowed ? "allowed" : "not allowed");
	static const char *const all[] = { "__builtin__ bytearray", "_codecs encode", "builtins tuple", "collections Counter", "torch BFloat16Storage",
		"torch Size", "torch _", "torch._tensor Tensor", "torch._utils _rebuild_wrapper_subclass", "torch.cuda ShortTensor",
		"torch.tensor _rebuild_from_type_v2" };
	for (size_t i = 0; i < OG_COUNT(all); i++) { /* the table is sorted: both ends and the middle are found */
		const og_torch_global *g = og_torch_global_find(og_str_of(all[i]));
		assert_true((g != NULL) == (strcmp(all[i], "torch _") != 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch__names_are_paths),
		cmocka_unit_test(test_torch__a_root_that_is_a_list_or_a_tensor),
		cmocka_unit_test(test_torch__ordered_dicts_of_both_pythons),
		cmocka_unit_test(test_torch__keys_that_make_no_name),
		cmocka_unit_test(test_torch__what_wraps_the_weights_is_taken_off),
		cmocka_unit_test(test_torch__a_file_without_tensors_is_refused),
		cmocka_unit_test(test_torch__views),
		cmocka_unit_test(test_torch__absurd_numbers),
		cmocka_unit_test(test_torch__one_storage_has_one_type),
		cmocka_unit_test(test_torch__parameters_and_what_is_no_tensor),
		cmocka_unit_test(test_torch__bombs),
		cmocka_unit_test(test_torch__names_that_may_occur),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
