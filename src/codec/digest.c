/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests through OpenSSL's EVP, which picks the processor's own instructions. */
#include "codec/digest.h"

#include <inttypes.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "base/source.h"
#include "base/str.h"

#define READ_PIECE ((size_t)256 << 10)

struct og_digest {
	EVP_MD_CTX *ctx;
	uint64_t expected; /* bytes that a blob promises, or UINT64_MAX */
	uint64_t seen;
};

static og_status digest_new(const EVP_MD *md, uint64_t expected, og_digest **out, og_error *err)
{
	og_auto(og_digest) *d = og_alloc(sizeof(*d));
	if (!d)
		return og_fail_nomem(err);
	d->expected = expected;
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx)
		return og_fail_nomem(err);
	if (EVP_DigestInit_ex(d->ctx, md, NULL) != 1)
		return og_fail(err, ONNXGATE_INTERNAL, "OpenSSL refuses the digest %s", EVP_MD_get0_name(md));
	*out = og_steal(&d);
	return OG_OK;
}

og_status og_digest_sha256(og_digest **out, og_error *err)
{
	return digest_new(EVP_sha256(), UINT64_MAX, out, err);
}

og_status og_digest_git_blob(uint64_t size, og_digest **out, og_error *err)
{
	og_auto(og_digest) *d = NULL;
	OG_TRY(digest_new(EVP_sha1(), UINT64_MAX, &d, err));
	char head[32];
	int n = snprintf(head, sizeof(head), "blob %" PRIu64, size);
	OG_TRY(og_digest_update(d, head, (size_t)n + 1, err)); /* the zero byte belongs to it */
	d->expected = size;
	d->seen = 0;
	*out = og_steal(&d);
	return OG_OK;
}

og_status og_digest_update(og_digest *d, const void *p, size_t n, og_error *err)
{
	if (n && EVP_DigestUpdate(d->ctx, p, n) != 1)
		return og_fail(err, ONNXGATE_INTERNAL, "OpenSSL's digest stopped after %" PRIu64 " bytes", d->seen);
	d->seen += n;
	return OG_OK;
}

og_status og_digest_hex(og_digest *d, char *out, og_error *err)
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (d->expected != UINT64_MAX && d->seen != d->expected)
		return og_fail(err, ONNXGATE_MISMATCH, "git blob: expected %" PRIu64 " bytes, found %" PRIu64, d->expected, d->seen);
	if (EVP_DigestFinal_ex(d->ctx, raw, &n) != 1)
		return og_fail(err, ONNXGATE_INTERNAL, "OpenSSL's digest did not finish");
	og_hex(raw, n, out);
	return OG_OK;
}

void og_digest_free(og_digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	og_free(d);
}

og_status og_sha256_bytes(const void *p, size_t n, char out[OG_SHA256_HEX], og_error *err)
{
	og_auto(og_digest) *d = NULL;
	OG_TRY(og_digest_sha256(&d, err));
	OG_TRY(og_digest_update(d, p, n, err));
	return og_digest_hex(d, out, err);
}

/* ---- files ------------------------------------------------------------------------------------------ */

static og_status feed(og_digest *d, og_source *s, const int *cancel, og_error *err)
{
	og_autofree uint8_t *buf = og_alloc(READ_PIECE);
	if (!buf)
		return og_fail_nomem(err);
	for (uint64_t at = 0; at < s->size;) {
		size_t n = s->size - at < READ_PIECE ? (size_t)(s->size - at) : READ_PIECE;
		if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
			return og_fail(err, ONNXGATE_CANCELLED, "interrupted");
		OG_TRY(og_source_read(s, at, buf, n, err));
		OG_TRY(og_digest_update(d, buf, n, err));
		at += n;
	}
	return OG_OK;
}

static og_status digest_file(bool git, const char *path, const int *cancel, char *out, og_error *err)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_digest) *d = NULL;
	OG_TRY(og_source_open(path, &s, err));
	OG_TRY(git ? og_digest_git_blob(s->size, &d, err) : og_digest_sha256(&d, err));
	OG_TRY(feed(d, s, cancel, err));
	return og_digest_hex(d, out, err);
}

og_status og_sha256_file(const char *path, const int *cancel, char out[OG_SHA256_HEX], og_error *err)
{
	return digest_file(false, path, cancel, out, err);
}

og_status og_git_blob_file(const char *path, const int *cancel, char out[OG_SHA1_HEX], og_error *err)
{
	return digest_file(true, path, cancel, out, err);
}
