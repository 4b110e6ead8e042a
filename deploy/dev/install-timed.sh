#!/usr/bin/env bash
# Does what deploy/README.md says under "Install", line by line, on a Debian 12 that has nothing yet, up to the first message that
# a user of the server gets delivered on a platform, and says how long each line took. The platform is postern sandbox.
#
#   deploy/dev/install-timed.sh [prosody|ejabberd]
#
# Needs root, Go, debootstrap, systemd-container, and a package of make package (bin/package). The system is a folder in which
# systemd is the first process (systemd-nspawn(1)), without network but for the time of apt's downloads, which are counted. The
# folder of the smallest system is kept in .cache; what is installed on it is removed again.
set -euo pipefail

server=${1:-prosody}
checkout=$(cd "$(dirname "$0")/../.." && pwd)
cd "$checkout"
case "$server" in
prosody | ejabberd) ;;
*)
	echo "usage: $0 [prosody|ejabberd]" >&2
	exit 2
	;;
esac
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap systemd-nspawn >/dev/null; then
	echo "$0: needs root, debootstrap and systemd-container" >&2
	exit 1
fi
debs=(bin/package/postern_*_"$(dpkg --print-architecture)".deb)
if [ ! -e "${debs[0]}" ]; then
	echo "$0: no package in bin/package: run make package first" >&2
	exit 1
fi
deb=$(ls -t "${debs[@]}" | head -n 1)

# The lines of the README for this server.
mapfile -t lines < <(awk -v mark="<!-- install $server -->" '$0 == mark { on = 1; next } on && /^```sh$/ { code = 1; next } code && /^```$/ { exit } code && NF' deploy/README.md)
[ ${#lines[@]} -gt 4 ] || {
	echo "$0: deploy/README.md has no lines for $server" >&2
	exit 1
}

clean=.cache/debian-12-clean
if [ ! -e "$clean.made" ]; then
	echo "making a Debian 12 (once)"
	rm -rf --one-file-system "$clean"
	mkdir -p .cache
	nice deploy/dev/bootstrap.sh "$checkout/$clean" systemd systemd-sysv
	touch "$clean.made"
fi
folder=$(mktemp -d /var/tmp/postern-install.XXXXXX)
nspawn=
cleanup() {
	if [ -n "$nspawn" ]; then
		kill "$nspawn" 2>/dev/null || true
		wait "$nspawn" 2>/dev/null || true
	fi
	rm -rf --one-file-system "$folder"
}
trap cleanup EXIT
root=$folder/root
cp -a "$clean" "$root"
chmod 755 "$folder" "$root"
cp "$deb" "$root/root/"
CGO_ENABLED=0 go build -o "$root/usr/local/bin/first" ./cmd/internal/user/first

total=0
# timed runs a command and says how long it took.
timed() {
	local title=$1 began ms
	shift
	began=$(date +%s%N)
	"$@" >"$folder/log" 2>&1 </dev/null || {
		cat "$folder/log" >&2
		echo "$0: failed: $title" >&2
		[ -z "$nspawn" ] || inside "journalctl --no-pager -n 30 -u postern -u $server" >&2 || true
		exit 1
	}
	ms=$((($(date +%s%N) - began) / 1000000))
	total=$((total + ms))
	printf '%4d.%01d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$title"
}

# inside runs a line in the system, as root in root's folder.
inside() {
	nsenter --target "$first" --all --wdns=/root env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 bash -euc "$1"
}

echo "== $(basename "$deb") beside $server on Debian $(cat "$root/etc/debian_version")"
install_line=$(printf '%s\n' "${lines[@]}" | grep -m 1 '^apt-get install')
timed "apt-get update, and the downloads of the next line" chroot "$root" env DEBIAN_FRONTEND=noninteractive HOME=/root \
	bash -euc "cd /root; apt-get -qq update; ${install_line/install -y/install -y -qq --download-only}"

systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --private-network --console=pipe --boot </dev/null >"$folder/console" 2>&1 &
nspawn=$!
first=
for _ in $(seq 600); do # the machine starts; a server is up already
	first=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null | tr -d ' ' || true)
	[ -n "$first" ] && inside 'systemctl is-system-running' 2>/dev/null | grep -qE 'running|degraded' && break
	sleep 0.1
done

# What a server has that serves users: its domain, and a user. The test's client speaks no TLS on loopback.
stage() {
	case "$server" in
	prosody)
		inside 'printf "%s\n" "c2s_require_encryption = false" "VirtualHost \"example.org\"" >/etc/prosody/conf.d/example.org.cfg.lua
			systemctl restart prosody; prosodyctl register romeo example.org pw'
		;;
	ejabberd)
		inside 'sed -i -e "s/^  - localhost$/  - example.org/" -e "s/starttls_required: true/starttls_required: false/" /etc/ejabberd/ejabberd.yml
			systemctl restart ejabberd; ejabberdctl started; ejabberdctl register romeo example.org pw'
		;;
	esac
}

for line in "${lines[@]}"; do
	case "$line" in
	"postern init"*) timed "$line   (answers: example.org, and what it offers)" inside "printf 'example.org\n\n\n\n\n\n\n\n\n\n\n\n\n' | ${line%%#*}" ;;
	"postern sandbox"*) inside "systemd-run --quiet --unit=sandbox --uid=nobody ${line%%#*}" ;;
	*"postern doctor"*) timed "$line" inside "for n in \$(seq 30); do ${line%%#*} && exit 0; sleep 1; done; exit 1" ;; # who types is slower than Prosody starts
	*) timed "$line" inside "$line" ;;
	esac
	[ "$line" != "$install_line" ] || stage >/dev/null
done
timed "a user registers, adds somebody, writes, and is answered" inside \
	"first -jid romeo@example.org -password pw -gateway gatekeeper.example.org"
sed 's/^/            /' "$folder/log"
printf '%4d.%01d s  in all\n' $((total / 1000)) $((total % 1000 / 100))
