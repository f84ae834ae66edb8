/* SPDX-License-Identifier: Apache-2.0
 *
 * Naming what is no checkpoint, by its first bytes; of a zip archive by its entries.  Each name comes with what to do instead. */
#include "format/recognise.h"

#include <stdio.h>

#include "base/str.h"

static const char to_safetensors[] = "publish or save the weights as safetensors: model.save_pretrained(DIR, safe_serialization=True)";
static const char to_torch[] = "load it in PyTorch, from_pretrained(DIR, from_tf=True) or from_flax=True, and save that: save_pretrained(DIR)";
static const char save_state[] = "save the weights alone: torch.save(model.state_dict(), FILE)";
static const char unpack[] = "unpack it first";
static const char truncated[] = "it may be cut: compare its size with the one that the Hub lists";

static const struct {
	size_t at;
	const char *magic;
	size_t n;
	const char *what, *hint;
} magics[] = {
#define MAGIC(at, bytes, what, hint) { at, bytes, sizeof(bytes) - 1, what, hint }
	MAGIC(0, "version https://git-lfs", "a git-LFS pointer, not the file that it points to",
		"run `git lfs pull` in that clone, or let onnxgate download the repository"),
	MAGIC(0, "PK\x05\x06", "an empty zip archive", truncated),
	MAGIC(0, "GGUF", "a GGUF file (llama.cpp), which is not read", "the repository that it was made from has the weights as safetensors"),
	MAGIC(0, "lmgg", "a GGML file (llama.cpp of before 2023), which is not read", "the repository that it was made from has the weights as safetensors"),
	MAGIC(0, "tjgg", "a GGML file (llama.cpp of before 2023), which is not read", "the repository that it was made from has the weights as safetensors"),
	MAGIC(0, "\x89HDF\r\n\x1a\n", "an HDF5 file (TensorFlow, Keras), which is not read", to_torch),
	MAGIC(0, "\x93NUMPY", "a NumPy array (.npy)", "it is one array, no model"),
	MAGIC(4, "TFL3", "a TFLite model, which is compiled and holds no checkpoint", "convert the model that it was made from, or use tf2onnx --tflite"),
	MAGIC(0, "\x1f\x8b", "a gzip archive", unpack),
	MAGIC(0, "\x28\xb5\x2f\xfd", "a zstd archive", unpack),
	MAGIC(0, "\xfd" "7zXZ", "an xz archive", unpack),
	MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7z archive", unpack),
	MAGIC(0, "Rar!\x1a\x07", "a RAR archive", unpack),
	MAGIC(0, "BZh", "a bzip2 archive", unpack),
	MAGIC(0, "\x7f" "ELF", "a program or library", "a model is no program: look for the file of weights"),
	MAGIC(0, "\x89PNG", "a picture", "look for the file of weights"),
	MAGIC(0, "\xff\xd8\xff", "a picture", "look for the file of weights"),
	MAGIC(0, "%PDF", "a PDF document", "look for the file of weights"),
	MAGIC(0, "SQLite format 3", "an SQLite database", "look for the file of weights"),
	MAGIC(0, "PAR1", "a Parquet table (a data set)", "look for the file of weights"),
	MAGIC(0, "ORTM", "an ONNX Runtime model (.ort), which is no checkpoint", "convert the model that it was made from"),
	MAGIC(4, "ORTM", "an ONNX Runtime model (.ort), which is no checkpoint", "convert the model that it was made from"),
#undef MAGIC
};

static bool set(og_found *f, const char *what, const char *hint)
{
	f->what = what;
	f->hint = hint;
	return true;
}

/* ---- text ---------------------------------------------------------------------------------------------- */

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
		else if (n < OG_HEAD)
			return false;
	return false;
}

static size_t leading_space(const uint8_t *p, size_t n)
{
	size_t i = 0;
	while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t'))
		i++;
	return i;
}

static bool is_html(const uint8_t *p, size_t n)
{
	return letters_are(p, n, "<!doctype html") || letters_are(p, n, "<html") || letters_are(p, n, "<head");
}

bool og_recognise_text(const uint8_t *head, size_t n, og_found *f)
{
	size_t skip = leading_space(head, n);
	if (!n || skip == n || !is_text(head, n))
		return false;
	if (head[skip] == '{' || head[skip] == '[')
		return set(f, "JSON text", "for the index of a sharded checkpoint give the folder that holds it");
	if (letters_are(head + skip, n - skip, "<?xml") || letters_are(head + skip, n - skip, "<net "))
		return set(f, "XML text (OpenVINO's model.xml is such a file)", "an OpenVINO model is compiled: convert the one that it was made from");
	return set(f, "text", "look for the file of weights");
}

/* ---- tar ----------------------------------------------------------------------------------------------- */

/* The header of the first member: its name in 100 bytes, "ustar" at 257. */
static bool is_tar(og_source *s, og_found *f)
{
	static const char *const torch[] = { "sys_info", "pickle", "storages", "tensors" };
	char name[101] = "", mark[5];
	if (s->size < 512 || og_source_read(s, 257, mark, sizeof(mark), NULL) != OG_OK || memcmp(mark, "ustar", sizeof(mark)) != 0 ||
		og_source_read(s, 0, name, 100, NULL) != OG_OK)
		return false;
	for (size_t i = 0; i < OG_COUNT(torch); i++)
		if (og_streq(name, torch[i]))
			return set(f, "a tar archive as PyTorch wrote it before 0.1.10, which is not read",
				"load it with PyTorch and save it again: torch.save(torch.load(FILE), FILE)");
	if (og_ends_with(name, ".nemo") || og_ends_with(name, "model_config.yaml"))
		return set(f, "a tar archive (NeMo's .nemo is one)", "unpack it: it holds model_weights.ckpt");
	return set(f, "a tar archive", unpack);
}

/* ---- protobuf ------------------------------------------------------------------------------------------ */

/* A ModelProto begins with ir_version (field 1, a small varint) and goes on with a text field (2 … 6), a graph or an opset. */
bool og_is_onnx(const uint8_t *p, size_t n)
{
	return n >= 4 && p[0] == 0x08 && p[1] > 0 && p[1] < 32 && (p[2] == 0x12 || p[2] == 0x1a || p[2] == 0x22 || p[2] == 0x3a || p[2] == 0x42);
}

/* A SavedModel is its version (1) and one MetaGraphDef to the end of the file; a Core ML model a version, a description that begins
 * with a message of its own, and more. ONNX has text in that place. */
static bool is_other_protobuf(const uint8_t *p, size_t n, uint64_t size, og_found *f)
{
	uint64_t length = 0;
	size_t i = 3;
	if (n < 8 || p[0] != 0x08 || p[1] == 0 || p[1] > 15 || p[2] != 0x12)
		return false;
	for (unsigned shift = 0; i < 12 && i < n; i++, shift += 7) {
		length |= (uint64_t)(p[i] & 0x7f) << shift;
		if (!(p[i] & 0x80))
			break;
	}
	i++;
	if (i >= n || p[i] != 0x0a || length < 2)
		return false;
	if (p[1] == 1 && length <= size && i + length == size)
		return set(f, "a TensorFlow SavedModel, which is not read", to_torch);
	return set(f, "a Core ML model, which is compiled and holds no checkpoint", "convert the model that it was made from");
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

bool og_recognise(og_source *s, const uint8_t *head, size_t n, og_found *f)
{
	size_t skip = leading_space(head, n);
	for (size_t i = 0; i < OG_COUNT(magics); i++)
		if (n >= magics[i].at + magics[i].n && !memcmp(head + magics[i].at, magics[i].magic, magics[i].n))
			return set(f, magics[i].what, magics[i].hint);
	if (is_html(head + skip, n - skip))
		return set(f, "an HTML page", "a server's error page was saved under the file's name: download it again");
	return is_tar(s, f);
}

void og_guess(og_source *s, const uint8_t *head, size_t n, og_found *f)
{
	if (!n) {
		set(f, "an empty file", "download it again: an interrupted download leaves such files");
	} else if (is_other_protobuf(head, n, s->size, f)) {
		return;
	} else if (og_is_onnx(head, n)) {
		set(f, "an ONNX model, which is no checkpoint", "`onnxgate check` and `onnxgate inspect` take the .onnx file itself");
	} else if (n >= 2 && ((head[0] & 0xf0) == 0x80 || head[0] == 0xde) && ((head[1] & 0xe0) == 0xa0 || head[1] == 0xd9 || head[0] == 0xde)) {
		set(f, "msgpack (Flax weights), which is not read", to_torch);
	} else {
		size_t shown = n < 8 ? n : 8, at = (size_t)snprintf(f->buf, sizeof(f->buf), "bytes of no known format, beginning with ");
		og_hex(head, shown, f->buf + at);
		set(f, f->buf, to_safetensors);
	}
}

void og_zip_name(const og_zip *z, const char **what, const char **hint)
{
	static const struct {
		const char *pattern, *what, *hint;
	} kinds[] = {
		{ "*model.weights.h5", "a Keras 3 archive (.keras), which is not read", "load it with Keras, and save the weights for PyTorch" },
		{ "*com.apple.CoreML*", "a Core ML package (zip), which is compiled and holds no checkpoint", "convert the model that it was made from" },
		{ "*.mlmodel", "a Core ML package (zip), which is compiled and holds no checkpoint", "convert the model that it was made from" },
		{ "*saved_model.pb", "a zip archive of a TensorFlow SavedModel, which is not read", to_torch },
		{ "*/.data/extern_modules", "a torch.package archive (zip), whose classes are in its code", save_state },
		{ "*serialized_exported_program.json", "a program that torch.export wrote (zip)", save_state },
		{ "*/archive_format", "a program that torch.export wrote (zip)", save_state },
		{ "*/models/model.json", "a program that torch.export wrote (zip)", save_state },
		{ "*/model.json", "a TorchScript archive of before PyTorch 1.4 (zip)",
			"load it with PyTorch and save it again: torch.jit.save(torch.jit.load(FILE), FILE)" },
		{ "*MAR-INF/MANIFEST.json", "a zip archive of TorchServe (.mar)", "unpack it: the weights are in it" },
		{ "META-INF/MANIFEST.MF", "a Java archive (zip)", "look for the file of weights" },
		{ "[[]Content_Types].xml", "an Office document (zip)", "look for the file of weights" },
		{ "*.safetensors", "a zip archive with safetensors files in it", unpack },
		{ "*.bin", "a zip archive without a data.pkl, with other files in it", unpack },
		{ "*.onnx", "a zip archive with an ONNX model in it", unpack },
	};
	size_t arrays = 0;
	*what = "a zip archive without a data.pkl, which those of PyTorch have";
	*hint = "a checkpoint in it must be unpacked; or the download is not the file that was meant";
	for (size_t k = 0; k < z->n; k++)
		arrays += og_ends_with(z->entries[k].name, ".npy");
	if (arrays && arrays == z->n) {
		*what = "a NumPy archive (.npz)";
		*hint = "it is a set of arrays: save them as safetensors, with safetensors.numpy.save_file";
		return;
	}
	for (size_t i = 0; i < OG_COUNT(kinds); i++)
		for (size_t k = 0; k < z->n; k++)
			if (og_glob(kinds[i].pattern, z->entries[k].name)) {
				*what = kinds[i].what;
				*hint = kinds[i].hint;
				return;
			}
}
