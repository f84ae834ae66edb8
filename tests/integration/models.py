# SPDX-License-Identifier: Apache-2.0
"""Tiny repositories made by hand: a BERT of a few kilobytes with seeded weights, whole or with one thing wrong."""

import json
import os
import random
import struct

CONFIG = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 32, "type_vocab_size": 2,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02, "transformers_version": "4.57.6",
}
README = "---\nlicense: apache-2.0\n---\n# A model of no use\n"


def shapes(config, prefix=""):
    """Names and shapes of BertModel's tensors, in the order in which transformers writes them."""
    h, f = config["hidden_size"], config["intermediate_size"]
    out = {
        "embeddings.word_embeddings.weight": [config["vocab_size"], h],
        "embeddings.position_embeddings.weight": [config["max_position_embeddings"], h],
        "embeddings.token_type_embeddings.weight": [config["type_vocab_size"], h],
        "embeddings.LayerNorm.weight": [h], "embeddings.LayerNorm.bias": [h],
    }
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        for name, rows, columns in (("attention.self.query", h, h), ("attention.self.key", h, h), ("attention.self.value", h, h),
                                    ("attention.output.dense", h, h), ("intermediate.dense", f, h), ("output.dense", h, f)):
            out[p + name + ".weight"] = [rows, columns]
            out[p + name + ".bias"] = [rows]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            out[p + name + ".weight"] = [h]
            out[p + name + ".bias"] = [h]
    return {prefix + k: v for k, v in out.items()}


def head_shapes(config, architecture, labels=3):
    """The tensors of one of BERT's classes with a head."""
    h, v = config["hidden_size"], config["vocab_size"]
    pooler = {"bert.pooler.dense.weight": [h, h], "bert.pooler.dense.bias": [h]}
    out = shapes(config, "bert.")
    if architecture == "BertForMaskedLM":
        out.update({"cls.predictions.bias": [v], "cls.predictions.transform.dense.weight": [h, h], "cls.predictions.transform.dense.bias": [h],
                    "cls.predictions.transform.LayerNorm.weight": [h], "cls.predictions.transform.LayerNorm.bias": [h]})
    elif architecture == "BertForSequenceClassification":
        out.update(pooler, **{"classifier.weight": [labels, h], "classifier.bias": [labels]})
    elif architecture == "BertForTokenClassification":
        out.update({"classifier.weight": [labels, h], "classifier.bias": [labels]})
    elif architecture == "BertForQuestionAnswering":
        out.update({"qa_outputs.weight": [2, h], "qa_outputs.bias": [2]})
    elif architecture == "BertForMultipleChoice":
        out.update(pooler, **{"classifier.weight": [1, h], "classifier.bias": [1]})
    else:
        raise ValueError(architecture)
    return out


def count(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def tensors(named_shapes, seed=1):
    """name → (shape, bytes): every tensor drawn anew, biases and norms too."""
    rng = random.Random(seed)
    out = {}
    for name, shape in named_shapes.items():
        mean = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        out[name] = (shape, b"".join(struct.pack("<f", rng.gauss(mean, 0.3)) for _ in range(count(shape))))
    return out


def safetensors(named, metadata=None):
    """The bytes of a safetensors file."""
    header, at = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name, (shape, data) in named.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    return with_header(json.dumps(header).encode(), b"".join(data for _, data in named.values()))


def with_header(header, data):
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def write(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def bert(folder, seed=1, architecture=None, config=None, shards=0, weights=True):
    """A whole repository. config: changes to CONFIG, a value of None removes the key."""
    c = dict(CONFIG, **(config or {}))
    c = {k: v for k, v in c.items() if v is not None}
    if architecture:
        c["architectures"] = [architecture]
        if architecture in ("BertForSequenceClassification", "BertForTokenClassification"):
            c["id2label"] = {"0": "A", "1": "B", "2": "C"}
            c["label2id"] = {"A": 0, "B": 1, "C": 2}
    named = tensors(head_shapes(CONFIG, architecture) if architecture else shapes(CONFIG), seed)
    write(folder, "config.json", json.dumps(c, indent=2))
    write(folder, "README.md", README)
    write(folder, "vocab.txt", "".join(f"[{i}]\n" for i in range(CONFIG["vocab_size"])))
    write(folder, "tokenizer_config.json", json.dumps({"model_max_length": 32, "tokenizer_class": "BertTokenizer"}))
    if weights and shards:
        write_shards(folder, named, shards)
    elif weights:
        write(folder, "model.safetensors", safetensors(named))
    return named


def write_shards(folder, named, n):
    names, weight_map = list(named), {}
    for i in range(n):
        part = names[i * len(names) // n : (i + 1) * len(names) // n]
        shard = f"model-{i + 1:05}-of-{n:05}.safetensors"
        weight_map.update({k: shard for k in part})
        write(folder, shard, safetensors({k: named[k] for k in part}))
    total = sum(len(data) for _, data in named.values())
    write(folder, "model.safetensors.index.json", json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
