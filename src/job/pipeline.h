/* SPDX-License-Identifier: Apache-2.0
 *
 * The arrows of verify: ways to an ONNX file, tried in order.  Each ends in one of three ways: it does not apply
 * (skipped, with the reason), it failed (the error is kept, the next is tried), or it answered. */
#ifndef OG_JOB_PIPELINE_H
#define OG_JOB_PIPELINE_H

#include "job/origin.h"
#include "job/validate.h"

typedef struct og_run { /* one request under way */
	onnxgate *g;
	const onnxgate_request *q;
	og_result *r;
	og_arena *arena; /* of the work; what the result keeps is copied */
	og_origin *origin;
	onnxgate_level level;
	const char *file;  /* the asked name, default "model.onnx" */
	const char *dtype; /* asked for by option or by the file's name; NULL: neither */
	og_convert_options convert;
	og_plan *plan; /* made on first use, with its outcome */
	bool planned;
	og_status plan_status;
	og_error plan_error;
	og_checks checks;    /* of the arrow that is being tried */
	bool entry_is_bad;   /* the cached conversion did not hold: make it again */
	const char *skipped; /* why the arrow does not apply; NULL: it answered */
	const char *answer;  /* one line about the answer, for the attempt's row */
	og_status proof;     /* UNSUPPORTED: answered, but not proved, and nobody allowed that */
	og_error proof_error;
} og_run;

/* q and r are kept; the options of the conversion and the asked dtype come from q. */
og_status og_run_begin(og_run *run, onnxgate *g, const onnxgate_request *q, og_result *r, og_arena *arena, og_error *err) OG_MUST;
/* May the output folder that was asked for be made or replaced? With the origin known, the origin is spared, too. */
og_status og_run_check_output(const og_run *run, og_error *err) OG_MUST;
/* Fetches the config and plans the conversion, once. */
og_status og_run_plan(og_run *run, og_error *err) OG_MUST;
/* The same for who is about to convert: where config.json leaves the architecture to the tensors' names, the weights are fetched first. */
og_status og_run_plan_conversion(og_run *run, og_error *err) OG_MUST;
og_input_facts og_run_facts(const og_run *run);
/* What the plan and the commit say, into the result. */
void og_run_describe(og_run *run);
/* Unknown config keys and the checks' verdict: FAILED, or OK with run->proof set when something was not proved. */
og_status og_run_judge(og_run *run, const char *what, og_error *err) OG_MUST;

/* The weights and companions, timed as "download". */
og_status og_run_fetch(og_run *run, og_error *err) OG_MUST;
/* Converts into out_dir, validates what was written, judges it. */
og_status og_run_emit(og_run *run, const char *out_dir, og_converted *c, og_error *err) OG_MUST;

og_status og_arrow_published(og_run *run, og_error *err) OG_MUST;
og_status og_arrow_cached(og_run *run, og_error *err) OG_MUST;
og_status og_arrow_convert(og_run *run, og_error *err) OG_MUST;

/* Tries them in this order and fills the result; the error of the last one that applied. */
og_status og_pipeline_walk(og_run *run, og_error *err) OG_MUST;

/* The dtype that a file's name asks for ("fp16" for model_fp16.onnx), NULL: none; *stem_len: without that suffix and ".onnx". */
const char *og_variant_dtype(const char *file, size_t *stem_len);
const char *og_variant_suffix(const char *dtype); /* "_fp16"; "" for fp32; NULL: there is none */

#endif
