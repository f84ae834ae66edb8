# SPDX-License-Identifier: Apache-2.0
"""What bench/export.py runs inside the oracle's environment: one command a process, one JSON document on stdout.

  make ROW FOLDER           a checkpoint with every weight drawn anew, from a fixed seed
  optimum ROW FOLDER OUT    Optimum's export without its validation
  dynamo ROW FOLDER OUT PORTS   torch.onnx.export(dynamo=True): the inputs, outputs and symbolic dims of Optimum's file
  facts FILE…               ports, nodes before and after ONNX Runtime's own optimisation, size
  latency SECONDS THREADS INPUTS FILE…   seconds of runs, interleaved in random order
  serve                     commands as lines of JSON on stdin, each answered by a line: imports are paid once

ROW, PORTS and INPUTS are JSON."""

import json
import os
import random
import sys
import tempfile
import time

STARTED = time.perf_counter()
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(ROOT, "tests/oracle"))
TURN = 0.02  # seconds of a turn: the median of several runs where one is shorter
SETS, ROUNDS = 6, (3, 12)  # of sessions; in each at least, at most


def make(row, folder):
    import torch
    import transformers
    from _oracle import redraw

    config = transformers.AutoConfig.for_model(row["type"], **row["config"])
    model = getattr(transformers, row["class"])._from_config(config)
    redraw(model, torch.Generator().manual_seed(20261124))
    model.tie_weights()
    model.save_pretrained(folder)
    return {"parameters": sum(p.numel() for p in model.parameters())}


def optimum(row, folder, out):
    from optimum.exporters.onnx import main_export

    imported = time.perf_counter() - STARTED  # of a process of its own
    main_export(folder, output=out, task=row["task"], device="cpu", do_validation=False, library_name="transformers")
    return {"imports": imported}


def dynamo(row, folder, out, ports):
    import torch
    import transformers

    imported = time.perf_counter() - STARTED
    model = getattr(transformers, row["class"]).from_pretrained(folder).eval()
    kinds = {1: torch.float32, 7: torch.int64}
    outputs = [name for name, _, _ in ports["outputs"]]
    axes = {name: {k: d for k, d in enumerate(dims) if isinstance(d, str) and d not in row["numbers"]} for name, _, dims in ports["inputs"]}
    # Two of everything, unless the row says otherwise: a size of one would be taken for a constant.
    inputs = {
        name: torch.ones([row["numbers"].get(d, row["example"].get(d, 2)) if isinstance(d, str) else d for d in dims], dtype=kinds[kind])
        for name, kind, dims in ports["inputs"]
    }

    class Chosen(torch.nn.Module):
        """Only what Optimum's file gives."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *given):
            result = self.model(**dict(zip(inputs, given)))
            return tuple(result[name] for name in outputs)

    os.makedirs(out, exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(
            Chosen(), tuple(inputs.values()), os.path.join(out, "model.onnx"), dynamo=True, dynamic_shapes={"given": tuple(axes.values())},
            input_names=list(inputs), output_names=outputs, verbose=False,
        )  # fmt: skip
    return {"imports": imported}


def facts(*paths):
    import onnx
    import onnxruntime as ort
    from _optimum import signature

    def nodes(graph):
        return sum(1 + sum(nodes(a.g) for a in n.attribute if a.HasField("g")) for n in graph.node)

    found = []
    for path in paths:
        model = onnx.load(path, load_external_data=False)
        with tempfile.TemporaryDirectory() as scratch:
            options = ort.SessionOptions()
            options.log_severity_level = 3
            options.optimized_model_filepath = os.path.join(scratch, "model.onnx")
            options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
            ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            optimised = onnx.load(options.optimized_model_filepath, load_external_data=False)
        ops = {}
        for n in optimised.graph.node:
            ops[n.op_type] = ops.get(n.op_type, 0) + 1
        folder = os.path.dirname(path)
        names = {path, *(os.path.join(folder, e.value) for t in model.graph.initializer for e in t.external_data if e.key == "location")}
        found.append({
            "inputs": signature(model.graph.input), "outputs": signature(model.graph.output), "nodes": nodes(model.graph),
            "optimised": nodes(optimised.graph), "ops": ops, "size": sum(map(os.path.getsize, names)),
        })  # fmt: skip
    return found


def fill(ports, rng):
    """{name: [kind, dims, least, beyond]} → arrays."""
    import numpy as np

    return {
        name: rng.integers(low, high, dims) if kind == "int" else rng.uniform(low, high, dims).astype(np.float32)
        for name, (kind, dims, low, high) in ports.items()
    }


def turn(session, inputs, repeats):
    """Seconds of a run, the median. Where runs are short the first does not count: it finds another file's weights in the processor's caches."""
    times = []
    for _ in range(repeats + (repeats > 1)):
        start = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - start)
    return sorted(times[repeats > 1 :])[repeats // 2]


def latency(seconds, threads, ports, *paths):
    """Times of each file, in sets: where a session's memory happens to lie makes one file some percent faster or slower than itself, for as
    long as the session lives. So there are several sets of sessions, each loaded in an order of its own."""
    import numpy as np
    from _oracle import session

    inputs, order = fill(ports, np.random.default_rng(1)), random.Random(1)
    times, results = [[] for _ in paths], [None for _ in paths]
    for _ in range(SETS if seconds else 1):
        # Threads that wait do not spin: those of one file would take the processor from another.
        sessions = {i: session(paths[i], threads) for i in order.sample(range(len(paths)), len(paths))}
        for i, s in sessions.items():
            results[i] = s.run(None, inputs)
        once = [turn(s, inputs, 1) for s in sessions.values()]
        repeats = max(1, round(TURN / max(once)))
        rounds = min(max(ROUNDS[0], int(seconds / SETS / (sum(once) * (repeats + 1)))), ROUNDS[1]) if seconds else 1
        for found in times:
            found.append([])
        for _ in range(rounds):
            for i in order.sample(range(len(paths)), len(paths)):
                times[i][-1].append(turn(sessions[i], inputs, repeats))
    apart = max(float(abs(a - b).max() / abs(b).max()) for other in results[1:] for a, b in zip(other, results[0]))
    return {"times": times, "apart": apart, "shapes": {o.name: np.shape(r) for o, r in zip(sessions[1].get_outputs(), results[1])}}


COMMANDS = {"make": make, "optimum": optimum, "dynamo": dynamo, "facts": facts, "latency": latency}


def main():
    stdout, sys.stdout = sys.stdout, sys.stderr  # exporters talk
    command, *given = sys.argv[1:]
    lines = sys.stdin if command == "serve" else [json.dumps([command, *(json.loads(a) if a[:1] in "{[0123456789" else a for a in given)])]
    for line in lines:
        command, *given = json.loads(line)
        try:
            answer = {"answer": COMMANDS[command](*given)}
        except Exception as e:  # whatever it is, whoever asked says what for
            answer = {"error": f"{command}: {type(e).__name__}: {e}"}
        print(json.dumps(answer), file=stdout, flush=True)


if __name__ == "__main__":
    main()
