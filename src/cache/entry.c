/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding an entry.  It counts only when every file that its manifest names is there with its size; anything
 * else is MISMATCH, upon which the caller converts again and replaces it.  The manifest is written last, so a file
 * that changed after it was touched by somebody else: its digest is computed, and when it holds the manifest is
 * marked as younger, so that this is paid once.  A cache that may not be written is used as it stands: without
 * locks, without marks. */
#include "cache/cache_int.h"

#include "base/dir.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/digest.h"

#include <stdio.h>

struct og_cache_entry {
	char *dir;
	og_arena *arena;
	og_manifest *manifest;
	og_lock *use; /* NULL: the cache is read-only */
};

og_status og_cache_open(const char *home, og_cache **out, og_error *err)
{
	og_auto(og_cache) *c = og_alloc(sizeof(*c));
	og_autofree char *whole = og_path_absolute(home);
	if (!c || !whole)
		return og_fail_nomem(err);
	c->dir = og_path_join(whole, "conversions");
	c->locks = c->dir ? og_path_join(c->dir, ".locks") : NULL;
	if (!c->locks)
		return og_fail_nomem(err);
	*out = og_steal(&c);
	return OG_OK;
}

void og_cache_free(og_cache *c)
{
	if (!c)
		return;
	og_free(c->dir);
	og_free(c->locks);
	og_free(c);
}

og_status og_cache_lock(og_cache *c, const char *key, const char *purpose, bool exclusive, const int *cancel, og_lock **out, og_error *err)
{
	char name[80];
	snprintf(name, sizeof(name), "%s%s", key, purpose);
	og_autofree char *path = og_path_join(c->locks, name);
	if (!path)
		return og_fail_nomem(err);
	OG_TRY(og_mkdirs(c->locks, err));
	return og_lock_take(path, exclusive, cancel, out, err);
}

static og_status check_digest(const char *path, const char *expected, og_error *err)
{
	char hex[OG_SHA256_HEX];
	OG_TRY(og_sha256_file(path, NULL, hex, err));
	return og_streq(hex, expected) ? OG_OK : og_fail(err, ONNXGATE_MISMATCH, "%s: SHA-256 %s, expected %s", path, hex, expected);
}

og_status og_cache_check_files(const char *dir, const og_manifest *m, bool digests, og_error *err)
{
	og_autofree char *manifest = og_path_join(dir, OG_CACHE_MANIFEST);
	bool touched = false;
	if (!manifest)
		return og_fail_nomem(err);
	for (size_t i = 0; i < m->nfiles; i++) {
		const onnxgate_file_row *f = &m->files[i];
		uint64_t size = 0;
		OG_TRY(og_file_below(dir, f->path, &size, err));
		if (size != f->size)
			return og_fail(err, ONNXGATE_MISMATCH, "%s/%s: %llu bytes, expected %llu", dir, f->path, (unsigned long long)size, (unsigned long long)f->size);
		og_autofree char *path = og_path_join(dir, f->path);
		if (!path)
			return og_fail_nomem(err);
		bool later = og_changed_since(path, manifest);
		if (f->sha256 && (digests || later))
			OG_TRY(check_digest(path, f->sha256, err));
		touched |= later;
	}
	if (touched)
		og_touch(manifest);
	return OG_OK;
}

/* What is wrong with the entry itself is MISMATCH; what is wrong with the machine stays what it is. */
static og_status unfit(og_status s, og_error *err)
{
	if (s != ONNXGATE_FORMAT && s != ONNXGATE_UNSAFE && s != ONNXGATE_NOT_FOUND && s != ONNXGATE_MISMATCH)
		return s;
	if (err) {
		err->status = ONNXGATE_MISMATCH;
		og_error_prefix(err, "cached conversion");
	}
	return ONNXGATE_MISMATCH;
}

static og_status load(og_cache *c, const char *key, bool digests, og_cache_entry *e, og_error *err)
{
	og_error why = { 0 };
	e->arena = og_arena_new();
	if (!e->arena)
		return og_fail_nomem(err);
	og_status s = og_cache_lock(c, key, ".use", false, NULL, &e->use, &why);
	if (s == ONNXGATE_NOMEM)
		return og_fail_nomem(err);
	if (!og_dir_exists(e->dir)) /* it may have gone while we waited */
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such conversion", e->dir);
	s = og_manifest_read(e->dir, key, e->arena, &e->manifest, err);
	if (s == OG_OK)
		s = og_cache_check_files(e->dir, e->manifest, digests, err);
	return s == OG_OK ? OG_OK : unfit(s, err);
}

og_status og_cache_find(og_cache *c, const char *key, bool digests, og_cache_entry **out, og_error *err)
{
	OG_TRY(og_cache_key_check(key, err));
	og_auto(og_cache_entry) *e = og_alloc(sizeof(*e));
	if (!e || !(e->dir = og_path_join(c->dir, key)))
		return og_fail_nomem(err);
	if (!og_dir_exists(e->dir))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such conversion", e->dir);
	digests = digests || og_streq(c->suspect, key);
	og_status s = load(c, key, digests, e, err);
	if (s == ONNXGATE_MISMATCH && digests)
		snprintf(c->suspect, sizeof(c->suspect), "%s", key);
	if (s != OG_OK)
		return s;
	if (og_streq(c->suspect, key))
		c->suspect[0] = 0; /* somebody has mended it */
	og_touch(e->dir);
	og_cache_sweep(c, NULL);
	*out = og_steal(&e);
	return OG_OK;
}

const char *og_cache_entry_dir(const og_cache_entry *e)
{
	return e->dir;
}

const og_manifest *og_cache_entry_manifest(const og_cache_entry *e)
{
	return e->manifest;
}

void og_cache_entry_free(og_cache_entry *e)
{
	if (!e)
		return;
	og_lock_free(e->use);
	og_arena_free(e->arena);
	og_free(e->dir);
	og_free(e);
}
