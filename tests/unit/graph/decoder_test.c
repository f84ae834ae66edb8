/* SPDX-License-Identifier: Apache-2.0
 *
 * What BERT does not use of the builder, on a toy decoder in the real ONNX Runtime: two files that share their weights,
 * sums of dims, a merged file whose If captures from outside, and the half-precision lowering. */
#include "checkpoint_toy.h"

#include "../toy_runtime.h"
#include "base/str.h"
#include "graph/emit.h"
#include "graph/lower.h"
#include "graph/ops.h"

#include <float.h>
#include <math.h>

enum { VOCAB = 11, HIDDEN = 8, HEADS = 2, HEAD = HIDDEN / HEADS, LENGTH = 5 };

static const toy_weight weights[] = {
	{ "embed.weight", 2, { VOCAB, HIDDEN } }, { "q.weight", 2, { HIDDEN, HIDDEN } },
	{ "k.weight", 2, { HIDDEN, HIDDEN } }, { "v.weight", 2, { HIDDEN, HIDDEN } },
};

typedef struct parts { /* [B, N, S, D] each; the cache may be absent */
	og_val q, k, v, past_k, past_v;
	og_dim past;
} parts;

static og_val project(og_build *b, og_val x, const char *name)
{
	og_val y = og_matmul(b, x, og_weight_transposed(b, name, HIDDEN, HIDDEN));
	return og_permute(b, og_reshape(b, y, og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, HEADS), og_dim_of(b, HEAD)), 0, 2, 1, 3);
}

/* Query i sees key j when j ≤ past + i. */
static og_val causal(og_build *b, og_dim length, og_dim past)
{
	og_dims *d = og_build_dims(b);
	og_val keys = og_range(b, og_const_i64(b, 0), og_dim_value(b, og_dim_add(d, past, length)));
	og_val queries = og_range(b, og_dim_value(b, past), og_dim_value(b, og_dim_add(d, past, length)));
	og_val seen = og_op(b, "LessOrEqual", (og_val[]){ og_expand_dims(b, keys, 0), og_expand_dims(b, queries, 1) }, 2, NULL, 0);
	return og_where(b, seen, og_const_f32(b, 0), og_const_f32(b, -FLT_MAX));
}

static void attend(og_build *b, const parts *p, bool cached, og_val out[3])
{
	og_val k = cached ? og_concat(b, (og_val[]){ p->past_k, p->k }, 2, 2) : p->k, v = cached ? og_concat(b, (og_val[]){ p->past_v, p->v }, 2, 2) : p->v;
	og_val s = og_add(b, og_matmul(b, p->q, og_permute(b, k, 0, 1, 3, 2)), causal(b, og_dim_at(b, p->q, 2), cached ? p->past : og_dim_of(b, 0)));
	out[0] = og_matmul(b, og_softmax(b, s, -1), v);
	out[1] = k;
	out[2] = v;
}

static void with_cache(og_build *b, void *arg, og_val *out)
{
	attend(b, arg, true, out);
}

static void without_cache(og_build *b, void *arg, og_val *out)
{
	attend(b, arg, false, out);
}

typedef enum variant { FRESH, CACHED, MERGED } variant;

static void describe(og_build *b, variant form)
{
	og_val ids = og_input(b, "input_ids", OG_I64, "batch_size", "sequence_length"), out[3];
	parts p = { .past = og_dim_symbol(og_build_dims(b), "past_sequence_length") };
	if (form != FRESH) {
		p.past_k = og_input(b, "past_key_values.0.key", OG_F32, "batch_size", "2", "past_sequence_length", "4");
		p.past_v = og_input(b, "past_key_values.0.value", OG_F32, "batch_size", "2", "past_sequence_length", "4");
	}
	og_dim_parse(og_build_dims(b), "past_sequence_length + sequence_length");
	og_val x = og_gather(b, og_weight(b, "embed.weight", VOCAB, HIDDEN), ids, 0);
	p.q = project(b, x, "q.weight");
	p.k = project(b, x, "k.weight");
	p.v = project(b, x, "v.weight");
	if (form == MERGED)
		og_if(b, og_input(b, "use_cache_branch", OG_BOOL, "1"), with_cache, without_cache, &p, out, 3);
	else
		attend(b, &p, form == CACHED, out);
	x = og_reshape(b, og_permute(b, out[0], 0, 2, 1, 3), og_dim_at(b, x, 0), og_dim_at(b, x, 1), og_dim_of(b, HIDDEN));
	og_output(b, "logits", og_matmul(b, x, og_weight_transposed(b, "embed.weight", VOCAB, HIDDEN)));
	og_output(b, "present.0.key", out[1]);
	og_output(b, "present.0.value", out[2]);
}

static void write_model(toy_build *t, variant form, bool half, const char *name)
{
	og_emitted out[2];
	size_t n;
	og_error err = { 0 };
	toy_another(t);
	describe(t->b, form);
	og_model *m = toy_finish(t);
	og_status s = og_lower_opset(m, 18, &err);
	if (s == OG_OK && half)
		s = og_lower_fp16(m, false, &err);
	if (s == OG_OK)
		s = og_emit(m, scratch_dir, name, &(og_emit_options){ OG_EXTERNAL_NEVER, false }, NULL, out, &n, &err);
	if (s != OG_OK)
		fail_msg("%s: %s", name, err.message);
}

/* ---- the same in plain C, in double ---- */

static void row_times(const double x[HIDDEN], const float *w, int rows, double *y)
{
	for (int r = 0; r < rows; r++) {
		y[r] = 0;
		for (int c = 0; c < HIDDEN; c++)
			y[r] += x[c] * (double)w[r * HIDDEN + c];
	}
}

static void reference(const int64_t *ids, double logits[LENGTH][VOCAB])
{
	static float w[4][VOCAB * HIDDEN];
	double x[LENGTH][HIDDEN], q[LENGTH][HIDDEN], k[LENGTH][HIDDEN], v[LENGTH][HIDDEN];
	for (size_t i = 0; i < 4; i++)
		toy_fill(w[i], toy_count(&weights[i]), i);
	for (int i = 0; i < LENGTH; i++) {
		for (int c = 0; c < HIDDEN; c++)
			x[i][c] = (double)w[0][ids[i] * HIDDEN + c];
		row_times(x[i], w[1], HIDDEN, q[i]);
		row_times(x[i], w[2], HIDDEN, k[i]);
		row_times(x[i], w[3], HIDDEN, v[i]);
		double mixed[HIDDEN] = { 0 };
		for (int h = 0; h < HEADS; h++) {
			double p[LENGTH], sum = 0;
			for (int j = 0; j <= i; j++) {
				p[j] = 0;
				for (int c = h * HEAD; c < (h + 1) * HEAD; c++)
					p[j] += q[i][c] * k[j][c];
				sum += p[j] = exp(p[j]);
			}
			for (int j = 0; j <= i; j++)
				for (int c = h * HEAD; c < (h + 1) * HEAD; c++)
					mixed[c] += p[j] / sum * v[j][c];
		}
		row_times(mixed, w[0], VOCAB, logits[i]);
	}
}

/* ---- runs ---- */

static og_array ids_array(int64_t *ids, int64_t n)
{
	return (og_array){ "input_ids", OG_I64, 2, { 1, n }, ids, (size_t)n * sizeof(*ids) };
}

static og_array cache_array(const char *name, og_array from)
{
	from.name = name;
	return from;
}

static void expect_logits(const og_array *out, double want[][VOCAB], int n, double limit)
{
	assert_int_equal(out->dims[1], n);
	for (int i = 0; i < n; i++)
		for (int c = 0; c < VOCAB; c++)
			if (!(fabs((double)((const float *)out->data)[i * VOCAB + c] - want[i][c]) <= limit))
				fail_msg("logits[%d, %d]: expected %g, found %g", i, c, want[i][c], (double)((const float *)out->data)[i * VOCAB + c]);
}

static og_array *run(og_session *s, const og_array *in, size_t n, og_arena *a)
{
	og_array *out;
	size_t nout;
	og_error err = { 0 };
	if (og_session_run(s, in, n, a, &out, &nout, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(nout, 3);
	return out;
}

static int64_t ids[LENGTH] = { 3, 1, 10, 7, 3 };

/* The whole at once, then 3 and 2 tokens with the cache between them. */
static void test_decoder__two_files_share_weights_and_step(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_runtime *r = toy_runtime(0);
	double want[LENGTH][VOCAB];
	size_t claims;
	(void)state;
	reference(ids, want);
	write_model(&t, FRESH, false, "decoder_model.onnx");
	write_model(&t, CACHED, false, "decoder_with_past_model.onnx");
	og_ledger_claims(t.ledger, &claims);
	assert_int_equal(claims, 4); /* each once, though two files claim it */
	og_session *s = toy_session(r, scratch("decoder_model.onnx"));
	og_array in = ids_array(ids, LENGTH), first = ids_array(ids, 3);
	expect_logits(run(s, &in, 1, t.arena), want, LENGTH, 1e-5);
	og_array *step = run(s, &first, 1, t.arena);
	og_session_free(s);
	s = toy_session(r, scratch("decoder_with_past_model.onnx"));
	const og_port *ports;
	assert_int_equal(og_session_outputs(s, &ports), 3);
	assert_string_equal(ports[1].symbols[2], "past_sequence_length + sequence_length");
	og_array rest[3] = { ids_array(ids + 3, 2), cache_array("past_key_values.0.key", step[1]), cache_array("past_key_values.0.value", step[2]) };
	expect_logits(run(s, rest, 3, t.arena), want + 3, 2, 1e-5);
	og_session_free(s);
	og_runtime_free(r);
	toy_builder_free(&t);
}

static void both_branches(og_runtime *r, const char *file, og_arena *a, double limit)
{
	double want[LENGTH][VOCAB];
	reference(ids, want);
	og_session *s = toy_session(r, scratch(file));
	uint8_t yes = 1, no = 0;
	og_array flag = { "use_cache_branch", OG_BOOL, 1, { 1 }, &no, 1 }, empty = { "", OG_F32, 4, { 1, HEADS, 0, HEAD }, &no, 0 };
	og_array in[4] = { ids_array(ids, 3), cache_array("past_key_values.0.key", empty), cache_array("past_key_values.0.value", empty), flag };
	og_array *step = run(s, in, 4, a);
	expect_logits(step, want, 3, limit);
	in[0] = ids_array(ids + 3, 2);
	in[1] = cache_array("past_key_values.0.key", step[1]);
	in[2] = cache_array("past_key_values.0.value", step[2]);
	in[3].data = &yes;
	expect_logits(run(s, in, 4, a), want + 3, 2, limit);
	og_session_free(s);
}

static void test_decoder__merged_file_takes_either_branch(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_runtime *r = toy_runtime(0);
	(void)state;
	write_model(&t, MERGED, false, "decoder_model_merged.onnx");
	both_branches(r, "decoder_model_merged.onnx", t.arena, 1e-5);
	og_runtime_free(r);
	toy_builder_free(&t);
}

/* Inputs and outputs stay float32; half precision has 11 bits, and the logits are of size 1 to 3. */
static void test_decoder__half_precision(void **state)
{
	toy_build t = toy_builder(weights, OG_COUNT(weights));
	og_runtime *r = toy_runtime(0);
	(void)state;
	write_model(&t, MERGED, true, "half.onnx");
	both_branches(r, "half.onnx", t.arena, 1e-2);
	og_runtime_free(r);
	toy_builder_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_decoder__two_files_share_weights_and_step),
		SCRATCH_TEST(test_decoder__merged_file_takes_either_branch),
		SCRATCH_TEST(test_decoder__half_precision),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
