/* SPDX-License-Identifier: Apache-2.0
 *
 * The data of every tensor has the size that its dims and element type ask for, in one place only. */
#include "check/structure.h"

#include "base/limits.h"

static const char *const field_names[OG_DATA_COUNT] = { "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data" };

/* Which typed field holds elements of a type, by onnx.proto. */
static og_onnx_data field_of(og_dtype t)
{
	switch (t) {
	case OG_F32:
	case OG_C64:
		return OG_DATA_FLOAT;
	case OG_F64:
	case OG_C128:
		return OG_DATA_DOUBLE;
	case OG_I64:
		return OG_DATA_INT64;
	case OG_U32:
	case OG_U64:
		return OG_DATA_UINT64;
	case OG_STRING:
		return OG_DATA_STRING;
	default:
		return OG_DATA_INT32;
	}
}

/* How many entries of that field `elements` take: complex numbers two each, sub-byte types as the bytes that they fill. */
static bool field_count(og_dtype t, uint64_t elements, uint64_t *out)
{
	if (t == OG_C64 || t == OG_C128)
		return og_mul_u64(elements, 2, out);
	if (og_dtype_bits(t) > 0 && og_dtype_bits(t) < 8)
		return og_dtype_bytes(t, elements, out);
	*out = elements;
	return true;
}

static const char *show_dims(og_arena *a, const og_onnx_tensor *t)
{
	const char *text = "[";

	for (size_t i = 0; text && i < t->rank; i++)
		text = og_arena_printf(a, "%s%s%lld", text, i ? ", " : "", (long long)t->dims[i]);
	text = text ? og_arena_printf(a, "%s]", text) : NULL;
	return text ? text : "?";
}

/* Exactly one of raw_data, a typed field and external_data, or none for a tensor without elements. */
static bool check_place(og_findings *f, const og_tensor_ref *r)
{
	const og_onnx_tensor *t = r->t;
	int places = (t->has_raw && (t->raw_size || !t->external)) + t->external;

	for (int i = 0; i < OG_DATA_COUNT; i++)
		places += t->counts[i] > 0;
	if (t->segmented)
		og_fault(f, "%s '%s': in segments, which nobody reads", r->what, r->name);
	else if (t->location_number != 0 && t->location_number != 1)
		og_fault(f, "%s '%s': data location %lld, expected 0 or 1", r->what, r->name, (long long)t->location_number);
	else if (places > 1 && !(places == 2 && t->has_raw && t->raw_size == 0))
		og_fault(f, "%s '%s': data in %d places, expected one", r->what, r->name, places);
	else
		return true;
	return false;
}

static void check_raw(og_findings *f, const og_tensor_ref *r, uint64_t elements)
{
	const og_onnx_tensor *t = r->t;
	uint64_t bytes;

	if (t->dtype == OG_STRING)
		og_fault(f, "%s '%s': strings in raw_data", r->what, r->name);
	else if (!og_dtype_bytes(t->dtype, elements, &bytes))
		og_fault(f, "%s '%s': %s %s has no size in bytes", r->what, r->name, og_dtype_name(t->dtype), show_dims(f->st->arena, t));
	else if (bytes != t->raw_size)
		og_fault(f, "%s '%s': %s %s takes %llu bytes, raw_data has %llu", r->what, r->name, og_dtype_name(t->dtype), show_dims(f->st->arena, t),
			(unsigned long long)bytes,
		         (unsigned long long)t->raw_size);
}

static void check_typed(og_findings *f, const og_tensor_ref *r, uint64_t elements)
{
	const og_onnx_tensor *t = r->t;
	og_onnx_data field = field_of(t->dtype);
	uint64_t want;

	for (int i = 0; i < OG_DATA_COUNT; i++) {
		if (t->counts[i] && i != (int)field) {
			og_fault(f, "%s '%s': %s stands in %s, expected %s", r->what, r->name, og_dtype_name(t->dtype), field_names[i], field_names[field]);
			return;
		}
	}
	if (!field_count(t->dtype, elements, &want) || t->counts[field] != want)
		og_fault(f, "%s '%s': %s %s takes %llu entries, %s has %llu", r->what, r->name, og_dtype_name(t->dtype), show_dims(f->st->arena, t),
			(unsigned long long)want,
		         field_names[field], (unsigned long long)t->counts[field]);
}

static void check_tensor(og_findings *f, const og_tensor_ref *r)
{
	const og_onnx_tensor *t = r->t;
	uint64_t elements;

	f->looked++;
	if (t->dtype == OG_DTYPE_NONE && t->dtype_number >= OG_ONNX_DTYPE_COUNT) {
		og_unsure(f, "%s '%s': element type %lld is not known to us", r->what, r->name, (long long)t->dtype_number);
		return;
	}
	if (t->dtype == OG_DTYPE_NONE)
		og_fault(f, "%s '%s': element type %lld", r->what, r->name, (long long)t->dtype_number);
	else if (t->rank > OG_RANK_MAX)
		og_fault(f, "%s '%s': %zu dims, more than the limit of %d", r->what, r->name, t->rank, OG_RANK_MAX);
	else if (!og_onnx_elements(t->dims, t->rank, &elements))
		og_fault(f, "%s '%s': dims %s are negative or too many", r->what, r->name, show_dims(f->st->arena, t));
	else if (check_place(f, r) && !t->external) {
		if (t->has_raw && (t->raw_size || elements == 0))
			check_raw(f, r, elements);
		else
			check_typed(f, r, elements);
	}
}

static void check_sparse(og_findings *f, const og_sparse_ref *r)
{
	const og_onnx_sparse *s = r->t;
	uint64_t elements;

	f->looked++;
	if (!s->values || !s->indices) {
		og_fault(f, "sparse tensor '%s': lacks its %s", r->name, s->values ? "indices" : "values");
		return;
	}
	check_tensor(f, &(og_tensor_ref){ s->values, "values of sparse tensor", r->name });
	check_tensor(f, &(og_tensor_ref){ s->indices, "indices of sparse tensor", r->name });
	if (s->rank == 0 || s->rank > OG_RANK_MAX || !og_onnx_elements(s->dims, s->rank, &elements))
		og_fault(f, "sparse tensor '%s': dims are none, negative or too many", r->name);
	else if (s->values->rank != 1)
		og_fault(f, "sparse tensor '%s': values of %zu dims, expected 1", r->name, s->values->rank);
	else if (s->indices->dtype != OG_I64)
		og_fault(f, "sparse tensor '%s': indices of type %s, expected int64", r->name, og_dtype_name(s->indices->dtype));
	else if (s->indices->rank < 1 || s->indices->rank > 2 || s->indices->dims[0] != s->values->dims[0]
		|| (s->indices->rank == 2 && (uint64_t)s->indices->dims[1] != s->rank))
		og_fault(f, "sparse tensor '%s': indices do not fit the values and dims", r->name);
}

og_status og_structure_sizes(og_structure *st, og_error *err)
{
	og_findings f = { .st = st };

	for (size_t i = 0; i < st->ntensors; i++)
		check_tensor(&f, &st->tensors[i]);
	for (size_t i = 0; i < st->nsparse; i++)
		check_sparse(&f, &st->sparse[i]);
	return og_findings_row(&f, "structure.sizes", err, "%zu tensors, %llu bytes in the file", f.looked, (unsigned long long)st->model->weight_bytes);
}
