#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/<type>/outputs.txt: what transformers computes in float64 for the golden config with the weights that the test
seeds (SplitMix64, tensor i of tensors.txt from seed i, uniform in [-1, 1)). Run in the oracle environment: tools/golden.py TYPE"""
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


def inputs_of(config):
    """A batch of two: images where the config speaks of them, sound where it speaks of convolutions, else texts; three texts beside two
    images where it speaks of both."""
    if hasattr(config, "text_config") and hasattr(config, "vision_config"):
        texts = {
            "input_ids": torch.tensor([[3, 1, 12, 7, 0], [5, 12, 2, 12, 0], [10, 4, 12, 12, 12]]),
            "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]),
        }
        return {**texts, **inputs_of(config.vision_config)}
    if hasattr(config, "image_size"):
        height, width = config.image_size if isinstance(config.image_size, list) else [config.image_size] * 2
        return {"pixel_values": fill(2 * config.num_channels * height * width, 1000).reshape(2, config.num_channels, height, width)}
    if hasattr(config, "conv_kernel"):
        return {"input_values": fill(2 * 41, 1000).reshape(2, 41)}
    return {
        "input_ids": torch.tensor([[3, 1, 12, 7, 0], [5, 5, 2, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
        "token_type_ids": torch.tensor([[0, 0, 1, 1, 1], [0, 1, 0, 0, 0]]),
    }


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden", sys.argv[1])
    config = transformers.AutoConfig.for_model(**json.load(open(os.path.join(folder, "config.json"))))
    model = getattr(transformers, config.architectures[0])(config).double().eval()
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
    inputs = {name: t for name, t in inputs_of(config).items() if f" {name}[" in graph}
    torch.set_default_dtype(torch.float64)  # in which some of the reference's masks are made
    with torch.no_grad():
        outputs = {name: t for name, t in model(**inputs).items() if f"-> {name}[" in graph}
    with open(os.path.join(folder, "outputs.txt"), "w") as f:
        for name, t in inputs.items():
            f.write(f"{name} {' '.join(f'{v:.9g}' for v in t.flatten().tolist())}\n")
        for name, t in outputs.items():
            f.write(f"{name} {' '.join(f'{v:.9g}' for v in t.flatten().tolist())}\n")


main()
