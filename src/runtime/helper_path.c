/* SPDX-License-Identifier: Apache-2.0
 *
 * Where onnxgate-runtime is: as asked, $ONNXGATE_RUNTIME_HELPER, beside the shared library that holds this code (and in
 * the bin/ that belongs to its lib/), beside the program. */
#include "runtime/runtime_int.h"

#include "base/path.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRAM "onnxgate-runtime"

static char *if_program(char *path)
{
	if (path && access(path, X_OK) == 0)
		return path;
	og_free(path);
	return NULL;
}

/* Beside the file that holds this function: the library, or a program that it is linked into. */
static char *beside_library(void)
{
	static const char *const places[] = { PROGRAM, "../bin/" PROGRAM, "../../bin/" PROGRAM };
	Dl_info info;
	void *here;
	char *(*self)(const char *, og_error *) = og_runtime_helper;
	char *found = NULL;

	memcpy(&here, &self, sizeof(here));
	if (!dladdr(here, &info) || !info.dli_fname || !strchr(info.dli_fname, '/'))
		return NULL;
	og_autofree char *dir = og_path_dir(info.dli_fname);
	for (size_t i = 0; dir && i < OG_COUNT(places) && !found; i++)
		found = if_program(og_path_join(dir, places[i]));
	return found;
}

static char *beside_program(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	og_autofree char *dir = og_path_dir(self);
	return dir ? if_program(og_path_join(dir, PROGRAM)) : NULL;
}

char *og_runtime_helper(const char *asked, og_error *err)
{
	const char *env = getenv("ONNXGATE_RUNTIME_HELPER"), *named = asked ? asked : env && env[0] ? env : NULL;
	char *path;

	if (named) {
		path = if_program(og_strdup(named));
		if (!path) {
			(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: %s is not a program that can be started", asked ? "runtime helper" : "ONNXGATE_RUNTIME_HELPER",
			              named);
			og_error_hint(err, "name the " PROGRAM " that belongs to this release");
		}
		return path;
	}
	path = beside_library();
	if (!path)
		path = beside_program();
	if (!path) {
		(void)og_fail(err, ONNXGATE_UNSUPPORTED, PROGRAM " not found; tried $ONNXGATE_RUNTIME_HELPER (not set), beside the library, beside the program");
		og_error_hint(err, "put " PROGRAM " beside the library, or name it in ONNXGATE_RUNTIME_HELPER");
	}
	return path;
}
