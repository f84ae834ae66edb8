/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files: text only, the disk is not looked at (but for the working folder). */
#include "base/path.h"

#include "base/limits.h"
#include "base/str.h"

#include <stdlib.h>
#include <unistd.h>

char *og_path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir), k = strlen(name);
	char *p;
	if (name[0] == '/' || !n)
		return og_strdup(name);
	if (!k)
		return og_strdup(dir);
	p = og_alloc(n + k + 2);
	if (!p)
		return NULL;
	memcpy(p, dir, n);
	if (p[n - 1] != '/')
		p[n++] = '/';
	memcpy(p + n, name, k);
	return p;
}

char *og_path_join3(const char *a, const char *b, const char *c)
{
	og_autofree char *ab = og_path_join(a, b);
	return ab ? og_path_join(ab, c) : NULL;
}

char *og_path_dir(const char *path)
{
	size_t n = strlen(path);
	char *p;
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (!n)
		return og_strdup(".");
	p = og_alloc(n + 1);
	if (p)
		memcpy(p, path, n);
	return p;
}

const char *og_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* "." segments and repeated slashes go; ".." stays: before it there may be a link. */
static void tidy(char *path)
{
	char *out = path, *p = path;
	while (*p) {
		size_t n;
		while (*p == '/')
			p++;
		n = strcspn(p, "/");
		if (n && !(n == 1 && *p == '.')) {
			*out++ = '/';
			memmove(out, p, n);
			out += n;
		}
		p += n;
	}
	if (out == path)
		*out++ = '/';
	*out = 0;
}

char *og_path_absolute(const char *path)
{
	char *cwd = NULL, *p;
	if (path[0] == '/') {
		p = og_strdup(path);
	} else {
		cwd = getcwd(NULL, 0);
		p = cwd ? og_path_join(cwd, path) : NULL;
		free(cwd);
	}
	if (p)
		tidy(p);
	return p;
}

bool og_path_safe(const char *name)
{
	size_t n = strlen(name), at = 0;
	if (!n || n > OG_NAME_MAX || !og_utf8_valid((const uint8_t *)name, n))
		return false;
	if (name[1] == ':' && ((name[0] | 32) >= 'a' && (name[0] | 32) <= 'z'))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\')
			return false;
	for (;;) {
		const char *s = name + at;
		size_t len = strcspn(s, "/");
		if (!len || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		at += len;
		if (at == n)
			return true;
		at++; /* the slash; at the very end the next segment is empty */
	}
}
