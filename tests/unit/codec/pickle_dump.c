/* SPDX-License-Identifier: Apache-2.0
 *
 * Says what the pickle machine makes of pickles, as Python expressions, for tests that hold it against CPython's.
 *
 *   pickle_dump FILE     FILE: length (4 bytes, little-endian), pickle, length, pickle, …
 *
 * One line each: "ok NEXT EXPRESSION" or "STATUS MESSAGE".  Every global and persistent id is allowed. */
#include "base/file.h"
#include "pickle_show.h"

#include <stdio.h>

enum { OUT_MAX = 64 << 20 };

static bool allow(void *arg, og_str module, og_str name, uint64_t at)
{
	(void)arg;
	(void)module;
	(void)name;
	(void)at;
	return true;
}

static og_status dump(const uint8_t *p, size_t n, og_error *err)
{
	const og_pickle_rules rules = { .allow = allow, .persistent = true };
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_auto_buf b;
	og_error fault = { 0 };
	og_pval *v;
	uint64_t next;
	og_status status;

	og_buf_init(&b, OUT_MAX);
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(og_source_memory("pickle", p, n, &s, err));
	status = og_pickle_read(s, 0, n, &rules, arena, &v, &next, &fault);
	if (status != OG_OK) {
		printf("%s %s\n", og_status_name(status), fault.message);
		return OG_OK;
	}
	pickle_show(&b, v, 0);
	if (b.failed)
		printf("ok %" PRIu64 " deep\n", next);
	else
		printf("ok %" PRIu64 " %s\n", next, og_buf_cstr(&b));
	return OG_OK;
}

static og_status dump_all(const char *path, og_error *err)
{
	og_auto_buf b;

	og_buf_init(&b, (size_t)1 << 30);
	OG_TRY(og_file_read(path, (size_t)1 << 30, &b, err));
	for (size_t at = 0; at + 4 <= b.n;) {
		size_t n = b.p[at] | (size_t)b.p[at + 1] << 8 | (size_t)b.p[at + 2] << 16 | (size_t)b.p[at + 3] << 24;
		at += 4;
		if (n > b.n - at)
			return og_fail(err, ONNXGATE_FORMAT, "%s: truncated", path);
		OG_TRY(dump(b.p + at, n, err));
		at += n;
	}
	return OG_OK;
}

int main(int argc, char **argv)
{
	og_error err = { 0 };

	if (argc != 2 || dump_all(argv[1], &err) != OG_OK) {
		fprintf(stderr, "pickle_dump: %s\n", argc == 2 ? err.message : "expected a file");
		return 1;
	}
	return 0;
}
