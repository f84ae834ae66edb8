/* SPDX-License-Identifier: Apache-2.0
 *
 * The files beside the weights that an export folder keeps: what Optimum writes, the licence and the README. */
#include "convert/convert.h"

#include "base/str.h"

static const struct companion {
	const char *pattern, *role;
} companions[] = {
	{ "config.json", "config" },
	{ "generation_config.json", "generation_config" },
	{ "tokenizer.json", "tokenizer" },
	{ "tokenizer_config.json", "tokenizer" },
	{ "special_tokens_map.json", "tokenizer" },
	{ "added_tokens.json", "tokenizer" },
	{ "vocab.txt", "tokenizer" },
	{ "vocab.json", "tokenizer" },
	{ "merges.txt", "tokenizer" },
	{ "spiece.model", "tokenizer" },
	{ "sentencepiece.bpe.model", "tokenizer" },
	{ "tokenizer.model", "tokenizer" },
	{ "chat_template.jinja", "tokenizer" },
	{ "chat_template.json", "tokenizer" },
	{ "preprocessor_config.json", "preprocessor" },
	{ "processor_config.json", "preprocessor" },
	{ "README.md", "readme" },
	{ "LICENSE*", "license" },
	{ "LICENCE*", "license" },
	{ "NOTICE*", "license" },
};

static const struct companion *find(const char *name)
{
	for (size_t i = 0; i < OG_COUNT(companions); i++)
		if (!strchr(name, '/') && og_glob(companions[i].pattern, name))
			return &companions[i];
	return NULL;
}

/* modules.json is wanted to know a sentence-transformers model, but is not copied: the modules are in the file, and Optimum leaves it out. */
bool og_convert_wants(const char *name)
{
	return find(name) || og_streq(name, "modules.json") || og_streq(name, "adapter_config.json");
}

const char *og_convert_role(const char *name)
{
	const struct companion *c = find(name);
	return c ? c->role : og_ends_with(name, ".onnx_data") ? "data" : og_ends_with(name, ".onnx") ? "model" : NULL;
}
