/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the structure level over a model made from text (make_onnx.h) and asks for its rows. */
#ifndef OG_TEST_ROWS_H
#define OG_TEST_ROWS_H

#include "../onnx/make_onnx.h"

#include "check/structure.h"

static og_arena *rows_arena;
static og_checks rows_checks;

static inline int rows_setup(void **state)
{
	(void)state;
	rows_arena = og_arena_new();
	return rows_arena ? 0 : -1;
}

static inline int rows_teardown(void **state)
{
	(void)state;
	og_arena_free(rows_arena);
	return 0;
}

static inline void rows_check_bytes(const og_buf *b, const char *folder)
{
	og_auto(og_source) *s = NULL;
	og_error err = { 0 };

	og_checks_init(&rows_checks, rows_arena);
	assert_int_equal(og_source_memory("m.onnx", b->p, b->n, &s, NULL), OG_OK);
	if (og_check_structure_source(s, folder, NULL, &rows_checks, &err) != OG_OK)
		fail_msg("%s", err.message);
}

static inline void rows_check(const char *text)
{
	og_buf b = make_model(text);

	rows_check_bytes(&b, NULL);
	og_buf_done(&b);
}

static inline const onnxgate_check_row *rows_find(const char *name)
{
	for (size_t i = 0; i < rows_checks.count; i++) {
		if (strcmp(rows_checks.rows[i].name, name) == 0)
			return &rows_checks.rows[i];
	}
	fail_msg("no row %s", name);
	return NULL;
}

/* Row `name` has that status and its detail holds `words`. */
static inline void rows_expect(const char *text, const char *name, onnxgate_check_status status, double value, const char *words)
{
	const onnxgate_check_row *r;

	rows_check(text);
	r = rows_find(name);
	if (r->status != status || r->value != value || !strstr(r->detail, words))
		fail_msg("%s: expected status %d, value %g, \"%s\"; found %d, %g, \"%s\"", name, (int)status, value, words, (int)r->status, r->value, r->detail);
}

static inline void rows_fails(const char *text, const char *name, const char *words)
{
	rows_expect(text, name, ONNXGATE_CHECK_FAIL, 1, words);
}

/* Every row passes. */
static inline void rows_passes(const char *text)
{
	rows_check(text);
	assert_int_equal(rows_checks.count, 8);
	for (size_t i = 0; i < rows_checks.count; i++) {
		if (rows_checks.rows[i].status != ONNXGATE_CHECK_PASS)
			fail_msg("%s: %s in:\n%s", rows_checks.rows[i].name, rows_checks.rows[i].detail, text);
	}
}

#endif
