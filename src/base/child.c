/* SPDX-License-Identifier: Apache-2.0
 *
 * A child process on one stream socket.
 *
 * Starting: everything that needs memory or a lock is done before fork(); between fork() and exec() the child makes
 * only calls that are safe in a signal handler, as other threads may have held any lock.  That exec() went well is
 * known from a pipe that closes by itself then.
 * Talking: poll() in slices of 50 ms at most, so that an interruption, the deadline, and a child that died while some
 * other process still holds its end of the socket are all noticed.
 * Peak memory of a dead child: the kernel counts what the process held *before* exec(), that is, our own size; the
 * figure counts only when it is above that, else the last look at /proc does. */
#include "base/child.h"

#include "base/clock.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 50
#define GOODBYE_MS 2000 /* from the closed socket to SIGKILL: a sanitised child looks for leaks first */
#define CHILD_FD 3

struct og_child {
	pid_t pid;
	int fd;
	bool reaped, known; /* known: how it ended is in wait_status */
	bool broken;        /* error holds why */
	int wait_status;
	uint64_t before, seen, final; /* bytes: our own peak at the start; its peak when last looked; from its rusage */
	char *name;
	og_error error;
};

/* ---- memory --------------------------------------------------------------------------------------- */

/* VmHWM of a process; 0: unknown. No FILE: this runs in the middle of waiting. */
static uint64_t peak_of(pid_t pid)
{
	char path[64], text[4096];
	const char *p;
	unsigned long long kib;
	ssize_t n;
	int fd;
	snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strstr(text, "\nVmHWM:");
	return p && sscanf(p + 7, "%llu", &kib) == 1 ? kib << 10 : 0;
}

uint64_t og_child_peak_memory(const og_child *c)
{
	uint64_t now = c->reaped ? 0 : peak_of(c->pid);
	if (now)
		return now;
	return c->final > c->before && c->final > c->seen ? c->final : c->seen;
}

/* ---- starting ------------------------------------------------------------------------------------- */

/* The file descriptors that the child needs, all above those that it is going to have. */
typedef struct ends {
	int sock[2], report[2], null;
} ends;

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_ends(ends *e)
{
	close_end(&e->sock[0]);
	close_end(&e->sock[1]);
	close_end(&e->report[0]);
	close_end(&e->report[1]);
	close_end(&e->null);
}

static bool lift(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, 10);
	if (high < 0)
		return false;
	close(*fd);
	*fd = high;
	return true;
}

static bool open_ends(ends *e)
{
	*e = (ends){ { -1, -1 }, { -1, -1 }, -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->sock) || pipe2(e->report, O_CLOEXEC))
		return false;
	e->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return e->null >= 0 && lift(&e->sock[1]) && lift(&e->report[1]) && lift(&e->null);
}

/* In the child. Only calls that a signal handler may make; the name of the call that failed goes into errno's company. */
static void __attribute__((noreturn)) become(const ends *e, const char *const *argv, bool quiet, pid_t parent)
{
	struct sigaction plain = { .sa_handler = SIG_DFL }, deaf = { .sa_handler = SIG_IGN };
	sigset_t none;
	int error;
	/* Our handlers must not run here when the signals, blocked until now, are let in. */
	for (int i = 1; i < NSIG; i++)
		sigaction(i, i == SIGINT ? &deaf : &plain, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(127);
	if (dup2(e->null, 0) < 0 || (quiet || dup2(2, 1) < 0 ? dup2(e->null, 1) : 1) < 0 || (quiet || fcntl(2, F_GETFD) < 0 ? dup2(e->null, 2) : 2) < 0 ||
		dup2(e->sock[1], CHILD_FD) < 0)
		goto fail;
	if (close_range(CHILD_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		for (int fd = CHILD_FD + 1; fd < 4096; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
fail:
	error = errno;
	while (write(e->report[1], &error, sizeof error) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* fork() with all signals blocked over it. */
static pid_t fork_child(const ends *e, const char *const *argv, bool quiet)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (!pid)
		become(e, argv, quiet, parent);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* 0 when exec() went well, else its errno. */
static int exec_result(int fd)
{
	int error;
	ssize_t n;
	do
		n = read(fd, &error, sizeof error);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof error ? error : 0;
}

static og_status launch(og_child *c, const char *const *argv, bool quiet, og_error *err)
{
	ends e;
	int error;
	if (!open_ends(&e)) {
		error = errno;
		close_ends(&e);
		return og_fail_errno(err, error, "start", argv[0]);
	}
	c->before = peak_of(getpid());
	c->pid = fork_child(&e, argv, quiet);
	if (c->pid < 0) {
		error = errno;
		close_ends(&e);
		return og_fail_errno(err, error, "start", argv[0]);
	}
	c->fd = e.sock[0];
	e.sock[0] = -1;
	close_end(&e.report[1]);
	error = exec_result(e.report[0]);
	close_ends(&e);
	if (error == ENOENT || error == ENOTDIR)
		return og_fail(err, ONNXGATE_NOT_FOUND, "start %s: %s", argv[0], strerror(error));
	return error ? og_fail_errno(err, error, "start", argv[0]) : OG_OK;
}

og_status og_child_start(const char *const *argv, bool quiet, og_child **out, og_error *err)
{
	og_auto(og_child) *c = og_alloc(sizeof *c);
	if (!c)
		return og_fail_nomem(err);
	c->fd = -1;
	c->pid = -1;
	c->name = og_strdup(og_path_base(argv[0]));
	if (!c->name)
		return og_fail_nomem(err);
	OG_TRY(launch(c, argv, quiet, err));
	*out = og_steal(&c);
	return OG_OK;
}

/* ---- ending --------------------------------------------------------------------------------------- */

/* true: it has ended, and how is noted. */
static bool reap(og_child *c, bool wait)
{
	struct rusage use;
	pid_t r;
	if (c->reaped)
		return true;
	do
		r = wait4(c->pid, &c->wait_status, wait ? 0 : WNOHANG, &use);
	while (r < 0 && errno == EINTR);
	if (!r)
		return false;
	c->reaped = true; /* also when the host reaps all children itself: ECHILD */
	if (r > 0) {
		c->known = true;
		c->final = (uint64_t)use.ru_maxrss << 10;
	}
	return true;
}

static bool reap_within(og_child *c, int ms)
{
	double end = og_now_ms() + ms;
	for (int pause = 1; !reap(c, false); pause = pause < 20 ? pause * 2 : 20) {
		if (og_now_ms() >= end)
			return false;
		og_sleep_ms(pause);
	}
	return true;
}

static void kill_and_reap(og_child *c)
{
	uint64_t now;
	if (reap(c, false))
		return;
	now = peak_of(c->pid);
	if (now > c->seen)
		c->seen = now;
	kill(c->pid, SIGKILL);
	reap(c, true);
}

void og_child_free(og_child *c)
{
	if (!c)
		return;
	close_end(&c->fd);
	if (c->pid > 0 && !reap_within(c, c->broken ? 0 : GOODBYE_MS))
		kill_and_reap(c);
	og_free(c->name);
	og_free(c);
}

/* ---- talking -------------------------------------------------------------------------------------- */

/* Note why this child is of no more use, and say so. */
static og_status broken(og_child *c, og_error *err, og_status status, const char *fmt, ...) OG_PRINTF(4, 5);
static og_status broken(og_child *c, og_error *err, og_status status, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->broken = true;
	if (status == ONNXGATE_CANCELLED)
		og_fail(&c->error, status, "%s", text);
	else
		og_fail(&c->error, status, "%s: %s", c->name, text);
	if (err)
		*err = c->error;
	return status;
}

/* The other end is closed, or the process is gone. */
static og_status gone(og_child *c, og_error *err)
{
	int sig;
	if (!reap_within(c, GOODBYE_MS)) {
		kill_and_reap(c);
		return broken(c, err, ONNXGATE_FAILED, "closed the connection without ending");
	}
	if (!c->known)
		return broken(c, err, ONNXGATE_FAILED, "ended");
	if (!WIFSIGNALED(c->wait_status))
		return broken(c, err, ONNXGATE_FAILED, "ended with exit code %d", WEXITSTATUS(c->wait_status));
	sig = WTERMSIG(c->wait_status);
	broken(c, err, ONNXGATE_FAILED, "killed by signal %d (%s)", sig, strsignal(sig));
	if (sig == SIGKILL) {
		og_error_hint(&c->error, "the system kills a process when memory runs out");
		if (err)
			*err = c->error;
	}
	return ONNXGATE_FAILED;
}

/* Until the socket is ready for the wanted event (or closed: then the call itself says so). */
static og_status wait_ready(og_child *c, short event, double end, int timeout_ms, const int *cancel, og_error *err)
{
	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = event };
		double left = timeout_ms < 0 ? SLICE_MS : end - og_now_ms();
		int r = poll(&p, 1, left < 1 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS);
		if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED)) {
			kill_and_reap(c);
			return broken(c, err, ONNXGATE_CANCELLED, "interrupted");
		}
		if (r > 0)
			return OG_OK;
		if (r < 0 && errno != EINTR)
			return og_fail_errno(err, errno, "wait for", c->name);
		if (timeout_ms >= 0 && og_now_ms() >= end) {
			kill_and_reap(c);
			return broken(c, err, ONNXGATE_FAILED, "did not answer within %g s", timeout_ms / 1e3);
		}
		if (r == 0) {
			uint64_t now = peak_of(c->pid);
			if (now > c->seen)
				c->seen = now;
			/* What it wrote before it ended is still to be read: look once more, without waiting. */
			if (reap(c, false) && poll(&p, 1, 0) == 0)
				return gone(c, err);
		}
	}
}

static og_status transfer(og_child *c, bool sending, void *p, size_t n, int timeout_ms, const int *cancel, og_error *err)
{
	double end = og_now_ms() + timeout_ms;
	char *at = p;
	if (c->broken) {
		if (err)
			*err = c->error;
		return c->error.status;
	}
	while (n) {
		ssize_t k = sending ? send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(c->fd, at, n, MSG_DONTWAIT);
		if (k > 0) {
			at += k;
			n -= (size_t)k;
		} else if (k < 0 && errno == EAGAIN) {
			OG_TRY(wait_ready(c, sending ? POLLOUT : POLLIN, end, timeout_ms, cancel, err));
		} else if (!k || errno == EPIPE || errno == ECONNRESET) {
			return gone(c, err);
		} else if (errno != EINTR) {
			return og_fail_errno(err, errno, sending ? "send to" : "receive from", c->name);
		}
	}
	return OG_OK;
}

og_status og_child_send(og_child *c, const void *p, size_t n, int timeout_ms, const int *cancel, og_error *err)
{
	return transfer(c, true, (void *)(uintptr_t)p, n, timeout_ms, cancel, err); /* send() does not write */
}

og_status og_child_receive(og_child *c, void *p, size_t n, int timeout_ms, const int *cancel, og_error *err)
{
	return transfer(c, false, p, n, timeout_ms, cancel, err);
}
