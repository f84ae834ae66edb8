/* SPDX-License-Identifier: Apache-2.0
 *
 * The callbacks of a context.  Worker threads share it, its receiver expects one call at a time: a lock stands
 * before both callbacks.  It is one lock for the whole program, as contexts are copied by value, and a recursive one, so that
 * a callback may itself call the library. */
#include "base/context.h"

#include "base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t talking = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void og_log(const og_context *c, onnxgate_log_level level, const char *fmt, ...)
{
	char text[2048], line[2048];
	va_list ap;
	if (!c || !c->log)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = 0;
	va_end(ap);
	og_str_line(text, line, sizeof line);
	pthread_mutex_lock(&talking);
	c->log(c->arg, level, line);
	pthread_mutex_unlock(&talking);
}

void og_progress(const og_context *c, const char *what, uint64_t done, uint64_t total)
{
	if (!c || !c->progress)
		return;
	pthread_mutex_lock(&talking);
	c->progress(c->arg, what, done, total);
	pthread_mutex_unlock(&talking);
}

bool og_cancelled(const og_context *c)
{
	return c && c->cancel && __atomic_load_n(c->cancel, __ATOMIC_RELAXED);
}

og_status og_check_cancel(const og_context *c, og_error *err)
{
	return og_cancelled(c) ? og_fail(err, ONNXGATE_CANCELLED, "interrupted") : OG_OK;
}

int og_context_threads(const og_context *c)
{
	return c && c->threads > 1 ? c->threads : 1;
}
