/* SPDX-License-Identifier: Apache-2.0
 *
 * What is in the cache: one row an entry, the last used first.  Listing neither locks nor marks; an entry whose
 * manifest cannot be believed is listed too, with what is known of it. */
#include "cache/cache_int.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/path.h"
#include "base/str.h"
#include "base/table.h"
#include "codec/rows.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const columns[] = { "repo_id", "revision", "task", "dtype", "size", "level", "last_used", "key" };

typedef struct listed {
	const char *key;
	int64_t used;
} listed;

static int by_use(const void *a, const void *b)
{
	const listed *x = a, *y = b;
	if (x->used != y->used)
		return x->used < y->used ? 1 : -1;
	return strcmp(x->key, y->key);
}

static og_status add_row(og_cache *c, const listed *l, onnxgate_table *t, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	og_autofree char *dir = og_path_join(c->dir, l->key);
	if (!a || !dir)
		return og_fail_nomem(err);
	char used[32], size[32];
	og_rfc3339(l->used, used);
	og_manifest *m = NULL;
	og_status s = og_manifest_read(dir, l->key, a, &m, NULL);
	if (s == ONNXGATE_NOMEM)
		return og_fail_nomem(err);
	if (s != OG_OK)
		return og_table_row(t, (const char *const[]){ NULL, NULL, NULL, NULL, NULL, "damaged", used, l->key }, err);
	uint64_t total = 0;
	for (size_t i = 0; i < m->nfiles; i++)
		if (!og_add_u64(total, m->files[i].size, &total))
			total = UINT64_MAX;
	snprintf(size, sizeof(size), "%llu", (unsigned long long)total);
	return og_table_row(t, (const char *const[]){ m->repo_id, m->revision, m->task, m->dtype, size, og_level_name(m->level), used, l->key }, err);
}

static og_status fill(og_cache *c, const og_dirlist *names, onnxgate_table *t, og_error *err)
{
	og_autofree listed *rows = og_array_alloc(names->n + 1, sizeof(*rows));
	if (!rows)
		return og_fail_nomem(err);
	size_t n = 0;
	for (size_t i = 0; i < names->n; i++) {
		if (!og_is_hex(names->names[i], 64))
			continue;
		og_autofree char *dir = og_path_join(c->dir, names->names[i]);
		if (!dir)
			return og_fail_nomem(err);
		rows[n] = (listed){ names->names[i], og_mtime(dir) };
		n += rows[n].used >= 0; /* else it went away meanwhile */
	}
	qsort(rows, n, sizeof(*rows), by_use);
	for (size_t i = 0; i < n; i++)
		OG_TRY(add_row(c, &rows[i], t, err));
	return OG_OK;
}

og_status og_cache_list(og_cache *c, onnxgate_table **out, og_error *err)
{
	og_auto_table *t = NULL;
	OG_TRY(og_table_new("cache ls", columns, OG_COUNT(columns), &t, err));
	og_dirlist names = { 0 };
	og_error why = { 0 };
	og_status s = og_dir_list(c->dir, &names, &why);
	if (s == OG_OK) {
		s = fill(c, &names, t, err);
		og_dirlist_done(&names);
	} else if (s == ONNXGATE_NOT_FOUND) { /* nothing was ever stored */
		s = OG_OK;
	} else if (err) {
		*err = why;
	}
	if (s != OG_OK)
		return s;
	*out = og_steal(&t);
	return OG_OK;
}
