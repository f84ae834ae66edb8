/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the zip walk share: an archive in memory, opened, and an honest archive to lie about. */
#ifndef OG_TESTS_ZIP_OPEN_H
#define OG_TESTS_ZIP_OPEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/zip.h"
#include "zip_make.h"

typedef struct opened {
	og_source *s;
	og_arena *a;
	og_zip *z;
	og_error err;
	og_status status;
} opened;

static inline opened open_bytes(const void *p, size_t n)
{
	opened o = { .a = og_arena_new() };
	assert_non_null(o.a);
	assert_int_equal(og_source_memory("x.pt", p, n, &o.s, NULL), OG_OK);
	o.status = og_zip_open(o.s, o.a, &o.z, &o.err);
	if (o.status != OG_OK) {
		assert_null(o.z);
		assert_int_equal(o.err.status, o.status);
		assert_non_null(strstr(o.err.message, "x.pt: "));
	}
	return o;
}

static inline void done(opened *o)
{
	og_arena_free(o->a);
	og_source_free(o->s);
}

/* Opens, or is refused with this status and words of this kind; m is done with. */
static inline void expect(zip_make *m, og_status status, const char *words)
{
	opened o = open_bytes(m->p, m->n);
	if (o.status != status || (words && !strstr(o.err.message, words)))
		fail_msg("expected status %d with \"%s\", found %d \"%s\"", (int)status, words ? words : "", (int)o.status, o.err.message);
	done(&o);
	zm_done(m);
}

static const char text[] = "weights weights weights weights weights weights weights weights weights weights weights weights";

static inline zip_make three(unsigned how, unsigned how_end)
{
	zip_make m = { 0 };
	zm_add(&m, "m/data.pkl", text, sizeof text, how);
	zm_add(&m, "m/data/0", text, 7, how);
	zm_add(&m, "m/empty", "", 0, how & ~(unsigned)(ZM_DESCRIPTOR | ZM_DEFLATE));
	zm_finish(&m, how_end);
	return m;
}

#endif
