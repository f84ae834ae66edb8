/* SPDX-License-Identifier: Apache-2.0
 *
 * Naming what is no checkpoint: the usual cause is a wrong file under the right name. */
#ifndef OG_FORMAT_RECOGNISE_H
#define OG_FORMAT_RECOGNISE_H

#include "base/source.h"
#include "codec/zip.h"

#define OG_HEAD 64 /* first bytes of a file that its recognition needs */

typedef struct og_found {
	const char *what, *hint;
	char buf[80]; /* where what may stand */
} og_found;

/* Bytes that stand for nothing else. false: no telling. */
bool og_recognise(og_source *s, const uint8_t *head, size_t n, og_found *out);
/* Do the first bytes look like a ModelProto's? */
bool og_is_onnx(const uint8_t *head, size_t n);
/* Text of some kind: JSON, XML, other. */
bool og_recognise_text(const uint8_t *head, size_t n, og_found *out);
/* As well as the bytes allow; always says something. */
void og_guess(og_source *s, const uint8_t *head, size_t n, og_found *out);
/* What a zip archive without a data.pkl is. */
void og_zip_name(const og_zip *z, const char **what, const char **hint);

/* A file that is a pickle without PyTorch's frame: UNSAFE with the global that it names, or UNSUPPORTED with what it is; OK: it is no
 * pickle at all. For protocols 0 and 1, which look like text or like nothing. */
og_status og_pickle_refuse(og_source *s, og_error *err) OG_MUST;

#endif
