/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate inspect */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "tensors", 0, OPT_FLAG, OPT_AT(tensors), NULL, "list every tensor" },
	{ "digests", 0, OPT_FLAG, OPT_AT(digests), NULL, "with the SHA-256 of each tensor's bytes" },
	{ 0 },
};

static const char *const examples[] = {
	"onnxgate inspect model.safetensors",
	"onnxgate inspect export-folder/model.onnx --tensors",
	NULL,
};

static int run(cli *c)
{
	onnxgate_inspection *r = NULL;
	c->a.tensors = c->a.tensors || c->a.digests;
	onnxgate_status st = onnxgate_inspect(c->gate, c->a.operands[0], c->a.digests, &r);
	return print_inspection(c, st, r);
}

const cli_command cmd_inspect = {
	.name = "inspect",
	.operands = "FILE|DIR|REPO",
	.min = 1,
	.max = 1,
	.summary = "show a file's format, tensors and metadata; executes nothing",
	.text = "Of a repository, the snapshot in the Hub's cache is read; nothing is downloaded.",
	.options = options,
	.examples = examples,
	.run = run,
};
