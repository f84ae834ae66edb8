/* SPDX-License-Identifier: Apache-2.0
 *
 * What the runtime checks share: one session, a few cases (bindings of every symbolic dim) that were run once, and
 * what their outputs say about which axis is which. */
#ifndef OG_CHECK_RUNTIME_INT_H
#define OG_CHECK_RUNTIME_INT_H

#include "check/check.h"

#define OG_CASES_MAX 3

/* What the rows of an input are: most files have one batch; one of texts and images has a number of each. */
enum { OG_ROWS_BATCH, OG_ROWS_TEXTS, OG_ROWS };

typedef struct og_case {
	og_run_shape shape; /* asked for */
	int64_t rows[OG_ROWS], sequence; /* as the inputs have them; -1: they have none */
	og_binding *bindings;
	size_t nbindings;
	char *label; /* "batch_size 2, sequence_length 1" */
	og_array *in, *out;
} og_case;

typedef struct og_axes { /* of one output; -1: none */
	int rows[OG_ROWS], sequence;
} og_axes;

typedef struct og_trial {
	og_session *session;
	const og_port *in, *out;
	size_t nin, nout;
	const og_input_facts *facts;
	const og_context *ctx;
	og_checks *rows;
	og_arena *arena; /* of the whole trial */
	og_case cases[OG_CASES_MAX];
	size_t ncases;
	og_axes *axes; /* nout */
	bool rows_vary[OG_ROWS], sequence_varies;
	int64_t least; /* the shortest sequence that the file takes */
	double limit; /* of a difference, relative to the output's scale */
} og_trial;

typedef struct og_difference { /* of one output, over everything compared */
	double largest, scale;
} og_difference;

/* part against the same place of whole, which begins at offset; part is the reference. FAILED when it does not fit. */
og_status og_compare(const og_array *whole, const og_array *part, const int64_t *offset, og_difference *d, og_error *err) OG_MUST;
/* largest / scale of the worst of n outputs; infinite when a difference has no scale. */
double og_difference_worst(const og_difference *d, size_t n, size_t *which);
/* How far two right evaluations may differ, by the coarsest floating-point type that the file computes in. */
double og_difference_limit(og_dtype coarsest);
/* Inputs of this shape. */
og_status og_trial_inputs(const og_trial *t, const og_run_shape *shape, const int64_t *pad, og_arena *arena, og_array **in, og_error *err) OG_MUST;
/* A row named name that passes where the worst of the differences is within the limit. */
void og_trial_row(og_trial *t, const char *name, const og_difference *d, const char *what);

/* Each adds one row, or none where the file has nothing that it speaks of. */
og_status og_check_batch(og_trial *t, og_error *err) OG_MUST;
og_status og_check_padding(og_trial *t, og_error *err) OG_MUST;
og_status og_check_cache(og_trial *t, og_error *err) OG_MUST;

#endif
