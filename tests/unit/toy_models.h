/* SPDX-License-Identifier: Apache-2.0
 *
 * The toy models that the tests of runtime, check and bench run, each right or wrong in one known way. */
#ifndef OG_TEST_TOY_MODELS_H
#define OG_TEST_TOY_MODELS_H

#include "toy_onnx.h"

#define TOY_VOCAB 20
#define TOY_POSITIONS 24

typedef enum toy_fault {
	TOY_RIGHT,
	TOY_IGNORES_MASK,  /* padding changes what it says */
	TOY_MIXES_BATCH,   /* an item depends on its neighbours */
	TOY_NOT_FINITE,    /* square roots of negative numbers */
	TOY_WRONG_SYMBOLS, /* declares its output's first two dims the wrong way round */
	TOY_POOLS,         /* right, and gives one vector for each item: [batch_size, 8] */
	TOY_POOLS_MASK_IGNORED,
	TOY_UNKNOWN_INPUT  /* "mystery" instead of token_type_ids */
} toy_fault;

/* scores = x·xᵀ + bias, p = softmax(scores), h = p·x + x */
static inline void toy_attention(toy *t, bool masked)
{
	toy_scalar_f32(t, "one", 1);
	toy_scalar_f32(t, "low", -1e9);
	toy_i64(t, "axis1", "1", "1");
	toy_node(t, "Transpose", "x", "xt", "perm=[0,2,1]");
	toy_node(t, "MatMul", "x,xt", "raw", NULL);
	toy_node(t, "Cast", "attention_mask", "m", "to=1");
	toy_node(t, "Sub", "one,m", "off", NULL);
	toy_node(t, "Mul", "off,low", "bias2", NULL);
	toy_node(t, "Unsqueeze", "bias2,axis1", "bias", NULL);
	if (masked)
		toy_node(t, "Add", "raw,bias", "scores", NULL);
	else
		toy_node(t, "Identity", "raw", "scores", NULL);
	toy_node(t, "Softmax", "scores", "p", "axis=-1");
	toy_node(t, "MatMul", "p,x", "context", NULL);
	toy_node(t, "Add", "context,x", "h", NULL);
}

/* An encoder of one attention: ids, mask and types [batch_size, sequence_length] to [batch_size, sequence_length, 8]. */
static inline void toy_encoder(const char *path, toy_fault fault)
{
	bool pools = fault == TOY_POOLS || fault == TOY_POOLS_MASK_IGNORED;
	const char *types = fault == TOY_UNKNOWN_INPUT ? "mystery" : "token_type_ids", *out = pools ? "logits" : "last_hidden_state";
	char gather[64];
	toy t;

	toy_begin(&t);
	toy_input(&t, "input_ids", OG_I64, "batch_size,sequence_length");
	toy_input(&t, "attention_mask", OG_I64, "batch_size,sequence_length");
	toy_input(&t, types, OG_I64, "batch_size,sequence_length");
	toy_f32(&t, "E", "20,8", 1);
	toy_f32(&t, "TT", "2,8", 0.5);
	toy_f32(&t, "P", "24,8", 0.5);
	toy_f32(&t, "W", "8,8", 1);
	toy_i64(&t, "zero", "", "0");
	toy_i64(&t, "one_i", "", "1");
	snprintf(gather, sizeof(gather), "TT,%s", types);
	toy_node(&t, "Shape", "input_ids", "shape", NULL);
	toy_node(&t, "Gather", "shape,one_i", "length", "axis=0");
	toy_node(&t, "Range", "zero,length,one_i", "range", NULL);
	toy_node(&t, "Gather", "P,range", "positions", "axis=0");
	toy_node(&t, "Gather", "E,input_ids", "words", "axis=0");
	toy_node(&t, "Gather", gather, "segments", "axis=0");
	toy_node(&t, "Add", "words,segments", "ws", NULL);
	toy_node(&t, "Add", "ws,positions", "x", NULL);
	toy_attention(&t, fault != TOY_IGNORES_MASK && fault != TOY_POOLS_MASK_IGNORED);
	toy_node(&t, "MatMul", "h,W", "y", NULL);
	if (fault == TOY_MIXES_BATCH) {
		toy_i64(&t, "axis0", "1", "0");
		toy_node(&t, "ReduceMean", "y,axis0", "mean", "keepdims=1");
		toy_node(&t, "Sub", "y,mean", out, NULL);
	} else if (fault == TOY_NOT_FINITE) {
		toy_node(&t, "Sqrt", "y", out, NULL);
	} else if (pools) {
		toy_node(&t, "Gather", "y,zero", out, "axis=1");
	} else {
		toy_node(&t, "Identity", "y", out, NULL);
	}
	toy_output(&t, out, OG_F32, pools ? "batch_size,8" : fault == TOY_WRONG_SYMBOLS ? "sequence_length,batch_size,8" : "batch_size,sequence_length,8");
	toy_write(&t, path);
}

/* Multiple choice: [batch_size, num_choices, sequence_length] to [batch_size, num_choices], a masked mean. */
static inline void toy_choices(const char *path, bool masked)
{
	toy t;

	toy_begin(&t);
	toy_input(&t, "input_ids", OG_I64, "batch_size,num_choices,sequence_length");
	toy_input(&t, "attention_mask", OG_I64, "batch_size,num_choices,sequence_length");
	toy_f32(&t, "E", "20,8", 1);
	toy_f32(&t, "W", "8,1", 1);
	toy_i64(&t, "axis_s", "1", "2");
	toy_i64(&t, "axis_last", "1", "-1");
	toy_node(&t, "Gather", "E,input_ids", "words", "axis=0");
	toy_node(&t, "Cast", "attention_mask", "m", "to=1");
	toy_node(&t, "Unsqueeze", "m,axis_last", "m4", NULL);
	toy_node(&t, masked ? "Mul" : "Add", "words,m4", "kept", NULL);
	toy_node(&t, "ReduceSum", "kept,axis_s", "sum", "keepdims=0");
	toy_node(&t, "MatMul", "sum,W", "scores", NULL);
	toy_node(&t, "Squeeze", "scores,axis_last", "logits", NULL);
	toy_output(&t, "logits", OG_F32, "batch_size,num_choices");
	toy_write(&t, path);
}

/* A causal decoder with a cache: the state of a position is the sum over itself and all before it.
 * forgets: the sums begin anew with each run, so that stepping differs from the full pass. */
static inline void toy_decoder(const char *path, bool forgets)
{
	toy t;

	toy_begin(&t);
	toy_input(&t, "input_ids", OG_I64, "batch_size,sequence_length");
	toy_input(&t, "attention_mask", OG_I64, "batch_size,past_sequence_length + sequence_length");
	toy_input(&t, "position_ids", OG_I64, "batch_size,sequence_length");
	toy_input(&t, "past_key_values.0.key", OG_F32, "batch_size,1,past_sequence_length,8");
	toy_f32(&t, "E", "20,8", 1);
	toy_f32(&t, "P", "24,8", 1);
	toy_f32(&t, "W", "8,20", 1);
	toy_i64(&t, "axis1", "1", "1");
	toy_i64(&t, "axis_s", "", "2");
	toy_i64(&t, "axes_s", "1", "2");
	toy_i64(&t, "end", "1", "1000000");
	toy_i64(&t, "two", "1", "2");
	toy_node(&t, "Gather", "E,input_ids", "words", "axis=0");
	toy_node(&t, "Gather", "P,position_ids", "positions", "axis=0");
	toy_node(&t, "Add", "words,positions", "x", NULL);
	toy_node(&t, "Unsqueeze", "x,axis1", "x4", NULL);
	toy_node(&t, "Concat", "past_key_values.0.key,x4", "present.0.key", "axis=2");
	toy_node(&t, "CumSum", forgets ? "x4,axis_s" : "present.0.key,axis_s", "sums", NULL);
	toy_node(&t, "Shape", "past_key_values.0.key", "past_shape", NULL);
	toy_node(&t, "Gather", "past_shape,two", "past", "axis=0");
	if (forgets)
		toy_node(&t, "Identity", "sums", "now", NULL);
	else
		toy_node(&t, "Slice", "sums,past,end,axes_s", "now", NULL);
	toy_node(&t, "Squeeze", "now,axis1", "h", NULL);
	toy_node(&t, "MatMul", "h,W", "logits", NULL);
	toy_output(&t, "logits", OG_F32, "batch_size,sequence_length,20");
	toy_output(&t, "present.0.key", OG_F32, "batch_size,1,past_sequence_length + sequence_length,8");
	toy_write(&t, path);
}

/* y = x·x for a square x, as slow as is wanted. */
static inline void toy_square(const char *path)
{
	toy t;

	toy_begin(&t);
	toy_input(&t, "pixel_values", OG_F32, "batch_size,n");
	toy_node(&t, "MatMul", "pixel_values,pixel_values", "y", NULL);
	toy_output(&t, "y", OG_F32, "batch_size,n");
	toy_write(&t, path);
}

#endif
