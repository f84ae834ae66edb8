/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings: a flag, else the environment, else $XDG_CONFIG_HOME/onnxgate/config.json, else the default; each
 * keeps where it came from, which doctor prints. */
#ifndef OG_JOB_SETTINGS_H
#define OG_JOB_SETTINGS_H

#include "base/arena.h"

typedef struct og_setting {
	const char *name;   /* as in config.json */
	const char *value;  /* as text, a token masked; NULL: none */
	const char *origin; /* "option", "HF_HOME", "/home/x/.config/onnxgate/config.json", "default", … */
} og_setting;

typedef struct og_settings {
	const char *home;      /* conversions and the database */
	const char *hf_home;   /* what the Hub's own client calls its home */
	const char *hub_cache; /* the Hub's cache */
	const char *endpoint;
	const char *token; /* NULL: none */
	const char *db;    /* URL or path */
	const char *runtime_library, *runtime_helper; /* NULL: search */
	bool offline;
	int threads;   /* 0: as many as the machine has */
	int timeout_s; /* 0: the Hub client's default */
	og_setting *rows;
	size_t nrows;
	const char **warnings; /* keys of config.json that mean nothing */
	size_t nwarnings;
} og_settings;

/* Everything lives in the arena. INVALID or FORMAT: a value that cannot be meant. */
og_status og_settings_read(const onnxgate_options *o, og_arena *arena, og_settings **out, og_error *err) OG_MUST;

/* The Hub client's idea of true: 1, ON, YES, TRUE in any case. */
bool og_setting_true(const char *text);

#endif
