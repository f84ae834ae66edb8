/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate doctor */
#include "cli/cli.h"

static const char *const examples[] = { "onnxgate doctor", NULL };

static int run(cli *c)
{
	onnxgate_table *t = NULL;
	onnxgate_status st = onnxgate_doctor(c->gate, &t);
	return print_table(c, st, t);
}

const cli_command cmd_doctor = {
	.name = "doctor",
	.summary = "show the settings and where each comes from, the runtime, the libraries, the caches",
	.examples = examples,
	.run = run,
};
