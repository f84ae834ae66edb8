/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that a checkpoint's pickle may use.  It is what torch.load(weights_only=True) allows, as far as it stands for data: nothing
 * here is ever called, a name only tells how to read what comes with it.  Of everything else not even the name may occur. */
#include <stdio.h>
#include <stdlib.h>

#include "format/torch.h"

#define QUANTISED "a quantised type"
#define ODD "a type that has no counterpart here"

/* Sorted bytewise. */
static const og_torch_global globals[] = {
	{ "__builtin__ bool", OG_TORCH_LEAF },
	{ "__builtin__ bytearray", OG_TORCH_LEAF },
	{ "__builtin__ bytes", OG_TORCH_LEAF },
	{ "__builtin__ complex", OG_TORCH_LEAF },
	{ "__builtin__ dict", OG_TORCH_DICT },
	{ "__builtin__ float", OG_TORCH_LEAF },
	{ "__builtin__ frozenset", OG_TORCH_LIST },
	{ "__builtin__ int", OG_TORCH_LEAF },
	{ "__builtin__ list", OG_TORCH_LIST },
	{ "__builtin__ set", OG_TORCH_LIST },
	{ "__builtin__ slice", OG_TORCH_LEAF },
	{ "__builtin__ str", OG_TORCH_LEAF },
	{ "__builtin__ tuple", OG_TORCH_LIST },
	{ "_codecs encode", OG_TORCH_LEAF },
	{ "builtins bool", OG_TORCH_LEAF },
	{ "builtins bytearray", OG_TORCH_LEAF },
	{ "builtins bytes", OG_TORCH_LEAF },
	{ "builtins complex", OG_TORCH_LEAF },
	{ "builtins dict", OG_TORCH_DICT },
	{ "builtins float", OG_TORCH_LEAF },
	{ "builtins frozenset", OG_TORCH_LIST },
	{ "builtins int", OG_TORCH_LEAF },
	{ "builtins list", OG_TORCH_LIST },
	{ "builtins set", OG_TORCH_LIST },
	{ "builtins slice", OG_TORCH_LEAF },
	{ "builtins str", OG_TORCH_LEAF },
	{ "builtins tuple", OG_TORCH_LIST },
	{ "collections Counter", OG_TORCH_DICT },
	{ "collections OrderedDict", OG_TORCH_DICT },
	{ "collections defaultdict", OG_TORCH_DICT },
	{ "torch BFloat16Storage", OG_TORCH_STORAGE, OG_BF16 },
	{ "torch BFloat16Tensor", OG_TORCH_TYPE },
	{ "torch BoolStorage", OG_TORCH_STORAGE, OG_BOOL },
	{ "torch BoolTensor", OG_TORCH_TYPE },
	{ "torch ByteStorage", OG_TORCH_STORAGE, OG_U8 },
	{ "torch ByteTensor", OG_TORCH_TYPE },
	{ "torch CharStorage", OG_TORCH_STORAGE, OG_I8 },
	{ "torch CharTensor", OG_TORCH_TYPE },
	{ "torch ComplexDoubleStorage", OG_TORCH_STORAGE, OG_C128 },
	{ "torch ComplexFloatStorage", OG_TORCH_STORAGE, OG_C64 },
	{ "torch DoubleStorage", OG_TORCH_STORAGE, OG_F64 },
	{ "torch DoubleTensor", OG_TORCH_TYPE },
	{ "torch FloatStorage", OG_TORCH_STORAGE, OG_F32 },
	{ "torch FloatTensor", OG_TORCH_TYPE },
	{ "torch HalfStorage", OG_TORCH_STORAGE, OG_F16 },
	{ "torch HalfTensor", OG_TORCH_TYPE },
	{ "torch IntStorage", OG_TORCH_STORAGE, OG_I32 },
	{ "torch IntTensor", OG_TORCH_TYPE },
	{ "torch LongStorage", OG_TORCH_STORAGE, OG_I64 },
	{ "torch LongTensor", OG_TORCH_TYPE },
	{ "torch QInt32Storage", OG_TORCH_STORAGE, OG_DTYPE_NONE, QUANTISED },
	{ "torch QInt8Storage", OG_TORCH_STORAGE, OG_DTYPE_NONE, QUANTISED },
	{ "torch QUInt2x4Storage", OG_TORCH_STORAGE, OG_DTYPE_NONE, QUANTISED },
	{ "torch QUInt4x2Storage", OG_TORCH_STORAGE, OG_DTYPE_NONE, QUANTISED },
	{ "torch QUInt8Storage", OG_TORCH_STORAGE, OG_DTYPE_NONE, QUANTISED },
	{ "torch ShortStorage", OG_TORCH_STORAGE, OG_I16 },
	{ "torch ShortTensor", OG_TORCH_TYPE },
	{ "torch Size", OG_TORCH_LEAF },
	{ "torch Tensor", OG_TORCH_TYPE },
	{ "torch UntypedStorage", OG_TORCH_STORAGE },
	{ "torch bfloat16", OG_TORCH_DTYPE, OG_BF16 },
	{ "torch bits16", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch bits1x8", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch bits2x4", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch bits4x2", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch bits8", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch bool", OG_TORCH_DTYPE, OG_BOOL },
	{ "torch cdouble", OG_TORCH_DTYPE, OG_C128 },
	{ "torch cfloat", OG_TORCH_DTYPE, OG_C64 },
	{ "torch chalf", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch channels_last", OG_TORCH_LEAF },
	{ "torch complex128", OG_TORCH_DTYPE, OG_C128 },
	{ "torch complex32", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch complex64", OG_TORCH_DTYPE, OG_C64 },
	{ "torch contiguous_format", OG_TORCH_LEAF },
	{ "torch device", OG_TORCH_LEAF },
	{ "torch double", OG_TORCH_DTYPE, OG_F64 },
	{ "torch float", OG_TORCH_DTYPE, OG_F32 },
	{ "torch float16", OG_TORCH_DTYPE, OG_F16 },
	{ "torch float32", OG_TORCH_DTYPE, OG_F32 },
	{ "torch float4_e2m1fn_x2", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch float64", OG_TORCH_DTYPE, OG_F64 },
	{ "torch float8_e4m3fn", OG_TORCH_DTYPE, OG_F8E4M3FN },
	{ "torch float8_e4m3fnuz", OG_TORCH_DTYPE, OG_F8E4M3FNUZ },
	{ "torch float8_e5m2", OG_TORCH_DTYPE, OG_F8E5M2 },
	{ "torch float8_e5m2fnuz", OG_TORCH_DTYPE, OG_F8E5M2FNUZ },
	{ "torch float8_e8m0fnu", OG_TORCH_DTYPE, OG_F8E8M0 },
	{ "torch half", OG_TORCH_DTYPE, OG_F16 },
	{ "torch int", OG_TORCH_DTYPE, OG_I32 },
	{ "torch int1", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int16", OG_TORCH_DTYPE, OG_I16 },
	{ "torch int2", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int3", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int32", OG_TORCH_DTYPE, OG_I32 },
	{ "torch int4", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int5", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int6", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int64", OG_TORCH_DTYPE, OG_I64 },
	{ "torch int7", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch int8", OG_TORCH_DTYPE, OG_I8 },
	{ "torch long", OG_TORCH_DTYPE, OG_I64 },
	{ "torch per_channel_affine", OG_TORCH_LEAF },
	{ "torch per_channel_affine_float_qparams", OG_TORCH_LEAF },
	{ "torch per_channel_symmetric", OG_TORCH_LEAF },
	{ "torch per_tensor_affine", OG_TORCH_LEAF },
	{ "torch per_tensor_symmetric", OG_TORCH_LEAF },
	{ "torch preserve_format", OG_TORCH_LEAF },
	{ "torch qint32", OG_TORCH_DTYPE, OG_DTYPE_NONE, QUANTISED },
	{ "torch qint8", OG_TORCH_DTYPE, OG_DTYPE_NONE, QUANTISED },
	{ "torch quint2x4", OG_TORCH_DTYPE, OG_DTYPE_NONE, QUANTISED },
	{ "torch quint4x2", OG_TORCH_DTYPE, OG_DTYPE_NONE, QUANTISED },
	{ "torch quint8", OG_TORCH_DTYPE, OG_DTYPE_NONE, QUANTISED },
	{ "torch short", OG_TORCH_DTYPE, OG_I16 },
	{ "torch sparse_bsc", OG_TORCH_LEAF },
	{ "torch sparse_bsr", OG_TORCH_LEAF },
	{ "torch sparse_coo", OG_TORCH_LEAF },
	{ "torch sparse_csc", OG_TORCH_LEAF },
	{ "torch sparse_csr", OG_TORCH_LEAF },
	{ "torch strided", OG_TORCH_LEAF },
	{ "torch uint1", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint16", OG_TORCH_DTYPE, OG_U16 },
	{ "torch uint2", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint3", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint32", OG_TORCH_DTYPE, OG_U32 },
	{ "torch uint4", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint5", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint6", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint64", OG_TORCH_DTYPE, OG_U64 },
	{ "torch uint7", OG_TORCH_DTYPE, OG_DTYPE_NONE, ODD },
	{ "torch uint8", OG_TORCH_DTYPE, OG_U8 },
	{ "torch._tensor Tensor", OG_TORCH_TYPE },
	{ "torch._tensor _rebuild_from_type", OG_TORCH_TYPED },
	{ "torch._tensor _rebuild_from_type_v2", OG_TORCH_TYPED },
	{ "torch._utils _rebuild_device_tensor_from_cpu_tensor", OG_TORCH_CAST },
	{ "torch._utils _rebuild_device_tensor_from_numpy", OG_TORCH_NOT, OG_DTYPE_NONE, "a tensor that is kept as a NumPy array" },
	{ "torch._utils _rebuild_meta_tensor_no_storage", OG_TORCH_NOT, OG_DTYPE_NONE, "a tensor on the meta device, which has no values" },
	{ "torch._utils _rebuild_nested_tensor", OG_TORCH_NOT, OG_DTYPE_NONE, "a nested tensor" },
	{ "torch._utils _rebuild_parameter", OG_TORCH_FIRST },
	{ "torch._utils _rebuild_parameter_with_state", OG_TORCH_FIRST },
	{ "torch._utils _rebuild_qtensor", OG_TORCH_NOT, OG_DTYPE_NONE, "a quantised tensor" },
	{ "torch._utils _rebuild_sparse_csr_tensor", OG_TORCH_NOT, OG_DTYPE_NONE, "a sparse tensor" },
	{ "torch._utils _rebuild_sparse_tensor", OG_TORCH_NOT, OG_DTYPE_NONE, "a sparse tensor" },
	{ "torch._utils _rebuild_tensor", OG_TORCH_TENSOR1 },
	{ "torch._utils _rebuild_tensor_v2", OG_TORCH_TENSOR2 },
	{ "torch._utils _rebuild_tensor_v3", OG_TORCH_TENSOR3 },
	{ "torch._utils _rebuild_wrapper_subclass", OG_TORCH_NOT, OG_DTYPE_NONE, "a tensor of a wrapper class, which has no values of its own" },
	{ "torch.autograd.variable Variable", OG_TORCH_FIRST },
	{ "torch.cuda BFloat16Storage", OG_TORCH_STORAGE, OG_BF16 },
	{ "torch.cuda BFloat16Tensor", OG_TORCH_TYPE },
	{ "torch.cuda BoolStorage", OG_TORCH_STORAGE, OG_BOOL },
	{ "torch.cuda BoolTensor", OG_TORCH_TYPE },
	{ "torch.cuda ByteStorage", OG_TORCH_STORAGE, OG_U8 },
	{ "torch.cuda ByteTensor", OG_TORCH_TYPE },
	{ "torch.cuda CharStorage", OG_TORCH_STORAGE, OG_I8 },
	{ "torch.cuda CharTensor", OG_TORCH_TYPE },
	{ "torch.cuda ComplexDoubleStorage", OG_TORCH_STORAGE, OG_C128 },
	{ "torch.cuda ComplexFloatStorage", OG_TORCH_STORAGE, OG_C64 },
	{ "torch.cuda DoubleStorage", OG_TORCH_STORAGE, OG_F64 },
	{ "torch.cuda DoubleTensor", OG_TORCH_TYPE },
	{ "torch.cuda FloatStorage", OG_TORCH_STORAGE, OG_F32 },
	{ "torch.cuda FloatTensor", OG_TORCH_TYPE },
	{ "torch.cuda HalfStorage", OG_TORCH_STORAGE, OG_F16 },
	{ "torch.cuda HalfTensor", OG_TORCH_TYPE },
	{ "torch.cuda IntStorage", OG_TORCH_STORAGE, OG_I32 },
	{ "torch.cuda IntTensor", OG_TORCH_TYPE },
	{ "torch.cuda LongStorage", OG_TORCH_STORAGE, OG_I64 },
	{ "torch.cuda LongTensor", OG_TORCH_TYPE },
	{ "torch.cuda ShortStorage", OG_TORCH_STORAGE, OG_I16 },
	{ "torch.cuda ShortTensor", OG_TORCH_TYPE },
	{ "torch.jit._pickle build_boollist", OG_TORCH_JIT },
	{ "torch.jit._pickle build_doublelist", OG_TORCH_JIT },
	{ "torch.jit._pickle build_intlist", OG_TORCH_JIT },
	{ "torch.jit._pickle build_tensor_from_id", OG_TORCH_JIT },
	{ "torch.jit._pickle build_tensorlist", OG_TORCH_JIT },
	{ "torch.jit._pickle restore_type_tag", OG_TORCH_JIT },
	{ "torch.nn.parameter Buffer", OG_TORCH_FIRST },
	{ "torch.nn.parameter Parameter", OG_TORCH_FIRST },
	{ "torch.serialization _get_layout", OG_TORCH_LEAF },
	{ "torch.storage UntypedStorage", OG_TORCH_STORAGE },
	{ "torch.storage _UntypedStorage", OG_TORCH_STORAGE },
	{ "torch.tensor _rebuild_from_type", OG_TORCH_TYPED },
	{ "torch.tensor _rebuild_from_type_v2", OG_TORCH_TYPED },
};

static int by_name(const void *a, const void *b)
{
	const og_str *key = a;
	const og_torch_global *g = b;
	return og_str_cmp(*key, og_str_of(g->name));
}

const og_torch_global *og_torch_global_find(og_str s)
{
	return bsearch(&s, globals, OG_COUNT(globals), sizeof(*globals), by_name);
}

static bool is_module(og_str s)
{
	return s.n >= 10 && !memcmp(s.p, "__torch__", 9) && (s.p[9] == '.' || s.p[9] == ' ');
}

og_torch_kind og_torch_kind_of(const og_pval *v)
{
	if (v->kind != OG_P_OBJECT || v->of->kind != OG_P_GLOBAL)
		return OG_TORCH_UNKNOWN;
	const og_torch_global *g = og_torch_global_find(v->of->text);
	return g ? g->kind : is_module(v->of->text) ? OG_TORCH_MODULE : OG_TORCH_UNKNOWN;
}

/* "module name" into out: false when it is longer than any of ours. */
static bool joined(og_str module, og_str name, char *out, size_t cap, og_str *s)
{
	if (module.n + 1 + name.n >= cap)
		return false;
	memcpy(out, module.p, module.n);
	out[module.n] = ' ';
	memcpy(out + module.n + 1, name.p, name.n);
	*s = (og_str){ out, module.n + 1 + name.n };
	return true;
}

bool og_torch_allows(void *arg, og_str module, og_str name, uint64_t at)
{
	(void)arg;
	(void)at;
	char text[128];
	og_str s;
	const og_torch_global *g = joined(module, name, text, sizeof(text), &s) ? og_torch_global_find(s) : NULL;
	return g && g->kind != OG_TORCH_JIT;
}

/* A dotted Python name. */
static bool is_name(og_str s)
{
	bool first = true;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		if (!letter && c != '_' && c < 0x80 && (first || ((c < '0' || c > '9') && c != '.')))
			return false;
		first = c == '.';
	}
	return s.n > 0 && !first;
}

bool og_torch_allows_noted(void *arg, og_str module, og_str name, uint64_t at)
{
	og_torch_names *n = arg;
	char text[128], shown[120];
	og_str s;
	if (og_torch_allows(NULL, module, name, at))
		return true;
	if (n->modules && ((module.n == 9 && !memcmp(module.p, "__torch__", 9)) || (module.n > 9 && !memcmp(module.p, "__torch__.", 10))))
		return true;
	if (n->modules && joined(module, name, text, sizeof(text), &s) && og_torch_global_find(s))
		return true;
	n->refused = true;
	n->odd = !is_name(module) || !is_name(name);
	og_str_show(module, shown, sizeof(shown));
	snprintf(n->name, sizeof(n->name), "%s ", shown);
	og_str_show(name, n->name + strlen(n->name), sizeof(shown));
	return false;
}

void og_torch_hint(const og_torch_names *n, og_error *err)
{
	static const struct {
		const char *pattern, *hint;
	} hints[] = {
		{ "*TrainingArguments", "this is a trainer's record of its options (training_args.bin) and holds no weights" },
		{ "transformers.trainer*", "this is a trainer's record of its options (training_args.bin) and holds no weights" },
		{ "numpy*", "it holds NumPy values (metrics, a random generator's state): save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "argparse*", "it holds a program's options beside the weights: save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "pathlib*", "it holds a program's options beside the weights: save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "omegaconf*", "it holds a program's options beside the weights: save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "torch.nn.*", "it is a whole pickled model: load it where you trust it, and save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "transformers.*", "it is a whole pickled model: load it where you trust it, and save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "__main__*", "it is a whole pickled model: load it where you trust it, and save the weights alone, torch.save(model.state_dict(), FILE)" },
		{ "torch.storage _load_from_bytes", "pickle.dump wrote it, not torch.save: load it where you trust it, and save it by torch.save(state_dict, FILE)" },
		{ "sklearn*", "it is a pickled scikit-learn model, which skl2onnx converts" },
		{ "joblib*", "it is a pickled scikit-learn model, which skl2onnx converts" },
	};
	const char *hint = "a file of weights names no such thing: do not load it where it could run, ask for safetensors";
	for (size_t i = 0; i < OG_COUNT(hints); i++)
		if (og_glob(hints[i].pattern, n->name)) {
			hint = hints[i].hint;
			break;
		}
	og_error_hint(err, "%s", hint);
}
