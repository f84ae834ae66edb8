/* SPDX-License-Identifier: Apache-2.0
 *
 * Five tasks over what a family encodes of sound, each with an attention_mask and without. */
#include "base/alloc.h"
#include "blocks/audio.h"

typedef void (*head_fn)(og_build *b, const og_audio_heads *h, og_sound s);

/* ---- what heads read ---- */

/* Σ wᵢ·statesᵢ, with w the softmax of learned weights: [B, L, T·H] by a row of weights. */
static og_val mixed(og_build *b, const og_val *states, size_t n)
{
	og_dims *d = og_build_dims(b);
	og_autofree og_val *stack = og_array_alloc(n, sizeof(*stack));
	if (!stack)
		return og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		stack[i] = og_expand_dims(b, states[i], 1);
	og_val x = og_concat(b, stack, n, 1);
	og_dim batch = og_dim_at(b, x, 0), frames = og_dim_at(b, x, 2), hidden = og_dim_at(b, x, 3);
	x = og_reshape(b, x, batch, og_dim_at(b, x, 1), og_dim_mul(d, frames, hidden));
	x = og_matmul(b, og_weight_softmax(b, "layer_weights", (int64_t)n), x);
	return og_reshape(b, x, batch, frames, hidden);
}

static og_audio_in inputs(og_build *b, bool masked)
{
	og_audio_in in = { .samples = og_input(b, "input_values", OG_F32, "batch_size", "sequence_length") };
	if (masked)
		in.mask = og_input(b, "attention_mask", OG_I64, "batch_size", "sequence_length");
	return in;
}

static void describe(og_build *b, const void *config, const og_audio *a, bool masked, bool may_mix, bool may_adapt, head_fn head)
{
	const og_audio_heads h = a->heads(config);
	bool mix = may_mix && h.weighted;
	size_t n = (size_t)h.layers + 1;
	og_autofree og_val *states = mix ? og_array_alloc(n, sizeof(*states)) : NULL;
	if (mix && !states)
		og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	if (h.adapter && !may_adapt)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "add_adapter true: this task's class has none");
	og_sound s = a->encode(b, config, inputs(b, masked), states);
	if (mix)
		s = (og_sound){ .x = mixed(b, states, n), .lengths = s.before };
	if (!og_build_stuck(b))
		head(b, &h, s);
}

/* ---- pooling ---- */

/* 1 and 0 for the frames of [B, …] along an axis: [B, 1, T]. */
static og_val weights_of(og_build *b, og_sound s, int64_t axis)
{
	return og_expand_dims(b, og_cast(b, og_audio_counts(b, s.lengths, s.x, axis), OG_F32), 1);
}

/* The mean over the frames that count: [B, T, H] → [B, H]. */
static og_val mean(og_build *b, og_sound s)
{
	if (!s.lengths.id)
		return og_reduce(b, "ReduceMean", s.x, 1, false);
	og_val sum = og_squeeze(b, og_matmul(b, weights_of(b, s, 1), s.x), 1);
	return og_div(b, sum, og_cast(b, og_expand_dims(b, s.lengths, 1), OG_F32));
}

/* Mean and deviation over the frames that count, side by side: [B, C, T] → [B, 2·C]. The deviation is that of a sample: of one frame
 * there is none. */
static og_val statistics(og_build *b, og_sound s)
{
	og_val w = s.lengths.id ? weights_of(b, s, 2) : OG_NONE, count, average, rest;
	if (w.id) {
		count = og_reduce(b, "ReduceSum", w, 2, true); /* [B, 1, 1] */
		average = og_div(b, og_reduce(b, "ReduceSum", og_mul(b, s.x, w), 2, true), count);
		rest = og_mul(b, og_sub(b, s.x, average), w);
		count = og_squeeze(b, count, 2);
	} else {
		count = og_cast(b, og_length(b, s.x, 2), OG_F32);
		average = og_reduce(b, "ReduceMean", s.x, 2, true);
		rest = og_sub(b, s.x, average);
	}
	og_val freedom = og_sub(b, count, og_const_f32(b, 1));
	og_val variance = og_div(b, og_reduce(b, "ReduceSum", og_mul(b, rest, rest), 2, false), freedom);
	average = og_squeeze(b, average, 2);
	return og_concat(b, (og_val[]){ average, og_unary(b, "Sqrt", variance) }, 2, 1);
}

/* ---- the heads ---- */

static void features(og_build *b, const og_audio_heads *h, og_sound s)
{
	(void)h;
	og_output(b, "last_hidden_state", s.x);
}

static void ctc(og_build *b, const og_audio_heads *h, og_sound s)
{
	if (h->words)
		og_output(b, "logits", og_linear(b, s.x, "lm_head", h->words));
	else
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "vocab_size null: expected the number of tokens that the head tells apart");
}

static void classes(og_build *b, const og_audio_heads *h, og_sound s)
{
	s.x = og_linear(b, s.x, "projector", h->projection);
	og_output(b, "logits", og_linear(b, mean(b, s), "classifier", h->labels));
}

static void frame_classes(og_build *b, const og_audio_heads *h, og_sound s)
{
	og_output(b, "logits", og_linear(b, s.x, "classifier", h->labels));
}

/* Snyder et al. 2018: dilated convolutions over frames, statistics, two layers. */
static void xvector(og_build *b, const og_audio_heads *h, og_sound s)
{
	int64_t taken = 0, reach; /* frames that go because no window is whole there */
	if (h->tdnn->n != h->tdnn_kernel->n || h->tdnn->n != h->tdnn_dilation->n) {
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "tdnn_dim has %zu values, tdnn_kernel %zu and tdnn_dilation %zu: expected as many of each", h->tdnn->n,
			h->tdnn_kernel->n, h->tdnn_dilation->n);
		return;
	}
	s.x = og_permute(b, og_linear(b, s.x, "projector", h->tdnn->v[0]), 0, 2, 1);
	for (size_t i = 0; i < h->tdnn->n; i++) {
		OG_SCOPE(b, "tdnn.%zu", i) {
			s.x = og_conv(b, s.x, "kernel", (og_conv_o){ .out = h->tdnn->v[i], .kernel = &h->tdnn_kernel->v[i], .dilation = &h->tdnn_dilation->v[i],
				.as_taps = true });
			s.x = og_act(b, s.x, OG_ACT_RELU);
		}
		if (__builtin_mul_overflow(h->tdnn_kernel->v[i] - 1, h->tdnn_dilation->v[i], &reach) || __builtin_add_overflow(taken, reach, &taken)) {
			og_build_fail(b, ONNXGATE_UNSUPPORTED, "tdnn_kernel and tdnn_dilation reach over more frames than 64 bits can count");
			return;
		}
	}
	if (s.lengths.id && taken)
		s.lengths = og_sub(b, s.lengths, og_const_i64(b, taken));
	og_val embedding = og_linear(b, statistics(b, s), "feature_extractor", h->embedding);
	og_output(b, "logits", og_linear(b, embedding, "classifier", h->embedding));
	og_output(b, "embeddings", embedding);
}

/* ---- the tasks ---- */

#define TASK(name, head, mix, adapt) \
	void og_audio_##name(og_build *b, const void *config, const void *audio) \
	{ \
		describe(b, config, audio, false, mix, adapt, head); \
	} \
	void og_audio_##name##_masked(og_build *b, const void *config, const void *audio) \
	{ \
		describe(b, config, audio, true, mix, adapt, head); \
	}
TASK(features, features, false, true)
TASK(ctc, ctc, false, true)
TASK(classification, classes, true, false)
TASK(frame_classification, frame_classes, true, false)
TASK(xvector, xvector, true, true)
