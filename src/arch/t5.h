/* SPDX-License-Identifier: Apache-2.0
 *
 * T5, and the types that are T5 with other defaults: such a type is its table of keys. */
#ifndef OG_ARCH_T5_H
#define OG_ARCH_T5_H

#include "arch/heads.h"

typedef struct t5_act { /* feed_forward_proj ("relu", "gated-gelu"), or what is written beside it and then counts: dense_act_fn, is_gated_act */
	bool given, gated;
	og_act_kind kind;
} t5_act;

typedef struct t5 {
	int64_t vocab, hidden, head, ffn, layers, decoder_layers, heads, buckets, farthest;
	double eps;
	bool tied;
	t5_act inner, act, gate;
} t5;

const char *og_t5_inner_read(const og_json *v, void *out, og_arena *arena, og_status *status);
const char *og_t5_gated_inner_read(const og_json *v, void *out, og_arena *arena, og_status *status); /* of a class that has a gate by itself */
const char *og_t5_act_read(const og_json *v, void *out, og_arena *arena, og_status *status);
const char *og_t5_gate_read(const og_json *v, void *out, og_arena *arena, og_status *status);

#define OG_T5_FIELDS(words, wide, deep, many, tie, read_inner) \
	OG_ONLY("tie_encoder_decoder", "false"), \
	OG_VOCAB_OR(t5, vocab, "vocab_size", words), \
	OG_DIM_OR(t5, hidden, "d_model", 512), \
	OG_ALSO(t5, hidden, "hidden_size"), \
	OG_DIM_OR(t5, head, "d_kv", 64), \
	OG_ALSO(t5, head, "head_dim"), \
	OG_DIM_OR(t5, ffn, "d_ff", wide), \
	OG_LAYERS_OR(t5, layers, "num_layers", deep), \
	OG_ALSO_LAYERS(t5, layers, "num_hidden_layers"), \
	OG_LAYERS_OR_NULL(t5, decoder_layers, "num_decoder_layers", 0), \
	OG_DIM_OR(t5, heads, "num_heads", many), \
	OG_ALSO(t5, heads, "num_attention_heads"), \
	OG_DIM_OR(t5, buckets, "relative_attention_num_buckets", 32), \
	OG_DIM_OR(t5, farthest, "relative_attention_max_distance", 128), \
	OG_REAL_OR(t5, eps, "layer_norm_epsilon", 1e-6), \
	OG_READ(t5, inner, t5_act, "feed_forward_proj", read_inner), \
	OG_READ(t5, act, t5_act, "dense_act_fn", og_t5_act_read), \
	OG_READ(t5, gate, t5_act, "is_gated_act", og_t5_gate_read), \
	OG_FLAG_OR(t5, tied, "tie_word_embeddings", tie)

#define OG_T5_HEADS(stem) OG_SEQ2SEQ_HEADS(stem "Model", stem "ForConditionalGeneration")

extern const og_seq2seq og_t5_seq2seq;
extern const og_inert og_t5_inert[];
extern const og_ignore og_t5_ignore[];
extern const char *const og_t5_marks[];

/* What an og_arch of these has in common. */
#define OG_T5 .revision = 1, .config_size = sizeof(t5), .family = &og_t5_seq2seq, .inert = og_t5_inert, .ignore = og_t5_ignore, .marks = og_t5_marks

#endif
