/* SPDX-License-Identifier: Apache-2.0
 *
 * The database behind a vtable: every run is recorded, failures included. */
#ifndef OG_RECORD_RECORD_H
#define OG_RECORD_RECORD_H

#include "base/alloc.h"
#include "base/error.h"

typedef struct og_record og_record;

/* url: "sqlite:PATH" or a bare path; the folder is made. Migrates to the newest schema inside one transaction; a
 * database newer than the program is opened for reading only. UNSUPPORTED for other schemes. */
og_status og_record_open(const char *url, og_record **out, og_error *err) OG_MUST;
const char *og_record_url(const og_record *r);
const char *og_record_read_only(const og_record *r); /* why nothing can be recorded in it, or NULL: it can be written */
/* models, verifications (one row a run), onnx_conversions (when converted or when a conversion failed): one transaction. */
og_status og_record_result(og_record *r, const onnxgate_result *res, int64_t *id, og_error *err) OG_MUST;
og_status og_record_bench(og_record *r, const onnxgate_bench_result *res, og_error *err) OG_MUST;
/* One reading statement (else INVALID); sql NULL: the newest runs. */
og_status og_record_query(og_record *r, const char *sql, onnxgate_table **out, og_error *err) OG_MUST;
/* Polled while a query runs: non-zero ends it with CANCELLED. NULL (the default): it runs to its end. */
void og_record_cancel(og_record *r, const int *cancel);
void og_record_free(og_record *r);
OG_DEFINE_FREEP(og_record)

#endif
