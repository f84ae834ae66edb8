/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders of sound: convolutions from samples to frames, positions, layers, the adapter behind them. */
#include "blocks/audio.h"

#include "base/buf.h"

#define NORM_EPS 1e-5 /* torch.nn's own: of the norms whose epsilon no config gives */

/* [B, T, C] ⇄ [B, C, T] */
static og_val turned(og_build *b, og_val x)
{
	return og_permute(b, x, 0, 2, 1);
}

/* ---- from samples to frames ---- */

/* "( ( sequence_length - 10 ) // 5 + 1 - 3 ) // 2 + 1": how many frames there are as Optimum spells it, layer by layer. */
static void spell_frames(og_build *b, og_dim before, og_val x, const char *padding, int64_t kernel, int64_t stride)
{
	og_auto_buf text;
	og_buf_init(&text, 1 << 16);
	if (og_build_stuck(b))
		return;
	og_dims *d = og_build_dims(b);
	og_buf_printf(&text, "( %s%s - %lld ) // %lld + 1", og_dim_text(d, before), padding, (long long)kernel, (long long)stride);
	if (!text.failed && !og_dim_is_int(d, og_dim_at(b, x, 2), NULL))
		og_dim_spell(d, og_dim_at(b, x, 2), og_buf_cstr(&text));
}

/* floor((n − kernel) / stride) + 1, as (n + stride − kernel) / stride: where a kernel fits once that is not negative, and Div rounds down.
 * A row that is shorter than a frame counts as one: there is nothing right to say about it. */
static og_val windows(og_build *b, og_val n, int64_t kernel, int64_t stride)
{
	if (stride != kernel)
		n = og_add(b, n, og_const_i64(b, stride - kernel));
	if (stride != 1)
		n = og_div(b, n, og_const_i64(b, stride));
	return kernel == 1 ? n : og_max(b, n, og_const_i64(b, 1));
}

/* 0 where a frame does not count: x is [B, T, …], or with axis 2 [B, …, T]. */
static og_val silenced(og_build *b, og_val x, og_val lengths, int64_t axis)
{
	if (!lengths.id)
		return x;
	og_val counts = og_expand_dims(b, og_audio_counts(b, lengths, x, axis), axis == 1 ? 2 : 1);
	return og_where(b, counts, x, og_const_f32(b, 0));
}

/* One layer, [B, C, T] → [B, C, T], the last one [B, T, C]. A bias before the norm over time is the same at all times: the norm takes it away
 * again, and of silence would leave what rounding made of it. So it is accounted for, and not added. */
static og_val convolve(og_build *b, og_val x, og_val *lengths, size_t i, const og_audio_convs_o *o)
{
	bool last = i == o->out->n - 1, lost = o->bias && i == 0 && !o->layer_norm;
	if (lost)
		og_weight(b, "conv.bias", o->out->v[i]);
	og_dim before = og_dim_at(b, x, 2);
	x = og_conv(b, x, "conv", (og_conv_o){ .out = o->out->v[i], .kernel = &o->kernel->v[i], .stride = &o->stride->v[i], .no_bias = !o->bias || lost });
	spell_frames(b, before, x, "", o->kernel->v[i], o->stride->v[i]);
	if (lengths->id)
		*lengths = windows(b, *lengths, o->kernel->v[i], o->stride->v[i]);
	if (o->layer_norm) {
		x = og_layer_norm(b, turned(b, x), "layer_norm", NORM_EPS);
		return og_act(b, last ? x : turned(b, x), o->act);
	}
	if (i == 0)
		x = lengths->id ? og_channel_norm_within(b, x, og_audio_counts(b, *lengths, x, 2), "layer_norm", NORM_EPS) :
		                  og_channel_norm(b, x, "layer_norm", NORM_EPS);
	x = og_act(b, x, o->act);
	return last ? turned(b, x) : x;
}

og_sound og_audio_convs(og_build *b, og_audio_in in, og_audio_convs_o o)
{
	og_sound s = { .x = og_expand_dims(b, in.samples, 1), .lengths = in.mask.id ? og_reduce(b, "ReduceSum", in.mask, 1, false) : OG_NONE };
	if (o.out->n != o.kernel->n || o.out->n != o.stride->n) {
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "conv_dim has %zu values, conv_kernel %zu and conv_stride %zu: expected as many of each", o.out->n,
			o.kernel->n, o.stride->n);
		return s;
	}
	for (size_t i = 0; i < o.out->n; i++)
		OG_SCOPE(b, "feature_extractor.conv_layers.%zu", i) s.x = convolve(b, s.x, &s.lengths, i, &o);
	return s;
}

static og_val project(og_build *b, og_val x, const og_audio_encoder_o *o)
{
	OG_SCOPE(b, "feature_projection") {
		if (!o->plain_projection)
			x = og_layer_norm(b, x, "layer_norm", o->eps);
		x = og_linear(b, x, "projection", o->hidden);
	}
	return x;
}

/* ---- layers ---- */

/* x + what a convolution makes of each frame's neighbours: as many frames as there were, for an even kernel one neighbour more before. */
static og_val add_positions(og_build *b, og_val x, og_val lengths, const og_audio_encoder_o *o)
{
	const int64_t before = o->positions / 2, behind = before - (o->positions % 2 == 0);
	og_val p = turned(b, x);
	OG_SCOPE(b, "pos_conv_embed") {
		if (o->positions_norm)
			p = og_batch_norm(b, p, "batch_norm", NORM_EPS);
		p = silenced(b, p, lengths, 2);
		p = og_conv(b, p, "conv", (og_conv_o){ .out = o->hidden, .kernel = &o->positions, .pad = &before, .pad_end = &behind, .groups = o->groups,
			.normed = !o->positions_norm });
		p = turned(b, og_act(b, p, o->convs.act));
	}
	return og_add(b, x, p);
}

static og_val bottleneck(og_build *b, og_val x, const og_audio_encoder_o *o)
{
	og_val y = OG_NONE;
	OG_SCOPE(b, "adapter_layer") {
		y = og_act(b, og_linear(b, og_layer_norm(b, x, "norm", NORM_EPS), "linear_1", o->bottleneck), OG_ACT_RELU);
		y = og_linear(b, y, "linear_2", o->hidden);
	}
	return og_add(b, x, y);
}

static og_val layer(og_build *b, og_val x, og_val mask, const og_audio_encoder_o *o)
{
	const og_layer_o parts = {
		.attention = { .heads = o->heads, .mask = mask,
		               .q = "attention.q_proj", .k = "attention.k_proj", .v = "attention.v_proj", .o = "attention.out_proj" },
		.attention_norm = "layer_norm", .norm = "final_layer_norm", .up = "feed_forward.intermediate_dense", .down = "feed_forward.output_dense",
		.ffn = o->ffn, .act = o->act, .eps = o->eps };
	if (!o->pre_norm)
		return og_post_norm(b, x, parts);
	x = og_pre_norm(b, x, parts);
	return o->bottleneck ? bottleneck(b, x, o) : x;
}

static og_val run_layers(og_build *b, og_val x, og_val lengths, const og_audio_encoder_o *o, og_val *states)
{
	og_val mask = lengths.id ? og_mask_bias(b, og_audio_counts(b, lengths, x, 1)) : OG_NONE;
	OG_SCOPE(b, "encoder") {
		x = add_positions(b, x, lengths, o);
		if (!o->pre_norm)
			x = og_layer_norm(b, x, "layer_norm", o->eps);
		for (int64_t i = 0; i < o->layers; i++) {
			if (states)
				states[i] = x;
			OG_SCOPE(b, "layers.%lld", (long long)i) x = layer(b, x, mask, o);
		}
		if (o->pre_norm)
			x = og_layer_norm(b, x, "layer_norm", o->eps);
		if (states)
			states[o->layers] = x;
	}
	return x;
}

/* ---- behind the layers ---- */

/* Half of the channels, gated by the other half (Dauphin et al. 2016, arXiv:1612.08083). */
static og_val gated(og_build *b, og_val x, int64_t width)
{
	og_val gate = og_unary(b, "Sigmoid", og_slice(b, x, 1, width, 2 * width));
	return og_mul(b, og_slice(b, x, 1, 0, width), gate);
}

static void adapt(og_build *b, og_sound *s, int64_t hidden, const og_audio_adapter_o *o)
{
	static const int64_t pad = 1;
	if (o->width > OG_DIM_MAX / 2) {
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "output_hidden_size %lld is too large", (long long)o->width);
		return;
	}
	OG_SCOPE(b, "adapter") {
		og_val x = s->x;
		if (o->width != hidden)
			x = og_layer_norm(b, og_linear(b, x, "proj", o->width), "proj_layer_norm", NORM_EPS);
		x = turned(b, x);
		for (int64_t i = 0; i < o->layers; i++)
			OG_SCOPE(b, "layers.%lld", (long long)i) {
				og_dim before = og_dim_at(b, x, 2);
				x = silenced(b, x, s->lengths, 2);
				x = og_conv(b, x, "conv", (og_conv_o){ .out = 2 * o->width, .kernel = &o->kernel, .stride = &o->stride, .pad = &pad });
				spell_frames(b, before, x, " + 2", o->kernel, o->stride);
				x = gated(b, x, o->width);
				if (s->lengths.id)
					s->lengths = windows(b, og_add(b, s->lengths, og_const_i64(b, 2 * pad)), o->kernel, o->stride);
			}
		s->x = turned(b, x);
	}
}

og_sound og_audio_encoder(og_build *b, og_audio_in in, og_audio_encoder_o o, og_val *states)
{
	og_sound s = og_audio_convs(b, in, o.convs);
	s.x = run_layers(b, project(b, s.x, &o), s.lengths, &o, states);
	s.before = s.lengths;
	if (o.adapter.layers)
		adapt(b, &s, o.hidden, &o.adapter);
	return s;
}

og_val og_audio_counts(og_build *b, og_val lengths, og_val x, int64_t axis)
{
	og_val frames = og_length(b, x, axis), at = og_range(b, og_const_i64(b, 0), frames);
	return og_op(b, "Less", (og_val[]){ at, og_expand_dims(b, lengths, 1) }, 2, NULL, 0);
}
