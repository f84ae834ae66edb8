/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders of sound: five tasks over one encoder, and what encoders of raw samples are made of (Baevski et al. 2020,
 * arXiv:2006.11477).  A family says in an og_audio where it differs.
 *
 * Each task has two descriptions: with the samples alone, as Optimum's files, and with an attention_mask beside them that says
 * which samples are padding.  Each row is then what it would be alone.  (The reference with a mask is not: its norms over time, its
 * adapter and its count of a speaker's frames see padding.)
 *
 * Shapes: B batch, S samples, C channels, T frames, H hidden. */
#ifndef OG_BLOCKS_AUDIO_H
#define OG_BLOCKS_AUDIO_H

#include "blocks/blocks.h"

typedef struct og_audio_in {
	og_val samples; /* [B, S] */
	og_val mask;    /* [B, S] of 1 and 0, the ones first; OG_NONE: all samples count */
} og_audio_in;

typedef struct og_sound { /* what is encoded */
	og_val x;       /* [B, T, H] */
	og_val lengths; /* [B]: how many of the frames count; OG_NONE: all do */
	og_val before;  /* the same of the layers' frames, where an adapter makes fewer of them */
} og_sound;

typedef struct og_audio_heads { /* what the tasks ask of a config */
	int64_t labels, words, projection, embedding; /* widths: of classes, of CTC (0: it has none), before the classes, of a speaker */
	int64_t layers;
	bool weighted; /* the heads read a weighted sum of what all layers give */
	bool adapter;  /* there are fewer frames than layers saw: not for heads that name a frame or pool with weights of one */
	const og_dim_list *tdnn, *tdnn_kernel, *tdnn_dilation;
} og_audio_heads;

typedef struct og_audio {
	/* states: room for layers + 1 values, of what goes into the first layer and what each one gives, before any adapter; or NULL. */
	og_sound (*encode)(og_build *b, const void *config, og_audio_in in, og_val *states);
	og_audio_heads (*heads)(const void *config);
} og_audio;

/* ---- the tasks: descriptions of a file, given the config and the family's og_audio ---- */

void og_audio_features(og_build *b, const void *config, const void *audio);
void og_audio_ctc(og_build *b, const void *config, const void *audio);
void og_audio_classification(og_build *b, const void *config, const void *audio);
void og_audio_frame_classification(og_build *b, const void *config, const void *audio);
void og_audio_xvector(og_build *b, const void *config, const void *audio);

void og_audio_features_masked(og_build *b, const void *config, const void *audio);
void og_audio_ctc_masked(og_build *b, const void *config, const void *audio);
void og_audio_classification_masked(og_build *b, const void *config, const void *audio);
void og_audio_frame_classification_masked(og_build *b, const void *config, const void *audio);
void og_audio_xvector_masked(og_build *b, const void *config, const void *audio);

/* ---- what encoders are made of ---- */

/* Convolutions from samples to frames: "feature_extractor.conv_layers.N". */
typedef struct og_audio_convs_o {
	const og_dim_list *out, *kernel, *stride; /* by layer */
	og_act_kind act;
	bool bias;
	bool layer_norm; /* of every layer over its channels; else the first one's channels are normalised over time */
} og_audio_convs_o;
og_sound og_audio_convs(og_build *b, og_audio_in in, og_audio_convs_o o); /* → [B, T, C]; at least one frame of each row counts */

/* Which of the frames of x along an axis are within their row's length: [B] → [B, T], bool. */
og_val og_audio_counts(og_build *b, og_val lengths, og_val x, int64_t axis);

/* Convolutions behind the encoder that make fewer frames: "adapter". */
typedef struct og_audio_adapter_o {
	int64_t layers; /* 0: there are none */
	int64_t width, kernel, stride;
} og_audio_adapter_o;

/* The whole of an encoder, by the names that its first family gave the parts, relative to the scope: convolutions, a projection,
 * positions from a convolution over frames, transformer layers. */
typedef struct og_audio_encoder_o {
	og_audio_convs_o convs;
	int64_t hidden, layers, heads, ffn;
	double eps;
	og_act_kind act;
	bool plain_projection;       /* nothing is normalised before it */
	int64_t positions, groups;   /* of the convolution that gives positions: its kernel, its groups */
	bool positions_norm;         /* a batch norm before that convolution, whose weight then has no weight norm */
	bool pre_norm;               /* layers normalise before their sublayers, and the whole at its end */
	int64_t bottleneck;          /* with pre_norm: width of the small layers after each (Houlsby et al. 2019, arXiv:1902.00751); 0: none */
	og_audio_adapter_o adapter;
} og_audio_encoder_o;
og_sound og_audio_encoder(og_build *b, og_audio_in in, og_audio_encoder_o o, og_val *states);

#endif
