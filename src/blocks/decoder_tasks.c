/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders: inputs, outputs, and the tasks over what a family decodes. */
#include "base/alloc.h"
#include "blocks/decoder.h"

#include <stdio.h>

typedef enum caches { NO_CACHE, PRESENT_ONLY, CACHE } caches;

/* ---- inputs and outputs ---- */

static void cache_inputs(og_build *b, const og_decoder_sizes *n, og_val *past)
{
	char heads[24], head[24], name[64];
	snprintf(heads, sizeof(heads), "%lld", (long long)n->kv_heads);
	snprintf(head, sizeof(head), "%lld", (long long)n->head);
	for (int64_t i = 0; i < 2 * n->layers; i++) {
		snprintf(name, sizeof(name), "past_key_values.%lld.%s", (long long)(i / 2), i % 2 ? "value" : "key");
		past[i] = og_input(b, name, OG_F32, "batch_size", heads, "past_sequence_length", head);
	}
}

static void cache_outputs(og_build *b, const og_decoder_sizes *n, const og_val *present)
{
	char name[64];
	for (int64_t i = 0; i < 2 * n->layers; i++) {
		snprintf(name, sizeof(name), "present.%lld.%s", (long long)(i / 2), i % 2 ? "value" : "key");
		og_output(b, name, present[i]);
	}
}

/* In Optimum's order; a classifier takes no positions. */
static void inputs(og_build *b, const og_decoder *d, const og_decoder_sizes *n, bool positions, og_decoder_in *in)
{
	const char *keys = in->past ? "past_sequence_length + sequence_length" : "sequence_length";
	in->ids = og_input(b, "input_ids", OG_I64, "batch_size", "sequence_length");
	if (in->past && d->cache_first)
		cache_inputs(b, n, in->past);
	in->mask = og_input(b, "attention_mask", OG_I64, "batch_size", keys);
	if (positions)
		in->positions = og_input(b, "position_ids", OG_I64, "batch_size", "sequence_length");
	if (in->past && !d->cache_first)
		cache_inputs(b, n, in->past);
}

/* Where queries and keys stand, counted from the first key of the cache. */
static void places(og_build *b, og_decoder_in *in)
{
	og_dims *d = og_build_dims(b);
	if (og_build_stuck(b))
		return;
	og_dim past = in->past ? og_dim_at(b, in->past[0], 2) : og_dim_of(b, 0), all = og_dim_add(d, past, og_dim_at(b, in->ids, 1));
	og_val first = og_dim_value(b, past), end = og_dim_value(b, all);
	og_val queries = og_range(b, first, end);
	in->keys = in->past ? og_range(b, og_const_i64(b, 0), end) : queries;
	in->queries = og_expand_dims(b, queries, 1);
	if (!in->positions.id)
		in->positions = queries;
}

/* ---- the tasks ---- */

typedef og_val (*finish_fn)(og_build *b, const void *config, const og_decoder *d, const og_decoder_in *in, og_val x);

/* finish: what becomes of the hidden states; NULL: they are the output. */
static void describe(og_build *b, const void *config, const og_decoder *d, caches c, bool positions, finish_fn finish)
{
	og_decoder_sizes n;
	og_decoder_in in = { 0 };
	d->sizes(config, &n);
	og_autofree og_val *past = og_array_alloc(2 * (size_t)n.layers, sizeof(*past)), *present = og_array_alloc(2 * (size_t)n.layers, sizeof(*present));
	if (!past || !present) {
		og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
		return;
	}
	in.past = c == CACHE ? past : NULL;
	in.present = c == NO_CACHE ? NULL : present;
	inputs(b, d, &n, positions, &in);
	OG_NODE_SCOPE(b, "mask") places(b, &in);
	og_val x = og_build_stuck(b) ? OG_NONE : d->decode(b, config, &in);
	og_output(b, finish ? "logits" : "last_hidden_state", finish ? finish(b, config, d, &in, x) : x);
	if (in.present)
		cache_outputs(b, &n, present);
}

static og_val words(og_build *b, const void *config, const og_decoder *d, const og_decoder_in *in, og_val x)
{
	(void)in;
	return d->words(b, config, x);
}

void og_decoder_generation(og_build *b, const void *config, const void *decoder)
{
	const og_decoder *d = decoder;
	d->tie(b, config);
	describe(b, config, d, NO_CACHE, true, words);
}

void og_decoder_generation_with_past(og_build *b, const void *config, const void *decoder)
{
	const og_decoder *d = decoder;
	d->tie(b, config);
	describe(b, config, d, CACHE, true, words);
}

void og_decoder_features(og_build *b, const void *config, const void *decoder)
{
	describe(b, config, decoder, NO_CACHE, true, NULL);
}

void og_decoder_features_with_present(og_build *b, const void *config, const void *decoder)
{
	describe(b, config, decoder, PRESENT_ONLY, true, NULL);
}

/* The last position whose id is not pad; 0 where all are. */
static og_val last_token(og_build *b, const og_decoder_in *in, int64_t pad)
{
	og_val real = og_cast(b, og_unary(b, "Not", og_equal(b, in->ids, og_const_i64(b, pad))), OG_I64);
	return og_reduce(b, "ReduceMax", og_mul(b, real, in->keys), 1, false);
}

static og_val classes(og_build *b, const void *config, const og_decoder *d, const og_decoder_in *in, og_val x)
{
	og_decoder_sizes n;
	d->sizes(config, &n);
	if (og_build_stuck(b))
		return OG_NONE;
	if (n.pad == OG_ID_NONE || n.pad < 0 || n.pad >= n.vocab)
		return og_build_fail(b, ONNXGATE_UNSUPPORTED, n.pad == OG_ID_NONE
			? "pad_token_id: expected a token below %lld, which tells where the texts of a batch end; found none"
			: "pad_token_id: expected a token below %lld, which tells where the texts of a batch end; found %lld", (long long)n.vocab, (long long)n.pad);
	x = og_row(b, x, og_rows_of(b, x, last_token(b, in, n.pad)));
	return og_linear_opt(b, x, "score", n.labels, (og_linear_o){ .no_bias = true });
}

void og_decoder_classification(og_build *b, const void *config, const void *decoder)
{
	describe(b, config, decoder, NO_CACHE, false, classes);
}

static og_val token_classes(og_build *b, const void *config, const og_decoder *d, const og_decoder_in *in, og_val x)
{
	og_decoder_sizes n;
	(void)in;
	d->sizes(config, &n);
	return og_linear(b, x, d->label, n.labels);
}

void og_decoder_token_classification(og_build *b, const void *config, const void *decoder)
{
	describe(b, config, decoder, NO_CACHE, false, token_classes);
}

void og_decoder_facts(const og_decoder *d, const void *config, const char *task, og_input_facts *f)
{
	og_decoder_sizes n;
	d->sizes(config, &n);
	f->pad_token_id = n.pad == OG_ID_NONE ? -1 : n.pad;
	f->pad_by_id = strcmp(task, OG_TASK_CLASSIFICATION) == 0;
}
