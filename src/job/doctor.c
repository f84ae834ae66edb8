/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor: every setting with its origin, and whether what they name can be used.  It changes nothing: a folder
 * that does not exist yet is judged by the folder above it. */
#include "job/job.h"

#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/table.h"

#include <curl/curlver.h>
#include <dlfcn.h>
#include <json-c/json.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <unistd.h>

typedef struct findings {
	onnxgate_table *t;
	og_arena *arena;
	og_error *err;
	og_status st;
} findings;

static void row(findings *f, const char *item, const char *state, const char *value, const char *detail)
{
	const char *cells[] = { item, state, value, detail };
	if (f->st == OG_OK)
		f->st = og_table_row(f->t, cells, f->err);
}

static void settings(findings *f, const og_settings *s)
{
	for (size_t i = 0; i < s->nrows; i++)
		row(f, og_arena_printf(f->arena, "setting %s", s->rows[i].name), "ok", s->rows[i].value, s->rows[i].origin);
	for (size_t i = 0; i < s->nwarnings; i++)
		row(f, "configuration file", "warning", NULL, s->warnings[i]);
}

/* Writable, or could be made: the nearest folder above it that exists decides. */
static void folder(findings *f, const char *item, const char *path)
{
	og_autofree char *at = og_strdup(path);
	while (at && !og_file_exists(at)) {
		char *up = og_path_dir(at);
		og_free(at);
		at = up;
	}
	bool there = og_streq(at, path);
	if (!at || access(at, W_OK | X_OK))
		row(f, item, "problem", path, og_arena_printf(f->arena, "%s cannot be written by this user", at ? at : "/"));
	else if (!og_dir_exists(at))
		row(f, item, "problem", path, og_arena_printf(f->arena, "%s is not a folder", at));
	else
		row(f, item, "ok", path, there ? "can be written" : "will be made on first use");
}

/* A database that exists is opened; one that does not is not made for the sake of asking. */
static void database(findings *f, onnxgate *g)
{
	const char *url = g->set->db;
	const char *path = og_starts_with(url, "sqlite:") ? url + 7 : url;
	og_record *rec = NULL;
	og_error e = { 0 };
	if (!strstr(path, "://") && !og_file_exists(path)) {
		og_autofree char *dir = og_path_dir(path);
		folder(f, "database", dir ? dir : path);
		return;
	}
	if (og_gate_record(g, &rec, &e) == OG_OK)
		row(f, "database", "ok", url, og_record_read_only(rec) ? og_record_read_only(rec) : "opens, can be written");
	else
		row(f, "database", "problem", url, og_arena_strdup(f->arena, e.message));
}

static void runtime(findings *f, onnxgate *g)
{
	og_auto(og_runtime) *rt = NULL;
	og_error e = { 0 };
	og_runtime_options o = { .helper = g->set->runtime_helper, .library = g->set->runtime_library };
	og_status st = og_runtime_open(&o, &g->ctx, &rt, &e);
	if (st != OG_OK) {
		row(f, "runtime", "missing", NULL, og_arena_strdup(f->arena, e.message));
		if (e.hint[0])
			row(f, "runtime hint", "hint", NULL, og_arena_strdup(f->arena, e.hint));
		return;
	}
	row(f, "runtime", "ok", og_arena_strdup(f->arena, og_runtime_version(rt)), og_arena_strdup(f->arena, og_runtime_library(rt)));
	row(f, "runtime providers", "ok", og_arena_strdup(f->arena, og_runtime_providers(rt)), NULL);
}

/* Loaded on first use by the Hub's client; here only to tell whether it could be. */
static void curl(findings *f)
{
	static const char *const names[] = { "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so" };
	for (size_t i = 0; i < OG_COUNT(names); i++) {
		void *lib = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
		char *(*version)(void) = NULL;
		void *found = lib ? dlsym(lib, "curl_version") : NULL;
		if (!found)
			continue;
		memcpy(&version, &found, sizeof(version));
		row(f, "libcurl", "ok", og_arena_strndup(f->arena, version(), strcspn(version(), " ")),
		    og_arena_printf(f->arena, "%s, built for %s", names[i], LIBCURL_VERSION));
		return; /* stays loaded: it does not like to be unloaded */
	}
	row(f, "libcurl", "missing", NULL, "libcurl.so.4 cannot be loaded: only --offline works; install the package libcurl4");
}

static void machine(findings *f)
{
	struct utsname u;
	og_auto_buf b;
	og_buf_init(&b, 1u << 20);
	const char *model = NULL;
	if (og_file_read("/proc/cpuinfo", 1u << 20, &b, NULL) == OG_OK) {
		const char *text = og_buf_cstr(&b), *at = text ? strstr(text, "model name") : NULL;
		at = at ? strchr(at, ':') : NULL;
		if (at && at[1])
			model = og_arena_strndup(f->arena, at + 2, strcspn(at + 2, "\n"));
	}
	row(f, "cpu", "ok", model ? model : "?", og_arena_printf(f->arena, "%d may be used", og_cpu_count()));
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
	if (pages > 0 && size > 0)
		row(f, "memory", "ok", og_arena_printf(f->arena, "%.1f GB", (double)pages * (double)size / 1e9), NULL);
	if (!uname(&u))
		row(f, "system", "ok", og_arena_printf(f->arena, "%s %s %s", u.sysname, u.release, u.machine), NULL);
}

og_status og_job_doctor(onnxgate *g, onnxgate_table **out, og_error *err)
{
	static const char *const columns[] = { "item", "state", "value", "detail" };
	og_auto(og_arena) *arena = og_arena_new();
	og_auto_table *t = NULL;
	if (!arena)
		return og_fail_nomem(err);
	OG_TRY(og_table_new("doctor", columns, OG_COUNT(columns), &t, err));
	findings f = { .t = t, .arena = arena, .err = err };
	row(&f, "onnxgate", "ok", ONNXGATE_VERSION, NULL);
	settings(&f, g->set);
	runtime(&f, g);
	curl(&f);
	row(&f, "libcrypto", "ok", OpenSSL_version(OPENSSL_VERSION), NULL);
	row(&f, "sqlite", "ok", sqlite3_libversion(), NULL);
	row(&f, "json-c", "ok", json_c_version(), NULL);
	folder(&f, "conversions", g->set->home);
	folder(&f, "hub cache", g->set->hub_cache);
	database(&f, g);
	machine(&f);
	if (f.st == OG_OK)
		*out = og_steal(&t);
	return f.st;
}
