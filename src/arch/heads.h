/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of heads[] that most families of a kind have, given how the names of their classes begin. */
#ifndef OG_ARCH_HEADS_H
#define OG_ARCH_HEADS_H

#include "arch/arch.h"
#include "blocks/text.h"
#include "blocks/vision.h"

#define OG_TEXT_HEADS(stem) \
	{ stem "Model", OG_TASK_FEATURES, OG_ONE_FILE(og_text_features) }, \
	{ stem "ForMaskedLM", "fill-mask", OG_ONE_FILE(og_text_fill_mask) }, \
	{ stem "ForSequenceClassification", "text-classification", OG_ONE_FILE(og_text_classification) }, \
	{ stem "ForTokenClassification", "token-classification", OG_ONE_FILE(og_text_token_classification) }, \
	{ stem "ForQuestionAnswering", "question-answering", OG_ONE_FILE(og_text_question_answering) }, \
	{ stem "ForMultipleChoice", "multiple-choice", OG_ONE_FILE(og_text_multiple_choice) }

#define OG_VISION_HEADS(stem) \
	{ stem "Model", OG_TASK_FEATURES, OG_ONE_FILE(og_vision_features) }, \
	{ stem "ForImageClassification", "image-classification", OG_ONE_FILE(og_vision_classification) }, \
	{ stem "ForMaskedImageModeling", "masked-im", OG_ONE_FILE(og_vision_reconstruction) }

#endif
