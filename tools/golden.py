#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/<type>/outputs.txt: what transformers computes in float64 for the golden config with the weights that the test
seeds (SplitMix64, tensor i of tensors.txt from seed i, uniform in [-1, 1)). Then tests/golden/<type>/cases/<name>.txt for each line of
cases.txt, weights seeded by their names and shapes. Run in the oracle environment: tools/golden.py TYPE…"""
import fnmatch
import json
import os
import re
import sys

import torch
import transformers

MASK = (1 << 64) - 1


def fill(n, seed):
    state, out = seed, []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        out.append((z >> 11) * 2.0**-53 * 2 - 1)
    return torch.tensor(out, dtype=torch.float32).double()


def decoder_inputs(heads):
    """Four tokens after three that the caches hold; of the second text the first is padding. heads: (heads, head size) of each cache."""
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1]])
    inputs = {"input_ids": torch.tensor([[3, 1, 12, 7], [5, 5, 2, 0]]), "attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1)[:, 3:]}
    for i, (kv, head) in enumerate(heads):
        for j, kind in enumerate(("key", "value")):
            inputs[f"past_key_values.{i}.{kind}"] = fill(2 * kv * 3 * head, 1000 + 2 * i + j).reshape(2, kv, 3, head)
    return inputs


def run(model, inputs):
    """Outputs by name, in the file's order."""
    past = [inputs[n] for n in inputs if n.startswith("past_key_values")]
    given = {n: t for n, t in inputs.items() if not n.startswith("past_key_values")}
    if not past:
        return model(**given)
    cache = transformers.DynamicCache()
    for i in range(len(past) // 2):
        cache.update(past[2 * i], past[2 * i + 1], i)
    out = {"logits": model(**given, past_key_values=cache, use_cache=True).logits}
    for i, layer in enumerate(cache.layers):
        out |= {f"present.{i}.key": layer.keys, f"present.{i}.value": layer.values}
    return out


def inputs_of(config, past_heads):
    """A batch of two: images where the config speaks of them, sound where it speaks of convolutions, else texts, for decoders with
    caches; three texts beside two images where it speaks of both."""
    if hasattr(config, "text_config") and hasattr(config, "vision_config"):
        texts = {
            "input_ids": torch.tensor([[3, 1, 12, 7, 0], [5, 12, 2, 12, 0], [10, 4, 12, 12, 12]]),
            "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]),
        }
        return {**texts, **inputs_of(config.vision_config, [])}
    if hasattr(config, "image_size"):
        height, width = config.image_size if isinstance(config.image_size, list) else [config.image_size] * 2
        return {"pixel_values": fill(2 * config.num_channels * height * width, 1000).reshape(2, config.num_channels, height, width)}
    if hasattr(config, "conv_kernel"):
        return {"input_values": fill(2 * 41, 1000).reshape(2, 41)}
    if past_heads:
        return decoder_inputs(past_heads)
    return {
        "input_ids": torch.tensor([[3, 1, 12, 7, 0], [5, 5, 2, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "token_type_ids": torch.tensor([[0, 0, 1, 1, 1], [0, 1, 0, 0, 0]]),
    }


def seq2seq_lines(model, layers, heads, head, hidden):
    """Inputs and outputs of each file of an encoder with a decoder, "FILE/NAME"; the merged one has both of its branches."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/oracle"))
    import _seq2seq

    ids, mask = torch.tensor([[3, 1, 12, 7, 4], [5, 5, 2, 0, 0]]), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    states, step = fill(2 * 5 * hidden, 1000).reshape(2, 5, hidden), torch.tensor([[2, 11, 7], [9, 0, 4]])
    lines = {"encoder_model/input_ids": ids, "encoder_model/attention_mask": mask, "encoder_model/last_hidden_state": _seq2seq.encode(model, ids, mask)}
    names = _seq2seq.cache_names(layers, "past_key_values")
    past = {n: fill(2 * heads * (5 if "encoder" in n else 2) * head, 1001 + i).reshape(2, heads, -1, head) for i, n in enumerate(names)}
    common, presents = {"encoder_attention_mask": mask, "input_ids": step}, _seq2seq.cache_names(layers, "present")
    logits, present = _seq2seq.decode(model, step, states, mask)
    first = {**common, "encoder_hidden_states": states, "logits": logits, **dict(zip(presents, present))}
    logits, present = _seq2seq.decode(model, step, states, mask, list(past.values()))
    later = {**common, **past, "logits": logits, **{n: t for n, t in zip(presents, present) if "decoder" in n}}
    none, empty = {n: t[:, :, :0] for n, t in past.items()}, {n: torch.zeros(0) for n in presents if "encoder" in n}
    files = {
        "decoder_model": first,
        "decoder_with_past_model": later,
        "decoder_model_merged": {**none, "use_cache_branch": torch.tensor([0]), **first},
        "decoder_model_merged.cached": {**later, **empty, "encoder_hidden_states": states, "use_cache_branch": torch.tensor([1])},
    }
    return {**lines, **{f"{file}/{name}": t for file, values in files.items() for name, t in values.items()}}


def write(folder, lines):
    with open(os.path.join(folder, "outputs.txt"), "w", encoding="utf-8") as f:
        for name, t in lines.items():
            f.write(f"{name} {' '.join(f'{v:.9g}' for v in t.flatten().tolist())}\n")


# ---- cases -------------------------------------------------------------------------------------------------------------

SPLIT = {  # the classes of one encoder alone
    "clip": {"text_model": "CLIPTextModelWithProjection", "vision_model": "CLIPVisionModelWithProjection"},
    "siglip": {"text_model": "SiglipTextModel", "vision_model": "SiglipVisionModel"},
}
SCORES = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")
POOLED = ("last_hidden_state", "pooler_output")
OUTPUTS = {  # of a class, where they are not its logits; else by its ending
    "CLIPModel": SCORES, "SiglipModel": SCORES, "CLIPVisionModel": POOLED, "SiglipTextModel": POOLED, "SiglipVisionModel": POOLED,
    "CLIPTextModelWithProjection": ("text_embeds",), "CLIPVisionModelWithProjection": ("image_embeds",),
}  # fmt: skip
ENDINGS = {"Model": ("last_hidden_state",), "QuestionAnswering": ("start_logits", "end_logits"), "MaskedImageModeling": ("reconstruction",),
    "XVector": ("logits", "embeddings")}  # fmt: skip
SEGMENTS, LENGTHS, FIRST, MADE = ("albert", "bert", "electra"), (29, 41), 16, ("pixel_values", "input_values")


def seed_of(name, shape):
    h = 0xCBF29CE484222325
    for byte in f"{name} {list(shape)}".encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def merged(into, changes):
    both = {k: merged(into[k], v) if isinstance(v, dict) and isinstance(into.get(k), dict) else v for k, v in changes.items()}
    return {**into, **both}


def seeded(cls, config):
    """Every weight from its shape and its name below the base prefix: which of them a file has is not known here."""
    model = cls._from_config(config, attn_implementation="eager").double().eval()
    statistics = [(n, b) for n, b in model.named_buffers() if "running_" in n]
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *statistics]:
            values = fill(p.numel(), seed_of(name.removeprefix(model.base_model_prefix + "."), p.shape)).reshape(p.shape)
            p.copy_(values.abs() if name.endswith("running_var") else values)
    return model


def case_inputs(config, cls):
    inputs = inputs_of(config, [])
    if cls.endswith("ForImageClassification"):
        return {"pixel_values": inputs["pixel_values"]}
    if "input_ids" in inputs and not hasattr(config, "vision_config"):
        if config.model_type not in SEGMENTS:
            del inputs["token_type_ids"]
        if cls.endswith("MultipleChoice"):  # three choices for each of two questions
            inputs = {n: torch.stack([t, t.flip(0), t.roll(1, -1)], 1) for n, t in inputs.items()}
    if config.model_type == "siglip":
        del inputs["attention_mask"]
    return inputs


def outputs_of(cls):
    found = [names for ending, names in ENDINGS.items() if cls.endswith(ending)]
    return OUTPUTS.get(cls) or (found[0] if found else ("logits",))


def observed(model, inputs, outputs, watched):
    """Outputs, and of each watched module the first result, "@MODULE": in the order in which they are computed."""
    seen, hooks = {}, []

    def hook_of(key):
        def hook(module, args, out):  # gives nothing: what a hook returns takes the place of the module's result
            seen.setdefault(key, out if isinstance(out, torch.Tensor) else out[0])

        return hook

    for path, module in model.named_modules():
        name = path.removeprefix(model.base_model_prefix + ".")
        place = next((place for pattern, place in watched.items() if fnmatch.fnmatchcase(name, pattern)), None)
        if place is None or isinstance(module, torch.nn.Identity):
            continue
        if not (outputs == ENDINGS["Model"] and name.startswith("pooler")):  # which no file of that task has
            key = f"@{name}={place}" if place else f"@{name}"
            hooks.append(module.register_forward_hook(hook_of(key)))
    torch.set_default_dtype(torch.float64)
    with torch.no_grad():
        got = model(**inputs)
    torch.set_default_dtype(torch.float32)
    for hook in hooks:
        hook.remove()
    found = {n: got[n] for n in outputs if got.get(n) is not None}
    if not all(t.isfinite().all() for t in [*found.values(), *seen.values()]):
        sys.exit("the reference is not finite")
    return found, seen


def ragged(rows):
    """One array of rows of different lengths, nan behind their ends."""
    if rows[0].dim() < 2:
        return torch.stack(rows)
    whole = torch.full((len(rows), max(map(len, rows)), *rows[0].shape[1:]), float("nan"), dtype=torch.float64)
    for i, row in enumerate(rows):
        whole[i, : len(row)] = row
    return whole


def masked(model, inputs, outputs, watched):
    """Each row alone, as long as it is: what a file gives for a padded batch. Of the modules, what the first row shows."""
    values = inputs["input_values"]
    runs = [observed(model, {"input_values": values[i : i + 1, :n]}, outputs, watched) for i, n in enumerate(LENGTHS)]
    mask = torch.stack([(torch.arange(values.shape[1]) < n).long() for n in LENGTHS])
    return {**inputs, "attention_mask": mask}, {n: ragged([got[n][0] for got, _ in runs]) for n in outputs}, runs[0][1]


def line(name, t):
    numbers = "seed 1000" if name.rpartition("/")[2] in MADE else " ".join(f"{v:.9g}" for v in t.flatten().tolist())
    return f"{name} {list(t.shape)} {numbers}\n"


def tap(name, t, whole):
    """The largest, the sum, the first few; where the batch has longer rows than the first, which this is: no sum, and no more than all rows begin with."""
    total, count = (t.sum().item(), FIRST) if whole else (float("nan"), min(FIRST, t.shape[-1]))
    return f"{name} {list(t.shape)} {t.abs().max().item():.9g} {total:.9g} {' '.join(f'{v:.9g}' for v in t.flatten().tolist()[:count])}\n"


def file_of(model, cls, inputs, variant, watched, prefix=""):
    names = outputs_of(cls)
    if variant == "with-mask":
        inputs, got, seen = masked(model, inputs, names, watched)
    else:
        got, seen = observed(model, inputs, names, watched)
    lines = [line(prefix + n, t) for n, t in [*inputs.items(), *got.items()]]
    return lines + [tap(prefix + n, t, variant != "with-mask") for n, t in seen.items()]


def case(folder, base, row, watched):
    name, cls, task, variant, changes = row.split(" ", 4)
    config = transformers.AutoConfig.for_model(**merged(base, json.loads(changes)))
    inputs = case_inputs(config, cls)
    if variant == "split":
        lines = []
        for file, tower in SPLIT[config.model_type].items():
            part = config.text_config if file == "text_model" else config.vision_config
            if config.model_type == "clip":  # the classes of one encoder look for the width there
                part.projection_dim = config.projection_dim
            own = {n: t for n, t in inputs.items() if (n == "pixel_values") == (file == "vision_model")}
            own = {n: t[:2] for n, t in own.items()}
            lines += file_of(seeded(getattr(transformers, tower), part), tower, own, variant, watched, file + "/")
    else:
        if task == "feature-extraction":
            cls = transformers.MODEL_MAPPING[type(config)].__name__
        if task == "fill-mask":
            cls = transformers.MODEL_FOR_MASKED_LM_MAPPING[type(config)].__name__
        lines = file_of(seeded(getattr(transformers, cls), config), cls, inputs, variant, watched)
    with open(os.path.join(folder, "cases", name + ".txt"), "w", encoding="utf-8") as f:
        f.writelines(lines)


def cases(folder):
    """Lines of cases.txt: "watch MODULE…" (a pattern; =PLACE where our graph has it elsewhere), "NAME CLASS TASK VARIANT CHANGES"."""
    path, watched = os.path.join(folder, "cases.txt"), {}
    if not os.path.exists(path):
        return
    os.makedirs(os.path.join(folder, "cases"), exist_ok=True)
    with open(path, encoding="utf-8") as f, open(os.path.join(folder, "config.json"), encoding="utf-8") as g:
        rows, base = [text for text in f.read().splitlines() if not text.startswith("#")], json.load(g)
    for row in rows:
        if row.startswith("watch "):
            watched |= {word.partition("=")[0]: word.partition("=")[2] for word in row.split()[1:]}
        else:
            case(folder, base, row, watched)


def outputs(folder):
    config = transformers.AutoConfig.for_model(**json.load(open(os.path.join(folder, "config.json"))))
    cls = getattr(transformers, config.architectures[0])  # "eager" is the form of attention that honours every key of a config
    model = cls._from_config(config, attn_implementation="eager").double().eval()
    state = {}
    for seed, line in enumerate(open(os.path.join(folder, "tensors.txt"))):
        name, shape = line.split(" ", 1)
        dims = [int(d) for d in re.findall(r"\d+", shape)]
        state[name] = fill(int(torch.tensor(dims).prod()), seed).reshape(dims)
    unknown = model.load_state_dict(state, strict=False).unexpected_keys
    if unknown:
        sys.exit(f"the reference has no {unknown}")
    model.tie_weights()
    with open(os.path.join(folder, "graph.txt"), encoding="utf-8") as f:
        graph = f.read()
    torch.set_default_dtype(torch.float64)  # in which some of the reference's masks are made
    cross = re.findall(r" past_key_values\.\d+\.encoder\.key\[batch_size, (\d+), encoder_sequence_length, (\d+)\]", graph)
    if cross:
        layers = 1 + max(int(n) for n in re.findall(r" past_key_values\.(\d+)\.decoder", graph))
        lines = seq2seq_lines(model, layers, int(cross[0][0]), int(cross[0][1]), model.config.hidden_size)
        write(folder, lines)
        return
    heads = re.findall(r" past_key_values\.\d+\.key\[batch_size, (\d+), past_sequence_length, (\d+)\]", graph)
    inputs = {name: t for name, t in inputs_of(config, [(int(n), int(d)) for n, d in heads]).items() if f" {name}[" in graph}
    with torch.no_grad():
        outputs = {name: t for name, t in run(model, inputs).items() if f"-> {name}[" in graph}
    write(folder, {**inputs, **outputs})


def main():
    for family in sys.argv[1:]:
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden", family)
        outputs(folder)
        torch.set_default_dtype(torch.float32)
        cases(folder)


main()
