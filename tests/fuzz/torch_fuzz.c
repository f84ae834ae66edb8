/* SPDX-License-Identifier: Apache-2.0
 *
 * PyTorch's pickles from the first opcode to the elements of every tensor.  A view that is accepted stays inside its source, and what
 * og_tensor_read() gives of it is what its strides say, taken one element at a time.
 *
 * The first byte says what is around the pickle that follows (a changed byte of a whole archive mostly ends at a CRC or at a size):
 * nothing, and storages of any key and size are there; or a true archive, whose storages are those of add_storages(). */
#include "format/list.h"
#include "format/torch.h"
#include "tensors.h"

#include "../unit/codec/zip_make.h"

#define MODULES 1    /* as TorchScript has them */
#define VIEWS 2      /* of storages, as the legacy form has them */
#define SWAPPED 4    /* big-endian */
#define ARCHIVE 8
#define CONSTANTS 16 /* of TorchScript in an archive: the pickle is those */

#define STORAGE_BYTES ((size_t)4 << 10) /* of a storage at most, where there is no archive */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	static const char nothing[] = "\x80\x02)."; /* () */
	zip_make m = { 0 };
	og_source *s = NULL;
	bool big = how & SWAPPED, constants = (how & MODULES) && (how & CONSTANTS);
	(void)zm_add(&m, "m/data.pkl", constants ? (const void *)nothing : pickle, constants ? 4 : size, ZM_PAD);
	(void)zm_add(&m, "m/byteorder", big ? "big" : "little", big ? 3 : 6, ZM_PAD);
	if (how & MODULES) {
		(void)zm_add(&m, "m/code/__torch__.py", "", 0, 0);
		(void)zm_add(&m, "m/constants.pkl", constants ? pickle : (const void *)nothing, constants ? size : 4, 0);
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
	must(status != OG_OK || r->count);
	if (status == OG_OK)
		check_reader(r);
	else
		check_refusal(status, &err);
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
		open_and_check(og_steal(&s));
	else if (s)
		bare(&s, data[0]);
	return 0;
}
