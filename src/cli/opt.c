/* SPDX-License-Identifier: Apache-2.0
 *
 * Options from tables: --name VALUE, --name=VALUE, -x, "--" ends them. A word that is no option here is a usage
 * error with the nearest one that is. */
#include "cli/cli.h"

#include "base/alloc.h"
#include "base/str.h"


const opt_row opt_common[] = {
	{ "json", 0, OPT_FLAG, OPT_AT(json), NULL, "print one JSON document instead of text" },
	{ "quiet", 'q', OPT_FLAG, OPT_AT(quiet), NULL, "say nothing but errors; of the result print only the path" },
	{ "verbose", 'v', OPT_FLAG, OPT_AT(verbose), NULL, "say more about what is done" },
	{ "log", 0, OPT_TEXT, OPT_AT(log), "FILE", "append everything that is said, with the time, to FILE" },
	{ "offline", 0, OPT_FLAG, OPT_AT(offline), NULL, "use what is on disk, no network" },
	{ "token", 0, OPT_TEXT, OPT_AT(token), "TOKEN", "the Hub's access token (else HF_TOKEN, else the log-in of hf)" },
	{ "cache-dir", 0, OPT_TEXT, OPT_AT(cache_dir), "DIR", "conversions and the database (else ONNXGATE_HOME)" },
	{ "db", 0, OPT_TEXT, OPT_AT(db), "URL", "the database: sqlite:PATH or a path (else ONNXGATE_DB)" },
	{ "threads", 0, OPT_INT, OPT_AT(threads), "N", "threads for conversion (default: as many as there are cores)", 1, 1024 },
	{ "help", 'h', OPT_FLAG, OPT_AT(help), NULL, "print this" },
	{ 0 },
};

static const opt_row *tables(const cli_command *c, int i)
{
	return i == 0 ? c->options : i == 1 ? opt_common : NULL;
}

static const opt_row *find(const cli_command *c, og_str name, char letter)
{
	for (int t = 0; t < 2; t++)
		for (const opt_row *o = tables(c, t); o && o->name; o++)
			if (letter ? o->letter == letter : og_str_is(name, o->name))
				return o;
	return NULL;
}

/* ---- did you mean ----------------------------------------------------------------------------------- */

/* Edits (insert, delete, replace, swap of neighbours) between two short words; 99 for long ones. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 40 };
	size_t n = strlen(a), m = strlen(b), d[MAX + 1][MAX + 1];
	if (n > MAX || m > MAX)
		return 99;
	for (size_t i = 0; i <= n; i++)
		for (size_t k = 0; k <= m; k++) {
			if (!i || !k) {
				d[i][k] = i + k;
				continue;
			}
			size_t best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
			best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
			best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && d[i - 2][k - 2] + 1 < best)
				best = d[i - 2][k - 2] + 1;
			d[i][k] = best;
		}
	return d[n][m];
}

static void consider(const char *word, const char *name, const char **best, size_t *at)
{
	size_t d = distance(word, name);
	/* A third of the word may be wrong; the beginning of a name counts too ("--out" for --output). */
	if (d > 1 + strlen(word) / 3 && !(strlen(word) > 2 && og_starts_with(name, word)))
		return;
	if (!*best || d < *at) {
		*best = name;
		*at = d;
	}
}

const char *opt_nearest(const char *word, const void *table, size_t n, size_t size)
{
	const char *best = NULL;
	size_t at = 0;
	for (size_t i = 0; i < n; i++)
		consider(word, *(const char *const *)(const void *)((const char *)table + i * size), &best, &at);
	return best;
}

static og_status unknown(const cli_command *c, const char *word, og_error *err)
{
	char shown[80], name[80];
	const char *best = NULL;
	size_t at = 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + strspn(word, "-"), "="), word + strspn(word, "-"));
	for (int t = 0; t < 2; t++)
		for (const opt_row *o = tables(c, t); o && o->name; o++)
			consider(name, o->name, &best, &at);
	og_fail(err, ONNXGATE_INVALID, "%s: no such option: %s", c->name, og_str_show(og_str_of(word), shown, sizeof(shown)));
	if (best)
		og_error_hint(err, "did you mean --%s? (onnxgate %s --help lists them all)", best, c->name);
	else
		og_error_hint(err, "onnxgate %s --help lists them all", c->name);
	return ONNXGATE_INVALID;
}

/* ---- values ------------------------------------------------------------------------------------------- */

static og_status bad_value(const cli_command *c, const opt_row *o, const char *value, const char *expected, og_error *err)
{
	char shown[80];
	return og_fail(err, ONNXGATE_INVALID, "%s: --%s: expected %s, found \"%s\"", c->name, o->name, expected,
	               og_str_show(og_str_of(value), shown, sizeof(shown)));
}

static bool among(const char *choices, const char *value)
{
	size_t n = strlen(value);
	for (const char *p = choices; p && n; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (!strncmp(p, value, n) && (p[n] == '|' || !p[n]))
			return true;
	return false;
}

static bool number(const opt_row *o, og_str text, int64_t *out)
{
	return og_parse_i64(text, out) && *out >= o->min && *out <= o->max;
}

static bool list(const opt_row *o, const char *value, cli_list *out)
{
	out->n = 0;
	for (const char *p = value; p;) {
		size_t n = strcspn(p, ",");
		if (out->n == CLI_LIST_MAX || !number(o, (og_str){ p, n }, &out->v[out->n++]))
			return false;
		p = p[n] ? p + n + 1 : NULL;
	}
	return true;
}

static og_status store(const cli_command *c, const opt_row *o, const char *value, cli_args *a, og_error *err)
{
	void *at = (char *)a + o->at;
	char expected[80];
	int64_t v = 0;
	snprintf(expected, sizeof(expected), "%s from %lld to %lld", o->kind == OPT_LIST ? "numbers with commas between them," : "a whole number",
	         (long long)o->min, (long long)o->max);
	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)at = true;
		return OG_OK;
	case OPT_TEXT:
		if (!*value)
			return bad_value(c, o, value, o->value, err);
		*(const char **)at = value;
		return OG_OK;
	case OPT_CHOICE:
		if (!among(o->value, value))
			return bad_value(c, o, value, o->value, err);
		*(const char **)at = value;
		return OG_OK;
	case OPT_LEVEL:
		if (!among(o->value, value))
			return bad_value(c, o, value, o->value, err);
		*(onnxgate_level *)at = value[0] == 'n' ? ONNXGATE_VALIDATE_NONE : value[0] == 's' ? ONNXGATE_VALIDATE_STRUCTURE : ONNXGATE_VALIDATE_RUNTIME;
		return OG_OK;
	case OPT_INT:
		if (!number(o, og_str_of(value), &v))
			return bad_value(c, o, value, expected, err);
		*(int *)at = (int)v;
		return OG_OK;
	case OPT_LIST:
		return list(o, value, at) ? OG_OK : bad_value(c, o, value, expected, err);
	}
	return og_fail(err, ONNXGATE_INTERNAL, "--%s: option of unknown kind", o->name);
}

/* One option at argv[*i], which moves to the last word that it took. */
static og_status option(const cli_command *c, int argc, char **argv, int *i, cli_args *a, og_error *err)
{
	const char *word = argv[*i], *value = NULL;
	bool is_long = word[1] == '-';
	const char *eq = is_long ? strchr(word, '=') : NULL;
	og_str name = { word + 2, is_long ? (eq ? (size_t)(eq - word - 2) : strlen(word + 2)) : 0 };
	const opt_row *o = is_long ? find(c, name, 0) : !word[2] ? find(c, name, word[1]) : NULL;
	if (!o)
		return unknown(c, word, err);
	if (o->kind == OPT_FLAG && eq)
		return og_fail(err, ONNXGATE_INVALID, "%s: --%s takes no value, found \"%s\"", c->name, o->name, eq + 1);
	if (o->kind != OPT_FLAG) {
		if (!eq && *i + 1 >= argc)
			return og_fail(err, ONNXGATE_INVALID, "%s: --%s: expected %s after it, found the end", c->name, o->name, o->value);
		value = eq ? eq + 1 : argv[++*i];
	}
	return store(c, o, value, a, err);
}

og_status opt_parse(const cli_command *c, int argc, char **argv, cli_args *a, og_error *err)
{
	bool ended = false;
	for (int i = 0; i < argc; i++) {
		if (!ended && !strcmp(argv[i], "--")) {
			ended = true;
		} else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			OG_TRY(option(c, argc, argv, &i, a, err));
		} else {
			if (a->noperands >= c->max) {
				char shown[80];
				og_fail(err, ONNXGATE_INVALID, "%s: expected %s, found one more: \"%s\"", c->name, c->max ? c->operands : "no operand",
				        og_str_show(og_str_of(argv[i]), shown, sizeof(shown)));
				og_error_hint(err, "onnxgate %s --help", c->name);
				return ONNXGATE_INVALID;
			}
			a->operands[a->noperands++] = argv[i];
		}
	}
	if (!a->help && a->noperands < c->min) {
		og_fail(err, ONNXGATE_INVALID, "%s: expected %s, found nothing", c->name, c->operands);
		og_error_hint(err, "onnxgate %s --help", c->name);
		return ONNXGATE_INVALID;
	}
	return OG_OK;
}

/* ---- help --------------------------------------------------------------------------------------------- */

static void help_rows(const opt_row *rows, FILE *f)
{
	for (const opt_row *o = rows; o && o->name; o++) {
		char left[80], letter[8] = "    ";
		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
		if (strlen(left) > 30)
			fprintf(f, "  %s\n  %-30s  %s\n", left, "", o->help);
		else
			fprintf(f, "  %-30s  %s\n", left, o->help);
	}
}

static const char exit_codes[] =
	"Exit codes:\n"
	"   0  passed                                     7  refused for security\n"
	"   1  checked, and it failed                     8  disk, permissions or memory\n"
	"   2  the call is wrong                          9  a fault of this program\n"
	"   3  repository, revision or file not found    10  a file is malformed\n"
	"   4  no access (gated, private, bad token)     11  bytes or shapes are not what was promised\n"
	"   5  the network failed                        12  could be read but not converted\n"
	"   6  not supported, or not proved             130  interrupted\n";

void opt_help(const cli_command *c, FILE *f)
{
	fprintf(f, "%s\n\nUsage: onnxgate %s%s%s [option]...\n", c->summary, c->name, c->operands ? " " : "", c->operands ? c->operands : "");
	if (c->text)
		fprintf(f, "\n%s\n", c->text);
	if (c->options) {
		fprintf(f, "\nOptions:\n");
		help_rows(c->options, f);
	}
	fprintf(f, "\nOptions of every command:\n");
	help_rows(opt_common, f);
	fprintf(f, "\nExamples:\n");
	for (const char *const *e = c->examples; *e; e++)
		fprintf(f, "  %s\n", *e);
	fprintf(f, "\n%s", exit_codes);
}
