#!/usr/bin/env bash
# Proves that the README's commands install all they need: makes a new Debian 12, follows the README there in a
# fresh clone of this checkout's last commit, and removes it all again.
#
#   deploy/dev/fresh.sh [user|root] [command...]     as a user with sudo, or as root; without a command: make demo ARGS=--once
#
# Needs root, debootstrap and Go. The system is one folder in a mount and process namespace of its own, so that
# nothing of it outlives this script. It shares the network, since packages and modules come from where this
# machine has them from: apt's sources and certificates are taken along, and nothing else.
set -euo pipefail

who=${1:-user}
shift || true
[ $# -gt 0 ] || set -- make demo ARGS=--once
case "$who" in
user) sudo=sudo account=tester home=/home/tester ;;
root) sudo='' account=root home=/root ;;
*)
	echo "usage: $0 [user|root] [command...]" >&2
	exit 2
	;;
esac
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
	echo "$0: needs root and debootstrap" >&2
	exit 1
fi

checkout=$(cd "$(dirname "$0")/../.." && pwd)
goroot=$(go env GOROOT)

# enter makes the folder the root of this process. A plain chroot would not do: in one, browsers get no namespaces (clone(2)).
enter() {
	local device
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup" # for systemd-nspawn, in tests
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/.old"
	for device in null zero full random urandom tty; do
		touch "$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	mkdir -p "$root/usr/local/go"
	mount --bind "$goroot" "$root/usr/local/go" # what the README fetches with curl
	mount -o remount,ro,bind "$root/usr/local/go"
	cd "$root"
	pivot_root . .old
	umount -l /.old
	rmdir /.old
}

# as runs a command line as the account, with nothing of this machine's environment but where packages come from.
as() {
	local name keep=()
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY GOPROXY GOSUMDB GONOSUMDB GOPRIVATE npm_config_registry PIP_INDEX_URL; do
		[ -z "${!name:-}" ] || keep+=("$name=${!name}")
	done
	setpriv --reuid="$account" --regid="$account" --init-groups env -i "${keep[@]}" HOME="$home" USER="$account" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin LANG=C.UTF-8 bash -euc "$1" bash "${@:2}"
}

# inside runs in the namespaces.
inside() {
	"$checkout/deploy/dev/bootstrap.sh" "$root"
	if [ "$account" != root ]; then
		chroot "$root" apt-get -qq update
		chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends sudo >>"$root.log" 2>&1
		chroot "$root" useradd --create-home --shell /bin/bash "$account"
		echo "$account ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$account"
	fi
	git clone -q --no-hardlinks "file://$checkout" "$root$home/postern"
	chroot "$root" chown -R "$account:$account" "$home/postern"
	enter
	cd "$home"
	echo "== Debian $(cat /etc/debian_version), as $account: git, make, curl"
	as "$sudo apt-get -qq update && $sudo apt-get -qq install -y git make curl" >/var/log/first.log 2>&1 || {
		tail -n 20 /var/log/first.log >&2
		return 1
	}
	cd postern
	echo "== $*"
	as '"$@"' "$@"
}

if [ -n "${POSTERN_FRESH:-}" ]; then
	root=$POSTERN_FRESH
	inside "$@"
	exit
fi
folder=$(mktemp -d /var/tmp/postern-fresh.XXXXXX)
trap 'rm -rf --one-file-system "$folder"' EXIT
mkdir "$folder/root"
chmod 755 "$folder" "$folder/root"
POSTERN_FRESH=$folder/root unshare --mount --pid --fork --kill-child --propagation private "$0" "$who" "$@"
echo "== passed"
