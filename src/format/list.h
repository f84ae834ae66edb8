/* SPDX-License-Identifier: Apache-2.0
 *
 * Every format, in the order in which they are asked whether a file is theirs. A new one: its file and a row here. */
#ifndef OG_FORMAT_LIST_H
#define OG_FORMAT_LIST_H

#include "format/format.h"

#define OG_FORMAT_LIST(row) row(safetensors) row(torch_zip) row(torch_legacy) row(pickle)

#define OG_FORMAT_EXTERN(name) extern const og_format og_format_##name;
OG_FORMAT_LIST(OG_FORMAT_EXTERN)

#endif
