#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The virtual environment of the oracle tests, build/oracle-venv: PyTorch, transformers and Optimum at the versions of
# tests/oracle/requirements.txt. Plain pip, torch first: a CPU build if pip's configuration offers one (the default
# build carries several gigabytes of CUDA), else the default build. Beside it build/bench-python, for bench/export.py alone.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VENV=$BUILD/oracle-venv
REQUIREMENTS=$ROOT/tests/oracle/requirements.txt
BENCH=$BUILD/bench-python
BENCH_REQUIREMENTS=$ROOT/bench/requirements.txt

# Their own dependencies are the oracle's packages already.
bench_packages() {
	local stamp
	stamp=$(cat "$REQUIREMENTS" "$BENCH_REQUIREMENTS" | sha256sum | cut -c1-64)
	[ "$(cat "$BENCH/onnxgate-stamp" 2>/dev/null || true)" != "$stamp" ] || return 0
	rm -rf "$BENCH"
	quiet "$BUILD/logs/bench-python.log" "$VENV/bin/python" -m pip install --only-binary :all: --no-deps --target "$BENCH" -r "$BENCH_REQUIREMENTS"
	echo "$stamp" >"$BENCH/onnxgate-stamp"
	note "build/bench-python is ready"
}

stamp=$(sha256sum "$REQUIREMENTS" | cut -c1-64)
if [ "$(cat "$VENV/onnxgate-stamp" 2>/dev/null || true)" = "$stamp" ]; then
	say "oracle environment: already in build/oracle-venv"
	bench_packages
	exit 0
fi
"$ROOT/scripts/install_deps.sh" build test
start=$EPOCHREALTIME
say "making build/oracle-venv (PyTorch, transformers, Optimum: 2 GB on disk, a few minutes)"
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
pip=("$VENV/bin/python" -m pip install --only-binary :all:)
torch=$(awk '/^torch==/ { print $1 }' "$REQUIREMENTS")
quiet "$BUILD/logs/oracle-torch.log" "${pip[@]}" "$torch+cpu" 2>/dev/null ||
	quiet "$BUILD/logs/oracle-torch.log" "${pip[@]}" "$torch"
note "$torch"
quiet "$BUILD/logs/oracle-rest.log" "${pip[@]}" -r "$REQUIREMENTS"
echo "$stamp" >"$VENV/onnxgate-stamp"
note "build/oracle-venv is ready ($(seconds_since "$start") s)"
bench_packages
