/* SPDX-License-Identifier: Apache-2.0
 *
 * What would be done with a folder: architecture, task, dtype, and the config understood or refused. */
#include "convert/convert_int.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/lower.h"

static og_status find_arch(const char *model_type, const og_arch **out, og_error *err)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	*out = og_arch_find(model_type);
	if (*out)
		return OG_OK;
	char shown[64];
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "architecture %s is not done", og_str_show(og_str_of(model_type), shown, sizeof(shown)));
	og_error_hint(err, "onnxgate archs lists what is done (%zu: %s%s)", n, all[0]->model_type, n > 1 ? ", …" : "");
	return s;
}

static og_status model_type_of(const og_json *doc, const char *expected, og_arena *arena, const char **out, og_error *err)
{
	const og_json *given = og_json_get(doc, "model_type");
	const char *type = og_json_str(doc, "model_type", NULL);
	if ((given && !type) || (type && !*type))
		return og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: expected a name, found %.60s", json_object_to_json_string((og_json *)(uintptr_t)given));
	if (!type && !expected) {
		og_status s = og_fail(err, ONNXGATE_FORMAT, "config.json: model_type: missing");
		og_error_hint(err, "--type names it");
		return s;
	}
	if (type && expected && !og_streq(type, expected))
		return og_fail(err, ONNXGATE_MISMATCH, "config.json: model_type: expected %s, found %.60s", expected, type);
	*out = og_arena_strdup(arena, type ? type : expected);
	return *out ? OG_OK : og_fail_nomem(err);
}

static og_status check_options(const og_convert_options *o, og_plan *p, og_error *err)
{
	p->dtype = o->dtype ? o->dtype : "fp32";
	p->layout = o->layout ? o->layout : "optimum";
	p->opset = o->opset ? o->opset : OG_OPSET_DEFAULT;
	const char *external = o->external_data ? o->external_data : "auto";
	if (!og_streq(p->dtype, "fp32") && !og_streq(p->dtype, "float32"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "dtype %.40s is not done; fp32 is", p->dtype);
	p->dtype = "fp32";
	if (!og_streq(p->layout, "optimum") && !og_streq(p->layout, "transformersjs"))
		return og_fail(err, ONNXGATE_INVALID, "layout: expected optimum or transformersjs, found %.40s", p->layout);
	if (!og_streq(external, "auto") && !og_streq(external, "always") && !og_streq(external, "never"))
		return og_fail(err, ONNXGATE_INVALID, "external data: expected auto, always or never, found %.40s", external);
	if (p->opset < OG_OPSET_MIN || p->opset > OG_OPSET_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "opset: expected %d to %d, found %d", OG_OPSET_MIN, OG_OPSET_MAX, p->opset);
	return OG_OK;
}

/* Facts for made-up inputs, from keys that every family spells alike. */
static void note_facts(const og_json *doc, og_plan *p)
{
	p->vocab_size = og_json_i64(doc, "vocab_size", 0);
	p->type_vocab_size = og_json_i64(doc, "type_vocab_size", 0);
	p->max_positions = og_json_i64(doc, "max_position_embeddings", 0);
	p->pad_token_id = og_json_i64(doc, "pad_token_id", -1);
}

og_status og_plan_make(const og_json *doc, bool sentence_transformers, const og_convert_options *o, og_arena *arena, og_plan **out, og_error *err)
{
	og_plan *p = og_arena_alloc(arena, sizeof(*p));
	og_plan_inner *in = og_arena_alloc(arena, sizeof(*in));
	if (!p || !in)
		return og_fail_nomem(err);
	p->inner = in;
	OG_TRY(check_options(o, p, err));
	OG_TRY(model_type_of(doc, o->type, arena, &p->model_type, err));
	OG_TRY(find_arch(p->model_type, &in->arch, err));
	OG_TRY(og_choose_head(in->arch, doc, o->task, sentence_transformers, arena, &in->head, &p->architecture, &p->task_reason, err));
	OG_TRY(og_config_refusals(doc, in->head->class_name, err));
	og_unknown_keys unknown;
	in->config = og_arena_alloc(arena, in->arch->config_size);
	if (!in->config)
		return og_fail_nomem(err);
	OG_TRY(og_config_read(doc, in->arch->fields, in->arch->inert, in->config, arena, &unknown, err));
	p->unknown_keys = unknown.keys;
	p->nunknown_keys = unknown.n;
	p->task = in->head->task;
	p->architecture = p->architecture ? p->architecture : in->head->class_name;
	p->revision = in->arch->revision;
	const og_file *f = in->head->files;
	p->main_file = f[1].name ? NULL : og_arena_printf(arena, "%s%s", og_streq(p->layout, "transformersjs") ? "onnx/" : "", f[0].name);
	if (!f[1].name && !p->main_file)
		return og_fail_nomem(err);
	note_facts(doc, p);
	*out = p;
	return OG_OK;
}

static bool has(const char *dir, const char *name)
{
	og_autofree char *path = og_path_join(dir, name);
	return path && og_file_exists(path);
}

og_status og_convert_plan(const char *dir, const og_convert_options *o, og_arena *arena, og_plan **out, og_error *err)
{
	og_autofree char *path = og_path_join(dir, "config.json");
	og_auto(og_json) *doc = NULL;
	if (!path)
		return og_fail_nomem(err);
	if (has(dir, "adapter_config.json"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: adapter_config.json: adapters are not merged; merge them into the model first", dir);
	OG_TRY(og_json_read(path, OG_CONFIG_BYTES_MAX, &doc, err));
	return og_plan_make(doc, has(dir, "modules.json"), o, arena, out, err);
}
