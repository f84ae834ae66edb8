/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of checks, and the verdict that they add up to. */
#include "check/check.h"

enum { DETAIL_MAX = 640 };

void og_checks_init(og_checks *c, og_arena *arena)
{
	*c = (og_checks){ .arena = arena };
}

/* One printable line, whatever names the file brought along. */
static const char *one_line(og_arena *arena, const char *text)
{
	char shown[DETAIL_MAX];

	return og_arena_strdup(arena, og_str_show(og_str_of(text), shown, sizeof(shown)));
}

void og_check_add(og_checks *c, const char *name, onnxgate_level level, onnxgate_check_status status, double value, double limit, const char *fmt, ...)
{
	const char *detail, *kept;
	va_list ap;

	if (!og_arena_grow(c->arena, &c->rows, &c->cap, c->count + 1, sizeof(*c->rows))) {
		c->nomem = true;
		return;
	}
	va_start(ap, fmt);
	detail = og_arena_vprintf(c->arena, fmt, ap);
	va_end(ap);
	detail = detail ? one_line(c->arena, detail) : NULL;
	kept = og_arena_strdup(c->arena, name);
	if (!detail || !kept) {
		c->nomem = true;
		return;
	}
	c->rows[c->count++] = (onnxgate_check_row){ .name = kept, .level = level, .status = status, .value = value, .limit = limit, .detail = detail };
}

static onnxgate_level effective(onnxgate_level asked)
{
	return asked == ONNXGATE_VALIDATE_DEFAULT ? ONNXGATE_VALIDATE_RUNTIME : asked;
}

/* A structure check that could not be made is the runtime's to decide, when the runtime was asked. */
static bool skip_counts(const onnxgate_check_row *r, onnxgate_level asked)
{
	return r->level <= asked && (r->level == asked || r->level > ONNXGATE_VALIDATE_STRUCTURE);
}

onnxgate_verdict og_checks_verdict(const og_checks *c, onnxgate_level asked)
{
	bool unknown = false, passed = false;

	asked = effective(asked);
	for (size_t i = 0; i < c->count; i++) {
		const onnxgate_check_row *r = &c->rows[i];

		if (r->status == ONNXGATE_CHECK_FAIL)
			return ONNXGATE_FAIL;
		if (r->status == ONNXGATE_CHECK_SKIPPED)
			unknown = unknown || skip_counts(r, asked);
		else if (r->level >= asked)
			passed = true;
	}
	if (c->nomem || unknown)
		return ONNXGATE_UNKNOWN;
	return passed || asked == ONNXGATE_VALIDATE_NONE ? ONNXGATE_PASS : ONNXGATE_UNKNOWN;
}
