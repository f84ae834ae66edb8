/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate-runtime: the process in which ONNX Runtime lives, so that its crashes, loops and memory are not the
 * caller's.  It answers the requests of runtime/protocol.h on file descriptor 3 and ends when that is closed.
 * It writes nothing to standard output. */
#include "helper/ort.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct server {
	og_ort ort;
	og_ort_session *session;
	og_arena *arena; /* of the request in hand */
	og_buf answer;
} server;

typedef struct request {
	og_rt_kind kind;
	og_cursor in;
	size_t n;
	og_rt_array *arrays;
	void **memory; /* n blocks, on the heap: they may be large */
} request;

/* ---- the socket ----------------------------------------------------------------------------------- */

static bool read_all(void *p, uint64_t n)
{
	uint8_t *at = p;

	while (n) {
		ssize_t got = read(OG_RT_FD, at, n < (1u << 30) ? (size_t)n : 1u << 30);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (uint64_t)got;
	}
	return true;
}

static bool drop(uint64_t n)
{
	static uint8_t scratch[1 << 16];

	for (; n; n -= n < sizeof(scratch) ? n : sizeof(scratch))
		if (!read_all(scratch, n < sizeof(scratch) ? n : sizeof(scratch)))
			return false;
	return true;
}

static bool write_all(const void *p, uint64_t n)
{
	const uint8_t *at = p;

	while (n) {
		ssize_t put = send(OG_RT_FD, at, n < (1u << 30) ? (size_t)n : 1u << 30, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		at += put;
		n -= (uint64_t)put;
	}
	return true;
}

/* The other side is gone, or does not speak our language: nobody is left to tell. */
static _Noreturn void leave(int code)
{
	_exit(code);
}

static void send_answer(server *s)
{
	og_rt_end(&s->answer);
	if (s->answer.failed || !write_all(s->answer.p, s->answer.n))
		leave(1);
}

static og_buf *begin_answer(server *s, og_rt_kind kind)
{
	og_buf_done(&s->answer);
	og_buf_init(&s->answer, OG_RT_MESSAGE_MAX + OG_RT_HEADER_SIZE);
	og_rt_begin(&s->answer, kind);
	return &s->answer;
}

static void send_error(server *s, const og_error *e)
{
	og_buf *b = begin_answer(s, OG_RT_ERROR);

	og_rt_put_u32(b, (uint32_t)e->status);
	og_rt_put_text(b, e->message);
	og_rt_put_text(b, e->hint);
	send_answer(s);
}

/* ---- requests ------------------------------------------------------------------------------------- */

static og_status hello(server *s, request *q, og_error *err)
{
	uint32_t version = og_cursor_u32(&q->in, "version");
	const char *library = og_rt_text(&q->in, s->arena, "library");
	og_buf *b;

	OG_TRY(og_cursor_check(&q->in, "hello", err));
	if (version != OG_RT_VERSION)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "onnxgate-runtime speaks version %u of its protocol, the library %u: they are of different releases",
		               OG_RT_VERSION, version);
	if (s->ort.handle)
		return og_fail(err, ONNXGATE_INVALID, "hello was said before");
	OG_TRY(og_ort_find(&s->ort, library, err));
	OG_TRY(og_ort_start(&s->ort, err));
	b = begin_answer(s, OG_RT_OK);
	og_rt_put_text(b, s->ort.path);
	og_rt_put_text(b, s->ort.version);
	og_rt_put_text(b, s->ort.providers);
	send_answer(s);
	return OG_OK;
}

static og_status open_session(server *s, request *q, og_error *err)
{
	og_ort_open a = { .path = og_rt_text(&q->in, s->arena, "path"), .provider = og_rt_text(&q->in, s->arena, "provider") };
	og_buf *b;

	a.threads = og_cursor_u32(&q->in, "threads");
	a.level = og_cursor_u32(&q->in, "level");
	a.few_runs = og_cursor_u32(&q->in, "few runs");
	OG_TRY(og_cursor_check(&q->in, "open", err));
	if (s->session || !s->ort.handle)
		return og_fail(err, ONNXGATE_INVALID, "open: %s", s->session ? "a session is open" : "no library is loaded");
	OG_TRY(og_ort_session_open(&s->ort, &a, &s->session, err));
	b = begin_answer(s, OG_RT_OK);
	og_rt_put_f64(b, s->session->load_ms);
	og_rt_put_u32(b, (uint32_t)s->session->nin);
	for (size_t i = 0; i < s->session->nin; i++)
		og_rt_put_port(b, &s->session->in[i]);
	og_rt_put_u32(b, (uint32_t)s->session->nout);
	for (size_t i = 0; i < s->session->nout; i++)
		og_rt_put_port(b, &s->session->out[i]);
	send_answer(s);
	return OG_OK;
}

/* Reads the descriptions and then all the bytes that follow them, even where there is no memory for them. */
static og_status read_arrays(server *s, request *q, og_error *err)
{
	uint32_t n = og_cursor_u32(&q->in, "arrays");
	uint64_t total = 0;
	bool nomem = false;

	if (n > OG_RT_PORTS_MAX)
		leave(3);
	q->arrays = og_arena_array(s->arena, n + 1, sizeof(*q->arrays));
	q->memory = og_arena_array(s->arena, n + 1, sizeof(*q->memory));
	if (!q->arrays || !q->memory)
		leave(4);
	for (uint32_t i = 0; i < n; i++)
		if (!og_rt_get_array(&q->in, s->arena, &q->arrays[i]) || !og_add_u64(total, q->arrays[i].bytes, &total) || total > OG_RT_ARRAYS_MAX)
			leave(3);
	q->n = n;
	for (uint32_t i = 0; i < n; i++) {
		q->memory[i] = nomem ? NULL : og_alloc((size_t)q->arrays[i].bytes + 1);
		nomem |= !q->memory[i];
		if (!(q->memory[i] ? read_all(q->memory[i], q->arrays[i].bytes) : drop(q->arrays[i].bytes)))
			leave(1);
	}
	return nomem ? og_fail_nomem(err) : OG_OK;
}

static void free_arrays(request *q)
{
	for (size_t i = 0; i < q->n; i++)
		og_free(q->memory[i]);
	q->n = 0;
}

static og_status send_outputs(server *s, OrtValue **values, og_error *err)
{
	size_t n = s->session->nout;
	og_rt_array *arrays = og_arena_array(s->arena, n + 1, sizeof(*arrays));
	void **data = og_arena_array(s->arena, n + 1, sizeof(*data));
	uint64_t total = 0;
	og_buf *b;

	if (!arrays || !data)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		OG_TRY(og_ort_output(s->session, i, values[i], &arrays[i], &data[i], err));
		if (!og_add_u64(total, arrays[i].bytes, &total) || total > OG_RT_ARRAYS_MAX)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "the outputs are larger than %llu bytes", (unsigned long long)OG_RT_ARRAYS_MAX);
	}
	b = begin_answer(s, OG_RT_OK);
	og_rt_put_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		og_rt_put_array(b, &arrays[i]);
	send_answer(s);
	for (size_t i = 0; i < n; i++)
		if (!write_all(data[i], arrays[i].bytes))
			leave(1);
	return OG_OK;
}

static og_status run_with(server *s, request *q, const og_ort_feed *feed, OrtValue **values, og_error *err)
{
	(void)q;
	OG_TRY(og_ort_run(s->session, feed, values, err));
	return send_outputs(s, values, err);
}

/* The highest resident size since it was last reset, from the kernel; 0: not known. */
static uint64_t peak_memory(void)
{
	static const char key[] = "VmHWM:";
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;
	uint64_t kib = 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, key);
	if (!at)
		return 0;
	at += sizeof(key) - 1;
	at += strspn(at, " \t");
	return og_parse_u64((og_str){ at, strspn(at, "0123456789") }, UINT64_MAX / 1024, &kib) ? kib * 1024 : 0;
}

static void reset_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* then the figure is the peak of the process's life */
	if (write(fd, "5", 1) != 1)
		errno = 0;
	close(fd);
}

static og_status time_with(server *s, request *q, const og_ort_feed *feed, OrtValue **values, uint32_t warmup, uint32_t runs, og_error *err)
{
	double *ms = og_arena_array(s->arena, (size_t)runs + 1, sizeof(*ms)), said = og_now_ms();
	og_buf *b;

	(void)q;
	if (!ms)
		return og_fail_nomem(err);
	reset_peak();
	for (uint32_t i = 0; i < warmup + runs; i++) {
		double begin = og_now_ms(), end;
		OG_TRY(og_ort_run(s->session, feed, values, err));
		end = og_now_ms();
		og_ort_release_values(&s->ort, values, s->session->nout);
		if (i >= warmup)
			ms[i - warmup] = end - begin;
		if (end - said > OG_RT_TICK_MS) { /* between runs, never inside one */
			begin_answer(s, OG_RT_TICK);
			send_answer(s);
			said = end;
		}
	}
	b = begin_answer(s, OG_RT_OK);
	og_rt_put_u64(b, peak_memory());
	og_rt_put_u32(b, runs);
	for (uint32_t i = 0; i < runs; i++)
		og_rt_put_f64(b, ms[i]);
	send_answer(s);
	return OG_OK;
}

static og_status execute(server *s, request *q, og_error *err)
{
	uint32_t warmup = 0, runs = 0;
	og_ort_feed feed = { 0 };
	OrtValue **values;
	og_status st;

	if (q->kind == OG_RT_TIME) {
		warmup = og_cursor_u32(&q->in, "warmup");
		runs = og_cursor_u32(&q->in, "runs");
	}
	st = read_arrays(s, q, err);
	if (st != OG_OK)
		return st;
	OG_TRY(og_cursor_check(&q->in, "run", err));
	if (!s->session)
		return og_fail(err, ONNXGATE_INVALID, "run: no session is open");
	if (warmup > OG_RT_RUNS_MAX || runs > OG_RT_RUNS_MAX)
		return og_fail(err, ONNXGATE_INVALID, "%u warm-up and %u timed runs, at most %u each", warmup, runs, OG_RT_RUNS_MAX);
	values = og_arena_array(s->arena, s->session->nout + 1, sizeof(OrtValue *));
	if (!values)
		return og_fail_nomem(err);
	st = og_ort_feed_make(&s->ort, q->arrays, q->memory, q->n, s->arena, &feed, err);
	if (st == OG_OK)
		st = q->kind == OG_RT_TIME ? time_with(s, q, &feed, values, warmup, runs, err) : run_with(s, q, &feed, values, err);
	og_ort_release_values(&s->ort, values, s->session->nout);
	og_ort_feed_done(&s->ort, &feed);
	return st;
}

static og_status close_session(server *s)
{
	og_ort_session_free(s->session);
	s->session = NULL;
	begin_answer(s, OG_RT_OK);
	send_answer(s);
	return OG_OK;
}

static og_status dispatch(server *s, request *q, og_error *err)
{
	switch (q->kind) {
	case OG_RT_HELLO:
		return hello(s, q, err);
	case OG_RT_OPEN:
		return open_session(s, q, err);
	case OG_RT_RUN:
	case OG_RT_TIME:
		return execute(s, q, err);
	case OG_RT_CLOSE:
		return close_session(s);
	default:
		leave(3);
	}
}

/* One request and its answer; false: the other side has closed. */
static bool serve(server *s)
{
	uint8_t raw[OG_RT_HEADER_SIZE];
	request q = { 0 };
	og_error err = { 0 };
	uint64_t size = 0;
	uint8_t *payload;

	if (!read_all(raw, sizeof(raw)))
		return false;
	if (og_rt_header(raw, &q.kind, &size, &err) != OG_OK)
		leave(3);
	s->arena = og_arena_new();
	payload = s->arena ? og_arena_alloc(s->arena, (size_t)size + 1) : NULL;
	if (!payload)
		leave(4);
	if (!read_all(payload, size))
		leave(1);
	q.in = og_cursor_over(payload, (size_t)size, 0);
	s->ort.log[0] = '\0';
	if (dispatch(s, &q, &err) != OG_OK)
		send_error(s, &err);
	free_arrays(&q);
	og_arena_free(s->arena);
	s->arena = NULL;
	return true;
}

int main(int argc, char **argv)
{
	struct stat st;
	server s = { 0 };

	(void)argv;
	if (argc > 1 || fstat(OG_RT_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		fputs("onnxgate-runtime: started by onnxgate, which talks to it over file descriptor 3; it is of no use by hand\n", stderr);
		return 2;
	}
	signal(SIGINT, SIG_IGN); /* an interruption is the caller's to handle: it then closes the socket */
	/* ONNX Runtime 1.32 keeps an id and a store of events under ~/.cache, and would send them; DisableTelemetryEvents comes too late. */
	setenv("ORT_DISABLE_TELEMETRY", "1", 1);
	og_buf_init(&s.answer, OG_RT_MESSAGE_MAX);
	while (serve(&s))
		;
	og_ort_session_free(s.session);
	og_ort_done(&s.ort);
	og_buf_done(&s.answer);
	return 0;
}
