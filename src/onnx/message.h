/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of onnx.proto as we hold them after reading: everything but the weights, in one arena.
 * Every `const char *` name is interned (og_name_id(), onnx/names.h), never NULL unless it says so. */
#ifndef OG_ONNX_MESSAGE_H
#define OG_ONNX_MESSAGE_H

#include "codec/dtype.h"
#include "onnx/names.h"

enum { OG_ONNX_DTYPE_COUNT = OG_I2 + 1 }; /* TensorProto.DataType: og_dtype has more, of other formats */

typedef enum og_attr_type { /* AttributeProto.AttributeType */
	OG_ATTR_UNDEFINED = 0, OG_ATTR_FLOAT = 1, OG_ATTR_INT = 2, OG_ATTR_STRING = 3, OG_ATTR_TENSOR = 4, OG_ATTR_GRAPH = 5,
	OG_ATTR_FLOATS = 6, OG_ATTR_INTS = 7, OG_ATTR_STRINGS = 8, OG_ATTR_TENSORS = 9, OG_ATTR_GRAPHS = 10,
	OG_ATTR_SPARSE_TENSOR = 11, OG_ATTR_SPARSE_TENSORS = 12, OG_ATTR_TYPE_PROTO = 13, OG_ATTR_TYPE_PROTOS = 14,
	OG_ATTR_TYPE_COUNT
} og_attr_type;

typedef enum og_onnx_kind { OG_ONNX_UNTYPED, OG_ONNX_TENSOR, OG_ONNX_SEQUENCE, OG_ONNX_MAP, OG_ONNX_OPTIONAL, OG_ONNX_SPARSE_TENSOR,
	OG_ONNX_OPAQUE } og_onnx_kind;

typedef struct og_onnx_pair {
	const char *key, *value; /* not interned */
} og_onnx_pair;

typedef struct og_onnx_dim {
	int64_t value;      /* -1: not given */
	const char *symbol; /* NULL: none */
} og_onnx_dim;

typedef struct og_onnx_type {
	og_onnx_kind kind;
	og_dtype dtype;       /* of a tensor; NONE: absent or not known to us */
	int64_t dtype_number; /* as the file has it */
	bool has_shape;
	size_t rank;
	og_onnx_dim *dims;
	const struct og_onnx_type *inner; /* element of a sequence or optional, value of a map; may be NULL */
} og_onnx_type;

typedef struct og_onnx_value {
	const char *name;
	const og_onnx_type *type; /* NULL: not given */
} og_onnx_value;

/* Where the elements of a tensor stand when they are not raw: one of the typed fields. */
typedef enum og_onnx_data { OG_DATA_FLOAT, OG_DATA_INT32, OG_DATA_STRING, OG_DATA_INT64, OG_DATA_DOUBLE, OG_DATA_UINT64, OG_DATA_COUNT } og_onnx_data;

typedef struct og_onnx_tensor {
	const char *name;
	og_dtype dtype;
	int64_t dtype_number;
	size_t rank;
	int64_t *dims;
	bool has_raw;
	uint64_t raw_at, raw_size;      /* file offset and bytes of raw_data */
	const uint8_t *raw;             /* a copy where it is small (OG_ONNX_KEPT_BYTES): shapes, axes, scalars; else NULL */
	uint64_t counts[OG_DATA_COUNT]; /* elements of each typed field */
	int64_t *ints;                  /* int32, int64 or uint64 data, when at most OG_ONNX_KEPT_VALUES; else NULL */
	bool external;                  /* data_location is EXTERNAL */
	int64_t location_number;        /* data_location as the file has it */
	og_onnx_pair *external_data;
	size_t nexternal_data;
	bool segmented;                 /* has the segment field, which nobody reads */
	uint64_t at;                    /* file offset of the message, for messages */
} og_onnx_tensor;

typedef struct og_onnx_sparse {
	og_onnx_tensor *values, *indices; /* NULL: absent */
	size_t rank;
	int64_t *dims;
} og_onnx_sparse;

struct og_onnx_graph;

typedef struct og_onnx_attribute {
	const char *name;
	og_attr_type type;      /* as the file says; derived from the field that is there when it does not (IR below 2) */
	int64_t type_number;    /* as the file has it */
	uint32_t present;       /* bit t: a value field of type t is there */
	const char *reference;  /* ref_attr_name: a function's attribute; NULL: none */
	float f;
	int64_t i;
	og_str s;               /* bytes, not always text */
	og_onnx_tensor *t;
	struct og_onnx_graph *g;
	float *floats;
	int64_t *ints;
	og_str *strings;
	og_onnx_tensor **tensors;
	struct og_onnx_graph **graphs;
	og_onnx_sparse *sparse;
	size_t nfloats, nints, nstrings, ntensors, ngraphs;
} og_onnx_attribute;

typedef struct og_onnx_node {
	const char *name, *op_type, *domain; /* domain: "" also for "ai.onnx" */
	const char *overload;
	const char **inputs, **outputs; /* "": an optional one that is left out */
	og_onnx_attribute *attributes;
	size_t ninputs, noutputs, nattributes;
} og_onnx_node;

typedef struct og_onnx_graph {
	const char *name;
	og_onnx_node *nodes;
	og_onnx_tensor *initializers;
	og_onnx_sparse *sparse_initializers;
	og_onnx_value *inputs, *outputs, *value_info;
	size_t nnodes, ninitializers, nsparse_initializers, ninputs, noutputs, nvalue_info;
} og_onnx_graph;

typedef struct og_onnx_opset {
	const char *domain; /* "" also for "ai.onnx" */
	int64_t version;
} og_onnx_opset;

typedef struct og_onnx_function {
	const char *name, *domain, *overload;
	const char **inputs, **outputs, **attributes;
	og_onnx_attribute *defaults; /* attributes with a default value */
	og_onnx_node *nodes;
	og_onnx_opset *opsets;
	size_t ninputs, noutputs, nattributes, ndefaults, nnodes, nopsets;
} og_onnx_function;

typedef struct og_onnx_model {
	int64_t ir_version; /* 0: absent */
	const char *producer, *producer_version, *domain;
	int64_t model_version;
	og_onnx_opset *opsets;
	og_onnx_pair *metadata_props;
	og_onnx_graph *graph;
	og_onnx_function *functions;
	size_t nopsets, nmetadata_props, nfunctions;
	size_t node_count, tensor_count, subgraph_count; /* of the whole file */
	uint64_t unknown_fields;  /* fields that our onnx.proto does not have */
	uint64_t weight_bytes;    /* raw_data of all tensors together */
	og_names *names;
} og_onnx_model;

const og_onnx_attribute *og_onnx_attr(const og_onnx_node *n, const char *name); /* NULL: absent */
int64_t og_onnx_attr_int(const og_onnx_node *n, const char *name, int64_t fallback);
/* Version of the domain; 0: not imported. */
int64_t og_onnx_opset_of(const og_onnx_opset *opsets, size_t n, const char *domain);
/* dims multiplied out; false: a negative dim or overflow. */
bool og_onnx_elements(const int64_t *dims, size_t rank, uint64_t *out);
/* The integers of a small tensor of an integer or bool type, wherever they stand; false: not small, not integers, or
 * of another count than its dims say. At most max; out may be NULL to ask only for the count. */
bool og_onnx_tensor_ints(const og_onnx_tensor *t, int64_t *out, size_t max, size_t *n);

#endif
