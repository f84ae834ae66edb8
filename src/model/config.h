/* SPDX-License-Identifier: Apache-2.0
 *
 * config.json, read through a table: each key has one of five fates, and none is guessed.
 *
 *   structural, valid           stored in the architecture's struct
 *   structural, absent          the reference class's default (_OR), or an error
 *   ONLY, another value         UNSUPPORTED, naming key, found and supported
 *   inert                       ignored, for a stated reason
 *   anything else               reported as not understood
 *
 * A document may hold others, its sections: their keys are written with dots ("text_config.hidden_size"), in rows as in reports. */
#ifndef OG_MODEL_CONFIG_H
#define OG_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/limits.h"
#include "codec/json.h"

/* Every spelling of transformers' ACT2FN whose function has no learned weights. */
typedef enum og_act_kind {
	OG_ACT_GELU, OG_ACT_GELU_TANH, OG_ACT_GELU_10, OG_ACT_QUICK_GELU, OG_ACT_LAPLACE, OG_ACT_LEAKY_RELU, OG_ACT_LINEAR, OG_ACT_MISH,
	OG_ACT_RELU, OG_ACT_RELU2, OG_ACT_RELU6, OG_ACT_SIGMOID, OG_ACT_SILU, OG_ACT_TANH
} og_act_kind;
bool og_act_parse(const char *name, og_act_kind *out);

typedef struct og_size { /* of an image or a patch */
	int64_t height, width;
} og_size;

typedef struct og_dim_list { /* of layers one after the other */
	size_t n;
	int64_t v[OG_LIST_MAX];
} og_dim_list;

typedef enum og_field_kind {
	OG_FIELD_END, OG_FIELD_DIM, OG_FIELD_DIMS, OG_FIELD_ID, OG_FIELD_SIZE, OG_FIELD_REAL, OG_FIELD_FLAG, OG_FIELD_CHOICE, OG_FIELD_ACT, OG_FIELD_LABELS,
	OG_FIELD_ONLY, OG_FIELD_SECTION, OG_FIELD_READ
} og_field_kind;

/* A key whose value has a structure of its own: v NULL: absent. A fault's text and status, or NULL; what `out` points to lives in arena. */
typedef const char *(*og_read_fn)(const og_json *v, void *out, og_arena *arena, og_status *status);

typedef struct og_field {
	og_field_kind kind;
	const char *key;
	size_t at;        /* offset in the architecture's struct */
	bool optional;
	int64_t whole;    /* default of DIM, ID, SIZE (both sides), FLAG, LABELS; index of CHOICE */
	double real;      /* default of REAL */
	int64_t max;      /* of DIM; 0: OG_DIM_MAX */
	bool padded;      /* of DIM: weights may hold more, as padding */
	bool also;        /* of DIM: another key for the member of a row above; it counts where both are given, as in attribute_map */
	bool none;        /* of ACT: null and "" are no activation; of DIM: null is 0; of ID: null is OG_ID_NONE, and any number below 0 is taken */
	og_read_fn read;  /* of READ */
	const char *text; /* ONLY: the one JSON value that is done; CHOICE: "absolute relative_key"; ACT: default spelling; DIMS: "10 3 3"; SECTION: old name */
} og_field;

/* The member's C type is checked: int64_t, og_size, double, bool, int (CHOICE), og_act_kind, og_dim_list. */
#define OG_AT_(type, member, ctype) (offsetof(type, member) + 0 * sizeof(_Generic(((type *)0)->member, ctype: 1)))
#define OG_DIM(type, member, key_) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t) }
#define OG_DIM_OR(type, member, key_, value) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, .whole = (value) }
/* 0 where it is absent or null: the description knows what that means. */
#define OG_DIM_OR_NONE(type, member, key_) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, .none = true }
/* The value where it is absent, 0 where it is null. */
#define OG_DIM_OR_NULL(type, member, key_, value) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, \
	.whole = (value), .none = true }
/* One number or more, at most OG_LIST_MAX. */
#define OG_DIMS_OR(type, member, key_, values) { .kind = OG_FIELD_DIMS, .key = (key_), .at = OG_AT_(type, member, og_dim_list), .optional = true, \
	.text = (values) }
/* The number of a token, from 0 on. */
#define OG_ID_OR(type, member, key_, value) { .kind = OG_FIELD_ID, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, .whole = (value) }
#define OG_ID_NONE INT64_MIN
#define OG_ID_OR_NONE(type, member, key_) { .kind = OG_FIELD_ID, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, .none = true, \
	.whole = OG_ID_NONE }
/* A number for a square, or [height, width]. */
#define OG_SIZE_OR(type, member, key_, value) { .kind = OG_FIELD_SIZE, .key = (key_), .at = OG_AT_(type, member, og_size), .optional = true, .whole = (value) }
#define OG_LAYERS(type, member, key_) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .max = OG_LAYERS_MAX }
#define OG_LAYERS_OR(type, member, key_, value) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .max = OG_LAYERS_MAX, \
	.optional = true, .whole = (value) }
#define OG_LAYERS_OR_NULL(type, member, key_, value) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .max = OG_LAYERS_MAX, \
	.optional = true, .none = true, .whole = (value) }
#define OG_ALSO(type, member, key_) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .optional = true, .also = true }
#define OG_ALSO_LAYERS(type, member, key_) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .max = OG_LAYERS_MAX, \
	.optional = true, .also = true }
/* The size of a table that training often pads: see og_config_yields(). */
#define OG_VOCAB_OR(type, member, key_, value) { .kind = OG_FIELD_DIM, .key = (key_), .at = OG_AT_(type, member, int64_t), .padded = true, \
	.optional = true, .whole = (value) }
#define OG_REAL_OR(type, member, key_, value) { .kind = OG_FIELD_REAL, .key = (key_), .at = OG_AT_(type, member, double), .optional = true, .real = (value) }
#define OG_FLAG_OR(type, member, key_, value) { .kind = OG_FIELD_FLAG, .key = (key_), .at = OG_AT_(type, member, bool), .optional = true, .whole = (value) }
#define OG_CHOICE_OR(type, member, key_, names) { .kind = OG_FIELD_CHOICE, .key = (key_), .at = OG_AT_(type, member, int), .optional = true, .text = (names) }
#define OG_ACT_OR(type, member, key_, name) { .kind = OG_FIELD_ACT, .key = (key_), .at = OG_AT_(type, member, og_act_kind), .optional = true, .text = (name) }
#define OG_ACT_OR_NONE(type, member, key_, name) { .kind = OG_FIELD_ACT, .key = (key_), .at = OG_AT_(type, member, og_act_kind), .optional = true, \
	.none = true, .text = (name) }
#define OG_LABELS(type, member) { .kind = OG_FIELD_LABELS, .key = "num_labels", .at = OG_AT_(type, member, int64_t), .optional = true, .whole = 2 }
#define OG_READ(type, member, ctype, key_, fn) { .kind = OG_FIELD_READ, .key = (key_), .at = OG_AT_(type, member, ctype), .optional = true, .read = (fn) }
#define OG_ONLY(key_, json) { .kind = OG_FIELD_ONLY, .key = (key_), .optional = true, .text = (json) }
/* An object in which keys with dots are looked for, "text_config" for "text_config.hidden_size"; a row of its own for each. Absent or null: all
 * that is in it is absent. instead: another name (NULL: none) of an object that counts in its place, whole, where both are there. */
#define OG_SECTION(key_, instead) { .kind = OG_FIELD_SECTION, .key = (key_), .optional = true, .text = (instead) }

typedef struct og_inert { /* a key that cannot change the graph, and why; with dots for one of a section */
	const char *key, *why;
} og_inert;

typedef struct og_unknown_keys {
	const char **keys;
	size_t n;
} og_unknown_keys;

/* Fill `out` (the architecture's struct) from the document; all faults are collected in one message.
 * inert: the architecture's own list (ends with {0}), beside the common one, which counts in every section. FORMAT: a wrong type or a value out of
 * range; UNSUPPORTED: a value that is not done. */
og_status og_config_read(const og_json *doc, const og_field *fields, const og_inert *inert, void *out, og_arena *arena, og_unknown_keys *unknown,
	og_error *err) OG_MUST;

typedef enum og_fate { OG_FATE_STRUCTURAL, OG_FATE_ONLY, OG_FATE_INERT, OG_FATE_REFUSED, OG_FATE_UNKNOWN } og_fate;
/* What happens to a key, and why (a borrowed sentence). */
og_fate og_config_fate(const og_field *fields, const og_inert *inert, const char *key, const char **why);

/* ---- where the weights know better ----
 *
 * Two kinds of keys do not have the last word about a size, since what the graph computes does not hang on them:
 *   LABELS        the number of classes is the number of rows that the classifier has, at any rate
 *   padded DIM    a vocabulary's table may be longer, up to a multiple of a power of two: no token id reaches the rest
 * Which dims of which weights are meant is for the description to show (convert/settle.c). */
bool og_config_may_yield(const og_field *f);
bool og_config_yields(const og_field *f, int64_t said, int64_t has);

/* How many classes a document names, each in its way; -1: it does not say. */
typedef struct og_said_labels {
	int64_t id2label, num_labels;
} og_said_labels;
og_said_labels og_config_said_labels(const og_json *doc);

/* What made-up inputs need, from keys that every family spells alike; 0: not said.  What is about texts stands at the top or below
 * text_config, what is about images at the top or below vision_config. */
typedef struct og_image_facts {
	int64_t channels, height, width, patches;
} og_image_facts;
typedef struct og_sound_facts {
	int64_t least, step; /* samples that make the first frame that a file can do with, and each further one */
} og_sound_facts;
#define OG_SOUND_FACTS_MOST ((og_sound_facts){ OG_DIM_MAX, OG_DIM_MAX }) /* more samples than can be counted */
/* The same, seen from before a convolution. false: more than can be counted. */
bool og_sound_before(og_sound_facts *f, int64_t kernel, int64_t stride);
typedef struct og_input_facts {
	int64_t vocab_size, type_vocab_size;
	int64_t max_positions; /* the longest text */
	int64_t pad_token_id;  /* -1: none */
	bool pad_by_id;        /* padding is told by its id, so there is no other: a text ends before it, whatever a mask says */
	int64_t end_token_id;  /* where it stands a text is pooled, so that each needs one and padding none; -1: there is no such thing */
	const char *padding_counts; /* what of the config makes padding count as text does, which no check can then deny; NULL: nothing does */
	og_image_facts image;
	og_sound_facts sound;
} og_input_facts;
#define OG_INPUT_FACTS_NONE ((og_input_facts){ .pad_token_id = -1, .end_token_id = -1 })
og_input_facts og_config_facts(const og_json *doc);

bool og_config_side(const og_json *v, int64_t *out); /* 1 to OG_DIM_MAX */
bool og_config_size(const og_json *v, og_size *out); /* a number, or [height, width] */

/* "hidden_size 384": the keys of the table whose value is v; "" when none. */
const char *og_config_keys_of(const og_field *fields, const void *config, int64_t v, og_arena *arena);

/* The things that no architecture can do: quantization_config, pruned_heads, and auto_map for the class wanted. (In sections,
 * og_config_read() sees to the first two.) */
og_status og_config_refusals(const og_json *doc, const char *class_name, og_error *err) OG_MUST;

#endif
