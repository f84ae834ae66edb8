/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a weights file: the first format of the list that recognises its first bytes reads it.  What nobody
 * recognises is named as well as its first bytes allow, since the usual cause is a wrong file under the right name. */
#include <stdio.h>

#include "base/str.h"
#include "format/list.h"

#define HEAD 64

static const og_format *const formats[] = {
#define ROW(name) &og_format_##name,
	OG_FORMAT_LIST(ROW)
};

/* ---- what else it may be ------------------------------------------------------------------------------ */

static const char to_safetensors[] = "publish or save the weights as safetensors: model.save_pretrained(DIR, safe_serialization=True)";

static const struct {
	const char *magic;
	size_t n;
	const char *what, *hint;
} magics[] = {
#define MAGIC(bytes, what, hint) { bytes, sizeof(bytes) - 1, what, hint }
	MAGIC("version https://git-lfs", "a git-LFS pointer, not the file that it points to",
		"run `git lfs pull` in that clone, or let onnxgate download the repository"),
	MAGIC("PK\x03\x04", "a zip archive (a PyTorch checkpoint is one), which is not read", to_safetensors),
	MAGIC("PK\x05\x06", "an empty zip archive", to_safetensors),
	MAGIC("GGUF", "a GGUF file (llama.cpp), which is not read", to_safetensors),
	MAGIC("\x89HDF\r\n\x1a\n", "an HDF5 file (TensorFlow, Keras), which is not read", to_safetensors),
	MAGIC("\x93NUMPY", "a NumPy array", to_safetensors),
	MAGIC("\x1f\x8b", "a gzip archive", "unpack it first"),
	MAGIC("\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
	MAGIC("\xfd" "7zXZ", "an xz archive", "unpack it first"),
	MAGIC("7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
	MAGIC("\x7f" "ELF", "a program or library", ""),
	MAGIC("\x89PNG", "a picture", ""),
#undef MAGIC
};

static bool letters_are(const uint8_t *p, size_t n, const char *word)
{
	size_t i = 0;
	for (; word[i]; i++)
		if (i >= n || (p[i] | 0x20) != ((uint8_t)word[i] | 0x20))
			return false;
	return true;
}

/* UTF-8 without control bytes; the last character may be cut where the head ends. */
static bool is_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7f)
			return false;
	for (size_t cut = 0; cut < 4 && cut <= n; cut++)
		if (og_utf8_valid(p, n - cut))
			return true;
		else if (n < HEAD)
			return false;
	return false;
}

/* A ModelProto begins with ir_version (field 1, a small varint) and goes on with a text field (2 … 6) or an opset. */
static bool is_onnx(const uint8_t *p, size_t n)
{
	return n >= 4 && p[0] == 0x08 && p[1] > 0 && p[1] < 32 && (p[2] == 0x12 || p[2] == 0x1a || p[2] == 0x22 || p[2] == 0x3a || p[2] == 0x42);
}

static og_status refuse(const og_source *s, og_error *err, const char *what, const char *hint)
{
	(void)og_fail(err, ONNXGATE_UNSUPPORTED, "%s: expected a safetensors file, found %s", s->name, what);
	og_error_hint(err, "%s", hint);
	return ONNXGATE_UNSUPPORTED;
}

/* What else the file is, by bytes that stand for nothing else. false: no telling. */
static bool has_magic(const uint8_t *head, size_t n, const char **what, const char **hint)
{
	size_t skip = 0;
	for (size_t i = 0; i < OG_COUNT(magics); i++)
		if (n >= magics[i].n && !memcmp(head, magics[i].magic, magics[i].n)) {
			*what = magics[i].what;
			*hint = magics[i].hint;
			return true;
		}
	while (skip < n && (head[skip] == ' ' || head[skip] == '\n' || head[skip] == '\r' || head[skip] == '\t'))
		skip++;
	if (letters_are(head + skip, n - skip, "<!doctype html") || letters_are(head + skip, n - skip, "<html")) {
		*what = "an HTML page";
		*hint = "a server's error page was saved under the file's name: download it again";
	} else if (n && skip < n && is_text(head, n)) {
		bool json = head[skip] == '{' || head[skip] == '[';
		*what = json ? "JSON text" : "text";
		*hint = json ? "for the index of a sharded checkpoint give the folder that holds it" : "";
	} else {
		return false;
	}
	return true;
}

static og_status name_it(const og_source *s, const uint8_t *head, size_t n, og_error *err)
{
	char what[64 + 2 * 8] = "bytes of no known format, beginning with ";
	if (!n)
		return refuse(s, err, "an empty file", "download it again: an interrupted download leaves such files");
	if (n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5)
		return refuse(s, err, "a pickle (PyTorch's old form), which can run code and is not read", to_safetensors);
	if (is_onnx(head, n))
		return refuse(s, err, "an ONNX model, which is no checkpoint", "`onnxgate check` and `onnxgate inspect` take the .onnx file itself");
	if (n >= 2 && (head[0] & 0xf0) == 0x80 && ((head[1] & 0xe0) == 0xa0 || head[1] == 0xd9))
		return refuse(s, err, "msgpack (Flax weights), which is not read", to_safetensors);
	og_hex(head, n < 8 ? n : 8, what + strlen(what));
	return refuse(s, err, what, to_safetensors);
}

static const og_format *recognise(const uint8_t *head, size_t n, uint64_t size, og_probe at_least)
{
	for (size_t i = 0; i < OG_COUNT(formats); i++)
		if (formats[i]->probe(head, n, size) >= at_least)
			return formats[i];
	return NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

og_status og_reader_open(og_source *source, og_reader **out, og_error *err)
{
	uint8_t head[HEAD];
	size_t n = source->size < HEAD ? (size_t)source->size : HEAD;
	OG_TRY(og_source_read(source, 0, head, n, err));
	const char *what, *hint;
	const og_format *format = recognise(head, n, source->size, OG_PROBE_YES);
	if (!format && has_magic(head, n, &what, &hint))
		return refuse(source, err, what, hint);
	if (!format)
		format = recognise(head, n, source->size, OG_PROBE_MAYBE);
	if (!format)
		return name_it(source, head, n, err);
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
