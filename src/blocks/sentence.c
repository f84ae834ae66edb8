/* SPDX-License-Identifier: Apache-2.0
 *
 * The modules of sentence.h.  Sums over positions are products with the mask as a row vector. */
#include "blocks/sentence.h"

#include <math.h>

typedef struct features {
	og_val tokens, text; /* text OG_NONE: nothing was pooled yet */
	og_val ids, mask;    /* [B, S], int64 */
} features;

/* ---- pooling ---- */

/* Σ x·w over the positions, w: [B, S] → [B, H]. */
static og_val weighted_sum(og_build *b, og_val x, og_val w)
{
	return og_squeeze(b, og_matmul(b, og_expand_dims(b, w, 1), x), 1);
}

static og_val at_least(og_build *b, og_val x, float low)
{
	return og_max(b, x, og_const_f32(b, low));
}

static og_val mean(og_build *b, og_val x, og_val w, bool root)
{
	og_val count = at_least(b, og_reduce(b, "ReduceSum", w, 1, true), 1e-9f); /* [B, 1] */
	count = root ? og_unary(b, "Sqrt", count) : count;
	return og_div(b, weighted_sum(b, x, w), count);
}

static og_val largest(og_build *b, og_val x, og_val mask)
{
	og_val absent = og_expand_dims(b, og_equal(b, mask, og_const_i64(b, 0)), 2);
	return og_reduce(b, "ReduceMax", og_where(b, absent, og_const_f32(b, -INFINITY), x), 1, false);
}

/* x at one position of each row, the first or last of those where the mask is largest. Without any 1 the first counts as one, and the
 * last gives zeros, as in the reference. */
static og_val one_position(og_build *b, og_val x, og_val mask, bool last)
{
	og_val small = og_cast(b, mask, OG_I32), at = og_rows_of(b, x, og_argmax(b, small, 1, last)); /* int64 has no kernel in ONNX Runtime */
	og_val y = og_row(b, x, at);
	if (!last)
		return y;
	og_val valid = og_row(b, og_cast(b, mask, OG_F32), at);
	return og_mul(b, y, og_expand_dims(b, valid, 1));
}

static og_val pooled(og_build *b, const features *f, og_pool_mode mode)
{
	og_val w = og_cast(b, f->mask, OG_F32);
	switch (mode) {
	case OG_POOL_CLS: return one_position(b, f->tokens, f->mask, false);
	case OG_POOL_LAST: return one_position(b, f->tokens, f->mask, true);
	case OG_POOL_MAX: return largest(b, f->tokens, f->mask);
	case OG_POOL_MEAN: return mean(b, f->tokens, w, false);
	case OG_POOL_MEAN_SQRT: return mean(b, f->tokens, w, true);
	case OG_POOL_WEIGHTED: return mean(b, f->tokens, og_mul(b, w, og_cast(b, og_positions(b, f->ids, 1), OG_F32)), false);
	}
	return og_build_fail(b, ONNXGATE_INTERNAL, "pooling mode %d has no rule", (int)mode);
}

static og_val pool(og_build *b, const features *f, const og_module *m)
{
	og_val parts[OG_POOL_MODES_MAX];
	for (size_t i = 0; i < m->nmodes; i++)
		parts[i] = pooled(b, f, m->modes[i]);
	return m->nmodes == 1 ? parts[0] : og_concat(b, parts, m->nmodes, 1);
}

/* ---- what follows ---- */

/* x / max(‖x‖, 1e-12) */
static og_val normalized(og_build *b, og_val x)
{
	og_val length = og_unary(b, "Sqrt", og_reduce(b, "ReduceSum", og_mul(b, x, x), 1, true));
	return og_div(b, x, at_least(b, length, 1e-12f));
}

static og_val learned(og_build *b, og_val x, const og_module *m)
{
	og_ledger *whole = og_build_ledger(b, m->ledger, m->path);
	if (m->kind == OG_MODULE_LAYER_NORM)
		x = og_layer_norm(b, x, "norm", 1e-5);
	else
		x = og_act(b, og_linear_opt(b, x, "linear", m->out, (og_linear_o){ .no_bias = m->no_bias }), m->act);
	og_build_ledger(b, whole, NULL);
	return x;
}

static void apply(og_build *b, features *f, const og_module *m)
{
	bool tokens = m->kind == OG_MODULE_POOLING || m->on_tokens;
	og_val *x = tokens ? &f->tokens : &f->text;
	int64_t width = 0;
	if (og_build_stuck(b))
		return;
	if (!x->id && m->kind == OG_MODULE_NORMALIZE)
		return; /* there is nothing yet that it would normalise */
	if (!x->id) {
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "expected behind a Pooling, whose result it takes");
		return;
	}
	og_dim_is_int(og_build_dims(b), og_dim_at(b, *x, -1), &width);
	if (m->in && m->in != width)
		og_build_fail(b, ONNXGATE_MISMATCH, "%s/config.json: it takes a width of %lld, and is given %lld", m->path, (long long)m->in, (long long)width);
	else if (m->kind == OG_MODULE_POOLING)
		f->text = pool(b, f, m);
	else
		*x = m->kind == OG_MODULE_NORMALIZE ? normalized(b, *x) : learned(b, *x, m);
}

void og_text_sentence(og_build *b, const void *config, const void *text, const og_module *modules, size_t n)
{
	const og_text *t = text;
	og_text_in in = { .ids = og_input(b, "input_ids", OG_I64, "batch_size", "sequence_length"),
		              .mask = og_input(b, "attention_mask", OG_I64, "batch_size", "sequence_length") };
	features f = { .tokens = t->encode(b, config, in), .ids = in.ids, .mask = in.mask };
	for (size_t i = 0; i < n; i++)
		OG_NODE_SCOPE(b, "%s", modules[i].path) apply(b, &f, &modules[i]);
	if (!og_build_stuck(b) && !f.text.id) {
		og_build_fail(b, ONNXGATE_UNSUPPORTED, "modules.json: expected a Pooling, found none");
		return;
	}
	og_output(b, "token_embeddings", f.tokens);
	og_output(b, "sentence_embedding", f.text);
}
