/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate cache ls */
#include "cli/cli.h"

static const char *const examples[] = { "onnxgate cache ls", NULL };

static int run(cli *c)
{
	onnxgate_table *t = NULL;
	onnxgate_status st = onnxgate_cache_list(c->gate, &t);
	return print_table(c, st, t);
}

const cli_command cmd_cache_ls = {
	.name = "cache ls",
	.summary = "list the cached conversions",
	.examples = examples,
	.run = run,
};
