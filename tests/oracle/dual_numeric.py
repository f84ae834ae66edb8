#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The models of _dual_families.py against transformers: every task and switch, other numbers of texts than of images, several lengths and
paddings, texts that end once, twice, under the padding or never. Errors and their limit are _numeric.py's, over everything: a text may be
pooled where it is padded, and then it must be pooled as the reference does it. At last the two files of --split."""

import os
import sys

import numpy as np
import torch
import transformers
from _dual_families import FAMILIES, SECTIONS, TASKS, has_texts, key_of, nested
from _numeric import ACTIVATIONS, Kind, judge_dims, main
from _oracle import Worst, as_default, make_inputs, run_reference, session
from image_numeric import make_images

DEFAULT_EOS = 49407  # of both config classes
DEFAULT_LENGTH = {"clip": 77, "siglip": 64}


def image_cases(of, task, family, first):
    """The switches of an image encoder."""

    def key(name):
        return key_of(family, "vision", name)

    changes = (
        ("one channel", {"num_channels": 1}),
        ("5 channels", {"num_channels": 5}),
        ("patches that do not fill the image", {"image_size": 29}),
        ("one patch", {"image_size": 8, "patch_size": 8}),
        ("patches of one pixel", {"image_size": 4, "patch_size": 1}),
        ("9 layers", {"num_hidden_layers": 9}),
        ("one layer, one head, one unit", {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 1}),
        ("heads of width 3", {"num_attention_heads": 12}),
        ("as many units as positions", {"intermediate_size": 17, "image_size": 16, "patch_size": 4}),
        ("layer_norm_eps 1e-12", {"layer_norm_eps": 1e-12}),
        ("layer_norm_eps 0.1", {"layer_norm_eps": 0.1}),
    )
    for i, (name, change) in enumerate(changes):
        yield of(f"images: {name}", task, {key(k): v for k, v in change.items()}, seed=first + i)
    for i, act in enumerate(ACTIVATIONS):
        yield of(f"images: hidden_act {act}", task, {key("hidden_act"): act}, seed=first + 20 + i)


def text_cases(of, task, family, first):
    """The switches of a text encoder."""
    changes = (
        ("9 layers", {"num_hidden_layers": 9}),
        ("one layer, one head, one unit", {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 1}),
        ("heads of width 2", {"num_attention_heads": 20}),
        ("as wide as the vocabulary", {"hidden_size": 99, "num_attention_heads": 3, "intermediate_size": 99}),
        ("two positions", {"max_position_embeddings": 2}),
        ("one position", {"max_position_embeddings": 1}),
        ("layer_norm_eps 1e-12", {"layer_norm_eps": 1e-12}),
        ("layer_norm_eps 0.1", {"layer_norm_eps": 0.1}),
        ("eos_token_id 2, where the largest id ends a text", {"eos_token_id": 2}),
        ("eos_token_id 2, one layer", {"eos_token_id": 2, "num_hidden_layers": 1}),
        ("eos_token_id 0", {"eos_token_id": 0}),
        ("eos_token_id 3", {"eos_token_id": 3}),
        ("eos_token_id beyond the vocabulary", {"eos_token_id": 100}),
        ("eos_token_id by default", {"eos_token_id": DEFAULT_EOS}),
    )
    for i, (name, change) in enumerate(changes):
        yield of(f"texts: {name}", task, {f"text_config.{k}": v for k, v in change.items()}, seed=first + i)
    for i, act in enumerate(ACTIVATIONS):
        yield of(f"texts: hidden_act {act}", task, {"text_config.hidden_act": act}, seed=first + 20 + i)
    wide = {"text_config.max_position_embeddings": DEFAULT_LENGTH[family], "text_config.num_hidden_layers": 2}
    yield of("as long as published", task, wide, seed=first + 50)


def own_cases(of, task, family):
    """What a config may say in more than one way, and the keys of one family."""
    yield of("all keys, inert ones of old releases among them", task, seed=1400, full=True)
    if family == "clip":
        yield of("text_config_dict beside a wrong text_config", task, seed=1401, old_names=True)
        yield of("text_config_dict alone", task, seed=1402, old_names=True, alone=True)
        yield of("another projection_dim", task, {"projection_dim": 1}, seed=1403)
        yield of("as wide as both towers", task, {"projection_dim": 36, "text_config.hidden_size": 36}, seed=1404)
        yield of("projection_dim of the parts says otherwise", task, {"text_config.projection_dim": 5, "vision_config.projection_dim": 6}, seed=1405)
        yield of("logit_scale_init_value says otherwise", task, {"logit_scale_init_value": 9.5}, seed=1406)
        yield of("positions as buffers in the file", task, seed=1407, buffers=True)
    else:
        yield of("text_config.projection_size null", task, {"text_config.projection_size": None, "text_config.hidden_size": 36}, seed=1411)
        same = {"text_config.projection_size": 36, "text_config.hidden_size": 36}
        yield of("text_config.projection_size absent", task, same, seed=1412, drop="projection_size")
        yield of("vision_config.vision_use_head true", task, {"vision_config.vision_use_head": True}, seed=1413)
        yield of("positions as buffers in the file", task, seed=1414, buffers=True)


class Dual(Kind):
    families, tasks, absent = FAMILIES, TASKS, "image-classification"
    # full: config.json with every key; old_names: the sections under their old names, beside them (unless alone) others of nonsense;
    # buffers: positions among the tensors; drop: a key that is left out of the sections.
    forms = {"full": False, "old_names": False, "alone": False, "buffers": False, "drop": None}

    def of(self, family):
        def make(name, task, config=None, seed=0, **form):
            wanted = ("--task", task) if task == "feature-extraction" and has_texts(family) else ()
            return self.case(family, name, task, config, seed, options=wanted, **form)

        return make

    def fixed_cases(self, family):
        """Each task in each form, then each switch, in the task that shows most."""
        of, tasks = self.of(family), FAMILIES[family]["tasks"]
        for i, task in enumerate(tasks):
            yield of(task, task, seed=100 + i)
            yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
            yield of("bf16", task, seed=120 + i, dtype="bfloat16")
            yield from image_cases(of, task, family, 200 + 100 * i)
        if has_texts(family):
            yield from text_cases(of, tasks[0], family, 1200)
            yield from own_cases(of, tasks[0], family)
        if "image-classification" in tasks:
            for n in (1, 2, 7, 1000):
                yield of(f"num_labels {n}", "image-classification", {"num_labels": n}, seed=1500 + n)
        if family == "clip_vision_model":
            yield of("with its projection", tasks[0], seed=1600, saved_as="CLIPVisionModelWithProjection")
            yield of("positions as buffers in the file", tasks[0], seed=1601, buffers=True)

    def random_case(self, family, rng, pick):
        def tower():
            heads = int(rng.integers(1, 7))
            return {
                "num_attention_heads": heads,
                "hidden_size": heads * int(rng.integers(-(-16 // heads), 24)),  # a norm over a handful of elements is a switch
                "intermediate_size": int(rng.integers(1, 120)),
                "num_hidden_layers": int(rng.integers(1, 6)),
                "hidden_act": pick(ACTIVATIONS),
                "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            }

        task, patch = pick(FAMILIES[family]["tasks"]), int(rng.integers(1, 9))
        side = patch * int(rng.integers(1, 6)) + int(rng.integers(patch))
        images = {**tower(), "patch_size": patch, "image_size": side, "num_channels": int(rng.integers(1, 5))}
        config = {key_of(family, "vision", k): v for k, v in images.items()}
        if has_texts(family):
            vocab = int(rng.integers(5, 300))
            texts = {
                **tower(), "vocab_size": vocab, "max_position_embeddings": int(rng.integers(1, 60)),
                "eos_token_id": pick([2, vocab - 1, int(rng.integers(vocab)), DEFAULT_EOS]),
            }  # fmt: skip
            config |= {f"text_config.{k}": v for k, v in texts.items()}
            if family == "clip":
                config["projection_dim"] = int(rng.integers(1, 60))
            else:
                config["text_config.projection_size"] = images["hidden_size"]
        if task == "image-classification":
            config["num_labels"] = int(rng.integers(1, 9))
        options = ("--task", task) if task == "feature-extraction" and has_texts(family) else ()
        return task, config, {"options": options, "full": bool(rng.integers(2)), "old_names": family == "clip" and bool(rng.integers(2))}

    # ---- configs and checkpoints

    def spelled(self, family, config):
        return nested(config)

    def changed(self, family, document, change):
        return nested({key_of(family, "vision", k.removeprefix("vision:")) if k.startswith("vision:") else k: v for k, v in change.items()}, document)

    def outputs(self, c):
        return FAMILIES[c["family"]].get("outputs") or TASKS[c["task"]][1]

    def document(self, c, config):
        if c["full"]:
            whole = transformers.AutoConfig.for_model(c["family"], **self.spelled(c["family"], c["config"])).to_dict()
            config = {**whole, "architectures": config["architectures"]}
        for section in SECTIONS:
            if c["drop"] and section in config:
                config[section].pop(c["drop"], None)
            if c["old_names"]:
                config[section + "_dict"] = config[section]
                config[section] = {**config[section], "hidden_size": 7, "num_hidden_layers": 1, "layer_norm_eps": 0.5}
                if c["alone"]:
                    del config[section]
        return config

    def state(self, c, model, saved):
        state = dict(model.state_dict())
        if c["buffers"]:
            for name, weight in list(state.items()):
                if name.endswith("embeddings.position_embedding.weight"):
                    state[name.replace("position_embedding.weight", "position_ids")] = torch.arange(weight.shape[0]).unsqueeze(0)
        return state

    # ---- runs

    def ports(self, c):
        family, config = FAMILIES[c["family"]], c["config"]
        channels, side = (config.get(key_of(c["family"], "vision", k), d) for k, d in (("num_channels", 3), ("image_size", 224)))
        compares = TASKS[c["task"]][1][0] != "logits" and has_texts(c["family"])
        images = ("pixel_values", [family["images"] if compares else "batch_size", channels, side, side])
        texts = [(name, ["text_batch_size", "sequence_length"]) for name in ("input_ids", "attention_mask")]
        return [texts[0], images, *([] if family.get("no_mask") else texts[1:])] if compares else [images]

    def texts(self, c, rng, shape, padding, ending):
        """ids and mask. Texts end at their last position, at another one too, under the padding too, or as chance has it."""
        config, family = c["config"], FAMILIES[c["family"]]
        vocab, eos = config["text_config.vocab_size"], config["text_config.eos_token_id"]
        last = vocab - 1 if eos == 2 else eos
        inputs = make_inputs(rng, shape, vocab, 1, padding)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        for row, valid in zip(ids, mask):
            places = np.flatnonzero(valid)
            if last < vocab and ending != "chance":
                row[places[-1]] = last
                if ending == "twice":
                    row[places[int(rng.integers(len(places)))]] = last
                if ending == "padded":
                    row[valid == 0] = last
        return {"input_ids": ids} if family.get("no_mask") else {"input_ids": ids, "attention_mask": mask}

    def inputs(self, c, rng):
        config = c["config"]
        shape = [config.get(key_of(c["family"], "vision", k), d) for k, d in (("num_channels", 3), ("image_size", 224))]
        shape.append(shape[1])
        if len(self.ports(c)) == 1:
            for batch in (1, 2, 5):
                yield make_images(rng, batch, shape)
            return
        longest = config["text_config.max_position_embeddings"]
        middle = max(2, longest // 2 + 1)
        for texts, length, padding, ending, images in (
            (1, 1, "none", "once", 1), (3, 1, "none", "chance", 2), (2, 2, "none", "once", 1), (3, 2, "right", "padded", 2),
            (1, middle, "none", "twice", 3), (4, middle, "right", "once", 1), (4, middle, "right", "padded", 2), (3, middle, "left", "once", 2),
            (3, middle, "left", "padded", 5), (5, middle, "right", "chance", 1), (2, longest, "none", "once", 4), (3, longest, "left", "chance", 1),
            (4, longest, "right", "twice", 3),
        ):  # fmt: skip
            if "fp16" in c["options"] and padding == "left" and ending in ("chance", "padded"):
                continue  # its end is found in the padding, which sees nothing: rounding decides what that gets
            yield {**self.texts(c, rng, (texts, min(length, longest)), padding, ending), **make_images(rng, images, shape)}

    def load(self, cls, folder, dtype):
        model = super().load(cls, folder, dtype)
        if dtype == torch.float64:
            model.set_attn_implementation("sdpa")  # eager casts its scores to single precision, where the mask's lowest number is -inf: NaN
        return model

    def attention_focus(self, model, inputs):
        """Of the layers of both towers: read off as they are computed, since not every class gives them."""
        found, towers = [], {"output_attentions": True} if "CLIP" in type(model).__name__ else {}
        hooks = [m.register_forward_hook(lambda m, args, out: found.append(out[1])) for n, m in model.named_modules() if n.endswith("self_attn")]
        with torch.no_grad(), as_default(model.dtype):
            model(**{k: torch.from_numpy(v).to(model.dtype) if v.dtype == np.float32 else torch.from_numpy(v) for k, v in inputs.items()}, **towers)
        for hook in hooks:
            hook.remove()
        return float(torch.stack([a.amax(-1).mean() * a.shape[-1] for a in found]).mean())

    def unused(self, c, name):
        classifies = c["task"] == "image-classification"
        return (classifies and "post_layernorm" in name) or (c["family"] == "clip_vision_model" and "visual_projection" in name)

    def cut(self, c):
        return 2 if c["family"] == "siglip" else 0

    refused = (
        ("hidden_act prelu", {"vision:hidden_act": "prelu"}, (6,)),
        ("hidden_act unheard_of", {"vision:hidden_act": "unheard_of"}, (6,)),
        ("image_size as a list", {"vision:image_size": [24, 24]}, (10,)),
        ("image_size as text", {"vision:image_size": "24"}, (10,)),
        ("patch_size 0", {"vision:patch_size": 0}, (10,)),
        ("a patch larger than the image", {"vision:image_size": 5}, (6,)),
        ("image_size of another table of positions", {"vision:image_size": 30}, (11,)),
        ("patch_size of another kernel", {"vision:patch_size": 5}, (11,)),
        ("num_channels of another kernel", {"vision:num_channels": 4}, (11,)),
        ("num_attention_heads that does not divide", {"vision:num_attention_heads": 7}, (6,)),
        ("more layers than the file has", {"vision:num_hidden_layers": 3}, (12,)),
        ("fewer layers than the file has", {"vision:num_hidden_layers": 1}, (12,)),
        ("pruned heads", {"vision:pruned_heads": {"0": [1]}}, (6,)),
        ("quantised", {"vision:quantization_config": {"bits": 4}}, (6,)),
    )


DUAL = Dual()


def tower_cases():
    for family in FAMILIES:
        of = DUAL.of(family)
        for i, change in enumerate(({}, {"text_config.eos_token_id": 2}, {"text_config.hidden_act": "gelu", "vision_config.image_size": 30})):
            if has_texts(family):
                yield of(f"--split: {change}", FAMILIES[family]["tasks"][0], change, seed=1700 + i)
        if family == "siglip":
            yield of("--split: no head", FAMILIES[family]["tasks"][0], {"vision_config.vision_use_head": False}, seed=1710)


def split_one(run, c, figures):
    """Each file against the reference's class of that encoder, which reads the same checkpoint."""
    family, config = FAMILIES[c["family"]], c["config"]
    if c["family"] == "clip":  # the classes of one encoder look for the width there
        config.update({"text_config.projection_dim": config["projection_dim"], "vision_config.projection_dim": config["projection_dim"]})
    folder = DUAL.make_checkpoint(run, c)
    out, document = run.convert(folder, "--split")
    files = sorted(os.path.basename(f["path"]) for f in document["files"] if f["path"].endswith(".onnx"))
    assert files == ["text_model.onnx", "vision_model.onnx"], files
    for file, cls in family["towers"].items():
        headless = file == "vision_model" and not config.get("vision_config.vision_use_head", True)
        outputs = [o for o in family["embeds"][file] if o != "pooler_output" or not headless]
        exact, single = (DUAL.load(getattr(transformers, cls), folder, dtype) for dtype in (torch.float64, torch.float32))
        s, worst = session(os.path.join(out, file + ".onnx")), Worst(outputs)
        assert [o.name for o in s.get_outputs()] == outputs, [o.name for o in s.get_outputs()]
        assert {i.shape[0] for i in s.get_inputs()} == {"batch_size"}
        for whole in DUAL.inputs(c, np.random.default_rng(c["seed"])):
            inputs = {i.name: whole[i.name] for i in s.get_inputs()}
            found = s.run(outputs, inputs)
            judge_dims(s, inputs, found)
            worst.add(found, run_reference(single, inputs, outputs), run_reference(exact, inputs, outputs), None)
        ours, theirs, share = worst.figures()
        figures.append((ours, theirs, f"{c['family']}: {c['name']}: {file}"))
        run.check(share <= 1, f"{c['family']}: {c['name']}: {file}: error {ours:.1e} (transformers fp32 {theirs:.1e})")


def split(run, figures):
    for c in tower_cases():
        try:
            split_one(run, c, figures)
        except Exception as e:
            run.check(False, f"{c['family']}: {c['name']}: {type(e).__name__}: {e}")


if __name__ == "__main__":
    sys.exit(main(DUAL, __doc__, ("--split", split)))
