#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Downloads a Debian kernel with its headers and unpacks both, without
# installing them, and links the result to OUT:
#
#	kernels/fetch.sh SERIES FLAVOUR OUT	as in: kernels/fetch.sh 6.12 rt-amd64 build/kernels/6.12-rt
#
#	OUT/boot/vmlinuz-RELEASE	the kernel
#	OUT/lib/modules/RELEASE		its modules
#	OUT/build			what a module is built against (KDIR)
#	OUT/release			RELEASE
#
# Environment: KERNEL_CACHE  where kernels are kept (default ~/.cache/apkern/kernels)
set -eu -o pipefail

series=$1 flavour=$2 out=$3
cache=${KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apkern/kernels}

# depends PACKAGE: what it depends on, alternatives left out.
depends() { apt-cache depends --no-recommends --no-suggests "$1" | sed -n 's/^  Depends: //p'; }

# 6.1 is what Debian 12 has without a series in the package's name.
meta=linux-image-$flavour
[ "$series" = 6.1 ] || meta=linux-image-$series-$flavour
image=$(depends "$meta" | grep '^linux-image-' || true)
[ -n "$image" ] || { echo "fetch: apt knows no package $meta: run apt-get update, or add Debian's security archive" >&2; exit 1; }
release=${image#linux-image-}
dir=$cache/$release

mkdir -p "$(dirname "$out")" "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$dir/release" ]; then
	echo "fetch: $release" >&2
	rm -rf "$dir"
	mkdir -p "$dir/packages"
	headers=linux-headers-$release
	# shellcheck disable=SC2046 # one word a package
	packages="$image $headers $(depends "$headers" | grep -E '^linux-(headers|kbuild)-')"
	# Read by apt's own unprivileged user where that is possible; it warns where not.
	(cd "$dir/packages" && apt-get download -q $packages >/dev/null 2>"$dir/log") || { cat "$dir/log" >&2; exit 1; }
	for package in "$dir"/packages/*.deb; do
		dpkg-deb -x "$package" "$dir"
	done
	rm -rf "$dir/packages" "$dir/log" "$dir"/usr/share
	# Headers expect to be installed: this is the one absolute path in them.
	sed -i "s,/usr/src/,$dir/usr/src/," "$dir/usr/src/$headers/Makefile"
	ln -s "usr/src/$headers" "$dir/build"
	rm -f "$dir/lib/modules/$release/build" "$dir/lib/modules/$release/source"
	/sbin/depmod -b "$dir" "$release"
	echo "$release" >"$dir/release.new"
	mv "$dir/release.new" "$dir/release"
fi
ln -sfn "$dir" "$out"
