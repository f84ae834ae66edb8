/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of heads[] that most families of a kind have, given how the names of their classes begin. */
#ifndef OG_ARCH_HEADS_H
#define OG_ARCH_HEADS_H

#include "arch/arch.h"
#include "blocks/seq2seq.h"
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

#define OG_TEXT2TEXT "text2text-generation"
/* Optimum's files of an encoder with a decoder; with caches the merged decoder stands beside the two that it is made of. */
#define OG_SEQ2SEQ_FILES (const og_file[]){ \
	{ "encoder_model.onnx", "encoder", og_seq2seq_encoder }, { "decoder_model.onnx", "decoder", og_seq2seq_decoder }, { 0 } }
#define OG_SEQ2SEQ_FILES_WITH_PAST_(first, with_past, merged) (const og_file[]){ \
	{ "encoder_model.onnx", "encoder", og_seq2seq_encoder }, { "decoder_model.onnx", "decoder", first }, \
	{ "decoder_with_past_model.onnx", "decoder_with_past", with_past }, { "decoder_model_merged.onnx", "decoder_merged", merged }, { 0 } }
#define OG_SEQ2SEQ_FILES_WITH_PAST \
	OG_SEQ2SEQ_FILES_WITH_PAST_(og_seq2seq_decoder_first, og_seq2seq_decoder_with_past, og_seq2seq_decoder_merged)
#define OG_SEQ2SEQ_FEATURES_WITH_PAST \
	OG_SEQ2SEQ_FILES_WITH_PAST_(og_seq2seq_features_first, og_seq2seq_features_with_past, og_seq2seq_features_merged)

#define OG_SEQ2SEQ_HEADS(base, generates) \
	{ base, OG_TASK_FEATURES, OG_ONE_FILE(og_seq2seq_features) }, \
	{ base, OG_TASK_FEATURES "-with-past", OG_SEQ2SEQ_FEATURES_WITH_PAST }, \
	{ generates, OG_TEXT2TEXT "-with-past", OG_SEQ2SEQ_FILES_WITH_PAST }, \
	{ generates, OG_TEXT2TEXT, OG_SEQ2SEQ_FILES }

#endif
