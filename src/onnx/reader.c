/* SPDX-License-Identifier: Apache-2.0
 *
 * ModelProto and FunctionProto, and the front door of the reader. */
#include "onnx/reader.h"

#include "onnx/stream.h"

enum { F_NAME = 1, F_INPUT = 4, F_OUTPUT = 5, F_ATTRIBUTE = 6, F_NODE = 7, F_OPSET = 9, F_DOMAIN = 10, F_DEFAULT = 11, F_OVERLOAD = 13 };

static const og_field_spec function_specs[] = {
	{ F_NAME, OG_WIRE_LEN, OG_ONCE, "FunctionProto.name" },
	{ F_INPUT, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.input" },
	{ F_OUTPUT, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.output" },
	{ F_ATTRIBUTE, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.attribute" },
	{ F_NODE, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.node" },
	{ 8, OG_WIRE_LEN, OG_IGNORED, "FunctionProto.doc_string" },
	{ F_OPSET, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.opset_import" },
	{ F_DOMAIN, OG_WIRE_LEN, OG_ONCE, "FunctionProto.domain" },
	{ F_DEFAULT, OG_WIRE_LEN, OG_REPEATED, "FunctionProto.attribute_proto" },
	{ 12, OG_WIRE_LEN, OG_IGNORED, "FunctionProto.value_info" },
	{ F_OVERLOAD, OG_WIRE_LEN, OG_ONCE, "FunctionProto.overload" },
	{ 14, OG_WIRE_LEN, OG_IGNORED, "FunctionProto.metadata_props" },
};

struct function_caps {
	size_t inputs, outputs, attributes, defaults, nodes, opsets;
};

static og_status function_field(og_stream *in, const og_message *m, og_onnx_function *f, struct function_caps *caps)
{
	const char **name;
	og_onnx_node *node;
	og_onnx_attribute *attribute;
	og_onnx_opset *opset;

	switch (m->field.number) {
	case F_NAME:
		return og_stream_name(in, m, &f->name);
	case F_DOMAIN:
		return og_stream_name(in, m, &f->domain);
	case F_OVERLOAD:
		return og_stream_name(in, m, &f->overload);
	case F_INPUT:
		OG_TRY(OG_STREAM_PUSH(in, f->inputs, f->ninputs, caps->inputs, &name));
		return og_stream_name(in, m, name);
	case F_OUTPUT:
		OG_TRY(OG_STREAM_PUSH(in, f->outputs, f->noutputs, caps->outputs, &name));
		return og_stream_name(in, m, name);
	case F_ATTRIBUTE:
		OG_TRY(OG_STREAM_PUSH(in, f->attributes, f->nattributes, caps->attributes, &name));
		return og_stream_name(in, m, name);
	case F_NODE:
		OG_TRY(OG_STREAM_PUSH(in, f->nodes, f->nnodes, caps->nodes, &node));
		return og_read_node(in, m->field_end, node);
	case F_OPSET:
		if (f->nopsets == OG_ONNX_OPSETS_MAX)
			return og_stream_bad(in, m->field.at, "%s: more than %d", m->spec->name, OG_ONNX_OPSETS_MAX);
		OG_TRY(OG_STREAM_PUSH(in, f->opsets, f->nopsets, caps->opsets, &opset));
		return og_read_opset(in, m->field_end, opset);
	default: /* F_DEFAULT */
		OG_TRY(OG_STREAM_PUSH(in, f->defaults, f->ndefaults, caps->defaults, &attribute));
		return og_read_attribute(in, m->field_end, attribute);
	}
}

static og_status read_function(og_stream *in, uint64_t end, og_onnx_function *f)
{
	og_message m = OG_MESSAGE(function_specs, end);
	struct function_caps caps = { 0 };
	bool more;

	f->name = f->domain = f->overload = og_names_at(in->names, 0);
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		OG_TRY(function_field(in, &m, f, &caps));
	}
}

enum { M_IR = 1, M_PRODUCER = 2, M_PRODUCER_VERSION = 3, M_DOMAIN = 4, M_VERSION = 5, M_GRAPH = 7, M_OPSET = 8, M_METADATA = 14, M_FUNCTION = 25 };

static const og_field_spec model_specs[] = {
	{ M_IR, OG_WIRE_VARINT, OG_ONCE, "ModelProto.ir_version" },
	{ M_PRODUCER, OG_WIRE_LEN, OG_ONCE, "ModelProto.producer_name" },
	{ M_PRODUCER_VERSION, OG_WIRE_LEN, OG_ONCE, "ModelProto.producer_version" },
	{ M_DOMAIN, OG_WIRE_LEN, OG_ONCE, "ModelProto.domain" },
	{ M_VERSION, OG_WIRE_VARINT, OG_ONCE, "ModelProto.model_version" },
	{ 6, OG_WIRE_LEN, OG_IGNORED, "ModelProto.doc_string" },
	{ M_GRAPH, OG_WIRE_LEN, OG_ONCE, "ModelProto.graph" },
	{ M_OPSET, OG_WIRE_LEN, OG_REPEATED, "ModelProto.opset_import" },
	{ M_METADATA, OG_WIRE_LEN, OG_REPEATED, "ModelProto.metadata_props" },
	{ 20, OG_WIRE_LEN, OG_IGNORED, "ModelProto.training_info" },
	{ M_FUNCTION, OG_WIRE_LEN, OG_REPEATED, "ModelProto.functions" },
	{ 26, OG_WIRE_LEN, OG_IGNORED, "ModelProto.configuration" },
};

struct model_caps {
	size_t opsets, metadata, functions;
};

static og_status model_field(og_stream *in, const og_message *m, og_onnx_model *o, struct model_caps *caps)
{
	og_onnx_opset *opset;
	og_onnx_pair *pair;
	og_onnx_function *function;

	switch (m->field.number) {
	case M_IR:
		o->ir_version = (int64_t)m->field.value;
		return OG_OK;
	case M_VERSION:
		o->model_version = (int64_t)m->field.value;
		return OG_OK;
	case M_PRODUCER:
		return og_stream_text(in, m, &o->producer);
	case M_PRODUCER_VERSION:
		return og_stream_text(in, m, &o->producer_version);
	case M_DOMAIN:
		return og_stream_text(in, m, &o->domain);
	case M_GRAPH:
		OG_TRY(og_stream_alloc(in, sizeof(*o->graph), &o->graph));
		return og_read_graph(in, m->field_end, o->graph);
	case M_OPSET:
		if (o->nopsets == OG_ONNX_OPSETS_MAX)
			return og_stream_bad(in, m->field.at, "%s: more than %d", m->spec->name, OG_ONNX_OPSETS_MAX);
		OG_TRY(OG_STREAM_PUSH(in, o->opsets, o->nopsets, caps->opsets, &opset));
		return og_read_opset(in, m->field_end, opset);
	case M_METADATA:
		OG_TRY(OG_STREAM_PUSH(in, o->metadata_props, o->nmetadata_props, caps->metadata, &pair));
		return og_read_pair(in, m->field_end, pair);
	default: /* M_FUNCTION */
		OG_TRY(OG_STREAM_PUSH(in, o->functions, o->nfunctions, caps->functions, &function));
		return read_function(in, m->field_end, function);
	}
}

static og_status read_model(og_stream *in, uint64_t end)
{
	og_message m = OG_MESSAGE(model_specs, end);
	struct model_caps caps = { 0 };
	bool more;

	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		OG_TRY(model_field(in, &m, in->model, &caps));
	}
}

/* What is often found under the name of a model, and is none. */
static og_status check_not_text(og_source *s, og_error *err)
{
	static const struct {
		const char *start, *what;
	} known[] = {
		{ "version https://git-lfs", "a git-LFS pointer" }, { "<!DOCTYPE", "an HTML page" }, { "<!doctype", "an HTML page" }, { "<html", "an HTML page" },
		{ "PK\003\004", "a zip archive" }, { "ORTM", "an ONNX Runtime flatbuffer" },
	};
	char start[32] = "";
	size_t n = s->size < sizeof(start) - 1 ? (size_t)s->size : sizeof(start) - 1;

	OG_TRY(og_source_read(s, 0, start, n, err));
	for (size_t i = 0; i < OG_COUNT(known); i++) {
		/* a flatbuffer has its mark behind the root offset */
		if (og_starts_with(start, known[i].start) || (known[i].start[0] == 'O' && n > 8 && memcmp(start + 4, known[i].start, 4) == 0))
			return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: expected an ONNX model, found %s", s->name, known[i].what);
	}
	return OG_OK;
}

og_status og_onnx_read(og_source *s, const og_context *ctx, og_arena *arena, og_onnx_model **out, og_error *err)
{
	og_autofree og_stream *in = NULL;
	og_onnx_model *model;

	if (s->size == 0)
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: expected an ONNX model, found an empty file", s->name);
	if (s->size > OG_ONNX_BYTES_MAX)
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: %llu bytes, more than the 2 GiB that a protobuf message can have", s->name,
			(unsigned long long)s->size);
	OG_TRY(check_not_text(s, err));
	in = og_alloc(sizeof(*in));
	if (!in)
		return og_fail_nomem(err);
	in->source = s;
	in->ctx = ctx;
	in->arena = arena;
	in->err = err;
	in->arena_base = og_arena_size(arena);
	in->names = og_names_new(arena);
	in->model = model = og_arena_alloc(arena, sizeof(*model));
	if (!in->names || !model)
		return og_fail_nomem(err);
	model->names = in->names;
	model->producer = model->producer_version = model->domain = "";
	OG_TRY(read_model(in, s->size));
	if (!model->graph)
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: expected an ONNX model, found a message without a graph", s->name);
	*out = model;
	return OG_OK;
}

og_status og_onnx_read_file(const char *path, const og_context *ctx, og_arena *arena, og_onnx_model **out, og_error *err)
{
	og_auto(og_source) *s = NULL;

	OG_TRY(og_source_open(path, &s, err));
	return og_onnx_read(s, ctx, arena, out, err);
}
