/* SPDX-License-Identifier: Apache-2.0
 *
 * TensorProto, SparseTensorProto and TypeProto.  Of a tensor's elements only a reference and counts are
 * taken; a few bytes are kept, because shapes and axes travel as tensors. */
#include "onnx/stream.h"

enum { TYPE_DEPTH_MAX = 8 }; /* sequence of optional of … : two in real files */

static og_dtype dtype_of(int64_t number)
{
	return number > 0 && number < OG_ONNX_DTYPE_COUNT ? (og_dtype)number : OG_DTYPE_NONE;
}

static og_status read_dims(og_stream *in, const og_message *m, int64_t **dims, size_t *rank, size_t *cap)
{
	og_packed state = { 0 };
	bool more;

	for (;;) {
		uint64_t v;
		int64_t *slot;

		OG_TRY(og_stream_number(in, m, OG_WIRE_VARINT, &state, &v, &more));
		if (!more)
			return OG_OK;
		OG_TRY(OG_STREAM_PUSH(in, *dims, *rank, *cap, &slot));
		*slot = (int64_t)v;
	}
}

static og_status read_floats(og_stream *in, const og_message *m, unsigned size, uint64_t *count)
{
	if (m->field.type == OG_WIRE_LEN && m->field.value % size != 0)
		return og_stream_bad(in, m->field.at, "%s: %llu bytes, not a multiple of %u", m->spec->name, (unsigned long long)m->field.value, size);
	*count += m->field.type == OG_WIRE_LEN ? m->field.value / size : 1;
	og_stream_skip(in, m);
	return OG_OK;
}

static og_status read_integers(og_stream *in, const og_message *m, og_onnx_tensor *t, og_onnx_data kind)
{
	og_packed state = { 0 };
	bool more;

	for (;;) {
		uint64_t v;

		OG_TRY(og_stream_number(in, m, OG_WIRE_VARINT, &state, &v, &more));
		if (!more)
			return OG_OK;
		if (!t->ints)
			OG_TRY(og_stream_alloc(in, OG_ONNX_KEPT_VALUES * sizeof(*t->ints), &t->ints));
		if (t->counts[kind] < OG_ONNX_KEPT_VALUES)
			t->ints[t->counts[kind]] = kind == OG_DATA_INT32 ? (int32_t)(uint32_t)v : (int64_t)v;
		t->counts[kind]++;
	}
}

static og_status read_raw(og_stream *in, const og_message *m, og_onnx_tensor *t)
{
	t->has_raw = true;
	t->raw_at = m->field.at;
	t->raw_size = m->field.value;
	in->model->weight_bytes += t->raw_size;
	if (t->raw_size > 0 && t->raw_size <= OG_ONNX_KEPT_BYTES) {
		og_str kept;

		OG_TRY(og_stream_bytes(in, m, &kept));
		t->raw = (const uint8_t *)kept.p;
	}
	og_stream_skip(in, m);
	return OG_OK;
}

enum { T_DIMS = 1, T_TYPE = 2, T_SEGMENT = 3, T_FLOAT = 4, T_INT32 = 5, T_STRING = 6, T_INT64 = 7, T_NAME = 8, T_RAW = 9, T_DOUBLE = 10, T_UINT64 = 11,
	T_EXTERNAL = 13, T_LOCATION = 14 };

static const og_field_spec tensor_specs[] = {
	{ T_DIMS, OG_WIRE_VARINT, OG_PACKED, "TensorProto.dims" },
	{ T_TYPE, OG_WIRE_VARINT, OG_ONCE, "TensorProto.data_type" },
	{ T_SEGMENT, OG_WIRE_LEN, OG_ONCE, "TensorProto.segment" },
	{ T_FLOAT, OG_WIRE_I32, OG_PACKED, "TensorProto.float_data" },
	{ T_INT32, OG_WIRE_VARINT, OG_PACKED, "TensorProto.int32_data" },
	{ T_STRING, OG_WIRE_LEN, OG_REPEATED, "TensorProto.string_data" },
	{ T_INT64, OG_WIRE_VARINT, OG_PACKED, "TensorProto.int64_data" },
	{ T_NAME, OG_WIRE_LEN, OG_ONCE, "TensorProto.name" },
	{ T_RAW, OG_WIRE_LEN, OG_ONCE, "TensorProto.raw_data" },
	{ T_DOUBLE, OG_WIRE_I64, OG_PACKED, "TensorProto.double_data" },
	{ T_UINT64, OG_WIRE_VARINT, OG_PACKED, "TensorProto.uint64_data" },
	{ 12, OG_WIRE_LEN, OG_IGNORED, "TensorProto.doc_string" },
	{ T_EXTERNAL, OG_WIRE_LEN, OG_REPEATED, "TensorProto.external_data" },
	{ T_LOCATION, OG_WIRE_VARINT, OG_ONCE, "TensorProto.data_location" },
	{ 16, OG_WIRE_LEN, OG_IGNORED, "TensorProto.metadata_props" },
};

struct tensor_caps {
	size_t dims, external;
};

static og_status tensor_field(og_stream *in, const og_message *m, og_onnx_tensor *t, struct tensor_caps *caps)
{
	og_onnx_pair *pair;

	switch (m->field.number) {
	case T_DIMS:
		return read_dims(in, m, &t->dims, &t->rank, &caps->dims);
	case T_TYPE:
		t->dtype_number = (int64_t)m->field.value;
		t->dtype = dtype_of(t->dtype_number);
		return OG_OK;
	case T_SEGMENT:
		t->segmented = true;
		og_stream_skip(in, m);
		return OG_OK;
	case T_FLOAT:
		return read_floats(in, m, 4, &t->counts[OG_DATA_FLOAT]);
	case T_DOUBLE:
		return read_floats(in, m, 8, &t->counts[OG_DATA_DOUBLE]);
	case T_INT32:
		return read_integers(in, m, t, OG_DATA_INT32);
	case T_INT64:
		return read_integers(in, m, t, OG_DATA_INT64);
	case T_UINT64:
		return read_integers(in, m, t, OG_DATA_UINT64);
	case T_STRING:
		t->counts[OG_DATA_STRING]++;
		og_stream_skip(in, m);
		return OG_OK;
	case T_NAME:
		return og_stream_name(in, m, &t->name);
	case T_RAW:
		return read_raw(in, m, t);
	case T_EXTERNAL:
		OG_TRY(OG_STREAM_PUSH(in, t->external_data, t->nexternal_data, caps->external, &pair));
		return og_read_pair(in, m->field_end, pair);
	default: /* T_LOCATION */
		t->location_number = (int64_t)m->field.value;
		t->external = t->location_number == 1;
		return OG_OK;
	}
}

og_status og_read_tensor(og_stream *in, uint64_t end, og_onnx_tensor *t)
{
	og_message m = OG_MESSAGE(tensor_specs, end);
	struct tensor_caps caps = { 0 };
	bool more;

	t->name = og_names_at(in->names, 0);
	t->at = in->pos;
	in->model->tensor_count++;
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		OG_TRY(tensor_field(in, &m, t, &caps));
	}
}

enum { S_VALUES = 1, S_INDICES = 2, S_DIMS = 3 };

static const og_field_spec sparse_specs[] = {
	{ S_VALUES, OG_WIRE_LEN, OG_ONCE, "SparseTensorProto.values" },
	{ S_INDICES, OG_WIRE_LEN, OG_ONCE, "SparseTensorProto.indices" },
	{ S_DIMS, OG_WIRE_VARINT, OG_PACKED, "SparseTensorProto.dims" },
};

og_status og_read_sparse(og_stream *in, uint64_t end, og_onnx_sparse *t)
{
	og_message m = OG_MESSAGE(sparse_specs, end);
	size_t cap = 0;
	bool more;

	for (;;) {
		og_onnx_tensor *part;

		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (m.field.number == S_DIMS) {
			OG_TRY(read_dims(in, &m, &t->dims, &t->rank, &cap));
			continue;
		}
		OG_TRY(og_stream_alloc(in, sizeof(*part), &part));
		*(m.field.number == S_VALUES ? &t->values : &t->indices) = part;
		OG_TRY(og_read_tensor(in, m.field_end, part));
	}
}

static const og_field_spec dim_specs[] = {
	{ 1, OG_WIRE_VARINT, OG_ONCE, "TensorShapeProto.Dimension.dim_value" },
	{ 2, OG_WIRE_LEN, OG_ONCE, "TensorShapeProto.Dimension.dim_param" },
	{ 3, OG_WIRE_LEN, OG_IGNORED, "TensorShapeProto.Dimension.denotation" },
};

static og_status read_dim(og_stream *in, uint64_t end, og_onnx_dim *d)
{
	og_message m = OG_MESSAGE(dim_specs, end);
	bool more;

	d->value = -1;
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (m.seen == 3) /* a oneof: protobuf keeps the last, which not every reader does */
			return og_stream_bad(in, m.field.at, "a dim has both dim_value and dim_param");
		if (m.field.number == 2)
			OG_TRY(og_stream_name(in, &m, &d->symbol));
		else
			d->value = (int64_t)m.field.value;
		if (d->symbol && !d->symbol[0])
			d->symbol = NULL;
	}
}

static const og_field_spec shape_specs[] = { { 1, OG_WIRE_LEN, OG_REPEATED, "TensorShapeProto.dim" } };

static og_status read_shape(og_stream *in, uint64_t end, og_onnx_type *t)
{
	og_message m = OG_MESSAGE(shape_specs, end);
	size_t cap = 0;
	bool more;

	t->has_shape = true;
	for (;;) {
		og_onnx_dim *d;

		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		OG_TRY(OG_STREAM_PUSH(in, t->dims, t->rank, cap, &d));
		OG_TRY(read_dim(in, m.field_end, d));
	}
}

static const og_field_spec tensor_type_specs[] = {
	{ 1, OG_WIRE_VARINT, OG_ONCE, "TypeProto.Tensor.elem_type" },
	{ 2, OG_WIRE_LEN, OG_ONCE, "TypeProto.Tensor.shape" },
};
static const og_field_spec element_type_specs[] = { { 1, OG_WIRE_LEN, OG_ONCE, "TypeProto.elem_type" } };
static const og_field_spec map_type_specs[] = {
	{ 1, OG_WIRE_VARINT, OG_ONCE, "TypeProto.Map.key_type" },
	{ 2, OG_WIRE_LEN, OG_ONCE, "TypeProto.Map.value_type" },
};

static og_status read_tensor_type(og_stream *in, uint64_t end, og_onnx_type *t)
{
	og_message m = OG_MESSAGE(tensor_type_specs, end);
	bool more;

	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (m.field.number == 2) {
			OG_TRY(read_shape(in, m.field_end, t));
		} else {
			t->dtype_number = (int64_t)m.field.value;
			t->dtype = dtype_of(t->dtype_number);
		}
	}
}

/* Sequence, optional (the element) and map (the value; its key is in dtype). */
static og_status read_inner_type(og_stream *in, uint64_t end, int depth, og_onnx_type *t)
{
	og_message m = OG_MESSAGE(element_type_specs, end);
	bool more;

	if (t->kind == OG_ONNX_MAP) {
		m.specs = map_type_specs;
		m.nspecs = OG_COUNT(map_type_specs);
	}
	for (;;) {
		og_onnx_type *inner;

		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (m.field.type == OG_WIRE_VARINT) {
			t->dtype_number = (int64_t)m.field.value;
			t->dtype = dtype_of(t->dtype_number);
			continue;
		}
		OG_TRY(og_stream_alloc(in, sizeof(*inner), &inner));
		t->inner = inner;
		OG_TRY(og_read_type(in, m.field_end, depth + 1, inner));
	}
}

static const og_field_spec type_specs[] = {
	{ 1, OG_WIRE_LEN, OG_ONCE, "TypeProto.tensor_type" },
	{ 4, OG_WIRE_LEN, OG_ONCE, "TypeProto.sequence_type" },
	{ 5, OG_WIRE_LEN, OG_ONCE, "TypeProto.map_type" },
	{ 6, OG_WIRE_LEN, OG_IGNORED, "TypeProto.denotation" },
	{ 7, OG_WIRE_LEN, OG_ONCE, "TypeProto.opaque_type" },
	{ 8, OG_WIRE_LEN, OG_ONCE, "TypeProto.sparse_tensor_type" },
	{ 9, OG_WIRE_LEN, OG_ONCE, "TypeProto.optional_type" },
};

og_status og_read_type(og_stream *in, uint64_t end, int depth, og_onnx_type *t)
{
	static const og_onnx_kind kinds[] = { [1] = OG_ONNX_TENSOR, [4] = OG_ONNX_SEQUENCE, [5] = OG_ONNX_MAP, [7] = OG_ONNX_OPAQUE,
		[8] = OG_ONNX_SPARSE_TENSOR, [9] = OG_ONNX_OPTIONAL };
	og_message m = OG_MESSAGE(type_specs, end);
	bool more;

	if (depth > TYPE_DEPTH_MAX)
		return og_stream_bad(in, in->pos, "types nested deeper than %d", TYPE_DEPTH_MAX);
	for (;;) {
		OG_TRY(og_stream_next(in, &m, &more));
		if (!more)
			return OG_OK;
		if (t->kind != OG_ONNX_UNTYPED)
			return og_stream_bad(in, m.field.at, "a type is given two values");
		t->kind = kinds[m.field.number];
		if (t->kind == OG_ONNX_TENSOR || t->kind == OG_ONNX_SPARSE_TENSOR)
			OG_TRY(read_tensor_type(in, m.field_end, t));
		else if (t->kind == OG_ONNX_OPAQUE)
			og_stream_skip(in, &m);
		else
			OG_TRY(read_inner_type(in, m.field_end, depth, t));
	}
}
