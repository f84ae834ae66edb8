/* SPDX-License-Identifier: Apache-2.0
 *
 * Every architecture, one line each: og_arch_NAME in arch/NAME.c. */
OG_ARCH(albert)
OG_ARCH(bert)
OG_ARCH(camembert)
OG_ARCH(clip)
OG_ARCH(clip_vision_model)
OG_ARCH(deit)
OG_ARCH(distilbert)
OG_ARCH(electra)
OG_ARCH(hubert)
OG_ARCH(mpnet)
OG_ARCH(roberta)
OG_ARCH(siglip)
OG_ARCH(vit)
OG_ARCH(wav2vec2)
OG_ARCH(xlm_roberta)
