/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard output: a JSON document, or the same for people. A result that cannot be written is an error, too. */
#include "cli/cli.h"

#include "base/str.h"

#include <errno.h>
#include <math.h>

static int written(cli *c, int code)
{
	og_error err = { .status = ONNXGATE_IO };
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	og_fail(&err, ONNXGATE_IO, "standard output: %s", strerror(errno));
	return talk_error(c, &err);
}

static int out_of_memory(cli *c)
{
	og_error err = { 0 };
	og_fail_nomem(&err);
	return talk_error(c, &err);
}

static void print_json(char *text)
{
	if (text)
		printf("%s\n", text);
	onnxgate_text_free(text);
}

static const char *shown(const char *s)
{
	return s ? s : "-";
}

/* ---- verify, convert, check --------------------------------------------------------------------------- */

static const char *level_name(onnxgate_level l)
{
	static const char *const names[] = { "runtime", "none", "structure", "runtime", "reference" };
	return (size_t)l < sizeof(names) / sizeof(names[0]) ? names[l] : "?";
}

static void print_word(const cli *c, const char *word, int good)
{
	const char *color = !c->color ? "" : good > 0 ? "\033[32m" : good < 0 ? "\033[31m" : "\033[33m";
	printf("%s%s%s", color, word, c->color ? "\033[0m" : "");
}

static void print_checks(const cli *c, const onnxgate_result *r)
{
	static const char *const words[] = { "pass", "FAIL", "skipped" };
	static const int good[] = { 1, -1, 0 };
	for (size_t i = 0; i < r->nchecks; i++) {
		const onnxgate_check_row *k = &r->checks[i];
		char figure[64] = "";
		if (!isnan(k->value) && !isnan(k->limit))
			snprintf(figure, sizeof(figure), "%.3g (limit %.3g)", k->value, k->limit);
		else if (!isnan(k->value))
			snprintf(figure, sizeof(figure), "%.6g", k->value);
		printf(i ? "            " : "checks      ");
		print_word(c, words[k->status], good[k->status]);
		printf("%*s %-9s %-26s %-24s %s\n", (int)(8 - strlen(words[k->status])), "", level_name(k->level), k->name, figure, k->detail ? k->detail : "");
	}
}

static void print_timings(const onnxgate_result *r)
{
	if (!r->ntimings)
		return;
	printf("time        ");
	for (size_t i = 0; i < r->ntimings; i++)
		printf("%s%s %.1f ms", i ? ", " : "", r->timings[i].name, r->timings[i].ms);
	printf("\n");
}

static void print_status(const onnxgate_result *r)
{
	printf("status      %s%s", shown(r->onnx_conversion_status), r->cached ? " (cached)" : "");
	if (r->onnx_conversion_time)
		printf(", made %s", r->onnx_conversion_time);
	printf("\nmodel       %s%s%s\n", shown(r->model_id), r->revision ? " at " : "", r->revision ? r->revision : "");
	if (r->model_type)
		printf("type        %s%s%s\n", r->model_type, r->architecture ? ", " : "", r->architecture ? r->architecture : "");
	if (r->task)
		printf("task        %s%s%s\n", r->task, r->task_reason ? ": " : "", r->task_reason ? r->task_reason : "");
	if (r->dtype && r->opset)
		printf("graph       %s, opset %d\n", r->dtype, r->opset);
}

static void print_verdict(const cli *c, const onnxgate_result *r)
{
	static const char *const words[] = { "unknown", "pass", "fail" };
	static const int good[] = { 0, 1, -1 };
	printf("verdict     ");
	print_word(c, words[r->verdict], good[r->verdict]);
	printf(" at level %s", level_name(r->level));
	if (r->runtime)
		printf(", %s", r->runtime);
	if (r->runtime_peak)
		printf(", which used %.0f MB", (double)r->runtime_peak / 1e6);
	printf("\n");
}

static void print_answer(const cli *c, const onnxgate_result *r)
{
	printf("%s\n", shown(r->path));
	if (c->a.quiet)
		return;
	print_status(r);
	print_checks(c, r);
	print_verdict(c, r);
	print_timings(r);
	for (size_t i = 0; i < r->nnotes; i++)
		printf("%s%s\n", i ? "            " : "note        ", r->notes[i]);
	if (r->recorded)
		printf("recorded    %s, run %lld\n", r->recorded, (long long)r->record_id);
}

/* What was tried, so that the error that follows is understood. */
static void tell_attempts(cli *c, const onnxgate_result *r)
{
	for (size_t i = 0; i < r->nattempts && !c->a.quiet; i++)
		fprintf(stderr, "tried: %s: %s: %s\n", r->attempts[i].step, r->attempts[i].outcome, shown(r->attempts[i].detail));
	for (size_t i = 0; i < r->nnotes && !c->a.quiet; i++)
		fprintf(stderr, "note: %s\n", r->notes[i]);
}

int print_result(cli *c, onnxgate_status st, onnxgate_result *r)
{
	if (!r)
		return out_of_memory(c);
	int code = onnxgate_exit_code(st);
	if (c->a.json) {
		char *text = onnxgate_result_json(r);
		code = text ? code : out_of_memory(c);
		print_json(text);
	} else if (r->path) {
		print_answer(c, r);
	} else if (r->nchecks) {
		print_checks(c, r);
		print_verdict(c, r);
	}
	fflush(stdout);
	if (st != ONNXGATE_OK) {
		if (!r->path)
			tell_attempts(c, r);
		code = talk_error(c, &r->error);
	}
	onnxgate_result_free(r);
	return written(c, code);
}

/* ---- tables --------------------------------------------------------------------------------------------- */

/* Columns that a terminal needs: code points, near enough for names. */
static size_t width(const char *s)
{
	size_t n = 0;
	for (; s && *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_cells(const onnxgate_table *t, const char *const *cells, const size_t *widths)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		const char *s = shown(cells[i]);
		printf("%s%s", i ? "  " : "", s);
		if (i + 1 < t->ncolumns)
			printf("%*s", (int)(widths[i] - width(s)), "");
	}
	printf("\n");
}

static void print_rows(const onnxgate_table *t)
{
	enum { COLUMNS = 64 };
	size_t widths[COLUMNS] = { 0 };
	for (size_t i = 0; i < t->ncolumns && t->ncolumns <= COLUMNS; i++) {
		widths[i] = width(t->columns[i]);
		for (size_t k = 0; k < t->nrows; k++) {
			size_t w = width(shown(t->cells[k * t->ncolumns + i]));
			widths[i] = w > widths[i] ? w : widths[i];
		}
	}
	if (t->ncolumns > COLUMNS)
		return;
	if (t->ncolumns)
		print_cells(t, t->columns, widths);
	for (size_t k = 0; k < t->nrows; k++)
		print_cells(t, &t->cells[k * t->ncolumns], widths);
}

int print_table(cli *c, onnxgate_status st, onnxgate_table *t)
{
	if (!t)
		return out_of_memory(c);
	int code = onnxgate_exit_code(st);
	if (c->a.json) {
		char *text = onnxgate_table_json(t);
		code = text ? code : out_of_memory(c);
		print_json(text);
	} else if (st == ONNXGATE_OK || t->nrows) {
		print_rows(t);
	}
	fflush(stdout);
	if (st != ONNXGATE_OK)
		code = talk_error(c, &t->error);
	onnxgate_table_free(t);
	return written(c, code);
}

/* ---- inspect -------------------------------------------------------------------------------------------- */

/* Names come out of files: no control byte of theirs reaches a terminal, and none breaks a line. */
static void print_name(const char *s)
{
	char text[4200];
	printf("%s", og_str_show(og_str_of(shown(s)), text, sizeof(text)));
}

static void print_numbers(const char *what, const int64_t *v, int n)
{
	printf("%s[", what);
	for (int i = 0; i < n && i < 16; i++)
		printf("%s%lld", i ? ", " : "", (long long)v[i]);
	printf("]");
}

/* Two spaces between the fields and no padding: a line changes only when its own tensor does. */
static void print_tensor(const onnxgate_tensor_row *t)
{
	print_name(t->name);
	printf("  %s  ", shown(t->dtype));
	print_numbers("", t->dims, t->rank);
	if (t->strided)
		print_numbers(" strides ", t->strides, t->rank);
	printf("  ");
	print_name(t->file);
	printf("  %llu", (unsigned long long)t->offset);
	if (t->sha256)
		printf("  %s", t->sha256);
	printf("\n");
}

static void print_threats(const cli *c, const onnxgate_inspection *r)
{
	printf("threats     ");
	if (r->ndangers)
		printf("%s%zu %s%s of %zu %s\n", c->color ? "\033[31m" : "", r->ndangers, r->ndangers == 1 ? "danger" : "dangers", c->color ? "\033[0m" : "",
		       r->nthreats, r->nthreats == 1 ? "row" : "rows");
	else
		printf("no danger in %zu %s\n", r->nthreats, r->nthreats == 1 ? "row" : "rows");
	for (size_t i = 0; i < r->nthreats; i++) {
		const onnxgate_threat_row *t = &r->threats[i];
		printf("%s %-8s  ", t->danger ? "!" : " ", shown(t->kind));
		print_name(t->where);
		printf("  %llu  ", (unsigned long long)t->offset);
		print_name(t->text);
		printf("\n");
	}
}

/* Nothing that differs between two machines which have the same file: no folder's name, no time. */
static void print_contents(const cli *c, const onnxgate_inspection *r)
{
	const char *slash = r->path ? strrchr(r->path, '/') : NULL;
	print_name(slash && slash[1] ? slash + 1 : r->path);
	printf("\n");
	if (r->format)
		printf("format      %s\ntensors     %zu\n", r->format, r->ntensors);
	for (size_t i = 0; i < r->ntotals; i++)
		printf("%s%s: %llu tensors, %llu elements, %llu bytes\n", i ? "            " : "totals      ", r->totals[i].dtype,
		       (unsigned long long)r->totals[i].tensors, (unsigned long long)r->totals[i].elements, (unsigned long long)r->totals[i].bytes);
	for (size_t i = 0; i < r->nmetadata; i++) {
		printf(i ? "            " : "metadata    ");
		print_name(r->metadata[i].key);
		printf(": ");
		print_name(r->metadata[i].value);
		printf("\n");
	}
	for (size_t i = 0; i < r->nnotes; i++) {
		printf(i ? "            " : "note        ");
		print_name(r->notes[i]);
		printf("\n");
	}
	for (size_t i = 0; c->a.tensors && i < r->ntensors; i++)
		print_tensor(&r->tensors[i]);
	if (r->looked)
		print_threats(c, r);
}

int print_inspection(cli *c, onnxgate_status st, onnxgate_inspection *r)
{
	if (!r)
		return out_of_memory(c);
	int code = onnxgate_exit_code(st);
	if (c->a.json) {
		char *text = onnxgate_inspection_json(r, c->a.tensors);
		code = text ? code : out_of_memory(c);
		print_json(text);
	} else if (st == ONNXGATE_OK || r->looked) {
		print_contents(c, r);
	}
	fflush(stdout);
	if (st != ONNXGATE_OK)
		code = talk_error(c, &r->error);
	onnxgate_inspection_free(r);
	return written(c, code);
}

/* ---- bench ------------------------------------------------------------------------------------------------ */

static void print_figures(const cli *c, const onnxgate_bench_result *r)
{
	if (r->verified)
		printf("%s\n", shown(r->verified->path));
	if (r->nrows && !c->a.quiet)
		printf("%s, %s, %d runs after %d, loaded in %.0f ms, peak %.0f MB\n", shown(r->rows[0].runtime), shown(r->rows[0].execution_provider), r->rows[0].runs,
		       r->rows[0].warmup, r->rows[0].load_ms, (double)r->rows[0].peak_memory / 1e6);
	for (size_t i = 0; i < r->nhost && !c->a.quiet; i++)
		printf("%-10s  %s\n", r->host[i].key, shown(r->host[i].value));
	const char *length_of = r->nrows ? r->rows[0].length_of : NULL;
	printf("%8s", "batch");
	if (length_of)
		printf(" %8s", shown(length_of));
	printf(" %10s %10s %10s %10s %10s %12s\n", "p50 ms", "p90 ms", "p99 ms", "mean ms", "stddev", "items/s");
	for (size_t i = 0; i < r->nrows; i++) {
		const onnxgate_bench_row *b = &r->rows[i];
		printf("%8lld", (long long)b->batch_size);
		if (length_of)
			printf(" %8lld", (long long)b->sequence_length);
		printf(" %10.3f %10.3f %10.3f %10.3f %10.3f %12.1f\n", b->latency_ms.p50, b->latency_ms.p90, b->latency_ms.p99, b->latency_ms.mean,
		       b->latency_ms.stddev, b->throughput);
	}
}

int print_bench(cli *c, onnxgate_status st, onnxgate_bench_result *r)
{
	if (!r)
		return out_of_memory(c);
	int code = onnxgate_exit_code(st);
	if (c->a.json) {
		char *text = onnxgate_bench_json(r);
		code = text ? code : out_of_memory(c);
		print_json(text);
	} else if (r->nrows) {
		print_figures(c, r);
	}
	fflush(stdout);
	if (st != ONNXGATE_OK) {
		if (r->verified && !r->verified->path)
			tell_attempts(c, r->verified);
		code = talk_error(c, &r->error);
	}
	onnxgate_bench_result_free(r);
	return written(c, code);
}
