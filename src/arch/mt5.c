/* SPDX-License-Identifier: Apache-2.0
 *
 * mT5 (Xue et al. 2020, arXiv:2010.11934): T5 with other defaults, whose head is not the table of words.
 * Reference: transformers.models.mt5.modeling_mt5. */
#include "arch/t5.h"

static const og_field fields[] = {
	OG_T5_FIELDS(250112, 1024, 8, 6, false, og_t5_gated_inner_read),
	{ 0 },
};

static const og_head heads[] = { OG_T5_HEADS("MT5"), { 0 } };

const og_arch og_arch_mt5 = { OG_T5, .model_type = "mt5", .like = "t5", .fields = fields, .heads = heads };
