#!/usr/bin/env bash
# Makes a new Debian 12 in a folder, with apt as this machine has it: its sources, proxies and certificates are taken along, and
# nothing else.
#
#   deploy/dev/bootstrap.sh FOLDER [package...]     the smallest system there is, and these packages
#
# Needs root and debootstrap. The services of the packages are not started. What it has to say goes to FOLDER.log.
set -euo pipefail

root=$1
shift
release=bookworm
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
	echo "$0: needs root and debootstrap" >&2
	exit 1
fi
trap '[ $? -eq 0 ] || tail -n 20 "$root.log" >&2' EXIT

sources=$(apt-get indextargets --format 'deb $(SITE) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | grep " $release" | sort -u)
debootstrap --variant=minbase "$release" "$root" "$(awk -v r="$release" '$3 == r { print $2; exit }' <<<"$sources")" >"$root.log" 2>&1
echo "$sources" >"$root/etc/apt/sources.list"
cp -a /etc/apt/auth.conf* "$root/etc/apt/" 2>/dev/null || true
apt-config dump | grep -iE '^Acquire::(https?|Check-[a-z-]+|[a-z]+::(proxy|verify|ca)[a-z-]*)' | grep -v '""' >"$root/etc/apt/apt.conf.d/90machine" || true
mkdir -p "$root/usr/local/share/ca-certificates" # where update-ca-certificates(8) looks
cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$(hostname)" >"$root/etc/hosts"
if [ $# -gt 0 ]; then
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # invoke-rc.d(8)
	chmod 755 "$root/usr/sbin/policy-rc.d"
	chroot "$root" apt-get -qq update >>"$root.log" 2>&1
	chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >>"$root.log" 2>&1
	rm "$root/usr/sbin/policy-rc.d"
fi
