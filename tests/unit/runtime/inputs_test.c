/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs made from names and dims. */
#include "../base/scratch.h"

#include "runtime/runtime.h"

static const og_input_facts facts = { .vocab_size = 11, .type_vocab_size = 2, .max_positions = 8, .pad_token_id = 3, .end_token_id = -1 };

static og_port port2(const char *name, const char *a, const char *b)
{
	return (og_port){ .name = name, .dtype = OG_I64, .rank = 2, .dims = { -1, -1 }, .symbols = { a, b } };
}

static og_array *make(const og_port *ports, size_t n, const og_run_shape *shape, const int64_t *pad, uint64_t seed, og_arena *arena)
{
	og_binding *b = NULL;
	og_array *out = NULL;
	og_error err = { 0 };
	size_t nb = 0;

	if (og_inputs_bind(ports, n, shape, arena, &b, &nb, &err) != OG_OK || og_inputs_make(ports, n, b, nb, &facts, pad, seed, arena, &out, &err) != OG_OK)
		fail_msg("%s", err.message);
	return out;
}

static void test_inputs__binds_names_places_and_sums(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("input_ids", "b", "odd_name"), port2("attention_mask", "b", "past_sequence_length + odd_name + 2"),
		                      { .name = "past_key_values.0.key", .dtype = OG_F32, .rank = 4, .dims = { -1, 4, -1, 8 },
		                        .symbols = { "b", "", "past_sequence_length", "" } } };
	og_run_shape shape = { .batch = 2, .sequence = 3, .past = 5 };
	og_array *a = make(ports, 3, &shape, NULL, 1, arena);
	(void)state;

	assert_int_equal(a[0].dims[0], 2);
	assert_int_equal(a[0].dims[1], 3);
	assert_int_equal(a[1].dims[1], 10);
	assert_int_equal(a[2].dims[2], 5);
	assert_int_equal(a[2].size, 2 * 4 * 5 * 8 * 4);
}

static void test_inputs__dims_without_names_take_their_place(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("input_ids", "", "") };
	og_run_shape shape = { .batch = 2, .sequence = 3 };
	og_array *a = make(ports, 1, &shape, NULL, 1, arena);
	(void)state;

	assert_int_equal(a[0].dims[0], 2);
	assert_int_equal(a[0].dims[1], 3);
}

static void test_inputs__values_are_in_range_and_keep_the_padding_id_out(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("input_ids", "batch_size", "sequence_length"), port2("token_type_ids", "batch_size", "sequence_length"),
		                      port2("position_ids", "batch_size", "sequence_length") };
	og_run_shape shape = { .batch = 40, .sequence = 10 };
	og_array *a = make(ports, 3, &shape, NULL, 1, arena);
	const int64_t *ids = a[0].data, *types = a[1].data, *positions = a[2].data;
	int seen[11] = { 0 }, ones = 0;
	(void)state;

	for (int i = 0; i < 400; i++) {
		assert_in_range(ids[i], 0, 10);
		seen[ids[i]]++;
		assert_in_range(types[i], 0, 1);
		ones += (int)types[i];
		assert_int_equal(positions[i], i % 10 < 8 ? i % 10 : 7);
	}
	for (int i = 0; i < 11; i++)
		assert_true(i == 3 ? seen[i] == 0 : seen[i] > 10);
	assert_in_range(ones, 100, 300);
}

static void test_inputs__padding_is_at_the_end_of_the_mask(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { { .name = "attention_mask", .dtype = OG_I64, .rank = 3, .dims = { -1, -1, -1 },
		                        .symbols = { "batch_size", "num_choices", "sequence_length" } } };
	const int64_t pad[] = { 0, 2 };
	og_run_shape shape = { .batch = 2, .sequence = 4, .choices = 2 };
	og_array *a = make(ports, 1, &shape, pad, 1, arena);
	const int64_t expected[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0 };
	(void)state;

	assert_int_equal(a[0].size, sizeof(expected));
	assert_memory_equal(a[0].data, expected, sizeof(expected));
}

static void test_inputs__a_shorter_row_begins_the_longer_one(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("input_ids", "batch_size", "sequence_length") };
	og_run_shape large = { .batch = 3, .sequence = 7 }, small = { .batch = 2, .sequence = 4 };
	og_array *a = make(ports, 1, &large, NULL, 1, arena), *b = make(ports, 1, &small, NULL, 1, arena), *c = make(ports, 1, &large, NULL, 2, arena), *row = NULL;
	const int64_t *x = a[0].data, *y = b[0].data;
	(void)state;

	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 4; k++)
			assert_int_equal(x[7 * i + k], y[4 * i + k]);
	assert_memory_not_equal(a[0].data, c[0].data, a[0].size); /* another seed */
	assert_memory_not_equal(x, x + 7, 56);                    /* another row */
	assert_int_equal(og_inputs_row(a, 1, 3, 2, arena, &row, NULL), OG_OK);
	assert_int_equal(row[0].dims[0], 1);
	assert_int_equal(row[0].size, 56);
	assert_memory_equal(row[0].data, x + 14, 56);
	assert_int_equal(og_inputs_row(a, 1, 3, 3, arena, &row, NULL), ONNXGATE_INVALID);
}

static void test_inputs__caches_choose_the_branch_and_move_positions(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("position_ids", "batch_size", "sequence_length"),
		                      { .name = "past_key_values.0.key", .dtype = OG_F16, .rank = 4, .dims = { -1, 1, -1, 2 },
		                        .symbols = { "batch_size", "", "past_sequence_length", "" } },
		                      { .name = "use_cache_branch", .dtype = OG_BOOL, .rank = 1, .dims = { 1 }, .symbols = { "" } } };
	og_run_shape shape = { .batch = 1, .sequence = 2, .past = 3 };
	og_array *a = make(ports, 3, &shape, NULL, 1, arena);
	(void)state;

	assert_int_equal(((int64_t *)a[0].data)[0], 3);
	assert_int_equal(((int64_t *)a[0].data)[1], 4);
	assert_int_equal(((uint8_t *)a[2].data)[0], 1);
	for (int i = 0; i < 6; i++)
		assert_true(og_f16_to_f32(((uint16_t *)a[1].data)[i]) >= -1 && og_f16_to_f32(((uint16_t *)a[1].data)[i]) <= 1);
	shape.past = 0;
	a = make(ports, 3, &shape, NULL, 1, arena);
	assert_int_equal(((uint8_t *)a[2].data)[0], 0);
	assert_int_equal(a[1].size, 0);
}

static void test_inputs__boxes_have_their_corners_in_order(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { { .name = "bbox", .dtype = OG_I64, .rank = 3, .dims = { -1, -1, 4 }, .symbols = { "batch_size", "sequence_length", "" } } };
	og_run_shape shape = { .batch = 2, .sequence = 9 };
	og_array *a = make(ports, 1, &shape, NULL, 1, arena);
	const int64_t *x = a[0].data;
	(void)state;

	for (int i = 0; i < 18; i++) {
		assert_true(x[4 * i] <= x[4 * i + 2] && x[4 * i + 1] <= x[4 * i + 3]);
		assert_in_range(x[4 * i], 0, 1000);
		assert_in_range(x[4 * i + 3], 0, 1000);
	}
}

/* Sizes that a file leaves open are those of the config, by their names or their places; without a config, small ones. */
static void test_inputs__images_have_the_size_of_the_config(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port named = { .name = "pixel_values", .dtype = OG_F32, .rank = 4, .dims = { -1, -1, -1, -1 },
		                    .symbols = { "batch_size", "num_channels", "height", "width" } };
	const og_port odd = { .name = "pixel_values", .dtype = OG_F32, .rank = 4, .dims = { -1, -1, -1, -1 }, .symbols = { "b", "", "h", "w" } };
	const og_port mask = { .name = "bool_masked_pos", .dtype = OG_BOOL, .rank = 2, .dims = { -1, -1 }, .symbols = { "batch_size", "num_patches" } };
	og_run_shape shape = { .batch = 2, .sequence = 3, .image = { .channels = 1, .height = 24, .width = 36, .patches = 6 } }, unknown = { .batch = 2 };
	const int64_t ours[] = { 2, 1, 24, 36 }, safe[] = { 2, 3, 32, 32 };
	int set = 0;
	(void)state;

	assert_memory_equal(make(&named, 1, &shape, NULL, 1, arena)[0].dims, ours, sizeof(ours));
	assert_memory_equal(make(&odd, 1, &shape, NULL, 1, arena)[0].dims, ours, sizeof(ours));
	assert_memory_equal(make(&named, 1, &unknown, NULL, 1, arena)[0].dims, safe, sizeof(safe));
	og_array *m = make(&mask, 1, &shape, NULL, 1, arena);
	assert_int_equal(m[0].dims[1], 6);
	for (int i = 0; i < 12; i++) {
		assert_in_range(((uint8_t *)m[0].data)[i], 0, 1);
		set += ((uint8_t *)m[0].data)[i];
	}
	assert_in_range(set, 1, 11);
}

/* Texts beside images are a number of their own; where the file has no word for them, they are as many as the batch. */
static void test_inputs__texts_are_counted_apart(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port texts = port2("input_ids", "text_batch_size", "sequence_length"), plain = port2("input_ids", "batch_size", "sequence_length");
	const og_port images = { .name = "pixel_values", .dtype = OG_F32, .rank = 4, .dims = { -1, 3, 2, 2 }, .symbols = { "image_batch_size", "", "", "" } };
	og_run_shape both = { .batch = 2, .texts = 3, .sequence = 4 }, one = { .batch = 2, .sequence = 4 };
	(void)state;

	assert_true(og_input_counts_texts(&texts) && !og_input_counts_texts(&plain) && !og_input_counts_texts(&images));
	assert_int_equal(make(&texts, 1, &both, NULL, 1, arena)[0].dims[0], 3);
	assert_int_equal(make(&texts, 1, &one, NULL, 1, arena)[0].dims[0], 2);
	assert_int_equal(make(&plain, 1, &both, NULL, 1, arena)[0].dims[0], 2);
	assert_int_equal(make(&images, 1, &both, NULL, 1, arena)[0].dims[0], 2);
}

/* What an encoder reads has a length of its own; a mask of it is padded as its texts are. */
static void test_inputs__an_encoder_has_a_length_of_its_own(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("encoder_attention_mask", "batch_size", "encoder_sequence_length"),
		port2("input_ids", "batch_size", "decoder_sequence_length") };
	og_run_shape shape = { .batch = 2, .sequence = 3, .encoder_sequence = 5 };
	const int64_t pad[] = { 0, 2 };
	(void)state;

	assert_true(og_input_is_encoders(&ports[0]) && !og_input_is_encoders(&ports[1]));
	og_array *in = make(ports, 2, &shape, pad, 1, arena);
	assert_int_equal(in[0].dims[1], 5);
	assert_int_equal(in[1].dims[1], 3);
	const int64_t want[] = { 1, 1, 1, 1, 1, 1, 1, 1, 0, 0 };
	assert_memory_equal(in[0].data, want, sizeof(want));
}

/* Each text ends with the id that it is pooled by, which nothing else has; pad is before or behind it among the ids. */
static void test_inputs__texts_end_with_the_end_id(void **state)
{
	const og_port ports[] = { port2("input_ids", "batch_size", "sequence_length"), port2("attention_mask", "batch_size", "sequence_length") };
	og_run_shape shape = { .batch = 3, .sequence = 200 };
	const int64_t pad[] = { 0, 1, 199 }, ends[][3] = { { 11, 10, 2 }, { 11, 2, 10 }, { 11, 4, 4 }, { 11, 4, -1 }, { 2, 1, 0 }, { 1, 0, 5 } };
	(void)state;

	for (size_t k = 0; k < OG_COUNT(ends); k++) {
		og_auto(og_arena) *arena = og_arena_new();
		const og_input_facts f = { .vocab_size = ends[k][0], .end_token_id = ends[k][1], .pad_token_id = ends[k][2] };
		og_binding *b = NULL;
		og_array *a = NULL;
		size_t nb = 0;
		int seen[16] = { 0 };
		assert_int_equal(og_inputs_bind(ports, 2, &shape, arena, &b, &nb, NULL), OG_OK);
		assert_int_equal(og_inputs_make(ports, 2, b, nb, &f, pad, 1, arena, &a, NULL), OG_OK);
		for (int64_t i = 0; i < 600; i++) {
			int64_t id = ((int64_t *)a[0].data)[i], last = 199 - pad[i / 200];
			assert_in_range(id, 0, f.vocab_size - 1);
			assert_int_equal(((int64_t *)a[1].data)[i], i % 200 <= last);
			if (i % 200 == last)
				assert_int_equal(id, f.end_token_id);
			else
				seen[id]++;
		}
		for (int64_t id = 0, left = f.vocab_size > 2 ? f.vocab_size : 0; id < left; id++)
			assert_int_equal(seen[id] > 0, id != f.end_token_id && id != f.pad_token_id);
	}
}

static void test_inputs__padding_that_its_id_tells_has_it(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { port2("input_ids", "b", "s"), port2("attention_mask", "b", "s") };
	const og_run_shape shape = { .batch = 2, .sequence = 50 };
	const int64_t pad[] = { 0, 20 };
	const og_input_facts f = { .vocab_size = 5, .end_token_id = -1, .pad_token_id = 2, .pad_by_id = true };
	og_binding *b = NULL;
	og_array *a = NULL;
	size_t nb = 0;
	(void)state;
	assert_int_equal(og_inputs_bind(ports, 2, &shape, arena, &b, &nb, NULL), OG_OK);
	assert_int_equal(og_inputs_make(ports, 2, b, nb, &f, pad, 1, arena, &a, NULL), OG_OK);
	for (int64_t i = 0; i < 100; i++)
		assert_int_equal(((int64_t *)a[0].data)[i] == 2, i >= 80);
}

static void test_inputs__sound_is_a_sequence_of_samples(void **state)
{
	og_auto(og_arena) *arena = og_arena_new();
	const og_port ports[] = { { .name = "input_values", .dtype = OG_F32, .rank = 2, .dims = { -1, -1 }, .symbols = { "b", "odd" } },
		                      port2("attention_mask", "b", "odd") };
	const og_port features = { .name = "input_values", .dtype = OG_F32, .rank = 3, .dims = { -1, -1, -1 } };
	og_run_shape shape = { .batch = 2, .sequence = 480 };
	og_array *a = make(ports, 2, &shape, (const int64_t[]){ 0, 79 }, 1, arena);
	(void)state;

	assert_true(og_input_is_sound(&ports[0]) && !og_input_is_sound(&ports[1]) && !og_input_is_sound(&features));
	assert_int_equal(a[0].dims[1], 480);
	assert_int_equal(a[1].dims[1], 480);
	assert_int_equal(((int64_t *)a[1].data)[479], 1);
	assert_int_equal(((int64_t *)a[1].data)[480 + 400], 1);
	assert_int_equal(((int64_t *)a[1].data)[480 + 401], 0);
}

static void expect_unsupported(const og_port *p, const char *message)
{
	og_auto(og_arena) *arena = og_arena_new();
	og_run_shape shape = { .batch = 2, .sequence = 3 };
	og_binding *b = NULL;
	og_array *out = NULL;
	og_error err = { 0 };
	size_t nb = 0;
	og_status st = og_inputs_bind(p, 1, &shape, arena, &b, &nb, &err);

	if (st == OG_OK)
		st = og_inputs_make(p, 1, b, nb, NULL, NULL, 1, arena, &out, &err);
	assert_int_equal(st, ONNXGATE_UNSUPPORTED);
	if (!strstr(err.message, message))
		fail_msg("'%s' is not in '%s'", message, err.message);
}

static void test_inputs__what_is_not_understood_is_refused_by_name(void **state)
{
	og_port p = port2("mystery", "batch_size", "sequence_length");
	(void)state;

	expect_unsupported(&p, "input 'mystery' has a name whose meaning is not known");
	p = port2("mystery", "batch_size", "foo");
	expect_unsupported(&p, "dim 1 of input 'mystery' is 'foo', whose meaning is not known");
	p = port2("mystery", "batch_size", "");
	expect_unsupported(&p, "dim 1 of input 'mystery' has no name");
	p = port2("input_ids", "batch_size", "sequence_length");
	p.dtype = OG_STRING;
	expect_unsupported(&p, "input 'input_ids' holds string");
	p = port2("input_ids", "batch_size", "foo + sequence_length");
	expect_unsupported(&p, "'foo'");
	p = port2("input_ids", "batch_size", "");
	p.dims[1] = OG_DIM_MAX;
	expect_unsupported(&p, "too large");
	p = port2("input_ids\n", "batch_size", "sequence_length");
	expect_unsupported(&p, "input 'input_ids\\x0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inputs__binds_names_places_and_sums),
		cmocka_unit_test(test_inputs__dims_without_names_take_their_place),
		cmocka_unit_test(test_inputs__values_are_in_range_and_keep_the_padding_id_out),
		cmocka_unit_test(test_inputs__padding_is_at_the_end_of_the_mask),
		cmocka_unit_test(test_inputs__a_shorter_row_begins_the_longer_one),
		cmocka_unit_test(test_inputs__caches_choose_the_branch_and_move_positions),
		cmocka_unit_test(test_inputs__boxes_have_their_corners_in_order),
		cmocka_unit_test(test_inputs__images_have_the_size_of_the_config),
		cmocka_unit_test(test_inputs__texts_are_counted_apart),
		cmocka_unit_test(test_inputs__an_encoder_has_a_length_of_its_own),
		cmocka_unit_test(test_inputs__texts_end_with_the_end_id),
		cmocka_unit_test(test_inputs__padding_that_its_id_tells_has_it),
		cmocka_unit_test(test_inputs__sound_is_a_sequence_of_samples),
		cmocka_unit_test(test_inputs__what_is_not_understood_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
