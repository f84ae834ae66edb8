#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""500 MB of random weights, 400 tensors as a transformer has them, in each kind of file: make_weights.py FOLDER (needs PyTorch)."""

import collections
import sys

import torch
from safetensors.torch import save_file


class Leaf(torch.nn.Module):  # in a file of its own: TorchScript compiles from the source
    def forward(self, x):
        return x


def weights():
    g = torch.Generator().manual_seed(1)
    state = collections.OrderedDict()
    for i in range(16):
        for name in ("q", "k", "v", "o"):
            state[f"layers.{i}.{name}.weight"] = torch.rand(768, 768, generator=g)
            state[f"layers.{i}.{name}.bias"] = torch.rand(768, generator=g)
        for name, shape in (("up", (3072, 768)), ("down", (768, 3072))):
            state[f"layers.{i}.{name}.weight"] = torch.rand(*shape, generator=g)
            state[f"layers.{i}.{name}.bias"] = torch.rand(shape[0], generator=g)
        for j in range(12):
            state[f"layers.{i}.norm{j}.weight"] = torch.rand(768, generator=g)
    state["embeddings.weight"] = torch.rand(16000, 768, generator=g)
    return state


def modules(state):
    root = Leaf()
    for name, t in state.items():
        m = root
        *path, leaf = name.split(".")
        for p in path:
            p = "l" + p if p[0].isdigit() else p
            if not hasattr(m, p):
                m.add_module(p, Leaf())
            m = getattr(m, p)
        m.register_buffer(leaf, t)
    return root


def main():
    folder, state = sys.argv[1], weights()
    save_file(state, folder + "/safetensors.bin")
    torch.save(state, folder + "/torch-zip.bin")
    torch.save(state, folder + "/torch-legacy.bin", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(modules(state)), folder + "/TorchScript.bin")


if __name__ == "__main__":
    main()
