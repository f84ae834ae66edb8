/* SPDX-License-Identifier: Apache-2.0
 *
 * How a file arrives, and what is left when it does not: hub/download.c. */
#include "fixture.h"

#include "codec/digest.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>

#define MODEL "model.safetensors"

static og_status get(fixture *f, const og_hub_repo *r, const char *path, const char **local, og_error *err)
{
	*err = (og_error){ 0 };
	return og_hub_fetch(f->hub, r, path, f->arena, local, err);
}

static void assert_whole(const char *local)
{
	uint8_t *big = fx_big();
	char want[OG_SHA256_HEX], found[OG_SHA256_HEX];
	assert_int_equal(og_sha256_bytes(big, BIG, want, NULL), OG_OK);
	assert_int_equal(og_sha256_file(local, NULL, found, NULL), OG_OK);
	assert_string_equal(want, found);
	free(big);
}

/* Nothing in blobs/ and no link: as if it had never been tried. */
static void assert_nothing_left(fixture *f, const og_hub_repo *r)
{
	assert_int_equal(fx_matches(f, "blobs", "*"), 0);
	assert_int_equal(fx_matches(f, fx_path(f, "snapshots/%s", r->commit), "*"), 0);
}

static void test_download__a_file_arrives_verified_and_linked(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	char target[256];
	const char *local = fx_fetch(f, r, MODEL);
	assert_whole(local);
	assert_int_equal(f->done, BIG);
	assert_int_equal(f->total, BIG);
	target[readlink(local, target, sizeof(target) - 1)] = '\0';
	assert_string_equal(target, fx_path(f, "../../blobs/%s", og_hub_repo_find(r, MODEL)->sha256));
	assert_int_equal(fx_matches(f, "blobs", "*"), 1);
	/* A second time nothing is asked, nor for an empty file and one with an odd name. */
	assert_string_equal(fx_read(f, fx_fetch(f, r, "empty.txt")), "");
	assert_string_equal(fx_read(f, fx_fetch(f, r, "sub/dir/a b#\xc3\xbc%?+.txt")), "odd name\n");
	int before = fx_count(f, NULL, "", NULL, NULL);
	for (size_t i = 0; i < 3; i++)
		fx_fetch(f, r, (const char *const[]){ MODEL, "empty.txt", "sub/dir/a b#\xc3\xbc%?+.txt" }[i]);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), before);
}

static void test_download__wrong_bytes_are_a_mismatch_and_leave_nothing(void **state)
{
	fixture *f = *state;
	static const struct {
		const char *rule, *path, *message;
	} rows[] = {
		{ "{\"side\": \"cdn\", \"corrupt\": 1234567}", MODEL, "SHA-256" },
		{ "{\"side\": \"cdn\", \"corrupt\": 0}", MODEL, "SHA-256" },
		{ "{\"side\": \"cdn\", \"resize\": 1}", MODEL, "says 3000000 bytes" },
		{ "{\"side\": \"cdn\", \"resize\": -1}", MODEL, "says 3000000 bytes" },
		{ "{\"side\": \"cdn\", \"resize\": 1, \"chunked\": true}", MODEL, "more bytes arrive" },
		{ "{\"side\": \"cdn\", \"resize\": -1, \"chunked\": true}", MODEL, "says 3000000 bytes" },
		{ "{\"side\": \"cdn\", \"resize\": 1, \"gzip\": true}", MODEL, "more bytes arrive" },
		{ "{\"path\": \"resolve-cache\", \"corrupt\": 3}", "config.json", "git SHA-1" },
		{ "{\"path\": \"resolve-cache\", \"garbage\": 57}", "config.json", "" },
		{ "{\"path\": \"/resolve/\", \"resize\": 5}", "empty.txt", "" },
	};
	og_hub_repo *r = fx_resolve(f, "main");
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		const char *local;
		og_error err;
		fx_rules(f, "%s", rows[i].rule);
		fx_status(ONNXGATE_MISMATCH, get(f, r, rows[i].path, &local, &err), err);
		if (!strstr(err.message, rows[i].message) || !strstr(err.message, rows[i].path))
			fail_msg("%s: %s", rows[i].rule, err.message);
		assert_nothing_left(f, r);
	}
	fx_rules(f, "%s", "");
	assert_whole(fx_fetch(f, r, MODEL));
}

static void test_download__a_lost_connection_is_continued_where_it_broke(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 2, \"drop_after\": 1200000}");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 3);
	assert_int_equal(fx_count(f, "cdn", "", "range", "*"), 2);
	assert_int_equal(fx_count(f, "cdn", "", "range", "bytes=2400000-"), 1);
	assert_int_equal(fx_matches(f, "blobs", "*"), 1);
}

static void test_download__a_server_without_ranges_is_read_from_the_start(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"drop_after\": 1200000}, {\"side\": \"cdn\", \"ignore_range\": true}");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2);
}

static void test_download__compressed_bytes_are_not_continued(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"gzip\": true, \"drop_after\": 1200000}");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", "range", ""), 2);
}

static void test_download__another_part_than_asked_for_is_refused(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	static const char *const rules[] = {
		"{\"side\": \"cdn\", \"times\": 1, \"drop_after\": 1200000}, {\"side\": \"cdn\", \"headers\": {\"Content-Range\": \"bytes 0-2999999/3000000\"}}",
		"{\"side\": \"cdn\", \"times\": 1, \"drop_after\": 1200000}, {\"side\": \"cdn\", \"headers\": {\"Content-Range\": null}}",
		"{\"side\": \"cdn\", \"status\": 206}",
	};
	for (size_t i = 0; i < OG_COUNT(rules); i++) {
		const char *local;
		og_error err;
		fx_rules(f, "%s", rules[i]);
		fx_status(ONNXGATE_MISMATCH, get(f, r, MODEL, &local, &err), err);
		assert_nothing_left(f, r);
	}
}

static void test_download__416_starts_again(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"drop_after\": 1200000}, {\"side\": \"cdn\", \"times\": 1, \"status\": 416}");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", "range", "*"), 1);
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 3);
}

static void test_download__progress_renews_the_tries(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	f->hub->patience.tries = 2;
	fx_rules(f, "{\"side\": \"cdn\", \"drop_after\": 1100000}"); /* two drops, each after more than a MiB */
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 3);
}

static void test_download__gives_up_without_a_trace(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	static const char *const rules[] = {
		"{\"side\": \"cdn\", \"drop_after\": 1000}",
		"{\"side\": \"cdn\", \"status\": 500}",
		"{\"path\": \"/resolve/\", \"status\": 503}",
		"{\"path\": \"/resolve/\", \"redirect\": \"http://127.0.0.1:1/x\"}",
		"{\"path\": \"/resolve/\", \"status\": 404}",
		"{\"side\": \"cdn\", \"status\": 404, \"body\": \"{\\\"error\\\": \\\"gone\\\"}\"}",
	};
	for (size_t i = 0; i < OG_COUNT(rules); i++) {
		const char *local;
		og_error err;
		fx_rules(f, "%s", rules[i]);
		fx_status(ONNXGATE_NETWORK, get(f, r, MODEL, &local, &err), err);
		assert_null(strstr(err.message, "Signature"));
		assert_nothing_left(f, r);
	}
}

static void test_download__an_expired_address_is_renewed_once(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *local;
	og_error err;
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"status\": 403}");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "hub", "/resolve/", NULL, NULL), 2);
	assert_int_equal(og_remove_tree(f->cache, NULL), OG_OK);
	fx_rules(f, "{\"side\": \"cdn\", \"status\": 403, \"body\": \"{\\\"error\\\": \\\"not from there\\\"}\"}");
	fx_status(ONNXGATE_NETWORK, get(f, r, MODEL, &local, &err), err);
	assert_non_null(strstr(err.message, "HTTP 403: not from there"));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2);
}

static void test_download__a_file_that_the_server_lost_is_noted_as_absent(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *local;
	og_error err;
	fx_rules(f, "{\"path\": \"/resolve/\", \"status\": 404, \"headers\": {\"X-Error-Code\": \"EntryNotFound\", \"X-Repo-Commit\": \"%s\"}}", r->commit);
	fx_status(ONNXGATE_NOT_FOUND, get(f, r, MODEL, &local, &err), err);
	assert_int_equal(fx_matches(f, fx_path(f, ".no_exist/%s", r->commit), MODEL), 1);
	/* One that the listing lacks needs no request; a name that leads out is no name. */
	int before = fx_count(f, NULL, "", NULL, NULL);
	fx_status(ONNXGATE_NOT_FOUND, get(f, r, "onnx/model.onnx", &local, &err), err);
	assert_int_equal(fx_matches(f, fx_path(f, ".no_exist/%s/onnx", r->commit), "model.onnx"), 1);
	fx_status(ONNXGATE_INVALID, get(f, r, "../x", &local, &err), err);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), before);
}

static void *cancel_soon(void *arg)
{
	og_sleep_ms(300);
	__atomic_store_n(&((fixture *)arg)->cancel, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_download__an_interruption_leaves_nothing(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	pthread_t t;
	const char *local;
	og_error err;
	fx_rules(f, "{\"side\": \"cdn\", \"slow\": [50000, 0.1]}");
	assert_int_equal(pthread_create(&t, NULL, cancel_soon, f), 0);
	fx_status(ONNXGATE_CANCELLED, get(f, r, MODEL, &local, &err), err);
	pthread_join(t, NULL);
	assert_nothing_left(f, r);
}

static pid_t slow_child(fixture *f, const og_hub_repo *r)
{
	pid_t pid;
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"slow\": [50000, 0.1]}");
	pid = fork();
	if (!pid) {
		const char *local;
		og_error err = { 0 };
		fx_open(f, fx_options(f));
		_exit((int)og_hub_fetch(f->hub, r, MODEL, f->arena, &local, &err));
	}
	for (int i = 0; i < 1000 && !fx_matches(f, "blobs", "*.incomplete"); i++)
		og_sleep_ms(20);
	assert_int_equal(fx_matches(f, "blobs", "*.incomplete"), 1);
	return pid;
}

static void test_download__what_a_killed_run_left_is_removed_by_the_next(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *etag = og_hub_repo_find(r, MODEL)->sha256, *blobs = fx_path(f, "%s/models--org--tiny/blobs", f->cache);
	int status;
	pid_t pid = slow_child(f, r);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(fx_matches(f, "blobs", "*.incomplete"), 1);
	assert_int_equal(fx_matches(f, "blobs", fx_path(f, "%s.????????.incomplete", etag)), 1);
	/* Not ours to remove: Python's older name, another blob's, other suffixes. */
	fx_write_text(fx_path(f, "%s/%s.incomplete", blobs, etag), "x");
	fx_write_text(fx_path(f, "%s/%s.0123456x.incomplete", blobs, etag), "x");
	fx_write_text(fx_path(f, "%s/%s.01234567.tmp", blobs, etag), "x");
	fx_write_text(fx_path(f, "%s/%.40s.01234567.incomplete", blobs, etag), "x");
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_matches(f, "blobs", "*"), 5);
}

static void test_download__several_processes_make_one_download(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	pid_t pid[6];
	fx_rules(f, "{\"side\": \"cdn\", \"slow\": [300000, 0.03]}");
	for (size_t i = 0; i < OG_COUNT(pid); i++) {
		pid[i] = fork();
		if (!pid[i]) {
			const char *local;
			og_error err = { 0 };
			fx_open(f, fx_options(f));
			_exit((int)og_hub_fetch(f->hub, r, MODEL, f->arena, &local, &err));
		}
	}
	for (size_t i = 0; i < OG_COUNT(pid); i++) {
		int status;
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 1);
	assert_int_equal(fx_matches(f, "blobs", "*"), 1);
	assert_whole(fx_fetch(f, r, MODEL));
}

static void test_download__waits_for_a_lock_and_can_be_interrupted_there(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *path = fx_path(f, "%s/.locks/models--org--tiny/%s.lock", f->cache, og_hub_repo_find(r, MODEL)->sha256), *local;
	pthread_t t;
	og_error err;
	fx_write_text(path, "");
	int fd = open(path, O_RDWR | O_CLOEXEC); /* as Python's filelock holds it */
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(pthread_create(&t, NULL, cancel_soon, f), 0);
	fx_status(ONNXGATE_CANCELLED, get(f, r, MODEL, &local, &err), err);
	pthread_join(t, NULL);
	close(fd);
	f->cancel = 0;
	assert_whole(fx_fetch(f, r, MODEL));
}

/* ---- blobs that are there already ---- */

static void test_download__a_good_blob_is_used_and_a_bad_one_replaced(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *blob = fx_path(f, "%s/models--org--tiny/blobs/%s", f->cache, og_hub_repo_find(r, MODEL)->sha256);
	uint8_t *big = fx_big();
	fx_write(blob, big, BIG);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 0);
	/* Full of zeros after a power cut, then short: with and without a link to it. */
	assert_int_equal(unlink(fx_path(f, "%s/models--org--tiny/snapshots/%s/%s", f->cache, r->commit, MODEL)), 0);
	memset(big + BIG / 2, 0, BIG / 2);
	fx_write(blob, big, BIG);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_non_null(strstr(f->log, "fetched anew"));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 1);
	fx_write(blob, big, 100);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2);
	free(big);
}

static void test_download__a_blob_that_changed_later_is_read_again(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *local = fx_fetch(f, r, MODEL);
	struct stat before;
	usleep(20000); /* the clock of files ticks */
	assert_int_equal(stat(local, &before), 0);
	int fd = open(local, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "patched", 7, 1000), 7);
	assert_int_equal(futimens(fd, (struct timespec[]){ before.st_atim, before.st_mtim }), 0);
	close(fd);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_non_null(strstr(f->log, "fetched anew"));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2);
	/* Harmless changes are found harmless, once. */
	usleep(20000);
	assert_int_equal(chmod(local, 0600), 0);
	usleep(20000);
	struct stat link, blob;
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(lstat(local, &link) | stat(local, &blob), 0);
	assert_true(link.st_ctim.tv_sec > blob.st_ctim.tv_sec || link.st_ctim.tv_nsec > blob.st_ctim.tv_nsec);
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2);
	/* A link to another blob, of the same size. */
	uint8_t *big = fx_big();
	big[5] ^= 1;
	fx_write(fx_path(f, "%s/models--org--tiny/blobs/other", f->cache), big, BIG);
	free(big);
	assert_int_equal(unlink(local), 0);
	assert_int_equal(symlink("../../blobs/other", local), 0);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 2); /* the right blob was there */
}

static void test_download__a_link_to_nothing_and_a_stray_file_are_replaced(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *entry = fx_path(f, "%s/models--org--tiny/snapshots/%s/%s", f->cache, r->commit, MODEL);
	assert_int_equal(symlink("../../blobs/nothing", entry), 0);
	assert_whole(fx_fetch(f, r, MODEL));
	assert_int_equal(unlink(entry), 0);
	fx_write_text(entry, "stray");
	assert_whole(fx_fetch(f, r, MODEL));
	/* Cut from the shared store of newer Pythons: the blob is itself a link to nothing. */
	const char *blob = fx_path(f, "%s/models--org--tiny/blobs/%s", f->cache, og_hub_repo_find(r, MODEL)->sha256);
	assert_int_equal(unlink(blob), 0);
	assert_int_equal(symlink("../../blobs/ab/abcd", blob), 0);
	assert_whole(fx_fetch(f, r, MODEL));
}

static void fetch_where_forbidden(fixture *f)
{
	og_hub_repo *r = fx_resolve(f, "main"); /* the listing is not kept, and that is all */
	const char *local;
	og_error err;
	assert_non_null(strstr(f->log, "may not be written"));
	fx_status(ONNXGATE_IO, get(f, r, MODEL, &local, &err), err);
	assert_non_null(strstr(err.message, f->cache));
	assert_non_null(strstr(err.message, "Permission denied"));
}

static void test_download__no_permission_names_the_path(void **state)
{
	fixture *f = *state;
	assert_int_equal(og_mkdirs(f->cache, NULL), OG_OK);
	assert_int_equal(chmod(f->cache, 0555), 0);
	assert_int_equal(chmod(f->top, 0755), 0);
	assert_true(fx_as_nobody(fetch_where_forbidden, f));
}

static void test_download__a_full_disk_is_said_before_the_first_byte(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	og_hub_file *file = (og_hub_file *)(uintptr_t)og_hub_repo_find(r, MODEL);
	const char *local;
	og_error err;
	file->size = (uint64_t)1 << 49;
	fx_rules(f, "%s", "");
	fx_status(ONNXGATE_IO, get(f, r, MODEL, &local, &err), err);
	assert_non_null(strstr(err.message, "bytes free"));
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 0);
}

static void test_download__a_write_that_fails_leaves_nothing(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	struct rlimit old, small;
	const char *local;
	og_error err;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1 << 20;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	og_status s = get(f, r, MODEL, &local, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);
	fx_status(ONNXGATE_IO, s, err);
	assert_non_null(strstr(err.message, ".incomplete"));
	assert_nothing_left(f, r);
	assert_int_equal(fx_count(f, "cdn", "", NULL, NULL), 1); /* not a matter for another try */
	assert_whole(fx_fetch(f, r, MODEL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_download__##name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file_arrives_verified_and_linked),
		TEST(wrong_bytes_are_a_mismatch_and_leave_nothing),
		TEST(a_lost_connection_is_continued_where_it_broke),
		TEST(a_server_without_ranges_is_read_from_the_start),
		TEST(compressed_bytes_are_not_continued),
		TEST(another_part_than_asked_for_is_refused),
		TEST(416_starts_again),
		TEST(progress_renews_the_tries),
		TEST(gives_up_without_a_trace),
		TEST(an_expired_address_is_renewed_once),
		TEST(a_file_that_the_server_lost_is_noted_as_absent),
		TEST(an_interruption_leaves_nothing),
		TEST(what_a_killed_run_left_is_removed_by_the_next),
		TEST(several_processes_make_one_download),
		TEST(waits_for_a_lock_and_can_be_interrupted_there),
		TEST(a_good_blob_is_used_and_a_bad_one_replaced),
		TEST(a_blob_that_changed_later_is_read_again),
		TEST(a_link_to_nothing_and_a_stray_file_are_replaced),
		TEST(no_permission_names_the_path),
		TEST(a_full_disk_is_said_before_the_first_byte),
		TEST(a_write_that_fails_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
