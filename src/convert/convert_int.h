/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of this folder. */
#ifndef OG_CONVERT_CONVERT_INT_H
#define OG_CONVERT_CONVERT_INT_H

#include "arch/arch.h"
#include "convert/convert.h"

typedef struct og_plan_inner {
	const og_arch *arch;
	const og_head *head;
	void *config; /* the architecture's struct */
} og_plan_inner;

/* Which head: by the class that the config names, or the task that was asked for. */
og_status og_choose_head(const og_arch *arch, const og_json *config, const char *asked, bool sentence_transformers, og_arena *arena, const og_head **head,
	const char **class_name, const char **reason, og_error *err) OG_MUST;

/* Read config.json into a plan (no weights needed). doc is borrowed. */
og_status og_plan_make(const og_json *doc, bool sentence_transformers, const og_convert_options *o, og_arena *arena, og_plan **out, og_error *err) OG_MUST;

/* All files of the task, described and lowered, in the order of the head's files. */
og_status og_describe_files(const og_plan *p, og_ledger *ledger, og_arena *arena, og_model ***models, size_t *n, og_error *err) OG_MUST;

/* 64 seeded positions of every weight of a written file against the checkpoint. mismatches: how many differ. */
og_status og_read_back(const og_model *m, const char *path, const og_context *ctx, uint64_t *positions, uint64_t *mismatches, const char **first,
	og_arena *arena, og_error *err) OG_MUST;

#endif
