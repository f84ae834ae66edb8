/* SPDX-License-Identifier: Apache-2.0
 *
 * What must not matter: who else is in the batch, what lies under the padding, whether a text is read at once or
 * step by step.  The reference is always the plainest run: one item alone, unpadded, in one pass. */
#include "check/runtime_int.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>

/* ---- batch and padding ---------------------------------------------------------------------------- */

/* Row i alone, of these rows and with inputs of this shape, against the same row of whole. */
static og_status compare_row(og_trial *t, const og_run_shape *shape, int which, int64_t rows, int64_t i, const og_array *whole, og_difference *d,
	og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	int64_t offset[OG_RANK_MAX];
	og_array *all = NULL, *row = NULL, *out = NULL;
	size_t n = 0;

	if (!scratch)
		return og_fail_nomem(err);
	OG_TRY(og_check_cancel(t->ctx, err));
	OG_TRY(og_trial_inputs(t, shape, NULL, scratch, &all, err));
	OG_TRY(og_inputs_row(all, t->nin, rows, i, scratch, &row, err));
	OG_TRY(og_session_run(t->session, row, t->nin, scratch, &out, &n, err));
	for (size_t k = 0; k < t->nout; k++) {
		if (t->axes[k].rows[which] < 0)
			continue;
		memset(offset, 0, sizeof(offset));
		offset[t->axes[k].rows[which]] = i;
		OG_TRY(og_compare(&whole[k], &out[k], offset, &d[k], err));
	}
	return OG_OK;
}

/* The rows of one output must fit side by side: without a batch axis nothing can be compared. */
static bool has_rows(const og_trial *t, int which)
{
	for (size_t k = 0; k < t->nout; k++)
		if (t->axes[k].rows[which] >= 0)
			return true;
	return false;
}

static og_status no_batch_axis(og_trial *t, const char *name)
{
	og_check_add(t->rows, name, ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, (double)NAN, (double)NAN, "no output has a batch dim");
	return OG_OK;
}

og_status og_check_batch(og_trial *t, og_error *err)
{
	og_difference *d = og_arena_array(t->arena, t->nout + 1, sizeof(*d));
	char what[128];
	int items = 0;

	if (!d)
		return og_fail_nomem(err);
	if (!t->rows_vary[OG_ROWS_BATCH] && !t->rows_vary[OG_ROWS_TEXTS])
		return OG_OK;
	for (int w = 0; w < OG_ROWS; w++) {
		if (t->rows_vary[w] && !has_rows(t, w))
			return no_batch_axis(t, "runtime.batch");
		for (size_t c = 0; t->rows_vary[w] && c < t->ncases; c++)
			for (int64_t i = 0, n = t->cases[c].rows[w]; n > 1 && i < n; i++, items++)
				OG_TRY(compare_row(t, &t->cases[c].shape, w, n, i, t->cases[c].out, d, err));
	}
	snprintf(what, sizeof(what), "%d items of batches against the same run alone", items);
	og_trial_row(t, "runtime.batch", d, what);
	return OG_OK;
}

/* What a mask hides: positions of which rows, in the sequence of an encoder or in the one that there is. */
typedef struct masked {
	const char *name;
	int which;
	bool encoders;
} masked;

static int64_t masked_length(const og_case *c, masked m)
{
	return m.encoders ? c->shape.encoder_sequence : c->sequence;
}

/* One case with random paddings: row 0 of a batch has none (it was compared with itself alone, unpadded, in og_check_batch), the others
 * at least one position, at most all but the shortest sequence. */
static og_status pad_case(og_trial *t, const og_case *c, masked m, og_difference *d, int *padded, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	int64_t rows = c->rows[m.which], *pad = scratch ? og_arena_array(scratch, (size_t)rows, sizeof(*pad)) : NULL;
	og_random r = { 7 };
	og_array *in = NULL, *out = NULL;
	size_t n = 0;

	if (!pad)
		return og_fail_nomem(err);
	for (int64_t i = rows > 1; i < rows; i++) {
		pad[i] = 1 + (int64_t)og_random_below(&r, (uint64_t)(masked_length(c, m) - t->least));
		*padded += (int)pad[i];
	}
	OG_TRY(og_trial_inputs(t, &c->shape, pad, scratch, &in, err));
	OG_TRY(og_session_run(t->session, in, t->nin, scratch, &out, &n, err));
	for (int64_t i = rows > 1; i < rows; i++) {
		og_run_shape alone = c->shape;
		*(m.encoders ? &alone.encoder_sequence : &alone.sequence) = masked_length(c, m) - pad[i];
		OG_TRY(compare_row(t, &alone, m.which, rows, i, out, d, err));
	}
	return OG_OK;
}

/* Of a file where a mask hides what a sequence of input holds; which -1: there is no such thing. */
static masked find_mask(const og_trial *t)
{
	masked m = { NULL, -1, false };
	bool sequence = false;

	for (size_t i = 0; i < t->nin; i++) {
		const og_port *p = &t->in[i];
		bool encoders = og_streq(p->name, "encoder_attention_mask");
		if (encoders || og_streq(p->name, "attention_mask"))
			m = (masked){ p->name, og_input_counts_texts(p) ? OG_ROWS_TEXTS : OG_ROWS_BATCH, encoders || og_input_is_encoders(p) };
		sequence |= og_streq(p->name, "input_ids") || og_input_is_sound(p);
	}
	if (!sequence || m.which < 0 || !t->rows_vary[m.which] || (!m.encoders && !t->sequence_varies))
		m.which = -1;
	return m;
}

og_status og_check_padding(og_trial *t, og_error *err)
{
	og_difference *d = og_arena_array(t->arena, t->nout + 1, sizeof(*d));
	masked m = find_mask(t);
	int padded = 0, cases = 0;
	char what[160];

	if (!d)
		return og_fail_nomem(err);
	if (m.which < 0 || (t->facts && t->facts->padding_counts))
		return OG_OK;
	if (!has_rows(t, m.which))
		return no_batch_axis(t, "runtime.padding");
	for (size_t c = 0; c < t->ncases; c++) {
		if (masked_length(&t->cases[c], m) <= t->least)
			continue;
		OG_TRY(pad_case(t, &t->cases[c], m, d, &padded, err));
		cases++;
	}
	snprintf(what, sizeof(what), "%d random values under %s 0 in %d batches against the rows without them", padded, m.name, cases);
	if (cases)
		og_trial_row(t, "runtime.padding", d, what);
	return OG_OK;
}

/* ---- cache ---------------------------------------------------------------------------------------- */

#define STEPS_ALL 6 /* positions of the full pass */
#define STEPS_ENCODER 5

/* past_key_values.REST is fed from present.REST; nout: there is no such output. */
static size_t present_of(const og_trial *t, const char *input)
{
	static const char past[] = "past_key_values.", present[] = "present.";
	size_t i = 0;

	for (; i < t->nout; i++)
		if (og_starts_with(t->out[i].name, present) && og_streq(t->out[i].name + sizeof(present) - 1, input + sizeof(past) - 1))
			break;
	return i;
}

/* What was computed from an encoder's states, once for all steps. */
static bool is_of_encoder(const char *cache)
{
	return strstr(cache, ".encoder.") != NULL;
}

/* NULL: stepping can be tried; else why not. A cache of an encoder's that the file only takes is the made-up one in every step. */
static const char *why_no_stepping(const og_trial *t)
{
	bool logits = false;

	if (!t->sequence_varies)
		return "the file takes one position at a time, its full pass is in another file";
	for (size_t i = 0; i < t->nin; i++)
		if (og_input_kind_of(t->in[i].name) == OG_INPUT_CACHE && present_of(t, t->in[i].name) == t->nout && !is_of_encoder(t->in[i].name))
			return "a cache input has no output of its name, its first value is in another file";
	for (size_t i = 0; i < t->nout; i++)
		logits |= !og_starts_with(t->out[i].name, "present.") && t->axes[i].sequence >= 0;
	return logits ? NULL : "no output has a sequence dim";
}

static void copy_column(const og_array *from, int64_t at, og_array *to)
{
	size_t item = og_dtype_bits(from->dtype) / 8, width = (size_t)from->dims[from->rank - 1], rows = to->size / item;

	for (size_t i = 0; i < rows; i++)
		memcpy((uint8_t *)to->data + i * item, (const uint8_t *)from->data + (i * width + (size_t)at) * item, item);
}

typedef struct stepping {
	const og_array *full_in, *full_out;
	og_array *cache; /* by input; name NULL: none yet */
	og_arena *arena;
	og_difference *d;
} stepping;

/* The caches for the next step. What was computed from the encoder stays as the first step gave it. */
static void keep_caches(og_trial *t, stepping *s, const og_array *out)
{
	for (size_t i = 0; i < t->nin; i++) {
		if (og_input_kind_of(t->in[i].name) != OG_INPUT_CACHE || (s->cache[i].name && is_of_encoder(t->in[i].name)) ||
		    present_of(t, t->in[i].name) == t->nout)
			continue;
		s->cache[i] = out[present_of(t, t->in[i].name)];
		s->cache[i].name = t->in[i].name;
	}
}

/* Positions at … at+n-1, with what came before in the caches. */
static og_status step(og_trial *t, stepping *s, int64_t at, int64_t n, og_error *err)
{
	og_run_shape shape = { .batch = 2, .sequence = n, .choices = 1, .past = at, .encoder_sequence = STEPS_ENCODER };
	int64_t offset[OG_RANK_MAX];
	og_array *in = NULL, *out = NULL;
	size_t nout = 0;

	OG_TRY(og_check_cancel(t->ctx, err));
	OG_TRY(og_trial_inputs(t, &shape, NULL, s->arena, &in, err));
	for (size_t i = 0; at > 0 && i < t->nin; i++) {
		og_input_kind kind = og_input_kind_of(t->in[i].name);
		if (kind == OG_INPUT_CACHE && s->cache[i].name)
			in[i] = s->cache[i];
		else if (kind == OG_INPUT_IDS || kind == OG_INPUT_TYPES)
			copy_column(&s->full_in[i], at, &in[i]); /* n is 1 */
	}
	OG_TRY(og_session_run(t->session, in, t->nin, s->arena, &out, &nout, err));
	keep_caches(t, s, out);
	for (size_t k = 0; k < t->nout; k++) {
		if (og_starts_with(t->out[k].name, "present.") || t->axes[k].sequence < 0)
			continue;
		memset(offset, 0, sizeof(offset));
		offset[t->axes[k].sequence] = at;
		OG_TRY(og_compare(&s->full_out[k], &out[k], offset, &s->d[k], err));
	}
	return OG_OK;
}

static og_status step_all(og_trial *t, stepping *s, og_error *err)
{
	static const int64_t prefixes[] = { 1, 3 };

	for (size_t i = 0; i < OG_COUNT(prefixes); i++) {
		memset(s->cache, 0, t->nin * sizeof(*s->cache));
		OG_TRY(step(t, s, 0, prefixes[i], err));
		for (int64_t at = prefixes[i]; at < STEPS_ALL; at++)
			OG_TRY(step(t, s, at, 1, err));
	}
	return OG_OK;
}

og_status og_check_cache(og_trial *t, og_error *err)
{
	static const og_run_shape full = { .batch = 2, .sequence = STEPS_ALL, .choices = 1, .past = 0, .encoder_sequence = STEPS_ENCODER };
	stepping s = { .arena = t->arena };
	og_array *in = NULL, *out = NULL;
	const char *why;
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < t->nin; i++)
		any |= og_input_kind_of(t->in[i].name) == OG_INPUT_CACHE;
	if (!any)
		return OG_OK;
	why = why_no_stepping(t);
	if (why) {
		og_check_add(t->rows, "runtime.cache", ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, (double)NAN, (double)NAN, "%s", why);
		return OG_OK;
	}
	s.d = og_arena_array(t->arena, t->nout + 1, sizeof(*s.d));
	s.cache = og_arena_array(t->arena, t->nin + 1, sizeof(*s.cache));
	if (!s.d || !s.cache)
		return og_fail_nomem(err);
	OG_TRY(og_trial_inputs(t, &full, NULL, t->arena, &in, err));
	OG_TRY(og_session_run(t->session, in, t->nin, t->arena, &out, &n, err));
	s.full_in = in;
	s.full_out = out;
	OG_TRY(step_all(t, &s, err));
	og_trial_row(t, "runtime.cache", s.d, "6 positions in steps of 1, after prefixes of 1 and 3, against one pass");
	return OG_OK;
}
