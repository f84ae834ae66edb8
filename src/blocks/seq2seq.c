/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders with a decoder: inputs, outputs, caches, and the files over what a family encodes and decodes. */
#include "blocks/seq2seq.h"

#include "base/alloc.h"

#include <stdio.h>

#define PAST_AND_NEW "past_decoder_sequence_length + decoder_sequence_length"

/* What one description of a decoder is about. Arrays of key, value of each layer. */
typedef struct decoding {
	const og_seq2seq *family;
	const void *config;
	og_seq2seq_sizes n;
	bool words;
	og_val ids, states, mask;
	og_val *past, *past_cross;       /* the inputs; NULL: none */
	og_val *present, *present_cross; /* room for the outputs; NULL: none */
} decoding;

/* ---- attention over the encoder's states ---- */

og_val og_cross_attention(og_build *b, og_val q, og_seq2seq_in *in, og_cross_o o)
{
	const og_decoder_attn_o *a = &o.attn;
	og_decoder_in none = { 0 };
	og_val kv[2];
	for (int i = 0; i < 2; i++) {
		int64_t slot = 2 * a->layer + i;
		if (in->past) {
			kv[i] = in->past[slot];
			continue;
		}
		bool no_bias = i ? o.no_v_bias : o.no_k_bias;
		og_val x = og_linear_opt(b, in->states, i ? o.v : o.k, a->heads * a->head, (og_linear_o){ .no_bias = no_bias });
		kv[i] = og_permute(b, og_heads(b, x, a->heads, a->head), 0, 2, 1, 3);
		if (in->present)
			in->present[slot] = kv[i];
	}
	return og_decoder_attention(b, q, kv[0], kv[1], &none, *a);
}

/* ---- inputs and outputs ---- */

static void cache_name(char *name, size_t cap, const char *begin, int64_t slot, bool cross)
{
	snprintf(name, cap, "%s.%lld.%s.%s", begin, (long long)(slot / 2), cross ? "encoder" : "decoder", slot % 2 ? "value" : "key");
}

static void cache_inputs(og_build *b, decoding *d)
{
	char heads[24], head[24], name[80];
	snprintf(heads, sizeof(heads), "%lld", (long long)d->n.heads);
	snprintf(head, sizeof(head), "%lld", (long long)d->n.head);
	og_dim_parse(og_build_dims(b), PAST_AND_NEW);
	for (int64_t i = 0; i < 2 * d->n.layers; i += 2)
		for (int k = 0; k < 4; k++) {
			bool cross = k > 1;
			cache_name(name, sizeof(name), "past_key_values", i + k % 2, cross);
			og_val x = og_input(b, name, OG_F32, "batch_size", heads, cross ? "encoder_sequence_length" : "past_decoder_sequence_length", head);
			(cross ? d->past_cross : d->past)[i + k % 2] = x;
		}
}

static void decoder_inputs(og_build *b, decoding *d, bool states)
{
	char hidden[24];
	snprintf(hidden, sizeof(hidden), "%lld", (long long)d->n.hidden);
	d->mask = og_input(b, "encoder_attention_mask", OG_I64, "batch_size", "encoder_sequence_length");
	d->ids = og_input(b, "input_ids", OG_I64, "batch_size", "decoder_sequence_length");
	if (states)
		d->states = og_input(b, "encoder_hidden_states", OG_F32, "batch_size", "encoder_sequence_length", hidden);
	if (d->past)
		cache_inputs(b, d);
}

/* first: logits or last_hidden_state; then the caches, those of the encoder where they were computed. */
static void outputs(og_build *b, const decoding *d, og_val first)
{
	char name[80];
	og_output(b, d->words ? "logits" : "last_hidden_state", first);
	for (int64_t i = 0; d->present && i < 2 * d->n.layers; i += 2)
		for (int k = 0; k < (d->present_cross ? 4 : 2); k++) {
			cache_name(name, sizeof(name), "present", i + k % 2, k > 1);
			og_output(b, name, (k > 1 ? d->present_cross : d->present)[i + k % 2]);
		}
}

/* ---- decoders ---- */

/* Where queries and keys stand, counted from the first key of the cache. */
static void places(og_build *b, og_decoder_in *in)
{
	og_dims *d = og_build_dims(b);
	if (og_build_stuck(b))
		return;
	og_dim past = in->past ? og_dim_at(b, in->past[0], 2) : og_dim_of(b, 0);
	og_val end = og_dim_value(b, og_dim_add(d, past, og_dim_at(b, in->ids, 1)));
	in->positions = og_range(b, og_dim_value(b, past), end);
	in->keys = in->past ? og_range(b, og_const_i64(b, 0), end) : in->positions;
	in->queries = og_expand_dims(b, in->positions, 1);
}

static og_val decode(og_build *b, decoding *d, bool cached)
{
	og_seq2seq_in in = {
		.self = { .ids = d->ids, .past = cached ? d->past : NULL, .present = d->present },
		.states = d->states, .mask = d->mask, .past = cached ? d->past_cross : NULL, .present = cached ? NULL : d->present_cross,
	};
	OG_NODE_SCOPE(b, "mask") places(b, &in.self);
	og_val x = og_build_stuck(b) ? OG_NONE : d->family->decode(b, d->config, &in);
	return d->words && !og_build_stuck(b) ? d->family->words(b, d->config, x) : x;
}

/* One branch of the merged decoder: its first output, and the caches layer by layer as they are put out. */
static void branch(og_build *b, decoding *d, og_val *out, bool cached)
{
	const int64_t none[] = { 0, d->n.heads, 1, d->n.head };
	*out++ = decode(b, d, cached);
	for (int64_t i = 0; i < 2 * d->n.layers; i += 2)
		for (int k = 0; k < 4; k++)
			*out++ = k < 2 ? d->present[i + k] : cached ? og_const_data(b, OG_F32, none, 4, "") : d->present_cross[i + k - 2];
}

static void cached_branch(og_build *b, void *arg, og_val *out)
{
	branch(b, arg, out, true);
}

static void first_branch(og_build *b, void *arg, og_val *out)
{
	branch(b, arg, out, false);
}

/* The branches differ in how long a cache is, and who takes one of them gives caches of length 0: so a sum holds for both. The encoder's
 * caches, which that branch leaves empty, are those of all steps: whoever has them keeps them. */
static void merge(og_build *b, decoding *d, og_val *out)
{
	og_val branch_taken = og_input(b, "use_cache_branch", OG_BOOL, "1");
	og_if(b, branch_taken, cached_branch, first_branch, d, out, 1 + 4 * (size_t)d->n.layers);
	if (og_build_stuck(b))
		return;
	og_dim all = og_dim_parse(og_build_dims(b), PAST_AND_NEW), batch = og_dim_at(b, d->ids, 0), states = og_dim_at(b, d->states, 1);
	for (int64_t i = 0; i < 4 * d->n.layers; i++) {
		bool cross = i % 4 > 1;
		int64_t slot = i / 4 * 2 + i % 2;
		og_build_say_dim(b, out[1 + i], 0, batch);
		og_build_say_dim(b, out[1 + i], 2, cross ? states : all);
		(cross ? d->present_cross : d->present)[slot] = out[1 + i];
	}
}

typedef enum form { PLAIN, FIRST, WITH_PAST, MERGED } form;

static void describe_decoder(og_build *b, decoding *d, form f, og_val *room)
{
	const int64_t n = 2 * d->n.layers;
	d->present = f == PLAIN ? NULL : room;
	d->present_cross = f == FIRST || f == MERGED ? room + n : NULL;
	d->past = f == WITH_PAST || f == MERGED ? room + 2 * n : NULL;
	d->past_cross = d->past ? room + 3 * n : NULL;
	d->family->tie(b, d->config, d->words);
	decoder_inputs(b, d, f != WITH_PAST);
	og_val *out = room + 4 * n;
	if (f == MERGED)
		merge(b, d, out);
	else
		out[0] = decode(b, d, f == WITH_PAST);
	outputs(b, d, out[0]);
}

static void describe(og_build *b, const void *config, const og_seq2seq *family, form f, bool words)
{
	decoding d = { .family = family, .config = config, .words = words };
	family->sizes(config, &d.n);
	og_autofree og_val *room = og_array_alloc(12 * (size_t)d.n.layers + 1, sizeof(*room));
	if (!room)
		og_build_fail(b, ONNXGATE_NOMEM, "out of memory");
	else
		describe_decoder(b, &d, f, room);
}

/* ---- the files ---- */

void og_seq2seq_encoder(og_build *b, const void *config, const void *family)
{
	const og_seq2seq *f = family;
	f->tie(b, config, false);
	og_val ids = og_input(b, "input_ids", OG_I64, "batch_size", "encoder_sequence_length");
	og_val mask = og_input(b, "attention_mask", OG_I64, "batch_size", "encoder_sequence_length");
	og_output(b, "last_hidden_state", f->encode(b, config, ids, mask));
}

void og_seq2seq_features(og_build *b, const void *config, const void *family)
{
	decoding d = { .family = family, .config = config };
	d.family->tie(b, config, false);
	og_val ids = og_input(b, "input_ids", OG_I64, "batch_size", "encoder_sequence_length");
	d.mask = og_input(b, "attention_mask", OG_I64, "batch_size", "encoder_sequence_length");
	d.ids = og_input(b, "decoder_input_ids", OG_I64, "batch_size", "decoder_sequence_length");
	d.states = d.family->encode(b, config, ids, d.mask);
	og_output(b, "last_hidden_state", decode(b, &d, false));
}

void og_seq2seq_decoder(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, PLAIN, true);
}

void og_seq2seq_decoder_first(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, FIRST, true);
}

void og_seq2seq_decoder_with_past(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, WITH_PAST, true);
}

void og_seq2seq_decoder_merged(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, MERGED, true);
}

void og_seq2seq_features_first(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, FIRST, false);
}

void og_seq2seq_features_with_past(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, WITH_PAST, false);
}

void og_seq2seq_features_merged(og_build *b, const void *config, const void *family)
{
	describe(b, config, family, MERGED, false);
}
