/* SPDX-License-Identifier: Apache-2.0
 *
 * Small ONNX models for tests, written through the wire writer from a few lines of text:
 *
 *     ir 8
 *     opset 18                        import com.microsoft 1
 *     input x float32 [batch, 3]      output y float32 [?, 4]      value v int64      (no shape)
 *     init w float32 [3, 4]           raw_data of the right size, zeros
 *     ints axes [1, -1]               int64 initializer of one dim; `scalar i 3` of none
 *     raw w float32 [3, 4] 40         raw_data of 40 bytes
 *     external w float32 [3, 4] location=a.bin offset=0
 *     node MatMul x,w -> y alpha=1.5 axis=-1 perm=[1,0] mode="s" empty=[] name=n
 *     node If c -> y { … } and in braces, each on its own line: graph then_branch … end graph else_branch … end }
 *
 * A dim is a number, a name, or "?"; an input named "_" is left out. */
#ifndef OG_TEST_MAKE_ONNX_H
#define OG_TEST_MAKE_ONNX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/dtype.h"
#include "codec/wire.h"

enum { MAKE_MAX = 64 << 20 };

typedef struct make_text {
	const char *at;
} make_text;

/* The next line, trimmed, in line[512]; false at the end. */
static inline bool make_line(make_text *t, char *line)
{
	size_t n = 0;

	while (*t->at == '\n' || *t->at == '\t' || *t->at == ' ')
		t->at++;
	if (!*t->at)
		return false;
	while (*t->at && *t->at != '\n')
		line[n++] = *t->at++;
	assert_true(n < 512);
	line[n] = 0;
	return true;
}

static inline void make_put(og_buf *parent, uint32_t field, og_buf *child)
{
	assert_false(child->failed);
	og_wire_put_bytes(parent, field, child->p, child->n);
	og_buf_done(child);
}

/* "[a, 3, ?]" → one text for each dim; -1: "" or not a list. */
static inline int make_list(char *s, char *items[])
{
	int n = 0;

	if (!s || *s != '[')
		return -1;
	s[strcspn(s, "]")] = 0;
	for (char *p = strtok(s + 1, ","); p; p = strtok(NULL, ","))
		items[n++] = p + strspn(p, " ");
	return n;
}

static inline og_buf make_type(og_dtype t, char *dims)
{
	og_buf type, tensor, shape;
	char *items[32];
	int n = make_list(dims, items);

	og_buf_init(&type, MAKE_MAX);
	og_buf_init(&tensor, MAKE_MAX);
	og_buf_init(&shape, MAKE_MAX);
	og_wire_put_u64(&tensor, 1, (uint64_t)t);
	for (int i = 0; i < n; i++) {
		og_buf dim;

		og_buf_init(&dim, 2000);
		if (strchr("-0123456789", items[i][0]))
			og_wire_put_i64(&dim, 1, atoll(items[i]));
		else if (items[i][0] != '?')
			og_wire_put_str(&dim, 2, items[i]);
		make_put(&shape, 1, &dim);
	}
	if (n >= 0)
		make_put(&tensor, 2, &shape);
	og_buf_done(&shape);
	make_put(&type, 1, &tensor);
	return type;
}

/* "NAME DTYPE [DIMS]" */
static inline void make_value(og_buf *graph, uint32_t field, char *rest)
{
	char *name = strtok(rest, " "), *dtype = strtok(NULL, " "), *dims = strtok(NULL, "");
	og_buf value, type;

	og_buf_init(&value, MAKE_MAX);
	og_wire_put_str(&value, 1, name);
	if (dtype) {
		type = make_type(og_dtype_from_name(dtype), dims);
		make_put(&value, 2, &type);
	}
	make_put(graph, field, &value);
}

static inline og_buf make_tensor(const char *name, og_dtype t, const int64_t *dims, int rank)
{
	og_buf b;

	og_buf_init(&b, MAKE_MAX);
	for (int i = 0; i < rank; i++)
		og_wire_put_i64(&b, 1, dims[i]);
	og_wire_put_u64(&b, 2, (uint64_t)t);
	og_wire_put_str(&b, 8, name);
	return b;
}

static inline void make_zeros(og_buf *tensor, size_t bytes)
{
	uint8_t *zeros = calloc(1, bytes + 1);

	og_wire_put_bytes(tensor, 9, zeros, bytes);
	free(zeros);
}

static inline void make_external(og_buf *tensor, char *pairs)
{
	for (char *p = strtok(pairs, " "); p; p = strtok(NULL, " ")) {
		og_buf pair;
		char *eq = strchr(p, '=');

		og_buf_init(&pair, 4000);
		*eq = 0;
		og_wire_put_str(&pair, 1, p);
		og_wire_put_str(&pair, 2, eq + 1);
		make_put(tensor, 13, &pair);
	}
	og_wire_put_u64(tensor, 14, 1);
}

/* "NAME DTYPE [DIMS] REST" */
static inline void make_initializer(og_buf *graph, const char *kind, char *rest)
{
	char *name = strtok(rest, " "), *dtype = strtok(NULL, " "), *dims = strtok(NULL, "]"), *more = strtok(NULL, ""), *items[32];
	int64_t numbers[32];
	og_dtype t = og_dtype_from_name(dtype);
	uint64_t elements = 1, bytes;
	int n = make_list(dims, items);
	og_buf tensor;

	for (int i = 0; i < n; i++) {
		numbers[i] = atoll(items[i]);
		elements *= (uint64_t)numbers[i];
	}
	tensor = make_tensor(name, t, numbers, n);
	if (strcmp(kind, "external") == 0) {
		make_external(&tensor, more);
	} else {
		if (!og_dtype_bytes(t, elements, &bytes))
			bytes = 0;
		make_zeros(&tensor, strcmp(kind, "raw") == 0 ? strtoul(more, NULL, 10) : (size_t)bytes);
	}
	make_put(graph, 5, &tensor);
}

static inline void make_numbers(og_buf *graph, const char *kind, char *rest)
{
	char *name = strtok(rest, " "), *values = strtok(NULL, ""), *items[64];
	int64_t numbers[64], dim;
	og_buf tensor;
	int n = 1;

	if (strcmp(kind, "ints") == 0) {
		n = make_list(values, items);
		for (int i = 0; i < n; i++)
			numbers[i] = atoll(items[i]);
	} else {
		numbers[0] = atoll(values);
	}
	dim = n;
	tensor = make_tensor(name, OG_I64, &dim, strcmp(kind, "ints") == 0);
	og_wire_put_bytes(&tensor, 9, numbers, (size_t)n * sizeof(*numbers));
	make_put(graph, 5, &tensor);
}

/* key=1 key=1.5 key="s" key=[1,2] */
static inline void make_attribute(og_buf *node, char *text)
{
	char *value = strchr(text, '='), *items[64];
	og_buf a;
	int n;

	og_buf_init(&a, MAKE_MAX);
	*value++ = 0;
	og_wire_put_str(&a, 1, text);
	if (*value == '"') {
		og_wire_put_bytes(&a, 4, value + 1, strlen(value) - 2);
		og_wire_put_u64(&a, 20, 3);
	} else if (*value == '[') {
		n = make_list(value, items);
		for (int i = 0; i < n; i++)
			og_wire_put_i64(&a, 8, atoll(items[i]));
		og_wire_put_u64(&a, 20, 7);
	} else if (strchr(value, '.')) {
		og_wire_put_f32(&a, 2, (float)atof(value));
		og_wire_put_u64(&a, 20, 1);
	} else {
		og_wire_put_i64(&a, 3, atoll(value));
		og_wire_put_u64(&a, 20, 2);
	}
	make_put(node, 5, &a);
}

static inline void make_names(og_buf *node, uint32_t field, char *list)
{
	char *rest = NULL;

	for (char *p = strtok_r(list, ",", &rest); p; p = strtok_r(NULL, ",", &rest))
		og_wire_put_str(node, field, strcmp(p, "_") == 0 ? "" : p);
}

static inline og_buf make_graph(make_text *t);

/* "[DOMAIN:]OP INPUTS -> OUTPUTS ATTRIBUTES" */
static inline void make_node(og_buf *graph, char *rest, make_text *t)
{
	char *save = NULL, *op = strtok_r(rest, " ", &save), *colon = strchr(op, ':'), *inputs = strtok_r(NULL, " ", &save), line[512];
	og_buf node;

	og_buf_init(&node, MAKE_MAX);
	if (strcmp(inputs, "->") != 0) {
		make_names(&node, 1, inputs);
		strtok_r(NULL, " ", &save);
	}
	make_names(&node, 2, strtok_r(NULL, " ", &save));
	og_wire_put_str(&node, 4, colon ? colon + 1 : op);
	if (colon) {
		*colon = 0;
		og_wire_put_str(&node, 7, op);
	}
	for (char *p = strtok_r(NULL, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		if (strncmp(p, "name=", 5) == 0) {
			og_wire_put_str(&node, 3, p + 5);
		} else if (strcmp(p, "{") == 0) {
			while (make_line(t, line) && strcmp(line, "}") != 0) {
				og_buf a, g;

				assert_memory_equal(line, "graph ", 6);
				g = make_graph(t);
				og_buf_init(&a, MAKE_MAX);
				og_wire_put_str(&a, 1, line + 6);
				make_put(&a, 6, &g);
				og_wire_put_u64(&a, 20, 5);
				make_put(&node, 5, &a);
			}
		} else {
			make_attribute(&node, p);
		}
	}
	make_put(graph, 1, &node);
}

static inline void make_graph_line(og_buf *g, char *line, make_text *t)
{
	char *rest = strchr(line, ' ');

	assert_non_null(rest);
	*rest++ = 0;
	if (strcmp(line, "input") == 0)
		make_value(g, 11, rest);
	else if (strcmp(line, "output") == 0)
		make_value(g, 12, rest);
	else if (strcmp(line, "value") == 0)
		make_value(g, 13, rest);
	else if (strcmp(line, "ints") == 0 || strcmp(line, "scalar") == 0)
		make_numbers(g, line, rest);
	else if (strcmp(line, "node") == 0)
		make_node(g, rest, t);
	else
		make_initializer(g, line, rest);
}

/* The lines up to "end" or the end of the text. */
static inline og_buf make_graph(make_text *t)
{
	char line[512];
	og_buf g;

	og_buf_init(&g, MAKE_MAX);
	og_wire_put_str(&g, 2, "g");
	while (make_line(t, line) && strcmp(line, "end") != 0)
		make_graph_line(&g, line, t);
	return g;
}

/* A whole model; "ir" and "opset" lines come first (8 and 18 without them). Release with og_buf_done(). */
static inline og_buf make_model(const char *text)
{
	make_text t = { text }, before;
	unsigned ir = 8, opset = 18;
	char line[512], domain[200];
	og_buf m, g;

	og_buf_init(&m, MAKE_MAX);
	for (before = t; make_line(&t, line); before = t) {
		og_buf import;
		unsigned version;

		if (sscanf(line, "ir %u", &ir) == 1 || sscanf(line, "opset %u", &opset) == 1)
			continue;
		if (sscanf(line, "import %199s %u", domain, &version) != 2)
			break;
		og_buf_init(&import, 1000);
		og_wire_put_str(&import, 1, domain);
		og_wire_put_u64(&import, 2, version);
		make_put(&m, 8, &import);
	}
	t = before;
	og_wire_put_u64(&m, 1, ir);
	g = make_graph(&t);
	make_put(&m, 7, &g);
	if (opset) {
		og_buf import;

		og_buf_init(&import, 100);
		og_wire_put_u64(&import, 2, opset);
		make_put(&m, 8, &import);
	}
	assert_false(m.failed);
	return m;
}

#endif
