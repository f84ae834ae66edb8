/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays files, or all files below folders, through a fuzz target: the corpus runs in every test run, and a
 * crash that a fuzzer found is looked at without one. */
#include <stdio.h>

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"

#define INPUT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static og_status replay(const char *path, og_error *err)
{
	if (!og_dir_exists(path)) {
		og_auto_buf b;
		og_buf_init(&b, INPUT_MAX + 1);
		OG_TRY(og_file_read(path, INPUT_MAX, &b, err));
		og_autofree uint8_t *exact = og_alloc(b.n ? b.n : 1); /* so that a sanitizer sees one byte too far */
		if (!exact)
			return og_fail_nomem(err);
		if (b.n)
			memcpy(exact, b.p, b.n);
		(void)LLVMFuzzerTestOneInput(exact, b.n);
		replayed++;
		return OG_OK;
	}
	og_dirlist list = { 0 };
	og_status st = og_dir_list(path, &list, err);
	for (size_t i = 0; st == OG_OK && i < list.n; i++) {
		og_autofree char *name = og_path_join(path, list.names[i]);
		st = name ? replay(name, err) : og_fail_nomem(err);
	}
	og_dirlist_done(&list);
	return st;
}

int main(int argc, char **argv)
{
	og_error err = { 0 };
	for (int i = 1; i < argc; i++)
		if (replay(argv[i], &err) != OG_OK) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
	printf("replayed %zu inputs\n", replayed);
	return replayed ? 0 : 1;
}
