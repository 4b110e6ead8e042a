#!/usr/bin/env bash
# Installs what the demonstration or the tests need, and nothing else: Debian packages, and a web client.
#
#   deploy/dev/install.sh demo   prosody and redis-server with what they load
#   deploy/dev/install.sh package   what make package builds with
#   deploy/dev/install.sh test   these, ejabberd, and the clients and tools that tests drive; Converse.js as well, in .cache
#
# Needs root or sudo only when a package is missing. The services of the packages are not started, and what
# is installed already is not touched.
set -euo pipefail

demo=(prosody prosody-modules lua-dbi-sqlite3 redis-server)
building=(buildah ca-certificates)
test=("${demo[@]}" "${building[@]}" ejabberd erlang-p1-sqlite3 python3-slixmpp python3-aiohttp chromium prometheus man-db groff-base zsh fish
	debootstrap systemd-container podman runc)

# The web client, as its package of npm, held to its content.
converse=14.0.0
converse_sha512=2c5520d37d230da955e3bbc8fefc953ea60f65f2585c56ee6eaf2fd1c1437b6cd735e786124dd4a74163fd64f34fab7ee9da3e700213a32ef77808fb44d0e3d9

case "${1:-}" in
demo) wanted=("${demo[@]}") ;;
package) wanted=("${building[@]}") ;;
test) wanted=("${test[@]}") ;;
*)
	echo "usage: $0 demo|package|test" >&2
	exit 2
	;;
esac

# Some systems have npm from elsewhere.
if [ "$1" = test ] && ! command -v npm >/dev/null; then
	wanted+=(npm)
fi

# fetch_converse puts the client's files into .cache/converse-<version>/dist.
fetch_converse() {
	local cache home part
	cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache
	home=$cache/converse-$converse
	[ -e "$home/dist/converse.min.js" ] && return
	echo "fetching: converse.js $converse"
	mkdir -p "$cache"
	part=$(mktemp -d "$cache/part.XXXXXX")
	(cd "$part" && npm pack --silent "converse.js@$converse" >/dev/null)
	if ! echo "$converse_sha512  $part/converse.js-$converse.tgz" | sha512sum --check --status; then
		rm -rf "$part"
		echo "$0: converse.js $converse is not the package that is expected here" >&2
		exit 1
	fi
	tar -xzf "$part/converse.js-$converse.tgz" -C "$part" package/dist
	rm -rf "$home"
	mv "$part/package" "$home"
	rm -rf "$part"
}

# beside is what the packages do not hold.
beside() {
	if [ "$mode" = test ]; then
		fetch_converse
	fi
}
mode=$1

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "$0: this system has no apt; install by hand what these Debian packages hold: ${wanted[*]}" >&2
	exit 1
fi

missing=()
for package in "${wanted[@]}"; do
	if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
		missing+=("$package")
	fi
done
if [ ${#missing[@]} -eq 0 ]; then
	beside
	exit 0
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "$0: missing Debian packages: ${missing[*]}" >&2
		echo "$0: neither root nor sudo is at hand; as root run: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi

echo "installing: ${missing[*]}"

# Keep the packages from starting their services (invoke-rc.d(8)), unless the system has a policy of its own.
policy=/usr/sbin/policy-rc.d
own_policy=
own_policy_text='#!/bin/sh
# For the time of an installation by Postern: no service starts.
exit 101'
# Debian's ejabberd starts the port mapper of Erlang, which would stay behind on all addresses.
epmds() {
	local comm
	for comm in /proc/[0-9]*/comm; do
		if [ "$(cat "$comm" 2>/dev/null || true)" = epmd ]; then
			comm=${comm#/proc/}
			echo "${comm%/comm}"
		fi
	done | sort
}
epmd_before=$(epmds)

cleanup() {
	if [ -n "$own_policy" ]; then
		"${root[@]}" rm -f "$policy"
	fi
	local pid
	for pid in $(epmds); do
		if ! grep -qx "$pid" <<<"$epmd_before"; then
			"${root[@]}" kill "$pid" || true
		fi
	done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ ! -e "$policy" ]; then
	own_policy=yes
	printf '%s\n' "$own_policy_text" | "${root[@]}" tee "$policy" >/dev/null
	"${root[@]}" chmod 755 "$policy"
fi

apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null; }

if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
	apt update
fi
# An index that is old makes the first attempt fail.
if ! apt install -y --no-install-recommends "${missing[@]}"; then
	echo "fetching the package index, then once more"
	apt update
	apt install -y --no-install-recommends "${missing[@]}"
fi
echo "installed: ${missing[*]}"
beside
