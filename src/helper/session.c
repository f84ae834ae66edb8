/* SPDX-License-Identifier: Apache-2.0
 *
 * One loaded model in the runtime child: opened, described, run. */
#include "helper/ort.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>

#define VALUE_TENSOR 1
#define LEVEL_ALL 99

static const char *const value_kinds[] = { "an unknown type", "a tensor", "a sequence", "a map", "an opaque type", "a sparse tensor", "an optional" };

/* Names come from the file: shown, never printed raw. */
static const char *shown(const char *name, char *out, size_t cap)
{
	return og_str_show(og_str_of(name), out, cap);
}

static og_status add_provider(og_ort *o, OrtSessionOptions *options, const char *provider, og_error *err)
{
	static const char suffix[] = "ExecutionProvider";
	char name[64];
	size_t n = strlen(provider);

	if (!n || og_streq(provider, "CPUExecutionProvider"))
		return OG_OK;
	if (!strstr(o->providers, provider))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "execution provider %s is not in this library, which has %s", provider, o->providers);
	if (og_streq(provider, "CUDAExecutionProvider")) {
		OrtCUDAProviderOptionsV2 *cuda = NULL;
		OG_TRY(og_ort_check(o, o->CreateCUDAProviderOptions(&cuda), provider, err));
		og_status s = og_ort_check(o, o->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda), provider, err);
		o->ReleaseCUDAProviderOptions(cuda);
		return s;
	}
	if (og_ends_with(provider, suffix)) /* the call takes the short forms: "OpenVINO", "QNN" */
		n -= sizeof(suffix) - 1;
	if (n >= sizeof(name))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "execution provider %.60s… is not known", provider);
	memcpy(name, provider, n);
	name[n] = '\0';
	if (og_streq(name, "Xnnpack"))
		memcpy(name, "XNNPACK", sizeof("XNNPACK"));
	return og_ort_check(o, o->SessionOptionsAppendExecutionProvider(options, name, NULL, NULL, 0), provider, err);
}

static og_status set_options(og_ort *o, OrtSessionOptions *options, const og_ort_open *a, og_error *err)
{
	static const int levels[] = { LEVEL_ALL, 0, 1, 2 };
	int level = a->level < OG_COUNT(levels) ? levels[a->level] : LEVEL_ALL;

	OG_TRY(og_ort_check(o, o->SetSessionLogSeverityLevel(options, OG_ORT_LOG_ERROR), "log level", err));
	OG_TRY(og_ort_check(o, o->SetSessionGraphOptimizationLevel(options, level), "optimisation level", err));
	if (a->threads)
		OG_TRY(og_ort_check(o, o->SetIntraOpNumThreads(options, (int)a->threads), "threads", err));
	/* Spinning threads make figures on a shared machine depend on who else is on it. */
	OG_TRY(og_ort_check(o, o->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"), "spinning", err));
	if (a->few_runs)
		OG_TRY(og_ort_check(o, o->AddSessionConfigEntry(options, "session.disable_prepacking", "1"), "prepacking", err));
	return add_provider(o, options, a->provider, err);
}

static og_status create(og_ort_session *s, const og_ort_open *a, og_error *err)
{
	og_ort *o = s->ort;
	OrtSessionOptions *options = NULL;
	og_status st;
	double begin;

	OG_TRY(og_ort_check(o, o->CreateSessionOptions(&options), "session options", err));
	st = set_options(o, options, a, err);
	if (st == OG_OK) {
		begin = og_now_ms();
		st = og_ort_check(o, o->CreateSession(o->env, a->path, options, &s->session), "ONNX Runtime refuses it", err);
		s->load_ms = og_now_ms() - begin;
	}
	o->ReleaseSessionOptions(options);
	return st;
}

static og_status describe_dims(og_ort_session *s, const OrtTensorTypeAndShapeInfo *info, og_rt_port *p, og_error *err)
{
	og_ort *o = s->ort;
	const char *symbols[OG_RANK_MAX] = { 0 };
	char name[128];
	size_t rank = 0;
	int type = 0;

	OG_TRY(og_ort_check(o, o->GetTensorElementType(info, &type), "element type", err));
	OG_TRY(og_ort_check(o, o->GetDimensionsCount(info, &rank), "rank", err));
	if (type < 0 || (!og_rt_bits((uint32_t)type) && (uint32_t)type != OG_RT_STRING))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "'%s' has element type %d, which is not known", shown(p->name, name, sizeof(name)), type);
	if (rank > OG_RANK_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "'%s' has %zu dims, at most %d are done", shown(p->name, name, sizeof(name)), rank, OG_RANK_MAX);
	OG_TRY(og_ort_check(o, o->GetDimensions(info, p->dims, rank), "dims", err));
	OG_TRY(og_ort_check(o, o->GetSymbolicDimensions(info, symbols, rank), "symbolic dims", err));
	p->dtype = (uint32_t)type;
	p->rank = (uint32_t)rank;
	for (size_t i = 0; i < rank; i++) {
		if (p->dims[i] < 0)
			p->dims[i] = -1;
		p->symbols[i] = og_arena_strdup(s->arena, symbols[i] ? symbols[i] : "");
		if (!p->symbols[i])
			return og_fail_nomem(err);
	}
	return OG_OK;
}

static og_status describe(og_ort_session *s, bool input, size_t i, og_rt_port *p, og_error *err)
{
	og_ort *o = s->ort;
	const OrtTensorTypeAndShapeInfo *info = NULL;
	OrtTypeInfo *type = NULL;
	char *name = NULL, show[128];
	int kind = 0;
	og_status st;

	st = og_ort_check(o, (input ? o->SessionGetInputName : o->SessionGetOutputName)(s->session, i, o->allocator, &name), "port name", err);
	if (st != OG_OK)
		return st;
	p->name = og_arena_strdup(s->arena, name);
	st = og_ort_check(o, o->AllocatorFree(o->allocator, name), "port name", err);
	if (st != OG_OK)
		return st;
	if (!p->name)
		return og_fail_nomem(err);
	OG_TRY(og_ort_check(o, (input ? o->SessionGetInputTypeInfo : o->SessionGetOutputTypeInfo)(s->session, i, &type), "port type", err));
	st = og_ort_check(o, o->GetOnnxTypeFromTypeInfo(type, &kind), "port type", err);
	if (st == OG_OK && kind != VALUE_TENSOR)
		st = og_fail(err, ONNXGATE_UNSUPPORTED, "%s '%s' is %s, only tensors are done", input ? "input" : "output", shown(p->name, show, sizeof(show)),
		             kind >= 0 && kind < (int)OG_COUNT(value_kinds) ? value_kinds[kind] : "an unknown type");
	if (st == OG_OK)
		st = og_ort_check(o, o->CastTypeInfoToTensorInfo(type, &info), "port type", err);
	if (st == OG_OK && info)
		st = describe_dims(s, info, p, err);
	o->ReleaseTypeInfo(type);
	return st;
}

static og_status describe_all(og_ort_session *s, og_error *err)
{
	og_ort *o = s->ort;

	OG_TRY(og_ort_check(o, o->SessionGetInputCount(s->session, &s->nin), "inputs", err));
	OG_TRY(og_ort_check(o, o->SessionGetOutputCount(s->session, &s->nout), "outputs", err));
	if (s->nin > OG_RT_PORTS_MAX || s->nout > OG_RT_PORTS_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%zu inputs and %zu outputs, at most %u of each are done", s->nin, s->nout, OG_RT_PORTS_MAX);
	s->in = og_arena_array(s->arena, s->nin + 1, sizeof(*s->in));
	s->out = og_arena_array(s->arena, s->nout + 1, sizeof(*s->out));
	s->out_names = og_arena_array(s->arena, s->nout + 1, sizeof(*s->out_names));
	if (!s->in || !s->out || !s->out_names)
		return og_fail_nomem(err);
	for (size_t i = 0; i < s->nin; i++)
		OG_TRY(describe(s, true, i, &s->in[i], err));
	for (size_t i = 0; i < s->nout; i++) {
		OG_TRY(describe(s, false, i, &s->out[i], err));
		s->out_names[i] = s->out[i].name;
	}
	return OG_OK;
}

og_status og_ort_session_open(og_ort *o, const og_ort_open *a, og_ort_session **out, og_error *err)
{
	og_auto(og_ort_session) *s = og_alloc(sizeof(*s));

	if (!s)
		return og_fail_nomem(err);
	s->ort = o;
	s->arena = og_arena_new();
	if (!s->arena)
		return og_fail_nomem(err);
	OG_TRY(create(s, a, err));
	OG_TRY(describe_all(s, err));
	*out = og_steal(&s);
	return OG_OK;
}

void og_ort_session_free(og_ort_session *s)
{
	if (!s)
		return;
	if (s->session)
		s->ort->ReleaseSession(s->session);
	og_arena_free(s->arena);
	og_free(s);
}

og_status og_ort_feed_make(og_ort *o, const og_rt_array *arrays, void **memory, size_t n, og_arena *arena, og_ort_feed *out, og_error *err)
{
	char name[128];

	out->names = og_arena_array(arena, n + 1, sizeof(*out->names));
	out->values = og_arena_array(arena, n + 1, sizeof(*out->values));
	out->memory = memory;
	if (!out->names || !out->values)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const og_rt_array *a = &arrays[i];
		out->names[i] = a->name;
		out->n = i;
		OG_TRY(og_ort_check(o, o->CreateTensorWithDataAsOrtValue(o->cpu, memory[i], (size_t)a->bytes, a->dims, a->rank, (int)a->dtype, &out->values[i]),
		                    shown(a->name, name, sizeof(name)), err));
	}
	out->n = n;
	return OG_OK;
}

void og_ort_release_values(og_ort *o, OrtValue **values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (values[i])
			o->ReleaseValue(values[i]);
		values[i] = NULL;
	}
}

void og_ort_feed_done(og_ort *o, og_ort_feed *f)
{
	if (f->values)
		og_ort_release_values(o, f->values, f->n);
}

og_status og_ort_run(og_ort_session *s, const og_ort_feed *f, OrtValue **outputs, og_error *err)
{
	og_ort *o = s->ort;

	return og_ort_check(o, o->Run(s->session, NULL, f->names, (const OrtValue *const *)f->values, f->n, s->out_names, s->nout, outputs), "run", err);
}

og_status og_ort_output(og_ort_session *s, size_t i, OrtValue *value, og_rt_array *out, void **data, og_error *err)
{
	og_ort *o = s->ort;
	OrtTensorTypeAndShapeInfo *info = NULL;
	char name[128];
	size_t rank = 0;
	int type = 0, tensor = 0;
	og_status st;

	*out = (og_rt_array){ .name = s->out_names[i] };
	shown(out->name, name, sizeof(name));
	if (value)
		OG_TRY(og_ort_check(o, o->IsTensor(value, &tensor), name, err));
	if (!tensor)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "output '%s' is not a tensor", name);
	OG_TRY(og_ort_check(o, o->GetTensorTypeAndShape(value, &info), name, err));
	st = og_ort_check(o, o->GetTensorElementType(info, &type), name, err);
	if (st == OG_OK)
		st = og_ort_check(o, o->GetDimensionsCount(info, &rank), name, err);
	if (st == OG_OK && rank > OG_RANK_MAX)
		st = og_fail(err, ONNXGATE_UNSUPPORTED, "output '%s' has %zu dims, at most %d are done", name, rank, OG_RANK_MAX);
	if (st == OG_OK)
		st = og_ort_check(o, o->GetDimensions(info, out->dims, rank), name, err);
	o->ReleaseTensorTypeAndShapeInfo(info);
	if (st != OG_OK)
		return st;
	out->dtype = (uint32_t)type;
	out->rank = (uint32_t)rank;
	if (type < 0 || !og_rt_bits((uint32_t)type))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "output '%s' has element type %d%s, which is not done", name, type,
		               type == (int)OG_RT_STRING ? " (string)" : "");
	if (!og_rt_bytes(out->dtype, out->rank, out->dims, &out->bytes))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "output '%s' is larger than %llu bytes", name, (unsigned long long)OG_RT_ARRAYS_MAX);
	return og_ort_check(o, o->GetTensorMutableData(value, data), name, err);
}
