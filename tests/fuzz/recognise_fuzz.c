/* SPDX-License-Identifier: Apache-2.0
 *
 * Any file: it is read, or what it is is said in one line. */
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_source *s = NULL;
	if (og_source_memory("fuzz", data, size, &s, NULL) == OG_OK)
		open_and_check(s);
	return 0;
}
