/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate inspect */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "tensors", 0, OPT_FLAG, OPT_AT(tensors), NULL, "list every tensor, one line each, by its place" },
	{ "digests", 0, OPT_FLAG, OPT_AT(digests), NULL, "with the SHA-256 of its elements, row-major and little-endian as numpy's tobytes()" },
	{ "threats", 0, OPT_FLAG, OPT_AT(threats), NULL, "list what could run code or is hidden: pickles' globals and calls, code, nested archives" },
	{ 0 },
};

static const char *const examples[] = {
	"onnxgate inspect model.safetensors",
	"onnxgate inspect export-folder/model.onnx --tensors",
	"onnxgate inspect google-bert/bert-base-uncased",
	"onnxgate inspect pytorch_model.bin --threats --json",
	"diff <(onnxgate inspect a.safetensors --digests) <(onnxgate inspect b.safetensors --digests)",
	NULL,
};

static int run(cli *c)
{
	onnxgate_inspection *r = NULL;
	onnxgate_inspect_request q = ONNXGATE_INSPECT_REQUEST_INIT;
	q.path = c->a.operands[0];
	q.digests = c->a.digests;
	q.threats = c->a.threats;
	c->a.tensors = c->a.tensors || c->a.digests;
	onnxgate_status st = onnxgate_inspect(c->gate, &q, &r);
	return print_inspection(c, st, r);
}

const cli_command cmd_inspect = {
	.name = "inspect",
	.operands = "FILE|DIR|REPO[@REV]",
	.min = 1,
	.max = 1,
	.summary = "show a file's format, tensors and metadata; executes nothing",
	.text = "Of a repository the weights in the Hub's cache are read; where they are not there, only their headers, by ranged requests:\n"
	        "nothing is downloaded. With --threats the exit code is 7 if there is any danger, else 0, also for a file that cannot be\n"
	        "read as weights. Of a folder, --threats looks at every file in it, of a repository at the weights only.",
	.options = options,
	.examples = examples,
	.run = run,
};
