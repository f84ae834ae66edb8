/* SPDX-License-Identifier: Apache-2.0
 *
 * Embeddings of whole texts (Reimers and Gurevych 2019, arXiv:1908.10084): a text encoder and, one after the other, modules that
 * pool its tokens, project, normalise.  Each module has its own folder, and what it has learned lies there, in a checkpoint of its own.
 *
 * Two values go through the modules: the tokens' embeddings [B, S, H], and from the first pooling on the text's [B, D]. */
#ifndef OG_BLOCKS_SENTENCE_H
#define OG_BLOCKS_SENTENCE_H

#include "blocks/text.h"

/* With x the tokens and m the mask, over the positions of a text:
 *   CLS       x at the first position of mask 1         MAX       the largest x where m is 1
 *   MEAN      Σ x·m / max(Σ m, 1e-9)                    MEAN_SQRT Σ x·m / √max(Σ m, 1e-9)
 *   WEIGHTED  MEAN with m times 1, 2, …                 LAST      x at the last position of mask 1 */
typedef enum og_pool_mode { OG_POOL_CLS, OG_POOL_MAX, OG_POOL_MEAN, OG_POOL_MEAN_SQRT, OG_POOL_WEIGHTED, OG_POOL_LAST } og_pool_mode;
#define OG_POOL_MODES "cls max mean mean_sqrt_len_tokens weightedmean lasttoken"
#define OG_POOL_MODES_MAX 16 /* of one module, side by side in the result */

typedef enum og_module_kind { OG_MODULE_POOLING, OG_MODULE_DENSE, OG_MODULE_LAYER_NORM, OG_MODULE_NORMALIZE } og_module_kind;

typedef struct og_module {
	og_module_kind kind;
	const char *path; /* its folder, "2_Dense", which also begins the names of its weights */
	og_pool_mode modes[OG_POOL_MODES_MAX];
	size_t nmodes;
	int64_t in, out; /* widths that its config gives; 0: none given */
	bool no_bias, on_tokens; /* of a dense one: applied to the tokens, not to the text */
	og_act_kind act;
	const og_checkpoint *checkpoint; /* NULL: not read, or it has nothing to learn */
	og_ledger *ledger;               /* of that checkpoint, for this description */
} og_module;

/* Outputs token_embeddings and sentence_embedding. The encoder's own segments are all the first. */
void og_text_sentence(og_build *b, const void *config, const void *text, const og_module *modules, size_t n);

#endif
