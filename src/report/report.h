/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents that we print, from plain result structs alone. Each JSON has a schema in schemas/.
 * Text is yours (og_free); NULL: no memory. */
#ifndef OG_REPORT_REPORT_H
#define OG_REPORT_REPORT_H

#include "codec/rows.h" /* og_verdict_name() and its kin */

char *og_report_result(const onnxgate_result *r); /* "onnxgate.verify/1", "onnxgate.convert/1", "onnxgate.check/1" */
char *og_report_inspection(const onnxgate_inspection *r, bool tensors);
char *og_report_bench(const onnxgate_bench_result *r);
char *og_report_table(const onnxgate_table *t);

#endif
