/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that is nothing but a pickle.  None is read as a checkpoint: PyTorch's files have a frame around theirs, and what else people
 * pickle (whole models, scikit-learn's, dicts of NumPy arrays) is code and no data.  It is read far enough to say which. */
#include <inttypes.h>
#include <stdio.h>

#include "format/list.h"
#include "format/recognise.h"
#include "format/torch.h"

typedef struct look {
	og_torch_names names; /* that were refused */
	bool storages;
} look;

static bool allow(void *arg, og_str module, og_str name, uint64_t at)
{
	look *l = arg;
	return og_torch_allows_noted(&l->names, module, name, at);
}

static void on_persistent(void *arg, const og_pval *v, uint64_t at)
{
	look *l = arg;
	(void)v;
	(void)at;
	l->storages = true;
}

static og_status describe(const og_source *s, const look *l, const og_pval *root, og_error *err)
{
	if (l->storages) {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected weights, found a pickle that names PyTorch's storages without them", s->name);
		og_error_hint(err, "it looks like the data.pkl of an unpacked archive: give the archive itself");
	} else {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected weights (safetensors, or what PyTorch saves), found a pickle (%s)", s->name,
			root->kind == OG_P_OBJECT ? "an object" : og_pkind_name(root->kind));
		og_error_hint(err, "save the weights as safetensors: model.save_pretrained(DIR, safe_serialization=True)");
	}
	return ONNXGATE_UNSUPPORTED;
}

static og_status read_it(og_source *s, look *l, uint64_t *next, og_pval **root, og_arena *arena, og_error *err)
{
	og_pickle_rules rules = { .allow = allow, .persistent = true, .on_persistent = on_persistent, .arg = l };
	return og_pickle_read(s, 0, s->size, &rules, arena, root, next, err);
}

og_status og_pickle_refuse(og_source *s, og_error *err)
{
	og_error local = { 0 };
	og_auto(og_arena) *arena = og_arena_new();
	look l = { 0 };
	og_pval *root = NULL;
	uint64_t next = 0;
	if (!arena)
		return og_fail_nomem(err);
	og_status st = read_it(s, &l, &next, &root, arena, &local);
	if (st == OG_OK && next == s->size)
		return describe(s, &l, root, err);
	if (st != ONNXGATE_UNSAFE || !l.names.refused || l.names.odd)
		return OG_OK;
	og_torch_hint(&l.names, &local);
	if (err)
		*err = local;
	return st;
}

static og_status pickle_read(og_reader *r, og_error *err)
{
	og_auto(og_arena) *arena = og_arena_new();
	look l = { 0 };
	og_pval *root = NULL;
	uint64_t next = 0;
	if (!arena)
		return og_fail_nomem(err);
	og_status st = read_it(r->source, &l, &next, &root, arena, err);
	if (st == ONNXGATE_UNSAFE && l.names.refused)
		og_torch_hint(&l.names, err);
	return st == OG_OK ? describe(r->source, &l, root, err) : st;
}

static og_probe pickle_probe(const uint8_t *head, size_t n, uint64_t file_size)
{
	(void)file_size;
	return n >= 2 && head[0] == 0x80 && head[1] <= 9 ? OG_PROBE_YES : OG_PROBE_NO;
}

const og_format og_format_pickle = { .name = "pickle", .probe = pickle_probe, .read = pickle_read };
