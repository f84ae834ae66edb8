/* SPDX-License-Identifier: Apache-2.0
 *
 * ONNX Runtime as the runtime child sees it: a shared library that is loaded by name, and its functions by
 * position (ort_functions.h). */
#ifndef OG_HELPER_ORT_H
#define OG_HELPER_ORT_H

#include "base/arena.h"
#include "helper/ort_functions.h"
#include "runtime/protocol.h"

typedef struct OrtAllocator OrtAllocator;
typedef struct OrtCUDAProviderOptionsV2 OrtCUDAProviderOptionsV2;
typedef struct OrtEnv OrtEnv;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtStatus OrtStatus;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtValue OrtValue;
typedef void (*OrtLogFunction)(void *param, int severity, const char *category, const char *logid, const char *location, const char *message);

#define OG_ORT_LOG_ERROR 3
#define OG_ORT_LOG_MAX 512

typedef struct og_ort {
	void *handle; /* of dlopen; never closed: the library keeps threads and destructors of its own */
	const void *const *api;
	char *path;
	char *version;
	char *providers; /* comma-separated */
	OrtEnv *env;
	OrtMemoryInfo *cpu;
	OrtAllocator *allocator; /* the library's own, not ours to free */
	char log[OG_ORT_LOG_MAX]; /* the last line at error level since the request began */
#define OG_ORT_MEMBER(position, name, result, parameters) result(*name) parameters;
	OG_ORT_FUNCTIONS(OG_ORT_MEMBER)
#undef OG_ORT_MEMBER
} og_ort;

/* Load one library. UNSUPPORTED with the reason when it cannot be loaded, is something else, or is too old. */
og_status og_ort_load(og_ort *o, const char *path, og_error *err) OG_MUST;
/* asked "": $ONNXGATE_ORT_LIBRARY, runtime/ beside this program, the linker's path, pip's folders. */
og_status og_ort_find(og_ort *o, const char *asked, og_error *err) OG_MUST;
/* Environment, allocator and the list of providers, once after loading. */
og_status og_ort_start(og_ort *o, og_error *err) OG_MUST;
void og_ort_done(og_ort *o);
/* NULL is OK; else FAILED with "WHAT: the runtime's words", and the status is released. */
og_status og_ort_check(og_ort *o, OrtStatus *status, const char *what, og_error *err) OG_MUST;

typedef struct og_ort_session {
	og_ort *ort;
	og_arena *arena;
	OrtSession *session;
	double load_ms;
	og_rt_port *in, *out;
	size_t nin, nout;
	const char **out_names;
} og_ort_session;

typedef struct og_ort_open {
	const char *path, *provider;
	uint32_t threads, level, few_runs;
} og_ort_open;

og_status og_ort_session_open(og_ort *o, const og_ort_open *a, og_ort_session **out, og_error *err) OG_MUST;
void og_ort_session_free(og_ort_session *s);
OG_DEFINE_FREEP(og_ort_session)

typedef struct og_ort_feed { /* the inputs of one request */
	size_t n;
	const char **names;
	OrtValue **values;
	void **memory;
} og_ort_feed;

/* Wraps the n arrays at memory, which stays the caller's. */
og_status og_ort_feed_make(og_ort *o, const og_rt_array *arrays, void **memory, size_t n, og_arena *arena, og_ort_feed *out, og_error *err) OG_MUST;
void og_ort_feed_done(og_ort *o, og_ort_feed *f);
/* One execution; outputs has nout places and is released with og_ort_release_values(). */
og_status og_ort_run(og_ort_session *s, const og_ort_feed *f, OrtValue **outputs, og_error *err) OG_MUST;
void og_ort_release_values(og_ort *o, OrtValue **values, size_t n);
/* The shape, type and memory of output i. */
og_status og_ort_output(og_ort_session *s, size_t i, OrtValue *value, og_rt_array *out, void **data, og_error *err) OG_MUST;

#endif
