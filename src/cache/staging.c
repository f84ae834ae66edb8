/* SPDX-License-Identifier: Apache-2.0
 *
 * Making an entry.  The work happens in a folder aside, under the key's exclusive lock; publishing makes the
 * files durable, then lets the folder take its name in one step.  A process that dies leaves at most the folder
 * aside, which the next one that gets the lock removes: whoever holds the lock is the only one alive on that key. */
#include "cache/cache_int.h"

#include "base/dir.h"
#include "base/path.h"
#include "base/str.h"

#include <stdio.h>

struct og_staging {
	og_cache *cache;
	const og_context *ctx;
	char key[65];
	char *dir;
	og_lock *work; /* NULL after publishing */
};

/* ---- orphans ---------------------------------------------------------------------------------------- */

static void remove_orphan(og_cache *c, const char *name)
{
	og_autofree char *path = og_path_join(c->dir, name);
	if (path && og_remove_tree(path, NULL) != OG_OK)
		return; /* not ours to remove; it costs space only */
}

/* ".staging-<key>.<random>[.old]" */
static bool staging_key(const char *name, char key[65])
{
	size_t n = strlen(OG_CACHE_STAGING);
	if (!og_starts_with(name, OG_CACHE_STAGING) || strlen(name) < n + 66 || name[n + 64] != '.')
		return false;
	memcpy(key, name + n, 64);
	key[64] = 0;
	return og_is_hex(key, 64);
}

void og_cache_sweep(og_cache *c, const char *own)
{
	static const int at_once = 1; /* a wait that is cancelled before it begins: one attempt */
	og_dirlist list = { 0 };
	if ((c->swept && !own) || og_dir_list(c->dir, &list, NULL) != OG_OK)
		return;
	c->swept = true;
	for (size_t i = 0; i < list.n; i++) {
		char key[65];
		if (!staging_key(list.names[i], key))
			continue;
		if (og_streq(key, own)) {
			remove_orphan(c, list.names[i]);
			continue;
		}
		og_auto(og_lock) *work = NULL;
		if (og_cache_lock(c, key, ".lock", true, &at_once, &work, NULL) == OG_OK)
			remove_orphan(c, list.names[i]);
	}
	og_dirlist_done(&list);
}

/* ---- staging ---------------------------------------------------------------------------------------- */

static char *staging_prefix(const og_cache *c, const char *key)
{
	char name[80];
	snprintf(name, sizeof(name), OG_CACHE_STAGING "%s", key);
	return og_path_join(c->dir, name);
}

static og_status make_dir(og_staging *s, og_error *err)
{
	og_autofree char *prefix = staging_prefix(s->cache, s->key);
	return prefix ? og_dir_new(prefix, &s->dir, err) : og_fail_nomem(err);
}

og_status og_staging_begin(og_cache *c, const char *key, bool force, const og_context *ctx, og_staging **out, og_cache_entry **out_entry, og_error *err)
{
	OG_TRY(og_cache_key_check(key, err));
	og_auto(og_staging) *s = og_alloc(sizeof(*s));
	if (!s)
		return og_fail_nomem(err);
	s->cache = c;
	s->ctx = ctx;
	memcpy(s->key, key, sizeof(s->key));
	OG_TRY(og_cache_lock(c, key, ".lock", true, ctx ? ctx->cancel : NULL, &s->work, err));
	og_cache_sweep(c, key);
	if (!force) { /* somebody may have made it while we waited */
		og_error why = { 0 };
		og_status found = og_cache_find(c, key, false, out_entry, &why);
		if (found == OG_OK)
			return OG_OK;
		if (found != ONNXGATE_NOT_FOUND && found != ONNXGATE_MISMATCH) {
			if (err)
				*err = why;
			return found;
		}
	}
	OG_TRY(make_dir(s, err));
	*out = og_steal(&s);
	return OG_OK;
}

const char *og_staging_dir(const og_staging *s)
{
	return s->dir;
}

/* What we are about to promise must hold, else the entry could never be found again. */
static og_status check_promise(const char *dir, const char *key, const og_manifest *m, og_error *err)
{
	if (!og_streq(m->key, key))
		return og_fail(err, ONNXGATE_INTERNAL, "manifest of conversion %s: carries key %s", key, m->key ? m->key : "(none)");
	og_status s = og_cache_check_files(dir, m, false, err);
	if (s != ONNXGATE_MISMATCH && s != ONNXGATE_NOT_FOUND && s != ONNXGATE_UNSAFE && s != ONNXGATE_FORMAT)
		return s;
	if (err) {
		err->status = ONNXGATE_INTERNAL;
		og_error_prefix(err, "manifest against the folder");
	}
	return ONNXGATE_INTERNAL;
}

/* Writes the manifest and reads it as the next process will. */
static og_status write_manifest(const char *dir, const char *key, const og_manifest *m, og_error *err)
{
	og_autofree char *path = og_path_join(dir, OG_CACHE_MANIFEST);
	og_auto(og_arena) *a = og_arena_new();
	og_manifest *back = NULL;
	if (!path || !a)
		return og_fail_nomem(err);
	OG_TRY(og_manifest_write(path, m, err));
	return og_manifest_read(dir, key, a, &back, err);
}

og_status og_staging_publish(og_staging *s, const og_manifest *m, og_cache_entry **out, og_error *err)
{
	og_cache *c = s->cache;
	if (!s->work)
		return og_fail(err, ONNXGATE_INTERNAL, "conversion %s: published twice", s->key);
	OG_TRY(check_promise(s->dir, s->key, m, err));
	OG_TRY(write_manifest(s->dir, s->key, m, err));
	OG_TRY(og_fsync_tree(s->dir, err));
	og_autofree char *final = og_path_join(c->dir, s->key);
	if (!final)
		return og_fail_nomem(err);
	OG_TRY(og_check_cancel(s->ctx, err));
	bool swapped = false;
	OG_TRY(og_dir_replace(s->dir, final, &swapped, err));
	OG_TRY(og_fsync_dir(c->dir, err));
	if (swapped)
		remove_orphan(c, og_path_base(s->dir));
	if (og_streq(c->suspect, s->key))
		c->suspect[0] = 0;
	OG_TRY(og_cache_find(c, s->key, false, out, err));
	og_lock_free(og_steal(&s->work)); /* those who wait need not wait for our caller */
	return OG_OK;
}

void og_staging_free(og_staging *s)
{
	if (!s)
		return;
	if (s->dir && s->work) /* before the lock goes: afterwards the name belongs to nobody */
		remove_orphan(s->cache, og_path_base(s->dir));
	og_lock_free(s->work);
	og_free(s->dir);
	og_free(s);
}

/* ---- a stronger proof of the same files --------------------------------------------------------------- */

og_status og_cache_update(og_cache *c, const char *key, const og_manifest *m, og_error *err)
{
	OG_TRY(og_cache_key_check(key, err));
	og_auto(og_staging) *s = og_alloc(sizeof(*s)); /* a folder aside again, so that a crash leaves what sweepers know */
	og_autofree char *final = og_path_join(c->dir, key);
	if (!s || !final)
		return og_fail_nomem(err);
	if (!og_dir_exists(final))
		return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such conversion", final);
	s->cache = c;
	memcpy(s->key, key, sizeof(s->key));
	OG_TRY(og_cache_lock(c, key, ".lock", true, NULL, &s->work, err));
	OG_TRY(og_cache_check_files(final, m, false, err));
	OG_TRY(make_dir(s, err));
	OG_TRY(write_manifest(s->dir, key, m, err));
	og_autofree char *from = og_path_join(s->dir, OG_CACHE_MANIFEST);
	og_autofree char *to = og_path_join(final, OG_CACHE_MANIFEST);
	if (!from || !to)
		return og_fail_nomem(err);
	OG_TRY(og_rename(from, to, err));
	return og_fsync_dir(final, err);
}
