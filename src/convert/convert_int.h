/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of this folder. */
#ifndef OG_CONVERT_CONVERT_INT_H
#define OG_CONVERT_CONVERT_INT_H

#include "arch/arch.h"
#include "blocks/sentence.h"
#include "convert/convert.h"

typedef struct og_plan_inner {
	const og_arch *arch;
	const og_head *head;
	const og_file *files; /* the head's, or those of the variant that was asked for; ends with {0} */
	void *config; /* the architecture's struct */
	og_said_labels labels; /* by config.json; the struct has the number that counts */
	const char *type_from; /* what named the architecture, to go before its name */
	bool class_named, task_asked;
	og_module *modules; /* of a sentence-transformers model, behind its transformer */
	size_t nmodules;    /* 0: the file is the transformer's */
} og_plan_inner;

og_status og_config_open(const char *dir, og_json **doc, og_error *err) OG_MUST;
og_status og_class_of(const og_json *config, const char **out, og_error *err) OG_MUST; /* borrowed; NULL: none is named */
const og_arch *og_arch_of_class(const char *class_name); /* NULL: none has it, or several */
const char *og_plan_path(const og_plan *p, const og_file *f, og_arena *arena); /* of a file, below the output folder; NULL: no memory */
og_status og_plan_note(og_plan *p, og_arena *arena, const char *note, og_error *err) OG_MUST;

/* The architecture, into the plan, with a note when config.json does not name it. c may be NULL: no tensors can be asked. */
og_status og_decide_arch(const og_json *doc, const og_checkpoint *c, const char *asked, og_arena *arena, og_plan *p, og_error *err) OG_MUST;
/* MISMATCH when the tensors are those of other architectures than the plan's. */
og_status og_check_family(const og_plan *p, const og_ledger *l, const og_checkpoint *c, og_error *err) OG_MUST;
/* l: the described files' claims. Sizes that the weights know better are changed in the plan's config, with a note each. */
og_status og_settle_sizes(const og_plan *p, const og_checkpoint *c, const og_ledger *l, og_arena *arena, bool *changed, const char ***notes, size_t *n,
	og_error *err) OG_MUST;
/* "fill-mask, question-answering": the other tasks whose weights are all there; NULL: none. */
og_status og_other_tasks(const og_plan *p, const og_checkpoint *c, og_arena *arena, const char **out, og_error *err) OG_MUST;

bool og_task_listed(const char *list, const char *task); /* list: "fill-mask, question-answering"; NULL: an empty one */

bool og_task_takes_base(const char *task); /* needs no head: any checkpoint of the family has what it takes */

/* Which head: by the class that the config names, or the task that was asked for. */
og_status og_choose_head(const og_arch *arch, const og_json *config, const char *asked, bool sentence_transformers, og_arena *arena, const og_head **head,
	const char **class_name, const char **reason, og_error *err) OG_MUST;

/* Read config.json, which is borrowed, into a plan. c: whose names may decide the architecture; NULL: there are no weights at hand. */
og_status og_plan_make(const og_json *doc, bool sentence_transformers, const og_checkpoint *c, const og_convert_options *o, og_arena *arena,
	og_plan **out, og_error *err) OG_MUST;

/* Reads modules.json and the configs of its folders into the plan. UNSUPPORTED names a module or a key that is not done. */
og_status og_modules_read(const char *dir, og_plan *p, og_arena *arena, og_error *err) OG_MUST;
/* The checkpoints of those that have learned something; out: one slot a module, the caller's to free. */
og_status og_modules_open(og_plan_inner *in, const char *dir, og_checkpoint **out, og_error *err) OG_MUST;
/* Their ledgers, for one description. */
og_status og_modules_ledgers(const og_plan_inner *in, og_arena *arena, og_error *err) OG_MUST;
bool og_convert_is_cross_encoder(const char *dir); /* which is a classifier, whatever modules.json says */

/* All files of the task, described and lowered, in the order of the head's files. */
og_status og_describe_files(const og_plan *p, og_ledger *ledger, og_arena *arena, og_model ***models, size_t *n, og_error *err) OG_MUST;

/* 64 seeded positions of every weight of a written file against the checkpoint. mismatches: how many differ. */
og_status og_read_back(const og_model *m, const char *path, const og_context *ctx, uint64_t *positions, uint64_t *mismatches, const char **first,
	og_arena *arena, og_error *err) OG_MUST;

#endif
