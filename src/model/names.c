/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of tensors: the legacy spelling, what wrappers put before them, and nearness for "did you mean". */
#include "model/names.h"

#include "base/limits.h"
#include "base/str.h"

const char *og_name_modern(og_arena *a, const char *name)
{
	static const struct {
		const char *old, *now; /* of the last part of the name; before it stands … */
		const char *owner;     /* … what ends so */
	} endings[] = {
		{ "gamma", "weight", "LayerNorm." }, { "beta", "bias", "LayerNorm." },
		{ "weight_g", "parametrizations.weight.original0", "." }, { "weight_v", "parametrizations.weight.original1", "." },
	};
	const char *dot = strrchr(name, '.');
	size_t stem = dot ? (size_t)(dot + 1 - name) : 0;
	for (size_t i = 0; i < OG_COUNT(endings); i++) {
		size_t n = strlen(endings[i].owner);
		if (og_streq(name + stem, endings[i].old) && stem >= n && memcmp(name + stem - n, endings[i].owner, n) == 0)
			return og_arena_printf(a, "%.*s%s", (int)stem, name, endings[i].now);
	}
	return name;
}

const char *og_name_wrapper(const char *name, const char **whose)
{
	static const struct {
		const char *prefix, *whose;
	} wrappers[] = { { "module.", "DataParallel or DistributedDataParallel" }, { "_orig_mod.", "torch.compile" } };
	for (size_t i = 0; i < OG_COUNT(wrappers); i++)
		if (og_starts_with(name, wrappers[i].prefix)) {
			*whose = wrappers[i].whose;
			return wrappers[i].prefix;
		}
	return NULL;
}

size_t og_name_distance(const char *a, const char *b, size_t limit)
{
	size_t n = strlen(a), m = strlen(b), row[OG_NAME_MAX + 1];
	if (m > OG_NAME_MAX || (n > m ? n - m : m - n) >= limit)
		return limit;
	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0], best = row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			size_t above = row[k], d = diagonal + (a[i - 1] != b[k - 1]);
			d = above + 1 < d ? above + 1 : d;
			d = row[k - 1] + 1 < d ? row[k - 1] + 1 : d;
			diagonal = above;
			row[k] = d;
			best = d < best ? d : best;
		}
		if (best >= limit)
			return limit;
	}
	return row[m] < limit ? row[m] : limit;
}
