/* SPDX-License-Identifier: Apache-2.0
 *
 * HuBERT (Hsu et al. 2021, arXiv:2106.07447): wav2vec 2.0's encoder, without its adapter; a batch norm may stand before the positions,
 * and nothing before the projection.
 * Reference: transformers.models.hubert.modeling_hubert. */
#include "arch/wav2vec2.h"

static const og_field fields[] = {
	OG_WAV2VEC2_FIELDS,
	OG_FLAG_OR(wav2vec2, projection_norm, "feat_proj_layer_norm", true),
	OG_FLAG_OR(wav2vec2, positions_norm, "conv_pos_batch_norm", false),
	OG_ONLY("add_adapter", "false"),
	{ 0 },
};

static og_sound encode(og_build *b, const void *config, og_audio_in in, og_val *states)
{
	return og_wav2vec2_encode(b, "hubert", config, in, states);
}

static const og_audio audio = { .encode = encode, .heads = og_wav2vec2_heads };
static const og_head heads[] = { OG_WAV2VEC2_HEADS("Hubert"), { 0 } };

const og_arch og_arch_hubert = {
	.model_type = "hubert", .like = "wav2vec2", .base_prefix = "hubert", .revision = 3, .config_size = sizeof(wav2vec2), .family = &audio,
	.fields = fields, .inert = og_wav2vec2_inert, .heads = heads, .ignore = og_wav2vec2_ignore, .marks = og_wav2vec2_marks,
	.facts = og_wav2vec2_facts,
};
