/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading the library and turning its answers into ours.  dlopen, OrtGetApiBase, GetApi(17): after that every
 * function is copied out of the struct by its position. */
#include "helper/ort.h"

#include "base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef struct api_base { /* OrtApiBase */
	const void *const *(*get_api)(uint32_t version);
	const char *(*version)(void);
} api_base;

static void bind_functions(og_ort *o)
{
	/* ISO C has no cast from a data pointer to a function pointer; POSIX has the representation. */
#define OG_ORT_BIND(position, name, result, parameters) memcpy(&o->name, &o->api[position], sizeof(o->name));
	OG_ORT_FUNCTIONS(OG_ORT_BIND)
#undef OG_ORT_BIND
}

/* The file that holds this symbol: what the linker found for a bare name. */
static char *file_of(const void *symbol, const char *asked)
{
	Dl_info info;

	if (dladdr(symbol, &info) && info.dli_fname && info.dli_fname[0])
		return og_strdup(info.dli_fname);
	return og_strdup(asked);
}

og_status og_ort_load(og_ort *o, const char *path, og_error *err)
{
	const api_base *(*get_base)(void) = NULL;
	const api_base *base;
	const char *version, *why;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;

	if (!handle) {
		why = dlerror();
		if (why && og_starts_with(why, path)) /* "PATH: why": the name is ours to say */
			why += strlen(path) + (og_starts_with(why + strlen(path), ": ") ? 2u : 0u);
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: %s", path, why ? why : "cannot be loaded");
	}
	symbol = dlsym(handle, "OrtGetApiBase");
	memcpy(&get_base, &symbol, sizeof(get_base));
	base = get_base ? get_base() : NULL;
	if (!base) {
		dlclose(handle);
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: is not ONNX Runtime, it has no OrtGetApiBase", path);
	}
	version = base->version();
	o->api = base->get_api(OG_ORT_API_VERSION);
	if (!o->api) {
		og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "%s: ONNX Runtime %s, expected 1.17 or newer", path, version ? version : "?");
		dlclose(handle);
		return s;
	}
	o->handle = handle;
	o->path = file_of(symbol, path);
	o->version = og_strdup(version ? version : "?");
	if (!o->path || !o->version)
		return og_fail_nomem(err);
	bind_functions(o);
	return OG_OK;
}

static void on_log(void *param, int severity, const char *category, const char *logid, const char *location, const char *message)
{
	og_ort *o = param;

	(void)category, (void)logid, (void)location;
	if (severity < OG_ORT_LOG_ERROR || !message)
		return;
	/* Pinning threads is forbidden in many containers; it is said at error level and changes no result. */
	if (strstr(message, "affinity"))
		return;
	snprintf(o->log, sizeof(o->log), "%s", message);
}

og_status og_ort_check(og_ort *o, OrtStatus *status, const char *what, og_error *err)
{
	const char *said;
	og_status s = ONNXGATE_FAILED;

	if (!status)
		return OG_OK;
	said = o->GetErrorMessage(status);
	if (!said || !said[0])
		said = "no reason given";
	/* The log names the node where the status sometimes does not. */
	if (o->log[0] && !strstr(said, o->log) && !strstr(o->log, said))
		s = og_fail(err, s, "%s: %s (%s)", what, said, o->log);
	else
		s = og_fail(err, s, "%s: %s", what, said);
	o->ReleaseStatus(status);
	return s;
}

static og_status list_providers(og_ort *o, og_error *err)
{
	char **names = NULL;
	int n = 0;
	og_auto_buf b;

	og_buf_init(&b, OG_RT_TEXT_MAX);
	OG_TRY(og_ort_check(o, o->GetAvailableProviders(&names, &n), "providers", err));
	for (int i = 0; i < n; i++)
		og_buf_printf(&b, "%s%s", i ? "," : "", names[i]);
	OG_TRY(og_ort_check(o, o->ReleaseAvailableProviders(names, n), "providers", err));
	o->providers = og_buf_take(&b);
	return o->providers ? OG_OK : og_fail_nomem(err);
}

og_status og_ort_start(og_ort *o, og_error *err)
{
	OG_TRY(og_ort_check(o, o->CreateEnvWithCustomLogger(on_log, o, OG_ORT_LOG_ERROR, "onnxgate", &o->env), "environment", err));
	OG_TRY(og_ort_check(o, o->DisableTelemetryEvents(o->env), "telemetry", err));
	OG_TRY(og_ort_check(o, o->CreateCpuMemoryInfo(0, 0, &o->cpu), "memory info", err));
	OG_TRY(og_ort_check(o, o->GetAllocatorWithDefaultOptions(&o->allocator), "allocator", err));
	return list_providers(o, err);
}

void og_ort_done(og_ort *o)
{
	if (o->cpu)
		o->ReleaseMemoryInfo(o->cpu);
	if (o->env)
		o->ReleaseEnv(o->env);
	og_free(o->path);
	og_free(o->version);
	og_free(o->providers);
	memset(o, 0, sizeof(*o));
}
