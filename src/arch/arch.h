/* SPDX-License-Identifier: Apache-2.0
 *
 * What an architecture file yields: the keys of its config, and for each class of model a head that describes its files.
 * A new architecture is one file and one line in list.h. */
#ifndef OG_ARCH_ARCH_H
#define OG_ARCH_ARCH_H

#include "blocks/blocks.h"

/* Rows of fields[] of a family that encodes, and of which a config may say that it also decodes. */
#define OG_ONLY_ENCODES OG_ONLY("is_decoder", "false"), OG_ONLY("add_cross_attention", "false"), OG_ONLY("is_encoder_decoder", "false")

#define OG_TASK_FEATURES "feature-extraction" /* the one task that needs no head weights: every checkpoint of the family has it */

/* family: the architecture's own, below. A description that one architecture has for itself need not look at it. */
typedef void (*og_describe_fn)(og_build *b, const void *config, const void *family);

typedef struct og_file {
	const char *name, *role; /* "model.onnx", "model" */
	og_describe_fn describe;
} og_file;

/* The same model in other files, for who asks: the name is that of the option without its dashes ("split", "with-mask"). */
typedef struct og_variant {
	const char *name;
	const og_file *files;
} og_variant;

typedef struct og_head {
	const char *class_name, *task;
	const og_file *files; /* ends with {0} */
	const og_variant *variants; /* NULL: none; ends with {0} */
} og_head;

#define OG_ONE_FILE(fn) (const og_file[]){ { "model.onnx", "model", fn }, { 0 } }
/* The two encoders of a model that compares texts and images, by the names of transformers.js. */
#define OG_SPLIT_FILES(text_fn, image_fn) \
	(const og_file[]){ { "text_model.onnx", "text_model", text_fn }, { "vision_model.onnx", "vision_model", image_fn }, { 0 } }

typedef struct og_arch {
	const char *model_type, *base_prefix;
	int revision; /* raise it when what is emitted changes: cached conversions are then made anew */
	size_t config_size;
	const void *family;      /* what the descriptions that families share ask of this one (blocks/text.h: an og_text) */
	const og_field *fields;  /* ends with {0} */
	const og_inert *inert;   /* keys that are inert here; ends with {0} */
	const og_head *heads;    /* ends with {0} */
	const og_ignore *ignore; /* tensors that nothing uses, and why; ends with {0} */
	const char *const *marks; /* tensors of the base model that tell the family, below the base prefix, the most telling one last; ends with NULL */
	/* Where made-up inputs must know more than og_config_facts() reads off the keys that every family spells alike; NULL: they need not. */
	void (*facts)(const void *config, const char *task, og_input_facts *f);
	const char *like; /* model_type of a family with the same names of tensors, which is meant when a config does not say; NULL: none */
	const char *sisters; /* families with the same bare names that number positions from behind the pad token, for a message; NULL: none */
} og_arch;

const og_arch *og_arch_find(const char *model_type); /* NULL: not done */
const og_arch *const *og_arch_all(size_t *n);

#endif
