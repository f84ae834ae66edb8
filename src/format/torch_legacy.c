/* SPDX-License-Identifier: Apache-2.0
 *
 * What torch.save wrote before PyTorch 1.6: five pickles, then the storages.
 *
 *     pickle   0x1950a86a20f9469cfc6c
 *     pickle   1001
 *     pickle   {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
 *     pickle   the object; tensors name their storages by key
 *     pickle   ["94110", "94112", …]: the keys, in the order of what follows
 *     storage  int64 number of elements, then their bytes          once a key, unaligned
 *
 * All of the storages are little-endian, whatever machine wrote them (its byte order is in the third pickle and is not theirs). How wide
 * an element is only the object says, so a key that it does not use cannot be passed over: PyTorch refuses such a file, too. */
#include <inttypes.h>
#include <stdio.h>

#include "base/strmap.h"
#include "format/list.h"
#include "format/torch.h"

#define PROTOCOL 1001

static const uint8_t magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 }; /* little-endian, as LONG1 has it */

typedef struct region {
	uint64_t offset, bytes;
} region;

typedef struct legacy {
	og_reader *r;
	og_arena *scratch;
	og_torch_names names; /* that were refused */
	og_strmap *ids;       /* key → the first persistent id that has it */
	og_strmap *regions;   /* key → region */
	bool nomem;
	uint64_t at; /* behind what was read */
	og_error *err;
} legacy;

static og_status bad(const legacy *l, uint64_t at, const char *fmt, ...) OG_PRINTF(3, 4);
static og_status bad(const legacy *l, uint64_t at, const char *fmt, ...)
{
	char what[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return og_fail_at(l->err, ONNXGATE_FORMAT, at, "%s: %s at offset %" PRIu64, l->r->source->name, what, at);
}

/* ---- the pickles --------------------------------------------------------------------------------------- */

static bool allow(void *arg, og_str module, og_str name, uint64_t at)
{
	legacy *l = arg;
	return og_torch_allows_noted(&l->names, module, name, at);
}

static void note_id(legacy *l, const og_pval *v)
{
	const og_pval *id = v->kind == OG_P_PERSISTENT ? v->args : NULL;
	const og_pval *key = id && id->kind == OG_P_TUPLE && id->n > 2 ? id->items[2] : NULL;
	if (!key || (key->kind != OG_P_TEXT && key->kind != OG_P_BYTES) || key->text.n > OG_NAME_MAX)
		return;
	uint64_t *slot = og_strmap_slot(l->ids, key->text.p); /* a NUL follows */
	if (!slot)
		l->nomem = true;
	else if (!*slot)
		*slot = (uint64_t)(uintptr_t)v;
}

static void on_persistent(void *arg, const og_pval *v, uint64_t at)
{
	(void)at;
	note_id(arg, v);
}

static og_status read_pickle(legacy *l, bool object, og_pval **out)
{
	og_pickle_rules rules = { .allow = object ? allow : NULL, .persistent = object, .on_persistent = object ? on_persistent : NULL, .arg = l };
	og_status s = og_pickle_read(l->r->source, l->at, l->r->source->size, &rules, l->scratch, out, &l->at, l->err);
	if (s == ONNXGATE_UNSAFE && l->names.refused)
		og_torch_hint(&l->names, l->err);
	return s == OG_OK && l->nomem ? og_fail_nomem(l->err) : s;
}

static og_status read_head(legacy *l)
{
	og_pval *v = NULL;
	uint64_t at = l->at;
	OG_TRY(read_pickle(l, false, &v));
	if (v->kind != OG_P_BIG || v->text.n != sizeof(magic) || memcmp(v->text.p, magic, sizeof(magic)) != 0)
		return bad(l, at, "expected PyTorch's magic number, found %s", og_pkind_name(v->kind));
	at = l->at;
	OG_TRY(read_pickle(l, false, &v));
	if (v->kind != OG_P_INT || v->i != PROTOCOL)
		return bad(l, at, "expected %d as the version of the format, found another", PROTOCOL);
	at = l->at;
	OG_TRY(read_pickle(l, false, &v));
	if (v->kind != OG_P_DICT)
		return bad(l, at, "expected a dict of the system's properties, found %s", og_pkind_name(v->kind));
	return OG_OK;
}

/* ---- the storages -------------------------------------------------------------------------------------- */

static og_status read_storage(legacy *l, const og_pval *key, const char *what)
{
	char shown[100];
	uint8_t head[8];
	uint64_t elements = 0, at = l->at, *slot;
	og_storage s;
	region *place;
	if (key->kind != OG_P_TEXT && key->kind != OG_P_BYTES)
		return bad(l, key->at, "expected text as a storage's key, found %s", og_pkind_name(key->kind));
	og_str_show(key->text, shown, sizeof(shown));
	slot = og_strmap_find(l->ids, key->text.p);
	if (!slot)
		return bad(l, key->at, "storage \"%s\": is listed, and no tensor uses it", shown);
	OG_TRY(og_storage_of((const og_pval *)(uintptr_t)*slot, what, &s, l->err));
	if (!(slot = og_strmap_slot(l->regions, key->text.p)) || !(place = og_arena_alloc(l->scratch, sizeof(*place))))
		return og_fail_nomem(l->err);
	if (*slot)
		return bad(l, key->at, "storage \"%s\": is listed twice", shown);
	*slot = (uint64_t)(uintptr_t)place;
	if (l->r->source->size - at < sizeof(head))
		return bad(l, at, "storage \"%s\": its number of elements is past the end (truncated)", shown);
	OG_TRY(og_source_read(l->r->source, at, head, sizeof(head), l->err));
	for (int i = 7; i >= 0; i--)
		elements = elements << 8 | head[i];
	if (elements != s.elements)
		return bad(l, at, "storage \"%s\": expected %" PRIu64 " elements, found %" PRId64, shown, s.elements, (int64_t)elements);
	at += sizeof(head);
	if (s.bytes > l->r->source->size - at)
		return bad(l, at, "storage \"%s\": its %" PRIu64 " bytes go past the end of the file (truncated)", shown, s.bytes);
	*place = (region){ at, s.bytes };
	l->at = at + s.bytes;
	return OG_OK;
}

static og_status read_storages(legacy *l)
{
	og_pval *keys = NULL;
	uint64_t at = l->at;
	OG_TRY(read_pickle(l, false, &keys));
	if (keys->kind != OG_P_LIST)
		return bad(l, at, "expected the list of storages, found %s", og_pkind_name(keys->kind));
	for (size_t i = 0; i < keys->n; i++)
		OG_TRY(read_storage(l, keys->items[i], l->r->source->name));
	if (l->at != l->r->source->size)
		return bad(l, l->at, "expected the end of the file behind the last storage, found %" PRIu64 " bytes more", l->r->source->size - l->at);
	return OG_OK;
}

static og_status locate(void *arg, const char *folder, const og_storage *s, const char *what, og_place *out, og_error *err)
{
	const legacy *l = arg;
	char shown[100];
	(void)folder;
	uint64_t *slot = og_strmap_find(l->regions, s->key.p);
	const region *place = slot ? (const region *)(uintptr_t)*slot : NULL;
	og_str_show(s->key, shown, sizeof(shown));
	if (!place)
		return og_fail_at(err, ONNXGATE_FORMAT, s->at, "%s: expected its storage \"%s\" among those that are listed, found it absent", what, shown);
	if (place->bytes != s->bytes)
		return og_fail_at(err, ONNXGATE_FORMAT, s->at, "%s: its storage \"%s\": expected %" PRIu64 " bytes, found %" PRIu64, what, shown,
			s->bytes, place->bytes);
	*out = (og_place){ l->r->source, place->offset, place->offset };
	return OG_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static og_status torch_legacy_read(og_reader *r, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	legacy l = { .r = r, .scratch = scratch, .err = err };
	og_pval *root = NULL;
	if (!scratch || !(l.ids = og_strmap_new(scratch)) || !(l.regions = og_strmap_new(scratch)))
		return og_fail_nomem(err);
	OG_TRY(read_head(&l));
	uint64_t at = l.at;
	OG_TRY(read_pickle(&l, true, &root));
	og_torch t = { .r = r, .locate = locate, .arg = &l, .of = "", .pickle_size = l.at - at, .views = true };
	OG_TRY(read_storages(&l));
	return og_torch_tensors(&t, &(og_torch_root){ root, NULL, "" }, 1, err);
}

/* PROTO, perhaps FRAME, then LONG1 of the magic number. */
static og_probe torch_legacy_probe(const uint8_t *head, size_t n, uint64_t file_size)
{
	size_t at = 2;
	(void)file_size;
	if (n < 2 || head[0] != 0x80 || head[1] > 5)
		return OG_PROBE_NO;
	if (n > 11 && head[2] == 0x95)
		at = 11;
	if (n < at + 2 + sizeof(magic) || head[at] != 0x8a || head[at + 1] != sizeof(magic))
		return OG_PROBE_NO;
	return memcmp(head + at + 2, magic, sizeof(magic)) ? OG_PROBE_NO : OG_PROBE_YES;
}

const og_format og_format_torch_legacy = { .name = "torch_legacy", .probe = torch_legacy_probe, .read = torch_legacy_read };
