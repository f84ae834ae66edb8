#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts one ONNX Runtime shared library into build/runtime/, where onnxgate-runtime looks first. It comes out of the
# PyPI wheel, which is a zip: nothing of the package is installed or run. The wheel is asked for by its own tags, so
# whatever Python this machine has is good enough.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=1.32.0
LIBRARY=libonnxruntime.so.$VERSION

if [ -s "$BUILD/runtime/$LIBRARY" ]; then
	say "ONNX Runtime $VERSION: already in build/runtime/"
	exit 0
fi
"$ROOT/scripts/install_deps.sh" build
say "fetching ONNX Runtime $VERSION"
machine=$(uname -m)
mkdir -p "$BUILD/downloads" "$BUILD/runtime"
quiet "$BUILD/logs/runtime.log" "$PYTHON" -m pip download --no-deps --only-binary :all: --python-version 3.11 --implementation cp \
	--abi cp311 --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" --dest "$BUILD/downloads" "onnxruntime==$VERSION"
"$PYTHON" - "$BUILD/downloads" "$VERSION" "$BUILD/runtime/$LIBRARY" <<'PY'
import glob, os, shutil, sys, zipfile
folder, version, target = sys.argv[1:]
wheel, = glob.glob(os.path.join(folder, f"onnxruntime-{version}-*.whl"))
with zipfile.ZipFile(wheel) as z, z.open("onnxruntime/capi/" + os.path.basename(target)) as src, open(target + ".part", "wb") as dst:
    shutil.copyfileobj(src, dst, 1 << 20)
os.rename(target + ".part", target)
PY
note "build/runtime/$LIBRARY"
