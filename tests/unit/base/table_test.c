/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_table__keeps_copies(void **state)
{
	(void)state;
	char name[] = "a", cell[32];
	const char *columns[] = { name, "b" };
	og_auto_table *t = NULL;
	assert_int_equal(og_table_new("doctor", columns, 2, &t, NULL), OG_OK);
	name[0] = 'x';
	for (int i = 0; i < 1000; i++) {
		snprintf(cell, sizeof(cell), "row %d", i);
		assert_int_equal(og_table_row(t, (const char *const[]){ cell, i % 2 ? NULL : "even" }, NULL), OG_OK);
	}
	assert_string_equal(t->columns[0], "a");
	assert_int_equal(t->nrows, 1000);
	assert_string_equal(t->cells[2 * 999], "row 999");
	assert_string_equal(t->cells[2 * 998 + 1], "even");
	assert_null(t->cells[2 * 999 + 1]);
	assert_int_equal(t->error.status, OG_OK);
}

static void test_table__empty(void **state)
{
	(void)state;
	og_auto_table *t = NULL;
	assert_int_equal(og_table_new("archs", NULL, 0, &t, NULL), OG_OK);
	assert_int_equal(og_table_row(t, NULL, NULL), OG_OK); /* a row of nothing */
	assert_int_equal(t->nrows, 1);
	og_table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table__keeps_copies),
		cmocka_unit_test(test_table__empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
