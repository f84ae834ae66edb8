/* SPDX-License-Identifier: Apache-2.0
 *
 * The modules of a sentence-transformers model: what is refused and by which name, which files are theirs, and the numbers: both
 * outputs of a written file are run, and the text's embedding is worked out here from those of the tokens. */
#include "../graph/checkpoint_toy.h"

#include "../toy_runtime.h"
#include "base/str.h"
#include "convert/convert_int.h"

#include <math.h>

enum { H = 4, B = 4, S = 5, MODES = 6, OUT = 3 };

#define CONFIG                                                                                                         \
	"{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 11, \"hidden_size\": 4, \"num_attention_heads\": 2, "               \
	"\"num_hidden_layers\": 1, \"intermediate_size\": 6, \"max_position_embeddings\": 8}"
#define MODULE(type, path) "{\"type\": \"sentence_transformers.models." type "\", \"path\": \"" path "\"}"
#define FIRST MODULE("Transformer", "")
#define POOLING MODULE("Pooling", "1_Pooling")
#define DENSE MODULE("Dense", "2_Dense")
#define MEAN "{\"word_embedding_dimension\": 4, \"pooling_mode_mean_tokens\": true}"
#define ALL                                                                                                            \
	"{\"embedding_dimension\": 4, \"pooling_mode\": [\"cls\", \"max\", \"mean\", \"mean_sqrt_len_tokens\", \"weightedmean\", \"lasttoken\"]}"

static void put(const char *name, const char *text)
{
	assert_int_equal(og_file_write(scratch(name), text, strlen(text), NULL), OG_OK);
}

static void folder(const char *modules, const char *pooling, const char *dense)
{
	put("config.json", CONFIG);
	put("modules.json", modules);
	assert_int_equal(og_mkdirs(scratch("1_Pooling"), NULL), OG_OK);
	assert_int_equal(og_mkdirs(scratch("2_Dense"), NULL), OG_OK);
	put("1_Pooling/config.json", pooling);
	put("2_Dense/config.json", dense);
}

/* ---- what is read ---- */

static const struct refusal {
	const char *modules, *pooling, *dense;
	og_status status;
	const char *says;
} refusals[] = {
	{ "[" FIRST ", " MODULE("Router", "1_Router") "]", "{}", "{}", ONNXGATE_UNSUPPORTED, "module 1: type sentence_transformers.models.Router is not done" },
	{ "[" POOLING "]", MEAN, "{}", ONNXGATE_UNSUPPORTED, "module 0: type sentence_transformers.models.Pooling is not done" },
	{ "[{\"type\": \"custom_st.Transformer\", \"path\": \"\"}, " POOLING "]", MEAN, "{}", ONNXGATE_UNSUPPORTED, "module 0: type custom_st.Transformer" },
	{ "[" MODULE("Transformer", "0_Transformer") "]", MEAN, "{}", ONNXGATE_UNSUPPORTED, "module 0: path: expected the model's own folder" },
	{ "[" FIRST "]", MEAN, "{}", ONNXGATE_UNSUPPORTED, "expected a Pooling, found none" },
	{ "{}", MEAN, "{}", ONNXGATE_FORMAT, "expected a list of 1 to 64 modules" },
	{ "[]", MEAN, "{}", ONNXGATE_FORMAT, "expected a list of 1 to 64 modules" },
	{ "[1, 2]", MEAN, "{}", ONNXGATE_UNSUPPORTED, "module 0: type none" },
	{ "[" FIRST ", " MODULE("Pooling", "../1_Pooling") "]", MEAN, "{}", ONNXGATE_UNSAFE, "expected a folder inside the model's" },
	{ "[" FIRST ", " MODULE("Pooling", "") "]", MEAN, "{}", ONNXGATE_UNSAFE, "expected a folder inside the model's" },
	{ "[" FIRST ", " MODULE("Pooling", "nowhere") "]", MEAN, "{}", ONNXGATE_NOT_FOUND, "nowhere/config.json" },
	{ "[" FIRST ", " POOLING "]", "[]", "{}", ONNXGATE_FORMAT, "1_Pooling/config.json: expected an object" },
	{ "[" FIRST ", " POOLING "]", "{}", "{}", ONNXGATE_FORMAT, "word_embedding_dimension: expected 1 to" },
	{ "[" FIRST ", " POOLING "]", "{\"embedding_dimension\": 4, \"pooling_mode\": \"median\"}", "{}", ONNXGATE_UNSUPPORTED, "found \"median\"" },
	{ "[" FIRST ", " POOLING "]", "{\"embedding_dimension\": 4, \"pooling_mode\": []}", "{}", ONNXGATE_UNSUPPORTED, "expected a mode, found none" },
	{ "[" FIRST ", " POOLING "]", "{\"embedding_dimension\": 4, \"pooling_mode_max_tokens\": 1}", "{}", ONNXGATE_FORMAT, "expected true or false, found 1" },
	{ "[" FIRST ", " POOLING "]", "{\"embedding_dimension\": 4, \"temperature\": 1}", "{}", ONNXGATE_UNSUPPORTED, "key temperature is not understood" },
	{ "[" FIRST ", " POOLING ", " DENSE "]", MEAN, "{\"in_features\": 4}", ONNXGATE_FORMAT, "out_features: expected 1 to" },
	{ "[" FIRST ", " POOLING ", " DENSE "]", MEAN, "{\"in_features\": 4, \"out_features\": 3, \"activation_function\": \"torch.nn.modules.activation.PReLU\"}",
	  ONNXGATE_UNSUPPORTED, "PReLU" },
	{ "[" FIRST ", " POOLING ", " DENSE "]", MEAN, "{\"in_features\": 4, \"out_features\": 3, \"activation_function\": null}", ONNXGATE_UNSUPPORTED,
	  "activation_function null" },
	{ "[" FIRST ", " POOLING ", " DENSE "]", MEAN, "{\"in_features\": 4, \"out_features\": 3, \"module_input_name\": \"pixels\"}", ONNXGATE_UNSUPPORTED,
	  "module_input_name pixels" },
};

static void test_modules__what_is_not_done_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < OG_COUNT(refusals); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		const struct refusal *r = &refusals[i];
		og_plan *p;
		og_error err = { 0 };
		folder(r->modules, r->pooling, r->dense);
		og_status s = og_convert_plan(scratch_dir, &(og_convert_options){ 0 }, arena, &p, &err);
		if (s != r->status || !strstr(err.message, r->says))
			fail_msg("row %zu: status %d: %s", i, (int)s, err.message);
	}
}

static void test_modules__plain_and_other_tasks_do_not_read_them(void **state)
{
	static const og_convert_options rows[] = { { .plain = true }, { .plain = true, .task = "feature-extraction" } };
	(void)state;
	folder("[" MODULE("Router", "1") "]", "[]", "[]");
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		og_auto(og_arena) *arena = og_arena_new();
		og_plan *p = NULL;
		og_error err = { 0 };
		assert_int_equal(og_convert_plan(scratch_dir, &rows[i], arena, &p, &err), OG_OK);
		assert_int_equal(p->nmodules, 0);
	}
}

static void test_modules__a_cross_encoder_is_a_classifier(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_plan *p = NULL;
	og_error err = { 0 };
	(void)state;
	folder("[" FIRST "]", MEAN, "{}");
	put("config.json", "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"]}");
	put("config_sentence_transformers.json", "{\"model_type\": \"CrossEncoder\"}");
	assert_int_equal(og_convert_plan(scratch_dir, &(og_convert_options){ 0 }, arena, &p, &err), OG_OK);
	assert_string_equal(p->task, "text-classification");
	assert_int_equal(p->nmodules, 0);
}

static void test_modules__their_folders(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const char **names;
	size_t n;
	(void)state;
	folder("[" FIRST ", " POOLING ", " MODULE("Dense", "../out") ", " DENSE "]", MEAN, "{}");
	assert_int_equal(og_convert_module_folders(scratch_dir, arena, &names, &n, NULL), OG_OK);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "1_Pooling");
	assert_string_equal(names[1], "2_Dense");
	put("modules.json", "{");
	assert_int_equal(og_convert_module_folders(scratch_dir, arena, &names, &n, NULL), OG_OK);
	assert_int_equal(n, 0);
}

/* ---- the numbers ---- */

static int64_t ids[B * S] = { 3, 1, 7, 2, 9, 4, 4, 0, 0, 0, 0, 0, 5, 6, 8, 1, 0, 10, 0, 2 };
static int64_t mask[B * S] = { 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0 }; /* full, padded right, left, both sides */

/* The six modes side by side, of one text. */
static void pool_one(const float *x, const int64_t *m, double out[MODES * H])
{
	int first = -1, last = -1;
	double count = 0, weights = 0;
	for (int s = 0; s < S; s++) {
		first = m[s] && first < 0 ? s : first;
		last = m[s] ? s : last;
		count += (double)m[s];
		weights += (double)m[s] * (s + 1);
	}
	for (int h = 0; h < H; h++) {
		double sum = 0, weighted = 0, largest = -INFINITY;
		for (int s = 0; s < S; s++) {
			double v = (double)x[s * H + h];
			sum += m[s] ? v : 0;
			weighted += m[s] ? v * (s + 1) : 0;
			largest = m[s] ? fmax(largest, v) : largest;
		}
		const double all[MODES] = { (double)x[first * H + h], largest, sum / count, sum / sqrt(count), weighted / weights, (double)x[last * H + h] };
		for (int k = 0; k < MODES; k++)
			out[k * H + h] = all[k];
	}
}

/* tanh(W·x + b), then of length 1: the dense module's weights are those that toy_checkpoint() makes. */
static void project_one(const double *x, double out[OUT])
{
	float w[OUT * MODES * H], b[OUT];
	double length = 0;
	toy_fill(w, OUT * MODES * H, 0);
	toy_fill(b, OUT, 1);
	for (int o = 0; o < OUT; o++) {
		out[o] = (double)b[o];
		for (int i = 0; i < MODES * H; i++)
			out[o] += (double)w[o * MODES * H + i] * x[i];
		out[o] = tanh(out[o]);
		length += out[o] * out[o];
	}
	for (int o = 0; o < OUT; o++)
		out[o] /= sqrt(length);
}

static void write_weights(og_plan *p, og_arena *arena)
{
	static const toy_weight dense[] = { { "linear.weight", 2, { OUT, MODES * H } }, { "linear.bias", 1, { OUT } } };
	const og_plan_inner *in = p->inner;
	og_ledger *l;
	og_model **models;
	size_t n;
	og_checkpoint_free(toy_checkpoint(dense, OG_COUNT(dense)));
	assert_int_equal(og_file_copy(scratch("model.safetensors"), scratch("2_Dense/model.safetensors"), NULL), OG_OK);
	assert_int_equal(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, NULL), OG_OK);
	assert_int_equal(og_describe_files(p, l, arena, &models, &n, NULL), OG_OK);
	const og_claim *c = og_ledger_claims(l, &n);
	toy_weight *w = og_arena_array(arena, n, sizeof(*w));
	for (size_t i = 0; i < n; i++) {
		w[i] = (toy_weight){ .name = c[i].name, .rank = c[i].rank };
		memcpy(w[i].dims, c[i].dims, (size_t)c[i].rank * sizeof(int64_t));
	}
	og_checkpoint_free(toy_checkpoint(w, n));
}

static void test_modules__numbers_follow_from_the_tokens(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_runtime *r = toy_runtime(0);
	og_plan *p;
	og_converted done;
	og_array in[2] = { { "input_ids", OG_I64, 2, { B, S }, ids, sizeof(ids) }, { "attention_mask", OG_I64, 2, { B, S }, mask, sizeof(mask) } }, *out;
	const og_convert_options o = { 0 };
	size_t n;
	og_error err = { 0 };
	(void)state;
	folder("[" FIRST ", " POOLING ", " DENSE ", " MODULE("Normalize", "3_Normalize") "]", ALL, "{\"in_features\": 24, \"out_features\": 3}");
	assert_int_equal(og_mkdirs(scratch("out"), NULL), OG_OK);
	assert_int_equal(og_convert_plan(scratch_dir, &o, arena, &p, &err), OG_OK);
	write_weights(p, arena);
	if (og_convert_run(p, scratch_dir, scratch("out"), &o, ONNXGATE_VALIDATE_STRUCTURE, NULL, arena, &done, &err) != OG_OK)
		fail_msg("%s", err.message);
	og_session *s = toy_session(r, scratch("out/model.onnx"));
	if (og_session_run(s, in, 2, arena, &out, &n, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_int_equal(n, 2);
	assert_string_equal(out[0].name, "token_embeddings");
	assert_string_equal(out[1].name, "sentence_embedding");
	assert_int_equal(out[1].size, B * OUT * sizeof(float));
	for (int i = 0; i < B; i++) {
		double text[MODES * H], want[OUT];
		pool_one((const float *)out[0].data + i * S * H, mask + i * S, text);
		project_one(text, want);
		for (int k = 0; k < OUT; k++)
			assert_true(fabs((double)((const float *)out[1].data)[i * OUT + k] - want[k]) < 1e-5);
	}
	og_session_free(s);
	og_runtime_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_modules__what_is_not_done_is_refused_by_name),
		SCRATCH_TEST(test_modules__plain_and_other_tasks_do_not_read_them),
		SCRATCH_TEST(test_modules__a_cross_encoder_is_a_classifier),
		SCRATCH_TEST(test_modules__their_folders),
		SCRATCH_TEST(test_modules__numbers_follow_from_the_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
