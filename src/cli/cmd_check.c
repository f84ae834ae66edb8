/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate check */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "validate", 0, OPT_LEVEL, OPT_AT(q.validate), "none|structure|runtime", "how much is proved (default runtime)" },
	{ "task", 0, OPT_TEXT, OPT_AT(q.task), "TASK", "what the model is for: helps to make up its inputs" },
	{ "allow-unknown", 0, OPT_FLAG, OPT_AT(q.allow_unknown), NULL, "accept what could not be proved" },
	{ 0 },
};

static const char *const examples[] = {
	"onnxgate check model.onnx",
	"onnxgate check export-folder --validate structure --json",
	NULL,
};

static int run(cli *c)
{
	onnxgate_result *r = NULL;
	c->a.q.model = c->a.operands[0];
	onnxgate_status st = onnxgate_check(c->gate, &c->a.q, &r);
	return print_result(c, st, r);
}

const cli_command cmd_check = {
	.name = "check",
	.operands = "FILE.onnx|DIR",
	.min = 1,
	.max = 1,
	.summary = "validate ONNX files: structure, and behaviour in the runtime",
	.text = "Of a folder, every .onnx file in it and in its onnx folder is checked.",
	.options = options,
	.examples = examples,
	.run = run,
};
