#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our structure check against onnx.checker.check_model(full_check=True): the models of ONNX's own operator tests, a small
transformer block, what Optimum exports (where it is installed), and random mutations of them.

Rules: what the checker accepts we do not fail, and what it refuses we do not pass, but for the reasons listed in STRICTER and
LAXER; a verdict of "unknown" (an operator that our table lacks) is neither. Every valid model must pass."""

import argparse
import collections
import contextlib
import copy
import io
import json
import logging
import os
import random
import re
import select
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

warnings.filterwarnings("ignore")
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))

TIMEOUT = 20  # seconds for one answer of onnx.checker or ONNX Runtime
DIES = "dies or does not end"  # instead of an answer
# The operators of transformers' exports: here no contradiction that onnx sees may be missed.
CORE = set(
    "Add Sub Mul Div Pow Where Equal Greater Less GreaterOrEqual LessOrEqual And Or Not Neg Abs Sqrt Erf Tanh Sigmoid Relu "
    "Elu Selu Celu HardSigmoid HardSwish LeakyRelu Softplus "
    "Softsign Mish Clip Exp Log Sin Cos Floor Ceil Round Reciprocal Gelu Cast MatMul Gemm Softmax LogSoftmax "
    "LayerNormalization Gather GatherElements GatherND Reshape Transpose "
    "Unsqueeze Squeeze Concat Split Slice Shape Constant ConstantOfShape Range Expand Tile ReduceMean ReduceSum ReduceMax "
    "ReduceMin ArgMax CumSum Trilu Identity IsNaN Conv "
    "InstanceNormalization Pad If Size ScatterND".split()
)

# What we fail and the checker accepts: (row, pattern of our detail) -> why.
STRICTER = [
    ("structure.names", r"is nothing that its graph makes", "an output that no node makes: the checker does not look for it, a runtime refuses it"),
    ("structure.names", r"initializer .* is made twice", "an initializer of a subgraph under an outer value's name: ONNX wants names unique across nesting"),
    ("structure.protobuf", r"given twice|has both|is given two values", "protobuf merges or overwrites what comes twice, so two readers could see two models"),
    ("structure.protobuf", r"wire type", "a known field of another wire type: protobuf treats it as unknown and loses it"),
    ("structure.protobuf", r"not UTF-8", "text that is not UTF-8"),
    ("structure.protobuf", r"varint longer|field number", "a malformed field that protobuf's readers read each in their own way"),
    ("structure.sizes", r"takes \d+ (entries|bytes)|has \d+", "the checker does not compare the data's size with the dims of every form"),
    ("structure.sizes", r"negative or too many|dims, more than", "dims that are negative or multiply beyond 64 bits"),
    ("structure.outputs", r"has no type|element type|dim \d+ is", "an input or output that is not typed"),
    ("structure.outputs", r"no outputs", "a graph without outputs computes nothing"),
    ("structure.ops", r"is imported twice", "a domain imported twice"),
    ("structure.ops", r"holds a value of another type", "an attribute with a value in a field that is not of its type"),
    ("structure.shapes", r"inferred \[[^]]*\?", "a reduction or split along what is not known keeps the number of dims"),
    ("structure.shapes", r"neither sizes nor num_outputs", "a Split without sizes, which onnx's inference looks at only where the dims are known"),
    ("structure.shapes", r"perm of \d+ axes", "a perm of another length than the dims"),
    ("structure.shapes", r"\((RMSNormalization)\): axis -?\d+ of a tensor",
        "an axis outside of the rank, which onnx's inference of this operator does not look at"),
]
# What we pass and the checker refuses: pattern of its message -> why.
LAXER = [
    (DIES, "a file on which the checker dies"),
    (r"No opset import for domain 'ai.onnx'", "'ai.onnx' as another spelling of the default domain, which runtimes accept"),
    (r"Field 'shape' of 'type' is required but missing", "an input of unknown rank, which runtimes accept"),
    (r"\(op_type:\w+\): \[ShapeInferenceError\] Inference error\(s\): \(op_type", "onnx infers this operator by its function's body, and we do not"),
    (r"not in allowed (input|output) sizes", "a set of counts (BatchNormalization: 1 or 3 outputs), of which onnx shows the ends only"),
    (r"Field 'name' of 'graph' is required", "a graph without a name"),
]


def beyond_core(data, why):
    """Does the checker's word on shapes rest on an operator that we do not promise to infer?"""
    first = re.search(r"\(op_type:(\w+)[,)]", why)  # a node that has a name: "(op_type:Conv, node name: n)"
    if first and first.group(1) not in CORE:
        return "an operator whose shapes we do not promise to infer"
    if not re.search(r"existing shape differ|expected to have|Incompatible dimensions|Invalid tensor data type", why):
        return None
    ops = {n.op_type for g in graphs(onnx.load_from_string(data)) for n in g.node}
    return "behind an operator whose shapes we do not promise to infer" if ops - CORE else None


def explained(reasons, *words):
    for *patterns, why in reasons:
        if all(re.search(p, w) for p, w in zip(patterns, words)):
            return why
    return None


# ---- models -----------------------------------------------------------------------------------------------------------


def operator_tests():
    """The models of ONNX's backend tests: each operator, and each function expanded."""
    from onnx.backend.test.case.node import collect_testcases

    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        cases = list(collect_testcases(None))
    finally:
        sys.stdout = stdout
    return [(c.name, c.model) for c in cases if c.model is not None and c.model.ByteSize() < 50000]


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def block(opset):
    """Attention over a sequence with its shape arithmetic, a norm, and a branch: what exports are made of."""
    f = np.float32
    n = helper.make_node
    nodes = [
        n("Gather", ["table", "input_ids"], ["embedded"]), n("Shape", ["embedded"], ["shape"]), n("Slice", ["shape", "zero", "two"], ["lead"]),
        n("Concat", ["lead", "heads"], ["split"], axis=0), n("Concat", ["lead", "whole"], ["join"], axis=0),
    ]  # fmt: skip
    for name in "qkv":
        nodes += [
            n("MatMul", ["embedded", f"w_{name}"], [f"{name}_0"]), n("Add", [f"{name}_0", "bias"], [f"{name}_1"]),
            n("Reshape", [f"{name}_1", "split"], [f"{name}_2"]), n("Transpose", [f"{name}_2"], [f"{name}_3"], perm=[0, 2, 3,
                1] if name == "k" else [0, 2, 1, 3]),
        ]  # fmt: skip
    nodes += [
        n("MatMul", ["q_3", "k_3"], ["scores"]), n("Div", ["scores", "scale"], ["scaled"]), n("Cast", ["attention_mask"], ["mask_0"], to=TensorProto.FLOAT),
        n("Unsqueeze", ["mask_0", "axes"], ["mask_1"]), n("Sub", ["one", "mask_1"], ["mask_2"]), n("Mul", ["mask_2", "low"], ["mask_3"]),
        n("Add", ["scaled", "mask_3"], ["masked"]), n("Softmax", ["masked"], ["weights"], axis=-1), n("MatMul", ["weights", "v_3"], ["mixed"]),
        n("Transpose", ["mixed"], ["back"], perm=[0, 2, 1, 3]), n("Reshape", ["back", "join"], ["flat"]), n("Add", ["flat", "embedded"], ["sum"]),
        n("ReduceMean", ["sum", "last"] if opset >= 18 else ["sum"], ["mean"], **({} if opset >= 18 else {"axes": [-1]})),
        n("Sub", ["sum", "mean"], ["centred"]), n("Greater", ["scale", "one_0"], ["condition"]),
    ]  # fmt: skip
    branch = lambda op, name: helper.make_graph([n(op, ["centred"], [name])], name + "_graph", [], [helper.make_tensor_value_info(name, 1, None)])  # noqa: E731
    nodes.append(n("If", ["condition"], ["last_hidden_state"], then_branch=branch("Tanh", "yes"), else_branch=branch("Relu", "no")))
    rng = np.random.default_rng(1)
    weights = [tensor("table", rng.random((50, 16), f)), tensor("bias", rng.random(16, f))] + [tensor(f"w_{x}", rng.random((16, 16), f)) for x in "qkv"]
    ints = {"zero": [0], "two": [2], "heads": [4, 4], "whole": [16], "axes": [1, 2], "last": [-1]}
    if opset < 18:
        del ints["last"]
    weights += [tensor(k, np.array(v, np.int64)) for k, v in ints.items()]
    weights += [tensor("scale", f(2)), tensor("one", f(1)), tensor("one_0", f(1)), tensor("low", f(-1e4))]
    sequence = ["batch_size", "sequence_length"]
    inputs = [helper.make_tensor_value_info(k, TensorProto.INT64, sequence) for k in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*sequence, 16])]
    graph = helper.make_graph(nodes, "block", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def exports(folder):
    """What Optimum writes of tiny random models, merged decoder included; none where it is not installed."""
    try:
        import torch
        import transformers as t
        from optimum.exporters.onnx import main_export
    except ImportError:
        return
    t.logging.set_verbosity_error()
    t.logging.disable_progress_bar()
    logging.getLogger("optimum").setLevel(logging.ERROR)
    torch.manual_seed(1)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    relative = {"vocab_size": 50, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
    t5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 50, "decoder_start_token_id": 0}
    models = [
        (t.DistilBertForMaskedLM(t.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, vocab_size=50)), "fill-mask"),
        (t.DebertaV2ForSequenceClassification(t.DebertaV2Config(**small, **relative)), "text-classification"),
        (t.ViTForImageClassification(t.ViTConfig(**small, image_size=32, patch_size=8)), "image-classification"),
        (t.LlamaForCausalLM(t.LlamaConfig(**small, num_key_value_heads=1, vocab_size=50)), "text-generation-with-past"),
        (t.T5ForConditionalGeneration(t.T5Config(**t5)), "text2text-generation-with-past"),
    ]
    for model, task in models:
        name = type(model).__name__
        out = os.path.join(folder, name)
        model.eval().save_pretrained(out + "-checkpoint")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main_export(out + "-checkpoint", output=out, task=task, do_validation=False, framework="pt", library_name="transformers")
        for file in sorted(os.listdir(out)):
            if file.endswith(".onnx"):
                yield f"{name} {file}", onnx.load(os.path.join(out, file))


# ---- mutations ----------------------------------------------------------------------------------------------------------


def graphs(model):
    out, todo = [], [model.graph]
    while todo:
        g = todo.pop()
        out.append(g)
        todo += [a.g for n in g.node for a in n.attribute if a.type == onnx.AttributeProto.GRAPH]
    return out


def pick(rng, things):
    things = list(things)
    return rng.choice(things) if things else None


class Mutations:
    """Each changes a model in one place, or leaves it alone when it has no such place."""

    OPS = "Add MatMul Relu Concat Reshape Transpose Gather Softmax Cast Split Slice Where Identity NoSuchOp Upsample LayerNormalization".split()

    def __init__(self, rng, model):
        self.rng, self.model = rng, model
        self.graph = pick(rng, graphs(model))
        self.node = pick(rng, self.graph.node)

    def names(self):
        return [x.name for x in self.graph.input] + [x.name for x in self.graph.initializer] + [o for n in self.graph.node for o in n.output] + ["nobody", ""]

    def input_renamed(self):
        if self.node and self.node.input:
            self.node.input[self.rng.randrange(len(self.node.input))] = self.rng.choice(self.names())

    def output_renamed(self):
        if self.node and self.node.output:
            self.node.output[self.rng.randrange(len(self.node.output))] = self.rng.choice(self.names())

    def input_dropped(self):
        if self.node and self.node.input:
            del self.node.input[self.rng.randrange(len(self.node.input))]

    def input_added(self):
        if self.node:
            self.node.input.append(self.rng.choice(self.names()))

    def output_added(self):
        if self.node:
            self.node.output.append("extra")

    def nodes_swapped(self):
        if len(self.graph.node) > 1:
            i, j = self.rng.sample(range(len(self.graph.node)), 2)
            a, b = copy.deepcopy(self.graph.node[i]), copy.deepcopy(self.graph.node[j])
            self.graph.node[i].CopyFrom(b)
            self.graph.node[j].CopyFrom(a)

    def node_dropped(self):
        if self.graph.node:
            del self.graph.node[self.rng.randrange(len(self.graph.node))]

    def node_doubled(self):
        if self.node:
            self.graph.node.append(self.node)

    def op_changed(self):
        if self.node:
            self.node.op_type = self.rng.choice(self.OPS)

    def domain_changed(self):
        if self.node:
            self.node.domain = self.rng.choice(["ai.onnx", "com.example", "ai.onnx.ml"])

    def opset_changed(self):
        for o in self.model.opset_import:
            if o.domain == "":
                o.version = self.rng.choice([1, 5, 7, 9, 11, 13, 17, 18, 21, 24])

    def opset_dropped(self):
        del self.model.opset_import[:]

    def ir_changed(self):
        self.model.ir_version = self.rng.choice([0, 1, 3, 4, 7, 10, 200])

    def attribute_dropped(self):
        if self.node and self.node.attribute:
            del self.node.attribute[self.rng.randrange(len(self.node.attribute))]

    def attribute_added(self):
        if self.node:
            self.node.attribute.append(helper.make_attribute(self.rng.choice(["axis", "axes", "alpha", "perm", "to", "strange"]),
                self.rng.choice([1, 1.5, [1, 0], "s"])))

    def attribute_value(self):
        a = pick(self.rng, self.node.attribute) if self.node else None
        if a is not None and a.type == onnx.AttributeProto.INT:
            a.i = self.rng.choice([-9, -1, 0, 1, 2, 3, 10, 16, 99])
        elif a is not None and a.type == onnx.AttributeProto.INTS and a.ints:
            a.ints[self.rng.randrange(len(a.ints))] = self.rng.choice([-9, -1, 0, 1, 2, 3, 10])

    def attribute_type(self):
        a = pick(self.rng, self.node.attribute) if self.node else None
        if a is not None:
            a.type = self.rng.choice([0, 1, 2, 3, 4, 5, 7])

    def attribute_renamed(self):
        a = pick(self.rng, self.node.attribute) if self.node else None
        if a is not None:
            a.name = self.rng.choice(["axis", "other", ""])

    def value(self):
        return pick(self.rng, [*self.graph.input, *self.graph.output, *self.graph.value_info])

    def dim_changed(self):
        v = self.value()
        if v is not None and v.type.tensor_type.shape.dim:
            d = pick(self.rng, v.type.tensor_type.shape.dim)
            if self.rng.random() < 0.3:
                d.dim_param = "n"
            else:
                d.dim_value = self.rng.choice([0, 1, 2, 3, 7, 99])

    def dim_added(self):
        v = self.value()
        if v is not None and v.type.HasField("tensor_type"):
            v.type.tensor_type.shape.dim.add().dim_value = self.rng.choice([1, 4])

    def dtype_changed(self):
        v = self.value()
        if v is not None and v.type.HasField("tensor_type"):
            v.type.tensor_type.elem_type = self.rng.choice([0, 1, 6, 7, 9, 10, 11, 16])

    def type_dropped(self):
        v = self.value()
        if v is not None:
            v.ClearField("type")

    def initializer(self):
        return pick(self.rng, [t for g in graphs(self.model) for t in g.initializer])

    def initializer_dropped(self):
        g = pick(self.rng, [g for g in graphs(self.model) if g.initializer])
        if g is not None:
            del g.initializer[self.rng.randrange(len(g.initializer))]

    def initializer_doubled(self):
        t = self.initializer()
        if t is not None:
            self.graph.initializer.append(t)

    def initializer_dims(self):
        t = self.initializer()
        if t is not None and t.dims:
            t.dims[self.rng.randrange(len(t.dims))] = self.rng.choice([-1, 0, 1, 5, 2**40])

    def initializer_dtype(self):
        t = self.initializer()
        if t is not None:
            t.data_type = self.rng.choice([0, 1, 7, 8, 10, 11, 16])

    def initializer_value(self):
        """One number of a list: an axis, a size, a step."""
        t = pick(self.rng, [t for g in graphs(self.model) for t in g.initializer if t.data_type == TensorProto.INT64 and t.raw_data])
        if t is not None:
            values = numpy_helper.to_array(t).copy()
            if values.size:
                values.flat[self.rng.randrange(values.size)] = self.rng.choice([-(2**63), -9, -2, -1, 0, 1, 2, 3, 4, 7, 10, 99, 2**31, 2**63 - 1])
                t.raw_data = values.tobytes()

    def contents(self):
        """The graph's inputs that are short lists of integers (axes, sizes, steps) get contents, and its outputs the shapes that then come out."""
        g = self.model.graph
        for v in [v for v in g.input if v.name not in {t.name for t in g.initializer} and v.type.tensor_type.elem_type == TensorProto.INT64]:
            shape = [d.dim_value for d in v.type.tensor_type.shape.dim]
            if len(shape) <= 1 and np.prod(shape, dtype=np.int64) < 20:
                values = [self.rng.choice([-3, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 4, 7, 10]) for _ in range(int(np.prod(shape, dtype=np.int64)))]
                g.initializer.append(tensor(v.name, np.array(values, np.int64).reshape(shape)))
                g.input.remove(v)
        self.model.ir_version = max(self.model.ir_version, 4)
        for v, got in zip(g.output, evaluated(self.model) or []):
            if isinstance(got, np.ndarray) and v.type.HasField("tensor_type"):
                v.type.CopyFrom(helper.make_tensor_type_proto(v.type.tensor_type.elem_type, got.shape))

    def initializer_cut(self):
        t = self.initializer()
        if t is not None and t.raw_data:
            t.raw_data = t.raw_data[: self.rng.randrange(len(t.raw_data))]

    def initializer_external(self):
        t = self.initializer()
        if t is not None:
            t.ClearField("raw_data")
            t.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self.rng.choice(["absent.bin", "../x.bin", "/etc/passwd", ""])), ("offset", self.rng.choice(["0", "-1"]))):
                t.external_data.add(key=key, value=value)

    def output_dropped(self):
        if self.model.graph.output:
            del self.model.graph.output[self.rng.randrange(len(self.model.graph.output))]

    def input_of_graph_dropped(self):
        if self.graph.input:
            del self.graph.input[self.rng.randrange(len(self.graph.input))]


KINDS = [k for k in vars(Mutations) if not k.startswith("_") and k not in ("OPS", "names", "value", "initializer")]


def mutated(rng, model):
    """(what was done, bytes)"""
    if rng.random() < 0.2:
        data = bytearray(model.SerializeToString())
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(1, len(data)) :]
        return "bytes", bytes(data)
    m = onnx.ModelProto()
    m.CopyFrom(model)
    kind = rng.choice(KINDS)
    getattr(Mutations(rng, m), kind)()
    return kind, m.SerializeToString()


# ---- running ------------------------------------------------------------------------------------------------------------


def made_inputs(model):
    """Zeros and ones in the declared shapes, 2 for a symbol; an exception where an input is no plain tensor."""
    rng = np.random.default_rng(1)
    weights = {t.name for t in model.graph.initializer}
    feeds = {}
    for v in model.graph.input:
        if v.name not in weights:
            shape = [d.dim_value if d.HasField("dim_value") else 2 for d in v.type.tensor_type.shape.dim]
            feeds[v.name] = rng.integers(0, 2, shape).astype(helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type))
    return feeds


def evaluated(model):
    """What ONNX's reference evaluator makes of such inputs; False: it fails; None: not to be told (no plain inputs, or an operator
    that the evaluator does not have)."""
    from onnx.reference import ReferenceEvaluator

    try:
        feeds = made_inputs(model)
    except Exception:  # noqa: BLE001
        return None
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        return ReferenceEvaluator(model).run(None, feeds)
    except NotImplementedError:
        return None
    except Exception:  # noqa: BLE001 - numpy's, the evaluator's, whatever it is: it does not run
        return False
    finally:
        sys.stderr = stderr


def runs_as_declared(data):
    """True, False, or None: not to be told."""
    model = onnx.load_from_string(data)
    outputs = evaluated(model)
    if not outputs:
        return outputs
    for v, got in zip(model.graph.output, outputs):
        t = v.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else None for d in t.shape.dim]
        if isinstance(got, np.ndarray) and t.HasField("shape") and (len(dims) != got.ndim or any(d not in (None, g) for d, g in zip(dims, got.shape))):
            return False
    return True


# ---- judging ------------------------------------------------------------------------------------------------------------


class Judge:
    def __init__(self, args):
        self.program = os.path.join(os.path.abspath(args.build), "onnxgate")
        scratch = os.path.join(os.path.abspath(args.build), "tmp")
        os.makedirs(scratch, exist_ok=True)
        self.folder = tempfile.TemporaryDirectory(prefix="onnx-judge-", dir=scratch)
        self.keep = args.keep
        self.passed = self.failed = self.accepted = self.refused = self.unknown = 0
        self.reasons = collections.Counter()
        self.child, self.died = None, 0

    def ours(self, path):
        """(verdict, the failed rows)"""
        done = subprocess.run([self.program, "check", path, "--validate", "structure", "--json"], capture_output=True, text=True, timeout=60, check=False)
        try:
            document = json.loads(done.stdout)
        except ValueError:
            return f"exit code {done.returncode}", [("", done.stderr.strip()[-300:])]
        return document["verdict"], [(c["name"], c["detail"]) for c in document["checks"] if c["status"] == "fail"]

    def ask(self, what, path):
        """null, or why onnx.checker ("check") or ONNX Runtime ("run") refuses the file. They live in a child, because some files kill them."""
        if self.child is None:
            self.child = subprocess.Popen([sys.executable, __file__, "--child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, bufsize=0)
        with contextlib.suppress(OSError, ValueError):  # its pipe is broken, or what it wrote is no answer: dead, or not to be trusted
            self.child.stdin.write(f"{what} {path}\n".encode())
            return json.loads(self.line())
        self.child.kill()
        self.child.communicate()
        self.died, self.child = self.died + 1, None
        return DIES

    def line(self):
        """What the child writes up to the end of a line, of its life, or of its time."""
        got, end = b"", time.monotonic() + TIMEOUT
        while not got.endswith(b"\n") and select.select([self.child.stdout], [], [], max(0, end - time.monotonic()))[0]:
            more = os.read(self.child.stdout.fileno(), 1 << 16)
            if not more:
                break
            got += more
        return got

    def close(self):
        if self.child is not None:
            self.child.stdin.close()
            self.child.wait()

    @staticmethod
    def second_opinion(data):
        """Shape inference that follows the contents of small tensors, as ours does and the checker does not."""
        try:
            shape_inference.infer_shapes(data, check_type=True, strict_mode=True, data_prop=True)
        except Exception:  # noqa: BLE001
            return "a contradiction that shape arithmetic shows: onnx's own inference finds it with data_prop=True"
        return None

    @staticmethod
    def third_opinion(data, base):
        """ONNX's reference evaluator over inputs as they are declared: the unchanged model runs, this one does not, or not as declared."""
        if base is None or runs_as_declared(base.SerializeToString()) is not True:
            return None
        return "a contradiction that running it shows, in onnx's reference evaluator" if runs_as_declared(data) is False else None

    def case(self, name, data, valid=False, base=None):
        path = os.path.join(self.folder.name, "case.onnx")
        with open(path, "wb") as f:
            f.write(data)
        verdict, rows = self.ours(path)
        why = self.ask("check", path)
        self.accepted, self.refused = self.accepted + (why is None), self.refused + (why is not None)
        self.unknown += verdict == "unknown"
        if valid:
            ok = verdict == "pass"
        elif verdict == "unknown":
            ok = True
        elif verdict == "fail" and why is None:
            shapes = all(row == "structure.shapes" for row, _ in rows)
            known = [explained(STRICTER, *row) for row in rows]
            ok = self.reason("stricter", self.second_opinion(data) if shapes else None, *known)
            ok = ok or (shapes and self.reason("stricter", self.third_opinion(data, base)))
            ok = ok or (self.ask("run", path) is not None and self.reason("stricter", "ONNX Runtime refuses it, or fails to run it"))
        elif verdict == "pass" and why is not None:
            ok = self.reason("laxer", explained(LAXER, why), beyond_core(data, why))
            ok = ok or (self.ask("run", path) is None and self.reason("laxer", "ONNX Runtime runs it"))
        else:
            ok = verdict in ("pass", "fail")
        self.passed, self.failed = self.passed + ok, self.failed + (not ok)
        if not ok:
            print(f"FAILED  {name}: ours {verdict} {rows[:1]}; onnx.checker: {(why or 'accepts')[:300]!r}", flush=True)
            if self.keep:
                os.makedirs(self.keep, exist_ok=True)
                with open(os.path.join(self.keep, f"{self.failed}.onnx"), "wb") as f:
                    f.write(data)

    def drift(self):
        """The committed table of schemas is what its generator writes."""
        made = subprocess.run([sys.executable, os.path.join(ROOT, "tools/gen_onnx_schemas.py")], capture_output=True, check=False).stdout
        with open(os.path.join(ROOT, "src/onnx/schema_table.inc"), "rb") as f:
            same = f.read() == made
        self.passed, self.failed = self.passed + same, self.failed + (not same)
        print(("ok      " if same else "FAILED  ") + "src/onnx/schema_table.inc is what tools/gen_onnx_schemas.py writes")

    def reason(self, side, *whys):
        why = next((w for w in whys if w), None)
        if why:
            self.reasons[f"{side}: {why}"] += 1
        return why is not None


def child():
    """For each line "check PATH" or "run PATH" null, or why it is refused; the libraries' own prints do not mix with that."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        what, path = line.rstrip("\n").split(" ", 1)
        try:
            if what == "check":
                onnx.checker.check_model(path, full_check=True)
            else:
                run(path)
            why = None
        except UnicodeDecodeError as e:  # a message that quotes bytes of the file
            why = e.object.decode(errors="replace")
        except Exception as e:  # noqa: BLE001 - they raise whatever their parts raise
            why = str(e).strip() or type(e).__name__
        print(json.dumps(why), file=answers, flush=True)


def run(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    session.run(None, made_inputs(onnx.load(path, load_external_data=False)))


def main():
    if sys.argv[1:] == ["--child"]:
        return child()
    from _oracle import seed_option  # not in the child, which would load PyTorch for it

    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    seed_option(p)
    p.add_argument("--random", type=int, default=1000, help="mutations of the random share")
    p.add_argument("--only-random", action="store_true", help="neither the valid models nor the fixed share: to try many seeds")
    p.add_argument("--keep", help="folder for the files of failed cases")
    args = p.parse_args()
    print(f"onnx {onnx.__version__}; random share: --seed {args.seed}")
    judge = Judge(args)
    tests = operator_tests()
    blocks = [(f"block at opset {o}", block(o)) for o in (14, 18, 21)]
    exported = list(exports(judge.folder.name))
    shares = [("fixed", 1), ("random", args.seed)]
    if args.only_random:
        del shares[0]
    else:
        judge.drift()
        for name, model in tests + blocks + exported:
            judge.case(name, model.SerializeToString(), valid=True)
        print(f"        valid: {len(tests)} operator tests, {len(blocks)} blocks, {len(exported)} exports of Optimum")
    for share, s in shares:
        rng = random.Random(s)
        before = judge.accepted, judge.refused, judge.unknown
        for i in range(args.random):
            name, model = rng.choice(blocks + exported if rng.random() < 0.5 else tests)
            kind, data = mutated(rng, model)
            judge.case(f"{share} mutation {i}, {kind} of {name}", data, base=model)
        accepted, refused, unknown = judge.accepted - before[0], judge.refused - before[1], judge.unknown - before[2]
        print(f"        {share} share: {args.random} mutations, {accepted} accepted and {refused} refused by the checker, {unknown} unknown to us")
    for why, n in sorted(judge.reasons.items()):
        print(f"        {why} ({n})")
    judge.close()
    print(f"        files that kill onnx.checker or ONNX Runtime: {judge.died}")
    print(f"{judge.passed} passed, {judge.failed} failed")
    return 1 if judge.failed or not judge.passed else 0


if __name__ == "__main__":
    sys.exit(main())
