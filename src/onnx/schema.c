/* SPDX-License-Identifier: Apache-2.0
 *
 * The table is sorted by domain, operator and opset, so a look-up is one binary search.  Names are offsets
 * into one pool of text; attributes and formal parameters are runs of rows that operators share. */
#include "onnx/schema.h"

#include "base/alloc.h"

struct domain_row {
	uint16_t name, newest;
};

struct attribute_row {
	uint16_t name;
	uint8_t type, required;
};

struct formal_row {
	uint32_t types;
	uint8_t variable, kind, homogeneous; /* variable 255: none */
};

struct og_schema {
	uint16_t domain, name, since, flags;
	uint16_t input_min, input_max, output_min, output_max;
	uint16_t attribute, attribute_count;
	uint16_t input, input_count, output, output_count;
};

#include "onnx/schema_table.inc"

enum { NO_VARIABLE = 255, DEPRECATED = 1, ANY_ATTRIBUTE = 2 };

const char *og_schema_domain(const char *domain)
{
	return !domain || og_streq(domain, "ai.onnx") ? "" : domain;
}

static int compare(const og_schema *s, const char *domain, const char *op)
{
	int d = strcmp(pool + s->domain, domain);

	return d ? d : strcmp(pool + s->name, op);
}

/* The number of rows that stand before (domain, op, above `opset`). */
static size_t rows_up_to(const char *domain, const char *op, int64_t opset)
{
	size_t low = 0, high = OG_COUNT(ops);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = compare(&ops[middle], domain, op);

		if (c < 0 || (c == 0 && ops[middle].since <= opset))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const og_schema *og_schema_find(const char *domain, const char *op, int64_t opset)
{
	domain = og_schema_domain(domain);
	size_t n = rows_up_to(domain, op, opset);

	return n > 0 && compare(&ops[n - 1], domain, op) == 0 ? &ops[n - 1] : NULL;
}

int og_schema_first(const char *domain, const char *op)
{
	domain = og_schema_domain(domain);
	size_t n = rows_up_to(domain, op, 0);

	return n < OG_COUNT(ops) && compare(&ops[n], domain, op) == 0 ? ops[n].since : 0;
}

int og_schema_newest(const char *domain)
{
	domain = og_schema_domain(domain);
	for (size_t i = 0; i < OG_COUNT(domains); i++) {
		if (strcmp(pool + domains[i].name, domain) == 0)
			return domains[i].newest;
	}
	return 0;
}

int og_schema_ir_version_newest(void)
{
	return SCHEMA_IR_VERSION_MAX;
}

int og_schema_since(const og_schema *s)
{
	return s->since;
}

bool og_schema_deprecated(const og_schema *s)
{
	return (s->flags & DEPRECATED) != 0;
}

bool og_schema_any_attribute(const og_schema *s)
{
	return (s->flags & ANY_ATTRIBUTE) != 0;
}

void og_schema_inputs(const og_schema *s, int *min, int *max)
{
	*min = s->input_min;
	*max = s->input_max;
}

void og_schema_outputs(const og_schema *s, int *min, int *max)
{
	*min = s->output_min;
	*max = s->output_max;
}

static bool formal(uint16_t first, uint16_t count, size_t i, og_formal *out)
{
	const struct formal_row *f;

	if (count == 0 || (i >= count && formals[first + count - 1].kind != OG_FORMAL_VARIADIC))
		return false;
	f = &formals[first + (i < count ? i : count - 1u)];
	*out = (og_formal){ f->types, f->variable == NO_VARIABLE ? -1 : f->variable, (og_formal_kind)f->kind, f->homogeneous != 0 };
	return true;
}

bool og_schema_input(const og_schema *s, size_t i, og_formal *out)
{
	return formal(s->input, s->input_count, i, out);
}

bool og_schema_output(const og_schema *s, size_t i, og_formal *out)
{
	return formal(s->output, s->output_count, i, out);
}

const char *og_schema_attribute_at(const og_schema *s, size_t i, og_attr_type *type, bool *required)
{
	const struct attribute_row *a;

	if (i >= s->attribute_count)
		return NULL;
	a = &attributes[s->attribute + i];
	*type = (og_attr_type)a->type;
	*required = a->required != 0;
	return pool + a->name;
}

bool og_schema_attribute(const og_schema *s, const char *name, og_attr_type *type, bool *required)
{
	for (size_t i = 0; i < s->attribute_count; i++) {
		const char *known = og_schema_attribute_at(s, i, type, required);

		if (strcmp(known, name) == 0)
			return true;
	}
	return false;
}

const char *og_attr_type_name(og_attr_type t)
{
	static const char names[][16] = { "UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS",
		"SPARSE_TENSOR",
		                              "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS" };

	return (size_t)t < OG_COUNT(names) ? names[t] : "?";
}
