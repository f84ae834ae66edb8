/* SPDX-License-Identifier: Apache-2.0
 *
 * A pull scanner for large, flat JSON (safetensors headers, shard indexes): bytes arrive in pieces, memory
 * does not grow with the document.  Strict RFC 8259; strings must be valid UTF-8, escapes are decoded; a
 * string longer than the caller's ceiling is a fault.  Duplicate keys are the caller's to find. */
#ifndef OG_CODEC_JSCAN_H
#define OG_CODEC_JSCAN_H

#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

typedef enum og_jtoken {
	OG_J_ERROR, OG_J_END,
	OG_J_OBJECT, OG_J_OBJECT_END, OG_J_ARRAY, OG_J_ARRAY_END,
	OG_J_KEY, OG_J_STRING, OG_J_NUMBER, OG_J_TRUE, OG_J_FALSE, OG_J_NULL
} og_jtoken;

typedef struct og_jscan og_jscan;

/* Over n bytes of a source from `offset` on. string_max: bytes of one key or string. depth_max: nesting. */
og_status og_jscan_open(og_source *s, uint64_t offset, uint64_t n, size_t string_max, int depth_max, og_jscan **out, og_error *err) OG_MUST;
/* Over bytes in memory, which stay yours and in place. python: NaN, Infinity and -Infinity are numbers, as Python's json writes them. */
og_status og_jscan_open_memory(const char *name, const void *p, size_t n, size_t string_max, int depth_max, bool python, og_jscan **out, og_error *err) OG_MUST;
og_jtoken og_jscan_next(og_jscan *j);           /* after ERROR: always ERROR */
og_str og_jscan_text(const og_jscan *j);        /* of KEY, STRING, NUMBER: valid until the next call */
uint64_t og_jscan_at(const og_jscan *j);        /* file offset of the token */
bool og_jscan_skip(og_jscan *j, og_jtoken t);   /* the rest of the value that t began; false: ERROR */
og_status og_jscan_check(const og_jscan *j, og_error *err) OG_MUST; /* OK, or FORMAT "NAME: … at offset N" */
void og_jscan_free(og_jscan *j);
OG_DEFINE_FREEP(og_jscan)

#endif
