/* SPDX-License-Identifier: Apache-2.0
 *
 * Result rows as JSON.  Paths on Linux are bytes, and a document is UTF-8: a byte that belongs to no character
 * becomes U+FFFD here, at the one place where text enters a document. */
#include "codec/rows.h"

#include "base/buf.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>

/* ---- words ------------------------------------------------------------------------------------------ */

static const char *const verdicts[] = { [ONNXGATE_UNKNOWN] = "unknown", [ONNXGATE_PASS] = "pass", [ONNXGATE_FAIL] = "fail" };
static const char *const levels[] = {
	[ONNXGATE_VALIDATE_DEFAULT] = "runtime", [ONNXGATE_VALIDATE_NONE] = "none",           [ONNXGATE_VALIDATE_STRUCTURE] = "structure",
	[ONNXGATE_VALIDATE_RUNTIME] = "runtime", [ONNXGATE_VALIDATE_REFERENCE] = "reference",
};
static const char *const statuses[] = { [ONNXGATE_CHECK_PASS] = "pass", [ONNXGATE_CHECK_FAIL] = "fail", [ONNXGATE_CHECK_SKIPPED] = "skipped" };

const char *og_verdict_name(onnxgate_verdict v)
{
	return (size_t)v < OG_COUNT(verdicts) ? verdicts[v] : "unknown";
}

const char *og_level_name(onnxgate_level l)
{
	return (size_t)l < OG_COUNT(levels) ? levels[l] : "none";
}

const char *og_check_status_name(onnxgate_check_status s)
{
	return (size_t)s < OG_COUNT(statuses) ? statuses[s] : "skipped";
}

static bool find_word(const char *const *words, size_t first, size_t n, const char *s, size_t *out)
{
	for (size_t i = first; i < n; i++)
		if (og_streq(words[i], s)) {
			*out = i;
			return true;
		}
	return false;
}

bool og_verdict_parse(const char *s, onnxgate_verdict *out)
{
	size_t i;
	if (!find_word(verdicts, 0, OG_COUNT(verdicts), s, &i))
		return false;
	*out = (onnxgate_verdict)i;
	return true;
}

bool og_level_parse(const char *s, onnxgate_level *out)
{
	size_t i;
	if (!find_word(levels, ONNXGATE_VALIDATE_NONE, OG_COUNT(levels), s, &i)) /* the default has no word of its own */
		return false;
	*out = (onnxgate_level)i;
	return true;
}

bool og_check_status_parse(const char *s, onnxgate_check_status *out)
{
	size_t i;
	if (!find_word(statuses, 0, OG_COUNT(statuses), s, &i))
		return false;
	*out = (onnxgate_check_status)i;
	return true;
}

/* ---- builder ---------------------------------------------------------------------------------------- */

static og_json *made(og_doc *d, og_json *v)
{
	d->failed = d->failed || !v;
	return v;
}

og_json *og_doc_object(og_doc *d)
{
	return made(d, json_object_new_object());
}

og_json *og_doc_array(og_doc *d, size_t room)
{
	return made(d, json_object_new_array_ext(room < 1 || room > INT32_MAX ? 1 : (int)room));
}

static char *mended(const char *s, size_t n)
{
	og_auto_buf b;
	og_buf_init(&b, SIZE_MAX / 4);
	for (size_t i = 0; i < n;) {
		size_t k = og_utf8_len((const uint8_t *)s + i, n - i);
		if (k)
			og_buf_add(&b, s + i, k);
		else
			og_buf_str(&b, "\xef\xbf\xbd");
		i += k ? k : 1;
	}
	return og_buf_take(&b);
}

og_json *og_doc_str(og_doc *d, const char *s)
{
	if (!s)
		return NULL;
	size_t n = strlen(s);
	if (og_utf8_valid((const uint8_t *)s, n))
		return made(d, n <= INT32_MAX ? json_object_new_string_len(s, (int)n) : NULL);
	og_autofree char *good = mended(s, n);
	return made(d, good ? json_object_new_string(good) : NULL);
}

og_json *og_doc_int(og_doc *d, int64_t v)
{
	return made(d, json_object_new_int64(v));
}

og_json *og_doc_size(og_doc *d, uint64_t v)
{
	return og_doc_int(d, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

og_json *og_doc_real(og_doc *d, double v)
{
	if (!isfinite(v))
		return NULL;
	char text[40] = "";
	for (int digits = 6; digits <= 17; digits++) { /* figures are short more often than not */
		snprintf(text, sizeof(text), "%.*g", digits, v);
		char *comma = strchr(text, ','); /* the host program's locale may print one */
		if (comma)
			*comma = '.';
		double back;
		if (og_parse_double(text, &back) && back == v)
			break;
	}
	return made(d, json_object_new_double_s(v, text));
}

og_json *og_doc_bool(og_doc *d, bool v)
{
	return made(d, json_object_new_boolean(v));
}

void og_doc_set(og_doc *d, og_json *obj, const char *key, og_json *v)
{
	og_autofree char *good = NULL;
	size_t n = strlen(key);
	if (!og_utf8_valid((const uint8_t *)key, n)) {
		good = mended(key, n);
		key = good;
	}
	if (!obj || !key || json_object_object_add(obj, key, v) != 0) {
		d->failed = true;
		json_object_put(v);
	}
}

void og_doc_add(og_doc *d, og_json *array, og_json *v)
{
	if (!array || json_object_array_add(array, v) != 0) {
		d->failed = true;
		json_object_put(v);
	}
}

char *og_doc_text(og_doc *d, og_json *root, bool pretty)
{
	char *text = d->failed ? NULL : og_json_text(root, pretty);
	json_object_put(root);
	d->failed = d->failed || !text;
	return text;
}

/* ---- rows ------------------------------------------------------------------------------------------- */

og_json *og_doc_files(og_doc *d, const onnxgate_file_row *rows, size_t n)
{
	og_json *a = og_doc_array(d, n);
	for (size_t i = 0; i < n; i++) {
		og_json *o = og_doc_object(d);
		og_doc_set(d, o, "path", og_doc_str(d, rows[i].path));
		og_doc_set(d, o, "role", og_doc_str(d, rows[i].role));
		og_doc_set(d, o, "size", og_doc_size(d, rows[i].size));
		og_doc_set(d, o, "sha256", og_doc_str(d, rows[i].sha256));
		og_doc_add(d, a, o);
	}
	return a;
}

og_json *og_doc_checks(og_doc *d, const onnxgate_check_row *rows, size_t n)
{
	og_json *a = og_doc_array(d, n);
	for (size_t i = 0; i < n; i++) {
		og_json *o = og_doc_object(d);
		og_doc_set(d, o, "name", og_doc_str(d, rows[i].name));
		og_doc_set(d, o, "level", og_doc_str(d, og_level_name(rows[i].level)));
		og_doc_set(d, o, "status", og_doc_str(d, og_check_status_name(rows[i].status)));
		og_doc_set(d, o, "value", og_doc_real(d, rows[i].value));
		og_doc_set(d, o, "limit", og_doc_real(d, rows[i].limit));
		og_doc_set(d, o, "detail", og_doc_str(d, rows[i].detail));
		og_doc_add(d, a, o);
	}
	return a;
}

og_json *og_doc_attempts(og_doc *d, const onnxgate_attempt_row *rows, size_t n)
{
	og_json *a = og_doc_array(d, n);
	for (size_t i = 0; i < n; i++) {
		og_json *o = og_doc_object(d);
		og_doc_set(d, o, "step", og_doc_str(d, rows[i].step));
		og_doc_set(d, o, "outcome", og_doc_str(d, rows[i].outcome));
		og_doc_set(d, o, "code", og_doc_int(d, og_exit_code(rows[i].code)));
		og_doc_set(d, o, "detail", og_doc_str(d, rows[i].detail));
		og_doc_set(d, o, "ms", og_doc_real(d, rows[i].ms));
		og_doc_add(d, a, o);
	}
	return a;
}

og_json *og_doc_timings(og_doc *d, const onnxgate_timing_row *rows, size_t n)
{
	og_json *o = og_doc_object(d);
	for (size_t i = 0; i < n; i++)
		og_doc_set(d, o, rows[i].name, og_doc_real(d, rows[i].ms));
	return o;
}

og_json *og_doc_texts(og_doc *d, const char *const *texts, size_t n)
{
	og_json *a = og_doc_array(d, n);
	for (size_t i = 0; i < n; i++)
		og_doc_add(d, a, og_doc_str(d, texts[i]));
	return a;
}

og_json *og_doc_pairs(og_doc *d, const onnxgate_pair *rows, size_t n)
{
	og_json *o = og_doc_object(d);
	for (size_t i = 0; i < n; i++)
		og_doc_set(d, o, rows[i].key, og_doc_str(d, rows[i].value));
	return o;
}
