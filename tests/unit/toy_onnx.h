/* SPDX-License-Identifier: Apache-2.0
 *
 * Small ONNX files for tests, written field by field with the wire writer: nothing of the graph builder is used, so
 * what is tested with them does not lean on what they would share.
 *
 *   toy t;
 *   toy_begin(&t);
 *   toy_input(&t, "x", OG_F32, "batch_size,8");          a dim: a number, a symbol, "?" for one without a name
 *   toy_node(&t, "Softmax", "x", "y", "axis=-1");        attributes: name=integer, name=[1,2], name="text"
 *   toy_output(&t, "y", OG_F32, "batch_size,8");
 *   toy_write(&t, path); */
#ifndef OG_TEST_TOY_ONNX_H
#define OG_TEST_TOY_ONNX_H

#include "base/arena.h"
#include "base/file.h"
#include "base/random.h"
#include "codec/dtype.h"
#include "codec/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOY_MAX (16u << 20)
#define TOY_OPSET 18

typedef struct toy {
	og_buf graph;
	int nodes;
} toy;

static inline void toy_check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "toy model: %s\n", what);
		abort();
	}
}

static inline void toy_begin(toy *t)
{
	t->nodes = 0;
	og_buf_init(&t->graph, TOY_MAX);
	og_wire_put_str(&t->graph, 2, "toy");
}

/* The next comma-separated piece of *list; false: none left. */
static inline bool toy_piece(const char **list, char out[256])
{
	size_t n;
	int depth = 0;

	if (!*list || !**list)
		return false;
	for (n = 0; (*list)[n] && ((*list)[n] != ',' || depth); n++)
		depth += ((*list)[n] == '[') - ((*list)[n] == ']');
	toy_check(n < 256, "a piece is too long");
	memcpy(out, *list, n);
	out[n] = '\0';
	*list += n + ((*list)[n] == ',');
	return true;
}

static inline void toy_sub(og_buf *to, uint32_t field, og_buf *from)
{
	toy_check(!from->failed, "no memory");
	og_wire_put_bytes(to, field, from->p, from->n);
	og_buf_done(from);
}

static inline void toy_shape(og_buf *tensor_type, const char *dims)
{
	og_buf shape, dim;
	char piece[256];

	og_buf_init(&shape, TOY_MAX);
	while (toy_piece(&dims, piece)) {
		og_buf_init(&dim, TOY_MAX);
		if ((piece[0] >= '0' && piece[0] <= '9'))
			og_wire_put_i64(&dim, 1, strtoll(piece, NULL, 10));
		else if (strcmp(piece, "?") != 0)
			og_wire_put_str(&dim, 2, piece);
		toy_sub(&shape, 1, &dim);
	}
	toy_sub(tensor_type, 2, &shape);
}

/* dims NULL: a sequence of tensors instead of a tensor. */
static inline void toy_value(toy *t, uint32_t field, const char *name, og_dtype dtype, const char *dims)
{
	og_buf info, type, tensor, element;

	og_buf_init(&info, TOY_MAX);
	og_buf_init(&type, TOY_MAX);
	og_buf_init(&tensor, TOY_MAX);
	og_wire_put_str(&info, 1, name);
	og_wire_put_u64(&tensor, 1, (uint64_t)dtype);
	if (dims) {
		toy_shape(&tensor, dims);
		toy_sub(&type, 1, &tensor);
	} else {
		og_buf sequence;
		og_buf_init(&sequence, TOY_MAX);
		og_buf_init(&element, TOY_MAX);
		toy_sub(&element, 1, &tensor);
		toy_sub(&sequence, 1, &element);
		toy_sub(&type, 4, &sequence);
	}
	toy_sub(&info, 2, &type);
	toy_sub(&t->graph, field, &info);
}

static inline void toy_input(toy *t, const char *name, og_dtype dtype, const char *dims)
{
	toy_value(t, 11, name, dtype, dims);
}

static inline void toy_output(toy *t, const char *name, og_dtype dtype, const char *dims)
{
	toy_value(t, 12, name, dtype, dims);
}

static inline void toy_attribute(og_buf *node, char *text)
{
	char *value = strchr(text, '=');
	og_buf a;

	toy_check(value != NULL, "an attribute without a value");
	*value++ = '\0';
	og_buf_init(&a, TOY_MAX);
	og_wire_put_str(&a, 1, text);
	if (value[0] == '[') {
		for (char *p = value + 1; *p && *p != ']'; p += *p == ',')
			og_wire_put_i64(&a, 8, strtoll(p, &p, 10));
		og_wire_put_u64(&a, 20, 7);
	} else if (value[0] == '"') {
		og_wire_put_bytes(&a, 4, value + 1, strlen(value) - 2);
		og_wire_put_u64(&a, 20, 3);
	} else {
		og_wire_put_i64(&a, 3, strtoll(value, NULL, 10));
		og_wire_put_u64(&a, 20, 2);
	}
	toy_sub(node, 5, &a);
}

static inline void toy_node(toy *t, const char *op, const char *inputs, const char *outputs, const char *attributes)
{
	char piece[256], name[32];
	og_buf node;

	og_buf_init(&node, TOY_MAX);
	while (toy_piece(&inputs, piece))
		og_wire_put_str(&node, 1, piece);
	while (toy_piece(&outputs, piece))
		og_wire_put_str(&node, 2, piece);
	snprintf(name, sizeof(name), "n%d", t->nodes++);
	og_wire_put_str(&node, 3, name);
	og_wire_put_str(&node, 4, op);
	while (attributes && toy_piece(&attributes, piece))
		toy_attribute(&node, piece);
	toy_sub(&t->graph, 1, &node);
}

static inline uint64_t toy_tensor_head(og_buf *tensor, const char *name, og_dtype dtype, const char *dims)
{
	uint64_t n = 1;
	char piece[256];

	while (toy_piece(&dims, piece)) {
		og_wire_put_i64(tensor, 1, strtoll(piece, NULL, 10));
		n *= (uint64_t)strtoull(piece, NULL, 10);
	}
	og_wire_put_u64(tensor, 2, (uint64_t)dtype);
	og_wire_put_str(tensor, 8, name);
	return n;
}

/* Random weights in [-scale, scale). */
static inline void toy_f32(toy *t, const char *name, const char *dims, double scale)
{
	og_random r = { (uint64_t)name[0] * 257 + strlen(name) };
	og_buf tensor, raw;
	uint64_t n;

	og_buf_init(&tensor, TOY_MAX);
	og_buf_init(&raw, TOY_MAX);
	n = toy_tensor_head(&tensor, name, OG_F32, dims);
	for (uint64_t i = 0; i < n; i++) {
		float v = (float)((2 * og_random_unit(&r) - 1) * scale);
		og_buf_add(&raw, &v, sizeof(v));
	}
	toy_sub(&tensor, 9, &raw);
	toy_sub(&t->graph, 5, &tensor);
}

static inline void toy_scalar_f32(toy *t, const char *name, double value)
{
	float v = (float)value;
	og_buf tensor;

	og_buf_init(&tensor, TOY_MAX);
	toy_tensor_head(&tensor, name, OG_F32, "");
	og_wire_put_bytes(&tensor, 9, &v, sizeof(v));
	toy_sub(&t->graph, 5, &tensor);
}

/* values "3,4"; dims "" for a scalar */
static inline void toy_i64(toy *t, const char *name, const char *dims, const char *values)
{
	og_buf tensor, raw;
	char piece[256];

	og_buf_init(&tensor, TOY_MAX);
	og_buf_init(&raw, TOY_MAX);
	toy_tensor_head(&tensor, name, OG_I64, dims);
	while (toy_piece(&values, piece)) {
		int64_t v = strtoll(piece, NULL, 10);
		og_buf_add(&raw, &v, sizeof(v));
	}
	toy_sub(&tensor, 9, &raw);
	toy_sub(&t->graph, 5, &tensor);
}

static inline void toy_write(toy *t, const char *path)
{
	og_buf model, opset;

	og_buf_init(&model, TOY_MAX);
	og_buf_init(&opset, TOY_MAX);
	og_wire_put_u64(&model, 1, 8);
	og_wire_put_str(&opset, 1, "");
	og_wire_put_u64(&opset, 2, TOY_OPSET);
	toy_sub(&model, 8, &opset);
	toy_sub(&model, 7, &t->graph);
	toy_check(!model.failed, "no memory");
	toy_check(og_file_write(path, model.p, model.n, NULL) == OG_OK, "cannot be written");
	og_buf_done(&model);
}

#endif
