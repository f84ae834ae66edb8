/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors: what is read, and every abuse that must be refused with its name, place, expected and found.
 * Each file is a header text and a number of zero bytes behind it. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/format.h"

#define OPEN_PAST_END UINT64_MAX

/* length: what the first eight bytes say, OPEN_PAST_END for the truth. */
static og_status open_bytes(const void *header, size_t n, uint64_t length, uint64_t data, og_reader **out, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_auto_buf b;
	static const uint8_t zeros[4096];
	uint64_t said = length == OPEN_PAST_END ? n : length;
	og_buf_init(&b, SIZE_MAX / 2);
	for (int i = 0; i < 8; i++)
		og_buf_byte(&b, (uint8_t)(said >> (8 * i)));
	og_buf_add(&b, header, n);
	for (uint64_t left = data; left;) {
		size_t k = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
		og_buf_add(&b, zeros, k);
		left -= k;
	}
	assert_false(b.failed);
	assert_int_equal(og_source_memory("m.safetensors", b.p, b.n, &s, NULL), OG_OK);
	og_status st = og_reader_open(s, out, err);
	if (st == OG_OK)
		(void)og_steal(&s);
	return st;
}

static og_reader *take(const char *header, uint64_t data)
{
	og_reader *r = NULL;
	og_error err = { 0 };
	if (open_bytes(header, strlen(header), OPEN_PAST_END, data, &r, &err) != OG_OK)
		fail_msg("%s: %s", header, err.message);
	return r;
}

static void refuse_bytes(const void *header, size_t n, uint64_t length, uint64_t data, og_status status, const char *message)
{
	og_reader *r = NULL;
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	og_status s = open_bytes(header, n, length, data, &r, &err);
	if (s != status)
		fail_msg("expected status %d with \"%s\", found %d with \"%s\"", status, message, s, err.message);
	assert_null(r);
	if (!strstr(err.message, message) || strncmp(err.message, "m.safetensors: ", 15) != 0)
		fail_msg("expected \"%s\" in \"%s\"", message, err.message);
	assert_null(strchr(err.message, '\n'));
}

static void refuse(const char *header, uint64_t data, const char *message)
{
	refuse_bytes(header, strlen(header), OPEN_PAST_END, data, ONNXGATE_FORMAT, message);
}

#define ONE(dtype, shape, offsets) "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

/* ---- what is read -------------------------------------------------------------------------------------- */

static void test_safetensors__reads_the_table(void **state)
{
	(void)state;
	const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u20ac\"},\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]},"
						 "\"a\":{\"shape\":[],\"data_offsets\":[0,4],\"dtype\":\"I32\"}}  \n";
	og_auto(og_reader) *r = take(header, 28);
	assert_string_equal(r->format->name, "safetensors");
	assert_int_equal(r->count, 2);
	assert_string_equal(r->tensors[0].name, "a"); /* in the order of their bytes */
	assert_int_equal(r->tensors[0].rank, 0);
	assert_int_equal(og_tensor_elements(&r->tensors[0]), 1);
	assert_string_equal(r->tensors[1].name, "b");
	assert_int_equal(r->tensors[1].dtype, OG_F32);
	assert_int_equal(r->tensors[1].dims[1], 3);
	assert_int_equal(r->tensors[1].offset, 8 + strlen(header) + 4);
	assert_int_equal(r->tensors[1].size, 24);
	assert_ptr_equal(r->tensors[1].source, r->source);
	assert_int_equal(r->metadata_count, 2);
	assert_string_equal(r->metadata[1].key, "k");
	assert_string_equal(r->metadata[1].value, "\xe2\x82\xac");
}

static void test_safetensors__empty_things_are_fine(void **state)
{
	(void)state;
	og_reader_free(take("{}", 0));
	og_reader_free(take("{\"__metadata__\":{}}", 0));
	og_reader_free(take("{\"__metadata__\":null}", 0));
	og_auto(og_reader) *r = take("{\"b\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]},"
								 "\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
								 "\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
								 "\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 1);
	assert_int_equal(r->count, 4);
	assert_string_equal(r->tensors[0].name, "a");
	assert_string_equal(r->tensors[3].name, "");
}

static void test_safetensors__unknown_keys_of_an_entry_are_skipped(void **state)
{
	(void)state;
	og_auto(og_reader) *r = take("{\"t\":{\"x\":{\"dtype\":[1,{}]},\"dtype\":\"U8\",\"shape\":[1],\"y\":null,\"data_offsets\":[0,1],\"x\":2}}", 1);
	assert_int_equal(r->tensors[0].dtype, OG_U8);
}

static void test_safetensors__every_dtype(void **state)
{
	(void)state;
	static const char *const names[] = { "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
		"I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64" };
	for (size_t i = 0; i < OG_COUNT(names); i++) {
		char header[200];
		unsigned bits = og_dtype_bits(og_dtype_from_safetensors(og_str_of(names[i])));
		assert_true(bits > 0);
		snprintf(header, sizeof(header), "{\"t\":{\"dtype\":\"%s\",\"shape\":[4,2],\"data_offsets\":[0,%u]}}", names[i], bits);
		og_auto(og_reader) *r = take(header, bits);
		assert_string_equal(og_dtype_safetensors(r->tensors[0].dtype), names[i]);
		assert_int_equal(r->tensors[0].size, bits);
	}
}

static void test_safetensors__large_metadata_up_to_its_ceiling(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t n = OG_SAFETENSORS_METADATA_MAX - 1 + over, k = 0; /* and one byte of key */
		og_autofree char *text = og_alloc(n + 64);
		k = (size_t)sprintf(text, "{\"__metadata__\":{\"k\":\"");
		memset(text + k, 'v', n);
		memcpy(text + k + n, "\"}}", 4);
		if (over) {
			refuse(text, 0, "expected at most 16777216 bytes in __metadata__, found more");
		} else {
			og_auto(og_reader) *r = take(text, 0);
			assert_int_equal(strlen(r->metadata[0].value), n);
		}
	}
}

/* ---- the length ---------------------------------------------------------------------------------------- */

static void test_safetensors__header_lengths(void **state)
{
	(void)state;
	refuse_bytes("{}", 2, 0, 0, ONNXGATE_FORMAT, "safetensors header: expected a length of at least 2, found 0 at offset 0");
	refuse_bytes("{}", 2, 3, 0, ONNXGATE_FORMAT, "length of 3 goes past the end of the file (10 bytes)");
	refuse_bytes("{}", 2, 100000000, 0, ONNXGATE_FORMAT, "length of 100000000 goes past the end");
	refuse_bytes("{}", 2, 100000001, 0, ONNXGATE_FORMAT, "expected a length of at most 100000000, found 100000001");
	refuse_bytes("{}", 2, UINT64_MAX - 1, 0, ONNXGATE_FORMAT, "expected a length of at most 100000000, found 18446744073709551614");
	refuse_bytes("{}", 2, (uint64_t)INT64_MAX, 0, ONNXGATE_FORMAT, "expected a length of at most 100000000");
	refuse_bytes("{}", 2, 1, 0, ONNXGATE_FORMAT, "expected a key or '}', found the end");
	refuse_bytes("", 0, 0, 0, ONNXGATE_FORMAT, "expected a length of at least 2, found 0");
}

static void test_safetensors__data_that_is_cut_or_too_long(void **state)
{
	(void)state;
	refuse(ONE("F32", "[2]", "[0,8]"), 7, "data_offsets [0, 8] end past the data: the file has 7 bytes of it");
	refuse(ONE("F32", "[2]", "[0,8]"), 9, "expected the file to end with its last tensor at 70, found 1 bytes more");
	refuse("{}", 1, "expected the file to end with its last tensor at 10, found 1 bytes more");
}

/* ---- the text ------------------------------------------------------------------------------------------ */

static void test_safetensors__header_text(void **state)
{
	(void)state;
	refuse("not json", 0, "expected '{' as its first byte, found byte 0x6e at offset 8");
	refuse(" {}", 0, "expected '{' as its first byte, found byte 0x20 at offset 8");
	refuse("[]", 0, "expected '{' as its first byte");
	refuse("null", 0, "expected '{' as its first byte");
	refuse("{\"\xff\":1}", 0, "string is not valid UTF-8 at offset 9");
	refuse("{", 0, "expected a key or '}', found the end at offset 9");
	refuse("{} {}", 0, "expected the end of the document, found '{'");
	refuse_bytes("{}\0\0", 4, OPEN_PAST_END, 0, ONNXGATE_FORMAT, "expected the end of the document, found byte 0x00 at offset 10");
	refuse("{\"a\":1,}", 0, "tensor \"a\": expected an object, found a number");
	refuse("{\"a\":{},}", 0, "tensor \"a\": expected dtype, found none");
	refuse("{'a':1}", 0, "expected a key or '}', found '''");
	refuse("{\"a\":NaN}", 0, "expected a value, found \"NaN\"");
	og_reader_free(take("{}      \t\r\n ", 0)); /* padding, as the reference reader allows it */
}

static void test_safetensors__entries(void **state)
{
	(void)state;
	refuse("{\"t\":null}", 0, "tensor \"t\": expected an object, found null at offset 13");
	refuse("{\"t\":[\"U8\",[1],[0,1]]}", 1, "tensor \"t\": expected an object, found an array");
	refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "tensor \"t\": expected data_offsets, found none");
	refuse("{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "tensor \"t\": expected shape, found none");
	refuse("{\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "tensor \"t\": dtype is given a second time");
	refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "shape is given a second time");
	refuse("{\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "expected a string as dtype, found a number");
	refuse(ONE("U8", "1", "[0,1]"), 1, "shape: expected an array, found a number");
	refuse(ONE("U8", "[\"1\"]", "[0,1]"), 1, "shape: expected whole numbers, found a string");
	refuse(ONE("U8", "[[1]]", "[0,1]"), 1, "shape: expected whole numbers, found an array");
	refuse(ONE("U8", "[-1]", "[0,1]"), 1, "shape: expected whole numbers from 0 to 1099511627776, found -1");
	refuse(ONE("U8", "[1.0]", "[0,1]"), 1, "found 1.0");
	refuse(ONE("U8", "[1e0]", "[0,1]"), 1, "found 1e0");
	refuse(ONE("U8", "[-0]", "[0,0]"), 0, "found -0");
	refuse(ONE("U8", "[18446744073709551617]", "[0,1]"), 1, "found 18446744073709551617");
	refuse(ONE("U8", "[1]", "[0]"), 1, "data_offsets: expected two numbers, found fewer");
	refuse(ONE("U8", "[1]", "[]"), 1, "data_offsets: expected two numbers, found fewer");
	refuse(ONE("U8", "[1]", "[0,1,1]"), 1, "data_offsets: expected two numbers, found more");
	refuse(ONE("U8", "[1]", "[-1,0]"), 1, "data_offsets: expected whole numbers");
	refuse(ONE("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "shape: expected at most 16 dims, found more");
	og_reader_free(take(ONE("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1));
	refuse_bytes(ONE("F7", "[1]", "[0,1]"), sizeof(ONE("F7", "[1]", "[0,1]")) - 1, OPEN_PAST_END, 1, ONNXGATE_UNSUPPORTED,
		"tensor \"t\": dtype \"F7\" is none that safetensors defines at offset");
	refuse_bytes(ONE("f32", "[1]", "[0,4]"), sizeof(ONE("f32", "[1]", "[0,4]")) - 1, OPEN_PAST_END, 4, ONNXGATE_UNSUPPORTED, "dtype \"f32\"");
}

static void test_safetensors__names(void **state)
{
	(void)state;
	char header[OG_NAME_MAX + 100];
	refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
		"tensor \"t\": the name is given twice, first at offset 9 and again at offset 61");
	refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
		   "\"\\u0074\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "given twice");
	refuse("{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "holds a zero character");
	/* shown so that the message stays one line */
	refuse("{\"a\\nb\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "tensor \"a\\x0ab\": shape [2]");
	for (int over = 0; over < 2; over++) {
		size_t n = OG_NAME_MAX + (size_t)over, k = (size_t)sprintf(header, "{\"");
		memset(header + k, 'n', n);
		sprintf(header + k + n, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
		if (over)
			refuse(header, 1, "a tensor's name longer than 1024 bytes");
		else
			og_reader_free(take(header, 1));
	}
}

static void test_safetensors__metadata(void **state)
{
	(void)state;
	refuse("{\"__metadata__\":{\"a\":1}}", 0, "key \"a\" of __metadata__: expected a string, found a number");
	refuse("{\"__metadata__\":{\"a\":null}}", 0, "expected a string, found null");
	refuse("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "expected a string, found an object");
	refuse("{\"__metadata__\":[\"a\"]}", 0, "expected an object of strings as __metadata__, found an array");
	refuse("{\"__metadata__\":\"a\"}", 0, "expected an object of strings as __metadata__, found a string");
	refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is given a second time");
	refuse("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "key \"a\" of __metadata__ is given twice");
	refuse("{\"__metadata__\":{\"a\":\"b\\u0000\"}}", 0, "holds a zero character");
	og_auto_buf b; /* 100,000 brackets */
	og_buf_init(&b, 1 << 20);
	og_buf_str(&b, "{\"t\":{\"dtype\":");
	for (int i = 0; i < 100000; i++)
		og_buf_byte(&b, '[');
	refuse(og_buf_cstr(&b), 0, "expected a string as dtype, found an array");
	b.n = 0;
	og_buf_str(&b, "{\"t\":{\"x\":");
	for (int i = 0; i < 100000; i++)
		og_buf_byte(&b, '[');
	refuse(og_buf_cstr(&b), 0, "nested deeper than 64");
}

/* ---- the places ---------------------------------------------------------------------------------------- */

static void test_safetensors__sizes(void **state)
{
	(void)state;
	refuse(ONE("F32", "[2,3]", "[0,23]"), 23, "tensor \"t\": shape [2, 3] of F32 takes 24 bytes, data_offsets give 23");
	refuse(ONE("F32", "[0]", "[0,4]"), 4, "shape [0] of F32 takes 0 bytes, data_offsets give 4");
	refuse(ONE("F32", "[]", "[0,0]"), 0, "shape [] of F32 takes 4 bytes, data_offsets give 0");
	refuse(ONE("F32", "[1099511627776,1099511627776]", "[0,0]"), 0, "the product of shape [1099511627776, 1099511627776] does not fit in 64 bits");
	refuse(ONE("F32", "[1099511627776,1099511627776,0]", "[0,0]"), 0, "does not fit in 64 bits");
	refuse(ONE("F64", "[1099511627776,16777215]", "[0,0]"), 0, "does not fit in 64 bits");
	refuse(ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, "does not fit in 64 bits"); /* 2^64 wraps to 0 */
	refuse(ONE("F32", "[1073741825,4294967296]", "[0,17179869184]"), 0, "of F32 does not fit in 64 bits"); /* wraps with the dtype */
	refuse(ONE("F4", "[3]", "[0,2]"), 2, "3 elements of 4 bits (F4) do not fill whole bytes");
	refuse(ONE("F6_E3M2", "[2]", "[0,2]"), 2, "2 elements of 6 bits (F6_E3M2) do not fill whole bytes");
	refuse(ONE("F32", "[1]", "[4,0]"), 4, "data_offsets run backwards: [4, 0]");
	refuse(ONE("F32", "[1]", "[18446744073709551612,0]"), 4, "data_offsets run backwards");
	refuse(ONE("F32", "[1]", "[18446744073709551611,18446744073709551615]"), 4, "end past the data: the file has 4 bytes of it");
}

#define TWO(a, b) "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" a "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" b "}}"

static void test_safetensors__overlaps_and_gaps(void **state)
{
	(void)state;
	og_reader_free(take(TWO("[4,8]", "[0,4]"), 8));
	refuse(TWO("[0,4]", "[0,4]"), 4, "tensor \"b\": data_offsets overlap: expected to begin at 4, where tensor \"a\" ends, found 0");
	refuse(TWO("[0,4]", "[3,7]"), 7, "tensor \"b\": data_offsets overlap: expected to begin at 4, where tensor \"a\" ends, found 3");
	refuse(TWO("[0,4]", "[5,9]"), 9, "tensor \"b\": data_offsets leave a gap: expected to begin at 4, where tensor \"a\" ends, found 5");
	refuse(TWO("[5,9]", "[1,5]"), 9, "tensor \"b\": data_offsets leave a gap: expected to begin at 0, where the data begins, found 1");
}

/* 100,000 tensors on one range, written so that neither the names nor the ranges come sorted. */
static void test_safetensors__many_tensors_on_one_range_take_little_time(void **state)
{
	(void)state;
	og_auto_buf b;
	og_buf_init(&b, 64 << 20);
	for (unsigned i = 0; i < 100000; i++)
		og_buf_printf(&b, "%c\"layer.%u.weight\":{\"dtype\":\"F32\",\"shape\":[256,256],\"data_offsets\":[0,262144]}", i ? ',' : '{', i * 7919u % 100000u);
	og_buf_byte(&b, '}');
	clock_t t = clock();
	refuse(og_buf_cstr(&b), 262144, "overlap: expected to begin at 262144, where tensor \"layer.0.weight\" ends, found 0");
	double s = (double)(clock() - t) / CLOCKS_PER_SEC;
	if (s > 5) /* quadratic work would take minutes, also under a sanitizer */
		fail_msg("took %.1f s", s);
}

static void test_safetensors__every_cut_of_a_good_file_is_refused(void **state)
{
	(void)state;
	const char *header = "{\"__metadata__\":{\"a\":\"b\"},\"t\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}} ";
	uint8_t bytes[200];
	size_t n = strlen(header), total = 8 + n + 24;
	memset(bytes, 0, sizeof(bytes));
	bytes[0] = (uint8_t)n;
	memcpy(bytes + 8, header, n);
	for (size_t cut = 0; cut <= total; cut++) {
		og_auto(og_source) *s = NULL;
		og_auto(og_reader) *r = NULL;
		og_error err = { 0 };
		assert_int_equal(og_source_memory("cut", bytes, cut, &s, NULL), OG_OK);
		og_status st = og_reader_open(s, &r, &err);
		if (st == OG_OK)
			(void)og_steal(&s);
		assert_int_equal(st == OG_OK, cut == total);
		assert_true(st == OG_OK || err.message[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safetensors__reads_the_table),
		cmocka_unit_test(test_safetensors__empty_things_are_fine),
		cmocka_unit_test(test_safetensors__unknown_keys_of_an_entry_are_skipped),
		cmocka_unit_test(test_safetensors__every_dtype),
		cmocka_unit_test(test_safetensors__large_metadata_up_to_its_ceiling),
		cmocka_unit_test(test_safetensors__header_lengths),
		cmocka_unit_test(test_safetensors__data_that_is_cut_or_too_long),
		cmocka_unit_test(test_safetensors__header_text),
		cmocka_unit_test(test_safetensors__entries),
		cmocka_unit_test(test_safetensors__names),
		cmocka_unit_test(test_safetensors__metadata),
		cmocka_unit_test(test_safetensors__sizes),
		cmocka_unit_test(test_safetensors__overlaps_and_gaps),
		cmocka_unit_test(test_safetensors__many_tensors_on_one_range_take_little_time),
		cmocka_unit_test(test_safetensors__every_cut_of_a_good_file_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
