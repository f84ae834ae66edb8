/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a zip archive.  Readers of zip disagree about files that contradict themselves, and a file that two programs read
 * differently is how one is smuggled past the other.  So only a file that can be read in one way is taken:
 *
 *     [local header, data, descriptor?] …  [central header] …  [end64, locator]?  end, comment
 *     ^0                                   ^directory_at       ^directory_end               ^size
 *
 * Every part begins where the one before it ends; entry after entry explains every byte.  The end is found once, in one read of the
 * file's tail, which mostly holds the directory, too. */
#include "codec/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/strmap.h"
#include "codec/zip_int.h"

#define WINDOW ((size_t)256 << 10) /* at least a header with a name, extra field and comment of 65,535 bytes each */
#define TAIL ((size_t)128 << 10)   /* at least the end records with the longest comment */
#define END_SIZE 22u
#define LOCATOR_SIZE 20u
#define END64_SIZE 56u
#define DEFLATE_RATIO_MAX 1032u /* what the format can do at best */

#define SIG_LOCAL "PK\3\4"
#define SIG_CENTRAL 0x02014b50u
#define SIG_END "PK\5\6"
#define SIG_END64 0x06064b50u
#define SIG_LOCATOR 0x07064b50u

typedef struct directory {
	uint64_t at, size, count, end;
} directory;

typedef struct opening {
	og_zip *z;
	og_zip_window w;
	og_arena *arena;
	directory d;
	uint64_t inflated; /* sum of the deflated entries' sizes */
	bool any_crc, any_bytes, sorted;
} opening;

/* ---- shared ----------------------------------------------------------------------------------------- */

og_status og_zip_window_get(og_zip_window *w, uint64_t at, size_t need, uint64_t ahead, const uint8_t **out, og_error *err)
{
	if (!og_zip_window_has(w, at, need)) {
		uint64_t n = ahead > need ? ahead : need, left = at < w->s->size ? w->s->size - at : 0;
		n = n > w->cap ? w->cap : n;
		n = n > left && left >= need ? left : n;
		if (need > w->cap)
			return og_fail(err, ONNXGATE_INTERNAL, "zip window: %zu bytes asked for, it has %zu", need, w->cap);
		w->n = 0;
		OG_TRY(og_source_read(w->s, at, w->p, (size_t)n, err));
		w->at = at;
		w->n = (size_t)n;
	}
	*out = w->p + (at - w->at);
	return OG_OK;
}

bool og_zip_extra_read(const uint8_t *p, size_t n, og_zip_extra *out)
{
	og_cursor c = og_cursor_over(p, n, 0);
	*out = (og_zip_extra){ 0 };
	while (og_cursor_left(&c) >= 4) {
		uint16_t id = og_cursor_u16(&c, "id"), len = og_cursor_u16(&c, "length");
		const uint8_t *body = og_cursor_take(&c, len, "record");
		if (!body || (id == 0x0001 && out->zip64) || (id == 0x7075 && (out->unicode || len < 5)))
			return false;
		if (id == 0x0001) {
			out->zip64 = true;
			out->values = og_cursor_over(body, len, 0);
		} else if (id == 0x7075) { /* a version and the CRC of the other name, then the name */
			out->unicode = true;
			out->name = (og_str){ (const char *)body + 5, (size_t)len - 5 };
		}
	}
	while (og_cursor_left(&c)) /* alignment tools leave up to three zeros */
		if (og_cursor_u8(&c, "padding"))
			return false;
	return true;
}

og_status og_zip_bad(const og_zip *z, const og_zip_entry *e, og_error *err, og_status status, uint64_t at, const char *fmt, ...)
{
	char what[256], name[128];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return og_fail_at(err, status, at, "%s: entry %s: %s", z->source->name, og_str_show(og_str_of(e->name), name, sizeof name), what);
}

/* ---- the end of the file ---------------------------------------------------------------------------- */

static og_status not_found(opening *o, og_error *err)
{
	const og_source *s = o->z->source;
	const uint8_t *p;
	if (s->size < 4)
		return og_fail(err, ONNXGATE_FORMAT, "%s: not a zip archive: it has %" PRIu64 " bytes", s->name, s->size);
	OG_TRY(og_zip_window_get(&o->w, 0, 4, 4, &p, err));
	if (memcmp(p, SIG_LOCAL, 4) != 0)
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: not a zip archive: it has neither its first bytes nor its last", s->name);
	(void)og_fail_at(err, ONNXGATE_FORMAT, s->size,
	                 "%s: no end record where the file ends: expected a whole zip archive, found a truncated one or one with bytes appended", s->name);
	og_error_hint(err, "download it again, or save it again: an interrupted download or write leaves such files");
	return ONNXGATE_FORMAT;
}

/* The end record is the one whose comment ends where the file ends. A second that fits as well, or one inside the comment, is what
 * another reader might take: refused. */
static og_status find_end(opening *o, const uint8_t **tail, size_t *tail_size, size_t *found, og_error *err)
{
	const og_source *s = o->z->source;
	size_t n = s->size < TAIL ? (size_t)s->size : TAIL, hits = 0;
	const uint8_t *p = NULL;
	if (n >= END_SIZE)
		OG_TRY(og_zip_window_get(&o->w, s->size - n, n, n, &p, err));
	for (size_t back = END_SIZE; back <= n && back <= END_SIZE + 65535; back++) {
		const uint8_t *r = p + n - back;
		if (r[0] != 'P' || memcmp(r, SIG_END, 4) != 0 || (size_t)(r[20] | r[21] << 8) != back - END_SIZE)
			continue;
		if (!hits++)
			*found = n - back;
	}
	if (!hits)
		return not_found(o, err);
	if (hits > 1 || memmem(p + *found + END_SIZE, n - *found - END_SIZE, SIG_END, 4))
		return og_fail_at(err, ONNXGATE_FORMAT, s->size - (n - *found), "%s: two end records, of which one hides in a comment: expected one", s->name);
	*tail = p;
	*tail_size = n;
	return OG_OK;
}

static og_status disks(const og_source *s, uint64_t at, og_error *err)
{
	return og_fail_at(err, ONNXGATE_UNSUPPORTED, at, "%s: one of the parts of an archive that spans several disks; join them first", s->name);
}

/* Each field of the older record holds the value, or all ones: "see the newer record". */
static bool agrees(uint64_t old, uint64_t ones, uint64_t value)
{
	return old == value || old == ones;
}

static og_status read_end64(opening *o, const uint8_t *locator, uint64_t locator_at, directory *d, og_error *err)
{
	const og_source *s = o->z->source;
	og_cursor c = og_cursor_over(locator + 4, LOCATOR_SIZE - 4, locator_at + 4);
	uint32_t disk = og_cursor_u32(&c, "disk");
	uint64_t at = og_cursor_u64(&c, "offset"), size, here;
	uint32_t total = og_cursor_u32(&c, "disks"), sig, disk_from;
	const uint8_t *p;
	if (disk || total != 1)
		return disks(s, locator_at, err);
	if (locator_at < END64_SIZE || at != locator_at - END64_SIZE)
		return og_fail_at(err, ONNXGATE_FORMAT, locator_at, "%s: zip64 end record: said to be at offset %" PRIu64 ", expected %u bytes before %" PRIu64,
						  s->name, at, END64_SIZE, locator_at);
	OG_TRY(og_zip_window_get(&o->w, at, END64_SIZE, END64_SIZE, &p, err));
	c = og_cursor_over(p, END64_SIZE, at);
	sig = og_cursor_u32(&c, "signature");
	size = og_cursor_u64(&c, "size");
	(void)og_cursor_u32(&c, "versions");
	disk = og_cursor_u32(&c, "disk");
	disk_from = og_cursor_u32(&c, "disk");
	here = og_cursor_u64(&c, "entries");
	d->count = og_cursor_u64(&c, "entries");
	d->size = og_cursor_u64(&c, "size");
	d->at = og_cursor_u64(&c, "offset");
	d->end = at;
	if (sig != SIG_END64 || size != END64_SIZE - 12)
		return og_fail_at(err, ONNXGATE_FORMAT, at, "%s: zip64 end record: none of 44 bytes at offset %" PRIu64 ", where its locator points", s->name, at);
	if (disk || disk_from || here != d->count)
		return disks(s, at, err);
	return OG_OK;
}

static og_status read_end(opening *o, og_error *err)
{
	const og_source *s = o->z->source;
	const uint8_t *tail = NULL;
	size_t n = 0, found = 0;
	OG_TRY(find_end(o, &tail, &n, &found, err));
	uint64_t at = s->size - (n - found);
	og_cursor c = og_cursor_over(tail + found + 4, END_SIZE - 4, at + 4);
	uint16_t disk = og_cursor_u16(&c, "disk"), disk_from = og_cursor_u16(&c, "disk");
	uint16_t here = og_cursor_u16(&c, "entries"), count = og_cursor_u16(&c, "entries");
	uint32_t size = og_cursor_u32(&c, "size"), dir_at = og_cursor_u32(&c, "offset");
	directory *d = &o->d;
	*d = (directory){ .at = dir_at, .size = size, .count = count, .end = at };
	if (found >= LOCATOR_SIZE && og_cursor_u32(&(og_cursor){ .begin = tail, .p = tail + found - LOCATOR_SIZE, .end = tail + n }, "") == SIG_LOCATOR) {
		OG_TRY(read_end64(o, tail + found - LOCATOR_SIZE, at - LOCATOR_SIZE, d, err));
		if (!agrees(here, 0xffff, d->count) || !agrees(count, 0xffff, d->count) || !agrees(size, 0xffffffff, d->size) ||
			!agrees(dir_at, 0xffffffff, d->at))
			return og_fail_at(err, ONNXGATE_FORMAT, at, "%s: the end record and the zip64 end record contradict each other", s->name);
		disk = disk == 0xffff ? 0 : disk;
		disk_from = disk_from == 0xffff ? 0 : disk_from;
		here = count;
	}
	return disk || disk_from || here != count ? disks(s, at, err) : OG_OK;
}

/* What the end record claims, before anything is allocated for it. */
static og_status check_claims(const opening *o, og_error *err)
{
	const char *name = o->z->source->name;
	const directory *d = &o->d;
	if (d->count > OG_ZIP_ENTRIES_MAX || d->size > OG_ZIP_DIRECTORY_MAX)
		return og_fail_at(err, ONNXGATE_FORMAT, d->end, "%s: %" PRIu64 " entries in a directory of %" PRIu64 " bytes: expected at most %d in %u", name,
						  d->count, d->size, OG_ZIP_ENTRIES_MAX, OG_ZIP_DIRECTORY_MAX);
	if (d->size / (OG_ZIP_CENTRAL + 1) < d->count)
		return og_fail_at(err, ONNXGATE_FORMAT, d->end, "%s: %" PRIu64 " entries claimed, their directory of %" PRIu64 " bytes has no room for them", name,
						  d->count, d->size);
	if (d->at > d->end || d->size != d->end - d->at)
		return og_fail_at(err, ONNXGATE_FORMAT, d->end,
						  "%s: directory: said to be %" PRIu64 " bytes at offset %" PRIu64 ", expected to end at %" PRIu64 ": bytes were added or removed",
						  name, d->size, d->at, d->end);
	if (d->at / (OG_ZIP_LOCAL + 1) < d->count || (!d->count && d->at))
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: %" PRIu64 " entries claimed, expected them in the first %" PRIu64 " bytes", name, d->count, d->at);
	return OG_OK;
}

/* ---- the directory ---------------------------------------------------------------------------------- */

static og_status check_name(const opening *o, const og_zip_entry *e, size_t n, uint64_t at, og_error *err)
{
	char path[OG_NAME_MAX + 1];
	size_t k = n;
	if (!n || n > OG_NAME_MAX)
		return og_zip_bad(o->z, e, err, ONNXGATE_FORMAT, at, "a name of %zu bytes, expected 1 to %d", n, OG_NAME_MAX);
	if (strlen(e->name) != n)
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSAFE, at, "a NUL byte in its name");
	if (!og_utf8_valid((const uint8_t *)e->name, n))
		return og_zip_bad(o->z, e, err, ONNXGATE_FORMAT, at, "its name is not UTF-8");
	memcpy(path, e->name, n + 1);
	if (k > 1 && path[k - 1] == '/')
		path[--k] = 0;
	if (!og_path_safe(path))
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSAFE, at, "its name could lead out of a folder, expected a plain relative path");
	return OG_OK;
}

static og_status check_kind(const opening *o, const og_zip_entry *e, unsigned method, uint64_t at, og_error *err)
{
	unsigned odd = e->flags & ~OG_ZIP_KNOWN;
	if ((e->flags & OG_ZIP_ENCRYPTED) || method == 99)
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSUPPORTED, at, "encrypted; decrypt the archive first");
	if (e->flags & OG_ZIP_PATCHED)
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSUPPORTED, at, "patched data (flag bit 5)");
	if (odd)
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSUPPORTED, at, "flag bits 0x%04x, expected at most bits 1, 2, 3 and 11", odd);
	if (method != 0 && method != 8)
		return og_zip_bad(o->z, e, err, ONNXGATE_UNSUPPORTED, at, "compression method %u, expected 0 (stored) or 8 (deflated)", method);
	return OG_OK;
}

/* Fields of all ones stand in the zip64 record, in this order, and nothing else does. */
static og_status widen(const opening *o, og_zip_entry *e, const uint8_t *extra, size_t n, uint32_t *disk, uint64_t at, og_error *err)
{
	og_zip_extra x;
	if (!og_zip_extra_read(extra, n, &x))
		return og_zip_bad(o->z, e, err, ONNXGATE_FORMAT, at, "the extra field of its directory entry is malformed");
	if (x.unicode && !og_str_is(x.name, e->name))
		return og_zip_bad(o->z, e, err, ONNXGATE_FORMAT, at, "a second name in its extra field");
	if (x.zip64) {
		if (e->size == 0xffffffff)
			e->size = og_cursor_u64(&x.values, "size");
		if (e->packed_size == 0xffffffff)
			e->packed_size = og_cursor_u64(&x.values, "size");
		if (e->header_at == 0xffffffff)
			e->header_at = og_cursor_u64(&x.values, "offset");
		if (*disk == 0xffff)
			*disk = og_cursor_u32(&x.values, "disk");
		if (x.values.bad || og_cursor_left(&x.values))
			return og_zip_bad(o->z, e, err, ONNXGATE_FORMAT, at, "its zip64 record does not hold what its directory entry leaves to it");
	}
	return OG_OK;
}

static og_status check_sizes(opening *o, const og_zip_entry *e, uint32_t disk, uint64_t at, og_error *err)
{
	const og_zip *z = o->z;
	if (disk)
		return disks(z->source, at, err);
	if (!e->deflated && e->size != e->packed_size)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, at, "stored, but %" PRIu64 " bytes packed and %" PRIu64 " unpacked", e->packed_size, e->size);
	if (e->packed_size > o->d.at || e->header_at > o->d.at)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, at, "%" PRIu64 " bytes at offset %" PRIu64 ", expected before the directory at %" PRIu64, e->packed_size,
						  e->header_at, o->d.at);
	/* Some writers deflate the nothing in a folder, to two bytes. */
	if (og_ends_with(e->name, "/") && (e->size || e->packed_size > (e->deflated ? 2 : 0)))
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, at, "a folder with %" PRIu64 " bytes, expected none", e->size);
	if (!e->size && e->crc)
		return og_zip_bad(z, e, err, ONNXGATE_FORMAT, at, "no bytes, but a CRC of 0x%08x", e->crc);
	if (!e->deflated)
		return OG_OK;
	if (e->size / DEFLATE_RATIO_MAX > e->packed_size)
		return og_zip_bad(z, e, err, ONNXGATE_UNSAFE, at, "%" PRIu64 " bytes said to unpack to %" PRIu64 ", which deflate cannot", e->packed_size, e->size);
	if (!og_add_u64(o->inflated, e->size, &o->inflated) ||
		(o->inflated > OG_ZIP_INFLATED_FREE && o->inflated / OG_ZIP_INFLATED_RATIO > z->source->size))
		return og_zip_bad(z, e, err, ONNXGATE_UNSAFE, at, "with it more than %d times the archive's %" PRIu64 " bytes come out of it: a bomb",
						  OG_ZIP_INFLATED_RATIO, z->source->size);
	return OG_OK;
}

/* One record of the directory; *at moves behind it. */
static og_status read_entry(opening *o, uint64_t *at, og_zip_entry *e, og_error *err)
{
	const char *file = o->z->source->name;
	uint64_t left = o->d.end - *at, from = *at;
	const uint8_t *p;
	if (left < OG_ZIP_CENTRAL)
		return og_fail_at(err, ONNXGATE_FORMAT, from, "%s: directory: expected %" PRIu64 " entries, found %zu", file, o->d.count, o->z->n);
	OG_TRY(og_zip_window_get(&o->w, from, OG_ZIP_CENTRAL, left, &p, err));
	og_cursor c = og_cursor_over(p, OG_ZIP_CENTRAL, from);
	uint32_t sig = og_cursor_u32(&c, "signature");
	(void)og_cursor_u32(&c, "versions");
	e->flags = og_cursor_u16(&c, "flags");
	unsigned method = og_cursor_u16(&c, "method");
	(void)og_cursor_u32(&c, "time");
	e->crc = og_cursor_u32(&c, "crc");
	e->packed_size = og_cursor_u32(&c, "size");
	e->size = og_cursor_u32(&c, "size");
	size_t name = og_cursor_u16(&c, "name"), extra = og_cursor_u16(&c, "extra"), comment = og_cursor_u16(&c, "comment");
	uint32_t disk = og_cursor_u16(&c, "disk");
	(void)og_cursor_take(&c, 6, "attributes");
	e->header_at = og_cursor_u32(&c, "offset");
	e->deflated = method == 8;
	size_t total = OG_ZIP_CENTRAL + name + extra + comment;
	if (sig != SIG_CENTRAL || total > left)
		return og_fail_at(err, ONNXGATE_FORMAT, from, "%s: directory: expected entry %zu of %" PRIu64 " at offset %" PRIu64 ", found something else", file,
						  o->z->n + 1, o->d.count, from);
	OG_TRY(og_zip_window_get(&o->w, from, total, left, &p, err));
	/* A name that is too long is not kept: it is only shown. */
	e->name = og_arena_strndup(o->arena, (const char *)p + OG_ZIP_CENTRAL, name > OG_NAME_MAX ? OG_NAME_MAX : name);
	if (!e->name)
		return og_fail_nomem(err);
	OG_TRY(check_name(o, e, name, from, err));
	OG_TRY(check_kind(o, e, method, from, err));
	OG_TRY(widen(o, e, p + OG_ZIP_CENTRAL + name, extra, &disk, from, err));
	OG_TRY(check_sizes(o, e, disk, from, err));
	*at = from + total;
	return OG_OK;
}

static og_status read_directory(opening *o, og_error *err)
{
	og_zip *z = o->z;
	uint64_t at = o->d.at;
	z->entries = og_arena_array(o->arena, o->d.count ? (size_t)o->d.count : 1, sizeof *z->entries);
	if (!z->entries)
		return og_fail_nomem(err);
	o->sorted = true;
	while (z->n < o->d.count) {
		og_zip_entry *e = &z->entries[z->n];
		OG_TRY(read_entry(o, &at, e, err));
		o->sorted = o->sorted && (!z->n || e[-1].header_at < e->header_at);
		o->any_bytes = o->any_bytes || e->size;
		o->any_crc = o->any_crc || e->crc;
		z->n++;
	}
	z->no_crc = o->any_bytes && !o->any_crc;
	if (at != o->d.end)
		return og_fail_at(err, ONNXGATE_FORMAT, at, "%s: directory: %" PRIu64 " bytes after its last entry, expected none", z->source->name, o->d.end - at);
	return OG_OK;
}

/* ---- all entries together --------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const og_zip_entry *x = a, *y = b;
	return x->header_at < y->header_at ? -1 : x->header_at > y->header_at;
}

static og_status check_places(const opening *o, og_error *err)
{
	const og_zip *z = o->z;
	for (size_t i = 0; i < z->n; i++) {
		const og_zip_entry *e = &z->entries[i];
		uint64_t next = i + 1 < z->n ? e[1].header_at : o->d.at;
		uint64_t least = e->header_at + OG_ZIP_LOCAL + strlen(e->name) + e->packed_size;
		if (least > next)
			return og_zip_bad(z, e, err, ONNXGATE_UNSAFE, e->header_at, "it overlaps %s: its bytes reach offset %" PRIu64 ", that begins at %" PRIu64,
							  i + 1 < z->n ? "the next entry" : "the directory", least, next);
	}
	if (z->n && z->entries[0].header_at)
		return og_fail_at(err, ONNXGATE_FORMAT, 0, "%s: %" PRIu64 " bytes before the first entry, expected none", z->source->name, z->entries[0].header_at);
	return OG_OK;
}

static og_status index_names(const opening *o, og_error *err)
{
	og_zip *z = o->z;
	z->names = og_strmap_new(o->arena);
	for (size_t i = 0; z->names && i < z->n; i++) {
		uint64_t *slot = og_strmap_slot(z->names, z->entries[i].name);
		if (!slot)
			return og_fail_nomem(err);
		if (*slot)
			return og_zip_bad(z, &z->entries[i], err, ONNXGATE_FORMAT, z->entries[i].header_at, "a second entry of this name");
		*slot = i + 1;
	}
	return z->names ? OG_OK : og_fail_nomem(err);
}

og_status og_zip_open(og_source *s, og_arena *arena, og_zip **out, og_error *err)
{
	opening o = { .arena = arena, .z = og_arena_alloc(arena, sizeof *o.z) };
	og_autofree uint8_t *memory = og_alloc(WINDOW);
	if (!o.z || !memory || !(o.z->unpacked = og_arena_alloc(arena, sizeof *o.z->unpacked)))
		return og_fail_nomem(err);
	*o.z->unpacked = (og_zip_unpacked){ .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };
	o.z->source = s;
	o.w = (og_zip_window){ .s = s, .p = memory, .cap = WINDOW };
	OG_TRY(read_end(&o, err));
	OG_TRY(check_claims(&o, err));
	OG_TRY(read_directory(&o, err));
	if (!o.sorted)
		qsort(o.z->entries, o.z->n, sizeof *o.z->entries, by_place);
	OG_TRY(check_places(&o, err));
	OG_TRY(index_names(&o, err));
	OG_TRY(og_zip_locals(o.z, o.d.at, &o.w, err));
	*out = o.z;
	return OG_OK;
}

const og_zip_entry *og_zip_find(const og_zip *z, const char *name)
{
	const uint64_t *slot = og_strmap_find(z->names, name);
	return slot ? &z->entries[*slot - 1] : NULL;
}
