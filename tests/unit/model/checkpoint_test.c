/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints in a folder of their own: one file, shards, and indexes that promise what is not so. */
#include "model/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/path.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/og_checkpoint_XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return og_remove_tree(dir, NULL) == OG_OK ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	static char path[200];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(og_file_write(in_dir(name), text, strlen(text), NULL), OG_OK);
}

/* A safetensors file with these names, each one byte, the first holding 'A', the next 'B', … */
static void put_tensors(const char *file, const char *const *names, size_t n)
{
	og_auto_buf b, h;
	og_buf_init(&b, 1 << 20);
	og_buf_init(&h, 1 << 20);
	og_buf_byte(&h, '{');
	if (n)
		og_buf_printf(&h, "\"__metadata__\":{\"first\":\"%s\"}", names[0]);
	for (size_t i = 0; i < n; i++)
		og_buf_printf(&h, ",\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}", names[i], i, i + 1);
	og_buf_byte(&h, '}');
	for (int i = 0; i < 8; i++)
		og_buf_byte(&b, (uint8_t)(h.n >> (8 * i)));
	og_buf_add(&b, h.p, h.n);
	for (size_t i = 0; i < n; i++)
		og_buf_byte(&b, (uint8_t)('A' + i));
	assert_int_equal(og_file_write(in_dir(file), b.p, b.n, NULL), OG_OK);
}
#define TENSORS(file, ...)                                                                                             \
	put_tensors(file, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void refuse(og_status status, const char *message)
{
	og_checkpoint *c = NULL;
	og_error err = { 0 };
	og_status s = og_checkpoint_open(dir, &c, &err);
	if (s != status || !strstr(err.message, message))
		fail_msg("expected %d with \"%s\", found %d with \"%s\"", status, message, s, err.message);
	assert_null(c);
}

static void put_shards(void)
{
	TENSORS("model-00001-of-00002.safetensors", "a", "b");
	TENSORS("model-00002-of-00002.safetensors", "c", "extra");
}

#define ONE "model-00001-of-00002.safetensors"
#define BOTH "model-00002-of-00002.safetensors"

static void put_index(const char *map)
{
	char text[1000];
	snprintf(text, sizeof(text), "{\"metadata\": {\"total_size\": 3, \"nested\": [{}]}, \"weight_map\": %s}\n", map);
	put("model.safetensors.index.json", text);
}

static void test_checkpoint__one_file(void **state)
{
	(void)state;
	const char *const *paths;
	size_t n = 0, seen = 0;
	const og_tensor *t;
	uint8_t byte;
	og_auto(og_checkpoint) *c = NULL;
	TENSORS("model.safetensors", "x", "y", "z");
	put("model.safetensors.index.json", "not read");
	assert_int_equal(og_checkpoint_open(dir, &c, NULL), OG_OK);
	assert_string_equal(og_checkpoint_format(c), "safetensors");
	assert_int_equal(og_checkpoint_count(c), 3);
	assert_int_equal(og_checkpoint_files(c, &paths), 1);
	assert_string_equal(paths[0], in_dir("model.safetensors"));
	assert_string_equal(og_checkpoint_metadata(c, &n)[0].value, "x");
	assert_int_equal(n, 1);
	for (size_t i = 0; (t = og_checkpoint_next(c, &i));)
		seen++;
	assert_int_equal(seen, 3);
	assert_ptr_equal(og_checkpoint_find(c, "y"), og_checkpoint_at(c, 1));
	assert_null(og_checkpoint_find(c, "w"));
	assert_null(og_checkpoint_at(c, 3));
	t = og_checkpoint_find(c, "z");
	assert_int_equal(og_source_read(t->source, t->offset, &byte, 1, NULL), OG_OK);
	assert_int_equal(byte, 'C');
}

static void test_checkpoint__no_tensors_at_all(void **state)
{
	(void)state;
	og_auto(og_checkpoint) *c = NULL;
	assert_int_equal(og_file_write(in_dir("model.safetensors"), "\x02\0\0\0\0\0\0\0{}", 10, NULL), OG_OK);
	assert_int_equal(og_checkpoint_open(dir, &c, NULL), OG_OK);
	assert_int_equal(og_checkpoint_count(c), 0);
	assert_null(og_checkpoint_find(c, "x"));
}

static void test_checkpoint__shards(void **state)
{
	(void)state;
	const char *const *paths;
	uint8_t byte;
	og_auto(og_checkpoint) *c = NULL, *same = NULL;
	put_shards();
	put_index("{\"c\": \"" BOTH "\", \"a\": \"" ONE "\", \"b\": \"" ONE "\"}");
	assert_int_equal(og_checkpoint_open(dir, &c, NULL), OG_OK);
	assert_string_equal(og_checkpoint_format(c), "safetensors (sharded)");
	assert_int_equal(og_checkpoint_files(c, &paths), 2);
	assert_true(og_ends_with(paths[0], ONE) && og_ends_with(paths[1], BOTH));
	assert_int_equal(og_checkpoint_count(c), 4);
	assert_string_equal(og_checkpoint_at(c, 2)->name, "c");
	const og_tensor *t = og_checkpoint_find(c, "extra"); /* not listed, and kept */
	assert_int_equal(og_source_read(t->source, t->offset, &byte, 1, NULL), OG_OK);
	assert_int_equal(byte, 'B');
	assert_int_equal(og_checkpoint_open_file(in_dir("model.safetensors.index.json"), &same, NULL), OG_OK);
	assert_int_equal(og_checkpoint_count(same), 4);
}

static void test_checkpoint__shard_names_are_sorted_and_distinct(void **state)
{
	(void)state;
	const char **names = NULL;
	size_t n = 0;
	og_auto(og_arena) *arena = og_arena_new();
	put_index("{\"z\": \"sub/s-2\", \"a\": \"s-3\", \"b\": \"s-1\", \"c\": \"s-3\"}");
	assert_int_equal(og_shard_names(in_dir("model.safetensors.index.json"), arena, &names, &n, NULL), OG_OK);
	assert_int_equal(n, 3);
	assert_string_equal(names[0], "s-1");
	assert_string_equal(names[1], "s-3");
	assert_string_equal(names[2], "sub/s-2");
}

static void test_checkpoint__promises_that_do_not_hold(void **state)
{
	(void)state;
	put_shards();
	put_index("{\"a\": \"" ONE "\", \"nowhere\": \"" BOTH "\"}");
	refuse(ONNXGATE_FORMAT, "tensor \"nowhere\": expected in " BOTH ", found in no shard");
	put_index("{\"a\": \"" ONE "\", \"b\": \"" BOTH "\"}");
	refuse(ONNXGATE_FORMAT, "tensor \"b\": expected in " BOTH ", found in " ONE);
	put_index("{\"a\": \"" ONE "\", \"c\": \"model-00003.safetensors\"}");
	refuse(ONNXGATE_NOT_FOUND, "shard model-00003.safetensors of 2 is listed and absent");
	TENSORS(BOTH, "c", "a");
	put_index("{\"a\": \"" ONE "\", \"c\": \"" BOTH "\"}");
	refuse(ONNXGATE_FORMAT, "tensor \"a\": expected it in one file, found it also in");
	put(BOTH, "version https://git-lfs.github.com/spec/v1\n");
	refuse(ONNXGATE_UNSUPPORTED, "git-LFS pointer");
}

static void test_checkpoint__malformed_indexes(void **state)
{
	(void)state;
	put_shards();
	put_index("{}");
	refuse(ONNXGATE_FORMAT, "expected a weight_map that lists tensors, found none");
	put_index("[]");
	refuse(ONNXGATE_FORMAT, "expected an object of file names as weight_map");
	put_index("{\"a\": 1}");
	refuse(ONNXGATE_FORMAT, "tensor \"a\": expected the name of a file");
	put_index("{\"a\": \"" ONE "\", \"a\": \"" ONE "\"}");
	refuse(ONNXGATE_FORMAT, "tensor \"a\": is listed a second time at offset");
	put_index("{\"a\": \"" ONE "\"}, \"weight_map\": {\"b\": \"" ONE "\"}");
	refuse(ONNXGATE_FORMAT, "weight_map is given a second time");
	put_index("{\"a\": \"" ONE "\"");
	refuse(ONNXGATE_FORMAT, "found the end");
	put("model.safetensors.index.json", "[1]");
	refuse(ONNXGATE_FORMAT, "expected an object with a weight_map");
	put("model.safetensors.index.json", "");
	refuse(ONNXGATE_FORMAT, "expected a value, found the end");
}

static void test_checkpoint__file_names_that_lead_out_are_unsafe(void **state)
{
	(void)state;
	static const char *const names[] = { "../x.safetensors", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\\\\b", "a\\u0000b", "a\\nb" };
	for (size_t i = 0; i < OG_COUNT(names); i++) {
		char map[100];
		snprintf(map, sizeof(map), "{\"a\": \"%s\"}", names[i]);
		put_index(map);
		refuse(ONNXGATE_UNSAFE, "tensor \"a\": its file name");
	}
}

static void test_checkpoint__folders_without_weights(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_checkpoint *c = NULL;
	put("config.json", "{}");
	refuse(ONNXGATE_NOT_FOUND, "no weights: looked for model.safetensors, pytorch_model.bin and their .index.json");
	put("training_args.bin", "x");
	refuse(ONNXGATE_NOT_FOUND, "no weights: looked for");
	put("tf_model.h5", "x");
	refuse(ONNXGATE_UNSUPPORTED, "found only tf_model.h5, which is not read");
	assert_int_equal(og_checkpoint_open(dir, &c, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.hint, "safe_serialization=True"));
	put("model-00001-of-00002.safetensors", "x");
	refuse(ONNXGATE_NOT_FOUND, "model-00001-of-00002.safetensors is a part of a checkpoint, and its index is absent");
	unlink(in_dir("model-00001-of-00002.safetensors"));
	put("net.pt", "x");
	refuse(ONNXGATE_UNSUPPORTED, "net.pt: expected weights");
	put("other.safetensors", "");
	refuse(ONNXGATE_UNSUPPORTED, "several files of weights, other.safetensors among them");
	assert_int_equal(og_checkpoint_open(dir, &c, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.hint, "keep one of them"));
	put("pytorch_model.bin", "PK\x03\x04");
	refuse(ONNXGATE_FORMAT, "pytorch_model.bin: ");
	unlink(in_dir("pytorch_model.bin"));
	mkdir(in_dir("model.safetensors"), 0777);
	refuse(ONNXGATE_FORMAT, "model.safetensors");
	assert_int_equal(og_checkpoint_open(in_dir("absent"), &c, &err), ONNXGATE_NOT_FOUND);
	assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
	assert_int_equal(og_checkpoint_open_file(in_dir("pipe"), &c, &err), ONNXGATE_FORMAT);
}

static void test_checkpoint__pytorch_shards(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_checkpoint *opened = NULL;
	assert_int_equal(og_file_copy(OG_TESTS "/data/torch/one_tensor.bin", in_dir("pytorch_model-00001-of-00002.bin"), NULL), OG_OK);
	assert_int_equal(og_file_copy(OG_TESTS "/data/torch/trainer.ckpt", in_dir("pytorch_model-00002-of-00002.bin"), NULL), OG_OK);
	put("pytorch_model.bin.index.json", "{\"weight_map\":{\"tensor\":\"pytorch_model-00001-of-00002.bin\","
		"\"module.weight\":\"pytorch_model-00002-of-00002.bin\"}}");
	if (og_checkpoint_open(dir, &opened, &err) != OG_OK)
		fail_msg("%s", err.message);
	og_auto(og_checkpoint) *c = opened;
	assert_string_equal(og_checkpoint_format(c), "torch_zip (sharded)");
	assert_int_equal(og_checkpoint_count(c), 3); /* "module.bias", which the index does not list, too */
	assert_non_null(og_checkpoint_find(c, "module.weight"));
	put("pytorch_model.bin.index.json", "{\"weight_map\":{\"module.weight\":\"pytorch_model-00001-of-00002.bin\","
		"\"module.bias\":\"pytorch_model-00002-of-00002.bin\"}}");
	refuse(ONNXGATE_FORMAT, "tensor \"module.weight\": expected in pytorch_model-00001-of-00002.bin, found in pytorch_model-00002-of-00002.bin");
}

static void test_checkpoint__choice_follows_from_pretrained(void **state)
{
	(void)state;
	const char *const all[] = { "config.json", "model.safetensors.index.json", "model.safetensors", "pytorch_model.bin" };
	og_weights_choice c = og_weights_choose(all, 4);
	assert_string_equal(c.single, "model.safetensors");
	assert_null(c.index);
	c = og_weights_choose(all, 2);
	assert_null(c.single);
	assert_string_equal(c.index, "model.safetensors.index.json");
	c = og_weights_choose(all + 3, 1);
	assert_string_equal(c.single, "pytorch_model.bin");
	const char *const shards[] = { "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json" };
	c = og_weights_choose(shards, 2);
	assert_null(c.single);
	assert_string_equal(c.index, "pytorch_model.bin.index.json");
	c = og_weights_choose(shards, 1);
	assert_null(c.single);
	assert_null(c.index);
	const char *const odd[] = { "training_args.bin", "adapter_model.safetensors", "sub/other.pt", "consolidated.00.pth", "second.pt" };
	assert_null(og_weights_choose(odd, 3).single);
	assert_string_equal(og_weights_choose(odd, 4).single, "consolidated.00.pth");
	assert_null(og_weights_choose(odd, 5).single);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(test_checkpoint__one_file),
		T(test_checkpoint__no_tensors_at_all),
		T(test_checkpoint__shards),
		T(test_checkpoint__shard_names_are_sorted_and_distinct),
		T(test_checkpoint__promises_that_do_not_hold),
		T(test_checkpoint__malformed_indexes),
		T(test_checkpoint__file_names_that_lead_out_are_unsafe),
		T(test_checkpoint__folders_without_weights),
		T(test_checkpoint__pytorch_shards),
		T(test_checkpoint__choice_follows_from_pretrained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
