/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside src/check: the structure level, one file for each question.  All of them look at one parsed model,
 * count what they saw and what is wrong, and leave one row. */
#ifndef OG_CHECK_STRUCTURE_H
#define OG_CHECK_STRUCTURE_H

#include "check/check.h"
#include "onnx/reader.h"

/* A list of nodes: the graph, a subgraph of it, or the body of a function. */
typedef struct og_node_list {
	const og_onnx_node *nodes;
	size_t n;
	const og_onnx_opset *opsets;
	size_t nopsets;
	bool in_function;
} og_node_list;

typedef struct og_tensor_ref {
	const og_onnx_tensor *t;
	const char *what; /* "initializer", "attribute value of node" */
	const char *name; /* of the initializer or node */
} og_tensor_ref;

typedef struct og_sparse_ref {
	const og_onnx_sparse *t;
	const char *name;
} og_sparse_ref;

typedef struct og_structure {
	og_source *source;
	const char *folder; /* of the file, for external data; NULL: there is none (bytes in memory) */
	const og_context *ctx;
	og_checks *out;
	og_arena *arena; /* for the work; gone afterwards */
	const og_onnx_model *model;
	og_node_list *lists; /* list 0 is the main graph */
	size_t nlists, lists_cap;
	size_t *function_list; /* the first list of each function, and the end */
	og_tensor_ref *tensors;
	size_t ntensors, tensors_cap;
	og_sparse_ref *sparse;
	size_t nsparse, sparse_cap;
} og_structure;

/* What a check found. The first fault and the first thing that it could not judge are told in words, the rest counted. */
typedef struct og_findings {
	og_structure *st;
	size_t looked, faults, unknowns;
	const char *fault, *unknown;
	bool nomem;
} og_findings;

void og_fault(og_findings *f, const char *fmt, ...) OG_PRINTF(2, 3);
void og_unsure(og_findings *f, const char *fmt, ...) OG_PRINTF(2, 3);
/* The row: FAIL with the first fault; SKIPPED with what could not be judged; PASS with the summary. */
og_status og_findings_row(const og_findings *f, const char *name, og_error *err, const char *fmt, ...) OG_MUST OG_PRINTF(4, 5);

/* As og_check_structure(), over bytes that a source gives. FORMAT faults of the file become a row. */
og_status og_check_structure_source(og_source *s, const char *folder, const og_context *ctx, og_checks *out, og_error *err) OG_MUST;

/* structure.names and structure.order; *resolved: neither has a fault, so that shapes can be inferred. */
og_status og_structure_names(og_structure *st, bool *resolved, og_error *err) OG_MUST;
og_status og_structure_ops(og_structure *st, og_error *err) OG_MUST;
og_status og_structure_shapes(og_structure *st, bool resolved, og_error *err) OG_MUST;
og_status og_structure_sizes(og_structure *st, og_error *err) OG_MUST;
og_status og_structure_external(og_structure *st, og_error *err) OG_MUST;
og_status og_structure_outputs(og_structure *st, og_error *err) OG_MUST;

/* What external_data says about a tensor; NULL or a line that says what is wrong with it. */
typedef struct og_external {
	const char *location;
	uint64_t offset, length;
	bool has_length;
} og_external;
const char *og_external_parse(og_arena *a, const og_onnx_tensor *t, og_external *out);
/* The file behind a location of a model in `folder`: *path is its real name, *size its bytes. UNSAFE when it leads out of
 * the folder (and is not a blob of the Hub cache's own repository), NOT_FOUND, FORMAT for what is no regular file. */
og_status og_external_resolve(const char *folder, const char *location, char **path, uint64_t *size, og_error *err) OG_MUST;

/* Where nodes are named in messages: node 'x' (MatMul), or its first output when it has no name. */
const char *og_node_show(const og_onnx_node *n, char *out, size_t cap);

#endif
