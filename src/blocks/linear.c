/* SPDX-License-Identifier: Apache-2.0
 *
 * Linear layers and norms. */
#include "blocks/blocks.h"

static const char *or_name(const char *given, const char *usual)
{
	return given ? given : usual;
}

static int64_t width_of(og_build *b, og_val x, const char *name)
{
	int64_t width = 0;
	if (!og_build_stuck(b) && !og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &width))
		og_build_fail(b, ONNXGATE_INTERNAL, "%s: the width of its input is not a number", name);
	return width;
}

/* 2-D: Gemm with the weight as stored. Otherwise MatMul wants it [in, out], which the emission transposes on the way. */
static og_val project_part(og_build *b, og_val x, int64_t in, int64_t out, const og_linear_o *o)
{
	int64_t rows = o->of * out, first = o->part * out;
	og_val y = og_matmul(b, x, og_weight_rows(b, or_name(o->weight, "weight"), rows, in, first, out, true));
	return o->no_bias ? y : og_add(b, y, og_weight_rows(b, or_name(o->bias, "bias"), rows, 0, first, out, false));
}

static og_val project(og_build *b, og_val x, int64_t in, int64_t out, const og_linear_o *o)
{
	if (o->of)
		return project_part(b, x, in, out, o);
	const char *weight = or_name(o->weight, "weight"), *bias = or_name(o->bias, "bias");
	bool gemm = og_rank_of(b, x) == 2 && !o->in_out;
	og_val w = gemm ? og_weight(b, weight, out, in) : o->in_out ? og_weight(b, weight, in, out) : og_weight_transposed(b, weight, out, in);
	og_val add = o->no_bias ? OG_NONE : og_weight(b, bias, out);
	if (gemm)
		return og_gemm(b, x, w, add, true);
	og_val y = og_matmul(b, x, w);
	return add.id ? og_add(b, y, add) : y;
}

og_val og_linear_opt(og_build *b, og_val x, const char *name, int64_t out, og_linear_o o)
{
	int64_t in = width_of(b, x, name);
	og_val y = OG_NONE;
	if (og_build_stuck(b))
		return OG_NONE;
	OG_SCOPE(b, "%s", name) y = project(b, x, in, out, &o);
	return y;
}

og_val og_linear(og_build *b, og_val x, const char *name, int64_t out)
{
	return og_linear_opt(b, x, name, out, (og_linear_o){ 0 });
}

/* One of ONNX's norms of channels; the weights are torch's, in ONNX's order. */
static og_val norm_channels(og_build *b, og_val x, const char *name, const char *op, const char *const *weights, size_t n, double eps)
{
	int64_t channels = 0;
	og_val y = OG_NONE, in[5] = { x };
	if (og_build_stuck(b))
		return OG_NONE;
	if (!og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &channels))
		return og_build_fail(b, ONNXGATE_INTERNAL, "%s: the number of channels of its input is not known", name);
	OG_SCOPE(b, "%s", name) {
		for (size_t i = 0; i < n; i++)
			in[i + 1] = og_weight(b, weights[i], channels);
		y = og_op(b, op, in, n + 1, &OG_FLOAT("epsilon", eps), 1);
	}
	return y;
}

og_val og_channel_norm(og_build *b, og_val x, const char *name, double eps)
{
	static const char *const weights[] = { "weight", "bias" };
	return norm_channels(b, x, name, "InstanceNormalization", weights, 2, eps);
}

og_val og_channel_norm_within(og_build *b, og_val x, og_val counts, const char *name, double eps)
{
	int64_t channels = 0;
	og_val y = OG_NONE;
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, 1), &channels); /* a convolution gave them */
	OG_SCOPE(b, "%s", name) {
		og_val w = og_expand_dims(b, og_cast(b, counts, OG_F32), 1), n = og_reduce(b, "ReduceSum", w, 2, true); /* [B, 1, T], [B, 1, 1] */
		og_val mean = og_div(b, og_reduce(b, "ReduceSum", og_mul(b, x, w), 2, true), n), rest = og_mul(b, og_sub(b, x, mean), w);
		og_val variance = og_div(b, og_reduce(b, "ReduceSum", og_mul(b, rest, rest), 2, true), n);
		og_val deviation = og_unary(b, "Sqrt", og_add(b, variance, og_const_f32(b, (float)eps)));
		og_val scale = og_expand_dims(b, og_weight(b, "weight", channels), 1), bias = og_expand_dims(b, og_weight(b, "bias", channels), 1);
		y = og_add(b, og_mul(b, og_div(b, rest, deviation), scale), bias);
	}
	return y;
}

og_val og_batch_norm(og_build *b, og_val x, const char *name, double eps)
{
	static const char *const weights[] = { "weight", "bias", "running_mean", "running_var" };
	return norm_channels(b, x, name, "BatchNormalization", weights, 4, eps);
}

og_val og_layer_norm(og_build *b, og_val x, const char *name, double eps)
{
	int64_t width = width_of(b, x, name);
	og_val y = OG_NONE;
	if (og_build_stuck(b))
		return OG_NONE;
	OG_SCOPE(b, "%s", name) {
		og_val scale = og_weight(b, "weight", width), bias = og_weight(b, "bias", width);
		y = og_layer_norm_op(b, x, scale, bias, eps);
	}
	return y;
}

/* In the operators and the order that runtimes know as one norm. */
og_val og_rms_norm(og_build *b, og_val x, const char *name, double eps)
{
	int64_t width = width_of(b, x, name);
	og_val y = OG_NONE;
	if (og_build_stuck(b))
		return OG_NONE;
	OG_SCOPE(b, "%s", name) {
		og_val squares = og_op(b, "Pow", (og_val[]){ x, og_const_f32(b, 2.0f) }, 2, NULL, 0);
		og_val least = og_const_f32(b, (float)eps), mean = og_add(b, og_reduce(b, "ReduceMean", squares, -1, true), least);
		og_val weight = og_weight(b, "weight", width);
		y = og_mul(b, og_div(b, x, og_unary(b, "Sqrt", mean)), weight);
	}
	return y;
}
