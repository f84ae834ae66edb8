/* SPDX-License-Identifier: Apache-2.0
 *
 * XLM-RoBERTa (Conneau et al. 2019, arXiv:1911.02116): RoBERTa for a hundred languages. Reference: transformers.models.xlm_roberta.modeling_xlm_roberta. */
#include "arch/roberta.h"

static const og_field fields[] = { OG_ROBERTA_FIELDS(30522) };
static const og_head heads[] = { OG_TEXT_HEADS("XLMRoberta"), { 0 } };

const og_arch og_arch_xlm_roberta = { OG_ROBERTA, .model_type = "xlm-roberta", .like = "roberta", .fields = fields, .heads = heads };
