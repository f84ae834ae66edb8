/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite store: schema versions, what a query may do, and files that are not what they should be. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static void by_hand(const char *sql)
{
	sqlite3 *raw = NULL;
	char dir[128];
	snprintf(dir, sizeof(dir), "%s/a ?#%%", home);
	assert_int_equal(og_mkdirs(dir, NULL), OG_OK);
	assert_int_equal(sqlite3_open(db, &raw), SQLITE_OK);
	char *why = NULL;
	if (sqlite3_exec(raw, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(raw);
}

static og_status record_one(og_record *r, og_error *err)
{
	onnxgate_result x = converted();
	int64_t id = 0;
	return og_record_result(r, &x, &id, err);
}

static void test_sqlite__versioned_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		og_auto(og_record) *r = open_db();
		assert_string_equal(ask(r, "SELECT count(*) || ' ' || max(version) FROM onnxgate_schema"), "1 1");
	}
	og_auto(og_record) *r = open_db();
	assert_string_equal(ask(r, "SELECT count(*) FROM pragma_table_info('verifications')"), "38");
	sqlite3 *raw = NULL;
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_open(db, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw, "PRAGMA journal_mode", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "wal");
	sqlite3_finalize(s);
	sqlite3_close(raw);
}

static void test_sqlite__a_newer_schema_is_only_read(void **state)
{
	(void)state;
	og_error err = { 0 };
	{
		og_auto(og_record) *r = open_db();
		ok(record_one(r, &err), &err);
		assert_null(og_record_read_only(r));
	}
	by_hand("INSERT INTO onnxgate_schema VALUES (7, 'now', 'onnxgate/9.9')");
	og_auto(og_record) *r = open_db();
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications"), "1");
	assert_non_null(og_record_read_only(r));
	assert_int_equal(record_one(r, &err), ONNXGATE_UNSUPPORTED);
	assert_non_null(strstr(err.message, "schema version 7, this program writes up to 1"));
	assert_true(err.hint[0]);
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications"), "1");
}

static void test_sqlite__another_program_s_tables(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_record *r = NULL;
	by_hand("CREATE TABLE performance_results (x); CREATE TABLE other (y)");
	assert_int_equal(og_record_open(db, &r, &err), ONNXGATE_UNSUPPORTED);
	assert_null(r);
	by_hand("INSERT INTO performance_results VALUES (1); DROP TABLE performance_results");
	ok(og_record_open(db, &r, &err), &err); /* names that do not clash are none of our business */
	assert_string_equal(ask(r, "SELECT count(*) FROM other"), "0");
	og_record_free(r);
}

static void test_sqlite__files_that_are_no_database(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_record *r = NULL;
	char path[200];
	snprintf(path, sizeof(path), "%s/text", home);
	assert_int_equal(og_file_write(path, "this is not a database, but a text of some length", 49, NULL), OG_OK);
	assert_int_equal(og_record_open(path, &r, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(og_record_open(home, &r, &err), ONNXGATE_IO); /* a folder */
	snprintf(path, sizeof(path), "%s/text/x.db", home);
	assert_int_equal(og_record_open(path, &r, &err), ONNXGATE_IO);
	{
		og_auto(og_record) *good = open_db();
		for (int i = 0; i < 20; i++)
			ok(record_one(good, &err), &err);
	}
	int fd = open(db, O_WRONLY | O_CLOEXEC);
	static const char rubbish[5000] = { 1, 2, 3 };
	for (int page = 1; page < 12; page++)
		assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), page * 5000), (ssize_t)sizeof(rubbish));
	close(fd);
	og_status s = og_record_open(db, &r, &err);
	if (s == OG_OK) {
		s = record_one(r, &err);
		og_record_free(r);
	}
	assert_int_equal(s, ONNXGATE_FORMAT);
}

/* ---- queries ------------------------------------------------------------------------------------------ */

static void test_sqlite__queries_that_are_refused(void **state)
{
	(void)state;
	static const char *const refused[] = {
		"DELETE FROM verifications",
		"INSERT INTO models VALUES ('a','b','c','d','e','f')",
		"INSERT INTO models VALUES ('a','b','c','d','e','f') RETURNING model_id",
		"UPDATE models SET model_type = 'x'",
		"UPDATE sqlite_master SET sql = ''",
		"UPDATE sqlite_schema SET sql = ''",
		"DROP TABLE models",
		"CREATE TEMP TABLE t (x)",
		"BEGIN",
		"COMMIT",
		"SAVEPOINT a",
		"ATTACH '/tmp/og-other.db' AS other",
		"DETACH main",
		"VACUUM",
		"VACUUM INTO '/tmp/og-vacuum.db'",
		"REINDEX",
		"ANALYZE",
		"PRAGMA query_only = OFF",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA writable_schema = 1",
		"PRAGMA user_version = 3",
		"PRAGMA busy_timeout = 1",
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"SELECT * FROM pragma_wal_checkpoint('TRUNCATE')",
		"SELECT load_extension('/tmp/x.so')",
		"SELECT 1; SELECT 2",
		"SELECT 1; DELETE FROM verifications",
		"SELECT 1; nonsense",
		"WITH x AS (SELECT 1) DELETE FROM verifications",
		"EXPLAIN DELETE FROM verifications; DELETE FROM verifications",
		"",
		"   -- nothing",
		";",
		"SELECT",
		"SELECT * FROM no_such_table",
		"SELECT no_such_column FROM models",
		"SELECT abs(-9223372036854775808)",
		"SELECT zeroblob(2000000000)",
	};
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	ok(record_one(r, &err), &err);
	for (size_t i = 0; i < OG_COUNT(refused); i++) {
		onnxgate_table *t = NULL;
		og_status s = og_record_query(r, refused[i], &t, &err);
		if (s != ONNXGATE_INVALID)
			print_error("%s: %d %s\n", refused[i], s, s == OG_OK ? "" : err.message);
		assert_int_equal(s, ONNXGATE_INVALID);
		assert_null(t);
		assert_null(strchr(err.message, '\n'));
	}
	assert_string_equal(ask(r, "SELECT count(*) || ' ' || max(model_type) FROM models"), "1 bert");
	assert_false(og_file_exists("/tmp/og-vacuum.db"));
	assert_false(og_file_exists("/tmp/og-other.db"));
	ok(record_one(r, &err), &err); /* writing goes on */
}

static void test_sqlite__queries_that_are_answered(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	ok(record_one(r, &err), &err);
	assert_string_equal(ask(r, "SELECT 1;  -- a comment behind\n /* and another */ ;"), "1");
	assert_string_equal(ask(r, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 10) SELECT sum(x) FROM c"), "55");
	assert_string_equal(ask(r, "SELECT count(*) > 5 FROM pragma_table_info('models')"), "1");
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications v, json_each(v.checks)"), "2");
	assert_string_equal(ask(r, "SELECT x'00ff'"), "00ff");
	assert_string_equal(ask(r, "SELECT 0.1"), "0.1");
	assert_string_equal(ask(r, "SELECT NULL"), "NULL");
	og_auto_table *t = NULL;
	ok(og_record_query(r, "SELECT 1 AS a, 2 AS a, 3 AS \"a:2\", 4 AS a", &t, &err), &err);
	assert_string_equal(t->title, "db query");
	for (size_t i = 0; i < t->ncolumns; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(t->columns[i], t->columns[k]);
	og_auto_table *newest = NULL;
	ok(og_record_query(r, NULL, &newest, &err), &err);
	assert_int_equal(newest->nrows, 1);
	assert_string_equal(newest->columns[0], "id");
	og_auto_table *none = NULL;
	ok(og_record_query(r, "SELECT * FROM models WHERE 0", &none, &err), &err);
	assert_int_equal(none->nrows, 0);
	assert_int_equal(none->ncolumns, 6);
	onnxgate_table *many = NULL;
	assert_int_equal(og_record_query(r,
				"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x, zeroblob(100000) FROM c", &many, &err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.message, "LIMIT"));
}

static void *cancel_soon(void *flag)
{
	usleep(30000);
	__atomic_store_n((int *)flag, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_sqlite__an_endless_query_can_be_cancelled(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	int flag = 0;
	pthread_t thread;
	og_record_cancel(r, &flag);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &flag), 0);
	onnxgate_table *t = NULL;
	assert_int_equal(og_record_query(r, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c", &t, &err), ONNXGATE_CANCELLED);
	pthread_join(thread, NULL);
	flag = 0;
	assert_string_equal(ask(r, "SELECT 1"), "1");
}

/* A schema from elsewhere must not be able to act. */
static void test_sqlite__hostile_schema(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_record_free(open_db());
	by_hand("CREATE VIEW trap AS SELECT load_extension('/tmp/x.so'); DROP VIEW model_onnx_registry;"
			"CREATE VIEW model_onnx_registry AS SELECT writefile('/tmp/og-trap', 'x')");
	og_auto(og_record) *r = open_db();
	onnxgate_table *t = NULL;
	assert_int_equal(og_record_query(r, "SELECT * FROM trap", &t, &err), ONNXGATE_INVALID);
	assert_int_equal(og_record_query(r, "SELECT * FROM model_onnx_registry", &t, &err), ONNXGATE_INVALID);
	ok(record_one(r, &err), &err);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_sqlite__versioned_once),
		T(test_sqlite__a_newer_schema_is_only_read),
		T(test_sqlite__another_program_s_tables),
		T(test_sqlite__files_that_are_no_database),
		T(test_sqlite__queries_that_are_refused),
		T(test_sqlite__queries_that_are_answered),
		T(test_sqlite__an_endless_query_can_be_cancelled),
		T(test_sqlite__hostile_schema),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
