/* SPDX-License-Identifier: Apache-2.0
 *
 * Links resolved, as the kernel would follow them. */
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

og_status og_path_real(const char *path, char **out, og_error *err)
{
	char resolved[PATH_MAX];

	if (!realpath(path, resolved)) {
		int e = errno;

		if (e == ENOENT || e == ENOTDIR)
			return og_fail(err, ONNXGATE_NOT_FOUND, "%s: no such file", path);
		return og_fail_errno(err, e, "resolve", path);
	}
	*out = og_strdup(resolved);
	return *out ? OG_OK : og_fail_nomem(err);
}
