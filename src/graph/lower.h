/* SPDX-License-Identifier: Apache-2.0
 *
 * Lowerings: passes over a described model. A block never asks for the opset or the dtype; these passes do. */
#ifndef OG_GRAPH_LOWER_H
#define OG_GRAPH_LOWER_H

#include "graph/graph.h"

#define OG_OPSET_DEFAULT 18
#define OG_OPSET_MIN 17 /* LayerNormalization */
#define OG_OPSET_MAX 23

/* Sets opset and IR version and rewrites what that opset lacks. UNSUPPORTED outside MIN … MAX. */
og_status og_lower_opset(og_model *m, int opset, og_error *err) OG_MUST;

/* Computes in half precision: float weights and constants become float16 (constants clamped to its range), norms compute in float32.
 * Inputs and outputs stay float32 behind a Cast; with io they are float16, too. */
og_status og_lower_fp16(og_model *m, bool io, og_error *err) OG_MUST;

#endif
