/* SPDX-License-Identifier: Apache-2.0
 *
 * Activations, as transformers.activations defines them. */
#include "blocks/blocks.h"

static og_val clamp(og_build *b, og_val x, float low, float high)
{
	og_val most = og_const_f32(b, high);
	return og_min(b, og_max(b, x, og_const_f32(b, low)), most);
}

/* 1/2·(1 + erf((x − µ) / (σ·√2))), µ = 0.707107, σ = 0.282095 (LaplaceActivation, from MEGA). */
static og_val laplace(og_build *b, og_val x)
{
	og_val spread = og_const_f32(b, (float)(0.282095 * 1.4142135623730951)), z = og_div(b, og_sub(b, x, og_const_f32(b, 0.707107f)), spread);
	og_val half = og_const_f32(b, 0.5f), one = og_const_f32(b, 1.0f);
	return og_mul(b, og_add(b, og_unary(b, "Erf", z), one), half);
}

static og_val squared(og_build *b, og_val x)
{
	return og_mul(b, x, x);
}

og_val og_act(og_build *b, og_val x, og_act_kind kind)
{
	switch (kind) {
	case OG_ACT_GELU: return og_unary(b, "Gelu", x);
	case OG_ACT_GELU_TANH: return og_op(b, "Gelu", &x, 1, &OG_TEXT("approximate", "tanh"), 1);
	case OG_ACT_GELU_10: return clamp(b, og_unary(b, "Gelu", x), -10.0f, 10.0f);
	case OG_ACT_QUICK_GELU: return og_mul(b, x, og_unary(b, "Sigmoid", og_mul(b, x, og_const_f32(b, 1.702f))));
	case OG_ACT_LAPLACE: return laplace(b, x);
	case OG_ACT_LEAKY_RELU: return og_op(b, "LeakyRelu", &x, 1, &OG_FLOAT("alpha", 0.01), 1);
	case OG_ACT_LINEAR: return x;
	case OG_ACT_MISH: return og_unary(b, "Mish", x);
	case OG_ACT_RELU: return og_unary(b, "Relu", x);
	case OG_ACT_RELU2: return squared(b, og_unary(b, "Relu", x));
	case OG_ACT_RELU6: return clamp(b, x, 0.0f, 6.0f);
	case OG_ACT_SIGMOID: return og_unary(b, "Sigmoid", x);
	case OG_ACT_SILU: return og_mul(b, x, og_unary(b, "Sigmoid", x));
	case OG_ACT_TANH: return og_unary(b, "Tanh", x);
	}
	return og_build_fail(b, ONNXGATE_INTERNAL, "activation %d has no rule", (int)kind);
}
