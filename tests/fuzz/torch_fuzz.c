/* SPDX-License-Identifier: Apache-2.0
 *
 * PyTorch's pickles from the first opcode to the elements of every tensor.  A view that is accepted stays inside its source, and what
 * og_tensor_read() gives of it is what its strides say, taken one element at a time.
 *
 * The first byte says what is around the pickle that follows (a changed byte of a whole archive mostly ends at a CRC or at a size):
 * nothing, and storages of any key and size are there; or a true archive, whose storages are those of add_storages(). */
#include <stdlib.h>
#include <string.h>

#include "format/list.h"
#include "format/torch.h"

#include "../unit/codec/zip_make.h"

#define MODULES 1 /* as TorchScript has them */
#define VIEWS 2   /* of storages, as the legacy form has them */
#define SWAPPED 4 /* big-endian */
#define ARCHIVE 8 /* with MODULES the constants are the pickle, too */

#define ELEMENTS_MAX 1500             /* of one tensor that are compared … */
#define TENSORS_MAX 24                /* … of so many */
#define STORAGE_BYTES ((size_t)4 << 10) /* of a storage at most, where there is no archive */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void add_storages(zip_make *m)
{
	static const size_t sizes[] = { 48, 64, 8, 0, 96 };
	uint8_t bytes[96];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < OG_COUNT(sizes); i++) {
		char name[] = "m/data/0";
		name[7] = (char)('0' + i);
		(void)zm_add(m, name, bytes, sizes[i], i == 4 ? ZM_DEFLATE : ZM_PAD);
	}
}

static og_source *archive(unsigned how, const uint8_t *pickle, size_t size)
{
	zip_make m = { 0 };
	og_source *s = NULL;
	bool big = how & SWAPPED;
	(void)zm_add(&m, "m/data.pkl", pickle, size, ZM_PAD);
	(void)zm_add(&m, "m/byteorder", big ? "big" : "little", big ? 3 : 6, ZM_PAD);
	if (how & MODULES) {
		(void)zm_add(&m, "m/code/__torch__.py", "", 0, 0);
		(void)zm_add(&m, "m/constants.pkl", pickle, size, 0);
		(void)zm_add(&m, "m/constants/0", "abcdefgh", 8, 0);
	}
	add_storages(&m);
	(void)zm_add(&m, "m/version", "3\n", 2, ZM_PAD);
	zm_finish(&m, 0);
	if (og_source_memory("fuzz", m.p, m.n, &s, NULL) != OG_OK)
		s = NULL;
	zm_done(&m);
	return s;
}

/* Element i of the row-major order, by its definition. */
static void element(const og_tensor *t, uint64_t i, size_t width, uint8_t *out)
{
	uint64_t at = t->offset;
	for (int k = t->rank - 1; k >= 0; k--) {
		at += i % (uint64_t)t->dims[k] * (uint64_t)t->strides[k] * width;
		i /= (uint64_t)t->dims[k];
	}
	must(og_source_read(t->source, at, out, width, NULL) == OG_OK);
	size_t unit = t->dtype == OG_C64 || t->dtype == OG_C128 ? width / 2 : width;
	for (size_t from = 0; t->swapped && from < width; from += unit)
		for (size_t k = 0; k < unit / 2; k++) {
			uint8_t b = out[from + k];
			out[from + k] = out[from + unit - 1 - k];
			out[from + unit - 1 - k] = b;
		}
}

static void compare(const og_tensor *t, uint64_t first, uint64_t n, size_t width)
{
	uint8_t *got = malloc(n * width + 1), one[16];
	if (!got)
		return;
	og_error err = { 0 };
	og_status s = og_tensor_read(t, first, n, got, &err);
	/* A deflated storage is only looked at now, and may turn out to be broken; then nothing of it is given out. */
	must(s == OG_OK || s == ONNXGATE_FORMAT || s == ONNXGATE_MISMATCH || s == ONNXGATE_UNSAFE);
	for (uint64_t i = 0; s == OG_OK && i < n; i++) {
		element(t, first + i, width, one);
		must(!memcmp(got + i * width, one, width));
	}
	free(got);
}

static void check_tensor(const og_tensor *t)
{
	uint64_t span = 0, bytes = 0, all = og_tensor_elements(t);
	size_t width = og_dtype_bits(t->dtype) / 8;
	must(t->name && strlen(t->name) <= OG_NAME_MAX && t->rank >= 0 && t->rank <= OG_RANK_MAX && width && width <= 16 && t->source);
	must(og_dtype_bytes(t->dtype, all, &bytes) && bytes == t->size);
	must(og_tensor_span(t, &span) && (!all || (t->offset <= t->source->size && span <= t->source->size - t->offset)));
	uint64_t n = all < ELEMENTS_MAX ? all : ELEMENTS_MAX;
	compare(t, 0, n, width);
	compare(t, all - n, n, width);
	if (n > 2)
		compare(t, (all - n) / 2 + 1, n - 2, width);
}

static void check_reader(og_reader *r)
{
	must(r->count > 0);
	for (size_t i = 0; i < r->count && i < TENSORS_MAX; i++)
		check_tensor(&r->tensors[i]);
	for (size_t i = 0; i < r->note_count; i++)
		must(r->notes[i][0] && !strchr(r->notes[i], '\n'));
	og_error err = { 0 };
	og_status s = og_reader_check(r, NULL, &err);
	must(s == OG_OK || s == ONNXGATE_MISMATCH || s == ONNXGATE_FORMAT || s == ONNXGATE_UNSAFE);
}

static og_status locate(void *arg, const char *folder, const og_storage *s, const char *what, og_place *out, og_error *err)
{
	og_source *storage = arg;
	(void)folder;
	if (s->bytes > storage->size)
		return og_fail_at(err, ONNXGATE_FORMAT, s->at, "%s: no storage is that large", what);
	*out = (og_place){ storage, storage->size - s->bytes, s->at };
	return OG_OK;
}

static og_status read_bare(og_reader *r, og_source *storage, unsigned how, og_error *err)
{
	og_auto(og_arena) *scratch = og_arena_new();
	og_torch_names names = { .modules = how & MODULES };
	const og_pickle_rules rules = { .allow = og_torch_allows_noted, .persistent = true, .arg = &names };
	const og_torch t = { .r = r, .locate = locate, .arg = storage, .of = " of data.pkl", .pickle_size = r->source->size, .swapped = how & SWAPPED,
		.views = how & VIEWS, .modules = how & MODULES };
	og_pval *root = NULL;
	uint64_t next = 0;
	if (!scratch)
		return og_fail_nomem(err);
	OG_TRY(og_pickle_read(r->source, 0, r->source->size, &rules, scratch, &root, &next, err));
	return og_torch_tensors(&t, &(og_torch_root){ root, NULL, "" }, 1, err);
}

static void said_why(og_status s, const og_error *err)
{
	must(s == ONNXGATE_FORMAT || s == ONNXGATE_UNSUPPORTED || s == ONNXGATE_UNSAFE || s == ONNXGATE_MISMATCH);
	must(err->status == s && err->message[0] && !strchr(err->message, '\n'));
}

static void bare(og_source **s, unsigned how)
{
	uint8_t bytes[STORAGE_BYTES];
	og_auto(og_source) *storage = NULL;
	og_auto(og_reader) *r = og_alloc(sizeof(*r));
	og_error err = { 0 };
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	if (!r || !(r->arena = og_arena_new()) || og_source_memory("storage", bytes, sizeof(bytes), &storage, NULL) != OG_OK)
		return;
	r->format = &og_format_torch_legacy; /* no checksums */
	r->source = og_steal(s);
	og_status status = read_bare(r, storage, how, &err);
	if (status == OG_OK)
		check_reader(r);
	else
		said_why(status, &err);
}

static void whole(og_source **s)
{
	og_auto(og_reader) *r = NULL;
	og_error err = { 0 };
	og_status status = og_reader_open(*s, &r, &err);
	if (status == OG_OK) {
		(void)og_steal(s);
		check_reader(r);
	} else {
		said_why(status, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_source) *s = NULL;
	if (!size)
		return 0;
	if (data[0] & ARCHIVE)
		s = archive(data[0], data + 1, size - 1);
	else if (og_source_memory("fuzz", data + 1, size - 1, &s, NULL) != OG_OK)
		return 0;
	if (s && data[0] & ARCHIVE)
		whole(&s);
	else if (s)
		bare(&s, data[0]);
	return 0;
}
