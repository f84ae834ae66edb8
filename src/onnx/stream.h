/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside src/onnx: protobuf fields out of a source, through a window.  A message is the range [pos, end) of
 * the file; what is not asked for is jumped over without being read. */
#ifndef OG_ONNX_STREAM_H
#define OG_ONNX_STREAM_H

#include "base/context.h"
#include "base/limits.h"
#include "base/source.h"
#include "codec/wire.h"
#include "onnx/message.h"

enum { OG_STREAM_WINDOW = 16384 };

typedef struct og_stream {
	og_source *source;
	const og_context *ctx;
	og_arena *arena;
	og_names *names;
	og_onnx_model *model; /* the counts of the whole file */
	og_error *err;
	size_t arena_base;    /* size of the arena before we began */
	uint64_t pos;         /* next byte of the file */
	int depth;            /* subgraphs that we are in */
	uint32_t fields;      /* since the last look at the cancel flag */
	uint64_t window_at;   /* file offset of window[0] */
	size_t window_n;
	uint8_t window[OG_STREAM_WINDOW];
} og_stream;

/* What a message may hold. Fields that are not listed are unknown: counted and jumped over. */
typedef struct og_field_spec {
	uint8_t number;
	uint8_t wire; /* og_wire_type */
	uint8_t repeat;
	const char *name; /* for messages: "NodeProto.op_type" */
} og_field_spec;

enum { OG_ONCE, OG_REPEATED, OG_PACKED /* repeated numbers: one by one, or many in a LEN */, OG_IGNORED /* jumped over */ };

typedef struct og_message {
	const og_field_spec *specs;
	size_t nspecs;
	uint64_t end;
	uint32_t seen; /* bit i: spec i came */
	const og_field_spec *spec;
	og_field_in field;   /* of a LEN: value is its length */
	uint64_t field_end;  /* of a LEN: where it ends */
} og_message;

#define OG_MESSAGE(specs_, end_) { .specs = (specs_), .nspecs = OG_COUNT(specs_), .end = (end_) }

/* The next known field: *more false at the end of the message. The stream stands at the field's payload when it is a
 * LEN, behind it otherwise; a LEN must be consumed (by one of the functions below, or og_stream_skip()). */
og_status og_stream_next(og_stream *in, og_message *m, bool *more) OG_MUST;
void og_stream_skip(og_stream *in, const og_message *m);
og_status og_stream_bad(og_stream *in, uint64_t at, const char *fmt, ...) OG_PRINTF(3, 4);

/* The LEN field as text: valid UTF-8 without NUL; a name is interned and at most OG_NAME_MAX bytes. */
og_status og_stream_name(og_stream *in, const og_message *m, const char **out) OG_MUST;
og_status og_stream_text(og_stream *in, const og_message *m, const char **out) OG_MUST;
og_status og_stream_bytes(og_stream *in, const og_message *m, og_str *out) OG_MUST;
/* n bytes at the stream's position, which moves on. */
og_status og_stream_read(og_stream *in, void *p, size_t n) OG_MUST;

/* The numbers of an OG_PACKED field: call until *more is false. state starts as { 0 }. */
typedef struct og_packed {
	bool begun;
} og_packed;
og_status og_stream_number(og_stream *in, const og_message *m, og_wire_type wire, og_packed *state, uint64_t *out, bool *more) OG_MUST;

/* Room for one more element of an arena array, zeroed; *array and the count are updated. */
#define OG_STREAM_PUSH(in, array, count, cap, slot) og_stream_push((in), (void *)&(array), &(count), &(cap), sizeof(*(array)), (void **)(slot))
og_status og_stream_push(og_stream *in, void *array, size_t *count, size_t *cap, size_t size, void **slot) OG_MUST;
og_status og_stream_alloc(og_stream *in, size_t size, void *out_ptr) OG_MUST;

/* reader_tensor.c, reader_graph.c: the stream stands at the payload, `end` is where it ends. */
og_status og_read_tensor(og_stream *in, uint64_t end, og_onnx_tensor *t) OG_MUST;
og_status og_read_sparse(og_stream *in, uint64_t end, og_onnx_sparse *t) OG_MUST;
og_status og_read_type(og_stream *in, uint64_t end, int depth, og_onnx_type *t) OG_MUST;
og_status og_read_graph(og_stream *in, uint64_t end, og_onnx_graph *g) OG_MUST;
og_status og_read_node(og_stream *in, uint64_t end, og_onnx_node *n) OG_MUST;
og_status og_read_attribute(og_stream *in, uint64_t end, og_onnx_attribute *a) OG_MUST;
og_status og_read_value(og_stream *in, uint64_t end, og_onnx_value *v) OG_MUST;
og_status og_read_pair(og_stream *in, uint64_t end, og_onnx_pair *p) OG_MUST;
og_status og_read_opset(og_stream *in, uint64_t end, og_onnx_opset *o) OG_MUST;

#endif
