/* SPDX-License-Identifier: Apache-2.0
 *
 * CamemBERT (Martin et al. 2019, arXiv:1911.03894): RoBERTa for French. Reference: transformers.models.camembert.modeling_camembert. */
#include "arch/roberta.h"

static const og_field fields[] = { OG_ROBERTA_FIELDS(30522) };
static const og_head heads[] = { OG_TEXT_HEADS("Camembert"), { 0 } };

const og_arch og_arch_camembert = { OG_ROBERTA, .model_type = "camembert", .like = "roberta", .fields = fields, .heads = heads };
