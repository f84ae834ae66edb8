/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate convert */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "output", 'o', OPT_TEXT, OPT_AT(q.output), "DIR", "the folder to make; required" },
	{ "type", 0, OPT_TEXT, OPT_AT(q.type), "TYPE", "the model type that is expected, as config.json names it" },
	{ "task", 0, OPT_TEXT, OPT_AT(q.task), "TASK", "what the model is for, see onnxgate archs (default: what its own class does)" },
	{ "dtype", 0, OPT_TEXT, OPT_AT(q.dtype), "fp32|fp16", "element type of the weights and the arithmetic; norms stay fp32 (default fp32)" },
	{ "opset", 0, OPT_INT, OPT_AT(q.opset), "N", "version of the ONNX operators, 17 to 23 (default 18)", 1, 1000 },
	{ "layout", 0, OPT_CHOICE, OPT_AT(q.layout), "optimum|transformersjs", "names and places of the files (default optimum)" },
	{ "external-data", 0, OPT_CHOICE, OPT_AT(q.external_data), "auto|always|never", "weights in a file of their own (default auto: over 2 GiB)" },
	{ "validate", 0, OPT_LEVEL, OPT_AT(q.validate), "none|structure|runtime", "how much is proved (default runtime)" },
	{ "digest", 0, OPT_CHOICE, OPT_AT(q.digest), "sha256|none", "digest of what is written (default sha256)" },
	{ "force", 0, OPT_FLAG, OPT_AT(q.force), NULL, "replace the output folder when it is there" },
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
	"onnxgate convert google-bert/bert-base-uncased --output bert",
	"onnxgate convert ./my-finetuned-bert --output bert-onnx --task text-classification",
	NULL,
};

static int run(cli *c)
{
	onnxgate_result *r = NULL;
	c->a.q.model = c->a.operands[0];
	onnxgate_status st = onnxgate_convert(c->gate, &c->a.q, &r);
	return print_result(c, st, r);
}

const cli_command cmd_convert = {
	.name = "convert",
	.operands = "REPO[@REV]|DIR",
	.min = 1,
	.max = 1,
	.summary = "convert a model's weights into an export folder",
	.text = "The folder appears when it is whole and proved; when anything fails, nothing is left. A word that begins with\n"
	        "'/' or '.' or names something on this disk is a folder; everything else is a repository.",
	.options = options,
	.examples = examples,
	.run = run,
};
