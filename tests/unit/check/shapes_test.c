/* SPDX-License-Identifier: Apache-2.0
 *
 * structure.shapes.  Each operator has lines that hold, with a declared output that the inferred one must
 * meet, and lines that contradict themselves.  A line of "holds" would also pass if nothing were inferred, so
 * every one is tried a second time with a wrong declaration, which must be found. */
#include "rows.h"

typedef struct sound {
	const char *before; /* the model but for its output */
	const char *right, *wrong; /* what y is declared as */
} sound;

static const sound sounds[] = {
	/* elementwise */
	{ "input x float32 [b, 3]\nnode Relu x -> y\n", "float32 [b, 3]", "float32 [b, 4]" },
	{ "input x float32 [b, 3]\nnode Erf x -> y\n", "float32 [b, 3]", "float32 [3]" },
	{ "input x float32 [2, 1, 3]\ninput z float32 [4, 1]\nnode Add x,z -> y\n", "float32 [2, 4, 3]", "float32 [2, 1, 3]" },
	{ "input x float32 [b, 1]\ninput z float32 [s]\nnode Mul x,z -> y\n", "float32 [b, s]", "float32 [b]" },
	{ "input x float32 [b, 5]\ninput z float32 [1, s]\nnode Sub x,z -> y\n", "float32 [b, 5]", "float32 [b, 6]" },
	{ "input x float32 [3]\ninput z float32 [3]\nnode Greater x,z -> y\n", "bool [3]", "float32 [3]" },
	{ "input x float32 [3]\ninput c bool [2, 1]\nnode Where c,x,x -> y\n", "float32 [2, 3]", "float32 [3, 2]" },
	{ "input x float32 [3]\ninput z float32 [2, 1]\nnode Max x,z,x -> y\n", "float32 [2, 3]", "float32 [2, 2]" },
	{ "input x float32 [3]\nnode Cast x -> y to=10\n", "float16 [3]", "float32 [3]" },
	{ "input x float32 [3, 3]\nnode EyeLike x -> y dtype=7\n", "int64 [3, 3]", "float32 [3, 3]" },
	{ "input x float32 [3]\ninit s float32 []\nnode QuantizeLinear x,s -> y\n", "uint8 [3]", "int8 [3]" },
	{ "input x float32 [3]\nnode IsNaN x -> y\n", "bool [3]", "float32 [3]" },
	{ "input x float32 [2, 3]\nnode Softmax x -> y axis=-1\n", "float32 [2, 3]", "float32 [2, 2]" },
	/* products and normalisations */
	{ "input x float32 [b, s, 3]\ninit w float32 [3, 4]\nnode MatMul x,w -> y\n", "float32 [b, s, 4]", "float32 [b, s, 3]" },
	{ "input x float32 [2, 1, 5, 3]\ninput z float32 [7, 3, 4]\nnode MatMul x,z -> y\n", "float32 [2, 7, 5, 4]", "float32 [2, 1, 5, 4]" },
	{ "input x float32 [3]\ninput z float32 [3]\nnode MatMul x,z -> y\n", "float32 []", "float32 [3]" },
	{ "input x float32 [3]\ninput z float32 [3, 4]\nnode MatMul x,z -> y\n", "float32 [4]", "float32 [1, 4]" },
	{ "input x float32 [3, 2]\ninit w float32 [4, 3]\ninit c float32 [4]\nnode Gemm x,w,c -> y transA=1 transB=1\n", "float32 [2, 4]", "float32 [3, 4]" },
	{ "input x float32 [b, s, 8]\ninit w float32 [8]\nnode LayerNormalization x,w,w -> y axis=-1\n", "float32 [b, s, 8]", "float32 [b, s, 7]" },
	{ "input x float16 [b, 8]\ninit w float16 [8]\nnode LayerNormalization x,w -> z,y\n", "float32 [b, 1]", "float16 [b, 1]" },
	{ "input x float32 [b, 4, 9]\ninit w float32 [4]\nnode InstanceNormalization x,w,w -> y\n", "float32 [b, 4, 9]", "float32 [b, 4, 8]" },
	/* reductions */
	{ "opset 13\ninput x float32 [2, 3, 4]\nnode ReduceMean x -> y axes=[1] keepdims=0\n", "float32 [2, 4]", "float32 [2, 1, 4]" },
	{ "input x float32 [2, 3, 4]\nints a [-1]\nnode ReduceSum x,a -> y\n", "float32 [2, 3, 1]", "float32 [2, 3]" },
	{ "input x float32 [2, 3]\nnode ReduceSum x -> y keepdims=0\n", "float32 []", "float32 [2]" },
	{ "input x float32 [2, 3]\nnode ReduceSum x -> y noop_with_empty_axes=1\n", "float32 [2, 3]", "float32 [1, 1]" },
	{ "input x float32 [2, 3]\nnode ArgMax x -> y axis=1 keepdims=0\n", "int64 [2]", "int64 [3]" },
	{ "input x float32 [2, 3]\nscalar a 1\nnode CumSum x,a -> y\n", "float32 [2, 3]", "float32 [2]" },
	{ "input x float32 [2, 3]\nnode Trilu x -> y\n", "float32 [2, 3]", "float32 [3, 3]" },
	/* gather, scatter */
	{ "input i int64 [b, s]\ninit w float32 [50, 8]\nnode Gather w,i -> y\n", "float32 [b, s, 8]", "float32 [b, s, 50]" },
	{ "input x float32 [2, 3, 4]\nscalar i 0\nnode Gather x,i -> y axis=1\n", "float32 [2, 4]", "float32 [2, 1, 4]" },
	{ "input x float32 [2, 9]\ninput i int64 [2, 5]\nnode GatherElements x,i -> y axis=1\n", "float32 [2, 5]", "float32 [2, 9]" },
	{ "input x float32 [4, 5, 6]\ninput i int64 [7, 2]\nnode GatherND x,i -> y\n", "float32 [7, 6]", "float32 [7, 5]" },
	{ "input x float32 [4, 5]\ninput i int64 [7, 1]\ninput u float32 [7, 5]\nnode ScatterND x,i,u -> y\n", "float32 [4, 5]", "float32 [7, 5]" },
	{ "input x float32 [2, 3]\nints d [6]\ninit v float32 [2]\nnode OneHot i,d,v -> y\ninput i int64 [2, 3]\n", "float32 [2, 3, 6]", "float32 [2, 3, 5]" },
	/* reshape and friends */
	{ "input x float32 [b, s, 12, 64]\nints t [0, 0, 768]\nnode Reshape x,t -> y\n", "float32 [b, s, 768]", "float32 [b, s, 767]" },
	{ "input x float32 [b, s, 768]\nints t [0, -1, 12, 64]\nnode Reshape x,t -> y\n", "float32 [b, s, 12, 64]", "float32 [b, s, 12, 65]" },
	{ "input x float32 [2, 12]\nints t [4, -1]\nnode Reshape x,t -> y\n", "float32 [4, 6]", "float32 [4, 5]" },
	{ "input x float32 [0, 3]\nints t [3, 0]\nnode Reshape x,t -> y allowzero=1\n", "float32 [3, 0]", "float32 [3, 3]" },
	{ "input x float32 [2, 3, 4]\nnode Flatten x -> y axis=2\n", "float32 [6, 4]", "float32 [2, 12]" },
	{ "input x float32 [2, 3, 4]\nnode Transpose x -> y perm=[2,0,1]\n", "float32 [4, 2, 3]", "float32 [3, 2, 4]" },
	{ "input x float32 [2, 3]\nnode Transpose x -> y\n", "float32 [3, 2]", "float32 [2, 3]" },
	{ "input x float32 [2, 3]\nints a [0, -1]\nnode Unsqueeze x,a -> y\n", "float32 [1, 2, 3, 1]", "float32 [1, 2, 3]" },
	{ "opset 12\ninput x float32 [2, 3]\nnode Unsqueeze x -> y axes=[1]\n", "float32 [2, 1, 3]", "float32 [1, 2, 3]" },
	{ "input x float32 [2, 1, 3]\nints a [1]\nnode Squeeze x,a -> y\n", "float32 [2, 3]", "float32 [1, 3]" },
	{ "input x float32 [1, 1, 3]\nnode Squeeze x -> y\n", "float32 [3]", "float32 [1, 3]" },
	{ "input x float32 [b, 3]\ninput z float32 [b, 4]\nnode Concat x,z -> y axis=1\n", "float32 [b, 7]", "float32 [b, 3]" },
	{ "input x float32 [3, 1]\nints t [2, 1, 6]\nnode Expand x,t -> y\n", "float32 [2, 3, 6]", "float32 [2, 1, 6]" },
	{ "input x float32 [3, 1]\ninput t int64 [3]\nnode Expand x,t -> y\n", "float32 [2, 3, 6]", "float32 [2, 4, 6]" },
	{ "input x float32 [3, 1, 4]\ninput t int64 [2]\nnode Expand x,t -> y\n", "float32 [3, 7, 4]", "float32 [7, 4]" },
	{ "input x float32 [2, 3]\nints t [1, 2]\nnode Tile x,t -> y\n", "float32 [2, 6]", "float32 [4, 3]" },
	{ "input x float32 [2, 6]\nints p [2, 4]\nnode Split x,p -> y,z axis=1\n", "float32 [2, 2]", "float32 [2, 3]" },
	{ "input x float32 [2, 6]\nnode Split x -> y,z axis=1 num_outputs=2\n", "float32 [2, 3]", "float32 [2, 2]" },
	{ "opset 12\ninput x float32 [2, 6]\nnode Split x -> y,z axis=1\n", "float32 [2, 3]", "float32 [2, 6]" },
	{ "input x float32 [b, 10]\nints s [2]\nints e [-1]\nints a [1]\nints t [3]\nnode Slice x,s,e,a,t -> y\n", "float32 [b, 3]", "float32 [b, 2]" },
	{ "input x float32 [10]\nints s [-1]\nints e [-9223372036854775807]\nints a [0]\nints t [-1]\nnode Slice x,s,e,a,t -> y\n", "float32 [10]", "float32 [9]" },
	{ "opset 9\ninput x float32 [4, 5]\nnode Slice x -> y starts=[1] ends=[3] axes=[1]\n", "float32 [4, 2]", "float32 [4, 3]" },
	{ "input x float32 [2, 3]\nints p [0, 1, 0, 2]\nnode Pad x,p -> y\n", "float32 [2, 6]", "float32 [2, 5]" },
	{ "input x float32 [2, 3, 4]\nints p [1, 0, 2, 5]\nints a [-1, 0]\nnode Pad x,p,_,a -> y\n", "float32 [7, 3, 7]", "float32 [2, 3, 7]" },
	{ "input x float32 [2, 3, 4]\ninput p int64 [4]\nints a [-1, 0]\nnode Pad x,p,_,a -> y\n", "float32 [7, 8, 9]", "float32 [7, 8]" },
	/* convolution, pooling, recurrence */
	{ "input x float32 [b, 3, 32, 32]\ninit w float32 [8, 3, 3, 3]\nnode Conv x,w -> y pads=[1,1,1,1] strides=[2,2]\n", "float32 [b, 8, 16, 16]",
		"float32 [b, 8, 32, 32]" },
	{ "input x float32 [b, 3, 9, 9]\ninit w float32 [8, 3, 3, 5]\nnode Conv x,w -> y kernel_shape=[3,5]\n", "float32 [b, 8, 7, 5]", "float32 [b, 8, 7, 7]" },
	{ "input x float32 [b, 3, 9, 9]\ninput w float32 [8, 3, h, 5]\nnode Conv x,w -> y kernel_shape=[3,5]\n", "float32 [b, 8, 7, 5]", "float32 [b, 8, 9, 5]" },
	{ "input x float32 [b, 4, 100]\ninit w float32 [4, 1, 5]\nnode Conv x,w -> y group=4 dilations=[2]\n", "float32 [b, 4, 92]", "float32 [b, 4, 96]" },
	{ "input x float32 [b, 12, 3, w]\nnode DepthToSpace x -> y blocksize=2\n", "float32 [b, 3, 6, w2]", "float32 [b, 12, 6, w2]" },
	{ "input x float32 [b, 18, 3, 5]\nnode DepthToSpace x -> y blocksize=3\n", "float32 [b, 2, 9, 15]", "float32 [b, 2, 3, 5]" },
	{ "input x float32 [b, 2, 9, 15]\nnode SpaceToDepth x -> y blocksize=3\n", "float32 [b, 18, 3, 5]", "float32 [b, 2, 3, 5]" },
	{ "input x float32 [1, 4, 9]\nnode MaxPool x -> y kernel_shape=[3] strides=[2]\n", "float32 [1, 4, 4]", "float32 [1, 4, 5]" },
	{ "input x float32 [1, 4, 2]\nnode AveragePool x -> y kernel_shape=[3] strides=[3] ceil_mode=1\n", "float32 [1, 4, 1]", "float32 [1, 5, 1]" },
	{ "input x float32 [1, 4, 9, 9]\nnode GlobalAveragePool x -> y\n", "float32 [1, 4, 1, 1]", "float32 [1, 4, 9, 9]" },
	{ "input x float32 [s, b, 6]\ninit w float32 [1, 32, 6]\ninit r float32 [1, 32, 8]\nnode LSTM x,w,r -> y hidden_size=8\n", "float32 [s, 1, b, 8]",
		"float32 [s, b, 8]" },
	/* shape arithmetic */
	{ "input x float32 [b, 5]\nnode Shape x -> y\n", "int64 [2]", "int64 [3]" },
	{ "input x float32 [2, 5]\nnode Size x -> y\n", "int64 []", "int64 [1]" },
	{ "input x float32 [2, 5, 3]\nnode Shape x -> s start=1\nnode ConstantOfShape s -> y\n", "float32 [5, 3]", "float32 [2, 5]" },
	{ "scalar a 2\nscalar z 10\nscalar d 3\nnode Range a,z,d -> y\n", "int64 [3]", "int64 [4]" },
	{ "input x float32 [7, 5]\nnode Shape x -> s\nscalar i 0\nnode Gather s,i -> n\nscalar a 0\nscalar d 1\nnode Range a,n,d -> y\n", "int64 [7]",
		"int64 [5]" },
	{ "input x float32 [2, 3, 4]\nnode Shape x -> s\nints b [0]\nints e [2]\nnode Slice s,b,e -> h\nints m [-1]\nnode Concat h,m -> t axis=0\n"
		"node Reshape x,t -> y\n",
	  "float32 [2, 3, 4]", "float32 [2, 3, 5]" },
	{ "input x float32 [2, 3, 4]\nnode Shape x -> s\nints i [1, 2]\nnode Gather s,i -> g\nscalar k 0\nscalar l 1\nnode Gather g,k -> p\nnode Gather g,l -> q\n"
	  "node Mul p,q -> r\nints z [0]\nnode Unsqueeze r,z -> u\nnode Reshape v,u -> y\ninput v float32 [12, 1]\n",
	  "float32 [12]", "float32 [13]" },
	{ "ints s [2, -1, 4]\nints m [-1]\nnode Equal s,m -> e\nints o [1, 1, 1]\nnode Where e,o,s -> t\ninit x float32 [1]\nnode Expand x,t -> y\n",
		"float32 [2, 1, 4]", "float32 [2, 4]" },
	{ "ints a [5]\nints b [3]\nnode Sub a,b -> c\nnode Cast c -> d to=6\nnode Cast d -> e to=7\nnode ConstantOfShape e -> y\n", "float32 [2]", "float32 [5]" },
	{ "node Constant -> y value_ints=[1,2,3]\n", "int64 [3]", "int64 [2]" },
	{ "node Constant -> y value_float=1.5\n", "float32 []", "int64 []" },
	{ "input x float32 [2]\nnode Identity x -> y\n", "float32 [2]", "float32 [3]" },
	/* subgraphs */
	{ "input c bool []\ninput x float32 [2, 3]\nnode If c -> y {\n graph then_branch\n node Relu x -> a\n output a\n end\n graph else_branch\n"
		" node Tanh x -> a\n output a\n end\n }\n",
	  "float32 [2, 3]", "float32 [2, 4]" },
	{ "input c bool []\ninput x float32 [2, 3]\ninput z float32 [2, 5]\nnode If c -> y {\n graph then_branch\n node Relu x -> a\n output a\n end\n"
	  " graph else_branch\n node Tanh z -> a\n output a\n end\n }\n",
	  "float32 [2, 7]", "float32 [3, 7]" },
};

static void join(const sound *s, const char *declared, char *out, size_t cap)
{
	snprintf(out, cap, "%soutput y %s\n", s->before, declared);
}

static void test_shapes__what_holds_passes_and_a_wrong_declaration_is_found(void **state)
{
	char text[2000];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(sounds); i++) {
		join(&sounds[i], sounds[i].right, text, sizeof(text));
		rows_passes(text);
		join(&sounds[i], sounds[i].wrong, text, sizeof(text));
		rows_check(text);
		const onnxgate_check_row *r = rows_find("structure.shapes");
		if (r->status != ONNXGATE_CHECK_FAIL || r->value != 1 || !strstr(r->detail, "declared"))
			fail_msg("a wrong declaration was not found (%s) in:\n%s", r->detail, text);
	}
}

static void clash(const char *before, const char *words)
{
	char text[2000];
	snprintf(text, sizeof(text), "%soutput y float32\n", before);
	rows_fails(text, "structure.shapes", words);
}

static void test_shapes__contradictions_of_elementwise_operators_and_products(void **state)
{
	(void)state;
	clash("input x float32 [2, 3]\ninput z float32 [2, 4]\nnode Add x,z -> y\n", "[2, 3] and [2, 4] do not broadcast");
	clash("input x float32 [b, 4]\ninit w float32 [3, 5]\nnode MatMul x,w -> y name=mm\n", "node 'mm' (MatMul): inner dims of [b, 4] and [3, 5] differ");
	clash("input x float32 [2, 4, 5]\ninput z float32 [3, 5, 6]\nnode MatMul x,z -> y\n", "batch dims do not broadcast");
	clash("input x float32 []\ninput z float32 [3, 5]\nnode MatMul x,z -> y\n", "a factor without dims");
	clash("input x float32 [2, 3]\ninit w float32 [4, 5]\nnode Gemm x,w -> y\n", "inner dims");
	clash("input x float32 [2, 3]\ninit w float32 [3, 5]\ninit c float32 [4]\nnode Gemm x,w,c -> y\n", "does not broadcast to the product");
	clash("input x float32 [2, 3, 4]\ninit w float32 [3, 5]\nnode Gemm x,w -> y\n", "expected 2");
	clash("input x float32 [2, 3]\nnode Softmax x -> y axis=2\n", "axis 2 of a tensor with 2 dims");
	clash("input x float32 [2, 8]\ninit w float32 [7]\nnode LayerNormalization x,w -> y\n", "scale [7] does not fit the input [2, 8]");
	clash("input x float32 [1, 3, 9]\ninit w float32 [2, 4, 3]\nnode Conv x,w -> y\n", "channels differ");
	clash("input x float32 [1, 3, 9]\ninit w float32 [2, 3, 3]\ninit c float32 [3]\nnode Conv x,w,c -> y\n", "bias of 3 elements for 2 channels");
	clash("input x float32 [1, 4, 9]\ninit w float32 [5]\ninit c float32 [4]\nnode InstanceNormalization x,w,c -> y\n", "5 elements for 4 channels");
	clash("input x float32 [1, 3, 4]\ninit w float32 [2, 3, 7]\nnode Conv x,w -> y pads=[1,1]\n", "a window of 7 over 6 elements in dim 2");
	clash("input x float32 [1, 3, 9, 9]\ninit w float32 [2, 3, 3, 5]\nnode Conv x,w -> y kernel_shape=[3,3]\n",
		"kernel_shape has 3 in dim 1, the weight has 5");
	clash("input x float32 [1, 3, 9, 9]\ninit w float32 [2, 3, 3, 5]\nnode Conv x,w -> y kernel_shape=[3]\n", "kernel_shape of 1 dims for a weight of 4");
	clash("input x float32 [1, 4, 2]\nnode AveragePool x -> y kernel_shape=[5] strides=[3] ceil_mode=1\n", "a window of 5 over 2 elements in dim 2");
	clash("input x float32 [1, 4, 2]\nnode AveragePool x -> y kernel_shape=[3] strides=[3]\n", "a window of 3 over 2 elements in dim 2");
	clash("input x float32 [1, 4, 9]\nnode MaxPool x -> y kernel_shape=[0]\n", "kernel_shape has 0, expected 1 or more");
	clash("input x float32 [1, 4, 9]\nnode MaxPool x -> y kernel_shape=[3] strides=[-1]\n", "strides has -1");
	clash("input i int64 [2]\nints d [6]\ninit v float32 [3]\nnode OneHot i,d,v -> y\n", "values are not two");
	clash("input x float32 [2]\nnode Trilu x -> y\n", "expected at least 2");
}

static void test_shapes__contradictions_of_moving_operators(void **state)
{
	(void)state;
	clash("input x float32 [2, 3]\nints t [4, 2]\nnode Reshape x,t -> y\n", "6 elements into 8");
	clash("input x float32 [2, 3]\nints t [4, -1]\nnode Reshape x,t -> y\n", "6 elements do not divide into 4");
	clash("input x float32 [2, 3]\nints t [-1, -1]\nnode Reshape x,t -> y\n", "more than one -1");
	clash("input x float32 [2, 3]\nints t [6, 1, 0]\nnode Reshape x,t -> y\n", "copies a dim");
	clash("input x float32 [2, 3]\nnode Transpose x -> y perm=[0,0]\n", "no permutation");
	clash("input x float32 [2, 3]\nnode Transpose x -> y perm=[0,1,2]\n", "perm of 3 axes");
	clash("input x float32 [2, 3]\nints a [0, 0]\nnode Unsqueeze x,a -> y\n", "given twice");
	clash("input x float32 [2, 3]\nints a [0]\nnode Squeeze x,a -> y\n", "dim 0 is 2, expected 1");
	clash("input x float32 [2, 3]\ninput z float32 [4, 4]\nnode Concat x,z -> y axis=1\n", "dim 0 is 2 in one input and 4 in another");
	clash("input x float32 [2, 3]\ninput z float32 [4]\nnode Concat x,z -> y axis=0\n", "inputs of 2 and of 1 dims");
	clash("input x float32 [2, 3]\nints t [2, 4]\nnode Expand x,t -> y\n", "3 does not expand to 4");
	clash("input x float32 [2, 6, 1, 1]\nnode DepthToSpace x -> y blocksize=2\n", "dim 1 is 3, expected a multiple of 2");
	clash("input x float32 [2, 5, 1, 1]\nnode DepthToSpace x -> y blocksize=2\n", "dim 1 is 5, expected a multiple of 2");
	clash("input x float32 [2, 4, 1]\nnode DepthToSpace x -> y blocksize=2\n", "input of 3 dims, expected 4");
	clash("input x float32 [2, 4, 1, 1]\nnode DepthToSpace x -> y blocksize=0\n", "blocksize has 0, expected 1 or more");
	clash("input x float32 [2, 4, 6, 5]\nnode SpaceToDepth x -> y blocksize=2\n", "dim 3 is 5, expected a multiple of 2");
	clash("input x float32 [2, 6]\nints p [2, 3]\nnode Split x,p -> y,z axis=1\n", "parts of 5 elements in all, of 6");
	clash("input x float32 [2, 6]\nnode Split x -> y,z axis=1\n", "neither sizes nor num_outputs");
	clash("input x float32 [2, 6]\nscalar t 6\nnode Reshape x,t -> y\n", "input 1 has 0 dims, expected 1");
	clash("input x float32 [2, 6]\nints p [2, 2, 2]\nnode Split x,p -> y,z axis=1\n", "3 sizes for 2 outputs");
	clash("input x float32 [2, 3]\nints t [2]\nnode Tile x,t -> y\n", "1 repeats for a tensor with 2 dims");
	clash("input x float32 [2, 3]\nints p [1, 1]\nnode Pad x,p -> y\n", "2 pads for 2 axes of a tensor with 2 dims");
	clash("input x float32 [2, 3]\nints p [1, 1]\nints a [2]\nnode Pad x,p,_,a -> y\n", "axis 2 of a tensor with 2 dims");
	clash("input x float32 [2, 3]\nints p [1, 1, 1, 1]\nints a [1, -1]\nnode Pad x,p,_,a -> y\n", "axis -1 is given twice");
	clash("input x float32 [2, 3]\nints p [1, 1, 1, 1]\nints a [1]\nnode Pad x,p,_,a -> y\n", "4 pads for 1 axes");
	clash("input x float32 [2, 3]\nints s [0, 0]\nints e [1, 1]\nints a [1, -1]\nnode Slice x,s,e,a -> y\n", "axis -1 is given twice");
	clash("input x float32 [2, 6]\nints p [-1, 2]\nnode Split x,p -> y,z axis=1\n", "parts of 1 elements in all, of 6");
	clash("input x float32 [2, 3]\nints s [0]\nints e [1, 1]\nnode Slice x,s,e -> y\n", "1 starts and 2 ends");
	clash("input x float32 [2, 3]\nscalar i 0\nnode Gather x,i -> y axis=2\n", "axis 2 of a tensor with 2 dims");
	clash("input x float32 [2, 3]\nnode Shape x -> s\nints i [2]\nnode Gather s,i -> t\nnode ConstantOfShape t -> y\n", "index 2 into 2 elements");
	clash("input x float32 [4, 5]\ninput i int64 [7, 3]\nnode GatherND x,i -> y\n", "3 coordinates into 2 dims");
}

static void test_shapes__element_types_agree(void **state)
{
	(void)state;
	clash("input x float32 [2]\ninput z float16 [2]\nnode Add x,z -> y\n", "input 1 is float16, an input of the same type is float32");
	clash("input x bool [2]\nnode Relu x -> y\n", "input 0 is bool, which the operator does not take");
	clash("input x float32 [2]\nnode Where x,x,x -> y\n", "input 0 is float32, which the operator does not take");
	clash("input x float32 [2, 3]\ninput i float32 [1]\nnode Gather x,i -> y\n", "input 1 is float32, which the operator does not take");
	clash("opset 18\ninput x float32 [2]\nnode Cast x -> y to=23\n", "output 0 is float4_e2m1, which the operator does not give at opset 18");
	clash("node Constant -> y value_int=1 value_float=1.5\n", "2 values, expected one");
	clash("input x float32 [2]\nnode Cast x -> y to=0\n", "to is 0, no element type");
	clash("opset 12\ninput x bfloat16 [2]\nnode Relu x -> y\n", "input 0 is bfloat16, which the operator does not take at opset 12");
	clash("input c bool []\ninput x float32 [2]\nnode If c -> y {\n graph then_branch\n node Relu x -> a\n output a\n end\n graph else_branch\n"
		" node Cast x -> a to=10\n output a\n end\n }\n",
	      "output 0 is float32 in one branch and float16 in the other");
}

static void test_shapes__a_contradiction_inside_a_branch_is_found_once(void **state)
{
	(void)state;
	clash("input c bool []\ninput x float32 [2, 3]\ninput z float32 [2, 4]\nnode If c -> y {\n graph then_branch\n node Add x,z -> a\n"
		" node Relu a -> b\n output b\n end\n"
	      " graph else_branch\n node Relu x -> a\n output a\n end\n }\nnode Relu y -> w\n",
	      "do not broadcast");
}

static void test_shapes__declared_values_inside_the_graph_are_compared(void **state)
{
	(void)state;
	rows_fails("input x float32 [2, 3]\noutput y float32\nvalue a float32 [2, 4]\nnode Relu x -> a\nnode Relu a -> y\n", "structure.shapes",
		"value 'a': declared [2, 4], inferred [2, 3]");
	rows_fails("input x float32 [2, 3]\noutput y float32\nvalue a float16\nnode Relu x -> a\nnode Relu a -> y\n", "structure.shapes",
		"value 'a': declared float16, inferred float32");
	/* what a rule does not know is taken from the declaration */
	rows_fails("import com.example 1\ninput x float32 [2, 3]\noutput y float32\nvalue a float32 [5]\nnode com.example:Thing x -> a\nnode Add a,x -> y\n",
		"structure.shapes",
	           "[5] and [2, 3] do not broadcast");
	rows_fails("ir 3\ninput w float32 [4]\noutput y float32 [5]\ninit w float32 [5]\nnode Relu w -> y\n", "structure.shapes",
		"input 'w': declared [4], inferred [5]");
	rows_fails("output w float32 [4]\ninit w float32 [5]\n", "structure.shapes", "value 'w': declared [4], inferred [5]"); /* handed through */
}

static void test_shapes__a_declaration_holds_for_its_own_graph(void **state)
{
	static const char shared[] = "input c bool []\ninput x float32 [2, 3]\noutput y float32 [2, 3]\noutput t float32 [3, 2]\nnode If c -> y {\n"
	                             " graph then_branch\n node Relu x -> t\n node Relu t -> y\n output y\n end\n"
	                             " graph else_branch\n node Tanh x -> y\n value y float32 [2, %s]\n output y\n end\n }\nnode Transpose x -> t%s\n";
	char text[1000];
	(void)state;
	/* inside, t is another value than the output t, and may have another shape */
	snprintf(text, sizeof(text), shared, "3", "");
	rows_passes(text);
	/* what a branch declares is compared there, and the outer declaration is still known afterwards */
	snprintf(text, sizeof(text), shared, "4", "");
	rows_fails(text, "structure.shapes", "value 'y': declared [2, 4], inferred [2, 3]");
	snprintf(text, sizeof(text), shared, "3", " perm=[0,1]");
	rows_fails(text, "structure.shapes", "value 't': declared [3, 2], inferred [2, 3]");
}

static void test_shapes__sums_of_symbols_have_the_names_that_exporters_give(void **state)
{
	(void)state;
	/* symbols cannot contradict; a message shows what the sum was called */
	clash("input p float32 [past_sequence_length, 8]\ninput k float32 [sequence_length, 8]\ninit w float32 [7, 2]\n"
		"node Concat p,k -> c axis=0\nnode MatMul c,w -> y\n",
	      "inner dims of [past_sequence_length + sequence_length, 8] and [7, 2] differ");
	clash("input x float32 [batch, 12, 64]\nints t [-1, 64]\ninit w float32 [7, 2]\nnode Reshape x,t -> c\nnode MatMul c,w -> y\n",
		"inner dims of [batch*12, 64]");
	clash("input x float32 [a, b, 64]\nints t [-1, 64]\ninit w float32 [7, 2]\nnode Reshape x,t -> c\nnode MatMul c,w -> y\n", "inner dims of [a*b, 64]");
}

static void test_shapes__what_is_not_known_accuses_nobody(void **state)
{
	(void)state;
	rows_passes("input x float32\ninput z float32 [2, 3]\noutput y float32 [7]\nnode Add x,z -> a\nnode Relu x -> y\n");
	rows_passes("input x float32 [a, b]\ninput z float32 [c, d]\noutput y float32 [e, f]\nnode MatMul x,z -> y\n");
	rows_passes("input x float32 [2, 6]\nints p [-1, 7]\noutput y float32 [2, 4]\nnode Split x,p -> y,z axis=1\n");
	rows_passes("input x float32 [2, 3]\ninput t int64 [2]\noutput y float32 [6, 7]\nnode Reshape x,t -> y\n");
	rows_expect("input x float32 [2]\noutput y float32\nnode Cast x -> y to=77\n", "structure.shapes", ONNXGATE_CHECK_SKIPPED, 0, "element type 77");
	rows_expect("input x float32 [4]\ninput t int64 [17]\noutput y float32 [3]\nnode Reshape x,t -> y\n", "structure.shapes", ONNXGATE_CHECK_SKIPPED, 0,
		"17 dims, more than");
	rows_expect("input x float32 [4]\ninput t int64 [17]\noutput y float32 [3]\nnode Expand x,t -> y\n", "structure.shapes", ONNXGATE_CHECK_SKIPPED, 0,
		"17 dims, more than");
	/* the lowest number has no counterpart above zero */
	rows_passes("scalar a -9223372036854775808\nscalar z 1\nscalar d 2\nnode Range a,z,d -> y\noutput y int64\n");
	rows_passes("input x float32 [2, 3, 4]\nnode Shape x -> s\nints b [2]\nints e [0]\nints a [0]\nints t [-9223372036854775808]\n"
		"node Slice s,b,e,a,t -> y\noutput y int64\n");
	/* an initializer that is an input too may be replaced: its contents prove nothing */
	rows_passes("input t int64 [2]\ninput x float32 [2, 3]\noutput y float32 [3, 2]\nints t [6, 1]\nnode Reshape x,t -> y\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shapes__what_holds_passes_and_a_wrong_declaration_is_found, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__contradictions_of_elementwise_operators_and_products, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__contradictions_of_moving_operators, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__element_types_agree, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__a_contradiction_inside_a_branch_is_found_once, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__declared_values_inside_the_graph_are_compared, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__a_declaration_holds_for_its_own_graph, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__sums_of_symbols_have_the_names_that_exporters_give, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_shapes__what_is_not_known_accuses_nobody, rows_setup, rows_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
