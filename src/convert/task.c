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

/* A class may have several tasks; its own is the first. task NULL: that one. */
static const og_head *by_class(const og_arch *arch, const char *name, const char *task)
{
	for (const og_head *h = arch->heads; name && h->class_name; h++)
		if (og_streq(h->class_name, name) && (!task || og_streq(h->task, task)))
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

bool og_task_listed(const char *list, const char *task)
{
	size_t n = strlen(task);
	for (const char *p = list; p && *p;) {
		size_t k = strcspn(p, ",");
		if (k == n && memcmp(p, task, n) == 0)
			return true;
		p += k + (p[k] == ',');
		p += strspn(p, " ");
	}
	return false;
}

static const char *tasks_of(const og_arch *arch, og_arena *arena)
{
	const char *s = NULL;
	for (const og_head *h = arch->heads; h->class_name; h++)
		if (!og_task_listed(s, h->task))
			s = s ? og_arena_printf(arena, "%s, %s", s, h->task) : h->task;
	return s ? s : "";
}

#define WITH_PAST "-with-past"

/* The synonyms that Optimum accepts too, each with its form with past. */
static const char *canonical_task(const char *task, og_arena *arena)
{
	static const char *const synonyms[][2] = {
		{ "default", OG_TASK_FEATURES }, { "image-feature-extraction", OG_TASK_FEATURES },
		{ "sentence-similarity", OG_TASK_FEATURES }, { "masked-lm", "fill-mask" }, { "causal-lm", "text-generation" },
		{ "sequence-classification", "text-classification" }, { "zero-shot-classification", "text-classification" },
		{ "seq2seq-lm", "text2text-generation" }, { "summarization", "text2text-generation" }, { "translation", "text2text-generation" },
	};
	bool past = og_ends_with(task, WITH_PAST);
	size_t n = strlen(task) - (past ? strlen(WITH_PAST) : 0);
	for (size_t i = 0; i < OG_COUNT(synonyms); i++)
		if (strlen(synonyms[i][0]) == n && memcmp(synonyms[i][0], task, n) == 0)
			return past ? og_arena_printf(arena, "%s" WITH_PAST, synonyms[i][1]) : synonyms[i][1];
	return task;
}

bool og_task_takes_base(const char *task)
{
	return og_streq(task, OG_TASK_FEATURES) || og_streq(task, OG_TASK_FEATURES WITH_PAST);
}

static og_status choose_asked(const og_arch *arch, const char *class_name, const char *asked, og_arena *arena, const og_head **head, const char **reason,
	og_error *err)
{
	const char *task = canonical_task(asked, arena);
	if (!task)
		return og_fail_nomem(err);
	const og_head *own = by_class(arch, class_name, NULL), *fits = by_class(arch, class_name, task), *wanted = by_task(arch, task);
	*reason = "it was asked for";
	if (!wanted) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "task %s is not done for %s", asked, arch->model_type);
		og_error_hint(err, "tasks of %s: %s", arch->model_type, tasks_of(arch, arena));
		return s;
	}
	*head = fits ? fits : wanted;
	if (fits || og_task_takes_base(task))
		return OG_OK;
	if (!class_name) { /* nothing contradicts the wish; whether the weights are there is for the ledger to say */
		*reason = "it was asked for, and config.json names no class";
		return OG_OK;
	}
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "task %s needs head weights, but the checkpoint is of class %s", asked, class_name);
	const char *mine = own ? own->task : "not known";
	if (arch->base_prefix)
		og_error_hint(err, "its own task is %s; %s needs no head", mine, OG_TASK_FEATURES);
	else
		og_error_hint(err, "its own task is %s", mine);
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
	*head = by_class(arch, name, NULL);
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
	if (arch->base_prefix)
		og_error_hint(err, "--task %s converts the base model of any %s checkpoint", OG_TASK_FEATURES, arch->model_type);
	else
		og_error_hint(err, "onnxgate archs %s lists those that are; --task %s converts a checkpoint that holds the whole model", arch->model_type,
			OG_TASK_FEATURES);
	return s;
}
