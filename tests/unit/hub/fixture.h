/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of this folder share: the local Hub (tests/hub/hub.py) as a child process with a few repositories, a
 * fresh cache for each test, and a bare HTTP client for its /_control and /_log. */
#ifndef OG_TEST_HUB_FIXTURE_H
#define OG_TEST_HUB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "hub/hub_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPO "org/tiny"
#define BIG 3000000 /* bytes of org/tiny's model.safetensors */

typedef struct fixture {
	pid_t pid;
	int port, cdn;
	char top[64], url[64], pem[512];
	og_arena *arena; /* of the running test */
	char *cache;
	int cancel, caches;
	og_context ctx;
	og_hub *hub;
	char log[4096]; /* what the client said */
	uint64_t done, total;
} fixture;

static inline char *fx_path(fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline char *fx_path(fixture *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = og_arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	assert_non_null(s);
	return s;
}

static inline void fx_write(const char *path, const void *p, size_t n)
{
	og_autofree char *dir = og_path_dir(path);
	assert_int_equal(og_mkdirs(dir, NULL), OG_OK);
	assert_int_equal(og_file_write(path, p, n, NULL), OG_OK);
}

static inline void fx_write_text(const char *path, const char *text)
{
	fx_write(path, text, strlen(text));
}

static inline char *fx_read(fixture *f, const char *path)
{
	og_auto_buf b = { 0 };
	og_buf_init(&b, 16 << 20);
	assert_int_equal(og_file_read(path, 16 << 20, &b, NULL), OG_OK);
	return og_arena_strndup(f->arena, (const char *)b.p, b.n);
}

/* The bytes of model.safetensors: the same every time, not compressible, no two blocks alike. */
static inline uint8_t *fx_big(void)
{
	uint8_t *p = malloc(BIG);
	uint32_t x = 1;
	assert_non_null(p);
	for (size_t i = 0; i < BIG; i++)
		p[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
	return p;
}

/* ---- the child ---- */

static inline void fx_populate(fixture *f)
{
	og_arena *a = f->arena = og_arena_new();
	uint8_t *big = fx_big();
	const char *root = fx_path(f, "%s/root", f->top);

	fx_write_text(fx_path(f, "%s/org/tiny/config.json", root), "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"]}\n");
	fx_write_text(fx_path(f, "%s/org/tiny/README.md", root), "---\nlicense: apache-2.0\npipeline_tag: fill-mask\nlibrary_name: transformers\n---\n# tiny\n");
	fx_write_text(fx_path(f, "%s/org/tiny/empty.txt", root), "");
	fx_write_text(fx_path(f, "%s/org/tiny/sub/dir/a b#\xc3\xbc%%?+.txt", root), "odd name\n");
	fx_write(fx_path(f, "%s/org/tiny/model.safetensors", root), big, BIG);
	fx_write_text(fx_path(f, "%s/org/tiny/.v1/config.json", root), "{}\n");
	fx_write_text(fx_path(f, "%s/org/tiny/.hub.json", root), "{\"revisions\": {\"v1\": {\"dir\": \".v1\"}, "
								     "\"refs/pr/1\": {\"dir\": \".v1\"}, \"feat/x\": {\"same_as\": \"v1\"}}}");
	fx_write_text(fx_path(f, "%s/org/gated/config.json", root), "{}\n");
	fx_write_text(fx_path(f, "%s/org/gated/.hub.json", root), "{\"gated\": \"auto\"}");
	fx_write_text(fx_path(f, "%s/org/private/config.json", root), "{}\n");
	fx_write_text(fx_path(f, "%s/org/private/.hub.json", root), "{\"private\": true}");
	fx_write_text(fx_path(f, "%s/org/disabled/config.json", root), "{}\n");
	fx_write_text(fx_path(f, "%s/org/disabled/.hub.json", root), "{\"disabled\": true}");
	fx_write_text(fx_path(f, "%s/.hub.json", root), "{\"tokens\": {\"hf_good\": true, \"hf_other\": false}, \"aliases\": {\"tiny\": \"org/tiny\"}}");
	free(big);
	og_arena_free(a);
	f->arena = NULL;
}

static inline void fx_await(fixture *f, const char *port_file)
{
	og_auto_buf b = { 0 };
	og_buf_init(&b, 64);
	for (int i = 0; i < 400 && !og_file_exists(port_file); i++) {
		assert_int_equal(waitpid(f->pid, NULL, WNOHANG), 0);
		og_sleep_ms(25);
	}
	assert_int_equal(og_file_read(port_file, 64, &b, NULL), OG_OK);
	assert_int_equal(sscanf(og_buf_cstr(&b), "%d %d", &f->port, &f->cdn), 2);
}

/* rules: for the start, the inside of a JSON array, or NULL. */
static inline fixture *fx_start(bool tls, const char *rules)
{
	fixture *f = calloc(1, sizeof(*f));
	char root[96], port[96], file[96], script[512], text[1024];
	const char *argv[] = { "python3", script, "--root", root, "--port-file", port, "--rules", file, tls ? "--tls" : NULL, f->pem, NULL };

	snprintf(f->top, sizeof(f->top), "/tmp/onnxgate-hub-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(root, sizeof(root), "%s/root", f->top);
	snprintf(port, sizeof(port), "%s/port", f->top);
	snprintf(file, sizeof(file), "%s/rules", f->top);
	snprintf(text, sizeof(text), "{\"rules\": [%s]}", rules ? rules : "");
	fx_write_text(file, text);
	snprintf(script, sizeof(script), "%s/hub/hub.py", OG_TESTS);
	snprintf(f->pem, sizeof(f->pem), "%s/hub/tls.pem", OG_TESTS);
	fx_populate(f);
	f->pid = fork();
	if (!f->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open("/dev/null", O_WRONLY), 1);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	fx_await(f, port);
	snprintf(f->url, sizeof(f->url), "%s://127.0.0.1:%d", tls ? "https" : "http", f->port);
	return f;
}

static inline int fx_group_setup(void **state)
{
	*state = fx_start(false, NULL);
	return 0;
}

static inline int fx_group_teardown(void **state)
{
	fixture *f = *state;
	kill(f->pid, SIGTERM);
	waitpid(f->pid, NULL, 0);
	assert_int_equal(og_remove_tree(f->top, NULL), OG_OK);
	free(f);
	return 0;
}

/* ---- its control ---- */

static inline char *fx_http(fixture *f, const char *method, const char *path, const char *body)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	og_auto_buf b = { 0 };
	char piece[4096];
	ssize_t n;
	char *text;

	og_buf_init(&b, 16 << 20);
	og_buf_printf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path, strlen(body), body);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
	og_buf_done(&b);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		og_buf_add(&b, piece, (size_t)n);
	close(fd);
	text = og_buf_cstr(&b);
	assert_non_null(text);
	assert_true(og_starts_with(text, "HTTP/1.1 200"));
	return og_arena_strdup(f->arena, strstr(text, "\r\n\r\n") + 4);
}

/* rules: the inside of a JSON array. The log begins anew. */
static inline void fx_rules(fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void fx_rules(fixture *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *rules = og_arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	fx_http(f, "POST", "/_control", fx_path(f, "{\"reset\": true, \"rules\": [%s]}", rules));
}

/* Requests so far whose path holds `part` and, unless NULL, whose header `name` is `value` ("": absent, "*": present). */
static inline int fx_count(fixture *f, const char *side, const char *part, const char *name, const char *value)
{
	const char *text = fx_http(f, "GET", "/_log", "");
	og_auto(og_json) *log = NULL;
	int n = 0;

	assert_int_equal(og_json_parse("log", text, strlen(text), &log, NULL), OG_OK);
	for (size_t i = 0; i < json_object_array_length(log); i++) {
		og_json *row = json_object_array_get_idx(log, i);
		const char *found = name ? og_json_str(og_json_get(row, "headers"), name, "") : "";
		if ((side && !og_streq(og_json_str(row, "side", NULL), side)) || !strstr(og_json_str(row, "path", ""), part))
			continue;
		n += !name || og_streq(found, value) || (og_streq(value, "*") && found[0]);
	}
	return n;
}

/* ---- one test ---- */

static inline void fx_on_log(void *arg, onnxgate_log_level level, const char *line)
{
	fixture *f = arg;
	size_t n = strlen(f->log);
	if (level <= ONNXGATE_LOG_INFO)
		snprintf(f->log + n, sizeof(f->log) - n, "%s\n", line);
}

static inline void fx_on_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	fixture *f = arg;
	assert_true(og_starts_with(what, "download "));
	f->done = done;
	f->total = total;
}

static inline og_hub_options fx_options(fixture *f)
{
	return (og_hub_options){ .endpoint = f->url, .cache = f->cache, .timeout_s = 5 };
}

/* Replaces the client of the test. */
static inline og_hub *fx_open(fixture *f, og_hub_options o)
{
	og_hub_free(f->hub);
	f->hub = NULL;
	assert_int_equal(og_hub_open(&o, &f->ctx, &f->hub, NULL), OG_OK);
	f->hub->patience = (og_patience){ .tries = 3, .wait_ms = 20, .deadline_ms = 10000 };
	return f->hub;
}

static inline int fx_setup(void **state)
{
	fixture *f = *state;
	f->arena = og_arena_new();
	f->cache = fx_path(f, "%s/cache-%d", f->top, f->caches++);
	f->ctx = (og_context){ .log = fx_on_log, .progress = fx_on_progress, .arg = f, .cancel = &f->cancel, .threads = 1 };
	f->cancel = 0;
	f->log[0] = '\0';
	f->done = f->total = 0;
	fx_open(f, fx_options(f));
	if (og_starts_with(f->url, "http:"))
		fx_rules(f, "%s", "");
	return 0;
}

static inline int fx_teardown(void **state)
{
	fixture *f = *state;
	og_hub_free(f->hub);
	f->hub = NULL;
	og_arena_free(f->arena);
	f->arena = NULL;
	return 0;
}

/* The message when it ends otherwise than expected. */
#define fx_status(expected, expr, err)                                                                                 \
	do {                                                                                                               \
		og_status fx_got_ = (expr);                                                                                    \
		if (fx_got_ != (expected))                                                                                     \
			fail_msg("%s: %s, expected %s: %s", #expr, og_status_name(fx_got_), og_status_name(expected), (err).message);    \
		if (fx_got_ != OG_OK)                                                                                          \
			assert_int_equal((err).status, (expected));                                                                \
	} while (0)

static inline og_hub_repo *fx_resolve(fixture *f, const char *revision)
{
	og_error err = { 0 };
	og_hub_repo *r = NULL;
	fx_status(OG_OK, og_hub_resolve(f->hub, REPO, revision, f->arena, &r, &err), err);
	return r;
}

static inline const char *fx_fetch(fixture *f, const og_hub_repo *r, const char *path)
{
	og_error err = { 0 };
	const char *local = NULL;
	fx_status(OG_OK, og_hub_fetch(f->hub, r, path, f->arena, &local, &err), err);
	return local;
}

/* Names in a folder of org/tiny's cache that match a glob. */
static inline int fx_matches(fixture *f, const char *folder, const char *glob)
{
	og_dirlist l = { 0 };
	int n = 0;
	if (og_dir_list(fx_path(f, "%s/models--org--tiny/%s", f->cache, folder), &l, NULL) != OG_OK)
		return 0;
	for (size_t i = 0; i < l.n; i++)
		n += og_glob(glob, l.names[i]);
	og_dirlist_done(&l);
	return n;
}

/* Runs fn in a child that is nobody (root may write anywhere); true when it returned normally. */
static inline bool fx_as_nobody(void (*fn)(fixture *f), fixture *f)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(125);
		fn(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

#endif
