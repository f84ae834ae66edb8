/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies where, and what can be told without the network: hub/cache.c and the offline half of hub/hub.c. */
#include "fixture.h"

#define OLD "0123456789012345678901234567890123456789"

static og_status ask(fixture *f, const char *revision, og_hub_repo **r, og_error *err)
{
	*err = (og_error){ 0 };
	return og_hub_resolve(f->hub, REPO, revision, f->arena, r, err);
}

static char *in_repo(fixture *f, const char *path)
{
	return fx_path(f, "%s/models--org--tiny/%s", f->cache, path);
}

static void go_offline(fixture *f)
{
	og_hub_options o = fx_options(f);
	o.offline = true;
	fx_open(f, o);
	fx_rules(f, "%s", "");
}

static void test_cache__is_laid_out_as_python_lays_it_out(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, "main");
	char target[256];
	fx_fetch(f, r, "sub/dir/a b#\xc3\xbc%?+.txt");
	fx_resolve(f, "refs/pr/1");
	assert_string_equal(fx_read(f, in_repo(f, "refs/main")), r->commit); /* 40 bytes, no newline */
	assert_int_equal(strlen(fx_read(f, in_repo(f, "refs/refs/pr/1"))), 40);
	assert_int_equal(fx_matches(f, "snapshots", "*"), 2); /* before its ref, or Python's scanner drops the repository */
	assert_int_equal(fx_matches(f, "refs", "*"), 2);
	const char *link = in_repo(f, fx_path(f, "snapshots/%s/sub/dir/a b#\xc3\xbc%%?+.txt", r->commit));
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_int_equal(fx_matches(f, "", "*"), 4); /* blobs refs snapshots trees */
	const char *blob = og_hub_repo_find(r, "sub/dir/a b#\xc3\xbc%?+.txt")->blob_id;
	assert_string_equal(target, fx_path(f, "../../../../blobs/%s", blob));
	assert_true(og_file_exists(fx_path(f, "%s/.locks/models--org--tiny/%s.lock", f->cache, blob)));
}

static void test_cache__permissions_follow_the_umask(void **state)
{
	fixture *f = *state;
	static const struct {
		mode_t mask, file;
	} rows[] = { { 0022, 0644 }, { 0002, 0664 }, { 0077, 0600 } };
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		struct stat st;
		mode_t old = umask(rows[i].mask);
		og_hub_repo *r = fx_resolve(f, "main");
		fx_fetch(f, r, "config.json");
		umask(old);
		const char *blob = og_hub_repo_find(r, "config.json")->blob_id;
		const char *const paths[] = { "refs/main", fx_path(f, "trees/%s.json", r->commit), fx_path(f, "blobs/%s", blob) };
		for (size_t k = 0; k < OG_COUNT(paths); k++) {
			assert_int_equal(stat(in_repo(f, paths[k]), &st), 0);
			assert_int_equal(st.st_mode & 0777, rows[i].file);
		}
		assert_int_equal(og_remove_tree(f->cache, NULL), OG_OK);
	}
}

static void test_cache__what_does_not_change_is_not_written_again(void **state)
{
	fixture *f = *state;
	struct stat a, b;
	og_hub_repo *r = fx_resolve(f, "main");
	const char *tree = in_repo(f, fx_path(f, "trees/%s.json", r->commit)), *ref = in_repo(f, "refs/main");
	assert_int_equal(stat(tree, &a), 0);
	assert_int_equal(stat(ref, &b), 0);
	ino_t inodes[2] = { a.st_ino, b.st_ino };
	fx_resolve(f, "main");
	assert_int_equal(stat(tree, &a), 0);
	assert_int_equal(stat(ref, &b), 0);
	assert_int_equal(a.st_ino, inodes[0]);
	assert_int_equal(b.st_ino, inodes[1]);
	fx_write_text(ref, OLD);
	fx_resolve(f, "main");
	assert_string_equal(fx_read(f, ref), r->commit);
}

static void test_cache__offline_knows_what_was_listed_and_fetched(void **state)
{
	fixture *f = *state;
	og_hub_repo *before = fx_resolve(f, "main"), *r;
	og_error err;
	const char *local;
	fx_fetch(f, before, "config.json");
	go_offline(f);
	r = fx_resolve(f, "main");
	assert_true(r->from_cache);
	assert_false(r->partial);
	assert_string_equal(r->commit, before->commit);
	assert_int_equal(r->nfiles, before->nfiles);
	for (size_t i = 0; i < r->nfiles; i++) {
		assert_string_equal(r->files[i].path, before->files[i].path);
		assert_int_equal(r->files[i].size, before->files[i].size);
		assert_true(og_streq(r->files[i].sha256, before->files[i].sha256));
		assert_string_equal(r->files[i].blob_id, before->files[i].blob_id);
	}
	fx_fetch(f, r, "config.json");
	fx_status(ONNXGATE_NETWORK, og_hub_fetch(f->hub, r, "README.md", f->arena, &local, &err), err);
	assert_non_null(strstr(err.message, "README.md"));
	assert_non_null(strstr(err.message, f->cache));
	assert_non_null(strstr(err.hint, "--offline"));
	fx_status(ONNXGATE_NOT_FOUND, og_hub_fetch(f->hub, r, "onnx/model.onnx", f->arena, &local, &err), err); /* known not to exist */
	fx_status(OG_OK, og_hub_cached(f->hub, r, "README.md", f->arena, &local, &err), err);
	assert_null(local);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 0);
}

static void test_cache__offline_misses_say_what_is_missing(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	go_offline(f);
	fx_status(ONNXGATE_NETWORK, ask(f, "main", &r, &err), err);
	assert_non_null(strstr(err.message, "org/tiny@main: not in the cache"));
	assert_non_null(strstr(err.hint, "offline"));
	fx_status(ONNXGATE_NETWORK, ask(f, OLD, &r, &err), err);
	assert_non_null(strstr(err.message, "neither its listing nor a snapshot of commit " OLD));
	assert_false(og_dir_exists(f->cache));
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 0);
}

static void test_cache__a_snapshot_of_python_answers_in_part(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	const char *local, *blob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
	/* huggingface_hub 0.36 keeps no listing; on a disk without links the snapshot holds real files. */
	fx_write_text(in_repo(f, "refs/main"), OLD "\n");
	fx_write_text(in_repo(f, fx_path(f, "blobs/%s", blob)), "");
	fx_write_text(in_repo(f, "snapshots/" OLD "/sub/real.txt"), "real");
	assert_int_equal(symlink(fx_path(f, "../../blobs/%s", blob), in_repo(f, "snapshots/" OLD "/linked.txt")), 0);
	assert_int_equal(symlink("../../blobs/gone", in_repo(f, "snapshots/" OLD "/broken.txt")), 0);
	go_offline(f);
	fx_status(OG_OK, ask(f, "main", &r, &err), err);
	assert_true(r->partial && r->from_cache);
	assert_string_equal(r->commit, OLD);
	assert_int_equal(r->nfiles, 2);
	assert_string_equal(r->files[0].path, "linked.txt");
	assert_string_equal(r->files[0].blob_id, blob);
	assert_string_equal(r->files[1].path, "sub/real.txt");
	assert_null(r->files[1].blob_id);
	assert_string_equal(fx_read(f, fx_fetch(f, r, "sub/real.txt")), "real");
	fx_status(ONNXGATE_NETWORK, og_hub_fetch(f->hub, r, "other.txt", f->arena, &local, &err), err);
	assert_non_null(strstr(err.message, "not among the 2 files of the cached snapshot"));
}

static void test_cache__listings_that_cannot_be_used_are_ignored(void **state)
{
	fixture *f = *state;
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"format_version\": 2, \"files\": {}}",
		"{\"format_version\": 1, \"files\": []}",
		"{\"format_version\": 1, \"files\": {\"../x\": {\"size\": 1, \"blob_id\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}}}",
		"{\"format_version\": 1, \"files\": {\"x\": {\"size\": -1, \"blob_id\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}}}",
		"{\"format_version\": 1, \"files\": {\"x\": {\"size\": 1, \"blob_id\": \"../../../../etc/passwd/xxxxxxxxxxxxxxxxxx\"}}}",
		"{\"format_version\": 1, \"files\": {\"x\": {\"size\": 1}}}",
	};
	const char *commit = fx_resolve(f, "main")->commit, *tree = in_repo(f, fx_path(f, "trees/%s.json", commit));
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		og_hub_repo *r;
		og_error err;
		fx_write_text(tree, bad[i]);
		go_offline(f);
		fx_status(OG_OK, ask(f, "main", &r, &err), err); /* the empty snapshot answers */
		assert_true(r->partial);
		assert_int_equal(r->nfiles, 0);
		fx_open(f, fx_options(f));
		assert_int_equal(fx_resolve(f, commit)->nfiles, 5); /* asked again, and repaired */
		assert_null(strstr(fx_read(f, tree), "passwd"));
		assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
	}
}

static void test_cache__refs_that_are_no_commit_are_not_followed(void **state)
{
	fixture *f = *state;
	static const char *const bad[] = { "", "../../x", "0123", OLD "0", "g123456789012345678901234567890123456789" };
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		og_hub_repo *r;
		og_error err;
		fx_write_text(in_repo(f, "refs/main"), bad[i]);
		go_offline(f);
		fx_status(ONNXGATE_NETWORK, ask(f, "main", &r, &err), err);
	}
}

static void test_cache__answers_when_the_hub_cannot_be_reached(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	const char *commit = fx_resolve(f, "main")->commit;
	fx_rules(f, "{\"status\": 503}");
	fx_status(OG_OK, ask(f, "main", &r, &err), err);
	assert_true(r->from_cache);
	assert_string_equal(r->commit, commit);
	assert_non_null(strstr(f->log, "going on with commit"));
	fx_status(ONNXGATE_NETWORK, ask(f, "v1", &r, &err), err); /* never asked for before */
	fx_rules(f, "{\"status\": 404, \"headers\": {\"X-Error-Code\": \"RepoNotFound\"}}"); /* that is an answer */
	fx_status(ONNXGATE_NOT_FOUND, ask(f, "main", &r, &err), err);
}

static void read_only(fixture *f)
{
	og_hub_repo *r = fx_resolve(f, "main");
	const char *local;
	og_error err;
	assert_false(r->from_cache);
	fx_fetch(f, r, "config.json");
	go_offline(f);
	r = fx_resolve(f, "main");
	assert_true(r->from_cache);
	fx_fetch(f, r, "config.json");
	fx_status(ONNXGATE_NETWORK, og_hub_fetch(f->hub, r, "README.md", f->arena, &local, &err), err);
}

static void test_cache__a_read_only_one_can_be_read(void **state)
{
	fixture *f = *state;
	fx_fetch(f, fx_resolve(f, "main"), "config.json");
	assert_int_equal(chmod(f->top, 0755), 0);
	pid_t pid = fork();
	if (!pid) {
		execlp("chmod", "chmod", "-R", "a-w,a+rX", f->cache, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(fx_as_nobody(read_only, f));
	pid = fork();
	if (!pid) {
		execlp("chmod", "chmod", "-R", "u+w", f->cache, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool curl_is_loaded(fixture *f)
{
	return strstr(fx_read(f, "/proc/self/maps"), "libcurl") != NULL;
}

/* The first test: libcurl stays once it is loaded. */
static void test_cache__without_a_request_libcurl_is_not_loaded(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	fx_write_text(in_repo(f, "snapshots/" OLD "/config.json"), "{}");
	go_offline(f);
	fx_status(OG_OK, ask(f, OLD, &r, &err), err);
	fx_fetch(f, r, "config.json");
	assert_false(curl_is_loaded(f));
	fx_open(f, fx_options(f));
	fx_resolve(f, "main");
	assert_true(curl_is_loaded(f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_cache__##name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_request_libcurl_is_not_loaded),
		TEST(is_laid_out_as_python_lays_it_out),
		TEST(permissions_follow_the_umask),
		TEST(what_does_not_change_is_not_written_again),
		TEST(offline_knows_what_was_listed_and_fetched),
		TEST(offline_misses_say_what_is_missing),
		TEST(a_snapshot_of_python_answers_in_part),
		TEST(listings_that_cannot_be_used_are_ignored),
		TEST(refs_that_are_no_commit_are_not_followed),
		TEST(answers_when_the_hub_cannot_be_reached),
		TEST(a_read_only_one_can_be_read),
	};
	return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
