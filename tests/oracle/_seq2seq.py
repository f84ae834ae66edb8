# SPDX-License-Identifier: Apache-2.0
"""What the parts of an encoder with a decoder compute in transformers, each by itself as the files of an export have them."""

import torch
import transformers
from transformers.modeling_outputs import BaseModelOutput

CACHES = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")


def cache_names(layers, begin, kinds=CACHES):
    return [f"{begin}.{i}.{kind}" for i in range(layers) for kind in kinds]


def encode(model, ids, mask):
    with torch.no_grad():
        return model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state


def as_cache(tensors):
    """tensors: four of each layer, or none."""
    own, cross = transformers.DynamicCache(), transformers.DynamicCache()
    for i in range(len(tensors) // 4):
        own.update(tensors[4 * i], tensors[4 * i + 1], i)
        cross.update(tensors[4 * i + 2], tensors[4 * i + 3], i)
    return transformers.EncoderDecoderCache(own, cross)


def decode(model, ids, states, mask, past=()):
    """logits or the last hidden state, and the caches after it, four of each layer; states are not read where there is a past."""
    cache = as_cache(past)
    given = {"attention_mask": mask, "decoder_input_ids": ids, "encoder_outputs": BaseModelOutput(states)}
    with torch.no_grad():
        out = model(**given, past_key_values=cache, use_cache=True)
    layers = zip(cache.self_attention_cache.layers, cache.cross_attention_cache.layers)
    present = [t for own, cross in layers for t in (own.keys, own.values, cross.keys, cross.values)]
    return out["logits" if "logits" in out else "last_hidden_state"], present
