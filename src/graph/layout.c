/* SPDX-License-Identifier: Apache-2.0
 *
 * The ONNX file laid out: ModelProto with its GraphProto inside, every length known beforehand.
 *
 *   ModelProto    1 ir_version · 2 producer_name · 7 graph · 8 opset_import* · 14 metadata_props*
 *   GraphProto    1 node* · 2 name · 5 initializer* · 11 input* · 12 output*
 *   NodeProto     1 input* · 2 output* · 3 name · 4 op_type · 5 attribute*
 *   TensorProto   1 dims* · 2 data_type · 8 name · 9 raw_data | 13 external_data* 14 data_location
 *
 * Field numbers: onnx.proto (ONNX IR specification). */
#include "base/str.h"
#include "codec/wire.h"
#include "graph/emit.h"

#include <stdio.h>

#define HEAD_MAX (256u << 20)  /* nodes, names and small fields of one file */
#define INLINE_MAX 1024        /* bytes: smaller initializers stay in the model file */
#define DATA_ALIGN 4096        /* external data: a page, so that a runtime can map it */
#define PROTOBUF_MAX 0x7fffffffu

static void put_message(og_buf *out, uint32_t number, og_buf *inner)
{
	og_wire_put_bytes(out, number, inner->p, inner->n);
	out->failed = out->failed || inner->failed;
	inner->n = 0;
}

static void put_graph(const og_model *m, const og_graph *g, og_buf *out);

static void put_attr(const og_model *m, const og_attr *a, og_buf *out)
{
	og_auto_buf graph = { 0 };
	og_buf_init(&graph, HEAD_MAX);
	og_wire_put_str(out, 1, a->name);
	switch (a->kind) {
	case OG_ATTR_FLOAT: og_wire_put_f32(out, 2, (float)a->f); break;
	case OG_ATTR_INT: og_wire_put_i64(out, 3, a->i); break;
	case OG_ATTR_STRING: og_wire_put_str(out, 4, a->s); break;
	case OG_ATTR_GRAPH:
		put_graph(m, a->graph, &graph);
		put_message(out, 6, &graph);
		break;
	case OG_ATTR_INTS:
		for (size_t i = 0; i < a->nints; i++)
			og_wire_put_i64(out, 8, a->ints[i]);
		break;
	default: break;
	}
	og_wire_put_u64(out, 20, a->kind);
}

static const char *name_of(const og_model *m, og_val v)
{
	const og_value *x = og_model_value(m, v);
	return x ? x->name : "";
}

static void put_node(const og_model *m, const og_node *n, og_buf *out)
{
	og_auto_buf attr = { 0 };
	og_buf_init(&attr, HEAD_MAX);
	for (size_t i = 0; i < n->nin; i++)
		og_wire_put_str(out, 1, name_of(m, n->in[i]));
	for (size_t i = 0; i < n->nout; i++)
		og_wire_put_str(out, 2, name_of(m, n->out[i]));
	og_wire_put_str(out, 3, n->name);
	og_wire_put_str(out, 4, n->op);
	for (size_t i = 0; i < n->nattrs; i++) {
		put_attr(m, &n->attrs[i], &attr);
		put_message(out, 5, &attr);
	}
}

/* ValueInfoProto { 1 name, 2 TypeProto { 1 tensor_type { 1 elem_type, 2 shape { 1 dim* { 1 value | 2 param } } } } } */
static void put_value_info(const og_model *m, og_val v, og_buf *out)
{
	const og_value *x = og_model_value(m, v);
	og_auto_buf dim = { 0 }, shape = { 0 }, tensor = { 0 }, type = { 0 };
	og_buf_init(&dim, HEAD_MAX);
	og_buf_init(&shape, HEAD_MAX);
	og_buf_init(&tensor, HEAD_MAX);
	og_buf_init(&type, HEAD_MAX);
	for (int i = 0; i < x->rank; i++) {
		int64_t whole;
		if (og_dim_is_int(m->dims, x->dims[i], &whole))
			og_wire_put_i64(&dim, 1, whole);
		else
			og_wire_put_str(&dim, 2, og_dim_text(m->dims, x->dims[i]));
		put_message(&shape, 1, &dim);
	}
	og_wire_put_u64(&tensor, 1, x->dtype);
	put_message(&tensor, 2, &shape);
	put_message(&type, 1, &tensor);
	og_wire_put_str(out, 1, x->name);
	put_message(out, 2, &type);
}

static void put_values(const og_model *m, uint32_t number, const og_val *v, size_t n, og_buf *out)
{
	og_auto_buf info = { 0 };
	og_buf_init(&info, HEAD_MAX);
	for (size_t i = 0; i < n; i++) {
		put_value_info(m, v[i], &info);
		put_message(out, number, &info);
	}
}

static void put_nodes(const og_model *m, const og_graph *g, og_buf *out)
{
	og_auto_buf node = { 0 };
	og_buf_init(&node, HEAD_MAX);
	for (size_t i = 0; i < g->nnodes; i++) {
		put_node(m, g->nodes[i], &node);
		put_message(out, 1, &node);
	}
	og_wire_put_str(out, 2, g->name);
}

static void put_graph(const og_model *m, const og_graph *g, og_buf *out)
{
	put_nodes(m, g, out);
	put_values(m, 12, g->outputs, g->noutputs, out);
}

/* ---- initializers ---- */

static void put_pair(og_buf *out, uint32_t number, const char *key, const char *value)
{
	og_auto_buf pair = { 0 };
	og_buf_init(&pair, HEAD_MAX);
	og_wire_put_str(&pair, 1, key);
	og_wire_put_str(&pair, 2, value);
	put_message(out, number, &pair);
}

static void put_external(og_buf *out, const char *data_name, uint64_t at, uint64_t size)
{
	char text[24];
	put_pair(out, 13, "location", data_name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)at);
	put_pair(out, 13, "offset", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	put_pair(out, 13, "length", text);
	og_wire_put_u64(out, 14, 1); /* EXTERNAL */
}

/* All of a TensorProto but the bytes of raw_data, which would follow. */
static void put_tensor_head(const og_init *c, const char *data_name, uint64_t data_at, og_buf *out)
{
	for (int i = 0; i < c->rank; i++)
		og_wire_put_i64(out, 1, c->dims[i]);
	og_wire_put_u64(out, 2, c->dtype);
	og_wire_put_str(out, 8, c->name);
	if (data_name) {
		put_external(out, data_name, data_at, c->size);
		return;
	}
	og_wire_put_tag(out, 9, OG_WIRE_LEN);
	og_wire_put_varint(out, c->size);
}

static uint64_t page_up(uint64_t at)
{
	return (at + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
}

static bool is_external(const og_init *c, bool external)
{
	return external && c->size >= INLINE_MAX;
}

static og_status add_segment(const og_model *m, og_layout *l, og_segment s, og_error *err)
{
	if (!og_arena_grow(m->arena, &l->segments, &l->segments_cap, l->nsegments + 1, sizeof(*l->segments)))
		return og_fail_nomem(err);
	l->segments[l->nsegments++] = s;
	return OG_OK;
}

/* The head bytes gathered since the last cut become a segment of the model file. */
static og_status cut_head(const og_model *m, og_layout *l, size_t *cut, og_error *err)
{
	og_segment s = { .at = l->size, .size = l->head.n - *cut, .head = *cut };
	if (!s.size)
		return OG_OK;
	*cut = l->head.n;
	l->size += s.size;
	return add_segment(m, l, s, err);
}

static og_status place_initializer(const og_model *m, og_layout *l, const og_init *c, const char *data_name, size_t *cut, og_error *err)
{
	og_auto_buf tensor = { 0 };
	og_buf_init(&tensor, HEAD_MAX);
	uint64_t data_at = page_up(l->data_size);
	put_tensor_head(c, data_name, data_at, &tensor);
	OG_TRY(og_buf_check(&tensor, c->name, err));
	og_wire_put_tag(&l->head, 5, OG_WIRE_LEN);
	og_wire_put_varint(&l->head, tensor.n + (data_name ? 0 : c->size));
	og_buf_add(&l->head, tensor.p, tensor.n);
	og_segment s = { .at = data_at, .size = c->size, .init = c, .external = data_name != NULL };
	if (data_name) {
		l->data_size = data_at + c->size;
		return add_segment(m, l, s, err);
	}
	if (c->data) { /* a constant travels with the head */
		og_buf_add(&l->head, c->data, c->size);
		return OG_OK;
	}
	OG_TRY(cut_head(m, l, cut, err));
	s.at = l->size;
	l->size += c->size;
	return c->size ? add_segment(m, l, s, err) : OG_OK;
}

/* The length of the initializers in the graph's message, raw bytes included. */
static uint64_t initializers_size(const og_model *m, bool external, const char *data_name, og_error *err, og_status *status)
{
	uint64_t total = 0, data_at = 0;
	og_auto_buf tensor = { 0 };
	og_buf_init(&tensor, HEAD_MAX);
	for (size_t i = 0; i < m->ninits; i++) {
		const og_init *c = m->inits[i];
		bool out = is_external(c, external);
		tensor.n = 0;
		data_at = out ? page_up(data_at) : data_at;
		put_tensor_head(c, out ? data_name : NULL, data_at, &tensor);
		uint64_t size = tensor.n + (out ? 0 : c->size);
		total += 1 + og_wire_varint_size(size) + size;
		data_at += out ? c->size : 0;
	}
	*status = og_buf_check(&tensor, "initializers", err);
	return total;
}

static void put_model_tail(const og_model *m, og_buf *out)
{
	og_auto_buf opset = { 0 };
	og_buf_init(&opset, HEAD_MAX);
	og_wire_put_str(&opset, 1, "");
	og_wire_put_u64(&opset, 2, (uint64_t)m->opset);
	put_message(out, 8, &opset);
	for (size_t i = 0; i < m->nmetadata; i++)
		put_pair(out, 14, m->metadata[i].key, m->metadata[i].value);
}

static og_status lay_out(const og_model *m, bool external, const char *data_name, og_layout *l, og_error *err)
{
	og_auto_buf nodes = { 0 }, ports = { 0 };
	og_buf_init(&nodes, HEAD_MAX);
	og_buf_init(&ports, HEAD_MAX);
	put_nodes(m, m->main, &nodes);
	put_values(m, 11, m->main->inputs, m->main->ninputs, &ports);
	put_values(m, 12, m->main->outputs, m->main->noutputs, &ports);
	OG_TRY(og_buf_check(&nodes, "nodes", err));
	OG_TRY(og_buf_check(&ports, "inputs and outputs", err));
	og_status status;
	uint64_t inits = initializers_size(m, external, data_name, err, &status);
	OG_TRY(status);
	size_t cut = 0;
	og_wire_put_u64(&l->head, 1, (uint64_t)m->ir_version);
	og_wire_put_str(&l->head, 2, "onnxgate");
	og_wire_put_tag(&l->head, 7, OG_WIRE_LEN);
	og_wire_put_varint(&l->head, nodes.n + inits + ports.n);
	og_buf_add(&l->head, nodes.p, nodes.n);
	for (size_t i = 0; i < m->ninits; i++)
		OG_TRY(place_initializer(m, l, m->inits[i], is_external(m->inits[i], external) ? data_name : NULL, &cut, err));
	og_buf_add(&l->head, ports.p, ports.n);
	put_model_tail(m, &l->head);
	OG_TRY(cut_head(m, l, &cut, err));
	return og_buf_check(&l->head, "graph", err);
}

static og_status too_large(uint64_t bytes, og_error *err)
{
	return og_fail(err, ONNXGATE_UNSUPPORTED, "%llu bytes do not fit into one ONNX file (2 GiB); external data is needed", (unsigned long long)bytes);
}

og_status og_layout_make(const og_model *m, og_external external, const char *data_name, og_layout *out, og_error *err)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < m->ninits; i++)
		if (!og_add_u64(bytes, m->inits[i]->size, &bytes))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "the weights are larger than 64 bits can count");
	bool large = bytes > PROTOBUF_MAX - HEAD_MAX / 8; /* the head of the largest models is a few megabytes */
	if (large && external == OG_EXTERNAL_NEVER)
		return too_large(bytes, err);
	*out = (og_layout){ 0 };
	og_buf_init(&out->head, HEAD_MAX);
	og_status s = lay_out(m, external == OG_EXTERNAL_ALWAYS || (external == OG_EXTERNAL_AUTO && large), data_name, out, err);
	if (s == OG_OK && out->size > PROTOBUF_MAX)
		s = too_large(out->size, err);
	if (s != OG_OK)
		og_layout_done(out);
	return s;
}

void og_layout_done(og_layout *l)
{
	og_buf_done(&l->head);
}
