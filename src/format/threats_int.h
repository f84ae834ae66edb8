/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the hunt for threats share: the list under construction, one pickle's facts, and what bytes look like. */
#ifndef OG_FORMAT_THREATS_INT_H
#define OG_FORMAT_THREATS_INT_H

#include "base/strmap.h"
#include "codec/pickle.h"
#include "format/threats.h"

#define OG_THREAT_ROWS_MAX 10000 /* of one file; a checkpoint has about 20 */

typedef struct og_hunt {
	og_arena *arena; /* of the rows */
	og_threat *rows;
	size_t n, cap;
	bool nomem;
} og_hunt;

/* Appends; over the ceiling the last row says that there are more. NULL: not appended. */
og_threat *og_hunt_row(og_hunt *h, bool danger, const char *kind, const char *where, uint64_t offset, const char *fmt, ...) OG_PRINTF(6, 7);
/* A failed reading as a row, unless it was the machine's fault and not the file's: then it is returned. */
og_status og_hunt_fault(og_hunt *h, bool danger, const char *where, uint64_t shift, const og_source *s, const og_error *why, og_error *err) OG_MUST;

/* ---- pickles: threats_pickle.c ---- */

typedef struct og_span { /* where bytes are, and what they are called */
	og_source *source;
	uint64_t at, end;
	const char *where;
	uint64_t shift;  /* offsets are told from here on: the beginning of the entry */
	bool open_ended; /* the end is not known for certain: what is behind a pickle is not its own */
} og_span;

/* Does Python's pickle find one there, as far as to its STOP or to a call? Reads on without a word. */
og_status og_hunt_is_pickle(og_source *s, uint64_t at, uint64_t end, bool *is, og_error *err) OG_MUST;
/* Lists it, what follows it, and where it begins a legacy checkpoint the end of its storages. */
og_status og_hunt_pickles(og_hunt *h, og_span span, og_error *err) OG_MUST;

/* ---- what bytes look like: threats_text.c ---- */

/* "a zip archive", "a gzip stream", "a program or library", … by its first bytes. NULL: no telling. *program: code for the machine. */
const char *og_hunt_container(const uint8_t *head, size_t n, bool *program);
/* Tar before 1988 had no magic, and Python still reads it: the first block (512 bytes) sums up to what it says at 148. */
bool og_hunt_is_tar(const uint8_t *head, size_t n);
/* What joblib makes of a pickle, among others. Two bytes are little: ask it of whole files only. */
bool og_hunt_is_zlib(const uint8_t *head, size_t n);
bool og_hunt_pickle_head(const uint8_t *head, size_t n); /* PROTO of a protocol from 2 on */
/* Could a pickle of protocol 0 or 1 begin so? Many texts do. */
bool og_hunt_pickle_letter(uint8_t first);

#endif
