/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may see the token: the origin (scheme, host, port) that it was given for, and nobody else; a redirect, a next
 * page or a CDN on another port is somebody else.  Plain HTTP only where no wire is used. */
#include "hub/hub_int.h"

#include <arpa/inet.h>

bool og_origin_equal(const og_origin *a, const og_origin *b)
{
	return a->https == b->https && a->port == b->port && og_streq(a->host, b->host);
}

/* Only literal addresses and "localhost": a name that resolves to 127.0.0.1 today may not tomorrow. */
bool og_host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char inner[64];
	size_t n = strlen(host);

	if (og_streq(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (n < 3 || n > sizeof(inner) || host[0] != '[' || host[n - 1] != ']')
		return false;
	memcpy(inner, host + 1, n - 2);
	inner[n - 2] = '\0';
	return inet_pton(AF_INET6, inner, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool og_token_may_go(const og_origin *endpoint, const og_origin *target)
{
	return og_origin_equal(endpoint, target) && (target->https || og_host_is_loopback(target->host));
}
