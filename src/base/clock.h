/* SPDX-License-Identifier: Apache-2.0
 *
 * Time: monotonic for durations, wall clock for records only. */
#ifndef OG_BASE_CLOCK_H
#define OG_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

double og_now_ms(void);                          /* monotonic */
int64_t og_wall_seconds(void);                   /* Unix time */
void og_rfc3339(int64_t seconds, char out[32]);  /* "2026-11-24T07:06:43Z" */
void og_sleep_ms(int ms);

#endif
