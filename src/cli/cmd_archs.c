/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate archs */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "config", 0, OPT_TEXT, OPT_AT(config), "FILE", "a config.json: list the tensors that it expects" },
	{ "task", 0, OPT_TEXT, OPT_AT(q.task), "TASK", "for this task" },
	{ 0 },
};

static const char *const examples[] = { "onnxgate archs", "onnxgate archs bert --config config.json --task fill-mask", NULL };

static int run(cli *c)
{
	onnxgate_table *t = NULL;
	onnxgate_status st = onnxgate_archs(c->gate, c->a.operands[0], c->a.config, c->a.q.task, &t);
	return print_table(c, st, t);
}

const cli_command cmd_archs = {
	.name = "archs",
	.operands = "[TYPE]",
	.max = 1,
	.summary = "list the architectures and tasks that can be converted",
	.options = options,
	.examples = examples,
	.run = run,
};
