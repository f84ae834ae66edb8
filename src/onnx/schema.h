/* SPDX-License-Identifier: Apache-2.0
 *
 * Operator schemas by opset: what ONNX says about each operator's inputs, outputs, attributes and element
 * types.  One constant table without pointers (schema_table.inc), so that it costs nothing at start-up. */
#ifndef OG_ONNX_SCHEMA_H
#define OG_ONNX_SCHEMA_H

#include "onnx/message.h"

typedef struct og_schema og_schema;

enum { OG_SCHEMA_UNBOUNDED = 65535 }; /* as a maximum of inputs or outputs */
#define OG_SCHEMA_OTHER_TYPES (1u << 31) /* in og_formal.types: a sequence, map, optional or sparse tensor is allowed */

typedef enum og_formal_kind { OG_FORMAL_SINGLE, OG_FORMAL_OPTIONAL, OG_FORMAL_VARIADIC } og_formal_kind;

typedef struct og_formal {
	uint32_t types;      /* bit t: a tensor of element type t is allowed */
	int variable;        /* number of its type parameter: what shares it has one element type; -1: none */
	og_formal_kind kind;
	bool homogeneous;    /* variadic: all of one type */
} og_formal;

/* "ai.onnx" is another spelling of the default domain "". */
const char *og_schema_domain(const char *domain);
/* The schema in force at that opset: the newest that is not newer. NULL: no such operator there. */
const og_schema *og_schema_find(const char *domain, const char *op, int64_t opset);
/* The first opset that has the operator; 0: none has. */
int og_schema_first(const char *domain, const char *op);
/* The newest opset of the domain that the table knows; 0: a domain that it does not know at all. */
int og_schema_newest(const char *domain);
int og_schema_ir_version_newest(void);

int og_schema_since(const og_schema *s);
bool og_schema_deprecated(const og_schema *s);
bool og_schema_any_attribute(const og_schema *s); /* attributes that the schema does not have are legal */
void og_schema_inputs(const og_schema *s, int *min, int *max);
void og_schema_outputs(const og_schema *s, int *min, int *max);
/* Of input or output i; the last one stands for what follows when it is variadic. false: there is no such. */
bool og_schema_input(const og_schema *s, size_t i, og_formal *out);
bool og_schema_output(const og_schema *s, size_t i, og_formal *out);
bool og_schema_attribute(const og_schema *s, const char *name, og_attr_type *type, bool *required);
/* Attribute i of the schema, in the order of names; NULL: there are no more. */
const char *og_schema_attribute_at(const og_schema *s, size_t i, og_attr_type *type, bool *required);
const char *og_attr_type_name(og_attr_type t); /* "INTS" */

#endif
