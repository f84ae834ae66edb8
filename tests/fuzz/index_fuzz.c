/* SPDX-License-Identifier: Apache-2.0
 *
 * model.safetensors.index.json beside three small shards: which files it asks for, and whether it and they agree.  No name may lead
 * out, and what is opened holds what the index promises. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "model/checkpoint.h"

#define FOLDER "/nonexistent"
#define INDEX FOLDER "/model.safetensors.index.json"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct shard {
	const char *name, *header;
	size_t bytes;
} shards[] = {
	{ "model-00001-of-00002.safetensors",
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b.c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[2,3]}}", 3 },
	{ "model-00002-of-00002.safetensors", "{\"d\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]}}", 4 },
	{ "sub/again.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0 },
};

typedef struct input {
	const uint8_t *p;
	size_t n, asked;
} input;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static og_status open_shard(const struct shard *s, const char *path, og_source **out, og_error *err)
{
	uint8_t file[256] = { 0 };
	size_t n = strlen(s->header);
	must(8 + n + s->bytes <= sizeof(file) && n < 256);
	file[0] = (uint8_t)n;
	memcpy(file + 8, s->header, n);
	return og_source_memory(path, file, 8 + n + s->bytes, out, err);
}

static og_status open_any(void *arg, const char *path, og_source **out, og_error *err)
{
	input *in = arg;
	if (og_streq(path, INDEX))
		return og_source_memory(path, in->p, in->n, out, err);
	in->asked++;
	must(og_starts_with(path, FOLDER "/") && og_path_safe(path + strlen(FOLDER "/")));
	for (size_t i = 0; i < OG_COUNT(shards); i++)
		if (og_streq(path + strlen(FOLDER "/"), shards[i].name))
			return open_shard(&shards[i], path, out, err);
	return og_fail(err, ONNXGATE_NOT_FOUND, "%s: there is no such file", path);
}

static void said_why(og_status s, const og_error *err)
{
	must(s == ONNXGATE_FORMAT || s == ONNXGATE_UNSAFE);
	must(err->status == s && err->message[0] && !strchr(err->message, '\n'));
}

static void check_table(const og_checkpoint *c, size_t files)
{
	const char *const *paths;
	must(og_checkpoint_files(c, &paths) == files && og_checkpoint_count(c) <= 3);
	for (size_t i = 0; i < og_checkpoint_count(c); i++) {
		const og_tensor *t = og_checkpoint_at(c, i);
		must(og_checkpoint_find(c, t->name) == t && og_checkpoint_file_of(c, i) < files);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_checkpoint) *c = NULL;
	input in = { data, size, 0 };
	const og_opener how = { open_any, &in };
	og_error err = { 0 };
	const char **names = NULL;
	size_t n = 0;
	if (!a)
		return 0;
	og_status listed = og_shard_names_with(&how, INDEX, a, &names, &n, &err);
	must(!in.asked);
	if (listed != OG_OK)
		said_why(listed, &err);
	must(listed != OG_OK || n);
	for (size_t i = 0; i < n; i++)
		must(og_path_safe(names[i]) && (!i || strcmp(names[i - 1], names[i]) < 0));
	err = (og_error){ 0 };
	og_status s = og_checkpoint_open_with(&how, INDEX, &c, &err);
	must(listed == OG_OK || s == listed);
	if (s == OG_OK)
		check_table(c, n);
	else if (s != ONNXGATE_NOT_FOUND)
		said_why(s, &err);
	must(s != ONNXGATE_NOT_FOUND || in.asked);
	return 0;
}
