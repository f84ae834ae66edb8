#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our export beside Optimum's and torch.onnx.export(dynamo=True)'s of the same checkpoints: bench/export.py [--quick] [--write] [--only FAMILY]
[--build DIR].

Inputs, outputs, their order, dtypes and dims (what differs must follow from a rule of DIFFERENCES), nodes, size, time and memory of the
export, and ONNX Runtime's latency. A new family is a row of FAMILIES. --write puts the section into bench/RESULTS.md, where bench/figures.py,
which takes less time, leaves it. --quick judges ports, nodes, sizes and numbers of tiny checkpoints, without a clock: a test."""

import argparse
import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

from _measure import BUILD, ROOT, VENV, WORK, environment, fresh, mib, show, timed, watched

sys.path.insert(0, os.path.join(ROOT, "tests/oracle"))
import _audio_families as sounds  # noqa: E402
import _dual_families as duals  # noqa: E402
import _families as texts  # noqa: E402
import _image_families as images  # noqa: E402

WORKER = os.path.join(ROOT, "bench/_export_worker.py")
DYNAMO_PATH = os.path.join(BUILD, "bench-python")  # what PyTorch's exporter needs beside the oracle's environment
RIVALS = ("Optimum", "dynamo")
AIM = 1.05  # of the upper end of the latency's interval
SECONDS = 2  # of runs for a latency, at least: all families take some 20 minutes on two idle processors
RUNS = 2  # of an export


# ---- families ------------------------------------------------------------------------------------------------------------


def sized(layers, hidden):
    return {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": 12, "intermediate_size": 4 * hidden}


SIZES = {"6 × 384": sized(6, 384), "12 × 768": sized(12, 768)}
SPEED, BASE = SIZES  # every family at SPEED; some at both, in "sizes", and their latency, too, where "at_base" says so


def class_name(kind, family, task):
    return kind.FAMILIES[family]["stem"] + kind.TASKS[task][0]


def text(family, at_base=False, **config):
    words = {"vocab_size": 30522, "max_position_embeddings": 514, **config}
    tiny = {k: v for k, v in texts.FAMILIES[family]["small"].items() if k not in texts.FAMILIES[family].get("lacks", ())}
    return {
        "type": family, "class": class_name(texts, family, "feature-extraction"), "task": "feature-extraction", "at_base": at_base,
        "config": lambda size: texts.spelled(family, {**words, **size}), "tiny": texts.spelled(family, tiny),
        "numbers": lambda config: {},
        "values": {"input_ids": (5, 100), "token_type_ids": (0, 1)},  # least, and beyond the largest; masks are ones
        "shapes": {f"{b}×{s}": {"batch_size": b, "sequence_length": s} for b, s in ((1, 16), (1, 128), (8, 64))},
        "tiny shape": {"batch_size": 3, "sequence_length": 9},
    }  # fmt: skip


def image(family, **config):
    pixels = {"image_size": 224, "patch_size": 16, "num_channels": 3, **config}
    return {
        "type": family, "class": class_name(images, family, "image-classification"), "task": "image-classification", "at_base": False,
        "config": lambda size: {**pixels, **size}, "tiny": images.FAMILIES[family]["small"],
        "numbers": lambda config: {"num_channels": config.get("num_channels", 3), "height": config["image_size"], "width": config["image_size"]},
        "values": {"pixel_values": (-2, 2)},
        "shapes": {f"batch {n}": {"batch_size": n} for n in (1, 2, 8)},
        "tiny shape": {"batch_size": 3},
    }  # fmt: skip


def dual(family, images="batch_size", patch_size=16, **texts_):
    """Both sides are as wide as the size says: no published one is, but each side's work is that of one that is."""

    def config(size):
        return {"text_config": {**texts_, **size}, "vision_config": {**size, "image_size": 224, "patch_size": patch_size}}

    def numbers(config):
        side = config["vision_config"]["image_size"]
        return {"num_channels": 3, "height": side, "width": side}

    task = "zero-shot-image-classification"

    def shape(captions, tokens, pictures):
        return {"text_batch_size": captions, "sequence_length": tokens, images: pictures}

    return {
        "type": family, "class": class_name(duals, family, task), "task": task, "at_base": False,
        "config": config, "tiny": duals.nested(duals.FAMILIES[family]["small"]),
        "numbers": numbers,
        "values": {"input_ids": (5, 90), "pixel_values": (-2, 2)},
        "shapes": {f"{c}×{t}, {p} images": shape(c, t, p) for c, t, p in ((1, 16, 1), (10, 16, 1), (2, 64, 4))},
        "tiny shape": shape(3, 9, 2),
    }  # fmt: skip


def sound(family, task, **config):
    words = {"vocab_size": 32, **config} if task == "automatic-speech-recognition" else config
    return {
        "type": family, "class": class_name(sounds, family, task), "task": task, "at_base": False,
        "config": lambda size: {**words, **size}, "tiny": {**sounds.FAMILIES[family]["small"], **config},
        "numbers": lambda config: {},
        "values": {"input_values": (-1, 1)},
        "shapes": {f"{b}×{s} samples": {"batch_size": b, "sequence_length": s} for b, s in ((1, 16000), (1, 48000), (2, 32000))},
        "tiny shape": {"batch_size": 3, "sequence_length": 200}, "example": {"sequence_length": 4000},
    }  # fmt: skip


STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}  # as the larger published ones have it
FAMILIES = {
    "bert": {**text("bert", at_base=True), "sizes": SIZES},
    "roberta": text("roberta", vocab_size=50265, type_vocab_size=1),
    "distilbert": text("distilbert"),
    "albert": text("albert", vocab_size=30000, embedding_size=128, num_hidden_groups=1, inner_group_num=1),
    "electra": text("electra", embedding_size=128),
    "mpnet": text("mpnet", vocab_size=30527),
    "vit": {**image("vit"), "sizes": SIZES},
    "deit": image("deit"),
    "clip": dual("clip", patch_size=32, vocab_size=49408, max_position_embeddings=77, bos_token_id=49406, eos_token_id=49407, pad_token_id=49407),
    "siglip": dual("siglip", images="image_batch_size", vocab_size=32000, max_position_embeddings=64),
    "wav2vec2": {**sound("wav2vec2", "automatic-speech-recognition"), "sizes": SIZES},
    "wav2vec2, stable": sound("wav2vec2", "automatic-speech-recognition", **STABLE),
    "hubert": sound("hubert", "feature-extraction"),
}


def described(family, size):
    """A row as the worker takes it, of one size or of None, the tiny one."""
    row = FAMILIES[family]
    config = row["config"](SIZES[size]) if size else row["tiny"]
    same = {key: row[key] for key in ("type", "class", "task")}
    return {**same, "config": config, "numbers": row["numbers"](config), "example": row.get("example", {})}


# ---- ports ---------------------------------------------------------------------------------------------------------------

# Rules after which a dim of ours may differ from Optimum's: name, reason, and what must hold of the two dims, the row's numbers, what the
# symbols of Optimum's inputs stood for in a run of its file, and the size that the run gave.
DIFFERENCES = (
    ("a number for num_channels, height, width", "Optimum's file runs at the trained sizes only; ours says so, and a runtime refuses another size by name",
     lambda ours, theirs, numbers, known, ran: theirs in numbers and ours == numbers[theirs]),
    ("a number for a name that the exporter made up", "the size is the same in every run, and the name stands in no input",
     lambda ours, theirs, numbers, known, ran: isinstance(ours, int) and isinstance(theirs, str) and theirs not in known and ours == ran),
    ("the input's name for the number of images", "Optimum calls it batch_size where it goes in and image_batch_size where it comes out",
     lambda ours, theirs, numbers, known, ran: theirs == "image_batch_size" and theirs not in known and ours in known and known[ours] == ran),
    ("a formula for the number of frames", "Optimum calls it sequence_length, which is the number of samples, or formulates it without what follows",
     lambda ours, theirs, numbers, known, ran: worked_out(ours, known) == ran and (theirs in known or worked_out(theirs, known) in (ran, None))),
)  # fmt: skip


def worked_out(dim, known):
    """Of a formula over symbols of the inputs: what it comes to; of anything else nothing."""
    formula = isinstance(dim, str) and "(" in dim and re.fullmatch(r"[\w\s()+*/-]+", dim) and set(re.findall(r"[a-z_]\w*", dim)) <= set(known)
    return eval(dim, {}, known) if formula else None


def differences(ours, theirs, numbers, shape, ran):
    """(rules that were needed, what no rule explains); ran: shapes of the outputs in a run of Optimum's file at this shape."""
    rules, left = set(), []
    known = {d: numbers.get(d, shape.get(d)) for _, _, dims in theirs["inputs"] for d in dims if isinstance(d, str)}
    for what in ("inputs", "outputs"):
        mine, other = ([(name, kind, len(dims)) for name, kind, dims in f[what]] for f in (ours, theirs))
        if mine != other:
            left.append(f"{what}: {mine}, Optimum {other}")
            continue
        for (name, _, dims), (_, _, others) in zip(ours[what], theirs[what]):
            for k, (a, b) in enumerate(zip(dims, others)):
                size = ran[name][k] if name in ran else None
                rule = a == b or next((r for r, _, holds in DIFFERENCES if holds(a, b, numbers, known, size)), None)
                if rule is None:
                    left.append(f"dim {k} of {name}: {a}, Optimum {b}")
                elif rule is not True:
                    rules.add(rule)
    return rules, left


def inputs_of(family, ports, shape):
    """What the worker fills: {name: kind, dims, least, beyond}."""
    given = {}
    for name, kind, dims in ports["inputs"]:
        low, high = FAMILIES[family]["values"].get(name, (1, 2))
        given[name] = ["int" if kind == 7 else "real", [shape[d] if isinstance(d, str) else d for d in dims], low, high]
    return given


# ---- the worker ----------------------------------------------------------------------------------------------------------


def worker_environment():
    path = VENV + ":" + os.environ["PATH"]
    return environment(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TRANSFORMERS_VERBOSITY="error", PYTHONPATH=DYNAMO_PATH, PATH=path)


def worker_argv(command, *given):
    python = [os.path.join(VENV, "python"), "-W", "ignore", WORKER, command]
    return [*python, *(a if isinstance(a, str) else json.dumps(a) for a in given)]


def answer_of(text_):
    """Of a worker's last line."""
    lines = [line for line in text_.splitlines() if line.startswith('{"')]
    document = json.loads(lines[-1]) if lines else {"error": f"no answer: {text_[-300:]}"}
    if "error" in document:
        raise RuntimeError(document["error"])
    return document["answer"]


def ask(command, *given):
    """One command in a process of its own."""
    done = subprocess.run(worker_argv(command, *given), env=worker_environment(), capture_output=True, text=True, check=False)
    return answer_of(done.stdout or done.stderr)


class Server:
    """A worker that answers many."""

    def __init__(self):
        self.process = subprocess.Popen(
            worker_argv("serve"), env=worker_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return answer_of(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


# ---- statistics ----------------------------------------------------------------------------------------------------------


def ratio_of(ours, rivals):
    """Ours over the better of the rivals: of the medians of paired ratios the larger."""
    return max(statistics.median(a / b for a, b in zip(ours, other)) for other in rivals)


def interval(times, draws=1000):
    """The ratio, and the middle 95 % of it over samples, drawn with replacement, of the sets and within each of its rounds."""

    def over(pick):
        ours, *rivals = ([file[k][i] for k, i in pick] for file in times)
        return ratio_of(ours, rivals)

    rng, sets = random.Random(1), [range(len(rounds)) for rounds in times[0]]
    found = []
    for _ in range(draws):
        found.append(over([(k, i) for k in rng.choices(range(len(sets)), k=len(sets)) for i in rng.choices(sets[k], k=len(sets[k]))]))
    found.sort()
    return over([(k, i) for k, rounds in enumerate(sets) for i in rounds]), found[int(0.025 * draws)], found[int(0.975 * draws)]


# ---- the section ---------------------------------------------------------------------------------------------------------


def convert_argv(program, checkpoint, out, *options):
    return [program, "convert", checkpoint, "--output", out, "--validate", "none", "-q", *options]


def file_in(folder):
    return os.path.join(folder, "model.onnx")


def exported(program, family, size, runs):
    """All three files of one checkpoint, and what making them took."""
    row = described(family, size)
    checkpoint = os.path.join(WORK, "export", f"{family}-{size}".replace(" ", ""))
    if not os.path.exists(checkpoint):
        os.makedirs(os.path.dirname(checkpoint), exist_ok=True)
        ask("make", row, checkpoint + ".part")
        os.rename(checkpoint + ".part", checkpoint)
    compared = size == SPEED or FAMILIES[family]["at_base"]  # not only the making of the file
    folders = {who: fresh("export-" + who) for who in ("ours", *RIVALS)}
    env, argv = worker_environment(), worker_argv("optimum", row, checkpoint, folders["Optimum"])
    # Memory of ours in a run of its own: watching costs time, of Optimum's, twenty looks a second, none that shows.
    done = {"ours": watched(convert_argv(program, checkpoint, folders["ours"]), environment())}
    times, memory = {"ours": [], "digest": [], "Optimum": []}, {"ours": done["ours"].tree(), "Optimum": 0}
    for _ in range(runs):
        for who, options in (("digest", ()), ("ours", ("--digest", "none"))):
            fresh("export-ours")
            times[who].append(timed(convert_argv(program, checkpoint, folders["ours"], *options), environment()))
        fresh("export-Optimum")
        done["Optimum"] = watched(argv, env, 0.05)
        times["Optimum"].append(done["Optimum"].seconds)
        memory["Optimum"] = max(memory["Optimum"], done["Optimum"].tree())
    facts = {}
    if compared:
        facts["ours"], facts["Optimum"] = ask("facts", file_in(folders["ours"]), file_in(folders["Optimum"]))
        done["dynamo"] = watched(worker_argv("dynamo", row, checkpoint, folders["dynamo"], facts["Optimum"]), env, 0.05)
        times["dynamo"], memory["dynamo"] = [done["dynamo"].seconds], done["dynamo"].tree()
        (facts["dynamo"],) = ask("facts", file_in(folders["dynamo"]))
    return {
        "row": row, "folders": folders, "times": times, "memory": memory, "imports": answer_of(done["Optimum"].output)["imports"],
        "facts": facts, "source": os.path.getsize(os.path.join(checkpoint, "model.safetensors")),
    }  # fmt: skip


def judged(family, e, shape, threads, seconds, asker):
    """Latency at one shape: the worker's answer; shapes of outputs too, which the rules of DIFFERENCES ask for."""
    given = inputs_of(family, e["facts"]["ours"], shape)
    return asker("latency", seconds, threads, given, *(file_in(e["folders"][who]) for who in ("ours", *RIVALS)))


def emission_lines(rows):
    lines = [
        "### Making the file: `onnxgate convert --validate none --digest none`, `main_export(do_validation=False)`, `torch.onnx.export(dynamo=True)`",
        "",
        "Whole processes; of Optimum's time the imports are stated, too. Neither of the others makes a digest.",
        "",
        "| family, size (weights) | ours | with SHA-256 | Optimum | of which imports | dynamo, one run | times faster than Optimum (aim ≥ 50) | with SHA-256 | "
        "peak memory: ours, Optimum, dynamo | times less than Optimum (aim ≥ 40) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for family, size, e in rows:
        faster, digest = ([b / a for a, b in zip(e["times"][who], e["times"]["Optimum"])] for who in ("ours", "digest"))
        times, memory = e["times"], e["memory"]
        slow = f"{times['dynamo'][0]:.1f} s" if "dynamo" in times else "–"
        lines.append(
            f"| {family}, {size} ({e['source'] / 1e6:.0f} MB) | {show(times['ours'])} | {show(times['digest'])} | {show(times['Optimum'], digits=1)} | "
            f"{e['imports']:.1f} s | {slow} | {show(faster, '×', digits=0)} | {show(digest, '×', digits=0)} | "
            f"{', '.join(mib(memory[who]) for who in memory)} | {memory['Optimum'] / memory['ours']:.0f} × |"
        )
    return [*lines, ""]


def graph_lines(rows):
    lines = [
        f"### The file: {SPEED}; nodes as written, and as ONNX Runtime runs them",
        "",
        "| family | nodes: ours, Optimum, dynamo | optimised: ours, Optimum, dynamo | size: ours, Optimum, dynamo | ports that differ from Optimum's |",
        "|---|---|---|---|---|",
    ]
    used = set()
    for family, e in ((family, e) for family, size, e in rows if size == SPEED):
        f = [e["facts"][who] for who in ("ours", *RIVALS)]
        used |= set(e["rules"])
        lines.append(
            f"| {family} | {', '.join(str(x['nodes']) for x in f)} | {', '.join(str(x['optimised']) for x in f)} | "
            f"{', '.join('%.2f MB' % (x['size'] / 1e6) for x in f)} | {'; '.join(sorted(e['rules'])) or 'none'} |"
        )
    return [*lines, "", *(f"- {name}: {why}." for name, why, _ in DIFFERENCES if name in used), ""]


def latency_lines(rows):
    lines = [
        "### ONNX Runtime's latency, processor only: ours over the better of the two others",
        "",
        "Median of paired ratios over interleaved rounds in random order and over several sessions of each file, and the middle 95 % of 1000 bootstrap",
        "samples; 0 threads: as many as processors. The control is a file of ours against itself: what is not seen there is no difference.",
        "",
        "| family, size | shape | threads | ours | Optimum | dynamo | ratio (95 %), aim: upper end ≤ 1.05 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, shape, threads, times in rows:
        r, low, high = interval(times)
        mark = "" if high <= AIM else "**"
        medians = " | ".join(f"{1e3 * statistics.median(sum(t, [])):.2f} ms" for t in times)
        lines.append(f"| {name} | {shape} | {threads} | {medians} | {mark}{r:.3f} ({low:.3f}–{high:.3f}){mark} |")
    return [*lines, ""]


def latencies_of(family, size, e):
    """Rows of times, and of the last of them the shape and the shapes of outputs in a run of Optimum's file."""
    rows, found = [], {}
    for shape, sizes in FAMILIES[family]["shapes"].items():
        for threads in (1, 0):
            found = judged(family, e, sizes, threads, SECONDS, ask)
            rows.append((f"{family}, {size}", shape, threads, found["times"]))
    return rows, sizes, found["shapes"]


def control(family, size, e):
    """One file three times: what the figures of the others are worth."""
    ours = {**e, "folders": dict.fromkeys(e["folders"], e["folders"]["ours"])}
    return [(f"control: {name}", *rest) for name, *rest in latencies_of(family, size, ours)[0]]


def measured(program, family, size, runs, first):
    """One checkpoint's figures, as they are kept: what was made, rows of latency, and of the first one a control's."""
    e, rows, controls = exported(program, family, size, runs), [], []
    if e["facts"]:
        rows, shape, ran = latencies_of(family, size, e)
        rules, left = differences(e["facts"]["ours"], e["facts"]["Optimum"], e["row"]["numbers"], shape, ran)
        if left:
            raise SystemExit(f"{family}: ports that no rule explains: {'; '.join(left)}")
        e["rules"], controls = sorted(rules), control(family, size, e) if first else []
    for folder in e["folders"].values():
        fresh(folder)
    return {"file": e, "rows": rows, "controls": controls}


def kept(program, family, size, runs, first):
    """The same, from build/bench/export/ where these very programs have measured it already: a run that was stopped goes on where it was."""
    mark = hashlib.sha256(json.dumps([described(family, size), runs, first]).encode())
    for path in (program, os.path.join(os.path.dirname(program), "libonnxgate.so"), WORKER, __file__):
        if os.path.exists(path):
            with open(path, "rb") as f:
                mark.update(f.read())
    path = os.path.join(WORK, "export", f"{family}-{size}-{mark.hexdigest()[:16]}.json".replace(" ", ""))
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        figures = measured(program, family, size, runs, first)
        with open(path + ".part", "w", encoding="utf-8") as f:
            json.dump(figures, f)
        os.rename(path + ".part", path)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def measure(runs, program, only=""):
    """(lines for RESULTS.md, rows for the summary)"""
    files, latencies, controls, start = [], [], [], time.perf_counter()
    wanted = [(family, size) for family in FAMILIES if only in family for size in FAMILIES[family].get("sizes", (SPEED,))]
    for i, (family, size) in enumerate(wanted):
        print(f"measuring: export: {i + 1} of {len(wanted)}: {family}, {size}; {time.perf_counter() - start:.0f} s so far", file=sys.stderr, flush=True)
        figures = kept(program, family, size, runs, i == 0)
        files.append((family, size, figures["file"]))
        latencies += figures["rows"]
        controls += figures["controls"]
    lines = [f"{TITLE}, {len(files)} checkpoints, {runs} alternating runs", "", "Written by `python3 bench/export.py --write`.", ""]
    lines += emission_lines(files) + graph_lines(files) + latency_lines(controls + latencies)
    return lines[:-1], summary(files, latencies)


def summary(files, latencies):
    rows = []
    for size in SIZES:
        of = [(family, e) for family, s, e in files if s == size]
        if not of:
            continue
        faster, who = min((statistics.median(b / a for a, b in zip(e["times"]["ours"], e["times"]["Optimum"])), family) for family, e in of)
        rows.append((f"export without validation or digest, {size}, against Optimum's, the family with the least ({who})", f"{faster:.0f} × faster", "≥ 50 ×"))
    less, who = min((e["memory"]["Optimum"] / e["memory"]["ours"], f"{family}, {size}") for family, size, e in files)
    rows.append((f"the same, peak memory, the least ({who})", f"{less:.0f} × less", "≥ 40 ×"))
    found = [(interval(times), f"{name}, {shape}, {threads} threads") for name, shape, threads, times in latencies]
    middle, (worst, who) = statistics.median(r for (r, _, _), _ in found), max(found, key=lambda f: f[0][2])
    within = sum(high <= AIM for (_, _, high), _ in found)
    rows.append((f"latency, ours over the better of Optimum's and dynamo's file, median of {len(found)} settings", f"{middle:.3f}", "≤ 1"))
    rows.append((f"the same, upper end of the 95 % interval: within the aim in {within} of {len(found)}; the highest ({who})", f"{worst[2]:.3f}", "≤ 1.05"))
    return rows


# ---- the test ------------------------------------------------------------------------------------------------------------


def quick_family(server, program, family, check):
    row, folders = described(family, None), {who: fresh(f"quick-{family}-{who}") for who in ("checkpoint", "ours", *RIVALS)}
    checkpoint = folders["checkpoint"]
    server.ask("make", row, checkpoint)
    timed(convert_argv(program, checkpoint, folders["ours"]), environment())
    server.ask("optimum", row, checkpoint, folders["Optimum"])
    ours, theirs = server.ask("facts", file_in(folders["ours"]), file_in(folders["Optimum"]))
    server.ask("dynamo", row, checkpoint, folders["dynamo"], theirs)
    (other,) = server.ask("facts", file_in(folders["dynamo"]))
    e = {"folders": folders, "facts": {"ours": ours, "Optimum": theirs, "dynamo": other}}
    found = judged(family, e, FAMILIES[family]["tiny shape"], 1, 0, server.ask)
    rules, left = differences(ours, theirs, row["numbers"], FAMILIES[family]["tiny shape"], found["shapes"])
    check(not left, f"{family}: ports as Optimum's" + (f", but for {', '.join(sorted(rules))}" if rules else "") + "; ".join(["", *left]))
    for what in ("nodes", "optimised"):
        counts = [f[what] for f in (ours, theirs, other)]
        check(counts[0] <= counts[1], f"{family}: {what}: ours {counts[0]}, Optimum {counts[1]}, dynamo {counts[2]}")
    check(ours["size"] <= 1.01 * theirs["size"], f"{family}: size: ours {ours['size']}, Optimum {theirs['size']}, dynamo {other['size']}")
    check(found["apart"] <= 1e-4, f"{family}: the three files give the same numbers, {found['apart']:.1e} apart")
    for folder in folders.values():
        fresh(folder)


def quick(program, only):
    passed, failed, server = 0, 0, Server()

    def check(ok, text_):
        nonlocal passed, failed
        passed, failed = passed + bool(ok), failed + (not ok)
        print(("ok      " if ok else "FAILED  ") + text_, flush=True)

    for family in (f for f in FAMILIES if only in f):
        try:
            quick_family(server, program, family, check)
        except (RuntimeError, OSError, SystemExit) as e:
            check(False, f"{family}: {e}")
    server.stop()
    print(f"{passed} passed, {failed} failed")
    return failed or not passed


TITLE = "## The export beside Optimum's and PyTorch's"


def section():
    """That of bench/RESULTS.md as it is; "" when there is none."""
    with open(os.path.join(ROOT, "bench/RESULTS.md"), encoding="utf-8") as f:
        text = f.read()
    return text[text.index(TITLE) :] if TITLE in text else ""


def write(lines):
    """The last section of bench/RESULTS.md."""
    path, old = os.path.join(ROOT, "bench/RESULTS.md"), section()
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[: len(text) - len(old)].rstrip("\n") + "\n\n" + "\n".join(lines).rstrip("\n") + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--quick", action="store_true", help="judge tiny checkpoints, without a clock")
    p.add_argument("--write", action="store_true", help="put the section into bench/RESULTS.md")
    p.add_argument("--only", default="", help="families whose name contains this")
    p.add_argument("--build", default=BUILD, help="folder of the built program")
    p.add_argument("--runs", type=int, default=RUNS, help="alternating runs of an export")
    args = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    program = os.path.join(os.path.abspath(args.build), "onnxgate")
    if args.quick:
        sys.exit(quick(program, args.only))
    lines, summary = measure(args.runs, program, args.only)
    print("\n".join(lines) + "\n")
    for row in summary:
        print("%s: %s (aim: %s)" % row)
    if args.write:
        write([*lines, "", *("- %s: %s (aim: %s)" % row for row in summary)])


if __name__ == "__main__":
    main()
