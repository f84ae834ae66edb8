/* SPDX-License-Identifier: Apache-2.0
 *
 * Dims as formulas, which anybody may write into a file: whatever the text, a value within limits or none, and the same in brackets. */
#include "base/str.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const og_binding bindings[] = { { "s", 400 }, { "past_sequence_length", 5 }, { "a + b", 7 }, { "zero", 0 } };
	char text[TEXT_MAX], again[TEXT_MAX + 8];
	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	int64_t v = og_formula_value(text, bindings, OG_COUNT(bindings));
	must(v >= -1 && v <= OG_DIM_MAX);
	/* A symbol that looks like a formula is one only as the whole text. */
	if (v < 0 || og_binding_of(bindings, OG_COUNT(bindings), og_str_of(text)) >= 0)
		return 0;
	snprintf(again, sizeof(again), "(%s)", text);
	int64_t w = og_formula_value(again, bindings, OG_COUNT(bindings));
	must(w == v || w == -1); /* -1: too deep now */
	return 0;
}
