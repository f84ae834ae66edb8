/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs for a run, made from what a port is called, where its dims stand, and a few facts of the config.
 *
 * A value is a function of the seed, the input's name and the coordinates, not of the sizes: row 1 of a batch of 3 is
 * row 1 of a batch of 2, and at a shorter length it is the beginning of the longer row.  Checks that compare runs
 * of different sizes rest on that. */
#include "runtime/protocol.h"
#include "runtime/runtime.h"

#include "base/random.h"

#define VOCAB_SAFE 16     /* ids when the vocabulary is not known: the smallest test models have more */
#define BOX_MAX 1000      /* layout models: coordinates on a page of 1000 × 1000 */
#define CHANNELS 3        /* symbolic num_channels */
#define PIXELS 32         /* symbolic height and width */

/* ---- what names mean ------------------------------------------------------------------------------ */

static const struct kind_row {
	const char *pattern;
	og_input_kind kind;
} kinds[] = {
	{ "input_ids", OG_INPUT_IDS },
	{ "decoder_input_ids", OG_INPUT_IDS },
	{ "attention_mask", OG_INPUT_MASK },
	{ "decoder_attention_mask", OG_INPUT_MASK },
	{ "encoder_attention_mask", OG_INPUT_MASK },
	{ "pixel_mask", OG_INPUT_MASK },
	{ "token_type_ids", OG_INPUT_TYPES },
	{ "position_ids", OG_INPUT_POSITIONS },
	{ "bbox", OG_INPUT_BOXES },
	{ "past_key_values.*", OG_INPUT_CACHE },
	{ "use_cache_branch", OG_INPUT_BRANCH },
	{ "pixel_values", OG_INPUT_REAL },
	{ "bool_masked_pos", OG_INPUT_FLAGS },
	{ "input_values", OG_INPUT_REAL },
	{ "input_features", OG_INPUT_REAL },
	{ "inputs_embeds", OG_INPUT_REAL },
	{ "encoder_hidden_states", OG_INPUT_REAL },
	{ "encoder_outputs", OG_INPUT_REAL },
};

bool og_input_is_sound(const og_port *p)
{
	return og_streq(p->name, "input_values") && p->rank == 2;
}

bool og_inputs_take_sound(const og_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (og_input_is_sound(&ports[i]))
			return true;
	return false;
}

og_input_kind og_input_kind_of(const char *name)
{
	for (size_t i = 0; i < OG_COUNT(kinds); i++)
		if (og_glob(kinds[i].pattern, name))
			return kinds[i].kind;
	return OG_INPUT_UNKNOWN;
}

typedef enum role {
	ROLE_NONE, ROLE_BATCH, ROLE_TEXTS, ROLE_SEQUENCE, ROLE_CHOICES, ROLE_PAST, ROLE_TOTAL, ROLE_ENCODER, ROLE_CHANNELS, ROLE_HEIGHT, ROLE_WIDTH, ROLE_PATCHES
} role;

/* Optimum's names first; then those of older exporters. */
static const struct role_row {
	const char *symbol;
	role role;
} roles[] = {
	{ "batch_size", ROLE_BATCH }, { "text_batch_size", ROLE_TEXTS }, { "image_batch_size", ROLE_BATCH },
	{ "sequence_length", ROLE_SEQUENCE }, { "num_choices", ROLE_CHOICES },
	{ "past_sequence_length", ROLE_PAST }, { "encoder_sequence_length", ROLE_ENCODER }, { "decoder_sequence_length", ROLE_SEQUENCE },
	{ "past_decoder_sequence_length", ROLE_PAST }, { "total_sequence_length", ROLE_TOTAL }, { "num_channels", ROLE_CHANNELS },
	{ "encoder_sequence_length_out", ROLE_ENCODER },
	{ "height", ROLE_HEIGHT }, { "width", ROLE_WIDTH }, { "num_patches", ROLE_PATCHES },
	{ "batch", ROLE_BATCH }, { "sequence", ROLE_SEQUENCE }, { "seq_len", ROLE_SEQUENCE }, { "seq_length", ROLE_SEQUENCE },
	{ "max_seq_len", ROLE_SEQUENCE }, { "past_sequence", ROLE_PAST }, { "encoder_sequence", ROLE_ENCODER },
};

static role role_of_symbol(const char *symbol)
{
	for (size_t i = 0; i < OG_COUNT(roles); i++)
		if (og_streq(roles[i].symbol, symbol))
			return roles[i].role;
	return ROLE_NONE;
}

static role role_of_place(const og_port *p, int axis)
{
	switch (og_input_kind_of(p->name)) {
	case OG_INPUT_IDS:
	case OG_INPUT_MASK:
	case OG_INPUT_TYPES:
	case OG_INPUT_POSITIONS:
		if (axis == 0)
			return ROLE_BATCH;
		if (og_starts_with(p->name, "encoder_"))
			return axis == 1 ? ROLE_ENCODER : ROLE_NONE;
		return axis == p->rank - 1 ? ROLE_SEQUENCE : p->rank == 3 ? ROLE_CHOICES : ROLE_NONE;
	case OG_INPUT_BOXES:
		return axis == 0 ? ROLE_BATCH : axis == 1 ? ROLE_SEQUENCE : ROLE_NONE;
	case OG_INPUT_CACHE:
		if (axis == 0)
			return ROLE_BATCH;
		return axis != 2 || p->rank != 4 ? ROLE_NONE : strstr(p->name, ".encoder.") ? ROLE_ENCODER : ROLE_PAST;
	case OG_INPUT_FLAGS:
		return axis == 0 ? ROLE_BATCH : axis == 1 && p->rank == 2 ? ROLE_PATCHES : ROLE_NONE;
	case OG_INPUT_REAL:
		if (axis == 0)
			return ROLE_BATCH;
		if (og_streq(p->name, "pixel_values") && p->rank == 4)
			return axis == 1 ? ROLE_CHANNELS : axis == 2 ? ROLE_HEIGHT : ROLE_WIDTH;
		if (og_input_is_sound(p))
			return ROLE_SEQUENCE;
		return axis == 1 && og_starts_with(p->name, "encoder_") ? ROLE_ENCODER : ROLE_NONE;
	default:
		return ROLE_NONE;
	}
}

bool og_input_counts_texts(const og_port *p)
{
	return p->rank && p->symbols[0] && role_of_symbol(p->symbols[0]) == ROLE_TEXTS;
}

/* The symbol of a dim; one without a name is called after its place. NULL: neither. */
static const char *symbol_of(const og_port *p, int axis)
{
	role r;

	if (p->symbols[axis] && p->symbols[axis][0])
		return p->symbols[axis];
	r = role_of_place(p, axis);
	for (size_t i = 0; r != ROLE_NONE && i < OG_COUNT(roles); i++)
		if (roles[i].role == r)
			return roles[i].symbol;
	return NULL;
}

bool og_input_is_encoders(const og_port *p)
{
	const char *symbol = p->rank ? symbol_of(p, p->rank - 1) : NULL;
	return symbol && role_of_symbol(symbol) == ROLE_ENCODER;
}

/* ---- dims ----------------------------------------------------------------------------------------- */

/* The next term of "a + b + 1", or false. */
static bool next_term(og_str *rest, og_str *term)
{
	const char *plus;

	if (!rest->p)
		return false;
	plus = memchr(rest->p, '+', rest->n);
	*term = (og_str){ rest->p, plus ? (size_t)(plus - rest->p) : rest->n };
	*rest = plus ? (og_str){ plus + 1, rest->n - term->n - 1 } : (og_str){ NULL, 0 };
	while (term->n && term->p[0] == ' ')
		term->p++, term->n--;
	while (term->n && term->p[term->n - 1] == ' ')
		term->n--;
	return true;
}

int64_t og_input_dim(const og_port *p, int axis, const og_binding *b, size_t nb)
{
	const char *symbol;

	if (p->dims[axis] >= 0)
		return p->dims[axis];
	symbol = symbol_of(p, axis);
	return symbol ? og_formula_value(symbol, b, nb) : -1;
}

static int64_t size_of_role(role r, const og_run_shape *shape)
{
	switch (r) {
	case ROLE_BATCH: return shape->batch;
	case ROLE_TEXTS: return shape->texts ? shape->texts : shape->batch;
	case ROLE_SEQUENCE: return shape->sequence;
	case ROLE_CHOICES: return shape->choices;
	case ROLE_PAST: return shape->past;
	case ROLE_TOTAL: return shape->past + shape->sequence;
	case ROLE_ENCODER: return shape->encoder_sequence;
	case ROLE_CHANNELS: return shape->image.channels ? shape->image.channels : CHANNELS;
	case ROLE_HEIGHT: return shape->image.height ? shape->image.height : PIXELS;
	case ROLE_WIDTH: return shape->image.width ? shape->image.width : PIXELS;
	case ROLE_PATCHES: return shape->image.patches ? shape->image.patches : -1;
	default: return -1;
	}
}

typedef struct binder {
	const og_run_shape *shape;
	og_arena *arena;
	og_binding *rows;
	size_t n, cap;
} binder;

static og_status bind_dim(binder *b, const og_port *p, int axis, og_error *err)
{
	const char *symbol = symbol_of(p, axis);
	og_str rest = og_str_of(symbol), term;
	char name[128], show[128];
	int64_t number;

	if (!symbol)
		return og_fail(err, ONNXGATE_UNSUPPORTED, "dim %d of input '%s' has no name and no known meaning", axis,
		               og_str_show(og_str_of(p->name), name, sizeof(name)));
	while (next_term(&rest, &term)) {
		bool only = term.n == strlen(symbol);
		char *text;
		role r;
		if (og_parse_i64(term, &number) || og_binding_of(b->rows, b->n, term) >= 0)
			continue;
		text = og_arena_strndup(b->arena, term.p, term.n);
		if (!text || !og_arena_grow(b->arena, &b->rows, &b->cap, b->n + 1, sizeof(*b->rows)))
			return og_fail_nomem(err);
		r = role_of_symbol(text);
		if (r == ROLE_NONE && only)
			r = role_of_place(p, axis);
		number = size_of_role(r, b->shape);
		if (number < 0)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "dim %d of input '%s' is '%s', whose meaning is not known", axis,
			               og_str_show(og_str_of(p->name), name, sizeof(name)), og_str_show(term, show, sizeof(show)));
		b->rows[b->n++] = (og_binding){ text, number };
	}
	return OG_OK;
}

og_status og_inputs_bind(const og_port *ports, size_t n, const og_run_shape *shape, og_arena *arena, og_binding **out, size_t *nout, og_error *err)
{
	binder b = { .shape = shape, .arena = arena };

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < ports[i].rank; k++)
			if (ports[i].dims[k] < 0)
				OG_TRY(bind_dim(&b, &ports[i], k, err));
	*out = b.rows;
	*nout = b.n;
	return OG_OK;
}

/* ---- values --------------------------------------------------------------------------------------- */

typedef struct maker {
	const og_port *port;
	og_array *array;
	og_input_kind kind;
	const og_input_facts *facts;
	const int64_t *pad;
	uint64_t key;  /* of the seed and the name */
	int64_t past;  /* positions that lie before this run's first */
} maker;

static uint64_t mix(uint64_t key, uint64_t v)
{
	og_random r = { key ^ (v * 0x9e3779b97f4a7c15u) };

	return og_random_next(&r);
}

static bool store(og_array *a, size_t i, double v)
{
	switch (a->dtype) {
	case OG_F32: ((float *)a->data)[i] = (float)v; return true;
	case OG_F64: ((double *)a->data)[i] = v; return true;
	case OG_F16: ((uint16_t *)a->data)[i] = og_f32_to_f16((float)v); return true;
	case OG_BF16: ((uint16_t *)a->data)[i] = og_f32_to_bf16((float)v); return true;
	case OG_I64: ((int64_t *)a->data)[i] = (int64_t)v; return true;
	case OG_I32: ((int32_t *)a->data)[i] = (int32_t)v; return true;
	case OG_U8:
	case OG_BOOL: ((uint8_t *)a->data)[i] = (uint8_t)v; return true;
	case OG_I8: ((int8_t *)a->data)[i] = (int8_t)v; return true;
	default: return false;
	}
}

/* Row at[0] counts up to here: the rest is padding. */
static int64_t length_of(const maker *m, const int64_t *at)
{
	return m->array->dims[m->array->rank - 1] - (m->pad ? m->pad[at[0]] : 0);
}

/* Some models take their mask from the padding id, some pool where the end id stands: both are kept out of what is drawn, and the end
 * id is the last that counts. Where only its id tells padding, that id pads. */
static double id_of(const maker *m, const int64_t *at, og_random *r)
{
	int64_t vocab = m->facts->vocab_size > 0 ? m->facts->vocab_size : VOCAB_SAFE, end = m->facts->end_token_id;
	int64_t kept[2] = { m->facts->pad_token_id, end }, n = vocab;

	if (m->facts->pad_by_id && m->facts->pad_token_id >= 0 && m->array->rank && at[m->array->rank - 1] >= length_of(m, at))
		return (double)m->facts->pad_token_id;
	if (end >= 0 && m->array->rank && at[m->array->rank - 1] == length_of(m, at) - 1)
		return (double)end;
	if (kept[0] > kept[1])
		kept[0] = end, kept[1] = m->facts->pad_token_id;
	for (int i = 0; i < 2; i++)
		n -= kept[i] >= 0 && kept[i] < vocab && (i == 0 || kept[1] != kept[0]);
	if (n < 1)
		return 0;
	int64_t v = (int64_t)og_random_below(r, (uint64_t)n);
	for (int i = 0; i < 2; i++)
		v += kept[i] >= 0 && kept[i] <= v && kept[i] < vocab && (i == 0 || kept[1] != kept[0]);
	return (double)v;
}

static double position_of(const maker *m, int64_t at)
{
	int64_t max = m->facts->max_positions, v = m->past + at;

	return (double)(max > 0 && v >= max ? max - 1 : v);
}

/* left, top, right, bottom: each pair in order */
static double box_of(const maker *m, const int64_t *at)
{
	uint64_t token = mix(mix(m->key, (uint64_t)at[0]), (uint64_t)at[1]), a, b;

	a = mix(token, (uint64_t)(at[2] % 2)) % BOX_MAX;
	b = mix(token, (uint64_t)(at[2] % 2) + 2) % BOX_MAX;
	return (double)((at[2] < 2) == (a < b) ? a : b);
}

static double value_at(const maker *m, const int64_t *at)
{
	int rank = m->array->rank;
	og_random r = { m->key };

	for (int i = 0; i < rank; i++)
		r.state = mix(r.state, (uint64_t)at[i]);
	switch (m->kind) {
	case OG_INPUT_IDS:
		return id_of(m, at, &r);
	case OG_INPUT_MASK:
		return rank && at[rank - 1] >= length_of(m, at) ? 0 : 1;
	case OG_INPUT_TYPES:
		return m->facts->type_vocab_size > 1 ? (double)og_random_below(&r, (uint64_t)m->facts->type_vocab_size) : 0;
	case OG_INPUT_POSITIONS:
		return position_of(m, rank ? at[rank - 1] : 0);
	case OG_INPUT_BOXES:
		return rank == 3 ? box_of(m, at) : 0;
	case OG_INPUT_BRANCH:
		return m->past > 0;
	case OG_INPUT_FLAGS:
		return (double)og_random_below(&r, 2);
	default:
		return 2 * og_random_unit(&r) - 1;
	}
}

static og_status fill(const maker *m, og_error *err)
{
	int64_t at[OG_RANK_MAX] = { 0 };
	uint64_t n = 1;
	char name[128];

	for (int i = 0; i < m->array->rank; i++)
		n *= (uint64_t)m->array->dims[i]; /* checked by og_rt_bytes() before */
	for (uint64_t i = 0; i < n; i++) {
		if (!store(m->array, (size_t)i, value_at(m, at)))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "input '%s' holds %s, which is not done", og_str_show(og_str_of(m->port->name), name, sizeof(name)),
			               og_dtype_name(m->array->dtype));
		for (int k = m->array->rank - 1; k >= 0 && ++at[k] == m->array->dims[k]; k--)
			at[k] = 0;
	}
	return OG_OK;
}

static og_status shape_array(const og_port *p, const og_binding *b, size_t nb, og_arena *arena, og_array *a, og_error *err)
{
	uint64_t bytes = 0;
	char name[128];

	og_str_show(og_str_of(p->name), name, sizeof(name));
	*a = (og_array){ .name = p->name, .dtype = p->dtype, .rank = p->rank };
	for (int i = 0; i < p->rank; i++) {
		a->dims[i] = og_input_dim(p, i, b, nb);
		if (a->dims[i] < 0)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "dim %d of input '%s' has no value", i, name);
	}
	if (!og_dtype_bits(p->dtype))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "input '%s' holds %s, which is not done", name, og_dtype_name(p->dtype));
	if (!og_rt_bytes((uint32_t)p->dtype, (uint32_t)p->rank, a->dims, &bytes))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "input '%s' would be too large", name);
	a->size = (size_t)bytes;
	a->data = og_arena_alloc(arena, a->size + 1);
	return a->data ? OG_OK : og_fail_nomem(err);
}

/* Names of the same length and letters must not draw the same numbers: FNV-1a. */
static uint64_t hash_name(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	return h;
}

static int64_t past_of(const og_port *ports, size_t n, const og_binding *b, size_t nb)
{
	for (size_t i = 0; i < n; i++)
		if (og_input_kind_of(ports[i].name) == OG_INPUT_CACHE && ports[i].rank == 4 && !strstr(ports[i].name, ".encoder."))
			return og_input_dim(&ports[i], 2, b, nb);
	return 0;
}

og_status og_inputs_make(const og_port *ports, size_t n, const og_binding *b, size_t nb, const og_input_facts *facts, const int64_t *pad, uint64_t seed,
                         og_arena *arena, og_array **out, og_error *err)
{
	og_array *arrays = og_arena_array(arena, n + 1, sizeof(*arrays));
	const og_input_facts none = OG_INPUT_FACTS_NONE;
	int64_t past = past_of(ports, n, b, nb);
	char name[128];

	if (!arrays)
		return og_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		maker m = { .port = &ports[i], .array = &arrays[i], .kind = og_input_kind_of(ports[i].name), .facts = facts ? facts : &none,
			        .key = mix(seed, hash_name(ports[i].name)), .past = past > 0 ? past : 0 };
		if (m.kind == OG_INPUT_UNKNOWN)
			return og_fail(err, ONNXGATE_UNSUPPORTED, "input '%s' has a name whose meaning is not known",
			               og_str_show(og_str_of(ports[i].name), name, sizeof(name)));
		if (og_streq(ports[i].name, "attention_mask") || og_streq(ports[i].name, "decoder_attention_mask") ||
		    og_streq(ports[i].name, "encoder_attention_mask") || og_streq(ports[i].name, "input_ids"))
			m.pad = pad;
		OG_TRY(shape_array(&ports[i], b, nb, arena, &arrays[i], err));
		OG_TRY(fill(&m, err));
	}
	*out = arrays;
	return OG_OK;
}

og_status og_inputs_row(const og_array *in, size_t n, int64_t batch, int64_t i, og_arena *arena, og_array **out, og_error *err)
{
	og_array *arrays = og_arena_array(arena, n + 1, sizeof(*arrays));

	if (!arrays)
		return og_fail_nomem(err);
	if (i < 0 || i >= batch)
		return og_fail(err, ONNXGATE_INVALID, "row %lld of a batch of %lld", (long long)i, (long long)batch);
	for (size_t k = 0; k < n; k++) {
		arrays[k] = in[k];
		if (!in[k].rank || in[k].dims[0] != batch)
			continue;
		arrays[k].dims[0] = 1;
		arrays[k].size = in[k].size / (size_t)batch;
		arrays[k].data = (uint8_t *)in[k].data + arrays[k].size * (size_t)i;
	}
	*out = arrays;
	return OG_OK;
}
