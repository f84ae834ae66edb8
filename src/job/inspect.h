/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect: what is in a weights file, a checkpoint's folder or an ONNX file. Nothing of it is executed. */
#ifndef OG_JOB_INSPECT_H
#define OG_JOB_INSPECT_H

#include "base/context.h"

/* q->path: a file, a shard index, or a folder that holds weights.
 * *out carries the error also when it fails; it is NULL only without memory. */
og_status og_inspect_path(const onnxgate_inspect_request *q, const og_context *ctx, onnxgate_inspection **out);

/* Also REPO[@REV]: from the Hub's cache where it holds the weights, else the headers by ranged requests. */
og_status og_job_inspect(onnxgate *g, const onnxgate_inspect_request *q, onnxgate_inspection **out);

#endif
