# SPDX-License-Identifier: Apache-2.0
"""What the …_numeric.py scripts share: a case (a config, a seed, a form of checkpoint), its folder, our file of it, and both run on the
same inputs. A script describes its kind of model as a class below Kind, with a table of families, and gives one instance to main().

The error of an output is max |ours − reference| / max |reference| over all the runs of a checkpoint; the reference is transformers in
float64. The limit is 1e-5, or twice the error of transformers in float32 where that is larger (it is shown beside ours). A file in float16 is
held to twice the error of transformers in float16.
A fixed share of cases has fixed seeds; the rest is drawn from --seed, which is printed."""

import json
import multiprocessing
import os
import re

import numpy as np
import onnx
import torch
import transformers
from _oracle import Run, Worst, load_reference, redraw, run_reference, session, write_checkpoint

LEARNED = ("prelu", "xielu")  # activations with parameters of their own
ACTIVATIONS = sorted(set(transformers.activations.ACT2CLS) - set(LEARNED))
# How a checkpoint is written, beside its config. prefixed: names of a base model begin with the family's prefix. saved_as: a class that
# is not the task's; the task is then asked for. options: more of them, for our converter. A kind may have more forms.
FORMS = {"dtype": "float32", "shards": 1, "saved_as": None, "prefixed": False, "options": ()}


def title_of(c):
    return f"{c['family']}: {c['task']}" + (f": {c['name']}" if c["name"] != c["task"] else "")


class Kind:
    """One kind of model. What must be given is first; what follows is right for most."""

    families = {}  # model_type: {"stem": how class names begin, "small": a config, "refused": more rows of `refused`, "lacks": keys of others, …}
    tasks = {}  # task: ending of the class name, outputs
    forms = {}  # further forms of checkpoint, with what they are when a case says nothing
    refused = ()  # of every family: name, change of the config, exit codes that are right, a task (a base model is made without one)
    absent = ""  # a task whose head a base model's file lacks
    runs = "shapes"  # what the runs of a case differ in

    def fixed_cases(self, family):
        """Each task as it comes and in each form, then each switch: what case() gives."""
        raise NotImplementedError

    def random_case(self, family, rng, pick):
        """(task, config, forms) drawn with rng; pick() takes one of a list."""
        raise NotImplementedError

    def inputs(self, c, rng):
        """The inputs of each run, as dictionaries of arrays."""
        raise NotImplementedError

    def ports(self, c):
        """What the file's inputs must be: (name, dims) in order."""
        raise NotImplementedError

    def reference(self, model, inputs, outputs):
        """What the outputs are to be."""
        return run_reference(model, inputs, outputs)

    def valid(self, c, output, inputs):
        """Which part of an output counts: a mask of its first axes, or None for all of it."""
        return None

    def attention_mask(self, inputs):
        """Which queries count when attention_focus() looks at them: [batch, length], or None for all."""
        return None

    def config_of(self, family, change):
        return {**self.families[family]["small"], **change}

    def lacks(self, family, config):
        """Does this change a key that the family does not have?"""
        return any(key in self.families[family].get("lacks", ()) for key in config)

    def spelled(self, family, config):
        """A config, or a change of one, with the family's own spelling of keys."""
        return config

    def class_name(self, family, task):
        return self.families[family]["stem"] + self.tasks[task][0]

    def reference_class(self, c):
        """The class whose numbers are wanted."""
        return self.class_name(c["family"], c["task"])

    def outputs(self, c):
        return self.tasks[c["task"]][1]

    def document(self, c, config):
        """config.json as it is written."""
        return config

    def state(self, c, model, saved):
        """The tensors as a file of this form has them; saved is the class that saved it."""
        return dict(model.state_dict())

    def changed(self, family, document, change):
        """config.json with a change that must be refused."""
        return {**document, **self.spelled(family, change)}

    def cut(self, c):
        """How many matrices the file has more than the reference, since it holds parts of some by themselves."""
        return 0

    def unused(self, c, name):
        """Parameters of the reference that no output depends on, and that the file therefore lacks."""
        return "pooler" in name or "mask_token" in name

    # ---- a case and its checkpoint

    def case(self, family, name, task, config=None, seed=0, **form):
        unknown = set(form) - {*FORMS, *self.forms}
        assert not unknown, unknown
        return {
            "family": family, "name": name, "task": task, "config": self.config_of(family, config or {}), "seed": seed, **FORMS, **self.forms, **form,
        }  # fmt: skip

    def half_cases(self, family):
        """Each task as it comes, in half precision, with inputs and outputs in float32 and without."""
        for c in self.fixed_cases(family):
            if c["name"].split(",")[0] == c["task"]:
                for more in ((), ("--fp16-io",)):
                    name = c["name"].replace(c["task"], " ".join(("fp16", *more)))
                    yield {**c, "name": name, "seed": c["seed"] + 50000, "options": (*c["options"], "--dtype", "fp16", *more)}

    def random_cases(self, family, seed, count):
        rng = np.random.default_rng([seed, list(self.families).index(family)])

        def pick(values):
            return values[int(rng.integers(len(values)))]

        for i in range(count):
            task, config, form = self.random_case(family, rng, pick)
            written = {"seed": int(rng.integers(2**31)), "dtype": pick(["float32", "float16", "bfloat16"]), "shards": int(rng.integers(1, 4))}
            yield self.case(family, f"random {i}", task, config, **written, **form)

    def make_checkpoint(self, run, c):
        saved = c["saved_as"] or self.class_name(c["family"], c["task"])
        config = transformers.AutoConfig.for_model(c["family"], **self.spelled(c["family"], c["config"]))
        model = getattr(transformers, saved)._from_config(config, attn_implementation="eager")
        redraw(model, torch.Generator().manual_seed(c["seed"]))
        model.tie_weights()
        document = self.document(c, {**json.loads(config.to_json_string(use_diff=True)), "architectures": [saved]})
        state = self.state(c, model, saved)
        if c["prefixed"]:
            state = {f"{model.base_model_prefix}.{k}": v for k, v in state.items()}
        folder = run.folder(f"{c['family']}-{c['seed']}")
        write_checkpoint(folder, document, state, getattr(torch, c["dtype"]), c["shards"])
        return folder

    # ---- its file beside the reference

    def attentions(self, model, inputs):
        """The weights of each layer, [batch, heads, queries, keys]; model is the base model."""
        return model(**inputs, output_attentions=True).attentions

    def attention_focus(self, model, inputs):
        """Mean over queries that count of the largest attention weight, relative to a uniform one: 1 means uniform."""
        mask = self.attention_mask(inputs)
        flat = {k: torch.from_numpy(v) for k, v in inputs.items()}
        with torch.no_grad():
            weights = self.attentions(model.base_model, {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in flat.items()})
        focus = []
        for a in weights:
            valid = torch.ones(a.shape[0], a.shape[2]) if mask is None else torch.from_numpy(mask)
            focus.append((a.amax(-1).mean(1) * valid.sum(-1, keepdim=True))[valid.bool()].mean())
        return float(torch.stack(focus).mean())

    def judge_weights(self, c, path, model):
        """Every parameter is there by its name, and a layer that is run several times has its weights in the file once."""
        stored = onnx.load(path).graph.initializer
        base = model.base_model_prefix + "."
        lacking = {n.removeprefix(base) for n, _ in model.named_parameters() if not self.unused(c, n)} - {i.name.removeprefix(base) for i in stored}
        assert not lacking, f"weights under other names: {sorted(lacking)[:5]}"
        matrices = [i.name for i in stored if i.dims and np.prod(i.dims) > max(i.dims)]
        weights = [n for n, p in model.named_parameters() if p.dim() and p.numel() > max(p.shape)]
        assert len(matrices) <= len(weights) + self.cut(c), f"{len(matrices)} matrices in the file, the model has {len(weights)}"

    def judge_ports(self, c, s):
        found = [(i.name, i.shape) for i in s.get_inputs()]
        assert found == self.ports(c), f"inputs {found}, expected {self.ports(c)}"
        assert [o.name for o in s.get_outputs()] == self.outputs(c), [o.name for o in s.get_outputs()]

    def load(self, cls, folder, dtype):
        """The reference."""
        return load_reference(cls, folder, dtype)

    def single(self, c):
        """The precision of the reference that ours is held against."""
        return torch.float16 if "fp16" in c["options"] else torch.float32

    def fed(self, c, inputs):
        """As the file takes them."""
        half = "--fp16-io" in c["options"]
        return {k: v.astype(np.float16) if half and v.dtype == np.float32 else v for k, v in inputs.items()}

    def compare(self, c, folder, converted):
        """The largest error over all runs, ours and that of transformers in float32, and the figures beside them."""
        cls, outputs = getattr(transformers, self.reference_class(c)), self.outputs(c)
        exact, single = (self.load(cls, folder, dtype) for dtype in (torch.float64, self.single(c)))
        path = os.path.join(converted, "model.onnx")
        self.judge_weights(c, path, exact)
        s = session(path)
        self.judge_ports(c, s)
        worst, focus, runs = Worst(outputs), 0.0, 0
        for inputs in self.inputs(c, np.random.default_rng(c["seed"])):
            found = s.run(outputs, self.fed(c, inputs))
            judge_dims(s, inputs, found)
            valid = [self.valid(c, name, inputs) for name in outputs]
            worst.add(found, self.reference(single, inputs, outputs), self.reference(exact, inputs, outputs), valid)
            focus = max(focus, self.attention_focus(single, inputs))
            runs += 1
        ours, theirs, share = worst.figures()
        return {"ours": ours, "theirs": theirs, "share": share, "focus": focus, "runs": runs}

    def run_case(self, run, c):
        """(passed, line to print, figure or None); whatever goes wrong is this case's."""
        title = title_of(c)
        try:
            folder = self.make_checkpoint(run, c)
            converted, document = run.convert(folder, *(("--task", c["task"]) if c["saved_as"] else ()), *c["options"])
            assert document["task"] == c["task"], f"task {document['task']}, expected {c['task']}"
            f = self.compare(c, folder, converted)
        except Exception as e:
            return False, f"{title}: {type(e).__name__}: {e} (seed {c['seed']}, {c['config']})", None
        other = "fp16" if "fp16" in c["options"] else "fp32"
        detail = f"error {f['ours']:.1e} (transformers {other} {f['theirs']:.1e}), {f['runs']} {self.runs}, attention {f['focus']:.1f} × uniform"
        seed = f", seed {c['seed']}, {json.dumps(c['config'])}" if f["share"] > 1 or c["name"].startswith("random") else ""
        return f["share"] <= 1, f"{title}: {detail}{seed}", (f["ours"], f["theirs"], title) if other == "fp32" else None

    # ---- what must not be converted

    def refusals(self, run, family):
        """Each with the exit code that says why, and nothing left behind."""
        rows = [(*row, ()) for row in (*self.refused, *self.families[family].get("refused", ())) if not self.lacks(family, row[1])]
        for name, change, wanted, *task, extra in (*rows, ("a head that the file lacks", {}, (6, 12), ("--task", self.absent))):
            task = task[0] if task else "feature-extraction"
            folder = self.make_checkpoint(run, self.case(family, "refused", task, seed=900))
            path = os.path.join(folder, "config.json")
            with open(path, encoding="utf-8") as f:
                document = self.changed(family, json.load(f), change)
            with open(path, "w", encoding="utf-8") as f:
                json.dump(document, f)
            out = folder + ".refused"
            code, _, stderr = run.onnxgate("convert", folder, "--output", out, *extra)
            left = os.path.exists(os.path.join(out, "model.onnx"))
            lines = [line for line in stderr.strip().split("\n") if line]
            run.check(code in wanted and not left, f"{family}: refused: {name}: exit code {code} (expected {wanted}): {lines[0] if lines else ''}")


def judge_dims(s, inputs, found):
    """The dims that the file declares for its outputs are those of the run, where the inputs say what a symbol stands for."""
    known = {d: n for i in s.get_inputs() for d, n in zip(i.shape, inputs[i.name].shape) if isinstance(d, str)}

    def size(d, found):
        """Of a number, a symbol, or a formula over symbols; what is none of these is whatever was found."""
        formula = isinstance(d, str) and re.fullmatch(r"[\w\s()+*/-]+", d) and set(re.findall(r"[a-z_]\w*", d)) <= set(known)
        return eval(d, {}, known) if formula else found if isinstance(d, str) else d

    for o, value in zip(s.get_outputs(), found):
        dims = [size(d, n) for d, n in zip(o.shape, value.shape)]
        assert len(o.shape) == value.ndim and list(value.shape) == dims, f"{o.name}: declared {o.shape}, found {value.shape}"


def by_position(output, value):
    """Caches with their positions as the second axis, as the mask has them."""
    return value.transpose(0, 2, 1, 3) if output.startswith("present") else value


JUDGE = None  # (kind, run), made by main() and seen by its forked workers


def worker(c):
    kind, run = JUDGE
    return kind.run_case(run, c)


def run_cases(run, cases, figures):
    """One process a processor, each with one thread: the models are tiny. They write to one database, which is meant to stand it."""
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for passed, line, figure in pool.imap(worker, cases):
            run.check(passed, line)
            figures += [figure] if figure else []


def main(kind, description, *more):
    """The whole of a script; more: name of a further part and its function of (run, figures)."""
    global JUDGE
    run = Run(description.split("\n", maxsplit=1)[0])
    JUDGE = kind, run
    count = run.args.random
    print(f"seed {run.seed}: of {count * len(kind.families)} random configurations, {count} of each family (--seed {run.seed} repeats them)")
    figures = []
    cases = []
    for family in kind.families:
        cases += [*kind.fixed_cases(family), *kind.half_cases(family), *kind.random_cases(family, run.seed, run.args.random)]
    run_cases(run, [c for c in cases if run.wants(title_of(c))], figures)
    for name, function in more:
        if run.wants(name):
            function(run, figures)
    for family in kind.families:
        if run.wants(f"{family}: refused"):
            kind.refusals(run, family)
    if figures:
        ours, theirs, where = max(figures)
        print(f"largest error of ours: {ours:.1e} ({where}; transformers in float32 there: {theirs:.1e}) over {len(figures)} checkpoints")
    run.finish()
