/* SPDX-License-Identifier: Apache-2.0
 *
 * Every ceiling on what comes from outside, in one list, each with its reason. */
#ifndef OG_BASE_LIMITS_H
#define OG_BASE_LIMITS_H

#define OG_RANK_MAX 16                          /* dims of one tensor; ONNX Runtime and PyTorch models stay below 8 */
#define OG_NAME_MAX 1024                        /* bytes of a tensor's, node's or file's name; the longest seen is about 150 */
#define OG_CONFIG_BYTES_MAX (16u << 20)         /* config.json: some carry 20,000 labels, about 1 MB */
#define OG_JSON_DEPTH_MAX 64                    /* nesting of any JSON document that we read whole */
#define OG_JSON_BYTES_MAX (64u << 20)           /* Hub listings and manifests */
#define OG_SAFETENSORS_HEADER_MAX 100000000u     /* the reference reader's own rule */
#define OG_SAFETENSORS_TENSORS_MAX 1000000      /* tensors of one file */
#define OG_SAFETENSORS_EMPTY_MAX 65536           /* of them without elements, which cost a file nothing */
#define OG_SAFETENSORS_METADATA_MAX (16u << 20) /* keys and values of its __metadata__: trainers put whole tag statistics there, a few MB */
#define OG_ZIP_ENTRIES_MAX 250000               /* of one archive; a checkpoint has one a storage: some thousands */
#define OG_ZIP_DIRECTORY_MAX (24u << 20)        /* bytes of a central directory: those entries at 96 bytes each, and about 50 MB of memory */
#define OG_ZIP_INFLATED_FREE ((uint64_t)64 << 20) /* unpacked bytes of one archive that need no justification … */
#define OG_ZIP_INFLATED_RATIO 20                /* … and beyond that, how many times the archive's size they may be: weights hardly shrink */
#define OG_PICKLE_BYTES_MAX (256u << 20)        /* of one pickle; 100,000 tensors take about 20 MB */
#define OG_PICKLE_STACK_MAX 1000000             /* values on the machine's stack: one batch of SETITEMS is 2,000 */
#define OG_PICKLE_MEMO_MAX 4000000              /* entries of its memo; a tensor takes about 10 */
#define OG_PICKLE_MEMORY_MAX (256u << 20)       /* what the values of one pickle may take */
#define OG_PICKLE_MEMORY_FREE (32u << 20)       /* of which this needs no justification … */
#define OG_PICKLE_MEMORY_RATIO 8                /* … and beyond that, bytes for each byte read: tensors take 5, a bomb of empty lists 16 */
#define OG_PICKLE_TEXT_MAX (16u << 20)          /* of one string or bytes object */
#define OG_TORCH_DEPTH_MAX 64                   /* nesting of containers, modules and objects */
#define OG_TORCH_NODES_MAX 4000000              /* values of containers that are looked at, each as often as it is reached: a list of lists of one list */
#define OG_TORCH_NODES_FREE 100000              /* … which are at most this many … */
#define OG_TORCH_NODES_BYTE 4                   /* … and so many for a byte of the pickle: a value takes one, and is looked at three times */
#define OG_TORCH_TENSORS_MAX OG_SAFETENSORS_TENSORS_MAX
#define OG_TORCH_TENSOR_BYTES 32                /* of its pickle per tensor: name and numbers take at least 60; a reference to one takes 2 */
#define OG_TORCH_TENSOR_PACKED 4                /* of its file per tensor, where the pickle is deflated: about 10 */
#define OG_TORCH_TENSORS_FREE 1000              /* … below which neither is asked */
#define OG_TORCH_NAMES_FREE (4u << 20)          /* bytes of all names of a file, each with the path to it, that need no justification … */
#define OG_TORCH_NAMES_RATIO 4                  /* … and beyond that, for each byte of the file: a tensor takes over 100 and its name about 50 */
#define OG_TORCH_FLAGS_MAX 16                   /* of one tensor (conj, neg): they are looked through for each tensor that has them */
#define OG_TORCH_EXPANDED_MAX ((uint64_t)1 << 30) /* how much larger than the file a tensor with strides of 0 may be, written out */
#define OG_SHARDS_MAX 10000                     /* files of one checkpoint; huggingface.js has the same */
#define OG_DIM_MAX ((int64_t)1 << 40)           /* one dim of a tensor */
#define OG_ONNX_BYTES_MAX ((uint64_t)2 << 30)   /* a protobuf message cannot be larger */
#define OG_ONNX_NODES_MAX 1000000               /* nodes of one file, subgraphs included */
#define OG_ONNX_DEPTH_MAX 32                    /* nesting of subgraphs, and of protobuf groups */
#define OG_ONNX_MEMORY_MAX (256u << 20)         /* what the parsed messages of one file may take; 100,000 nodes take about 100 MB */
#define OG_ONNX_OPSETS_MAX 256                  /* opset imports of a model or function; 6 is much */
#define OG_ONNX_PORTS_MAX 65536                 /* inputs, outputs or attributes of one node; a Concat of a few thousand was seen */
#define OG_ONNX_KEPT_BYTES 512                  /* raw data of a tensor up to this is kept when a file is read: shapes, axes, scalars */
#define OG_ONNX_KEPT_VALUES 64                  /* the same for its typed fields, in elements */
#define OG_MODULES_MAX 64                       /* of modules.json; 2 to 4 is usual */
#define OG_HEAD_MAX 65536                       /* elements of a head that turn by position, each with its frequency; 256 is much */
#define OG_BUCKET_REACH_MAX 65536               /* the farthest distance that has a bucket of its own: a table is as long; 128 is usual */
#define OG_LAYERS_MAX 4096                      /* num_hidden_layers and its like */
#define OG_LIST_MAX 32                          /* numbers of a list in config.json: convolutions one after the other; 7 is usual */
#define OG_SAMPLES_MAX (1 << 20)                  /* of one clip that is made up: a minute at 16 kHz; real files need less than a second */
#define OG_HUB_FILES_MAX 1000000                /* files of one repository */
#define OG_HTTP_HEADER_MAX (256u << 10)         /* headers of one answer */
#define OG_HTTP_BODY_MAX OG_JSON_BYTES_MAX      /* an answer that is not a file */
#define OG_HTTP_REDIRECTS_MAX 8                 /* hops of one request */
#define OG_MANIFEST_ROWS_MAX 100000             /* files, checks, timings or notes of one conversion; BERT has about 30 */
#define OG_DOCUMENT_BYTES_MAX (1u << 30)         /* JSON that we write: a million tensors take about 250 MB */
#define OG_QUERY_ROWS_MAX 1000000               /* rows of a database query, which are held in memory */
#define OG_QUERY_BYTES_MAX ((uint64_t)256 << 20) /* and their text */

#endif
