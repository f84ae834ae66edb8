/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate.h -- makes sure that a Hugging Face model is on disk as a correct, loadable ONNX file.
 *
 * Ownership: what comes out through a pointer-to-pointer is yours and has a _free function; every string
 * inside a result belongs to that result.  No function keeps a pointer that you pass in after it returns,
 * except the callbacks of onnxgate_open().  A context may be used by one thread at a time.
 * Every struct that you fill begins with its own size: initialise it with its _INIT macro. */
#ifndef ONNXGATE_H
#define ONNXGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ONNXGATE_API __attribute__((visibility("default")))
#else
#define ONNXGATE_API
#endif

/* ---- version -------------------------------------------------------------------------------------- */

#define ONNXGATE_VERSION "0.1.0"

/* The version of the library that is loaded. */
ONNXGATE_API const char *onnxgate_version(void);

/* ---- status and error ----------------------------------------------------------------------------- */

/* Few codes, each a different reaction of the caller. The value is the exit code of the program,
 * except NOMEM, which exits as IO does (onnxgate_exit_code()). */
typedef enum onnxgate_status {
	ONNXGATE_OK = 0,
	ONNXGATE_FAILED = 1,      /* checked, and it failed */
	ONNXGATE_INVALID = 2,     /* the call itself is wrong */
	ONNXGATE_NOT_FOUND = 3,   /* repo, revision or file does not exist */
	ONNXGATE_NO_ACCESS = 4,   /* gated, private, disabled, bad token */
	ONNXGATE_NETWORK = 5,     /* could not be reached, or not in time */
	ONNXGATE_UNSUPPORTED = 6, /* architecture, task, dtype, config value or format that is not done */
	ONNXGATE_UNSAFE = 7,      /* refused for security */
	ONNXGATE_IO = 8,          /* disk, permissions, cache */
	ONNXGATE_INTERNAL = 9,    /* our own fault */
	ONNXGATE_FORMAT = 10,     /* a file is malformed or contradicts itself */
	ONNXGATE_MISMATCH = 11,   /* bytes or shapes are not what was promised */
	ONNXGATE_CONVERSION = 12, /* could be read but not converted */
	ONNXGATE_NOMEM = 13,
	ONNXGATE_CANCELLED = 130
} onnxgate_status;

#define ONNXGATE_NO_OFFSET UINT64_MAX

/* One line each: message says what, where, expected and found; hint says what to do. Either may be "". */
typedef struct onnxgate_error {
	onnxgate_status status;
	uint64_t offset; /* byte offset in the file that message names, or ONNXGATE_NO_OFFSET */
	char message[768];
	char hint[256];
} onnxgate_error;

ONNXGATE_API const char *onnxgate_status_name(onnxgate_status s); /* "NOT_FOUND" */
ONNXGATE_API int onnxgate_exit_code(onnxgate_status s);

/* ---- context -------------------------------------------------------------------------------------- */

typedef struct onnxgate onnxgate;

typedef enum onnxgate_log_level {
	ONNXGATE_LOG_ERROR,
	ONNXGATE_LOG_WARN,
	ONNXGATE_LOG_INFO,
	ONNXGATE_LOG_DEBUG
} onnxgate_log_level;

typedef void (*onnxgate_log_fn)(void *arg, onnxgate_log_level level, const char *line);
/* what: "download model.safetensors"; total 0: unknown. Called from one thread at a time. */
typedef void (*onnxgate_progress_fn)(void *arg, const char *what, uint64_t done, uint64_t total);

/* NULL and 0 mean: from the environment, the configuration file, or the default, in this order. */
typedef struct onnxgate_options {
	size_t size;
	const char *token;
	const char *endpoint;
	const char *cache_dir; /* conversions and database: $ONNXGATE_HOME */
	const char *hub_cache; /* $HF_HUB_CACHE */
	const char *db;        /* database URL or path */
	bool offline;
	int threads; /* 0: as many as the machine has */
	onnxgate_log_fn log;
	onnxgate_progress_fn progress;
	void *callback_arg;
	const int *cancel; /* polled: non-zero ends the work with ONNXGATE_CANCELLED; may be set by a signal handler */
} onnxgate_options;

#define ONNXGATE_OPTIONS_INIT { sizeof(onnxgate_options), NULL, NULL, NULL, NULL, NULL, false, 0, NULL, NULL, NULL, NULL }

ONNXGATE_API onnxgate_status onnxgate_open(const onnxgate_options *o, onnxgate **out, onnxgate_error *err);
ONNXGATE_API void onnxgate_close(onnxgate *g);

/* ---- results: plain structs, which every report and the database are made from ---------------------- */

typedef enum onnxgate_verdict { ONNXGATE_UNKNOWN, ONNXGATE_PASS, ONNXGATE_FAIL } onnxgate_verdict;

typedef enum onnxgate_level { /* how much is proved */
	ONNXGATE_VALIDATE_DEFAULT, /* as runtime */
	ONNXGATE_VALIDATE_NONE,
	ONNXGATE_VALIDATE_STRUCTURE,
	ONNXGATE_VALIDATE_RUNTIME,
	ONNXGATE_VALIDATE_REFERENCE
} onnxgate_level;

typedef enum onnxgate_check_status { ONNXGATE_CHECK_PASS, ONNXGATE_CHECK_FAIL, ONNXGATE_CHECK_SKIPPED } onnxgate_check_status;

typedef struct onnxgate_check_row {
	const char *name; /* "weights.readback" */
	onnxgate_level level;
	onnxgate_check_status status;
	double value, limit; /* the figure and what it must not pass; NaN: none */
	const char *detail;  /* one line: what was looked at, or what is wrong */
} onnxgate_check_row;

typedef struct onnxgate_attempt_row {
	const char *step;    /* "resolve", "published", "cached", "convert", … */
	const char *outcome; /* "ok", "skipped", "failed" */
	onnxgate_status code;
	const char *detail;
	double ms;
} onnxgate_attempt_row;

typedef struct onnxgate_file_row {
	const char *path; /* absolute */
	const char *role; /* "model", "encoder", "config", "tokenizer", "data", … */
	uint64_t size;
	const char *sha256; /* 64 hex digits, or NULL: not computed */
} onnxgate_file_row;

typedef struct onnxgate_timing_row {
	const char *name;
	double ms;
} onnxgate_timing_row;

/* The answer of verify, convert and check. Present also when they fail: error then says why. */
typedef struct onnxgate_result {
	const char *command;  /* "verify", "convert", "check" */
	const char *model_id; /* repo id, or the path of a folder or file */
	const char *revision; /* commit, NULL for a local folder */
	struct {
		const char *file, *type, *task, *dtype; /* NULL: not asked for */
		int opset;                              /* 0: not asked for */
	} requested;
	onnxgate_verdict verdict;
	const char *path; /* the asked file where there is one, else the folder; NULL on failure */
	bool was_converted, cached;
	const char *onnx_source;            /* huggingface | pytorch_conversion | local | NULL */
	const char *onnx_conversion_status; /* original | converted | failed */
	const char *onnx_conversion_time;   /* RFC 3339, NULL: not converted */
	const char *onnx_local_path;
	const char *model_type, *architecture, *task, *task_reason, *dtype;
	int opset;
	onnxgate_level level;      /* the level that was asked for */
	const char *runtime;       /* "onnxruntime 1.32.0", NULL: none used */
	uint64_t runtime_peak;     /* bytes, of the runtime's process; 0: none used */
	onnxgate_file_row *files;
	size_t nfiles;
	onnxgate_check_row *checks;
	size_t nchecks;
	onnxgate_attempt_row *attempts;
	size_t nattempts;
	onnxgate_timing_row *timings;
	size_t ntimings;
	const char **notes; /* what a reader must know: ignored tensors, unknown keys, … one line each */
	size_t nnotes;
	const char *recorded; /* URL of the database that holds the run, NULL: not recorded */
	int64_t record_id;
	onnxgate_error error; /* status OK: none */
	void *owner;          /* the memory behind all of it */
} onnxgate_result;

ONNXGATE_API void onnxgate_result_free(onnxgate_result *r);

typedef struct onnxgate_tensor_row {
	const char *name, *dtype, *file;
	int rank;
	int64_t dims[16];
	uint64_t offset, size; /* where its first element is in file; bytes of its elements side by side */
	const char *sha256;    /* of those, row-major and little-endian; NULL unless asked for */
	bool strided;          /* its elements do not lie side by side in row-major order: strides, in elements, say how */
	int64_t strides[16];
} onnxgate_tensor_row;

typedef struct onnxgate_dtype_row {
	const char *dtype;
	uint64_t tensors, elements, bytes;
} onnxgate_dtype_row;

typedef struct onnxgate_pair {
	const char *key, *value;
} onnxgate_pair;

typedef struct onnxgate_threat_row {
	bool danger;       /* false: worth knowing only, as a global that checkpoints have */
	const char *kind;  /* "global", "call", "opcodes", "nested", "base64", "code", "broken", … */
	const char *where; /* "model.bin", or of an archive "model.bin!archive/data.pkl" */
	uint64_t offset;   /* in what `where` names */
	const char *text;  /* one line */
} onnxgate_threat_row;

typedef struct onnxgate_inspection {
	const char *path, *format; /* "safetensors", "safetensors (sharded)", "onnx" */
	onnxgate_tensor_row *tensors;
	size_t ntensors;
	onnxgate_dtype_row *totals;
	size_t ntotals;
	onnxgate_pair *metadata; /* of the file; for ONNX also ir_version, opset, inputs, outputs, nodes */
	size_t nmetadata;
	onnxgate_error error;
	void *owner;
	const char **notes; /* how it was read, one line each */
	size_t nnotes;
	bool looked; /* threats were asked for */
	onnxgate_threat_row *threats; /* in the order of the file */
	size_t nthreats, ndangers;
} onnxgate_inspection;

ONNXGATE_API void onnxgate_inspection_free(onnxgate_inspection *r);

typedef struct onnxgate_bench_row {
	const char *model, *file, *execution_provider, *runtime, *hardware, *dtype;
	int64_t batch_size, sequence_length;
	int runs, warmup;
	struct {
		double mean, stddev, p50, p90, p95, p99, min, max;
	} latency_ms;
	double throughput; /* items per second */
	double load_ms;
	uint64_t peak_memory; /* bytes, of the runtime's process */
	const char *length_of; /* what sequence_length counts, "tokens" or "samples"; NULL: images have one size, and it is 0 */
} onnxgate_bench_row;

typedef struct onnxgate_bench_result {
	onnxgate_result *verified; /* what was measured and where it came from */
	onnxgate_bench_row *rows;
	size_t nrows;
	onnxgate_pair *host; /* cpu, cores, memory, kernel */
	size_t nhost;
	onnxgate_error error;
	void *owner;
} onnxgate_bench_result;

ONNXGATE_API void onnxgate_bench_result_free(onnxgate_bench_result *r);

/* A named table of text: what doctor, archs, metadata, cache ls and db query answer. */
typedef struct onnxgate_table {
	const char *title; /* the command: "doctor" */
	const char **columns;
	size_t ncolumns;
	const char **cells; /* nrows × ncolumns, row by row; NULL: no value */
	size_t nrows;
	onnxgate_error error;
	void *owner;
} onnxgate_table;

ONNXGATE_API void onnxgate_table_free(onnxgate_table *t);

/* ---- verify, convert, check ----------------------------------------------------------------------- */

typedef struct onnxgate_request {
	size_t size;
	const char *model;         /* REPO[@REV]; for convert also a folder; for check a file or folder */
	const char *file;          /* verify: default "model.onnx" */
	const char *type;          /* expected model_type; NULL: as the config says */
	const char *task;          /* NULL: chosen from the config */
	const char *dtype;         /* "fp32", "fp16"; NULL: "fp32" */
	int opset;                 /* 0: 18 */
	const char *output;        /* folder; convert: required */
	const char *layout;        /* "optimum" (default) or "transformersjs" */
	const char *external_data; /* "auto" (default), "always", "never" */
	const char *digest;        /* "sha256" (default) or "none" */
	onnxgate_level validate;
	bool force;              /* convert again though a cached conversion is good; overwrite output */
	bool allow_unknown;      /* a verdict of unknown is OK */
	bool allow_unknown_keys; /* config keys that are not understood do not make it unknown */
	bool allow_unexpected;   /* tensors of the checkpoint that nothing uses are no error */
	bool plain;              /* of a sentence-transformers model only the transformer: last_hidden_state */
	bool split;              /* of a model of texts and images a file each */
	bool with_mask;          /* of a model of sound: attention_mask is an input, too */
	bool fp16_io;            /* with dtype "fp16": inputs and outputs are float16, too */
} onnxgate_request;

#define ONNXGATE_REQUEST_INIT { sizeof(onnxgate_request), NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, ONNXGATE_VALIDATE_DEFAULT, false, \
	false, false, false, false, false, false, false }

/* Each returns its status also in (*out)->error; *out is NULL only when there was no memory for it. */
ONNXGATE_API onnxgate_status onnxgate_verify(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);
ONNXGATE_API onnxgate_status onnxgate_convert(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);
ONNXGATE_API onnxgate_status onnxgate_check(onnxgate *g, const onnxgate_request *q, onnxgate_result **out);

/* ---- inspect -------------------------------------------------------------------------------------- */

typedef struct onnxgate_inspect_request {
	size_t size;
	const char *path; /* a file, a folder, or REPO[@REV]: of weights that are not in the Hub's cache only the headers are read, by parts */
	bool digests;     /* SHA-256 of each tensor; needs all the bytes here */
	bool threats;     /* also look for what could run code or is hidden */
} onnxgate_inspect_request;

#define ONNXGATE_INSPECT_REQUEST_INIT { sizeof(onnxgate_inspect_request), NULL, false, false }

/* Executes nothing. With threats: UNSAFE when there is any danger, else OK, also for a file that cannot be read as a checkpoint
 * (a note says why): the listing of the threats is whole in either case. */
ONNXGATE_API onnxgate_status onnxgate_inspect(onnxgate *g, const onnxgate_inspect_request *q, onnxgate_inspection **out);

/* ---- bench ---------------------------------------------------------------------------------------- */

typedef struct onnxgate_bench_request {
	size_t size;
	onnxgate_request model; /* what to verify first; model.model may be an .onnx file or an export folder */
	const int64_t *batch_sizes; /* NULL: 1,2,4,8 */
	size_t nbatch_sizes;
	const int64_t *sequence_lengths; /* in tokens, NULL: 128; in samples of sound, NULL: 16,000; of images none */
	size_t nsequence_lengths;
	const char *hardware; /* NULL: "cpu" */
	int runs, warmup;     /* 0: 50, 5 */
	int threads;          /* intra-op; 0: the runtime's choice */
} onnxgate_bench_request;

#define ONNXGATE_BENCH_REQUEST_INIT { sizeof(onnxgate_bench_request), ONNXGATE_REQUEST_INIT, NULL, 0, NULL, 0, NULL, 0, 0, 0 }

ONNXGATE_API onnxgate_status onnxgate_bench(onnxgate *g, const onnxgate_bench_request *q, onnxgate_bench_result **out);

/* ---- tables --------------------------------------------------------------------------------------- */

ONNXGATE_API onnxgate_status onnxgate_metadata(onnxgate *g, const char *model, onnxgate_table **out);
/* model_type NULL: every architecture. config (a config.json, or NULL): lists the tensors that it expects. */
ONNXGATE_API onnxgate_status onnxgate_archs(onnxgate *g, const char *model_type, const char *config, const char *task, onnxgate_table **out);
ONNXGATE_API onnxgate_status onnxgate_doctor(onnxgate *g, onnxgate_table **out);
ONNXGATE_API onnxgate_status onnxgate_cache_list(onnxgate *g, onnxgate_table **out);
/* sql NULL: the newest runs. Only reading statements are allowed. */
ONNXGATE_API onnxgate_status onnxgate_db_query(onnxgate *g, const char *sql, onnxgate_table **out);

/* ---- documents: JSON text of a result, to be freed with onnxgate_text_free(); NULL: no memory ------- */

ONNXGATE_API char *onnxgate_result_json(const onnxgate_result *r);
ONNXGATE_API char *onnxgate_inspection_json(const onnxgate_inspection *r, bool tensors);
ONNXGATE_API char *onnxgate_bench_json(const onnxgate_bench_result *r);
ONNXGATE_API char *onnxgate_table_json(const onnxgate_table *t);
ONNXGATE_API void onnxgate_text_free(char *text);

#ifdef __cplusplus
}
#endif
#endif
