/* SPDX-License-Identifier: Apache-2.0
 *
 * LLaMA (Touvron et al. 2023, arXiv:2302.13971) and the many models that are LLaMA with other numbers: rotary positions, norms by
 * size, a gate in the feed-forward part, fewer heads of keys and values than of queries.
 * Reference: transformers.models.llama.modeling_llama. */
#include "arch/llama.h"

static const og_field fields[] = {
	OG_LLAMA_FIELDS(32000, 11008, 0, 2048),
	OG_DIM_OR_NULL(llama, head, "head_dim", 0),
	OG_FLAG_OR(llama, attention_bias, "attention_bias", false),
	OG_FLAG_OR(llama, mlp_bias, "mlp_bias", false),
	{ 0 },
};

static const og_inert inert[] = {
	OG_LLAMA_INERT,
	{ "pretraining_tp", "how the training split products; never read" },
	{ 0 },
};

static const og_head heads[] = { OG_LLAMA_HEADS("Llama"), { 0 } };

/* ---- the decoder ---- */

/* Sizes that the config may leave to others. */
static int64_t head_of(const llama *c)
{
	return c->head ? c->head : c->hidden / c->heads;
}

void og_llama_sizes(const void *config, og_decoder_sizes *out)
{
	const llama *c = config;
	*out = (og_decoder_sizes){ .layers = c->layers, .kv_heads = c->kv_heads ? c->kv_heads : c->heads, .head = head_of(c), .labels = c->labels,
		.vocab = c->vocab, .pad = c->pad };
}

static og_rotary_o rotary_of(const llama *c)
{
	return (og_rotary_o){ .rope = &c->rope, .theta = c->theta, .head = head_of(c), .positions = c->positions, .original = c->original };
}

static bool is_windowed(const llama *c, int64_t layer)
{
	return c->kinds.n ? c->kinds.windowed[layer] : c->windowed && c->window && layer >= c->full_layers;
}

static bool any_windowed(const llama *c, bool windowed)
{
	for (int64_t i = 0; i < c->layers; i++)
		if (is_windowed(c, i) == windowed)
			return true;
	return false;
}

static bool fits(og_build *b, const llama *c)
{
	if (c->kinds.n && (int64_t)c->kinds.n != c->layers)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "layer_types has %zu names: expected %lld, num_hidden_layers", c->kinds.n, (long long)c->layers);
	else if (any_windowed(c, true) && (!c->windowed || !c->window))
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "layer_types has sliding_attention: expected use_sliding_window true and a sliding_window");
	else if (head_of(c) < 1)
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "hidden_size %lld: expected at least num_attention_heads, %lld", (long long)c->hidden, (long long)c->heads);
	return !og_build_stuck(b);
}

/* Once for all layers: what a query sees with a window and without. */
static void biases(og_build *b, const llama *c, const og_decoder_in *in, og_val out[2])
{
	OG_NODE_SCOPE(b, "mask") {
		og_val sees = og_decoder_sees(b, in);
		out[false] = any_windowed(c, false) ? og_sees_bias(b, sees) : OG_NONE;
		out[true] = any_windowed(c, true) ? og_sees_bias(b, og_decoder_sees_window(b, in, sees, c->window)) : OG_NONE;
	}
}

og_val og_llama_decode(og_build *b, const llama *c, og_decoder_in *in, og_llama_kind kind)
{
	og_gated_layer_o layer = { .heads = c->heads, .kv_heads = c->kv_heads ? c->kv_heads : c->heads, .head = head_of(c), .ffn = c->ffn, .eps = c->eps,
		.act = c->act, .qkv_bias = kind.qkv_bias || c->attention_bias, .o_bias = c->attention_bias, .mlp_bias = c->mlp_bias, .qk_norm = kind.qk_norm };
	og_val x = OG_NONE, bias[2] = { OG_NONE, OG_NONE };
	if (!fits(b, c))
		return OG_NONE;
	OG_SCOPE(b, "model") {
		biases(b, c, in, bias);
		OG_NODE_SCOPE(b, "rotary_emb") layer.rotary = og_rotary_at(b, in->positions, rotary_of(c));
		x = og_embed(b, in->ids, "embed_tokens", c->vocab, c->hidden);
		for (int64_t i = 0; i < c->layers && !og_build_stuck(b); i++) {
			layer.layer = i;
			layer.bias = bias[is_windowed(c, i)];
			OG_SCOPE(b, "layers.%d", (int)i) x = og_gated_layer(b, x, in, layer);
		}
		x = og_rms_norm(b, x, "norm", c->eps);
	}
	return x;
}

static og_val decode(og_build *b, const void *config, og_decoder_in *in)
{
	return og_llama_decode(b, config, in, (og_llama_kind){ 0 });
}

/* ---- the heads ---- */

void og_llama_tie(og_build *b, const void *config)
{
	if (((const llama *)config)->tied)
		og_tied(b, "lm_head.weight", "/model.embed_tokens.weight");
}

og_val og_llama_words(og_build *b, const void *config, og_val x)
{
	return og_linear_opt(b, x, "lm_head", ((const llama *)config)->vocab, (og_linear_o){ .no_bias = true });
}

const og_decoder og_llama_decoder = { OG_LLAMA_DECODER, .decode = decode };

/* Inputs are made up on one side of a length at which frequencies change: beyond it a text alone is not what it is beside a longer one. */
void og_llama_facts(const void *config, const char *task, og_input_facts *f)
{
	og_rotary_o o = rotary_of(config);
	og_decoder_facts(&og_llama_decoder, config, task, f);
	f->max_positions = og_rotary_reach(&o);
}

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
const og_ignore og_llama_ignore[] = {
	{ "*rotary_emb.inv_freq", "a buffer, recomputed" },
	{ "lm_head.*", "head of another task" },
	{ "score.*", "head of another task" },
	{ "qa_outputs.*", "head of another task" },
	{ 0 },
};

const char *const og_llama_marks[] = { "embed_tokens.weight", "layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight", NULL };

const og_arch og_arch_llama = {
	OG_LLAMA, .model_type = "llama", .family = &og_llama_decoder, .fields = fields, .inert = inert, .heads = heads, .marks = og_llama_marks,
};
