/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of OrtApi that we call, by their position in the struct.  OrtApi only ever grows at its end, so a
 * position is the ABI: this list works with every ONNX Runtime from 1.17 on, without its header.
 * F(position, name, result, parameters) */
#ifndef OG_HELPER_ORT_FUNCTIONS_H
#define OG_HELPER_ORT_FUNCTIONS_H

#define OG_ORT_API_VERSION 17u /* of 1.17; positions up to 280 exist in it */

#define OG_ORT_FUNCTIONS(F)                                                                                            \
	F(1, GetErrorCode, int, (const OrtStatus *))                                                                       \
	F(2, GetErrorMessage, const char *, (const OrtStatus *))                                                           \
	F(4, CreateEnvWithCustomLogger, OrtStatus *, (OrtLogFunction, void *, int, const char *, OrtEnv **))               \
	F(6, DisableTelemetryEvents, OrtStatus *, (const OrtEnv *))                                                        \
	F(7, CreateSession, OrtStatus *, (const OrtEnv *, const char *, const OrtSessionOptions *, OrtSession **))         \
	F(9, Run, OrtStatus *,                                                                                             \
	  (OrtSession *, const OrtRunOptions *, const char *const *, const OrtValue *const *, size_t, const char *const *, \
	   size_t, OrtValue **))                                                                                           \
	F(10, CreateSessionOptions, OrtStatus *, (OrtSessionOptions **))                                                   \
	F(22, SetSessionLogSeverityLevel, OrtStatus *, (OrtSessionOptions *, int))                                         \
	F(23, SetSessionGraphOptimizationLevel, OrtStatus *, (OrtSessionOptions *, int))                                   \
	F(24, SetIntraOpNumThreads, OrtStatus *, (OrtSessionOptions *, int))                                               \
	F(30, SessionGetInputCount, OrtStatus *, (const OrtSession *, size_t *))                                           \
	F(31, SessionGetOutputCount, OrtStatus *, (const OrtSession *, size_t *))                                          \
	F(33, SessionGetInputTypeInfo, OrtStatus *, (const OrtSession *, size_t, OrtTypeInfo **))                          \
	F(34, SessionGetOutputTypeInfo, OrtStatus *, (const OrtSession *, size_t, OrtTypeInfo **))                         \
	F(36, SessionGetInputName, OrtStatus *, (const OrtSession *, size_t, OrtAllocator *, char **))                     \
	F(37, SessionGetOutputName, OrtStatus *, (const OrtSession *, size_t, OrtAllocator *, char **))                    \
	F(49, CreateTensorWithDataAsOrtValue, OrtStatus *,                                                                 \
	  (const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int, OrtValue **))                              \
	F(50, IsTensor, OrtStatus *, (const OrtValue *, int *))                                                            \
	F(51, GetTensorMutableData, OrtStatus *, (OrtValue *, void **))                                                    \
	F(55, CastTypeInfoToTensorInfo, OrtStatus *, (const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **))            \
	F(56, GetOnnxTypeFromTypeInfo, OrtStatus *, (const OrtTypeInfo *, int *))                                          \
	F(60, GetTensorElementType, OrtStatus *, (const OrtTensorTypeAndShapeInfo *, int *))                               \
	F(61, GetDimensionsCount, OrtStatus *, (const OrtTensorTypeAndShapeInfo *, size_t *))                              \
	F(62, GetDimensions, OrtStatus *, (const OrtTensorTypeAndShapeInfo *, int64_t *, size_t))                          \
	F(63, GetSymbolicDimensions, OrtStatus *, (const OrtTensorTypeAndShapeInfo *, const char **, size_t))              \
	F(65, GetTensorTypeAndShape, OrtStatus *, (const OrtValue *, OrtTensorTypeAndShapeInfo **))                        \
	F(69, CreateCpuMemoryInfo, OrtStatus *, (int, int, OrtMemoryInfo **))                                              \
	F(76, AllocatorFree, OrtStatus *, (OrtAllocator *, void *))                                                        \
	F(78, GetAllocatorWithDefaultOptions, OrtStatus *, (OrtAllocator **))                                              \
	F(92, ReleaseEnv, void, (OrtEnv *))                                                                                \
	F(93, ReleaseStatus, void, (OrtStatus *))                                                                          \
	F(94, ReleaseMemoryInfo, void, (OrtMemoryInfo *))                                                                  \
	F(95, ReleaseSession, void, (OrtSession *))                                                                        \
	F(96, ReleaseValue, void, (OrtValue *))                                                                            \
	F(98, ReleaseTypeInfo, void, (OrtTypeInfo *))                                                                      \
	F(99, ReleaseTensorTypeAndShapeInfo, void, (OrtTensorTypeAndShapeInfo *))                                          \
	F(100, ReleaseSessionOptions, void, (OrtSessionOptions *))                                                         \
	F(125, GetAvailableProviders, OrtStatus *, (char ***, int *))                                                      \
	F(126, ReleaseAvailableProviders, OrtStatus *, (char **, int))                                                     \
	F(130, AddSessionConfigEntry, OrtStatus *, (OrtSessionOptions *, const char *, const char *))                      \
	F(204, SessionOptionsAppendExecutionProvider_CUDA_V2, OrtStatus *, (OrtSessionOptions *, const OrtCUDAProviderOptionsV2 *)) \
	F(205, CreateCUDAProviderOptions, OrtStatus *, (OrtCUDAProviderOptionsV2 **))                                      \
	F(208, ReleaseCUDAProviderOptions, void, (OrtCUDAProviderOptionsV2 *))                                             \
	F(216, SessionOptionsAppendExecutionProvider, OrtStatus *,                                                         \
	  (OrtSessionOptions *, const char *, const char *const *, const char *const *, size_t))

#endif
