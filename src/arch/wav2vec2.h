/* SPDX-License-Identifier: Apache-2.0
 *
 * wav2vec 2.0, and what has its encoder: such a type says which tasks it has and what is its own. */
#ifndef OG_ARCH_WAV2VEC2_H
#define OG_ARCH_WAV2VEC2_H

#include "arch/arch.h"
#include "blocks/audio.h"

typedef struct wav2vec2 {
	int64_t vocab, hidden, layers, heads, ffn, labels, positions, groups, projection, embedding;
	int64_t bottleneck;                                                  /* adapter_attn_dim; 0: none */
	int64_t adapter_layers, adapter_kernel, adapter_stride, adapter_width; /* with adapter; width 0: hidden */
	og_dim_list conv_dim, conv_kernel, conv_stride, tdnn_dim, tdnn_kernel, tdnn_dilation;
	double eps;
	og_act_kind act, conv_act;
	int conv_norm; /* index into OG_WAV2VEC2_NORMS */
	bool conv_bias, pre_norm, weighted, adapter;
	bool projection_norm, positions_norm; /* hubert's own */
} wav2vec2;

#define OG_WAV2VEC2_NORMS "group layer"
enum { OG_CONV_NORM_GROUP, OG_CONV_NORM_LAYER };

#define OG_WAV2VEC2_FIELDS \
	OG_DIM_OR_NULL(wav2vec2, vocab, "vocab_size", 32), /* null: there is no head of words */ \
	OG_DIM_OR(wav2vec2, hidden, "hidden_size", 768), \
	OG_LAYERS_OR(wav2vec2, layers, "num_hidden_layers", 12), \
	OG_DIM_OR(wav2vec2, heads, "num_attention_heads", 12), \
	OG_DIM_OR(wav2vec2, ffn, "intermediate_size", 3072), \
	OG_LABELS(wav2vec2, labels), \
	OG_ACT_OR(wav2vec2, act, "hidden_act", "gelu"), \
	OG_REAL_OR(wav2vec2, eps, "layer_norm_eps", 1e-5), \
	OG_CHOICE_OR(wav2vec2, conv_norm, "feat_extract_norm", OG_WAV2VEC2_NORMS), \
	OG_ACT_OR(wav2vec2, conv_act, "feat_extract_activation", "gelu"), \
	OG_DIMS_OR(wav2vec2, conv_dim, "conv_dim", "512 512 512 512 512 512 512"), \
	OG_DIMS_OR(wav2vec2, conv_kernel, "conv_kernel", "10 3 3 3 3 2 2"), \
	OG_DIMS_OR(wav2vec2, conv_stride, "conv_stride", "5 2 2 2 2 2 2"), \
	OG_FLAG_OR(wav2vec2, conv_bias, "conv_bias", false), \
	OG_DIM_OR(wav2vec2, positions, "num_conv_pos_embeddings", 128), \
	OG_DIM_OR(wav2vec2, groups, "num_conv_pos_embedding_groups", 16), \
	OG_FLAG_OR(wav2vec2, pre_norm, "do_stable_layer_norm", false), \
	OG_DIM_OR_NONE(wav2vec2, bottleneck, "adapter_attn_dim"), \
	OG_FLAG_OR(wav2vec2, weighted, "use_weighted_layer_sum", false), \
	OG_DIM_OR(wav2vec2, projection, "classifier_proj_size", 256), \
	OG_ONLY("is_decoder", "false"), \
	OG_ONLY("add_cross_attention", "false"), \
	OG_ONLY("is_encoder_decoder", "false")

/* A head with its description for padded batches. */
#define OG_WAV2VEC2_HEAD(class_name, task, name) \
	{ class_name, task, OG_ONE_FILE(og_audio_##name), (const og_variant[]){ { "with-mask", OG_ONE_FILE(og_audio_##name##_masked) }, { 0 } } }
#define OG_WAV2VEC2_HEADS(stem) \
	OG_WAV2VEC2_HEAD(stem "Model", OG_TASK_FEATURES, features), \
	OG_WAV2VEC2_HEAD(stem "ForCTC", "automatic-speech-recognition", ctc), \
	OG_WAV2VEC2_HEAD(stem "ForSequenceClassification", "audio-classification", classification)

extern const og_inert og_wav2vec2_inert[];
extern const og_ignore og_wav2vec2_ignore[];
extern const char *const og_wav2vec2_marks[];
og_audio_heads og_wav2vec2_heads(const void *config);
void og_wav2vec2_facts(const void *config, const char *task, og_input_facts *f);
/* prefix: of the base model. */
og_sound og_wav2vec2_encode(og_build *b, const char *prefix, const wav2vec2 *c, og_audio_in in, og_val *states);

#endif
