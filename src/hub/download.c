/* SPDX-License-Identifier: Apache-2.0
 *
 * How one file arrives.  The listing has named its size and digest before the first byte; the digest is computed
 * while the bytes are written, under a name of our own, and the blob gets its name only if they agree.  A lost
 * connection is continued where it broke, within one run; a partial file never outlives the run, and one that
 * was left by a killed process is removed by whoever takes the same lock next.  The lock saves work, nothing more: two who both
 * hold it (some network disks) write two partial files and the same blob. */
#include "hub/hub_int.h"

#include "base/file.h"
#include "base/path.h"
#include "codec/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PROGRESS_STEP ((uint64_t)1 << 20)

typedef struct download {
	const og_hub *hub;
	const og_hub_repo *repo;
	const og_hub_file *file;
	const char *label; /* "download model.safetensors" */
	og_tmpfile *partial;
	og_digest *digest;
	uint64_t have, told;
} download;

const char *og_hub_etag_of(const og_hub_file *f)
{
	return f->sha256 ? f->sha256 : f->blob_id;
}

/* ---- the sink: bytes to the partial file and the digest ----------------------------------------------- */

static uint64_t sink_have(void *arg)
{
	return ((download *)arg)->have;
}

static og_status sink_reset(void *arg, og_error *err)
{
	download *d = arg;
	int fd = og_tmpfile_fd(d->partial);

	og_digest_free(d->digest);
	d->digest = NULL;
	d->have = d->told = 0;
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) < 0)
		return og_fail_errno(err, errno, "truncate", og_tmpfile_path(d->partial));
	return d->file->sha256 ? og_digest_sha256(&d->digest, err) : og_digest_git_blob(d->file->size, &d->digest, err);
}

static og_status wrong_size(const download *d, uint64_t found, const char *url, og_error *err)
{
	return og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: the Hub's listing says %llu bytes, %s sends %llu", d->repo->repo_id, d->repo->commit, d->file->path,
		       (unsigned long long)d->file->size, url, (unsigned long long)found);
}

/* Is this the part that we asked for: "bytes HAVE-LAST/SIZE"? */
static bool continues(const download *d, const char *range)
{
	char want[64];

	snprintf(want, sizeof(want), "bytes %llu-", (unsigned long long)d->have);
	return range && og_starts_with(range, want);
}

static og_status sink_begin(void *arg, const og_http_answer *a, og_error *err)
{
	download *d = arg;
	const char *length = a->header[OG_H_CONTENT_LENGTH];
	uint64_t n;

	if (a->status == 200 && d->have)
		OG_TRY(sink_reset(d, err));
	if (a->status == 206 && (!d->have || !continues(d, a->header[OG_H_CONTENT_RANGE])))
		return og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: %s answers with another part of the file than was asked for", d->repo->repo_id,
			       d->repo->commit, d->file->path, a->url);
	if (length && !a->header[OG_H_CONTENT_ENCODING] && og_parse_u64(og_str_of(length), OG_HUB_FILE_MAX, &n) && d->have + n != d->file->size)
		return wrong_size(d, d->have + n, a->url, err);
	return OG_OK;
}

static og_status sink_write(void *arg, const void *p, size_t n, og_error *err)
{
	download *d = arg;

	if (n > d->file->size - d->have)
		return og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: more bytes arrive than the %llu of the Hub's listing", d->repo->repo_id, d->repo->commit,
			       d->file->path, (unsigned long long)d->file->size);
	OG_TRY(og_write_all(og_tmpfile_fd(d->partial), p, n, og_tmpfile_path(d->partial), err));
	OG_TRY(og_digest_update(d->digest, p, n, err));
	d->have += n;
	if (d->have - d->told >= PROGRESS_STEP || d->have == d->file->size) {
		d->told = d->have;
		og_progress(d->hub->ctx, d->label, d->have, d->file->size);
	}
	return OG_OK;
}

/* ---- one file --------------------------------------------------------------------------------------- */

static og_status judge(download *d, const og_http_answer *a, og_error *err)
{
	char hex[OG_SHA256_HEX];

	if (d->have != d->file->size)
		return wrong_size(d, d->have, a->url, err);
	OG_TRY(og_digest_hex(d->digest, hex, err));
	if (og_streq(hex, og_hub_etag_of(d->file)))
		return OG_OK;
	og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: %s of the bytes from %s is %s, expected %s", d->repo->repo_id, d->repo->commit, d->file->path,
		d->file->sha256 ? "SHA-256" : "git SHA-1", a->url, hex, og_hub_etag_of(d->file));
	og_error_hint(err, "nothing was kept; try again, and if it stays so, the file on the server is damaged");
	return ONNXGATE_MISMATCH;
}

static og_status receive(og_hub *h, download *d, og_arena *arena, og_error *err)
{
	og_auto_answer a = { 0 };
	const og_sink sink = { sink_have, sink_reset, sink_begin, sink_write, d };
	const char *quoted = og_hub_quote(arena, d->file->path, true);
	const char *url = quoted ? og_arena_printf(arena, "%s/%s/resolve/%s/%s", h->endpoint, d->repo->repo_id, d->repo->commit, quoted) : NULL;
	const char *what = og_arena_printf(arena, "%s: %s", d->repo->repo_id, d->file->path);

	if (!url || !what)
		return og_fail_nomem(err);
	OG_TRY(sink_reset(d, err));
	OG_TRY(og_http_get(h, what, url, &sink, &a, err));
	if (a.status == 200 || a.status == 206)
		return judge(d, &a, err);
	og_status s = og_hub_refusal(h, d->repo->repo_id, d->repo->commit, d->file->path, &a, err);
	if (og_streq(a.header[OG_H_ERROR_CODE], "EntryNotFound") && a.header[OG_H_REPO_COMMIT] && og_streq(a.header[OG_H_REPO_COMMIT], d->repo->commit))
		og_hub_save_absence(h, d->repo->repo_id, d->repo->commit, d->file->path);
	return s;
}

static og_status need_space(const char *dir, const og_hub_file *f, og_error *err)
{
	struct statvfs v;
	uint64_t space;

	if (statvfs(dir, &v) || !og_mul_u64(v.f_bavail, v.f_frsize, &space) || space >= f->size || !v.f_blocks)
		return OG_OK;
	og_fail(err, ONNXGATE_IO, "%s: %llu bytes free, %s has %llu", dir, (unsigned long long)space, f->path, (unsigned long long)f->size);
	og_error_hint(err, "make room, or put the cache elsewhere (HF_HUB_CACHE)");
	return ONNXGATE_IO;
}

static og_status fetch_blob(og_hub *h, const og_hub_repo *r, const og_hub_file *f, const char *blob, og_arena *arena, og_error *err)
{
	og_auto(og_tmpfile) *partial = NULL;
	og_autofree char *dir = og_path_dir(blob);
	download d = { .hub = h, .repo = r, .file = f, .label = og_arena_printf(arena, "download %s", f->path) };

	if (!d.label || !dir)
		return og_fail_nomem(err);
	OG_TRY(need_space(dir, f, err));
	OG_TRY(og_tmpfile_open(blob, ".incomplete", &partial, err));
	d.partial = partial;
	og_log(h->ctx, ONNXGATE_LOG_INFO, "%s: %s: %llu bytes", r->repo_id, f->path, (unsigned long long)f->size);
	og_status s = receive(h, &d, arena, err);
	og_digest_free(d.digest);
	return s == OG_OK ? og_tmpfile_commit(partial, err) : s;
}

/* ---- what is there already ---------------------------------------------------------------------------- */

static bool has_size(const char *path, uint64_t size)
{
	struct stat st;
	return !stat(path, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

/* A blob that somebody else wrote is read once before we link to it: its name says what it must hash to, and a power
 * cut leaves blobs full of zeros that nobody else would notice. */
static og_status is_good(const og_hub *h, const char *blob, const og_hub_file *f, bool *good, og_error *err)
{
	char hex[OG_SHA256_HEX];
	const int *cancel = h->ctx ? h->ctx->cancel : NULL;

	*good = false;
	if (!has_size(blob, f->size))
		return OG_OK;
	og_status s = f->sha256 ? og_sha256_file(blob, cancel, hex, err) : og_git_blob_file(blob, cancel, hex, err);
	if (s == ONNXGATE_CANCELLED || s == ONNXGATE_NOMEM)
		return s;
	*good = s == OG_OK && og_streq(hex, og_hub_etag_of(f));
	if (!*good)
		og_log(h->ctx, ONNXGATE_LOG_WARN, "%s: its bytes are not what its name says%s", blob, h->offline ? "" : "; fetched anew");
	return OG_OK;
}

/* The link is made last, so a blob that changed after it was touched by somebody else, and a link to another blob was not made by us: the
 * bytes are read before they are believed. When they hold, the link is marked as younger, so that this is paid once. */
static og_status still_good(const og_hub *h, const char *entry, const og_hub_file *f, bool *good, og_error *err)
{
	char target[PATH_MAX];
	struct stat link, blob;
	const char *etag = og_hub_etag_of(f);
	ssize_t n = readlink(entry, target, sizeof(target) - 1);

	*good = true;
	if (!etag || n < 0 || lstat(entry, &link) || stat(entry, &blob)) /* a copied file: only its size is known */
		return OG_OK;
	target[n] = '\0';
	const struct timespec *b = &blob.st_ctim, *l = &link.st_ctim;
	bool later = b->tv_sec != l->tv_sec ? b->tv_sec > l->tv_sec : b->tv_nsec > l->tv_nsec;
	if (!later && og_streq(og_path_base(target), etag))
		return OG_OK;
	OG_TRY(is_good(h, entry, f, good, err));
	if (*good && utimensat(AT_FDCWD, entry, NULL, AT_SYMLINK_NOFOLLOW))
		return OG_OK; /* somebody else's, or read-only: fine */
	return OG_OK;
}

/* "<etag>.<8 hex>.incomplete": ours, or that of huggingface_hub ≥ 1.18, which takes the same lock. */
static bool is_partial_of(const char *name, const char *etag)
{
	size_t n = strlen(etag);
	char hex[9];

	if (strncmp(name, etag, n) != 0 || strlen(name) != n + 1 + 8 + strlen(".incomplete") || name[n] != '.' || !og_ends_with(name, ".incomplete"))
		return false;
	memcpy(hex, name + n + 1, 8);
	hex[8] = '\0';
	return og_is_hex(hex, 8);
}

/* Under the lock nobody else is writing this blob: partial files that are older than our lock have lost their owner. */
static void remove_orphans(const og_hub *h, const char *blob, const char *lock)
{
	og_autofree char *dir = og_path_dir(blob);
	og_dirlist l = { 0 };
	struct stat st, held;

	if (!dir || utimensat(AT_FDCWD, lock, NULL, 0) || stat(lock, &held) || og_dir_list(dir, &l, NULL) != OG_OK)
		return;
	for (size_t i = 0; i < l.n; i++) {
		og_autofree char *path = is_partial_of(l.names[i], og_path_base(blob)) ? og_path_join(dir, l.names[i]) : NULL;
		if (!path || lstat(path, &st) || !S_ISREG(st.st_mode) || st.st_mtim.tv_sec > held.st_mtim.tv_sec)
			continue;
		if (!unlink(path))
			og_log(h->ctx, ONNXGATE_LOG_INFO, "%s: left by a run that was killed; removed", path);
	}
	og_dirlist_done(&l);
}

/* ---- fetching --------------------------------------------------------------------------------------- */

og_status og_hub_absent(const og_hub *h, const og_hub_repo *r, const char *path, og_error *err)
{
	if (r->partial) {
		og_fail(err, ONNXGATE_NETWORK, "%s@%s: %s is not among the %zu files of the cached snapshot, and the commit's listing is not cached", r->repo_id,
			r->commit, path, r->nfiles);
		og_error_hint(err, "run it once with the network, without --offline and HF_HUB_OFFLINE");
		return ONNXGATE_NETWORK;
	}
	og_hub_save_absence(h, r->repo_id, r->commit, path);
	return og_fail(err, ONNXGATE_NOT_FOUND, "%s@%s: no file %s among its %zu files", r->repo_id, r->commit, path, r->nfiles);
}

og_status og_hub_not_cached(const og_hub *h, const og_hub_repo *r, const og_hub_file *f, og_error *err)
{
	og_fail(err, ONNXGATE_NETWORK, "%s@%s: %s (%llu bytes) is not in the cache %s", r->repo_id, r->commit, f->path, (unsigned long long)f->size, h->cache);
	og_error_hint(err, "offline: run it once with the network, without --offline and HF_HUB_OFFLINE");
	return ONNXGATE_NETWORK;
}

static og_status damaged(const og_hub_repo *r, const char *entry, const og_hub_file *f, og_error *err)
{
	og_fail(err, ONNXGATE_MISMATCH, "%s@%s: %s: expected the digest %s, found other bytes in %s", r->repo_id, r->commit, f->path, og_hub_etag_of(f), entry);
	og_error_hint(err, "it was changed after it had been downloaded; run it once with the network, and it is fetched anew");
	return ONNXGATE_MISMATCH;
}

static og_status under_lock(og_hub *h, const og_hub_repo *r, const og_hub_file *f, og_arena *arena, og_error *err)
{
	og_auto(og_lock) *held = NULL;
	const char *folder = og_hub_folder(h, arena, r->repo_id), *lock = og_hub_lock_path(h, arena, r->repo_id, og_hub_etag_of(f));
	const char *blobs = folder ? og_arena_printf(arena, "%s/blobs", folder) : NULL;
	const char *blob = blobs ? og_arena_printf(arena, "%s/%s", blobs, og_hub_etag_of(f)) : NULL;
	og_autofree char *lock_dir = lock ? og_path_dir(lock) : NULL;
	bool good;

	if (!blob || !lock_dir)
		return og_fail_nomem(err);
	OG_TRY(og_mkdirs(blobs, err));
	OG_TRY(og_mkdirs(lock_dir, err));
	OG_TRY(og_lock_take(lock, true, h->ctx ? h->ctx->cancel : NULL, &held, err));
	OG_TRY(is_good(h, blob, f, &good, err));
	if (!good) {
		remove_orphans(h, blob, lock);
		OG_TRY(fetch_blob(h, r, f, blob, arena, err));
	}
	return og_hub_link(h, r, f->path, og_hub_etag_of(f), err);
}

og_status og_hub_cached(const og_hub *h, const og_hub_repo *r, const char *path, og_arena *arena, const char **local, og_error *err)
{
	const og_hub_file *f = og_hub_repo_find(r, path);
	const char *folder = og_hub_folder(h, arena, r->repo_id);
	const char *entry = folder ? og_arena_printf(arena, "%s/snapshots/%s/%s", folder, r->commit, path) : NULL;

	if (!entry)
		return og_fail_nomem(err);
	*local = f && has_size(entry, f->size) ? entry : NULL;
	return OG_OK;
}

og_status og_hub_fetch(og_hub *h, const og_hub_repo *r, const char *path, og_arena *arena, const char **local, og_error *err)
{
	const og_hub_file *f = og_hub_repo_find(r, path);
	bool good = true;

	if (!og_path_safe(path))
		return og_fail(err, ONNXGATE_INVALID, "%s: file \"%s\": expected a path inside the repository", r->repo_id, path);
	if (!f)
		return og_hub_absent(h, r, path, err);
	OG_TRY(og_hub_cached(h, r, path, arena, local, err));
	if (*local)
		OG_TRY(still_good(h, *local, f, &good, err));
	if (*local && good)
		return OG_OK;
	if (!good && h->offline)
		return damaged(r, *local, f, err);
	if (h->offline || !og_hub_etag_of(f))
		return og_hub_not_cached(h, r, f, err);
	OG_TRY(og_check_cancel(h->ctx, err));
	OG_TRY(under_lock(h, r, f, arena, err));
	OG_TRY(og_hub_cached(h, r, path, arena, local, err));
	return *local ? OG_OK : og_fail(err, ONNXGATE_IO, "%s: %s vanished from the cache %s", r->repo_id, path, h->cache);
}
