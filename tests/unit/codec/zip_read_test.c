/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of zip entries: broken and swollen data, many readers at once, CRCs in pieces; and what opening an archive costs. */
#include "zip_open.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

/* ---- bytes ------------------------------------------------------------------------------------------ */

/* Changes the sizes of entry 0, which has no descriptor, wherever they stand. */
static void resize(zip_make *m, uint64_t packed, uint64_t size)
{
	zm_put(m, m->e[0].local + 18, 4, packed);
	zm_put(m, m->e[0].local + 22, 4, size);
	zm_put(m, m->e[0].central + 20, 4, packed);
	zm_put(m, m->e[0].central + 24, 4, size);
}

static void expect_broken(zip_make *m, og_status status, const char *words)
{
	opened o = open_bytes(m->p, m->n);
	const uint8_t *p = NULL;
	og_source *s = NULL;
	uint8_t byte = 0xa5;
	og_error err = { 0 };
	if (o.status != OG_OK)
		fail_msg("%s", o.err.message);
	assert_int_equal(og_zip_read(o.z, &o.z->entries[0], 1 << 20, o.a, &p, &err), status);
	assert_non_null(strstr(err.message, words));
	assert_null(p);
	if (o.z->entries[0].deflated) {
		assert_int_equal(og_zip_inflated(o.z, &o.z->entries[0], &s, &err), OG_OK);
		for (int i = 0; i < 2; i++) { /* and again */
			err = (og_error){ 0 };
			assert_int_equal(og_source_read(s, 0, &byte, 1, &err), status);
			assert_non_null(strstr(err.message, words));
			assert_int_equal(byte, 0xa5);
		}
		og_source_free(s);
	} else {
		assert_int_equal(og_zip_check(o.z, &o.z->entries[0], NULL, &err), status);
		assert_non_null(strstr(err.message, "m/data.pkl"));
		assert_int_equal(og_zip_inflated(o.z, &o.z->entries[0], &s, &err), ONNXGATE_INTERNAL);
	}
	done(&o);
	zm_done(m);
}

static void test_zip_read__broken_data(void **state)
{
	(void)state;
	zip_make m = three(ZM_DEFLATE, 0);
	size_t packed = m.e[0].packed;
	resize(&m, packed, sizeof text - 1);
	expect_broken(&m, ONNXGATE_UNSAFE, "more than the");
	m = three(ZM_DEFLATE, 0);
	resize(&m, packed, sizeof text + 1);
	expect_broken(&m, ONNXGATE_FORMAT, "unpacked: expected");
	m = three(ZM_DEFLATE, 0);
	m.p[m.e[0].data] |= 6; /* a block type that is none */
	expect_broken(&m, ONNXGATE_FORMAT, "broken");
	m = three(0, 0);
	m.p[m.e[0].data + 3] ^= 1;
	expect_broken(&m, ONNXGATE_MISMATCH, "CRC-32");
	m = three(ZM_DEFLATE, 0);
	zm_put(&m, m.e[0].local + 14, 4, 1);
	zm_put(&m, m.e[0].central + 16, 4, 1);
	expect_broken(&m, ONNXGATE_MISMATCH, "CRC-32: expected 00000001");

	/* The stream ends before the packed bytes do, or after. */
	for (int more = 0; more < 2; more++) {
		zip_make whole = three(ZM_DEFLATE, 0);
		zm_add(&m, "m/data.pkl", whole.p + whole.e[0].data, more ? packed + 2 : packed - 2, 0);
		m.e[0].how = ZM_DEFLATE;
		m.e[0].size = sizeof text;
		m.e[0].crc = whole.e[0].crc;
		zm_put(&m, m.e[0].local + 8, 2, 8);
		zm_put(&m, m.e[0].local + 14, 4, whole.e[0].crc);
		zm_put(&m, m.e[0].local + 22, 4, sizeof text);
		zm_finish(&m, 0);
		expect_broken(&m, ONNXGATE_FORMAT, more ? "that are left" : "ends too early");
		zm_done(&whole);
	}
}

static void test_zip_read__bombs(void **state)
{
	const size_t n = (size_t)24 << 20;
	uint8_t *zeros = og_alloc(n);
	(void)state;
	assert_non_null(zeros);
	zip_make m = { 0 };
	zm_add(&m, "a", zeros, n, ZM_DEFLATE);
	zm_add(&m, "b", zeros, n, ZM_DEFLATE);
	zm_finish(&m, 0);
	expect(&m, OG_OK, NULL); /* 48 MB of zeros: no harm yet */
	zm_add(&m, "a", zeros, n, ZM_DEFLATE);
	zm_add(&m, "b", zeros, n, ZM_DEFLATE);
	zm_add(&m, "c", zeros, n, ZM_DEFLATE);
	zm_finish(&m, 0);
	expect(&m, ONNXGATE_UNSAFE, "a bomb");
	og_free(zeros);

	m = three(ZM_DEFLATE, 0);
	resize(&m, m.e[0].packed, 50000000);
	expect(&m, ONNXGATE_UNSAFE, "which deflate cannot");
}

typedef struct reading {
	og_source *s;
	const uint8_t *expected;
	size_t n;
	int wrong;
} reading;

static void *read_all(void *arg)
{
	reading *r = arg;
	uint8_t buffer[1000];
	for (size_t at = 0; at < r->n; at += sizeof buffer) {
		size_t k = r->n - at < sizeof buffer ? r->n - at : sizeof buffer;
		if (og_source_read(r->s, at, buffer, k, NULL) != OG_OK || memcmp(buffer, r->expected + at, k) != 0)
			r->wrong++;
	}
	return NULL;
}

static uint8_t *noise(size_t n)
{
	uint8_t *p = og_alloc(n);
	uint32_t x = 1;
	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (uint8_t)(x >> 28);
	}
	return p;
}

static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);
	close(fd);
	return fd;
}

/* However many entries are in use, there is one file, which goes with the last of them. */
static void test_zip_read__inflated_entries_share_a_file(void **state)
{
	enum { ENTRIES = 8 };
	const size_t n = 3000;
	uint8_t *p = noise(n + ENTRIES), byte;
	zip_make m = { 0 };
	og_source *s[ENTRIES] = { NULL };
	reading r[ENTRIES];
	char name[2] = "a";
	(void)state;
	for (size_t i = 0; i < ENTRIES; i++, name[0]++)
		zm_add(&m, name, p + i, n, ZM_DEFLATE);
	zm_finish(&m, 0);
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	int before = next_fd();
	for (size_t i = 0; i < ENTRIES; i++)
		assert_int_equal(og_zip_inflated(o.z, &o.z->entries[i], &s[i], NULL), OG_OK);
	assert_int_equal(next_fd(), before);
	for (size_t i = ENTRIES; i-- > 0;)
		assert_int_equal(og_source_read(s[i], 0, &byte, 1, NULL), OG_OK);
	assert_int_equal(next_fd(), before + 1);
	for (size_t i = 0; i < ENTRIES; i++) {
		r[i] = (reading){ s[i], p + i, n, 0 };
		read_all(&r[i]);
		assert_int_equal(r[i].wrong, 0);
		og_source_free(s[i]);
	}
	assert_int_equal(next_fd(), before);
	done(&o);
	zm_done(&m);
	og_free(p);
}

static void test_zip_read__inflated_by_many_threads_at_once(void **state)
{
	enum { THREADS = 4 };
	const size_t n = 1000003;
	uint8_t *p = noise(n);
	zip_make m = { 0 };
	reading r[THREADS];
	pthread_t t[THREADS];
	og_source *s = NULL;
	(void)state;
	zm_add(&m, "a", p, n, ZM_DEFLATE);
	zm_finish(&m, 0);
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	assert_int_equal(og_zip_inflated(o.z, &o.z->entries[0], &s, NULL), OG_OK);
	assert_string_equal(s->name, "x.pt: a");
	assert_int_equal(s->fd, -1);
	for (int i = 0; i < THREADS; i++) {
		r[i] = (reading){ s, p, n, 0 };
		assert_int_equal(pthread_create(&t[i], NULL, read_all, &r[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].wrong, 0);
	}
	assert_int_equal(og_source_read(s, n, p, 1, NULL), ONNXGATE_FORMAT);
	og_source_free(s);
	done(&o);
	zm_done(&m);
	og_free(p);
}

static void on_progress(void *arg, const char *what, uint64_t n, uint64_t total)
{
	uint64_t *seen = arg;
	assert_string_equal(what, "check a");
	assert_true(n <= total);
	if (n > *seen)
		*seen = n;
}

static void test_zip_read__check_in_pieces(void **state)
{
	const size_t n = ((size_t)20 << 20) + 5;
	uint8_t *p = noise(n);
	zip_make m = { 0 };
	uint64_t seen = 0;
	int cancel = 0;
	og_context ctx = { .progress = on_progress, .arg = &seen, .cancel = &cancel, .threads = 3 };
	og_error err = { 0 };
	(void)state;
	zm_add(&m, "a", p, n, 0);
	zm_finish(&m, 0);
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, OG_OK);
	assert_int_equal(og_zip_check(o.z, &o.z->entries[0], &ctx, &err), OG_OK);
	assert_int_equal(og_zip_check(o.z, &o.z->entries[0], NULL, &err), OG_OK);
	assert_int_equal(seen, n);
	cancel = 1;
	assert_int_equal(og_zip_check(o.z, &o.z->entries[0], &ctx, &err), ONNXGATE_CANCELLED);
	cancel = 0;
	done(&o);
	m.p[m.e[0].data + n - 1] ^= 0x80;
	o = open_bytes(m.p, m.n);
	assert_int_equal(og_zip_check(o.z, &o.z->entries[0], &ctx, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "entry a: CRC-32"));
	done(&o);
	zm_done(&m);
	og_free(p);
}

/* ---- cost ------------------------------------------------------------------------------------------- */

typedef struct counting {
	og_source s;
	const uint8_t *p;
	size_t reads, bytes;
} counting;

static og_status count_read(og_source *s, uint64_t offset, void *buf, size_t n, og_error *err)
{
	counting *c = (counting *)s;
	(void)err;
	memcpy(buf, c->p + offset, n);
	c->reads++;
	c->bytes += n;
	return OG_OK;
}

static void count_free(og_source *s)
{
	(void)s;
}

/* An archive of n entries of `size` bytes each, written by hand: zip_make's table is short. */
static void many(zip_make *m, size_t n, size_t size, const uint8_t *data, bool twice)
{
	size_t *at = og_array_alloc(n, sizeof *at);
	zip_make one = { 0 };
	char name[40];
	assert_non_null(at);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "m/data/%06zu", twice && i == n - 1 ? 0 : i);
		one.count = 0;
		one.n = 0;
		zm_add(&one, name, data, size, ZM_DESCRIPTOR);
		at[i] = m->n;
		zm_raw(m, one.p, one.n);
	}
	m->directory = m->n;
	for (size_t i = 0; i < n; i++) {
		zm_entry e = one.e[0];
		e.local = at[i];
		zm_central(m, &e);
	}
	zm_end(m, ZM_ZIP64, "", 0);
	zm_put(m, m->end64 + 24, 8, n);
	zm_put(m, m->end64 + 32, 8, n);
	zm_done(&one);
	og_free(at);
}

static void test_zip_read__few_reads(void **state)
{
	static const og_source_ops ops = { count_read, count_free };
	static const struct {
		size_t n, size, reads, bytes;
	} rows[] = {
		{ 1000, 8, 4, (size_t)1 << 20 },                /* neighbours share a window */
		{ 50, 100000, 55, (size_t)512 << 10 },          /* large ones take a read each, of little */
		{ 400, 4000, 14, ((size_t)400 * 4200) + (256 << 10) }, /* in between: reading on costs less than reading again */
	};
	char name[] = "x.pt";
	uint8_t *p = noise(100000);
	(void)state;
	for (size_t i = 0; i < OG_COUNT(rows); i++) {
		zip_make m = { 0 };
		og_arena *a = og_arena_new();
		og_zip *z = NULL;
		og_error err = { 0 };
		many(&m, rows[i].n, rows[i].size, p, false);
		counting c = { .s = { &ops, m.n, -1, name }, .p = m.p };
		if (og_zip_open(&c.s, a, &z, &err) != OG_OK)
			fail_msg("%s", err.message);
		assert_int_equal(z->n, rows[i].n);
		assert_true(c.reads <= rows[i].reads);
		assert_true(c.bytes <= rows[i].bytes);
		og_arena_free(a);
		zm_done(&m);
	}
	og_free(p);
}

static void test_zip_read__a_hostile_directory_stays_small(void **state)
{
	zip_make m = { 0 };
	(void)state;
	many(&m, OG_ZIP_ENTRIES_MAX, 1, (const uint8_t *)"x", true);
	double began = og_now_ms();
	opened o = open_bytes(m.p, m.n);
	assert_int_equal(o.status, ONNXGATE_FORMAT);
	assert_non_null(strstr(o.err.message, "a second entry of this name"));
	assert_true(og_now_ms() - began < 5000); /* with sanitizers; 0.1 s without */
	assert_true(og_arena_size(o.a) < (size_t)60 << 20);
	done(&o);
	zm_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip_read__broken_data),
		cmocka_unit_test(test_zip_read__bombs),
		cmocka_unit_test(test_zip_read__inflated_entries_share_a_file),
		cmocka_unit_test(test_zip_read__inflated_by_many_threads_at_once),
		cmocka_unit_test(test_zip_read__check_in_pieces),
		cmocka_unit_test(test_zip_read__few_reads),
		cmocka_unit_test(test_zip_read__a_hostile_directory_stays_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
