/* SPDX-License-Identifier: Apache-2.0
 *
 * What torch.save writes since PyTorch 1.6: a zip archive with one folder of any name.
 *
 *     archive/data.pkl                the object; tensors name their storages by key
 *     archive/byteorder               "little" or "big"; absent: little
 *     archive/version                 "3\n"
 *     archive/data/0, archive/data/1  the bytes of each storage, stored, aligned to 64
 *     archive/.data/serialization_id  and others, which are not read
 *
 * A stored entry's bytes are read where they are; a deflated one (made by another program) is unpacked when it is first read. */
#include <inttypes.h>
#include <stdio.h>

#include "format/list.h"
#include "format/recognise.h"
#include "format/torch.h"

#define RECORD_MAX 64 /* bytes of version and byteorder */
#define VERSION_MAX 10 /* that PyTorch itself reads */

/* ---- entries ------------------------------------------------------------------------------------------- */

static const og_zip_entry *entry_of(const og_torch_zip *z, const char *name)
{
	return og_torch_entry(z, "", og_str_of(name));
}

const og_zip_entry *og_torch_entry(const og_torch_zip *z, const char *folder, og_str name)
{
	char path[2 * OG_NAME_MAX];
	size_t a = strlen(z->root), b = strlen(folder);
	if (name.n >= sizeof(path) || a + b + name.n >= sizeof(path))
		return NULL;
	memcpy(path, z->root, a);
	memcpy(path + a, folder, b);
	memcpy(path + a + b, name.p, name.n);
	path[a + b + name.n] = 0;
	return og_zip_find(z->zip, path);
}

/* "…/data.pkl", one folder deep: the length of "…/", else 0. */
static size_t root_length(const char *name)
{
	const char *slash = strchr(name, '/');
	return slash && og_streq(slash, "/data.pkl") ? (size_t)(slash - name) + 1 : 0;
}

/* The one folder. Leaves z->root NULL when the archive is none of PyTorch's. */
static og_status find_root(og_reader *r, og_torch_zip *z, og_error *err)
{
	char one[120], other[120];
	const char *found = NULL;
	for (size_t i = 0; i < z->zip->n; i++) {
		const char *name = z->zip->entries[i].name;
		size_t n = root_length(name);
		if (!n)
			continue;
		if (found)
			return og_fail(err, ONNXGATE_FORMAT, "%s: expected one data.pkl, found %s and %s", r->source->name, og_str_show(og_str_of(found), one, sizeof(one)),
				og_str_show(og_str_of(name), other, sizeof(other)));
		found = name;
		z->root = og_arena_strndup(r->arena, name, n);
		if (!z->root)
			return og_fail_nomem(err);
	}
	for (size_t i = 0; found && i < z->zip->n; i++)
		if (!og_starts_with(z->zip->entries[i].name, z->root))
			return og_fail_at(err, ONNXGATE_FORMAT, z->zip->entries[i].header_at, "%s: expected every entry in the folder %s, found %s at offset %" PRIu64,
				r->source->name, og_str_show(og_str_of(z->root), one, sizeof(one)),
				og_str_show(og_str_of(z->zip->entries[i].name), other, sizeof(other)), z->zip->entries[i].header_at);
	return OG_OK;
}

static og_status not_torch(const og_reader *r, const og_torch_zip *z, og_error *err)
{
	const char *what, *hint;
	og_zip_name(z->zip, &what, &hint);
	(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected weights (safetensors, or what PyTorch saves), found %s", r->source->name, what);
	og_error_hint(err, "%s", hint);
	return ONNXGATE_UNSUPPORTED;
}

/* ---- records ------------------------------------------------------------------------------------------- */

static og_status read_record(og_reader *r, const og_torch_zip *z, const char *name, og_str *out, og_error *err)
{
	const uint8_t *p = NULL;
	const og_zip_entry *e = entry_of(z, name);
	*out = (og_str){ NULL, 0 };
	if (!e)
		return OG_OK;
	OG_TRY(og_zip_read(z->zip, e, RECORD_MAX, r->arena, &p, err));
	*out = (og_str){ (const char *)p, (size_t)e->size };
	return OG_OK;
}

static og_status read_version(og_reader *r, const og_torch_zip *z, og_error *err)
{
	char shown[40];
	uint64_t version;
	og_str s;
	OG_TRY(read_record(r, z, "version", &s, err));
	if (!s.p)
		OG_TRY(read_record(r, z, ".data/version", &s, err));
	if (!s.p)
		return og_fail(err, ONNXGATE_FORMAT, "%s: expected the record version beside data.pkl, found none", r->source->name);
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	og_str_show(s, shown, sizeof(shown));
	if (!og_parse_u64(s, UINT64_MAX, &version))
		return og_fail(err, ONNXGATE_FORMAT, "%s: expected a number as version, found \"%s\"", r->source->name, shown);
	if (version > VERSION_MAX)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected a version of PyTorch's format up to %d, found %s", r->source->name, VERSION_MAX, shown);
	return OG_OK;
}

static og_status read_byteorder(og_reader *r, og_torch_zip *z, og_error *err)
{
	char shown[40];
	og_str s;
	OG_TRY(read_record(r, z, "byteorder", &s, err));
	z->swapped = s.p && og_str_is(s, "big");
	if (s.p && !z->swapped && !og_str_is(s, "little"))
		return og_fail(err, ONNXGATE_FORMAT, "%s: byteorder: expected little or big, found \"%s\"", r->source->name, og_str_show(s, shown, sizeof(shown)));
	return OG_OK;
}

/* ---- the pickle and the storages ----------------------------------------------------------------------- */

og_status og_torch_zip_pickle(og_reader *r, const og_zip_entry *e, og_torch_names *names, og_arena *scratch, og_pval **out, const char **of,
	og_error *err)
{
	const og_torch_zip *z = r->state;
	og_auto(og_source) *unpacked = NULL;
	og_pickle_rules rules = { .allow = og_torch_allows_noted, .persistent = true, .arg = names };
	uint64_t at = e->data_at, end = e->data_at + e->size, next = 0;
	const char *base = strrchr(e->name, '/') + 1;
	*of = "";
	if (e->deflated) {
		at = 0;
		end = e->size;
		*of = og_arena_printf(r->arena, " of %s", base);
		if (!*of)
			return og_fail_nomem(err);
		OG_TRY(og_zip_inflated(z->zip, e, &unpacked, err));
	} else {
		OG_TRY(og_zip_check(z->zip, e, NULL, err));
	}
	og_status s = og_pickle_read(unpacked ? unpacked : r->source, at, end, &rules, scratch, out, &next, err);
	if (s == ONNXGATE_UNSAFE && names->refused)
		og_torch_hint(names, err);
	OG_TRY(s);
	if (next != end)
		return og_fail_at(err, ONNXGATE_FORMAT, next, "%s: %s: expected its end behind STOP, found %" PRIu64 " bytes more at offset %" PRIu64 "%s",
			r->source->name, base, end - next, next, *of);
	return OG_OK;
}

static og_status unpack(og_reader *r, const og_zip_entry *e, og_source **out, og_error *err)
{
	const og_torch_zip *z = r->state;
	if (!og_array_grow(&r->parts, &r->part_cap, r->part_count + 1, sizeof(*r->parts)))
		return og_fail_nomem(err);
	OG_TRY(og_zip_inflated(z->zip, e, out, err));
	r->parts[r->part_count++] = *out;
	return OG_OK;
}

og_status og_torch_zip_locate(void *reader, const char *folder, const og_storage *s, const char *what, og_place *out, og_error *err)
{
	og_reader *r = reader;
	char shown[120];
	const og_zip_entry *e = og_torch_entry(r->state, folder, s->key);
	og_str_show(s->key, shown, sizeof(shown));
	if (!e)
		return og_fail_at(err, ONNXGATE_FORMAT, s->at, "%s: expected its storage as the entry %s%s, found none", what, folder, shown);
	if (e->size != s->bytes) /* PyTorch's own rule */
		return og_fail_at(err, ONNXGATE_FORMAT, e->data_at, "%s: its storage %s%s: expected %" PRIu64 " bytes (%" PRIu64 " elements), found %" PRIu64
			" at offset %" PRIu64, what, folder, shown, s->bytes, s->elements, e->size, e->data_at);
	*out = (og_place){ r->source, e->data_at, e->data_at };
	if (!e->deflated)
		return OG_OK;
	out->offset = 0;
	return unpack(r, e, &out->source, err);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static og_status torch_zip_read(og_reader *r, og_error *err)
{
	og_torch_zip *z = og_arena_alloc(r->arena, sizeof(*z));
	og_auto(og_arena) *scratch = og_arena_new();
	og_torch_names names = { 0 };
	og_pval *root = NULL;
	if (!z || !scratch)
		return og_fail_nomem(err);
	r->state = z;
	OG_TRY(og_zip_open(r->source, r->arena, &z->zip, err));
	OG_TRY(find_root(r, z, err));
	if (!z->root)
		return not_torch(r, z, err);
	OG_TRY(read_version(r, z, err));
	OG_TRY(read_byteorder(r, z, err));
	if (entry_of(z, "constants.pkl"))
		return og_torchscript_read(r, err);
	const og_zip_entry *e = entry_of(z, "data.pkl");
	og_torch t = { .r = r, .locate = og_torch_zip_locate, .arg = r, .pickle_size = e->size, .swapped = z->swapped };
	OG_TRY(og_torch_zip_pickle(r, e, &names, scratch, &root, &t.of, err));
	return og_torch_tensors(&t, &(og_torch_root){ root, NULL, "data/" }, 1, err);
}

og_status og_torch_zip_check(og_reader *r, const og_context *ctx, og_error *err)
{
	const og_torch_zip *z = r->state;
	for (size_t i = 0; i < z->zip->n; i++) {
		OG_TRY(og_check_cancel(ctx, err));
		OG_TRY(og_zip_check(z->zip, &z->zip->entries[i], ctx, err));
	}
	return OG_OK;
}

static og_probe torch_zip_probe(const uint8_t *head, size_t n, uint64_t file_size)
{
	(void)file_size;
	return n >= 4 && !memcmp(head, "PK\x03\x04", 4) ? OG_PROBE_YES : OG_PROBE_NO;
}

const og_format og_format_torch_zip = { .name = "torch_zip", .probe = torch_zip_probe, .read = torch_zip_read, .check = og_torch_zip_check };
