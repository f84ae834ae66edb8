/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the local Hub as sources: which bytes come, in how many requests, and what is refused. */
#include "fixture.h"

#include "base/pool.h"

static const char *const file = "model.safetensors";

static og_source *open_source(fixture *f, const og_hub_repo *r)
{
	og_error err = { 0 };
	og_source *s = NULL;
	fx_status(OG_OK, og_hub_source(f->hub, r, file, &s, &err), err);
	assert_int_equal(s->size, BIG);
	return s;
}

/* Every read is of the right bytes. */
static void expect(og_source *s, const uint8_t *big, uint64_t at, size_t n)
{
	og_error err = { 0 };
	uint8_t *got = malloc(n + 1);
	fx_status(OG_OK, og_source_read(s, at, got, n, &err), err);
	assert_memory_equal(got, big + at, n);
	free(got);
}

static void test_remote__reads_and_keeps_windows(void **state)
{
	fixture *f = *state;
	uint8_t *big = fx_big();
	og_hub_repo *r = fx_resolve(f, NULL);
	og_source *s = open_source(f, r);
	uint64_t before = og_hub_requests(f->hub);
	expect(s, big, 0, 8);
	expect(s, big, 100, 60000);
	assert_int_equal(og_hub_requests(f->hub) - before, 2); /* the Hub, and where it leads */
	assert_int_equal(fx_count(f, "cdn", "", "range", "bytes=0-65535"), 1);
	expect(s, big, 65530, 20); /* goes on: twice as much, and the address is known */
	assert_int_equal(og_hub_requests(f->hub) - before, 3);
	assert_int_equal(fx_count(f, "cdn", "", "range", "bytes=65536-196607"), 1);
	expect(s, big, BIG - 22, 22); /* the end: all of it at once */
	assert_int_equal(fx_count(f, "cdn", "", "range", "bytes=2868928-2999999"), 1);
	expect(s, big, BIG - 65557, 65557);
	expect(s, big, 0, 8);
	assert_int_equal(og_hub_requests(f->hub) - before, 4);
	expect(s, big, 500, BIG - 500); /* one request for all that is large */
	assert_int_equal(fx_count(f, "hub", "/resolve/", NULL, NULL), 1);
	og_source_free(s);
	assert_int_equal(fx_matches(f, "blobs", "*"), 0);
	free(big);
}

static void test_remote__any_order_gives_the_same_bytes(void **state)
{
	fixture *f = *state;
	uint8_t *big = fx_big();
	og_source *s = open_source(f, fx_resolve(f, NULL));
	uint32_t x = 7;
	for (int i = 0; i < 150; i++) {
		x = x * 1664525u + 1013904223u;
		uint64_t at = (x >> 4) % BIG;
		size_t n = (x % 5 ? x % 3000 : x % 300000);
		expect(s, big, at, n < BIG - at ? n : (size_t)(BIG - at));
	}
	uint8_t b;
	assert_int_equal(og_source_read(s, BIG, &b, 1, NULL), ONNXGATE_FORMAT);
	og_source_free(s);
	free(big);
}

static og_status read_some(void *arg, int worker, size_t item, og_error *err)
{
	uint8_t got[2000];
	(void)worker;
	return og_source_read(arg, item * 17001, got, sizeof(got), err);
}

static void test_remote__threads(void **state)
{
	fixture *f = *state;
	og_source *a = open_source(f, fx_resolve(f, NULL));
	assert_int_equal(og_pool_run(4, 150, read_some, a, NULL), OG_OK);
	og_source_free(a);
}

static void test_remote__the_cached_copy_and_offline(void **state)
{
	fixture *f = *state;
	og_error err = { 0 };
	og_source *s = NULL;
	og_hub_repo *r = fx_resolve(f, NULL);
	og_hub_options o = fx_options(f);
	fx_status(ONNXGATE_NOT_FOUND, og_hub_source(f->hub, r, "nothing.bin", &s, &err), err);
	fx_status(ONNXGATE_NOT_FOUND, og_hub_source(f->hub, r, "../x", &s, &err), err);
	o.offline = true;
	fx_open(f, o);
	fx_status(ONNXGATE_NETWORK, og_hub_source(f->hub, r, file, &s, &err), err);
	assert_non_null(strstr(err.hint, "offline"));
	fx_open(f, fx_options(f));
	fx_fetch(f, r, file);
	uint64_t before = og_hub_requests(f->hub);
	s = open_source(f, r);
	assert_true(s->fd >= 0);
	og_source_free(s);
	assert_int_equal(og_hub_requests(f->hub), before);
}

static void refused(fixture *f, const og_hub_repo *r, const char *rule, og_status status, const char *says)
{
	og_error err = { 0 };
	uint8_t b[8];
	fx_rules(f, "%s", rule);
	og_source *s = open_source(f, r);
	fx_status(status, og_source_read(s, 10, b, sizeof(b), &err), err);
	if (!strstr(err.message, says))
		fail_msg("expected \"%s\" in \"%s\"", says, err.message);
	og_source_free(s);
}

static void test_remote__what_is_not_the_part_or_not_the_file(void **state)
{
	fixture *f = *state;
	og_hub_repo *r = fx_resolve(f, NULL);
	refused(f, r, "{\"side\": \"cdn\", \"ignore_range\": true}", ONNXGATE_NETWORK, "sends all of its 3000000 bytes");
	refused(f, r, "{\"side\": \"cdn\", \"headers\": {\"Content-Range\": null}}", ONNXGATE_MISMATCH, "another part");
	refused(f, r, "{\"side\": \"cdn\", \"headers\": {\"Content-Range\": \"bytes 10-65545/2999999\"}}", ONNXGATE_MISMATCH, "2999999");
	refused(f, r, "{\"side\": \"cdn\", \"resize\": 1}", ONNXGATE_MISMATCH, "where 65536 were asked for");
	refused(f, r, "{\"side\": \"cdn\", \"resize\": -1}", ONNXGATE_MISMATCH, "sends 65535 bytes where 65536 were asked for");
	refused(f, r, "{\"side\": \"cdn\", \"status\": 416}", ONNXGATE_MISMATCH, "has fewer");
	refused(f, r, "{\"path\": \"resolve\", \"headers\": {\"X-Linked-Size\": \"1\"}}", ONNXGATE_MISMATCH, "has 1");
	refused(f, r,
		"{\"path\": \"resolve\", \"headers\": {\"X-Linked-Etag\": \"W/\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\"\"}}", ONNXGATE_MISMATCH, "aaaa");
	refused(f, r, "{\"side\": \"cdn\", \"status\": 404}", ONNXGATE_NETWORK, "HTTP 404");
	refused(f, r, "{\"path\": \"resolve\", \"redirect\": \"file:///etc/passwd\"}", ONNXGATE_UNSAFE, "address");
}

/* Somebody else's ETag is not the Hub's word; a small file may come whole. */
static void test_remote__what_is_taken_all_the_same(void **state)
{
	fixture *f = *state;
	og_error err = { 0 };
	og_hub_repo *r = fx_resolve(f, NULL);
	char text[16] = "";
	og_source *s;
	fx_rules(f, "{\"side\": \"cdn\", \"headers\": {\"X-Linked-Etag\": \"%s\"}}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	s = open_source(f, r);
	fx_status(OG_OK, og_source_read(s, 10, text, 8, &err), err);
	og_source_free(s);
	fx_rules(f, "{\"ignore_range\": true}");
	fx_status(OG_OK, og_hub_source(f->hub, r, "config.json", &s, &err), err);
	fx_status(OG_OK, og_source_read(s, 2, text, 10, &err), err);
	assert_memory_equal(text, "model_type", 10);
	og_source_free(s);
}

static void test_remote__tries_again_and_renews(void **state)
{
	fixture *f = *state;
	uint8_t *big = fx_big();
	og_hub_repo *r = fx_resolve(f, NULL);
	og_source *s = open_source(f, r);
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"drop_after\": 1000}");
	expect(s, big, 0, 2000);
	assert_int_equal(fx_count(f, "cdn", "", "range", "bytes=1000-65535"), 1);
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 2, \"status\": 403}");
	expect(s, big, 1000000, 2000);
	assert_int_equal(fx_count(f, "hub", "/resolve/", NULL, NULL), 1);
	fx_rules(f, "{\"side\": \"cdn\", \"times\": 1, \"status\": 503}");
	expect(s, big, 2000000, 2000);
	og_source_free(s);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)
		T(test_remote__reads_and_keeps_windows),
		T(test_remote__any_order_gives_the_same_bytes),
		T(test_remote__threads),
		T(test_remote__the_cached_copy_and_offline),
		T(test_remote__what_is_not_the_part_or_not_the_file),
		T(test_remote__what_is_taken_all_the_same),
		T(test_remote__tries_again_and_renews),
	};
	return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
