/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying a range of one file into another: inside the kernel (which shares the blocks where the file system
 * can), else through a buffer.  The kernel's way is given up for good at the first answer that means "not
 * between these two files"; also at a 0, which it gives for some special files that do have more to read. */
#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)
#define KERNEL_PIECE ((uint64_t)1 << 30)

typedef struct copy {
	int in, out;
	off_t in_at, out_at;
	uint64_t left;
	const char *in_path, *out_path;
} copy;

static og_status through_buffer(copy *c, og_error *err)
{
	og_autofree char *p = og_alloc(PIECE);
	if (!p)
		return og_fail_nomem(err);
	while (c->left) {
		ssize_t n = pread(c->in, p, c->left < PIECE ? (size_t)c->left : PIECE, c->in_at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return og_fail_errno(err, errno, "read", c->in_path);
		if (!n)
			return og_fail_at(err, ONNXGATE_FORMAT, (uint64_t)c->in_at,
				"%s: truncated: ends at offset %lld, %llu bytes before the end of the range that is copied",
							  c->in_path, (long long)c->in_at, (unsigned long long)c->left);
		OG_TRY(og_pwrite_all(c->out, p, (size_t)n, (uint64_t)c->out_at, c->out_path, err));
		c->in_at += n;
		c->out_at += n;
		c->left -= (uint64_t)n;
	}
	return OG_OK;
}

/* What says that the kernel cannot, rather than that the disk will not. EPERM, EBADF and ETXTBSY: sandboxes, O_APPEND, swap files;
 * a real fault of that name comes back from the buffered way. */
static bool kernel_cannot(int e)
{
	return e == EXDEV || e == EINVAL || e == ENOSYS || e == EOPNOTSUPP || e == EPERM || e == EBADF || e == ETXTBSY;
}

og_status og_copy_range(int in, uint64_t in_at, int out, uint64_t out_at, uint64_t n, const char *in_path, const char *out_path, og_error *err)
{
	copy c = { in, out, (off_t)in_at, (off_t)out_at, n, in_path, out_path };
	if (in_at > INT64_MAX || n > INT64_MAX - in_at)
		return og_fail_errno(err, EOVERFLOW, "read", in_path);
	if (out_at > INT64_MAX || n > INT64_MAX - out_at)
		return og_fail_errno(err, EFBIG, "write", out_path);
	while (c.left) {
		ssize_t k = copy_file_range(in, &c.in_at, out, &c.out_at, (size_t)(c.left < KERNEL_PIECE ? c.left : KERNEL_PIECE), 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (!k || (k < 0 && kernel_cannot(errno)))
			return through_buffer(&c, err);
		if (k < 0)
			return og_fail_errno(err, errno, "write", out_path);
		c.left -= (uint64_t)k;
	}
	return OG_OK;
}
