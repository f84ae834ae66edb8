/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a context, opened on first use. */
#include "job/job.h"

#include "base/clock.h"

og_status og_gate_hub(onnxgate *g, og_hub **out, og_error *err)
{
	const og_settings *s = g->set;
	og_hub_options o = { .endpoint = s->endpoint, .cache = s->hub_cache, .token = s->token, .offline = s->offline, .timeout_s = s->timeout_s };
	if (!g->hub)
		OG_TRY(og_hub_open(&o, &g->ctx, &g->hub, err));
	*out = g->hub;
	return OG_OK;
}

og_status og_gate_cache(onnxgate *g, og_cache **out, og_error *err)
{
	if (!g->cache)
		OG_TRY(og_cache_open(g->set->home, &g->cache, err));
	*out = g->cache;
	return OG_OK;
}

og_status og_gate_record(onnxgate *g, og_record **out, og_error *err)
{
	if (!g->record) {
		OG_TRY(og_record_open(g->set->db, &g->record, err));
		og_record_cancel(g->record, g->ctx.cancel);
	}
	*out = g->record;
	return OG_OK;
}

og_status og_gate_record_result(onnxgate *g, og_result *r, og_error *err)
{
	og_record *rec = NULL;
	double t = og_now_ms();
	OG_TRY(og_gate_record(g, &rec, err));
	int64_t id = 0;
	OG_TRY(og_record_result(rec, &r->pub, &id, err));
	r->pub.record_id = id;
	r->pub.recorded = og_result_str(r, og_record_url(rec));
	double ms = og_now_ms() - t;
	og_result_timing(r, "record", ms);
	og_result_timing(r, "total", ms);
	return OG_OK;
}
