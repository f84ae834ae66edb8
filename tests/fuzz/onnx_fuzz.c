/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an ONNX file: read, and all of the structure level over what was read.  It must end, within its
 * memory, and say the same twice. */
#include "check/structure.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(og_source *s, og_arena *a, og_checks *c)
{
	og_error err = { 0 };

	og_checks_init(c, a);
	if (og_check_structure_source(s, "/nonexistent", NULL, c, &err) != OG_OK || c->count == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_checks first, second;

	if (!a || og_source_memory("fuzz.onnx", data, size, &s, NULL) != OG_OK)
		return 0;
	check(s, a, &first);
	check(s, a, &second);
	if (first.count != second.count)
		abort();
	for (size_t i = 0; i < first.count; i++) {
		if (first.rows[i].status != second.rows[i].status || strcmp(first.rows[i].detail, second.rows[i].detail) != 0)
			abort();
	}
	return 0;
}
