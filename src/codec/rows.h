/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of results as JSON, spelled once for the documents, the database and the manifests, over a small
 * builder on json-c: want of memory is sticky, text that is not UTF-8 is mended, a figure that JSON cannot
 * hold becomes null. */
#ifndef OG_CODEC_ROWS_H
#define OG_CODEC_ROWS_H

#include "codec/json.h"

/* ---- words for enums ------------------------------------------------------------------------------- */

const char *og_verdict_name(onnxgate_verdict v);           /* "pass", "fail", "unknown" */
const char *og_level_name(onnxgate_level l);               /* "none", "structure", "runtime", "reference"; the default is runtime */
const char *og_check_status_name(onnxgate_check_status s); /* "pass", "fail", "skipped" */
bool og_verdict_parse(const char *s, onnxgate_verdict *out);
bool og_level_parse(const char *s, onnxgate_level *out);
bool og_check_status_parse(const char *s, onnxgate_check_status *out);

/* ---- builder: every v is taken; a NULL v is JSON's null --------------------------------------------- */

typedef struct og_doc {
	bool failed; /* no memory: what was built is not whole */
} og_doc;

og_json *og_doc_object(og_doc *d);
og_json *og_doc_array(og_doc *d, size_t room);
og_json *og_doc_str(og_doc *d, const char *s);
og_json *og_doc_int(og_doc *d, int64_t v);
og_json *og_doc_size(og_doc *d, uint64_t v); /* above INT64_MAX: that */
og_json *og_doc_real(og_doc *d, double v);   /* NaN, infinite: null; else the shortest text that reads back the same */
og_json *og_doc_bool(og_doc *d, bool v);
void og_doc_set(og_doc *d, og_json *obj, const char *key, og_json *v);
void og_doc_add(og_doc *d, og_json *array, og_json *v);
/* The text (yours, og_free), root released; NULL: no memory at any point since d began. */
char *og_doc_text(og_doc *d, og_json *root, bool pretty);

/* ---- rows ------------------------------------------------------------------------------------------- */

og_json *og_doc_files(og_doc *d, const onnxgate_file_row *rows, size_t n);
og_json *og_doc_checks(og_doc *d, const onnxgate_check_row *rows, size_t n);
og_json *og_doc_attempts(og_doc *d, const onnxgate_attempt_row *rows, size_t n);
og_json *og_doc_timings(og_doc *d, const onnxgate_timing_row *rows, size_t n); /* {name: ms} */
og_json *og_doc_texts(og_doc *d, const char *const *texts, size_t n);
og_json *og_doc_pairs(og_doc *d, const onnxgate_pair *rows, size_t n); /* {key: value} */

#endif
