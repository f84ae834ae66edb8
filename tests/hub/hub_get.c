/* SPDX-License-Identifier: Apache-2.0
 *
 * The Hub client alone, for tests that need it in a process of its own (to be killed, or to be judged by
 * huggingface_hub):  hub_get ENDPOINT CACHE REPO[@REV] [--offline] [--token T] [FILE… | --all]
 * prints "commit HEX", one "listed PATH SIZE DIGEST" a file, one "file LOCAL" a fetched file; exits with the status. */
#include "base/arena.h"
#include "base/str.h"
#include "hub/hub.h"

#include <stdio.h>

static void say(void *arg, onnxgate_log_level level, const char *line)
{
	(void)arg;
	if (level <= ONNXGATE_LOG_INFO)
		fprintf(stderr, "%s\n", line);
}

static og_status fetch(og_hub *h, const og_hub_repo *r, const char *path, og_arena *a, og_error *err)
{
	const char *local;
	OG_TRY(og_hub_fetch(h, r, path, a, &local, err));
	printf("file %s\n", local);
	return OG_OK;
}

static og_status run(int argc, char **argv, og_hub_options o, int first, bool all, og_error *err)
{
	static const og_context ctx = { .log = say, .threads = 1 };
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_hub) *h = NULL;
	const char *id, *revision;
	og_hub_repo *r;

	OG_TRY(og_hub_open(&o, &ctx, &h, err));
	OG_TRY(og_hub_parse_id(argv[3], a, &id, &revision, err));
	OG_TRY(og_hub_resolve(h, id, revision, a, &r, err));
	printf("commit %s%s%s\n", r->commit, r->from_cache ? " cached" : "", r->partial ? " partial" : "");
	for (size_t i = 0; i < r->nfiles; i++) {
		const og_hub_file *f = &r->files[i];
		printf("listed %s %llu %s\n", f->path, (unsigned long long)f->size, f->sha256 ? f->sha256 : f->blob_id ? f->blob_id : "-");
	}
	for (size_t i = 0; all && i < r->nfiles; i++)
		OG_TRY(fetch(h, r, r->files[i].path, a, err));
	for (int i = first; i < argc; i++)
		OG_TRY(fetch(h, r, argv[i], a, err));
	return OG_OK;
}

int main(int argc, char **argv)
{
	og_hub_options o = { 0 };
	og_error err = { 0 };
	bool all = false;
	int i = 4;

	if (argc < 4) {
		fprintf(stderr, "usage: hub_get ENDPOINT CACHE REPO[@REV] [--offline] [--token T] [FILE... | --all]\n");
		return 2;
	}
	o.endpoint = argv[1];
	o.cache = argv[2];
	for (; i < argc && og_starts_with(argv[i], "--"); i++) {
		if (og_streq(argv[i], "--offline"))
			o.offline = true;
		else if (og_streq(argv[i], "--all"))
			all = true;
		else if (og_streq(argv[i], "--token") && i + 1 < argc)
			o.token = argv[++i];
	}
	og_status s = run(argc, argv, o, i, all, &err);
	if (s != OG_OK)
		fprintf(stderr, "%s: %s\n%s%s", og_status_name(s), err.message, err.hint, err.hint[0] ? "\n" : "");
	return og_exit_code(s);
}
