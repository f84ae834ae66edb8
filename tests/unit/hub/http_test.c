/* SPDX-License-Identifier: Apache-2.0
 *
 * Hops, tries, tokens and ceilings of hub/http.c against a Hub that misbehaves on demand. */
#include "fixture.h"

#include <pthread.h>

static og_status ask(fixture *f, og_error *err)
{
	og_hub_repo *r = NULL;
	*err = (og_error){ 0 };
	return og_hub_resolve(f->hub, REPO, "main", f->arena, &r, err);
}

static void test_http__asks_once_and_says_who_it_is(void **state)
{
	fixture *f = *state;
	fx_resolve(f, "main");
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
	assert_int_equal(fx_count(f, "hub", "/api/models/org/tiny/revision/main?blobs=True", "user-agent", "onnxgate/" ONNXGATE_VERSION), 1);
	assert_int_equal(fx_count(f, "hub", "/api/models", "accept-encoding", "identity"), 1);
	assert_int_equal(fx_count(f, "hub", "/api/models", "authorization", ""), 1);
	assert_int_equal(og_hub_requests(f->hub), 1);
}

static void test_http__sends_the_token_to_the_hub_and_to_nobody_else(void **state)
{
	fixture *f = *state;
	og_hub_options o = fx_options(f);
	o.token = "hf_good";
	fx_open(f, o);
	og_hub_repo *r = fx_resolve(f, "main");
	fx_fetch(f, r, "model.safetensors");
	fx_fetch(f, r, "config.json");
	assert_int_equal(fx_count(f, "hub", "", "authorization", "Bearer hf_good"), 4); /* info, resolve, resolve, resolve-cache */
	assert_int_equal(fx_count(f, "hub", "", "authorization", ""), 0);
	assert_int_equal(fx_count(f, "cdn", "", "authorization", ""), 1);
	assert_int_equal(fx_count(f, "cdn", "", "authorization", "*"), 0);
}

static void test_http__drops_the_token_on_a_redirect_to_another_host_and_port(void **state)
{
	fixture *f = *state;
	og_hub_options o = fx_options(f);
	og_error err;
	o.token = "hf_good";
	fx_open(f, o);
	/* The same server under another name, then another port of it. */
	fx_rules(f, "{\"path\": \"revision/main\", \"times\": 1, \"redirect\": \"http://localhost:%d/api/models/org/tiny/revision/main?blobs=True\"}", f->port);
	fx_status(OG_OK, ask(f, &err), err);
	assert_int_equal(fx_count(f, "hub", "", "authorization", "*"), 1);
	assert_int_equal(fx_count(f, "hub", "", "authorization", ""), 1);
	fx_rules(f, "{\"path\": \"revision/main\", \"redirect\": \"{cdn}/x\"}, {\"side\": \"cdn\", \"json\": {}}");
	fx_status(ONNXGATE_FORMAT, ask(f, &err), err);
	assert_int_equal(fx_count(f, "cdn", "", "authorization", ""), 1);
}

static void test_http__follows_a_relative_redirect_with_the_token(void **state)
{
	fixture *f = *state;
	og_hub_options o = fx_options(f);
	og_error err = { 0 };
	og_hub_repo *r;
	o.token = "hf_good";
	fx_open(f, o);
	fx_status(OG_OK, og_hub_resolve(f->hub, "tiny", "main", f->arena, &r, &err), err); /* an alias of org/tiny */
	assert_int_equal(fx_count(f, "hub", "", "authorization", "Bearer hf_good"), 2);
	assert_string_equal(r->repo_id, "tiny");
	assert_true(og_dir_exists(fx_path(f, "%s/models--tiny", f->cache)));
}

static void test_http__refuses_what_is_not_http(void **state)
{
	fixture *f = *state;
	static const char *const targets[] = { "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "http://user:pw@127.0.0.1/", "http://",
					       "//", "http://127.0.0.1:99999/" };
	for (size_t i = 0; i < OG_COUNT(targets); i++) {
		og_error err;
		fx_rules(f, "{\"path\": \"revision\", \"redirect\": \"%s\"}", targets[i]);
		fx_status(ONNXGATE_UNSAFE, ask(f, &err), err);
	}
}

static void test_http__gives_up_a_chain_of_redirects(void **state)
{
	fixture *f = *state;
	og_error err;
	fx_rules(f, "{\"path\": \"revision\", \"redirect\": \"{hub}/api/models/org/tiny/revision/x\"}");
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	assert_non_null(strstr(err.message, "more than 8 redirects"));
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 9);
}

static void test_http__tries_again_after_passing_failures(void **state)
{
	fixture *f = *state;
	static const char *const faults[] = { "\"status\": 503", "\"status\": 500", "\"status\": 502", "\"status\": 504", "\"status\": 408", "\"drop_after\": 10" };
	for (size_t i = 0; i < OG_COUNT(faults); i++) {
		og_error err;
		fx_rules(f, "{\"path\": \"revision\", \"times\": 2, %s}", faults[i]);
		fx_status(OG_OK, ask(f, &err), err);
		assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 3);
	}
}

static void test_http__stops_trying_and_says_how_often(void **state)
{
	fixture *f = *state;
	og_error err;
	fx_rules(f, "{\"path\": \"revision\", \"status\": 503, \"body\": \"{\\\"error\\\": \\\"on fire\\\"}\"}");
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 3);
	assert_non_null(strstr(err.message, "HTTP 503 after 3 tries: on fire"));
	og_hub_options o = fx_options(f);
	o.endpoint = "http://127.0.0.1:1";
	fx_open(f, o);
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	assert_non_null(strstr(err.message, "http://127.0.0.1:1"));
	assert_non_null(strstr(err.message, "(3 tries)"));
}

static void test_http__does_not_repeat_what_will_not_pass(void **state)
{
	fixture *f = *state;
	static const int statuses[] = { 400, 404, 410, 501 };
	for (size_t i = 0; i < OG_COUNT(statuses); i++) {
		og_error err;
		fx_rules(f, "{\"path\": \"revision\", \"status\": %d}", statuses[i]);
		fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
		assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
	}
}

static void test_http__waits_as_long_as_it_is_asked_to(void **state)
{
	fixture *f = *state;
	og_error err;
	double start = og_now_ms();
	fx_rules(f, "{\"path\": \"revision\", \"times\": 1, \"status\": 429, \"headers\": {\"Retry-After\": \"1\"}}");
	fx_status(OG_OK, ask(f, &err), err);
	assert_true(og_now_ms() - start >= 1000);
	start = og_now_ms();
	assert_int_equal(og_remove_tree(f->cache, NULL), OG_OK); /* it would answer instead */
	fx_rules(f, "{\"path\": \"revision\", \"status\": 429, \"headers\": {\"Retry-After\": \"3600\"}}");
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	assert_true(og_now_ms() - start < 15000);
	assert_non_null(strstr(err.hint, "3600 s"));
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
}

static void test_http__reads_what_the_server_asks_for(void **state)
{
	(void)state;
	og_http_answer a = { 0 };
	static const struct {
		const char *after, *limit;
		int seconds;
	} rows[] = {
		{ NULL, NULL, -1 },
		{ "7", NULL, 7 },
		{ "Thu, 01 Jan 1970 00:02:00 GMT", NULL, 20 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", NULL, 0 },
		{ "soon", NULL, -1 },
		{ "-5", NULL, -1 },
		{ "99999999999999999999", NULL, -1 },
		{ NULL, "\"resolvers\";r=0;t=55", 56 },
		{ NULL, "\"resolvers\";r=10;t=55", -1 },
		{ "3", "\"api\";r=499;t=270", 3 },
	};
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		a.header[OG_H_RETRY_AFTER] = (char *)(uintptr_t)rows[i].after;
		a.header[OG_H_RATE_LIMIT] = (char *)(uintptr_t)rows[i].limit;
		assert_int_equal(og_http_wait_asked(&a, 100), rows[i].seconds);
	}
}

static void test_http__does_not_wait_for_a_silent_or_a_trickling_server(void **state)
{
	fixture *f = *state;
	og_hub_options o = fx_options(f);
	og_error err;
	static const char *const faults[] = { "\"delay\": 8", "\"slow\": [5, 0.2]" };
	o.timeout_s = 1;
	for (size_t i = 0; i < OG_COUNT(faults); i++) {
		fx_open(f, o)->patience.tries = 1;
		double start = og_now_ms();
		fx_rules(f, "{\"path\": \"revision\", %s}", faults[i]);
		fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
		assert_true(og_now_ms() - start < 7500);
	}
}

static void *cancel_soon(void *arg)
{
	og_sleep_ms(200);
	__atomic_store_n(&((fixture *)arg)->cancel, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_http__can_be_interrupted_in_a_transfer_and_in_a_pause(void **state)
{
	fixture *f = *state;
	static const char *const faults[] = { "\"delay\": 8", "\"status\": 429, \"headers\": {\"Retry-After\": \"8\"}" };
	for (size_t i = 0; i < OG_COUNT(faults); i++) {
		og_error err;
		pthread_t t;
		double start = og_now_ms();
		f->cancel = 0;
		fx_rules(f, "{\"path\": \"revision\", %s}", faults[i]);
		assert_int_equal(pthread_create(&t, NULL, cancel_soon, f), 0);
		fx_status(ONNXGATE_CANCELLED, ask(f, &err), err);
		pthread_join(t, NULL);
		assert_true(og_now_ms() - start < 7000);
	}
}

static void test_http__limits_what_it_takes_in(void **state)
{
	fixture *f = *state;
	og_error err;
	fx_rules(f, "{\"path\": \"revision\", \"garbage\": %u}", OG_HTTP_BODY_MAX + 1);
	fx_status(ONNXGATE_FORMAT, ask(f, &err), err);
	assert_non_null(strstr(err.message, "limit"));
	char *fat = fx_path(f, "%090000d", 1);
	fx_rules(f, "{\"path\": \"revision\", \"headers\": {\"A\": \"%s\", \"B\": \"%s\", \"C\": \"%s\"}}", fat, fat, fat);
	fx_status(ONNXGATE_FORMAT, ask(f, &err), err);
	assert_non_null(strstr(err.message, "headers"));
	fx_rules(f, "{\"path\": \"revision\", \"headers\": {\"A\": \"%s%s%s%s\"}}", fat, fat, fat, fat);
	fx_status(ONNXGATE_FORMAT, ask(f, &err), err);
	/* an endless page behind a refusal is not read to its end */
	fx_rules(f, "{\"path\": \"revision\", \"status\": 404, \"garbage\": 50000000}");
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	const char *log = NULL, *sent = NULL;
	for (int i = 0; i < 200 && !sent; i++) { /* the server notices a moment later */
		og_sleep_ms(20);
		log = fx_http(f, "GET", "/_log", "");
		sent = strstr(log, "\"sent\": ");
	}
	assert_non_null(sent);
	assert_true(atoi(sent + 8) < 40000000);
}

static void test_http__refuses_garbage_in_place_of_json(void **state)
{
	fixture *f = *state;
	static const char *const bodies[] = { "", "<html>", "{", "[]", "{}", "{\\\"sha\\\": 5}", "{\\\"sha\\\": \\\"../../x\\\"}", "[[[[[[" };
	for (size_t i = 0; i < OG_COUNT(bodies); i++) {
		og_error err;
		fx_rules(f, "{\"path\": \"revision\", \"body\": \"%s\"}", bodies[i]);
		fx_status(ONNXGATE_FORMAT, ask(f, &err), err);
	}
	assert_false(og_dir_exists(f->cache));
}

static void test_http__decodes_what_was_compressed_unasked(void **state)
{
	fixture *f = *state;
	og_error err;
	fx_rules(f, "{\"gzip\": true}");
	fx_status(OG_OK, ask(f, &err), err);
	fx_fetch(f, fx_resolve(f, "main"), "model.safetensors");
}

static void test_http__takes_chunked_answers(void **state)
{
	fixture *f = *state;
	fx_rules(f, "{\"chunked\": true}");
	fx_fetch(f, fx_resolve(f, "main"), "model.safetensors");
}

/* ---- TLS: a Hub of its own ---- */

static void test_http__trusts_only_certificates_that_it_was_told_to(void **state)
{
	fixture *f = *state, *t = fx_start(true, NULL);
	og_hub_options o = fx_options(f);
	og_error err;
	o.endpoint = t->url;
	fx_open(f, o);
	fx_status(ONNXGATE_NETWORK, ask(f, &err), err);
	assert_non_null(strstr(err.hint, "SSL_CERT_FILE"));
	o.ca_file = t->pem;
	fx_open(f, o);
	fx_fetch(f, fx_resolve(f, "main"), "model.safetensors");
	void *p = t;
	fx_group_teardown(&p);
}

static void test_http__never_steps_down_from_https(void **state)
{
	fixture *f = *state;
	char rule[160];
	snprintf(rule, sizeof(rule), "{\"redirect\": \"%s/org/tiny/resolve/main/config.json\"}", f->url);
	fixture *t = fx_start(true, rule);
	og_hub_options o = fx_options(f);
	og_error err;
	o.ca_file = t->pem;
	o.endpoint = t->url;
	o.token = "hf_good";
	fx_open(f, o);
	fx_status(ONNXGATE_UNSAFE, ask(f, &err), err);
	assert_non_null(strstr(err.message, "from https"));
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 0);
	/* Not on a detour either. */
	o.endpoint = f->url;
	fx_open(f, o);
	fx_rules(f, "{\"path\": \"revision\", \"redirect\": \"%s/x\", \"times\": 1}", t->url);
	fx_status(ONNXGATE_UNSAFE, ask(f, &err), err);
	assert_int_equal(fx_count(f, NULL, "", NULL, NULL), 1);
	void *p = t;
	fx_group_teardown(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_http__##name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
		TEST(asks_once_and_says_who_it_is),
		TEST(sends_the_token_to_the_hub_and_to_nobody_else),
		TEST(drops_the_token_on_a_redirect_to_another_host_and_port),
		TEST(follows_a_relative_redirect_with_the_token),
		TEST(refuses_what_is_not_http),
		TEST(gives_up_a_chain_of_redirects),
		TEST(tries_again_after_passing_failures),
		TEST(stops_trying_and_says_how_often),
		TEST(does_not_repeat_what_will_not_pass),
		TEST(waits_as_long_as_it_is_asked_to),
		TEST(reads_what_the_server_asks_for),
		TEST(does_not_wait_for_a_silent_or_a_trickling_server),
		TEST(can_be_interrupted_in_a_transfer_and_in_a_pause),
		TEST(limits_what_it_takes_in),
		TEST(refuses_garbage_in_place_of_json),
		TEST(decodes_what_was_compressed_unasked),
		TEST(takes_chunked_answers),
		TEST(trusts_only_certificates_that_it_was_told_to),
		TEST(never_steps_down_from_https),
	};
	return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
