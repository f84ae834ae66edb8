/* SPDX-License-Identifier: Apache-2.0
 *
 * GraphProto, NodeProto, AttributeProto and ValueInfoProto.  Graphs hold nodes that hold attributes that
 * hold graphs: the depth is bounded by OG_ONNX_DEPTH_MAX, nodes by OG_ONNX_NODES_MAX over the whole file. */
#include "onnx/stream.h"

#include "onnx/schema.h"

og_status og_read_pair(og_stream *in, uint64_t end, og_onnx_pair *p)
{
	static const og_field_spec specs[] = {
		{ 1, OG_WIRE_LEN, OG_ONCE, "StringStringEntryProto.key" },
		{ 2, OG_WIRE_LEN, OG_ONCE, "StringStringEntryProto.value" },
	};
	og_message m = OG_MESSAGE(specs, end);
	bool more;

	p->key = p->value = "";
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		OG_TRY(og_stream_text(in, &m, m.field.number == 1 ? &p->key : &p->value));
	}
}

og_status og_read_opset(og_stream *in, uint64_t end, og_onnx_opset *o)
{
	static const og_field_spec specs[] = {
		{ 1, OG_WIRE_LEN, OG_ONCE, "OperatorSetIdProto.domain" },
		{ 2, OG_WIRE_VARINT, OG_ONCE, "OperatorSetIdProto.version" },
	};
	og_message m = OG_MESSAGE(specs, end);
	bool more;

	o->domain = og_names_at(in->names, 0);
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			break;
		if (m.field.number == 1)
			OG_TRY(og_stream_name(in, &m, &o->domain));
		else
			o->version = (int64_t)m.field.value;
	}
	if (og_streq(o->domain, "ai.onnx"))
		o->domain = og_names_at(in->names, 0);
	return OG_OK;
}

og_status og_read_value(og_stream *in, uint64_t end, og_onnx_value *v)
{
	static const og_field_spec specs[] = {
		{ 1, OG_WIRE_LEN, OG_ONCE, "ValueInfoProto.name" },
		{ 2, OG_WIRE_LEN, OG_ONCE, "ValueInfoProto.type" },
		{ 3, OG_WIRE_LEN, OG_IGNORED, "ValueInfoProto.doc_string" },
		{ 4, OG_WIRE_LEN, OG_IGNORED, "ValueInfoProto.metadata_props" },
	};
	og_message m = OG_MESSAGE(specs, end);
	bool more;

	v->name = og_names_at(in->names, 0);
	for (;;) {
		og_onnx_type *type;

		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (m.field.number == 1) {
			OG_TRY(og_stream_name(in, &m, &v->name));
			continue;
		}
		OG_TRY(og_stream_alloc(in, sizeof(*type), &type));
		v->type = type;
		OG_TRY(og_read_type(in, m.field_end, 0, type));
	}
}

enum {
	A_NAME = 1, A_F = 2, A_I = 3, A_S = 4, A_T = 5, A_G = 6, A_FLOATS = 7, A_INTS = 8, A_STRINGS = 9, A_TENSORS = 10, A_GRAPHS = 11, A_TYPE_PROTO = 14,
	A_TYPE_PROTOS = 15, A_TYPE = 20, A_REFERENCE = 21, A_SPARSE = 22, A_SPARSES = 23
};

static const og_field_spec attribute_specs[] = {
	{ A_NAME, OG_WIRE_LEN, OG_ONCE, "AttributeProto.name" },
	{ A_F, OG_WIRE_I32, OG_ONCE, "AttributeProto.f" },
	{ A_I, OG_WIRE_VARINT, OG_ONCE, "AttributeProto.i" },
	{ A_S, OG_WIRE_LEN, OG_ONCE, "AttributeProto.s" },
	{ A_T, OG_WIRE_LEN, OG_ONCE, "AttributeProto.t" },
	{ A_G, OG_WIRE_LEN, OG_ONCE, "AttributeProto.g" },
	{ A_FLOATS, OG_WIRE_I32, OG_PACKED, "AttributeProto.floats" },
	{ A_INTS, OG_WIRE_VARINT, OG_PACKED, "AttributeProto.ints" },
	{ A_STRINGS, OG_WIRE_LEN, OG_REPEATED, "AttributeProto.strings" },
	{ A_TENSORS, OG_WIRE_LEN, OG_REPEATED, "AttributeProto.tensors" },
	{ A_GRAPHS, OG_WIRE_LEN, OG_REPEATED, "AttributeProto.graphs" },
	{ 13, OG_WIRE_LEN, OG_IGNORED, "AttributeProto.doc_string" },
	{ A_TYPE_PROTO, OG_WIRE_LEN, OG_ONCE, "AttributeProto.tp" },
	{ A_TYPE_PROTOS, OG_WIRE_LEN, OG_REPEATED, "AttributeProto.type_protos" },
	{ A_TYPE, OG_WIRE_VARINT, OG_ONCE, "AttributeProto.type" },
	{ A_REFERENCE, OG_WIRE_LEN, OG_ONCE, "AttributeProto.ref_attr_name" },
	{ A_SPARSE, OG_WIRE_LEN, OG_ONCE, "AttributeProto.sparse_tensor" },
	{ A_SPARSES, OG_WIRE_LEN, OG_REPEATED, "AttributeProto.sparse_tensors" },
};

/* The type that a value field means; UNDEFINED: not a value field. */
static og_attr_type attribute_field_type(uint32_t number)
{
	if (number >= A_F && number <= A_GRAPHS)
		return (og_attr_type)(number - A_F + OG_ATTR_FLOAT);
	switch (number) {
	case A_SPARSE:
		return OG_ATTR_SPARSE_TENSOR;
	case A_SPARSES:
		return OG_ATTR_SPARSE_TENSORS;
	case A_TYPE_PROTO:
		return OG_ATTR_TYPE_PROTO;
	case A_TYPE_PROTOS:
		return OG_ATTR_TYPE_PROTOS;
	default:
		return OG_ATTR_UNDEFINED;
	}
}

struct attribute_caps {
	size_t floats, ints, strings, tensors, graphs;
};

static float float_of(uint64_t bits)
{
	uint32_t word = (uint32_t)bits;
	float f;

	memcpy(&f, &word, sizeof(f));
	return f;
}

static og_status attribute_numbers(og_stream *in, const og_message *m, og_onnx_attribute *a, struct attribute_caps *caps)
{
	bool floats = m->field.number == A_FLOATS, more;
	og_packed state = { 0 };

	for (;;) {
		uint64_t v;
		float *f;
		int64_t *i;

		OG_TRY(og_stream_number(in, m, floats ? OG_WIRE_I32 : OG_WIRE_VARINT, &state, &v, &more));
		if (!more)
			return OG_OK;
		if (floats) {
			OG_TRY(OG_STREAM_PUSH(in, a->floats, a->nfloats, caps->floats, &f));
			*f = float_of(v);
		} else {
			OG_TRY(OG_STREAM_PUSH(in, a->ints, a->nints, caps->ints, &i));
			*i = (int64_t)v;
		}
	}
}

static og_status attribute_tensor(og_stream *in, const og_message *m, og_onnx_attribute *a, struct attribute_caps *caps)
{
	og_onnx_tensor *t, **slot = &a->t;

	OG_TRY(og_stream_alloc(in, sizeof(*t), &t));
	if (m->field.number == A_TENSORS)
		OG_TRY(OG_STREAM_PUSH(in, a->tensors, a->ntensors, caps->tensors, &slot));
	*slot = t;
	return og_read_tensor(in, m->field_end, t);
}

static og_status attribute_graph(og_stream *in, const og_message *m, og_onnx_attribute *a, struct attribute_caps *caps)
{
	og_onnx_graph *g, **slot = &a->g;

	OG_TRY(og_stream_alloc(in, sizeof(*g), &g));
	if (m->field.number == A_GRAPHS)
		OG_TRY(OG_STREAM_PUSH(in, a->graphs, a->ngraphs, caps->graphs, &slot));
	*slot = g;
	in->model->subgraph_count++;
	return og_read_graph(in, m->field_end, g);
}

/* sparse_tensor is kept, of the rare others only that they are there. */
static og_status attribute_rare(og_stream *in, const og_message *m, og_onnx_attribute *a)
{
	if (m->field.number == A_SPARSE) {
		OG_TRY(og_stream_alloc(in, sizeof(*a->sparse), &a->sparse));
		return og_read_sparse(in, m->field_end, a->sparse);
	}
	og_stream_skip(in, m);
	return OG_OK;
}

static og_status attribute_field(og_stream *in, const og_message *m, og_onnx_attribute *a, struct attribute_caps *caps)
{
	og_str *string;

	switch (m->field.number) {
	case A_NAME:
		return og_stream_name(in, m, &a->name);
	case A_REFERENCE:
		return og_stream_name(in, m, &a->reference);
	case A_TYPE:
		a->type_number = (int64_t)m->field.value;
		return OG_OK;
	case A_F:
		a->f = float_of(m->field.value);
		return OG_OK;
	case A_I:
		a->i = (int64_t)m->field.value;
		return OG_OK;
	case A_S:
		return og_stream_bytes(in, m, &a->s);
	case A_STRINGS:
		OG_TRY(OG_STREAM_PUSH(in, a->strings, a->nstrings, caps->strings, &string));
		return og_stream_bytes(in, m, string);
	case A_FLOATS:
	case A_INTS:
		return attribute_numbers(in, m, a, caps);
	case A_T:
	case A_TENSORS:
		return attribute_tensor(in, m, a, caps);
	case A_G:
	case A_GRAPHS:
		return attribute_graph(in, m, a, caps);
	default:
		return attribute_rare(in, m, a);
	}
}

og_status og_read_attribute(og_stream *in, uint64_t end, og_onnx_attribute *a)
{
	og_message m = OG_MESSAGE(attribute_specs, end);
	struct attribute_caps caps = { 0 };
	bool more;

	a->name = og_names_at(in->names, 0);
	a->s = OG_STR("");
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			break;
		a->present |= attribute_field_type(m.field.number) ? 1u << attribute_field_type(m.field.number) : 0;
		OG_TRY(attribute_field(in, &m, a, &caps));
	}
	if (a->type_number > 0 && a->type_number < OG_ATTR_TYPE_COUNT)
		a->type = (og_attr_type)a->type_number;
	else if (a->type_number == 0 && a->present)
		a->type = (og_attr_type)__builtin_ctz(a->present);
	if (a->reference && !a->reference[0])
		a->reference = NULL;
	return OG_OK;
}

enum { N_INPUT = 1, N_OUTPUT = 2, N_NAME = 3, N_OP_TYPE = 4, N_ATTRIBUTE = 5, N_DOMAIN = 7, N_OVERLOAD = 8 };

static const og_field_spec node_specs[] = {
	{ N_INPUT, OG_WIRE_LEN, OG_REPEATED, "NodeProto.input" },
	{ N_OUTPUT, OG_WIRE_LEN, OG_REPEATED, "NodeProto.output" },
	{ N_NAME, OG_WIRE_LEN, OG_ONCE, "NodeProto.name" },
	{ N_OP_TYPE, OG_WIRE_LEN, OG_ONCE, "NodeProto.op_type" },
	{ N_ATTRIBUTE, OG_WIRE_LEN, OG_REPEATED, "NodeProto.attribute" },
	{ 6, OG_WIRE_LEN, OG_IGNORED, "NodeProto.doc_string" },
	{ N_DOMAIN, OG_WIRE_LEN, OG_ONCE, "NodeProto.domain" },
	{ N_OVERLOAD, OG_WIRE_LEN, OG_ONCE, "NodeProto.overload" },
	{ 9, OG_WIRE_LEN, OG_IGNORED, "NodeProto.metadata_props" },
	{ 10, OG_WIRE_LEN, OG_IGNORED, "NodeProto.device_configurations" },
};

struct node_caps {
	size_t inputs, outputs, attributes;
};

static og_status node_field(og_stream *in, const og_message *m, og_onnx_node *n, struct node_caps *caps)
{
	const char **name;
	og_onnx_attribute *a;

	switch (m->field.number) {
	case N_INPUT:
		OG_TRY(OG_STREAM_PUSH(in, n->inputs, n->ninputs, caps->inputs, &name));
		return og_stream_name(in, m, name);
	case N_OUTPUT:
		OG_TRY(OG_STREAM_PUSH(in, n->outputs, n->noutputs, caps->outputs, &name));
		return og_stream_name(in, m, name);
	case N_NAME:
		return og_stream_name(in, m, &n->name);
	case N_OP_TYPE:
		return og_stream_name(in, m, &n->op_type);
	case N_DOMAIN:
		return og_stream_name(in, m, &n->domain);
	case N_OVERLOAD:
		return og_stream_name(in, m, &n->overload);
	default: /* N_ATTRIBUTE */
		OG_TRY(OG_STREAM_PUSH(in, n->attributes, n->nattributes, caps->attributes, &a));
		return og_read_attribute(in, m->field_end, a);
	}
}

og_status og_read_node(og_stream *in, uint64_t end, og_onnx_node *n)
{
	og_message m = OG_MESSAGE(node_specs, end);
	struct node_caps caps = { 0 };
	bool more;

	if (++in->model->node_count > OG_ONNX_NODES_MAX)
		return og_stream_bad(in, in->pos, "more than %d nodes", OG_ONNX_NODES_MAX);
	n->name = n->op_type = n->domain = n->overload = og_names_at(in->names, 0);
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			break;
		OG_TRY(node_field(in, &m, n, &caps));
		if (n->ninputs > OG_ONNX_PORTS_MAX || n->noutputs > OG_ONNX_PORTS_MAX || n->nattributes > OG_ONNX_PORTS_MAX)
			return og_stream_bad(in, m.field.at, "%s: more than %d of one node", m.spec->name, OG_ONNX_PORTS_MAX);
	}
	if (og_streq(n->domain, "ai.onnx"))
		n->domain = og_names_at(in->names, 0);
	return OG_OK;
}

enum { G_NODE = 1, G_NAME = 2, G_INITIALIZER = 5, G_INPUT = 11, G_OUTPUT = 12, G_VALUE_INFO = 13, G_SPARSE = 15 };

static const og_field_spec graph_specs[] = {
	{ G_NODE, OG_WIRE_LEN, OG_REPEATED, "GraphProto.node" },
	{ G_NAME, OG_WIRE_LEN, OG_ONCE, "GraphProto.name" },
	{ G_INITIALIZER, OG_WIRE_LEN, OG_REPEATED, "GraphProto.initializer" },
	{ 10, OG_WIRE_LEN, OG_IGNORED, "GraphProto.doc_string" },
	{ G_INPUT, OG_WIRE_LEN, OG_REPEATED, "GraphProto.input" },
	{ G_OUTPUT, OG_WIRE_LEN, OG_REPEATED, "GraphProto.output" },
	{ G_VALUE_INFO, OG_WIRE_LEN, OG_REPEATED, "GraphProto.value_info" },
	{ 14, OG_WIRE_LEN, OG_IGNORED, "GraphProto.quantization_annotation" },
	{ G_SPARSE, OG_WIRE_LEN, OG_REPEATED, "GraphProto.sparse_initializer" },
	{ 16, OG_WIRE_LEN, OG_IGNORED, "GraphProto.metadata_props" },
};

struct graph_caps {
	size_t nodes, initializers, sparse, inputs, outputs, value_info;
};

static og_status graph_field(og_stream *in, const og_message *m, og_onnx_graph *g, struct graph_caps *caps)
{
	og_onnx_value *value;
	og_onnx_node *node;
	og_onnx_tensor *tensor;
	og_onnx_sparse *sparse;

	switch (m->field.number) {
	case G_NODE:
		OG_TRY(OG_STREAM_PUSH(in, g->nodes, g->nnodes, caps->nodes, &node));
		return og_read_node(in, m->field_end, node);
	case G_NAME:
		return og_stream_name(in, m, &g->name);
	case G_INITIALIZER:
		OG_TRY(OG_STREAM_PUSH(in, g->initializers, g->ninitializers, caps->initializers, &tensor));
		return og_read_tensor(in, m->field_end, tensor);
	case G_SPARSE:
		OG_TRY(OG_STREAM_PUSH(in, g->sparse_initializers, g->nsparse_initializers, caps->sparse, &sparse));
		return og_read_sparse(in, m->field_end, sparse);
	case G_INPUT:
		OG_TRY(OG_STREAM_PUSH(in, g->inputs, g->ninputs, caps->inputs, &value));
		return og_read_value(in, m->field_end, value);
	case G_OUTPUT:
		OG_TRY(OG_STREAM_PUSH(in, g->outputs, g->noutputs, caps->outputs, &value));
		return og_read_value(in, m->field_end, value);
	default: /* G_VALUE_INFO */
		OG_TRY(OG_STREAM_PUSH(in, g->value_info, g->nvalue_info, caps->value_info, &value));
		return og_read_value(in, m->field_end, value);
	}
}

og_status og_read_graph(og_stream *in, uint64_t end, og_onnx_graph *g)
{
	og_message m = OG_MESSAGE(graph_specs, end);
	struct graph_caps caps = { 0 };
	bool more;

	if (in->depth == OG_ONNX_DEPTH_MAX)
		return og_stream_bad(in, in->pos, "subgraphs nested deeper than %d", OG_ONNX_DEPTH_MAX);
	in->depth++;
	g->name = og_names_at(in->names, 0);
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			break;
		OG_TRY(graph_field(in, &m, g, &caps));
	}
	in->depth--;
	return OG_OK;
}
