/* SPDX-License-Identifier: Apache-2.0
 *
 * A zip archive's directory, read with bounds and believed only where every record of it agrees: one central directory, found
 * from the end; each local header says what its central one says; entries do not overlap; names are path-safe, one root not
 * required, no name twice.  Stored entries are ranges of the source, deflated ones are inflated under a limit.
 * Source: APPNOTE.TXT 6.3.9 (PKWARE), sections 4.3 and 4.5. */
#ifndef OG_CODEC_ZIP_H
#define OG_CODEC_ZIP_H

#include "base/arena.h"
#include "base/context.h"
#include "base/source.h"

typedef struct og_zip_entry {
	const char *name;
	uint64_t header_at;   /* of its local header */
	uint64_t data_at;     /* of its bytes as they are stored */
	uint64_t packed_size; /* of those; equal to size when stored */
	uint64_t size;
	uint32_t crc; /* of the unpacked bytes */
	uint16_t flags; /* general purpose bits, the same in both headers */
	bool deflated;
} og_zip_entry; /* a folder's name ends in '/', and it has no bytes */

typedef struct og_zip {
	og_source *source;     /* borrowed */
	og_zip_entry *entries; /* in the order of their place in the file */
	size_t n;
	struct og_strmap *names; /* index + 1 in entries */
	bool no_crc; /* no entry that has bytes records a CRC (PyTorch can leave them out): then none is compared */
	struct og_zip_unpacked *unpacked; /* og_zip_inflated()'s */
} og_zip;

/* Everything in arena. UNSUPPORTED: encrypted, several disks, a method other than stored and deflated. UNSAFE: traversal or absolute
 * names, overlapping entries, an unpacked size that no honest archive has. FORMAT: the rest. */
og_status og_zip_open(og_source *s, og_arena *arena, og_zip **out, og_error *err) OG_MUST;
const og_zip_entry *og_zip_find(const og_zip *z, const char *name); /* NULL: none; constant time */

/* The whole entry in memory, CRC checked. size over max: FORMAT "expected at most …". In arena. */
og_status og_zip_read(const og_zip *z, const og_zip_entry *e, size_t max, og_arena *arena, const uint8_t **out, og_error *err) OG_MUST;
/* A deflated entry as a source of its own (yours; z must outlive it): inflated on the first read, whichever thread's, into an unlinked
 * temporary file, one for all that are in use; size and CRC are checked before a byte is given out. What failed once fails again. */
og_status og_zip_inflated(const og_zip *z, const og_zip_entry *e, og_source **out, og_error *err) OG_MUST;
/* Reads a stored entry's bytes and compares the CRC: MISMATCH names the entry. Deflated: OK (og_zip_inflated does it).
 * A large entry is read in pieces by the threads of ctx. */
og_status og_zip_check(const og_zip *z, const og_zip_entry *e, const og_context *ctx, og_error *err) OG_MUST;

#endif
