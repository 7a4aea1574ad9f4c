#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts what was built into Debian packages, and has lintian judge them:
#
#	packaging/build.sh OUT
#
# All is copied to OUT first. Nothing is compiled but the manual pages'
# generator, and nothing is downloaded, so that equal products make equal packages.
#
# Environment: SOURCE_DATE_EPOCH  the time of every file
#              VERSION            version of the packages (default: the changelog's)
set -eu -o pipefail

: "${SOURCE_DATE_EPOCH:?is not set}"
out=$(realpath -m "$1")
cd "$(dirname "$0")/.."
export SOURCE_DATE_EPOCH LC_ALL=C
umask 022

# Another version than that of the changelog is a trial's.
new_version() {
	cat - "$1" >"$1.new" <<-END
		apkern ($VERSION) unstable; urgency=medium

		  * Built to try an upgrade.

		 -- The apkern authors <apkern@users.noreply.github.com>  $(date -R -u --date="@$SOURCE_DATE_EPOCH")

	END
	mv "$1.new" "$1"
}

stage=$out/source
rm -rf "$out"
mkdir -p "$stage"/{completions/{bash,zsh,fish},man,module,abi,default,modprobe.d}
cp -R packaging/debian "$stage/"
cp module/*.[chS] module/Kbuild "$stage/module/"
cp module/60-apkern.rules "$stage/debian/apkern.udev"
cp abi/*.h "$stage/abi/"
cp bin/apkern build/libstartup.so.1 build/kernel.blob "$stage/"
cp -R build/bench "$stage/"
cp packaging/etc/default "$stage/default/apkern"
cp packaging/etc/modprobe.conf "$stage/modprobe.d/apkern.conf"
cp packaging/man/* build/man/*.1 "$stage/man/"
bin/apkern completion bash >"$stage/completions/bash/apkern"
bin/apkern completion zsh >"$stage/completions/zsh/_apkern"
bin/apkern completion fish >"$stage/completions/fish/apkern.fish"
[ -z "${VERSION:-}" ] || new_version "$stage/debian/changelog"
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Variables of the make that called are none of debhelper's.
unset MAKEFLAGS MFLAGS MAKELEVEL
if ! (cd "$stage" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$out/log" 2>&1; then
	cat "$out/log" >&2
	exit 1
fi
lintian --allow-root --fail-on error,warning "$out"/*.changes
(cd "$out" && sha256sum ./*.deb | sed 's, \./, ,' | tee SHA256SUMS)
