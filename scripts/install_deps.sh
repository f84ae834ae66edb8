#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing of the Debian packages that a set needs: install_deps.sh [build] [test] [fresh].
# A package counts as present when what we need of it works, however it came here; then nothing is done and no
# root is needed. Without root, what is missing is named with the command that installs it.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Each row: a package, and a command that succeeds when it is not needed any more.
build_set() {
	cat <<'ROWS'
gcc              have gcc
libc6-dev        compiles gcc stdio.h
pkg-config       have pkg-config
meson            meson_is_new
ninja-build      have ninja
libcurl4-openssl-dev pkg-config --exists libcurl
libssl-dev       pkg-config --exists libcrypto
libjson-c-dev    pkg-config --exists json-c
libsqlite3-dev   pkg-config --exists sqlite3
zlib1g-dev       pkg-config --exists zlib
ca-certificates  test -e /etc/ssl/certs/ca-certificates.crt
python3          have python3
python3-pip      python_has pip
ROWS
}

test_set() {
	cat <<'ROWS'
libcmocka-dev    pkg-config --exists cmocka
g++              have g++
clang            have clang
libclang-rt-14-dev clang_fuzzes
python3-venv     python_has ensurepip
openssl          have openssl
strace           have strace
ROWS
}

fresh_set() {
	cat <<'ROWS'
debootstrap      have debootstrap
git              have git
ROWS
}

compiles() { # COMPILER HEADER
	printf '#include <%s>\nint main(void) { return 0; }\n' "$2" | "$1" -x c -o /dev/null - 2>/dev/null
}

meson_is_new() {
	have meson && meson --version | awk -F. '{ exit !($1 >= 1) }'
}

python_has() {
	"$PYTHON" -c "import $1" 2>/dev/null
}

clang_fuzzes() {
	local kind
	for kind in address,undefined memory; do
		printf 'int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return p && n ? 0 : 0; }\n' |
			clang -x c -fsanitize=fuzzer,$kind -o "$BUILD/tmp/fuzz-probe" - 2>/dev/null || return
	done
}

missing=()
[ $# -gt 0 ] || set -- build
for set in "$@"; do
	declare -F "${set}_set" >/dev/null || die "install_deps.sh: no set named '$set' (build, test, fresh)"
	while read -r package probe; do
		# shellcheck disable=SC2086 # a probe is a command with its arguments
		$probe >/dev/null 2>&1 || missing+=("$package")
	done < <("${set}_set")
done

if [ ${#missing[@]} = 0 ]; then
	say "Debian packages ($*): nothing is missing"
	exit 0
fi
if ! have apt-get; then
	die "missing: ${missing[*]} (named as Debian names them; this machine has no apt-get, install their like)"
fi
if [ "$(id -u)" != 0 ]; then
	die "missing: ${missing[*]}
       Installing needs root: sudo apt-get install --no-install-recommends ${missing[*]}"
fi
say "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# apt keeps its own temporary files away from folders that its unprivileged user cannot enter.
quiet "$BUILD/logs/apt-update.log" env -u TMPDIR apt-get update
quiet "$BUILD/logs/apt-install.log" env -u TMPDIR apt-get install --yes --no-install-recommends "${missing[@]}"
note "done"
