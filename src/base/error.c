/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling an og_error.  A text is formatted aside first: its arguments may be parts of the very struct. */
#include "base/error.h"

#include "base/alloc.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_text(char *out, size_t cap, const char *fmt, va_list ap)
{
	char text[4 * sizeof((og_error *)0)->message];
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = 0;
	og_str_line(text, out, cap);
}

static og_status fail(og_error *err, og_status status, uint64_t offset, const char *fmt, va_list ap)
{
	if (!err)
		return status;
	set_text(err->message, sizeof err->message, fmt, ap);
	err->status = status;
	err->offset = offset;
	err->hint[0] = 0;
	return status;
}

og_status og_fail(og_error *err, og_status status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(err, status, ONNXGATE_NO_OFFSET, fmt, ap);
	va_end(ap);
	return status;
}

og_status og_fail_at(og_error *err, og_status status, uint64_t offset, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fail(err, status, offset, fmt, ap);
	va_end(ap);
	return status;
}

static const char *hint_for(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return "free some space on that disk, or choose a folder on another one";
	case EACCES:
	case EPERM:
	case EROFS:
		return "check the permissions of that path, or choose another folder";
	case EMFILE:
	case ENFILE:
		return "too many files are open: raise the limit (ulimit -n)";
	default:
		return NULL;
	}
}

og_status og_fail_errno(og_error *err, int errnum, const char *what, const char *path)
{
	/* strerror() of glibc ≥ 2.32 and of musl is safe with threads. */
	const char *hint = hint_for(errnum);
	if (path)
		og_fail(err, ONNXGATE_IO, "%s %s: %s", what, path, strerror(errnum));
	else
		og_fail(err, ONNXGATE_IO, "%s: %s", what, strerror(errnum));
	if (hint)
		og_error_hint(err, "%s", hint);
	return ONNXGATE_IO;
}

og_status og_fail_nomem(og_error *err)
{
	return og_fail(err, ONNXGATE_NOMEM, "out of memory");
}

void og_error_prefix(og_error *err, const char *fmt, ...)
{
	char prefix[sizeof err->message], joined[2 * sizeof err->message + 2];
	va_list ap;
	if (!err)
		return;
	va_start(ap, fmt);
	set_text(prefix, sizeof prefix, fmt, ap);
	va_end(ap);
	snprintf(joined, sizeof joined, "%s: %s", prefix, err->message);
	og_str_line(joined, err->message, sizeof err->message);
}

void og_error_hint(og_error *err, const char *fmt, ...)
{
	va_list ap;
	if (!err)
		return;
	va_start(ap, fmt);
	set_text(err->hint, sizeof err->hint, fmt, ap);
	va_end(ap);
}

const char *og_status_name(og_status s)
{
	switch (s) {
	case ONNXGATE_OK:
		return "OK";
	case ONNXGATE_FAILED:
		return "FAILED";
	case ONNXGATE_INVALID:
		return "INVALID";
	case ONNXGATE_NOT_FOUND:
		return "NOT_FOUND";
	case ONNXGATE_NO_ACCESS:
		return "NO_ACCESS";
	case ONNXGATE_NETWORK:
		return "NETWORK";
	case ONNXGATE_UNSUPPORTED:
		return "UNSUPPORTED";
	case ONNXGATE_UNSAFE:
		return "UNSAFE";
	case ONNXGATE_IO:
		return "IO";
	case ONNXGATE_INTERNAL:
		return "INTERNAL";
	case ONNXGATE_FORMAT:
		return "FORMAT";
	case ONNXGATE_MISMATCH:
		return "MISMATCH";
	case ONNXGATE_CONVERSION:
		return "CONVERSION";
	case ONNXGATE_NOMEM:
		return "NOMEM";
	case ONNXGATE_CANCELLED:
		return "CANCELLED";
	}
	return "UNKNOWN";
}

int og_exit_code(og_status s)
{
	if (s == ONNXGATE_NOMEM)
		return ONNXGATE_IO;
	if (og_streq(og_status_name(s), "UNKNOWN")) /* a number that is no status must not pass for success */
		return ONNXGATE_INTERNAL;
	return (int)s;
}
