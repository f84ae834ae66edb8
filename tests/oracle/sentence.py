#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sentence-transformers models against that library's formulas: an encoder of transformers in float64, and what modules.json puts behind it, written
here in torch float64. Every pooling mode and mixture, old and new configs, Dense with each activation and form of file, LayerNorm, Normalize,
modules on tokens, several lengths, paddings on both sides, rows without any token; --plain; what must be refused. The limit is 1e-5 of an output's scale."""

import json
import os
import shutil

import numpy as np
import torch
import transformers
from _families import FAMILIES, input_names, longest_text
from _oracle import LIMIT, ROOT, Run, as_default, load_reference, make_inputs, over_valid, session
from safetensors.torch import save_file
from text_numeric import TEXT

OUTPUTS = ["token_embeddings", "sentence_embedding"]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
OLD_KEYS = dict(zip(MODES, ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]))
ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": torch.tanh,
    "torch.nn.modules.linear.Identity": lambda x: x,
    "torch.nn.modules.activation.ReLU": torch.relu,
    "torch.nn.modules.activation.ReLU6": torch.nn.functional.relu6,
    "torch.nn.modules.activation.GELU": torch.nn.functional.gelu,
    "torch.nn.modules.activation.Sigmoid": torch.sigmoid,
    "torch.nn.modules.activation.SiLU": torch.nn.functional.silu,
    "torch.nn.modules.activation.Mish": torch.nn.functional.mish,
    "torch.nn.modules.activation.LeakyReLU": torch.nn.functional.leaky_relu,
    None: torch.tanh,
}


# ---- modules, as a list of (class, config, tensors) behind the transformer --------------------------------------------------


def pooling(width, modes, old=True, **more):
    if old:
        config = {"word_embedding_dimension": width, **{f"pooling_mode_{OLD_KEYS[m]}": m in modes for m in MODES}}
    else:
        config = {"embedding_dimension": width, "pooling_mode": modes if len(modes) != 1 else modes[0]}
    return "Pooling", {**config, **more}, None


def dense(g, width, out, activation="torch.nn.modules.activation.Tanh", bias=True, **more):
    config = {"in_features": width, "out_features": out, "bias": bias, **({"activation_function": activation} if activation else {}), **more}
    tensors = {"linear.weight": torch.randn(out, width, generator=g) / width**0.5}
    return "Dense", config, {**tensors, **({"linear.bias": torch.randn(out, generator=g) * 0.4} if bias else {})}


def layer_norm(g, width):
    return "LayerNorm", {"dimension": width}, {"norm.weight": 1 + 0.3 * torch.randn(width, generator=g), "norm.bias": 0.4 * torch.randn(width, generator=g)}


PLACES, FILES = {"Dense": "base.modules"}, {"LayerNorm": "layer_norm"}  # of new types
NORMALIZE = ("Normalize", None, None)
DROPOUT = ("Dropout", {"dropout": 0.1}, None)


def write_modules(folder, modules, form):
    rows = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    if form.get("new_types"):
        rows[0]["type"] = "sentence_transformers.base.modules.transformer.Transformer"
    for i, (name, config, tensors) in enumerate(modules, 1):
        path = f"{i}_{name}"
        kind = f"sentence_transformers.{PLACES.get(name, 'sentence_transformer.modules')}.{FILES.get(name, name.lower())}.{name}"
        kind = kind if form.get("new_types") else f"sentence_transformers.models.{name}"
        rows.append({"idx": i, "name": str(i), "path": path, "type": kind})
        os.makedirs(os.path.join(folder, path), exist_ok=True)
        if config is not None:
            with open(os.path.join(folder, path, "config.json"), "w", encoding="utf-8") as f:
                json.dump(config, f)
        if tensors and form.get("bin"):
            torch.save(tensors, os.path.join(folder, path, "pytorch_model.bin"))
        elif tensors:
            tensors = {k: v.to(form.get("dtype", torch.float32)).contiguous() for k, v in tensors.items()}
            save_file(tensors, os.path.join(folder, path, "model.safetensors"))
    with open(os.path.join(folder, "modules.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f)
    with open(os.path.join(folder, "sentence_bert_config.json"), "w", encoding="utf-8") as f:
        json.dump({"max_seq_length": 32, "do_lower_case": False}, f)


# ---- the judge --------------------------------------------------------------------------------------------------------------


def pool(x, mask, mode):
    m = mask.to(x.dtype).unsqueeze(-1)
    rows = torch.arange(x.shape[0])
    if mode == "cls":
        return x[rows, mask.argmax(1)]
    if mode == "max":
        return x.masked_fill(m == 0, float("-inf")).max(1).values
    if mode == "mean":
        return (x * m).sum(1) / m.sum(1).clamp(min=1e-9)
    if mode == "mean_sqrt_len_tokens":
        return (x * m).sum(1) / m.sum(1).clamp(min=1e-9).sqrt()
    if mode == "weightedmean":
        w = m * torch.arange(1, x.shape[1] + 1, dtype=x.dtype).reshape(1, -1, 1)
        return (x * w).sum(1) / w.sum(1).clamp(min=1e-9)
    last = [max((p for p in range(x.shape[1]) if row[p]), default=0) for row in mask.tolist()]
    return (x * m)[rows, torch.tensor(last)]


def modes_of(config):
    if "pooling_mode" in config:
        return [config["pooling_mode"]] if isinstance(config["pooling_mode"], str) else config["pooling_mode"]
    return [m for m in MODES if config.get(f"pooling_mode_{OLD_KEYS[m]}")] or ["mean"]


def reference(encoder, modules, inputs, dtype):
    ids, mask = (torch.from_numpy(inputs[k]) for k in ("input_ids", "attention_mask"))
    with torch.no_grad(), as_default(dtype):
        x, s = encoder(input_ids=ids, attention_mask=mask).last_hidden_state, None
        for name, config, tensors in modules:
            t = {k: v.to(dtype) for k, v in (tensors or {}).items()}
            if name == "Pooling":
                s = torch.cat([pool(x, mask, m) for m in modes_of(config)], -1)
            elif name == "Dense":
                on_tokens = config.get("module_input_name") == "token_embeddings"
                y = torch.nn.functional.linear(x if on_tokens else s, t["linear.weight"], t.get("linear.bias"))
                y = ACTIVATIONS[config.get("activation_function")](y)
                x, s = (y, s) if on_tokens else (x, y)
            elif name == "LayerNorm":
                s = torch.nn.functional.layer_norm(s, s.shape[-1:], t["norm.weight"], t["norm.bias"])
            elif name == "Normalize" and s is not None:
                s = torch.nn.functional.normalize(s, p=2, dim=1)
    return [x.double().numpy(), s.double().numpy()]


def inputs_of(rng, vocab, longest, rowless):
    for batch, length, padding in (
        (1, 1, "none"), (3, 2, "right"), (3, 2, "left"), (4, 17, "right"), (4, 17, "left"), (2, longest, "left"), (2, longest, "none"),
    ):  # fmt: skip
        inputs = make_inputs(rng, (batch, min(length, longest)), vocab, 1, padding)
        if rowless and batch == 4:
            inputs["attention_mask"][2] = 0
        yield {k: inputs[k] for k in ("input_ids", "attention_mask")}


def compare(folder, converted, cls, modules, vocab, longest, seed):
    exact, single = (load_reference(cls, folder, t) for t in (torch.float64, torch.float32))
    s = session(os.path.join(converted, "model.onnx"))
    assert [i.name for i in s.get_inputs()] == ["input_ids", "attention_mask"], [i.name for i in s.get_inputs()]
    assert [o.name for o in s.get_outputs()] == OUTPUTS
    rowless = all("max" not in modes_of(c) for n, c, _ in modules if n == "Pooling")
    width, shapes = 0, [o.shape for o in s.get_outputs()]
    worst = [[0.0, 0.0, 0.0] for _ in OUTPUTS]
    for inputs in inputs_of(np.random.default_rng(seed), vocab, longest, rowless):
        want, other = reference(exact, modules, inputs, torch.float64), reference(single, modules, inputs, torch.float32)
        for i, found in enumerate(s.run(OUTPUTS, inputs)):
            mine, scale = over_valid(found, want[i], inputs["attention_mask"] if i == 0 else np.ones(len(found)))
            theirs, _ = over_valid(other[i], want[i], inputs["attention_mask"] if i == 0 else np.ones(len(found)))
            worst[i] = [max(worst[i][0], mine), max(worst[i][1], theirs), max(worst[i][2], scale)]
        width = want[1].shape[-1]
    assert shapes == [["batch_size", "sequence_length", want[0].shape[-1]], ["batch_size", width]], shapes
    return max(((m / c, o / c) for m, o, c in worst), key=lambda f: f[0] / max(LIMIT, 2 * f[1]))


# ---- the cases --------------------------------------------------------------------------------------------------------------


def cases():
    g, h = torch.Generator().manual_seed(5), 48
    for family in FAMILIES:
        yield family, "mean, normalised", [pooling(h, ["mean"]), NORMALIZE], {}
        yield family, "all modes", [pooling(h, MODES), dense(g, 6 * h, 31)], {}
    for mode in MODES:
        yield "bert", f"{mode}, old keys", [pooling(h, [mode])], {}
        yield "mpnet", f"{mode}, new keys", [pooling(h, [mode], old=False), NORMALIZE], {"new_types": True}
    yield "bert", "a list in an order of its own", [pooling(h, ["lasttoken", "mean", "cls", "mean"], old=False)], {"new_types": True}
    yield "bert", "no mode means mean", [pooling(h, [])], {}
    yield "bert", "include_prompt false", [pooling(h, ["mean"], include_prompt=False)], {}
    for i, activation in enumerate(ACTIVATIONS):
        yield "bert", f"Dense with {activation}", [pooling(h, ["mean"]), dense(g, h, 20 + i, activation), NORMALIZE], {"bin": i % 2 == 0}
    yield "bert", "Dense without bias", [pooling(h, ["cls"]), dense(g, h, 33, bias=False)], {}
    yield "mpnet", "square Dense, fp16", [pooling(h, ["mean"]), dense(g, h, h)], {"dtype": torch.float16}
    twice = [dense(g, h, 64), layer_norm(g, 64), dense(g, 64, 16), layer_norm(g, 16)]
    yield "albert", "two of everything", [pooling(h, ["mean"]), *twice, NORMALIZE], {"new_types": True}
    yield "bert", "Dense on tokens", [dense(g, h, 25, module_input_name="token_embeddings"), pooling(25, ["mean", "max"])], {}
    yield "bert", "Normalize before the pooling, Dropout behind it", [NORMALIZE, pooling(h, ["mean"]), DROPOUT], {}


def rounded(modules, form):
    dtype = form.get("dtype")
    return [(n, c, {k: v.to(dtype).float() for k, v in t.items()} if t and dtype else t) for n, c, t in modules]


def made(run):
    worst = (0.0, "")
    for i, (family, name, modules, form) in enumerate(cases()):
        title = f"{family}: {name}"
        if not run.wants(title):
            continue
        try:
            c = TEXT.case(family, name, "feature-extraction", seed=500 + i)
            folder = TEXT.make_checkpoint(run, c)
            write_modules(folder, modules, form)
            converted, document = run.convert(folder)
            cls = getattr(transformers, FAMILIES[family]["stem"] + "Model")
            ours, theirs = compare(folder, converted, cls, rounded(modules, form), c["config"]["vocab_size"], longest_text(family, c["config"]), 500 + i)
            run.check(ours <= max(LIMIT, 2 * theirs), f"{title}: error {ours:.1e} (float32 {theirs:.1e})")
            if "include_prompt" in name:
                run.check(any("include_prompt" in n for n in document["notes"]), f"{title}: a note says what the file cannot do")
            worst = max(worst, (ours, title))
        except Exception as e:  # whatever it is, it is this case's
            run.check(False, f"{title}: {type(e).__name__}: {e}")
    print(f"largest error of ours: {worst[0]:.1e} ({worst[1]})")


def plain(run):
    for family in FAMILIES:
        folder = TEXT.make_checkpoint(run, TEXT.case(family, "plain", "feature-extraction", seed=600))
        bare, _ = run.convert(folder)
        kept = shutil.copytree(bare, bare + ".bare")
        write_modules(folder, [("Router", {}, None)], {})
        converted, _ = run.convert(folder, "--plain")
        same = all(open(os.path.join(d, "model.onnx"), "rb").read() == open(os.path.join(kept, "model.onnx"), "rb").read() for d in (converted,))
        names = [i.name for i in session(os.path.join(converted, "model.onnx")).get_inputs()]
        run.check(same and names == input_names(family), f"{family}: --plain gives the bytes of the encoder alone, whatever its modules are")


def refusals(run):
    g, h = torch.Generator().manual_seed(6), 48
    good = [pooling(h, ["mean"]), dense(g, h, 8)]
    rows = [
        ("a Router", [("Router", {}, None)], (6,), "Router"),
        ("a WeightedLayerPooling", [("WeightedLayerPooling", {}, None), good[0]], (6,), "WeightedLayerPooling"),
        ("no Pooling", [NORMALIZE], (6,), "Pooling"),
        ("nothing behind the transformer", [], (6,), "Pooling"),
        ("Dense before the Pooling", [good[1], good[0]], (6,), "1_Dense"),
        ("an unknown mode", [pooling(h, ["median"], old=False)], (6,), "median"),
        ("an unknown key", [pooling(h, ["mean"], temperature=2)], (6,), "temperature"),
        ("an activation with parameters", [good[0], dense(g, h, 8, "torch.nn.modules.activation.PReLU")], (6,), "PReLU"),
        ("an activation of somebody's own", [good[0], dense(g, h, 8, "mine.Tanh")], (6,), "mine.Tanh"),
        ("a width that does not follow", [good[0], dense(g, h + 1, 8)], (11,), "2_Dense/config.json"),
        ("a pooling of another width", [pooling(h + 1, ["mean"])], (11,), "1_Pooling/config.json"),
        ("a matrix of another shape", [good[0], ("Dense", good[1][1], {**good[1][2], "linear.weight": torch.zeros(9, h)})], (11,), "2_Dense"),
        ("a bias that is not there", [good[0], ("Dense", good[1][1], {"linear.weight": good[1][2]["linear.weight"]})], (12,), "2_Dense"),
        ("a tensor that nothing uses", [good[0], ("Dense", good[1][1], {**good[1][2], "extra.weight": torch.zeros(2)})], (12,), "2_Dense"),
        ("Dense without its weights", [good[0], ("Dense", good[1][1], None)], (3,), "2_Dense"),
    ]
    for name, modules, wanted, says in rows:
        folder = TEXT.make_checkpoint(run, TEXT.case("bert", "refused", "feature-extraction", seed=700))
        write_modules(folder, modules, {})
        out = folder + ".refused"
        code, _, stderr = run.onnxgate("convert", folder, "--output", out)
        fits = code in wanted and says in stderr and not os.path.exists(out)
        run.check(fits, f"refused: {name}: exit code {code} (expected {wanted}): {[n for n in stderr.split(chr(10)) if n][-2:]}")


def minilm(run):
    folder = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2")
    out = os.path.join(run.scratch, "minilm")
    code, _, stderr = run.onnxgate("convert", folder, "--output", out)
    if not run.check(code == 0, f"all-MiniLM-L6-v2: convert, exit code {code} {stderr.strip()[-300:]}"):
        return
    text = ["A man is eating food.", "The quick brown fox jumps over the lazy dog, twice.", "ONNX", "x " * 300, "Überraschung: 東京は雨です。"]
    encoder, s, worst = load_reference(transformers.BertModel, folder, torch.float64), session(os.path.join(out, "model.onnx")), 0.0
    for side in ("right", "left"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(out, padding_side=side, model_max_length=256)
        inputs = {k: v.astype(np.int64) for k, v in tokenizer(text, padding=True, truncation=True, return_tensors="np").items() if k != "token_type_ids"}
        want = reference(encoder, [pooling(384, ["mean"]), NORMALIZE], inputs, torch.float64)[1]
        error, scale = over_valid(s.run(["sentence_embedding"], inputs)[0], want, np.ones(len(text)))
        worst = max(worst, error / scale)
    run.check(worst <= LIMIT, f"all-MiniLM-L6-v2: sentence_embedding, error {worst:.1e}")


def main():
    run = Run(__doc__.split("\n", maxsplit=1)[0])
    made(run)
    if run.wants("plain"):
        plain(run)
    if run.wants("refused"):
        refusals(run)
    if run.wants("all-MiniLM-L6-v2"):
        minilm(run)
    run.finish()


if __name__ == "__main__":
    main()
