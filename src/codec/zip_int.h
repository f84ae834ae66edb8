/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the zip walk share. */
#ifndef OG_CODEC_ZIP_INT_H
#define OG_CODEC_ZIP_INT_H

#include <pthread.h>

#include "base/cursor.h"
#include "base/str.h"
#include "codec/zip.h"

#define OG_ZIP_ENCRYPTED 0x2041u  /* bits 0, 6 and 13: encrypted, strongly encrypted, masked headers */
#define OG_ZIP_DESCRIPTOR 0x0008u /* sizes and CRC follow the data */
#define OG_ZIP_PATCHED 0x0020u
#define OG_ZIP_KNOWN 0x080eu /* what we take: the compressor's two hints, a descriptor, UTF-8 */
#define OG_ZIP_HINTS 0x0006u

#define OG_ZIP_LOCAL 30u   /* bytes of a local header before the name */
#define OG_ZIP_CENTRAL 46u /* of a central one */

/* The part of the source that is in memory: what is read next mostly stands beside what was read last. */
typedef struct og_zip_window {
	og_source *s;
	uint8_t *p;
	size_t cap, n;
	uint64_t at;
} og_zip_window;

static inline bool og_zip_window_has(const og_zip_window *w, uint64_t at, size_t n)
{
	return at >= w->at && at - w->at <= w->n && n <= w->n - (size_t)(at - w->at);
}

/* The bytes at `at`, valid until the next call: `need` of them for certain, and when they must be read, `ahead` are, if there are. */
og_status og_zip_window_get(og_zip_window *w, uint64_t at, size_t need, uint64_t ahead, const uint8_t **out, og_error *err) OG_MUST;

/* The records of an extra field that matter: the zip64 one, and a name in Unicode. */
typedef struct og_zip_extra {
	bool zip64;
	og_cursor values; /* of it: numbers of 8 bytes */
	bool unicode;
	og_str name;
} og_zip_extra;
bool og_zip_extra_read(const uint8_t *p, size_t n, og_zip_extra *out); /* false: its records do not fill it */

/* Every local header and every byte between the entries, which are in order and end before the directory. Fills data_at. */
og_status og_zip_locals(const og_zip *z, uint64_t directory_at, og_zip_window *w, og_error *err) OG_MUST;

/* Where deflated entries are unpacked: one file, of which each that is in use has a range, since an archive may have thousands of them. */
typedef struct og_zip_unpacked {
	pthread_mutex_t lock; /* of what follows */
	int fd;               /* -1: not open */
	size_t users;         /* the last one closes it */
	uint64_t size;        /* of their ranges */
} og_zip_unpacked;

/* "FILE: entry NAME: …" */
og_status og_zip_bad(const og_zip *z, const og_zip_entry *e, og_error *err, og_status status, uint64_t at, const char *fmt, ...) OG_PRINTF(6, 7);

#endif
