/* SPDX-License-Identifier: Apache-2.0
 *
 * The real ONNX Runtime for tests.  A test that needs it fails when there is none, unless ONNXGATE_TEST_NO_RUNTIME=1
 * says that this machine is known to have none: nothing is left out in silence. */
#ifndef OG_TEST_TOY_RUNTIME_H
#define OG_TEST_TOY_RUNTIME_H

#include "base/scratch.h"

#include "runtime/runtime.h"

static inline const char *toy_helper(void)
{
	const char *env = getenv("ONNXGATE_RUNTIME_HELPER");

	return env && env[0] ? env : OG_BUILD_DIR "/onnxgate-runtime";
}

static inline og_runtime *toy_runtime(int timeout_ms)
{
	og_runtime_options o = { .helper = toy_helper(), .timeout_ms = timeout_ms };
	const char *none = getenv("ONNXGATE_TEST_NO_RUNTIME");
	og_runtime *r = NULL;
	og_error err = { 0 };

	if (none && strcmp(none, "1") == 0)
		skip();
	if (og_runtime_open(&o, NULL, &r, &err) != OG_OK)
		fail_msg("%s (%s)", err.message, err.hint);
	return r;
}

static inline og_session *toy_session(og_runtime *r, const char *path)
{
	og_session *s = NULL;
	og_error err = { 0 };

	if (og_session_open(r, path, NULL, &s, &err) != OG_OK)
		fail_msg("%s", err.message);
	return s;
}

#endif
