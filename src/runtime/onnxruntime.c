/* SPDX-License-Identifier: Apache-2.0
 *
 * ONNX Runtime in a child process: our side of the protocol.  What the child sends is checked like a file from
 * outside, because code that we did not write runs there; when it breaks the protocol it is ended. */
#include "runtime/protocol.h"
#include "runtime/runtime_int.h"

#include "base/child.h"
#include "base/path.h"

#define ANSWER_MS 120000

typedef struct ort_runtime {
	og_runtime base;
	og_child *child;
	int timeout_ms;
	const int *cancel;
	uint64_t peak;    /* the highest seen, since the child resets its own for each timing */
	bool dead;        /* then why holds the reason */
	og_error why;
} ort_runtime;

static ort_runtime *self_of(og_runtime *r)
{
	return (ort_runtime *)r;
}

static void note_peak(ort_runtime *r)
{
	uint64_t now = r->child ? og_child_peak_memory(r->child) : 0;

	if (now > r->peak)
		r->peak = now;
}

/* No more can be said to this child; later calls repeat why. */
static og_status end_child(ort_runtime *r, const og_error *why, og_error *err)
{
	note_peak(r);
	r->dead = true;
	r->why = *why;
	og_child_free(r->child);
	r->child = NULL;
	if (err)
		*err = *why;
	return why->status;
}

static og_status broken(ort_runtime *r, const char *what, og_error *err)
{
	og_error e = { 0 };

	(void)og_fail(&e, ONNXGATE_FAILED, "onnxgate-runtime broke the protocol: %s", what);
	og_error_hint(&e, "it may be of another release, or its memory is damaged");
	return end_child(r, &e, err);
}

static og_status send_bytes(ort_runtime *r, const void *p, size_t n, og_error *err)
{
	og_error e = { 0 };

	if (r->dead) {
		if (err)
			*err = r->why;
		return r->why.status;
	}
	if (og_child_send(r->child, p, n, r->timeout_ms, r->cancel, &e) != OG_OK)
		return end_child(r, &e, err);
	return OG_OK;
}

static og_status receive_bytes(ort_runtime *r, void *p, size_t n, og_error *err)
{
	og_error e = { 0 };

	if (og_child_receive(r->child, p, n, r->timeout_ms, r->cancel, &e) != OG_OK)
		return end_child(r, &e, err);
	return OG_OK;
}

static og_status send_message(ort_runtime *r, og_buf *b, og_error *err)
{
	og_rt_end(b);
	OG_TRY(og_buf_check(b, "request to onnxgate-runtime", err));
	OG_TRY(og_check_cancel(&(og_context){ .cancel = r->cancel, .threads = 1 }, err)); /* a quick answer is never waited for */
	return send_bytes(r, b->p, b->n, err);
}

/* The child's own words: a status that we know, and text made fit for one line. */
static og_status relay(ort_runtime *r, og_cursor *c, og_arena *arena, og_error *err)
{
	uint32_t status = og_cursor_u32(c, "status");
	const char *message = og_rt_text(c, arena, "message"), *hint = og_rt_text(c, arena, "hint");
	char line[700];
	og_status s;

	if (c->bad || status == 0 || (status > ONNXGATE_NOMEM && status != ONNXGATE_CANCELLED))
		return broken(r, "an error without a known status or text", err);
	og_autofree char *flat = og_strdup(message);
	if (!flat)
		return og_fail_nomem(err);
	for (char *p = flat; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	s = og_fail(err, (og_status)status, "%s", og_str_show(og_str_of(flat), line, sizeof(line)));
	if (hint[0])
		og_error_hint(err, "%s", og_str_show(og_str_of(hint), line, 250));
	return s;
}

/* The answer to a request: its payload lies in the arena, c runs over it. */
static og_status receive_answer(ort_runtime *r, bool ticks, og_arena *arena, og_cursor *c, og_error *err)
{
	uint8_t raw[OG_RT_HEADER_SIZE];
	og_rt_kind kind = 0;
	uint64_t size = 0;
	uint8_t *payload;
	og_error e = { 0 };

	for (;;) {
		OG_TRY(receive_bytes(r, raw, sizeof(raw), err));
		if (og_rt_header(raw, &kind, &size, &e) != OG_OK)
			return broken(r, e.message, err);
		if (kind != OG_RT_TICK)
			break;
		if (!ticks || size)
			return broken(r, "a tick where none belongs", err);
	}
	if (kind != OG_RT_OK && kind != OG_RT_ERROR)
		return broken(r, "a request where an answer belongs", err);
	payload = og_arena_alloc(arena, (size_t)size + 1);
	if (!payload) {
		(void)og_fail_nomem(&e);
		return end_child(r, &e, err);
	}
	OG_TRY(receive_bytes(r, payload, (size_t)size, err));
	*c = og_cursor_over(payload, (size_t)size, 0);
	return kind == OG_RT_ERROR ? relay(r, c, arena, err) : OG_OK;
}

/* The whole payload must have been understood, no more and no less. */
static og_status end_of_answer(ort_runtime *r, const og_cursor *c, og_error *err)
{
	og_error e = { 0 };

	if (og_cursor_check(c, "answer", &e) != OG_OK)
		return broken(r, e.message, err);
	return og_cursor_left(c) ? broken(r, "bytes after the end of an answer", err) : OG_OK;
}

/* ---- the runtime ---------------------------------------------------------------------------------- */

static void ort_free(og_runtime *base)
{
	ort_runtime *r = self_of(base);

	og_child_free(r->child);
	og_arena_free(r->base.arena);
	og_free(r);
}

static og_status hello(ort_runtime *r, const char *library, og_error *err)
{
	og_auto_buf b;
	og_cursor c;
	const char *version;

	og_buf_init(&b, OG_RT_MESSAGE_MAX);
	og_rt_begin(&b, OG_RT_HELLO);
	og_rt_put_u32(&b, OG_RT_VERSION);
	og_rt_put_text(&b, library ? library : "");
	OG_TRY(send_message(r, &b, err));
	OG_TRY(receive_answer(r, false, r->base.arena, &c, err));
	r->base.library = og_rt_text(&c, r->base.arena, "library");
	version = og_rt_text(&c, r->base.arena, "version");
	r->base.providers = og_rt_text(&c, r->base.arena, "providers");
	OG_TRY(end_of_answer(r, &c, err));
	r->base.version = og_arena_printf(r->base.arena, "onnxruntime %s", version);
	return r->base.version ? OG_OK : og_fail_nomem(err);
}

static og_status ort_open(const og_runtime_options *o, const og_context *ctx, og_runtime **out, og_error *err)
{
	og_autofree char *helper = og_runtime_helper(o->helper, err);
	const char *argv[] = { helper, NULL };
	ort_runtime *r;
	og_status st;

	if (!helper)
		return ONNXGATE_UNSUPPORTED;
	r = og_alloc(sizeof(*r));
	if (!r)
		return og_fail_nomem(err);
	r->base.ops = &og_runtime_onnxruntime;
	r->base.arena = og_arena_new();
	r->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : ANSWER_MS;
	r->cancel = ctx ? ctx->cancel : NULL;
	if (r->base.arena)
		r->base.provider = og_arena_strdup(r->base.arena, o->provider ? o->provider : "CPUExecutionProvider");
	st = r->base.provider ? og_child_start(argv, true, &r->child, err) : og_fail_nomem(err);
	if (st == OG_OK)
		st = hello(r, o->library, err);
	if (st != OG_OK) {
		ort_free(&r->base);
		return st;
	}
	og_log(ctx, ONNXGATE_LOG_DEBUG, "%s from %s", r->base.version, r->base.library);
	*out = &r->base;
	return OG_OK;
}

static uint64_t ort_peak(const og_runtime *base)
{
	const ort_runtime *r = (const ort_runtime *)base;
	uint64_t now = r->child ? og_child_peak_memory(r->child) : 0;

	return now > r->peak ? now : r->peak;
}

/* ---- sessions ------------------------------------------------------------------------------------- */

static og_status read_ports(ort_runtime *r, og_cursor *c, og_arena *arena, og_port **out, size_t *n, og_error *err)
{
	uint32_t count = og_cursor_u32(c, "ports");
	og_rt_port p;

	if (c->bad || count > OG_RT_PORTS_MAX)
		return broken(r, "more ports than there can be", err);
	*out = og_arena_array(arena, (size_t)count + 1, sizeof(**out));
	if (!*out)
		return og_fail_nomem(err);
	for (uint32_t i = 0; i < count; i++) {
		og_port *port = &(*out)[i];
		if (!og_rt_get_port(c, arena, &p))
			return broken(r, "a port that cannot be", err);
		*port = (og_port){ .name = p.name, .rank = (int)p.rank, .dtype = p.dtype < OG_DTYPE_COUNT ? (og_dtype)p.dtype : OG_DTYPE_NONE };
		memcpy(port->dims, p.dims, sizeof(p.dims));
		memcpy(port->symbols, p.symbols, sizeof(p.symbols));
	}
	*n = count;
	return OG_OK;
}

static og_status ort_session_open(og_session *s, const char *path, const og_session_options *o, og_error *err)
{
	ort_runtime *r = self_of(s->runtime);
	og_autofree char *absolute = og_path_absolute(path);
	og_auto_buf b;
	og_cursor c;

	og_buf_init(&b, OG_RT_MESSAGE_MAX);
	if (!absolute)
		return og_fail_nomem(err);
	og_rt_begin(&b, OG_RT_OPEN);
	og_rt_put_text(&b, absolute);
	og_rt_put_text(&b, r->base.provider);
	og_rt_put_u32(&b, o->intra_threads > 0 ? (uint32_t)o->intra_threads : 0);
	og_rt_put_u32(&b, o->optimization > 0 ? (uint32_t)o->optimization : 0);
	og_rt_put_u32(&b, o->few_runs);
	OG_TRY(send_message(r, &b, err));
	OG_TRY(receive_answer(r, false, s->arena, &c, err));
	s->load_ms = og_rt_f64(&c, "load time");
	OG_TRY(read_ports(r, &c, s->arena, &s->in, &s->nin, err));
	OG_TRY(read_ports(r, &c, s->arena, &s->out, &s->nout, err));
	return end_of_answer(r, &c, err);
}

static void ort_session_close(og_session *s)
{
	ort_runtime *r = self_of(s->runtime);
	og_auto_buf b;
	og_cursor c;

	og_buf_init(&b, OG_RT_MESSAGE_MAX);
	note_peak(r);
	og_rt_begin(&b, OG_RT_CLOSE);
	/* What goes wrong here is remembered by the runtime and said at the next request. */
	if (send_message(r, &b, NULL) == OG_OK && receive_answer(r, false, s->arena, &c, NULL) != OG_OK)
		return;
}

static og_status send_arrays(ort_runtime *r, og_buf *b, const og_array *in, size_t nin, og_error *err)
{
	og_rt_put_u32(b, (uint32_t)nin);
	for (size_t i = 0; i < nin; i++) {
		og_rt_array a = { .name = in[i].name, .dtype = (uint32_t)in[i].dtype, .rank = (uint32_t)in[i].rank, .bytes = in[i].size };
		memcpy(a.dims, in[i].dims, sizeof(a.dims));
		og_rt_put_array(b, &a);
	}
	OG_TRY(send_message(r, b, err));
	for (size_t i = 0; i < nin; i++)
		OG_TRY(send_bytes(r, in[i].data, in[i].size, err));
	return OG_OK;
}

static og_status read_outputs(const og_session *s, og_cursor *c, og_arena *arena, og_array *out, og_error *err)
{
	ort_runtime *r = self_of(s->runtime);
	uint64_t total = 0;
	og_rt_array a;

	if (og_cursor_u32(c, "outputs") != s->nout)
		return broken(r, "another number of outputs than the session has", err);
	for (size_t i = 0; i < s->nout; i++) {
		if (!og_rt_get_array(c, arena, &a))
			return broken(r, "an output that cannot be", err);
		if (!og_streq(a.name, s->out[i].name))
			return broken(r, "outputs of other names than the session has", err);
		if (!og_add_u64(total, a.bytes, &total) || total > OG_RT_ARRAYS_MAX)
			return broken(r, "outputs larger than allowed", err);
		out[i] = (og_array){ .name = s->out[i].name, .dtype = (og_dtype)a.dtype, .rank = (int)a.rank, .size = (size_t)a.bytes };
		memcpy(out[i].dims, a.dims, sizeof(a.dims));
	}
	return end_of_answer(r, c, err);
}

static og_status ort_run(og_session *s, const og_array *in, size_t nin, og_arena *arena, og_array **out, size_t *nout, og_error *err)
{
	ort_runtime *r = self_of(s->runtime);
	og_array *arrays = og_arena_array(arena, s->nout + 1, sizeof(*arrays));
	og_error nomem = { 0 };
	og_auto_buf b;
	og_cursor c;

	og_buf_init(&b, OG_RT_MESSAGE_MAX);
	if (!arrays)
		return og_fail_nomem(err);
	og_rt_begin(&b, OG_RT_RUN);
	OG_TRY(send_arrays(r, &b, in, nin, err));
	OG_TRY(receive_answer(r, false, arena, &c, err));
	OG_TRY(read_outputs(s, &c, arena, arrays, err));
	for (size_t i = 0; i < s->nout; i++) {
		arrays[i].data = og_arena_alloc(arena, arrays[i].size + 1);
		if (!arrays[i].data) { /* the bytes are on their way and would be taken for the next answer */
			(void)og_fail_nomem(&nomem);
			return end_child(r, &nomem, err);
		}
		OG_TRY(receive_bytes(r, arrays[i].data, arrays[i].size, err));
	}
	*out = arrays;
	*nout = s->nout;
	return OG_OK;
}

static og_status ort_time(og_session *s, const og_array *in, size_t nin, int warmup, int runs, double *ms, og_error *err)
{
	ort_runtime *r = self_of(s->runtime);
	og_auto(og_arena) *arena = og_arena_new();
	uint64_t peak;
	og_auto_buf b;
	og_cursor c;

	og_buf_init(&b, OG_RT_MESSAGE_MAX);
	if (!arena)
		return og_fail_nomem(err);
	note_peak(r); /* the child resets its own figure for the timing */
	og_rt_begin(&b, OG_RT_TIME);
	og_rt_put_u32(&b, (uint32_t)warmup);
	og_rt_put_u32(&b, (uint32_t)runs);
	OG_TRY(send_arrays(r, &b, in, nin, err));
	OG_TRY(receive_answer(r, true, arena, &c, err));
	peak = og_cursor_u64(&c, "peak");
	if (og_cursor_u32(&c, "runs") != (uint32_t)runs)
		return broken(r, "another number of timings than was asked for", err);
	for (int i = 0; i < runs; i++) {
		ms[i] = og_rt_f64(&c, "timing");
		if (!(ms[i] >= 0 && ms[i] < 1e12))
			return broken(r, "a timing that is no time", err);
	}
	s->time_peak = peak;
	return end_of_answer(r, &c, err);
}

const og_runtime_ops og_runtime_onnxruntime = {
	.name = "onnxruntime",
	.open = ort_open,
	.session_open = ort_session_open,
	.run = ort_run,
	.time = ort_time,
	.session_close = ort_session_close,
	.peak = ort_peak,
	.free = ort_free,
};
