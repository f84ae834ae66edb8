/* SPDX-License-Identifier: Apache-2.0
 *
 * The general rewrites of tensor names: the one that from_pretrained makes, and a training wrapper's prefix, which every
 * name of a file bears or none.  No others exist. */
#ifndef OG_MODEL_NAMES_H
#define OG_MODEL_NAMES_H

#include "base/arena.h"

/* "…LayerNorm.gamma" → "…LayerNorm.weight", "…LayerNorm.beta" → "…LayerNorm.bias"; of a weight that is kept as a length and a direction
 * (torch.nn.utils.weight_norm) "….weight_g" → "….parametrizations.weight.original0", "….weight_v" → "….original1"; else the name itself.
 * NULL: no memory. */
const char *og_name_modern(og_arena *a, const char *name);

/* What a training wrapper puts before every name ("module." of DistributedDataParallel), and whose it is; NULL: none. */
const char *og_name_wrapper(const char *name, const char **whose);

/* How far apart two names are: the number of single-character edits, at most `limit` (then limit). */
size_t og_name_distance(const char *a, const char *b, size_t limit);

#endif
