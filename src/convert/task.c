/* SPDX-License-Identifier: Apache-2.0
 *
 * Which task: decided from the class that the config names, never from the repository's spelling or its tag.  A task
 * that the class does not have is refused where it needs head weights: a head of the right shape may be the wrong head. */
#include "convert/convert_int.h"

#include "base/str.h"

og_status og_class_of(const og_json *config, const char **out, og_error *err)
{
	og_json *list = og_json_get(config, "architectures");
	bool fits = !list || json_object_is_type(list, json_type_array);
	size_t n = list && fits ? json_object_array_length(list) : 0;
	*out = NULL;
	for (size_t i = 0; i < n && fits; i++)
		fits = json_object_is_type(json_object_array_get_idx(list, i), json_type_string);
	if (!fits)
		return og_fail(err, ONNXGATE_FORMAT, "config.json: architectures: expected a list of class names, found %.60s", json_object_to_json_string(list));
	if (n)
		*out = json_object_get_string(json_object_array_get_idx(list, 0));
	return OG_OK;
}

static const og_head *by_class(const og_arch *arch, const char *name)
{
	for (const og_head *h = arch->heads; name && h->class_name; h++)
		if (og_streq(h->class_name, name))
			return h;
	return NULL;
}

static const og_head *by_task(const og_arch *arch, const char *task)
{
	for (const og_head *h = arch->heads; h->class_name; h++)
		if (og_streq(h->task, task))
			return h;
	return NULL;
}

static const char *tasks_of(const og_arch *arch, og_arena *arena)
{
	const char *s = NULL;
	for (const og_head *h = arch->heads; h->class_name; h++)
		if (!s || !strstr(s, h->task))
			s = s ? og_arena_printf(arena, "%s, %s", s, h->task) : h->task;
	return s ? s : "";
}

/* The synonyms that Optimum accepts too. */
static const char *canonical_task(const char *task)
{
	static const char *const synonyms[][2] = {
		{ "default", OG_TASK_FEATURES }, { "image-feature-extraction", OG_TASK_FEATURES },
		{ "sentence-similarity", OG_TASK_FEATURES }, { "masked-lm", "fill-mask" },
		{ "sequence-classification", "text-classification" }, { "zero-shot-classification", "text-classification" },
	};
	for (size_t i = 0; i < OG_COUNT(synonyms); i++)
		if (og_streq(synonyms[i][0], task))
			return synonyms[i][1];
	return task;
}

static og_status choose_asked(const og_arch *arch, const char *class_name, const char *asked, og_arena *arena, const og_head **head, const char **reason,
	og_error *err)
{
	const char *task = canonical_task(asked);
	const og_head *own = by_class(arch, class_name), *wanted = by_task(arch, task);
	*reason = "it was asked for";
	if (!wanted) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "task %s is not done for %s", asked, arch->model_type);
		og_error_hint(err, "tasks of %s: %s", arch->model_type, tasks_of(arch, arena));
		return s;
	}
	*head = own && og_streq(own->task, task) ? own : wanted;
	if (*head == own || og_streq(task, OG_TASK_FEATURES))
		return OG_OK;
	if (!class_name) { /* nothing contradicts the wish; whether the weights are there is for the ledger to say */
		*reason = "it was asked for, and config.json names no class";
		return OG_OK;
	}
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "task %s needs head weights, but the checkpoint is of class %s", asked, class_name);
	og_error_hint(err, "its own task is %s; %s needs no head", own ? own->task : "not known", OG_TASK_FEATURES);
	return s;
}

og_status og_choose_head(const og_arch *arch, const og_json *config, const char *asked, bool sentence_transformers, og_arena *arena, const og_head **head,
	const char **class_name, const char **reason, og_error *err)
{
	const char *named = NULL;
	OG_TRY(og_class_of(config, &named, err));
	const char *name = og_arena_strdup(arena, named);
	*class_name = name;
	if (asked)
		return choose_asked(arch, name, asked, arena, head, reason, err);
	*head = by_class(arch, name);
	if (sentence_transformers) {
		*head = by_task(arch, OG_TASK_FEATURES);
		*reason = "modules.json makes it a sentence-transformers model; the file gives its transformer's last_hidden_state";
	} else if (*head) {
		*reason = og_arena_printf(arena, "config.json names the class %s", name);
	} else if (!name) {
		*head = by_task(arch, OG_TASK_FEATURES);
		*reason = "config.json names no class; this task needs no head";
	}
	if (*head)
		return *reason ? OG_OK : og_fail_nomem(err);
	const og_arch *other = og_arch_of_class(name);
	if (other && other != arch) {
		og_status s = og_fail(err, ONNXGATE_FORMAT, "config.json: model_type is %s, but architectures names %s, a class of %s", arch->model_type, name,
			other->model_type);
		og_error_hint(err, "one of the two keys is wrong");
		return s;
	}
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "config.json: architectures: class %.80s is not done for %s", name, arch->model_type);
	og_error_hint(err, "--task %s converts the base model of any %s checkpoint", OG_TASK_FEATURES, arch->model_type);
	return s;
}
