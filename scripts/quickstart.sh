#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a bare machine to a measured model: installs what is missing, builds, and runs the main job.
#
#   scripts/quickstart.sh             the published all-MiniLM-L6-v2 weights, served by a small Hub on this machine
#   scripts/quickstart.sh REPO_ID     any supported model, from the Hugging Face Hub itself
#
# Without REPO_ID both caches are kept under build/quickstart/; with it they are where you always have them.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
-h | --help)
	sed -n '4,9s/^# \{0,1\}//p' "$0"
	exit 0
	;;
-*) die "quickstart.sh: unknown option '$1' (usage: scripts/quickstart.sh [REPO_ID])" ;;
esac
[ $# -le 1 ] || die "quickstart.sh: one REPO_ID at most (usage: scripts/quickstart.sh [REPO_ID])"

start=$EPOCHREALTIME
"$ROOT/scripts/install_deps.sh" build
"$ROOT/scripts/build.sh"
"$ROOT/scripts/get_runtime.sh"

if [ $# = 1 ]; then
	repo=$1
else
	repo=sentence-transformers/all-MiniLM-L6-v2
	"$ROOT/scripts/get_minilm.sh"
	work=$BUILD/quickstart
	mkdir -p "$work"
	rm -f "$work/port"
	say "starting a local Hub that serves $repo"
	"$PYTHON" "$ROOT/tests/hub/hub.py" --root "$BUILD/hub" --port 0 --port-file "$work/port" >"$work/hub.log" 2>&1 &
	hub=$!
	trap 'kill "$hub" 2>/dev/null || true; wait "$hub" 2>/dev/null || true' EXIT
	for _ in $(seq 200); do
		[ ! -s "$work/port" ] || break
		kill -0 "$hub" 2>/dev/null || { cat "$work/hub.log" >&2; die "the local Hub ended (its output is above)"; }
		sleep 0.1
	done
	[ -s "$work/port" ] || die "the local Hub did not start within 20 s; see $work/hub.log"
	unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HUB_OFFLINE HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH
	for name in "${!ONNXGATE_@}"; do unset "$name"; done
	export HF_HOME=$work/hf ONNXGATE_HOME=$work/onnxgate XDG_CONFIG_HOME=$work/config
	HF_ENDPOINT=http://127.0.0.1:$(head -n 1 "$work/port")
	export HF_ENDPOINT
fi

say "onnxgate verify $repo"
"$BUILD/onnxgate" verify "$repo"
say "onnxgate verify $repo, once more: served from the cache, without the network"
"$BUILD/onnxgate" verify "$repo" --offline
say "onnxgate bench $repo"
"$BUILD/onnxgate" bench "$repo" --batch-sizes 1,8 --sequence-lengths 16,128 --runs 20 --warmup 3
say "done in $(seconds_since "$start") s"
if [ $# = 0 ]; then
	note "The caches of this run are in build/quickstart/. With the Hugging Face Hub: scripts/quickstart.sh REPO_ID"
fi
