/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 and git's blob SHA-1, streaming, through OpenSSL's EVP. */
#ifndef OG_CODEC_DIGEST_H
#define OG_CODEC_DIGEST_H

#include "base/alloc.h"
#include "base/error.h"

typedef struct og_digest og_digest;

#define OG_SHA256_HEX 65 /* with the terminating zero */
#define OG_SHA1_HEX 41

og_status og_digest_sha256(og_digest **out, og_error *err) OG_MUST;
og_status og_digest_git_blob(uint64_t size, og_digest **out, og_error *err) OG_MUST; /* SHA-1 over "blob SIZE\0" + content */
og_status og_digest_update(og_digest *d, const void *p, size_t n, og_error *err) OG_MUST;
og_status og_digest_hex(og_digest *d, char *out, og_error *err) OG_MUST; /* finishes; out: OG_SHA256_HEX bytes */
void og_digest_free(og_digest *d);
OG_DEFINE_FREEP(og_digest)

og_status og_sha256_bytes(const void *p, size_t n, char out[OG_SHA256_HEX], og_error *err) OG_MUST;
/* Streams the whole file. cancel may be NULL. */
og_status og_sha256_file(const char *path, const int *cancel, char out[OG_SHA256_HEX], og_error *err) OG_MUST;
og_status og_git_blob_file(const char *path, const int *cancel, char out[OG_SHA1_HEX], og_error *err) OG_MUST;

#endif
