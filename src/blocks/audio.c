/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders of sound: convolutions from samples to frames, positions, layers, the adapter behind them. */
#include "blocks/audio.h"

#include "base/buf.h"
#include "blocks/text.h"
#include "blocks/vision.h"

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

/* One layer, [B, C, T] → [B, C, T], the last one [B, T, C]. A bias before the norm over time is the same at all times: the norm takes it away
 * again, and of silence would leave what rounding made of it. So it is accounted for, and not added. */
static og_val convolve(og_build *b, og_val x, size_t i, const og_audio_convs_o *o)
{
	bool last = i == o->out->n - 1, lost = o->bias && i == 0 && !o->layer_norm;
	if (lost)
		og_weight(b, "conv.bias", o->out->v[i]);
	og_dim before = og_dim_at(b, x, 2);
	x = og_conv(b, x, "conv", (og_conv_o){ .out = o->out->v[i], .kernel = &o->kernel->v[i], .stride = &o->stride->v[i], .no_bias = !o->bias || lost });
	spell_frames(b, before, x, "", o->kernel->v[i], o->stride->v[i]);
	if (o->layer_norm) {
		x = og_layer_norm(b, turned(b, x), "layer_norm", NORM_EPS);
		return og_act(b, last ? x : turned(b, x), o->act);
	}
	if (i == 0)
		x = og_channel_norm(b, x, "layer_norm", NORM_EPS);
	x = og_act(b, x, o->act);
	return last ? turned(b, x) : x;
}

og_val og_audio_convs(og_build *b, og_val samples, og_audio_convs_o o)
{
	if (o.out->n != o.kernel->n || o.out->n != o.stride->n)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "conv_dim has %zu values, conv_kernel %zu and conv_stride %zu: expected as many of each", o.out->n,
			o.kernel->n, o.stride->n);
	og_val x = og_expand_dims(b, samples, 1);
	for (size_t i = 0; i < o.out->n; i++)
		OG_SCOPE(b, "feature_extractor.conv_layers.%zu", i) x = convolve(b, x, i, &o);
	return x;
}

/* floor((n − kernel) / stride) + 1, as (n + stride − kernel) / stride: where a kernel fits once that is not negative, and Div rounds down. */
static og_val windows(og_build *b, og_val n, int64_t kernel, int64_t stride)
{
	if (stride != kernel)
		n = og_add(b, n, og_const_i64(b, stride - kernel));
	return stride == 1 ? n : og_div(b, n, og_const_i64(b, stride));
}

/* A row that is shorter than a frame counts as one: the reference has no rule for it that says more. */
og_val og_audio_lengths(og_build *b, og_val mask, const og_audio_convs_o *o)
{
	og_val n = og_reduce(b, "ReduceSum", mask, 1, false);
	for (size_t i = 0; i < o->kernel->n; i++)
		n = windows(b, n, o->kernel->v[i], o->stride->v[i]);
	return og_max(b, n, og_const_i64(b, 1));
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
static og_val add_positions(og_build *b, og_val x, const og_audio_encoder_o *o)
{
	const int64_t before = o->positions / 2, behind = before - (o->positions % 2 == 0);
	og_val p = turned(b, x);
	OG_SCOPE(b, "pos_conv_embed") {
		if (o->positions_norm)
			p = og_batch_norm(b, p, "batch_norm", NORM_EPS);
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
	const og_attn_o attention = { .heads = o->heads, .mask = mask,
		.q = "attention.q_proj", .k = "attention.k_proj", .v = "attention.v_proj", .o = "attention.out_proj" };
	const char *up = "feed_forward.intermediate_dense", *down = "feed_forward.output_dense", *first = "layer_norm", *second = "final_layer_norm";
	if (!o->pre_norm)
		return og_post_norm(b, x, (og_post_norm_o){ .attention = attention, .attention_norm = first, .norm = second, .up = up, .down = down,
			.ffn = o->ffn, .act = o->act, .eps = o->eps });
	x = og_pre_norm(b, x, (og_pre_norm_o){ .attention = attention, .attention_norm = first, .norm = second, .up = up, .down = down,
		.ffn = o->ffn, .act = o->act, .eps = o->eps });
	return o->bottleneck ? bottleneck(b, x, o) : x;
}

static og_val run_layers(og_build *b, og_val x, og_val mask, const og_audio_encoder_o *o, og_val *states)
{
	OG_SCOPE(b, "encoder") {
		x = add_positions(b, x, o);
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
	return og_mul(b, og_slice(b, x, 1, 0, width), og_unary(b, "Sigmoid", og_slice(b, x, 1, width, 2 * width)));
}

static og_val adapt(og_build *b, og_val x, int64_t hidden, const og_audio_adapter_o *o)
{
	static const int64_t pad = 1;
	if (o->width > OG_DIM_MAX / 2)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "output_hidden_size %lld is too large", (long long)o->width);
	OG_SCOPE(b, "adapter") {
		if (o->width != hidden)
			x = og_layer_norm(b, og_linear(b, x, "proj", o->width), "proj_layer_norm", NORM_EPS);
		x = turned(b, x);
		for (int64_t i = 0; i < o->layers; i++)
			OG_SCOPE(b, "layers.%lld", (long long)i) {
				og_dim before = og_dim_at(b, x, 2);
				x = og_conv(b, x, "conv", (og_conv_o){ .out = 2 * o->width, .kernel = &o->kernel, .stride = &o->stride, .pad = &pad });
				spell_frames(b, before, x, " + 2", o->kernel, o->stride);
				x = gated(b, x, o->width);
			}
		x = turned(b, x);
	}
	return x;
}

og_sound og_audio_encoder(og_build *b, og_audio_in in, og_audio_encoder_o o, og_val *states)
{
	og_sound s = { 0 };
	og_val x = og_audio_convs(b, in.samples, o.convs), mask = OG_NONE;
	x = project(b, x, &o);
	if (in.mask.id) {
		s.lengths = og_audio_lengths(b, in.mask, &o.convs);
		og_val counts = og_audio_counts(b, s.lengths, x, 1);
		x = og_where(b, og_expand_dims(b, counts, 2), x, og_const_f32(b, 0));
		mask = og_mask_bias(b, counts);
	}
	s.x = run_layers(b, x, mask, &o, states);
	for (int64_t i = 0; s.lengths.id && i < o.adapter.layers; i++) /* as the reference counts them: whatever the kernel is */
		s.lengths = windows(b, s.lengths, 1, o.adapter.stride);
	if (o.adapter.layers)
		s.x = adapt(b, s.x, o.hidden, &o.adapter);
	return s;
}

og_val og_audio_counts(og_build *b, og_val lengths, og_val x, int64_t axis)
{
	og_val at = og_range(b, og_const_i64(b, 0), og_length(b, x, axis));
	return og_op(b, "Less", (og_val[]){ at, og_expand_dims(b, lengths, 1) }, 2, NULL, 0);
}
