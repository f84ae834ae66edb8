# SPDX-License-Identifier: Apache-2.0
"""The keys in tests/golden/<type>/config_keys.txt are exactly those of the pinned transformers' config class."""
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


for model_type in sorted(os.listdir(GOLDEN)):
    path = os.path.join(GOLDEN, model_type, "config_keys.txt")
    if not os.path.exists(path):
        continue
    listed = {line.split()[0] for line in open(path)}
    real = keys_of(AutoConfig.for_model(model_type)) | {"num_labels"}
    if listed != real:
        failed += 1
        print(f"{model_type}: not listed {sorted(real - listed)}, not a key {sorted(listed - real)}")
    else:
        print(f"{model_type}: {len(real)} keys, each with its fate")
sys.exit(1 if failed else 0)
