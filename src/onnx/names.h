/* SPDX-License-Identifier: Apache-2.0
 *
 * Every name of a model is stored once and numbered in the order of its first appearance, so that later
 * passes compare pointers and index arrays instead of hashing text again.  Number 0 is the empty name. */
#ifndef OG_ONNX_NAMES_H
#define OG_ONNX_NAMES_H

#include "base/arena.h"
#include "base/str.h"

typedef struct og_names og_names;

og_names *og_names_new(og_arena *a); /* lives in the arena; NULL: no memory */
const char *og_names_add(og_names *n, og_str text); /* the one copy of text, terminated; NULL: no memory */
const char *og_names_find(const og_names *n, og_str text); /* NULL: never added */
size_t og_names_count(const og_names *n);
const char *og_names_at(const og_names *n, uint32_t id);

/* The number of a name that came out of a table. */
static inline uint32_t og_name_id(const char *name)
{
	uint32_t id;

	memcpy(&id, name - sizeof(id), sizeof(id));
	return id;
}

#endif
