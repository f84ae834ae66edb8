/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as config.json, for every architecture that is done: planned as it stands and with the type and each task asked for,
 * described without weights, and against a checkpoint of the tensors that a small config of that architecture has. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "convert/convert_int.h"

#define SIZE 4          /* the dims of the small config */
#define LAYERS 2        /* its layers */
#define HEADS 2         /* its heads, each of two elements: some turn them in pairs */
#define DESCRIBED_MAX 6 /* layers that a config may have for its description to be worth the time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void said_why(og_status s, const og_error *err)
{
	must(s == ONNXGATE_FORMAT || s == ONNXGATE_UNSUPPORTED || s == ONNXGATE_MISMATCH || s == ONNXGATE_CONVERSION);
	must(err->status == s && err->message[0] && !strchr(err->message, '\n') && !strchr(err->hint, '\n'));
}

static og_status describe(const og_plan *p, const og_checkpoint *c, og_arena *a, og_ledger **l, og_error *err)
{
	const og_plan_inner *in = p->inner;
	og_model **models;
	size_t n;
	OG_TRY(og_ledger_new(a, c, in->arch->base_prefix, in->arch->fields, in->config, l, err));
	OG_TRY(og_describe_files(p, *l, a, &models, &n, err));
	must(n && models);
	return OG_OK;
}

/* ---- a checkpoint of each architecture ---- */

/* MPNet sorts distances into 32 buckets whatever its config says, and refuses a table of fewer rows; T5 wants distances that fill its buckets. */
static bool cannot_be_small(const og_field *f)
{
	return !strcmp(f->key, "relative_attention_num_buckets") || !strcmp(f->key, "relative_attention_max_distance");
}

/* A key with a dot stands in the document of the name before it. */
static void set_size(og_json *doc, const char *key, int v)
{
	const char *dot = strchr(key, '.');
	if (!dot) {
		og_json_set_i64(doc, key, v);
		return;
	}
	char *section = strndup(key, (size_t)(dot - key));
	must(section);
	og_json *inner = og_json_get(doc, section);
	if (!inner)
		og_json_set(doc, section, inner = json_object_new_object());
	set_size(inner, dot + 1, v);
	free(section);
}

/* What has a small default keeps it. */
static og_json *small_config(const og_arch *arch)
{
	og_json *doc = json_object_new_object();
	must(doc);
	og_json_set_str(doc, "model_type", arch->model_type);
	for (const og_field *f = arch->fields; f->kind != OG_FIELD_END; f++) {
		int v = f->max == OG_LAYERS_MAX ? LAYERS : strstr(f->key, "heads") ? HEADS : SIZE;
		if (f->kind == OG_FIELD_DIM && (!f->optional || f->whole > v) && !cannot_be_small(f))
			set_size(doc, f->key, v);
		if (f->kind == OG_FIELD_DIMS) {
			og_json *list = json_object_new_array();
			must(list && json_object_array_add(list, json_object_new_int(v)) == 0);
			og_json_set(doc, f->key, list);
		}
	}
	return doc;
}

static void add_claims(const og_ledger *l, og_buf *header, og_buf *data)
{
	size_t n;
	const og_claim *c = og_ledger_claims(l, &n);
	char shape[400];
	for (size_t i = 0; i < n; i++) {
		size_t begin = data->n, bytes = 4;
		og_dims_show(c[i].dims, c[i].rank, shape, sizeof(shape));
		for (int k = 0; k < c[i].rank; k++)
			bytes *= (size_t)c[i].dims[k];
		for (size_t k = 0; k < bytes; k++)
			og_buf_byte(data, 0);
		og_buf_printf(header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", header->n > 1 ? "," : "", c[i].name, shape, begin,
			data->n);
	}
}

static og_status open_bytes(void *arg, const char *path, og_source **out, og_error *err)
{
	const og_buf *b = arg;
	return og_source_memory(path, b->p, b->n, out, err);
}

static og_checkpoint *small_checkpoint(const og_arch *arch)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_json) *doc = small_config(arch);
	og_auto_buf header, data, file;
	og_checkpoint *c = NULL;
	og_plan *p;
	og_ledger *l;
	uint64_t n;
	og_buf_init(&header, 1 << 20);
	og_buf_init(&data, 1 << 24);
	og_buf_init(&file, 1 << 25);
	must(a && og_plan_make(doc, false, NULL, &(og_convert_options){ .task = OG_TASK_FEATURES }, a, &p, NULL) == OG_OK);
	must(describe(p, NULL, a, &l, NULL) == OG_OK);
	og_buf_str(&header, "{");
	add_claims(l, &header, &data);
	og_buf_str(&header, "}");
	n = header.n;
	og_buf_add(&file, &n, 8);
	og_buf_add(&file, header.p, header.n);
	og_buf_add(&file, data.p, data.n);
	must(!file.failed && og_checkpoint_open_with(&(og_opener){ open_bytes, &file }, "small.safetensors", &c, NULL) == OG_OK);
	return c;
}

/* Made once. */
static const og_checkpoint *checkpoint_of(size_t i)
{
	static og_checkpoint *known[64];
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	must(n <= OG_COUNT(known));
	if (!known[i])
		known[i] = small_checkpoint(all[i]);
	return known[i];
}

/* ---- one plan ---- */

static bool worth_describing(const og_plan_inner *in)
{
	for (const og_field *f = in->arch->fields; f->kind != OG_FIELD_END; f++) {
		int64_t v;
		if (f->kind != OG_FIELD_DIM || f->max != OG_LAYERS_MAX)
			continue;
		memcpy(&v, (const uint8_t *)in->config + f->at, sizeof(v));
		if (v > DESCRIBED_MAX)
			return false;
	}
	return true;
}

/* What a family reads by itself lies elsewhere each time. */
static bool is_flat(const og_arch *arch)
{
	bool flat = true;
	for (const og_field *f = arch->fields; f->kind != OG_FIELD_END; f++)
		flat = flat && f->kind != OG_FIELD_READ;
	return flat;
}

static void check_plan(const og_json *doc, const og_plan *p, og_arena *a)
{
	const og_plan_inner *in = p->inner;
	og_unknown_keys unknown = { 0 };
	must(p->model_type && p->architecture && p->task && p->task_reason && p->dtype && p->layout && in->arch && in->head);
	void *again = og_arena_alloc(a, in->arch->config_size);
	must(!again || og_config_read(doc, in->arch->fields, in->arch->inert, again, a, &unknown, NULL) == OG_OK);
	must(!again || !is_flat(in->arch) || !memcmp(again, in->config, in->arch->config_size));
	must(!again || unknown.n == p->nunknown_keys);
	for (size_t i = 0; i < unknown.n; i++)
		must(unknown.keys[i] && p->unknown_keys[i] && !strcmp(unknown.keys[i], p->unknown_keys[i]));
	for (size_t i = 0; i < p->nnotes; i++)
		must(p->notes[i] && p->notes[i][0]);
}

/* As a conversion does it, up to the writing. */
static void against(const og_plan *p, const og_checkpoint *c, og_arena *a)
{
	const og_plan_inner *in = p->inner;
	og_error err = { 0 };
	og_ledger *l = NULL;
	og_ledger_report report;
	const char **notes = NULL, *tasks = NULL;
	size_t nnotes = 0;
	bool changed = false;
	og_status s = describe(p, c, a, &l, &err);
	if (s == OG_OK)
		s = og_check_family(p, l, c, &err);
	if (s == OG_OK)
		s = og_settle_sizes(p, c, l, a, &changed, &notes, &nnotes, &err);
	if (s == OG_OK && !in->class_named && !in->task_asked)
		s = og_other_tasks(p, c, a, &tasks, &err);
	if (s == OG_OK && changed)
		s = describe(p, c, a, &l, &err);
	if (s == OG_OK)
		s = og_ledger_check(l, in->arch->ignore, false, &report, &err);
	for (size_t i = 0; i < nnotes; i++)
		must(notes[i] && notes[i][0]);
	if (s != OG_OK)
		said_why(s, &err);
}

static void plan(const og_json *doc, const og_checkpoint *c, const char *type, const char *task, bool described)
{
	og_auto(og_arena) *a = og_arena_new();
	og_plan *p = NULL;
	og_ledger *l = NULL;
	og_error err = { 0 };
	if (!a)
		return;
	og_status s = og_plan_make(doc, false, c, &(og_convert_options){ .type = type, .task = task }, a, &p, &err);
	if (s != OG_OK) {
		said_why(s, &err);
		return;
	}
	check_plan(doc, p, a);
	if (!described || !worth_describing(p->inner))
		return;
	s = c ? OG_OK : describe(p, NULL, a, &l, &err);
	if (s != OG_OK)
		said_why(s, &err);
	if (c)
		against(p, c, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_json) *doc = NULL;
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	if (size > OG_CONFIG_BYTES_MAX || og_json_parse("config.json", data, size, &doc, NULL) != OG_OK)
		return 0;
	plan(doc, NULL, NULL, NULL, true);
	for (size_t i = 0; i < n; i++) {
		plan(doc, checkpoint_of(i), NULL, NULL, true);
		plan(doc, NULL, all[i]->model_type, OG_TASK_FEATURES, false);
		for (const og_head *h = all[i]->heads; h->class_name; h++)
			plan(doc, NULL, NULL, h->task, h == all[i]->heads);
	}
	return 0;
}
