# SPDX-License-Identifier: Apache-2.0
#
# Sourced by every script here: where things are, how we talk, how time is shown. Nothing is written outside
# the checkout: temporary files, pip's downloads and every cache that a tool might open live under build/.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/build
PYTHON=${PYTHON:-python3}

mkdir -p "$BUILD/tmp"
export TMPDIR=$BUILD/tmp
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
export PYTHONDONTWRITEBYTECODE=1

say() {
	printf '==> %s\n' "$*"
}

note() {
	printf '    %s\n' "$*"
}

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

have() {
	command -v "$1" >/dev/null 2>&1
}

seconds_since() { # START, as $EPOCHREALTIME gives it
	local now=${EPOCHREALTIME/[.,]/} start=${1/[.,]/}
	printf '%d.%d' $(((now - start) / 1000000)) $(((now - start) / 100000 % 10))
}

# What a command prints goes to a log and is shown only when it fails: quiet LOG COMMAND…
quiet() {
	local log=$1 rc=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 || rc=$?
	if [ "$rc" != 0 ]; then
		tail -n 60 "$log" >&2
		printf 'error: %s: exit code %s; the whole output is in %s\n' "$*" "$rc" "$log" >&2
	fi
	return "$rc"
}
