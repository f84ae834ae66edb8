/* SPDX-License-Identifier: Apache-2.0
 *
 * LLaMA, and what differs from it by a switch: such a type says which keys its config class has, with which defaults, and
 * in an og_llama_kind what its layers have that LLaMA's lack. */
#ifndef OG_ARCH_LLAMA_H
#define OG_ARCH_LLAMA_H

#include "arch/arch.h"
#include "blocks/decoder.h"

typedef struct llama {
	int64_t vocab, hidden, ffn, layers, heads, kv_heads, head, positions, original, labels, pad;
	int64_t window, full_layers; /* window 0: none; the first full_layers have none */
	double eps, theta;
	og_act_kind act;
	bool tied, attention_bias, mlp_bias, windowed;
	og_rope rope;
	og_layer_kinds kinds;
} llama;

/* Keys that all of these have; those with other defaults are the type's own: vocabulary, widths, positions. */
#define OG_LLAMA_FIELDS(words, wide, kv, longest) \
	OG_VOCAB_OR(llama, vocab, "vocab_size", words), \
	OG_DIM_OR(llama, hidden, "hidden_size", 4096), \
	OG_DIM_OR(llama, ffn, "intermediate_size", wide), \
	OG_LAYERS_OR(llama, layers, "num_hidden_layers", 32), \
	OG_DIM_OR(llama, heads, "num_attention_heads", 32), \
	OG_DIM_OR_NULL(llama, kv_heads, "num_key_value_heads", kv), \
	OG_DIM_OR(llama, positions, "max_position_embeddings", longest), \
	OG_DIM_OR_NULL(llama, original, "original_max_position_embeddings", 0), \
	OG_LABELS(llama, labels), \
	OG_ID_OR_NONE(llama, pad, "pad_token_id"), \
	OG_REAL_OR(llama, eps, "rms_norm_eps", 1e-6), \
	OG_REAL_OR(llama, theta, "rope_theta", 10000), \
	OG_READ(llama, rope, og_rope, "rope_scaling", og_rope_read), \
	OG_ONLY("partial_rotary_factor", "1.0"), \
	OG_ACT_OR(llama, act, "hidden_act", "silu"), \
	OG_FLAG_OR(llama, tied, "tie_word_embeddings", false), \
	OG_ONLY("add_cross_attention", "false"), \
	OG_ONLY("is_encoder_decoder", "false")

/* Layers that look back over a window alone, where a type has them on request. */
#define OG_LLAMA_WINDOW_FIELDS \
	OG_FLAG_OR(llama, windowed, "use_sliding_window", false), \
	OG_DIM_OR_NULL(llama, window, "sliding_window", 4096), \
	OG_ID_OR(llama, full_layers, "max_window_layers", 28), \
	OG_READ(llama, kinds, og_layer_kinds, "layer_types", og_layer_kinds_read)

#define OG_LLAMA_INERT { "is_decoder", "never read: the class always looks back alone" }

#define OG_LLAMA_HEADS(stem) \
	{ stem "ForCausalLM", "text-generation-with-past", OG_ONE_FILE(og_decoder_generation_with_past) }, \
	{ stem "ForCausalLM", "text-generation", OG_ONE_FILE(og_decoder_generation) }, \
	{ stem "Model", OG_TASK_FEATURES, OG_ONE_FILE(og_decoder_features) }, \
	{ stem "Model", OG_TASK_FEATURES "-with-past", OG_ONE_FILE(og_decoder_features_with_present) }, \
	{ stem "ForSequenceClassification", OG_TASK_CLASSIFICATION, OG_ONE_FILE(og_decoder_classification) }

/* What the layers of a type have that those of others lack. */
typedef struct og_llama_kind {
	bool qkv_bias; /* always, and not in the output's projection */
	bool qk_norm;
} og_llama_kind;
og_val og_llama_decode(og_build *b, const llama *c, og_decoder_in *in, og_llama_kind kind);

void og_llama_sizes(const void *config, og_decoder_sizes *out);
og_val og_llama_words(og_build *b, const void *config, og_val x);
void og_llama_tie(og_build *b, const void *config);
void og_llama_facts(const void *config, const char *task, og_input_facts *f);
#define OG_LLAMA_DECODER .label = "score", .sizes = og_llama_sizes, .words = og_llama_words, .tie = og_llama_tie

extern const og_decoder og_llama_decoder;
extern const og_ignore og_llama_ignore[];
extern const char *const og_llama_marks[];

/* What an og_arch of these has in common. */
#define OG_LLAMA .base_prefix = "model", .revision = 1, .config_size = sizeof(llama), .ignore = og_llama_ignore, .facts = og_llama_facts

#endif
