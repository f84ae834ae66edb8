/* SPDX-License-Identifier: Apache-2.0
 *
 * The hunt for threats takes any bytes: it never fails for what they hold, every row is one line of true text, and it says the same twice. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "format/threats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_line(const char *s)
{
	return s && !strpbrk(s, "\n\r") && og_utf8_valid((const uint8_t *)s, strlen(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_threat *rows = NULL, *again = NULL;
	const char *kind = NULL, *what = NULL;
	size_t n = 0, m = 0;
	if (!arena || og_source_memory("fuzz", data, size, &s, NULL) != OG_OK)
		return 0;
	must(og_threats_list(s, arena, &rows, &n, NULL) == OG_OK && og_threats_list(s, arena, &again, &m, NULL) == OG_OK && n == m);
	for (size_t i = 0; i < n; i++) {
		must(rows[i].kind && rows[i].kind[0] && is_line(rows[i].where) && is_line(rows[i].text));
		must(rows[i].where[0] || rows[i].offset <= size);
		must(rows[i].danger == again[i].danger && rows[i].offset == again[i].offset && !strcmp(rows[i].text, again[i].text));
	}
	if (og_threats_in_text((og_str){ (const char *)data, size }, arena, &kind, &what))
		must(kind && kind[0] && is_line(what));
	return 0;
}
