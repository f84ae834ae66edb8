/* SPDX-License-Identifier: Apache-2.0
 *
 * One table row a setting: its key in config.json, its environment variables in the order in which they count,
 * its kind.  Defaults that depend on other settings are functions, so rows stand in the order of that dependence.
 * An empty variable counts as unset. */
#include "job/settings.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/json.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

typedef enum setting_kind { TEXT, PATH, SECRET, BOOL, COUNT } setting_kind;

typedef struct reading { /* what is known while the rows are read */
	const onnxgate_options *o;
	og_arena *arena;
	og_settings *s;
	og_json *config;         /* NULL: there is none */
	const char *config_path; /* where it is or would be */
	const char *token_path, *token_path_origin;
	og_error *err;
} reading;

typedef struct setting_row {
	const char *name;
	setting_kind kind;
	const char *env[4];
	const char *(*flag)(const onnxgate_options *o);
	/* NULL result: no value; *origin may be changed from "default". */
	const char *(*fallback)(reading *r, const char **origin);
	og_status (*store)(reading *r, const char *value, const char *origin);
} setting_row;

bool og_setting_true(const char *text)
{
	static const char *const yes[] = { "1", "ON", "YES", "TRUE" };
	for (size_t i = 0; text && i < OG_COUNT(yes); i++)
		if (!strcasecmp(text, yes[i]))
			return true;
	return false;
}

static const char *env(const char *name)
{
	const char *v = getenv(name);
	return v && *v ? v : NULL;
}

static const char *user_home(void)
{
	const char *home = env("HOME");
	if (home)
		return home;
	struct passwd *pw = getpwuid(getuid());
	return pw && pw->pw_dir && *pw->pw_dir ? pw->pw_dir : "/";
}

/* $XDG_…, which counts only when it is absolute, else ~/FALLBACK; then /NAME. */
static const char *xdg(reading *r, const char *variable, const char *fallback, const char *name)
{
	const char *base = env(variable);
	if (base && base[0] == '/')
		return og_arena_printf(r->arena, "%s/%s", base, name);
	return og_arena_printf(r->arena, "%s/%s/%s", user_home(), fallback, name);
}

/* ---- defaults ------------------------------------------------------------------------------------- */

static const char *default_home(reading *r, const char **origin)
{
	(void)origin;
	return xdg(r, "XDG_CACHE_HOME", ".cache", "onnxgate");
}
static const char *default_hf_home(reading *r, const char **origin)
{
	(void)origin;
	return xdg(r, "XDG_CACHE_HOME", ".cache", "huggingface");
}
static const char *default_hub_cache(reading *r, const char **origin)
{
	(void)origin;
	return og_arena_printf(r->arena, "%s/hub", r->s->hf_home);
}
static const char *default_token_path(reading *r, const char **origin)
{
	(void)origin;
	return og_arena_printf(r->arena, "%s/token", r->s->hf_home);
}
static const char *default_endpoint(reading *r, const char **origin)
{
	(void)r, (void)origin;
	return "https://huggingface.co";
}
static const char *default_db(reading *r, const char **origin)
{
	(void)origin;
	return og_arena_printf(r->arena, "sqlite:%s/onnxgate.db", r->s->home);
}
static const char *default_offline(reading *r, const char **origin)
{
	(void)r, (void)origin;
	return "false";
}

/* The file that `hf auth login` writes. One that cannot be read is no token, and its origin says why. */
static const char *default_token(reading *r, const char **origin)
{
	if (!r->token_path)
		return NULL;
	og_auto_buf b;
	og_buf_init(&b, 1u << 16);
	og_error why = { 0 };
	og_status st = og_file_read(r->token_path, 1u << 16, &b, &why);
	const char *text = st == OG_OK ? og_buf_cstr(&b) : NULL;
	if (st != OG_OK && st != ONNXGATE_NOT_FOUND)
		*origin = og_arena_printf(r->arena, "%s: %s", r->token_path_origin, why.message);
	else if (text)
		*origin = og_arena_printf(r->arena, "%s", r->token_path);
	return og_arena_strdup(r->arena, text);
}

/* ---- stores --------------------------------------------------------------------------------------- */

#define STORE_TEXT(field)                                                                                              \
	static og_status store_##field(reading *r, const char *value, const char *origin)                                  \
	{                                                                                                                  \
		(void)origin;                                                                                                  \
		r->s->field = value;                                                                                           \
		return OG_OK;                                                                                                  \
	}
STORE_TEXT(home)
STORE_TEXT(hf_home)
STORE_TEXT(hub_cache)
STORE_TEXT(db)
STORE_TEXT(runtime_library)
STORE_TEXT(runtime_helper)

static og_status store_endpoint(reading *r, const char *value, const char *origin)
{
	if (!og_starts_with(value, "https://") && !og_starts_with(value, "http://"))
		return og_fail(r->err, ONNXGATE_INVALID, "endpoint \"%s\" (from %s): expected a URL that begins with https:// or http://", value, origin);
	size_t n = strlen(value);
	while (n && value[n - 1] == '/')
		n--;
	r->s->endpoint = og_arena_strndup(r->arena, value, n);
	return r->s->endpoint ? OG_OK : og_fail_nomem(r->err);
}

static og_status store_token_path(reading *r, const char *value, const char *origin)
{
	r->token_path = value;
	r->token_path_origin = origin;
	return OG_OK;
}

/* As the Python client cleans it: CR and LF go anywhere, then blanks at both ends; empty is none. */
static og_status store_token(reading *r, const char *value, const char *origin)
{
	char *t = og_arena_alloc(r->arena, strlen(value) + 1);
	if (!t)
		return og_fail_nomem(r->err);
	size_t n = 0;
	for (const char *p = value; *p; p++)
		if (*p != '\r' && *p != '\n' && (n || !isspace((unsigned char)*p)))
			t[n++] = *p;
	while (n && isspace((unsigned char)t[n - 1]))
		n--;
	t[n] = 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)t[i] <= ' ' || (unsigned char)t[i] >= 127)
			return og_fail(r->err, ONNXGATE_INVALID, "token (from %s): byte %zu is no printable ASCII, which a token consists of", origin, i + 1);
	r->s->token = n ? t : NULL;
	return OG_OK;
}

static og_status store_offline(reading *r, const char *value, const char *origin)
{
	(void)origin;
	r->s->offline = og_setting_true(value);
	return OG_OK;
}

static og_status store_count(reading *r, const char *name, const char *value, const char *origin, uint64_t max, int *out)
{
	uint64_t v = 0;
	if (!og_parse_u64(og_str_of(value), max, &v))
		return og_fail(r->err, ONNXGATE_INVALID, "%s \"%s\" (from %s): expected a whole number from 0 to %llu", name, value, origin, (unsigned long long)max);
	*out = (int)v;
	return OG_OK;
}
static og_status store_threads(reading *r, const char *value, const char *origin)
{
	return store_count(r, "threads", value, origin, 1024, &r->s->threads);
}
static og_status store_timeout(reading *r, const char *value, const char *origin)
{
	return store_count(r, "timeout", value, origin, 86400, &r->s->timeout_s);
}

/* ---- flags ---------------------------------------------------------------------------------------- */

static const char *flag_home(const onnxgate_options *o)
{
	return o->cache_dir;
}
static const char *flag_hub_cache(const onnxgate_options *o)
{
	return o->hub_cache;
}
static const char *flag_endpoint(const onnxgate_options *o)
{
	return o->endpoint;
}
static const char *flag_token(const onnxgate_options *o)
{
	return o->token;
}
static const char *flag_db(const onnxgate_options *o)
{
	return o->db;
}
static const char *flag_offline(const onnxgate_options *o)
{
	return o->offline ? "true" : NULL;
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const setting_row rows[] = {
	{ "cache_dir", PATH, { "ONNXGATE_HOME" }, flag_home, default_home, store_home },
	{ "hf_home", PATH, { "HF_HOME" }, NULL, default_hf_home, store_hf_home },
	{ "hub_cache", PATH, { "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE" }, flag_hub_cache, default_hub_cache, store_hub_cache },
	{ "endpoint", TEXT, { "HF_ENDPOINT" }, flag_endpoint, default_endpoint, store_endpoint },
	{ "token_path", PATH, { "HF_TOKEN_PATH" }, NULL, default_token_path, store_token_path },
	{ "token", SECRET, { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN" }, flag_token, default_token, store_token },
	{ "db", TEXT, { "ONNXGATE_DB" }, flag_db, default_db, store_db },
	{ "offline", BOOL, { "ONNXGATE_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE" }, flag_offline, default_offline, store_offline },
	{ "threads", COUNT, { "ONNXGATE_THREADS" }, NULL, NULL, store_threads },
	{ "timeout", COUNT, { "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT" }, NULL, NULL, store_timeout },
	{ "runtime_library", PATH, { "ONNXGATE_ORT_LIBRARY" }, NULL, NULL, store_runtime_library },
	{ "runtime_helper", PATH, { "ONNXGATE_RUNTIME_HELPER" }, NULL, NULL, store_runtime_helper },
};

/* ---- reading -------------------------------------------------------------------------------------- */

/* ~ and $VAR, ${VAR} as in the Python client; an unset variable stays as it is written. Then absolute. */
static const char *expand(reading *r, const char *text)
{
	og_auto_buf b;
	og_buf_init(&b, 1u << 16);
	const char *p = text;
	if (p[0] == '~' && (p[1] == '/' || !p[1])) {
		og_buf_str(&b, user_home());
		p++;
	}
	while (*p) {
		size_t brace = p[0] == '$' && p[1] == '{', n = 0;
		const char *name = p + 1 + brace;
		while (*p == '$' && (isalnum((unsigned char)name[n]) || name[n] == '_'))
			n++;
		const char *key = n && (!brace || name[n] == '}') ? og_arena_strndup(r->arena, name, n) : NULL;
		const char *value = key ? getenv(key) : NULL;
		if (value) {
			og_buf_str(&b, value);
			p = name + n + brace;
		} else {
			og_buf_byte(&b, (uint8_t)*p++);
		}
	}
	const char *done = og_buf_cstr(&b);
	og_autofree char *absolute = done ? og_path_absolute(done) : NULL;
	return og_arena_strdup(r->arena, absolute);
}

/* The value of config.json as text; NULL without *st changed: absent or null. */
static const char *from_config(reading *r, const setting_row *row, og_status *st)
{
	og_json *v = og_json_get(r->config, row->name);
	if (!v)
		return NULL;
	json_type want = row->kind == BOOL ? json_type_boolean : row->kind == COUNT ? json_type_int : json_type_string;
	if (!json_object_is_type(v, want)) {
		static const char *const names[] = { "a string", "a string", "a string", "true or false", "a whole number" };
		*st = og_fail(r->err, ONNXGATE_FORMAT, "%s: \"%s\": expected %s, found %s", r->config_path, row->name, names[row->kind],
		              json_type_to_name(json_object_get_type(v)));
		return NULL;
	}
	const char *text = json_object_get_string(v);
	return text && *text ? text : NULL;
}

static const char *choose(reading *r, const setting_row *row, const char **origin, og_status *st)
{
	const char *v = row->flag ? row->flag(r->o) : NULL;
	if (v && *v) {
		*origin = "option";
		return v;
	}
	/* Log-in alone then does not count: only a token that was given with the call. */
	if (row->kind == SECRET && og_setting_true(env("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) {
		*origin = "HF_HUB_DISABLE_IMPLICIT_TOKEN";
		return NULL;
	}
	for (size_t i = 0; i < OG_COUNT(row->env) && row->env[i]; i++)
		if ((v = env(row->env[i]))) {
			*origin = row->env[i];
			return v;
		}
	if ((v = from_config(r, row, st)) || *st != OG_OK) {
		*origin = r->config_path;
		return v;
	}
	*origin = "default";
	return row->fallback ? row->fallback(r, origin) : NULL;
}

static og_status read_row(reading *r, const setting_row *row, og_setting *shown)
{
	const char *origin = "default";
	og_status st = OG_OK;
	const char *value = choose(r, row, &origin, &st);
	if (st != OG_OK)
		return st;
	if (value) {
		value = row->kind == PATH ? expand(r, value) : og_arena_strdup(r->arena, value);
		if (!value)
			return og_fail_nomem(r->err);
		OG_TRY(row->store(r, value, origin));
	}
	const char *text = row->kind == SECRET ? (r->s->token ? "set (not shown)" : NULL) : value;
	if (row->kind == BOOL)
		text = og_setting_true(value) ? "true" : "false";
	*shown = (og_setting){ row->name, text, origin };
	return OG_OK;
}

static og_status warn_unknown(reading *r)
{
	size_t cap = 0;
	if (!r->config)
		return OG_OK;
	json_object_object_foreach(r->config, key, value)
	{
		(void)value;
		bool known = false;
		for (size_t i = 0; i < OG_COUNT(rows); i++)
			known = known || !strcmp(rows[i].name, key);
		if (known)
			continue;
		char shown[80];
		og_str_show(og_str_of(key), shown, sizeof(shown));
		char *line = og_arena_printf(r->arena, "%s: key \"%s\" is not a setting and is ignored", r->config_path, shown);
		if (!line || !og_arena_grow(r->arena, &r->s->warnings, &cap, r->s->nwarnings + 1, sizeof(*r->s->warnings)))
			return og_fail_nomem(r->err);
		r->s->warnings[r->s->nwarnings++] = line;
	}
	return OG_OK;
}

static og_status read_config(reading *r)
{
	r->config_path = xdg(r, "XDG_CONFIG_HOME", ".config", "onnxgate/config.json");
	if (!r->config_path)
		return og_fail_nomem(r->err);
	if (!og_file_exists(r->config_path))
		return OG_OK;
	OG_TRY(og_json_read(r->config_path, OG_CONFIG_BYTES_MAX, &r->config, r->err));
	if (!json_object_is_type(r->config, json_type_object))
		return og_fail(r->err, ONNXGATE_FORMAT, "%s: expected an object of settings, found %s", r->config_path,
		               json_type_to_name(json_object_get_type(r->config)));
	return OG_OK;
}

og_status og_settings_read(const onnxgate_options *o, og_arena *arena, og_settings **out, og_error *err)
{
	og_settings *s = og_arena_alloc(arena, sizeof(*s));
	og_setting *shown = og_arena_array(arena, OG_COUNT(rows), sizeof(*shown));
	if (!s || !shown)
		return og_fail_nomem(err);
	reading r = { .o = o, .arena = arena, .s = s, .err = err };
	og_status st = read_config(&r);
	for (size_t i = 0; st == OG_OK && i < OG_COUNT(rows); i++)
		st = read_row(&r, &rows[i], &shown[i]);
	if (st == OG_OK)
		st = warn_unknown(&r);
	og_json_free(r.config);
	if (st != OG_OK)
		return st;
	if (o->threads > 0) {
		s->threads = o->threads;
		for (size_t i = 0; i < OG_COUNT(rows); i++)
			if (rows[i].store == store_threads)
				shown[i] = (og_setting){ "threads", og_arena_printf(arena, "%d", o->threads), "option" };
	}
	s->rows = shown;
	s->nrows = OG_COUNT(rows);
	*out = s;
	return OG_OK;
}
