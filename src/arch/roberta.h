/* SPDX-License-Identifier: Apache-2.0
 *
 * RoBERTa, and what is RoBERTa by another name: such a type says what its model_type is, how its classes begin and how large
 * its vocabulary is by default. */
#ifndef OG_ARCH_ROBERTA_H
#define OG_ARCH_ROBERTA_H

#include "arch/heads.h"

typedef struct roberta {
	int64_t vocab, hidden, layers, heads, ffn, positions, segments, pad, labels;
	double eps;
	og_act_kind act;
	int position; /* index into OG_TEXT_POSITIONS */
	bool tied;
} roberta;

#define OG_ROBERTA_FIELDS(words) \
	OG_VOCAB_OR(roberta, vocab, "vocab_size", words), \
	OG_DIM_OR(roberta, hidden, "hidden_size", 768), \
	OG_LAYERS_OR(roberta, layers, "num_hidden_layers", 12), \
	OG_DIM_OR(roberta, heads, "num_attention_heads", 12), \
	OG_DIM_OR(roberta, ffn, "intermediate_size", 3072), \
	OG_DIM_OR(roberta, positions, "max_position_embeddings", 512), \
	OG_DIM_OR(roberta, segments, "type_vocab_size", 2), \
	OG_ID_OR(roberta, pad, "pad_token_id", 1), \
	OG_LABELS(roberta, labels), \
	OG_REAL_OR(roberta, eps, "layer_norm_eps", 1e-12), \
	OG_ACT_OR(roberta, act, "hidden_act", "gelu"), \
	OG_CHOICE_OR(roberta, position, "position_embedding_type", OG_TEXT_POSITIONS), \
	OG_FLAG_OR(roberta, tied, "tie_word_embeddings", true), \
	OG_ONLY_ENCODES, \
	{ 0 }

extern const og_text og_roberta_text;
extern const og_ignore og_roberta_ignore[];
extern const char *const og_roberta_marks[];
void og_roberta_facts(const void *config, const char *task, og_input_facts *f);

/* What an og_arch of these has in common. */
#define OG_ROBERTA \
	.base_prefix = "roberta", .revision = 3, .config_size = sizeof(roberta), .family = &og_roberta_text, .ignore = og_roberta_ignore, \
	.marks = og_roberta_marks, .facts = og_roberta_facts

#endif
