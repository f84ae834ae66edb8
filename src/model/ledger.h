/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: accounts for every tensor of a checkpoint, once for the whole export.
 *
 *   tensor:  claimed | tied (bytes equal to its source, else an error) | ignored (why) | unexpected
 *   claim:   found | missing | wrong shape | wrong dtype
 *
 * Names are compared without what a training wrapper puts before all of them ("module."), and in their modern spelling.
 * All faults are listed at once; a missing name is paired with the nearest unexpected one. */
#ifndef OG_MODEL_LEDGER_H
#define OG_MODEL_LEDGER_H

#include "model/checkpoint.h"
#include "model/config.h"

typedef struct og_ledger og_ledger;

typedef struct og_ignore { /* a tensor that nothing uses, and the rule that allows it */
	const char *pattern, *why;
	bool unless_used; /* no such rule where the description claims something that it covers: the rest is then not of another task */
} og_ignore;

/* checkpoint NULL: every claim is found, and og_ledger_claims() tells what was asked for.
 * base_prefix: "bert": a scope of that name is empty when the checkpoint was saved without it (the base model alone).
 * fields, config (may be NULL): to name the config key that asks for a dim. All are borrowed. */
og_status og_ledger_new(og_arena *arena, const og_checkpoint *checkpoint, const char *base_prefix, const og_field *fields, const void *config,
	og_ledger **out, og_error *err) OG_MUST;

/* The name of a weight scope as this checkpoint has it: base_prefix itself, or "". Others unchanged. */
const char *og_ledger_scope(const og_ledger *l, const char *scope);

/* Is there such a tensor? Without a checkpoint nothing is. */
bool og_ledger_holds(const og_ledger *l, const char *name);
bool og_ledger_prefixed(const og_ledger *l); /* do names begin with the base prefix? Without a checkpoint: yes */
/* Does the checkpoint hold all of these? marks: names of the base model, below its prefix; ends with NULL. */
bool og_ledger_knows(const og_ledger *l, const char *const *marks);
/* Only the base model is taken: what a checkpoint with its prefix holds outside it is ignored, for this reason. As
 * from_pretrained does when a base class reads the checkpoint of a class with a head. */
void og_ledger_base_only(og_ledger *l, const char *why);

/* name: absolute. The tensor, or NULL: a fault was noted, and the description may go on. */
const og_tensor *og_ledger_claim(og_ledger *l, const char *name, const int64_t *dims, int rank, og_error *err);
/* Declare before the claims: a claim of either name is then one of the source, found under whichever name the checkpoint has.
 * Both names are borrowed; false: no memory. */
bool og_ledger_tie(og_ledger *l, const char *alias, const char *source);
const char *og_ledger_resolve(const og_ledger *l, const char *name); /* the source of an alias, else the name */

typedef struct og_ledger_report {
	size_t claimed, tied, ignored, unexpected;
	const char **notes; /* one line per ignored or (allowed) unexpected group, with the rule; a wrapper that was taken off */
	size_t nnotes;
} og_ledger_report;
/* CONVERSION for missing or unexpected tensors, MISMATCH for shapes and for tied weights that differ. */
og_status og_ledger_check(og_ledger *l, const og_ignore *ignore, bool allow_unexpected, og_ledger_report *out, og_error *err) OG_MUST;

typedef struct og_claim {
	const char *name;
	int rank;
	int64_t dims[OG_RANK_MAX];
	const og_tensor *tensor;
	bool missing, wrong;
} og_claim;
const og_claim *og_ledger_claims(const og_ledger *l, size_t *n); /* in the order in which they were made */

#endif
