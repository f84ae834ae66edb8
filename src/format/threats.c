/* SPDX-License-Identifier: Apache-2.0
 *
 * The hunt through a file.  What it is decides where code can be: a zip's entries one by one, pickles one after the other, an array of
 * objects behind its header; nothing in safetensors but what somebody put into the metadata.  A file that is two things at once (a polyglot:
 * one program sees a checkpoint, the next an archive) is listed as both.  An archive that our walk refuses is walked once more by its local
 * headers, believing nothing, since what Python would load of it is what matters.
 *
 * Everything here lists and goes on; only the machine's own faults (no memory, no disk, no network) end it. */
#include "format/threats_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/limits.h"
#include "codec/zip.h"
#include "format/format.h"
#include "format/recognise.h"

#define HEAD 512                                  /* first bytes of a file or entry: tar's mark is at 257 */
#define TAIL 65557                                /* a zip's end record with the longest comment */
#define LOST_MAX 10000                            /* entries of a broken archive that are looked for … */
#define SEARCH_MAX ((uint64_t)256 << 20)          /* … in so many bytes that nobody accounts for */
#define UNKNOWN_TIMES 4                           /* how often its bytes may be read as those of entries whose size it does not say */
#define METADATA_LONG ((size_t)1 << 20)           /* bytes of one value that are odd by themselves */
#define LINE_MAX_BYTES 4000

/* ---- rows --------------------------------------------------------------------------------------------------- */

og_threat *og_hunt_row(og_hunt *h, bool danger, const char *kind, const char *where, uint64_t offset, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	if (h->n > OG_THREAT_ROWS_MAX)
		return NULL;
	if (!og_arena_grow(h->arena, &h->rows, &h->cap, h->n + 1, sizeof(*h->rows))) {
		h->nomem = true;
		return NULL;
	}
	og_threat *t = &h->rows[h->n];
	if (h->n == OG_THREAT_ROWS_MAX) {
		*t = (og_threat){ true, "more", where, offset, "more rows than are listed: nobody needs so many, and what they are is not known" };
		h->n++;
		return NULL;
	}
	va_start(ap, fmt);
	const char *text = og_arena_vprintf(h->arena, fmt, ap);
	va_end(ap);
	text = text ? og_arena_strdup(h->arena, og_str_line(text, line, sizeof(line))) : NULL;
	h->nomem = h->nomem || !text;
	*t = (og_threat){ danger, kind, where, offset, text ? text : "" };
	h->n++;
	return t;
}

/* A message begins with the name of its file, which a row says already, with its folder. */
static const char *without_name(const char *message, const og_source *s)
{
	size_t n = strlen(s->name);
	return !strncmp(message, s->name, n) && message[n] == ':' && message[n + 1] == ' ' ? message + n + 2 : message;
}

og_status og_hunt_fault(og_hunt *h, bool danger, const char *where, uint64_t shift, const og_source *s, const og_error *why, og_error *err)
{
	const char *kind = why->status == ONNXGATE_UNSAFE ? "unsafe" : why->status == ONNXGATE_UNSUPPORTED ? "unread" : "broken";
	uint64_t at = why->offset == ONNXGATE_NO_OFFSET ? 0 : why->offset >= shift ? why->offset - shift : why->offset;
	if (why->status == ONNXGATE_FORMAT || why->status == ONNXGATE_UNSAFE || why->status == ONNXGATE_UNSUPPORTED || why->status == ONNXGATE_MISMATCH) {
		(void)og_hunt_row(h, danger, kind, where, at, "%s", without_name(why->message, s));
		return OG_OK;
	}
	if (err)
		*err = *why;
	return why->status;
}

static uint32_t u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

/* ---- one piece: a file that is no archive, or an entry of one ------------------------------------------------ */

static size_t head_size(const og_span *s)
{
	return s->end - s->at < HEAD ? (size_t)(s->end - s->at) : HEAD;
}

/* May the description of a NumPy array name objects? "|O" is what NumPy writes; it reads "O", "object", escapes and fields of them, too. */
static bool may_name_objects(const uint8_t *p, size_t n)
{
	const uint8_t *end = memmem(p, n, "'fortran_order'", 15);
	if (end && end > p)
		n = (size_t)(end - p);
	return memchr(p, 'O', n) || memchr(p, '\\', n) || memmem(p, n, "object", 6);
}

/* A NumPy array of objects is a pickle behind its header: magic, version, the header's length, "{'descr': '|O', …}". */
static og_status hunt_array(og_hunt *h, og_span s, const uint8_t *head, size_t n, og_error *err)
{
	size_t at = n > 6 && head[6] >= 2 ? 12 : 10, length;
	if (n < 12)
		return OG_OK;
	length = (size_t)head[8] | (size_t)head[9] << 8 | (at == 12 ? (size_t)head[10] << 16 | (size_t)head[11] << 24 : 0);
	size_t shown = n - at < length ? n - at : length;
	bool whole = length <= s.end - s.at - at, objects = memmem(head + at, shown, "|O", 2) != NULL;
	if (!objects && whole && (shown < length || may_name_objects(head + at, shown)))
		OG_TRY(og_hunt_is_pickle(s.source, s.at + at + length, s.end, &objects, err));
	if (!objects) {
		(void)og_hunt_row(h, false, "format", s.where, 0, "a NumPy array of numbers: no code can be in it");
		return OG_OK;
	}
	(void)og_hunt_row(h, true, "nested", s.where, 0, "a NumPy array of objects, which is a pickle");
	if (!whole)
		return OG_OK;
	s.at += at + length;
	return og_hunt_pickles(h, s, err);
}

/* What stands in a value of text that nobody executes. */
static void hunt_text(og_hunt *h, const char *where, const char *what, const char *key, const char *value)
{
	const char *kind, *found;
	char shown[160];
	og_str_show(og_str_of(key), shown, sizeof(shown));
	if (og_threats_in_text(og_str_of(value), h->arena, &kind, &found))
		(void)og_hunt_row(h, !og_streq(kind, "code"), kind, where, 0, "%s \"%s\": %s", what, shown, found ? found : "");
	else if (strlen(value) > METADATA_LONG)
		(void)og_hunt_row(h, false, "metadata", where, 0, "%s \"%s\": %zu bytes", what, shown, strlen(value));
}

static bool is_safetensors(const uint8_t *head, size_t n, uint64_t size)
{
	uint64_t length = 0;
	for (size_t i = 0; i < 8 && n > 8; i++)
		length |= (uint64_t)head[i] << (8 * i);
	return n > 8 && head[8] == '{' && length >= 2 && length <= size && length <= OG_SAFETENSORS_HEADER_MAX;
}

/* The length of the header can be an opcode that takes all of the header for a text ("V…\n"): then the bytes of the tensors are a pickle, for
 * who loads the file as one. A tar archive's first block can be made of JSON, too. */
static og_status hunt_safetensors_twin(og_hunt *h, og_source *s, const uint8_t *head, size_t n, bool *twin, og_error *err)
{
	const og_span span = { .source = s, .end = s->size, .where = "" };
	bool tar = og_hunt_is_tar(head, n);
	uint32_t length = u32(head);
	*twin = tar;
	if (!tar && og_hunt_pickle_letter(head[0]))
		OG_TRY(og_hunt_is_pickle(s, 0, s->size, twin, err));
	if (*twin)
		(void)og_hunt_row(h, true, "polyglot", "", 0, "safetensors for one program, %s for the next", tar ? "a tar archive" : "a pickle");
	else if (length > OG_PICKLE_TEXT_MAX && og_hunt_pickle_letter(head[0]))
		(void)og_hunt_row(h, true, "polyglot", "", 0, "a header of %" PRIu32 " bytes, which may be a pickle's text: what follows it is not looked at", length);
	return *twin && !tar ? og_hunt_pickles(h, span, err) : OG_OK;
}

/* Of a whole file only: readers read files. */
static og_status hunt_safetensors(og_hunt *h, og_source *s, const uint8_t *head, size_t n, og_error *err)
{
	og_reader *r = NULL;
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	bool twin;
	OG_TRY(hunt_safetensors_twin(h, s, head, n, &twin, err));
	if (og_reader_open(s, &r, &why) != OG_OK)
		return og_hunt_fault(h, false, "", 0, s, &why, err);
	(void)og_hunt_row(h, false, "format", "", 0, twin ? "%s" : "%s: no code can be in it", r->format->name);
	for (size_t i = 0; i < r->metadata_count; i++)
		hunt_text(h, "", "metadata", r->metadata[i].key, r->metadata[i].value);
	r->source = NULL; /* it was lent */
	og_reader_free(r);
	return OG_OK;
}

/* What our readers call it, for want of anything better. */
static og_status hunt_unknown(og_hunt *h, og_source *s, og_error *err)
{
	og_reader *r = NULL;
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	og_status st = og_reader_open(s, &r, &why);
	if (st == OG_OK) {
		(void)og_hunt_row(h, false, "format", "", 0, "%s", r->format->name);
		r->source = NULL;
		og_reader_free(r);
		return OG_OK;
	}
	if (st != ONNXGATE_UNSUPPORTED && st != ONNXGATE_FORMAT && st != ONNXGATE_UNSAFE)
		return og_hunt_fault(h, false, "", 0, s, &why, err);
	(void)og_hunt_row(h, false, "unknown", "", 0, "%s", without_name(why.message, s));
	return OG_OK;
}

/* *listed: it was something that we know. named: by its name it is a pickle. */
static og_status hunt_piece(og_hunt *h, og_span s, bool named, bool *listed, og_error *err)
{
	uint8_t head[HEAD];
	size_t n = head_size(&s);
	bool program = false, is = named;
	OG_TRY(og_source_read(s.source, s.at, head, n, err));
	const char *what = named ? NULL : og_hunt_container(head, n, &program);
	*listed = true;
	if (what) {
		(void)og_hunt_row(h, true, program ? "code" : "nested", s.where, 0, "%s; what it holds is not looked at", what);
		return OG_OK;
	}
	if (n >= 6 && !memcmp(head, "\x93NUMPY", 6))
		return hunt_array(h, s, head, n, err);
	if (!is && n && og_hunt_pickle_letter(head[0]))
		OG_TRY(og_hunt_is_pickle(s.source, s.at, s.end, &is, err));
	if (is)
		return og_hunt_pickles(h, s, err);
	*listed = false;
	return OG_OK;
}

/* ---- archives ------------------------------------------------------------------------------------------------- */

static bool ends_with_any(const char *name, const char *const *ends)
{
	for (; *ends; ends++)
		if (og_ends_with(name, *ends))
			return true;
	return false;
}

static bool is_pickle_name(const char *name)
{
	static const char *const ends[] = { ".pkl", ".pickle", "_pkl", ".p", ".joblib", NULL };
	return ends_with_any(name, ends);
}

/* TorchScript's code is a language of its own, which only torch.jit runs; any other code in an archive has no business there. */
static void hunt_code(og_hunt *h, const og_zip_entry *e, const char *where, bool script)
{
	static const char *const ends[] = { ".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ps1", NULL };
	if (!ends_with_any(e->name, ends))
		return;
	if (script && og_ends_with(e->name, ".py") && strstr(e->name, "/code/"))
		(void)og_hunt_row(h, false, "code", where, 0, "TorchScript, %" PRIu64 " bytes: torch.jit.load compiles and runs it; nothing else does", e->size);
	else
		(void)og_hunt_row(h, true, "code", where, 0, "a file of code, %" PRIu64 " bytes", e->size);
}

static og_status hunt_entry(og_hunt *h, const og_zip *z, const og_zip_entry *e, bool script, og_error *err)
{
	og_auto(og_source) *unpacked = NULL;
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	char shown[OG_NAME_MAX * 4 + 1];
	bool listed;
	const char *where = og_arena_strdup(h->arena, og_str_show(og_str_of(e->name), shown, sizeof(shown)));
	if (!where)
		return og_fail_nomem(err);
	hunt_code(h, e, where, script);
	if (!e->size)
		return OG_OK;
	og_span s = { .source = z->source, .at = e->data_at, .end = e->data_at + e->size, .where = where, .shift = e->data_at };
	if (e->deflated) {
		if (og_zip_inflated(z, e, &unpacked, &why) != OG_OK)
			return og_hunt_fault(h, true, where, 0, z->source, &why, err);
		s = (og_span){ .source = unpacked, .end = e->size, .where = where };
	}
	og_status st = hunt_piece(h, s, is_pickle_name(e->name), &listed, &why);
	return st == OG_OK ? OG_OK : og_hunt_fault(h, true, where, s.shift, s.source, &why, err);
}

static bool is_script(const og_zip *z)
{
	bool constants = false, code = false;
	for (size_t i = 0; i < z->n; i++) {
		constants = constants || og_ends_with(z->entries[i].name, "/constants.pkl");
		code = code || strstr(z->entries[i].name, "/code/");
	}
	return constants && code;
}

static og_status hunt_entries(og_hunt *h, const og_zip *z, og_error *err)
{
	bool script = is_script(z);
	size_t before = h->n;
	for (size_t i = 0; i < z->n; i++)
		OG_TRY(hunt_entry(h, z, &z->entries[i], script, err));
	if (h->n == before)
		(void)og_hunt_row(h, false, "format", "", 0, "a zip archive of %zu entries, none of which is a pickle or code", z->n);
	return OG_OK;
}

/* ---- broken archives ------------------------------------------------------------------------------------------- */

/* The next signature of a local header at or behind *at. */
static og_status find_local(og_source *s, uint64_t *at, uint64_t *budget, bool *found, og_error *err)
{
	enum { PIECE = 64 << 10 };
	og_autofree uint8_t *p = og_alloc(PIECE);
	if (!p)
		return og_fail_nomem(err);
	*found = false;
	while (s->size - *at >= 30 && *budget) {
		size_t n = s->size - *at < PIECE ? (size_t)(s->size - *at) : PIECE;
		OG_TRY(og_source_read(s, *at, p, n, err));
		const uint8_t *hit = memmem(p, n, "PK\x03\x04", 4);
		*budget -= *budget < n ? *budget : n;
		if (hit) {
			*at += (uint64_t)(hit - p);
			*found = s->size - *at >= 30;
			return OG_OK;
		}
		if (n < PIECE)
			return OG_OK;
		*at += n - 3;
	}
	return OG_OK;
}

/* The entry of one local header, taken for what Python's zipfile might take it for. *at moves behind what is surely its own. */
static og_status hunt_lost(og_hunt *h, og_source *s, uint64_t *at, uint64_t *budget, og_error *err)
{
	uint8_t head[30], name[256];
	char shown[600];
	bool listed;
	OG_TRY(og_source_read(s, *at, head, sizeof(head), err));
	uint32_t flags = u16(head + 6), method = u16(head + 8), packed = u32(head + 18), nname = u16(head + 26);
	uint64_t data = *at + 30 + nname + u16(head + 28), room = data < s->size ? s->size - data : 0;
	bool known = packed && packed != UINT32_MAX && !(flags & 8) && packed <= room;
	size_t n = nname < sizeof(name) ? nname : sizeof(name);
	*at += 4;
	if (n > s->size - *at - 26 || !room)
		return OG_OK;
	OG_TRY(og_source_read(s, *at + 26, name, n, err));
	og_str_show((og_str){ (const char *)name, n }, shown, sizeof(shown));
	const char *where = og_arena_strdup(h->arena, shown);
	if (!where)
		return og_fail_nomem(err);
	*at = known ? data + packed : data;
	if (method) {
		(void)og_hunt_row(h, true, "unread", where, 0, "compressed (method %u) in a broken archive: not looked at", method);
		return OG_OK;
	}
	/* Entries of unknown size may each reach to the file's end: together they are read up to a limit. */
	uint64_t bytes = known ? packed : room < *budget ? room : *budget;
	*budget -= known ? 0 : bytes;
	if (!bytes) {
		(void)og_hunt_row(h, true, "unread", where, 0, "one of too many entries of unknown size in a broken archive: not looked at");
		return OG_OK;
	}
	const og_span span = { .source = s, .at = data, .end = data + bytes, .where = where, .shift = data, .open_ended = !known };
	return hunt_piece(h, span, is_pickle_name(where), &listed, err);
}

static og_status hunt_locals(og_hunt *h, og_source *s, og_error *err)
{
	uint64_t at = 0, budget = SEARCH_MAX, unknown = s->size < SEARCH_MAX ? UNKNOWN_TIMES * s->size : s->size + SEARCH_MAX;
	bool found = true;
	for (size_t i = 0; i < LOST_MAX && found; i++) {
		OG_TRY(find_local(s, &at, &budget, &found, err));
		if (found)
			OG_TRY(hunt_lost(h, s, &at, &unknown, err));
	}
	return OG_OK;
}

static og_status hunt_zip(og_hunt *h, og_source *s, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	og_error why = { .offset = ONNXGATE_NO_OFFSET };
	og_zip *z;
	if (!scratch)
		return og_fail_nomem(err);
	if (og_zip_open(s, scratch, &z, &why) == OG_OK)
		return hunt_entries(h, z, err);
	OG_TRY(og_hunt_fault(h, true, "", 0, s, &why, err));
	return hunt_locals(h, s, err);
}

/* Is there an archive's end record where the file ends, though it begins as something else? */
static og_status has_zip_tail(og_source *s, bool *has, og_error *err)
{
	size_t n = s->size < TAIL ? (size_t)s->size : TAIL;
	og_autofree uint8_t *p = og_alloc(n);
	*has = false;
	if (!p)
		return og_fail_nomem(err);
	OG_TRY(og_source_read(s, s->size - n, p, n, err));
	for (size_t i = n; !*has && i >= 22; i--) {
		const uint8_t *e = p + i - 22;
		uint64_t at = s->size - n + i - 22, directory = u32(e + 12);
		uint8_t first[4] = "PK\x01\x02";
		if (memcmp(e, "PK\x05\x06", 4) || u16(e + 20) != n - i || directory > at)
			continue;
		if (directory >= sizeof(first))
			OG_TRY(og_source_read(s, at - directory, first, sizeof(first), err));
		bool zip64 = i >= 42 && !memcmp(e - 20, "PK\x06\x07", 4); /* its records stand between the directory and this one */
		*has = zip64 || !memcmp(first, "PK\x01\x02", 4);
	}
	return OG_OK;
}

/* ---- a file ------------------------------------------------------------------------------------------------------ */

static og_status hunt_plain(og_hunt *h, og_source *s, og_error *err)
{
	uint8_t head[HEAD];
	const og_span span = { .source = s, .end = s->size, .where = "" };
	size_t n = head_size(&span);
	bool listed = false, zip = false;
	OG_TRY(og_source_read(s, 0, head, n, err));
	OG_TRY(has_zip_tail(s, &zip, err));
	if (is_safetensors(head, n, s->size))
		OG_TRY(hunt_safetensors(h, s, head, n, err));
	else
		OG_TRY(hunt_piece(h, span, og_hunt_pickle_head(head, n), &listed, err));
	if (!listed && og_hunt_is_zlib(head, n) && !is_safetensors(head, n, s->size)) {
		(void)og_hunt_row(h, true, "nested", "", 0, "a zlib stream; what it holds is not looked at");
		listed = true;
	}
	if (!listed && !is_safetensors(head, n, s->size) && !og_is_onnx(head, n) && !zip)
		return hunt_unknown(h, s, err);
	if (!zip)
		return OG_OK;
	(void)og_hunt_row(h, true, "polyglot", "", 0, "it ends as a zip archive and begins as something else: two programs see two files");
	return hunt_locals(h, s, err);
}

og_status og_threats_list(og_source *s, og_arena *arena, og_threat **out, size_t *n, og_error *err)
{
	og_hunt h = { .arena = arena };
	uint8_t magic[4] = { 0 };
	if (s->size >= sizeof(magic))
		OG_TRY(og_source_read(s, 0, magic, sizeof(magic), err));
	bool zip = !memcmp(magic, "PK\x03\x04", 4) || !memcmp(magic, "PK\x05\x06", 4);
	OG_TRY(zip ? hunt_zip(&h, s, err) : hunt_plain(&h, s, err));
	if (h.nomem)
		return og_fail_nomem(err);
	*out = h.rows;
	*n = h.n;
	return OG_OK;
}
