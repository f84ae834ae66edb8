/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether somebody else's ONNX file does the task that is asked for: judged by its inputs and outputs. */
#ifndef OG_JOB_FIT_H
#define OG_JOB_FIT_H

#include "check/check.h"
#include "onnx/message.h"

typedef struct og_fit_wish {
	const char *task;   /* NULL: not known, then only the opset is judged */
	int opset;          /* 0: any */
	int64_t vocab_size; /* 0: not known */
	bool plain; /* last_hidden_state is wanted, and no token_embeddings instead */
} og_fit_wish;

typedef struct og_fit_facts { /* what the file says */
	int opset;
	const char **data; /* external data files, relative to the file's folder, each once */
	size_t ndata;
	const og_onnx_model *model;
} og_fit_facts;

/* Reads the file (not its external data). FORMAT when it cannot be read; facts in the arena. */
og_status og_fit_read(const char *onnx_path, og_arena *arena, og_fit_facts *out, og_error *err) OG_MUST;
bool og_fit_gives(const og_fit_facts *f, const char *output);
/* Adds the rows "opset.fit" (when it does not) and "task.fit" (when the task is one that we know). */
og_status og_fit_check(const og_fit_facts *f, const og_fit_wish *w, og_checks *out, og_error *err) OG_MUST;

#endif
