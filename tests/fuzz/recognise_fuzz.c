/* SPDX-License-Identifier: Apache-2.0
 *
 * Any file: it is read, or named in one line with what to do. */
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_reader) *r = NULL;
	og_error err = { 0 };
	if (og_source_memory("fuzz", data, size, &s, NULL) != OG_OK)
		return 0;
	if (og_reader_open(s, &r, &err) == OG_OK) {
		(void)og_steal(&s);
		for (size_t i = 0; i < r->count; i++)
			check_tensor(&r->tensors[i]);
	} else {
		check_refusal(&err);
		must(err.status != ONNXGATE_UNSUPPORTED || err.hint[0] || strchr(err.message, ':'));
	}
	return 0;
}
