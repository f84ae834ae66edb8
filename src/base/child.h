/* SPDX-License-Identifier: Apache-2.0
 *
 * A child process with which we talk over one stream socket; killed when it does not answer in time. */
#ifndef OG_BASE_CHILD_H
#define OG_BASE_CHILD_H

#include "base/alloc.h"
#include "base/error.h"

typedef struct og_child og_child;

/* argv[0] is the path of the program. The child gets the socket as file descriptor 3, /dev/null as standard
 * input, our standard error (or /dev/null when quiet) as its output and error, ignores SIGINT (the terminal
 * sends it to both; we decide), and dies with the *thread* that started it, so that must outlive the child.
 * NOT_FOUND when there is no such program. */
og_status og_child_start(const char *const *argv, bool quiet, og_child **out, og_error *err) OG_MUST;
/* All n bytes within the timeout (negative: none). FAILED with "NAME: killed by signal 11 (Segmentation fault)", "ended with
 * exit code N", or "did not answer within N s" (it is killed then); CANCELLED
 * when *cancel becomes non-zero (killed too: the stream is of no use after half a message). Once it failed, it stays failed. */
og_status og_child_send(og_child *c, const void *p, size_t n, int timeout_ms, const int *cancel, og_error *err) OG_MUST;
og_status og_child_receive(og_child *c, void *p, size_t n, int timeout_ms, const int *cancel, og_error *err) OG_MUST;
uint64_t og_child_peak_memory(const og_child *c); /* bytes: VmHWM while it lives, else from its rusage; 0: unknown */
void og_child_free(og_child *c); /* closes the socket, waits a moment, kills, reaps */
OG_DEFINE_FREEP(og_child)

#endif
