/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors: a JSON table in front of plain bytes.
 *
 *     0        8                     8+n                                  size
 *     | n: u64 | {"name": {…}, …}    | bytes of the tensors, little-endian |
 *              ^ n bytes, '{' first, spaces may follow the last '}'
 *
 *     "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}     counted from 8+n
 *     "__metadata__": {"key": "text", …}
 *
 * The rule that makes the format safe: sorted by their offsets the tensors cover the data exactly, with no gap
 * and no overlap, and each is as long as its dims and dtype say.  Stricter than the reference reader in what no
 * honest writer does, more lenient nowhere: docs/formats/safetensors.md has the list, a test of it against the
 * real library is tests/oracle/safetensors_judge.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strmap.h"
#include "codec/jscan.h"
#include "format/list.h"

#define LENGTH_BYTES 8
#define METADATA "__metadata__"

typedef struct parse {
	og_reader *r;
	og_jscan *j;
	og_arena *scratch;
	og_strmap *names;
	og_tensor t; /* the one being read */
	uint64_t entry_at;
	uint64_t begin, end;          /* its data_offsets */
	uint64_t data_at, data_size;  /* where the tensors' bytes are */
	uint64_t taken;               /* bytes of the tensors so far */
	size_t empty;                 /* tensors without any */
	size_t metadata_bytes;
	bool has_metadata;
	og_error *err;
} parse;

typedef enum field { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4 } field;

/* ---- messages ------------------------------------------------------------------------------------------ */

/* "FILE: tensor "NAME": WHAT at offset N" */
static og_status bad_at(const parse *p, og_status status, uint64_t offset, const char *name, const char *fmt, ...) OG_PRINTF(5, 6);
static og_status bad_at(const parse *p, og_status status, uint64_t offset, const char *name, const char *fmt, ...)
{
	char what[400], shown[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	og_str_show(og_str_of(name), shown, sizeof(shown));
	return og_fail_at(p->err, status, offset, "%s: tensor \"%s\": %s at offset %" PRIu64, p->r->source->name, shown, what, offset);
}
#define BAD(p, ...) bad_at(p, ONNXGATE_FORMAT, og_jscan_at((p)->j), (p)->t.name, __VA_ARGS__)
#define BAD_ENTRY(p, ...) bad_at(p, ONNXGATE_FORMAT, (p)->entry_at, (p)->t.name, __VA_ARGS__)

static og_status bad_header(const parse *p, uint64_t offset, const char *fmt, ...) OG_PRINTF(3, 4);
static og_status bad_header(const parse *p, uint64_t offset, const char *fmt, ...)
{
	char what[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return og_fail_at(p->err, ONNXGATE_FORMAT, offset, "%s: safetensors header: %s at offset %" PRIu64, p->r->source->name, what, offset);
}

static const char *kind(og_jtoken t)
{
	static const char *const names[] = { [OG_J_OBJECT] = "an object", [OG_J_ARRAY] = "an array", [OG_J_STRING] = "a string", [OG_J_NUMBER] = "a number",
		[OG_J_TRUE] = "true", [OG_J_FALSE] = "false", [OG_J_NULL] = "null" };
	return (size_t)t < OG_COUNT(names) && names[t] ? names[t] : "the end";
}

/* ---- one tensor ---------------------------------------------------------------------------------------- */

static og_status read_dtype(parse *p)
{
	char shown[64];
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	if (t != OG_J_STRING)
		return BAD(p, "expected a string as dtype, found %s", kind(t));
	p->t.dtype = og_dtype_from_safetensors(og_jscan_text(p->j));
	if (p->t.dtype == OG_DTYPE_NONE)
		return bad_at(p, ONNXGATE_UNSUPPORTED, og_jscan_at(p->j), p->t.name, "dtype \"%s\" is none that safetensors defines",
			og_str_show(og_jscan_text(p->j), shown, sizeof(shown)));
	return OG_OK;
}

/* The next item of an array of whole numbers; *more: false at its end. */
static og_status read_item(parse *p, const char *what, uint64_t max, uint64_t *out, bool *more)
{
	char shown[64];
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	*more = t != OG_J_ARRAY_END;
	if (!*more)
		return OG_OK;
	if (t != OG_J_NUMBER)
		return BAD(p, "%s: expected whole numbers, found %s", what, kind(t));
	if (!og_parse_u64(og_jscan_text(p->j), max, out))
		return BAD(p, "%s: expected whole numbers from 0 to %" PRIu64 ", found %s", what, max, og_str_show(og_jscan_text(p->j), shown, sizeof(shown)));
	return OG_OK;
}

static og_status open_array(parse *p, const char *what)
{
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	return t == OG_J_ARRAY ? OG_OK : BAD(p, "%s: expected an array, found %s", what, kind(t));
}

static og_status read_shape(parse *p)
{
	OG_TRY(open_array(p, "shape"));
	for (;;) {
		uint64_t v = 0;
		bool more;
		OG_TRY(read_item(p, "shape", OG_DIM_MAX, &v, &more));
		if (!more)
			return OG_OK;
		if (p->t.rank == OG_RANK_MAX)
			return BAD(p, "shape: expected at most %d dims, found more", OG_RANK_MAX);
		p->t.dims[p->t.rank++] = (int64_t)v;
	}
}

static og_status read_offsets(parse *p)
{
	uint64_t v[3] = { 0 };
	bool more = true;
	OG_TRY(open_array(p, "data_offsets"));
	for (int i = 0; i < 3; i++) {
		OG_TRY(read_item(p, "data_offsets", UINT64_MAX, &v[i], &more));
		if (more != (i < 2))
			return BAD(p, "data_offsets: expected two numbers, found %s", more ? "more" : "fewer");
	}
	p->begin = v[0];
	p->end = v[1];
	return OG_OK;
}

static og_status read_fields(parse *p)
{
	static const struct {
		const char *key;
		field bit;
		og_status (*read)(parse *p);
	} fields[] = { { "dtype", HAS_DTYPE, read_dtype }, { "shape", HAS_SHAPE, read_shape }, { "data_offsets", HAS_OFFSETS, read_offsets } };
	unsigned seen = 0;
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	if (t != OG_J_OBJECT)
		return BAD(p, "expected an object, found %s", kind(t));
	while ((t = og_jscan_next(p->j)) == OG_J_KEY) {
		size_t i = 0;
		while (i < OG_COUNT(fields) && !og_str_is(og_jscan_text(p->j), fields[i].key))
			i++;
		if (i == OG_COUNT(fields)) { /* unknown keys are allowed: the reference reader skips them */
			if (!og_jscan_skip(p->j, og_jscan_next(p->j)))
				break;
			continue;
		}
		if (seen & fields[i].bit)
			return BAD(p, "%s is given a second time", fields[i].key);
		seen |= fields[i].bit;
		OG_TRY(fields[i].read(p));
	}
	OG_TRY(og_jscan_check(p->j, p->err));
	for (size_t i = 0; i < OG_COUNT(fields); i++)
		if (!(seen & fields[i].bit))
			return BAD_ENTRY(p, "expected %s, found none", fields[i].key);
	return OG_OK;
}

/* What one entry must satisfy by itself. */
static og_status check_entry(parse *p)
{
	char dims[256];
	uint64_t elements = 1, bytes = 0;
	og_tensor *t = &p->t;
	const char *type = og_dtype_safetensors(t->dtype);
	og_dims_show(t->dims, t->rank, dims, sizeof(dims));
	for (int i = 0; i < t->rank; i++)
		if (!og_mul_u64(elements, (uint64_t)t->dims[i], &elements))
			return BAD_ENTRY(p, "the product of shape %s does not fit in 64 bits", dims);
	if (!og_dtype_bytes(t->dtype, elements, &bytes))
		return BAD_ENTRY(p, "the size of shape %s of %s does not fit in 64 bits", dims, type);
	if (og_dtype_bits(t->dtype) % 8 && elements * og_dtype_bits(t->dtype) % 8)
		return BAD_ENTRY(p, "%" PRIu64 " elements of %u bits (%s) do not fill whole bytes", elements, og_dtype_bits(t->dtype), type);
	if (p->end < p->begin)
		return BAD_ENTRY(p, "data_offsets run backwards: [%" PRIu64 ", %" PRIu64 "]", p->begin, p->end);
	if (p->end > p->data_size)
		return BAD_ENTRY(p, "data_offsets [%" PRIu64 ", %" PRIu64 "] end past the data: the file has %" PRIu64 " bytes of it", p->begin, p->end, p->data_size);
	if (p->end - p->begin != bytes)
		return BAD_ENTRY(p, "shape %s of %s takes %" PRIu64 " bytes, data_offsets give %" PRIu64, dims, type, bytes, p->end - p->begin);
	t->offset = p->data_at + p->begin;
	t->size = bytes;
	return OG_OK;
}

static og_status check_cover(parse *p);

static og_status copy_text(parse *p, og_str s, const char *what, size_t max, const char **out)
{
	char shown[64];
	if (s.n > max)
		return bad_header(p, og_jscan_at(p->j), "%s longer than %zu bytes, beginning with \"%s\",", what, max, og_str_show(s, shown, sizeof(shown)));
	if (memchr(s.p, 0, s.n))
		return bad_header(p, og_jscan_at(p->j), "%s \"%s\" holds a zero character", what, og_str_show(s, shown, sizeof(shown)));
	*out = og_arena_strndup(p->r->arena, s.p, s.n);
	return *out ? OG_OK : og_fail_nomem(p->err);
}

static og_status read_tensor(parse *p)
{
	og_reader *r = p->r;
	p->t = (og_tensor){ .source = r->source };
	p->entry_at = og_jscan_at(p->j);
	OG_TRY(copy_text(p, og_jscan_text(p->j), "a tensor's name", OG_NAME_MAX, &p->t.name));
	uint64_t *slot = og_strmap_slot(p->names, p->t.name);
	if (!slot)
		return og_fail_nomem(p->err);
	if (*slot)
		return BAD_ENTRY(p, "the name is given twice, first at offset %" PRIu64 " and again", *slot);
	*slot = p->entry_at;
	if (r->count == OG_SAFETENSORS_TENSORS_MAX)
		return bad_header(p, p->entry_at, "expected at most %d tensors, found more", OG_SAFETENSORS_TENSORS_MAX);
	OG_TRY(read_fields(p));
	OG_TRY(check_entry(p));
	/* The end would show both as well, but only after a table as long as a hostile header wants it. */
	p->taken += p->t.size; /* cannot overflow: each is at most data_size */
	if (p->taken > p->data_size) {
		OG_TRY(og_reader_add(r, &p->t, p->err));
		return check_cover(p); /* more bytes than there are: two of them overlap */
	}
	p->empty += !p->t.size;
	if (p->empty > OG_SAFETENSORS_EMPTY_MAX)
		return BAD_ENTRY(p, "expected at most %d tensors without elements, found more", OG_SAFETENSORS_EMPTY_MAX);
	og_tensor_set_dense(&p->t);
	return og_reader_add(r, &p->t, p->err);
}

/* ---- metadata ------------------------------------------------------------------------------------------ */

static og_status read_metadata_pair(parse *p, og_strmap *keys)
{
	og_reader *r = p->r;
	char shown[64];
	og_pair pair = { 0 };
	uint64_t key_at = og_jscan_at(p->j);
	p->metadata_bytes += og_jscan_text(p->j).n;
	OG_TRY(copy_text(p, og_jscan_text(p->j), "a key of " METADATA, OG_SAFETENSORS_METADATA_MAX, &pair.key));
	og_str_show(og_str_of(pair.key), shown, sizeof(shown));
	uint64_t *slot = og_strmap_slot(keys, pair.key);
	if (!slot)
		return og_fail_nomem(p->err);
	if (*slot)
		return bad_header(p, key_at, "key \"%s\" of " METADATA " is given twice, first at offset %" PRIu64 " and again", shown, *slot);
	*slot = key_at;
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	if (t != OG_J_STRING)
		return bad_header(p, og_jscan_at(p->j), "key \"%s\" of " METADATA ": expected a string, found %s", shown, kind(t));
	p->metadata_bytes += og_jscan_text(p->j).n;
	if (p->metadata_bytes > OG_SAFETENSORS_METADATA_MAX)
		return bad_header(p, og_jscan_at(p->j), "expected at most %u bytes in " METADATA ", found more", OG_SAFETENSORS_METADATA_MAX);
	OG_TRY(copy_text(p, og_jscan_text(p->j), "a value of " METADATA, OG_SAFETENSORS_METADATA_MAX, &pair.value));
	if (!og_array_grow(&r->metadata, &r->metadata_cap, r->metadata_count + 1, sizeof(*r->metadata)))
		return og_fail_nomem(p->err);
	r->metadata[r->metadata_count++] = pair;
	return OG_OK;
}

static og_status read_metadata(parse *p)
{
	if (p->has_metadata)
		return bad_header(p, og_jscan_at(p->j), METADATA " is given a second time");
	p->has_metadata = true;
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	if (t == OG_J_NULL) /* as the reference reader */
		return OG_OK;
	if (t != OG_J_OBJECT)
		return bad_header(p, og_jscan_at(p->j), "expected an object of strings as " METADATA ", found %s", kind(t));
	og_strmap *keys = og_strmap_new(p->scratch);
	if (!keys)
		return og_fail_nomem(p->err);
	while (og_jscan_next(p->j) == OG_J_KEY)
		OG_TRY(read_metadata_pair(p, keys));
	return og_jscan_check(p->j, p->err);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const og_tensor *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(x->name, y->name); /* empty ones in one place: any order will do that is always the same */
}

/* t does not begin where the tensor before it ends. */
static og_status bad_place(const parse *p, size_t i, uint64_t expected)
{
	char name[200], before[220] = "the data begins";
	const og_tensor *t = &p->r->tensors[i];
	if (i) {
		og_str_show(og_str_of(t[-1].name), name, sizeof(name));
		snprintf(before, sizeof(before), "tensor \"%s\" ends", name);
	}
	og_str_show(og_str_of(t->name), name, sizeof(name));
	return og_fail_at(p->err, ONNXGATE_FORMAT, t->offset, "%s: tensor \"%s\": data_offsets %s: expected to begin at %" PRIu64 ", where %s, found %" PRIu64,
		p->r->source->name, name, t->offset < expected ? "overlap" : "leave a gap", expected - p->data_at, before, t->offset - p->data_at);
}

static og_status check_cover(parse *p)
{
	og_reader *r = p->r;
	uint64_t next = p->data_at, end = p->data_at + p->data_size;
	bool sorted = true;
	for (size_t i = 1; i < r->count && sorted; i++)
		sorted = by_place(&r->tensors[i - 1], &r->tensors[i]) < 0;
	if (!sorted)
		qsort(r->tensors, r->count, sizeof(*r->tensors), by_place);
	for (size_t i = 0; i < r->count; i++) {
		if (r->tensors[i].offset != next)
			return bad_place(p, i, next);
		next += r->tensors[i].size;
	}
	if (next != end)
		return og_fail_at(p->err, ONNXGATE_FORMAT, next, "%s: expected the file to end with its last tensor at %" PRIu64 ", found %" PRIu64 " bytes more",
			r->source->name, next, end - next);
	return OG_OK;
}

static og_status read_table(parse *p)
{
	og_jtoken t = og_jscan_next(p->j);
	OG_TRY(og_jscan_check(p->j, p->err));
	if (t != OG_J_OBJECT)
		return bad_header(p, og_jscan_at(p->j), "expected an object, found %s", kind(t));
	while ((t = og_jscan_next(p->j)) == OG_J_KEY) {
		if (og_str_is(og_jscan_text(p->j), METADATA))
			OG_TRY(read_metadata(p));
		else
			OG_TRY(read_tensor(p));
	}
	if (t == OG_J_OBJECT_END)
		(void)og_jscan_next(p->j); /* the end, or what should not be there */
	OG_TRY(og_jscan_check(p->j, p->err));
	return check_cover(p);
}

static uint64_t length_of(const uint8_t *head)
{
	uint64_t n = 0;
	for (int i = LENGTH_BYTES - 1; i >= 0; i--)
		n = n << 8 | head[i];
	return n;
}

static og_status check_length(const parse *p, uint64_t n, uint64_t size)
{
	if (n == 0)
		return bad_header(p, 0, "expected a length of at least 2, found 0");
	if (n > OG_SAFETENSORS_HEADER_MAX)
		return bad_header(p, 0, "expected a length of at most %u, found %" PRIu64, OG_SAFETENSORS_HEADER_MAX, n);
	if (n > size - LENGTH_BYTES)
		return bad_header(p, 0, "its length of %" PRIu64 " goes past the end of the file (%" PRIu64 " bytes)", n, size);
	return OG_OK;
}

static og_status safetensors_read(og_reader *r, og_error *err)
{
	uint8_t head[LENGTH_BYTES + 1];
	og_auto(og_arena) *scratch = og_arena_new();
	parse p = { .r = r, .scratch = scratch, .err = err };
	uint64_t size = r->source->size;
	if (size < LENGTH_BYTES)
		return bad_header(&p, 0, "expected %d bytes of length, found %" PRIu64, LENGTH_BYTES, size);
	OG_TRY(og_source_read(r->source, 0, head, LENGTH_BYTES, err));
	uint64_t n = length_of(head);
	OG_TRY(check_length(&p, n, size));
	OG_TRY(og_source_read(r->source, LENGTH_BYTES, head + LENGTH_BYTES, 1, err));
	if (head[LENGTH_BYTES] != '{')
		return bad_header(&p, LENGTH_BYTES, "expected '{' as its first byte, found byte 0x%02x", head[LENGTH_BYTES]);
	p.data_at = LENGTH_BYTES + n;
	p.data_size = size - p.data_at;
	p.names = scratch ? og_strmap_new(scratch) : NULL;
	if (!p.names)
		return og_fail_nomem(err);
	og_auto(og_jscan) *j = NULL;
	OG_TRY(og_jscan_open(r->source, LENGTH_BYTES, n, OG_SAFETENSORS_METADATA_MAX, OG_JSON_DEPTH_MAX, &j, err));
	p.j = j;
	return read_table(&p);
}

/* Sure: '{' behind a believable length.  Perhaps: one of the two, so that what is wrong with the other can be said. */
static og_probe safetensors_probe(const uint8_t *head, size_t n, uint64_t file_size)
{
	if (n < LENGTH_BYTES)
		return OG_PROBE_NO;
	uint64_t length = length_of(head);
	bool brace = n > LENGTH_BYTES && head[LENGTH_BYTES] == '{';
	if (brace && length <= OG_SAFETENSORS_HEADER_MAX)
		return OG_PROBE_YES;
	return brace || (length <= OG_SAFETENSORS_HEADER_MAX && length <= file_size - LENGTH_BYTES) ? OG_PROBE_MAYBE : OG_PROBE_NO;
}

const og_format og_format_safetensors = { .name = "safetensors", .probe = safetensors_probe, .read = safetensors_read };
