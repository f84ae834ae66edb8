/* SPDX-License-Identifier: Apache-2.0
 *
 * Many processes on one database, processes that are killed, disks that are full or not ours: the database stays
 * sound, and a run is in it whole or not at all. */
#include "fixture.h"
#include "../process.h"

#include "base/clock.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROCESSES 16
#define RUNS_EACH 10
#define KILLS 100
#define KILLS_MS 2500 /* or as many as fit in this time */

static og_status record_one(og_record *r, og_error *err)
{
	onnxgate_result x = converted();
	int64_t id = 0;
	return og_record_result(r, &x, &id, err);
}

static int open_and_record(void)
{
	og_auto(og_record) *r = NULL;
	og_error err = { 0 };
	og_status s = og_record_open(db, &r, &err);
	for (int i = 0; s == OG_OK && i < RUNS_EACH; i++)
		s = record_one(r, &err);
	if (s != OG_OK)
		fprintf(stderr, "%s\n", err.message);
	return (int)s;
}

/* Every run has its conversion, whatever happened. */
static int64_t check_sound(void)
{
	og_auto(og_record) *r = open_db();
	assert_string_equal(ask(r, "SELECT count(*) FROM (SELECT id FROM verifications WHERE id NOT IN (SELECT verification_id FROM onnx_conversions))"), "0");
	int64_t n = 0;
	assert_true(og_parse_i64(og_str_of(ask(r, "SELECT count(*) FROM verifications")), &n));
	sqlite3 *raw = NULL;
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_open(db, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	sqlite3_close(raw);
	return n;
}

static void test_crash__sixteen_processes_on_a_fresh_database(void **state)
{
	(void)state;
	pid_t pids[PROCESSES];
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = child(open_and_record);
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(wait_code(pids[i]), 0);
	assert_int_equal(check_sound(), PROCESSES * RUNS_EACH);
}

static int record_for_ever(void)
{
	for (;;) {
		int s = open_and_record();
		if (s)
			return s;
	}
}

static void kill_loop(bool fresh)
{
	og_random rnd = { (uint64_t)getpid() };
	og_record_free(open_db());
	double t = og_now_ms();
	assert_int_equal(open_and_record(), 0);
	uint64_t span = (uint64_t)((og_now_ms() - t) * 2000) + 1000;
	int64_t before = check_sound();
	print_message("seed %llu\n", (unsigned long long)rnd.state);
	int kills = 0;
	for (double until = og_now_ms() + KILLS_MS; kills < KILLS && (kills < 10 || og_now_ms() < until); kills++) {
		if (fresh) { /* the migration is killed, too */
			assert_int_equal(og_remove_tree(home, NULL), OG_OK);
			assert_int_equal(mkdir(home, 0777), 0);
			before = 0;
		}
		pid_t pid = child(record_for_ever);
		usleep((useconds_t)og_random_below(&rnd, span));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(wait_code(pid), 128 + SIGKILL);
		int64_t now = check_sound();
		assert_true(now >= before);
		before = now;
	}
	print_message("%d kills, %lld runs\n", kills, (long long)before);
}

static void test_crash__killed_while_recording(void **state)
{
	(void)state;
	kill_loop(false);
}

static void test_crash__killed_while_making_the_database(void **state)
{
	(void)state;
	kill_loop(true);
}

/* ---- disks ----------------------------------------------------------------------------------------------- */

static rlim_t file_limit;

static int record_on_full_disk(void)
{
	struct rlimit l = { file_limit, file_limit };
	og_auto(og_record) *r = NULL;
	og_error err = { 0 };
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &l) != 0)
		return 100;
	og_status s = og_record_open(db, &r, &err);
	for (int i = 0; s == OG_OK && i < 1000; i++)
		s = record_one(r, &err);
	if (s == OG_OK || !strstr(err.message, db) || strchr(err.message, '\n'))
		return 101;
	/* What could be committed can still be read. */
	onnxgate_table *t = NULL;
	if (r && og_record_query(r, "SELECT count(*) FROM verifications", &t, NULL) != OG_OK)
		return 102;
	og_table_free(t);
	return (int)s;
}

static void test_crash__full_disk(void **state)
{
	(void)state;
	file_limit = 1000; /* not even the tables */
	assert_int_equal(wait_code(child(record_on_full_disk)), ONNXGATE_IO);
	assert_int_equal(check_sound(), 0);
	for (file_limit = 30000; file_limit < 400000; file_limit += 61000) {
		assert_int_equal(wait_code(child(record_on_full_disk)), ONNXGATE_IO);
		check_sound();
	}
	assert_true(check_sound() > 0);
}

static int as_nobody(int (*work)(void))
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setegid(65534) != 0 || seteuid(65534) != 0))
		return 100;
	return work();
}

static int64_t expected_rows;

/* 0: reading works, recording is an IO error that names the database. */
static int read_but_not_write(void)
{
	og_auto(og_record) *r = NULL;
	og_error err = { 0 };
	onnxgate_table *t = NULL;
	if (og_record_open(db, &r, &err) != OG_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	if (og_record_query(r, "SELECT count(*) FROM verifications", &t, &err) != OG_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 2;
	}
	bool right = strtoll(t->cells[0], NULL, 10) == expected_rows;
	og_table_free(t);
	if (!right)
		return 3;
	if (record_one(r, &err) != ONNXGATE_IO || !strstr(err.message, db))
		return 4;
	return 0;
}

static int open_only(void)
{
	og_record *r = NULL;
	return (int)og_record_open(db, &r, NULL);
}

static int nobody_reads(void)
{
	return as_nobody(read_but_not_write);
}
static int nobody_opens(void)
{
	return as_nobody(open_only);
}

static void test_crash__not_ours_to_write(void **state)
{
	(void)state;
	char dir[128];
	snprintf(dir, sizeof(dir), "%s/a ?#%%", home);
	assert_int_equal(open_and_record(), 0);
	expected_rows = RUNS_EACH;
	assert_int_equal(chmod(home, 0755), 0);
	assert_int_equal(chmod(db, 0444), 0);
	assert_int_equal(chmod(dir, 0555), 0); /* neither the file nor its folder */
	assert_int_equal(wait_code(child(nobody_reads)), 0);
	assert_int_equal(chmod(db, 0666), 0); /* the file, but no log beside it */
	assert_int_equal(wait_code(child(nobody_reads)), 0);
	assert_int_equal(chmod(db, 0444), 0);
	assert_int_equal(chmod(dir, 0777), 0); /* the folder, but not the file */
	assert_int_equal(wait_code(child(nobody_reads)), 0);
	assert_int_equal(chmod(db, 0000), 0);
	assert_int_equal(wait_code(child(nobody_opens)), ONNXGATE_IO);
	assert_int_equal(chmod(db, 0644), 0);
	assert_int_equal(check_sound(), RUNS_EACH);
	assert_int_equal(unlink(db), 0);
	assert_int_equal(chmod(dir, 0555), 0);
	assert_int_equal(wait_code(child(nobody_opens)), ONNXGATE_IO); /* nothing there, nothing to be made */
	assert_int_equal(chmod(dir, 0777), 0);
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

static int hold_the_writing_lock(void)
{
	sqlite3 *raw = NULL;
	if (sqlite3_open(db, &raw) != SQLITE_OK || sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return 1;
	char path[100];
	snprintf(path, sizeof(path), "%s/held", home);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	og_sleep_ms(300);
	sqlite3_close(raw);
	return 0;
}

static void test_crash__a_writer_is_waited_for_and_readers_are_not_held_up(void **state)
{
	(void)state;
	og_auto(og_record) *r = open_db();
	og_error err = { 0 };
	char path[100];
	snprintf(path, sizeof(path), "%s/held", home);
	pid_t holder = child(hold_the_writing_lock);
	while (!og_file_exists(path))
		og_sleep_ms(1);
	double t = og_now_ms();
	assert_string_equal(ask(r, "SELECT count(*) FROM verifications"), "0");
	assert_true(og_now_ms() - t < 150);
	ok(record_one(r, &err), &err);
	assert_true(og_now_ms() - t > 150);
	assert_int_equal(wait_code(holder), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_crash__sixteen_processes_on_a_fresh_database),
		T(test_crash__killed_while_recording),
		T(test_crash__killed_while_making_the_database),
		T(test_crash__full_disk),
		T(test_crash__not_ours_to_write),
		T(test_crash__a_writer_is_waited_for_and_readers_are_not_held_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
