/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect: what is in a weights file, a checkpoint's folder or an ONNX file. Nothing of it is executed. */
#ifndef OG_JOB_INSPECT_H
#define OG_JOB_INSPECT_H

#include "base/context.h"

/* path: a file, a shard index, or a folder that holds weights. digests: SHA-256 of each tensor's bytes.
 * *out carries the error also when it fails; it is NULL only without memory. */
og_status og_inspect_path(const char *path, bool digests, const og_context *ctx, onnxgate_inspection **out);

/* Also REPO[@REV], as far as the Hub's cache holds it: the network is not asked. */
og_status og_job_inspect(onnxgate *g, const char *path, bool digests, onnxgate_inspection **out);

#endif
