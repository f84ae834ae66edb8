/* SPDX-License-Identifier: Apache-2.0
 *
 * The hunt for threats takes any bytes: it never fails for what they hold, and every row is one line of text. */
#include <stdlib.h>
#include <string.h>

#include "format/threats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *arena = og_arena_new();
	og_threat *rows = NULL;
	size_t n = 0;
	if (!arena || og_source_memory("fuzz", data, size, &s, NULL) != OG_OK)
		return 0;
	must(og_threats_list(s, arena, &rows, &n, NULL) == OG_OK);
	for (size_t i = 0; i < n; i++) {
		must(rows[i].kind && rows[i].kind[0] && rows[i].where && rows[i].text && !strchr(rows[i].text, '\n'));
		must(rows[i].where[0] || rows[i].offset <= size);
	}
	return 0;
}
