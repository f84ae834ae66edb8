/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a pickle, read as a checkpoint's and as a listing reads it.  Reading must end the same way twice, and what the strict reader
 * takes the listing takes, too.  All that can be reached in the value within a budget is looked at. */
#include "base/limits.h"
#include "codec/pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 20000 };

static void require(bool held)
{
	if (!held)
		abort();
}

static bool allow(void *arg, og_str module, og_str name, uint64_t at)
{
	(void)arg;
	(void)at;
	require(og_utf8_valid((const uint8_t *)module.p, module.n) && og_utf8_valid((const uint8_t *)name.p, name.n));
	return module.n && module.p[0] != 'o';
}

static void on_danger(void *arg, const char *what, uint64_t at)
{
	(void)at;
	*(size_t *)arg += strlen(what) > 0;
}

static void on_data(void *arg, og_str data, uint64_t at)
{
	(void)arg;
	(void)at;
	require(data.p[data.n] == 0);
}

static void on_call(void *arg, const char *op, const og_pval *object, uint64_t at)
{
	(void)arg;
	(void)op;
	(void)at;
	require(object->kind == OG_P_OBJECT && object->of && object->args);
}

static void look_at_text(const og_pval *v)
{
	require(v->text.p && v->text.p[v->text.n] == 0);
	require(v->kind == OG_P_BIG || v->kind == OG_P_BYTES || og_utf8_valid((const uint8_t *)v->text.p, v->text.n));
	require(v->kind != OG_P_BIG || v->text.n > 8);
}

/* Depth first over what can be reached; a value is met again as often as it is shared. */
static size_t walk(const og_pval *root, bool strict)
{
	const og_pval *stack[BUDGET];
	size_t n = 0, steps = 0;

	stack[n++] = root;
	while (n && steps++ < BUDGET) {
		const og_pval *v = stack[--n];
		require(v->kind <= OG_P_PERSISTENT && og_pkind_name(v->kind)[0]);
		if (v->kind == OG_P_TEXT || v->kind == OG_P_BYTES || v->kind == OG_P_BIG || v->kind == OG_P_GLOBAL)
			look_at_text(v);
		require(v->kind != OG_P_DICT || v->n % 2 == 0);
		if (v->kind == OG_P_OBJECT || v->kind == OG_P_PERSISTENT) {
			const og_pval *parts[] = { v->of, v->args, v->kwargs, v->state, v->pairs };
			require(!strict || v->kind != OG_P_OBJECT || (v->of->kind == OG_P_GLOBAL && v->args->kind == OG_P_TUPLE));
			for (size_t i = 0; i < OG_COUNT(parts); i++)
				if (parts[i] && n < BUDGET)
					stack[n++] = parts[i];
		}
		if (v->kind == OG_P_TUPLE || v->kind == OG_P_LIST || v->kind == OG_P_DICT || v->kind == OG_P_SET || v->kind == OG_P_OBJECT)
			for (size_t i = 0; i < v->n && n < BUDGET; i++)
				stack[n++] = v->items[i];
	}
	(void)og_pval_get(root, "a");
	return steps;
}

static og_status read_one(og_source *s, const og_pickle_rules *rules, uint64_t *next, size_t *steps, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	og_pval *v;
	og_status status;

	if (!a)
		return ONNXGATE_NOMEM;
	status = og_pickle_read(s, 0, UINT64_MAX, rules, a, &v, next, err);
	require(og_arena_size(a) <= OG_PICKLE_MEMORY_MAX + (1u << 20));
	if (status == OG_OK)
		*steps = walk(v, !rules->on_danger);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t dangers = 0, steps[3] = { 0 };
	const og_pickle_rules strict = { .allow = allow, .persistent = true };
	const og_pickle_rules listing = { .allow = allow, .on_data = on_data, .on_danger = on_danger, .on_call = on_call, .arg = &dangers };
	og_auto(og_source) *s = NULL;
	og_error errors[3] = { { 0 } };
	uint64_t next[3] = { 0 };
	og_status status[3];

	if (og_source_memory("fuzz.pkl", data, size, &s, NULL) != OG_OK)
		return 0;
	for (int i = 0; i < 3; i++) {
		status[i] = read_one(s, i < 2 ? &strict : &listing, &next[i], &steps[i], &errors[i]);
		require(status[i] == errors[i].status && (status[i] == OG_OK || errors[i].message[0]));
		require(next[i] <= size);
	}
	require(status[0] == status[1] && next[0] == next[1] && steps[0] == steps[1] && strcmp(errors[0].message, errors[1].message) == 0);
	require(status[0] != OG_OK || (status[2] == OG_OK && next[2] == next[0]));
	require(status[2] == OG_OK || status[2] == ONNXGATE_FORMAT || status[2] == ONNXGATE_UNSAFE || status[2] == ONNXGATE_NOMEM);
	return 0;
}
