/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden cases: tests/golden/<type>/cases.txt names the tasks and switches of a family, each a change of the golden's config.json;
 * cases/<name>.txt has what transformers computes in float64 for it (tools/golden.py), and what some of its modules give on the way. Each is
 * described, written and run by the real ONNX Runtime; the weights are seeded by their names and shapes, here as there. */
#include "../graph/checkpoint_toy.h"

#include "../toy_runtime.h"
#include "base/str.h"
#include "convert/convert_int.h"
#include "graph/emit.h"

#include <fnmatch.h>
#include <math.h>

#define LIMIT 1e-5 /* of the largest number */

typedef struct one_case {
	const char *type;
	char name[64], class_name[64], task[64], variant[32]; /* "-": the class's own */
	og_json *changes;
	og_arena *arena;
	const char *text; /* of cases/<name>.txt */
	char why[512];    /* it fails; "": it does not */
} one_case;

static const char *case_path(const char *type, const char *name)
{
	static char path[512];
	snprintf(path, sizeof(path), OG_TESTS "/golden/%s/%s", type, name);
	return path;
}

static void OG_PRINTF(2, 3) say(one_case *c, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(c->why);
	va_start(ap, fmt);
	vsnprintf(c->why + n, sizeof(c->why) - n, fmt, ap);
	va_end(ap);
}

/* ---- from a config to a described model ---- */

/* Objects key by key, anything else whole. */
static void merge(og_json *into, const og_json *changes)
{
	json_object_object_foreach((og_json *)changes, key, v)
	{
		og_json *old = og_json_get(into, key);
		if (json_object_is_type(v, json_type_object) && json_object_is_type(old, json_type_object))
			merge(old, v);
		else
			og_json_set(into, key, json_object_get(v));
	}
}

static og_json *config_of(const one_case *c)
{
	og_json *doc = NULL, *classes = json_object_new_array();
	assert_int_equal(og_json_read(case_path(c->type, "config.json"), OG_CONFIG_BYTES_MAX, &doc, NULL), OG_OK);
	merge(doc, c->changes);
	json_object_array_add(classes, json_object_new_string(c->class_name));
	og_json_set(doc, "architectures", classes);
	return doc;
}

/* FNV-1a of "NAME [DIMS]", the name below the base prefix, which some classes' tensors have and others' have not. */
static uint64_t seed_of(const og_claim *c, const char *base)
{
	char shape[128], text[512];
	uint64_t h = 0xcbf29ce484222325u;
	size_t n = base ? strlen(base) : 0;
	bool prefixed = n && strncmp(c->name, base, n) == 0 && c->name[n] == '.';
	snprintf(text, sizeof(text), "%.300s %s", c->name + (prefixed ? n + 1 : 0), og_dims_show(c->dims, c->rank, shape, sizeof(shape)));
	for (const char *p = text; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	return h;
}

static og_checkpoint *checkpoint_of(const og_ledger *l, const og_arch *arch, og_arena *arena)
{
	size_t n;
	const og_claim *claims = og_ledger_claims(l, &n);
	toy_weight *w = og_arena_array(arena, n, sizeof(*w));
	for (size_t i = 0; i < n; i++) {
		w[i] = (toy_weight){ .name = claims[i].name, .rank = claims[i].rank, .seed = seed_of(&claims[i], arch->base_prefix) };
		w[i].positive = og_ends_with(claims[i].name, "running_var");
		assert_true(claims[i].rank <= (int)OG_COUNT(w[i].dims));
		memcpy(w[i].dims, claims[i].dims, (size_t)claims[i].rank * sizeof(int64_t));
	}
	return toy_checkpoint(w, n);
}

/* Once for the tensors that are asked for, and once more with them. */
static og_status describe(const og_plan *p, og_arena *arena, og_checkpoint **cp, og_model ***models, size_t *n, og_error *err)
{
	const og_plan_inner *in = p->inner;
	og_ledger *l;
	og_ledger_report report;
	OG_TRY(og_ledger_new(arena, NULL, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, models, n, err));
	*cp = checkpoint_of(l, in->arch, arena);
	OG_TRY(og_ledger_new(arena, *cp, in->arch->base_prefix, in->arch->fields, in->config, &l, err));
	OG_TRY(og_describe_files(p, l, arena, models, n, err));
	return og_ledger_check(l, in->arch->ignore, false, &report, err);
}

/* ---- what was recorded: lines "KEY [N, N] number …", of inputs also "KEY [N, N] seed N" ---- */

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');
	return end ? end + 1 : line + strlen(line);
}

/* Behind "RUN" and "NAME "; run: "" where the model is one file. NULL: there is no such line. */
static const char *line_of(const char *text, const char *run, const char *name)
{
	char key[512];
	snprintf(key, sizeof(key), "%.200s%.200s ", run, name);
	for (const char *p = text; *p; p = next_line(p))
		if (strncmp(p, key, strlen(key)) == 0)
			return p + strlen(key);
	return NULL;
}

static double number(const char **p)
{
	char *end;
	double v = strtod(*p, &end);
	assert_true(end != *p);
	*p = end;
	return v;
}

static size_t dims_at(const char **p, og_array *a)
{
	size_t n = 1;
	assert_int_equal(*(*p)++, '[');
	for (a->rank = 0; **p != ']'; a->rank++) {
		assert_true(a->rank < OG_RANK_MAX);
		a->dims[a->rank] = (int64_t)number(p);
		n *= (size_t)a->dims[a->rank];
		*p += strspn(*p, ", ");
	}
	++*p;
	return n;
}

static bool input(const one_case *c, const char *run, const og_port *port, og_array *a)
{
	const char *p = line_of(c->text, run, port->name);
	if (!p)
		return false;
	*a = (og_array){ .name = port->name, .dtype = port->dtype };
	size_t n = dims_at(&p, a);
	a->size = n * og_dtype_bits(a->dtype) / 8;
	a->data = og_arena_alloc(c->arena, a->size + 1);
	if (strncmp(p, " seed ", 6) == 0) {
		assert_true(a->dtype == OG_F32);
		toy_fill(a->data, n, strtoull(p + 6, NULL, 10));
		return a->rank == port->rank;
	}
	for (size_t i = 0; i < n; i++)
		if (a->dtype == OG_F32)
			((float *)a->data)[i] = (float)number(&p);
		else
			((int64_t *)a->data)[i] = (int64_t)number(&p);
	return a->rank == port->rank && (a->dtype == OG_F32 || a->dtype == OG_I64);
}

/* ---- intermediate values ---- */

/* "/bert/encoder/layer.0/output/LayerNorm/Add_1" is of the module "encoder.layer.0.output.LayerNorm" of the base model. */
static bool is_of_module(const char *node, const char *module, const char *base)
{
	char place[256];
	const char *end = strrchr(node, '/');
	size_t skip = base ? strlen(base) : 0;
	if (!end || *node++ != '/' || end < node)
		return false;
	if (skip && strncmp(node, base, skip) == 0 && node[skip] == '/' && node + skip < end)
		node += skip + 1;
	snprintf(place, sizeof(place), "%.*s", (int)(end - node), node);
	for (char *p = place; *p; p++)
		*p = *p == '/' ? '.' : *p;
	return fnmatch(module, place, 0) == 0;
}

/* The last value of the module that a line is of: "@MODULE" or, where the node's place is another one, "@MODULE=PLACE", with * in it. */
static og_val value_of(const og_model *m, const char *key, const char *base)
{
	char module[256];
	size_t n = strcspn(key, " "), to = strcspn(key, "=");
	og_val found = OG_NONE;
	to = to < n ? to + 1 : 0;
	snprintf(module, sizeof(module), "%.*s", (int)(n - to), key + to);
	for (size_t i = 0; i < m->main->nnodes; i++)
		if (is_of_module(m->main->nodes[i]->name, module, base))
			found = m->main->nodes[i]->out[0];
	return found;
}

static const char *tap_in(const char *line, const char *run)
{
	return strncmp(line, run, strlen(run)) == 0 && line[strlen(run)] == '@' ? line + strlen(run) + 1 : NULL;
}

/* Each becomes an output, unless it is one. */
static void add_taps(one_case *c, og_model *m, const char *run, const char *base)
{
	og_graph *g = m->main;
	for (const char *p = c->text; *p; p = next_line(p)) {
		const char *key = tap_in(p, run);
		og_val v = key ? value_of(m, key, base) : OG_NONE;
		bool there = !key;
		if (key && !v.id)
			say(c, "no node of %.*s; ", (int)strcspn(key, " "), key);
		for (size_t i = 0; i < g->noutputs; i++)
			there = there || g->outputs[i].id == v.id;
		if (there || !v.id)
			continue;
		assert_true(og_arena_grow(m->arena, &g->outputs, &g->outputs_cap, g->noutputs + 1, sizeof(*g->outputs)));
		g->outputs[g->noutputs++] = v;
	}
}

static const og_array *array_named(const og_array *a, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i].name, name) == 0)
			return &a[i];
	return NULL;
}

/* "[dims] largest sum first …"; the sum is nan where rows are of different lengths. */
static bool tap_fits(const og_array *a, const char *p)
{
	og_array want = { 0 };
	const float *x = a->data;
	size_t n = dims_at(&p, &want);
	double largest = number(&p), sum = number(&p), own = 0, worst = 0;
	bool whole = !isnan(sum);
	if (whole && a->size != n * sizeof(float))
		return false;
	for (size_t i = 0; whole && i < n; i++)
		own += (double)x[i];
	for (size_t i = 0; *p == ' ' && i * sizeof(float) < a->size; i++)
		worst = fmax(worst, fabs((double)x[i] - number(&p)));
	return worst <= LIMIT * largest && (!whole || fabs(own - sum) <= LIMIT * largest * (double)n);
}

static void compare_taps(one_case *c, const og_model *m, const char *run, const char *base, const og_array *out, size_t n)
{
	for (const char *p = c->text; *p; p = next_line(p)) {
		const char *key = tap_in(p, run);
		const og_value *v = key ? og_model_value(m, value_of(m, key, base)) : NULL;
		const og_array *a = v ? array_named(out, n, v->name) : NULL;
		if (!v || (a && tap_fits(a, strchr(key, ' ') + 1)))
			continue;
		say(c, "the first module that differs is %.*s; ", (int)strcspn(key, " "), key);
		return;
	}
}

/* ---- a run ---- */

/* nan: whatever stands there, behind a row's end. */
static void compare(one_case *c, const char *run, const og_array *out)
{
	const char *p = line_of(c->text, run, out->name);
	og_array want = { 0 };
	double scale = 0, worst = 0;
	if (!p) {
		say(c, "%s%s was not recorded; ", run, out->name);
		return;
	}
	size_t n = dims_at(&p, &want);
	if (out->rank != want.rank || memcmp(out->dims, want.dims, (size_t)want.rank * sizeof(int64_t)) != 0 || out->size != n * sizeof(float)) {
		say(c, "%s%s has other dims; ", run, out->name);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		double v = number(&p), d = fabs((double)((const float *)out->data)[i] - v);
		scale = isnan(v) ? scale : fmax(scale, fabs(v));
		worst = isnan(v) ? worst : isnan(d) ? (double)INFINITY : fmax(worst, d);
	}
	if (!(worst <= LIMIT * scale))
		say(c, "%s%s: largest error %g of scale %g; ", run, out->name, worst, scale);
}

static void run_session(one_case *c, og_session *s, const og_model *m, const char *run, const char *base, size_t own)
{
	const og_port *ports;
	og_error err = { 0 };
	og_array in[8], *out;
	size_t nout, nin = og_session_inputs(s, &ports);
	assert_true(nin <= OG_COUNT(in));
	for (size_t i = 0; i < nin; i++)
		if (!input(c, run, &ports[i], &in[i])) {
			say(c, "input %s%s was not recorded so; ", run, ports[i].name);
			return;
		}
	if (og_session_run(s, in, nin, c->arena, &out, &nout, &err) != OG_OK) {
		say(c, "%s; ", err.message);
		return;
	}
	for (size_t i = 0; i < own; i++)
		compare(c, run, &out[i]);
	compare_taps(c, m, run, base, out, nout);
}

static void run_file(one_case *c, og_runtime *r, og_model *m, const char *file, bool several, const char *base)
{
	og_emitted made[2];
	size_t n, own = m->main->noutputs;
	og_error err = { 0 };
	char run[64] = "";
	if (several)
		snprintf(run, sizeof(run), "%.*s/", (int)(strlen(file) - strlen(".onnx")), file);
	add_taps(c, m, run, base);
	if (og_emit(m, scratch_dir, file, &(og_emit_options){ 0 }, NULL, made, &n, &err) != OG_OK) {
		say(c, "%s; ", err.message);
		return;
	}
	og_session *s = toy_session(r, scratch(file));
	run_session(c, s, m, run, base, own);
	og_session_free(s);
}

static void run_case(one_case *c, og_runtime *r)
{
	og_auto(og_json) *doc = config_of(c);
	og_convert_options o = { .task = strcmp(c->task, "-") ? c->task : NULL, .variant = strcmp(c->variant, "-") ? c->variant : NULL };
	og_plan *p = NULL;
	og_checkpoint *cp = NULL;
	og_model **models;
	size_t n;
	og_error err = { 0 };
	og_status s = og_plan_make(doc, false, NULL, &o, c->arena, &p, &err);
	if (s == OG_OK)
		s = describe(p, c->arena, &cp, &models, &n, &err);
	if (s != OG_OK)
		say(c, "%s", err.message);
	const og_plan_inner *in = s == OG_OK ? p->inner : NULL;
	for (size_t i = 0; in && i < n; i++)
		run_file(c, r, models[i], in->files[i].name, n > 1, in->arch->base_prefix);
	og_checkpoint_free(cp);
}

/* ---- the cases ---- */

static bool expect_case(og_runtime *r, const char *type, const char *line)
{
	one_case c = { .type = type, .arena = og_arena_new() };
	char file[128];
	int at = 0;
	og_auto_buf text;
	og_buf_init(&text, 1 << 16);
	assert_int_equal(sscanf(line, "%63s %63s %63s %31s %n", c.name, c.class_name, c.task, c.variant, &at), 4);
	assert_int_equal(og_json_parse(type, line + at, strcspn(line + at, "\n"), &c.changes, NULL), OG_OK);
	snprintf(file, sizeof(file), "cases/%s.txt", c.name);
	if (og_file_read(case_path(type, file), 1 << 16, &text, NULL) == OG_OK) {
		c.text = og_buf_cstr(&text);
		run_case(&c, r);
	} else {
		say(&c, "there is no %s; ", file);
	}
	if (c.why[0])
		print_error("%s: %s: %s\n", type, c.name, c.why);
	og_json_free(c.changes);
	og_arena_free(c.arena);
	return !c.why[0];
}

static void test_cases__tasks_and_switches_are_those_of_transformers(void **state)
{
	og_runtime *r = toy_runtime(0);
	size_t n, failed = 0, done = 0;
	const char *only = getenv("ONNXGATE_GOLDEN_TYPE");
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		og_auto_buf text;
		og_buf_init(&text, 1 << 16);
		if ((only && strcmp(only, all[i]->model_type) != 0) || og_file_read(case_path(all[i]->model_type, "cases.txt"), 1 << 16, &text, NULL) != OG_OK)
			continue;
		for (const char *p = og_buf_cstr(&text); *p; p = next_line(p))
			if (*p != '#' && strncmp(p, "watch ", 6) != 0) {
				failed += !expect_case(r, all[i]->model_type, p);
				done++;
			}
	}
	og_runtime_free(r);
	assert_true(done > 0);
	assert_int_equal(failed, 0);
}

static bool generates(const og_arch *a)
{
	for (const og_head *h = a->heads; h->class_name; h++)
		if (og_ends_with(h->task, "generation"))
			return true;
	return false;
}

static void expect_line(const og_arch *a, const char *cases, const og_head *h, const char *variant)
{
	char asked[160], own[160];
	snprintf(asked, sizeof(asked), " %s %s %s ", h->class_name, h->task, variant);
	snprintf(own, sizeof(own), " %s - %s ", h->class_name, variant);
	if (!strstr(cases, asked) && !strstr(cases, own))
		fail_msg("%s/cases.txt: no case of %s, %s, %s", a->model_type, h->class_name, h->task, variant);
}

/* A head without a case would go unnoticed; so would a switch, but which those are nothing here knows. */
static void test_cases__every_head_of_an_encoder_has_one(void **state)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		og_auto_buf text;
		og_buf_init(&text, 1 << 16);
		if (generates(all[i])) /* golden_test.c has all of its files */
			continue;
		assert_int_equal(og_file_read(case_path(all[i]->model_type, "cases.txt"), 1 << 16, &text, NULL), OG_OK);
		for (const og_head *h = all[i]->heads; h->class_name; h++) {
			expect_line(all[i], og_buf_cstr(&text), h, "-");
			for (const og_variant *v = h->variants; v && v->name; v++)
				expect_line(all[i], og_buf_cstr(&text), h, v->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases__every_head_of_an_encoder_has_one),
		SCRATCH_TEST(test_cases__tasks_and_switches_are_those_of_transformers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
