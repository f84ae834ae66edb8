/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes through the protobuf field reader; what was read is written again, and reads the same. */
#include "base/alloc.h"
#include "base/limits.h"
#include "codec/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUND_MAX = 1 << 20 };

static void write_again(og_buf *b, const og_field_in *f)
{
	if (f->type == OG_WIRE_LEN) {
		og_wire_put_bytes(b, f->number, f->bytes.p, f->bytes.n);
	} else if (f->type == OG_WIRE_VARINT) {
		og_wire_put_u64(b, f->number, f->value);
	} else {
		og_wire_put_tag(b, f->number, f->type);
		for (int i = 0; i < (f->type == OG_WIRE_I32 ? 4 : 8); i++)
			og_buf_byte(b, (uint8_t)(f->value >> (8 * i)));
	}
}

static void require(bool held)
{
	if (!held)
		abort();
}

static void walk(og_cursor c, const uint8_t *end, int depth, og_buf *again)
{
	og_field_in f;

	while (og_wire_next(&c, &f)) {
		require(f.number >= 1 && f.number < 1u << 29);
		require(f.type != OG_WIRE_LEN || (const uint8_t *)f.bytes.p + f.bytes.n <= end);
		if (again)
			write_again(again, &f);
		if (f.type == OG_WIRE_LEN && depth < 8)
			walk(og_wire_sub(&f), end, depth + 1, NULL);
	}
	require(c.bad || og_cursor_left(&c) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto_buf once, twice;

	og_buf_init(&once, ROUND_MAX);
	og_buf_init(&twice, ROUND_MAX);
	walk(og_cursor_over(data, size, 0), data + size, 0, &once);
	if (once.failed || once.n == 0)
		return 0;
	walk(og_cursor_over(once.p, once.n, 0), once.p + once.n, 8, &twice);
	require(!twice.failed && twice.n == once.n && memcmp(once.p, twice.p, once.n) == 0);
	return 0;
}
