/* SPDX-License-Identifier: Apache-2.0
 *
 * A shim for LD_PRELOAD that lets chosen system calls fail, fall short, or be the moment of a signal: full disks, broken disks, missing
 * permissions and kill -9 on demand, at the very place where a test wants them.
 *
 *   OG_FAULT="CALL:N:ACTION:PATHPART[;CALL:N:ACTION:PATHPART…]"   up to 8 rules; each counts by itself, per process
 *   OG_FAULT_LOG=FILE                                             a line "CALL COUNT ACTION PATH" for every fault that struck, so that a test
 *                                                                 can tell "survived it" from "it never happened"
 *
 *   CALL      write, pwrite (pwrite64 too), copy_file_range, fsync, fdatasync, rename (renameat and renameat2 too), ftruncate, fallocate (posix_fallocate
 *             too), or any: all of them
 *   N         the Nth matching call, counted from 1; "N+": that one and all later ones, as a disk stays full
 *   ACTION    an errno      ENOSPC EDQUOT EIO EACCES EPERM EROFS EFBIG EXDEV EINVAL ENOSYS EINTR: the call is not made and fails with it
 *             a signal      SIGKILL SIGINT SIGTERM SIGSEGV SIGSTOP: sent to the process just before the call, which is then made
 *             SHORT         write, pwrite and copy_file_range are made with half the length; others as usual
 *             LOG           nothing but the line in the log: to learn how many calls there are
 *   PATHPART  a part of the path: of the file behind the descriptor (/proc/self/fd), of the output of copy_file_range, of the old or the
 *             new name of a rename. Empty: any file outside /dev and /proc. Pipes and sockets never match.
 *
 *   OG_FAULT="pwrite:3:ENOSPC:model.onnx"      OG_FAULT="rename:1:SIGKILL:conversions"
 *   OG_FAULT="copy_file_range:1+:ENOSYS:;pwrite:2+:EIO:.onnx_data"
 *
 * What cannot be seen: calls inside libc itself (stdio's own writes) and calls made with syscall(). A rule that cannot be read ends the
 * process with exit code 120, as a misspelt rule would pass for a test that survives everything.
 * A program built with GCC's address sanitizer needs ASAN_OPTIONS=verify_asan_link_order=0 beside the preload. */
#undef _FILE_OFFSET_BITS /* both pwrite and pwrite64 are defined here, under their own names */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RULES_MAX 8
#define BAD_RULE 120

typedef struct rule {
	char call[24], action[16], part[256];
	long nth;
	bool onwards;
	int error, sig; /* 0: not this kind */
	bool cut;
	long seen; /* atomic */
} rule;

static rule rules[RULES_MAX];
static int nrules;

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO },		  { "EACCES", EACCES }, { "EPERM", EPERM }, { "EROFS", EROFS },
	{ "EFBIG", EFBIG },	  { "EXDEV", EXDEV },	{ "EINVAL", EINVAL }, { "ENOSYS", ENOSYS }, { "EINTR", EINTR },
}, signals[] = { { "SIGKILL", SIGKILL }, { "SIGINT", SIGINT }, { "SIGTERM", SIGTERM }, { "SIGSEGV", SIGSEGV }, { "SIGSTOP", SIGSTOP } };

static const char *const calls[] = { "write", "pwrite", "copy_file_range", "fsync", "fdatasync", "rename", "ftruncate", "fallocate", "any" };

/* ---- reading the rules ---------------------------------------------------------------------------- */

static void __attribute__((noreturn)) refuse(const char *text)
{
	fprintf(stderr, "faults: cannot read the rule '%s' of OG_FAULT, expected CALL:N:ACTION:PATHPART\n", text);
	_exit(BAD_RULE);
}

/* The text up to the next ':' into out. Returns what is behind it; NULL: there is none, or it is too long. */
static char *field(char *p, char *out, size_t cap)
{
	size_t n = strcspn(p, ":");
	if (p[n] != ':' || n >= cap)
		return NULL;
	memcpy(out, p, n);
	out[n] = 0;
	return p + n + 1;
}

static bool know_call(const char *name)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(calls[i], name))
			return true;
	return false;
}

static bool know_action(rule *r)
{
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (!strcmp(errors[i].name, r->action))
			r->error = errors[i].number;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (!strcmp(signals[i].name, r->action))
			r->sig = signals[i].number;
	r->cut = !strcmp(r->action, "SHORT");
	return r->error || r->sig || r->cut || !strcmp(r->action, "LOG");
}

static void read_rule(char *text, rule *r)
{
	char number[24] = "", *end, *p = field(text, r->call, sizeof r->call);
	p = p ? field(p, number, sizeof number) : NULL;
	p = p ? field(p, r->action, sizeof r->action) : NULL;
	if (!p || strlen(p) >= sizeof r->part || !know_call(r->call) || !know_action(r))
		refuse(text);
	strcpy(r->part, p);
	r->nth = strtol(number, &end, 10);
	r->onwards = *end == '+';
	if (r->nth < 1 || end == number || end[r->onwards])
		refuse(text);
}

static void __attribute__((constructor)) read_rules(void)
{
	const char *spec = getenv("OG_FAULT");
	char *copy = spec && *spec ? strdup(spec) : NULL, *rest = copy, *one;
	while (rest && (one = strsep(&rest, ";"))) {
		if (nrules == RULES_MAX)
			refuse(one);
		read_rule(one, &rules[nrules]);
		nrules++;
	}
	free(copy);
}

/* ---- what every call goes through ------------------------------------------------------------------ */

/* Straight to the kernel: a line in the log must not be counted. */
static void note(const rule *r, const char *call, long count, const char *path)
{
	const char *log = getenv("OG_FAULT_LOG");
	char line[PATH_MAX + 64];
	long fd;
	int n;
	if (!log)
		return;
	n = snprintf(line, sizeof line, "%s %ld %s %s\n", call, count, r->action, path);
	fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || n < 0)
		return;
	syscall(SYS_write, fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
	syscall(SYS_close, fd);
}

static bool fits(const rule *r, const char *path)
{
	if (path[0] != '/')
		return false;
	if (!r->part[0])
		return strncmp(path, "/dev/", 5) && strncmp(path, "/proc/", 6);
	return strstr(path, r->part) != NULL;
}

/* 0: make the call; n is halved where that is asked for. Else: fail with this errno. other: a second path, or NULL. */
static int strike(const char *call, const char *path, const char *other, size_t *n)
{
	int error = 0;
	for (int i = 0; i < nrules; i++) {
		rule *r = &rules[i];
		long count;
		bool first = fits(r, path);
		if ((strcmp(r->call, call) && strcmp(r->call, "any")) || (!first && !(other && fits(r, other))))
			continue;
		count = __atomic_add_fetch(&r->seen, 1, __ATOMIC_RELAXED);
		if (count != r->nth && !(r->onwards && count > r->nth))
			continue;
		note(r, call, count, first ? path : other);
		if (r->sig)
			kill(getpid(), r->sig);
		if (r->cut && n && *n > 1)
			*n /= 2;
		if (r->error && !error)
			error = r->error;
	}
	return error;
}

static void path_of(int fd, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	out[n < 0 ? 0 : n] = 0;
}

/* The errno of the caller is kept unless there is a fault: this may run in the middle of anything. */
static bool strike_fd(const char *call, int fd, size_t *n)
{
	char path[PATH_MAX];
	int before = errno, error;
	if (!nrules)
		return false;
	path_of(fd, path);
	error = strike(call, path, NULL, n);
	errno = error ? error : before;
	return error;
}

static void full_name(int dir, const char *name, char out[PATH_MAX])
{
	char folder[PATH_MAX] = "";
	if (name[0] != '/') {
		if (dir == AT_FDCWD) {
			if (!getcwd(folder, sizeof folder))
				folder[0] = 0;
		} else {
			path_of(dir, folder);
		}
	}
	if (strlen(folder) + strlen(name) + 2 > PATH_MAX) {
		out[0] = 0;
		return;
	}
	out[0] = 0;
	if (folder[0])
		strcat(strcpy(out, folder), "/");
	strcat(out, name);
}

static bool strike_names(int from_dir, const char *from, int to_dir, const char *to)
{
	char old[PATH_MAX], new[PATH_MAX];
	int before = errno, error;
	if (!nrules)
		return false;
	full_name(from_dir, from, old);
	full_name(to_dir, to, new);
	error = strike("rename", new, old, NULL);
	errno = error ? error : before;
	return error;
}

/* ---- the calls ------------------------------------------------------------------------------------ */

/* The function that we stand before. memcpy, as C has no cast from an object to a function. */
#define NEXT(name)                                                                                                     \
	static __typeof__(name) *next_;                                                                                    \
	if (!next_) {                                                                                                      \
		void *p_ = dlsym(RTLD_NEXT, #name);                                                                            \
		memcpy(&next_, &p_, sizeof p_);                                                                                \
	}

ssize_t write(int fd, const void *p, size_t n)
{
	NEXT(write)
	return strike_fd("write", fd, &n) ? -1 : next_(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	NEXT(pwrite)
	return strike_fd("pwrite", fd, &n) ? -1 : next_(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	NEXT(pwrite64)
	return strike_fd("pwrite", fd, &n) ? -1 : next_(fd, p, n, at);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	NEXT(copy_file_range)
	return strike_fd("copy_file_range", out, &n) ? -1 : next_(in, in_at, out, out_at, n, flags);
}

int fsync(int fd)
{
	NEXT(fsync)
	return strike_fd("fsync", fd, NULL) ? -1 : next_(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync)
	return strike_fd("fdatasync", fd, NULL) ? -1 : next_(fd);
}

int ftruncate(int fd, off_t n)
{
	NEXT(ftruncate)
	return strike_fd("ftruncate", fd, NULL) ? -1 : next_(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	NEXT(ftruncate64)
	return strike_fd("ftruncate", fd, NULL) ? -1 : next_(fd, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	NEXT(fallocate)
	return strike_fd("fallocate", fd, NULL) ? -1 : next_(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
	NEXT(fallocate64)
	return strike_fd("fallocate", fd, NULL) ? -1 : next_(fd, mode, at, n);
}

/* These two return the error and leave errno alone. */
int posix_fallocate(int fd, off_t at, off_t n)
{
	int before = errno, error;
	NEXT(posix_fallocate)
	error = strike_fd("fallocate", fd, NULL) ? errno : 0;
	errno = before;
	return error ? error : next_(fd, at, n);
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
	int before = errno, error;
	NEXT(posix_fallocate64)
	error = strike_fd("fallocate", fd, NULL) ? errno : 0;
	errno = before;
	return error ? error : next_(fd, at, n);
}

int rename(const char *from, const char *to)
{
	NEXT(rename)
	return strike_names(AT_FDCWD, from, AT_FDCWD, to) ? -1 : next_(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	NEXT(renameat)
	return strike_names(from_dir, from, to_dir, to) ? -1 : next_(from_dir, from, to_dir, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	NEXT(renameat2)
	return strike_names(from_dir, from, to_dir, to) ? -1 : next_(from_dir, from, to_dir, to, flags);
}
