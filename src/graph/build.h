/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder: describes one ONNX file while checking it.  Each call appends a node and infers its result.
 * After the first error the builder is stuck: later calls return OG_NONE, og_build_finish() reports it, so that a
 * description stays free of plumbing. */
#ifndef OG_GRAPH_BUILD_H
#define OG_GRAPH_BUILD_H

#include "graph/graph.h"
#include "model/ledger.h"

typedef struct og_build og_build;

og_status og_build_new(og_arena *arena, og_ledger *ledger, og_build **out, og_error *err) OG_MUST;
/* Drops nodes and weights that no output needs, orders initializers. The model lives in the arena. */
og_status og_build_finish(og_build *b, og_model **out, og_error *err) OG_MUST;
bool og_build_stuck(const og_build *b);
/* Stick with an error of the description's own. */
og_val og_build_fail(og_build *b, og_status status, const char *fmt, ...) OG_PRINTF(3, 4);

/* ---- scopes: where a node is, and where its weights live; normally they move together ---- */

#define OG_SCOPE(b, ...) OG_SCOPE_AS(b, 3, OG_SCOPE_VARIABLE(__COUNTER__), __VA_ARGS__)
#define OG_NODE_SCOPE(b, ...) OG_SCOPE_AS(b, 1, OG_SCOPE_VARIABLE(__COUNTER__), __VA_ARGS__)
#define OG_WEIGHT_SCOPE(b, ...) OG_SCOPE_AS(b, 2, OG_SCOPE_VARIABLE(__COUNTER__), __VA_ARGS__)
#define OG_SCOPE_PASTE(n) og_scope_##n
#define OG_SCOPE_VARIABLE(n) OG_SCOPE_PASTE(n)
#define OG_SCOPE_AS(b, which, once, ...) for (int once = og_scope_push(b, which, __VA_ARGS__); once; once = og_scope_pop(b))
int og_scope_push(og_build *b, int which, const char *fmt, ...) OG_PRINTF(3, 4);
int og_scope_pop(og_build *b);

/* ---- inputs, outputs, weights, constants ---- */

/* Dims are spelled as Optimum spells them ("batch_size"); the list ends with NULL. */
og_val og_input_dims(og_build *b, const char *name, og_dtype dtype, const char *const *dims);
#define og_input(b, name, dtype, ...) og_input_dims(b, name, dtype, (const char *const[]){ __VA_ARGS__, NULL })
void og_output(og_build *b, const char *name, og_val v);

/* A weight by its name in the checkpoint, relative to the weight scope; a leading '/' makes it absolute. */
og_val og_weight_dims(og_build *b, const char *name, const int64_t *dims, int rank);
#define og_weight(b, name, ...)                                                                                        \
	og_weight_dims(b, name, (const int64_t[]){ __VA_ARGS__ }, (int)(sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)))
/* The same, written transposed: claims [rows, cols], gives a value of shape [cols, rows]. */
og_val og_weight_transposed(og_build *b, const char *name, int64_t rows, int64_t cols);
/* From here on weights are claimed from another checkpoint's ledger, and what is written of them is called "PLACE.name": the same name may
 * be in both. Gives the ledger that there was; hand it back, with place NULL. Below no weight scope. */
og_ledger *og_build_ledger(og_build *b, og_ledger *ledger, const char *place);
/* Several weights of equal width, one below the other (fused projections); written transposed when asked. cols 0: vectors, end
 * to end. The name is the written one, and stands for these parts wherever it is used. */
og_val og_weight_stack(og_build *b, const char *name, const char *const *names, const int64_t *rows, size_t n, int64_t cols, bool transpose);
/* A weight × scale + add, computed once at conversion. */
og_val og_weight_affine(og_build *b, const char *name, const int64_t *dims, int rank, float scale, float add);
/* Rows [first, first + count) of a weight of shape [rows, cols]; written transposed when asked. cols 0: of a vector. */
og_val og_weight_rows(og_build *b, const char *name, int64_t rows, int64_t cols, int64_t first, int64_t count, bool transpose);
/* Folded at conversion, and written under the folded weight's name. Of torch.nn.utils.weight_norm over all dims but the last: from its two
 * parameters, or the weight itself where the checkpoint has no such two. */
og_val og_weight_normed(og_build *b, const char *name, const int64_t *dims, int rank);
og_val og_weight_softmax(og_build *b, const char *name, int64_t n); /* of a vector → [1, n] */
/* A linear layer over `taps` neighbours side by side, [out, taps·in], as the convolution that it is: [out, in, taps]. */
og_val og_weight_taps(og_build *b, const char *name, int64_t out, int64_t in, int64_t taps);
/* `alias` is the same weight as `source`: when the checkpoint holds both, they must be equal. */
void og_tied(og_build *b, const char *alias, const char *source);

og_val og_const_f32(og_build *b, float v);
og_val og_const_i64(og_build *b, int64_t v);
og_val og_const_ints(og_build *b, const int64_t *v, size_t n);
og_val og_const_data(og_build *b, og_dtype dtype, const int64_t *dims, int rank, const void *data);

/* ---- what is known of a value ---- */

og_dtype og_dtype_of(const og_build *b, og_val v);
int og_rank_of(const og_build *b, og_val v);
og_dim og_dim_at(og_build *b, og_val v, int axis); /* negative: from the end */
og_dim og_dim_of(og_build *b, int64_t v);
og_dims *og_build_dims(og_build *b);
/* The dim as an int64 scalar in the graph: a constant, or Shape and Gather of an input, made once. */
og_val og_dim_value(og_build *b, og_dim d);

/* ---- nodes ---- */

og_val og_op(og_build *b, const char *op, const og_val *in, size_t nin, const og_attr *attrs, size_t nattrs);
#define OG_INT(key, v) ((og_attr){ .name = (key), .kind = OG_ATTR_INT, .i = (v) })
#define OG_FLOAT(key, v) ((og_attr){ .name = (key), .kind = OG_ATTR_FLOAT, .f = (v) })
#define OG_TEXT(key, v) ((og_attr){ .name = (key), .kind = OG_ATTR_STRING, .s = (v) })
#define OG_INTS(key, p, count) ((og_attr){ .name = (key), .kind = OG_ATTR_INTS, .ints = (p), .nints = (count) })

typedef void (*og_branch_fn)(og_build *b, void *arg, og_val *out);
/* A branch sees every value made before it; its weights become initializers of the file. Both branches must agree in dtype
 * and rank; where their dims differ, the result's dim is a symbol of its own. */
void og_if(og_build *b, og_val cond, og_branch_fn then_branch, og_branch_fn else_branch, void *arg, og_val *out, size_t nout);
/* Such a dim, of which the description knows more than the branches show: what it is for whoever runs the file. */
void og_build_say_dim(og_build *b, og_val v, int axis, og_dim d);

#endif
