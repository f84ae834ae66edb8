/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that take the next index from a counter.  Of several errors the one with the lowest item is kept: a
 * lower item was started before, and every started item runs to its end, so the message that comes out is
 * the same whatever the number of threads. */
#include "base/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 1024

typedef struct shared {
	size_t n, next; /* next: atomic */
	og_pool_fn fn;
	void *arg;
	pthread_mutex_t lock; /* guards what follows */
	size_t failed_item;
	og_status status;
	og_error error;
} shared;

typedef struct worker {
	shared *s;
	int id;
	pthread_t thread;
} worker;

static void note_error(shared *s, size_t item, og_status status, const og_error *err)
{
	pthread_mutex_lock(&s->lock);
	if (s->status == OG_OK || item < s->failed_item) {
		s->status = status;
		s->failed_item = item;
		s->error = *err;
	}
	pthread_mutex_unlock(&s->lock);
	__atomic_store_n(&s->next, s->n, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	worker *w = arg;
	shared *s = w->s;
	for (;;) {
		og_error err = { .offset = ONNXGATE_NO_OFFSET };
		size_t item = __atomic_load_n(&s->next, __ATOMIC_RELAXED);
		og_status status;
		/* Not fetch_add: the end, set by an error, must not be counted past. */
		do {
			if (item >= s->n)
				return NULL;
		} while (!__atomic_compare_exchange_n(&s->next, &item, item + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
		status = s->fn(s->arg, w->id, item, &err);
		if (status != OG_OK)
			note_error(s, item, status, &err);
	}
}

/* Make threads 1 … n-1, as many as the system gives. Their signals are blocked: the host's threads get them. */
static int start(worker *w, shared *s, int n)
{
	sigset_t all, old;
	int made = 1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; made < n; made++) {
		w[made] = (worker){ .s = s, .id = made };
		if (pthread_create(&w[made].thread, NULL, work, &w[made]))
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return made;
}

og_status og_pool_run(int threads, size_t n, og_pool_fn fn, void *arg, og_error *err)
{
	shared s = { .n = n, .fn = fn, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER };
	worker self = { .s = &s };
	og_autofree worker *w = NULL;
	int made = 1;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if (threads > 1 && (size_t)threads > n)
		threads = (int)n;
	if (threads > 1) {
		w = og_array_alloc((size_t)threads, sizeof *w);
		if (!w)
			return og_fail_nomem(err);
		made = start(w, &s, threads);
	}
	work(&self);
	for (int i = 1; i < made; i++)
		pthread_join(w[i].thread, NULL);
	pthread_mutex_destroy(&s.lock);
	if (s.status != OG_OK && err)
		*err = s.error;
	return s.status;
}

/* A container may have been given less time than it sees processors: "QUOTA PERIOD" of its cgroup, or "max …". */
static int cgroup_cpus(void)
{
	long long quota, period;
	FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
	int n = 0;
	if (!f)
		return 0;
	if (fscanf(f, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0 && quota / period < 65536)
		n = (int)((quota + period - 1) / period);
	fclose(f);
	return n;
}

int og_cpu_count(void)
{
	enum { MOST = 8192 };
	static const size_t size = CPU_ALLOC_SIZE(MOST);
	cpu_set_t *set = og_alloc(size);
	int n = 0, limit = cgroup_cpus();
	if (set && !sched_getaffinity(0, size, set))
		n = CPU_COUNT_S(size, set);
	og_free(set);
	if (n < 1)
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (limit && limit < n)
		n = limit;
	return n < 1 ? 1 : n;
}
