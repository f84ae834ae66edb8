/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Hub says about a repository: the first byte chooses the answer (model info, a page of a tree, a Link header, a
 * refusal, a name). Whatever is taken in must be a listing that may be used: safe names, sorted, once each, true digests. */
#include <stdlib.h>

#include "base/path.h"
#include "hub/hub_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
	if (!ok)
		abort();
}

static void said_why(og_status s, const og_error *err)
{
	demand(s == OG_OK || (err->status == s && err->message[0] && !strchr(err->message, '\n')));
}

static void listing(const og_json *j, bool tree, og_arena *a)
{
	og_hub_repo r = { .repo_id = "o/n", .revision = "main" };
	og_error err = { 0 };
	size_t cap = 0;
	bool complete;
	og_status s = tree ? og_hub_read_page(j, &r, &cap, a, &err) : og_hub_read_info(j, &r, a, &complete, &err);
	if (s == OG_OK)
		s = og_hub_check_files("fuzz", r.files, r.nfiles, &err);
	said_why(s, &err);
	for (size_t i = 0; s == OG_OK && i < r.nfiles; i++) {
		const og_hub_file *f = &r.files[i];
		demand(og_path_safe(f->path) && f->size <= OG_HUB_FILE_MAX && f->blob_id && og_is_hex(f->blob_id, 40));
		demand(!f->sha256 || og_is_hex(f->sha256, 64));
		demand(!i || strcmp(r.files[i - 1].path, f->path) < 0);
		demand(og_hub_repo_find(&r, f->path) == f);
	}
}

static void refusal(const char *text, og_arena *a)
{
	static const char *const codes[] = { NULL, "RevisionNotFound", "EntryNotFound", "GatedRepo", "RepoNotFound" };
	char url[] = "http://h", token[] = "t";
	const og_hub h = { .endpoint = url, .token = text[0] & 1 ? token : NULL };
	og_http_answer answer = { .status = 400 + (unsigned char)text[0] % 200, .url = url, .from_hub = text[0] & 2, .tries = 1 };
	og_error err = { 0 };

	answer.header[OG_H_ERROR_CODE] = og_arena_strdup(a, codes[(unsigned char)text[0] % OG_COUNT(codes)]);
	answer.header[OG_H_RETRY_AFTER] = og_arena_strdup(a, text + 1);
	og_buf_init(&answer.body, SIZE_MAX);
	og_buf_str(&answer.body, text + 1);
	og_status s = og_hub_refusal(&h, "o/n", "main", NULL, &answer, &err);
	demand(s != OG_OK);
	said_why(s, &err);
	demand(og_http_wait_asked(&answer, 100) >= -1);
	og_buf_done(&answer.body);
}

static void name(const char *text, og_arena *a)
{
	const char *id, *revision;
	og_error err = { 0 };
	og_status s = og_hub_parse_id(text, a, &id, &revision, &err);

	said_why(s, &err);
	if (s == OG_OK)
		demand(og_path_safe(id) && og_path_safe(revision) && strlen(id) + strlen(revision) + 1 >= strlen(text) && og_hub_quote(a, revision, false));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	og_auto(og_arena) *a = og_arena_new();
	og_auto(og_json) *j = NULL;
	const char *text = a && size ? og_arena_strndup(a, (const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	if (data[0] == 'i' || data[0] == 't') {
		if (og_json_parse("fuzz", data + 1, size - 1, &j, NULL) == OG_OK)
			listing(j, data[0] == 't', a);
	} else if (data[0] == 'l') {
		const char *next = og_hub_next_page(a, text);
		demand(!next || strstr(text, next));
	} else if (data[0] == 'r') {
		refusal(text, a);
	} else {
		name(text, a);
	}
	return 0;
}
