/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of rope_scaling and layer_types, as transformers.modeling_rope_utils and layer_type_validation() take them. */
#include "model/keys.h"

#include "base/limits.h"
#include "base/str.h"

#include <math.h>

#define SHOWN 60

static const char *fault(og_arena *arena, og_status *status, og_status s, const char *key, const char *wanted, const og_json *found)
{
	*status = s;
	const char *text = og_arena_printf(arena, "%s: expected %s, found %.*s", key, wanted, SHOWN,
		json_object_to_json_string_ext((og_json *)(uintptr_t)found, JSON_C_TO_STRING_PLAIN));
	return text ? text : "out of memory";
}

static bool is_number(const og_json *v)
{
	return (json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int)) && isfinite(json_object_get_double(v));
}

/* ---- rope_scaling ---- */

static const char *const kind_names[] = { [OG_ROPE_PLAIN] = "default", [OG_ROPE_LINEAR] = "linear", [OG_ROPE_DYNAMIC] = "dynamic", [OG_ROPE_YARN] = "yarn",
	[OG_ROPE_LONG] = "longrope", [OG_ROPE_WAVELENGTH] = "llama3" };

static const struct number {
	const char *key;
	size_t at;
} numbers[] = {
	{ "factor", offsetof(og_rope, factor) }, { "attention_factor", offsetof(og_rope, attention_factor) },
	{ "beta_fast", offsetof(og_rope, beta_fast) }, { "beta_slow", offsetof(og_rope, beta_slow) },
	{ "mscale", offsetof(og_rope, mscale) }, { "mscale_all_dim", offsetof(og_rope, mscale_all_dim) },
	{ "low_freq_factor", offsetof(og_rope, low_freq_factor) }, { "high_freq_factor", offsetof(og_rope, high_freq_factor) },
};

static const char *read_kind(const og_json *v, og_rope *r, og_arena *arena, og_status *status)
{
	const char *modern = og_json_str(v, "rope_type", NULL), *old = og_json_str(v, "type", NULL), *name = modern ? modern : old;
	if (modern && old && !og_streq(modern, old)) /* classes differ in which of the two they believe */
		return fault(arena, status, ONNXGATE_UNSUPPORTED, "rope_scaling", "rope_type and its old name type to agree", v);
	for (size_t i = 0; i < OG_COUNT(kind_names); i++)
		if (og_streq(kind_names[i], name)) {
			r->kind = (og_rope_kind)i;
			return NULL;
		}
	return fault(arena, status, name ? ONNXGATE_UNSUPPORTED : ONNXGATE_FORMAT, "rope_scaling",
		"rope_type to be one of default, linear, dynamic, yarn, longrope, llama3", v);
}

static const char *read_factors(const char *key, const og_json *v, const double **out, size_t *n, og_arena *arena, og_status *status)
{
	size_t count = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;
	double *d = count && count <= OG_LAYERS_MAX ? og_arena_array(arena, count, sizeof(*d)) : NULL;
	for (size_t i = 0; d && i < count; i++) {
		const og_json *x = json_object_array_get_idx(v, i);
		d[i] = is_number(x) ? json_object_get_double(x) : 0;
		if (!(d[i] > 0))
			d = NULL;
	}
	if (!d)
		return fault(arena, status, ONNXGATE_FORMAT, key, "a list of numbers above 0", v);
	*out = d;
	*n = count;
	return NULL;
}

static const char *read_number(const struct number *row, const og_json *v, og_rope *r, og_arena *arena, og_status *status)
{
	if (!is_number(v) || json_object_get_double(v) < 0 || json_object_get_double(v) > OG_DIM_MAX)
		return fault(arena, status, ONNXGATE_FORMAT, og_arena_printf(arena, "rope_scaling.%s", row->key), "a number of at least 0", v);
	double d = json_object_get_double(v);
	memcpy((uint8_t *)r + row->at, &d, sizeof(d));
	r->attention_given |= og_streq(row->key, "attention_factor");
	return NULL;
}

static const char *read_member(const char *key, const og_json *v, og_rope *r, og_arena *arena, og_status *status)
{
	if (og_streq(key, "rope_type") || og_streq(key, "type"))
		return json_object_is_type(v, json_type_string) ? NULL : fault(arena, status, ONNXGATE_FORMAT, "rope_scaling.rope_type", "a name", v);
	for (size_t i = 0; i < OG_COUNT(numbers); i++)
		if (og_streq(numbers[i].key, key))
			return v ? read_number(&numbers[i], v, r, arena, status) : NULL;
	if (og_streq(key, "original_max_position_embeddings")) {
		r->original = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
		return !v || (r->original >= 1 && r->original <= OG_DIM_MAX) ? NULL
			: fault(arena, status, ONNXGATE_FORMAT, "rope_scaling.original_max_position_embeddings", "a whole number above 0", v);
	}
	if (og_streq(key, "truncate")) {
		r->no_truncate = !json_object_get_boolean(v);
		return json_object_is_type(v, json_type_boolean) ? NULL : fault(arena, status, ONNXGATE_FORMAT, "rope_scaling.truncate", "true or false", v);
	}
	if (og_streq(key, "short_factor"))
		return read_factors("rope_scaling.short_factor", v, &r->short_factor, &r->nshort, arena, status);
	if (og_streq(key, "long_factor"))
		return read_factors("rope_scaling.long_factor", v, &r->long_factor, &r->nlong, arena, status);
	*status = ONNXGATE_UNSUPPORTED;
	char shown[64];
	const char *text = og_arena_printf(arena, "rope_scaling.%s: not understood", og_str_show(og_str_of(key), shown, sizeof(shown)));
	return text ? text : "out of memory";
}

static const char *read_members(const og_json *v, og_rope *r, og_arena *arena, og_status *status)
{
	json_object_object_foreach((og_json *)(uintptr_t)v, key, value)
	{
		const char *why = read_member(key, value, r, arena, status);
		if (why)
			return why;
	}
	return NULL;
}

/* What this kind cannot do without. */
static const char *check_rope(const og_json *v, const og_rope *r, og_arena *arena, og_status *status)
{
	bool factor = r->kind != OG_ROPE_PLAIN && r->kind != OG_ROPE_LONG;
	const char *lacks = factor && !(r->factor > 0) ? "a factor above 0" : NULL;
	if (r->kind == OG_ROPE_LONG && (!r->nshort || !r->nlong))
		lacks = "short_factor and long_factor";
	if (r->kind == OG_ROPE_WAVELENGTH && !(r->low_freq_factor > 0 && r->high_freq_factor > r->low_freq_factor))
		lacks = "low_freq_factor above 0 and high_freq_factor above that";
	if (r->kind == OG_ROPE_WAVELENGTH && !r->original)
		lacks = "original_max_position_embeddings";
	return lacks ? fault(arena, status, ONNXGATE_FORMAT, "rope_scaling", lacks, v) : NULL;
}

const char *og_rope_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	og_rope r = { .kind = OG_ROPE_PLAIN };
	const char *why = NULL;
	if (v && !json_object_is_type(v, json_type_object))
		return fault(arena, status, ONNXGATE_FORMAT, "rope_scaling", "an object", v);
	if (v)
		why = read_kind(v, &r, arena, status);
	if (v && !why)
		why = read_members(v, &r, arena, status);
	if (v && !why)
		why = check_rope(v, &r, arena, status);
	memcpy(out, &r, sizeof(r));
	return why;
}

/* ---- layer_types ---- */

const char *og_layer_kinds_read(const og_json *v, void *out, og_arena *arena, og_status *status)
{
	og_layer_kinds k = { 0 };
	size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;
	bool *windowed = og_arena_array(arena, n + 1, sizeof(*windowed));
	if (v && (!n || n > OG_LAYERS_MAX))
		return fault(arena, status, ONNXGATE_FORMAT, "layer_types", "a list with a name for each layer", v);
	if (!windowed)
		return "out of memory";
	for (size_t i = 0; i < n; i++) {
		const og_json *x = json_object_array_get_idx(v, i);
		const char *name = json_object_is_type(x, json_type_string) ? json_object_get_string((og_json *)(uintptr_t)x) : NULL;
		windowed[i] = og_streq(name, "sliding_attention");
		if (!windowed[i] && !og_streq(name, "full_attention"))
			return fault(arena, status, name ? ONNXGATE_UNSUPPORTED : ONNXGATE_FORMAT, "layer_types", "full_attention or sliding_attention", x);
	}
	k.windowed = windowed;
	k.n = n;
	memcpy(out, &k, sizeof(k));
	return NULL;
}
