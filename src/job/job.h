/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs behind the public functions, and the context that they share.  What a job does not need is not
 * opened: the Hub's client, the caches and the database on first use, the runtime per validation. */
#ifndef OG_JOB_JOB_H
#define OG_JOB_JOB_H

#include "base/context.h"
#include "cache/cache.h"
#include "check/check.h"
#include "hub/hub.h"
#include "job/result.h"
#include "job/settings.h"
#include "record/record.h"

struct onnxgate { /* the public handle */
	og_arena *arena;
	og_settings *set;
	og_context ctx;
	og_hub *hub;       /* these three: NULL until used */
	og_cache *cache;
	og_record *record;
};

og_status og_gate_hub(onnxgate *g, og_hub **out, og_error *err) OG_MUST;
og_status og_gate_cache(onnxgate *g, og_cache **out, og_error *err) OG_MUST;
og_status og_gate_record(onnxgate *g, og_record **out, og_error *err) OG_MUST;
/* Records the result; what went wrong goes into *err and the result stays as it is. */
og_status og_gate_record_result(onnxgate *g, og_result *r, og_error *err) OG_MUST;

/* Each fills *out also when it fails; NULL only without memory. */
og_status og_job_verify(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);
og_status og_job_convert(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);
og_status og_job_check(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);
og_status og_job_bench(onnxgate *g, const onnxgate_bench_request *q, onnxgate_bench_result **out);
og_status og_job_metadata(onnxgate *g, const char *model, onnxgate_table **out, og_error *err) OG_MUST;
og_status og_job_doctor(onnxgate *g, onnxgate_table **out, og_error *err) OG_MUST;

#endif
