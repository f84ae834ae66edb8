/* SPDX-License-Identifier: Apache-2.0
 *
 * wav2vec 2.0 (Baevski et al. 2020, arXiv:2006.11477): convolutions over raw samples, positions from a convolution over frames,
 * transformer layers; with small layers between them in MMS (Pratap et al. 2023, arXiv:2305.13516).
 * Reference: transformers.models.wav2vec2.modeling_wav2vec2. */
#include "arch/wav2vec2.h"

#include "base/str.h"

static const og_field fields[] = {
	OG_WAV2VEC2_FIELDS,
	OG_FLAG_OR(wav2vec2, adapter, "add_adapter", false),
	OG_LAYERS_OR(wav2vec2, adapter_layers, "num_adapter_layers", 3),
	OG_DIM_OR(wav2vec2, adapter_kernel, "adapter_kernel_size", 3),
	OG_DIM_OR(wav2vec2, adapter_stride, "adapter_stride", 2),
	OG_DIM_OR_NONE(wav2vec2, adapter_width, "output_hidden_size"),
	OG_DIMS_OR(wav2vec2, tdnn_dim, "tdnn_dim", "512 512 512 512 1500"),
	OG_DIMS_OR(wav2vec2, tdnn_kernel, "tdnn_kernel", "5 3 3 1 1"),
	OG_DIMS_OR(wav2vec2, tdnn_dilation, "tdnn_dilation", "1 2 3 1 1"),
	OG_DIM_OR(wav2vec2, embedding, "xvector_output_dim", 512),
	{ 0 },
};

const og_inert og_wav2vec2_inert[] = {
	{ "num_feat_extract_layers", "always the length of conv_dim" },
	{ "apply_spec_augment", "training only" },
	{ "freeze_feat_extract_train", "training only" },
	{ "mask_time_prob", "training only" },
	{ "mask_time_length", "training only" },
	{ "mask_time_min_masks", "training only" },
	{ "mask_time_min_space", "training only" },
	{ "mask_time_other", "training only" },
	{ "mask_time_selection", "training only" },
	{ "mask_feature_prob", "training only" },
	{ "mask_feature_length", "training only" },
	{ "mask_feature_min_masks", "training only" },
	{ "mask_channel_prob", "training only" },
	{ "mask_channel_length", "training only" },
	{ "mask_channel_min_space", "training only" },
	{ "mask_channel_other", "training only" },
	{ "mask_channel_selection", "training only" },
	{ "no_mask_channel_overlap", "training only" },
	{ "no_mask_time_overlap", "training only" },
	{ "num_codevectors_per_group", "pretraining only" },
	{ "num_codevector_groups", "pretraining only" },
	{ "contrastive_logits_temperature", "pretraining only" },
	{ "num_negatives", "pretraining only" },
	{ "codevector_dim", "pretraining only" },
	{ "proj_codevector_dim", "pretraining only" },
	{ "diversity_loss_weight", "pretraining only" },
	{ "ctc_loss_reduction", "chooses a loss" },
	{ "ctc_zero_infinity", "chooses a loss" },
	{ "tie_word_embeddings", "there are no words" },
	{ 0 },
};

og_audio_heads og_wav2vec2_heads(const void *config)
{
	const wav2vec2 *c = config;
	return (og_audio_heads){ .labels = c->labels, .words = c->vocab, .projection = c->projection, .embedding = c->embedding, .layers = c->layers,
		.weighted = c->weighted, .adapter = c->adapter, .tdnn = &c->tdnn_dim, .tdnn_kernel = &c->tdnn_kernel, .tdnn_dilation = &c->tdnn_dilation };
}

/* From the last layer to the first: how many samples give a frame, or for the statistics of a speaker two. The adapter pads by one on each side. */
void og_wav2vec2_facts(const void *config, const char *task, og_input_facts *f)
{
	const wav2vec2 *c = config;
	bool speaker = og_streq(task, "audio-xvector"), fits = true;
	og_sound_facts s = { .least = speaker ? 2 : 1, .step = 1 };
	for (size_t i = speaker && c->tdnn_kernel.n == c->tdnn_dilation.n ? c->tdnn_kernel.n : 0; fits && i-- > 0;) {
		int64_t k = c->tdnn_kernel.v[i] - 1, d = c->tdnn_dilation.v[i];
		fits = k <= OG_DIM_MAX / d - 1 && og_sound_before(&s, k * d + 1, 1);
	}
	for (int64_t i = 0; fits && c->adapter && i < c->adapter_layers; i++) {
		fits = og_sound_before(&s, c->adapter_kernel, c->adapter_stride);
		s.least = s.least > 2 ? s.least - 2 : 1;
	}
	bool paired = c->conv_kernel.n == c->conv_stride.n; /* else nothing is said */
	for (size_t i = paired ? c->conv_kernel.n : 0; fits && i-- > 0;)
		fits = og_sound_before(&s, c->conv_kernel.v[i], c->conv_stride.v[i]);
	f->sound = !paired ? (og_sound_facts){ 0 } : fits ? s : OG_SOUND_FACTS_MOST;
}

og_sound og_wav2vec2_encode(og_build *b, const char *prefix, const wav2vec2 *c, og_audio_in in, og_val *states)
{
	og_sound s = { 0 };
	og_audio_encoder_o o = {
		.convs = { .out = &c->conv_dim, .kernel = &c->conv_kernel, .stride = &c->conv_stride, .act = c->conv_act, .bias = c->conv_bias,
		           .layer_norm = c->conv_norm == OG_CONV_NORM_LAYER },
		.hidden = c->hidden, .layers = c->layers, .heads = c->heads, .ffn = c->ffn, .eps = c->eps, .act = c->act,
		.plain_projection = !c->projection_norm, .positions = c->positions, .groups = c->groups, .positions_norm = c->positions_norm,
		.pre_norm = c->pre_norm, .bottleneck = c->bottleneck };
	if (c->adapter)
		o.adapter = (og_audio_adapter_o){ .layers = c->adapter_layers, .width = c->adapter_width ? c->adapter_width : c->hidden,
			.kernel = c->adapter_kernel, .stride = c->adapter_stride };
	OG_SCOPE(b, "%s", prefix) s = og_audio_encoder(b, in, o, states);
	return s;
}

static og_sound encode(og_build *b, const void *config, og_audio_in in, og_val *states)
{
	wav2vec2 c = *(const wav2vec2 *)config;
	c.projection_norm = true;
	return og_wav2vec2_encode(b, "wav2vec2", &c, in, states);
}

static const og_audio audio = { .encode = encode, .heads = og_wav2vec2_heads };

static const og_head heads[] = {
	OG_WAV2VEC2_HEADS("Wav2Vec2"),
	OG_WAV2VEC2_HEAD("Wav2Vec2ForAudioFrameClassification", "audio-frame-classification", frame_classification),
	OG_WAV2VEC2_HEAD("Wav2Vec2ForXVector", "audio-xvector", xvector),
	OG_WAV2VEC2_HEAD("Wav2Vec2ForPreTraining", OG_TASK_FEATURES, features),
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
const og_ignore og_wav2vec2_ignore[] = {
	{ "*masked_spec_embed", "training only" },
	{ "*batch_norm.num_batches_tracked", "a count of training steps" },
	{ "objective.*", "training only" },
	{ "quantizer.*", "pretraining only" },
	{ "project_q.*", "pretraining only" },
	{ "project_hid.*", "pretraining only" },
	{ "layer_weights", "nothing of this task sums the layers" },
	{ "lm_head.*", "head of another task" },
	{ "projector.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ "tdnn.*", "head of another task", true },
	{ "feature_extractor.weight", "head of another task" },
	{ "feature_extractor.bias", "head of another task" },
	{ 0 },
};

const char *const og_wav2vec2_marks[] = { "feature_extractor.conv_layers.0.conv.weight", "encoder.pos_conv_embed.conv.bias", NULL };

const og_arch og_arch_wav2vec2 = {
	.model_type = "wav2vec2", .base_prefix = "wav2vec2", .revision = 3, .config_size = sizeof(wav2vec2), .family = &audio, .fields = fields,
	.inert = og_wav2vec2_inert, .heads = heads, .ignore = og_wav2vec2_ignore, .marks = og_wav2vec2_marks, .facts = og_wav2vec2_facts,
};
