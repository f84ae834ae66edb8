# SPDX-License-Identifier: Apache-2.0
"""What the …_optimum.py scripts share: the export folder of a made checkpoint against Optimum's of the same one (inputs, outputs, their
order, dims and dtypes, opset and IR version, companion files, numbers), and Optimum's own ORTModelFor… class, which loads ours and agrees
with transformers. A script describes its kind of model as a class below Optimum, around the Kind of its …_numeric.py."""

import os

import numpy as np
import onnx
import torch
import transformers
from _numeric import title_of
from _oracle import LIMIT, Run, load_reference, over_valid, run_reference, session
from optimum import onnxruntime as optimum_ort
from optimum.exporters.onnx import main_export


class Optimum:
    """One kind of model. What must be given is first; what follows is right for most."""

    kind = None  # of _numeric.py
    classes = {}  # task: the ORTModelFor… that loads it; a task without one is loaded by onnxruntime itself

    def cases(self):
        """What the kind's case() gives."""
        raise NotImplementedError

    def class_of(self, c):
        """The ORTModelFor… that loads this file, and which of its outputs that one gives; None: it is loaded by onnxruntime itself."""
        return self.classes.get(c["task"]), self.kind.outputs(c)

    def inputs(self, c, rng):
        """Of the one run that is compared."""
        raise NotImplementedError

    def prepare(self, checkpoint, c):
        """Files that stand beside such a checkpoint, for both exports to copy."""

    def reference(self, c, checkpoint):
        """transformers' model, in double precision."""
        return load_reference(getattr(transformers, self.kind.reference_class(c)), checkpoint, torch.float64)

    def meant(self, c, what, ports, shapes):
        """Optimum's ports (inputs or outputs) as ours are meant to be; shapes: what its file gave in the run."""
        return ports

    def judge(self, run, title, c, checkpoint, ours, theirs):
        """Further checks of this kind."""

    # ---- the same for every kind

    def compare_folders(self, run, title, c, ours, theirs):
        outputs, inputs = self.kind.outputs(c), self.inputs(c, np.random.default_rng(1))
        results = [session(os.path.join(f, "model.onnx")).run(outputs, inputs) for f in (ours, theirs)]
        shapes = {name: value.shape for name, value in zip(outputs, results[1])}
        same_facts(run, title, ours, theirs, lambda what, ports: self.meant(c, what, ports, shapes))
        valid = [self.kind.valid(c, name, inputs) for name in outputs]
        error = max(np.divide(*over_valid(a, b.astype(np.float64), mask)) for a, b, mask in zip(*results, valid))
        run.check(error <= LIMIT, f"{title}: against Optimum's file, difference {error:.1e}")

    def loads_and_agrees(self, run, title, c, checkpoint, ours):
        (cls, outputs), inputs = self.class_of(c), self.inputs(c, np.random.default_rng(c["seed"]))
        reference = self.reference(c, checkpoint)
        if cls:
            result = getattr(optimum_ort, cls).from_pretrained(ours)(**{k: torch.from_numpy(v) for k, v in inputs.items()})
            found = [result[o].numpy() for o in outputs]
        else:
            found = session(os.path.join(ours, "model.onnx")).run(outputs, inputs)
        worst = 0.0
        for output, got, want in zip(outputs, found, run_reference(reference, inputs, outputs)):
            error, scale = over_valid(got, want, self.kind.valid(c, output, inputs))
            worst = max(worst, error / scale)
        run.check(worst <= LIMIT, f"{title}: {cls or 'onnxruntime'} loads it, error {worst:.1e}")

    def made(self, run):
        for c in self.cases():
            title = title_of(c)
            if not run.wants(title):
                continue
            try:
                checkpoint = self.kind.make_checkpoint(run, c)
                self.prepare(checkpoint, c)
                theirs = run.folder("theirs")
                main_export(checkpoint, output=theirs, task=c["task"], device="cpu", do_validation=False, library_name="transformers")
                ours, _ = run.convert(checkpoint, *c["options"])
                self.compare_folders(run, title, c, ours, theirs)
                self.loads_and_agrees(run, title, c, checkpoint, ours)
                self.judge(run, title, c, checkpoint, ours, theirs)
            except Exception as e:  # whatever it is, it is this case's
                run.check(False, f"{title}: {type(e).__name__}: {e}")


def signature(values):
    return [(v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values]


def facts(path):
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(path, full_check=True)
    return {
        "inputs": signature(model.graph.input),
        "outputs": signature(model.graph.output),
        "opset": [(o.domain, o.version) for o in model.opset_import],
        "ir_version": model.ir_version,
        "graph name": model.graph.name,
    }


def same_facts(run, title, ours, theirs, meant=lambda what, ports: ports):
    """What the two files say of themselves, and that no companion file is missing."""
    mine, other = facts(os.path.join(ours, "model.onnx")), facts(os.path.join(theirs, "model.onnx"))
    for what in ("inputs", "outputs"):
        other[what] = meant(what, other[what])
    for what, expected in other.items():
        run.check(mine[what] == expected, f"{title}: {what}" + ("" if mine[what] == expected else f": expected {expected}, found {mine[what]}"))
    lacking = set(os.listdir(theirs)) - set(os.listdir(ours))
    run.check(not lacking, f"{title}: companion files" + (f": {sorted(lacking)} missing" if lacking else ""))


def main(optimum, description, *more):
    """The whole of a script; more: name of a further part and its function of (run)."""
    run = Run(description.split("\n", maxsplit=1)[0])
    optimum.made(run)
    for name, function in more:
        if run.wants(name):
            function(run)
    run.finish()
