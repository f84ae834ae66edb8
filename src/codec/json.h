/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON documents of moderate size, read whole: a thin, strict layer over json-c (depth limit, the file's
 * ceiling, duplicate keys refused, valid UTF-8 demanded; NaN, Infinity and long integers as Python writes
 * them are accepted).  Callers use json-c's own functions to walk and to build documents. */
#ifndef OG_CODEC_JSON_H
#define OG_CODEC_JSON_H

#include "base/alloc.h"
#include "base/error.h"

#include <json-c/json.h>

typedef struct json_object og_json;

/* name: for messages ("config.json"). The document must be one value with nothing behind it: else FORMAT with the offset. */
og_status og_json_parse(const char *name, const void *p, size_t n, og_json **out, og_error *err) OG_MUST;
og_status og_json_read(const char *path, size_t max, og_json **out, og_error *err) OG_MUST;
void og_json_free(og_json *j); /* drops one reference; NULL is fine */
OG_DEFINE_FREEP(og_json)

/* Typed members of an object; absent, null or another type: the fallback. Borrowed. */
const char *og_json_str(const og_json *obj, const char *key, const char *fallback);
int64_t og_json_i64(const og_json *obj, const char *key, int64_t fallback);
double og_json_f64(const og_json *obj, const char *key, double fallback);
bool og_json_bool(const og_json *obj, const char *key, bool fallback);
og_json *og_json_get(const og_json *obj, const char *key); /* NULL when absent or obj is no object */

/* Building: each takes ownership of v where there is one; strings NULL and doubles NaN become null. */
void og_json_set(og_json *obj, const char *key, og_json *v);
void og_json_set_str(og_json *obj, const char *key, const char *s);
void og_json_set_i64(og_json *obj, const char *key, int64_t v);
void og_json_set_f64(og_json *obj, const char *key, double v);
void og_json_set_bool(og_json *obj, const char *key, bool v);
char *og_json_text(const og_json *j, bool pretty); /* yours (og_free); NULL: no memory */

#endif
