/* SPDX-License-Identifier: Apache-2.0
 *
 * Many processes on one conversion, processes that are killed, disks that are full or not ours: whatever happens,
 * a whole entry is found, or none. */
#include "fixture.h"
#include "../process.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/table.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PROCESSES 16
#define KILLS 150
#define KILLS_MS 2500 /* or as many as fit in this time */

static void append(const char *name)
{
	int fd = open(at("%s", name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, "x", 1) != 1)
		_exit(99);
	close(fd);
}

/* ---- sixteen at once ---------------------------------------------------------------------------------- */

static int want_it(void)
{
	og_auto(og_cache) *c = NULL;
	og_auto(og_cache_entry) *e = NULL;
	og_auto(og_staging) *s = NULL;
	content x;
	og_error err = { 0 };
	if (og_cache_open(home, &c, &err) != OG_OK)
		return 1;
	og_status st = og_cache_find(c, KEY_A, true, &e, &err);
	if (st == OG_OK)
		return 0;
	if (st != ONNXGATE_NOT_FOUND)
		return 2;
	if (og_staging_begin(c, KEY_A, false, NULL, &s, &e, &err) != OG_OK)
		return 3;
	if (e)
		return og_cache_check_files(og_cache_entry_dir(e), og_cache_entry_manifest(e), true, &err) == OG_OK ? 0 : 4;
	append("made");
	og_sleep_ms(60); /* a conversion takes its time */
	describe(&x, KEY_A, "graph");
	if (fill(og_staging_dir(s), "graph", &err) != OG_OK || og_staging_publish(s, &x.manifest, &e, &err) != OG_OK)
		return 5;
	return 0;
}

static void test_crash__sixteen_processes_convert_once(void **state)
{
	(void)state;
	pid_t pids[PROCESSES];
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = child(want_it);
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(wait_code(pids[i]), 0);
	uint64_t made = 0;
	assert_int_equal(og_file_size(at("made"), &made, NULL), OG_OK);
	assert_int_equal(made, 1);
	assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
}

/* ---- killed -------------------------------------------------------------------------------------------- */

/* Replaces the entry for ever, each time with other files, and now and then its manifest alone. */
static int replace_for_ever(void)
{
	og_auto(og_cache) *c = NULL;
	og_error err = { 0 };
	if (og_cache_open(home, &c, &err) != OG_OK)
		return 1;
	for (int i = 0;; i++) {
		char text[64];
		bool made;
		content x;
		snprintf(text, sizeof(text), "graph number %d of process %d", i, (int)getpid());
		if (put(c, KEY_A, text, true, &made, &err) != OG_OK)
			return 2;
		describe(&x, KEY_A, text);
		x.manifest.level = ONNXGATE_VALIDATE_REFERENCE;
		if (og_cache_update(c, KEY_A, &x.manifest, &err) != OG_OK)
			return 3;
	}
}

static void test_crash__killed_at_any_moment(void **state)
{
	(void)state;
	og_random r = { (uint64_t)getpid() };
	int orphans = 0, changed = 0;
	char last[65] = "";
	/* How long one replacement takes here and now decides when to kill. */
	og_auto(og_cache) *first = open_cache();
	og_error err = { 0 };
	bool made;
	double t = og_now_ms();
	for (int i = 0; i < 4; i++)
		ok(put(first, KEY_A, "graph", true, &made, &err), &err);
	uint64_t span = (uint64_t)((og_now_ms() - t) * 1000) + 1000;
	print_message("seed %llu\n", (unsigned long long)r.state);
	int kills = 0;
	for (double until = og_now_ms() + KILLS_MS; kills < KILLS && (kills < 10 || og_now_ms() < until); kills++) {
		pid_t pid = child(replace_for_ever);
		usleep((useconds_t)og_random_below(&r, span));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(wait_code(pid), 128 + SIGKILL);
		orphans += count_names(at("conversions"), ".staging-") > 0;
		og_auto(og_cache) *c = open_cache();
		og_auto(og_cache_entry) *e = NULL;
		ok(og_cache_find(c, KEY_A, true, &e, &err), &err);                    /* with digests: what is found is whole */
		assert_int_equal(count_names(at("conversions"), ".staging-"), 0); /* and finding sweeps */
		changed += !og_streq(last, og_cache_entry_manifest(e)->files[0].sha256);
		snprintf(last, sizeof(last), "%s", og_cache_entry_manifest(e)->files[0].sha256);
	}
	print_message("%d kills: %d had replaced the entry, %d left something to sweep\n", kills, changed, orphans);
	assert_true(changed > 0);
	assert_true(orphans > 0);
}

static int read_for_ever(void)
{
	const char *path = at("conversions/%s/model.onnx", KEY_A);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		char b[8];
		if (fd < 0)
			return 1;
		if (read(fd, b, 5) != 5 || memcmp(b, "graph", 5) != 0)
			return 2;
		close(fd);
	}
}

static void test_crash__readers_never_miss_a_replaced_entry(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", true, &made, &err), &err);
	pid_t reader = child(read_for_ever);
	double until = og_now_ms() + 1500;
	for (int i = 0; i < 100 && (i < 10 || og_now_ms() < until); i++)
		ok(put(c, KEY_A, "graph", true, &made, &err), &err);
	assert_int_equal(kill(reader, SIGKILL), 0);
	assert_int_equal(wait_code(reader), 128 + SIGKILL); /* 1 or 2: it saw a hole */
}

/* ---- disks ----------------------------------------------------------------------------------------------- */

static rlim_t file_limit;

static int put_on_full_disk(void)
{
	struct rlimit l = { file_limit, file_limit };
	og_auto(og_cache) *c = NULL;
	og_error err = { 0 };
	bool made;
	signal(SIGXFSZ, SIG_IGN);
	if (og_cache_open(home, &c, &err) != OG_OK || setrlimit(RLIMIT_FSIZE, &l) != 0)
		return 100;
	return (int)put(c, KEY_A, "a text of some length that has no room", true, &made, &err);
}

static void test_crash__full_disk_keeps_the_old_entry(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	for (int standing = 0; standing < 2; standing++) {
		for (file_limit = 10; file_limit <= 100; file_limit += 90) { /* the graph has no room; the manifest has none */
			assert_int_equal(wait_code(child(put_on_full_disk)), ONNXGATE_IO);
			assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
			og_auto(og_cache_entry) *e = NULL;
			assert_int_equal(og_cache_find(c, KEY_A, true, &e, &err), standing ? OG_OK : ONNXGATE_NOT_FOUND);
			if (standing)
				assert_int_equal(og_cache_entry_manifest(e)->files[0].size, 3);
		}
		ok(put(c, KEY_A, "old", true, &made, &err), &err);
	}
}

static int as_nobody(int (*work)(void))
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setegid(65534) != 0 || seteuid(65534) != 0))
		return 100;
	return work();
}

static int find_as_nobody(void)
{
	og_auto(og_cache) *c = NULL;
	og_auto(og_cache_entry) *e = NULL;
	return og_cache_open(home, &c, NULL) == OG_OK ? (int)og_cache_find(c, KEY_A, true, &e, NULL) : 100;
}

static int put_as_nobody(void)
{
	og_auto(og_cache) *c = NULL;
	bool made;
	return og_cache_open(home, &c, NULL) == OG_OK ? (int)put(c, KEY_A, "new", true, &made, NULL) : 100;
}

static int list_as_nobody(void)
{
	og_auto(og_cache) *c = NULL;
	onnxgate_table *t = NULL;
	if (og_cache_open(home, &c, NULL) != OG_OK || og_cache_list(c, &t, NULL) != OG_OK)
		return 100;
	int rows = (int)t->nrows;
	og_table_free(t);
	return rows;
}

static int nobody_finds(void)
{
	return as_nobody(find_as_nobody);
}
static int nobody_puts(void)
{
	return as_nobody(put_as_nobody);
}
static int nobody_lists(void)
{
	return as_nobody(list_as_nobody);
}

static void read_only(bool yes)
{
	mode_t mode = yes ? 0555 : 0755;
	assert_int_equal(chmod(home, mode), 0);
	assert_int_equal(chmod(at("conversions"), mode), 0);
	assert_int_equal(chmod(at("conversions/%s", KEY_A), mode), 0);
	assert_int_equal(chmod(at("conversions/.locks"), mode), 0);
}

static void test_crash__a_read_only_cache_is_used_as_it_stands(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "old", true, &made, &err), &err);
	for (int locks = 1; locks >= 0; locks--) { /* with lock files that may be read only, and without any */
		if (!locks) {
			assert_int_equal(unlink(at("conversions/.locks/%s.use", KEY_A)), 0);
			assert_int_equal(unlink(at("conversions/.locks/%s.lock", KEY_A)), 0);
		}
		read_only(true);
		int found = wait_code(child(nobody_finds)), put_code = wait_code(child(nobody_puts)), rows = wait_code(child(nobody_lists));
		read_only(false);
		assert_int_equal(found, OG_OK);
		assert_int_equal(put_code, ONNXGATE_IO);
		assert_int_equal(rows, 1);
	}
	og_auto(og_cache_entry) *e = NULL;
	ok(og_cache_find(c, KEY_A, true, &e, &err), &err);
	assert_int_equal(og_cache_entry_manifest(e)->files[0].size, 3);
}

/* ---- locks ------------------------------------------------------------------------------------------------ */

static int hold_for_a_while(void)
{
	og_auto(og_cache) *c = NULL;
	og_auto(og_staging) *s = NULL;
	og_cache_entry *e = NULL;
	if (og_cache_open(home, &c, NULL) != OG_OK || og_staging_begin(c, KEY_A, true, NULL, &s, &e, NULL) != OG_OK)
		return 1;
	append("held");
	og_sleep_ms(10000);
	return 0;
}

static void test_crash__waiting_can_be_cancelled_and_ends_with_the_holder(void **state)
{
	(void)state;
	pid_t holder = child(hold_for_a_while);
	while (!og_file_exists(at("held")))
		og_sleep_ms(1);
	int cancel = 1;
	og_context ctx = { .cancel = &cancel, .threads = 1 };
	og_auto(og_cache) *c = open_cache();
	og_auto(og_staging) *s = NULL;
	og_cache_entry *e = NULL;
	og_error err = { 0 };
	assert_int_equal(og_staging_begin(c, KEY_A, false, &ctx, &s, &e, &err), ONNXGATE_CANCELLED);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(wait_code(holder), 128 + SIGKILL);
	cancel = 0;
	ok(og_staging_begin(c, KEY_A, false, &ctx, &s, &e, &err), &err);
	assert_int_equal(count_names(at("conversions"), ".staging-"), 1); /* ours; the dead one's is gone */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_crash__sixteen_processes_convert_once),
		T(test_crash__killed_at_any_moment),
		T(test_crash__readers_never_miss_a_replaced_entry),
		T(test_crash__full_disk_keeps_the_old_entry),
		T(test_crash__a_read_only_cache_is_used_as_it_stands),
		T(test_crash__waiting_can_be_cancelled_and_ends_with_the_holder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
