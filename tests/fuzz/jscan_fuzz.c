/* SPDX-License-Identifier: Apache-2.0
 *
 * The pull scanner, over a source and over memory: both must give the same tokens, offsets and fault.
 * The first byte chooses the ceilings, so that they are met. */
#include <stdlib.h>

#include "base/alloc.h"
#include "codec/jscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_jscan) *a = NULL, *b = NULL;
	if (!size)
		return 0;
	size_t string_max = data[0] & 1 ? 8 : 4096;
	int depth_max = data[0] & 2 ? 3 : 64;
	if (og_source_memory("fuzz", data, size, &s, NULL) != OG_OK || og_jscan_open(s, 1, size - 1, string_max, depth_max, &a, NULL) != OG_OK ||
		og_jscan_open_memory("fuzz", data + 1, size - 1, string_max, depth_max, false, &b, NULL) != OG_OK)
		return 0;
	for (og_jtoken t = OG_J_NULL; t != OG_J_END && t != OG_J_ERROR;) {
		t = og_jscan_next(a);
		must(t == og_jscan_next(b));
		must(og_str_eq(og_jscan_text(a), og_jscan_text(b)));
		must(t == OG_J_ERROR || og_jscan_at(a) == og_jscan_at(b) + 1);
		must(og_jscan_text(a).n <= string_max || t == OG_J_NUMBER || t == OG_J_TRUE || t == OG_J_FALSE || t == OG_J_NULL || t == OG_J_ERROR);
	}
	og_error x = { 0 }, y = { 0 };
	must(og_jscan_check(a, &x) == og_jscan_check(b, &y));
	must(x.status == OG_OK || (x.offset == y.offset + 1 && x.offset <= size));
	return 0;
}
