#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/torch/: small files as PyTorch (2.13) itself writes them, which the unit tests read. Run once; the files are kept."""

import os

import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")


def state():
    base = torch.arange(24, dtype=torch.float32)
    s = {
        "dense": base.view(2, 3, 4),
        "permuted": base.view(2, 3, 4).permute(2, 0, 1),
        "window": base.view(4, 6)[1:3, 2:5],
        "expanded": base[5:6].expand(3, 4),
        "scalar": base[7],
        "empty": torch.empty(0, 5),
        "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.0])),
        "bool": torch.tensor([True, False, True]),
        "int64": torch.tensor([1, -2, 3]),
        "half": torch.tensor([1.0, 0.5], dtype=torch.float16),
        "complex": torch.tensor([1 + 2j]),
        "step": 12,
    }
    return s


def new_dtypes():
    s = state()
    s["bfloat16"] = torch.tensor([1.0, -1.0], dtype=torch.bfloat16)
    s["uint16"] = torch.tensor([1, 65535], dtype=torch.uint16)
    s["uint64"] = torch.tensor([2**63], dtype=torch.uint64)
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"):
        s[name] = torch.tensor([1.0, 2.0]).to(getattr(torch, name))
    return s


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(4.0).view(2, 2).t())
        self.register_buffer("count", torch.tensor(3))

    def forward(self, x):
        return x @ self.weight + self.count


class Outer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.layers = torch.nn.ModuleList([Inner(), self.first])
        self.plain = torch.ones(2)
        self.table = [torch.zeros(1), torch.ones(1)]
        self.sizes = [1, 2, 3]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x + self.plain + self.table[0]


def main():
    os.makedirs(HERE, exist_ok=True)
    torch.manual_seed(0)

    def path(name):
        return os.path.join(HERE, name)

    torch.save(new_dtypes(), path("zip.bin"))
    torch.save(state(), path("legacy.bin"), _use_new_zipfile_serialization=False)
    torch.save(state(), path("legacy_protocol4.bin"), _use_new_zipfile_serialization=False, pickle_protocol=4)
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).view(3, 2))
        model.bias.zero_()
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}, "optimizer": optimizer.state_dict()}, path("trainer.ckpt"))
    torch.save(optimizer.state_dict(), path("optimizer.bin"))
    torch.save(model, path("whole_model.bin"))
    torch.save({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)}, path("quantised.bin"))
    torch.save({"s": torch.eye(2).to_sparse()}, path("sparse.bin"))
    torch.save({"c": torch.tensor([1 + 2j]).conj()}, path("lazy_conj.bin"))
    torch.save(torch.arange(3.0), path("one_tensor.bin"))
    torch.jit.save(torch.jit.script(Outer()), path("script.pt"))
    torch.jit.save(torch.jit.trace(Outer(), torch.ones(1, 2)), path("traced.pt"))


if __name__ == "__main__":
    main()
