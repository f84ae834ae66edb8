/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole documents: what is read and printed again must be read again and print the same. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_json) *first = NULL, *second = NULL;
	og_error err = { 0 };
	if (og_json_parse("fuzz", data, size, &first, &err) != OG_OK) {
		if (err.status != ONNXGATE_FORMAT || !err.message[0] || strchr(err.message, '\n') || err.offset > size)
			abort();
		return 0;
	}
	og_autofree char *once = og_json_text(first, false);
	if (!once || og_json_parse("again", once, strlen(once), &second, &err) != OG_OK)
		abort();
	og_autofree char *twice = og_json_text(second, false);
	if (!twice || strcmp(once, twice) != 0)
		abort();
	return 0;
}
