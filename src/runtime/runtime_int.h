/* SPDX-License-Identifier: Apache-2.0
 *
 * The vtable behind runtime.h.  A kind of runtime embeds og_runtime as its first member and fills og_session;
 * everything that can be checked without it (names, types, sizes of arrays) is checked before it is called. */
#ifndef OG_RUNTIME_RUNTIME_INT_H
#define OG_RUNTIME_RUNTIME_INT_H

#include "runtime/runtime.h"

typedef struct og_runtime_ops {
	const char *name; /* "onnxruntime" */
	og_status (*open)(const og_runtime_options *o, const og_context *ctx, og_runtime **out, og_error *err);
	/* Fills the ports and load_ms of s, whose arena and runtime are set. */
	og_status (*session_open)(og_session *s, const char *path, const og_session_options *o, og_error *err);
	og_status (*run)(og_session *s, const og_array *in, size_t nin, og_arena *arena, og_array **out, size_t *nout, og_error *err);
	og_status (*time)(og_session *s, const og_array *in, size_t nin, int warmup, int runs, double *ms, og_error *err);
	void (*session_close)(og_session *s);
	uint64_t (*peak)(const og_runtime *r);
	void (*free)(og_runtime *r);
} og_runtime_ops;

struct og_runtime {
	const og_runtime_ops *ops;
	og_arena *arena; /* texts */
	const char *version, *library, *providers;
	const char *provider; /* the one asked for */
	og_session *session;  /* the open one, or NULL */
};

struct og_session {
	og_runtime *runtime;
	og_arena *arena;
	const char *name; /* the file's, for messages */
	og_port *in, *out;
	size_t nin, nout;
	double load_ms;
	uint64_t time_peak;
	bool open; /* the runtime holds it, too */
};

extern const og_runtime_ops og_runtime_onnxruntime;

#endif
