/* SPDX-License-Identifier: Apache-2.0
 *
 * onnxgate: finds the command, reads its options, opens the library, runs it.  The first interruption asks the
 * work to stop; the second ends the program at once. */
#include "cli/cli.h"

#include "base/alloc.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const cli_command *const commands[] = { &cmd_verify, &cmd_convert, &cmd_check,    &cmd_inspect,  &cmd_metadata,
	                                           &cmd_archs,  &cmd_doctor,  &cmd_cache_ls, &cmd_db_query, &cmd_bench };

static int cancel; /* read atomically by the library */

static void on_signal(int number)
{
	(void)number;
	__atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
}

static void catch_signals(void)
{
	/* RESETHAND: the next one does what it does by default. */
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND) };
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an output that cannot be written: exit code 8 */
	signal(SIGXFSZ, SIG_IGN); /* and so is one that may not grow further */
}

/* A caller may have closed one of the three: then the next file that is opened, a database say, would take its number and with it our
 * output. Standard output is kept unwritable, so that a lost result is an error as on a full disk. */
static void hold_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd) /* the lowest free number: fd itself */
			_exit(ONNXGATE_IO);
}

static int printed(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "onnxgate: standard output: %s\n", strerror(errno));
	return ONNXGATE_IO;
}

static void help(FILE *f)
{
	fprintf(f, "onnxgate %s: makes sure that a Hugging Face model is on disk as a correct, loadable ONNX file.\n\n"
	           "Usage: onnxgate COMMAND [operand]... [option]...\n\nCommands:\n",
	        onnxgate_version());
	for (size_t i = 0; i < OG_COUNT(commands); i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(f, "\nonnxgate COMMAND --help says more; onnxgate --version prints the version.\n");
}

static int usage(const char *message, const char *hint)
{
	fprintf(stderr, "onnxgate: %s\nhint: %s\n", message, hint);
	return ONNXGATE_INVALID;
}

/* One word or two ("cache ls"); *used: how many. The first of two is enough for --help: no two commands have it in common. */
static const cli_command *find(int argc, char **argv, int *used)
{
	for (size_t i = 0; i < OG_COUNT(commands); i++) {
		const char *name = commands[i]->name, *space = strchr(name, ' ');
		size_t n = space ? (size_t)(space - name) : strlen(name);
		if (strlen(argv[1]) != n || strncmp(argv[1], name, n))
			continue;
		bool whole = !space || (argc > 2 && !strcmp(argv[2], space + 1));
		if (!whole && (argc < 3 || (strcmp(argv[2], "--help") && strcmp(argv[2], "-h"))))
			continue;
		*used = space && whole ? 2 : 1;
		return commands[i];
	}
	return NULL;
}

static int no_command(int argc, char **argv)
{
	char message[160], hint[160], shown[80];
	const char *group = NULL;
	for (size_t i = 0; i < OG_COUNT(commands); i++) {
		const char *space = strchr(commands[i]->name, ' ');
		if (space && strlen(argv[1]) == (size_t)(space - commands[i]->name) && og_starts_with(commands[i]->name, argv[1]))
			group = commands[i]->name;
	}
	struct {
		const char *name;
	} names[OG_COUNT(commands)];
	for (size_t i = 0; i < OG_COUNT(commands); i++)
		names[i].name = commands[i]->name;
	const char *near = group ? group : opt_nearest(argv[1], names, OG_COUNT(names), sizeof(names[0]));
	og_str_show(og_str_of(argv[1]), shown, sizeof(shown));
	snprintf(message, sizeof(message), "no such command: %s%s%.40s", shown, group && argc > 2 ? " " : "", group && argc > 2 ? argv[2] : "");
	if (near)
		snprintf(hint, sizeof(hint), "did you mean onnxgate %s? (onnxgate --help lists the commands)", near);
	else
		snprintf(hint, sizeof(hint), "onnxgate --help lists the commands");
	return usage(message, hint);
}

static int run(cli *c)
{
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	onnxgate_options o = ONNXGATE_OPTIONS_INIT;
	o.token = c->a.token;
	o.cache_dir = c->a.cache_dir;
	o.db = c->a.db;
	o.offline = c->a.offline;
	o.threads = c->a.threads;
	o.log = talk_log;
	o.progress = talk_progress;
	o.callback_arg = c;
	o.cancel = &cancel;
	if (talk_begin(c, &err) != OG_OK || onnxgate_open(&o, &c->gate, &err) != ONNXGATE_OK) {
		int code = talk_error(c, &err);
		talk_end(c);
		return code;
	}
	int code = c->command->run(c);
	onnxgate_close(c->gate);
	talk_end(c);
	return code;
}

int main(int argc, char **argv)
{
	cli c = { .a.q = ONNXGATE_REQUEST_INIT, .log = -1 };
	og_error err = { .offset = ONNXGATE_NO_OFFSET };
	int used = 0;
	hold_standard_files();
	if (argc < 2)
		return usage("expected a command, found nothing", "onnxgate --help lists the commands");
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("onnxgate %s\n", onnxgate_version());
		return printed();
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return printed();
	}
	c.command = find(argc, argv, &used);
	if (!c.command)
		return no_command(argc, argv);
	if (opt_parse(c.command, argc - 1 - used, argv + 1 + used, &c.a, &err) != OG_OK)
		return talk_error(&c, &err);
	if (c.a.help) {
		opt_help(c.command, stdout);
		return printed();
	}
	catch_signals();
	return run(&c);
}
