#!/usr/bin/env bash
# Installs the Debian packages that the demonstration or the tests need, and nothing else.
#
#   deploy/dev/install.sh demo   prosody and redis-server with what they load
#   deploy/dev/install.sh test   these, ejabberd, and the clients and tools that tests drive
#
# Needs root or sudo only when something is missing. The services of the packages are not started, and what
# is installed already is not touched.
set -euo pipefail

demo=(prosody prosody-modules lua-dbi-sqlite3 redis-server)
test=("${demo[@]}" ejabberd erlang-p1-sqlite3 python3-slixmpp chromium prometheus)

case "${1:-}" in
demo) wanted=("${demo[@]}") ;;
test) wanted=("${test[@]}") ;;
*)
	echo "usage: $0 demo|test" >&2
	exit 2
	;;
esac

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
[ ${#missing[@]} -eq 0 ] && exit 0

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
