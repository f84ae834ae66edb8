/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole file of PyTorch's legacy form; one that does not begin with its magic number gets it, with the version, in front. */
#include "base/buf.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char head[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_source *s = NULL;
	og_auto_buf b;
	og_buf_init(&b, SIZE_MAX / 2);
	if (size < 15 || memcmp(data, head, 15) != 0)
		og_buf_add(&b, head, sizeof(head) - 1);
	og_buf_add(&b, data, size);
	if (!b.failed && og_source_memory("fuzz", b.p, b.n, &s, NULL) == OG_OK)
		open_and_check(s);
	return 0;
}
