/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a ModelProto from a source without loading the weights: a window of a few kilobytes walks over the
 * message headers and jumps over raw_data, which stays a reference (offset, size) into the file.  Bytes are
 * hostile; the ceilings stand in base/limits.h.  A field that protobuf would merge or overwrite when it comes
 * twice is refused: two readers could see two models. */
#ifndef OG_ONNX_READER_H
#define OG_ONNX_READER_H

#include "base/context.h"
#include "base/source.h"
#include "onnx/message.h"

/* FORMAT: "NAME: what at offset N"; all results live in the arena. ctx may be NULL. */
og_status og_onnx_read(og_source *s, const og_context *ctx, og_arena *arena, og_onnx_model **out, og_error *err) OG_MUST;
/* Also opens and closes the file. */
og_status og_onnx_read_file(const char *path, const og_context *ctx, og_arena *arena, og_onnx_model **out, og_error *err) OG_MUST;

#endif
