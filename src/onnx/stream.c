/* SPDX-License-Identifier: Apache-2.0
 *
 * The window over a protobuf file.  A field's head (tag, and length or number) is at most 20 bytes, so the
 * window only ever has to hold that much; payloads are copied out, parsed as messages, or jumped over. */
#include "onnx/stream.h"

enum { HEAD_BYTES = 20, VARINT_BYTES = 10, CANCEL_EVERY = 65536 };

og_status og_stream_bad(og_stream *in, uint64_t at, const char *fmt, ...)
{
	char what[512];
	og_buf b;
	va_list ap;

	og_buf_init(&b, sizeof(what) - 1);
	va_start(ap, fmt);
	og_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	const char *text = og_buf_cstr(&b);
	og_status s = og_fail_at(in->err, ONNXGATE_FORMAT, at, "%s: %s at offset %llu", in->source->name, text ? text : "malformed", (unsigned long long)at);

	og_buf_done(&b);
	return s;
}

static og_status memory_check(og_stream *in, size_t more)
{
	size_t used = og_arena_size(in->arena) - in->arena_base;

	if (used <= OG_ONNX_MEMORY_MAX && more <= OG_ONNX_MEMORY_MAX - used)
		return OG_OK;
	return og_stream_bad(in, in->pos, "the messages without the weights take more than the limit of %u MiB of memory", OG_ONNX_MEMORY_MAX >> 20);
}

og_status og_stream_alloc(og_stream *in, size_t size, void *out_ptr)
{
	void *p;

	OG_TRY(memory_check(in, size));
	p = og_arena_alloc(in->arena, size);
	if (!p)
		return og_fail_nomem(in->err);
	memcpy(out_ptr, &p, sizeof(p));
	return OG_OK;
}

/* Most arrays of a node have one or two elements, so growth begins there. */
static og_status grow(og_stream *in, void *array, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : size > 64 ? 1 : 2;
	void *old, *wider = NULL;

	if (more > OG_ONNX_MEMORY_MAX / size)
		return memory_check(in, OG_ONNX_MEMORY_MAX);
	OG_TRY(og_stream_alloc(in, more * size, &wider));
	memcpy(&old, array, sizeof(old));
	if (count)
		memcpy(wider, old, count * size);
	memcpy(array, &wider, sizeof(wider));
	*cap = more;
	return OG_OK;
}

og_status og_stream_push(og_stream *in, void *array, size_t *count, size_t *cap, size_t size, void **slot)
{
	char *p;

	if (*count == *cap)
		OG_TRY(grow(in, array, *count, cap, size));
	memcpy(&p, array, sizeof(p));
	*slot = p + *count * size;
	(*count)++;
	return OG_OK;
}

/* A cursor over at most `want` bytes from the stream's position to `end`. */
static og_status peek(og_stream *in, uint64_t end, size_t want, og_cursor *out)
{
	uint64_t left = end - in->pos, have = 0;

	if (want > left)
		want = (size_t)left;
	if (in->pos >= in->window_at && in->pos < in->window_at + in->window_n)
		have = in->window_at + in->window_n - in->pos;
	if (have < want) {
		uint64_t n = in->source->size - in->pos;

		n = n < OG_STREAM_WINDOW ? n : OG_STREAM_WINDOW;
		in->window_n = 0;
		OG_TRY(og_source_read(in->source, in->pos, in->window, (size_t)n, in->err));
		in->window_at = in->pos;
		in->window_n = (size_t)n;
	}
	*out = og_cursor_over(in->window + (in->pos - in->window_at), want, in->pos);
	return OG_OK;
}

og_status og_stream_read(og_stream *in, void *p, size_t n)
{
	if (in->pos >= in->window_at && in->pos + n <= in->window_at + in->window_n) {
		memcpy(p, in->window + (in->pos - in->window_at), n);
	} else if (n <= OG_STREAM_WINDOW / 4) {
		og_cursor c;

		OG_TRY(peek(in, in->pos + n, n, &c));
		memcpy(p, c.p, n);
	} else {
		OG_TRY(og_source_read(in->source, in->pos, p, n, in->err));
	}
	in->pos += n;
	return OG_OK;
}

static og_status head(og_stream *in, uint64_t end, og_field_in *f)
{
	og_cursor c;

	OG_TRY(peek(in, end, HEAD_BYTES, &c));
	if (!og_wire_head(&c, f))
		return og_cursor_check(&c, in->source->name, in->err);
	in->pos = og_cursor_at(&c);
	if (f->type == OG_WIRE_LEN && f->value > end - in->pos)
		return og_stream_bad(in, f->at, "field of %llu bytes, longer than what holds it (%llu left)", (unsigned long long)f->value,
		                     (unsigned long long)(end - in->pos));
	return OG_OK;
}

/* Past the END of the group whose tag was just read. */
static og_status skip_group(og_stream *in, uint64_t end, uint32_t number)
{
	uint32_t open[OG_ONNX_DEPTH_MAX] = { number };
	int depth = 1;

	while (depth > 0) {
		og_field_in f;

		if (in->pos == end)
			return og_stream_bad(in, in->pos, "group without an end");
		OG_TRY(head(in, end, &f));
		if (f.type == OG_WIRE_LEN)
			in->pos += f.value;
		if (f.type == OG_WIRE_END && f.number != open[--depth])
			return og_stream_bad(in, f.at, "group ended by another group's tag");
		if (f.type == OG_WIRE_GROUP) {
			if (depth == OG_ONNX_DEPTH_MAX)
				return og_stream_bad(in, f.at, "groups nested deeper than %d", OG_ONNX_DEPTH_MAX);
			open[depth++] = f.number;
		}
	}
	return OG_OK;
}

static const og_field_spec *find_spec(const og_message *m, uint32_t number)
{
	for (size_t i = 0; i < m->nspecs; i++) {
		if (m->specs[i].number == number)
			return &m->specs[i];
	}
	return NULL;
}

static og_status check_known(og_stream *in, og_message *m)
{
	const og_field_spec *spec = m->spec;
	uint32_t bit = (uint32_t)1 << (spec - m->specs);
	bool packed = spec->repeat == OG_PACKED && m->field.type == OG_WIRE_LEN;

	if (m->field.type != spec->wire && !packed)
		return og_stream_bad(in, m->field.at, "%s: wire type %d, expected %d", spec->name, (int)m->field.type, spec->wire);
	if (spec->repeat == OG_ONCE && (m->seen & bit))
		return og_stream_bad(in, m->field.at, "%s: given twice", spec->name);
	m->seen |= bit;
	return OG_OK;
}

og_status og_stream_next(og_stream *in, og_message *m, bool *more)
{
	while (in->pos < m->end) {
		if (++in->fields >= CANCEL_EVERY) {
			in->fields = 0;
			OG_TRY(og_check_cancel(in->ctx, in->err));
		}
		OG_TRY(head(in, m->end, &m->field));
		m->field_end = m->field.type == OG_WIRE_LEN ? in->pos + m->field.value : in->pos;
		m->spec = find_spec(m, m->field.number);
		if (m->field.type == OG_WIRE_END)
			return og_stream_bad(in, m->field.at, "group end without a group");
		if (m->spec && m->field.type != OG_WIRE_GROUP) {
			OG_TRY(check_known(in, m));
			if (m->spec->repeat != OG_IGNORED) {
				*more = true;
				return OG_OK;
			}
		} else if (m->field.type == OG_WIRE_GROUP) {
			OG_TRY(skip_group(in, m->end, m->field.number));
			in->model->unknown_fields++;
			continue;
		} else {
			in->model->unknown_fields++;
		}
		in->pos = m->field_end;
	}
	*more = false;
	return OG_OK;
}

void og_stream_skip(og_stream *in, const og_message *m)
{
	in->pos = m->field_end;
}

og_status og_stream_name(og_stream *in, const og_message *m, const char **out)
{
	char text[OG_NAME_MAX];
	size_t n = (size_t)m->field.value;

	if (m->field.value > OG_NAME_MAX)
		return og_stream_bad(in, m->field.at, "%s: %llu bytes, more than the limit of %d", m->spec->name, (unsigned long long)m->field.value, OG_NAME_MAX);
	OG_TRY(og_stream_read(in, text, n));
	if (!og_utf8_valid((const uint8_t *)text, n) || memchr(text, 0, n))
		return og_stream_bad(in, m->field.at, "%s: not UTF-8 text", m->spec->name);
	OG_TRY(memory_check(in, n));
	*out = og_names_add(in->names, (og_str){ text, n });
	return *out ? OG_OK : og_fail_nomem(in->err);
}

og_status og_stream_bytes(og_stream *in, const og_message *m, og_str *out)
{
	char *p = NULL;
	size_t n = (size_t)m->field.value;

	OG_TRY(og_stream_alloc(in, n + 1, &p));
	OG_TRY(og_stream_read(in, p, n));
	*out = (og_str){ p, n };
	return OG_OK;
}

og_status og_stream_text(og_stream *in, const og_message *m, const char **out)
{
	og_str s;

	OG_TRY(og_stream_bytes(in, m, &s));
	if (!og_utf8_valid((const uint8_t *)s.p, s.n) || memchr(s.p, 0, s.n))
		return og_stream_bad(in, m->field.at, "%s: not UTF-8 text", m->spec->name);
	*out = s.p;
	return OG_OK;
}

og_status og_stream_number(og_stream *in, const og_message *m, og_wire_type wire, og_packed *state, uint64_t *out, bool *more)
{
	size_t want = wire == OG_WIRE_VARINT ? VARINT_BYTES : wire == OG_WIRE_I32 ? 4 : 8;
	og_cursor c;

	if (m->field.type != OG_WIRE_LEN) { /* one number, which the head held */
		*more = !state->begun;
		*out = m->field.value;
		state->begun = true;
		return OG_OK;
	}
	*more = in->pos < m->field_end;
	if (!*more)
		return OG_OK;
	OG_TRY(peek(in, m->field_end, want, &c));
	if (wire == OG_WIRE_VARINT)
		*out = og_wire_varint(&c, "truncated varint in packed numbers");
	else
		*out = wire == OG_WIRE_I32 ? og_cursor_u32(&c, "packed floats cut short") : og_cursor_u64(&c, "packed doubles cut short");
	if (c.bad)
		return og_cursor_check(&c, in->source->name, in->err);
	in->pos = og_cursor_at(&c);
	if (++in->fields >= CANCEL_EVERY) {
		in->fields = 0;
		return og_check_cancel(in->ctx, in->err);
	}
	return OG_OK;
}
