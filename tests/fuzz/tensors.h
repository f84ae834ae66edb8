/* SPDX-License-Identifier: Apache-2.0
 *
 * What must hold of the tensors that any reader gives, whatever it was fed. */
#ifndef TESTS_FUZZ_TENSORS_H
#define TESTS_FUZZ_TENSORS_H

#include <stdlib.h>
#include <string.h>

#include "format/format.h"

#define READ_MAX 512 /* elements of each tensor that are read */

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

static inline void check_tensor(const og_tensor *t)
{
	uint64_t bytes = 0, span = 0, n = og_tensor_elements(t);
	uint8_t out[READ_MAX * 16];
	must(t->rank >= 0 && t->rank <= OG_RANK_MAX && t->name && strlen(t->name) <= OG_NAME_MAX);
	must(og_dtype_bytes(t->dtype, n, &bytes) && bytes == t->size);
	must(og_tensor_span(t, &span));
	must(!t->size || (t->offset <= t->source->size && span <= t->source->size - t->offset));
	uint64_t some = n < READ_MAX ? n : READ_MAX;
	must(og_tensor_read(t, 0, some, out, NULL) == OG_OK);
	must(og_tensor_read(t, n - some, some, out, NULL) == OG_OK); /* its end */
}

static inline void check_reader(const og_reader *r)
{
	must(r->count > 0);
	for (size_t i = 0; i < r->count; i++) {
		check_tensor(&r->tensors[i]);
		for (size_t k = i + 1; k < r->count && k < i + 4; k++)
			must(strcmp(r->tensors[i].name, r->tensors[k].name) != 0);
	}
	for (size_t i = 0; i < r->note_count; i++)
		must(!strchr(r->notes[i], '\n'));
}

static inline void check_refusal(const og_error *e)
{
	must(e->status == ONNXGATE_FORMAT || e->status == ONNXGATE_UNSUPPORTED || e->status == ONNXGATE_UNSAFE || e->status == ONNXGATE_MISMATCH);
	must(e->message[0] && !strchr(e->message, '\n'));
}

#endif
