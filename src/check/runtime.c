/* SPDX-License-Identifier: Apache-2.0
 *
 * Runtime level: the file is loaded and run, and its outputs are held against what it declares and against itself.
 *
 *   runtime.load     the runtime takes the file
 *   runtime.shapes   at three bindings of every symbolic dim the outputs have the declared dtype and shape
 *   runtime.finite   and nothing in them is NaN or infinite
 *   runtime.batch    a batch equals its items run alone           (compare.c, batch.c)
 *   runtime.padding  what lies under attention_mask 0 changes nothing
 *   runtime.cache    with a cache, stepping equals the full pass
 *
 * The bindings are small, since each costs a run: lengths 1 and 2, where broadcasting mistakes show, and a longer
 * one.  Every symbol takes its values in an order of its own, so that the axes of an output can be told apart by
 * their sizes, whatever an exporter called them. */
#include "check/runtime_int.h"

#include "base/buf.h"
#include "onnx/reader.h"

#include <math.h>

#define LONG_SEQUENCE 7
#define LONG_PAST 5
#define SAMPLES_LEAST 640 /* of sound, when the config does not say: 40 ms, more than most files need for a frame */
#define FRAMES 5

static const char *const row_names[] = { "runtime.load", "runtime.shapes", "runtime.finite", "runtime.batch", "runtime.padding" };

/* ---- helpers -------------------------------------------------------------------------------------- */

og_status og_trial_inputs(const og_trial *t, const og_run_shape *shape, const int64_t *pad, og_arena *arena, og_array **in, og_error *err)
{
	og_binding *b = NULL;
	size_t nb = 0;

	OG_TRY(og_inputs_bind(t->in, t->nin, shape, arena, &b, &nb, err));
	return og_inputs_make(t->in, t->nin, b, nb, t->facts, pad, 1, arena, in, err);
}

void og_trial_row(og_trial *t, const char *name, const og_difference *d, const char *what)
{
	size_t which = 0;
	double worst = og_difference_worst(d, t->nout, &which);
	char show[128];

	og_check_add(t->rows, name, ONNXGATE_VALIDATE_RUNTIME, worst <= t->limit ? ONNXGATE_CHECK_PASS : ONNXGATE_CHECK_FAIL, worst, t->limit,
	             "%s; largest difference %.3g of scale %.3g in output '%s'", what, d[which].largest, d[which].scale,
	             og_str_show(og_str_of(t->out[which].name), show, sizeof(show)));
}

/* Faults of the machine or the caller end the check; faults of the file are its result. */
static og_status as_row(og_checks *c, const char *name, og_status st, const og_error *e, og_error *err)
{
	switch (st) {
	case ONNXGATE_CANCELLED:
	case ONNXGATE_NOMEM:
	case ONNXGATE_IO:
	case ONNXGATE_INTERNAL:
	case ONNXGATE_INVALID:
	case ONNXGATE_NOT_FOUND:
		if (err)
			*err = *e;
		return st;
	case ONNXGATE_UNSUPPORTED: /* we could not look: that says nothing about the file */
		og_check_add(c, name, ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, (double)NAN, (double)NAN, "%s", e->message);
		return OG_OK;
	default:
		og_check_add(c, name, ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_FAIL, (double)NAN, (double)NAN, "%s", e->message);
		return OG_OK;
	}
}

/* ---- cases ---------------------------------------------------------------------------------------- */

/* The sizes that the inputs really have: a dim may be a number. */
static void read_sizes(const og_trial *t, og_case *c)
{
	c->rows[OG_ROWS_BATCH] = c->rows[OG_ROWS_TEXTS] = c->sequence = -1;
	for (size_t i = 0; i < t->nin; i++) {
		const og_array *a = &c->in[i];
		og_input_kind kind = og_input_kind_of(a->name);
		if (kind == OG_INPUT_BRANCH || !a->rank)
			continue;
		int64_t *rows = &c->rows[og_input_counts_texts(&t->in[i]) ? OG_ROWS_TEXTS : OG_ROWS_BATCH];
		if (*rows < 0)
			*rows = a->dims[0];
		if (c->sequence < 0 && (kind == OG_INPUT_IDS || og_input_is_sound(&t->in[i])))
			c->sequence = a->dims[a->rank - 1];
		if (c->sequence < 0 && og_streq(a->name, "inputs_embeds") && a->rank == 3)
			c->sequence = a->dims[1];
	}
}

static og_status label_case(const og_trial *t, og_case *c, og_error *err)
{
	og_auto_buf b;
	char show[64];

	og_buf_init(&b, 4096);
	for (size_t i = 0; i < c->nbindings; i++)
		og_buf_printf(&b, "%s%s %lld", i ? ", " : "", og_str_show(og_str_of(c->bindings[i].symbol), show, sizeof(show)), (long long)c->bindings[i].value);
	if (!c->nbindings)
		og_buf_str(&b, "fixed dims");
	OG_TRY(og_buf_check(&b, "label", err));
	c->label = og_arena_strdup(t->arena, og_buf_cstr(&b));
	return c->label ? OG_OK : og_fail_nomem(err);
}

/* One frame, two, and several with samples left over. */
static og_status sound_lengths(og_trial *t, int64_t lengths[OG_CASES_MAX], og_error *err)
{
	og_sound_facts f = t->facts && t->facts->sound.least ? t->facts->sound : (og_sound_facts){ SAMPLES_LEAST, SAMPLES_LEAST };
	t->least = lengths[0] = f.least;
	lengths[1] = f.least + f.step;
	lengths[2] = f.least + FRAMES * f.step + f.step / 2;
	if (lengths[2] > OG_SAMPLES_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "sound for it would need %lld samples or more: at most %d are made up",
			(long long)lengths[2], OG_SAMPLES_MAX);
	return OG_OK;
}

static og_status make_cases(og_trial *t, og_error *err)
{
	int64_t room = t->facts && t->facts->max_positions > 0 ? t->facts->max_positions : LONG_SEQUENCE + LONG_PAST;
	int64_t past = room > 2 * LONG_PAST ? LONG_PAST : 0, lng = room - past < LONG_SEQUENCE ? room - past : LONG_SEQUENCE;
	int64_t lengths[OG_CASES_MAX] = { 1, lng < 2 ? lng : 2, lng };

	t->least = 1;
	if (og_inputs_take_sound(t->in, t->nin))
		OG_TRY(sound_lengths(t, lengths, err));
	const og_run_shape shapes[OG_CASES_MAX] = {
		{ .batch = 2, .texts = 1, .sequence = lengths[0], .choices = 3, .past = 0, .encoder_sequence = 2 },
		{ .batch = 1, .texts = 3, .sequence = lengths[1], .choices = 1, .past = past ? 3 : 0, .encoder_sequence = 1 },
		{ .batch = 3, .texts = 2, .sequence = lengths[2], .choices = 2, .past = past, .encoder_sequence = 7 },
	};

	for (size_t i = 0; i < OG_CASES_MAX; i++) {
		og_case *c = &t->cases[i];
		c->shape = shapes[i];
		if (t->facts)
			c->shape.image = t->facts->image;
		OG_TRY(og_inputs_bind(t->in, t->nin, &c->shape, t->arena, &c->bindings, &c->nbindings, err));
		OG_TRY(og_inputs_make(t->in, t->nin, c->bindings, c->nbindings, t->facts, NULL, 1, t->arena, &c->in, err));
		OG_TRY(label_case(t, c, err));
		read_sizes(t, c);
		t->ncases = i + 1;
		if (!c->nbindings) /* every dim is a number: there is one case */
			break;
	}
	for (size_t i = 1; i < t->ncases; i++) {
		for (int w = 0; w < OG_ROWS; w++)
			t->rows_vary[w] |= t->cases[i].rows[w] != t->cases[0].rows[w];
		t->sequence_varies |= t->cases[i].sequence != t->cases[0].sequence;
	}
	return OG_OK;
}

static og_status run_cases(og_trial *t, og_error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < t->ncases; i++) {
		og_case *c = &t->cases[i];
		og_status st;
		OG_TRY(og_check_cancel(t->ctx, err));
		st = og_session_run(t->session, c->in, t->nin, t->arena, &c->out, &n, err);
		if (st != OG_OK) {
			og_error_prefix(err, "at %s", c->label);
			return st;
		}
	}
	return OG_OK;
}

static bool always_rows(const og_trial *t, size_t i, int axis, int which)
{
	bool all = t->rows_vary[which];
	for (size_t c = 0; c < t->ncases; c++)
		all = all && axis < t->cases[c].out[i].rank && t->cases[c].out[i].dims[axis] == t->cases[c].rows[which];
	return all;
}

/* An axis is the batch when it had the batch's size in every case, and so for the texts and the sequence. */
static og_status find_axes(og_trial *t, og_error *err)
{
	t->axes = og_arena_array(t->arena, t->nout + 1, sizeof(*t->axes));
	if (!t->axes)
		return og_fail_nomem(err);
	for (size_t i = 0; i < t->nout; i++) {
		t->axes[i] = (og_axes){ .rows = { -1, -1 }, .sequence = -1 };
		for (int k = t->out[i].rank - 1; k >= 0; k--) {
			bool sequence = t->sequence_varies;
			for (size_t c = 0; c < t->ncases; c++) {
				const og_array *a = &t->cases[c].out[i];
				sequence &= k < a->rank && a->dims[k] == t->cases[c].sequence;
			}
			for (int w = 0; w < OG_ROWS; w++)
				if (always_rows(t, i, k, w))
					t->axes[i].rows[w] = k;
			if (sequence)
				t->axes[i].sequence = k;
		}
	}
	return OG_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static const char *or_less(const char *text)
{
	return text ? text : "an output is not as declared"; /* there was no memory to say which */
}

/* With the caches of an encoder given, the merged file of Optimum's layout has none to give: it leaves those outputs empty. */
static bool is_left_empty(const og_trial *t, const og_case *c, size_t i)
{
	bool cached = false;

	for (size_t k = 0; k < t->nin; k++)
		cached |= og_input_kind_of(t->in[k].name) == OG_INPUT_BRANCH && c->in[k].size == 1 && *(const uint8_t *)c->in[k].data;
	return cached && og_starts_with(t->out[i].name, "present.") && strstr(t->out[i].name, ".encoder.") && c->out[i].size == 0;
}

/* An exporter that knew no better calls a dim "1" that is as long as the run. */
static bool is_number_as_name(const og_port *p, int axis)
{
	int64_t n;
	return p->dims[axis] < 0 && p->symbols[axis] && og_parse_i64(og_str_of(p->symbols[axis]), &n);
}

/* What an output has and should not, or NULL. */
static const char *shape_fault(const og_trial *t, const og_case *c, size_t i)
{
	const og_port *p = &t->out[i];
	const og_array *a = &c->out[i];
	char show[128];

	og_str_show(og_str_of(p->name), show, sizeof(show));
	if (a->dtype != p->dtype)
		return or_less(og_arena_printf(t->arena, "output '%s' is %s, declared %s", show, og_dtype_name(a->dtype), og_dtype_name(p->dtype)));
	if (a->rank != p->rank)
		return or_less(og_arena_printf(t->arena, "output '%s' has %d dims, declared %d", show, a->rank, p->rank));
	for (int k = 0; k < a->rank && !is_left_empty(t, c, i); k++) {
		int64_t declared = is_number_as_name(p, k) ? -1 : og_input_dim(p, k, c->bindings, c->nbindings);
		if (declared >= 0 && declared != a->dims[k])
			return or_less(og_arena_printf(t->arena, "dim %d of output '%s' is %lld, declared %lld, at %s", k, show, (long long)a->dims[k],
			                               (long long)declared, c->label));
	}
	return NULL;
}

static og_status check_shapes(og_trial *t, og_error *err)
{
	const char *first = NULL, *fault;
	int faults = 0;
	og_auto_buf labels;

	og_buf_init(&labels, 16384);
	OG_TRY(make_cases(t, err));
	OG_TRY(run_cases(t, err));
	OG_TRY(find_axes(t, err));
	for (size_t c = 0; c < t->ncases; c++) {
		og_buf_printf(&labels, "%s(%s)", c ? " " : "", t->cases[c].label);
		for (size_t i = 0; i < t->nout; i++) {
			fault = shape_fault(t, &t->cases[c], i);
			if (fault && !faults++)
				first = fault;
		}
	}
	OG_TRY(og_buf_check(&labels, "labels", err));
	og_check_add(t->rows, "runtime.shapes", ONNXGATE_VALIDATE_RUNTIME, faults ? ONNXGATE_CHECK_FAIL : ONNXGATE_CHECK_PASS, faults, 0,
	             first ? "%s" : "outputs as declared at %s", first ? first : og_buf_cstr(&labels));
	return OG_OK;
}

static og_status count_bad(const og_array *a, uint64_t *bad, uint64_t *all, og_error *err)
{
	size_t n = og_dtype_bits(a->dtype) ? a->size * 8 / og_dtype_bits(a->dtype) : 0;
	og_autofree double *v = og_array_alloc(n + 1, sizeof(*v));

	if (!v)
		return og_fail_nomem(err);
	*all += n;
	if (!og_dtype_is_float(a->dtype))
		return OG_OK;
	if (!og_dtype_to_f64(a->dtype, a->data, n, v))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "an output holds %s, which is not compared", og_dtype_name(a->dtype));
	for (size_t i = 0; i < n; i++)
		*bad += isfinite(v[i]) ? 0 : 1;
	return OG_OK;
}

static og_status check_finite(og_trial *t, og_error *err)
{
	uint64_t all = 0, bad = 0, before;
	const char *where = "";
	char show[128];

	for (size_t c = 0; c < t->ncases; c++)
		for (size_t i = 0; i < t->nout; i++) {
			before = bad;
			OG_TRY(count_bad(&t->cases[c].out[i], &bad, &all, err));
			if (bad > before && !before)
				where = og_arena_printf(t->arena, ", first in output '%s' at %s", og_str_show(og_str_of(t->out[i].name), show, sizeof(show)),
				                        t->cases[c].label);
		}
	if (!where)
		return og_fail_nomem(err);
	og_check_add(t->rows, "runtime.finite", ONNXGATE_VALIDATE_RUNTIME, bad ? ONNXGATE_CHECK_FAIL : ONNXGATE_CHECK_PASS, (double)bad, 0,
	             "%llu of %llu values are NaN or infinite%s", (unsigned long long)bad, (unsigned long long)all, where);
	return OG_OK;
}

static og_status run_steps(og_trial *t, og_error *err)
{
	static const struct {
		const char *name;
		og_status (*check)(og_trial *t, og_error *err);
	} steps[] = {
		{ "runtime.shapes", check_shapes }, { "runtime.finite", check_finite },   { "runtime.batch", og_check_batch },
		{ "runtime.padding", og_check_padding }, { "runtime.cache", og_check_cache },
	};

	for (size_t i = 0; i < OG_COUNT(steps); i++) {
		og_error e = { 0 };
		og_status st = og_check_cancel(t->ctx, &e);
		og_progress(t->ctx, steps[i].name, i, OG_COUNT(steps));
		if (st == OG_OK)
			st = steps[i].check(t, &e);
		if (st == OG_OK)
			continue;
		OG_TRY(as_row(t->rows, steps[i].name, st, &e, err));
		if (!t->axes || st != ONNXGATE_UNSUPPORTED) /* nothing ran, or the runtime may be gone */
			break;
	}
	og_progress(t->ctx, "runtime", OG_COUNT(steps), OG_COUNT(steps));
	return t->rows->nomem ? og_fail_nomem(err) : OG_OK;
}

/* The coarsest of what its outputs and its weights are made of: a file may give float32 and compute in half precision. */
static og_status find_coarsest(const og_trial *t, const char *onnx_path, og_dtype *out, og_error *err)
{
	og_onnx_model *m = NULL;
	bool half = false, brain = false;

	OG_TRY(og_onnx_read_file(onnx_path, t->ctx, t->arena, &m, err));
	for (size_t i = 0; m->graph && i < m->graph->ninitializers; i++) {
		half = half || m->graph->initializers[i].dtype == OG_F16;
		brain = brain || m->graph->initializers[i].dtype == OG_BF16;
	}
	for (size_t i = 0; i < t->nout; i++) {
		half = half || t->out[i].dtype == OG_F16;
		brain = brain || t->out[i].dtype == OG_BF16;
	}
	*out = brain ? OG_BF16 : half ? OG_F16 : OG_F32;
	return OG_OK;
}

og_status og_check_runtime(const char *onnx_path, og_runtime *runtime, const char *why_none, const og_input_facts *facts,
                           const og_context *ctx, og_checks *out, og_error *err)
{
	og_auto(og_session) *session = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_trial t = { .facts = facts, .ctx = ctx, .rows = out, .arena = arena };
	og_error e = { 0 };
	og_dtype coarsest;
	og_status st;

	if (!arena)
		return og_fail_nomem(err);
	if (!runtime) {
		for (size_t i = 0; i < OG_COUNT(row_names); i++)
			og_check_add(out, row_names[i], ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, (double)NAN, (double)NAN, "%s",
			             why_none ? why_none : "no runtime");
		return out->nomem ? og_fail_nomem(err) : OG_OK;
	}
	OG_TRY(og_check_cancel(ctx, err));
	st = og_session_open(runtime, onnx_path, &(og_session_options){ .intra_threads = ctx ? og_context_threads(ctx) : 0, .few_runs = true }, &session, &e);
	if (st != OG_OK)
		return as_row(out, row_names[0], st, &e, err);
	t.session = session;
	t.nin = og_session_inputs(session, &t.in);
	t.nout = og_session_outputs(session, &t.out);
	OG_TRY(find_coarsest(&t, onnx_path, &coarsest, err));
	t.limit = og_difference_limit(coarsest);
	og_check_add(out, row_names[0], ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_PASS, og_session_load_ms(session), (double)NAN,
	             "%s loads it in %.0f ms: %zu inputs, %zu outputs", og_runtime_version(runtime), og_session_load_ms(session), t.nin, t.nout);
	return run_steps(&t, err);
}
