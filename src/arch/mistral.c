/* SPDX-License-Identifier: Apache-2.0
 *
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): LLaMA's layers, each of which looks back over a window alone.
 * Reference: transformers.models.mistral.modeling_mistral. */
#include "arch/llama.h"

static const og_field fields[] = {
	OG_LLAMA_FIELDS(32000, 14336, 8, 131072),
	OG_DIM_OR_NULL(llama, head, "head_dim", 0),
	OG_DIM_OR_NULL(llama, window, "sliding_window", 4096),
	{ 0 },
};

static const og_inert inert[] = {
	OG_LLAMA_INERT,
	{ "layer_types", "not this class's: sliding_window decides for all layers" },
	{ 0 },
};

static const og_head heads[] = { OG_LLAMA_HEADS("Mistral"), { 0 } };

static og_val decode(og_build *b, const void *config, og_decoder_in *in)
{
	llama c = *(const llama *)config;
	c.windowed = true; /* no key says so */
	return og_llama_decode(b, &c, in, (og_llama_kind){ 0 });
}

static const og_decoder decoder = { OG_LLAMA_DECODER, .decode = decode };

const og_arch og_arch_mistral = {
	OG_LLAMA, .model_type = "mistral", .like = "llama", .family = &decoder, .fields = fields, .inert = inert, .heads = heads, .marks = og_llama_marks,
};
