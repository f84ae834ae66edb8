/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate metadata */
#include "cli/cli.h"

static const char *const examples[] = { "onnxgate metadata google-bert/bert-base-uncased", NULL };

static int run(cli *c)
{
	onnxgate_table *t = NULL;
	onnxgate_status st = onnxgate_metadata(c->gate, c->a.operands[0], &t);
	return print_table(c, st, t);
}

const cli_command cmd_metadata = {
	.name = "metadata",
	.operands = "REPO[@REV]",
	.min = 1,
	.max = 1,
	.summary = "what the Hub says about a model, and what would be done with it and why",
	.examples = examples,
	.run = run,
};
