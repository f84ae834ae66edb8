/* SPDX-License-Identifier: Apache-2.0
 *
 * What PyTorch's three kinds of file share: a pickle of nested containers whose leaves are tensors, each a view of a storage that
 * stands elsewhere in the file.  torch_zip.c, torch_legacy.c and torchscript.c say where the storages are; torch.c finds the tensors,
 * torch_tensor.c makes views of them, torch_globals.c knows the names that a pickle may use.
 *
 *     persistent id   ("storage", <storage class>, key, device, number of elements [, view])
 *     tensor          torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
 */
#ifndef OG_FORMAT_TORCH_H
#define OG_FORMAT_TORCH_H

#include "codec/pickle.h"
#include "codec/zip.h"
#include "format/format.h"

/* ---- globals ------------------------------------------------------------------------------------------- */

typedef enum og_torch_kind {
	OG_TORCH_UNKNOWN,
	OG_TORCH_STORAGE, /* a class; dtype NONE and why NULL: untyped, counted in bytes */
	OG_TORCH_DTYPE,
	OG_TORCH_TYPE,    /* a tensor's class: named by others, never called */
	OG_TORCH_TENSOR1, /* (storage, offset, size, stride) */
	OG_TORCH_TENSOR2, /* … requires_grad, hooks [, flags] */
	OG_TORCH_TENSOR3, /* … requires_grad, hooks, dtype [, flags] */
	OG_TORCH_FIRST,   /* (tensor, …): the tensor itself */
	OG_TORCH_CAST,    /* (tensor, dtype, …) */
	OG_TORCH_TYPED,   /* (one of the above, class, its arguments, attributes) */
	OG_TORCH_NOT,     /* a tensor that we do not read; why says what it is */
	OG_TORCH_DICT,    /* pairs */
	OG_TORCH_LIST,    /* (list) */
	OG_TORCH_LEAF,    /* no tensor in it */
	OG_TORCH_JIT,     /* (value, …): the value itself; in TorchScript only */
	OG_TORCH_MODULE   /* a class of TorchScript's __torch__ */
} og_torch_kind;

typedef struct og_torch_global {
	const char *name; /* "torch._utils _rebuild_tensor_v2" */
	og_torch_kind kind;
	og_dtype dtype;  /* STORAGE, DTYPE; NONE: not one that we read */
	const char *why; /* … since it is this */
} og_torch_global;

/* NULL: not in the list. */
const og_torch_global *og_torch_global_find(og_str module_and_name);
og_torch_kind og_torch_kind_of(const og_pval *object); /* of what an OBJECT calls; UNKNOWN for anything else */

/* The globals that a checkpoint may name: data only (storages, dtypes, tensors, ordered dicts). The `allow` of og_pickle_rules. */
bool og_torch_allows(void *arg, og_str module, og_str name, uint64_t at);
/* The same, for those who want to say more about what was refused; arg is this struct. */
typedef struct og_torch_names {
	bool modules;        /* TorchScript: the classes of __torch__ too */
	bool refused;
	bool odd;            /* what was refused does not look like a Python name */
	char name[256];      /* "module name", as much as fits */
} og_torch_names;
bool og_torch_allows_noted(void *arg, og_str module, og_str name, uint64_t at);
/* A hint for a file that was refused for that name. */
void og_torch_hint(const og_torch_names *n, og_error *err);

/* ---- storages ------------------------------------------------------------------------------------------ */

typedef struct og_storage { /* what a persistent id says */
	og_str key;
	const og_torch_global *type;
	uint64_t elements;
	uint64_t bytes;      /* elements × width of type; as many for untyped ones */
	uint64_t at;         /* of the persistent id in the pickle */
	const og_pval *view; /* legacy only: (key, offset, size) or NULL */
} og_storage;

typedef struct og_place { /* where its bytes are */
	og_source *source;
	uint64_t offset; /* in source */
	uint64_t at;     /* in the file: for the order of listings */
} og_place;

/* What a PERSISTENT says; UNSUPPORTED: of a dtype that we do not read; FORMAT: no storage. what: "FILE: tensor "NAME"". */
og_status og_storage_of(const og_pval *persistent, const char *what, og_storage *out, og_error *err) OG_MUST;

/* ---- tensors ------------------------------------------------------------------------------------------- */

typedef struct og_torch_root {
	const og_pval *value;
	const char *prefix;  /* of its tensors' names, NULL: none; where it is a tensor itself, its name */
	const char *folder;  /* of its storages, for locate(); two roots of one folder share them */
} og_torch_root;

typedef struct og_torch {
	og_reader *r;
	/* Where s->bytes bytes of a storage are; must check that the file has exactly as many for it. Called once a distinct storage. */
	og_status (*locate)(void *arg, const char *folder, const og_storage *s, const char *what, og_place *out, og_error *err);
	void *arg;
	const char *of;       /* " of data.pkl" behind offsets in messages, or "" */
	uint64_t pickle_size; /* bytes: no honest one holds more tensors than it has room for */
	bool swapped;         /* the file is big-endian */
	bool views;           /* storages may be views of others */
	bool modules;         /* TorchScript: objects are modules, their state's keys are attribute names, no name is shortened */
} og_torch;

/* All tensors below the roots into the reader, sorted by their place, named by their path; wrappers ({"state_dict": …}, {"model": …}) of
 * the first root are taken off, with a note. UNSUPPORTED: it holds none. */
og_status og_torch_tensors(const og_torch *t, const og_torch_root *roots, size_t nroots, og_error *err) OG_MUST;

/* ---- between torch.c and torch_tensor.c ---------------------------------------------------------------- */

typedef struct og_torch_storages og_torch_storages; /* those that were located */
og_torch_storages *og_torch_storages_new(og_arena *scratch);

/* Is it a tensor? *steps counts what was looked at. */
bool og_torch_is_tensor(const og_pval *v, uint64_t *steps);
/* Its view. t->name is there already; *at: its place in the file. */
og_status og_torch_view(const og_torch *t, og_torch_storages *s, const char *folder, const og_pval *v, og_tensor *out, uint64_t *at,
	og_error *err) OG_MUST;

/* ---- archives ------------------------------------------------------------------------------------------ */

typedef struct og_torch_zip { /* a reader's state */
	og_zip *zip;
	const char *root; /* "archive/" */
	bool swapped;
} og_torch_zip;

const og_zip_entry *og_torch_entry(const og_torch_zip *z, const char *folder, og_str name); /* NULL: none */
/* The pickle of an entry, in scratch. *of: what its offsets count in (" of data.pkl"; "": the file). */
og_status og_torch_zip_pickle(og_reader *r, const og_zip_entry *e, og_torch_names *names, og_arena *scratch, og_pval **out, const char **of,
	og_error *err) OG_MUST;
og_status og_torch_zip_locate(void *reader, const char *folder, const og_storage *s, const char *what, og_place *out, og_error *err) OG_MUST;
og_status og_torch_zip_check(og_reader *r, const og_context *ctx, og_error *err) OG_MUST;
/* Goes on reading an archive that torch_zip.c found to be TorchScript. */
og_status og_torchscript_read(og_reader *r, og_error *err) OG_MUST;
extern const og_format og_format_torchscript;

#endif
