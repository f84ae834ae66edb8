/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of safetensors: whatever it accepts must cover the data exactly and be no larger than the file. What is another format's is
 * for recognise_fuzz.c. */
#include <stdlib.h>
#include <string.h>

#include "format/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_table(const og_reader *r, size_t size)
{
	uint64_t end = r->count ? r->tensors[0].offset : size, bytes = 0;
	for (size_t i = 0; i < r->count; i++) {
		const og_tensor *t = &r->tensors[i];
		must(t->offset == end && t->size <= size - end);
		must(t->rank >= 0 && t->rank <= OG_RANK_MAX && t->name && strlen(t->name) <= OG_NAME_MAX);
		must(og_dtype_bytes(t->dtype, og_tensor_elements(t), &bytes) && bytes == t->size);
		end += t->size;
	}
	must(end == size);
	for (size_t i = 0; i < r->metadata_count; i++)
		must(r->metadata[i].key && r->metadata[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_reader) *r = NULL;
	og_error err = { 0 };
	if (!og_format_safetensors.probe(data, size < 64 ? size : 64, size) || og_source_memory("fuzz", data, size, &s, NULL) != OG_OK)
		return 0;
	if (og_reader_open(s, &r, &err) == OG_OK) {
		(void)og_steal(&s);
		must(r->format == &og_format_safetensors);
		check_table(r, size);
	} else {
		must(err.status == ONNXGATE_FORMAT || err.status == ONNXGATE_UNSUPPORTED || err.status == ONNXGATE_UNSAFE);
		must(err.message[0] && !strchr(err.message, '\n'));
	}
	return 0;
}
