/* SPDX-License-Identifier: Apache-2.0
 *
 * Inference behind a vtable.  The one kind there is, onnxruntime, lives in a child process
 * (onnxgate-runtime), so that a crash, an endless loop or a swollen session ends in an error here. */
#ifndef OG_RUNTIME_RUNTIME_H
#define OG_RUNTIME_RUNTIME_H

#include "base/arena.h"
#include "base/context.h"
#include "base/limits.h"
#include "codec/dtype.h"
#include "model/config.h"

typedef struct og_array { /* a dense tensor in memory */
	const char *name;
	og_dtype dtype;
	int rank;
	int64_t dims[OG_RANK_MAX];
	void *data;
	size_t size; /* bytes */
} og_array;

typedef struct og_port { /* an input or output of a session */
	const char *name;
	og_dtype dtype;
	int rank;
	int64_t dims[OG_RANK_MAX];        /* -1: symbolic */
	const char *symbols[OG_RANK_MAX]; /* its name ("batch_size"), or "" */
} og_port;

typedef struct og_runtime og_runtime;
typedef struct og_session og_session;

typedef struct og_runtime_options {
	const char *helper;  /* onnxgate-runtime; NULL: $ONNXGATE_RUNTIME_HELPER, else beside the library or program */
	const char *library; /* libonnxruntime; NULL: the search order of docs (ONNXGATE_ORT_LIBRARY, runtime/, linker, pip) */
	const char *provider; /* NULL: "CPUExecutionProvider" */
	int timeout_ms;      /* of one answer; 0: 120 s */
} og_runtime_options;

/* UNSUPPORTED when no runtime is found; the message lists where was looked and the hint says how to get one. */
og_status og_runtime_open(const og_runtime_options *o, const og_context *ctx, og_runtime **out, og_error *err) OG_MUST;
/* The program that og_runtime_open() would start, yours; NULL with UNSUPPORTED in err when there is none. */
char *og_runtime_helper(const char *asked, og_error *err);
const char *og_runtime_version(const og_runtime *r); /* "onnxruntime 1.32.0" */
const char *og_runtime_library(const og_runtime *r); /* path of the library that was loaded */
const char *og_runtime_providers(const og_runtime *r); /* comma-separated */
uint64_t og_runtime_peak_memory(const og_runtime *r);
void og_runtime_free(og_runtime *r);
OG_DEFINE_FREEP(og_runtime)

typedef struct og_session_options {
	int intra_threads;    /* 0: the runtime's choice */
	int optimization;     /* 0: all; 1: off; 2: basic; 3: extended */
	bool few_runs;        /* do not rearrange the weights first: loads in a third of the time, each run takes longer */
} og_session_options;

/* One session at a time per runtime. FAILED with the runtime's own words when it refuses the file. */
og_status og_session_open(og_runtime *r, const char *path, const og_session_options *o, og_session **out, og_error *err) OG_MUST;
size_t og_session_inputs(const og_session *s, const og_port **ports);
size_t og_session_outputs(const og_session *s, const og_port **ports);
double og_session_load_ms(const og_session *s);
/* Inputs by name, in any order, all of them; outputs (all, in the session's order) in the arena. */
og_status og_session_run(og_session *s, const og_array *in, size_t nin, og_arena *arena, og_array **out, size_t *nout, og_error *err) OG_MUST;
/* warmup + runs executions inside the child; ms: one figure per run, measured around Run alone. */
og_status og_session_time(og_session *s, const og_array *in, size_t nin, int warmup, int runs, double *ms, og_error *err) OG_MUST;
/* Peak memory of the runtime's process during the last og_session_time(), in bytes; 0: not known. */
uint64_t og_session_time_peak(const og_session *s);
void og_session_free(og_session *s);
OG_DEFINE_FREEP(og_session)

/* What inputs mean, from their names (input_ids, attention_mask, token_type_ids, position_ids, past_key_values.*,
 * pixel_values, bool_masked_pos, input_values, input_features, use_cache_branch, …), and the dims of a run. */
typedef struct og_binding {
	const char *symbol; /* "batch_size" */
	int64_t value;
} og_binding;

typedef struct og_run_shape { /* the sizes of one run, whatever a file calls them */
	int64_t batch, sequence, choices, past, encoder_sequence;
	int64_t texts;        /* beside a batch of images; 0: as many as the batch */
	og_image_facts image; /* 0: a small safe value */
} og_run_shape;

/* A value for every symbol of the ports: from its name ("batch_size", "past_sequence_length"), else from where it
 * stands (dim 0 of input_ids is the batch). A dim without a name is given that of its place.
 * UNSUPPORTED, naming it, when a symbol has no known meaning. */
og_status og_inputs_bind(const og_port *ports, size_t n, const og_run_shape *shape, og_arena *arena, og_binding **out, size_t *nout, og_error *err) OG_MUST;

/* What an input is for. */
typedef enum og_input_kind {
	OG_INPUT_UNKNOWN,
	OG_INPUT_IDS,
	OG_INPUT_MASK,
	OG_INPUT_TYPES,
	OG_INPUT_POSITIONS,
	OG_INPUT_BOXES,
	OG_INPUT_CACHE,
	OG_INPUT_BRANCH,
	OG_INPUT_REAL,
	OG_INPUT_FLAGS
} og_input_kind;
og_input_kind og_input_kind_of(const char *name);
bool og_input_is_sound(const og_port *p); /* samples: [B, sequence] */
bool og_inputs_take_sound(const og_port *ports, size_t n);
/* Its rows are the texts of a file that takes texts and images, each as many as there are ("text_batch_size"). */
bool og_input_counts_texts(const og_port *p);
/* Is its last dim the length of what an encoder reads, where a decoder's is another? */
bool og_input_is_encoders(const og_port *p);

/* One array per port, in the arena, seeded: a value depends on the seed, the input's name and its own position only, so that
 * a row at a shorter length begins the row at a longer one. Sums such as "past_sequence_length + sequence_length" are computed from
 * their symbols. pad[i] (may be NULL): how many of the last positions of row i are padding (attention_mask 0; what stands
 * there in the other inputs is as random as elsewhere).
 * Of facts (NULL: none) what is 0 is not known; a small safe value is used.
 * UNSUPPORTED when a port's meaning or a symbol's value is unknown. */
og_status og_inputs_make(const og_port *ports, size_t n, const og_binding *b, size_t nb, const og_input_facts *facts,
                         const int64_t *pad, uint64_t seed, og_arena *arena, og_array **out, og_error *err) OG_MUST;
int64_t og_binding_of(const og_binding *b, size_t nb, og_str symbol); /* -1: none */
/* What "( sequence_length - 10 ) // 5 + 1" comes to: sums, products and quotients rounded down, of numbers and symbols, in brackets. -1: it is no
 * such formula, a symbol is not bound, or it comes to less than 0 or more than OG_DIM_MAX. */
int64_t og_formula_value(const char *text, const og_binding *b, size_t nb);
/* The value of one dim under a binding: of the number, the symbol, or the formula; -1: not known. */
int64_t og_input_dim(const og_port *p, int axis, const og_binding *b, size_t nb);
/* Row i alone (dim 0 from i to i+1) of each input whose first dim is the batch; the memory is shared with in. */
og_status og_inputs_row(const og_array *in, size_t n, int64_t batch, int64_t i, og_arena *arena, og_array **out, og_error *err) OG_MUST;

#endif
