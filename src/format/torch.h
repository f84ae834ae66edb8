/* SPDX-License-Identifier: Apache-2.0
 *
 * What PyTorch's three kinds of file share: a pickle of nested containers whose leaves are tensors, each a view of a storage that
 * stands elsewhere in the file.  torch_zip.c, torch_legacy.c and torchscript.c say where the storages are; torch.c finds the tensors.
 *
 *     persistent id   ("storage", <storage class>, key, device, number of elements [, view])
 *     tensor          torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
 */
#ifndef OG_FORMAT_TORCH_H
#define OG_FORMAT_TORCH_H

#include "codec/pickle.h"
#include "format/format.h"

/* The globals that a checkpoint may name: data only (storages, dtypes, tensors, ordered dicts). The `allow` of og_pickle_rules. */
bool og_torch_allows(void *arg, og_str module, og_str name, uint64_t at);

typedef struct og_storage { /* what a persistent id says */
	og_str key;
	og_dtype dtype;    /* NONE: untyped, counted in bytes */
	uint64_t elements;
	uint64_t at; /* of the persistent id in the pickle */
	const og_pval *view; /* legacy only: (key, offset, size) or NULL */
} og_storage;

typedef struct og_torch {
	og_reader *r;
	/* Where a storage's bytes are: source, offset and size. Called once a distinct key and use; must check that elements fit. */
	og_status (*locate)(void *arg, const og_storage *s, og_source **source, uint64_t *offset, uint64_t *bytes, og_error *err);
	void *arg;
	bool swapped; /* the file is big-endian */
	bool modules; /* TorchScript: objects are modules, their state's keys are attribute names */
} og_torch;

/* All tensors below root into the reader, named by their path; wrappers ({"state_dict": …}, {"model": …}) are taken off, with a note. */
og_status og_torch_tensors(const og_torch *t, const og_pval *root, og_error *err) OG_MUST;

#endif
