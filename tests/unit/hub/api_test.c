/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids, quoting, listings and refusals: hub/hub.c and hub/api.c. */
#include "fixture.h"

static og_status ask(fixture *f, const char *id, const char *revision, og_hub_repo **r, og_error *err)
{
	*err = (og_error){ 0 };
	return og_hub_resolve(f->hub, id, revision, f->arena, r, err);
}

static og_hub *with_token(fixture *f, const char *token)
{
	og_hub_options o = fx_options(f);
	o.token = token;
	return fx_open(f, o);
}

static void test_api__splits_id_and_revision(void **state)
{
	fixture *f = *state;
	static const struct {
		const char *text, *id, *revision;
	} good[] = {
		{ "gpt2", "gpt2", "main" },
		{ "org/name", "org/name", "main" },
		{ "org/name@v1.0", "org/name", "v1.0" },
		{ "org/name@refs/pr/1", "org/name", "refs/pr/1" },
		{ "_o/a.b-c_d@feat/x@y", "_o/a.b-c_d", "feat/x@y" },
		{ "a/b", "a/b", "main" },
	};
	for (size_t i = 0; i < OG_COUNT(good); i++) {
		const char *id, *revision;
		og_error err = { 0 };
		fx_status(OG_OK, og_hub_parse_id(good[i].text, f->arena, &id, &revision, &err), err);
		assert_string_equal(id, good[i].id);
		assert_string_equal(revision, good[i].revision);
	}
}

static void test_api__refuses_ids_that_break_the_rules(void **state)
{
	fixture *f = *state;
	static const char *const bad[] = {
		"", "/", "a/", "/b", "a/b/c", "a//b", "a b", "a/b c", "../x", "a/..", "a..b", "a--b", "-a", "a-", ".a", "a.", "a/b.git", "a\\b", "a/\xc3\xbc",
		"a/b@", "a/b@../x", "a/b@/x", "a/b@x/../../y", "a/b@x\ny", "@main", "https://huggingface.co/a/b",
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
	};
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		const char *id, *revision;
		og_error err = { 0 };
		fx_status(ONNXGATE_INVALID, og_hub_parse_id(bad[i], f->arena, &id, &revision, &err), err);
		assert_null(strchr(err.message, '\n'));
	}
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 0);
}

static void test_api__quotes_as_the_hub_does(void **state)
{
	fixture *f = *state;
	assert_string_equal(og_hub_quote(f->arena, "a b/\xc3\xbc#?%.bin", true), "a%20b/%C3%BC%23%3F%25.bin");
	assert_string_equal(og_hub_quote(f->arena, "~x+y(1)&=@:,;!.bin", true), "~x%2By%281%29%26%3D%40%3A%2C%3B%21.bin");
	assert_string_equal(og_hub_quote(f->arena, "refs/pr/1", false), "refs%2Fpr%2F1");
}

static void test_api__lists_a_commit_with_one_request(void **state)
{
	fixture *f = *state;
	const og_hub_repo *r = fx_resolve(f, "main");
	const og_hub_file *big = og_hub_repo_find(r, "model.safetensors"), *small = og_hub_repo_find(r, "empty.txt");
	assert_int_equal(r->nfiles, 5);
	assert_true(og_is_hex(r->commit, 40));
	assert_int_equal(big->size, BIG);
	assert_true(og_is_hex(big->sha256, 64));
	assert_true(og_is_hex(big->blob_id, 40));
	assert_null(small->sha256);
	assert_int_equal(small->size, 0);
	assert_string_equal(small->blob_id, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	assert_null(og_hub_repo_find(r, "model"));
	assert_string_equal(r->license, "apache-2.0");
	assert_string_equal(r->pipeline_tag, "fill-mask");
	assert_string_equal(r->library_name, "transformers");
	assert_string_equal(r->model_type, "bert");
	assert_string_equal(r->architecture, "BertModel");
	assert_false(r->gated || r->is_private || r->disabled || r->from_cache || r->partial);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
}

static void test_api__resolves_every_kind_of_revision(void **state)
{
	fixture *f = *state;
	const char *commit = fx_resolve(f, "v1")->commit;
	assert_string_not_equal(commit, fx_resolve(f, "main")->commit);
	assert_string_equal(fx_resolve(f, "refs/pr/1")->commit, commit);
	assert_string_equal(fx_resolve(f, "feat/x")->commit, commit);
	assert_string_equal(fx_resolve(f, fx_path(f, "%.10s", commit))->commit, commit);
	assert_int_equal(fx_count(f, "hub", "/revision/refs%2Fpr%2F1?", NULL, NULL), 1);
	int before = fx_count(f, NULL, "", NULL, NULL);
	assert_true(fx_resolve(f, commit)->from_cache);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), before);
}

static void same_files(const og_hub_repo *a, const og_hub_repo *b)
{
	assert_int_equal(a->nfiles, b->nfiles);
	for (size_t i = 0; i < a->nfiles; i++) {
		assert_string_equal(a->files[i].path, b->files[i].path);
		assert_int_equal(a->files[i].size, b->files[i].size);
		assert_true(og_streq(a->files[i].sha256, b->files[i].sha256));
		assert_string_equal(a->files[i].blob_id, b->files[i].blob_id);
	}
}

static void test_api__reads_the_tree_where_the_listing_is_incomplete(void **state)
{
	fixture *f = *state;
	static const char *const faults[] = { "\"no_blobs\": true", "\"siblings\": 0", "\"merge\": {\"siblings\": null}",
					      "\"merge\": {\"siblings\": [{\"rfilename\": \"x\", \"size\": 1, \"blobId\": \"****************************************\"}]}" };
	const og_hub_repo *whole = fx_resolve(f, "main");
	for (size_t i = 0; i < OG_COUNT(faults); i++) {
		assert_int_equal(og_remove_tree(f->cache, NULL), OG_OK);
		fx_rules(f, "{\"path\": \"revision\", %s}, {\"path\": \"tree\", \"page\": 2}", faults[i]);
		same_files(whole, fx_resolve(f, "main"));
		assert_int_equal(fx_count(f, "hub", "/tree/", NULL, NULL), 4); /* 5 files, 2 folders, 2 on each page */
		assert_int_equal(fx_count(f, "hub", fx_path(f, "/tree/%s", whole->commit), NULL, NULL), 4);
	}
}

static void test_api__a_next_page_elsewhere_does_not_get_the_token(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	with_token(f, "hf_good");
	fx_rules(f,
		 "{\"path\": \"revision\", \"no_blobs\": true}, "
		 "{\"path\": \"tree\", \"side\": \"hub\", \"headers\": {\"Link\": \"<http://127.0.0.1:%d/tree?2>; rel=\\\"next\\\"\"}}, "
		 "{\"side\": \"cdn\", \"json\": []}",
		 f->cdn);
	fx_status(OG_OK, ask(f, REPO, "main", &r, &err), err);
	assert_int_equal(fx_count(f, "cdn", "/tree?2", "authorization", ""), 1);
	fx_rules(f, "{\"path\": \"revision\", \"no_blobs\": true}, {\"path\": \"tree\", \"headers\": {\"Link\": \"<file:///etc/passwd>; rel=\\\"next\\\"\"}}");
	fx_status(ONNXGATE_UNSAFE, ask(f, REPO, "main", &r, &err), err);
}

static void test_api__an_endless_tree_ends(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	fx_rules(f,
		 "{\"path\": \"revision\", \"no_blobs\": true}, "
		 "{\"path\": \"tree\", \"headers\": {\"Link\": \"<http://127.0.0.1:%d/api/models/org/tiny/tree/main>; rel=\\\"next\\\"\"}, \"json\": []}",
		 f->port);
	fx_status(ONNXGATE_FORMAT, ask(f, REPO, "main", &r, &err), err);
	assert_non_null(strstr(err.message, "pages"));
}

static void test_api__refuses_hostile_listings(void **state)
{
	fixture *f = *state;
	static const struct {
		const char *rows;
		og_status status;
	} rows[] = {
		{ "{\"rfilename\": \"../x\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"/etc/passwd\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"a/../../x\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"a\\\\b\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"C:x\", %s}", ONNXGATE_UNSAFE },
		{ "{\"rfilename\": \"a\\u0000b\", %s}", ONNXGATE_FORMAT },
		{ "{\"rfilename\": 5, %s}", ONNXGATE_FORMAT },
		{ "{%s}", ONNXGATE_FORMAT },
		{ "5", ONNXGATE_FORMAT },
		{ "{\"rfilename\": \"x\", %s}, {\"rfilename\": \"x\", %s}", ONNXGATE_FORMAT },
		{ "{\"rfilename\": \"x\", \"size\": 9000000000000000000, \"blobId\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}", ONNXGATE_FORMAT },
	};
	const char *facts = "\"size\": 1, \"blobId\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"";
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto_buf text = { 0 };
		og_hub_repo *r;
		og_error err;
		og_buf_init(&text, 4096);
		for (const char *p = rows[i].rows; *p; p++) {
			if (p[0] == '%' && p[1] == 's')
				og_buf_str(&text, facts), p++;
			else
				og_buf_byte(&text, (uint8_t)*p);
		}
		fx_rules(f, "{\"path\": \"revision\", \"merge\": {\"siblings\": [%s]}}", og_buf_cstr(&text));
		fx_status(rows[i].status, ask(f, REPO, "main", &r, &err), err);
		assert_false(og_dir_exists(f->cache));
	}
}

static void test_api__a_tree_without_digests_is_refused(void **state)
{
	fixture *f = *state;
	static const char *const rows[] = {
		"{\"type\": \"file\", \"path\": \"x\", \"size\": 1, \"oid\": \"../../x\"}",
		"{\"type\": \"file\", \"path\": \"x\", \"size\": -1, \"oid\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}",
		"{\"type\": \"file\", \"path\": \"x\", \"size\": \"1\", \"oid\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}",
		"{\"type\": \"file\", \"path\": \"x\", \"size\": 1, \"oid\": \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\", \"lfs\": {\"oid\": \"x\"}}",
	};
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_hub_repo *r;
		og_error err;
		fx_rules(f, "{\"path\": \"revision\", \"no_blobs\": true}, {\"path\": \"tree\", \"json\": [%s]}", rows[i]);
		fx_status(ONNXGATE_FORMAT, ask(f, REPO, "main", &r, &err), err);
		assert_non_null(strstr(err.message, "x: listed without size or digest"));
	}
}

static void test_api__an_answer_about_another_commit_is_a_mismatch(void **state)
{
	fixture *f = *state;
	og_hub_repo *r;
	og_error err;
	const char *commit = fx_resolve(f, "v1")->commit;
	assert_int_equal(og_remove_tree(f->cache, NULL), OG_OK);
	fx_rules(f, "{\"path\": \"revision\", \"merge\": {\"sha\": \"0123456789012345678901234567890123456789\"}}");
	fx_status(ONNXGATE_MISMATCH, ask(f, REPO, commit, &r, &err), err);
}

static void test_api__facts_of_the_wrong_type_are_left_out(void **state)
{
	fixture *f = *state;
	fx_rules(f, "{\"path\": \"revision\", \"merge\": {\"pipeline_tag\": 5, \"library_name\": \"a\\u001b[31m\", \"config\": [1], "
		    "\"cardData\": {\"license\": [\"mit\", \"x\"]}, \"gated\": \"manual\", \"private\": \"yes\", \"tags\": {}}}");
	const og_hub_repo *r = fx_resolve(f, "main");
	assert_null(r->pipeline_tag);
	assert_null(r->library_name);
	assert_null(r->model_type);
	assert_null(r->architecture);
	assert_string_equal(r->license, "mit");
	assert_true(r->gated);
	assert_false(r->is_private);
}

/* ---- refusals, as the Hub words them ---- */

static void refused(fixture *f, const char *id, const char *revision, og_status status, const char *message, const char *hint)
{
	og_hub_repo *r;
	og_error err;
	const char *local;
	og_status s = ask(f, id, revision, &r, &err);
	if (s == OG_OK)
		s = og_hub_fetch(f->hub, r, "config.json", f->arena, &local, &err);
	fx_status(status, s, err);
	if (!strstr(err.message, message) || !strstr(err.hint, hint))
		fail_msg("message \"%s\", hint \"%s\": expected \"%s\" and \"%s\"", err.message, err.hint, message, hint);
}

static void test_api__tells_the_refusals_of_the_hub_apart(void **state)
{
	fixture *f = *state;
	refused(f, "org/nothing", "main", ONNXGATE_NOT_FOUND, "org/nothing: no such model", "HF_TOKEN"); /* a bare 401, over http */
	refused(f, "org/private", "main", ONNXGATE_NOT_FOUND, "no such model", "private");
	refused(f, REPO, "nope", ONNXGATE_NOT_FOUND, "no revision nope", "");
	refused(f, "org/gated", "main", ONNXGATE_NO_ACCESS, "gated, and no token", "org/gated, then give your token");
	refused(f, "org/disabled", "main", ONNXGATE_NO_ACCESS, "disabled", "");
	with_token(f, "hf_other");
	refused(f, "org/nothing", "main", ONNXGATE_NOT_FOUND, "HTTP 404", "spelling");
	refused(f, "org/private", "main", ONNXGATE_NOT_FOUND, "HTTP 404", "token must be");
	refused(f, "org/gated", "main", ONNXGATE_NO_ACCESS, "has not been given access", "ask for access");
	with_token(f, "hf_wrong");
	refused(f, REPO, "main", ONNXGATE_NO_ACCESS, "Invalid credentials", "not valid");
	with_token(f, "hf_good");
	og_hub_repo *r;
	og_error err;
	fx_status(OG_OK, ask(f, "org/private", "main", &r, &err), err);
	assert_true(r->is_private);
	fx_fetch(f, r, "config.json");
	fx_status(OG_OK, ask(f, "org/gated", "main", &r, &err), err);
	assert_true(r->gated);
	fx_fetch(f, r, "config.json");
}

static void test_api__maps_codes_before_statuses(void **state)
{
	fixture *f = *state;
	static const struct {
		int http;
		const char *headers, *body;
		og_status status;
		const char *message;
	} rows[] = {
		{ 404, "\"X-Error-Code\": \"RevisionNotFound\"", "", ONNXGATE_NOT_FOUND, "no revision" },
		{ 404, "\"X-Error-Code\": \"EntryNotFound\"", "", ONNXGATE_NOT_FOUND, "no file" },
		{ 403, "\"X-Error-Code\": \"GatedRepo\"", "", ONNXGATE_NO_ACCESS, "gated" },
		{ 401, "\"X-Error-Code\": \"RepoNotFound\"", "", ONNXGATE_NOT_FOUND, "no such model" },
		{ 401, "\"X-Error-Code\": \"GatedRepo\", \"X-Error-Message\": \"Invalid credentials in Authorization header\"", "", ONNXGATE_NO_ACCESS, "gated" },
		{ 403, "\"X-Error-Message\": \"Access to this resource is disabled.\"", "", ONNXGATE_NO_ACCESS, "disabled" },
		{ 403, "\"X-Error-Message\": \"no scope\"", "", ONNXGATE_NO_ACCESS, "no scope" },
		{ 400, "\"X\": \"y\"", "{\\\"error\\\": \\\"bad\\\\nline\\\"}", ONNXGATE_NETWORK, "HTTP 400: bad" },
		{ 404, "\"X\": \"y\"", "<html>", ONNXGATE_NETWORK, "HTTP 404: no reason given" },
		{ 418, "\"X-Error-Message\": \"tea\"", "", ONNXGATE_NETWORK, "HTTP 418: tea" },
		{ 204, "\"X\": \"y\"", "", ONNXGATE_NETWORK, "HTTP 204" },
	};
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		fx_rules(f, "{\"path\": \"revision\", \"status\": %d, \"headers\": {%s}, \"body\": \"%s\"}", rows[i].http, rows[i].headers, rows[i].body);
		refused(f, REPO, "main", rows[i].status, rows[i].message, "");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_api__##name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(splits_id_and_revision),
		TEST(refuses_ids_that_break_the_rules),
		TEST(quotes_as_the_hub_does),
		TEST(lists_a_commit_with_one_request),
		TEST(resolves_every_kind_of_revision),
		TEST(reads_the_tree_where_the_listing_is_incomplete),
		TEST(a_next_page_elsewhere_does_not_get_the_token),
		TEST(an_endless_tree_ends),
		TEST(refuses_hostile_listings),
		TEST(a_tree_without_digests_is_refused),
		TEST(an_answer_about_another_commit_is_a_mismatch),
		TEST(facts_of_the_wrong_type_are_left_out),
		TEST(tells_the_refusals_of_the_hub_apart),
		TEST(maps_codes_before_statuses),
	};
	return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
