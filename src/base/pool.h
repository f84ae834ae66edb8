/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for work that falls into independent pieces. */
#ifndef OG_BASE_POOL_H
#define OG_BASE_POOL_H

#include "base/error.h"

/* item: 0 … n-1, each exactly once, started in rising order; worker: 0 … threads-1, for scratch memory. */
typedef og_status (*og_pool_fn)(void *arg, int worker, size_t item, og_error *err);

/* Run fn over n items on up to `threads` threads (the caller is one of them; 1: no thread is made).
 * An error stops the handing out of items; of several, the one with the lowest item is returned. */
og_status og_pool_run(int threads, size_t n, og_pool_fn fn, void *arg, og_error *err) OG_MUST;

int og_cpu_count(void); /* that this process may use, ≥ 1 */

#endif
