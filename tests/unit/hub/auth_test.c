/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may see the token: hub/auth.c. */
#include "fixture.h"

static void test_auth__knows_this_machine(void **state)
{
	static const char *const yes[] = { "localhost", "127.0.0.1", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]" };
	static const char *const no[] = { "",	       "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "0.0.0.0", "[::]", "[::ffff:10.0.0.1]",
					  "::1",       "[",			"[]",			 "[::1",      "0127.0.0.1", "xn--localhost" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(yes); i++)
		assert_true(og_host_is_loopback(yes[i]));
	for (size_t i = 0; i < OG_COUNT(no); i++)
		assert_false(og_host_is_loopback(no[i]));
}

static void test_auth__token_stays_with_its_origin(void **state)
{
	const og_origin hub = { true, 443, "huggingface.co" };
	const og_origin others[] = {
		{ false, 443, "huggingface.co" },      { false, 80, "huggingface.co" },       { true, 8443, "huggingface.co" },
		{ true, 443, "cdn.huggingface.co" },   { true, 443, "huggingface.co.evil" },  { true, 443, "127.0.0.1" },
	};
	(void)state;
	assert_true(og_token_may_go(&hub, &hub));
	for (size_t i = 0; i < OG_COUNT(others); i++)
		assert_false(og_token_may_go(&hub, &others[i]));
}

static void test_auth__plain_http_only_on_this_machine(void **state)
{
	const og_origin loop = { false, 8080, "127.0.0.1" }, lan = { false, 80, "hub.lan" };
	(void)state;
	assert_true(og_token_may_go(&loop, &loop));
	assert_false(og_token_may_go(&lan, &lan));
}

static void test_auth__a_token_is_one_visible_word(void **state)
{
	static const char *const bad[] = { "", " ", "hf_a b", "hf_a\r\nX: y", "hf_\x01", "hf_\xc3\xbc" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		og_hub_options o = { .endpoint = "https://huggingface.co", .cache = "/tmp", .token = bad[i] };
		og_auto(og_hub) *h = NULL;
		og_error err = { 0 };
		fx_status(ONNXGATE_INVALID, og_hub_open(&o, NULL, &h, &err), err);
		assert_null(strstr(err.message, "hf_")); /* a secret is not shown */
	}
}

static void test_auth__an_endpoint_is_a_web_address(void **state)
{
	static const char *const bad[] = { NULL, "", "huggingface.co", "ftp://x", "https://a b", "https://h?x", "https://h#x", "file:///etc" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		og_hub_options o = { .endpoint = bad[i], .cache = "/tmp" };
		og_auto(og_hub) *h = NULL;
		og_error err = { 0 };
		fx_status(ONNXGATE_INVALID, og_hub_open(&o, NULL, &h, &err), err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth__knows_this_machine),
		cmocka_unit_test(test_auth__token_stays_with_its_origin),
		cmocka_unit_test(test_auth__plain_http_only_on_this_machine),
		cmocka_unit_test(test_auth__a_token_is_one_visible_word),
		cmocka_unit_test(test_auth__an_endpoint_is_a_web_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
