/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library and the runtime child (onnxgate-runtime) say to each other over one stream socket.  The library
 * asks, the child answers; nothing else is ever in flight.  All numbers are little-endian.
 *
 *   header    u32 magic "OGRT" | u32 kind | u64 size of the payload        16 bytes
 *   payload   fields of the kind, below; at most OG_RT_MESSAGE_MAX bytes
 *   arrays    for RUN, TIME and the answer to RUN: the bytes of each array that the payload describes, in its
 *             order, without gaps; they go straight from and to the arrays' memory
 *
 *   HELLO  u32 version, text library ("": search)                 OK  text library, text version, text providers
 *   OPEN   text path, text provider, u32 threads, u32 level,
 *          u32 few_runs                                          OK  f64 load_ms, u32 n, n ports, u32 m, m ports
 *   RUN    u32 n, n arrays                                        OK  u32 m, m arrays
 *   TIME   u32 warmup, u32 runs, u32 n, n arrays                  TICK …, OK  u64 peak, u32 runs, runs × f64 ms
 *   CLOSE                                                         OK
 *   any                                                           ERROR  u32 status, text message, text hint
 *
 *   text   u32 length, bytes (no zero byte)
 *   array  text name, u32 dtype, u32 rank, rank × i64 dim, u64 bytes
 *   port   text name, u32 dtype, u32 rank, rank × (i64 dim or -1, text symbol)
 *
 * Either side checks everything that the other sends: the child runs code that we did not write. */
#ifndef OG_RUNTIME_PROTOCOL_H
#define OG_RUNTIME_PROTOCOL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/limits.h"

#define OG_RT_MAGIC 0x5452474fu /* "OGRT" */
#define OG_RT_VERSION 2u
#define OG_RT_FD 3
#define OG_RT_HEADER_SIZE 16
#define OG_RT_MESSAGE_MAX (8u << 20)              /* 4,096 ports with long names are about 1 MB; 100,000 timings 0.8 MB */
#define OG_RT_PORTS_MAX 4096u                     /* inputs or outputs: a decoder of 126 layers has 256 */
#define OG_RT_RUNS_MAX 100000u                    /* timed executions of one request */
#define OG_RT_ARRAYS_MAX ((uint64_t)16 << 30)     /* bytes of all arrays of one message: logits of 8 × 4096 × 128k are 16 GiB */
#define OG_RT_TEXT_MAX 8192u                      /* a path (4,096) or a list of providers */
#define OG_RT_TICK_MS 200                         /* how often the child says that it is still measuring */

typedef enum og_rt_kind {
	OG_RT_HELLO = 1,
	OG_RT_OPEN = 2,
	OG_RT_RUN = 3,
	OG_RT_TIME = 4,
	OG_RT_CLOSE = 5,
	OG_RT_OK = 16,
	OG_RT_ERROR = 17,
	OG_RT_TICK = 18
} og_rt_kind;

typedef struct og_rt_array {
	const char *name;
	uint32_t dtype; /* ONNX's TensorProto.DataType, which is also ONNX Runtime's */
	uint32_t rank;
	int64_t dims[OG_RANK_MAX];
	uint64_t bytes;
} og_rt_array;

typedef struct og_rt_port {
	const char *name;
	uint32_t dtype;
	uint32_t rank;
	int64_t dims[OG_RANK_MAX];        /* -1: symbolic */
	const char *symbols[OG_RANK_MAX]; /* "" where there is none */
} og_rt_port;

/* Bits of one element; 0: a type without a fixed size (text), or not known. The child cannot link codec/dtype. */
unsigned og_rt_bits(uint32_t dtype);
#define OG_RT_STRING 8u
/* Bytes of an array of these dims; false: a dim is out of range, or the size does not fit OG_RT_ARRAYS_MAX. */
bool og_rt_bytes(uint32_t dtype, uint32_t rank, const int64_t *dims, uint64_t *out);

/* A message is written between begin and end; end fills in the size. The buffer's failure is sticky. */
void og_rt_begin(og_buf *b, og_rt_kind kind);
void og_rt_end(og_buf *b);
void og_rt_put_u32(og_buf *b, uint32_t v);
void og_rt_put_u64(og_buf *b, uint64_t v);
void og_rt_put_f64(og_buf *b, double v);
void og_rt_put_text(og_buf *b, const char *s);
void og_rt_put_array(og_buf *b, const og_rt_array *a);
void og_rt_put_port(og_buf *b, const og_rt_port *p);

/* FORMAT when the magic, the kind or the size cannot be. */
og_status og_rt_header(const uint8_t raw[OG_RT_HEADER_SIZE], og_rt_kind *kind, uint64_t *size, og_error *err) OG_MUST;
double og_rt_f64(og_cursor *c, const char *what);
/* NULL when bad or without memory (then the cursor is bad, too). */
const char *og_rt_text(og_cursor *c, og_arena *arena, const char *what);
bool og_rt_get_array(og_cursor *c, og_arena *arena, og_rt_array *out); /* false: the cursor is bad */
bool og_rt_get_port(og_cursor *c, og_arena *arena, og_rt_port *out);

#endif
