/* SPDX-License-Identifier: Apache-2.0
 *
 * Qwen3 (Yang et al. 2025, arXiv:2505.09388): Qwen2's layers, whose queries and keys are normalised head by head instead of having
 * biases; the size of a head is a key of its own.
 * Reference: transformers.models.qwen3.modeling_qwen3. */
#include "arch/llama.h"

static const og_field fields[] = {
	OG_LLAMA_FIELDS(151936, 22016, 32, 32768),
	OG_DIM_OR(llama, head, "head_dim", 128),
	OG_FLAG_OR(llama, attention_bias, "attention_bias", false),
	OG_LLAMA_WINDOW_FIELDS,
	{ 0 },
};

static const og_inert inert[] = { OG_LLAMA_INERT, { 0 } };

static const og_head heads[] = { OG_LLAMA_HEADS("Qwen3"), { 0 } };

static og_val decode(og_build *b, const void *config, og_decoder_in *in)
{
	return og_llama_decode(b, config, in, (og_llama_kind){ .qk_norm = true });
}

static const og_decoder decoder = { OG_LLAMA_DECODER, .decode = decode };

static const char *const marks[] = { "embed_tokens.weight", "layers.0.mlp.gate_proj.weight", "layers.0.self_attn.q_norm.weight", NULL };

const og_arch og_arch_qwen3 = { OG_LLAMA, .model_type = "qwen3", .family = &decoder, .fields = fields, .inert = inert, .heads = heads, .marks = marks };
