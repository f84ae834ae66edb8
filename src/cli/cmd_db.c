/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate db query */
#include "cli/cli.h"

static const char *const examples[] = {
	"onnxgate db query",
	"onnxgate db query \"select model_id, onnx_status from model_onnx_registry\"",
	NULL,
};

static int run(cli *c)
{
	onnxgate_table *t = NULL;
	onnxgate_status st = onnxgate_db_query(c->gate, c->a.operands[0], &t);
	return print_table(c, st, t);
}

const cli_command cmd_db_query = {
	.name = "db query",
	.operands = "[SQL]",
	.max = 1,
	.summary = "ask the database; without SQL: the newest runs",
	.text = "Only a statement that reads is allowed.",
	.examples = examples,
	.run = run,
};
