/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: rows of text in an arena. */
#include "base/table.h"

#include "base/arena.h"

typedef struct table { /* what callers see, and what growing needs */
	onnxgate_table t;
	size_t cap;
} table;

og_status og_table_new(const char *title, const char *const *columns, size_t ncolumns, onnxgate_table **out, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	table *t = a ? og_arena_alloc(a, sizeof(*t)) : NULL;
	if (!t)
		return og_fail_nomem(err);
	t->t.title = og_arena_strdup(a, title);
	t->t.columns = og_arena_array(a, ncolumns, sizeof(*t->t.columns));
	if (!t->t.title || (ncolumns && !t->t.columns))
		return og_fail_nomem(err);
	for (size_t i = 0; i < ncolumns; i++) {
		t->t.columns[i] = og_arena_strdup(a, columns[i]);
		if (!t->t.columns[i])
			return og_fail_nomem(err);
	}
	t->t.ncolumns = ncolumns;
	t->t.error.offset = ONNXGATE_NO_OFFSET;
	t->t.owner = og_steal(&a);
	*out = &t->t;
	return OG_OK;
}

og_status og_table_row(onnxgate_table *shown, const char *const *cells, og_error *err)
{
	table *t = (table *)shown;
	og_arena *a = shown->owner;
	size_t at = shown->nrows * shown->ncolumns;
	if (!og_arena_grow(a, &shown->cells, &t->cap, at + shown->ncolumns, sizeof(*shown->cells)))
		return og_fail_nomem(err);
	for (size_t i = 0; i < shown->ncolumns; i++) {
		shown->cells[at + i] = og_arena_strdup(a, cells[i]);
		if (cells[i] && !shown->cells[at + i])
			return og_fail_nomem(err);
	}
	shown->nrows++;
	return OG_OK;
}

void og_table_free(onnxgate_table *t)
{
	if (t)
		og_arena_free(t->owner); /* t lives in it */
}
