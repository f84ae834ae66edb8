/* SPDX-License-Identifier: Apache-2.0
 *
 * TorchScript: a zip as torch.save writes it, with the model's code beside the data.  The object is a tree of modules, whose classes are
 * in the code; what it holds can be read without it:
 *
 *     archive/data.pkl         <class __torch__.Model> {"conv1": <class …> {"weight": tensor, …}, "training": False, …}
 *     archive/data/0 …         its storages
 *     archive/constants.pkl    (tensor, …): what the code names CONSTANTS.c0, CONSTANTS.c1, …
 *     archive/constants/0 …    their storages
 *     archive/code/__torch__/… never read
 *
 * Which attributes are parameters and buffers only the code says, so all that are tensors are listed: state_dict() has those of them that
 * are not plain attributes, by the same names. */
#include <inttypes.h>
#include <stdio.h>

#include "format/list.h"
#include "format/torch.h"

static og_status read_constants(og_reader *r, og_torch_names *names, og_arena *scratch, og_torch_root **roots, size_t *n, og_torch *t, og_error *err)
{
	og_pval *constants = NULL;
	const char *of;
	const og_zip_entry *e = og_torch_entry(r->state, "", OG_STR("constants.pkl"));
	t->pickle_size += e->size;
	OG_TRY(og_torch_zip_pickle(r, e, names, scratch, &constants, &of, err));
	if (constants->kind != OG_P_TUPLE && constants->kind != OG_P_LIST)
		return og_fail_at(err, ONNXGATE_FORMAT, e->data_at, "%s: constants.pkl: expected a tuple, found %s", r->source->name, og_pkind_name(constants->kind));
	size_t cap = 1;
	if (!og_arena_grow(scratch, roots, &cap, constants->n + 1, sizeof(**roots)))
		return og_fail_nomem(err);
	for (size_t i = 0; i < constants->n; i++) {
		const char *name = og_arena_printf(scratch, "CONSTANTS.c%zu", i);
		if (!name)
			return og_fail_nomem(err);
		(*roots)[(*n)++] = (og_torch_root){ constants->items[i], name, "constants/" };
	}
	return OG_OK;
}

og_status og_torchscript_read(og_reader *r, og_error *err)
{
	const og_torch_zip *z = r->state;
	const og_zip_entry *e = og_torch_entry(z, "", OG_STR("data.pkl"));
	og_auto(og_arena) *scratch = og_arena_new();
	og_torch_names names = { .modules = true };
	og_torch t = { .r = r, .locate = og_torch_zip_locate, .arg = r, .pickle_size = e->size, .swapped = z->swapped, .modules = true };
	og_torch_root *roots = scratch ? og_arena_array(scratch, 1, sizeof(*roots)) : NULL;
	og_pval *root = NULL;
	size_t n = 1;
	if (!roots)
		return og_fail_nomem(err);
	r->format = &og_format_torchscript;
	OG_TRY(og_torch_zip_pickle(r, e, &names, scratch, &root, &t.of, err));
	roots[0] = (og_torch_root){ root, NULL, "data/" };
	OG_TRY(read_constants(r, &names, scratch, &roots, &n, &t, err));
	OG_TRY(og_reader_note(r, err, "the archive carries code (TorchScript), which is not interpreted: only its tensors are read"));
	return og_torch_tensors(&t, roots, n, err);
}

static og_probe torchscript_probe(const uint8_t *head, size_t n, uint64_t file_size)
{
	(void)head;
	(void)n;
	(void)file_size;
	return OG_PROBE_NO; /* torch_zip.c opens it, and sees what it is */
}

static og_status torchscript_read(og_reader *r, og_error *err)
{
	return r->state ? og_torchscript_read(r, err) : og_format_torch_zip.read(r, err);
}

const og_format og_format_torchscript = { .name = "torchscript", .probe = torchscript_probe, .read = torchscript_read, .check = og_torch_zip_check };
