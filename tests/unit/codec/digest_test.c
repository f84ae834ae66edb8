/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests against published vectors, and files in pieces. */
#include "codec/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static void test_digest__sha256_of_known_texts(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX];
	assert_int_equal(og_sha256_bytes("abc", 3, hex, NULL), OG_OK);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(og_sha256_bytes("", 0, hex, NULL), OG_OK);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_digest__pieces_equal_the_whole(void **state)
{
	(void)state;
	char whole[OG_SHA256_HEX], pieces[OG_SHA256_HEX];
	static uint8_t bytes[100000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31);
	og_auto(og_digest) *d = NULL;
	assert_int_equal(og_sha256_bytes(bytes, sizeof(bytes), whole, NULL), OG_OK);
	assert_int_equal(og_digest_sha256(&d, NULL), OG_OK);
	for (size_t at = 0, n = 1; at < sizeof(bytes); at += n, n = n * 2 + 1) {
		if (n > sizeof(bytes) - at)
			n = sizeof(bytes) - at;
		assert_int_equal(og_digest_update(d, bytes + at, n, NULL), OG_OK);
	}
	assert_int_equal(og_digest_hex(d, pieces, NULL), OG_OK);
	assert_string_equal(whole, pieces);
}

static void test_digest__git_blob_of_known_content(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX];
	og_auto(og_digest) *d = NULL;
	assert_int_equal(og_digest_git_blob(12, &d, NULL), OG_OK);
	assert_int_equal(og_digest_update(d, "hello world\n", 12, NULL), OG_OK);
	assert_int_equal(og_digest_hex(d, hex, NULL), OG_OK);
	assert_string_equal(hex, "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"); /* git hash-object */
}

static void test_digest__git_blob_of_another_size_is_a_mismatch(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX];
	og_error err = { 0 };
	og_auto(og_digest) *d = NULL;
	assert_int_equal(og_digest_git_blob(12, &d, NULL), OG_OK);
	assert_int_equal(og_digest_update(d, "hello", 5, NULL), OG_OK);
	assert_int_equal(og_digest_hex(d, hex, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "expected 12 bytes, found 5"));
}

static void test_digest__files(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX], path[64];
	int cancel = 1;
	og_error err = { 0 };
	snprintf(path, sizeof(path), "/tmp/og_digest_%d", (int)getpid());
	assert_int_equal(og_file_write(path, "hello world\n", 12, NULL), OG_OK);
	assert_int_equal(og_git_blob_file(path, NULL, hex, NULL), OG_OK);
	assert_string_equal(hex, "3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
	assert_int_equal(og_sha256_file(path, NULL, hex, NULL), OG_OK);
	assert_string_equal(hex, "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447");
	assert_int_equal(og_sha256_file(path, &cancel, hex, &err), ONNXGATE_CANCELLED);
	unlink(path);
	assert_int_equal(og_sha256_file(path, NULL, hex, &err), ONNXGATE_NOT_FOUND);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(og_sha256_file("/tmp", NULL, hex, &err), ONNXGATE_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest__sha256_of_known_texts),
		cmocka_unit_test(test_digest__pieces_equal_the_whole),
		cmocka_unit_test(test_digest__git_blob_of_known_content),
		cmocka_unit_test(test_digest__git_blob_of_another_size_is_a_mismatch),
		cmocka_unit_test(test_digest__files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
