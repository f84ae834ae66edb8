/* SPDX-License-Identifier: Apache-2.0
 *
 * The modules of a sentence-transformers model: modules.json lists them in order, each with its folder, where its config.json is
 * and what it has learned.  What is not known is refused by name: a module that is left out gives other embeddings. */
#include "convert/convert_int.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"

#include <stdio.h>

typedef struct reading {
	const char *dir, *path; /* of the model; of the module below it */
	og_json *config;        /* of the module; NULL: it needs none */
	og_plan *plan;
	og_arena *arena;
	og_error *err;
} reading;

static og_status refuse(reading *r, const char *what)
{
	og_status s = og_fail(r->err, ONNXGATE_UNSUPPORTED, "%s/config.json: %s", r->path, what ? what : "?");
	og_error_hint(r->err, "--plain converts the transformer alone");
	return s;
}

/* Every key of the config is one of these: a list of words. */
static og_status only_keys(reading *r, const char *known)
{
	og_autofree char *list = og_alloc(strlen(known) + 3);
	if (!list)
		return og_fail_nomem(r->err);
	snprintf(list, strlen(known) + 3, " %s ", known);
	json_object_object_foreach(r->config, key, value) {
		og_autofree char *word = og_alloc(strlen(key) + 3);
		(void)value;
		if (!word)
			return og_fail_nomem(r->err);
		snprintf(word, strlen(key) + 3, " %s ", key);
		if (!strstr(list, word))
			return refuse(r, og_arena_printf(r->arena, "key %.60s is not understood", key));
	}
	return OG_OK;
}

/* Absent or null: the fallback; 0 as a fallback: it must be there. */
static og_status read_width(reading *r, const char *key, bool needed, int64_t *out)
{
	og_json *v = og_json_get(r->config, key);
	*out = 0;
	if (!v && !needed)
		return OG_OK;
	*out = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
	return *out >= 1 && *out <= OG_DIM_MAX ? OG_OK : og_fail(r->err, ONNXGATE_FORMAT, "%s/config.json: %s: expected 1 to %lld, found %.60s", r->path, key,
		(long long)OG_DIM_MAX, v ? json_object_to_json_string(v) : "nothing");
}

static og_status read_flag(reading *r, const char *key, bool fallback, bool *out)
{
	og_json *v = og_json_get(r->config, key);
	*out = fallback;
	if (!v)
		return OG_OK;
	if (!json_object_is_type(v, json_type_boolean))
		return og_fail(r->err, ONNXGATE_FORMAT, "%s/config.json: %s: expected true or false, found %.60s", r->path, key, json_object_to_json_string(v));
	*out = json_object_get_boolean(v);
	return OG_OK;
}

/* ---- pooling ---- */

static const struct {
	const char *key, *name; /* the key that says it alone in old files; in the order of their result */
} modes[] = {
	[OG_POOL_CLS] = { "pooling_mode_cls_token", "cls" },
	[OG_POOL_MAX] = { "pooling_mode_max_tokens", "max" },
	[OG_POOL_MEAN] = { "pooling_mode_mean_tokens", "mean" },
	[OG_POOL_MEAN_SQRT] = { "pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens" },
	[OG_POOL_WEIGHTED] = { "pooling_mode_weightedmean_tokens", "weightedmean" },
	[OG_POOL_LAST] = { "pooling_mode_lasttoken", "lasttoken" },
};

static og_status add_mode(reading *r, const og_json *v, og_module *m)
{
	const char *name = json_object_is_type(v, json_type_string) ? json_object_get_string((og_json *)(uintptr_t)v) : NULL;
	for (size_t i = 0; i < OG_COUNT(modes) && m->nmodes < OG_POOL_MODES_MAX; i++)
		if (og_streq(modes[i].name, name)) {
			m->modes[m->nmodes++] = (og_pool_mode)i;
			return OG_OK;
		}
	return refuse(r, og_arena_printf(r->arena, "pooling_mode: expected at most %d of %s, found %.60s", OG_POOL_MODES_MAX, OG_POOL_MODES,
		json_object_to_json_string((og_json *)(uintptr_t)v)));
}

static og_status read_modes(reading *r, og_module *m)
{
	og_json *v = og_json_get(r->config, "pooling_mode");
	if (v && !json_object_is_type(v, json_type_array))
		return add_mode(r, v, m);
	for (size_t i = 0; v && i < json_object_array_length(v); i++)
		OG_TRY(add_mode(r, json_object_array_get_idx(v, i), m));
	if (v)
		return m->nmodes ? OG_OK : refuse(r, "pooling_mode: expected a mode, found none");
	for (size_t i = 0; i < OG_COUNT(modes); i++) {
		bool on;
		OG_TRY(read_flag(r, modes[i].key, false, &on));
		if (on)
			m->modes[m->nmodes++] = (og_pool_mode)i;
	}
	if (!m->nmodes)
		m->modes[m->nmodes++] = OG_POOL_MEAN;
	return OG_OK;
}

static og_status read_pooling(reading *r, og_module *m)
{
	bool prompt, renamed = og_json_get(r->config, "embedding_dimension");
	OG_TRY(only_keys(r, "embedding_dimension word_embedding_dimension pooling_mode include_prompt pooling_mode_cls_token pooling_mode_max_tokens "
		"pooling_mode_mean_tokens pooling_mode_mean_sqrt_len_tokens pooling_mode_weightedmean_tokens pooling_mode_lasttoken"));
	OG_TRY(read_width(r, renamed ? "embedding_dimension" : "word_embedding_dimension", true, &m->in));
	OG_TRY(read_modes(r, m));
	OG_TRY(read_flag(r, "include_prompt", true, &prompt));
	return prompt ? OG_OK : og_plan_note(r->plan, r->arena, og_arena_printf(r->arena,
		"%s/config.json: include_prompt is false: the file is not told how long a prompt is, and pools its tokens too", r->path), r->err);
}

/* ---- dense, norm ---- */

/* Of torch.nn, by the last word of a dotted path. */
static const struct {
	const char *name;
	og_act_kind act;
} activations[] = {
	{ "GELU", OG_ACT_GELU }, { "Identity", OG_ACT_LINEAR }, { "LeakyReLU", OG_ACT_LEAKY_RELU }, { "Mish", OG_ACT_MISH }, { "ReLU", OG_ACT_RELU },
	{ "ReLU6", OG_ACT_RELU6 }, { "SiLU", OG_ACT_SILU }, { "Sigmoid", OG_ACT_SIGMOID }, { "Tanh", OG_ACT_TANH },
};

static og_status read_activation(reading *r, og_act_kind *out)
{
	og_json *v = NULL;
	bool given = json_object_object_get_ex(r->config, "activation_function", &v);
	const char *path = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "", *dot = strrchr(path, '.');
	*out = OG_ACT_TANH;
	for (size_t i = 0; given && i < OG_COUNT(activations); i++)
		if (dot && og_starts_with(path, "torch.nn.modules.") && og_streq(activations[i].name, dot + 1)) {
			*out = activations[i].act;
			return OG_OK;
		}
	return given ? refuse(r, og_arena_printf(r->arena, "activation_function %.80s is not done", json_object_to_json_string(v))) : OG_OK;
}

static og_status read_dense(reading *r, og_module *m)
{
	bool bias;
	OG_TRY(only_keys(r, "in_features out_features bias activation_function module_input_name module_output_name"));
	OG_TRY(read_width(r, "in_features", true, &m->in));
	OG_TRY(read_width(r, "out_features", true, &m->out));
	OG_TRY(read_flag(r, "bias", true, &bias));
	m->no_bias = !bias;
	OG_TRY(read_activation(r, &m->act));
	const char *from = og_json_str(r->config, "module_input_name", "sentence_embedding"), *to = og_json_str(r->config, "module_output_name", from);
	m->on_tokens = og_streq(from, "token_embeddings");
	if (!og_streq(from, to) || (!m->on_tokens && !og_streq(from, "sentence_embedding")))
		return refuse(r, og_arena_printf(r->arena, "module_input_name %.60s, module_output_name %.60s: expected sentence_embedding or token_embeddings as "
			"both", from, to));
	return OG_OK;
}

static og_status read_layer_norm(reading *r, og_module *m)
{
	OG_TRY(only_keys(r, "dimension"));
	return read_width(r, "dimension", true, &m->in);
}

/* ---- the list ---- */

typedef struct type {
	const char *name;
	og_module_kind kind;
	og_status (*read)(reading *r, og_module *m); /* NULL: its config says nothing */
	bool nothing; /* it does nothing outside training */
} type;

static const type types[] = {
	{ "Pooling", OG_MODULE_POOLING, read_pooling, false },
	{ "Dense", OG_MODULE_DENSE, read_dense, false },
	{ "LayerNorm", OG_MODULE_LAYER_NORM, read_layer_norm, false },
	{ "Normalize", OG_MODULE_NORMALIZE, NULL, false },
	{ "Dropout", OG_MODULE_NORMALIZE, NULL, true },
};

/* "sentence_transformers.models.Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling" */
static const char *class_of(const og_json *entry)
{
	const char *t = og_json_str(entry, "type", ""), *dot = strrchr(t, '.');
	return dot && og_starts_with(t, "sentence_transformers.") ? dot + 1 : "";
}

static og_status unknown_type(const og_json *entry, size_t i, og_error *err)
{
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "modules.json: module %zu: type %.120s is not done here (first Transformer; then Pooling, Dense, "
		"LayerNorm, Normalize, Dropout are)", i, og_json_str(entry, "type", "none"));
	og_error_hint(err, "--plain converts the transformer alone");
	return s;
}

static og_status read_module(reading *r, const og_json *entry, size_t i, og_module *modules, size_t *n)
{
	const type *t = NULL;
	for (size_t k = 0; k < OG_COUNT(types); k++)
		if (og_streq(types[k].name, class_of(entry)))
			t = &types[k];
	const char *path = og_json_str(entry, "path", "");
	if (!t)
		return unknown_type(entry, i, r->err);
	if (t->nothing)
		return OG_OK;
	r->path = path[0] ? og_arena_strdup(r->arena, path) : og_arena_printf(r->arena, "%zu_%s", i, t->name);
	if (!r->path)
		return og_fail_nomem(r->err);
	if (t->read && !og_path_safe(path))
		return og_fail(r->err, ONNXGATE_UNSAFE, "modules.json: module %zu: path: expected a folder inside the model's, found \"%.120s\"", i, path);
	og_module *m = &modules[(*n)++];
	*m = (og_module){ .kind = t->kind, .path = r->path };
	if (!t->read)
		return OG_OK;
	og_autofree char *file = og_path_join3(r->dir, path, "config.json");
	og_auto(og_json) *config = NULL;
	if (!file)
		return og_fail_nomem(r->err);
	OG_TRY(og_json_read(file, OG_CONFIG_BYTES_MAX, &config, r->err));
	if (!json_object_is_type(config, json_type_object))
		return og_fail(r->err, ONNXGATE_FORMAT, "%s/config.json: expected an object", path);
	r->config = config;
	return t->read(r, m);
}

/* sentence_bert_config.json is the tokenizer's, but for what it says the transformer gives. */
static og_status check_transformer(const char *dir, og_error *err)
{
	static const struct {
		const char *key, *usual;
	} rows[] = { { "transformer_task", "feature-extraction" }, { "module_output_name", "token_embeddings" } };
	og_autofree char *path = og_path_join(dir, "sentence_bert_config.json");
	og_auto(og_json) *j = NULL;
	if (!path)
		return og_fail_nomem(err);
	if (!og_file_exists(path))
		return OG_OK;
	OG_TRY(og_json_read(path, OG_CONFIG_BYTES_MAX, &j, err));
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		const char *v = og_json_str(j, rows[i].key, rows[i].usual);
		if (!og_streq(v, rows[i].usual))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "sentence_bert_config.json: %s: expected %s, found %.60s", rows[i].key, rows[i].usual, v);
	}
	const char *gives = og_json_str(og_json_get(og_json_get(j, "modality_config"), "text"), "method_output_name", "last_hidden_state");
	return og_streq(gives, "last_hidden_state") ? OG_OK :
		og_fail(err, ONNXGATE_UNSUPPORTED, "sentence_bert_config.json: modality_config: method_output_name: expected last_hidden_state, found %.60s", gives);
}

static og_status open_list(const char *dir, og_json **out, size_t *n, og_error *err)
{
	og_autofree char *path = og_path_join(dir, "modules.json");
	if (!path)
		return og_fail_nomem(err);
	OG_TRY(og_json_read(path, OG_CONFIG_BYTES_MAX, out, err));
	*n = json_object_is_type(*out, json_type_array) ? json_object_array_length(*out) : 0;
	return *n >= 1 && *n <= OG_MODULES_MAX ? OG_OK : og_fail(err, ONNXGATE_FORMAT, "modules.json: expected a list of 1 to %d modules, found %.60s",
		OG_MODULES_MAX, json_object_to_json_string(*out));
}

og_status og_modules_read(const char *dir, og_plan *p, og_arena *arena, og_error *err)
{
	og_plan_inner *in = p->inner;
	og_auto(og_json) *list = NULL;
	reading r = { .dir = dir, .plan = p, .arena = arena, .err = err };
	size_t n;
	OG_TRY(open_list(dir, &list, &n, err));
	og_json *first = json_object_array_get_idx(list, 0);
	if (!og_streq(class_of(first), "Transformer"))
		return unknown_type(first, 0, err);
	if (*og_json_str(first, "path", ""))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "modules.json: module 0: path: expected the model's own folder, found %.120s",
			og_json_str(first, "path", ""));
	OG_TRY(check_transformer(dir, err));
	in->modules = og_arena_array(arena, n, sizeof(*in->modules));
	if (!in->modules)
		return og_fail_nomem(err);
	for (size_t i = 1; i < n; i++)
		OG_TRY(read_module(&r, json_object_array_get_idx(list, i), i, in->modules, &in->nmodules));
	if (!in->nmodules) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "modules.json: expected a Pooling, found none");
		og_error_hint(err, "--plain converts the transformer alone");
		return s;
	}
	return OG_OK;
}

static bool learns(const og_module *m)
{
	return m->kind == OG_MODULE_DENSE || m->kind == OG_MODULE_LAYER_NORM;
}

og_status og_modules_open(og_plan_inner *in, const char *dir, og_checkpoint **out, og_error *err)
{
	for (size_t i = 0; i < in->nmodules; i++) {
		og_autofree char *path = og_path_join(dir, in->modules[i].path);
		if (!learns(&in->modules[i]))
			continue;
		OG_TRY(path ? og_checkpoint_open(path, &out[i], err) : og_fail_nomem(err));
		in->modules[i].checkpoint = out[i];
	}
	return OG_OK;
}

og_status og_modules_ledgers(const og_plan_inner *in, og_arena *arena, og_error *err)
{
	for (size_t i = 0; i < in->nmodules; i++)
		if (learns(&in->modules[i]))
			OG_TRY(og_ledger_new(arena, in->modules[i].checkpoint, NULL, NULL, NULL, &in->modules[i].ledger, err));
	return OG_OK;
}

/* Faults are the plan's to tell: a list that cannot be read names no folders. */
og_status og_convert_module_folders(const char *dir, og_arena *arena, const char ***names, size_t *count, og_error *err)
{
	og_auto(og_json) *list = NULL;
	size_t n, cap = 0;
	*names = NULL;
	*count = 0;
	if (open_list(dir, &list, &n, NULL) != OG_OK)
		return OG_OK;
	for (size_t i = 0; i < n; i++) {
		const char *path = og_json_str(json_object_array_get_idx(list, i), "path", "");
		if (!path[0] || !og_path_safe(path))
			continue;
		if (!og_arena_grow(arena, names, &cap, *count + 1, sizeof(**names)) || !((*names)[*count] = og_arena_strdup(arena, path)))
			return og_fail_nomem(err);
		++*count;
	}
	return OG_OK;
}

bool og_convert_is_cross_encoder(const char *dir)
{
	og_autofree char *path = og_path_join(dir, "config_sentence_transformers.json");
	og_auto(og_json) *j = NULL;
	return path && og_file_exists(path) && og_json_read(path, OG_CONFIG_BYTES_MAX, &j, NULL) == OG_OK &&
		og_streq(og_json_str(j, "model_type", ""), "CrossEncoder");
}
