#!/usr/bin/env bash
# Installs what the demonstration or the tests need, and nothing else: Debian packages, a web client, and what looks for barriers on pages.
#
#   deploy/dev/install.sh demo   prosody and redis-server with what they load
#   deploy/dev/install.sh page   these, and Converse.js in .cache, for the page of the demonstration
#   deploy/dev/install.sh bench   what demo does, and ejabberd
#   deploy/dev/install.sh package   what make package builds with
#   deploy/dev/install.sh apifuzz   redis-server, and the fuzzer of the operator's side, a virtual environment of Python in .cache
#   deploy/dev/install.sh test   all of these, ejabberd, and the clients and tools that tests drive; axe-core as well, in .cache
#
# Needs root or sudo only when a package is missing. The services of the packages are not started, and what
# is installed already is not touched.
set -euo pipefail

demo=(prosody prosody-modules lua-dbi-sqlite3 redis-server)
building=(buildah ca-certificates)
fuzzing=(redis-server python3-venv ca-certificates)
bench=("${demo[@]}" ejabberd erlang-p1-sqlite3)
test=("${bench[@]}" "${building[@]}" "${fuzzing[@]}" python3-slixmpp python3-aiohttp chromium prometheus man-db groff-base zsh fish
	debootstrap systemd-container podman runc)

# The web client and the checker of pages, as their packages of npm, held to their content.
converse=14.0.0
cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache
converse_sha512=2c5520d37d230da955e3bbc8fefc953ea60f65f2585c56ee6eaf2fd1c1437b6cd735e786124dd4a74163fd64f34fab7ee9da3e700213a32ef77808fb44d0e3d9
axe=4.11.0
axe_sha512=8a561a9c453cbf1c417b1a4977c716338125490ab841cb422ca8a1d1349f8c87c24137b21ffeb356b98825f2cfaca4ca2516e21be71f9d96d02230252661758d

case "${1:-}" in
demo | page) wanted=("${demo[@]}") ;;
bench) wanted=("${bench[@]}") ;;
package) wanted=("${building[@]}") ;;
apifuzz) wanted=("${fuzzing[@]}") ;;
test) wanted=("${test[@]}") ;;
*)
	echo "usage: $0 demo|page|bench|package|apifuzz|test" >&2
	exit 2
	;;
esac

# lacking reports whether npm has something to fetch.
lacking() {
	case $1 in
	test) [ ! -e "$cache/converse-$converse/dist/converse.min.js" ] || [ ! -e "$cache/axe-core-$axe/axe.min.js" ] ;;
	page) [ ! -e "$cache/converse-$converse/dist/converse.min.js" ] ;;
	*) false ;;
	esac
}

# Some systems have npm from elsewhere.
if lacking "$1" && ! command -v npm >/dev/null; then
	wanted+=(npm)
fi

# fetch PACKAGE VERSION SHA512 HOME PART puts one part of a package of npm into .cache/HOME-VERSION.
fetch() {
	local home part
	home=$cache/$4-$2
	[ -e "$home/$5" ] && return 0
	echo "fetching: $1 $2"
	mkdir -p "$cache"
	part=$(mktemp -d "$cache/part.XXXXXX")
	if ! (cd "$part" && npm pack --silent "$1@$2" >/dev/null); then
		rm -rf "$part"
		echo "$0: npm does not hand over $1 $2" >&2
		return 1
	fi
	if ! echo "$3  $part/$1-$2.tgz" | sha512sum --check --status; then
		rm -rf "$part"
		echo "$0: $1 $2 is not the package that is expected here" >&2
		return 1
	fi
	tar -xzf "$part/$1-$2.tgz" -C "$part" "package/$5"
	rm -rf "$home"
	mv "$part/package" "$home"
	rm -rf "$part"
}

# fuzzer puts what deploy/dev/apifuzz/requirements.txt pins into a virtual environment, which is named by that file's content. It is
# made in its place, since its programs name it, and counts once it is whole.
fuzzer() {
	local pinned home
	pinned=${cache%/.cache}/deploy/dev/apifuzz/requirements.txt
	home=$cache/apifuzz-$(sha256sum "$pinned" | cut -c1-12)
	[ -e "$home/whole" ] && return 0
	echo "fetching: what deploy/dev/apifuzz/requirements.txt pins"
	rm -rf "$home"
	mkdir -p "$cache"
	# Debian's own interpreter: another one on the path may be of a version that nothing is pinned for.
	/usr/bin/python3 -m venv "$home"
	PIP_CERT=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt} "$home/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$pinned"
	touch "$home/whole"
}

# beside is what the packages do not hold.
beside() {
	case $mode in
	apifuzz) fuzzer ;;
	test)
		fuzzer
		fetch converse.js "$converse" "$converse_sha512" converse dist
		fetch axe-core "$axe" "$axe_sha512" axe-core axe.min.js
		;;
	page)
		fetch converse.js "$converse" "$converse_sha512" converse dist || echo "$0: going on without the web client: the page says how to do without"
		;;
	esac
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
