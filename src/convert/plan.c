/* SPDX-License-Identifier: Apache-2.0
 *
 * What would be done with a folder: architecture, task, dtype, and the config understood or refused. */
#include "convert/convert_int.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/lower.h"

static og_status check_options(const og_convert_options *o, og_plan *p, og_error *err)
{
	p->dtype = o->dtype ? o->dtype : "fp32";
	p->layout = o->layout ? o->layout : "optimum";
	p->opset = o->opset ? o->opset : OG_OPSET_DEFAULT;
	const char *external = o->external_data ? o->external_data : "auto";
	bool half = og_streq(p->dtype, "fp16") || og_streq(p->dtype, "float16");
	if (!half && !og_streq(p->dtype, "fp32") && !og_streq(p->dtype, "float32"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "dtype %.40s is not done; fp32 and fp16 are", p->dtype);
	if (o->half_io && !half)
		return og_fail(err, ONNXGATE_INVALID, "fp16-io: expected dtype fp16 beside it, found %.40s", p->dtype);
	p->dtype = half ? "fp16" : "fp32";
	p->half_io = o->half_io;
	if (!og_streq(p->layout, "optimum") && !og_streq(p->layout, "transformersjs"))
		return og_fail(err, ONNXGATE_INVALID, "layout: expected optimum or transformersjs, found %.40s", p->layout);
	if (!og_streq(external, "auto") && !og_streq(external, "always") && !og_streq(external, "never"))
		return og_fail(err, ONNXGATE_INVALID, "external data: expected auto, always or never, found %.40s", external);
	if (p->opset < OG_OPSET_MIN || p->opset > OG_OPSET_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "opset: expected %d to %d, found %d", OG_OPSET_MIN, OG_OPSET_MAX, p->opset);
	return OG_OK;
}

/* transformers.js keeps models in a folder, and tells a dtype from the file's name. */
const char *og_plan_path(const og_plan *p, const og_file *f, og_arena *arena)
{
	if (!og_streq(p->layout, "transformersjs"))
		return og_arena_strdup(arena, f->name);
	const char *dot = strrchr(f->name, '.');
	return og_arena_printf(arena, "onnx/%.*s%s%s", (int)(dot - f->name), f->name, og_streq(p->dtype, "fp16") ? "_fp16" : "", dot);
}

/* The class's own files, or the others that were asked for. */
static og_status choose_files(const char *variant, const char *model_type, og_plan_inner *in, og_error *err)
{
	in->files = in->head->files;
	if (!variant)
		return OG_OK;
	for (const og_variant *v = in->head->variants; v && v->name; v++) {
		in->files = v->files;
		if (og_streq(v->name, variant))
			return OG_OK;
	}
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "--%s: %s of %s has no such files", variant, in->head->class_name, model_type);
	og_error_hint(err, "without --%s it is converted to its own; onnxgate archs lists which classes have others", variant);
	return s;
}

og_input_facts og_convert_facts(const og_json *doc)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_plan *p;
	bool planned = arena && og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, arena, &p, NULL) == OG_OK;
	return planned ? p->facts : og_config_facts(doc);
}

/* A task that was asked for and that no class speaks for or against: the weights decide, which are checked when they are read. */
static og_status note_task(og_plan *p, og_arena *arena, og_error *err)
{
	const og_plan_inner *in = p->inner;
	if (!in->task_asked || (in->class_named && og_arch_of_class(p->architecture)))
		return OG_OK;
	return og_plan_note(p, arena, in->class_named
		? og_arena_printf(arena, "the class %s is not known; the base model of %s is converted", p->architecture, p->model_type)
		: og_arena_printf(arena, "config.json names no class: the tensors are taken for those of %s", in->head->class_name), err);
}

og_status og_plan_make(const og_json *doc, bool sentence_transformers, const og_checkpoint *c, const og_convert_options *o, og_arena *arena,
	og_plan **out, og_error *err)
{
	og_plan *p = og_arena_alloc(arena, sizeof(*p));
	og_plan_inner *in = og_arena_alloc(arena, sizeof(*in));
	if (!p || !in)
		return og_fail_nomem(err);
	p->inner = in;
	OG_TRY(check_options(o, p, err));
	if (!json_object_is_type(doc, json_type_object))
		return og_fail(err, ONNXGATE_FORMAT, "config.json: expected an object");
	OG_TRY(og_decide_arch(doc, c, o->type, arena, p, err));
	OG_TRY(og_choose_head(in->arch, doc, o->task, sentence_transformers, arena, &in->head, &p->architecture, &p->task_reason, err));
	OG_TRY(og_config_refusals(doc, in->head->class_name, err));
	if (p->architecture) /* its base model is asked for, which that code may compute otherwise */
		OG_TRY(og_config_refusals(doc, p->architecture, err));
	og_unknown_keys unknown;
	in->config = og_arena_alloc(arena, in->arch->config_size);
	if (!in->config)
		return og_fail_nomem(err);
	OG_TRY(og_config_read(doc, in->arch->fields, in->arch->inert, in->config, arena, &unknown, err));
	p->unknown_keys = unknown.keys;
	p->nunknown_keys = unknown.n;
	p->task = in->head->task;
	in->labels = og_config_said_labels(doc);
	in->class_named = p->architecture;
	in->task_asked = o->task;
	OG_TRY(note_task(p, arena, err));
	p->architecture = p->architecture ? p->architecture : in->head->class_name;
	p->revision = in->arch->revision;
	p->variant = o->variant;
	OG_TRY(choose_files(o->variant, p->model_type, in, err));
	const og_file *f = in->files;
	p->main_file = f[1].name ? NULL : og_plan_path(p, f, arena);
	if (!f[1].name && !p->main_file)
		return og_fail_nomem(err);
	p->facts = og_config_facts(doc);
	if (in->arch->facts)
		in->arch->facts(in->config, p->task, &p->facts);
	if (p->facts.padding_counts)
		OG_TRY(og_plan_note(p, arena, og_arena_printf(arena,
			"%s: padding counts, as in the reference: what a row gives depends on the longest beside it", p->facts.padding_counts), err));
	*out = p;
	return OG_OK;
}

static bool has(const char *dir, const char *name)
{
	og_autofree char *path = og_path_join(dir, name);
	return path && og_file_exists(path);
}

og_status og_config_open(const char *dir, og_json **doc, og_error *err)
{
	og_autofree char *path = og_path_join(dir, "config.json");
	return path ? og_json_read(path, OG_CONFIG_BYTES_MAX, doc, err) : og_fail_nomem(err);
}

/* A task that was asked for and takes another head is the transformer's alone. */
static og_status add_modules(const char *dir, og_plan *p, og_arena *arena, og_error *err)
{
	const og_plan_inner *in = p->inner;
	if (!og_streq(in->head->task, OG_TASK_FEATURES))
		return OG_OK;
	if (in->files[0].describe != og_text_features) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "modules.json: modules on %s are not done", p->model_type);
		og_error_hint(err, "--plain converts %s alone", p->model_type);
		return s;
	}
	OG_TRY(og_modules_read(dir, p, arena, err));
	p->nmodules = in->nmodules;
	p->task_reason = "modules.json makes it a sentence-transformers model";
	return OG_OK;
}

og_status og_convert_plan(const char *dir, const og_convert_options *o, og_arena *arena, og_plan **out, og_error *err)
{
	og_auto(og_json) *doc = NULL;
	og_auto(og_checkpoint) *c = NULL;
	bool needs = false;
	if (has(dir, "adapter_config.json"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: adapter_config.json: adapters are not merged; merge them into the model first", dir);
	OG_TRY(og_config_open(dir, &doc, err));
	if (json_object_is_type(doc, json_type_object))
		OG_TRY(og_convert_needs_names(dir, o, &needs, err));
	/* NOT_FOUND: of a repository perhaps only the small files are here as yet; the plan says what it lacks. */
	og_status s = needs ? og_checkpoint_open(dir, &c, err) : OG_OK;
	if (s != OG_OK && s != ONNXGATE_NOT_FOUND)
		return s;
	bool sentence = has(dir, "modules.json") && !og_convert_is_cross_encoder(dir);
	OG_TRY(og_plan_make(doc, sentence, c, o, arena, out, err));
	return sentence && !o->plain ? add_modules(dir, *out, arena, err) : OG_OK;
}
