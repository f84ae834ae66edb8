/* SPDX-License-Identifier: Apache-2.0
 *
 * Views against a loop over single elements, and how many reads the usual ones take. */
#include "format/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define BIG ((int64_t)1 << 40)

/* ---- a file without bytes: each is worked out from its place, so that a view may be as wide as it likes ---- */

typedef struct made_source {
	og_source s;
	unsigned reads;
	uint64_t bytes, largest;
} made_source;

static uint8_t made_byte(uint64_t at)
{
	return (uint8_t)((at * 0x9e3779b97f4a7c15u) >> 56);
}

static og_status made_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	made_source *m = (made_source *)s;
	(void)err;
	m->reads++;
	m->bytes += n;
	m->largest = n > m->largest ? n : m->largest;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = made_byte(offset + i);
	return OG_OK;
}

static const og_source_ops made_ops = { made_read, NULL };

static made_source made(uint64_t size)
{
	return (made_source){ .s = { .ops = &made_ops, .size = size, .fd = -1, .name = (char *)(uintptr_t)"made" } };
}

/* ---- the loop ---- */

static void element(const og_tensor *t, uint64_t index, uint8_t *out)
{
	unsigned width = og_dtype_bits(t->dtype) / 8, unit = t->dtype == OG_C64 || t->dtype == OG_C128 ? width / 2 : width;
	uint64_t at = t->offset;
	for (int i = t->rank - 1; i >= 0; i--) {
		at += index % (uint64_t)t->dims[i] * (uint64_t)t->strides[i] * width;
		index /= (uint64_t)t->dims[i];
	}
	for (unsigned k = 0; k < width; k++)
		out[k] = made_byte(at + (t->swapped ? k / unit * unit + unit - 1 - k % unit : k));
}

/* Reads the range and compares all of it, or, of a long one, some. */
static void check_range(const og_tensor *t, uint64_t first, uint64_t n)
{
	unsigned width = og_dtype_bits(t->dtype) / 8;
	uint8_t *got = malloc(n * width + 2), want[16];
	og_error err = { 0 };
	char dims[200], strides[400];
	assert_non_null(got);
	got[0] = got[n * width + 1] = 0xa5;
	if (og_tensor_read(t, first, n, got + 1, &err) != OG_OK)
		fail_msg("%s", err.message);
	assert_true(got[0] == 0xa5 && got[n * width + 1] == 0xa5);
	for (uint64_t i = 0; i < n; i += n > 100000 && i + 200 < n ? 97 : 1) {
		element(t, first + i, want);
		if (memcmp(got + 1 + i * width, want, width) != 0)
			fail_msg("%s%s of dims %s, strides %s: element %llu of [%llu, %llu) differs", t->swapped ? "swapped " : "", og_dtype_name(t->dtype),
				og_dims_show(t->dims, t->rank, dims, sizeof(dims)), og_dims_show(t->strides, t->rank, strides, sizeof(strides)),
				(unsigned long long)(first + i), (unsigned long long)first, (unsigned long long)(first + n));
	}
	free(got);
}

/* ---- random views ---- */

/* Dims in a random order of the file, each behind the ones below it with a gap of none, a few, or many elements; sometimes a stride
 * of 0, or one that lets rows overlap. */
static void random_view(og_random *r, og_tensor *t, int64_t most)
{
	int order[OG_RANK_MAX];
	int64_t stride = 1;
	static const int64_t gaps[] = { 0, 0, 0, 1, 3, 700, 3000, 1 << 20 };
	static const og_dtype dtypes[] = { OG_U8, OG_F16, OG_F32, OG_F64, OG_C64, OG_C128, OG_BOOL };
	t->name = "t";
	t->dtype = dtypes[og_random_below(r, sizeof(dtypes) / sizeof(dtypes[0]))];
	t->swapped = og_random_below(r, 4) == 0;
	t->rank = (int)og_random_below(r, 6);
	for (int i = 0; i < t->rank; i++) {
		t->dims[i] = og_random_below(r, 5) == 0 ? 1 : 1 + (int64_t)og_random_below(r, (uint64_t)most);
		order[i] = i;
	}
	for (int i = t->rank - 1; i > 0 && og_random_below(r, 4); i--) {
		int k = (int)og_random_below(r, (uint64_t)i + 1), o = order[i];
		order[i] = order[k];
		order[k] = o;
	}
	for (int i = t->rank - 1; i >= 0; i--) {
		int d = order[i];
		stride += gaps[og_random_below(r, sizeof(gaps) / sizeof(gaps[0]))];
		t->strides[d] = og_random_below(r, 12) == 0 ? 0 : og_random_below(r, 12) == 0 ? (int64_t)og_random_below(r, (uint64_t)stride) : stride;
		stride *= t->dims[d];
	}
	t->offset = og_random_below(r, 3) ? og_random_below(r, 5000) : 0;
}

static void test_tensor__any_range_of_any_view(void **state)
{
	og_random r = { 20261 };
	(void)state;
	for (int i = 0; i < 6000; i++) {
		made_source s = made((uint64_t)1 << 62);
		og_tensor t = { .source = &s.s };
		random_view(&r, &t, i % 50 == 0 ? 40 : 7);
		uint64_t n = og_tensor_elements(&t), span = 0;
		if (n > 2000000)
			continue;
		assert_true(og_tensor_span(&t, &span));
		s.s.size = t.offset + span; /* nothing behind the last element may be touched */
		check_range(&t, 0, n);
		assert_true(s.largest <= (1 << 20) || s.largest == n * og_dtype_bits(t.dtype) / 8);
		for (int k = 0; k < 4; k++) {
			uint64_t first = og_random_below(&r, n + 1);
			check_range(&t, first, og_random_below(&r, n - first + 1));
		}
	}
}

/* Many windows of one view: matrices of a few megabytes, whole and in pieces. */
static void test_tensor__views_larger_than_a_window(void **state)
{
	og_random r = { 5 };
	static const struct {
		int rank;
		int64_t dims[4], strides[4];
	} views[] = {
		{ 2, { 1237, 1103 }, { 1, 1237 } },                    /* transposed */
		{ 2, { 1237, 1103 }, { 3, 4000 } },                    /* transposed, every third, rows with gaps */
		{ 2, { 1024, 1024 }, { 1, 1024 } },
		{ 4, { 4, 64, 56, 56 }, { 200704, 1, 3584, 64 } },     /* channels last */
		{ 3, { 300, 20, 200 }, { 20, 1, 6000 } },
		{ 3, { 500, 3, 1500 }, { 0, 1500, 1 } },               /* expanded */
		{ 2, { 3000, 1000 }, { 400, 1 } },                     /* overlapping frames */
		{ 1, { 1000000 }, { 2 } },
		{ 2, { 700, 1700 }, { 1 << 20, 1 } },                  /* a band of a wide matrix */
		{ 2, { 1700, 700 }, { 1, 1 << 20 } },                  /* and transposed */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		for (int swapped = 0; swapped < 2; swapped++) {
			made_source s = made((uint64_t)1 << 40);
			og_tensor t = { .name = "t", .dtype = OG_F32, .rank = views[i].rank, .source = &s.s, .offset = 12, .swapped = swapped };
			memcpy(t.dims, views[i].dims, sizeof(views[i].dims));
			memcpy(t.strides, views[i].strides, sizeof(views[i].strides));
			uint64_t n = og_tensor_elements(&t), first = og_random_below(&r, n / 2);
			check_range(&t, 0, n);
			check_range(&t, first, og_random_below(&r, n / 2) + 1);
		}
}

/* ---- how many reads ---- */

static void expect_reads(og_tensor t, uint64_t first, uint64_t n, unsigned reads, uint64_t bytes)
{
	made_source s = made((uint64_t)1 << 40);
	t.name = "t";
	t.dtype = OG_F32;
	t.source = &s.s;
	uint8_t *p = malloc(n * 4);
	assert_int_equal(og_tensor_read(&t, first, n, p, NULL), OG_OK);
	free(p);
	if (s.reads > reads || s.bytes > bytes)
		fail_msg("expected at most %u reads of %llu bytes, found %u of %llu", reads, (unsigned long long)bytes, s.reads, (unsigned long long)s.bytes);
	check_range(&t, first, n);
}

static void test_tensor__usual_views_take_few_reads(void **state)
{
	(void)state;
	/* dense, whole and a part: one, whatever the size */
	expect_reads((og_tensor){ .rank = 2, .dims = { 3000, 1000 }, .strides = { 1000, 1 } }, 0, 3000000, 1, 12000000);
	expect_reads((og_tensor){ .rank = 3, .dims = { 300, 10, 1000 }, .strides = { 10000, 1000, 1 } }, 777, 2000001, 1, 8000004);
	/* a transposed matrix, whole: windows of a megabyte; some of its rows: one a line */
	expect_reads((og_tensor){ .rank = 2, .dims = { 2000, 1500 }, .strides = { 1, 2000 } }, 0, 3000000, 12, 12000000);
	expect_reads((og_tensor){ .rank = 2, .dims = { 20000, 1500 }, .strides = { 1, 20000 } }, 1500 * 256, 1500 * 512, 1500, 1500 * 512 * 4);
	/* and with a part of a row at each end */
	expect_reads((og_tensor){ .rank = 2, .dims = { 20000, 1500 }, .strides = { 1, 20000 } }, 1500 * 256 - 700, 1500 * 512 + 1400, 1500 + 1400, 1500 * 514 * 4);
	/* expanded: its one row, its one number */
	expect_reads((og_tensor){ .rank = 2, .dims = { 512, 768 }, .strides = { 0, 1 } }, 0, 512 * 768, 1, 768 * 4);
	expect_reads((og_tensor){ .rank = 2, .dims = { 64, 8192 }, .strides = { 0, 1 } }, 0, 64 * 8192, 1, 8192 * 4);
	expect_reads((og_tensor){ .rank = 3, .dims = { 12, 30, 40 }, .strides = { 0, 0, 0 } }, 0, 14400, 1, 4);
	/* one channel of two: read over */
	expect_reads((og_tensor){ .rank = 1, .dims = { 1000000 }, .strides = { 2 } }, 0, 1000000, 8, 8000000);
	/* diagonals: of a small matrix read over, of a large one number by number */
	expect_reads((og_tensor){ .rank = 1, .dims = { 1000 }, .strides = { 1001 } }, 0, 1000, 4, 4000000);
	expect_reads((og_tensor){ .rank = 1, .dims = { 1000 }, .strides = { 100001 } }, 0, 1000, 1000, 4000);
	/* a band of columns: one a row, straight to its place */
	expect_reads((og_tensor){ .rank = 2, .dims = { 800, 512 }, .strides = { 4096, 1 } }, 0, 800 * 512, 800, 800 * 512 * 4);
	/* channels last: whole, one image is a window */
	expect_reads((og_tensor){ .rank = 4, .dims = { 8, 64, 32, 32 }, .strides = { 65536, 1, 2048, 64 } }, 0, 8 * 65536, 2, 8 * 65536 * 4);
}

/* ---- edges ---- */

static void test_tensor__dims_that_overflow_beside_a_zero(void **state)
{
	og_tensor t = { .name = "t", .dtype = OG_F64, .rank = 4, .dims = { 0, BIG, BIG, BIG } };
	made_source s = made(0);
	uint64_t span = 7;
	(void)state;
	t.source = &s.s;
	og_tensor_set_dense(&t);
	assert_true(t.strides[3] == 1 && t.strides[2] == BIG && t.strides[1] > 0 && t.strides[0] > 0);
	assert_true(og_tensor_is_dense(&t));
	assert_true(og_tensor_span(&t, &span) && span == 0);
	assert_int_equal(og_tensor_elements(&t), 0);
	assert_int_equal(og_tensor_read(&t, 0, 0, NULL, NULL), OG_OK);
	t.dims[0] = BIG; /* no reader lets it through, but nothing may overflow */
	assert_false(og_tensor_is_dense(&t));
	assert_false(og_tensor_span(&t, &span));
	assert_int_equal(og_tensor_read(&t, 0, 1, &span, NULL), ONNXGATE_FORMAT);
	t.dims[3] = 0;
	assert_true(og_tensor_is_dense(&t));
}

static void test_tensor__dense_or_not(void **state)
{
	og_tensor t = { .dtype = OG_F32, .rank = 3, .dims = { 2, 1, 3 }, .strides = { 3, 99, 1 } };
	(void)state;
	assert_true(og_tensor_is_dense(&t)); /* the stride of a dim of 1 means nothing */
	t.swapped = true;
	assert_false(og_tensor_is_dense(&t));
	t.dtype = OG_F8E5M2;
	assert_true(og_tensor_is_dense(&t)); /* a byte has no order */
	t.strides[0] = 4;
	assert_false(og_tensor_is_dense(&t));
	t.strides[0] = 0;
	assert_false(og_tensor_is_dense(&t));
	t.rank = 0;
	assert_true(og_tensor_is_dense(&t));
}

static void test_tensor__span_reaches_the_last_element(void **state)
{
	og_tensor t = { .dtype = OG_F16, .rank = 2, .dims = { 3, 4 }, .strides = { 1, 10 } };
	uint64_t n;
	(void)state;
	assert_true(og_tensor_span(&t, &n) && n == 2 * (2 + 30 + 1));
	t.strides[0] = t.strides[1] = 0;
	assert_true(og_tensor_span(&t, &n) && n == 2);
	t.strides[0] = INT64_MAX;
	assert_false(og_tensor_span(&t, &n));
	t.strides[0] = -1;
	assert_false(og_tensor_span(&t, &n));
	t = (og_tensor){ .dtype = OG_F4E2M1, .rank = 1, .dims = { 5 }, .strides = { 1 } };
	assert_true(og_tensor_span(&t, &n) && n == 3);
	t.dtype = OG_STRING;
	assert_false(og_tensor_span(&t, &n));
}

static void test_tensor__what_is_not_there_is_refused(void **state)
{
	made_source s = made(100);
	og_tensor t = { .name = "t", .dtype = OG_F32, .rank = 2, .dims = { 5, 5 }, .strides = { 1, 5 }, .source = &s.s };
	uint8_t buf[200];
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_tensor_read(&t, 0, 25, buf, &err), OG_OK);
	assert_int_equal(og_tensor_read(&t, 1, 25, buf, &err), ONNXGATE_INTERNAL);
	assert_int_equal(og_tensor_read(&t, UINT64_MAX, 2, buf, &err), ONNXGATE_INTERNAL);
	t.offset = 4; /* one element too far, though the range asked for is in the file */
	assert_int_equal(og_tensor_read(&t, 0, 5, buf, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "tensor t"));
	t.offset = UINT64_MAX - 3;
	assert_int_equal(og_tensor_read(&t, 0, 5, buf, &err), ONNXGATE_FORMAT);
	t.offset = 0;
	t.strides[1] = INT64_MAX;
	assert_int_equal(og_tensor_read(&t, 0, 5, buf, &err), ONNXGATE_FORMAT);
}

static void test_tensor__narrow_types_in_whole_bytes(void **state)
{
	made_source s = made(100);
	og_tensor t = { .name = "t", .dtype = OG_F4E2M1, .rank = 2, .dims = { 3, 3 }, .strides = { 3, 1 }, .source = &s.s, .offset = 1 };
	uint8_t got[5];
	(void)state;
	assert_int_equal(og_tensor_read(&t, 4, 4, got, NULL), OG_OK);
	assert_true(got[0] == made_byte(3) && got[1] == made_byte(4));
	assert_int_equal(og_tensor_read(&t, 8, 1, got, NULL), OG_OK); /* the half of the last byte */
	assert_true(got[0] == made_byte(5));
	assert_int_equal(og_tensor_read(&t, 3, 2, got, NULL), ONNXGATE_INTERNAL);
	assert_int_equal(og_tensor_read(&t, 4, 3, got, NULL), ONNXGATE_INTERNAL);
	t.strides[0] = 1;
	t.strides[1] = 3;
	assert_int_equal(og_tensor_read(&t, 0, 9, got, NULL), ONNXGATE_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tensor__any_range_of_any_view),
		cmocka_unit_test(test_tensor__views_larger_than_a_window),
		cmocka_unit_test(test_tensor__usual_views_take_few_reads),
		cmocka_unit_test(test_tensor__dims_that_overflow_beside_a_zero),
		cmocka_unit_test(test_tensor__dense_or_not),
		cmocka_unit_test(test_tensor__span_reaches_the_last_element),
		cmocka_unit_test(test_tensor__what_is_not_there_is_refused),
		cmocka_unit_test(test_tensor__narrow_types_in_whole_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
