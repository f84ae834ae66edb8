/* SPDX-License-Identifier: Apache-2.0
 *
 * What `onnxgate archs` tells: the architectures with their tasks and classes, or the tensors that a config asks for. */
#include "convert/convert_int.h"

#include "base/str.h"
#include "base/table.h"

#include <stdio.h>

static const char *names_of(const og_file *files, char *out, size_t cap)
{
	size_t n = 0;
	for (const og_file *f = files; f->name && n < cap; f++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? ", " : "", f->name);
	return out;
}

/* "--split: text_model.onnx, vision_model.onnx" */
static const char *variants_of(const og_variant *v, char *out, size_t cap)
{
	char names[256];
	size_t n = 0;
	for (out[0] = 0; v && v->name && n < cap; v++)
		n += (size_t)snprintf(out + n, cap - n, "%s--%s: %s", n ? "; " : "", v->name, names_of(v->files, names, sizeof(names)));
	return out;
}

static og_status list_heads(const char *model_type, onnxgate_table *t, og_error *err)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (model_type && !og_streq(all[i]->model_type, model_type))
			continue;
		for (const og_head *h = all[i]->heads; h->class_name; h++) {
			char files[256], variants[512];
			OG_TRY(og_table_row(t, (const char *const[]){ all[i]->model_type, h->task, h->class_name, names_of(h->files, files, sizeof(files)),
				variants_of(h->variants, variants, sizeof(variants)) }, err));
		}
	}
	return OG_OK;
}

static og_status list_tensors(const char *config, const char *model_type, const char *task, onnxgate_table *t, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_plan *p;
	og_ledger *l;
	og_model **models;
	size_t n;
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(og_json_read(config, OG_CONFIG_BYTES_MAX, &doc, err));
	OG_TRY(og_plan_make(doc, false, NULL, &(og_convert_options){ .type = model_type, .task = task }, arena, &p, err));
	const og_plan_inner *in = p->inner;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, &models, &n, err));
	const og_claim *c = og_ledger_claims(l, &n);
	for (size_t i = 0; i < n; i++) {
		char shape[256];
		OG_TRY(og_table_row(t, (const char *const[]){ c[i].name, og_dims_show(c[i].dims, c[i].rank, shape, sizeof(shape)), p->task }, err));
	}
	return OG_OK;
}

og_status og_convert_archs(const char *model_type, const char *config, const char *task, onnxgate_table **out, og_error *err)
{
	static const char *const head_columns[] = { "model_type", "task", "class", "files", "on_request" }, *const tensor_columns[] = { "tensor", "shape", "task" };
	if (model_type && !og_arch_find(model_type)) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "architecture %.60s is not done", model_type);
		og_error_hint(err, "onnxgate archs lists what is done");
		return s;
	}
	og_auto_table *t = NULL;
	const char *const *columns = config ? tensor_columns : head_columns;
	OG_TRY(og_table_new("archs", columns, config ? OG_COUNT(tensor_columns) : OG_COUNT(head_columns), &t, err));
	OG_TRY(config ? list_tensors(config, model_type, task, t, err) : list_heads(model_type, t, err));
	*out = og_steal(&t);
	return OG_OK;
}
