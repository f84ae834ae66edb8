/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: one table row a command, one table row an option, from which parsing and --help are both made.
 * It knows the public header and base, nothing else. */
#ifndef OG_CLI_CLI_H
#define OG_CLI_CLI_H

#include "base/error.h"

#include <stdio.h>

#define CLI_LIST_MAX 64     /* numbers of one list */
#define CLI_OPERANDS_MAX 16 /* words that are no options */

typedef struct cli_list { /* "1,2,4,8" */
	int64_t v[CLI_LIST_MAX];
	size_t n;
} cli_list;

typedef struct cli_args { /* every option's value; zero: not given */
	/* of every command */
	bool help, json, quiet, verbose, offline;
	const char *log, *token, *cache_dir, *db;
	int threads;
	/* of some */
	onnxgate_request q;
	const char *model_file, *hardware, *config, *output_dir;
	cli_list batch_sizes, sequence_lengths;
	int runs, warmup, runtime_threads;
	bool tensors, digests, threats;
	const char *operands[CLI_OPERANDS_MAX];
	int noperands;
} cli_args;

typedef enum opt_kind { OPT_FLAG, OPT_TEXT, OPT_CHOICE, OPT_INT, OPT_LEVEL, OPT_LIST } opt_kind;

typedef struct opt_row {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;      /* 0: none */
	opt_kind kind;
	size_t at; /* in cli_args */
	const char *value; /* how --help calls it; a choice: the choices, "a|b|c" */
	const char *help;
	int64_t min, max; /* of numbers */
} opt_row;

#define OPT_AT(member) offsetof(cli_args, member)

typedef struct cli cli;

typedef struct cli_command {
	const char *name; /* "verify", "cache ls" */
	const char *operands; /* "REPO[@REV]" */
	int min, max; /* how many of them */
	const char *summary; /* one line */
	const char *text; /* a paragraph; NULL: none */
	const opt_row *options; /* besides those of every command; NULL: none */
	const char *const *examples; /* ends with NULL */
	int (*run)(cli *c); /* gives the exit code */
} cli_command;

struct cli {
	const cli_command *command;
	cli_args a;
	onnxgate *gate;
	int log;           /* -1: none */
	bool bars;         /* progress may be drawn */
	bool color;        /* of stdout */
	int bar_width;     /* columns of the bar that stands on the terminal; 0: none */
	double bar_at;     /* when it was drawn */
};

extern const cli_command cmd_verify, cmd_convert, cmd_check, cmd_inspect, cmd_metadata, cmd_archs, cmd_doctor, cmd_cache_ls, cmd_db_query, cmd_bench;

/* opt.c */
og_status opt_parse(const cli_command *command, int argc, char **argv, cli_args *out, og_error *err) OG_MUST;
void opt_help(const cli_command *command, FILE *f);
/* The nearest of n names (a table of structs whose first member is the name), when it is near enough; else NULL. */
const char *opt_nearest(const char *word, const void *table, size_t n, size_t size);
extern const opt_row opt_common[];

/* talk.c: everything that goes to standard error */
og_status talk_begin(cli *c, og_error *err) OG_MUST;
void talk_end(cli *c);
void talk_log(void *arg, onnxgate_log_level level, const char *line);
void talk_progress(void *arg, const char *what, uint64_t done, uint64_t total);
int talk_error(cli *c, const og_error *err); /* gives the exit code */

/* print.c: everything that goes to standard output. Each gives the exit code and frees what it is given. */
int print_result(cli *c, onnxgate_status st, onnxgate_result *r);
int print_table(cli *c, onnxgate_status st, onnxgate_table *t);
int print_inspection(cli *c, onnxgate_status st, onnxgate_inspection *r);
int print_bench(cli *c, onnxgate_status st, onnxgate_bench_result *r);

#endif
