#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests; sets up for itself what they need.
#
#   scripts/test.sh             style and layers, unit, integration, hostile files, both compilers, ASan+UBSan, TSan, MSan, fuzzing (200 s)
#   scripts/test.sh --oracle    adds the comparisons with PyTorch, transformers, Optimum and huggingface_hub
#   scripts/test.sh --long      everything, each fuzz target for half an hour, 40 random configurations of each family in the
#                               comparisons with transformers (else 12), and both README commands in an empty Debian
#
# The fuzz targets share 200 s; ONNXGATE_FUZZ_SECONDS gives each target that long. Logs: build/logs/. Ends with 'N passed, N failed'.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ORACLE=0 LONG=0
for arg in "$@"; do
	case $arg in
	--oracle) ORACLE=1 ;;
	--long) ORACLE=1 LONG=1 ;;
	-h | --help)
		sed -n '4,11s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*) die "test.sh: unknown option '$arg' (usage: scripts/test.sh [--oracle|--long])" ;;
	esac
done
JOBS=$(nproc)
TARGETS=$(find "$ROOT/tests/fuzz" -name '*_fuzz.c' | wc -l)
ROUNDS=$(((TARGETS + JOBS - 1) / JOBS))
FUZZ_SECONDS=${ONNXGATE_FUZZ_SECONDS:-$((LONG ? 1800 : 200 / ROUNDS))}
LOGS=$BUILD/logs
ASAN=$BUILD/test-asan
MSAN=$BUILD/test-msan
PASSED=0 FAILED=0
BROKEN=()
BEGIN=$EPOCHREALTIME
mkdir -p "$LOGS"
# Two runs in one checkout would pull the build folders from under each other.
exec 9>"$BUILD/test.lock"
flock -n 9 || die "test.sh: another run is under way in this checkout ($BUILD/test.lock)"

# A test sees the machine's own caches and tokens as little as possible.
unset HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_ENDPOINT HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE
for name in "${!ONNXGATE_@}"; do unset "$name"; done

# step NAME LOG COMMAND…: runs it, shows its output only when it fails, counts, says how long it took. What counts is the last
# 'N passed, N failed' of each line that has one; a command without such a line counts as one.
step() {
	local name=$1 log=$LOGS/$2.log start=$EPOCHREALTIME rc=0 counts
	shift 2
	say "$name"
	"$@" >"$log" 2>&1 9>&- || rc=$?
	counts=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$log" | awk '{ p += $1; f += $3 } END { if (NR) print p, f }')
	[ -n "$counts" ] || counts=$((rc == 0)),$((rc != 0))
	local passed=${counts%%[ ,]*} failed=${counts##*[ ,]}
	[ "$rc" = 0 ] || [ "$failed" != 0 ] || failed=1
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
	if [ "$rc" != 0 ] || [ "$failed" != 0 ]; then
		tail -n 80 "$log"
		BROKEN+=("$name ($log)")
		note "FAILED: exit code $rc, $passed passed, $failed failed, $(seconds_since "$start") s; whole output: $log"
		return 1
	fi
	grep -E '^(note|fuzz|seed|largest):? ' "$log" | sed 's/^/    /' || true
	note "$passed passed, $(seconds_since "$start") s"
}

configure() { # FOLDER OPTION…: a build folder with these options, made or brought up to date
	local folder=$1
	shift
	if [ -f "$folder/build.ninja" ]; then
		meson configure "$folder" "$@"
	else
		meson setup "$folder" "$ROOT" "$@"
	fi
}

build_gcc() {
	configure "$BUILD" --buildtype=release -Ddebug=true -Dtests=enabled && ninja -C "$BUILD"
}

build_clang() {
	CC=clang configure "$BUILD/test-clang" --buildtype=release -Ddebug=true -Dtests=enabled && ninja -C "$BUILD/test-clang"
}

# ASan, UBSan and the fuzz targets in one build: the coverage that libFuzzer needs does no harm to the other tests. ASan looks for
# C++'s throw when a program starts; ONNX Runtime, which throws, comes later by dlopen: so libstdc++ is linked from the start.
build_sanitized() {
	CC=clang configure "$ASAN" --buildtype=debugoptimized -Dtests=enabled -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		'-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all' \
		"-Dc_link_args=['-Wl,--push-state,--no-as-needed,-lstdc++,--pop-state']" && ninja -C "$ASAN" && ln -sfn ../runtime "$ASAN/runtime"
}

# Where threads meet: the pool, the callbacks, emission with its follower, entries unpacked on first use, files read by parts from the
# Hub. (A fixed layout of memory: gcc 12's TSan knows no other.)
THREADED="base_pool base_context base_source graph_emit codec_zip_read hub_remote"
threads_tests() {
	local name rc=0
	# shellcheck disable=SC2086
	configure "$BUILD/test-tsan" --buildtype=debugoptimized -Dtests=enabled -Db_sanitize=thread -Db_lundef=false &&
		ninja -C "$BUILD/test-tsan" $(printf 'tests/unit/test_%s ' $THREADED) || return
	for name in $THREADED; do
		if TSAN_OPTIONS=halt_on_error=1 setarch "$(uname -m)" -R "$BUILD/test-tsan/tests/unit/test_$name"; then
			echo "$name: 1 passed, 0 failed"
		else
			echo "$name: 0 passed, 1 failed"
			rc=1
		fi
	done
	return "$rc"
}

# Reads of memory that nobody wrote. A library that is not built for MSan looks guilty, so only parsers are run that call none, or only
# zlib, which writes into memory that was zeroed: none that reads with json-c.
MSAN_TARGETS="wire jscan formula index safetensors onnx pickle zip torch torch_legacy recognise threats"
memory_tests() {
	local name rc=0
	# shellcheck disable=SC2086
	CC=clang configure "$MSAN" --buildtype=debugoptimized -Dtests=enabled -Dfuzz=true -Db_sanitize=memory -Db_lundef=false \
		'-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all' && ninja -C "$MSAN" $(printf 'tests/fuzz/fuzz_%s ' $MSAN_TARGETS) || return
	for name in $MSAN_TARGETS; do
		mkdir -p "$BUILD/fuzz/msan/$name"
		if "$MSAN/tests/fuzz/fuzz_$name" -max_total_time=4 -timeout=20 -artifact_prefix="$BUILD/fuzz/msan/$name-" "$BUILD/fuzz/msan/$name" \
			"$ROOT/tests/fuzz/corpus/$name"; then
			echo "msan $name: 1 passed, 0 failed"
		else
			echo "msan $name: 0 passed, 1 failed"
			rc=1
		fi
	done
	return "$rc"
}

with_sanitizers() {
	local supp=$ROOT/tests/sanitizers
	ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:detect_leaks=1:allocator_may_return_null=1 \
		LSAN_OPTIONS=suppressions=$supp/lsan.supp:print_suppressions=0 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 "$@"
}

unit_tests() { # FOLDER TIMES: cmocka's own count of cases, and one for each corpus that is replayed
	local rc=0 log=$1/meson-logs/testlog.txt
	meson test -C "$1" --no-rebuild --print-errorlogs --num-processes "$JOBS" --timeout-multiplier "$2" || rc=$?
	awk '/^\[  PASSED  \] [0-9]+ test/ { p += $4 } /^\[  FAILED  \] [0-9]+ test/ { f += $4 } END { printf "%d passed, %d failed\n", p, f }' "$log"
	awk '/ fuzz_.* OK / || /^=+ test: .*fuzz_/ { next } /^test: .*fuzz_/ { n++ } END { if (n) print "corpora: " n " passed, 0 failed" }' "$log"
	return "$rc"
}

integration_tests() { # FOLDER
	"$PYTHON" "$ROOT/tests/integration/run.py" --build "$1"
}

hostile_tests() { # FOLDER HOW-MUCH-SLOWER
	"$PYTHON" "$ROOT/tests/hostile/run.py" --build "$1" --slow "$2"
}

header_alone() {
	local header=$ROOT/include/onnxgate.h flags="-Wall -Wextra -Wpedantic -Werror -fsyntax-only" ok=0 bad=0 try
	for try in "gcc -std=c99 -x c" "clang -std=c99 -x c" "g++ -std=c++17 -x c++" "clang++ -std=c++17 -x c++"; do
		# shellcheck disable=SC2086
		if printf '#include "%s"\nint onnxgate_header_is_used;\n' "$header" | $try $flags -; then ok=$((ok + 1)); else bad=$((bad + 1)); fi
	done
	printf '%d passed, %d failed\n' "$ok" "$bad"
	[ "$bad" = 0 ]
}

fuzz_one() { # TARGET SECONDS
	local target=$1 name=${1##*/fuzz_} start=$EPOCHREALTIME rc=0
	local found=$BUILD/fuzz/$name/found artifacts=$BUILD/fuzz/$name/ log=$LOGS/fuzz-$name.log
	mkdir -p "$found"
	with_sanitizers "$target" -max_total_time="$2" -timeout=20 -rss_limit_mb=2560 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$artifacts" "$found" "$ROOT/tests/fuzz/corpus/$name" >"$log" 2>&1 || rc=$?
	printf 'fuzz %-16s %5s s, %9s runs, %6s inputs that reached something new: %s passed, %s failed\n' "$name" "$(seconds_since "$start")" \
		"$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" "$(awk '/stat::new_units_added/ { print $2 }' "$log")" $((rc == 0)) $((rc != 0))
	[ "$rc" = 0 ] || tail -n 40 "$log"
	return "$rc"
}

fuzz_all() { # SECONDS: as many at a time as there are processors
	local rc=0 target pid pids=()
	for target in "$ASAN"/tests/fuzz/fuzz_*; do
		case $target in *_replay | *.p) continue ;; esac
		[ -x "$target" ] || continue
		while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n || true; done
		fuzz_one "$target" "$1" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
	[ ${#pids[@]} -gt 0 ] && return "$rc"
}

# What the oracle scripts cache (nothing of a Hub: they make their own checkpoints) stays in the checkout, too.
oracle() { # SCRIPT [OPTION…]
	env HF_HOME="$BUILD/oracle-home" HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 XDG_CACHE_HOME="$BUILD/oracle-home" \
		TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1 "$BUILD/oracle-venv/bin/python" "$1" --build "$BUILD" "${@:2}"
}

"$ROOT/scripts/install_deps.sh" build test
"$ROOT/scripts/get_runtime.sh"
"$ROOT/scripts/get_minilm.sh"
[ "$ORACLE" = 0 ] || "$ROOT/scripts/get_real.sh"
[ "$ORACLE" = 0 ] || "$ROOT/scripts/oracle_env.sh"
# From here on no configuration file of this machine's user counts (pip needed its own until now).
export XDG_CONFIG_HOME=$BUILD/tmp/xdg/config XDG_CACHE_HOME=$BUILD/tmp/xdg/cache

step "style: what check.py finds" style "$PYTHON" "$ROOT/tests/style/check.py" || true
step "style: who includes whom" layers "$PYTHON" "$ROOT/tests/style/layers.py" || true
step "style: the checks themselves" style-test "$PYTHON" "$ROOT/tests/style/style_test.py" || true
step "the installed header alone, C99 and C++17, pedantic" header header_alone || true
if step "gcc: release build, warnings are errors" build-gcc build_gcc; then
	step "unit tests and fuzz corpora" unit unit_tests "$BUILD" 1 || true
	step "integration tests" integration integration_tests "$BUILD" || true
	step "hostile files and honest ones" hostile hostile_tests "$BUILD" 1 || true
fi
step "gcc: what threads share, under TSan" tsan threads_tests || true
step "clang: parsers under MSan" msan memory_tests || true
if step "clang: release build, warnings are errors" build-clang build_clang; then
	step "both compilers' programs write the same bytes" same-bytes "$PYTHON" "$ROOT/tests/compilers/same_bytes.py" "$BUILD/onnxgate" \
		"$BUILD/test-clang/onnxgate" || true
fi
if step "clang: build with ASan, UBSan and fuzz targets" build-asan build_sanitized; then
	step "unit tests and fuzz corpora under ASan and UBSan" unit-asan with_sanitizers unit_tests "$ASAN" 5 || true
	step "integration tests under ASan and UBSan" integration-asan with_sanitizers integration_tests "$ASAN" || true
	step "hostile files under ASan and UBSan" hostile-asan with_sanitizers hostile_tests "$ASAN" 10 || true
	step "fuzzing: each target for $FUZZ_SECONDS s" fuzz fuzz_all "$FUZZ_SECONDS" || true
fi
if [ "$ORACLE" = 1 ]; then
	for script in "$ROOT"/tests/oracle/*.py; do
		name=$(basename "$script" .py)
		case $name in _*) continue ;; esac
		more=()
		# Beside the fixed cases 12 random configurations of each family, other ones after every change of the code; in the long run 40.
		[[ $LONG = 0 || $name != *_numeric ]] || more=(--random 40)
		step "oracle: $name" "oracle-$name" oracle "$script" "${more[@]}" || true
	done
	step "oracle: the benchmark of exports, at a small scale" oracle-bench-export oracle "$ROOT/bench/export.py" --quick || true
fi
[ "$LONG" = 0 ] || step "both README commands in an empty Debian" fresh "$ROOT/tests/fresh/debootstrap.sh" || true

say "all of it took $(seconds_since "$BEGIN") s"
for name in "${BROKEN[@]}"; do note "FAILED: $name"; done
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" = 0 ]
