/* SPDX-License-Identifier: Apache-2.0
 *
 * PyTorch's zip archives: the records beside the pickle, the storages, files that PyTorch itself wrote. */
#include "torch_writer.h"

#define LE 24 /* bytes of six floats */

static void put_dict(og_buf *b)
{
	og_buf_str(b, "}");
	w_text(b, "w");
	w_weight(b);
	og_buf_str(b, "s");
}

/* Entries, with data.pkl filled in where data is NULL. */
static void archive(og_buf *z, const w_entry *entries, size_t n)
{
	og_auto_buf p;
	w_entry e[8];
	w_pickle(&p, put_dict);
	for (size_t i = 0; i < n; i++) {
		e[i] = entries[i];
		if (!e[i].data) {
			e[i].data = p.p;
			e[i].n = p.n;
		}
	}
	og_buf_init(z, W_MAX);
	w_zip(z, e, n);
}
#define REFUSE(status, message, ...)                                                                                                                   \
	do {                                                                                                                                              \
		const w_entry entries[] = { __VA_ARGS__ };                                                                                                    \
		og_auto_buf z;                                                                                                                                \
		archive(&z, entries, OG_COUNT(entries));                                                                                                      \
		w_refuse(&z, status, message);                                                                                                                \
	} while (0)
#define VERSION { "a/version", "3\n", 2 }
#define PICKLE { "a/data.pkl" }
#define FLOATS { "a/data/0", w_floats, LE }

static void test_torch_zip__stored_and_deflated_storages(void **state)
{
	(void)state;
	const w_entry entries[] = { { "model weights/data.pkl", .deflate = true }, { "model weights/data/0", w_floats, LE, true },
		{ "model weights/version", "3\n", 2 }, { "model weights/.data/serialization_id", "1", 1 } };
	og_auto_buf z;
	archive(&z, entries, 4);
	og_auto(og_reader) *r = w_take(&z);
	w_expect_floats(r, "w", w_floats, 6);
	assert_int_equal(r->part_count, 1);
	assert_ptr_equal(w_find(r, "w")->source, r->parts[0]);
	assert_int_equal(og_reader_check(r, NULL, NULL), OG_OK);
}

static void test_torch_zip__big_endian(void **state)
{
	(void)state;
	uint8_t big[LE];
	for (size_t i = 0; i < LE; i++)
		big[i] = ((const uint8_t *)w_floats)[i / 4 * 4 + 3 - i % 4];
	const w_entry entries[] = { PICKLE, { "a/data/0", big, LE }, VERSION, { "a/byteorder", "big", 3 } };
	og_auto_buf z;
	archive(&z, entries, 4);
	og_auto(og_reader) *r = w_take(&z);
	assert_true(w_find(r, "w")->swapped);
	w_expect_floats(r, "w", w_floats, 6);
}

static void test_torch_zip__records(void **state)
{
	(void)state;
	REFUSE(ONNXGATE_FORMAT, "expected the record version beside data.pkl", PICKLE, FLOATS);
	REFUSE(ONNXGATE_UNSUPPORTED, "expected a version of PyTorch's format up to 10, found 11", PICKLE, FLOATS, { "a/version", "11\n", 3 });
	REFUSE(ONNXGATE_FORMAT, "expected a number as version, found \"x\"", PICKLE, FLOATS, { "a/version", "x", 1 });
	REFUSE(ONNXGATE_FORMAT, "byteorder: expected little or big, found \"middle\"", PICKLE, FLOATS, VERSION, { "a/byteorder", "middle", 6 });
	REFUSE(ONNXGATE_FORMAT, "expected one data.pkl, found a/data.pkl and b/data.pkl", PICKLE, FLOATS, VERSION, { "b/data.pkl" });
	REFUSE(ONNXGATE_FORMAT, "expected every entry in the folder a/, found b/x", PICKLE, FLOATS, VERSION, { "b/x", "1", 1 });
	REFUSE(ONNXGATE_UNSUPPORTED, "found a zip archive without a data.pkl", { "data.pkl" }, { "data/0", w_floats, LE });
	REFUSE(ONNXGATE_UNSUPPORTED, "found a zip archive without a data.pkl", { "a/b/data.pkl" });
}

static void test_torch_zip__storages_have_the_size_that_is_said(void **state)
{
	(void)state;
	REFUSE(ONNXGATE_FORMAT, "tensor \"w\": expected its storage as the entry data/0, found none", PICKLE, VERSION);
	REFUSE(ONNXGATE_FORMAT, "its storage data/0: expected 24 bytes (6 elements), found 20", PICKLE, VERSION, { "a/data/0", w_floats, 20 });
	REFUSE(ONNXGATE_FORMAT, "expected 24 bytes (6 elements), found 25", PICKLE, VERSION, { "a/data/0", "                         ", 25 });
}

static void put_trailing(og_buf *b)
{
	put_dict(b);
	og_buf_str(b, ".N");
}

static void test_torch_zip__nothing_behind_the_pickle(void **state)
{
	(void)state;
	w_refuse_object(put_trailing, ONNXGATE_FORMAT, "data.pkl: expected its end behind STOP, found 2 bytes more");
}

static void test_torch_zip__a_flipped_bit_is_found(void **state)
{
	(void)state;
	og_error err = { 0 };
	const w_entry entries[] = { PICKLE, FLOATS, VERSION };
	og_auto_buf z;
	archive(&z, entries, 3);
	uint8_t *floats = memmem(z.p, z.n, w_floats, LE);
	floats[9] ^= 1;
	og_auto(og_reader) *r = w_take(&z); /* opening reads no storage */
	assert_int_equal(og_reader_check(r, NULL, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "a/data/0"));
	floats[9] ^= 1;
	uint8_t *pickle = memmem(z.p, z.n, "_rebuild_tensor_v2", 18);
	pickle[0] ^= 1;
	w_refuse(&z, ONNXGATE_MISMATCH, "a/data.pkl");
}

static void test_torch_zip__other_archives_are_named(void **state)
{
	(void)state;
	REFUSE(ONNXGATE_UNSUPPORTED, "a NumPy archive (.npz)", { "x.npy", "\x93NUMPY", 6 });
	REFUSE(ONNXGATE_UNSUPPORTED, "a Keras 3 archive", { "config.json", "{}", 2 }, { "model.weights.h5", "\x89HDF", 4 });
	REFUSE(ONNXGATE_UNSUPPORTED, "a Core ML package", { "x.mlpackage/Data/com.apple.CoreML/model.mlmodel", "x", 1 });
	REFUSE(ONNXGATE_UNSUPPORTED, "TorchScript archive of before", { "m/model.json", "{}", 2 }, { "m/tensors/0", "x", 1 });
	REFUSE(ONNXGATE_UNSUPPORTED, "a program that torch.export wrote", { "m/archive_format", "pt2", 3 }, { "m/models/model.json", "{}", 2 });
	REFUSE(ONNXGATE_UNSUPPORTED, "an Office document", { "[Content_Types].xml", "x", 1 });
	REFUSE(ONNXGATE_UNSUPPORTED, "safetensors files in it", { "x/model.safetensors", "x", 1 });
}

/* ---- what PyTorch wrote -------------------------------------------------------------------------------- */

static void test_torch_zip__pytorchs_own_file(void **state)
{
	(void)state;
	og_reader *opened = NULL;
	og_error err = { 0 };
	if (w_open_data("zip.bin", &opened, &err) != OG_OK)
		fail_msg("%s", err.message);
	og_auto(og_reader) *r = opened;
	float dense[24], permuted[24];
	for (int i = 0; i < 24; i++)
		dense[i] = (float)i;
	for (int i = 0; i < 24; i++) /* [4, 2, 3] of [2, 3, 4] */
		permuted[i] = (float)(i / 6 + i % 6 / 3 * 12 + i % 3 * 4);
	assert_int_equal(r->count, 19);
	w_expect_floats(r, "dense", dense, 24);
	w_expect_floats(r, "permuted", permuted, 24);
	w_expect_floats(r, "window", (const float[]){ 8, 9, 10, 14, 15, 16 }, 6);
	w_expect_floats(r, "expanded", (const float[]){ 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 }, 12);
	w_expect_floats(r, "scalar", (const float[]){ 7 }, 1);
	w_expect_floats(r, "empty", NULL, 0);
	w_expect_floats(r, "parameter", (const float[]){ 1.5f, -2 }, 2);
	w_expect_bytes(r, "bool", OG_BOOL, "\1\0\1", 3);
	w_expect_bytes(r, "half", OG_F16, "\x00\x3c\x00\x38", 4);
	w_expect_bytes(r, "bfloat16", OG_BF16, "\x80\x3f\x80\xbf", 4);
	w_expect_bytes(r, "complex", OG_C64, "\0\0\x80\x3f\0\0\0\x40", 8);
	w_expect_bytes(r, "uint16", OG_U16, "\1\0\xff\xff", 4);
	w_expect_bytes(r, "uint64", OG_U64, "\0\0\0\0\0\0\0\x80", 8);
	w_expect_bytes(r, "float8_e4m3fn", OG_F8E4M3FN, "\x38\x40", 2);
	w_expect_bytes(r, "float8_e4m3fnuz", OG_F8E4M3FNUZ, "\x40\x48", 2);
	w_expect_bytes(r, "float8_e5m2", OG_F8E5M2, "\x3c\x40", 2);
	w_expect_bytes(r, "float8_e5m2fnuz", OG_F8E5M2FNUZ, "\x40\x44", 2);
	w_expect_bytes(r, "float8_e8m0fnu", OG_F8E8M0, "\x7f\x80", 2);
	assert_int_equal(og_reader_check(r, NULL, NULL), OG_OK);
}

static void refuse_data(const char *name, og_status status, const char *message, const char *hint)
{
	og_reader *r = NULL;
	og_error err = { 0 };
	og_status s = w_open_data(name, &r, &err);
	if (s != status || !strstr(err.message, message) || !strstr(err.hint, hint))
		fail_msg("%s: expected status %d with \"%s\" and \"%s\", found %d with \"%s\" and \"%s\"", name, status, message, hint, s, err.message, err.hint);
}

static void test_torch_zip__pytorchs_other_files(void **state)
{
	(void)state;
	og_reader *opened = NULL;
	refuse_data("optimizer.bin", ONNXGATE_UNSUPPORTED, "found an optimizer's state", "in another file");
	refuse_data("whole_model.bin", ONNXGATE_UNSAFE, "torch.nn.modules.linear Linear", "state_dict()");
	refuse_data("quantised.bin", ONNXGATE_UNSUPPORTED, "tensor \"q\": expected an ordinary tensor, found a quantised tensor", "dequantize()");
	refuse_data("sparse.bin", ONNXGATE_UNSUPPORTED, "tensor \"s\": expected an ordinary tensor, found a sparse tensor", "to_dense()");
	refuse_data("lazy_conj.bin", ONNXGATE_UNSUPPORTED, "pending conj()", "");
	assert_int_equal(w_open_data("trainer.ckpt", &opened, NULL), OG_OK);
	og_auto(og_reader) *r = opened;
	assert_int_equal(r->count, 2);
	w_expect_floats(r, "module.weight", w_floats, 6); /* whose prefix the ledger looks past */
	assert_true(w_has_note(r, "left out: optimizer: 6 tensors"));
	assert_int_equal(w_open_data("one_tensor.bin", &opened, NULL), OG_OK);
	og_auto(og_reader) *one = opened;
	w_expect_floats(one, "tensor", w_floats, 3);
}

/* Whatever is cut off or turned round, it is refused or read, and never more. */
static void test_torch_zip__every_cut_is_refused(void **state)
{
	(void)state;
	const w_entry entries[] = { PICKLE, FLOATS, VERSION };
	og_auto_buf z;
	archive(&z, entries, 3);
	for (size_t n = 0; n < z.n; n++) {
		og_reader *r = NULL;
		og_error err = { 0 };
		og_buf cut = z;
		cut.n = n;
		og_status s = w_open(&cut, &r, &err);
		if (s == OG_OK || (n >= 4 && s != ONNXGATE_FORMAT))
			fail_msg("cut at %zu of %zu: status %d, %s", n, z.n, s, err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_zip__stored_and_deflated_storages),
		cmocka_unit_test(test_torch_zip__big_endian),
		cmocka_unit_test(test_torch_zip__records),
		cmocka_unit_test(test_torch_zip__storages_have_the_size_that_is_said),
		cmocka_unit_test(test_torch_zip__nothing_behind_the_pickle),
		cmocka_unit_test(test_torch_zip__a_flipped_bit_is_found),
		cmocka_unit_test(test_torch_zip__other_archives_are_named),
		cmocka_unit_test(test_torch_zip__pytorchs_own_file),
		cmocka_unit_test(test_torch_zip__pytorchs_other_files),
		cmocka_unit_test(test_torch_zip__every_cut_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
