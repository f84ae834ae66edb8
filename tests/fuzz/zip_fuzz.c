/* SPDX-License-Identifier: Apache-2.0
 *
 * The zip walk: what it accepts lies in order and in the file, each name is found, and no entry gives out a byte that it should not. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/limits.h"
#include "base/path.h"
#include "codec/zip.h"

#define SIZE_MAX_READ ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_refusal(og_status s)
{
	return s == ONNXGATE_FORMAT || s == ONNXGATE_UNSUPPORTED || s == ONNXGATE_UNSAFE;
}

static void read_entry(const og_zip *z, const og_zip_entry *e, og_arena *a)
{
	const uint8_t *p = NULL;
	og_error err = { 0 };
	og_status s = og_zip_read(z, e, SIZE_MAX_READ, a, &p, &err);
	must(s == OG_OK ? p != NULL : !p && (is_refusal(s) || s == ONNXGATE_MISMATCH));
	if (s == OG_OK && !z->no_crc)
		must(crc32_z(0, p, (size_t)e->size) == e->crc);
	if (e->deflated && e->size && e->size <= SIZE_MAX_READ) {
		og_auto(og_source) *in = NULL;
		uint8_t byte;
		must(og_zip_inflated(z, e, &in, NULL) == OG_OK);
		must(og_source_read(in, e->size - 1, &byte, 1, NULL) == s);
		must(s != OG_OK || byte == p[e->size - 1]);
	} else if (!e->deflated) {
		og_status checked = og_zip_check(z, e, NULL, NULL);
		must(s == ONNXGATE_FORMAT || checked == s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_arena) *a = og_arena_new();
	og_zip *z = NULL;
	og_error err = { 0 };
	uint64_t end = 0;
	if (!a || og_source_memory("fuzz", data, size, &s, NULL) != OG_OK)
		return 0;
	og_status status = og_zip_open(s, a, &z, &err);
	if (status != OG_OK) {
		must(!z && is_refusal(status) && err.message[0] && !strchr(err.message, '\n'));
		return 0;
	}
	for (size_t i = 0; i < z->n; i++) {
		const og_zip_entry *e = &z->entries[i];
		size_t n = strlen(e->name);
		must(e->header_at >= end && e->data_at >= e->header_at + 30 + n && e->packed_size <= size - e->data_at);
		end = e->data_at + e->packed_size;
		must(og_zip_find(z, e->name) == e && n <= OG_NAME_MAX && (e->name[n - 1] == '/' || og_path_safe(e->name)));
		must(e->deflated || e->size == e->packed_size);
		if (i < 4)
			read_entry(z, e, a);
	}
	return 0;
}
