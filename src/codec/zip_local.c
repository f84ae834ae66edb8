/* SPDX-License-Identifier: Apache-2.0
 *
 * The local headers of a zip archive and what stands between its entries:
 *
 *     header (30) name extra | data | descriptor (0, 12, 16, 20 or 24) | header …
 *     ^header_at               ^data_at                                  ^next
 *
 * The directory gives header_at, next and the data's size; so the room of everything else is known before a local header is read, and
 * there are no bytes that neither header nor descriptor explains.  Headers of neighbours are read together when little lies between them. */
#include <inttypes.h>
#include <string.h>

#include "codec/zip_int.h"

#define GAP ((uint64_t)16 << 10) /* reading on over so many bytes is cheaper than another read */
#define DESCRIPTOR_MAX 24u
#define SIG_LOCAL 0x04034b50u
#define SIG_DESCRIPTOR 0x08074b50u

typedef struct walk {
	const og_zip *z;
	uint64_t directory_at;
	og_zip_window *w;
	og_error *err;
} walk;

static uint64_t next_of(const walk *k, size_t i)
{
	return i + 1 < k->z->n ? k->z->entries[i + 1].header_at : k->directory_at;
}

/* Bytes of entry i that are not data: its header, name, extra field and descriptor. */
static uint64_t room_of(const walk *k, size_t i)
{
	return next_of(k, i) - k->z->entries[i].header_at - k->z->entries[i].packed_size;
}

/* How far to read from `at`, which is in entry i's header (or, `behind`, after its data): as long as the gaps are small. */
static uint64_t ahead_of(const walk *k, size_t i, uint64_t at, bool behind)
{
	uint64_t end = at;
	if (!behind)
		end = k->z->entries[i].header_at + room_of(k, i);
	for (; i < k->z->n; i++) {
		uint64_t next = next_of(k, i), tail = next - DESCRIPTOR_MAX;
		if (tail > end && tail - end > GAP)
			break;
		if (next - at > k->w->cap)
			break;
		end = next;
		if (i + 1 < k->z->n)
			end += room_of(k, i + 1);
	}
	return end - at;
}

/* Bytes of entry i's header, or behind its data. */
static og_status get(const walk *k, size_t i, uint64_t at, size_t need, const uint8_t **out)
{
	const og_zip_entry *e = &k->z->entries[i];
	uint64_t ahead = og_zip_window_has(k->w, at, need) ? need : ahead_of(k, i, at, at != e->header_at);
	return og_zip_window_get(k->w, at, need, ahead, out, k->err);
}

static og_status bad(const walk *k, const og_zip_entry *e, const char *what, uint64_t found, uint64_t expected)
{
	return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "%s: its local header says 0x%" PRIx64 ", the directory 0x%" PRIx64, what,
					  found, expected);
}

/* The sizes of a local header. Where a descriptor follows they may still be 0; all ones: they stand in the zip64 record. PyTorch's writer
 * has such a record beside sizes of 0, with the size, 0 and the entry's place, as they apply. */
static og_status check_sizes(const walk *k, const og_zip_entry *e, uint64_t packed, uint64_t size, const uint8_t *extra, size_t extra_size)
{
	const bool later = e->flags & OG_ZIP_DESCRIPTOR;
	og_zip_extra x;
	if (!og_zip_extra_read(extra, extra_size, &x))
		return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "the extra field of its local header is malformed");
	if (x.unicode && !og_str_is(x.name, e->name))
		return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "a second name in the extra field of its local header");
	if (x.zip64 && (size == 0xffffffff || packed == 0xffffffff)) {
		if (size == 0xffffffff)
			size = og_cursor_u64(&x.values, "size");
		if (packed == 0xffffffff)
			packed = og_cursor_u64(&x.values, "size");
		if (x.values.bad)
			return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "the zip64 record of its local header is too short");
	}
	while (x.zip64 && og_cursor_left(&x.values)) {
		uint64_t v = og_cursor_u64(&x.values, "value");
		if (x.values.bad || (v != e->size && v != e->packed_size && v != e->header_at && !(v == 0 && later)))
			return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "the zip64 record of its local header holds what the directory does not");
	}
	if (size != e->size && !(later && size == 0))
		return bad(k, e, "size", size, e->size);
	if (packed != e->packed_size && !(later && packed == 0))
		return bad(k, e, "packed size", packed, e->packed_size);
	return OG_OK;
}

static og_status check_header(const walk *k, size_t i)
{
	og_zip_entry *e = &k->z->entries[i];
	size_t name = strlen(e->name);
	uint64_t room = room_of(k, i);
	const uint8_t *p;
	OG_TRY(get(k, i, e->header_at, OG_ZIP_LOCAL + name, &p));
	og_cursor c = og_cursor_over(p, OG_ZIP_LOCAL, e->header_at);
	uint32_t sig = og_cursor_u32(&c, "signature");
	(void)og_cursor_u16(&c, "version");
	unsigned flags = og_cursor_u16(&c, "flags"), method = og_cursor_u16(&c, "method");
	(void)og_cursor_u32(&c, "time");
	uint32_t crc = og_cursor_u32(&c, "crc"), packed = og_cursor_u32(&c, "size"), size = og_cursor_u32(&c, "size");
	size_t name_size = og_cursor_u16(&c, "name"), extra = og_cursor_u16(&c, "extra");
	if (sig != SIG_LOCAL)
		return bad(k, e, "signature", sig, SIG_LOCAL);
	if ((flags ^ e->flags) & ~OG_ZIP_HINTS)
		return bad(k, e, "flags", flags, e->flags);
	if (method != (e->deflated ? 8 : 0))
		return bad(k, e, "method", method, e->deflated ? 8 : 0);
	if (name_size != name || memcmp(p + OG_ZIP_LOCAL, e->name, name) != 0)
		return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, e->header_at, "its local header has another name");
	if (crc != e->crc && !((flags & OG_ZIP_DESCRIPTOR) && crc == 0))
		return bad(k, e, "CRC", crc, e->crc);
	if (OG_ZIP_LOCAL + name + extra > room)
		return og_zip_bad(k->z, e, k->err, ONNXGATE_UNSAFE, e->header_at, "it overlaps what follows: header %zu bytes, data %" PRIu64 ", room for %" PRIu64,
						  OG_ZIP_LOCAL + name + extra, e->packed_size, room + e->packed_size);
	OG_TRY(get(k, i, e->header_at, OG_ZIP_LOCAL + name + extra, &p));
	e->data_at = e->header_at + OG_ZIP_LOCAL + name + extra;
	return check_sizes(k, e, packed, size, p + OG_ZIP_LOCAL + name, extra);
}

/* With or without its signature, with sizes of four or of eight bytes: its length tells which. */
static og_status check_descriptor(const walk *k, size_t i)
{
	const og_zip_entry *e = &k->z->entries[i];
	uint64_t at = e->data_at + e->packed_size, n = next_of(k, i) - at;
	bool later = e->flags & OG_ZIP_DESCRIPTOR, right = true;
	const uint8_t *p;
	if (later ? n != 12 && n != 16 && n != 20 && n != 24 : n != 0)
		return og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, at, "%" PRIu64 " bytes after its data, expected %s", n, later ? "a descriptor" : "none");
	if (!later)
		return OG_OK;
	OG_TRY(get(k, i, at, (size_t)n, &p));
	og_cursor c = og_cursor_over(p, (size_t)n, at);
	if (n == 16 || n == 24)
		right = og_cursor_u32(&c, "signature") == SIG_DESCRIPTOR;
	right = right && og_cursor_u32(&c, "crc") == e->crc;
	if (n < 20)
		right = right && og_cursor_u32(&c, "size") == e->packed_size && og_cursor_u32(&c, "size") == e->size;
	else
		right = right && og_cursor_u64(&c, "size") == e->packed_size && og_cursor_u64(&c, "size") == e->size;
	return right ? OG_OK : og_zip_bad(k->z, e, k->err, ONNXGATE_FORMAT, at, "the descriptor after its data contradicts the directory");
}

og_status og_zip_locals(const og_zip *z, uint64_t directory_at, og_zip_window *w, og_error *err)
{
	walk k = { z, directory_at, w, err };
	for (size_t i = 0; i < z->n; i++) {
		OG_TRY(check_header(&k, i));
		OG_TRY(check_descriptor(&k, i));
	}
	return OG_OK;
}
