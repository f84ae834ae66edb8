/* SPDX-License-Identifier: Apache-2.0
 *
 * Latency of an ONNX file: one row for each batch size and sequence length, of images for each batch size. */
#ifndef OG_BENCH_BENCH_H
#define OG_BENCH_BENCH_H

#include "base/arena.h"
#include "base/context.h"
#include "runtime/runtime.h"

typedef struct og_bench_plan {
	const char *path;  /* the .onnx file */
	const char *model; /* what to call it; NULL: path */
	const char *dtype; /* of the file, for the rows; NULL: that of its first floating-point output */
	const char *hardware, *provider; /* NULL: "cpu", "CPUExecutionProvider" */
	const int64_t *batch_sizes; /* NULL: 1, 2, 4, 8 */
	size_t nbatch_sizes;
	const int64_t *sequence_lengths; /* NULL: 128, or max_positions where that is less; of sound 16,000 samples; of images none */
	size_t nsequence_lengths;
	int runs, warmup; /* 0: 50, 5 */
	int threads;      /* 0: the runtime's choice */
	const og_input_facts *facts; /* NULL: not known */
} og_bench_plan;

/* Rows in the arena, batch sizes within sequence lengths. INVALID when a size is below 1, or a length is asked of images or above
 * max_positions; UNSUPPORTED when an input's meaning is not known. Times are taken in the runtime's process. */
og_status og_bench_run(og_runtime *runtime, const og_bench_plan *plan, const og_context *ctx, og_arena *arena, onnxgate_bench_row **rows, size_t *n,
                       og_error *err) OG_MUST;

/* What the figures were taken on: cpu, cores, memory, kernel. In the arena. */
og_status og_bench_host(og_arena *arena, onnxgate_pair **out, size_t *n, og_error *err) OG_MUST;

#endif
