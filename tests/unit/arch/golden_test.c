/* SPDX-License-Identifier: Apache-2.0
 *
 * Goldens, tests/golden/<type>/: for a tiny config the tensors that are asked for (tensors.txt), the graph that is described
 * (graph.txt) and what transformers computes in float64 with seeded weights (outputs.txt, recorded by tools/golden.py).
 * ONNXGATE_GOLDEN_WRITE=1 writes the two texts anew, for review as a diff. */
#include "../graph/checkpoint_toy.h"

#include "../toy_runtime.h"
#include "base/str.h"
#include "convert/convert_int.h"

#include <math.h>

static const char *golden(const char *type, const char *name)
{
	static char path[512];
	snprintf(path, sizeof(path), OG_TESTS "/golden/%s/%s", type, name);
	return path;
}

static void expect_text(const char *path, og_buf *text)
{
	og_auto_buf want;
	og_buf_init(&want, 1 << 20);
	const char *write = getenv("ONNXGATE_GOLDEN_WRITE");
	if (write && strcmp(write, "1") == 0)
		assert_int_equal(og_file_write(path, text->p, text->n, NULL), OG_OK);
	assert_int_equal(og_file_read(path, 1 << 20, &want, NULL), OG_OK);
	assert_string_equal(og_buf_cstr(text), og_buf_cstr(&want));
}

typedef struct described {
	og_arena *arena;
	og_plan *plan;
	og_ledger *ledger;
	og_model **models;
	size_t n;
} described;

/* Without a checkpoint: everything that is asked for is found. */
static described describe(const char *type)
{
	described d = { .arena = og_arena_new() };
	og_auto(og_json) *doc = NULL;
	og_error err = { 0 };
	assert_int_equal(og_json_read(golden(type, "config.json"), OG_CONFIG_BYTES_MAX, &doc, &err), OG_OK);
	og_status s = og_plan_make(doc, false, NULL, &(og_convert_options){ 0 }, d.arena, &d.plan, &err);
	const og_plan_inner *in = s == OG_OK ? d.plan->inner : NULL;
	if (s == OG_OK)
		s = og_ledger_new(d.arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &d.ledger, &err);
	if (s == OG_OK)
		s = og_describe_files(d.plan, d.ledger, d.arena, &d.models, &d.n, &err);
	if (s != OG_OK)
		fail_msg("%s", err.message);
	return d;
}

static void put_value(og_buf *text, const og_model *m, og_val v)
{
	const og_value *x = og_model_value(m, v);
	og_buf_printf(text, " %s", x ? x->name : "-");
	for (int i = 0; x && !x->init && i < x->rank; i++)
		og_buf_printf(text, "%s%s%s", i ? ", " : "[", og_dim_text(m->dims, x->dims[i]), i == x->rank - 1 ? "]" : "");
}

static void put_branch(og_buf *text, const og_model *m, const og_graph *g, int depth);

static void put_graph(og_buf *text, const og_model *m, const og_graph *g, int depth)
{
	for (size_t i = 0; i < g->nnodes; i++) {
		const og_node *n = g->nodes[i];
		og_buf_printf(text, "%.*s%s", depth, "\t\t\t\t", n->op);
		for (size_t k = 0; k < n->nin; k++)
			put_value(text, m, n->in[k]);
		og_buf_str(text, " ->");
		for (size_t k = 0; k < n->nout; k++)
			put_value(text, m, n->out[k]);
		og_buf_byte(text, '\n');
		for (size_t k = 0; k < n->nattrs; k++)
			if (n->attrs[k].graph)
				put_branch(text, m, n->attrs[k].graph, depth + 1);
	}
}

static void put_branch(og_buf *text, const og_model *m, const og_graph *g, int depth)
{
	og_buf_printf(text, "%.*s%s:\n", depth, "\t\t\t\t", g->name);
	put_graph(text, m, g, depth);
	og_buf_printf(text, "%.*s=>", depth, "\t\t\t\t");
	for (size_t k = 0; k < g->noutputs; k++)
		put_value(text, m, g->outputs[k]);
	og_buf_byte(text, '\n');
}

static void expect_tensors_and_graph(const char *type)
{
	described d = describe(type);
	og_auto_buf tensors, graph;
	char shape[256];
	size_t n;
	og_buf_init(&tensors, 1 << 20);
	og_buf_init(&graph, 1 << 20);
	const og_claim *c = og_ledger_claims(d.ledger, &n);
	for (size_t i = 0; i < n; i++)
		og_buf_printf(&tensors, "%s %s\n", c[i].name, og_dims_show(c[i].dims, c[i].rank, shape, sizeof(shape)));
	expect_text(golden(type, "tensors.txt"), &tensors);
	for (size_t i = 0; i < d.n; i++) {
		if (d.n > 1)
			og_buf_printf(&graph, "== %s\n", ((const og_plan_inner *)d.plan->inner)->files[i].name);
		put_graph(&graph, d.models[i], d.models[i]->main, 0);
	}
	expect_text(golden(type, "graph.txt"), &graph);
	og_arena_free(d.arena);
}

static void test_golden__tensors_and_graph_of_every_architecture(void **state)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++)
		expect_tensors_and_graph(all[i]->model_type);
}

/* ---- the numbers ---- */

static toy_weight *weights_of(const described *d, size_t extra, size_t *n)
{
	const og_claim *c = og_ledger_claims(d->ledger, n);
	toy_weight *w = og_arena_array(d->arena, *n + extra, sizeof(*w));
	for (size_t i = 0; i < *n; i++) {
		w[i] = (toy_weight){ .name = c[i].name, .rank = c[i].rank };
		memcpy(w[i].dims, c[i].dims, (size_t)c[i].rank * sizeof(int64_t));
	}
	return w;
}

static og_status convert(const char *type, og_arena *arena, og_error *err)
{
	og_plan *p;
	og_converted out;
	og_convert_options o = { 0 };
	assert_int_equal(og_file_copy(golden(type, "config.json"), scratch("config.json"), NULL), OG_OK);
	assert_int_equal(og_mkdirs(scratch("out"), NULL), OG_OK);
	assert_int_equal(og_convert_plan(scratch_dir, &o, arena, &p, err), OG_OK);
	return og_convert_run(p, scratch_dir, scratch("out"), &o, ONNXGATE_VALIDATE_STRUCTURE, NULL, arena, &out, err);
}

/* Where "RUN" and "NAME n n n …" begin a line of outputs.txt: its numbers; run: "" where the model is one file. */
static const char *line_of(const char *text, const char *run, const char *name)
{
	char key[512];
	snprintf(key, sizeof(key), "\n%.200s%.200s ", run, name);
	if (strncmp(text, key + 1, strlen(key + 1)) == 0)
		return text + strlen(key + 1);
	const char *p = strstr(text, key);
	return p ? p + strlen(key) : NULL;
}

static size_t numbers(const char *text, const char *run, const char *name, double *out, size_t max)
{
	const char *p = line_of(text, run, name);
	size_t n = 0;
	if (!p)
		fail_msg("outputs.txt has no %s%s", run, name);
	while (*p && *p != '\n' && n < max) {
		char *end;
		out[n++] = strtod(p, &end);
		assert_true(end != p);
		p = end + (*end == ' ');
	}
	return n;
}

static bool write_number(og_array *a, size_t i, double v)
{
	switch (a->dtype) {
	case OG_F32: ((float *)a->data)[i] = (float)v; return true;
	case OG_I64: ((int64_t *)a->data)[i] = (int64_t)v; return true;
	case OG_BOOL: ((uint8_t *)a->data)[i] = v != 0; return true;
	default: return false;
	}
}

/* What outputs.txt has for an input: a batch of two, or of three where it is of texts beside images, and one symbol more at most, whose
 * size follows. */
static og_array input(const char *text, const char *run, const og_port *port, og_arena *a)
{
	static double v[512];
	size_t n = numbers(text, run, port->name, v, 512);
	og_array in = { .name = port->name, .dtype = port->dtype, .rank = port->rank };
	int64_t rest = (int64_t)n;
	for (int i = 0; i < in.rank; i++) {
		in.dims[i] = port->dims[i] >= 0 || i ? port->dims[i] : og_input_counts_texts(port) ? 3 : 2;
		rest /= in.dims[i] > 0 ? in.dims[i] : 1;
	}
	for (int i = 0; i < in.rank; i++)
		in.dims[i] = in.dims[i] < 0 ? rest : in.dims[i];
	in.size = n * og_dtype_bits(in.dtype) / 8;
	in.data = og_arena_alloc(a, in.size + 1);
	for (size_t i = 0; i < n; i++)
		assert_true(write_number(&in, i, v[i]));
	return in;
}

static void expect_near(const char *type, const og_array *out, const double *want, size_t n)
{
	double scale = 0, worst = 0;
	assert_int_equal(out->size, n * sizeof(float));
	for (size_t i = 0; i < n; i++) {
		scale = fmax(scale, fabs(want[i]));
		worst = fmax(worst, fabs((double)((const float *)out->data)[i] - want[i]));
	}
	if (!(worst <= 1e-5 * scale))
		fail_msg("%s: %s: largest error %g of scale %g", type, out->name, worst, scale);
}

static void expect_run(const char *type, og_session *s, const char *text, const char *run, og_arena *arena)
{
	static double want[512];
	const og_port *ports;
	og_error err = { 0 };
	size_t nout, nin = og_session_inputs(s, &ports);
	og_array in[16], *out;
	assert_true(nin <= OG_COUNT(in));
	for (size_t i = 0; i < nin; i++)
		in[i] = input(text, run, &ports[i], arena);
	if (og_session_run(s, in, nin, arena, &out, &nout, &err) != OG_OK)
		fail_msg("%s: %s", type, err.message);
	assert_true(nout > 0);
	for (size_t i = 0; i < nout; i++)
		expect_near(type, &out[i], want, numbers(text, run, out[i].name, want, 512));
}

/* The one file, or "FILE/"; "FILE.cached/" is a second run of a merged decoder, in its other branch. */
static void expect_file(og_runtime *r, const char *type, const described *d, const char *text, const char *file)
{
	char path[128], run[128];
	size_t stem = strlen(file) - strlen(".onnx");
	snprintf(path, sizeof(path), "out/%s", file);
	og_session *s = toy_session(r, scratch(path));
	snprintf(run, sizeof(run), "%.*s%s", d->n > 1 ? (int)stem : 0, file, d->n > 1 ? "/" : "");
	expect_run(type, s, text, run, d->arena);
	snprintf(run, sizeof(run), "%.*s.cached/", (int)stem, file);
	if (line_of(text, run, "input_ids"))
		expect_run(type, s, text, run, d->arena);
	else
		assert_null(strstr(file, "merged"));
	og_session_free(s);
}

static void expect_numbers(og_runtime *r, const char *type)
{
	described d = describe(type);
	size_t n;
	og_error err = { 0 };
	og_auto_buf text;
	const toy_weight *w = weights_of(&d, 0, &n);
	og_checkpoint_free(toy_checkpoint(w, n));
	if (convert(type, d.arena, &err) != OG_OK)
		fail_msg("%s: %s", type, err.message);
	og_buf_init(&text, 1 << 20);
	assert_int_equal(og_file_read(golden(type, "outputs.txt"), 1 << 20, &text, NULL), OG_OK);
	const og_file *files = ((const og_plan_inner *)d.plan->inner)->files;
	for (size_t i = 0; i < d.n; i++)
		expect_file(r, type, &d, og_buf_cstr(&text), files[i].name);
	og_arena_free(d.arena);
}

static void test_golden__numbers_are_those_of_transformers(void **state)
{
	og_runtime *r = toy_runtime(0);
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++)
		expect_numbers(r, all[i]->model_type);
	og_runtime_free(r);
}

/* The bias stands twice in old files; when the two differ, nobody can know which is right. */
static void expect_bias_conflict(const char *type, const char *alias, const char *source)
{
	described d = describe(type);
	size_t n;
	char wanted[256];
	toy_weight *w = weights_of(&d, 1, &n);
	og_error err = { 0 };
	w[n] = (toy_weight){ .name = alias, .rank = 1, .dims = { 13 } };
	og_checkpoint_free(toy_checkpoint(w, n + 1));
	assert_int_equal(convert(type, d.arena, &err), ONNXGATE_MISMATCH);
	snprintf(wanted, sizeof(wanted), "%s is tied to %s", alias, source);
	assert_non_null(strstr(err.message, wanted));
	og_arena_free(d.arena);
}

static void test_golden__decoder_bias_must_equal_the_bias(void **state)
{
	(void)state;
	expect_bias_conflict("albert", "predictions.decoder.bias", "predictions.bias");
	expect_bias_conflict("bert", "cls.predictions.decoder.bias", "cls.predictions.bias");
	expect_bias_conflict("mpnet", "lm_head.decoder.bias", "lm_head.bias");
	expect_bias_conflict("roberta", "lm_head.decoder.bias", "lm_head.bias");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden__tensors_and_graph_of_every_architecture),
		SCRATCH_TEST(test_golden__numbers_are_those_of_transformers),
		SCRATCH_TEST(test_golden__decoder_bias_must_equal_the_bias),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
