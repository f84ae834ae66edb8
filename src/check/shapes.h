/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside src/check: shapes inferred over the parsed graph, by rules that share nothing with the builder's.  The
 * aim is to find contradictions, so what is not known stays unknown and accuses nobody. */
#ifndef OG_CHECK_SHAPES_H
#define OG_CHECK_SHAPES_H

#include "check/structure.h"

#include "base/limits.h"
#include "onnx/schema.h"

enum { OG_VALUES_MAX = OG_ONNX_KEPT_VALUES };

/* A dim, or an element of a small integer tensor: a number (symbol NULL), a symbol, or unknown (symbol ""). */
typedef struct og_sdim {
	int64_t n;
	const char *symbol; /* interned in og_infer.symbols */
} og_sdim;

typedef struct og_sinfo {
	og_onnx_kind kind; /* UNTYPED: nothing is known */
	og_dtype dtype;    /* NONE: unknown */
	int rank;          /* -1: unknown */
	const og_sdim *dims;
	int nvalues;       /* contents, of an integer tensor of rank 0 or 1; -1: unknown */
	const og_sdim *values;
} og_sinfo;

typedef struct og_infer {
	og_structure *st;
	og_findings f;
	og_names *symbols;
	const char *unknown;             /* the empty symbol */
	og_sinfo *infos;                 /* by number of the value's name */
	struct og_declared {
		const og_onnx_type *type;
		uint32_t graph;
	} *declared;                     /* the same: by value_info and outputs, each for the values of its own graph */
	uint32_t graph, graphs;          /* the one that is open; how many were opened */
	const struct og_shape_rule **rules; /* by number of the operator's name */
	const struct og_shape_rule *none;
	size_t values, ranked;           /* made by nodes; of these, with a known rank */
} og_infer;

typedef struct og_op {
	og_infer *in;
	const og_onnx_node *n;
	const og_node_list *list; /* whose opsets hold */
	const og_schema *schema;
	int64_t opset;
	og_sinfo *out;
	bool clashed; /* told once per node; its shapes are then unknown */
	og_status status;
	og_error *err;
} og_op;

typedef void (*og_shape_fn)(og_op *o);

typedef struct og_shape_rule {
	const char *op;
	og_shape_fn fn;
} og_shape_rule;

/* The rule of an operator of the default domain; NULL: none. */
const og_shape_rule *og_shape_rule_find(const char *op);

void og_clash(og_op *o, const char *fmt, ...) OG_PRINTF(2, 3);

/* ---- dims ---- */

static inline bool og_sdim_static(og_sdim d)
{
	return d.symbol == NULL;
}
static inline bool og_sdim_unknown(og_sdim d)
{
	return d.symbol != NULL && d.symbol[0] == 0;
}
static inline bool og_sdim_same(og_sdim a, og_sdim b) /* surely equal */
{
	return a.symbol == b.symbol && (a.symbol ? a.symbol[0] != 0 : a.n == b.n);
}
og_sdim og_sdim_of(int64_t n);
og_sdim og_sdim_none(const og_infer *in);
og_sdim og_sdim_symbol(og_infer *in, const char *text);
og_sdim og_sdim_add(og_infer *in, og_sdim a, og_sdim b);
og_sdim og_sdim_sub(og_infer *in, og_sdim a, og_sdim b);
og_sdim og_sdim_mul(og_infer *in, og_sdim a, og_sdim b);
og_sdim og_sdim_div(og_infer *in, og_sdim a, og_sdim b); /* floor; unknown for what is not a positive divisor */
/* Two dims that must be equal: the better known one. false: both are numbers, and differ. */
bool og_sdim_merge(og_sdim a, og_sdim b, og_sdim *out);
bool og_sdim_broadcast(const og_infer *in, og_sdim a, og_sdim b, og_sdim *out);
const char *og_sdim_show(og_sdim d, char *out, size_t cap);
const char *og_shape_show(const og_sinfo *i, char *out, size_t cap); /* "[batch, 3, ?]" */

/* ---- what an operator's rule asks and answers ---- */

size_t og_in_count(const og_op *o);
bool og_in_has(const og_op *o, size_t i);
const og_sinfo *og_in(const og_op *o, size_t i); /* never NULL: what is left out is unknown */
int og_in_rank(const og_op *o, size_t i);        /* -1: unknown */
bool og_in_is_list(og_op *o, size_t i);          /* false, and a contradiction: it has another number of dims than one */
bool og_in_values(const og_op *o, size_t i, const og_sdim **values, size_t *n);
/* The same, all of them numbers, into out[OG_VALUES_MAX]. */
bool og_in_numbers(const og_op *o, size_t i, int64_t *out, size_t *n);
/* Axes from an attribute or, where the operator has them there, from input i. *given false: absent. false: unknown. */
bool og_op_axes(const og_op *o, const char *attribute, size_t input, int64_t *out, size_t *n, bool *given);
/* A negative axis counts from the end; outside of the rank it is a contradiction: false. */
bool og_op_axis(og_op *o, int64_t axis, int rank, int *out);
/* Marks an axis (given: as it is written). Marked before: a contradiction, false. */
bool og_op_once(og_op *o, int64_t given, int axis, bool *seen);
int64_t og_op_int(const og_op *o, const char *attribute, int64_t fallback);
bool og_op_ints(const og_op *o, const char *attribute, int64_t *out, size_t max, size_t *n); /* false: absent or too many */
bool og_op_sdims(const og_op *o, const char *attribute, og_sdim *out, size_t max, size_t *n); /* the same, as dims */
/* Can a tensor of n dims be followed? Where not, the verdict is left open. */
bool og_rank_fits(og_op *o, int64_t n);
void og_out_shape(og_op *o, size_t i, int rank, const og_sdim *dims);
void og_out_rank(og_op *o, size_t i, int64_t rank); /* none of its dims is known */
void og_out_like(og_op *o, size_t i, size_t input);
void og_out_dtype(og_op *o, size_t i, og_dtype t);
void og_out_values(og_op *o, size_t i, const og_sdim *values, size_t n);

/* shapes.c: for rules of operators with subgraphs */
og_status og_infer_graph(og_infer *in, const og_onnx_graph *g, const og_node_list *outer, og_error *err) OG_MUST;
og_sinfo og_infer_tensor(og_infer *in, const og_onnx_tensor *t, bool with_values);
bool og_infer_copy(og_infer *in, const og_sdim *dims, size_t n, const og_sdim **out); /* false: no memory */

/* The rules: shapes_math.c */
void og_shape_like_first(og_op *o), og_shape_broadcast(og_op *o), og_shape_softmax(og_op *o), og_shape_matmul(og_op *o), og_shape_gemm(og_op *o);
void og_shape_normalization(og_op *o), og_shape_channel_norm(og_op *o), og_shape_reduce(og_op *o), og_shape_arg(og_op *o), og_shape_cumsum(og_op *o),
	og_shape_trilu(og_op *o);
void og_shape_cast(og_op *o), og_shape_where(og_op *o), og_shape_prelu(og_op *o), og_shape_like_typed(og_op *o), og_shape_quantize(og_op *o);
/* shapes_conv.c */
void og_shape_conv(og_op *o), og_shape_pool(og_op *o), og_shape_global_pool(og_op *o), og_shape_recurrent(og_op *o);
/* shapes_move.c */
void og_shape_gather(og_op *o), og_shape_gather_elements(og_op *o), og_shape_gather_nd(og_op *o), og_shape_scatter(og_op *o), og_shape_reshape(og_op *o),
	og_shape_flatten(og_op *o);
void og_shape_transpose(og_op *o), og_shape_unsqueeze(og_op *o), og_shape_squeeze(og_op *o), og_shape_concat(og_op *o), og_shape_expand(og_op *o);
/* shapes_space.c */
void og_shape_depth_to_space(og_op *o), og_shape_space_to_depth(og_op *o);
/* shapes_cut.c */
void og_shape_split(og_op *o), og_shape_slice(og_op *o), og_shape_tile(og_op *o), og_shape_pad(og_op *o), og_shape_onehot(og_op *o),
	og_shape_topk(og_op *o), og_shape_nonzero(og_op *o);
/* shapes_value.c */
void og_shape_shape(og_op *o), og_shape_size(og_op *o), og_shape_constant(og_op *o), og_shape_constant_of_shape(og_op *o), og_shape_range(og_op *o),
	og_shape_identity(og_op *o);
/* The contents of the output, where those of the inputs are known; called by the rules above. */
void og_value_arithmetic(og_op *o), og_value_cast(og_op *o), og_value_where(og_op *o), og_value_pass(og_op *o);
/* shapes_graph.c */
void og_shape_if(og_op *o), og_shape_loop(og_op *o), og_shape_scan(og_op *o);

#endif
