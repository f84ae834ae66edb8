/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an ONNX Runtime may be: what was asked for, $ONNXGATE_ORT_LIBRARY, runtime/ beside this program, the
 * linker's path, and the folders into which pip puts packages (looked at as files: no Python is started).
 * A library that was named and does not load is an error; one that was only found is passed over. */
#include "helper/ort.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIED_MAX 600 /* bytes of the message for the places and reasons; an error's text ends at 767 */

typedef struct search {
	og_ort *ort;
	char tried[TRIED_MAX];
	bool nomem;
} search;

static void note(search *s, const char *what)
{
	size_t at = strlen(s->tried), n = strlen(what);

	if (at + n + 3 > sizeof(s->tried))
		return;
	if (at) {
		memcpy(s->tried + at, ", ", 2);
		at += 2;
	}
	memcpy(s->tried + at, what, n + 1);
}

/* True: loaded. A reason why a file that is there does not serve is noted. */
static bool try_load(search *s, const char *path)
{
	og_error err = { 0 };

	if (og_ort_load(s->ort, path, &err) == OG_OK)
		return true;
	og_ort_done(s->ort);
	s->nomem |= err.status == ONNXGATE_NOMEM;
	note(s, err.message);
	return false;
}

static bool is_library_name(const char *name)
{
	const char prefix[] = "libonnxruntime.so";

	return og_starts_with(name, prefix) && (name[sizeof(prefix) - 1] == '\0' || name[sizeof(prefix) - 1] == '.');
}

/* The libraries in one folder, the newest version first. */
static bool try_folder(search *s, const char *dir)
{
	og_dirlist l = { 0 };
	bool found = false;

	if (!og_dir_exists(dir) || og_dir_list(dir, &l, NULL) != OG_OK)
		return false;
	for (;;) {
		size_t best = l.n;
		for (size_t i = 0; i < l.n; i++)
			if (is_library_name(l.names[i]) && (best == l.n || strverscmp(l.names[i], l.names[best]) > 0))
				best = i;
		if (best == l.n)
			break;
		og_autofree char *path = og_path_join(dir, l.names[best]);
		s->nomem |= !path;
		if (path && try_load(s, path)) {
			found = true;
			break;
		}
		l.names[best][0] = '\0'; /* done with this one */
	}
	og_dirlist_done(&l);
	return found;
}

/* PREFIX/lib/python3…/{site,dist}-packages/onnxruntime/capi/ */
static bool try_pip(search *s, const char *prefix, const char *lib)
{
	static const char *const folders[] = { "site-packages/onnxruntime/capi", "dist-packages/onnxruntime/capi" };
	og_autofree char *root = og_path_join(prefix, lib);
	og_dirlist l = { 0 };
	bool found = false;

	if (!root || !og_dir_exists(root) || og_dir_list(root, &l, NULL) != OG_OK)
		return false;
	for (size_t i = l.n; i > 0 && !found; i--) {
		if (!og_starts_with(l.names[i - 1], "python3"))
			continue;
		for (size_t k = 0; k < OG_COUNT(folders) && !found; k++) {
			og_autofree char *dir = og_path_join3(root, l.names[i - 1], folders[k]);
			s->nomem |= !dir;
			found = dir && try_folder(s, dir);
		}
	}
	og_dirlist_done(&l);
	return found;
}

static bool try_all_pip(search *s)
{
	const char *venv = getenv("VIRTUAL_ENV"), *home = getenv("HOME");
	og_autofree char *local = home && home[0] ? og_path_join(home, ".local") : NULL;
	const char *prefixes[] = { venv && venv[0] ? venv : NULL, local, "/usr/local", "/usr" };
	static const char *const libs[] = { "lib", "lib64" };

	for (size_t i = 0; i < OG_COUNT(prefixes); i++)
		for (size_t k = 0; k < OG_COUNT(libs); k++)
			if (prefixes[i] && try_pip(s, prefixes[i], libs[k]))
				return true;
	note(s, venv && venv[0] ? "pip's onnxruntime/capi/ under $VIRTUAL_ENV, ~/.local, /usr/local and /usr"
	                        : "pip's onnxruntime/capi/ under ~/.local, /usr/local and /usr ($VIRTUAL_ENV is not set)");
	return false;
}

static bool try_beside(search *s)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	og_autofree char *dir = og_path_dir(self);
	og_autofree char *runtime = dir ? og_path_join(dir, "runtime") : NULL;
	if (!runtime) {
		s->nomem = true;
		return false;
	}
	if (try_folder(s, runtime))
		return true;
	note(s, runtime);
	return false;
}

static og_status load_named(og_ort *o, const char *path, const char *origin, og_error *err)
{
	og_status st = og_ort_load(o, path, err);

	if (st == OG_OK)
		return OG_OK;
	og_error_prefix(err, "%s", origin);
	og_error_hint(err, "name a libonnxruntime.so of version 1.17 or newer there, or leave it out");
	return st;
}

og_status og_ort_find(og_ort *o, const char *asked, og_error *err)
{
	const char *env = getenv("ONNXGATE_ORT_LIBRARY");
	search s = { .ort = o };

	if (asked[0])
		return load_named(o, asked, "runtime library", err);
	if (env && env[0])
		return load_named(o, env, "ONNXGATE_ORT_LIBRARY", err);
	if (try_beside(&s) || try_load(&s, "libonnxruntime.so.1") || try_load(&s, "libonnxruntime.so") || try_all_pip(&s))
		return OG_OK;
	if (s.nomem)
		return og_fail_nomem(err);
	og_status st = og_fail(err, ONNXGATE_UNSUPPORTED, "no ONNX Runtime library found; tried $ONNXGATE_ORT_LIBRARY (not set), %s", s.tried);
	og_error_hint(err, "pip install onnxruntime, or put libonnxruntime.so (1.17 or newer) into runtime/ beside onnxgate-runtime, "
	                   "or name it in ONNXGATE_ORT_LIBRARY");
	return st;
}
