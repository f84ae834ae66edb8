/* SPDX-License-Identifier: Apache-2.0
 *
 * The described graph of one ONNX file: values, nodes, subgraphs, and initializers that refer to the checkpoint
 * instead of holding bytes.  Made through build.h, changed by lowerings (lower.h), written by emit.h. */
#ifndef OG_GRAPH_GRAPH_H
#define OG_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/strmap.h"
#include "codec/dtype.h"
#include "format/tensor.h"
#include "graph/dim.h"
#include "onnx/message.h"

typedef struct og_val {
	uint32_t id; /* 0: no value */
} og_val;
#define OG_NONE ((og_val){ 0 })

typedef struct og_graph og_graph;
typedef struct og_node og_node;
typedef struct og_init og_init;

typedef struct og_value {
	const char *name; /* in the file */
	og_dtype dtype;
	int rank;
	og_dim dims[OG_RANK_MAX];
	og_node *node;        /* that computes it, or NULL */
	og_init *init;        /* that it is, or NULL */
	const og_graph *home; /* the graph it belongs to */
	const og_dim *elems;  /* int64 scalars and vectors whose elements are known as dims; else NULL */
	int nelems;
} og_value;

/* ---- initializers: a source and a small transform ---- */

typedef struct og_part { /* rows [first, first + rows) along dim 0 of a tensor */
	const og_tensor *tensor;
	int64_t first, rows;
} og_part;

/* What is made of the whole of a weight before its elements can be written; computed in double, rounded once. */
typedef enum og_fold {
	OG_FOLD_NONE,
	OG_FOLD_NORM,   /* v·g/‖v‖: for each place in the last dim a g of its own, and the norm over all other dims */
	OG_FOLD_SOFTMAX /* of all elements */
} og_fold;

struct og_init {
	const char *name;
	og_dtype dtype; /* as written */
	int rank;
	int64_t dims[OG_RANK_MAX]; /* as written */
	uint64_t size;             /* bytes as written */
	/* Either a constant … */
	const void *data;
	/* … or parts, concatenated along dim 0, then transposed, then ×scale +add in float, then cast to dtype. */
	og_part *parts;
	size_t nparts;
	bool transpose; /* 2-D */
	bool affine;
	float scale, add;
	/* … or one part, folded. */
	og_fold fold;
	const og_tensor *gain;  /* of FOLD_NORM: g, as many elements as the last dim */
	const double *factors;  /* after og_init_prepare(): g/‖v‖ by place in the last dim; the results of FOLD_SOFTMAX */
	og_val val;
};

/* ---- nodes ---- */

typedef struct og_attr {
	const char *name;
	og_attr_type kind; /* FLOAT, INT, STRING, GRAPH, INTS are what we describe */
	double f;
	int64_t i;
	const char *s;
	const int64_t *ints;
	size_t nints;
	og_graph *graph;
} og_attr;

#define OG_NODE_OUTPUTS_MAX (1 + 4 * OG_LAYERS_MAX) /* an If gives every cache of a decoder */

struct og_node {
	const char *op, *name;
	og_val *in; /* OG_NONE: an optional input that is left out */
	size_t nin;
	og_val *out;
	size_t nout;
	og_attr *attrs;
	size_t nattrs;
};

struct og_graph {
	const og_graph *parent; /* NULL: the main graph */
	const char *name;
	og_node **nodes; /* in topological order */
	size_t nnodes, nodes_cap;
	og_val *inputs, *outputs;
	size_t ninputs, inputs_cap, noutputs, outputs_cap;
};

typedef struct og_model { /* one ONNX file */
	og_arena *arena;
	og_dims *dims;
	og_value *values; /* by id; [0] is unused */
	size_t nvalues, values_cap;
	og_init **inits; /* in the order of their first use */
	size_t ninits, inits_cap;
	og_strmap *constants; /* name → the og_init, also of those that no node uses any more */
	og_graph *main;
	int opset, ir_version;
	const onnxgate_pair *metadata; /* metadata_props, in the order in which they are written */
	size_t nmetadata;
} og_model;

static inline og_value *og_model_value(const og_model *m, og_val v)
{
	return v.id && v.id < m->nvalues ? &m->values[v.id] : NULL;
}
const og_attr *og_node_attr(const og_node *n, const char *name);
int64_t og_node_int(const og_node *n, const char *name, int64_t fallback);

/* A new value; 0 when there is no memory. The pointer into values moves with the table. */
og_val og_model_new_value(og_model *m, og_dtype dtype, int rank, const og_dim *dims);
/* Append a node to a graph; in, out and attrs are copied. NULL when there is no memory. */
og_node *og_graph_append(og_model *m, og_graph *g, const char *op, const char *name, const og_val *in, size_t nin, const og_val *out, size_t nout,
	const og_attr *attrs, size_t nattrs);
/* A constant initializer (data copied), shared with an equal one. OG_NONE when there is no memory. */
og_val og_model_constant(og_model *m, og_dtype dtype, int rank, const int64_t *dims, const void *data);

/* Keeps the initializers that nodes use, in the order of their first use: the file's bytes must not hang on the order in which a
 * compiler evaluates the arguments of a call. After anything that adds or removes nodes. */
og_status og_model_order_inits(og_model *m, og_error *err) OG_MUST;

/* Infer the outputs' dtype, rank, dims and known elements from the inputs (infer.c). The node is not yet appended.
 * UNSUPPORTED for an operator without a rule, MISMATCH when the inputs contradict each other. */
og_status og_infer(og_model *m, const og_node *n, og_value *out, size_t nout, og_error *err) OG_MUST;

#endif
