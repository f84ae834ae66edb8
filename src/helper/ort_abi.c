/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a real onnxruntime_c_api.h is at hand when this is built, the positions of ort_functions.h are compared
 * with it.  Nothing of it is used otherwise. */
#include "helper/ort_functions.h"

#include <stddef.h>

#if __has_include(<onnxruntime_c_api.h>)
#include <onnxruntime_c_api.h>
#define OG_HAVE_ORT_HEADER 1
#elif __has_include(<onnxruntime/onnxruntime_c_api.h>)
#include <onnxruntime/onnxruntime_c_api.h>
#define OG_HAVE_ORT_HEADER 1
#endif

#ifdef OG_HAVE_ORT_HEADER
#define SAME_POSITION(position, name, result, parameters)                                                              \
	_Static_assert(offsetof(OrtApi, name) == (position) * sizeof(void (*)(void)), "position of " #name);
OG_ORT_FUNCTIONS(SAME_POSITION)
_Static_assert(offsetof(OrtApiBase, GetApi) == 0, "position of GetApi");
_Static_assert(offsetof(OrtApiBase, GetVersionString) == sizeof(void (*)(void)), "position of GetVersionString");
#endif
