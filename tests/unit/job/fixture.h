/* SPDX-License-Identifier: Apache-2.0
 *
 * A scratch folder for the tests of one program, and an environment of which only what a test sets is left. */
#ifndef OG_TESTS_JOB_FIXTURE_H
#define OG_TESTS_JOB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch[] = "/tmp/onnxgate-job-XXXXXX";

/* The path of a name in the scratch folder; four may be in use at a time. */
static inline const char *at(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *p = paths[turn++ % 4];
	snprintf(p, sizeof(paths[0]), "%s/%s", scratch, name);
	return p;
}

static inline void put(const char *name, const char *text)
{
	assert_int_equal(og_file_write(at(name), text, strlen(text), NULL), OG_OK);
}

static inline size_t count_entries(const char *path)
{
	og_dirlist list = { 0 };
	assert_int_equal(og_dir_list(path, &list, NULL), OG_OK);
	size_t n = list.n;
	og_dirlist_done(&list);
	return n;
}

/* Before each test: an empty folder. */
static inline int begin(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/onnxgate-job-XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static inline int end(void **state)
{
	(void)state;
	return og_remove_tree(scratch, NULL) == OG_OK ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

#endif
