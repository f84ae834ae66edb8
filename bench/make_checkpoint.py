#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A random checkpoint of BERT-base's size (110 million parameters, 438 MB), made without PyTorch: make_checkpoint.py DIR [LAYERS].

Every tensor has values of its own: a window into one block of normal numbers, at an offset that depends on its name."""

import array
import hashlib
import json
import os
import random
import sys

CONFIG = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "pad_token_id": 0, "position_embedding_type": "absolute",
}  # fmt: skip
BLOCK = 1 << 21  # numbers


def tensors(c):
    h, f = c["hidden_size"], c["intermediate_size"]
    yield "embeddings.word_embeddings.weight", [c["vocab_size"], h]
    yield "embeddings.position_embeddings.weight", [c["max_position_embeddings"], h]
    yield "embeddings.token_type_embeddings.weight", [c["type_vocab_size"], h]
    norms, dense = ["embeddings.LayerNorm"], [("pooler.dense", h, h)]
    for i in range(c["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        dense += [(layer + "attention.self." + n, h, h) for n in ("query", "key", "value")]
        dense += [(layer + "attention.output.dense", h, h), (layer + "intermediate.dense", f, h), (layer + "output.dense", h, f)]
        norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
    for name, rows, columns in dense:
        yield name + ".weight", [rows, columns]
        yield name + ".bias", [rows]
    for name in norms:
        yield name + ".weight", [h]
        yield name + ".bias", [h]


def make(folder, layers=12):
    os.makedirs(folder, exist_ok=True)
    config = {**CONFIG, "num_hidden_layers": layers}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
    rng = random.Random(20261124)
    block = array.array("f", (0.02 * rng.gauss(0, 1) for _ in range(BLOCK)))
    near_one = array.array("f", (1 + v for v in block[: 1 << 16]))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dims in tensors(config):
        size = 4 * (dims[0] * (dims[1] if len(dims) > 1 else 1))
        header[name] = {"dtype": "F32", "shape": dims, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(folder, "model.safetensors")
    with open(path + ".part", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name, info in header.items():
            if name == "__metadata__":
                continue
            values = near_one if name.endswith("LayerNorm.weight") else block
            left = (info["data_offsets"][1] - info["data_offsets"][0]) // 4
            start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") % (len(values) // 2)
            while left:
                part = values[start : start + min(left, len(values) - start)]
                f.write(part.tobytes())
                left, start = left - len(part), (start * 7 + 13) % (len(values) // 2)
    os.rename(path + ".part", path)
    return path, os.path.getsize(path)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make_checkpoint.py DIR [LAYERS]")
    print("%s: %d bytes" % make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 12))
