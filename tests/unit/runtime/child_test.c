/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime child that dies, hangs, lies or is not there. The liars are shell scripts that play prepared answers. */
#include "../toy_models.h"
#include "../toy_runtime.h"

#include "base/clock.h"
#include "runtime/protocol.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the real child ------------------------------------------------------------------------------- */

/* Our only child process, from /proc; 0: none yet. */
static pid_t only_child(void)
{
	long me = getpid();
	pid_t found = 0;
	og_dirlist l;

	assert_int_equal(og_dir_list("/proc", &l, NULL), OG_OK);
	for (size_t i = 0; i < l.n && !found; i++) {
		char path[300], line[512] = "";
		const char *after;
		long parent = 0;
		FILE *f;
		if (l.names[i][0] < '0' || l.names[i][0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", l.names[i]);
		f = fopen(path, "r");
		if (!f)
			continue;
		after = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		fclose(f);
		if (after && sscanf(after + 1, " %*c %ld", &parent) == 1 && parent == me)
			found = (pid_t)strtol(l.names[i], NULL, 10);
	}
	og_dirlist_done(&l);
	return found;
}

static void *kill_later(void *arg)
{
	og_sleep_ms(300);
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

static void test_child__killed_in_a_run_is_failed_and_stays_so(void **state)
{
	enum { N = 64 };
	og_auto(og_runtime) *r = toy_runtime(20000);
	og_auto(og_session) *s = NULL;
	static float x[N * N];
	static double ms[100000];
	og_array in = { .name = "pixel_values", .dtype = OG_F32, .rank = 2, .dims = { N, N }, .data = x, .size = sizeof(x) };
	pid_t pid = only_child();
	pthread_t killer;
	og_error err = { 0 };
	(void)state;

	assert_true(pid > 0);
	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(pthread_create(&killer, NULL, kill_later, &pid), 0);
	assert_int_equal(og_session_time(s, &in, 1, 100000, 100000, ms, &err), ONNXGATE_FAILED);
	pthread_join(killer, NULL);
	assert_non_null(strstr(err.message, "model.onnx: onnxgate-runtime: killed by signal 9"));
	assert_true(og_runtime_peak_memory(r) > 0);
	memset(&err, 0, sizeof(err));
	assert_int_equal(og_session_time(s, &in, 1, 0, 1, ms, &err), ONNXGATE_FAILED);
	assert_non_null(strstr(err.message, "killed by signal 9"));
}

static void test_child__a_run_longer_than_the_timeout_is_ended(void **state)
{
	enum { N = 4000 }; /* 128 GFlop: seconds on any two cores */
	og_auto(og_runtime) *r = toy_runtime(400);
	og_auto(og_session) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_autofree float *x = og_array_alloc((size_t)N * N, sizeof(*x));
	og_array in = { .name = "pixel_values", .dtype = OG_F32, .rank = 2, .dims = { N, N }, .data = x, .size = (size_t)N * N * 4 }, *out = NULL;
	double begin = og_now_ms();
	og_error err = { 0 };
	size_t n = 0;
	(void)state;

	toy_square(scratch("model.onnx"));
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, &err), ONNXGATE_FAILED);
	assert_non_null(strstr(err.message, "did not answer within 0.4 s"));
	assert_true(og_now_ms() - begin < 30000);
	assert_int_equal(only_child(), 0);
}

static void test_child__an_interruption_ends_it(void **state)
{
	int cancel = 0;
	og_context ctx = { .cancel = &cancel, .threads = 1 };
	og_runtime_options o = { .helper = toy_helper() };
	og_auto(og_runtime) *r = NULL;
	og_session *s = NULL;
	(void)state;

	og_runtime_free(toy_runtime(0));
	assert_int_equal(og_runtime_open(&o, &ctx, &r, NULL), OG_OK);
	toy_square(scratch("model.onnx"));
	cancel = 1;
	assert_int_equal(og_session_open(r, scratch("model.onnx"), NULL, &s, NULL), ONNXGATE_CANCELLED);
	assert_null(s);
}

/* ---- where things are ----------------------------------------------------------------------------- */

static void expect_no_runtime(const og_runtime_options *o, const char *message)
{
	og_runtime *r = NULL;
	og_error err = { 0 };

	assert_int_equal(og_runtime_open(o, NULL, &r, &err), ONNXGATE_UNSUPPORTED);
	assert_null(r);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
	assert_true(err.hint[0] != '\0');
}

static void test_child__a_library_that_is_no_runtime_is_named(void **state)
{
	og_runtime_options o = { .helper = toy_helper(), .library = "libm.so.6" };
	(void)state;

	expect_no_runtime(&o, "runtime library: libm.so.6: is not ONNX Runtime, it has no OrtGetApiBase");
	scratch_write(scratch("libonnxruntime.so"), "not an ELF file");
	o.library = scratch("libonnxruntime.so");
	expect_no_runtime(&o, "libonnxruntime.so: ");
	o.library = "/nowhere/libonnxruntime.so";
	expect_no_runtime(&o, "/nowhere/libonnxruntime.so: cannot open shared object file");
}

static char *keep_env(const char *name)
{
	return og_strdup(getenv(name));
}

static void restore_env(const char *name, char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
	og_free(value);
}

static void test_child__the_environment_names_library_and_helper(void **state)
{
	char *library = keep_env("ONNXGATE_ORT_LIBRARY"), *helper = keep_env("ONNXGATE_RUNTIME_HELPER");
	og_runtime_options o = { .helper = toy_helper() };
	og_autofree char *path = NULL;
	og_error err = { 0 };
	(void)state;

	setenv("ONNXGATE_ORT_LIBRARY", "/nowhere/libonnxruntime.so", 1);
	expect_no_runtime(&o, "ONNXGATE_ORT_LIBRARY: /nowhere/libonnxruntime.so: ");
	restore_env("ONNXGATE_ORT_LIBRARY", library);
	setenv("ONNXGATE_RUNTIME_HELPER", "/nowhere/helper", 1);
	o.helper = NULL;
	expect_no_runtime(&o, "ONNXGATE_RUNTIME_HELPER: /nowhere/helper is not a program");
	setenv("ONNXGATE_RUNTIME_HELPER", "/bin/true", 1);
	path = og_runtime_helper(NULL, &err);
	assert_string_equal(path, "/bin/true");
	restore_env("ONNXGATE_RUNTIME_HELPER", helper);
}

/* A copy of the helper in a folder of its own, so that nothing lies beside it, and a home without packages. */
static void test_child__a_machine_without_a_library_is_told_where_was_looked(void **state)
{
	char *library = keep_env("ONNXGATE_ORT_LIBRARY"), *home = keep_env("HOME"), *venv = keep_env("VIRTUAL_ENV"), *path = keep_env("LD_LIBRARY_PATH");
	og_runtime_options o = { 0 };
	og_runtime *r = NULL;
	og_error err = { 0 };
	(void)state;

	assert_int_equal(og_file_copy(toy_helper(), scratch("onnxgate-runtime"), NULL), OG_OK);
	chmod(scratch("onnxgate-runtime"), 0755);
	assert_int_equal(og_mkdirs(scratch("runtime"), NULL), OG_OK);
	scratch_write(scratch("runtime/libonnxruntime.so.1.99.0"), "broken");
	unsetenv("ONNXGATE_ORT_LIBRARY");
	unsetenv("VIRTUAL_ENV");
	unsetenv("LD_LIBRARY_PATH");
	setenv("HOME", scratch_dir, 1);
	o.helper = scratch("onnxgate-runtime");
	if (og_runtime_open(&o, NULL, &r, &err) == OG_OK) {
		/* This machine has one in the linker's path or in a system folder of packages. */
		assert_null(strstr(og_runtime_library(r), scratch_dir));
		og_runtime_free(r);
	} else {
		assert_int_equal(err.status, ONNXGATE_UNSUPPORTED);
		assert_non_null(strstr(err.message, "no ONNX Runtime library found; tried $ONNXGATE_ORT_LIBRARY (not set), "));
		assert_non_null(strstr(err.message, "libonnxruntime.so.1.99.0: "));
		assert_non_null(strstr(err.message, "/runtime, libonnxruntime.so.1: "));
		assert_non_null(strstr(err.message, "~/.local"));
		assert_non_null(strstr(err.hint, "pip install onnxruntime"));
	}
	restore_env("ONNXGATE_ORT_LIBRARY", library);
	restore_env("HOME", home);
	restore_env("VIRTUAL_ENV", venv);
	restore_env("LD_LIBRARY_PATH", path);
}

/* The real library, reached through pip's folders, the runtime/ folder, and in this order. */
static void test_child__finds_the_library_in_the_order_of_the_documentation(void **state)
{
	char *library = keep_env("ONNXGATE_ORT_LIBRARY"), *venv = keep_env("VIRTUAL_ENV");
	og_runtime *r = toy_runtime(0);
	og_autofree char *real = og_strdup(og_runtime_library(r));
	og_runtime_options o = { 0 };
	og_error err = { 0 };
	(void)state;

	og_runtime_free(r);
	r = NULL;
	assert_int_equal(og_file_copy(toy_helper(), scratch("onnxgate-runtime"), NULL), OG_OK);
	chmod(scratch("onnxgate-runtime"), 0755);
	o.helper = scratch("onnxgate-runtime");
	assert_int_equal(og_mkdirs(scratch("venv/lib/python3.11/site-packages/onnxruntime/capi"), NULL), OG_OK);
	assert_int_equal(symlink(real, scratch("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0")), 0);
	unsetenv("ONNXGATE_ORT_LIBRARY");
	setenv("VIRTUAL_ENV", scratch("venv"), 1);
	if (og_runtime_open(&o, NULL, &r, &err) != OG_OK)
		fail_msg("%s", err.message);
	/* Not beside the program: a library of the linker's path may come first, else it is the virtual environment's. */
	assert_true(strstr(og_runtime_library(r), "/venv/") || strncmp(og_runtime_library(r), "/usr/", 5) == 0 || strncmp(og_runtime_library(r), "/lib", 4) == 0);
	og_runtime_free(r);
	assert_int_equal(og_mkdirs(scratch("runtime"), NULL), OG_OK);
	scratch_write(scratch("runtime/libonnxruntime.so.1.99.0"), "broken: passed over");
	scratch_write(scratch("runtime/libonnxruntime_providers_shared.so"), "not a name that is looked for");
	assert_int_equal(symlink(real, scratch("runtime/libonnxruntime.so.1.9.0")), 0);
	if (og_runtime_open(&o, NULL, &r, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_string_equal(strrchr(og_runtime_library(r), '/'), "/libonnxruntime.so.1.9.0");
	og_runtime_free(r);
	restore_env("ONNXGATE_ORT_LIBRARY", library);
	restore_env("VIRTUAL_ENV", venv);
}

/* Some builds of ONNX Runtime keep an id and a store of events below the home folder, which they would send. */
static void test_child__nothing_is_kept_in_the_home_folder(void **state)
{
	char *home = keep_env("HOME"), *cache = keep_env("XDG_CACHE_HOME");
	og_runtime *r = NULL;
	(void)state;

	assert_int_equal(og_mkdirs(scratch("home"), NULL), OG_OK);
	setenv("HOME", scratch("home"), 1);
	setenv("XDG_CACHE_HOME", scratch("home"), 1);
	toy_square(scratch("model.onnx"));
	if (!getenv("ONNXGATE_TEST_NO_RUNTIME")) {
		r = toy_runtime(0);
		og_session_free(toy_session(r, scratch("model.onnx")));
		og_runtime_free(r);
	}
	assert_int_equal(scratch_count(scratch("home")), 0);
	restore_env("HOME", home);
	restore_env("XDG_CACHE_HOME", cache);
}

/* ---- liars ---------------------------------------------------------------------------------------- */

/* A program that sends these bytes and then listens until the other side closes. */
static const char *liar(const og_buf *b)
{
	char script[1200];

	assert_false(b->failed);
	assert_int_equal(og_file_write(scratch("answers"), b->p, b->n, NULL), OG_OK);
	snprintf(script, sizeof(script), "#!/bin/sh\ncat '%s' >&3\nexec cat <&3 >/dev/null\n", scratch("answers"));
	scratch_write(scratch("liar"), script);
	chmod(scratch("liar"), 0755);
	return scratch("liar");
}

static void put_hello(og_buf *b)
{
	og_buf m;

	og_buf_init(&m, 1 << 20);
	og_rt_begin(&m, OG_RT_OK);
	og_rt_put_text(&m, "/lib/libonnxruntime.so");
	og_rt_put_text(&m, "9.9.9");
	og_rt_put_text(&m, "CPUExecutionProvider");
	og_rt_end(&m);
	og_buf_add(b, m.p, m.n);
	og_buf_done(&m);
}

static void put_session(og_buf *b, uint32_t ports)
{
	og_rt_port p = { .name = "x", .dtype = OG_F32, .rank = 1, .dims = { -1 }, .symbols = { "n" } };
	og_buf m;

	og_buf_init(&m, 1 << 20);
	og_rt_begin(&m, OG_RT_OK);
	og_rt_put_f64(&m, 1);
	og_rt_put_u32(&m, ports);
	og_rt_put_port(&m, &p);
	og_rt_put_u32(&m, 1);
	p.name = "y";
	og_rt_put_port(&m, &p);
	og_rt_end(&m);
	og_buf_add(b, m.p, m.n);
	og_buf_done(&m);
}

static og_runtime *open_liar(const og_buf *b)
{
	og_runtime_options o = { .helper = liar(b), .timeout_ms = 5000 };
	og_runtime *r = NULL;
	og_error err = { 0 };

	if (og_runtime_open(&o, NULL, &r, &err) != OG_OK)
		fail_msg("%s", err.message);
	return r;
}

static void expect_bad_hello(og_buf *b, og_status status, const char *message)
{
	og_runtime_options o = { .helper = liar(b), .timeout_ms = 1000 };
	og_runtime *r = NULL;
	og_error err = { 0 };

	assert_int_equal(og_runtime_open(&o, NULL, &r, &err), status);
	assert_null(r);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
	og_buf_done(b);
}

static void put_header(og_buf *b, uint32_t magic, uint32_t kind, uint64_t size)
{
	og_buf_init(b, 1 << 20);
	og_rt_put_u32(b, magic);
	og_rt_put_u32(b, kind);
	og_rt_put_u64(b, size);
}

static void test_child__garbage_breaks_the_protocol(void **state)
{
	og_buf b;
	(void)state;

	og_buf_init(&b, 4096);
	og_buf_str(&b, "Segmentation fault (core dumped)\n");
	expect_bad_hello(&b, ONNXGATE_FAILED, "onnxgate-runtime broke the protocol: message begins with 0x");
	put_header(&b, OG_RT_MAGIC, 99, 0);
	expect_bad_hello(&b, ONNXGATE_FAILED, "message of kind 99");
	put_header(&b, OG_RT_MAGIC, OG_RT_OK, (uint64_t)1 << 62);
	expect_bad_hello(&b, ONNXGATE_FAILED, "message of 4611686018427387904 bytes");
	put_header(&b, OG_RT_MAGIC, OG_RT_RUN, 0);
	expect_bad_hello(&b, ONNXGATE_FAILED, "a request where an answer belongs");
	put_header(&b, OG_RT_MAGIC, OG_RT_TICK, 0);
	expect_bad_hello(&b, ONNXGATE_FAILED, "a tick where none belongs");
	put_header(&b, OG_RT_MAGIC, OG_RT_OK, 0);
	expect_bad_hello(&b, ONNXGATE_FAILED, "broke the protocol: answer: library");
	put_header(&b, OG_RT_MAGIC, OG_RT_OK, 4);
	og_rt_put_u32(&b, 0xffffffff);
	expect_bad_hello(&b, ONNXGATE_FAILED, "broke the protocol: answer: library");
	put_header(&b, OG_RT_MAGIC, OG_RT_ERROR, 12);
	for (int i = 0; i < 3; i++)
		og_rt_put_u32(&b, 0);
	expect_bad_hello(&b, ONNXGATE_FAILED, "an error without a known status");
	put_header(&b, OG_RT_MAGIC, OG_RT_OK, 100); /* and nothing of it */
	expect_bad_hello(&b, ONNXGATE_FAILED, "did not answer within 1 s");
}

static void test_child__what_an_error_says_is_shown_on_one_line(void **state)
{
	og_buf b;
	(void)state;

	og_buf_init(&b, 4096);
	og_rt_begin(&b, OG_RT_ERROR);
	og_rt_put_u32(&b, ONNXGATE_UNSUPPORTED);
	og_rt_put_text(&b, "first\nsecond \x1b[31mred");
	og_rt_put_text(&b, "");
	og_rt_end(&b);
	expect_bad_hello(&b, ONNXGATE_UNSUPPORTED, "first second \\x1");
}

/* ports: how many it says it has; broken, added: bytes at the end that are overwritten, or too many. */
static void expect_bad_session(uint32_t ports, size_t broken, uint64_t added, const char *message)
{
	og_auto(og_runtime) *r = NULL;
	og_session *s = NULL;
	og_error err = { 0 };
	size_t hello;
	og_auto_buf b;

	og_buf_init(&b, 1 << 20);
	put_hello(&b);
	hello = b.n;
	put_session(&b, ports);
	memset(b.p + b.n - broken, 0xff, broken);
	for (uint64_t i = 0; i < added; i++)
		og_buf_byte(&b, 0);
	b.p[hello + 8] = (uint8_t)(b.p[hello + 8] + added); /* the size, which is small */
	r = open_liar(&b);
	scratch_write(scratch("model.onnx"), "never read");
	assert_int_equal(og_session_open(r, scratch("model.onnx"), NULL, &s, &err), ONNXGATE_FAILED);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
	memset(&err, 0, sizeof(err));
	assert_int_equal(og_session_open(r, scratch("model.onnx"), NULL, &s, &err), ONNXGATE_FAILED);
	assert_non_null(strstr(err.message, message)); /* the reason stays */
}

static void test_child__ports_that_cannot_be_break_the_protocol(void **state)
{
	(void)state;

	expect_bad_session(1, 0, 5, "bytes after the end");
	expect_bad_session(0, 0, 0, "a port that cannot be");
	expect_bad_session(2, 0, 0, "a port that cannot be");
	expect_bad_session(0xffffffff, 0, 0, "more ports than there can be");
	expect_bad_session(1, 13, 0, "a port that cannot be"); /* the dim, and the length of its symbol */
}

static void expect_bad_outputs(const og_rt_array *a, uint64_t said, const char *message)
{
	og_auto(og_runtime) *r = NULL;
	og_auto(og_session) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	float one = 1;
	og_array in = { .name = "x", .dtype = OG_F32, .rank = 1, .dims = { 1 }, .data = &one, .size = 4 }, *out = NULL;
	og_error err = { 0 };
	og_buf b, m;
	size_t n = 0;
	og_rt_array copy = *a;

	og_buf_init(&b, 1 << 20);
	og_buf_init(&m, 1 << 20);
	put_hello(&b);
	put_session(&b, 1);
	og_rt_begin(&m, OG_RT_OK);
	og_rt_put_u32(&m, 1);
	copy.bytes = said;
	og_rt_put_array(&m, &copy);
	og_rt_end(&m);
	og_buf_add(&b, m.p, m.n);
	og_buf_done(&m);
	r = open_liar(&b);
	og_buf_done(&b);
	scratch_write(scratch("model.onnx"), "never read");
	s = toy_session(r, scratch("model.onnx"));
	assert_int_equal(og_session_run(s, &in, 1, arena, &out, &n, &err), ONNXGATE_FAILED);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
}

static void test_child__outputs_that_cannot_be_break_the_protocol(void **state)
{
	const og_rt_array y = { .name = "y", .dtype = OG_F32, .rank = 1, .dims = { 4 } };
	og_rt_array a = y;
	(void)state;

	expect_bad_outputs(&a, 15, "an output that cannot be");
	a.dims[0] = -4;
	expect_bad_outputs(&a, 16, "an output that cannot be");
	a.dims[0] = (int64_t)1 << 39; /* 2 TiB, consistently */
	expect_bad_outputs(&a, (uint64_t)1 << 41, "an output that cannot be");
	a = y;
	a.dtype = 99;
	expect_bad_outputs(&a, 16, "an output that cannot be");
	a = y;
	a.name = "z";
	expect_bad_outputs(&a, 16, "outputs of other names");
}

static void test_child__a_program_that_ends_at_once_is_reported(void **state)
{
	og_runtime_options o = { .helper = "/bin/false", .timeout_ms = 5000 };
	og_runtime *r = NULL;
	og_error err = { 0 };
	(void)state;

	assert_int_equal(og_runtime_open(&o, NULL, &r, &err), ONNXGATE_FAILED);
	assert_non_null(strstr(err.message, "ended with exit code 1"));
}

/* By hand, and with arguments, it says what it is and does nothing. */
static void test_child__the_helper_is_of_no_use_by_hand(void **state)
{
	char command[600];
	int status;
	(void)state;

	snprintf(command, sizeof(command), "'%s' 3>&- >'%s' 2>/dev/null", toy_helper(), scratch("out"));
	status = system(command);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	scratch_expect(scratch("out"), "");
	snprintf(command, sizeof(command), "'%s' --help >'%s' 2>/dev/null", toy_helper(), scratch("out"));
	status = system(command);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	scratch_expect(scratch("out"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_child__killed_in_a_run_is_failed_and_stays_so),
		SCRATCH_TEST(test_child__a_run_longer_than_the_timeout_is_ended),
		SCRATCH_TEST(test_child__an_interruption_ends_it),
		SCRATCH_TEST(test_child__a_library_that_is_no_runtime_is_named),
		SCRATCH_TEST(test_child__the_environment_names_library_and_helper),
		SCRATCH_TEST(test_child__a_machine_without_a_library_is_told_where_was_looked),
		SCRATCH_TEST(test_child__finds_the_library_in_the_order_of_the_documentation),
		SCRATCH_TEST(test_child__nothing_is_kept_in_the_home_folder),
		SCRATCH_TEST(test_child__garbage_breaks_the_protocol),
		SCRATCH_TEST(test_child__what_an_error_says_is_shown_on_one_line),
		SCRATCH_TEST(test_child__ports_that_cannot_be_break_the_protocol),
		SCRATCH_TEST(test_child__outputs_that_cannot_be_break_the_protocol),
		SCRATCH_TEST(test_child__a_program_that_ends_at_once_is_reported),
		SCRATCH_TEST(test_child__the_helper_is_of_no_use_by_hand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
