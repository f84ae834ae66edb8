/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads every element of every tensor of a weights file, a megabyte at a time: what the reading itself costs.
 * read_tensors FILE prints "TENSORS tensors, BYTES bytes". */
#include <inttypes.h>
#include <stdio.h>

#include "model/checkpoint.h"

#define PIECE ((uint64_t)1 << 20)

static og_status read_all(const og_checkpoint *c, uint64_t *bytes, og_error *err)
{
	og_autofree uint8_t *buf = og_alloc(PIECE);
	const og_tensor *t;
	if (!buf)
		return og_fail_nomem(err);
	for (size_t i = 0; (t = og_checkpoint_next(c, &i));) {
		uint64_t step = PIECE * 8 / og_dtype_bits(t->dtype), n = og_tensor_elements(t);
		for (uint64_t first = 0; first < n; first += step)
			OG_TRY(og_tensor_read(t, first, n - first < step ? n - first : step, buf, err));
		*bytes += t->size;
	}
	return OG_OK;
}

int main(int argc, char **argv)
{
	og_auto(og_checkpoint) *c = NULL;
	og_error err = { 0 };
	uint64_t bytes = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: read_tensors FILE\n");
		return 2;
	}
	og_status s = og_checkpoint_open_file(argv[1], &c, &err);
	if (s == OG_OK)
		s = read_all(c, &bytes, &err);
	if (s != OG_OK) {
		fprintf(stderr, "%s\n", err.message);
		return og_exit_code(s);
	}
	printf("%zu tensors, %" PRIu64 " bytes\n", og_checkpoint_count(c), bytes);
	return 0;
}
