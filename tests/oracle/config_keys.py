# SPDX-License-Identifier: Apache-2.0
"""The keys in tests/golden/<type>/config_keys.txt are exactly those of the pinned transformers' config class, and the values in config_defaults.txt
those that it has when nothing is given."""
import json
import os
import sys

from transformers import AutoConfig

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
failed = 0


def keys_of(config):
    """Those of the documents inside it with dots."""
    keys = config.to_dict()
    inner = [name for name in config.sub_configs if isinstance(keys.get(name), dict)]
    return set(keys) | {f"{name}.{key}" for name in inner for key in keys[name]}


SWITCHES = {"sliding_window": "use_sliding_window"}  # a class forgets the key where its switch is off


def default_of(config, key):
    if hasattr(config, SWITCHES.get(key, "")):
        config = type(config)(**{SWITCHES[key]: True})
    for part in key.split("."):
        config = getattr(config, part)
    return list(config) if isinstance(config, tuple) else config


def fills(config, key):
    """What a class may put at once where the description finds null and does so later: a width, a number of heads or layers, the width of a head."""
    prefix = "".join(part + "." for part in key.split(".")[:-1])
    hidden, heads = default_of(config, prefix + "hidden_size"), default_of(config, prefix + "num_attention_heads")
    return None, hidden, heads, hidden // heads, default_of(config, prefix + "num_hidden_layers")


def wrong_defaults(model_type, path):
    """What the table takes for a key that is left out, and the class does not. (A key that the class lacks is refused where it says more.)"""
    config, wrong = AutoConfig.for_model(model_type), []
    for line in open(path, encoding="utf-8"):
        key, value = line.split(" ", 1)
        try:
            expected = default_of(config, key)
        except AttributeError:
            continue
        if expected not in (fills(config, key) if value == "null\n" else (json.loads(value),)):
            wrong.append(f"{key} {value.strip()}, in the class {expected}")
    return wrong


for model_type in sorted(os.listdir(GOLDEN)):
    path = os.path.join(GOLDEN, model_type, "config_keys.txt")
    if not os.path.exists(path):
        continue
    listed = {line.split()[0] for line in open(path)}
    real = keys_of(AutoConfig.for_model(model_type)) | {"num_labels"}
    wrong = wrong_defaults(model_type, os.path.join(GOLDEN, model_type, "config_defaults.txt"))
    if listed != real or wrong:
        failed += 1
        print(f"{model_type}: not listed {sorted(real - listed)}, not a key {sorted(listed - real)}, other defaults {wrong}")
    else:
        print(f"{model_type}: {len(real)} keys, each with its fate")
sys.exit(1 if failed else 0)
