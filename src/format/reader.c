/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a weights file: the first format of the list that recognises its first bytes reads it.  What nobody
 * recognises is named as well as its first bytes allow, since the usual cause is a wrong file under the right name. */
#include <stdio.h>

#include "format/list.h"
#include "format/recognise.h"

static const og_format *const formats[] = {
#define ROW(name) &og_format_##name,
	OG_FORMAT_LIST(ROW)
};

static og_status refuse(const og_source *s, const og_found *f, og_error *err)
{
	(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected weights (safetensors, or what PyTorch saves), found %s", s->name, f->what);
	og_error_hint(err, "%s", f->hint);
	return ONNXGATE_UNSUPPORTED;
}

static const og_format *recognise(const uint8_t *head, size_t n, uint64_t size, og_probe at_least)
{
	for (size_t i = 0; i < OG_COUNT(formats); i++)
		if (formats[i]->probe(head, n, size) >= at_least)
			return formats[i];
	return NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

/* Sure ones first; then what is surely something else; then those that may be. What is left is named. */
static og_status find_format(og_source *s, const og_format **out, og_error *err)
{
	og_found found;
	uint8_t head[OG_HEAD];
	size_t n = s->size < OG_HEAD ? (size_t)s->size : OG_HEAD;
	OG_TRY(og_source_read(s, 0, head, n, err));
	if ((*out = recognise(head, n, s->size, OG_PROBE_YES)))
		return OG_OK;
	if (og_recognise(s, head, n, &found))
		return refuse(s, &found, err);
	if (n)
		OG_TRY(og_pickle_refuse(s, err)); /* its old protocols look like text */
	if (og_recognise_text(head, n, &found))
		return refuse(s, &found, err);
	if ((*out = recognise(head, n, s->size, OG_PROBE_MAYBE)))
		return OG_OK;
	og_guess(s, head, n, &found);
	return refuse(s, &found, err);
}

og_status og_reader_open(og_source *source, og_reader **out, og_error *err)
{
	const og_format *format = NULL;
	OG_TRY(find_format(source, &format, err));
	og_auto(og_reader) *r = og_alloc(sizeof(*r));
	if (!r)
		return og_fail_nomem(err);
	r->format = format;
	r->arena = og_arena_new();
	if (!r->arena)
		return og_fail_nomem(err);
	r->source = source;
	og_status s = r->format->read(r, err);
	if (s != OG_OK) {
		r->source = NULL; /* it stays the caller's */
		return s;
	}
	*out = og_steal(&r);
	return OG_OK;
}

og_status og_reader_check(og_reader *r, const og_context *ctx, og_error *err)
{
	return r->format->check ? r->format->check(r, ctx, err) : OG_OK;
}

og_status og_reader_add(og_reader *r, const og_tensor *t, og_error *err)
{
	if (!og_array_grow(&r->tensors, &r->cap, r->count + 1, sizeof(*r->tensors)))
		return og_fail_nomem(err);
	r->tensors[r->count++] = *t;
	return OG_OK;
}

og_status og_reader_note(og_reader *r, og_error *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *note = og_arena_vprintf(r->arena, fmt, ap);
	va_end(ap);
	if (!note || !og_arena_grow(r->arena, &r->notes, &r->note_cap, r->note_count + 1, sizeof(*r->notes)))
		return og_fail_nomem(err);
	r->notes[r->note_count++] = note;
	return OG_OK;
}

void og_reader_free(og_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->part_count; i++)
		og_source_free(r->parts[i]);
	og_free(r->parts);
	og_source_free(r->source);
	og_free(r->tensors);
	og_free(r->metadata);
	og_arena_free(r->arena);
	og_free(r);
}
