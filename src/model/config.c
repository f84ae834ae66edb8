/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of config.json: one pass over the table, one over the document; all faults in one message. */
#include "model/config.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

#include <float.h>

#define PAD_MIN 8
#define PAD_MAX 1024

/* ---- activations: transformers.activations.ACT2CLS ---- */

static const struct act_name {
	const char *name;
	og_act_kind kind;
} acts[] = {
	{ "gelu", OG_ACT_GELU }, { "gelu_python", OG_ACT_GELU }, { "gelu_new", OG_ACT_GELU_TANH }, { "gelu_fast", OG_ACT_GELU_TANH },
	{ "gelu_pytorch_tanh", OG_ACT_GELU_TANH }, { "gelu_python_tanh", OG_ACT_GELU_TANH }, { "gelu_accurate", OG_ACT_GELU_TANH },
	{ "gelu_10", OG_ACT_GELU_10 }, { "quick_gelu", OG_ACT_QUICK_GELU }, { "laplace", OG_ACT_LAPLACE }, { "leaky_relu", OG_ACT_LEAKY_RELU },
	{ "linear", OG_ACT_LINEAR }, { "mish", OG_ACT_MISH }, { "relu", OG_ACT_RELU }, { "relu2", OG_ACT_RELU2 }, { "relu6", OG_ACT_RELU6 },
	 { "sigmoid", OG_ACT_SIGMOID }, { "silu", OG_ACT_SILU }, { "swish", OG_ACT_SILU }, { "tanh", OG_ACT_TANH },
};

bool og_act_parse(const char *name, og_act_kind *out)
{
	for (size_t i = 0; i < OG_COUNT(acts); i++)
		if (og_streq(acts[i].name, name)) {
			*out = acts[i].kind;
			return true;
		}
	return false;
}

/* ---- keys that cannot change any graph ---- */

static const og_inert common_inert[] = {
	{ "_name_or_path", "where the config came from" },
	{ "_commit_hash", "where the config came from" },
	{ "transformers_version", "which release wrote the config" },
	{ "architectures", "chooses the task, not the graph" },
	{ "model_type", "chooses the architecture" },
	{ "torch_dtype", "the type of the stored weights; the tensors say it themselves" },
	{ "dtype", "the type of the stored weights; the tensors say it themselves" },
	{ "_attn_implementation_autoset", "how PyTorch computes attention, not what" },
	{ "_attn_implementation", "how PyTorch computes attention, not what" },
	{ "attn_implementation", "how PyTorch computes attention, not what" },
	{ "id2label", "names of classes; their number is read as num_labels" },
	{ "label2id", "names of classes" },
	{ "_num_labels", "old name of num_labels, never read back" },
	{ "problem_type", "chooses a loss" },
	{ "finetuning_task", "a note on training" },
	{ "task_specific_params", "defaults of generation" },
	{ "initializer_range", "training only" },
	{ "initializer_factor", "training only" },
	{ "gradient_checkpointing", "training only" },
	{ "use_cache", "decoding only" },
	{ "chunk_size_feed_forward", "memory of PyTorch, same result" },
	{ "output_attentions", "extra outputs, which an export does not have" },
	{ "output_hidden_states", "extra outputs, which an export does not have" },
	{ "output_past", "extra outputs, which an export does not have" },
	{ "return_dict", "form of PyTorch's result" },
	{ "torchscript", "form of PyTorch's result" },
	{ "use_bfloat16", "TPU training" },
	{ "tf_legacy_loss", "training only" },
	{ "tie_encoder_decoder", "encoder-decoder pairs only" },
	{ "cross_attention_hidden_size", "encoder-decoder pairs only" },
	{ "language", "a note" },
	{ "tokenizer_class", "the tokenizer's business" },
	{ "prefix", "the tokenizer's business" },
	{ "bos_token_id", "the tokenizer's business" },
	{ "eos_token_id", "the tokenizer's business" },
	{ "pad_token_id", "the tokenizer's business" },
	{ "sep_token_id", "the tokenizer's business" },
	{ "cls_token_id", "the tokenizer's business" },
	{ "mask_token_id", "the tokenizer's business" },
	{ "decoder_start_token_id", "generation only" },
	{ "forced_bos_token_id", "generation only" },
	{ "forced_eos_token_id", "generation only" },
	{ "suppress_tokens", "generation only" },
	{ "begin_suppress_tokens", "generation only" },
	{ "max_length", "generation only" },
	{ "min_length", "generation only" },
	{ "do_sample", "generation only" },
	{ "early_stopping", "generation only" },
	{ "num_beams", "generation only" },
	{ "num_beam_groups", "generation only" },
	{ "diversity_penalty", "generation only" },
	{ "temperature", "generation only" },
	{ "top_k", "generation only" },
	{ "top_p", "generation only" },
	{ "typical_p", "generation only" },
	{ "repetition_penalty", "generation only" },
	{ "length_penalty", "generation only" },
	{ "no_repeat_ngram_size", "generation only" },
	{ "encoder_no_repeat_ngram_size", "generation only" },
	{ "bad_words_ids", "generation only" },
	{ "num_return_sequences", "generation only" },
	{ "output_scores", "generation only" },
	{ "return_dict_in_generate", "generation only" },
	{ "remove_invalid_values", "generation only" },
	{ "exponential_decay_length_penalty", "generation only" },
	{ "pruned_heads", "empty: nothing was pruned (else refused)" },
	{ "auto_map", "code of the repository, which is not used (refused when the class wanted is in it)" },
};

static const struct refusal {
	const char *key, *why;
} refused_keys[] = {
	{ "quantization_config", "quantised weights are not read" },
};

static bool matches_dropout(const char *key)
{
	return og_ends_with(key, "dropout") || og_ends_with(key, "dropout_prob") || og_ends_with(key, "_dropout_rate") || og_ends_with(key, "layerdrop")
		|| og_ends_with(key, "drop_path_rate");
}

/* ---- sections ---- */

static const char *last_part(const char *key)
{
	const char *dot = strrchr(key, '.');
	return dot ? dot + 1 : key;
}

/* The section of these n letters; by its old name too when asked. */
static const og_field *find_section(const og_field *fields, og_str key, bool old_too)
{
	for (const og_field *f = fields; f->kind != OG_FIELD_END; f++) {
		if (f->kind != OG_FIELD_SECTION)
			continue;
		size_t before = (size_t)(last_part(f->key) - f->key);
		if (og_str_is(key, f->key))
			return f;
		if (old_too && f->text && key.n > before && memcmp(key.p, f->key, before) == 0 && og_str_is((og_str){ key.p + before, key.n - before }, f->text))
			return f;
	}
	return NULL;
}

/* The name under which a section counts in the object that holds it. */
static const char *name_of(const og_field *section, const og_json *holder)
{
	return section->text && og_json_get(holder, section->text) ? section->text : last_part(section->key);
}

/* The object that holds what a key names, and the name that it has there; NULL: it is not there. */
static const og_json *holder_of(const og_json *doc, const og_field *fields, const char *key, const char **name)
{
	const og_json *at = doc;
	const char *part = key, *dot;
	for (; (dot = strchr(part, '.')); part = dot + 1) {
		const og_field *section = find_section(fields, (og_str){ key, (size_t)(dot - key) }, false);
		at = section ? og_json_get(at, name_of(section, at)) : NULL;
	}
	*name = part;
	return at;
}

/* ---- fates ---- */

static const char *inert_reason(const og_inert *own, const char *key)
{
	for (const og_inert *i = own; i && i->key; i++)
		if (og_streq(i->key, key))
			return i->why;
	for (size_t i = 0; i < OG_COUNT(common_inert); i++)
		if (og_streq(common_inert[i].key, last_part(key)))
			return common_inert[i].why;
	return matches_dropout(key) ? "training only" : NULL;
}

static const og_field *find_field(const og_field *fields, const char *key)
{
	for (const og_field *f = fields; f->kind != OG_FIELD_END; f++)
		if (og_streq(f->key, key))
			return f;
	return find_section(fields, og_str_of(key), true);
}

og_fate og_config_fate(const og_field *fields, const og_inert *inert, const char *key, const char **why)
{
	const og_field *f = find_field(fields, key);
	*why = f && f->kind == OG_FIELD_ONLY ? f->text : f ? "read" : NULL;
	if (f)
		return f->kind == OG_FIELD_ONLY ? OG_FATE_ONLY : OG_FATE_STRUCTURAL;
	for (size_t i = 0; i < OG_COUNT(refused_keys); i++)
		if (og_streq(refused_keys[i].key, last_part(key))) {
			*why = refused_keys[i].why;
			return OG_FATE_REFUSED;
		}
	*why = inert_reason(inert, key);
	return *why ? OG_FATE_INERT : OG_FATE_UNKNOWN;
}

/* ---- reading ---- */

typedef struct reader {
	const og_json *doc;
	const og_field *fields;
	og_arena *arena;
	uint8_t *out;
	og_buf faults;
	og_status status; /* of the first fault */
} reader;

static void fault(reader *r, og_status status, const char *fmt, ...) OG_PRINTF(3, 4);

static void fault(reader *r, og_status status, const char *fmt, ...)
{
	if (r->status == OG_OK)
		r->status = status;
	else
		og_buf_str(&r->faults, "; ");
	va_list ap;
	va_start(ap, fmt);
	og_buf_vprintf(&r->faults, fmt, ap);
	va_end(ap);
}

static const char *found(og_json *v)
{
	const char *s = json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN);
	return s ? s : "?"; /* no memory */
}

static void store_whole(reader *r, const og_field *f, int64_t v)
{
	memcpy(r->out + f->at, &v, sizeof(v));
}

static void read_dim(reader *r, const og_field *f, og_json *v)
{
	int64_t min = f->kind == OG_FIELD_ID ? (f->none ? -OG_DIM_MAX : 0) : 1, max = f->max ? f->max : OG_DIM_MAX, k = json_object_get_int64(v);
	bool huge = json_object_is_type(v, json_type_double) && !strpbrk(found(v), ".eEnN"); /* digits beyond 64 bits */
	if (f->none && json_object_is_type(v, json_type_null))
		store_whole(r, f, f->kind == OG_FIELD_ID ? OG_ID_NONE : 0);
	else if (!json_object_is_type(v, json_type_int) && !huge)
		fault(r, ONNXGATE_FORMAT, "%s: expected a whole number, found %.60s", f->key, found(v));
	else if (huge || k < min || k > max)
		fault(r, ONNXGATE_FORMAT, "%s: expected %lld to %lld, found %.60s", f->key, (long long)min, (long long)max, found(v));
	else
		store_whole(r, f, k);
}

bool og_config_side(const og_json *v, int64_t *out)
{
	*out = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
	return *out >= 1 && *out <= OG_DIM_MAX;
}

/* "10 3 3" of a row of the table. */
static void store_dims(reader *r, const og_field *f, const char *text)
{
	og_dim_list list = { 0 };
	for (const char *p = text; *p && list.n < OG_LIST_MAX;) {
		size_t k = strcspn(p, " ");
		if (!og_parse_i64((og_str){ p, k }, &list.v[list.n++]))
			fault(r, ONNXGATE_INTERNAL, "%s: the default %s is no list of numbers", f->key, text);
		p += k + (p[k] == ' ');
	}
	memcpy(r->out + f->at, &list, sizeof(list));
}

static void read_dims(reader *r, const og_field *f, og_json *v)
{
	og_dim_list list = { .n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0 };
	bool fits = list.n >= 1 && list.n <= OG_LIST_MAX;
	for (size_t i = 0; fits && i < list.n; i++)
		fits = og_config_side(json_object_array_get_idx(v, i), &list.v[i]);
	if (!fits)
		fault(r, ONNXGATE_FORMAT, "%s: expected a list of 1 to %d whole numbers, each 1 to %lld, found %.60s", f->key, OG_LIST_MAX, (long long)OG_DIM_MAX,
			found(v));
	else
		memcpy(r->out + f->at, &list, sizeof(list));
}

bool og_config_size(const og_json *v, og_size *out)
{
	if (!json_object_is_type(v, json_type_array)) {
		bool fits = og_config_side(v, &out->height);
		out->width = out->height;
		return fits;
	}
	return json_object_array_length(v) == 2 && og_config_side(json_object_array_get_idx(v, 0), &out->height) &&
		og_config_side(json_object_array_get_idx(v, 1), &out->width);
}

static void read_size(reader *r, const og_field *f, og_json *v)
{
	og_size s;
	if (!og_config_size(v, &s))
		fault(r, ONNXGATE_FORMAT, "%s: expected a whole number or [height, width], each 1 to %lld, found %.60s", f->key, (long long)OG_DIM_MAX, found(v));
	else
		memcpy(r->out + f->at, &s, sizeof(s));
}

static void read_real(reader *r, const og_field *f, og_json *v)
{
	double d = json_object_get_double(v);
	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		fault(r, ONNXGATE_FORMAT, "%s: expected a number, found %.60s", f->key, found(v));
	else if (!(d >= 0 && d <= (double)FLT_MAX)) /* it is written as float32 */
		fault(r, ONNXGATE_FORMAT, "%s: expected a finite number of at least 0, found %.60s", f->key, found(v));
	else
		memcpy(r->out + f->at, &d, sizeof(d));
}

static void read_flag(reader *r, const og_field *f, og_json *v)
{
	bool b = json_object_get_boolean(v);
	if (!json_object_is_type(v, json_type_boolean))
		fault(r, ONNXGATE_FORMAT, "%s: expected true or false, found %.60s", f->key, found(v));
	else
		memcpy(r->out + f->at, &b, sizeof(b));
}

/* The index of a word in a list of words. */
static int word_index(const char *words, const char *word)
{
	size_t n = strlen(word);
	int i = 0;
	for (const char *p = words; n && *p; i++) {
		size_t k = strcspn(p, " ");
		if (k == n && memcmp(p, word, n) == 0)
			return i;
		p += k + (p[k] == ' ');
	}
	return -1;
}

static void read_choice(reader *r, const og_field *f, og_json *v)
{
	int i = json_object_is_type(v, json_type_string) ? word_index(f->text, json_object_get_string(v)) : -1;
	if (i < 0)
		fault(r, json_object_is_type(v, json_type_string) ? ONNXGATE_UNSUPPORTED : ONNXGATE_FORMAT, "%s: expected one of %s, found %.60s", f->key,
			f->text, found(v));
	else
		memcpy(r->out + f->at, &i, sizeof(i));
}

static void store_act(reader *r, const og_field *f, const char *name)
{
	og_act_kind kind;
	if (og_streq(name, "prelu") || og_streq(name, "xielu"))
		fault(r, ONNXGATE_UNSUPPORTED, "%s: %s has learned weights and is not done", f->key, name);
	else if (!og_act_parse(name, &kind))
		fault(r, ONNXGATE_UNSUPPORTED, "%s: activation \"%.60s\" is not known", f->key, name);
	else
		memcpy(r->out + f->at, &kind, sizeof(kind));
}

static void read_act(reader *r, const og_field *f, og_json *v)
{
	if (f->none && (json_object_is_type(v, json_type_null) || og_streq(found(v), "\"\"")))
		store_act(r, f, "linear");
	else if (!json_object_is_type(v, json_type_string))
		fault(r, ONNXGATE_FORMAT, "%s: expected an activation's name, found %.60s", f->key, found(v));
	else
		store_act(r, f, json_object_get_string(v));
}

/* The number of classes: id2label's when it is there, as in PretrainedConfig, else num_labels, else 2. */
static void read_labels(reader *r, const og_field *f)
{
	og_json *names = og_json_get(r->doc, "id2label"), *v = og_json_get(r->doc, f->key);
	if (names && json_object_is_type(names, json_type_object))
		store_whole(r, f, json_object_object_length(names));
	else if (names && !json_object_is_type(names, json_type_null))
		fault(r, ONNXGATE_FORMAT, "id2label: expected an object, found %.60s", found(names));
	else if (v)
		read_dim(r, f, v);
	else
		store_whole(r, f, f->whole);
}

static void read_only(reader *r, const og_field *f, og_json *v)
{
	if (!og_streq(found(v), f->text))
		fault(r, ONNXGATE_UNSUPPORTED, "%s: only %s is done, found %.60s", f->key, f->text, found(v));
}

static void read_own(reader *r, const og_field *f, const og_json *v)
{
	og_status s = ONNXGATE_FORMAT;
	const char *why = f->read(v, r->out + f->at, r->arena, &s);
	if (why)
		fault(r, s, "%s", why);
}

static void use_default(reader *r, const og_field *f)
{
	bool flag = f->whole != 0;
	int choice = (int)f->whole;
	if (f->also)
		return;
	if (!f->optional) {
		fault(r, ONNXGATE_FORMAT, "%s: missing", f->key);
		return;
	}
	switch (f->kind) {
	case OG_FIELD_DIM:
	case OG_FIELD_ID: store_whole(r, f, f->whole); break;
	case OG_FIELD_DIMS: store_dims(r, f, f->text); break;
	case OG_FIELD_SIZE: memcpy(r->out + f->at, &(og_size){ f->whole, f->whole }, sizeof(og_size)); break;
	case OG_FIELD_REAL: memcpy(r->out + f->at, &f->real, sizeof(f->real)); break;
	case OG_FIELD_FLAG: memcpy(r->out + f->at, &flag, sizeof(flag)); break;
	case OG_FIELD_CHOICE: memcpy(r->out + f->at, &choice, sizeof(choice)); break;
	case OG_FIELD_ACT: store_act(r, f, f->text); break;
	case OG_FIELD_READ: read_own(r, f, NULL); break;
	default: break;
	}
}

/* Under either of its names. (An old one that is not in its place takes nothing's place, but it is as wrong.) */
static void read_section(reader *r, const og_field *f, const og_json *holder)
{
	const char *const names[] = { last_part(f->key), f->text };
	for (size_t i = 0; i < OG_COUNT(names); i++) {
		og_json *v = names[i] ? og_json_get(holder, names[i]) : NULL;
		if (v && !json_object_is_type(v, json_type_object))
			fault(r, ONNXGATE_FORMAT, "%.*s%s: expected an object, found %.60s", (int)(last_part(f->key) - f->key), f->key, names[i], found(v));
	}
}

static void read_field(reader *r, const og_field *f)
{
	og_json *v = NULL;
	const char *name;
	const og_json *holder = holder_of(r->doc, r->fields, f->key, &name);
	if (f->kind == OG_FIELD_LABELS) {
		read_labels(r, f);
		return;
	}
	if (f->kind == OG_FIELD_SECTION) {
		read_section(r, f, holder);
		return;
	}
	bool given = holder && json_object_object_get_ex(holder, name, &v);
	if (!given) {
		use_default(r, f);
		return;
	}
	if (f->kind == OG_FIELD_DIM && f->none && !v) {
		store_whole(r, f, 0);
		return;
	}
	switch (f->kind) {
	case OG_FIELD_DIM:
	case OG_FIELD_ID: read_dim(r, f, v); break;
	case OG_FIELD_DIMS: read_dims(r, f, v); break;
	case OG_FIELD_SIZE: read_size(r, f, v); break;
	case OG_FIELD_REAL: read_real(r, f, v); break;
	case OG_FIELD_FLAG: read_flag(r, f, v); break;
	case OG_FIELD_CHOICE: read_choice(r, f, v); break;
	case OG_FIELD_ACT: read_act(r, f, v); break;
	case OG_FIELD_ONLY: read_only(r, f, v); break;
	case OG_FIELD_READ: read_own(r, f, v); break;
	default: break;
	}
}

/* What no architecture can do, whichever section says it. prefix: "" or "text_config.". */
static og_status refuse_keys(const og_json *object, const char *prefix, og_error *err)
{
	og_json *heads = og_json_get(object, "pruned_heads");
	for (size_t i = 0; i < OG_COUNT(refused_keys); i++)
		if (og_json_get(object, refused_keys[i].key))
			return og_fail(err, ONNXGATE_UNSUPPORTED, "config.json: %s%s: %s", prefix, refused_keys[i].key, refused_keys[i].why);
	if (heads && !og_streq(found(heads), "{}"))
		return og_fail(err, ONNXGATE_UNSUPPORTED, "config.json: %spruned_heads: only {} is done, found %.60s", prefix, found(heads));
	return OG_OK;
}

typedef struct collector {
	const og_field *fields;
	const og_inert *inert;
	og_arena *arena;
	og_unknown_keys *out;
	size_t cap;
	og_error *err;
} collector;

static og_status collect(collector *c, const og_json *object, const char *prefix);

/* A section is as deep as its row says, so this nests no deeper than the table. */
static og_status collect_section(collector *c, const og_field *section, const og_json *object)
{
	const char *prefix = og_arena_printf(c->arena, "%s.", section->key);
	if (!prefix)
		return og_fail_nomem(c->err);
	OG_TRY(refuse_keys(object, prefix, c->err));
	return collect(c, object, prefix);
}

static og_status collect_key(collector *c, const char *key, const char *full)
{
	const char *why;
	char shown[128];
	if (!full)
		return og_fail_nomem(c->err);
	if (!strchr(key, '.') && og_config_fate(c->fields, c->inert, full, &why) != OG_FATE_UNKNOWN)
		return OG_OK;
	og_str_show(og_str_of(full), shown, sizeof(shown));
	if (!og_arena_grow(c->arena, &c->out->keys, &c->cap, c->out->n + 1, sizeof(*c->out->keys)))
		return og_fail_nomem(c->err);
	c->out->keys[c->out->n++] = og_arena_strdup(c->arena, shown);
	return OG_OK;
}

static og_status collect(collector *c, const og_json *object, const char *prefix)
{
	json_object_object_foreach(object, key, value)
	{
		const char *full = prefix[0] ? og_arena_printf(c->arena, "%s%s", prefix, key) : key;
		const og_field *section = full && !strchr(key, '.') ? find_section(c->fields, og_str_of(full), true) : NULL;
		if (!section || !json_object_is_type(value, json_type_object))
			OG_TRY(collect_key(c, key, full));
		else if (og_streq(name_of(section, object), key)) /* else the other counts in its place, and nothing of this one */
			OG_TRY(collect_section(c, section, value));
	}
	return OG_OK;
}

og_status og_config_read(const og_json *doc, const og_field *fields, const og_inert *inert, void *out, og_arena *arena, og_unknown_keys *unknown, og_error *err)
{
	if (!json_object_is_type(doc, json_type_object))
		return og_fail(err, ONNXGATE_FORMAT, "config.json: expected an object");
	reader r = { .doc = doc, .fields = fields, .arena = arena, .out = out };
	og_buf_init(&r.faults, 4096);
	for (const og_field *f = fields; f->kind != OG_FIELD_END; f++)
		read_field(&r, f);
	og_status s = r.status;
	if (s != OG_OK)
		s = og_fail(err, s, "config.json: %s", r.faults.failed ? "many faults" : og_buf_cstr(&r.faults));
	og_buf_done(&r.faults);
	collector c = { .fields = fields, .inert = inert, .arena = arena, .out = unknown, .err = err };
	*unknown = (og_unknown_keys){ 0 };
	return s == OG_OK ? collect(&c, doc, "") : s;
}

/* ---- where the weights know better ---- */

bool og_config_may_yield(const og_field *f)
{
	return f->kind == OG_FIELD_LABELS || (f->kind == OG_FIELD_DIM && f->padded);
}

/* Rows that reach the next multiple of 8, 16, … 1024: what pad_to_multiple_of and the trainers on several processors do. */
static bool is_padding(int64_t said, int64_t has)
{
	for (int64_t m = PAD_MIN; m <= PAD_MAX; m *= 2)
		if (has > said && has - said < m && has % m == 0)
			return true;
	return false;
}

bool og_config_yields(const og_field *f, int64_t said, int64_t has)
{
	return f->kind == OG_FIELD_LABELS ? has >= 1 && has <= OG_DIM_MAX : og_config_may_yield(f) && is_padding(said, has);
}

og_said_labels og_config_said_labels(const og_json *doc)
{
	og_said_labels s = { -1, -1 };
	og_json *names = og_json_get(doc, "id2label"), *n = og_json_get(doc, "num_labels");
	if (names && json_object_is_type(names, json_type_object))
		s.id2label = json_object_object_length(names);
	if (n && json_object_is_type(n, json_type_int))
		s.num_labels = json_object_get_int64(n);
	return s;
}

static bool member_has(const og_field *f, const void *config, int64_t v)
{
	og_dim_list list = { .n = 1 };
	const uint8_t *at = (const uint8_t *)config + f->at;
	if (f->kind == OG_FIELD_DIMS)
		memcpy(&list, at, sizeof(list));
	else
		memcpy(list.v, at, sizeof(v));
	for (size_t i = 0; i < list.n; i++)
		if (list.v[i] == v)
			return true;
	return false;
}

const char *og_config_keys_of(const og_field *fields, const void *config, int64_t v, og_arena *arena)
{
	const char *s = "";
	for (const og_field *f = fields; config && f && f->kind != OG_FIELD_END; f++) {
		if ((f->kind != OG_FIELD_DIM && f->kind != OG_FIELD_DIMS && f->kind != OG_FIELD_LABELS) || f->also)
			continue;
		if (member_has(f, config, v))
			s = og_arena_printf(arena, "%s%s%s %lld", s, s[0] ? " or " : "", f->key, (long long)v);
		if (!s)
			return "";
	}
	return s;
}

og_status og_config_refusals(const og_json *doc, const char *class_name, og_error *err)
{
	og_json *map = og_json_get(doc, "auto_map");
	OG_TRY(refuse_keys(doc, "", err));
	if (!map || !json_object_is_type(map, json_type_object))
		return OG_OK;
	json_object_object_foreach(map, key, value)
	{
		const char *target = json_object_get_string(value);
		const char *dot = target ? strrchr(target, '.') : NULL;
		if (og_starts_with(key, "AutoModel") && (!class_name || og_streq(dot ? dot + 1 : target, class_name))) {
			og_status s = og_fail(err, ONNXGATE_UNSUPPORTED, "config.json: auto_map: %s is code of the repository (%.80s), which is never run", key,
				target ? target : "");
			og_error_hint(err, "convert it where that code may be trusted, then use the ONNX file");
			return s;
		}
	}
	return OG_OK;
}
