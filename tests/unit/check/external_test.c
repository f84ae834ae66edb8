/* SPDX-License-Identifier: Apache-2.0
 *
 * structure.external_data: files, links and lies about them. */
#include "rows.h"

#include "base/file.h"
#include "base/path.h"

#include <unistd.h>

static char root[] = "/tmp/og-external-XXXXXX";

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/og-external-XXXXXX");
	return mkdtemp(root) ? rows_setup(state) : -1;
}

static int drop_root(void **state)
{
	assert_int_equal(og_remove_tree(root, NULL), OG_OK);
	return rows_teardown(state);
}

static const char *at(const char *name)
{
	static char path[8][600];
	static int turn;
	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, name);
	return path[turn];
}

static void put_file(const char *name, size_t n)
{
	og_autofree char *dir = og_path_dir(at(name)), *zeros = og_alloc(n + 1);
	assert_int_equal(og_mkdirs(dir, NULL), OG_OK);
	assert_int_equal(og_file_write(at(name), zeros, n, NULL), OG_OK);
}

/* A model "NAME" with one external tensor of 24 bytes, checked where it lies. */
static const onnxgate_check_row *check(const char *name, const char *external)
{
	char text[1500];
	og_error err = { 0 };
	snprintf(text, sizeof(text), "input x float32 [2, 3]\noutput y float32 [2, 3]\nexternal w float32 [2, 3] %s\nnode Add x,w -> y\n", external);
	og_buf b = make_model(text);
	og_autofree char *dir = og_path_dir(at(name));
	assert_int_equal(og_mkdirs(dir, NULL), OG_OK);
	assert_int_equal(og_file_write(at(name), b.p, b.n, NULL), OG_OK);
	og_buf_done(&b);
	og_checks_init(&rows_checks, rows_arena);
	if (og_check_structure(at(name), NULL, &rows_checks, &err) != OG_OK)
		fail_msg("%s", err.message);
	return rows_find("structure.external_data");
}

static void accepted(const char *name, const char *external)
{
	const onnxgate_check_row *r = check(name, external);
	if (r->status != ONNXGATE_CHECK_PASS)
		fail_msg("%s: %s", external, r->detail);
	assert_non_null(strstr(r->detail, "1 tensors, 24 bytes in 1 files"));
}

static void refused(const char *name, const char *external, const char *words)
{
	const onnxgate_check_row *r = check(name, external);
	if (r->status != ONNXGATE_CHECK_FAIL || !strstr(r->detail, words))
		fail_msg("%s: expected \"%s\", found %d \"%s\"", external, words, (int)r->status, r->detail);
}

static void test_external__data_beside_the_model_is_found(void **state)
{
	(void)state;
	put_file("m/w.bin", 100);
	put_file("m/sub/w.bin", 24);
	accepted("m/model.onnx", "location=w.bin");
	accepted("m/model.onnx", "location=./w.bin offset=76 length=24");
	accepted("m/model.onnx", "location=sub/w.bin offset=0 checksum=abc prepacked_0=x");
}

static void test_external__offsets_and_lengths_are_held_against_the_file(void **state)
{
	(void)state;
	put_file("m/w.bin", 100);
	refused("m/model.onnx", "location=w.bin offset=77", "24 bytes at offset 77, past the end of 'w.bin' (100 bytes)");
	refused("m/model.onnx", "location=w.bin offset=9223372036854775807", "past the end");
	refused("m/model.onnx", "location=w.bin length=23", "takes 24 bytes, the length of its external data is 23");
	refused("m/model.onnx", "location=w.bin offset=-1", "offset is '-1'");
	refused("m/model.onnx", "location=w.bin length=99999999999999999999", "length is '99999999999999999999'");
	refused("m/model.onnx", "location=w.bin offset=0x10", "offset is '0x10'");
}

static void test_external__keys_are_known_and_given_once(void **state)
{
	(void)state;
	put_file("m/w.bin", 100);
	refused("m/model.onnx", "location=w.bin colour=red", "unknown key 'colour'");
	refused("m/model.onnx", "location=w.bin location=v.bin", "'location' is given twice");
	refused("m/model.onnx", "location=w.bin offset=0 offset=4", "'offset' is given twice");
	refused("m/model.onnx", "offset=0", "no location");
}

static void test_external__names_that_lead_out_are_refused(void **state)
{
	(void)state;
	put_file("w.bin", 100);
	put_file("m/sub/x.bin", 100);
	refused("m/model.onnx", "location=../w.bin", "expected a name below the folder");
	refused("m/model.onnx", "location=sub/../../w.bin", "expected a name below the folder");
	refused("m/model.onnx", "location=/etc/passwd", "expected a name below the folder");
	refused("m/model.onnx", "location=sub//x.bin", "expected a name below the folder");
	refused("m/model.onnx", "location=", "expected a name below the folder");
	refused("m/model.onnx", "location=*/_ORT_MEM_ADDR_/*", "no such file");
	refused("m/model.onnx", "location=absent.bin", "no such file");
	refused("m/model.onnx", "location=sub", "sub");
}

static void test_external__links_may_lead_about_but_not_out(void **state)
{
	(void)state;
	put_file("out/w.bin", 100);
	put_file("m/w.bin", 100);
	put_file("m-other/w.bin", 100);
	assert_int_equal(symlink("w.bin", at("m/inside")), 0);
	assert_int_equal(symlink("../out/w.bin", at("m/file")), 0);
	assert_int_equal(symlink("../out", at("m/folder")), 0);
	assert_int_equal(symlink("file", at("m/chain")), 0);
	assert_int_equal(symlink("../m-other/w.bin", at("m/prefix")), 0);
	assert_int_equal(symlink("loop", at("m/loop")), 0);
	accepted("m/model.onnx", "location=inside");
	refused("m/model.onnx", "location=file", "a link leads out of the folder");
	refused("m/model.onnx", "location=folder/w.bin", "a link leads out of the folder");
	refused("m/model.onnx", "location=chain", "a link leads out of the folder");
	refused("m/model.onnx", "location=prefix", "a link leads out of the folder");
	refused("m/model.onnx", "location=loop", "loop");
	assert_int_equal(link(at("out/w.bin"), at("m/hard")), 0);
	accepted("m/model.onnx", "location=hard");
}

static void test_external__a_snapshot_of_the_hub_cache_links_into_its_own_blobs(void **state)
{
	(void)state;
	put_file("hub/models--a--b/blobs/0123", 24);
	put_file("hub/models--c--d/blobs/4567", 24);
	put_file("hub/models--a--b/blobs/deeper/89", 24);
	put_file("hub/models--a--b/refs/main", 24);
	assert_int_equal(og_mkdirs(at("hub/models--a--b/snapshots/abc/onnx"), NULL), OG_OK);
	assert_int_equal(symlink("../../blobs/0123", at("hub/models--a--b/snapshots/abc/w")), 0);
	assert_int_equal(symlink("../../../blobs/0123", at("hub/models--a--b/snapshots/abc/onnx/w")), 0);
	assert_int_equal(symlink("../../../models--c--d/blobs/4567", at("hub/models--a--b/snapshots/abc/foreign")), 0);
	assert_int_equal(symlink("../../refs/main", at("hub/models--a--b/snapshots/abc/ref")), 0);
	assert_int_equal(symlink("../../blobs/deeper/89", at("hub/models--a--b/snapshots/abc/deep")), 0);
	accepted("hub/models--a--b/snapshots/abc/model.onnx", "location=w");
	accepted("hub/models--a--b/snapshots/abc/onnx/model.onnx", "location=w");
	refused("hub/models--a--b/snapshots/abc/model.onnx", "location=foreign", "a link leads out of the folder");
	refused("hub/models--a--b/snapshots/abc/model.onnx", "location=ref", "a link leads out of the folder");
	refused("hub/models--a--b/snapshots/abc/model.onnx", "location=deep", "a link leads out of the folder");
}

static void test_external__what_is_no_regular_file_is_refused(void **state)
{
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_mkdirs(at("m"), NULL), OG_OK);
	og_checks_init(&rows_checks, rows_arena);
	assert_int_equal(og_check_structure(at("m"), NULL, &rows_checks, &err), OG_OK); /* a folder under the model's name */
	assert_int_equal(rows_find("structure.protobuf")->status, ONNXGATE_CHECK_FAIL);
	assert_int_equal(og_check_structure(at("absent.onnx"), NULL, &rows_checks, &err), ONNXGATE_NOT_FOUND);
}

static void test_external__data_without_the_mark_is_found(void **state)
{
	og_buf m = make_model("input x float32 [2]\noutput x float32 [2]\n"), tensor = make_tensor("w", OG_F32, (int64_t[]){ 0 }, 1), pair, g;
	(void)state;
	og_buf_init(&pair, 100);
	og_buf_init(&g, 1000);
	og_buf_done(&m);
	og_buf_init(&m, 1000);
	og_wire_put_str(&pair, 1, "location");
	og_wire_put_str(&pair, 2, "w.bin");
	make_put(&tensor, 13, &pair);
	make_put(&g, 5, &tensor);
	make_put(&m, 7, &g);
	rows_check_bytes(&m, NULL);
	assert_non_null(strstr(rows_find("structure.external_data")->detail, "says that its data is in the file"));
	og_buf_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_external__data_beside_the_model_is_found, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__offsets_and_lengths_are_held_against_the_file, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__keys_are_known_and_given_once, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__names_that_lead_out_are_refused, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__links_may_lead_about_but_not_out, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__a_snapshot_of_the_hub_cache_links_into_its_own_blobs, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__what_is_no_regular_file_is_refused, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_external__data_without_the_mark_is_found, make_root, drop_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
