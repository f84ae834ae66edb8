/* SPDX-License-Identifier: Apache-2.0
 *
 * Latency of an ONNX file.  One session serves all rows; each row has its inputs made once, its warm-up, and its runs,
 * timed around the call alone in the runtime's own process, whose peak memory is reset for each row. */
#include "bench/bench.h"

#include "bench/stats.h"

#define RUNS 50
#define WARMUP 5
#define SEQUENCE 128
#define SAMPLES 16000 /* of sound: a second at the rate that its models know */
#define ROWS_MAX 4096u /* of one call: more is a mistake in the request */
#define SEED 1

static const int64_t default_batches[] = { 1, 2, 4, 8 };

typedef struct bencher {
	const og_bench_plan *plan;
	const og_context *ctx;
	og_runtime *runtime;
	og_session *session;
	const og_port *ports;
	size_t nports;
	og_arena *arena;
	const char *dtype, *length_of;
	int runs, warmup;
	double *ms;
} bencher;

static og_status make_inputs(const bencher *b, int64_t batch, int64_t sequence, og_arena *arena, og_array **in, og_error *err)
{
	og_run_shape shape = { .batch = batch, .sequence = sequence, .choices = 2, .past = 0, .encoder_sequence = sequence };
	og_binding *bindings = NULL;
	size_t n = 0;

	if (b->plan->facts)
		shape.image = b->plan->facts->image;
	OG_TRY(og_inputs_bind(b->ports, b->nports, &shape, arena, &bindings, &n, err));
	return og_inputs_make(b->ports, b->nports, bindings, n, b->plan->facts, NULL, SEED, arena, in, err);
}

/* A file may have fixed dims: then it is measured at these, or not at all, never under a wrong label. */
static og_status check_sizes(const bencher *b, const og_array *in, int64_t batch, int64_t sequence, og_error *err)
{
	for (size_t i = 0; i < b->nports; i++) {
		og_input_kind kind = og_input_kind_of(in[i].name);
		int64_t last = in[i].rank ? in[i].dims[in[i].rank - 1] : 0;
		if (kind == OG_INPUT_BRANCH || !in[i].rank)
			continue;
		if (in[i].dims[0] != batch)
			return og_fail(err, ONNXGATE_INVALID, "%s: batch size is %lld in the file, %lld was asked for", b->plan->path, (long long)in[i].dims[0],
			               (long long)batch);
		if (kind == OG_INPUT_IDS && last != sequence)
			return og_fail(err, ONNXGATE_INVALID, "%s: sequence length is %lld in the file, %lld was asked for", b->plan->path, (long long)last,
			               (long long)sequence);
	}
	return OG_OK;
}

static og_status measure(bencher *b, int64_t batch, int64_t sequence, onnxgate_bench_row *row, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	const og_bench_plan *p = b->plan;
	og_array *in = NULL;
	og_stats s;

	if (!scratch)
		return og_fail_nomem(err);
	OG_TRY(og_check_cancel(b->ctx, err));
	OG_TRY(make_inputs(b, batch, sequence, scratch, &in, err));
	OG_TRY(check_sizes(b, in, batch, sequence, err));
	OG_TRY(og_session_time(b->session, in, b->nports, b->warmup, b->runs, b->ms, err));
	s = og_stats_of(b->ms, (size_t)b->runs);
	*row = (onnxgate_bench_row){
		.model = og_arena_strdup(b->arena, p->model ? p->model : p->path),
		.file = og_arena_strdup(b->arena, p->path),
		.execution_provider = og_arena_strdup(b->arena, p->provider ? p->provider : "CPUExecutionProvider"),
		.runtime = og_arena_strdup(b->arena, og_runtime_version(b->runtime)),
		.hardware = og_arena_strdup(b->arena, p->hardware ? p->hardware : "cpu"),
		.dtype = og_arena_strdup(b->arena, b->dtype),
		.batch_size = batch,
		.sequence_length = sequence,
		.runs = b->runs,
		.warmup = b->warmup,
		.latency_ms = { s.mean, s.stddev, s.p50, s.p90, s.p95, s.p99, s.min, s.max },
		.throughput = s.mean > 0 ? 1000 * (double)batch / s.mean : 0,
		.load_ms = og_session_load_ms(b->session),
		.peak_memory = og_session_time_peak(b->session),
		.length_of = b->length_of,
	};
	if (!row->model || !row->file || !row->execution_provider || !row->runtime || !row->hardware || !row->dtype)
		return og_fail_nomem(err);
	return OG_OK;
}

static og_status check_plan(const og_bench_plan *p, const int64_t *batches, size_t nb, const int64_t *lengths, size_t nl, og_error *err)
{
	int64_t max = p->facts ? p->facts->max_positions : 0;

	if (p->runs < 0 || p->warmup < 0)
		return og_fail(err, ONNXGATE_INVALID, "%d runs and %d for warm-up, expected none below 0", p->runs, p->warmup);
	if (nb > ROWS_MAX || nl > ROWS_MAX || nb * nl > ROWS_MAX)
		return og_fail(err, ONNXGATE_INVALID, "%zu batch sizes × %zu sequence lengths, at most %u rows", nb, nl, ROWS_MAX);
	for (size_t i = 0; i < nb; i++)
		if (batches[i] < 1)
			return og_fail(err, ONNXGATE_INVALID, "batch size %lld, expected 1 or more", (long long)batches[i]);
	for (size_t i = 0; i < nl; i++) {
		if (lengths[i] < 1)
			return og_fail(err, ONNXGATE_INVALID, "sequence length %lld, expected 1 or more", (long long)lengths[i]);
		if (max > 0 && lengths[i] > max)
			return og_fail(err, ONNXGATE_INVALID, "sequence length %lld, the model has %lld positions", (long long)lengths[i], (long long)max);
	}
	return OG_OK;
}

static const char *output_dtype(const og_session *s)
{
	const og_port *out = NULL;
	size_t n = og_session_outputs(s, &out);

	for (size_t i = 0; i < n; i++)
		if (og_dtype_is_float(out[i].dtype))
			return og_dtype_name(out[i].dtype);
	return n ? og_dtype_name(out[0].dtype) : "?";
}

/* What a length is a number of; NULL: every input is of images, which have one size. */
static const char *length_of(const bencher *b)
{
	bool images = b->nports > 0;
	for (size_t i = 0; i < b->nports; i++) {
		if (og_input_is_sound(&b->ports[i]))
			return "samples";
		images &= og_starts_with(b->ports[i].name, "pixel_") || og_input_kind_of(b->ports[i].name) == OG_INPUT_FLAGS;
	}
	return images ? NULL : "tokens";
}

/* Fewer samples than make a frame are no input: the runtime would say so by the name of a node. */
static og_status check_samples(const bencher *b, const int64_t *lengths, size_t n, og_error *err)
{
	int64_t least = b->plan->facts ? b->plan->facts->sound.least : 0;

	for (size_t i = 0; i < n && b->length_of && og_streq(b->length_of, "samples"); i++)
		if (lengths[i] < least)
			return og_fail(err, ONNXGATE_INVALID, "sequence length %lld, the model needs %lld samples or more", (long long)lengths[i], (long long)least);
	return OG_OK;
}

og_status og_bench_run(og_runtime *runtime, const og_bench_plan *plan, const og_context *ctx, og_arena *arena, onnxgate_bench_row **rows, size_t *n,
                       og_error *err)
{
	int64_t max = plan->facts ? plan->facts->max_positions : 0, length = max > 0 && max < SEQUENCE ? max : SEQUENCE;
	const int64_t *batches = plan->batch_sizes ? plan->batch_sizes : default_batches, *lengths = plan->sequence_lengths ? plan->sequence_lengths : &length;
	size_t nb = plan->batch_sizes ? plan->nbatch_sizes : OG_COUNT(default_batches), nl = plan->sequence_lengths ? plan->nsequence_lengths : 1, at = 0;
	bencher b = { .plan = plan, .ctx = ctx, .runtime = runtime, .arena = arena, .runs = plan->runs ? plan->runs : RUNS,
		          .warmup = plan->warmup ? plan->warmup : WARMUP };
	og_auto(og_session) *session = NULL;
	onnxgate_bench_row *out;

	OG_TRY(check_plan(plan, batches, nb, lengths, nl, err));
	out = og_arena_array(arena, nb * nl + 1, sizeof(*out));
	b.ms = og_arena_array(arena, (size_t)b.runs, sizeof(*b.ms));
	if (!out || !b.ms)
		return og_fail_nomem(err);
	OG_TRY(og_session_open(runtime, plan->path, &(og_session_options){ .intra_threads = plan->threads }, &session, err));
	b.session = session;
	b.nports = og_session_inputs(session, &b.ports);
	b.length_of = length_of(&b);
	if (!b.length_of && plan->sequence_lengths)
		return og_fail(err, ONNXGATE_INVALID, "%s: it takes images alone, no sequence length can be asked for", plan->path);
	if (!b.length_of || og_streq(b.length_of, "samples"))
		length = b.length_of ? SAMPLES : 0;
	OG_TRY(check_samples(&b, lengths, nl, err));
	b.dtype = plan->dtype ? plan->dtype : output_dtype(session);
	for (size_t k = 0; k < nl; k++)
		for (size_t i = 0; i < nb; i++, at++) {
			og_progress(ctx, "bench", at, nb * nl);
			OG_TRY(measure(&b, batches[i], lengths[k], &out[at], err));
		}
	og_progress(ctx, "bench", at, at);
	*rows = out;
	*n = at;
	return OG_OK;
}
