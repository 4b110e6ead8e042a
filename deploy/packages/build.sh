#!/usr/bin/env bash
# Builds what is published: programs, Debian packages, image, chart, SBOM, and their checksums.
#
#   deploy/packages/build.sh [part...]     parts: programs debian image chart sbom; without one: all of them
#
# The same commit gives the same bytes, wherever and whenever it is built, by the same tools: no time but the commit's, no path,
# no name of a machine goes in (https://reproducible-builds.org/docs/source-date-epoch/).
#
#   OUT       where everything goes (bin/package)
#   ARCHES    of programs, Debian packages and images (amd64 arm64)
#   VERSION   instead of the one that the commit has
#   MAINTAINER   of the Debian packages, "Name <address>": who builds packages for others names themselves
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
cd "$checkout"
mkdir -p "${OUT:=bin/package}"
out=$(cd "$OUT" && pwd)
read -ra arches <<<"${ARCHES:-amd64 arm64}"
parts=("$@")
[ $# -gt 0 ] || parts=(programs debian image chart sbom)
# deb-control(5): an RFC 5322 mailbox. It stands in the control file and in the changelog.
MAINTAINER=${MAINTAINER:-Postern maintainers <maintainers@postern.example>}
if ! [[ $MAINTAINER =~ ^[^][:cntrl:]\<\>@,/\&\\]+\ \<[^][:cntrl:][:space:]\<\>@,/\&\\]+@[A-Za-z0-9.-]+\>$ ]]; then
	echo "$0: MAINTAINER wants a name and an address, such as \"Anna Example <anna@example.org>\", got \"$MAINTAINER\"" >&2
	exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
export LC_ALL=C TZ=UTC CGO_ENABLED=0

vcs=auto
git status >/dev/null 2>&1 || vcs=false # git refuses a checkout of another user
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=$(stat -c %Y go.mod) # an archive without its history
fi
export SOURCE_DATE_EPOCH

# The version of a tag, v1.2.3; between tags, one that is older than any release, and the newer the later the commit.
if [ -z "${VERSION:-}" ]; then
	VERSION=$(git describe --exact-match --match 'v[0-9]*' 2>/dev/null) || VERSION=0.0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +git%Y%m%d%H%M%S)
	[ "$vcs" = false ] || [ -z "$(git status --porcelain 2>/dev/null)" ] || VERSION+=+changed
fi
VERSION=${VERSION#v}
# SemVer 2.0.0 has another sign for what comes before a release.
semver=${VERSION/\~/-}

# pack writes a folder's files as a tar archive that depends on nothing but their names, modes and bytes.
pack() { tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -C "$1" -cf - "${@:2}"; }

# program names the program of an architecture.
program() { echo "$out/postern-$semver-linux-$1"; }

# compile stamps the version: the module's own is one of Go, which Debian and Helm call otherwise.
compile() { GOARCH=$1 go build -trimpath -buildvcs="$vcs" -ldflags="-s -w -buildid= -X postern/cmd/internal/app.stamped=$semver" -o "$2" ./cmd/postern; }

programs() {
	local arch
	for arch in "${arches[@]}"; do
		compile "$arch" "$(program "$arch")"
	done
}

debian() {
	local arch root size here_runs
	here_runs=$(program "$(go env GOHOSTARCH)")
	if [ ! -e "$here_runs" ]; then
		here_runs=$work/postern
		compile "$(go env GOHOSTARCH)" "$here_runs"
	fi
	"$here_runs" man >"$work/postern.1"
	for arch in bash zsh fish; do
		"$here_runs" completion "$arch" >"$work/$arch"
	done
	for arch in "${arches[@]}"; do
		root=$work/debian-$arch
		install -D -m 755 "$(program "$arch")" "$root/usr/bin/postern"
		install -D -m 644 "$here/debian/postern.service" "$root/usr/lib/systemd/system/postern.service"
		install -D -m 640 "$here/debian/environment" "$root/etc/postern/environment"
		install -d -m 700 "$root/var/lib/postern"
		chmod 750 "$root/etc/postern"
		install -D -m 644 "$work/bash" "$root/usr/share/bash-completion/completions/postern"
		install -D -m 644 "$work/zsh" "$root/usr/share/zsh/vendor-completions/_postern"
		install -D -m 644 "$work/fish" "$root/usr/share/fish/vendor_completions.d/postern.fish"
		install -D -m 644 "$work/postern.1" "$root/usr/share/man/man1/postern.1"
		install -D -m 644 "$here/debian/copyright" "$root/usr/share/doc/postern/copyright"
		install -m 644 CHANGELOG.md "$root/usr/share/doc/postern/CHANGELOG.md"
		printf 'postern (%s) stable; urgency=medium\n\n  * What changed is in CHANGELOG.md.\n\n -- %s  %s\n' "$VERSION" \
			"$MAINTAINER" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$root/usr/share/doc/postern/changelog"
		gzip -9n "$root/usr/share/man/man1/postern.1" "$root/usr/share/doc/postern/changelog"
		install -m 644 README.md "$root/usr/share/doc/postern/README.md"
		install -D -m 644 -t "$root/usr/share/doc/postern/platforms" deploy/platforms/*.md
		install -D -m 644 -t "$root/usr/share/doc/postern/monitoring" deploy/monitoring/*.md deploy/monitoring/postern.rules.yml deploy/monitoring/dashboard.json
		install -D -m 644 deploy/postern.yaml "$root/usr/share/doc/postern/examples/postern.yaml"
		size=$(find "$root" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
		install -d "$root/DEBIAN"
		sed -e "s/@MAINTAINER@/$MAINTAINER/" -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" "$here/debian/control" >"$root/DEBIAN/control"
		install -m 755 -t "$root/DEBIAN" "$here/debian/postinst" "$here/debian/prerm" "$here/debian/postrm"
		echo /etc/postern/environment >"$root/DEBIAN/conffiles"
		(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
		find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
		dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$out/postern_${VERSION}_$arch.deb" >/dev/null
	done
}

# image writes OCI archives: the program, the certificates that Debian takes from Mozilla, and a user.
image() {
	local arch root store id
	store=(buildah --root "$work/containers" --runroot "$work/run" --storage-driver vfs)
	for arch in "${arches[@]}"; do
		root=$work/image-$arch
		install -D -m 755 "$(program "$arch")" "$root/usr/bin/postern"
		install -d -m 755 "$root/etc/ssl/certs" "$root/etc/postern" "$root/var/lib"
		find /usr/share/ca-certificates/mozilla -name '*.crt' -print0 | sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
		echo 'postern:x:65532:65532::/var/lib/postern:/nonexistent' >"$root/etc/passwd"
		echo 'postern:x:65532:' >"$root/etc/group"
		find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
		install -d -m 700 "$work/state/postern"
		touch --date="@$SOURCE_DATE_EPOCH" "$work/state" "$work/state/postern"
		id=$("${store[@]}" from --arch "$arch" scratch)
		"${store[@]}" copy -q --chown 0:0 "$id" "$root" / >/dev/null
		"${store[@]}" copy -q --chown 65532:65532 "$id" "$work/state" /var/lib >/dev/null
		"${store[@]}" config --user 65532:65532 --workingdir /var/lib/postern --entrypoint '["/usr/bin/postern"]' --cmd 'serve -c /etc/postern/postern.yaml' \
			--env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt --port 8443/tcp --stop-signal SIGTERM --created-by "make package" \
			--label org.opencontainers.image.title=postern --label "org.opencontainers.image.version=$semver" \
			--label org.opencontainers.image.licenses=Apache-2.0 --label 'org.opencontainers.image.description=Gateway between XMPP and other messengers' \
			--label io.buildah.version- "$id"
		"${store[@]}" commit -q --format oci --disable-compression=false --timestamp "$SOURCE_DATE_EPOCH" "$id" "oci:$work/oci-$arch:postern:${semver/+/_}" >/dev/null
		pack "$work/oci-$arch" . >"$out/postern-$semver-image-$arch.tar"
	done
}

chart() {
	install -d "$work/chart"
	cp -R deploy/helm/postern "$work/chart/postern"
	sed -i -e "s/^version: .*/version: $semver/" -e "s/^appVersion: .*/appVersion: \"$semver\"/" "$work/chart/postern/Chart.yaml"
	pack "$work/chart" postern | gzip -9n >"$out/postern-$semver-chart.tgz"
}

# sbom lists the modules that are in the program, with their licenses (CycloneDX). They are the same for each architecture. The
# tool puts a hash of itself in: -trimpath keeps that the same everywhere.
sbom() {
	GOFLAGS=-trimpath go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -licenses -std -noserial -notimestamp \
		-version "v$semver" -output "$out/postern-$semver.cdx.json" "$(program "${arches[0]}")" 2>"$work/sbom.log" || {
		cat "$work/sbom.log" >&2
		return 1
	}
}

for part in "${parts[@]}"; do
	case "$part" in
	programs | debian | image | chart | sbom) "$part" ;;
	*)
		echo "$0: no part $part; there are programs debian image chart sbom" >&2
		exit 2
		;;
	esac
done
cd "$out"
rm -f SHA256SUMS
find . -maxdepth 1 -type f -name 'postern*' -printf '%f\n' | sort | xargs sha256sum >SHA256SUMS
