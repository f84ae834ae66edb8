/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.json of a cached conversion.  What is accepted must be usable: written again and read back it is the
 * same, and no file name leads out. */
#include "cache/cache_int.h"

#include "base/path.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool held)
{
	if (!held)
		abort();
}

static void same(const og_manifest *a, const og_manifest *b)
{
	demand(og_streq(a->key, b->key) && og_streq(a->repo_id, b->repo_id) && og_streq(a->task, b->task) && og_streq(a->runtime, b->runtime));
	demand(a->opset == b->opset && a->level == b->level && a->verdict == b->verdict);
	demand(a->nfiles == b->nfiles && a->nchecks == b->nchecks && a->ntimings == b->ntimings && a->nnotes == b->nnotes);
	for (size_t i = 0; i < a->nfiles; i++)
		demand(og_path_safe(a->files[i].path) && og_streq(a->files[i].path, b->files[i].path) && a->files[i].size == b->files[i].size &&
			   og_streq(a->files[i].sha256, b->files[i].sha256));
	for (size_t i = 0; i < a->nchecks; i++)
		demand(og_streq(a->checks[i].name, b->checks[i].name) && a->checks[i].status == b->checks[i].status &&
			   (a->checks[i].value == b->checks[i].value || !isfinite(a->checks[i].value)));
	for (size_t i = 0; i < a->nnotes; i++)
		demand(og_streq(a->notes[i], b->notes[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_arena) *a = og_arena_new();
	og_autofree char *text = NULL;
	og_manifest *m = NULL, *again = NULL;
	og_error err = { 0 };
	if (og_manifest_parse("manifest.json", data, size, a, &m, &err) != OG_OK) {
		demand(err.status != OG_OK && err.message[0]);
		return 0;
	}
	demand(og_manifest_text(m, &text, &err) == OG_OK);
	demand(og_manifest_parse("again", text, strlen(text), a, &again, &err) == OG_OK);
	same(m, again);
	return 0;
}
