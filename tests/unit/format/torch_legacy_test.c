/* SPDX-License-Identifier: Apache-2.0
 *
 * PyTorch's files of before 1.6: five pickles and the storages, views of storages, files that PyTorch itself wrote. */
#include "torch_writer.h"

#define MAGIC "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

typedef struct file {
	w_object object; /* NULL: one tensor "w" */
	int version;
	const char *system;                   /* opcodes; NULL: a dict */
	const char *const *keys;              /* NULL: "0" */
	size_t nkeys;
	int64_t elements;                     /* that the storage's header says; 0: 6 */
	size_t bytes;                         /* of the storage; 0: 24 */
	const char *more;                     /* behind it all */
} file;

static void put_dict(og_buf *b)
{
	og_buf_str(b, "}");
	w_text(b, "w");
	w_put_tensor(b, &(w_tensor){ .elements = 6, .rank = 2, .dims = { 2, 3 }, .strides = { 3, 1 }, .legacy = true });
	og_buf_str(b, "s");
}

static void put(og_buf *b, const file *f)
{
	static const char *const zero[] = { "0" };
	og_auto_buf p;
	og_buf_init(b, W_MAX);
	og_buf_add(b, MAGIC, sizeof(MAGIC) - 1);
	og_buf_str(b, "\x80\x02");
	w_int(b, f->version ? f->version : 1001);
	og_buf_str(b, ".\x80\x02");
	og_buf_str(b, f->system ? f->system : "}");
	og_buf_str(b, ".");
	w_pickle(&p, f->object ? f->object : put_dict);
	og_buf_add(b, p.p, p.n);
	og_buf_str(b, "\x80\x02](");
	for (size_t i = 0; i < (f->keys ? f->nkeys : 1); i++)
		w_text(b, f->keys ? f->keys[i] : zero[i]);
	og_buf_str(b, "e.");
	if (!f->keys || f->nkeys) {
		w_le(b, (uint64_t)(f->elements ? f->elements : 6), 8);
		og_buf_add(b, w_floats, f->bytes ? f->bytes : sizeof(w_floats));
	}
	og_buf_str(b, f->more ? f->more : "");
}

static void refuse(file f, og_status status, const char *message)
{
	og_auto_buf b;
	put(&b, &f);
	w_refuse(&b, status, message);
}

static void test_torch_legacy__reads(void **state)
{
	(void)state;
	og_auto_buf b;
	put(&b, &(file){ 0 });
	og_auto(og_reader) *r = w_take(&b);
	assert_string_equal(r->format->name, "torch_legacy");
	w_expect_floats(r, "w", w_floats, 6);
	assert_int_equal(w_find(r, "w")->offset, b.n - sizeof(w_floats));
}

static void put_v1(og_buf *b)
{
	og_buf_str(b, "}");
	w_text(b, "w");
	w_put_tensor(b, &(w_tensor){ .elements = 6, .rank = 1, .dims = { 3 }, .strides = { 2 }, .offset = 1, .legacy = true, .v1 = true });
	og_buf_str(b, "s");
}

static void test_torch_legacy__the_first_form_of_a_tensor(void **state)
{
	(void)state;
	og_auto_buf b;
	put(&b, &(file){ .object = put_v1 });
	og_auto(og_reader) *r = w_take(&b);
	w_expect_floats(r, "w", (const float[]){ 1, 3, 5 }, 3);
}

/* ---- views --------------------------------------------------------------------------------------------- */

static struct {
	const char *key;
	int64_t offset, size;
} views[2];

static void put_view(og_buf *b)
{
	og_buf_str(b, "](");
	for (int i = 0; i < 2; i++) {
		w_global(b, "torch._utils", "_rebuild_tensor");
		og_buf_str(b, "((");
		w_text(b, "storage");
		w_global(b, "torch", "FloatStorage");
		w_text(b, "0");
		w_text(b, "cpu");
		w_int(b, 6);
		og_buf_str(b, "(");
		w_text(b, views[i].key);
		w_int(b, views[i].offset);
		w_int(b, views[i].size);
		og_buf_str(b, "ttQ");
		w_int(b, 1); /* storage offset, within the view */
		w_ints(b, (const int64_t[]){ 2 }, 1);
		w_ints(b, (const int64_t[]){ 1 }, 1);
		og_buf_str(b, "tR");
	}
	og_buf_str(b, "e");
}

#define VIEWS(...) memcpy(views, (__typeof__(views)){ __VA_ARGS__ }, sizeof(views))

static void test_torch_legacy__views_of_storages(void **state)
{
	(void)state;
	og_auto_buf b;
	VIEWS({ "7", 1, 3 }, { "8", 3, 3 });
	put(&b, &(file){ .object = put_view });
	og_auto(og_reader) *r = w_take(&b);
	w_expect_floats(r, "0", (const float[]){ 2, 3 }, 2);
	w_expect_floats(r, "1", (const float[]){ 4, 5 }, 2);
	VIEWS({ "7", 1, 3 }, { "7", 2, 3 });
	refuse((file){ .object = put_view }, ONNXGATE_FORMAT, "the view of its storage has the key of another");
	VIEWS({ "7", 1, 2 }, { "8", 2, 3 });
	refuse((file){ .object = put_view }, ONNXGATE_FORMAT, "ends at byte 12, its storage has 8");
	VIEWS({ "7", 4, 3 }, { "8", 2, 3 });
	refuse((file){ .object = put_view }, ONNXGATE_FORMAT, "its storage is a view of elements 4 to 4 + 3 of one that has 6");
	VIEWS({ "7", INT64_MAX, INT64_MAX }, { "8", 2, 3 });
	refuse((file){ .object = put_view }, ONNXGATE_FORMAT, "its storage is a view of elements");
	VIEWS({ "7", -1, 3 }, { "8", 2, 3 });
	refuse((file){ .object = put_view }, ONNXGATE_FORMAT, "expected (key, offset, elements) as the view");
}

/* ---- the frame ----------------------------------------------------------------------------------------- */

static void put_system(og_buf *b)
{
	og_buf_str(b, "cos\nsystem\n");
}

static char long_key[OG_NAME_MAX + 2];

static void put_long_key(og_buf *b)
{
	w_put_tensor(b, &(w_tensor){ .key = long_key, .elements = 6, .rank = 1, .dims = { 6 }, .strides = { 1 }, .legacy = true });
}

/* Each tensor looks its storage up by it. */
static void test_torch_legacy__a_long_key(void **state)
{
	(void)state;
	const char *const keys[] = { long_key };
	memset(long_key, 'k', OG_NAME_MAX);
	og_auto_buf b;
	put(&b, &(file){ .object = put_long_key, .keys = keys, .nkeys = 1 });
	og_auto(og_reader) *r = w_take(&b);
	w_expect_floats(r, "tensor", w_floats, 6);
	memset(long_key, 'k', OG_NAME_MAX + 1);
	refuse((file){ .object = put_long_key, .keys = keys, .nkeys = 1 }, ONNXGATE_FORMAT, "is listed, and no tensor uses it");
}

static void test_torch_legacy__the_frame(void **state)
{
	(void)state;
	static const char *const twice[] = { "0", "0" }, *const other[] = { "1" }, *const none[] = { "" };
	refuse((file){ .version = 1002 }, ONNXGATE_FORMAT, "expected 1001 as the version of the format");
	refuse((file){ .system = "]" }, ONNXGATE_FORMAT, "expected a dict of the system's properties");
	refuse((file){ .system = "cos\nsystem\n" }, ONNXGATE_UNSAFE, "os system");
	refuse((file){ .object = put_system }, ONNXGATE_UNSAFE, "os system");
	refuse((file){ .keys = twice, .nkeys = 2 }, ONNXGATE_FORMAT, "storage \"0\": is listed twice");
	refuse((file){ .keys = other, .nkeys = 1 }, ONNXGATE_FORMAT, "storage \"1\": is listed, and no tensor uses it");
	refuse((file){ .keys = none, .nkeys = 0 }, ONNXGATE_FORMAT, "expected its storage \"0\" among those that are listed");
	refuse((file){ .elements = 7 }, ONNXGATE_FORMAT, "storage \"0\": expected 6 elements, found 7");
	refuse((file){ .elements = -1 }, ONNXGATE_FORMAT, "storage \"0\": expected 6 elements, found -1");
	refuse((file){ .more = "x" }, ONNXGATE_FORMAT, "expected the end of the file behind the last storage, found 1 bytes more");
}

static void test_torch_legacy__every_cut_is_refused(void **state)
{
	(void)state;
	og_auto_buf b;
	put(&b, &(file){ 0 });
	for (size_t n = 2; n < b.n; n++) {
		og_buf cut = b;
		cut.n = n;
		w_refuse(&cut, ONNXGATE_FORMAT, "");
	}
}

/* ---- what PyTorch wrote -------------------------------------------------------------------------------- */

static void read_own(const char *name)
{
	og_reader *opened = NULL;
	og_error err = { 0 };
	if (w_open_data(name, &opened, &err) != OG_OK)
		fail_msg("%s: %s", name, err.message);
	og_auto(og_reader) *r = opened;
	assert_int_equal(r->count, 11);
	w_expect_floats(r, "window", (const float[]){ 8, 9, 10, 14, 15, 16 }, 6);
	w_expect_floats(r, "expanded", (const float[]){ 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 }, 12);
	w_expect_floats(r, "scalar", (const float[]){ 7 }, 1);
	w_expect_floats(r, "parameter", (const float[]){ 1.5f, -2 }, 2);
	w_expect_bytes(r, "complex", OG_C64, "\0\0\x80\x3f\0\0\0\x40", 8);
	w_expect_bytes(r, "half", OG_F16, "\x00\x3c\x00\x38", 4);
}

static void test_torch_legacy__pytorchs_own_files(void **state)
{
	(void)state;
	read_own("legacy.bin");
	read_own("legacy_protocol4.bin");
}

static void test_torch_legacy__the_tar_of_before_is_named(void **state)
{
	(void)state;
	og_auto_buf b;
	static const uint8_t zeros[1024];
	og_buf_init(&b, W_MAX);
	og_buf_add(&b, zeros, sizeof(zeros));
	memcpy(b.p, "sys_info", 8);
	memcpy(b.p + 257, "ustar", 5);
	w_refuse(&b, ONNXGATE_UNSUPPORTED, "a tar archive as PyTorch wrote it before 0.1.10");
	memcpy(b.p, "other   ", 8);
	w_refuse(&b, ONNXGATE_UNSUPPORTED, "found a tar archive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_legacy__reads),
		cmocka_unit_test(test_torch_legacy__the_first_form_of_a_tensor),
		cmocka_unit_test(test_torch_legacy__views_of_storages),
		cmocka_unit_test(test_torch_legacy__the_frame),
		cmocka_unit_test(test_torch_legacy__a_long_key),
		cmocka_unit_test(test_torch_legacy__every_cut_is_refused),
		cmocka_unit_test(test_torch_legacy__pytorchs_own_files),
		cmocka_unit_test(test_torch_legacy__the_tar_of_before_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
