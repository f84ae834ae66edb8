/* SPDX-License-Identifier: Apache-2.0
 *
 * What a measurement was taken on. A figure without its machine says nothing. */
#include "bench/bench.h"

#include "base/file.h"
#include "base/pool.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define CPUINFO_MAX (4u << 20) /* 1,024 cores have about 1.5 MB */

/* The value of the first "key : value" line, in the arena; NULL: none. */
static const char *first_value(const char *text, const char *key, og_arena *arena)
{
	const char *at = text;

	while (at) {
		size_t n = strlen(key);
		if (strncmp(at, key, n) == 0) {
			const char *v = at + n + strspn(at + n, " \t");
			if (*v == ':') {
				v += 1 + strspn(v + 1, " \t");
				return og_arena_strndup(arena, v, strcspn(v, "\n"));
			}
		}
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return NULL;
}

/* x86 says "model name"; arm64 says nothing of the kind, there the part number and the architecture must do. */
static const char *cpu_name(const struct utsname *u, og_arena *arena)
{
	og_auto_buf b;
	const char *text, *name = NULL, *part;

	og_buf_init(&b, CPUINFO_MAX);
	if (og_file_read("/proc/cpuinfo", CPUINFO_MAX, &b, NULL) == OG_OK) {
		text = og_buf_cstr(&b);
		name = text ? first_value(text, "model name", arena) : NULL;
		part = text && !name ? first_value(text, "CPU part", arena) : NULL;
		if (part)
			name = og_arena_printf(arena, "%s part %s", u->machine, part);
	}
	return name ? name : og_arena_strdup(arena, u->machine);
}

og_status og_bench_host(og_arena *arena, onnxgate_pair **out, size_t *n, og_error *err)
{
	onnxgate_pair *p = og_arena_array(arena, 4, sizeof(*p));
	struct utsname u;
	struct sysinfo m;

	if (!p)
		return og_fail_nomem(err);
	if (uname(&u) != 0)
		memset(&u, 0, sizeof(u));
	p[0] = (onnxgate_pair){ "cpu", cpu_name(&u, arena) };
	p[1] = (onnxgate_pair){ "cores", og_arena_printf(arena, "%d", og_cpu_count()) };
	p[2] = (onnxgate_pair){ "memory", sysinfo(&m) == 0 ? og_arena_printf(arena, "%.1f GiB", (double)m.totalram * m.mem_unit / (1 << 30)) : "unknown" };
	p[3] = (onnxgate_pair){ "kernel", og_arena_printf(arena, "%s %s %s", u.sysname, u.release, u.machine) };
	for (size_t i = 0; i < 4; i++)
		if (!p[i].value)
			return og_fail_nomem(err);
	*out = p;
	*n = 4;
	return OG_OK;
}
