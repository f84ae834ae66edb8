/* SPDX-License-Identifier: Apache-2.0
 *
 * The database behind a vtable: which store an URL names, and transactions around what is recorded. */
#include "record/record_int.h"

#include "base/buf.h"
#include "base/str.h"

#include <math.h>

#define OG_STORE(ops) extern const og_store_ops ops;
#include "record/list.h"
#undef OG_STORE

static const og_store_ops *const stores[] = {
#define OG_STORE(ops) &ops,
#include "record/list.h"
#undef OG_STORE
};

#define SQL_BYTES_MAX (1u << 20) /* one statement of ours: the longest is about 1 KB */

const char og_record_newest_sql[] = "SELECT id, run_time, command, model_id, revision, status, verdict, onnx_conversion_status, cached, task, dtype, "
									"total_ms, path FROM verifications ORDER BY id DESC LIMIT 20";

og_status og_record_open(const char *url, og_record **out, og_error *err)
{
	char shown[200];
	for (size_t i = 0; i < OG_COUNT(stores); i++) {
		size_t n = strlen(stores[i]->scheme);
		if (og_starts_with(url, stores[i]->scheme) && url[n] == ':')
			return stores[i]->open(url + n + 1, out, err);
	}
	/* A bare path may contain a colon; a word before "://", or the name of a database that we know of, is a scheme. */
	if (strstr(url, "://") || og_starts_with(url, "postgresql:") || og_starts_with(url, "postgres:") || og_starts_with(url, "duckdb:"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "database %s: this kind is not built in, expected sqlite:PATH or a path",
					   og_str_show(og_str_of(url), shown, sizeof(shown)));
	return stores[0]->open(url, out, err);
}

const char *og_record_url(const og_record *r)
{
	return r->url;
}

const char *og_record_read_only(const og_record *r)
{
	return r->why.status == OG_OK ? NULL : r->why.message;
}

void og_record_cancel(og_record *r, const int *cancel)
{
	r->cancel = cancel;
}

void og_record_free(og_record *r)
{
	if (r)
		r->ops->free(r);
}

/* ---- values ----------------------------------------------------------------------------------------- */

og_value og_value_int(int64_t v)
{
	return (og_value){ .kind = OG_VALUE_INT, .i = v };
}

og_value og_value_positive(int64_t v)
{
	return v > 0 ? og_value_int(v) : (og_value){ .kind = OG_VALUE_NULL };
}

og_value og_value_bool(bool v)
{
	return og_value_int(v ? 1 : 0);
}

og_value og_value_real(double v)
{
	return isfinite(v) ? (og_value){ .kind = OG_VALUE_REAL, .r = v } : (og_value){ .kind = OG_VALUE_NULL };
}

og_value og_value_text(const char *s)
{
	return s ? (og_value){ .kind = OG_VALUE_TEXT, .s = s } : (og_value){ .kind = OG_VALUE_NULL };
}

og_status og_record_insert(og_record *r, const char *table, const og_cell *cells, size_t n, int64_t *id, og_error *err)
{
	og_auto_buf sql;
	og_buf_init(&sql, SQL_BYTES_MAX);
	og_autofree og_value *values = og_array_alloc(n, sizeof(*values));
	if (!values)
		return og_fail_nomem(err);
	og_buf_printf(&sql, "INSERT INTO %s (", table);
	for (size_t i = 0; i < n; i++) {
		og_buf_printf(&sql, "%s\"%s\"", i ? ", " : "", cells[i].column);
		values[i] = cells[i].value;
	}
	og_buf_str(&sql, ") VALUES (");
	for (size_t i = 0; i < n; i++)
		og_buf_str(&sql, i ? ", ?" : "?");
	og_buf_str(&sql, ") RETURNING id");
	char *text = og_buf_cstr(&sql);
	return text ? r->ops->run(r, text, values, n, id, err) : og_fail_nomem(err);
}

/* ---- transactions ------------------------------------------------------------------------------------- */

static og_status begin(og_record *r, og_error *err)
{
	if (r->why.status == OG_OK)
		return r->ops->begin(r, err);
	if (err)
		*err = r->why;
	return r->why.status;
}

og_status og_record_result(og_record *r, const onnxgate_result *res, int64_t *id, og_error *err)
{
	int64_t made = 0;
	OG_TRY(begin(r, err));
	og_status s = og_record_rows_result(r, res, &made, err);
	if (s == OG_OK)
		s = r->ops->commit(r, err);
	if (s != OG_OK) {
		r->ops->rollback(r);
		return s;
	}
	*id = made;
	return OG_OK;
}

og_status og_record_bench(og_record *r, const onnxgate_bench_result *res, og_error *err)
{
	OG_TRY(begin(r, err));
	og_status s = og_record_rows_bench(r, res, err);
	if (s == OG_OK)
		s = r->ops->commit(r, err);
	if (s != OG_OK)
		r->ops->rollback(r);
	return s;
}

og_status og_record_query(og_record *r, const char *sql, onnxgate_table **out, og_error *err)
{
	return r->ops->query(r, sql ? sql : og_record_newest_sql, out, err);
}
