/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint + config + architecture → an export folder. */
#ifndef OG_CONVERT_CONVERT_H
#define OG_CONVERT_CONVERT_H

#include "base/arena.h"
#include "base/context.h"
#include "codec/json.h"
#include "model/config.h"

typedef struct og_convert_options {
	const char *type, *task, *dtype, *layout, *external_data; /* NULL: the default */
	int opset;                                                /* 0: 18 */
	bool digest;                                              /* SHA-256 of what is written, beside the writing */
	bool allow_unexpected;
	bool plain; /* of a sentence-transformers model the transformer alone */
	const char *variant; /* "split", "with-mask": other files than the class's own; NULL: those */
	bool half_io; /* with dtype fp16: inputs and outputs too */
	const onnxgate_pair *provenance; /* metadata_props of the files: repo id, commit, source digests, licence; sorted by key */
	size_t nprovenance;
} og_convert_options;

/* What would be done with a folder that holds at least config.json: nothing is read but its small files. */
typedef struct og_plan {
	const char *model_type, *architecture; /* config's model_type; the class name, e.g. "BertForMaskedLM" */
	const char *task, *task_reason, *dtype, *layout;
	const char *variant; /* as asked; NULL: none */
	bool half_io;
	int opset, revision;          /* revision: the architecture's, part of the cache key */
	const char *main_file;        /* "model.onnx", "onnx/model.onnx"; NULL: the task has several */
	og_input_facts facts;         /* for made-up inputs */
	const char **unknown_keys;    /* of the config: not understood */
	size_t nunknown_keys;
	const char **notes;
	size_t nnotes;
	size_t nmodules; /* of a sentence-transformers model, in the file too; 0: the transformer alone */
	void *inner;
} og_plan;

/* Does config.json leave the architecture to the names of the tensors? A plan then needs the weights in dir, too. */
og_status og_convert_needs_names(const char *dir, const og_convert_options *o, bool *needs, og_error *err) OG_MUST;

/* UNSUPPORTED (architecture, task, dtype, config value), FORMAT (config.json), NOT_FOUND (no config.json). All in arena. */
og_status og_convert_plan(const char *dir, const og_convert_options *o, og_arena *arena, og_plan **out, og_error *err) OG_MUST;

/* What made-up inputs for a model of this config.json need to be like; also where it could not be converted. */
og_input_facts og_convert_facts(const og_json *doc);

/* Of the files of a repository, those that a conversion wants beside the weights: config, tokenizer, preprocessor, licence, README. */
bool og_convert_wants(const char *name);
/* The folders of the modules that dir's modules.json lists, relative to dir, fit for og_path_safe(); whether they are there or not. */
og_status og_convert_module_folders(const char *dir, og_arena *arena, const char ***names, size_t *n, og_error *err) OG_MUST;
const char *og_convert_role(const char *name); /* "config", "tokenizer", "license", "readme", … */

typedef struct og_converted {
	onnxgate_file_row *files; /* path: relative to the output folder; models first */
	size_t nfiles;
	const char **notes; /* ignored and unexpected tensors, by rule */
	size_t nnotes;
	onnxgate_check_row *checks; /* read-back of the written weights, the ledger */
	size_t nchecks;
	double describe_ms, emit_ms;
} og_converted;

/* Writes into out_dir, which exists. level ≥ structure: the read-back is made. */
og_status og_convert_run(const og_plan *p, const char *dir, const char *out_dir, const og_convert_options *o, onnxgate_level level,
                         const og_context *ctx, og_arena *arena, og_converted *out, og_error *err) OG_MUST;

/* What onnxgate archs lists: one row per architecture and task; with a config, the tensors that it expects. */
og_status og_convert_archs(const char *model_type, const char *config, const char *task, onnxgate_table **out, og_error *err) OG_MUST;

#endif
