/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rule an operator of the default domain has, in groups of one rule each. */
#include "check/shapes.h"

static const og_shape_rule rules[] = {
	/* the output has the shape of the first input */
	{ "Not", og_shape_like_first }, { "Neg", og_shape_like_first }, { "Abs", og_shape_like_first }, { "Sqrt", og_shape_like_first },
	{ "Erf", og_shape_like_first },
	{ "Tanh", og_shape_like_first }, { "Sigmoid", og_shape_like_first }, { "Relu", og_shape_like_first }, { "Elu", og_shape_like_first },
	{ "Selu", og_shape_like_first },
	{ "Celu", og_shape_like_first }, { "HardSigmoid", og_shape_like_first }, { "HardSwish", og_shape_like_first }, { "LeakyRelu", og_shape_like_first },
	{ "Softplus", og_shape_like_first }, { "Softsign", og_shape_like_first }, { "Mish", og_shape_like_first }, { "Clip", og_shape_like_first },
	{ "Exp", og_shape_like_first }, { "Log", og_shape_like_first }, { "Sin", og_shape_like_first }, { "Cos", og_shape_like_first },
	{ "Tan", og_shape_like_first },
	{ "Asin", og_shape_like_first }, { "Acos", og_shape_like_first }, { "Atan", og_shape_like_first }, { "Sinh", og_shape_like_first },
	{ "Cosh", og_shape_like_first },
	{ "Asinh", og_shape_like_first }, { "Acosh", og_shape_like_first }, { "Atanh", og_shape_like_first }, { "Floor", og_shape_like_first },
	{ "Ceil", og_shape_like_first },
	{ "Round", og_shape_like_first }, { "Reciprocal", og_shape_like_first }, { "Sign", og_shape_like_first }, { "Gelu", og_shape_like_first },
	{ "Swish", og_shape_like_first }, { "ThresholdedRelu", og_shape_like_first }, { "Shrink", og_shape_like_first }, { "IsNaN", og_shape_like_first },
	{ "IsInf", og_shape_like_first }, { "BitwiseNot", og_shape_like_first }, { "CastLike", og_shape_like_first }, { "LRN", og_shape_like_first },
	{ "LpNormalization", og_shape_like_first }, { "MeanVarianceNormalization", og_shape_like_first }, { "GroupNormalization", og_shape_like_first },
	{ "QuantizeLinear", og_shape_quantize }, { "DequantizeLinear", og_shape_like_first }, { "EyeLike", og_shape_like_typed },
	{ "RandomNormalLike", og_shape_like_typed },
	{ "RandomUniformLike", og_shape_like_typed }, { "Bernoulli", og_shape_like_typed }, { "ReverseSequence", og_shape_like_first },
	{ "Dropout", og_shape_like_first },
	{ "PRelu", og_shape_prelu },
	/* broadcasting */
	{ "Add", og_shape_broadcast }, { "Sub", og_shape_broadcast }, { "Mul", og_shape_broadcast }, { "Div", og_shape_broadcast }, { "Mod", og_shape_broadcast },
	{ "Pow", og_shape_broadcast }, { "Min", og_shape_broadcast }, { "Max", og_shape_broadcast }, { "Sum", og_shape_broadcast }, { "Mean", og_shape_broadcast },
	{ "Equal", og_shape_broadcast }, { "Greater", og_shape_broadcast }, { "Less", og_shape_broadcast }, { "GreaterOrEqual", og_shape_broadcast },
	{ "LessOrEqual", og_shape_broadcast }, { "And", og_shape_broadcast }, { "Or", og_shape_broadcast }, { "Xor", og_shape_broadcast },
	{ "BitShift", og_shape_broadcast },
	{ "BitwiseAnd", og_shape_broadcast }, { "BitwiseOr", og_shape_broadcast }, { "BitwiseXor", og_shape_broadcast }, { "Where", og_shape_where },
	/* products, normalisations, reductions */
	{ "MatMul", og_shape_matmul }, { "MatMulInteger", og_shape_matmul }, { "Gemm", og_shape_gemm }, { "Softmax", og_shape_softmax },
	{ "LogSoftmax", og_shape_softmax },
	{ "Hardmax", og_shape_softmax }, { "LayerNormalization", og_shape_normalization }, { "RMSNormalization", og_shape_normalization },
	{ "InstanceNormalization", og_shape_channel_norm }, { "BatchNormalization", og_shape_channel_norm }, { "ReduceMean", og_shape_reduce },
	{ "ReduceSum", og_shape_reduce },
	{ "ReduceMax", og_shape_reduce }, { "ReduceMin", og_shape_reduce }, { "ReduceProd", og_shape_reduce }, { "ReduceL1", og_shape_reduce },
	{ "ReduceL2", og_shape_reduce },
	{ "ReduceLogSum", og_shape_reduce }, { "ReduceLogSumExp", og_shape_reduce }, { "ReduceSumSquare", og_shape_reduce }, { "ArgMax", og_shape_arg },
	{ "ArgMin", og_shape_arg },
	{ "CumSum", og_shape_cumsum }, { "Trilu", og_shape_trilu }, { "Cast", og_shape_cast },
	/* convolution, pooling, recurrence */
	{ "Conv", og_shape_conv }, { "MaxPool", og_shape_pool }, { "AveragePool", og_shape_pool }, { "LpPool", og_shape_pool },
	{ "GlobalAveragePool", og_shape_global_pool },
	{ "GlobalMaxPool", og_shape_global_pool }, { "GlobalLpPool", og_shape_global_pool }, { "LSTM", og_shape_recurrent }, { "GRU", og_shape_recurrent },
	{ "RNN", og_shape_recurrent },
	/* moving and cutting */
	{ "Gather", og_shape_gather }, { "GatherElements", og_shape_gather_elements }, { "GatherND", og_shape_gather_nd }, { "ScatterND", og_shape_scatter },
	{ "ScatterElements", og_shape_scatter }, { "Scatter", og_shape_scatter }, { "Reshape", og_shape_reshape }, { "Flatten", og_shape_flatten },
	{ "Transpose", og_shape_transpose }, { "Unsqueeze", og_shape_unsqueeze }, { "Squeeze", og_shape_squeeze }, { "Concat", og_shape_concat },
	{ "Expand", og_shape_expand }, { "DepthToSpace", og_shape_depth_to_space }, { "SpaceToDepth", og_shape_space_to_depth },
	{ "Split", og_shape_split }, { "Slice", og_shape_slice }, { "Tile", og_shape_tile }, { "Pad", og_shape_pad }, { "OneHot", og_shape_onehot },
	{ "TopK", og_shape_topk },
	{ "NonZero", og_shape_nonzero },
	/* shape arithmetic, constants, subgraphs */
	{ "Shape", og_shape_shape }, { "Size", og_shape_size }, { "Constant", og_shape_constant }, { "ConstantOfShape", og_shape_constant_of_shape },
	{ "Range", og_shape_range },
	{ "Identity", og_shape_identity }, { "If", og_shape_if }, { "Loop", og_shape_loop }, { "Scan", og_shape_scan },
};

const og_shape_rule *og_shape_rule_find(const char *op)
{
	for (size_t i = 0; i < OG_COUNT(rules); i++) {
		if (strcmp(rules[i].op, op) == 0)
			return &rules[i];
	}
	return NULL;
}
