/* SPDX-License-Identifier: Apache-2.0
 *
 * A store: what a database must be able to do for us.  Statements are ordinary SQL with `?` for each value, the
 * same text for every store; a store translates what its dialect spells otherwise. */
#ifndef OG_RECORD_RECORD_INT_H
#define OG_RECORD_RECORD_INT_H

#include "record/record.h"

typedef enum og_value_kind { OG_VALUE_NULL, OG_VALUE_INT, OG_VALUE_REAL, OG_VALUE_TEXT } og_value_kind;

typedef struct og_value {
	og_value_kind kind;
	int64_t i;
	double r;
	const char *s; /* borrowed */
} og_value;

typedef struct og_store_ops og_store_ops;

struct og_record { /* the first member of every store */
	const og_store_ops *ops;
	char *url;         /* with its scheme and an absolute path */
	const int *cancel; /* polled while a query runs, or NULL */
	og_error why;      /* status not OK: it may only be read, and this is the answer to who wants to write */
};

struct og_store_ops {
	const char *scheme; /* "sqlite" */
	og_status (*open)(const char *rest, og_record **out, og_error *err); /* rest: behind the scheme's colon */
	og_status (*begin)(og_record *r, og_error *err); /* for writing */
	/* id (may be NULL): what the statement's RETURNING gives, 0 when no row. */
	og_status (*run)(og_record *r, const char *sql, const og_value *values, size_t n, int64_t *id, og_error *err);
	og_status (*commit)(og_record *r, og_error *err); /* or nothing has happened */
	void (*rollback)(og_record *r);
	og_status (*query)(og_record *r, const char *sql, onnxgate_table **out, og_error *err);
	void (*free)(og_record *r);
};

/* A row on its way into a table: columns are literals, values are borrowed. */
typedef struct og_cell {
	const char *column;
	og_value value;
} og_cell;

og_value og_value_int(int64_t v);
og_value og_value_positive(int64_t v); /* 0: NULL */
og_value og_value_bool(bool v);
og_value og_value_real(double v); /* NaN or infinite: NULL */
og_value og_value_text(const char *s); /* NULL: NULL */

og_status og_record_insert(og_record *r, const char *table, const og_cell *cells, size_t n, int64_t *id, og_error *err) OG_MUST;

/* Results as rows, inside a transaction that the caller has begun (rows.c). */
og_status og_record_rows_result(og_record *r, const onnxgate_result *res, int64_t *id, og_error *err) OG_MUST;
og_status og_record_rows_bench(og_record *r, const onnxgate_bench_result *res, og_error *err) OG_MUST;

/* The newest runs, for a query without a text. */
extern const char og_record_newest_sql[];

#endif
