/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the files of a sentence-transformers model beside a small BERT, one file a line: modules.json, sentence_bert_config.json,
 * then the configs of the folders "1", "2", …. What is read is described, without weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dir.h"
#include "base/file.h"
#include "base/path.h"
#include "convert/convert_int.h"

#define FOLDERS 4
#define BERT "{\"model_type\":\"bert\",\"architectures\":[\"BertModel\"],\"vocab_size\":11,\"hidden_size\":4,\"num_attention_heads\":2," \
	"\"num_hidden_layers\":1,\"intermediate_size\":6,\"max_position_embeddings\":8}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *dir; /* of the model, as long as the program runs */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void remove_dir(void)
{
	og_error err;
	must(og_remove_tree(dir, &err) == OG_OK);
}

static void put(const char *folder, const char *name, const void *p, size_t n)
{
	og_autofree char *place = og_path_join(dir, folder), *path = place ? og_path_join(place, name) : NULL;
	must(path && og_mkdirs(place, NULL) == OG_OK);
	FILE *f = fopen(path, "wb"); /* og_file_write() waits for the disk */
	must(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

static void begin(void)
{
	if (dir)
		return;
	must(og_dir_new(og_dir_exists("/dev/shm") ? "/dev/shm/onnxgate-modules" : "/tmp/onnxgate-modules", &dir, NULL) == OG_OK && !atexit(remove_dir));
	put("", "config.json", BERT, strlen(BERT));
}

/* The line that begins at *p, and *p behind it; at the end lines are empty. */
static size_t line(const uint8_t **p, const uint8_t *end, const uint8_t **out)
{
	const uint8_t *stop = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;
	*out = *p;
	stop = stop ? stop : end;
	*p = stop < end ? stop + 1 : end;
	return (size_t)(stop - *out);
}

static void said_why(og_status s, const og_error *err)
{
	must(s == ONNXGATE_FORMAT || s == ONNXGATE_UNSUPPORTED || s == ONNXGATE_MISMATCH || s == ONNXGATE_CONVERSION || s == ONNXGATE_NOT_FOUND ||
		s == ONNXGATE_UNSAFE);
	must(err->status == s && err->message[0] && !strchr(err->message, '\n') && !strchr(err->hint, '\n'));
}

static void check_plan(const og_plan *p)
{
	const og_plan_inner *in = p->inner;
	must(in->nmodules == p->nmodules);
	for (size_t i = 0; i < in->nmodules; i++) {
		const og_module *m = &in->modules[i];
		must(m->path && m->path[0] && m->nmodes <= OG_POOL_MODES_MAX && (m->kind == OG_MODULE_POOLING) == (m->nmodes > 0));
		must(m->in >= 0 && m->in <= OG_DIM_MAX && m->out >= 0 && m->out <= OG_DIM_MAX);
	}
	for (size_t i = 0; i < p->nnotes; i++)
		must(p->notes[i] && p->notes[i][0]);
}

static void read_all(og_arena *a)
{
	og_error err = { 0 };
	og_plan *p = NULL;
	og_ledger *l = NULL;
	og_model **models;
	const char **names;
	size_t n;
	must(og_convert_module_folders(dir, a, &names, &n, NULL) == OG_OK);
	for (size_t i = 0; i < n; i++)
		must(og_path_safe(names[i]));
	og_status s = og_convert_plan(dir, &(og_convert_options){ 0 }, a, &p, &err);
	if (s == OG_OK) {
		const og_plan_inner *in = p->inner;
		check_plan(p);
		s = og_ledger_new(a, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, &err);
	}
	if (s == OG_OK)
		s = og_describe_files(p, l, a, &models, &n, &err);
	if (s != OG_OK)
		said_why(s, &err);
	else
		must(n == 1 && models[0]->main->noutputs == (p->nmodules ? 2 : 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size, *text;
	og_auto(og_arena) *a = og_arena_new();
	size_t n;
	if (!a || size > OG_CONFIG_BYTES_MAX)
		return 0;
	begin();
	n = line(&p, end, &text);
	put("", "modules.json", text, n);
	n = line(&p, end, &text);
	put("", "sentence_bert_config.json", n ? (const void *)text : "{}", n ? n : 2);
	for (int i = 0; i < FOLDERS; i++) {
		const char name[] = { (char)('1' + i), '\0' };
		n = line(&p, end, &text);
		put(name, "config.json", text, n);
	}
	read_all(a);
	return 0;
}
