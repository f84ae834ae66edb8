/* SPDX-License-Identifier: Apache-2.0
 *
 * A cache in a temporary folder, and entries of two small files to put into it. */
#ifndef TESTS_CACHE_FIXTURE_H
#define TESTS_CACHE_FIXTURE_H

#include "cache/cache_int.h"

#include "base/path.h"
#include "base/str.h"
#include "codec/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char home[64];
static char scratch[8][512];

static inline int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/og-cache-XXXXXX");
	return mkdtemp(home) ? 0 : -1;
}

static inline int remove_home(void **state)
{
	(void)state;
	return og_remove_tree(home, NULL) == OG_OK ? 0 : -1;
}

/* A path below the home, in one of eight buffers. */
static inline const char *at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline const char *at(const char *fmt, ...)
{
	static unsigned next;
	char *out = scratch[next++ % 8];
	int n = snprintf(out, sizeof(scratch[0]), "%s/", home);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out + n, sizeof(scratch[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	return out;
}

static inline void ok(og_status s, const og_error *err)
{
	if (s != OG_OK)
		print_error("status %d: %s\n", s, err->message);
	assert_int_equal(s, OG_OK);
}

static inline og_cache *open_cache(void)
{
	og_cache *c = NULL;
	og_error err = { 0 };
	ok(og_cache_open(home, &c, &err), &err);
	return c;
}

typedef struct content { /* what an entry of `text` holds, and its manifest */
	char sha[OG_SHA256_HEX];
	onnxgate_file_row files[2];
	onnxgate_check_row checks[2];
	onnxgate_timing_row timings[1];
	const char *notes[1];
	og_manifest manifest;
} content;

static inline void describe(content *c, const char *key, const char *text)
{
	memset(c, 0, sizeof(*c));
	assert_int_equal(og_sha256_bytes(text, strlen(text), c->sha, NULL), OG_OK);
	c->files[0] = (onnxgate_file_row){ "model.onnx", "model", strlen(text), c->sha };
	c->files[1] = (onnxgate_file_row){ "sub/config.json", "config", 2, NULL };
	c->checks[0] = (onnxgate_check_row){ "weights.readback", ONNXGATE_VALIDATE_STRUCTURE, ONNXGATE_CHECK_PASS, 0, 0, "64 positions" };
	c->checks[1] = (onnxgate_check_row){ "runtime.load", ONNXGATE_VALIDATE_RUNTIME, ONNXGATE_CHECK_SKIPPED, __builtin_nan(""), __builtin_nan(""), NULL };
	c->timings[0] = (onnxgate_timing_row){ "emit", 12.5 };
	c->notes[0] = "2 tensors ignored";
	c->manifest = (og_manifest){ .key = key, .repo_id = "org/näme", .revision = "c0ffee", .model_type = "bert", .architecture = "BertModel",
								 .task = "feature-extraction", .dtype = "float32", .created = "2026-11-24T07:06:43Z", .opset = 18, .architecture_revision = 1,
								 .level = ONNXGATE_VALIDATE_STRUCTURE, .verdict = ONNXGATE_PASS, .files = c->files, .nfiles = 2, .checks = c->checks,
								 .nchecks = 2, .timings = c->timings, .ntimings = 1, .notes = c->notes, .nnotes = 1 };
}

/* Errors instead of assertions: also called in child processes. */
static inline og_status fill(const char *dir, const char *text, og_error *err)
{
	og_autofree char *model = og_path_join(dir, "model.onnx"), *sub = og_path_join(dir, "sub"), *config = og_path_join(dir, "sub/config.json");
	OG_TRY(og_file_write(model, text, strlen(text), err));
	OG_TRY(og_mkdirs(sub, err));
	return og_file_write(config, "{}", 2, err);
}

static inline og_status put(og_cache *c, const char *key, const char *text, bool force, bool *made, og_error *err)
{
	og_auto(og_staging) *s = NULL;
	og_auto(og_cache_entry) *e = NULL;
	content x;
	describe(&x, key, text);
	*made = false;
	OG_TRY(og_staging_begin(c, key, force, NULL, &s, &e, err));
	if (e)
		return OG_OK;
	OG_TRY(fill(og_staging_dir(s), text, err));
	OG_TRY(og_staging_publish(s, &x.manifest, &e, err));
	*made = true;
	return OG_OK;
}

static inline size_t count_names(const char *dir, const char *prefix)
{
	og_dirlist l = { 0 };
	size_t n = 0;
	if (og_dir_list(dir, &l, NULL) != OG_OK)
		return 0;
	for (size_t i = 0; i < l.n; i++)
		n += og_starts_with(l.names[i], prefix);
	og_dirlist_done(&l);
	return n;
}

#endif
