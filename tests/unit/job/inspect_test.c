/* SPDX-License-Identifier: Apache-2.0
 *
 * Inspections of made files: a checkpoint, shards, an ONNX file written field by field, and what is neither. */
#include "fixture.h"

#include "codec/digest.h"
#include "codec/wire.h"
#include "job/inspect.h"
#include "base/arena.h"
#include "base/context.h"

static void put_bytes(const char *name, const og_buf *b)
{
	assert_false(b->failed);
	assert_int_equal(og_file_write(at(name), b->p, b->n, NULL), OG_OK);
}

/* header, and n bytes 0, 1, 2, … behind it */
static void put_safetensors(const char *name, const char *header, size_t n)
{
	og_auto_buf b;
	og_buf_init(&b, 1 << 20);
	for (int i = 0; i < 8; i++)
		og_buf_byte(&b, (uint8_t)(strlen(header) >> (8 * i)));
	og_buf_str(&b, header);
	for (size_t i = 0; i < n; i++)
		og_buf_byte(&b, (uint8_t)i);
	put_bytes(name, &b);
}

static onnxgate_inspection *inspect(const char *name, bool digests)
{
	onnxgate_inspection *r = NULL;
	og_context ctx = { .threads = 3 };
	const onnxgate_inspect_request q = { .size = sizeof(q), .path = at(name), .digests = digests };
	og_status st = og_inspect_path(&q, &ctx, &r);
	assert_non_null(r);
	if (st != OG_OK)
		fail_msg("%s: %s", name, r->error.message);
	assert_int_equal(r->error.status, OG_OK);
	return r;
}

static void done(onnxgate_inspection *r)
{
	og_arena_free(r->owner);
}

static const char *value_of(const onnxgate_inspection *r, const char *key)
{
	for (size_t i = 0; i < r->nmetadata; i++)
		if (og_streq(r->metadata[i].key, key))
			return r->metadata[i].value;
	return NULL;
}

static void test_inspect__a_checkpoint(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX];
	put_safetensors("model.safetensors",
		"{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
		"\"q\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[24,26]},\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[26,30]}}", 30);
	onnxgate_inspection *r = inspect("model.safetensors", true);
	assert_string_equal(r->format, "safetensors");
	assert_int_equal(r->ntensors, 3);
	assert_string_equal(r->tensors[1].name, "q");
	assert_string_equal(r->tensors[1].dtype, "float4_e2m1");
	assert_string_equal(r->tensors[1].file, "model.safetensors");
	assert_int_equal(r->tensors[1].size, 2);
	assert_int_equal(og_sha256_bytes("\x18\x19", 2, hex, NULL), OG_OK);
	assert_string_equal(r->tensors[1].sha256, hex);
	assert_int_equal(r->ntotals, 2);
	assert_string_equal(r->totals[0].dtype, "float32");
	assert_int_equal(r->totals[0].tensors, 2);
	assert_int_equal(r->totals[0].elements, 7);
	assert_int_equal(r->totals[0].bytes, 28);
	assert_string_equal(value_of(r, "format"), "pt");
	done(r);
	r = inspect(".", false); /* the folder */
	assert_int_equal(r->ntensors, 3);
	assert_string_equal(r->tensors[0].file, "model.safetensors");
	assert_null(r->tensors[0].sha256);
	done(r);
}

static void test_inspect__shards(void **state)
{
	(void)state;
	put_safetensors("s1.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
	put_safetensors("s2.safetensors", "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
	put("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
	onnxgate_inspection *r = inspect("model.safetensors.index.json", true);
	assert_string_equal(r->format, "safetensors (sharded)");
	assert_int_equal(r->ntensors, 2);
	assert_string_equal(r->tensors[1].file, "s2.safetensors");
	assert_string_not_equal(r->tensors[0].sha256, r->tensors[1].sha256);
	done(r);
}

static void put_message(og_buf *to, uint32_t field, og_buf *part)
{
	og_wire_put_bytes(to, field, part->p, part->n);
	part->n = 0;
}

/* ir 8, opset 18, X: float[batch, 2] -> Add(X, w) -> Y, w = raw float[2]; metadata_props a=b */
static void put_onnx(const char *name, const char *external)
{
	og_auto_buf m, g, a, b, c;
	og_buf *all[] = { &m, &g, &a, &b, &c };
	for (size_t i = 0; i < OG_COUNT(all); i++)
		og_buf_init(all[i], 1 << 16);
	og_wire_put_str(&a, 1, "X"); /* NodeProto */
	og_wire_put_str(&a, 1, "w");
	og_wire_put_str(&a, 2, "Y");
	og_wire_put_str(&a, 4, "Add");
	put_message(&g, 1, &a);
	og_wire_put_str(&g, 2, "main");
	og_wire_put_u64(&a, 1, 2); /* TensorProto: dims, data_type, name */
	og_wire_put_u64(&a, 2, 1);
	og_wire_put_str(&a, 8, "w");
	if (external) {
		og_wire_put_str(&b, 1, "location");
		og_wire_put_str(&b, 2, external);
		put_message(&a, 13, &b);
		og_wire_put_str(&b, 1, "offset");
		og_wire_put_str(&b, 2, "4");
		put_message(&a, 13, &b);
		og_wire_put_str(&b, 1, "length");
		og_wire_put_str(&b, 2, "8");
		put_message(&a, 13, &b);
		og_wire_put_u64(&a, 14, 1);
	} else {
		og_wire_put_bytes(&a, 9, "\x04\x05\x06\x07\x08\x09\x0a\x0b", 8);
	}
	put_message(&g, 5, &a);
	for (uint32_t field = 11; field <= 12; field++) { /* input, output */
		og_wire_put_str(&c, 2, "batch");
		put_message(&b, 1, &c);
		og_wire_put_u64(&c, 1, 2);
		put_message(&b, 1, &c); /* TensorShapeProto */
		og_wire_put_u64(&c, 1, 1);
		put_message(&c, 2, &b); /* TypeProto.Tensor: elem_type, shape */
		put_message(&b, 1, &c); /* TypeProto */
		og_wire_put_str(&a, 1, field == 11 ? "X" : "Y");
		put_message(&a, 2, &b);
		put_message(&g, field, &a);
	}
	og_wire_put_u64(&m, 1, 8);
	og_wire_put_str(&m, 2, "tests");
	put_message(&m, 7, &g);
	og_wire_put_u64(&a, 2, 18);
	put_message(&m, 8, &a);
	og_wire_put_str(&a, 1, "a");
	og_wire_put_str(&a, 2, "b");
	put_message(&m, 14, &a);
	put_bytes(name, &m);
}

static void test_inspect__an_onnx_file(void **state)
{
	(void)state;
	char hex[OG_SHA256_HEX];
	put_onnx("m.onnx", NULL);
	onnxgate_inspection *r = inspect("m.onnx", true);
	assert_string_equal(r->format, "onnx");
	assert_string_equal(value_of(r, "ir_version"), "8");
	assert_string_equal(value_of(r, "opset.ai.onnx"), "18");
	assert_string_equal(value_of(r, "input.X"), "float32[batch, 2]");
	assert_string_equal(value_of(r, "output.Y"), "float32[batch, 2]");
	assert_string_equal(value_of(r, "nodes"), "1");
	assert_string_equal(value_of(r, "metadata.a"), "b");
	assert_int_equal(r->ntensors, 1);
	assert_string_equal(r->tensors[0].name, "w");
	assert_int_equal(r->tensors[0].dims[0], 2);
	assert_int_equal(r->tensors[0].size, 8);
	assert_int_equal(og_sha256_bytes("\x04\x05\x06\x07\x08\x09\x0a\x0b", 8, hex, NULL), OG_OK);
	assert_string_equal(r->tensors[0].sha256, hex);
	done(r);
	put("m.onnx_data", "0123\x04\x05\x06\x07\x08\x09\x0a\x0b");
	put_onnx("external.onnx", "m.onnx_data");
	r = inspect("external.onnx", true);
	assert_string_equal(r->tensors[0].file, "m.onnx_data");
	assert_int_equal(r->tensors[0].offset, 4);
	assert_string_equal(r->tensors[0].sha256, hex);
	done(r);
	put_onnx("escape.onnx", "../m.onnx_data");
	r = inspect("escape.onnx", true); /* shown, and not followed */
	assert_string_equal(r->tensors[0].file, "../m.onnx_data");
	assert_null(r->tensors[0].sha256);
	done(r);
}

static void fails(const char *name, og_status status, const char *message)
{
	onnxgate_inspection *r = NULL;
	const onnxgate_inspect_request q = { .size = sizeof(q), .path = at(name), .digests = true };
	assert_int_equal(og_inspect_path(&q, NULL, &r), status);
	assert_non_null(r);
	assert_int_equal(r->error.status, status);
	if (!strstr(r->error.message, message))
		fail_msg("expected \"%s\" in \"%s\"", message, r->error.message);
	assert_int_equal(r->ntensors, 0);
	assert_string_equal(r->path, at(name));
	done(r);
}

static void test_inspect__faults_come_with_the_inspection(void **state)
{
	(void)state;
	fails("absent.safetensors", ONNXGATE_NOT_FOUND, "absent.safetensors");
	fails("absent.onnx", ONNXGATE_NOT_FOUND, "absent.onnx");
	put("model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
	fails("model.safetensors", ONNXGATE_UNSUPPORTED, "a git-LFS pointer");
	fails(".", ONNXGATE_UNSUPPORTED, "a git-LFS pointer");
	put("cut.onnx", "\x08\x08\x3a\x7f");
	fails("cut.onnx", ONNXGATE_FORMAT, "cut.onnx");
	put_onnx("lost.onnx", "not_there");
	fails("lost.onnx", ONNXGATE_NOT_FOUND, "not_there");
	put("short_data", "0123");
	put_onnx("short.onnx", "short_data");
	fails("short.onnx", ONNXGATE_FORMAT, "short_data");
}

static void test_inspect__can_be_interrupted(void **state)
{
	(void)state;
	int cancel = 1;
	onnxgate_inspection *r = NULL;
	og_context ctx = { .threads = 1, .cancel = &cancel };
	put_safetensors("m.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
	const onnxgate_inspect_request q = { .size = sizeof(q), .path = at("m.safetensors"), .digests = true };
	assert_int_equal(og_inspect_path(&q, &ctx, &r), ONNXGATE_CANCELLED);
	done(r);
}

/* Three initializers, the last one placed first. */
static void test_inspect__rows_are_sorted_by_place(void **state)
{
	(void)state;
	og_auto_buf m, g, a;
	og_buf_init(&m, 1 << 16);
	og_buf_init(&g, 1 << 16);
	og_buf_init(&a, 1 << 16);
	for (int i = 0; i < 3; i++) {
		char name[2] = { (char)('c' - i), 0 };
		og_wire_put_u64(&a, 1, 1);
		og_wire_put_u64(&a, 2, 2);
		og_wire_put_str(&a, 8, name);
		og_wire_put_bytes(&a, 9, name, 1);
		put_message(&g, 5, &a);
	}
	og_wire_put_u64(&m, 1, 8);
	put_message(&m, 7, &g);
	put_bytes("m.onnx", &m);
	onnxgate_inspection *r = inspect("m.onnx", false);
	assert_int_equal(r->ntensors, 3);
	assert_string_equal(r->tensors[0].name, "c");
	assert_string_equal(r->tensors[2].name, "a");
	assert_true(r->tensors[0].offset < r->tensors[1].offset && r->tensors[1].offset < r->tensors[2].offset);
	assert_false(r->looked);
	done(r);
}

static onnxgate_inspection *threats(const char *name, og_status status)
{
	onnxgate_inspection *r = NULL;
	const onnxgate_inspect_request q = { .size = sizeof(q), .path = at(name), .threats = true };
	og_status st = og_inspect_path(&q, NULL, &r);
	if (st != status)
		fail_msg("%s: %s: %s", name, og_status_name(st), r->error.message);
	assert_int_equal(r->error.status, status);
	assert_int_equal(r->ndangers > 0, status == ONNXGATE_UNSAFE);
	return r;
}

static void test_inspect__threats_whatever_can_be_read(void **state)
{
	(void)state;
	put("x.pkl", "cposix\nsystem\n(S'id'\ntR.");
	onnxgate_inspection *r = threats("x.pkl", ONNXGATE_UNSAFE);
	assert_true(r->looked);
	assert_int_equal(r->ndangers, 2);
	assert_string_equal(r->threats[1].where, "x.pkl");
	assert_int_equal(r->nnotes, 1);
	assert_null(strstr(r->notes[0], scratch)); /* no folder of this machine */
	assert_null(r->format);
	done(r);
	put("model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
	r = threats("model.safetensors", OG_OK);
	assert_string_equal(r->threats[0].kind, "unknown");
	done(r);
	r = threats(".", ONNXGATE_UNSAFE); /* each file of the folder */
	assert_int_equal(r->nthreats, 4);
	assert_string_equal(r->threats[0].where, "model.safetensors");
	done(r);
	r = threats("absent", ONNXGATE_NOT_FOUND);
	assert_false(r->looked);
	done(r);
}

static void test_inspect__threats_of_onnx(void **state)
{
	(void)state;
	put_onnx("m.onnx", NULL);
	onnxgate_inspection *r = threats("m.onnx", OG_OK);
	assert_string_equal(r->format, "onnx");
	assert_int_equal(r->nthreats, 1);
	done(r);
	put_onnx("m.onnx", "../x");
	r = threats("m.onnx", ONNXGATE_UNSAFE);
	assert_string_equal(r->threats[1].kind, "external");
	done(r);
	put_onnx("m.onnx", "not_there");
	r = threats("m.onnx", OG_OK);
	assert_string_equal(r->threats[1].kind, "external");
	done(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(test_inspect__a_checkpoint),
		T(test_inspect__shards),
		T(test_inspect__an_onnx_file),
		T(test_inspect__faults_come_with_the_inspection),
		T(test_inspect__can_be_interrupted),
		T(test_inspect__rows_are_sorted_by_place),
		T(test_inspect__threats_whatever_can_be_read),
		T(test_inspect__threats_of_onnx),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
