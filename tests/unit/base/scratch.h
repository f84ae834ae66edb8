/* SPDX-License-Identifier: Apache-2.0
 *
 * What the unit tests of files share: cmocka with what it needs, and a folder that is made for each test and
 * removed after it: cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove), then scratch("name"). */
#ifndef OG_TEST_SCRATCH_H
#define OG_TEST_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char scratch_dir[80]; /* short: a socket's path has room for 107 bytes */

static inline int scratch_make(void **state)
{
	const char *tmp = getenv("TMPDIR");
	(void)state;
	snprintf(scratch_dir, sizeof scratch_dir, "%s/og_test.XXXXXX", tmp && strlen(tmp) < 60 ? tmp : "/tmp");
	return mkdtemp(scratch_dir) ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
	(void)state;
	return og_remove_tree(scratch_dir, NULL) == OG_OK ? 0 : -1;
}

/* A path in the folder; good until the eighth call after this one. */
static inline const char *scratch(const char *name)
{
	static char paths[8][512];
	static int next;
	char *p = paths[next++ % 8];
	snprintf(p, sizeof paths[0], "%s/%s", scratch_dir, name);
	return p;
}

static inline void scratch_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static inline void scratch_expect(const char *path, const char *text)
{
	og_auto_buf b;
	og_buf_init(&b, 1 << 20);
	assert_int_equal(og_file_read(path, 1 << 20, &b, NULL), OG_OK);
	assert_string_equal(og_buf_cstr(&b), text);
}

/* How many entries the folder has: to see that nothing was left behind. */
static inline size_t scratch_count(const char *path)
{
	og_dirlist l;
	size_t n;
	assert_int_equal(og_dir_list(path, &l, NULL), OG_OK);
	n = l.n;
	og_dirlist_done(&l);
	return n;
}

#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)

#endif
