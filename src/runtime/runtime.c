/* SPDX-License-Identifier: Apache-2.0
 *
 * The public side of a runtime: what every kind has in common. */
#include "runtime/runtime_int.h"

#include "base/file.h"
#include "base/path.h"
#include "runtime/protocol.h"

og_status og_runtime_open(const og_runtime_options *o, const og_context *ctx, og_runtime **out, og_error *err)
{
	static const og_runtime_options none = { 0 };

	return og_runtime_onnxruntime.open(o ? o : &none, ctx, out, err);
}

const char *og_runtime_version(const og_runtime *r)
{
	return r->version;
}

const char *og_runtime_library(const og_runtime *r)
{
	return r->library;
}

const char *og_runtime_providers(const og_runtime *r)
{
	return r->providers;
}

uint64_t og_runtime_peak_memory(const og_runtime *r)
{
	return r ? r->ops->peak(r) : 0;
}

void og_runtime_free(og_runtime *r)
{
	if (!r)
		return;
	if (r->session) /* its owner still holds it: it must not reach for us later */
		r->session->runtime = NULL;
	r->ops->free(r);
}

og_status og_session_open(og_runtime *r, const char *path, const og_session_options *o, og_session **out, og_error *err)
{
	static const og_session_options none = { 0 };
	og_auto(og_session) *s = NULL;
	og_status st;

	if (r->session)
		return og_fail(err, ONNXGATE_INVALID, "%s: the runtime has %s open, it holds one session at a time", path, r->session->name);
	if (!og_file_exists(path))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such file", path);
	s = og_alloc(sizeof(*s));
	if (s)
		s->arena = og_arena_new();
	if (!s || !s->arena)
		return og_fail_nomem(err);
	s->runtime = r;
	s->name = og_arena_strdup(s->arena, og_path_base(path));
	if (!s->name)
		return og_fail_nomem(err);
	st = r->ops->session_open(s, path, o ? o : &none, err);
	if (st != OG_OK) {
		if (st != ONNXGATE_CANCELLED && st != ONNXGATE_NOMEM)
			og_error_prefix(err, "%s", s->name);
		return st;
	}
	s->open = true;
	r->session = s;
	*out = og_steal(&s);
	return OG_OK;
}

size_t og_session_inputs(const og_session *s, const og_port **ports)
{
	*ports = s->in;
	return s->nin;
}

size_t og_session_outputs(const og_session *s, const og_port **ports)
{
	*ports = s->out;
	return s->nout;
}

double og_session_load_ms(const og_session *s)
{
	return s->load_ms;
}

uint64_t og_session_time_peak(const og_session *s)
{
	return s->time_peak;
}

static const og_port *find_port(const og_session *s, const char *name)
{
	for (size_t i = 0; i < s->nin; i++)
		if (og_streq(s->in[i].name, name))
			return &s->in[i];
	return NULL;
}

static og_status check_array(const og_session *s, const og_array *a, og_error *err)
{
	const og_port *p = find_port(s, a->name);
	uint64_t bytes = 0;
	char name[128];

	og_str_show(og_str_of(a->name), name, sizeof(name));
	if (!p)
		return og_fail(err, ONNXGATE_INVALID, "%s: has no input '%s'", s->name, name);
	if (!og_dtype_bits(a->dtype))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: input '%s' holds %s, which is not done", s->name, name, og_dtype_name(a->dtype));
	if (a->dtype != p->dtype)
		return og_fail(err, ONNXGATE_MISMATCH, "%s: input '%s' is %s, expected %s", s->name, name, og_dtype_name(a->dtype), og_dtype_name(p->dtype));
	if (a->rank != p->rank)
		return og_fail(err, ONNXGATE_MISMATCH, "%s: input '%s' has %d dims, expected %d", s->name, name, a->rank, p->rank);
	for (int i = 0; i < a->rank; i++)
		if (p->dims[i] >= 0 && a->dims[i] != p->dims[i])
			return og_fail(err, ONNXGATE_MISMATCH, "%s: dim %d of input '%s' is %lld, expected %lld", s->name, i, name, (long long)a->dims[i],
			               (long long)p->dims[i]);
	if (!og_rt_bytes((uint32_t)a->dtype, (uint32_t)a->rank, a->dims, &bytes) || bytes != a->size)
		return og_fail(err, ONNXGATE_INVALID, "%s: input '%s' has %zu bytes, its dims make %llu", s->name, name, a->size, (unsigned long long)bytes);
	return OG_OK;
}

/* All inputs of the session, each once. */
static og_status check_inputs(const og_session *s, const og_array *in, size_t nin, og_error *err)
{
	if (!s->runtime)
		return og_fail(err, ONNXGATE_INVALID, "%s: its runtime is closed", s->name);
	for (size_t i = 0; i < nin; i++) {
		OG_TRY(check_array(s, &in[i], err));
		for (size_t k = 0; k < i; k++)
			if (og_streq(in[i].name, in[k].name))
				return og_fail(err, ONNXGATE_INVALID, "%s: an input is given twice", s->name);
	}
	if (nin != s->nin)
		return og_fail(err, ONNXGATE_INVALID, "%s: %zu inputs given, expected %zu", s->name, nin, s->nin);
	return OG_OK;
}

static og_status named(const og_session *s, og_status st, og_error *err)
{
	if (st != OG_OK && st != ONNXGATE_CANCELLED && st != ONNXGATE_NOMEM)
		og_error_prefix(err, "%s", s->name);
	return st;
}

og_status og_session_run(og_session *s, const og_array *in, size_t nin, og_arena *arena, og_array **out, size_t *nout, og_error *err)
{
	OG_TRY(check_inputs(s, in, nin, err));
	return named(s, s->runtime->ops->run(s, in, nin, arena, out, nout, err), err);
}

og_status og_session_time(og_session *s, const og_array *in, size_t nin, int warmup, int runs, double *ms, og_error *err)
{
	if (warmup < 0 || runs < 1 || warmup > (int)OG_RT_RUNS_MAX || runs > (int)OG_RT_RUNS_MAX)
		return og_fail(err, ONNXGATE_INVALID, "%d warm-up and %d timed runs, expected 0 … %u and 1 … %u", warmup, runs, OG_RT_RUNS_MAX, OG_RT_RUNS_MAX);
	OG_TRY(check_inputs(s, in, nin, err));
	return named(s, s->runtime->ops->time(s, in, nin, warmup, runs, ms, err), err);
}

void og_session_free(og_session *s)
{
	if (!s)
		return;
	if (s->runtime && s->open) {
		s->runtime->ops->session_close(s);
		s->runtime->session = NULL;
	}
	og_arena_free(s->arena);
	og_free(s);
}
