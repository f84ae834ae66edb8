/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate verify */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "file", 0, OPT_TEXT, OPT_AT(q.file), "NAME", "the file that is wanted (default model.onnx, also looked for under onnx/)" },
	{ "type", 0, OPT_TEXT, OPT_AT(q.type), "TYPE", "the model type that is expected, as config.json names it" },
	{ "task", 0, OPT_TEXT, OPT_AT(q.task), "TASK", "what the model is for, see onnxgate archs (default: what its own class does)" },
	{ "dtype", 0, OPT_TEXT, OPT_AT(q.dtype), "DTYPE", "element type of the weights (default fp32, or what the file's name says)" },
	{ "opset", 0, OPT_INT, OPT_AT(q.opset), "N", "version of the ONNX operators, 17 to 23 (default 18)", 1, 1000 },
	{ "validate", 0, OPT_LEVEL, OPT_AT(q.validate), "none|structure|runtime", "how much is proved (default runtime)" },
	{ "force", 0, OPT_FLAG, OPT_AT(q.force), NULL, "convert again though a conversion is cached; replace the output folder" },
	{ "output", 0, OPT_TEXT, OPT_AT(q.output), "DIR", "copy the answer's files into this folder, too" },
	{ "plain", 0, OPT_FLAG, OPT_AT(q.plain), NULL, "of a sentence-transformers model only the transformer: last_hidden_state" },
	{ "split", 0, OPT_FLAG, OPT_AT(q.split), NULL, "of a model of texts and images a file each: text_model.onnx, vision_model.onnx" },
	{ "fp16-io", 0, OPT_FLAG, OPT_AT(q.fp16_io), NULL, "with --dtype fp16: inputs and outputs are float16, too" },
	{ "with-mask", 0, OPT_FLAG, OPT_AT(q.with_mask), NULL, "of a model of sound: an input attention_mask, for clips of unequal length in a batch" },
	{ "allow-unknown", 0, OPT_FLAG, OPT_AT(q.allow_unknown), NULL, "accept what could not be proved" },
	{ "allow-unknown-keys", 0, OPT_FLAG, OPT_AT(q.allow_unknown_keys), NULL, "accept keys of config.json that are not understood" },
	{ "allow-unexpected", 0, OPT_FLAG, OPT_AT(q.allow_unexpected), NULL, "accept tensors of the checkpoint that nothing uses" },
	{ 0 },
};

static const char *const examples[] = {
	"onnxgate verify sentence-transformers/all-MiniLM-L6-v2",
	"onnxgate verify google-bert/bert-base-uncased@main --task fill-mask --json",
	"path=$(onnxgate verify ORG/NAME --quiet --offline)",
	NULL,
};

static int run(cli *c)
{
	onnxgate_result *r = NULL;
	c->a.q.model = c->a.operands[0];
	onnxgate_status st = onnxgate_verify(c->gate, &c->a.q, &r);
	return print_result(c, st, r);
}

const cli_command cmd_verify = {
	.name = "verify",
	.operands = "REPO[@REV]",
	.min = 1,
	.max = 1,
	.summary = "make sure that a model's ONNX file is on disk, proved and recorded; prints its path",
	.text = "The file that the repository publishes is taken when it validates and fits the task; else a cached conversion;\n"
	        "else the published weights are downloaded, converted, validated and cached. Every run is recorded.",
	.options = options,
	.examples = examples,
	.run = run,
};
