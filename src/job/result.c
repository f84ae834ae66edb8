/* SPDX-License-Identifier: Apache-2.0
 *
 * The arrays grow inside the arena: what they leave behind is small, and one free ends all. */
#include "job/result.h"

#include "base/clock.h"
#include "base/str.h"

og_result *og_result_new(const char *command)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_result *r = arena ? og_arena_alloc(arena, sizeof(*r)) : NULL;
	if (!r)
		return NULL;
	r->arena = og_steal(&arena);
	r->pub.command = command;
	r->pub.owner = r->arena;
	r->pub.error.offset = ONNXGATE_NO_OFFSET;
	r->started = og_now_ms();
	return r;
}

void og_result_free(og_result *r)
{
	if (r)
		og_arena_free(r->arena);
}

const char *og_result_str(og_result *r, const char *s)
{
	char *copy = og_arena_strdup(r->arena, s);
	r->nomem = r->nomem || (s && !copy);
	return copy;
}

void og_result_request(og_result *r, const onnxgate_request *q)
{
	r->pub.model_id = og_result_str(r, q->model);
	r->pub.requested.file = og_result_str(r, q->file);
	r->pub.requested.type = og_result_str(r, q->type);
	r->pub.requested.task = og_result_str(r, q->task);
	r->pub.requested.dtype = og_result_str(r, q->dtype);
	r->pub.requested.opset = q->opset;
	r->pub.level = q->validate == ONNXGATE_VALIDATE_DEFAULT ? ONNXGATE_VALIDATE_RUNTIME : q->validate;
}

/* Room for one more element of an array of the result; NULL: no memory. */
#define ROOM(r, array)                                                                                                 \
	(og_arena_grow((r)->arena, &(r)->pub.array, &(r)->array##_cap, (r)->pub.n##array + 1, sizeof(*(r)->pub.array))     \
	     ? &(r)->pub.array[(r)->pub.n##array++]                                                                        \
	     : ((r)->nomem = true, NULL))

void og_result_file(og_result *r, const char *path, const char *role, uint64_t size, const char *sha256)
{
	onnxgate_file_row *f = ROOM(r, files);
	if (f)
		*f = (onnxgate_file_row){ og_result_str(r, path), og_result_str(r, role), size, og_result_str(r, sha256) };
}

void og_result_checks(og_result *r, const onnxgate_check_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		onnxgate_check_row *c = ROOM(r, checks);
		if (!c)
			return;
		*c = rows[i];
		c->name = og_result_str(r, rows[i].name);
		c->detail = og_result_str(r, rows[i].detail);
	}
}

void og_result_attempt(og_result *r, const char *step, const char *outcome, og_status code, double ms, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *detail = og_arena_vprintf(r->arena, fmt, ap);
	va_end(ap);
	onnxgate_attempt_row *a = ROOM(r, attempts);
	if (a)
		*a = (onnxgate_attempt_row){ step, outcome, code, detail, ms };
	r->nomem = r->nomem || !detail;
}

void og_result_timing(og_result *r, const char *name, double ms)
{
	for (size_t i = 0; i < r->pub.ntimings; i++)
		if (og_streq(r->pub.timings[i].name, name)) {
			r->pub.timings[i].ms += ms;
			return;
		}
	onnxgate_timing_row *t = ROOM(r, timings);
	if (t)
		*t = (onnxgate_timing_row){ og_result_str(r, name), ms };
}

void og_result_note(og_result *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = og_arena_vprintf(r->arena, fmt, ap);
	va_end(ap);
	r->nomem = r->nomem || !text;
	for (size_t i = 0; text && i < r->pub.nnotes; i++)
		if (og_streq(r->pub.notes[i], text))
			return;
	const char **n = text ? ROOM(r, notes) : NULL;
	if (n)
		*n = text;
}

og_status og_result_end(og_result *r, og_status st, const og_error *err)
{
	og_result_timing(r, "total", og_now_ms() - r->started);
	if (st == OG_OK && r->nomem)
		st = og_fail_nomem(&r->pub.error);
	else if (st != OG_OK && err)
		r->pub.error = *err;
	r->pub.error.status = st;
	return st;
}
