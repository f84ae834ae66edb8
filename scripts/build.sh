#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the program: leaves build/onnxgate, build/onnxgate-runtime and build/libonnxgate.so.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
'') ;;
-h | --help)
	sed -n '4s/^# \{0,1\}//p' "$0"
	exit 0
	;;
*) die "build.sh: it takes no arguments, found '$1'" ;;
esac

start=$EPOCHREALTIME
"$ROOT/scripts/install_deps.sh" build
if [ ! -f "$BUILD/build.ninja" ]; then
	say "configuring build/ (release)"
	quiet "$BUILD/logs/meson.log" meson setup "$BUILD" "$ROOT" --buildtype=release -Ddebug=true
fi
say "building"
version=$(awk -F'"' '/define ONNXGATE_VERSION/ { print $2 }' "$ROOT/include/onnxgate.h")
quiet "$BUILD/logs/build.log" ninja -C "$BUILD" onnxgate onnxgate-runtime "libonnxgate.so.$version"
note "build/onnxgate, build/onnxgate-runtime, build/libonnxgate.so ($(seconds_since "$start") s)"
