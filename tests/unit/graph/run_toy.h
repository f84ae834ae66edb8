/* SPDX-License-Identifier: Apache-2.0
 *
 * A described model, lowered, written and run in the real ONNX Runtime, for tests that compare it with plain C.  One
 * runtime serves all tests of a program; toy_run_end is its group's teardown. */
#ifndef OG_TEST_RUN_TOY_H
#define OG_TEST_RUN_TOY_H

#include "checkpoint_toy.h"

#include "../toy_runtime.h"
#include "base/str.h"
#include "graph/emit.h"
#include "graph/lower.h"
#include "graph/ops.h"

#include <math.h>

static og_runtime *toy_run_runtime;

static inline int toy_run_end(void **state)
{
	(void)state;
	og_runtime_free(toy_run_runtime);
	return 0;
}

/* The outputs, in t's arena; the builder is used up. */
static inline og_array *toy_run(toy_build *t, int opset, bool half, const og_array *in, size_t nin, size_t nout)
{
	og_model *m = toy_finish(t);
	og_emitted made[2];
	size_t n;
	og_array *out;
	og_error err = { 0 };
	og_status s = og_lower_opset(m, opset, &err);
	if (!toy_run_runtime)
		toy_run_runtime = toy_runtime(0);
	if (s == OG_OK && half)
		s = og_lower_fp16(m, false, &err);
	if (s == OG_OK)
		s = og_emit(m, scratch_dir, "model.onnx", &(og_emit_options){ OG_EXTERNAL_NEVER, false }, NULL, made, &n, &err);
	if (s != OG_OK)
		fail_msg("opset %d: %s", opset, err.message);
	og_session *session = toy_session(toy_run_runtime, scratch("model.onnx"));
	if (og_session_run(session, in, nin, t->arena, &out, &n, &err) != OG_OK)
		fail_msg("opset %d: %s", opset, err.message);
	og_session_free(session);
	assert_int_equal(n, nout);
	return out;
}

/* Every element within limit × max(1, |want|). */
static inline void toy_expect(const og_array *out, const double *want, size_t n, double limit)
{
	assert_int_equal(out->dtype, OG_F32);
	assert_int_equal(out->size, n * sizeof(float));
	for (size_t i = 0; i < n; i++) {
		double got = (double)((const float *)out->data)[i];
		if (!(fabs(got - want[i]) <= limit * fmax(1, fabs(want[i]))))
			fail_msg("%s[%zu]: expected %.9g, found %.9g", out->name, i, want[i], got);
	}
}

#endif
