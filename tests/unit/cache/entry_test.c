/* SPDX-License-Identifier: Apache-2.0
 *
 * Storing, finding, replacing, updating and listing conversions, in one process. */
#include "fixture.h"

#include "base/dir.h"
#include "base/table.h"

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <utime.h>

static void test_entry__nothing_is_created_by_looking(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_cache_entry *e = NULL;
	onnxgate_table *t = NULL;
	assert_int_equal(og_cache_find(c, KEY_A, false, &e, NULL), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_cache_list(c, &t, NULL), OG_OK);
	assert_int_equal(t->nrows, 0);
	og_table_free(t);
	assert_null(e);
	assert_int_equal(count_names(home, ""), 0);
}

static void test_entry__store_and_find(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_true(made);
	og_auto(og_cache_entry) *e = NULL;
	ok(og_cache_find(c, KEY_A, true, &e, &err), &err);
	assert_string_equal(og_cache_entry_dir(e), at("conversions/%s", KEY_A));
	const og_manifest *m = og_cache_entry_manifest(e);
	assert_string_equal(m->key, KEY_A);
	assert_string_equal(m->repo_id, "org/näme");
	assert_string_equal(m->revision, "c0ffee");
	assert_null(m->runtime);
	assert_int_equal(m->opset, 18);
	assert_int_equal(m->level, ONNXGATE_VALIDATE_STRUCTURE);
	assert_int_equal(m->verdict, ONNXGATE_PASS);
	assert_int_equal(m->nfiles, 2);
	assert_string_equal(m->files[1].path, "sub/config.json");
	assert_int_equal(m->files[0].size, 5);
	assert_non_null(m->files[0].sha256);
	assert_null(m->files[1].sha256);
	assert_int_equal(m->checks[1].status, ONNXGATE_CHECK_SKIPPED);
	assert_true(isnan(m->checks[1].value));
	assert_null(m->checks[1].detail);
	assert_true(m->timings[0].ms > 12.4 && m->timings[0].ms < 12.6);
	assert_string_equal(m->notes[0], "2 tensors ignored");
	assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_false(made); /* it was there */
}

static void test_entry__abandoned_staging_leaves_nothing(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	og_staging *s = NULL;
	og_cache_entry *e = NULL;
	ok(og_staging_begin(c, KEY_A, false, NULL, &s, &e, &err), &err);
	assert_null(e);
	ok(fill(og_staging_dir(s), "half", &err), &err);
	assert_int_equal(count_names(at("conversions"), ".staging-"), 1);
	og_staging_free(s);
	assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
	assert_int_equal(og_cache_find(c, KEY_A, false, &e, NULL), ONNXGATE_NOT_FOUND);
}

static void test_entry__publish_checks_its_promise(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	og_auto(og_staging) *s = NULL;
	og_cache_entry *e = NULL;
	content x;
	ok(og_staging_begin(c, KEY_A, false, NULL, &s, &e, &err), &err);
	ok(fill(og_staging_dir(s), "graph", &err), &err);
	describe(&x, KEY_A, "graph, but longer");
	assert_int_equal(og_staging_publish(s, &x.manifest, &e, &err), ONNXGATE_INTERNAL);
	assert_non_null(strstr(err.message, "5 bytes, expected 17"));
	describe(&x, KEY_B, "graph");
	assert_int_equal(og_staging_publish(s, &x.manifest, &e, &err), ONNXGATE_INTERNAL);
	x.manifest.key = KEY_A;
	x.files[1].path = "../../x";
	assert_int_equal(og_staging_publish(s, &x.manifest, &e, &err), ONNXGATE_INTERNAL);
	assert_int_equal(og_cache_find(c, KEY_A, false, &e, NULL), ONNXGATE_NOT_FOUND);
	describe(&x, KEY_A, "graph");
	ok(og_staging_publish(s, &x.manifest, &e, &err), &err); /* the staging folder is still good */
	og_cache_entry_free(e);
	assert_int_equal(og_staging_publish(s, &x.manifest, &e, &err), ONNXGATE_INTERNAL);
}

static void test_entry__cancel_before_the_rename(void **state)
{
	(void)state;
	int cancel = 0;
	og_context ctx = { .cancel = &cancel, .threads = 1 };
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	og_auto(og_staging) *s = NULL;
	og_cache_entry *e = NULL;
	content x;
	describe(&x, KEY_A, "graph");
	ok(og_staging_begin(c, KEY_A, false, &ctx, &s, &e, &err), &err);
	ok(fill(og_staging_dir(s), "graph", &err), &err);
	cancel = 1;
	assert_int_equal(og_staging_publish(s, &x.manifest, &e, &err), ONNXGATE_CANCELLED);
	assert_false(og_dir_exists(at("conversions/%s", KEY_A)));
}

static void expect_mismatch(og_cache *c, bool digests, const char *part)
{
	og_error err = { 0 };
	og_cache_entry *e = NULL;
	assert_int_equal(og_cache_find(c, KEY_A, digests, &e, &err), ONNXGATE_MISMATCH);
	assert_int_equal(err.status, ONNXGATE_MISMATCH);
	if (!strstr(err.message, part))
		print_error("%s\n", err.message);
	assert_non_null(strstr(err.message, part));
}

static void test_entry__damage_is_mismatch_and_mended(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	const char *model = at("conversions/%s/model.onnx", KEY_A);
	assert_int_equal(truncate(model, 3), 0);
	expect_mismatch(c, false, "3 bytes, expected 5");
	assert_int_equal(truncate(model, 6), 0);
	expect_mismatch(c, false, "6 bytes, expected 5");
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_true(made);
	assert_int_equal(unlink(model), 0);
	expect_mismatch(c, false, "no such file");
	assert_int_equal(symlink("/etc/passwd", model), 0);
	expect_mismatch(c, false, "symbolic link");
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_true(made);
	assert_int_equal(rename(at("conversions/%s/sub", KEY_A), at("moved")), 0);
	assert_int_equal(symlink(at("moved"), at("conversions/%s/sub", KEY_A)), 0);
	expect_mismatch(c, false, "symbolic link"); /* also on the way */
	assert_int_equal(unlink(at("conversions/%s/manifest.json", KEY_A)), 0);
	expect_mismatch(c, false, "manifest.json");
	assert_int_equal(mkfifo(at("conversions/%s/manifest.json", KEY_A), 0600), 0);
	expect_mismatch(c, false, "not a regular file"); /* and does not wait for a writer */
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_true(made);
	assert_true(og_file_exists(at("moved/config.json"))); /* removal follows no link */
}

static void test_entry__wrong_digest_is_not_found_again(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	ok(og_file_write(at("conversions/%s/model.onnx", KEY_A), "grapf", 5, &err), &err);
	usleep(20000); /* the clock of files ticks */
	og_touch(at("conversions/%s/manifest.json", KEY_A));
	og_cache_entry *e = NULL;
	ok(og_cache_find(c, KEY_A, false, &e, &err), &err); /* as a disk that rots: sizes and times do not tell */
	og_cache_entry_free(og_steal(&e));
	expect_mismatch(c, true, "SHA-256");
	ok(put(c, KEY_A, "graph", false, &made, &err), &err); /* without force: what was found wrong is remembered */
	assert_true(made);
	ok(og_cache_find(c, KEY_A, true, &e, &err), &err);
	og_cache_entry_free(e);
}

static void test_entry__what_changed_after_the_manifest_is_read(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	og_cache_entry *e = NULL;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	const char *model = at("conversions/%s/model.onnx", KEY_A), *manifest = at("conversions/%s/manifest.json", KEY_A);
	struct stat before;
	assert_int_equal(stat(model, &before), 0);
	usleep(20000);
	int fd = open(model, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "f", 1, 4), 1);
	assert_int_equal(futimens(fd, (struct timespec[]){ before.st_atim, before.st_mtim }), 0); /* the time of modification may lie */
	close(fd);
	expect_mismatch(c, false, "SHA-256");
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	assert_true(made);
	usleep(20000);
	assert_int_equal(chmod(model, 0600), 0); /* harmless: read once, then the manifest is the younger again */
	assert_true(og_changed_since(model, manifest));
	usleep(20000);
	ok(og_cache_find(c, KEY_A, false, &e, &err), &err);
	og_cache_entry_free(e);
	assert_false(og_changed_since(model, manifest));
}

static void test_entry__force_replaces_while_in_use(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "first", false, &made, &err), &err);
	og_auto(og_cache_entry) *held = NULL;
	ok(og_cache_find(c, KEY_A, false, &held, &err), &err);
	int fd = open(at("conversions/%s/model.onnx", KEY_A), O_RDONLY | O_CLOEXEC);
	ok(put(c, KEY_A, "other", true, &made, &err), &err); /* must not wait for `held` */
	assert_true(made);
	char b[6] = "";
	assert_int_equal(read(fd, b, 5), 5);
	assert_string_equal(b, "first");
	close(fd);
	og_auto_buf text;
	og_buf_init(&text, 100);
	ok(og_file_read(at("conversions/%s/model.onnx", KEY_A), 100, &text, &err), &err);
	assert_string_equal(og_buf_cstr(&text), "other");
	assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
}

static bool lock_is_free(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return is_free;
}

static void test_entry__holders_keep_evictors_out(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	const char *use = at("conversions/.locks/%s.use", KEY_A), *work = at("conversions/.locks/%s.lock", KEY_A);
	assert_true(lock_is_free(use));
	assert_true(lock_is_free(work));
	og_cache_entry *e = NULL;
	ok(og_cache_find(c, KEY_A, false, &e, &err), &err);
	assert_false(lock_is_free(use));
	assert_true(lock_is_free(work));
	og_cache_entry_free(e);
	assert_true(lock_is_free(use));
	og_staging *s = NULL;
	ok(og_staging_begin(c, KEY_A, true, NULL, &s, &e, &err), &err);
	assert_false(lock_is_free(work));
	content x;
	describe(&x, KEY_A, "graph");
	ok(fill(og_staging_dir(s), "graph", &err), &err);
	ok(og_staging_publish(s, &x.manifest, &e, &err), &err);
	assert_true(lock_is_free(work)); /* others go on while the entry is still in use here */
	assert_false(lock_is_free(use));
	og_cache_entry_free(e);
	og_staging_free(s);
	ok(og_staging_begin(c, KEY_A, true, NULL, &s, &e, &err), &err);
	og_staging_free(s);
	assert_true(lock_is_free(work));
}

static void test_entry__orphans_are_swept(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(og_mkdirs(at("conversions/.staging-%s.0123456789abcdef/sub", KEY_A), &err), &err);
	ok(og_mkdirs(at("conversions/.staging-%s.0123456789abcdef.old", KEY_B), &err), &err);
	ok(og_mkdirs(at("conversions/.staging-short"), &err), &err);
	og_auto(og_cache) *other = open_cache();
	og_auto(og_staging) *alive = NULL;
	og_cache_entry *e = NULL;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err); /* sweeps its own, and tries the others */
	assert_int_equal(count_names(at("conversions"), ".staging-"), 1);
	ok(og_staging_begin(other, KEY_B, false, NULL, &alive, &e, &err), &err);
	og_auto(og_cache) *third = open_cache();
	ok(og_cache_find(third, KEY_A, false, &e, &err), &err); /* a cached answer sweeps, too; what is alive stays */
	og_cache_entry_free(e);
	assert_true(og_dir_exists(og_staging_dir(alive)));
	assert_true(og_dir_exists(at("conversions/.staging-short"))); /* no name of ours */
}

static void test_entry__update_writes_the_stronger_level(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	content x;
	describe(&x, KEY_A, "graph");
	assert_int_equal(og_cache_update(c, KEY_A, &x.manifest, &err), ONNXGATE_NOT_FOUND);
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	og_auto(og_cache_entry) *held = NULL;
	ok(og_cache_find(c, KEY_A, false, &held, &err), &err);
	x.manifest.level = ONNXGATE_VALIDATE_RUNTIME;
	x.manifest.runtime = "onnxruntime 1.32.0";
	ok(og_cache_update(c, KEY_A, &x.manifest, &err), &err); /* must not wait for `held` */
	og_auto(og_cache_entry) *e = NULL;
	ok(og_cache_find(c, KEY_A, true, &e, &err), &err);
	assert_int_equal(og_cache_entry_manifest(e)->level, ONNXGATE_VALIDATE_RUNTIME);
	assert_string_equal(og_cache_entry_manifest(e)->runtime, "onnxruntime 1.32.0");
	assert_int_equal(count_names(at("conversions"), ".staging-"), 0);
	assert_int_equal(count_names(at("conversions/%s", KEY_A), ""), 3);
	describe(&x, KEY_A, "another");
	assert_int_equal(og_cache_update(c, KEY_A, &x.manifest, &err), ONNXGATE_MISMATCH);
}

static const char *cell(const onnxgate_table *t, size_t row, const char *column)
{
	for (size_t i = 0; i < t->ncolumns; i++)
		if (strcmp(t->columns[i], column) == 0)
			return t->cells[row * t->ncolumns + i];
	fail_msg("no column %s", column);
	return NULL;
}

static void test_entry__list(void **state)
{
	(void)state;
	og_auto(og_cache) *c = open_cache();
	og_error err = { 0 };
	bool made;
	ok(put(c, KEY_A, "graph", false, &made, &err), &err);
	ok(put(c, KEY_B, "graphs", false, &made, &err), &err);
	ok(og_file_write(at("conversions/%s/manifest.json", KEY_B), "{", 1, &err), &err);
	assert_int_equal(utime(at("conversions/%s", KEY_A), &(struct utimbuf){ 1000, 1000 }), 0);
	onnxgate_table *t = NULL;
	ok(og_cache_list(c, &t, &err), &err);
	assert_string_equal(t->title, "cache ls");
	assert_int_equal(t->nrows, 2);
	assert_string_equal(cell(t, 0, "key"), KEY_B);
	assert_string_equal(cell(t, 0, "level"), "damaged");
	assert_null(cell(t, 0, "repo_id"));
	assert_string_equal(cell(t, 1, "repo_id"), "org/näme");
	assert_string_equal(cell(t, 1, "size"), "7");
	assert_string_equal(cell(t, 1, "level"), "structure");
	assert_string_equal(cell(t, 1, "last_used"), "1970-01-01T00:16:40Z"); /* listing is not using */
	og_table_free(t);
	og_cache_entry *e = NULL;
	ok(og_cache_find(c, KEY_A, false, &e, &err), &err);
	og_cache_entry_free(e);
	ok(og_cache_list(c, &t, &err), &err);
	assert_string_not_equal(cell(t, strcmp(cell(t, 0, "key"), KEY_A) ? 1 : 0, "last_used"), "1970-01-01T00:16:40Z");
	og_table_free(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_entry__nothing_is_created_by_looking),
		T(test_entry__store_and_find),
		T(test_entry__abandoned_staging_leaves_nothing),
		T(test_entry__publish_checks_its_promise),
		T(test_entry__cancel_before_the_rename),
		T(test_entry__damage_is_mismatch_and_mended),
		T(test_entry__wrong_digest_is_not_found_again),
		T(test_entry__what_changed_after_the_manifest_is_read),
		T(test_entry__force_replaces_while_in_use),
		T(test_entry__holders_keep_evictors_out),
		T(test_entry__orphans_are_swept),
		T(test_entry__update_writes_the_stronger_level),
		T(test_entry__list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
