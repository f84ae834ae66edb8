/* SPDX-License-Identifier: Apache-2.0
 *
 * The protobuf wire format: a field reader over a cursor, and a writer into a buffer.
 * Reference: protobuf.dev, "Encoding". */
#ifndef OG_CODEC_WIRE_H
#define OG_CODEC_WIRE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/str.h"

typedef enum og_wire_type { OG_WIRE_VARINT = 0, OG_WIRE_I64 = 1, OG_WIRE_LEN = 2, OG_WIRE_GROUP = 3, OG_WIRE_END = 4, OG_WIRE_I32 = 5 } og_wire_type;

typedef struct og_field_in {
	uint32_t number;
	og_wire_type type;
	uint64_t value; /* VARINT, I64, I32 */
	og_str bytes;   /* LEN: a view */
	uint64_t at;    /* file offset of the field's payload */
} og_field_in;

uint64_t og_wire_varint(og_cursor *c, const char *what);
/* The next field; false at the end or when bad (groups are skipped whole, within OG_ONNX_DEPTH_MAX). */
bool og_wire_next(og_cursor *c, og_field_in *f);
/* Only the head of the next field: its tag, and the number of a VARINT, I64 or I32; of a LEN its length, in value, the
 * payload itself not taken; GROUP and END are returned as they are. For readers that hold a window of the message. */
bool og_wire_head(og_cursor *c, og_field_in *f);
og_cursor og_wire_sub(const og_field_in *f); /* a cursor over a LEN field */

size_t og_wire_varint_size(uint64_t v);
void og_wire_put_varint(og_buf *b, uint64_t v);
void og_wire_put_tag(og_buf *b, uint32_t number, og_wire_type type);
void og_wire_put_u64(og_buf *b, uint32_t number, uint64_t v);
void og_wire_put_i64(og_buf *b, uint32_t number, int64_t v); /* two's complement varint, as int64 in protobuf */
void og_wire_put_f32(og_buf *b, uint32_t number, float v);
void og_wire_put_bytes(og_buf *b, uint32_t number, const void *p, size_t n);
void og_wire_put_str(og_buf *b, uint32_t number, const char *s);

#endif
