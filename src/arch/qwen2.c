/* SPDX-License-Identifier: Apache-2.0
 *
 * Qwen2 (Yang et al. 2024, arXiv:2407.10671): LLaMA's layers with biases on queries, keys and values; on request the later layers
 * look back over a window alone.
 * Reference: transformers.models.qwen2.modeling_qwen2. */
#include "arch/llama.h"

static const og_field fields[] = {
	OG_LLAMA_FIELDS(151936, 22016, 32, 32768),
	OG_DIM_OR_NULL(llama, head, "head_dim", 0),
	OG_LLAMA_WINDOW_FIELDS,
	{ 0 },
};

static const og_inert inert[] = { OG_LLAMA_INERT, { 0 } };

static const og_head heads[] = {
	OG_LLAMA_HEADS("Qwen2"),
	{ "Qwen2ForTokenClassification", "token-classification", OG_ONE_FILE(og_decoder_token_classification) },
	{ 0 },
};

static og_val decode(og_build *b, const void *config, og_decoder_in *in)
{
	return og_llama_decode(b, config, in, (og_llama_kind){ .qkv_bias = true });
}

static const og_decoder decoder = { OG_LLAMA_DECODER, .decode = decode };

static const char *const marks[] = { "embed_tokens.weight", "layers.0.mlp.gate_proj.weight", "layers.0.self_attn.q_proj.bias", NULL };

const og_arch og_arch_qwen2 = { OG_LLAMA, .model_type = "qwen2", .family = &decoder, .fields = fields, .inert = inert, .heads = heads, .marks = marks };
