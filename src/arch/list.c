/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of architectures, from list.h. */
#include "arch/arch.h"

#include "base/str.h"

#define OG_ARCH(name) extern const og_arch og_arch_##name;
#include "arch/list.h"
#undef OG_ARCH

static const og_arch *const all[] = {
#define OG_ARCH(name) &og_arch_##name,
#include "arch/list.h"
#undef OG_ARCH
};

const og_arch *const *og_arch_all(size_t *n)
{
	*n = OG_COUNT(all);
	return all;
}

const og_arch *og_arch_find(const char *model_type)
{
	for (size_t i = 0; i < OG_COUNT(all); i++)
		if (og_streq(all[i]->model_type, model_type))
			return all[i];
	return NULL;
}
