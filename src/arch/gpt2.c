/* SPDX-License-Identifier: Apache-2.0
 *
 * GPT-2 (Radford et al. 2019): a decoder with learned positions and norms before each sublayer; its linear layers lie
 * [in, out], queries, keys and values beside each other.
 * Reference: transformers.models.gpt2.modeling_gpt2. */
#include "arch/arch.h"
#include "blocks/decoder.h"

#include <math.h>

typedef struct gpt2 {
	int64_t vocab, hidden, layers, heads, ffn, positions, labels, pad;
	double eps;
	og_act_kind act;
	bool scaled, scaled_by_layer, tied;
} gpt2;

static const og_field fields[] = {
	OG_VOCAB_OR(gpt2, vocab, "vocab_size", 50257),
	OG_DIM_OR(gpt2, positions, "n_positions", 1024),
	OG_ALSO(gpt2, positions, "max_position_embeddings"),
	OG_DIM_OR(gpt2, hidden, "n_embd", 768),
	OG_ALSO(gpt2, hidden, "hidden_size"),
	OG_LAYERS_OR(gpt2, layers, "n_layer", 12),
	OG_ALSO_LAYERS(gpt2, layers, "num_hidden_layers"),
	OG_DIM_OR(gpt2, heads, "n_head", 12),
	OG_ALSO(gpt2, heads, "num_attention_heads"),
	OG_DIM_OR_NULL(gpt2, ffn, "n_inner", 0),
	OG_LABELS(gpt2, labels),
	OG_ID_OR_NONE(gpt2, pad, "pad_token_id"),
	OG_REAL_OR(gpt2, eps, "layer_norm_epsilon", 1e-5),
	OG_ACT_OR(gpt2, act, "activation_function", "gelu_new"),
	OG_FLAG_OR(gpt2, scaled, "scale_attn_weights", true),
	OG_FLAG_OR(gpt2, scaled_by_layer, "scale_attn_by_inverse_layer_idx", false),
	OG_FLAG_OR(gpt2, tied, "tie_word_embeddings", true),
	OG_ONLY("add_cross_attention", "false"),
	OG_ONLY("is_encoder_decoder", "false"),
	{ 0 },
};

static const og_inert inert[] = {
	{ "reorder_and_upcast_attn", "the order of two products and single precision, which is what is computed in" },
	{ "is_decoder", "never read: the class always looks back alone" },
	{ "n_ctx", "an old name of n_positions, never read" },
	{ "resid_pdrop", "training only" },
	{ "embd_pdrop", "training only" },
	{ "attn_pdrop", "training only" },
	{ "summary_type", "of the class with two heads, which is not done" },
	{ "summary_use_proj", "of the class with two heads, which is not done" },
	{ "summary_activation", "of the class with two heads, which is not done" },
	{ "summary_proj_to_labels", "of the class with two heads, which is not done" },
	{ 0 },
};

/* ---- the decoder ---- */

static void sizes(const void *config, og_decoder_sizes *out)
{
	const gpt2 *c = config;
	*out = (og_decoder_sizes){ .layers = c->layers, .kv_heads = c->heads, .head = c->hidden / c->heads, .labels = c->labels, .vocab = c->vocab, .pad = c->pad };
}

/* The i-th of queries, keys and values: [B, S, 3·H] → [B, N, S, D]. */
static og_val part(og_build *b, const gpt2 *c, og_val qkv, int64_t i)
{
	return og_permute(b, og_heads(b, og_slice(b, qkv, 2, i * c->hidden, (i + 1) * c->hidden), c->heads, c->hidden / c->heads), 0, 2, 1, 3);
}

/* The scale is that of the reference's eager form: its others take 1/√D whatever the config says. */
static og_val attend(og_build *b, const gpt2 *c, og_val x, og_decoder_in *in, og_val bias, int64_t layer)
{
	const og_linear_o in_out = { .in_out = true };
	double scale = (c->scaled ? 1 / sqrt((double)(c->hidden / c->heads)) : 1) / (c->scaled_by_layer ? (double)(layer + 1) : 1);
	og_val qkv = og_linear_opt(b, x, "c_attn", 3 * c->hidden, in_out);
	og_val q = part(b, c, qkv, 0), k = part(b, c, qkv, 1), v = part(b, c, qkv, 2);
	x = og_decoder_attention(b, q, k, v, in, (og_decoder_attn_o){ .heads = c->heads, .kv_heads = c->heads, .head = c->hidden / c->heads, .scale = scale,
		.bias = bias, .layer = layer });
	return og_linear_opt(b, x, "c_proj", c->hidden, in_out);
}

static og_val block(og_build *b, const gpt2 *c, og_val x, og_decoder_in *in, og_val bias, int64_t layer)
{
	const og_linear_o in_out = { .in_out = true };
	og_val y = og_layer_norm(b, x, "ln_1", c->eps);
	OG_SCOPE(b, "attn") y = attend(b, c, y, in, bias, layer);
	x = og_add(b, y, x);
	y = og_layer_norm(b, x, "ln_2", c->eps);
	OG_SCOPE(b, "mlp") {
		y = og_act(b, og_linear_opt(b, y, "c_fc", c->ffn ? c->ffn : 4 * c->hidden, in_out), c->act);
		y = og_linear_opt(b, y, "c_proj", c->hidden, in_out);
	}
	return og_add(b, x, y);
}

static og_val decode(og_build *b, const void *config, og_decoder_in *in)
{
	const gpt2 *c = config;
	og_val x = OG_NONE, bias = OG_NONE;
	if (c->hidden % c->heads)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, "n_embd %lld is not divisible by n_head %lld", (long long)c->hidden, (long long)c->heads);
	OG_SCOPE(b, "transformer") {
		OG_NODE_SCOPE(b, "mask") bias = og_sees_bias(b, og_decoder_sees(b, in));
		x = og_embed(b, in->ids, "wte", c->vocab, c->hidden);
		x = og_add(b, x, og_embed(b, in->positions, "wpe", c->positions, c->hidden));
		for (int64_t i = 0; i < c->layers; i++)
			OG_SCOPE(b, "h.%d", (int)i) x = block(b, c, x, in, bias, i);
		x = og_layer_norm(b, x, "ln_f", c->eps);
	}
	return x;
}

/* ---- the heads ---- */

static void tie(og_build *b, const void *config)
{
	if (((const gpt2 *)config)->tied)
		og_tied(b, "lm_head.weight", "/transformer.wte.weight");
}

static og_val words(og_build *b, const void *config, og_val x)
{
	return og_linear_opt(b, x, "lm_head", ((const gpt2 *)config)->vocab, (og_linear_o){ .no_bias = true });
}

static const og_decoder decoder = { .cache_first = true, .label = "classifier", .sizes = sizes, .decode = decode, .words = words, .tie = tie };

static void facts(const void *config, const char *task, og_input_facts *f)
{
	og_decoder_facts(&decoder, config, task, f);
	f->max_positions = ((const gpt2 *)config)->positions;
}

static const og_head heads[] = {
	{ "GPT2LMHeadModel", "text-generation-with-past", OG_ONE_FILE(og_decoder_generation_with_past) },
	{ "GPT2LMHeadModel", "text-generation", OG_ONE_FILE(og_decoder_generation) },
	{ "GPT2Model", OG_TASK_FEATURES, OG_ONE_FILE(og_decoder_features) },
	{ "GPT2Model", OG_TASK_FEATURES "-with-past", OG_ONE_FILE(og_decoder_features_with_present) },
	{ "GPT2ForSequenceClassification", OG_TASK_CLASSIFICATION, OG_ONE_FILE(og_decoder_classification) },
	{ "GPT2ForTokenClassification", "token-classification", OG_ONE_FILE(og_decoder_token_classification) },
	{ 0 },
};

/* Rules for what no file of the task uses; a tensor that is claimed never meets them. */
static const og_ignore ignore[] = {
	{ "*h.*.attn.bias", "the causal triangle, a buffer" },
	{ "*h.*.attn.masked_bias", "a buffer, a number to mask with" },
	{ "lm_head.*", "head of another task" },
	{ "score.*", "head of another task" },
	{ "classifier.*", "head of another task" },
	{ 0 },
};

static const char *const marks[] = { "wte.weight", "h.0.attn.c_attn.weight", NULL };

const og_arch og_arch_gpt2 = {
	.model_type = "gpt2", .base_prefix = "transformer", .revision = 1, .config_size = sizeof(gpt2), .family = &decoder, .fields = fields, .inert = inert,
	.heads = heads, .ignore = ignore, .marks = marks, .facts = facts,
};
