/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache folder, laid out as huggingface_hub lays it out, so that Python finds what we fetched and we what it did:
 *
 *     <cache>/.locks/models--org--name/<etag>.lock
 *     <cache>/models--org--name/blobs/<etag>                   the bytes, named by their digest
 *                               blobs/<etag>.<8 hex>.incomplete   while they arrive
 *                               refs/<revision>                40 bytes: the commit
 *                               snapshots/<commit>/<path>      a relative link to ../../blobs/<etag>
 *                               trees/<commit>.json            what the commit holds, fetched or not
 *                               .no_exist/<commit>/<path>      empty: known to be absent
 *
 * Python's scanner drops a whole repository for one ref without its snapshot or one broken link, so the folder comes
 * before the ref, and nothing temporary is made inside refs/ or snapshots/. */
#include "hub/hub_int.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/file.h"
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* folders below a snapshot that we walk down */

/* ---- names ------------------------------------------------------------------------------------------ */

/* "org/name" as the name of a folder. */
static const char *folder_name(og_arena *a, const char *repo_id)
{
	const char *slash = strchr(repo_id, '/');
	return slash ? og_arena_printf(a, "models--%.*s--%s", (int)(slash - repo_id), repo_id, slash + 1) : og_arena_printf(a, "models--%s", repo_id);
}

char *og_hub_folder(const og_hub *h, og_arena *a, const char *repo_id)
{
	const char *name = folder_name(a, repo_id);
	return name ? og_arena_printf(a, "%s/%s", h->cache, name) : NULL;
}

char *og_hub_lock_path(const og_hub *h, og_arena *a, const char *repo_id, const char *etag)
{
	const char *name = folder_name(a, repo_id);
	return name ? og_arena_printf(a, "%s/.locks/%s/%s.lock", h->cache, name, etag) : NULL;
}

static og_status make_parent(const char *path, og_error *err)
{
	og_autofree char *dir = og_path_dir(path);
	return dir ? og_mkdirs(dir, err) : og_fail_nomem(err);
}

/* ---- refs ------------------------------------------------------------------------------------------- */

static bool read_ref(const char *path, char commit[OG_COMMIT_HEX])
{
	og_auto_buf b = { 0 };
	const char *text;

	og_buf_init(&b, 256);
	if (og_file_read(path, 256, &b, NULL) != OG_OK || !(text = og_buf_cstr(&b)))
		return false;
	b.p[strcspn(text, " \t\r\n")] = '\0'; /* written by hand, it may end in a newline */
	if (!og_is_hex(text, 40))
		return false;
	memcpy(commit, text, OG_COMMIT_HEX);
	return true;
}

bool og_hub_commit_of(const og_hub *h, const char *repo_id, const char *revision, char commit[OG_COMMIT_HEX])
{
	og_auto(og_arena) *a = og_arena_new();
	const char *folder = a ? og_hub_folder(h, a, repo_id) : NULL;
	const char *path = folder ? og_arena_printf(a, "%s/refs/%s", folder, revision) : NULL;

	if (og_is_hex(revision, 40)) {
		memcpy(commit, revision, OG_COMMIT_HEX);
		return true;
	}
	return path && read_ref(path, commit);
}

/* Written in the repository's folder and renamed into refs/: whatever stands in refs/ counts as a ref. */
static og_status write_ref(og_arena *a, const char *folder, const og_hub_repo *r, og_error *err)
{
	og_auto(og_tmpfile) *t = NULL;
	char old[OG_COMMIT_HEX];
	const char *path = og_arena_printf(a, "%s/refs/%s", folder, r->revision), *draft = og_arena_printf(a, "%s/ref", folder);

	if (!path || !draft)
		return og_fail_nomem(err);
	if (read_ref(path, old) && og_streq(old, r->commit))
		return OG_OK;
	OG_TRY(make_parent(path, err));
	OG_TRY(og_tmpfile_open(draft, NULL, &t, err));
	OG_TRY(og_write_all(og_tmpfile_fd(t), r->commit, OG_COMMIT_HEX - 1, og_tmpfile_path(t), err));
	if (fsync(og_tmpfile_fd(t)))
		return og_fail_errno(err, errno, "sync", og_tmpfile_path(t));
	return og_rename(og_tmpfile_path(t), path, err);
}

/* ---- trees/<commit>.json ---------------------------------------------------------------------------- */

static void write_string(og_buf *b, const char *s)
{
	og_buf_byte(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			og_buf_byte(b, '\\');
		og_buf_byte(b, (uint8_t)*s); /* control bytes and broken UTF-8 did not pass og_path_safe() */
	}
	og_buf_byte(b, '"');
}

static og_status write_tree(const char *path, const og_hub_repo *r, og_error *err)
{
	og_auto_buf b = { 0 };

	og_buf_init(&b, OG_JSON_BYTES_MAX);
	og_buf_str(&b, "{\n \"files\": {");
	for (size_t i = 0; i < r->nfiles; i++) {
		const og_hub_file *f = &r->files[i];
		og_buf_str(&b, i ? ",\n  " : "\n  ");
		write_string(&b, f->path);
		og_buf_printf(&b, ": {\n   \"blob_id\": \"%s\",", f->blob_id);
		if (f->sha256)
			og_buf_printf(&b, "\n   \"lfs_sha256\": \"%s\",\n   \"lfs_size\": %llu,", f->sha256, (unsigned long long)f->size);
		og_buf_printf(&b, "\n   \"size\": %llu\n  }", (unsigned long long)f->size);
	}
	og_buf_str(&b, r->nfiles ? "\n },\n \"format_version\": 1\n}" : "},\n \"format_version\": 1\n}");
	OG_TRY(og_buf_check(&b, path, err));
	OG_TRY(make_parent(path, err));
	return og_file_write(path, b.p, b.n, err);
}

static og_status read_entry(const char *path, const og_json *row, og_arena *a, og_hub_file *f, og_error *err)
{
	const char *blob = og_json_str(row, "blob_id", NULL), *sha256 = og_json_str(row, "lfs_sha256", NULL);
	int64_t size = og_json_i64(row, "lfs_size", og_json_i64(row, "size", -1));

	if (size < 0 || !blob)
		return og_fail(err, ONNXGATE_FORMAT, "%s: no size or digest", path);
	*f = (og_hub_file){ og_arena_strdup(a, path), (uint64_t)size, og_arena_strdup(a, blob), og_arena_strdup(a, sha256) };
	return f->path && f->blob_id && (f->sha256 || !sha256) ? OG_OK : og_fail_nomem(err);
}

static og_status read_entries(const char *path, og_hub_repo *r, og_arena *a, og_error *err)
{
	og_auto(og_json) *doc = NULL;

	OG_TRY(og_json_read(path, OG_JSON_BYTES_MAX, &doc, err));
	og_json *files = og_json_get(doc, "files");
	if (og_json_i64(doc, "format_version", 0) != 1 || !json_object_is_type(files, json_type_object))
		return og_fail(err, ONNXGATE_FORMAT, "%s: not format version 1", path);
	size_t n = (size_t)json_object_object_length(files), i = 0;
	if (n > OG_HUB_FILES_MAX)
		return og_fail(err, ONNXGATE_FORMAT, "%s: more than %d files", path, OG_HUB_FILES_MAX);
	og_hub_file *list = og_arena_array(a, n + 1, sizeof(*list));
	if (!list)
		return og_fail_nomem(err);
	json_object_object_foreach(files, name, row)
	{
		OG_TRY(read_entry(name, row, a, &list[i++], err));
	}
	OG_TRY(og_hub_check_files(path, list, n, err));
	r->files = list;
	r->nfiles = n;
	return OG_OK;
}

og_status og_hub_read_tree(const og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	const char *folder = og_hub_folder(h, arena, r->repo_id);
	const char *path = folder ? og_arena_printf(arena, "%s/trees/%s.json", folder, r->commit) : NULL;
	og_error why = { 0 };

	if (!path)
		return og_fail_nomem(err);
	og_status s = read_entries(path, r, arena, &why);
	if (s == OG_OK || s == ONNXGATE_NOMEM)
		return s == OG_OK ? s : og_fail_nomem(err);
	if (s != ONNXGATE_NOT_FOUND) /* as huggingface_hub: what cannot be read is not there */
		og_log(h->ctx, ONNXGATE_LOG_DEBUG, "%s; ignored", why.message);
	return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no usable listing", path);
}

/* ---- snapshots -------------------------------------------------------------------------------------- */

typedef struct walk {
	const char *top;
	og_arena *arena;
	og_hub_repo *repo;
	size_t cap;
} walk;

/* A link tells the blob's name, which is its digest; a copied file (no links on that disk) tells only its size. */
static og_status add_file(walk *w, const char *full, const char *path, const struct stat *st, og_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlink(full, target, sizeof(target) - 1);
	og_hub_file f = { .path = path, .size = (uint64_t)st->st_size };

	target[n < 0 ? 0 : n] = '\0';
	const char *etag = og_path_base(target);
	if (og_is_hex(etag, 64))
		f.sha256 = og_arena_strdup(w->arena, etag);
	else if (og_is_hex(etag, 40))
		f.blob_id = og_arena_strdup(w->arena, etag);
	if (!og_arena_grow(w->arena, &w->repo->files, &w->cap, w->repo->nfiles + 1, sizeof(f)))
		return og_fail_nomem(err);
	w->repo->files[w->repo->nfiles++] = f;
	return OG_OK;
}

static og_status walk_folder(walk *w, const char *below, int depth, og_error *err)
{
	const char *dir = below[0] ? og_arena_printf(w->arena, "%s/%s", w->top, below) : w->top;
	og_dirlist l = { 0 };
	og_status s = dir ? og_dir_list(dir, &l, err) : og_fail_nomem(err);

	for (size_t i = 0; s == OG_OK && i < l.n; i++) {
		struct stat link, st;
		const char *path = below[0] ? og_arena_printf(w->arena, "%s/%s", below, l.names[i]) : og_arena_strdup(w->arena, l.names[i]);
		const char *full = path ? og_arena_printf(w->arena, "%s/%s", w->top, path) : NULL;
		if (!full)
			s = og_fail_nomem(err);
		else if (lstat(full, &link) || stat(full, &st)) /* vanished, or a link to nothing: not there for us */
			continue;
		else if (S_ISDIR(link.st_mode) && depth < DEPTH_MAX)
			s = walk_folder(w, path, depth + 1, err);
		else if (S_ISREG(st.st_mode) && og_path_safe(path))
			s = add_file(w, full, path, &st, err);
	}
	og_dirlist_done(&l);
	return s;
}

og_status og_hub_read_snapshot(const og_hub *h, og_hub_repo *r, og_arena *arena, og_error *err)
{
	const char *folder = og_hub_folder(h, arena, r->repo_id);
	walk w = { .top = folder ? og_arena_printf(arena, "%s/snapshots/%s", folder, r->commit) : NULL, .arena = arena, .repo = r };

	if (!w.top)
		return og_fail_nomem(err);
	OG_TRY(walk_folder(&w, "", 0, err));
	r->partial = true;
	return og_hub_check_files(w.top, r->files, r->nfiles, err);
}

/* May we write there? Asked of the nearest folder that exists. */
static bool writable(og_arena *a, const char *path)
{
	char *p = og_arena_strdup(a, path);

	while (p && access(p, F_OK) && errno == ENOENT) {
		char *slash = strrchr(p, '/');
		if (!slash)
			return !access(".", W_OK | X_OK);
		slash[slash == p] = '\0';
	}
	return p && !access(p, W_OK | X_OK);
}

og_status og_hub_save_listing(const og_hub *h, const og_hub_repo *r, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	const char *folder = a ? og_hub_folder(h, a, r->repo_id) : NULL;
	const char *snapshot = folder ? og_arena_printf(a, "%s/snapshots/%s", folder, r->commit) : NULL;
	const char *tree = snapshot ? og_arena_printf(a, "%s/trees/%s.json", folder, r->commit) : NULL;
	og_auto(og_arena) *old_arena = og_arena_new();
	og_hub_repo old = { .repo_id = r->repo_id, .commit = r->commit };

	if (!tree || !old_arena)
		return og_fail_nomem(err);
	if (!writable(a, folder)) {
		og_log(h->ctx, ONNXGATE_LOG_WARN, "%s: may not be written; the listing of %s is not kept", folder, r->repo_id);
		return OG_OK;
	}
	OG_TRY(og_mkdirs(snapshot, err));
	if (og_hub_read_tree(h, &old, old_arena, NULL) != OG_OK) /* of a commit: what stands there cannot be outdated */
		OG_TRY(write_tree(tree, r, err));
	return og_streq(r->revision, r->commit) ? OG_OK : write_ref(a, folder, r, err);
}

void og_hub_save_absence(const og_hub *h, const char *repo_id, const char *commit, const char *path)
{
	og_auto(og_arena) *a = og_arena_new();
	const char *folder = a ? og_hub_folder(h, a, repo_id) : NULL;
	const char *mark = folder && og_path_safe(path) ? og_arena_printf(a, "%s/.no_exist/%s/%s", folder, commit, path) : NULL;

	/* A service to Python's clients, which look there: when it does not work, nothing is lost. */
	if (mark && !og_file_exists(mark) && writable(a, folder) && make_parent(mark, NULL) == OG_OK && og_file_write(mark, "", 0, NULL) != OG_OK)
		og_log(h->ctx, ONNXGATE_LOG_DEBUG, "%s: not written", mark);
}

/* ---- links ------------------------------------------------------------------------------------------ */

og_status og_hub_link(const og_hub *h, const og_hub_repo *r, const char *path, const char *etag, og_error *err)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto_buf target = { 0 };
	const char *folder = a ? og_hub_folder(h, a, r->repo_id) : NULL;
	const char *entry = folder ? og_arena_printf(a, "%s/snapshots/%s/%s", folder, r->commit, path) : NULL;
	const char *blob = folder ? og_arena_printf(a, "%s/blobs/%s", folder, etag) : NULL;
	const char *draft = folder ? og_arena_printf(a, "%s/.link.%x-%llx.tmp", folder, (unsigned)getpid(), (unsigned long long)(og_now_ms() * 1e6)) : NULL;

	og_buf_init(&target, PATH_MAX);
	og_buf_str(&target, "../../");
	for (const char *p = path; (p = strchr(p, '/')); p++)
		og_buf_str(&target, "../");
	og_buf_printf(&target, "blobs/%s", etag);
	if (!entry || !blob || !draft || !og_buf_cstr(&target))
		return og_fail_nomem(err);
	OG_TRY(make_parent(entry, err));
	if (!symlink(og_buf_cstr(&target), entry)) /* the usual case: nothing stands there, no draft is needed */
		return OG_OK;
	if (errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP) /* a disk without links: the snapshot holds the file itself, as Python does it */
		return og_file_copy(blob, entry, err);
	if (errno != EEXIST)
		return og_fail_errno(err, errno, "link", entry);
	if (symlink(og_buf_cstr(&target), draft))
		return og_fail_errno(err, errno, "link", draft);
	og_status s = og_rename(draft, entry, err);
	if (s != OG_OK)
		unlink(draft);
	return s;
}
