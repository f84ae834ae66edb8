/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

double og_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int64_t og_wall_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec;
}

void og_rfc3339(int64_t seconds, char out[32])
{
	const int64_t first = INT64_C(-62167219200), last = INT64_C(253402300799); /* years 0000 … 9999: all that the format knows */
	time_t t = (time_t)(seconds < first ? first : seconds > last ? last : seconds);
	struct tm tm = { 0 };
	gmtime_r(&t, &tm); /* cannot fail within these years */
	/* Not strftime(): glibc does not pad a year below 1000. The remainders only tell the compiler how long it gets. */
	snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
			 (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}

void og_sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	if (ms <= 0)
		return;
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}
