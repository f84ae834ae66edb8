/* SPDX-License-Identifier: Apache-2.0
 *
 * What in a file could run code or hides something, for `inspect --threats`: every global that its pickles name, calls, nesting
 * (pickles inside zips inside zips, base64 inside strings: reported, not followed).  Reads on where a reader would refuse. */
#ifndef OG_FORMAT_THREATS_H
#define OG_FORMAT_THREATS_H

#include "base/arena.h"
#include "base/source.h"
#include "base/str.h"

typedef struct og_threat {
	bool danger;       /* false: worth knowing only (an allowed global) */
	const char *kind;  /* "global", "call", "nested", "base64", "code", "broken", "opcodes", "flags", … */
	const char *where; /* "data.pkl", "" for the file itself */
	uint64_t offset;   /* in the file, or in the entry that `where` names */
	const char *text;  /* one line */
} og_threat;

/* In the order of the file. Never fails for what the file holds: a broken file is a row. */
og_status og_threats_list(og_source *s, og_arena *arena, og_threat **out, size_t *n, og_error *err) OG_MUST;

/* Is something hidden in a text (or in bytes)? *kind "base64": base64 of a pickle, a zip or code; "nested": a pickle or a zip as it stands;
 * "code": it reads like Python or shell, which is worth knowing only. *what: one line, in arena; NULL without memory. */
bool og_threats_in_text(og_str text, og_arena *arena, const char **kind, const char **what);

#endif
