/* SPDX-License-Identifier: Apache-2.0
 *
 * Every key of the reference config class has a fate, written down in tests/golden/<type>/config_keys.txt: "key fate reason".
 * (tests/oracle/config_keys.py shows that the list is the class's own.) */
#include "../base/scratch.h"

#include "arch/arch.h"
#include "base/str.h"

static const char *fate_name(og_fate f)
{
	static const char *const names[] = { [OG_FATE_STRUCTURAL] = "structural", [OG_FATE_ONLY] = "only", [OG_FATE_INERT] = "inert",
		[OG_FATE_REFUSED] = "refused", [OG_FATE_UNKNOWN] = "unknown" };
	return names[f];
}

static void expect_fates(const og_arch *arch)
{
	char path[512], line[512];
	snprintf(path, sizeof(path), OG_TESTS "/golden/%s/config_keys.txt", arch->model_type);
	FILE *f = fopen(path, "r");
	size_t lines = 0;
	if (!f)
		fail_msg("%s is missing", path);
	while (fgets(line, sizeof(line), f)) {
		char key[128], got[512];
		const char *why;
		assert_int_equal(sscanf(line, "%127s", key), 1);
		og_fate fate = og_config_fate(arch->fields, arch->inert, key, &why);
		assert_int_not_equal(fate, OG_FATE_UNKNOWN);
		snprintf(got, sizeof(got), "%s %s %s\n", key, fate_name(fate), why);
		assert_string_equal(got, line);
		lines++;
	}
	fclose(f);
	assert_true(lines > 20);
}

static void test_fate__every_key_of_every_architecture(void **state)
{
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++)
		expect_fates(all[i]);
}

static void test_fate__a_strange_key_is_unknown(void **state)
{
	const char *why;
	(void)state;
	assert_int_equal(og_config_fate(og_arch_find("bert")->fields, NULL, "use_rotary_embeddings", &why), OG_FATE_UNKNOWN);
	assert_int_equal(og_config_fate(og_arch_find("bert")->fields, NULL, "quantization_config", &why), OG_FATE_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fate__every_key_of_every_architecture),
		cmocka_unit_test(test_fate__a_strange_key_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
