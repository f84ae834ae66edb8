/* SPDX-License-Identifier: Apache-2.0
 *
 * Every key of the reference config class has a fate, written down in tests/golden/<type>/config_keys.txt: "key fate reason".
 * What counts when a key is left out is in config_defaults.txt, "key value" as JSON has it.
 * (tests/oracle/config_keys.py shows that both are the class's own.)  ONNXGATE_GOLDEN_WRITE=1 writes the second anew. */
#include "../base/scratch.h"

#include "arch/arch.h"
#include "base/buf.h"
#include "base/file.h"
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

/* "10 3 3" → [10, 3, 3] */
static void put_list(og_buf *text, const char *p)
{
	og_buf_byte(text, '[');
	for (; *p; p++)
		og_buf_printf(text, *p == ' ' ? ", " : "%c", *p);
	og_buf_byte(text, ']');
}

static void put_default(og_buf *text, const og_field *f)
{
	if (!f->optional || f->also || f->kind == OG_FIELD_SECTION || f->kind == OG_FIELD_READ)
		return;
	og_buf_printf(text, "%s ", f->key);
	switch (f->kind) {
	case OG_FIELD_REAL: og_buf_printf(text, "%.17g", f->real); break;
	case OG_FIELD_FLAG: og_buf_str(text, f->whole ? "true" : "false"); break;
	case OG_FIELD_DIMS: put_list(text, f->text); break;
	case OG_FIELD_CHOICE: og_buf_printf(text, "\"%.*s\"", (int)strcspn(f->text, " "), f->text); break;
	case OG_FIELD_ACT: og_buf_printf(text, "\"%s\"", f->text); break;
	case OG_FIELD_ONLY: og_buf_str(text, f->text); break;
	default: og_buf_printf(text, f->none && f->whole <= 0 ? "null" : "%lld", (long long)f->whole); break;
	}
	og_buf_byte(text, '\n');
}

static void test_fate__what_counts_when_a_key_is_left_out(void **state)
{
	const char *write = getenv("ONNXGATE_GOLDEN_WRITE");
	size_t n;
	const og_arch *const *all = og_arch_all(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		char path[512];
		og_auto_buf got, want;
		og_buf_init(&got, 1 << 16);
		og_buf_init(&want, 1 << 16);
		for (const og_field *f = all[i]->fields; f->kind != OG_FIELD_END; f++)
			put_default(&got, f);
		snprintf(path, sizeof(path), OG_TESTS "/golden/%s/config_defaults.txt", all[i]->model_type);
		if (write && strcmp(write, "1") == 0)
			assert_int_equal(og_file_write(path, got.p, got.n, NULL), OG_OK);
		assert_int_equal(og_file_read(path, 1 << 16, &want, NULL), OG_OK);
		assert_string_equal(og_buf_cstr(&got), og_buf_cstr(&want));
	}
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
		cmocka_unit_test(test_fate__what_counts_when_a_key_is_left_out),
		cmocka_unit_test(test_fate__a_strange_key_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
