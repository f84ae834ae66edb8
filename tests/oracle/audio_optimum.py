#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The export folder of an encoder of sound against Optimum's of the same checkpoint, and in Optimum's own classes: what _optimum.py compares.

Two differences are meant. Optimum calls the number of frames sequence_length, which is the number of samples; for speech recognition alone it
spells the formula, which ours have everywhere. And where an adapter makes fewer frames, its formula is that of the frames before."""

import json
import os
import sys

import numpy as np
from _audio_families import ADAPTER, FAMILIES
from _optimum import Optimum, main
from audio_numeric import AUDIO, adapter_of, least_of, make_sound, stack_of


def formula(config, adapted):
    """Of the number of frames, as Optimum spells it; and the layers of the adapter, which it leaves out."""
    text = "sequence_length"
    for kernel, stride in stack_of(config):
        text = f"( {text} - {kernel} ) // {stride} + 1"
    for kernel, stride in adapter_of(config) if adapted else ():
        text = f"( {text} + 2 - {kernel + 2} ) // {stride} + 1"
    return text


class AudioOptimum(Optimum):
    kind = AUDIO
    classes = {
        "feature-extraction": "ORTModelForFeatureExtraction",
        "automatic-speech-recognition": "ORTModelForCTC",
        "audio-classification": "ORTModelForAudioClassification",
        "audio-frame-classification": "ORTModelForAudioFrameClassification",
        "audio-xvector": "ORTModelForAudioXVector",
    }

    def cases(self):
        layered = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
        for family, own in FAMILIES.items():
            for i, task in enumerate(own["tasks"]):
                changes = [{}, layered, {**layered, "adapter_attn_dim": 7, "num_conv_pos_embeddings": 15}]
                if task not in ("feature-extraction", "automatic-speech-recognition"):
                    changes.append({"use_weighted_layer_sum": True, "num_labels": 5})
                elif not self.kind.lacks(family, {"add_adapter": True}):
                    changes.append(dict(zip(ADAPTER, (True, 2, 3, 2, 20))))
                if not self.kind.lacks(family, {"conv_pos_batch_norm": True}):
                    changes.append({"conv_pos_batch_norm": True, "feat_proj_layer_norm": False})
                for j, change in enumerate(changes):
                    yield AUDIO.case(family, str(change or task), task, change, seed=700 + 10 * i + j)

    def inputs(self, c, rng):
        samples = least_of(c) + 3 * int(np.prod(c["config"]["conv_stride"])) + 2
        return make_sound(rng, [samples] * 3, samples, False)

    def prepare(self, checkpoint, c):
        """The file that stands beside every such model on the Hub."""
        document = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16000, "feature_size": 1, "padding_value": 0.0}
        with open(os.path.join(checkpoint, "preprocessor_config.json"), "w", encoding="utf-8") as f:
            json.dump(document, f)

    def meant(self, c, what, ports, shapes):
        if what == "inputs":
            return ports
        frames = formula(c["config"], c["task"] in ("feature-extraction", "automatic-speech-recognition"))


        def meaning(name, dims, k):
            known = isinstance(dims[k], int) or dims[k] == "batch_size"
            return frames if k == 1 and len(dims) == 3 else dims[k] if known else shapes[name][k]

        return [(name, kind, [meaning(name, dims, k) for k in range(len(dims))]) for name, kind, dims in ports]


if __name__ == "__main__":
    sys.exit(main(AudioOptimum(), __doc__))
