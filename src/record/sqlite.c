/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in one file.  Write-ahead logging where the file system allows it (readers and one writer do not
 * wait for each other), one transaction a run, migrations in a transaction of their own: a process that is
 * killed at any moment leaves the database as it was before or after.  What cannot be written (a newer schema,
 * a read-only disk) is opened for reading, and says why when something is to be recorded. */
#include "record/record_int.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"

#include <sqlite3.h>
#include <stdio.h>

extern const og_store_ops og_store_sqlite;

#define BUSY_MS 30000
#define POLL_STEPS 100000 /* instructions of SQLite's machine between two looks at the cancel flag: some milliseconds */

typedef struct sqlite {
	og_record base;
	sqlite3 *db;
	char *path;
} sqlite;

#define OG_MIGRATION(version, text) extern const char text[];
#include "record/migrations.h"
#undef OG_MIGRATION

static const struct {
	int version;
	const char *sql;
} migrations[] = {
#define OG_MIGRATION(version, text) { version, text },
#include "record/migrations.h"
#undef OG_MIGRATION
};

#define NEWEST migrations[OG_COUNT(migrations) - 1].version

/* ---- errors ------------------------------------------------------------------------------------------- */

static og_status status_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return ONNXGATE_NOMEM;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
		return ONNXGATE_FORMAT;
	case SQLITE_INTERRUPT:
		return ONNXGATE_CANCELLED;
	case SQLITE_ERROR:
	case SQLITE_MISUSE:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return ONNXGATE_INTERNAL;
	default:
		return ONNXGATE_IO;
	}
}

static og_status failed(const sqlite *q, int rc, const char *what, og_error *err)
{
	char shown[256];
	const char *why = q->db ? sqlite3_errmsg(q->db) : sqlite3_errstr(rc);
	int e = q->db ? sqlite3_system_errno(q->db) : 0;
	og_str_show(og_str_of(why), shown, sizeof(shown));
	if ((rc & 0xff) == SQLITE_NOMEM)
		return og_fail_nomem(err);
	if ((rc & 0xff) == SQLITE_INTERRUPT)
		return og_fail(err, ONNXGATE_CANCELLED, "interrupted");
	if ((rc & 0xff) == SQLITE_BUSY)
		return og_fail(err, ONNXGATE_IO, "database %s: %s: another process has held it for %d s", q->path, what, BUSY_MS / 1000);
	if (((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN) && e)
		return og_fail(err, ONNXGATE_IO, "database %s: %s: %s (%s)", q->path, what, shown, strerror(e));
	return og_fail(err, status_of(rc), "database %s: %s: %s", q->path, what, shown);
}

static og_status execute(const sqlite *q, const char *sql, const char *what, og_error *err)
{
	int rc = sqlite3_exec(q->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? OG_OK : failed(q, rc, what, err);
}

/* The first column of the first row; 0 when there is none. */
static og_status one_number(const sqlite *q, const char *sql, const char *what, int64_t *out, og_error *err)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(q->db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	og_status st = rc == SQLITE_ROW || rc == SQLITE_DONE ? OG_OK : failed(q, rc, what, err);
	sqlite3_finalize(s);
	return st;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static int connect_to(sqlite *q, const char *name, int flags)
{
	sqlite3_close(q->db);
	q->db = NULL;
	int rc = sqlite3_open_v2(name, &q->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_busy_timeout(q->db, BUSY_MS);
	/* A database file may come from anybody: its schema must not run functions or write to its own tables. */
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	rc = sqlite3_exec(q->db, "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON", NULL, NULL, NULL);
	return rc;
}

/* For a database in a folder that cannot be written: no locks, no log beside it. */
static int connect_immutable(sqlite *q)
{
	og_auto_buf uri;
	og_buf_init(&uri, 1u << 16);
	og_buf_str(&uri, "file:");
	for (const char *p = q->path; *p; p++)
		og_buf_printf(&uri, strchr("%?#", *p) ? "%%%02x" : "%c", (unsigned char)*p);
	og_buf_str(&uri, "?immutable=1");
	char *text = og_buf_cstr(&uri);
	return text ? connect_to(q, text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) : SQLITE_NOMEM;
}

/* 0: no schema of ours. */
static og_status read_version(const sqlite *q, int64_t *out, og_error *err)
{
	int64_t there = 0;
	*out = 0;
	OG_TRY(one_number(q, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'onnxgate_schema'", "read", &there, err));
	return there ? one_number(q, "SELECT max(version) FROM onnxgate_schema", "read the schema's version", out, err) : OG_OK;
}

static og_status refuse_foreign(const sqlite *q, og_error *err)
{
	int64_t n = 0;
	OG_TRY(one_number(q,
					  "SELECT count(*) FROM sqlite_master WHERE name IN "
					  "('models', 'verifications', 'onnx_conversions', 'performance_results', 'model_onnx_registry', 'onnxgate_schema')",
					  "read", &n, err));
	if (!n)
		return OG_OK;
	og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "database %s: has tables of our names but no schema version: it belongs to another program", q->path);
	og_error_hint(err, "name a database of its own with --db");
	return s;
}

static const char schema_table[] = "CREATE TABLE IF NOT EXISTS onnxgate_schema "
								   "(version INTEGER NOT NULL PRIMARY KEY, applied TEXT NOT NULL, program TEXT NOT NULL)";

static og_status migrate_inside(const sqlite *q, og_error *err)
{
	int64_t version = 0; /* again: another process may have been quicker */
	OG_TRY(read_version(q, &version, err));
	if (version == 0)
		OG_TRY(refuse_foreign(q, err));
	OG_TRY(execute(q, schema_table, "make tables", err));
	for (size_t i = 0; i < OG_COUNT(migrations); i++) {
		if (migrations[i].version <= version)
			continue;
		char now[32], sql[200], what[40];
		og_rfc3339(og_wall_seconds(), now);
		snprintf(what, sizeof(what), "migrate to schema version %d", migrations[i].version);
		snprintf(sql, sizeof(sql), "INSERT INTO onnxgate_schema VALUES (%d, '%s', 'onnxgate/" ONNXGATE_VERSION "')", migrations[i].version, now);
		OG_TRY(execute(q, migrations[i].sql, what, err));
		OG_TRY(execute(q, sql, what, err));
	}
	return OG_OK;
}

static void roll_back(const sqlite *q)
{
	if (!sqlite3_get_autocommit(q->db)) /* SQLite has done it itself after some errors */
		sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
}

static og_status migrate(const sqlite *q, og_error *err)
{
	OG_TRY(execute(q, "BEGIN IMMEDIATE", "begin", err));
	og_status s = migrate_inside(q, err);
	if (s == OG_OK)
		s = execute(q, "COMMIT", "commit", err);
	if (s != OG_OK)
		roll_back(q);
	return s;
}

static void only_reading(sqlite *q, og_status status, const char *why)
{
	og_status s = og_fail(&q->base.why, status, "database %s: %s", q->path, why);
	(void)s;
}

static og_status look_at_schema(sqlite *q, og_error *err)
{
	int64_t version = 0;
	char why[120];
	OG_TRY(read_version(q, &version, err));
	if (version > NEWEST) {
		snprintf(why, sizeof(why), "schema version %lld, this program writes up to %d", (long long)version, NEWEST);
		only_reading(q, ONNXGATE_UNSUPPORTED, why);
		og_error_hint(&q->base.why, "use a newer onnxgate, or another database with --db");
		return OG_OK;
	}
	if (sqlite3_db_readonly(q->db, "main") == 1) {
		only_reading(q, ONNXGATE_IO, "may not be written");
		return version ? OG_OK : og_fail(err, ONNXGATE_IO, "database %s: holds no tables of ours, and may not be written", q->path);
	}
	return version < NEWEST ? migrate(q, err) : OG_OK;
}

/* Readers and the writer side by side. Best effort: without it everything works, only slower. */
static void write_ahead(const sqlite *q)
{
	sqlite3_stmt *s = NULL;
	if (q->base.why.status != OG_OK || og_on_network(q->path)) /* the log's index is shared memory of one machine */
		return;
	if (sqlite3_prepare_v2(q->db, "PRAGMA journal_mode = WAL", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
		og_streq((const char *)sqlite3_column_text(s, 0), "wal"))
		sqlite3_exec(q->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL); /* a lost power line may cost the last runs, never the database */
	sqlite3_finalize(s);
}

static og_status connect_and_look(sqlite *q, og_error *err)
{
	int rc = connect_to(q, q->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_CANTOPEN)
		return failed(q, rc, "open", err);
	og_error why = { 0 };
	og_status s = rc == SQLITE_OK ? look_at_schema(q, &why) : failed(q, rc, "open", &why);
	if (s != ONNXGATE_IO || q->base.why.status != OG_OK || !og_file_exists(q->path)) {
		if (s != OG_OK && err)
			*err = why;
		return s;
	}
	/* The log cannot be made beside it: read what is there, if no log holds more. */
	og_autofree char *log = og_alloc(strlen(q->path) + 5);
	if (!log)
		return og_fail_nomem(err);
	snprintf(log, strlen(q->path) + 5, "%s-wal", q->path);
	uint64_t size = 0;
	bool whole = og_file_size(log, &size, NULL) == ONNXGATE_NOT_FOUND || size == 0;
	int code = q->db ? sqlite3_errcode(q->db) & 0xff : SQLITE_CANTOPEN;
	if (whole && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && connect_immutable(q) == SQLITE_OK)
		return look_at_schema(q, err);
	if (err)
		*err = why;
	return s;
}

static void sqlite_free(og_record *r)
{
	sqlite *q = (sqlite *)r;
	sqlite3_close(q->db);
	og_free(q->path);
	og_free(q->base.url);
	og_free(q);
}

static og_status sqlite_open(const char *rest, og_record **out, og_error *err)
{
	if (!rest[0])
		return og_fail(err, ONNXGATE_INVALID, "database: the path is empty, expected sqlite:PATH or a path");
	og_auto(og_record) *r = og_alloc(sizeof(sqlite));
	if (!r)
		return og_fail_nomem(err);
	sqlite *q = (sqlite *)r;
	r->ops = &og_store_sqlite;
	q->path = og_path_absolute(rest); /* absolute also keeps SQLite from seeing ":memory:" or "file:" in it */
	if (!q->path)
		return og_fail_nomem(err);
	r->url = og_alloc(strlen(q->path) + 8);
	og_autofree char *dir = og_path_dir(q->path);
	if (!r->url || !dir)
		return og_fail_nomem(err);
	snprintf(r->url, strlen(q->path) + 8, "sqlite:%s", q->path);
	OG_TRY(og_mkdirs(dir, err));
	OG_TRY(connect_and_look(q, err));
	write_ahead(q);
	*out = og_steal(&r);
	return OG_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static og_status sqlite_begin(og_record *r, og_error *err)
{
	return execute((sqlite *)r, "BEGIN IMMEDIATE", "begin", err);
}

static int bind(sqlite3_stmt *s, int at, const og_value *v)
{
	switch (v->kind) {
	case OG_VALUE_INT:
		return sqlite3_bind_int64(s, at, v->i);
	case OG_VALUE_REAL:
		return sqlite3_bind_double(s, at, v->r);
	case OG_VALUE_TEXT:
		return sqlite3_bind_text(s, at, v->s, -1, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(s, at);
	}
}

static og_status sqlite_run(og_record *r, const char *sql, const og_value *values, size_t n, int64_t *id, og_error *err)
{
	sqlite *q = (sqlite *)r;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(q->db, sql, -1, &s, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = bind(s, (int)i + 1, &values[i]);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (id)
		*id = 0;
	while (rc == SQLITE_ROW) {
		if (id)
			*id = sqlite3_column_int64(s, 0);
		rc = sqlite3_step(s);
	}
	og_status st = rc == SQLITE_DONE ? OG_OK : failed(q, rc, "write", err);
	sqlite3_finalize(s);
	return st;
}

static og_status sqlite_commit(og_record *r, og_error *err)
{
	return execute((sqlite *)r, "COMMIT", "commit", err);
}

static void sqlite_rollback(og_record *r)
{
	roll_back((sqlite *)r);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

/* What a reading statement may do; sqlite3_stmt_readonly() alone lets BEGIN, ATTACH and PRAGMA through. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *db, const char *trigger)
{
	static const char *const pragmas[] = { "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list" };
	(void)arg, (void)db, (void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_UPDATE: /* asked for when json_each() and its kin declare their columns; a real one is no reading statement */
		return a && strcmp(a, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
	case SQLITE_FUNCTION:
		return b && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		for (size_t i = 0; i < OG_COUNT(pragmas); i++)
			if (a && sqlite3_stricmp(a, pragmas[i]) == 0)
				return SQLITE_OK;
		return SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int poll_cancel(void *arg)
{
	const og_record *r = arg;
	return r->cancel && __atomic_load_n(r->cancel, __ATOMIC_RELAXED);
}

static og_status invalid(const sqlite *q, const char *what, og_error *err)
{
	return og_fail(err, ONNXGATE_INVALID, "database %s: query: %s", q->path, what);
}

static og_status query_failed(const sqlite *q, int rc, og_error *err)
{
	char shown[256];
	if ((rc & 0xff) == SQLITE_AUTH)
		return invalid(q, "only one reading statement (SELECT) is allowed", err);
	if ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_TOOBIG)
		return invalid(q, og_str_show(og_str_of(sqlite3_errmsg(q->db)), shown, sizeof(shown)), err);
	return failed(q, rc, "query", err);
}

/* Behind the statement nothing but space and comments. */
static og_status check_tail(const sqlite *q, const char *tail, og_error *err)
{
	sqlite3_stmt *more = NULL;
	int rc = sqlite3_prepare_v2(q->db, tail, -1, &more, NULL);
	bool something = rc != SQLITE_OK || more;
	sqlite3_finalize(more);
	if ((rc & 0xff) == SQLITE_NOMEM)
		return og_fail_nomem(err);
	return something ? invalid(q, "only one reading statement (SELECT) is allowed", err) : OG_OK;
}

/* The columns of a document need names of their own: a name that came before gets ":2", ":3". */
static og_status make_table(sqlite3_stmt *s, onnxgate_table **out, og_error *err)
{
	int n = sqlite3_column_count(s);
	og_auto(og_arena) *a = og_arena_new();
	const char **names = a ? og_arena_array(a, (size_t)n + 1, sizeof(*names)) : NULL;
	if (!names)
		return og_fail_nomem(err);
	for (int i = 0; i < n; i++) {
		const char *given = sqlite3_column_name(s, i);
		char *name = given ? og_arena_strdup(a, given) : NULL;
		for (int k = 2, j = 0; name && j < i; j++)
			if (strcmp(names[j], name) == 0) {
				name = og_arena_printf(a, "%s:%d", given, k++);
				j = -1; /* from the start: the new name may be taken as well */
			}
		if (!name)
			return og_fail_nomem(err);
		names[i] = name;
	}
	return og_table_new("db query", names, (size_t)n, out, err);
}

static const char *cell(sqlite3_stmt *s, int column, og_arena *a, bool *nomem)
{
	int type = sqlite3_column_type(s, column);
	const char *text = NULL;
	if (type == SQLITE_NULL)
		return NULL;
	if (type == SQLITE_BLOB) {
		const uint8_t *p = sqlite3_column_blob(s, column);
		size_t n = (size_t)sqlite3_column_bytes(s, column);
		char *hex = og_arena_alloc(a, 2 * n + 1);
		if (hex)
			og_hex(p, n, hex);
		text = hex;
	} else {
		text = (const char *)sqlite3_column_text(s, column);
	}
	*nomem = *nomem || !text;
	return text;
}

static og_status add_row(const sqlite *q, sqlite3_stmt *s, onnxgate_table *t, uint64_t *bytes, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	const char **cells = a ? og_arena_array(a, t->ncolumns + 1, sizeof(*cells)) : NULL;
	bool nomem = !cells;
	for (size_t i = 0; !nomem && i < t->ncolumns; i++) {
		cells[i] = cell(s, (int)i, a, &nomem);
		*bytes += sizeof(char *) + (cells[i] ? strlen(cells[i]) : 0);
	}
	if (nomem)
		return og_fail_nomem(err);
	if (t->nrows >= OG_QUERY_ROWS_MAX || *bytes > OG_QUERY_BYTES_MAX)
		return invalid(q, "more than a million rows or 256 MiB: add a LIMIT", err);
	return og_table_row(t, cells, err);
}

static og_status ask(const sqlite *q, const char *sql, onnxgate_table **out, og_error *err)
{
	sqlite3_stmt *s = NULL;
	const char *tail = "";
	og_auto_table *t = NULL;
	uint64_t bytes = 0;
	int rc = sqlite3_prepare_v2(q->db, sql, -1, &s, &tail);
	og_status st = rc == SQLITE_OK ? OG_OK : query_failed(q, rc, err);
	if (st == OG_OK && !s)
		st = invalid(q, "no statement", err);
	if (st == OG_OK && (!sqlite3_stmt_readonly(s) || sqlite3_column_count(s) == 0))
		st = invalid(q, "only one reading statement (SELECT) is allowed", err);
	if (st == OG_OK)
		st = check_tail(q, tail, err);
	if (st == OG_OK)
		st = make_table(s, &t, err);
	while (st == OG_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		st = add_row(q, s, t, &bytes, err);
	if (st == OG_OK && rc != SQLITE_DONE)
		st = query_failed(q, rc, err);
	sqlite3_finalize(s);
	if (st == OG_OK)
		*out = og_steal(&t);
	return st;
}

static og_status sqlite_query(og_record *r, const char *sql, onnxgate_table **out, og_error *err)
{
	sqlite *q = (sqlite *)r;
	OG_TRY(execute(q, "PRAGMA query_only = ON", "query", err));
	sqlite3_set_authorizer(q->db, authorize, NULL);
	sqlite3_progress_handler(q->db, POLL_STEPS, poll_cancel, r);
	sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, (int)OG_QUERY_BYTES_MAX); /* of one value, before it is made */
	og_status st = ask(q, sql, out, err);
	sqlite3_progress_handler(q->db, 0, NULL, NULL);
	sqlite3_set_authorizer(q->db, NULL, NULL);
	og_error ignored = { 0 };
	og_status again = execute(q, "PRAGMA query_only = OFF", "query", &ignored);
	if (st != OG_OK || again == OG_OK)
		return st;
	og_table_free(*out);
	*out = NULL;
	if (err)
		*err = ignored;
	return again;
}

const og_store_ops og_store_sqlite = {
	.scheme = "sqlite",
	.open = sqlite_open,
	.begin = sqlite_begin,
	.run = sqlite_run,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.query = sqlite_query,
	.free = sqlite_free,
};
