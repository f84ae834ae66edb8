/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a zip archive: every form that honest writers use is read, and every archive that says two things is refused. */
#include "zip_open.h"

#include "base/clock.h"
#include "base/limits.h"

static void expect_bytes(const opened *o, const char *name, const void *p, size_t n)
{
	const og_zip_entry *e = og_zip_find(o->z, name);
	const uint8_t *found = NULL;
	uint8_t *copy = test_malloc(n + 1);
	og_error err = { 0 };
	assert_non_null(e);
	assert_string_equal(e->name, name);
	assert_int_equal(e->size, n);
	if (og_zip_read(o->z, e, n, o->a, &found, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_memory_equal(found, p, n);
	if (n)
		assert_int_equal(og_zip_read(o->z, e, n - 1, o->a, &found, &err), ONNXGATE_FORMAT);
	assert_int_equal(og_zip_check(o->z, e, NULL, &err), OG_OK);
	if (e->deflated) {
		og_source *s = NULL;
		assert_int_equal(og_zip_inflated(o->z, e, &s, &err), OG_OK);
		assert_int_equal(s->size, n);
		assert_int_equal(og_source_read(s, 0, copy, n, &err), OG_OK);
		assert_memory_equal(copy, p, n);
		og_source_free(s);
	} else {
		assert_int_equal(e->packed_size, n);
		assert_int_equal(og_source_read(o->s, e->data_at, copy, n, &err), OG_OK);
		assert_memory_equal(copy, p, n);
	}
	test_free(copy);
}

/* ---- what honest writers write ---------------------------------------------------------------------- */

static void test_zip__reads_every_form(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 32; how++) {
		if ((how & ZM_NO_SIGNATURE) && !(how & ZM_DESCRIPTOR))
			continue;
		for (unsigned end = 0; end <= ZM_ZIP64; end += ZM_ZIP64) {
			zip_make m = three(how, end);
			opened o = open_bytes(m.p, m.n);
			if (o.status != OG_OK)
				fail_msg("form %u: %s", how, o.err.message);
			assert_int_equal(o.z->n, 3);
			for (size_t i = 0; i < 3; i++) {
				assert_int_equal(o.z->entries[i].header_at, m.e[i].local);
				assert_int_equal(o.z->entries[i].data_at, m.e[i].data);
				assert_int_equal(o.z->entries[i].packed_size, m.e[i].packed);
				assert_int_equal(o.z->entries[i].crc, m.e[i].crc);
			}
			assert_false(o.z->no_crc);
			expect_bytes(&o, "m/data.pkl", text, sizeof text);
			expect_bytes(&o, "m/data/0", text, 7);
			expect_bytes(&o, "m/empty", "", 0);
			assert_null(og_zip_find(o.z, "m/data"));
			done(&o);
			zm_done(&m);
		}
	}
}

static void test_zip__folders_comments_and_no_entries(void **state)
{
	(void)state;
	zip_make m = { 0 };
	zm_add(&m, "m/", "", 0, 0);
	zm_add(&m, "m/\xc3\xa9", "x", 1, 0);
	m.directory = m.n;
	zm_central(&m, &m.e[1]); /* another order than in the file */
	zm_central(&m, &m.e[0]);
	zm_end(&m, 0, "hello", 5);
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	assert_string_equal(o.z->entries[0].name, "m/");
	expect_bytes(&o, "m/", "", 0);
	expect_bytes(&o, "m/\xc3\xa9", "x", 1);
	done(&o);
	zm_done(&m);

	zm_finish(&m, 0);
	o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	assert_int_equal(o.z->n, 0);
	assert_null(og_zip_find(o.z, ""));
	done(&o);
	zm_done(&m);

	zm_add(&m, "m/", "x", 1, 0);
	zm_finish(&m, 0);
	expect(&m, ONNXGATE_FORMAT, "a folder with 1 bytes");
}

static void test_zip__no_checksums_at_all(void **state)
{
	(void)state;
	zip_make m = three(0, 0);
	for (int i = 0; i < 2; i++) {
		zm_put(&m, m.e[i].local + 14, 4, 0);
		zm_put(&m, m.e[i].central + 16, 4, 0);
	}
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	assert_true(o.z->no_crc);
	expect_bytes(&o, "m/data/0", text, 7);
	done(&o);
	zm_done(&m);
}

/* ---- lies ------------------------------------------------------------------------------------------- */

enum where { LOCAL, AFTER, CENTRAL, END, END64, LOCATOR };

typedef struct lie {
	enum where where;
	unsigned at, bytes;
	uint64_t value;
	og_status status;
	const char *words;
} lie;

static void tell(zip_make m, const lie *l)
{
	size_t base[] = { m.e[1].local, m.e[1].after, m.e[1].central, m.end, m.end64, m.locator };
	uint8_t *was = m.p + base[l->where] + l->at;
	uint64_t old = 0;
	for (unsigned i = 0; i < l->bytes; i++)
		old |= (uint64_t)was[i] << 8 * i;
	assert_true(old != l->value);
	zm_put(&m, base[l->where] + l->at, l->bytes, l->value);
	expect(&m, l->status, l->words);
}

static void test_zip__lies_of_plain_records(void **state)
{
	static const lie lies[] = {
		{ LOCAL, 0, 4, 0x04034b51, ONNXGATE_FORMAT, "signature: its local header says" },
		{ LOCAL, 6, 2, 0x0801, ONNXGATE_FORMAT, "flags" },
		{ LOCAL, 6, 2, 0x0808, ONNXGATE_FORMAT, "flags" },
		{ LOCAL, 6, 2, 0x0000, ONNXGATE_FORMAT, "flags" },
		{ LOCAL, 8, 2, 8, ONNXGATE_FORMAT, "method" },
		{ LOCAL, 14, 4, 1, ONNXGATE_FORMAT, "CRC" },
		{ LOCAL, 14, 4, 0, ONNXGATE_FORMAT, "CRC" },
		{ LOCAL, 18, 4, 8, ONNXGATE_FORMAT, "packed size" },
		{ LOCAL, 22, 4, 6, ONNXGATE_FORMAT, "size" },
		{ LOCAL, 22, 4, 0, ONNXGATE_FORMAT, "size" },
		{ LOCAL, 22, 4, 0xffffffff, ONNXGATE_FORMAT, "size" },
		{ LOCAL, 26, 2, 7, ONNXGATE_FORMAT, "another name" },
		{ LOCAL, 28, 2, 1, ONNXGATE_UNSAFE, "overlaps what follows" },
		{ LOCAL, 28, 2, 0xffff, ONNXGATE_UNSAFE, "overlaps what follows" },
		{ LOCAL, 30, 1, 'n', ONNXGATE_FORMAT, "another name" },
		{ CENTRAL, 0, 4, 0x02014b51, ONNXGATE_FORMAT, "expected entry 2 of 3" },
		{ CENTRAL, 8, 2, 0x0801, ONNXGATE_UNSUPPORTED, "encrypted" },
		{ CENTRAL, 8, 2, 0x0840, ONNXGATE_UNSUPPORTED, "encrypted" },
		{ CENTRAL, 8, 2, 0x2800, ONNXGATE_UNSUPPORTED, "encrypted" },
		{ CENTRAL, 8, 2, 0x0820, ONNXGATE_UNSUPPORTED, "patched" },
		{ CENTRAL, 8, 2, 0x8800, ONNXGATE_UNSUPPORTED, "flag bits 0x8000" },
		{ CENTRAL, 8, 2, 0x0808, ONNXGATE_FORMAT, "flags" },
		{ CENTRAL, 10, 2, 99, ONNXGATE_UNSUPPORTED, "encrypted" },
		{ CENTRAL, 10, 2, 12, ONNXGATE_UNSUPPORTED, "compression method 12" },
		{ CENTRAL, 10, 2, 8, ONNXGATE_FORMAT, "method" },
		{ CENTRAL, 16, 4, 1, ONNXGATE_FORMAT, "CRC" },
		{ CENTRAL, 20, 4, 8, ONNXGATE_FORMAT, "stored, but 8 bytes packed" },
		{ CENTRAL, 20, 4, 0xffffffff, ONNXGATE_FORMAT, "stored, but" },
		{ CENTRAL, 24, 4, 6, ONNXGATE_FORMAT, "7 bytes packed and 6 unpacked" },
		{ CENTRAL, 28, 2, 6, ONNXGATE_FORMAT, "directory: expected entry 3" },
		{ CENTRAL, 28, 2, 0, ONNXGATE_FORMAT, "a name of 0 bytes" },
		{ CENTRAL, 28, 2, 0xffff, ONNXGATE_FORMAT, "expected entry 2" },
		{ CENTRAL, 30, 2, 1, ONNXGATE_FORMAT, "malformed" },
		{ CENTRAL, 32, 2, 1, ONNXGATE_FORMAT, "directory: expected entry 3" },
		{ CENTRAL, 34, 2, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ CENTRAL, 42, 4, 0, ONNXGATE_UNSAFE, "overlaps the next entry" },
		{ CENTRAL, 42, 4, 1, ONNXGATE_UNSAFE, "overlaps the next entry" },
		{ CENTRAL, 42, 4, 0x7fffffff, ONNXGATE_FORMAT, "expected before the directory" },
		{ CENTRAL, 46, 1, 'n', ONNXGATE_FORMAT, "another name" },
		{ END, 4, 2, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END, 6, 2, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END, 8, 2, 2, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END, 10, 2, 2, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END, 8, 4, 0x00020002, ONNXGATE_FORMAT, "after its last entry" },
		{ END, 8, 4, 0x00040004, ONNXGATE_FORMAT, "4 entries claimed" },
		{ END, 8, 4, 0xffffffff, ONNXGATE_FORMAT, "has no room for them" },
		{ END, 8, 4, 0, ONNXGATE_FORMAT, "0 entries claimed" },
		{ END, 12, 4, 1, ONNXGATE_FORMAT, "no room for them" },
		{ END, 12, 4, 0xffffffff, ONNXGATE_FORMAT, "in a directory of 4294967295 bytes" },
		{ END, 12, 4, 150, ONNXGATE_FORMAT, "bytes were added or removed" },
		{ END, 16, 4, 0, ONNXGATE_FORMAT, "bytes were added or removed" },
		{ END, 16, 4, 0xffffffff, ONNXGATE_FORMAT, "bytes were added or removed" },
		{ END, 20, 2, 1, ONNXGATE_FORMAT, "no end record" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(lies); i++)
		tell(three(0, 0), &lies[i]);
}

static void test_zip__lies_of_zip64_and_descriptors(void **state)
{
	static const lie wide[] = {
		{ LOCAL, 18, 4, 1, ONNXGATE_FORMAT, "packed size" },
		{ LOCAL, 38, 2, 2, ONNXGATE_FORMAT, "size" }, /* another kind of record: then all ones are the sizes */
		{ LOCAL, 40, 2, 15, ONNXGATE_FORMAT, "zip64 record" },
		{ LOCAL, 40, 2, 17, ONNXGATE_FORMAT, "malformed" },
		{ LOCAL, 42, 8, 8, ONNXGATE_FORMAT, "size" },
		{ LOCAL, 50, 8, UINT64_MAX, ONNXGATE_FORMAT, "size" },
		{ AFTER, 0, 4, 0, ONNXGATE_FORMAT, "descriptor" },
		{ AFTER, 4, 4, 0, ONNXGATE_FORMAT, "descriptor" },
		{ AFTER, 8, 8, 0, ONNXGATE_FORMAT, "descriptor" },
		{ AFTER, 16, 8, UINT64_MAX, ONNXGATE_FORMAT, "descriptor" },
		{ CENTRAL, 20, 4, 7, ONNXGATE_FORMAT, "zip64 record" },
		{ CENTRAL, 42, 4, 7, ONNXGATE_FORMAT, "zip64 record" },
		{ CENTRAL, 34, 2, 0xffff, ONNXGATE_FORMAT, "zip64 record" },
		{ CENTRAL, 54, 2, 0x0102, ONNXGATE_FORMAT, "stored, but|expected before" },
		{ CENTRAL, 56, 2, 16, ONNXGATE_FORMAT, "zip64 record" },
		{ CENTRAL, 56, 2, 25, ONNXGATE_FORMAT, "malformed" },
		{ CENTRAL, 58, 8, UINT64_MAX, ONNXGATE_FORMAT, "unpacked" },
		{ CENTRAL, 66, 8, 1ull << 63, ONNXGATE_FORMAT, "packed" },
		{ CENTRAL, 74, 8, UINT64_MAX - 20, ONNXGATE_FORMAT, "expected before the directory" },
		{ END64, 0, 4, 0, ONNXGATE_FORMAT, "zip64 end record" },
		{ END64, 4, 8, 43, ONNXGATE_FORMAT, "zip64 end record" },
		{ END64, 4, 8, UINT64_MAX, ONNXGATE_FORMAT, "zip64 end record" },
		{ END64, 16, 4, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END64, 20, 4, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END64, 24, 8, 10000000, ONNXGATE_UNSUPPORTED, "several disks" },
		{ END64, 40, 8, UINT64_MAX, ONNXGATE_FORMAT, "in a directory of" },
		{ END64, 40, 8, 200, ONNXGATE_FORMAT, "bytes were added or removed" },
		{ END64, 48, 8, UINT64_MAX, ONNXGATE_FORMAT, "bytes were added or removed" },
		{ LOCATOR, 4, 4, 1, ONNXGATE_UNSUPPORTED, "several disks" },
		{ LOCATOR, 8, 8, 0, ONNXGATE_FORMAT, "zip64 end record" },
		{ LOCATOR, 8, 8, UINT64_MAX, ONNXGATE_FORMAT, "zip64 end record" },
		{ LOCATOR, 16, 4, 2, ONNXGATE_UNSUPPORTED, "several disks" },
		{ LOCATOR, 0, 4, 0, ONNXGATE_FORMAT, "no room|at most" },
		{ END, 8, 2, 2, ONNXGATE_FORMAT, "contradict" },
		{ END, 10, 2, 2, ONNXGATE_FORMAT, "contradict" },
		{ END, 12, 4, 2, ONNXGATE_FORMAT, "contradict" },
		{ END, 16, 4, 2, ONNXGATE_FORMAT, "contradict" },
	};
	(void)state;
	for (size_t i = 0; i < OG_COUNT(wide); i++) {
		lie l = wide[i];
		if (strchr(l.words, '|'))
			l.words = NULL;
		tell(three(ZM_ZIP64 | ZM_DESCRIPTOR, ZM_ZIP64), &l);
	}
}

static void test_zip__claims_of_millions_cost_nothing(void **state)
{
	static const uint64_t counts[] = { 10000000, UINT64_MAX, OG_ZIP_ENTRIES_MAX, 4 };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(counts); i++) {
		zip_make m = three(ZM_ZIP64, ZM_ZIP64);
		double began = og_now_ms();
		zm_put(&m, m.end64 + 24, 8, counts[i]);
		zm_put(&m, m.end64 + 32, 8, counts[i]);
		opened o = open_bytes(m.p, m.n);
		assert_int_equal(o.status, ONNXGATE_FORMAT);
		assert_true(og_arena_size(o.a) < 4096 * 2);
		assert_true(og_now_ms() - began < 1000);
		done(&o);
		zm_done(&m);
	}
}

static void test_zip__unsafe_names(void **state)
{
	static const struct {
		const char *name;
		size_t n;
		og_status status;
	} names[] = {
		{ "../a", 4, ONNXGATE_UNSAFE }, { "a/../../b", 9, ONNXGATE_UNSAFE }, { "/etc/passwd", 11, ONNXGATE_UNSAFE }, { "a\\b", 3, ONNXGATE_UNSAFE },
		{ "c:x", 3, ONNXGATE_UNSAFE }, { "a//b", 4, ONNXGATE_UNSAFE }, { "./a", 3, ONNXGATE_UNSAFE }, { "a/..", 4, ONNXGATE_UNSAFE },
		{ "a\nb", 3, ONNXGATE_UNSAFE }, { "/", 1, ONNXGATE_UNSAFE }, { "a//", 3, ONNXGATE_UNSAFE }, { "../", 3, ONNXGATE_UNSAFE },
		{ "a\0b", 3, ONNXGATE_UNSAFE }, { "a\0", 2, ONNXGATE_UNSAFE }, { "", 0, ONNXGATE_FORMAT }, { "a\xff", 2, ONNXGATE_FORMAT },
		{ "m/data.pkl", 10, ONNXGATE_FORMAT }, /* a second one */
	};
	char longest[OG_NAME_MAX + 1];
	(void)state;
	for (size_t i = 0; i < OG_COUNT(names); i++) {
		zip_make m = { 0 };
		zm_add(&m, "m/data.pkl", "x", 1, 0);
		zm_add_n(&m, names[i].name, names[i].n, "y", names[i].n && names[i].name[names[i].n - 1] == '/' ? 0 : 1, 0);
		zm_finish(&m, 0);
		expect(&m, names[i].status, NULL);
	}
	memset(longest, 'a', sizeof longest);
	zip_make m = { 0 };
	zm_add_n(&m, longest, OG_NAME_MAX, "x", 1, 0);
	zm_finish(&m, 0);
	expect(&m, OG_OK, NULL);
	zm_add_n(&m, longest, OG_NAME_MAX + 1, "x", 1, 0);
	zm_finish(&m, 0);
	expect(&m, ONNXGATE_FORMAT, "a name of 1025 bytes");
}

/* Bytes that nothing explains, in front of: the first entry, the second, the directory, the end; behind the end. */
static void test_zip__bytes_that_no_record_explains(void **state)
{
	(void)state;
	for (int place = 0; place < 5; place++) {
		for (unsigned how = 0; how <= ZM_DESCRIPTOR; how += ZM_DESCRIPTOR) {
			zip_make m = { 0 };
			if (place == 0)
				zm_raw(&m, "#!", 2);
			zm_add(&m, "a", "x", 1, how);
			if (place == 1)
				zm_raw(&m, "zz", 2);
			zm_add(&m, "b", "y", 1, how);
			if (place == 2)
				zm_raw(&m, "zz", 2);
			m.directory = m.n;
			zm_central(&m, &m.e[0]);
			zm_central(&m, &m.e[1]);
			if (place == 3)
				zm_raw(&m, "zz", 2);
			zm_end(&m, 0, "", 0);
			if (place == 4)
				zm_raw(&m, "zz", 2);
			expect(&m, ONNXGATE_FORMAT, NULL);
		}
	}
}

static void test_zip__two_archives_in_one_file(void **state)
{
	zip_make a = three(0, 0), b = three(ZM_DEFLATE, 0), m = { 0 };
	(void)state;
	zm_raw(&m, a.p, a.n); /* one behind the other */
	zm_raw(&m, b.p, b.n);
	expect(&m, ONNXGATE_FORMAT, "bytes were added or removed");

	zm_add(&m, "x", "y", 1, 0); /* one in the comment of the other */
	m.directory = m.n;
	zm_central(&m, &m.e[0]);
	zm_end(&m, 0, a.p, a.n);
	expect(&m, ONNXGATE_FORMAT, "hides in a comment");
	zm_add(&m, "x", "y", 1, 0); /* an end record whose own comment is shorter */
	m.directory = m.n;
	zm_central(&m, &m.e[0]);
	zm_end(&m, 0, "PK\5\6................!!\0", 24);
	expect(&m, ONNXGATE_FORMAT, "hides in a comment");
	zm_done(&a);
	zm_done(&b);

	a = three(0, 0); /* one stored in the other: that is honest */
	zm_add(&m, "a.zip", a.p, a.n, 0);
	zm_finish(&m, 0);
	expect(&m, OG_OK, NULL);
	zm_done(&a);
}

static void test_zip__shared_bytes(void **state)
{
	(void)state;
	zip_make m = { 0 }; /* two directory entries, one local header */
	zm_add(&m, "a", "x", 1, 0);
	m.directory = m.n;
	zm_central(&m, &m.e[0]);
	zm_central(&m, &m.e[0]);
	m.count = 2;
	expect(&m, ONNXGATE_FORMAT, NULL); /* no end record yet */
	zm_add(&m, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x", 1, 0);
	m.directory = m.n;
	zm_central(&m, &m.e[0]);
	zm_central(&m, &m.e[0]);
	m.count = 2;
	zm_end(&m, 0, "", 0);
	expect(&m, ONNXGATE_UNSAFE, "overlaps the next entry");

	zip_make inner = { 0 }; /* an entry inside the data of another */
	zm_add(&inner, "b", "payload", 7, 0);
	zm_add(&m, "a", inner.p, inner.n, 0);
	m.count = 2;
	m.e[1] = inner.e[0];
	m.e[1].local = m.e[0].data;
	zm_finish(&m, 0);
	expect(&m, ONNXGATE_UNSAFE, "overlaps the next entry");
	zm_done(&inner);

	zm_add(&m, "a", "x", 1, 0); /* an entry that reaches into the directory */
	zm_add(&m, "b", "y", 1, 0);
	m.e[1].size = m.e[1].packed = 4;
	zm_put(&m, m.e[1].local + 18, 4, 4);
	zm_put(&m, m.e[1].local + 22, 4, 4);
	zm_finish(&m, 0);
	expect(&m, ONNXGATE_UNSAFE, "overlaps the directory");
}

static void test_zip__a_crc_of_nothing(void **state)
{
	zip_make m = three(0, 0);
	(void)state;
	zm_put(&m, m.e[2].local + 14, 4, 1);
	zm_put(&m, m.e[2].central + 16, 4, 1);
	expect(&m, ONNXGATE_FORMAT, "m/empty: no bytes, but a CRC of 0x00000001");
}

static void test_zip__a_second_name_in_the_extra_field(void **state)
{
	(void)state;
	for (int lying = 0; lying < 2; lying++) {
		zip_make m = { 0 };
		zm_add(&m, "a", "x", 1, ZM_PAD);
		zm_put(&m, m.e[0].local + 31, 4, 0x00067075);
		zm_put(&m, m.e[0].local + 40, 1, lying ? 'b' : 'a');
		zm_put(&m, m.e[0].local + 41, 4, 0x00064246); /* and the rest is padding */
		zm_finish(&m, 0);
		expect(&m, lying ? ONNXGATE_FORMAT : OG_OK, lying ? "a second name" : NULL);
	}
}

static void test_zip__not_an_archive(void **state)
{
	static const char html[] = "<!DOCTYPE html><html><body>Not found, sorry</body></html>";
	(void)state;
	opened o = open_bytes("", 0);
	assert_int_equal(o.status, ONNXGATE_FORMAT);
	done(&o);
	o = open_bytes(html, sizeof html);
	assert_int_equal(o.status, ONNXGATE_FORMAT);
	assert_non_null(strstr(o.err.message, "not a zip archive"));
	done(&o);
}

/* Cut anywhere, or with any byte changed: it is refused, or what it gives out still fits the file. */
static void test_zip__cut_and_changed_everywhere(void **state)
{
	(void)state;
	for (unsigned form = 0; form < 2; form++) {
		zip_make m = three(form ? ZM_ZIP64 | ZM_DESCRIPTOR | ZM_PAD : ZM_DEFLATE, form ? ZM_ZIP64 : 0);
		for (size_t n = 0; n < m.n; n++) {
			opened o = open_bytes(m.p, n);
			assert_int_equal(o.status, ONNXGATE_FORMAT);
			done(&o);
		}
		for (size_t at = 0; at < m.n; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				m.p[at] ^= (uint8_t)(1u << bit);
				opened o = open_bytes(m.p, m.n);
				for (size_t i = 0; o.z && i < o.z->n; i++) {
					const og_zip_entry *e = &o.z->entries[i];
					const uint8_t *p;
					assert_true(e->data_at + e->packed_size <= m.directory);
					og_status s = og_zip_read(o.z, e, 1 << 20, o.a, &p, &o.err);
					assert_true(s == OG_OK || s == ONNXGATE_MISMATCH || s == ONNXGATE_FORMAT || s == ONNXGATE_UNSAFE);
				}
				done(&o);
				m.p[at] ^= (uint8_t)(1u << bit);
			}
		}
		zm_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip__reads_every_form),
		cmocka_unit_test(test_zip__folders_comments_and_no_entries),
		cmocka_unit_test(test_zip__no_checksums_at_all),
		cmocka_unit_test(test_zip__lies_of_plain_records),
		cmocka_unit_test(test_zip__lies_of_zip64_and_descriptors),
		cmocka_unit_test(test_zip__claims_of_millions_cost_nothing),
		cmocka_unit_test(test_zip__unsafe_names),
		cmocka_unit_test(test_zip__bytes_that_no_record_explains),
		cmocka_unit_test(test_zip__two_archives_in_one_file),
		cmocka_unit_test(test_zip__shared_bytes),
		cmocka_unit_test(test_zip__a_crc_of_nothing),
		cmocka_unit_test(test_zip__a_second_name_in_the_extra_field),
		cmocka_unit_test(test_zip__not_an_archive),
		cmocka_unit_test(test_zip__cut_and_changed_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
