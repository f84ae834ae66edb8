/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard error: log lines, the progress bar (on a terminal only, drawn over itself with a carriage return and
 * no other control code), and the error, which is one line and perhaps a hint. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static bool is_true(const char *text)
{
	return text && (!strcasecmp(text, "1") || !strcasecmp(text, "on") || !strcasecmp(text, "yes") || !strcasecmp(text, "true"));
}

static bool is_set(const char *name)
{
	const char *v = getenv(name);
	return v && *v;
}

og_status talk_begin(cli *c, og_error *err)
{
	c->bars = !c->a.quiet && isatty(STDERR_FILENO) && !is_true(getenv("HF_HUB_DISABLE_PROGRESS_BARS"));
	c->color = isatty(STDOUT_FILENO) && !is_set("NO_COLOR") && !og_streq(getenv("TERM"), "dumb");
	c->log = c->a.log ? open(c->a.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666) : -1;
	return c->a.log && c->log < 0 ? og_fail_errno(err, errno, "log", c->a.log) : OG_OK;
}

static void clear_bar(cli *c)
{
	if (c->bar_width)
		fprintf(stderr, "\r%*s\r", c->bar_width, "");
	c->bar_width = 0;
}

void talk_end(cli *c)
{
	clear_bar(c);
	if (c->log >= 0)
		close(c->log);
	c->log = -1;
}

static void to_log(cli *c, const char *level, const char *line)
{
	char now[32];
	if (c->log < 0)
		return;
	og_rfc3339(og_wall_seconds(), now);
	if (dprintf(c->log, "%s %s %s\n", now, level, line) < 0) {
		/* A log that cannot be written must not end the work. */
	}
}

void talk_log(void *arg, onnxgate_log_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	cli *c = arg;
	to_log(c, names[level], line);
	onnxgate_log_level shown = c->a.quiet ? ONNXGATE_LOG_ERROR : c->a.verbose ? ONNXGATE_LOG_DEBUG : ONNXGATE_LOG_INFO;
	if (level > shown)
		return;
	clear_bar(c);
	fprintf(stderr, "%s%s%s\n", level <= ONNXGATE_LOG_WARN ? names[level] : "", level <= ONNXGATE_LOG_WARN ? ": " : "", line);
}

void talk_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	enum { CELLS = 24, COUNTED = 100000 };
	cli *c = arg;
	double now = og_now_ms();
	bool last = total && done >= total;
	if (!c->bars || (now - c->bar_at < 100 && !last))
		return;
	char line[160], cells[CELLS + 1];
	int full = total ? (int)(done * CELLS / total) : 0;
	for (int i = 0; i < CELLS; i++)
		cells[i] = i < full ? '#' : '.';
	cells[CELLS] = 0;
	int n = total ? snprintf(line, sizeof(line), "%.60s [%s] %3d %%", what, cells, (int)(done * 100 / total)) : snprintf(line, sizeof(line), "%.60s", what);
	if (!total || total >= COUNTED) /* a smaller total may count rows or checks, and would show as 0.0 MB anyway */
		n += snprintf(line + n, sizeof(line) - (size_t)n, "  %.1f MB", (double)done / 1e6);
	n = n < (int)sizeof(line) ? n : (int)sizeof(line) - 1;
	fprintf(stderr, "\r%s%*s", line, c->bar_width > n ? c->bar_width - n : 0, "");
	c->bar_width = n;
	c->bar_at = now;
	if (last)
		clear_bar(c);
}

int talk_error(cli *c, const og_error *err)
{
	clear_bar(c);
	to_log(c, "error", err->message);
	fprintf(stderr, "onnxgate: %s\n", err->message[0] ? err->message : onnxgate_status_name(err->status));
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return onnxgate_exit_code(err->status);
}
