/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of text under construction. The table and all its text live in one arena, its `owner`. */
#ifndef OG_BASE_TABLE_H
#define OG_BASE_TABLE_H

#include "base/alloc.h"
#include "base/error.h"

og_status og_table_new(const char *title, const char *const *columns, size_t ncolumns, onnxgate_table **out, og_error *err) OG_MUST;
/* ncolumns cells, copied; NULL: no value. */
og_status og_table_row(onnxgate_table *t, const char *const *cells, og_error *err) OG_MUST;
void og_table_free(onnxgate_table *t); /* what onnxgate_table_free() does */

static inline void og_table_freep(onnxgate_table **t)
{
	og_table_free(*t);
}
#define og_auto_table __attribute__((cleanup(og_table_freep))) onnxgate_table

#endif
