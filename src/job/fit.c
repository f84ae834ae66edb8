/* SPDX-License-Identifier: Apache-2.0
 *
 * One table row a task and kind of input: the outputs that a model of that task has (one of several names), their rank, the
 * input's name and rank.  A task with several rows is judged by the row whose input is there, else by its first.  What tells
 * fill-mask from token-classification is the width of the last dim: the vocabulary's. */
#include "job/fit.h"

#include "base/str.h"
#include "onnx/reader.h"

#include <math.h>

typedef enum fit_width { ANY, VOCABULARY, NOT_VOCABULARY } fit_width;

static const struct fit_row {
	const char *task;
	const char *outputs[3]; /* all of them */
	const char *instead;    /* of the first, NULL: none */
	size_t rank;
	const char *input;
	size_t input_rank;
	fit_width width;
	const char *beside; /* another input that there must be; NULL: none */
	const char *past;   /* another output that there must be; NULL: none */
} rows[] = {
	{ "feature-extraction", { "text_embeds", "image_embeds" }, NULL, 2, "pixel_values", 4, ANY, "input_ids" },
	{ "feature-extraction", { "last_hidden_state" }, "token_embeddings", 3, "input_ids", 2, ANY },
	{ "feature-extraction", { "last_hidden_state" }, NULL, 3, "pixel_values", 4, ANY },
	{ "fill-mask", { "logits" }, NULL, 3, "input_ids", 2, VOCABULARY },
	{ "text-generation", { "logits" }, NULL, 3, "input_ids", 2, VOCABULARY },
	{ "text-generation-with-past", { "logits" }, NULL, 3, "input_ids", 2, VOCABULARY, "past_key_values.0.key", "present.0.key" },
	{ "feature-extraction-with-past", { "last_hidden_state" }, NULL, 3, "input_ids", 2, ANY, NULL, "present.0.key" },
	{ "text-classification", { "logits" }, NULL, 2, "input_ids", 2, ANY },
	{ "token-classification", { "logits" }, NULL, 3, "input_ids", 2, NOT_VOCABULARY },
	{ "question-answering", { "start_logits", "end_logits" }, NULL, 2, "input_ids", 2, ANY },
	{ "multiple-choice", { "logits" }, NULL, 2, "input_ids", 3, ANY },
	{ "image-classification", { "logits" }, NULL, 2, "pixel_values", 4, ANY },
	{ "masked-im", { "reconstruction" }, NULL, 4, "pixel_values", 4, ANY },
	{ "zero-shot-image-classification", { "logits_per_image" }, NULL, 2, "pixel_values", 4, ANY, "input_ids" },
	{ "feature-extraction", { "last_hidden_state" }, NULL, 3, "input_values", 2, ANY },
	{ "automatic-speech-recognition", { "logits" }, NULL, 3, "input_values", 2, VOCABULARY },
	{ "audio-classification", { "logits" }, NULL, 2, "input_values", 2, ANY },
	{ "audio-frame-classification", { "logits" }, NULL, 3, "input_values", 2, ANY },
	{ "audio-xvector", { "logits", "embeddings" }, NULL, 2, "input_values", 2, ANY },
};

static og_status add_data(const og_onnx_tensor *t, og_arena *arena, og_fit_facts *out, size_t *cap, og_error *err)
{
	for (size_t i = 0; t->external && i < t->nexternal_data; i++) {
		if (!og_streq(t->external_data[i].key, "location"))
			continue;
		const char *name = t->external_data[i].value;
		for (size_t k = 0; k < out->ndata; k++)
			if (og_streq(out->data[k], name))
				return OG_OK;
		if (!og_arena_grow(arena, &out->data, cap, out->ndata + 1, sizeof(*out->data)))
			return og_fail_nomem(err);
		out->data[out->ndata++] = name;
	}
	return OG_OK;
}

og_status og_fit_read(const char *onnx_path, og_arena *arena, og_fit_facts *out, og_error *err)
{
	og_onnx_model *m = NULL;
	size_t cap = 0;
	*out = (og_fit_facts){ 0 };
	OG_TRY(og_onnx_read_file(onnx_path, NULL, arena, &m, err));
	out->model = m;
	out->opset = (int)og_onnx_opset_of(m->opsets, m->nopsets, "");
	/* Weights inside subgraphs that lie outside the file are left to the structure check, which names them. */
	for (size_t i = 0; m->graph && i < m->graph->ninitializers; i++)
		OG_TRY(add_data(&m->graph->initializers[i], arena, out, &cap, err));
	return OG_OK;
}

static const og_onnx_value *find(const og_onnx_value *v, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (og_streq(v[i].name, name))
			return &v[i];
	return NULL;
}

bool og_fit_gives(const og_fit_facts *f, const char *output)
{
	const og_onnx_graph *g = f->model->graph;
	return g && find(g->outputs, g->noutputs, output);
}

static bool has_rank(const og_onnx_value *v, size_t rank)
{
	return !v->type || !v->type->has_shape || v->type->rank == rank;
}

/* NULL: it fits; else the one thing that does not, for the message. */
static const char *misfit(const og_onnx_graph *g, const struct fit_row *row, const og_fit_wish *w, og_arena *a)
{
	for (size_t i = 0; i < OG_COUNT(row->outputs) && row->outputs[i]; i++) {
		const og_onnx_value *v = find(g->outputs, g->noutputs, row->outputs[i]);
		if (!v && i == 0 && !w->plain)
			v = find(g->outputs, g->noutputs, row->instead);
		if (!v)
			return og_arena_printf(a, "expected an output %s, found %zu others, the first is %s", row->outputs[i], g->noutputs,
			                       g->noutputs ? g->outputs[0].name : "none");
		if (!has_rank(v, row->rank))
			return og_arena_printf(a, "output %s: expected rank %zu, found %zu", v->name, row->rank, v->type->rank);
		int64_t last = v->type && v->type->has_shape && v->type->rank ? v->type->dims[v->type->rank - 1].value : -1;
		if (row->width == VOCABULARY && w->vocab_size && last >= 0 && last != w->vocab_size)
			return og_arena_printf(a, "output %s: expected the vocabulary's width %lld, found %lld", v->name, (long long)w->vocab_size, (long long)last);
		if (row->width == NOT_VOCABULARY && w->vocab_size && last == w->vocab_size)
			return og_arena_printf(a, "output %s: expected one figure a label, found the vocabulary's width %lld", v->name, (long long)last);
	}
	const og_onnx_value *in = find(g->inputs, g->ninputs, row->input);
	if (!in)
		return og_arena_printf(a, "expected an input %s, found %zu others", row->input, g->ninputs);
	if (row->beside && !find(g->inputs, g->ninputs, row->beside))
		return og_arena_printf(a, "expected an input %s, found %zu others", row->beside, g->ninputs);
	if (row->past && !find(g->outputs, g->noutputs, row->past))
		return og_arena_printf(a, "expected an output %s, found %zu others", row->past, g->noutputs);
	if (!has_rank(in, row->input_rank))
		return og_arena_printf(a, "input %s: expected rank %zu, found %zu", row->input, row->input_rank, in->type->rank);
	return NULL;
}

static const struct fit_row *row_of(const char *task, const og_onnx_graph *g)
{
	const struct fit_row *first = NULL;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		if (!og_streq(rows[i].task, task))
			continue;
		if (g && find(g->inputs, g->ninputs, rows[i].input) && (!rows[i].beside || find(g->inputs, g->ninputs, rows[i].beside)))
			return &rows[i];
		if (!first || (first->beside && !rows[i].beside))
			first = &rows[i];
	}
	return first;
}

og_status og_fit_check(const og_fit_facts *f, const og_fit_wish *w, og_checks *out, og_error *err)
{
	const struct fit_row *row = row_of(w->task, f->model->graph);
	if (w->opset && f->opset != w->opset)
		og_check_add(out, "opset.fit", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_FAIL, f->opset, NAN, "expected opset %d, found %d", w->opset, f->opset);
	if (row && f->model->graph) {
		const char *why = misfit(f->model->graph, row, w, out->arena);
		if (why)
			og_check_add(out, "task.fit", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_FAIL, NAN, NAN, "%s: %s", w->task, why);
		else
			og_check_add(out, "task.fit", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_PASS, NAN, NAN, "inputs and outputs are those of %s", w->task);
	}
	return out->nomem ? og_fail_nomem(err) : OG_OK;
}
