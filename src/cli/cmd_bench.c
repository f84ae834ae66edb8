/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate bench */
#include "cli/cli.h"

static const opt_row options[] = {
	{ "model-file", 0, OPT_TEXT, OPT_AT(q.file), "NAME", "the file that is wanted (default model.onnx)" },
	{ "batch-sizes", 0, OPT_LIST, OPT_AT(batch_sizes), "N,N,...", "default 1,2,4,8", 1, 65536 },
	{ "sequence-lengths", 0, OPT_LIST, OPT_AT(sequence_lengths), "N,N,...", "default 128, or the model's most; samples: 16000; images: none", 1, 1 << 20 },
	{ "hardware", 0, OPT_CHOICE, OPT_AT(hardware), "cpu", "where it runs" },
	{ "runs", 0, OPT_INT, OPT_AT(runs), "N", "measured runs of each row, at most 100000 (default 50)", 1, 100000 },
	{ "warmup", 0, OPT_INT, OPT_AT(warmup), "N", "runs before them, at most 100000 (default 5)", 1, 100000 },
	{ "intra-threads", 0, OPT_INT, OPT_AT(runtime_threads), "N", "threads inside an operator (default: the runtime's choice)", 1, 1024 },
	{ "task", 0, OPT_TEXT, OPT_AT(q.task), "TASK", "what the model is for, see onnxgate archs (default: what its own class does)" },
	{ "dtype", 0, OPT_TEXT, OPT_AT(q.dtype), "DTYPE", "element type of the weights (default fp32)" },
	{ "validate", 0, OPT_LEVEL, OPT_AT(q.validate), "none|structure|runtime", "how much is proved before (default runtime)" },
	{ "allow-unknown", 0, OPT_FLAG, OPT_AT(q.allow_unknown), NULL, "accept what could not be proved" },
	{ "allow-unknown-keys", 0, OPT_FLAG, OPT_AT(q.allow_unknown_keys), NULL, "accept keys of config.json that are not understood" },
	{ 0 },
};

static const char *const examples[] = {
	"onnxgate bench sentence-transformers/all-MiniLM-L6-v2 --batch-sizes 1,8 --sequence-lengths 32,128",
	"onnxgate bench export-folder --runs 200 --json",
	NULL,
};

static int run(cli *c)
{
	onnxgate_bench_result *r = NULL;
	onnxgate_bench_request q = ONNXGATE_BENCH_REQUEST_INIT;
	q.model = c->a.q;
	q.model.model = c->a.operands[0];
	q.batch_sizes = c->a.batch_sizes.n ? c->a.batch_sizes.v : NULL;
	q.nbatch_sizes = c->a.batch_sizes.n;
	q.sequence_lengths = c->a.sequence_lengths.n ? c->a.sequence_lengths.v : NULL;
	q.nsequence_lengths = c->a.sequence_lengths.n;
	q.hardware = c->a.hardware;
	q.runs = c->a.runs;
	q.warmup = c->a.warmup;
	q.threads = c->a.runtime_threads;
	onnxgate_status st = onnxgate_bench(c->gate, &q, &r);
	return print_bench(c, st, r);
}

const cli_command cmd_bench = {
	.name = "bench",
	.operands = "REPO[@REV]|DIR|FILE.onnx",
	.min = 1,
	.max = 1,
	.summary = "verify a model, then measure its latency in the runtime",
	.text = "A folder is an export folder, as onnxgate convert makes it; a folder of weights is to be converted first.\n"
	        "The rows are printed together, at the end.",
	.options = options,
	.examples = examples,
	.run = run,
};
