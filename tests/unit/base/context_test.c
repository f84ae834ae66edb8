/* SPDX-License-Identifier: Apache-2.0
 *
 * base/context.h: the callbacks are called one at a time, NULL is silent, a raised flag is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/pool.h"

#include <string.h>

typedef struct seen {
	int inside, calls, overlaps;
	onnxgate_log_level level;
	char line[2048];
	uint64_t done, total;
	const og_context *again;
} seen;

static void enter(seen *s)
{
	if (__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST))
		s->overlaps++;
	og_sleep_ms(1);
	s->calls++;
	__atomic_fetch_sub(&s->inside, 1, __ATOMIC_SEQ_CST);
}

static void on_log(void *arg, onnxgate_log_level level, const char *line)
{
	seen *s = arg;
	enter(s);
	s->level = level;
	strncpy(s->line, line, sizeof s->line - 1);
}

static void on_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	seen *s = arg;
	enter(s);
	s->done = done;
	s->total = total;
	if (s->again)
		og_log(s->again, ONNXGATE_LOG_DEBUG, "from inside: %s", what);
}

static void test_context__null_is_silent(void **state)
{
	og_context none = { 0 };
	(void)state;
	og_log(NULL, ONNXGATE_LOG_ERROR, "x %d", 1);
	og_log(&none, ONNXGATE_LOG_ERROR, "x %d", 1);
	og_progress(NULL, "x", 1, 2);
	og_progress(&none, "x", 1, 2);
	assert_false(og_cancelled(NULL));
	assert_false(og_cancelled(&none));
	assert_int_equal(og_check_cancel(NULL, NULL), OG_OK);
	assert_int_equal(og_context_threads(NULL), 1);
	assert_int_equal(og_context_threads(&none), 1);
	none.threads = 6;
	assert_int_equal(og_context_threads(&none), 6);
}

static void test_context__a_log_line_is_one_line(void **state)
{
	seen s = { 0 };
	og_context c = { .log = on_log, .arg = &s };
	(void)state;
	og_log(&c, ONNXGATE_LOG_WARN, "two\nlines %d", 2);
	assert_string_equal(s.line, "two lines 2");
	assert_int_equal(s.level, ONNXGATE_LOG_WARN);
	og_log(&c, ONNXGATE_LOG_WARN, "%5000d", 1);
	assert_true(strlen(s.line) < 2048);
}

static void test_context__a_callback_may_call_back(void **state)
{
	seen s = { 0 }, inner = { 0 };
	og_context d = { .log = on_log, .arg = &inner }, c = { .progress = on_progress, .arg = &s };
	(void)state;
	s.again = &d;
	og_progress(&c, "download", 3, 4);
	assert_int_equal(s.done, 3);
	assert_int_equal(s.total, 4);
	assert_string_equal(inner.line, "from inside: download");
}

static og_status talk(void *arg, int worker, size_t item, og_error *err)
{
	(void)err;
	if (item % 2)
		og_log(arg, ONNXGATE_LOG_INFO, "worker %d", worker);
	else
		og_progress(arg, "x", item, 40);
	return OG_OK;
}

static void test_context__callbacks_never_overlap(void **state)
{
	seen s = { 0 };
	og_context c = { .log = on_log, .progress = on_progress, .arg = &s, .threads = 4 };
	(void)state;
	assert_int_equal(og_pool_run(4, 40, talk, &c, NULL), OG_OK);
	assert_int_equal(s.calls, 40);
	assert_int_equal(s.overlaps, 0);
}

static void test_context__a_raised_flag_is_seen(void **state)
{
	int flag = 0;
	og_context c = { .cancel = &flag };
	og_error err = { 0 };
	(void)state;
	assert_false(og_cancelled(&c));
	flag = 1;
	assert_true(og_cancelled(&c));
	assert_int_equal(og_check_cancel(&c, &err), ONNXGATE_CANCELLED);
	assert_string_equal(err.message, "interrupted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context__null_is_silent),
		cmocka_unit_test(test_context__a_log_line_is_one_line),
		cmocka_unit_test(test_context__a_callback_may_call_back),
		cmocka_unit_test(test_context__callbacks_never_overlap),
		cmocka_unit_test(test_context__a_raised_flag_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
