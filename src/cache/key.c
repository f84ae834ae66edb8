/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of a conversion: SHA-256 over all that decides about its bytes.  Each fact is framed by its length
 * and by whether it is there at all, so that no two lists of facts give the same bytes to the digest:
 *
 *     text   := 00                          no text (NULL)
 *             | 01 length(u64, LE) bytes
 *     number := 02 value(i64, LE)
 *     key    := text "onnxgate conversion 1", then the facts in the order below */
#include "cache/cache_int.h"

#include "base/str.h"
#include "codec/digest.h"

#include <stdlib.h>

typedef struct framer { /* the first error sticks */
	og_digest *digest;
	og_status status;
	og_error *err;
} framer;

static void bytes(framer *f, const void *p, size_t n)
{
	if (f->status == OG_OK)
		f->status = og_digest_update(f->digest, p, n, f->err);
}

static void word(framer *f, uint8_t tag, uint64_t v)
{
	uint8_t b[9] = { tag };
	for (int i = 0; i < 8; i++)
		b[1 + i] = (uint8_t)(v >> (8 * i));
	bytes(f, b, sizeof(b));
}

static void text(framer *f, const char *s)
{
	if (!s) {
		bytes(f, "", 1);
		return;
	}
	word(f, 1, strlen(s));
	bytes(f, s, strlen(s));
}

static void number(framer *f, int64_t v)
{
	word(f, 2, (uint64_t)v);
}

static int by_name(const void *a, const void *b)
{
	const og_cache_source *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->digest, y->digest);
}

og_status og_cache_key(const og_cache_key_facts *k, char out[65], og_error *err)
{
	for (size_t i = 0; i < k->nsources; i++)
		if (!k->sources[i].name || !k->sources[i].digest)
			return og_fail(err, ONNXGATE_INTERNAL, "conversion key: source %zu has no name or no digest", i);
	og_autofree og_cache_source *sorted = og_array_alloc(k->nsources + 1, sizeof(*sorted));
	og_auto(og_digest) *digest = NULL;
	if (!sorted)
		return og_fail_nomem(err);
	OG_TRY(og_digest_sha256(&digest, err));
	if (k->nsources) {
		memcpy(sorted, k->sources, k->nsources * sizeof(*sorted));
		qsort(sorted, k->nsources, sizeof(*sorted), by_name);
	}
	framer f = { digest, OG_OK, err };
	text(&f, "onnxgate conversion 1");
	text(&f, k->repo_id);
	text(&f, k->revision);
	number(&f, (int64_t)k->nsources);
	for (size_t i = 0; i < k->nsources; i++) {
		text(&f, sorted[i].name);
		text(&f, sorted[i].digest);
	}
	text(&f, k->task);
	text(&f, k->dtype);
	number(&f, k->opset);
	text(&f, k->layout);
	text(&f, k->options);
	text(&f, k->architecture);
	number(&f, k->architecture_revision);
	if (f.status != OG_OK)
		return f.status;
	char hex[OG_SHA256_HEX];
	OG_TRY(og_digest_hex(digest, hex, err));
	memcpy(out, hex, sizeof(hex));
	return OG_OK;
}

og_status og_cache_key_check(const char *key, og_error *err)
{
	char shown[80];
	if (!key || !og_is_hex(key, 64))
		return og_fail(err, ONNXGATE_INVALID, "conversion key '%s': expected 64 hex digits", og_str_show(og_str_of(key ? key : ""), shown, sizeof(shown)));
	return OG_OK;
}
