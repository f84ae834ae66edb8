#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Shows that both README commands work on a machine that has nothing of ours: makes an empty Debian 12 root with debootstrap,
# puts a clean clone of the last commit in, and runs scripts/quickstart.sh and scripts/test.sh there. Needs root.
#
#   tests/fresh/debootstrap.sh [--with-changes] [--keep]
#
# --with-changes copies the files of the working tree (those that git would add) instead of cloning; --keep leaves the root in
# build/fresh/. The mirrors and the registries are those that this machine itself uses: read from its configuration when run.

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/common.sh"

SUITE=bookworm
FRESH=$BUILD/fresh
TREE=$FRESH/root
HOME_IN=/home/onnxgate
KEEP=0 CHANGES=0
for arg in "$@"; do
	case $arg in
	--keep) KEEP=1 ;;
	--with-changes) CHANGES=1 ;;
	*) die "debootstrap.sh: unknown option '$arg' (usage: tests/fresh/debootstrap.sh [--with-changes] [--keep])" ;;
	esac
done
[ "$(id -u)" = 0 ] || die "debootstrap.sh: needs root, for chroot and mounts"
# In a mount namespace of its own: whatever happens, no mount outlives the script.
[ -n "${ONNXGATE_FRESH_NAMESPACE:-}" ] || ONNXGATE_FRESH_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
"$ROOT/scripts/install_deps.sh" fresh

finish() {
	awk -v tree="$TREE/" 'index($2, tree) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r where; do umount "$where" || umount -l "$where"; done
	[ "$KEEP" = 1 ] || rm -rf --one-file-system "$FRESH"
}

# The first Debian mirror that apt itself would use.
mirror() {
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 2>/dev/null |
		awk -v suite="$SUITE" '$2 == suite && $3 == "main" { print $1; exit }'
}

make_root() {
	local url
	url=$(mirror)
	[ -n "$url" ] || die "debootstrap.sh: no $SUITE main in this machine's apt sources"
	mkdir -p "$TREE"
	quiet "$BUILD/logs/fresh-debootstrap.log" env -u TMPDIR debootstrap --variant=minbase "$SUITE" "$TREE" "$url"
}

# The same registries as here: this machine's Debian sources (others would want keys that the root lacks), what apt's configuration
# says about fetching, pip's configuration, certificates, name resolution, and the folders of packages that pip looks into.
copy_configuration() {
	local file folder
	rm -f "$TREE/etc/apt/sources.list"
	cp /etc/apt/sources.list.d/debian.sources "$TREE/etc/apt/sources.list.d/" 2>/dev/null || cp /etc/apt/sources.list "$TREE/etc/apt/"
	for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
		! grep -qs '^ *Acquire' "$file" || cp -L "$file" "$TREE/etc/apt/apt.conf.d/"
	done
	mkdir -p "$TREE/etc/xdg/pip"
	for file in /etc/pip.conf /etc/hosts /etc/resolv.conf; do
		[ ! -e "$file" ] || cp -L "$file" "$TREE$file"
	done
	for file in "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
		[ ! -e "$file" ] || cp -L "$file" "$TREE/etc/xdg/pip/pip.conf"
	done
	# One file a certificate: so they stay when the package ca-certificates makes the bundle anew.
	mkdir -p "$TREE/etc/ssl/certs" "$TREE/usr/local/share/ca-certificates"
	cp -L /etc/ssl/certs/ca-certificates.crt "$TREE/etc/ssl/certs/"
	awk -v to="$TREE/usr/local/share/ca-certificates/host-" '/BEGIN CERT/ { n++ } { print > (to n ".crt") } /END CERT/ { close(to n ".crt") }' \
		/etc/ssl/certs/ca-certificates.crt
	for folder in $(pip_folders); do
		mkdir -p "$TREE$folder"
		mount --bind -o ro "$folder" "$TREE$folder"
	done
}

# Folders of packages that pip's configuration names, cut to two levels: an index refers to files beside it.
pip_folders() {
	{ cat /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" 2>/dev/null || true; env | grep '^PIP_' || true; } |
		grep -Eo '(file://|[= ])/[^ ,]+' | sed -E 's#^(file://|[= ])##' | cut -d/ -f1-3 | sort -u |
		while read -r path; do [ ! -d "$path" ] || [ "$path" = /etc/ssl ] || echo "$path"; done
}

copy_checkout() {
	mkdir -p "$TREE$HOME_IN"
	if [ "$CHANGES" = 1 ]; then
		mkdir "$TREE$HOME_IN/onnxgate"
		git -C "$ROOT" ls-files -z --cached --others --exclude-standard | (cd "$ROOT" && xargs -0 ls -d 2>/dev/null) |
			tar -C "$ROOT" -c -T - | tar -C "$TREE$HOME_IN/onnxgate" -x
	else
		git clone --quiet --no-hardlinks "$ROOT" "$TREE$HOME_IN/onnxgate"
	fi
	# What is there before, to see at the end that nothing appeared beside the checkout.
	(cd "$TREE" && find root home tmp var/tmp -path "home/onnxgate/onnxgate" -prune -o -print | sort) >"$FRESH/before"
}

inside() { # COMMAND…, with as little of this machine's environment as pip and apt need
	local keep=()
	while IFS= read -r -d '' pair; do
		case $pair in PIP_NO_CACHE_DIR=* | PIP_ROOT_USER_ACTION=* | PIP_NO_INPUT=*) ;; PIP_*=* | *_proxy=* | *_PROXY=* | SSL_CERT_*=*) keep+=("$pair") ;; esac
	done < <(env -0)
	chroot "$TREE" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "${keep[@]}" "$@"
}

run_command() { # NAME COMMAND…: shows its output as it comes
	local name=$1 start=$EPOCHREALTIME rc=0
	shift
	say "in the empty Debian: $name"
	inside sh -c 'cd "$0" && exec "$@"' "$HOME_IN/onnxgate" "$@" 2>&1 | sed 's/^/    | /' || rc=$?
	RESULTS+=("$([ "$rc" = 0 ] && echo PASS || echo FAIL)  $name ($(seconds_since "$start") s)")
	[ "$rc" = 0 ] || FAILED=$((FAILED + 1))
}

RESULTS=() FAILED=0
exec 9>"$BUILD/fresh.lock"
flock -n 9 || die "debootstrap.sh: another run is under way in this checkout ($BUILD/fresh.lock)"
trap finish EXIT
rm -rf --one-file-system "$FRESH"
mkdir -p "$FRESH"
say "making an empty Debian ($SUITE) in build/fresh/"
make_root
copy_configuration
copy_checkout
mount -t proc proc "$TREE/proc"
mount --bind /dev "$TREE/dev"
mount -t tmpfs tmpfs "$TREE/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$TREE/dev/pts"
[ -L "$TREE/dev/ptmx" ] || mount --bind "$TREE/dev/pts/ptmx" "$TREE/dev/ptmx"

present=$(inside sh -c 'for p in gcc clang meson ninja python3 pip curl; do command -v $p; done' | tr '\n' ' ' || true)
say "of gcc, clang, meson, ninja, python3, pip and curl the root has: ${present:-nothing}"
run_command "scripts/quickstart.sh" scripts/quickstart.sh
run_command "scripts/quickstart.sh, the second time" scripts/quickstart.sh
run_command "scripts/test.sh" env ONNXGATE_FUZZ_SECONDS="${ONNXGATE_FUZZ_SECONDS:-60}" scripts/test.sh

(cd "$TREE" && find root home tmp var/tmp -path "home/onnxgate/onnxgate" -prune -o -print | sort) >"$FRESH/after"
left=$(comm -13 "$FRESH/before" "$FRESH/after")
if [ -z "$left" ]; then
	RESULTS+=("PASS  nothing outside the checkout (/root, /home, /tmp, /var/tmp)")
else
	RESULTS+=("FAIL  left outside the checkout: $(tr '\n' ' ' <<<"$left")")
	FAILED=$((FAILED + 1))
fi
printf '%s\n' "${RESULTS[@]}"
printf '%d passed, %d failed\n' $((${#RESULTS[@]} - FAILED)) "$FAILED"
[ "$FAILED" = 0 ]
